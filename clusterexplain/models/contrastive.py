"""Contrastive training with NT-Xent, weighted so that weight 0 is exactly absence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from clusterexplain.models.counter_rng import splitmix
from clusterexplain.models.networks import Network, smoothness_reasons
from clusterexplain.models.start import PrincipalStart, first_stage
from clusterexplain.models.task import EmbeddingTask, Params, Stage

Augmentation = Callable[[Tensor, Tensor], Tensor]


def on_sphere(x: Tensor) -> Tensor:
    """Return rows divided by their length; the tiny constant keeps a zero row finite."""
    return x * torch.rsqrt(x.square().sum(dim=-1, keepdim=True) + 1e-12)


def nt_xent(first: Tensor, second: Tensor, weights: Tensor, temperature: float) -> Tensor:
    r"""Return the weighted normalised-temperature cross entropy of two views of a batch.

    For a view u of example :math:`i(u)`, its other view :math:`u^+` and cosine similarities :math:`c`,

    .. math::
        L = \frac{1}{2B} \sum_u w_{i(u)} \left[ -\frac{c_{u u^+}}{\tau}
        + \log \sum_{v \ne u} w_{i(v)} \exp \frac{c_{uv}}{\tau} \right].

    An example's weight multiplies its own terms and its part in everybody's denominator, so weight 0 is exactly "i was
    never there"; with all weights 1 it is the loss of SimCLR (Chen et al. 2020).

    Parameters
    ----------
    first, second : Tensor of shape (batch, dim)
        Two views of each example, not yet normalised.
    weights : Tensor of shape (batch,)
        Data weights.
    temperature : float
        The factor tau.

    Returns
    -------
    Tensor of shape ()
        The loss; the normaliser is the nominal number of views.
    """
    views = on_sphere(torch.cat([first, second]))
    n = views.shape[0]
    similarity = views @ views.T / temperature
    both = torch.cat([weights, weights])
    others = 1 - torch.eye(n, dtype=views.dtype)
    # A cosine is at most 1, so subtracting 1 / temperature keeps every exponential below 1 without looking at values.
    total = (torch.exp(similarity - 1 / temperature) * (others * both)).sum(dim=1)
    positive = torch.cat([(views[: n // 2] * views[n // 2 :]).sum(dim=-1)] * 2) / temperature
    each = torch.log(total + torch.finfo(views.dtype).tiny) + 1 / temperature - positive
    return (each * (both / n)).sum()


class Contrastive(EmbeddingTask[tuple[Tensor, Tensor]]):
    """An encoder and a projector, trained to recognise two random views of the same example among all others.

    The embedding lies on the unit sphere, where the loss measures similarity, so k-means clusters by cosine.

    Parameters
    ----------
    encoder, projector : Network
        Maps to the latent space and from there to the space in which views are compared.
    augmentation : callable
        ``(inputs, keys) -> inputs``: one random view of each row, a function of its key alone.
    activation : str
        Activation of both networks, for the smoothness warning.
    temperature : float, default=1.0
        Of the softmax over candidates; below 0.02 exponentials leave the range of float32. 0.5 gave slightly purer
        clusters of digits, 1.0 predictions that hold for larger groups.
    embedding : {"encoder", "projector"}, default="encoder"
        What is clustered and explained. The encoder's output keeps what the projector throws away to be invariant (Chen et
        al. 2020) and is what users of contrastive models cluster; the projector's output is what the loss shapes.
    start : PrincipalStart, optional
        Where the training starts: the encoder is then a linear map, which starts at the principal subspace of the rows as they
        are, with a perceptron added to it. Without it the start is random.
    """

    separable = False

    def __init__(
        self,
        encoder: Network,
        projector: Network,
        augmentation: Augmentation,
        activation: str,
        *,
        temperature: float = 1.0,
        embedding: str = "encoder",
        start: PrincipalStart | None = None,
    ) -> None:
        self.encoder = encoder
        self.projector = projector
        self.augmentation = augmentation
        self.activation = activation
        self.temperature = temperature
        self.embedding = embedding
        self.start = start

    def stages(self) -> tuple[Stage, ...]:
        """Return one stage, which begins at the start if there is one."""
        return (first_stage(self.loss, self.start, self.place_linear),)

    def place_linear(self, mean: Tensor, frame: Tensor, deviations: Tensor) -> Params:
        """Return the linear part of the encoder at the principal subspace."""
        return {"encoder.linear.weight": frame, "encoder.linear.bias": -(frame @ mean)}

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw weights and biases uniformly in +-1/sqrt(fan_in)."""
        drawn = self.encoder.initial(generator) | self.projector.initial(generator)
        return {name: value.to(dtype) for name, value in drawn.items()}

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return unit vectors of shape (batch, latent_dim)."""
        latent = self.encoder(params, inputs)
        return on_sphere(self.projector(params, latent) if self.embedding == "projector" else latent)

    def augment(self, inputs: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
        """Return two views of each row, drawn from two keys that are derived from the example's key."""
        hashed = torch.from_numpy((splitmix(keys.numpy().astype("uint64")) >> 1).astype("int64"))
        return self.augmentation(inputs, keys), self.augmentation(inputs, hashed)

    def loss(self, params: Params, inputs: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
        """Return :func:`nt_xent` of the projected views."""
        projected = self.projector(params, self.encoder(params, torch.cat(inputs)))
        first, second = projected.chunk(2)
        return nt_xent(first, second, weights, self.temperature)

    @property
    def smooth_warnings(self) -> list[str]:
        """Name the activation if it has a kink."""
        return smoothness_reasons(self.activation)
