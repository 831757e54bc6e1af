"""Smoothness is measured, shown, saved, and low where derivatives cannot be trusted."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from clusterexplain import ClusterExplainer
from tests.conftest import SMALL


def test_the_usual_recipe_is_smooth_and_the_figure_survives_saving(blobs: np.ndarray, tmp_path: Path) -> None:
    ce = ClusterExplainer(**SMALL, measure_smoothness=True).fit(blobs)
    assert ce.smoothness_.smooth
    assert ce.smoothness_.low > 0.9
    assert str(ce.smoothness_).startswith("smooth (down-weighting 24 single examples by 5 %: rank correlation")
    assert ClusterExplainer.load(ce.save(tmp_path / "run")).smoothness_ == ce.smoothness_


def test_kinks_and_a_tiny_epsilon_are_found_out(blobs: np.ndarray) -> None:
    rough = {**SMALL, "n_steps": 400, "activation": "relu", "adam_eps": 1e-16, "learning_rate": 0.1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ce = ClusterExplainer(**rough, measure_smoothness=True).fit(blobs)
    assert not ce.smoothness_.smooth
    assert "NOT smooth" in str(ce.smoothness_)


def test_without_being_asked_nothing_is_measured(small: ClusterExplainer) -> None:
    assert not hasattr(small, "smoothness_")
