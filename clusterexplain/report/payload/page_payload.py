"""The payload of a whole page: the answers as ``to_dict`` gives them, charts, tables, rows, words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from clusterexplain._version import __version__
from clusterexplain.clustering.registry import CLUSTERING_TYPES
from clusterexplain.clustering.scores import SCORES
from clusterexplain.exceptions import DisagreementError
from clusterexplain.influence.registry import METHODS
from clusterexplain.report import charts, tables
from clusterexplain.report.context import ReportContext
from clusterexplain.report.figures import check_figure
from clusterexplain.report.payload.query_payload import TYPICAL, QueryPayload, mentioned_ids
from clusterexplain.report.payload.table_columns import CHECK_TABLE, HEAT_TABLE, JACCARD_TABLE
from clusterexplain.report.text import map_note
from clusterexplain.report.vega_lite import Specs
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text import check as check_text
from clusterexplain.results.text.clusters import PULLS_NOTE, profile, unexplained
from clusterexplain.results.text.glossary import GLOSSARY
from clusterexplain.results.text.map import some_drawn
from clusterexplain.results.text.methods import command
from clusterexplain.statistics.matching import NOISE

TOP = 50
"""Examples on each side that a page holds."""
TOP_OF_CLUSTER = 5
"""Examples on each side of the card of a cluster."""


def payload(
    explanation: Explanation, context: ReportContext, *, run: str | None = None, task: str | None = None
) -> dict[str, Any]:
    """Return everything that a page shows.

    Parameters
    ----------
    explanation : Explanation
        All its queries can be chosen on the page.
    context : ReportContext
        Its fit.
    run : str, optional
        The run directory, for commands to copy.
    task : str, optional
        Where the run's own network is made, for commands to copy.

    Returns
    -------
    dict
        JSON-compatible: answers (``explanation.to_dict``), queries, clusters, trust, rows, specs, datasets, words.
    """
    strongest = [tables.strongest(explanation, query, TOP) for query in range(len(explanation))]
    named = sorted({context.position_of[id_] for frame in strongest for id_ in frame["id"]})
    trained = [int(position) for position in explanation.positions if position >= 0]
    typical = [int(row) for cluster in context.clusters for row in _ends(context.members(cluster))]
    drawn = tables.shown_rows(context.present, [*named, *trained])
    specs = Specs()
    verify = _verify_command(explanation, context, run, task)
    panels = QueryPayload(explanation, context, specs, drawn)
    queries = [panels.of(query, frame) | {"verify": verify} for query, frame in enumerate(strongest)]
    clusters, reason = _clusters(context, specs)
    cards = [] if clusters is None else clusters["cards"]
    mentioned = [context.position_of[id_] for id_ in mentioned_ids(queries, cards)]
    return {
        "answers": explanation.to_dict(TOP),
        "queries": queries,
        "clusters": clusters,
        "trust": _trust(explanation, context, specs, can_check=verify is not None),
        "rows": _shown_rows(context, sorted({*drawn.tolist(), *named, *trained, *typical, *mentioned})),
        "names": {str(cluster): context.name_of(cluster) for cluster in [NOISE, *context.clusters]},
        "mixed": explanation.combined,
        "words": {
            "score": explanation.score_words,
            "method": explanation.method_words,
            "agreement": f"{explanation.agreement:.1%}",
            "map": map_note(context, len(drawn)),
            "run": run or "",
            "task": task or "",
            "flags": explanation.flags,
            "clusters": reason,
            "heat": PULLS_NOTE.replace("\n", " "),
            "shown": some_drawn(len(drawn), len(context.present)),
        },
        "facts": list(context.facts.items()),
        "glossary": [list(entry) for entry in GLOSSARY],
        "version": __version__,
        **specs.to_dict(),
    }


def _clusters(context: ReportContext, specs: Specs) -> tuple[dict[str, Any] | None, str]:
    """Return the cards of all clusters and the heat map; None where there is nothing to compare, or no way to, and why."""
    if len(context.clusters) < 2:
        return None, ""
    try:
        answers = context.cohesion.to_dict(TOP_OF_CLUSTER)["answers"]
    except DisagreementError as error:
        return None, unexplained(error)
    measured = None if context.stability is None else context.stability.clusters()
    cards = []
    for cluster, answer in zip(context.clusters, answers, strict=True):
        members = context.members(cluster)
        cards.append(
            {
                "name": context.name_of(cluster),
                "size": len(members),
                "cohesion": answer["margin"],
                "profile": _profile(context, cluster),
                "typical": context.ids_of(members[:TYPICAL]),
                "untypical": context.ids_of(members[::-1][:TYPICAL]),
                "holds": answer["pulled_in"],
                "loosens": answer["pushed_away"],
                "stability": "" if measured is None else str(measured["verdict"].iloc[cluster]),
            }
        )
    pulls = tables.cluster_pulls(context)
    return {"cards": cards, "heat": specs.panel(charts.heatmap_chart(pulls), HEAT_TABLE, pulls)}, ""


def _trust(explanation: Explanation, context: ReportContext, specs: Specs, *, can_check: bool) -> dict[str, Any]:
    """Return whether the answer was checked, and what the check and the refits found."""
    check, retrained, stability = explanation.check, None, None
    if check is not None and check.retrained is not None:
        chart, table = check_figure(explanation)
        retrained = specs.panel(chart, CHECK_TABLE, table)
    if context.stability is not None:
        table = tables.cluster_stability(context)
        stability = specs.panel(charts.cluster_stability_chart(table), JACCARD_TABLE, table)
    return {
        "status": explanation.status,
        "words": explanation.status_words,
        "meaning": check_text.meaning(None if check is None else check.grade, can_check=can_check),
        "sentence": explanation.checked,
        "null": None if check is None or not math.isfinite(check.null) else check.null,
        "check": retrained,
        "stability": stability,
        "stability_words": "" if context.stability is None else context.stability.sentence,
    }


def _verify_command(explanation: Explanation, context: ReportContext, run: str | None, task: str | None) -> str | None:
    """Return the command that checks all answers of the page, None where they cannot be checked by a command.

    Code of the user's own (a method, a clusterer, a reclusterer, a score) is passed in Python; of a network the command names
    the task.
    """
    assignment = context.fit.assignment
    own_code = (
        explanation.method not in METHODS
        or assignment.clustering.name not in CLUSTERING_TYPES
        or "reclusterer" in assignment.clustering.settings
        or assignment.score.name not in SCORES
    )
    if own_code or explanation.combined or (explanation.positions < 0).any():
        return None
    named = {_against(explanation, context, query) for query in range(len(explanation))}
    if len(named) > 1:
        return None
    samples = explanation.query_ids.tolist()
    return command("verify", samples, run, named.pop(), task=task, flags=explanation.flags)


def _against(explanation: Explanation, context: ReportContext, query: int) -> int | None:
    """Return the cluster that was named by ``against``; None for the runner-up, which commands take by themselves."""
    assignment, position = context.fit.assignment, int(explanation.positions[query])
    row = slice(position, position + 1)
    runner_up = int(assignment.runner_ups(assignment.embedding[row], assignment.labels[row])[0])
    compared = int(explanation.runner_ups[query])
    return None if compared == runner_up else compared


def _profile(context: ReportContext, cluster: int) -> str:
    """Say what a cluster of table rows is, in the columns that differ most from the whole."""
    if not context.previews.is_table:
        return ""
    mean = context.data.X[context.present].mean(axis=0)
    return profile(context.previews.profile(context.cluster_mean(cluster), mean))


def _ends(rows: np.ndarray) -> np.ndarray:
    return np.union1d(rows[:TYPICAL], rows[::-1][:TYPICAL])


def _shown_rows(context: ReportContext, rows: list[int]) -> dict[str, list[Any]]:
    """Return what is known about training rows, column by column."""
    previews = [context.previews.preview(context.data.X[row], row) for row in rows]
    return {
        "id": [str(id_) for id_ in context.data.ids[rows]],
        "cluster": [int(label) for label in context.labels[rows]],
        "margin": [float(margin) if np.isfinite(margin) else None for margin in context.margins[rows]],
        "x": context.coordinates[rows, 0].tolist(),
        "y": context.coordinates[rows, 1].tolist(),
        "image": [preview.image for preview in previews] if any(preview.image for preview in previews) else [],
        "text": [preview.text for preview in previews] if any(preview.text for preview in previews) else [],
    }
