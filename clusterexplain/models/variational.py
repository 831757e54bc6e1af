"""The variational autoencoder, whose noise comes from the plan's keys."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from clusterexplain.models.autoencoder import EncoderDecoder
from clusterexplain.models.counter_rng import normal
from clusterexplain.models.networks import dense
from clusterexplain.models.start import PrincipalStart, first_stage, linear_maps
from clusterexplain.models.task import Params, Stage

SMALLEST_LOADING = 0.05
"""Share of a component's variance that its loading explains at least at the start, where the noise is larger than it."""
SMALLEST_NOISE = 1e-2
"""Noise variance of the posterior at the start where beta is smaller."""


class VariationalAutoencoder(EncoderDecoder[tuple[Tensor, Tensor]]):
    r"""Variational autoencoder with a Gaussian posterior of diagonal covariance (Kingma and Welling 2014).

    With :math:`\mu_i, \sigma_i` from the encoder and noise :math:`\varepsilon` the loss of example i is

    .. math::
        \ell_i = \frac{1}{D} \lVert x_i - \mathrm{dec}(\mu_i + \sigma_i \varepsilon) \rVert^2
        + \frac{\beta}{D} \sum_k (\mu_{ik}^2 + \sigma_{ik}^2 - 1 - \log \sigma_{ik}^2),

    twice the negative evidence bound over D, where :math:`\beta` is the variance of the decoder's output. The noise depends
    on the key of the (step, example) pair alone. The embedding is the posterior mean.

    Parameters
    ----------
    n_features : int
        Input dimension D.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    latent_dim : int
        Dimension of the embedding.
    activation : str
        One of ``ACTIVATIONS``; all but "relu" are smooth.
    beta : float, default=0.1
        Weight of the divergence from the prior.
    start : PrincipalStart, optional
        Where the training starts: linear parts at probabilistic principal components (Tipping and Bishop 1999), which are the
        optimum of a linear variational autoencoder, with a perceptron added to each. Without it the start is random.
    """

    def __init__(
        self,
        n_features: int,
        *,
        hidden: Sequence[int],
        latent_dim: int,
        activation: str = "gelu",
        beta: float = 0.1,
        start: PrincipalStart | None = None,
    ) -> None:
        linear = start is not None
        super().__init__(
            dense("encoder", (n_features, *hidden, 2 * latent_dim), activation, linear=linear),
            dense("decoder", (latent_dim, *reversed(tuple(hidden)), n_features), activation, linear=linear),
            activation,
        )
        self.latent_dim = latent_dim
        self.beta = beta
        self.start = start

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage, which begins at the start if there is one."""
        return (first_stage(self.loss, self.start, self.place_linear),)

    def place_linear(self, mean: Tensor, frame: Tensor, deviations: Tensor) -> Params:
        r"""Return linear parts at probabilistic principal components.

        With standard deviations s of the fit and noise variance beta, the decoder has loadings :math:`g = \sqrt{s^2 - \beta}`,
        the posterior mean is the coordinate times :math:`g / s^2` and its variance :math:`\beta / s^2`.
        """
        variances = deviations.square()
        loadings = (variances - self.beta).maximum(SMALLEST_LOADING * variances).sqrt()
        placed = linear_maps(mean, frame * (loadings / variances).unsqueeze(1), frame * loadings.unsqueeze(1))
        spread = 0.5 * torch.log(max(self.beta, SMALLEST_NOISE) / variances)  # log sigma
        return with_log_deviations(placed, spread)

    def augment(self, inputs: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs and one standard normal vector of shape (batch, latent_dim)."""
        return inputs, normal(keys, self.latent_dim, stream=0, dtype=inputs.dtype)

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the posterior means, shape (batch, latent_dim)."""
        return self.encoder(params, inputs)[..., : self.latent_dim]

    def loss(self, params: Params, inputs: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
        """Return the weighted loss for one draw of the noise, divided by the nominal batch size."""
        x, noise = inputs
        mean, log_deviation = torch.split(self.encoder(params, x), self.latent_dim, dim=-1)
        residual = self.decoder(params, mean + torch.exp(log_deviation) * noise) - x
        divergence = mean.square() + torch.exp(2 * log_deviation) - 1 - 2 * log_deviation
        each = residual.square().sum(dim=-1) + self.beta * divergence.sum(dim=-1)
        return (each * (weights / math.prod(x.shape))).sum()


def with_log_deviations(placed: Params, spread: Tensor) -> Params:
    """Return linear parts of which the encoder gives constant logarithms of standard deviations, too, shape (latent_dim,)."""
    weight, bias = placed["encoder.linear.weight"], placed["encoder.linear.bias"]
    return placed | {
        "encoder.linear.weight": torch.cat([weight, torch.zeros_like(weight)]),
        "encoder.linear.bias": torch.cat([bias, spread]),
    }
