"""Responsibilities: scikit-learn's numbers, the closed-form gradients, the edge of a component."""

from __future__ import annotations

import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor
from torch.func import grad

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.em import precisions_cholesky
from clusterexplain.clustering.gaussian_mixture import GaussianMixtureClustering
from clusterexplain.clustering.mixture_state import MixtureState
from clusterexplain.clustering.scores.responsibility import Responsibility

OWN, RUNNER_UP = torch.tensor(0), torch.tensor(2)


def _mixture() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Draw a sample, means, precision matrices and log weights of three components in two dimensions."""
    draw = torch.Generator().manual_seed(0)
    z, means, roots = (torch.randn(*s, generator=draw, dtype=torch.float64) for s in ((2,), (3, 2), (3, 2, 2)))
    return z, means, roots @ roots.mT + torch.eye(2), torch.tensor([0.5, 0.3, 0.2]).double().log()


def _state(means: Tensor, precisions: Tensor, log_weights: Tensor) -> MixtureState:
    nonempty = torch.ones(3, dtype=torch.bool)
    return MixtureState(
        means, precisions_cholesky(torch.linalg.inv(precisions)), log_weights, 2 * nonempty.double(), nonempty
    )


def _log_membership(z: Tensor, means: Tensor, precisions: Tensor, log_weights: Tensor) -> Tensor:
    return Responsibility().membership(z, _state(means, precisions, log_weights))[OWN].log()


def test_gradients_are_the_closed_forms() -> None:
    z, means, precisions, log_weights = _mixture()
    r = Responsibility().membership(z, _state(means, precisions, log_weights))
    surplus = torch.eye(3, dtype=torch.float64)[OWN] - r
    pulls = torch.einsum("kde,ke->kd", precisions, z - means)
    outer = torch.einsum("kd,ke->kde", z - means, z - means)
    found = grad(_log_membership, argnums=(0, 1, 2, 3))(z, means, precisions, log_weights)
    torch.testing.assert_close(found[0], -pulls[OWN] + r @ pulls)
    torch.testing.assert_close(found[1], surplus[:, None] * pulls)
    torch.testing.assert_close(found[2], surplus[:, None, None] / 2 * (torch.linalg.inv(precisions) - outer))
    torch.testing.assert_close(found[3], surplus)


def test_the_score_is_the_log_ratio_of_memberships() -> None:
    z, *parameters = _mixture()
    state = _state(*parameters)
    memberships = Responsibility().membership(z, state)
    score = Responsibility().margins(z, state, OWN, RUNNER_UP)
    torch.testing.assert_close(score, (memberships[OWN] / memberships[RUNNER_UP]).log())


def test_memberships_are_scikit_learns_probabilities() -> None:
    z = torch.randn(60, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    fitted = GaussianMixture(2, random_state=0, tol=1e-10, max_iter=2000).fit(z.numpy())
    w = torch.ones(60, dtype=torch.float64)
    state = GaussianMixtureClustering.from_parameters(fitted, z, w).values(ClusterInputs(z, w))
    expected = torch.from_numpy(fitted.predict_proba(z.numpy()))
    torch.testing.assert_close(Responsibility().membership(z, state), expected, rtol=0, atol=1e-3)


def test_the_edge_is_where_a_typical_member_lies() -> None:
    _, means, precisions, log_weights = _mixture()
    state = _state(means, precisions, log_weights)
    root = state.precisions_cholesky[0]
    typical = means[0] + torch.linalg.solve(root.T, torch.tensor([1.0, -1.0]).double())  # squared distance 2
    inside = torch.stack(
        [Responsibility().boundary_margins(row, state)[0] for row in (means[0], typical, 2 * typical - means[0])]
    )
    assert inside[0] > 0 > inside[2]
    assert bool(inside.isfinite().all())
    torch.testing.assert_close(inside[1], torch.zeros(()).double())
