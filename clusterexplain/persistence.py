"""A fitted ClusterExplainer to and from a run directory."""

from __future__ import annotations

import dataclasses
import os
import platform
import warnings
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clusterexplain import runs, settings
from clusterexplain._version import __version__
from clusterexplain.clustering import KMeansClusterer
from clusterexplain.data import Dataset, list_datasets, load_dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import ClusterExplainError, ReproductionWarning, RunDamagedError
from clusterexplain.pipeline import Pipeline
from clusterexplain.training.recorded import RecordedRun, thin_out

LARGEST_REPLAY_ERROR = 1e-3


def save(explainer: Any, path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Write a fitted explainer; see :meth:`ClusterExplainer.save`."""
    run, data = explainer._pipeline.run, explainer._data
    thin = thin_out(run)
    tensors = {"final": run.final, "weights": run.weights, "plan": run.recipe.plan.indices.to(torch.int32)}
    for slot in range(run.recipe.optimizer.n_slots):
        tensors[f"checkpoints.{slot}"] = torch.stack([state[slot] for state in thin.checkpoints])
    arrays = {
        "labels": explainer.labels_,
        "ids": data.ids,
        "center": explainer._scaling.center,
        "spread": explainer._scaling.spread,
    }
    named = _is_registered(data)
    if not named:
        arrays["X"] = data.X
    tables = {} if data.metadata is None else {"metadata": data.metadata.rename(columns=str)}
    manifest = {
        "program": f"clusterexplain {__version__}",
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "parameters": _plain_parameters(explainer),
        "seed": explainer._seed,
        "spacing": thin.spacing,
        "n_clusters": explainer._pipeline.clusterer.n_clusters,
        "fingerprint": data.fingerprint(),
        "data": {
            "name": data.name if named else None,
            "feature_names": data.feature_names,
            "feature_names_in": (
                list(explainer.feature_names_in_) if hasattr(explainer, "feature_names_in_") else None
            ),
            "image_shape": data.image_shape,
        },
    }
    folder = runs.write_run(path, runs.RunContent(manifest, arrays, tensors, tables), overwrite=overwrite)
    if explainer._map is not None:
        runs.write_map(folder, explainer._map)
    return folder


def load(cls: type, path: str | os.PathLike[str], data: Any) -> Any:
    """Open a fitted explainer; see :meth:`ClusterExplainer.load`."""
    try:
        return _restore(cls, runs.read_run(path), data, str(path))
    except ClusterExplainError:
        raise
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise RunDamagedError(
            f"The run {path} is damaged: {type(error).__name__} {error} while reading its content. Restore it or fit anew."
        ) from error


def _restore(cls: type, content: runs.RunContent, data: Any, where: str) -> Any:
    manifest = content.manifest
    parameters = dict(manifest["parameters"])
    parameters["hidden"] = tuple(parameters["hidden"])
    explainer = cls(**parameters)
    dataset = _stored_data(content) if data is None else Dataset.of(data)
    runs.check_fingerprint(manifest, dataset.fingerprint(), where=where)
    settings.check(explainer)
    seed, scaling = int(manifest["seed"]), Scaling(content.arrays["center"], content.arrays["spread"])
    explainer.n_features_in_ = dataset.X.shape[1]
    if manifest["data"]["feature_names_in"] is not None:
        explainer.feature_names_in_ = np.asarray(manifest["data"]["feature_names_in"], dtype=object)
    recipe = settings.recipe(explainer, scaling.to_tensor(dataset.X, explainer.dtype), seed)
    plan = dataclasses.replace(recipe.plan, indices=content.tensors["plan"].to(torch.int64))
    slots = [content.tensors[f"checkpoints.{slot}"] for slot in range(recipe.optimizer.n_slots)]
    checkpoints = list(zip(*slots, strict=True))
    recipe = dataclasses.replace(recipe, plan=plan, initial=recipe.layout.split(checkpoints[0][0]))
    run = RecordedRun(recipe, content.tensors["weights"], checkpoints, content.tensors["final"], manifest["spacing"])
    _check_replay(run, where)
    labels = torch.from_numpy(content.arrays["labels"].astype(np.int64))
    explainer._finish(Pipeline(run, KMeansClusterer(manifest["n_clusters"], seed=seed), labels), dataset, seed, scaling)
    explainer._map = runs.read_map(where, len(dataset))
    return explainer


def _check_replay(run: RecordedRun, where: str) -> None:
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


def _stored_data(content: runs.RunContent) -> Dataset:
    described = content.manifest["data"]
    if described["name"] is not None:
        return load_dataset(described["name"])
    shape = described["image_shape"]
    return Dataset(
        content.arrays["X"],
        ids=content.arrays["ids"],
        feature_names=described["feature_names"],
        image_shape=None if shape is None else tuple(shape),
        metadata=content.tables.get("metadata", None),
    )


def _plain_parameters(explainer: Any) -> dict[str, Any]:
    parameters = explainer.get_params(deep=False)
    parameters["hidden"] = [int(width) for width in parameters["hidden"]]
    if not isinstance(parameters["random_state"], (Integral, type(None))):
        parameters["random_state"] = None  # the seed drawn from it is stored
    return {name: value.item() if isinstance(value, np.generic) else value for name, value in parameters.items()}
