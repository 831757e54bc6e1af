"""Sentences of reports: what a view is, which command goes on, what a term means."""

from __future__ import annotations

import shlex
from typing import Any

import numpy as np

from clusterexplain.report import tables
from clusterexplain.report.context import ReportContext
from clusterexplain.results.explanation import KEPT_OUT, SIDES, Explanation
from clusterexplain.results.text.names import NOISE, terminal_safe

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


HEAT_WORDS = (
    "Row: whose members, each with the margin to its own runner-up. Column: whose examples. More weight on examples moves the "
    "members deeper inside (blue) or nearer to a boundary (orange).\n"
    "A cluster's own examples together leave its centroid in place, so an orange diagonal only says that a network trained "
    "more on the cluster spreads it out.\n"
    "The pull in ce.cluster(k).towards is another number: on the margin against one named rival."
)
"""What the heat map shows; the reasons are in :func:`tables.cluster_pulls`."""


SHOWN_NAMES, LONGEST_NAME = 3, 60
"""Samples that a title names, and letters of each."""


def subject(explanation: Explanation, query: int | None) -> str:
    """Say what a picture is about: the sample, its cluster and its rival.

    Parameters
    ----------
    explanation : Explanation
        Whose.
    query : int or None
        Position of the query; None for all of them.

    Returns
    -------
    str
        For example "Sample 123: cluster 1, rival cluster 4".
    """
    names = [_short(one) for one in explanation.query_ids.tolist()]
    if query is None:
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        listed = f"{', '.join(names[:SHOWN_NAMES])}{more}"
        return listed if explanation.combined else f"Sample{'s' if len(names) > 1 else ''} {listed}"
    if explanation.combined:
        return f"All members of {names[query]}"
    own, rival = (_short(explanation.name_of(one[query])) for one in (explanation.labels, explanation.rivals))
    return f"Sample {names[query]}: {own}, rival {rival}"


def _short(name: object) -> str:
    text = terminal_safe(str(name))
    return text if len(text) <= LONGEST_NAME else text[:LONGEST_NAME] + "\N{HORIZONTAL ELLIPSIS}"


def map_words(context: ReportContext, shown: int) -> str:
    """Say what the map is, and how much of it is drawn.

    Parameters
    ----------
    exhibit : ReportContext
        The fit.
    shown : int
        Dots that are drawn.

    Returns
    -------
    str
        Lines.
    """
    n, dim = len(context.present), context.fit.embedding.shape[1]
    some = f"{n:,} training examples" if shown == n else f"a random sample of {shown:,} of {n:,} training examples"
    return (
        f"{some}, drawn by {context.drawn_by}, to look at only\n"
        f"explanations come from the {dim}-dimensional embedding and not from this map"
    )


def place_words(context: ReportContext, explanation: Explanation, query: int) -> str:
    """Say that the map shows a sample among another cluster's members, where it does.

    Parameters
    ----------
    exhibit, explanation, query : ReportContext, Explanation, int
        Whose.

    Returns
    -------
    str
        One line; empty if most of its neighbours on the map are of its own cluster, or if it was not trained on.
    """
    on_map, in_embedding, n = tables.strangers(context, explanation, query)
    if 2 * on_map <= n:
        return ""
    return f"{on_map} of its {n} nearest on this map are of other clusters, {in_embedding} of {n} in the embedding"


def profile_words(profile: list[tuple[str, float]]) -> str:
    """Say what a cluster of table rows is.

    Parameters
    ----------
    profile : list of (str, float)
        From :meth:`Rows.profile`.

    Returns
    -------
    str
        For example "higher kcal (+1.8 sd), lower sugar (-1.1 sd)"; empty if there is nothing to say.
    """
    return ", ".join(f"{'higher' if size > 0 else 'lower'} {name} ({size:+.1f} sd)" for name, size in profile)


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
