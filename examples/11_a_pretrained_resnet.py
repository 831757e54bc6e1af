# %% [markdown]
# # A residual network that arrives trained
#
# A small residual network with BatchNorm, ReLU and dropout was trained elsewhere to tell patches of pictures apart. Its weights
# come from a checkpoint, its pooled activations are clustered, and we ask which training images hold a patch in its cluster.
# `tests/benchmarks/bench_resnet.py` is the same with 78,000 parameters and 4,000 images.

# %%
import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clusterexplain import ClusterExplainer, Dataset, EmbeddingTask

SIDE, N = 8, 240

# %% [markdown]
# ## Images
#
# Patches of two colour pictures; the class of a patch says which picture it is from. Rows are images with the channels last, so
# that reports can draw them.

# %%
rng = np.random.default_rng(0)
pixels, classes = [], []
for number, picture in enumerate(load_sample_images().images):
    for _ in range(N // 2):
        top, left = rng.integers(0, picture.shape[0] - 2 * SIDE), rng.integers(0, picture.shape[1] - 2 * SIDE)
        pixels.append(picture[top : top + 2 * SIDE : 2, left : left + 2 * SIDE : 2] / 255)
        classes.append(number)
images = Dataset(np.array(pixels), targets=np.array(classes))  # (240, 8, 8, 3)

# %% [markdown]
# ## A network, trained elsewhere
#
# An ordinary loop with batch statistics and dropout, and Adam as it comes.


# %%
class Block(nn.Module):
    """The basic block of a residual network."""

    def __init__(self, channels: int, wide: int) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(channels, wide, 3, 2, 1, bias=False), nn.BatchNorm2d(wide)
        self.conv2, self.bn2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False), nn.BatchNorm2d(wide)
        self.skip = nn.Sequential(nn.Conv2d(channels, wide, 1, 2, bias=False), nn.BatchNorm2d(wide))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations after the block."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += self.skip(x)
        return self.relu(out)


class Residual(nn.Module):
    """A stem, a block, average pooling, dropout and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6), nn.ReLU(inplace=True))
        self.block = Block(6, 12)
        self.dropout, self.head = nn.Dropout(0.2), nn.Linear(12, 2)

    def features(self, x: Tensor) -> Tensor:
        """Return what is clustered: pooled activations, shape (batch, 12)."""
        return self.block(self.stem(x)).mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the classes."""
        return self.head(self.dropout(self.features(x)))


torch.manual_seed(0)
net, x, y = Residual(), torch.tensor(np.array(pixels)).float().permute(0, 3, 1, 2), torch.tensor(classes)
optimizer = torch.optim.Adam(net.parameters(), lr=3e-3)
for _ in range(30):
    for batch in torch.randperm(N).split(32):
        optimizer.zero_grad()
        cross_entropy(net(x[batch]), y[batch]).backward()
        optimizer.step()
checkpoint = Path(tempfile.mkdtemp()) / "net.pt"
torch.save({"state_dict": net.state_dict(), "epoch": 30}, checkpoint)

# %% [markdown]
# ## Take it over
#
# In eval mode: dropout off, statistics frozen. The loss takes the class of each image as a target. Rows are flat with the
# channels last; torch wants the channels first.


# %%
def channels_first(rows: Tensor) -> Tensor:
    """Return flat rows as images, shape (batch, 3, SIDE, SIDE)."""
    return rows.reshape(-1, SIDE, SIDE, 3).permute(0, 3, 1, 2)


task = EmbeddingTask.from_checkpoint(
    Residual().eval(),
    checkpoint,
    embed=lambda module, rows: module.features(channels_first(rows)),
    example_loss=lambda module, rows, y: cross_entropy(module(channels_first(rows)), y, reduction="none"),
)
ce = ClusterExplainer(model=task, n_clusters=4, batch_size=32, random_state=0).fit(images, train=False)
print(ce.further_)
assert ce.further_.drift <= 0.02

# %% [markdown]
# ## Ask and check
#
# Further training with and without an image: the text says how long and how fast, and how much of the influence is arithmetic
# of the centroid.

# %%
e = ce.explain([3, 200])
print(e)
check = ce.verify(e, n_single=20, n_within=0, n_groups=0, n_top=0)
print(check)
assert check.figure("single", "kept") > 0.9

# %% [markdown]
# Nothing may predict itself: without the direct part, the network is trained again without an image, and the clusters are taken
# with all images in them. Encoder and cluster part predict that change.

# %%
removed = np.random.default_rng(1).choice(N, 16, replace=False)
weights = np.ones((17, N))
weights[np.arange(1, 17), removed] = 0
scores = np.array(
    [ce.fit_.outcome(theta, weights[0], e.margins, assignments="kept").scores for theta in ce.fit_.thetas(weights)]
)
predicted = -(e.encoder + e.cluster)[:, removed]
agreement = [np.corrcoef(*pair)[0, 1] for pair in zip(predicted, (scores[1:] - scores[0]).T, strict=True)]
print("without the direct part:", np.round(agreement, 3))
assert np.mean(agreement) > 0.8
