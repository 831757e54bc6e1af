"""Ids of rows: whole numbers or texts, unique, and found again in whatever form they are asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TypeGuard, cast

import numpy as np
import pandas as pd

from clusterexplain.data.containers.arrays import as_array
from clusterexplain.exceptions import InvalidDataError

_LONE = re.compile(r"[\ud800-\udfff]")
_LARGEST = 2**63


def id_text(one: object) -> str:
    r"""Return an id as text: levels of a MultiIndex joined by slashes, dates as pandas writes them, bytes decoded.

    Halves of characters are written out (``\udc80``): unlike a mark for all of them, that keeps ids apart.

    Examples
    --------
    >>> id_text(("donor 1", 7)), id_text(b"cell"), id_text(np.datetime64("2024-05-01"))
    ('donor 1/7', 'cell', '2024-05-01 00:00:00')
    """
    if isinstance(one, tuple):
        return "/".join(map(id_text, one))
    if isinstance(one, (bytes, np.bytes_)):
        return one.decode("utf-8", errors="backslashreplace")
    if isinstance(one, np.datetime64):
        one = pd.Timestamp(one)
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):x}", str(one))


def is_whole(one: object) -> TypeGuard[int | float]:
    """Return whether an id is a whole number, which an index may hold as a float."""
    if isinstance(one, (bool, np.bool_)):
        return False
    if isinstance(one, (float, np.floating)):
        return bool(np.isfinite(one)) and float(one).is_integer()
    return isinstance(one, (int, np.integer))


def unique_ids(ids: Iterable[object] | None, n: int) -> np.ndarray:
    """Return ids of `n` rows as int64, or as text if one of them is no whole number.

    Parameters
    ----------
    ids : sequence of length n, or None
        None counts the rows.
    n : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n,)
        Unique.

    Raises
    ------
    InvalidDataError
        If one is missing or occurs twice, or if there are more or fewer than rows.
    """
    if ids is None:
        return np.arange(n)
    wanted = listed_ids(ids)
    if len(wanted) != n:
        raise InvalidDataError(f"ids has {len(wanted)} entries, expected {n}: one for each row of X.")
    missing = [place for place, one in enumerate(wanted) if _is_missing(one)]
    if missing:
        raise InvalidDataError(
            f"ids has {len(missing)} missing entries, the first of them in row {missing[0]} (counted from 0). Expected one id "
            f"for each row; fill them in, or leave ids away to count the rows."
        )
    whole = [int(one) for one in wanted if is_whole(one) and -_LARGEST <= one < _LARGEST]
    result = np.array(whole, dtype=np.int64) if len(whole) == n else np.array([id_text(one) for one in wanted])
    duplicates = pd.Index(result)[pd.Index(result).duplicated()]
    if len(duplicates):
        raise InvalidDataError(
            f"{len(duplicates)} sample id(s) occur more than once, for example {duplicates.tolist()[0]!r}. Expected unique "
            f"ids; call reset_index(drop=True) on the DataFrame or pass ids=."
        )
    return result


def listed_ids(ids: Iterable[object]) -> list[object]:
    """Return ids of any container as a list of Python or numpy scalars, dates as pandas has them."""
    if isinstance(ids, (str, bytes)):
        raise InvalidDataError(f"ids is the text {ids!r}. Expected one id for each row of X, for example a list.")
    if isinstance(ids, (pd.Index, pd.Series)):
        return [*ids.to_numpy(dtype=object)]
    if isinstance(ids, (np.ma.MaskedArray, np.ndarray)) or type(ids).__module__.partition(".")[0] == "torch":
        array = ids if isinstance(ids, np.ndarray) and ids.dtype.kind == "M" else as_array(ids, "ids")
        return list(array)
    return list(ids)


def places_of(known: np.ndarray, wanted: Iterable[object]) -> np.ndarray:
    """Return where ids are among the known ones, -1 for those that are not.

    Parameters
    ----------
    known : ndarray of shape (n_samples,)
        From :func:`unique_ids`.
    wanted : iterable
        Ids as a user has them.

    Returns
    -------
    ndarray of shape (n_wanted,), int
        Row numbers.
    """
    if known.dtype.kind in "iu":
        asked: Sequence[object] = [int(one) if is_whole(one) else one for one in wanted]
    else:
        asked = [id_text(one) for one in wanted]
    return np.asarray(
        pd.Index(known).get_indexer(pd.Index(np.fromiter(asked, dtype=object, count=len(asked)))) if len(asked) else [],
        dtype=np.intp,
    )


def _is_missing(one: object) -> bool:
    return one is None or (
        pd.api.types.is_scalar(one) and not isinstance(one, (str, bytes)) and pd.isna(cast("float", one)) is True
    )
