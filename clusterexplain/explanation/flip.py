"""What would it take? The smallest set of training examples found whose removal moves a sample to its runner-up cluster.

Greedy, and honest: every claim is a retraining. Examples are removed in the order of their influence; how many are needed is
found by retraining at many lengths of that order side by side. Two searches then look for less. One orders the strongest
pullers by what the re-clustering is predicted to do without them, one after the other: a set that carries samples near a
boundary across it moves the centroids too. The other computes the influence anew without the first half of the set
(re-linearised), orders the rest anew, and repeats until a round finds no smaller set.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.explanation.gradients import influence_rows
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.flip import FlipNumbers, flip_found, flip_not_found
from clusterexplain.results.text.names import cluster_name, terminal_safe

LENGTHS = 12
"""Sizes of sets that are retrained side by side in one step of the search."""
SMALLEST = 1e-6
"""A margin counts as negative below this share of the margin with all examples: an edge that moves along gives 0."""
POOL, LONGEST = 40, 24
"""Strongest pullers that are ordered by the predicted re-clustering, and how far."""
ROUNDS = 3
"""Times that the influence is computed anew at most."""


@dataclass(frozen=True, eq=False, repr=False)
class Flip:
    """Whether a set of training examples was found whose removal moves a sample to its runner-up cluster.

    Attributes
    ----------
    sample : object
        Id of the sample.
    own, runner_up : int
        The pair of clusters.
    margin : float
        Margin with all examples.
    flipped : bool
        Whether a set was found, by retraining without it and continuing the clustering.
    removed : ndarray of shape (n_removed,)
        Ids of the set, in the order of removal; if none flipped, of the set that left the smallest margin.
    predicted : float
        Margin without the set as predicted by the influence with all examples.
    retrained : float
        Margin without the set, retrained, with the clustering continued.
    landed : int
        Where the retrained clustering puts the sample, in the numbers of the fit; -1 is noise.
    tried : DataFrame
        Every set that was retrained: round, n_removed, predicted, retrained.
    budget : int
        Examples that could be removed at most.
    continued : bool
        Whether the clusters' members were chosen anew; labels that were given are kept.
    names : dict of int to str
        Names that clusters were given.
    """

    sample: Any
    own: int
    runner_up: int
    margin: float
    flipped: bool
    removed: np.ndarray
    predicted: float
    retrained: float
    landed: int
    tried: pd.DataFrame
    budget: int
    continued: bool = True
    names: dict[int, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The result as a plain sentence."""
        numbers = FlipNumbers(
            self.sample,
            cluster_name(self.own, self.names),
            cluster_name(self.runner_up, self.names),
            len(self.removed),
            self.budget,
            self.margin,
            self.predicted,
            self.retrained,
            len(self.tried),
            self.continued,
        )
        return flip_found(numbers) if self.flipped else flip_not_found(numbers)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data."""
        return {
            "sentence": self.sentence,
            "sample": self.sample.item() if isinstance(self.sample, np.generic) else self.sample,
            "own": self.own,
            "rival": self.runner_up,
            "margin": self.margin,
            "flipped": self.flipped,
            "removed": self.removed.tolist(),
            "predicted": self.predicted,
            "retrained": self.retrained if np.isfinite(self.retrained) else None,
            "landed": self.landed,
            "tried": self.tried.astype(object).where(self.tried.notna(), None).to_dict("records"),
        }

    def __repr__(self) -> str:
        """Return the sentence and the set."""
        return f"{terminal_safe(self.sentence)}.\nRemoved: {terminal_safe(', '.join(map(str, self.removed.tolist())))}"

    def _repr_html_(self) -> str:
        return f"<p>{html.escape(repr(self))}</p>"


@dataclass(frozen=True, eq=False)
class Retrainings:
    """Retrainings without sets of examples, for one sample and one pair of clusters; every one is written down.

    Parameters
    ----------
    explanation : Explanation
        Of the one sample.
    """

    explanation: Explanation
    written: list[dict[str, Any]] = field(default_factory=list)

    def without(self, removed: np.ndarray) -> np.ndarray:
        """Return the data weights of the fit, those of the removed rows 0."""
        weights = self.explanation.sample_weight.copy()
        weights[removed] = 0
        return weights

    def flips(self, sets: list[np.ndarray], round_: int) -> list[bool]:
        """Retrain without each set not yet tried, clustering continued, and say after which the sample is in its runner-up.

        Parameters
        ----------
        sets : list of ndarray of int
            Row numbers to remove.
        round_ : int
            Written down with each.

        Returns
        -------
        list of bool
            One for each set.
        """
        known = {_named(one["rows"]): one["flipped"] for one in self.written}
        self._retrain([one for one in sets if _named(one) not in known], round_)
        known = {_named(one["rows"]): one["flipped"] for one in self.written}
        return [known[_named(one)] for one in sets]

    def _retrain(self, sets: list[np.ndarray], round_: int) -> None:
        if not sets:
            return
        runner_up, given = int(self.explanation.runner_ups[0]), self.explanation.fit.clustering.labels_given
        weights = np.stack([self.without(removed) for removed in sets])
        thetas = self.explanation.fit.thetas(weights)
        for removed, theta, row in zip(sets, thetas, weights, strict=True):
            margin, landed = self._outcome(theta, row)
            # Labels that were given are nobody's to choose anew: there the side of the boundary decides.
            moved = landed == runner_up or given
            self.written.append(
                {
                    "rows": removed,
                    "round": round_,
                    "n_removed": len(removed),
                    "predicted": self.predicted(removed),
                    "retrained": margin,
                    "landed": landed,
                    "flipped": moved and margin < -SMALLEST * abs(self.margin),
                }
            )

    @property
    def margin(self) -> float:
        """Margin with all examples."""
        return float(self.explanation.scores[0])

    def predicted(self, removed: np.ndarray) -> float:
        """Return the margin without the rows by the influence with all examples, crossings of the boundary among them."""
        change = self.explanation.predict(self.without(removed)[None], assignments="continued")[0, 0]
        return float(self.explanation.scores[0] + change)

    def relinearize(self, weights: np.ndarray) -> np.ndarray:
        """Return the influence of every training example on the score at other data weights, shape (n_train,)."""
        fit = self.explanation.fit.refit(weights)
        return influence_rows(fit, self.explanation.margins, fit.jacobian()).row(0)

    def _outcome(self, theta: Tensor, weights: np.ndarray) -> tuple[float, int]:
        outcome = self.explanation.fit.outcome(theta, weights, self.explanation.margins)
        return float(outcome.scores[0]), int(outcome.final_clusters[0])


def find_flip(explanation: Explanation, *, max_removed: int | None = None) -> Flip:
    """Search for the smallest set whose removal moves a sample to its runner-up cluster.

    Parameters
    ----------
    explanation : Explanation
        Of the one sample.
    max_removed : int, optional
        Examples that may be removed at most, a tenth of the training examples by default. The sample itself is never removed.

    Returns
    -------
    Flip
        Confirmed by retraining, or an honest report that none was found within the budget.

    Raises
    ------
    InvalidParameterError
        If more or less than one sample is asked about, or the budget is not positive.
    """
    retrainings = Retrainings(explanation)
    max_removed = max(1, len(explanation.train_ids) // 10) if max_removed is None else max_removed
    if len(explanation) != 1 or explanation.combined:
        raise InvalidParameterError(
            f"flip moves one sample at a time, but {len(explanation)} scores were given. Expected one id."
        )
    if isinstance(max_removed, bool) or not isinstance(max_removed, (int, np.integer)) or max_removed < 1:
        raise InvalidParameterError(f"max_removed={max_removed!r} must be a whole number of at least 1.")
    if not retrainings.margin > 0:
        raise InvalidParameterError(
            f"Sample {explanation.query_ids[0]} has a margin of {retrainings.margin:+.3f}: by the explained score it is on the "
            f"side of its runner-up already, so nothing needs to be removed. Expected a positive margin; name another cluster "
            f"(against=)."
        )
    _check_found_again(explanation)
    order = _pullers(explanation.influence[0], retrainings, np.empty(0, dtype=np.intp))[:max_removed]
    if not len(order):
        raise InvalidParameterError(
            f"No training example but itself pulls sample {explanation.query_ids[0]} in, so there is nothing to remove. "
            f"Expected a sample with pullers; `explain` lists them."
        )
    best = shortest_prefix(order, 0, len(order), retrainings, 0)
    if explanation.fit.clustering.hard_centroids:
        longest = min(LONGEST, max_removed, len(order) if best is None else len(best) - 1)
        predicted = _by_prediction(order[:POOL], longest, retrainings)
        found = shortest_prefix(predicted, 0, len(predicted), retrainings, 0)
        best, order = (best, order) if found is None else (found, found)
    for round_ in range(1, ROUNDS + 1):
        kept = order[: max(1, len(order if best is None else best) // 2)]
        before = order
        influence = retrainings.relinearize(retrainings.without(kept))
        order = np.concatenate([kept, _pullers(influence, retrainings, kept)])[:max_removed]
        if best is None and np.array_equal(np.sort(order), np.sort(before)):
            break  # the same set again
        longest = len(order) if best is None else len(best) - 1
        found = shortest_prefix(order, len(kept), longest, retrainings, round_)
        if found is None and best is not None:
            break
        best = best if found is None else found
    return _result(retrainings, max_removed)


def _check_found_again(explanation: Explanation) -> None:
    """Refuse a sample that the user's reclusterer does not put in its cluster with nothing removed: nothing would move it."""
    fit, own = explanation.fit, int(explanation.labels[0])
    if fit.clustering.repeats:
        return
    landed = int(fit.outcome(fit.trajectory.final, explanation.sample_weight, explanation.margins).final_clusters[0])
    if landed != own:
        raise InvalidParameterError(
            f"With nothing removed, the reclusterer puts sample {explanation.query_ids[0]} in "
            f"{cluster_name(landed, explanation.cluster_names)}, not in {cluster_name(own, explanation.cluster_names)} as the "
            f"given labels do, so a removal would not be what moves it. Expected a reclusterer that finds the given labels."
        )


def shortest_prefix(order: np.ndarray, low: int, high: int, retrainings: Retrainings, round_: int) -> np.ndarray | None:
    """Return the shortest beginning of `order` found whose removal flips the sample.

    Parameters
    ----------
    order : ndarray of int
        Row numbers, most promising first.
    low, high : int
        Longer than `low`, at most `high`.
    retrainings : Retrainings
        Decides.
    round_ : int
        Written down.

    Returns
    -------
    ndarray of int or None
        None if no length that was tried flips it.
    """
    best = None
    lengths = np.unique(np.geomspace(low + 1, high, LENGTHS).round().astype(int)) if high > low else np.empty(0, int)
    while len(lengths):
        flips = retrainings.flips([order[:length] for length in lengths], round_)
        if not any(flips):
            break
        first = flips.index(True)
        best, high = order[: lengths[first]], int(lengths[first])
        low = int(lengths[first - 1]) if first else low
        lengths = (
            np.unique(np.linspace(low + 1, high - 1, LENGTHS).round().astype(int)) if high - low > 1 else lengths[:0]
        )
    return best


def _named(rows: np.ndarray) -> bytes:
    return np.sort(rows).astype(np.int64).tobytes()


def _by_prediction(pool: np.ndarray, longest: int, retrainings: Retrainings) -> np.ndarray:
    """Order the pool greedily: next comes the one without which the margin, clustering continued, is smallest."""
    order, rest = np.empty(0, dtype=np.intp), pool
    for _ in range(min(longest, len(pool))):
        sets = [np.append(order, one) for one in rest]
        weights = np.stack([retrainings.without(one) for one in sets])
        changes = retrainings.explanation.predict(weights, assignments="continued")[:, 0]
        order = sets[int(np.argmin(changes))]
        rest = np.setdiff1d(rest, order, assume_unique=True)
    return order


def _pullers(influence: np.ndarray, retrainings: Retrainings, gone: np.ndarray) -> np.ndarray:
    """Return row numbers of positive influence, strongest first, without the sample itself and those that are gone."""
    allowed = (influence > 0) & (retrainings.explanation.sample_weight > 0)
    position = retrainings.explanation.positions[0]
    allowed[gone] = False
    if position >= 0:
        allowed[position] = False
    order = np.argsort(-influence, kind="stable")
    return order[allowed[order]]


def _result(retrainings: Retrainings, budget: int) -> Flip:
    explanation, tried = retrainings.explanation, pd.DataFrame(retrainings.written).drop(columns="rows")
    flipped = [one for one in retrainings.written if one["flipped"]]
    if flipped:
        shown = min(flipped, key=lambda one: one["n_removed"])
    else:
        shown = min(retrainings.written, key=lambda one: np.nan_to_num(one["retrained"], nan=np.inf))
    return Flip(
        sample=explanation.query_ids[0],
        own=int(explanation.labels[0]),
        runner_up=int(explanation.runner_ups[0]),
        margin=float(explanation.scores[0]),
        flipped=bool(flipped),
        removed=explanation.train_ids[shown["rows"]],
        predicted=shown["predicted"],
        retrained=shown["retrained"],
        landed=shown["landed"],
        tried=tried,
        budget=budget,
        continued=not explanation.fit.clustering.labels_given,
        names=explanation.cluster_names,
    )
