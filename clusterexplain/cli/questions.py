"""The verbs for questions beyond "why is this sample here": clusters, cluster, between, flip, twins, stability, name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunOption = Annotated[
    Path | None, typer.Option("--run", help="Run directory; the newest under ./runs if not given.", show_default=False)
]
TaskOption = Annotated[str | None, typer.Option("--task", help="Your own network, as for fit.", show_default=False)]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no remarks.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="Examples on each side.")]
ClusterArgument = Annotated[str, typer.Argument(help="Number or name of a cluster.", show_default=False)]


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (clusters, cluster, between, flip, twins, stability, name):
        app.command()(verb)


def clusters(
    run: RunOption = None, task: TaskOption = None, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """List the clusters, and which of their members to ask about."""
    from clusterexplain.cli import answers

    answers.clusters(run, task=task, as_json=as_json, quiet=quiet)


def cluster(
    which: ClusterArgument,
    run: RunOption = None,
    task: TaskOption = None,
    top: TopOption = 5,
    check: Annotated[bool, typer.Option("--verify", help="Retrain without examples, about a minute.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say who holds a cluster together, who is typical of it, and which other clusters pull at it."""
    from clusterexplain.cli import answers

    answers.cluster(which, run, top, task=task, check=check, as_json=as_json, quiet=quiet)


def between(
    first: ClusterArgument,
    second: ClusterArgument,
    run: RunOption = None,
    task: TaskOption = None,
    top: TopOption = 10,
    check: Annotated[bool, typer.Option("--verify", help="Retrain without examples, about a minute.")] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Say which examples keep two clusters apart, and which merge them."""
    from clusterexplain.cli import answers

    answers.between(first, second, run, top, task=task, check=check, as_json=as_json, quiet=quiet)


def flip(
    sample: Annotated[str, typer.Option("--sample", help="Id of the sample.", show_default=False)],
    run: RunOption = None,
    task: TaskOption = None,
    against: Annotated[
        str, typer.Option("--against", help="Where to: 'runner-up', a cluster number or name, or 'noise'.")
    ] = "runner-up",
    max_removed: Annotated[
        int | None,
        typer.Option("--max-removed", min=1, help="Budget; a tenth of the examples by default.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Search for the smallest set of examples without which a sample moves. Exit code 0: found, 3: not found."""
    from clusterexplain.cli import answers

    found = answers.flip(sample, run, against, max_removed, task=task, as_json=as_json, quiet=quiet)
    raise typer.Exit(0 if found.flipped else 3)


def twins(
    run: RunOption = None,
    task: TaskOption = None,
    share: Annotated[
        float, typer.Option("--share", help="How near counts as identical: a share of nearest-neighbour distances.")
    ] = 0.01,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List near-identical rows with different labels."""
    from clusterexplain.cli import answers

    answers.twins(run, share, task=task, as_json=as_json, quiet=quiet)


def stability(
    run: RunOption = None,
    task: TaskOption = None,
    seeds: Annotated[int, typer.Option("--seeds", min=0, help="Refits with other seeds.")] = 10,
    bootstrap: Annotated[int, typer.Option("--bootstrap", min=0, help="Refits on rows drawn with replacement.")] = 10,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Refit and say which clusters and samples stay; kept with the run and shown beside every answer."""
    from clusterexplain.cli import answers

    answers.stability(run, seeds, bootstrap, task=task, as_json=as_json, quiet=quiet)


def name(
    which: Annotated[int, typer.Argument(min=0, help="Number of a cluster.", show_default=False)],
    text: Annotated[str, typer.Argument(help="Its name; '' takes the name away.", show_default=False)],
    run: RunOption = None,
    task: TaskOption = None,
) -> None:
    """Give a cluster a name, which the run keeps."""
    from clusterexplain.cli import answers

    answers.name(which, text, run, task=task)
