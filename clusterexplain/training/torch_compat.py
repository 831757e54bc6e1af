"""What the package uses of torch beyond its documented interface, in one place."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.func import jvp as _torch_jvp


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
    _load_forward_mode()
    value, slope = _torch_jvp(function, (point,), (direction,))[:2]
    return value, slope


@cache
def _load_forward_mode() -> None:
    """Use forward mode once: the first use in a process makes torch warn of its own use of torch.jit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        _torch_jvp(torch.square, (torch.ones(()),), (torch.ones(()),))
