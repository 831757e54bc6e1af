"""``clusterexplain``: fit, why, verify, report, data, demo; the other questions are in :mod:`clusterexplain.cli.questions`.

Only typer is imported here; torch and the rest come when a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="clusterexplain",
    help="Why is this sample in that cluster, and which training examples pulled it there?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

RunOption = Annotated[
    Path | None, typer.Option("--run", help="Run directory; the newest under ./runs if not given.", show_default=False)
]
SampleOption = Annotated[
    list[str] | None,
    typer.Option("--sample", help="Id of the sample; may be given several times.", show_default=False),
]
RowOption = Annotated[
    Path | None,
    typer.Option(
        "--row", help="New rows instead: a .csv, .parquet or .npy file with the run's columns.", show_default=False
    ),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        help="Your own network: package.module:factory, a function of the data set (or of nothing) that returns an "
        "EmbeddingTask. Runs Python code that you name.",
        show_default=False,
    ),
]
AgainstOption = Annotated[
    str, typer.Option("--against", help="Rival: 'runner-up', a cluster number or name, or 'noise'.")
]
MethodOption = Annotated[
    str,
    typer.Option(
        "--method", help="Influence method: auto (the exact one), implicit (classical), gradient_dot, gradient_cosine."
    ),
]
MethodOptionOption = Annotated[
    list[str] | None,
    typer.Option(
        "--method-option",
        help="Option of the method, NAME=VALUE (solver=dense, damping=0.1); may be given several times.",
        show_default=False,
    ),
]
SeedsOption = Annotated[
    int, typer.Option("--seeds", min=1, help="Average over trainings with so many seeds: what stays of the answer.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars, no remarks.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
TopOption = Annotated[int, typer.Option("--top", min=1, help="Examples on each side.")]
PictureOption = Annotated[
    Path | None,
    typer.Option(
        help="Write a picture of one chart instead, one for each of several samples; needs the extra 'export'.",
        show_default=False,
    ),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace an existing run.")]


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Why is this sample in that cluster, and which training examples pulled it there?"""
    if version:
        from clusterexplain._version import __version__

        typer.echo(f"clusterexplain {__version__}")
        raise typer.Exit


@app.command()
def fit(
    data: Annotated[
        str, typer.Option("--data", help="Name of a data set (see `data`), or a .csv, .parquet or .npy file.")
    ],
    out: Annotated[Path, typer.Option("--out", help="Run directory to make.")],
    ids: Annotated[
        str | None, typer.Option("--ids", help="Column of the file that holds the ids.", show_default=False)
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(
            "--text",
            help="Column that holds what each row is as text: not trained on, but shown in reports.",
            show_default=False,
        ),
    ] = None,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata",
            help="Column to keep without training on it, for `why --by`; may be given several times.",
            show_default=False,
        ),
    ] = None,
    clusters: Annotated[
        int | None,
        typer.Option(
            "--clusters",
            min=2,
            help="Number of clusters; by default the usual one of a named data set, else 8.",
            show_default=False,
        ),
    ] = None,
    clusterer: Annotated[
        str,
        typer.Option("--clusterer", help="kmeans, spherical_kmeans, soft_kmeans, gmm, hdbscan or dec."),
    ] = "kmeans",
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            help="Your own labels instead: a .csv, .parquet or .npy file with one whole number for each row, -1 for noise.",
            show_default=False,
        ),
    ] = None,
    option: Annotated[
        list[str] | None,
        typer.Option(
            "--option", help="Option of the clusterer, NAME=VALUE; may be given several times.", show_default=False
        ),
    ] = None,
    score: Annotated[str, typer.Option("--score", help="Assignment score; 'auto' fits the clusterer.")] = "auto",
    min_agreement: Annotated[
        float, typer.Option("--min-agreement", help="Least share of samples on which score and labels agree.")
    ] = 0.8,
    model: Annotated[
        str, typer.Option("--model", help="autoencoder, conv_autoencoder, vae, contrastive or dec.")
    ] = "autoencoder",
    task: TaskOption = None,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train, or keep the weights that --task brings along.")
    ] = True,
    latent_dim: Annotated[
        int | None,
        typer.Option(
            "--latent-dim", min=1, help="Dimension of the embedding; by default the model's.", show_default=False
        ),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option("--steps", min=1, help="Training steps; by default the model's.", show_default=False),
    ] = None,
    measure_smoothness: Annotated[
        bool, typer.Option("--measure-smoothness", help="Measure whether derivatives of this recipe can be trusted.")
    ] = False,
    scaling: Annotated[
        str,
        typer.Option(
            "--scaling",
            help="'global' (columns of one unit), 'standard' (columns of different units) or 'none'. 'auto' is 'global', but "
            "'none' with --task.",
        ),
    ] = "auto",
    seed: Annotated[int, typer.Option("--seed", help="Seed of everything.")] = 0,
    max_memory: Annotated[float, typer.Option("--max-memory", help="Budget of the recorded training, in GB.")] = 2.0,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train, cluster and save a run."""
    from clusterexplain.cli import commands

    commands.fit(
        data, out, clusters, task=task, train=train, overwrite=overwrite, quiet=quiet, model=model, latent_dim=latent_dim,
        n_steps=steps, scaling=None if scaling == "none" else scaling, random_state=seed, max_memory=max_memory * 1e9,
        measure_smoothness=measure_smoothness, clusterer=clusterer, labels=labels, option=option or [],
        columns={"ids": ids, "text": text, "metadata": metadata or []},
        membership_score=score, min_agreement=min_agreement,
    )  # fmt: skip


@app.command()
def why(
    sample: SampleOption = None,
    row: RowOption = None,
    run: RunOption = None,
    task: TaskOption = None,
    against: AgainstOption = "runner-up",
    by: Annotated[
        str | None,
        typer.Option("--by", help="Sum over a metadata column, or 'cluster', too.", show_default=False),
    ] = None,
    top: TopOption = 10,
    method: MethodOption = "auto",
    method_option: MethodOptionOption = None,
    seeds: SeedsOption = 1,
    as_json: JsonOption = False,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every influence to this file.", show_default=False)
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Say who pulled a sample into its cluster, and who pushed it away."""
    from clusterexplain.cli import commands

    how = {"method": method, "options": method_option, "seeds": seeds}
    commands.why(sample, row, run, against, top, by=by, how=how, task=task, as_json=as_json, csv=csv, quiet=quiet)


@app.command()
def verify(
    sample: Annotated[
        list[str] | None,
        typer.Option(
            "--sample",
            help="Id of the sample; may be given several times. Without: samples of every cluster, inside and at the boundary.",
            show_default=False,
        ),
    ] = None,
    run: RunOption = None,
    task: TaskOption = None,
    against: AgainstOption = "runner-up",
    level: Annotated[
        str, typer.Option("--level", help="quick (about 150 retrainings), standard (1,500) or full (6,000).")
    ] = "quick",
    estimand: Annotated[
        list[str] | None,
        typer.Option(
            "--estimand",
            help="seed (this seed), model (further training of this model) or recipe (the mean over other seeds); may be given "
            "several times. By default seed, from standard on recipe too.",
            show_default=False,
        ),
    ] = None,
    check_seeds: Annotated[
        int | None, typer.Option("--check-seeds", min=3, help="Seeds of the estimand recipe.", show_default=False)
    ] = None,
    method: MethodOption = "auto",
    method_option: MethodOptionOption = None,
    seeds: SeedsOption = 1,
    singles: Annotated[
        int | None, typer.Option("--singles", min=0, help="Random single examples to remove.", show_default=False)
    ] = None,
    groups: Annotated[
        int | None, typer.Option("--groups", min=0, help="Random 5 % groups to remove.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the draw of removals.")] = 0,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Check an explanation by retraining without examples. Exit code 0: supported, 3: not supported, 4: untested.

    What is retrained is kept with the run, so that an interrupted check goes on where it was.
    """
    from clusterexplain.cli import commands

    how = {"method": method, "options": method_option, "seeds": seeds}
    sizes = {"level": level, "estimands": tuple(estimand) if estimand else None, "n_seeds": check_seeds}
    sizes |= {"n_single": singles, "n_groups": groups}
    status = commands.verify(
        sample, run, against, seed, how=how, sizes=sizes, task=task, as_json=as_json, quiet=quiet
    )  # fmt: skip
    raise typer.Exit({"supported": 0, "not supported": 3}.get(status, 4))


@app.command()
def report(
    sample: SampleOption = None,
    run: RunOption = None,
    against: AgainstOption = "runner-up",
    task: TaskOption = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File to write; by default why-SAMPLES.html in the run.", show_default=False),
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    png: PictureOption = None,
    svg: PictureOption = None,
    pdf: PictureOption = None,
    chart: Annotated[
        str,
        typer.Option(
            "--chart",
            help="What a picture shows: map, influence, waterfall, groups, standing, clusters, check or stability.",
        ),
    ] = "map",
    method: MethodOption = "auto",
    method_option: MethodOptionOption = None,
    seeds: SeedsOption = 1,
    quiet: QuietOption = False,
) -> None:
    """Write one HTML file that needs no network. Without --sample: the sample nearest to a boundary of each cluster."""
    from clusterexplain.cli import commands

    pictures = {kind: path for kind, path in ((".png", png), (".svg", svg), (".pdf", pdf)) if path is not None}
    commands.report(
        sample,
        run,
        out,
        against=against,
        task=task,
        open_page=open_page,
        quiet=quiet,
        pictures=pictures,
        chart=chart,
        how={"method": method, "options": method_option, "seeds": seeds},
    )


@app.command(name="data")
def data_command(as_json: JsonOption = False) -> None:
    """List the data sets that can be used by name."""
    from clusterexplain.cli import commands

    commands.list_data(as_json=as_json)


@app.command()
def demo(
    name: Annotated[str, typer.Argument(help="A data set.")] = "digits",
    sample: Annotated[str, typer.Option("--sample", help="Sample to explain.")] = "123",
    out: Annotated[
        Path | None, typer.Option("--out", help="Run directory; runs/demo-NAME by default.", show_default=False)
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Fit, explain, check and report, from one command."""
    from clusterexplain.cli import commands

    commands.demo(name, sample, Path("runs") / f"demo-{name}" if out is None else out, quiet=quiet)


def _add_questions() -> None:
    from clusterexplain.cli import questions

    questions.add_to(app)


def _add_reproduce() -> None:
    from clusterexplain.cli import reproduce

    reproduce.add_to(app)


_add_questions()
_add_reproduce()


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
