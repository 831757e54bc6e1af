"""Given labels that are found anew: matched to the old clusters, lost clusters are said, and nothing happens in silence."""

from __future__ import annotations

import importlib.util
import itertools
import random
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from palmerpenguins import load_penguins
from sklearn.cluster import AgglomerativeClustering, KMeans
from sklearn.datasets import load_digits, load_iris, make_moons
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import kneighbors_graph

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import ClusterInputs, GivenLabels
from clusterexplain.clustering.given.reclustered_labels import with_reclusterer
from clusterexplain.exceptions import AdoptedClustersWarning, InvalidParameterError
from clusterexplain.storage import sidecars

GAP, LEAST = 1.5, 3
"""Of :func:`runs`: rows that are farther apart are of two runs, and fewer rows are noise."""


def runs(Z: np.ndarray, sample_weight: np.ndarray) -> list[str]:
    """Name the run of rows on a line that each row is in; few rows are noise. Without ties, so the answer is known."""
    order = np.argsort(Z[:, 0], kind="stable")
    number = np.empty(len(Z), dtype=int)
    number[order] = np.concatenate([[0], np.cumsum(np.diff(Z[order, 0]) > GAP)])
    sizes = np.bincount(number)
    return [f"run {one}" if sizes[one] >= LEAST else "noise" for one in number]


#            0    1    2    3     4     5     6     7     8     9     10
LINE = [0.0, 1.0, 2.1, 10.0, 11.0, 12.1, 13.0, 14.0, 15.2, 30.0, 31.0]
LINE += [32.1]
LABELS = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 2])


def line(**options: Any) -> ClusterExplainer:
    """Fit the rows on a line as they are, with labels in numbers of their own."""
    X = np.column_stack([LINE, np.zeros(len(LINE))])
    return ClusterExplainer("precomputed", reclusterer=runs, random_state=0, min_agreement=0, **options).fit(
        X, labels=LABELS
    )


def without(*rows: int) -> np.ndarray:
    weights = np.ones(len(LINE))
    weights[list(rows)] = 0
    return weights


def test_nothing_removed_is_the_fit() -> None:
    ce = line()
    np.testing.assert_array_equal(ce.labels_, LABELS)
    again = ce.refit(np.ones(len(LINE)))
    np.testing.assert_array_equal(again.labels_, LABELS)
    e = ce.explain([4])
    np.testing.assert_allclose(e.evaluate(again), e.scores, rtol=1e-12)


def test_a_cluster_whose_row_is_removed_vanishes_and_that_is_said() -> None:
    """Run 30, 31, 32.1 has three rows: without one of them it is noise, and the other two runs keep their numbers."""
    ce = line()
    fit, e = ce.fit_, ce.explain([9, 4, 0], against="runner-up")
    outcome = fit.at(without(11), e.margins)
    np.testing.assert_array_equal(outcome.labels, [1, 1, 1, 0, 0, 0, 0, 0, 0, -1, -1, 0])
    assert outcome.dissolved == (2,)
    assert outcome.final_clusters.tolist() == [-1, 0, 1]
    assert np.isnan(outcome.scores).tolist() == [True, bool(e.runner_ups[1] == 2), False]
    assert outcome.reasons[0] == "cluster 2 dissolved: no member of positive weight is left; the sample is now in noise"
    assert outcome.reasons[2] == ""
    kept = fit.at(without(11), e.margins, assignments="kept")
    assert np.isfinite(kept.scores).all()


def test_the_row_that_is_absent_is_where_a_new_row_would_be() -> None:
    """Row 11 is left out above: of the clusters that are found, the one around 12.5 is nearest."""
    refit = line().refit(without(11))
    assert refit.labels_[11] == 0
    assert refit.predict(np.array([[32.1, 0.0]])).tolist() == [0]


def moons(score: str) -> tuple[np.ndarray, np.ndarray, ClusterExplainer, ClusterExplainer]:
    """Return two moons, which no centroid describes, and fits of their labels: without and with a way to find them anew."""
    X, y = make_moons(120, noise=0.05, random_state=0)
    said: dict[str, Any] = {"labels": y}
    if score == "graph":
        near = kneighbors_graph(X, 10)
        said["graph"] = near.maximum(near.T)
    single = AgglomerativeClustering(2, linkage="single")
    given, anew = (
        ClusterExplainer("precomputed", membership_score=score, random_state=0, reclusterer=way).fit(X, **said)
        for way in (None, single)
    )
    return X, y, given, anew


@pytest.mark.parametrize("score", ["knn", "graph"])
def test_new_rows_go_to_the_highest_score_with_and_without_a_reclusterer(score: str) -> None:
    X, y, given, anew = moons(score)
    for ce in (given, anew):
        np.testing.assert_array_equal(ce.predict(X + 1e-3), y)
    np.testing.assert_array_equal(anew.explain(X[:9] + 1e-3).scores, given.explain(X[:9] + 1e-3).scores)
    assert (anew.explain(X[:9] + 1e-3).scores > 0).all()


@pytest.mark.parametrize("score", ["knn", "graph"])
def test_removed_rows_go_to_the_highest_score(score: str) -> None:
    """Every tenth row of a moon is removed: its neighbours, which are of its moon, say where it is."""
    X, y, _, anew = moons(score)
    weights = np.ones(len(X))
    weights[::10] = 0
    refit = anew.refit(weights)
    np.testing.assert_array_equal(refit.labels_, y)
    np.testing.assert_array_equal(refit.predict(X), y)
    margins = anew.explain(list(range(0, 120, 10))).margins
    for assignments in ("continued", "scratch"):
        outcome = anew.fit_.at(weights, margins, assignments=assignments)
        np.testing.assert_array_equal(outcome.labels, y)
        np.testing.assert_array_equal(outcome.final_clusters, y[::10])


def test_a_cluster_that_breaks_gives_its_number_to_the_larger_part() -> None:
    """Without rows 4 and 5 the run from 10 to 15.2 is the row 10 (noise) and 13, 14, 15.2; without 6 it is two threes."""
    ce = line()
    refit = ce.refit(without(4, 5))
    assert refit.labels_[[3, 6, 7, 8]].tolist() == [-1, 0, 0, 0]
    broken = ClusterExplainer("precomputed", reclusterer=runs, min_agreement=0).fit(
        np.array([[0.0], [1], [2], [3.2], [4.4], [5.4], [6.4], [7.4], [20], [21], [22]]),
        labels=[0] * 8 + [1] * 3,
    )
    weights = np.ones(11)
    weights[3] = 0  # the gap from 2 to 4.4 is too wide: 0, 1, 2 and 4.4 to 7.4
    refit = broken.refit(weights)
    assert refit.labels_[[0, 1, 2]].tolist() == [2, 2, 2]
    assert refit.labels_[4:].tolist() == [0] * 4 + [1] * 3
    assert refit.fit_.clustering.n_clusters == 3


def test_all_noise_leaves_no_cluster_and_says_so_for_every_sample() -> None:
    ce = line()
    few = without(*range(2), 4, 5, 7, 8, 10, 11)
    outcome = ce.fit_.at(few, ce.explain([9, 4, 0]).margins)
    assert outcome.dissolved == (0, 1, 2)
    assert set(outcome.labels[few > 0].tolist()) == {-1}
    assert all("dissolved" in reason for reason in outcome.reasons)
    assert outcome.final_clusters.tolist() == [-1, -1, -1]
    assert ce.refit(few).predict(np.array([[11.0, 0.0]])).tolist() == [-1]


def test_from_scratch_is_matched_by_the_members() -> None:
    ce = line()
    e = ce.explain([4])
    scratch = ce.fit_.at(without(11), e.margins, assignments="scratch")
    continued = ce.fit_.at(without(11), e.margins)
    np.testing.assert_array_equal(scratch.labels, continued.labels)
    np.testing.assert_allclose(scratch.scores, continued.scores, rtol=1e-12)
    assert scratch.dissolved == (2,)


@pytest.mark.parametrize(
    ("X", "estimator"),
    [
        (load_iris().data, AgglomerativeClustering(4)),
        (
            load_penguins()[["bill_length_mm", "bill_depth_mm", "flipper_length_mm"]].dropna().to_numpy(),
            KMeans(3, n_init=3, random_state=0),
        ),
        (load_digits().data[:300], AgglomerativeClustering(8, linkage="average")),
    ],
    ids=["iris", "penguins", "digits"],
)
def test_refits_are_the_function_run_by_hand(X: np.ndarray, estimator: Any) -> None:
    """The partition is that of the estimator on the rows that are there; the numbers maximise the rows in common."""
    labels = estimator.fit(X).labels_
    ce = ClusterExplainer("precomputed", reclusterer=estimator, random_state=0).fit(X, labels=labels)
    rng = np.random.default_rng(0)
    for n_removed in (1, len(X) // 20, len(X) // 3):
        weights = np.ones(len(X))
        weights[rng.permutation(len(X))[:n_removed]] = 0
        there = weights > 0
        by_hand = type(estimator)(**estimator.get_params()).fit(X[there]).labels_
        found = ce.refit(weights).labels_[there]
        assert adjusted_rand_score(by_hand, found) == 1.0
        if by_hand.max() < 5:
            permuted = [np.array(order)[by_hand] for order in itertools.permutations(range(by_hand.max() + 1))]
            assert (found == labels[there]).sum() == max((one == labels[there]).sum() for one in permuted)


def test_texts_name_the_clusters_and_the_function_may_use_others() -> None:
    X = np.column_stack([LINE, np.zeros(len(LINE))])
    names = np.array(["large", "left", "right"])[LABELS]
    ce = ClusterExplainer("precomputed", reclusterer=runs, min_agreement=0).fit(X, labels=names)
    assert ce.cluster_names_ == {0: "large", 1: "left", 2: "right"}
    np.testing.assert_array_equal(ce.refit(np.ones(len(X))).labels_, LABELS)


def test_a_function_that_gives_other_labels_each_time_is_refused() -> None:
    rng = np.random.default_rng(0)

    def guess(Z: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        return rng.integers(0, 3, len(Z))

    with pytest.raises(InvalidParameterError, match=r"reclusterer=guess gives other labels each time.*set its seed"):
        ClusterExplainer("precomputed", reclusterer=guess).fit(load_iris().data, labels=load_iris().target)


def test_other_numbers_for_the_same_clusters_are_the_same_labels() -> None:
    turn = itertools.count()

    def renamed(Z: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
        return (np.unique(runs(Z, sample_weight), return_inverse=True)[1] + next(turn)) % 3

    X = np.column_stack([LINE, np.zeros(len(LINE))])
    ce = ClusterExplainer("precomputed", reclusterer=renamed, min_agreement=0).fit(X, labels=LABELS)
    np.testing.assert_array_equal(ce.refit(np.ones(len(X))).labels_, LABELS)


def test_how_well_it_finds_the_given_labels_is_said() -> None:
    X, labels = load_iris().data, load_iris().target
    mine = AgglomerativeClustering(3)
    agreement = adjusted_rand_score(labels, mine.fit_predict(X))
    assert agreement == pytest.approx(0.73, abs=0.005)
    with pytest.warns(
        AdoptedClustersWarning, match=r"AgglomerativeClustering finds other clusters.*Rand index 0\.73, .* of 150"
    ):
        ClusterExplainer("precomputed", reclusterer=mine).fit(X, labels=labels)


def test_labels_that_are_found_again_are_not_spoken_about() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line()


@pytest.mark.parametrize(
    "clusterer", ["kmeans", "hdbscan", lambda inputs, spec: GivenLabels(torch.from_numpy(LABELS), 3)]
)
def test_what_is_run_again_by_itself_takes_no_reclusterer(clusterer: Any) -> None:
    X = np.column_stack([LINE, np.zeros(len(LINE))])
    with pytest.raises(InvalidParameterError, match=r"is run again by itself\. Expected fit\(X, labels=\.\.\.\)"):
        ClusterExplainer("precomputed", clusterer, n_clusters=2, reclusterer=runs).fit(X)
    inputs = ClusterInputs(torch.from_numpy(X), torch.ones(len(X), dtype=torch.float64))
    from clusterexplain.clustering import KMeansClustering

    with pytest.raises(InvalidParameterError, match=r"those of 'kmeans'"):
        with_reclusterer(KMeansClustering(torch.from_numpy(LABELS), 3), runs, inputs)


def test_a_fitted_estimator_counts_as_its_labels() -> None:
    X = load_iris().data
    fitted = KMeans(3, n_init=3, random_state=0).fit(X)
    ce = ClusterExplainer("precomputed", fitted, reclusterer=KMeans(3, n_init=3, random_state=0)).fit(X)
    np.testing.assert_array_equal(ce.labels_, fitted.labels_)
    assert ce.fit_.clustering.name == "labels"


def test_stability_runs_the_function_and_needs_one(tmp_path: Path) -> None:
    X = load_iris().data
    means = KMeans(3, n_init=3, random_state=0)
    ce = ClusterExplainer("precomputed", reclusterer=means, random_state=0).fit(X, labels=means.fit(X).labels_)
    stability = ce.stability(n_seeds=0, n_bootstrap=3)
    drawn, labels = stability.weights[1], stability.labels[1]
    by_hand = KMeans(3, n_init=3, random_state=0).fit(X[drawn > 0], sample_weight=drawn[drawn > 0]).labels_
    assert adjusted_rand_score(by_hand, labels[drawn > 0]) == 1.0
    ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    assert "KMeans" in (tmp_path / "run" / "run.json").read_text()
    with pytest.raises(
        InvalidParameterError, match=r"labels of this fit were given.*reclusterer=.*ClusterExplainer\.load"
    ):
        loaded.stability(n_seeds=0, n_bootstrap=3)
    again = ClusterExplainer.load(tmp_path / "run", reclusterer=means)
    np.testing.assert_array_equal(again.stability(n_seeds=0, n_bootstrap=3).labels, stability.labels)
    assert again.fit_.key == ce.fit_.key


def test_stability_is_shown_only_with_the_reclusterer_that_it_was_measured_with(tmp_path: Path) -> None:
    X = load_iris().data
    means = KMeans(3, n_init=3, random_state=0)
    ce = ClusterExplainer("precomputed", reclusterer=means, random_state=0).fit(X, labels=means.fit(X).labels_)
    stability, folder = ce.stability(n_seeds=0, n_bootstrap=2), tmp_path / "run"
    ce.save(folder)
    again = ClusterExplainer.load(folder, reclusterer=means)
    np.testing.assert_array_equal(again.stability_.labels, stability.labels)
    for other in (None, AgglomerativeClustering(3)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AdoptedClustersWarning)
            loaded = ClusterExplainer.load(folder, reclusterer=other)
        with pytest.raises(AttributeError, match=r"stability_ was not measured for this fit"):
            loaded.stability_  # noqa: B018  # a property that raises
    sidecars.write_stability(folder, {k: v for k, v in stability.to_arrays().items() if k != "reclusterer"})
    with pytest.raises(
        AttributeError, match=r"stability_ was not measured"
    ):  # of a run from before the name was stored
        ClusterExplainer.load(folder, reclusterer=means).stability_  # noqa: B018


@pytest.mark.parametrize(
    ("way", "message"),
    [
        (AgglomerativeClustering(2), r"weights differ, but AgglomerativeClustering\.fit takes no sample_weight"),
        (lambda Z: LABELS, r"cannot be called with two arguments"),
    ],
    ids=["weights", "arity"],
)
def test_what_a_reclusterer_cannot_take_is_refused_before_anything_is_trained(way: Any, message: str) -> None:
    weights = np.where(np.arange(len(LINE)) == 3, 2.0, 1.0)
    X = np.column_stack([LINE, np.arange(len(LINE)) % 3])
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer("autoencoder", n_steps=10**9, reclusterer=way).fit(X, labels=LABELS, sample_weight=weights)


def test_an_estimator_without_weights_is_refused_before_anything_is_retrained() -> None:
    X = load_iris().data
    ward = AgglomerativeClustering(3)
    ce = ClusterExplainer("precomputed", reclusterer=ward, random_state=0).fit(X, labels=ward.fit_predict(X))
    with pytest.raises(InvalidParameterError, match=r"drawn twice has twice the weight, but AgglomerativeClustering"):
        ce.stability(n_seeds=0, n_bootstrap=2)
    with pytest.raises(
        InvalidParameterError, match=r"level 'standard' lowers the weights of single examples, but Agglom"
    ):
        ce.verify(ce.explain([123]), level="standard")


def test_leiden_gives_stability_and_checks_with_the_clustering_continued() -> None:
    """On 700 blood cells; the function is the one of the documentation."""
    igraph = pytest.importorskip("igraph")
    Z = blood_cells()

    def leiden(Z: np.ndarray, sample_weight: np.ndarray) -> list[int]:
        near = kneighbors_graph(Z, 15)
        edges = np.array(near.maximum(near.T).nonzero()).T
        random.seed(0)
        graph = igraph.Graph(len(Z), edges[edges[:, 0] < edges[:, 1]])
        membership: list[int] = graph.community_leiden("modularity", resolution=0.5, n_iterations=10).membership
        return membership

    labels = np.array(leiden(Z, np.ones(len(Z))))
    ce = ClusterExplainer("precomputed", reclusterer=leiden, random_state=0).fit(Z, labels=labels)
    check = ce.verify(ce.explain([0, 350]), n_single=20, n_within=0, n_groups=0, n_top=0)
    assert check.figure("single", "kept") > 0.98
    assert check.figure("single", "continued") < check.figure("single", "kept")
    assert "clustering was not run again" not in check.verdict
    stability = ce.stability(n_seeds=0, n_bootstrap=2)
    assert 0.6 < adjusted_rand_score(labels, stability.labels[0]) < 1


def blood_cells() -> np.ndarray:
    """Return 20 principal components of the cells that scanpy ships; scanpy itself is not imported."""
    anndata = pytest.importorskip("anndata")
    found = importlib.util.find_spec("scanpy")
    if found is None or found.origin is None:
        pytest.skip("scanpy is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cells = anndata.read_h5ad(Path(found.origin).parent / "datasets" / "10x_pbmc68k_reduced.h5ad")
    return np.asarray(cells.obsm["X_pca"], dtype=np.float64)[:, :20]
