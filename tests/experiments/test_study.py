"""Tables of experiments: kept, read back, written."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.experiments import ResultCache, Study


def counted() -> tuple[list[int], object]:
    calls: list[int] = []

    def compute() -> pd.DataFrame:
        calls.append(1)
        return pd.DataFrame({"seed": [0, 1], "rho": [0.25, 1 / 3]})

    return calls, compute


def test_a_part_is_computed_once_for_its_settings_and_version(tmp_path: Path) -> None:
    calls, compute = counted()
    first = ResultCache(tmp_path, version="1").frame("part", {"seed": 0}, compute)
    again = ResultCache(tmp_path, version="1").frame("part", {"seed": 0}, compute)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert len(calls) == 1
    ResultCache(tmp_path, version="1").frame("part", {"seed": 1}, compute)
    ResultCache(tmp_path, version="2").frame("part", {"seed": 0}, compute)
    assert len(calls) == 3


def test_a_torn_file_is_computed_again(tmp_path: Path) -> None:
    calls, compute = counted()
    ResultCache(tmp_path, version="1").frame("part", {}, compute)
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(file.read_bytes()[:40])
    ResultCache(tmp_path, version="1").frame("part", {}, compute)
    assert len(calls) == 2


def test_an_interruption_leaves_nothing_half_written(tmp_path: Path) -> None:
    def interrupted() -> pd.DataFrame:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ResultCache(tmp_path, version="1").frame("part", {}, interrupted)
    assert not list(tmp_path.rglob("*.*"))


def study() -> Study:
    table = pd.DataFrame({"depth": [1, 2], "rho": [0.5912, 0.04]})

    def draw() -> object:
        import altair as alt

        return alt.Chart(table).mark_bar().encode(x="depth:O", y="rho:Q")

    return Study("What holds", {"by_depth": table}, ("It holds.",), {"by_depth": draw}, ("One seed.",))


def test_a_study_is_written_as_tables_text_and_pictures(tmp_path: Path) -> None:
    written = study().write(tmp_path / "new")
    assert sorted(path.name for path in written) == [
        "README.txt", "by_depth.csv", "by_depth.parquet", "by_depth.png", "by_depth.svg",
    ]  # fmt: skip
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "new/by_depth.parquet"), study().tables["by_depth"])
    text = (tmp_path / "new/README.txt").read_text()
    assert "0.591" in text
    assert "* It holds." in text
    assert "* One seed." in text


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(InvalidParameterError, match=r"is a file\. Expected a folder"):
        study().write(tmp_path / "taken")
