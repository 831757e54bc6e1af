"""Tables as text: separators, decimal marks, encodings, compression; read right and said, or refused by name."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import numpy as np
import pytest

from clusterexplain.data.readers.registry import read
from clusterexplain.exceptions import InputWarning, InvalidDataError

ROWS = np.array([[i + 0.5, i % 3 + 0.25, -i - 0.75] for i in range(12)])


def _lines(separator: str, decimal: str = ".", header: str = "abc") -> str:
    rows = [separator.join(str(one).replace(".", decimal) for one in row) for row in ROWS.tolist()]
    return "\n".join([separator.join(header), *rows]) + "\n"


def _quoted() -> str:
    """Return a table with commas between fields and decimal commas inside of quotes."""
    rows = [",".join(f'"{one}"'.replace(".", ",") for one in row) for row in ROWS.tolist()]
    return "\n".join(['"a","b","c"', *rows]) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_lines(";", ","), "fields separated by semicolons, decimal commas"),
        (_lines(";"), "fields separated by semicolons"),
        (_lines("\t"), "fields separated by tabs"),
        (_lines("\t", ","), "fields separated by tabs, decimal commas"),
        (_lines("|"), "fields separated by bars"),
        (_lines(" "), "fields separated by blanks"),
        ("sep=;\n" + _lines(";", ","), r"semicolons, decimal commas, 1 line\(s\) before the header"),
        ("# made by a machine\n# in 2024\n" + _lines(","), r"2 line\(s\) before the header"),
        (_quoted(), "decimal commas"),
    ],
)
def test_other_dialects_are_found_out_and_said(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.warns(InputWarning, match=f"table.csv was read with .*{words}.*, as found out from the file"):
        data = read(tmp_path / "table.csv")
    np.testing.assert_array_equal(data.X, ROWS)
    assert data.feature_names == ["a", "b", "c"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings(encoding: str, tmp_path: Path) -> None:
    lines = ["größe,b,ort", *(f"{i / 4},{i * 2},Zürich" for i in range(12))]
    (tmp_path / "table.csv").write_bytes("\n".join(lines).encode(encoding))
    if encoding in ("utf-8", "utf-8-sig"):
        data = read(tmp_path / "table.csv", metadata=["ort"])
    else:
        with pytest.warns(InputWarning, match=f"the encoding {encoding}, as found out"):
            data = read(tmp_path / "table.csv", metadata=["ort"])
    assert data.feature_names == ["größe", "b"]
    assert data.metadata is not None
    assert set(data.metadata["ort"]) == {"Zürich"}


def test_a_byte_that_is_no_utf8_is_found_at_the_end_of_a_long_file(tmp_path: Path) -> None:
    lines = ["a,b,ort", *(f"{i / 4},{i * 2},x" for i in range(40_000)), "1,2,Zürich"]
    (tmp_path / "long.csv").write_bytes("\n".join(lines).encode("cp1252"))
    with pytest.warns(InputWarning, match="cp1252"):
        data = read(tmp_path / "long.csv", metadata="ort")
    assert data.metadata is not None
    assert data.metadata["ort"].iloc[-1] == "Zürich"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3,\n4,5,6,\n", r"more fields than its header line has names.*remove the commas at the ends"),
        ("a;b\n1.234,5;2\n2.345,5;3\n", r"marks between thousands, for example '1\.234,5'.*without these marks"),
        ('a,b\n"1,234.5",2\n"2,345.5",3\n', r"marks between thousands, for example '1,234\.5'"),
        ('a,b\n"1,234",2\n"2,345",3\n', r"commas inside, for example '1,234', which may be 1000 times as large"),
        ("a;b\n1,5;0.5\n2,5;0.25\n", r"decimal points \('0\.5'\) and numbers with commas \('1,5'\).*one decimal mark"),
        ("x\n1,5\n2,5\n", r"one column name, but a comma in each of its rows \('1,5'\).*save the numbers with points"),
        ("a,b\n1,2\n1,2,3,4\n", r"cannot be read as a table.*Expected one header line"),
        ("", r"cannot be read as a table"),
        ("a,b\n1.5,\n2.5,4\n", r"table\.csv contains NaN in 1 row\(s\): 0 .*, in 1 column\(s\): b\. Expected finite"),
        ("a,b\n", r"table\.csv has no rows"),
        (
            "a,b,a\n1,2,3\n4,5,6\n",
            r"1 column name\(s\) that occur more than once: 'a'\..*rename them in the header line",
        ),
        ("1;2\n3;4\n5;6\n", r"first line of .* holds numbers.*a row would be lost"),
    ],
)
@pytest.mark.filterwarnings("ignore::clusterexplain.exceptions.InputWarning")
def test_what_cannot_be_read_without_guessing_is_refused(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)
    with pytest.raises(InvalidDataError, match=message):
        read(tmp_path / "table.csv")


def test_texts_that_look_like_numbers_do_not_decide_about_numbers(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('a,title,b\n1.5,"1,000",2\n2.5,"Catch 22",3\n0.5,"1,5",7\n')
    data = read(tmp_path / "t.csv", text="title")
    assert data.X.tolist() == [[1.5, 2], [2.5, 3], [0.5, 7]]
    assert data.metadata is not None
    assert data.metadata["title"].tolist() == ["1,000", "Catch 22", "1,5"]


def test_zero_bytes_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(_lines(",").encode("utf-16-le"))
    with pytest.raises(InvalidDataError, match=r"holds zero bytes.*UTF-16 without a mark.*save it again as UTF-8"):
        read(tmp_path / "table.csv")


@pytest.mark.parametrize("name", ["TABLE.CSV", "Table.Csv", "t.tsv", "T.TSV", "t.tab", "t.txt"])
def test_names_in_capitals_and_other_endings(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(
        _lines("\t" if "t" in name.lower()[-4:-1] and name.lower()[-3:] in ("tsv", "tab") else ",")
    )
    np.testing.assert_array_equal(read(tmp_path / name).X, ROWS)


@pytest.mark.parametrize("ending", ["gz", "GZ", "bz2", "xz", "zip"])
def test_compressed_tables(ending: str, tmp_path: Path) -> None:
    path, blob = tmp_path / f"table.csv.{ending}", _lines(",").encode()
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("table.csv", blob)
    else:
        path.write_bytes({"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}[ending.lower()](blob))
    np.testing.assert_array_equal(read(path).X, ROWS)


def test_a_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "two.csv.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("b.csv", "a,b\n1,2\n")
    with pytest.raises(InvalidDataError, match=r"holds 2 files\. Expected one table; unpack it first"):
        read(tmp_path / "two.csv.zip")


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("t.xlsx", r"unknown kind.*save it as \.csv"),
        ("t.pkl", "pickles are never opened, as they can run code"),
        ("t.pt", "pickles are never opened"),
        ("t.json", r"read_json"),
        ("t", "unknown kind"),
        ("t.png", "one picture. Expected the folder"),
    ],
)
def test_files_of_other_kinds_are_refused_with_a_cure(name: str, advice: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(InvalidDataError, match=advice):
        read(tmp_path / name)


def test_options_of_another_kind_of_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(_lines(","))
    with pytest.raises(
        InvalidDataError, match=r"does not take use_rep, size \(--use-rep is for \.npy, .*--size is for a f"
    ):
        read(tmp_path / "t.csv", use_rep="X", size="8x8", skip_bad=False, metadata=[])
