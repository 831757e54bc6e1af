"""Building blocks of the package's own models: stacks of layers as pure functions of named parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from clusterexplain.models.task import Params

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "gelu": F.gelu,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "silu": F.silu,
    "relu": torch.relu,
}
SMOOTH = frozenset(ACTIVATIONS) - {"relu"}
BRANCH_SCALE = 0.1
"""Size of a perceptron beside a linear map at the start, relative to one that stands alone."""


class Network(Protocol):
    """A map from rows to rows with named parameters."""

    def initial(self, generator: torch.Generator) -> Params:
        """Draw float64 parameters uniformly in +-1/sqrt(fan_in), as ``torch.nn`` does."""
        ...

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Map flat rows of shape (batch, n_inputs) to flat rows of shape (batch, n_outputs)."""
        ...


def smoothness_reasons(activation: str) -> list[str]:
    """Name an activation that has a kink, with what it cost where it was measured; nothing for a smooth one."""
    if activation in SMOOTH:
        return []
    return [
        f"activation={activation!r} has a kink; in the same recipe it lowered the agreement of predicted and "
        f"retrained single removals from 0.99 to 0.2. Use 'gelu', 'tanh', 'softplus' or 'silu'"
    ]


@dataclass(frozen=True)
class Dense:
    """A multilayer perceptron: linear layers with an activation between them.

    Parameters
    ----------
    name : str
        Prefix of the parameters: ``{name}.{layer}.weight`` and ``.bias``.
    widths : tuple of int
        Inputs, hidden layers, outputs.
    activation : str
        One of ``ACTIVATIONS``.
    """

    name: str
    widths: tuple[int, ...]
    activation: str

    def initial(self, generator: torch.Generator) -> Params:
        """Draw weights and biases; see :class:`Network`."""
        params: Params = {}
        for layer, (fan_in, fan_out) in enumerate(pairwise(self.widths)):
            params |= _draw(f"{self.name}.{layer}", (fan_out, fan_in), fan_out, fan_in, generator)
        return params

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Apply the layers to rows of shape (batch, widths[0])."""
        depth = len(self.widths) - 1
        for layer in range(depth):
            x = F.linear(x, params[f"{self.name}.{layer}.weight"], params[f"{self.name}.{layer}.bias"])
            if layer < depth - 1:
                x = ACTIVATIONS[self.activation](x)
        return x


@dataclass(frozen=True)
class SkipDense:
    """A linear map with a multilayer perceptron added to it.

    Parameters
    ----------
    name : str
        Prefix of the parameters: ``{name}.linear.weight`` and ``.bias``, and those of the perceptron ``{name}.branch``.
    widths : tuple of int
        Inputs, hidden layers of the perceptron, outputs; without hidden layers the map is linear.
    activation : str
        One of ``ACTIVATIONS``.
    scale : float, default=0.1
        What the initial weights of the perceptron's last layer are multiplied by.
    """

    name: str
    widths: tuple[int, ...]
    activation: str
    scale: float = BRANCH_SCALE

    @property
    def branch(self) -> Dense | None:
        """The perceptron; None without hidden layers."""
        return Dense(f"{self.name}.branch", self.widths, self.activation) if len(self.widths) > 2 else None

    def initial(self, generator: torch.Generator) -> Params:
        """Return a linear map that is zero, and draw the perceptron."""
        wide, narrow = self.widths[0], self.widths[-1]
        linear = {
            f"{self.name}.linear.weight": torch.zeros(narrow, wide, dtype=torch.float64),
            f"{self.name}.linear.bias": torch.zeros(narrow, dtype=torch.float64),
        }
        if self.branch is None:
            return linear
        drawn, last = self.branch.initial(generator), f"{self.name}.branch.{len(self.widths) - 2}"
        return linear | {name: value * self.scale if name.startswith(last) else value for name, value in drawn.items()}

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Map rows of shape (batch, widths[0])."""
        straight = F.linear(x, params[f"{self.name}.linear.weight"], params[f"{self.name}.linear.bias"])
        return straight if self.branch is None else straight + self.branch(params, x)


def dense(name: str, widths: tuple[int, ...], activation: str, *, linear: bool) -> Dense | SkipDense:
    """Return a perceptron, or one that is added to a linear map."""
    return SkipDense(name, widths, activation) if linear else Dense(name, widths, activation)


@dataclass(frozen=True)
class ImageShape:
    """How a flat row is an image: (height, width), as ``Dataset.image_shape``, or (height, width, channels).

    Parameters
    ----------
    shape : tuple of int
        Two or three sizes.
    """

    shape: tuple[int, ...]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[2] if len(self.shape) == 3 else 1

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.shape[0], self.shape[1]

    def to_image(self, rows: Tensor) -> Tensor:
        """Return rows as images of shape (batch, channels, height, width)."""
        return rows.reshape(-1, *self.size, self.channels).permute(0, 3, 1, 2)

    def to_rows(self, images: Tensor) -> Tensor:
        """Return images as flat rows."""
        return images.permute(0, 2, 3, 1).reshape(images.shape[0], -1)

    def halved(self, times: int) -> tuple[int, int]:
        """Return height and width after that many convolutions of stride 2."""
        height, width = self.size
        for _ in range(times):
            height, width = math.ceil(height / 2), math.ceil(width / 2)
        return height, width


@dataclass(frozen=True)
class ConvEncoder:
    """Convolutions of kernel 3 and stride 2 with an activation after each, then a linear layer.

    Strides halve the image instead of max-pooling, which has kinks.

    Parameters
    ----------
    name : str
        Prefix of the parameters.
    image : ImageShape
        How the rows are images.
    channels : tuple of int
        Output channels of each convolution.
    n_outputs : int
        Outputs of the linear layer.
    activation : str
        One of ``ACTIVATIONS``.
    """

    name: str
    image: ImageShape
    channels: tuple[int, ...]
    n_outputs: int
    activation: str

    def initial(self, generator: torch.Generator) -> Params:
        """Draw weights and biases; see :class:`Network`."""
        params: Params = {}
        for layer, (inner, outer) in enumerate(pairwise((self.image.channels, *self.channels))):
            params |= _draw(f"{self.name}.{layer}", (outer, inner, 3, 3), outer, 9 * inner, generator)
        flat = self.channels[-1] * math.prod(self.image.halved(len(self.channels)))
        return params | _draw(
            f"{self.name}.{len(self.channels)}", (self.n_outputs, flat), self.n_outputs, flat, generator
        )

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Map flat images to (batch, n_outputs)."""
        x = self.image.to_image(x)
        for layer in range(len(self.channels)):
            weight, bias = params[f"{self.name}.{layer}.weight"], params[f"{self.name}.{layer}.bias"]
            x = ACTIVATIONS[self.activation](F.conv2d(x, weight, bias, stride=2, padding=1))
        last = f"{self.name}.{len(self.channels)}"
        return F.linear(x.flatten(1), params[f"{last}.weight"], params[f"{last}.bias"])


@dataclass(frozen=True)
class ConvDecoder:
    """The mirror of :class:`ConvEncoder`: a linear layer, then convolutions that double height and width.

    A doubling is a convolution to four times the channels whose outputs are the four pixels of each place (sub-pixel
    convolution, Shi et al. 2016): the same reach as a transposed convolution of stride 2, in a faster kernel.

    Parameters
    ----------
    name : str
        Prefix of the parameters.
    image : ImageShape
        How the rows are images.
    channels : tuple of int
        Channels of the encoder, which are walked backwards.
    n_inputs : int
        Inputs of the linear layer.
    activation : str
        One of ``ACTIVATIONS``.
    """

    name: str
    image: ImageShape
    channels: tuple[int, ...]
    n_inputs: int
    activation: str

    def initial(self, generator: torch.Generator) -> Params:
        """Draw weights and biases; see :class:`Network`."""
        flat = self.channels[-1] * math.prod(self.image.halved(len(self.channels)))
        params = _draw(f"{self.name}.0", (flat, self.n_inputs), flat, self.n_inputs, generator)
        for layer, (inner, outer) in enumerate(pairwise((*reversed(self.channels), self.image.channels)), start=1):
            params |= _draw(f"{self.name}.{layer}", (4 * outer, inner, 3, 3), 4 * outer, 9 * inner, generator)
        return params

    def __call__(self, params: Params, x: Tensor) -> Tensor:
        """Map (batch, n_inputs) to flat images."""
        depth, activation = len(self.channels), ACTIVATIONS[self.activation]
        x = F.linear(x, params[f"{self.name}.0.weight"], params[f"{self.name}.0.bias"])
        x = x.reshape(-1, self.channels[-1], *self.image.halved(depth))
        for layer in range(1, depth + 1):
            weight, bias = params[f"{self.name}.{layer}.weight"], params[f"{self.name}.{layer}.bias"]
            height, width = self.image.halved(depth - layer)
            doubled = F.pixel_shuffle(F.conv2d(activation(x), weight, bias, padding=1), 2)
            x = doubled[..., :height, :width]  # an odd size was rounded up by the encoder
        return self.image.to_rows(x)


def _draw(name: str, shape: tuple[int, ...], n_bias: int, fan_in: int, generator: torch.Generator) -> Params:
    bound = 1 / math.sqrt(fan_in)
    draws = {"weight": shape, "bias": (n_bias,)}
    return {
        f"{name}.{kind}": (2 * torch.rand(size, generator=generator, dtype=torch.float64) - 1) * bound
        for kind, size in draws.items()
    }
