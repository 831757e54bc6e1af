"""An explanation in words: where a sample is (noise, too), what its influences share, what its numbers rest on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from clusterexplain.results.text.margins import PULL_WORDS
from clusterexplain.results.text.names import COMMON, Vocabulary, capitalize_first, cluster_name

MOSTLY_DIRECT = 0.9
"""Share of the direct part above which an answer says that it is little else."""

NO_INFLUENCE = (
    "No training example's weight moves this margin to first order, labels kept; try flip, which clusters again without "
    "examples."
)


def headline(
    sample: object,
    own: int,
    runner_up: int,
    *,
    margin: float,
    membership: Sequence[float],
    share_with_larger_margin: float,
    n_members: int,
    names: Mapping[int, str] | None = None,
    vocabulary: Vocabulary = COMMON,
) -> str:
    """Say where a sample is and how firmly.

    Parameters
    ----------
    sample : object
        Its id.
    own, runner_up : int
        Its cluster and the one that it is compared with.
    margin : float
        Positive is inside.
    membership : (float, float)
        Soft membership in the two.
    share_with_larger_margin : float
        Share of the cluster's members whose margin is larger.
    n_members : int
        Members of its cluster.
    names : mapping of int to str, optional
        Names that clusters were given.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Three sentences.

    Examples
    --------
    >>> headline(7, 1, 4, margin=0.31, membership=(0.6, 0.3), share_with_larger_margin=0.95, n_members=170)
    'Sample 7 is in cluster 1 (170 members), compared with cluster 4. Its margin is 0.310 (0 is the boundary), its membership
    0.60 against 0.30. 95% of its cluster lie farther from the boundary.'
    """
    return (
        f"{capitalize_first(vocabulary.sample)} {sample} is in {cluster_name(own, names, vocabulary=vocabulary)} "
        f"({n_members} members), compared with {cluster_name(runner_up, names, vocabulary=vocabulary)}. "
        f"Its margin is {margin:.3f} (0 is the boundary), its membership {membership[0]:.2f} "
        f"against {membership[1]:.2f}. {farther_inside(share_with_larger_margin, vocabulary=vocabulary)}."
    )


def noise_headline(
    sample: object,
    runner_up: int,
    *,
    margin: float,
    reason: str,
    share_with_larger_margin: float,
    n_noise: int,
    n_samples: int,
    names: Mapping[int, str] | None = None,
    vocabulary: Vocabulary = COMMON,
) -> str:
    """Say that a sample is noise, and what it lacks to join a cluster.

    Parameters
    ----------
    sample : object
        Its id.
    runner_up : int
        The cluster that it is compared with.
    margin : float
        Positive is outside.
    reason : str
        What it lacks, "density" or "distance".
    share_with_larger_margin : float
        Share of the noise that is farther outside; NaN where it is not known.
    n_noise, n_samples : int
        Samples of positive weight that are noise, and all.
    names : mapping of int to str, optional
        Names that clusters were given.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Three sentences.

    Examples
    --------
    >>> noise_headline(7, 4, margin=0.2, reason="density", share_with_larger_margin=float("nan"), n_noise=12, n_samples=100)
    'Sample 7 is noise, as are 12 of 100 samples. To join cluster 4 it lacks density. Its margin is 0.200: positive is
    outside, at 0 it would join.'
    """
    outside = f" {farther_outside(share_with_larger_margin)}." if math.isfinite(share_with_larger_margin) else ""
    return (
        f"{capitalize_first(vocabulary.sample)} {sample} is noise, as are {n_noise} of {n_samples} {vocabulary.samples}. To "
        f"join {cluster_name(runner_up, names, vocabulary=vocabulary)} it lacks {reason}. Its margin is "
        f"{margin:.3f}: positive is outside, at 0 it would join.{outside}"
    )


def farther_inside(share: float, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say which share of its cluster has a larger margin than a sample."""
    return f"{share:.0%} of its {vocabulary.cluster} lie farther from the boundary"


def farther_outside(share: float) -> str:
    """Say which share of the noise has a larger margin than a sample that is noise."""
    return f"{share:.0%} of the noise lie farther outside"


def score_and_labels(agreement: float) -> str:
    """Say on which share of the training examples the score's best cluster is the label."""
    return f"score and labels agree for {agreement:.1%}"


def basis(score: str, agreement: float, method: str, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say what the numbers of an explanation rest on.

    Parameters
    ----------
    score : str
        What the margin is.
    agreement : float
        Share of training examples whose best-scoring cluster is their label.
    method : str
        The influence method in words.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Three sentences.
    """
    return (
        f"The margin is {score}. It agrees with the clustering for {agreement:.1%} of the {vocabulary.examples}. "
        f"Method {method}."
    )


def sign(positive: str) -> str:
    """Say what the sign of an influence and of a predicted change means; `positive` is what a positive influence did."""
    return f"influence > 0 {positive}; if_removed is the predicted change of the margin"


def seed_agreement(
    n_seeds: int,
    *,
    shared: float,
    within: float,
    expected: float,
    n_stable: int,
    n_stable_strongest: int,
    n_strongest: int,
    margins: Sequence[float],
    vocabulary: Vocabulary = COMMON,
) -> str:
    """Say how much of an explanation that was averaged over seeds they share.

    Parameters
    ----------
    n_seeds : int
        Trainings.
    shared, within : float
        Mean rank correlation of the influences of two seeds: over all examples, and within the own cluster.
    expected : float
        Correlation to expect between two such means.
    n_stable, n_stable_strongest, n_strongest : int
        Effects that differ from 0 over seeds: of all, and of the `n_strongest` strongest.
    margins : sequence of float
        Margin by seed: mean, smallest and largest.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Four sentences.
    """
    mean, smallest, largest = margins
    return (
        f"Over {n_seeds} seeds: two seeds rank the examples with a correlation of {shared:.2f} "
        f"({within:.2f} within its own {vocabulary.cluster}). Two such averages are expected to agree at {expected:.2f}. "
        f"{n_stable:,} effects are seed-stable, among them {n_stable_strongest} of the {n_strongest} strongest. Its "
        f"margin is {mean:.3f} on average, from {smallest:.3f} to {largest:.3f}."
    )


def concentration(
    n_half: int, n_examples: int, share: float, cluster: str, positive: str, *, vocabulary: Vocabulary = COMMON
) -> str:
    """Say how concentrated the pull is, and where most of it comes from.

    Parameters
    ----------
    n_half, n_examples : int
        Training examples that half of the pull comes from, and all of positive weight.
    share : float
        Of the pull, from the cluster that most of it comes from.
    cluster : str
        What that cluster is called.
    positive : str
        What a positive influence did, see :func:`clusterexplain.results.text.margins.sides_of`.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> concentration(12, 1_797, 0.61, "cluster 4", "pulled in")
    'Half of its pull comes from 12 of 1,797 training examples; 61% of it comes from cluster 4.'
    """
    what = PULL_WORDS.get(positive, f"all that {positive}")
    return (
        f"Half of {what} comes from {n_half:,} of {n_examples:,} {vocabulary.examples}; {share:.0%} of it comes from "
        f"{cluster}."
    )


def parts(shares: Mapping[str, float], *, given: bool = False, vocabulary: Vocabulary = COMMON) -> str:
    """Say which share of the influence each of its three parts has, and warn where nearly all of it is direct.

    Parameters
    ----------
    shares : mapping of str to float
        By "encoder", "cluster" and "direct", see :meth:`clusterexplain.results.influence_rows.InfluenceRows.shares`.
    given : bool, default=False
        Whether the embedding is the user's own: all is direct then, and no warning is due.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        One or two sentences.

    Examples
    --------
    >>> parts({"encoder": 0.5, "cluster": 0.3, "direct": 0.2})
    'Of the influence, 50% comes through the embedding of what is explained, 30% through clusters that moved and 20% directly
    from weights in clusters.'
    """
    said = (
        f"Of the influence, {shares['encoder']:.0%} comes through the embedding of what is explained, "
        f"{shares['cluster']:.0%} through {vocabulary.clusters} that moved and {shares['direct']:.0%} directly from weights in "
        f"{vocabulary.clusters}."
    )
    if given or shares["direct"] <= MOSTLY_DIRECT:
        return said
    return (
        f"{said} Nearly all of it is arithmetic of the {vocabulary.clusters}, not what the model learned from a "
        f"{vocabulary.example}."
    )


def side_heading(side: str, *, combination: bool = False) -> str:
    """Return the heading of the list of one side.

    Parameters
    ----------
    side : str
        From :func:`clusterexplain.results.text.margins.sides_of`.
    combination : bool, default=False
        Whether the margin is a combination, whose words name their object.

    Returns
    -------
    str
        Begins with a capital.

    Examples
    --------
    >>> side_heading("pulled in"), side_heading("holds it together", combination=True)
    ('Pulled it in', 'Holds it together')
    """
    verb, _, rest = side.partition(" ")
    return capitalize_first(side if combination else f"{verb} it {rest}")
