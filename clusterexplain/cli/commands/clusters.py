"""Verbs about clusters: list, explain and name them, separate two, and find near-duplicates with different labels."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterexplain.cli import options
from clusterexplain.cli.arguments import cluster_number, open_run
from clusterexplain.cli.options import option

if TYPE_CHECKING:
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.results.explanation import Explanation

MEMBER_COLUMNS = {"rival": "runner-up", "self_influence": "if removed, change of its margin"}
OTHER_COLUMNS = {
    "rival": "cluster",
    "margin": "mean margin",
    "n_runner_up": "runner-up of",
    "pull": "if all its members are removed",
    "strongest": "strongest member",
}

NEAREST = "Count a pair whose distance is among this share of the smallest nearest-neighbour distances."

Share = Annotated[float, option("--share", NEAREST)]
Cluster = Annotated[str, typer.Argument(help="Number or name of a cluster.", show_default=False)]


def clusters(
    run: options.Run = None, task: options.Task = None, as_json: options.Json = False, quiet: options.Quiet = False
) -> None:
    """List the clusters, with a typical and a marginal member of each."""
    from clusterexplain.cli import terminal

    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    overview = explainer.clusters()
    if as_json:
        terminal.as_json(overview.astype(object).to_dict("records"))
        return
    shown = overview.drop(columns=["cluster", "share"]).rename(columns=lambda column: column.replace("_", " "))
    terminal.table(
        shown,
        "Clusters: the typical member has the largest margin, the marginal one the smallest (below 0: outside)",
    )
    marginal = overview["marginal"].iloc[int(overview["smallest_margin"].argmin())]
    terminal.next_command("why", [("sample", marginal)], None if run is None else folder, task)


def cluster(
    which: Cluster,
    run: options.Run = None,
    task: options.Task = None,
    top: options.Top = 5,
    verify: options.Verify = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Explain a cluster: the examples that hold it together, its typical members, and the other clusters."""
    from clusterexplain.cli import terminal

    _, explainer = open_run(run, task, quiet=quiet or as_json)
    answer = explainer.explain_cluster(cluster_number(which, explainer), n_shown=top)
    cohesion, checked = _verified(explainer, answer.cohesion, verify=verify)
    if as_json:
        terminal.as_json({**answer.to_dict(top), **cohesion.to_dict(top), **checked})
        return
    terminal.answer(cohesion, top)
    for title, members in (
        ("Most typical members: largest margin", answer.typical(top)),
        ("Least typical members: smallest margin", answer.untypical(top)),
    ):
        flipped = members.assign(self_influence=-members["self_influence"])
        terminal.table(flipped.rename(columns=MEMBER_COLUMNS), title)
    others = answer.towards.assign(pull=-answer.towards["pull"]).rename(columns=OTHER_COLUMNS)
    terminal.table(others, "Other clusters: mean margin of this cluster's members against each")
    terminal.line(
        "Every change is predicted. Above 0, the mean margin grows if the other cluster's members are removed."
    )


def separation(
    first: Cluster,
    second: Cluster,
    run: options.Run = None,
    task: options.Task = None,
    top: options.Top = 10,
    verify: options.Verify = False,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List the training examples that keep two clusters apart, and those that merge them."""
    from clusterexplain.cli import terminal

    _, explainer = open_run(run, task, quiet=quiet or as_json)
    explanation = explainer.separation(cluster_number(first, explainer), cluster_number(second, explainer))
    explanation, checked = _verified(explainer, explanation, verify=verify)
    if as_json:
        terminal.as_json({**explanation.to_dict(top), **checked})
    else:
        terminal.answer(explanation, top)


def label_conflicts(
    run: options.Run = None,
    task: options.Task = None,
    share: Share = 0.01,
    show: options.Show = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """List near-duplicates with different labels."""
    from clusterexplain.cli import terminal

    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    conflicts = explainer.label_conflicts(share=share, show=show)
    if as_json:
        terminal.as_json(json.loads(conflicts.to_json(orient="records")))
        return
    if not len(conflicts):
        terminal.line(
            "No near-duplicates have different labels. A larger --share also counts pairs that are less alike."
        )
        return
    shown = conflicts.rename(columns=lambda column: column.replace("_", " ").replace("near ", "near-"))
    terminal.table(shown, "Near-duplicates with different labels (-1 is noise)")
    first = conflicts.to_dict("records")[0]
    other = "noise" if first["near_duplicate_cluster"] < 0 else first["near_duplicate_cluster"]
    terminal.next_command("why", [("sample", first["id"]), ("against", other)], None if run is None else folder, task)


def name(
    which: Annotated[int, typer.Argument(min=0, help="Number of a cluster.", show_default=False)],
    text: Annotated[str, typer.Argument(help="Its name. An empty name ('') removes the name.", show_default=False)],
    run: options.Run = None,
    task: options.Task = None,
) -> None:
    """Name a cluster. The run stores the name."""
    from clusterexplain.cli import terminal
    from clusterexplain.storage.sidecars import write_names

    folder, explainer = open_run(run, task, quiet=True)
    explainer.name_clusters({which: text})
    write_names(folder, explainer.cluster_names_)
    names = [f'{number} "{given}"' for number, given in explainer.cluster_names_.items()]
    terminal.line(f"Names in {folder}: {', '.join(names) or 'none'}.")


def _verified(
    explainer: ClusterExplainer, explanation: Explanation, *, verify: bool
) -> tuple[Explanation, dict[str, Any]]:
    """Return an explanation with its check, and the check as plain data, if it is asked for."""
    if not verify:
        return explanation, {}
    check = explainer.verify(explanation)
    return check.explanation, {"check": check.to_dict()}
