"""Verbs about one sample: ``why`` it is in its cluster, and what would ``flip`` it to another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterexplain.cli import options
from clusterexplain.cli.arguments import compared_cluster, method_arguments, open_run, sample_ids
from clusterexplain.cli.options import option
from clusterexplain.exceptions import InvalidParameterError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from clusterexplain.data import Dataset
    from clusterexplain.results.explanation import Explanation

NEW_ROWS = "Explain the new rows of this .csv, .parquet or .npy file, which has the columns of the run."
SUMMED = "Sum the influence over this metadata column, or over 'cluster'."

Rows = Annotated[Path | None, option("--row", NEW_ROWS)]
By = Annotated[str | None, option("--by", SUMMED, value="COLUMN")]
Csv = Annotated[Path | None, option("--csv", "Write the influence of every example to this file.")]
Sample = Annotated[str, option("--sample", "Move the sample with this id.", value="ID")]
MaxRemoved = Annotated[
    int | None, option("--max-removed", "Remove at most N examples. The default is a tenth of them.", least=1)
]


def why(
    sample: options.Samples = None,
    row: Rows = None,
    run: options.Run = None,
    task: options.Task = None,
    against: options.Against = "runner-up",
    by: By = None,
    top: options.Top = 10,
    method: options.Method = "auto",
    method_option: options.MethodOptions = None,
    seeds: options.Seeds = 1,
    as_json: options.Json = False,
    csv: Csv = None,
    quiet: options.Quiet = False,
) -> None:
    """List the training examples that pulled a sample into its cluster, and those that pushed it away."""
    from clusterexplain.cli import terminal

    if bool(sample) == (row is not None):
        raise InvalidParameterError(
            "why needs either --sample ID or --row FILE, and not both. Expected for example --sample 123."
        )
    folder, explainer = open_run(run, task, quiet=quiet or as_json)
    queries = sample_ids(sample or [], explainer) if row is None else new_rows(row, explainer.data_)
    method_options = method_arguments(method, method_option, seeds)
    cluster = compared_cluster(against, explainer)
    explanation = with_stored_check(explainer.explain(queries, against=cluster, **method_options), folder)
    groups = None if by is None else changes_if_removed(explanation.by(by))
    if csv is not None:
        _write_csv(csv, explanation)
    if as_json:
        shown = {} if groups is None else {"by": {by: json.loads(groups.to_json(orient="records"))}}
        terminal.as_json({**explanation.to_dict(top), **shown})
        return
    terminal.answer(explanation, top)
    if sample:
        terminal.label_conflicts(explanation, explainer.label_conflicts())
    if groups is not None and by is not None:
        terminal.groups(groups, by)
    if sample and not quiet:
        terminal.next_steps(explanation, sample, against, folder, task, given=run is not None)


def flip(
    sample: Sample,
    run: options.Run = None,
    task: options.Task = None,
    reclusterer: options.Reclusterer = None,
    against: options.Against = "runner-up",
    max_removed: MaxRemoved = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Search for training examples whose removal moves a sample to another cluster.

    Exit code 0: a set was found and retraining confirmed it. Exit code 3: no set was found.
    """
    from clusterexplain.cli import terminal

    _, explainer = open_run(run, task, quiet=quiet or as_json, reclusterer=reclusterer)
    cluster = compared_cluster(against, explainer)
    result = explainer.flip(sample_ids([sample], explainer), against=cluster, max_removed=max_removed)
    if as_json:
        terminal.as_json(result.to_dict())
    else:
        terminal.line(f"{result.sentence}.")
        terminal.line(f"Removed: {', '.join(map(str, result.removed.tolist()))}")
        terminal.table(result.tried, "All retrainings: the margin without the first n examples of each order")
    raise typer.Exit(0 if result.flipped else 3)


def new_rows(file: Path, data: Dataset) -> np.ndarray:
    """Read rows that were not trained on, in the order of the run's columns.

    Parameters
    ----------
    file : Path
        A table or an array. Columns that the run has not are ignored if it has all others.
    data : Dataset
        The run's training data.

    Returns
    -------
    ndarray of shape (n_rows, n_features)
        The rows, unscaled.

    Raises
    ------
    InvalidParameterError
        If the columns are not those of the run.
    """
    from clusterexplain.data.readers.registry import read
    from clusterexplain.data.readers.table import column_names

    known, names = data.feature_names, column_names(file)
    further = [name for name in names if name not in known] if known is not None and set(known) <= set(names) else []
    rows = read(file, metadata=further)  # ids, texts and other columns that were not trained on
    if rows.feature_names is None or known is None:
        if rows.X.shape[1] != data.X.shape[1]:
            raise InvalidParameterError(
                f"{file} has {rows.X.shape[1]} columns, but the run was made with {data.X.shape[1]}. Expected the same columns "
                f"in the same order."
            )
        return rows.X
    if sorted(rows.feature_names) != sorted(known):
        raise InvalidParameterError(
            f"{file} has the columns {', '.join(rows.feature_names[:5])}, ..., but the run was made with "
            f"{', '.join(known[:5])}, ... Expected these {len(known)} names in any order; further columns are ignored."
        )
    return rows.X[:, [rows.feature_names.index(name) for name in known]]


def _write_csv(file: Path, explanation: Explanation) -> None:
    from clusterexplain.cli import terminal
    from clusterexplain.report.export import write_file

    write_file(file, terminal.as_csv(explanation.to_frame()))


def with_stored_check(explanation: Explanation, folder: Path) -> Explanation:
    """Attach the run's newest check that covers every answer; an untested one only if no other covers them."""
    from clusterexplain.results.verdict import UNTESTED
    from clusterexplain.storage.sidecars import read_checks

    attached = [explanation.with_check(stored) for stored in read_checks(folder)]
    covered = [checked for checked in attached if checked.check is not None]
    conclusive = [checked for checked in covered if checked.check and checked.check.status != UNTESTED]
    return next(iter(conclusive + covered), explanation)


def changes_if_removed(sums: pd.DataFrame) -> pd.DataFrame:
    """Return sums over groups with the one sign that is shown: changes of the margin if a group is removed.

    Parameters
    ----------
    sums : DataFrame
        From ``Explanation.by``, whose influence and interval are positive for pulling in.

    Returns
    -------
    DataFrame
        With if_removed_low and if_removed_high, the 95 % interval of if_removed, in place of influence, low and high.
    """
    interval = {"if_removed_low": -sums["high"], "if_removed_high": -sums["low"]}
    return sums.assign(**interval).drop(columns=["influence", "low", "high"])
