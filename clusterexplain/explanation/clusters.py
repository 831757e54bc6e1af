"""Who holds a cluster together, who is typical of it, and what keeps two clusters apart.

A cluster's score is the mean margin of its members, so its influences are means of theirs: one more row of the reverse pass,
whatever the size of the cluster.
"""

from __future__ import annotations

import html
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from clusterexplain.data.selection import Samples
from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation.explain import explain_combinations
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.explanation.queries import EmbeddedQueries, margins_of
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.margins import Combination, Margins, Subject, Topic
from clusterexplain.results.text.margins import combination_id
from clusterexplain.results.text.names import replace_unprintable, terminal_safe
from clusterexplain.storage.jsonable import to_jsonable


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
        One row for each member, most typical first: id, margin (to its runner-up cluster), rival (that cluster),
        self_influence (how much the member holds itself in; NaN where it was not asked for). A member with a small margin
        and a large self-influence is in the cluster only because it was trained on.
    towards : DataFrame
        One row for each other cluster, the nearest first: rival (its number), margin (mean of the members against it),
        n_runner_up (members whose runner-up it is), pull (summed influence of its own members on that mean margin: negative
        pulls this cluster's members towards it), strongest (id of its member that pulls most).
    """

    cluster: int
    cohesion: Explanation
    members: pd.DataFrame
    towards: pd.DataFrame

    def typical(self, n: int = 5) -> pd.DataFrame:
        """Return the members deepest inside."""
        return self.members.head(n)

    def untypical(self, n: int = 5) -> pd.DataFrame:
        """Return the members of smallest margin, the smallest first: below 0 one is nearer to another cluster."""
        return self.members.iloc[::-1].head(n)

    def to_dict(self, top: int = 10) -> dict[str, Any]:
        """Return the answer as plain data."""
        frames = {"typical": self.typical(top), "untypical": self.untypical(top), "towards": self.towards}
        plain = {name: to_jsonable(frame) for name, frame in frames.items()}
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

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, Any]:
        """Return the card of a notebook: that of the cohesion, and the tables."""
        frames = (("Most typical", self.typical()), ("Least typical", self.untypical()), ("Towards", self.towards))
        tables = "".join(f"<p>{html.escape(title)}</p>{frame.to_html(index=False)}" for title, frame in frames)
        found = self.cohesion._repr_mimebundle_()
        shown = {"text/html": found["text/html"] + replace_unprintable(tables)} if "text/html" in found else {}
        return {**found, **shown, "text/plain": repr(self)}


def explain_cluster(fit: Fit, cluster: int, *, n_shown: int = 5) -> ClusterAnswer:
    """Say which examples hold a cluster together, which members are typical, and which other clusters pull at it.

    Parameters
    ----------
    fit : Fit
        The fit.
    cluster : int
        The cluster.
    n_shown : int, default=5
        Most and least typical members whose influence on themselves is computed; 0 saves the time.

    Returns
    -------
    ClusterAnswer
        With tables.

    Raises
    ------
    InvalidParameterError
        If the cluster does not exist or has no runner-up.
    """
    explanation = explain_combinations(fit, cohesion_of(fit, cluster))
    self_influence: dict[Any, float] = {}
    if n_shown:
        shown = _shown_members(fit, cluster, n_shown)
        samples = Samples(fit.data.ids[shown], fit.data.X[shown], shown)
        queries = EmbeddedQueries.of(fit, samples.rows, shown)
        margins = margins_of(fit, samples, queries, "runner-up")
        on_themselves = influence_rows(fit, margins, fit.jacobian(), queries).total[np.arange(len(shown)), shown]
        self_influence = dict(zip(samples.ids.tolist(), on_themselves.tolist(), strict=True))
    return _answer(fit, cluster, explanation, self_influence)


def cohesion_of(fit: Fit, cluster: int) -> Margins:
    """Ask for the mean margin of a cluster's members: against the runner-up of each, and against every other cluster.

    Parameters
    ----------
    fit : Fit
        The fit.
    cluster : int
        Whose members.

    Returns
    -------
    Margins
        Row 0 is the cohesion; the others follow the order of :func:`other_clusters`.

    Raises
    ------
    InvalidParameterError
        If the cluster does not exist or has no runner-up.
    """
    members, others = _members(fit, cluster), other_clusters(fit, cluster)
    others_of_pairs = np.concatenate([_runner_ups(fit, members), *(np.full(len(members), other) for other in others)])
    subjects = [Subject(Topic.COHESION, (cluster,), (len(members),))]
    subjects += [Subject(Topic.AGAINST, (cluster, other), (len(members),)) for other in others]
    n_scores = 1 + len(others)
    return _combined(
        np.tile(members, n_scores),
        np.full(n_scores * len(members), cluster),
        others_of_pairs,
        np.kron(np.eye(n_scores), np.full(len(members), 1 / len(members))),
        subjects,
    )


def cohesions_of(fit: Fit) -> Margins:
    """Ask for the mean margin of every living cluster's members against the runner-up of each.

    Parameters
    ----------
    fit : Fit
        The fit.

    Returns
    -------
    Margins
        One score for each living cluster, in their order.

    Raises
    ------
    InvalidParameterError
        If there is no runner-up.
    """
    living = living_clusters(fit)
    members = [_members(fit, cluster) for cluster in living]
    rows, sizes = np.concatenate(members), [len(rows) for rows in members]
    own = np.repeat(living, sizes)
    weights = np.where(own == np.array(living)[:, None], 1 / np.repeat(sizes, sizes), 0.0)
    subjects = [Subject(Topic.COHESION, (cluster,), (size,)) for cluster, size in zip(living, sizes, strict=True)]
    return _combined(rows, own, _runner_ups(fit, rows), weights, subjects)


def separation_of(fit: Fit, first: int, second: int) -> Margins:
    """Ask for the separation of two clusters: the mean margin of each cluster's members against the other, averaged.

    Parameters
    ----------
    fit : Fit
        The fit.
    first, second : int
        The clusters.

    Returns
    -------
    Margins
        One score.

    Raises
    ------
    InvalidParameterError
        If the two are not two clusters.
    """
    if first == second:
        raise InvalidParameterError(
            f"separation needs two different clusters, but both are {first}. Expected for example 4 and 7."
        )
    sides = [_members(fit, first), _members(fit, second)]
    own = np.repeat([first, second], [len(side) for side in sides])
    share = np.concatenate([np.full(len(side), 0.5 / len(side)) for side in sides])
    subject = Subject(Topic.SEPARATION, (first, second), (len(sides[0]), len(sides[1])))
    return _combined(np.concatenate(sides), own, np.where(own == first, second, first), share[None], [subject])


def living_clusters(fit: Fit) -> list[int]:
    """Return the clusters that have members of positive weight."""
    nonempty = fit.assignment.state.nonempty.numpy()
    labels = torch.unique(fit.clustering.labels[fit.weights > 0]).tolist()
    return [int(cluster) for cluster in labels if cluster >= 0 and nonempty[cluster]]


def other_clusters(fit: Fit, cluster: int) -> list[int]:
    """Return the living clusters but one."""
    return [int(other) for other in fit.assignment.nonempty if other != cluster]


def _answer(fit: Fit, cluster: int, explanation: Explanation, self_influence: dict[Any, float]) -> ClusterAnswer:
    rows = _members(fit, cluster)
    runner_ups = _runner_ups(fit, rows)
    ids = explanation.train_ids[rows]
    members = pd.DataFrame(
        {
            "id": ids,
            "margin": fit.assignment.train_margins.numpy()[rows],
            "rival": runner_ups,
            "self_influence": [self_influence.get(member, np.nan) for member in ids.tolist()],
        }
    ).sort_values("margin", ascending=False, ignore_index=True, kind="stable")
    others = enumerate(other_clusters(fit, cluster), start=1)
    pulls = [_pull(explanation, score, other, runner_ups) for score, other in others]
    columns = ["rival", "margin", "n_runner_up", "pull", "strongest"]
    towards = pd.DataFrame(pulls, columns=columns).sort_values("margin", ignore_index=True, kind="stable")
    return ClusterAnswer(cluster, explanation[:1], members, towards)


def _shown_members(fit: Fit, cluster: int, n: int) -> np.ndarray:
    """Return the row numbers of the `n` most and the `n` least typical members."""
    rows = _members(fit, cluster)
    order = rows[np.argsort(-fit.assignment.train_margins.numpy()[rows], kind="stable")]
    return np.unique(np.concatenate([order[:n], order[::-1][:n]]))


def _runner_ups(fit: Fit, rows: np.ndarray) -> np.ndarray:
    assignment = fit.assignment
    return assignment.runner_ups(assignment.embedding[rows], assignment.labels[rows]).numpy()


def _pull(explanation: Explanation, score: int, other: int, runner_ups: np.ndarray) -> tuple[Any, ...]:
    theirs = np.flatnonzero(explanation.train_labels == other)
    influence = explanation.influence[score, theirs]
    strongest = explanation.train_ids[theirs[np.argmin(influence)]] if len(theirs) else None
    return other, explanation.scores[score], int((runner_ups == other).sum()), influence.sum(), strongest


def _members(fit: Fit, cluster: int) -> np.ndarray:
    if isinstance(cluster, bool) or not isinstance(cluster, (int, np.integer)):
        raise InvalidParameterError(f"{cluster!r} is no cluster. Expected its number, for example 4.")
    labels = fit.clustering.labels
    rows: Any = np.flatnonzero(((labels == cluster) & (fit.weights > 0)).numpy()) if cluster >= 0 else []
    if not len(rows):
        known = ", ".join(map(str, fit.assignment.nonempty)) or "none"
        raise InvalidParameterError(f"There is no cluster {cluster} with members. Expected one of: {known}.")
    if not other_clusters(fit, cluster) and not fit.assignment.has_noise:
        raise InvalidParameterError(
            "There is only one cluster, so no runner-up cluster to compare with. Fit with n_clusters >= 2."
        )
    return np.asarray(rows)


def _combined(
    positions: np.ndarray, own: np.ndarray, runner_up: np.ndarray, weights: np.ndarray, subjects: list[Subject]
) -> Margins:
    pair = (own.astype(np.int64), runner_up.astype(np.int64))
    ids = np.array([combination_id(subject) for subject in subjects])
    return Margins(ids, np.empty((len(ids), 0)), positions, *pair, Combination(weights, tuple(subjects)))
