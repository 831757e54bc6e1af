"""Everything that a page shows, as plain data: the answers as ``to_dict`` gives them, charts, tables, rows, words."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain._version import __version__
from clusterexplain.clustering import DensityClustering, MixtureClustering
from clusterexplain.explanation import Explanation
from clusterexplain.report import charts, frames
from clusterexplain.report.exhibit import Exhibit
from clusterexplain.report.specs import Specs, plain_records
from clusterexplain.report.words import GLOSSARY, command, map_words, pull_words
from clusterexplain.wording import NOISE

TOP = 50
"""Examples on each side that a page holds."""
RINGS = 10
"""Examples on each side that the charts draw."""
TYPICAL = 6

Columns = list[tuple[str, str, str]]
"""Fields of a table with their titles and formats: "" text, ".4f" or "+.4f" numbers, "%" shares, "d" whole numbers."""

MAP_TABLE: Columns = [("id", "id", ""), ("cluster", "cluster", ""), ("margin", "margin to its runner-up", ".4f")]
BARS_TABLE: Columns = [
    ("side", "side", ""),
    ("id", "id", ""),
    ("cluster", "cluster", ""),
    ("if_removed", "if removed, change of margin (predicted)", "+.4f"),
    ("encoder", "influence: its embedding moved", "+.4f"),
    ("cluster_part", "influence: clusters moved", "+.4f"),
    ("direct", "influence: own weight", "+.4f"),
]
STEPS_TABLE: Columns = [
    ("removed", "pullers removed", "d"),
    ("id", "the last of them", ""),
    ("cluster", "its cluster", ""),
    ("after", "margin then (predicted)", "+.4f"),
]
GROUPS_TABLE: Columns = [
    ("group", "group", ""),
    ("n", "examples", "d"),
    ("if_removed", "if all are removed, change of margin (predicted)", "+.4f"),
    ("influence", "influence, sum", "+.4f"),
    ("low", "95 % from", "+.4f"),
    ("high", "to", "+.4f"),
    ("pull_share", "share of the pull", "%"),
    ("push_share", "share of the push", "%"),
]
DISTANCES_TABLE: Columns = [
    ("cluster", "cluster", ""),
    ("role", "role", ""),
    ("distance", "distance to the centroid", ".4f"),
    ("membership", "membership", ".4f"),
]
TREE_TABLE: Columns = [
    ("node", "node", "d"),
    ("cluster", "cluster", ""),
    ("size", "rows", "d"),
    ("birth", "born at lambda", ".4f"),
    ("death", "gone at lambda", ".4f"),
]
CHECK_TABLE: Columns = [
    ("query", "sample", ""),
    ("kind", "removed", ""),
    ("n_removed", "examples", "d"),
    ("assignments", "clusters", ""),
    ("predicted", "change, predicted", "+.4f"),
    ("retrained", "change, retrained", "+.4f"),
]
HEAT_TABLE: Columns = [
    ("target", "members of", ""),
    ("source", "examples of", ""),
    ("n", "examples", "d"),
    ("influence", "influence on the mean margin, sum", "+.4f"),
    ("if_removed", "if removed, change of the mean margin (predicted)", "+.4f"),
]
STRIP_TABLE: Columns = [("id", "id", ""), ("cluster", "cluster", ""), ("share", "share of refits that keep it", "%")]
JACCARD_TABLE: Columns = [
    ("cluster", "cluster", ""),
    ("size", "members", "d"),
    ("jaccard", "mean Jaccard similarity", ".4f"),
    ("low", "95 % from", ".4f"),
    ("high", "to", ".4f"),
    ("verdict", "verdict", ""),
]


def payload(explanation: Explanation, exhibit: Exhibit, *, run: str | None = None) -> dict[str, Any]:
    """Return everything that a page shows.

    Parameters
    ----------
    explanation : Explanation
        All its queries can be chosen on the page.
    exhibit : Exhibit
        Its fit.
    run : str, optional
        The run directory, for commands to copy.

    Returns
    -------
    dict
        JSON-compatible: answers (``explanation.to_dict``), queries, clusters, trust, rows, specs, datasets, words.
    """
    listed = [frames.listed(explanation, query, TOP) for query in range(len(explanation))]
    named = sorted({exhibit.position_of[one] for frame in listed for one in frame["id"]})
    asked = [int(one) for one in explanation.positions if one >= 0]
    typical = [int(row) for one in exhibit.clusters for row in _ends(exhibit.members(one))]
    drawn = frames.shown_rows(len(exhibit.data), [*named, *asked])
    specs = Specs()
    page = _Page(explanation, exhibit, specs, drawn, run)
    queries = [page.query(query, frame) for query, frame in enumerate(listed)]
    return {
        "answers": explanation.to_dict(TOP),
        "queries": queries,
        "clusters": page.clusters(),
        "trust": page.trust(),
        "rows": _rows(exhibit, sorted({*drawn.tolist(), *named, *asked, *typical})),
        "names": {str(one): exhibit.name_of(one) for one in [-1, *exhibit.clusters]},
        "mixed": explanation.mixed is not None,
        "words": page.words(),
        "facts": list(exhibit.facts.items()),
        "glossary": [list(pair) for pair in GLOSSARY],
        "version": __version__,
        **specs.to_dict(),
    }


class _Page:
    """The parts of a page."""

    def __init__(
        self, explanation: Explanation, exhibit: Exhibit, specs: Specs, drawn: np.ndarray, run: str | None
    ) -> None:
        self.explanation = explanation
        self.exhibit = exhibit
        self.specs = specs
        self.drawn = drawn
        self.run = run
        self.dots = frames.dots(exhibit, drawn, with_rows=False)
        self.middles = frames.middles(exhibit)
        self.sums = {column: frames.groups(explanation, column) for column in frames.group_columns(exhibit)}

    def query(self, query: int, listed: pd.DataFrame) -> dict[str, Any]:
        """Return what belongs to one query."""
        explanation, exhibit = self.explanation, self.exhibit
        whole = explanation.mixed is not None
        position = int(explanation.positions[query])
        id_ = explanation.query_ids[query]
        shown = None if whole else exhibit.rows.show(explanation.queries[query], position)
        return {
            "id": str(id_),
            "position": position,
            "title": str(id_) if whole else f"Sample {id_}",
            "headline": explanation.headline(query),
            "pull": pull_words(explanation, query),
            "sides": list(explanation.sides(query)),
            "badges": self._badges(query),
            "image": shown.image if shown else "",
            "text": shown.text if shown else "",
            "values": [] if whole or not exhibit.rows.is_table else self._values(query),
            "own": [] if whole else self._ids(exhibit.members(int(explanation.labels[query]))[:TYPICAL]),
            "rival": [] if whole else self._ids(exhibit.members(int(explanation.rivals[query]))[:TYPICAL]),
            "details": {} if whole else self._details(query, listed),
            "twins": plain_records(frames.twins(exhibit, explanation, query)),
            "charts": self._charts(query, listed),
            "groups": {column: self._groups(query, column) for column in self.sums},
            "verify": None if whole or position < 0 else command("verify", [id_], self.run, self._against(query)),
        }

    def clusters(self) -> dict[str, Any] | None:
        """Return the cards of all clusters and the heat map; None where there is nothing to compare."""
        exhibit = self.exhibit
        if len(exhibit.clusters) < 2:
            return None
        measured = None if exhibit.stability is None else exhibit.stability.clusters()
        cards = []
        for cluster, answer in zip(exhibit.clusters, exhibit.cohesion.to_dict(5)["answers"], strict=True):
            members = exhibit.members(cluster)
            cards.append(
                {
                    "name": exhibit.name_of(cluster),
                    "size": len(members),
                    "cohesion": answer["margin"],
                    "typical": self._ids(members[:TYPICAL]),
                    "untypical": self._ids(members[::-1][:TYPICAL]),
                    "holds": answer["pulled_in"],
                    "loosens": answer["pushed_away"],
                    "stability": "" if measured is None else str(measured["verdict"].iloc[cluster]),
                }
            )
        pulls = frames.cluster_pulls(exhibit)
        heat = self.specs.panel(charts.heatmap_chart(pulls), HEAT_TABLE, pulls)
        return {"cards": cards, "heat": heat}

    def trust(self) -> dict[str, Any]:
        """Return whether the answer was checked, and what the check and the refits found."""
        explanation, exhibit = self.explanation, self.exhibit
        check = explanation.check
        drawn = None
        if check is not None and check.retrained is not None:
            table = frames.all_retrained(explanation)
            chart = charts.check_chart(table, null=check.null or None, grade=check.status)
            drawn = self.specs.panel(chart, CHECK_TABLE, table)
        stability = None
        if exhibit.stability is not None:
            table = frames.cluster_stability(exhibit)
            stability = self.specs.panel(charts.cluster_stability_chart(table), JACCARD_TABLE, table)
        return {
            "status": "not checked" if check is None else check.status,
            "sentence": explanation.checked,
            "null": None if check is None or not math.isfinite(check.null) else check.null,
            "check": drawn,
            "stability": stability,
            "stability_words": "" if exhibit.stability is None else exhibit.stability.sentence,
        }

    def words(self) -> dict[str, str]:
        """Return sentences that hold for all queries."""
        explanation = self.explanation
        n = len(self.exhibit.data)
        return {
            "score": explanation.score_words,
            "method": explanation.method_words,
            "agreement": f"{explanation.agreement:.1%}",
            "map": map_words(self.exhibit, len(self.drawn)),
            "run": "" if self.run is None else self.run,
            "shown": f"{len(self.drawn):,} of {n:,} training examples are drawn." if len(self.drawn) < n else "",
        }

    def _charts(self, query: int, listed: pd.DataFrame) -> dict[str, Any]:
        explanation, exhibit, panel = self.explanation, self.exhibit, self.specs.panel
        strongest = _strongest(listed, RINGS)
        steps, flip = frames.steps(explanation, query)
        known = frames.retrained(explanation, query)
        together = known[known["what"].isin(["top pullers", "random"])]
        found = {
            "map": panel(
                charts.map_chart(
                    self.dots,
                    rings=frames.rings(exhibit, strongest, with_rows=False),
                    links=frames.links(exhibit, explanation, query),
                    sample=frames.sample(exhibit, explanation, query),
                    middles=self.middles,
                ),
                MAP_TABLE,
                self.dots,
            ),
            "influence": panel(charts.influence_chart(strongest), BARS_TABLE, strongest),
            "waterfall": panel(
                charts.waterfall_chart(steps, retrained=together, flip=frames.flip_point(steps, flip)),
                STEPS_TABLE,
                steps,
            ),
            "flip": flip,
            "standing": None if explanation.mixed is not None else self._standing(query),
        }
        if exhibit.stability is not None and explanation.mixed is None:
            position = int(explanation.positions[query])
            chosen = frames.stability(exhibit, np.array([position] if position >= 0 else [], dtype=np.intp))
            shares = frames.stability(exhibit, self.drawn)
            found["stability"] = panel(charts.stability_chart(shares, chosen=chosen), STRIP_TABLE, shares)
        return found

    def _standing(self, query: int) -> dict[str, Any]:
        clustering = self.exhibit.pipeline.clustering
        if isinstance(clustering, DensityClustering):
            sample = frames.on_tree(self.exhibit, self.explanation, query)
            nodes = frames.tree(self.exhibit)
            return self.specs.panel(charts.tree_chart(nodes, sample=sample), TREE_TABLE, nodes)
        frame = frames.standing(self.exhibit, self.explanation, query)
        draw = charts.responsibilities_chart if isinstance(clustering, MixtureClustering) else charts.distances_chart
        return self.specs.panel(draw(frame), DISTANCES_TABLE, frame)

    def _groups(self, query: int, column: str) -> dict[str, Any]:
        frame = self.sums[column][query]
        return self.specs.panel(charts.groups_chart(frame, what=column), GROUPS_TABLE, frame)

    def _against(self, query: int) -> int | None:
        """Return the rival if it is another than the runner-up, which commands take by themselves."""
        pipeline, position = self.exhibit.pipeline, int(self.explanation.positions[query])
        row = slice(position, position + 1)
        usual = int(pipeline.rivals(pipeline.viewed[row], pipeline.labels[row])[0])
        rival = int(self.explanation.rivals[query])
        return None if rival == usual else rival

    def _badges(self, query: int) -> list[dict[str, str]]:
        explanation = self.explanation
        found = []
        rank = explanation.rank[query]
        if np.isfinite(rank):
            outside = self.explanation.labels[query] == NOISE
            words = (
                f"{rank:.0%} of the noise is farther outside"
                if outside
                else f"more marginal than {rank:.0%} of its cluster"
            )
            found.append({"level": "none", "name": "margin", "text": words})
        if explanation.stability is not None:
            words = explanation.stability.badges[query]
            level = {"high": "good", "moderate": "fair", "low": "poor"}.get(
                words.rpartition("(")[2].rstrip(")"), "none"
            )
            found.append({"level": level, "name": "stability", "text": words})
        level = "good" if explanation.agreement >= 0.95 else "fair"
        words = f"score and labels agree for {explanation.agreement:.1%}"
        found.append({"level": level, "name": "agreement", "text": words})
        status = "not checked" if explanation.check is None else explanation.check.status
        level = {"supported": "good", "not supported": "poor"}.get(status, "none")
        text = "not checked" if explanation.check is None else f"checked by retraining: {status}"
        return [*found, {"level": level, "name": "check", "text": text}]

    def _details(self, query: int, listed: pd.DataFrame) -> dict[str, list[list[Any]]]:
        """Return for table rows, by id, in which columns they differ most from the query: name, value, query's, mean."""
        exhibit, reference = self.exhibit, self.explanation.queries[query]
        if not exhibit.rows.is_table:
            return {}
        rows = [exhibit.position_of[one] for one in listed["id"]]
        means = {one: exhibit.cluster_mean(one) for one in {int(exhibit.labels[row]) for row in rows}}
        found = {}
        for id_, row in zip(listed["id"], rows, strict=True):
            mean = means[int(exhibit.labels[row])]
            differences = exhibit.rows.differences(exhibit.data.X[row], reference, mean)
            found[str(id_)] = [[one.name, one.value, one.reference, one.cluster_mean] for one in differences]
        return found

    def _values(self, query: int) -> list[list[Any]]:
        """Return the columns in which a table row differs most from its cluster's mean: name, value, mean."""
        mean = self.exhibit.cluster_mean(int(self.explanation.labels[query]))
        row = self.explanation.queries[query]
        return [[one.name, one.value, one.cluster_mean] for one in self.exhibit.rows.differences(row, mean, mean)]

    def _ids(self, rows: np.ndarray) -> list[str]:
        return [str(one) for one in self.exhibit.data.ids[rows]]


def _ends(rows: np.ndarray) -> np.ndarray:
    return np.union1d(rows[:TYPICAL], rows[::-1][:TYPICAL])


def _strongest(listed: pd.DataFrame, n: int) -> pd.DataFrame:
    """Return the first `n` of each side of `frames.listed`, ranked anew."""
    picked = listed.groupby("pulls", sort=False).head(n)
    return picked.assign(rank=np.arange(1, len(picked) + 1)).reset_index(drop=True)


def _rows(exhibit: Exhibit, rows: list[int]) -> dict[str, list[Any]]:
    """Return what is known about training rows, column by column."""
    shown = [exhibit.rows.show(exhibit.data.X[row], row) for row in rows]
    margins = exhibit.margins[rows]
    return {
        "id": [str(one) for one in exhibit.data.ids[rows]],
        "cluster": [int(one) for one in exhibit.labels[rows]],
        "margin": [float(one) if np.isfinite(one) else None for one in margins],
        "x": exhibit.coordinates[rows, 0].tolist(),
        "y": exhibit.coordinates[rows, 1].tolist(),
        "image": [one.image for one in shown] if any(one.image for one in shown) else [],
        "text": [one.text for one in shown] if any(one.text for one in shown) else [],
    }
