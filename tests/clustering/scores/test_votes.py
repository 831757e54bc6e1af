"""The votes of neighbours against plain loops, scikit-learn, real removals and scanpy's Louvain labels."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier
from torch import Tensor

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import ClusterInputs, GivenLabels, GraphLabels, NeighbourGraph
from clusterexplain.clustering.scores import GraphVote, LogRatioMargin, NearestNeighbours
from tests.conftest import OF_ANNDATA, pbmc_file

N, K = 40, 5
RNG = np.random.default_rng(0)
Z = torch.from_numpy(RNG.normal(size=(N, 3)))
LABELS = torch.from_numpy(RNG.integers(-1, 3, N))
ONES = torch.ones(N, dtype=torch.float64)


class Five(NearestNeighbours):
    """The vote of five neighbours."""

    name: ClassVar[str] = "five"
    k: ClassVar[int] = K


def logits_at(rows: Tensor, weights: Tensor, z: Tensor = Z, labels: Tensor = LABELS) -> Tensor:
    """Return the logits of rows with five neighbours, shape (n, 3)."""
    return Five().logits(rows, GivenLabels(labels, 3).state(ClusterInputs(z, weights)))


def by_copies(row: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the logits with each row there a whole number of times, as the docstring says it, from a sorted list."""
    near = sorted((float(((row - Z[j].numpy()) ** 2).sum()), j) for j in range(N) for _ in range(counts[j]))
    near = [pair for pair in near if pair[0] > 0]
    steps = np.repeat([distance for distance, _ in near], 2)  # half a rank each
    low, high = K - 1.5, K + 1.5
    squared_reach = steps[int(2 * low) : int(2 * high)].mean()
    votes = np.zeros(4)
    for distance, j in near:
        votes[LABELS[j]] += max(0.0, 1 - (distance / squared_reach) ** 2)
    return np.log(votes[:3] + 0.02 * votes.sum() + 0.01)


@pytest.mark.parametrize("inside", [True, False], ids=["training rows", "new rows"])
def test_the_vote_is_that_of_a_plain_loop(inside: bool) -> None:
    rows = Z[:8] if inside else torch.from_numpy(np.random.default_rng(1).normal(size=(8, 3)))
    expected = [by_copies(row.numpy(), np.ones(N, dtype=int)) for row in rows]
    np.testing.assert_allclose(logits_at(rows, ONES), expected, rtol=1e-10)


def test_a_weight_is_a_number_of_copies() -> None:
    counts = np.random.default_rng(2).integers(0, 4, N)
    expected = [by_copies(Z[j].numpy(), counts) for j in range(8)]
    np.testing.assert_allclose(logits_at(Z[:8], torch.from_numpy(counts).double()), expected, rtol=1e-10)


def test_two_rows_at_one_place_do_not_vote_about_each_other() -> None:
    """Nor does the sample about itself: other labels of the two change nothing for them."""
    z, labels = Z.clone(), LABELS.clone()
    z[1] = z[0]
    before = logits_at(z[:2], ONES, z, labels)
    labels[:2] = (labels[:2] + 2) % 3
    np.testing.assert_array_equal(logits_at(z[:2], ONES, z, labels), before)
    assert torch.equal(before[0], before[1])


def test_a_row_that_was_embedded_twice_is_one_row() -> None:
    """In float32 the second time differs in the last digit, also far from the origin."""
    z = Z + 100
    again = z.float().double()
    np.testing.assert_allclose(logits_at(again[:8], ONES, z), logits_at(z[:8], ONES, z), atol=1e-3)


@pytest.mark.parametrize("n", [40, 12, 6, 3, 2])
def test_a_row_whose_weight_vanishes_leaves_without_a_jump(n: int) -> None:
    """Seen to fail: fewer rows than ranks, where the farthest row is the reach however little it weighs."""
    rows, labels = Z[:n], torch.arange(n) % 3
    for gone in range(1, n):
        weights = ONES[:n].clone()
        weights[gone] = 1e-11
        little = logits_at(Z[:1], weights, rows, labels)
        weights[gone] = 0.0
        np.testing.assert_allclose(logits_at(Z[:1], weights, rows, labels), little, atol=1e-6)


@pytest.mark.parametrize("kind", [NearestNeighbours(), GraphVote()], ids=["knn", "graph"])
def test_votes_do_not_depend_on_where_the_origin_is(kind: Any) -> None:
    """Maps have coordinates such as 450000 m east and 5411000 m north; a few metres apart are two places there too."""
    z = Z[:, :2] * 4
    far = torch.tensor([450_000.0, 5_411_000.0])
    by_shift = []
    for shift in (0 * far, far):
        there = ClusterInputs(z + shift, ONES)
        state = GraphLabels(LABELS, 3, NeighbourGraph.of(graph(), N)).state(there)
        by_shift.append(kind.logits(torch.cat([there.embedding, there.embedding[:9] + 0.05]), state))
    np.testing.assert_allclose(by_shift[1], by_shift[0], rtol=1e-7)


def test_without_any_neighbour_nothing_is_said() -> None:
    weights = torch.zeros(N, dtype=torch.float64)
    weights[0] = 1.0
    np.testing.assert_allclose(logits_at(Z[:1], weights), np.log(0.01))


def test_neighbours_that_are_all_equally_far_have_no_vote() -> None:
    """Each row is one-hot, so that all distances are the same: ranks and votes have no derivative, and none is made up."""
    z = torch.eye(N, dtype=torch.float64).requires_grad_()
    logits = logits_at(z[:4].detach(), ONES, z)
    assert not (logits - logits[0, 0]).any()
    (slope,) = torch.autograd.grad(logits.sum(), z)
    assert not slope.any()


def test_tiny_weights_still_find_enough_neighbours() -> None:
    """Half of the rows weigh next to nothing: the vote is that of the others."""
    weights = ONES.clone()
    weights[20:] = 1e-12
    alone = logits_at(Z[:8], ONES[:20], Z[:20], LABELS[:20])
    np.testing.assert_allclose(logits_at(Z[:8], weights), alone, atol=1e-9)


def test_among_clusters_without_votes_the_nearest_centroid_is_the_runner_up() -> None:
    z = torch.cat([0.1 * Z[:30], torch.tensor([[9.0, 0.0, 0.0]]) + 0.1 * Z[30:35], torch.full((5, 3), 50.0).double()])
    labels = torch.tensor([0] * 30 + [1] * 5 + [2] * 5)
    state = GivenLabels(labels, 3).state(ClusterInputs(z, ONES))
    assert NearestNeighbours().runner_up(z[:5], state, labels[:5]).tolist() == [1] * 5


def test_the_vote_of_noise_is_the_edge_of_a_cluster() -> None:
    state = GivenLabels(LABELS, 3).state(ClusterInputs(Z, ONES))
    noise = Z[LABELS < 0]
    found = Five().boundary_margins(noise, state).numpy()
    as_cluster = GivenLabels(torch.where(LABELS < 0, 3, LABELS), 4).state(ClusterInputs(Z, ONES))
    logits = Five().logits(noise, as_cluster).numpy()
    np.testing.assert_allclose(found, logits[:, :3] - logits[:, 3:], rtol=1e-10)


def test_the_largest_vote_agrees_with_scikit_learn() -> None:
    """Each row is left out of its own neighbours; the classifier weights them by the same formula."""
    X, y = load_digits(return_X_y=True)
    X = X + 1e-3 * np.random.default_rng(0).normal(size=X.shape)  # whole numbers have ties
    state = GivenLabels(torch.from_numpy(y), 10).state(ClusterInputs(torch.from_numpy(X), torch.ones(len(X)).double()))
    found = NearestNeighbours().nearest(torch.from_numpy(X), state).numpy()

    def votes(distances: np.ndarray) -> np.ndarray:
        squared = np.sort(distances**2, axis=1)
        halves = np.repeat(squared[:, 1:], 2, axis=1)[:, 23:37]
        weights = np.clip(1 - (distances**2 / halves.mean(axis=1, keepdims=True)) ** 2, 0, None)
        return np.where(distances < 1e-3, 0.0, weights)  # itself

    expected = KNeighborsClassifier(30, weights=votes, algorithm="brute").fit(X, y).predict(X)
    np.testing.assert_array_equal(found, expected)
    hard = KNeighborsClassifier(15).fit(X, y).kneighbors(return_distance=False)
    majority = np.array([np.bincount(y[near]).argmax() for near in hard])
    assert (found == majority).mean() > 0.98


# The vote in a graph


def graph() -> np.ndarray:
    """Return symmetric strengths between the rows; nearly every second pair has none."""
    drawn = np.triu(np.random.default_rng(3).uniform(-1, 1, (N, N)).clip(0), 1)
    return (drawn + drawn.T) / drawn.max()


def graph_logits(
    rows: Tensor, weights: Tensor, strengths: Any = None, labels: Tensor = LABELS, z: Tensor = Z
) -> np.ndarray:
    """Return the logits of rows by a graph, shape (n, 3)."""
    clustering = GraphLabels.of(labels.numpy(), NeighbourGraph.of(graph() if strengths is None else strengths, N))
    return GraphVote().logits(rows, clustering.state(ClusterInputs(z, weights))).numpy()


@pytest.mark.parametrize("kind", [np.asarray, scipy.sparse.csr_matrix, scipy.sparse.coo_array, scipy.sparse.csc_matrix])
def test_the_vote_in_a_graph_is_a_product_of_matrices(kind: Any) -> None:
    weights = np.random.default_rng(4).uniform(0.5, 2, N)
    members = (LABELS.numpy()[:, None] == [0, 1, 2, -1]) * weights[:, None]
    votes = graph() @ members
    expected = np.log(votes[:, :3] + 0.02 * votes.sum(axis=1, keepdims=True) + 0.01)
    found = graph_logits(Z, torch.from_numpy(weights), kind(graph() + np.eye(N)))  # a loop is no vote
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_a_new_row_has_the_edges_of_the_nearest_present_row() -> None:
    weights = ONES.clone()
    weights[0] = 0.0
    near = Z[:1] + 0.01
    others = ((Z - near) ** 2).sum(dim=1)
    others[0] = torch.inf
    nearest = int(others.argmin())
    np.testing.assert_array_equal(graph_logits(near, weights), graph_logits(Z[nearest : nearest + 1], weights))
    np.testing.assert_array_equal(graph_logits(near, ONES), graph_logits(Z[:1], ONES))


def test_rows_at_one_place_share_their_edges() -> None:
    """Two equal rows with edges of their own cannot be told apart by their place."""
    z = Z.clone()
    z[1] = z[0]
    members = (LABELS.numpy()[:, None] == [0, 1, 2, -1]).astype(float)
    votes = (graph() @ members)[:2].mean(axis=0)
    expected = np.log(votes[:3] + 0.02 * votes.sum() + 0.01)
    np.testing.assert_allclose(graph_logits(z[:2], ONES, z=z), [expected, expected], rtol=1e-12)


def test_a_row_without_edges_has_margin_0_and_agrees_with_nothing() -> None:
    alone = graph()
    alone[0] = alone[:, 0] = 0
    np.testing.assert_allclose(graph_logits(Z[:1], ONES, alone), np.log(0.01))
    labels = np.arange(N) % 2
    ce = ClusterExplainer("precomputed", membership_score="graph", min_agreement=0)
    fit = ce.fit(
        Z.numpy(), labels=labels, graph=(labels[:, None] == labels) * (np.arange(N) > 0) * (np.arange(N)[:, None] > 0)
    )
    assert fit.fit_.assignment.agreement() == (N - 1) / N
    assert not fit.explain([0]).influence.any()


def test_a_new_row_beside_one_without_edges_goes_to_the_nearest_centroid() -> None:
    """No edge says where it is: the mean of rows 0 to 9 is far off, and row 29 is beside the mean of the others."""
    X = np.r_[RNG.normal(size=(10, 2)), RNG.normal(size=(20, 2)) + 20]
    labels = np.repeat([0, 1], [10, 20])
    edges = (labels[:, None] == labels) * 1.0
    edges[29] = edges[:, 29] = 0
    ce = ClusterExplainer("precomputed", membership_score="graph", min_agreement=0).fit(X, labels=labels, graph=edges)
    assert ce.predict(X[29:] + 1e-3).tolist() == [1]
    assert ce.explain(X[29:] + 1e-3).margins.runner_up.tolist() == [0]


# Real refits


STEP = 1e-4


def rings() -> tuple[np.ndarray, np.ndarray]:
    """Return two rings in 5 dimensions, one around the other, and which of them each row is in."""
    rng = np.random.default_rng(0)
    angle, ring = rng.uniform(0, 2 * np.pi, 120), np.repeat([0, 1], 60)
    plane = np.c_[np.cos(angle), np.sin(angle)] * (1 + ring)[:, None] + rng.normal(scale=0.25, size=(120, 2))
    return np.c_[plane, 0.1 * rng.normal(size=(120, 3))], ring


def ring_graph() -> np.ndarray:
    """Return strengths between rows of the rings that are near."""
    X, _ = rings()
    squared = ((X[:, None] - X) ** 2).sum(axis=-1)
    return np.exp(-4 * squared) * (squared < 0.5)


@pytest.mark.parametrize("score", ["knn", "graph"])
@pytest.mark.parametrize("weighted", [False, True], ids=["whole weights", "unequal weights"])
@pytest.mark.parametrize("options", [{"model": "precomputed"}, {"model": "pca", "latent_dim": 2}], ids=["given", "pca"])
def test_influence_equals_finite_differences_of_real_refits(
    score: str, weighted: bool, options: dict[str, Any]
) -> None:
    X, ring = rings()
    weights = np.random.default_rng(5).uniform(0.5, 2, 120) if weighted else np.ones(120)
    ce = ClusterExplainer(membership_score=score, n_jobs=1, random_state=0, **options)
    ce.fit(X, labels=ring, graph=ring_graph() if score == "graph" else None, sample_weight=weights)
    asked = np.argsort(np.where(ce.margins_ == 0, np.inf, np.abs(ce.margins_)))[:4]
    e = ce.explain(asked.tolist())
    slopes = []
    for i in range(120):
        ends = []
        for sign in (1, -1):
            moved = weights.copy()
            moved[i] += sign * STEP
            ends.append(e.evaluate(ce.refit(moved).fit_, assignments="kept"))
        slopes.append(weights[i] * (ends[0] - ends[1]) / (2 * STEP))
    expected = np.transpose(slopes)
    scale = np.abs(expected).max(axis=1, keepdims=True)
    assert (scale > 0.01).all()
    assert (np.abs(e.influence - expected) / scale).max() <= 1e-6
    if options["model"] == "precomputed":
        assert not e.rows.encoder.any()
        assert score == "knn" or not e.rows.cluster.any()


def test_neighbours_explain_rings_and_removals_are_predicted() -> None:
    """Each centroid is in the middle of both rings."""
    X, ring = rings()
    with pytest.warns(
        UserWarning, match=r"membership_score='auto' takes 'knn' for these labels\. .* by 'margin', .* by 'knn'"
    ):
        ce = ClusterExplainer("precomputed").fit(X, labels=ring)
    boundary = np.argsort(np.abs(ce.margins_))[:6]
    check = ce.verify(ce.explain(boundary.tolist()), level="quick")
    single = check.summary.query("kind == 'single' and assignments == 'kept'")
    assert single["spearman"].iloc[0] > 0.9


def test_new_rows_are_put_where_their_neighbours_are() -> None:
    """The nearest centroid says nothing of a ring."""
    X, ring = rings()
    ce = ClusterExplainer("precomputed", membership_score="knn").fit(X, labels=ring)
    angle = np.linspace(0, 6, 24)
    new = np.c_[np.cos(angle), np.sin(angle), np.zeros((24, 3))]
    assert ce.predict(new).tolist() == [0] * 24
    assert ce.predict(2.5 * new).tolist() == [1] * 24
    outcome = ce.fit_.at(np.ones(120), ce.explain(2.5 * new[:3]).margins)
    assert outcome.final_clusters.tolist() == [1] * 3


# Cells


def pbmc() -> Any:
    """Return the cells that scanpy brings along."""
    path = pbmc_file()
    import anndata

    return anndata.read_h5ad(path)


@OF_ANNDATA
@pytest.mark.parametrize(("score", "least"), [("knn", 0.95), ("graph", 0.97)])
def test_votes_agree_with_louvain_labels_of_cells(score: str, least: float) -> None:
    cells = pbmc()
    ce = ClusterExplainer("precomputed", membership_score=score)
    ce.fit(
        cells,
        labels="louvain",
        use_rep="X_pca",
        metadata=["phase"],
        graph="connectivities" if score == "graph" else None,
    )
    assert ce.fit_.assignment.agreement() >= least
    own = ce.fit_.score.nearest(ce.fit_.embedding, ce.fit_.assignment.state).numpy()
    assert (own == ce.labels_).mean() >= least


@OF_ANNDATA
def test_the_vote_in_the_graph_of_cells_is_that_of_scipy() -> None:
    cells = pbmc()
    codes = cells.obs["louvain"].cat.codes.to_numpy()
    votes = cells.obsp["connectivities"] @ np.eye(codes.max() + 1)[codes]
    ce = ClusterExplainer("precomputed", membership_score="graph")
    ce.fit(cells, labels="louvain", use_rep="X_pca", metadata=["phase"], graph="connectivities")
    expected = np.log(votes + 0.02 * votes.sum(axis=1, keepdims=True) + 0.01)
    np.testing.assert_allclose(GraphVote().logits(ce.fit_.embedding, ce.fit_.assignment.state), expected, rtol=1e-6)


def test_centroid_scores_of_given_labels_are_those_of_centroids() -> None:
    state = GivenLabels(LABELS, 3).state(ClusterInputs(Z, ONES))
    means = np.stack([Z[cluster == LABELS].numpy().mean(axis=0) for cluster in range(3)])
    np.testing.assert_allclose(state.representatives, means, rtol=1e-12)
    assert LogRatioMargin().logits(Z, state).shape == (N, 3)
