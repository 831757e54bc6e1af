"""The function of parameters and data weights whose minimum a training is on its way to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.executors import one_thread
from clusterexplain.training import Adam, BatchPlan, Trajectory
from clusterexplain.training.layout import Layout

Objective = Callable[[Tensor, Tensor], Tensor]
"""``(theta, weights) -> scalar``, with flat parameters."""


@dataclass(frozen=True, eq=False)
class TrajectoryObjective:
    r"""The weighted loss of the last stage of a recorded training, plus its weight decay.

    .. math:: L(\theta, w) = \frac{1}{|D|} \sum_{(b, x) \in D} \ell(\theta, x, w_b) + \frac12 \sum_j d_j \theta_j^2

    The draws D are all examples at once if the task is separable, and otherwise the batches of the plan's last passes; the
    augmentation is the one that the recipe's keys give at those steps. What the stage remembers of its examples (the targets
    of DEC) is recomputed from the weights at the trained parameters: a gradient in the parameters holds it constant, as the
    training does, and a derivative in the weights goes through it. How it follows the parameters is left out, because the
    derivative of that gradient would be no symmetric matrix.

    Parameters
    ----------
    loss : callable
        ``(params, inputs, weights) -> scalar``, with the memory's rows as a fourth argument if there is one.
    layout : Layout
        Where each parameter lives in the flat vector.
    draws : tuple of (Tensor, inputs)
        Row numbers and augmented inputs.
    decay : Tensor of shape (n_params,) or ()
        The factors d.
    memory : callable or None
        ``weights -> Tensor of shape (n_samples, width)``.
    """

    loss: Callable[..., Tensor]
    layout: Layout
    draws: tuple[tuple[Tensor, Any], ...]
    decay: Tensor
    memory: Callable[[Tensor], Tensor] | None = None

    def __call__(self, theta: Tensor, weights: Tensor) -> Tensor:
        """Return the objective at flat parameters and data weights, a scalar."""
        params = self.layout.split(theta)
        memory = None if self.memory is None else self.memory(weights)  # (n_samples, width)
        total = 0.5 * (self.decay * theta * theta).sum()  # sum_j d_j theta_j^2 / 2
        for index, inputs in self.draws:
            remembered = () if memory is None else (memory[index],)
            total = total + self.loss(params, inputs, weights[index], *remembered) / len(self.draws)
        return total

    @classmethod
    def of_trajectory(
        cls, trajectory: Trajectory, *, decay: float | None = None, passes: int = 1
    ) -> TrajectoryObjective:
        """Read the objective off a recorded training.

        Parameters
        ----------
        trajectory : Trajectory
            The training.
        decay : float or None, default=None
            One factor d for all parameters; None is what the optimizer's decay amounts to, see :func:`stationary_decay`.
        passes : int, default=1
            Passes over the data, from the last one back, whose batches or augmentations are averaged.

        Returns
        -------
        TrajectoryObjective
            Of the parameters and weights of the training.

        Raises
        ------
        InvalidParameterError
            If a parameter is out of its range.
        """
        if decay is not None and not 0 <= decay < float("inf"):
            raise InvalidParameterError(f"decay={decay!r} must be a finite number of at least 0, or None.")
        if passes < 1:
            raise InvalidParameterError(f"passes={passes!r} must be a whole number of at least 1.")
        recipe = trajectory.recipe
        stage, params, inputs = recipe.planned_stages[-1].stage, trajectory.params, recipe.inputs
        factors = stationary_decay(trajectory) if decay is None else torch.tensor(decay, dtype=recipe.dtype)
        memory = stage.memory
        kept = None if memory is None else (lambda weights: memory(params, inputs, weights))
        return cls(stage.loss, recipe.layout, _draws(trajectory, passes), factors, kept)


def stationary_decay(trajectory: Trajectory) -> Tensor:
    r"""Return the factors d of the term :math:`\frac12 \sum_j d_j \theta_j^2` that the optimizer's decay amounts to.

    Where the training stands still, its update is zero. A decay :math:`\lambda` that is added to the gradient (SGD, Adam)
    gives :math:`\nabla L + \lambda \theta = 0`, so :math:`d = \lambda`. The decoupled decay of AdamW acts beside the
    preconditioned gradient, :math:`\nabla L / \sqrt{\hat v + \epsilon} + \lambda \theta = 0`, so
    :math:`d_j = \lambda \sqrt{\hat v_j + \epsilon}` with the second moment after the last step. That is smaller than
    :math:`\lambda` by the size of a batch's gradient, and another one for every parameter. That the second moment itself
    follows the weights is left out; it is of the relative order :math:`(\lambda \theta_j)^2`.

    Parameters
    ----------
    trajectory : Trajectory
        The training; the last segment is replayed for the second moment.

    Returns
    -------
    Tensor of shape (n_params,) or ()
        In the order of the recipe's layout.
    """
    recipe = trajectory.recipe
    planned = recipe.planned_stages[-1]
    optimizer = planned.optimizer
    strength = torch.tensor(optimizer.weight_decay, dtype=recipe.dtype)
    if not (isinstance(optimizer, Adam) and optimizer.decoupled and optimizer.weight_decay):
        return strength
    _, states = next(trajectory.segments_reversed())
    with one_thread(), torch.no_grad():
        second = trajectory.compiled.advance(states[-1], trajectory.weights, recipe.plan.n_steps - 1)[2]
    corrected = second / (1 - optimizer.betas[1] ** (planned.stop - planned.start))
    return strength * torch.sqrt(corrected + optimizer.eps)


def _draws(trajectory: Trajectory, passes: int) -> tuple[tuple[Tensor, Any], ...]:
    recipe = trajectory.recipe
    plan, planned, n = recipe.plan, recipe.planned_stages[-1], recipe.n_samples
    if not recipe.task.separable:
        steps = range(max(planned.start, planned.stop - passes * max(1, n // plan.batch_size)), planned.stop)
        return tuple(recipe.batch(step) for step in steps)
    every_row = torch.arange(n)
    # The key of (step, example) does not depend on who is in the batch, so a plan of full batches gives it for all examples.
    keyed = BatchPlan(every_row.expand(plan.n_steps, n), plan.seed)
    draws: list[tuple[Tensor, Any]] = []
    for step in range(max(planned.start, planned.stop - passes), planned.stop):
        with torch.no_grad():
            drawn = recipe.task.augment(recipe.inputs, keyed.keys(step))
        draws.append((every_row, drawn))
        if drawn is recipe.inputs:  # nothing is random: one draw is all draws
            break
    return tuple(draws)
