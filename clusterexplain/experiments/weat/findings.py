"""What the experiment on word embeddings found, in sentences made from its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from clusterexplain.word_embeddings import Intervention, WordChange

TENTH = 10
"""Smaller ratios are told with one digit after the point."""
USE = {"held_out_loss": "the held-out loss", "related": "the rank of related words"}


def times_random(changes: pd.DataFrame) -> pd.DataFrame:
    """Compare every intervention with the same done to random units.

    Parameters
    ----------
    changes : DataFrame
        Rows of :class:`clusterexplain.word_embeddings.WordChange`, and the name of the intervention.

    Returns
    -------
    DataFrame
        intervention; against ("random", "random among mentions"); ratio; chosen and random (mean sizes of the change) with
        their 95 % intervals over seeds; apart.
    """
    rows = []
    for name, part in changes.groupby("intervention", sort=False):
        change = WordChange(str(name), Intervention(), part)
        for arm in ("random", "random among mentions"):
            if (part["arm"] == arm).any():
                rows.append({"intervention": name, "against": arm, **change.times_random(arm)})
    return pd.DataFrame(rows).assign(apart=lambda frame: frame["apart"] == 1)


def findings(tables: dict[str, pd.DataFrame]) -> tuple[str, ...]:
    """Say what the tables show.

    Parameters
    ----------
    tables : dict of str to DataFrame
        agreement, times_random, change_summary, cost.

    Returns
    -------
    tuple of str
        One sentence for each finding.
    """
    cost = tables["cost"].iloc[0]
    sentences = [
        f"The effect size is {cost['effect_size']:+.2f} (permutation p = {cost['p_value']:.3f}) on {cost['units']:.0f} "
        f"speeches and {cost['words']:.0f} words. On one core a training takes {cost['train_seconds']:.1f} s, the influence "
        f"of every unit {cost['row_seconds']:.1f} s."
    ]
    sentences += [
        f"Removing {row.kind}: predicted and retrained changes have a rank correlation of {row.spearman:.3f} "
        f"[{row.low:.3f}, {row.high:.3f}] over {row.n} removals (gradient product {row.gradient_dot:.3f})."
        for row in _rows(tables["agreement"])
    ]
    sentences += [
        f"{row.intervention}: the chosen paragraphs change the effect size by {row.chosen:.2f} "
        f"[{row.chosen_low:.2f}, {row.chosen_high:.2f}], {_times(row.ratio)} as much as random ones ({row.random:.3f} "
        f"[{row.random_low:.3f}, {row.random_high:.3f}]); the intervals {'are apart' if row.apart else 'meet'}."
        for row in _rows(tables["times_random"])
        if row.against == "random"
    ]
    return tuple(sentences + _elsewhere(tables["change_summary"]))


def _times(ratio: float) -> str:
    return f"{ratio:.0f} times" if ratio >= TENTH else f"{ratio:.1f} times"


def _elsewhere(summary: pd.DataFrame) -> list[str]:
    """Say what happened to words that were held out, and to the use of the vectors."""
    sentences = []
    for name, part in summary.groupby("intervention", sort=False):
        cells = part.set_index(["arm", "measure"])[["change", "low", "high"]].T
        if ("chosen by half the words", "second_half") not in cells:
            continue
        first, second = (_change(cells["chosen by half the words", half]) for half in ("first_half", "second_half"))
        use = [
            f"{what} changes by {_change(cells['chosen', measure], 4)}"
            for measure, what in USE.items()
            if ("chosen", measure) in cells
        ]
        sentences.append(
            f"{name}: chosen by one half of the words, the effect size of that half changes by {first}, that of the other half "
            f"by {second}. With all words, {' and '.join(use)}."
        )
    return sentences


def _rows(table: pd.DataFrame) -> Iterator[Any]:
    return table.itertuples()


def _change(cell: pd.Series, digits: int = 2) -> str:
    return f"{cell['change']:+.{digits}f} [{cell['low']:+.{digits}f}, {cell['high']:+.{digits}f}]"
