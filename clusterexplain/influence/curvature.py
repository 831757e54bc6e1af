"""Curvature matrices as products: what a small step of the parameters does to the gradient of an objective.

All products take right factors as rows: ``times(vectors)`` of shape (k, size) returns ``vectors @ C.T``, and every C here
is symmetric.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.training.torch_compat import jvp

CHUNK = 16
"""Vectors that are multiplied side by side."""


class Curvature(ABC):
    """A symmetric matrix that is known by its products with vectors."""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of rows and columns."""

    @property
    @abstractmethod
    def dtype(self) -> torch.dtype:
        """Floating point type of the products."""

    @abstractmethod
    def times(self, vectors: Tensor) -> Tensor:
        """Multiply every row.

        Parameters
        ----------
        vectors : Tensor of shape (k, size)
            One vector in each row.

        Returns
        -------
        Tensor of shape (k, size)
            The products, one in each row.
        """

    def dense(self) -> Tensor:
        """Return the matrix itself, shape (size, size), for as many products as it has columns."""
        rows = torch.empty(self.size, self.size, dtype=self.dtype)
        for start in range(0, self.size, CHUNK):
            stop = min(start + CHUNK, self.size)
            units = torch.zeros(stop - start, self.size, dtype=self.dtype)
            units[torch.arange(stop - start), torch.arange(start, stop)] = 1
            rows[start:stop] = self.times(units)
        return rows


@dataclass(frozen=True, eq=False)
class Hessian(Curvature):
    r"""Second derivatives of an objective, :math:`C = \nabla^2_\theta L(\theta)`.

    A product is the forward derivative of the gradient along the vector (Pearlmutter 1994). Away from a minimum it may have
    negative eigenvalues.

    Parameters
    ----------
    objective : callable
        ``theta -> scalar``.
    theta : Tensor of shape (n_params,)
        Where it is differentiated.
    chunk : int, default=16
        Vectors that are multiplied side by side.

    References
    ----------
    B. A. Pearlmutter. Fast exact multiplication by the Hessian. Neural Computation 6, 1994.

    Examples
    --------
    >>> a = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    >>> hessian = Hessian(lambda theta: theta @ a @ theta / 2, torch.ones(2))
    >>> torch.equal(hessian.dense(), a)
    True
    """

    objective: Callable[[Tensor], Tensor]
    theta: Tensor
    chunk: int = CHUNK

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.theta)

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.theta.dtype

    def times(self, vectors: Tensor) -> Tensor:
        """Return Hessian-vector products, one in each row; see :meth:`Curvature.times`."""
        slope = grad(self.objective)

        def product(vector: Tensor) -> Tensor:
            return jvp(slope, self.theta, vector)[1]  # d/de grad L(theta + e v) = C v

        return vmap(product, chunk_size=self.chunk)(vectors).detach()


@dataclass(frozen=True, eq=False)
class GaussNewton(Curvature):
    r"""Curvature of the loss alone, with the model taken as linear: :math:`C = J^\top \nabla^2_o \ell(o, w) \, J`.

    :math:`J` is the Jacobian of the model's outputs :math:`o(\theta)`. The second derivatives of the model, which the Hessian
    weighs with the residuals, are left out; with a loss that is convex in the outputs no eigenvalue is negative. A weight
    decay, which acts on the parameters and not on the outputs, is added by :class:`Shifted`.

    Parameters
    ----------
    outputs : callable
        ``theta -> Tensor`` of any shape.
    loss_of : callable
        ``(outputs, weights) -> scalar``.
    theta : Tensor of shape (n_params,)
        Where it is differentiated.
    weights : Tensor of shape (n_samples,)
        Data weights.
    chunk : int, default=16
        Vectors that are multiplied side by side.

    References
    ----------
    J. Martens. New insights and perspectives on the natural gradient method. JMLR 21, 2020.

    Examples
    --------
    >>> x = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
    >>> squares = lambda outputs, weights: (weights * outputs**2).sum() / 2
    >>> gauss_newton = GaussNewton(lambda theta: x @ theta, squares, torch.ones(2), torch.ones(2))
    >>> torch.equal(gauss_newton.dense(), x.T @ x)
    True
    """

    outputs: Callable[[Tensor], Tensor]
    loss_of: Callable[[Tensor, Tensor], Tensor]
    theta: Tensor
    weights: Tensor
    chunk: int = CHUNK

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.theta)

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the parameters."""
        return self.theta.dtype

    def times(self, vectors: Tensor) -> Tensor:
        """Return Gauss-Newton products, one in each row; see :meth:`Curvature.times`."""
        transposed = vjp(self.outputs, self.theta)[1]
        slope = grad(lambda outputs: self.loss_of(outputs, self.weights))

        def product(vector: Tensor) -> Tensor:
            outputs, moved = jvp(self.outputs, self.theta, vector)  # o and J v
            back: Tensor = transposed(jvp(slope, outputs, moved)[1])[0]  # J^T (nabla^2_o loss) (J v)
            return back

        return vmap(product, chunk_size=self.chunk)(vectors).detach()


@dataclass(frozen=True, eq=False)
class Shifted(Curvature):
    r"""Another curvature plus a diagonal, :math:`C + \mathrm{diag}(d)`: a weight decay, for example.

    Parameters
    ----------
    operator : Curvature
        The matrix C.
    diagonal : Tensor of shape (size,) or ()
        What is added to the diagonal.
    """

    operator: Curvature
    diagonal: Tensor

    @property
    def size(self) -> int:
        """Number of rows of the matrix inside."""
        return self.operator.size

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the matrix inside."""
        return self.operator.dtype

    def times(self, vectors: Tensor) -> Tensor:
        """Return the products, one in each row; see :meth:`Curvature.times`."""
        return self.operator.times(vectors) + self.diagonal * vectors


@dataclass(frozen=True, eq=False)
class Restricted(Curvature):
    """The square part of another curvature that belongs to some of the parameters: a last layer, or the encoder.

    Parameters
    ----------
    operator : Curvature
        The matrix of all parameters.
    mask : Tensor of shape (operator.size,), bool
        Which parameters belong to the block.

    Raises
    ------
    InvalidParameterError
        If the mask does not fit.
    """

    operator: Curvature
    mask: Tensor

    def __post_init__(self) -> None:
        check_mask(self.mask, self.operator.size)

    @property
    def size(self) -> int:
        """Number of parameters of the block."""
        return int(self.mask.sum())

    @property
    def dtype(self) -> torch.dtype:
        """Floating point type of the matrix inside."""
        return self.operator.dtype

    def take(self, vectors: Tensor) -> Tensor:
        """Return the block's entries of vectors of all parameters, shape (k, size)."""
        return vectors[:, self.mask]

    def put(self, parts: Tensor) -> Tensor:
        """Return vectors of all parameters that are zero outside of the block, shape (k, operator.size)."""
        vectors = parts.new_zeros(len(parts), self.operator.size)
        vectors[:, self.mask] = parts
        return vectors

    def times(self, vectors: Tensor) -> Tensor:
        """Return the products, one in each row; see :meth:`Curvature.times`."""
        return self.take(self.operator.times(self.put(vectors)))


def check_mask(mask: Tensor, size: int) -> None:
    """Refuse a mask that does not pick some of `size` parameters.

    Parameters
    ----------
    mask : Tensor
        Candidate.
    size : int
        Number of parameters.

    Raises
    ------
    InvalidParameterError
        With what was found and what was expected.
    """
    if mask.dtype != torch.bool or mask.shape != (size,):
        raise InvalidParameterError(
            f"The mask of a block has type {mask.dtype} and shape {tuple(mask.shape)}. Expected torch.bool and ({size},), one "
            f"entry for each parameter in the order of the recipe's layout."
        )
    if not mask.any():
        raise InvalidParameterError(
            f"The mask of a block picks none of {size} parameters. Expected at least one True; look at the order of the "
            f"parameters in recipe.layout.shapes."
        )
