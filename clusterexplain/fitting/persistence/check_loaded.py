"""Is what was opened what was saved? Its training is replayed, its embedding, loss and parameters are compared."""

from __future__ import annotations

from typing import Any

import numpy as np

from clusterexplain.exceptions import ReproductionWarning, RunDamagedError, RunMismatchError, warn
from clusterexplain.fitting.fit import Fit
from clusterexplain.training import Recipe, Trajectory

LARGEST_REPLAY_ERROR = 1e-3
"""Relative difference of a replayed run up to which it is taken for round-off of another machine."""


def check_replay(trajectory: Trajectory, where: str) -> None:
    """Replay the last segment: bit for bit is silent, round-off is a warning, more is damage."""
    error = trajectory.replay_error()
    if error > LARGEST_REPLAY_ERROR:
        raise RunDamagedError(
            f"The run {where} is damaged: replaying its last steps ends elsewhere (relative error {error:.1g}). "
            f"Expected at most round-off, {LARGEST_REPLAY_ERROR:g}. Restore it or fit anew."
        )
    if error > 0:
        warn(
            f"Replaying the last steps of the run {where} did not give the saved parameters bit for bit (relative error "
            f"{error:.1g}), as happens on another machine or torch version. Explanations differ by round-off.",
            ReproductionWarning,
        )


def check_embedding(fit: Fit, stored: np.ndarray, where: str) -> None:
    """Refuse a task that computes other embeddings from the run's weights than it did."""
    found = fit.embedding.numpy()
    error = np.abs(found - stored).max() / np.abs(stored).max() if found.shape == stored.shape else np.inf
    if not error <= LARGEST_REPLAY_ERROR:
        raise RunMismatchError(
            f"The run {where} has other embeddings than the model computes from its weights (relative error {error:.1g}). "
            f"Expected the task that the run was made with: the same layers, activations, constants and embed function."
        )


def check_loss(found: float, stored: float | None, where: str) -> None:
    """Refuse a task whose loss with the run's weights is another one than it was."""
    if stored is not None and abs(found - stored) > LARGEST_REPLAY_ERROR * max(abs(stored), 1e-12):
        raise RunMismatchError(
            f"The run {where} ended at a loss of {stored:.6g}, but the model's loss with its weights is {found:.6g}. Expected "
            f"the task that the run was made with: the same loss and augmentation."
        )


def check_layout(recipe: Recipe, stored: list[Any] | None, where: str) -> None:
    """Refuse a task with other parameters than those of the run."""
    given = [[name, list(shape)] for name, shape in recipe.layout.shapes]
    if stored is not None and given != stored:
        words = ["; ".join(f"{name} {tuple(shape)}" for name, shape in one[:4]) for one in (stored, given)]
        raise RunMismatchError(
            f"The run {where} has the parameters {words[0]}, ... but the task has {words[1]}, ... Expected the task that the "
            f"run was made with."
        )
