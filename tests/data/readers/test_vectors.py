"""Arrays with a table beside them, and tables with a column of vectors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.sparse

from clusterexplain import Dataset
from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import InputWarning, InvalidDataError

VECTORS = np.random.default_rng(0).normal(size=(30, 4)).astype(np.float32)
TABLE = pd.DataFrame(
    {"id": [f"d{i}" for i in range(30)], "title": [f"text {i}" for i in range(30)], "year": range(1990, 2020)}
)


@pytest.mark.parametrize("name", ["t.parquet", "T.PARQUET", "t.pq", "t.feather", "t.arrow"])
def test_a_column_of_vectors(name: str, tmp_path: Path) -> None:
    frame = TABLE.assign(embedding=list(VECTORS))
    frame.to_feather(tmp_path / name) if name[-1] in "rw" else frame.to_parquet(tmp_path / name)
    with pytest.warns(
        InputWarning, match=r"trained on the vectors of the column 'embedding', 4 numbers each; the other 3"
    ):
        data = read(tmp_path / name, ids="id", text="title")
    np.testing.assert_array_equal(data.X, VECTORS)
    assert data.ids.tolist() == TABLE["id"].tolist()
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["title", "year"]
    named = read(tmp_path / name, ids="id", embedding_column="embedding")
    np.testing.assert_array_equal(named.X, VECTORS)


def test_vectors_in_frames_of_every_library() -> None:
    frame = TABLE.assign(embedding=list(VECTORS))
    for given in (frame, pl.DataFrame(TABLE.to_dict("list")).with_columns(pl.Series("embedding", VECTORS))):
        data = Dataset.of(given, ids="id", embedding_column="embedding")
        np.testing.assert_array_equal(data.X, VECTORS)
        assert data.ids.tolist() == TABLE["id"].tolist()


ODD = [[1.0] * (2 + i % 2) for i in range(30)]


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        ({"other": list(VECTORS)}, {}, r"2 columns of vectors: embedding, other\. Expected one to train on; name it"),
        ({}, {"embedding_column": "year"}, r"'year' of .* does not hold a vector .*: row 0 .* is '1990'"),
        (
            {"embedding": ODD},
            {"embedding_column": "embedding"},
            r"row 1 .* has 3 numbers, row 0 has 2",
        ),
        (
            {"embedding": ODD},
            {"metadata": ["title", "id"]},
            r"lists or dicts of different lengths",
        ),
        ({}, {"embedding_column": "vector"}, r"has no column 'vector'\. Expected.*embedding"),
    ],
)
def test_columns_that_are_no_vectors(change: Any, options: Any, message: str, tmp_path: Path) -> None:
    TABLE.assign(**{"embedding": list(VECTORS), **change}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InvalidDataError, match=message):
        read(tmp_path / "t.parquet", **options)


def test_vectors_in_a_text_file_are_json(tmp_path: Path) -> None:
    TABLE.assign(vector=[str(one) for one in VECTORS.tolist()]).to_csv(tmp_path / "t.csv", index=False)
    np.testing.assert_array_equal(read(tmp_path / "t.csv", ids="id", embedding_column="vector").X, VECTORS)
    TABLE.assign(vector=[str(one) for one in VECTORS]).to_csv(tmp_path / "t.csv", index=False)  # as numpy prints them
    with pytest.raises(InvalidDataError, match=r"'vector' of .* does not hold a vector in each row: row 0 .* is '\["):
        read(tmp_path / "t.csv", ids="id", embedding_column="vector")


def test_vectors_with_a_missing_entry_are_located(tmp_path: Path) -> None:
    rows = VECTORS.copy()
    rows[3, 1] = np.nan
    TABLE.assign(embedding=list(rows)).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(InvalidDataError, match=r"contains NaN in 1 row\(s\): 3 "):
        read(tmp_path / "t.parquet", embedding_column="embedding")


@pytest.mark.parametrize("beside", ["t.csv", "t.parquet", "T.TSV"])
def test_an_array_with_a_table_beside_it(beside: str, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", VECTORS)
    path = tmp_path / beside
    TABLE.to_parquet(path) if "parquet" in beside else TABLE.to_csv(
        path, index=False, sep="\t" if "T" in beside else ","
    )
    data = read(tmp_path / "rows.npy", table=path, ids="id", text="title")
    np.testing.assert_array_equal(data.X, VECTORS)
    assert data.ids.tolist() == TABLE["id"].tolist()
    assert data.metadata is not None
    assert data.metadata.columns.tolist() == ["title"]
    every = read(tmp_path / "rows.npy", table=path, labels="year")
    assert every.metadata is not None
    assert every.metadata.columns.tolist() == ["year", "id", "title"]
    TABLE.head(29).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(InvalidDataError, match=r"short\.parquet has 29 rows, but there are 30 rows to train on"):
        read(tmp_path / "rows.npy", table=tmp_path / "short.parquet")
    with pytest.raises(
        InvalidDataError, match=r"an array without column names, so it has no id\. .*beside it \(--table\)"
    ):
        read(tmp_path / "rows.npy", ids="id")


def test_archives_of_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", X=VECTORS, ids=TABLE["id"].to_numpy(str), year=TABLE["year"], size=np.arange(3))
    data = read(tmp_path / "rows.npz")
    np.testing.assert_array_equal(data.X, VECTORS)
    assert data.ids.tolist() == TABLE["id"].tolist()
    assert data.metadata is not None
    assert data.metadata["year"].tolist() == TABLE["year"].tolist()
    np.savez(tmp_path / "two.npz", a=VECTORS, b=VECTORS * 2)
    with pytest.raises(
        InvalidDataError, match=r"holds 2 matrices: a, b\. Expected one to train on; name it with --use-rep"
    ):
        read(tmp_path / "two.npz")
    np.testing.assert_array_equal(read(tmp_path / "two.npz", use_rep="b").X, VECTORS * 2)
    scipy.sparse.save_npz(tmp_path / "sparse.npz", scipy.sparse.csr_matrix(VECTORS))
    np.testing.assert_array_equal(read(tmp_path / "sparse.npz").X, VECTORS)


def test_pickles_inside_of_arrays_are_never_opened(tmp_path: Path) -> None:
    np.save(tmp_path / "bomb.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.savez(tmp_path / "bomb.npz", X=np.array([[{}]], dtype=object))
    for name in ("bomb.npy", "bomb.npz"):
        with pytest.raises(InvalidDataError, match=r"cannot be read as a table \(Object arrays cannot be loaded"):
            read(tmp_path / name)
    np.save(tmp_path / "fields.npy", np.array([(1, 2.0)], dtype=[("a", int), ("b", float)]))
    with pytest.raises(InvalidDataError, match=r"structured array with the fields a, b\. "):
        read(tmp_path / "fields.npy")
    (tmp_path / "cut.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(InvalidDataError, match=r"cut\.npz cannot be read"):
        read(tmp_path / "cut.npz")
