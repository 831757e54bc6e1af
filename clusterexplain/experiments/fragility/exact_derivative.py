"""The exact derivative of a recorded training of small classifiers in its data weights."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.experiments.fragility.classifiers import Network
from clusterexplain.experiments.fragility.full_batch_training import (
    BETA_1,
    BETA_2,
    Examples,
    Schedule,
    State,
    denominator,
)
from clusterexplain.training import jvp


def vjp(
    network: Network,
    trained: State,
    examples: Examples,
    weights: Tensor,
    schedule: Schedule,
    cotangents: Tensor,
) -> Tensor:
    r"""Return vector-Jacobian products of data weights -> trained parameters.

    With the step :math:`m' = \beta_1 m + (1 - \beta_1) g`, :math:`v' = \beta_2 v + (1 - \beta_2) g^2`,
    :math:`\theta' = \theta - a(m', v')` and :math:`g = \nabla L(\theta, w) + d \theta`, cotangents
    :math:`(\lambda, \mu, \nu)` of the state after it become, with
    :math:`\mu \leftarrow \mu - \lambda \partial_{m'} a`, :math:`\nu \leftarrow \nu - \lambda \partial_{v'} a` and
    :math:`u = (1 - \beta_1) \mu + 2 (1 - \beta_2) g \nu`,

    .. math::
        \lambda \leftarrow \lambda + (\nabla^2 L + d) u, \quad \mu \leftarrow \beta_1 \mu, \quad
        \nu \leftarrow \beta_2 \nu, \qquad \text{and} \quad \partial_w \langle \nabla L, u \rangle

    is added to the derivative in the weights, one directional derivative of every example's loss.

    The learning rates of a plateau schedule are taken as they were: when a rate falls depends on the weights by jumps, which
    no derivative sees.

    Parameters
    ----------
    network : Network
        The architecture.
    trained : State
        Result of a training that was recorded.
    examples : Examples
        What it was trained on.
    weights : Tensor of shape (n_retrainings, n_rows)
        Its data weights.
    schedule : Schedule
        Its schedule.
    cotangents : Tensor of shape (n_retrainings, n_queries, n_params)
        Derivatives of what is asked about in the trained parameters; of the type in which examples and weights are, which need
        not be that of the training.

    Returns
    -------
    Tensor of shape (n_retrainings, n_queries, n_rows)
        Derivatives in the data weights.
    """
    n_queries = cotangents.shape[1]
    on_theta = cotangents.flatten(0, 1)  # lambda, (n_retrainings * n_queries, n_params); mu and nu likewise
    on_first, on_second = torch.zeros_like(on_theta), torch.zeros_like(on_theta)
    rows = on_theta.new_zeros(len(on_theta), examples.n_rows)
    repeated = weights.repeat_interleave(n_queries, 0)
    earlier = trained.n_taken - trained.n_done
    with torch.no_grad():
        for step in reversed(range(trained.n_done)):
            before = tuple(part.to(cotangents.dtype) for part in trained.path[step])
            gradient, per_first, per_second = _slopes(
                network, before, examples, weights, schedule, earlier + step, n_queries
            )
            on_first = torch.addcmul(on_first, on_theta, per_first)
            on_second = torch.addcmul(on_second, on_theta, per_second)
            direction = on_first * (1 - BETA_1) + on_second * gradient * (2 * (1 - BETA_2))  # u
            theta = before[0].repeat_interleave(n_queries, 0)
            on_losses, curved = _directional(network, theta, examples, repeated, direction)
            rows += on_losses
            on_theta = on_theta + curved + schedule.weight_decay * direction
            on_first, on_second = on_first * BETA_1, on_second * BETA_2
    return rows.view(len(weights), n_queries, -1)


def _slopes(
    network: Network,
    before: tuple[Tensor, ...],
    examples: Examples,
    weights: Tensor,
    schedule: Schedule,
    taken: int,
    n_queries: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of a step, and the derivatives of its change in both moments, for every query."""
    theta, first, second, rates = before
    _, gradient = network.gradient(theta, examples.inputs, examples.targets, weights)
    gradient = gradient + schedule.weight_decay * theta
    first = BETA_1 * first + (1 - BETA_1) * gradient  # m', (n_retrainings, n_params)
    second = BETA_2 * second + (1 - BETA_2) * gradient * gradient
    below = denominator(second, schedule, taken)
    # a = rate * m' / (1 - b1^t) / root, where root = sqrt(v' / c + eps) or sqrt(v' / c) + eps with c = 1 - b2^t. The slope of
    # either root in v' is 1 / (2 c sqrt(...)).
    corrected = 1 - BETA_2 ** (taken + 1)
    root = below if schedule.inside else (second / corrected).sqrt()
    slope = torch.where(root > 0, 0.5 / (root * corrected), 0.0)
    per_first = -rates / (1 - BETA_1 ** (taken + 1)) / below
    per_second = -per_first * first / below * slope
    if schedule.last_only:
        per_first[:, : network.last_layer.start] = 0
        per_second[:, : network.last_layer.start] = 0
    gradient, per_first, per_second = (
        part.repeat_interleave(n_queries, 0) for part in (gradient, per_first, per_second)
    )
    return gradient, per_first, per_second


def _directional(
    network: Network, theta: Tensor, examples: Examples, weights: Tensor, direction: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the derivative of every loss along a direction, and the Hessian's product with it."""

    def both(at: Tensor) -> Tensor:
        return torch.cat(network.gradient(at, examples.inputs, examples.targets, weights), dim=1)

    _, slopes = jvp(both, theta, direction)
    return slopes[:, : examples.n_rows], slopes[:, examples.n_rows :]
