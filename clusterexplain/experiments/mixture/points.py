"""The mixture: three Gaussians in the plane, fifty points each."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

MEANS = ((0.0, 0.0), (5.0, 5.0), (5.0, -5.0))
DEVIATION = 1.25
N_COMPONENTS = len(MEANS)
PER_COMPONENT = 50
QUERY_EVERY = 3
"""Every third point is a query: 50 of the 150, as many of each Gaussian as of the others or one more."""


def draw_mixture(seed: int, per_component: int = PER_COMPONENT) -> tuple[Tensor, Tensor]:
    """Draw the points.

    Parameters
    ----------
    seed : int
        Of the draw.
    per_component : int, default=50
        Points of each Gaussian.

    Returns
    -------
    points : Tensor of shape (3 * per_component, 2), float64
        Component by component.
    components : Tensor of shape (3 * per_component,), int64
        Which Gaussian each point was drawn from.

    Examples
    --------
    >>> points, components = draw_mixture(0)
    >>> tuple(points.shape), torch.bincount(components).tolist()
    ((150, 2), [50, 50, 50])
    """
    rng = np.random.default_rng(seed)
    points = np.concatenate([rng.normal(mean, DEVIATION, (per_component, 2)) for mean in MEANS])
    return torch.from_numpy(points), torch.arange(N_COMPONENTS).repeat_interleave(per_component)


def query_and_removal_rows(n: int, removed_every: int) -> tuple[Tensor, Tensor]:
    """Return the rows of the queries and of the points that are removed, both spread evenly over the Gaussians.

    Examples
    --------
    >>> queries, removed = query_and_removal_rows(150, 1)
    >>> len(queries), len(removed)
    (50, 150)
    """
    return torch.arange(0, n, QUERY_EVERY), torch.arange(0, n, removed_every)
