"""Optimizers as pure functions of (state, gradient), so that training can be differentiated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

State = tuple[Tensor, ...]


@dataclass(frozen=True)
class Adam:
    r"""Adam with its epsilon inside the square root, decoupled weight decay, warm-up and decay to zero.

    With bias-corrected moments :math:`\hat m, \hat v` the step is

    .. math:: \theta \leftarrow \theta - \eta_t \left( \frac{\hat m}{\sqrt{\hat v + \epsilon}} + \lambda \theta \right).

    Epsilon inside the root, and not tiny, keeps the update differentiable with bounded curvature where a gradient is
    near zero; with the usual :math:`\sqrt{\hat v} + 10^{-8}` the agreement of influence and retraining falls from 0.997
    to 0.92 on the same problem.

    Parameters
    ----------
    learning_rate : float
        Peak learning rate.
    n_steps : int
        Length of the schedule: linear warm-up, then half a cosine down to 0.
    eps : float
        Added to the second moment inside the square root.
    weight_decay : float
        Decoupled decay, multiplied by the learning rate (Loshchilov and Hutter 2019).
    betas : tuple of (float, float)
        Decay rates of the moments.
    warmup : float
        Share of the steps that the warm-up takes.

    References
    ----------
    D. P. Kingma, J. Ba. Adam: a method for stochastic optimization. ICLR 2015.
    I. Loshchilov, F. Hutter. Decoupled weight decay regularization. ICLR 2019.
    """

    learning_rate: float
    n_steps: int
    eps: float = 1e-4
    weight_decay: float = 1e-2
    betas: tuple[float, float] = (0.9, 0.999)
    warmup: float = 0.1

    n_slots: ClassVar[int] = 3

    def initial_state(self, theta: Tensor) -> State:
        """Return the state before the first step: parameters and zero moments."""
        return theta, torch.zeros_like(theta), torch.zeros_like(theta)

    def coefficients(self, step: int) -> list[float]:
        """Return what changes from step to step: the step's length, its epsilon and the shrinkage.

        The bias corrections are folded in: with c the correction of the second moment,
        m / sqrt(c v + eps) = m / (sqrt(c) sqrt(v + eps / c)).
        """
        rate = self.learning_rate * self.schedule(step)
        beta_1, beta_2 = self.betas
        uncorrected = 1 - beta_2 ** (step + 1)
        return [
            -rate * math.sqrt(uncorrected) / (1 - beta_1 ** (step + 1)),
            self.eps * uncorrected,
            1 - rate * self.weight_decay,
        ]

    def schedule(self, step: int) -> float:
        """Return the share of the peak learning rate at `step`, in (0, 1]."""
        rising = max(1, round(self.warmup * self.n_steps))
        if step < rising:
            return (step + 1) / rising
        done = (step - rising + 1) / (self.n_steps - rising + 1)
        return 0.5 * (1 + math.cos(math.pi * done))

    def update(self, state: State, gradient: Tensor, coefficients: Tensor) -> State:
        """Return the next state.

        Parameters
        ----------
        state : tuple of 3 Tensor of shape (..., n_params)
            Parameters, first and second moment.
        gradient : Tensor of shape (..., n_params)
            Gradient of the weighted loss.
        coefficients : Tensor of shape (3,)
            This step's :meth:`coefficients`.

        Returns
        -------
        tuple of 3 Tensor of shape (..., n_params)
            The state after the step.
        """
        beta_1, beta_2 = self.betas
        length, eps, shrink = coefficients.unbind()
        theta, first, second = state
        first = torch.lerp(first, gradient, 1 - beta_1)
        second = torch.addcmul(second * beta_2, gradient, gradient, value=1 - beta_2)
        theta = torch.addcmul(theta * shrink, first * torch.rsqrt(second + eps), length)
        return theta, first, second

    def pull(self, state: State, gradient: Tensor, coefficients: Tensor, cotangent: State) -> tuple[State, Tensor]:
        """Pull a cotangent on the result of :meth:`update` back to its arguments.

        The transpose of the derivative of :meth:`update`, written out because automatic differentiation of it takes
        two and a half times as many passes over memory.

        Parameters
        ----------
        state : tuple of 3 Tensor of shape (..., n_params)
            State before the step.
        gradient : Tensor of shape (..., n_params)
            Gradient of the weighted loss.
        coefficients : Tensor of shape (3,)
            This step's :meth:`coefficients`.
        cotangent : tuple of 3 Tensor of shape (..., n_params)
            Derivatives in the state after the step.

        Returns
        -------
        tuple of 3 Tensor of shape (..., n_params)
            Derivatives in the state before the step, at a fixed gradient.
        Tensor of shape (..., n_params)
            Derivatives in the gradient.
        """
        beta_1, beta_2 = self.betas
        length, eps, shrink = coefficients.unbind()
        _, first, second = state
        after_theta, after_first, after_second = cotangent
        root = torch.rsqrt(torch.addcmul(second * beta_2, gradient, gradient, value=1 - beta_2) + eps)
        per_first = length * root
        per_second = -0.5 * per_first * root * root * torch.lerp(first, gradient, 1 - beta_1)
        on_first = torch.addcmul(after_first, after_theta, per_first)
        on_second = torch.addcmul(after_second, after_theta, per_second)
        on_gradient = torch.addcmul(on_first * (1 - beta_1), on_second, 2 * (1 - beta_2) * gradient)
        return (after_theta * shrink, on_first * beta_1, on_second * beta_2), on_gradient
