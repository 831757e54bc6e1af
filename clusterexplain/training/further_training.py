"""Further training from given weights: how long, and how fast."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from clusterexplain.exceptions import TrainingDivergedError
from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.trajectory import Trajectory, checkpoint_spacing, train

logger = logging.getLogger(__name__)

PASSES = 5
"""Passes over the data that further training takes unless the number of steps is given."""
LARGEST_DRIFT = 0.01
"""How far further training may move the embedding, relative to its spread, unless the rate is given."""
RATES = (1, 0.3, 0.1, 0.03, 0.01, 0.003, 0.001)
"""Candidate learning rates, relative to that of a training from scratch, fastest first."""
TRIAL_STEPS = 32
"""Steps at most of a training that tries a rate."""
TRIAL_ROWS = 1000
"""Examples at most whose embedding tells how far a trial moved it."""
REFINEMENTS = 2
"""Full further trainings at most after the first one."""
MARGIN = 0.7
"""Share of ``LARGEST_DRIFT`` that is aimed at where no candidate will do."""
MUCH_SLOWER = 0.1
"""What the rate is multiplied by where a training diverged, so that its drift says nothing."""


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
    return PASSES * one_pass(n_samples, batch_size)


def one_pass(n_samples: int, batch_size: int) -> int:
    """Return the number of steps that passes over the data once."""
    return math.ceil(n_samples / min(batch_size, n_samples))


def train_further(
    recipe: Recipe,
    weights: Tensor,
    *,
    rate: float | None = None,
    fewest_steps: int | None = None,
    execution: Execution = DEFAULT_EXECUTION,
) -> tuple[Trajectory, FurtherTraining]:
    """Train further from given weights, as fast as the embedding allows that it starts from, and record it.

    A pretrained model was trained by another recipe. Steps that are too long leave its solution and answer a question about
    another model; steps that are too short leave the effect of an example near round-off. Further training with nothing
    removed decides. Candidate rates are bisected on a few steps each: the fastest one is taken that would move the embedding
    by at most ``LARGEST_DRIFT`` of its spread if it went on as in these steps. If the slowest one would move it too far, the
    training is shortened to the number of steps that would not, then the rate is lowered in proportion. One full training
    follows; it is repeated, ``REFINEMENTS`` times at most, if it moved the embedding further than its first steps said, or so
    little that the next candidate is near enough too.

    Parameters
    ----------
    recipe : Recipe
        From the given weights, at the learning rate of a training from scratch.
    weights : Tensor of shape (n_samples,)
        Data weights.
    rate : float, optional
        A learning rate that the user chose; nothing is searched for.
    fewest_steps : int, optional
        Down to how many steps the training may be shortened; by default its length stays.
    execution : Execution, default=DEFAULT_EXECUTION
        Memory of the recorded training, and whether a bar is shown.

    Returns
    -------
    Trajectory
        The recorded training; its recipe has the chosen rate and length.
    FurtherTraining
        What was chosen.

    Raises
    ------
    TrainingDivergedError
        If the given rate, or every rate that was tried, diverges.
    """

    def record(at: float, steps: int) -> Trajectory:
        changed = _changed(recipe, at, steps)
        return train(changed, weights, spacing=checkpoint_spacing(changed, execution), execution=execution)

    n_steps = recipe.plan.n_steps
    if rate is not None:
        trajectory = record(rate, n_steps)
        drift = _drift(trajectory, len(weights))
    else:
        estimate = _Estimate(recipe, weights)
        usual = recipe.optimizer.learning_rate
        fastest = _fastest(lambda number: estimate.drift(RATES[number] * usual, n_steps))
        if fastest is None:
            rate, n_steps = _slower_than_all(estimate, RATES[-1] * usual, n_steps, fewest_steps)
            faster = None
        else:
            rate, faster = RATES[fastest] * usual, RATES[fastest - 1] * usual if fastest else None
        trajectory, drift = _refined(lambda at: record(at, n_steps), rate, faster, len(weights))
    chosen = FurtherTraining(n_steps, trajectory.recipe.optimizer.learning_rate, drift)
    logger.info("further training: %s", chosen)
    return trajectory, chosen


@dataclass(frozen=True, eq=False)
class _Estimate:
    """How far a further training would move the embedding, from its first few steps."""

    recipe: Recipe
    weights: Tensor
    tried: dict[tuple[float, int], float] = field(default_factory=dict)

    def drift(self, rate: float, n_steps: int) -> float:
        """Train for a few steps, and return the drift of `n_steps` of them that go on in the same direction."""
        few = min(n_steps, TRIAL_STEPS)
        return self.trial(rate, few) * n_steps / few

    def trial(self, rate: float, n_steps: int) -> float:
        """Return the drift of a short training; infinite if it diverges."""
        if (rate, n_steps) not in self.tried:
            try:
                trajectory = train(_changed(self.recipe, rate, n_steps), self.weights, spacing=n_steps)
                self.tried[rate, n_steps] = _drift(trajectory, TRIAL_ROWS)
            except TrainingDivergedError:
                self.tried[rate, n_steps] = math.inf
        return self.tried[rate, n_steps]


def _fastest(drift_of: Callable[[int], float]) -> int | None:
    """Bisect the candidates for the fastest one with a small drift; None where none has."""
    low, high = 0, len(RATES)
    while low < high:  # it is one of low .. high - 1, or none is
        middle = (low + high) // 2
        low, high = (low, middle) if drift_of(middle) <= LARGEST_DRIFT else (middle + 1, high)
    return low if low < len(RATES) else None


def _slower_than_all(estimate: _Estimate, rate: float, n_steps: int, fewest: int | None) -> tuple[float, int]:
    """Return a rate and a number of steps where the slowest candidate moves the embedding too far: fewer steps first."""
    few = min(n_steps, TRIAL_STEPS)
    drift = estimate.trial(rate, few)
    while math.isinf(drift):
        rate *= MUCH_SLOWER
        drift = estimate.trial(rate, few)
    per_step = drift / few
    wanted = math.floor(MARGIN * LARGEST_DRIFT / per_step) if per_step else n_steps
    steps = min(n_steps, max(wanted, n_steps if fewest is None else fewest))
    expected = per_step * steps
    return rate * min(1.0, MARGIN * LARGEST_DRIFT / expected if expected else 1.0), steps


def _refined(
    record: Callable[[float], Trajectory], rate: float, faster: float | None, n_samples: int
) -> tuple[Trajectory, float]:
    """Train, and again where the drift asks for another rate; the last training is the best one."""
    best: tuple[Trajectory, float] | None = None
    for left in reversed(range(REFINEMENTS + 1)):
        try:
            trajectory = record(rate)
            drift = _drift(trajectory, n_samples)
        except TrainingDivergedError:
            if best is not None:
                break
            if not left:
                raise
            rate, faster = rate * MUCH_SLOWER, None
            continue
        if best is None or drift <= LARGEST_DRIFT or drift < best[1]:
            best = trajectory, drift
        if drift > LARGEST_DRIFT:
            if best[1] <= LARGEST_DRIFT:  # the faster one is too fast
                break
            rate, faster = rate * MARGIN * LARGEST_DRIFT / drift, None  # drift is proportional to small rates
        elif faster is not None and drift * faster / rate <= LARGEST_DRIFT:
            rate, faster = faster, None
        else:
            break
    assert best is not None
    return best


def _changed(recipe: Recipe, rate: float, n_steps: int) -> Recipe:
    """Return a recipe at another rate, for the first steps of its plan; the schedule is that of its length."""
    optimizer = replace(recipe.optimizer, learning_rate=rate, n_steps=n_steps)
    return replace(recipe, optimizer=optimizer, plan=replace(recipe.plan, indices=recipe.plan.indices[:n_steps]))


def _drift(trajectory: Trajectory, n_rows: int) -> float:
    """Return how far a training moved the embedding of `n_rows` examples, relative to its spread."""
    recipe = trajectory.recipe
    rows = recipe.inputs[:: math.ceil(recipe.n_samples / n_rows)]
    with torch.no_grad():
        before, after = recipe.task.embed(recipe.initial, rows), recipe.task.embed(trajectory.params, rows)
    moved = (after - before).square().sum(dim=1).mean()
    spread = (before - before.mean(dim=0)).square().sum(dim=1).mean()
    return float((moved / spread).sqrt()) if bool(spread) else 0.0
