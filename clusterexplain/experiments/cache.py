"""Parts of an experiment that are kept as soon as they are computed, so that an interrupted one goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from clusterexplain.storage import write_atomically

FOLDER = "pieces"


class ResultCache:
    """Tables in a folder, one file for each part of an experiment.

    A file is named by all that its content depends on: the name of the part, its settings, and the version of the code that
    makes it. It is written under another name first, so a killed process leaves no half file; one that cannot be read is
    computed again.

    Parameters
    ----------
    out : Path or None
        Folder of the experiment; None keeps nothing.
    version : str
        Changed whenever the code of the experiment changes its numbers.

    Examples
    --------
    >>> Pieces(None, version="1").frame("squares", {"n": 2}, lambda: pd.DataFrame({"square": [0, 1]}))["square"].tolist()
    [0, 1]
    """

    def __init__(self, out: Path | None, *, version: str) -> None:
        self._folder = None if out is None else Path(out) / FOLDER
        self._version = version

    def frame(self, name: str, settings: Mapping[str, Any], compute: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """Return the table of a part, computed at most once.

        Parameters
        ----------
        name : str
            What the part is called.
        settings : mapping of str to JSON-compatible values
            All that the part depends on.
        compute : callable
            Makes the table; must depend on nothing but the settings.

        Returns
        -------
        DataFrame
            The same values whether they were kept or not: what was computed is returned as it was read back.
        """
        if self._folder is None:
            return _read(_parquet(compute()))
        file = self._folder / self._name(name, settings)
        kept = _kept(file)
        if kept is not None:
            return kept
        content = _parquet(compute())
        self._folder.mkdir(parents=True, exist_ok=True)
        write_atomically(file, content)
        return _read(content)

    def _name(self, name: str, settings: Mapping[str, Any]) -> str:
        text = json.dumps([self._version, name, dict(settings)], sort_keys=True)
        readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
        return f"{readable}-{hashlib.sha256(text.encode()).hexdigest()[:16]}.parquet"


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()


def _read(content: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(content))


def _kept(file: Path) -> pd.DataFrame | None:
    import pyarrow

    try:
        return _read(file.read_bytes())
    except (OSError, ValueError, pyarrow.ArrowException):
        return None
