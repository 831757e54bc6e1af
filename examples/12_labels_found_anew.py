# %% [markdown]
# # Given labels, found anew
#
# You have labels and know how they were found: here Ward's clustering of 342 penguins by four measurements. The labels say
# where each penguin is. The function says where it would be without some others.

# %%
import numpy as np
from palmerpenguins import load_penguins
from sklearn.cluster import AgglomerativeClustering
from sklearn.preprocessing import StandardScaler

from clusterexplain import ClusterExplainer

measured = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
Z = StandardScaler().fit_transform(load_penguins()[measured].dropna())


def ward(Z, sample_weight):
    """Cluster the rows that are there; Ward's method takes no weights, so every positive weight counts as presence."""
    return AgglomerativeClustering(4).fit_predict(Z)


labels = ward(Z, np.ones(len(Z)))

# %% [markdown]
# ## Labels alone
#
# The check retrains nothing here, since the embedding is given, and it keeps the labels. Its verdict says both.

# %%
kept = ClusterExplainer("precomputed", random_state=0).fit(Z, labels=labels)
sample = int(np.argsort(np.where(kept.margins_ > 0, kept.margins_, np.inf))[5])  # near a boundary
alone = kept.verify(kept.explain([sample]))
print(alone.verdict)

# %% [markdown]
# ## With the function
#
# Influence and predictions are the same. The check also clusters again after each removal: its rows "continued" show how much
# of the prediction is left.

# %%
ce = ClusterExplainer("precomputed", reclusterer=ward, random_state=0).fit(Z, labels=labels)
check = ce.verify(ce.explain([sample]))
print(check)

# %% [markdown]
# ## What stays in other draws of the data

# %%
stability = ce.stability(n_seeds=0, n_bootstrap=10)
print(stability.sentence)
print(stability.clusters().to_string(index=False))

# %% [markdown]
# ## What would move it?

# %%
print(ce.flip(sample))

# %%
assert "the clustering was not run again" in alone.verdict
assert "the clustering was not run again" not in check.verdict
assert np.array_equal(ce.explain([sample]).influence, kept.explain([sample]).influence)
assert alone.figure("single", "kept") == check.figure("single", "kept") > 0.95
assert "there is nothing but the direct part" in check.verdict
