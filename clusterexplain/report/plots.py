"""``explanation.plot``: every chart of an explanation, to look at, to customise, to save."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.report import charts, tables
from clusterexplain.report.context import ReportContext
from clusterexplain.report.figures import check_figure, distances_figure, map_figure, titled, waterfall_figure
from clusterexplain.report.samples.preview import LONGEST_NAME
from clusterexplain.report.text import map_note, misplaced, subject
from clusterexplain.report.widget import live, selected
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.clusters import PULLS_NOTE
from clusterexplain.results.text.names import snippet

if TYPE_CHECKING:
    import altair as alt

TOP = 10


class Plots:
    """The charts of an explanation; each method returns an ``altair.Chart`` (or layers) and shows nothing itself.

    The tables behind the charts come from :mod:`clusterexplain.report.tables`.

    Parameters
    ----------
    explanation : Explanation
        What is drawn.
    context : ReportContext
        Its fit.
    """

    def __init__(self, explanation: Explanation, context: ReportContext) -> None:
        self._explanation = explanation
        self._context = context

    def map(self, query: int = 0, *, top: int = TOP) -> alt.LayerChart:
        """Draw the two-dimensional view with the sample, its pullers and pushers.

        Parameters
        ----------
        query : int, default=0
            Position of the query.
        top : int, default=10
            Pullers and pushers on each side.

        Returns
        -------
        altair.LayerChart
            The view is to look at only: the explanation comes from the embedding. Selections: ``picked`` (a click), ``window``
            (a brush), ``cluster`` (the legend).
        """
        self._refuse_beyond(query)
        explanation, context = self._explanation, self._context
        strongest = tables.strongest(explanation, query, top)
        position = int(explanation.positions[query])
        wanted = [context.position_of[id_] for id_ in strongest["id"]] + ([position] if position >= 0 else [])
        rows = tables.shown_rows(context.present, wanted)
        points = tables.points(context, rows)
        lines = [map_note(context, len(rows)), misplaced(context, explanation, query)]
        chart = map_figure(context, explanation, query, strongest, points)
        return self._titled(chart, "Map of the training examples", query, *lines)

    def widget(self, query: int = 0, *, top: int = TOP) -> alt.JupyterChart:
        """Return the map as a live chart whose selections come back to Python; needs the extra ``widget``.

        Parameters
        ----------
        query, top : int
            As for :meth:`map`.

        Returns
        -------
        altair.JupyterChart
            Drag a window or click a dot, then ask :meth:`selected`.

        Raises
        ------
        MissingExtraError
            If the extra is not installed.
        """
        return live(self.map(query, top=top))

    def selected(self, widget: alt.JupyterChart) -> list[Any]:
        """Return the ids of the training examples that are selected on a live map."""
        return selected(widget, self._context)

    def influence(self, query: int = 0, *, top: int = TOP) -> alt.LayerChart:
        """Draw the strongest pullers and pushers as bars, split into the three parts of their influence."""
        self._refuse_beyond(query)
        chart = charts.influence_chart(tables.strongest(self._explanation, query, top))
        return self._titled(chart, "Strongest pulls and pushes", query)

    def waterfall(self, query: int = 0) -> alt.LayerChart:
        """Draw the predicted margin as the strongest pullers are removed one by one, with what retraining gave."""
        self._refuse_beyond(query)
        chart = waterfall_figure(self._explanation, query)[0]
        return self._titled(chart, "What if its strongest pullers were removed?", query)

    def groups(self, by: str = "cluster", query: int = 0) -> alt.LayerChart:
        """Draw the influence summed over the groups of a metadata column, with 95 % intervals.

        Parameters
        ----------
        by : str, default="cluster"
            A metadata column, or "cluster".
        query : int, default=0
            Position of the query.

        Returns
        -------
        altair.LayerChart
            Bars.
        """
        self._refuse_beyond(query)
        chart = charts.groups_chart(tables.groups(self._explanation[query], by)[0])
        return self._titled(chart, f"Influence by {snippet(by, LONGEST_NAME)}", query)

    def check(self) -> alt.LayerChart:
        """Draw predicted against retrained changes of the margin, if ``verify`` was run.

        Returns
        -------
        altair.LayerChart
            All queries together; a random sample of very many retrainings.

        Raises
        ------
        InvalidParameterError
            If there is no check.
        """
        check = self._explanation.check
        if check is None or check.retrained is None:
            raise InvalidParameterError(
                "This explanation is not checked, so there is nothing to draw. Expected the explanation of a check: "
                "c = ce.verify(e); c.explanation.plot.check()."
            )
        return self._titled(check_figure(self._explanation)[0], "Predicted and retrained changes of the margin", None)

    def clusters(self) -> alt.LayerChart:
        """Draw which cluster's examples hold or loosen which cluster's members."""
        chart = charts.heatmap_chart(tables.cluster_pulls(self._context))
        return titled(chart, "Which cluster's examples hold or loosen which", PULLS_NOTE)

    def stability(self, query: int = 0) -> alt.LayerChart:
        """Draw how often samples kept their cluster in refits, if ``stability`` was run.

        Parameters
        ----------
        query : int, default=0
            Position of the query, which is marked.

        Returns
        -------
        altair.LayerChart
            A strip for each cluster.

        Raises
        ------
        InvalidParameterError
            If stability was not measured.
        """
        self._refuse_beyond(query)
        if self._context.stability is None:
            raise InvalidParameterError("Stability was not measured. Expected ce.stability() before the explanation.")
        position = int(self._explanation.positions[query])
        rows = tables.shown_rows(self._context.present, [position] if position >= 0 else [])
        chosen = tables.sample_stability(self._context, np.array([position] if position >= 0 else [], dtype=np.intp))
        chart = charts.stability_chart(tables.sample_stability(self._context, rows), chosen=chosen)
        return self._titled(chart, "How often refits keep samples in their cluster", query)

    def distances(self, query: int = 0) -> alt.LayerChart:
        """Draw its distances to the clusters; its responsibilities in a mixture, its place in the tree of HDBSCAN."""
        self._refuse_beyond(query)
        if self._explanation.combined:
            raise InvalidParameterError(
                "This chart is about a sample, but the explanation is about whole clusters. Expected ce.explain([id]); "
                "plot.clusters() draws whole clusters."
            )
        chart = distances_figure(self._context, self._explanation, query)[0]
        return self._titled(chart, "Its place among the clusters", query)

    def _titled(self, chart: alt.LayerChart, title: str, query: int | None, *lines: str) -> alt.LayerChart:
        """Name the sample and its clusters (of all samples for None): a picture leaves the page whose headings say it."""
        return titled(chart, title, "\n".join([subject(self._explanation, query), *filter(None, lines)]))

    def _refuse_beyond(self, query: int) -> None:
        if not 0 <= query < len(self._explanation):
            raise InvalidParameterError(
                f"query={query} is no position of the {len(self._explanation)} queries. Expected 0 to "
                f"{len(self._explanation) - 1}."
            )
