"""Verbs that retrain: ``verify`` checks an answer, ``stability`` refits the whole run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterexplain.cli import options
from clusterexplain.cli.arguments import compared_cluster, method_arguments, open_run, sample_ids
from clusterexplain.cli.options import option

if TYPE_CHECKING:
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.results.check import Check

INTERRUPTED = 130
"""Exit code after Ctrl-C, as in shells."""

WITHOUT_SAMPLES = "Without it, samples of every cluster are checked, inside and at the boundary."
COMPARISONS = (
    "Compare with seed (same seed), model (further training) or recipe (new seeds). Repeat it for several. The default is "
    "seed; from level standard on, it is seed and recipe."
)

CheckedSamples = Annotated[
    list[str] | None,
    option("--sample", f"Check the sample with this id. Repeat it for several samples. {WITHOUT_SAMPLES}", value="ID"),
]
Level = Annotated[
    str,
    option("--level", "Retrain about 150 (quick), 1,500 (standard) or 6,000 times (full).", choices=options.LEVELS),
]
Estimand = Annotated[list[str] | None, option("--estimand", COMPARISONS, value="NAME", choices=options.ESTIMANDS)]
CheckSeeds = Annotated[int | None, option("--check-seeds", "Use N seeds for the estimand recipe.", least=3)]
Singles = Annotated[int | None, option("--singles", "Remove N random examples, one at a time.", least=0)]
Groups = Annotated[int | None, option("--groups", "Remove N random groups of 5 % of the examples.", least=0)]
Seed = Annotated[int, option("--seed", "Seed the choice of removals.")]
OtherSeeds = Annotated[int, option("--seeds", "Refit with N other seeds.", least=0)]
Bootstrap = Annotated[int, option("--bootstrap", "Refit N times on rows drawn with replacement.", least=0)]


def verify(
    sample: CheckedSamples = None,
    run: options.Run = None,
    task: options.Task = None,
    reclusterer: options.Reclusterer = None,
    against: options.Against = "runner-up",
    level: Level = "quick",
    estimand: Estimand = None,
    check_seeds: CheckSeeds = None,
    method: options.Method = "auto",
    method_option: options.MethodOptions = None,
    seeds: options.Seeds = 1,
    singles: Singles = None,
    groups: Groups = None,
    seed: Seed = 0,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check an explanation by retraining without some training examples.

    Exit code 0: supported. Exit code 3: not supported. Exit code 4: untested. The run stores every finished retraining, so
    an interrupted check resumes.
    """
    from clusterexplain.cli import terminal
    from clusterexplain.results.verdict import EXIT_CODES

    folder, explainer = open_run(run, task, quiet=quiet or as_json, reclusterer=reclusterer)
    ids = sample_ids(sample, explainer) if sample else _stratified_ids(explainer, level, seed)
    method_options = method_arguments(method, method_option, seeds)
    explanation = explainer.explain(ids, against=compared_cluster(against, explainer), **method_options)
    sizes = {"n_seeds": check_seeds, "n_single": singles, "n_groups": groups}
    estimands = tuple(estimand) if estimand else None
    try:
        check = explainer.verify(
            explanation, level=level, estimands=estimands, random_state=seed, cache=folder, **sizes
        )
    except KeyboardInterrupt:
        terminal.aside(f"Interrupted. Finished retrainings are stored in {folder}; the same command resumes from them.")
        raise typer.Exit(INTERRUPTED) from None
    keep_check(check, folder)
    if as_json:
        terminal.as_json(check.to_dict())
    else:
        terminal.check(check)
    raise typer.Exit(EXIT_CODES[check.status])


def stability(
    run: options.Run = None,
    task: options.Task = None,
    reclusterer: options.Reclusterer = None,
    seeds: OtherSeeds = 10,
    bootstrap: Bootstrap = 10,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Refit, and list the clusters and samples that stay together.

    The run stores the result, and every later answer shows it; with --reclusterer, those for which the same one is given.
    """
    from clusterexplain.cli import terminal
    from clusterexplain.storage.sidecars import write_stability

    folder, explainer = open_run(run, task, quiet=quiet or as_json, reclusterer=reclusterer)
    measured = explainer.stability(n_seeds=seeds, n_bootstrap=bootstrap)
    write_stability(folder, measured.to_arrays())
    if as_json:
        terminal.as_json(measured.to_dict())
        return
    terminal.table(measured.clusters(), "Clusters: weighted Jaccard similarity with the matched cluster of each refit")
    least_stable = measured.frame().sort_values("share", kind="stable").head(10)
    terminal.table(least_stable, "Samples that keep their cluster least often")
    terminal.line(f"{measured.sentence}.")


def keep_check(check: Check, folder: Path) -> None:
    """Store a check with the run."""
    from clusterexplain.storage.sidecars import write_check

    write_check(folder, {"summary": check.to_dict()["summary"], **check.explanation.stored_check()})


def _stratified_ids(explainer: ClusterExplainer, level: str, seed: int) -> list[Any]:
    """Return the ids of samples from every cluster and depth, as many as the level checks."""
    from clusterexplain.verification import LEVELS, choose_queries

    n_queries = LEVELS[level].n_queries if level in LEVELS else 1  # verify refuses an unknown level
    rows = choose_queries(explainer.margins_, explainer.labels_, explainer.sample_weight_ > 0, n_queries, seed=seed)
    return [explainer.data_.ids[row].item() for row in rows]
