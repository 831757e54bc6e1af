"""The promise on real data: the exact influence predicts retraining on digits with default settings."""

from __future__ import annotations

import pytest

from clusterexplain import Check
from tests.benchmarks.faithfulness import faithfulness


@pytest.fixture(scope="module")
def check() -> Check:
    return faithfulness(seed=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "assignments", "bar"),
    [
        ("single", "frozen", 0.98),
        ("group", "frozen", 0.96),
        ("single", "reclustered", 0.94),
        ("group", "reclustered", 0.80),
        ("down-weight", "frozen", 0.995),
    ],
)
def test_digits(check: Check, kind: str, assignments: str, bar: float) -> None:
    assert check.figure(kind, assignments) >= bar


@pytest.mark.slow
def test_down_weighting_is_calibrated(check: Check) -> None:
    assert check.figure("down-weight", "frozen", "slope") == pytest.approx(1, abs=0.03)
