"""Two labellings of the same rows: which cluster of one is which cluster of the other, and how well they agree."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

NOISE = -1
"""The label of a sample that is in no cluster."""
NOISE_NAMES = ("noise", "-1", "-1.0")
"""Texts, in small letters, that stand for noise."""


def overlap(labels: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weight that each pair of clusters has in common: the contingency table without noise.

    Parameters
    ----------
    labels, others : ndarray of shape (n_samples,), int
        Two labellings; -1 is noise and is left out.
    weights : ndarray of shape (n_samples,)
        Data weights; 0 leaves a row out, but not its cluster: it keeps its place in the table.

    Returns
    -------
    ndarray of shape (K, L)
        ``overlap[k, l] = sum of weights[i] over rows with labels[i] == k and others[i] == l``, where K - 1 and L - 1
        are the largest labels.

    Examples
    --------
    >>> overlap(np.array([0, 0, 1, -1]), np.array([1, 1, 0, 0]), np.array([1.0, 2.0, 1.0, 1.0]))
    array([[0., 3.],
           [1., 0.]])
    """
    n_rows, n_columns = int(labels.max(initial=-1)) + 1, int(others.max(initial=-1)) + 1
    both = (labels >= 0) & (others >= 0)
    cells = labels[both] * n_columns + others[both]
    return np.bincount(cells, weights=weights[both], minlength=n_rows * n_columns).reshape(n_rows, n_columns)


def match(labels: np.ndarray, others: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the partner of each cluster in another labelling, one to one, so that the common weight is largest.

    Parameters
    ----------
    labels, others : ndarray of shape (n_samples,), int
        Two labellings; -1 is noise.
    weights : ndarray of shape (n_samples,)
        Data weights; 0 leaves a row out.

    Returns
    -------
    ndarray of shape (K,), int
        Cluster of `others` for each cluster of `labels`; -1 for a cluster that has no weight in common with its partner
        or, where `others` has fewer clusters, no partner.

    References
    ----------
    H. W. Kuhn. The Hungarian method for the assignment problem. Naval Research Logistics Quarterly 2, 1955.

    Examples
    --------
    >>> match(np.array([0, 0, 1, 2]), np.array([1, 1, 0, 0]), np.array([1.0, 1.0, 2.0, 1.0]))
    array([ 1,  0, -1])
    """
    common = overlap(labels, others, weights)
    partners = np.full(len(common), -1)
    rows, columns = linear_sum_assignment(common, maximize=True)
    meet = common[rows, columns] > 0
    partners[rows[meet]] = columns[meet]
    return partners


def renumbered(labels: np.ndarray, others: np.ndarray, weights: np.ndarray, *, first_new: int = 0) -> np.ndarray:
    """Renumber a labelling so that matched clusters have the numbers of the base labelling.

    Parameters
    ----------
    labels, others : ndarray of shape (n_samples,), int
        The base labelling and the one to renumber; -1 is noise.
    weights : ndarray of shape (n_samples,)
        Data weights of the matching; a row of weight 0 is renumbered with its cluster but has no say.
    first_new : int, default=0
        Least number of a cluster without partner: K, where base clusters without members come after the last one with some.

    Returns
    -------
    ndarray of shape (n_samples,), int
        The partition of `others`. Clusters without partner get the numbers K, K + 1, ... in their own order, so that no
        base cluster is mistaken for them; noise stays -1.

    Examples
    --------
    >>> renumbered(np.array([0, 0, 1, 1, -1]), np.array([2, 2, 0, 1, -1]), np.array([1.0, 1.0, 2.0, 1.0, 1.0]))
    array([ 0,  0,  1,  2, -1])
    """
    partners = match(labels, others, weights)
    numbers = np.full(int(others.max(initial=-1)) + 2, -1)  # the last entry serves label -1
    matched = np.flatnonzero(partners >= 0)
    numbers[partners[matched]] = matched
    left = np.setdiff1d(others[others >= 0], partners)
    numbers[left] = max(len(partners), first_new) + np.arange(len(left))
    return np.asarray(numbers[others])


def jaccard(labels: np.ndarray, matched: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the weighted Jaccard similarity of each base cluster with the cluster of the same number.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,), int
        The base labelling, clusters 0 ... K - 1; -1 is noise.
    matched : ndarray of shape (n_samples,), int
        The other labelling, from :func:`renumbered`.
    weights : ndarray of shape (n_samples,)
        Data weights; 0 leaves a row out.

    Returns
    -------
    ndarray of shape (K,)
        Weight of the intersection over weight of the union; 0 for a cluster that dissolved (its number is gone). NaN
        for a base cluster without weight, which says nothing about it.

    References
    ----------
    C. Hennig. Cluster-wise assessment of cluster stability. Computational Statistics & Data Analysis 52, 2007.

    Examples
    --------
    >>> jaccard(np.array([0, 0, 1, 1, -1]), np.array([0, 0, 1, 2, 1]), np.ones(5))
    array([1.        , 0.33333333])
    """
    n_clusters = int(labels.max(initial=-1)) + 1
    both, before, after = (
        np.bincount(of[rows], weights=weights[rows], minlength=n_clusters)[:n_clusters]
        for of, rows in ((labels, (labels >= 0) & (labels == matched)), (labels, labels >= 0), (matched, matched >= 0))
    )
    similarity: np.ndarray = np.divide(both, before + after - both, out=np.full(n_clusters, np.nan), where=before > 0)
    return similarity
