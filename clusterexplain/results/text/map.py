"""The map in words: what it shows, and where it misleads."""

from __future__ import annotations

from clusterexplain.results.text.names import COMMON, Vocabulary


def map_note(
    n_shown: int, n_examples: int, drawn_by: str, dim: int, *, source: str = "", vocabulary: Vocabulary = COMMON
) -> str:
    """Say what the map is, and how much of it is drawn.

    Parameters
    ----------
    n_shown, n_examples : int
        Points that are drawn, and training examples of positive weight.
    drawn_by : str
        "UMAP" or "PCA".
    dim : int
        Of the embedding.
    source : str, default=""
        What the map is, if it was given and not drawn here: "obsm X_umap".
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Two lines.
    """
    if n_shown == n_examples:
        shown = vocabulary.count_examples(n_examples)
    else:
        shown = f"a random sample of {n_shown:,} of {n_examples:,} {vocabulary.examples}"
    what = f"Map: {source} as given; {shown}" if source else f"{shown}, drawn by {drawn_by}"
    return f"{what}, for orientation only\nexplanations come from the {dim}-dimensional embedding and not from this map"


def misplaced(n_on_map: int, n_in_embedding: int, n: int, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say that the map shows a sample among other clusters' members, where most of its neighbours there are of others.

    Parameters
    ----------
    n_on_map, n_in_embedding : int
        Nearest training examples of other clusters: on the map, and in the embedding.
    n : int
        Nearest that were looked at.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        One line; empty if at most half of its neighbours on the map are of other clusters.
    """
    if 2 * n_on_map <= n:
        return ""
    others = f"of its {n} nearest on this map are of other {vocabulary.clusters}"
    return f"{n_on_map} {others}, {n_in_embedding} of {n} in the embedding"


def some_drawn(n_shown: int, n_examples: int, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say that not all training examples are drawn; empty if they are."""
    return "" if n_shown >= n_examples else f"{n_shown:,} of {n_examples:,} {vocabulary.examples} are drawn."
