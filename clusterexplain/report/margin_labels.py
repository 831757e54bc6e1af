"""What the two ends of a margin are called: inside and outside a cluster, noise and a cluster, together and apart."""

from __future__ import annotations

from dataclasses import dataclass

from clusterexplain.report import tables
from clusterexplain.results.explanation import Explanation
from clusterexplain.results.text.names import NOISE


@dataclass(frozen=True)
class Ends:
    """Words for one question.

    Attributes
    ----------
    stays, leaves : str
        Above and below a margin of 0.
    above : str
        What a margin above 0 is.
    deeper : str
        What a positive change of the margin is.
    moves : str
        What removing pullers would do: completes "N removals are predicted to ...".
    beyond : str
        A sentence for a margin that is not above 0.
    question : str
        The question of a page about it.
    """

    stays: str
    leaves: str
    above: str
    deeper: str
    moves: str
    beyond: str
    question: str

    @classmethod
    def of(cls, explanation: Explanation, query: int) -> Ends:
        """Return the words for a query."""
        if explanation.combined:
            holds, loosens = explanation.sides(query)
            return cls(
                "apart on average" if "apart" in holds else "inside on average",
                "merged on average" if "apart" in holds else "outside on average",
                "above 0: beyond the boundary on its own side, on average",
                "farther from the boundary on average",
                "bring the mean margin to 0",
                "The mean margin is not above 0 already.",
                f"What {holds} and what {loosens}",
            )
        if explanation.labels[query] == NOISE:
            rival = explanation.name_of(explanation.rivals[query])
            return cls(
                "stays noise",
                f"joins {rival}",
                "above 0: outside, noise",
                "farther outside, for noise",
                f"let it join {rival}",
                "Its margin is not above 0: it is at the edge of the cluster already.",
                "Why is it noise?",
            )
        return cls(
            "stays in its cluster",
            "changes sides",
            "above 0: in its cluster",
            "deeper in its cluster",
            "move it to the other side",
            "Its margin is not above 0: it is on the other side of this boundary already.",
            "Why is it in its cluster?",
        )


def flip_words(explanation: Explanation, query: int) -> str:
    """Say after how many removals a sample is predicted to change sides, and whether it is itself among them.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    str
        One sentence.
    """
    ends = Ends.of(explanation, query)
    if not explanation.scores[query] > 0:
        return ends.beyond
    flip, alone, itself = tables.flips(explanation, query)
    if flip is None:
        return f"No number of removals among its pullers is predicted to {ends.moves}."
    if not itself:
        removals = f"{flip:,} removal{'s' if flip > 1 else ''} of its strongest pullers {'are' if flip > 1 else 'is'}"
        return f"About {removals} predicted to {ends.moves}."
    first = (
        "Removing the sample itself is"
        if flip == 1
        else f"About {flip:,} removals of its strongest pullers, the sample itself among them, are"
    )
    others = "none is" if alone is None else f"about {alone:,} removal{'s are' if alone > 1 else ' is'}"
    return f"{first} predicted to {ends.moves}; of the others alone, {others}."


def page_title(explanation: Explanation) -> str:
    """Return the question that a page is about."""
    found = {Ends.of(explanation, query).question for query in range(len(explanation))}
    return found.pop() if len(found) == 1 else "Why is it where it is?"
