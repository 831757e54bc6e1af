"""Settings are checked by their table: the first that does not fit is named, with what is expected."""

from __future__ import annotations

import numpy as np
import pytest

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.word_embeddings.settings import TRAINING, check_settings, choice, real, whole

GOOD = {
    "dim": np.int64(4),
    "n_steps": 1,
    "learning_rate": np.float32(0.1),
    "eps": 1,
    "init_scale": 0.1,
    "negatives": 5,
    "weight_decay": 0,
    "held_out": 0.0,
    "largest_share": 1,
    "dtype": "float64",
}


def test_settings_in_range_pass() -> None:
    assert set(GOOD) == set(TRAINING)
    check_settings(GOOD)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("dim", True, r"dim=True is out of range\. Expected a whole number of at least 1\."),
        ("n_steps", 2.0, r"n_steps=2\.0 is out of range\. Expected a whole number of at least 1\."),
        ("eps", float("nan"), r"eps=nan is out of range\. Expected a positive number\."),
        ("negatives", float("inf"), r"negatives=inf is out of range\. Expected a positive number\."),
        ("learning_rate", "0.1", r"learning_rate='0\.1' is out of range\. Expected a positive number\."),
        ("weight_decay", -1, r"weight_decay=-1 is out of range\. Expected a number of at least 0\."),
        ("held_out", 1.0, r"held_out=1\.0 is out of range\. Expected a share from 0 to below 1\."),
        ("largest_share", 0, r"largest_share=0 is out of range\. Expected a share above 0 and at most 1\."),
        ("dtype", "int", r"dtype='int' is unknown\. Expected one of 'float32', 'float64'\."),
        ("dtype", None, r"dtype=None is unknown\."),
    ],
)
def test_a_setting_out_of_range_is_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(InvalidParameterError, match=message):
        check_settings({**GOOD, name: value})


def test_constraints_tell_what_they_expect() -> None:
    constraints = {"n": whole(2), "share": real(lambda share: share > 0, "above 0"), "side": choice(("left", "right"))}
    assert [constraint.expected for constraint in constraints.values()] == [
        "a whole number of at least 2", "above 0", "one of 'left', 'right'",
    ]  # fmt: skip
