"""What is learned about a fit after it was made, and kept with its run: map, stability, smoothness, names, origin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from clusterexplain.data.display import Display
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.smoothness import Smoothness
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import LONGEST_NAME, is_name
from clusterexplain.storage.sidecars import LONGEST_SOURCE

UNKNOWN = "\ufffd"


@dataclass
class Annotations:
    """What is attached to a fit; nothing here changes an answer.

    Attributes
    ----------
    map_coordinates : ndarray of shape (n_samples, 2) or None
        The two-dimensional view, once it was drawn.
    map_source : str
        What the view is, if it was given ("obsm X_umap"); "" if it was drawn here.
    cluster_colours : dict of int to str
        Colours that clusters brought along, by number.
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
    map_source: str = ""
    cluster_colours: dict[int, str] = field(default_factory=dict)
    stability: Stability | None = None
    smoothness: Smoothness | None = None
    cluster_names: dict[int, str] = field(default_factory=dict)
    run_directory: str | None = None
    data_source: dict[str, Any] = field(default_factory=dict)

    def take_map(self, display: Display) -> None:
        """Draw the rows as the user says, if they say it."""
        self.map_coordinates = display.coordinates
        self.map_source = "".join(letter if letter.isprintable() else UNKNOWN for letter in display.source)[
            :LONGEST_SOURCE
        ]

    def name_clusters(self, names: Mapping[int, str], n_clusters: int) -> None:
        """Give clusters names; an empty name takes one away.

        Parameters
        ----------
        names : mapping of int to str
            By cluster number.
        n_clusters : int
            How many clusters there are.

        Raises
        ------
        InvalidParameterError
            If a cluster does not exist or a name is no text.
        """
        for cluster, name in names.items():
            whole = isinstance(cluster, (int, np.integer)) and not isinstance(cluster, bool)
            if not (whole and cluster in range(n_clusters) and is_name(name)):
                raise InvalidParameterError(
                    f"{cluster!r}: {name!r:.80} does not name a cluster. Expected a number from 0 to {n_clusters - 1} and a "
                    f"printable text of at most {LONGEST_NAME} characters that is neither a number nor 'noise' nor 'runner-up'."
                )
        merged = self.cluster_names | {int(cluster): name for cluster, name in names.items()}
        self.cluster_names = {cluster: name for cluster, name in sorted(merged.items()) if name}

    def given(self) -> Annotations:
        """Return what a user gave, which a refit keeps: names and colours of clusters, a map that was not drawn here."""
        return Annotations(
            map_coordinates=self.map_coordinates if self.map_source else None,
            map_source=self.map_source,
            cluster_colours=dict(self.cluster_colours),
            cluster_names=dict(self.cluster_names),
        )
