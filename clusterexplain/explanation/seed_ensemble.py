"""What stays of an explanation when the recipe is trained with other seeds."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution.progress import progress
from clusterexplain.explanation.explain import Answers
from clusterexplain.fitting import settings
from clusterexplain.fitting.build import reseeded
from clusterexplain.fitting.fit import InfluenceComponents, Pipeline
from clusterexplain.fitting.variants import obstacle
from clusterexplain.influence import Unrolled
from clusterexplain.results.annotations import SeedVariability
from clusterexplain.results.explanation import Explanation
from clusterexplain.statistics import reliability
from clusterexplain.training.trajectory import train

FEWEST_SEEDS = 2


def explain_over_seeds(explainer: Any, answers: Answers, explanation: Explanation, seeds: list[int]) -> Explanation:
    """Average an explanation over trainings with other seeds, the labels of the fit kept.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    answers : Answers
        What it answers with.
    explanation : Explanation
        By the exact method; its own seed counts as the first.
    seeds : list of int
        Root seeds of further trainings.

    Returns
    -------
    Explanation
        The three parts are means over all seeds; `seed_variability` says how sure they are. Margins are those of the fit.

    Raises
    ------
    InvalidParameterError
        If there are no other seeds to train with, or the clusters are learned by the network itself.
    """
    pipeline = answers.pipeline
    reason = obstacle(explainer, pipeline, "recipe")
    if reason:
        raise InvalidParameterError(reason)
    question = answers.question_of(explanation)
    found = [InfluenceComponents(explanation.encoder, explanation.cluster, explanation.direct)]
    margins = [explanation.scores]
    for seed in progress(seeds, label="explaining with other seeds", show=answers.show_progress):
        other = _with_seed(explainer, pipeline, seed)
        found.append(other.influence(question, Unrolled(other.run, answers.n_jobs)))
        margins.append(other.scores(question, other.run.params, other.run.weights, assignments="kept")[0].numpy())
    encoder, cluster, direct = (
        np.mean([getattr(one, name) for one in found], axis=0) for name in ("encoder", "cluster", "direct")
    )
    rows = np.stack([one.total for one in found])
    own = explanation.labels[:, None] == explanation.train_labels
    summary = summarise(rows, np.stack(margins), own, explanation.sample_weight > 0)
    return dataclasses.replace(explanation, encoder=encoder, cluster=cluster, direct=direct, seed_variability=summary)


def summarise(rows: np.ndarray, margins: np.ndarray, own: np.ndarray, present: np.ndarray) -> SeedVariability:
    """Say how much explanations of several seeds share.

    Parameters
    ----------
    rows : ndarray of shape (n_seeds, n_queries, n_train)
        Influence by seed.
    margins : ndarray of shape (n_seeds, n_queries)
        Margins by seed.
    own : ndarray of shape (n_queries, n_train), bool
        Examples of the queries' own clusters.
    present : ndarray of shape (n_train,), bool
        Examples of positive weight.

    Returns
    -------
    SeedVariability
        Standard errors, stable effects, agreement between seeds.
    """
    effects = reliability.stable_effects(rows[:, :, present])
    error, stable = (np.zeros(rows.shape[1:], dtype=kind) for kind in (float, bool))
    error[:, present], stable[:, present] = effects.standard_error, effects.stable
    shared = np.array([reliability.between_seeds(rows[:, q][:, present]) for q in range(rows.shape[1])])
    within = np.array([reliability.between_seeds(rows[:, q][:, present & own[q]]) for q in range(rows.shape[1])])
    return SeedVariability(len(rows), error, stable, shared, within, margins)


def _with_seed(explainer: Any, pipeline: Pipeline, seed: int) -> Pipeline:
    """Return the pipeline of another seed with the labels of this fit."""
    recipe = reseeded(explainer, pipeline.run.recipe, pipeline.run.weights, seed)
    run = train(recipe, pipeline.run.weights, spacing=settings.spacing(explainer, recipe))
    with torch.no_grad():
        clustering = pipeline.settled(run.params, run.weights)
    return dataclasses.replace(pipeline, run=run, clustering=clustering)
