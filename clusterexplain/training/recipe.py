"""The recipe: everything about a training but the data weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.func import grad, jvp

from clusterexplain.models.task import EmbeddingTask
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import Adam, State
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.tracing import TensorFunction, trace


@dataclass(frozen=True, eq=False)
class Recipe:
    """A deterministic map from data weights to parameters: task, inputs, start, batch plan and optimizer.

    Parameters
    ----------
    task : EmbeddingTask
        The model.
    inputs : Tensor of shape (n_samples, ...)
        What the model is trained on.
    initial : dict of str to Tensor
        Initial parameters.
    plan : BatchPlan
        Who meets whom at which step.
    optimizer : Adam
        The update rule.
    """

    task: EmbeddingTask
    inputs: Tensor
    initial: dict[str, Tensor]
    plan: BatchPlan
    optimizer: Adam

    @cached_property
    def layout(self) -> Layout:
        """Where each parameter lives in the flat vector."""
        return Layout.of(self.initial)

    @property
    def n_samples(self) -> int:
        """Number of training examples."""
        return self.inputs.shape[0]

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of parameters, inputs and weights."""
        return self.inputs.dtype

    def initial_state(self) -> State:
        """Return the optimizer's state before the first step: tensors of shape (n_params,), parameters first."""
        return self.optimizer.initial_state(self.layout.join(self.initial))

    def batch(self, step: int) -> tuple[Tensor, Tensor]:
        """Return the row numbers and the augmented inputs of a step."""
        index = self.plan.indices[step]
        return index, self.task.augment(self.inputs[index], self.plan.keys(step))

    @cached_property
    def coefficients(self) -> Tensor:
        """What the optimizer changes from step to step, shape (n_steps, ...)."""
        return torch.tensor(
            [self.optimizer.coefficients(step) for step in range(self.plan.n_steps)], dtype=torch.float64
        ).to(self.dtype)

    def _gradient(self, theta: Tensor, inputs: Tensor, weights: Tensor) -> Tensor:
        # Differentiating the named parameters and joining afterwards avoids one zero-padded vector for every slice.
        return self.layout.join(grad(self.task.loss)(self.layout.split(theta), inputs, weights))

    def _step(self, state: State, coefficients: Tensor, inputs: Tensor, weights: Tensor) -> State:
        return self.optimizer.update(state, self._gradient(state[0], inputs, weights), coefficients)

    def _pull_step(
        self, state: State, coefficients: Tensor, inputs: Tensor, weights: Tensor, cotangent: State
    ) -> tuple[State, Tensor]:
        """Pull a cotangent on the state after a step back to the state before it and to the batch's weights."""
        gradient = self._gradient(state[0], inputs, weights)
        (on_theta, *on_moments), on_gradient = self.optimizer.pull(state, gradient, coefficients, cotangent)

        # One forward derivative of (d loss / d theta, d loss / d w) along u gives the Hessian product H u and, for
        # every example of the batch, the derivative of its weight's effect along u: no per-example gradients needed.
        def both(named: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
            on_named, on_weights = grad(self.task.loss, argnums=(0, 2))(named, inputs, weights)
            return self.layout.join(on_named), on_weights

        hessian_u, on_weights = jvp(both, (self.layout.split(state[0]),), (self.layout.split(on_gradient),))[1]
        return (on_theta + hessian_u, *on_moments), on_weights

    def _examples(self) -> tuple[State, Tensor, Tensor, Tensor]:
        index, inputs = self.batch(0)
        return self.initial_state(), self.coefficients[0], inputs, torch.ones(len(index), dtype=self.dtype)

    @cached_property
    def _traces(self) -> dict[tuple[str, int], TensorFunction]:
        return {}

    @cached_property
    def step(self) -> TensorFunction:
        """Traced ``(state, coefficients, inputs, weights) -> state``."""
        return trace(self._step, *self._examples())

    def batched_step(self, n_replicas: int) -> TensorFunction:
        """Traced step of `n_replicas` trainings at once: state and weights have a leading dimension."""
        if ("step", n_replicas) in self._traces:
            return self._traces["step", n_replicas]
        state, coefficients, inputs, weights = self._examples()
        stacked = tuple(part.expand(n_replicas, -1).contiguous() for part in state)
        function = torch.func.vmap(self._step, in_dims=(0, None, None, 0))
        traced = trace(function, stacked, coefficients, inputs, weights.expand(n_replicas, -1).contiguous())
        return self._traces.setdefault(("step", n_replicas), traced)

    def batched_pull_step(self, n_cotangents: int) -> TensorFunction:
        """Traced reverse step for `n_cotangents` cotangents, which have a leading dimension.

        Traced once for a single cotangent and again batched, so that what belongs to the state is computed once.
        """
        if ("pull", n_cotangents) in self._traces:
            return self._traces["pull", n_cotangents]
        examples = self._examples()
        cotangent = tuple(part.clone() for part in examples[0])
        single = trace(self._pull_step, *examples, cotangent, spell_out_slopes=True)
        stacked = tuple(part.expand(n_cotangents, -1).contiguous() for part in cotangent)
        traced = trace(torch.func.vmap(single, in_dims=(None, None, None, None, 0)), *examples, stacked)
        return self._traces.setdefault(("pull", n_cotangents), traced)
