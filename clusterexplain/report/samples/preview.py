"""What a row looks like: text or a small picture, made here or by the user's own function."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.report.samples.thumbnails import as_pixels, thumbnail
from clusterexplain.results.text.names import snippet

LONGEST_NAME = 80
"""Characters of a text that are shown."""
LARGEST_GIVEN = 16_000
"""Bytes of a picture that a user's function returns; it cannot be made smaller without an image library."""

Renderer = Callable[[np.ndarray, int], Any]
"""``render(row, position)``: the row as the user gave it, shape (n_features,), and its number in the training data, -1 if it
was not trained on. May return text, an image (array of shape (h, w) or (h, w, 3), uint8 or floats in [0, 1]; PNG, JPEG, WebP or
GIF bytes; a data URI), or a :class:`SamplePreview`."""

_DATA_URI = re.compile(r"data:image/(png|jpeg|webp|gif);base64,([A-Za-z0-9+/]+)={0,2}")
_MAGIC = {
    "png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "jpeg": re.compile(rb"\xff\xd8\xff"),
    "gif": re.compile(rb"GIF8[79]a"),
    "webp": re.compile(rb"RIFF.{4}WEBP", re.DOTALL),
}


@dataclass(frozen=True)
class SamplePreview:
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
                f"SamplePreview got text of type {type(self.text).__name__} and image of type "
                f"{type(self.image).__name__}. Expected str for both, for example SamplePreview(text='a label'); return an "
                f"array of pixels as it is."
            )
        if not self.image:
            return
        picture = _DATA_URI.fullmatch(self.image)
        if picture is None:
            raise InvalidParameterError(
                f"image={self.image[:40]!r}... is no picture that a page can hold. Expected a data URI "
                f"'data:image/png;base64,...' (or jpeg, webp, gif), or return an array of pixels."
            )
        size = len(picture[2]) * 3 // 4
        if size > LARGEST_GIVEN:
            raise InvalidParameterError(
                f"image has {size:,} bytes, more than {LARGEST_GIVEN:,}: a page with thousands of rows would be too large to "
                f"open. Expected a smaller picture; an array of pixels is made smaller here."
            )


def preview_of(returned: object, position: int) -> SamplePreview:
    """Turn what a user's function returned into text or a picture.

    Parameters
    ----------
    returned : object
        Text, an image, or a preview.
    position : int
        Number of the row in the training data, -1 for a new row.

    Returns
    -------
    SamplePreview
        With text and pictures of bounded size.

    Raises
    ------
    InvalidParameterError
        If it cannot be shown.
    """
    where = f"row {position}" if position >= 0 else "a row that was not trained on"
    try:
        preview = _read(returned)
    except InvalidParameterError as error:
        raise InvalidParameterError(f"What render returned for {where} cannot be shown: {error}") from error
    if preview is None:
        raise InvalidParameterError(
            f"render returned {_described(returned)} for {where}, which cannot be shown. Expected text, an image (array of "
            f"shape (h, w) or (h, w, 3), uint8 or floats from 0 to 1; PNG, JPEG, WebP or GIF bytes; a data URI) or "
            f"SamplePreview(text=..., image=...)."
        )
    return preview


def _read(returned: object) -> SamplePreview | None:
    """Return the preview; None if it is neither text nor a picture."""
    if isinstance(returned, SamplePreview):
        return replace(returned, text=snippet(returned.text))
    if isinstance(returned, str):
        return (
            SamplePreview(image=returned)
            if returned.startswith("data:image/")
            else SamplePreview(text=snippet(returned))
        )
    if isinstance(returned, bytes):
        kind = next((kind for kind, magic in _MAGIC.items() if magic.match(returned)), None)
        return (
            None
            if kind is None
            else SamplePreview(image=f"data:image/{kind};base64,{base64.b64encode(returned).decode()}")
        )
    pixels = as_pixels(returned)
    return None if pixels is None else SamplePreview(image=thumbnail(pixels))


def _described(returned: object) -> str:
    if isinstance(returned, bytes):
        return f"{len(returned):,} bytes that begin with {returned[:8]!r}"
    if not isinstance(returned, np.ndarray):
        return type(returned).__name__
    values = (
        f", values from {returned.min():.4g} to {returned.max():.4g}"
        if returned.size and returned.dtype.kind == "f"
        else ""
    )
    return f"an array of shape {returned.shape} and type {returned.dtype}{values}"
