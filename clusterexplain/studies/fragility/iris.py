"""Iris, split into what is trained on and what is asked about, scaled by the former."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from clusterexplain.studies.fragility.training import Examples

WORST = 83
"""Row with the largest leave-one-out loss, by the code of the study that is reproduced."""
N_CLASSES = 3


@dataclass(frozen=True, eq=False)
class Split:
    """Training examples and queries.

    Attributes
    ----------
    train, queries : Examples
        Standardised with means and deviations of the training rows.
    rows, asked : ndarray of int
        Their row numbers in the data set.
    """

    train: Examples
    queries: Examples
    rows: np.ndarray
    asked: np.ndarray


def held_out(asked: np.ndarray) -> Split:
    """Split Iris.

    Parameters
    ----------
    asked : ndarray of int
        Rows to ask about; the others are trained on.

    Returns
    -------
    Split
        In float32.
    """
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    rows = np.setdiff1d(np.arange(len(X)), asked)
    scaled = (X - X[rows].mean(axis=0)) / X[rows].std(axis=0)
    inputs, classes = torch.from_numpy(scaled).float(), torch.from_numpy(y).long()
    return Split(
        Examples.of(inputs[rows], classes[rows], N_CLASSES),
        Examples.of(inputs[asked], classes[asked], N_CLASSES),
        rows,
        np.asarray(asked),
    )


def stratified(n_of_each: int) -> np.ndarray:
    """Return the worst row and others drawn from every class, half of them near another class.

    Parameters
    ----------
    n_of_each : int
        Drawn from each class.

    Returns
    -------
    ndarray of int
        Row numbers; the first is ``WORST``. Near another class is the third of a class with the smallest ratio of distances
        to the nearest row of another class and of its own.
    """
    from sklearn.datasets import load_iris

    X, y = load_iris(return_X_y=True)
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    distances = np.linalg.norm(scaled[:, None] - scaled[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    same = y[:, None] == y[None]
    ratio = np.where(same, np.inf, distances).min(axis=1) / np.where(same, distances, np.inf).min(axis=1)
    rng, picked = np.random.default_rng(0), [np.array([WORST])]
    for one in range(N_CLASSES):
        members = np.setdiff1d(np.flatnonzero(y == one), [WORST])
        members = members[np.argsort(ratio[members])]
        near, far = members[: len(members) // 3], members[len(members) // 3 :]
        n_near = n_of_each // 2
        picked += [rng.choice(near, n_near, replace=False), rng.choice(far, n_of_each - n_near, replace=False)]
    return np.concatenate(picked)
