"""The one idea of the package: training, clustering and scoring as one function of the data weights.

Give every training example i a weight w_i. Then theta(w) are the trained parameters, Z(w) the embeddings, phi(w) the
clusters and s_q(w) the score of a query q for a fixed pair of clusters. :meth:`Pipeline.influence` differentiates this
function at the weights of the fit; :meth:`Pipeline.scores` evaluates it at any other weights.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from clusterexplain.clustering import CentroidState, KMeansClusterer, centroid_state
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.influence import Unrolled
from clusterexplain.membership import log_ratio_margin, membership_probabilities, runner_up
from clusterexplain.training import RecordedRun

SCORE_DTYPE = torch.float64
BLOCK_BYTES = 256e6


@dataclass(frozen=True, eq=False)
class Question:
    """Scores that are asked about: samples, each with its own cluster and the rival.

    Parameters
    ----------
    inputs : Tensor of shape (n_queries, ...)
        Queries as the model sees them.
    own, rival : Tensor of shape (n_queries,), int64
        The fixed pair of clusters of each query.
    """

    inputs: Tensor
    own: Tensor
    rival: Tensor


@dataclass(frozen=True, eq=False)
class Parts:
    """Influence of every training example on every query, in three parts that sum to the total.

    Attributes
    ----------
    encoder : ndarray of shape (n_queries, n_samples)
        Through the network: the query's own embedding moved.
    cluster : ndarray of shape (n_queries, n_samples)
        Through the network: the clusters moved because their members' embeddings moved.
    direct : ndarray of shape (n_queries, n_samples)
        The example's own weight in its centroid.
    """

    encoder: np.ndarray
    cluster: np.ndarray
    direct: np.ndarray


@dataclass(frozen=True, eq=False)
class Standing:
    """How firmly each query sits in its cluster.

    Attributes
    ----------
    margins : ndarray of shape (n_queries,)
        Scores against the rival.
    probabilities : ndarray of shape (n_queries, 2)
        Soft membership in the own cluster and in the rival.
    rank : ndarray of shape (n_queries,)
        Share of the own cluster's members whose margin to their runner-up is larger.
    agreement : float
        Share of the training examples that are nearest to their own cluster.
    """

    margins: np.ndarray
    probabilities: np.ndarray
    rank: np.ndarray
    agreement: float


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A fitted pipeline: a recorded training and labels.

    Parameters
    ----------
    run : RecordedRun
        The training.
    clusterer : KMeansClusterer
        How labels are found.
    labels : Tensor of shape (n_samples,), int64
        Labels of the training examples, frozen in derivatives.
    arrived : bool, default=False
        The model arrived trained and the run is further training from its weights. Clusters, margins and embeddings that
        are shown are those of the model as it arrived; derivatives and retrained scores are those of the further run.
    """

    run: RecordedRun
    clusterer: KMeansClusterer
    labels: Tensor
    arrived: bool = False

    @classmethod
    def cluster(cls, run: RecordedRun, clusterer: KMeansClusterer, *, arrived: bool = False) -> Pipeline:
        """Cluster the embedding from scratch."""
        recipe = run.recipe
        with torch.no_grad():
            embedding = recipe.task.embed(recipe.initial if arrived else run.params, recipe.inputs).to(SCORE_DTYPE)
        labels = torch.from_numpy(clusterer.fit(embedding.numpy(), run.weights.to(SCORE_DTYPE).numpy()))
        return cls(run, replace(clusterer, n_clusters=int(labels.max()) + 1), labels, arrived)

    @property
    def params(self) -> dict[str, Tensor]:
        """Parameters of the model that is shown."""
        return self.run.recipe.initial if self.arrived else self.run.params

    def embed(self, inputs: Tensor, params: dict[str, Tensor] | None = None) -> Tensor:
        """Return float64 embeddings of shape (n, dim), under the shown parameters unless others are given."""
        with torch.no_grad():
            return self.run.recipe.task.embed(self.params if params is None else params, inputs).to(SCORE_DTYPE)

    def loss(self) -> float:
        """Return the weighted loss of the shown model: over all examples, or the mean over the last pass of batches."""
        recipe, weights, params = self.run.recipe, self.run.weights, self.params
        phase = recipe.phases[-1]
        with torch.no_grad():
            if recipe.task.separable and phase.stage.remember is None:
                drawn = recipe.task.augment(recipe.inputs, torch.arange(1, recipe.n_samples + 1))
                return float(phase.stage.loss(params, drawn, weights))
            remember = phase.stage.remember
            memory = None if remember is None else remember(params, recipe.inputs, weights)
            per_pass = max(1, recipe.n_samples // recipe.plan.batch_size)
            losses = []
            for step in range(max(phase.start, phase.stop - per_pass), phase.stop):
                index, inputs = recipe.batch(step)
                remembered = () if memory is None else (memory[index],)
                losses.append(float(phase.stage.loss(params, inputs, weights[index], *remembered)))
        return sum(losses) / len(losses)

    @cached_property
    def embedding(self) -> Tensor:
        """Embeddings of the training examples, shape (n_samples, dim), float64."""
        return self.embed(self.run.recipe.inputs)

    @cached_property
    def state(self) -> CentroidState:
        """Clusters of the shown model at the weights of the fit."""
        return self._state(self.embedding, self.run.weights.to(SCORE_DTYPE), self.labels)

    def _state(self, embedding: Tensor, weights: Tensor, labels: Tensor) -> CentroidState:
        return centroid_state(embedding, weights, labels, self.clusterer.n_clusters)

    def scores(
        self, question: Question, params: dict[str, Tensor], weights: Tensor, *, assignments: str = "reclustered"
    ) -> tuple[Tensor, Tensor]:
        """Evaluate the question under other parameters and weights, clusters matched to this fit.

        Parameters
        ----------
        question : Question
            What is scored.
        params : dict of str to Tensor
            Parameters retrained at `weights`.
        weights : Tensor of shape (n_samples,)
            Data weights.
        assignments : {"reclustered", "frozen"}, default="reclustered"
            "frozen" keeps this fit's labels, which isolates the mathematics. "reclustered" continues k-means from this
            fit's clusters to convergence, which is what really happens.

        Returns
        -------
        scores : Tensor of shape (n_queries,)
            NaN where a cluster of the pair lost all its weight.
        labels : Tensor of shape (n_samples,)
            Labels used.
        """
        labels = self.tracked_labels(params, weights) if assignments == "reclustered" else self.labels
        embedding = self.embed(self.run.recipe.inputs, params)
        state = self._state(embedding, weights.to(SCORE_DTYPE), labels)
        queries = self.embed(question.inputs, params)
        return log_ratio_margin(queries, state, question.own, question.rival), labels

    def standing(self, question: Question) -> Standing:
        """Compare the queries with the members of their clusters."""
        queries = self.embed(question.inputs)
        margins = log_ratio_margin(queries, self.state, question.own, question.rival)
        probabilities = membership_probabilities(queries, self.state)
        nearest, of_train = self._to_runner_up(queries, question.own), self._to_runner_up(self.embedding, self.labels)
        rank = [
            float((of_train[self.labels == own] > margin).double().mean())
            for own, margin in zip(question.own, nearest, strict=True)
        ]
        return Standing(
            margins.numpy(),
            torch.gather(probabilities, 1, torch.stack([question.own, question.rival], dim=1)).numpy(),
            np.array(rank),
            float((of_train >= 0).double().mean()),
        )

    def _to_runner_up(self, embedding: Tensor, own: Tensor) -> Tensor:
        return log_ratio_margin(embedding, self.state, own, runner_up(embedding, self.state, own))

    def tracked_labels(self, params: dict[str, Tensor], weights: Tensor) -> Tensor:
        """Cluster under other parameters and weights, continuing from this fit's clusters so that k stays k.

        Parameters
        ----------
        params : dict of str to Tensor
            Retrained parameters.
        weights : Tensor of shape (n_samples,)
            Data weights.

        Returns
        -------
        Tensor of shape (n_samples,), int64
            Labels.
        """
        weights = weights.to(SCORE_DTYPE)
        embedding = self.embed(self.run.recipe.inputs, params)
        centers = self._state(embedding, weights, self.labels).centers
        return torch.from_numpy(self.clusterer.continue_from(centers.numpy(), embedding.numpy(), weights.numpy()))

    def influence(self, question: Question, method: Unrolled) -> Parts:
        """Differentiate the scores of the question in the data weights, labels frozen.

        The derivative is relative to the weights of the fit: ``-influence[q, i]`` predicts the change of score q if
        example i is removed, whatever its weight was.

        Parameters
        ----------
        question : Question
            What is scored.
        method : Unrolled
            Pulls cotangents on the parameters back to the data weights.

        Returns
        -------
        Parts
            Float64 arrays of shape (n_queries, n_samples).
        """
        on_query, on_embedding, on_weights = self._score_gradients(question)
        encoder = self._pull_queries(question.inputs, on_query)
        cluster = self._pull_embeddings(on_embedding)
        rows = method.pull(torch.cat([encoder, cluster]))
        scale = self.run.weights.to(SCORE_DTYPE)
        encoder_rows, cluster_rows = (rows.to(SCORE_DTYPE) * scale).split(len(question.inputs))
        return Parts(encoder_rows.numpy(), cluster_rows.numpy(), (on_weights * scale).numpy())

    def _score_gradients(self, question: Question) -> tuple[Tensor, Tensor, Tensor]:
        """Differentiate each score in the query's embedding, in all embeddings and in the weights, at the end of the run."""
        queries, embedding = (self.embed(rows, self.run.params) for rows in (question.inputs, self.run.recipe.inputs))
        weights = self.run.weights.to(SCORE_DTYPE)

        def score(z: Tensor, members: Tensor, w: Tensor, own: Tensor, rival: Tensor) -> Tensor:
            return log_ratio_margin(z, self._state(members, w, self.labels), own, rival)

        gradients = vmap(grad(score, argnums=(0, 1, 2)), in_dims=(0, None, None, 0, 0))
        on_query, on_embedding, on_weights = gradients(queries, embedding, weights, question.own, question.rival)
        return on_query, on_embedding, on_weights

    def _pull_queries(self, inputs: Tensor, on_query: Tensor) -> Tensor:
        """Cotangents on the parameters through each query's own embedding, shape (n_queries, n_params)."""
        recipe = self.run.recipe

        def pull_one(row: Tensor, cotangent: Tensor) -> Tensor:
            pull = vjp(lambda params: recipe.task.embed(params, row.unsqueeze(0)).squeeze(0), self.run.params)[1]
            return recipe.layout.join(pull(cotangent)[0])

        # One query at a time: not every network of a user's can be batched over its inputs by vmap.
        pairs = zip(inputs, on_query.to(recipe.dtype), strict=True)
        return torch.stack([pull_one(row, cotangent) for row, cotangent in pairs]).detach()

    def _pull_embeddings(self, on_embedding: Tensor) -> Tensor:
        """Cotangents on the parameters through all training embeddings, shape (n_queries, n_params)."""
        recipe = self.run.recipe
        pull = vjp(lambda params: recipe.task.embed(params, recipe.inputs), self.run.params)[1]
        size = max(1, int(BLOCK_BYTES / (recipe.inputs.numel() * recipe.inputs.element_size())))
        blocks = on_embedding.to(recipe.dtype).split(size)
        pulled = [vmap(lambda cotangent: recipe.layout.join(pull(cotangent)[0]))(block) for block in blocks]
        return torch.cat(pulled).detach()


def pose(pipeline: Pipeline, inputs: Tensor, positions: np.ndarray, against: str | int) -> Question:
    """Fix the pair of clusters of every query.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    inputs : Tensor of shape (n_queries, ...)
        Queries as the model sees them.
    positions : ndarray of shape (n_queries,), int
        Row numbers among the training examples, whose labels are kept; -1 for new rows, which get the nearest cluster.
    against : "runner-up" or int
        The rival cluster.

    Returns
    -------
    Question
        The scores that are asked about.

    Raises
    ------
    InvalidParameterError
        If there is no such rival.
    """
    centers = pipeline.state.centers.numpy()
    alive = np.flatnonzero(np.isfinite(centers).all(axis=1))
    if len(alive) < 2:
        raise InvalidParameterError("There is only one cluster, so no rival to compare with. Fit with n_clusters >= 2.")
    embedding = pipeline.embed(inputs)
    nearest = pipeline.clusterer.predict(centers, embedding.numpy())
    own = torch.from_numpy(np.where(positions >= 0, pipeline.labels.numpy()[positions], nearest))
    if isinstance(against, str) and against == "runner-up":
        return Question(inputs, own, runner_up(embedding, pipeline.state, own))
    if isinstance(against, bool) or not isinstance(against, (int, np.integer)) or against not in alive:
        raise InvalidParameterError(
            f"against={against!r} is not a cluster. Expected 'runner-up' or one of {', '.join(map(str, alive))}."
        )
    if bool((own == against).any()):
        raise InvalidParameterError(
            f"against={against} is the own cluster of a query. Expected another cluster, or 'runner-up'."
        )
    return Question(inputs, own, torch.full_like(own, int(against)))
