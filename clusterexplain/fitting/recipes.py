"""From a configuration to a task and a recipe: what a training is made of."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.fitting.config import Config
from clusterexplain.models import EmbeddingTask, ModelSpec, build
from clusterexplain.models.target_columns import TargetColumns
from clusterexplain.training import (
    SGD,
    Adam,
    BatchPlan,
    CompiledSteps,
    Optimizer,
    Recipe,
    Trajectory,
    with_choices_kept,
)
from clusterexplain.training.check_task import check_task
from clusterexplain.training.further_training import FurtherTraining, one_pass, train_further, usual_steps

TINY_EPS = 1e-7
"""Epsilon of Adam below which derivatives lose touch with retraining."""


def make_task(
    config: Config, own: EmbeddingTask | None, data: Dataset, inputs: Tensor, scaling: Scaling, weights: Tensor
) -> EmbeddingTask:
    """Return the task: the user's own, after its contract was probed on the first rows, or a named model.

    Parameters
    ----------
    config : Config
        Resolved.
    own : EmbeddingTask or None
        The user's own task, where `config` names no model.
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
    if own is not None:
        task = own if data.targets is None else own.with_targets(TargetColumns.of(data.targets, data.X.shape[1]))
        check_task(task, inputs[weights > 0], record=False)  # its step is recorded at the size of the batches
        return task
    if data.targets is not None:
        raise InvalidParameterError(
            f"There are targets, but model={config.model!r} takes none. Expected model=EmbeddingTask.from_module(net, "
            f"example_loss=...) whose loss is given them (net, x, y), or no targets."
        )
    assert config.model is not None, "there is a task of the user's own or a model by name"
    latent_dim = data.X.shape[1] if config.model == "precomputed" else config.latent_dim
    assert latent_dim is not None, "a configuration is resolved before it is used"
    spec = ModelSpec(
        inputs=inputs[weights > 0],
        image_shape=data.image_shape,
        background=torch.from_numpy(scaling.center / scaling.spread),
        n_clusters=config.n_clusters,
        latent_dim=latent_dim,
        hidden=config.hidden,
        activation=config.activation,
        options=dict(config.model_options or {}),
        start=config.start,
    )
    task = build(config.model, spec)
    if callable(spec.options.get("augmentation")):
        check_task(task, spec.inputs)
    return task


def training_inputs(config: Config, data: Dataset, scaling: Scaling) -> Tensor:
    """Return the rows as the network sees them, (n_samples, n_features), and their targets as further columns.

    Parameters
    ----------
    config : Config
        Resolved.
    data : Dataset
        Training data.
    scaling : Scaling
        Of the features; targets stay as they are.
    """
    rows = scaling.to_tensor(data.X, config.dtype)
    if data.targets is None:
        return rows
    return TargetColumns.of(data.targets, data.X.shape[1]).beside(rows, data.targets)


def make_recipe(config: Config, task: EmbeddingTask, inputs: Tensor, seed: int) -> Recipe:
    """Build the recipe of a training from scratch.

    Parameters
    ----------
    config : Config
        Resolved.
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
    n_steps = 0 if task.closed_form else config.n_steps
    assert n_steps is not None, "a configuration is resolved before it is used"
    return _recipe(config, task, inputs, seed, n_steps)


def trained_further(
    config: Config, task: EmbeddingTask, inputs: Tensor, seed: int, weights: Tensor, execution: Execution
) -> tuple[Trajectory, FurtherTraining]:
    """Train further from a task's own weights, for as long and as fast as the configuration says or as keeps it near them.

    Parameters
    ----------
    config, task, inputs, seed : object
        As for :func:`make_recipe`.
    weights : Tensor of shape (n_samples,)
        Data weights.
    execution : Execution
        Memory, progress.

    Returns
    -------
    Trajectory
        The recorded training.
    FurtherTraining
        What was chosen.
    """
    n_steps = config.further_steps or usual_steps(len(inputs), config.batch_size)
    recipe = _recipe(config, task, inputs, seed, n_steps)
    CompiledSteps(recipe).step_vjp(0, 2)  # what cannot be recorded is refused before a rate is searched for
    fewest = one_pass(len(inputs), config.batch_size) if config.further_steps is None else None
    return train_further(recipe, weights, rate=config.further_rate, fewest_steps=fewest, execution=execution)


def further_recipe_as(
    config: Config, task: EmbeddingTask, inputs: Tensor, seed: int, further: FurtherTraining
) -> Recipe:
    """Return the recipe of further training of a known length and rate; see :func:`trained_further`."""
    recipe = _recipe(config, task, inputs, seed, further.n_steps)
    return replace(recipe, optimizer=replace(recipe.optimizer, learning_rate=further.learning_rate))


def with_seed(config: Config, base: Recipe, weights: Tensor, seed: int) -> Recipe:
    """Return a recipe with other initial parameters and another batch plan.

    Parameters
    ----------
    config : Config
        Of its fit.
    base : Recipe
        The recipe of its fit.
    weights : Tensor of shape (n_samples,)
        Data weights of its fit, at which the discrete choices are made.
    seed : int
        Root seed.

    Returns
    -------
    Recipe
        With its discrete choices made.
    """
    recipe = replace(make_recipe(config, base.task, base.inputs, seed), traces=base.traces)
    return with_choices_kept(recipe, weights)


def smoothness_reasons(config: Config, task: EmbeddingTask) -> list[str]:
    """Return, in words, why influences of this recipe predict retraining less well; empty if it is smooth."""
    reasons = list(task.smooth_warnings)
    if config.optimizer != "sgd" and config.adam_eps < TINY_EPS:
        reasons.append(
            f"adam_eps={config.adam_eps:g} is tiny; 1e-8 lowered the agreement of predicted and retrained single "
            f"removals from 0.997 to 0.92. Use 1e-5 or more"
        )
    return reasons


def _recipe(config: Config, task: EmbeddingTask, inputs: Tensor, seed: int, n_steps: int) -> Recipe:
    init_seed, plan_seed = (int(child) for child in np.random.SeedSequence(seed).generate_state(2))
    initial = task.initial_params(torch.Generator().manual_seed(init_seed), inputs.dtype)
    plan = BatchPlan.draw(len(inputs), n_steps=n_steps, batch_size=config.batch_size, seed=plan_seed)
    optimizer = SGD(0.0, 0) if task.closed_form else _optimizer(config, n_steps)
    return Recipe(task, inputs, initial, plan, optimizer)


def _optimizer(config: Config, n_steps: int) -> Optimizer:
    assert config.learning_rate is not None, "a configuration is resolved before it is used"
    options = dict(config.optimizer_options or {})
    shape = options.pop("schedule")
    rate, decay = float(config.learning_rate), float(config.weight_decay)
    if config.optimizer == "sgd":
        return SGD(rate, n_steps, weight_decay=decay, shape=shape, **options)
    options["betas"] = tuple(options["betas"])
    decoupled, eps = config.optimizer == "adamw", float(config.adam_eps)
    return Adam(rate, n_steps, weight_decay=decay, shape=shape, eps=eps, decoupled=decoupled, **options)
