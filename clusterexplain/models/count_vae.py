"""The variational autoencoder for counts: negative binomial or Poisson, given the total of each row."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from clusterexplain.models.start import PrincipalStart, linear_maps
from clusterexplain.models.task import Params, Stage
from clusterexplain.models.variational import VariationalAutoencoder, with_log_deviations

LIKELIHOODS = ("negative_binomial", "poisson")
DISPERSION = "dispersion"
FIRST_LOG_THETA, THETA_RATE = 2.0, 4.0
"""Logarithm of the inverse dispersion at the start and for each unit of its parameter. Near a Poisson count the networks learn
the means first; the rate makes up for gradients that are divided by the number of columns."""
LINEAR_FROM = 40.0
"""Where softplus is the identity to double precision."""
SMALLEST_SHARE = 0.1
"""Least share of the average column that a column starts with, so that columns without counts have a finite logit."""
NOISE_VARIANCE = 0.25
"""Variance of the logarithm of a count about its mean at the start: the largest that a Poisson count has, to first order."""


def poisson_log_likelihood(counts: Tensor, log_mean: Tensor) -> Tensor:
    """Return the logarithm of the Poisson probability of each count, of the broadcast shape.

    Parameters
    ----------
    counts : Tensor
        Whole numbers of at least 0, of a floating-point type.
    log_mean : Tensor
        Logarithm of the expected count.
    """
    return counts * log_mean - torch.exp(log_mean) - torch.lgamma(counts + 1)


def negative_binomial_log_likelihood(counts: Tensor, log_mean: Tensor, log_theta: Tensor) -> Tensor:
    r"""Return the logarithm of the negative binomial probability of each count, of the broadcast shape.

    With mean :math:`\mu` the variance is :math:`\mu + \mu^2 / \theta`; a large :math:`\theta` is a Poisson count. The mean
    enters by its logarithm alone, so that means that underflow leave values and both derivatives finite. The logarithms of the
    gamma function nearly cancel where :math:`\theta` is large and are taken in double precision.

    Parameters
    ----------
    counts : Tensor
        Whole numbers of at least 0, of a floating-point type.
    log_mean : Tensor
        Logarithm of the expected count.
    log_theta : Tensor
        Logarithm of the inverse dispersion.
    """
    theta, exact, log_exact = torch.exp(log_theta), counts.double(), log_theta.double()
    theta_exact = torch.exp(log_exact)
    rising = torch.lgamma(exact + theta_exact) - torch.lgamma(theta_exact) - exact * log_exact
    constant = rising - torch.lgamma(exact + 1)
    excess = F.softplus(log_mean - log_theta, threshold=LINEAR_FROM)  # log(1 + mean / theta)
    return constant.to(log_mean.dtype) + counts * log_mean - (counts + theta) * excess


class CountVAE(VariationalAutoencoder):
    r"""Variational autoencoder for counts, after scVI (Lopez et al. 2018).

    The encoder sees :math:`\log(1 + x)`. The decoder gives each column g a share :math:`\rho_{ig}` of the row by a softmax. The
    expected count is :math:`m_{ig} = s_i \rho_{ig}`, where the total :math:`s_i` of the row is data. The loss of example i is

    .. math::
        \ell_i = -\frac{1}{D} \sum_g \log p(x_{ig} \mid m_{ig}, \theta_g)
        + \frac{\beta}{2 D} \sum_k (\mu_{ik}^2 + \sigma_{ik}^2 - 1 - \log \sigma_{ik}^2),

    the negative evidence bound over D where :math:`\beta` is 1. Noise and embedding are those of the Gaussian model.

    Parameters
    ----------
    n_features : int
        Number of columns D (genes).
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    latent_dim : int
        Dimension of the embedding.
    activation : str
        One of ``ACTIVATIONS``; all but "relu" are smooth.
    beta : float, default=1.0
        Weight of the divergence from the prior.
    likelihood : {"negative_binomial", "poisson"}, default="negative_binomial"
        Distribution of a count about its mean; the first has one inverse dispersion :math:`\theta_g` for each column.
    start : PrincipalStart, optional
        Where the training starts: linear parts at the principal components of :math:`\log(1 + x)`, with a perceptron added to
        each. Without it the start is random.
    """

    def __init__(
        self,
        n_features: int,
        *,
        hidden: Sequence[int],
        latent_dim: int,
        activation: str = "gelu",
        beta: float = 1.0,
        likelihood: str = "negative_binomial",
        start: PrincipalStart | None = None,
    ) -> None:
        super().__init__(
            n_features, hidden=hidden, latent_dim=latent_dim, activation=activation, beta=beta, start=start
        )
        self.n_features = n_features
        self.likelihood = likelihood

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw the networks' parameters; all inverse dispersions start equal."""
        params = super().initial_params(generator, dtype)
        if self.likelihood == "poisson":
            return params
        return params | {DISPERSION: torch.zeros(self.n_features, dtype=dtype)}

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage, which begins at the start if there is one."""
        if self.start is None:
            return (Stage(self.loss),)
        return (Stage(self.loss, freeze_choice=self._reference, initialize=self._initialize),)

    def _reference(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        assert self.start is not None, "a stage has a reference only where there is a start"
        return self.start.reference(params, torch.log1p(inputs), weights)

    def _initialize(self, params: Params, inputs: Tensor, weights: Tensor, reference: Tensor) -> Params:
        """Return the parameters with linear parts at the principal components of the logarithms.

        Coordinates have variance 1, as the prior has. The decoder's bias is the logarithm of the mean share of each column.
        """
        assert self.start is not None, "a stage places linear parts only where there is a start"
        mean, frame, deviations = self.start.frame(torch.log1p(inputs), weights, reference)
        placed = linear_maps(mean, frame / deviations.unsqueeze(1), frame * deviations.unsqueeze(1))
        shares = (weights.unsqueeze(1) * inputs / inputs.sum(dim=1, keepdim=True)).sum(dim=0) / weights.sum()
        placed["decoder.linear.bias"] = torch.log(shares * self.n_features + SMALLEST_SHARE)
        spread = 0.5 * torch.log(NOISE_VARIANCE / (NOISE_VARIANCE + deviations.square()))  # log sigma
        return params | with_log_deviations(placed, spread)

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the posterior means, shape (batch, latent_dim)."""
        return super().embed(params, torch.log1p(inputs))

    def reconstruct(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the expected counts at the posterior means, shape (batch, n_features)."""
        return torch.exp(self._log_mean(params, self.embed(params, inputs), inputs))

    def loss(self, params: Params, inputs: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
        """Return the weighted loss for one draw of the noise, divided by the nominal batch size."""
        x, noise = inputs
        mean, log_deviation = torch.split(self.encoder(params, torch.log1p(x)), self.latent_dim, dim=-1)
        log_mean = self._log_mean(params, mean + torch.exp(log_deviation) * noise, x)
        divergence = mean.square() + torch.exp(2 * log_deviation) - 1 - 2 * log_deviation
        each = self.beta / 2 * divergence.sum(dim=-1) - self._log_likelihood(params, x, log_mean).sum(dim=-1)
        return (each * (weights / math.prod(x.shape))).sum()

    def log_theta(self, params: Params) -> Tensor:
        """Return the logarithms of the inverse dispersions, shape (n_features,); negative binomial only."""
        return FIRST_LOG_THETA + THETA_RATE * params[DISPERSION]

    def _log_mean(self, params: Params, code: Tensor, counts: Tensor) -> Tensor:
        return F.log_softmax(self.decoder(params, code), dim=-1) + torch.log(counts.sum(dim=-1, keepdim=True))

    def _log_likelihood(self, params: Params, counts: Tensor, log_mean: Tensor) -> Tensor:
        if self.likelihood == "poisson":
            return poisson_log_likelihood(counts, log_mean)
        return negative_binomial_log_likelihood(counts, log_mean, self.log_theta(params))
