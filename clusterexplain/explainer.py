"""ClusterExplainer: train, cluster, explain and check, behind scikit-learn's interface."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from clusterexplain import settings
from clusterexplain.clustering import KMeansClusterer
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.validation import as_matrix, check_sample_weight, check_variation
from clusterexplain.exceptions import FewerClustersWarning, InvalidDataError, InvalidParameterError
from clusterexplain.explanation import Explanation
from clusterexplain.fitting import check_method, make_recipe
from clusterexplain.influence import Unrolled
from clusterexplain.membership import membership_probabilities
from clusterexplain.models import EmbeddingTask
from clusterexplain.pipeline import Parts, Pipeline, Question, pose
from clusterexplain.queries import Queries, resolve
from clusterexplain.training import Recipe
from clusterexplain.training.further import FurtherTraining
from clusterexplain.training.recorded import RecordedRun, train

if TYPE_CHECKING:
    from clusterexplain.verification import Check, Smoothness


class ClusterExplainer(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):
    """Train an embedding, cluster it, and explain which training examples pulled a sample into its cluster.

    Parameters
    ----------
    model : {"autoencoder", "conv_autoencoder", "vae", "contrastive", "dec"} or EmbeddingTask, default="autoencoder"
        What is trained: a model by name, or a task of your own (:meth:`EmbeddingTask.from_module`).
    clusterer : {"kmeans"}, default="kmeans"
        What clusters the embedding.
    n_clusters : int, default=8
        Number of clusters.
    latent_dim : int or None, default=None
        Dimension of the embedding; None is 10, or 16 for a contrastive model.
    hidden : tuple of int or None, default=None
        Widths of the encoder's hidden layers, or channels of its convolutions; a decoder mirrors them. None is the
        model's default: (64,), or (16, 32) channels.
    activation : {"gelu", "tanh", "softplus", "silu", "relu"}, default="gelu"
        All but "relu" are smooth.
    n_steps : int or None, default=None
        Optimizer steps; None is 1400, or 600 for a contrastive model.
    batch_size : int, default=64
        Nominal batch size.
    learning_rate : float or None, default=None
        Peak of warm-up and decay; None is 0.003, or 0.001 for a contrastive model.
    weight_decay : float, default=0.01
        Decoupled weight decay.
    adam_eps : float, default=1e-4
        Epsilon inside Adam's square root; a tiny one makes derivatives less faithful.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        Update rule. "adam" adds the decay to the gradient, as "sgd" (with momentum) does.
    optimizer_options : dict, optional
        schedule ("cosine", "linear", "constant"), warmup (share of the steps), betas, momentum.
    model_options : dict, optional
        Options of a named model: beta ("vae"); temperature, augmentation, encoder, projector_dim, embedding
        ("contrastive"); pretrain, update_every, rate ("dec").
    further_steps, further_rate : int and float, optional
        Length and peak learning rate of further training (``fit(X, train=False)``); chosen from the run by default.
    measure_smoothness : bool, default=False
        Retrain with single examples at 95 % weight and keep the agreement as ``smoothness_``.
    scaling : {"auto", "global", "standard", None}, default="auto"
        Scaling of the columns, measured once and frozen in refits. "global" keeps relative variances; "auto" is "global"
        for a model by name and None for a task of your own, whose network sees the rows of X as they are.
    dtype : {"float32", "float64"}, default="float32"
        Floating point type of the training.
    max_memory : float, default=2e9
        Bytes that the recorded training may take.
    n_jobs : int or None, default=None
        Threads for explanations and retrainings; None is one for each core. Results do not depend on it.
    random_state : int, RandomState instance or None, default=None
        The same seed gives the same bytes on one machine.
    verbose : bool, default=False
        Progress bars on a terminal.

    Attributes
    ----------
    labels_ : ndarray of shape (n_samples,)
        Clusters, 0 the largest.
    embedding_ : ndarray of shape (n_samples, latent_dim)
        Embeddings of the training data.
    cluster_centers_ : ndarray of shape (n_found, latent_dim)
        Weighted means of the members; n_found is n_clusters unless a warning said otherwise. NaN for a cluster that a
        refit left empty.
    loss_ : float
        Final weighted training loss: over all examples, or where examples interact the mean over the last batches.
    further_ : FurtherTraining
        Steps, rate and drift of further training; only after ``fit(X, train=False)``.
    smoothness_ : Smoothness
        Only with ``measure_smoothness=True``.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Column names, if X had any.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> ce = ClusterExplainer(n_clusters=3, latent_dim=2, hidden=(8,), n_steps=50, random_state=0)
    >>> e = ce.fit(load_iris().data).explain([123])
    >>> e.influence.shape
    (1, 150)
    """

    labels_: np.ndarray
    embedding_: np.ndarray
    cluster_centers_: np.ndarray
    loss_: float
    further_: FurtherTraining
    smoothness_: Smoothness
    _map: np.ndarray | None
    _further: FurtherTraining | None

    def __init__(
        self,
        model: str | EmbeddingTask = "autoencoder",
        clusterer: str = "kmeans",
        *,
        n_clusters: int = 8,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        activation: str = "gelu",
        n_steps: int | None = None,
        batch_size: int = 64,
        learning_rate: float | None = None,
        weight_decay: float = 1e-2,
        adam_eps: float = 1e-4,
        optimizer: str = "adamw",
        optimizer_options: dict[str, Any] | None = None,
        model_options: dict[str, Any] | None = None,
        further_steps: int | None = None,
        further_rate: float | None = None,
        measure_smoothness: bool = False,
        scaling: str | None = "auto",
        dtype: str = "float32",
        max_memory: float = 2e9,
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.clusterer = clusterer
        self.n_clusters = n_clusters
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.activation = activation
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.adam_eps = adam_eps
        self.optimizer = optimizer
        self.optimizer_options = optimizer_options
        self.model_options = model_options
        self.further_steps = further_steps
        self.further_rate = further_rate
        self.measure_smoothness = measure_smoothness
        self.scaling = scaling
        self.dtype = dtype
        self.max_memory = max_memory
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, train: bool = True) -> ClusterExplainer:
        """Train, cluster and record.

        Parameters
        ----------
        X : Dataset, DataFrame or array-like of shape (n_samples, n_features)
            Training data. A DataFrame's index gives the sample ids; positions otherwise.
        y : object
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Data weights: 1 keeps an example as it is, 0 removes it.
        train : bool, default=True
            False keeps the weights of a task of your own as they are. Its training cannot be replayed, so the method
            ``further`` continues from them for some recorded steps, and explanations say what an example does to that.

        Returns
        -------
        ClusterExplainer
            Self.

        Raises
        ------
        InvalidTaskError
            If a task of your own breaks its contract; the message says how to mend it.
        InvalidDataError
            If X cannot be clustered; the message says why.
        InvalidParameterError
            If a parameter is out of range.
        """
        settings.check(self)
        data = Dataset.of(X)
        weights = check_sample_weight(sample_weight, len(data))
        present = weights > 0
        if present.sum() < self.n_clusters:
            raise InvalidDataError(
                f"X has n_samples={present.sum()} rows (of positive weight), fewer than n_clusters={self.n_clusters}. "
                f"Expected at least one row for each cluster; lower n_clusters or add rows."
            )
        check_variation(data.X[present])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        scaling = Scaling.measure(data.X[present], settings.value_of(self, "scaling"))
        recipe, further = make_recipe(self, data, scaling, seed, torch.from_numpy(weights), train=train)
        run = self._train(recipe, torch.from_numpy(weights).to(recipe.dtype))
        clusterer = KMeansClusterer(self.n_clusters, seed=seed)
        pipeline = Pipeline.cluster(run, clusterer, arrived=further is not None)
        if pipeline.clusterer.n_clusters < self.n_clusters:
            warnings.warn(
                f"Only {pipeline.clusterer.n_clusters} clusters were found for n_clusters={self.n_clusters}: there are fewer "
                f"distinct embeddings. Lower n_clusters, or look for duplicate rows.",
                FewerClustersWarning,
                stacklevel=2,
            )
        validate_data(self, X if isinstance(X, pd.DataFrame) else data.X, skip_check_array=True)
        self._finish(pipeline, data, seed, scaling, further)
        if self.measure_smoothness:
            self._measure_smoothness()
        return self

    def refit(self, sample_weight: Any) -> ClusterExplainer:
        """Repeat the recipe with the same randomness at other data weights, clusters matched to this fit.

        Parameters
        ----------
        sample_weight : array-like of shape (n_samples,)
            Data weights; removed examples keep their place in the batch plan with weight 0.

        Returns
        -------
        ClusterExplainer
            A new fitted estimator. Cluster k is what this fit's cluster k became: k-means is continued from the old
            members' means to convergence. After ``fit(X, train=False)`` it is the model after further training at the new
            weights; compare it with ``refit`` at the old ones.
        """
        check_is_fitted(self)
        weights = check_sample_weight(sample_weight, len(self._data))
        run = self._train(self._pipeline.run.recipe, torch.from_numpy(weights).to(self._pipeline.run.recipe.dtype))
        labels = self._pipeline.tracked_labels(run.params, run.weights)
        other = clone(self)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        pipeline = dataclasses.replace(self._pipeline, run=run, labels=labels, arrived=False)
        return other._finish(pipeline, self._data, self._seed, self._scaling, self._further, key=self._fit_key)

    def predict(self, X: Any) -> np.ndarray:
        """Return the nearest cluster of each row, shape (n_samples,)."""
        check_is_fitted(self)
        embedding = self._pipeline.embed(self._inputs(X)).numpy()
        return self._pipeline.clusterer.predict(self.cluster_centers_, embedding)

    def transform(self, X: Any) -> np.ndarray:
        """Return the embedding of each row, shape (n_samples, latent_dim)."""
        check_is_fitted(self)
        return self._pipeline.embed(self._inputs(X)).numpy()

    def membership(self, X: Any) -> np.ndarray:
        """Return soft memberships, shape (n_samples, n_clusters); the log-ratio of two of them is the margin."""
        check_is_fitted(self)
        return membership_probabilities(self._pipeline.embed(self._inputs(X)), self._pipeline.state).numpy()

    def explain(self, queries: Any, *, against: str | int = "runner-up", method: str = "auto") -> Explanation:
        """Say which training examples pulled each query into its cluster, and which pushed it away.

        Parameters
        ----------
        queries : id, sequence of ids, slice, boolean mask, or rows of shape (n_queries, n_features)
            Ids of training examples, positions by slice or mask, or new rows (which get the nearest cluster).
        against : "runner-up" or int, default="runner-up"
            The rival cluster of the margin.
        method : {"auto", "unrolled", "further"}, default="auto"
            The influence method: "unrolled" is the exact derivative through the training, "further" that of further training
            from the weights of a model that arrived trained; "auto" is the one that the fit recorded.

        Returns
        -------
        Explanation
            Influence of every training example on every query.

        Raises
        ------
        UnknownSampleError
            If an id does not exist.
        InvalidParameterError
            If there is no rival cluster, the method is unknown, or the fit did not record what it needs.
        """
        check_is_fitted(self)
        check_method(method, arrived=self._further is not None)
        if isinstance(queries, (pd.DataFrame, Dataset)):
            self._inputs(queries)  # refuses other columns than those of the fit
        asked = resolve(queries, self._data)
        question = pose(self._pipeline, self._inputs(asked.rows), asked.positions, against)
        parts = self._pipeline.influence(question, Unrolled(self._pipeline.run, self.n_jobs, self.verbose))
        return self._explanation(asked, question, parts)

    def verify(self, explanation: Explanation, **options: Any) -> Check:
        """Check an explanation by retraining without examples.

        Parameters
        ----------
        explanation : Explanation
            From :meth:`explain`.
        **options : object
            Passed to :func:`clusterexplain.verification.verify`.

        Returns
        -------
        Check
            Predicted against retrained scores, figures and a plain verdict.
        """
        from clusterexplain.verification import verify

        self._refuse_foreign(explanation)
        if not np.array_equal(explanation.sample_weight, self._pipeline.run.weights.double().numpy()):
            raise InvalidParameterError(
                "The explanation was made at other sample weights. Expected the estimator that made it, not a refit of it."
            )
        options = {"show_progress": self.verbose, "n_jobs": self.n_jobs, **options}
        return verify(self._pipeline, self.question_of(explanation), explanation, **options)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the fitted run to a directory, atomically and without pickle.

        Parameters
        ----------
        path : path-like
            The run directory to make.
        overwrite : bool, default=False
            Replace an existing run.

        Returns
        -------
        Path
            The directory.
        """
        from clusterexplain.persistence import save

        check_is_fitted(self)
        return save(self, path, overwrite=overwrite)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        data: Any = None,
        *,
        model: EmbeddingTask | Callable[[Dataset], EmbeddingTask] | None = None,
    ) -> ClusterExplainer:
        """Open a fitted run; nothing in it is executed.

        Parameters
        ----------
        path : path-like
            A run directory.
        data : Dataset, DataFrame or array-like, optional
            The training data, to be checked against the run's fingerprint; those stored in the run otherwise.
        model : EmbeddingTask or callable, optional
            The task of a run that was made with a network of your own, or a function of the data set that makes it: a run
            holds weights, never code.

        Returns
        -------
        ClusterExplainer
            Fitted.
        """
        from clusterexplain.persistence import load

        return load(cls, path, data, model)

    def evaluate_question(self, explanation: Explanation, assignments: str) -> np.ndarray:
        """Return the explained scores under this fit; use :meth:`Explanation.evaluate`."""
        check_is_fitted(self)
        if assignments not in ("reclustered", "frozen"):
            raise InvalidParameterError(f"assignments={assignments!r} is unknown. Expected 'reclustered' or 'frozen'.")
        self._refuse_foreign(explanation)
        pipeline = dataclasses.replace(self._pipeline, labels=torch.from_numpy(explanation.train_labels.copy()))
        question = self.question_of(explanation)
        run = self._pipeline.run
        return pipeline.scores(question, run.params, run.weights, assignments=assignments)[0].numpy()

    def write_report(self, explanation: Explanation, path: str | os.PathLike[str]) -> Path:
        """Write the page about an explanation; use :meth:`Explanation.report`."""
        from clusterexplain.report import write_page

        return write_page(explanation, self._data, self.map_, path)

    @property
    def map_(self) -> np.ndarray:
        """UMAP coordinates of the training data, shape (n_samples, 2): a view only, never used for explanations."""
        check_is_fitted(self)
        if self._map is None:
            from clusterexplain.report import umap_view

            self._map = umap_view(self.embedding_, self._seed)
        return self._map

    @property
    def data_(self) -> Dataset:
        """The training data."""
        check_is_fitted(self)
        return self._data

    def question_of(self, explanation: Explanation) -> Question:
        """Return the explained samples and pairs of clusters as the pipeline's question."""
        return Question(
            self._scaling.to_tensor(explanation.queries, self._pipeline.run.recipe.dtype),
            torch.from_numpy(explanation.labels.copy()),
            torch.from_numpy(explanation.rivals.copy()),
        )

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def _measure_smoothness(self) -> None:
        from clusterexplain.verification import measure_smoothness

        self.smoothness_ = measure_smoothness(self)

    def _train(self, recipe: Recipe, weights: Tensor) -> RecordedRun:
        spacing = settings.spacing(self, recipe)
        return train(recipe, weights, spacing=spacing, show_progress=self.verbose)

    def _finish(
        self,
        pipeline: Pipeline,
        data: Dataset,
        seed: int,
        scaling: Scaling,
        further: FurtherTraining | None,
        *,
        key: str | None = None,
    ) -> ClusterExplainer:
        """Take over a fitted pipeline; nothing is assigned before everything has been computed."""
        loss, key = pipeline.loss(), key or settings.fit_key(self, data, seed, pipeline.run.recipe)
        embedding, centers = pipeline.embedding.numpy().copy(), pipeline.state.centers.numpy().copy()
        self._pipeline, self._data, self._seed, self._scaling, self._map = pipeline, data, seed, scaling, None
        self._fit_key, self._further = key, further
        self.labels_, self.embedding_, self.cluster_centers_ = pipeline.labels.numpy().copy(), embedding, centers
        self.loss_ = loss
        self.__dict__.pop("smoothness_", None)  # of an earlier fit
        if further is None:
            self.__dict__.pop("further_", None)
        else:
            self.further_ = further
        return self

    def _refuse_foreign(self, explanation: Explanation) -> None:
        check_is_fitted(self)
        if explanation.fit_key != self._fit_key:
            raise InvalidParameterError(
                "The explanation belongs to other training data or to another recipe. Expected the estimator that made it, or "
                "a refit of it."
            )

    def _inputs(self, X: Any) -> Tensor:
        """Return rows as the network sees them; other columns than those of the fit are refused."""
        matrix = X.X if isinstance(X, Dataset) else as_matrix(X)
        with warnings.catch_warnings():
            if not isinstance(X, pd.DataFrame):  # an array of a fit with names is taken in the order of the fit
                warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            validate_data(self, X if isinstance(X, pd.DataFrame) else matrix, reset=False, skip_check_array=True)
        return self._scaling.to_tensor(matrix, self._pipeline.run.recipe.dtype)

    def _explanation(self, asked: Queries, question: Question, parts: Parts) -> Explanation:
        pipeline = self._pipeline
        standing = pipeline.standing(question)
        return Explanation(
            query_ids=asked.ids,
            positions=asked.positions,
            fit_key=self._fit_key,
            labels=question.own.numpy(),
            rivals=question.rival.numpy(),
            scores=standing.margins,
            encoder=parts.encoder,
            cluster=parts.cluster,
            direct=parts.direct,
            train_ids=self._data.ids,
            train_labels=pipeline.labels.numpy().copy(),
            sample_weight=pipeline.run.weights.double().numpy().copy(),
            probabilities=standing.probabilities,
            rank=standing.rank,
            agreement=standing.agreement,
            queries=asked.rows,
            method=Unrolled.name if self._further is None else "further",
            method_note="" if self._further is None else f"with or without an example in {self._further}",
            source=self,
            metadata=self._data.metadata,
        )
