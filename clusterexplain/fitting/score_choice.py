"""Which score is explained: of given labels the first that agrees with them; where none does, the fit or its questions end."""

from __future__ import annotations

from clusterexplain.clustering import Clustering, ClusterInputs
from clusterexplain.clustering.scores import Score, make_score
from clusterexplain.exceptions import DisagreementError, DisagreementWarning, ScoreChoiceWarning, warn
from clusterexplain.fitting.assignment import Assignment

TRIED = ("margin", "knn", "graph")
"""Scores that "auto" tries for given labels, in this order; the others have the same nearest cluster as the first."""
KEPT = (
    "The trained fit is kept, but its questions are refused with DisagreementError until "
    "set_params(min_agreement=...) lowers the share, which needs no further training."
)
"""What becomes of a fit whose scores disagree, once a model has been trained."""


def choose_score(
    asked: str | Score, clustering: Clustering, inputs: ClusterInputs, least: float, *, trained: bool
) -> Score:
    """Return the assignment score of a fit.

    Parameters
    ----------
    asked : str or Score
        A name, "auto", or a score of the user's own.
    clustering : Clustering
        What is scored.
    inputs : ClusterInputs
        Where; the embedding as the model gives it.
    least : float
        Least share of examples on which given labels and score must agree.
    trained : bool
        Whether a model was trained for this fit. Such a fit is kept and a disagreement is a warning: its questions are refused.

    Returns
    -------
    Score
        "auto" for given labels is the first score that agrees with them; after a training, where none does, the one that agrees
        most.

    Raises
    ------
    DisagreementError
        If nothing was trained, and no score agrees with given labels, or the one that was asked for does not.
    InvalidParameterError
        If the score does not read the clusters.
    """
    score = make_score(asked, clustering)
    if not clustering.labels_given:
        return score
    share = agreement_of(score, clustering, inputs)
    if not share < least:  # NaN has nothing to judge by
        return score
    names = [name for name in TRIED if name in clustering.scores and name != score.name]
    shares = {score.name: share} | {
        name: agreement_of(make_score(name, clustering), clustering, inputs) for name in names
    }
    fitting = [name for name, found in shares.items() if found >= least]
    if not fitting or asked != "auto":
        reason, remedy = _disagreement(score.name, shares, least, fitting)
        if not trained:
            raise DisagreementError(f"{reason} {remedy}")
        warn(f"{reason} {KEPT} {remedy}", DisagreementWarning)
        return score if asked != "auto" else make_score(max(shares, key=shares.__getitem__), clustering)
    warn(
        f"membership_score='auto' takes {fitting[0]!r} for these labels. {_listed(shares)} Say "
        f"membership_score={fitting[0]!r} to choose it yourself.",
        ScoreChoiceWarning,
    )
    return make_score(fitting[0], clustering)


def agreement_of(score: Score, clustering: Clustering, inputs: ClusterInputs) -> float:
    """Return on which share of the clustered training examples a score and the labels agree.

    Parameters
    ----------
    score : Score
        The score.
    clustering : Clustering
        With the labels.
    inputs : ClusterInputs
        Where; the embedding as the model gives it.

    Returns
    -------
    float
        From 0 to 1; NaN without any clusters.
    """
    there = inputs._replace(embedding=clustering.normalize(inputs.embedding))
    return Assignment(clustering, score, there.embedding, there.weights, clustering.values(there)).agreement()


def _disagreement(name: str, shares: dict[str, float], least: float, fitting: list[str]) -> tuple[str, str]:
    """Return what is wrong with scores below the least share, and what to do."""
    if fitting:
        return (
            f"The score {name!r} does not tell what the labels tell. {_listed(shares)} Expected at least "
            f"min_agreement={least:g}.",
            f"Take membership_score={fitting[0]!r}, or 'auto', or lower min_agreement if you know better.",
        )
    return (
        f"No membership score tells what the labels tell. {_listed(shares)} Less than min_agreement={least:g}: an answer would "
        f"explain other clusters than the labels.",
        "Expected labels that were found in this embedding: pass the matrix in which they were found (model='precomputed', "
        "use_rep=), their graph if they come from one (graph=), or lower min_agreement if you know better.",
    )


def _listed(shares: dict[str, float]) -> str:
    """Return the agreement of each score as a sentence."""
    parts = [f"{share:.1%} by {name!r}" for name, share in shares.items()]
    return f"So many of the clustered examples have the highest score for their own label: {', '.join(parts)}."
