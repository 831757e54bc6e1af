"""Rows to be explained, with ids that stay the same from the first fit to the last report."""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterexplain.data import bookkeeping
from clusterexplain.data.containers.arrays import as_array
from clusterexplain.data.containers.frames import as_frame, as_table, column_name, is_default_index
from clusterexplain.data.display import Display
from clusterexplain.data.ids import id_text, listed_ids, places_of, unique_ids
from clusterexplain.data.joining import in_order, joined_rows, joined_table
from clusterexplain.data.targets import checked_targets
from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InvalidDataError, UnknownSampleError
from clusterexplain.execution.budget import DENSE_ROWS_BYTES

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    from clusterexplain.data.containers.foreign import CellData

    Rows: TypeAlias = "Dataset | pd.DataFrame | CellData | ArrayLike"
    """What a user may give as data."""

LOOKED_AT = 5000
"""Ids among which one that was probably meant is looked for."""
_LONE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""A finite float matrix whose rows have unique ids.

    Parameters
    ----------
    X : array-like or frame of shape (n_samples, n_features)
        The features, kept as float64: an array, a tensor, a sparse matrix (made dense), or a frame of pandas, polars or
        pyarrow, which brings feature names and, as its index, ids. Columns of a frame that only number the rows are left
        aside. Images may have the shape (n_samples, height, width, channels).
    ids : sequence of length n_samples, optional
        Unique ids; positions by default. Whole numbers are kept, all else becomes text (levels of a MultiIndex are joined by
        slashes); lone surrogates, which no file can hold, are written out (``\udc80``, six characters). Both forms find the
        row.
    feature_names : list of str, optional
        Column names, if there are any.
    image_shape : tuple of (height, width) or (height, width, channels), optional
        Given when a row is an image, so that reports can draw it.
    metadata : DataFrame or dict of n_samples rows, optional
        What is known about the rows but not trained on (batch, author, true label). It is joined by its index where it has one
        and X has one, too; an index that does not match is an error. Lists in cells become text. Lone surrogates in its texts,
        which no file can hold, become U+FFFD.
    text : str, optional
        The column of `metadata` that holds what each row is as text (a document, a sentence), so that reports can show it.
    name : str, optional
        Name of a data set that :func:`clusterexplain.data.load_dataset` knows.
    left_aside : dict of str to str, optional
        Columns that are not trained on, each with the reason; filled in for frames and files.
    use_rep : str, optional
        Which matrix of an AnnData the rows are; filled in for AnnData, so that the same is taken of new cells.
    pictures : bool, default=False
        Whether the rows are pixels of picture files, from 0 to 1; filled in.
    display : Display, optional
        A map of the rows and colours of their labels; filled in for AnnData.
    targets : array, tensor, Series or frame of n_samples rows, optional
        What the loss of a task of your own is given beside each row: class numbers, values, a mask. Joined as `metadata` is.
        They stay with their rows in every retraining and are stored in runs.

    Examples
    --------
    >>> import numpy as np
    >>> data = Dataset(np.eye(3), ids=np.array(["a", "b", "c"]))
    >>> data.positions(["c", "a"])
    array([2, 0])
    """

    X: np.ndarray
    ids: np.ndarray = None  # type: ignore[assignment]  # positions, filled in below
    feature_names: list[str] | None = None
    image_shape: tuple[int, ...] | None = None
    metadata: pd.DataFrame | None = None
    name: str | None = None
    text: str | None = None
    left_aside: Mapping[str, str] = field(default_factory=dict)
    use_rep: str | None = None
    pictures: bool = False
    display: Display = field(default_factory=Display)
    targets: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        parts = self._take_frame()
        index = None if parts is None else parts.index
        if _is_image_stack(self):
            _flatten_images(self)
        matrix = as_matrix(self.X)
        matrix.flags.writeable = False
        n, width = matrix.shape
        given = self.ids
        object.__setattr__(self, "X", matrix)
        object.__setattr__(self, "ids", unique_ids(index if given is None else given, n))
        if self.feature_names is not None:
            object.__setattr__(self, "feature_names", _checked_names(self.feature_names, width))
        if self.metadata is not None:
            table = as_table(self.metadata)
            known = index if given is None else _index_beside(given, table, index)
            object.__setattr__(self, "metadata", _writable(joined_table(table, self.ids, known, "metadata")))
        if parts is not None and parts.aside.shape[1]:
            object.__setattr__(self, "metadata", _beside(self.metadata, parts.aside))
        if self.targets is not None:
            object.__setattr__(self, "targets", self._taken_targets(index))
        _check_text(self.text, self.metadata)
        if self.image_shape is not None:
            object.__setattr__(self, "image_shape", _checked_shape(self.image_shape, width))
        if parts is not None:
            bookkeeping.say("X", parts)

    def _taken_targets(self, index: pd.Index | None) -> np.ndarray:
        """Return the targets in the order of the rows, joined by index where both sides have one."""
        given = self.targets
        if isinstance(given, (pd.Series, pd.DataFrame)) and (index is not None or not is_default_index(given.index)):
            known = index if index is not None else pd.Index(self.ids)
            given = given.iloc[joined_rows(given.index, self.ids, known, "targets")]
        return checked_targets(given, len(self))

    def __repr__(self) -> str:
        """Return what it holds on one line, and none of its numbers."""
        parts = [f"{self.X.shape[0]} rows, {self.X.shape[1]} columns"]
        if self.name is not None:
            parts.insert(0, repr(self.name))
        if self.image_shape is not None:
            parts.append(f"images of {' x '.join(map(str, self.image_shape))}")
        if self.metadata is not None:
            parts.append(
                f"metadata {', '.join(map(str, self.metadata.columns[:5]))}{', ...' * (self.metadata.shape[1] > 5)}"
            )
        if self.text is not None:
            parts.append(f"text in {self.text!r}")
        return f"Dataset({'; '.join(parts)})"

    def _take_frame(self) -> bookkeeping.Split | None:
        """Take names and numbers of a frame; return its parts."""
        frame = as_frame(self.X)
        if frame is None:
            return None
        if self.feature_names is not None:
            frame = frame.set_axis(_checked_names(self.feature_names, frame.shape[1]), axis=1)
        parts = bookkeeping.split(frame)
        object.__setattr__(self, "X", parts.features)
        object.__setattr__(self, "feature_names", parts.features.columns.tolist())
        object.__setattr__(self, "left_aside", {**self.left_aside, **parts.reasons})
        return parts

    @classmethod
    def of(cls, X: Rows, *, max_bytes: float = DENSE_ROWS_BYTES, **roles: object) -> Dataset:
        """Take rows from memory: an array, a frame (its index becomes the ids), an AnnData; a Dataset is returned unchanged.

        Parameters
        ----------
        X : Dataset, frame, AnnData, sparse matrix, tensor or array-like of shape (n_samples, n_features)
            The rows.
        max_bytes : float
            What a sparse matrix may take once it is dense.
        **roles : object
            For a frame or an AnnData, names of columns: ids, text, metadata, labels; for a frame embedding_column, for an
            AnnData use_rep and map (an ``obsm`` of two columns). None is not given.

        Returns
        -------
        Dataset
            With checked content.

        Raises
        ------
        InvalidDataError
            If X is something else, or has no such columns.
        """
        from clusterexplain.data.readers.objects import dataset_of

        return X if isinstance(X, Dataset) and not any(roles.values()) else dataset_of(X, max_bytes=max_bytes, **roles)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str], **options: object) -> Dataset:
        """Read a file: a table (.csv, .tsv, .parquet, .feather), an array (.npy, .npz) or single cells (.h5ad).

        Parameters
        ----------
        path : path-like
            The file; text may be compressed.
        **options : object
            Names of columns: ids, text, metadata, labels, embedding_column (for tables); table, the path of a table beside an
            array; use_rep (for .npz and .h5ad), map (for .h5ad).

        Returns
        -------
        Dataset
            With the ids, names and metadata of the file.

        Raises
        ------
        InvalidDataError
            If the file cannot be read; the message says why.
        """
        from clusterexplain.data.readers.registry import read

        return read(Path(path), **options)

    @classmethod
    def from_images(
        cls,
        folder: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        size: str | tuple[int, int] | None = None,
        mode: str | None = None,
        skip_bad: bool = False,
    ) -> Dataset:
        """Read a folder of PNG and JPEG pictures; see :func:`clusterexplain.data.readers.images.read_images`.

        Parameters
        ----------
        folder : path-like or iterable of path-like
            The folder, or the files.
        size : str or (width, height), optional
            What every picture is scaled to, for example "16x16".
        mode : {"L", "RGB"}, optional
            Grey or colour.
        skip_bad : bool, default=False
            Leave out what cannot be read instead of stopping.

        Returns
        -------
        Dataset
            Pixels from 0 to 1; ids are paths relative to the folder, folders are metadata.
        """
        from clusterexplain.data.readers.images import read_images

        return read_images(folder, size=size, mode=mode, skip_bad=skip_bad)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.X)

    def positions(self, ids: Iterable[object]) -> np.ndarray:
        """Return the row numbers of `ids`.

        Parameters
        ----------
        ids : sequence of int or str
            Sample ids.

        Returns
        -------
        ndarray of shape (n_ids,)
            Row numbers in X.

        Raises
        ------
        UnknownSampleError
            If an id does not exist.
        """
        texts = self.ids.dtype.kind not in "iu"
        wanted = [id_text(one) if texts or isinstance(one, str) else one for one in ids]
        found = places_of(self.ids, wanted)
        missing = [one for one, position in zip(wanted, found, strict=True) if position < 0]
        if missing:
            raise UnknownSampleError(
                f"There is no sample with id {missing[0]!r}{self._meant(missing[0])}. Expected one of the {len(self)} ids, "
                f"from {self.ids.tolist()[0]!r} in the first row to {self.ids.tolist()[-1]!r} in the last; ids count from 0 "
                f"unless the data brought their own."
            )
        return found

    def in_order(self, values: object, what: str) -> object:
        """Return what was given for each row in the order of the rows; see :func:`clusterexplain.data.joining.in_order`."""
        return in_order(values, self.ids, what)

    def has_id(self, one: object) -> bool:
        """Return whether a row has this id."""
        return bool(places_of(self.ids, [one])[0] >= 0)

    def _meant(self, wanted: object) -> str:
        """Name the id that was probably meant."""
        text = str(wanted).strip()
        if self.ids.dtype.kind in "iu":
            is_number = text.lstrip("-").isdigit() and int(text) in self.ids
            return f"; did you mean the number {int(text)}?" if is_number else ""
        close = difflib.get_close_matches(text.casefold(), [str(one).casefold() for one in self.ids[:LOOKED_AT]], 1)
        found = [str(one) for one in self.ids[:LOOKED_AT] if close and str(one).casefold() == close[0]]
        return f"; did you mean {found[0]!r}?" if found else ""

    def fingerprint(self) -> str:
        """Return a short hash of the ids and the values, which names the data a run belongs to.

        Returns
        -------
        str
            16 hexadecimal digits.
        """
        digest = hashlib.sha256(repr(self.X.shape).encode())
        digest.update(self.X.tobytes())
        digest.update("\x1f".join(str(one) for one in self.ids).encode())
        if self.targets is not None:
            digest.update(repr((self.targets.shape, self.targets.dtype.str)).encode() + self.targets.tobytes())
        return digest.hexdigest()[:16]


def _check_text(text: str | None, metadata: pd.DataFrame | None) -> None:
    if text is None:
        return
    known = [] if metadata is None else metadata.columns.tolist()
    if text not in known:
        names = ", ".join(known) or "none, as there is no metadata"
        raise InvalidDataError(
            f"text={text!r} is no column of metadata. Expected one of: {names}; it names the column that holds what each row "
            f"is as text. Pass that column in Dataset(metadata=...)."
        )


def _writable(metadata: pd.DataFrame) -> pd.DataFrame:
    """Replace halves of characters, which neither a run nor a page can hold."""

    def mend(value: str) -> str:
        return _LONE.sub("\N{REPLACEMENT CHARACTER}", value)

    for name in [name for name, dtype in metadata.dtypes.items() if pd.api.types.is_object_dtype(dtype)]:
        if any(isinstance(one, str) and _LONE.search(one) for one in metadata[name]):
            metadata[name] = [mend(one) if isinstance(one, str) else one for one in metadata[name]]
    return metadata


def _checked_names(names: Sequence[Any], width: int) -> list[str]:
    if len(names) != width:
        raise InvalidDataError(f"feature_names has {len(names)} entries, expected {width}: one for each column of X.")
    return [column_name(name) for name in names]


def _index_beside(ids: Iterable[object], table: pd.DataFrame, index: pd.Index | None) -> pd.Index | None:
    """Return what a table beside given ids is joined by; None or its own index if its rows are in their order."""
    own = pd.Index(ids.index) if isinstance(ids, pd.Series) else index
    if own is not None and table.index.equals(own):
        return own
    if is_default_index(table.index):
        return None
    joined: pd.Index = pd.Index(pd.Series(listed_ids(ids), dtype=object))
    return joined


def _beside(metadata: pd.DataFrame | None, aside: pd.DataFrame) -> pd.DataFrame:
    """Return metadata with the columns that were left aside, so that nothing is lost."""
    table = _writable(as_table(aside.reset_index(drop=True)))
    if metadata is None:
        return table
    return pd.concat([metadata, table[[name for name in table.columns if name not in metadata.columns]]], axis=1)


def _is_image_stack(data: Dataset) -> bool:
    rank = np.ndim(data.X) if hasattr(data.X, "ndim") else 0
    return rank == 4 or (rank == 3 and data.image_shape is not None)


def _flatten_images(data: Dataset) -> None:
    """Make rows of images of shape (n_samples, height, width, channels), and keep their shape."""
    pixels = as_array(data.X)
    shape = pixels.shape[1:]
    if len(shape) == 3 and shape[0] in (1, 3) and shape[2] not in (1, 3, 4):
        raise InvalidDataError(
            f"X has shape {pixels.shape}, which are images with the channels first. Expected (n_samples, height, width, "
            f"channels); move them with numpy.moveaxis(X, 1, -1), for a tensor X.permute(0, 2, 3, 1)."
        )
    object.__setattr__(data, "X", pixels.reshape(len(pixels), -1))
    if data.image_shape is None:
        object.__setattr__(data, "image_shape", shape[:2] if shape[2] == 1 else shape)


def _checked_shape(image_shape: Sequence[int], width: int) -> tuple[int, ...]:
    shape = tuple(int(side) for side in image_shape)
    if len(shape) not in (2, 3) or math.prod(shape) != width:
        raise InvalidDataError(
            f"image_shape {shape} does not fit: it must be (height, width) or (height, width, channels), whose product is the "
            f"number of columns, = {width} columns."
        )
    return shape
