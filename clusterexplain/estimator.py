"""ClusterExplainer: train, cluster, explain and check, behind scikit-learn's interface."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from clusterexplain.clustering import Clustering
from clusterexplain.clustering.registry import ClusteringSpec, make_clustering
from clusterexplain.data import Dataset
from clusterexplain.data.scaling import Scaling
from clusterexplain.data.selection import resolve
from clusterexplain.data.validation import as_matrix, check_sample_weight, check_variation
from clusterexplain.exceptions import FewerClustersWarning, InvalidDataError, InvalidParameterError
from clusterexplain.explanation.explain import Answers
from clusterexplain.explanation.queries import pose
from clusterexplain.fitting import settings
from clusterexplain.fitting.build import make_recipe
from clusterexplain.fitting.fit import Pipeline, Question
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import LONGEST_NAME, NOISE, is_name
from clusterexplain.training import Recipe
from clusterexplain.training.further_training import FurtherTraining
from clusterexplain.training.trajectory import Trajectory, train
from clusterexplain.verification.stability.refits import refit_seeds

if TYPE_CHECKING:
    from clusterexplain.explanation import ClusterAnswer, Flip
    from clusterexplain.report import Plots
    from clusterexplain.report.context import ReportContext
    from clusterexplain.report.samples import Renderer
    from clusterexplain.verification import Check, Smoothness
    from clusterexplain.verification.stability import Stability


class ClusterExplainer(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):
    """Train an embedding, cluster it, and explain which training examples pulled a sample into its cluster.

    Parameters
    ----------
    model : {"autoencoder", "conv_autoencoder", "vae", "contrastive", "dec"} or EmbeddingTask, default="autoencoder"
        What is trained: a model by name, or a task of your own (:meth:`EmbeddingTask.from_module`).
    clusterer : {"kmeans", "spherical_kmeans", "soft_kmeans", "gmm", "hdbscan", "dec"}, estimator or labels, default="kmeans"
        What clusters the embedding: a name ("dec" is the assignment that a DEC has learned); an estimator that you have
        fitted to the embedding (scikit-learn's KMeans or GaussianMixture, hdbscan's HDBSCAN, anything with ``labels_``); or
        one label for each row, -1 for noise. What is fitted elsewhere keeps its labels and their numbers.
    n_clusters : int, default=8
        Number of clusters, for clusterers by name that take one; "hdbscan" finds its own.
    clusterer_options : dict, optional
        temperature ("soft_kmeans": share of the within-cluster variance); covariance_type ("tied"), reg_covar ("gmm");
        min_cluster_size (a sixtieth of the rows, at least 5), min_samples (5), cluster_selection_method,
        cluster_selection_epsilon, allow_single_cluster ("hdbscan").
    membership_score : {"auto", "margin", "student_t", "softmax", "cosine", "dec_assignment", "responsibility", "exemplar", \
            "hdbscan_membership"}, default="auto"
        The assignment score that is explained; "auto" is the first that fits the clusterer ("margin" for k-means).
    min_agreement : float, default=0.8
        Explanations are refused if labels and score agree on a smaller share of the training examples.
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
        Clusters, 0 the largest; -1 is noise. Labels that were given keep their numbers.
    embedding_ : ndarray of shape (n_samples, latent_dim)
        Embeddings of the training data.
    cluster_centers_ : ndarray of shape (n_found, latent_dim)
        Centroids, means of the mixture, or weighted means of the members (of rows scaled to length 1 for spherical
        k-means); n_found is n_clusters unless a warning said otherwise. NaN for a cluster that a refit left empty.
    loss_ : float
        Final weighted training loss: over all examples, or where examples interact the mean over the last batches.
    further_ : FurtherTraining
        Steps, rate and drift of further training; only after ``fit(X, train=False)``.
    smoothness_ : Smoothness
        Only with ``measure_smoothness=True``.
    stability_ : Stability
        Only after :meth:`stability`.
    cluster_names_ : dict of int to str
        Names given by :meth:`name_clusters`.
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
    stability_: Stability
    cluster_names_: dict[int, str]
    _map: np.ndarray | None
    _folder: str | None
    _further: FurtherTraining | None
    _answers: Answers

    def __init__(
        self,
        model: str | EmbeddingTask = "autoencoder",
        clusterer: Any = "kmeans",
        *,
        n_clusters: int = 8,
        clusterer_options: dict[str, Any] | None = None,
        membership_score: str = "auto",
        min_agreement: float = 0.8,
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
        self.clusterer_options = clusterer_options
        self.membership_score = membership_score
        self.min_agreement = min_agreement
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
        if self._takes_number and present.sum() < self.n_clusters:
            raise InvalidDataError(
                f"X has n_samples={present.sum()} rows (of positive weight), fewer than n_clusters={self.n_clusters}. "
                f"Expected at least one row for each cluster; lower n_clusters or add rows."
            )
        check_variation(data.X[present])
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        scaling = Scaling.measure(data.X[present], settings.value_of(self, "scaling"))
        recipe, further = make_recipe(self, data, scaling, seed, torch.from_numpy(weights), train=train)
        run = self._train(recipe, torch.from_numpy(weights).to(recipe.dtype))
        pipeline = self._cluster(run, seed, pretrained=further is not None)
        if self._takes_number and pipeline.n_clusters < self.n_clusters:
            warnings.warn(
                f"Only {pipeline.n_clusters} clusters were found for n_clusters={self.n_clusters}: there are fewer "
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
            members' means to convergence, a mixture from its old parameters, HDBSCAN is run anew and matched; labels that
            were given are kept. After ``fit(X, train=False)`` it is the model after further training at the new
            weights; compare it with ``refit`` at the old ones.
        """
        check_is_fitted(self)
        weights = check_sample_weight(sample_weight, len(self._data))
        run = self._train(self._pipeline.run.recipe, torch.from_numpy(weights).to(self._pipeline.run.recipe.dtype))
        clustering = self._pipeline.tracked(run.params, run.weights)
        other = clone(self).set_params(
            clusterer=self.clusterer
        )  # clone would make a fitted clusterer forget its labels
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        pipeline = dataclasses.replace(self._pipeline, run=run, clustering=clustering, pretrained=False)
        other._finish(pipeline, self._data, self._seed, self._scaling, self._further, key=self._fit_key)
        other.cluster_names_ = dict(self.cluster_names_)
        return other

    def predict(self, X: Any) -> np.ndarray:
        """Return the cluster of each row, as a row that was not trained on, shape (n_samples,); -1 is noise."""
        check_is_fitted(self)
        return self._pipeline.assign(self._inputs(X)).numpy()

    def transform(self, X: Any) -> np.ndarray:
        """Return the embedding of each row, shape (n_samples, latent_dim)."""
        check_is_fitted(self)
        return self._pipeline.embed(self._inputs(X)).numpy()

    def membership(self, X: Any) -> np.ndarray:
        """Return soft memberships, shape (n_samples, n_clusters); the log-ratio of two of them is the margin."""
        check_is_fitted(self)
        return self._pipeline.score.membership(
            self._pipeline.embed_normalized(self._inputs(X)), self._pipeline.state
        ).numpy()

    def explain(
        self,
        queries: Any,
        *,
        against: str | int = "runner-up",
        method: str = "auto",
        method_options: dict[str, Any] | None = None,
        n_seeds: int = 1,
    ) -> Explanation:
        """Say which training examples pulled each query into its cluster, and which pushed it away.

        Parameters
        ----------
        queries : id, sequence of ids, slice, boolean mask, or rows of shape (n_queries, n_features)
            Ids of training examples, positions by slice or mask, or new rows, which are assigned to a cluster.
        against : "runner-up", "noise" or int, default="runner-up"
            The rival cluster of the margin. For a sample that is noise the runner-up is the cluster that it lacks least to
            join, and the margin says how much.
        method : {"auto", "unrolled", "further", "implicit", "gradient_dot", "gradient_cosine"}, default="auto"
            The influence method: "unrolled" is the exact derivative through the training, "further" that of further training
            from the weights of a pretrained model; "auto" is the one that the fit recorded. "implicit" is the
            classical influence function at the final parameters, an approximation to compare with; the gradient products are
            baselines.
        method_options : dict, optional
            For "implicit": solver ("dense", "cg" or "lissa"), damping (0.01), eigenvalues ("clamped", "raw", "absolute"; for
            dense), tolerance, max_iterations, on_negative (for cg), scale, depth (for lissa), passes, decay; the gradient
            products take passes and decay. See :func:`clusterexplain.influence.registry.ask`.
        n_seeds : int, default=1
            More than 1 trains the recipe with so many seeds (the fit's own is one of them), keeps the labels, and averages the
            exact influences; ``seed_variability`` of the answer says which of them are seed-stable.

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
        DisagreementError
            If the score does not tell what the labels tell.
        """
        check_is_fitted(self)
        if isinstance(n_seeds, bool) or not isinstance(n_seeds, (int, np.integer)) or n_seeds < 1:
            raise InvalidParameterError(f"n_seeds={n_seeds!r} must be a whole number of at least 1, for example 8.")
        answers = self._answers.asked_with(method, method_options)
        asked = resolve(queries, self._data)
        self._inputs(queries if isinstance(queries, (pd.DataFrame, Dataset)) else asked.rows)  # refuses other columns
        found = answers.explain(asked, against, self, self.cluster_names_, getattr(self, "stability_", None))
        return found if n_seeds == 1 else self._over_seeds(answers, found, n_seeds)

    def _over_seeds(self, answers: Answers, explanation: Explanation, n_seeds: int) -> Explanation:
        from clusterexplain.verification import explain_over_seeds

        if explanation.method != "unrolled":
            raise InvalidParameterError(
                f"n_seeds={n_seeds} averages exact influences, but method={explanation.method!r}. Expected method='unrolled'."
            )
        return explain_over_seeds(self, answers, explanation, refit_seeds(self._seed, n_seeds - 1))

    def cluster(self, cluster: int, *, n_shown: int = 5) -> ClusterAnswer:
        """Say who holds a cluster together, who is typical of it, and which other clusters pull at it.

        Parameters
        ----------
        cluster : int
            The cluster.
        n_shown : int, default=5
            Most and least typical members whose influence on themselves is computed; 0 saves the time.

        Returns
        -------
        ClusterAnswer
            Its ``cohesion`` is an explanation, to be verified like any other.

        Raises
        ------
        InvalidParameterError
            If the cluster does not exist or has no rival.
        """
        from clusterexplain.explanation import clusters

        check_is_fitted(self)
        mixed = clusters.cohesion_of(self._pipeline, cluster, self.cluster_names_)
        asked = self._answers.explain_mixed(mixed, self, self.cluster_names_)
        themselves: dict[Any, float] = {}
        if n_shown:
            shown = clusters.shown_members(self._pipeline, cluster, n_shown)
            question = pose(self._pipeline, self._pipeline.run.recipe.inputs[shown], shown, "runner-up")
            own = self._answers.influence(question).total[np.arange(len(shown)), shown]
            themselves = dict(zip(self._data.ids[shown].tolist(), own.tolist(), strict=True))
        return clusters.answer(self._pipeline, cluster, asked, themselves)

    def cohesion(self) -> Explanation:
        """Say which examples hold each cluster together, for all clusters at once.

        Returns
        -------
        Explanation
            One row for each cluster that has members: influence on their mean margin to their runner-ups. Positive holds the
            cluster together. ``cohesion().by("cluster")`` says which cluster's examples hold or loosen which.

        Raises
        ------
        InvalidParameterError
            If there is no rival.
        """
        from clusterexplain.explanation import cohesions_of

        check_is_fitted(self)
        return self._answers.explain_mixed(cohesions_of(self._pipeline, self.cluster_names_), self, self.cluster_names_)

    def between(self, first: int, second: int) -> Explanation:
        """Say which examples keep two clusters apart, and which merge them.

        Parameters
        ----------
        first, second : int
            The clusters.

        Returns
        -------
        Explanation
            Of their separation: the mean margin of each one's members against the other, averaged. Positive influence keeps
            the two apart, negative merges them.

        Raises
        ------
        InvalidParameterError
            If the two are not two clusters.
        """
        from clusterexplain.explanation import separation_of

        check_is_fitted(self)
        mixed = separation_of(self._pipeline, first, second, self.cluster_names_)
        return self._answers.explain_mixed(mixed, self, self.cluster_names_)

    def flip(self, query: Any, *, against: str | int = "runner-up", max_removed: int | None = None) -> Flip:
        """Search for the smallest set of training examples whose removal moves a sample to its rival.

        Parameters
        ----------
        query : id or matrix of one row
            The sample.
        against : "runner-up", "noise" or int, default="runner-up"
            Where it should move.
        max_removed : int, optional
            Examples that may be removed at most; a tenth of the training examples by default.

        Returns
        -------
        Flip
            Every claim in it is a retraining; it says so when none was found.
        """
        from clusterexplain.explanation import Retrainings, find_flip

        explanation = self.explain(query, against=against)
        question = self.question_of(explanation)
        budget = max(1, len(self._data) // 10) if max_removed is None else max_removed

        def relearn(weights: np.ndarray) -> np.ndarray:
            return self.refit(weights)._answers.influence(question).total[0]

        return find_flip(Retrainings(self._pipeline, question, explanation, self.n_jobs), relearn, max_removed=budget)

    def twins(self, *, share: float = 0.01) -> pd.DataFrame:
        """List near-identical training rows with different labels.

        Parameters
        ----------
        share : float, default=0.01
            A pair is near-identical if its distance is among this share of the smallest nearest-neighbour distances.

        Returns
        -------
        DataFrame
            Columns id, cluster, twin, twin_cluster, distance, relative (to the usual nearest-neighbour distance), nearest
            first; each pair once. ``explain([id], against=twin_cluster)`` says which examples separate a pair.
        """
        from clusterexplain.data.near_duplicates import find_label_conflicts

        check_is_fitted(self)
        present = np.flatnonzero(self._pipeline.weights.numpy() > 0)
        rows = self._scaling.apply(self._data.X)[present]
        return find_label_conflicts(
            rows, self.labels_[present], self._data.ids[present], share=share, n_jobs=self.n_jobs
        )

    def stability(self, *, n_seeds: int = 10, n_bootstrap: int = 10) -> Stability:
        """Refit with other seeds and on bootstrapped data, and say what stays.

        Every refit trains and clusters anew from scratch; clusters are matched by their members. From then on explanations
        carry the badge of their samples.

        Parameters
        ----------
        n_seeds : int, default=10
            Refits with other initial parameters, batch plans and initialisations of the clusterer. A network of your own
            brings its initial parameters along, so only the other two change.
        n_bootstrap : int, default=10
            Refits with the same seed on rows drawn with replacement.

        Returns
        -------
        Stability
            Tables for samples and clusters; also kept as ``stability_``.

        Raises
        ------
        InvalidParameterError
            If the model or the labels are not found here, so that they cannot be found anew.
        """
        from clusterexplain.verification.stability.measure import stability_of

        check_is_fitted(self)
        self.stability_ = stability_of(
            self, self._pipeline, self._seed, self._fit_key, n_seeds=n_seeds, n_bootstrap=n_bootstrap
        )
        return self.stability_

    def name_clusters(self, names: dict[int, str]) -> ClusterExplainer:
        """Give clusters names, which every surface shows and a run keeps; an empty name takes one away.

        Parameters
        ----------
        names : dict of int to str
            By cluster number.

        Returns
        -------
        ClusterExplainer
            Self.

        Raises
        ------
        InvalidParameterError
            If a cluster does not exist or a name is no text.
        """
        check_is_fitted(self)
        for cluster, name in names.items():
            whole = isinstance(cluster, (int, np.integer)) and not isinstance(cluster, bool)
            if not (whole and cluster in range(self._pipeline.n_clusters) and is_name(name)):
                raise InvalidParameterError(
                    f"{cluster!r}: {name!r:.80} does not name a cluster. Expected a number from 0 to "
                    f"{self._pipeline.n_clusters - 1} and a printable text of at most {LONGEST_NAME} characters that is "
                    f"neither a number nor 'noise' nor 'runner-up'."
                )
        merged = self.cluster_names_ | {int(cluster): name for cluster, name in names.items()}
        self.cluster_names_ = {cluster: name for cluster, name in sorted(merged.items()) if name}
        return self

    def score(self, X: Any, y: Any = None) -> float:
        """Return the silhouette of the clusters of X in the embedding, from -1 to 1: what model selection maximises.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : object
            Ignored.

        Returns
        -------
        float
            -1 if all rows are in one cluster, or each in its own. Noise is left out.
        """
        from sklearn.metrics import silhouette_score

        labels = self.predict(X)
        clustered = labels != NOISE
        found = len(np.unique(labels[clustered]))
        if not 2 <= found < clustered.sum():
            return -1.0
        return float(silhouette_score(self.transform(X)[clustered], labels[clustered]))

    def clusters(self) -> pd.DataFrame:
        """List the clusters: size, median margin, a typical member, and the one nearest to a boundary.

        Returns
        -------
        DataFrame
            One row for each cluster, see :func:`clusterexplain.explanation.overview.overview`.
        """
        from clusterexplain.explanation import overview

        check_is_fitted(self)
        return overview(self.labels_, self.margins_, self._data.ids, self.sample_weight_ > 0, self.cluster_names_)

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

        self._refuse_other_weights(explanation)
        return verify(self, explanation, **{"show_progress": self.verbose, "n_jobs": self.n_jobs, **options})

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
        from clusterexplain.fitting.persistence import save

        check_is_fitted(self)
        folder = save(self, path, overwrite=overwrite)
        self._folder = str(path)  # named by the commands that a page offers
        return folder

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
        from clusterexplain.fitting.persistence import load

        explainer: ClusterExplainer = load(cls, path, data, model)
        explainer._folder = str(path)
        return explainer

    def evaluate_question(self, explanation: Explanation, assignments: str) -> np.ndarray:
        """Return the explained scores under this fit; use :meth:`Explanation.evaluate`."""
        check_is_fitted(self)
        if assignments not in ("continued", "kept"):
            raise InvalidParameterError(f"assignments={assignments!r} is unknown. Expected 'continued' or 'kept'.")
        self._refuse_foreign(explanation)
        clustering = cast("Answers", explanation.basis).pipeline.clustering
        pipeline = dataclasses.replace(self._pipeline, clustering=clustering)
        question = self.question_of(explanation)
        run = self._pipeline.run
        return pipeline.scores(question, run.params, run.weights, assignments=assignments)[0].numpy()

    def write_report(
        self,
        explanation: Explanation,
        path: str | os.PathLike[str],
        *,
        render: Renderer | None = None,
        run: str | None = None,
        task: str | None = None,
    ) -> Path:
        """Write the page about an explanation; use :meth:`Explanation.report`."""
        from clusterexplain.report import write_page

        folder = self._folder if run is None else run
        return write_page(explanation, self._report_context(explanation, render), path, run=folder, task=task)

    def plots_of(self, explanation: Explanation, render: Renderer | None = None) -> Plots:
        """Return the charts of an explanation; use :attr:`Explanation.plot`."""
        from clusterexplain.report import Plots

        return Plots(explanation, self._report_context(explanation, render))

    def bundle_of(self, shown: Explanation | Check) -> dict[str, Any]:
        """Return what a notebook can show of an explanation or a check, by MIME type."""
        from clusterexplain.report import card

        if not isinstance(shown, Explanation):
            return card.check_bundle(shown)
        return card.bundle(shown, self._report_context(shown, None, quick=True))

    def _report_context(
        self, explanation: Explanation, render: Renderer | None, *, quick: bool = False
    ) -> ReportContext:
        from clusterexplain.report.fit_context import report_context_of

        self._refuse_other_weights(explanation)
        return report_context_of(self, explanation, self._seed, render, quick=quick)

    @property
    def map_(self) -> np.ndarray:
        """UMAP coordinates of the training data, shape (n_samples, 2): a view only, never used for explanations."""
        check_is_fitted(self)
        if self._map is None:
            from clusterexplain.report import umap_view

            self._map = umap_view(self.embedding_, self._seed)
        return self._map

    @property
    def margins_(self) -> np.ndarray:
        """Margin of each training example to its runner-up, shape (n_samples,); positive is inside its cluster."""
        check_is_fitted(self)
        return self._pipeline.train_margins.numpy().copy()

    @property
    def sample_weight_(self) -> np.ndarray:
        """Data weights of the fit, shape (n_samples,)."""
        check_is_fitted(self)
        return self._pipeline.weights.numpy().copy()

    @property
    def seed_(self) -> int:
        """The root seed, drawn from ``random_state``."""
        check_is_fitted(self)
        return self._seed

    @property
    def data_(self) -> Dataset:
        """The training data."""
        check_is_fitted(self)
        return self._data

    def question_of(self, explanation: Explanation) -> Question:
        """Return the explained scores as the pipeline's question."""
        return self._answers.question_of(explanation)

    @property
    def _takes_number(self) -> bool:
        return isinstance(self.clusterer, str) and self.clusterer != "hdbscan"

    def _cluster(self, run: Trajectory, seed: int, *, pretrained: bool) -> Pipeline:
        def find(embedding: Tensor, weights: Tensor, learned: Tensor | None) -> Clustering:
            spec = ClusteringSpec(self.n_clusters, seed, dict(self.clusterer_options or {}), learned)
            return make_clustering(self.clusterer, embedding, weights, spec)

        return Pipeline.cluster(run, find, lambda found: settings.score_of(self, found), pretrained=pretrained)

    @property
    def _n_features_out(self) -> int:
        return int(self.embedding_.shape[1])

    def _measure_smoothness(self) -> None:
        from clusterexplain.verification import measure_smoothness

        self.smoothness_ = measure_smoothness(self)

    def _train(self, recipe: Recipe, weights: Tensor) -> Trajectory:
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
        loss, key = pipeline.loss(), key or settings.fit_key(self, data, seed, pipeline.run.recipe, pipeline.clustering)
        embedding, centers = pipeline.embedding.numpy().copy(), pipeline.centers
        self._pipeline, self._data, self._seed, self._scaling, self._map = pipeline, data, seed, scaling, None
        self._folder = None
        self._answers = Answers(pipeline, data, scaling, key, further, self.min_agreement, self.n_jobs, self.verbose)
        self._fit_key, self._further = key, further
        self.labels_, self.embedding_, self.cluster_centers_ = pipeline.labels.numpy().copy(), embedding, centers
        self.loss_ = loss
        self.cluster_names_ = {}
        for name in ("smoothness_", "stability_"):  # of an earlier fit
            self.__dict__.pop(name, None)
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

    def _refuse_other_weights(self, explanation: Explanation) -> None:
        self._refuse_foreign(explanation)
        if not np.array_equal(explanation.sample_weight, self._pipeline.run.weights.double().numpy()):
            raise InvalidParameterError(
                "The explanation was made at other sample weights. Expected the estimator that made it, fitted as it was then, "
                "and not a refit of it; explain again to ask this fit."
            )

    def _inputs(self, X: Any) -> Tensor:
        """Return rows as the network sees them; other columns than those of the fit are refused."""
        matrix = X.X if isinstance(X, Dataset) else as_matrix(X)
        with warnings.catch_warnings():
            if not isinstance(X, pd.DataFrame):  # an array of a fit with names is taken in the order of the fit
                warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            validate_data(self, X if isinstance(X, pd.DataFrame) else matrix, reset=False, skip_check_array=True)
        return self._scaling.to_tensor(matrix, self._pipeline.run.recipe.dtype)
