"""How one row is shown: a thumbnail for an image, a snippet for a text, the most telling columns for a table row."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from clusterexplain.data import Dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.text.names import UNPRINTABLE

SHOWN_COLUMNS = 3
"""Columns of a table row that are named."""
PROFILE_COLUMNS, LEAST_PROFILE = 5, 0.25
"""Columns that say what a cluster is, and by how many standard deviations they must differ from the whole."""
LONGEST_SNIPPET = 200
LONGEST_NAME = 80
"""Characters of a text that are shown."""
LONGEST_SIDE = 64
"""Pixels of the longer side of a thumbnail; larger images are averaged down."""
ROUND_OFF = 1e-6
"""How far the floats of an image may be beyond 0 and 1, as they are after resizing in float32."""
LARGEST_IMAGE = 3_000
"""Characters of a data URI that is made here."""
LARGEST_GIVEN = 16_000
"""Bytes of a picture that a user's function returns; it cannot be made smaller without an image library."""

Renderer = Callable[[np.ndarray, int], Any]
"""``render(row, position)``: the row as the user gave it, shape (n_features,), and its number in the training data, -1 if it
was not trained on. May return text, an image (array of shape (h, w) or (h, w, 3), uint8 or floats in [0, 1]; PNG, JPEG, WebP or
GIF bytes; a data URI), or a :class:`Shown`."""

_DATA_URI = re.compile(r"data:image/(png|jpeg|webp|gif);base64,([A-Za-z0-9+/]+)={0,2}")
_MAGIC = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


@dataclass(frozen=True)
class Shown:
    """What a row looks like.

    Attributes
    ----------
    text : str
        Plain text, never markup: whoever shows it escapes it.
    image : str
        A data URI of a PNG, JPEG, WebP or GIF; empty if there is none.
    """

    text: str = ""
    image: str = ""

    def __post_init__(self) -> None:
        """Refuse anything but text and pictures."""
        if not isinstance(self.text, str) or not isinstance(self.image, str):
            raise InvalidParameterError(
                f"Shown got text of type {type(self.text).__name__} and image of type {type(self.image).__name__}. Expected "
                f"str for both, for example Shown(text='a label'); return an array of pixels as it is."
            )
        if not self.image:
            return
        found = _DATA_URI.fullmatch(self.image)
        if found is None:
            raise InvalidParameterError(
                f"image={self.image[:40]!r}... is no picture that a page can hold. Expected a data URI "
                f"'data:image/png;base64,...' (or jpeg, webp, gif), or return an array of pixels."
            )
        size = len(found[2]) * 3 // 4
        if size > LARGEST_GIVEN:
            raise InvalidParameterError(
                f"image has {size:,} bytes, more than {LARGEST_GIVEN:,}: a page with thousands of rows would be too large to "
                f"open. Expected a smaller picture; an array of pixels is made smaller here."
            )


@dataclass(frozen=True)
class Difference:
    """One column in which a table row differs: its name, the row's value, the reference's, and the mean of its cluster."""

    name: str
    value: float
    reference: float
    cluster_mean: float


@dataclass(frozen=True, eq=False)
class Rows:
    """How the rows of a data set are shown.

    Parameters
    ----------
    data : Dataset
        The rows.
    render : Renderer or None
        The user's own way.
    """

    data: Dataset
    render: Renderer | None = None

    @classmethod
    def of(cls, data: Dataset, render: Renderer | None = None) -> Rows:
        """Choose how the rows of a data set are shown; the user's own way comes first.

        Parameters
        ----------
        data : Dataset
            The rows.
        render : Renderer, optional
            The user's own way.

        Returns
        -------
        Rows
            Ready to show.

        Raises
        ------
        InvalidParameterError
            If `render` cannot be called.
        """
        if render is not None and not callable(render):
            raise InvalidParameterError(
                f"render={render!r:.80} cannot be called. Expected a function render(row, position) that returns text or an "
                f"image."
            )
        return cls(data, render)

    @property
    def kind(self) -> str:
        """Say "own" (the user's function), "image", "text" or "table"."""
        if self.render is not None:
            return "own"
        return "image" if self.data.image_shape is not None else "text" if self.data.text is not None else "table"

    @property
    def is_table(self) -> bool:
        """Whether rows are told apart by their columns, beside what else is shown of them."""
        return self.kind == "table" or (self.kind == "text" and self.data.feature_names is not None)

    def show(self, row: np.ndarray, position: int) -> Shown:
        """Return what a row looks like.

        Parameters
        ----------
        row : ndarray of shape (n_features,)
            The row as the user gave it.
        position : int
            Its number in the training data; -1 for a new row.

        Returns
        -------
        Shown
            Empty for a row of a table, and for a new row of which only the numbers are known.

        Raises
        ------
        InvalidParameterError
            If the user's function returns what cannot be shown.
        """
        if self.render is not None:
            try:
                return _as_shown(self.render(np.array(row), int(position)), int(position))
            except Exception as error:
                error.add_note(f"This happened while render was asked how to show row {position} (-1: a new row).")
                raise
        text = snippet(self._texts[position]) if self._texts and position >= 0 else ""
        if self.data.image_shape is None:
            return Shown(text=text)
        low, high = self._range
        grey = (255 * np.clip((row - low) / max(high - low, np.finfo(float).tiny), 0, 1)).astype(np.uint8)
        return Shown(text=text, image=thumbnail(255 - grey.reshape(self.data.image_shape)))

    def differences(self, row: np.ndarray, reference: np.ndarray, cluster_mean: np.ndarray) -> list[Difference]:
        """Return the columns in which a table row differs most from another, in standard deviations of the column.

        Parameters
        ----------
        row, reference, cluster_mean : ndarray of shape (n_features,)
            The row, what it is told apart from, and the mean of the row's cluster.

        Returns
        -------
        list of Difference
            The `SHOWN_COLUMNS` largest, largest first.
        """
        distance = np.abs(row - reference) / np.where(self._spread > 0, self._spread, 1)
        telling = np.argsort(-distance, kind="stable")[:SHOWN_COLUMNS]
        return [
            Difference(self._names[one], float(row[one]), float(reference[one]), float(cluster_mean[one]))
            for one in telling.tolist()
        ]

    def profile(self, cluster_mean: np.ndarray, mean: np.ndarray) -> list[tuple[str, float]]:
        """Return the columns in which a cluster differs most from the whole.

        Parameters
        ----------
        cluster_mean, mean : ndarray of shape (n_features,)
            Mean of the cluster's members, and of all training examples.

        Returns
        -------
        list of (name, size)
            At most ``PROFILE_COLUMNS``, largest first: cluster's mean minus the other in standard deviations of the column;
            none below ``LEAST_PROFILE``.
        """
        size = (cluster_mean - mean) / np.where(self._spread > 0, self._spread, np.inf)
        largest = np.argsort(-np.abs(size), kind="stable")[:PROFILE_COLUMNS].tolist()
        return [(self._names[one], float(size[one])) for one in largest if abs(size[one]) >= LEAST_PROFILE]

    @cached_property
    def _names(self) -> list[str]:
        """What the columns are called, short enough to be shown."""
        width = self.data.X.shape[1]
        return [snippet(one, LONGEST_NAME) for one in self.data.feature_names or map("column {}".format, range(width))]

    @cached_property
    def _range(self) -> tuple[float, float]:
        return float(self.data.X.min()), float(self.data.X.max())

    @cached_property
    def _spread(self) -> np.ndarray:
        return np.asarray(self.data.X.std(axis=0))

    @cached_property
    def _texts(self) -> list[str]:
        """The rows as text, empty where there is none; no entry at all if the data have no texts."""
        if self.data.text is None or self.data.metadata is None:
            return []
        column = self.data.metadata[self.data.text]
        return ["" if missing else str(one) for one, missing in zip(column.tolist(), column.isna(), strict=True)]


def snippet(text: str, longest: int = LONGEST_SNIPPET) -> str:
    r"""Return the beginning of a text on one line, cut at a word.

    Control characters and lone surrogates are dropped; marks that set the direction of writing, joiners and emoji are kept.

    Parameters
    ----------
    text : str
        Of any length.
    longest : int, default=200
        Characters that are kept at most.

    Returns
    -------
    str
        At most `longest` characters, and an ellipsis if the text goes on.

    Examples
    --------
    >>> snippet("two\n lines")
    'two lines'
    """
    line = " ".join(UNPRINTABLE.sub("", " ".join(text.split())).split())
    if len(line) <= longest:
        return line
    word_end = line.rfind(" ", 0, longest + 1)
    return line[: word_end if word_end > longest // 2 else longest] + "\N{HORIZONTAL ELLIPSIS}"


def thumbnail(pixels: np.ndarray) -> str:
    """Return an image as a data URI, averaged down until it is small.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, 3), uint8
        The image.

    Returns
    -------
    str
        At most ``LARGEST_IMAGE`` characters.
    """
    small = _averaged(pixels, -(-max(pixels.shape[:2]) // LONGEST_SIDE))
    uri = png_data_uri(small)
    while len(uri) > LARGEST_IMAGE and max(small.shape[:2]) > 1:
        small = _averaged(small, 2)
        uri = png_data_uri(small)
    return uri


def png_data_uri(pixels: np.ndarray) -> str:
    """Return an 8-bit image as a PNG data URI.

    Parameters
    ----------
    pixels : ndarray of shape (height, width) or (height, width, 3), uint8
        Grey or red, green, blue.

    Returns
    -------
    str
        Starts with ``data:image/png;base64,``.
    """
    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.tobytes() for line in np.ascontiguousarray(pixels))
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
        for kind, payload in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def _averaged(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Average blocks of `factor` times `factor` pixels; the last block of a side may be smaller."""
    if factor <= 1:
        return pixels
    sums = pixels.astype(np.float64)
    for axis in (0, 1):
        starts = np.arange(0, sums.shape[axis], factor)
        counts = np.diff(np.append(starts, sums.shape[axis]))
        shape = [1] * sums.ndim
        shape[axis] = -1
        sums = np.add.reduceat(sums, starts, axis=axis) / counts.reshape(shape)
    return np.asarray(np.rint(sums), dtype=np.uint8)


def _as_shown(found: Any, position: int) -> Shown:
    """Turn what a user's function returned into text or a picture."""
    where = f"row {position}" if position >= 0 else "a row that was not trained on"
    try:
        shown = _read(found)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"What render returned for {where} cannot be shown: {error}") from error
    if shown is None:
        raise InvalidParameterError(
            f"render returned {_described(found)} for {where}, which cannot be shown. Expected text, an image (array of shape "
            f"(h, w) or (h, w, 3), uint8 or floats from 0 to 1; PNG, JPEG, WebP or GIF bytes; a data URI) or "
            f"Shown(text=..., image=...)."
        )
    return shown


def _read(found: Any) -> Shown | None:
    """Return what is shown; None if it is neither text nor a picture."""
    if isinstance(found, Shown):
        return replace(found, text=snippet(found.text))
    if isinstance(found, str):
        return Shown(image=found) if found.startswith("data:image/") else Shown(text=snippet(found))
    if isinstance(found, bytes):
        kind = next((kind for kind, magic in _MAGIC.items() if magic.match(found)), None)
        return None if kind is None else Shown(image=f"data:image/{kind};base64,{base64.b64encode(found).decode()}")
    pixels = _pixels(found)
    return None if pixels is None else Shown(image=thumbnail(pixels))


def _pixels(found: Any) -> np.ndarray | None:
    """Return an image as uint8; None if it is none."""
    if not isinstance(found, np.ndarray) or not found.size:
        return None
    if found.ndim != 2 and (found.ndim != 3 or found.shape[2] != 3):
        return None
    if found.dtype == np.uint8:
        return found
    if found.dtype.kind == "f" and bool(((found >= -ROUND_OFF) & (found <= 1 + ROUND_OFF)).all()):
        return np.asarray(np.rint(255 * np.clip(found, 0, 1)), dtype=np.uint8)
    return None


def _described(found: Any) -> str:
    if isinstance(found, bytes):
        return f"{len(found):,} bytes that begin with {found[:8]!r}"
    if not isinstance(found, np.ndarray):
        return type(found).__name__
    values = f", values from {found.min():.4g} to {found.max():.4g}" if found.size and found.dtype.kind == "f" else ""
    return f"an array of shape {found.shape} and type {found.dtype}{values}"
