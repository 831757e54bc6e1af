"""What is computed: small data, made here, and every parameter spelled out, because defaults change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits, make_blobs
from torch import Tensor, nn

N, N_STEPS = 40, 20
QUERIES = (0, 13, 38)
"""Rows that are explained: as many as there are clusters and new rows, so that fewer functions have to be traced."""

PINNED: Mapping[str, Any] = MappingProxyType(
    {
        "model": "autoencoder",
        "clusterer": "kmeans",
        "n_clusters": 3,
        "clusterer_options": {},
        "membership_score": "margin",
        "min_agreement": 0.5,
        "latent_dim": 2,
        "hidden": (6,),
        "activation": "gelu",
        "n_steps": N_STEPS,
        "batch_size": 16,
        "learning_rate": 0.02,
        "weight_decay": 0.01,
        "adam_eps": 1e-4,
        "optimizer": "adamw",
        "optimizer_options": {"schedule": "cosine", "warmup": 0.1, "betas": (0.9, 0.99)},
        "model_options": {},
        "further_steps": 20,
        "further_rate": 0.001,
        "measure_smoothness": False,
        "scaling": "global",
        "dtype": "float64",
        "max_memory": 2e9,
        "n_jobs": 1,
        "random_state": 3,
        "verbose": False,
    }
)
"""All parameters of the explainer, by the names that they had at commit 88e2d3f; ``floors`` maps them to those of today."""

EXPLAIN: Mapping[str, Any] = MappingProxyType(
    {"against": "runner-up", "method": "unrolled", "method_options": {}, "n_seeds": 1}
)
STABILITY: Mapping[str, Any] = MappingProxyType({"n_seeds": 2, "n_bootstrap": 3})
CHECK: Mapping[str, Any] = MappingProxyType(
    {
        "level": "quick",
        "estimands": ("seed",),
        "n_seeds": 3,
        "n_single": 6,
        "n_within": 4,
        "n_groups": 4,
        "n_down": 2,
        "n_top": 3,
        "group_share": 0.1,
        "n_planted": 0,
        "n_duplicated": 0,
        "random_state": 0,
        "keep": None,
        "n_jobs": 1,
        "show_progress": False,
    }
)


@dataclass(frozen=True, eq=False)
class Rows:
    """What a case is fitted to.

    Attributes
    ----------
    X : ndarray of shape (40, n_features)
        Training rows.
    new : ndarray of shape (n_new, n_features)
        Rows that are not trained on.
    ids : tuple of str, optional
        Names of the rows; positions if there are none.
    image_shape : tuple of int, optional
        How a row is an image.
    sample_weight : ndarray of shape (40,), optional
        Data weights.
    """

    X: np.ndarray
    new: np.ndarray
    ids: tuple[str, ...] | None = None
    image_shape: tuple[int, int] | None = None
    sample_weight: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Network:
    """A network of the user's own, as it is handed to the package.

    Attributes
    ----------
    encoder : Module
        From rows to embeddings.
    options : dict
        Keywords of ``EmbeddingTask.from_module``.
    train : bool
        Whether it is trained here; it keeps its weights otherwise.
    """

    encoder: nn.Module
    options: dict[str, Any]
    train: bool


@dataclass(frozen=True, eq=False)
class Case:
    """One fit, and what is asked of it.

    Attributes
    ----------
    rows : callable
        Makes the data.
    parameters : dict
        All of the explainer's, see ``PINNED``.
    explain : dict
        All of ``explain``'s, see ``EXPLAIN``.
    queries : tuple of int
        Rows that are explained.
    floors : tuple of str
        Floors beyond those of every case, see ``floors.FLOORS``.
    check, stability : dict
        Their parameters.
    network : callable, optional
        Makes a network of the user's own.
    """

    rows: Callable[[], Rows]
    parameters: dict[str, Any]
    explain: dict[str, Any] = field(default_factory=lambda: dict(EXPLAIN))
    queries: tuple[int, ...] = QUERIES
    floors: tuple[str, ...] = ()
    check: dict[str, Any] = field(default_factory=lambda: dict(CHECK))
    stability: dict[str, Any] = field(default_factory=lambda: dict(STABILITY))
    network: Callable[[], Network] | None = None


@cache
def blobs() -> Rows:
    """Return rows around 3 centres in 5 dimensions that overlap a little, and 3 new ones."""
    X = make_blobs(N + 3, n_features=5, centers=3, cluster_std=2.5, random_state=0)[0]
    return Rows(X[:N], X[N:])


@cache
def weighted() -> Rows:
    """Return the blobs with names and unequal weights, two of them 0."""
    weights = np.random.default_rng(5).uniform(0.3, 2.0, N)
    weights[[4, 30]] = 0.0
    names = tuple(f"row {number:02d}" for number in range(N))
    return Rows(blobs().X, blobs().new, ids=names, sample_weight=weights)


@cache
def scattered() -> Rows:
    """Return three tight groups of 11 rows and 7 rows far between them."""
    X = make_blobs(33, n_features=4, centers=3, cluster_std=0.5, center_box=(-6, 6), random_state=2)[0]
    far = np.random.default_rng(1).uniform(-9, 9, (8, 4))
    order = np.random.default_rng(2).permutation(N)
    return Rows(np.concatenate([X, far[:7]])[order], np.concatenate([X[:2] + 0.1, far[7:]]))


@cache
def digits() -> Rows:
    """Return scanned digits of 8 by 8 pixels."""
    X = load_digits().data
    return Rows(X[:N], X[N : N + 3], image_shape=(8, 8))


def pretrained() -> Network:
    """Return an autoencoder that an ordinary loop has trained on the standardised blobs, in float64."""
    rows = torch.from_numpy(blobs().X)
    encoder, decoder = _drawn(nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2)), 1), _drawn(nn.Linear(2, 5), 2)
    optimizer = torch.optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.01)
    for _ in range(60):
        optimizer.zero_grad()
        (decoder(encoder(rows)) - rows).square().mean().backward()
        optimizer.step()
    return Network(encoder, {"decoder": decoder}, train=False)


def interacting() -> Network:
    """Return an untrained network with a loss of pairs, and noise that is a function of the keys."""
    encoder = _drawn(nn.Sequential(nn.Linear(5, 6), nn.SiLU(), nn.Linear(6, 2)), 3)
    return Network(encoder, {"loss": near_and_apart, "augment": shaken}, train=True)


def shaken(x: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    """Return each row of shape (batch, n_features) as it is, and moved by an offset that its key, (batch,), decides."""
    phases = (keys % 1009).to(x.dtype).unsqueeze(1) + torch.arange(x.shape[1], dtype=x.dtype)
    return x, x + 0.3 * torch.sin(phases)


def near_and_apart(net: nn.Module, views: tuple[Tensor, Tensor], weights: Tensor) -> Tensor:
    """Pull two views of a row together and push rows apart, by weight, divided by the batch size; shape ()."""
    n, first, second = len(weights), net(views[0]), net(views[1])
    near = (weights * (first - second).square().sum(dim=1)).sum() / n
    others = weights.outer(weights) * (1 - torch.eye(n, dtype=weights.dtype))
    return near + (others * torch.exp(-(first.unsqueeze(1) - first).square().sum(dim=2))).sum() / n


def given_labels() -> list[int]:
    """Return labels by the sign of two columns of the blobs, two of them noise."""
    X = blobs().X - blobs().X.mean(axis=0)
    labels = np.where(X[:, 0] > 0, 0, np.where(X[:, 1] > 0, 1, 2))
    labels[[5, 33]] = -1
    return labels.tolist()


def _drawn(module: nn.Module, seed: int) -> nn.Module:
    """Return the module in float64, its parameters drawn by numpy, whose streams are the same everywhere."""
    rng = np.random.default_rng(seed)
    module = module.double()
    with torch.no_grad():
        for value in module.parameters():
            value.copy_(torch.from_numpy(rng.uniform(-0.5, 0.5, tuple(value.shape))))
    return module


def pinned(**changes: Any) -> dict[str, Any]:
    """Return all parameters, some of them changed."""
    assert set(changes) <= set(PINNED), sorted(set(changes) - set(PINNED))
    return dict(PINNED) | changes


def explained(**changes: Any) -> dict[str, Any]:
    """Return all parameters of ``explain``, some of them changed."""
    return dict(EXPLAIN) | changes


_CONTRASTIVE = {
    "temperature": 0.8,
    "augmentation": {"shift": 1.0, "rotation": 15.0, "scale": 0.1, "noise": 0.1, "cutout": 2},
    "encoder": "dense",
    "projector_dim": 3,
    "embedding": "encoder",
}
_DENSITY = {
    "min_cluster_size": 5,
    "min_samples": 3,
    "cluster_selection_method": "eom",
    "cluster_selection_epsilon": 0.0,
    "allow_single_cluster": False,
}
_SGD = {"schedule": "constant", "warmup": 0.0, "momentum": 0.8}
_LINEAR = {"schedule": "linear", "warmup": 0.2, "betas": (0.9, 0.999)}
_DENSE = {"solver": "dense", "damping": 0.1, "eigenvalues": "clamped", "max_params": 5000, "passes": 1, "decay": 0.01}

CASES: dict[str, Case] = {
    "kmeans": Case(blobs, pinned(), floors=("new", "predicted", "questions", "tables", "flip", "stability", "check")),
    "convolutional": Case(
        digits,
        pinned(model="conv_autoencoder", hidden=(3, 4), latent_dim=3, optimizer="adam", optimizer_options=_LINEAR),
    ),
    "contrastive": Case(
        digits,
        pinned(
            model="contrastive",
            clusterer="spherical_kmeans",
            membership_score="cosine",
            hidden=(5,),
            latent_dim=3,
            model_options=_CONTRASTIVE,
        ),
        floors=("new", "predicted"),
    ),
    "vae_mixture": Case(
        blobs,
        pinned(
            model="vae",
            clusterer="gmm",
            clusterer_options={"covariance_type": "tied", "reg_covar": 1e-4},
            membership_score="responsibility",
            model_options={"beta": 0.1},
        ),
        floors=("new", "questions"),
    ),
    "dec": Case(
        blobs,
        pinned(
            model="dec",
            clusterer="dec",
            membership_score="dec_assignment",
            model_options={"pretrain": 0.5, "update_every": 4, "rate": 0.3},
        ),
        floors=("stability",),
        stability={"n_seeds": 0, "n_bootstrap": 2},
    ),
    "own_network": Case(
        blobs,
        pinned(clusterer=given_labels(), scaling=None),
        explained(method="further"),
        floors=("new", "flip"),
        network=pretrained,
    ),
    "own_loss": Case(blobs, pinned(scaling="standard", max_memory=2e4), network=interacting),
    "hdbscan": Case(
        scattered,
        pinned(clusterer="hdbscan", clusterer_options=_DENSITY, membership_score="exemplar"),
        queries=(2, 18, 39),  # the second is noise
        floors=("new", "questions", "flip"),
    ),
    "soft_kmeans": Case(
        blobs,
        pinned(
            clusterer="soft_kmeans",
            clusterer_options={"temperature": 0.2},
            optimizer="sgd",
            optimizer_options=_SGD,
            learning_rate=0.1,
        ),
        floors=("new", "questions"),
    ),
    "implicit": Case(
        blobs,
        pinned(),
        explained(method="implicit", method_options=_DENSE),
        floors=("methods",),
    ),
    "sample_weight": Case(weighted, pinned(), queries=(0, 13, 30), floors=("new", "predicted", "questions", "flip")),
    "refit": Case(blobs, pinned(), floors=("refit",)),
    "several_seeds": Case(blobs, pinned(), explained(n_seeds=3), floors=("over_seeds",)),
}
"""By name; what the experiments compute is in ``WORDS`` and ``MIXTURE``."""


def first_of_fit(name: str) -> str:
    """Return the first case that is fitted as a case is, so that one fit serves both."""
    case = CASES[name]
    fit = (case.rows, case.network, case.parameters)
    return next(key for key, one in CASES.items() if (one.rows, one.network, one.parameters) == fit)


METHODS: dict[str, dict[str, Any]] = {
    "cg": {
        "method": "implicit",
        "method_options": {
            "solver": "cg",
            "damping": 1.0,
            "tolerance": 1e-8,
            "max_iterations": 500,
            "on_negative": "continue",
            "passes": 1,
            "decay": 0.01,
        },
    },
    "gradient_cosine": {"method": "gradient_cosine", "method_options": {"passes": 1, "decay": 0.01}},
}
"""What the case "implicit" is asked besides, by the name of the floor."""


def removals(weights: np.ndarray) -> np.ndarray:
    """Return data weights of retrainings: nothing changed, 6 single removals, 3 of groups of 4, 2 down-weightings, a half.

    Parameters
    ----------
    weights : ndarray of shape (n,)
        Those of the fit.

    Returns
    -------
    ndarray of shape (13, n)
        Fewer than a block of 16, so that it has to be padded.
    """
    rng = np.random.default_rng(11)
    rows = np.tile(weights, (13, 1))
    for row, one in zip(rows[1:7], rng.permutation(len(weights)), strict=False):
        row[one] = 0.0
    for row in rows[7:10]:
        row[rng.choice(len(weights), 4, replace=False)] = 0.0
    for row, one in zip(rows[10:12], rng.permutation(len(weights)), strict=False):
        row[one] *= 0.95
    half = rng.choice(len(weights), len(weights) // 2, replace=False)
    rows[12] *= 2.0
    rows[12, half] = 0.0
    return rows


MIXTURE: Mapping[str, Any] = MappingProxyType(
    {"seed": 0, "per_component": 14, "removed_every": 14, "n_steps": N_STEPS, "n_jobs": 1, "show_progress": False}
)
"""A small ``reproduce mog``: 42 points, three removals; the corrected variant is stopped early."""
WORDS: Mapping[str, Any] = MappingProxyType(
    {
        "unit": "paragraph",
        "n_words": 60,
        "min_count": 1,
        "largest_share": 1.0,
        "window": 3,
        "subsample": 0.05,
        "dim": 4,
        "n_steps": N_STEPS,
        "learning_rate": 0.05,
        "weight_decay": 0.1,
        "eps": 1e-4,
        "negatives": 5,
        "init_scale": 0.1,
        "held_out": 0.1,
        "dtype": "float64",
        "random_state": 0,
        "n_jobs": 1,
        "show_progress": False,
    }
)
"""All parameters of ``EmbeddingBias`` but the score: what ``reproduce weat`` is made of, on texts of our own."""
TEST: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "x": ("he", "him", "king", "lord"),
        "y": ("she", "her", "queen", "lady"),
        "a": ("work", "trade", "ship", "coin"),
        "b": ("home", "child", "hearth", "kin"),
    }
)
"""Words of the association test."""
CHANGE: Mapping[str, Any] = MappingProxyType({"n_seeds": 1, "share": 0.1, "weight": 0.0, "n_random": 2})
_THEMES = (
    "he him king lord sword crown",
    "she her queen lady loom crown",
    "work trade ship coin port king",
    "home child hearth bread kin queen",
)


def texts() -> pd.DataFrame:
    """Return 16 documents of three paragraphs, each from one theme with some noise."""
    rng = np.random.default_rng(0)
    everything = sorted({word for theme in _THEMES for word in theme.split()})

    def paragraph() -> str:
        theme = _THEMES[rng.integers(len(_THEMES))].split()
        words = [rng.choice(theme if rng.random() < 0.8 else everything) for _ in range(rng.integers(8, 16))]
        return " ".join(words).capitalize() + "."

    found = ["\n\n".join(paragraph() for _ in range(3)) for _ in range(16)]
    return pd.DataFrame({"text": found, "year": 1900 + np.arange(16)}, index=[f"d{number}" for number in range(16)])


NAMES = (*CASES, "words", "mixture_published", "mixture_corrected")
"""Of all cases, each one file of arrays."""
SLOW = ("mixture_published", "mixture_corrected")
"""Cases that the suite leaves to the slow proofs, to stay below 40 seconds: nearly all of their time is tracing."""
EXPERIMENTS = ("reproduce_mog", "reproduce_weat")
"""Whole experiments in their quick versions: minutes."""


def shown() -> tuple[Rows, dict[str, Any]]:
    """Return 300 digits, and the few parameters with which the package's default settings explain them quickly."""
    return Rows(load_digits().data[:300], np.empty((0, 64)), image_shape=(8, 8)), {
        "n_clusters": 10,
        "n_steps": 100,
        "random_state": 0,
    }
