"""A graph of neighbours that the user has: what is taken, what is refused, and what a run keeps of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import scipy.spatial.distance
import scipy.stats
import torch
from sklearn.cluster import KMeans

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import GraphLabels, NeighbourGraph
from clusterexplain.exceptions import AdoptedClustersWarning, InvalidDataError, InvalidParameterError, RunDamagedError
from clusterexplain.storage import run_directory
from tests.conftest import OF_ANNDATA

N = 30


def rows() -> np.ndarray:
    """Return rows in three dimensions."""
    return np.random.default_rng(0).normal(size=(N, 3))


def labels() -> np.ndarray:
    """Return labels of every third row."""
    return np.arange(N) % 3


def graph() -> scipy.sparse.csr_matrix:
    """Return a graph in which most edges stay within a label."""
    rng = np.random.default_rng(1)
    same = labels()[:, None] == labels()
    drawn = np.triu(rng.uniform(size=(N, N)) * (rng.uniform(size=(N, N)) < np.where(same, 0.6, 0.1)), 1)
    return scipy.sparse.csr_matrix(drawn + drawn.T)


def fitted(**parameters: Any) -> ClusterExplainer:
    """Return a fit with labels and their graph."""
    return ClusterExplainer("precomputed", **parameters).fit(rows(), labels=labels(), graph=graph())


def test_edges_are_those_of_the_matrix_and_the_strongest_is_1() -> None:
    dense = graph().toarray()
    found = NeighbourGraph.of(7 * graph() + scipy.sparse.eye(N), N)
    again = np.zeros((N, N))
    for row in range(N):
        edges = slice(int(found.starts[row]), int(found.starts[row + 1]))
        again[row, found.ends[edges].numpy()] = found.strengths[edges].numpy()
    np.testing.assert_allclose(again, dense / dense.max(), rtol=1e-12)


def test_a_matrix_is_not_changed() -> None:
    given = graph()
    given.setdiag(0.5)
    before = given.toarray()
    NeighbourGraph.of(given, N)
    np.testing.assert_array_equal(given.toarray(), before)


NEGATIVE = graph().toarray()
NEGATIVE[0, 1] = NEGATIVE[1, 0] = -1
MISSING = graph().toarray()
MISSING[0, 1] = MISSING[1, 0] = np.nan
ONE_SIDED = graph().toarray()
ONE_SIDED[0, 1] = 2.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (graph()[:-1], r"graph has shape \(29, 30\), expected \(30, 30\): .*same order.* graph\[rows\]\[:, rows\]"),
        (pd.DataFrame(graph().toarray()), r"graph is a DataFrame\. Expected a sparse matrix of shape \(30, 30\)"),
        (np.ones(30), r"graph is a ndarray\. Expected a sparse matrix"),
        (NEGATIVE, r"graph has strengths from -1 to .* at least 0: similarities such as obsp\['connectivities'\]"),
        (MISSING, r"or some that are missing\. Expected finite numbers"),
        (ONE_SIDED, r"graph is not symmetric: .* differ by up to \d.*\(graph \+ graph\.T\) / 2 is one"),
        (np.eye(30), r"graph has no edges\. Expected a strength above 0"),
        (graph().toarray().astype(str), r"graph has entries of type <U\d+\. Expected real numbers"),
        (graph() * (1 + 1j), r"graph has entries of type complex128\. Expected real numbers"),
        (graph().toarray().astype(object), r"graph has entries of type object\. .*graph\.astype\(float\)"),
    ],
    ids=["shape", "frame", "vector", "negative", "missing", "one-sided", "loops", "texts", "complex", "objects"],
)
def test_what_cannot_be_a_graph_is_refused(given: Any, message: str) -> None:
    with pytest.raises(InvalidDataError, match=message):
        ClusterExplainer("precomputed").fit(rows(), labels=labels(), graph=given)


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        (
            {"membership_score": "graph"},
            {"labels": labels()},
            r"none was given\. Expected given labels and their graph",
        ),
        ({"membership_score": "graph"}, {}, r"none was given\. Expected given labels and their graph"),
        ({}, {"graph": graph()}, r"graph belongs to given labels, but the clusters are found here"),
        ({"membership_score": "knn"}, {"labels": labels(), "graph": graph()}, r"'graph' or 'auto', not by 'knn'"),
        (
            {},
            {"labels": labels(), "graph": "connectivities"},
            r"name of a matrix in obsp of an AnnData, but X is a ndarray",
        ),
    ],
)
def test_a_graph_that_nothing_reads_is_refused_before_anything_is_trained(
    parameters: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer("autoencoder", n_steps=10**9, **parameters).fit(rows(), **arguments)


def test_a_run_keeps_the_graph_and_answers_the_same_bytes(tmp_path: Path) -> None:
    ce = fitted(membership_score="graph")
    e = ce.explain([0, 1, 2])
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    again = loaded.explain([0, 1, 2])
    assert again.influence.tobytes() == e.influence.tobytes()
    assert again.scores.tobytes() == e.scores.tobytes()
    assert loaded.fit_.key == ce.fit_.key
    assert isinstance(loaded.clusterer, GraphLabels)
    repeated = ClusterExplainer(**loaded.get_params()).fit(rows())
    assert repeated.explain([0, 1, 2]).influence.tobytes() == e.influence.tobytes()


def test_another_graph_is_another_fit() -> None:
    other = graph()
    other.data[:] = 1.0
    there = ClusterExplainer("precomputed", membership_score="graph").fit(rows(), labels=labels(), graph=other)
    assert there.fit_.key != fitted(membership_score="graph").fit_.key


def test_a_graph_without_its_arrays_is_damage() -> None:
    with pytest.raises(KeyError, match="graph_starts"):
        GraphLabels.restore(torch.from_numpy(labels()), 3, {}, {})


def with_array(run: Path, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    """Replace one array of a run as somebody would who makes its checksum good."""
    path, manifest = run / "arrays.npz", run / "run.json"
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)
    content = json.loads(manifest.read_text())
    content["files"]["arrays.npz"] = run_directory._digest(path.read_bytes())
    content["digest"] = run_directory._manifest_digest(content)
    manifest.write_text(json.dumps(content))


def _with(value: float, at: int) -> Callable[[np.ndarray], np.ndarray]:
    def change(array: np.ndarray) -> np.ndarray:
        array[at] = value
        return array

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("starts", _with(1, 0), r"graph_starts is not 31 ascending whole numbers from 0"),
        ("starts", _with(10**6, 3), r"graph_starts is not 31 ascending"),
        ("starts", lambda array: array[:-1], r"graph_starts is not 31 ascending"),
        ("starts", lambda array: array.astype(float), r"graph_starts is not 31 ascending"),
        ("ends", _with(N, 0), r"graph_ends is not \d+ row numbers from 0 to 29"),
        ("ends", _with(-1, 0), r"graph_ends is not \d+ row numbers from 0 to 29"),
        ("ends", lambda array: array[:-1], r"graph_ends is not \d+ row numbers from 0 to 29"),
        ("strengths", _with(np.nan, 0), r"graph_strengths is not \d+ numbers above 0 and at most 1"),
        ("strengths", _with(1.5, 0), r"graph_strengths is not \d+ numbers above 0 and at most 1"),
        ("strengths", _with(0, 0), r"graph_strengths is not \d+ numbers above 0 and at most 1"),
        ("strengths", lambda array: array[:-1], r"graph_strengths is not \d+ numbers above 0 and at most 1"),
    ],
)
def test_a_changed_graph_is_damage_when_the_run_is_opened(
    tmp_path: Path, name: str, change: Callable[[np.ndarray], np.ndarray], message: str
) -> None:
    run = Path(fitted(membership_score="graph").save(tmp_path / "run"))
    with_array(run, f"clustering.graph_{name}", lambda array: array)
    ClusterExplainer.load(run)
    with_array(run, f"clustering.graph_{name}", change)
    with pytest.raises(RunDamagedError, match=rf"is damaged: .*{message}.*Restore it or fit anew"):
        ClusterExplainer.load(run)


@pytest.mark.parametrize("distances", [True, False], ids=["distances", "similarities"])
def test_a_graph_of_distances_is_said_to_be_one(distances: bool) -> None:
    """Over the edges once, by scipy; a similarity that falls with the distance is taken in silence."""
    X = rows()
    apart = scipy.spatial.distance.squareform(scipy.spatial.distance.pdist(X))
    near = (apart < 2) * (apart if distances else np.exp(-apart))
    noisy = near * np.random.default_rng(2).uniform(0.7, 1, size=(N, N))
    noisy = np.triu(noisy, 1) + np.triu(noisy, 1).T
    upper = np.triu_indices(N, 1)
    strong = noisy[upper] > 0
    expected = scipy.stats.spearmanr(noisy[upper][strong], apart[upper][strong]).statistic
    assert abs(expected) > 0.5
    found = NeighbourGraph.of(noisy, N).rises_with_distance(torch.from_numpy(X))
    assert found == pytest.approx(expected, abs=1e-12)
    ce = ClusterExplainer("precomputed", membership_score="graph", min_agreement=0)
    if not distances:
        ce.fit(X, labels=labels(), graph=noisy)
        return
    message = (
        rf"looks like distances: .*rank correlation {expected:.2f}.*Expected similarities, such as obsp\['connectivit"
    )
    with pytest.warns(AdoptedClustersWarning, match=message):
        ce.fit(X, labels=labels(), graph=noisy)


def test_few_or_equal_edges_do_not_look_like_distances() -> None:
    line = torch.arange(21.0, dtype=torch.float64).square().unsqueeze(1)
    rising = np.diag(np.arange(1.0, 21), 1)
    rising += rising.T
    assert NeighbourGraph.of(rising, 21).rises_with_distance(line) == 1.0
    assert NeighbourGraph.of(rising[:20, :20], 20).rises_with_distance(line[:20]) == 0.0  # 19 edges
    assert NeighbourGraph.of((rising > 0) * 1.0, 21).rises_with_distance(line) == 0.0


def test_the_answer_says_that_the_graph_is_held_fixed() -> None:
    e = fitted(membership_score="graph").explain([0])
    assert "the given graph, which is held fixed" in str(e)
    assert (e.influence == e.rows.direct).all()


@OF_ANNDATA
def test_a_key_of_obsp_names_the_graph_of_cells() -> None:
    anndata = pytest.importorskip("anndata")
    cells = anndata.AnnData(rows(), obsp={"connectivities": graph()})
    ce = ClusterExplainer("precomputed", membership_score="graph")
    ce.fit(cells, labels=labels(), use_rep="X", graph="connectivities")
    expected = fitted(membership_score="graph").explain([0, 1])
    np.testing.assert_array_equal(ce.explain(["0", "1"]).influence, expected.influence)
    with pytest.raises(InvalidParameterError, match=r"adata\.obsp has no 'nearest'\. Expected one of: connectivities"):
        ce.fit(cells, labels=labels(), use_rep="X", graph="nearest")


def test_labels_with_a_graph_are_found_anew_and_the_graph_stays(tmp_path: Path) -> None:
    apart = rows() + 8 * np.eye(3)[labels()]
    means = KMeans(3, n_init=3, random_state=0)
    ce = ClusterExplainer("precomputed", membership_score="graph", min_agreement=0.5, reclusterer=means)
    ce.fit(apart, labels=labels(), graph=graph())
    e = ce.explain([0, 1])
    weights = np.ones(N)
    weights[5] = 0.0
    assert graph()[5].max() < graph().max(), "the strongest edge, which is the unit, stays"
    margins = e.evaluate(ce.refit(weights))
    present = weights > 0
    by_hand = ClusterExplainer("precomputed", membership_score="graph", min_agreement=0.5)
    by_hand.fit(apart[present], labels=means.fit(apart[present]).labels_, graph=graph()[present][:, present])
    np.testing.assert_allclose(by_hand.explain([0, 1]).scores, margins, rtol=1e-9)
    for assignments in ("kept", "scratch"):
        outcome = ce.fit_.at(weights, e.margins, assignments=assignments)
        np.testing.assert_allclose(outcome.scores, margins, rtol=1e-9)
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"), reclusterer=means)
    np.testing.assert_array_equal(loaded.explain([0, 1]).evaluate(loaded.refit(weights)), margins)
