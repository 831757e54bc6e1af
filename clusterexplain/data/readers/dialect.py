"""How a text file writes its table: encoding, separator, decimal mark; found out from the file, said, or refused by name."""

from __future__ import annotations

import bz2
import codecs
import csv
import gzip
import io
import itertools
import lzma
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from clusterexplain.data.containers.columns import DECIMAL_COMMA, is_number
from clusterexplain.exceptions import InputWarning, InvalidDataError, warn

COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz", ".zip": "zip"}
"""Endings of compressed files, and how pandas calls them."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
BLANKS = r"\s+"
LOOKED_AT = 1 << 18
"""Bytes at the beginning of a file from which separator and decimal mark are found out."""
_CHUNK = 1 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GROUP = re.compile(r"\s*[+-]?[1-9]\d{0,2},\d{3}\s*")
_DECIMAL_POINT = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")
_BOTH_MARKS = re.compile(
    r"\s*[+-]?(\d{1,3}(\.\d{3})+,\d+|\d{1,3}(,\d{3})+\.\d+|\d{1,3}(\.\d{3}){2,}|\d{1,3}(,\d{3}){2,})\s*"
)


@dataclass(frozen=True)
class Dialect:
    r"""How a text file writes its table.

    Attributes
    ----------
    encoding : str
        As Python calls it.
    separator : str
        Between fields; ``\s+`` for blanks.
    decimal : str
        Point or comma.
    compression : str or None
        As pandas calls it.
    skipped : int
        Lines before the header line.
    """

    encoding: str = "utf-8"
    separator: str = ","
    decimal: str = "."
    compression: str | None = None
    skipped: int = 0

    def options(self) -> dict[str, Any]:
        """Return the arguments of ``pandas.read_csv``."""
        return {
            "encoding": self.encoding,
            "sep": self.separator,
            "decimal": self.decimal,
            "compression": self.compression,
            "skiprows": self.skipped,
        }

    @property
    def words(self) -> str:
        """What is not as in most files, as words; empty if nothing is."""
        said = []
        if self.separator != ",":
            said.append(f"fields separated by {SEPARATORS.get(self.separator, 'blanks')}")
        if self.decimal == ",":
            said.append("decimal commas")
        if self.encoding not in ("utf-8", "utf-8-sig"):
            said.append(f"the encoding {self.encoding}")
        if self.skipped:
            said.append(f"{self.skipped} line(s) before the header")
        return ", ".join(said)


def find_dialect(path: Path, *, usual: str = ",") -> Dialect:
    """Find out how a file writes its table.

    Parameters
    ----------
    path : Path
        An existing file.
    usual : str, default=","
        The separator that its name promises.

    Returns
    -------
    Dialect
        What differs from UTF-8, the usual separator and decimal points is warned about.

    Raises
    ------
    InvalidDataError
        If the file is no text, or if its numbers cannot be read without guessing.
    """
    compression = COMPRESSED.get(path.suffix.lower())
    encoding = _encoding(path, compression)
    lines, skipped = _first_lines(path, compression, encoding)
    said = skipped and lines and re.fullmatch(r"sep=(.)", lines[0].strip(), re.IGNORECASE)
    rows = lines[skipped:]
    separator = said[1] if said else _separator(rows, usual, path)
    _refuse_twice(_parsed(rows[:1], separator), path)
    fields = _number_fields(_parsed(rows[1:], separator))
    dialect = Dialect(encoding, separator, _decimal(fields, separator, path), compression, skipped)
    if dialect.words and (dialect.words != Dialect(separator=separator).words or separator != usual):
        warn(
            f"{path} was read with {dialect.words}, as found out from the file. If numbers or names look wrong, save it as "
            f"UTF-8 with commas between fields and decimal points.",
            InputWarning,
        )
    return dialect


@contextmanager
def opened(path: Path, compression: str | None) -> Iterator[IO[bytes]]:
    """Open a file, compressed or not, to read its bytes."""
    if compression == "zip":
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]
            if len(names) != 1:
                raise InvalidDataError(f"{path} holds {len(names)} files. Expected one table; unpack it first.")
            with archive.open(names[0]) as file:
                yield file
        return
    kinds: dict[str | None, Callable[[Path], Any]] = {
        "gzip": gzip.GzipFile,
        "bz2": bz2.BZ2File,
        "xz": lzma.LZMAFile,
        None: lambda plain: plain.open("rb"),
    }
    with kinds[compression](path) as file:
        yield file


def _encoding(path: Path, compression: str | None) -> str:
    """Return the encoding: what a mark at the beginning says, UTF-8 if all bytes are, else Windows-1252."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with opened(path, compression) as file:
        block = file.read(_CHUNK)
        for mark, name in _MARKS:
            if block.startswith(mark):
                return name
        if b"\0" in block[:LOOKED_AT]:
            raise InvalidDataError(
                f"{path} holds zero bytes, so it is no text file in UTF-8 (perhaps UTF-16 without a mark, or another kind of "
                f"file under this name). Expected text; save it again as UTF-8."
            )
        try:
            while block:
                decoder.decode(block)
                block = file.read(_CHUNK)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "cp1252"
    return "utf-8"


def _first_lines(path: Path, compression: str | None, encoding: str) -> tuple[list[str], int]:
    """Return the first lines, and how many of them stand before the header: `sep=;`, and remarks that begin with '#'."""
    with opened(path, compression) as file:
        blob = file.read(LOOKED_AT)
    whole = len(blob) < LOOKED_AT
    text = codecs.getincrementaldecoder(encoding)(errors="replace").decode(blob)
    lines = io.StringIO(text, newline=None).read().split("\n")
    lines = lines if whole else lines[:-1]
    skipped = 0
    if lines and re.fullmatch(r"sep=.", lines[0].strip(), re.IGNORECASE):
        skipped = 1
    while (
        skipped < len(lines) - 1 and lines[skipped].startswith("#") and _is_remark(lines[skipped], lines[skipped + 1 :])
    ):
        skipped += 1
    return lines, skipped


def _is_remark(line: str, rest: list[str]) -> bool:
    """Whether a line that begins with '#' has other fields than those below, so that it cannot be their header."""
    below = next((one for one in reversed(rest) if one.strip()), "")
    marks = [mark for mark in SEPARATORS if mark in below]
    return bool(marks) and all(len(line.split(mark)) != len(below.split(mark)) for mark in marks)


def _parsed(lines: list[str], separator: str) -> list[list[str]]:
    filled = [line for line in lines if line.strip()]
    if separator == BLANKS:
        return [line.split() for line in filled]
    try:
        return list(csv.reader(filled, delimiter=separator))
    except csv.Error:
        return [line.split(separator) for line in filled]


def _separator(lines: list[str], usual: str, path: Path) -> str:
    """Return the separator that parts the header and all rows alike, into the most fields."""
    found = {}
    for mark in dict.fromkeys([usual, *SEPARATORS]):
        counts = [len(row) for row in _parsed(lines, mark)]
        if counts and counts[0] > 1:
            fits = sum(count in (counts[0], counts[0] + 1) for count in counts[1:]) / max(1, len(counts) - 1)
            if fits >= 0.9 or mark == usual:
                found[mark] = (fits >= 0.9, counts[0])
    if found:
        return max(found, key=lambda mark: found[mark])
    rows = _parsed(lines, BLANKS)
    same = len(rows) > 1 and len(rows[0]) > 1 and all(len(row) == len(rows[0]) for row in rows)
    if same and all(is_number(one) for row in rows[1:] for one in row):
        return BLANKS
    _refuse_lone_header(lines, usual, path)
    return usual


def _refuse_lone_header(lines: list[str], usual: str, path: Path) -> None:
    """Refuse a header of one name above rows of two fields: decimal commas would be taken for a separator."""
    rows = _parsed(lines, usual)
    if len(rows) > 1 and len(rows[0]) == 1 and all(len(row) == 2 for row in rows[1:]) and usual == ",":
        raise InvalidDataError(
            f"{path} has one column name, but a comma in each of its rows ({','.join(rows[1])!r}). Expected a name for each "
            f"field, separated as the rows are; if the commas are decimal commas, save the numbers with points."
        )


def _refuse_twice(header: list[list[str]], path: Path) -> None:
    """Refuse names that occur twice, which pandas would change without a word."""
    names = [one.strip() for row in header for one in row if one.strip()]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1] if len(set(names)) < len(names) else []
    if twice:
        raise InvalidDataError(
            f"{path} has {len(twice)} column name(s) that occur more than once: {', '.join(map(repr, twice[:5]))}. Expected a "
            f"name of its own for each column, by which it is found again; rename them in the header line."
        )


def _number_fields(rows: list[list[str]]) -> list[str]:
    """Return the fields of those columns that hold nothing but what may be a number."""
    columns = [[one for one in column if one and one.strip()] for column in itertools.zip_longest(*rows)]
    forms = (DECIMAL_COMMA, _BOTH_MARKS)
    return [
        one
        for column in columns
        if all(is_number(one) or any(form.fullmatch(one) for form in forms) for one in column)
        for one in column
    ]


def _decimal(fields: list[str], separator: str, path: Path) -> str:
    both = next((one for one in fields if _BOTH_MARKS.fullmatch(one)), None)
    if both is not None:
        raise InvalidDataError(
            f"{path} holds numbers with marks between thousands, for example {both.strip()!r}. Expected plain numbers such as "
            f"1234.5; save it again without these marks, or read it with pandas.read_csv(..., thousands=...) and fit the frame."
        )
    commas = next((one for one in fields if DECIMAL_COMMA.fullmatch(one)), None)
    points = next((one for one in fields if _DECIMAL_POINT.fullmatch(one)), None)
    if commas is None:
        return "."
    if points is not None:
        raise InvalidDataError(
            f"{path} holds numbers with decimal points ({points.strip()!r}) and numbers with commas ({commas.strip()!r}). "
            f"Expected one decimal mark, and no marks between thousands; save it again with points."
        )
    if separator == "," and all(_GROUP.fullmatch(one) for one in fields if DECIMAL_COMMA.fullmatch(one)):
        raise InvalidDataError(
            f"{path} holds numbers with commas inside, for example {commas.strip()!r}, which may be 1000 times as large as "
            f"they look. Expected plain numbers; save it again without marks between thousands, and with decimal points."
        )
    return ","
