"""A fitted explainer as an exhibit."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import torch

from clusterexplain._version import __version__
from clusterexplain.fitting.settings import value_of
from clusterexplain.report.context import ReportContext
from clusterexplain.report.projection import FEWEST_FOR_UMAP, principal_plane
from clusterexplain.report.samples import Renderer
from clusterexplain.results.explanation import Explanation

SHOWN_PARAMETERS = (
    "model",
    "clusterer",
    "n_clusters",
    "clusterer_options",
    "membership_score",
    "latent_dim",
    "hidden",
    "activation",
    "n_steps",
    "batch_size",
    "learning_rate",
    "weight_decay",
    "adam_eps",
    "optimizer",
    "optimizer_options",
    "model_options",
    "scaling",
    "dtype",
)


def report_context_of(
    explainer: Any, explanation: Explanation, seed: int, render: Renderer | None, *, quick: bool = False
) -> ReportContext:
    """Return what reports need of a fitted explainer.

    Parameters
    ----------
    explainer : ClusterExplainer
        Fitted.
    explanation : Explanation
        What is shown: its fit, and the names that clusters had.
    seed : int
        Drawn from its ``random_state``.
    render : Renderer or None
        The user's own way to show a row.
    quick : bool, default=False
        Draw principal components if there is no map yet, which UMAP may take half a minute for.

    Returns
    -------
    ReportContext
        Nothing is drawn or asked before it is needed.
    """
    answers: Any = explanation.basis
    plane = len(answers.data) < FEWEST_FOR_UMAP or (quick and explainer._map is None)
    return ReportContext(
        pipeline=answers.pipeline,
        data=answers.data,
        names=dict(explanation.cluster_names),
        facts=_facts(explainer, answers, seed),
        read=answers.rows_of,
        draw=(lambda: principal_plane(answers.pipeline.embedding.numpy())) if plane else (lambda: explainer.map_),
        find_label_conflicts=explainer.twins,
        ask_clusters=explainer.cohesion,
        stability=getattr(explainer, "stability_", None),
        render=render,
        drawn_by="PCA" if plane else "UMAP",
    )


def _facts(explainer: Any, answers: Any, seed: int) -> dict[str, str]:
    data, given = answers.data, explainer.get_params(deep=False)
    became = {"scaling": value_of(explainer, "scaling"), "membership_score": answers.pipeline.score.name}
    chosen = {name: f"{_word(value)} (auto)" for name, value in became.items() if given[name] == "auto"}
    plain = {name: _word(given[name]) for name in SHOWN_PARAMETERS if given[name] is not None} | chosen
    n, width = data.X.shape
    return {
        "data": f"{data.name or 'own data'}, {n:,} rows of {width} columns, fingerprint {data.fingerprint()}",
        "seed": f"{_word(given['random_state'])} (drawn from it: {seed})",
        **plain,
        "final training loss": f"{explainer.loss_:.6g}",
        "agreement of score and labels": f"{answers.pipeline.agreement():.4f}",
        "versions": f"clusterexplain {__version__}, torch {torch.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}",
    }


def _word(value: Any) -> str:
    """Return a parameter in words; objects by the name of their class."""
    if isinstance(value, np.ndarray) or (isinstance(value, list) and len(value) > 20):
        return "labels that were given"
    if value is None or isinstance(value, (str, int, float, bool, tuple, list, dict, np.generic)):
        return str(value)[:500]
    return type(value).__name__
