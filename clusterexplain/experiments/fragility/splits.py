"""Data of the classifiers, split into what is trained on and what is asked about, scaled by the former."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.experiments.fragility.full_batch_training import Examples

WORST = 83
"""Row of Iris with the largest leave-one-out loss, by the code of the study that is reproduced."""
DIGITS_TRAINED, DIGITS_ASKED = 300, 60
DATA = ("iris", "digits")


@dataclass(frozen=True, eq=False)
class Split:
    """Training examples and queries.

    Attributes
    ----------
    train, queries : Examples
        In float32.
    rows, asked : ndarray of int
        Their row numbers in the data set.
    """

    train: Examples
    queries: Examples
    rows: np.ndarray
    asked: np.ndarray

    @property
    def n_inputs(self) -> int:
        """Features."""
        return self.train.inputs.shape[0]

    @property
    def n_classes(self) -> int:
        """Classes."""
        return self.train.targets.shape[0]


@cache
def split_of(data: str) -> Split:
    """Return the split of a data set by which factors are compared.

    Parameters
    ----------
    data : {"iris", "digits"}
        Iris: asked are the row with the largest loss, first, and three of each class; the others are trained on. Digits: 300
        rows are trained on, 60 others can be asked about.

    Returns
    -------
    Split
        The same at every call.
    """
    if data == "iris":
        return iris_without(stratified(3))
    if data == "digits":
        return _digits()
    raise InvalidParameterError(f"data={data!r} is unknown. Expected one of {', '.join(map(repr, DATA))}.")


def iris_without(asked: np.ndarray) -> Split:
    """Split Iris: the rows `asked` are held out; columns are standardised with the others."""
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    rows = np.setdiff1d(np.arange(len(X)), asked)
    return _split((X - X[rows].mean(axis=0)) / X[rows].std(axis=0), y, rows, asked)


def stratified(n_of_each: int) -> np.ndarray:
    """Return the worst row of Iris and others drawn from every class, half of them near another class.

    Parameters
    ----------
    n_of_each : int
        Drawn from each class.

    Returns
    -------
    ndarray of int
        Row numbers; the first is ``WORST``. Near another class is the third of a class that is nearest to a row of another
        class, compared with the nearest of its own.
    """
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    distances = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    same = y[:, None] == y[None]
    to_others = np.where(same, np.inf, distances).min(axis=1)
    ratio = to_others / (to_others + np.where(same, distances, np.inf).min(axis=1))
    rng, picked = np.random.default_rng(0), [np.array([WORST])]
    for label in np.unique(y):
        members = np.setdiff1d(np.flatnonzero(y == label), [WORST])
        members = members[np.argsort(ratio[members], kind="stable")]
        near, far = members[: len(members) // 3], members[len(members) // 3 :]
        n_near = n_of_each // 2
        picked += [rng.choice(near, n_near, replace=False), rng.choice(far, n_of_each - n_near, replace=False)]
    return np.concatenate(picked)


def _digits() -> Split:
    from sklearn.datasets import load_digits

    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    rows, asked = np.sort(order[:DIGITS_TRAINED]), np.sort(order[DIGITS_TRAINED : DIGITS_TRAINED + DIGITS_ASKED])
    return _split((X - X[rows].mean()) / X[rows].std(), y, rows, asked)


def _split(X: np.ndarray, y: np.ndarray, rows: np.ndarray, asked: np.ndarray) -> Split:
    inputs, classes, n_classes = torch.from_numpy(X).float(), torch.from_numpy(y).long(), len(np.unique(y))
    train, queries = (Examples.of(inputs[picked], classes[picked], n_classes) for picked in (rows, asked))
    return Split(train, queries, rows, asked)
