"""From samples to margins: the own cluster of each, its runner-up cluster, and whether the score is fit to answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from clusterexplain.data.selection import Samples
from clusterexplain.exceptions import DisagreementError, InvalidParameterError
from clusterexplain.fitting.fit import Fit
from clusterexplain.results.margins import Margins
from clusterexplain.statistics.matching import NOISE


@dataclass(frozen=True, eq=False)
class EmbeddedQueries:
    """Samples as the network sees them and their embeddings under the shown parameters, computed once for an answer.

    Attributes
    ----------
    inputs : Tensor of shape (n_queries, ...)
        Scaled rows.
    embedding : Tensor of shape (n_queries, dim), float64
        As the model gives it.
    normalized : Tensor of shape (n_queries, dim), float64
        In the geometry of the clustering.
    """

    inputs: Tensor
    embedding: Tensor
    normalized: Tensor

    @classmethod
    def of(cls, fit: Fit, rows: np.ndarray, positions: np.ndarray) -> EmbeddedQueries:
        """Embed rows as the user gave them; those at known positions are training examples."""
        inputs = fit.recipe.inputs[positions] if (positions >= 0).all() else fit.inputs_of(rows)
        embedding = fit.embed(inputs)
        return cls(inputs, embedding, fit.clustering.normalize(embedding))


def margins_of(fit: Fit, samples: Samples, queries: EmbeddedQueries, against: str | int) -> Margins:
    """Fix the pair of clusters of every sample.

    Parameters
    ----------
    fit : Fit
        The fit.
    samples : Samples
        Training examples, whose labels are kept, or new rows, which are assigned.
    queries : EmbeddedQueries
        Of the samples.
    against : "runner-up", "noise" or int
        The cluster to compare with: the runner-up of each sample, or the one named.

    Returns
    -------
    Margins
        What is asked about.

    Raises
    ------
    InvalidParameterError
        If there is no such cluster.
    """
    assignment = fit.assignment
    nonempty = assignment.nonempty
    rows = queries.normalized
    of_train = assignment.labels[torch.from_numpy(np.maximum(samples.positions, 0))]
    known = torch.from_numpy(samples.positions >= 0)
    own = of_train if bool(known.all()) else torch.where(known, of_train, assignment.assign(rows))
    _check_own(own, nonempty)
    if isinstance(against, str) and against == "runner-up":
        runner_up = assignment.runner_ups(rows, own)
    else:
        runner_up = torch.full_like(own, _chosen_cluster(against, own, nonempty, has_noise=assignment.has_noise))
    return Margins(samples.ids, samples.rows, samples.positions, own.numpy(), runner_up.numpy())


def _check_own(own: Tensor, nonempty: np.ndarray) -> None:
    dead = np.setdiff1d(own.numpy(), np.append(nonempty, NOISE))
    if len(dead):
        raise InvalidParameterError(
            f"Cluster {dead[0]} of a query has no members of positive weight, so no example can have pulled it there. Expected "
            f"queries of other clusters, or data weights that leave this cluster a member."
        )


def _chosen_cluster(against: str | int, own: Tensor, nonempty: np.ndarray, *, has_noise: bool) -> int:
    known = ", ".join([*map(str, nonempty), *(["'noise'"] if has_noise else [])])
    wanted = NOISE if isinstance(against, str) and against == "noise" else against
    whole = isinstance(wanted, (int, np.integer)) and not isinstance(wanted, bool)
    if isinstance(wanted, str) or not whole or not (wanted in nonempty or (wanted == NOISE and has_noise)):
        raise InvalidParameterError(f"against={against!r} is not a cluster. Expected 'runner-up' or one of {known}.")
    if bool((own == wanted).any()):
        raise InvalidParameterError(
            f"against={against!r} is the own cluster of a query. Expected another cluster, or 'runner-up'."
        )
    return int(wanted)


def check_agreement(fit: Fit, margins: Margins, least: float) -> float:
    """Refuse a score that does not tell what the labels tell.

    Parameters
    ----------
    fit : Fit
        The fit.
    margins : Margins
        The pairs that are asked about. Noise is judged by how much of the noise the score finds outside of every cluster, and
        where it is the runner-up, by how many members the score finds inside of theirs.
    least : float
        Least share of training examples on which labels and score must agree.

    Returns
    -------
    float
        The agreement, the lowest one of those that the pairs ask for; 1 if there is nothing to judge by.

    Raises
    ------
    DisagreementError
        If it is lower than `least`.
    """
    own, runner_up = margins.own, margins.runner_up
    asked = {
        "clustered samples have their own cluster first": (own != NOISE) & (runner_up != NOISE),
        "noise lies outside of every cluster": own == NOISE,
        "clustered samples lie inside the edge of their own cluster": (own != NOISE) & (runner_up == NOISE),
    }
    assignment = fit.assignment
    judges = (assignment.agreement, assignment.agreement_of_noise, assignment.agreement_on_edges)
    shares = {which: judge() for (which, some), judge in zip(asked.items(), judges, strict=True) if some.any()}
    known = {which: share for which, share in shares.items() if not np.isnan(share)}
    if not known:
        return 1.0
    which = min(known, key=lambda judged: known[judged])
    if known[which] < least:
        raise DisagreementError(
            f"Only {known[which]:.1%} of the {which} by the score {fit.score.name!r}, less than "
            f"min_agreement={least:g}: an answer in terms of this score would explain other clusters than the labels. Expected "
            f"labels that were found in this embedding. Choose another membership_score, fit the clusterer to this embedding, "
            f"or lower min_agreement if you know better: set_params(min_agreement=...) holds for the fit that is there."
        )
    return known[which]
