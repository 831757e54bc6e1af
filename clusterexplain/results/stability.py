"""What refits say about samples and clusters: kept, dissolved, or never tested.

They are two questions. A *seed* refit asks what another random start would have given on the same data, a *bootstrap*
refit what other data of the same kind would have given from the same start. Both are reported together and each by
itself.
"""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.badge import FEWEST, HIGH, MODERATE, Badge
from clusterexplain.statistics import metrics
from clusterexplain.statistics.matching import jaccard, overlap
from clusterexplain.storage.jsonable import to_jsonable

REFIT_KINDS = ("seed", "bootstrap")
STABLE, DISSOLVED = 0.75, 0.5
"""Mean Jaccard similarity from which on a cluster is stable, and below which it dissolves (Hennig 2007)."""
DRAWS = 1000


@dataclass(frozen=True, eq=False, repr=False)
class Stability:
    """Labels of refits in the numbers of the fit's clusters, and what they say about samples and clusters.

    A refit counts for a sample if the sample was in it (and in the fit) with positive weight. Each sample that is there
    enters agreements with its weight in the fit, once, however often a bootstrap drew it (Hennig 2007).

    Parameters
    ----------
    labels : ndarray of shape (n_refits, n_samples), int
        Labels of each refit, matched to the fit: cluster k is the partner of the fit's cluster k, numbers beyond the
        fit's are clusters without partner, -1 is noise.
    kinds : ndarray of shape (n_refits,)
        "seed" or "bootstrap".
    base_labels : ndarray of shape (n_samples,), int
        Labels of the fit; -1 is noise.
    base_weights : ndarray of shape (n_samples,)
        Data weights of the fit.
    ids : ndarray of shape (n_samples,)
        Sample ids.
    weights : ndarray of shape (n_refits, n_samples)
        Data weights of each refit; 0 is absent.
    fit_key : str
        Names data, seed and recipe of the fit.
    reclusterer : str, default=""
        Name of the function that found given labels anew; empty where clusters are found by the fit's own clusterer.

    Raises
    ------
    InvalidParameterError
        If shapes do not fit together or a kind is unknown.

    References
    ----------
    C. Hennig. Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52, 2007.
    L. Hubert, P. Arabie. Comparing partitions. Journal of Classification 2, 1985.

    Examples
    --------
    >>> fit, refits, ones = np.array([0, 0, 1, 1]), np.array([[0, 0, 1, 1]] * 4 + [[0, 0, 1, 0]]), np.ones((5, 4))
    >>> found = Stability(refits, np.array(["seed"] * 5), fit, ones[0], np.arange(4), ones, fit_key="")
    >>> print(found.badge(3))
    kept in 4 of 5 refits (moderate)
    """

    labels: np.ndarray
    kinds: np.ndarray
    base_labels: np.ndarray
    base_weights: np.ndarray
    ids: np.ndarray
    weights: np.ndarray
    fit_key: str
    reclusterer: str = ""

    def __post_init__(self) -> None:
        n_refits, n = len(self.kinds), len(self.base_labels)
        expected = {
            "labels": (n_refits, n),
            "weights": (n_refits, n),
            "kinds": (n_refits,),
            "base_labels": (n,),
            "base_weights": (n,),
            "ids": (n,),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise InvalidParameterError(
                    f"{name} has shape {getattr(self, name).shape}, expected {shape}: {n_refits} refits of {n} samples."
                )
        unknown = sorted(set(self.kinds.tolist()) - set(REFIT_KINDS))
        if unknown:
            raise InvalidParameterError(f"kinds has {unknown[0]!r}, expected 'seed' or 'bootstrap'; name each refit.")

    def __len__(self) -> int:
        """Return the number of refits."""
        return len(self.kinds)

    def of(self, kind: str) -> Stability:
        """Return the refits of one kind, "seed" or "bootstrap"; there may be none."""
        if kind not in REFIT_KINDS:
            raise InvalidParameterError(f"kind={kind!r} is unknown. Expected 'seed' or 'bootstrap'.")
        picked = self.kinds == kind
        return dataclasses.replace(
            self, labels=self.labels[picked], kinds=self.kinds[picked], weights=self.weights[picked]
        )

    @cached_property
    def present(self) -> np.ndarray:
        """Which refits count for which samples, shape (n_refits, n_samples), bool."""
        return (self.weights > 0) & (self.base_weights > 0)

    @property
    def counted(self) -> np.ndarray:
        """How many refits count for each sample, shape (n_samples,), int."""
        return np.asarray(self.present.sum(axis=0))

    @property
    def kept(self) -> np.ndarray:
        """How many of them left the sample in its cluster, or in the noise if it was noise, shape (n_samples,), int."""
        return np.asarray((self.present & (self.labels == self.base_labels)).sum(axis=0))

    @property
    def share(self) -> np.ndarray:
        """Kept over counted, shape (n_samples,); NaN where no refit counts."""
        counted = self.counted
        share: np.ndarray = np.divide(self.kept, counted, out=np.full(len(counted), np.nan), where=counted > 0)
        return share

    @cached_property
    def jaccards(self) -> np.ndarray:
        """Jaccard similarity of each cluster with its partner, shape (n_refits, n_clusters); 0 without partner.

        NaN where none of the cluster's members was in the refit.
        """
        n_clusters = int(self.base_labels.max(initial=-1)) + 1
        rows = [jaccard(self.base_labels, *pair) for pair in zip(self.labels, self._agreeing, strict=True)]
        return np.array(rows).reshape(len(self), n_clusters)

    @cached_property
    def adjusted_rand(self) -> np.ndarray:
        """Adjusted Rand index of each refit with the fit, shape (n_refits,): 1 is the same partition, 0 is chance.

        Over the samples that count, each once; noise is a group of its own.
        """
        return np.array(
            [
                adjusted_rand_score(self.base_labels[there], row[there]) if there.any() else np.nan
                for row, there in zip(self.labels, self.present, strict=True)
            ],
            dtype=float,
        )

    @property
    def _agreeing(self) -> np.ndarray:
        agreeing: np.ndarray = self.present * self.base_weights
        return agreeing

    def companions(self) -> np.ndarray:
        """Return how much of its old company each sample keeps.

        For each refit, the share (by weight) of the other members of the sample's cluster that are in one cluster with
        it again, whatever its number; noise is no company. High companions with few kept refits: a whole part of the
        cluster moved together.

        Returns
        -------
        ndarray of shape (n_samples,)
            Mean over the refits that count; NaN for noise, and for a sample that never had other members beside it.
        """
        pairs = zip(self.labels, self._agreeing, strict=True)
        found = np.array([_company(self.base_labels, *pair) for pair in pairs]).reshape(self.labels.shape)
        known = np.isfinite(found)
        n_known = known.sum(axis=0)
        total = np.where(known, found, 0.0).sum(axis=0)
        mean: np.ndarray = np.divide(total, n_known, out=np.full(len(total), np.nan), where=n_known > 0)
        return mean

    def frame(self) -> pd.DataFrame:
        """Return one row for each sample.

        Returns
        -------
        DataFrame
            Columns id, cluster, kept, counted, share (kept over counted), seed and bootstrap (that share by kind of
            refit, NaN without any), companions.
        """
        return pd.DataFrame(
            {
                "id": self.ids,
                "cluster": self.base_labels,
                "kept": self.kept,
                "counted": self.counted,
                "share": self.share,
                **{kind: self.of(kind).share for kind in REFIT_KINDS},
                "companions": self.companions(),
            }
        )

    def clusters(self) -> pd.DataFrame:
        """Return one row for each cluster of the fit.

        Returns
        -------
        DataFrame
            Columns cluster, size (members of positive weight), jaccard (mean over the refits), low and high (95 %
            percentile bootstrap interval over the refits, NaN below ``FEWEST``), dissolved (share of refits with a
            Jaccard similarity below ``DISSOLVED``), verdict ("stable", "changes", "dissolves", or "untested" if no
            refit says), seed and bootstrap (mean Jaccard similarity by kind of refit).
        """
        rows = []
        by_kind = {kind: self.of(kind).jaccards for kind in REFIT_KINDS}
        for cluster, values in enumerate(self.jaccards.T):
            mean, low, high = _bootstrap_interval(values)
            rows.append(
                {
                    "cluster": cluster,
                    "size": int(((self.base_labels == cluster) & (self.base_weights > 0)).sum()),
                    "jaccard": mean,
                    "low": low,
                    "high": high,
                    "dissolved": metrics.average(np.where(np.isnan(values), np.nan, values < DISSOLVED)),
                    "verdict": _verdict(mean),
                    **{kind: metrics.average(similar[:, cluster]) for kind, similar in by_kind.items()},
                }
            )
        columns = ["cluster", "size", "jaccard", "low", "high", "dissolved", "verdict", *REFIT_KINDS]
        return pd.DataFrame(rows, columns=columns)

    @property
    def summary(self) -> dict[str, Any]:
        """The whole in figures.

        n_seeds, n_bootstrap; adjusted_rand with low and high (mean over the refits, 95 % percentile bootstrap
        interval); kept (mean over the samples of the share of refits that keep them); and the same four under "seed"
        and "bootstrap".
        """
        sizes = {"n_seeds": int((self.kinds == "seed").sum()), "n_bootstrap": int((self.kinds == "bootstrap").sum())}
        return {**sizes, **self._figures(), **{kind: self.of(kind)._figures() for kind in REFIT_KINDS}}

    def _figures(self) -> dict[str, float]:
        mean, low, high = _bootstrap_interval(self.adjusted_rand)
        return {"adjusted_rand": mean, "low": low, "high": high, "kept": metrics.average(self.share)}

    def badge(self, position: int) -> Badge:
        """Return how often a sample stayed in its cluster.

        Parameters
        ----------
        position : int
            Row number of the sample.

        Returns
        -------
        Badge
            Counts and level; its text is for example "kept in 17 of 20 refits (moderate)".

        Raises
        ------
        InvalidParameterError
            If there is no such row; a sample that was not trained on has no badge.
        """
        if not 0 <= position < len(self.ids):
            raise InvalidParameterError(
                f"position={position} is no row of the {len(self.ids)} training examples. Expected 0 to "
                f"{len(self.ids) - 1}; rows that were not trained on (position -1) were in no refit."
            )
        return Badge.of(int(self.kept[position]), int(self.counted[position]), len(self))

    @property
    def sentence(self) -> str:
        """The result as a plain sentence."""
        figures = self.summary
        parts = [
            f"{figures[size]} {words}: {_in_words(figures[kind])}"
            for kind, size, words in (
                ("seed", "n_seeds", "other seeds"),
                ("bootstrap", "n_bootstrap", "bootstrap draws"),
            )
            if figures[size]
        ]
        counts = self.clusters()["verdict"].value_counts()
        verdicts = ("stable", "changes", "dissolves", "untested")
        listed = ", ".join(f"{counts[word]} {word}" for word in verdicts if word in counts)
        return "; ".join([*parts, f"clusters: {listed or 'none'}"])

    def to_dict(self) -> dict[str, Any]:
        """Return sentence, figures and clusters as plain data, JSON-compatible: None stands for NaN."""
        table = self.clusters()
        return {
            "fit_key": self.fit_key,
            "sentence": self.sentence,
            "summary": to_jsonable(self.summary),
            "clusters": to_jsonable(table),
            "thresholds": {"stable": STABLE, "dissolved": DISSOLVED, "high": HIGH, "moderate": MODERATE},
        }

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Return everything as numbers and text, for ``numpy.savez`` without pickle; see :meth:`from_arrays`."""
        return {
            "labels": self.labels.astype(np.int32),
            "kinds": self.kinds.astype("<U9"),
            "base_labels": self.base_labels.astype(np.int32),
            "base_weights": self.base_weights,
            "ids": self.ids.astype(str) if self.ids.dtype == object else self.ids,
            "weights": self.weights,
            "fit_key": np.array(self.fit_key, dtype=str),
            "reclusterer": np.array(self.reclusterer, dtype=str),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Stability:
        """Restore from :meth:`to_arrays`.

        Parameters
        ----------
        arrays : mapping of str to ndarray
            An opened npz file, or the dict itself.

        Returns
        -------
        Stability
            The same.

        Raises
        ------
        InvalidParameterError
            If an array is missing or shapes do not fit together.
        """
        arrays = {"reclusterer": np.array(""), **arrays}  # stored before it was known
        names = [field.name for field in dataclasses.fields(cls)]
        missing = [name for name in names if name not in arrays]
        if missing:
            raise InvalidParameterError(
                f"The arrays of a stability lack {', '.join(missing)}. Expected what to_arrays returned; "
                f"measure it again."
            )
        found: dict[str, Any] = {name: np.asarray(arrays[name]) for name in names}
        found.update({name: found[name].astype(np.int64) for name in ("labels", "base_labels")})
        return cls(**found | {name: str(found[name]) for name in ("fit_key", "reclusterer")})

    def __repr__(self) -> str:
        """Return sentence and clusters as text."""
        return f"Stability: {self.sentence}.\n\n{self.clusters().to_string(index=False, float_format='{:.2f}'.format)}"

    def _repr_html_(self) -> str:
        table = self.clusters().to_html(index=False, float_format="{:.2f}".format)
        return f"<p>Stability: {html.escape(self.sentence)}.</p>{table}"


def _company(labels: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return for each sample the share of its fellow members that are with it again, from the contingency table."""
    common = overlap(labels, others, weights)
    inside = np.flatnonzero((labels >= 0) & (weights > 0))
    own, mine = labels[inside], weights[inside]
    fellows = np.bincount(own, weights=mine, minlength=len(common))[own] - mine
    again = np.zeros(len(inside))
    clustered = others[inside] >= 0
    again[clustered] = common[own[clustered], others[inside][clustered]] - mine[clustered]
    company = np.full(len(labels), np.nan)
    some = fellows > 1e-9 * mine
    company[inside[some]] = np.clip(again[some] / fellows[some], 0.0, 1.0)  # differences of sums leave round-off
    return company


def _bootstrap_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean and its 95 % percentile bootstrap interval, NaN below ``FEWEST`` values.

    Not :func:`clusterexplain.statistics.mean_interval`: similarities are far from normal, many are exactly 1.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < FEWEST:
        return metrics.average(values), float("nan"), float("nan")
    picks = np.random.default_rng(0).integers(len(finite), size=(DRAWS, len(finite)))
    low, high = np.quantile(finite[picks].mean(axis=1), [0.025, 0.975])
    return metrics.average(values), float(low), float(high)


def _verdict(mean: float) -> str:
    if np.isnan(mean):
        return "untested"
    return "stable" if mean >= STABLE else "changes" if mean >= DISSOLVED else "dissolves"


def _in_words(figures: Mapping[str, float]) -> str:
    interval = f" [{figures['low']:.2f}, {figures['high']:.2f}]" if np.isfinite(figures["low"]) else ""
    rand = f"adjusted Rand index {figures['adjusted_rand']:.2f}{interval}"
    return f"{rand}, samples keep their cluster in {figures['kept']:.0%} of the refits"
