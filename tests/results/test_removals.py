"""Kinds of removals: every kind has a label of its own, which is compared and never taken apart."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain.results.removals import DOWN_WEIGHT, GROUP, TOP_PULLERS, Removal, RemovalKind, RemovalName


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        (GROUP, "group"),
        (DOWN_WEIGHT, "down-weight"),
        (TOP_PULLERS, "top pullers"),
        (RemovalKind(RemovalName.GROUP, 0.005), "group 0.5 %"),
        (RemovalKind(RemovalName.SUBSET, 0.9), "subset 90 %"),
        (RemovalKind(RemovalName.DOWN_WEIGHT, 0.3), "down-weight 30 %"),
    ],
)
def test_labels(kind: RemovalKind, label: str) -> None:
    assert kind.label == str(kind) == label


def test_labels_differ() -> None:
    kinds = [RemovalKind(name, share) for name in RemovalName for share in (None, 0.05, 0.5)]
    assert len({kind.label for kind in kinds}) == len(kinds)


def test_weights_of_a_removal() -> None:
    removal = Removal(GROUP, np.array([0, 2]), rest=2.0)
    np.testing.assert_array_equal(removal.weights(np.array([1.0, 1.0, 3.0, 0.0])), [0.0, 2.0, 0.0, 0.0])
