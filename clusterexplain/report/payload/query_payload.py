"""What a page shows about one query, as plain data: its answer in words, its charts, the columns in which rows differ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.report import charts, tables
from clusterexplain.report.context import ReportContext
from clusterexplain.report.figures import distances_figure, map_figure, waterfall_figure
from clusterexplain.report.payload.table_columns import (
    BARS_TABLE,
    DISTANCES_TABLE,
    GROUPS_TABLE,
    MAP_TABLE,
    STEPS_TABLE,
    STRIP_TABLE,
    TREE_TABLE,
)
from clusterexplain.report.text import concentration, misplaced, predicted_flip
from clusterexplain.report.vega_lite import Specs
from clusterexplain.results.badge import BadgeLevel
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text import check as check_text
from clusterexplain.results.text import near_duplicates
from clusterexplain.results.text.explanation import farther_inside, farther_outside, score_and_labels
from clusterexplain.results.text.names import COMMON, capitalize_first
from clusterexplain.statistics.matching import NOISE
from clusterexplain.storage.jsonable import to_jsonable

CHARTED = 10
"""Examples on each side that the charts draw."""
TYPICAL = 6
"""Members of a cluster that are shown."""
GOOD_AGREEMENT = 0.95
"""Share of training examples on which score and labels agree, from which on the badge is good."""
STABILITY_BADGES = {BadgeLevel.HIGH: "good", BadgeLevel.MODERATE: "fair", BadgeLevel.LOW: "poor"}
STATUS_BADGES = {"supported": "good", "not supported": "poor"}


class QueryPayload:
    """The parts of a page that follow the chosen query.

    Parameters
    ----------
    explanation : Explanation
        Whose queries.
    context : ReportContext
        Its fit.
    specs : Specs
        Collects the charts.
    drawn : ndarray of int
        Row numbers of the points on maps and strips.
    """

    def __init__(self, explanation: Explanation, context: ReportContext, specs: Specs, drawn: np.ndarray) -> None:
        self.explanation = explanation
        self.context = context
        self.specs = specs
        self.drawn = drawn
        self.points = tables.points(context, drawn, with_rows=False)
        self.sums = {column: tables.groups(explanation, column) for column in tables.group_columns(context)}

    def of(self, query: int, strongest: pd.DataFrame) -> dict[str, Any]:
        """Return what belongs to one query, whose pullers and pushers are given as :func:`tables.strongest` does."""
        explanation, context = self.explanation, self.context
        combined = explanation.combined
        position, id_ = int(explanation.positions[query]), explanation.query_ids[query]
        preview = None if combined else context.previews.preview(explanation.queries[query], position)
        own, runner_up = (
            [] if combined else context.ids_of(context.members(int(clusters[query]))[:TYPICAL])
            for clusters in (explanation.labels, explanation.runner_ups)
        )
        return {
            "id": str(id_),
            "position": position,
            "misplaced": misplaced(context, explanation, query),
            "title": str(id_) if combined else f"{capitalize_first(COMMON.sample)} {id_}",
            "headline": explanation.headline(query),
            "pull": " ".join(self._pull(query)),
            "sides": list(explanation.sides(query)),
            "badges": self._badges(query),
            "image": preview.image if preview else "",
            "text": preview.text if preview else "",
            "values": [] if combined or not context.previews.is_table else self._values(query),
            "own": own,
            "rival": runner_up,
            "details": {} if combined else self._details(query, [*strongest["id"], *own, *runner_up]),
            "conflicts": to_jsonable(tables.label_conflicts(context, explanation, query)),
            "conflicts_note": near_duplicates.none_found(trained_on=position >= 0),
            "charts": self._charts(query, strongest),
            "groups": {column: self._groups(query, column) for column in self.sums},
        }

    def _pull(self, query: int) -> list[str]:
        explanation = self.explanation
        said = (concentration(explanation, query), explanation.parts_words(query), explanation.seed_words(query))
        return [words for words in said if words]

    def _charts(self, query: int, strongest: pd.DataFrame) -> dict[str, Any]:
        explanation, context, panel = self.explanation, self.context, self.specs.panel
        shown = _first_of_each_side(strongest, CHARTED)
        waterfall, steps = waterfall_figure(explanation, query)
        mapped = map_figure(context, explanation, query, shown, self.points, with_rows=False)
        figures = {
            "map": panel(mapped, MAP_TABLE, self.points),
            "influence": panel(charts.influence_chart(shown), BARS_TABLE, shown),
            "waterfall": panel(waterfall, STEPS_TABLE, steps),
            "flip": predicted_flip(explanation, query),
            "distances": None if explanation.combined else self._distances(query),
        }
        if context.stability is not None and not explanation.combined:
            position = int(explanation.positions[query])
            chosen = tables.sample_stability(context, np.array([position] if position >= 0 else [], dtype=np.intp))
            shares = tables.sample_stability(context, self.drawn)
            figures["stability"] = panel(charts.stability_chart(shares, chosen=chosen), STRIP_TABLE, shares)
        return figures

    def _distances(self, query: int) -> dict[str, Any]:
        chart, frame = distances_figure(self.context, self.explanation, query)
        return self.specs.panel(chart, TREE_TABLE if self.context.fit.clustering.has_tree else DISTANCES_TABLE, frame)

    def _groups(self, query: int, column: str) -> dict[str, Any]:
        frame = self.sums[column][query]
        return self.specs.panel(charts.groups_chart(frame, what=column), GROUPS_TABLE, frame)

    def _badges(self, query: int) -> list[dict[str, str]]:
        explanation, badges = self.explanation, []
        marginal = float(explanation.share_with_larger_margin[query])
        if np.isfinite(marginal):
            text = farther_outside(marginal) if explanation.labels[query] == NOISE else farther_inside(marginal)
            badges.append({"level": "none", "name": "margin", "text": text})
        if explanation.stability is not None:
            stability = explanation.stability.badges[query]
            level = STABILITY_BADGES.get(stability.level, "none")
            badges.append({"level": level, "name": "stability", "text": stability.text})
        level = "good" if explanation.agreement >= GOOD_AGREEMENT else "fair"
        badges.append({"level": level, "name": "agreement", "text": score_and_labels(explanation.agreement)})
        verdict = None if explanation.check is None else explanation.check.each[query]
        level = "none" if verdict is None else STATUS_BADGES.get(verdict.status, "none")
        text = check_text.check_badge(None if verdict is None else verdict.words)
        return [*badges, {"level": level, "name": "check", "text": text}]

    def _details(self, query: int, ids: list[str]) -> dict[str, list[list[Any]]]:
        """Return for table rows, by id, in which columns they differ most from the query: name, value, query's, mean."""
        context, reference = self.context, self.explanation.queries[query]
        if not context.previews.is_table:
            return {}
        rows = [context.position_of[id_] for id_ in ids]
        clusters = {int(context.labels[row]) for row in rows}
        means = {cluster: context.cluster_mean(cluster) for cluster in clusters}
        details = {}
        for id_, row in zip(ids, rows, strict=True):
            mean = means[int(context.labels[row])]
            differences = context.previews.differences(context.data.X[row], reference, mean)
            details[str(id_)] = [
                [column.name, column.value, column.reference, column.cluster_mean] for column in differences
            ]
        return details

    def _values(self, query: int) -> list[list[Any]]:
        """Return the columns in which a table row differs most from its cluster's mean: name, value, mean."""
        mean = self.context.cluster_mean(int(self.explanation.labels[query]))
        differences = self.context.previews.differences(self.explanation.queries[query], mean, mean)
        return [[column.name, column.value, column.cluster_mean] for column in differences]


def mentioned_ids(queries: list[dict[str, Any]], cards: list[Mapping[str, Any]]) -> set[str]:
    """Return the ids of near-duplicates, and of the examples that hold and loosen clusters."""
    lists = [query["conflicts"] for query in queries]
    lists += [card[name] for card in cards for name in ("holds", "loosens")]
    return {str(record["id"]) for records in lists for record in records}


def _first_of_each_side(strongest: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the first `n` of each side of :func:`tables.strongest`, ranked from 1 again."""
    picked = strongest.groupby("pulls", sort=False).head(n)
    return picked.assign(rank=np.arange(1, len(picked) + 1)).reset_index(drop=True)
