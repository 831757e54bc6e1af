r"""Derivatives of margins in the parameters, through the queries and through the clusters (centroids), and in the weights.

A margin :math:`s_q(z_q, \phi)` depends on the query's embedding :math:`z_q(\theta)` and on the state of the clusters
:math:`\phi(Z(\theta), w)`, with :math:`\theta = \theta(w)`. The influence of example i is
:math:`I_{qi} = w_i \, d s_q / d w_i`, and its three parts are

.. math::
    \text{encoder} = w_i \frac{\partial s_q}{\partial z_q} \frac{\partial z_q}{\partial \theta} \frac{d \theta}{d w_i},
    \quad
    \text{cluster} = w_i \frac{\partial s_q}{\partial \phi} \frac{\partial \phi}{\partial Z}
    \frac{\partial Z}{\partial \theta} \frac{d \theta}{d w_i},
    \quad
    \text{direct} = w_i \frac{\partial s_q}{\partial \phi} \frac{\partial \phi}{\partial w_i}.

This module computes what stands before :math:`d \theta / d w_i`, the cotangents; a
:class:`~clusterexplain.influence.jacobian.TrainingJacobian` multiplies them with it. Scores and clusters are float64; a
cotangent is cast to the floating point type of the training where it enters the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from clusterexplain.clustering import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.scores import Score
from clusterexplain.exceptions import InvalidDataError
from clusterexplain.execution.budget import COTANGENT_BLOCK_BYTES
from clusterexplain.explanation.queries import EmbeddedQueries
from clusterexplain.fitting.fit import SCORE_DTYPE, Fit, learned_centroids
from clusterexplain.fitting.outcome import pair_of
from clusterexplain.influence import MethodReport, TrainingJacobian
from clusterexplain.results.influence_rows import InfluenceRows, zero_up_to_rounding
from clusterexplain.results.margins import Margins

QUERY_BLOCK = 512
"""Queries of a combination of scores that are differentiated at a time: the distances of all to all exemplars are large."""


class MarginCotangents(NamedTuple):
    """Derivatives of scores in the trained parameters and in the data weights.

    Attributes
    ----------
    encoder : Tensor of shape (n_scores, n_params)
        Through the queries' own embeddings.
    cluster : Tensor of shape (n_scores, n_params)
        Through the clusters: their members' embeddings, and centroids that the model has learned.
    direct : Tensor of shape (n_scores, n_samples)
        In the data weights, at fixed parameters.
    """

    encoder: Tensor
    cluster: Tensor
    direct: Tensor


def influence_rows(
    fit: Fit, margins: Margins, jacobian: TrainingJacobian, queries: EmbeddedQueries | None = None
) -> InfluenceRows:
    """Differentiate margins in the data weights, discrete choices kept.

    The derivative is relative to the weights of the fit: ``-total[q, i]`` predicts the change of score q if example i is
    removed, whatever its weight was.

    Parameters
    ----------
    fit : Fit
        The fit.
    margins : Margins
        What is scored.
    jacobian : TrainingJacobian
        The derivative of the trained parameters in the data weights.
    queries : EmbeddedQueries, optional
        Of the margins' samples, if they were embedded before.

    Returns
    -------
    InfluenceRows
        Float64 arrays of shape (n_scores, n_samples).
    """
    rows, report = influence_rows_with_report(fit, margins, jacobian, queries)
    report.warn_if_failed()
    return rows


def influence_rows_with_report(
    fit: Fit, margins: Margins, jacobian: TrainingJacobian, queries: EmbeddedQueries | None = None
) -> tuple[InfluenceRows, MethodReport]:
    """Return :func:`influence_rows` and what the method says of them; a failed solve is reported, not warned about."""
    encoder, cluster, direct = cotangents_of(fit, margins, queries)
    # (2 n_scores, n_params) -> (2 n_scores, n_samples), then w_i times each
    through_training, report = jacobian.vjp_with_report(torch.cat([encoder, cluster]))
    encoder_rows, cluster_rows = torch.split(through_training.to(SCORE_DTYPE) * fit.weights, len(encoder))
    rows = InfluenceRows(encoder_rows.numpy(), cluster_rows.numpy(), (direct * fit.weights).numpy())
    return rows.without_rounding(), report


def total_influence(fit: Fit, margins: Margins, jacobian: TrainingJacobian) -> np.ndarray:
    """Return the total of :func:`influence_rows`, shape (n_scores, n_samples), at half its cost."""
    encoder, cluster, direct = cotangents_of(fit, margins)
    total = np.asarray(((jacobian.vjp(encoder + cluster).to(SCORE_DTYPE) + direct) * fit.weights).numpy())
    return np.where(zero_up_to_rounding(total)[:, None], 0.0, total)


def cotangents_of(fit: Fit, margins: Margins, queries: EmbeddedQueries | None = None) -> MarginCotangents:
    """Differentiate margins in the trained parameters, flat in the order of the recipe's layout, and in the data weights.

    Parameters
    ----------
    fit : Fit
        The fit.
    margins : Margins
        What is scored.
    queries : EmbeddedQueries, optional
        Of the margins' samples, if they were embedded before.

    Returns
    -------
    MarginCotangents
        With a leading dimension of n_scores.
    """
    params, weights = fit.trajectory.params, fit.trajectory.weights
    members = ClusterInputs(fit.embed(fit.recipe.inputs, params), fit.weights, learned_centroids(fit.recipe, params))
    clustering = fit.clustering
    if fit.pretrained:
        with torch.no_grad():
            clustering = clustering.update_kept(fit.cluster_inputs(params, weights))
    inputs = fit.query_inputs(margins) if queries is None else queries.inputs
    embedded = fit.embed(inputs, params) if queries is None or fit.pretrained else queries.embedding
    function = MarginFunction(clustering, fit.score, margins)
    if not fit.recipe.layout.size:  # the embedding is given: only the weights move the clusters
        direct = function.on_weights(embedded, members)
        _check_finite(fit, direct)
        none = direct.new_zeros(len(direct), 0)
        return MarginCotangents(none, none, direct)
    if margins.combination is None:
        gradients = function.gradients(embedded, members)
        encoder = _through_each_query(fit, inputs, gradients.queries)
    else:
        gradients = function.combined_gradients(embedded, members, torch.from_numpy(margins.combination.weights))
        encoder = _through_embeddings(fit, inputs, gradients.queries)
    cluster = _through_embeddings(fit, fit.recipe.inputs, gradients.embedding)
    if gradients.model_centroids is not None:
        cluster = cluster + _through_model_centroids(fit, gradients.model_centroids)
    _check_finite(fit, encoder, cluster, gradients.weights)
    return MarginCotangents(encoder, cluster, gradients.weights)


def _check_finite(fit: Fit, *parts: Tensor) -> None:
    unknown = torch.stack([~torch.isfinite(part).all(dim=-1) for part in parts]).any(dim=0)
    if bool(unknown.any()):
        raise InvalidDataError(
            f"The derivative of the score {fit.score.name!r} is not finite for {int(unknown.sum())} of {len(unknown)} margins. "
            f"Expected clusters with members that are apart, and a score with a derivative there. Lower n_clusters, look for "
            f"equal rows, or choose another membership_score."
        )


class EmbeddingGradients(NamedTuple):
    """Derivatives of scores in the queries' embeddings, all embeddings, the weights and the model's centroids.

    Attributes
    ----------
    queries : Tensor of shape (n_scores, dim), or (n_scores, n_queries, dim) of combinations
        ds / dz_q: each score has a query of its own, a combination all of them.
    embedding : Tensor of shape (n_scores, n_samples, dim)
        ds / dZ, through the state of the clusters.
    weights : Tensor of shape (n_scores, n_samples)
        ds / dw at fixed embeddings.
    model_centroids : Tensor of shape (n_scores, n_clusters, dim), or None
        In centroids that are parameters of the model.
    """

    queries: Tensor
    embedding: Tensor
    weights: Tensor
    model_centroids: Tensor | None


@dataclass(frozen=True, eq=False)
class MarginFunction:
    """Margins as a function of embeddings, weights and the model's centroids, and its gradients.

    Parameters
    ----------
    clustering : Clustering
        Whose discrete choices are kept.
    score : Score
        The assignment score.
    margins : Margins
        What is scored.
    """

    clustering: Clustering
    score: Score
    margins: Margins

    def gradients(self, queries: Tensor, members: ClusterInputs) -> EmbeddingGradients:
        """Differentiate each margin; `queries` of shape (n_queries, dim) and the members are not normalized."""
        noise = self.margins.has_noise

        def margin(
            z: Tensor, rows: Tensor, w: Tensor, learned: Tensor | None, own: Tensor, runner_up: Tensor
        ) -> Tensor:
            state = self._state(rows, w, learned)
            return self.score.margins(self.clustering.normalize(z), state, own, runner_up, noise=noise)

        argnums = (0, 1, 2) if members.model_centroids is None else (0, 1, 2, 3)
        in_dims = (0, None, None, None, 0, 0)
        differentiated = vmap(grad(margin, argnums=argnums), in_dims=in_dims, chunk_size=self._chunk(members))
        return _detached(differentiated(queries, *members, *pair_of(self.margins)))

    def combined_gradients(self, queries: Tensor, members: ClusterInputs, combination: Tensor) -> EmbeddingGradients:
        """Differentiate linear combinations of margins, (n_scores, n_queries), a block of queries at a time."""
        columns = (queries, *pair_of(self.margins), combination.T)
        splits = (torch.split(column, QUERY_BLOCK) for column in columns)
        blocks = [self._block(members, *block) for block in zip(*splits, strict=True)]
        on_queries, on_embedding, on_weights, on_centroids = zip(*blocks, strict=True)
        learned = None if members.model_centroids is None else sum(on_centroids)
        return EmbeddingGradients(torch.cat(on_queries, dim=1), sum(on_embedding), sum(on_weights), learned)

    def on_weights(self, queries: Tensor, members: ClusterInputs) -> Tensor:
        """Differentiate each score in the data weights alone: (n_scores, n_samples)."""
        noise = self.margins.has_noise
        own, runner_up = pair_of(self.margins)

        def scores(w: Tensor) -> Tensor:
            state = self._state(members.embedding, w, members.model_centroids)
            return self.score.margins(self.clustering.normalize(queries), state, own, runner_up, noise=noise)

        combination = self.margins.combination
        units = torch.eye(len(own), dtype=SCORE_DTYPE) if combination is None else torch.from_numpy(combination.weights)
        pull = vjp(scores, members.weights)[1]
        rows: Tensor = vmap(lambda unit: pull(unit)[0], chunk_size=self._chunk(members))(units)
        return rows.detach()

    def _block(
        self, members: ClusterInputs, queries: Tensor, own: Tensor, runner_up: Tensor, columns: Tensor
    ) -> EmbeddingGradients:
        noise = self.margins.has_noise

        def scores(z: Tensor, rows: Tensor, w: Tensor, learned: Tensor | None = None) -> Tensor:
            state = self._state(rows, w, learned)
            return self.score.margins(self.clustering.normalize(z), state, own, runner_up, noise=noise)

        primals = (queries, *members) if members.model_centroids is not None else (queries, *members[:2])
        return _detached(vmap(vjp(scores, *primals)[1], chunk_size=self._chunk(members))(columns.T))

    def _chunk(self, members: ClusterInputs) -> int:
        """Return how many scores are differentiated side by side.

        A mixture keeps n x dim x dim numbers for each, centroids n x n_clusters (the weights of members, and their derivative).
        """
        n, dim = members.embedding.shape
        return max(1, int(COTANGENT_BLOCK_BYTES / (n * max(dim * max(dim, 8), 2 * self.clustering.n_clusters) * 8)))

    def _state(self, members: Tensor, weights: Tensor, learned: Tensor | None) -> ClusterState:
        inputs = ClusterInputs(self.clustering.normalize(members), weights, learned)
        state: ClusterState = self.clustering.state(inputs)
        return state


def _detached(gradients: tuple[Tensor, ...]) -> EmbeddingGradients:
    queries, embedding, weights, *learned = (gradient.detach() for gradient in gradients)
    return EmbeddingGradients(queries, embedding, weights, learned[0] if learned else None)


def _through_each_query(fit: Fit, inputs: Tensor, on_query: Tensor) -> Tensor:
    """Pull (n_queries, dim) back to the parameters through each query's own embedding: (n_queries, n_params)."""
    recipe = fit.recipe

    def through(row: Tensor, cotangent: Tensor) -> Tensor:
        pull = vjp(lambda params: recipe.task.embed(params, row.unsqueeze(0)).squeeze(0), fit.trajectory.params)[1]
        return recipe.layout.join(pull(cotangent)[0])

    # One query at a time: not every network of a user's can be batched over its inputs by vmap.
    pairs = zip(inputs, on_query.to(recipe.dtype), strict=True)
    return torch.stack([through(row, cotangent) for row, cotangent in pairs]).detach()


def _through_embeddings(fit: Fit, inputs: Tensor, on_embedding: Tensor) -> Tensor:
    """Pull (n_scores, n_inputs, dim) back to the parameters through the embeddings of all `inputs`: (n_scores, n_params)."""
    recipe = fit.recipe
    pull = vjp(lambda params: recipe.task.embed(params, inputs), fit.trajectory.params)[1]
    size = max(1, int(COTANGENT_BLOCK_BYTES / (inputs.numel() * inputs.element_size())))
    blocks = torch.split(on_embedding.to(recipe.dtype), size)
    return torch.cat(
        [vmap(lambda cotangent: recipe.layout.join(pull(cotangent)[0]))(block) for block in blocks]
    ).detach()


def _through_model_centroids(fit: Fit, on_centroids: Tensor) -> Tensor:
    """Pull (n_scores, n_clusters, dim) back to the parameters through the model's own centroids: (n_scores, n_params)."""
    recipe = fit.recipe
    pull = vjp(lambda params: recipe.task.cluster_centers(params), fit.trajectory.params)[1]
    return vmap(lambda cotangent: recipe.layout.join(pull(cotangent)[0]))(on_centroids.to(recipe.dtype)).detach()
