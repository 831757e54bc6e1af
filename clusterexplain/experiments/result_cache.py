"""Parts of an experiment that are kept as soon as they are computed, so that an interrupted one resumes."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.storage import ArrayCache

FOLDER = "cache"


class ResultCache:
    """Tables in a folder, one file for each part of an experiment; see :class:`.storage.cache.ArrayCache`.

    A file is named by all that its content depends on: the name of the part, its settings, and the version of the code that
    makes it.

    Parameters
    ----------
    out : Path or None
        Folder of the experiment; None keeps nothing.
    version : str
        Changed whenever the code of the experiment changes its numbers.

    Raises
    ------
    InvalidParameterError
        If `out` is a file.

    Examples
    --------
    >>> cache = ResultCache(None, version="1")
    >>> cache.frame("squares", {"n": 2}, lambda: pd.DataFrame({"square": [0, 1]}))["square"].tolist()
    [0, 1]
    """

    def __init__(self, out: Path | None, *, version: str) -> None:
        if out is not None:
            refuse_file(Path(out))
        self._cache = ArrayCache(None if out is None else Path(out), FOLDER)
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
        file = self._cache.name(name, version=self._version, settings=json.dumps(dict(settings), sort_keys=True))
        kept = self._cache.read(file)
        if kept is None:
            kept = np.frombuffer(_parquet(compute()), dtype=np.uint8)
            self._cache.write(file, kept)
        return pd.read_parquet(io.BytesIO(kept.tobytes()))


def refuse_file(out: Path) -> None:
    """Refuse a file where the folder of an experiment should be, before anything is computed for it."""
    if out.exists() and not out.is_dir():
        raise InvalidParameterError(
            f"{out} is a file. Expected a folder for the tables of an experiment; name another one."
        )


def _parquet(frame: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    frame.to_parquet(stream, index=False)
    return stream.getvalue()
