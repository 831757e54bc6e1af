"""Sidecars: each comes back as it was written, and checks before the newest one are kept, up to a number."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clusterexplain.exceptions import RunDamagedError
from clusterexplain.storage import run_files, sidecars

VERDICT = {
    "status": "supported",
    "grade": "A",
    "estimand": "seed",
    "sentence": "",
    "reason": "",
    "figures": {"single_kept": 0.9},
    "null": None,
}


def check(fit_key: str, **changes: Any) -> dict[str, Any]:
    return {
        "fit_key": fit_key,
        "weights": "w",
        "method": "unrolled",
        "answers": [[0, 1, 2]],
        "together": VERDICT,
        "each": [VERDICT],
        "n_together": 1,
        "retrained": None,
        **changes,
    }


def test_each_sidecar_is_named_once_and_says_how_it_is_made_again() -> None:
    assert set(sidecars.SIDECARS) == {"map.npy", "check.json", "stability.npz", "names.json", "display.json"}
    for name, kind in sidecars.SIDECARS.items():
        assert kind.file == name
        assert kind.remedy


def test_contents_come_back(tmp_path: Path) -> None:
    sidecars.write_names(tmp_path, {0: "T cells", 3: "B"})
    sidecars.write_stability(tmp_path, {"labels": np.arange(3), "key": np.array("a")})
    assert sidecars.read_names(tmp_path) == {0: "T cells", 3: "B"}
    sidecars.write_display(tmp_path, "obsm X_umap", {0: "#1f77b4"})
    assert sidecars.read_display(tmp_path) == ("obsm X_umap", {0: "#1f77b4"})
    stored = sidecars.read_stability(tmp_path)
    assert stored is not None
    assert {name: array.tolist() for name, array in stored.items()} == {"labels": [0, 1, 2], "key": "a"}
    assert sidecars.read_checks(tmp_path) == []


def test_checks_before_the_newest_are_kept_newest_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sidecars, "MOST_CHECKS", 3)
    for number in range(6):
        sidecars.write_check(tmp_path, check(f"fit {number}", null=float("nan")))
    assert [stored["fit_key"] for stored in sidecars.read_checks(tmp_path)] == [
        f"fit {number}" for number in (5, 4, 3, 2)
    ]
    files = sorted(file.name for file in (tmp_path / run_files.CHECK_HISTORY).iterdir())
    assert files == ["000002.json", "000003.json", "000004.json"]
    (tmp_path / run_files.CHECK_HISTORY / files[1]).write_text("{")
    assert len(sidecars.read_checks(tmp_path)) == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"together": {"status": "supported"}},
            "entries are missing: grade, estimand, sentence, reason, figures, null",
        ),
        ({"answers": [[0, 1]]}, "an answer is not three whole numbers: row, cluster and runner-up"),
        ({"each": {}}, "each is not a list of verdicts"),
        ({"retrained": {}}, "entries are missing: position, kind"),
    ],
)
def test_a_check_says_what_is_wrong_with_it(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    sidecars.write_check(tmp_path, check("fit", **changes))
    with pytest.raises(
        RunDamagedError, match=rf"check\.json cannot be read \({message}.*\)\. Delete it and run verify again"
    ):
        sidecars.read_check(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "check.json")
    with pytest.raises(RunDamagedError, match="it is not a regular file"):
        sidecars.read_check(tmp_path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"map": 3, "colours": {}}', "the map is not text"),
        ('{"map": "a\\nb", "colours": {}}', "the map is no short text"),
        ('{"map": "", "colours": {"0": 1}}', "a colour is not text"),
        ('{"map": "", "colours": []}', "the colours are not an object"),
        ('{"map": ""}', "it does not hold a map and colours"),
    ],
)
def test_a_display_that_somebody_else_wrote_is_refused(tmp_path: Path, content: str, why: str) -> None:
    (tmp_path / run_files.DISPLAY).write_text(content)
    with pytest.raises(RunDamagedError, match=f"{why}.*Delete it and give map and colours to fit again"):
        sidecars.read_display(tmp_path)
