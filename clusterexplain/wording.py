"""Clusters and changes in words, the same on every surface."""

from __future__ import annotations

NOISE = -1
LONGEST_NAME = 80
RESERVED = ("noise", "runner-up")


def cluster_name(cluster: int, names: dict[int, str] | None = None) -> str:
    """Return what a cluster is called.

    Parameters
    ----------
    cluster : int
        Its number; -1 is noise.
    names : dict of int to str, optional
        Names that clusters were given.

    Returns
    -------
    str
        "noise", "cluster 4", or 'cluster 4 "nines"'.

    Examples
    --------
    >>> cluster_name(4, {4: "nines"})
    'cluster 4 "nines"'
    """
    if cluster == NOISE:
        return "noise"
    return f'cluster {cluster} "{names[cluster]}"' if names and cluster in names else f"cluster {cluster}"


def is_name(text: object) -> bool:
    """Return whether a text can name a cluster: printable, short, and not to be taken for a number or a word of its own.

    Examples
    --------
    >>> [is_name(text) for text in ("nines", "7", "noise", "")]
    [True, False, False, True]
    """
    if not isinstance(text, str) or len(text) > LONGEST_NAME:
        return False
    return text == "" or (text.isprintable() and text not in RESERVED and not text.lstrip("-").isdecimal())


def change(amount: float, percent: float) -> str:
    """Return a change of the margin with its sign and its size relative to the margin.

    Examples
    --------
    >>> change(-0.021, -6.8)
    '-0.0210 (-6.8 %)'
    """
    return f"{amount:+.4f} ({percent:+.1f} %)"
