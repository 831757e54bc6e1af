"""Matching of two labellings: against brute force, against scikit-learn, and at the edges."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score, confusion_matrix

from clusterexplain.statistics.matching import jaccard, match, overlap, renumbered

SEEDS = range(8)


def draw(seed: int, n_base: int = 4, n_other: int = 4, n: int = 40) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw two labellings with noise, and weights of which some are 0; every number is in use."""
    rng = np.random.default_rng(seed)
    labels, others = rng.integers(-1, n_base, n), rng.integers(-1, n_other, n)
    labels[:n_base], others[-n_other:] = np.arange(n_base), np.arange(n_other)
    return labels, others, rng.integers(0, 3, n) * rng.random(n)


@pytest.mark.parametrize("seed", SEEDS)
def test_overlap_is_the_weighted_confusion_matrix(seed: int) -> None:
    labels, others, weights = draw(seed, 4, 4)
    both = (labels >= 0) & (others >= 0)
    expected = confusion_matrix(labels[both], others[both], labels=range(4), sample_weight=weights[both])
    np.testing.assert_allclose(overlap(labels, others, weights), expected)


@pytest.mark.parametrize(("n_base", "n_other"), [(4, 4), (3, 5), (5, 3)])
@pytest.mark.parametrize("seed", SEEDS)
def test_no_permutation_has_more_in_common(seed: int, n_base: int, n_other: int) -> None:
    labels, others, weights = draw(seed, n_base, n_other)
    side = max(n_base, n_other)
    common = np.zeros((side, side))
    common[:n_base, :n_other] = overlap(labels, others, weights)
    best = max(sum(common[k, order[k]] for k in range(side)) for order in permutations(range(side)))
    partners = match(labels, others, weights)
    paired = np.flatnonzero(partners >= 0)
    assert common[paired, partners[paired]].sum() == pytest.approx(best)
    assert len(np.unique(partners[paired])) == len(paired)


@pytest.mark.parametrize("seed", SEEDS)
def test_renumbering_keeps_the_partition(seed: int) -> None:
    labels, others, weights = draw(seed, 3, 5)
    found = renumbered(labels, others, weights)
    assert adjusted_rand_score(others, found) == 1
    np.testing.assert_array_equal(found == -1, others == -1)
    assert set(found[found >= 0]) <= set(range(5 + 3))
    partners = match(labels, others, weights)
    for base, partner in enumerate(partners):
        if partner >= 0:
            np.testing.assert_array_equal(found == base, others == partner)


def test_permuted_copy_gets_its_numbers_back() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2, -1, -1])
    copy = np.array([2, 0, 1, -1])[labels]
    found = renumbered(labels, copy, np.ones(8))
    np.testing.assert_array_equal(found, labels)
    np.testing.assert_array_equal(jaccard(labels, found, np.ones(8)), 1)


def test_merged_cluster_has_no_partner_and_jaccard_zero() -> None:
    labels = np.repeat([0, 1, 2], [5, 4, 3])
    merged = np.repeat([0, 0, 1], [5, 4, 3])
    found = renumbered(labels, merged, np.ones(12))
    np.testing.assert_array_equal(match(labels, merged, np.ones(12)), [0, -1, 1])
    np.testing.assert_allclose(jaccard(labels, found, np.ones(12)), [5 / 9, 0, 1])


def test_split_cluster_keeps_its_larger_part() -> None:
    labels, split = np.repeat([0, 1], [6, 4]), np.repeat([7, 3, 5], [2, 4, 4])
    found = renumbered(labels, split, np.ones(10))
    np.testing.assert_array_equal(found, np.repeat([2, 0, 1], [2, 4, 4]))
    np.testing.assert_allclose(jaccard(labels, found, np.ones(10)), [4 / 6, 1])


def test_rows_of_weight_zero_follow_their_cluster_without_a_say() -> None:
    labels, others = np.array([0, 0, 1, 1, 1]), np.array([1, 1, 0, 1, 1])
    weights = np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    found = renumbered(labels, others, weights)
    np.testing.assert_array_equal(found, [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(jaccard(labels, found, weights), [1, 1])


@pytest.mark.parametrize("seed", SEEDS)
def test_jaccard_from_sets(seed: int) -> None:
    labels, others, weights = draw(seed)
    found = renumbered(labels, others, weights)
    for base, value in enumerate(jaccard(labels, found, weights)):
        ours, theirs = labels == base, found == base
        assert value == pytest.approx(weights[ours & theirs].sum() / weights[ours | theirs].sum())


def test_integer_weights_are_repetitions() -> None:
    labels, others, _ = draw(0)
    counts = np.random.default_rng(1).integers(0, 4, len(labels))
    repeated = (np.repeat(labels, counts), np.repeat(others, counts), np.ones(counts.sum()))
    np.testing.assert_array_equal(overlap(labels, others, counts), overlap(*repeated))


def test_everything_noise() -> None:
    labels, noise, ones = np.array([0, 1, 1]), np.full(3, -1), np.ones(3)
    np.testing.assert_array_equal(match(labels, noise, ones), [-1, -1])
    np.testing.assert_array_equal(renumbered(labels, noise, ones), noise)
    np.testing.assert_array_equal(jaccard(labels, noise, ones), [0, 0])
    assert match(noise, labels, ones).shape == (0,)
    np.testing.assert_array_equal(renumbered(noise, labels, ones), labels)
    assert jaccard(noise, labels, ones).shape == (0,)


def test_a_base_cluster_without_weight_says_nothing() -> None:
    labels, weights = np.array([0, 0, 1]), np.array([1.0, 1.0, 0.0])
    np.testing.assert_array_equal(jaccard(labels, renumbered(labels, labels, weights), weights), [1, np.nan])
