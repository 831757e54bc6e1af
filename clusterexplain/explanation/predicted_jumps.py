r"""The continued clustering, predicted: the jumps of hard labels that no derivative sees.

With the labels kept, the derivative predicts retraining almost perfectly. K-means, continued, then moves the
examples that crossed a boundary, and each of them makes two centroids jump. Which ones cross can be predicted: they are few,
they lie near the boundary already, and the influence on *their* margins says how far each is carried. So

1. the margins of the ``n_boundary`` examples nearest to a boundary are differentiated too (rows like those of ``explain``);
2. for given data weights every such margin is predicted; examples whose margin turned negative change sides;
3. with the new members the centroids are recomputed, which shifts all margins; steps 2 and 3 repeat until nothing moves:
   Lloyd's iterations in the linearised model;
4. the query's predicted change is the one with labels kept plus the jump of its score between old and new members.

This replaced the derivative through softened assignments: on digits (4 seeds) it agrees better with retraining at every group
size from one example to 20 %, and it needs no softness to be chosen; docs/benchmarks.md has the figures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import ClusterInputs
from clusterexplain.clustering.scores import Score
from clusterexplain.explanation.gradients import total_influence
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.outcome import pair_of
from clusterexplain.influence import TrainingJacobian
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Margins

N_BOUNDARY = 64
"""Examples nearest to a boundary whose margins are followed; 16 give most of the agreement, 256 a little more."""
MAX_ITERATIONS = 50


_OF_FIT: WeakKeyDictionary[Fit, dict[int, tuple[TrainingJacobian, PredictedContinuation]]] = WeakKeyDictionary()
"""What was differentiated for a fit, by the identity of the Jacobian, which is held; nothing in it holds the fit."""


def predict_continued(explanation: Explanation, relative: np.ndarray) -> np.ndarray:
    """Predict changes of the scores at relative changes of the weights, clustering continued.

    Parameters
    ----------
    explanation : Explanation
        The scores.
    relative : ndarray of shape (n_train,) or (n_refits, n_train)
        Relative changes of the data weights; -1 removes.

    Returns
    -------
    ndarray of shape (n_queries,) or (n_refits, n_queries)
        Those with labels kept where no hard label can change, or nothing is known about how.
    """
    fit, kept = explanation.fit, relative @ explanation.influence.T
    if not fit.clustering.hard_centroids or not len(relative):
        return np.asarray(kept)
    jacobian = fit.jacobian(explanation.influence_method, explanation.method_options)
    known = _OF_FIT.setdefault(fit, {})
    if id(jacobian) not in known:
        known[id(jacobian)] = jacobian, PredictedContinuation.near(fit, jacobian)
    rows = np.atleast_2d(relative)
    return known[id(jacobian)][1].changes(fit, explanation.margins, np.atleast_2d(kept), rows).reshape(kept.shape)


@dataclass(frozen=True, eq=False)
class PredictedContinuation:
    """Lloyd's iterations in the linearised model.

    Parameters
    ----------
    positions : Tensor of shape (n_boundary,), int64
        Row numbers of the training examples nearest to a boundary.
    runner_ups : Tensor of shape (n_boundary,), int64
        The cluster on the other side of it.
    influence : ndarray of shape (n_boundary, n_samples)
        Influence on their margins, relative to the weights of the fit.
    """

    positions: Tensor
    runner_ups: Tensor
    influence: np.ndarray

    @classmethod
    def near(cls, fit: Fit, jacobian: TrainingJacobian, n_boundary: int = N_BOUNDARY) -> PredictedContinuation:
        """Differentiate the margins of the examples nearest to a boundary.

        Parameters
        ----------
        fit : Fit
            With a hard centroid clustering.
        jacobian : TrainingJacobian
            The cost is that of ``n_boundary`` rows.
        n_boundary : int, default=N_BOUNDARY
            How many examples.

        Returns
        -------
        PredictedContinuation
            Ready to predict.
        """
        assignment = fit.assignment
        present = torch.nonzero((fit.weights > 0) & (assignment.labels >= 0)).squeeze(1)
        nearest = present[torch.argsort(assignment.train_margins[present].abs(), stable=True)[:n_boundary]]
        own = assignment.labels[nearest]
        runner_ups = assignment.runner_ups(assignment.embedding[nearest], own)
        rows = nearest.numpy()
        margins = Margins(fit.data.ids[rows], fit.data.X[rows], rows, own.numpy(), runner_ups.numpy())
        return cls(nearest, runner_ups, total_influence(fit, margins, jacobian))

    def changes(self, fit: Fit, margins: Margins, kept: np.ndarray, relative: np.ndarray) -> np.ndarray:
        """Predict changes of scores with the clustering continued.

        Parameters
        ----------
        fit : Fit
            The one whose margins were differentiated.
        margins : Margins
            The scores.
        kept : ndarray of shape (n_refits, n_scores)
            Their predicted changes with labels kept.
        relative : ndarray of shape (n_refits, n_samples)
            Relative changes of the data weights; -1 removes.

        Returns
        -------
        ndarray of shape (n_refits, n_scores)
            The same, and the jumps.
        """
        params, normalize = fit.trajectory.params, fit.clustering.normalize
        with torch.no_grad():
            queries, embedding = (
                normalize(fit.embed(rows, params)) for rows in (fit.query_inputs(margins), fit.recipe.inputs)
            )
            still = self._jump(fit, margins, queries, embedding, np.zeros(relative.shape[1]))
            jumps = [self._jump(fit, margins, queries, embedding, row) - still for row in relative]
        changes: np.ndarray = kept + np.stack(jumps)
        return changes

    def _jump(self, fit: Fit, margins: Margins, queries: Tensor, embedding: Tensor, relative: np.ndarray) -> np.ndarray:
        """Return by how much the scores change from the old members to the new ones, at given weights."""
        before, score = fit.clustering, fit.score
        weights = fit.weights * torch.from_numpy(1 + relative)
        carried = torch.from_numpy(self.influence @ relative)
        near, own = embedding[self.positions], before.labels[self.positions]
        inputs = ClusterInputs(embedding, weights)
        old = before.values(inputs)
        as_fitted = before.values(inputs._replace(weights=fit.weights))
        unmoved = self._margins(fit.score, near, own, as_fitted) - self._margins(fit.score, near, own, old)
        labels, state = before.labels, old
        for _ in range(MAX_ITERATIONS):
            predicted = unmoved + carried + self._margins(fit.score, near, own, state)
            moved = before.labels.clone()
            moved[self.positions] = torch.where(predicted < 0, self.runner_ups, own)
            if torch.equal(moved, labels):
                break
            labels = moved
            state = replace(before, labels=labels).values(inputs)
        pair = pair_of(margins)
        jump = score.margins(queries, state, *pair) - score.margins(queries, old, *pair)
        return margins.combine(jump.numpy())

    def _margins(self, score: Score, rows: Tensor, own: Tensor, state: object) -> Tensor:
        return score.margins(rows, state, own, self.runner_ups, noise=False)
