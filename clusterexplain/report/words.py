"""Sentences of reports: what a view is, which command goes on, what a term means."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from clusterexplain.explanation import KEPT_OUT, SIDES, Explanation
from clusterexplain.report.exhibit import Exhibit
from clusterexplain.wording import NOISE

GLOSSARY = (
    (
        "margin",
        "How firmly a sample sits in its cluster rather than in the rival cluster: a difference of the evidence for the two. "
        "Positive is inside, 0 is the boundary, negative is the rival's side.",
    ),
    (
        "influence",
        "The derivative of the margin in the weight of one training example, through training, embedding and clustering. "
        "Positive pulled the sample in: without that example the margin is predicted to be smaller.",
    ),
    (
        "if removed",
        "The predicted change of the margin if that one training example were removed and everything trained again with the "
        "same randomness: minus its influence. The percentage is of the margin.",
    ),
    (
        "rival",
        "The cluster that the sample would most likely be in if not in its own: the runner-up, unless another was asked for.",
    ),
    (
        "stability",
        "How often the sample kept its cluster when everything was refitted with other seeds and on other draws of the data. "
        "It says nothing about which examples matter.",
    ),
    (
        "checked",
        "The model was trained again without some examples, and the changes of the margin were compared with the predicted "
        "ones. The verdict says with which randomness. An answer that is not checked is a prediction.",
    ),
    (
        "members frozen, re-clustered",
        "After retraining, a hard clustering can keep the old members of its clusters, which tests the mathematics, or choose "
        "them anew, which is what really happens.",
    ),
)
"""Terms and what they mean, each in at most 45 words."""


def map_words(exhibit: Exhibit, shown: int) -> str:
    """Say what the map is, and how much of it is drawn.

    Parameters
    ----------
    exhibit : Exhibit
        The fit.
    shown : int
        Dots that are drawn.

    Returns
    -------
    str
        Lines.
    """
    n, dim = len(exhibit.present), exhibit.pipeline.embedding.shape[1]
    some = f"{n:,} training examples" if shown == n else f"a random sample of {shown:,} of {n:,} training examples"
    return (
        f"{some}, drawn by {exhibit.drawn_by}, to look at only\n"
        f"explanations come from the {dim}-dimensional embedding and not from this map"
    )


def command(
    verb: str,
    samples: list[Any],
    run: str | None,
    against: int | None = None,
    *,
    task: str | None = None,
    how: str = "",
) -> str:
    """Return a command to copy.

    Parameters
    ----------
    verb : str
        "why", "verify" or "report".
    samples : list
        Ids.
    run : str or None
        The run directory, if the fit is saved.
    against : int, optional
        The rival cluster, -1 for noise; the runner-up by default.
    task : str, optional
        Where the run's own network is made.
    how : str, default=""
        Options of method and seeds, see :attr:`Explanation.flags`.

    Returns
    -------
    str
        For a shell.
    """
    asked = " ".join(f"--sample {shlex.quote(str(one))}" for one in samples)
    where = "" if run is None else f" --run {shlex.quote(run)}"
    rival = "" if against is None else f" --against {'noise' if against == NOISE else against}"
    own = "" if task is None else f" --task {shlex.quote(task)}"
    return f"clusterexplain {verb} {asked}{rival}{how}{where}{own}"


def twins_words(explanation: Explanation, query: int) -> str:
    """Say what a page without twins means: that there are none, or that none were looked for."""
    if explanation.positions[query] < 0:
        return "Twins are looked for among training examples only."
    return "No near-identical row has another label."


def trust_words(explanation: Explanation, *, can_check: bool) -> str:
    """Say what the status of the check means.

    Parameters
    ----------
    explanation : Explanation
        Its status.
    can_check : bool
        Whether there is a command that checks it.

    Returns
    -------
    str
        One or two sentences.
    """
    how = "The command beside the answer checks it." if can_check else "ce.verify(e) checks it."
    if explanation.check is None:
        return f"Nothing was retrained: this answer is a prediction. {how}"
    return {
        "A": "Retraining without examples changed the margins in the predicted order, and about as much as predicted.",
        "B": "Retraining without examples changed the margins in the predicted order.",
        "C": "Retraining changed the margins roughly in the predicted order, but not reliably: do not quote the numbers.",
        "D": "Retraining did not change the margins in the predicted order: do not rely on this answer.",
        "U": "Retraining could not tell whether this answer is right; the verdict says why.",
    }[explanation.check.grade]


def pull_words(explanation: Explanation, query: int) -> str:
    """Say how concentrated the pull is, and where most of it comes from.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int
        Position of the query.

    Returns
    -------
    str
        One sentence, empty if nothing pulls.
    """
    pull = np.maximum(explanation.influence[query], 0)
    if not pull.sum() > 0:
        return ""
    shares = np.cumsum(np.sort(pull)[::-1]) / pull.sum()
    half = int(np.searchsorted(shares, 0.5)) + 1
    clusters = np.unique(explanation.train_labels)
    sums = np.array([pull[explanation.train_labels == one].sum() for one in clusters])
    first = explanation.name_of(int(clusters[sums.argmax()]))
    holds = explanation.sides(query)[0]
    what = {SIDES[0]: "its pull", KEPT_OUT[0]: "what kept it out"}.get(holds, f"all that {holds}")
    present = int((explanation.sample_weight > 0).sum())
    return (
        f"Half of {what} comes from {half:,} of {present:,} training examples; {sums.max() / pull.sum():.0%} of it comes from "
        f"{first}."
    )
