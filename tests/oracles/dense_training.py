"""A dense oracle of the training of any task: one plain loop of autograd steps, whose graph runs back to the weights.

A task is used through its public hooks alone (embed, augment, stages), and a test may put textbook stages in their
place. Optimizers are written out from their formulas; of the package's only the schedule of the learning rate is used.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

Named = dict[str, Tensor]
Move = Callable[[str, Tensor, Tensor, float, int], Tensor]


def adam(optimizer: Any) -> Move:
    """Return a rule ``(name, value, gradient, rate, step) -> value`` with moments of its own that start at zero."""
    beta_1, beta_2 = optimizer.betas
    first: Named = {}
    second: Named = {}

    def move(name: str, value: Tensor, gradient: Tensor, rate: float, step: int) -> Tensor:
        if not optimizer.decoupled:
            gradient = gradient + optimizer.weight_decay * value
        first[name] = beta_1 * first.get(name, torch.zeros_like(value)) + (1 - beta_1) * gradient
        second[name] = beta_2 * second.get(name, torch.zeros_like(value)) + (1 - beta_2) * gradient * gradient
        mean = first[name] / (1 - beta_1 ** (step + 1))
        square = second[name] / (1 - beta_2 ** (step + 1))
        moved = value - rate * mean / (square + optimizer.eps) ** 0.5
        return moved - rate * optimizer.weight_decay * value if optimizer.decoupled else moved

    return move


def momentum(optimizer: Any) -> Move:
    """Return the rule of stochastic gradient descent with momentum, with a buffer of its own that starts at zero."""
    buffer: Named = {}

    def move(name: str, value: Tensor, gradient: Tensor, rate: float, step: int) -> Tensor:
        pushed = optimizer.momentum * buffer.get(name, torch.zeros_like(value))
        buffer[name] = pushed + gradient + optimizer.weight_decay * value
        return value - rate * buffer[name]

    return move


def trained_params(recipe: Any, weights: Tensor, stages: Sequence[Any] | None = None) -> Named:
    """Train from the initial parameters, keeping the graph of every step, and return the final parameters.

    Parameters
    ----------
    recipe : Recipe
        Settled; its task, inputs, initial parameters, plan, choices and the settings of its optimizer are used.
    weights : Tensor of shape (n_samples,)
        Data weights.
    stages : sequence of Stage, optional
        What to train instead of the task's own stages.
    """
    stages = recipe.task.stages() if stages is None else stages
    n_steps, shares = len(recipe.plan.indices), [stage.share for stage in stages]
    params = {name: value.detach().clone().requires_grad_() for name, value in recipe.initial.items()}
    stop = 0
    for number, stage in enumerate(stages):
        start, stop = stop, round(n_steps * sum(shares[: number + 1]) / sum(shares))
        optimizer = replace(recipe.optimizer, n_steps=stop - start)
        move = momentum(optimizer) if hasattr(optimizer, "momentum") else adam(optimizer)
        if stage.initialize is not None:
            choice = recipe.choices[number] if recipe.choices else None
            params = stage.initialize(params, recipe.inputs, weights, choice)
        memory: tuple[Tensor, ...] = ()
        for step in range(stop - start):
            if stage.memory is not None and step % stage.update_interval == 0:
                memory = (stage.memory(params, recipe.inputs, weights),)
            batch = recipe.plan.indices[start + step]
            views = recipe.task.augment(recipe.inputs[batch], recipe.plan.keys(start + step))
            # The memory may be a function of the very parameters of this step; a gradient holds it constant, so it is
            # taken in copies that the memory does not know.
            here = {
                name: value.view_as(value) if value.requires_grad else value.clone().requires_grad_()
                for name, value in params.items()
            }
            loss = stage.loss(here, views, weights[batch], *(rows[batch] for rows in memory))
            gradients = torch.autograd.grad(
                loss, list(here.values()), create_graph=True, allow_unused=True, materialize_grads=True
            )
            rate = stage.rate * optimizer.learning_rate * optimizer.schedule(step)
            params = {
                name: move(name, value, gradient, rate, step)
                for (name, value), gradient in zip(params.items(), gradients, strict=True)
            }
    return params


def flat(params: Named) -> Tensor:
    """Return all parameters one after the other, in the order of their names in the dict."""
    return torch.cat([value.reshape(-1) for value in params.values()])


def rows_of(
    recipe: Any, weights: Tensor, cotangents: Tensor, stages: Sequence[Any] | None = None
) -> tuple[Tensor, Tensor]:
    """Return ``cotangents @ d theta / d w`` of shape (n_cotangents, n_samples), and theta."""
    w = weights.detach().clone().requires_grad_()
    theta = flat(trained_params(recipe, w, stages))
    rows = [torch.autograd.grad(theta @ cotangent, w, retain_graph=True)[0] for cotangent in cotangents]
    return torch.stack(rows), theta.detach()


def error(actual: Tensor, reference: Tensor) -> float:
    """Return the largest absolute difference over the largest absolute reference."""
    return float((actual - reference).abs().max() / reference.abs().max())
