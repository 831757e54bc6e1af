"""Exact influence against dense autograd through the whole training, and against finite differences of real refits."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.data.selection import select_samples
from clusterexplain.explanation import explain
from clusterexplain.results.explanation import Explanation
from tests.oracles.dense_pipeline import explanation_parts

N_STEPS = 25
PARTS = {"influence": "total", "encoder": "encoder", "cluster": "cluster", "direct": "direct"}
TRAINED, NEW = "training rows", "new rows"
CENTERS = np.array([[2.0, 0.0, 0.0, 1.0, 0.0], [-1.0, 2.0, 0.0, 0.0, 1.0], [0.0, -2.0, 2.0, 0.0, -1.0]])


def three_blobs() -> np.ndarray:
    """Return 24 rows of 5 features in three overlapping blobs."""
    return np.repeat(CENTERS, 8, axis=0) + 0.7 * np.random.default_rng(0).normal(size=(24, 5))


def weights_of(name: str) -> np.ndarray:
    """Return the data weights of a fit."""
    if name == "equal":
        return np.ones(24)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, size=24)
    if name == "two removed":
        weights[[2, 9]] = 0.0
    return weights


@cache
def fitted(weights: str, activation: str, max_memory: float) -> ClusterExplainer:
    """Return a small float64 fit, made once."""
    ce = ClusterExplainer(
        n_clusters=3,
        hidden=(6,),
        latent_dim=2,
        activation=activation,
        n_steps=N_STEPS,
        batch_size=8,
        dtype="float64",
        max_memory=max_memory,
        random_state=0,
    )
    return ce.fit(three_blobs(), sample_weight=weights_of(weights))


@cache
def explained(queries: str, weights: str = "equal", activation: str = "gelu", max_memory: float = 2e9) -> Explanation:
    """Explain two training rows of different clusters, or two new rows: between two blobs, and near a centre."""
    ce = fitted(weights, activation, max_memory)
    if queries == TRAINED:
        return ce.explain([3, 17])
    return ce.explain(np.stack([(CENTERS[0] + CENTERS[1]) / 2 + 0.3, CENTERS[2] + 0.2]))


def error(actual: np.ndarray, reference: np.ndarray) -> float:
    """Return the largest absolute difference over the largest absolute reference."""
    return float(np.abs(actual - reference).max() / np.abs(reference).max())


def assert_matches_reference(explanation: Explanation) -> None:
    """Compare scores and all four rows of every query with the dense reference."""
    for query, reference in enumerate(explanation_parts(explanation)):
        assert explanation.scores[query] == pytest.approx(reference.score.item(), rel=1e-10)
        for name, part in PARTS.items():
            row, expected = getattr(explanation, name)[query], getattr(reference, part).numpy()
            assert error(row, expected) <= 1e-8, f"{name} of query {query}: {error(row, expected):.1e}"


@pytest.mark.parametrize(
    ("weights", "queries"),
    [("equal", TRAINED), ("equal", NEW), ("unequal", TRAINED), ("unequal", NEW), ("two removed", TRAINED)],
)
def test_every_part_equals_autograd_through_the_unrolled_training(weights: str, queries: str) -> None:
    """Total, encoder, cluster and direct part, in units of each example's own weight."""
    assert_matches_reference(explained(queries, weights))


@pytest.mark.parametrize("activation", ["tanh", "softplus", "silu"])
def test_every_smooth_activation_equals_autograd(activation: str) -> None:
    """The second derivatives of each activation; gelu is above."""
    assert_matches_reference(explained(TRAINED, "unequal", activation))


def test_the_reference_tells_the_parts_apart() -> None:
    """The oracle's parts sum to its total, and none of them is small enough to hide."""
    explanation = explained(TRAINED, "unequal")
    for reference in explanation_parts(explanation):
        total = reference.total.numpy()
        parts = [reference.encoder.numpy(), reference.cluster.numpy(), reference.direct.numpy()]
        assert error(np.sum(parts, axis=0), total) <= 1e-12
        assert min(np.abs(part).max() for part in parts) > 0.01 * np.abs(total).max()


def slopes_of_refits(explanation: Explanation, step: float) -> np.ndarray:
    """Return central differences of the scores of real refits in each weight, shape (n_queries, n_train)."""
    columns = []
    for direction in step * np.eye(len(explanation.sample_weight)):
        up, down = (
            explanation.evaluate(
                explanation.fit.refit(explanation.sample_weight + sign * direction), assignments="kept"
            )
            for sign in (1, -1)
        )
        columns.append((up - down) / (2 * step))
    return np.stack(columns, axis=1)


@pytest.mark.parametrize("queries", [TRAINED, NEW])
@pytest.mark.parametrize("weights", ["equal", "unequal"])
def test_total_equals_finite_differences_of_refits(weights: str, queries: str) -> None:
    """Nothing here is differentiated, so neither autograd nor the oracle's idea of the pipeline can be wrong."""
    explanation = explained(queries, weights)
    expected = explanation.sample_weight * slopes_of_refits(explanation, 1e-4)
    for row, reference in zip(explanation.influence, expected, strict=True):
        assert error(row, reference) <= 1e-5


@pytest.mark.parametrize("share", [0.6, 0.4])
def test_checkpoints_do_not_change_a_bit(share: float) -> None:
    """Rows recomputed from checkpoints are the rows of the full trajectory."""
    full = explained(TRAINED, "unequal")
    trajectory = fitted("unequal", "gelu", 2e9).fit_.trajectory
    recorded = N_STEPS * 3 * sum(value.numel() for value in trajectory.recipe.initial.values()) * 8
    short = explained(TRAINED, "unequal", max_memory=share * recorded)
    assert trajectory.spacing == 1
    assert fitted("unequal", "gelu", share * recorded).fit_.trajectory.spacing > 1
    for name in ("scores", *PARTS):
        np.testing.assert_array_equal(getattr(short, name), getattr(full, name), err_msg=name)


def test_a_row_does_not_depend_on_what_else_is_asked() -> None:
    """All training rows at once give the rows of two questions, to rounding."""
    two = explained(TRAINED, "unequal")
    everything = explain(two.fit, select_samples(slice(None), two.fit.data))
    for name in PARTS:
        for row, expected in zip(getattr(everything, name)[[3, 17]], getattr(two, name), strict=True):
            assert error(row, expected) <= 1e-12
