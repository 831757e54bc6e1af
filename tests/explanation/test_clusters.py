"""Questions beyond one sample: clusters, pairs, flips, near-duplicates, stability, names, model selection, groups."""

from __future__ import annotations

import dataclasses
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_blobs
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GridSearchCV

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import InvalidParameterError, UnknownSampleError
from clusterexplain.explanation import ClusterAnswer, Flip
from clusterexplain.results.badge import NOT_TRAINED_ON
from clusterexplain.results.explanation import Explanation
from clusterexplain.statistics.groups import group_sums, main_source
from clusterexplain.verification.stability import Stability
from tests.conftest import SMALL

N = 36
CASES: dict[str, dict[str, Any]] = {
    "kmeans": {},
    "gmm": {"clusterer": "gmm"},
    "hdbscan": {"clusterer": "hdbscan", "clusterer_options": {"min_cluster_size": 5, "min_samples": 3}},
}


def rows() -> np.ndarray:
    """Return 36 rows around 3 overlapping centres."""
    return make_blobs(N, n_features=5, centers=3, cluster_std=2.0, random_state=0)[0]


def weights() -> np.ndarray:
    """Return unequal data weights; row 5 is left out."""
    drawn = np.random.default_rng(1).uniform(0.5, 2.0, N)
    drawn[5] = 0
    return drawn


def make(case: str = "kmeans", **parameters: Any) -> ClusterExplainer:
    return ClusterExplainer(**{**SMALL, **CASES[case], **parameters}, dtype="float64")


@cache
def fitted(case: str = "kmeans") -> ClusterExplainer:
    """Return a fit at unequal weights; tests must not modify it."""
    return make(case).fit(rows(), sample_weight=weights())


@cache
def everything(case: str = "kmeans") -> Explanation:
    """Explain every row against its runner-up."""
    return fitted(case).explain(slice(None))


@cache
def answered(case: str, cluster: int) -> ClusterAnswer:
    return fitted(case).explain_cluster(cluster, n_shown=3)


def members_of(case: str, cluster: int) -> np.ndarray:
    """Return the row numbers of a cluster's members of positive weight."""
    return np.flatnonzero((fitted(case).labels_ == cluster) & (weights() > 0))


def strict(answer: Any) -> str:
    """Return JSON, refusing NaN."""
    return json.dumps(answer, allow_nan=False)


QUESTIONS = [("kmeans", 0), ("kmeans", 2), ("gmm", 1), ("hdbscan", 0)]


# cluster


@pytest.mark.parametrize(("case", "cluster"), QUESTIONS)
def test_cohesion_is_the_mean_over_the_members(case: str, cluster: int) -> None:
    cohesion, members = answered(case, cluster).cohesion, members_of(case, cluster)
    assert len(cohesion) == 1
    every = everything(case)
    scale = np.abs(every.influence[members]).max()
    for name in ("influence", "encoder", "cluster", "direct"):
        expected = getattr(every, name)[members].mean(axis=0)
        np.testing.assert_allclose(getattr(cohesion, name)[0], expected, rtol=1e-9, atol=1e-9 * scale, err_msg=name)
    assert cohesion.scores[0] == pytest.approx(every.scores[members].mean(), rel=1e-12)
    assert f"{len(members)} members" in cohesion.headline()
    assert f"{cohesion.scores[0]:.3f}" in cohesion.headline()
    assert cohesion.sides() == ("holds it together", "loosens it")
    assert cohesion.labels.tolist() == [cluster]


@pytest.mark.parametrize(("case", "cluster"), QUESTIONS)
def test_members_are_sorted_and_hold_themselves(case: str, cluster: int) -> None:
    table, members, every = answered(case, cluster).members, members_of(case, cluster), everything(case)
    assert sorted(table["id"]) == members.tolist()
    assert table["margin"].is_monotonic_decreasing
    ids = table["id"].to_numpy()
    np.testing.assert_allclose(table["margin"], every.scores[ids], rtol=1e-12)
    np.testing.assert_array_equal(table["rival"], every.runner_ups[ids])
    shown = table["self_influence"].notna().to_numpy()
    assert shown.sum() == min(6, len(members))
    assert shown[:3].all()
    assert shown[-3:].all()
    diagonal = every.influence[ids, ids]
    np.testing.assert_allclose(table["self_influence"][shown], diagonal[shown], rtol=1e-9, atol=1e-12)
    answer = answered(case, cluster)
    assert answer.typical(2)["id"].tolist() == ids[:2].tolist()
    assert answer.untypical(2)["id"].tolist() == ids[::-1][:2].tolist()


@pytest.mark.parametrize(("case", "cluster"), QUESTIONS)
def test_towards_other_clusters(case: str, cluster: int) -> None:
    ce, members, table = fitted(case), members_of(case, cluster), answered(case, cluster).towards
    others = [k for k in range(ce.labels_.max() + 1) if k != cluster]
    assert sorted(table["rival"]) == others
    assert table["margin"].is_monotonic_increasing
    nearest = everything(case).runner_ups[members]
    for row in table.itertuples():
        against = ce.explain(members.tolist(), against=int(row.rival))
        assert row.margin == pytest.approx(against.scores.mean(), rel=1e-10)
        assert row.n_runner_up == (nearest == row.rival).sum()
        theirs = np.flatnonzero(ce.labels_ == row.rival)
        pulls = against.influence.mean(axis=0)[theirs]
        assert row.pull == pytest.approx(pulls.sum(), rel=1e-8)
        assert row.strongest == theirs[pulls.argmin()]


def test_a_cluster_answer_in_words_and_json() -> None:
    answer = answered("kmeans", 1)
    plain = json.loads(strict(answer.to_dict(3)))
    assert plain["cluster"] == 1
    assert plain["size"] == len(answer.members)
    assert [one["id"] for one in plain["typical"]] == answer.typical(3)["id"].tolist()
    assert [one["rival"] for one in plain["towards"]] == answer.towards["rival"].tolist()
    for text in (repr(answer), answer._repr_mimebundle_()["text/html"]):
        assert "Cluster 1 has" in text
        assert "not checked" in text.lower()
    quick = fitted().explain_cluster(1, n_shown=0)
    assert quick.members["self_influence"].isna().all()
    np.testing.assert_allclose(quick.cohesion.influence, answer.cohesion.influence, rtol=1e-12)
    strict(quick.to_dict())


@pytest.mark.parametrize("cluster", [3, -1, 99])
def test_a_cluster_that_does_not_exist(cluster: int) -> None:
    message = rf"There is no cluster {cluster} with members\. Expected one of: 0, 1, 2"
    with pytest.raises(InvalidParameterError, match=message):
        fitted().explain_cluster(cluster)
    with pytest.raises(InvalidParameterError, match=message):
        fitted().separation(0, cluster)


# between


@pytest.mark.parametrize(("case", "first", "second"), [("kmeans", 0, 2), ("gmm", 1, 0), ("hdbscan", 0, 1)])
def test_separation_is_the_average_of_both_sides(case: str, first: int, second: int) -> None:
    ce, asked = fitted(case), fitted(case).separation(first, second)
    sides = [
        ce.explain(members_of(case, own).tolist(), against=runner_up)
        for own, runner_up in ((first, second), (second, first))
    ]
    expected = np.mean([side.influence.mean(axis=0) for side in sides], axis=0)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(asked.influence[0], expected, rtol=1e-9, atol=1e-9 * scale)
    assert asked.scores[0] == pytest.approx(np.mean([side.scores.mean() for side in sides]), rel=1e-12)
    assert asked.sides() == ("keeps them apart", "merges them")
    turned = ce.separation(second, first)
    np.testing.assert_allclose(turned.influence, asked.influence, rtol=1e-9, atol=1e-12)
    assert turned.scores[0] == pytest.approx(asked.scores[0], rel=1e-12)
    strict(asked.to_dict())


def test_a_pair_seen_from_the_other_side_has_the_opposite_sign() -> None:
    """What keeps a row of cluster 0 away from 2 is what keeps the same new row in: s(a, b) = -s(b, a)."""
    ce, X = fitted(), rows()
    row = X[members_of("kmeans", 0)[:1]]
    forth = ce.explain(row, against=2)
    other_way = dataclasses.replace(forth.margins, own=forth.runner_ups, runner_up=forth.labels)
    swapped = dataclasses.replace(forth, margins=other_way)
    np.testing.assert_allclose(swapped.evaluate(ce), -forth.scores, rtol=1e-12)


@pytest.mark.parametrize("question", ["cohesion", "separation"])
def test_influence_on_a_mixture_is_that_of_real_refits(question: str) -> None:
    ce = fitted("gmm")
    asked = ce.explain_cluster(1, n_shown=0).cohesion if question == "cohesion" else ce.separation(0, 1)
    picked = [0, 7, 12, 25, 31]
    slopes = []
    for i in picked:
        up, down = weights(), weights()
        up[i] += 1e-4
        down[i] -= 1e-4
        ends = [asked.evaluate(ce.refit(one), assignments="kept")[0] for one in (up, down)]
        slopes.append(weights()[i] * (ends[0] - ends[1]) / 2e-4)
    assert np.abs(asked.influence[0, picked] - slopes).max() <= 1e-4 * np.abs(slopes).max()
    np.testing.assert_allclose(asked.evaluate(ce), asked.scores, rtol=1e-10)


def test_answers_about_clusters_are_verified_like_any_other() -> None:
    ce = fitted()
    for asked in (ce.explain_cluster(0, n_shown=0).cohesion, ce.separation(0, 1)):
        check = ce.verify(asked, n_single=8, n_groups=4)
        assert check.explanation.check is not None
        assert check.explanation.checked.startswith("checked without a result: untested")
        assert len(check.table) >= 12
        assert np.corrcoef(check.table["predicted_kept"], check.table["kept"])[0, 1] > 0.8
        strict(check.to_dict())
        json.loads(strict(check.explanation.to_dict()))


def test_two_different_clusters_are_needed() -> None:
    with pytest.raises(
        InvalidParameterError, match=r"separation needs two different clusters, but both are 1\. Expected"
    ):
        fitted().separation(1, 1)


# flip


@cache
def flips() -> tuple[ClusterExplainer, list[Flip]]:
    """Search for what it takes to move the three most marginal samples."""
    ce = fitted()
    order = np.argsort(np.where(weights() > 0, everything().scores, np.inf))
    return ce, [ce.flip(int(one), max_removed=15) for one in order[:3]]


def test_a_confirmed_flip_really_flips() -> None:
    ce, found = flips()
    assert any(one.flipped for one in found)
    for one in found:
        e = ce.explain([one.sample])
        gone = weights()
        gone[one.removed] = 0
        refit = ce.refit(gone)
        margin = e.evaluate(refit)[0]
        assert one.retrained == pytest.approx(margin, rel=1e-6)
        assert one.margin == e.scores[0] > 0
        assert (one.own, one.runner_up) == (e.labels[0], e.runner_ups[0])
        assert one.predicted == pytest.approx(e.scores[0] - e.influence[0, one.removed].sum())
        assert one.sample not in one.removed
        assert 1 <= len(one.removed) <= one.budget == 15
        assert len(set(one.removed.tolist())) == len(one.removed)
        assert (weights()[one.removed] > 0).all()
        if one.flipped:
            assert margin < 0
            assert one.landed == one.runner_up
            assert refit.predict(rows()[[one.sample]])[0] == one.runner_up
            smallest = one.tried[one.tried["flipped"]]["n_removed"].min()
            assert len(one.removed) == smallest
            assert "moves from cluster" in one.sentence
        else:
            assert not one.tried["flipped"].any()
        assert f"{len(one.tried)} sets were tried" in one.sentence
        plain = json.loads(strict(one.to_dict()))
        assert plain["removed"] == one.removed.tolist()
        assert len(plain["tried"]) == len(one.tried)


def test_an_impossible_flip_is_reported_honestly() -> None:
    ce = fitted()
    deepest = int(everything().scores.argmax())
    found = ce.flip(deepest, max_removed=1)
    assert not found.flipped
    assert len(found.removed) == 1
    assert found.budget == 1
    assert (found.tried["n_removed"] == 1).all()
    assert found.sentence.startswith(
        f"No set of at most 1 training examples was found whose removal moves sample {deepest}"
    )
    gone = weights()
    gone[found.removed] = 0
    assert ce.explain([deepest]).evaluate(ce.refit(gone))[0] == pytest.approx(found.retrained, rel=1e-6)
    assert found.retrained > 0
    assert not json.loads(strict(found.to_dict()))["flipped"]
    assert str(found.removed[0]) in repr(found)


def test_a_new_row_and_a_cluster_named_by_against_flip_too() -> None:
    ce, found = flips()
    sample = int(found[0].sample)
    new = ce.flip(rows()[[sample]], max_removed=15)
    assert new.sample == "new 0"
    if new.flipped:
        gone = weights()
        gone[new.removed] = 0
        assert ce.explain(rows()[[sample]]).evaluate(ce.refit(gone))[0] < 0
    other = next(k for k in range(3) if k not in (found[0].own, found[0].runner_up))
    assert ce.flip(sample, against=other, max_removed=2).runner_up == other


def test_a_sample_flips_to_noise_and_out_of_it() -> None:
    ce = fitted("hdbscan")
    e = ce.explain(slice(None))
    clustered = np.flatnonzero((ce.labels_ >= 0) & (weights() > 0))
    inside = ce.explain(clustered.tolist(), against="noise")
    near = int(clustered[np.argsort(inside.scores)[2]])
    noise = np.flatnonzero((ce.labels_ == -1) & (weights() > 0))
    out = int(noise[e.scores[noise].argmin()])
    for sample, against in ((near, "noise"), (out, "runner-up")):
        try:
            found = ce.flip(sample, against=against, max_removed=8)
        except InvalidParameterError as refused:
            assert "nothing to remove" in str(refused)  # noqa: PT017
            continue
        gone = weights()
        gone[found.removed] = 0
        margin = ce.explain([sample], against=against).evaluate(ce.refit(gone))[0]
        assert found.retrained == pytest.approx(margin, rel=1e-6, nan_ok=True)
        if found.flipped:
            assert margin < 0
        strict(found.to_dict())


@pytest.mark.parametrize(
    ("query", "options", "kind", "message"),
    [
        (
            [0, 1],
            {},
            InvalidParameterError,
            r"flip moves one sample at a time, but 2 scores were given\. Expected one id",
        ),
        (0, {"max_removed": 0}, InvalidParameterError, r"max_removed=0 must be a whole number of at least 1"),
        (0, {"max_removed": -3}, InvalidParameterError, r"max_removed=-3 must be a whole number of at least 1"),
        (0, {"max_removed": 2.5}, InvalidParameterError, r"max_removed=2\.5 must be a whole number of at least 1"),
        (99, {}, UnknownSampleError, r"no sample with id 99"),
        (0, {"against": 9}, InvalidParameterError, r"against=9 is not a cluster"),
    ],
)
def test_flips_that_cannot_be_asked_for(query: Any, options: dict[str, Any], kind: type, message: str) -> None:
    with pytest.raises(kind, match=message):
        fitted().flip(query, **options)


def test_a_sample_beyond_its_boundary_is_not_said_to_have_moved() -> None:
    """A given label may lie on the runner-up's side already: no removal moves it there."""
    labels = fitted().labels_.copy()
    deepest = int(everything().scores.argmax())
    labels[deepest] = (labels[deepest] + 1) % 3
    ce = make(clusterer=labels).fit(rows())
    e = ce.explain([deepest])
    assert e.scores[0] < 0
    try:
        found = ce.flip(deepest, max_removed=3)
    except InvalidParameterError as refused:
        assert len(str(refused)) > 40  # noqa: PT017
        return
    assert not found.flipped


# near-duplicates


def test_planted_near_duplicates_are_listed_in_ids() -> None:
    X = rows()
    X[20], X[30], X[31] = X[3], X[7] + 1e-6, X[8]
    labels = fitted().labels_.copy()
    labels[[3, 7, 8]], labels[[20, 30, 31]] = 0, [1, 2, 0]
    ids = np.array([f"s{i}" for i in range(N)])
    ce = make(clusterer=labels, n_steps=2).fit(Dataset(X, ids=ids))
    found = ce.label_conflicts(share=0.05)
    assert found.columns.tolist() == [
        "id",
        "cluster",
        "near_duplicate",
        "near_duplicate_cluster",
        "distance",
        "relative",
    ]
    pairs = found[["id", "cluster", "near_duplicate", "near_duplicate_cluster"]].to_numpy().tolist()
    assert pairs[:2] == [["s3", 0, "s20", 1], ["s7", 0, "s30", 2]]
    assert "s31" not in found["near_duplicate"].tolist()
    assert found["distance"].iloc[0] == 0
    assert 0 < found["relative"].iloc[1] < 1e-3
    assert found["distance"].is_monotonic_increasing
    assert ce.label_conflicts(share=0)["id"].tolist() == ["s3"]
    absent = np.ones(N)
    absent[20] = 0
    left_out = (
        make(clusterer=labels, n_steps=2).fit(Dataset(X, ids=ids), sample_weight=absent).label_conflicts(share=0.05)
    )
    assert "s20" not in left_out["near_duplicate"].tolist()
    with pytest.raises(InvalidParameterError, match=r"share=2 must lie in \[0, 1\)"):
        ce.label_conflicts(share=2)


def test_no_near_duplicates_is_an_empty_table() -> None:
    found = fitted().label_conflicts(share=0)
    assert found.empty
    assert found.columns[0] == "id"


# stability


@cache
def measured() -> tuple[ClusterExplainer, Stability]:
    ce = make().fit(rows(), sample_weight=weights())
    return ce, ce.stability(n_seeds=3, n_bootstrap=3)


def test_stability_has_its_fields() -> None:
    ce, found = measured()
    assert ce.stability_ is found
    assert len(found) == 6
    assert found.kinds.tolist() == ["seed"] * 3 + ["bootstrap"] * 3
    assert found.labels.shape == (6, N)
    np.testing.assert_array_equal(found.base_labels, ce.labels_)
    assert found.counted[5] == 0
    assert (found.counted[np.arange(N) != 5] >= 3).all()
    assert (found.kept <= found.counted).all()
    frame = found.frame()
    assert frame["id"].tolist() == list(range(N))
    assert frame["share"].dropna().between(0, 1).all()
    clusters = found.clusters()
    assert clusters["cluster"].tolist() == [0, 1, 2]
    assert clusters["jaccard"].between(0, 1).all()
    assert set(clusters["verdict"]) <= {"stable", "changes", "dissolves", "untested"}
    summary = found.summary
    assert (summary["n_seeds"], summary["n_bootstrap"]) == (3, 3)
    strict(found.to_dict())


def test_stability_does_not_depend_on_chance_or_threads() -> None:
    _, found = measured()
    again = make(n_jobs=2).fit(rows(), sample_weight=weights()).stability(n_seeds=3, n_bootstrap=3)
    np.testing.assert_array_equal(again.labels, found.labels)
    np.testing.assert_array_equal(again.weights, found.weights)


def test_a_seed_refit_is_a_fit_from_scratch() -> None:
    """The bootstrap weights of a draw are whole multiples of the weights of the fit."""
    _, found = measured()
    times = np.divide(found.weights[3:], weights(), out=np.zeros((3, N)), where=weights() > 0)
    np.testing.assert_allclose(times, times.round())
    np.testing.assert_allclose(times.sum(axis=1), N - 1)
    np.testing.assert_array_equal(found.weights[:3], np.tile(weights(), (3, 1)))


def test_later_explanations_carry_the_badge(tmp_path: Path) -> None:
    ce, found = measured()
    e = ce.explain([2, 3])
    assert e.stability is not None
    assert e.stability.badges == (found.badge(2), found.badge(3))
    assert e.stability.kept.tolist() == found.kept[[2, 3]].tolist()
    assert e[1].stability.badges == (found.badge(3),)
    assert [one["stability"] for one in e.to_dict()["answers"]] == [found.badge(2).text, found.badge(3).text]
    new = ce.explain(rows()[:1])
    assert new.stability.badges == (NOT_TRAINED_ON,)
    assert new.stability.counted.tolist() == [0]
    ce.save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.stability_.labels, found.labels)
    assert loaded.explain([2]).stability.badges == (found.badge(2),)
    assert fitted().explain([2]).stability is None


def test_the_badge_is_part_of_the_answer_in_words() -> None:
    """Explanations carry the badge "from then on", on paper too."""
    ce, found = measured()
    assert found.badge(2).text in repr(ce.explain([2]))
    assert found.badge(2).text in ce.explain([2])._repr_mimebundle_()["text/html"]


def test_a_new_fit_forgets_the_old_stability() -> None:
    ce = make(n_steps=3).fit(rows())
    ce.stability(n_seeds=1, n_bootstrap=0)
    ce.fit(rows() + 1)
    assert not hasattr(ce, "stability_")


def test_stability_needs_something_to_find_anew() -> None:
    ce = make(clusterer=fitted().labels_, n_steps=2).fit(rows())
    with pytest.raises(
        InvalidParameterError, match=r"labels of this fit were given.*Expected reclusterer=.*or a clusterer by name"
    ):
        ce.stability()
    with pytest.raises(InvalidParameterError, match=r"n_seeds \+ n_bootstrap is 0"):
        fitted().stability(n_seeds=0, n_bootstrap=0)
    with pytest.raises(InvalidParameterError, match=r"n_seeds=-1"):
        fitted().stability(n_seeds=-1)
    with pytest.raises(InvalidParameterError, match=r"n_bootstrap=-1"):
        fitted().stability(n_seeds=1, n_bootstrap=-1)


# names


@pytest.fixture
def named() -> ClusterExplainer:
    return make().fit(rows()).name_clusters({0: "T cells", 2: "<b>"})


def test_names_are_shown_kept_and_taken_away(named: ClusterExplainer, tmp_path: Path) -> None:
    assert named.cluster_names_ == {0: "T cells", 2: "<b>"}
    sample = int(np.flatnonzero(named.labels_ == 0)[0])
    e = named.explain([sample], against=2)
    assert 'in cluster 0 "T cells"' in e.headline()
    assert 'compared with cluster 2 "<b>"' in e.headline()
    assert "<b>" not in e._repr_mimebundle_()["text/html"]
    assert '"T cells"' in named.separation(1, 0).headline()
    assert 'Cluster 0 "T cells"' in named.explain_cluster(0, n_shown=0).cohesion.headline()
    named.save(tmp_path / "run")
    assert ClusterExplainer.load(tmp_path / "run").cluster_names_ == named.cluster_names_
    assert named.refit(np.ones(N)).cluster_names_ == named.cluster_names_
    assert named.name_clusters({0: "", 1: "B cells"}) is named
    assert named.cluster_names_ == {1: "B cells", 2: "<b>"}
    named.save(tmp_path / "run", overwrite=True)
    assert ClusterExplainer.load(tmp_path / "run").cluster_names_ == {1: "B cells", 2: "<b>"}
    named.name_clusters({1: "", 2: ""}).save(tmp_path / "run", overwrite=True)
    assert ClusterExplainer.load(tmp_path / "run").cluster_names_ == {}
    assert 'in cluster 0 "T cells"' in e.headline(), "an explanation is immutable"
    named.name_clusters({0: "x"}).fit(rows())
    assert named.cluster_names_ == {}


def test_noise_is_called_noise_on_every_surface() -> None:
    """Its label is -1, its name is "noise"."""
    ce = fitted("hdbscan")
    noise = np.flatnonzero((ce.labels_ == -1) & (weights() > 0)).tolist()
    sample = noise[int(ce.explain(noise).scores.argmin())]
    found = ce.flip(sample, max_removed=1)
    assert "from noise to cluster" in found.sentence


def test_every_surface_shows_the_names(named: ClusterExplainer) -> None:
    sample = int(np.flatnonzero(named.labels_ == 0)[0])
    assert '"T cells"' in named.flip(sample, max_removed=1).sentence


@pytest.mark.parametrize(
    "names",
    [
        {3: "x"},
        {-1: "noise"},
        {0: 5},
        {0: None},
        {0: "x" * 81},
        {"0": "x"},
        {0: "7"},
        {0: "noise"},
        {0: "a\nb"},
    ],
)
def test_names_that_name_no_cluster_change_nothing(names: dict[Any, Any]) -> None:
    ce = fitted()
    with pytest.raises(
        InvalidParameterError, match=r"does not name a cluster\. Expected a number from 0 to 2 and a .*text"
    ):
        ce.name_clusters({1: "kept", **names})
    assert ce.cluster_names_ == {}


# score


def test_model_selection_over_the_number_of_clusters() -> None:
    X = make_blobs(60, n_features=4, centers=3, cluster_std=0.4, center_box=(-8, 8), random_state=3)[0]
    base = ClusterExplainer(latent_dim=2, hidden=(6,), n_steps=60, batch_size=16, random_state=0)
    search = GridSearchCV(base, {"n_clusters": [2, 3, 6]}, cv=2).fit(X)
    assert search.best_params_ == {"n_clusters": 3}
    assert search.best_estimator_.labels_.shape == (60,)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    assert best.score(X) == pytest.approx(silhouette_score(best.transform(X), best.predict(X)))
    assert best.explain([0]).influence.shape == (1, 60)


def test_noise_is_left_out_of_the_score() -> None:
    ce = fitted("hdbscan")
    labels = ce.predict(rows())
    inside = labels >= 0
    assert 0 < inside.sum() < N
    assert ce.score(rows()) == pytest.approx(silhouette_score(ce.transform(rows())[inside], labels[inside]))
    assert ce.score(rows()[inside][:1]) == -1
    assert ce.score(rows()[ce.labels_ == 0][:4]) == -1
    assert fitted().score(np.stack([rows()[members_of("kmeans", k)[0]] for k in range(3)])) == -1, "each in its own"


# by


def test_sums_lie_inside_their_intervals_and_shares_sum_to_one() -> None:
    e = everything()[[0, 3]]
    for group in ("cluster", np.arange(N) % 4, pd.Series(list("ab") * (N // 2))):
        frame = e.by(group)
        assert (frame["low"] <= frame["influence"]).all()
        assert (frame["influence"] <= frame["high"]).all()
        np.testing.assert_array_equal(frame["if_removed"], -frame["influence"])
        for _, rows_of in frame.groupby("query"):
            assert rows_of["n"].sum() == (e.sample_weight > 0).sum()
            for share in ("size_share", "pull_share", "push_share", "share"):
                assert rows_of[share].sum() == pytest.approx(1)
                assert rows_of[share].between(0, 1).all()
        names = e.train_labels if isinstance(group, str) else np.asarray(group)
        for row in frame.itertuples():
            query = e.query_ids.tolist().index(row.query)
            values = e.influence[query, names == row.group]
            assert row.influence == pytest.approx(values.sum())
            positive = np.maximum(e.influence[query], 0)
            assert row.pull_share == pytest.approx(positive[names == row.group].sum() / positive.sum())


def test_constant_groups_have_no_width_and_few_examples_no_interval() -> None:
    influence = np.r_[np.full(10, 0.5), 3.0, np.linspace(-1, 1, 9)][None]
    frame = group_sums(influence, np.repeat(["a", "b", "c"], [10, 1, 9]), np.array([7])).set_index("group")
    np.testing.assert_allclose(frame.loc["a", ["low", "influence", "high"]].astype(float), 5)
    assert frame.loc["b", "influence"] == 3
    assert frame.loc["b", ["low", "high"]].isna().all(), "one example says nothing about its like"
    assert frame.loc["c", "low"] < -1 < 1 < frame.loc["c", "high"]


def test_the_interval_is_that_of_the_bootstrap() -> None:
    """For a sum of n independent draws of variance v its width is about 2 x 1.96 x sqrt(n v)."""
    values = np.random.default_rng(0).normal(1, 2, size=400)
    frame = group_sums(values[None], np.zeros(400, dtype=int), np.array([0]))
    half = 1.96 * np.sqrt(400 * values.var())
    np.testing.assert_allclose(frame["low"], values.sum() - half, atol=0.15 * half)
    np.testing.assert_allclose(frame["high"], values.sum() + half, atol=0.15 * half)


def test_a_planted_batch_is_named() -> None:
    rng = np.random.default_rng(0)
    influence = rng.normal(0, 0.01, size=(2, 40))
    influence[0, 30:] += 1
    batch = np.repeat(["A", "B"], [30, 10])
    frame = group_sums(influence, batch, np.array(["x", "y"]))
    rows_of = frame[frame["query"] == "x"].set_index("group")
    assert rows_of.loc["B", "pull_share"] > 0.95
    assert rows_of.loc["B", "low"] > 0
    assert rows_of.loc["A", "low"] < 0 < rows_of.loc["A", "high"]
    said = main_source(frame, "x", "batch")
    assert said.endswith("of the pull comes from batch B, which holds 25% of the training examples")


def test_groups_with_missing_names_and_of_clusters() -> None:
    metadata = pd.DataFrame({"batch": ["a", None] * (N // 2), "dose": [1.0, np.nan, 2.0] * (N // 3)})
    ce = make(n_steps=5).fit(Dataset(rows(), metadata=metadata))
    e = ce.explain([0])
    assert e.by("batch")["group"].tolist() == ["a", "missing"]
    assert e.by("dose")["n"].tolist() == [N // 3] * 3
    frame = ce.separation(0, 1).by("batch")
    assert frame["influence"].sum() == pytest.approx(ce.separation(0, 1).influence.sum())
    with pytest.raises(InvalidParameterError, match=r"group has shape \(3,\), expected \(36,\)"):
        e.by(np.arange(3))


def test_blocks_of_queries_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted().explain_cluster(0, n_shown=0).cohesion
    monkeypatch.setattr("clusterexplain.explanation.gradients.QUERY_BLOCK", 3)
    blocks = fitted().explain_cluster(0, n_shown=0).cohesion
    np.testing.assert_allclose(blocks.influence, whole.influence, rtol=1e-9, atol=1e-12)
