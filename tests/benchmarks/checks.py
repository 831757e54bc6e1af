"""What a standard check of the digits says: this seed, the recipe, and means of 5 and 10 exact explanations.

Run: ``python -m tests.benchmarks.checks [autoencoder contrastive] [--start pca] [--queries 24] [--keep FOLDER]
[--means 5 10]``. Prints Markdown tables: the grades of the standard check for this seed and for the recipe; then, against
removals refitted at seeds that no explanation has seen, how much of the ceiling means of 5 and 10 explanations reach.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

from clusterexplain import ClusterExplainer, load_dataset
from clusterexplain.execution import Execution
from clusterexplain.verification import choose_queries

MINUTES = "{:.1f} min"


def rows_of(check: object, name: str) -> pd.DataFrame:
    """Return single removals and 5 % groups of every estimand with the grades."""
    summary = check.summary[check.summary["kind"].isin(["single", "group"])]
    columns = [
        "estimand",
        "kind",
        "assignments",
        "n",
        "spearman",
        "low",
        "high",
        "slope",
        "signs",
        "within",
        "same_cluster",
    ]
    grades = check.grades.set_index(["estimand", "assignments"])
    table = summary[columns].copy()
    table.insert(0, "explanation", name)
    for column in ("ceiling", "ceiling_low", "grade"):
        table[column] = [grades.loc[(one.estimand, one.assignments), column] for one in summary.itertuples()]
    return table


def measure(model: str, start: str | None, n_queries: int, keep: Path | None, means: list[int]) -> None:
    """Print the tables of one model."""
    explainer = ClusterExplainer(model, n_clusters=10, start=start, random_state=0).fit(load_dataset("digits"))
    everywhere = explainer.sample_weight_ > 0
    queries = choose_queries(explainer.margins_, explainer.labels_, everywhere, n_queries).tolist()
    folder = None if keep is None else keep / model
    shown = Execution(progress=True)
    begin = time.perf_counter()
    check = explainer.verify(
        explainer.explain(queries),
        level="standard",
        n_duplicates=16,
        n_planted=4,
        cache=folder,
        execution=shown,
    )
    print(
        f"\n## {model}: standard check of {len(queries)} samples, {MINUTES.format((time.perf_counter() - begin) / 60)}\n"
    )
    print(check.verdict, "\n")
    tables = [rows_of(check, "1 seed")]
    print(check.grades.drop(columns="reason").to_markdown(index=False, floatfmt=".3f"), "\n")
    print(check.controls.to_markdown(index=False, floatfmt=".3g"), "\n")
    print(check.from_scratch.to_markdown(index=False, floatfmt=".3f"), "\n")
    print(check.planted_duplicates.to_markdown(index=False, floatfmt=".3f"), "\n")
    print(check.duplicates.describe().to_markdown(floatfmt=".3f"), "\n")
    for n_seeds in means:
        mean = explainer.explain(queries, n_seeds=n_seeds)
        found = explainer.verify(mean, level="standard", estimands="recipe", cache=folder, execution=shown)
        tables.append(rows_of(found, f"{n_seeds} seeds"))
        print(f"{n_seeds} seeds: {found.verdict}\n")
    print(pd.concat(tables, ignore_index=True).to_markdown(index=False, floatfmt=".3f"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=["autoencoder", "contrastive"])
    parser.add_argument("--start", help="where the training starts, by default as the model says")
    parser.add_argument("--queries", type=int, default=24)
    parser.add_argument("--keep", type=Path, help="folder for the retrained networks: an interrupted run goes on")
    parser.add_argument("--means", type=int, nargs="*", default=[5, 10], help="explanations over so many seeds")
    chosen = parser.parse_args()
    for one in chosen.models:
        measure(one, chosen.start, chosen.queries, chosen.keep, chosen.means)
