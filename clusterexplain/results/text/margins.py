"""What a combination of margins is, as a sentence."""

from __future__ import annotations

from clusterexplain.results.margins import Margins, Subject, Topic
from clusterexplain.results.text.names import cluster_name

HOLDING = ("holds it together", "loosens it")
PARTING = ("keeps them apart", "merges them")


def combination_id(subject: Subject) -> str:
    """Return what a combination of margins is called in tables, by the numbers of its clusters."""
    first = cluster_name(subject.clusters[0])
    if subject.topic is Topic.COHESION:
        return first
    second = subject.clusters[1]
    return (
        f"{first} against {second}"
        if subject.topic is Topic.AGAINST
        else f"clusters {subject.clusters[0]} and {second}"
    )


def combination_title(margins: Margins, score: int, value: float, names: dict[int, str]) -> str:
    """Say what a combination of margins is about.

    Parameters
    ----------
    margins : Margins
        With a combination.
    score : int
        Which one of its sums.
    value : float
        The sum.
    names : dict of int to str
        Names that clusters were given.

    Returns
    -------
    str
        A sentence with the value.
    """
    assert margins.combination is not None, "these margins are not combined"
    subject = margins.combination.subjects[score]
    called, shown = [cluster_name(cluster, names) for cluster in subject.clusters], f"{value:.3f}"
    if subject.topic is Topic.COHESION:
        return (
            f"{_capital(called[0])} has {subject.sizes[0]} members. Its cohesion is {shown}, the mean margin of its "
            f"members to their runner-ups (0 is the boundary)."
        )
    if subject.topic is Topic.AGAINST:
        return f"The members of {called[0]} have a mean margin of {shown} against {called[1]}."
    return (
        f"{_capital(called[0])} and {called[1]} ({subject.sizes[0]} and {subject.sizes[1]} members) are separated by {shown}, "
        f"the mean margin of each one's members against the other (0 is no separation)."
    )


def combination_sides(margins: Margins) -> tuple[str, str]:
    """Return what a positive and a negative influence on a combination of margins did, in words."""
    assert margins.combination is not None, "these margins are not combined"
    return PARTING if margins.combination.subjects[0].topic is Topic.SEPARATION else HOLDING


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
