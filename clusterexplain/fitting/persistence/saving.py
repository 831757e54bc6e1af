"""A fit written to a run directory."""

from __future__ import annotations

import dataclasses
import os
import platform
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain._version import __version__
from clusterexplain.data import Dataset, list_datasets, load_dataset
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.fitting.fit import Fit
from clusterexplain.storage import run_directory, sidecars
from clusterexplain.storage.run_files import METADATA
from clusterexplain.training import Trajectory
from clusterexplain.training.trajectory import subsample


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
    if notes.map_source or notes.cluster_colours:
        sidecars.write_display(folder, notes.map_source, notes.cluster_colours)
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
    if fit.data.targets is not None:
        arrays["targets"] = fit.data.targets
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
            "use_rep": fit.data.use_rep,
            "pictures": fit.data.pictures,
            "source": fit.annotations.data_source,
        },
    }


def _plain(value: object) -> object:
    """Return settings as JSON that comes back as it was: infinity stays infinity, which ``to_jsonable`` writes as null."""
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(entry) for entry in value]
    return value.item() if isinstance(value, np.generic) else value


def _is_registered(data: Dataset) -> bool:
    """Whether the data can be had by name, so that they need not be stored."""
    known = data.name is not None and data.name in list_datasets().index
    return known and load_dataset(str(data.name)).fingerprint() == data.fingerprint()
