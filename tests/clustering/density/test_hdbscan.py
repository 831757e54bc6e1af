"""HDBSCAN: the package itself is the oracle of everything that is frozen."""

import json
import warnings
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits, make_blobs, make_moons
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.density.condensed_tree import CondensedTree
from clusterexplain.clustering.density.hdbscan import HDBSCANClustering
from clusterexplain.clustering.scores.exemplars import Exemplar, HdbscanMembership
from clusterexplain.exceptions import InvalidParameterError

DIGITS = PCA(10, random_state=0).fit_transform(load_digits().data)
MOONS = make_moons(300, noise=0.12, random_state=0)[0]
BLOB = make_blobs(200, centers=1, random_state=1)[0]
CASES = [
    pytest.param(DIGITS[:300], {"min_cluster_size": 5}, id="digits"),
    pytest.param(DIGITS[300:600], {"min_cluster_size": 8, "min_samples": 3}, id="digits with fewer neighbours"),
    pytest.param(DIGITS[:300], {"min_cluster_size": 5, "cluster_selection_method": "leaf"}, id="leaves"),
    pytest.param(DIGITS[:300], {"min_cluster_size": 5, "cluster_selection_epsilon": 18.0}, id="epsilon"),
    pytest.param(MOONS, {"min_cluster_size": 10}, id="moons"),
    pytest.param(BLOB, {"min_cluster_size": 10, "allow_single_cluster": True}, id="root"),
    pytest.param(
        BLOB,
        {"min_cluster_size": 10, "allow_single_cluster": True, "cluster_selection_epsilon": 0.5},
        id="root, epsilon",
    ),
]


def fit_package(rows: np.ndarray, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import hdbscan

        model = hdbscan.HDBSCAN(prediction_data=True, approx_min_span_tree=False, **options)
        return model.fit(rows)


def fit(rows: np.ndarray, weights: np.ndarray | None = None, **options: Any) -> HDBSCANClustering:
    w = np.ones(len(rows)) if weights is None else weights
    return HDBSCANClustering.fit(torch.from_numpy(rows), torch.from_numpy(w), options=options)


def state_of(clustering: HDBSCANClustering, rows: np.ndarray) -> Any:
    return clustering.state(ClusterInputs(torch.from_numpy(rows), torch.ones(len(rows), dtype=torch.float64)))


@pytest.mark.parametrize(("rows", "options"), CASES)
def test_what_is_frozen_is_what_the_package_found(rows: np.ndarray, options: dict[str, Any]) -> None:
    from hdbscan._hdbscan_reachability import mutual_reachability

    fitted = fit_package(rows, **options)
    clustering = HDBSCANClustering.from_fitted_estimator(fitted, torch.from_numpy(rows))
    state = state_of(clustering, rows)
    reach = mutual_reachability(pairwise_distances(rows), clustering.min_samples)
    np.testing.assert_allclose(state.core.sqrt(), np.diag(reach), rtol=1e-9)

    edges = fitted.condensed_tree_.to_numpy()
    births = dict(zip(edges["child"].tolist(), edges["lambda_val"].tolist(), strict=True))
    for k, node in enumerate(sorted(fitted.condensed_tree_._select_clusters())):
        exemplars = rows[clustering.exemplars[clustering.exemplar_cluster == k]]
        for theirs in (fitted.prediction_data_.exemplars[k], fitted.exemplars_[k]):
            assert sorted(exemplars.tolist()) == sorted(theirs.tolist())
        if node in births:
            np.testing.assert_allclose(state.edge[k].sqrt(), 1 / births[node], rtol=1e-9)
    if edges["parent"].min() in fitted.condensed_tree_._select_clusters():
        lambdas = CondensedTree(edges).row_lambda[fitted.labels_ >= 0]
        np.testing.assert_allclose(state.edge[0].sqrt(), 1 / lambdas.min(), rtol=1e-9)


@pytest.mark.parametrize(("rows", "options"), CASES)
def test_labels_are_the_packages_in_canonical_order_and_continue_to_themselves(
    rows: np.ndarray, options: dict[str, Any]
) -> None:
    clustering = fit(rows, **options)
    theirs = fit_package(rows, **options).labels_
    pairs = set(zip(theirs.tolist(), clustering.labels.tolist(), strict=True))
    assert len(pairs) == len(set(theirs.tolist()))
    assert (-1 in theirs) == ((-1, -1) in pairs)
    sizes = torch.bincount(clustering.labels[clustering.labels >= 0])
    assert (sizes.diff() <= 0).all()
    again = clustering.update_continued(
        ClusterInputs(torch.from_numpy(rows), torch.ones(len(rows), dtype=torch.float64))
    )
    for name, array in clustering.arrays().items():
        np.testing.assert_array_equal(array, again.arrays()[name])
    assert torch.equal(clustering.labels, again.labels)
    assert again.n_clusters == clustering.n_clusters


@pytest.mark.parametrize(("rows", "options"), CASES[:5])
def test_new_rows_are_assigned_as_the_package_predicts(rows: np.ndarray, options: dict[str, Any]) -> None:
    import hdbscan

    fitted = fit_package(rows, **options)
    clustering = HDBSCANClustering.from_fitted_estimator(fitted, torch.from_numpy(rows))
    state = state_of(clustering, rows)
    new = rows + np.random.default_rng(0).normal(scale=0.2 * rows.std(), size=rows.shape)
    predicted = hdbscan.approximate_predict(fitted, new)[0]
    assigned = clustering.assign(torch.from_numpy(new), state).numpy()
    assert len(set(predicted.tolist())) > 2
    assert (predicted == assigned).mean() >= 0.95
    np.testing.assert_array_equal(clustering.assign(torch.from_numpy(rows), state), fitted.labels_)


def test_a_node_that_no_row_leaves_keeps_the_exemplars_of_all_its_leaves() -> None:
    kinds = [("parent", int), ("child", int), ("lambda_val", float), ("child_size", int)]
    table = [(6, 7, 1.0, 4), (6, 8, 1.0, 2), (7, 9, 2.0, 2), (7, 10, 2.0, 2)]
    table += [(9, 0, 3.0, 1), (9, 1, 4.0, 1), (10, 2, 5.0, 1), (10, 3, 5.0, 1), (8, 4, 2.0, 1), (8, 5, 2.0, 1)]
    tree = CondensedTree(np.array(table, dtype=kinds))
    node = tree.node_of(np.array([0, 1, 2, 3]))
    assert node == 7
    assert tree.exemplars(node).tolist() == [1, 2, 3]
    assert tree.rows_below(node).tolist() == [0, 1, 2, 3]
    assert tree.rows_beside(node).tolist() == [4, 5]


def test_the_edge_separates_members_from_noise_whatever_the_options() -> None:
    generator, clusters = np.random.default_rng(0), 0
    for _ in range(60):
        n_rows, dim = int(generator.integers(20, 100)), int(generator.integers(1, 5))
        rows = generator.normal(size=(n_rows, dim)) + generator.integers(0, 4, size=(n_rows, 1)) * 2.0
        options = {
            "min_cluster_size": int(generator.integers(2, 6)),
            "cluster_selection_method": ["eom", "leaf"][generator.integers(2)],
            "allow_single_cluster": bool(generator.integers(2)),
            "cluster_selection_epsilon": float(generator.choice([0.0, 0.5])),
        }
        clustering = fit(rows, **options)
        labels, state = clustering.labels, state_of(clustering, rows)
        inside = Exemplar().boundary_margins(torch.from_numpy(rows), state)
        assert (inside[labels < 0] <= 1e-9).all()
        member = labels >= 0
        assert (inside[member, labels[member]] >= -1e-9).all()
        clusters += clustering.n_clusters
    assert clusters > 100


def test_rows_of_weight_0_have_no_say_but_a_label() -> None:
    rows = DIGITS[:300]
    weights = np.ones(300)
    weights[::7] = 0
    clustering = fit(rows, weights, min_cluster_size=5)
    there = weights > 0
    alone = fit(rows[there], min_cluster_size=5)
    np.testing.assert_array_equal(clustering.labels[there], alone.labels)
    np.testing.assert_array_equal(np.flatnonzero(there)[alone.exemplars], clustering.exemplars)
    np.testing.assert_array_equal(np.flatnonzero(there)[alone.neighbours], clustering.neighbours[there])
    np.testing.assert_array_equal(clustering.tree[there], alone.tree)
    expected = alone.assign(torch.from_numpy(rows[~there]), state_of(alone, rows[there]))
    assert torch.equal(clustering.labels[~there], expected)
    assert (expected >= 0).any()


def test_other_weights_only_count_as_presence() -> None:
    weighted = fit(MOONS, np.linspace(0.1, 3, len(MOONS)), min_cluster_size=10)
    assert torch.equal(weighted.labels, fit(MOONS, min_cluster_size=10).labels)


def test_following_numbers_by_overlap_and_lets_clusters_die_and_be_born() -> None:
    rows, groups = make_blobs(
        [40, 30, 20], n_features=2, centers=np.array([[0.0, 0], [20, 0], [0, 20]]), shuffle=False, random_state=0
    )
    clustering = fit(rows, min_cluster_size=10)
    assert clustering.n_clusters == 3
    weights = torch.ones(90, dtype=torch.float64)
    weights[groups == 0] = 0  # the largest is gone, so that a fresh fit calls another one cluster 0
    followed = clustering.update_continued(ClusterInputs(torch.from_numpy(rows), weights))
    assert followed.n_clusters == 3
    assert torch.equal(followed.labels[groups > 0], clustering.labels[groups > 0])
    state = followed.state(ClusterInputs(torch.from_numpy(rows), weights))
    assert state.nonempty.tolist() == [False, True, True]


def test_a_cluster_without_an_old_partner_gets_a_new_number() -> None:
    rows = make_blobs([40, 30], n_features=2, centers=np.array([[0.0, 0], [20, 0]]), shuffle=False, random_state=0)[0]
    before = fit(rows, min_cluster_size=10)
    assert before.n_clusters == 2
    apart = rows.copy()
    apart[:20] += 50.0  # the larger cluster falls in two
    after = before.update_continued(ClusterInputs(torch.from_numpy(apart), torch.ones(70, dtype=torch.float64)))
    assert after.n_clusters == 3
    found = [set(part.tolist()) - {-1} for part in after.labels.split([20, 20, 30])]
    assert found[2] == {1}
    assert sorted(map(sorted, found[:2])) == [[0], [2]]


def test_a_fitted_estimator_keeps_its_labels_and_is_not_touched() -> None:
    import hdbscan

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted = hdbscan.HDBSCAN(min_cluster_size=5).fit(DIGITS[:300])
    before = {name: id(value) for name, value in vars(fitted).items()}
    labels = fitted.labels_.copy()
    clustering = HDBSCANClustering.from_fitted_estimator(fitted, torch.from_numpy(DIGITS[:300]))
    np.testing.assert_array_equal(clustering.labels, labels)
    np.testing.assert_array_equal(fitted.labels_, labels)
    assert {name: id(value) for name, value in vars(fitted).items()} == before
    followed = clustering.update_continued(
        ClusterInputs(torch.from_numpy(DIGITS[:300]), torch.ones(300, dtype=torch.float64))
    )
    np.testing.assert_array_equal(followed.labels, labels)


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        (None, 300, "without labels_ and condensed_tree_"),
        ({}, 299, "300 rows, but there are 299"),
        ({"metric": "manhattan"}, 300, "metric='manhattan'"),
        ({"alpha": 1.5}, 300, r"alpha=1\.5"),
    ],
)
def test_estimators_that_cannot_be_described_are_refused(
    options: dict[str, Any] | None, rows: int, message: str
) -> None:
    import hdbscan

    model = hdbscan.HDBSCAN() if options is None else fit_package(DIGITS[:300], **options)
    with pytest.raises(InvalidParameterError, match=message):
        HDBSCANClustering.from_fitted_estimator(model, torch.from_numpy(DIGITS[:rows]))
    with pytest.raises(InvalidParameterError, match="KMeans without"):
        HDBSCANClustering.from_fitted_estimator(KMeans(), torch.from_numpy(DIGITS[:rows]))


@pytest.mark.parametrize(("rows", "options"), [CASES[0], CASES[5]])
def test_restoring_gives_the_same_bits(rows: np.ndarray, options: dict[str, Any]) -> None:
    clustering = fit(rows, **options)
    settings = json.loads(json.dumps(clustering.settings))
    restored = HDBSCANClustering.restore(clustering.labels, clustering.n_clusters, clustering.arrays(), settings)
    for before, after in zip(state_of(clustering, rows), state_of(restored, rows), strict=True):
        assert before == after if isinstance(before, int) else torch.equal(before, after)
    assert restored.settings == clustering.settings


TWINS = np.repeat(np.array([[0.0, 0.0], [5.0, 5.0], [9.0, 0.0]]), 8, axis=0)
HALF = np.r_[TWINS, np.random.default_rng(0).normal(size=(20, 2))]


@pytest.mark.parametrize(
    ("rows", "options", "n_clusters"),
    [
        pytest.param(BLOB[:40], {"min_cluster_size": 30}, 0, id="all noise"),
        pytest.param(BLOB[:3], {"min_cluster_size": 5}, 0, id="fewer rows than a cluster needs"),
        pytest.param(BLOB[:2], {"min_cluster_size": 2}, 0, id="two rows"),
        pytest.param(BLOB[:1], {"min_cluster_size": 5}, 0, id="one row"),
        pytest.param(BLOB, {"min_cluster_size": 10, "allow_single_cluster": True}, 1, id="one cluster"),
        pytest.param(TWINS, {"min_cluster_size": 5, "min_samples": 3}, 3, id="only duplicates"),
        pytest.param(HALF, {"min_cluster_size": 5, "min_samples": 3}, None, id="some duplicates"),
        pytest.param(np.zeros((12, 2)), {"min_cluster_size": 5}, None, id="one point"),
    ],
)
@pytest.mark.parametrize("score", [Exemplar(), HdbscanMembership()], ids=lambda score: score.name)
def test_small_and_degenerate_data_stay_finite(
    rows: np.ndarray, options: dict[str, Any], n_clusters: int | None, score: Any
) -> None:
    clustering = fit(rows, **options)
    if n_clusters is not None:
        assert clustering.n_clusters == n_clusters
    z, w = torch.from_numpy(rows), torch.ones(len(rows), dtype=torch.float64)

    def total(members: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        state = clustering.state(ClusterInputs(members, weights))
        return score.logits(members, state).sum() + score.boundary_margins(members, state).sum()

    gradients = torch.func.grad(total, argnums=(0, 1))(z, w)
    assert torch.isfinite(total(z, w))
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert torch.isfinite(total(z, torch.zeros_like(w)))
    assert clustering.assign(z, clustering.state(ClusterInputs(z, w))).shape == (len(rows),)
    followed = clustering.update_continued(ClusterInputs(z, w))
    assert torch.equal(followed.labels, clustering.labels)
