"""An influence method in words, and as options of a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from clusterexplain.statistics.matching import NOISE

BY_NAME = ("implicit", "gradient_dot", "gradient_cosine")
"""Methods that a command can ask for; a method of your own is code, which a command does not take."""


def method_flags(method: str, options: Mapping[str, Any], n_seeds: int) -> str:
    """Return how an answer was asked for as options of a command, nothing for the usual way or a method of your own.

    Parameters
    ----------
    method : str
        Name of the influence method.
    options : mapping of str to value
        Its options.
    n_seeds : int
        Seeds that the answer is a mean of.

    Returns
    -------
    str
        For a shell, with a space before each option.

    Examples
    --------
    >>> method_flags("implicit", {"solver": "cg"}, 8)
    ' --method implicit --method-option solver=cg --seeds 8'
    >>> method_flags("unrolled", {}, 1), method_flags("own", {}, 1)
    ('', '')
    """
    name = f" --method {method}" if method in BY_NAME else ""
    chosen = "".join(f" --method-option {shlex.quote(f'{key}={value}')}" for key, value in options.items())
    return name + chosen + (f" --seeds {n_seeds}" if n_seeds > 1 else "")


def method_words(name: str, note: str) -> str:
    """Say what a method is and what its answer is about.

    Parameters
    ----------
    name : str
        The method.
    note : str
        Of the explanation.

    Returns
    -------
    str
        In words, without a full stop.

    Examples
    --------
    >>> method_words("own", "a mean over dampings"), method_words("own", "")
    ('own, a method of your own (a mean over dampings)', 'own, a method of your own')
    """
    known = {
        "unrolled": "unrolled, the derivative through every training step with batches and cluster labels held fixed",
        "further": f"further, the derivative of training on {note}, with batches and cluster labels held fixed",
        "closed_form": f"closed_form, the derivative without a training, cluster labels held fixed ({note})",
        "implicit": f"implicit, an approximation from the final parameters alone ({note})",
        "gradient_dot": "gradient_dot, a baseline: the product of two gradients at the final parameters",
        "gradient_cosine": "gradient_cosine, a baseline: the cosine of two gradients at the final parameters",
    }
    return known.get(name, f"{name}, a method of your own" + (f" ({note})" if note else ""))


def averaged_method_words(name: str, note: str, n_seeds: int) -> str:
    """Say what a method is whose answers were averaged over seeds; 1 seed is no average.

    Examples
    --------
    >>> averaged_method_words("unrolled", "", 8)
    'unrolled, the derivative through every training step with batches and cluster labels held fixed, averaged over 8
    seeds'
    """
    words = method_words(name, note)
    return words if n_seeds == 1 else f"{words}, averaged over {n_seeds} seeds"


def command(
    verb: str,
    samples: list[Any],
    run: str | None,
    against: int | None = None,
    *,
    task: str | None = None,
    flags: str = "",
) -> str:
    """Return a command to copy.

    Parameters
    ----------
    verb : str
        "why", "verify" or "report".
    samples : list
        Ids.
    run : str or None
        The run directory, if the fit is saved.
    against : int, optional
        The cluster to compare with, -1 for noise; the runner-up by default.
    task : str, optional
        Where the run's own network is made.
    flags : str, default=""
        Options of method and seeds, see :func:`method_flags`.

    Returns
    -------
    str
        For a shell.

    Examples
    --------
    >>> command("verify", [3, "a b"], "runs/new", -1)
    "clusterexplain verify --sample 3 --sample 'a b' --against noise --run runs/new"
    """
    asked = " ".join(f"--sample {shlex.quote(str(sample))}" for sample in samples)
    where = "" if run is None else f" --run {shlex.quote(run)}"
    other = "" if against is None else f" --against {'noise' if against == NOISE else against}"
    own = "" if task is None else f" --task {shlex.quote(task)}"
    return f"clusterexplain {verb} {asked}{other}{flags}{where}{own}"
