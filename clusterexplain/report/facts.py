"""What is needed to make a run again, in words."""

from __future__ import annotations

import platform

import numpy as np
import torch

from clusterexplain._version import __version__
from clusterexplain.fitting.fit import Fit

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


def facts_of(fit: Fit) -> dict[str, str]:
    """Return data, seed, parameters, loss and versions of a fit, by what they are called.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    dict of str to str
        In the order in which they are shown.
    """
    data, said = fit.data, dict(fit.config.said)
    said["model"] = said["model"] or type(fit.recipe.task).__name__
    if said["clusterer"] is None:
        said["clusterer"] = _clusterer(fit)
    said["membership_score"] = said["membership_score"] or fit.score.name
    became = {"scaling": fit.config.scaling, "membership_score": fit.score.name}
    chosen = {name: f"{_word(value)} (auto)" for name, value in became.items() if said[name] == "auto"}
    plain = {name: _word(said[name]) for name in SHOWN_PARAMETERS if said[name] is not None} | chosen
    n, width = data.X.shape
    return {
        "data": f"{data.name or 'own data'}, {n:,} rows of {width} columns, fingerprint {data.fingerprint()}",
        "seed": f"{_word(said['random_state'])} (drawn from it: {fit.seed})",
        **plain,
        "final training loss": f"{fit.loss:.6g}",
        "agreement of score and labels": f"{fit.assignment.agreement():.4f}",
        "versions": f"clusterexplain {__version__}, torch {torch.__version__}, numpy {np.__version__}, Python "
        f"{platform.python_version()}",
    }


def _clusterer(fit: Fit) -> str:
    """Say what clusters that were not found here are, and how they are found anew."""
    if fit.clustering.labels_given:
        return "labels that were given"
    again = fit.clustering.settings.get("reclusterer")
    return f"labels that were given, found anew by {again}" if again else f"{fit.clustering.name}, fitted elsewhere"


def _word(value: object) -> str:
    """Return a parameter in words."""
    return str(value)[:500]
