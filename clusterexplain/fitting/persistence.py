"""A fit to and from a run directory."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain._version import __version__
from clusterexplain.clustering import Clustering, ClusteringFactory, ClusteringSpec, ClusterInputs, make_clustering
from clusterexplain.clustering.registry import KINDS, is_factory
from clusterexplain.clustering.scores import SCORES, Score, make_score
from clusterexplain.data import Dataset, list_datasets, load_dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import (
    ClusterExplainError,
    InvalidParameterError,
    ReproductionWarning,
    RunDamagedError,
    RunMismatchError,
    warn,
)
from clusterexplain.execution import Execution
from clusterexplain.fitting.annotations import Annotations
from clusterexplain.fitting.config import Config
from clusterexplain.fitting.fit import Fit, learned_centroids
from clusterexplain.fitting.recipes import further_recipe_as, make_recipe, make_task
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.smoothness import Smoothness
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import LONGEST_NAME, is_name
from clusterexplain.storage import run_directory, sidecars
from clusterexplain.storage.run_files import METADATA, STABILITY
from clusterexplain.training import Recipe, Trajectory
from clusterexplain.training.further_training import FurtherTraining
from clusterexplain.training.trajectory import subsample

LARGEST_REPLAY_ERROR = 1e-3
"""Relative difference of a replayed run up to which it is taken for round-off of another machine."""

Model = EmbeddingTask | Callable[[Dataset], EmbeddingTask] | None


def save(fit: Fit, path: str | os.PathLike[str], *, overwrite: bool, feature_names_in: list[str] | None = None) -> Path:
    """Write a fit to a run directory, atomically and without pickle.

    Parameters
    ----------
    fit : Fit
        The fit; what is saved is what was fitted, whatever the estimator's parameters were set to since.
    path : path-like
        The run directory to make.
    overwrite : bool
        Replace an existing run.
    feature_names_in : list of str, optional
        Column names of the frame that was fitted.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    InvalidParameterError
        If the configuration holds a function, which a run cannot hold.
    RunWriteError
        If it cannot be written.
    """
    if callable((fit.config.model_options or {}).get("augmentation")):
        raise InvalidParameterError(
            "model_options['augmentation'] is a function, which a run cannot hold: opening one never executes code. Expected a "
            "dict of strengths; or build a Contrastive task with it, pass model=task, and give it again to load."
        )
    thin, data = subsample(fit.trajectory), fit.data
    named = _is_registered(data)
    tables = {} if data.metadata is None else {METADATA: data.metadata.rename(columns=str)}
    manifest = _manifest(fit, thin.spacing, named=named, feature_names_in=feature_names_in)
    content = run_directory.RunContent(manifest, _arrays(fit, named=named), _tensors(fit, thin), tables)
    folder = run_directory.write_run(path, content, overwrite=overwrite)
    notes = fit.annotations
    notes.run_directory = str(path)
    if notes.map_coordinates is not None:
        sidecars.write_map(folder, notes.map_coordinates)
    if notes.stability is not None:
        sidecars.write_stability(folder, notes.stability.to_arrays())
    if notes.cluster_names:
        sidecars.write_names(folder, notes.cluster_names)
    return folder


def _tensors(fit: Fit, thin: Trajectory) -> dict[str, Tensor]:
    """Return the recorded training."""
    trajectory, recipe = fit.trajectory, fit.recipe
    tensors = {"final": trajectory.final, "weights": trajectory.weights, "plan": recipe.plan.indices.to(torch.int32)}
    for slot, parts in enumerate(zip(*thin.checkpoints, strict=True)):
        tensors[f"checkpoints.{slot}"] = torch.stack(parts)
    for number, choice in enumerate(recipe.choices):
        if choice is not None:
            tensors[f"choices.{number}"] = choice
    return tensors


def _arrays(fit: Fit, *, named: bool) -> dict[str, np.ndarray]:
    """Return labels, embedding, ids, scaling and clusters, and the rows unless they can be had by name."""
    arrays = {
        "labels": fit.clustering.labels.numpy(),
        "embedding": fit.embedding.numpy(),
        "ids": fit.data.ids,
        "center": fit.scaling.center,
        "spread": fit.scaling.spread,
    }
    arrays |= {f"clustering.{name}": array for name, array in fit.clustering.arrays().items()}
    return arrays if named else arrays | {"X": fit.data.X}


def _manifest(fit: Fit, spacing: int, *, named: bool, feature_names_in: list[str] | None) -> dict[str, Any]:
    """Return what describes the fit."""
    clustering, smoothness = fit.clustering, fit.annotations.smoothness
    return {
        "program": f"clusterexplain {__version__}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "config": fit.config.to_dict(),
        "execution": dataclasses.asdict(fit.execution),
        "task": fit.recipe.task.source,
        "layout": [[name, list(shape)] for name, shape in fit.recipe.layout.shapes],
        "further": None if fit.further is None else dataclasses.asdict(fit.further),
        "smoothness": None if smoothness is None else dataclasses.asdict(smoothness),
        "pretrained": fit.pretrained,
        "loss": fit.loss,
        "seed": fit.seed,
        "spacing": spacing,
        "clustering": {
            "name": clustering.name,
            "n_clusters": clustering.n_clusters,
            "settings": _plain(clustering.settings),
        },
        "fingerprint": fit.data.fingerprint(),
        "fit_key": fit.key,
        "data": {
            "name": fit.data.name if named else None,
            "feature_names": fit.data.feature_names,
            "feature_names_in": feature_names_in,
            "image_shape": fit.data.image_shape,
            "text": fit.data.text,
            "source": fit.annotations.data_source,
        },
    }


def load(
    path: str | os.PathLike[str],
    data: Any,
    model: Model,
    *,
    clusterer: Clustering | ClusteringFactory | None = None,
    membership_score: Score | None = None,
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
    stored = _Stored.of(content, where)
    own_code = model is not None or is_factory(clusterer)  # its faults are its own, not those of the run
    with contextlib.nullcontext() if own_code else _as_damage(where):
        dataset = _stored_data(content) if data is None else _as_image(Dataset.of(data), content.manifest, where)
        run_directory.check_fingerprint(content.manifest, dataset.fingerprint(), where=where)
        task = _own_task(stored, model, dataset, where)
        fit = _restore(stored, task, dataset, clusterer, _own_score(stored, membership_score))
        _check_loss(fit.loss, content.manifest["loss"], where)
        _read_sidecars(fit, where)
        return fit, content.manifest["data"]["feature_names_in"]


@contextlib.contextmanager
def _as_damage(where: str) -> Iterator[None]:
    """Say of content that cannot be used that the run is damaged."""
    try:
        yield
    except ClusterExplainError:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, AssertionError, RuntimeError, ArithmeticError) as error:
        raise RunDamagedError(
            f"The run {where} is damaged: {type(error).__name__} {error} while it was opened. Restore it or fit anew."
        ) from error


@dataclasses.dataclass(frozen=True, eq=False)
class _Stored:
    """The content of a run, read into types; what cannot be read is damage."""

    content: run_directory.RunContent
    where: str
    config: Config
    execution: Execution
    scaling: Scaling
    seed: int
    further: FurtherTraining | None
    smoothness: Smoothness | None

    @classmethod
    def of(cls, content: run_directory.RunContent, where: str) -> _Stored:
        manifest = content.manifest
        try:
            return cls(
                content,
                where,
                Config.from_dict(manifest["config"]),
                Execution(**manifest["execution"]),
                Scaling(content.arrays["center"], content.arrays["spread"]),
                int(manifest["seed"]),
                None if manifest["further"] is None else FurtherTraining(**manifest["further"]),
                None if manifest["smoothness"] is None else Smoothness(**manifest["smoothness"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RunDamagedError(
                f"The run {where} is damaged: {type(error).__name__} {error} while reading its content. Restore it or fit anew."
            ) from error


def _restore(
    stored: _Stored,
    own: EmbeddingTask | None,
    dataset: Dataset,
    clusterer: Clustering | ClusteringFactory | None,
    score: Score | None,
) -> Fit:
    """Return the fit, its training replayed and its embedding compared with what was saved."""
    content, config, where = stored.content, stored.config, stored.where
    inputs = stored.scaling.to_tensor(dataset.X, config.dtype)
    task = make_task(config, own, dataset, inputs, stored.scaling, content.tensors["weights"])
    if stored.further is None:
        recipe = make_recipe(config, task, inputs, stored.seed)
    else:
        recipe = further_recipe_as(config, task, inputs, stored.seed, stored.further)
    _check_layout(recipe, content.manifest["layout"], where)
    trajectory = _trajectory(stored, recipe)
    _check_replay(trajectory, where)
    clustering = _clustering(stored, _own_kind(stored, clusterer, trajectory))
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
    _check_embedding(fit, content.arrays["embedding"], where)
    reference = ClusterInputs(clustering.normalize(fit.embedding), fit.weights, learned_centroids(recipe, fit.params))
    return dataclasses.replace(fit, clustering=clustering.with_reference(reference))


def _trajectory(stored: _Stored, recipe: Recipe) -> Trajectory:
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


def _read_sidecars(fit: Fit, where: str) -> None:
    """Take over what was written beside the run after it was saved."""
    notes = fit.annotations
    notes.map_coordinates = sidecars.read_map(where, len(fit.data))
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


def _clustering(stored: _Stored, own: type[Clustering] | None) -> Clustering:
    """Return the saved clusters; `own` is the class of a clusterer of the user's own."""
    prefix, content = "clustering.", stored.content
    try:
        labels = torch.from_numpy(content.arrays["labels"].astype(np.int64))
        saved = content.manifest["clustering"]
        arrays = {name.removeprefix(prefix): array for name, array in content.arrays.items() if name.startswith(prefix)}
        kind = KINDS[saved["name"]] if own is None else own
        return kind.restore(labels, int(saved["n_clusters"]), arrays, saved["settings"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunDamagedError(
            f"The run {stored.where} is damaged: {type(error).__name__} {error} while reading its clusters. Restore it or fit "
            f"anew."
        ) from error


def _own_kind(
    stored: _Stored, clusterer: Clustering | ClusteringFactory | None, trajectory: Trajectory
) -> type[Clustering] | None:
    """Return the class of a clusterer of the user's own, None for those that are built in; a function is called once."""
    name, config, where = stored.content.manifest["clustering"]["name"], stored.config, stored.where
    if clusterer is None:
        if name in KINDS:
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


def _own_score(stored: _Stored, score: Score | None) -> Score | None:
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


def _check_replay(trajectory: Trajectory, where: str) -> None:
    """Replay the last segment: bit for bit is silent, round-off is a warning, more is damage."""
    error = trajectory.replay_error()
    if error > LARGEST_REPLAY_ERROR:
        raise RunDamagedError(
            f"The run {where} is damaged: replaying its last steps ends elsewhere (relative error {error:.1g}). "
            f"Expected at most round-off, {LARGEST_REPLAY_ERROR:g}. Restore it or fit anew."
        )
    if error > 0:
        warn(
            f"Replaying the last steps of the run {where} did not give the saved parameters bit for bit (relative error "
            f"{error:.1g}), as happens on another machine or torch version. Explanations differ by round-off.",
            ReproductionWarning,
        )


def _is_registered(data: Dataset) -> bool:
    """Whether the data can be had by name, so that they need not be stored."""
    known = data.name is not None and data.name in list_datasets().index
    return known and load_dataset(str(data.name)).fingerprint() == data.fingerprint()


def _stored_data(content: run_directory.RunContent) -> Dataset:
    described = content.manifest["data"]
    if described["name"] is not None:
        named = load_dataset(described["name"])
        metadata = content.tables.get(METADATA, named.metadata)
        return dataclasses.replace(named, metadata=metadata, text=described.get("text"))
    shape = described["image_shape"]
    return Dataset(
        content.arrays["X"],
        ids=content.arrays["ids"],
        feature_names=described["feature_names"],
        image_shape=None if shape is None else tuple(shape),
        metadata=content.tables.get(METADATA, None),
        text=described.get("text"),
    )


def _own_task(stored: _Stored, model: Model, data: Dataset, where: str) -> EmbeddingTask | None:
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


def _as_image(data: Dataset, manifest: dict[str, Any], where: str) -> Dataset:
    """Give plain rows the image shape of the run, which decides about augmentations; refuse another one."""
    stored = manifest["data"]["image_shape"]
    if data.image_shape is None and stored is not None:
        return dataclasses.replace(data, image_shape=tuple(stored))
    if data.image_shape is not None and list(data.image_shape) != stored:
        raise RunMismatchError(
            f"The run {where} was made with image_shape={stored}, but the data have {list(data.image_shape)}. Expected "
            f"the same."
        )
    return data


def _check_embedding(fit: Fit, stored: np.ndarray, where: str) -> None:
    """Refuse a task that computes other embeddings from the run's weights than it did."""
    found = fit.embedding.numpy()
    error = np.abs(found - stored).max() / np.abs(stored).max() if found.shape == stored.shape else np.inf
    if not error <= LARGEST_REPLAY_ERROR:
        raise RunMismatchError(
            f"The run {where} has other embeddings than the model computes from its weights (relative error {error:.1g}). "
            f"Expected the task that the run was made with: the same layers, activations, constants and embed function."
        )


def _check_loss(found: float, stored: float | None, where: str) -> None:
    if stored is not None and abs(found - stored) > LARGEST_REPLAY_ERROR * max(abs(stored), 1e-12):
        raise RunMismatchError(
            f"The run {where} ended at a loss of {stored:.6g}, but the model's loss with its weights is {found:.6g}. Expected "
            f"the task that the run was made with: the same loss and augmentation."
        )


def _check_layout(recipe: Recipe, stored: list[Any] | None, where: str) -> None:
    """Refuse a task with other parameters than those of the run."""
    given = [[name, list(shape)] for name, shape in recipe.layout.shapes]
    if stored is not None and given != stored:
        words = ["; ".join(f"{name} {tuple(shape)}" for name, shape in one[:4]) for one in (stored, given)]
        raise RunMismatchError(
            f"The run {where} has the parameters {words[0]}, ... but the task has {words[1]}, ... Expected the task that the "
            f"run was made with."
        )


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
