"""The main tables: the criticised procedure run again, next to the published figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import partial

import numpy as np
import pandas as pd

from clusterexplain.experiments.fragility import published_figures
from clusterexplain.experiments.fragility.published_protocol import Cell, measure
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.statistics import bootstrap_interval, spearman

BLOCK = 10
"""Restarts that are kept together."""
WIDTH = 5
"""Hidden units of each layer where the depth is varied."""
DECAY = 0.005
PATTERNS: dict[str, Cell] = {
    "SELU, weight decay": Cell(1, WIDTH, "selu", DECAY),
    "SELU, no weight decay": Cell(1, WIDTH, "selu", 0.0),
    "tanh, weight decay": Cell(1, WIDTH, "tanh", DECAY),
    "SELU, weight decay, last layer retrained": Cell(1, WIDTH, "selu", DECAY, last_only=True),
    "ReLU, weight decay": Cell(1, WIDTH, "relu", DECAY),
}


def cells(patterns: Sequence[str], depths: Sequence[int], widths: Sequence[int], size: Cell) -> list[tuple[str, Cell]]:
    """Return the cells of the tables in the order of their importance.

    Parameters
    ----------
    patterns : sequence of str
        Keys of ``PATTERNS``.
    depths, widths : sequence of int
        Depths at 5 units, and units of a single layer.
    size : Cell
        Its restarts and steps are used.

    Returns
    -------
    list of (str, Cell)
        With the name of the pattern.
    """

    def resized(name: str, depth: int, width: int) -> tuple[str, Cell]:
        cell = replace(PATTERNS[name], depth=depth, width=width, n_restarts=size.n_restarts)
        return name, replace(cell, n_steps=size.n_steps, n_further=size.n_further)

    by_depth = [resized(name, depth, WIDTH) for name in patterns for depth in depths]
    return by_depth + [resized("SELU, weight decay", 1, width) for width in widths]


def outcomes(cell: Cell, cache: ResultCache) -> pd.DataFrame:
    """Return the outcomes of a cell, block after block of restarts; see :func:`measure`."""
    frames = []
    for first in range(cell.first, cell.first + cell.n_restarts, BLOCK):
        n = min(BLOCK, cell.first + cell.n_restarts - first)
        block = replace(cell, first=first, n_restarts=n)
        frames.append(cache.frame("criticised", asdict(block), partial(measure, block)))
    return pd.concat(frames, ignore_index=True)


def row(name: str, cell: Cell, outcome: pd.DataFrame) -> dict[str, object]:
    """Return one row of the main table.

    Parameters
    ----------
    name : str
        Of the pattern.
    cell : Cell
        What was run.
    outcome : DataFrame
        Its outcomes.

    Returns
    -------
    dict
        spearman with low and high: signed, mean over restarts; published; inside (the published figure lies in the interval);
        double: the same prediction in float64; whole: from the damped Hessian of all layers; absolute: mean of absolute
        correlations, as plotted in the study; spread: standard deviation of the signed correlations between restarts; drift:
        median change of the query's loss by the same further training with nothing removed, over the spread of the removals'
        effects; loss: median of the query; accuracy: mean on the training examples.
    """
    each = per_restart(outcome)
    interval = bootstrap_interval(each["spearman"].to_numpy(), largest=1.0)
    known = (published_figures.BY_DEPTH if cell.width == WIDTH else published_figures.BY_WIDTH).get(name, {})
    figure = known.get(cell.depth if cell.width == WIDTH else cell.width, float("nan"))
    return {
        "pattern": name,
        "depth": cell.depth,
        "width": cell.width,
        "n_restarts": cell.n_restarts,
        "spearman": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "published": figure,
        "inside": bool(interval.low <= figure <= interval.high),
        "double": float(each["double"].mean()),
        "whole": float(each["whole"].mean()),
        "absolute": float(each["spearman"].abs().mean()),
        "spread": float(each["spearman"].std()),
        "drift": float((each["null"].abs() / each["effect"]).median()),
        "loss": float(each["loss"].median()),
        "accuracy": float(each["accuracy"].mean()),
    }


def per_restart(outcome: pd.DataFrame) -> pd.DataFrame:
    """Return, for each restart: spearman, double, whole, null, effect (standard deviation of truth), loss and accuracy."""
    rows = []
    for restart, part in outcome.groupby("restart"):
        truth = part[["truth"]].to_numpy()
        names = {"spearman": "predicted", "double": "double", "whole": "whole"}
        rows.append(
            {
                "restart": restart,
                **{name: spearman(part[[column]].to_numpy(), truth)[0] for name, column in names.items()},
                "null": part["null"].iloc[0],
                "effect": max(float(np.std(truth)), float(np.finfo(np.float32).tiny)),
                "loss": part["loss"].iloc[0],
                "accuracy": part["accuracy"].iloc[0],
            }
        )
    return pd.DataFrame(rows)
