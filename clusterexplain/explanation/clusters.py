"""Who holds a cluster together, who is typical of it, and what keeps two clusters apart.

A cluster's score is the mean margin of its members, so its influences are means of theirs: one more row of the reverse pass,
whatever the size of the cluster.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation.explain import VALUE
from clusterexplain.fitting.fit import Pipeline
from clusterexplain.results.annotations import Mixed
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import cluster_name, plain_records, replace_unprintable, terminal_safe

HOLDING = ("holds it together", "loosens it")
PARTING = ("keeps them apart", "merges them")


@dataclass(frozen=True, eq=False, repr=False)
class ClusterAnswer:
    """A cluster: who holds it together, who is typical, which other cluster pulls at it.

    Attributes
    ----------
    cluster : int
        Its number.
    cohesion : Explanation
        Influence on the mean margin of its members. Positive holds the cluster together: without such an example the members
        would lie nearer to the boundary.
    members : DataFrame
        One row for each member, most typical first: id, margin (to its runner-up), rival, self_influence (how much the
        member holds itself in; NaN where it was not asked for). A member with a small margin and a large self-influence is
        in the cluster only because it was trained on.
    towards : DataFrame
        One row for each other cluster, the nearest first: rival, margin (mean of the members against it), n_runner_up
        (members whose rival it is), pull (summed influence of the rival's own members on that mean margin: negative pulls
        this cluster's members towards the rival), strongest (id of the rival's member that pulls most).
    """

    cluster: int
    cohesion: Explanation
    members: pd.DataFrame
    towards: pd.DataFrame

    def typical(self, n: int = 5) -> pd.DataFrame:
        """Return the members deepest inside."""
        return self.members.head(n)

    def untypical(self, n: int = 5) -> pd.DataFrame:
        """Return the members nearest to a boundary, nearest first."""
        return self.members.iloc[::-1].head(n)

    def to_dict(self, top: int = 10) -> dict[str, Any]:
        """Return the answer as plain data."""
        frames = {"typical": self.typical(top), "untypical": self.untypical(top), "towards": self.towards}
        plain = {name: plain_records(frame) for name, frame in frames.items()}
        return {"cluster": self.cluster, "size": len(self.members), **self.cohesion.to_dict(top), **plain}

    def __repr__(self) -> str:
        """Return the answer as text."""
        parts = [
            repr(self.cohesion),
            f"Most typical:\n{self.typical().to_string(index=False)}",
            f"Least typical:\n{self.untypical().to_string(index=False)}",
            f"Towards other clusters:\n{self.towards.to_string(index=False)}",
        ]
        return terminal_safe("\n\n".join(parts), lines=True)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """Return the card of a notebook: that of the cohesion, and the tables."""
        frames = (("Most typical", self.typical()), ("Least typical", self.untypical()), ("Towards", self.towards))
        tables = "".join(f"<p>{html.escape(title)}</p>{frame.to_html(index=False)}" for title, frame in frames)
        found = self.cohesion._repr_mimebundle_()
        shown = {"text/html": found["text/html"] + replace_unprintable(tables)} if "text/html" in found else {}
        return {**found, **shown, "text/plain": repr(self)}


def cohesion_of(pipeline: Pipeline, cluster: int, names: dict[int, str]) -> Mixed:
    """Ask for the mean margin of a cluster's members: against the runner-up of each, and against every other cluster.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    cluster : int
        Whose members.
    names : dict of int to str
        Names of clusters.

    Returns
    -------
    Mixed
        Row 0 is the cohesion; the others follow the order of :func:`other_clusters`.

    Raises
    ------
    InvalidParameterError
        If the cluster does not exist or has no rival.
    """
    members, others = _members(pipeline, cluster), other_clusters(pipeline, cluster)
    nearest = pipeline.rivals(pipeline.normalized_embedding[members], pipeline.labels[members]).numpy()
    rivals = np.concatenate([nearest, *(np.full(len(members), other) for other in others)])
    labels = [cluster_name(cluster), *(f"{cluster_name(cluster)} against {other}" for other in others)]
    titles = [_cohesion_title(cluster, len(members), names)]
    titles += [
        f"The members of {cluster_name(cluster, names)} have a mean margin of {VALUE} against "
        f"{cluster_name(other, names)}."
        for other in others
    ]
    rows = 1 + len(others)
    return _mixed(
        np.tile(members, rows),
        np.full(rows * len(members), cluster),
        rivals,
        np.kron(np.eye(rows), np.full(len(members), 1 / len(members))),
        labels,
        titles,
        HOLDING,
    )


def cohesions_of(pipeline: Pipeline, names: dict[int, str]) -> Mixed:
    """Ask for the mean margin of every living cluster's members against the runner-up of each.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    names : dict of int to str
        Names of clusters.

    Returns
    -------
    Mixed
        One row for each living cluster, in their order.

    Raises
    ------
    InvalidParameterError
        If there is no rival.
    """
    nonempty = living_clusters(pipeline)
    members = [_members(pipeline, one) for one in nonempty]
    rows, sizes = np.concatenate(members), [len(one) for one in members]
    own = np.repeat(nonempty, sizes)
    rival = pipeline.rivals(pipeline.normalized_embedding[rows], pipeline.labels[rows]).numpy()
    mix = np.where(own == np.array(nonempty)[:, None], 1 / np.repeat(sizes, sizes), 0.0)
    titles = [_cohesion_title(one, size, names) for one, size in zip(nonempty, sizes, strict=True)]
    return _mixed(rows, own, rival, mix, [cluster_name(one) for one in nonempty], titles, HOLDING)


def separation_of(pipeline: Pipeline, first: int, second: int, names: dict[int, str]) -> Mixed:
    """Ask for the separation of two clusters: the mean margin of each cluster's members against the other, averaged.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    first, second : int
        The clusters.
    names : dict of int to str
        Names of clusters.

    Returns
    -------
    Mixed
        One row.

    Raises
    ------
    InvalidParameterError
        If the two are not two clusters.
    """
    if first == second:
        raise InvalidParameterError(
            f"between needs two different clusters, but both are {first}. Expected for example 4 and 7."
        )
    sides = [_members(pipeline, first), _members(pipeline, second)]
    own = np.repeat([first, second], [len(side) for side in sides])
    share = np.concatenate([np.full(len(side), 0.5 / len(side)) for side in sides])
    title = (
        f"{_capital(cluster_name(first, names))} and {cluster_name(second, names)} ({len(sides[0])} and {len(sides[1])} "
        f"members) are separated by {VALUE}, the mean margin of each one's members against the other (0 is no separation)."
    )
    rival, called = np.where(own == first, second, first), f"clusters {first} and {second}"
    return _mixed(np.concatenate(sides), own, rival, share[None], [called], [title], PARTING)


def living_clusters(pipeline: Pipeline) -> list[int]:
    """Return the clusters that have members of positive weight."""
    nonempty, labels = pipeline.state.nonempty.numpy(), pipeline.labels[pipeline.weights > 0].unique().tolist()
    return [int(one) for one in labels if one >= 0 and nonempty[one]]


def other_clusters(pipeline: Pipeline, cluster: int) -> list[int]:
    """Return the living clusters but one."""
    return [int(one) for one in np.flatnonzero(pipeline.state.nonempty.numpy()) if one != cluster]


def answer(pipeline: Pipeline, cluster: int, asked: Explanation, self_influence: dict[Any, float]) -> ClusterAnswer:
    """Put the parts of a cluster's answer together.

    Parameters
    ----------
    pipeline : Pipeline
        The fitted pipeline.
    cluster : int
        The cluster.
    asked : Explanation
        Of :func:`cohesion_of`.
    self_influence : dict
        By id, of the members for which it was computed.

    Returns
    -------
    ClusterAnswer
        With tables.
    """
    rows = _members(pipeline, cluster)
    margins = pipeline.train_margins.numpy()[rows]
    rivals = pipeline.rivals(pipeline.normalized_embedding[rows], pipeline.labels[rows]).numpy()
    ids = asked.train_ids[rows]
    members = pd.DataFrame(
        {
            "id": ids,
            "margin": margins,
            "rival": rivals,
            "self_influence": [self_influence.get(one, np.nan) for one in ids.tolist()],
        }
    ).sort_values("margin", ascending=False, ignore_index=True, kind="stable")
    pulls = [_pull(asked, row, other, rivals) for row, other in enumerate(other_clusters(pipeline, cluster), start=1)]
    columns = ["rival", "margin", "n_runner_up", "pull", "strongest"]
    towards = pd.DataFrame(pulls, columns=columns).sort_values("margin", ignore_index=True, kind="stable")
    return ClusterAnswer(cluster, asked[:1], members, towards)


def shown_members(pipeline: Pipeline, cluster: int, n: int) -> np.ndarray:
    """Return the row numbers of the `n` most and the `n` least typical members."""
    rows = _members(pipeline, cluster)
    order = rows[np.argsort(-pipeline.train_margins.numpy()[rows], kind="stable")]
    return np.unique(np.concatenate([order[:n], order[::-1][:n]]))


def _pull(asked: Explanation, row: int, other: int, rivals: np.ndarray) -> tuple[Any, ...]:
    theirs = np.flatnonzero(asked.train_labels == other)
    influence = asked.influence[row, theirs]
    strongest = asked.train_ids[theirs[np.argmin(influence)]] if len(theirs) else None
    return other, asked.scores[row], int((rivals == other).sum()), influence.sum(), strongest


def _members(pipeline: Pipeline, cluster: int) -> np.ndarray:
    if isinstance(cluster, bool) or not isinstance(cluster, (int, np.integer)):
        raise InvalidParameterError(f"{cluster!r} is no cluster. Expected its number, for example 4.")
    rows: Any = np.flatnonzero(((pipeline.labels == cluster) & (pipeline.weights > 0)).numpy()) if cluster >= 0 else []
    if not len(rows):
        known = ", ".join(map(str, np.flatnonzero(pipeline.state.nonempty.numpy()))) if pipeline.n_clusters else "none"
        raise InvalidParameterError(f"There is no cluster {cluster} with members. Expected one of: {known}.")
    if not other_clusters(pipeline, cluster) and not bool((pipeline.labels < 0).any()):
        raise InvalidParameterError("There is only one cluster, so no rival to compare with. Fit with n_clusters >= 2.")
    return np.asarray(rows)


def _mixed(
    positions: np.ndarray,
    own: np.ndarray,
    rival: np.ndarray,
    mix: np.ndarray,
    names: list[str],
    titles: list[str],
    sides: tuple[str, str],
) -> Mixed:
    pair = (own.astype(np.int64), rival.astype(np.int64))
    return Mixed(positions, *pair, mix, tuple(names), tuple(titles), sides)


def _cohesion_title(cluster: int, size: int, names: dict[int, str]) -> str:
    return (
        f"{_capital(cluster_name(cluster, names))} has {size} members. Its cohesion is {VALUE}, the mean margin of its "
        f"members to their runner-ups (0 is the boundary)."
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
