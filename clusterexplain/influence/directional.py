"""The forward derivative of a function along a direction."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.func import jvp


def along(function: Callable[[Tensor], Tensor], point: Tensor, direction: Tensor) -> tuple[Tensor, Tensor]:
    """Return the value of a function of one tensor and its derivative along a direction.

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
    >>> along(torch.square, torch.tensor(3.0), torch.tensor(1.0))
    (tensor(9.), tensor(6.))
    """
    _load()
    value, slope = jvp(function, (point,), (direction,))[:2]
    return value, slope


@cache
def _load() -> None:
    """Use forward mode once: the first use in a process makes torch warn of its own use of torch.jit."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        jvp(torch.square, (torch.ones(()),), (torch.ones(()),))
