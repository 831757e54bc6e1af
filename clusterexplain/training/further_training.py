"""Further training from given weights: how long, and how fast."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from clusterexplain.exceptions import TrainingDivergedError
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.trajectory import train

logger = logging.getLogger(__name__)

PASSES = 5
"""Passes over the data that further training takes unless the number of steps is given."""
LARGEST_DRIFT = 0.01
"""How far further training may move the embedding, relative to its spread, unless the rate is given."""
RATES = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Candidate learning rates, relative to that of a training from scratch, fastest first."""
REFINEMENTS = 3
"""Further trainings at most at rates below all candidates."""
MARGIN = 0.7
"""Share of ``LARGEST_DRIFT`` that is aimed at there."""


@dataclass(frozen=True)
class FurtherTraining:
    """What further training was chosen.

    Attributes
    ----------
    n_steps : int
        Optimizer steps.
    learning_rate : float
        Peak learning rate.
    drift : float
        Root mean square distance that the embedding moves with nothing removed, relative to its own spread.
    """

    n_steps: int
    learning_rate: float
    drift: float

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{self.n_steps} further steps at learning rate {self.learning_rate:g}, which move the embedding by "
            f"{self.drift:.1%} of its spread"
        )


def usual_steps(n_samples: int, batch_size: int) -> int:
    """Return the number of steps that passes over the data ``PASSES`` times."""
    return PASSES * math.ceil(n_samples / min(batch_size, n_samples))


def choose_rate(recipe: Recipe, weights: Tensor, *, given: float | None) -> tuple[Recipe, FurtherTraining]:
    """Choose the fastest rate at which further training stays near the weights that it starts from.

    A pretrained model was trained by another recipe. Steps that are too long leave its solution and answer a
    question about another model; steps that are too short leave the effect of an example near round-off. Further
    training with nothing removed decides: the fastest candidate that moves the embedding by at most ``LARGEST_DRIFT`` of
    its spread. Candidates are bisected; where even the slowest moves it too far, the rate is lowered in proportion.

    Parameters
    ----------
    recipe : Recipe
        From the given weights, at the learning rate of a training from scratch.
    weights : Tensor of shape (n_samples,)
        Data weights.
    given : float or None
        A learning rate that the user chose.

    Returns
    -------
    Recipe
        At the chosen rate.
    FurtherTraining
        What was chosen.

    Raises
    ------
    TrainingDivergedError
        If the given rate, or even the slowest candidate, diverges.
    """

    def drift_at(rate: float) -> float:
        return _drift(_at_rate(recipe, rate), weights)

    rate, drift = (given, drift_at(given)) if given is not None else _fastest(drift_at, recipe.optimizer.learning_rate)
    chosen = FurtherTraining(recipe.plan.n_steps, rate, drift)
    logger.info("further training: %s", chosen)
    return _at_rate(recipe, rate), chosen


def _fastest(drift_at: Callable[[float], float], usual: float) -> tuple[float, float]:
    """Return the fastest candidate with a small drift, and its drift; a slower one than all where none has."""
    rates, drifts = [factor * usual for factor in RATES], dict[int, float]()
    low, high = 0, len(rates) - 1
    while low < high:  # the fastest that is good enough is one of low .. high, or none is
        middle = (low + high) // 2
        drifts[middle] = _or_infinite(drift_at, rates[middle])
        low, high = (low, middle) if drifts[middle] <= LARGEST_DRIFT else (middle + 1, high)
    rate, drift = rates[high], drifts[high] if high in drifts else drift_at(rates[high])
    for _ in range(REFINEMENTS):
        if drift <= LARGEST_DRIFT:
            break
        rate = rate * MARGIN * LARGEST_DRIFT / drift  # drift is proportional to small rates
        drift = drift_at(rate)
    return rate, drift


def _or_infinite(drift_at: Callable[[float], float], rate: float) -> float:
    try:
        return drift_at(rate)
    except TrainingDivergedError:
        return math.inf


def _at_rate(recipe: Recipe, rate: float) -> Recipe:
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=rate))


def _drift(recipe: Recipe, weights: Tensor) -> float:
    trajectory = train(recipe, weights, spacing=recipe.plan.n_steps)
    with torch.no_grad():
        before, after = (
            recipe.task.embed(recipe.initial, recipe.inputs),
            recipe.task.embed(trajectory.params, recipe.inputs),
        )
    moved = (after - before).square().sum(dim=1).mean()
    spread = (before - before.mean(dim=0)).square().sum(dim=1).mean()
    return float((moved / spread).sqrt())
