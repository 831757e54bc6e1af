"""What an explanation is: numbers with a sign, a counterfactual and a statement whether they were checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.answer_data import answer_data
from clusterexplain.results.influence_rows import InfluenceRows
from clusterexplain.results.margins import Margins, Topic
from clusterexplain.results.relative_weights import relative_weights
from clusterexplain.results.same_fit import check_same_fit
from clusterexplain.results.tables.example_table import columns_beside, example_table, groups_of
from clusterexplain.results.text import check as check_text
from clusterexplain.results.text import explanation as text
from clusterexplain.results.text.margins import SIDES, combination_title, sides_of
from clusterexplain.results.text.methods import averaged_method_words, method_flags
from clusterexplain.results.text.names import cluster_name, terminal_safe
from clusterexplain.results.text.stability import own_check_note, stability_note
from clusterexplain.results.variability import SeedVariability, StabilitySummary
from clusterexplain.results.verdict import UNTESTED, CheckSummary
from clusterexplain.statistics.groups import group_sums
from clusterexplain.statistics.matching import NOISE
from clusterexplain.storage.jsonable import to_jsonable

if TYPE_CHECKING:
    from pathlib import Path

    import altair as alt
    from anndata import AnnData

    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.fitting.fit import Fit
    from clusterexplain.influence import JacobianFactory, TrainingJacobian
    from clusterexplain.report import Plots


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Which training examples pulled each query into its cluster, and which pushed it away.

    ``influence[q, i]`` is the derivative of the margin of query q in the (relative) weight of training example i.
    Positive: i pulled q in; if i is removed, the margin is predicted to change by ``-influence[q, i]``.

    Attributes
    ----------
    margins : Margins
        What is explained: samples, each with its own and its runner-up cluster, or combinations of many.
    scores : ndarray of shape (n_queries,)
        The margins: the assignment score for the own cluster minus that for the runner-up; `score_words` says which. Positive
        is inside.
    rows : InfluenceRows
        Influence of every training example on every score, in three components.
    train_ids : ndarray of shape (n_train,)
        Ids of the training examples.
    train_labels : ndarray of shape (n_train,), int
        Their clusters.
    sample_weight : ndarray of shape (n_train,)
        Data weights of the fit.
    probabilities : ndarray of shape (n_queries, 2)
        Soft membership in the own cluster and in the runner-up.
    share_with_larger_margin : ndarray of shape (n_queries,)
        Share of the own cluster's members whose margin to their runner-up is larger.
    agreement : float
        Share of training examples whose best-scoring cluster is their label.
    method : str
        The influence method.
    method_note : str, default=""
        What the method's answer is about beyond its name: length and rate of further training, solver and outcome of a solve.
    method_options : dict
        What the method was asked with.
    show : tuple of str
        Columns of the metadata (and "text") that tables show beside every training example.
    influence_method : str, TrainingJacobian or callable
        The method as it was asked for: a name, or one of your own.
    score_words : str
        What the margin is, in words.
    noise_reasons : tuple of str
        For each query that is noise what it lacks to join the runner-up, "density" or "distance"; "" for the others.
    cluster_names : dict of int to str
        Names that clusters were given.
    stability : StabilitySummary or None
        How often each query kept its cluster in refits; filled in once ``stability`` was computed.
    seed_variability : SeedVariability or None
        For an explanation that was averaged over seeds: how sure it is.
    metadata : DataFrame or None
        What is known about the training examples.
    check : CheckSummary or None
        Filled in by ``verify``.
    fit : Fit
        The fit that is explained: it stays what it was, whatever the estimator is fitted to later.
    """

    margins: Margins
    scores: np.ndarray
    rows: InfluenceRows
    train_ids: np.ndarray
    train_labels: np.ndarray
    sample_weight: np.ndarray
    probabilities: np.ndarray
    share_with_larger_margin: np.ndarray
    agreement: float
    method: str
    fit: Fit
    metadata: pd.DataFrame | None = None
    check: CheckSummary | None = None
    method_note: str = ""
    method_options: dict[str, Any] = field(default_factory=dict)
    score_words: str = "log squared distance to the other cluster's centroid minus that to its own"
    noise_reasons: tuple[str, ...] = ()
    cluster_names: dict[int, str] = field(default_factory=dict)
    stability: StabilitySummary | None = None
    seed_variability: SeedVariability | None = None
    influence_method: str | TrainingJacobian | JacobianFactory = "auto"
    show: tuple[str, ...] = ()

    @property
    def query_ids(self) -> np.ndarray:
        """Ids of the queries, shape (n_queries,); "new 0", ... for rows that were never trained on."""
        return self.margins.ids

    @property
    def queries(self) -> np.ndarray:
        """The queried rows as the user gave them, shape (n_queries, n_features)."""
        return self.margins.rows

    @property
    def positions(self) -> np.ndarray:
        """Row numbers of the queries in the training data, shape (n_queries,); -1 for rows that were never trained on."""
        return self.margins.score_positions

    @property
    def labels(self) -> np.ndarray:
        """Own cluster of each query, shape (n_queries,); -1 is noise, or several clusters."""
        return self.margins.labels

    @property
    def runner_ups(self) -> np.ndarray:
        """The cluster that each query is compared with, shape (n_queries,); -1 is noise, or several clusters."""
        return self.margins.runner_ups

    @property
    def combined(self) -> bool:
        """Whether the scores are combinations of many samples' margins, about whole clusters."""
        return self.margins.combination is not None

    @property
    def topic(self) -> Topic | None:
        """What combinations of margins are explained, None for single samples."""
        return None if self.margins.combination is None else self.margins.combination.subjects[0].topic

    @property
    def n_seeds(self) -> int:
        """Trainings that the influence is a mean over."""
        return 1 if self.seed_variability is None else self.seed_variability.n_seeds

    @property
    def encoder(self) -> np.ndarray:
        """Component through the query's own embedding, shape (n_queries, n_train)."""
        return self.rows.encoder

    @property
    def cluster(self) -> np.ndarray:
        """Component through the members' embeddings, which move the clusters, shape (n_queries, n_train)."""
        return self.rows.cluster

    @property
    def direct(self) -> np.ndarray:
        """Component through the example's own weight in its cluster, shape (n_queries, n_train)."""
        return self.rows.direct

    @property
    def fit_key(self) -> str:
        """Names data, seed and recipe of the fit; a refit has the same."""
        return self.fit.key

    @property
    def influence(self) -> np.ndarray:
        """Total influence, shape (n_queries, n_train): the sum of the three components; positive = pulled in."""
        return self.rows.total

    def __len__(self) -> int:
        """Return the number of queries."""
        return len(self.query_ids)

    def __getitem__(self, index: int | slice | list[int] | np.ndarray) -> Explanation:
        """Select queries by position; the result is again an Explanation. Nothing selected raises InvalidParameterError."""
        picked = np.atleast_1d(np.arange(len(self))[index])
        if not len(picked):
            raise InvalidParameterError(
                f"No query is selected. Expected positions from 0 to {len(self) - 1}, for example e[0], or a mask that is true "
                f"somewhere."
            )
        return dataclasses.replace(
            self,
            margins=self.margins[picked],
            scores=self.scores[picked],
            rows=self.rows[picked],
            probabilities=self.probabilities[picked],
            share_with_larger_margin=self.share_with_larger_margin[picked],
            noise_reasons=tuple(self.noise_reasons[query] for query in picked) if self.noise_reasons else (),
            stability=None if self.stability is None else self.stability[picked],
            check=None if self.check is None else self.check[picked],
            seed_variability=None if self.seed_variability is None else self.seed_variability[picked],
        )

    def predict(self, sample_weight: np.ndarray | pd.Series, *, assignments: str = "kept") -> np.ndarray:
        """Predict the change of each score if the recipe were refitted at other data weights.

        Parameters
        ----------
        sample_weight : ndarray of shape (n_train,) or (n_refits, n_train), or Series
            Data weights of the refit, a Series or a mapping by id, comparable to those of the fit (0 removes an example).
        assignments : {"kept", "continued"}, default="kept"
            "kept" uses :attr:`influence` alone, in which the clusters' members stay. "continued" adds the jumps of a hard
            k-means: it predicts which samples near a boundary will change sides (their margins are differentiated when this
            is first needed, at the cost of 64 more rows). The two are the same for clusterers without hard centroids.

        Returns
        -------
        ndarray of shape (n_queries,) or (n_refits, n_queries)
            First-order prediction.
        """
        weights = np.asarray(self.fit.data.in_order(sample_weight, "sample_weight"), dtype=np.float64)
        relative = relative_weights(weights, self.sample_weight)
        if assignments not in ("kept", "continued"):
            raise InvalidParameterError(f"assignments={assignments!r} is unknown. Expected 'kept' or 'continued'.")
        if assignments == "kept":
            change: np.ndarray = relative @ self.influence.T
            return change
        from clusterexplain.explanation.predicted_jumps import predict_continued

        return predict_continued(self, relative)

    def evaluate(self, fitted: ClusterExplainer | Fit, *, assignments: str = "continued") -> np.ndarray:
        """Return the explained scores (same queries, same pairs of clusters) under a fit or a refit.

        ``e.evaluate(ce.refit(sample_weight=w)) - e.evaluate(ce)`` is what really happens and what ``e.predict(w)``
        predicts.

        Parameters
        ----------
        fitted : ClusterExplainer or Fit
            The estimator that made this explanation, or a refit of it; or the fit of either.
        assignments : {"continued", "kept"}, default="continued"
            "continued": k-means continued from the old means to convergence. "kept": the old labels, which
            isolates the mathematics from the jumps of a hard clustering.

        Returns
        -------
        ndarray of shape (n_queries,)
            Scores; NaN where a cluster of the pair lost all its weight.
        """
        if assignments not in ("continued", "kept"):
            raise InvalidParameterError(f"assignments={assignments!r} is unknown. Expected 'continued' or 'kept'.")
        other: Fit = getattr(fitted, "fit_", fitted)
        check_same_fit(self, other)
        weights = other.trajectory.weights.double().numpy()
        return self.fit.outcome(other.trajectory.final, weights, self.margins, assignments=assignments).scores

    def top(
        self, n: int = 10, *, query: int = 0, side: str = "both", show: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """List the training examples with the largest influence on one query.

        Parameters
        ----------
        n : int, default=10
            How many on each side.
        query : int, default=0
            Position of the query.
        side : {"both", "pulled in", "pushed away"}, default="both"
            Which side.
        show : str or sequence of str, optional
            Columns of the metadata to show beside every example, a list or separated by commas; "text" is the beginning of its
            text. By default those that :meth:`clusterexplain.ClusterExplainer.explain` was asked to show.

        Returns
        -------
        DataFrame
            Columns side, id, cluster, influence, if_removed (predicted change of the margin), if_removed_percent (of
            the margin's size), encoder, cluster_part, direct; strongest first on each side. Averaged over seeds also
            standard_error and seed_stable (the effect differs from 0 over seeds, false discovery rate 5 %).
        """
        if n < 1:
            raise InvalidParameterError(f"n={n} must be at least 1.")
        if side not in ("both", *SIDES):
            raise InvalidParameterError(f"side={side!r} is unknown. Expected 'both', 'pulled in' or 'pushed away'.")
        picked = dict(zip(SIDES, self.rows.top(query, n), strict=True))
        frames = [
            example_table(self, query, rows, name, show) for name, rows in picked.items() if side in ("both", name)
        ]
        return pd.concat(frames, ignore_index=True)

    def to_frame(self, query: int | None = None, *, show: str | Sequence[str] | None = None) -> pd.DataFrame:
        """Return every number as a table, one row for each (query, training example).

        Parameters
        ----------
        query : int, optional
            Position of a single query; all queries otherwise.
        show : str or sequence of str, optional
            As for :meth:`top`.

        Returns
        -------
        DataFrame
            Columns query, side, id, cluster, influence, if_removed, if_removed_percent, encoder, cluster_part, direct.
        """
        frames = []
        for position in range(len(self)) if query is None else [query]:
            frame = example_table(self, position, np.arange(len(self.train_ids)), "", show)
            frame["side"] = np.select([frame["influence"] > 0, frame["influence"] < 0], SIDES, "neither")
            frame.insert(0, "query", self.query_ids[position])
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def by(self, group: str | np.ndarray | pd.Series) -> pd.DataFrame:
        """Sum the influence over groups of training examples.

        Parameters
        ----------
        group : str, Series, mapping or array-like of shape (n_train,)
            A column of the metadata, "cluster" for the training labels, or one group name for each training example: a Series
            or a mapping by id (its index must hold every id; further ones are left out), an array in the order of the rows.

        Returns
        -------
        DataFrame
            One row for each (query, group): n (examples of positive weight), size_share, influence (sum; positive pulled in)
            with low and high (95 % interval), if_removed (predicted change of the margin if the whole group is removed),
            pull_share and push_share (of all that pulls in, of all that pushes away), share (size of this group's sum among the
            sizes of all groups' sums).
            A group can pull in on the whole although its strongest members push away. See
            :func:`clusterexplain.statistics.groups.group_sums`.
        """
        present = self.sample_weight > 0
        return group_sums(self.influence[:, present], groups_of(self, group)[present], self.query_ids)

    def to_adata(self, adata: AnnData, key_added: str = "clusterexplain") -> None:
        """Write the results into an AnnData in place, as scanpy does, joined by ``obs_names`` and never by position.

        Parameters
        ----------
        adata : AnnData of n_obs cells
            Changed in place. Cells that were not trained on get NaN (no category), which a warning says.
        key_added : str, default="clusterexplain"
            How the keys begin. ``obs`` gets the columns ``{key_added}_cluster`` (categories: names of clusters, else their
            numbers) and ``{key_added}_margin`` (of each cell, to its own runner-up). The influence of each cell on one query
            goes to ``obs``: ``{key_added}_influence`` and its parts ``_encoder``, ``_cluster_part`` and ``_direct``. That on
            several goes to ``obsm``, shape (n_obs, n_queries): ``{key_added}``, ``{key_added}_encoder`` and so on.
            ``uns[key_added]`` has the ids of the queries (``samples``), their margins, sign, unit, method and parameters, as
            texts and numbers that ``adata.write_h5ad`` accepts.

        Raises
        ------
        InvalidDataError
            If no cell of `adata` was trained on, or its ``obs_names`` are not unique.
        InvalidParameterError
            If `key_added` cannot begin a key, or `adata` has something of your own under a key that would be written.
        """
        from clusterexplain.report import write_to_anndata

        write_to_anndata(self, adata, key_added)

    @property
    def flags(self) -> str:
        """Options of the command line that ask for this method and these seeds, nothing for the usual way."""
        return method_flags(self.method, self.method_options, self.n_seeds)

    def to_dict(self, top: int = 10) -> dict[str, Any]:
        """Return the answer as plain data, the same that ``why --json`` prints.

        Parameters
        ----------
        top : int, default=10
            Examples on each side.

        Returns
        -------
        dict
            JSON-compatible.
        """
        check = None
        if self.check is not None:
            shown = dataclasses.replace(self.check.shown, sentence=self.check.sentence).to_dict()
            check = {
                "sentence": shown["sentence"],
                "status": shown["status"],
                "grade": self.check.grade,
                **shown["figures"],
            }
        answers = [answer_data(self, position, top) for position in range(len(self))]
        found = {
            "method": self.method,
            "method_note": self.method_note,
            "method_options": self.method_options,
            "sign": text.sign(self.sides()[0]),
            "score": self.score_words,
            "agreement": self.agreement,
            "checked": check,
            "answers": answers,
        }
        return {name: to_jsonable(value) for name, value in found.items()}

    def with_check(self, stored: dict[str, Any]) -> Explanation:
        """Attach a stored check if it covers every answer given here (same fit, method, sample and clusters).

        Parameters
        ----------
        stored : dict
            From :meth:`stored_check`: what ``verify`` kept beside the run.

        Returns
        -------
        Explanation
            With the check, or unchanged.
        """
        covered = {tuple(answer): position for position, answer in enumerate(stored["answers"])}
        same = all(stored.get(name) == value for name, value in self._basis_keys.items())
        if not same or (self.positions < 0).any() or not set(self.answers()) <= set(covered):
            return self
        picked = np.array([covered[answer] for answer in self.answers()])
        return dataclasses.replace(
            self, check=CheckSummary.of(stored, labels_given=self.fit.clustering.labels_given)[picked]
        )

    def stored_check(self) -> dict[str, Any]:
        """Return the check, and what it is about, as plain data that :meth:`with_check` takes.

        Returns
        -------
        dict
            JSON-compatible.

        Raises
        ------
        InvalidParameterError
            If there is no check.
        """
        if self.check is None:
            raise InvalidParameterError(
                "This explanation is not checked. Expected that of a check: ce.verify(e).explanation."
            )
        return {**self._basis_keys, "answers": self.answers(), **self.check.to_dict()}

    @property
    def _basis_keys(self) -> dict[str, str]:
        """What a check must share with an explanation to be about it: recipe and data, weights, method."""
        weights = hashlib.sha256(np.ascontiguousarray(self.sample_weight).tobytes()).hexdigest()[:16]
        options = json.dumps(self.method_options, sort_keys=True, default=str)
        options += "" if self.seed_variability is None else f" over {self.seed_variability.n_seeds} seeds"
        return {"fit_key": self.fit_key, "weights": weights, "method": f"{self.method} {options}"}

    def answers(self) -> list[tuple[int, int, int]]:
        """Return what is answered: (row number or -1, own cluster, runner-up) for each query."""
        columns = (self.positions, self.labels, self.runner_ups)
        return [(int(row), int(own), int(runner_up)) for row, own, runner_up in zip(*columns, strict=True)]

    def report(
        self,
        path: str | os.PathLike[str],
        *,
        render: Callable[[np.ndarray, int], Any] | None = None,
        map: object = None,
        run: str | None = None,
        task: str | None = None,
    ) -> Path:
        """Write a one-file HTML page about this explanation, which needs no network.

        Parameters
        ----------
        path : path-like
            Where to write.
        render : callable, optional
            Your own way to show a row: ``render(row, position)`` returns text, an image (array, PNG bytes or data URI), or a
            :class:`clusterexplain.report.SamplePreview`. By default images become thumbnails, texts snippets, and table rows
            the columns in which they differ most.
        map : array-like, frame or path, optional
            Two coordinates for each training example, drawn on this page instead of the map of the fit: an array in the order
            of the rows, a frame joined by its index, or a file. See :meth:`clusterexplain.ClusterExplainer.fit`.
        run : str, optional
            The run directory, for the commands that the page offers to copy.
        task : str, optional
            Where the run's own network is made (``--task``), for the same commands.

        Returns
        -------
        pathlib.Path
            The file.
        """
        from clusterexplain.report import ReportContext, write_page

        folder = self.fit.annotations.run_directory if run is None else run
        return write_page(self, ReportContext.of(self, render, map=map), path, run=folder, task=task)

    @property
    def plot(self) -> Plots:
        """The charts, each an ``altair.Chart`` to customise: ``e.plot.map()``, ``e.plot.waterfall()``, ...

        See :class:`clusterexplain.report.Plots`.
        """
        from clusterexplain.report import Plots, ReportContext

        return Plots(self, ReportContext.of(self))

    def widget(self, query: int = 0) -> alt.JupyterChart:
        """Return the map of a query as a live chart; ``e.plot.selected(widget)`` returns the ids that are selected on it.

        Parameters
        ----------
        query : int, default=0
            Position of the query.

        Returns
        -------
        altair.JupyterChart
            Needs the extra ``widget``.
        """
        return self.plot.widget(query)

    def headline(self, query: int = 0) -> str:
        """Return the answer about one query in sentences."""
        words = self._headline(query)
        return words if self.rows.row(query).any() else f"{words} {text.NO_INFLUENCE}"

    def _headline(self, query: int) -> str:
        sample, runner_up, margin = self.query_ids[query], int(self.runner_ups[query]), float(self.scores[query])
        if self.margins.combination is not None:
            return combination_title(self.margins.combination.subjects[query], margin, self.cluster_names)
        present = self.sample_weight > 0
        n_members = int((self.train_labels[present] == self.labels[query]).sum())
        share_with_larger_margin = float(self.share_with_larger_margin[query])
        if self.labels[query] == NOISE:
            return text.noise_headline(
                sample,
                runner_up,
                margin=margin,
                reason=self.noise_reasons[query],
                share_with_larger_margin=share_with_larger_margin,
                n_noise=n_members,
                n_samples=int(present.sum()),
                names=self.cluster_names,
            )
        return text.headline(
            sample,
            int(self.labels[query]),
            runner_up,
            margin=margin,
            membership=self.probabilities[query].tolist(),
            share_with_larger_margin=share_with_larger_margin,
            n_members=n_members,
            names=self.cluster_names,
        )

    def name_of(self, cluster: int) -> str:
        """Return what a cluster is called: its number, with the name that it was given; "noise" for -1."""
        return cluster_name(int(cluster), self.cluster_names)

    def sides(self, query: int = 0) -> tuple[str, str]:
        """Return what a positive and a negative influence on a query did, in words."""
        return sides_of(int(self.labels[query]), self.topic)

    @property
    def method_words(self) -> str:
        """The method and what its answer is about, in words."""
        return averaged_method_words(self.method, self.method_note, self.n_seeds)

    @property
    def status(self) -> str:
        """What a retraining check said: "not checked", "untested", "supported" or "not supported"."""
        return "not checked" if self.check is None else self.check.status

    @property
    def status_words(self) -> str:
        """The status, with the scope of the check: other seeds, further training, given labels."""
        return "not checked" if self.check is None else self.check.shown.words

    @property
    def checked(self) -> str:
        """Whether a retraining check covers this explanation, in words."""
        if self.check is None:
            return check_text.checked(None)
        return check_text.checked(self.check.sentence, conclusive=self.check.status != UNTESTED)

    def __repr__(self) -> str:
        """Return the answer as text."""
        blocks = []
        for position in range(min(len(self), 3)):
            blocks.append(terminal_safe(" ".join([self.headline(position), *self._notes(position)])))
            if self.influence[position].any():
                table = self._shown(position).to_string(index=False, float_format="{:+.4f}".format)
                blocks[-1] += f"\n{terminal_safe(table, lines=True)}"
        if len(self) > 3:
            blocks.append(f"... and {len(self) - 3} more queries")
        basis = text.basis(self.score_words, self.agreement, self.method_words)
        blocks.append(terminal_safe(f"{basis} This answer is {self.checked}."))
        return "\n\n".join(blocks)

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return the card of a notebook: text, HTML without scripts, and with the extra ``export`` a PNG."""
        from clusterexplain.report import ReportContext, bundle

        return bundle(self, ReportContext.of(self, quick=True))

    def seed_words(self, query: int = 0) -> str:
        """Say how much of an explanation that was averaged over seeds they share; empty if it was not."""
        found = self.seed_variability
        if found is None:
            return ""
        stable, margins = found.stable[query], found.margins[:, query]
        strongest = np.argsort(-np.abs(self.influence[query]), kind="stable")[:10]
        return text.seed_agreement(
            found.n_seeds,
            shared=float(found.shared[query]),
            within=float(found.within[query]),
            expected=found.of_mean(query),
            n_stable=int(stable.sum()),
            n_stable_strongest=int(stable[strongest].sum()),
            n_strongest=len(strongest),
            margins=(float(margins.mean()), float(margins.min()), float(margins.max())),
        )

    def parts_words(self, query: int = 0) -> str:
        """Say which share of the influence each of its three parts has; a warning where nearly all of it is direct.

        Empty where there is no influence. Where the embedding is given there is no warning: all is direct by construction.
        """
        if not self.rows.row(query).any():
            return ""
        return text.parts(self.rows.shares(query), given=self.fit.recipe.layout.size == 0)

    def _notes(self, query: int) -> list[str]:
        """Return the sentences about one query beyond its headline."""
        words = self.parts_words(query)
        notes = [words] if words else []
        notes += [] if self.stability is None else [stability_note(self.stability.badges[query].text)]
        notes += [] if self.seed_variability is None else [self.seed_words(query)]
        return notes + (
            [own_check_note(self.check.each[query].words)] if self.check is not None and len(self) > 1 else []
        )

    def _shown(self, query: int) -> pd.DataFrame:
        columns = ["side", "id", "cluster", "if_removed", "if_removed_percent"]
        table = self.top(5, query=query)
        sure = ["seed_stable"] if self.seed_variability is not None else []
        table = table[[*columns, *sure, *self.shown_names]]
        return table.assign(side=table["side"].map(dict(zip(SIDES, self.sides(query), strict=True))))

    @property
    def shown_names(self) -> list[str]:
        """Names of the columns that tables show beside every training example."""
        return list(columns_beside(self, np.arange(0), self.show))
