"""What is learned about a fit after it was made, and kept with its run: a map, stability, names of clusters."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clusterexplain.results.smoothness import Smoothness
from clusterexplain.results.stability import Stability


@dataclass
class Annotations:
    """What is attached to a fit; nothing here changes an answer.

    Attributes
    ----------
    map_coordinates : ndarray of shape (n_samples, 2) or None
        The two-dimensional view, once it was drawn.
    stability : Stability or None
        Once it was measured.
    smoothness : Smoothness or None
        Once it was measured.
    cluster_names : dict of int to str
        Names that clusters were given.
    run_directory : str or None
        Where the fit was saved to or loaded from, for the commands that a page offers.
    data_source : dict
        Where the data came from, by :data:`clusterexplain.fitting.config_file.DATA_KEYS`; known to the command line.
    """

    map_coordinates: np.ndarray | None = None
    stability: Stability | None = None
    smoothness: Smoothness | None = None
    cluster_names: dict[int, str] = field(default_factory=dict)
    run_directory: str | None = None
    data_source: dict[str, Any] = field(default_factory=dict)
