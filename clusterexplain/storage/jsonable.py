"""What every result becomes before it is written as JSON.

It stands here, and not in :mod:`clusterexplain.results`, because files and results both need it and storage knows no result.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

import numpy as np
import pandas as pd

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What ``json.loads`` returns and ``json.dumps`` takes."""


def to_jsonable(value: object) -> Json:
    """Return a value as data that ``json.dumps(..., allow_nan=False)`` takes.

    Parameters
    ----------
    value : object
        Numbers, text, None, and dicts, lists, tuples, arrays, frames, enums and dataclasses of them. Of a data frame the rows
        become dicts.

    Returns
    -------
    None, bool, int, float, str, list or dict
        Numbers that JSON cannot write (NaN and the infinities) and missing values are None; keys are text. Anything else,
        such as a date, is text.

    Examples
    --------
    >>> to_jsonable({"score": np.float32(0.5), "p": (np.nan, 1), 2: np.arange(2)})
    {'score': 0.5, 'p': [None, 1], '2': [0, 1]}
    """
    if isinstance(value, Enum):
        return to_jsonable(value.value)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): to_jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonable(entry) for entry in value]
    if isinstance(value, pd.DataFrame):
        return to_jsonable(value.to_dict("records"))
    if isinstance(value, (np.ndarray, pd.Series, pd.Index)):
        return to_jsonable(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return _from_scalar(value)


def _from_scalar(value: object) -> Json:
    if value is pd.NA or value is pd.NaT or (isinstance(value, (np.datetime64, np.timedelta64)) and np.isnat(value)):
        return None
    if isinstance(value, np.generic) and not isinstance(value, (np.datetime64, np.timedelta64)):
        return to_jsonable(value.item())
    return str(value)
