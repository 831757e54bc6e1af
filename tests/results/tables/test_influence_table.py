"""The table of influences: sides, sums over groups, plain data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clusterexplain.results.tables.influence_table import InfluenceTable


@pytest.fixture
def table() -> InfluenceTable:
    units = pd.DataFrame({"party": ["A", None, "A", "B"], "year": [1900, 1901, 1902, 1903]}, index=list("wxyz"))
    return InfluenceTable(
        np.array([2.0, 0.0, -1.0, 2.0]), units, {"word": np.array(["king", "", "", "ship"], dtype=object)}
    )


def test_each_side_holds_its_sign_alone_and_ties_keep_their_order(table: InfluenceTable) -> None:
    assert table.strongest(10).tolist() == [0, 3]
    assert table.strongest(1).tolist() == [0]
    assert table.strongest(10, sign=-1).tolist() == [2]
    assert table.top(2).index.tolist() == ["w", "z"]


def test_columns_stand_between_influence_and_what_is_known(table: InfluenceTable) -> None:
    frame = table.to_frame()
    assert list(frame) == ["influence", "if_removed", "word", "party", "year"]
    np.testing.assert_array_equal(frame["if_removed"], -table.influence)
    assert len(table) == 4


def test_removals_and_groups_are_sums(table: InfluenceTable) -> None:
    assert table.if_removed(np.array([0, 2])) == -1.0
    sums = table.by(table.units["party"].to_numpy(dtype=object)).set_index("group")["influence"]
    assert sums.to_dict() == {"A": 1.0, "B": 2.0, "missing": 0.0}


def test_plain_data_has_none_for_what_is_missing(table: InfluenceTable) -> None:
    assert table.to_dict()[1] == {
        "unit": "x", "influence": 0.0, "if_removed": -0.0, "word": "", "party": None, "year": 1901,
    }  # fmt: skip
