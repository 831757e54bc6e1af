"""One stage of a task's training as pure functions of the training state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from torch import Tensor
from torch.func import grad, jvp, vjp

from clusterexplain.models.task import Drawn, Stage
from clusterexplain.training.layout import Layout
from clusterexplain.training.optimizer import Optimizer, State


@dataclass(frozen=True, eq=False)
class PlannedStage:
    """A stage of the training at its place in the plan.

    A training state is a tuple of flat tensors: the parameters, what the optimizer remembers of them, and, if any stage of
    the task remembers something of every example, that memory.

    Parameters
    ----------
    stage : Stage
        Loss, and what happens before a step.
    start, stop : int
        Steps of the plan: ``start <= step < stop``.
    optimizer : Optimizer
        The update rule; its schedule begins at `start`.
    layout : Layout
        Where each parameter lives in the flat vector.
    choice : Tensor or None
        What the stage chose when the recipe was first trained, fixed from then on.
    n_samples : int
        Number of training examples.
    """

    stage: Stage
    start: int
    stop: int
    optimizer: Optimizer
    layout: Layout
    choice: Tensor | None
    n_samples: int

    def initializes(self, step: int) -> bool:
        """Whether the stage is entered at this step with something to do."""
        return step == self.start and (self.stage.initialize is not None or self.start > 0)

    def event(self, step: int) -> str | None:
        """Name what happens before a step: "initialize", "memory" or nothing."""
        if self.initializes(step):
            return "initialize"
        due = self.stage.memory is not None and (step - self.start) % self.stage.update_interval == 0
        return "memory" if due else None

    def apply(self, event: str, state: State, inputs: Tensor, weights: Tensor) -> State:
        """Return the state after an event.

        Parameters
        ----------
        event : {"initialize", "memory"}
            "initialize" sets the stage's initial parameters and starts the optimizer anew; both recompute the memory.
        state : State
            Before the event.
        inputs : Tensor of shape (n_samples, ...)
            All training examples, as they are.
        weights : Tensor of shape (n_samples,)
            All data weights.

        Returns
        -------
        State
            Differentiable in the state and in the weights.
        """
        slots = state[: self.optimizer.n_slots]
        if event == "initialize":
            params = self.layout.split(slots[0])
            if self.stage.initialize is not None:
                params = self.stage.initialize(params, inputs, weights, self.choice)
            slots = self.optimizer.initial_state(self.layout.join(params))
        if self.stage.memory is None:
            return (*slots, *state[self.optimizer.n_slots :])
        memory = self.stage.memory(self.layout.split(slots[0]), inputs, weights)  # (n_samples, width)
        return (*slots, memory.reshape(-1))

    def event_vjp(
        self, event: str, state: State, inputs: Tensor, weights: Tensor, cotangent: State
    ) -> tuple[State, Tensor]:
        """Return the cotangents on the state and on all data weights that one on the result of :meth:`apply` gives."""
        transposed = vjp(lambda before, w: self.apply(event, before, inputs, w), state, weights)[1]
        on_state, on_weights = transposed(cotangent)
        return on_state, on_weights

    def event_jvp(
        self, event: str, state: State, inputs: Tensor, weights: Tensor, state_tangent: State, weights_tangent: Tensor
    ) -> State:
        """Return the tangent on the result of :meth:`apply` that tangents on the state and on all data weights give."""

        def after(before: State, w: Tensor) -> State:
            return self.apply(event, before, inputs, w)

        return cast(State, jvp(after, (state, weights), (state_tangent, weights_tangent))[1])

    def step(self, state: State, coefficients: Tensor, inputs: Drawn, weights: Tensor, index: Tensor) -> State:
        """Return the state after one optimizer step on a batch.

        Parameters
        ----------
        state : State
            Before the step, after its event.
        coefficients : Tensor
            Of the optimizer at this step.
        inputs : Tensor or tuple of Tensor
            The augmented batch.
        weights : Tensor of shape (batch_size,)
            Data weights of the batch.
        index : Tensor of shape (batch_size,), int64
            Row numbers of the batch.

        Returns
        -------
        State
            After the step.
        """
        slots = self.optimizer.n_slots
        gradient = self._gradient(
            state[0], inputs, weights, *self._recall(state, index)
        )  # grad L_t(theta_t, w): (n_params,)
        return (*self.optimizer.update(state[:slots], gradient, coefficients), *state[slots:])

    def step_vjp(
        self, state: State, coefficients: Tensor, inputs: Drawn, weights: Tensor, index: Tensor, cotangent: State
    ) -> tuple[State, Tensor]:
        """Return the cotangents on the state before a step and on the batch's weights that one on the state after it gives."""
        slots, recalled = self.optimizer.n_slots, self._recall(state, index)
        gradient = self._gradient(state[0], inputs, weights, *recalled)  # (n_params,)
        # (U_u)^T lambda_{t+1} and h_t = (U_g)^T lambda_{t+1}, the optimizer alone
        (on_theta, *on_moments), on_gradient = self.optimizer.vjp(
            state[:slots], gradient, coefficients, cotangent[:slots]
        )

        # One forward derivative of (d loss / d theta, d loss / d w) along h_t gives the Hessian product H h_t and,
        # for every example of the batch, the derivative of its weight's effect along h_t: no per-example gradients needed.
        # What the step remembers of its examples is an argument of the loss like the weights.
        def slopes(params: dict[str, Tensor]) -> tuple[Tensor, ...]:
            arguments = (0, 2, *range(3, 3 + len(recalled)))
            on_params, *rest = grad(self.stage.loss, argnums=arguments)(params, inputs, weights, *recalled)
            return self.layout.join(on_params), *rest

        direction = self.layout.split(on_gradient)  # h_t
        # H h_t: (n_params,); d_w <grad L_t, h_t>: (batch_size,); the same in the recalled rows: (batch_size, width)
        hessian_h, on_weights, *on_recalled = jvp(slopes, (self.layout.split(state[0]),), (direction,))[1]
        before = (on_theta + hessian_h, *on_moments)  # lambda_t
        if on_recalled:  # the memory passes through the step, and the batch's rows of it were read
            rows = cotangent[-1].view(self.n_samples, -1).index_add(0, index, on_recalled[0])
            return (*before, rows.reshape(-1)), on_weights
        return (*before, *cotangent[slots:]), on_weights

    def step_jvp(
        self,
        state: State,
        coefficients: Tensor,
        inputs: Drawn,
        weights: Tensor,
        index: Tensor,
        state_tangent: State,
        weights_tangent: Tensor,
    ) -> State:
        """Return the tangent on the state after a step that tangents on the state before it and on the batch's weights give."""

        def after(before: State, w: Tensor) -> State:
            return self.step(before, coefficients, inputs, w, index)

        return cast(State, jvp(after, (state, weights), (state_tangent, weights_tangent))[1])

    def _recall(self, state: State, index: Tensor) -> tuple[Tensor, ...]:
        if self.stage.memory is None:
            return ()
        return (state[-1].view(self.n_samples, -1)[index],)  # (batch_size, width)

    def _gradient(self, theta: Tensor, inputs: Drawn, weights: Tensor, *recalled: Tensor) -> Tensor:
        # Differentiating the named parameters and joining afterwards avoids one zero-padded vector for every slice.
        params = self.layout.split(theta)
        return self.layout.join(grad(self.stage.loss)(params, inputs, weights, *recalled))
