"""Pictures of rows: small PNGs as data URIs, written without an image library."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np

LONGEST_SIDE = 64
"""Pixels of the longer side of a thumbnail; larger images are averaged down."""
LARGEST_IMAGE = 3_000
"""Characters of a data URI that is made here."""
ROUND_OFF = 1e-6
"""How far the floats of an image may be beyond 0 and 1, as they are after resizing in float32."""


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


def as_pixels(value: object) -> np.ndarray | None:
    """Return what may be an image as pixels.

    Parameters
    ----------
    value : object
        Anything.

    Returns
    -------
    ndarray of shape (height, width) or (height, width, 3), uint8, or None
        None if it is no image: an array of uint8, or of floats from 0 to 1.
    """
    if not isinstance(value, np.ndarray) or not value.size:
        return None
    if value.ndim != 2 and (value.ndim != 3 or value.shape[2] != 3):
        return None
    if value.dtype == np.uint8:
        return value
    if value.dtype.kind == "f" and bool(((value >= -ROUND_OFF) & (value <= 1 + ROUND_OFF)).all()):
        return np.asarray(np.rint(255 * np.clip(value, 0, 1)), dtype=np.uint8)
    return None
