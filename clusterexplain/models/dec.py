"""Deep embedded clustering: centroids and encoder refined against a target distribution that is recomputed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from clusterexplain.clustering import KMeansClusterer, centroid_state
from clusterexplain.models.autoencoder import Autoencoder
from clusterexplain.models.start import PrincipalStart
from clusterexplain.models.task import Params, Stage

CENTROIDS = "centroids"


def student_t(embedding: Tensor, centroids: Tensor) -> Tensor:
    r"""Return soft assignments :math:`q_{ij} \propto (1 + \lVert z_i - \mu_j \rVert^2)^{-1}`, shape (batch, n_clusters)."""
    squared = (embedding.unsqueeze(-2) - centroids).square().sum(dim=-1)
    kernel = 1 / (1 + squared)
    return kernel / kernel.sum(dim=-1, keepdim=True)


def target_distribution(assignments: Tensor, weights: Tensor) -> Tensor:
    r"""Return the sharpened targets :math:`p_{ij} \propto q_{ij}^2 / \sum_{i'} w_{i'} q_{i'j}`.

    Parameters
    ----------
    assignments : Tensor of shape (n_samples, n_clusters)
        Soft assignments q of all training examples.
    weights : Tensor of shape (n_samples,)
        Data weights: an absent example has no say in how large a cluster is.

    Returns
    -------
    Tensor of shape (n_samples, n_clusters)
        Rows sum to 1.
    """
    frequency = (weights.unsqueeze(-1) * assignments).sum(dim=0)
    sharpened = assignments.square() / frequency
    return sharpened / sharpened.sum(dim=-1, keepdim=True)


class DEC(Autoencoder):
    r"""Deep embedded clustering (Xie, Girshick and Farhadi 2016).

    First an autoencoder is trained. Then the centroids become the weighted means of a k-means on its embedding, and encoder
    and centroids are refined on :math:`\frac{1}{B} \sum_i w_i \mathrm{KL}(p_i \Vert q_i)` with Student-t assignments q and
    targets p that are recomputed from all examples every `update_every` steps. Within a gradient the targets are constants,
    as published; the influence goes through their recomputation, because they are functions of the parameters and of the
    data weights. The labels of the k-means are found once and kept in every retraining.

    Parameters
    ----------
    n_features : int
        Input dimension.
    hidden : sequence of int
        Widths of the encoder's hidden layers; the decoder mirrors them.
    latent_dim : int
        Dimension of the embedding.
    n_clusters : int
        Number of learned centroids.
    activation : str
        One of ``ACTIVATIONS``; all but "relu" are smooth.
    pretrain : float, default=0.5
        Share of the training steps that go to the autoencoder; 0 starts from the initial network.
    update_every : int, default=20
        Steps between two recomputations of the targets.
    rate : float, default=0.3
        Learning rate of the refinement relative to that of the autoencoder.
    start : PrincipalStart, optional
        Where the training of the autoencoder starts; see :class:`~clusterexplain.models.autoencoder.Autoencoder`. Without
        pre-training the start is random.
    """

    def __init__(
        self,
        n_features: int,
        *,
        hidden: Sequence[int],
        latent_dim: int,
        n_clusters: int,
        activation: str = "gelu",
        pretrain: float = 0.5,
        update_every: int = 20,
        rate: float = 0.3,
        start: PrincipalStart | None = None,
    ) -> None:
        super().__init__(
            n_features, hidden=hidden, latent_dim=latent_dim, activation=activation, start=start if pretrain else None
        )
        self.latent_dim = latent_dim
        self.n_clusters = n_clusters
        self.pretrain = pretrain
        self.update_every = update_every
        self.rate = rate

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        """Draw the autoencoder's parameters; the centroids are zero until the refinement starts."""
        params = super().initial_params(generator, dtype)
        return params | {CENTROIDS: torch.zeros(self.n_clusters, self.latent_dim, dtype=dtype)}

    def stages(self) -> tuple[Stage, ...]:
        """Return pre-training (if any) and refinement."""
        refinement = Stage(
            self.divergence,
            share=1 - self.pretrain,
            rate=self.rate,
            freeze_choice=self._k_means,
            initialize=self._place_centroids,
            memory=self.targets,
            update_interval=self.update_every,
        )
        if not self.pretrain:
            return (refinement,)
        return *(replace(stage, share=self.pretrain) for stage in super().stages()), refinement

    def cluster_centers(self, params: Params) -> Tensor:
        """Return the learned centroids, shape (n_clusters, latent_dim)."""
        return params[CENTROIDS]

    def divergence(self, params: Params, inputs: Tensor, weights: Tensor, targets: Tensor) -> Tensor:
        """Return the weighted divergence of the batch's assignments from its targets, over the nominal batch size."""
        assignments, tiny = student_t(self.embed(params, inputs), params[CENTROIDS]), torch.finfo(targets.dtype).tiny
        each = (targets * (torch.log(targets + tiny) - torch.log(assignments))).sum(dim=-1)
        return (each * (weights / inputs.shape[0])).sum()

    def targets(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        """Return the target distribution of all training examples, shape (n_samples, n_clusters)."""
        return target_distribution(student_t(self.embed(params, inputs), params[CENTROIDS]), weights)

    def _k_means(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        embedding = self.embed(params, inputs).double()
        clusterer = KMeansClusterer(self.n_clusters, seed=0)
        return torch.from_numpy(clusterer.fit(embedding.numpy(), weights.double().numpy()))

    def _place_centroids(self, params: Params, inputs: Tensor, weights: Tensor, labels: Tensor) -> Params:
        state = centroid_state(self.embed(params, inputs), weights, labels, self.n_clusters)
        return params | {CENTROIDS: state.centers}
