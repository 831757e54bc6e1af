"""What a fit differentiates: a training from scratch, or further training of a pretrained model."""

from __future__ import annotations

import warnings
from typing import Any

from torch import Tensor

from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.exceptions import DriftWarning, InvalidParameterError, SmoothnessWarning
from clusterexplain.fitting import settings
from clusterexplain.models import EmbeddingTask
from clusterexplain.training import Recipe
from clusterexplain.training.further_training import FurtherTraining

LARGEST_USUAL_DRIFT = 0.1


def make_recipe(
    explainer: Any, data: Dataset, scaling: Scaling, seed: int, weights: Tensor, *, train: bool
) -> tuple[Recipe, FurtherTraining | None]:
    """Return the recipe of a training, or of further training from the weights of the user's own task.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    data : Dataset
        Training data.
    scaling : Scaling
        Of the columns.
    seed : int
        Root seed.
    weights : Tensor of shape (n_samples,)
        Data weights.
    train : bool
        False keeps the weights that the task brings along.

    Returns
    -------
    Recipe
        With its discrete choices made.
    FurtherTraining or None
        What was chosen, if the model is pretrained.

    Raises
    ------
    InvalidParameterError
        If a model that is built here is asked to keep weights.
    """
    own = isinstance(explainer.model, EmbeddingTask)
    if not train and not (own and explainer.model.pretrained):
        named = type(explainer.model).__name__ if own else repr(explainer.model)
        raise InvalidParameterError(
            f"train=False keeps the weights of a pretrained network, but model={named} is built here and has none. "
            f"Expected model=EmbeddingTask.from_module(your_network, ...), or train=True."
        )
    inputs = scaling.to_tensor(data.X, explainer.dtype)
    task, weights = settings.task_of(explainer, data, inputs, scaling, weights), weights.to(inputs.dtype)
    if not train:
        recipe, further = settings.further_recipe(explainer, task, inputs, seed, weights)
        if further.drift > LARGEST_USUAL_DRIFT:
            warnings.warn(
                f"Further training moves the embedding by {further.drift:.0%} of its spread with nothing removed, so answers "
                f"are about another model than the one that arrived. Lower further_rate or further_steps, or leave both to be "
                f"chosen.",
                DriftWarning,
                stacklevel=3,
            )
        recipe.batched_step_vjp(0, 2)  # what cannot be recorded is refused here and not after the fit
        return recipe, further
    recipe = settings.recipe(explainer, task, inputs, seed)
    if own:
        recipe.batched_step_vjp(0, 2)
    for reason in settings.smoothness_reasons(explainer, recipe):
        warnings.warn(f"This recipe is not smooth: {reason}.", SmoothnessWarning, stacklevel=3)
    return recipe.with_choices_kept(weights), None


def reseeded(explainer: Any, base: Recipe, weights: Tensor, seed: int) -> Recipe:
    """Return a recipe with other initial parameters and another batch plan.

    Parameters
    ----------
    explainer : ClusterExplainer
        Its parameters.
    base : Recipe
        The recipe of its fit.
    weights : Tensor of shape (n_samples,)
        Data weights of its fit, at which the discrete choices are made.
    seed : int
        Root seed.

    Returns
    -------
    Recipe
        Settled.
    """
    recipe = settings.recipe(explainer, base.task, base.inputs, seed)
    if not any(stage.freeze_choice for stage in base.task.stages()):
        recipe._traces.update(base._traces)  # a trace holds no parameters; a stage's choice would be part of it
    return recipe.with_choices_kept(weights)
