"""What a user typed, read with the run that it is about: the run itself, ids, clusters, methods and NAME=VALUE pairs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterexplain.exceptions import InvalidParameterError

if TYPE_CHECKING:
    from clusterexplain.estimator import ClusterExplainer


def open_run(
    run: Path | None, task: str | None, *, quiet: bool, reclusterer: str | None = None
) -> tuple[Path, ClusterExplainer]:
    """Open a run.

    Parameters
    ----------
    run : Path or None
        Its directory; None for the newest under ./runs.
    task : str or None
        The user's own network, ``package.module:factory``.
    quiet : bool
        Whether progress bars and remarks are hidden.
    reclusterer : str, optional
        The user's own function that finds given labels anew, ``package.module:function``.

    Returns
    -------
    Path
        The run directory.
    ClusterExplainer
        The fitted estimator.
    """
    from clusterexplain.cli import terminal
    from clusterexplain.cli.tasks import find_factory, find_reclusterer
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.storage.run_directory import newest_run

    terminal.set_verbosity(quiet=quiet)
    folder = newest_run() if run is None else run
    if run is None and not quiet:
        terminal.newest_run(folder)
    explainer = ClusterExplainer.load(
        folder,
        model=None if task is None else find_factory(task),
        reclusterer=None if reclusterer is None else find_reclusterer(reclusterer),
    )
    explainer.set_params(verbose=not quiet)
    return folder, explainer


def sample_ids(texts: list[str], explainer: ClusterExplainer) -> list[Any]:
    """Return ids in the type of the run's ids: whole numbers where those are numbers, else text."""
    if explainer.data_.ids.dtype.kind not in "iu":
        return list(texts)
    return [int(text) if re.fullmatch("-?[0-9]+", text) else text for text in texts]


def compared_cluster(against: str, explainer: ClusterExplainer) -> str | int:
    """Return the cluster to compare with as ``explain`` takes it: 'runner-up', 'noise' or a cluster number."""
    return against if against in ("runner-up", "noise") else cluster_number(against, explainer)


def cluster_number(text: str, explainer: ClusterExplainer) -> int:
    """Return the number of a cluster that is given by its number or its name.

    Parameters
    ----------
    text : str
        Number or name.
    explainer : ClusterExplainer
        Whose clusters.

    Returns
    -------
    int
        The number; whether a cluster has it is left to the library.

    Raises
    ------
    InvalidParameterError
        If no cluster, or more than one, has this name.
    """
    if re.fullmatch("-?[0-9]+", text):
        return int(text)
    numbers = [cluster for cluster, name in explainer.cluster_names_.items() if name == text]
    if len(numbers) > 1:
        raise InvalidParameterError(
            f"{text!r} is the name of clusters {', '.join(map(str, numbers))}. Expected one of these numbers, or a name that "
            f"one cluster has."
        )
    if not numbers:
        known = ", ".join(repr(name) for name in explainer.cluster_names_.values()) or "none so far"
        raise InvalidParameterError(
            f"No cluster has the name {text!r}. Expected a cluster number, or the name of a cluster ({known}). `clusterexplain "
            f"name` names a cluster."
        )
    return numbers[0]


def method_arguments(method: str, method_option: list[str] | None, seeds: int) -> dict[str, Any]:
    """Return the arguments of ``explain`` that choose the influence method and the number of seeds."""
    method_options = name_value_pairs(method_option, "--method-option", "damping=0.1") or None
    return {"method": method, "method_options": method_options, "n_seeds": seeds}


def name_value_pairs(texts: list[str] | None, flag: str, example: str) -> dict[str, Any]:
    """Return NAME=VALUE pairs by name; values are JSON where they can be, else text.

    Parameters
    ----------
    texts : list of str or None
        The pairs.
    flag, example : str
        The option of the command line that they came from and a pair that it takes, for the message.

    Returns
    -------
    dict of str to object
        Values by name.

    Raises
    ------
    InvalidParameterError
        If a text has another form.
    """
    options = {}
    for text in texts or []:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise InvalidParameterError(
                f"{flag} {text!r} does not have the form NAME=VALUE. Expected for example {example}."
            )
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options
