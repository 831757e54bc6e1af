"""``clusterexplain reproduce fragility``: all parts, tables, findings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pandas as pd

from clusterexplain.execution import DEFAULT_EXECUTION, Execution, one_thread
from clusterexplain.experiments.fragility import charts, published_figures
from clusterexplain.experiments.fragility.factors import (
    Steps,
    compare,
    controlled,
    criticised,
    switches_from_controlled,
    switches_from_criticised,
)
from clusterexplain.experiments.fragility.findings import findings, notes
from clusterexplain.experiments.fragility.own_models import Models, of_models
from clusterexplain.experiments.fragility.published_protocol import Cell
from clusterexplain.experiments.fragility.replication import cells, outcomes, row
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.experiments.study import Study

VERSION = "1"
"""Raised whenever the code changes the figures."""
ON_DIGITS = ("query", "removed examples", "null", "optimizer's memory", "retraining", "activation", "influence")
"""Factors that are changed for digits, too."""


@dataclass(frozen=True)
class Size:
    """How much is run.

    Parameters
    ----------
    patterns, depths, widths : tuple
        Of the main tables.
    cell : Cell
        Restarts and steps of the main tables.
    factor_depths : tuple of int
        Depths of the Iris classifiers whose factors are compared.
    n_restarts : int
        Of each.
    steps : Steps
        Lengths of their trainings.
    digits : tuple of (depth, width)
        Digits classifiers.
    n_digits : int
        Restarts of each.
    digits_steps : Steps
        Lengths of their trainings.
    models : Models
        The models with clusters.
    """

    patterns: tuple[str, ...]
    depths: tuple[int, ...]
    widths: tuple[int, ...]
    cell: Cell
    factor_depths: tuple[int, ...]
    n_restarts: int
    steps: Steps
    digits: tuple[tuple[int, int], ...]
    n_digits: int
    digits_steps: Steps
    models: Models = field(default_factory=Models)


STANDARD = Size(
    patterns=(
        "SELU, weight decay",
        "SELU, no weight decay",
        "tanh, weight decay",
        "SELU, weight decay, last layer retrained",
        "ReLU, weight decay",
    ),
    depths=published_figures.DEPTHS,
    widths=(8, 20, 50),
    cell=Cell(1, 5, "selu", 0.0, n_restarts=30),
    factor_depths=(1, 3),
    n_restarts=8,
    steps=Steps(),
    digits=((1, 16), (4, 16), (1, 64)),
    n_digits=4,
    digits_steps=Steps(5_000, 2_000, 500, 8_000, 1_000, 4_000),
)
QUICK = Size(
    patterns=("SELU, weight decay", "SELU, no weight decay"),
    depths=(1, 3),
    widths=(),
    cell=Cell(1, 5, "selu", 0.0, n_restarts=3, n_steps=3_000, n_further=500),
    factor_depths=(1,),
    n_restarts=3,
    steps=Steps(2_000, 400, 100, 800, 300, 600),
    digits=((1, 8),),
    n_digits=3,
    digits_steps=Steps(200, 60, 30, 120, 100, 200),
    models=Models(("autoencoder",), 150, 8, 2, 60, n_seeds=3, n_removed=8, n_queries=4),
)


def run(
    out: Path | None,
    *,
    quick: bool = False,
    execution: Execution = DEFAULT_EXECUTION,
    size: Size | None = None,
) -> Study:
    """Run the criticised validation of influence functions again, and find which of its steps make influence look fragile.

    Parameters
    ----------
    out : Path or None
        Folder in which parts are kept, so that an interrupted run resumes.
    quick : bool, default=False
        A small version, under three minutes, whose figures mean nothing.
    execution : Execution, default=DEFAULT_EXECUTION
        Threads for the models with clusters (the classifiers use one), and bars for the parts.
    size : Size, optional
        How much is run, instead of the standard or the quick version.

    Returns
    -------
    Study
        Tables replication, from_criticised, from_controlled, digits and models, as far as `size` has them; findings; charts.

    References
    ----------
    J. R. Epifano, R. P. Ramachandran, A. J. Masino, G. Rasool. Revisiting the fragility of influence functions. Neural
    Networks 162, 581-588, 2023.
    """
    size = size or (QUICK if quick else STANDARD)
    cache = ResultCache(out, version=VERSION)
    theirs, ours = _factors(size, cache)
    parts = {
        "replication": _replication(size, cache),
        "from_criticised": theirs,
        "from_controlled": ours,
        "digits": _digits(size, cache),
    }
    with one_thread():
        tables = {name: _concat(part, name, execution) for name, part in parts.items() if part}
    if size.models.names:
        tables["models"] = of_models(size.models, cache, execution=execution)
    return Study(
        title="The fragility of influence functions, reproduced and taken apart",
        tables=tables,
        findings=findings(tables),
        charts={name: partial(draw, tables[name]) for name, draw in charts.CHARTS.items() if name in tables},
        notes=notes(size),
    )


def _concat(parts: list[Callable[[], pd.DataFrame]], label: str, execution: Execution) -> pd.DataFrame:
    return pd.concat([part() for part in execution.track(parts, label.replace("_", " "))], ignore_index=True)


def _replication(size: Size, cache: ResultCache) -> list[Callable[[], pd.DataFrame]]:
    def part(name: str, cell: Cell) -> pd.DataFrame:
        return pd.DataFrame([row(name, cell, outcomes(cell, cache))])

    return [partial(part, name, cell) for name, cell in cells(size.patterns, size.depths, size.widths, size.cell)]


def _factors(
    size: Size, cache: ResultCache
) -> tuple[list[Callable[[], pd.DataFrame]], list[Callable[[], pd.DataFrame]]]:
    theirs: list[Callable[[], pd.DataFrame]] = []
    ours: list[Callable[[], pd.DataFrame]] = []
    for depth in size.factor_depths:
        from_criticised = criticised("iris", depth, 5, size.n_restarts, size.steps)
        from_controlled = controlled("iris", depth, 5, size.n_restarts, size.steps)
        theirs.append(partial(compare, from_criticised, switches_from_criticised(from_criticised, size.steps), cache))
        ours.append(partial(compare, from_controlled, switches_from_controlled(from_controlled, size.steps), cache))
    return theirs, ours


def _digits(size: Size, cache: ResultCache) -> list[Callable[[], pd.DataFrame]]:
    parts: list[Callable[[], pd.DataFrame]] = []

    def part(end: str, depth: int, width: int) -> pd.DataFrame:
        steps = size.digits_steps
        if end == "criticised":
            base = criticised("digits", depth, width, size.n_digits, steps)
            switches = switches_from_criticised(base, steps)
        else:
            base = controlled("digits", depth, width, size.n_digits, steps)
            switches = switches_from_controlled(base, steps)
        table = compare(base, [switch for switch in switches if switch.factor in ON_DIGITS], cache)
        return table.assign(end=end)[["end", *table.columns]]

    for depth, width in size.digits:
        parts += [partial(part, end, depth, width) for end in ("criticised", "controlled")]
    return parts
