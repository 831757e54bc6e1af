"""The one idea of the package: training, clustering and scoring as one function of the data weights.

Give every training example i a weight w_i. Then theta(w) are the trained parameters, Z(w) the embeddings, phi(w) the
clusters and s_q(w) the score of a query q for a fixed pair of clusters. :meth:`Fit.thetas` gives theta(w),
:meth:`Fit.outcome` everything after it, :meth:`Fit.at` both. An influence row is the derivative of this function at the
weights of the fit, a check is the function itself at others.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from clusterexplain.clustering import Clustering, ClusteringFactory, ClusteringSpec, ClusterInputs, make_clustering
from clusterexplain.clustering.scores import Score
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.validation import check_counts
from clusterexplain.execution import Execution
from clusterexplain.fitting.annotations import Annotations
from clusterexplain.fitting.assignment import Assignment, with_absent
from clusterexplain.fitting.config import Config
from clusterexplain.fitting.outcome import diverged, outcome_of, pair_of
from clusterexplain.influence.jacobian import TrainingJacobian
from clusterexplain.influence.registry import JacobianFactory, make_jacobian
from clusterexplain.models.registry import OF_COUNTS
from clusterexplain.results.margins import Margins
from clusterexplain.results.outcome import Assignments, Outcome
from clusterexplain.training import Recipe, Trajectory, retrain_many
from clusterexplain.training.further_training import FurtherTraining
from clusterexplain.training.trajectory import checkpoint_spacing, train

SCORE_DTYPE = torch.float64


@dataclass(frozen=True, eq=False)
class Fit:
    """A fit: data, a recorded training, its clustering and a score; it stays what it was, whatever is fitted later.

    Parameters
    ----------
    data : Dataset
        Training data.
    scaling : Scaling
        Of its columns.
    config : Config
        What was fitted, resolved.
    seed : int
        Root seed.
    trajectory : Trajectory
        The recorded training.
    clustering : Clustering
        Clusters of the embedding that is shown; discrete choices are kept in derivatives.
    score : Score
        How firmly a sample sits in a cluster.
    execution : Execution
        Workers, memory and progress bars; results do not depend on it.
    key : str
        Names data, seed and recipe; a refit has that of its fit.
    pretrained : bool, default=False
        The model is pretrained and the trajectory is further training from its weights. Clusters, margins and embeddings that
        are shown are those of the pretrained model; derivatives and retrained scores are those after further training.
    further : FurtherTraining or None
        What further training was chosen, for a pretrained model and its refits.
    annotations : Annotations
        What was learned about the fit since.
    own_clusterer : ClusteringFactory or None
        The user's own function that clusters, where the configuration names no clusterer.
    """

    data: Dataset
    scaling: Scaling
    config: Config
    seed: int
    trajectory: Trajectory
    clustering: Clustering
    score: Score
    execution: Execution
    key: str
    pretrained: bool = False
    further: FurtherTraining | None = None
    annotations: Annotations = field(default_factory=Annotations)
    own_clusterer: ClusteringFactory | None = None
    _jacobians: list[tuple[object, str, TrainingJacobian]] = field(default_factory=list, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what is computed again: influence methods with their traces, which no pickle can hold."""
        return self.__dict__ | {"_jacobians": []}

    @property
    def recipe(self) -> Recipe:
        """What was trained."""
        return self.trajectory.recipe

    @property
    def params(self) -> dict[str, Tensor]:
        """Parameters of the model that is shown."""
        return self.recipe.initial if self.pretrained else self.trajectory.params

    @cached_property
    def weights(self) -> Tensor:
        """Data weights of the fit, shape (n_samples,), float64."""
        return self.trajectory.weights.to(SCORE_DTYPE)

    @cached_property
    def embedding(self) -> Tensor:
        """Embeddings of the training examples, shape (n_samples, dim), float64."""
        return self.embed(self.recipe.inputs)

    @cached_property
    def assignment(self) -> Assignment:
        """Clusters, margins and runner-ups at the embedding that is shown."""
        embedding = self.clustering.normalize(self.embedding)
        with torch.no_grad():
            inputs = ClusterInputs(embedding, self.weights, learned_centroids(self.recipe, self.params))
            state = self.clustering.values(inputs)
        return Assignment(self.clustering, self.score, embedding, self.weights, state)

    def inputs_of(self, rows: np.ndarray) -> Tensor:
        """Return rows of shape (n, n_features), as the user gave them, as the network sees them; refuse what are no counts."""
        if self.config.model in OF_COUNTS:
            check_counts(rows, range(len(rows)), model=self.config.model)
        return self.scaling.to_tensor(rows, self.recipe.dtype)

    def query_inputs(self, margins: Margins) -> Tensor:
        """Return the samples of some margins as the network sees them, shape (n_pairs, ...)."""
        if (margins.positions >= 0).all():
            return self.recipe.inputs[margins.positions]
        return self.inputs_of(margins.rows)

    def embed(self, inputs: Tensor, params: dict[str, Tensor] | None = None) -> Tensor:
        """Return float64 embeddings of shape (n, dim), under the shown parameters unless others are given."""
        with torch.no_grad():
            return self.recipe.task.embed(self.params if params is None else params, inputs).to(SCORE_DTYPE)

    def embed_normalized(self, inputs: Tensor) -> Tensor:
        """Return embeddings under the shown parameters in the geometry of the clustering, shape (n, dim)."""
        return self.clustering.normalize(self.embed(inputs))

    @cached_property
    def loss(self) -> float:
        """The weighted loss of the shown model: over all examples, or the mean over the last pass of batches."""
        recipe, weights, params = self.recipe, self.trajectory.weights, self.params
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

    def margins(self, pairs: Margins) -> Tensor:
        """Return the margin of each sample under the shown model, shape (n_pairs,), before any combination."""
        own, runner_up = pair_of(pairs)
        with torch.no_grad():
            rows = self.embed_normalized(self.query_inputs(pairs))
            return self.score.margins(rows, self.assignment.state, own, runner_up, noise=pairs.has_noise)

    # theta(w): by retraining.

    def thetas(
        self,
        weights: np.ndarray,
        *,
        recipe: Recipe | None = None,
        chunk: int | None = None,
        done: Callable[[int, Tensor], None] | None = None,
    ) -> Tensor:
        """Train the recipe again at other data weights, with the same randomness.

        Parameters
        ----------
        weights : ndarray of shape (n, n_samples)
            Data weights; an example of weight 0 keeps its place in the batch plan.
        recipe : Recipe, optional
            Another recipe than that of the fit: another seed, or further training.
        chunk : int, optional
            Trainings that run side by side; their last bits depend on it.
        done : callable, optional
            Called with the number of each chunk and its parameters as soon as they are there.

        Returns
        -------
        Tensor of shape (n, n_params)
            Trained parameters, flat in the order of the recipe's layout.
        """
        recipe = self.recipe if recipe is None else recipe
        rows = torch.from_numpy(np.atleast_2d(weights)).to(recipe.dtype)
        return retrain_many(recipe, rows, chunk=chunk, done=done, execution=self.execution)

    def record(self, weights: np.ndarray, *, recipe: Recipe | None = None) -> Trajectory:
        """Train once at data weights of shape (n_samples,) and record the training, so that it can be differentiated."""
        recipe = self.recipe if recipe is None else recipe
        spacing = checkpoint_spacing(recipe, self.execution)
        return train(recipe, self.to_weights(weights), spacing=spacing, execution=self.execution)

    def to_weights(self, weights: np.ndarray) -> Tensor:
        """Return data weights of shape (n_samples,) as the training sees them."""
        return torch.from_numpy(np.ascontiguousarray(weights)).to(self.recipe.dtype)

    def refit(self, weights: np.ndarray) -> Fit:
        """Return the fit at other data weights of shape (n_samples,), clustering continued, recorded like this one."""
        trajectory = self.record(weights)
        inputs = self.cluster_inputs(trajectory.params, trajectory.weights)
        with torch.no_grad():
            clustering = self.continued(inputs)
        kept = self.annotations.given()
        return dataclasses.replace(
            self, trajectory=trajectory, clustering=clustering, pretrained=False, annotations=kept, _jacobians=[]
        )

    # Everything after theta, evaluated and not linearised.

    def cluster_inputs(self, params: dict[str, Tensor], weights: Tensor) -> ClusterInputs:
        """Return what clusters are a function of at some parameters and weights, in the geometry of the clustering."""
        embedding = self.clustering.normalize(self.embed(self.recipe.inputs, params))
        return ClusterInputs(embedding, weights.to(SCORE_DTYPE), learned_centroids(self.recipe, params))

    def outcome(
        self, theta: Tensor, weights: np.ndarray, margins: Margins, *, assignments: str = "continued", seed: int = 0
    ) -> Outcome:
        """Embed, cluster and score at other parameters and data weights.

        Parameters
        ----------
        theta : Tensor of shape (n_params,)
            Parameters, flat: a row of :meth:`thetas`.
        weights : ndarray of shape (n_samples,)
            Data weights.
        margins : Margins
            What is scored, in the cluster numbers of this fit.
        assignments : {"kept", "continued", "scratch"}, default="continued"
            What happens to the labels, see :class:`Assignments`.
        seed : int, default=0
            Seed of the initialisations; for "scratch" alone.

        Returns
        -------
        Outcome
            Labels, scores and what became of the clusters, in the numbers of this fit.
        """
        return self.outcomes(theta, weights, margins, (assignments,), seed=seed)[Assignments(assignments)]

    def outcomes(
        self, theta: Tensor, weights: np.ndarray, margins: Margins, assignments: tuple[str, ...], *, seed: int = 0
    ) -> dict[str, Outcome]:
        """Return :meth:`outcome` for several assignments of one embedding."""
        names = [Assignments(name) for name in assignments]
        if not bool(torch.isfinite(theta).all()):
            return {name: diverged(name, self.clustering.labels.numpy(), margins) for name in names}
        params = self.recipe.layout.split(theta)
        inputs = self.cluster_inputs(params, self.to_weights(weights))
        embedded = self.embed(self.query_inputs(margins), params)
        return {name: outcome_of(self, name, inputs, embedded, margins, seed) for name in names}

    def at(self, weights: np.ndarray, margins: Margins, *, assignments: str = "continued", seed: int = 0) -> Outcome:
        """Return the fit at other data weights: trained again, embedded, clustered and scored; see :meth:`outcome`."""
        return self.outcome(self.thetas(weights)[0], weights, margins, assignments=assignments, seed=seed)

    def cluster_from_scratch(self, inputs: ClusterInputs, seed: int) -> Clustering:
        """Cluster embeddings from scratch, in numbers of its own; where :attr:`can_cluster_again`.

        Parameters
        ----------
        inputs : ClusterInputs
            From :meth:`cluster_inputs`.
        seed : int
            Seed of the initialisations.
        """
        assert self.can_cluster_again, "labels that were given cannot be found again"
        spec = ClusteringSpec(self.config.n_clusters, seed, dict(self.config.clusterer_options or {}))
        clusterer = self.own_clusterer if self.config.clusterer is None else self.config.clusterer
        return self._with_absent(make_clustering(clusterer, inputs, spec), inputs)

    def continued(self, inputs: ClusterInputs) -> Clustering:
        """Return the clustering continued at other embeddings and weights, from :meth:`cluster_inputs`."""
        return self._with_absent(self.clustering.update_continued(inputs), inputs)

    def _with_absent(self, found: Clustering, inputs: ClusterInputs) -> Clustering:
        """Return found clusters with absent rows by score, where labels are found anew by no rule that says where they are."""
        anew = self.clustering.reassigns and self.clustering.assigns_by_score
        return with_absent(found, self.score, inputs) if anew else found

    @property
    def can_cluster_again(self) -> bool:
        """Whether the clusters can be found from scratch: False for labels that were given."""
        return self.config.clusterer is not None or self.own_clusterer is not None

    def jacobian(
        self, method: str | TrainingJacobian | JacobianFactory = "auto", options: dict[str, Any] | None = None
    ) -> TrainingJacobian:
        """Return d theta / d w by an influence method; what it has computed is kept for the next question.

        Parameters
        ----------
        method : str, TrainingJacobian, or callable ``Trajectory -> TrainingJacobian``, default="auto"
            See :func:`clusterexplain.influence.registry.make_jacobian`.
        options : dict, optional
            Of the method.
        """
        key = repr(sorted((options or {}).items()))
        for asked, with_options, known in self._jacobians:
            same = asked == method if isinstance(method, str) else asked is method
            if same and with_options == key:
                return known
        jacobian = make_jacobian(
            method,
            options,
            self.trajectory,
            further="" if self.further is None else str(self.further),
            execution=self.execution,
        )
        self._jacobians.append((method, key, jacobian))
        return jacobian


def learned_centroids(recipe: Recipe, params: dict[str, Tensor]) -> Tensor | None:
    """Return the centroids that are parameters of the model, float64, or None if it has none."""
    centroids = recipe.task.cluster_centers(params)
    return None if centroids is None else centroids.to(SCORE_DTYPE)
