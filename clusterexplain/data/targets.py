"""Targets of a supervised or masked loss: numbers that a loss is given beside each row."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.data.containers.arrays import as_array
from clusterexplain.exceptions import InvalidDataError

EXACT_IN_FLOAT32 = 2**24
"""Whole numbers up to here are themselves in single precision, in which they travel with the rows."""


def checked_targets(targets: object, n_samples: int) -> np.ndarray:
    """Return targets as int64, bool or float64 numbers, one row for each row of X.

    Parameters
    ----------
    targets : array, tensor, Series or frame of n_samples rows
        In the order of the rows.
    n_samples : int
        Rows of X.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        Read-only.

    Raises
    ------
    InvalidDataError
        If they are no finite numbers, or not as many.
    """
    values = targets.to_numpy() if isinstance(targets, (pd.Series, pd.DataFrame)) else as_array(targets, "targets")
    if values.ndim == 0 or len(values) != n_samples:
        found = f"{len(values)} rows" if values.ndim else "a single value"
        raise InvalidDataError(f"targets has {found}, expected {n_samples}: one for each row of X.")
    if not values.size:
        raise InvalidDataError(
            f"targets has the shape {values.shape}, which holds no value. Expected a number or more for each row; leave "
            f"targets out if the loss takes none."
        )
    if values.dtype.kind not in "iubf":
        raise InvalidDataError(
            f"targets are of type {values.dtype}. Expected numbers; classes that are texts become numbers with "
            f"pandas.factorize(targets)[0]."
        )
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidDataError(
            f"targets has NaN or infinite values in {int((~np.isfinite(values.reshape(n_samples, -1))).any(axis=1).sum())} "
            f"rows. Expected finite numbers: give a mask beside the values (targets of shape (n_samples, 2, ...)), or leave "
            f"these rows out."
        )
    if values.dtype.kind in "iu" and np.abs(values.astype(np.float64)).max() > EXACT_IN_FLOAT32:
        raise InvalidDataError(
            f"targets has whole numbers beyond {EXACT_IN_FLOAT32}. Expected class numbers, or floating-point targets."
        )
    kinds = {"i": "int64", "u": "int64", "b": "bool", "f": "float64"}
    checked: np.ndarray = np.array(values, dtype=kinds[values.dtype.kind])
    checked.flags.writeable = False
    return checked
