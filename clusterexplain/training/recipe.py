"""The recipe: everything about a training but the data weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from threading import RLock
from typing import Any

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.budget import BATCH_CACHE_BYTES
from clusterexplain.execution.executors import one_thread
from clusterexplain.models.task import EmbeddingTask
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import Optimizer, State
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.stage import PlannedStage
from clusterexplain.training.tracing import TensorFunction, trace

_TRACING = RLock()  # building a trace may ask for another


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
    optimizer : Optimizer
        The update rule.
    choices : tuple of (Tensor or None), default=()
        What each stage chose when the recipe was first trained (:meth:`with_choices_kept`), one entry for each stage.
    """

    task: EmbeddingTask
    inputs: Tensor
    initial: dict[str, Tensor]
    plan: BatchPlan
    optimizer: Optimizer
    choices: tuple[Tensor | None, ...] = ()

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

    @cached_property
    def planned_stages(self) -> tuple[PlannedStage, ...]:
        """The task's stages at their places in the plan."""
        stages = self.task.stages()
        total, done, start = sum(stage.share for stage in stages), 0.0, 0
        phases = []
        for number, stage in enumerate(stages):
            done += stage.share
            stop = round(self.plan.n_steps * done / total)
            if stop == start:
                raise InvalidParameterError(
                    f"n_steps={self.plan.n_steps} leaves no step for stage {number + 1} of {len(stages)} (its share "
                    f"is {stage.share / total:.0%}). Raise n_steps, or change the shares (pretrain= of a DEC)."
                )
            optimizer = replace(
                self.optimizer, n_steps=stop - start, learning_rate=self.optimizer.learning_rate * stage.rate
            )
            choice = self.choices[number] if self.choices else None
            phases.append(PlannedStage(stage, start, stop, optimizer, self.layout, choice, self.n_samples))
            start = stop
        return tuple(phases)

    def planned(self, step: int) -> PlannedStage:
        """Return the phase that a step belongs to."""
        return next(planned for planned in self.planned_stages if step < planned.stop)

    @cached_property
    def memory_width(self) -> int:
        """How many numbers the task remembers of each example; 0 if nothing."""
        weights = torch.ones(self.n_samples, dtype=self.dtype)
        with torch.no_grad():
            widths = {
                stage.memory(self.initial, self.inputs, weights).shape[1]
                for stage in self.task.stages()
                if stage.memory is not None
            }
        if len(widths) > 1:
            raise InvalidParameterError(
                f"Stages of the task remember {sorted(widths)} numbers of each example. Expected the same width in every stage."
            )
        return widths.pop() if widths else 0

    @property
    def state_size(self) -> int:
        """Numbers in one training state."""
        return self.layout.size * self.optimizer.n_slots + self.memory_width * self.n_samples

    def initial_state(self) -> State:
        """Return the state before the first step: flat tensors, parameters first."""
        return self.with_memory(self.optimizer.initial_state(self.layout.join(self.initial)))

    def with_memory(self, slots: State) -> State:
        """Append an empty memory to optimizer slots of shape (..., n_params) if the task has one."""
        if not self.memory_width:
            return slots
        return (*slots, slots[0].new_zeros(*slots[0].shape[:-1], self.memory_width * self.n_samples))

    def batch(self, step: int) -> tuple[Tensor, Any]:
        """Return the row numbers and the augmented inputs of a step."""
        if step in self._batches:
            return self._batches[step]
        index = self.plan.indices[step]
        with torch.inference_mode(mode=False), torch.no_grad():  # what is kept must be usable in derivatives
            drawn = index, self.task.augment(self.inputs[index], self.plan.keys(step))
        parts = drawn[1] if isinstance(drawn[1], tuple) else drawn[1:]
        if sum(part.numel() * part.element_size() for part in parts) * self.plan.n_steps <= BATCH_CACHE_BYTES:
            self._batches[step] = drawn
        return drawn

    @cached_property
    def _batches(self) -> dict[int, tuple[Tensor, Any]]:
        return {}

    @cached_property
    def coefficients(self) -> Tensor:
        """What the optimizer changes from step to step, shape (n_steps, ...)."""
        rows = [
            planned.optimizer.coefficients(step - planned.start)
            for planned in self.planned_stages
            for step in range(planned.start, planned.stop)
        ]
        return torch.tensor(rows, dtype=torch.float64).to(self.dtype)

    def with_choices_kept(self, weights: Tensor) -> Recipe:
        """Make the discrete choices of the stages, once: they are kept in every later training, like the batch plan.

        Parameters
        ----------
        weights : Tensor of shape (n_samples,)
            Data weights of the fit.

        Returns
        -------
        Recipe
            With `choices`; the same recipe if its task has none to make.
        """
        recipe = self
        for number, stage in enumerate(self.task.stages()):
            if stage.freeze_choice is None:
                continue
            state = recipe.initial_state()
            with one_thread(), torch.no_grad():
                for step in range(recipe.planned_stages[number].start):
                    state = recipe.advance(state, weights, step)
                choice = stage.freeze_choice(recipe.layout.split(state[0]), self.inputs, weights)
            choices = list(recipe.choices or [None] * len(recipe.planned_stages))
            choices[number] = choice
            recipe = replace(recipe, choices=tuple(choices))
        return recipe

    def advance(self, state: State, weights: Tensor, step: int) -> State:
        """Return the state after one step of the plan, at data weights of shape (n_samples,)."""
        index, inputs = self.batch(step)
        state = self.prepared(state, weights, step)
        return self.step(step)(state, self.coefficients[step], inputs, weights[index], index)

    def prepared(self, state: State, weights: Tensor, step: int) -> State:
        """Return the state that a step starts from: after its event, if it has one."""
        event = self.planned(step).event(step)
        return state if event is None else self.event(step)(state, self.inputs, weights)

    @property
    def kinds(self) -> list[int]:
        """Return one step of every kind: callers trace for these before they start threads."""
        firsts = [planned.start for planned in self.planned_stages]
        later = [
            planned.start + planned.stage.update_interval
            for planned in self.planned_stages
            if planned.stage.memory is not None
        ]
        return sorted(step for step in {*firsts, *later} if step < self.plan.n_steps)

    def step(self, step: int) -> TensorFunction:
        """Traced :meth:`PlannedStage.step` of the phase of a step."""
        planned = self.planned(step)
        return self._traced(
            ("step", planned.start),
            lambda: trace(planned.step, *self._examples(step), trial=self._examples(planned.stop - 1, seed=1)),
        )

    def event(self, step: int) -> TensorFunction:
        """Traced ``(state, inputs, weights) -> state`` of the event before a step."""
        planned, event = self.planned(step), str(self.planned(step).event(step))
        return self._traced(
            (event, planned.start),
            lambda: trace(lambda *args: planned.apply(event, *args), *self._event_examples()),
        )

    def batched_step(self, step: int, n_retrainings: int) -> TensorFunction:
        """Traced step of `n_retrainings` trainings at once: state and weights have a leading dimension."""
        planned = self.planned(step)

        def build() -> TensorFunction:
            state, coefficients, inputs, weights, index = self._examples(step)
            function = torch.func.vmap(planned.step, in_dims=(0, None, None, 0, None))
            stacked = _stacked(state, n_retrainings)
            return trace(function, stacked, coefficients, inputs, _stacked((weights,), n_retrainings)[0], index)

        return self._traced(("step", planned.start, n_retrainings), build)

    def batched_event(self, step: int, n_retrainings: int) -> TensorFunction:
        """Traced event of `n_retrainings` trainings at once: state and weights have a leading dimension."""
        planned, event = self.planned(step), str(self.planned(step).event(step))

        def build() -> TensorFunction:
            state, inputs, weights = self._event_examples()
            function = torch.func.vmap(lambda *args: planned.apply(event, *args), in_dims=(0, None, 0))
            return trace(function, _stacked(state, n_retrainings), inputs, _stacked((weights,), n_retrainings)[0])

        return self._traced((event, planned.start, n_retrainings), build)

    def batched_step_vjp(self, step: int, n_cotangents: int) -> TensorFunction:
        """Traced reverse step for `n_cotangents` cotangents, which have a leading dimension.

        Traced once for a single cotangent and again batched, so that what belongs to the state is computed once.
        """
        planned = self.planned(step)

        def build() -> TensorFunction:
            examples = self._examples(step)
            return _batched(self.step_vjp(step), examples, n_cotangents, _cotangent(examples[0]))

        return self._traced(("step vjp", planned.start, n_cotangents), build)

    def step_vjp(self, step: int) -> TensorFunction:
        """Traced reverse step for one cotangent."""
        planned = self.planned(step)

        def build() -> TensorFunction:
            examples, trial = self._examples(step), self._examples(planned.stop - 1, seed=1)
            tried = (*trial, _cotangent(trial[0]))
            return trace(planned.step_vjp, *examples, _cotangent(examples[0]), spell_out_slopes=True, trial=tried)

        return self._traced(("step vjp", planned.start), build)

    def batched_event_vjp(self, step: int, n_cotangents: int) -> TensorFunction:
        """Traced reverse of the event before a step for `n_cotangents` cotangents."""
        planned, event = self.planned(step), str(self.planned(step).event(step))

        def build() -> TensorFunction:
            examples = self._event_examples()
            single = trace(
                lambda *args: planned.event_vjp(event, *args), *examples, _cotangent(examples[0]), spell_out_slopes=True
            )
            return _batched(single, examples, n_cotangents, _cotangent(examples[0]))

        return self._traced((event + " vjp", planned.start, n_cotangents), build)

    def batched_step_jvp(self, step: int, n_tangents: int) -> TensorFunction:
        """Traced forward derivative of a step for `n_tangents` tangents on state and weights."""
        planned = self.planned(step)

        def build() -> TensorFunction:
            examples, trial = self._examples(step), self._examples(planned.stop - 1, seed=1)
            tangents, tried = _tangents(examples[0], examples[3]), _tangents(trial[0], trial[3])
            single = trace(planned.step_jvp, *examples, *tangents, spell_out_slopes=True, trial=(*trial, *tried))
            return _batched(single, examples, n_tangents, *tangents)

        return self._traced(("step jvp", planned.start, n_tangents), build)

    def batched_event_jvp(self, step: int, n_tangents: int) -> TensorFunction:
        """Traced forward derivative of the event before a step for `n_tangents` tangents on state and weights."""
        planned, event = self.planned(step), str(self.planned(step).event(step))

        def build() -> TensorFunction:
            examples = self._event_examples()
            tangents = _tangents(examples[0], examples[2])
            single = trace(lambda *args: planned.event_jvp(event, *args), *examples, *tangents, spell_out_slopes=True)
            return _batched(single, examples, n_tangents, *tangents)

        return self._traced((event + " jvp", planned.start, n_tangents), build)

    def _examples(self, step: int, seed: int = 0) -> tuple[State, Tensor, Any, Tensor, Tensor]:
        index, inputs = self.batch(step)
        weights = torch.ones(len(index), dtype=self.dtype)
        return self._example_state(seed), self.coefficients[step], inputs, weights, index

    def _event_examples(self) -> tuple[State, Tensor, Tensor]:
        return self._example_state(), self.inputs, torch.ones(self.n_samples, dtype=self.dtype)

    def _example_state(self, seed: int = 0) -> State:
        """Return parameters that are nowhere zero, moments that are (so that gradients show) and a positive memory."""
        theta, *rest = self.initial_state()
        slots = self.optimizer.n_slots - 1
        return theta + 0.1 * _positive(theta, seed), *rest[:slots], *(_positive(part, seed) for part in rest[slots:])

    @cached_property
    def _traces(self) -> dict[tuple[Any, ...], TensorFunction]:
        return {}

    def _traced(self, key: tuple[Any, ...], build: Callable[[], TensorFunction]) -> TensorFunction:
        with _TRACING:
            if key not in self._traces:
                self._traces[key] = build()
            return self._traces[key]


def _stacked(state: State, n: int) -> State:
    return tuple(part.expand(n, -1).contiguous() for part in state)


def _positive(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + torch.rand(like.shape, generator=generator, dtype=like.dtype)


def _cotangent(state: State) -> State:
    """Return an example whose first part is zero, so that what is pulled to the parameters is the Hessian's part."""
    return torch.zeros_like(state[0]), *(_positive(part, 2) for part in state[1:])


def _tangents(state: State, weights: Tensor) -> tuple[State, Tensor]:
    """Return example tangents on a state and on weights."""
    return tuple(_positive(part, 2) for part in state), _positive(weights, 3)


def _batched(single: TensorFunction, examples: tuple[Any, ...], n: int, *carried: State | Tensor) -> TensorFunction:
    """Trace a traced product again, batched over `n` of what it carries: what belongs to the state is computed once."""
    in_dims = (*(None for _ in examples), *(0 for _ in carried))
    stacked = (_stacked((part,), n)[0] if isinstance(part, Tensor) else _stacked(part, n) for part in carried)
    return trace(torch.func.vmap(single, in_dims=in_dims), *examples, *stacked)
