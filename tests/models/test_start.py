"""The start at principal components against scikit-learn, closed forms, central differences and retrainings."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import decomposition
from torch import Tensor
from torch.func import jacfwd, jacrev, vmap

from clusterexplain import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models.autoencoder import Autoencoder
from clusterexplain.models.principal_components import (
    EXACT_UP_TO,
    leading_components,
    principal_components,
    principal_subspace,
)
from clusterexplain.models.start import PrincipalStart
from clusterexplain.models.variational import VariationalAutoencoder
from clusterexplain.training.torch_compat import load_forward_mode

STEP = 1e-5
MODELS = ("autoencoder", "vae", "dec", "contrastive")


def rows_of(n: int, p: int) -> Tensor:
    """Return rows whose columns have clearly different variances."""
    scales = torch.linspace(1, 4, p, dtype=torch.float64)
    return torch.randn(n, p, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * scales + 3


def weights_of(n: int) -> Tensor:
    """Return unequal data weights."""
    return torch.rand(n, generator=torch.Generator().manual_seed(1), dtype=torch.float64) + 0.3


def projector(frame: Tensor) -> Tensor:
    """Return the orthogonal projector on the span of orthonormal rows."""
    return frame.T @ frame


@pytest.mark.parametrize(("n", "p"), [(40, 7), (12, 30)], ids=["tall", "wide"])
class TestSubspace:
    def test_at_the_weights_of_the_fit_it_is_the_components(self, n: int, p: int) -> None:
        X, start = rows_of(n, p), PrincipalStart(3)
        mean, frame, deviations = start.frame(X, torch.ones(n), start.reference({}, X, torch.ones(n)))
        expected = decomposition.PCA(3).fit(X.numpy())
        np.testing.assert_allclose(mean, expected.mean_, rtol=1e-12)
        np.testing.assert_allclose(np.abs((frame.numpy() * expected.components_).sum(axis=1)), 1, rtol=1e-9)
        np.testing.assert_allclose(deviations.square(), expected.explained_variance_ * (n - 1) / n, rtol=1e-9)

    def test_many_iterations_reach_the_components_of_repeated_rows(self, n: int, p: int) -> None:
        X, weights = rows_of(n, p), torch.ones(n)
        reference = leading_components(X, weights, 3)
        weights[1], weights[2] = 2.0, 0.0
        repeated = torch.cat([X[:2], X[1:2], X[3:]]).numpy()
        mean, frame = principal_subspace(X, weights, reference.directions, reference.mean, 2000)
        expected = torch.from_numpy(decomposition.PCA(3).fit(repeated).components_)
        np.testing.assert_allclose(mean, repeated.mean(axis=0), rtol=1e-12)
        torch.testing.assert_close(frame @ frame.T, torch.eye(3, dtype=torch.float64))
        torch.testing.assert_close(projector(frame), projector(expected), rtol=0, atol=1e-8)

    def test_derivative_is_that_of_central_differences_in_both_modes(self, n: int, p: int) -> None:
        X, weights = rows_of(n, p), weights_of(n)
        reference = leading_components(X, torch.ones(n), 3)

        def of(w: Tensor) -> Tensor:
            mean, frame = principal_subspace(X, w, reference.directions, reference.mean, 4)
            return torch.cat([mean, frame.reshape(-1)])

        load_forward_mode()
        units = STEP * torch.eye(n, dtype=torch.float64)
        expected = torch.stack([(of(weights + unit) - of(weights - unit)) / (2 * STEP) for unit in units], dim=1)
        for mode in (jacrev, jacfwd):
            error = (mode(of)(weights) - expected).abs().max() / expected.abs().max()
            assert error < 1e-8, error
        torch.testing.assert_close(vmap(of)(torch.stack([weights, weights + 1]))[1], of(weights + 1))

    def test_a_pair_of_components_turns_as_far_as_the_number_of_iterations_says(self, n: int, p: int) -> None:
        X, weights, n_iterations = rows_of(n, p), torch.ones(n, dtype=torch.float64), 3
        every = principal_components(X, weights, min(n - 1, p))
        kept, dropped, variances = every.directions[:2], every.directions[2:], every.variances
        turned = jacrev(lambda w: principal_subspace(X, w, kept, every.mean, n_iterations)[1])(weights)  # (2, p, n)
        scores = (X - every.mean) @ every.directions.T
        pair = 1 - (variances[2:] / variances[:2, None]) ** n_iterations
        factor = pair / (variances[:2, None] - variances[2:]) / n
        expected = factor[:, :, None] * scores.T[:2, None] * scores.T[None, 2:]
        torch.testing.assert_close(torch.einsum("bp,apn->abn", dropped, turned), expected, rtol=1e-7, atol=1e-9)


def test_a_direction_that_vanishes_with_its_rows_leaves_a_finite_start() -> None:
    X = rows_of(30, 6)
    X[:, 0] = 0.0
    X[:3, 0] = torch.tensor([50.0, -50.0, 40.0], dtype=torch.float64)
    start, weights = PrincipalStart(2), torch.ones(30, dtype=torch.float64)
    reference = start.reference({}, X, weights)
    weights[:3] = 0.0
    mean, frame, _ = start.frame(X, weights, reference)
    assert torch.isfinite(frame).all()
    torch.testing.assert_close(frame @ frame.T, torch.eye(2, dtype=torch.float64))
    torch.testing.assert_close(mean, X[3:].mean(dim=0))
    assert torch.isfinite(jacrev(lambda w: start.frame(X, w, reference)[1])(weights)).all()


def test_a_row_of_weight_0_has_no_part_in_the_start() -> None:
    X, start = rows_of(20, 5), PrincipalStart(2)
    weights = torch.ones(20)
    weights[7] = 0.0
    present = torch.cat([X[:7], X[8:]])
    found = start.frame(X, weights, start.reference({}, X, weights))
    expected = start.frame(present, torch.ones(19), start.reference({}, present, torch.ones(19)))
    for part, other in zip(found, expected, strict=True):
        torch.testing.assert_close(part, other, rtol=1e-9, atol=1e-10)


def test_dimensions_beyond_the_rank_start_without_a_linear_part() -> None:
    X, start = rows_of(4, 9), PrincipalStart(6)
    weights = torch.ones(4)
    _, frame, deviations = start.frame(X, weights, start.reference({}, X, weights))
    assert frame.shape == (6, 9)
    assert (frame[3:] == 0).all()
    assert (deviations[3:] == 1).all()


def test_the_randomised_components_are_those_of_scikit_learn_where_there_is_a_gap() -> None:
    n = EXACT_UP_TO + 1
    X = torch.randn(n, n, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    X[:, :3] *= torch.tensor([400.0, 200.0, 100.0], dtype=torch.float64)
    found = leading_components(X, torch.ones(n), 3)
    expected = decomposition.PCA(3, svd_solver="covariance_eigh").fit(X.numpy())
    np.testing.assert_allclose(np.abs((found.directions.numpy() * expected.components_).sum(axis=1)), 1, rtol=1e-8)
    np.testing.assert_allclose(found.variances, expected.explained_variance_ * (n - 1) / n, rtol=1e-8)


def test_a_linear_autoencoder_starts_at_the_residual_of_the_components() -> None:
    X, weights = rows_of(40, 7), torch.ones(40, dtype=torch.float64)
    task = Autoencoder(7, hidden=(), latent_dim=3, start=PrincipalStart(3))
    (stage,) = task.stages()
    params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
    assert stage.freeze_choice is not None
    assert stage.initialize is not None
    placed = stage.initialize(params, X, weights, stage.freeze_choice(params, X, weights))
    pca = decomposition.PCA(3).fit(X.numpy())
    left = X.numpy() - pca.inverse_transform(pca.transform(X.numpy()))
    np.testing.assert_allclose(task.loss(placed, X, weights), np.square(left).mean(), rtol=1e-9)
    np.testing.assert_allclose(task.embed(placed, X).abs(), np.abs(pca.transform(X.numpy())), rtol=1e-7, atol=1e-8)


def test_a_linear_vae_starts_at_probabilistic_principal_components() -> None:
    beta, weights, X = 0.4, torch.ones(60, dtype=torch.float64), rows_of(60, 7)
    task = VariationalAutoencoder(7, hidden=(), latent_dim=3, beta=beta, start=PrincipalStart(3))
    (stage,) = task.stages()
    params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
    assert stage.freeze_choice is not None
    assert stage.initialize is not None
    placed = stage.initialize(params, X, weights, stage.freeze_choice(params, X, weights))
    # Tipping and Bishop (1999): W = V (Lambda - beta)^(1/2), M = W'W + beta, E z = M^-1 W'(x - mu), cov z = beta M^-1.
    found = principal_components(X, weights, 3)
    W = (found.directions.T * (found.variances - beta).sqrt()).numpy()
    M = W.T @ W + beta * np.eye(3)
    expected = np.linalg.solve(M, W.T @ (X - found.mean).numpy().T).T
    np.testing.assert_allclose(task.embed(placed, X), expected, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(placed["decoder.linear.weight"], W, rtol=1e-9, atol=1e-9)
    log_deviation = task.encoder(placed, X)[:, 3:]
    np.testing.assert_allclose(torch.exp(2 * log_deviation[0]), beta * np.diag(np.linalg.inv(M)), rtol=1e-9)

    def total(scaled: Tensor) -> Tensor:
        """Return the expected loss, in closed form, with encoder and decoder rotated, stretched and spread otherwise."""
        moved = {
            name: value + scaled[number] * torch.ones_like(value) for number, (name, value) in enumerate(placed.items())
        }
        encoded = task.encoder(moved, X)
        mean, log_sigma = encoded[:, :3], encoded[:, 3:]
        residual = (task.decoder(moved, mean) - X).square().sum(dim=1)
        spread = (torch.exp(2 * log_sigma) * moved["decoder.linear.weight"].square().sum(dim=0)).sum(dim=1)
        divergence = (mean.square() + torch.exp(2 * log_sigma) - 1 - 2 * log_sigma).sum(dim=1)
        return (residual + spread + beta * divergence).mean()

    slope = jacrev(total)(torch.zeros(len(placed), dtype=torch.float64))
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("start", ["pca", "fixed"])
def test_rows_of_influence_are_central_differences_of_retrainings(model: str, start: str) -> None:
    X = rows_of(24, 6).numpy()
    ce = ClusterExplainer(
        model, n_clusters=2, latent_dim=2, hidden=(5,), n_steps=12, batch_size=24, learning_rate=0.02, dtype="float64",
        start=start, min_agreement=0.0, membership_score="margin", random_state=0,
    ).fit(X)  # fmt: skip
    explanation = ce.explain([0, 5])
    fit, margins = ce.fit_, explanation.margins
    weights = np.ones((4, 24))
    for place, row in enumerate((0, 9)):
        weights[2 * place, row], weights[2 * place + 1, row] = 1 + 1e-4, 1 - 1e-4
    scores = [
        fit.outcome(theta, w, margins, assignments="kept").scores
        for theta, w in zip(fit.thetas(weights), weights, strict=True)
    ]
    for place, row in enumerate((0, 9)):
        expected = (scores[2 * place] - scores[2 * place + 1]) / 2e-4
        np.testing.assert_allclose(explanation.influence[:, row], expected, rtol=1e-5, atol=1e-8)


def test_a_start_that_follows_the_weights_moves_with_them_and_a_fixed_one_does_not() -> None:
    X = rows_of(30, 6)
    weights = torch.ones(30, dtype=torch.float64)
    reference = PrincipalStart(2).reference({}, X, weights)
    weights[0] = 0.0
    for start in (PrincipalStart(2), PrincipalStart(2, follows=False)):
        _, frame, _ = start.frame(X, weights, reference)
        moved = not torch.equal(
            projector(frame), projector(replace(start, follows=False).frame(X, weights, reference)[1])
        )
        assert moved == start.follows


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"model": "conv_autoencoder", "start": "pca"},
            "start='pca' needs a linear path .* Expected start='random' or None",
        ),
        ({"model": "dec", "model_options": {"pretrain": 0}, "start": "fixed"}, "start='fixed' needs a linear path"),
        ({"model": "pca", "start": "random"}, "start='random' belongs to a training"),
        ({"start": "warm"}, "start='warm' is unknown. Expected one of None, 'pca', 'fixed', 'random'"),
    ],
)
def test_a_start_that_a_model_cannot_have_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        ClusterExplainer(n_clusters=2, **options).fit(rows_of(20, 16).numpy())
