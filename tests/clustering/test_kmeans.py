"""Clusters: weighted means, canonical numbers, matched continuation."""

import numpy as np
import torch

from clusterexplain.clustering import KMeansClusterer, centroid_state
from clusterexplain.clustering.kmeans import canonical_order

Z = np.array([[0.0], [0.2], [0.1], [9.0], [9.2], [30.0]])


def test_canonical_order_is_size_then_row() -> None:
    labels = KMeansClusterer(3, seed=0).fit(Z, np.ones(6))
    assert labels.tolist() == [0, 0, 0, 1, 1, 2]
    assert canonical_order(np.array([4, 4, 1, 1, -1])).tolist() == [0, 0, 1, 1, -1]


def test_weights_move_the_centroid_and_zero_removes() -> None:
    state = centroid_state(
        torch.tensor(Z), torch.tensor([1.0, 3, 0, 1, 1, 0], dtype=torch.float64), torch.tensor([0, 0, 0, 1, 1, 2]), 3
    )
    torch.testing.assert_close(state.centers[:2, 0], torch.tensor([0.15, 9.1], dtype=torch.float64))
    assert state.nonempty.tolist() == [True, True, False]
    assert torch.isfinite(state.centers).all()
    expected = (1 * 0.15**2 + 3 * 0.05**2 + 2 * 0.1**2) / 6
    torch.testing.assert_close(state.within, torch.tensor(expected, dtype=torch.float64))


def test_continuation_keeps_names_and_skips_an_emptied_cluster() -> None:
    clusterer = KMeansClusterer(3, seed=0)
    centers = np.array([[9.1], [0.1], [np.nan]])
    labels = clusterer.continue_from(centers, Z, np.array([1.0, 1, 1, 1, 1, 0]))
    assert labels[:5].tolist() == [1, 1, 1, 0, 0]
    assert 2 not in labels


def test_an_emptied_cluster_is_not_revived_elsewhere() -> None:
    rows = np.array([[0.0], [0.1], [10.0], [10.1], [14.0]])
    labels = KMeansClusterer(3, seed=0).continue_from(np.array([[0.0], [1000.0], [10.0]]), rows, np.ones(5))
    assert labels.tolist() == [0, 0, 2, 2, 2]
