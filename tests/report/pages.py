"""Fits, explanations of them, and their pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import make_blobs

from clusterexplain import ClusterExplainer
from clusterexplain.report import ReportContext
from clusterexplain.results.explanation import Explanation
from tests.conftest import SMALL

TOP = 50


RUN = "runs/my run"


EVIL = [
    "</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "\"quotes' and \\ and `ticks` ${1} $title {{x}}",
    "\u202eright to left\u200f\u2067", "x" * 10_000, "\U0001f600\U0001f468\u200d\U0001f469", "nul\0inside", "<!--<script>",
    "line\u2028end", "=1+1", "+1", "-1", "@A1", "%", "#sample=1", "&lt;b&gt;", "datum.id", " spaces ",
]  # fmt: skip


@dataclass
class Made:
    """A fit, an explanation of it, and its page."""

    ce: ClusterExplainer
    e: Explanation
    path: Path

    @property
    def ids(self) -> list[str]:
        return [str(one) for one in self.e.query_ids]

    @property
    def context(self) -> Any:
        return ReportContext.of(self.e)


def fitted(data: Any, **changes: Any) -> ClusterExplainer:
    ce = ClusterExplainer(**{**SMALL, **changes}).fit(data)
    ce.fit_.annotations.map_coordinates = np.ascontiguousarray(ce.embedding_[:, :2])  # UMAP has its own slow test
    return ce


def rows(n: int = 60, seed: int = 0) -> np.ndarray:
    return make_blobs(n, n_features=5, centers=4, cluster_std=1.5, random_state=seed)[0]
