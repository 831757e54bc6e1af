"""From the parameters of a ClusterExplainer to a task and a recipe, with errors that name the parameter."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import Clustering
from clusterexplain.clustering.registry import CLUSTERERS
from clusterexplain.clustering.registry import check_options as check_clusterer_options
from clusterexplain.clustering.scores import SCORES, Score
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import KINDS, Scaling
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.models import MODELS, EmbeddingTask, ModelSpec, build
from clusterexplain.models.networks import ACTIVATIONS
from clusterexplain.models.registry import check_options
from clusterexplain.training import SGD, Adam, BatchPlan, Optimizer, Recipe
from clusterexplain.training.check_task import check_task
from clusterexplain.training.further_training import FurtherTraining, choose_rate, usual_steps
from clusterexplain.training.optimizer import SCHEDULES
from clusterexplain.training.trajectory import checkpoint_spacing

TINY_EPS = 1e-7

DEFAULTS: dict[str, dict[str, Any]] = {
    "": {"n_steps": 1400, "learning_rate": 3e-3, "latent_dim": 10},
    "contrastive": {"n_steps": 600, "learning_rate": 1e-3, "latent_dim": 16},
}
"""What None stands for, by model."""

_CHOICES: dict[str, tuple[Any, ...]] = {
    "activation": tuple(sorted(ACTIVATIONS)),
    "membership_score": ("auto", *SCORES),
    "optimizer": ("adamw", "adam", "sgd"),
    "scaling": ("auto", *KINDS),
    "dtype": ("float32", "float64"),
}
_POSITIVE_WHOLE = ("n_clusters", "latent_dim", "n_steps", "batch_size", "further_steps")
_POSITIVE = ("learning_rate", "adam_eps", "max_memory", "further_rate")
_MAY_BE_NONE = ("latent_dim", "n_steps", "learning_rate", "further_steps", "further_rate")
_OPTIMIZER_OPTIONS = {
    "adamw": ("schedule", "warmup", "betas"),
    "adam": ("schedule", "warmup", "betas"),
    "sgd": ("schedule", "warmup", "momentum"),
}
_CLIPPING = ("clip", "clip_norm", "max_norm", "max_grad_norm", "gradient_clip_val", "clip_value")
_IRRELEVANT = ("random_state", "n_jobs", "max_memory", "verbose", "measure_smoothness", "min_agreement")


def value_of(explainer: Any, name: str) -> Any:
    """Return a parameter, or what None stands for with this model."""
    value = getattr(explainer, name)
    if name == "scaling":
        automatic = None if isinstance(explainer.model, EmbeddingTask) else "global"
        return automatic if value == "auto" else value
    if value is not None:
        return value
    model = explainer.model if isinstance(explainer.model, str) else ""
    return DEFAULTS.get(model, {}).get(name, DEFAULTS[""].get(name))


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
    _check_model(explainer)
    _check_clusterer(explainer)
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
    if isinstance(widths, (tuple, list)) and not widths and _needs_channels(explainer):
        raise InvalidParameterError(
            "hidden=() leaves a convolutional model without convolutions. Expected channels, for example (16, 32), or None."
        )
    if widths is not None and not whole:
        raise InvalidParameterError(
            f"hidden={widths!r} must be a tuple of positive whole numbers, the widths of the hidden layers; for example (64,)."
        )
    if explainer.n_jobs is not None and (not isinstance(explainer.n_jobs, Integral) or explainer.n_jobs == 0):
        raise InvalidParameterError(f"n_jobs={explainer.n_jobs!r} must be None or a whole number other than 0.")
    _check_numbers(explainer)
    _check_optimizer_options(explainer)
    if explainer.measure_smoothness and explainer.n_clusters < 2:
        raise InvalidParameterError(
            "measure_smoothness=True needs margins between clusters, but n_clusters=1. Expected n_clusters >= 2."
        )


def _check_clusterer(explainer: Any) -> None:
    clusterer, options = explainer.clusterer, explainer.clusterer_options
    if options is not None and not isinstance(options, dict):
        raise InvalidParameterError(
            f"clusterer_options={options!r} must be None or a dict, for example {{'covariance_type': 'diag'}}."
        )
    if isinstance(clusterer, str):
        if clusterer not in CLUSTERERS:
            raise InvalidParameterError(
                f"clusterer={clusterer!r} is unknown. Expected one of {', '.join(map(repr, CLUSTERERS))}, an estimator that "
                f"was fitted to the embedding of X, or one label for each row, -1 for noise."
            )
        check_clusterer_options(clusterer, options or {})
    elif options:
        raise InvalidParameterError(
            "clusterer_options belong to a clusterer that is asked for by name. Expected None with one that is already fitted."
        )
    share = explainer.min_agreement
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= float(share) <= 1:
        raise InvalidParameterError(f"min_agreement={share!r} must be a number from 0 to 1.")


def score_of(explainer: Any, clustering: Clustering) -> Score:
    """Return the assignment score that is explained.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    clustering : Clustering
        What is scored.

    Returns
    -------
    Score
        The clustering's own, or the one that was asked for.

    Raises
    ------
    InvalidParameterError
        If the score does not read this clustering.
    """
    name = clustering.scores[0] if explainer.membership_score == "auto" else explainer.membership_score
    if name not in clustering.scores:
        raise InvalidParameterError(
            f"membership_score={name!r} cannot score clusterer {clustering.name!r}. Expected one of "
            f"{', '.join(map(repr, clustering.scores))}, or 'auto' for the first of them."
        )
    return SCORES[name]


def _needs_channels(explainer: Any) -> bool:
    return explainer.model == "conv_autoencoder" or (explainer.model_options or {}).get("encoder") == "conv"


def _check_model(explainer: Any) -> None:
    model, options = explainer.model, explainer.model_options
    if options is not None and not isinstance(options, dict):
        raise InvalidParameterError(f"model_options={options!r} must be None or a dict, for example {{'beta': 0.1}}.")
    if isinstance(model, EmbeddingTask):
        if options:
            raise InvalidParameterError(
                "model_options belong to a model that is asked for by name. Expected None with a task of your own."
            )
        return
    if not isinstance(model, str) or model not in MODELS:
        raise InvalidParameterError(
            f"model={model!r} is unknown. Expected one of {', '.join(map(repr, MODELS))}, or a task: "
            f"EmbeddingTask.from_module(your_network, ...)."
        )
    check_options(model, options or {})


def _check_numbers(explainer: Any) -> None:
    for name in _POSITIVE_WHOLE:
        value = getattr(explainer, name)
        if value is None and name in _MAY_BE_NONE:
            continue
        if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
            raise InvalidParameterError(f"{name}={value!r} must be a whole number of at least 1.")
    for name in (*_POSITIVE, "weight_decay"):
        value = getattr(explainer, name)
        if value is None and name in _MAY_BE_NONE:
            continue
        lowest = "at least 0" if name == "weight_decay" else "above 0"
        bad = not isinstance(value, Real) or not math.isfinite(value) or value < 0 or (name in _POSITIVE and value == 0)
        if bad:
            raise InvalidParameterError(f"{name}={value!r} must be a finite number {lowest}.")


def _check_optimizer_options(explainer: Any) -> None:
    options = explainer.optimizer_options
    if options is not None and not isinstance(options, dict):
        raise InvalidParameterError(
            f"optimizer_options={options!r} must be None or a dict, for example {{'schedule': 'linear'}}."
        )
    for name, value in (options or {}).items():
        if name in _CLIPPING:
            raise InvalidParameterError(
                f"optimizer_options has {name!r}: gradient clipping is refused. It has a kink at its threshold, and one "
                f"example that pushes the norm across it rescales the step of all others, so derivatives would not predict "
                f"retraining. Lower learning_rate, raise warmup, or raise adam_eps instead."
            )
        if name not in _OPTIMIZER_OPTIONS[explainer.optimizer]:
            known = ", ".join(_OPTIMIZER_OPTIONS[explainer.optimizer])
            raise InvalidParameterError(
                f"optimizer_options has {name!r}, which optimizer={explainer.optimizer!r} does not take. Its options: {known}."
            )
        shares = value if name == "betas" else (value,)
        if name == "schedule" and value not in SCHEDULES:
            raise InvalidParameterError(
                f"optimizer_options['schedule']={value!r} is unknown. Expected one of {', '.join(map(repr, SCHEDULES))}."
            )
        numbers = isinstance(shares, (tuple, list)) and all(isinstance(s, Real) and 0 <= float(s) < 1 for s in shares)
        if name != "schedule" and not (numbers and len(shares) == (2 if name == "betas" else 1)):
            wanted = "two numbers" if name == "betas" else "a number"
            raise InvalidParameterError(f"optimizer_options[{name!r}]={value!r} must be {wanted} in [0, 1).")


def task_of(explainer: Any, data: Dataset, inputs: Tensor, scaling: Scaling, weights: Tensor) -> EmbeddingTask:
    """Return the task: the user's own, after its contract was probed on the first rows, or a named model.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    data : Dataset
        Tells whether rows are images.
    inputs : Tensor of shape (n_samples, n_features)
        Scaled training data.
    scaling : Scaling
        What was subtracted and divided by.
    weights : Tensor of shape (n_samples,)
        Data weights of the fit: what is measured on the rows (quantiles of an augmentation) leaves out absent ones.

    Returns
    -------
    EmbeddingTask
        The model.

    Raises
    ------
    InvalidTaskError
        If the user's own task breaks the contract.
    InvalidParameterError
        If a named model does not fit the data or its options.
    """
    if isinstance(explainer.model, EmbeddingTask):
        check_task(explainer.model, inputs[weights > 0])
        return explainer.model
    spec = ModelSpec(
        inputs=inputs[weights > 0],
        image_shape=data.image_shape,
        background=torch.from_numpy(scaling.center / scaling.spread),
        n_clusters=explainer.n_clusters,
        latent_dim=value_of(explainer, "latent_dim"),
        hidden=None if explainer.hidden is None else tuple(explainer.hidden),
        activation=explainer.activation,
        options=dict(explainer.model_options or {}),
    )
    task = build(explainer.model, spec)
    if callable(spec.options.get("augmentation")):
        check_task(task, spec.inputs)
    return task


def recipe(explainer: Any, task: EmbeddingTask, inputs: Tensor, seed: int) -> Recipe:
    """Build the recipe of a training from scratch.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    task : EmbeddingTask
        The model.
    inputs : Tensor of shape (n_samples, n_features)
        Scaled training data.
    seed : int
        Root seed; initial parameters and batch plan get independent children.

    Returns
    -------
    Recipe
        Everything but the data weights.
    """
    init_seed, plan_seed = _children(seed)
    n_steps = value_of(explainer, "n_steps")
    initial = task.initial_params(torch.Generator().manual_seed(init_seed), inputs.dtype)
    plan = BatchPlan.draw(len(inputs), n_steps=n_steps, batch_size=explainer.batch_size, seed=plan_seed)
    return Recipe(task, inputs, initial, plan, _optimizer(explainer, n_steps))


def further_recipe(
    explainer: Any, task: EmbeddingTask, inputs: Tensor, seed: int, weights: Tensor
) -> tuple[Recipe, FurtherTraining]:
    """Build the recipe of further training from a task's own weights, its rate chosen by a null run.

    Parameters
    ----------
    explainer, task, inputs, seed : object
        As for :func:`recipe`.
    weights : Tensor of shape (n_samples,)
        Data weights.

    Returns
    -------
    Recipe
        Everything but the data weights.
    FurtherTraining
        What was chosen.
    """
    n_steps = explainer.further_steps or usual_steps(len(inputs), explainer.batch_size)
    base = further_at(explainer, task, inputs, seed, n_steps, float(value_of(explainer, "learning_rate")))
    return choose_rate(base, weights, given=explainer.further_rate)


def further_at(
    explainer: Any, task: EmbeddingTask, inputs: Tensor, seed: int, n_steps: int, learning_rate: float
) -> Recipe:
    """Return the recipe of further training at a known length and rate; see :func:`further_recipe`."""
    init_seed, plan_seed = _children(seed)
    initial = task.initial_params(torch.Generator().manual_seed(init_seed), inputs.dtype)
    plan = BatchPlan.draw(len(inputs), n_steps=n_steps, batch_size=explainer.batch_size, seed=plan_seed)
    optimizer = replace(_optimizer(explainer, n_steps), learning_rate=learning_rate)
    return Recipe(task, inputs, initial, plan, optimizer)


def _children(seed: int) -> tuple[int, int]:
    first, second = np.random.SeedSequence(seed).generate_state(2)
    return int(first), int(second)


def _optimizer(explainer: Any, n_steps: int) -> Optimizer:
    options = dict(explainer.optimizer_options or {})
    shape = options.pop("schedule", "cosine")
    if "betas" in options:
        options["betas"] = tuple(options["betas"])
    rate, decay = float(value_of(explainer, "learning_rate")), float(explainer.weight_decay)
    if explainer.optimizer == "sgd":
        return SGD(rate, n_steps, weight_decay=decay, shape=shape, **options)
    decoupled = explainer.optimizer == "adamw"
    eps = float(explainer.adam_eps)
    return Adam(rate, n_steps, weight_decay=decay, shape=shape, eps=eps, decoupled=decoupled, **options)


def fit_key(explainer: Any, data: Dataset, seed: int, of: Recipe, clustering: Clustering) -> str:
    """Return a hash of data, seed and parameters; a refit has that of its fit.

    A task of the user's own enters by its class and its initial weights: its functions have no fingerprint.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters; those that do not change results are left out.
    data : Dataset
        Training data.
    seed : int
        Root seed.
    of : Recipe
        Its initial parameters stand for a task of the user's own.
    clustering : Clustering
        Its labels stand for a clusterer that was fitted elsewhere.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    parameters = {name: value for name, value in explainer.get_params(deep=False).items() if name not in _IRRELEVANT}
    if parameters["hidden"] is not None:
        parameters["hidden"] = [int(width) for width in explainer.hidden]
    if isinstance(explainer.model, EmbeddingTask):
        start = b"".join(value.detach().contiguous().numpy().tobytes() for value in of.initial.values())
        parameters["model"] = [type(of.task).__qualname__, list(of.initial), hashlib.sha256(start).hexdigest()]
    if not isinstance(explainer.clusterer, str):
        labels = clustering.labels.numpy().tobytes()
        parameters["clusterer"] = [clustering.name, hashlib.sha256(labels).hexdigest()]
    parameters["scaling"] = value_of(explainer, "scaling")
    shown = [data.fingerprint(), data.image_shape, seed, of.optimizer.learning_rate, sorted(parameters.items())]
    text = json.dumps(shown, default=_plain, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else f"{type(value).__module__}.{type(value).__qualname__}"


def spacing(explainer: Any, of: Recipe) -> int:
    """Return the steps between two checkpoints that fit ``explainer.max_memory``."""
    return checkpoint_spacing(of, float(explainer.max_memory))


def smoothness_reasons(explainer: Any, of: Recipe) -> list[str]:
    """Return, in words, why influences of this recipe predict retraining less well; empty if it is smooth."""
    reasons = list(of.task.smooth_warnings)
    if explainer.optimizer != "sgd" and explainer.adam_eps < TINY_EPS:
        reasons.append(
            f"adam_eps={explainer.adam_eps:g} is tiny; 1e-8 lowered the agreement of predicted and retrained single "
            f"removals from 0.997 to 0.92. Use 1e-5 or more"
        )
    return reasons
