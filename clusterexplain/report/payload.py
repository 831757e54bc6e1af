"""Everything that a page shows, as plain data: the answers as ``to_dict`` gives them, charts, tables, rows, words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain._version import __version__
from clusterexplain.exceptions import DisagreementError
from clusterexplain.report import charts, tables
from clusterexplain.report.columns import (
    BARS_TABLE,
    CHECK_TABLE,
    DISTANCES_TABLE,
    GROUPS_TABLE,
    HEAT_TABLE,
    JACCARD_TABLE,
    MAP_TABLE,
    STEPS_TABLE,
    STRIP_TABLE,
    TREE_TABLE,
)
from clusterexplain.report.context import ReportContext
from clusterexplain.report.figures import drawn_check, drawn_map, drawn_standing, drawn_waterfall
from clusterexplain.report.margin_labels import flip_words
from clusterexplain.report.text import (
    GLOSSARY,
    HEAT_WORDS,
    command,
    map_words,
    place_words,
    profile_words,
    pull_words,
    trust_words,
    twins_words,
)
from clusterexplain.report.vega_lite import Specs
from clusterexplain.results.badge import BadgeLevel
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import NOISE
from clusterexplain.storage.jsonable import to_jsonable

TOP = 50
"""Examples on each side that a page holds."""
RINGS = 10
"""Examples on each side that the charts draw."""
TYPICAL = 6
BADGE_COLOURS = {BadgeLevel.HIGH: "good", BadgeLevel.MODERATE: "fair", BadgeLevel.LOW: "poor"}


def payload(
    explanation: Explanation, context: ReportContext, *, run: str | None = None, task: str | None = None
) -> dict[str, Any]:
    """Return everything that a page shows.

    Parameters
    ----------
    explanation : Explanation
        All its queries can be chosen on the page.
    exhibit : ReportContext
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
    listed = [tables.listed(explanation, query, TOP) for query in range(len(explanation))]
    named = sorted({context.position_of[one] for frame in listed for one in frame["id"]})
    asked = [int(one) for one in explanation.positions if one >= 0]
    typical = [int(row) for one in context.clusters for row in _ends(context.members(one))]
    drawn = tables.shown_rows(context.present, [*named, *asked])
    specs = Specs()
    page = _Page(explanation, context, specs, drawn, run, task)
    queries = [page.query(query, frame) for query, frame in enumerate(listed)]
    clusters = page.clusters()
    mentioned = [context.position_of[one] for one in _mentioned(queries, clusters)]
    return {
        "answers": explanation.to_dict(TOP),
        "queries": queries,
        "clusters": clusters,
        "trust": page.trust(),
        "rows": _rows(context, sorted({*drawn.tolist(), *named, *asked, *typical, *mentioned})),
        "names": {str(one): context.name_of(one) for one in [-1, *context.clusters]},
        "mixed": explanation.combined,
        "words": page.words(),
        "facts": list(context.facts.items()),
        "glossary": [list(pair) for pair in GLOSSARY],
        "version": __version__,
        **specs.to_dict(),
    }


class _Page:
    """The parts of a page."""

    def __init__(
        self,
        explanation: Explanation,
        context: ReportContext,
        specs: Specs,
        drawn: np.ndarray,
        run: str | None,
        task: str | None,
    ) -> None:
        self.explanation = explanation
        self.context = context
        self.specs = specs
        self.drawn = drawn
        self.run, self.task = run, task
        self.clusters_words = ""
        self.dots = tables.dots(context, drawn, with_rows=False)
        self.verify = self._verify()
        self.sums = {column: tables.groups(explanation, column) for column in tables.group_columns(context)}

    def query(self, query: int, listed: pd.DataFrame) -> dict[str, Any]:
        """Return what belongs to one query."""
        explanation, context = self.explanation, self.context
        whole = explanation.combined
        position = int(explanation.positions[query])
        id_ = explanation.query_ids[query]
        shown = None if whole else context.rows.show(explanation.queries[query], position)
        pair = (explanation.labels[query], explanation.rivals[query])
        own, rival = ([] if whole else self._ids(context.members(int(one))[:TYPICAL]) for one in pair)
        return {
            "id": str(id_),
            "position": position,
            "place": place_words(context, explanation, query),
            "title": str(id_) if whole else f"Sample {id_}",
            "headline": explanation.headline(query),
            "pull": f"{pull_words(explanation, query)} {explanation.seed_words(query)}".strip(),
            "sides": list(explanation.sides(query)),
            "badges": self._badges(query),
            "image": shown.image if shown else "",
            "text": shown.text if shown else "",
            "values": [] if whole or not context.rows.is_table else self._values(query),
            "own": own,
            "rival": rival,
            "details": {} if whole else self._details(query, [*listed["id"], *own, *rival]),
            "twins": to_jsonable(tables.twins(context, explanation, query)),
            "twins_words": twins_words(explanation, query),
            "charts": self._charts(query, listed),
            "groups": {column: self._groups(query, column) for column in self.sums},
            "verify": self.verify,
        }

    def clusters(self) -> dict[str, Any] | None:
        """Return the cards of all clusters and the heat map; None where there is nothing to compare, or no way to."""
        context = self.context
        if len(context.clusters) < 2:
            return None
        try:
            cohesions = context.cohesion.to_dict(5)["answers"]
        except DisagreementError as error:
            self.clusters_words = f"Whole clusters cannot be explained here: {error}"
            return None
        measured = None if context.stability is None else context.stability.clusters()
        cards = []
        for cluster, answer in zip(context.clusters, cohesions, strict=True):
            members = context.members(cluster)
            cards.append(
                {
                    "name": context.name_of(cluster),
                    "size": len(members),
                    "cohesion": answer["margin"],
                    "profile": self._profile(cluster),
                    "typical": self._ids(members[:TYPICAL]),
                    "untypical": self._ids(members[::-1][:TYPICAL]),
                    "holds": answer["pulled_in"],
                    "loosens": answer["pushed_away"],
                    "stability": "" if measured is None else str(measured["verdict"].iloc[cluster]),
                }
            )
        pulls = tables.cluster_pulls(context)
        heat = self.specs.panel(charts.heatmap_chart(pulls), HEAT_TABLE, pulls)
        return {"cards": cards, "heat": heat}

    def trust(self) -> dict[str, Any]:
        """Return whether the answer was checked, and what the check and the refits found."""
        explanation, context = self.explanation, self.context
        check = explanation.check
        drawn = None
        if check is not None and check.retrained is not None:
            chart, table = drawn_check(explanation)
            drawn = self.specs.panel(chart, CHECK_TABLE, table)
        stability = None
        if context.stability is not None:
            table = tables.cluster_stability(context)
            stability = self.specs.panel(charts.cluster_stability_chart(table), JACCARD_TABLE, table)
        return {
            "status": explanation.status,
            "meaning": trust_words(explanation, can_check=self.verify is not None),
            "sentence": explanation.checked,
            "null": None if check is None or not math.isfinite(check.null) else check.null,
            "check": drawn,
            "stability": stability,
            "stability_words": "" if context.stability is None else context.stability.sentence,
        }

    def words(self) -> dict[str, str]:
        """Return sentences that hold for all queries."""
        explanation = self.explanation
        n = len(self.context.present)
        return {
            "score": explanation.score_words,
            "method": explanation.method_words,
            "agreement": f"{explanation.agreement:.1%}",
            "map": map_words(self.context, len(self.drawn)),
            "run": "" if self.run is None else self.run,
            "task": "" if self.task is None else self.task,
            "how": self.explanation.flags,
            "clusters": self.clusters_words,
            "heat": HEAT_WORDS.replace("\n", " "),
            "shown": f"{len(self.drawn):,} of {n:,} training examples are drawn." if len(self.drawn) < n else "",
        }

    def _charts(self, query: int, listed: pd.DataFrame) -> dict[str, Any]:
        explanation, context, panel = self.explanation, self.context, self.specs.panel
        strongest = _strongest(listed, RINGS)
        waterfall, steps = drawn_waterfall(explanation, query)
        mapped = drawn_map(context, explanation, query, strongest, self.dots, with_rows=False)
        found = {
            "map": panel(mapped, MAP_TABLE, self.dots),
            "influence": panel(charts.influence_chart(strongest), BARS_TABLE, strongest),
            "waterfall": panel(waterfall, STEPS_TABLE, steps),
            "flip": flip_words(explanation, query),
            "standing": None if explanation.combined else self._standing(query),
        }
        if context.stability is not None and not explanation.combined:
            position = int(explanation.positions[query])
            chosen = tables.stability(context, np.array([position] if position >= 0 else [], dtype=np.intp))
            shares = tables.stability(context, self.drawn)
            found["stability"] = panel(charts.stability_chart(shares, chosen=chosen), STRIP_TABLE, shares)
        return found

    def _standing(self, query: int) -> dict[str, Any]:
        chart, frame = drawn_standing(self.context, self.explanation, query)
        has_tree = self.context.fit.clustering.has_tree
        return self.specs.panel(chart, TREE_TABLE if has_tree else DISTANCES_TABLE, frame)

    def _groups(self, query: int, column: str) -> dict[str, Any]:
        frame = self.sums[column][query]
        return self.specs.panel(charts.groups_chart(frame, what=column), GROUPS_TABLE, frame)

    def _verify(self) -> str | None:
        """Return the command that checks all answers of the page, None where they cannot be checked by a command."""
        explanation = self.explanation
        rivals = {self._against(query) for query in range(len(explanation)) if explanation.positions[query] >= 0}
        if explanation.combined or (explanation.positions < 0).any() or len(rivals) > 1:
            return None
        ids = explanation.query_ids.tolist()
        return command("verify", ids, self.run, rivals.pop(), task=self.task, how=explanation.flags)

    def _against(self, query: int) -> int | None:
        """Return the rival if it is another than the runner-up, which commands take by themselves."""
        assignment, position = self.context.fit.assignment, int(self.explanation.positions[query])
        row = slice(position, position + 1)
        usual = int(assignment.rivals(assignment.embedding[row], assignment.labels[row])[0])
        rival = int(self.explanation.rivals[query])
        return None if rival == usual else rival

    def _badges(self, query: int) -> list[dict[str, str]]:
        explanation = self.explanation
        found = []
        rank = explanation.share_with_larger_margin[query]
        if np.isfinite(rank):
            outside = self.explanation.labels[query] == NOISE
            words = (
                f"{rank:.0%} of the noise is farther outside"
                if outside
                else f"more marginal than {rank:.0%} of its cluster"
            )
            found.append({"level": "none", "name": "margin", "text": words})
        if explanation.stability is not None:
            badge = explanation.stability.badges[query]
            found.append({"level": BADGE_COLOURS.get(badge.level, "none"), "name": "stability", "text": badge.text})
        level = "good" if explanation.agreement >= 0.95 else "fair"
        words = f"score and labels agree for {explanation.agreement:.1%}"
        found.append({"level": level, "name": "agreement", "text": words})
        status = "not checked" if explanation.check is None else explanation.check.each[query].status
        level = {"supported": "good", "not supported": "poor"}.get(status, "none")
        text = status if explanation.check is None else f"checked by retraining: {explanation.check.each[query].words}"
        return [*found, {"level": level, "name": "check", "text": text}]

    def _details(self, query: int, listed: list[str]) -> dict[str, list[list[Any]]]:
        """Return for table rows, by id, in which columns they differ most from the query: name, value, query's, mean."""
        context, reference = self.context, self.explanation.queries[query]
        if not context.rows.is_table:
            return {}
        rows = [context.position_of[one] for one in listed]
        means = {one: context.cluster_mean(one) for one in {int(context.labels[row]) for row in rows}}
        found = {}
        for id_, row in zip(listed, rows, strict=True):
            mean = means[int(context.labels[row])]
            differences = context.rows.differences(context.data.X[row], reference, mean)
            found[str(id_)] = [[one.name, one.value, one.reference, one.cluster_mean] for one in differences]
        return found

    def _values(self, query: int) -> list[list[Any]]:
        """Return the columns in which a table row differs most from its cluster's mean: name, value, mean."""
        mean = self.context.cluster_mean(int(self.explanation.labels[query]))
        row = self.explanation.queries[query]
        return [[one.name, one.value, one.cluster_mean] for one in self.context.rows.differences(row, mean, mean)]

    def _profile(self, cluster: int) -> str:
        """Say what a cluster of table rows is, in the columns that differ most from the whole."""
        context = self.context
        if not context.rows.is_table:
            return ""
        mean = context.data.X[context.present].mean(axis=0)
        return profile_words(context.rows.profile(context.cluster_mean(cluster), mean))

    def _ids(self, rows: np.ndarray) -> list[str]:
        return [str(one) for one in self.context.data.ids[rows]]


def _mentioned(queries: list[dict[str, Any]], clusters: dict[str, Any] | None) -> set[str]:
    """Return the ids of twins, and of the examples that hold and loosen clusters."""
    cards = [] if clusters is None else clusters["cards"]
    records = [*(one["twins"] for one in queries), *(card[name] for card in cards for name in ("holds", "loosens"))]
    return {str(record["id"]) for part in records for record in part}


def _ends(rows: np.ndarray) -> np.ndarray:
    return np.union1d(rows[:TYPICAL], rows[::-1][:TYPICAL])


def _strongest(listed: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the first `n` of each side of `tables.listed`, ranked anew."""
    picked = listed.groupby("pulls", sort=False).head(n)
    return picked.assign(rank=np.arange(1, len(picked) + 1)).reset_index(drop=True)


def _rows(context: ReportContext, rows: list[int]) -> dict[str, list[Any]]:
    """Return what is known about training rows, column by column."""
    shown = [context.rows.show(context.data.X[row], row) for row in rows]
    margins = context.margins[rows]
    return {
        "id": [str(one) for one in context.data.ids[rows]],
        "cluster": [int(one) for one in context.labels[rows]],
        "margin": [float(one) if np.isfinite(one) else None for one in margins],
        "x": context.coordinates[rows, 0].tolist(),
        "y": context.coordinates[rows, 1].tolist(),
        "image": [one.image for one in shown] if any(one.image for one in shown) else [],
        "text": [one.text for one in shown] if any(one.text for one in shown) else [],
    }
