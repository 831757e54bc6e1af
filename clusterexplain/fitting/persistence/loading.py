"""A fit opened from a run directory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from clusterexplain.clustering import Clustering, ClusteringFactory, ClusterInputs
from clusterexplain.clustering.make import is_factory
from clusterexplain.clustering.registry import CLUSTERING_TYPES
from clusterexplain.clustering.scores import Score, make_score
from clusterexplain.data import Dataset
from clusterexplain.data.display import is_colour
from clusterexplain.exceptions import InvalidParameterError, RunDamagedError
from clusterexplain.fitting.annotations import Annotations
from clusterexplain.fitting.fit import Fit, learned_centroids
from clusterexplain.fitting.own_parts import (
    Model,
    OwnReclusterer,
    own_kind,
    own_score,
    own_task,
    with_own_reclusterer,
)
from clusterexplain.fitting.persistence.check_loaded import check_embedding, check_layout, check_loss, check_replay
from clusterexplain.fitting.persistence.stored_fit import StoredFit, as_damage, as_image, given_data, stored_data
from clusterexplain.fitting.recipes import further_recipe_as, make_recipe, make_task, training_inputs
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import LONGEST_NAME, is_name
from clusterexplain.storage import run_directory, sidecars
from clusterexplain.storage.run_files import DISPLAY, STABILITY
from clusterexplain.training import Recipe, Trajectory

if TYPE_CHECKING:
    from clusterexplain.data.dataset import Rows


def load(
    path: str | os.PathLike[str],
    data: Rows | None,
    model: Model,
    *,
    clusterer: Clustering | ClusteringFactory | None = None,
    membership_score: Score | None = None,
    reclusterer: OwnReclusterer | None = None,
) -> tuple[Fit, list[str] | None]:
    """Open a run directory; nothing in it is executed.

    Parameters
    ----------
    path : path-like
        A run directory.
    data : Dataset, DataFrame, array-like or None
        The training data, to be checked against the run's fingerprint; those stored in the run otherwise.
    model : EmbeddingTask, callable or None
        The task of a run that was made with a network of the user's own, or a function of the data set that makes it.
    clusterer : Clustering, callable or None
        The clusterer of a run that was made with one of the user's own.
    membership_score : Score or None
        The score of a run that was made with one of the user's own.
    reclusterer : callable, estimator or None
        How given labels are found anew, whether the run was made with one or not.

    Returns
    -------
    Fit
        As it was saved.
    list of str or None
        Column names of the frame that was fitted.

    Raises
    ------
    RunNotFoundError
        If there is no run.
    RunDamagedError
        If a file is missing or changed, or its content is not that of a run.
    RunMismatchError
        If data or task are not those of the run.
    """
    where = str(path)
    content = run_directory.read_run(path)
    stored = StoredFit.of(content, where)
    own_code = model is not None or is_factory(clusterer)  # its faults are its own, not those of the run
    with contextlib.nullcontext() if own_code else as_damage(where):
        if data is None:
            dataset = stored_data(content)
        else:
            dataset = as_image(given_data(data, content.manifest), content.manifest, where)
            if dataset.targets is None and "targets" in content.arrays:
                dataset = dataclasses.replace(dataset, targets=content.arrays["targets"])
        run_directory.check_fingerprint(content.manifest, dataset.fingerprint(), where=where)
        task = own_task(stored, model, dataset, where)
        fit = _restore(stored, task, dataset, clusterer, own_score(stored, membership_score))
        check_loss(fit.loss, content.manifest["loss"], where)
        _read_sidecars(fit, where)
    fit = with_own_reclusterer(fit, reclusterer)
    _forget_other_stability(fit)
    return fit, content.manifest["data"]["feature_names_in"]


def _forget_other_stability(fit: Fit) -> None:
    """Drop a stability that was measured with another reclusterer, or of given labels that this fit cannot find anew."""
    measured, reclusterer = fit.annotations.stability, str(fit.clustering.settings.get("reclusterer", ""))
    if measured is not None and not (fit.can_cluster_again and measured.reclusterer == reclusterer):
        fit.annotations.stability = None


def _restore(
    stored: StoredFit,
    own: EmbeddingTask | None,
    dataset: Dataset,
    clusterer: Clustering | ClusteringFactory | None,
    score: Score | None,
) -> Fit:
    """Return the fit, its training replayed and its embedding compared with what was saved."""
    content, config, where = stored.content, stored.config, stored.where
    inputs = training_inputs(config, dataset, stored.scaling)
    task = make_task(config, own, dataset, inputs, stored.scaling, content.tensors["weights"])
    if stored.further is None:
        recipe = make_recipe(config, task, inputs, stored.seed)
    else:
        recipe = further_recipe_as(config, task, inputs, stored.seed, stored.further)
    check_layout(recipe, content.manifest["layout"], where)
    trajectory = _trajectory(stored, recipe)
    check_replay(trajectory, where)
    clustering = _clustering(stored, own_kind(stored, clusterer, trajectory))
    fit = Fit(
        dataset,
        stored.scaling,
        config,
        stored.seed,
        trajectory,
        clustering,
        make_score(score or config.membership_score or "", clustering),
        stored.execution,
        content.manifest["fit_key"],
        pretrained=content.manifest["pretrained"],
        further=stored.further,
        annotations=Annotations(
            smoothness=stored.smoothness, run_directory=where, data_source=dict(content.manifest["data"]["source"])
        ),
        own_clusterer=clusterer if is_factory(clusterer) else None,
    )
    check_embedding(fit, content.arrays["embedding"], where)
    reference = ClusterInputs(clustering.normalize(fit.embedding), fit.weights, learned_centroids(recipe, fit.params))
    return dataclasses.replace(fit, clustering=clustering.with_reference(reference))


def _trajectory(stored: StoredFit, recipe: Recipe) -> Trajectory:
    """Return the recorded training of a recipe: its batches, choices and states are those that were saved."""
    tensors, spacing = stored.content.tensors, stored.content.manifest["spacing"]
    names = sorted((name for name in tensors if name.startswith("checkpoints.")), key=lambda n: int(n[12:]))
    try:
        checkpoints = list(zip(*(tensors[name] for name in names), strict=True))
        stages = range(len(recipe.task.stages()))
        recipe = dataclasses.replace(
            recipe,
            plan=dataclasses.replace(recipe.plan, indices=tensors["plan"].to(torch.int64)),
            initial=recipe.layout.split(checkpoints[0][0]),
            choices=tuple(tensors.get(f"choices.{number}") for number in stages),
        )
        return Trajectory(recipe, tensors["weights"], checkpoints, tensors["final"], spacing)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise RunDamagedError(
            f"The run {stored.where} is damaged: {type(error).__name__} {error} while reading its recorded training. Restore "
            f"it or fit anew."
        ) from error


def _clustering(stored: StoredFit, own: type[Clustering] | None) -> Clustering:
    """Return the saved clusters; `own` is the class of a clusterer of the user's own."""
    prefix, content = "clustering.", stored.content
    try:
        labels = torch.from_numpy(content.arrays["labels"].astype(np.int64))
        saved = content.manifest["clustering"]
        arrays = {name.removeprefix(prefix): array for name, array in content.arrays.items() if name.startswith(prefix)}
        kind = CLUSTERING_TYPES[saved["name"]] if own is None else own
        return kind.restore(labels, int(saved["n_clusters"]), arrays, saved["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunDamagedError(
            f"The run {stored.where} is damaged: {type(error).__name__} {error} while reading its clusters. Restore it or fit "
            f"anew."
        ) from error


def _read_sidecars(fit: Fit, where: str) -> None:
    """Take over what was written beside the run after it was saved."""
    notes = fit.annotations
    notes.map_coordinates = sidecars.read_map(where, len(fit.data))
    source, colours = sidecars.read_display(where)
    if not all(is_colour(colour) for colour in colours.values()):
        raise RunDamagedError(
            f"{Path(where) / DISPLAY} holds what is no colour. Delete it; clusters have the usual colours then."
        )
    notes.map_source = source if notes.map_coordinates is not None else ""
    notes.cluster_colours = colours
    names = sidecars.read_names(where)
    wrong = [
        cluster
        for cluster, name in names.items()
        if cluster not in range(fit.clustering.n_clusters) or not is_name(name)
    ]
    if wrong:
        raise InvalidParameterError(
            f"{wrong[0]!r}: {names[wrong[0]]!r:.80} does not name a cluster. Expected a number from 0 to "
            f"{fit.clustering.n_clusters - 1} and a printable text of at most {LONGEST_NAME} characters that is "
            f"neither a number nor 'noise' nor 'runner-up'."
        )
    notes.cluster_names = dict(sorted(names.items()))
    measured = sidecars.read_stability(where)
    try:
        if measured is not None and str(measured["fit_key"]) == fit.key:
            notes.stability = Stability.from_arrays(measured)
    except (KeyError, ValueError) as error:
        raise RunDamagedError(
            f"{Path(where) / STABILITY} cannot be read ({type(error).__name__} {error}). Delete it and run stability "
            f"again."
        ) from error
