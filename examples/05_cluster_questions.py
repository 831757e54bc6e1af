# %% [markdown]
# # Questions about clusters
#
# "Why is this sample here?" is one question. Others: which examples hold a cluster together, what keeps two clusters apart,
# what it would take to move a sample, and how stable the clusters are when everything is fitted again. Each has its own method.

# %%
import numpy as np

from clusterexplain import ClusterExplainer, load_dataset

digits = load_dataset("digits")
ce = ClusterExplainer(n_clusters=10, random_state=0).fit(digits)
ce.name_clusters({k: f"digit {digits.metadata['target'][ce.labels_ == k].mode()[0]}" for k in range(10)})
print(ce.cluster_names_)

# %% [markdown]
# ## Which examples hold a cluster together?
#
# The cohesion of a cluster is the mean margin of its members. Its influences tell which training examples hold it together
# (without them the members lie nearer to the boundary) and which loosen it. `towards` lists the other clusters, nearest first.

# %%
answer = ce.explain_cluster(4)
print(answer.cohesion.headline())
print(answer.typical(3))
print(answer.untypical(3))
print(answer.towards.head(3))

# %% [markdown]
# ## What keeps it apart from its nearest neighbour?

# %%
neighbour = int(answer.towards["rival"][0])
apart = ce.separation(4, neighbour)
print(apart)
by_cluster = apart.by("cluster").set_index("group")
print(by_cluster.loc[[4, neighbour], ["influence", "low", "high"]])

# %% [markdown]
# ## What would it take to move a boundary sample?
#
# `flip` removes the strongest pullers, most influential first, and retrains to see how many are needed. The sample itself is
# never removed. `tried` lists every retraining.

# %%
flip = ce.flip(123)
print(flip)
print(flip.tried.head(6))

# %% [markdown]
# Confirm it by hand: the same recipe without these examples, clustering continued.

# %%
without = np.ones(len(digits))
without[digits.positions(flip.removed)] = 0
refitted = ce.refit(without)
e = ce.explain(123)
confirmed = e.evaluate(refitted)[0]
print(f"margin {e.scores[0]:+.3f}; without {flip.removed} it is {confirmed:+.3f}, in cluster {refitted.labels_[123]}")

# %% [markdown]
# ## How stable are the clusters?
#
# Refits with other seeds, and on rows drawn with replacement: six here, twenty by default. A drawn refit counts only for the
# samples that were drawn. From now on every explanation says how often its sample kept its cluster.

# %%
stability = ce.stability(n_seeds=4, n_bootstrap=2)
print(stability)
print(f"Digit 123: {ce.explain(123).stability.badges[0]}")

# %%
assert answer.cohesion.scores[0] > 0
assert by_cluster.loc[4, "influence"] > 0
assert flip.flipped
assert 123 not in flip.removed
assert refitted.labels_[123] == flip.runner_up
assert confirmed < 0
assert np.isclose(confirmed, flip.retrained, atol=1e-3)
assert stability.summary["adjusted_rand"] > 0.5
