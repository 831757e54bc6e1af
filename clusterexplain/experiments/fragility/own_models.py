"""Both procedures on this package's own models: what pulled a sample into its cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain import ClusterExplainer, Explanation
from clusterexplain.data import load_dataset
from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.statistics import average, bootstrap_interval, sign_agreement, spearman
from clusterexplain.training import BatchPlan, Recipe

FURTHER = 0.25
"""Length of the criticised further training, as a share of the training."""
IMPLICIT = {"solver": "dense", "eigenvalues": "clamped", "damping": 0.01}
"""All of the Hessian: that of the last layer alone says nothing about centroids, which every layer moves."""


@dataclass(frozen=True)
class Models:
    """What is run.

    Parameters
    ----------
    names : tuple of str
        Models, with k-means.
    n_samples : int
        How many of the first digits are used.
    width, latent_dim : int
        Units of the encoder's hidden layer, and of the embedding: so few that the whole Hessian can be decomposed.
    n_steps : int
        Training steps.
    n_seeds : int
        Fits of each model.
    n_removed : int
        Examples that are removed one at a time, of each selection.
    n_queries : int
        Samples that are asked about: the one with the smallest margin, and others evenly spaced by margin.
    """

    names: tuple[str, ...] = ("autoencoder", "contrastive")
    n_samples: int = 500
    width: int = 16
    latent_dim: int = 4
    n_steps: int = 600
    n_seeds: int = 4
    n_removed: int = 25
    n_queries: int = 10


@dataclass(frozen=True)
class ClusterProtocol:
    """A procedure for models with clusters; every field is a factor.

    Parameters
    ----------
    queries : {"smallest margin", "stratified"}
        The one with the smallest margin, or that one and others.
    removed : {"top influence", "random"}
        By the predicted influence on the first query, or drawn.
    retraining : {"further, fresh optimizer", "from the same start"}
        From the trained parameters with other batches at the full rate, or the training again.
    null : {"not subtracted", "subtracted"}
        The change by the same retraining with nothing removed.
    influence : {"implicit", "exact derivative"}
        Damped inverse Hessian at the final parameters, or the derivative of the training.
    """

    queries: str
    removed: str
    retraining: str
    null: str
    influence: str


CRITICISED = ClusterProtocol(
    "smallest margin", "top influence", "further, fresh optimizer", "not subtracted", "implicit"
)
CONTROLLED = ClusterProtocol("stratified", "random", "from the same start", "subtracted", "exact derivative")
WORDS = {
    "queries": "query",
    "removed": "removed examples",
    "retraining": "retraining",
    "null": "null",
    "influence": "influence",
}


def of_models(models: Models, cache: ResultCache, *, execution: Execution = DEFAULT_EXECUTION) -> pd.DataFrame:
    """Change one factor at a time, from both ends, for every model.

    Parameters
    ----------
    models : Models
        What is run.
    cache : ResultCache
        Where outcomes are kept.
    execution : Execution, default=DEFAULT_EXECUTION
        Retrainings that run side by side, and a bar for the seeds.

    Returns
    -------
    DataFrame
        As :func:`~clusterexplain.experiments.fragility.factors.compare` returns, with columns model and end ("criticised" or
        "controlled") instead of data and depth.
    """
    comparisons = []
    for name in models.names:
        parts = []
        for seed in execution.track(range(models.n_seeds), name):
            settings = {"model": name, "seed": seed, "n_samples": models.n_samples, "n_steps": models.n_steps}
            settings |= {"n_removed": models.n_removed, "n_queries": models.n_queries}
            settings |= {"width": models.width, "latent_dim": models.latent_dim}
            parts.append(cache.frame("model", settings, partial(outcomes, models, name, seed, execution)))
        comparisons += [_compare(name, "criticised", CRITICISED, CONTROLLED, parts)]
        comparisons += [_compare(name, "controlled", CONTROLLED, CRITICISED, parts)]
    return pd.concat(comparisons, ignore_index=True)


def outcomes(models: Models, name: str, seed: int, execution: Execution) -> pd.DataFrame:
    """Fit a model, explain it in two ways and retrain it in two ways.

    Returns
    -------
    DataFrame
        One row for each (selection, query, removed example): implicit and exact (predicted changes of the margin, labels
        kept), again (retrained from the same start, null subtracted), again_null, further (margin after further training
        minus margin before), further_null (the same with nothing removed).
    """
    data = load_dataset("digits").X[: models.n_samples]
    explainer = ClusterExplainer(
        name,
        n_clusters=10,
        hidden=(models.width,),
        latent_dim=models.latent_dim,
        n_steps=models.n_steps,
        random_state=seed,
        n_jobs=execution.n_jobs,
    ).fit(data)
    asked = _asked(explainer, models.n_queries)
    exact = explainer.explain(asked)
    implicit = explainer.explain(asked, method="implicit", method_options=IMPLICIT)
    drawn = np.random.default_rng(seed).choice(len(data), models.n_removed, replace=False)
    strongest = np.argsort(-np.abs(implicit.influence[0]), kind="stable")[: models.n_removed]
    frames = []
    for selection, removed in (("random", drawn), ("top influence", strongest)):
        weights = np.ones((len(removed) + 1, len(data)))
        weights[np.arange(1, len(removed) + 1), removed] = 0
        again = _scores(explainer, exact, explainer.fit_.recipe, weights)
        further = _scores(explainer, exact, _further(explainer), weights)
        query, removal = (index.flatten() for index in np.indices((len(asked), len(removed))))
        frames.append(
            pd.DataFrame(
                {
                    "selection": selection,
                    "query": query,
                    "row": removed[removal],
                    "implicit": -implicit.influence[query, removed[removal]],
                    "exact": -exact.influence[query, removed[removal]],
                    "again": (again[1:] - exact.scores).T[query, removal],
                    "again_null": (again[0] - exact.scores)[query],
                    "further": (further[1:] - exact.scores).T[query, removal],
                    "further_null": (further[0] - exact.scores)[query],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _asked(explainer: ClusterExplainer, n_queries: int) -> np.ndarray:
    order = np.argsort(explainer.margins_, kind="stable")
    rows: np.ndarray = order[np.linspace(0, len(order) - 1, n_queries).round().astype(int)]
    return rows


def _further(explainer: ClusterExplainer) -> Recipe:
    """Return the criticised retraining: from the trained parameters, fresh optimizer, other batches, full rate."""
    recipe = explainer.fit_.recipe
    n_steps = max(1, round(FURTHER * recipe.plan.n_steps))
    plan = BatchPlan.draw(
        recipe.n_samples, n_steps=n_steps, batch_size=recipe.plan.batch_size, seed=recipe.plan.seed + 1
    )
    optimizer: Any = replace(recipe.optimizer, n_steps=n_steps, warmup=0.0, shape="constant")
    return replace(recipe, initial=explainer.fit_.params, plan=plan, optimizer=optimizer)


def _scores(explainer: ClusterExplainer, explanation: Explanation, recipe: Recipe, weights: np.ndarray) -> np.ndarray:
    """Return margins of shape (n_retrainings, n_queries) after training a recipe, cluster labels kept."""
    fit, margins = explainer.fit_, explanation.margins
    pairs = zip(fit.thetas(weights, recipe=recipe), weights, strict=True)
    return np.stack([fit.outcome(theta, row, margins, assignments="kept").scores for theta, row in pairs])


def _compare(
    name: str, end: str, base: ClusterProtocol, other: ClusterProtocol, parts: list[pd.DataFrame]
) -> pd.DataFrame:
    figures = lru_cache(lambda protocol: np.array([_figures(protocol, outcome) for outcome in parts]))
    rows = []
    for factor in ("", *WORDS):
        protocol = base if not factor else replace(base, **{factor: getattr(other, factor)})
        values = figures(protocol)
        value, change = (
            bootstrap_interval(values[:, 0], largest=1.0),
            bootstrap_interval(values[:, 0] - figures(base)[:, 0]),
        )
        rows.append(
            {
                "model": name,
                "end": end,
                "factor": WORDS.get(factor, "none"),
                "before": getattr(base, factor) if factor else "",
                "after": getattr(other, factor) if factor else "",
                "n_restarts": len(parts),
                "spearman": value.mean,
                "low": value.low,
                "high": value.high,
                "difference": change.mean,
                "difference_low": change.low,
                "difference_high": change.high,
                "signs": float(np.nanmean(values[:, 1])),
            }
        )
    return pd.DataFrame(rows)


def _figures(protocol: ClusterProtocol, outcome: pd.DataFrame) -> tuple[float, float]:
    """Return mean rank correlation and share of signs predicted of one fit."""
    picked = outcome[outcome["selection"] == protocol.removed]
    if protocol.queries == CRITICISED.queries:
        picked = picked[picked["query"] == 0]
    truth = "further" if protocol.retraining == CRITICISED.retraining else "again"
    change = picked[truth] - (picked[f"{truth}_null"] if protocol.null == CONTROLLED.null else 0.0)
    predicted = picked["implicit" if protocol.influence == CRITICISED.influence else "exact"]
    table = picked.assign(truth=change, predicted=predicted)
    tables = [table.pivot(index="row", columns="query", values=column).to_numpy() for column in ("predicted", "truth")]
    return average(spearman(*tables)), average(sign_agreement(*tables))
