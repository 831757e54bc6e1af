"""Explanations over seeds: means of exact explanations of fits with other seeds, the labels of the first kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.explanation import Explanation
from clusterexplain.verification import choose_queries

N_SEEDS = 4


@pytest.fixture(scope="module")
def averaged(small: ClusterExplainer) -> Explanation:
    return small.explain([0, 11], n_seeds=N_SEEDS)


def seeds(small: ClusterExplainer) -> np.ndarray:
    """Return influences by seed: the fit's own, and those of fits with other seeds clustered by the labels of the first."""
    from clusterexplain.verification.stability.refits import refit_seeds

    rows = [small.explain([0, 11]).influence]
    first = small.explain([0, 11])
    for seed in refit_seeds(small.seed_, N_SEEDS - 1):
        recipe = small.get_params() | {"clusterer": small.labels_, "min_agreement": 0.0}
        other = ClusterExplainer(**recipe)
        other.random_state = _Fixed(seed)
        other.fit(small.data_)
        against = [int(one) for one in first.runner_ups]
        rows.append(
            np.concatenate([other.explain([q], against=r).influence for q, r in zip([0, 11], against, strict=True)])
        )
    return np.stack(rows)


class _Fixed(np.random.RandomState):
    """A random state whose first draw is a given root seed."""

    def __init__(self, seed: int) -> None:
        super().__init__(0)
        self._seed_value = seed

    def randint(self, *args: object, **kwargs: object) -> int:  # type: ignore[override]
        return self._seed_value


def test_the_mean_is_that_of_separate_fits(small: ClusterExplainer, averaged: Explanation) -> None:
    rows = seeds(small)
    np.testing.assert_allclose(averaged.influence, rows.mean(axis=0), rtol=1e-8, atol=1e-12)
    assert averaged.seed_variability is not None
    expected = rows.std(axis=0, ddof=1) / np.sqrt(N_SEEDS)
    np.testing.assert_allclose(averaged.seed_variability.standard_error, expected, rtol=1e-6, atol=1e-12)
    chance = stats.ttest_1samp(rows, 0, axis=0).pvalue
    stable = np.stack([stats.false_discovery_control(row) < 0.05 for row in chance])
    np.testing.assert_array_equal(averaged.seed_variability.stable, stable)
    pairs = [stats.spearmanr(rows[i, 0], rows[j, 0]).statistic for i in range(N_SEEDS) for j in range(i)]
    assert averaged.seed_variability.shared[0] == pytest.approx(np.mean(pairs))


def test_every_surface_says_it(averaged: Explanation, small: ClusterExplainer) -> None:
    words = f"Over {N_SEEDS} seeds: two seeds rank the examples with a correlation of"
    assert words in repr(averaged)
    assert f"averaged over {N_SEEDS} seeds" in averaged.method_words
    assert {"standard_error", "seed_stable"} <= set(averaged.top(3).columns)
    assert "seed_stable" not in small.explain([0]).top(3).columns
    answer = averaged.to_dict(3)["answers"][0]
    assert answer["seed_variability"]["n_seeds"] == N_SEEDS
    assert isinstance(answer["pulled_in"][0]["seed_stable"], bool)
    np.testing.assert_array_equal(averaged[[1]].seed_variability.shared, averaged.seed_variability.shared[[1]])  # type: ignore[union-attr]
    np.testing.assert_array_equal(averaged.scores, small.explain([0, 11]).scores)


def test_a_check_of_one_seed_is_none_of_many(averaged: Explanation, small: ClusterExplainer) -> None:
    stored = small.verify(
        small.explain([0, 11]), n_single=6, n_within=0, n_groups=0, n_top=0
    ).explanation.stored_check()
    assert averaged.with_check(stored).check is None


def test_means_are_checked_at_seeds_that_they_have_not_seen(averaged: Explanation, small: ClusterExplainer) -> None:
    check = small.verify(averaged, estimands="recipe", n_single=8, n_within=0, n_groups=0, n_top=0, n_seeds=3)
    assert check.headline.estimand == "recipe"
    assert "3 other seeds" in check.verdict


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_seeds": 0}, "n_seeds=0 must be a whole number of at least 1"),
        ({"n_seeds": 2.5}, "n_seeds=2.5 must be a whole number"),
        ({"n_seeds": 2, "method": "gradient_dot"}, "averages exact influences, but method='gradient_dot'"),
    ],
)
def test_what_cannot_be_averaged_is_refused(small: ClusterExplainer, options: dict, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        small.explain([0], **options)


def test_clusters_that_a_network_learns_have_no_counterpart(blobs: np.ndarray) -> None:
    ce = ClusterExplainer("dec", "dec", n_clusters=3, latent_dim=2, hidden=(6,), n_steps=40, random_state=0).fit(blobs)
    with pytest.raises(InvalidParameterError, match="With other seeds a DEC learns other clusters"):
        ce.explain([0], n_seeds=2)
    with pytest.raises(InvalidParameterError, match="With other seeds a DEC learns other clusters"):
        ce.verify(ce.explain([0]), estimands="recipe", n_single=6)


def test_samples_are_chosen_from_every_depth_and_cluster() -> None:
    rng = np.random.default_rng(0)
    labels, margins = np.repeat([-1, 0, 1, 2], [10, 60, 30, 12]), rng.normal(size=112)
    present = np.ones(112, dtype=bool)
    present[10:20] = False
    rows = choose_queries(margins, labels, present, 18)
    assert len(rows) == len(set(rows.tolist())) == 18
    assert present[rows].all()
    assert np.bincount(labels[rows], minlength=3).tolist() == [6, 6, 6]
    for cluster in range(3):
        inside = np.flatnonzero((labels == cluster) & present)
        order = inside[np.argsort(margins[inside], kind="stable")]
        thirds = [np.isin(rows, part).sum() for part in np.array_split(order, 3)]
        assert thirds == [2, 2, 2]
    assert len(choose_queries(margins, labels, present, 1000)) == 92
