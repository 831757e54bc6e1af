"""One cache on disk for arrays that take long to compute, addressed by all that they depend on."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import zipfile
from pathlib import Path

import numpy as np

from clusterexplain.storage.atomic import write_in_run

logger = logging.getLogger(__name__)

_DIGEST_LENGTH = 64
"""Hexadecimal digits of the checksum that each file begins with."""
_KEY_LENGTH = 32


class ArrayCache:
    """Arrays in a folder, one file for each.

    A file is named by a hash of all that its content depends on, begins with a checksum and is opened without pickle. It is
    written under another name first, so a killed process leaves no half file. What is damaged counts as missing. A computation
    that cannot keep its results continues without: that is logged, not raised.

    Parameters
    ----------
    root : Path or None
        A run directory or another folder; None keeps nothing.
    folder : str
        Name of the cache's folder inside of `root`.
    max_bytes : float, default=inf
        Bytes on disk beyond which nothing more is kept.

    Examples
    --------
    >>> cache = ArrayCache(None, "squares")
    >>> name = cache.name("squares", n="3")
    >>> cache.write(name, np.arange(3) ** 2)
    >>> cache.read(name) is None
    True
    """

    def __init__(self, root: Path | None, folder: str, *, max_bytes: float = float("inf")) -> None:
        self._root, self._folder, self._max_bytes = root, folder, max_bytes

    @staticmethod
    def name(label: str, **parts: str | bytes) -> str:
        """Return the name of the file whose content depends on `parts`.

        Parameters
        ----------
        label : str
            What the content is, for people: the name begins with it.
        **parts : str or bytes
            All that the content depends on, `label` included by itself.

        Returns
        -------
        str
            The same for the same parts, in any order.
        """
        digest = hashlib.sha256()
        for part, value in sorted({**parts, "": label}.items()):
            for content in (part.encode(), value.encode() if isinstance(value, str) else value):
                digest.update(
                    len(content).to_bytes(8, "big") + content
                )  # lengths: no two lists of parts run together alike
        readable = re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")
        return f"{readable}-{digest.hexdigest()[:_KEY_LENGTH]}.npy"

    def read(self, name: str) -> np.ndarray | None:
        """Return the array of a file, or None if it is missing or damaged.

        Parameters
        ----------
        name : str
            From :meth:`name`.

        Returns
        -------
        ndarray or None
            What :meth:`write` kept, to the bit.
        """
        if self._root is None:
            return None
        file = self._root / self._folder / name
        try:
            content = file.read_bytes() if file.is_file() else b""
            if hashlib.sha256(content[_DIGEST_LENGTH:]).hexdigest().encode() != content[:_DIGEST_LENGTH]:
                return None
            array = np.load(io.BytesIO(content[_DIGEST_LENGTH:]), allow_pickle=False)
        except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile):
            return None
        return array if isinstance(array, np.ndarray) else None

    def write(self, name: str, array: np.ndarray) -> None:
        """Keep an array if there is room.

        Parameters
        ----------
        name : str
            From :meth:`name`.
        array : ndarray
            Numbers or fixed-width text, never objects.
        """
        if self._root is None:
            return
        stream = io.BytesIO()
        np.save(stream, array, allow_pickle=False)
        content = stream.getvalue()
        try:
            self._root.mkdir(parents=True, exist_ok=True)
            kept = sum(file.lstat().st_size for file in (self._root / self._folder).glob("*.npy"))
            if kept <= self._max_bytes:
                write_in_run(
                    self._root, f"{self._folder}/{name}", hashlib.sha256(content).hexdigest().encode() + content
                )
        except OSError as error:
            logger.warning("%s could not be kept in %s: %s", name, self._root / self._folder, error)
