"""Warnings name the user's file, whichever room finds their reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from warnings import WarningMessage

import numpy as np
import pytest

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import (
    ClusterExplainWarning,
    ReproductionWarning,
    ScaleWarning,
    SmoothnessWarning,
    SolverWarning,
    warn,
)
from clusterexplain.training import Trajectory
from tests.conftest import SMALL


def files(warned: Iterable[WarningMessage]) -> dict[type[Warning], str]:
    """Return the file that each kind of warning names."""
    return {entry.category: entry.filename for entry in warned}


def test_fit_explain_and_load_warn_at_their_caller(
    blobs: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dominated = blobs * np.array([100.0, 1.0, 1.0, 1.0, 1.0])
    with pytest.warns(ClusterExplainWarning) as warned:
        ce = ClusterExplainer(**SMALL, activation="relu").fit(dominated)
    assert files(warned) == {SmoothnessWarning: __file__, ScaleWarning: __file__}

    with pytest.warns(SolverWarning) as warned:
        ce.explain([0], method="implicit", method_options={"solver": "cg", "max_iterations": 1, "damping": 1e-6})
    assert files(warned) == {SolverWarning: __file__}

    folder = ce.save(tmp_path / "run")
    monkeypatch.setattr(Trajectory, "replay_error", lambda self: 1e-12)
    with pytest.warns(ReproductionWarning) as warned:
        ClusterExplainer.load(folder)
    assert files(warned) == {ReproductionWarning: __file__}


def test_a_caller_outside_of_the_package_is_named_itself() -> None:
    with pytest.warns(ClusterExplainWarning, match="Too much") as warned:
        warn("Too much. Expected less.", ClusterExplainWarning)
    assert files(warned) == {ClusterExplainWarning: __file__}
