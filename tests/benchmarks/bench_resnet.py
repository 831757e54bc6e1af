"""A residual network that arrives trained: the time of ``fit(train=False)``, and how far answers agree with retraining.

Run: ``python -m tests.benchmarks.bench_resnet [--images 4000] [--epochs 30] [--removals 48] [--queries 6]
[--dtype float32]``. The images are
16x16 patches of the two colour pictures of scikit-learn, the classes are picture and quarter of its height. A network of
77,912 parameters (BatchNorm, ReLU, dropout) is trained by plain Adam on batches of 64; its loss is the cross-entropy, its
embedding what is pooled. Prints one Markdown row: wall time and processor time of the fit, steps, drift, and mean rank
correlations of predicted and retrained changes by single removals, labels kept, with 95 % intervals: of all influences, and
without the direct part. There the network is trained again at the new weights and the clusters are taken at the old ones,
and the prediction is that of encoder and cluster part. Half of the removals are from the clusters of the queries.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
import torch
from sklearn.datasets import load_sample_images
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from clusterexplain import ClusterExplainer, EmbeddingTask, Explanation
from clusterexplain.execution import one_thread
from clusterexplain.statistics.intervals import Interval, spearman_interval

SIDE, BANDS = 16, 4


class Block(nn.Module):
    """The basic block of a residual network."""

    def __init__(self, channels: int, wide: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, wide, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(wide)
        self.conv2 = nn.Conv2d(wide, wide, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(wide)
        self.relu = nn.ReLU(inplace=True)
        self.skip: nn.Module = nn.Identity()
        if stride > 1 or channels != wide:
            self.skip = nn.Sequential(nn.Conv2d(channels, wide, 1, stride, bias=False), nn.BatchNorm2d(wide))

    def forward(self, x: Tensor) -> Tensor:
        """Return the activations after the block."""
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.skip(x))


class ResidualNetwork(nn.Module):
    """A stem, three blocks, average pooling, dropout and a linear layer: 77,912 parameters for 8 classes."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(64, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled activations, shape (batch, 64)."""
        return self.pool(self.blocks(self.stem(x))).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of the classes."""
        return self.head(self.dropout(self.features(x)))


def patches(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return n patches at half size, shape (n, 3, SIDE, SIDE), from 0 to 1, and their classes."""
    rng, size = np.random.default_rng(seed), 2 * SIDE
    pixels, classes = [], []
    for number, picture in enumerate(load_sample_images().images):
        height, width, _ = picture.shape
        for _ in range(n // 2):
            top, left = rng.integers(0, height - size), rng.integers(0, width - size)
            patch = picture[top : top + size, left : left + size].reshape(SIDE, 2, SIDE, 2, 3).mean(axis=(1, 3)) / 255
            pixels.append(patch.transpose(2, 0, 1))
            classes.append(BANDS * number + BANDS * (top + SIDE) // height)
    return np.array(pixels, dtype=np.float32), np.array(classes)


def trained_elsewhere(pixels: np.ndarray, classes: np.ndarray, epochs: int) -> ResidualNetwork:
    """Train by an ordinary loop: Adam as it comes, batches of 64, dropout and batch statistics."""
    torch.manual_seed(0)
    net = ResidualNetwork(2 * BANDS)
    x, y = torch.from_numpy(pixels), torch.from_numpy(classes)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(x)).split(64):
            optimizer.zero_grad()
            cross_entropy(net(x[batch]), y[batch]).backward()
            optimizer.step()
    return net.eval()


def task_of(net: ResidualNetwork) -> EmbeddingTask:
    """Return the network as a task: pooled activations are clustered, the cross-entropy is its loss."""

    def each(module: ResidualNetwork, x: Tensor, y: Tensor) -> Tensor:
        return cross_entropy(module(x), y, reduction="none")

    return EmbeddingTask.from_module(
        net, embed=lambda module, x: module.features(x), example_loss=each, input_shape=(3, SIDE, SIDE)
    )


def single_removals(e: Explanation, n: int, seed: int = 1) -> np.ndarray:
    """Draw examples: half from the queries' clusters, half from all."""
    rng = np.random.default_rng(seed)
    near = rng.choice(np.flatnonzero(np.isin(e.train_labels, e.labels)), n // 2, replace=False)
    return np.concatenate(
        [near, rng.choice(np.setdiff1d(np.arange(len(e.train_ids)), near), n - n // 2, replace=False)]
    )


def agreements(e: Explanation, removed: np.ndarray) -> tuple[Interval, Interval]:
    """Return mean rank correlations of predicted and retrained changes: of all parts, and without the direct one."""
    fit, base = e.fit, np.ones(len(e.train_ids))
    weights = np.tile(base, (len(removed) + 1, 1))
    weights[np.arange(1, len(weights)), removed] = 0
    thetas = fit.thetas(weights)
    with one_thread():
        pairs = list(zip(thetas, weights, strict=True))
        both = np.array([fit.outcome(theta, row, e.margins, assignments="kept").scores for theta, row in pairs])
        through = np.array([fit.outcome(theta, base, e.margins, assignments="kept").scores for theta in thetas])
    trained_part = e.encoder + e.cluster
    return (
        spearman_interval(-e.influence[:, removed].T, both[1:] - both[0]),
        spearman_interval(-trained_part[:, removed].T, through[1:] - through[0]),
    )


def main() -> None:
    """Print the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("images", 4000), ("epochs", 30), ("removals", 48), ("queries", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--dtype", default="float32", choices=("float32", "float64"))
    given = parser.parse_args()
    pixels, classes = patches(given.images)
    net = trained_elsewhere(pixels, classes, given.epochs)
    ce = ClusterExplainer(model=task_of(net), n_clusters=2 * BANDS, scaling=None, dtype=given.dtype, random_state=0)
    wall, busy = time.perf_counter(), time.process_time()
    ce.fit(pixels.reshape(len(pixels), -1), train=False, targets=classes)
    wall, busy = time.perf_counter() - wall, time.process_time() - busy
    e = ce.explain(np.random.default_rng(0).choice(len(pixels), given.queries, replace=False))
    cells = []
    for interval in agreements(e, single_removals(e, given.removals)):
        cells.append(f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]")
    further = ce.further_
    print(
        "| images | parameters | fit [s] | processor [s] | steps | drift | single removals | without the direct part |"
    )
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {len(pixels)} | {ce.fit_.recipe.layout.size} | {wall:.0f} | {busy:.0f} | {further.n_steps} | {further.drift:.1%} | "
        f"{cells[0]} | {cells[1]} |"
    )


if __name__ == "__main__":
    main()
