"""What is compared with retraining: the exact derivative, the classical formula, and predictions that know less."""

from __future__ import annotations

import torch
from torch import Tensor

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.experiments.mixture.one_pass import DAMPING, one_pass
from clusterexplain.influence import Implicit, TrajectoryObjective, Unrolled, gradient_dot, same_cluster
from clusterexplain.influence.solvers import Solution
from clusterexplain.training import Trajectory

EXACT, ONE_PASS, SAME_CLUSTER = "exact", "LiSSA", "same cluster"
METHODS = (EXACT, "implicit", ONE_PASS, "gradient product", SAME_CLUSTER)


def estimates(
    trajectory: Trajectory,
    cotangents: Tensor,
    own: Tensor,
    labels: Tensor,
    *,
    exact: Tensor | None = None,
    execution: Execution = DEFAULT_EXECUTION,
) -> tuple[dict[str, Tensor], Solution]:
    """Return the influence of every example on every score by every method.

    Parameters
    ----------
    trajectory : Trajectory
        The training of one arm.
    cotangents : Tensor of shape (n_queries, n_params)
        Derivatives of the scores at its trained parameters.
    own : Tensor of shape (n_queries,), int64
        Clusters of the queries.
    labels : Tensor of shape (n_samples,), int64
        Clusters of the examples.
    exact : Tensor of shape (n_queries, n_samples), optional
        The exact rows, where they are those of another training than this one.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks of exact rows that are computed side by side.

    Returns
    -------
    dict of str to Tensor of shape (n_queries, n_samples)
        One for each of ``METHODS``; positive is "pulled the query into its cluster". "implicit" is the classical formula with
        a dense solver and the damping of the paper, "LiSSA" its estimate as published.
    Solution
        How LiSSA fared.
    """
    dense, chunk = Implicit.of_trajectory(trajectory, damping=DAMPING), len(cotangents)
    rows, solution = one_pass(trajectory, cotangents)
    rows_by_method = {
        EXACT: Unrolled(trajectory, execution).vjp(cotangents) if exact is None else exact,
        "implicit": dense.rows(dense.solve(cotangents).value),
        ONE_PASS: rows,
        "gradient product": gradient_dot(
            TrajectoryObjective.of_trajectory(trajectory), trajectory.final, trajectory.weights, cotangents, chunk=chunk
        ),
        SAME_CLUSTER: same_cluster(own, labels),
    }
    return {name: rows_by_method[name].to(torch.float64) for name in METHODS}, solution
