"""Fixtures: a corpus small enough for retraining in double precision hundreds of times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterexplain.training import Adam
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.training import SkipGram

THEMES = (
    "he him king lord sword crown",
    "she her queen lady loom crown",
    "work trade ship coin port king",
    "home child hearth bread kin queen",
)


def made_texts(n: int = 24, seed: int = 0) -> pd.DataFrame:
    """Draw documents of three paragraphs, each from one theme with some noise."""
    rng = np.random.default_rng(seed)
    everything = sorted({word for theme in THEMES for word in theme.split()})
    texts = []
    for _ in range(n):
        paragraphs = []
        for _ in range(3):
            theme = THEMES[rng.integers(len(THEMES))].split()
            words = [rng.choice(theme if rng.random() < 0.8 else everything) for _ in range(rng.integers(8, 16))]
            paragraphs.append(" ".join(words).capitalize() + ".")
        texts.append("\n\n".join(paragraphs))
    years = 1900 + np.arange(n)
    return pd.DataFrame(
        {"text": texts, "year": years, "party": np.where(years % 3, "A", "B")}, index=[f"d{i}" for i in range(n)]
    )


@pytest.fixture(scope="session")
def texts() -> pd.DataFrame:
    return made_texts()


@pytest.fixture(scope="session")
def corpus(texts: pd.DataFrame) -> Corpus:
    return Corpus.read(texts, unit="document", min_count=1, window=3, subsample=0.05)


@pytest.fixture(scope="session")
def recipe(corpus: Corpus) -> SkipGram:
    import torch

    return SkipGram(corpus.counts, 4, Adam(0.05, 25, weight_decay=0.1, eps=1e-4), scale=0.1, dtype=torch.float64)
