# %% [markdown]
# # Your own clusterer
#
# A clusterer that this package does not have is one class. Here fuzzy c-means (Bezdek 1981): every sample belongs to every
# cluster a little, and the centroids are a fixed point of the data weights. Its derivative is that of the fixed point.

# %%
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from sklearn.datasets import load_iris
from torch import Tensor

from clusterexplain import ClusterExplainer
from clusterexplain.clustering import (
    CentroidState,
    Clustering,
    ClusteringSpec,
    ClusterInputs,
    ClusterState,
    KMeansClustering,
    check_clustering,
)
from clusterexplain.clustering.centroids import around, squared_distances, weighted_means
from clusterexplain.clustering.fixed_point import implicit, inverse_of, solve

# %% [markdown]
# ## The class
#
# A clustering holds its discrete choices (`labels`) and whatever else it has found (`centers`). Four methods say the rest:
#
# * `state` is the differentiable part, a function of the embedding and the data weights.
# * `update_kept` solves the fixed point at other embeddings and weights, labels kept.
# * `update_continued` also labels the samples again, so that cluster k stays cluster k.
# * `assign` says where a sample belongs that was not trained on.
#
# Its state is a `CentroidState`, so the scores for centroids explain it, here the default one, `"margin"`.


# %%
@dataclass(frozen=True, eq=False)
class FuzzyCMeans(Clustering[CentroidState]):
    """Fuzzy c-means with exponent 2."""

    centers: Tensor  # (n_clusters, dim), where `reference` puts the fixed point
    reference: ClusterInputs | None = None

    name: ClassVar[str] = "fuzzy_c_means"
    scores: ClassVar[tuple[str, ...]] = ("margin", "student_t")
    state_type: ClassVar[type[ClusterState]] = CentroidState
    reassigns: ClassVar[bool] = False  # no choice is discrete: what is continued is what is kept

    @classmethod
    def cluster(cls, inputs: ClusterInputs, spec: ClusteringSpec) -> FuzzyCMeans:
        """Cluster from scratch, from k-means on."""
        hard = KMeansClustering.fit(inputs.embedding, inputs.weights, spec.n_clusters, seed=spec.seed)
        start = cls(hard.labels, hard.n_clusters, hard.state(inputs).centers)
        return start.update_continued(inputs)

    def mass(self, centers: Tensor, inputs: ClusterInputs) -> Tensor:
        """Return the weight of each sample times its squared membership, shape (n_samples, n_clusters)."""
        closeness = 1 / (squared_distances(inputs.embedding, centers) + 1e-12)
        return inputs.weights.unsqueeze(-1) * (closeness / closeness.sum(dim=-1, keepdim=True)).square()

    def step(self, flat: Tensor, inputs: ClusterInputs) -> Tensor:
        """Return one iteration of the map whose fixed point the centroids are, flat."""
        mass = self.mass(flat.reshape(self.n_clusters, -1), inputs)
        return weighted_means(inputs.embedding, mass).reshape(-1)

    def state(self, inputs: ClusterInputs) -> CentroidState:
        """Return the centroids with the derivative of the fixed point."""
        flat = self.centers.reshape(-1)
        inverse = inverse_of(partial(self.step, inputs=self.reference), flat)
        centers = implicit(self.step(flat, inputs), flat, inverse).reshape(self.n_clusters, -1)
        return around(centers, inputs.embedding, self.mass(centers, inputs))

    def update_kept(self, inputs: ClusterInputs) -> FuzzyCMeans:
        """Solve the fixed point at other inputs."""
        flat, _ = solve(partial(self.step, inputs=inputs), self.centers.reshape(-1))
        return replace(self, centers=flat.reshape(self.n_clusters, -1), reference=inputs)

    def update_continued(self, inputs: ClusterInputs) -> FuzzyCMeans:
        """Solve the fixed point and label every sample by its largest membership."""
        solved = self.update_kept(inputs)
        return replace(solved, labels=squared_distances(inputs.embedding, solved.centers).argmin(dim=-1))

    def assign(self, rows: Tensor, state: CentroidState) -> Tensor:
        """Return the cluster of largest membership."""
        return squared_distances(rows, state.centers).argmin(dim=-1)

    # What a saved run holds of it. The data are not stored twice: `with_reference` gives them back.

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the centroids."""
        return {"centers": self.centers.numpy()}

    @classmethod
    def restore(cls, labels, n_clusters, arrays, settings) -> FuzzyCMeans:
        """Rebuild."""
        return cls(labels, n_clusters, torch.tensor(arrays["centers"]))

    def with_reference(self, inputs: ClusterInputs) -> FuzzyCMeans:
        """Take the inputs over."""
        return replace(self, reference=inputs)


# %% [markdown]
# ## Does it keep the contract?
#
# `check_clustering` compares the derivative with finite differences, leaves rows out and doubles them, stores and restores.
# The message of a broken rule says what to mend.

# %%
X = load_iris().data
weights = np.linspace(0.5, 1.5, len(X))
check_clustering(FuzzyCMeans.cluster, X, weights)

# %% [markdown]
# ## Explain with it
#
# Pass the function that clusters. Everything else is as with a clusterer by name.

# %%
recipe = {"n_clusters": 3, "latent_dim": 2, "hidden": (8,), "n_steps": 200, "scaling": "standard", "dtype": "float64"}
ce = ClusterExplainer(clusterer=FuzzyCMeans.cluster, random_state=0, **recipe).fit(X)
e = ce.explain([100])
print(e)

# %% [markdown]
# The influence is a derivative through the whole training and the fixed point. Train again with the strongest example at 99 %
# of its weight: the margin moves as predicted.

# %%
strongest = int(np.abs(e.influence[0]).argmax())
weights = np.ones(len(X))
weights[strongest] = 0.99
predicted = -0.01 * e.influence[0, strongest]
retrained = e.evaluate(ce.refit(weights))[0] - e.scores[0]
print(f"predicted {predicted:+.3e}, retrained {retrained:+.3e}")
assert abs(retrained - predicted) < 0.05 * abs(predicted)

# %% [markdown]
# A saved run holds labels and centroids, never code. So the function is passed again when the run is opened.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    ce.save(Path(folder) / "run")
    again = ClusterExplainer.load(Path(folder) / "run", clusterer=FuzzyCMeans.cluster)
    assert np.array_equal(again.explain([100]).influence, e.influence)
