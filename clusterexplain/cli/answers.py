"""What the verbs of :mod:`clusterexplain.cli.questions` do: call the library, hand the result to the printer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from clusterexplain.cli import printing
from clusterexplain.cli.commands import cluster_number, open_run, read_ids, read_rival
from clusterexplain.storage import sidecars

if TYPE_CHECKING:
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.explanation import Flip
    from clusterexplain.results.explanation import Explanation


def clusters(run: Path | None, *, task: str | None, as_json: bool, quiet: bool) -> None:
    """List the clusters."""
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    found = explainer.clusters()
    if as_json:
        printing.as_json(found.astype(object).to_dict("records"))
        return
    shown = found.drop(columns=["cluster", "share"]).rename(columns=lambda name: name.replace("_", " "))
    printing.table(shown, "Clusters: members, typical = largest margin, marginal = nearest to a boundary")
    where = "" if run is None else f" --run {printing.quoted(folder)}"
    marginal = found["marginal"].iloc[int(found["smallest_margin"].argmin())]
    printing.line(f"Next: clusterexplain why --sample {printing.quoted(marginal)}{where}")


def cluster(
    which: str, run: Path | None, top: int, *, task: str | None, check: bool, as_json: bool, quiet: bool
) -> None:
    """Explain a cluster."""
    _, explainer = open_run(run, task, quiet=quiet or as_json)
    answer = explainer.cluster(cluster_number(which, explainer), n_shown=top)
    cohesion, checked = _checked(explainer, answer.cohesion, check=check)
    if as_json:
        printing.as_json({**answer.to_dict(top), **cohesion.to_dict(top), **checked})
        return
    printing.answer(cohesion, top)
    printing.table(answer.typical(top), "Most typical members (largest margin)")
    printing.table(answer.untypical(top), "Least typical members (smallest margin)")
    printing.table(
        answer.towards, "Towards other clusters: mean margin of the members, and how the rival's own members change it"
    )
    printing.line(
        "A pull below 0 draws this cluster's members towards the rival. Self-influence is how much a member holds itself in."
    )


def between(
    first: str,
    second: str,
    run: Path | None,
    top: int,
    *,
    task: str | None,
    check: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Explain the separation of two clusters."""
    _, explainer = open_run(run, task, quiet=quiet or as_json)
    asked = explainer.between(cluster_number(first, explainer), cluster_number(second, explainer))
    asked, checked = _checked(explainer, asked, check=check)
    if as_json:
        printing.as_json({**asked.to_dict(top), **checked})
    else:
        printing.answer(asked, top)


def flip(
    sample: str,
    run: Path | None,
    against: str,
    max_removed: int | None,
    *,
    task: str | None,
    as_json: bool,
    quiet: bool,
) -> Flip:
    """Search for what it would take, and print it."""
    _, explainer = open_run(run, task, quiet=quiet or as_json)
    rival = read_rival(against, explainer)
    found = explainer.flip(read_ids([sample], explainer), against=rival, max_removed=max_removed)
    if as_json:
        printing.as_json(found.to_dict())
    else:
        printing.line(f"{found.sentence}.")
        printing.line(f"Removed: {', '.join(map(str, found.removed.tolist()))}")
        printing.table(found.tried, "Every retraining: margin without the first n of the order")
    return found


def twins(run: Path | None, share: float, *, task: str | None, as_json: bool, quiet: bool) -> None:
    """List near-identical rows with different labels."""
    _, explainer = open_run(run, task, quiet=quiet or as_json)
    found = explainer.twins(share=share)
    if as_json:
        printing.as_json(json.loads(found.to_json(orient="records")))
    elif not len(found):
        printing.line(
            "No near-identical rows have different labels. A larger --share counts rows that are less alike as twins."
        )
    else:
        printing.table(found, "Near-identical rows with different labels (-1 is noise)")
        first = found.to_dict("records")[0]
        again = (f" --run {printing.quoted(run)}" if run else "") + (f" --task {printing.quoted(task)}" if task else "")
        printing.line(
            f"Next: clusterexplain why --sample {printing.quoted(first['id'])} --against "
            f"{_cluster_word(first['twin_cluster'])}{again} (who separates the first pair)"
        )


def stability(run: Path | None, seeds: int, bootstrap: int, *, task: str | None, as_json: bool, quiet: bool) -> None:
    """Refit, print what stays, keep it beside the run."""
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    measured = explainer.stability(n_seeds=seeds, n_bootstrap=bootstrap)
    sidecars.write_stability(folder, measured.to_arrays())
    if as_json:
        printing.as_json(measured.to_dict())
        return
    printing.table(measured.clusters(), "Clusters: weighted Jaccard with the matched cluster of each refit")
    frame = measured.frame().sort_values("share", kind="stable")
    printing.table(frame.head(10), "Samples that keep their cluster least often")
    printing.line(f"{measured.sentence}.")


def name(which: int, text: str, run: Path | None, *, task: str | None) -> None:
    """Give a cluster a name."""
    folder, explainer = open_run(run, task, quiet=True)
    explainer.name_clusters({which: text})
    sidecars.write_names(folder, explainer.cluster_names_)
    named = [f'{cluster} "{one}"' for cluster, one in explainer.cluster_names_.items()]
    printing.line(f"Names in {folder}: {', '.join(named) or 'none'}.")


def _checked(explainer: ClusterExplainer, asked: Explanation, *, check: bool) -> tuple[Explanation, dict[str, Any]]:
    """Retrain without examples if it is wished for."""
    if not check:
        return asked, {}
    found = explainer.verify(asked)
    return found.explanation, {"check": found.to_dict()}


def _cluster_word(cluster: Any) -> str:
    return "noise" if pd.isna(cluster) or int(cluster) < 0 else str(int(cluster))
