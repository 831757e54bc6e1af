"""Fixed points: which are accepted, judged by central differences of what is solved again."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.fixed_point import DENSE, LEAST_GAP, attracts, inverse_of, solve
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.mixture_state import MixtureState, log_joint
from clusterexplain.clustering.soft_kmeans import SoftKMeansClustering


def inverse_with(eigenvalues: Tensor) -> Tensor:
    """Return inv(I - J) for a J that is similar to a diagonal matrix, and not symmetric."""
    basis = torch.randn(
        len(eigenvalues), len(eigenvalues), dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    basis = torch.eye(len(eigenvalues), dtype=torch.float64) + 0.3 * basis / len(eigenvalues) ** 0.5
    return basis @ torch.diag(1 / (1 - eigenvalues)) @ torch.linalg.inv(basis)


@pytest.mark.parametrize("size", [3, DENSE + 10], ids=["all eigenvalues", "the two that decide"])
@pytest.mark.parametrize(
    ("largest", "expected"),
    [(0.99, True), (1 - 10 * LEAST_GAP, True), (1 - 1e-12, False), (1 + 1e-4, False), (1.5, False), (-1.5, False)],
)
def test_a_fixed_point_is_judged_by_the_eigenvalues_of_its_jacobian(size: int, largest: float, expected: bool) -> None:
    eigenvalues = torch.linspace(0, 0.5, size, dtype=torch.float64)
    eigenvalues[-1] = largest
    assert attracts(inverse_with(eigenvalues)) is expected


def test_a_singular_jacobian_has_no_inverse() -> None:
    inverse = inverse_of(lambda x: x.flip(0), torch.ones(2, dtype=torch.float64))
    assert inverse.isnan().all()
    assert not attracts(inverse)


def test_one_of_a_line_of_fixed_points_is_not_accepted() -> None:
    start = torch.tensor([0.3, 0.5], dtype=torch.float64)
    _, converged = solve(lambda x: torch.stack([x[0], 0.5 * x[1] + 0.1 * x[0]]), start)
    assert not converged


def mixed(seed: int) -> tuple[Tensor, int, str, float]:
    """Draw rows of some groups, some of them copies, for a mixture that may have too many components."""
    rng = np.random.default_rng(seed)
    dim, k, groups, n = rng.integers(1, 4), rng.integers(2, 6), rng.integers(1, 5), rng.integers(15, 60)
    far = rng.choice([1, 4, 20])
    rows = rng.normal(size=(n, dim)) + far * rng.normal(size=(groups, dim))[rng.integers(0, groups, n)]
    if rng.random() < 0.3:
        rows[: n // 3] = rows[0]
    return (
        torch.tensor(rows),
        int(k),
        str(rng.choice(["full", "tied", "diag", "spherical"])),
        float(rng.choice([1e-7, 1e-4])),
    )


def contrast(rows: Tensor, state: MixtureState) -> Tensor:
    """Return the log-odds of the first and the last component with weight, summed over five rows."""
    logits = log_joint(rows[:5] + 0.5, state)[:, state.nonempty]
    return (logits[:, 0] - logits[:, -1]).sum()


def relative_error(seed: int) -> tuple[bool, float]:
    """Return whether a mixture is accepted, and how far its largest derivative is from central differences."""
    rows, k, kind, reg_covar = mixed(seed)
    weights = torch.ones(len(rows), dtype=torch.float64)
    fitted = GaussianMixtureClustering.fit(rows, weights, k, seed=0, covariance_type=kind, reg_covar=reg_covar)
    asked = weights.clone().requires_grad_()
    slopes = torch.autograd.grad(contrast(rows, fitted.state(ClusterInputs(rows, asked))), asked)[0]
    row = int(slopes.abs().argmax())
    errors = []
    for step in (1e-3, 1e-4, 1e-5):
        ends = []
        for sign in (1, -1):
            moved = weights.clone()
            moved[row] += sign * step
            inputs = ClusterInputs(rows, moved)
            ends.append(float(contrast(rows, fitted.update_kept(inputs).values(inputs))))
        slope = (ends[0] - ends[1]) / (2 * step)
        errors.append(abs(slope - float(slopes[row])) / max(abs(slope), abs(float(slopes[row])), 1e-12))
    return fitted.identified, min(errors)


@pytest.mark.parametrize("first", range(0, 80, 20))
def test_mixtures_are_accepted_where_their_derivative_is_that_of_refits(first: int) -> None:
    """Seen to fail: eigenvalues of exactly 1 let through (seeds 10, 37), small variances refused (42, 51, 76, 78)."""
    for seed in range(first, first + 20):
        identified, error = relative_error(seed)
        assert identified == (error < 1e-3), (seed, identified, error)


def test_soft_clusters_that_merged_have_coinciding_centroids() -> None:
    """They attract, so nothing but the distance of the centroids tells; see explanation/answerable.py."""
    rows = torch.randn(28, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    fitted = SoftKMeansClustering.fit(rows, torch.ones(28, dtype=torch.float64), 3, seed=0, temperature=3.0)
    centers = fitted.values(ClusterInputs(rows, torch.ones(28, dtype=torch.float64))).centers
    assert fitted.identified
    assert (centers - centers[0]).abs().max() < 1e-9
