"""A user's own way to find given labels anew: a function of embeddings and weights, or an estimator that is fitted again."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeGuard

import numpy as np
import pandas as pd
from sklearn.base import clone

from clusterexplain.clustering.base import ClusterInputs
from clusterexplain.exceptions import InvalidClusteringError, InvalidParameterError
from clusterexplain.statistics.matching import NOISE, NOISE_NAMES

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

FORMS = (
    "Expected a function (Z, sample_weight) -> labels, one label for each row of Z, or a clusterer of scikit-learn's kind that "
    "is not fitted, for example AgglomerativeClustering(n_clusters=5)"
)


class ReclusteringEstimator(Protocol):
    """A clusterer of scikit-learn's kind; it is cloned, so that it stays as it is."""

    def fit(self, X: ArrayLike, y: None = None) -> object:
        """Fit it."""
        ...

    def fit_predict(self, X: ArrayLike, y: None = None) -> ArrayLike:
        """Return one label for each row, -1 for noise."""
        ...


ReclusteringFunction = Callable[[np.ndarray, np.ndarray], "ArrayLike"]
"""``(Z, sample_weight) -> labels``: rows of positive weight alone, of shape (n, dim) and (n,), both float64."""


@dataclass(frozen=True, eq=False)
class Reclusterer:
    """How given labels are found anew.

    Parameters
    ----------
    function : callable
        A :data:`ReclusteringFunction`.
    name : str
        What it is called in messages and in a saved run.
    takes_weights : bool, default=True
        Whether weights may differ between rows; False for an estimator without ``sample_weight``.
    """

    function: ReclusteringFunction
    name: str
    takes_weights: bool = True

    @classmethod
    def of(cls, given: ReclusteringFunction | ReclusteringEstimator) -> Reclusterer:
        """Take a function or an estimator.

        Parameters
        ----------
        given : callable or estimator
            What was given as ``reclusterer=``.

        Returns
        -------
        Reclusterer
            Of an estimator, a clone is fitted each time.

        Raises
        ------
        InvalidParameterError
            If it is neither, or a function that does not take two arguments.
        """
        if isinstance(given, type):
            raise InvalidParameterError(f"reclusterer={given.__name__} is a class. {FORMS}.")
        if is_estimator(given):
            takes = "sample_weight" in inspect.signature(given.fit).parameters
            function = functools.partial(_weighted if takes else _unweighted, given)
            return cls(function, type(given).__name__, takes)
        if not callable(given):
            raise InvalidParameterError(f"reclusterer is a {type(given).__name__}. {FORMS}.")
        name = getattr(given, "__name__", type(given).__name__)
        if not _takes_two(given):
            raise InvalidParameterError(
                f"reclusterer={name} cannot be called with two arguments, the rows and their weights. {FORMS}."
            )
        return cls(given, name)

    def labels(self, inputs: ClusterInputs) -> np.ndarray:
        """Cluster the rows of positive weight.

        Parameters
        ----------
        inputs : ClusterInputs
            Embeddings and weights.

        Returns
        -------
        ndarray of shape (n_samples,), int64
            Clusters in numbers of their own, from 0; -1 is noise, and every row of weight 0.

        Raises
        ------
        InvalidParameterError
            If weights differ and the estimator takes none.
        InvalidClusteringError
            If it raises an error, or what is returned is not one label for each row.
        """
        weights = inputs.weights.detach().numpy()
        present = np.flatnonzero(weights > 0)
        labels = np.full(len(weights), NOISE)
        if not len(present):
            return labels
        self.check_weights(weights)
        labels[present] = self._codes(
            self._called(inputs.embedding.detach().numpy()[present], weights[present].copy()), len(present)
        )
        return labels

    def check_weights(self, weights: np.ndarray) -> None:
        """Refuse weights of shape (n_samples,) that are neither 0 nor equal, where the estimator takes none."""
        shares = weights[weights > 0]
        if not self.takes_weights and (shares != shares[:1]).any():
            raise InvalidParameterError(self.unequal("The sample weights differ"))

    def _called(self, rows: np.ndarray, weights: np.ndarray) -> ArrayLike:
        """Return what the function returns; its error is said to be its own."""
        n = len(rows)
        try:
            return self.function(rows, weights)
        except Exception as error:
            raise InvalidClusteringError(
                f"reclusterer={self.name} raised {type(error).__name__} for {n} rows of positive weight: {error}. Expected "
                f"one label for each row of Z, shape ({n},), -1 for noise, also where rows were removed."
            ) from error

    def unequal(self, what: str) -> str:
        """Say that an estimator knows no weights, after the sentence that says where they differ."""
        return (
            f"{what}, but {self.name}.fit takes no sample_weight. Expected weights that are 0 or equal, or a function that "
            f"says what a weight does: reclusterer=lambda Z, sample_weight: {self.name}(...).fit_predict(Z) lets every "
            f"positive weight count as presence."
        )

    def _codes(self, found: ArrayLike, n: int) -> np.ndarray:
        """Return labels as whole numbers from 0 in their order, -1 for noise."""
        labels = np.asarray(found)
        if labels.shape != (n,):
            raise InvalidClusteringError(
                f"reclusterer={self.name} returned labels of shape {labels.shape} for {n} rows of positive weight. Expected "
                f"one label for each row of Z, shape ({n},), -1 for noise."
            )
        column = pd.Series(labels)
        if column.isna().any() or (labels.dtype.kind == "f" and (labels % 1 != 0).any()):
            raise InvalidClusteringError(
                f"reclusterer={self.name} returned labels that are missing or not whole, {labels.dtype}. Expected whole "
                f"numbers or texts, -1 for noise."
            )
        noise = (
            column.astype(str).str.strip().str.casefold().isin(NOISE_NAMES)
            if labels.dtype.kind in "OUS"
            else column < 0
        )
        codes = np.full(n, NOISE)
        clustered = ~noise.to_numpy(dtype=bool)
        codes[clustered] = pd.factorize(
            column[clustered].astype(str) if labels.dtype.kind in "OUS" else column[clustered]
        )[0]
        return codes


def is_estimator(given: object) -> TypeGuard[ReclusteringEstimator]:
    """Return whether something clusters as scikit-learn's clusterers do."""
    return callable(getattr(given, "fit", None)) and callable(getattr(given, "fit_predict", None))


def _takes_two(function: Callable[..., object]) -> bool:
    """Return whether a function can be called with two arguments; True if its signature is not known."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # compiled code
        return True
    try:
        signature.bind(None, None)
    except TypeError:
        return False
    return True


def _weighted(estimator: ReclusteringEstimator, rows: np.ndarray, weights: np.ndarray) -> ArrayLike:
    labels: ArrayLike = clone(estimator).fit_predict(rows, sample_weight=weights)
    return labels


def _unweighted(estimator: ReclusteringEstimator, rows: np.ndarray, weights: np.ndarray) -> ArrayLike:
    labels: ArrayLike = clone(estimator).fit_predict(rows)
    return labels
