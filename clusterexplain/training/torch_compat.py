"""What the package uses of torch beyond its documented interface, in one place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache

import torch
from torch import Tensor, fx, nn
from torch._functorch.compile_utils import fx_graph_cse
from torch.func import jvp as _torch_jvp
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves, tree_map

__all__ = [
    "BatchNorm",
    "Dropout",
    "code_of_nested",
    "fx_graph_cse",
    "has_mutable_schema",
    "jvp",
    "load_forward_mode",
    "make_fx",
    "one_fake_mode",
    "tree_leaves",
    "tree_map",
]

torch._C._functorch._set_vmap_fallback_warning_enabled(False)  # type: ignore[attr-defined]
"""Where a kernel has no batched form, torch loops over it and writes lines about it to the terminal; the result is the same."""

Dropout = nn.modules.dropout._DropoutNd
"""Base class of all dropout layers."""
BatchNorm = nn.modules.batchnorm._BatchNorm
"""Base class of all batch normalisations."""


def has_mutable_schema(operation: object) -> bool:
    """Whether an operation of a graph writes into one of its arguments."""
    schema = getattr(operation, "_schema", None)
    return schema is not None and bool(schema.is_mutable)


def code_of_nested(graph: fx.Graph, original: fx.Graph) -> None:
    """Let a graph take nested arguments and return nested results as the original does."""
    graph._codegen = original._codegen


def jvp(function: Callable[[Tensor], Tensor], point: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Return the value of a function of one tensor and its derivative along a direction, by forward mode.

    Parameters
    ----------
    function : callable
        ``Tensor -> Tensor``.
    point : Tensor
        Where it is differentiated.
    direction : Tensor
        Of the shape of `point`.

    Returns
    -------
    value, slope : Tensor
        Both of the shape that the function returns.

    Examples
    --------
    >>> jvp(torch.square, torch.tensor(3.0), torch.tensor(1.0))
    (tensor(9.), tensor(6.))
    """
    load_forward_mode()
    value, slope = _torch_jvp(function, (point,), (direction,))[:2]
    return value, slope


def one_fake_mode() -> AbstractContextManager[object]:
    """Let ``make_fx`` describe all tensors of a graph in one mode: with one for each node it takes twice as long."""
    try:
        from torch._guards import TracingContext, tracing
        from torch._subclasses.fake_tensor import FakeTensorMode
    except ImportError:  # a torch that keeps them elsewhere: slower, and the same
        return nullcontext()
    return tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True)))


@cache
def load_forward_mode() -> None:
    """Use forward mode once: the first use in a process makes torch warn of its own use of torch.jit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _torch_jvp(torch.square, (torch.ones(()),), (torch.ones(()),))
