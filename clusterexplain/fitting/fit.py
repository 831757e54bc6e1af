"""The one idea of the package: training, clustering and scoring as one function of the data weights.

Give every training example i a weight w_i. Then theta(w) are the trained parameters, Z(w) the embeddings, phi(w) the
clusters and s_q(w) the score of a query q for a fixed pair of clusters. :meth:`Pipeline.influence` differentiates this
function at the weights of the fit; :meth:`Pipeline.scores` evaluates it at any other weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.func import grad, vjp, vmap

from clusterexplain.clustering import Clustering, centroid_state
from clusterexplain.clustering.scores import NOISE, Score
from clusterexplain.execution.budget import COTANGENT_BLOCK_BYTES
from clusterexplain.influence import Method
from clusterexplain.statistics.matching import match, renumbered
from clusterexplain.training import Trajectory

SCORE_DTYPE = torch.float64
QUERY_BLOCK = 512
"""Queries of a combination of scores that are differentiated at a time: the distances of all to all exemplars are large."""

FindClusters = Callable[[Tensor, Tensor, Tensor | None], Clustering]


@dataclass(frozen=True, eq=False)
class Question:
    """Scores that are asked about: samples, each with its own cluster and the rival.

    Parameters
    ----------
    inputs : Tensor of shape (n_queries, ...)
        Queries as the model sees them.
    own, rival : Tensor of shape (n_queries,), int64
        The fixed pair of clusters of each query; one of the two may be -1, noise.
    mix : Tensor of shape (n_scores, n_queries), float64, optional
        Linear combinations of the queries' scores that are asked about instead of each (the mean over a cluster's members):
        the influence on one of them costs as much as that on one query.
    """

    inputs: Tensor
    own: Tensor
    rival: Tensor
    mix: Tensor | None = None

    @property
    def noise(self) -> bool:
        """Whether noise is part of any pair."""
        return bool((self.own == NOISE).any() or (self.rival == NOISE).any())

    def mixed(self, each: Tensor) -> Tensor:
        """Return what is asked about, shape (n_scores,), from the score of each query: the combinations, if there are any.

        A score that is not part of a combination does not make it NaN.
        """
        return each if self.mix is None else torch.where(self.mix != 0, self.mix * each, 0.0).sum(dim=1)


@dataclass(frozen=True, eq=False)
class InfluenceComponents:
    """Influence of every training example on every score, in three parts that sum to the total.

    Attributes
    ----------
    encoder : ndarray of shape (n_scores, n_samples)
        Through the network: the query's own embedding moved.
    cluster : ndarray of shape (n_scores, n_samples)
        Through the network: the clusters moved because their members' embeddings (or learned centroids) moved.
    direct : ndarray of shape (n_scores, n_samples)
        The example's own weight in its cluster.
    """

    encoder: np.ndarray
    cluster: np.ndarray
    direct: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The sum of the three, shape (n_scores, n_samples)."""
        return self.encoder + self.cluster + self.direct


class _End(NamedTuple):
    """What a score is a function of at the end of the run: embeddings, weights and learned centroids."""

    embedding: Tensor
    weights: Tensor
    learned: Tensor | None


class _Cotangents(NamedTuple):
    """Derivatives of scores in the queries' embeddings, all embeddings, the weights and the learned centroids."""

    queries: Tensor
    embedding: Tensor
    weights: Tensor
    learned: Tensor | None


@dataclass(frozen=True, eq=False)
class MembershipSummary:
    """How firmly each query sits in its cluster.

    Attributes
    ----------
    margins : ndarray of shape (n_queries,)
        Scores against the rival.
    probabilities : ndarray of shape (n_queries, 2)
        Soft membership in the own cluster and in the rival; where noise is one of the two, of the two alone.
    rank : ndarray of shape (n_queries,)
        Share of the own cluster's members (of the noise, for noise) whose margin to their runner-up is larger.
    """

    margins: np.ndarray
    probabilities: np.ndarray
    rank: np.ndarray


@dataclass(frozen=True, eq=False)
class Pipeline:
    """A fitted pipeline: a recorded training, its clustering and a score.

    Parameters
    ----------
    run : Trajectory
        The training.
    clustering : Clustering
        Clusters of the shown model's embedding; discrete choices are frozen in derivatives.
    score : Score
        How firmly a sample sits in a cluster.
    arrived : bool, default=False
        The model is pretrained and the run is further training from its weights. Clusters, margins and embeddings that
        are shown are those of the model as it arrived; derivatives and retrained scores are those of the further run.
    """

    run: Trajectory
    clustering: Clustering
    score: Score
    pretrained: bool = False

    @classmethod
    def cluster(
        cls, run: Trajectory, find: FindClusters, score_of: Callable[[Clustering], Score], *, pretrained: bool = False
    ) -> Pipeline:
        """Cluster the embedding.

        Parameters
        ----------
        run : Trajectory
            The training.
        find : callable
            ``(embedding, weights, learned) -> Clustering``.
        score_of : callable
            The score for a clustering.
        arrived : bool, default=False
            See the class.

        Returns
        -------
        Pipeline
            Fitted.
        """
        recipe = run.recipe
        params = recipe.initial if pretrained else run.params
        with torch.no_grad():
            embedding = recipe.task.embed(params, recipe.inputs).to(SCORE_DTYPE)
            found = find(embedding, run.weights.to(SCORE_DTYPE), _learned(recipe.task, params))
        return cls(run, found, score_of(found), pretrained)

    @property
    def labels(self) -> Tensor:
        """Cluster of each training example, shape (n_samples,), int64; -1 is noise."""
        return self.clustering.labels

    @property
    def n_clusters(self) -> int:
        """Number of clusters, empty ones included."""
        return self.clustering.n_clusters

    @property
    def params(self) -> dict[str, Tensor]:
        """Parameters of the model that is shown."""
        return self.run.recipe.initial if self.pretrained else self.run.params

    @cached_property
    def weights(self) -> Tensor:
        """Data weights of the fit, shape (n_samples,), float64."""
        return self.run.weights.to(SCORE_DTYPE)

    def embed(self, inputs: Tensor, params: dict[str, Tensor] | None = None) -> Tensor:
        """Return float64 embeddings of shape (n, dim), under the shown parameters unless others are given."""
        with torch.no_grad():
            return self.run.recipe.task.embed(self.params if params is None else params, inputs).to(SCORE_DTYPE)

    def embed_normalized(self, inputs: Tensor) -> Tensor:
        """Return embeddings under the shown parameters in the geometry of the clustering, shape (n, dim)."""
        return self.clustering.normalize(self.embed(inputs))

    def loss(self) -> float:
        """Return the weighted loss of the shown model: over all examples, or the mean over the last pass of batches."""
        recipe, weights, params = self.run.recipe, self.run.weights, self.params
        planned = recipe.planned_stages[-1]
        with torch.no_grad():
            if recipe.task.separable and planned.stage.memory is None:
                drawn = recipe.task.augment(recipe.inputs, torch.arange(1, recipe.n_samples + 1))
                return float(planned.stage.loss(params, drawn, weights))
            memory_of = planned.stage.memory
            memory = None if memory_of is None else memory_of(params, recipe.inputs, weights)
            per_pass = max(1, recipe.n_samples // recipe.plan.batch_size)
            losses = []
            for step in range(max(planned.start, planned.stop - per_pass), planned.stop):
                index, inputs = recipe.batch(step)
                remembered = () if memory is None else (memory[index],)
                losses.append(float(planned.stage.loss(params, inputs, weights[index], *remembered)))
        return sum(losses) / len(losses)

    @cached_property
    def embedding(self) -> Tensor:
        """Embeddings of the training examples, shape (n_samples, dim), float64."""
        return self.embed(self.run.recipe.inputs)

    @cached_property
    def normalized_embedding(self) -> Tensor:
        """Embeddings of the training examples in the geometry of the clustering, shape (n_samples, dim)."""
        return self.clustering.normalize(self.embedding)

    @cached_property
    def state(self) -> Any:
        """Clusters of the shown model at the weights of the fit."""
        with torch.no_grad():
            return self.clustering.values(
                self.normalized_embedding, self.weights, _learned(self.run.recipe.task, self.params)
            )

    @cached_property
    def centers(self) -> np.ndarray:
        """One point for each cluster, shape (n_clusters, dim): its centroid or mean; NaN for a cluster without weight."""
        state = self.state
        centers = getattr(state, "centers", getattr(state, "means", None))
        if centers is None:
            centers = centroid_state(self.normalized_embedding, self.weights, self.labels, self.n_clusters).centers
        return np.where(state.nonempty.numpy()[:, None], centers.numpy(), np.nan)

    def assign(self, inputs: Tensor) -> Tensor:
        """Return the cluster of each row that was not trained on, shape (n,), int64; -1 is noise."""
        with torch.no_grad():
            return self.clustering.assign(self.embed_normalized(inputs), self.state)

    def _end(self, params: dict[str, Tensor], weights: Tensor) -> _End:
        """Return what the clusters are a function of: embeddings as the model gives them, not yet viewed."""
        embedding = self.embed(self.run.recipe.inputs, params)
        return _End(embedding, weights.to(SCORE_DTYPE), _learned(self.run.recipe.task, params))

    def _normalized(self, end: _End) -> _End:
        return end._replace(embedding=self.clustering.normalize(end.embedding))

    def scores(
        self, question: Question, params: dict[str, Tensor], weights: Tensor, *, assignments: str = "continued"
    ) -> tuple[Tensor, Callable[[np.ndarray], np.ndarray]]:
        """Evaluate the question under other parameters and weights, clusters matched to this fit.

        Parameters
        ----------
        question : Question
            What is scored.
        params : dict of str to Tensor
            Parameters retrained at `weights`.
        weights : Tensor of shape (n_samples,)
            Data weights.
        assignments : {"continued", "kept"}, default="continued"
            "kept" keeps this fit's discrete choices, which isolates the mathematics. "continued" makes them anew,
            continuing from this fit's clusters, which is what really happens.

        Returns
        -------
        scores : Tensor of shape (n_queries,)
            NaN where a cluster of the pair lost all its weight; shape (n_scores,) for a question with a mix.
        landed : callable
            From row numbers in the training data, -1 for rows that are not in it, to the clusters that the queries end in:
            the labels of the re-clustering for rows that have weight, the assignment of new rows for the others.
        """
        with torch.no_grad():
            end = self._normalized(self._end(params, weights))
            scored, found, queries, state = self._scored(
                question, end, self.embed(question.inputs, params), assignments
            )

        def landed(positions: np.ndarray) -> np.ndarray:
            where = torch.from_numpy(np.maximum(positions, 0))
            known = torch.from_numpy(positions >= 0) & (end.weights[where] > 0)
            return torch.where(known, found.labels[where], found.assign(queries, state)).numpy()

        return scored, landed

    def _scored(
        self, question: Question, end: _End, embedded: Tensor, assignments: str
    ) -> tuple[Tensor, Clustering, Tensor, Any]:
        """Return the scores at the end of a training, and the clustering, the queries' view and the state behind them."""
        found = (self.clustering.update_kept if assignments == "kept" else self.clustering.update_continued)(*end)
        queries, state = found.normalize(embedded), found.values(*end)
        each = self.score.margins(queries, state, question.own, question.rival, noise=question.noise)
        return question.mixed(each), found, queries, state

    def rescored(
        self, question: Question, params: dict[str, Tensor], weights: Tensor
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Evaluate the question under either assignment, and say where the training examples end.

        Parameters
        ----------
        question, params, weights
            As for :meth:`scores`.

        Returns
        -------
        scores : dict of str to ndarray of shape (n_queries,)
            By assignments, as :meth:`scores` gives them.
        labels : ndarray of shape (n_samples,), int
            After re-clustering, in this fit's numbers.
        """
        found: dict[str, np.ndarray] = {}
        with torch.no_grad():
            end, embedded = self._normalized(self._end(params, weights)), self.embed(question.inputs, params)
            for name in ("kept", "continued") if self.clustering.reassigns else ("kept",):
                scored, clustering, *_ = self._scored(question, end, embedded, name)
                found[name] = scored.numpy()
        return {"continued": found["kept"], **found}, clustering.labels.numpy()

    def from_scratch(
        self, question: Question, params: dict[str, Tensor], weights: Tensor, *, seed: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Evaluate the question after clustering from scratch; only for clusterings that `has_random_init`.

        Parameters
        ----------
        question, params, weights
            As for :meth:`scores`.
        seed : int
            Seed of the initialisations.

        Returns
        -------
        scores : ndarray of shape (n_queries,)
            Between the clusters that share most weight with the pair, matched one to one; NaN where one has no partner.
        labels : ndarray of shape (n_samples,), int
            In this fit's numbers as far as clusters have partners, see :func:`renumbered`.
        """
        with torch.no_grad():
            end = self._normalized(self._end(params, weights))
            found = self.clustering.from_scratch(end.embedding, end.weights, seed=seed)
            before, after, there = self.labels.numpy(), found.labels.numpy(), end.weights.numpy()
            partners = torch.full((self.n_clusters,), -1)  # a component of a mixture can be nobody's largest
            matched = match(before, after, there)
            partners[: len(matched)] = torch.from_numpy(matched)
            own, rival = partners[question.own], partners[question.rival]
            queries, state = found.normalize(self.embed(question.inputs, params)), found.values(*end)
            each = self.score.margins(queries, state, own.clamp(min=0), rival.clamp(min=0), noise=False)
            each = each.masked_fill((own < 0) | (rival < 0), torch.nan)
            return question.mixed(each).numpy(), renumbered(before, after, there)

    def margins(self, question: Question) -> Tensor:
        """Return the scores of the queries under the shown model, shape (n_queries,), before any mix."""
        with torch.no_grad():
            queries = self.embed_normalized(question.inputs)
            return self.score.margins(queries, self.state, question.own, question.rival, noise=question.noise)

    def membership_summary(self, question: Question) -> MembershipSummary:
        """Compare the queries with the members of their clusters."""
        queries, own, rival = self.embed_normalized(question.inputs), question.own, question.rival
        with torch.no_grad():
            margins = self.margins(question)
            membership = self.score.membership(queries, self.state)
            pair = torch.gather(membership, 1, torch.stack([own, rival], dim=1).clamp(min=0))
            contest = torch.stack([torch.sigmoid(margins), torch.sigmoid(-margins)], dim=1)
            with_noise = (own == NOISE) | (rival == NOISE)
            nearest = self.to_runner_up(queries, own)
        of_train = self.train_margins
        present = self.weights > 0
        rank = [
            _share(of_train[present & (self.labels == one)] > margin) for one, margin in zip(own, nearest, strict=True)
        ]
        return MembershipSummary(
            margins.numpy(), torch.where(with_noise.unsqueeze(1), contest, pair).numpy(), np.array(rank)
        )

    @cached_property
    def train_margins(self) -> Tensor:
        """Margin of each training example against its runner-up, shape (n_samples,)."""
        with torch.no_grad():
            return self.to_runner_up(self.normalized_embedding, self.labels)

    def to_runner_up(self, rows: Tensor, own: Tensor) -> Tensor:
        """Return the margins of viewed rows against the runner-up of each, shape (n,)."""
        noise = bool((own == NOISE).any())
        if not self.n_clusters:
            return torch.full((len(rows),), torch.nan, dtype=SCORE_DTYPE)
        return self.score.margins(rows, self.state, own, self.rivals(rows, own), noise=noise or self.single_cluster)

    def rivals(self, rows: Tensor, own: Tensor) -> Tensor:
        """Return the runner-up of viewed rows, shape (n,); noise, where there is no other cluster."""
        found = self.score.runner_up(rows, self.state, own)
        return torch.where(own == NOISE, found, torch.full_like(found, NOISE)) if self.single_cluster else found

    @property
    def single_cluster(self) -> bool:
        """Whether there is one living cluster only."""
        return int(self.state.nonempty.sum()) == 1

    def agreement(self) -> float:
        """Return the share of the present, clustered training examples whose own cluster has the largest evidence."""
        if not self.n_clusters:
            return float("nan")
        rows, own = self._present(self.labels != NOISE)
        with torch.no_grad():
            logits = self.score.logits(rows, self.state).masked_fill(~self.state.nonempty, -torch.inf)
        return _share(torch.gather(logits, 1, own.unsqueeze(1)).squeeze(1) >= logits.amax(dim=1))

    def agreement_of_noise(self) -> float:
        """Return the share of the present noise that lies outside the edge of every cluster; NaN if there is none."""
        return _share(self.train_margins[(self.weights > 0) & (self.labels == NOISE)] >= 0)

    def agreement_on_edges(self) -> float:
        """Return the share of the present, clustered training examples that lie inside the edge of their own cluster."""
        rows, own = self._present(self.labels != NOISE)
        with torch.no_grad():
            inside = self.score.boundary_margins(rows, self.state)
        return _share(torch.gather(inside, 1, own.unsqueeze(1)).squeeze(1) >= 0)

    def _present(self, which: Tensor) -> tuple[Tensor, Tensor]:
        picked = (self.weights > 0) & which
        return self.normalized_embedding[picked], self.labels[picked]

    def tracked(self, params: dict[str, Tensor], weights: Tensor) -> Clustering:
        """Cluster under other parameters and weights, continuing from this fit's clusters so that k stays k.

        Parameters
        ----------
        params : dict of str to Tensor
            Retrained parameters.
        weights : Tensor of shape (n_samples,)
            Data weights.

        Returns
        -------
        Clustering
            Settled there.
        """
        with torch.no_grad():
            return self.clustering.update_continued(*self._normalized(self._end(params, weights)))

    def settled(self, params: dict[str, Tensor], weights: Tensor) -> Clustering:
        """Return this fit's clustering under other parameters, its discrete choices kept; arguments as :meth:`tracked`."""
        with torch.no_grad():
            return self.clustering.update_kept(*self._normalized(self._end(params, weights)))

    def influence(self, question: Question, method: Method) -> InfluenceComponents:
        """Differentiate the scores of the question in the data weights, discrete choices frozen.

        The derivative is relative to the weights of the fit: ``-influence[q, i]`` predicts the change of score q if
        example i is removed, whatever its weight was.

        Parameters
        ----------
        question : Question
            What is scored.
        method : Method
            Pulls cotangents on the parameters back to the data weights.

        Returns
        -------
        Parts
            Float64 arrays of shape (n_scores, n_samples).
        """
        encoder, cluster, direct = self._cotangents(question)
        rows = method.pull(torch.cat([encoder, cluster])).to(SCORE_DTYPE) * self.weights
        encoder_rows, cluster_rows = rows.split(len(encoder))
        return InfluenceComponents(encoder_rows.numpy(), cluster_rows.numpy(), (direct * self.weights).numpy())

    def cotangents(self, question: Question) -> Tensor:
        """Return the derivatives of the scores in the trained parameters, through queries and clusters together.

        Parameters
        ----------
        question : Question
            What is scored.

        Returns
        -------
        Tensor of shape (n_scores, n_params)
            Flat, in the order of the recipe's layout.
        """
        encoder, cluster, _ = self._cotangents(question)
        return encoder + cluster

    def total_influence(self, question: Question, method: Method) -> np.ndarray:
        """Return the sum of the three parts of :meth:`influence`, shape (n_scores, n_samples), at half its cost."""
        encoder, cluster, direct = self._cotangents(question)
        return ((method.pull(encoder + cluster).to(SCORE_DTYPE) + direct) * self.weights).numpy()

    def _cotangents(self, question: Question) -> tuple[Tensor, Tensor, Tensor]:
        """Return cotangents on the parameters through the queries and through the clusters, and the direct derivative."""
        end = self._end(self.run.params, self.run.weights)
        with torch.no_grad():
            clustering = self.clustering.update_kept(*self._normalized(end)) if self.pretrained else self.clustering
        queries = self.embed(question.inputs, self.run.params)
        scored = _Scored(clustering, self.score, question)
        if question.mix is None:
            found = scored.gradients(queries, end)
            encoder = self._pull_queries(question.inputs, found.queries)
        else:
            found = scored.mixed_gradients(queries, end, question.mix)
            encoder = self._pull_embeddings(question.inputs, found.queries)
        cluster = self._pull_embeddings(self.run.recipe.inputs, found.embedding)
        if found.learned is not None:
            cluster = cluster + self._pull_learned(found.learned)
        return encoder, cluster, found.weights

    def _pull_queries(self, inputs: Tensor, on_query: Tensor) -> Tensor:
        """Cotangents on the parameters through each query's own embedding, shape (n_queries, n_params)."""
        recipe = self.run.recipe

        def pull_one(row: Tensor, cotangent: Tensor) -> Tensor:
            pull = vjp(lambda params: recipe.task.embed(params, row.unsqueeze(0)).squeeze(0), self.run.params)[1]
            return recipe.layout.join(pull(cotangent)[0])

        # One query at a time: not every network of a user's can be batched over its inputs by vmap.
        pairs = zip(inputs, on_query.to(recipe.dtype), strict=True)
        return torch.stack([pull_one(row, cotangent) for row, cotangent in pairs]).detach()

    def _pull_embeddings(self, inputs: Tensor, on_embedding: Tensor) -> Tensor:
        """Cotangents on the parameters through the embeddings of all `inputs`, shape (n_scores, n_params)."""
        recipe = self.run.recipe
        pull = vjp(lambda params: recipe.task.embed(params, inputs), self.run.params)[1]
        size = max(1, int(COTANGENT_BLOCK_BYTES / (inputs.numel() * inputs.element_size())))
        blocks = on_embedding.to(recipe.dtype).split(size)
        pulled = [vmap(lambda cotangent: recipe.layout.join(pull(cotangent)[0]))(block) for block in blocks]
        return torch.cat(pulled).detach()

    def _pull_learned(self, on_learned: Tensor) -> Tensor:
        """Cotangents on the parameters through the learned centroids, shape (n_scores, n_params)."""
        recipe = self.run.recipe
        pull = vjp(lambda params: recipe.task.cluster_centers(params), self.run.params)[1]
        return vmap(lambda cotangent: recipe.layout.join(pull(cotangent)[0]))(on_learned.to(recipe.dtype)).detach()


@dataclass(frozen=True, eq=False)
class _Scored:
    """The scores of a question as a function of embeddings, weights and learned centroids, and their gradients."""

    clustering: Clustering
    score: Score
    question: Question

    def gradients(self, queries: Tensor, end: _End) -> _Cotangents:
        """Differentiate each score, leading dimension n_queries; `queries` of shape (n_queries, dim) are unviewed."""
        question, noise = self.question, self.question.noise

        def one(z: Tensor, members: Tensor, w: Tensor, learned: Tensor | None, own: Tensor, rival: Tensor) -> Tensor:
            state = self._state(members, w, learned)
            return self.score.margins(self.clustering.normalize(z), state, own, rival, noise=noise)

        argnums = (0, 1, 2) if end.learned is None else (0, 1, 2, 3)
        pulled = vmap(grad(one, argnums=argnums), in_dims=(0, None, None, None, 0, 0), chunk_size=self._chunk(end))
        return _cotangents(pulled(queries, *end, question.own, question.rival))

    def mixed_gradients(self, queries: Tensor, end: _End, mix: Tensor) -> _Cotangents:
        """Differentiate linear combinations of the scores, leading dimension n_scores, a block of queries at a time."""
        question = self.question
        columns = (queries, question.own, question.rival, mix.T)
        blocks = [
            self._mixed_block(end, *block) for block in zip(*(one.split(QUERY_BLOCK) for one in columns), strict=True)
        ]
        on_queries, on_embedding, on_weights, on_learned = zip(*blocks, strict=True)
        learned = None if end.learned is None else sum(on_learned)
        return _Cotangents(torch.cat(on_queries, dim=1), sum(on_embedding), sum(on_weights), learned)

    def _mixed_block(self, end: _End, queries: Tensor, own: Tensor, rival: Tensor, columns: Tensor) -> _Cotangents:
        noise = self.question.noise

        def scores(z: Tensor, members: Tensor, w: Tensor, learned: Tensor | None = None) -> Tensor:
            return self.score.margins(
                self.clustering.normalize(z), self._state(members, w, learned), own, rival, noise=noise
            )

        primals = (queries, *end) if end.learned is not None else (queries, *end[:2])
        return _cotangents(vmap(vjp(scores, *primals)[1], chunk_size=self._chunk(end))(columns.T))

    def _state(self, members: Tensor, weights: Tensor, learned: Tensor | None) -> Any:
        return self.clustering.state(self.clustering.normalize(members), weights, learned)

    @staticmethod
    def _chunk(end: _End) -> int:
        """Return how many scores are differentiated side by side: a mixture keeps n x dim x dim numbers for each."""
        n, dim = end.embedding.shape
        return max(1, int(COTANGENT_BLOCK_BYTES / (n * dim * max(dim, 8) * 8)))


def _cotangents(gradients: tuple[Tensor, ...]) -> _Cotangents:
    queries, embedding, weights, *learned = (one.detach() for one in gradients)
    return _Cotangents(queries, embedding, weights, learned[0] if learned else None)


def _share(agreeing: Tensor) -> float:
    return float(agreeing.double().mean())


def _learned(task: Any, params: dict[str, Tensor]) -> Tensor | None:
    centers = task.cluster_centers(params)
    return None if centers is None else centers.to(SCORE_DTYPE)
