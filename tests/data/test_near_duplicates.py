"""Near-duplicates that were planted in other clusters are found, and nothing else is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from clusterexplain.data.near_duplicates import COLUMNS, find_label_conflicts, label_conflicts_of
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError


@pytest.fixture
def rows() -> np.ndarray:
    """Draw 300 rows in 5 dimensions; row 299 is nearly row 0."""
    rows = np.random.default_rng(0).normal(size=(300, 5))
    rows[299] = rows[0] + 1e-3
    return rows


def labels_with(*positions: int, n: int = 300) -> np.ndarray:
    """Return one cluster, but for the given rows."""
    labels = np.zeros(n, dtype=int)
    labels[list(positions)] = 1
    return labels


def by_definition(rows: np.ndarray, labels: np.ndarray, share: float, closest: float) -> set[tuple[int, int]]:
    """Return the pairs by the full distance matrix."""
    distance = cdist(rows, rows)
    distinct = cdist(np.unique(rows, axis=0), np.unique(rows, axis=0))
    np.fill_diagonal(distinct, np.inf)
    nearest = distinct.min(axis=1)
    limit = min(np.quantile(nearest, share), closest * np.median(nearest)) * (1 + 1e-9)
    pairs = np.argwhere(np.triu((distance <= limit) & (labels[:, None] != labels), 1))
    return {(int(i), int(j)) for i, j in pairs}


def found_pairs(table: pd.DataFrame) -> set[tuple[int, int]]:
    return set(zip(table["id"].tolist(), table["near_duplicate"].tolist(), strict=True))


def test_planted_near_duplicates_are_found(rows: np.ndarray) -> None:
    table = find_label_conflicts(rows, labels_with(299), np.arange(300))
    assert table.columns.tolist() == COLUMNS
    first = table.iloc[0]
    assert first[["id", "cluster", "near_duplicate", "near_duplicate_cluster"]].tolist() == [0, 0, 299, 1]
    assert first["distance"] == pytest.approx(1e-3 * np.sqrt(5))
    assert first["relative"] == pytest.approx(first["distance"] / table.attrs["typical"])
    assert first["relative"] < 0.01


def test_same_cluster_is_no_conflict(rows: np.ndarray) -> None:
    table = find_label_conflicts(rows, labels_with(), np.arange(300))
    assert table.empty
    assert table.columns.tolist() == COLUMNS


def test_noise_against_a_cluster_counts(rows: np.ndarray) -> None:
    labels = labels_with()
    labels[0] = -1
    assert find_label_conflicts(rows, labels, np.arange(300)).iloc[0][
        ["cluster", "near_duplicate_cluster"]
    ].tolist() == [-1, 0]


@pytest.mark.parametrize(("share", "closest"), [(0.01, 0.75), (0.1, 0.75), (0.5, 0.9), (0.5, 0.3)])
@pytest.mark.parametrize("n_features", [2, 30])  # a tree, and brute force
def test_against_the_full_distance_matrix(share: float, closest: float, n_features: int) -> None:
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(200, n_features))
    rows[150:] = rows[:50] + rng.normal(size=(50, n_features)) * rng.random((50, 1))
    rows[190:] = rows[:10]
    labels = rng.integers(-1, 3, 200)
    table = find_label_conflicts(rows, labels, np.arange(200), share=share, closest=closest)
    assert found_pairs(table) == by_definition(rows, labels, share, closest)
    assert (table["id"] < table["near_duplicate"]).all()
    assert table["distance"].is_monotonic_increasing


def test_exact_duplicates_are_near_duplicates_at_distance_zero() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 40))
    rows[[10, 20, 30]] = rows[0]
    rows[5], rows[6] = 0.0, -0.0
    table = find_label_conflicts(rows, labels_with(6, 20, 30, n=50), np.arange(50), share=0)
    assert found_pairs(table) == {(0, 20), (0, 30), (10, 20), (10, 30), (5, 6)}
    assert (table["distance"] == 0).all()
    assert (table["relative"] == 0).all()


def test_duplicates_do_not_hide_near_duplicates(rows: np.ndarray) -> None:
    doubled = np.vstack([rows, rows[1:200]])
    table = find_label_conflicts(doubled, labels_with(299, n=len(doubled)), np.arange(len(doubled)))
    assert (0, 299) in found_pairs(table)
    assert table.attrs["typical"] > 0


def test_scale_and_place_of_the_rows_do_not_matter(rows: np.ndarray) -> None:
    labels = np.arange(300) % 3
    plain = find_label_conflicts(rows, labels, np.arange(300), share=0.1)
    for other in (1024.0 * rows, rows / 1024):
        scaled = find_label_conflicts(other, labels, np.arange(300), share=0.1)
        pd.testing.assert_frame_equal(scaled.drop(columns="distance"), plain.drop(columns="distance"))
    assert found_pairs(find_label_conflicts(rows + 1e4, labels, np.arange(300), share=0.1)) == found_pairs(plain)
    assert len(plain) > 1


def test_a_grid_is_not_all_near_duplicates() -> None:
    grid = np.stack(np.meshgrid(np.arange(10.0), np.arange(10.0)), axis=-1).reshape(-1, 2)
    assert find_label_conflicts(grid, np.arange(100) % 2, np.arange(100)).empty


@pytest.mark.parametrize("n", [1, 2])
def test_too_few_rows_to_have_a_typical_distance(n: int) -> None:
    assert find_label_conflicts(np.arange(float(n))[:, None], np.arange(n), np.arange(n)).empty


def test_identical_rows_only() -> None:
    table = find_label_conflicts(np.ones((3, 2)), np.array([0, 1, 0]), np.array(["a", "b", "c"]))
    assert table[["id", "near_duplicate"]].to_numpy().tolist() == [["a", "b"], ["b", "c"]]
    assert (table["relative"] == 0).all()


def test_n_keeps_the_closest(rows: np.ndarray) -> None:
    labels = np.arange(300) % 3
    every = find_label_conflicts(rows, labels, np.arange(300), share=0.1)
    pd.testing.assert_frame_equal(find_label_conflicts(rows, labels, np.arange(300), share=0.1, n=2), every.head(2))


def test_near_duplicates_of_a_sample_from_either_side() -> None:
    rows = np.random.default_rng(0).normal(size=(40, 3))
    rows[[3, 20]] = rows[11]
    table = find_label_conflicts(rows, labels_with(11, n=40), np.array([f"s{i}" for i in range(40)]), share=0)
    assert label_conflicts_of(table, "s11")["id"].tolist() == ["s3", "s20"]
    assert label_conflicts_of(table, "s11")["cluster"].tolist() == [0, 0]
    assert label_conflicts_of(table, "s20")["id"].tolist() == ["s11"]
    nobody = label_conflicts_of(table, "s1")
    assert nobody.empty
    assert nobody.columns.tolist() == ["id", "cluster", "distance", "relative"]


def test_errors_say_what_to_do(rows: np.ndarray) -> None:
    labels, ids = labels_with(0), np.arange(300)
    with pytest.raises(InvalidParameterError, match=r"share=1 must lie in \[0, 1\)"):
        find_label_conflicts(rows, labels, ids, share=1)
    with pytest.raises(InvalidParameterError, match="closest=0 must lie between 0 and 1"):
        find_label_conflicts(rows, labels, ids, closest=0)
    with pytest.raises(InvalidParameterError, match="n=0 must be at least 1"):
        find_label_conflicts(rows, labels, ids, n=0)
    with pytest.raises(InvalidDataError, match=r"have shapes .*\(4,\).* one label and one id for each row"):
        find_label_conflicts(rows, labels[:4], ids)
    rows[3, 1] = np.nan
    with pytest.raises(InvalidDataError, match="rows hold NaN"):
        find_label_conflicts(rows, labels, ids)
