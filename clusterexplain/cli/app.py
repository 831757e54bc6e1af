"""``clusterexplain``: the application, its verbs in the order of the help, and how errors end.

Only typer is imported here; torch and the rest are imported when a verb runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clusterexplain.cli.commands import clusters, explain, fit, report, reproduce, verify
from clusterexplain.cli.options import option

QUESTION = "Why is this sample in that cluster, and which training examples pulled it there?"

app = typer.Typer(
    name="clusterexplain",
    help=QUESTION,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for verb in (
    fit.fit,
    explain.why,
    verify.verify,
    report.report,
    explain.flip,
    clusters.clusters,
    clusters.cluster,
    clusters.separation,
    clusters.label_conflicts,
    verify.stability,
    clusters.name,
    fit.config,
    fit.data,
    fit.demo,
):
    app.command()(verb)
app.add_typer(reproduce.reproduce)


@app.callback(invoke_without_command=True, help=QUESTION)
def version_option(version: Annotated[bool, option("--version", "Print the version and exit.")] = False) -> None:
    """Print the version if it is asked for."""
    if version:
        from clusterexplain._version import __version__

        typer.echo(f"clusterexplain {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors of this package become one line and exit code 2."""
    from clusterexplain.exceptions import ClusterExplainError

    try:
        app()
    except (ClusterExplainError, OSError) as error:
        from clusterexplain.results.text.names import terminal_safe

        typer.echo(f"Error: {terminal_safe(str(error))}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
