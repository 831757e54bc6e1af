"""The sentences of a check: of all its samples together and of each, with a clause about every other estimand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from clusterexplain.fitting.variants import WORDS
from clusterexplain.results.annotations import CheckSummary, Verdict
from clusterexplain.storage.sidecars import RETRAINED
from clusterexplain.verification.controls.planted_duplicates import WIDE
from clusterexplain.verification.faithfulness import Faithfulness

RECALL = 0.9
"""Share of what was planted that an explanation should find."""


def summarised(found: dict[str, Faithfulness], left_out: dict[str, str], control: pd.DataFrame) -> CheckSummary:
    """Return the verdicts of a check and what it retrained, as they are attached to an explanation.

    Parameters
    ----------
    found : dict of str to Findings
        By estimand, the headline first.
    left_out : dict of str to str
        Estimands that a level would ask but the model has not, with the reason.
    control : DataFrame
        The positive control, see :attr:`Check.planted`.

    Returns
    -------
    CheckSummary
        One verdict for all samples together and one for each.
    """
    first, *others = found.values()
    n = len(first.scores)
    more = "".join(f". Nothing was retrained about {WORDS[one]}" for one in left_out)
    together = _verdict(first, others, more + _planted(control))
    each = (
        [
            _verdict(first[one], [other[one] for other in others], more + _planted(control[control["position"] == one]))
            for one in range(n)
        ]
        if n > 1
        else [together]
    )
    return CheckSummary(together, tuple(each), n, _retrained(first))


def _verdict(first: Faithfulness, others: list[Faithfulness], more: str) -> Verdict:
    """Return the verdict of the headline, with a clause about every other estimand."""
    besides = "".join(
        f". About {WORDS[one.estimand]}: grade {one.grade.letter}, {one.grade.reason}{one.swept}" for one in others
    )
    return dataclasses.replace(first.verdict, sentence=first.verdict.sentence + besides + more)


def _planted(control: pd.DataFrame) -> str:
    """Say whether the positive control found what was planted, nothing where it was not tried."""
    if not len(control):
        return ""
    found, chance = float(control["found_wide"].mean()), float(control["chance_wide"].mean())
    short = "" if found >= RECALL else f": fewer than the {RECALL:.0%} that were expected"
    return (
        f". Of near-copies that were planted in the rival cluster, {found:.0%} are among the {WIDE:.0%} that push most (by "
        f"chance {chance:.0%}){short}"
    )


def _retrained(found: Faithfulness) -> pd.DataFrame:
    """Return what is kept with an explanation, see :attr:`CheckSummary.retrained`."""
    rows, positions = np.nonzero(found.tried)
    order = np.lexsort((rows, positions))
    rows, positions = rows[order], positions[order]
    frame = pd.DataFrame(
        {
            "position": positions,
            "kind": [found.kinds[row].label for row in rows],
            "n_removed": found.sizes[rows],
            "predicted": found.predicted["kept"][rows, positions],
            "kept": found.mean("kept")[rows, positions],
            "predicted_continued": found.predicted["continued"][rows, positions],
            "continued": found.mean("continued")[rows, positions],
        }
    )
    return frame[list(RETRAINED)]
