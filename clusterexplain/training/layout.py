"""Where each named parameter lives in the flat vector that optimizers and reverse passes work on.

One flat vector instead of a dict makes an optimizer step a handful of kernels instead of a handful for each tensor;
models still see a dict of tensors. Throughout, ``theta`` is the flat vector and ``params`` the dict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Names and shapes of the parameters, in storage order.

    Parameters
    ----------
    shapes : tuple of (str, tuple of int)
        One entry for each parameter.

    Examples
    --------
    >>> layout = Layout.of({"weight": torch.zeros(2, 3), "bias": torch.zeros(2)})
    >>> layout.size
    8
    >>> layout.split(torch.arange(8.0))["bias"]
    tensor([6., 7.])
    """

    shapes: tuple[tuple[str, tuple[int, ...]], ...]

    @classmethod
    def of(cls, params: dict[str, Tensor]) -> Layout:
        """Read the layout off a dict of parameters."""
        return cls(tuple((name, tuple(value.shape)) for name, value in params.items()))

    @property
    def size(self) -> int:
        """Total number of parameters."""
        return sum(math.prod(shape) for _, shape in self.shapes)

    def split(self, theta: Tensor) -> dict[str, Tensor]:
        """Return views of a flat ``theta[..., size]``, or of a vector along it, as named tensors of shape ``(..., *shape)``."""
        params, start = {}, 0
        for name, shape in self.shapes:
            length = math.prod(shape)
            params[name] = theta.narrow(-1, start, length).reshape((*theta.shape[:-1], *shape))
            start += length
        return params

    def join(self, params: dict[str, Tensor]) -> Tensor:
        """Concatenate unbatched named tensors into one flat vector; a model without parameters has an empty one."""
        if not self.shapes:
            return torch.zeros(0)
        return torch.cat([params[name].reshape(-1) for name, _ in self.shapes])
