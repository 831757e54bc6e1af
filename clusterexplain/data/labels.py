"""Labels as people have them (a column, a Series joined by its index, texts with their names) as whole numbers."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from clusterexplain.data.containers.arrays import as_array
from clusterexplain.data.containers.foreign import is_anndata, listed_column
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.joining import PLAIN, in_order, joined_rows
from clusterexplain.data.targets import checked_targets
from clusterexplain.exceptions import InputWarning, InvalidDataError, InvalidParameterError, warn
from clusterexplain.statistics.matching import NOISE_NAMES

_WHOLE = re.compile(r"-?\d+(\.0+)?")


@dataclasses.dataclass(frozen=True, eq=False)
class Labels:
    """The cluster of each row.

    Attributes
    ----------
    values : ndarray of shape (n_samples,)
        Numbers; what is wrong with them is said by the clusterer that takes them.
    names : dict of int to str
        What the clusters are called; empty where labels are numbers.
    """

    values: np.ndarray
    names: dict[int, str]


def labels_of(given: object, data: Dataset) -> Labels:
    """Return labels as numbers in the order of the data.

    Parameters
    ----------
    given : str, Series, mapping or array-like of shape (n_samples,)
        A metadata column of the data, labels by id (those of an array are its positions), or one label for each row in order.
    data : Dataset
        The rows.

    Returns
    -------
    Labels
        Texts and categories are numbered in their order, and kept as names; "noise" is -1.

    Raises
    ------
    InvalidDataError
        If an index does not match, or a label is missing.
    InvalidParameterError
        If there is no such column.
    """
    if isinstance(given, str):
        return _numbered(_column(given, data))
    if isinstance(given, Mapping):
        given = pd.Series(dict(given))
    if isinstance(given, pd.DataFrame) and given.shape[1] == 1:
        given = given.iloc[:, 0]
    if isinstance(given, pd.Series):
        return _numbered(given.iloc[joined_rows(given.index, data.ids, pd.Index(data.ids), "labels")])
    if isinstance(given, (pd.Categorical, pd.Index)):
        return _numbered(pd.Series(given))
    listed = listed_column(given)
    if listed is not None:
        return _numbered(pd.Series(listed))
    values = as_array(given, "labels")
    return Labels(values, {}) if values.ndim != 1 or values.dtype.kind in "iub" else _numbered(pd.Series(values))


def is_label_list(given: object) -> bool:
    """Return whether something is labels, and not an estimator, a clusterer or a function that clusters."""
    return not (isinstance(given, str) or callable(given) or hasattr(given, "fit") or hasattr(given, "labels"))


def has_index(X: object) -> bool:
    """Return whether rows have ids by which what is known about them is joined; those of an array have only numbers."""
    return isinstance(X, (Dataset, pd.DataFrame)) or is_anndata(X)


def joined_weights(weights: ArrayLike | None, X: object, data: Dataset) -> object:
    """Return sample weights in the order of the data; see :func:`~clusterexplain.data.joining.in_order`."""
    return in_order(weights, data.ids, "sample_weight", has_index=has_index(X))


def joined_targets(targets: object, data: Dataset) -> np.ndarray:
    """Return targets in the order of the data; a Series or frame is joined by its index, for an array by row numbers.

    Parameters
    ----------
    targets : array, tensor, Series or frame of n_samples rows
        Numbers: class numbers, values, or a mask for each column.
    data : Dataset
        The rows.

    Returns
    -------
    ndarray of shape (n_samples, ...)
        See :func:`~clusterexplain.data.targets.checked_targets`.

    Raises
    ------
    InvalidDataError
        If they are no numbers, or no target belongs to a row.
    """
    if isinstance(targets, (pd.Series, pd.DataFrame)):
        targets = targets.iloc[joined_rows(targets.index, data.ids, pd.Index(data.ids), "targets", PLAIN)]
    return checked_targets(targets, len(data))


def without_label_columns(data: Dataset, labels: np.ndarray) -> Dataset:
    """Return data without the columns that are the labels under other numbers, which would explain nothing but themselves.

    Parameters
    ----------
    data : Dataset
        The rows.
    labels : ndarray of shape (n_samples,)
        Whole numbers.

    Returns
    -------
    Dataset
        Such columns are among its metadata; those of an array without names stay, and are warned about.
    """
    equal = _label_columns(data.X, labels)
    if not len(equal) or len(equal) == data.X.shape[1]:
        return data
    names = data.feature_names
    if names is None:
        warn(
            f"X is trained on columns that are equal to the labels: {', '.join(map(str, equal[:5]))} (counted from 0). "
            f"Expected features; leave these columns out, or the answers say little more than the labels.",
            InputWarning,
        )
        return data
    taken = [names[column] for column in equal]
    warn(
        f"X has columns that are equal to the labels, left aside and not trained on: {', '.join(map(repr, taken[:5]))}. They "
        f"are kept as metadata.",
        InputWarning,
    )
    beside = pd.DataFrame({name: data.X[:, column] for name, column in zip(taken, equal, strict=True)})
    known = data.metadata
    return dataclasses.replace(
        data,
        X=np.delete(data.X, equal, axis=1),
        feature_names=[name for name in names if name not in taken],
        metadata=beside if known is None else known.assign(**{name: beside[name] for name in taken}),
        left_aside={**data.left_aside, **dict.fromkeys(taken, "it is equal to the labels")},
    )


def _label_columns(X: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the columns that have one value for each label, and another one for each other label."""
    kinds, first, codes = np.unique(labels, return_index=True, return_inverse=True)
    if not 2 <= len(kinds) <= len(labels) / 2:
        return np.empty(0, dtype=np.intp)
    typical = X[first]
    candidates = [
        column
        for column in range(X.shape[1])
        if len(np.unique(typical[:, column])) == len(kinds) and np.array_equal(X[:, column], typical[codes, column])
    ]
    return np.array(candidates, dtype=np.intp)


def _column(name: str, data: Dataset) -> pd.Series:
    known = [] if data.metadata is None else data.metadata.columns.tolist()
    if data.metadata is None or name not in known:
        raise InvalidParameterError(
            f"labels={name!r} is no column of the metadata. Expected one of: {', '.join(known) or 'none, as there are none'}; "
            f"or one label for each row of X."
        )
    return data.metadata[name]


def _numbered(column: pd.Series) -> Labels:
    """Return texts and categories as numbers with names; numbers, also those written as text, stay what they are."""
    missing = np.flatnonzero(column.isna())
    if len(missing):
        raise InvalidDataError(
            f"{len(missing)} of {len(column)} labels are missing, the first of them in row {missing[0]} (counted from 0). "
            f"Expected a label for each row, -1 or 'noise' for noise; fill them in, or leave these rows out."
        )
    values = column.astype(object).tolist()
    if not any(isinstance(one, str) for one in values):
        return Labels(np.asarray(values), {})
    texts = [str(one).strip() for one in values]
    if all(_WHOLE.fullmatch(one) for one in texts):
        return Labels(np.array([int(float(one)) for one in texts]), {})
    order = (
        [str(one).strip() for one in column.cat.categories]
        if isinstance(column.dtype, pd.CategoricalDtype)
        else sorted(texts)
    )
    used = set(texts)
    names = [one for one in dict.fromkeys(order) if one in used and one.casefold() not in NOISE_NAMES]
    numbers = {name: number for number, name in enumerate(names)}
    return Labels(np.array([numbers.get(one, -1) for one in texts]), dict(enumerate(names)))
