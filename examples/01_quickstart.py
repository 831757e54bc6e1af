# %% [markdown]
# # Why is digit 123 in its cluster?
#
# Train an autoencoder on the 1,797 digits that ship with scikit-learn, cluster the embedding, ask which training images
# pulled digit 123 into its cluster, and check the answer by training again without them.

# %%
import numpy as np

from clusterexplain import ClusterExplainer, load_dataset

digits = load_dataset("digits")
ce = ClusterExplainer(n_clusters=10, random_state=0).fit(digits)

# %% [markdown]
# The explanation: positive influence pulled the digit in. If such an image is removed, the margin falls.

# %%
e = ce.explain([123])
print(e)
print(e.by("target"))  # summed over the true digits, which were never trained on

# %% [markdown]
# What would happen without the ten strongest pullers? Predict it, then train again without them: once with the labels of the
# fit kept, once with k-means continued from the old clusters.

# %%
without = np.ones(len(digits))
without[digits.positions(e.top(10, side="pulled in")["id"])] = 0
predicted = e.predict(without)[0]
refitted = ce.refit(sample_weight=without)
retrained = (e.evaluate(refitted, assignments="kept") - e.evaluate(ce, assignments="kept"))[0]
continued = (e.evaluate(refitted) - e.evaluate(ce))[0]
print(f"margin {e.scores[0]:.3f}: predicted {predicted:+.3f}, retrained {retrained:+.3f} with labels kept")
print(
    f"with k-means continued: predicted {e.predict(without, assignments='continued')[0]:+.3f}, retrained {continued:+.3f}"
)
assert predicted < 0
assert 0.5 < retrained / predicted < 2

# %% [markdown]
# One pair of numbers proves little. `verify` compares many retrainings and gives intervals and a baseline.

# %%
check = ce.verify(e, n_single=24, n_within=16, n_groups=8)
print(check)
assert check.figure("single", "kept") > 0.95
assert check.supported
