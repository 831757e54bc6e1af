"""The network of the experiment, its two training losses and the score that is asked about."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.func import jacrev
from torch.nn import functional as F

from clusterexplain.experiments.mixture.points import N_COMPONENTS
from clusterexplain.models import CENTROIDS, DEC, Params, Stage, student_t
from clusterexplain.training import Layout

WIDTH = 12


class MixtureNetwork(DEC):
    r"""Encoder 2-12-12 with three learned centroids, trained on one of two losses.

    Both are divergences :math:`\frac{1}{n} \sum_i w_i \mathrm{KL}(p_i \Vert q_i)` of the Student-t assignments q. In the
    cross-loss arm the targets p are DEC's, recomputed at every step from all examples; in the matched arm they are one-hot
    labels, and the divergence is the negative log-likelihood :math:`-\log q_{i, label}`. Nothing is decoded.

    Parameters
    ----------
    activation : str
        "relu" as published, or a smooth one.
    labels : Tensor of shape (n_samples,), int64, optional
        Labels of the matched arm; None is the cross-loss arm.
    placed : bool, default=False
        Whether the centroids start as weighted means of the embeddings (of the labels' classes, or of a k-means in the
        cross-loss arm) and so follow the data weights; otherwise they start where the initial parameters say.
    """

    def __init__(self, activation: str, *, labels: Tensor | None = None, placed: bool = False) -> None:
        super().__init__(
            2, hidden=(WIDTH,), latent_dim=WIDTH, n_clusters=N_COMPONENTS, activation=activation, pretrain=0.0
        )
        self.labels = labels
        self._targets = None if labels is None else F.one_hot(labels, N_COMPONENTS)
        self.placed = placed

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw the encoder as ``torch.nn.Linear`` does; the centroids are zero."""
        drawn = {name: value.to(dtype) for name, value in self.encoder.initial(generator).items()}
        return drawn | {CENTROIDS: torch.zeros(self.n_clusters, self.latent_dim, dtype=dtype)}

    def stages(self) -> tuple[Stage, ...]:
        """Return the one stage of the arm."""
        freeze_choice = None if not self.placed else self._k_means if self.labels is None else self._given
        initialize = self._place_centroids if self.placed else None
        memory = self.targets if self.labels is None else self._one_hot
        return (Stage(self.divergence, freeze_choice=freeze_choice, initialize=initialize, memory=memory),)

    def assignments(self, params: Params, points: Tensor) -> Tensor:
        """Return Student-t assignments of points of shape (batch, 2), shape (batch, 3)."""
        return student_t(self.embed(params, points), params[CENTROIDS])

    def log_memberships(self, params: Params, points: Tensor, own: Tensor) -> Tensor:
        """Return the scores log q of each point in a given cluster: minus its negative log-likelihood.

        Parameters
        ----------
        params : dict of str to Tensor
            Parameters.
        points : Tensor of shape (n_queries, 2)
            Queries.
        own : Tensor of shape (n_queries,), int64
            Clusters.

        Returns
        -------
        Tensor of shape (n_queries,)
            At most 0; larger is deeper in the cluster.
        """
        return torch.log(self.assignments(params, points)).gather(1, own.unsqueeze(1)).squeeze(1)

    def cotangents(self, layout: Layout, theta: Tensor, points: Tensor, own: Tensor) -> Tensor:
        """Return the derivatives of :meth:`log_memberships` in flat parameters, shape (n_queries, n_params)."""
        slopes: Tensor = jacrev(lambda theta: self.log_memberships(layout.split(theta), points, own))(theta)
        return slopes.detach()

    def targets_of(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the targets that the next step of this arm would use, shape (n_samples, 3)."""
        with torch.no_grad():
            return (self.targets if self.labels is None else self._one_hot)(params, inputs, weights)

    def _given(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        assert self.labels is not None
        return self.labels

    def _one_hot(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        assert self._targets is not None
        return self._targets.to(inputs.dtype)
