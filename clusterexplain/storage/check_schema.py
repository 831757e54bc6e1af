"""What a stored check may say: its words, and the rules for JSON that somebody else may have written."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, get_args

from clusterexplain.storage.schema import (
    LARGEST_COUNT,
    Rule,
    expect,
    flag,
    list_of,
    number_or_null,
    one_of,
    or_null,
    record,
    text,
    values_of,
    whole,
)

Status = Literal["supported", "not supported", "untested"]
"""What a check says: grade A or B, grade C or D, or grade U."""
Letter = Literal["A", "B", "C", "D", "U"]
"""A grade: from best to worst, and U where nothing can be said."""
LETTERS: tuple[Letter, ...] = get_args(Letter)
RETRAINED = ("position", "kind", "n_removed", "predicted_kept", "kept", "predicted_continued", "continued")
"""Columns of the table of retrainings that a check keeps."""
ROUND_OFF = 1e-9
"""How far a correlation may be beyond -1 and 1."""


class Estimand(StrEnum):
    """What retraining is asked about, see :mod:`clusterexplain.fitting.variants`."""

    SEED = "seed"
    """The same recipe with the same randomness, from the start."""
    MODEL = "model"
    """Further training of the fitted model."""
    RECIPE = "recipe"
    """The mean over other seeds."""


def check_content(content: object) -> None:
    """Refuse what no check can say.

    Parameters
    ----------
    content : object
        What was read from a file.

    Raises
    ------
    ValueError
        In words.
    """
    _CHECK(content)
    assert isinstance(content, dict), "the rule says that it is one"
    n_answers, table = len(content["answers"]), content["retrained"]
    expect(len(content["each"]) == n_answers > 0, "it does not have one verdict for each answer")
    if table is not None:
        lists = all(isinstance(column, list) for column in table.values())
        expect(lists and len({len(column) for column in table.values()}) == 1, _NOT_WHOLE)
        expect(max(table["position"], default=0) < n_answers, _NO_POSITION)


_ROW = "an answer is not three whole numbers: row, cluster and runner-up"
_NOT_WHOLE = "its table of retrainings is not whole: expected lists of one length"
_NO_POSITION = "a position is not that of an answer"
_VERDICT: Rule = record(
    {
        "status": one_of(get_args(Status), "a status is none of"),
        "grade": one_of(LETTERS, "a grade is none of"),
        "estimand": one_of(tuple(estimand.value for estimand in Estimand), "an estimand is none of"),
        "sentence": text("a sentence is not text"),
        "reason": text("a reason is not text"),
        "figures": values_of(
            number_or_null(
                "a figure is not a correlation: null or a number from -1 to 1", -1 - ROUND_OFF, 1 + ROUND_OFF
            ),
            "figures is not an object",
        ),
        "null": number_or_null("null, the change without a removal, is below 0 or not a number", 0),
    },
    "a verdict is not an object",
    optional={"labels_given": flag("labels_given is not true or false")},
)
_COLUMN_RULES: dict[str, Rule] = {
    "position": whole(0, LARGEST_COUNT, _NO_POSITION),
    "kind": text("a kind of removal is not text"),
    "n_removed": whole(0, LARGEST_COUNT, "n_removed is not a count"),
    **{name: number_or_null(f"{name} holds something else than numbers and null") for name in RETRAINED[3:]},
}
_CHECK: Rule = record(
    {
        **{name: text(f"{name} is not text") for name in ("fit_key", "weights", "method")},
        "answers": list_of(list_of(whole(-1, LARGEST_COUNT, _ROW), _ROW, length=3), "answers is not a list"),
        "together": _VERDICT,
        "each": list_of(_VERDICT, "each is not a list of verdicts"),
        "n_together": whole(1, LARGEST_COUNT, "n_together is not a number of samples"),
        "retrained": or_null(
            record(
                {name: list_of(rule, _NOT_WHOLE) for name, rule in _COLUMN_RULES.items()},
                "its table of retrainings is not an object",
            )
        ),
    },
    "it is not an object",
)
