"""The Jacobian of principal components: adjoint, central differences of refits, and the one without parameters."""

import numpy as np
import pytest
import torch

from clusterexplain import ClusterExplainer
from clusterexplain.influence.check_method import check_method
from clusterexplain.influence.closed_form import ClosedForm

STEP = 1e-5


@pytest.fixture(scope="module")
def explainer() -> ClusterExplainer:
    rng = np.random.default_rng(0)
    X = np.repeat([[0.0, 0, 0, 0], [9, 0, 0, 0], [0, 7, 0, 0]], 8, axis=0) + rng.normal(size=(24, 4)) * [1, 1, 0.5, 0.3]
    return ClusterExplainer("pca", latent_dim=2, n_clusters=3, random_state=0).fit(X)


def test_it_keeps_the_contract_of_a_method(explainer: ClusterExplainer) -> None:
    check_method(ClosedForm, explainer.fit_.trajectory)


def test_it_is_the_matrix_of_central_differences(explainer: ClusterExplainer) -> None:
    fit = explainer.fit_
    jacobian = ClosedForm(fit.trajectory)
    units = STEP * np.eye(24)
    expected = (fit.thetas(1 + units) - fit.thetas(1 - units)).T / (2 * STEP)
    error = (jacobian.materialize() - expected).abs().max() / expected.abs().max()
    assert jacobian.shape == expected.shape
    assert error < 1e-8


def test_forward_is_the_transpose_of_reverse(explainer: ClusterExplainer) -> None:
    jacobian = ClosedForm(explainer.fit_.trajectory)
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(3, jacobian.shape[0], generator=generator, dtype=torch.float64)
    v = torch.randn(5, 24, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(jacobian.vjp(g) @ v.T, g @ jacobian.jvp(v).T)


def test_an_embedding_that_is_given_has_an_empty_one() -> None:
    ce = ClusterExplainer("precomputed", n_clusters=2, random_state=0).fit(np.eye(6) * np.arange(1, 7))
    jacobian = ClosedForm(ce.fit_.trajectory)
    assert jacobian.shape == (0, 6)
    assert jacobian.vjp(torch.zeros(2, 0)).shape == (2, 6)
    assert jacobian.jvp(torch.zeros(3, 6)).shape == (3, 0)
