# %% [markdown]
# # Deep embedded clustering
#
# DEC (Xie, Girshick and Farhadi 2016) sharpens soft assignments: targets are recomputed from *all* examples, then encoder
# and centroids move towards them. The targets of one example therefore depend on all others, and the influence goes through
# them. Here on three Gaussians, without pre-training, with new targets before every step.

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
# Ask about the points that are least sure of their cluster. Negative in the column `if_removed` means that the point pulled the
# sample in: without it, the margin falls.

# %%
membership = np.sort(ce.membership(points), axis=1)
doubtful = np.argsort(membership[:, -1] / membership[:, -2])[:2]
e = ce.explain(doubtful)
print(e[0])
print(e[0].by("cluster"))

# %% [markdown]
# Train again without points: the three strongest pullers and the three strongest pushers of the first sample, one at a time.
# Each refit repeats the whole training with the same randomness and weight 0 for that point.

# %%
removed = [int(i) for i in e.top(3)["id"]]
before = e.evaluate(ce)
predicted, retrained = [], []
print(f"Sample {e.query_ids[0]} has the margin {before[0]:+.3f}. If one point is removed, it changes by")
for i in removed:
    without = np.ones(len(points))
    without[i] = 0
    predicted.append(e.predict(without))
    retrained.append(e.evaluate(ce.refit(without)) - before)
    print(f"  {predicted[-1][0]:+.4f} predicted, {retrained[-1][0]:+.4f} retrained, without point {i}")

correlation = np.corrcoef(np.ravel(predicted), np.ravel(retrained))[0, 1]
print(f"Correlation over {len(removed)} removals and {len(e)} samples: {correlation:.3f}")
assert correlation > 0.9
assert (np.sign(predicted)[:, 0] == np.sign(retrained)[:, 0]).all()
