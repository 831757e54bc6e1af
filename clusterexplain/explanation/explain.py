"""From a question to an explanation: influence, standing, words, and what is known about stability."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import KMeansClustering
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.selection import Queries
from clusterexplain.explanation.predicted_jumps import PredictedReclustering
from clusterexplain.explanation.queries import check_agreement, check_identified, pose
from clusterexplain.fitting.fit import InfluenceComponents, MembershipSummary, Pipeline, Question
from clusterexplain.influence.registry import EXACT, Asked, ask, check_method
from clusterexplain.results.annotations import Mixed, StabilitySummary
from clusterexplain.results.explanation import Explanation, Fitted
from clusterexplain.results.stability import Stability
from clusterexplain.results.text.names import NOISE
from clusterexplain.training.further_training import FurtherTraining

VALUE = "\0"
"""Where the score goes in the title of a combination of scores; no name of a cluster can hold it."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a fitted explainer answers with.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    data : Dataset
        Training data.
    scaling : Scaling
        Of the columns.
    key : str
        Names data, seed and recipe.
    further : FurtherTraining or None
        If the model is pretrained.
    least_agreement : float
        Least share of training examples on which labels and score must agree.
    n_jobs : int or None
        Threads.
    show_progress : bool
        Progress bars on a terminal.
    chosen : str, default="auto"
        The influence method.
    options : dict or None
        Of the method.
    """

    pipeline: Pipeline
    data: Dataset
    scaling: Scaling
    key: str
    further: FurtherTraining | None
    least_agreement: float
    n_jobs: int | None
    show_progress: bool
    chosen: str = "auto"
    options: dict[str, Any] | None = None
    _kept: dict[str, PredictedReclustering] = field(default_factory=dict)
    _asked: dict[str, Answers] = field(default_factory=dict)

    def asked_with(self, method: str, options: dict[str, Any] | None = None) -> Answers:
        """Return the same fit asked with another influence method; what it has computed is kept.

        Parameters
        ----------
        method : str
            See :func:`clusterexplain.influence.registry.ask`.
        options : dict, optional
            Of the method.

        Returns
        -------
        Answers
            This object for the method that it has.
        """
        key = repr((method, sorted((options or {}).items())))
        check_method(method, pretrained=self.further is not None)
        if method in ("auto", *EXACT) and not options:
            return self
        if key not in self._asked:
            self._asked[key] = dataclasses.replace(self, chosen=method, options=options, _kept={}, _asked={})
        return self._asked[key]

    @cached_property
    def method(self) -> Asked:
        """How cotangents are pulled back to the data weights."""
        return ask(
            self.chosen,
            self.options,
            self.pipeline.run,
            further="" if self.further is None else str(self.further),
            n_jobs=self.n_jobs,
            show_progress=self.show_progress,
        )

    def influence(self, question: Question) -> InfluenceComponents:
        """Return the influence on the scores of a question; see :meth:`Pipeline.influence`."""
        return self.pipeline.influence(question, self.method)

    def explain(
        self,
        asked: Queries,
        against: str | int,
        source: Fitted,
        names: dict[int, str],
        stability: Stability | None,
    ) -> Explanation:
        """Explain samples.

        Parameters
        ----------
        asked : Queries
            The samples.
        against : "runner-up", "noise" or int
            The rival cluster.
        source : ClusterExplainer
            Who is asked.
        names : dict of int to str
            Names of clusters.
        stability : Stability or None
            If it was measured.

        Returns
        -------
        Explanation
            One answer for each sample.
        """
        pipeline = self.pipeline
        check_identified(pipeline)
        question = pose(pipeline, self.rows_of(asked.rows), asked.positions, against)
        agreement = check_agreement(pipeline, question.own, question.rival, self.least_agreement)
        found = self._explanation(
            asked, question.own, question.rival, self.influence(question), pipeline.membership_summary(question), source
        )
        return dataclasses.replace(
            found,
            agreement=agreement,
            score_words=_words(pipeline, question),
            noise_reasons=self._lacks(question),
            cluster_names=dict(names),
            stability=None if stability is None else _badges(stability, asked.positions),
        )

    def explain_mixed(self, mixed: Mixed, source: Fitted, names: dict[int, str]) -> Explanation:
        """Explain combinations of many samples' scores.

        Parameters
        ----------
        mixed : Mixed
            The combinations; ``VALUE`` in their titles is filled in.
        source : ClusterExplainer
            Who is asked.
        names : dict of int to str
            Names of clusters.

        Returns
        -------
        Explanation
            One answer for each combination.
        """
        pipeline, n = self.pipeline, len(mixed.mix)
        check_identified(pipeline)
        question = self.mixed_question(mixed)
        agreement = check_agreement(pipeline, question.own, question.rival, self.least_agreement)
        values = (torch.from_numpy(mixed.mix) @ pipeline.margins(question)).numpy()
        titles = tuple(title.replace(VALUE, f"{value:.3f}") for title, value in zip(mixed.titles, values, strict=True))
        asked = Queries(np.array(mixed.names), np.empty((n, 0)), np.full(n, -1))
        unknown = np.full((n, 2), np.nan)
        membership_summary = MembershipSummary(values, unknown, unknown[:, 0])
        own, rival = (torch.from_numpy(_common(part, mixed.mix)) for part in (mixed.own, mixed.rival))
        found = self._explanation(asked, own, rival, self.influence(question), membership_summary, source)
        named = dataclasses.replace(mixed, titles=titles)
        return dataclasses.replace(found, agreement=agreement, cluster_names=dict(names), mixed=named)

    def question_of(self, explanation: Explanation) -> Question:
        """Return the explained scores as the pipeline's question."""
        if explanation.mixed is not None:
            return self.mixed_question(explanation.mixed)
        own, rival = (torch.from_numpy(part.copy()) for part in (explanation.labels, explanation.rivals))
        return Question(self.rows_of(explanation.queries), own, rival)

    def mixed_question(self, mixed: Mixed) -> Question:
        """Return combinations of scores as the pipeline's question."""
        own, rival, mix = (torch.from_numpy(part.copy()) for part in (mixed.own, mixed.rival, mixed.mix))
        return Question(self.pipeline.run.recipe.inputs[mixed.positions], own, rival, mix)

    def predict_continued(self, explanation: Explanation, relative: np.ndarray) -> np.ndarray:
        """Predict changes of the scores at relative changes of the weights, clusters' members chosen anew.

        Parameters
        ----------
        explanation : Explanation
            The scores.
        relative : ndarray of shape (n_train,) or (n_refits, n_train)
            Relative changes of the data weights.

        Returns
        -------
        ndarray of shape (n_queries,) or (n_refits, n_queries)
            Those with frozen members where nothing hard is chosen anew, or nothing is known about how.
        """
        frozen = relative @ explanation.influence.T
        if not isinstance(self.pipeline.clustering, KMeansClustering) or not len(relative):
            return frozen
        if "reclustering" not in self._kept:
            self._kept["reclustering"] = PredictedReclustering.near(self.pipeline, self.method)
        question, rows = self.question_of(explanation), np.atleast_2d(relative)
        return self._kept["reclustering"].changes(question, np.atleast_2d(frozen), rows).reshape(frozen.shape)

    def rows_of(self, X: np.ndarray) -> Tensor:
        """Return rows of shape (n, n_features), as the user gave them, as the network sees them."""
        return self.scaling.to_tensor(X, self.pipeline.run.recipe.dtype)

    def _lacks(self, question: Question) -> tuple[str, ...]:
        pipeline = self.pipeline
        return tuple(
            pipeline.score.noise_reason(row, pipeline.state, int(rival)) if own == NOISE else ""
            for row, own, rival in zip(
                pipeline.embed_normalized(question.inputs), question.own, question.rival, strict=True
            )
        )

    def _explanation(
        self,
        asked: Queries,
        own: Tensor,
        rival: Tensor,
        parts: InfluenceComponents,
        membership_summary: MembershipSummary,
        source: Any,
    ) -> Explanation:
        pipeline = self.pipeline
        return Explanation(
            query_ids=asked.ids,
            positions=asked.positions,
            fit_key=self.key,
            labels=own.numpy(),
            rivals=rival.numpy(),
            scores=membership_summary.margins,
            encoder=parts.encoder,
            cluster=parts.cluster,
            direct=parts.direct,
            train_ids=self.data.ids,
            train_labels=pipeline.labels.numpy().copy(),
            sample_weight=pipeline.run.weights.double().numpy().copy(),
            probabilities=membership_summary.probabilities,
            rank=membership_summary.rank,
            agreement=float("nan"),
            score_words=pipeline.score.words,
            queries=asked.rows,
            method=self.method.name,
            method_note=self.method.note,
            method_options=dict(self.options or {}),
            source=source,
            basis=self,
            metadata=self.data.metadata,
        )


def _words(pipeline: Pipeline, question: Question) -> str:
    if not question.noise:
        return pipeline.score.words
    alone = bool(((question.own == NOISE) | (question.rival == NOISE)).all())
    return (
        pipeline.score.noise_words if alone else f"{pipeline.score.words}, or with noise {pipeline.score.noise_words}"
    )


def _common(clusters: np.ndarray, mix: np.ndarray) -> np.ndarray:
    """Return the cluster that all pairs of each combination share, -1 where there are several."""
    shared = [np.unique(clusters[row != 0]) for row in mix]
    return np.array([int(one[0]) if len(one) == 1 else NOISE for one in shared])


def _badges(stability: Stability, positions: np.ndarray) -> StabilitySummary:
    badges = tuple(stability.badge(int(one)) if one >= 0 else "not trained on" for one in positions)
    kept, counted = (
        np.where(positions >= 0, column[np.maximum(positions, 0)], 0) for column in (stability.kept, stability.counted)
    )
    return StabilitySummary(kept, counted, badges)
