"""The figures of the experiment over its seeds: means with intervals, worst seeds, and by Gaussian."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clusterexplain.statistics import average, mean_interval

KEYS = ["variant", "arm", "truth", "method"]
SHARES = (0.6, 0.8)


def agreement(rows: pd.DataFrame, suffix: str = "") -> pd.DataFrame:
    """Return Pearson and Spearman of each method, averaged over queries and then over seeds.

    Parameters
    ----------
    rows : DataFrame
        Of :meth:`~clusterexplain.experiments.mixture.predicted_and_retrained.Comparison.agreement`, with a column seed.
    suffix : {"", "_within"}
        Which removals count: all, or those of the query's own cluster.

    Returns
    -------
    DataFrame
        Columns variant, arm, truth, method, seeds, pearson, pearson_low, pearson_high, pearson_least (of the worst seed), and
        the same for spearman.
    """
    table = []
    for keys, group in rows.groupby(KEYS, sort=False):
        figures: dict[str, float] = {"seeds": group["seed"].nunique()}
        for measure in ("pearson", "spearman"):
            by_seed = group.groupby("seed")[measure + suffix].mean().to_numpy()
            interval = mean_interval(by_seed, largest=1.0)
            least = float(np.nanmin(by_seed)) if np.isfinite(by_seed).any() else float("nan")
            figures |= {
                measure: interval.mean,
                f"{measure}_low": interval.low,
                f"{measure}_high": interval.high,
                f"{measure}_least": least,
            }
        table.append(dict(zip(KEYS, keys, strict=True)) | figures)
    return pd.DataFrame(table)


def by_component(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the figures for the queries of each Gaussian, with the shares of queries that the paper counts.

    Parameters
    ----------
    rows : DataFrame
        As for :func:`agreement`.

    Returns
    -------
    DataFrame
        Columns variant, arm, truth, method, component, pearson with its interval over seeds, spearman, the two within the
        query's cluster, and the shares of queries whose Pearson correlation is at least 0.6 and at least 0.8.
    """
    table = []
    for keys, group in rows.groupby([*KEYS, "component"], sort=False):
        seeds = group.groupby("seed")
        interval = mean_interval(seeds["pearson"].mean().to_numpy(), largest=1.0)
        figures = {"pearson": interval.mean, "pearson_low": interval.low, "pearson_high": interval.high}
        for measure in ("spearman", "pearson_within", "spearman_within"):
            figures[measure] = average(seeds[measure].mean().to_numpy())
        for share in SHARES:
            figures[f"from_{share}"] = float((group["pearson"] >= share).mean())
        table.append(dict(zip([*KEYS, "component"], keys, strict=True)) | figures)
    return pd.DataFrame(table)


def by_seed(rows: pd.DataFrame, variant: str, method: str, truth: str) -> pd.DataFrame:
    """Return one method's figures for each seed and arm of a variant, its worst query, and facts about the networks.

    Parameters
    ----------
    rows : DataFrame
        As for :func:`agreement`.
    variant, method, truth : str
        Which rows.

    Returns
    -------
    DataFrame
        Columns arm, seed, settled and purity (shares of points), pearson, spearman, pearson_within, spearman_within, and
        worst_query: the least of the queries' Pearson correlations.
    """
    chosen = rows[(rows["variant"] == variant) & (rows["method"] == method) & (rows["truth"] == truth)]
    means = chosen.groupby(["arm", "seed"], sort=False)[
        ["settled", "purity", "pearson", "spearman", "pearson_within", "spearman_within"]
    ].mean()
    means["worst_query"] = chosen.groupby(["arm", "seed"], sort=False)["pearson"].min()
    return means.reset_index()


def solves(rows: pd.DataFrame) -> pd.DataFrame:
    """Return how the published solver fared: one row for each variant, arm and status, with the number of seeds."""
    solves = rows.drop_duplicates(["variant", "arm", "seed"])
    groups = solves.groupby(["variant", "arm", "LiSSA"], sort=False)
    return groups["residual"].agg(seeds="size", median_residual="median").reset_index()
