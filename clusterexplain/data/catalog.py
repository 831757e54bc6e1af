"""Data sets that installed packages bring along, by name, without any download."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from clusterexplain.data.dataset import Dataset
from clusterexplain.exceptions import InvalidParameterError


@dataclass(frozen=True)
class _Named:
    description: str
    n_samples: int
    n_features: int
    source: str
    n_clusters: int
    load: Callable[[], Dataset]


def list_datasets() -> pd.DataFrame:
    """List the named data sets.

    Returns
    -------
    DataFrame
        One row for each, indexed by name: description, n_samples, n_features, n_clusters (the usual choice), source.
    """
    rows = {
        name: {
            "description": one.description,
            "n_samples": one.n_samples,
            "n_features": one.n_features,
            "n_clusters": one.n_clusters,
            "source": one.source,
        }
        for name, one in _REGISTRY.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def load_dataset(name: str) -> Dataset:
    """Load a named data set.

    Parameters
    ----------
    name : str
        One of ``list_datasets().index``.

    Returns
    -------
    Dataset
        With the true classes, where they exist, in ``metadata["target"]``; they are never trained on.

    Raises
    ------
    InvalidParameterError
        If the name is unknown.

    Examples
    --------
    >>> load_dataset("digits").X.shape
    (1797, 64)
    """
    if name not in _REGISTRY:
        raise InvalidParameterError(
            f"There is no data set named {name!r}. Expected one of {', '.join(_REGISTRY)}; `clusterexplain data` lists them."
        )
    return _REGISTRY[name].load()


def _digits() -> Dataset:
    from sklearn.datasets import load_digits

    bunch = load_digits()
    metadata = pd.DataFrame({"target": bunch.target})
    return Dataset(bunch.data, image_shape=(8, 8), metadata=metadata, name="digits")


def _table(name: str) -> Callable[[], Dataset]:
    def load() -> Dataset:
        from sklearn import datasets
        from sklearn.preprocessing import StandardScaler

        bunch = getattr(datasets, f"load_{name}")()
        return Dataset(
            StandardScaler().fit_transform(bunch.data),
            feature_names=[str(one) for one in bunch.feature_names],
            metadata=pd.DataFrame({"target": bunch.target_names[bunch.target]}),
            name=name,
        )

    return load


_REGISTRY = {
    "digits": _Named("handwritten digits, 8x8 grey-scale images", 1797, 64, "scikit-learn (UCI)", 10, _digits),
    "breast_cancer": _Named(
        "cell nuclei measurements, standardised", 569, 30, "scikit-learn (UCI)", 2, _table("breast_cancer")
    ),
    "wine": _Named("chemical analysis of wines, standardised", 178, 13, "scikit-learn (UCI)", 3, _table("wine")),
    "iris": _Named("iris flowers, standardised", 150, 4, "scikit-learn (UCI)", 3, _table("iris")),
}
