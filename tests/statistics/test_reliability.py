"""Reliability over seeds, against models whose reliability is known."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from clusterexplain.statistics import metrics
from clusterexplain.statistics.reliability import (
    between_seeds,
    ceiling,
    of_means,
    spearman_brown,
    stable_effects,
)
from tests.oracles.simulated import (
    SIZES,
    Setting,
    agreement,
    agreement_of_seeds,
    coverage,
    draw_reliable,
)


def components(rng: np.random.Generator, shape: tuple[int, ...], n_seeds: int, reliability: float) -> tuple:
    """Return what all seeds share, (...), and the seeds, (n_seeds, ...), whose variance is shared by this share."""
    shared = np.sqrt(reliability) * rng.standard_normal(shape)
    return shared, shared + np.sqrt(1 - reliability) * rng.standard_normal((n_seeds, *shape))


@pytest.mark.parametrize("reliability", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("n_seeds", [2, 5, 10])
def test_spearman_brown_gives_the_reliability_of_a_mean(reliability: float, n_seeds: int) -> None:
    rng = np.random.default_rng(0)
    _, rows = components(rng, (200_000,), 2 * n_seeds, reliability)
    of_mean = np.corrcoef(rows[:n_seeds].mean(axis=0), rows[n_seeds:].mean(axis=0))[0, 1]
    assert spearman_brown(reliability, n_seeds) == pytest.approx(of_mean, abs=0.01)


def test_spearman_brown_at_the_edges() -> None:
    assert spearman_brown(1.0, 7) == 1
    assert spearman_brown(0.0, 7) == spearman_brown(-0.9, 7) == 0
    assert spearman_brown(0.4, 1) == 0.4


@pytest.mark.parametrize("reliability", [0.3, 0.8])
def test_the_ceiling_is_what_the_shared_part_reaches(reliability: float) -> None:
    shared, truth = components(np.random.default_rng(1), (150, 8), 5, reliability)
    reached = metrics.average(metrics.spearman(shared, truth.mean(axis=0)))
    assert ceiling(truth).mean == pytest.approx(reached, abs=0.05)


def test_the_ceiling_of_one_seed_is_1_and_of_nothing_unknown() -> None:
    assert ceiling(np.zeros((1, 20, 3))).low == 1
    assert np.isnan(ceiling(np.full((3, 20, 2), np.nan)).mean)


def test_pure_noise_has_no_ceiling() -> None:
    """What is untestable is called so in 95 % of the runs: with independent seeds the lower end stays below 0.3."""
    runs = [ceiling(np.random.default_rng(k).standard_normal((5, 20, 4))).low for k in range(20)]
    assert np.mean(np.array(runs) < 0.3) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("n_seeds", [3, 5])
def test_pure_noise_has_no_ceiling_in_95_of_100_runs(n_seeds: int) -> None:
    shape = (n_seeds, 20, 8)
    runs = [ceiling(np.random.default_rng([n_seeds, k]).standard_normal(shape)).low for k in range(100)]
    assert np.mean(np.array(runs) < 0.3) >= 0.95


def test_between_seeds_is_the_mean_over_pairs() -> None:
    rows = np.random.default_rng(0).standard_normal((3, 40))
    pairs = [stats.spearmanr(rows[i], rows[j]).statistic for i, j in ((0, 1), (0, 2), (1, 2))]
    assert between_seeds(rows) == pytest.approx(np.mean(pairs))
    assert np.isnan(between_seeds(rows[:1]))
    assert np.isnan(between_seeds(rows[:, :3]))


def test_means_of_seeds_agree_as_spearman_brown_says() -> None:
    _, rows = components(np.random.default_rng(2), (4, 800), 10, 0.4)
    shared = np.mean([between_seeds(rows[:, one]) for one in range(4)])
    for n in (1, 2, 5):
        assert of_means(rows, n, draws=20) == pytest.approx(spearman_brown(shared, n), abs=0.05)
    assert of_means(rows, 2, draws=5, seed=1) == of_means(rows, 2, draws=5, seed=1)


def test_effects_are_tested_as_scipy_tests_them() -> None:
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((6, 2, 50))
    rows[:, :, :10] += 3
    found = stable_effects(rows)
    tested = stats.ttest_1samp(rows, 0, axis=0)
    expected = stats.false_discovery_control(tested.pvalue, axis=1) < 0.05
    np.testing.assert_array_equal(found.stable, expected)
    np.testing.assert_allclose(found.mean / found.standard_error, tested.statistic)
    assert found.stable[:, :10].mean() > 0.8


def test_few_of_the_effects_called_stable_are_none() -> None:
    """The false discovery rate over 60 runs, three quarters of the effects being none, stays below 5 %."""
    shares = []
    for k in range(60):
        rows = np.random.default_rng(k).standard_normal((8, 1, 100))
        rows[:, :, :25] += 2
        stable = stable_effects(rows).stable[0]
        shares.append(stable[25:].sum() / max(1, stable.sum()))
    assert np.mean(shares) < 0.05


def test_effects_without_spread_are_stable_unless_they_are_0() -> None:
    rows = np.tile(np.array([[1.0, 0.0, -2.0]]), (3, 1, 1))
    np.testing.assert_array_equal(stable_effects(rows).stable, [[True, False, True]])


# by hand, what must not matter, what is not known, and how often the ceiling's interval contains what it should


def test_ceiling_by_hand() -> None:
    truth = np.random.default_rng(1).normal(size=(3, 12, 2))
    truth += 2 * truth[0]
    pairs = [
        stats.spearmanr(truth[a, :, q], truth[b, :, q]).statistic
        for a, b in itertools.combinations(range(3), 2)
        for q in range(2)
    ]
    one = np.mean(pairs)
    assert one > 0
    assert ceiling(truth).mean == pytest.approx(np.sqrt(3 * one / (1 + 2 * one)))
    assert agreement_of_seeds(truth) == pytest.approx(one)  # the helper of the simulations


@pytest.mark.parametrize("rho", [0.2, 0.6, 0.9])
def test_ceiling_of_normal_components(rho: float) -> None:
    """Knowing all that seeds share reaches it; ranks of normal variables as Pearson found in 1907."""
    shared, truth = draw_reliable(Setting(queries=2, removals=200, seeds=4, correlation=rho), np.random.default_rng(0))
    found = ceiling(truth)
    assert found.mean == pytest.approx(agreement(shared, truth.mean(axis=0)), abs=0.05)
    r = np.sqrt(4 * rho / (1 + 3 * rho))
    assert found.mean == pytest.approx(6 / np.pi * np.arcsin(r / 2), abs=0.06)
    assert found.low <= found.mean <= found.high <= 1


def test_ceiling_of_equal_seeds_is_one_and_of_opposite_seeds_zero() -> None:
    one = np.random.default_rng(0).normal(size=(1, 15, 3))
    same, opposite = ceiling(np.repeat(one, 4, axis=0)), ceiling(np.concatenate([one, -one]))
    assert (same.mean, same.low, same.high) == pytest.approx((1, 1, 1))
    assert (opposite.mean, opposite.low, opposite.high) == pytest.approx((0, 0, 0))


def test_ceiling_depends_on_ranks_and_on_no_order() -> None:
    rng = np.random.default_rng(0)
    _, truth = draw_reliable(Setting(3, 15, 4, 0.5), rng)
    found = ceiling(truth)
    for axis in range(3):
        again = ceiling(np.take(truth, rng.permutation(truth.shape[axis]), axis=axis))
        assert (again.mean, again.low, again.high) == pytest.approx((found.mean, found.low, found.high))
    assert ceiling(truth**3) == found


def test_ceiling_of_what_cannot_be_ranked_is_unknown() -> None:
    assert np.isnan(ceiling(np.zeros((4, 10, 2))).low)


def lacking(case: str) -> np.ndarray:
    """Draw truths of 4 seeds that have nothing in common, and lack something."""
    truth = np.random.default_rng(0).normal(size=(4, 30, 2))
    if case == "one of two queries is constant":
        truth[:, :, 1] = 0.0
    if case == "one of two queries dissolved":
        truth[:, :, 1] = np.nan
    if case == "five removals count":
        truth[:, 5:] = np.nan
    return truth


@pytest.mark.parametrize(
    "case",
    [
        "one of two queries is constant",
        "one of two queries dissolved",
        "five removals count",
    ],
)
def test_a_ceiling_is_never_sure_of_what_is_not_known(case: str) -> None:
    assert not ceiling(lacking(case)).low > 0.5  # NaN or low


def test_gaps_leave_the_ceiling_about_where_it_was() -> None:
    _, truth = draw_reliable(Setting(4, 30, 3, 0.7), np.random.default_rng(0))
    holes = truth.copy()
    holes[:, np.random.default_rng(1).random(truth.shape[1:]) < 0.2] = np.nan
    found = ceiling(holes)
    assert found.mean == pytest.approx(ceiling(truth).mean, abs=0.06)
    assert found.low <= found.mean


@pytest.mark.parametrize("n_seeds", [2, 3, 8])
def test_stable_effects_are_those_of_scipy_at_many_strengths(n_seeds: int) -> None:
    rng = np.random.default_rng(n_seeds)
    rows = rng.normal(size=(n_seeds, 4, 50)) * rng.uniform(0.01, 1, size=(4, 50)) + (rng.random((4, 50)) < 0.4)
    found = stable_effects(rows)
    for query in range(4):
        chance = stats.ttest_1samp(rows[:, query], 0.0).pvalue
        stable = stats.false_discovery_control(chance, method="bh") < 0.05
        assert found.stable[query].tolist() == stable.tolist()
    np.testing.assert_allclose(found.mean, sum(rows) / n_seeds)
    np.testing.assert_allclose(found.standard_error, stats.sem(rows, axis=0))
    if n_seeds == 8:
        assert 0.2 < found.stable.mean() < 0.8


@pytest.mark.parametrize(("seeds", "removals"), [(4, 5), (2, 5), (3, 4)])
def test_a_ceiling_of_very_few_removals_is_not_sure(seeds: int, removals: int) -> None:
    assert not ceiling(np.random.default_rng(0).normal(size=(seeds, removals, 2))).low > 0.5


def test_unknown_effects_are_not_stable() -> None:
    rows = np.random.default_rng(0).normal(size=(4, 1, 3))
    rows[1, 0, 2] = np.nan
    assert not stable_effects(rows).stable[0, 2]


def test_between_seeds_with_a_gap_and_with_too_little() -> None:
    values = np.random.default_rng(0).normal(size=(4, 9))
    values[2, 3] = np.nan
    found = [
        stats.spearmanr(values[a], values[b], nan_policy="omit").statistic
        for a, b in itertools.combinations(range(4), 2)
    ]
    assert between_seeds(values) == pytest.approx(np.mean(found))
    assert np.isnan(between_seeds(values[:1]))
    assert np.isnan(between_seeds(values[:, :4]))
    assert between_seeds(np.stack([values[0], -values[0]])) == pytest.approx(-1)


def test_of_means_averages_over_the_three_ways_to_split_four_seeds() -> None:
    rows = np.random.default_rng(3).normal(size=(4, 1, 8)) + np.random.default_rng(4).normal(size=(1, 1, 8))
    hand = [
        stats.spearmanr((rows[a, 0] + rows[b, 0]) / 2, (rows[c, 0] + rows[d, 0]) / 2).statistic
        for a, b, c, d in ((0, 1, 2, 3), (0, 2, 1, 3), (0, 3, 1, 2))
    ]
    assert np.ptp(hand) > 0.05
    assert min(hand) - 1e-9 <= of_means(rows, 2, draws=1) <= max(hand) + 1e-9
    assert of_means(rows, 2, draws=2000) == pytest.approx(np.mean(hand), abs=0.03)
    assert of_means(rows, 2) == of_means(rows, 2)
    assert of_means(rows[:2], 1, draws=3) == pytest.approx(stats.spearmanr(rows[0, 0], rows[1, 0]).statistic)


def measured(setting: Setting, runs: int) -> tuple[float, float]:
    """Return coverage and mean width of the ceiling's interval, of the ceiling of a protocol ten times larger."""
    rng = np.random.default_rng(99)
    large = [agreement_of_seeds(draw_reliable(setting.larger(), rng)[1]) for _ in range(10)]
    target = np.mean([np.sqrt(setting.seeds * one / (1 + (setting.seeds - 1) * one)) for one in large])
    draws = (draw_reliable(setting, np.random.default_rng([7, run])) for run in range(runs))
    return coverage(lambda _, truth: ceiling(truth), draws, float(target))


@pytest.mark.parametrize("correlation", [0.3, 0.8, 0.97])
def test_ceilings_of_small_checks_are_covered(correlation: float) -> None:
    share, _ = measured(Setting(3, 12, 3, correlation), runs=25)
    assert share >= 0.9


RUNS = {"8x20": 200, "30x60": 60, "1x48": 400}


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.3, 0.8, 0.97])
@pytest.mark.parametrize("size", SIZES)
def test_ceilings_are_covered(size: str, correlation: float) -> None:
    share, width = measured(Setting(*SIZES[size], 5, correlation), RUNS[size])
    print(f"ceiling {size} {correlation}: covered {share:.1%}, mean width {width:.3f}")
    assert share >= 0.9
