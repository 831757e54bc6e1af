"""Small classifiers, many at once: losses and gradients written out, so that a step costs few passes over memory."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805

Activation = tuple[Callable[[Tensor], Tensor], Callable[[Tensor, Tensor, Tensor], Tensor]]


def _selu(values: Tensor) -> Tensor:
    """Return ``torch.selu``, a third of its time: the exponential is vectorised where its difference from 1 is not."""
    negative = values.clamp_max(0).exp_().sub_(1).mul_(SELU_SCALE * SELU_ALPHA)
    return negative.add_(values.clamp_min(0), alpha=SELU_SCALE)


def _selu_vjp(cotangent: Tensor, before: Tensor, after: Tensor) -> Tensor:
    on_before: Tensor = torch.ops.aten.elu_backward(cotangent, SELU_ALPHA, SELU_SCALE, 1.0, True, after)
    return on_before


def _tanh_vjp(cotangent: Tensor, before: Tensor, after: Tensor) -> Tensor:
    on_before: Tensor = torch.ops.aten.tanh_backward(cotangent, after)
    return on_before


def _relu_vjp(cotangent: Tensor, before: Tensor, after: Tensor) -> Tensor:
    on_before: Tensor = torch.ops.aten.threshold_backward(cotangent, after, 0)
    return on_before


def _gelu_vjp(cotangent: Tensor, before: Tensor, after: Tensor) -> Tensor:
    on_before: Tensor = torch.ops.aten.gelu_backward(cotangent, before)
    return on_before


ACTIVATIONS: dict[str, Activation] = {
    "selu": (_selu, _selu_vjp),
    "tanh": (torch.tanh, _tanh_vjp),
    "relu": (torch.relu, _relu_vjp),
    "gelu": (torch.nn.functional.gelu, _gelu_vjp),
}


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron whose parameters are one flat vector: weights and bias of each layer in turn.

    Parameters
    ----------
    sizes : tuple of int
        Inputs, hidden units of each layer, classes.
    activation : {"selu", "tanh", "relu", "gelu"}
        Between layers.

    Examples
    --------
    >>> Network((4, 5, 3), "selu").n_params
    43
    """

    sizes: tuple[int, ...]
    activation: str

    def __post_init__(self) -> None:
        """Refuse an unknown activation."""
        if self.activation not in ACTIVATIONS:
            raise InvalidParameterError(
                f"activation={self.activation!r} is unknown. Expected one of {', '.join(map(repr, ACTIVATIONS))}."
            )

    @cached_property
    def _shapes(self) -> list[tuple[int, int]]:
        return [(after, before) for before, after in zip(self.sizes[:-1], self.sizes[1:], strict=True)]

    @property
    def n_params(self) -> int:
        """Length of the flat vector."""
        return sum(after * (before + 1) for after, before in self._shapes)

    @property
    def last(self) -> slice:
        """Where the weights of the last layer, without its bias, lie in the flat vector."""
        after, before = self._shapes[-1]
        return slice(self.n_params - after * (before + 1), self.n_params - after)

    @property
    def last_layer(self) -> slice:
        """Where weights and bias of the last layer lie in the flat vector."""
        return slice(self.last.start, self.n_params)

    def initial(self, seeds: range) -> Tensor:
        """Draw parameters as ``torch.nn.Linear`` does: uniform within 1 / sqrt(inputs) of zero.

        Parameters
        ----------
        seeds : range
            One network for each.

        Returns
        -------
        Tensor of shape (n_seeds, n_params), float32
            The start of each; it depends on its own seed alone.
        """
        rows = []
        for seed in seeds:
            generator = torch.Generator().manual_seed(seed)
            parts = [
                (2 * torch.rand(after * (before + 1), generator=generator) - 1) / math.sqrt(before)
                for after, before in self._shapes
            ]
            rows.append(torch.cat(parts))
        return torch.stack(rows)

    def layers(self, theta: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Return weights (..., after, before) and bias (..., after, 1) of each layer as views of (..., n_params)."""
        parts, start, lead = [], 0, theta.shape[:-1]
        for after, before in self._shapes:
            stop = start + after * before
            weight = theta[..., start:stop].view(*lead, after, before)
            parts.append((weight, theta[..., stop : stop + after].unsqueeze(-1)))
            start = stop + after
        return parts

    def hidden(self, theta: Tensor, inputs: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """Return what every layer but the last computes, before and after its activation.

        Parameters
        ----------
        theta : Tensor of shape (n_retrainings, n_params)
            Parameters.
        inputs : Tensor of shape (n_inputs, n_rows)
            One column for each example.

        Returns
        -------
        before, after : list of Tensor of shape (n_retrainings, n_units, n_rows)
            One for each hidden layer.
        """
        act, _ = ACTIVATIONS[self.activation]
        before: list[Tensor] = []
        after: list[Tensor] = []
        for number, (weight, bias) in enumerate(self.layers(theta)[:-1]):
            if number:
                value = torch.baddbmm(bias, weight, after[-1])  # W h + b, (n_retrainings, n_units, n_rows)
            else:
                # All networks see the same inputs: one large product instead of a batch of small ones.
                flat = weight.reshape(-1, weight.shape[-1]) @ inputs  # (n_retrainings * n_units, n_rows)
                value = flat.view(*weight.shape[:2], -1) + bias
            before.append(value)
            after.append(act(value))
        return before, after

    def logits(self, theta: Tensor, inputs: Tensor) -> Tensor:
        """Return logits of shape (n_retrainings, n_classes, n_rows); arguments as :meth:`hidden`."""
        _, after = self.hidden(theta, inputs)
        weight, bias = self.layers(theta)[-1]
        return torch.baddbmm(bias, weight, after[-1])

    def losses(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the cross-entropy of every example.

        Parameters
        ----------
        theta : Tensor of shape (n_retrainings, n_params)
            Parameters.
        inputs : Tensor of shape (n_inputs, n_rows)
            One column for each example.
        targets : Tensor of shape (n_classes, n_rows)
            1 for the class of each example, else 0.

        Returns
        -------
        Tensor of shape (n_retrainings, n_rows)
            Losses.
        """
        return -(torch.log_softmax(self.logits(theta, inputs), dim=1) * targets).sum(dim=1)

    def gradient(self, theta: Tensor, inputs: Tensor, targets: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses, and the gradient of their weighted sum, for every training.

        Parameters
        ----------
        theta : Tensor of shape (n_retrainings, n_params)
            Parameters.
        inputs, targets : Tensor of shape (n_inputs, n_rows) and (n_classes, n_rows)
            Examples, see :meth:`losses`.
        weights : Tensor of shape (n_retrainings, n_rows)
            Weight of each example; the loss is the weighted sum, so a mean has weights 1 / n.

        Returns
        -------
        losses : Tensor of shape (n_retrainings, n_rows)
            Of every example, unweighted.
        gradient : Tensor of shape (n_retrainings, n_params)
            Of the weighted sum, in the parameters.
        """
        losses, deltas, reached = self._backward(theta, inputs, targets, weights)
        parts: list[Tensor] = []
        for number, (delta, after) in enumerate(zip(deltas, reached, strict=True)):
            if number:
                on_weight = torch.bmm(delta, after.transpose(1, 2)).flatten(
                    1
                )  # delta h^T, (n_retrainings, after * before)
            else:
                on_weight = (delta.reshape(-1, delta.shape[-1]) @ inputs.T).view(len(theta), -1)
            parts += [on_weight, delta.sum(dim=2)]  # the bias sees every example alike
        return losses, torch.cat(parts, dim=1)

    def gradients(self, theta: Tensor, inputs: Tensor, targets: Tensor) -> Tensor:
        """Return the gradient of every loss, of shape (n_rows, n_params), at parameters of shape (1, n_params)."""
        _, deltas, reached = self._backward(theta, inputs, targets, inputs.new_ones(1, inputs.shape[1]))
        parts: list[Tensor] = []
        for delta, after in zip(deltas, reached, strict=True):
            rows = delta[0].T  # (n_rows, after)
            parts += [
                (rows.unsqueeze(2) * after[-1].T.unsqueeze(1)).flatten(1),
                rows,
            ]  # delta_i h_i^T for each example i
        return torch.cat(parts, dim=1)

    def _backward(
        self, theta: Tensor, inputs: Tensor, targets: Tensor, weights: Tensor
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """Return the losses, and for each layer the derivatives in what it computes and what reaches it.

        Returns
        -------
        losses : Tensor of shape (n_retrainings, n_rows)
            Unweighted.
        deltas : list of Tensor of shape (n_retrainings, n_units, n_rows)
            Derivative of the weighted loss in what each layer computes before its activation, first layer first.
        reached : list of Tensor of shape (n_retrainings, n_units_before, n_rows)
            What reaches each layer; the first tensor, the inputs, has shape (1, n_inputs, n_rows).
        """
        _, activation_vjp = ACTIVATIONS[self.activation]
        before, after = self.hidden(theta, inputs)
        layers = self.layers(theta)
        logs = torch.log_softmax(torch.baddbmm(layers[-1][1], layers[-1][0], after[-1]), dim=1)
        delta = (logs.exp() - targets) * weights.unsqueeze(1)  # softmax minus target: derivative in the logits
        deltas = [delta]
        for number in reversed(range(1, len(layers))):
            weight = layers[number][0]
            # delta of the layer before: W^T delta, times the slope of the activation
            delta = activation_vjp(torch.bmm(weight.transpose(1, 2), delta), before[number - 1], after[number - 1])
            deltas.append(delta)
        return -(logs * targets).sum(dim=1), deltas[::-1], [inputs.unsqueeze(0), *after]
