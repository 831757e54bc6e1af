"""A fitted ClusterExplainer to and from a run directory."""

from __future__ import annotations

import dataclasses
import os
import platform
import warnings
from collections.abc import Callable
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain._version import __version__
from clusterexplain.clustering import Clustering, KMeansClustering
from clusterexplain.clustering.registry import KINDS
from clusterexplain.data import Dataset, list_datasets, load_dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import (
    ClusterExplainError,
    InvalidParameterError,
    ReproductionWarning,
    RunDamagedError,
    RunMismatchError,
)
from clusterexplain.fitting import settings
from clusterexplain.fitting.fit import Pipeline
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.stability import Stability
from clusterexplain.storage import run_directory, sidecars
from clusterexplain.training import Recipe
from clusterexplain.training.further_training import FurtherTraining
from clusterexplain.training.metasmoothness import Smoothness
from clusterexplain.training.trajectory import Trajectory, subsample

LARGEST_REPLAY_ERROR = 1e-3

Model = EmbeddingTask | Callable[[Dataset], EmbeddingTask] | None


def save(explainer: Any, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a fitted explainer; see :meth:`ClusterExplainer.save`."""
    thin, data = subsample(explainer._pipeline.run), explainer._data
    named = _is_registered(data)
    tables = {} if data.metadata is None else {"metadata": data.metadata.rename(columns=str)}
    content = run_directory.RunContent(
        _manifest(explainer, thin.spacing, named=named),
        _arrays(explainer, named=named),
        _tensors(explainer, thin),
        tables,
    )
    folder = run_directory.write_run(path, content, overwrite=overwrite)
    if explainer._map is not None:
        sidecars.write_map(folder, explainer._map)
    if hasattr(explainer, "stability_"):
        sidecars.write_stability(folder, explainer.stability_.to_arrays())
    if explainer.cluster_names_:
        sidecars.write_names(folder, explainer.cluster_names_)
    return folder


def _tensors(explainer: Any, thin: Trajectory) -> dict[str, Tensor]:
    """Return the recorded training."""
    run = explainer._pipeline.run
    tensors = {"final": run.final, "weights": run.weights, "plan": run.recipe.plan.indices.to(torch.int32)}
    for slot, parts in enumerate(zip(*thin.checkpoints, strict=True)):
        tensors[f"checkpoints.{slot}"] = torch.stack(parts)
    for number, choice in enumerate(run.recipe.choices):
        if choice is not None:
            tensors[f"choices.{number}"] = choice
    return tensors


def _arrays(explainer: Any, *, named: bool) -> dict[str, np.ndarray]:
    """Return labels, embedding, ids, scaling and clusters, and the rows unless they can be had by name."""
    arrays = {
        "labels": explainer.labels_,
        "embedding": explainer.embedding_,
        "ids": explainer._data.ids,
        "center": explainer._scaling.center,
        "spread": explainer._scaling.spread,
    }
    clustering = explainer._pipeline.clustering
    arrays |= {f"clustering.{name}": array for name, array in clustering.arrays().items()}
    return arrays if named else arrays | {"X": explainer._data.X}


def _manifest(explainer: Any, spacing: int, *, named: bool) -> dict[str, Any]:
    """Return what describes the fit."""
    recipe, clustering = explainer._pipeline.run.recipe, explainer._pipeline.clustering
    return {
        "program": f"clusterexplain {__version__}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "parameters": _plain_parameters(explainer),
        "task": recipe.task.source,
        "layout": [[name, list(shape)] for name, shape in recipe.layout.shapes],
        "further": None if explainer._further is None else dataclasses.asdict(explainer._further),
        "smoothness": dataclasses.asdict(explainer.smoothness_) if hasattr(explainer, "smoothness_") else None,
        "pretrained": explainer._pipeline.pretrained,
        "loss": explainer.loss_,
        "seed": explainer._seed,
        "spacing": spacing,
        "clustering": {
            "name": clustering.name,
            "n_clusters": clustering.n_clusters,
            "settings": _plain(clustering.settings),
        },
        "fingerprint": explainer._data.fingerprint(),
        "fit_key": explainer._fit_key,
        "data": _described(explainer, named=named),
    }


def _described(explainer: Any, *, named: bool) -> dict[str, Any]:
    """Return what describes the data."""
    data = explainer._data
    return {
        "name": data.name if named else None,
        "feature_names": data.feature_names,
        "feature_names_in": list(explainer.feature_names_in_) if hasattr(explainer, "feature_names_in_") else None,
        "image_shape": data.image_shape,
        "text": data.text,
    }


def load(cls: type, path: str | os.PathLike[str], data: Any, model: Model) -> Any:
    """Open a fitted explainer; see :meth:`ClusterExplainer.load`."""
    try:
        return _restore(cls, run_directory.read_run(path), data, model, str(path))
    except ClusterExplainError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise RunDamagedError(
            f"The run {path} is damaged: {type(error).__name__} {error} while reading its content. Restore it or fit anew."
        ) from error


def _restore(cls: type, content: run_directory.RunContent, data: Any, model: Model, where: str) -> Any:
    manifest = content.manifest
    dataset = _stored_data(content) if data is None else _as_image(Dataset.of(data), manifest, where)
    run_directory.check_fingerprint(manifest, dataset.fingerprint(), where=where)
    explainer = cls(**_parameters(manifest, model, dataset, content.arrays["labels"], where))
    settings.check(explainer)
    seed, scaling = int(manifest["seed"]), Scaling(content.arrays["center"], content.arrays["spread"])
    explainer.n_features_in_ = dataset.X.shape[1]
    if manifest["data"]["feature_names_in"] is not None:
        explainer.feature_names_in_ = np.asarray(manifest["data"]["feature_names_in"], dtype=object)
    further = _as(FurtherTraining, manifest.get("further"))
    run = _run(content, _recipe(explainer, content, dataset, scaling, further, where))
    _check_replay(run, where)
    pipeline = _pipeline(explainer, run, content)
    _check_embedding(pipeline, content.arrays, where)
    explainer._finish(pipeline, dataset, seed, scaling, further, key=manifest.get("fit_key"))
    _check_loss(explainer.loss_, manifest.get("loss"), where)
    if manifest.get("smoothness") is not None:
        explainer.smoothness_ = Smoothness(**manifest["smoothness"])
    _take_beside(explainer, where)
    return explainer


def _recipe(
    explainer: Any,
    content: run_directory.RunContent,
    dataset: Dataset,
    scaling: Scaling,
    further: FurtherTraining | None,
    where: str,
) -> Recipe:
    """Return the recipe as the parameters make it; one with other parameters than the run's is refused."""
    seed, inputs = int(content.manifest["seed"]), scaling.to_tensor(dataset.X, explainer.dtype)
    task = settings.task_of(explainer, dataset, inputs, scaling, content.tensors["weights"])
    if further is None:
        recipe = settings.recipe(explainer, task, inputs, seed)
    else:
        recipe = settings.further_at(explainer, task, inputs, seed, further.n_steps, further.learning_rate)
    _check_layout(recipe, content.manifest.get("layout"), where)
    return recipe


def _run(content: run_directory.RunContent, recipe: Recipe) -> Trajectory:
    """Return the recorded training of a recipe: its batches, choices and states are those that were saved."""
    tensors = content.tensors
    names = sorted((name for name in tensors if name.startswith("checkpoints.")), key=lambda n: int(n[12:]))
    checkpoints = list(zip(*(tensors[name] for name in names), strict=True))
    stages = range(len(recipe.task.stages()))
    recipe = dataclasses.replace(
        recipe,
        plan=dataclasses.replace(recipe.plan, indices=tensors["plan"].to(torch.int64)),
        initial=recipe.layout.split(checkpoints[0][0]),
        choices=tuple(tensors.get(f"choices.{number}") for number in stages),
    )
    return Trajectory(recipe, tensors["weights"], checkpoints, tensors["final"], content.manifest["spacing"])


def _pipeline(explainer: Any, run: Trajectory, content: run_directory.RunContent) -> Pipeline:
    """Return the pipeline with the saved clusters."""
    clustering = _clustering(content)
    pretrained = bool(content.manifest["pretrained"])
    pipeline = Pipeline(run, clustering, settings.score_of(explainer, clustering), pretrained)
    return dataclasses.replace(
        pipeline, clustering=clustering.with_reference(pipeline.normalized_embedding, pipeline.weights)
    )


def _take_beside(explainer: Any, where: str) -> None:
    """Take over what was written beside the run after it was saved."""
    explainer._map = sidecars.read_map(where, len(explainer._data))
    explainer.name_clusters(sidecars.read_names(where))
    measured = sidecars.read_stability(where)
    if measured is not None and str(measured["fit_key"]) == explainer._fit_key:
        explainer.stability_ = Stability.from_arrays(measured)


def _clustering(content: run_directory.RunContent) -> Clustering:
    labels = torch.from_numpy(content.arrays["labels"].astype(np.int64))
    stored = content.manifest.get("clustering")
    if stored is None:  # formats 1 and 2 knew k-means only
        return KMeansClustering(labels, int(content.manifest["n_clusters"]))
    prefix = "clustering."
    arrays = {name.removeprefix(prefix): array for name, array in content.arrays.items() if name.startswith(prefix)}
    return KINDS[stored["name"]].restore(labels, int(stored["n_clusters"]), arrays, stored["settings"])


def _check_replay(run: Trajectory, where: str) -> None:
    """Replay the last segment: bit for bit is silent, round-off is a warning, more is damage."""
    error = run.replay_error()
    if error > LARGEST_REPLAY_ERROR:
        raise RunDamagedError(
            f"The run {where} is damaged: replaying its last steps ends elsewhere (relative error {error:.1g}). "
            f"Expected at most round-off, {LARGEST_REPLAY_ERROR:g}. Restore it or fit anew."
        )
    if error > 0:
        warnings.warn(
            f"Replaying the last steps of the run {where} did not give the saved parameters bit for bit (relative error "
            f"{error:.1g}), as happens on another machine or torch version. Explanations differ by round-off.",
            ReproductionWarning,
            stacklevel=5,
        )


def _is_registered(data: Dataset) -> bool:
    """Whether the data can be had by name, so that they need not be stored."""
    known = data.name is not None and data.name in list_datasets().index
    return known and load_dataset(str(data.name)).fingerprint() == data.fingerprint()


def _stored_data(content: run_directory.RunContent) -> Dataset:
    described = content.manifest["data"]
    if described["name"] is not None:
        named = load_dataset(described["name"])
        metadata = content.tables.get("metadata", named.metadata)
        return dataclasses.replace(named, metadata=metadata, text=described.get("text"))
    shape = described["image_shape"]
    return Dataset(
        content.arrays["X"],
        ids=content.arrays["ids"],
        feature_names=described["feature_names"],
        image_shape=None if shape is None else tuple(shape),
        metadata=content.tables.get("metadata", None),
        text=described.get("text"),
    )


def _parameters(
    manifest: dict[str, Any], model: Model, data: Dataset, labels: np.ndarray, where: str
) -> dict[str, Any]:
    """Return the stored parameters, with the task of the user's own if the run was made with one."""
    parameters = dict(manifest["parameters"])
    if parameters["clusterer"] is None:  # it was fitted elsewhere: a run holds its labels, never the estimator
        parameters["clusterer"] = labels
    if parameters["hidden"] is not None:
        parameters["hidden"] = tuple(parameters["hidden"])
    if parameters["model"] is not None:
        if model is not None:
            raise InvalidParameterError(
                f"The run {where} was made with model={parameters['model']!r}, which is built here. Expected no task."
            )
        return parameters
    if model is None:
        made = f" by {manifest['task']}" if manifest["task"] else ""
        raise InvalidParameterError(
            f"The run {where} was made with a network of your own{made}: a run holds weights, never code. Pass the task: "
            f"ClusterExplainer.load(path, model=task), or --task package.module:factory on the command line."
        )
    return parameters | {"model": model if isinstance(model, EmbeddingTask) else model(data)}


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


def _check_embedding(pipeline: Pipeline, arrays: dict[str, np.ndarray], where: str) -> None:
    """Refuse a task that computes other embeddings from the run's weights than it did."""
    if "embedding" not in arrays:  # a run of format 1
        return
    stored, found = arrays["embedding"], pipeline.embedding.numpy()
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


def _as(kind: type, stored: dict[str, Any] | None) -> Any:
    return None if stored is None else kind(**stored)


def _check_layout(recipe: Recipe, stored: list[Any] | None, where: str) -> None:
    """Refuse a task with other parameters than those of the run."""
    given = [[name, list(shape)] for name, shape in recipe.layout.shapes]
    if stored is not None and given != stored:
        words = ["; ".join(f"{name} {tuple(shape)}" for name, shape in one[:4]) for one in (stored, given)]
        raise RunMismatchError(
            f"The run {where} has the parameters {words[0]}, ... but the task has {words[1]}, ... Expected the task that the "
            f"run was made with."
        )


def _plain_parameters(explainer: Any) -> dict[str, Any]:
    parameters = explainer.get_params(deep=False)
    if callable((parameters["model_options"] or {}).get("augmentation")):
        raise InvalidParameterError(
            "model_options['augmentation'] is a function, which a run cannot hold: opening one never executes code. Expected a "
            "dict of strengths; or build a Contrastive task with it, pass model=task, and give it again to load."
        )
    if isinstance(parameters["model"], EmbeddingTask):
        parameters["model"] = None
    if not isinstance(parameters["clusterer"], str):
        parameters["clusterer"] = None
    if parameters["hidden"] is not None:
        parameters["hidden"] = [int(width) for width in parameters["hidden"]]
    if not isinstance(parameters["random_state"], (Integral, type(None))):
        parameters["random_state"] = None  # the seed drawn from it is stored
    return {name: _plain(value) for name, value in parameters.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value
