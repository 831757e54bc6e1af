"""The steps of a recipe as compiled functions: forwards, in reverse, and for many trainings or vectors side by side.

In the notation of :class:`~clusterexplain.influence.unrolled.Unrolled`: the state u_t holds theta_t, the slots of the
optimizer and, where a stage has one, the memory, each a flat tensor of shape (size,); g_t = grad L_t(theta_t, w) has shape
(n_params,), and U is the update of the optimizer.

================  ==================================================================================================
function          what it returns
================  ==================================================================================================
``step``          u_{t+1} = U(u_t, g_t)
``step_vjp``      lambda_t = U_u^T lambda_{t+1} + (H_t h_t, 0, ...) and d_w <g_t, h_t>, with h_t = U_g^T lambda_{t+1}
``step_jvp``      du_{t+1} = U_u du_t + U_g (H_t dtheta_t + d_w g_t dw)
``event``         u_t = E(u~_t, w), before a step where a stage begins or refreshes its memory
``event_vjp``     E_u^T lambda_t and E_w^T lambda_t
``event_jvp``     E_u du~_t + E_w dw
================  ==================================================================================================

H_t is the Hessian of L_t, and u~_t the state before an event. In a step, w are the weights of the batch, of shape
(batch_size,); in an event those of all examples, (n_samples,). What the memory adds is left out here. The formulas are
computed in ``stage.py`` (loss) and ``optimizer.py`` (U); this module traces them, once for each stage, and batches them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.func import vmap

from clusterexplain.execution.executors import one_thread
from clusterexplain.models.task import EmbeddingTask
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import Optimizer, State
from clusterexplain.training.recipe import Recipe
from clusterexplain.training.torch_compat import tree_leaves
from clusterexplain.training.tracing import TensorFunction

SCHEDULE = ("learning_rate", "n_steps", "warmup", "shape")
"""Numbers of an optimizer that reach a step through its coefficients, which are an argument."""
OWN_MODELS = "clusterexplain.models."


@dataclass(frozen=True)
class Signature:
    """Everything that a compiled function depends on besides its arguments; equal signatures mean the same function.

    Parameters
    ----------
    kind : str
        "step", "initialize", "memory", or one of them with " vjp" or " jvp".
    stage : int
        Number of the stage.
    width : int or None
        Trainings or vectors side by side.
    task : object
        The model: its class and values for those of this package, its identity for others.
    optimizer : tuple
        The rule and its numbers, without the schedule.
    choice : str
        Hash of the stage's choice; empty where the function does not use it.
    layout : Layout
        Where each parameter lives in the flat vector.
    n_samples : int
        Number of training examples.
    arguments : tuple
        Shape, type and device of each argument.
    """

    kind: str
    stage: int
    width: int | None
    task: Hashable
    optimizer: Hashable
    choice: str
    layout: Layout
    n_samples: int
    arguments: Hashable

    @property
    def is_plain(self) -> bool:
        """Whether it holds values alone and no object of the user's, so that another process or fit could have it too."""
        return not isinstance(self.task, _Identity) and not isinstance(self.optimizer, _Identity)


class CompiledSteps:
    """The steps of one recipe as functions that are compiled when they are first asked for.

    The compiled functions live under their signature in a store of the process
    (:data:`~clusterexplain.training.tracing.SHARED`), so that fits of the same model and sizes trace once. What belongs to a
    network of the user's lives in ``recipe.traces``, so that it goes when the fit does; recipes with the same store (other
    seeds, other rates, other starts) share it.

    Parameters
    ----------
    recipe : Recipe
        Whose steps.
    """

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self._functions: dict[tuple[str, int, int | None], TensorFunction] = {}

    def __getstate__(self) -> dict[str, object]:
        """Leave the compiled functions behind: a process compiles its own."""
        return {"recipe": self.recipe, "_functions": {}}

    def advance(self, state: State, weights: Tensor, t: int) -> State:
        """Return u_{t+1} = U(E(u_t, w), g_t): one step of the plan and its event, at data weights of shape (n_samples,)."""
        index, inputs = self.recipe.batch(t)
        state = self.prepared(state, weights, t)
        after: State = self.step(t)(state, self.recipe.coefficients[t], inputs, weights[index], index)
        return after

    def prepared(self, state: State, weights: Tensor, t: int) -> State:
        """Return E(u_t, w), the state that step t starts from; u_t itself where the step has no event."""
        event = self.recipe.planned(t).event(t)
        after: State = state if event is None else self.event(t)(state, self.recipe.inputs, weights)
        return after

    def step(self, t: int, n_retrainings: int | None = None) -> TensorFunction:
        """Return ``(state, coefficients, inputs, weights, index) -> state``: u_{t+1} = U(u_t, g_t).

        Parameters
        ----------
        t : int
            Any step of the stage.
        n_retrainings : int, optional
            Trainings at once: every part of the state has shape (n_retrainings, size), the weights (n_retrainings, batch_size).

        Returns
        -------
        callable
            Compiled :meth:`PlannedStage.step`.
        """
        planned = self.recipe.planned(t)

        def build() -> TensorFunction:
            examples = self._examples(t)
            if n_retrainings is None:
                return self.recipe.traces.trace(planned.step, *examples, trial=self._examples(planned.stop - 1, seed=1))
            state, coefficients, inputs, weights, index = examples
            stacked = _stacked(state, n_retrainings), coefficients, inputs, _stack(weights, n_retrainings), index
            return self.recipe.traces.trace(vmap(planned.step, in_dims=(0, None, None, 0, None)), *stacked)

        return self._function("step", t, n_retrainings, build)

    def event(self, t: int, n_retrainings: int | None = None) -> TensorFunction:
        """Return ``(state, inputs, weights) -> state``: E(u_t, w), the event before a step; arguments as :meth:`step`."""
        planned, event = self.recipe.planned(t), self._event(t)
        apply = partial(planned.apply, event)

        def build() -> TensorFunction:
            state, inputs, weights = self._event_examples()
            if n_retrainings is None:
                return self.recipe.traces.trace(apply, state, inputs, weights)
            stacked = _stacked(state, n_retrainings), inputs, _stack(weights, n_retrainings)
            return self.recipe.traces.trace(vmap(apply, in_dims=(0, None, 0)), *stacked)

        return self._function(event, t, n_retrainings, build)

    def step_vjp(self, t: int, n_cotangents: int) -> TensorFunction:
        """Return ``(*arguments of the step, lambda_{t+1}) -> (lambda_t, d_w <g_t, h_t>)``, with h_t = U_g^T lambda_{t+1}.

        Every part of a lambda has shape (n_cotangents, size), the derivative in the batch's weights (n_cotangents, batch_size).
        Traced once for a single cotangent and again batched, so that what belongs to the state is computed once.

        Parameters
        ----------
        t : int
            Any step of the stage.
        n_cotangents : int
            Cotangents at once, which have a leading dimension.

        Returns
        -------
        callable
            Compiled :meth:`PlannedStage.step_vjp`.
        """
        planned = self.recipe.planned(t)

        def build_single() -> TensorFunction:
            examples, trial = self._examples(t), self._examples(planned.stop - 1, seed=1)
            tried = (*trial, _cotangent(trial[0]))
            cotangent = _cotangent(examples[0])
            return self.recipe.traces.trace(planned.step_vjp, *examples, cotangent, spell_out_slopes=True, trial=tried)

        def build() -> TensorFunction:
            examples = self._examples(t)
            single = self._function("step vjp", t, None, build_single)
            return self._batched(single, examples, n_cotangents, _cotangent(examples[0]))

        return self._function("step vjp", t, n_cotangents, build)

    def event_vjp(self, t: int, n_cotangents: int) -> TensorFunction:
        """Return ``(*arguments of the event, lambda_t) -> (E_u^T lambda_t, E_w^T lambda_t)``.

        The second is of shape (n_cotangents, n_samples), as an event sees all examples; arguments as :meth:`step_vjp`.
        """
        planned, event = self.recipe.planned(t), self._event(t)
        event_vjp = partial(planned.event_vjp, event)

        def build() -> TensorFunction:
            examples = self._event_examples()
            single = self.recipe.traces.trace(event_vjp, *examples, _cotangent(examples[0]), spell_out_slopes=True)
            return self._batched(single, examples, n_cotangents, _cotangent(examples[0]))

        return self._function(event + " vjp", t, n_cotangents, build)

    def step_jvp(self, t: int, n_tangents: int) -> TensorFunction:
        """Return ``(*arguments of the step, du_t, dw) -> du_{t+1}``.

        Every part of a du has shape (n_tangents, size), the tangent on the batch's weights (n_tangents, batch_size).
        """
        planned = self.recipe.planned(t)

        def build() -> TensorFunction:
            examples, trial = self._examples(t), self._examples(planned.stop - 1, seed=1)
            tangents, tried = _tangents(examples[0], examples[3]), (*trial, *_tangents(trial[0], trial[3]))
            single = self.recipe.traces.trace(
                planned.step_jvp, *examples, *tangents, spell_out_slopes=True, trial=tried
            )
            return self._batched(single, examples, n_tangents, *tangents)

        return self._function("step jvp", t, n_tangents, build)

    def event_jvp(self, t: int, n_tangents: int) -> TensorFunction:
        """Return ``(*arguments of the event, du_t, dw) -> E_u du_t + E_w dw``; dw of shape (n_tangents, n_samples)."""
        planned, event = self.recipe.planned(t), self._event(t)
        event_jvp = partial(planned.event_jvp, event)

        def build() -> TensorFunction:
            examples = self._event_examples()
            tangents = _tangents(examples[0], examples[2])
            single = self.recipe.traces.trace(event_jvp, *examples, *tangents, spell_out_slopes=True)
            return self._batched(single, examples, n_tangents, *tangents)

        return self._function(event + " jvp", t, n_tangents, build)

    def _batched(
        self, single: TensorFunction, examples: tuple[Any, ...], n: int, *vectors: State | Tensor
    ) -> TensorFunction:
        """Trace a traced product again, batched over `n` vectors: what belongs to the state is computed once."""
        in_dims = (*(None for _ in examples), *(0 for _ in vectors))
        stacked = (_stack(part, n) if isinstance(part, Tensor) else _stacked(part, n) for part in vectors)
        return self.recipe.traces.trace(vmap(single, in_dims=in_dims), *examples, *stacked)

    def _function(self, kind: str, step: int, width: int | None, build: Callable[[], TensorFunction]) -> TensorFunction:
        """Return a function of the stage of a step: remembered here, or else in the store under its signature."""
        stage = self.recipe.stage_number(step)
        key = kind, stage, width
        if key not in self._functions:
            signature = self._signature(kind, stage, width)
            own = self.recipe.traces
            store = own.shared if own.shared is not None and signature.is_plain else own
            self._functions[key] = store.get(signature, build)
        return self._functions[key]

    def _signature(self, kind: str, stage: int, width: int | None) -> Signature:
        recipe, planned = self.recipe, self.recipe.planned_stages[stage]
        is_step = kind.startswith("step")
        arguments = self._examples(planned.start) if is_step else self._event_examples()
        chosen = planned.choice if kind.startswith("initialize") else None
        choice = "" if chosen is None else content_hash(chosen)
        described = tuple((tuple(part.shape), part.dtype, str(part.device)) for part in tree_leaves(arguments))
        return Signature(
            kind,
            stage,
            width,
            _task_key(recipe.task),
            _optimizer_key(planned.optimizer),
            choice,
            recipe.layout,
            recipe.n_samples,
            described,
        )

    def _event(self, step: int) -> str:
        return str(self.recipe.planned(step).event(step))

    def _examples(self, step: int, seed: int = 0) -> tuple[State, Tensor, Any, Tensor, Tensor]:
        index, inputs = self.recipe.batch(step)
        weights = torch.ones(len(index), dtype=self.recipe.dtype)
        return self._example_state(seed), self.recipe.coefficients[step], inputs, weights, index

    def _event_examples(self) -> tuple[State, Tensor, Tensor]:
        recipe = self.recipe
        return self._example_state(), recipe.inputs, torch.ones(recipe.n_samples, dtype=recipe.dtype)

    def _example_state(self, seed: int = 0) -> State:
        """Return parameters that are nowhere zero, moments that are (so that gradients show) and a positive memory."""
        theta, *rest = self.recipe.initial_state()
        slots = self.recipe.optimizer.n_slots - 1
        return theta + 0.1 * _positive(theta, seed), *rest[:slots], *(_positive(part, seed) for part in rest[slots:])


def with_choices_kept(recipe: Recipe, weights: Tensor) -> Recipe:
    """Make the discrete choices of the stages, once: they are kept in every later training, like the batch plan.

    Parameters
    ----------
    recipe : Recipe
        What is trained.
    weights : Tensor of shape (n_samples,)
        Data weights of the fit.

    Returns
    -------
    Recipe
        With `choices`; the same recipe if its task has none to make.
    """
    for number, stage in enumerate(recipe.task.stages()):
        if stage.freeze_choice is None:
            continue
        compiled, state = CompiledSteps(recipe), recipe.initial_state()
        with one_thread(), torch.no_grad():
            for step in range(recipe.planned_stages[number].start):
                state = compiled.advance(state, weights, step)
            choice = stage.freeze_choice(recipe.layout.split(state[0]), recipe.inputs, weights)
        choices = list(recipe.choices or [None] * len(recipe.planned_stages))
        choices[number] = choice
        recipe = replace(recipe, choices=tuple(choices))
    return recipe


@dataclass(frozen=True, eq=False)
class _Identity:
    """A key that equals itself for the same object alone, and keeps the object alive."""

    value: object

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and other.value is self.value

    def __hash__(self) -> int:
        return id(self.value)


def _task_key(task: EmbeddingTask) -> Hashable:
    """Return what tells a model from others: by value if this package knows all of it, else the object itself."""
    if type(task).__module__.startswith(OWN_MODELS):
        try:
            return type(task), _plain(vars(task))
        except TypeError:
            pass  # holds a network or function of the user's
    return _Identity(task)


def _optimizer_key(optimizer: Optimizer) -> Hashable:
    """Return the rule and its numbers without the schedule; a rule with anything but numbers is only itself."""
    names = [entry.name for entry in fields(optimizer) if entry.name not in SCHEDULE]
    try:
        return type(optimizer), tuple((name, _plain(getattr(optimizer, name))) for name in names)
    except TypeError:
        return _Identity(optimizer)


def _plain(value: object) -> Hashable:
    """Return a key of a nested plain value; raise TypeError if there is anything else in it."""
    if value is None or isinstance(value, (bool, int, float, str, torch.dtype)):
        return type(value), value
    if isinstance(value, Tensor):
        return Tensor, content_hash(value)
    if isinstance(value, (tuple, list)):
        return type(value), tuple(map(_plain, value))
    if isinstance(value, dict):
        return dict, tuple((_plain(name), _plain(entry)) for name, entry in value.items())
    if is_dataclass(value) and type(value).__module__.startswith(OWN_MODELS):
        return type(value), _plain(vars(value))
    raise TypeError(type(value).__name__)


def content_hash(tensor: Tensor) -> str:
    """Return a hash of a tensor's shape, type and numbers."""
    array = tensor.detach().cpu().contiguous().numpy()
    return hashlib.sha256(repr((array.shape, array.dtype.str)).encode() + array.tobytes()).hexdigest()


def _stack(part: Tensor, n: int) -> Tensor:
    return part.expand(n, -1).contiguous()


def _stacked(state: State, n: int) -> State:
    return tuple(_stack(part, n) for part in state)


def _positive(like: Tensor, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 + torch.rand(like.shape, generator=generator, dtype=like.dtype)


def _cotangent(state: State) -> State:
    """Return an example whose first part is zero, so that the parameters' cotangent is the Hessian's part."""
    return torch.zeros_like(state[0]), *(_positive(part, 2) for part in state[1:])


def _tangents(state: State, weights: Tensor) -> tuple[State, Tensor]:
    """Return example tangents on a state and on weights."""
    return tuple(_positive(part, 2) for part in state), _positive(weights, 3)
