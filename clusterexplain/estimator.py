"""ClusterExplainer: train, cluster, explain and check, behind scikit-learn's interface."""

from __future__ import annotations

import dataclasses
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from clusterexplain.clustering import Clustering, ClusteringFactory
from clusterexplain.clustering.scores import Score
from clusterexplain.data import Dataset
from clusterexplain.data.containers.frames import has_names
from clusterexplain.data.new_rows import NewRows, is_named, new_rows
from clusterexplain.data.selection import select_samples
from clusterexplain.data.validation import check_sample_weight
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.execution import Execution
from clusterexplain.explanation.answerable import warn_of_clusters
from clusterexplain.explanation.explain import explain
from clusterexplain.fitting.build import build_fit, estimate_cost
from clusterexplain.fitting.config_file import read_config
from clusterexplain.fitting.fit import Fit
from clusterexplain.fitting.given import Beside, FitRequest
from clusterexplain.fitting.own_parts import OwnReclusterer, parameters_of
from clusterexplain.influence import JacobianFactory, TrainingJacobian
from clusterexplain.models import EmbeddingTask
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.same_fit import check_same_fit, check_same_weights
from clusterexplain.results.tables.shown_columns import parse_show
from clusterexplain.statistics.matching import NOISE
from clusterexplain.training.cost import Cost
from clusterexplain.training.further_training import FurtherTraining

Learned = TypeVar("Learned")

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.utils import Tags

    from clusterexplain.clustering.given.fitted_elsewhere import FittedEstimator
    from clusterexplain.data.dataset import Rows
    from clusterexplain.explanation import ClusterAnswer, Flip
    from clusterexplain.results.check import Check
    from clusterexplain.results.smoothness import Smoothness
    from clusterexplain.results.stability import Stability


class ClusterExplainer(ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Train an embedding, cluster it, and explain which training examples pulled a sample into its cluster.

    Parameters
    ----------
    model : {"precomputed", "pca", "autoencoder", "conv_autoencoder", "vae", "count_vae", "contrastive", "dec"} or \
            EmbeddingTask, default="autoencoder"
        What makes the embedding: the rows of X themselves ("precomputed"), their principal components ("pca"), a network that
        is trained ("count_vae" on raw counts), or a task of your own (:meth:`EmbeddingTask.from_module`).
    clusterer : {"kmeans", "spherical_kmeans", "soft_kmeans", "gmm", "hdbscan", "dec"}, estimator, labels, Clustering or \
            callable, default="kmeans"
        What clusters the embedding: a name ("dec" is the assignment that a DEC has learned); an estimator that you have
        fitted to the embedding (scikit-learn's KMeans or GaussianMixture, hdbscan's HDBSCAN, anything with ``labels_``); or
        one label for each row, -1 for noise. What is fitted elsewhere keeps its labels and their numbers. Or a clusterer of
        your own: a :class:`~clusterexplain.clustering.Clustering`, or a function ``(inputs, spec) -> Clustering``.
    n_clusters : int, default=8
        Number of clusters, for clusterers by name that take one; "hdbscan" finds its own.
    clusterer_options : dict, optional
        temperature ("soft_kmeans": share of the within-cluster variance); covariance_type ("tied"), reg_covar ("gmm");
        min_cluster_size (a sixtieth of the rows, at least 5), min_samples (5), cluster_selection_method,
        cluster_selection_epsilon, allow_single_cluster ("hdbscan").
    reclusterer : callable, estimator or None, default=None
        How labels that were given are found anew: a function ``(Z, sample_weight) -> labels`` (rows of positive weight alone;
        whole numbers or texts, -1 for noise), or a clusterer of scikit-learn's kind, of which clones are fitted. With it
        retrained clusters are matched to yours, and :meth:`stability` works; a fitted estimator counts as its labels. None
        keeps given labels.
    membership_score : {"auto", "margin", "student_t", "softmax", "cosine", "knn", "graph", "dec_assignment", \
            "responsibility", "exemplar", "hdbscan_membership"} or Score, default="auto"
        The assignment score that is explained; "auto" is the first that fits the clusterer ("margin" for k-means), for given
        labels the first of "margin", "knn" and "graph" that agrees with them. Or a
        :class:`~clusterexplain.clustering.scores.Score` of your own.
    min_agreement : float, default=0.8
        Explanations are refused if labels and score agree on a smaller share of the training examples.
    latent_dim : int or None, default=None
        Dimension of the embedding; None is 10, or 16 for a contrastive model.
    hidden : tuple of int or None, default=None
        Widths of the encoder's hidden layers, or channels of its convolutions; a decoder mirrors them. None is the
        model's default: (64,), or (16, 32) channels.
    start : {None, "random", "pca", "fixed"}, default=None
        Where the training of an autoencoder, VAE, count VAE, DEC or dense contrastive encoder starts. "pca": the network is a
        linear map with a perceptron added to it, and the linear map starts at the principal components, computed at the data
        weights of each training and differentiated; answers of different seeds then agree. "fixed": the same, but retrainings
        start at the components of the fit. "random": a perceptron that starts at random. None is "random".
    activation : {"gelu", "tanh", "softplus", "silu", "relu"}, default="gelu"
        All but "relu" are smooth.
    n_steps : int or None, default=None
        Optimizer steps; None is 1400, or 600 for a contrastive model; from a start at principal components 25 passes over
        the rows, at least 150 and at most 700 steps.
    batch_size : int, default=64
        Nominal batch size.
    learning_rate : float or None, default=None
        Peak of warm-up and decay; None is 0.003, or 0.001 from a start at principal components and for a contrastive model.
    weight_decay : float, default=0.01
        Decoupled weight decay.
    adam_eps : float, default=1e-4
        Epsilon inside Adam's square root; a tiny one makes derivatives less faithful.
    optimizer : {"adamw", "adam", "sgd"}, default="adamw"
        Update rule. "adam" adds the decay to the gradient, as "sgd" (with momentum) does.
    optimizer_options : dict, optional
        schedule ("cosine", "linear", "constant"), warmup (share of the steps), betas, momentum.
    model_options : dict, optional
        Options of a named model: beta ("vae", "count_vae"); likelihood ("count_vae"); temperature, augmentation, encoder,
        projector_dim, embedding ("contrastive"); pretrain, update_every, rate ("dec").
    further_steps, further_rate : int and float, optional
        Length and peak learning rate of further training (``fit(X, train=False)``); chosen from the training by default.
    measure_smoothness : bool, default=False
        Retrain with single examples at 95 % weight and keep the agreement as ``smoothness_``.
    scaling : {"auto", "global", "standard", None}, default="auto"
        Scaling of the columns, measured once and frozen in refits. "global" keeps relative variances; "auto" is "global"
        for a model by name, None for counts and for a task of your own, whose network sees the rows of X as they are.
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
    fit_ : Fit
        Everything that was fitted: what explanations, checks and reports are made from.
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

    fit_: Fit

    def __init__(
        self,
        model: str | EmbeddingTask = "autoencoder",
        clusterer: str | Clustering | ClusteringFactory | FittedEstimator | ArrayLike = "kmeans",
        *,
        n_clusters: int = 8,
        clusterer_options: dict[str, Any] | None = None,
        reclusterer: OwnReclusterer | None = None,
        membership_score: str | Score = "auto",
        min_agreement: float = 0.8,
        latent_dim: int | None = None,
        hidden: tuple[int, ...] | None = None,
        start: str | None = None,
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
        self.reclusterer = reclusterer
        self.membership_score = membership_score
        self.min_agreement = min_agreement
        self.latent_dim = latent_dim
        self.hidden = hidden
        self.start = start
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

    @classmethod
    def from_config(cls, path: str | os.PathLike[str], **parameters: Any) -> ClusterExplainer:
        """Return an estimator with the parameters of a TOML file, not yet fitted.

        Parameters
        ----------
        path : path-like
            A file with a table ``[fit]``, as ``clusterexplain config`` prints it; its table ``[data]`` is left to the
            caller.
        **parameters : object
            Instead of those of the file, for what a file cannot hold: a task, a fitted clusterer, labels.

        Returns
        -------
        ClusterExplainer
            Not fitted.

        Raises
        ------
        InvalidParameterError
            If the file cannot be read, or has other names.
        """
        return cls(**{**read_config(path).parameters, **parameters})

    def fit(
        self,
        X: Rows,
        y: object = None,
        sample_weight: ArrayLike | None = None,
        *,
        train: bool = True,
        labels: object = None,
        metadata: str | Sequence[str] | None = None,
        use_rep: str | None = None,
        map: object = None,
        graph: object = None,
        targets: object = None,
    ) -> ClusterExplainer:
        """Train, cluster and record.

        Parameters
        ----------
        X : Dataset, frame, AnnData, sparse matrix, tensor or array-like of shape (n_samples, n_features)
            Training data. The index of a DataFrame and the barcodes of an AnnData give the sample ids; positions otherwise.
            Frames may be of pandas, polars or pyarrow.
        y : object
            Ignored.
        sample_weight : array-like of shape (n_samples,), optional
            Data weights: 1 keeps an example as it is, 0 removes it.
        train : bool, default=True
            False keeps the weights of a task of your own as they are. Its training cannot be replayed, so the method
            ``further`` continues from them for some recorded steps, and explanations say what an example does to that.
        labels : str, Series, mapping or array-like of shape (n_samples,), optional
            Clusters that you have, instead of a clusterer: a column of X (or of its metadata, or ``obs``), labels by id, or one
            label for each row. Texts become the names of the clusters; -1 and "noise" are noise.
        metadata : str or sequence of str, optional
            Columns of a frame or of ``obs`` that are kept and not trained on.
        use_rep : str, optional
            What of an AnnData is trained on: "X", a key of ``obsm``, a layer, or "raw".
        map : str, array-like of shape (n_samples, 2), frame, Series or path, optional
            Where each row is drawn, instead of UMAP: the name of an ``obsm`` ("X_umap"); coordinates in the order of the rows;
            a frame of two columns or a Series of pairs, joined by index; or a file of them. Explanations do not depend on it.
        graph : str or sparse matrix of shape (n_samples, n_samples), optional
            The graph in which given labels were found (Leiden, Louvain), for ``membership_score="graph"``: symmetric strengths
            of edges, rows in the order of X, or a key of ``obsp`` ("connectivities"). It is held fixed.
        targets : array, tensor, Series or frame of n_samples rows, optional
            What the loss of a task of your own is given beside each row (``example_loss=(net, x, y)``): class numbers, values
            or a mask. A Series or frame is joined by its index where the rows have one. The embedding never sees them.

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
        DisagreementError
            If no membership score tells what given labels tell, or the one that was asked for does not. Where a model was
            trained, the fit is kept with a DisagreementWarning, and its questions are refused.
        """
        beside = Beside(labels=labels, metadata=metadata, use_rep=use_rep, map=map, graph=graph, targets=targets)
        request = FitRequest.of(self.get_params(deep=False), X, beside, sample_weight)
        config, data, weights = request.config, request.given.data, request.weights
        seed, execution = self._root_seed(), Execution(self.n_jobs, self.max_memory, self.verbose)
        fitted = build_fit(
            config, request.objects, data, weights, seed=seed, execution=execution, keep_weights=not train
        )
        warn_of_clusters(fitted, config)
        columns = NewRows(data.X, data.feature_names if isinstance(X, Dataset) or has_names(X) else None, data.ids)
        validate_data(self, columns.named, skip_check_array=True)
        self.fit_ = fitted
        request.given.annotate(fitted, labels)
        if config.measure_smoothness:
            from clusterexplain.verification import measure_smoothness

            fitted.annotations.smoothness = measure_smoothness(fitted)
        return self

    def estimate(
        self, X: Rows, sample_weight: ArrayLike | None = None, *, n_explained: int = 1, n_retrainings: int = 100
    ) -> Cost:
        """Say how long a fit and its questions will take, from a few steps of the training; nothing is fitted.

        Parameters
        ----------
        X : Dataset, frame, AnnData or array-like of shape (n_samples, n_features)
            As for :meth:`fit`.
        sample_weight : array-like or Series of shape (n_samples,), optional
            As for :meth:`fit`.
        n_explained : int, default=1
            Samples that one question is about.
        n_retrainings : int, default=100
            Retrainings of a check; a standard check of one sample has about as many.

        Returns
        -------
        Cost
            Seconds on this machine as it is now, and bytes of the recorded states; ``print`` it. A pretrained model counts as
            trained from the start.
        """
        request = FitRequest.of(self.get_params(deep=False), X, Beside(), sample_weight)
        return estimate_cost(
            request.config,
            request.objects,
            request.given.data,
            request.weights,
            seed=self._root_seed(),
            execution=Execution(self.n_jobs, self.max_memory, self.verbose),
            n_explained=n_explained,
            n_retrainings=n_retrainings,
        )

    def _root_seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def refit(self, sample_weight: ArrayLike | None) -> ClusterExplainer:
        """Repeat the recipe with the same randomness at other data weights, clusters matched to this fit.

        Parameters
        ----------
        sample_weight : array-like or Series of shape (n_samples,)
            Data weights, a Series or a mapping by id; removed examples keep their place in the batch plan with weight 0.

        Returns
        -------
        ClusterExplainer
            A new fitted estimator. Cluster k is what this fit's cluster k became: k-means is continued from the old
            members' means to convergence, a mixture from its old parameters, HDBSCAN is run anew and matched, and so is a
            reclusterer; without one, given labels are kept. After ``fit(X, train=False)`` it is the model after further
            training at the new weights; compare it with ``refit`` at the old ones.
        """
        check_is_fitted(self)
        joined = self.fit_.data.in_order(sample_weight, "sample_weight")
        weights = check_sample_weight(joined, len(self.fit_.data))
        # clone would make a fitted one forget its labels
        other: ClusterExplainer = clone(self).set_params(clusterer=self.clusterer, reclusterer=self.reclusterer)
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(self, name):
                setattr(other, name, getattr(self, name))
        other.fit_ = self.fit_.refit(weights)
        return other

    def predict(self, X: Rows) -> np.ndarray:
        """Return the cluster of each row, as a row that was not trained on, shape (n_samples,); -1 is noise."""
        check_is_fitted(self)
        return np.asarray(self.fit_.assignment.assign(self.fit_.embed_normalized(self._inputs(X))).numpy())

    def transform(self, X: Rows) -> np.ndarray:
        """Return the embedding of each row, shape (n_samples, latent_dim)."""
        check_is_fitted(self)
        return np.asarray(self.fit_.embed(self._inputs(X)).numpy())

    def membership(self, X: Rows) -> np.ndarray:
        """Return soft memberships, shape (n_samples, n_clusters); the log-ratio of two of them is the margin."""
        check_is_fitted(self)
        return np.asarray(self.fit_.assignment.membership(self.fit_.embed_normalized(self._inputs(X))).numpy())

    def explain(
        self,
        queries: Rows | slice,
        *,
        against: str | int = "runner-up",
        method: str | TrainingJacobian | JacobianFactory = "auto",
        method_options: dict[str, Any] | None = None,
        n_seeds: int = 1,
        show: str | Sequence[str] | None = None,
    ) -> Explanation:
        """Say which training examples pulled each query into its cluster, and which pushed it away.

        Parameters
        ----------
        queries : id, sequence of ids, slice, boolean mask, or rows of shape (n_queries, n_features)
            Ids of training examples, positions by slice or mask, or new rows, which are assigned to a cluster: a matrix, a
            frame, a Dataset, or the cells of an AnnData (the matrix that was trained on; genes are matched by name).
        against : "runner-up", "noise" or int, default="runner-up"
            The cluster to compare with: the runner-up of each sample, or the one named. For noise it is the cluster nearest to
            join, and the margin says how far it is outside.
        method : str, TrainingJacobian, or callable ``Trajectory -> TrainingJacobian``, default="auto"
            The influence method: "unrolled" is the exact derivative through the training, "further" that of further training
            from the weights of a pretrained model; "auto" is the one that the fit recorded. "implicit" is the classical
            influence function at the final parameters, an approximation to compare with; "gradient_dot" and
            "gradient_cosine" are baselines. A method of your own is an instance, or a function of the recorded training.
        method_options : dict, optional
            For "implicit": solver ("dense", "cg" or "lissa"), damping (0.01), eigenvalues ("clamped", "raw", "absolute"; for
            dense), tolerance, max_iterations, on_negative (for cg), scale, depth (for lissa), passes, decay; the gradient
            products take passes and decay. See :func:`clusterexplain.influence.registry.make_jacobian`.
        n_seeds : int, default=1
            More than 1 trains the recipe with so many seeds (the fit's own is one of them), keeps the labels, and averages the
            exact influences; ``seed_variability`` of the answer says which of them are seed-stable.
        show : str or sequence of str, optional
            Columns of the metadata that every table of the answer shows beside each example, a list or separated by commas:
            "batch,cell_type"; "text" is the beginning of its text.

        Returns
        -------
        Explanation
            Influence of every training example on every query.

        Raises
        ------
        UnknownSampleError
            If an id does not exist.
        InvalidParameterError
            If there is no runner-up cluster, the method is unknown, or the fit did not record what it needs.
        DisagreementError
            If the score does not tell what the labels tell.
        """
        check_is_fitted(self)
        if isinstance(n_seeds, bool) or not isinstance(n_seeds, (int, np.integer)) or n_seeds < 1:
            raise InvalidParameterError(f"n_seeds={n_seeds!r} must be a whole number of at least 1, for example 8.")
        shown = parse_show(show, self.fit_.data.metadata, self.fit_.data.text)
        samples = select_samples(queries, self.fit_.data)
        self._inputs(queries if is_named(queries) else samples.rows)  # refuses other columns
        explanation = explain(self.fit_, samples, against, method=method, method_options=method_options, show=shown)
        if n_seeds == 1:
            return explanation
        from clusterexplain.explanation.seed_ensemble import average_over_seeds
        from clusterexplain.verification.stability import refit_seeds

        return average_over_seeds(explanation, refit_seeds(self.fit_.seed, n_seeds - 1))

    def explain_cluster(self, cluster: int, *, n_shown: int = 5) -> ClusterAnswer:
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
            If the cluster does not exist or has no runner-up cluster.
        """
        from clusterexplain.explanation import explain_cluster

        check_is_fitted(self)
        return explain_cluster(self.fit_, cluster, n_shown=n_shown)

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
            If there is no runner-up cluster.
        """
        from clusterexplain.explanation import cohesions_of, explain_combinations

        check_is_fitted(self)
        return explain_combinations(self.fit_, cohesions_of(self.fit_))

    def separation(self, first: int, second: int) -> Explanation:
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
        from clusterexplain.explanation import explain_combinations, separation_of

        check_is_fitted(self)
        return explain_combinations(self.fit_, separation_of(self.fit_, first, second))

    def flip(self, query: Rows | slice, *, against: str | int = "runner-up", max_removed: int | None = None) -> Flip:
        """Search for the smallest set of training examples whose removal moves a sample to its runner-up.

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
        from clusterexplain.explanation import find_flip

        return find_flip(self.explain(query, against=against), max_removed=max_removed)

    def label_conflicts(self, *, share: float = 0.01, show: str | Sequence[str] | None = None) -> pd.DataFrame:
        """List near-duplicates among the training rows with different labels.

        Parameters
        ----------
        share : float, default=0.01
            Two rows are near-duplicates if their distance is among this share of the smallest nearest-neighbour distances.
        show : str or sequence of str, optional
            Columns of the metadata (and "text") to show for both of a pair, the second behind ``near_duplicate_``.

        Returns
        -------
        DataFrame
            Columns id, cluster, near_duplicate, near_duplicate_cluster, distance, relative (to the usual nearest-neighbour
            distance), nearest first; each pair once. ``explain([id], against=near_duplicate_cluster)`` says which examples
            separate a pair.
        """
        from clusterexplain.explanation import label_conflicts

        check_is_fitted(self)
        return label_conflicts(self.fit_, share=share, show=show)

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
        from clusterexplain.verification.stability.fit_stability import stability_of

        check_is_fitted(self)
        self.fit_.annotations.stability = stability_of(self.fit_, n_seeds=n_seeds, n_bootstrap=n_bootstrap)
        return self.fit_.annotations.stability

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
        self.fit_.annotations.name_clusters(names, self.fit_.clustering.n_clusters)
        return self

    def score(self, X: Rows, y: object = None) -> float:
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

    def map(self) -> np.ndarray:
        """Return where each training example is drawn: a view only, never used for explanations.

        It is no attribute, since UMAP takes up to minutes: looking at an estimator (``dir``, completion, a debugger) costs
        nothing.

        Returns
        -------
        ndarray of shape (n_samples, 2)
            The map that was given (``fit(map=)``), or UMAP of the embedding, computed once and kept.
        """
        check_is_fitted(self)
        from clusterexplain.report import umap_coordinates

        return umap_coordinates(self.fit_)

    def clusters(self) -> pd.DataFrame:
        """List the clusters: size, median margin, a typical member, and the one of smallest margin.

        Returns
        -------
        DataFrame
            One row for each cluster, see :func:`clusterexplain.explanation.overview.overview`.
        """
        from clusterexplain.explanation import overview

        check_is_fitted(self)
        fit = self.fit_
        return overview(self.labels_, self.margins_, fit.data.ids, self.sample_weight_ > 0, self.cluster_names_)

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

        check_is_fitted(self)
        check_same_fit(explanation, self.fit_)
        check_same_weights(explanation, self.fit_)
        return verify(explanation, **options)

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
        from clusterexplain.fitting.persistence.saving import save

        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return save(self.fit_, path, overwrite=overwrite, feature_names_in=None if names is None else list(names))

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        data: Rows | None = None,
        *,
        model: EmbeddingTask | Callable[[Dataset], EmbeddingTask] | None = None,
        clusterer: Clustering | ClusteringFactory | None = None,
        membership_score: Score | None = None,
        reclusterer: OwnReclusterer | None = None,
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
        clusterer : Clustering or callable, optional
            The clusterer of a run that was made with one of your own, as it was given to fit; a function is called once, to
            learn the class of its clustering. Labels and arrays are those of the run.
        membership_score : Score, optional
            The score of a run that was made with one of your own.
        reclusterer : callable or estimator, optional
            How given labels are found anew, see the parameter of this name: a run holds no function. It can be given to a
            run that was made without one.

        Returns
        -------
        ClusterExplainer
            Fitted.
        """
        from clusterexplain.fitting.persistence.loading import load

        fit, names = load(
            path, data, model, clusterer=clusterer, membership_score=membership_score, reclusterer=reclusterer
        )
        explainer = cls(**parameters_of(fit, clusterer, reclusterer))
        explainer.fit_ = fit
        explainer.n_features_in_ = fit.data.X.shape[1]
        if names is not None:
            explainer.feature_names_in_ = np.asarray(names, dtype=object)
        return explainer

    @property
    def labels_(self) -> np.ndarray:
        """Cluster of each training example, shape (n_samples,), 0 the largest; -1 is noise."""
        return np.array(self._fitted("labels_").clustering.labels.numpy())

    @property
    def embedding_(self) -> np.ndarray:
        """Embeddings of the training data, shape (n_samples, latent_dim)."""
        return np.array(self._fitted("embedding_").embedding.numpy())

    @property
    def cluster_centers_(self) -> np.ndarray:
        """One point for each cluster, shape (n_found, latent_dim); NaN for a cluster that a refit left empty."""
        return np.array(self._fitted("cluster_centers_").assignment.centers)

    @property
    def loss_(self) -> float:
        """Final weighted training loss."""
        return self._fitted("loss_").loss

    @property
    def further_(self) -> FurtherTraining:
        """Steps, rate and drift of further training; only after ``fit(X, train=False)``."""
        return self._known("further_", self._fitted("further_").further)

    @property
    def smoothness_(self) -> Smoothness:
        """How smooth the recipe is; only with ``measure_smoothness=True``."""
        return self._known("smoothness_", self._fitted("smoothness_").annotations.smoothness)

    @property
    def stability_(self) -> Stability:
        """How stable the clusters are; only after :meth:`stability`, in a loaded run with the same `reclusterer`."""
        return self._known("stability_", self._fitted("stability_").annotations.stability)

    @property
    def cluster_names_(self) -> dict[int, str]:
        """Names given by :meth:`name_clusters`."""
        return dict(self._fitted("cluster_names_").annotations.cluster_names)

    @property
    def margins_(self) -> np.ndarray:
        """Margin of each training example to its runner-up, shape (n_samples,); positive is inside its cluster."""
        check_is_fitted(self)
        return np.array(self.fit_.assignment.train_margins.numpy())

    @property
    def sample_weight_(self) -> np.ndarray:
        """Data weights of the fit, shape (n_samples,)."""
        check_is_fitted(self)
        return np.array(self.fit_.weights.numpy())

    @property
    def seed_(self) -> int:
        """The root seed, drawn from ``random_state``."""
        check_is_fitted(self)
        return self.fit_.seed

    @property
    def data_(self) -> Dataset:
        """The training data."""
        check_is_fitted(self)
        return self.fit_.data

    def __sklearn_tags__(self) -> Tags:
        """Say that sparse matrices are taken; they are made dense."""
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Whether there is a fit."""
        return "fit_" in self.__dict__

    def _fitted(self, name: str) -> Fit:
        """Return the fit for a learned attribute; without one there is no such attribute, as scikit-learn expects."""
        if "fit_" not in self.__dict__:
            raise AttributeError(f"{name} is there after fit(X). Call fit(X) first.")
        return self.fit_

    def set_params(self, **params: Any) -> ClusterExplainer:
        """Set parameters as scikit-learn does; those of execution and min_agreement hold for this fit, all others for the next.

        Parameters
        ----------
        **params : object
            By name.

        Returns
        -------
        ClusterExplainer
            Itself.
        """
        super().set_params(**params)
        if "fit_" in self.__dict__ and not {"n_jobs", "max_memory", "verbose"}.isdisjoint(params):
            execution = Execution(self.n_jobs, self.max_memory, self.verbose)
            self.fit_ = dataclasses.replace(self.fit_, execution=execution)
        if "fit_" in self.__dict__ and "min_agreement" in params:
            self.fit_ = dataclasses.replace(self.fit_, config=self.fit_.config.with_min_agreement(self.min_agreement))
        return self

    @staticmethod
    def _known(name: str, value: Learned | None) -> Learned:
        if value is None:
            raise AttributeError(
                f"{name} was not measured for this fit; see its entry under Attributes for how to get it."
            )
        return value

    @property
    def _n_features_out(self) -> int:
        return int(self.fit_.embedding.shape[1])

    def _inputs(self, X: Rows) -> Tensor:
        """Return rows as the network sees them; other columns than those of the fit are refused."""
        rows = new_rows(X, self.fit_.data)
        with warnings.catch_warnings():
            if rows.names is None:  # an array of a fit with names is taken in the order of the fit
                warnings.filterwarnings("ignore", "X does not have valid feature names", UserWarning)
            validate_data(self, rows.named, reset=False, skip_check_array=True)
        return self.fit_.inputs_of(rows.matrix)
