"""A Gaussian mixture with data weights: fitted by EM, differentiated through the fixed point of EM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor

from clusterexplain.clustering.base import Clustering, ClusterInputs, ClusterState
from clusterexplain.clustering.em import Covariances, ExpectationMaximization, precisions_cholesky
from clusterexplain.clustering.fixed_point import implicit, solve
from clusterexplain.clustering.kmeans import KMeansClusterer
from clusterexplain.clustering.mixture_state import MixtureState, log_joint, squared_mahalanobis
from clusterexplain.exceptions import AdoptedClustersWarning, InvalidParameterError, warn

REG_COVAR = 1e-6
"""What is added to variances, as a share of the variance of the embedding."""
LOG_NOTHING = math.log(torch.finfo(torch.float64).tiny)


@dataclass(frozen=True, eq=False)
class GaussianMixtureClustering(Clustering[MixtureState]):
    r"""A Gaussian mixture at a fixed point of weighted EM.

    The weight of a sample multiplies its log-likelihood, so that weight 2 is the sample twice and weight 0 is the sample
    absent. One EM step is a smooth map F of the parameters x, the embeddings Z and the weights w; at its fixed point the
    implicit function theorem gives

    .. math:: \frac{dx}{d(Z, w)} = (I - \partial_x F)^{-1} \, \partial_{(Z, w)} F,

    which is the observed information of the mixture at work (Louis 1982; Jamshidian and Jennrich 1997): I - dF/dx is the
    share of the complete information that is observed. No choice is discrete but the labels, which no parameter reads.

    Parameters
    ----------
    labels, n_clusters
        As for :class:`Clustering`.
    solution : Tensor of shape (n_parameters,)
        Parameters at the fixed point, in the coordinates ``(z - origin) / unit``; see :class:`ExpectationMaximization`.
    nonempty : Tensor of shape (n_clusters,), bool
        Components with any weight; the others take no part.
    origin : Tensor of shape (dim,)
        Weighted mean of the embedding of the fit, a constant.
    unit : Tensor of shape ()
        Its root mean squared deviation per dimension, a constant: makes rounding, not the map, free of scale.
    covariance_type : {"full", "tied", "diag", "spherical"}
        As scikit-learn defines them.
    reg_covar : float
        Added to the diagonal of covariances, as a share of the weighted variance per dimension of the embedding. It is
        part of the map: when the embedding widens, so does what is added.
    converged : bool
        Whether EM arrived at a fixed point that attracts it.
    reference : ClusterInputs, optional
        Embedding and weights that `solution` belongs to.

    References
    ----------
    .. [1] Dempster, A. P., Laird, N. M. and Rubin, D. B. (1977). "Maximum likelihood from incomplete data via the EM
       algorithm". Journal of the Royal Statistical Society B 39(1), 1-38.
    .. [2] Louis, T. A. (1982). "Finding the observed information matrix when using the EM algorithm". Journal of the
       Royal Statistical Society B 44(2), 226-233.
    .. [3] Jamshidian, M. and Jennrich, R. I. (1997). "Acceleration of the EM algorithm by using quasi-Newton methods".
       Journal of the Royal Statistical Society B 59(3), 569-587.
    """

    solution: Tensor
    nonempty: Tensor
    origin: Tensor
    unit: Tensor
    covariance_type: str
    reg_covar: float
    converged: bool
    reference: ClusterInputs | None = None

    name: ClassVar[str] = "gmm"
    scores: ClassVar[tuple[str, ...]] = ("responsibility",)
    is_fixed_point: ClassVar[bool] = True
    state_type: ClassVar[type[ClusterState]] = MixtureState
    reassigns: ClassVar[bool] = False
    has_random_init: ClassVar[bool] = True
    has_responsibilities: ClassVar[bool] = True

    @classmethod
    def fit(
        cls,
        embedding: Tensor,
        weights: Tensor,
        n_clusters: int,
        *,
        seed: int,
        covariance_type: str = "full",
        reg_covar: float = REG_COVAR,
    ) -> GaussianMixtureClustering:
        """Fit from scratch, started at the clusters of k-means.

        Parameters
        ----------
        embedding : Tensor of shape (n_samples, dim)
            Embeddings, float64.
        weights : Tensor of shape (n_samples,)
            Data weights; rows of weight 0 get a label and have no say.
        n_clusters : int
            Number of components asked for; there are fewer where k-means finds fewer.
        seed : int
            Seed of k-means.
        covariance_type : {"full", "tied", "diag", "spherical"}, default="full"
            Kind of the covariances.
        reg_covar : float, default=1e-6
            Share of the variance per dimension that is added to the diagonal of covariances.

        Returns
        -------
        GaussianMixtureClustering
            Components in canonical order: the most labels first, ties to the smallest row.

        Raises
        ------
        InvalidParameterError
            Unknown covariance type.

        Examples
        --------
        >>> z = torch.tensor([[0.0], [0.2], [0.1], [9.0], [9.2]], dtype=torch.float64)
        >>> GaussianMixtureClustering.fit(z, torch.ones(5, dtype=torch.float64), 2, seed=0).labels
        tensor([0, 0, 0, 1, 1])
        """
        present = weights > 0
        hard = KMeansClusterer(n_clusters, seed).fit(embedding[present].numpy(), weights[present].numpy())
        start = torch.full((len(weights),), -1).masked_scatter(present, torch.from_numpy(hard).long())
        members = (start.unsqueeze(-1) == torch.arange(int(start.max()) + 1)).double()
        blank = cls._unsolved(embedding, weights, members.shape[1], covariance_type, reg_covar)
        inputs = ClusterInputs(embedding, weights)
        return blank._solved(inputs, blank._em(inputs).maximise(members))._canonical()

    @classmethod
    def from_parameters(cls, fitted: GaussianMixture, embedding: Tensor, weights: Tensor) -> GaussianMixtureClustering:
        """Continue EM from a mixture that scikit-learn fitted, and keep its labels.

        Parameters
        ----------
        fitted : GaussianMixture
            Component k stays cluster k, and its ``predict(embedding)`` the labels. What it adds to covariances is an
            absolute number; it becomes a share of the variance here.
        embedding : Tensor of shape (n_samples, dim)
            Embeddings, float64.
        weights : Tensor of shape (n_samples,)
            Data weights.

        Returns
        -------
        GaussianMixtureClustering
            EM run to convergence from the given parameters.

        Raises
        ------
        InvalidParameterError
            The mixture is not fitted, or not in the space of the embedding.
        """
        dim = embedding.shape[1]
        _check_fitted(fitted, dim)
        blank = cls._unsolved(embedding, weights, len(fitted.means_), fitted.covariance_type, 0.0)
        variance = weighted_variance(embedding, weights)
        unit = float(blank.unit)
        blank = replace(blank, reg_covar=fitted.reg_covar / variance if variance > 0 else 0.0)
        covariances = torch.from_numpy(np.array(fitted.covariances_, dtype=np.float64)) / unit**2
        inputs = ClusterInputs(embedding, weights)
        kind = blank._em(inputs).covariances
        start = torch.cat(
            [
                torch.from_numpy(fitted.weights_).double().clamp_min(torch.finfo(torch.float64).tiny).log(),
                ((torch.from_numpy(fitted.means_).double() - blank.origin) / unit).ravel(),
                (kind.pack(covariances) if fitted.covariance_type in ("full", "tied") else covariances).ravel(),
            ]
        )
        labels = torch.from_numpy(fitted.predict(embedding.numpy())).long()
        solved = replace(blank._solved(inputs, start), labels=labels)
        moved = int(((solved._largest() != labels) & (weights > 0)).sum())
        if moved:
            warn(
                f"{moved} of {len(labels)} rows belong to another component once EM has converged: the GaussianMixture stopped "
                f"before (tol={fitted.tol:g}), or was fitted to other rows or weights. Labels are kept, and margins are those "
                f"of the converged mixture. Expected a mixture at its maximum: fit it again with tol=1e-8 and max_iter=10000.",
                AdoptedClustersWarning,
            )
        return solved

    @classmethod
    def _unsolved(
        cls, embedding: Tensor, weights: Tensor, n_clusters: int, covariance_type: str, reg_covar: float
    ) -> GaussianMixtureClustering:
        if covariance_type not in Covariances.TYPES:
            raise InvalidParameterError(
                f"covariance_type={covariance_type!r} is unknown; choose one of {', '.join(Covariances.TYPES)}."
            )
        unit = math.sqrt(weighted_variance(embedding, weights)) or 1.0
        return cls(
            labels=torch.full((len(embedding),), -1),
            n_clusters=n_clusters,
            solution=torch.zeros(0, dtype=torch.float64),
            nonempty=torch.ones(n_clusters, dtype=torch.bool),
            origin=(weights @ embedding / weights.sum()).detach(),
            unit=torch.tensor(unit, dtype=torch.float64),
            covariance_type=covariance_type,
            reg_covar=float(reg_covar),
            converged=False,
        )

    @property
    def identified(self) -> bool:
        """Whether EM converged to rounding: coinciding components have no isolated fixed point."""
        return self.converged

    def _em(self, inputs: ClusterInputs) -> ExpectationMaximization:
        """Return the EM map at the inputs, in coordinates of about unit variance."""
        rows = (inputs.embedding - self.origin) / self.unit
        covariances = Covariances(self.covariance_type, rows.shape[-1])
        return ExpectationMaximization(rows, inputs.weights, self.nonempty, covariances, self.reg_covar)

    def _solved(self, inputs: ClusterInputs, start: Tensor, inverse: Tensor | None = None) -> GaussianMixtureClustering:
        """Run EM from `start`; a component without weight, there or at the end, takes no part from then on."""
        em = self._em(inputs)
        solution, converged = start, False
        # solve, drop the components that have lost their weight, and solve again until none does
        while True:
            nonempty = em.nonempty & em.carries_weight(solution)
            if converged and bool((nonempty == em.nonempty).all()):
                break
            if not bool((nonempty == self.nonempty).all()):
                inverse = None  # another map
            em = replace(em, nonempty=nonempty)
            solution, converged = solve(em, solution, inverse=inverse, invert=em.inverse)
            if not converged:
                break
        return replace(
            self,
            solution=solution,
            nonempty=em.nonempty,
            converged=converged,
            reference=_detached(inputs),
        )

    @cached_property
    def inverse(self) -> Tensor:
        """The inverse of I - dF/dx where EM was solved, shape (n_parameters, n_parameters); computed when needed."""
        return self._reference_em().inverse(self.solution)

    def _reference_em(self) -> ExpectationMaximization:
        assert self.reference is not None, "a restored clustering must be told its inputs by `with_reference`"
        return self._em(self.reference)

    def state(self, inputs: ClusterInputs) -> MixtureState:
        """Return the components as a differentiable function of embeddings and weights; see :class:`Clustering`."""
        em = self._em(inputs)
        return self._components(em, implicit(em(self.solution), self.solution, self.inverse))

    def values(self, inputs: ClusterInputs) -> MixtureState:
        """Return the components without their derivative, which would need the inverse."""
        return self._components(self._em(inputs), self.solution)

    def _components(self, em: ExpectationMaximization, x: Tensor) -> MixtureState:
        log_weights, means, matrices = em.parameters(x)
        roots = precisions_cholesky(matrices).expand(self.n_clusters, -1, -1)  # one for all components if tied
        # the state in the coordinates of EM, to measure the spread s_k; then back to the units of the embedding
        white = MixtureState(means, roots, log_weights, log_weights, self.nonempty)
        mass, totals = em.mass(em.responsibilities(x))
        return MixtureState(
            means=means * self.unit + self.origin,
            precisions_cholesky=roots / self.unit,
            log_weights=torch.where(self.nonempty, log_weights, LOG_NOTHING),
            spread=(mass * squared_mahalanobis(em.rows, white)).sum(dim=0) / totals,
            nonempty=self.nonempty,
        )

    def update_kept(self, inputs: ClusterInputs) -> GaussianMixtureClustering:
        """Continue EM at other embeddings and weights: Newton steps first, plain EM where they do not contract."""
        return self._solved(inputs, self.solution, self.inverse)

    def update_continued(self, inputs: ClusterInputs) -> GaussianMixtureClustering:
        """Continue EM and give every row whose largest responsibility has moved the label of the new one.

        Where nothing moves, labels stay what they were, also those that another estimator gave.
        """
        updated = self.update_kept(inputs)
        before, after = self._largest(), updated._largest()
        return replace(updated, labels=torch.where(before == after, self.labels, after))

    def from_scratch(self, inputs: ClusterInputs, *, seed: int) -> GaussianMixtureClustering:
        """Cluster from scratch with other initialisations."""
        return type(self).fit(
            inputs.embedding,
            inputs.weights,
            min(self.n_clusters, int((inputs.weights > 0).sum())),
            seed=seed,
            covariance_type=self.covariance_type,
            reg_covar=self.reg_covar,
        )

    def assign(self, rows: Tensor, state: MixtureState) -> Tensor:
        """Return the component of largest responsibility for each row of shape (n, dim)."""
        return log_joint(rows, state).masked_fill(~state.nonempty, -torch.inf).argmax(dim=-1)

    def _largest(self) -> Tensor:
        # the component of largest responsibility of each row, where EM was solved
        with torch.no_grad():
            return self._reference_em().responsibilities(self.solution).argmax(dim=-1)

    def _canonical(self) -> GaussianMixtureClustering:
        """Label the rows and renumber the components by the number of their members, then by their smallest row."""
        labels = self._largest()
        assert self.reference is not None, "solved, so it knows where"
        own = labels.unsqueeze(-1) == torch.arange(self.n_clusters)  # shape (n_samples, n_clusters)
        own = own & (self.reference.weights > 0).unsqueeze(-1)  # rows that are not there are not counted
        first = torch.where(own.any(dim=0), own.int().argmax(dim=0), len(labels))
        order = torch.from_numpy(np.lexsort((first.numpy(), -own.sum(dim=0).numpy())))
        em = self._reference_em()
        return replace(
            self,
            labels=order.argsort()[labels],
            solution=em.renumber(self.solution, order),
            nonempty=self.nonempty[order],
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the solution and its coordinates."""
        names = ("solution", "nonempty", "origin", "unit")
        return {name: getattr(self, name).numpy() for name in names}

    @property
    def settings(self) -> dict[str, Any]:
        """Kind of the covariances, what is added to them, and whether EM converged."""
        return {"covariance_type": self.covariance_type, "reg_covar": self.reg_covar, "converged": self.converged}

    def with_reference(self, inputs: ClusterInputs) -> GaussianMixtureClustering:
        """Take the inputs over that the solution belongs to."""
        return replace(self, reference=_detached(inputs))

    @classmethod
    def restore(
        cls, labels: Tensor, n_clusters: int, arrays: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> GaussianMixtureClustering:
        """Rebuild; :meth:`with_reference` gives the inputs back."""
        stored: dict[str, Any] = {name: torch.tensor(array) for name, array in arrays.items()}
        return cls(labels, n_clusters, **stored, **settings)


def _detached(inputs: ClusterInputs) -> ClusterInputs:
    return ClusterInputs(inputs.embedding.detach(), inputs.weights.detach())


def weighted_variance(embedding: Tensor, weights: Tensor) -> float:
    """Return the weighted variance per dimension, a number in squared units of the embedding."""
    offsets = embedding - weights @ embedding / weights.sum()
    return float((weights @ offsets.square()).mean() / weights.sum())


def _check_fitted(fitted: GaussianMixture, dim: int) -> None:
    if not hasattr(fitted, "means_"):
        raise InvalidParameterError(
            "The GaussianMixture is not fitted, so it has no components to explain; call its fit method on the embedding "
            "first, or pass clusterer='gmm' to have one fitted."
        )
    if fitted.means_.shape[1] != dim:
        raise InvalidParameterError(
            f"The GaussianMixture was fitted on {fitted.means_.shape[1]} columns, but the embedding has {dim}; fit it on "
            "the embedding (the transform of the explainer), not on the data."
        )
