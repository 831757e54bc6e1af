"""The verb ``report``: a page about samples of a run, or a picture of one of its charts."""

from __future__ import annotations

import hashlib
import json
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from clusterexplain.cli import options
from clusterexplain.cli.arguments import compared_cluster, method_arguments, open_run, sample_ids
from clusterexplain.cli.commands.explain import with_stored_check
from clusterexplain.cli.options import option
from clusterexplain.exceptions import InvalidParameterError, ReportWriteError

if TYPE_CHECKING:
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.results.explanation import Explanation

CHARTS_OF_ALL = ("clusters", "check")
"""Charts about all samples together."""
MOST_SAMPLES = 12
"""Samples on a page for which none were named."""
NAMED_SAMPLES = 3
"""Samples that the name of a file lists."""
LONGEST_NAME = 120
"""Bytes of ids in the name of a file."""

PAGE = "Write this file. The default is why-SAMPLES.html in the run."
PICTURE = (
    "Draw the chart to this file instead of the page; each of several samples has its own. It needs the extra 'export'."
)
CHART = f"Draw this chart as a picture: {', '.join(options.CHARTS)}."
MAP = (
    "Draw the rows as this file says: two columns, or three: ids and coordinates; or as this obsm of the .h5ad file that was "
    "fitted. The run keeps this map."
)

Out = Annotated[Path | None, option("--out", PAGE)]
Open = Annotated[bool, option("--open", "Open the page in the browser.")]
Picture = Annotated[Path | None, option(None, PICTURE)]
Map = Annotated[str | None, option("--map", MAP, value="NAME|FILE")]
Chart = Annotated[str, option("--chart", CHART, value="CHART", choices=options.CHARTS)]


def report(
    sample: options.Samples = None,
    run: options.Run = None,
    against: options.Against = "runner-up",
    task: options.Task = None,
    reclusterer: options.Reclusterer = None,
    out: Out = None,
    open_page: Open = False,
    png: Picture = None,
    svg: Picture = None,
    pdf: Picture = None,
    chart: Chart = "map",
    map: Map = None,
    method: options.Method = "auto",
    method_option: options.MethodOptions = None,
    seeds: options.Seeds = 1,
    quiet: options.Quiet = False,
) -> None:
    """Write one HTML file that needs no network.

    Without --sample it shows the sample nearest to the boundary of each cluster.
    """
    pictures = {suffix: path for suffix, path in ((".png", png), (".svg", svg), (".pdf", pdf)) if path is not None}
    _refuse_pictures(pictures, chart)
    folder, explainer = open_run(run, task, quiet=quiet, reclusterer=reclusterer)
    if map is not None:
        _take_map(map, explainer, folder)
    ids = sample_ids(sample, explainer) if sample else _boundary_ids(explainer)
    cluster = compared_cluster(against, explainer)
    method_options = method_arguments(method, method_option, seeds)
    explanation = with_stored_check(explainer.explain(ids, against=cluster, **method_options), folder)
    first_error = _draw_pictures(explanation, pictures, chart)
    with_page = out is not None or not pictures
    if with_page:
        write_page(explanation, folder, out, against=cluster, task=task, open_page=open_page)
    if with_page or chart == "map":
        keep_map(explainer, folder)
    if first_error is not None:
        raise first_error


def write_page(
    explanation: Explanation,
    folder: Path,
    out: Path | None = None,
    *,
    against: str | int = "runner-up",
    task: str | None = None,
    open_page: bool = False,
) -> None:
    """Write the page about an explanation, by default into the run directory `folder`, and say where it is."""
    from clusterexplain.cli import terminal
    from clusterexplain.storage.run_files import PAGE

    name = PAGE.replace("SAMPLES", file_name(explanation.query_ids.tolist(), against))
    target = folder / name if out is None else out
    path = Path(explanation.report(target, run=str(folder), task=task))
    terminal.line(f"Report: {path}")
    if open_page:
        webbrowser.open(path.resolve().as_uri())


def keep_map(explainer: ClusterExplainer, folder: Path) -> None:
    """Store the coordinates of the map with the run, unless the run has them."""
    from clusterexplain.storage.sidecars import read_map, write_map

    if read_map(folder, len(explainer.labels_)) is None:
        write_map(folder, explainer.map())


def _take_map(name: str, explainer: ClusterExplainer, folder: Path) -> None:
    """Take the map of a file, or of the data that were fitted, and keep it with the run."""
    from clusterexplain.data.maps import given_map, map_of_cells
    from clusterexplain.data.readers.labels import is_file
    from clusterexplain.storage.sidecars import write_display, write_map

    notes = explainer.fit_.annotations
    if is_file(name):
        notes.take_map(given_map(Path(name), explainer.data_, has_index=True))
    else:
        source = notes.data_source
        notes.take_map(map_of_cells(name, source.get("file"), source.get("ids"), explainer.data_))
    assert notes.map_coordinates is not None, "a map has coordinates"
    write_map(folder, notes.map_coordinates)
    write_display(folder, notes.map_source, notes.cluster_colours)


def file_name(ids: list[Any], against: str | int = "runner-up") -> str:
    """Return the part of a file's name that tells samples and compared cluster apart from all others.

    Parameters
    ----------
    ids : list
        Ids of the samples.
    against : str or int, default="runner-up"
        The cluster that they are compared with.

    Returns
    -------
    str
        The ids where they say everything; else a part of them and a hash.
    """
    texts = [str(id_) for id_ in ids]
    whole, listed = "-".join(texts), "-".join(texts[:NAMED_SAMPLES])
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in listed)
    safe = safe.encode()[:LONGEST_NAME].decode(errors="ignore")
    unambiguous = len(ids) == 1 or all(isinstance(id_, int) and id_ >= 0 for id_ in ids)  # texts may hold hyphens
    if safe == whole and against == "runner-up" and unambiguous:
        return safe
    digest = hashlib.sha256(json.dumps([texts, str(against)]).encode()).hexdigest()[:6]
    return f"{safe}-{digest}"


def _refuse_pictures(pictures: dict[str, Path], chart: str) -> None:
    if chart not in options.CHARTS:
        raise InvalidParameterError(f"--chart {chart!r} is unknown. Expected one of: {', '.join(options.CHARTS)}.")
    for suffix, path in pictures.items():
        if path.suffix != suffix:
            raise InvalidParameterError(
                f"--{suffix[1:]} cannot write {path}. Expected a file name that ends in {suffix}."
            )


def _draw_pictures(explanation: Explanation, pictures: dict[str, Path], chart: str) -> ReportWriteError | None:
    """Draw a picture of each sample, or one of all; return the error of the first that could not be written."""
    from clusterexplain.cli import terminal
    from clusterexplain.report.export import save_chart

    if not pictures:
        return None
    first_error = None
    draw = getattr(explanation.plot, chart)
    for query, id_ in enumerate([None] if chart in CHARTS_OF_ALL else explanation.query_ids.tolist()):
        picture = draw() if id_ is None else draw(query=query)
        for path in pictures.values():
            single = id_ is None or len(explanation) == 1
            target = path if single else path.with_stem(f"{path.stem}-{file_name([id_])}")
            try:
                terminal.line(f"Picture: {save_chart(picture, target)}")
            except ReportWriteError as error:
                first_error = first_error or error
    return first_error


def _boundary_ids(explainer: ClusterExplainer) -> list[Any]:
    """Return the id of the sample nearest to the boundary of each cluster, the nearest of all first."""
    import numpy as np

    from clusterexplain.statistics.matching import NOISE

    margins, labels = explainer.margins_, explainer.labels_
    clustered = np.flatnonzero(np.isfinite(margins) & (labels != NOISE))
    order = clustered[np.argsort(np.abs(margins[clustered]), kind="stable")]
    _, nearest = np.unique(labels[order], return_index=True)
    return [explainer.data_.ids[row].item() for row in order[np.sort(nearest)][:MOST_SAMPLES]]
