# %% [markdown]
# # Your own labels
#
# The clusters need not be found by this package. Fit any clusterer to the embedding and pass it, or pass its labels: they
# are kept as they are. Here HDBSCAN on 178 wines, thirteen measurements each. It leaves some of them out as noise.

# %%
import hdbscan
import numpy as np
import pandas as pd
from sklearn.cluster import SpectralClustering
from sklearn.datasets import load_wine, make_moons
from sklearn.neighbors import kneighbors_graph

from clusterexplain import ClusterExplainer, Dataset

wine = load_wine(as_frame=True)
cultivar = pd.DataFrame({"cultivar": [f"cultivar {one}" for one in wine.target]})  # known, but never trained on
data = Dataset(wine.data, metadata=cultivar)

# %% [markdown]
# The embedding first. The same recipe and seed give the same embedding again, so a clusterer that was fitted to it can be
# passed to a second fit.

# %%
recipe = {"scaling": "standard", "n_steps": 600, "random_state": 0}
embedding = ClusterExplainer(n_clusters=3, **recipe).fit(data).embedding_
found = hdbscan.HDBSCAN(min_cluster_size=10, min_samples=5).fit(embedding)
ce = ClusterExplainer(clusterer=found, **recipe).fit(data)
print(pd.crosstab(pd.Series(ce.labels_, name="cluster"), cultivar["cultivar"]))

# %% [markdown]
# ## Why is a wine noise?
#
# The margin of a noise sample is its distance to the edge of a cluster: positive is outside, at 0 it would join. The
# reason is "density" (too few neighbours near by) or "distance" (it is too far from the cluster's members).

# %%
noise = np.flatnonzero(ce.labels_ == -1)
e = ce.explain(noise)
table = pd.DataFrame({"id": e.query_ids, "margin": e.scores, "nearest": e.runner_ups, "reason": e.noise_reasons})
print(table.sort_values("margin").head(8).to_string(index=False))
print(table["reason"].value_counts().to_string())

# %% [markdown]
# Take one that is near to joining. "Pulled in" means into the noise: without such a wine the margin falls, and this one comes
# nearer to the cluster.

# %%
near = table[table["margin"] > 0.01].sort_values("margin").index[0]
one = e[near]
print(one)

# %% [markdown]
# ## Which cultivar keeps it out?
#
# Influence summed over a column of the metadata, with a 95 % interval: how much the sum would vary if other wines of the
# same group had been drawn. An interval with 0 in it does not settle the side.

# %%
groups = one.by("cultivar")
print(groups[["group", "n", "influence", "low", "high", "pull_share", "size_share"]].to_string(index=False))

# %% [markdown]
# ## Check it
#
# Train again without single wines and compare, for the six that are nearest to joining. With the discrete choices of HDBSCAN
# kept, the derivative should agree. Continued, HDBSCAN builds another tree, which a derivative cannot see: the rows "continued"
# show that.

# %%
nearest = e[table.sort_values("margin").index[:6].to_numpy()]
check = ce.verify(nearest, n_single=32, n_within=0, n_groups=16, n_top=0)
print(check)

# %% [markdown]
# ## Labels of a graph
#
# Clusters that were found in a graph of neighbours (Leiden, Louvain, spectral clustering) need not be balls, and no centroid
# describes them. Here two half moons, each one around the end of the other. The embedding is the rows themselves.

# %%
moons, _ = make_moons(200, noise=0.1, random_state=0)
edges = kneighbors_graph(moons, 15)
graph = edges.maximum(edges.T)
spectral = SpectralClustering(2, affinity="precomputed", random_state=0).fit_predict(graph)
by = {}
for score in ("margin", "knn", "graph"):
    one_score = ClusterExplainer("precomputed", membership_score=score, min_agreement=0)
    by[score] = one_score.fit(moons, labels=spectral, graph=graph if score == "graph" else None)
    print(
        f"{score}: {by[score].fit_.assignment.agreement():.1%} of the points have the highest score for their own label"
    )

# %% [markdown]
# `"knn"` is the vote of the nearest neighbours in the embedding, `"graph"` the vote in the graph, which is held fixed. With
# `membership_score="auto"` (the default) `fit` takes the first score that agrees with the labels, and says so. A point between
# the moons has neighbours on both sides; their weights are all that moves its vote.

# %%
voted = by["graph"].explain([int(np.abs(by["graph"].margins_).argmin())])
print(voted)
print(by["graph"].verify(voted, level="quick").summary[["kind", "assignments", "spearman"]].to_string(index=False))

# %%
assert by["graph"].fit_.assignment.agreement() > by["margin"].fit_.assignment.agreement()
assert np.array_equal(voted.influence[0] != 0, graph.toarray()[voted.positions[0]] != 0)

# %%
assert np.array_equal(ce.labels_, found.labels_)
assert (one.labels == -1).all()
assert one.noise_reasons[0] in ("density", "distance")
assert ((groups["low"] <= groups["influence"]) & (groups["influence"] <= groups["high"])).all()
assert check.figure("single", "kept") > 0.6
