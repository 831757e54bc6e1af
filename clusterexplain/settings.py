"""From the parameters of a ClusterExplainer to a recipe, with errors that name the parameter."""

from __future__ import annotations

import hashlib
import json
import math
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.data import Dataset
from clusterexplain.data.scaling import KINDS
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models.autoencoder import ACTIVATIONS, Autoencoder
from clusterexplain.training import Adam, BatchPlan, Recipe
from clusterexplain.training.recorded import checkpoint_spacing

TINY_EPS = 1e-7

_CHOICES: dict[str, tuple[Any, ...]] = {
    "model": ("autoencoder",),
    "activation": tuple(sorted(ACTIVATIONS)),
    "clusterer": ("kmeans",),
    "scaling": KINDS,
    "dtype": ("float32", "float64"),
}
_POSITIVE_WHOLE = ("n_clusters", "latent_dim", "n_steps", "batch_size")
_POSITIVE = ("learning_rate", "adam_eps", "max_memory")


def check(explainer: Any) -> None:
    """Refuse parameters outside their range.

    Parameters
    ----------
    explainer : ClusterExplainer
        Only its parameters are read.

    Raises
    ------
    InvalidParameterError
        Naming the parameter, its value and what was expected.
    """
    for name, allowed in _CHOICES.items():
        value = getattr(explainer, name)
        if not isinstance(value, (str, type(None))) or value not in allowed:
            raise InvalidParameterError(
                f"{name}={value!r} is unknown. Expected one of {', '.join(map(repr, allowed))}."
            )
    widths = explainer.hidden
    whole = isinstance(widths, (tuple, list)) and all(
        isinstance(width, Integral) and int(width) >= 1 for width in widths
    )
    if not whole:
        raise InvalidParameterError(
            f"hidden={widths!r} must be a tuple of positive whole numbers, the widths of the hidden layers; for example (64,)."
        )
    if explainer.n_jobs is not None and (not isinstance(explainer.n_jobs, Integral) or explainer.n_jobs == 0):
        raise InvalidParameterError(f"n_jobs={explainer.n_jobs!r} must be None or a whole number other than 0.")
    for name in _POSITIVE_WHOLE:
        value = getattr(explainer, name)
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise InvalidParameterError(f"{name}={value!r} must be a whole number of at least 1.")
    for name in (*_POSITIVE, "weight_decay"):
        value = getattr(explainer, name)
        lowest = "at least 0" if name == "weight_decay" else "above 0"
        bad = not isinstance(value, Real) or not math.isfinite(value) or value < 0 or (name in _POSITIVE and value == 0)
        if bad:
            raise InvalidParameterError(f"{name}={value!r} must be a finite number {lowest}.")


def recipe(explainer: Any, inputs: Tensor, seed: int) -> Recipe:
    """Build the training recipe.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    inputs : Tensor of shape (n_samples, n_features)
        Scaled training data.
    seed : int
        Root seed; initial parameters and batch plan get independent children.

    Returns
    -------
    Recipe
        Everything but the data weights.
    """
    init_seed, plan_seed = (int(child) for child in np.random.SeedSequence(seed).generate_state(2))
    task = Autoencoder(
        inputs.shape[1],
        hidden=tuple(explainer.hidden),
        latent_dim=explainer.latent_dim,
        activation=explainer.activation,
    )
    initial = task.initial_params(torch.Generator().manual_seed(init_seed), inputs.dtype)
    plan = BatchPlan.draw(len(inputs), n_steps=explainer.n_steps, batch_size=explainer.batch_size, seed=plan_seed)
    optimizer = Adam(
        float(explainer.learning_rate),
        explainer.n_steps,
        eps=float(explainer.adam_eps),
        weight_decay=float(explainer.weight_decay),
    )
    return Recipe(task, inputs, initial, plan, optimizer)


def fit_key(explainer: Any, data: Dataset, seed: int) -> str:
    """Return a hash of data, seed and recipe: equal for a fit and its refits, and for nothing else.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters; those that do not change results are left out.
    data : Dataset
        Training data.
    seed : int
        Root seed.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    parameters = {
        name: value
        for name, value in explainer.get_params(deep=False).items()
        if name not in ("random_state", "n_jobs", "max_memory", "verbose")
    }
    parameters["hidden"] = [int(width) for width in explainer.hidden]
    text = json.dumps([data.fingerprint(), seed, {name: str(value) for name, value in sorted(parameters.items())}])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spacing(explainer: Any, of: Recipe) -> int:
    """Return the steps between two checkpoints that fit ``explainer.max_memory``."""
    return checkpoint_spacing(of, float(explainer.max_memory))


def smoothness_reasons(explainer: Any, of: Recipe) -> list[str]:
    """Return, in words, why influences of this recipe predict retraining less well; empty if it is smooth."""
    reasons = list(of.task.smooth_warnings)
    if explainer.adam_eps < TINY_EPS:
        reasons.append(
            f"adam_eps={explainer.adam_eps:g} is tiny; 1e-8 lowered the agreement of predicted and retrained single "
            f"removals from 0.997 to 0.92. Use 1e-5 or more"
        )
    return reasons
