"""Files: whole or not at all; and charts as PNG, SVG and PDF, drawn without a browser by the extra ``export``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

from clusterexplain.exceptions import InvalidParameterError, MissingExtraError, ReportWriteError
from clusterexplain.report.vega_lite import as_dict
from clusterexplain.results.text.names import replace_unprintable
from clusterexplain.storage.atomic import write_output
from clusterexplain.storage.jsonable import Json

if TYPE_CHECKING:
    from altair.typing import ChartType

SUFFIXES = (".png", ".svg", ".pdf")
SCALE = 2.0
"""Pixels of a PNG for each unit of the chart."""


def save_chart(chart: ChartType, path: Path) -> Path:
    """Write a chart to a file of the kind that its name ends in.

    Parameters
    ----------
    chart : altair chart
        From ``explanation.plot``.
    path : Path
        Ending in .png, .svg or .pdf; the folder is made if it is missing.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidParameterError
        If the file is of another kind, or a folder.
    MissingExtraError
        If vl-convert is not installed.
    ReportWriteError
        If the chart cannot be drawn or the file cannot be written.
    """
    if path.suffix not in SUFFIXES:
        raise InvalidParameterError(f"{path} is of an unknown kind. Expected a name ending in {', '.join(SUFFIXES)}.")
    refuse_folder(path)
    if importlib.util.find_spec("vl_convert") is None:
        raise MissingExtraError(
            f"Writing {path.suffix} files needs vl-convert, which is not installed. Expected the extra 'export': pip install "
            f"'clusterexplain[export]'. A page (.html) needs nothing more."
        )
    return write_file(path, picture(chart, path.suffix, scale=SCALE))


def picture(chart: ChartType, kind: str, *, scale: float = 1.0) -> bytes:
    """Return a chart as the content of a picture file.

    Parameters
    ----------
    chart : altair chart
        From :mod:`clusterexplain.report.charts`.
    kind : {".png", ".svg", ".pdf"}
        Of which kind.
    scale : float, default=1
        Pixels of a PNG for each unit of the chart.

    Returns
    -------
    bytes
        Texts from data are cleaned first: a control character in one of them would end the whole process.

    Raises
    ------
    ReportWriteError
        If vl-convert cannot draw the chart.
    """
    import vl_convert

    drawn = as_dict(chart.properties(background="white"))
    spec = {replace_unprintable(name): _cleaned(value) for name, value in drawn.items()}
    try:
        if kind == ".png":
            return bytes(vl_convert.vegalite_to_png(spec, scale=scale))
        if kind == ".pdf":
            return bytes(vl_convert.vegalite_to_pdf(spec))
        return str(vl_convert.vegalite_to_svg(spec)).encode()
    except Exception as error:  # what vl-convert raises has no type of its own
        raise ReportWriteError(
            f"The chart cannot be drawn as {kind} ({' '.join(str(error).split()):.200}). Expected what vl-convert can draw; "
            f"e.report(path) writes a page with the same chart."
        ) from error


def refuse_folder(path: Path) -> None:
    """Refuse to write a file where a folder is, before anything is computed for it."""
    if path.is_dir():
        raise InvalidParameterError(
            f"{path} is a folder. Expected the name of a file, for example {path / 'why.html'}."
        )


def write_file(path: Path, content: bytes) -> Path:
    """Write a file that people asked for: whole or not at all.

    Parameters
    ----------
    path : Path
        The folder is made if it is missing.
    content : bytes
        What to write.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InvalidParameterError
        If there is a folder of that name.
    ReportWriteError
        If the disk refuses.
    """
    refuse_folder(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_output(path, content)
    except (OSError, ValueError) as error:  # ValueError: a name that holds a NUL
        raise ReportWriteError(
            f"{str(path)!r} cannot be written ({error}). Expected a file in a folder where you may write, with some space "
            f"left; choose another name."
        ) from error
    return path


def _cleaned(part: Json) -> Json:
    """Return a specification whose texts a picture can hold."""
    if isinstance(part, dict):
        return {replace_unprintable(name): _cleaned(value) for name, value in part.items()}
    if isinstance(part, list):
        return [_cleaned(entry) for entry in part]
    return replace_unprintable(part) if isinstance(part, str) else part
