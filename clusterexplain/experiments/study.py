"""What an experiment found: tables, charts, and the findings in words."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.experiments.result_cache import refuse_file
from clusterexplain.report import as_dict, save_chart, write_file

if TYPE_CHECKING:
    from altair.typing import ChartType


@dataclass(frozen=True, eq=False)
class Study:
    """Result of an experiment.

    Attributes
    ----------
    title : str
        What was done, in one line.
    tables : dict of str to DataFrame
        Named tables, ready to be read: one row for each figure that is quoted.
    findings : tuple of str
        Sentences, each made from the tables.
    charts : dict of str to callable
        Functions without arguments that return an Altair chart; drawn only when the study is written.
    notes : tuple of str
        Departures from what is reproduced, and what is not shown.
    """

    title: str
    tables: dict[str, pd.DataFrame]
    findings: tuple[str, ...] = ()
    charts: dict[str, Callable[[], ChartType]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return title, tables, findings and notes as text."""
        blocks = [self.title]
        for name, table in self.tables.items():
            blocks.append(f"{name.replace('_', ' ')}\n{table.to_string(index=False, float_format=_figure)}")
        blocks += ["\n".join(f"* {sentence}" for sentence in self.findings)] if self.findings else []
        blocks += ["Notes\n" + "\n".join(f"* {sentence}" for sentence in self.notes)] if self.notes else []
        return "\n\n".join(blocks)

    def write(self, out: Path) -> list[Path]:
        """Write the tables as parquet and CSV, the text, and the charts as PNG and SVG.

        Parameters
        ----------
        out : Path
            Folder; made if it is missing. Files of an earlier run of the same experiment are replaced.

        Returns
        -------
        list of Path
            What was written. Without the extra ``export`` a chart is written as a Vega-Lite specification (.vl.json).

        Raises
        ------
        ReportWriteError
            If the disk refuses.
        """
        out = Path(out)
        refuse_file(out)
        written = [write_file(out / "README.txt", (str(self) + "\n").encode())]
        for name, table in self.tables.items():
            written.append(write_file(out / f"{name}.csv", table.to_csv(index=False).encode()))
            stream = io.BytesIO()
            table.to_parquet(stream, index=False)
            written.append(write_file(out / f"{name}.parquet", stream.getvalue()))
        for name, draw in self.charts.items():
            written += _chart_files(draw(), out, name)
        return written


def _chart_files(chart: ChartType, out: Path, name: str) -> list[Path]:
    if importlib.util.find_spec("vl_convert") is None:
        return [write_file(out / f"{name}.vl.json", json.dumps(as_dict(chart), sort_keys=True).encode())]
    return [save_chart(chart, out / f"{name}{kind}") for kind in (".png", ".svg")]


def _figure(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1000 else f"{value:.0f}"
