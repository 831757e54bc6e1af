"""Verdicts on given labels: run again by a reclusterer, or said not to have been, on every surface."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.datasets import load_iris

from clusterexplain import Check, ClusterExplainer
from clusterexplain.exceptions import AdoptedClustersWarning, InvalidParameterError
from clusterexplain.results.verdict import CheckSummary
from clusterexplain.storage.sidecars import read_check, write_check

SENTENCE = "The labels were given and the clustering was not run again"
BADGE = "(given labels, clustering not run again)"
FEW = {"n_single": 24, "n_within": 0, "n_groups": 4, "n_top": 0}
OPTIONS = {"latent_dim": 2, "hidden": (6,), "n_steps": 60, "random_state": 0, "dtype": "float64"}


def thirds(Z: np.ndarray, sample_weight: np.ndarray) -> np.ndarray:
    """Cluster by complete linkage."""
    return AgglomerativeClustering(3, linkage="complete").fit_predict(Z)


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    """Return what the function finds in the embedding of the recipe, which does not depend on labels."""
    embedding = ClusterExplainer(**OPTIONS, n_clusters=3).fit(load_iris().data).embedding_
    return thirds(embedding, np.ones(150))


@pytest.fixture(scope="module")
def kept(labels: np.ndarray) -> ClusterExplainer:
    return ClusterExplainer(**OPTIONS).fit(load_iris().data, labels=labels)


@pytest.fixture(scope="module")
def found(labels: np.ndarray) -> ClusterExplainer:
    return ClusterExplainer(**OPTIONS, reclusterer=thirds).fit(load_iris().data, labels=labels)


@pytest.fixture(scope="module")
def kept_check(kept: ClusterExplainer) -> Check:
    return kept.verify(kept.explain([60, 123]), **FEW)


@pytest.fixture(scope="module")
def found_check(found: ClusterExplainer) -> Check:
    return found.verify(found.explain([60, 123]), **FEW)


def test_a_check_runs_the_function_on_every_retrained_embedding(found: ClusterExplainer, found_check: Check) -> None:
    """By hand: the function on the rows that stay, clusters named by most members, the log ratio with its floor."""
    e, base = found.explain([60, 123]), found.labels_
    for number, removal in enumerate(found_check.removals[:6]):
        weights = removal.weights(np.ones(150))
        there = weights > 0
        theta = found.fit_.thetas(weights)[0]
        Z = found.fit_.embed(found.fit_.recipe.inputs, found.fit_.recipe.layout.split(theta)).numpy()
        groups = thirds(Z[there], weights[there])
        name = {group: np.bincount(base[there][groups == group]).argmax() for group in range(3)}
        assert sorted(name.values()) == [0, 1, 2]
        centers = {name[group]: Z[there][groups == group].mean(axis=0) for group in range(3)}
        within = np.mean(
            [
                ((Z[row] - centers[name[group]]) ** 2).sum()
                for row, group in zip(np.flatnonzero(there), groups, strict=True)
            ]
        )
        for query, (row, own, runner_up) in enumerate(e.answers()):
            far, near = (((Z[row] - centers[cluster]) ** 2).sum() for cluster in (runner_up, own))
            by_hand = np.log(far + within / 100) - np.log(near + within / 100) - e.scores[query]
            assert found_check.headline.retrained["continued"][0, number, query] == pytest.approx(
                by_hand, rel=1e-6, abs=1e-9
            )


def test_with_the_function_the_verdict_tells_kept_and_continued_apart(found_check: Check) -> None:
    assert "with labels kept" in found_check.verdict
    assert "with the clustering continued" in found_check.verdict
    assert SENTENCE not in found_check.verdict
    assert not any(verdict.labels_given for verdict in found_check.explanation.check.each)  # type: ignore[union-attr]


def test_without_one_every_verdict_says_that_nothing_was_clustered_again(kept_check: Check, tmp_path: Path) -> None:
    e = kept_check.explanation
    assert e.check is not None
    for verdict in (e.check.together, *e.check.each):
        assert verdict.sentence.count(SENTENCE) == 1
        assert verdict.words == f"{verdict.status} {BADGE}"
    assert SENTENCE in kept_check.verdict
    assert SENTENCE in kept_check.to_dict()["sentence"]
    assert SENTENCE in repr(e)
    assert SENTENCE in e.to_dict()["checked"]["sentence"]
    assert BADGE in e[0]._repr_mimebundle_()["text/html"]
    assert BADGE in kept_check._repr_mimebundle_()["text/html"]
    page = e.report(tmp_path / "why.html").read_text()
    assert BADGE in page
    assert SENTENCE in page


def test_a_kept_check_says_so_after_loading_and_an_older_one_too(
    kept_check: Check, kept: ClusterExplainer, tmp_path: Path
) -> None:
    stored = kept_check.explanation.stored_check()
    run = kept.save(tmp_path / "run")
    write_check(run, stored)
    opened = kept.explain([60, 123]).with_check(read_check(run))  # type: ignore[arg-type]
    said = [SENTENCE in verdict.sentence and verdict.labels_given for verdict in opened.check.each]  # type: ignore[union-attr]
    assert said == [True, True]
    older = json.loads((run / "check.json").read_text())
    for verdict in (older["together"], *older["each"]):
        verdict["sentence"] = verdict["sentence"].partition(f". {SENTENCE}")[0]
        del verdict["labels_given"]
    write_check(run, older)
    again = kept.explain([60, 123]).with_check(read_check(run))  # type: ignore[arg-type]
    assert again.check == opened.check
    assert not CheckSummary.of(older).together.labels_given


def test_flip_lets_the_function_decide(found: ClusterExplainer, kept: ClusterExplainer) -> None:
    e = found.explain(np.arange(150)[found.margins_.argsort()[20:21]])
    flip = found.flip(e.query_ids[0], max_removed=30)
    assert flip.continued
    assert "the given labels kept" not in flip.sentence
    weights = np.where(np.isin(e.train_ids, flip.removed), 0.0, 1.0)
    outcome = found.fit_.at(weights, e.margins)
    assert flip.landed == outcome.final_clusters[0]
    assert flip.retrained == pytest.approx(float(outcome.scores[0]), nan_ok=True)
    assert not kept.flip(e.query_ids[0], max_removed=30).continued


def test_flip_refuses_a_sample_that_the_function_has_elsewhere_with_nothing_removed(labels: np.ndarray) -> None:
    swapped = labels.copy()
    swapped[123] = labels[0]
    with pytest.warns(AdoptedClustersWarning, match="another cluster for 1 of 150 rows"):
        ce = ClusterExplainer(**OPTIONS, reclusterer=thirds, min_agreement=0).fit(load_iris().data, labels=swapped)
    other = int(np.flatnonzero((labels != labels[0]) & (labels != labels[123]))[0])
    with pytest.raises(
        InvalidParameterError, match=r"With nothing removed, the reclusterer puts sample 123 in cluster"
    ):
        ce.flip(123, against=int(labels[other]))
