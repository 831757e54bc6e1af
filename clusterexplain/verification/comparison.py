"""Predicted changes put beside retrained ones: the arrays of one estimand, and the tables that a check keeps of them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.results.check import EstimandCheck
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.removals import Removal
from clusterexplain.results.verdict import Estimand
from clusterexplain.verification.controls.clustering_from_scratch import ClusteringFromScratch
from clusterexplain.verification.controls.control_figures import control_figures
from clusterexplain.verification.estimands import KINDS_OVER_SEEDS, agreement_over_lengths
from clusterexplain.verification.faithfulness import Faithfulness
from clusterexplain.verification.levels import Level
from clusterexplain.verification.retrained_changes import ASSIGNMENTS, WITHOUT_DIRECT, RetrainedChanges


def compare(
    estimand: Estimand,
    explanation: Explanation,
    removals: list[Removal],
    changes: list[RetrainedChanges],
    rankings: dict[str, np.ndarray],
    level: Level,
) -> Faithfulness:
    """Put what an explanation predicts for some removals beside what retraining gave.

    Parameters
    ----------
    estimand : Estimand
        What was asked of retraining.
    explanation : Explanation
        What is checked.
    removals : list of Removal
        What was removed.
    changes : list of RetrainedChanges
        One for each seed, or for each length of further training: then the first is compared, the others are a control.
    rankings : dict of str to ndarray of shape (n_queries, n_samples)
        Baselines as influences, see :func:`reference_rankings`.
    level : Level
        Of the check.

    Returns
    -------
    Faithfulness
        Its arrays, NaN where a removal was not tried for a query.
    """
    sweep: dict[str, np.ndarray] = {}
    if estimand is Estimand.MODEL:
        usual, *others = changes
        sweep = {other.label: agreement_over_lengths(usual, other, removals) for other in others}
        changes = [usual]
    base = explanation.sample_weight
    weights = np.stack([removal.weights(base) for removal in removals])
    relative = np.divide(weights, base, out=np.ones_like(weights), where=base > 0) - 1
    retrained = {name: np.stack([way.changes[name] for way in changes]) for name in (*ASSIGNMENTS, WITHOUT_DIRECT)}
    tried = _tried(estimand, explanation, removals, retrained["kept"])
    scratch = [way.from_scratch for way in changes if way.from_scratch is not None]
    predicted = {name: explanation.predict(weights, assignments=name) for name in ASSIGNMENTS}
    predicted[WITHOUT_DIRECT] = relative @ (explanation.encoder + explanation.cluster).T
    return Faithfulness(
        estimand=estimand,
        kinds=tuple(removal.kind for removal in removals),
        sizes=np.array([len(removal.members) for removal in removals]),
        predicted={name: np.where(tried, rows, np.nan) for name, rows in predicted.items()},
        retrained=retrained,
        tried=tried,
        reference_rankings={name: relative @ rows.T for name, rows in rankings.items()},
        own_cluster=_own_cluster(explanation, removals),
        scores=explanation.scores,
        null_changes=np.stack([way.null for way in changes]) - explanation.scores,
        overlap=np.stack([way.overlap for way in changes]),
        from_scratch=ClusteringFromScratch.joined(scratch, axis=0) if scratch else None,
        sweep=sweep,
        rerun=max(way.rerun for way in changes),
        cap="B" if level.name == "custom" else level.cap,
        group_share=level.group_share,
    )


def _tried(estimand: Estimand, explanation: Explanation, removals: list[Removal], kept: np.ndarray) -> np.ndarray:
    """Return which removals were tried for which queries, shape (n_removals, n_queries), bool."""
    queries = range(len(explanation))
    of_query = np.array([[removal.query in (None, query) for query in queries] for removal in removals])
    left_out = np.array([removal.kind not in KINDS_OVER_SEEDS for removal in removals]) & (
        estimand is not Estimand.SEED
    )
    if estimand is Estimand.MODEL and np.isfinite(kept[:, left_out]).any():  # it is pretrained: nothing was left out
        left_out[:] = False
    return np.asarray(of_query & ~left_out[:, None])


def _own_cluster(explanation: Explanation, removals: list[Removal]) -> np.ndarray:
    """Return whether all that is removed is of the query's own cluster, shape (n_removals, n_queries), bool."""
    member = explanation.labels[:, None] == explanation.train_labels
    return np.array([member[:, removal.members].all(axis=1) for removal in removals])


def estimand_check(faithfulness: Faithfulness, query_ids: np.ndarray) -> EstimandCheck:
    """Return the figures of one estimand as the plain data that a check holds.

    Parameters
    ----------
    faithfulness : Faithfulness
        Of the estimand.
    query_ids : ndarray of shape (n_queries,)
        Ids of the queries.

    Returns
    -------
    EstimandCheck
        Arrays and tables.
    """
    retrained, overlap = dict(faithfulness.retrained), {"continued": faithfulness.overlap}
    scratch = faithfulness.from_scratch
    if scratch is not None:
        retrained["scratch"], overlap["scratch"] = scratch.changes, scratch.overlap
    return EstimandCheck(
        estimand=faithfulness.estimand,
        grade=faithfulness.grade.letter,
        sizes=faithfulness.sizes,
        tried=faithfulness.tried,
        own_cluster=faithfulness.own_cluster,
        predicted=faithfulness.predicted,
        retrained=retrained,
        reference_rankings=faithfulness.reference_rankings,
        overlap=overlap,
        overlap_unchanged=None if scratch is None else scratch.unmoved,
        null_changes=faithfulness.null_changes,
        table=_table(faithfulness, query_ids),
        summary=faithfulness.summary,
        grades=_grades(faithfulness),
        from_scratch=faithfulness.scratch_summary,
        controls=control_figures(faithfulness),
        dissolved=faithfulness.dissolved,
        sweep=faithfulness.sweep,
    )


def _table(faithfulness: Faithfulness, query_ids: np.ndarray) -> pd.DataFrame:
    """Return one row for each (query, retraining), see :attr:`clusterexplain.results.check.Check.table`."""
    frames = []
    for position, query in enumerate(query_ids):
        picked = np.flatnonzero(faithfulness.tried[:, position])
        columns = {
            "retraining": picked,
            "kind": [faithfulness.kinds[row].label for row in picked],
            "n_removed": faithfulness.sizes[picked],
            "own_cluster": faithfulness.own_cluster[picked, position],
            "predicted_kept": faithfulness.predicted["kept"][picked, position],
            "predicted_continued": faithfulness.predicted["continued"][picked, position],
        }
        same_cluster = faithfulness.reference_rankings.get("same_cluster")
        if same_cluster is not None:
            columns["same_cluster"] = same_cluster[picked, position]
        columns |= {name: faithfulness.mean(name)[picked, position] for name in ASSIGNMENTS}
        columns["predicted_without_direct"] = faithfulness.predicted[WITHOUT_DIRECT][picked, position]
        columns[WITHOUT_DIRECT] = faithfulness.mean(WITHOUT_DIRECT)[picked, position]
        frames.append(pd.DataFrame({"query": query, "position": position, **columns}))
    return pd.concat(frames, ignore_index=True)


def _grades(faithfulness: Faithfulness) -> pd.DataFrame:
    """Return one row for each assignments: grade, the evidence behind it, and the reason."""
    rows = []
    for name, grade in faithfulness.grades.items():
        evidence = faithfulness.evidence[name]
        rows.append(
            {
                "assignments": name,
                "grade": grade.letter,
                "spearman": evidence.spearman.mean,
                "low": evidence.spearman.low,
                "ceiling": evidence.ceiling.mean,
                "ceiling_low": evidence.ceiling.low,
                "signs": evidence.signs,
                "slope": evidence.slope,
                "drift": evidence.drift,
                "over_baselines": evidence.over_baselines.mean,
                "over_low": evidence.over_baselines.low,
                "best_baseline": evidence.best_baseline,
                "shuffled": evidence.band,
                "reason": grade.reason,
            }
        )
    return pd.DataFrame(rows)
