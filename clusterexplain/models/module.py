"""Any ``torch.nn.Module`` as a task."""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy

from clusterexplain.exceptions import InvalidTaskError
from clusterexplain.models.target_columns import TargetColumns
from clusterexplain.models.task import Drawn, EmbeddingTask, FittedNet, Params

KINKS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.SELU,
    nn.Softshrink,
    nn.Hardshrink,
    nn.Threshold,
    nn.Hardtanh,
    nn.Hardswish,
    nn.Hardsigmoid,
    nn.MaxPool1d,
    nn.MaxPool2d,
    nn.MaxPool3d,
    nn.AdaptiveMaxPool1d,
    nn.AdaptiveMaxPool2d,
)
_NET = "net."


class _Caller(nn.Module):
    """Calls a function with a module whose parameters ``functional_call`` has exchanged."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, function: Callable[..., Tensor], *args: Drawn) -> Tensor:
        return function(self.net, *args)


class _Pair(nn.Module):
    def __init__(self, encoder: nn.Module, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = decoder


class ModuleTask(EmbeddingTask[Drawn]):
    """A task made of a user's modules; built by :meth:`EmbeddingTask.from_module`, which documents the parameters."""

    pretrained = True

    def __init__(
        self,
        encoder: nn.Module | FittedNet,
        *,
        decoder: nn.Module | FittedNet | None,
        embed: Callable[[Any, Tensor], Tensor] | None,
        example_loss: Callable[..., Tensor] | None,
        loss: Callable[..., Tensor] | None,
        augment: Callable[[Tensor, Tensor], Drawn] | None,
        input_shape: tuple[int, ...] | None,
    ) -> None:
        net = _as_module(encoder, "encoder")
        if decoder is not None:
            net = _Pair(net, _as_module(decoder, "decoder"))
        if decoder is None and loss is None and example_loss is None:
            raise InvalidTaskError(
                "The task has nothing to train on. Expected decoder= (trained to reconstruct), example_loss= (one value for "
                "each example) or loss= (a weighted scalar)."
            )
        if loss is not None and example_loss is not None:
            raise InvalidTaskError("Both loss and example_loss are given. Expected one of them.")
        _check_initialized(net)
        try:
            net = copy.deepcopy(net)
        except RuntimeError as error:
            raise InvalidTaskError(
                f"The module cannot be copied: {error}. Expected parameters that are leaves; use "
                f"torch.nn.utils.parametrizations instead of weight_norm with hooks."
            ) from error
        for module in net.modules():
            if vars(module).get("inplace") is True:
                vars(module)["inplace"] = False  # the same values, without overwriting what a derivative needs
        self._caller = _Caller(net)
        self._embed: Callable[..., Tensor] = (
            embed if embed is not None else _encode_of_pair if decoder is not None else _encode
        )
        self._example_loss = _reconstruction_error if loss is None and example_loss is None else example_loss
        self._loss = loss
        self._augment = augment
        self._input_shape = input_shape
        parameters = dict(self._caller.named_parameters())
        for name, value in parameters.items():
            if value.requires_grad and not value.is_floating_point():
                raise InvalidTaskError(
                    f"The parameter {name.removeprefix(_NET)} is of type {value.dtype}. Expected real floating point "
                    f"parameters; keep real and imaginary parts apart."
                )
        # What is trainable and what is constant is settled here: neither changes with the module afterwards.
        self._trainable = {name: value.detach().clone() for name, value in parameters.items() if value.requires_grad}
        frozen = {name: value for name, value in parameters.items() if not value.requires_grad}
        self._frozen = {
            name: value.detach().clone() for name, value in {**frozen, **dict(self._caller.named_buffers())}.items()
        }
        self._constants: dict[torch.dtype, Params] = {}
        self.separable = loss is None
        self.takes_targets = _takes(example_loss, 3) or _takes(loss, 4)
        self._columns: TargetColumns | None = None

    @property
    def net(self) -> nn.Module:
        """The task's own copy of the modules."""
        return self._caller.net

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Return the module's present weights, those that require a gradient; the generator is not used."""
        if not self._trainable:
            raise InvalidTaskError(
                "No parameter of the module requires a gradient, so there is nothing to train. Expected "
                "module.requires_grad_(True) for the layers that are to be trained."
            )
        return {name.removeprefix(_NET): value.to(dtype, copy=True) for name, value in self._trainable.items()}

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        """Return the embeddings, shape (batch, dim)."""
        return self._call(params, self._embed, self._shaped(self._features(inputs)))

    def with_targets(self, columns: TargetColumns) -> ModuleTask:
        """Return the task for rows that have their targets as further columns; see :meth:`EmbeddingTask.with_targets`."""
        if not self.takes_targets:
            super().with_targets(columns)  # raises
        bound = copy.copy(self)  # the same module and functions
        bound._columns = columns
        return bound

    def finds_targets(self, inputs: Tensor) -> bool:
        """Whether rows have their targets as further columns; see :meth:`EmbeddingTask.finds_targets`."""
        columns = self._columns
        return columns is not None and inputs.shape[1] == columns.n_features + columns.size

    def augment(self, inputs: Tensor, keys: Tensor) -> Drawn:
        """Apply the user's augmentation, if there is one; the targets of the rows are appended as they are."""
        features = self._features(inputs)
        drawn = features if self._augment is None else self._augment(features, keys)
        if self._columns is None:
            return drawn
        return (*(drawn if isinstance(drawn, tuple) else (drawn,)), self._columns.targets(inputs))

    def loss(self, params: Params, inputs: Drawn, weights: Tensor) -> Tensor:
        """Return the weighted loss of a batch, divided by the nominal batch size."""
        targets: tuple[Tensor, ...] = ()
        if self._columns is not None:
            *drawn, last = inputs
            inputs, targets = drawn[0] if len(drawn) == 1 else tuple(drawn), (self._columns.restored(last),)
        shaped = tuple(map(self._shaped, inputs)) if isinstance(inputs, tuple) else self._shaped(inputs)
        if self._example_loss is None:
            assert self._loss is not None
            return self._call(params, self._loss, shaped, *targets, weights)
        each = self._call(params, self._example_loss, shaped, *targets)
        if not isinstance(each, Tensor) or each.shape != weights.shape:
            found = f"shape {tuple(each.shape)}" if isinstance(each, Tensor) else f"a {type(each).__name__}"
            raise InvalidTaskError(
                f"example_loss returned {found} for a batch of {len(weights)}. Expected one value for each example, shape "
                f"({len(weights)},): average over features, not over the batch (reduction='none')."
            )
        return (each * (weights / weights.shape[0])).sum()

    @property
    def smooth_warnings(self) -> list[str]:
        """Name the layers that have kinks."""
        found = sorted({type(module).__name__ for module in self.net.modules() if isinstance(module, KINKS)})
        if not found:
            return []
        return [
            f"the network has layers with kinks ({', '.join(found)}); with ReLU instead of GELU the agreement of predicted and "
            f"retrained single removals fell from 0.99 to 0.2 when trained from scratch. Use GELU, tanh, SiLU or softplus, "
            f"and strides instead of max-pooling"
        ]

    def _features(self, inputs: Tensor) -> Tensor:
        """Return rows without their targets."""
        return inputs if self._columns is None else self._columns.rows(inputs)

    def _shaped(self, inputs: Tensor) -> Tensor:
        if self._input_shape is None or inputs[0].numel() != math.prod(self._input_shape):
            return inputs  # a part of an augmentation that is no row: noise, a mask
        return inputs.reshape(-1, *self._input_shape)

    def _call(self, params: Params, function: Callable[..., Tensor], *args: Drawn) -> Tensor:
        values = {f"{_NET}{name}": value for name, value in params.items()}
        dtype = next(iter(params.values())).dtype
        with sdpa_kernel(SDPBackend.MATH):  # the fused attention kernels have no second derivative
            found: Tensor = functional_call(self._caller, self._constant_values(dtype) | values, (function, *args))
            return found

    def _constant_values(self, dtype: torch.dtype) -> Params:
        """Buffers and frozen parameters in the training's type: what a function of the parameters may not change."""
        if dtype not in self._constants:
            self._constants[dtype] = {
                name: value.to(dtype) if value.is_floating_point() else value for name, value in self._frozen.items()
            }
        return self._constants[dtype]


def _takes(function: Callable[..., Tensor] | None, n_arguments: int) -> bool:
    """Whether a function can only be called with so many arguments: the last of them is not optional."""
    if function is None:
        return False
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in another language
        return False
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [one for one in parameters if one.kind in positional and one.default is inspect.Parameter.empty]
    return len(needed) == n_arguments


def _as_module(given: object, role: str) -> nn.Module:
    inner = getattr(given, "module_", given)  # a fitted skorch net keeps its module there
    if not isinstance(inner, nn.Module):
        raise InvalidTaskError(
            f"{role} is a {type(given).__name__}. Expected a torch.nn.Module, or a fitted skorch net, which has one in module_."
        )
    return inner


def _check_initialized(net: nn.Module) -> None:
    for name, module in net.named_modules():
        values = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
        if any(is_lazy(value) for value in values):
            where = f"{name} ({type(module).__name__})" if name else type(module).__name__
            raise InvalidTaskError(
                f"{where} has no weights yet: a lazy layer learns its shape from the first batch. Expected a network that has "
                f"seen one; call net(rows[:2]) before the task is made."
            )


def _encode(net: nn.Module, inputs: Tensor) -> Tensor:
    embeddings: Tensor = net(inputs)
    return embeddings


def _encode_of_pair(net: _Pair, inputs: Tensor) -> Tensor:
    embeddings: Tensor = net.encoder(inputs)
    return embeddings


def _reconstruction_error(net: _Pair, inputs: Drawn) -> Tensor:
    target, seen = (inputs[0], inputs[-1]) if isinstance(inputs, tuple) else (inputs, inputs)  # (clean, noisy)
    found: Tensor = net.decoder(net.encoder(seen))
    if found.numel() != target.numel():
        raise InvalidTaskError(
            f"The decoder returned shape {tuple(found.shape)} for inputs of shape {tuple(target.shape)}. Expected as many "
            f"numbers as the encoder got; or give example_loss= or loss=."
        )
    return (found.flatten(1) - target.flatten(1)).square().mean(dim=1)
