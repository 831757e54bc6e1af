"""What became of clusters at other data weights, in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

from clusterexplain.results.margins import Margins
from clusterexplain.results.text.names import cluster_name
from clusterexplain.statistics.matching import NOISE

DIVERGED = "the training diverged at these weights: parameters became NaN or infinite; lower the learning rate"


def reasons(
    margins: Margins, scores: np.ndarray, alive: Sequence[int], final: np.ndarray, peopled: Collection[int] = ()
) -> tuple[str, ...]:
    """Say for each score why it is not known.

    Parameters
    ----------
    margins : Margins
        What was scored.
    scores : ndarray of shape (n_scores,)
        NaN where a cluster of a pair has no members.
    alive : sequence of int
        Clusters that a score can still be compared with.
    final : ndarray of shape (n_pairs,), int
        The cluster that each sample ends in.
    peopled : collection of int, default=()
        Clusters that keep members of positive weight, even where nothing is left to compare with: exemplars of HDBSCAN.

    Returns
    -------
    tuple of str
        For example "cluster 5 dissolved: no member of positive weight is left; the sample is now in cluster 4"; "" for a
        score that is known.

    Examples
    --------
    >>> one = Margins(np.array(["a"]), np.empty((0, 0)), np.array([3]), np.array([5]), np.array([4]))
    >>> reasons(one, np.array([np.nan]), [4], np.array([4]))
    ('cluster 5 dissolved: no member of positive weight is left; the sample is now in cluster 4',)
    """
    words = []
    for score, value in enumerate(scores):
        if not np.isnan(value):
            words.append("")
            continue
        weights = None if margins.combination is None else margins.combination.weights[score]
        pairs = np.array([score]) if weights is None else np.flatnonzero(weights)
        asked = {int(cluster) for side in (margins.own, margins.runner_up) for cluster in side[pairs]} - {NOISE}
        gone = " and ".join(cluster_name(cluster) for cluster in sorted(asked - set(alive)))
        now = f"; the sample is now in {cluster_name(int(final[score]))}" if weights is None else ""
        what = "exemplar" if asked - set(alive) <= set(peopled) else "member"
        words.append(f"{gone} dissolved: no {what} of positive weight is left{now}")
    return tuple(words)
