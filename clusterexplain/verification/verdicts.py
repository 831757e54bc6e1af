"""The sentences of a check: of all its samples together and of each, with a clause about every other estimand."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from clusterexplain.fitting.variants import WORDS
from clusterexplain.results.removals import GROUP, SINGLE, TOP_PULLERS, RemovalKind, RemovalName
from clusterexplain.results.text.check import ALL_DIRECT, by_assignments, without_direct
from clusterexplain.results.verdict import CheckSummary, Estimand, Verdict
from clusterexplain.statistics import metrics
from clusterexplain.statistics.intervals import Interval
from clusterexplain.storage.check_schema import RETRAINED
from clusterexplain.verification.controls.clustering_from_scratch import N_STARTS
from clusterexplain.verification.controls.planted_duplicates import WIDE
from clusterexplain.verification.faithfulness import Faithfulness
from clusterexplain.verification.grade import MEANINGS
from clusterexplain.verification.retrained_changes import ASSIGNMENTS, WITHOUT_DIRECT

RECALL = 0.9
"""Share of what was planted that an explanation should find."""
PLATEAU = 0.9
"""Rank correlation from which on shorter or longer further training counts as giving the same changes."""
SIZED = (RemovalName.GROUP, RemovalName.SUBSET)
"""Kinds whose other sizes a verdict lists."""


def check_summary(
    by_estimand: dict[Estimand, Faithfulness],
    left_out: dict[Estimand, str],
    planted: pd.DataFrame,
    *,
    labels_given: bool = False,
) -> CheckSummary:
    """Return the verdicts of a check and what it retrained, as they are attached to an explanation.

    Parameters
    ----------
    by_estimand : dict of Estimand to Faithfulness
        The headline first.
    left_out : dict of Estimand to str
        Estimands that a level would ask but the model has not, with the reason.
    planted : DataFrame
        The positive control, see :attr:`Check.planted_duplicates`.
    labels_given : bool, default=False
        Whether labels were given and cannot be found anew, so that the clustering was not run again.

    Returns
    -------
    CheckSummary
        One verdict for all samples together and one for each.
    """
    first, *others = by_estimand.values()
    n = len(first.scores)
    more = "".join(f". Nothing was retrained about {WORDS[estimand]}" for estimand in left_out)
    together = _verdict(first, others, more + planted_clause(planted))
    each = [together]
    if n > 1:
        each = []
        for query in range(n):
            clause = planted_clause(planted[planted["position"] == query])
            each.append(_verdict(first[query], [other[query] for other in others], more + clause))
    if labels_given:
        together, each = together.with_labels_given(), [verdict.with_labels_given() for verdict in each]
    return CheckSummary(together, tuple(each), n, _retrained(first))


def _verdict(first: Faithfulness, others: list[Faithfulness], more: str) -> Verdict:
    """Return the verdict of the headline, with a clause about every other estimand."""
    besides = "".join(
        f". About {WORDS[other.estimand]}: grade {other.grade.letter}, {other.grade.reason}{length_clause(other)}"
        for other in others
    )
    verdict = verdict_of(first)
    return dataclasses.replace(verdict, sentence=verdict.sentence + besides + more)


def verdict_of(faithfulness: Faithfulness) -> Verdict:
    """Return status, sentence and figures of one estimand."""
    figures: dict[str, float | None] = {
        f"{kind.label}_{assignments}": faithfulness.figure(kind, assignments)
        for kind in (SINGLE, GROUP)
        for assignments in ASSIGNMENTS
    }
    for kind in (SINGLE, GROUP):
        figures[f"{kind.label}_{WITHOUT_DIRECT}"] = faithfulness.figure(kind, "kept", WITHOUT_DIRECT)
    known = faithfulness.estimand is Estimand.SEED
    null = float(np.abs(faithfulness.null_changes).max(initial=0.0)) if known else float("nan")
    grade = faithfulness.grade
    sentence = _sentence(faithfulness)
    return Verdict(grade.status, sentence, figures, null, grade.letter, faithfulness.estimand, grade.reason)


def _sentence(faithfulness: Faithfulness) -> str:
    """Return the result of one estimand in words."""
    n = int(faithfulness.tried.any(axis=1).sum()) * faithfulness.n_seeds
    opening = {
        "supported": f"supported by {n:,} retrainings",
        "not supported": f"NOT supported by {n:,} retrainings",
        "untested": f"untested after {n:,} retrainings",
    }[faithfulness.grade.status]
    seeds = faithfulness.n_seeds
    whose = f"{seeds} other seeds" if seeds > 1 else WORDS[faithfulness.estimand]
    share = f"{100 * faithfulness.group_share:g} %"
    groups = f"random groups of {share} {_agreement(faithfulness, GROUP)}{_other_sizes(faithfulness)}"
    return (
        f"{opening} ({whose}). {_graded(faithfulness)}. Rank correlation of predicted and retrained changes of the margin (1 "
        f"is perfect): random single removals {_agreement(faithfulness, SINGLE)}, where knowing only the cluster of the "
        f"removed example gives {_baseline(faithfulness)}; {groups}. Sizes, retrained over predicted: single removals "
        f"{_slope(faithfulness, SINGLE)}, groups {_slope(faithfulness, GROUP)}"
        f"{_without_direct(faithfulness)}{_caveats(faithfulness)}"
    )


def _graded(faithfulness: Faithfulness) -> str:
    grades, worst = faithfulness.grades, faithfulness.grade
    if not faithfulness.labels_change or len({grade.letter for grade in grades.values()}) == 1:
        return f"Grade {worst.letter}, {MEANINGS[worst.letter]}: {worst.reason}"
    return (
        f"Grade {by_assignments(grades['kept'].letter, grades['continued'].letter)}; so {worst.letter}, "
        f"{MEANINGS[worst.letter]}: {worst.reason}"
    )


def _agreement(faithfulness: Faithfulness, kind: RemovalKind) -> str:
    kept, continued = (
        Interval(*(faithfulness.figure(kind, name, column) for column in ("spearman", "low", "high")))
        for name in ASSIGNMENTS
    )
    if not faithfulness.labels_change:
        return str(kept)
    return by_assignments(str(kept), str(continued))


def _baseline(faithfulness: Faithfulness) -> str:
    value = faithfulness.figure(SINGLE, "continued", "same_cluster")
    return "no order" if np.isnan(value) else f"{value:.2f}"


def _other_sizes(faithfulness: Faithfulness) -> str:
    sized = [kind for kind in dict.fromkeys(faithfulness.kinds) if kind.name in SIZED and kind.share is not None]
    figures = {kind.label: faithfulness.figure(kind, "continued") for kind in sized}
    known = [f"{label} {value:.2f}" for label, value in figures.items() if not np.isnan(value)]
    return f"; with the clustering continued, {', '.join(known)}" if known else ""


def _slope(faithfulness: Faithfulness, kind: RemovalKind) -> str:
    slopes = [faithfulness.figure(kind, name, "slope") for name in ASSIGNMENTS]
    if np.isnan(slopes).any():
        return "not tried"
    kept, continued = slopes
    return by_assignments(f"{kept:.2f}", f"{continued:.2f}") if faithfulness.labels_change else f"{kept:.2f}"


def _without_direct(faithfulness: Faithfulness) -> str:
    """Say how well the changes through the parameters alone are predicted, in which no weight predicts itself."""
    if faithfulness.is_all_direct:
        return f". {ALL_DIRECT}"
    said = []
    for kind, words in ((SINGLE, "single removals"), (GROUP, "groups")):
        names = (WITHOUT_DIRECT, f"{WITHOUT_DIRECT}_low", f"{WITHOUT_DIRECT}_high")
        interval = Interval(*(faithfulness.figure(kind, "kept", name) for name in names))
        said += [f"{words} {interval}"] if np.isfinite(interval.mean) else []
    return f". {without_direct(', '.join(said))}" if said else ""


def _caveats(faithfulness: Faithfulness) -> str:
    turns, n = wrong_side(faithfulness), len(faithfulness.scores)
    whose = f"{turns} of {n} samples end" if n > 1 else "it ends"
    sides = f". Without their top pullers, {whose} on another side of the boundary than predicted" if turns else ""
    share = faithfulness.dissolved["continued"]
    gone = f". After {share:.1%} of the single removals a cluster of the pair was another one" if share else ""
    moved = float(np.abs(faithfulness.null_changes).max(initial=0.0))
    drift = f". Further training itself moves the margins by up to {moved:.2g}, which is subtracted"
    moved_by_training = drift + length_clause(faithfulness) if faithfulness.estimand is Estimand.MODEL else ""
    return sides + gone + scratch_clause(faithfulness.scratch_summary) + moved_by_training


def wrong_side(faithfulness: Faithfulness) -> int:
    """Count the samples whose margin without their top pullers has another sign than predicted."""
    picked = faithfulness.of_kind(TOP_PULLERS)
    predicted, retrained = faithfulness.predicted["continued"][picked], faithfulness.mean("continued")[picked]
    differ = np.sign(faithfulness.scores + predicted) != np.sign(faithfulness.scores + retrained)
    return int((differ & faithfulness.tried[picked] & np.isfinite(retrained)).sum())


def length_clause(faithfulness: Faithfulness) -> str:
    """Say whether the changes depend on how long one trains further; empty where that is not known."""
    known = {label: metrics.average(values) for label, values in faithfulness.sweep.items()}
    if not known or faithfulness.grade.letter == "U" or not np.isfinite(list(known.values())).all():
        return ""
    moved = [f"{label} {value:.2f}" for label, value in known.items() if value < PLATEAU]
    if moved:
        return (
            f". The order of single removals depends on how long one trains further (rank correlation with the usual "
            f"length, needed {PLATEAU:g}: {', '.join(moved)})"
        )
    return ". The order of single removals hardly depends on how long one trains further"


def scratch_clause(rows: pd.DataFrame) -> str:
    """Say what clustering from scratch gave after single removals, see :attr:`Faithfulness.scratch_summary`."""
    single = rows[rows["kind"] == SINGLE.label] if len(rows) else rows
    if not len(single):
        return ""
    row = single.iloc[0]
    agreement = Interval(row["spearman"], row["low"], row["high"])
    shared = "" if np.isnan(agreement.mean) else f", and the rank correlation of single removals is {agreement}"
    return (
        f". Clustered from scratch instead of continued, both clusters of the pair are found again in {row['same']:.0%} of the "
        f"cases ({row['unmoved']:.0%} over {N_STARTS} starts with nothing removed){shared}"
    )


def planted_clause(control: pd.DataFrame) -> str:
    """Say whether the positive control found what was planted; empty where it was not tried."""
    if not len(control):
        return ""
    share, chance = float(control["found_wide"].mean()), float(control["chance_wide"].mean())
    short = "" if share >= RECALL else f": fewer than the {RECALL:.0%} that were expected"
    return (
        f". Of near-duplicates that were planted in the other cluster of the pair, {share:.0%} are among the {WIDE:.0%} that "
        f"push most (by chance {chance:.0%}){short}"
    )


def _retrained(faithfulness: Faithfulness) -> pd.DataFrame:
    """Return what is kept with an explanation, see :attr:`CheckSummary.retrained`."""
    rows, positions = np.nonzero(faithfulness.tried)
    order = np.lexsort((rows, positions))
    rows, positions = rows[order], positions[order]
    frame = pd.DataFrame(
        {
            "position": positions,
            "kind": [faithfulness.kinds[row].label for row in rows],
            "n_removed": faithfulness.sizes[rows],
            "predicted_kept": faithfulness.predicted["kept"][rows, positions],
            "kept": faithfulness.mean("kept")[rows, positions],
            "predicted_continued": faithfulness.predicted["continued"][rows, positions],
            "continued": faithfulness.mean("continued")[rows, positions],
        }
    )
    return frame[list(RETRAINED)]
