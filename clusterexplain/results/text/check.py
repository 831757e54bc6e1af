"""A retraining check in words: what it found, what its grade means, what it is about."""

from __future__ import annotations

GRADES = {
    "A": "Retraining without examples changed the margins in the predicted order, and about as much as predicted.",
    "B": "Retraining without examples changed the margins in the predicted order.",
    "C": "Retraining changed the margins roughly in the predicted order, but not reliably: do not quote the numbers.",
    "D": "Retraining did not change the margins in the predicted order: do not rely on this answer.",
    "U": "Retraining could not tell whether this answer is right; the verdict says why.",
}
"""What a grade means for the reader."""


LABELS_GIVEN = (
    "The labels were given and the clustering was not run again, so this check says nothing about where another clustering "
    "would put the sample; reclusterer= in Python, --reclusterer on the command line, says how to find them anew"
)
"""What every verdict on given labels says that nobody found anew; without a full stop."""
NOT_RUN_AGAIN = "given labels, clustering not run again"
"""The same on a badge."""
ASSIGNMENTS = {"kept": "labels kept", "continued": "clustering continued", "scratch": "clustered from scratch"}
"""What became of the clustering after retraining."""


def by_assignments(kept: str, continued: str) -> str:
    """Say two results of retraining: with the clusters' labels kept, and with the clustering continued.

    Parameters
    ----------
    kept, continued : str
        The results.

    Returns
    -------
    str
        Both, each with its assignments.

    Examples
    --------
    >>> by_assignments("0.99", "0.97")
    '0.99 with labels kept, 0.97 with the clustering continued'
    """
    return f"{kept} with {ASSIGNMENTS['kept']}, {continued} with the {ASSIGNMENTS['continued']}"


ALL_DIRECT = (
    "The embedding is held fixed, so there is nothing but the direct part: the arithmetic of weights in clusters"
)
"""What a check says of a model without parameters; without a full stop."""


def without_direct(agreements: str) -> str:
    """Say how well predictions agree without the direct part, in which an example's weight predicts itself.

    Parameters
    ----------
    agreements : str
        Rank correlations by kind of removal.

    Returns
    -------
    str
        One sentence without a full stop.

    Examples
    --------
    >>> without_direct("single removals 0.97, groups 0.95")
    'Without the direct part, so that nothing predicts itself (parameters retrained, weights in clusters and labels kept):
    single removals 0.97, groups 0.95'
    """
    how = "parameters retrained, weights in clusters and labels kept"
    return f"Without the direct part, so that nothing predicts itself ({how}): {agreements}"


def checked(sentence: str | None, *, conclusive: bool = True) -> str:
    """Say whether a check covers an explanation; completes "This answer is ...".

    Parameters
    ----------
    sentence : str or None
        The verdict; None without a check.
    conclusive : bool, default=True
        Whether the check could tell.

    Returns
    -------
    str
        A clause.

    Examples
    --------
    >>> checked("grade B"), checked("too few removals", conclusive=False)
    ('checked: grade B', 'checked without a result: too few removals')
    """
    if sentence is None:
        return "not checked; verify does it"
    return f"checked{'' if conclusive else ' without a result'}: {sentence}"


def meaning(grade: str | None, *, can_check: bool) -> str:
    """Say what a grade means, or that there is none.

    Parameters
    ----------
    grade : {"A", "B", "C", "D", "U"} or None
        Of the check; None without one.
    can_check : bool
        Whether a command that checks stands beside the answer.

    Returns
    -------
    str
        One or two sentences.
    """
    if grade is not None:
        return GRADES[grade]
    how = "The command next to the answer checks it." if can_check else "ce.verify(e) checks it."
    return f"Nothing was retrained: this answer is a prediction. {how}"


def check_badge(status: str | None) -> str:
    """Return the badge of one sample's check: `status` with its scope, None without one."""
    return "not checked" if status is None else f"checked by retraining: {status}"
