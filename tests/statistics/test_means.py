"""Means over trainings: Student's intervals by hand, and a bootstrap that is as wide."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain.statistics import bootstrap_interval, mean_interval


def test_mean_intervals_are_students() -> None:
    interval = mean_interval(np.array([0.2, 0.4, np.nan]), largest=1.0)
    assert (interval.mean, interval.low, interval.high) == (
        pytest.approx(0.3),
        pytest.approx(0.3 - 12.7062 * 0.1, abs=1e-4),
        1.0,
    )
    assert np.isnan(mean_interval(np.array([0.2])).low)
    assert np.isnan(mean_interval(np.array([np.nan])).mean)


def test_bootstrap_intervals_are_as_wide_as_students() -> None:
    values = np.random.default_rng(0).normal(0.3, 0.5, size=50)
    interval = bootstrap_interval(np.append(values, np.nan))
    assert interval.mean == pytest.approx(values.mean())
    half = 2.01 * values.std(ddof=1) / np.sqrt(50)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.05)
    assert np.isnan(bootstrap_interval(np.array([0.1, 0.2])).low)
    assert bootstrap_interval(np.array([0.7, 0.98, 1.0, 0.99]), largest=1.0).high == 1
    assert np.isnan(bootstrap_interval(np.full(3, np.nan)).mean)
