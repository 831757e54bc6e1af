"""The words of a report: what an explanation says to the sentences of :mod:`clusterexplain.results.text`."""

from __future__ import annotations

import numpy as np

from clusterexplain.report import tables
from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text import explanation as explanation_text
from clusterexplain.results.text import flip as flip_text
from clusterexplain.results.text import map as map_text
from clusterexplain.results.text import margins as margin_text
from clusterexplain.results.text.margins import MarginLabels
from clusterexplain.results.text.names import terminal_safe

LONGEST_NAME = 60
"""Letters of a name in a title."""


def labels_of(explanation: Explanation, query: int) -> MarginLabels:
    """Return what the sides of a query's margin are called."""
    runner_up = explanation.name_of(explanation.runner_ups[query])
    return margin_text.margin_labels(int(explanation.labels[query]), runner_up, explanation.topic)


def page_question(explanation: Explanation) -> str:
    """Return the question that a page is about."""
    return margin_text.page_question(labels_of(explanation, query).question for query in range(len(explanation)))


def subject(explanation: Explanation, query: int | None) -> str:
    """Say what a picture is about: the sample, its cluster and its runner-up.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int or None
        Position of the query; None for all of them.

    Returns
    -------
    str
        For example "Sample 123: cluster 1, compared with cluster 4".
    """
    samples = [_short(sample) for sample in explanation.query_ids.tolist()]
    if query is None:
        return margin_text.samples_subject(samples, combinations=explanation.combined)
    if explanation.combined:
        return margin_text.members_subject(samples[query])
    own, runner_up = (
        _short(explanation.name_of(clusters[query])) for clusters in (explanation.labels, explanation.runner_ups)
    )
    return margin_text.sample_subject(samples[query], own, runner_up)


def map_note(context: ReportContext, n_shown: int) -> str:
    """Say what the map is, of which `n_shown` points are drawn."""
    dim = context.fit.embedding.shape[1]
    return map_text.map_note(n_shown, len(context.present), context.drawn_by, dim, source=context.map_source)


def misplaced(context: ReportContext, explanation: Explanation, query: int) -> str:
    """Say that the map shows a sample among another cluster's members, empty where it does not."""
    return map_text.misplaced(*tables.foreign_neighbours(context, explanation, query))


def concentration(explanation: Explanation, query: int) -> str:
    """Say how concentrated the pull is, and where most of it comes from; empty if nothing pulls."""
    pull = np.maximum(explanation.influence[query], 0)
    if not pull.sum() > 0:
        return ""
    shares = np.cumsum(np.sort(pull)[::-1]) / pull.sum()
    clusters = np.unique(explanation.train_labels)
    sums = np.array([pull[explanation.train_labels == cluster].sum() for cluster in clusters])
    return explanation_text.concentration(
        n_half=int(np.searchsorted(shares, 0.5)) + 1,
        n_examples=int((explanation.sample_weight > 0).sum()),
        share=float(sums.max() / pull.sum()),
        cluster=explanation.name_of(int(clusters[sums.argmax()])),
        positive=explanation.sides(query)[0],
    )


def predicted_flip(explanation: Explanation, query: int) -> str:
    """Say after how many removals a sample is predicted to change sides, and whether it is itself among them."""
    labels = labels_of(explanation, query)
    if not explanation.scores[query] > 0:
        return labels.not_positive
    n, n_without_itself, itself = tables.predicted_flips(explanation, query)
    return flip_text.predicted_flip(labels, n, n_without_itself, itself=itself)


def _short(name: object) -> str:
    text = terminal_safe(str(name))
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "\N{HORIZONTAL ELLIPSIS}"
