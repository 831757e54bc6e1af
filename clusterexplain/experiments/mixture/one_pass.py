"""The estimate as published: LiSSA in one pass over the examples, one example at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.func import grad, vmap

from clusterexplain.experiments.mixture.network import MixtureNetwork
from clusterexplain.influence import Curvature, Hessian, TrajectoryObjective, gradient_dot
from clusterexplain.influence.solvers import LiSSA, Solution
from clusterexplain.training import Trajectory, jvp, trace

DAMPING, SCALE = 0.01, 25.0


@dataclass(frozen=True, eq=False)
class ExampleCurvature(Curvature):
    """Hessian of the loss of one example with its target held constant, by a product that was traced once for all.

    Parameters
    ----------
    product : callable
        ``(theta, point, target, vectors) -> Tensor`` of the shape of the vectors.
    theta : Tensor of shape (n_params,)
        Where the loss is differentiated.
    point : Tensor of shape (1, 2)
        The example.
    target : Tensor of shape (1, 3)
        Its target.
    """

    product: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
    theta: Tensor
    point: Tensor
    target: Tensor

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.theta)

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.theta.dtype

    def times(self, vectors: Tensor) -> Tensor:
        """Return Hessian-vector products, one in each row; see :meth:`Curvature.times`."""
        return self.product(self.theta, self.point, self.target, vectors)


def one_pass(trajectory: Trajectory, cotangents: Tensor) -> tuple[Tensor, Solution]:
    r"""Return the influence of every example on every score as published, and how the solver fared.

    The published recursion :math:`h \leftarrow v + (1 - 0.01) h - H_i h / 25`, from :math:`h = v` and over the examples i in
    their order, is LiSSA from zero for the right-hand side :math:`25 v` with a damping of :math:`0.01 \cdot 25`: the first
    step, from zero, sees no curvature. The targets of DEC are constants in it, in curvature and gradients alike.

    Parameters
    ----------
    trajectory : Trajectory
        Of a :class:`MixtureNetwork`.
    cotangents : Tensor of shape (n_queries, n_params)
        Derivatives of the scores at the trained parameters.

    Returns
    -------
    Tensor of shape (n_queries, n_samples)
        Positive is "pulled the query into its cluster".
    Solution
        Status and residuals, the latter with the curvature of all examples.
    """
    recipe = trajectory.recipe
    task, layout, inputs, n = recipe.task, recipe.layout, recipe.inputs, recipe.n_samples
    assert isinstance(task, MixtureNetwork)
    targets = task.targets_of(trajectory.params, inputs, trajectory.weights)
    # The published divergence of an example is divided by its number of clusters, the likelihood is not.
    share = 1.0 if task.labels is not None else 1.0 / task.n_clusters
    present = torch.ones(1, dtype=recipe.dtype)

    def product(theta: Tensor, point: Tensor, target: Tensor, vectors: Tensor) -> Tensor:
        slope = grad(lambda theta: share * task.divergence(layout.split(theta), point, present, target))
        return vmap(lambda vector: jvp(slope, theta, vector)[1])(vectors)

    traced = trace(product, trajectory.final.clone(), inputs[:1].clone(), targets[:1].clone(), cotangents.clone())
    batches = [
        ExampleCurvature(traced, trajectory.final, inputs[row : row + 1], targets[row : row + 1])
        for row in (0, *range(n))
    ]
    objective = replace(TrajectoryObjective.of_trajectory(trajectory), memory=lambda weights: targets)
    curvature = Hessian(
        lambda theta: share * objective(theta, trajectory.weights), trajectory.final, chunk=len(cotangents)
    )
    solver = LiSSA(
        curvature,
        batches=batches,
        scale=SCALE,
        depth=n + 1,
        check_every=n + 1,
        tolerance=1e-12,
        keep_last=True,
    )
    solution = solver.solve(SCALE * cotangents, DAMPING * SCALE)
    rows = gradient_dot(objective, trajectory.final, trajectory.weights, solution.value, chunk=len(cotangents))
    return rows, solution
