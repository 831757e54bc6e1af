"""The contract of an influence method: one product with d theta / d w."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor


class Method(Protocol):
    """Pulls cotangents on the trained parameters back to the data weights; methods differ in nothing else."""

    def pull(self, cotangents: Tensor) -> Tensor:
        """Return ``cotangents @ d theta / d w`` at the weights of the fit.

        Parameters
        ----------
        cotangents : Tensor of shape (n_cotangents, n_params)
            Derivatives of some scalars in the trained parameters, flat in the order of the recipe's layout.

        Returns
        -------
        Tensor of shape (n_cotangents, n_samples)
            The change of each scalar for one unit of weight more on each example; negate it for "if removed".
        """
