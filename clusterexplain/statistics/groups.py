"""Influence summed over groups of training examples, with intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd

DRAWS = 1000
FEWEST = 5
BLOCK = 100
"""Bootstrap draws that are held in memory at a time."""


def group_sums(influence: np.ndarray, names: np.ndarray, query_ids: np.ndarray) -> pd.DataFrame:
    """Sum influence over groups.

    Parameters
    ----------
    influence : ndarray of shape (n_queries, n_train)
        Positive pulled in.
    names : ndarray of shape (n_train,)
        Group of each training example; missing ones are called "missing", or "(missing)" beside a group of that name.
    query_ids : ndarray of shape (n_queries,)
        Ids of the queries.

    Returns
    -------
    DataFrame
        One row for each (query, group): n; size_share (of the training examples); influence (sum), low and high (95 %
        interval by the bootstrap: how much the sum would vary if the group's examples were drawn anew from their like; NaN
        for groups of fewer than ``FEWEST``, too few to say);
        if_removed (predicted change of the margin if the whole group is removed); pull_share and push_share (of all positive
        influence, of all negative); share (size of this sum among the sizes of all sums, without sign).
    """
    codes, uniques = pd.factorize(_named(names), sort=True)
    sizes = np.bincount(codes, minlength=len(uniques))
    sums, pulls, pushes = (
        _by_code(part, codes, len(uniques)) for part in (influence, np.maximum(influence, 0), np.minimum(influence, 0))
    )
    low, high = _intervals(influence, codes, len(uniques))
    return pd.DataFrame(
        {
            "query": np.repeat(query_ids, len(uniques)),
            "group": np.tile(uniques, len(query_ids)),
            "n": np.tile(sizes, len(query_ids)),
            "size_share": np.tile(sizes / len(codes), len(query_ids)),
            "influence": sums.ravel(),
            "low": low.ravel(),
            "high": high.ravel(),
            "if_removed": -sums.ravel(),
            "pull_share": _shares(pulls).ravel(),
            "push_share": _shares(pushes).ravel(),
            "share": _shares(np.abs(sums)).ravel(),
        }
    )


def main_source(frame: pd.DataFrame, query: object, what: str) -> str:
    """Say where most of the pull on one query comes from.

    Parameters
    ----------
    frame : DataFrame
        From :func:`group_sums`.
    query : object
        Id of the query.
    what : str
        What the groups are ("batch").

    Returns
    -------
    str
        For example "71 % of the pull comes from batch B, which holds 40 % of the training examples".
    """
    rows = frame[frame["query"] == query]
    first = rows.iloc[int(rows["pull_share"].to_numpy().argmax())]
    return (
        f"{first['pull_share']:.0%} of the pull comes from {what} {first['group']}, which holds {first['size_share']:.0%} of "
        f"the training examples"
    )


def _named(names: np.ndarray) -> np.ndarray:
    """Return group names in which what is missing has a name that no group has."""
    missing = pd.isna(names)
    if not missing.any():
        return names
    called, known = "missing", set(names[~missing].astype(str).tolist())
    while called in known:
        called = f"({called})"
    return np.where(missing, called, names.astype(object))


def _by_code(values: np.ndarray, codes: np.ndarray, n_groups: int) -> np.ndarray:
    return np.stack([np.bincount(codes, weights=row, minlength=n_groups) for row in values])


def _shares(sums: np.ndarray) -> np.ndarray:
    total = sums.sum(axis=1, keepdims=True)
    shares: np.ndarray = np.divide(sums, total, out=np.zeros_like(sums), where=total != 0)
    return shares


def _intervals(influence: np.ndarray, codes: np.ndarray, n_groups: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the 2.5 % and 97.5 % quantiles of bootstrapped sums, each of shape (n_queries, n_groups)."""
    rng = np.random.default_rng(0)
    low, high = np.empty((2, len(influence), n_groups))
    for group in range(n_groups):
        members = influence[:, codes == group]
        size = members.shape[1]
        if size < FEWEST:
            low[:, group] = high[:, group] = np.nan
            continue
        counts = (
            rng.multinomial(size, np.full(size, 1 / size), size=BLOCK).astype(float) for _ in range(DRAWS // BLOCK)
        )
        drawn = np.concatenate([members @ block.T for block in counts], axis=1)
        low[:, group], high[:, group] = np.quantile(drawn, [0.025, 0.975], axis=1)
    return low, high
