"""Stability: planted truth comes back, absent samples do not count, and stored is restored."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.verification.stability import Stability, bootstrap_weights, measure, refit_seeds

FIT = np.repeat([0, 1, 2, -1], [8, 6, 4, 2])
ONES = np.ones(len(FIT))
IDS = np.arange(100, 100 + len(FIT))
PERMUTED = np.array([2, 0, 1, -1])  # cluster k of the fit under another number; the last entry is noise


def planted(refits: list[np.ndarray], weights: np.ndarray | None = None, base: np.ndarray = FIT) -> Stability:
    """Return the stability of seed refits with given labels, at weight one, or of bootstrap refits at given weights."""
    n_seeds, n_bootstrap = (len(refits), 0) if weights is None else (0, len(refits))

    def refit_labels(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        return refits[number], np.ones(len(base)) if weights is None else weights[number]

    ids = np.arange(100, 100 + len(base))
    return measure(refit_labels, base, np.ones(len(base)), ids, "key", n_seeds=n_seeds, n_bootstrap=n_bootstrap)


@pytest.fixture
def moved() -> Stability:
    """Return 10 permuted copies of the fit; in 3 of them sample 0 is in another cluster."""
    refits = [PERMUTED[FIT] for _ in range(10)]
    for number in (1, 4, 7):
        refits[number][0] = PERMUTED[1]
    return planted(refits)


def random_stability(seed: int = 0) -> Stability:
    rng = np.random.default_rng(seed)
    drawn = bootstrap_weights(ONES, 6, seed)

    def refit_labels(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        noisy = np.where(rng.random(len(FIT)) < 0.3, rng.integers(-1, 4, len(FIT)), FIT)
        return noisy, ONES if kind == "seed" else drawn[number]

    return measure(refit_labels, FIT, ONES, IDS, "key", n_seeds=7, n_bootstrap=6)


def test_permuted_copies_are_kept_everywhere() -> None:
    found = planted([PERMUTED[FIT], FIT, PERMUTED[PERMUTED[FIT]], FIT, FIT])
    np.testing.assert_array_equal(found.labels, np.tile(FIT, (5, 1)))
    np.testing.assert_array_equal(found.kept, 5)
    np.testing.assert_array_equal(found.share, 1)
    np.testing.assert_array_equal(found.jaccards, 1)
    np.testing.assert_array_equal(found.adjusted_rand, 1)
    assert found.clusters()["verdict"].tolist() == ["stable"] * 3
    assert found.clusters()["size"].tolist() == [8, 6, 4]
    assert found.summary["adjusted_rand"] == found.summary["low"] == found.summary["high"] == found.summary["kept"] == 1
    companions = found.companions()
    np.testing.assert_array_equal(companions[FIT >= 0], 1)
    assert np.isnan(companions[FIT < 0]).all()


def test_a_sample_moved_in_three_of_ten(moved: Stability) -> None:
    frame = moved.frame().set_index("id")
    assert frame.loc[100, ["kept", "counted"]].tolist() == [7, 10]
    assert frame.loc[100, "share"] == frame.loc[100, "seed"] == 0.7
    assert np.isnan(frame["bootstrap"]).all()
    assert (frame["kept"].drop(100) == 10).all()
    assert frame.loc[100, "companions"] == pytest.approx(0.7)
    assert frame.loc[101, "companions"] == pytest.approx((7 + 3 * 6 / 7) / 10)
    assert moved.badge(0).text == "kept in 7 of 10 refits (moderate)"
    assert moved.badge(1).text == "kept in 10 of 10 refits (high)"
    clusters = moved.clusters().set_index("cluster")
    assert clusters.loc[0, "jaccard"] == pytest.approx((7 + 3 * 7 / 8) / 10)
    assert clusters.loc[1, "jaccard"] == pytest.approx((7 + 3 * 6 / 7) / 10)
    assert clusters.loc[2, "jaccard"] == 1
    assert clusters.loc[0, "low"] < clusters.loc[0, "jaccard"] < clusters.loc[0, "high"]


@pytest.mark.parametrize(("n_moved", "word"), [(0, "high"), (2, "high"), (3, "moderate"), (8, "moderate"), (9, "low")])
def test_words_of_the_badge(n_moved: int, word: str) -> None:
    refits = [FIT.copy() for _ in range(20)]
    for refit in refits[:n_moved]:
        refit[0] = 1
    assert planted(refits).badge(0).text == f"kept in {20 - n_moved} of 20 refits ({word})"


def test_few_refits_get_neither_word_nor_interval() -> None:
    found = planted([FIT, FIT])
    assert found.badge(0).text == "kept in 2 of 2 refits (too few to say)"
    assert np.isnan(found.clusters()["low"]).all()
    assert "[" not in found.sentence
    assert found.summary["adjusted_rand"] == 1


def test_a_sample_without_row_has_no_badge(moved: Stability) -> None:
    for position in (-1, len(FIT)):
        with pytest.raises(InvalidParameterError, match=r"position=.* Expected 0 to 19"):
            moved.badge(position)


def test_absent_samples_do_not_count() -> None:
    weights = np.ones((6, len(FIT)))
    weights[:4, 0] = 0  # sample 0 is in two refits, and in one of them elsewhere
    weights[:, 1] = 0  # sample 1 is in none
    refits = [FIT.copy() for _ in range(6)]
    for refit in refits[:5]:
        refit[0] = 1
    found = planted(refits, weights)
    assert found.counted[[0, 1, 2]].tolist() == [2, 0, 6]
    assert found.kept[[0, 1, 2]].tolist() == [1, 0, 6]
    assert found.share[0] == 0.5
    assert np.isnan(found.share[1])
    assert found.badge(1).text == "in none of the 6 refits"
    np.testing.assert_array_equal(found.jaccards[:4], 1)  # where sample 0 is absent its move is nobody's business
    np.testing.assert_array_equal(found.adjusted_rand[:4], 1)
    assert found.adjusted_rand[4] < 1
    assert found.summary["kept"] == pytest.approx((18 + 0.5) / 19)


def test_samples_that_the_fit_left_out_do_not_count() -> None:
    base_weights = ONES.copy()
    base_weights[0] = 0
    found = measure(lambda kind, number: (FIT, ONES), FIT, base_weights, IDS, "key", n_seeds=3, n_bootstrap=0)
    assert found.counted.tolist() == [0] + [3] * (len(FIT) - 1)
    assert found.clusters()["size"].tolist() == [7, 6, 4]


def test_multiplicity_of_a_bootstrap_draw_does_not_weigh() -> None:
    refit = FIT.copy()
    refit[0] = 1
    once, often = planted([refit], np.ones((1, len(FIT)))), planted([refit], 5 * np.ones((1, len(FIT))))
    np.testing.assert_array_equal(once.jaccards, often.jaccards)


def test_noise_is_a_place_to_stay_in_and_to_leave() -> None:
    refit = FIT.copy()
    refit[0], refit[-1] = -1, 2  # a member becomes noise, a noise sample a member
    found = planted([refit] * 5)
    assert found.kept.tolist() == [0] + [5] * (len(FIT) - 2) + [0]
    companions = found.companions()
    assert companions[0] == 0
    np.testing.assert_allclose(companions[1:8], 6 / 7)
    np.testing.assert_array_equal(companions[FIT == 2], 1)
    np.testing.assert_allclose(found.jaccards[0], [7 / 8, 1, 4 / 5])


def test_a_merged_cluster_dissolves_but_keeps_company() -> None:
    merged = np.where(FIT == 2, 0, FIT)
    found = planted([merged] * 5)
    clusters = found.clusters()
    assert clusters["verdict"].tolist() == ["changes", "stable", "dissolves"]
    assert clusters["dissolved"].tolist() == [0, 0, 1]
    assert "1 stable, 1 changes, 1 dissolves" in found.sentence
    np.testing.assert_array_equal(found.kept[FIT == 2], 0)
    np.testing.assert_array_equal(found.companions()[FIT == 2], 1)


def test_everything_noise_in_a_refit() -> None:
    found = planted([np.full(len(FIT), -1)] * 5)
    assert (found.clusters()["verdict"] == "dissolves").all()
    np.testing.assert_array_equal(found.companions()[FIT >= 0], 0)
    np.testing.assert_array_equal(found.kept, np.where(FIT < 0, 5, 0))


def test_a_fit_of_noise_only_has_no_clusters() -> None:
    found = planted([FIT] * 5, base=np.full(len(FIT), -1))
    assert found.clusters().empty
    assert np.isnan(found.companions()).all()
    assert "clusters: none" in repr(found)


def test_a_cluster_absent_from_every_refit_is_untested() -> None:
    weights = np.where(FIT == 2, 0.0, 1.0) * np.ones((5, 1))
    clusters = planted([FIT] * 5, weights).clusters().set_index("cluster")
    assert clusters.loc[2, "verdict"] == "untested"
    assert np.isnan(clusters.loc[2, ["jaccard", "low", "dissolved"]].astype(float)).all()


def test_companions_against_pairs() -> None:
    found = random_stability()
    expected = np.full((len(found), len(FIT)), np.nan)
    for r, there in enumerate(found.present):
        for i in np.flatnonzero(there & (FIT >= 0)):
            fellows = there & (FIT[i] == FIT)
            fellows[i] = False
            if fellows.any():
                with_it = found.labels[r] == found.labels[r, i] if found.labels[r, i] >= 0 else np.zeros(len(FIT), bool)
                expected[r, i] = (fellows & with_it).sum() / fellows.sum()
    known = np.isfinite(expected)
    np.testing.assert_allclose(
        found.companions()[FIT >= 0], (np.where(known, expected, 0).sum(0)[FIT >= 0] / known.sum(0)[FIT >= 0])
    )


def test_rand_index_is_that_of_the_samples_that_are_there() -> None:
    found = random_stability()
    for row, there, value in zip(found.labels, found.present, found.adjusted_rand, strict=True):
        assert value == adjusted_rand_score(FIT[there], row[there])


def test_kinds_are_reported_together_and_apart() -> None:
    def refit_labels(kind: str, number: int) -> tuple[np.ndarray, np.ndarray]:
        return (FIT if kind == "seed" else np.where(FIT == 2, 0, FIT)), ONES

    found = measure(refit_labels, FIT, ONES, IDS, "key", n_seeds=6, n_bootstrap=6)
    summary = found.summary
    assert (summary["n_seeds"], summary["n_bootstrap"], len(found)) == (6, 6, 12)
    assert summary["seed"]["kept"] == 1
    assert summary["bootstrap"]["kept"] == pytest.approx(16 / 20)
    assert summary["kept"] == pytest.approx(18 / 20)
    frame, clusters = found.frame(), found.clusters()
    assert frame.loc[FIT == 2, ["seed", "bootstrap", "share"]].drop_duplicates().to_numpy().tolist() == [[1, 0, 0.5]]
    assert clusters.loc[2, ["seed", "bootstrap", "jaccard", "dissolved"]].tolist() == [1, 0, 0.5, 0.5]
    assert found.sentence.startswith(
        "6 other seeds: adjusted Rand index 1.00 [1.00, 1.00], samples keep their cluster in 100%"
    )
    assert "6 bootstrap draws: " in found.sentence
    with pytest.raises(InvalidParameterError, match="kind='jitter' is unknown"):
        found.of("jitter")


@pytest.mark.parametrize("ids", [IDS, np.array([f"s{i}" for i in IDS]), np.array([f"s{i}" for i in IDS], dtype=object)])
def test_arrays_round_trip_without_pickle(ids: np.ndarray) -> None:
    found = measure(lambda kind, number: (PERMUTED[FIT], ONES), FIT, ONES, ids, "key", n_seeds=2, n_bootstrap=1)
    file = io.BytesIO()
    np.savez(file, **found.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as stored:
        restored = Stability.from_arrays(stored)
    assert restored.fit_key == "key"
    assert restored.frame().equals(found.frame())
    assert restored.to_dict() == found.to_dict()


def test_plain_data_are_json(moved: Stability) -> None:
    plain = json.loads(json.dumps(moved.to_dict(), allow_nan=False))
    assert plain == moved.to_dict()
    assert plain["summary"]["bootstrap"]["kept"] is None
    assert plain["clusters"][2]["verdict"] == "stable"


def test_text_and_html(moved: Stability) -> None:
    assert repr(moved).startswith("Stability: 10 other seeds")
    assert "changes" not in repr(moved)
    page = moved._repr_html_()
    assert page.startswith("<p>Stability: 10 other seeds")
    assert "<table" in page


def test_same_seed_same_bytes() -> None:
    first, second = random_stability(), random_stability()
    for name, value in first.to_arrays().items():
        assert value.tobytes() == second.to_arrays()[name].tobytes()
    assert json.dumps(first.to_dict()) == json.dumps(second.to_dict())
    assert not np.array_equal(bootstrap_weights(ONES, 3, 0), bootstrap_weights(ONES, 3, 1))


def test_result_does_not_depend_on_jobs() -> None:
    found = [
        measure(lambda kind, number: (np.roll(FIT, number), ONES), FIT, ONES, IDS, "key", execution=execution).labels
        for execution in (Execution(n_jobs=1), Execution(n_jobs=2))
    ]
    np.testing.assert_array_equal(*found)


def test_bootstrap_weights_are_counts_times_the_weights() -> None:
    base = np.array([1.0, 0.5, 0.0, 2.0, 1.0])
    drawn = bootstrap_weights(base, 2000, 3)
    counts = drawn[:, base > 0] / base[base > 0]
    np.testing.assert_array_equal(counts, np.round(counts))
    np.testing.assert_array_equal(counts.sum(axis=1), 4)
    np.testing.assert_array_equal(drawn[:, 2], 0)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.08)
    np.testing.assert_allclose(counts.var(axis=0), 3 / 4, atol=0.08)
    np.testing.assert_array_equal(bootstrap_weights(base, 5, 3), drawn[:5])


def test_seeds_are_distinct_and_do_not_depend_on_their_number() -> None:
    seeds = refit_seeds(7, 50)
    assert len(set(seeds)) == 50
    assert refit_seeds(7, 10) == seeds[:10]
    assert refit_seeds(8, 10) != seeds[:10]


def test_errors_say_what_to_do(moved: Stability) -> None:
    def run(**options: int) -> Stability:
        return measure(lambda kind, number: (FIT, ONES), FIT, ONES, IDS, "key", **options)

    with pytest.raises(InvalidParameterError, match="n_seeds=-1 must be at least 0"):
        run(n_seeds=-1)
    with pytest.raises(InvalidParameterError, match=r"nothing to refit. Expected at least 1"):
        run(n_seeds=0, n_bootstrap=0)
    with pytest.raises(InvalidParameterError, match=r"refit_labels\('seed', 0\) returned .* expected \(20,\)"):
        measure(lambda kind, number: (FIT[:5], ONES), FIT, ONES, IDS, "key")
    with pytest.raises(InvalidParameterError, match="from 0 rows of positive weight"):
        bootstrap_weights(0 * ONES, 2, 0)
    with pytest.raises(InvalidParameterError, match="n_bootstrap=-2"):
        bootstrap_weights(ONES, -2, 0)
    with pytest.raises(InvalidParameterError, match=r"ids has shape \(5,\), expected \(20,\)"):
        measure(lambda kind, number: (FIT, ONES), FIT, ONES, IDS[:5], "key")
    arrays = moved.to_arrays()
    with pytest.raises(InvalidParameterError, match="lack weights"):
        Stability.from_arrays({name: value for name, value in arrays.items() if name != "weights"})
    with pytest.raises(InvalidParameterError, match="kinds has 'jitter', expected 'seed' or 'bootstrap'"):
        Stability.from_arrays({**arrays, "kinds": np.array(["jitter"] * 10)})
