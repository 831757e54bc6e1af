"""Baselines that every method must beat: products of gradients, neighbours in the embedding, the cluster itself, chance.

All return rows of shape (n_queries, n_samples) with the sign of an influence: larger is "pulled more".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.func import grad, vmap

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence.curvature import CHUNK
from clusterexplain.influence.implicit import gradients_along, slopes_in_weights
from clusterexplain.influence.jacobian import MethodReport, Record, TrainingJacobian, check_rows
from clusterexplain.influence.objective import Objective, TrajectoryObjective
from clusterexplain.statistics.matching import NOISE
from clusterexplain.training import Trajectory
from clusterexplain.training.torch_compat import jvp

SIMILARITIES = ("distance", "cosine")


def gradient_dot(
    objective: Objective, theta: Tensor, weights: Tensor, cotangents: Tensor, *, chunk: int = CHUNK
) -> Tensor:
    r"""Return :math:`-\langle g, \partial_{w_i} \nabla_\theta L \rangle`: the implicit formula with no curvature at all.

    The direction in which a gradient step on example i moves the score.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar`` with flat parameters.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    cotangents : Tensor of shape (n_queries, n_params)
        Derivatives g of the scores in the parameters.
    chunk : int, default=16
        Queries side by side.

    Returns
    -------
    Tensor of shape (n_queries, n_samples)
        Positive where one more copy of the example would raise the score.
    """
    return -slopes_in_weights(objective, theta, weights, cotangents, chunk=chunk)


def gradient_cosine(
    objective: Objective, theta: Tensor, weights: Tensor, cotangents: Tensor, *, chunk: int = CHUNK
) -> Tensor:
    """Return :func:`gradient_dot` divided by the norms of both gradients; 0 where one of them is 0.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar`` with flat parameters.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    cotangents : Tensor of shape (n_queries, n_params)
        Derivatives of the scores in the parameters.
    chunk : int, default=16
        Queries, and examples, side by side.

    Returns
    -------
    Tensor of shape (n_queries, n_samples)
        Between -1 and 1.
    """
    dots = gradient_dot(objective, theta, weights, cotangents, chunk=chunk)  # (n_queries, n_samples)
    # |g_q| times |d_{w_i} grad L|: (n_queries, 1) * (n_samples,)
    norms = cotangents.norm(dim=1, keepdim=True) * gradient_norms(objective, theta, weights, chunk=chunk)
    return torch.where(norms > 0, dots / torch.where(norms > 0, norms, torch.ones_like(norms)), torch.zeros_like(dots))


def gradient_norms(objective: Objective, theta: Tensor, weights: Tensor, *, chunk: int = CHUNK) -> Tensor:
    r"""Return the norm of :math:`\partial_{w_i} \nabla_\theta L` for each example.

    For a loss that is a sum over examples this is the gradient at a weight vector with a single 1, for any loss the derivative
    of the gradient along it. It costs as much as one gradient of all data for each example.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar`` with flat parameters.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    chunk : int, default=16
        Examples side by side.

    Returns
    -------
    Tensor of shape (n_samples,)
        Norms.
    """
    slope = grad(objective)

    def norm_of(position: Tensor) -> Tensor:
        unit = (torch.arange(len(weights)) == position).to(weights.dtype)
        norm: Tensor = jvp(lambda w: slope(theta, w), weights, unit)[1].norm()
        return norm

    return vmap(norm_of, chunk_size=chunk)(torch.arange(len(weights))).detach()


@dataclass(frozen=True, eq=False)
class GradientDot(TrainingJacobian):
    r"""A baseline as a method: :math:`J = -\partial_w \nabla_\theta L`, the implicit formula without a curvature.

    Parameters
    ----------
    objective : callable
        ``(theta, weights) -> scalar`` with flat parameters.
    theta : Tensor of shape (n_params,)
        The parameters.
    weights : Tensor of shape (n_samples,)
        The data weights.
    """

    objective: Objective
    theta: Tensor
    weights: Tensor

    needs: ClassVar[Record] = Record.CHECKPOINTS

    @classmethod
    def of_trajectory(cls, trajectory: Trajectory, *, decay: float | None = None, passes: int = 1) -> GradientDot:
        """Take the objective of a recorded training at its end; options as :meth:`TrajectoryObjective.of_trajectory`."""
        return cls(
            TrajectoryObjective.of_trajectory(trajectory, decay=decay, passes=passes),
            trajectory.final,
            trajectory.weights,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""
        return len(self.theta), len(self.weights)

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.theta.dtype

    @property
    def report(self) -> MethodReport:
        """The name alone: nothing is solved."""
        return MethodReport("gradient_dot")

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Return :func:`gradient_dot`; see :meth:`TrainingJacobian.vjp_with_report`."""
        check_rows(cotangents, len(self.theta), "cotangents")
        return gradient_dot(self.objective, self.theta, self.weights, cotangents), self.report

    def jvp(self, tangents: Tensor) -> Tensor:
        """Return minus the change of the gradient along each tangent; see :meth:`TrainingJacobian.jvp`."""
        check_rows(tangents, len(self.weights), "tangents")
        return -gradients_along(self.objective, self.theta, self.weights, tangents)


@dataclass(frozen=True, eq=False)
class GradientCosine(TrainingJacobian):
    """A baseline as a method: :func:`gradient_cosine`, whose rows are normalised, so that no matrix gives them.

    Parameters
    ----------
    product : GradientDot
        The products that are divided by the norms of both gradients.
    """

    product: GradientDot

    needs: ClassVar[Record] = Record.CHECKPOINTS
    is_linear: ClassVar[bool] = False
    has_jvp: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int]:
        """Number of parameters and number of training examples."""
        return self.product.shape

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.product.dtype

    @property
    def report(self) -> MethodReport:
        """The name alone: nothing is solved."""
        return MethodReport("gradient_cosine")

    def vjp_with_report(self, cotangents: Tensor) -> tuple[Tensor, MethodReport]:
        """Return :func:`gradient_cosine`; see :meth:`TrainingJacobian.vjp_with_report`."""
        check_rows(cotangents, self.shape[0], "cotangents")
        product = self.product
        return gradient_cosine(product.objective, product.theta, product.weights, cotangents), self.report

    def jvp(self, tangents: Tensor) -> Tensor:
        """Refuse: a cosine has a row for each score and no matrix behind it."""
        raise NotImplementedError(
            "gradient_cosine has no forward product: its rows are divided by the norms of their gradients, so no matrix gives "
            "them. Use vjp, or GradientDot for the same products without the division."
        )


def latent_similarity(queries: Tensor, embedding: Tensor, kind: str = "distance") -> Tensor:
    """Return how near each example is to each query in the embedding.

    Parameters
    ----------
    queries : Tensor of shape (n_queries, dim)
        Embeddings of the queries.
    embedding : Tensor of shape (n_samples, dim)
        Embeddings of the training examples.
    kind : {"distance", "cosine"}, default="distance"
        Minus the squared distance, or the cosine of the angle; the cosine with a zero vector is 0.

    Returns
    -------
    Tensor of shape (n_queries, n_samples)
        Larger is nearer.

    Raises
    ------
    InvalidParameterError
        If `kind` is unknown or the dimensions differ.

    Examples
    --------
    >>> latent_similarity(torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    tensor([[-0., -5.]])
    """
    if kind not in SIMILARITIES:
        raise InvalidParameterError(f"kind={kind!r} is unknown. Expected 'distance' or 'cosine'.")
    if queries.ndim != 2 or embedding.ndim != 2 or queries.shape[1] != embedding.shape[1]:
        raise InvalidParameterError(
            f"Embeddings have shapes {tuple(queries.shape)} and {tuple(embedding.shape)}. Expected (n_queries, dim) and "
            f"(n_samples, dim) with the same dim."
        )
    if kind == "distance":
        return -(queries.unsqueeze(1) - embedding).square().sum(dim=-1)
    lengths = queries.norm(dim=1, keepdim=True) * embedding.norm(dim=1)  # (n_queries, n_samples)
    return (queries @ embedding.T) / torch.where(lengths > 0, lengths, torch.ones_like(lengths))


def same_cluster(own: Tensor, labels: Tensor) -> Tensor:
    """Return 1 where an example is in the query's own cluster and 0 elsewhere; noise (-1) is no cluster.

    Parameters
    ----------
    own : Tensor of shape (n_queries,), int64
        Own clusters of the queries.
    labels : Tensor of shape (n_samples,), int64
        Clusters of the training examples.

    Returns
    -------
    Tensor of shape (n_queries, n_samples), float64
        The indicator.

    Examples
    --------
    >>> same_cluster(torch.tensor([1, -1]), torch.tensor([0, 1, -1]))
    tensor([[0., 1., 0.],
            [0., 0., 0.]], dtype=torch.float64)
    """
    shared = (own.unsqueeze(1) == labels) & (labels != NOISE)
    return shared.to(torch.float64)


def random_rows(n_queries: int, n_samples: int, *, seed: int) -> Tensor:
    """Return independent standard normal numbers, the same ones for the same seed.

    Parameters
    ----------
    n_queries, n_samples : int
        The shape.
    seed : int
        Of a generator of its own: the global one is left alone.

    Returns
    -------
    Tensor of shape (n_queries, n_samples), float64
        What chance alone gives.
    """
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n_queries, n_samples, generator=generator, dtype=torch.float64)
