"""``clusterexplain reproduce mog``: the mixture of Gaussians, as published and corrected."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from clusterexplain.execution import DEFAULT_EXECUTION, Execution
from clusterexplain.experiments.mixture import published
from clusterexplain.experiments.mixture.charts import agreement_chart, changes_chart
from clusterexplain.experiments.mixture.corrected import EPSILON, LEARNING_RATE, N_STEPS, OWN_LOSS, corrected
from clusterexplain.experiments.mixture.estimates import EXACT, ONE_PASS
from clusterexplain.experiments.mixture.findings import NOTES, findings
from clusterexplain.experiments.mixture.predicted_and_retrained import CROSS, Comparison
from clusterexplain.experiments.mixture.tables import agreement, by_component, by_seed, solves
from clusterexplain.experiments.result_cache import ResultCache
from clusterexplain.experiments.study import Study

VERSION = "1"
SEEDS, QUICK_SEEDS = 10, 2
REMOVED_EVERY, QUICK_REMOVED_EVERY = 1, 5
SHOWN = (0, 51, 102)
"""Queries of the picture, one of each Gaussian."""


def run(out: Path | None, *, quick: bool = False, execution: Execution = DEFAULT_EXECUTION) -> Study:
    """Run both variants over all seeds.

    Parameters
    ----------
    out : Path or None
        Folder in which the parts are kept; None keeps nothing.
    quick : bool, default=False
        Two seeds instead of ten, and every fifth point is removed instead of all 150.
    execution : Execution, default=DEFAULT_EXECUTION
        Chunks of exact rows that are computed side by side, and bars.

    Returns
    -------
    Study
        Tables of agreement, findings and charts.

    References
    ----------
    A. Silva, R. Chopra, M. Gombolay. Cross-loss influence functions to explain deep network representations. AISTATS 2022.
    """
    seeds, every = (QUICK_SEEDS, QUICK_REMOVED_EVERY) if quick else (SEEDS, REMOVED_EVERY)
    cache, parts = ResultCache(out, version=VERSION), []
    variants = {
        "published": partial(published.published, removed_every=every, execution=execution),
        "corrected": partial(corrected, removed_every=every, execution=execution.silent()),
    }
    recipe = [N_STEPS, LEARNING_RATE, EPSILON]
    settings: dict[str, dict[str, Any]] = {
        "published": {"removed_every": every},
        "corrected": {"removed_every": every, "recipe": recipe},
    }
    first = lru_cache(maxsize=1)(
        partial(corrected, 0, removed_every=every, execution=execution.silent())
    )  # for its table and for the picture
    jobs = [(name, seed) for seed in range(seeds) for name in variants]
    for name, seed in execution.track(jobs, "mixture of Gaussians"):
        compute = first if (name, seed) == ("corrected", 0) else partial(variants[name], seed)
        parts.append(cache.frame(name, settings[name] | {"seed": seed}, partial(_agreement, compute, seed)))
    shown = cache.frame("shown", settings["corrected"], lambda: _shown(first()))
    rows = pd.concat(parts, ignore_index=True)
    everywhere, within = agreement(rows), agreement(rows, "_within")
    seeds_table = by_seed(rows, "corrected", EXACT, OWN_LOSS)
    main = rows[
        rows["truth"].isin([published.AS_PUBLISHED]) | ((rows["variant"] == "corrected") & (rows["truth"] == OWN_LOSS))
    ]
    tables = {
        "all_removals": everywhere,
        "own_cluster_removals": within,
        "by_component": by_component(main),
        "exact_by_seed": seeds_table,
        "published_solver": solves(rows),
    }
    return Study(
        "Mixture of three Gaussians: predicted against retrained changes of the log membership",
        tables,
        findings(tables),
        {"agreement": partial(agreement_chart, everywhere), "changes": partial(changes_chart, shown)},
        NOTES,
    )


def _agreement(compute: Callable[[], list[Comparison]], seed: int) -> pd.DataFrame:
    frame = pd.concat([comparison.agreement() for comparison in compute()], ignore_index=True)
    return frame.assign(seed=seed)


def _shown(comparisons: list[Comparison]) -> pd.DataFrame:
    (chosen,) = [pair for pair in comparisons if pair.arm == CROSS and pair.truth == OWN_LOSS]
    return chosen.changes((EXACT, ONE_PASS), list(SHOWN))
