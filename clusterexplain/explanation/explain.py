"""From samples to an explanation: margins, influence rows, memberships, and what is known about stability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from clusterexplain.data.selection import Samples
from clusterexplain.explanation.answerable import check_answerable, check_apart
from clusterexplain.explanation.gradients import influence_rows_with_report
from clusterexplain.explanation.queries import EmbeddedQueries, check_agreement, margins_of
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.outcome import pair_of
from clusterexplain.influence import JacobianFactory, MethodReport, TrainingJacobian
from clusterexplain.results.badge import NOT_TRAINED_ON
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.margins import Margins
from clusterexplain.results.stability import Stability
from clusterexplain.results.variability import StabilitySummary
from clusterexplain.statistics.matching import NOISE


@dataclass(frozen=True, eq=False)
class MembershipSummary:
    """How firmly each query sits in its cluster.

    Attributes
    ----------
    margins : ndarray of shape (n_queries,)
        Scores against the runner-up.
    probabilities : ndarray of shape (n_queries, 2)
        Soft membership in the own cluster and in the runner-up; where noise is one of the two, of the two alone.
    share_with_larger_margin : ndarray of shape (n_queries,)
        Share of the own cluster's members (of the noise, for noise) whose margin to their runner-up is larger.
    """

    margins: np.ndarray
    probabilities: np.ndarray
    share_with_larger_margin: np.ndarray

    @classmethod
    def of(cls, fit: Fit, margins: Margins, queries: EmbeddedQueries) -> MembershipSummary:
        """Compare the queries with the members of their clusters."""
        assignment, rows = fit.assignment, queries.normalized
        own, runner_up = pair_of(margins)
        with torch.no_grad():
            scores = fit.score.margins(rows, assignment.state, own, runner_up, noise=margins.has_noise)
            pair = torch.gather(assignment.membership(rows), 1, torch.stack([own, runner_up], dim=1).clamp(min=0))
            contest = torch.stack([torch.sigmoid(scores), torch.sigmoid(-scores)], dim=1)
            with_noise = (own == NOISE) | (runner_up == NOISE)
            nearest = assignment.margin_to_runner_up(rows, own)
        probabilities = torch.where(with_noise.unsqueeze(1), contest, pair).numpy()
        return cls(scores.numpy(), probabilities, assignment.share_with_larger_margin(nearest, own))

    @classmethod
    def of_combinations(cls, fit: Fit, margins: Margins) -> MembershipSummary:
        """Return the combined margins; a combination has no membership."""
        unknown = np.full((len(margins), 2), np.nan)
        return cls(margins.combine(fit.margins(margins).numpy()), unknown, unknown[:, 0])


def explain(
    fit: Fit,
    samples: Samples,
    against: str | int = "runner-up",
    *,
    method: str | TrainingJacobian | JacobianFactory = "auto",
    method_options: dict[str, Any] | None = None,
    show: tuple[str, ...] = (),
) -> Explanation:
    """Say which training examples pulled samples into their clusters, and which pushed them away.

    Parameters
    ----------
    fit : Fit
        What is explained.
    samples : Samples
        Training examples or new rows.
    against : "runner-up", "noise" or int, default="runner-up"
        The cluster to compare with: the runner-up of each sample, or the one named.
    method : str, TrainingJacobian, or callable ``Trajectory -> TrainingJacobian``, default="auto"
        The influence method.
    method_options : dict, optional
        Of the method.
    show : tuple of str, default=()
        Columns of the metadata (and "text") that tables show beside every training example.

    Returns
    -------
    Explanation
        One answer for each sample.

    Raises
    ------
    InvalidParameterError
        If there is no runner-up cluster, or the fit did not record what the method needs.
    DisagreementError
        If the score does not tell what the labels tell.
    """
    jacobian = fit.jacobian(method, method_options)
    check_answerable(fit)
    queries = EmbeddedQueries.of(fit, samples.rows, samples.positions)
    margins = margins_of(fit, samples, queries, against)
    check_apart(fit, margins)
    agreement = check_agreement(fit, margins, fit.config.min_agreement)
    rows, report = influence_rows_with_report(fit, margins, jacobian, queries)
    report.warn_if_failed()
    stability = fit.annotations.stability
    return _explanation(
        fit,
        margins,
        rows,
        MembershipSummary.of(fit, margins, queries),
        report,
        method_options,
        influence_method=method,
        show=show,
        agreement=agreement,
        score_words=_score_words(fit, margins),
        noise_reasons=_noise_reasons(fit, margins, queries),
        stability=None if stability is None else stability_summary(stability, samples.positions),
    )


def explain_combinations(fit: Fit, margins: Margins) -> Explanation:
    """Explain combinations of many samples' margins; arguments as :func:`explain`, one answer for each combination."""
    jacobian = fit.jacobian()
    check_answerable(fit)
    check_apart(fit, margins)
    agreement = check_agreement(fit, margins, fit.config.min_agreement)
    rows, report = influence_rows_with_report(fit, margins, jacobian)
    report.warn_if_failed()
    summary = MembershipSummary.of_combinations(fit, margins)
    return _explanation(fit, margins, rows, summary, report, None, agreement=agreement, score_words=fit.score.words)


def _explanation(
    fit: Fit,
    margins: Margins,
    rows: InfluenceRows,
    summary: MembershipSummary,
    report: MethodReport,
    options: dict[str, Any] | None,
    **more: Any,
) -> Explanation:
    return Explanation(
        margins=margins,
        scores=summary.margins,
        rows=rows,
        train_ids=fit.data.ids,
        train_labels=fit.clustering.labels.numpy().copy(),
        sample_weight=fit.weights.numpy().copy(),
        probabilities=summary.probabilities,
        share_with_larger_margin=summary.share_with_larger_margin,
        method=report.name,
        method_note=report.note,
        method_options=dict(options or {}),
        metadata=fit.data.metadata,
        cluster_names=dict(fit.annotations.cluster_names),
        fit=fit,
        **more,
    )


def _score_words(fit: Fit, margins: Margins) -> str:
    score = fit.score
    if not margins.has_noise:
        return score.words
    every = bool(((margins.own == NOISE) | (margins.runner_up == NOISE)).all())
    return score.noise_words if every else f"{score.words}, or with noise {score.noise_words}"


def _noise_reasons(fit: Fit, margins: Margins, queries: EmbeddedQueries) -> tuple[str, ...]:
    state = fit.assignment.state
    return tuple(
        fit.score.noise_reason(row, state, int(runner_up)) if own == NOISE else ""
        for row, own, runner_up in zip(queries.normalized, margins.own, margins.runner_up, strict=True)
    )


def stability_summary(stability: Stability, positions: np.ndarray) -> StabilitySummary:
    """Return what refits say about training examples by row number; nothing for -1, a row that was not trained on."""
    badges = tuple(stability.badge(int(row)) if row >= 0 else NOT_TRAINED_ON for row in positions)
    kept, counted = (
        np.where(positions >= 0, column[np.maximum(positions, 0)], 0) for column in (stability.kept, stability.counted)
    )
    return StabilitySummary(kept, counted, badges)
