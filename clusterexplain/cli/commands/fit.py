"""Verbs around making a run: ``fit``, ``demo``, ``config`` (what repeats it), ``data`` (the named data sets)."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterexplain.cli import options
from clusterexplain.cli.arguments import name_value_pairs, sample_ids
from clusterexplain.cli.options import option
from clusterexplain.exceptions import InvalidParameterError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from clusterexplain.data import Dataset
    from clusterexplain.estimator import ClusterExplainer

DEFAULT_CLUSTERS = 8
DEMO_REMOVALS = {"n_single": 24, "n_within": 24, "n_groups": 16}

INPUT = (
    "Train on this data set (see `data`), on a file (.csv, .tsv, .parquet, .feather, .npy, .npz, .h5ad), or on a folder of "
    "pictures."
)
EMBEDDING = "Train on the vectors in this column of the file. A file with one such column needs no name."
BESIDE = "Take ids, text and metadata of an .npy or .npz file from this table, row by row."
USE_REP = "Train on this matrix of an .h5ad file (X, a key of obsm, a layer, or raw), or on this array of an .npz file."
SIZE = "Scale pictures to this size, for example 16x16."
MODE = "Read pictures in grey (L) or in colour (RGB)."
MAP = (
    "Draw the rows here instead of by UMAP: an obsm of an .h5ad file, or a file of two columns, or of three: ids and "
    "coordinates."
)
SKIP_BAD = "Leave out pictures that cannot be read, and list them."
CONFIGURED = "Take data and parameters from this .toml file (see `config`). Options on the command line come first."
SHOWN_TEXT = "Show this column of the file in reports as the text of each row. It is not trained on."
METADATA = "Store this column of the file for `why --by`. It is not trained on. Repeat it for several columns."
TARGETS = (
    "Give this column of the data to the loss of --task beside each row. It is not trained on, and is stored as --metadata "
    "is."
)
N_CLUSTERS = f"Find N clusters. A named data set has its own default; otherwise it is {DEFAULT_CLUSTERS}."
GIVEN_LABELS = (
    "Take the clusters from this column of the data, or from this file: one label for each row in order, or two columns, ids "
    "and labels. -1 and 'noise' are noise."
)
GIVEN_GRAPH = (
    "Let the neighbours in this graph vote for given labels (--score graph): a key of obsp of an .h5ad file, for example "
    "connectivities, or an .npz file of scipy.sparse with rows in the order of the data. The graph is held fixed."
)
AGREEMENT = "Refuse explanations if score and labels agree on a smaller share of the samples."
PRETRAINED = "Train, or keep the weights of a pretrained network that --task names."
STARTED = (
    "Start the training at the principal components of the data at its own data weights (pca), at those of the fit (fixed), or "
    "at random. The model has a default."
)
SMOOTHNESS = "Measure by retraining how well derivatives predict small changes of the weights."
SCALED = (
    "Scale the columns: 'global' (same unit), 'standard' (different units) or 'none'. 'auto' is 'none' with --task, else "
    "'global'."
)

Data = Annotated[str | None, option("--data", INPUT, value="NAME|FILE|FOLDER")]
ConfigFile = Annotated[Path | None, option("--config", CONFIGURED, value="FILE")]
Out = Annotated[Path, option("--out", "Make this run directory.")]
Ids = Annotated[str | None, option("--ids", "Take the ids from this column of the file.", value="COLUMN")]
Text = Annotated[str | None, option("--text", SHOWN_TEXT, value="COLUMN")]
Metadata = Annotated[list[str] | None, option("--metadata", METADATA, value="COLUMN")]
Targets = Annotated[str | None, option("--targets", TARGETS, value="COLUMN")]
Clusters = Annotated[int | None, option("--clusters", N_CLUSTERS, least=2)]
Clusterer = Annotated[
    str,
    option("--clusterer", f"Cluster with: {', '.join(options.CLUSTERERS)}.", value="NAME", choices=options.CLUSTERERS),
]
ClustererOptions = Annotated[
    list[str] | None,
    option("--clusterer-option", "Set an option of the clusterer. Repeat it for several options.", value="NAME=VALUE"),
]
Labels = Annotated[str | None, option("--labels", GIVEN_LABELS, value="COLUMN|FILE")]
Graph = Annotated[str | None, option("--graph", GIVEN_GRAPH, value="NAME|FILE")]
EmbeddingColumn = Annotated[str | None, option("--embedding-column", EMBEDDING, value="COLUMN")]
Table = Annotated[Path | None, option("--table", BESIDE, value="FILE")]
UseRep = Annotated[str | None, option("--use-rep", USE_REP, value="NAME")]
Map = Annotated[str | None, option("--map", MAP, value="NAME|FILE")]
Size = Annotated[str | None, option("--size", SIZE, value="WIDTHxHEIGHT")]
Mode = Annotated[str | None, option("--mode", MODE, value="L|RGB", choices=("L", "RGB"))]
SkipBad = Annotated[bool, option("--skip-bad", SKIP_BAD)]
Score = Annotated[str, option("--score", "Explain this membership score. 'auto' takes the clusterer's.", value="NAME")]
MinAgreement = Annotated[float, option("--min-agreement", AGREEMENT)]
Model = Annotated[str, option("--model", f"Train: {', '.join(options.MODELS)}.", value="NAME", choices=options.MODELS)]
Train = Annotated[bool, option("--train/--no-train", PRETRAINED)]
LatentDim = Annotated[int | None, option("--latent-dim", "Embed in N dimensions. The model has a default.", least=1)]
Start = Annotated[
    str | None,
    option("--start", STARTED, value="NAME", choices=("pca", "fixed", "random")),
]
Steps = Annotated[int | None, option("--steps", "Train for N steps. The model has a default.", least=1)]
MeasureSmoothness = Annotated[bool, option("--measure-smoothness", SMOOTHNESS)]
Scaling = Annotated[str, option("--scaling", SCALED, value="NAME", choices=("auto", "global", "standard", "none"))]
Seed = Annotated[int, option("--seed", "Seed all random numbers.")]
MaxMemory = Annotated[float, option("--max-memory", "Limit the memory of the recorded training.", value="GB")]
DemoSample = Annotated[str, option("--sample", "Explain the sample with this id.", value="ID")]
DemoOut = Annotated[Path | None, option("--out", "Make this run directory. The default is runs/demo-NAME.")]


def fit(
    context: typer.Context,
    out: Out,
    data: Data = None,
    config: ConfigFile = None,
    ids: Ids = None,
    text: Text = None,
    metadata: Metadata = None,
    targets: Targets = None,
    embedding_column: EmbeddingColumn = None,
    table: Table = None,
    use_rep: UseRep = None,
    map: Map = None,
    size: Size = None,
    mode: Mode = None,
    skip_bad: SkipBad = False,
    clusters: Clusters = None,
    clusterer: Clusterer = "kmeans",
    clusterer_option: ClustererOptions = None,
    labels: Labels = None,
    graph: Graph = None,
    score: Score = "auto",
    min_agreement: MinAgreement = 0.8,
    model: Model = "autoencoder",
    task: options.Task = None,
    train: Train = True,
    latent_dim: LatentDim = None,
    start: Start = None,
    steps: Steps = None,
    measure_smoothness: MeasureSmoothness = False,
    scaling: Scaling = "auto",
    seed: Seed = 0,
    max_memory: MaxMemory = 2.0,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a model, cluster its embedding, and save the run."""
    chosen = {
        "n_clusters": ("clusters", clusters),
        "clusterer": ("clusterer", clusterer),
        "clusterer_options": ("clusterer_option", _clusterer_options(clusterer_option)),
        "membership_score": ("score", score),
        "min_agreement": ("min_agreement", min_agreement),
        "model": ("model", model),
        "latent_dim": ("latent_dim", latent_dim),
        "start": ("start", start),
        "n_steps": ("steps", steps),
        "measure_smoothness": ("measure_smoothness", measure_smoothness),
        "scaling": ("scaling", None if scaling == "none" else scaling),
        "random_state": ("seed", seed),
    }
    columns = {
        "file": data,
        "ids": ids,
        "text": text,
        "metadata": metadata,
        "targets": targets,
        "labels": labels,
        "graph": graph,
        "embedding_column": embedding_column,
        "table": table,
        "use_rep": use_rep,
        "map": map,
        "size": size,
        "mode": mode,
        "skip_bad": skip_bad or None,
        "task": task,
        "train": train,
    }
    parameters, source = _with_config(context, config, chosen, columns)
    limits = {"max_memory": max_memory * 1e9, "verbose": not quiet}
    explainer, dataset, given = _unfitted(parameters, source, limits)
    _fit_and_save(explainer, dataset, out, source, overwrite=overwrite, labels=given)


def _unfitted(
    parameters: dict[str, Any], source: dict[str, Any], limits: dict[str, Any]
) -> tuple[ClusterExplainer, Dataset, Any]:
    """Return the explainer, with what the source of the data decides about it, the data, and labels that were given."""
    from clusterexplain.cli.tasks import find_factory
    from clusterexplain.estimator import ClusterExplainer

    dataset, usual_clusters = _open_data(source["file"], _read_options(source))
    if source["targets"] is not None:
        dataset = _with_targets(dataset, source["targets"])
    if source["task"] is not None:
        parameters["model"] = find_factory(source["task"])(dataset)
    given = None if source["labels"] is None else _given_labels(source["labels"], dataset, parameters["clusterer"])
    if parameters["n_clusters"] is None:
        parameters["n_clusters"] = usual_clusters
    return ClusterExplainer(**parameters, **limits), dataset, given


def _with_targets(dataset: Dataset, column: str) -> Dataset:
    """Return a data set with a column of its metadata as targets."""
    if dataset.metadata is None or column not in dataset.metadata:
        known = ", ".join(map(repr, [] if dataset.metadata is None else dataset.metadata.columns)) or "none"
        raise InvalidParameterError(f"--targets {column} is no column of the data. Expected one of: {known}.")
    return dataclasses.replace(dataset, targets=dataset.metadata[column].to_numpy())


def config(run: options.Run = None, task: options.Task = None) -> None:
    """Print the configuration file that repeats a run: `clusterexplain fit --config FILE --out FOLDER`."""
    from clusterexplain.cli.arguments import open_run
    from clusterexplain.fitting.config_file import config_text

    _, explainer = open_run(run, task, quiet=True)
    fitted = explainer.fit_
    if fitted.config.random_state is None:
        typer.echo("# random_state was not a whole number: this file repeats the settings, with other random numbers.")
    if not bool((fitted.weights == 1).all()):
        typer.echo("# The run was fitted with sample_weight, which this file does not hold.")
    typer.echo(config_text(fitted.config, fitted.annotations.data_source), nl=False)


def _clusterer_options(pairs: list[str] | None) -> dict[str, Any] | None:
    return name_value_pairs(pairs, "--clusterer-option", "covariance_type=diag") or None


def _with_config(
    context: typer.Context, file: Path | None, chosen: dict[str, tuple[str, Any]], columns: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return parameters and the source of the data: of the file, but for what was given on the command line."""
    from clusterexplain.fitting.config_file import read_config

    parameters = {name: value for name, (_, value) in chosen.items()}
    source = {name: str(value) if isinstance(value, Path) else value for name, value in columns.items()}
    if file is not None:
        stored = read_config(file)
        asked = {name for name in context.params if _is_given(context, name)}
        parameters |= {
            name: value for name, value in stored.parameters.items() if chosen.get(name, ("",))[0] not in asked
        }
        source |= {key: value for key, value in stored.data.items() if ("data" if key == "file" else key) not in asked}
    if source["file"] is None:
        raise InvalidParameterError(
            "There is nothing to fit. Expected --data with a data set or a file, or --config with a file whose table [data] "
            "names one."
        )
    return parameters, source


def _is_given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def data(as_json: options.Json = False) -> None:
    """List the data sets that `fit --data` takes by name."""
    from clusterexplain.cli import terminal
    from clusterexplain.data import list_datasets

    datasets = list_datasets()
    if as_json:
        terminal.as_json(json.loads(datasets.to_json(orient="index")))
    else:
        terminal.table(datasets.reset_index(), "Data sets in the installed packages")


def demo(
    name: Annotated[str, typer.Argument(help="Use this data set.")] = "digits",
    sample: DemoSample = "123",
    out: DemoOut = None,
    quiet: options.Quiet = False,
) -> None:
    """Fit, explain, check and report with one command."""
    from clusterexplain.cli import terminal
    from clusterexplain.cli.commands.report import keep_map, write_page
    from clusterexplain.cli.commands.verify import keep_check
    from clusterexplain.estimator import ClusterExplainer

    folder = Path("runs") / f"demo-{name}" if out is None else out
    dataset, usual_clusters = _open_data(name, {})
    explainer = ClusterExplainer(n_clusters=usual_clusters, random_state=0, verbose=not quiet)
    _fit_and_save(explainer, dataset, folder, {"file": name}, overwrite=True)
    explanation = explainer.explain(sample_ids([sample], explainer))
    terminal.answer(explanation, 5)
    check = explainer.verify(explanation, cache=folder, **DEMO_REMOVALS)
    terminal.check(check)
    keep_check(check, folder)
    write_page(check.explanation, folder)
    keep_map(explainer, folder)


def _read_options(source: dict[str, Any]) -> dict[str, Any]:
    """Return what a reader is told about a file; labels and a map only if they are in it."""
    from clusterexplain.data.readers.labels import is_file
    from clusterexplain.data.readers.table import COLUMNAR, TEXT, kind_of

    options = {
        name: value for name, value in source.items() if name not in ("file", "task", "train", "graph", "targets")
    }
    if source["targets"] is not None and (source["table"] or kind_of(Path(source["file"])) in (*TEXT, *COLUMNAR)):
        options["metadata"] = list(dict.fromkeys([*(options["metadata"] or []), source["targets"]]))
    for name in ("labels", "map"):
        if options[name] is not None and is_file(options[name]):
            options[name] = None
    return options | {"table": None if source["table"] is None else Path(source["table"])}


def _open_data(name: str, options: dict[str, Any]) -> tuple[Dataset, int]:
    """Return a data set by name or from a file, and its usual number of clusters."""
    from clusterexplain.data import list_datasets, load_dataset
    from clusterexplain.data.readers.registry import read

    datasets = list_datasets()
    if name in datasets.index:
        given = [f"--{role.replace('_', '-')}" for role, value in options.items() if value and role != "labels"]
        if given:
            raise InvalidParameterError(
                f"{', '.join(given)} cannot be used with --data {name}, which brings its own ids and metadata. Expected --data "
                f"FILE.csv or FILE.parquet with such columns, or none of these options."
            )
        return load_dataset(name), int(datasets["n_clusters"].to_dict()[name])
    if Path(name).suffix or Path(name).exists():
        return read(Path(name), **options), DEFAULT_CLUSTERS
    return load_dataset(name), DEFAULT_CLUSTERS  # raises, naming the data sets


def _given_labels(labels: str, dataset: Dataset, clusterer: str) -> str | np.ndarray | pd.Series:
    """Return the column that holds the labels, or the labels of a file."""
    from clusterexplain.data.readers.labels import is_file, read_labels

    if clusterer != "kmeans":
        raise InvalidParameterError(
            f"--labels {labels} gives the clusters, so --clusterer {clusterer} cannot be used with it. Expected one of the two "
            f"options."
        )
    return read_labels(Path(labels), dataset) if is_file(labels) else labels


def _given_graph(source: dict[str, Any]) -> object:
    """Return the graph that was named beside the data."""
    from clusterexplain.data.readers.graph import read_graph

    return None if source.get("graph") is None else read_graph(source["graph"], source["file"])


def _fit_and_save(
    explainer: ClusterExplainer,
    dataset: Dataset,
    out: Path,
    source: dict[str, Any],
    *,
    overwrite: bool,
    labels: object = None,
) -> None:
    """Train, cluster and save; print what was made and the next command."""
    from clusterexplain.cli import terminal
    from clusterexplain.data.readers.labels import is_file
    from clusterexplain.storage.run_directory import check_target

    terminal.set_verbosity(quiet=not explainer.verbose)
    check_target(out, overwrite=overwrite)
    place = source.get("map")
    given = Path(place) if place is not None and is_file(place) else None
    explainer.fit(dataset, train=source.get("train", True), labels=labels, map=given, graph=_given_graph(source))
    explainer.fit_.annotations.data_source = {key: value for key, value in source.items() if value not in (None, [])}
    explainer.save(out, overwrite=overwrite)
    if explainer.verbose:
        terminal.fitted(explainer, out)
