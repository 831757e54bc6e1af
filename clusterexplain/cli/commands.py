"""What the verbs do: call the library, hand the result to the printer."""

from __future__ import annotations

import json
import logging
import re
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterexplain import beside, runs
from clusterexplain.cli import printing
from clusterexplain.cli.tasks import find_factory
from clusterexplain.data import list_datasets, load_dataset
from clusterexplain.data.files import column_names, read_labels, read_table
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explainer import ClusterExplainer
from clusterexplain.wording import NOISE

if TYPE_CHECKING:
    from clusterexplain.data import Dataset
    from clusterexplain.explanation import Explanation
    from clusterexplain.verification import Check

DEFAULT_CLUSTERS = 8
CHARTS = ("map", "influence", "waterfall", "groups", "standing", "clusters", "check", "stability")
MOST_SAMPLES = 12
"""Samples on a page that was asked for without naming any."""
DEMO_SINGLES, DEMO_GROUPS = 24, 16


def fit(
    data: str,
    out: Path,
    clusters: int | None,
    *,
    overwrite: bool,
    quiet: bool,
    task: str | None = None,
    train: bool = True,
    labels: Path | None = None,
    option: list[str] | None = None,
    columns: dict[str, Any] | None = None,
    **parameters: Any,
) -> ClusterExplainer:
    """Train, cluster and save; print what was made and the next command."""
    _listen(quiet)
    dataset, usual = _open_data(data, columns or {})
    runs.check_target(out, overwrite=overwrite)
    parameters["clusterer_options"] = _options(option or []) or None
    if labels is not None:
        if parameters.get("clusterer", "kmeans") != "kmeans":
            raise InvalidParameterError(
                f"--labels {labels} are clusters already, so --clusterer {parameters['clusterer']} has nothing to do. "
                f"Expected one of the two."
            )
        parameters["clusterer"] = read_labels(labels)
    if task is not None:
        parameters["model"] = find_factory(task)(dataset)
    explainer = ClusterExplainer(n_clusters=clusters or usual, verbose=not quiet, **parameters)
    explainer.fit(dataset, train=train)
    explainer.save(out, overwrite=overwrite)
    if not quiet:
        printing.fitted(explainer, out)
    return explainer


def why(
    sample: list[str] | None,
    row: Path | None,
    run: Path | None,
    against: str,
    top: int,
    *,
    by: str | None,
    task: str | None,
    as_json: bool,
    csv: Path | None,
    quiet: bool,
) -> Explanation:
    """Explain samples of a saved run and print the answer."""
    if bool(sample) == (row is not None):
        raise InvalidParameterError(
            "why needs either --sample ID or --row FILE, and not both. Expected for example --sample 123."
        )
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    asked = read_ids(sample, explainer) if sample else _new_rows(row, explainer)
    explanation = with_check(explainer.explain(asked, against=read_rival(against, explainer)), folder)
    groups = None if by is None else explanation.by(by)
    if csv is not None:
        explanation.to_frame().to_csv(csv, index=False)
    if as_json:
        shown = {} if groups is None else {"by": {by: json.loads(groups.to_json(orient="records"))}}
        printing.as_json({**explanation.to_dict(top), **shown})
    else:
        printing.answer(explanation, top)
        if sample:
            printing.twins(explanation, explainer.twins())
        if groups is not None and by is not None:
            printing.groups(groups, by)
        if not quiet and sample:
            printing.next_steps(explanation, sample, against, folder, task, given=run is not None)
    return explanation


def verify(
    sample: list[str],
    run: Path | None,
    against: str,
    singles: int,
    groups: int,
    seed: int,
    *,
    task: str | None,
    as_json: bool,
    quiet: bool,
) -> str:
    """Retrain, print the comparison, keep it beside the run; return its status."""
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    explanation = explainer.explain(read_ids(sample, explainer), against=read_rival(against, explainer))
    check = explainer.verify(explanation, n_single=singles, n_groups=groups, random_state=seed)
    if as_json:
        printing.as_json(check.to_dict())
    else:
        printing.check(check)
    _keep(check, folder)
    return check.status


def report(
    sample: list[str] | None,
    run: Path | None,
    out: Path | None,
    *,
    against: str,
    task: str | None,
    open_page: bool,
    quiet: bool,
    pictures: dict[str, Path],
    chart: str,
) -> None:
    """Write the page about samples of a saved run, or a picture of one chart."""
    if chart not in CHARTS:
        raise InvalidParameterError(f"--chart {chart!r} is unknown. Expected one of: {', '.join(CHARTS)}.")
    for kind, path in pictures.items():
        if path.suffix != kind:
            raise InvalidParameterError(f"--{kind[1:]} {path} does not fit. Expected a name ending in {kind}.")
    folder, explainer = open_run(run, task, quiet=quiet)
    ids = read_ids(sample, explainer) if sample else _marginal(explainer)
    explanation = with_check(explainer.explain(ids, against=read_rival(against, explainer)), folder)
    if pictures:
        _write_pictures(explainer, explanation, folder, pictures, chart)
    if out is not None or not pictures:
        _write_report(explainer, explanation, folder, out, open_page=open_page)


def _write_pictures(
    explainer: ClusterExplainer, explanation: Explanation, folder: Path, pictures: dict[str, Path], chart: str
) -> None:
    from clusterexplain.report.export import save_chart

    drawn = explainer._map is None
    picture = getattr(explanation.plot, chart)()
    for path in pictures.values():
        printing.line(f"Picture: {save_chart(picture, path)}")
    if drawn and explainer._map is not None:
        beside.write_map(folder, explainer.map_)


def list_data(*, as_json: bool) -> None:
    """List the named data sets."""
    table = list_datasets()
    if as_json:
        printing.as_json(json.loads(table.to_json(orient="index")))
    else:
        printing.table(table.reset_index(), "Data sets that installed packages bring along")


def demo(name: str, sample: str, out: Path, *, quiet: bool) -> None:
    """Fit, explain, check and report in one go."""
    explainer = fit(name, out, None, overwrite=True, quiet=quiet, random_state=0)
    explanation = explainer.explain(read_ids([sample], explainer))
    printing.answer(explanation, 5)
    check = explainer.verify(explanation, n_single=DEMO_SINGLES, n_within=DEMO_SINGLES, n_groups=DEMO_GROUPS)
    printing.check(check)
    _keep(check, out)
    _write_report(explainer, check.explanation, out, None, open_page=False)


def _write_report(
    explainer: ClusterExplainer, explanation: Explanation, folder: Path, out: Path | None, *, open_page: bool
) -> Path:
    drawn = explainer._map is None
    name = "-".join(str(one) for one in explanation.query_ids[:3])
    path = explanation.report(folder / f"why-{_file_name(name)}.html" if out is None else out, run=str(folder))
    if drawn:
        beside.write_map(folder, explainer.map_)
    printing.line(f"Report: {path}")
    if open_page:
        webbrowser.open(Path(path).resolve().as_uri())
    return Path(path)


def open_run(run: Path | None, task: str | None, *, quiet: bool) -> tuple[Path, ClusterExplainer]:
    """Open a run, the newest if none is named."""
    _listen(quiet)
    folder = runs.newest_run() if run is None else run
    if run is None and not quiet:
        printing.which_run(folder)
    explainer = ClusterExplainer.load(folder, model=None if task is None else find_factory(task))
    explainer.verbose = not quiet
    return folder, explainer


def _open_data(data: str, columns: dict[str, Any]) -> tuple[Dataset, int]:
    known = list_datasets()
    if data in known.index:
        given = [f"--{role}" for role, named in columns.items() if named]
        if given:
            raise InvalidParameterError(
                f"{', '.join(given)} cannot be used with --data {data}, which brings its own ids and metadata: they name "
                f"columns of a file. Expected --data FILE.csv or FILE.parquet with such columns, or none of these options."
            )
        return load_dataset(data), int(known["n_clusters"].to_dict()[data])
    if Path(data).suffix or Path(data).exists():
        return read_table(Path(data), **columns), DEFAULT_CLUSTERS
    return load_dataset(data), DEFAULT_CLUSTERS  # raises, naming the data sets


def _marginal(explainer: ClusterExplainer) -> list[Any]:
    """Return the ids of the samples nearest to a boundary, one of each cluster, the nearest of all first."""
    margins, labels = explainer.margins_, explainer.labels_
    present = np.flatnonzero(np.isfinite(margins) & (labels != NOISE))
    order = present[np.argsort(np.abs(margins[present]), kind="stable")]
    _, first = np.unique(labels[order], return_index=True)
    return [explainer.data_.ids[row].item() for row in order[np.sort(first)][:MOST_SAMPLES]]


def read_ids(sample: list[str], explainer: ClusterExplainer) -> list[Any]:
    """Read ids as the run's ids are: numbers if they are numbers, else as they stand."""
    if explainer.data_.ids.dtype.kind not in "iu":
        return list(sample)
    return [int(one) if re.fullmatch("-?[0-9]+", one) else one for one in sample]


def read_rival(against: str, explainer: ClusterExplainer) -> str | int:
    """Read a rival: a word that `explain` knows, or a cluster by number or name."""
    return against if against in ("runner-up", "noise") else cluster_number(against, explainer)


def cluster_number(text: str, explainer: ClusterExplainer) -> int:
    """Read a cluster by its number or by the name that it was given."""
    if re.fullmatch("-?[0-9]+", text):
        return int(text)
    named = [cluster for cluster, name in explainer.cluster_names_.items() if name == text]
    if len(named) != 1:
        known = ", ".join(repr(name) for name in explainer.cluster_names_.values()) or "none so far"
        raise InvalidParameterError(
            f"{text!r} is no cluster. Expected a number, or a name that one cluster was given ({known}); `clusterexplain name` "
            f"gives names."
        )
    return named[0]


def _new_rows(row: Path | None, explainer: ClusterExplainer) -> Any:
    path, known = Path(str(row)), explainer.data_.feature_names
    names = column_names(path)
    beside = [name for name in names if name not in known] if known is not None and set(known) <= set(names) else []
    dataset = read_table(path, metadata=beside)  # ids, texts and whatever else was not trained on
    if dataset.feature_names is not None and known is not None:
        missing = [name for name in known if name not in dataset.feature_names]
        if missing or len(dataset.feature_names) != len(known):
            raise InvalidParameterError(
                f"{row} has the columns {', '.join(dataset.feature_names[:5])}, ..., but the run was made with "
                f"{', '.join(known[:5])}, ... Expected these {len(known)} names; their order does not "
                f"matter, and further columns are left aside."
            )
        return dataset.X[:, [dataset.feature_names.index(name) for name in known]]
    if dataset.X.shape[1] != explainer.n_features_in_:
        raise InvalidParameterError(
            f"{row} has {dataset.X.shape[1]} columns, but the run was made with {explainer.n_features_in_}. Expected the same "
            f"columns in the same order."
        )
    return dataset.X


def _options(given: list[str]) -> dict[str, Any]:
    """Read NAME=VALUE pairs; values are JSON where they can be."""
    options = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            raise InvalidParameterError(
                f"--option {one!r} is no NAME=VALUE. Expected for example covariance_type=diag."
            )
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def _keep(check: Check, folder: Path) -> None:
    explanation = check.explanation
    figures = explanation.to_dict()["checked"]
    kept = {name: figure for name, figure in figures.items() if name != "sentence"}
    assert explanation.check is not None
    assert explanation.check.retrained is not None
    table = explanation.check.retrained
    retrained = table.astype(object).where(table.notna(), None).to_dict("list")
    stored = {
        "fit_key": explanation.fit_key,
        "answers": explanation.answers(),
        "figures": kept,
        "retrained": retrained,
    }
    beside.write_check(folder, {**check.to_dict(), **stored})


def with_check(explanation: Explanation, folder: Path) -> Explanation:
    """Attach the newest check of the run if it covers every answer."""
    stored = beside.read_check(folder)
    return explanation if stored is None else explanation.with_check(stored)


def _file_name(text: str) -> str:
    return "".join(one if one.isalnum() or one in "-_" else "_" for one in text)[:80]


def _listen(quiet: bool) -> None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("clusterexplain").setLevel(logging.WARNING if quiet else logging.INFO)
