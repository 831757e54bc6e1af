# %% [markdown]
# # Check an answer, with this seed and with others
# An explanation is a prediction. Retraining without examples tells whether it holds for this training; other seeds tell
# whether it holds in new trainings.

# %%
import tempfile

from sklearn.datasets import load_iris

from clusterexplain import ClusterExplainer

X = load_iris().data
ce = ClusterExplainer(n_clusters=3, latent_dim=2, hidden=(16,), n_steps=300, random_state=0).fit(X)
e = ce.explain([70])
print(e)

# %% [markdown]
# ## This seed
# Retrain without single examples and groups, with the same randomness. What is retrained can be kept in a folder: asked again,
# or for another sample, the check trains only what is missing.

# %%
counts = {"n_single": 32, "n_within": 0, "n_groups": 16}
with tempfile.TemporaryDirectory() as folder:
    check = ce.verify(e, cache=folder, **counts)
    again = ce.verify(e, cache=folder, **counts)
print(check)
assert check.to_dict() == again.to_dict()
assert check.supported

# %% [markdown]
# ## Other methods
# The classical influence function knows only the final parameters. The same check judges it.

# %%
classical = ce.explain([70], method="implicit", method_options={"solver": "dense"})
print(classical.method_words)
other = ce.verify(classical, **counts)
print(f"exact {check.figure('single', 'kept'):.2f}, classical {other.figure('single', 'kept'):.2f}")
assert check.figure("single", "kept") > other.figure("single", "kept")

# %% [markdown]
# ## Other seeds
# How much of the explanation do other trainings share, and which examples have an effect in all of them?

# %%
averaged = ce.explain([70], n_seeds=6)
print(averaged.seed_words())
print(averaged.top(3)[["side", "id", "cluster", "if_removed", "standard_error", "seed_stable"]])
assert averaged.seed_variability is not None
assert averaged.seed_variability.n_seeds == 6
