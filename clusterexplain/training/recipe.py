"""The recipe: everything about a training but the data weights."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.budget import BATCH_CACHE_BYTES
from clusterexplain.models.task import Drawn, EmbeddingTask
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import Optimizer, State
from clusterexplain.training.plan import BatchPlan
from clusterexplain.training.stage import PlannedStage
from clusterexplain.training.tracing import SHARED, TraceStore


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
        Which examples meet at which step.
    optimizer : Optimizer
        The update rule.
    choices : tuple of (Tensor or None), default=()
        What each stage chose when the recipe was first trained
        (:func:`~clusterexplain.training.compiled_steps.with_choices_kept`), one entry for each stage.
    traces : TraceStore
        Where the compiled steps are kept (:class:`~clusterexplain.training.compiled_steps.CompiledSteps`): no part of what
        the recipe says. By default those of a model of this package are shared by the whole process, those of a user's network
        by the recipes that ``replace`` hands the store on to (another seed, start or rate).
    """

    task: EmbeddingTask
    inputs: Tensor
    initial: dict[str, Tensor]
    plan: BatchPlan
    optimizer: Optimizer
    choices: tuple[Tensor | None, ...] = ()
    traces: TraceStore = field(default_factory=lambda: TraceStore(shared=SHARED), repr=False)

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
        if self.task.closed_form:
            choice = self.choices[0] if self.choices else None
            return (PlannedStage(stages[0], 0, 0, self.optimizer, self.layout, choice, self.n_samples),)
        total, done, start = sum(stage.share for stage in stages), 0.0, 0
        planned_stages = []
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
            planned_stages.append(PlannedStage(stage, start, stop, optimizer, self.layout, choice, self.n_samples))
            start = stop
        return tuple(planned_stages)

    def closed_form(self, weights: Tensor) -> Tensor:
        """Return the parameters of a task in closed form, (n_params,), differentiable in the weights, (n_samples,)."""
        planned = self.planned_stages[0]
        if planned.stage.initialize is None:
            return self.layout.join(self.initial).to(self.dtype)
        return self.layout.join(planned.stage.initialize(self.initial, self.inputs, weights, planned.choice))

    def planned(self, step: int) -> PlannedStage:
        """Return the stage that a step belongs to."""
        return self.planned_stages[self.stage_number(step)]

    def stage_number(self, step: int) -> int:
        """Return the number of the stage that a step belongs to."""
        return next(number for number, planned in enumerate(self.planned_stages) if step < planned.stop)

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

    def batch(self, step: int) -> tuple[Tensor, Drawn]:
        """Return the row numbers and the augmented inputs of a step."""
        if step in self._batches:
            return self._batches[step]
        index = self.plan.indices[step]
        with torch.inference_mode(mode=False), torch.no_grad():  # what is kept must be usable in derivatives
            drawn = self.task.augment(self.inputs[index], self.plan.keys(step))
        parts = drawn if isinstance(drawn, tuple) else (drawn,)
        if sum(part.numel() * part.element_size() for part in parts) * self.plan.n_steps <= BATCH_CACHE_BYTES:
            self._batches[step] = index, drawn
        return index, drawn

    @cached_property
    def _batches(self) -> dict[int, tuple[Tensor, Drawn]]:
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

    def __getstate__(self) -> dict[str, Any]:
        """Return the fields alone: what was derived from them, and batches that were kept, are made again."""
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}
