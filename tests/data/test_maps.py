"""Maps that users have: joined by id, as arrays, frames, Series, files and obsm; what is no map is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from clusterexplain import ClusterExplainer, Dataset, Explanation
from clusterexplain.data.maps import given_map
from clusterexplain.exceptions import InvalidDataError, RunDamagedError

ROWS = np.vstack([np.random.default_rng(0).normal(centre, 1, (20, 3)) for centre in (0, 4, -4)])
CELLS = [f"cell{number}" for number in range(60)]
MAP = np.random.default_rng(1).normal(size=(60, 2))
DATA = Dataset(ROWS, ids=np.array(CELLS))
ORDER = np.random.default_rng(2).permutation(60)
SHUFFLED = pd.DataFrame(MAP, index=CELLS, columns=["x", "y"]).iloc[ORDER]


@pytest.mark.parametrize(
    "given",
    [
        MAP,
        MAP.tolist(),
        SHUFFLED,
        pd.Series(list(SHUFFLED.to_numpy()), index=SHUFFLED.index),
        pd.concat([SHUFFLED, pd.DataFrame([[0.0, 0.0]], index=["other"], columns=["x", "y"])]),
    ],
    ids=["array", "list", "frame", "Series", "frame with more rows"],
)
def test_a_map_in_every_form_is_joined_by_id(given: Any) -> None:
    found = given_map(given, DATA, has_index=True)
    np.testing.assert_array_equal(found.coordinates, MAP)
    assert found.source == "coordinates"


def test_rows_without_ids_take_a_frame_in_its_order() -> None:
    data = Dataset(ROWS)
    np.testing.assert_array_equal(given_map(pl.DataFrame(MAP), data, has_index=False).coordinates, MAP)
    np.testing.assert_array_equal(given_map(pd.DataFrame(MAP), data, has_index=False).coordinates, MAP)


def test_files_with_and_without_ids(tmp_path: Path) -> None:
    SHUFFLED.rename_axis("barcode").reset_index().to_csv(tmp_path / "ids.csv", index=False)
    SHUFFLED.to_csv(tmp_path / "nameless.csv")
    SHUFFLED.to_parquet(tmp_path / "index.parquet")
    pd.DataFrame(MAP, columns=["x", "y"]).to_csv(tmp_path / "plain.csv", index=False)
    np.save(tmp_path / "plain.npy", MAP)
    for name in ("ids.csv", "nameless.csv", "index.parquet", "plain.csv", "plain.npy"):
        found = given_map(tmp_path / name, DATA, has_index=False)
        np.testing.assert_allclose(found.coordinates, MAP, err_msg=name)
        assert found.source == name
    pd.DataFrame(MAP, columns=["x", "y"]).assign(id="other", z=1).to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(InvalidDataError, match=r"wide\.csv has 4 columns\. Expected two.*or three: ids \(from 'cell0'"):
        given_map(tmp_path / "wide.csv", DATA, has_index=True)
    pd.DataFrame(MAP, columns=["x", "y"]).assign(id="other").to_csv(tmp_path / "other.csv", index=False)
    with pytest.raises(InvalidDataError, match=r"3 columns, and none holds ids of the data\. Expected two"):
        given_map(tmp_path / "other.csv", DATA, has_index=True)
    with pytest.raises(InvalidDataError, match=r"no file of coordinates\. Expected a name ending in"):
        given_map(tmp_path / "map.png", DATA, has_index=True)
    with pytest.raises(
        InvalidDataError, match=r"There is no file .*Expected a file of coordinates, or the name of an obsm"
    ):
        given_map(tmp_path / "missing.csv", DATA, has_index=True)


def test_the_ids_of_a_file_are_never_taken_from_a_coordinate(tmp_path: Path) -> None:
    data, file = Dataset(ROWS), tmp_path / "m.csv"
    table = pd.DataFrame({"x": np.random.default_rng(3).permutation(60), "y": MAP[ORDER, 1], "ID": ORDER})
    table.to_csv(file, index=False)
    expected = np.empty((60, 2))
    expected[ORDER] = table[["x", "y"]]
    np.testing.assert_allclose(given_map(file, data, has_index=False).coordinates, expected)
    table.rename(columns={"ID": "cell"}).to_csv(file, index=False)
    with pytest.raises(
        InvalidDataError, match=r"m\.csv has several columns.*: 'x', 'cell'\. Expected one; name .* 'id'"
    ):
        given_map(file, data, has_index=False)
    table.iloc[1:].to_csv(file, index=False)
    with pytest.raises(InvalidDataError, match=rf"1 of 60 rows of X have no partner, for example {ORDER[0]}"):
        given_map(file, data, has_index=False)
    table["x"] = np.arange(60) // 2  # some values are ids, but only "cell" has all of them
    table.rename(columns={"ID": "cell"}).to_csv(file, index=False)
    expected[ORDER] = table[["x", "y"]]
    np.testing.assert_allclose(given_map(file, data, has_index=False).coordinates, expected)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (MAP[:59], r"map has 59 rows, expected 60"),
        (np.column_stack([MAP, MAP]), r"map has 4 columns, expected 2.*UMAP, t-SNE"),
        (np.where(np.arange(120).reshape(60, 2) == 7, np.nan, MAP), r"map contains NaN in 1 row\(s\): 3"),
        (SHUFFLED.set_axis([f"b{number}" for number in range(60)]), r"index of map does not match that of X: 60 of 60"),
        (SHUFFLED.reset_index(drop=True), r"index of map does not match that of X"),
        ("X_umap", r"map='X_umap' names an obsm of an AnnData, but the data are none.*pathlib\.Path\('X_umap'\)"),
        (
            pd.Series([[1, 2], None, *MAP[2:].tolist()], index=CELLS),
            r"1 of 60 entries are no pairs.*None in row 1 \(count",
        ),
        (
            pd.Series(MAP[:, 0], index=CELLS),
            r"60 of 60 entries are no pairs, the first of them .* in row 0.*\[0\.5, 1\.0\]",
        ),
        (
            pd.Series([[1, 2, 3]] * 60, index=CELLS),
            r"60 of 60 entries are no pairs, the first of them \[1, 2, 3\] in row 0",
        ),
        (pd.Series([[[1], [2, 3]]] * 60, index=CELLS), r"map"),
        (pd.Series([["a", "b"]] * 60, index=CELLS), r"map has 2 column\(s\) that are not numbers"),
        (SHUFFLED.astype(str), r"map has 2 column\(s\) that are not numbers"),
    ],
)
def test_what_is_no_map_is_refused_before_anything_is_trained(given: Any, why: str) -> None:
    with pytest.raises(InvalidDataError, match=why):
        ClusterExplainer(n_steps=10**9).fit(DATA, map=given)


@pytest.fixture
def explained(tmp_path: Path) -> Explanation:
    ce = ClusterExplainer(model="precomputed", n_clusters=3, random_state=0).fit(DATA, map=SHUFFLED)
    np.testing.assert_array_equal(ce.map(), MAP)
    ce.save(tmp_path / "run")
    return ce.explain(["cell3"])


def test_the_map_is_drawn_kept_and_named(explained: Explanation, tmp_path: Path) -> None:
    loaded = ClusterExplainer.load(tmp_path / "run")
    np.testing.assert_array_equal(loaded.map(), MAP)
    weights = np.ones(60)
    weights[3] = 0
    np.testing.assert_array_equal(loaded.refit(weights).map(), MAP)
    for e in (explained, loaded.explain(["cell3"])):
        chart = e.plot.map().to_dict()
        assert "Map: coordinates as given; 60 training examples," in chart["title"]["subtitle"]
        points = next(rows for rows in chart["datasets"].values() if len(rows) == 60)
        drawn = {row["id"]: (row["x"], row["y"]) for row in points}
        assert [drawn[cell] for cell in CELLS] == [tuple(place) for place in MAP.tolist()]
        assert "Map: coordinates as given" in e._repr_mimebundle_()["text/html"]
    page = explained.report(tmp_path / "page.html").read_text()
    assert "Map: coordinates as given" in page
    other = explained.report(tmp_path / "other.html", map=-MAP).read_text()
    assert str(-MAP[0, 0])[:8] in other
    np.testing.assert_array_equal(explained.fit.annotations.map_coordinates, MAP)


def test_a_run_with_what_is_no_colour_is_refused(explained: Explanation, tmp_path: Path) -> None:
    (tmp_path / "run" / "display.json").write_text('{"map": "", "colours": {"0": "red;} body{display:none"}}')
    with pytest.raises(RunDamagedError, match=r"display\.json holds what is no colour\. Delete it"):
        ClusterExplainer.load(tmp_path / "run")
