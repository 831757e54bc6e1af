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
    import pandas as pd

    from clusterexplain.data.dataset import Rows
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.results.explanation import Explanation

NEW_ROWS = (
    "Explain the new rows of this file: a table or an array with the columns of the run, an .h5ad file with its genes, a "
    "picture or a folder of pictures."
)
SUMMED = "Sum the influence over this metadata column, or over 'cluster'."

RowFile = Annotated[Path | None, option("--row", NEW_ROWS)]
By = Annotated[str | None, option("--by", SUMMED, value="COLUMN")]
Csv = Annotated[Path | None, option("--csv", "Write the influence of every example to this file.")]
Sample = Annotated[str, option("--sample", "Move the sample with this id.", value="ID")]
MaxRemoved = Annotated[
    int | None, option("--max-removed", "Remove at most N examples. The default is a tenth of them.", least=1)
]


def why(
    sample: options.Samples = None,
    row: RowFile = None,
    run: options.Run = None,
    task: options.Task = None,
    reclusterer: options.Reclusterer = None,
    against: options.Against = "runner-up",
    by: By = None,
    show: options.Show = None,
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
    folder, explainer = open_run(run, task, quiet=quiet or as_json, reclusterer=reclusterer)
    queries = sample_ids(sample or [], explainer) if row is None else _new_rows(row, explainer)
    asked = {"show": show, **method_arguments(method, method_option, seeds)}
    explained = explainer.explain(queries, against=compared_cluster(against, explainer), **asked)
    explanation = with_stored_check(explained, folder)
    groups = None if by is None else changes_if_removed(explanation.by(by))
    if csv is not None:
        _write_csv(csv, explanation)
    if as_json:
        shown = {} if groups is None else {"by": {by: json.loads(groups.to_json(orient="records"))}}
        terminal.as_json({**explanation.to_dict(top), **shown})
        return
    terminal.answer(explanation, top)
    if sample:
        terminal.label_conflicts(explanation, explainer.label_conflicts(show=show))
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


def _new_rows(file: Path, explainer: ClusterExplainer) -> Rows:
    from clusterexplain.data.readers.new_files import read_new_rows

    return read_new_rows(file, explainer.data_)


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
