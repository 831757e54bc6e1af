"""Random configurations over pairs of model and clusterer: influence against central differences of refits.

Whatever is configured, an answer is either the derivative of what a refit gives, or a refusal in the package's own words.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.exceptions import ClusterExplainError, ClusterExplainWarning
from clusterexplain.fitting.config import OF_TRAINING
from clusterexplain.models import MODELS
from clusterexplain.models.registry import CLOSED_FORM, OF_COUNTS
from clusterexplain.results.explanation import Explanation

PAIRS = [(model, clusterer) for model in MODELS for clusterer in CLUSTERERS if clusterer != "dec" or model == "dec"]
STEPS = (1e-3, 1e-4, 1e-5)
RTOL = 1e-4
"""Of the best of the steps: clusters near a bifurcation bend within the largest, rounding is felt in the smallest."""
UNUSED = dict.fromkeys(CLOSED_FORM, OF_TRAINING) | {"precomputed": (*OF_TRAINING, "latent_dim", "scaling")}
UNUSED |= dict.fromkeys(OF_COUNTS, ("scaling",))
"""Parameters that a model refuses."""


def configuration(model: str, clusterer: str, seed: int) -> tuple[Dataset, dict[str, Any], np.ndarray]:
    """Draw data, parameters and data weights."""
    rng = np.random.default_rng(seed)
    n, groups = int(rng.integers(18, 40)), int(rng.integers(2, 5))
    X = (
        rng.normal(size=(n, 16))
        + rng.choice([1.0, 4.0, 20.0]) * rng.normal(size=(groups, 16))[rng.integers(0, groups, n)]
    )
    if rng.random() < 0.3:
        X[: n // 4] = X[0]
    if model in OF_COUNTS:
        X = np.floor(np.abs(X) * 3)
    image = (4, 4) if model == "conv_autoencoder" else None
    options: dict[str, Any] = {
        "model": model, "clusterer": clusterer, "n_clusters": int(rng.integers(2, 5)), "n_steps": int(rng.integers(4, 16)),
        "latent_dim": int(rng.integers(2, 4)), "hidden": (4,), "batch_size": int(rng.integers(6, n)), "dtype": "float64",
        "activation": str(rng.choice(["gelu", "tanh", "softplus"])), "optimizer": str(rng.choice(["adam", "sgd"])),
        "scaling": "global", "min_agreement": 0.0, "random_state": seed, "n_jobs": 1,
    }  # fmt: skip
    options = {name: value for name, value in options.items() if name not in UNUSED.get(model, ())}
    if clusterer == "gmm":
        options["clusterer_options"] = {"covariance_type": str(rng.choice(["full", "tied", "diag", "spherical"]))}
    if clusterer == "hdbscan":
        options["clusterer_options"] = {"min_cluster_size": 4, "min_samples": 2}
    weights = rng.uniform(0.5, 2.0, n)
    weights[rng.integers(0, n, 2)] = 0.0
    return Dataset(X, image_shape=image), options, weights


def answered(data: Dataset, options: dict[str, Any], weights: np.ndarray, query: int) -> Explanation | str:
    """Explain a row, or return the words of the refusal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ClusterExplainWarning)
        try:
            return ClusterExplainer(**options).fit(data, sample_weight=weights).explain([query])
        except ClusterExplainError as error:
            return str(error)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("model", "clusterer"), PAIRS)
def test_influence_is_the_derivative_of_refits_or_refused(model: str, clusterer: str, seed: int) -> None:
    data, options, weights = configuration(model, clusterer, seed)
    query = int(np.flatnonzero(weights > 0)[seed])
    e = answered(data, options, weights, query)
    if isinstance(e, str):
        assert not any(words in e for words in ("this network", "belongs to a training", "cannot be chosen")), e
        return
    row = int(np.abs(e.influence[0]).argmax())
    errors = []
    for step in STEPS:
        ends = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[row] *= 1 + sign * step
            ends.append(e.fit.at(moved, e.margins, assignments="kept").scores[0])
        derivative, expected = (ends[0] - ends[1]) / (2 * step), e.influence[0, row]
        errors.append(abs(derivative - expected) / (abs(expected) or 1.0))  # no weight may move a margin at all
    assert min(errors) <= RTOL, (options, errors)
