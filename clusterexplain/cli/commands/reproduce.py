"""The verbs ``reproduce mog``, ``weat`` and ``fragility``: the experiments behind the method."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterexplain.cli.options import option

if TYPE_CHECKING:
    from clusterexplain.experiments.study import Study

FOLDER = "Write tables and figures to this folder. The default is reproduced/EXPERIMENT."
SMALL = "Test that the experiment runs, in under three minutes. Its figures mean nothing."

Out = Annotated[Path | None, option("--out", FOLDER)]
Quick = Annotated[bool, option("--quick", SMALL)]
Jobs = Annotated[int | None, option("--jobs", "Run N jobs at once. The default is one for each core.", value="N")]
Quiet = Annotated[bool, option("--quiet", "Hide progress bars.", short="-q")]

reproduce = typer.Typer(
    name="reproduce",
    help="Run an experiment behind the method. Finished parts are stored on disk, so an interrupted experiment resumes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@reproduce.command()
def mog(out: Out = None, quick: Quick = False, jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Explain cluster membership in a mixture of Gaussians.

    The cross-loss paper's experiment is repeated twice: as published, and corrected.
    """
    from clusterexplain.experiments.mixture import run

    _reproduce("mog", run, out, quick=quick, jobs=jobs, quiet=quiet)


@reproduce.command()
def weat(out: Out = None, quick: Quick = False, jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Find the speeches behind a bias in word embeddings, and change it.

    The experiment needs the extra 'words'.
    """
    from clusterexplain.experiments.weat.run import run

    _reproduce("weat", run, out, quick=quick, jobs=jobs, quiet=quiet)


@reproduce.command()
def fragility(out: Out = None, quick: Quick = False, jobs: Jobs = None, quiet: Quiet = False) -> None:
    """Find the steps of the usual validation that make influence functions seem fragile."""
    from clusterexplain.experiments.fragility.run import run

    _reproduce("fragility", run, out, quick=quick, jobs=jobs, quiet=quiet)


def _reproduce(
    experiment: str, run: Callable[..., Study], out: Path | None, *, quick: bool, jobs: int | None, quiet: bool
) -> None:
    from clusterexplain.execution import Execution

    folder = Path("reproduced") / experiment if out is None else out
    study = run(folder, quick=quick, execution=Execution(jobs, progress=not quiet))
    study.write(folder)
    typer.echo(str(study))
    typer.echo(f"\nTables and figures: {folder}")
