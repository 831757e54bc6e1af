"""Distances of many rows to many points by matrix products, and by subtraction where products would lose digits."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from clusterexplain.execution.budget import DISTANCE_CHUNK
from clusterexplain.execution.executors import one_thread

MANY_POINTS = 512
"""Number of points from which on products are quicker than subtraction."""
MANY_COLUMNS = 16
"""The same for the dimension; below it a tree finds neighbours quicker, too."""
LOST = 1e-11
"""Largest relative error of a squared distance that comes from a product."""
SPARE = 2
"""Rows that are looked at beyond those that suffice: rounding may change the order of the last ones."""


class Points(NamedTuple):
    """Points to measure distances to; nothing here is differentiated.

    Attributes
    ----------
    origin : Tensor of shape (dim,)
        Their mean: distances are known best near it.
    moved : Tensor of shape (n_points, dim)
        The points from there.
    lengths : Tensor of shape (n_points,)
        Their squared lengths.
    """

    origin: Tensor
    moved: Tensor
    lengths: Tensor

    @classmethod
    def of_many(cls, rows: Tensor, points: Tensor) -> Points | None:
        """Prepare points where :func:`has_many`, and nothing where distances come from subtraction."""
        return cls.of(points) if has_many(rows, points) else None

    @classmethod
    def of(cls, points: Tensor) -> Points:
        """Prepare points of shape (n_points, dim) for many rows."""
        origin = points.detach().mean(dim=0)
        moved = points.detach() - origin
        return cls(origin, moved, moved.square().sum(dim=-1))


def has_many(rows: Tensor, points: Tensor) -> bool:
    """Return whether distances should come from products: where no derivative is recorded, and there are enough of them."""
    if torch.is_grad_enabled() or rows.ndim != 2 or points.ndim != 2:
        return False
    n, dim = points.shape
    return n >= MANY_POINTS and dim >= MANY_COLUMNS and len(rows) * n * dim > DISTANCE_CHUNK


def distances_by_products(rows: Tensor, points: Tensor, at: Points | None = None) -> Tensor:
    """Return squared Euclidean distances with a relative error of at most 1e-11; exact near zero. Not under vmap.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, dim)
        From where.
    points : Tensor of shape (n_points, dim)
        To where.
    at : Points, optional
        The same, prepared for many calls.

    Returns
    -------
    Tensor of shape (n_rows, n_points)
        |z|^2 + |x|^2 - 2 z x, from the mean of the points; by subtraction where that is small beside |z|^2 + |x|^2.
    """
    n, dim = points.shape
    at = Points.of(points) if at is None else at
    found = rows.new_empty(len(rows), n)
    least = dim * torch.finfo(rows.dtype).eps / LOST
    block = max(1, DISTANCE_CHUNK // n)
    with one_thread():
        for start in range(0, len(rows), block):
            some = rows[start : start + block]
            z = some - at.origin
            sizes = z.square().sum(dim=-1, keepdim=True) + at.lengths  # |z|^2 + |x|^2
            out = torch.addmm(sizes, z, at.moved.T, alpha=-2, out=found[start : start + block])
            for near in torch.split(torch.nonzero(out < least * sizes), max(1, DISTANCE_CHUNK // dim)):
                first, second = near.unbind(dim=1)
                out[first, second] = distances_of_pairs(some[first], points[second])
    return found


def distances_of_pairs(rows: Tensor, points: Tensor) -> Tensor:
    """Return the squared distance of each row to the point beside it, shape (...), by subtraction."""
    return (rows - points).square().sum(dim=-1)


def nearest_points(rows: Tensor, points: Points, k: int, room: Tensor) -> torch.return_types.topk:
    """Return |x|^2 - 2 z x and the numbers of the k nearest points x and some more, as rounding orders them; not under vmap.

    Parameters
    ----------
    rows : Tensor of shape (n_rows, dim)
        From where.
    points : Points
        Those of length inf are the last.
    k : int
        At most the number of points.
    room : Tensor of shape (at least n_rows, n_points)
        Is written over. Distances that are allocated anew for each block of rows, between results that are kept, leave holes
        that nothing fills: the memory grew by all of them.

    Returns
    -------
    values, indices : Tensor of shape (n_rows, k + SPARE)
        Or of all points, if these are fewer.
    """
    wanted = min(k + SPARE, len(points.lengths))
    out = room[: len(rows)]
    torch.addmm(points.lengths, rows - points.origin, points.moved.T, alpha=-2, out=out)  # |x|^2 - 2 z x
    return out.topk(wanted, dim=-1, largest=False)


def neighbour_at(rows: np.ndarray, points: np.ndarray, position: int) -> np.ndarray:
    """Return which point is at a position in the order of distance; of equal distances the lower number comes first.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, dim)
        From where.
    points : ndarray of shape (n_points, dim)
        To where.
    position : int
        0 is the nearest.

    Returns
    -------
    ndarray of shape (n_rows,), int
        Numbers of points.
    """
    sources, targets = torch.from_numpy(rows), torch.from_numpy(points)
    at, found = Points.of(targets), torch.empty(len(rows), dtype=torch.int64)
    step = max(1, DISTANCE_CHUNK // (len(points) + (position + 1 + SPARE) * rows.shape[1]))
    room = targets.new_empty(step, len(points))
    with torch.no_grad(), one_thread():
        for start in range(0, len(rows), step):
            some = sources[start : start + step]
            near = nearest_points(some, at, position + 1, room).indices.sort(dim=-1).values
            apart = distances_of_pairs(some.unsqueeze(1), targets[near])
            order = apart.argsort(dim=-1, stable=True)[:, position : position + 1]
            found[start : start + step] = near.gather(1, order).squeeze(1)
    return found.numpy()
