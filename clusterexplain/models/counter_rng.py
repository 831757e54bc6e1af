"""Random numbers as a function of keys: what a key draws does not depend on who else is in the batch."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import ndtri
from torch import Tensor

_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(c) for c in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))


def splitmix(state: np.ndarray) -> np.ndarray:
    """Return the splitmix64 hash of unsigned 64-bit numbers, element by element (Steele, Lea and Flood 2014)."""
    with np.errstate(over="ignore"):
        state = state + _GOLDEN
        state = (state ^ (state >> np.uint64(30))) * _MIX_1
        state = (state ^ (state >> np.uint64(27))) * _MIX_2
        mixed: np.ndarray = state ^ (state >> np.uint64(31))
        return mixed


def uniform(keys: Tensor, n: int, *, stream: int, dtype: torch.dtype) -> Tensor:
    """Draw uniform numbers.

    Parameters
    ----------
    keys : Tensor of shape (batch,), int64
        One key for each example.
    n : int
        How many numbers for each key.
    stream : int
        Numbers of different streams are independent.
    dtype : torch.dtype
        Floating point type.

    Returns
    -------
    Tensor of shape (batch, n)
        In the open interval (0, 1).

    Examples
    --------
    >>> both = uniform(torch.tensor([7, 8]), 3, stream=0, dtype=torch.float64)
    >>> bool((uniform(torch.tensor([8]), 3, stream=0, dtype=torch.float64) == both[1]).all())
    True
    """
    return torch.from_numpy(_uniform(keys, n, stream)).to(dtype).clamp(max=1 - torch.finfo(dtype).eps / 2)


def normal(keys: Tensor, n: int, *, stream: int, dtype: torch.dtype) -> Tensor:
    """Draw standard normal numbers of shape (batch, n); see :func:`uniform`."""
    return torch.from_numpy(ndtri(_uniform(keys, n, stream))).to(dtype)


def _uniform(keys: Tensor, n: int, stream: int) -> np.ndarray:
    start = splitmix(keys.numpy().astype(np.uint64) ^ splitmix(np.array([stream], dtype=np.uint64)))
    with np.errstate(over="ignore"):
        counters = start[:, np.newaxis] + np.arange(n, dtype=np.uint64) * _GOLDEN
    return ((splitmix(counters) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52
