"""Charts of a page: each specification once, each table of numbers once, however many samples share them."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.storage.jsonable import Json, to_jsonable

if TYPE_CHECKING:
    from altair.typing import ChartType


def as_dict(chart: ChartType) -> dict[str, Any]:
    """Return the specification of a chart with its data inside, whatever the user has set for his own charts.

    Parameters
    ----------
    chart : altair chart
        From :mod:`clusterexplain.report.charts`.

    Returns
    -------
    dict
        Vega-Lite; equal tables are kept once, under "datasets".
    """
    import altair as alt

    registry = alt.data_transformers
    consolidates = registry.consolidate_datasets
    with registry.enable("default", max_rows=None), alt.theme.enable("default"):
        try:
            registry.consolidate_datasets = True
            return dict(chart.to_dict())
        finally:
            registry.consolidate_datasets = consolidates


class Specs:
    """Collects charts; equal specifications and equal data sets are kept once.

    A panel refers to a specification by number and to its data sets by name, in the order in which the specification
    mentions them; inside a specification they are called "d0", "d1", ...
    """

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._specs: list[Json] = []
        self._datasets: dict[str, Any] = {}

    def panel(self, chart: ChartType, columns: list[tuple[str, str, str]], frame: pd.DataFrame) -> dict[str, Any]:
        """Add a chart.

        Parameters
        ----------
        chart : altair chart
            From :mod:`clusterexplain.report.charts`.
        columns : list of (field, title, format)
            The table beside the chart.
        frame : DataFrame
            What it lists; kept only if no data set of the chart holds these columns.

        Returns
        -------
        dict
            spec, data, table (name of a data set, or None if there are no rows) and columns.
        """
        spec = as_dict(chart)
        datasets = spec.pop("datasets", {})
        order: list[str] = []
        renamed = _renamed(spec, order)
        text = json.dumps(renamed, sort_keys=True)
        if text not in self._numbers:
            self._numbers[text] = len(self._specs)
            self._specs.append(renamed)
        self._datasets.update({name: datasets[name] for name in order})
        table = self._table([datasets[name] for name in order], order, [field for field, _, _ in columns], frame)
        return {
            "spec": self._numbers[text],
            "data": order,
            "table": table,
            "columns": [list(column) for column in columns],
        }

    def _table(self, drawn: list[Any], names: list[str], fields: list[str], frame: pd.DataFrame) -> str | None:
        if not len(frame):
            return None
        for name, records in zip(names, drawn, strict=True):
            if len(records) == len(frame) and set(fields) <= set(records[0]):
                return name
        records = to_jsonable(frame[fields])
        name = "table-" + hashlib.sha256(json.dumps(records, sort_keys=True).encode()).hexdigest()[:16]
        self._datasets[name] = records
        return name

    def to_dict(self) -> dict[str, Any]:
        """Return the specifications (a list) and the data sets (by name)."""
        return {"specs": self._specs, "datasets": self._datasets}


def _renamed(part: Json, order: list[str]) -> Json:
    """Return a specification in which data sets are called by the order of their first mention."""
    if isinstance(part, list):
        return [_renamed(entry, order) for entry in part]
    if not isinstance(part, dict):
        return part
    renamed: dict[str, Json] = {}
    for key, value in part.items():
        if key == "data" and isinstance(value, dict) and set(value) == {"name"}:
            name = str(value["name"])
            if name not in order:
                order.append(name)
            renamed[key] = {"name": f"d{order.index(name)}"}
        else:
            renamed[key] = _renamed(value, order)
    return renamed
