# %% [markdown]
# # Your own network
#
# Twice: a pretrained network, whose training nobody recorded, and a network with a loss of its own that is trained
# here.

# %%
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, EmbeddingTask, load_dataset
from clusterexplain.models.counter_rng import normal

X = load_dataset("digits").X[:300]

# %% [markdown]
# ## A network that is pretrained
#
# An ordinary PyTorch loop: Adam as it comes, shuffled batches. The rows are scaled here, and the network must go on seeing what
# it was trained on; `scaling=None` below passes them as they are.

# %%
torch.manual_seed(0)
rows = torch.from_numpy((X - X.mean(axis=0)) / X.std())
encoder = nn.Sequential(nn.Linear(64, 32), nn.GELU(), nn.Linear(32, 8))
decoder = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 64))
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
for _ in range(60):
    for batch in rows.float()[torch.randperm(len(rows))].split(64):
        optimizer.zero_grad()
        (decoder(encoder(batch)) - batch).square().mean().backward()
        optimizer.step()

# %% [markdown]
# `train=False` keeps the weights: clusters and margins are those of the pretrained network. How it was trained is unknown,
# so the question becomes: how would the margin differ after further training with and without this example? Length and rate of
# that further training are chosen so that it stays near the weights, and they are part of the answer.

# %%
task = EmbeddingTask.from_module(encoder, decoder=decoder)
pretrained = ClusterExplainer(model=task, n_clusters=10, scaling=None, random_state=0).fit(rows.numpy(), train=False)
print(pretrained.further_)
with torch.no_grad():
    assert torch.allclose(torch.from_numpy(pretrained.embedding_).float(), encoder(rows.float()), atol=1e-4)
e = pretrained.explain([3, 123])
print(e)

check = pretrained.verify(e, n_single=24, n_within=0, n_groups=0, n_top=0)
print(check)
assert e.method == "further"
assert check.figure("single", "kept") > 0.8

# %% [markdown]
# ## A loss of your own
#
# Two noisy views of a row shall lie close together, and different rows apart. Rows interact, so the loss is given the data
# weights. Two rules: weight 0 is absence, here also in every pair; and the divisor is the batch size, never the sum of the
# weights. The noise is a function of the key of each (step, example), so the noise of all others stays.
# `fit` probes all of this on a few rows before it trains.


# %%
def two_views(x: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Add noise of standard deviation 0.3, drawn for each view."""
    first, second = (normal(keys, x.shape[1], stream=s, dtype=x.dtype) for s in (0, 1))
    return x + 0.3 * first, x + 0.3 * second


def near_and_apart(net: nn.Module, views: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
    """Weigh distances of views by w_i and pairs of rows by w_i w_j, and divide by the batch size."""
    n, first, second = len(weights), net(views[0]), net(views[1])
    near = (weights * (first - second).square().sum(dim=1)).sum() / n
    others = weights.outer(weights) * (1 - torch.eye(n))
    return near + (others * torch.exp(-(first.unsqueeze(1) - first).square().sum(dim=2))).sum() / n


torch.manual_seed(0)
network = nn.Sequential(nn.Linear(64, 32), nn.SiLU(), nn.Linear(32, 8))
own = EmbeddingTask.from_module(network, loss=near_and_apart, augment=two_views)
ce = ClusterExplainer(model=own, n_clusters=10, scaling="global", n_steps=150, random_state=0).fit(X)
e = ce.explain([3, 123])
print(e)

check = ce.verify(e, n_single=24, n_within=0, n_groups=0, n_top=0)
print(check)
assert check.figure("single", "kept") > 0.8
