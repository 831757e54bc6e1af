"""From a configuration and data to a fit: train, cluster, choose the score."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch

from clusterexplain.clustering import Clustering, ClusteringSpec, ClusterInputs, make_clustering
from clusterexplain.clustering.make import is_factory
from clusterexplain.clustering.scores import Score
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.validation import check_counts, check_variation
from clusterexplain.exceptions import DriftWarning, InvalidDataError, InvalidParameterError, SmoothnessWarning, warn
from clusterexplain.execution import Execution
from clusterexplain.fitting.config import Config, resolve
from clusterexplain.fitting.fit import SCORE_DTYPE, Fit, learned_centroids
from clusterexplain.fitting.own_parts import OwnReclusterer, with_own_reclusterer
from clusterexplain.fitting.recipes import make_recipe, make_task, smoothness_reasons, trained_further, training_inputs
from clusterexplain.fitting.score_choice import choose_score
from clusterexplain.models import EmbeddingTask
from clusterexplain.models.registry import OF_COUNTS
from clusterexplain.training import CompiledSteps, Recipe, Trajectory, with_choices_kept
from clusterexplain.training.cost import Cost, measure_cost
from clusterexplain.training.further_training import FurtherTraining
from clusterexplain.training.trajectory import checkpoint_spacing, train

LARGEST_USUAL_DRIFT = 0.1
"""How far further training may move the embedding, relative to its spread, before it is warned about."""
_IRRELEVANT = ("random_state", "measure_smoothness", "min_agreement", "said")
"""What changes no result, so that it does not belong to a fit's key."""

FindClusters = Callable[[ClusterInputs], Clustering]
"""``inputs -> Clustering``; the embedding is as the model gives it, before any normalization."""


@dataclass(frozen=True, eq=False)
class Objects:
    """What a configuration cannot hold: the user's own task, estimator, labels, clusterer or score.

    Attributes
    ----------
    task : EmbeddingTask or None
        Where the configuration names no model.
    clusterer : object
        A fitted estimator, labels, a Clustering or a function that clusters, where the configuration names no clusterer.
    score : Score or None
        A score of the user's own.
    reclusterer : callable, estimator or None
        How labels that were given are found anew, see :class:`clusterexplain.clustering.given.reclusterer.Reclusterer`.
    """

    task: EmbeddingTask | None = None
    clusterer: object = None
    score: Score | None = None
    reclusterer: OwnReclusterer | None = None


def build_fit(
    config: Config,
    objects: Objects,
    data: Dataset,
    weights: np.ndarray,
    *,
    seed: int,
    execution: Execution,
    keep_weights: bool = False,
) -> Fit:
    """Train, cluster and record.

    Parameters
    ----------
    config : Config
        Checked, not yet resolved.
    objects : Objects
        What it cannot hold.
    data : Dataset
        Training data.
    weights : ndarray of shape (n_samples,)
        Data weights.
    seed : int
        Root seed.
    execution : Execution
        Workers, memory, progress.
    keep_weights : bool, default=False
        Keep the weights of a pretrained task; what is differentiated is then further training from them.

    Returns
    -------
    Fit
        With its configuration resolved.

    Raises
    ------
    InvalidTaskError
        If a task of the user's own breaks its contract.
    InvalidDataError
        If the data cannot be clustered.
    InvalidParameterError
        If a parameter does not fit the data or the model.
    """
    config, scaling = _resolved(config, data, weights)
    prepared = prepare(
        config, objects.task, data, scaling, seed, weights, keep_weights=keep_weights, execution=execution
    )

    clusterer = objects.clusterer if config.clusterer is None else config.clusterer

    def find(inputs: ClusterInputs) -> Clustering:
        return make_clustering(
            clusterer, inputs, ClusteringSpec(config.n_clusters, seed, dict(config.clusterer_options or {}))
        )

    fit = fit_recipe(config, data, scaling, seed, prepared, weights, find, execution, own_score=objects.score)
    fit = dataclasses.replace(fit, own_clusterer=clusterer, _jacobians=[]) if is_factory(clusterer) else fit
    return with_own_reclusterer(fit, objects.reclusterer)


def estimate_cost(
    config: Config,
    objects: Objects,
    data: Dataset,
    weights: np.ndarray,
    *,
    seed: int,
    execution: Execution,
    n_explained: int,
    n_retrainings: int,
) -> Cost:
    """Return what :func:`build_fit` and questions about it will take, from a few steps.

    Parameters
    ----------
    config, objects, data, weights, seed, execution : object
        As for :func:`build_fit`; a pretrained task counts as trained from the start.
    n_explained, n_retrainings : int
        See :func:`~clusterexplain.training.cost.measure_cost`.
    """
    config, scaling = _resolved(config, data, weights)
    prepared = prepare(config, objects.task, data, scaling, seed, weights, keep_weights=False, execution=execution)
    return measure_cost(prepared.recipe, execution, n_explained=n_explained, n_retrainings=n_retrainings)


def _resolved(config: Config, data: Dataset, weights: np.ndarray) -> tuple[Config, Scaling]:
    """Return what is fitted with every default filled in, and the scaling of the present rows; refuse what has no clusters."""
    present = weights > 0
    if config.takes_number and present.sum() < config.n_clusters:
        raise InvalidDataError(
            f"X has n_samples={present.sum()} rows (of positive weight), fewer than n_clusters={config.n_clusters}. "
            f"Expected at least one row for each cluster; lower n_clusters or add rows."
        )
    check_variation(data.X[present])
    if config.model in OF_COUNTS:
        check_counts(data.X, data.ids, model=config.model)
    config = resolve(config, n_samples=int(present.sum()), image=data.image_shape is not None)
    return config, Scaling.measure(data.X[present], config.scaling)


def fit_recipe(
    config: Config,
    data: Dataset,
    scaling: Scaling,
    seed: int,
    prepared: Prepared,
    weights: np.ndarray,
    find: FindClusters,
    execution: Execution,
    *,
    own_score: Score | None = None,
) -> Fit:
    """Train a recipe, cluster its embedding and choose the score; see :func:`build_fit`.

    Parameters
    ----------
    config, data, scaling, seed, weights, execution : object
        As for :func:`build_fit`, the configuration resolved.
    prepared : Prepared
        What is trained, or has been.
    find : callable
        Clusters an embedding.
    own_score : Score, optional
        Of the user's own, in place of the configuration's.
    """
    recipe, further, trajectory = prepared
    rows = torch.from_numpy(weights).to(recipe.dtype)
    if trajectory is None:
        trajectory = train(recipe, rows, spacing=checkpoint_spacing(recipe, execution), execution=execution)
    params = trajectory.params if further is None else recipe.initial
    with torch.no_grad():
        embedding = recipe.task.embed(params, recipe.inputs).to(SCORE_DTYPE)
        inputs = ClusterInputs(embedding, trajectory.weights.to(SCORE_DTYPE), learned_centroids(recipe, params))
        clustering = find(inputs)
        asked = own_score or config.membership_score or "auto"
        trained = not recipe.task.closed_form
        score = choose_score(asked, clustering, inputs, config.min_agreement, trained=trained)
    config = dataclasses.replace(config, membership_score=score.name)
    key = fit_key(config, data, seed, trajectory, clustering)
    return Fit(
        data,
        scaling,
        config,
        seed,
        trajectory,
        clustering,
        score,
        execution,
        key,
        pretrained=further is not None,
        further=further,
    )


class Prepared(NamedTuple):
    """What is trained, or has been.

    Attributes
    ----------
    recipe : Recipe
        With its discrete choices made.
    further : FurtherTraining or None
        What further training it is, if the model is pretrained.
    trajectory : Trajectory or None
        The recorded training, if the choice of a rate has made it already.
    """

    recipe: Recipe
    further: FurtherTraining | None = None
    trajectory: Trajectory | None = None


def prepare(
    config: Config,
    own: EmbeddingTask | None,
    data: Dataset,
    scaling: Scaling,
    seed: int,
    weights: np.ndarray,
    *,
    keep_weights: bool,
    execution: Execution,
) -> Prepared:
    """Return the recipe of a training, or of further training from the weights of the user's own task.

    Parameters
    ----------
    config, data, seed, weights, keep_weights, execution : object
        As for :func:`build_fit`, the configuration resolved.
    own : EmbeddingTask or None
        The user's own task.
    scaling : Scaling
        Of the columns.

    Returns
    -------
    Prepared
        The recipe; for a pretrained model its further training too.

    Raises
    ------
    InvalidParameterError
        If a model that is built here is asked to keep weights.
    """
    if keep_weights and not (own is not None and own.pretrained):
        named = repr(config.model) if own is None else type(own).__name__
        raise InvalidParameterError(
            f"train=False keeps the weights of a pretrained network, but model={named} is built here and has none. "
            f"Expected model=EmbeddingTask.from_module(your_network, ...), or train=True."
        )
    inputs = training_inputs(config, data, scaling)
    given = torch.from_numpy(weights)
    task = make_task(config, own, data, inputs, scaling, given)
    given = given.to(inputs.dtype)
    if keep_weights:
        trajectory, further = trained_further(config, task, inputs, seed, given, execution)
        if further.drift > LARGEST_USUAL_DRIFT:
            warn(
                f"Further training moves the embedding by {further.drift:.0%} of its spread with nothing removed, so answers "
                f"are about another model than the pretrained one. {_slower(config)}",
                DriftWarning,
            )
        return Prepared(trajectory.recipe, further, trajectory)
    recipe = make_recipe(config, task, inputs, seed)
    if own is not None:
        CompiledSteps(recipe).step_vjp(0, 2)
    for reason in smoothness_reasons(config, task):
        warn(f"This recipe is not smooth: {reason}.", SmoothnessWarning)
    return Prepared(with_choices_kept(recipe, given))


def _slower(config: Config) -> str:
    """Say what of the length and rate of further training the user can change; not what was left to be chosen."""
    named = [name for name in ("further_rate", "further_steps") if getattr(config, name) is not None]
    if named:
        return f"Lower {' or '.join(named)}, or leave {'both' if len(named) == 2 else 'it'} to be chosen."
    return (
        "No slower rate stays nearer. Expected weights near a minimum of the loss: look whether loss, scaling and input_shape "
        "are those that the network was trained with, or fit with train=True."
    )


def fit_key(config: Config, data: Dataset, seed: int, trajectory: Trajectory, clustering: Clustering) -> str:
    """Return a hash of data, seed and configuration; a refit has that of its fit.

    A task of the user's own enters by its class and its initial weights: its functions have no fingerprint.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    recipe, values = trajectory.recipe, config.to_dict()
    parameters: dict[str, Any] = {name: value for name, value in values.items() if name not in _IRRELEVANT}
    if config.model is None:
        start = b"".join(value.detach().contiguous().numpy().tobytes() for value in recipe.initial.values())
        parameters["model"] = [type(recipe.task).__qualname__, list(recipe.initial), hashlib.sha256(start).hexdigest()]
    if config.clusterer is None:
        held = clustering.labels.numpy().tobytes()
        if clustering.labels_given:
            held = b"".join([held, *(array.tobytes() for array in clustering.arrays().values())])
        parameters["clusterer"] = [clustering.name, hashlib.sha256(held).hexdigest()]
    shown = [data.fingerprint(), data.image_shape, seed, recipe.optimizer.learning_rate, sorted(parameters.items())]
    text = json.dumps(shown, default=_named, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _named(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"
