"""The sentences of a check: of all its samples together and of each, with a clause about every other estimand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from clusterexplain.attached import CheckSummary, Verdict
from clusterexplain.beside import RETRAINED
from clusterexplain.verification.estimands import WORDS
from clusterexplain.verification.findings import Findings

PLATEAU = 0.9
"""Rank correlation from which on shorter or longer further training counts as giving the same changes."""


def summarised(found: dict[str, Findings], left_out: dict[str, str], sweep: dict[str, float]) -> CheckSummary:
    """Return the verdicts of a check and what it retrained, as they are attached to an explanation.

    Parameters
    ----------
    found : dict of str to Findings
        By estimand, the headline first.
    left_out : dict of str to str
        Estimands that a level would ask but the model has not, with the reason.
    sweep : dict of str to float
        See :attr:`Check.sweep`.

    Returns
    -------
    CheckSummary
        One verdict for all samples together and one for each.
    """
    first, *others = found.values()
    n = len(first.scores)
    more = "".join(f". Nothing was retrained about {WORDS[one]}" for one in left_out) + _swept(sweep)
    together = _verdict(first, others, more)
    each = [_verdict(first[one], [other[one] for other in others], more) for one in range(n)] if n > 1 else [together]
    return CheckSummary(together, tuple(each), n, _retrained(first))


def _verdict(first: Findings, others: list[Findings], more: str) -> Verdict:
    """Return the verdict of the headline, with a clause about every other estimand."""
    besides = "".join(f". About {WORDS[one.estimand]}: grade {one.grade.letter}, {one.grade.reason}" for one in others)
    return dataclasses.replace(first.verdict, sentence=first.verdict.sentence + besides + more)


def _swept(sweep: dict[str, float]) -> str:
    """Say whether the changes depend on how long one trains further, nothing where that was not tried."""
    known = {label: value for label, value in sweep.items() if np.isfinite(value)}
    moved = [f"{label} {value:.2f}" for label, value in known.items() if value < PLATEAU]
    if moved:
        return (
            f". The changes of this model depend on how long one trains further (rank correlation with the usual length, "
            f"needed {PLATEAU:g}: {', '.join(moved)})"
        )
    return ". How long one trains further does not matter" if known else ""


def _retrained(found: Findings) -> pd.DataFrame:
    """Return what is kept with an explanation, see :attr:`CheckSummary.retrained`."""
    rows, positions = np.nonzero(found.tried)
    order = np.lexsort((rows, positions))
    rows, positions = rows[order], positions[order]
    frame = pd.DataFrame(
        {
            "position": positions,
            "kind": found.kinds[rows],
            "n_removed": found.sizes[rows],
            "predicted": found.predicted["frozen"][rows, positions],
            "frozen": found.mean("frozen")[rows, positions],
            "predicted_reclustered": found.predicted["reclustered"][rows, positions],
            "reclustered": found.mean("reclustered")[rows, positions],
        }
    )
    return frame[list(RETRAINED)]
