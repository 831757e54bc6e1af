"""``clusterexplain reproduce``: the experiments behind the method, one command each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

OutOption = Annotated[
    Path | None,
    typer.Option(
        "--out", help="Folder for tables and figures; reproduced/<experiment> if not given.", show_default=False
    ),
]
QuickOption = Annotated[bool, typer.Option("--quick", help="A small version, under three minutes: does it run at all?")]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", help="Processes or threads side by side; all cores if not given.", show_default=False),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars.")]

reproduce = typer.Typer(
    name="reproduce",
    help="Run an experiment behind the method: what is kept on disk, an interrupted one goes on where it was.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(reproduce)


@reproduce.command()
def mog(out: OutOption = None, quick: QuickOption = False, jobs: JobsOption = None, quiet: QuietOption = False) -> None:
    """Explain cluster membership on a mixture of Gaussians: the cross-loss paper's experiment, as published and corrected."""
    from clusterexplain.experiments import mixture

    _show("mog", mixture.run, out, quick=quick, jobs=jobs, quiet=quiet)


@reproduce.command()
def weat(
    out: OutOption = None, quick: QuickOption = False, jobs: JobsOption = None, quiet: QuietOption = False
) -> None:
    """Bias in word embeddings: which speeches an association comes from, and how to change it; needs the extra 'words'."""
    from clusterexplain.experiments.weat.run import run

    _show("weat", run, out, quick=quick, jobs=jobs, quiet=quiet)


def _show(experiment: str, run: Any, out: Path | None, *, quick: bool, jobs: int | None, quiet: bool) -> None:
    folder = Path("reproduced") / experiment if out is None else out
    study = run(folder, quick=quick, show_progress=not quiet, n_jobs=jobs)
    study.write(folder)
    typer.echo(str(study))
    typer.echo(f"\nTables and figures: {folder}")


@reproduce.command()
def fragility(
    out: OutOption = None, quick: QuickOption = False, jobs: JobsOption = None, quiet: QuietOption = False
) -> None:
    """Influence functions seem fragile: which steps of the usual validation make them look so, and what remains."""
    from clusterexplain.experiments.fragility.run import run

    _show("fragility", run, out, quick=quick, jobs=jobs, quiet=quiet)
