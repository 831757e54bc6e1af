"""What is asked of retraining: of this seed, of this fitted model, of the recipe; three questions, never pooled.

"seed"
    The same recipe with the same randomness from the start: what the exact method predicts.
"model"
    Further training of the fitted model from where it is, against further training with nothing removed.
"recipe"
    The mean over other seeds: other initial parameters and batch plans, from the start.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from clusterexplain.fitting.build import reseeded
from clusterexplain.fitting.fit import Pipeline
from clusterexplain.training import BatchPlan, Recipe
from clusterexplain.training.further_training import choose_rate

WORDS = {"seed": "this seed", "model": "this model", "recipe": "the recipe over seeds"}
SWEEP = (1.0, 0.25, 0.5, 2.0)
"""Lengths of further training relative to ``SHARE`` of the training; the first one is the answer, the others a control."""
SHARE = 0.1
PLAN_SEED = 1


@dataclass(frozen=True, eq=False)
class Variant:
    """One way to retrain.

    Attributes
    ----------
    recipe : Recipe
        What is trained.
    key : str
        Names it, given the fit.
    label : str
        In words.
    """

    recipe: Recipe
    key: str
    label: str


def obstacle(explainer: Any, pipeline: Pipeline, estimand: str) -> str:
    """Say why an estimand does not exist for a model, and what does.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    pipeline : Pipeline
        Its pipeline.
    estimand : {"seed", "model", "recipe"}
        The question.

    Returns
    -------
    str
        Empty if there is none.
    """
    if estimand == "recipe" and pipeline.pretrained:
        return (
            "Other seeds need a model that is trained here: this one is pretrained, and nobody knows its recipe. Expected "
            "n_seeds=1, and estimands='model' for a check."
        )
    if estimand == "recipe" and isinstance(explainer.clusterer, str) and explainer.clusterer == "dec":
        return (
            "With other seeds a DEC learns other clusters in another order, so the clusters of this fit have no counterpart. "
            "Expected another clusterer, for example clusterer='kmeans' on the same embedding, or n_seeds=1."
        )
    if estimand == "model" and not pipeline.pretrained and len(pipeline.run.recipe.task.stages()) > 1:
        return (
            "estimands='model' continues the training of the fitted model, but this one is trained in stages, and further "
            "training would repeat the first. Expected estimands='seed' or 'recipe'."
        )
    return ""


def variants_of(explainer: Any, pipeline: Pipeline, estimand: str, seeds: list[int]) -> list[Variant]:
    """Return the ways to retrain for an estimand.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    pipeline : Pipeline
        Its pipeline.
    estimand : {"seed", "model", "recipe"}
        The question, to which there is no :func:`obstacle`.
    seeds : list of int
        Root seeds for "recipe".

    Returns
    -------
    list of Variant
        One for "seed", one for each length of further training, one for each seed.
    """
    recipe = pipeline.run.recipe
    if estimand == "seed" or (estimand == "model" and pipeline.pretrained):
        return [Variant(recipe, "seed", "as in the fit")]
    if estimand == "recipe":
        weights = pipeline.run.weights
        return [Variant(reseeded(explainer, recipe, weights, one), f"recipe {one}", f"seed {one}") for one in seeds]
    return _further(explainer, pipeline)


def _further(explainer: Any, pipeline: Pipeline) -> list[Variant]:
    run, usual = pipeline.run, max(4, round(SHARE * pipeline.run.recipe.plan.n_steps))
    found: list[Variant] = []
    rate: float | None = None
    size = int(explainer.batch_size)
    for factor in SWEEP:
        n_steps = max(1, round(factor * usual))
        plan = BatchPlan.draw(run.recipe.n_samples, n_steps=n_steps, batch_size=size, seed=PLAN_SEED)
        optimizer = replace(run.recipe.optimizer, n_steps=n_steps)
        recipe = Recipe(run.recipe.task, run.recipe.inputs, run.params, plan, optimizer, run.recipe.choices)
        recipe, chosen = choose_rate(recipe, run.weights, given=rate)
        rate = chosen.learning_rate
        found.append(Variant(recipe, f"model {n_steps} {rate:g}", f"{n_steps} further steps"))
    return found


def estimand_name(estimand: str, *, pretrained: bool) -> str:
    """Return what an estimand is called: the same retraining is about the model if that is pretrained."""
    return "model" if pretrained and estimand == "seed" else estimand
