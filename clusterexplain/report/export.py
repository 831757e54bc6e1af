"""Charts as files: PNG, SVG and PDF, drawn without a browser by the extra ``export``."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from clusterexplain.exceptions import InvalidParameterError, MissingExtraError

KINDS = (".png", ".svg", ".pdf")
SCALE = 2.0
"""Pixels of a PNG for each unit of the chart."""


def save_chart(chart: Any, path: Path) -> Path:
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
        If the file is of another kind.
    MissingExtraError
        If vl-convert is not installed.
    """
    if path.suffix not in KINDS:
        raise InvalidParameterError(f"{path} is of an unknown kind. Expected a name ending in {', '.join(KINDS)}.")
    if importlib.util.find_spec("vl_convert") is None:
        raise MissingExtraError(
            f"Writing {path.suffix} files needs vl-convert, which is not installed. Expected the extra 'export': pip install "
            f"'clusterexplain[export]'. A page (.html) needs nothing more."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    chart.properties(background="white").save(path, scale_factor=SCALE if path.suffix == ".png" else 1.0)
    return path
