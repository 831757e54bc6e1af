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

from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.recipes import with_seed
from clusterexplain.training import BatchPlan, Recipe
from clusterexplain.training.further_training import train_further

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


def obstacle(fit: Fit, estimand: str) -> str:
    """Say why an estimand does not exist for a model, and what does.

    Parameters
    ----------
    fit : Fit
        The fit.
    estimand : {"seed", "model", "recipe"}
        The question.

    Returns
    -------
    str
        Empty if there is none.
    """
    if estimand != "seed" and fit.recipe.task.closed_form:
        return (
            f"model={fit.config.model!r} is computed without a training: it has no other seeds and no further training. "
            f"Expected estimands='seed', and n_seeds=1."
        )
    if estimand == "recipe" and fit.pretrained:
        return (
            "Other seeds need a model that is trained here: this one is pretrained, and nobody knows its recipe. Expected "
            "n_seeds=1, and estimands='model' for a check."
        )
    if estimand == "recipe" and fit.config.clusterer == "dec":
        return (
            "With other seeds a DEC learns other clusters in another order, so the clusters of this fit have no counterpart. "
            "Expected another clusterer, for example clusterer='kmeans' on the same embedding, or n_seeds=1."
        )
    if estimand == "model" and not fit.pretrained and len(fit.recipe.task.stages()) > 1:
        return (
            "estimands='model' continues the training of the fitted model, but this one is trained in stages, and further "
            "training would repeat the first. Expected estimands='seed' or 'recipe'."
        )
    return ""


def variants_of(fit: Fit, estimand: str, seeds: list[int]) -> list[Variant]:
    """Return the ways to retrain for an estimand.

    Parameters
    ----------
    fit : Fit
        The fit.
    estimand : {"seed", "model", "recipe"}
        The question, to which there is no :func:`obstacle`.
    seeds : list of int
        Root seeds for "recipe".

    Returns
    -------
    list of Variant
        One for "seed", one for each length of further training, one for each seed.
    """
    if estimand == "seed" or (estimand == "model" and fit.pretrained):
        return [Variant(fit.recipe, "seed", "as in the fit")]
    if estimand == "recipe":
        weights = fit.trajectory.weights
        return [
            Variant(with_seed(fit.config, fit.recipe, weights, seed), f"recipe {seed}", f"seed {seed}")
            for seed in seeds
        ]
    return _further(fit)


def _further(fit: Fit) -> list[Variant]:
    trajectory, usual = fit.trajectory, max(4, round(SHARE * fit.recipe.plan.n_steps))
    variants: list[Variant] = []
    rate: float | None = None
    for factor in SWEEP:
        n_steps = max(1, round(factor * usual))
        plan = BatchPlan.draw(
            trajectory.recipe.n_samples, n_steps=n_steps, batch_size=fit.config.batch_size, seed=PLAN_SEED
        )
        optimizer = replace(trajectory.recipe.optimizer, n_steps=n_steps)
        recipe = replace(trajectory.recipe, initial=trajectory.params, plan=plan, optimizer=optimizer)
        further, chosen = train_further(recipe, trajectory.weights, rate=rate)
        rate = chosen.learning_rate
        variants.append(Variant(further.recipe, f"model {n_steps} {rate:g}", f"{n_steps} further steps"))
    return variants


def estimand_name(estimand: str, *, pretrained: bool) -> str:
    """Return what an estimand is called: the same retraining is about the model if that is pretrained."""
    return "model" if pretrained and estimand == "seed" else estimand
