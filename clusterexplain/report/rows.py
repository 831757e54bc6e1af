"""How one row is shown: a thumbnail for an image, the most telling columns for a table row."""

from __future__ import annotations

import base64
import html
import struct
import zlib

import numpy as np

from clusterexplain.data import Dataset

SHOWN_COLUMNS = 3


def row_html(data: Dataset, row: np.ndarray, reference: np.ndarray) -> str:
    """Return HTML for one row.

    Parameters
    ----------
    data : Dataset
        Says whether rows are images, and what the columns are called.
    row : ndarray of shape (n_features,)
        The row.
    reference : ndarray of shape (n_features,)
        The queried row, from which a table row is told apart.

    Returns
    -------
    str
        An ``img`` with a data URI, or escaped text.
    """
    if data.image_shape is not None:
        low, high = data.X.min(), data.X.max()
        grey = (255 * np.clip((row - low) / max(high - low, np.finfo(float).tiny), 0, 1)).astype(np.uint8)
        return f'<img class="thumb" alt="" src="{png_data_uri(255 - grey.reshape(data.image_shape))}">'
    spread = data.X.std(axis=0)
    distance = np.abs(row - reference) / np.where(spread > 0, spread, 1)
    names = data.feature_names or [f"column {number}" for number in range(len(row))]
    telling = np.argsort(-distance, kind="stable")[:SHOWN_COLUMNS]
    return "<br>".join(f"{html.escape(names[number])} = {row[number]:.4g}" for number in telling)


def png_data_uri(grey: np.ndarray) -> str:
    """Return an 8-bit grey-scale image as a PNG data URI.

    Parameters
    ----------
    grey : ndarray of shape (height, width), uint8
        The image.

    Returns
    -------
    str
        Starts with ``data:image/png;base64,``.
    """
    height, width = grey.shape
    lines = b"".join(b"\0" + line.tobytes() for line in grey)
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(lines, 9)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
        for kind, payload in chunks
    )
    return "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()
