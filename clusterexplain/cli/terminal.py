"""How answers look in a terminal. Text from data is printed as text: never as markup, never as control characters."""

from __future__ import annotations

import json
import logging
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from clusterexplain.data.near_duplicates import COLUMNS, label_conflicts_of
from clusterexplain.results.removals import RANDOM, TOP_PULLERS
from clusterexplain.results.text.margins import SIDES
from clusterexplain.results.text.names import format_change, snippet, terminal_safe
from clusterexplain.statistics.groups import main_source
from clusterexplain.statistics.intervals import Interval
from clusterexplain.statistics.matching import NOISE

if TYPE_CHECKING:
    from clusterexplain.data import Dataset
    from clusterexplain.estimator import ClusterExplainer
    from clusterexplain.results.check import Check
    from clusterexplain.results.explanation import Explanation

_FORMULA = re.compile(r"(?!-[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?\Z)[=+\-@\t\r\n]", re.IGNORECASE)
"""How a cell begins that a spreadsheet would run as a formula; a negative number does not match."""
LISTED_ASIDE = 5
"""Columns that were left aside and are named."""
WIDEST = 30
"""Longest word that a table does not break."""


def set_verbosity(*, quiet: bool) -> None:
    """Show the package's messages, or only its warnings if `quiet`."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("clusterexplain").setLevel(logging.WARNING if quiet else logging.INFO)


def line(text: str) -> None:
    """Print one line."""
    Console(soft_wrap=True).print(Text(terminal_safe(text)))


def aside(text: str) -> None:
    """Print one line that is not part of the answer, to the standard error."""
    Console(stderr=True, soft_wrap=True).print(Text(terminal_safe(text)))


def quoted(text: object) -> str:
    """Return a word of a command to copy."""
    return shlex.quote(terminal_safe(str(text)))


def as_csv(frame: pd.DataFrame) -> bytes:
    """Return a frame as CSV in which no cell of text is a formula for a spreadsheet, as on the page."""
    guarded = frame.copy()
    for name in [name for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]:
        guarded[name] = [f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell for cell in frame[name]]
    return guarded.to_csv(index=False, lineterminator="\r\n").encode(errors="replace")


def as_json(answer: object) -> None:
    """Print JSON and nothing else."""
    print(json.dumps(answer, indent=1, allow_nan=False))  # noqa: T201


def table(frame: pd.DataFrame, title: str) -> None:
    """Print a frame as a table. One that is too wide for the terminal is continued below, with its first column again."""
    cells = [[_cell(value) for value in row] for row in frame.itertuples(index=False)]
    columns = list(zip(*[[terminal_safe(str(name)) for name in frame.columns], *cells], strict=True))
    for number, block in enumerate(_blocks([_longest_word(texts) for texts in columns], Console().width)):
        _print_columns([columns[column] for column in block], title if not number else f"{title} (more columns)")


def _blocks(least: list[int], room: int) -> list[list[int]]:
    """Return the columns of each part of a table: as many as fit, the first of the table in front."""
    blocks = [[0]] if least else [[]]
    for column in range(1, len(least)):
        widths = [least[known] for known in [*blocks[-1], column]]
        if len(blocks[-1]) > 1 and sum(widths) + 3 * len(widths) + 1 > room:
            blocks.append([0])
        blocks[-1].append(column)
    return blocks


def _print_columns(columns: list[tuple[str, ...]], title: str) -> None:
    """Print texts as a table, the name first in each column; a terminal that is too narrow for its words gets a wider one."""
    shown = Table(title=Text(terminal_safe(title)), title_justify="left")
    least = [_longest_word(texts) for texts in columns]
    console, frames = Console(), 3 * len(columns) + 1
    console.width = max(console.width, sum(least) + frames)
    widths = _shared([max(map(cell_len, texts)) for texts in columns], least, console.width - frames)
    for (name, *_), width in zip(columns, widths, strict=True):
        shown.add_column(Text(name), overflow="fold", width=width)
    for row in zip(*(texts for _, *texts in columns), strict=True):
        shown.add_row(*map(Text, row))
    console.print(shown)


def _shared(whole: list[int], least: list[int], room: int) -> list[int]:
    """Return widths of columns: whole where there is room, else the least and a share of what is left by what is wanted.

    Rich takes width from the widest columns first, below their longest words, and then cuts the table off.
    """
    wanted, spare = [max(0, n - m) for n, m in zip(whole, least, strict=True)], room - sum(least)
    total = sum(wanted)
    return [m + (n if total <= spare else spare * n // total) for m, n in zip(least, wanted, strict=True)]


def _longest_word(texts: tuple[str, ...]) -> int:
    return min(max(cell_len(word) for text in texts for word in (text.split() or [""])), WIDEST)


def fitted(explainer: ClusterExplainer, out: Path) -> None:
    """Say what was made, and the command that explains a sample; where none can be explained, why."""
    from clusterexplain.explanation.answerable import answerable_row

    labels = pd.Series(explainer.labels_)
    sizes = ", ".join(str(size) for size in labels[labels != NOISE].value_counts().sort_index())
    noise = int((labels == NOISE).sum())
    further, task = getattr(explainer, "further_", None), explainer.fit_.recipe.task
    if task.closed_form:
        line(f"{len(labels)} rows in {explainer.embedding_.shape[1]} dimensions were clustered: {task.held_fixed}.")
    else:
        made = "The model was trained on" if further is None else "The pretrained network embedded"
        line(f"{made} {len(labels)} rows; the final loss is {explainer.loss_:.4f}.")
    line(_used_columns(explainer.data_, "It used" if task.closed_form else "It was trained on"))
    line(f"The clusters have {sizes} members{f', and {noise} rows are noise' if noise else ''}.")
    if further is not None:
        line(f"Explanations come from {further}.")
    if hasattr(explainer, "smoothness_"):
        line(f"Smoothness: {explainer.smoothness_}.")
    line(f"Run saved in {out}.")
    row, reason = answerable_row(explainer.fit_)
    if row is None:
        line(f"No sample can be explained. {reason}")
    else:
        next_command("why", [("sample", explainer.data_.ids[row])], out, getattr(explainer.model, "source", None))


def _used_columns(data: Dataset, used: str) -> str:
    """Say which columns were used, and which were left aside and why."""
    names = data.feature_names or []
    count = (
        f"{data.X.shape[1]} columns" if data.image_shape is None else f"{' x '.join(map(str, data.image_shape))} pixels"
    )
    shown = f": {' ... '.join(dict.fromkeys([names[0], names[-1]]))}" if names else ""
    aside = [f"{name} ({reason})" for name, reason in data.left_aside.items()]
    more = f"; ... ({len(aside)} in all)" if len(aside) > LISTED_ASIDE else ""
    left = f" Left aside: {'; '.join(aside[:LISTED_ASIDE])}{more}." if aside else ""
    return f"{used} {count}{shown}.{left}"


def answer(explanation: Explanation, top: int) -> None:
    """Print the answer about every query: words first, then both sides."""
    for position in range(len(explanation)):
        line("")
        line(explanation.headline(position))
        if explanation.stability is not None:
            line(f"Stability: {explanation.stability.badges[position]}.")
        if explanation.seed_variability is not None:
            line(explanation.seed_words(position))
        if explanation.influence[position].any():
            line(explanation.parts_words(position))
            _both_sides(explanation, position, top)
    line(f"The margin is {explanation.score_words}.")
    line(
        f"The margin agrees with the clustering for {explanation.agreement:.1%} of the training examples. Method: "
        f"{explanation.method_words}."
    )
    line(f"This answer is {explanation.checked if not explanation.combined else _checked(explanation)}.")


def _both_sides(explanation: Explanation, position: int, top: int) -> None:
    """Print the strongest examples of each side, and what the first list would change together."""
    for side, title in zip(SIDES, _titles(explanation, position), strict=True):
        listed = explanation.top(top, query=position, side=side)
        itself = (listed["id"] == explanation.query_ids[position]) & (explanation.positions[position] >= 0)
        frame = pd.DataFrame(
            {
                "id": [f"{id_} (itself)" if same else str(id_) for id_, same in zip(listed["id"], itself, strict=True)],
                "cluster": listed["cluster"],
                "if removed, change of margin": [
                    format_change(change, percent)
                    for change, percent in zip(listed["if_removed"], listed["if_removed_percent"], strict=True)
                ],
                **({} if explanation.seed_variability is None else {"seed-stable": _yes(listed["seed_stable"])}),
                **{name: _known(listed[name]) for name in explanation.shown_names},
            }
        )
        table(frame, title)
    pullers = explanation.top(top, query=position, side="pulled in")
    among = ", itself among them," if (pullers["id"] == explanation.query_ids[position]).any() else ""
    percent = pullers["if_removed_percent"].sum(min_count=1)
    line(
        f"Without the {len(pullers)} of the first list together{among} the margin would change by "
        f"{pullers['if_removed'].sum():+.3f}{'' if pd.isna(percent) else f' ({percent:+.0f} %)'}, predicted."
    )


def _checked(explanation: Explanation) -> str:
    return "not checked; --verify does it" if explanation.check is None else explanation.checked


def _titles(explanation: Explanation, position: int) -> tuple[str, str]:
    first, second = (side.upper() for side in explanation.sides(position))
    if explanation.combined:
        return f"Training examples: each {first}", f"... {second}"
    return f"Training examples that {first.replace(' ', ' IT ')}", f"... that {second.replace(' ', ' IT ')}"


def label_conflicts(explanation: Explanation, conflicts: pd.DataFrame) -> None:
    """Name the near-duplicates of the samples that have another label, if there are any."""
    for sample in explanation.query_ids:
        own = label_conflicts_of(conflicts, sample)
        if len(own):
            beside = [_known(own[name]) for name in own.columns if name not in COLUMNS]
            words = zip(own["id"], map(explanation.name_of, own["cluster"]), *beside, strict=True)
            named = ", ".join(f"{id_} ({'; '.join(filter(None, known))})" for id_, *known in words)
            line(f"Near-duplicates of {sample} with another label: {named}.")


def groups(frame: pd.DataFrame, what: str) -> None:
    """Print sums over groups, strongest first, and where most of the pull comes from."""
    for query in frame["query"].unique():
        rows = frame[frame["query"] == query].sort_values("pull_share", ascending=False)
        shown = pd.DataFrame(
            {
                what: rows["group"],
                "examples": rows["n"],
                "if removed, change of margin": [f"{value:+.4f}" for value in rows["if_removed"]],
                "95 % interval": [
                    "too few to say" if pd.isna(low) else f"[{low:+.4f}, {high:+.4f}]"
                    for low, high in zip(rows["if_removed_low"], rows["if_removed_high"], strict=True)
                ],
                "share of the pull": [f"{value:.0%}" for value in rows["pull_share"]],
                "share of the push": [f"{value:.0%}" for value in rows["push_share"]],
            }
        )
        table(shown, f"Sample {query}, by {what}")
        line(f"{main_source(frame, query, what)}.")


def newest_run(folder: Path) -> None:
    """Say which run is read if the user named none."""
    aside(f"Run: {folder} (the newest; --run names another)")


def next_steps(
    explanation: Explanation, samples: list[str], against: str, folder: Path, task: str | None, *, given: bool
) -> None:
    """Name the command that checks or reports an explanation."""
    options = [("sample", sample) for sample in samples]
    options += [] if against == "runner-up" else [("against", against)]
    verb = "verify" if explanation.check is None else "report"
    next_command(verb, options, folder if given else None, task, flags=explanation.flags)


def next_command(
    verb: str, options: list[tuple[str, Any]], run: Path | None, task: str | None, *, flags: str = ""
) -> None:
    """Print a command to copy.

    Parameters
    ----------
    verb : str
        The verb.
    options : list of (str, object)
        Names and values of its options.
    run : Path or None
        The run directory, if it must be named.
    task : str or None
        The user's own network.
    flags : str, default=""
        Further options, quoted, with a blank in front.
    """
    given = "".join(f" --{name} {quoted(value)}" for name, value in options)
    where = "".join(f" --{name} {quoted(value)}" for name, value in (("run", run), ("task", task)) if value is not None)
    line(f"Next: clusterexplain {verb}{given}{flags}{where}")


def _known(values: pd.Series) -> list[str]:
    """Return cells of metadata as text on one line, cut where they are long; nothing where they are missing."""
    return ["" if missing else snippet(str(one)) for one, missing in zip(values, values.isna(), strict=True)]


def _yes(values: pd.Series) -> list[str]:
    return ["yes" if value else "no" for value in values]


def check(result: Check) -> None:
    """Print predicted against retrained margins and the verdict."""
    line("")
    table(
        _margins(result),
        "Margin after removal, predicted and retrained: labels kept, or clustering continued",
    )
    table(_agreement(result), "Agreement of predicted and retrained changes, mean over samples")
    for rows, title in (
        (_from_scratch(result), "Clustered from scratch after retraining: are the clusters found again?"),
        (
            _planted_duplicates(result),
            "Near-duplicates planted in the runner-up cluster: are they among the strongest that push away?",
        ),
        (_duplicates(result), "Examples and their exact duplicates: does removing either do the same?"),
    ):
        if len(rows):
            table(rows, title)
    line(f"Verdict: {result.verdict}.")


def _from_scratch(result: Check) -> pd.DataFrame:
    rows = result.from_scratch
    if not len(rows):
        return rows
    return pd.DataFrame(
        {
            "of": rows["estimand"],
            "removed": [f"{kind} x{n}" for kind, n in zip(rows["kind"], rows["n"], strict=True)],
            "found again": [f"{same:.0%}" for same in rows["same"]],
            "nothing removed": [f"{same:.0%}" for same in rows["unmoved"]],
            "rank correlation": rows["spearman"],
            "continued": rows["continued"],
        }
    )


def _planted_duplicates(result: Check) -> pd.DataFrame:
    rows = result.planted_duplicates
    return pd.DataFrame(
        {
            "sample": rows["query"].astype(str),
            "planted": rows["planted"],
            "found": [f"{share:.0%}" for share in rows["found"]],
            "found in the first 5 %": [f"{share:.0%}" for share in rows["found_wide"]],
            "by chance": [f"{share:.0%}" for share in rows["chance_wide"]],
        }
    )


def _duplicates(result: Check) -> pd.DataFrame:
    rows = result.duplicates
    return pd.DataFrame(
        {
            "sample": rows["query"].astype(str),
            "duplicates": rows["n"],
            "rank correlation": rows["spearman"],
            "difference / change": rows["difference"],
        }
    )


def _agreement(result: Check) -> pd.DataFrame:
    rows = result.summary[result.summary["spearman"].notna()]
    return pd.DataFrame(
        {
            "of": rows["estimand"],
            "removed": [f"{kind} x{n}" for kind, n in zip(rows["kind"], rows["n"], strict=True)],
            "clusters": rows["assignments"],
            "rank correlation": [
                str(Interval(*figures)) for figures in rows[["spearman", "low", "high"]].itertuples(index=False)
            ],
            "retrained / predicted": rows["slope"],
            "same-cluster baseline": rows["same_cluster"],
            "without the direct part": rows["without_direct"],
        }
    )


def _margins(result: Check) -> pd.DataFrame:
    margin = result.explanation.scores
    picked = result.table[result.table["kind"].isin([TOP_PULLERS.label, RANDOM.label])]
    return pd.DataFrame(
        {
            "sample": picked["query"].astype(str),
            "removed": [f"{kind} {n}" for kind, n in zip(picked["kind"], picked["n_removed"], strict=True)],
            "margin now": margin[picked["position"]],
            **{
                title: margin[picked["position"]] + picked[column]
                for title, column in (
                    ("predicted, labels kept", "predicted_kept"),
                    ("retrained, labels kept", "kept"),
                    ("predicted, continued", "predicted_continued"),
                    ("retrained, continued", "continued"),
                )
            },
        }
    )


def _cell(value: object) -> str:
    if isinstance(value, float):
        return "" if pd.isna(value) else f"{value:.3f}"
    return terminal_safe(str(value))
