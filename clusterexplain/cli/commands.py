"""What the verbs do: call the library, hand the result to the printer."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clusterexplain.cli import printing
from clusterexplain.cli.tasks import find_factory
from clusterexplain.data import list_datasets, load_dataset
from clusterexplain.data.readers.table import column_names, read_labels, read_table
from clusterexplain.estimator import ClusterExplainer
from clusterexplain.exceptions import InvalidParameterError, ReportWriteError
from clusterexplain.results.text.names import NOISE
from clusterexplain.results.verdict import UNTESTED
from clusterexplain.storage import run_directory, sidecars

if TYPE_CHECKING:
    from clusterexplain.data import Dataset
    from clusterexplain.results.check import Check
    from clusterexplain.results.explanation import Explanation

DEFAULT_CLUSTERS = 8
CHARTS = ("map", "influence", "waterfall", "groups", "standing", "clusters", "check", "stability")
MOST_SAMPLES = 12
"""Samples on a page that was asked for without naming any."""
DEMO_SINGLES, DEMO_GROUPS = 24, 16
TOGETHER = ("clusters", "check")
"""Charts about all samples together."""
NAMED_SAMPLES = 3
"""Samples that the name of a page lists."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
LONGEST_NAME = 120
"""Bytes of ids in the name of a file."""


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
    run_directory.check_target(out, overwrite=overwrite)
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
    how: dict[str, Any],
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
    explanation = with_check(
        explainer.explain(asked, against=read_rival(against, explainer), **read_method(how)), folder
    )
    groups = None if by is None else explanation.by(by)
    if csv is not None:
        from clusterexplain.report.export import write_file

        write_file(csv, printing.as_csv(explanation.to_frame()))
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
    sample: list[str] | None,
    run: Path | None,
    against: str,
    seed: int,
    *,
    how: dict[str, Any],
    sizes: dict[str, Any],
    task: str | None,
    as_json: bool,
    quiet: bool,
) -> str:
    """Retrain, print the comparison, keep it beside the run; return its status."""
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    ids = read_ids(sample, explainer) if sample else _stratified(explainer, sizes["level"], seed)
    explanation = explainer.explain(ids, against=read_rival(against, explainer), **read_method(how))
    try:
        check = explainer.verify(explanation, random_state=seed, cache=folder, **sizes)
    except KeyboardInterrupt:
        printing.aside(f"Interrupted. What was retrained is kept in {folder}: the same command goes on from there.")
        raise SystemExit(INTERRUPTED) from None
    _keep(check, folder)
    if as_json:
        printing.as_json(check.to_dict())
    else:
        printing.check(check)
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
    how: dict[str, Any],
) -> None:
    """Write the page about samples of a saved run, or a picture of one chart."""
    if chart not in CHARTS:
        raise InvalidParameterError(f"--chart {chart!r} is unknown. Expected one of: {', '.join(CHARTS)}.")
    for kind, path in pictures.items():
        if path.suffix != kind:
            raise InvalidParameterError(f"--{kind[1:]} {path} does not fit. Expected a name ending in {kind}.")
    folder, explainer = open_run(run, task, quiet=quiet)
    ids = read_ids(sample, explainer) if sample else _marginal(explainer)
    rival = read_rival(against, explainer)
    explanation = with_check(explainer.explain(ids, against=rival, **read_method(how)), folder)
    missing = _write_pictures(explainer, explanation, folder, pictures, chart) if pictures else None
    if out is not None or not pictures:
        _write_report(explainer, explanation, folder, out, rival=rival, task=task, open_page=open_page)
    if missing is not None:
        raise missing


def _write_pictures(
    explainer: ClusterExplainer, explanation: Explanation, folder: Path, pictures: dict[str, Path], chart: str
) -> ReportWriteError | None:
    """Write one picture for each sample, or one for all; return why the first is missing that could not be written."""
    from clusterexplain.report.export import save_chart

    drawn, missing = explainer.fit_.annotations.map_coordinates is None, None
    draw = getattr(explanation.plot, chart)
    for query, id_ in enumerate([None] if chart in TOGETHER else explanation.query_ids.tolist()):
        picture = draw() if id_ is None else draw(query=query)
        for path in pictures.values():
            alone = id_ is None or len(explanation) == 1
            named = path if alone else path.with_stem(f"{path.stem}-{_file_name([id_])}")
            try:
                printing.line(f"Picture: {save_chart(picture, named)}")
            except ReportWriteError as error:
                missing = missing or error
    if drawn and explainer.fit_.annotations.map_coordinates is not None:
        sidecars.write_map(folder, explainer.map_)
    return missing


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
    counts = {"n_single": DEMO_SINGLES, "n_within": DEMO_SINGLES, "n_groups": DEMO_GROUPS}
    check = explainer.verify(explanation, cache=out, **counts)
    printing.check(check)
    _keep(check, out)
    _write_report(explainer, check.explanation, out, None, open_page=False)


def _write_report(
    explainer: ClusterExplainer,
    explanation: Explanation,
    folder: Path,
    out: Path | None,
    *,
    rival: str | int = "runner-up",
    task: str | None = None,
    open_page: bool,
) -> Path:
    drawn = explainer.fit_.annotations.map_coordinates is None
    name = _file_name(explanation.query_ids.tolist(), rival)
    path = explanation.report(folder / f"why-{name}.html" if out is None else out, run=str(folder), task=task)
    if drawn:
        sidecars.write_map(folder, explainer.map_)
    printing.line(f"Report: {path}")
    if open_page:
        webbrowser.open(Path(path).resolve().as_uri())
    return Path(path)


def open_run(run: Path | None, task: str | None, *, quiet: bool) -> tuple[Path, ClusterExplainer]:
    """Open a run, the newest if none is named."""
    _listen(quiet)
    folder = run_directory.newest_run() if run is None else run
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


def _stratified(explainer: ClusterExplainer, level: str, seed: int) -> list[Any]:
    """Return the ids of samples of every depth and cluster, as many as a level checks."""
    from clusterexplain.verification import LEVELS, choose_queries

    n = LEVELS[level].n_queries if level in LEVELS else 1
    rows = choose_queries(explainer.margins_, explainer.labels_, explainer.sample_weight_ > 0, n, seed=seed)
    return [explainer.data_.ids[row].item() for row in rows]


def read_method(how: dict[str, Any]) -> dict[str, Any]:
    """Read method, NAME=VALUE options of it, and the number of seeds, as `explain` takes them."""
    options = _options(how.get("options") or [])
    found = {"method": how.get("method", "auto"), "method_options": options or None}
    return found | ({"n_seeds": how["seeds"]} if how.get("seeds", 1) != 1 else {})


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
    sidecars.write_check(folder, {"summary": check.to_dict()["summary"], **check.explanation.stored_check()})


def with_check(explanation: Explanation, folder: Path) -> Explanation:
    """Attach the newest check of the run that covers every answer; one that could not tell only where there is no other."""
    found = [explanation.with_check(stored) for stored in sidecars.read_checks(folder)]
    covering = [one for one in found if one.check is not None]
    return next(
        (one for one in covering if one.check and one.check.status != UNTESTED), next(iter(covering), explanation)
    )


def _file_name(ids: list[Any], rival: str | int = "runner-up") -> str:
    """Return ids as a part of a file's name; what it does not tell exactly, a hash tells apart."""
    named = [str(one) for one in ids]
    whole = "-".join(named)
    short = "".join(one if one.isalnum() or one in "-_" else "_" for one in "-".join(named[:NAMED_SAMPLES]))
    short = short.encode()[:LONGEST_NAME].decode(errors="ignore")
    counted = all(isinstance(one, int) and one >= 0 for one in ids)  # texts may hold the hyphen that joins them
    if short == whole and rival == "runner-up" and (len(ids) == 1 or counted):
        return short
    digest = hashlib.sha256(json.dumps([named, str(rival)]).encode()).hexdigest()[:6]
    return f"{short}-{digest}"


def _listen(quiet: bool) -> None:
    logging.basicConfig(format="%(message)s")
    logging.getLogger("clusterexplain").setLevel(logging.WARNING if quiet else logging.INFO)
