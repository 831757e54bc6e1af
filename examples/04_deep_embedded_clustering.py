# %% [markdown]
# # Deep embedded clustering
#
# DEC (Xie, Girshick and Farhadi 2016) sharpens soft assignments: every step, the targets are computed anew from *all*
# examples, then the encoder and the centroids move towards them. The targets of each example therefore depend on all others,
# and the influence goes through them. Three Gaussians, where one can see everything.

# %%
import numpy as np

from clusterexplain import ClusterExplainer

rng = np.random.default_rng(0)
points = np.concatenate([rng.normal(mean, 1.25, (50, 2)) for mean in ((0, 0), (5, 5), (5, -5))])
ce = ClusterExplainer(
    model="dec",
    n_clusters=3,
    hidden=(12,),
    latent_dim=12,
    n_steps=300,
    batch_size=150,
    model_options={"pretrain": 0.0, "update_every": 1, "rate": 1.0},
    random_state=0,
).fit(points)
print(f"clusters of {np.bincount(ce.labels_)} points")

# %% [markdown]
# Ask about the points that are least sure of their cluster.

# %%
membership = np.sort(ce.membership(points), axis=1)
doubtful = np.argsort(membership[:, -1] / membership[:, -2])[:4]
e = ce.explain(doubtful)
print(e)
print(e.by("cluster"))

# %% [markdown]
# Remove single points for real: the same training with weight 0 for one of them. Five strong ones of each sign for the first
# sample, and what becomes of the margin.

# %%
removed = [int(i) for i in e.top(3)["id"]]
before = e.evaluate(ce, assignments="frozen")
predicted, retrained = [], []
print(f"sample {e.query_ids[0]}, margin {before[0]:.3f}; if removed, the margin changes by")
for i in removed:
    weights = np.ones(len(points))
    weights[i] = 0
    predicted.append(e.predict(weights))
    retrained.append(e.evaluate(ce.refit(weights), assignments="frozen") - before)
    print(f"  point {i:3d}: predicted {predicted[-1][0]:+.4f}, retrained {retrained[-1][0]:+.4f}")

correlation = np.corrcoef(np.ravel(predicted), np.ravel(retrained))[0, 1]
print(f"correlation over {len(removed)} removals and {len(e)} samples: {correlation:.3f}")
assert correlation > 0.9
assert (np.sign(np.array(predicted)[:, 0]) == np.sign(np.array(retrained)[:, 0])).all()
