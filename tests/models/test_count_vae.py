"""The variational autoencoder for counts against scipy, central differences, absent rows and retrainings."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.func import grad, jvp

from clusterexplain import ClusterExplainer, Dataset
from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.models import CountVAE
from clusterexplain.models.count_vae import (
    DISPERSION,
    LIKELIHOODS,
    negative_binomial_log_likelihood,
    poisson_log_likelihood,
)
from clusterexplain.models.start import PrincipalStart
from clusterexplain.training.torch_compat import load_forward_mode

COUNTS = torch.tensor([0.0, 1.0, 2.0, 17.0, 400.0, 30000.0], dtype=torch.float64)
TOLERANCES = {torch.float64: 1e-9, torch.float32: 3e-6}
"""Of a logarithm of a probability, relative to the largest of its terms."""
Function = Callable[[Tensor], Tensor]


def table(n: int = 24, p: int = 6) -> np.ndarray:
    """Return overdispersed counts of two types, with zeros."""
    rng = np.random.default_rng(0)
    rates = np.exp(rng.normal(size=(2, p)))[np.arange(n) % 2] * rng.uniform(2, 6, size=(n, 1))
    return rng.poisson(rng.gamma(2.0, rates / 2.0)).astype(float) + np.eye(n, p)


def task_of(p: int, likelihood: str, **options: Any) -> CountVAE:
    """Return a small model."""
    return CountVAE(p, hidden=(5,), latent_dim=2, likelihood=likelihood, **options)


def second(of: Function, at: Tensor, direction: Tensor) -> Tensor:
    """Return a Hessian-vector product: the derivative of the gradient."""
    load_forward_mode()
    found: Tensor = jvp(grad(of), (at,), (direction,))[1]
    return found


class TestLikelihood:
    @pytest.mark.parametrize("dtype", TOLERANCES)
    @pytest.mark.parametrize("mean", [1e-6, 0.3, 5.0, 2e4])
    def test_poisson_is_that_of_scipy(self, dtype: torch.dtype, mean: float) -> None:
        found = poisson_log_likelihood(COUNTS.to(dtype), torch.tensor(np.log(mean), dtype=dtype))
        expected = stats.poisson.logpmf(COUNTS.numpy(), mean)
        size = np.abs(COUNTS.numpy() * np.log(mean)) + mean + np.abs(expected) + 1
        assert found.dtype == dtype
        assert (np.abs(found.double().numpy() - expected) <= TOLERANCES[dtype] * size).all()

    @pytest.mark.parametrize("dtype", TOLERANCES)
    @pytest.mark.parametrize("theta", [1e-3, 0.7, 40.0, 1e4])
    @pytest.mark.parametrize("mean", [1e-2, 0.3, 5.0, 2e4])
    def test_negative_binomial_is_that_of_scipy(self, dtype: torch.dtype, theta: float, mean: float) -> None:
        logs = (torch.tensor(np.log(value), dtype=dtype) for value in (mean, theta))
        found = negative_binomial_log_likelihood(COUNTS.to(dtype), *logs)
        expected = stats.nbinom.logpmf(COUNTS.numpy(), theta, theta / (theta + mean))
        size = COUNTS.numpy() * (1 + abs(np.log(mean)) + abs(np.log(theta))) + mean + np.abs(expected) + 1
        assert found.dtype == dtype
        assert (np.abs(found.double().numpy() - expected) <= TOLERANCES[dtype] * size).all()

    def test_a_large_inverse_dispersion_is_a_poisson_count(self) -> None:
        counts, log_mean = COUNTS[:4], torch.tensor([0.0, 0.4, 1.0, 2.5], dtype=torch.float64)
        found = negative_binomial_log_likelihood(counts, log_mean, torch.tensor(20.0, dtype=torch.float64))
        torch.testing.assert_close(found, poisson_log_likelihood(counts, log_mean), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("log_theta", [-6.0, 0.3, 8.0])
    @pytest.mark.parametrize("log_mean", [-9.0, 0.5, 7.0])
    def test_derivatives_are_central_differences(self, log_mean: float, log_theta: float) -> None:
        at = torch.tensor([log_mean, log_theta], dtype=torch.float64)
        steps = 1e-5 * torch.eye(2, dtype=torch.float64)
        for count in COUNTS[:5]:

            def of(logs: Tensor, count: Tensor = count) -> Tensor:
                return negative_binomial_log_likelihood(count, logs[0], logs[1])

            slopes = torch.stack([(of(at + step) - of(at - step)) / 2e-5 for step in steps])
            bends = torch.stack([(grad(of)(at + step) - grad(of)(at - step)) / 2e-5 for step in steps])
            found = torch.stack([second(of, at, step / 1e-5) for step in steps])
            torch.testing.assert_close(grad(of)(at), slopes, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(found, bends, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("dtype", TOLERANCES)
    @pytest.mark.parametrize("log_theta", [-25.0, 0.0, 25.0])
    @pytest.mark.parametrize("log_mean", [-1e4, -100.0, 0.0, 15.0])
    def test_extreme_means_have_finite_values_and_derivatives(
        self, dtype: torch.dtype, log_theta: float, log_mean: float
    ) -> None:
        at = torch.tensor([log_mean, log_theta], dtype=dtype)
        for count in COUNTS.to(dtype):
            for of in (
                lambda logs, count=count: negative_binomial_log_likelihood(count, logs[0], logs[1]),
                lambda logs, count=count: poisson_log_likelihood(count, logs[0]),
            ):
                assert torch.isfinite(of(at))
                assert torch.isfinite(grad(of)(at)).all()
                assert torch.isfinite(second(of, at, torch.ones_like(at))).all()


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
class TestLoss:
    def test_it_is_the_evidence_bound_by_scipy(self, likelihood: str) -> None:
        X = torch.from_numpy(table())
        task = task_of(6, likelihood, beta=0.7)
        params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
        if likelihood == "negative_binomial":
            params[DISPERSION] += torch.linspace(-1, 0.2, 6, dtype=torch.float64)
        noise = torch.randn(24, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weights = torch.linspace(0, 2, 24, dtype=torch.float64)
        encoded = task.encoder(params, torch.log1p(X)).numpy()
        mean, deviation = encoded[:, :2], np.exp(encoded[:, 2:])
        logits = task.decoder(params, torch.from_numpy(mean + deviation * noise.numpy())).numpy()
        shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        expected_counts = X.numpy().sum(axis=1, keepdims=True) * shares
        if likelihood == "poisson":
            log_p = stats.poisson.logpmf(X.numpy(), expected_counts)
        else:
            theta = np.exp(2 + 4 * params[DISPERSION].numpy())
            log_p = stats.nbinom.logpmf(X.numpy(), theta, theta / (theta + expected_counts))
        divergence = 0.5 * (mean**2 + deviation**2 - 1 - 2 * np.log(deviation)).sum(axis=1)
        expected = (weights.numpy() * (0.7 * divergence - log_p.sum(axis=1))).sum() / (24 * 6)
        np.testing.assert_allclose(task.loss(params, (X, noise), weights), expected, rtol=1e-12)
        np.testing.assert_array_equal(task.embed(params, X), mean)
        np.testing.assert_allclose(task.reconstruct(params, X).sum(dim=1), X.sum(dim=1), rtol=1e-12)

    def test_weight_0_is_absence_at_the_same_normaliser(self, likelihood: str) -> None:
        X, task = torch.from_numpy(table()), task_of(6, likelihood)
        params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
        noise = torch.randn(24, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        weights = torch.ones(24, dtype=torch.float64)
        weights[5] = 0.0
        kept = weights > 0
        without = task.loss(params, (X[kept], noise[kept]), weights[kept]) * 23 / 24
        torch.testing.assert_close(task.loss(params, (X, noise), weights), without, rtol=1e-12, atol=0)

    @pytest.mark.parametrize("dtype", TOLERANCES)
    def test_its_second_derivatives_are_finite_at_extreme_logits_and_totals(
        self, likelihood: str, dtype: torch.dtype
    ) -> None:
        X = torch.tensor([[0, 0, 1], [10**6, 0, 3], [0, 2, 0], [5, 10**5, 7]], dtype=dtype)
        task = task_of(3, likelihood)
        params = task.initial_params(torch.Generator().manual_seed(0), dtype)
        noise = torch.ones(4, 2, dtype=dtype)
        for size in (1.0, 100.0, 1e4):
            at = {**params, "decoder.1.bias": size * torch.tensor([1.0, -1.0, 0.0], dtype=dtype)}
            direction = {name: torch.ones_like(value) for name, value in at.items()}
            of = grad(lambda p: task.loss(p, (X, noise), torch.ones(4, dtype=dtype)))
            load_forward_mode()
            slopes, bends = jvp(of, (at,), (direction,))
            for found in (*slopes.values(), *bends.values()):
                assert torch.isfinite(found).all()
            assert any(found.abs().max() > 0 for found in bends.values())


@pytest.mark.parametrize("start", ["random", "pca", "fixed"])
@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_rows_of_influence_are_central_differences_of_retrainings(likelihood: str, start: str) -> None:
    ce = ClusterExplainer(
        "count_vae", n_clusters=2, latent_dim=2, hidden=(5,), n_steps=12, batch_size=24, learning_rate=0.02,
        dtype="float64", start=start, min_agreement=0.0, membership_score="margin", random_state=0,
        model_options={"likelihood": likelihood},
    ).fit(table())  # fmt: skip
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


def test_the_start_has_coordinates_of_variance_1_and_the_shares_of_the_columns() -> None:
    X, weights = torch.from_numpy(table(60, 7)), torch.ones(60, dtype=torch.float64)
    task = CountVAE(7, hidden=(), latent_dim=3, start=PrincipalStart(3))
    (stage,) = task.stages()
    params = task.initial_params(torch.Generator().manual_seed(0), torch.float64)
    assert stage.freeze_choice is not None
    assert stage.initialize is not None
    placed = stage.initialize(params, X, weights, stage.freeze_choice(params, X, weights))
    embedded = task.embed(placed, X)
    torch.testing.assert_close(torch.cov(embedded.T, correction=0), torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(embedded.mean(dim=0), torch.zeros(3, dtype=torch.float64))
    shares = (X / X.sum(dim=1, keepdim=True)).mean(dim=0)
    torch.testing.assert_close(torch.exp(placed["decoder.linear.bias"]), 7 * shares + 0.1)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_a_run_is_saved_and_loaded(likelihood: str, tmp_path: Path) -> None:
    ce = ClusterExplainer(
        "count_vae", n_clusters=2, latent_dim=2, hidden=(5,), n_steps=20, min_agreement=0.0, random_state=0,
        model_options={"likelihood": likelihood},
    ).fit(table())  # fmt: skip
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.fit_.config.scaling is None
    assert loaded.fit_.config.model_options == {"beta": 1.0, "likelihood": likelihood}
    assert (DISPERSION in loaded.fit_.params) == (likelihood == "negative_binomial")
    assert loaded.explain([0, 7]).influence.tobytes() == ce.explain([0, 7]).influence.tobytes()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (
            -2.0,
            r"row cell3 has -2 in column 1 \(counted from 0\), which is negative; 1 of 24 rows .*Expected raw counts",
        ),
        (
            0.5,
            r"row cell3 has 0\.5 in column 1 .* not a whole number.*use_rep='counts'\) takes adata\.layers\['counts'\]",
        ),
    ],
)
def test_rows_that_are_no_counts_are_refused(value: float, message: str) -> None:
    X = table()
    X[3, 1] = value
    data = Dataset(X, ids=np.array([f"cell{row}" for row in range(24)]))
    with pytest.raises(InvalidDataError, match=message):
        ClusterExplainer("count_vae", n_clusters=2, n_steps=5).fit(data)


def test_a_row_without_counts_is_refused_by_its_id() -> None:
    X = table()
    X[4] = 0
    data = Dataset(X, ids=np.array([f"cell{row}" for row in range(24)]))
    with pytest.raises(InvalidDataError, match=r"1 row\(s\) have a total of 0: cell4\. Expected at least one count"):
        ClusterExplainer("count_vae", n_clusters=2, n_steps=5).fit(data)


def test_new_rows_that_are_no_counts_are_refused() -> None:
    ce = ClusterExplainer("count_vae", n_clusters=2, latent_dim=2, n_steps=5, min_agreement=0.0, random_state=0)
    ce.fit(table())
    assert ce.predict(table()[:3]).tolist() == ce.labels_[:3].tolist()
    with pytest.raises(InvalidDataError, match=r"row 1 has 0\.693147 in column 0 .* not a whole number; 1 of 2 rows"):
        ce.explain(np.array([[2.0, 0, 1, 0, 0, 0], [np.log(2), 0, 2, 0, 0, 0]]))


@pytest.mark.parametrize("scaling", ["global", "standard"])
def test_a_scaling_is_refused(scaling: str) -> None:
    message = re.escape(f"scaling={scaling!r} would make something else of counts")
    with pytest.raises(InvalidParameterError, match=f"{message}.*Expected 'auto' or None"):
        ClusterExplainer("count_vae", n_clusters=2, scaling=scaling).fit(table())


def test_an_unknown_likelihood_is_refused() -> None:
    with pytest.raises(InvalidParameterError, match="Expected one of 'negative_binomial', 'poisson'"):
        ClusterExplainer("count_vae", model_options={"likelihood": "gamma"}).fit(table())
