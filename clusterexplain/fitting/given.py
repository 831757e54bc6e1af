"""What a user asks a fit for (rows, what is known beside them, parameters), read and joined before anything is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterexplain.clustering.given.fitted_elsewhere import given_labels
from clusterexplain.clustering.given.given_labels import GivenLabels
from clusterexplain.clustering.given.graph_labels import GraphLabels, with_graph
from clusterexplain.clustering.make import check_before_training
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.clustering.scores import Score, make_score
from clusterexplain.data import Dataset
from clusterexplain.data.labels import (
    has_index,
    is_label_list,
    joined_targets,
    joined_weights,
    labels_of,
    without_label_columns,
)
from clusterexplain.data.maps import given_map
from clusterexplain.data.validation import check_sample_weight
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.build import Objects
from clusterexplain.fitting.config import Config
from clusterexplain.fitting.own_parts import check_reclusterer, check_reclusterer_weights
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.text.names import LONGEST_NAME, is_name

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from clusterexplain.data.dataset import Rows
    from clusterexplain.data.display import Display
    from clusterexplain.fitting.fit import Fit


@dataclass(frozen=True, eq=False)
class Beside:
    """What is given to ``fit`` beside the rows; see :meth:`clusterexplain.ClusterExplainer.fit`.

    Parameters
    ----------
    labels, metadata, use_rep, map, graph, targets : object, optional
        As for ``fit``.
    """

    labels: object = None
    metadata: str | Sequence[str] | None = None
    use_rep: str | None = None
    map: object = None
    graph: object = None
    targets: object = None


@dataclass(frozen=True, eq=False)
class GivenRows:
    """Rows and what is known about them, in one order.

    Attributes
    ----------
    data : Dataset
        The rows.
    clusterer : object
        What clusters them: given labels are whole numbers, one for each row.
    names : dict of int to str
        What given clusters are called.
    display : Display
        Where the rows are drawn.
    """

    data: Dataset
    clusterer: object
    names: dict[int, str]
    display: Display

    def annotate(self, fit: Fit, labels: object) -> None:
        """Attach to a fit what was given and changes no answer: names and colours of clusters, where rows are drawn.

        Parameters
        ----------
        fit : Fit
            Of these rows.
        labels : object
            The labels as they were given to ``fit``, which may bring colours along; None for none.
        """
        n_clusters = fit.clustering.n_clusters
        fit.annotations.name_clusters(self.names, n_clusters)
        fit.annotations.take_map(self.display)
        fit.annotations.cluster_colours = self.data.display.cluster_colours(labels, self.names, range(n_clusters))


@dataclass(frozen=True, eq=False)
class FitRequest:
    """What is to be fitted.

    Attributes
    ----------
    given : GivenRows
        Rows, and what is known about them.
    config : Config
        The parameters, checked.
    objects : Objects
        What a configuration cannot hold.
    weights : ndarray of shape (n_samples,)
        Data weights, in the order of the rows.
    """

    given: GivenRows
    config: Config
    objects: Objects
    weights: np.ndarray

    @classmethod
    def of(cls, parameters: Mapping[str, Any], X: Rows, beside: Beside, sample_weight: ArrayLike | None) -> FitRequest:
        """Read what was given; what can be refused before anything is read is.

        Parameters
        ----------
        parameters : Mapping
            Those of the estimator.
        X : Dataset, frame, AnnData or array-like of shape (n_samples, n_features)
            The rows.
        beside : Beside
            What is known about the rows.
        sample_weight : array-like or Series of shape (n_samples,) or None
            Data weights.

        Returns
        -------
        FitRequest
            Nothing is trained yet.
        """
        said = dict(parameters)
        Config.of(said | {"clusterer": said["clusterer"] if beside.labels is None else ()})
        given = given_rows(X, said, beside)
        config = Config.of(said | {"clusterer": given.clusterer})
        weights = check_sample_weight(joined_weights(sample_weight, X, given.data), len(given.data))
        check_reclusterer_weights(said["reclusterer"], weights)
        task = said["model"] if isinstance(said["model"], EmbeddingTask) else None
        score = said["membership_score"] if isinstance(said["membership_score"], Score) else None
        own = None if isinstance(given.clusterer, str) else given.clusterer
        return cls(given, config, Objects(task, own, score, said["reclusterer"]), weights)


def given_rows(X: Rows, parameters: Mapping[str, Any], beside: Beside) -> GivenRows:
    """Read rows and join what is given beside them.

    Parameters
    ----------
    X : Dataset, frame, AnnData or array-like of shape (n_samples, n_features)
        The rows.
    parameters : Mapping
        Those of the estimator: clusterer, reclusterer, membership_score and max_memory are read.
    beside : Beside
        What is known about the rows.

    Returns
    -------
    GivenRows
        Joined by id wherever there is one.

    Raises
    ------
    InvalidParameterError
        If two parameters say different things about the clusters.
    InvalidDataError
        If something does not belong to these rows.
    """
    labels = beside.labels
    if labels is not None and parameters["clusterer"] != "kmeans":
        raise InvalidParameterError(
            "labels gives the clusters, and so does clusterer. Expected one of the two: leave clusterer at its default."
        )
    data = Dataset.of(
        X,
        max_bytes=parameters["max_memory"],
        labels=labels if isinstance(labels, str) and not isinstance(X, Dataset) else None,
        metadata=beside.metadata,
        use_rep=beside.use_rep,
        map=beside.map if isinstance(beside.map, str) else None,
    )
    data, clusterer, names = _clustered(data, parameters, labels)
    clusterer = with_graph(clusterer, beside.graph, X, len(data), parameters["membership_score"])
    _check_score(clusterer, parameters["membership_score"])
    display = data.display
    if beside.map is not None and not isinstance(beside.map, str):
        display = given_map(beside.map, data, has_index=has_index(X))
    if beside.targets is not None:
        data = dataclasses.replace(data, targets=joined_targets(beside.targets, data))
    return GivenRows(data, clusterer, names, display)


def _check_score(clusterer: object, score: str | Score) -> None:
    """Refuse a score that the clusterer does not have, where that is known before anything is trained."""
    if isinstance(clusterer, str):
        make_score(score, CLUSTERERS[clusterer].kind)
    elif isinstance(clusterer, (GraphLabels, np.ndarray)):
        make_score(score, GivenLabels if isinstance(clusterer, np.ndarray) else GraphLabels)


def _clustered(data: Dataset, parameters: Mapping[str, Any], labels: object) -> tuple[Dataset, object, dict[int, str]]:
    """Return the rows, what clusters them, and the names of given clusters; refuse labels before anything is trained."""
    given = parameters["clusterer"] if labels is None else labels
    if parameters["reclusterer"] is not None:
        check_reclusterer(parameters["reclusterer"], given if labels is None else None)
        given = given_labels(given, len(data)) if hasattr(given, "fit") else given
    if labels is None and (given is None or isinstance(given, str) or not is_label_list(given)):
        check_before_training(given, len(data))
        return data, given, {}
    found = labels_of(given, data)
    values = given_labels(found.values, len(data))
    names = {
        number: name if is_name(name) else f"cluster {name!r}"[:LONGEST_NAME] for number, name in found.names.items()
    }
    return without_label_columns(data, values), values, names
