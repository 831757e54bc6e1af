"""Agreement column by column, against scipy and scikit-learn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import roc_auc_score

from clusterexplain.statistics import metrics

N, QUERIES = 30, 6


@pytest.fixture
def pair() -> tuple[np.ndarray, np.ndarray]:
    """Return changes with ties, gaps, a constant column (4) and one with too few removals (5)."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(N, QUERIES))
    predicted = truth + rng.normal(size=truth.shape)
    truth[:, 1], predicted[:, 1] = np.round(truth[:, 1]), np.round(predicted[:, 1])
    truth[::7, 2], predicted[3::9, 2] = np.nan, np.nan
    predicted[:, 4] = 1.0
    truth[metrics.FEWEST - 1 :, 5] = np.nan
    return predicted, truth


def counting(predicted: np.ndarray, truth: np.ndarray, column: int) -> tuple[np.ndarray, np.ndarray]:
    known = np.isfinite(predicted[:, column]) & np.isfinite(truth[:, column])
    return predicted[known, column], truth[known, column]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (metrics.spearman, lambda x, y: stats.spearmanr(x, y).statistic),
        (metrics.pearson, lambda x, y: stats.pearsonr(x, y).statistic),
        (metrics.kendall, lambda x, y: stats.kendalltau(x, y).statistic),
        (lambda p, t: metrics.theil_sen(p, t)[0], lambda x, y: stats.theilslopes(y, x).slope),
        (lambda p, t: metrics.theil_sen(p, t)[1], lambda x, y: stats.theilslopes(y, x).intercept),
    ],
    ids=["spearman", "pearson", "kendall", "theil_sen", "intercept"],
)
def test_columns_agree_with_scipy(ours: object, theirs: object, pair: tuple[np.ndarray, np.ndarray]) -> None:
    found = ours(*pair)  # type: ignore[operator]
    expected = [theirs(*counting(*pair, column)) for column in range(4)]  # type: ignore[operator]
    np.testing.assert_allclose(found, [*expected, np.nan, np.nan], rtol=1e-12)


@pytest.mark.parametrize("metric", [metrics.spearman, metrics.pearson, metrics.kendall])
def test_statistics_are_signed(metric: object, pair: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = pair
    np.testing.assert_allclose(metric(-predicted, truth), -metric(predicted, truth))  # type: ignore[operator]


def test_signs_count_only_where_the_change_is_clear() -> None:
    truth = np.array([[3.0, 3.0], [2.0, 2.0], [-2.0, -2.0], [0.5, 0.5], [np.nan, 1.0], [0.0, 0.0]])
    predicted = np.array([[1.0, -1.0], [1.0, 1.0], [-1.0, -1.0], [-1.0, 1.0], [1.0, np.nan], [1.0, 1.0]])
    np.testing.assert_allclose(metrics.sign_agreement(predicted, truth), [0.75, 0.75])
    np.testing.assert_allclose(metrics.sign_agreement(predicted, truth, np.array([0.25, 1.0])), [1.0, 0.0])
    np.testing.assert_allclose(metrics.sign_agreement(predicted, truth, 5.0), [np.nan, np.nan])


def test_a_prediction_of_no_change_has_no_right_sign() -> None:
    truth = np.array([[1.0], [-1.0], [2.0]])
    assert metrics.sign_agreement(np.zeros_like(truth), truth) == 0


def test_precision_looks_at_the_lowest_and_knows_chance() -> None:
    truth = np.arange(20.0)[:, None]
    for predicted, expected in ((truth, 1.0), (-truth, 0.0), (np.where(truth < 5, 20 - truth, truth), 0.0)):
        found, chance = metrics.precision_at(predicted, truth, 5)
        np.testing.assert_allclose([found[0], chance[0]], [expected, 0.25])
    found, chance = metrics.precision_at(truth[:9], truth[:9], 5)
    assert np.isnan([found[0], chance[0]]).all()


def test_skill_is_1_for_the_truth_and_0_for_no_change(pair: tuple[np.ndarray, np.ndarray]) -> None:
    _, truth = pair
    np.testing.assert_allclose(metrics.skill(truth, truth)[:5], 1)
    nearly_nothing = 1e-9 * np.arange(N)[:, None] * np.ones(QUERIES)
    np.testing.assert_allclose(metrics.skill(nearly_nothing, truth)[:5], 0, atol=1e-6)
    np.testing.assert_allclose(metrics.skill(2 * truth, truth)[:5], 0, atol=1e-12)
    np.testing.assert_allclose(metrics.skill(3 * truth, truth)[:5], -3)


@pytest.mark.parametrize("score", [0.4, -0.4])
def test_the_area_of_one_query_is_that_of_scikit_learn(score: float, pair: tuple[np.ndarray, np.ndarray]) -> None:
    for column in (0, 1, 2):
        x, y = counting(*pair, column)
        side = np.sign(score)
        expected = roc_auc_score(side * (score + y) < 0, -side * (score + x))
        found = metrics.flip_auc(np.array([score]), pair[0][:, [column]], pair[1][:, [column]])
        assert found == pytest.approx(expected)


def test_no_area_where_none_or_all_change_sides(pair: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = (part[:, :1] for part in pair)
    assert np.isnan(metrics.flip_auc(np.array([100.0]), predicted, truth))
    assert np.isnan(metrics.flip_auc(np.array([1.0]), predicted, -3.0 + 0 * truth))


def test_a_constant_prediction_finds_nothing_but_chance() -> None:
    found, chance = metrics.precision_at(np.zeros((40, 1)), np.zeros((40, 1)), 10)
    assert np.isnan([found[0], chance[0]]).all()


def test_predicting_no_change_has_no_area() -> None:
    scores = np.array([0.1, 0.2, 0.5, 1, 2, 4])
    truth = np.random.default_rng(0).normal(size=(100, 6))
    np.testing.assert_allclose(metrics.flip_auc(scores, np.zeros_like(truth), truth)[:5], 0.5)


# columns with everything that can go wrong at once, other seeds, any ties


def nasty(seed: int, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Draw columns: plain, tied, with gaps, constant prediction, constant truth, four that count, five, none, one value."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 9))
    y = rng.uniform(-1, 1, size=9) * x + rng.normal(size=(n, 9))
    x[:, 1], y[:, 1] = rng.integers(3, size=n), rng.integers(4, size=n)
    x[rng.random(n) < 0.3, 2] = np.nan
    y[rng.random(n) < 0.3, 2] = np.nan
    x[:, 3] = 0.25
    y[:, 4] = -1.5
    x[4:, 5] = np.nan
    y[5:, 6] = np.nan
    x[::2, 7], y[1::2, 7] = np.nan, np.nan
    x[:-1, 8] = 3.0
    return x, y


def by_column(x: np.ndarray, y: np.ndarray, function: Callable[[np.ndarray, np.ndarray], float]) -> list[float]:
    """Apply a function of two vectors to what counts in each column; NaN where the documentation says so."""
    found = []
    for column in range(x.shape[1]):
        both = [(a, b) for a, b in zip(x[:, column], y[:, column], strict=True) if a == a and b == b]
        a, b = np.array(both).reshape(-1, 2).T
        enough = len(both) >= 5 and len(set(a)) > 1 and len(set(b)) > 1
        found.append(function(a, b) if enough else np.nan)
    return found


REFERENCES = {
    "spearman": lambda a, b: stats.spearmanr(a, b).statistic,
    "kendall": lambda a, b: stats.kendalltau(a, b, variant="b").statistic,
    "pearson": lambda a, b: stats.pearsonr(a, b).statistic,
}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("name", REFERENCES)
def test_nasty_columns_agree_with_scipy(name: str, seed: int) -> None:
    x, y = nasty(seed)
    found = getattr(metrics, name)(x, y)
    np.testing.assert_allclose(found, by_column(x, y, REFERENCES[name]), rtol=1e-9, atol=1e-12)
    assert np.isnan(found[[3, 4, 5, 7]]).all()
    assert np.isfinite(found[[0, 1, 2, 6, 8]]).all()


@pytest.mark.parametrize("seed", range(5))
def test_theil_sen_of_nasty_columns_is_that_of_scipy(seed: int) -> None:
    x, y = nasty(seed)
    for place, found in enumerate(metrics.theil_sen(x, y)):
        expected = by_column(x, y, lambda a, b, place=place: stats.theilslopes(b, a)[place])  # type: ignore[misc]
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_theil_sen_of_columns_that_are_nearly_all_tied_is_silent() -> None:
    """Seen to fail: scipy takes the root of a negative number for an interval that nobody asked for."""
    x = np.zeros((48, 1))
    x[:2] = [[1.0], [2.0]]
    slope, intercept = metrics.theil_sen(x, 3 * x)
    assert (slope[0], intercept[0]) == (3.0, 0.0)


def test_theil_sen_regresses_truth_on_prediction_and_ignores_an_outlier() -> None:
    x = np.arange(20.0)[:, None]
    y = 3 * x - 2
    y[19] = 1e6
    slope, intercept = metrics.theil_sen(x, y)
    assert (slope[0], intercept[0]) == pytest.approx((3, -2))


@given(st.integers(0, 2**32 - 1), st.integers(5, 30), st.integers(2, 6))
@settings(max_examples=40, deadline=None)
def test_rank_correlations_of_any_ties(seed: int, n: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = (rng.integers(levels, size=(n, 3)).astype(float) for _ in range(2))
    x[rng.random(x.shape) < 0.2] = np.nan
    for name in ("spearman", "kendall"):
        np.testing.assert_allclose(getattr(metrics, name)(x, y), by_column(x, y, REFERENCES[name]), atol=1e-12)


def test_opposite_queries_average_to_nothing() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30, 4))
    y = x + rng.normal(size=x.shape)
    for name in REFERENCES:
        function = getattr(metrics, name)
        assert (function(x, y) > 0).all()
        np.testing.assert_allclose(function(x, -y), -function(x, y), atol=1e-12)
        both = np.concatenate([function(x, y), function(-x, y)])
        assert metrics.average(both) == pytest.approx(0, abs=1e-12)  # an average of absolute values would not be


@pytest.mark.parametrize("n", [0, 1, 4])
@pytest.mark.parametrize("name", [*REFERENCES, "skill"])
def test_too_few_rows_give_nothing(name: str, n: int) -> None:
    x = np.random.default_rng(n).normal(size=(n, 2))
    assert np.isnan(getattr(metrics, name)(x, 2 * x)).all()


def test_infinities_do_not_count() -> None:
    x = np.arange(10.0)[:, None]
    y = x.copy()
    y[0], x[1] = np.inf, -np.inf
    assert metrics.spearman(x, y)[0] == pytest.approx(1)


def test_average_is_of_what_is_known() -> None:
    assert metrics.average(np.array([1.0, np.nan, -2.0])) == -0.5
    assert np.isnan(metrics.average(np.array([np.nan])))
    assert np.isnan(metrics.average(np.array([])))


@pytest.mark.parametrize("k", [1, 3, 10])
def test_precision_against_sets(k: int) -> None:
    x, y = (np.random.default_rng(seed).normal(size=(25, 4)) for seed in (1, 2))
    y[20:, 1] = np.nan
    y[2 * k - 1 :, 2] = np.nan
    found, chance = metrics.precision_at(x, y, k)
    for column in (0, 1, 3):
        rows = [row for row in range(25) if np.isfinite(y[row, column])]
        of_x = sorted(rows, key=lambda row: x[row, column])[:k]
        of_y = sorted(rows, key=lambda row: y[row, column])[:k]
        assert found[column] == pytest.approx(len(set(of_x).intersection(of_y)) / k)
        assert chance[column] == pytest.approx(k / len(rows))
    assert np.isnan([found[2], chance[2]]).all()


def test_skill_of_predicting_no_change_is_zero() -> None:
    y = np.random.default_rng(0).normal(size=(20, 1))
    assert metrics.skill(np.zeros_like(y), y)[0] == pytest.approx(0)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("decimals", [None, 0])
def test_flip_auc_of_each_query_is_that_of_scikit_learn(seed: int, decimals: int | None) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=6)
    truth = rng.normal(size=(30, 6))
    predicted = 0.5 * truth + rng.normal(size=truth.shape)
    if decimals is not None:  # ties
        predicted = predicted.round(decimals)
    predicted[rng.random(predicted.shape) < 0.2] = np.nan
    truth[rng.random(truth.shape) < 0.2] = np.nan
    scores[5] = 50.0  # never crosses
    for query, found in enumerate(metrics.flip_auc(scores, predicted, truth)):
        margin, rows = scores[query], ~np.isnan(predicted[:, query] + truth[:, query])
        crossed = np.sign(margin + truth[rows, query]) != np.sign(margin)
        danger = -np.sign(margin) * predicted[rows, query]
        if crossed.any() and not crossed.all():
            assert found == pytest.approx(roc_auc_score(crossed, danger))
        else:
            assert np.isnan(found)


def test_flip_auc_of_perfect_and_of_opposite_predictions() -> None:
    scores, truth = np.array([1.0, -1.0]), 2 * np.random.default_rng(0).normal(size=(30, 2))
    assert metrics.flip_auc(scores, truth, truth).tolist() == [1, 1]
    assert metrics.flip_auc(scores, -truth, truth).tolist() == [0, 0]
    assert np.isnan(metrics.flip_auc(scores, truth, np.full_like(truth, np.nan))).all()


@pytest.mark.parametrize("levels", [2])
def test_precision_of_tied_noise_is_that_of_chance(levels: int) -> None:
    rng = np.random.default_rng(0)
    x, y = (rng.integers(levels, size=(20, 400)).astype(float) for _ in range(2))
    found, chance = metrics.precision_at(x, y, 5)
    assert metrics.average(found) == pytest.approx(metrics.average(chance), abs=0.05)
