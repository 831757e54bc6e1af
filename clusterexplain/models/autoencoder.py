"""Autoencoders, dense and convolutional: networks trained to reproduce their input."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from clusterexplain.models.networks import ConvDecoder, ConvEncoder, ImageShape, Network, dense, smoothness_reasons
from clusterexplain.models.start import PrincipalStart, first_stage, linear_maps
from clusterexplain.models.task import DrawnT, EmbeddingTask, Params, Stage


class EncoderDecoder(EmbeddingTask[DrawnT]):
    """An encoder, whose output is the embedding, and a decoder.

    Parameters
    ----------
    encoder, decoder : Network
        Maps to and from the latent space.
    activation : str
        Activation of both, for the smoothness warning.
    """

    separable = True

    def __init__(self, encoder: Network, decoder: Network, activation: str) -> None:
        self.encoder = encoder
        self.decoder = decoder
        self.activation = activation

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw weights and biases uniformly in +-1/sqrt(fan_in), as ``torch.nn.Linear`` does."""
        drawn = self.encoder.initial(generator) | self.decoder.initial(generator)
        return {name: value.to(dtype) for name, value in drawn.items()}

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the bottleneck activations, shape (batch, latent_dim)."""
        return self.encoder(params, inputs)

    def reconstruct(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the decoded inputs, shape (batch, n_features)."""
        return self.decoder(params, self.embed(params, inputs))

    @property
    def smooth_warnings(self) -> list[str]:
        """Name the activation if it has a kink."""
        return smoothness_reasons(self.activation)


class Reconstruction(EncoderDecoder[Tensor]):
    r"""An encoder and a decoder, trained on the mean squared reconstruction error.

    The loss of example i is the mean over its D features,
    :math:`\ell_i = \frac{1}{D} \lVert x_i - \mathrm{dec}(\mathrm{enc}(x_i)) \rVert^2`.
    """

    def loss(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean squared reconstruction error, divided by the nominal batch size."""
        residual = self.reconstruct(params, inputs) - inputs
        loss: Tensor = (residual.square().sum(dim=-1) * (weights / inputs.numel())).sum()
        return loss


class Autoencoder(Reconstruction):
    """Dense autoencoder with a linear bottleneck and a mirrored decoder.

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
    start : PrincipalStart, optional
        Where the training starts. Encoder and decoder are then linear maps, which start in the principal subspace, with a
        perceptron added to each. Without it they are perceptrons that start at random.
    """

    def __init__(
        self,
        n_features: int,
        *,
        hidden: Sequence[int],
        latent_dim: int,
        activation: str = "gelu",
        start: PrincipalStart | None = None,
    ) -> None:
        widths = (n_features, *hidden, latent_dim)
        encoder, decoder = (
            dense(name, sizes, activation, linear=start is not None)
            for name, sizes in (("encoder", widths), ("decoder", tuple(reversed(widths))))
        )
        super().__init__(encoder, decoder, activation)
        self.start = start

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage, which begins at the start if there is one."""
        return (first_stage(self.loss, self.start, self.place_linear),)

    def place_linear(self, mean: Tensor, frame: Tensor, deviations: Tensor) -> Params:
        """Return linear parts that project on the principal subspace and back."""
        return linear_maps(mean, frame, frame)


class ConvAutoencoder(Reconstruction):
    """Convolutional autoencoder for small images: strided convolutions, a linear bottleneck, a mirrored decoder.

    Parameters
    ----------
    image_shape : tuple of int
        (height, width), as ``Dataset.image_shape``, or (height, width, channels).
    hidden : sequence of int
        Channels of the encoder's convolutions, each of which halves height and width; the decoder mirrors them.
    latent_dim : int
        Dimension of the embedding.
    activation : str
        One of ``ACTIVATIONS``; all but "relu" are smooth.
    """

    def __init__(
        self, image_shape: tuple[int, ...], *, hidden: Sequence[int], latent_dim: int, activation: str = "gelu"
    ) -> None:
        image, channels = ImageShape(image_shape), tuple(hidden)
        super().__init__(
            ConvEncoder("encoder", image, channels, latent_dim, activation),
            ConvDecoder("decoder", image, channels, latent_dim, activation),
            activation,
        )
