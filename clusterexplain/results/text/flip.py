"""Removals that move a sample in words: predicted, and confirmed by retraining."""

from __future__ import annotations

from dataclasses import dataclass

from clusterexplain.results.text.margins import MarginLabels
from clusterexplain.results.text.names import COMMON, Vocabulary


@dataclass(frozen=True)
class FlipNumbers:
    """What a search for removals that move a sample found, for its sentence.

    Attributes
    ----------
    sample : object
        Id of the sample.
    own, runner_up : str
        What its cluster and the runner-up are called.
    n_removed : int
        Size of the set; of the one that left the smallest margin, if none flipped.
    budget : int
        Examples that could be removed at most.
    margin, predicted, retrained : float
        Margin with all examples; without the set, as predicted and after retraining.
    n_retrainings : int
        Sets that were retrained.
    continued : bool
        Whether the clustering was continued after retraining; given labels are kept.
    """

    sample: object
    own: str
    runner_up: str
    n_removed: int
    budget: int
    margin: float
    predicted: float
    retrained: float
    n_retrainings: int
    continued: bool = True


def flip_found(numbers: FlipNumbers, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say that a set moves the sample; without a full stop."""
    how = "the clustering continued" if numbers.continued else "the given labels kept"
    return (
        f"Without {vocabulary.count_examples(numbers.n_removed)} {vocabulary.sample} {numbers.sample} moves from "
        f"{numbers.own} to {numbers.runner_up}. Its margin changes from {numbers.margin:+.3f} to {numbers.retrained:+.3f} "
        f"(predicted {numbers.predicted:+.3f}), retrained with {how}. {numbers.n_retrainings} sets were tried; a smaller set "
        f"may exist"
    )


def flip_not_found(numbers: FlipNumbers, *, vocabulary: Vocabulary = COMMON) -> str:
    """Say that no set was found within the budget, and what came nearest; without a full stop."""
    return (
        f"No set of at most {numbers.budget} {vocabulary.examples} was found whose removal moves {vocabulary.sample} "
        f"{numbers.sample} from {numbers.own} to {numbers.runner_up} ({numbers.n_retrainings} retrainings). The "
        f"removal of {vocabulary.count_examples(numbers.n_removed)} came nearest: the margin changes from "
        f"{numbers.margin:+.3f} to {numbers.retrained:+.3f} (predicted {numbers.predicted:+.3f}). A larger max_removed may "
        f"find one"
    )


def predicted_flip(labels: MarginLabels, n: int | None, n_without_itself: int | None, *, itself: bool) -> str:
    """Say after how many removals a sample is predicted to change sides, and whether it is itself among them.

    Parameters
    ----------
    labels : MarginLabels
        Of the margin.
    n : int or None
        Removals of the strongest pullers that are needed; None if no number is enough.
    n_without_itself : int or None
        The same if the sample itself is never removed.
    itself : bool
        Whether the sample itself is among the first `n`.

    Returns
    -------
    str
        One or two sentences.
    """
    if n is None:
        return f"No number of removals among its pullers is predicted to {labels.crossing}."
    if not itself:
        removals = f"{n:,} removal{'s' if n > 1 else ''} of its strongest pullers {'are' if n > 1 else 'is'}"
        return f"About {removals} predicted to {labels.crossing}."
    first = (
        "Removing the sample itself is"
        if n == 1
        else f"About {n:,} removals of its strongest pullers, the sample itself among them, are"
    )
    others = (
        "no number of removals is predicted to do so"
        if n_without_itself is None
        else f"about {n_without_itself:,} removal{'s are' if n_without_itself > 1 else ' is'} needed"
    )
    return f"{first} predicted to {labels.crossing}. Without removing the sample itself, {others}."
