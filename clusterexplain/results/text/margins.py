"""Margins in words: their two sides, what a change of them does, and what a combination of them is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from clusterexplain.results.margins import Subject, Topic
from clusterexplain.results.text.names import COMMON, Vocabulary, capitalize_first, cluster_name
from clusterexplain.statistics.matching import NOISE

SIDES = ("pulled in", "pushed away")
"""What training examples of positive and of negative influence did to a sample; also the values of the column `side`."""
NOISE_SIDES = ("kept out", "drew in")
"""The same for a sample that is noise."""
COHESION_SIDES = ("holds it together", "loosens it")
SEPARATION_SIDES = ("keeps them apart", "merges them")

PULL_WORDS = {SIDES[0]: "its pull", NOISE_SIDES[0]: "what kept it out"}
SHOWN_NAMES = 3
"""Samples that a title names."""


def sides_of(own: int, topic: Topic | None = None) -> tuple[str, str]:
    """Return what a positive and a negative influence did.

    Parameters
    ----------
    own : int
        The sample's cluster, -1 for noise.
    topic : Topic, optional
        Of a combination of margins; None for a single sample.

    Returns
    -------
    (str, str)
        In words without a subject.

    Examples
    --------
    >>> sides_of(4), sides_of(-1), sides_of(4, Topic.SEPARATION)
    (('pulled in', 'pushed away'), ('kept out', 'drew in'), ('keeps them apart', 'merges them'))
    """
    if topic is not None:
        return SEPARATION_SIDES if topic is Topic.SEPARATION else COHESION_SIDES
    return NOISE_SIDES if own == NOISE else SIDES


def combination_id(subject: Subject, *, vocabulary: Vocabulary = COMMON) -> str:
    """Return what a combination of margins is called in tables, by the numbers of its clusters.

    Parameters
    ----------
    subject : Subject
        What it is about.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        Never with names that were given.

    Examples
    --------
    >>> [combination_id(Subject(topic, (4, 7), (20, 8))) for topic in Topic]
    ['cluster 4', 'cluster 4 against 7', 'clusters 4 and 7']
    """
    if subject.topic is Topic.SEPARATION:
        return f"{vocabulary.clusters} {subject.clusters[0]} and {subject.clusters[1]}"
    first = cluster_name(subject.clusters[0], vocabulary=vocabulary)
    return first if subject.topic is Topic.COHESION else f"{first} against {subject.clusters[1]}"


def combination_title(
    subject: Subject, value: float, names: Mapping[int, str] | None = None, *, vocabulary: Vocabulary = COMMON
) -> str:
    """Return the sentence about a combination of margins and its value.

    Parameters
    ----------
    subject : Subject
        Topic, clusters and their sizes.
    value : float
        The combination: a mean of margins, positive inside.
    names : mapping of int to str, optional
        Names that clusters were given.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        With full stops.

    Examples
    --------
    >>> combination_title(Subject(Topic.AGAINST, (4, 7), (20,)), 0.25, {7: "nines"})
    'The members of cluster 4 have a mean margin of 0.250 against cluster 7 "nines".'
    """
    called = [cluster_name(cluster, names, vocabulary=vocabulary) for cluster in subject.clusters]
    if subject.topic is Topic.COHESION:
        return (
            f"{capitalize_first(called[0])} has {subject.sizes[0]} members. Its cohesion is {value:.3f}, the mean margin of "
            f"its members to their runner-ups (0 is the boundary)."
        )
    if subject.topic is Topic.AGAINST:
        return f"The members of {called[0]} have a mean margin of {value:.3f} against {called[1]}."
    return (
        f"{capitalize_first(called[0])} and {called[1]} ({subject.sizes[0]} and {subject.sizes[1]} members) are separated by "
        f"{value:.3f}, the mean margin of each one's members against the other (0 is no separation)."
    )


@dataclass(frozen=True)
class MarginLabels:
    """What the two sides of a margin and its changes are called, on charts and in sentences.

    Attributes
    ----------
    above, below : str
        Where the sample is above and below a margin of 0.
    axis : str
        What a margin above 0 is, beside an axis.
    increase : str
        What a positive change of the margin is.
    crossing : str
        What removing pullers would do: completes "N removals are predicted to ...".
    not_positive : str
        A sentence for a margin that is not above 0.
    question : str
        The question of a page about it.
    """

    above: str
    below: str
    axis: str
    increase: str
    crossing: str
    not_positive: str
    question: str


def margin_labels(
    own: int, runner_up: str, topic: Topic | None = None, *, vocabulary: Vocabulary = COMMON
) -> MarginLabels:
    """Return the labels of a margin.

    Parameters
    ----------
    own : int
        The sample's cluster, -1 for noise.
    runner_up : str
        What the runner-up cluster is called.
    topic : Topic, optional
        Of a combination of margins; None for a single sample.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    MarginLabels
        Of a sample, of noise, or of a combination.

    Examples
    --------
    >>> margin_labels(-1, "cluster 4").below
    'joins cluster 4'
    """
    if topic is not None:
        return _combination_labels(topic)
    cluster = vocabulary.cluster
    if own == NOISE:
        return MarginLabels(
            above="stays noise",
            below=f"joins {runner_up}",
            axis="above 0: outside, noise",
            increase="farther outside, for noise",
            crossing=f"let it join {runner_up}",
            not_positive=f"Its margin is not above 0: it is already at the edge of the {cluster}.",
            question="Why is it noise?",
        )
    return MarginLabels(
        above=f"stays in its {cluster}",
        below="changes sides",
        axis=f"above 0: in its {cluster}",
        increase=f"deeper in its {cluster}",
        crossing="move it to the other side",
        not_positive="Its margin is not above 0: it is already on the other side of this boundary.",
        question=f"Why is it in its {cluster}?",
    )


def _combination_labels(topic: Topic) -> MarginLabels:
    positive, negative = sides_of(0, topic)
    apart = topic is Topic.SEPARATION
    return MarginLabels(
        above="apart on average" if apart else "inside on average",
        below="merged on average" if apart else "outside on average",
        axis="above 0: beyond the boundary on its own side, on average",
        increase="farther from the boundary on average",
        crossing="bring the mean margin to 0",
        not_positive="The mean margin is not above 0.",
        question=f"What {positive} and what {negative}",
    )


def page_question(questions: Iterable[str]) -> str:
    """Return the question of a page about several samples: theirs if they share it."""
    different = set(questions)
    return different.pop() if len(different) == 1 else "Why is it where it is?"


def sample_subject(sample: str, own: str, runner_up: str, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say which sample a picture is about, with the clusters of its margin.

    Examples
    --------
    >>> sample_subject("123", "cluster 1", "cluster 4")
    'Sample 123: cluster 1, compared with cluster 4'
    """
    return f"{capitalize_first(vocabulary.sample)} {sample}: {own}, compared with {runner_up}"


def members_subject(combination: str) -> str:
    """Say which combination of margins a picture is about."""
    return f"All members of {combination}"


def samples_subject(samples: Sequence[str], *, combinations: bool = False, vocabulary: Vocabulary = COMMON) -> str:
    """Say which samples, or combinations, a picture is about that shows all of them.

    Examples
    --------
    >>> samples_subject(["1", "2", "3", "4"])
    'Samples 1, 2, 3 and 1 more'
    """
    more = f" and {len(samples) - SHOWN_NAMES} more" if len(samples) > SHOWN_NAMES else ""
    listed = f"{', '.join(samples[:SHOWN_NAMES])}{more}"
    if combinations:
        return listed
    return f"{capitalize_first(vocabulary.samples if len(samples) > 1 else vocabulary.sample)} {listed}"
