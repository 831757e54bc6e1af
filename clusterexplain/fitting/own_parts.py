"""The user's own model, clusterer and score, given again to open a run: a run holds no code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from clusterexplain.clustering import Clustering, ClusteringFactory, ClusteringSpec, ClusterInputs, make_clustering
from clusterexplain.clustering.given.graph_labels import GraphLabels
from clusterexplain.clustering.given.reclustered_labels import FoundFromScratch, with_reclusterer
from clusterexplain.clustering.given.reclusterer import Reclusterer, ReclusteringEstimator, ReclusteringFunction
from clusterexplain.clustering.make import is_factory
from clusterexplain.clustering.registry import CLUSTERING_TYPES
from clusterexplain.clustering.scores import SCORES, Score
from clusterexplain.data import Dataset
from clusterexplain.exceptions import InvalidParameterError, RunMismatchError
from clusterexplain.fitting.fit import Fit, learned_centroids
from clusterexplain.fitting.persistence.stored_fit import StoredFit
from clusterexplain.models import EmbeddingTask
from clusterexplain.training import Trajectory

Model = EmbeddingTask | Callable[[Dataset], EmbeddingTask] | None
OwnReclusterer = ReclusteringFunction | ReclusteringEstimator


def own_task(stored: StoredFit, model: Model, data: Dataset, where: str) -> EmbeddingTask | None:
    """Return the task of the user's own if the run was made with one; refuse one that is missing or not needed."""
    named = stored.config.model
    if named is not None:
        if model is not None:
            raise InvalidParameterError(
                f"The run {where} was made with model={named!r}, which is built here. Expected no task."
            )
        return None
    if model is None:
        source = stored.content.manifest["task"]
        made = f" by {source}" if source else ""
        raise InvalidParameterError(
            f"The run {where} was made with a network of your own{made}: a run holds weights, never code. Pass the task: "
            f"ClusterExplainer.load(path, model=task), or --task package.module:factory on the command line."
        )
    return model if isinstance(model, EmbeddingTask) else model(data)


def own_kind(
    stored: StoredFit, clusterer: Clustering | ClusteringFactory | None, trajectory: Trajectory
) -> type[Clustering] | None:
    """Return the class of a clusterer of the user's own, None for those that are built in; a function is called once."""
    name, config, where = stored.content.manifest["clustering"]["name"], stored.config, stored.where
    if clusterer is None:
        if name in CLUSTERING_TYPES:
            return None
        raise InvalidParameterError(
            f"The run {where} was made with a clusterer of your own, {name!r}: a run holds labels and arrays, never code. Pass "
            f"it again: ClusterExplainer.load(path, clusterer=...)."
        )
    if config.clusterer is not None:
        raise InvalidParameterError(
            f"The run {where} was made with clusterer={config.clusterer!r}, which is built in. Expected no clusterer=."
        )
    kind: type[Clustering]
    if isinstance(clusterer, Clustering):
        kind = type(clusterer)
    else:
        recipe, weights = trajectory.recipe, trajectory.weights.double()
        params = recipe.initial if stored.content.manifest["pretrained"] else trajectory.params
        embedding = torch.from_numpy(stored.content.arrays["embedding"])
        inputs = ClusterInputs(embedding, weights, learned_centroids(recipe, params))
        spec = ClusteringSpec(config.n_clusters, stored.seed, dict(config.clusterer_options or {}))
        kind = type(make_clustering(clusterer, inputs, spec))
    if kind.name != name:
        raise RunMismatchError(
            f"The run {where} was made with the clusterer {name!r}, but clusterer= makes {kind.name!r}. Expected the one that "
            f"the run was made with."
        )
    return kind


def own_score(stored: StoredFit, score: Score | None) -> Score | None:
    """Return the score of the user's own if the run was made with one; refuse one that is missing or not needed."""
    name = stored.config.membership_score
    if name in SCORES:
        if score is not None:
            raise InvalidParameterError(
                f"The run {stored.where} was made with membership_score={name!r}, which is built in. Expected no "
                f"membership_score=."
            )
        return None
    if score is None:
        raise InvalidParameterError(
            f"The run {stored.where} was made with a score of your own, {name!r}: a run holds no code. Pass it again: "
            f"ClusterExplainer.load(path, membership_score=...)."
        )
    if score.name != name:
        raise RunMismatchError(
            f"The run {stored.where} was made with the score {name!r}, not with {score.name!r}. Expected the one that the run "
            f"was made with."
        )
    return score


def parameters_of(
    fit: Fit, clusterer: Clustering | ClusteringFactory | None, reclusterer: OwnReclusterer | None
) -> dict[str, Any]:
    """Return the parameters of an estimator that would make a fit, as they were said where the run holds them.

    Parameters
    ----------
    fit : Fit
        As it was opened.
    clusterer : Clustering, callable or None
        The clusterer of the user's own, as it was given again.
    reclusterer : callable, estimator or None
        How given labels are found anew.

    Returns
    -------
    dict of str to object
        What was fitted elsewhere is there as its labels: a run never holds the estimator.
    """
    said = dict(fit.config.said)
    if said["model"] is None:
        said["model"] = fit.recipe.task
    if said["clusterer"] is None:
        held = fit.clustering if isinstance(fit.clustering, GraphLabels) else fit.clustering.labels.numpy().copy()
        said["clusterer"] = held if clusterer is None else clusterer
    if said["membership_score"] is None:
        said["membership_score"] = fit.score
    said["hidden"] = None if said["hidden"] is None else tuple(said["hidden"])
    execution = fit.execution
    of_execution = {"n_jobs": execution.n_jobs, "max_memory": execution.max_memory, "verbose": execution.progress}
    return said | {"reclusterer": reclusterer} | of_execution


def check_reclusterer(reclusterer: OwnReclusterer, clusterer: object) -> None:
    """Refuse a reclusterer that cannot be called, or has nothing to find anew, before anything is trained.

    Parameters
    ----------
    reclusterer : callable or estimator
        See :class:`clusterexplain.clustering.given.reclusterer.Reclusterer`.
    clusterer : object
        What clusters the embedding; None where labels are given.

    Raises
    ------
    InvalidParameterError
        If it is neither, or the clusterer is run again by itself.
    """
    Reclusterer.of(reclusterer)
    if isinstance(clusterer, (str, Clustering)) or is_factory(clusterer):
        raise InvalidParameterError(
            f"reclusterer says how given labels are found anew, but clusterer={clusterer!r:.80} is run again by itself. "
            f"Expected fit(X, labels=...), or reclusterer=None."
        )


def check_reclusterer_weights(reclusterer: OwnReclusterer | None, weights: np.ndarray) -> None:
    """Refuse weights of shape (n_samples,) that a reclusterer does not take, before anything is trained; None takes all."""
    if reclusterer is not None:
        Reclusterer.of(reclusterer).check_weights(weights)


def with_own_reclusterer(fit: Fit, reclusterer: OwnReclusterer | None) -> Fit:
    """Return a fit of given labels that a function of the user's own finds anew; without one, the fit as it is.

    Parameters
    ----------
    fit : Fit
        As it was trained or restored.
    reclusterer : callable, estimator or None
        See :class:`clusterexplain.clustering.given.reclusterer.Reclusterer`.

    Returns
    -------
    Fit
        Of the same key: labels, margins and influences are the same.

    Raises
    ------
    InvalidParameterError
        If the clusters of the fit are no given labels, or the function gives other labels each time.
    """
    if reclusterer is None:
        return fit
    inputs = fit.cluster_inputs(fit.params, fit.trajectory.weights)
    clustering = with_reclusterer(fit.clustering, reclusterer, inputs)
    from_scratch = FoundFromScratch.of(clustering)
    return dataclasses.replace(fit, clustering=clustering, own_clusterer=from_scratch, _jacobians=[])
