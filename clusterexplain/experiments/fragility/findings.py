"""The findings of the fragility study in words, made from its tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from clusterexplain.experiments.fragility.published_figures import CHANCE_OF_ABSOLUTE
from clusterexplain.statistics import Interval

if TYPE_CHECKING:
    from clusterexplain.experiments.fragility.run import Size

CLEAR = 0.05
"""A change that is smaller is called none, whatever its interval."""


def findings(tables: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    """Return what the tables say.

    Parameters
    ----------
    tables : dict of str to DataFrame
        Those of the study.

    Returns
    -------
    tuple of str
        Sentences.
    """
    sentences = _replication(tables["replication"]) if "replication" in tables else []
    named = []
    for name, end in (("from_criticised", "criticised"), ("from_controlled", "controlled")):
        if name in tables:
            table = tables[name]
            named.append(table.assign(about="Iris, " + table["depth"].map(_layers), end=end))
    if "digits" in tables:
        table = tables["digits"]
        about = "Digits, " + table["depth"].map(_layers) + " of " + table["width"].astype(str) + " units"
        named.append(table.assign(about=about))
    if "models" in tables:
        named.append(tables["models"].assign(about="Clusters, " + tables["models"]["model"] + " model"))
    for table in named:
        for _, part in table.groupby(["about", "end"], sort=False):
            whose = "the criticised procedure" if part["end"].iloc[0] == "criticised" else "this package's procedure"
            sentences += _ends(part, str(part["about"].iloc[0]), whose)
    return tuple(sentences)


def notes(size: Size) -> tuple[str, ...]:
    """Return departures from what is reproduced.

    Parameters
    ----------
    size : Size
        What was run.

    Returns
    -------
    tuple of str
        Sentences.
    """
    cell = size.cell
    return (
        f"Restarts: {cell.n_restarts} of each network in the main table (published: 50), {size.n_restarts} where factors are "
        f"compared, {size.n_digits} for digits. Training steps: {cell.n_steps:,}, then {cell.n_further:,} without an example.",
        "Intervals are 95 % bootstrap intervals over restarts, widened for their small number; differences are paired.",
        "The public code deletes a row; here it has weight 0 and the others 1 / (n - 1), which is the same loss.",
        "A plateau schedule ends here once every rate has reached 1e-8, where the public code takes the remaining steps at "
        "that rate.",
        "Without weight decay the public code leaves the last bias out of the influence, but not out of the training; so does "
        "the main table here.",
        "Where factors are compared on Iris, ten rows are held out instead of one, so that there are ten queries.",
        "Digits here are the small ones of scikit-learn (300 rows) in place of MNIST, trained on full batches.",
        "Not reproduced: weight averaging, Bayesian networks, convolutional networks on MNIST and CIFAR-10, groups.",
        "The derivative takes the rates of a plateau schedule as they were: when a rate falls depends on the weights by jumps.",
    )


def _layers(depth: int) -> str:
    return "1 hidden layer" if depth == 1 else f"{depth} hidden layers"


def _replication(table: pd.DataFrame) -> list[str]:
    known = table[table["published"].notna()]
    sentences = []
    if len(known):
        missed = [
            f"{row['pattern']}, {_layers(row['depth'])} of {row['width']} units (published {row['published']:.2f}, here "
            f"{Interval(row['spearman'], row['low'], row['high'])})"
            for _, row in known[~known["inside"].astype(bool)].iterrows()
        ]
        outside = f" Outside: {'; '.join(missed)}." if missed else ""
        sentences.append(
            f"The criticised procedure, run again: {int(known['inside'].sum())} of {len(known)} published means lie "
            f"in the 95 % interval of this run; the intervals are {_range(known['high'] - known['low'])} wide.{outside}"
        )
    without = table[table["pattern"] == "SELU, no weight decay"]
    if len(without):
        sentences.append(
            f"Without weight decay the signed correlation is {_range(without['spearman'])}, the mean of absolute values "
            f"{_range(without['absolute'])}; two random orders of 25 have {CHANCE_OF_ABSOLUTE} on average by absolute value."
        )
    sentences += [
        f"{name}: the same influence without round-off gives {_range(part['double'])} in place of {_range(part['spearman'])}, "
        f"the damped Hessian of all layers {_range(part['whole'])}, against the same retraining."
        for name, part in table.groupby("pattern", sort=False)
    ]
    sentences += [
        f"{name}: further training with nothing removed moves the query's loss by {_range(part['drift'])} times the spread of "
        f"the effects of removals (median over restarts)."
        for name, part in table.groupby("pattern", sort=False)
    ]
    return sentences


def _ends(part: pd.DataFrame, subject: str, whose: str) -> list[str]:
    first, changed = part.iloc[0], part.iloc[1:]
    clear = changed[
        ((changed["difference_low"] > 0) | (changed["difference_high"] < 0)) & (changed["difference"].abs() >= CLEAR)
    ]
    clear = clear.sort_values("difference", key=abs, ascending=False)
    said = [
        f"{row['factor']} ({row['after']}) {row['difference']:+.2f} "
        f"[{row['difference_low']:+.2f}, {row['difference_high']:+.2f}]"
        for _, row in clear.iterrows()
    ]
    unclear = [f"{row['factor']} ({row['after']})" for _, row in changed.drop(clear.index).iterrows()]
    rest = f" No clear change: {', '.join(unclear)}." if unclear else ""
    moved = f"Changing one factor: {'; '.join(said)}." if said else "No single factor changes it clearly."
    value = Interval(first["spearman"], first["low"], first["high"])
    null = changed[changed["factor"] == "null"].iloc[0]
    signs = f"with {first['signs']:.0%} of the signs right ({null['signs']:.0%} with the null {null['after']})"
    return [f"{subject}: {whose} finds {value}, {signs}. {moved}{rest}"]


def _range(values: pd.Series) -> str:
    low, high = float(values.min()), float(values.max())
    return f"{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"{low:.2f} to {high:.2f}"
