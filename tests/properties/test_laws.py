"""Laws over every registered model, clusterer and score, by hypothesis; the slow test goes through all of them.

A fit is the same function of the data weights whatever is in it, so each law is written once, for a combination that is
drawn. Problems are tiny, in float64 and with full batches; fits are kept by what was drawn, and recipes share their traces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import make_blobs
from torch import Tensor

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import (
    Clustering,
    ClusteringSpec,
    ClusterInputs,
    GraphLabels,
    NeighbourGraph,
    make_clustering,
)
from clusterexplain.clustering.registry import CLUSTERERS, CLUSTERING_TYPES
from clusterexplain.clustering.scores import SCORES
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.selection import select_samples
from clusterexplain.execution import Execution
from clusterexplain.explanation.explain import explain
from clusterexplain.explanation.gradients import MarginFunction, influence_rows, total_influence
from clusterexplain.fitting.build import Prepared, fit_recipe
from clusterexplain.fitting.config import Config, resolve
from clusterexplain.fitting.fit import Fit, pair_of
from clusterexplain.fitting.recipes import make_recipe, make_task
from clusterexplain.models import MODELS
from clusterexplain.models.registry import CLOSED_FORM, OF_COUNTS
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Combination, Margins, Subject, Topic
from clusterexplain.results.outcome import Assignments
from clusterexplain.statistics.matching import match
from clusterexplain.training import BatchPlan, Recipe, with_choices_kept
from clusterexplain.training.tracing import TraceStore

pytestmark = pytest.mark.filterwarnings("ignore:The gap after latent_dim")
RTOL = 1e-6
STEP, SLOPE_RTOL = 1e-4, 1e-4
SIZES = (9, 7, 5)
"""Rows of each of three groups; they stay in this order when one is removed or doubled."""
N, SIDE = sum(SIZES), 4
TRACES = TraceStore()
"""Of all recipes: a signature says what a trace depends on."""
GIVEN = ("labels", "graph_labels")
"""Stand for labels that a user gives, alone and with their graph."""


@dataclass(frozen=True)
class Combined:
    """What a fit is made of, by name."""

    model: str
    clusterer: str
    score: str


def clusterers_of(model: str) -> tuple[str, ...]:
    """Return what can cluster a model: centroids that a model has learned need a model that learns some."""
    return tuple(name for name in (*CLUSTERERS, *GIVEN) if name != "dec" or model == "dec")


COMBINED = tuple(
    Combined(model, clusterer, score)
    for model in MODELS
    for clusterer in clusterers_of(model)
    for score in CLUSTERING_TYPES[clusterer].scores
)
IMAGES = ("conv_autoencoder", "contrastive")
"""Models that are given images; the augmentation of tables is measured on the rows, which would be traced again for each."""
MODEL_OPTIONS = {"dec": {"pretrain": 0.5, "update_every": 3}}
CLUSTERER_OPTIONS = {name: dict(clusterer.few_rows) for name, clusterer in CLUSTERERS.items() if clusterer.few_rows}


@st.composite
def combinations(draw: st.DrawFn) -> Combined:
    """Draw model, clusterer and score one after the other, so that clusterers of few scores come as often as others."""
    model = draw(st.sampled_from(MODELS))
    clusterer = draw(st.sampled_from(clusterers_of(model)))
    return Combined(model, clusterer, draw(st.sampled_from(CLUSTERING_TYPES[clusterer].scores)))


ROW = st.sampled_from([0, 11, 17])
"""Row that is taken away, doubled or moved: few, so that laws share fits, and none whose absence leaves HDBSCAN with noise."""
SEED = st.integers(0, 3)
QUERIES = st.lists(st.integers(0, N - 2), min_size=3, max_size=3, unique=True)
"""Always three, so that derivatives are traced once; the last row is the one that comes and goes."""


# Fits


@dataclass(frozen=True, eq=False)
class NamedPlan(BatchPlan):
    """A plan whose random keys belong to the names of rows, so that a row keeps its noise in another place."""

    names: Tensor

    def keys(self, step: int) -> Tensor:
        """Return the keys of the rows of these numbers in an ordinary plan."""
        return BatchPlan(self.names[self.indices], self.seed).keys(step)


@cache
def table() -> tuple[np.ndarray, np.ndarray]:
    """Return rows around three centres, in random order, and their groups."""
    X, groups = make_blobs(
        SIZES, n_features=SIDE * SIDE, centers=None, cluster_std=0.4, center_box=(-2, 2), random_state=3
    )
    order = np.random.default_rng(0).permutation(N)
    return X[order] / 2, groups[order]


@cache
def counts() -> np.ndarray:
    """Return counts whose logarithms lie around the same centres, farther apart, shape (21, 16)."""
    return np.random.default_rng(2).poisson(np.exp(1.5 * table()[0] + 2)).astype(float)


@cache
def graph() -> np.ndarray:
    """Return symmetric strengths between each row of the table and its five nearest, shape (21, 21); 0 for itself."""
    squared = np.square(table()[0][:, None] - table()[0]).sum(axis=-1)
    near = squared <= np.sort(squared, axis=1)[:, 5:6]
    strengths = np.minimum(np.exp(-squared), 0.1) * (near | near.T)  # many are the strongest, whoever is left out
    np.fill_diagonal(strengths, 0.0)
    return strengths


def clusterer_of(combined: Combined, names: tuple[int, ...]) -> object:
    """Return what clusters some rows of the table: a name, labels, or labels with a graph in which copies have no edge."""
    labels = table()[1][list(names)]
    if combined.clusterer == "graph_labels":
        return GraphLabels.of(labels, NeighbourGraph.of(graph()[np.ix_(names, names)], len(names)))
    return labels if combined.clusterer == "labels" else combined.clusterer


def unequal() -> np.ndarray:
    """Return unequal data weights of the rows of the table, shape (21,)."""
    return np.random.default_rng(1).uniform(0.5, 2.0, N)


def config_of(combined: Combined, n_samples: int) -> Config:
    """Return the resolved configuration: full batches, 10 steps."""
    named = None if combined.clusterer in GIVEN else combined.clusterer
    trained: dict[str, Any] = {
        "n_steps": 10,
        "hidden": (3,) if combined.model == "conv_autoencoder" else (5,),
        "learning_rate": 0.02,
    }
    explainer = ClusterExplainer(
        combined.model, "kmeans" if named is None else named, n_clusters=len(SIZES), batch_size=n_samples, scaling=None,
        latent_dim={"precomputed": None, "pca": 2}.get(combined.model, 3), **({} if combined.model in CLOSED_FORM else trained),
        membership_score=combined.score, min_agreement=0.0, dtype="float64", random_state=0,
        model_options=MODEL_OPTIONS.get(combined.model), clusterer_options=CLUSTERER_OPTIONS.get(combined.clusterer),
    )  # fmt: skip
    config = dataclasses.replace(Config.of(explainer.get_params()), clusterer=named)
    return resolve(config, n_samples=n_samples, image=combined.model in IMAGES)


@cache
def data_of(model: str, names: tuple[int, ...]) -> Dataset:
    """Return rows of the table by number, repeated where a number is."""
    rows = counts() if model in OF_COUNTS else table()[0]
    return Dataset(rows[list(names)], image_shape=(SIDE, SIDE) if model in IMAGES else None)


@cache
def recipe_of(model: str, names: tuple[int, ...], weights: tuple[float, ...]) -> Recipe:
    """Return what is trained on some rows: it knows nothing of clusterers and scores."""
    data, given_weights = data_of(model, names), torch.tensor(weights, dtype=torch.float64)
    config = config_of(Combined(model, "kmeans", "margin"), len(names))
    inputs = torch.from_numpy(np.array(data.X))
    task = make_task(config, None, data, inputs, scaling_of(data), given_weights)
    recipe = make_recipe(config, task, inputs, seed=0)
    plan = NamedPlan(recipe.plan.indices, recipe.plan.seed, torch.tensor(names))
    return with_choices_kept(dataclasses.replace(recipe, plan=plan, traces=TRACES), given_weights)


def scaling_of(data: Dataset) -> Scaling:
    """Return no scaling: another one would be another training."""
    return Scaling.measure(data.X, None)


def fit_of(recipe: Recipe, combined: Combined, names: tuple[int, ...], weights: tuple[float, ...]) -> Fit:
    """Train a recipe and cluster its rows."""
    config, data = config_of(combined, len(names)), data_of(combined.model, names)

    def find(inputs: ClusterInputs) -> Clustering:
        return make_clustering(
            clusterer_of(combined, names), inputs, ClusteringSpec(len(SIZES), 0, dict(config.clusterer_options or {}))
        )

    execution = Execution(n_jobs=1)
    return fit_recipe(config, data, scaling_of(data), 0, Prepared(recipe), np.array(weights), find, execution)


@cache
def fitted(combined: Combined, names: tuple[int, ...], weights: tuple[float, ...]) -> Fit:
    """Return the fit of some rows of the table."""
    return fit_of(recipe_of(combined.model, names, weights), combined, names, weights)


def all_rows(combined: Combined) -> Fit:
    """Return the fit of all rows at unequal weights."""
    return fitted(combined, tuple(range(N)), tuple(unequal()))


@cache
def explained(fit: Fit, asked: tuple[int, ...]) -> Explanation:
    """Explain training rows by number."""
    return explain(fit, select_samples(list(asked), fit.data))


def relative(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest error of each row relative to its largest entry, the largest of all rows; NaN is equal to NaN."""
    found, expected = np.atleast_2d(found), np.atleast_2d(expected)
    assert (np.isnan(found) == np.isnan(expected)).all()
    scale = np.nanmax(np.abs(expected), axis=1, keepdims=True)
    return float(np.nanmax(np.abs(found - expected) / np.maximum(scale, 1e-8)))


def asked_of(other: Fit, margins: Margins, partners: np.ndarray, positions: np.ndarray) -> Margins:
    """Return the margins of the same rows in another fit, where clusters and rows have other numbers."""
    own, runner_up = (np.where(side < 0, side, partners[side]) for side in (margins.own, margins.runner_up))
    return Margins(margins.ids, other.data.X[positions], positions, own, runner_up)


def assert_equal_fits(one: Explanation, other: Fit, places: np.ndarray, sums: np.ndarray, rtol: float = RTOL) -> None:
    """Assert that another fit says the same: labels up to their numbers, margins and influence.

    Parameters
    ----------
    one : Explanation
        Of the first fit.
    other : Fit
        The second.
    places : ndarray of shape (n,)
        Row of the second fit for each row of the first; -1 for a row that is absent.
    sums : ndarray of shape (m, n)
        Which rows of the second share the influence of a row of the first.
    """
    first, present = one.fit, places >= 0
    labels, others = first.clustering.labels.numpy()[present], other.clustering.labels.numpy()[places[present]]
    partners = match(labels, others, np.ones(len(labels)))
    np.testing.assert_array_equal(np.where(labels < 0, -1, partners[labels]), others)
    margins = asked_of(other, one.margins, partners, places[one.margins.positions])
    assert relative(other.margins(margins).numpy(), one.scores) <= rtol
    rows = influence_rows(other, margins, other.jacobian())
    for name in (*rows.COMPONENTS, "total"):
        scale = np.abs(one.rows.total).max(axis=1, keepdims=True)
        error = np.abs(getattr(rows, name) @ sums - getattr(one.rows, name)) / np.maximum(scale, 1e-8)
        assert error.max() <= rtol, (name, error.max())


# The laws

REPELS_COPIES = ("contrastive",)
"""A copy is one more candidate that a row is told apart from, a doubled weight is none."""


COUNTS_WEIGHT = ("knn", "graph")
"""Votes are counted by weight: so many neighbours, and a hundredth of a vote beforehand. All weights doubled are another vote,
so nothing makes up for a nominal batch size."""


def made_up(combined: Combined, factor: float) -> float:
    """Return by what weights are multiplied to make up for another batch size: where nothing is trained there is none."""
    return 1.0 if combined.model in CLOSED_FORM and combined.score in COUNTS_WEIGHT else factor


def weight_0_is_absence(combined: Combined, row: int, asked: list[int]) -> None:
    """Compare a fit in which the last row has weight 0 with one in which it is not there.

    The loss of what is trained is a sum over the nominal batch size, which is smaller by one, so its weights are.

    Seen to fail: NT-Xent whose denominators do not know the weights.
    """
    names = (*(name for name in range(N) if name != row), row)
    weights = unequal()[list(names)]
    weights[-1] = 0.0
    with_0 = fitted(combined, names, tuple(weights))
    without = fitted(combined, names[:-1], tuple(weights[:-1] * made_up(combined, (N - 1) / N)))
    one = explained(with_0, tuple(asked))
    np.testing.assert_array_equal(one.influence[:, -1], 0)
    assert_equal_fits(one, without, np.append(np.arange(N - 1), -1), np.eye(N - 1, N))


def order_does_not_matter(combined: Combined, seed: int, asked: list[int]) -> None:
    """Fit the rows in another order, each with its own noise: numbers of rows move, nothing else.

    Seen to fail: the noise of a VAE keyed by the place of a row instead of the row.
    """
    order = np.random.default_rng(seed).permutation(N)
    moved = fitted(combined, tuple(order.tolist()), tuple(unequal()[order]))
    one = explained(all_rows(combined), tuple(asked))
    assert_equal_fits(one, moved, np.argsort(order), np.eye(N)[order])


def copies_share_the_influence(combined: Combined, row: int, asked: list[int]) -> None:
    """Compare a row of doubled weight with the same row twice, at weights that make up for the larger nominal batch size.

    Seen to fail: a loss of squared weights.
    """
    names = tuple(name for name in range(N) if name != 20)
    weights = unequal()[list(names)]
    doubled = weights.copy()
    doubled[row] *= 2
    once = fitted(combined, names, tuple(doubled))
    both = fitted(
        combined, (*names, names[row]), tuple(np.append(weights, weights[row]) * made_up(combined, N / (N - 1)))
    )
    one = explained(once, tuple(asked))
    sums = np.vstack([np.eye(N - 1), np.eye(N - 1)[row]])
    assert_equal_fits(one, both, np.arange(N - 1), sums)
    copied = influence_rows(both, explained(both, tuple(asked)).margins, both.jacobian()).total
    assert relative(copied[:, -1:], copied[:, row : row + 1]) <= RTOL


def parts_sum(combined: Combined, asked: list[int]) -> None:
    """Compare sums of components, groups and combinations; the total with one that is not made of components.

    Seen to fail: a doubled cluster part; group sums of absolute values; combinations by absolute factors.
    """
    one = explained(all_rows(combined), tuple(asked))
    fit, rows = one.fit, one.rows
    twice = one.margins[np.tile(np.arange(3), 2)]  # as many cotangents as an explanation has: no more is traced
    total = total_influence(fit, twice, fit.jacobian())[3:]
    assert relative(rows.encoder + rows.cluster + rows.direct, total) <= 1e-9
    groups = np.random.default_rng(0).integers(0, 4, N)
    sums = np.stack([rows.total[:, groups == group].sum(axis=1) for group in range(5)], axis=1)
    np.testing.assert_allclose(rows.sum_by(groups, 5), sums, rtol=1e-12, atol=1e-14)
    factors = np.array([[0.5, -1.0, 0.25], [0.0, 2.0, 1.0], [1.0, 1.0, 1.0]])
    subject = Subject(Topic.COHESION, (0,), (3,))
    combined_margins = dataclasses.replace(one.margins, combination=Combination(factors, (subject,) * 3))
    of_sums = influence_rows(fit, combined_margins, fit.jacobian())
    for name in (*rows.COMPONENTS, "total"):
        scale = np.abs(factors @ rows.total).max()
        assert np.abs(getattr(of_sums, name) - factors @ getattr(rows, name)).max() <= 1e-9 * scale, name


def rows_are_derivatives(combined: Combined, row: int, asked: list[int]) -> None:
    """Compare with central differences of real retrainings, labels kept.

    Seen to fail: no direct part; the centroids of a DEC taken for constants.
    """
    one = explained(all_rows(combined), tuple(asked))
    fit, weights = one.fit, unequal()
    ends = []
    for sign in (1, -1):
        moved = weights.copy()
        moved[row] += sign * STEP
        ends.append(fit.at(moved, one.margins, assignments="kept").scores)
    slopes = weights[row] * (ends[0] - ends[1]) / (2 * STEP)
    scale = np.abs(one.influence).max(axis=1)
    assert (np.abs(slopes - one.influence[:, row]) <= SLOPE_RTOL * scale + 1e-9).all()


def the_same_weights_give_the_same_bits(combined: Combined, asked: list[int]) -> None:
    """Train again, from the start and as a refit: theta, labels and scores.

    Seen to fail: the noise of a VAE from a generator without a seed.
    """
    fit = all_rows(combined)
    one = explained(fit, tuple(asked))
    rows, weights = tuple(range(N)), tuple(unequal())
    again = fit_of(recipe_of.__wrapped__(combined.model, rows, weights), combined, rows, weights)
    refit = fit.refit(unequal())
    for other in (again, refit):
        assert torch.equal(other.trajectory.final, fit.trajectory.final)
        assert torch.equal(other.clustering.labels, fit.clustering.labels)
    np.testing.assert_array_equal(again.margins(one.margins).numpy(), one.scores)
    if CLUSTERING_TYPES[combined.clusterer].is_fixed_point:  # a refit iterates once more, which moves it by rounding
        np.testing.assert_allclose(refit.margins(one.margins).numpy(), one.scores, rtol=1e-9, atol=1e-12)
    else:
        np.testing.assert_array_equal(refit.margins(one.margins).numpy(), one.scores)


def an_outcome_is_the_explained_fit(combined: Combined, asked: list[int]) -> None:
    """Evaluate at the parameters and weights of the fit itself, labels kept.

    Seen to fail: clusters of an outcome that do not know the weights.
    """
    fit = all_rows(combined)
    one = explained(fit, tuple(asked))
    outcome = fit.outcome(fit.trajectory.final, fit.weights.numpy(), one.margins, assignments="kept")
    np.testing.assert_allclose(outcome.scores, one.scores, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(outcome.labels, fit.clustering.labels.numpy())
    assert (outcome.dissolved, outcome.reasons) == ((), ("",) * 3)


def an_unknown_score_has_a_reason(combined: Combined, emptied: int, seed: int, trained: bool, asked: list[int]) -> None:
    """Empty a cluster and thin out the others: NaN exactly where a reason names a cluster of the pair that is gone.

    Seen to fail: no reasons; 0 in place of NaN.
    """
    fit = all_rows(combined)
    margins = explained(fit, tuple(asked)).margins
    weights = unequal() * (np.random.default_rng(seed).random(N) < 0.7)
    weights[fit.clustering.labels.numpy() == emptied % fit.clustering.n_clusters] = 0.0
    theta = fit.thetas(weights)[0] if trained else fit.trajectory.final
    for assignments in Assignments:
        if assignments is Assignments.SCRATCH and finds_nothing(fit, theta, weights):
            continue
        outcome = fit.outcome(theta, weights, margins, assignments=assignments)
        np.testing.assert_array_equal(outcome.known, ~np.isnan(outcome.scores))
        pairs = zip(margins.own.tolist(), margins.runner_up.tolist(), strict=True)
        gone = [set(pair) & set(outcome.dissolved) for pair in pairs]
        np.testing.assert_array_equal(outcome.known, [not clusters for clusters in gone])
        for reason, clusters in zip(outcome.reasons, gone, strict=True):
            assert all(f"cluster {cluster}" in reason for cluster in clusters)
        left = np.intersect1d(outcome.labels[weights > 0], outcome.dissolved)
        if assignments is Assignments.KEPT and combined.clusterer == "hdbscan":  # members may stay when exemplars go
            for reason, clusters in zip(outcome.reasons, gone, strict=True):
                assert ("no exemplar" in reason) == (bool(clusters) and clusters <= set(left.tolist()))
        else:
            assert not len(left)


def finds_nothing(fit: Fit, theta: Tensor, weights: np.ndarray) -> bool:
    """Say whether nothing is found from scratch: labels that were given, or clusters of density that are all noise."""
    if not fit.can_cluster_again:
        return True
    inputs = fit.cluster_inputs(fit.recipe.layout.split(theta), torch.from_numpy(weights))
    return fit.cluster_from_scratch(inputs, 0).n_clusters == 0


def a_rotation_changes_nothing(combined: Combined, covariance: str, seed: int, asked: list[int]) -> None:
    """Cluster and score in a rotated embedding: labels and margins are the same, derivatives turned.

    Seen to fail: sums of absolute coordinates as distances; a mixture of axis-aligned covariances.
    """
    fit = all_rows(combined)
    turn = torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).normal(size=(fit.embedding.shape[1],) * 2))[0])
    learned = fit.recipe.task.cluster_centers(fit.params)
    plain = ClusterInputs(fit.embedding, fit.weights, learned)
    turned = ClusterInputs(fit.embedding @ turn, fit.weights, None if learned is None else learned @ turn)
    margins = explained(fit, tuple(asked)).margins
    options = dict(fit.config.clusterer_options or {})
    if combined.clusterer == "gmm":
        options["covariance_type"] = covariance
    labels, values, slopes = [], [], []
    for inputs in (plain, turned):
        clustering = make_clustering(
            clusterer_of(combined, tuple(range(N))), inputs, ClusteringSpec(len(SIZES), 0, options)
        )
        rows = inputs.embedding[margins.positions]
        state = clustering.values(inputs._replace(embedding=clustering.normalize(inputs.embedding)))
        labels.append(clustering.labels.numpy())
        values.append(fit.score.margins(clustering.normalize(rows), state, *pair_of(margins)).detach().numpy())
        slopes.append(MarginFunction(clustering, fit.score, margins).gradients(rows, inputs))
    np.testing.assert_array_equal(labels[1], labels[0])
    assert relative(values[1], values[0]) <= RTOL
    assert relative(slopes[1].weights.numpy(), slopes[0].weights.numpy()) <= RTOL
    for part in ("queries", "embedding"):
        first, second = (getattr(slope, part) for slope in slopes)
        assert relative((second @ turn.T).flatten(1).numpy(), first.flatten(1).numpy()) <= RTOL


ROTATES = st.sampled_from(["tied", "full", "spherical"])
"""Covariances of a mixture that turn with the embedding: the axes are part of "diag"."""


def always(combined: Combined) -> bool:
    """Expect a law of every combination."""
    return True


def weighs_copies(combined: Combined) -> bool:
    """Expect that a copy is a doubled weight where clusterer and model say so."""
    frequency = CLUSTERING_TYPES[combined.clusterer].frequency_weights
    return frequency and combined.model not in REPELS_COPIES and is_free_of_scale(combined)


def is_free_of_scale(combined: Combined) -> bool:
    """Expect a law that changes the number of trained rows where the scale of the weights does not matter."""
    return combined.model in CLOSED_FORM or combined.score not in COUNTS_WEIGHT


def promises_rotations(combined: Combined) -> bool:
    """Expect that a rotation changes nothing where the score says so."""
    return SCORES[combined.score].rotation_invariant


@dataclass(frozen=True)
class Law:
    """A law, what is drawn for it besides the combination, how often, and of which combinations it is expected."""

    holds: Callable[..., None]
    draws: tuple[st.SearchStrategy[Any], ...]
    n_examples: int
    expected: Callable[[Combined], bool] = always

    def check(self, combinations: st.SearchStrategy[Combined], n_examples: int) -> None:
        """Draw examples and assert that the law holds."""

        @settings(max_examples=n_examples, deadline=None, derandomize=True, database=None)
        @given(st.tuples(combinations.filter(self.expected), *self.draws))
        def example(drawn: tuple[Any, ...]) -> None:
            self.holds(*drawn)

        example()


LAWS = (
    Law(weight_0_is_absence, (ROW, QUERIES), 10, is_free_of_scale),
    Law(order_does_not_matter, (SEED, QUERIES), 12),
    Law(copies_share_the_influence, (ROW, QUERIES), 10, weighs_copies),
    Law(parts_sum, (QUERIES,), 10),
    Law(rows_are_derivatives, (ROW, QUERIES), 15),
    Law(the_same_weights_give_the_same_bits, (QUERIES,), 12),
    Law(an_outcome_is_the_explained_fit, (QUERIES,), 30),
    Law(an_unknown_score_has_a_reason, (SEED, SEED, st.booleans(), QUERIES), 30),
    Law(a_rotation_changes_nothing, (ROTATES, SEED, QUERIES), 30, promises_rotations),
)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.holds.__name__)
def test_a_law_holds_for_combinations_that_are_drawn(law: Law) -> None:
    law.check(combinations(), law.n_examples)


@pytest.mark.slow
@pytest.mark.parametrize("combined", COMBINED, ids=lambda combined: "-".join(vars(combined).values()))
def test_every_law_holds_for_every_combination(combined: Combined) -> None:
    for law in LAWS:
        if law.expected(combined):
            law.check(st.just(combined), 2)


def test_from_scratch_nothing_is_found() -> None:
    """Clusters of density that are all noise dissolve, whether they are continued or found from scratch."""
    fit = all_rows(Combined("autoencoder", "hdbscan", "exemplar"))
    margins = explained(fit, (0, 5, 12)).margins
    weights = np.zeros(N)
    weights[:6] = 1.0
    for assignments in (Assignments.CONTINUED, Assignments.SCRATCH):
        outcome = fit.outcome(fit.trajectory.final, weights, margins, assignments=assignments)
        assert not outcome.known.any()


@pytest.mark.parametrize("assignments", Assignments)
def test_a_diverged_retraining_has_a_reason(assignments: Assignments) -> None:
    """Nothing is known of it, and the reason is not that a cluster dissolved."""
    fit = all_rows(Combined("autoencoder", "kmeans", "margin"))
    margins = explained(fit, (0, 5, 12)).margins
    outcome = fit.outcome(fit.trajectory.final * torch.nan, fit.weights.numpy(), margins, assignments=assignments)
    assert not outcome.known.any()
    assert not any("dissolved" in reason for reason in outcome.reasons)


def test_every_registered_part_is_in_some_combination() -> None:
    assert {combined.model for combined in COMBINED} == set(MODELS)
    assert {combined.clusterer for combined in COMBINED} == set(CLUSTERING_TYPES)
    assert {combined.score for combined in COMBINED} == set(SCORES)
