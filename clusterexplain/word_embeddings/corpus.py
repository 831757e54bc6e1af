"""A corpus: units of text with their metadata, a vocabulary, and counts for every unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.word_embeddings.counts import UnitCounts, count, kept_share
from clusterexplain.word_embeddings.settings import Constraint, check_settings, choice, real, whole
from clusterexplain.word_embeddings.texts import Source, paragraphs_of, read_texts, sentences_of, words_of

UNITS: dict[str, Callable[[str], list[str]]] = {
    "document": lambda text: [text],
    "paragraph": paragraphs_of,
    "sentence": sentences_of,
}
"""What a weight can belong to, and how a document is cut into it."""
READING: Mapping[str, Constraint] = {
    "unit": choice(UNITS),
    "n_words": whole(2),
    "min_count": whole(1),
    "window": whole(1),
    "subsample": real(lambda threshold: threshold > 0, "a positive number, infinite to keep every occurrence"),
}


@dataclass(frozen=True)
class Vocabulary:
    """The words that get a vector, most frequent first.

    Parameters
    ----------
    words : tuple of str
        In lower case.
    occurrences : tuple of int
        How often each occurs.
    """

    words: tuple[str, ...]
    occurrences: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of words."""
        return len(self.words)

    def __contains__(self, word: object) -> bool:
        """Whether a word gets a vector."""
        return word in self.index

    @cached_property
    def index(self) -> dict[str, int]:
        """Row number of every word."""
        return {word: row for row, word in enumerate(self.words)}

    @classmethod
    def of(cls, counted: Counter[str], *, n_words: int, min_count: int, keep: Iterable[str] = ()) -> Vocabulary:
        """Choose the most frequent words.

        Parameters
        ----------
        counted : Counter of str
            How often every word occurs.
        n_words : int
            Largest number of words, next to those of `keep`.
        min_count : int
            Rarer words get no vector.
        keep : iterable of str, default=()
            Words that get one although they are not among the most frequent ones.

        Returns
        -------
        Vocabulary
            Ties are broken by the alphabet.
        """
        order = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        wanted = {word for word, _ in order[:n_words]} | set(keep)
        chosen = [(word, n) for word, n in order if word in wanted and n >= min_count]
        return cls(tuple(word for word, _ in chosen), tuple(n for _, n in chosen))


@dataclass(frozen=True, eq=False)
class Corpus:
    """Units of text: what is known of them, and their counts.

    Parameters
    ----------
    units : DataFrame
        One row for each unit, indexed by its id ("1863-Lincoln-1" for a document, "1863-Lincoln-1 #12" for its twelfth
        paragraph or sentence); columns "text", "document", "n_words" (of the vocabulary) and the metadata.
    vocabulary : Vocabulary
        Chosen once; weights do not change it.
    counts : UnitCounts
        Of every unit.
    unit : str
        What a unit is.
    """

    units: pd.DataFrame
    vocabulary: Vocabulary
    counts: UnitCounts
    unit: str

    @classmethod
    def read(
        cls,
        source: Source,
        *,
        unit: str = "paragraph",
        n_words: int = 1500,
        min_count: int = 50,
        window: int = 5,
        subsample: float = 1e-3,
        keep: Iterable[str] = (),
        text_column: str = "text",
    ) -> Corpus:
        """Read texts, cut them into units and count.

        Parameters
        ----------
        source : str, Path, DataFrame, Series or list of str
            See :func:`clusterexplain.word_embeddings.texts.read_texts`.
        unit : {"document", "paragraph", "sentence"}, default="paragraph"
            What a weight belongs to. Paragraphs are parted by blank lines.
        n_words : int, default=1500
            Number of most frequent words that get a vector.
        min_count : int, default=50
            Words that occur less often get none. Words without a vector are left out before windows are laid.
        window : int, default=5
            Largest distance of two words that count as near.
        subsample : float, default=1e-3
            Threshold of subsampling; infinite is none.
        keep : iterable of str, default=()
            Words that get a vector although they are not among the most frequent ones.
        text_column : str, default="text"
            Column of a table that holds the texts.

        Returns
        -------
        Corpus
            Windows never cross a paragraph, whatever the unit; with sentences they do not cross a sentence.

        Raises
        ------
        InvalidParameterError
            If a setting is out of range or the source is none.
        InvalidDataError
            If fewer than two words are frequent enough, or no two of them are ever near each other.
        """
        chosen = {"unit": unit, "n_words": n_words, "min_count": min_count, "window": window, "subsample": subsample}
        check_settings(chosen, READING)
        documents = read_texts(source, text_column)
        parts, texts = _cut(documents, unit)
        passages = [(row, words_of(passage)) for row, text in enumerate(texts) for passage in paragraphs_of(text)]
        counted = Counter(word for _, words in passages for word in words)
        vocabulary = Vocabulary.of(counted, n_words=n_words, min_count=min_count, keep=keep)
        if len(vocabulary) < 2:
            raise InvalidDataError(
                f"{len(vocabulary)} words occur at least min_count={min_count} times in {len(documents)} documents "
                f"({counted.total()} words). Expected at least two; lower min_count, or bring more text."
            )
        index = vocabulary.index
        coded = [(row, np.array([index[word] for word in words if word in index], int)) for row, words in passages]
        kept = kept_share(np.array(vocabulary.occurrences, dtype=float), subsample)
        counts = count(coded, len(texts), kept, window)
        if not counts.total > 0:
            raise InvalidDataError(
                "No two words of the vocabulary ever stand near each other. Expected texts of several words; lower min_count, "
                "or take a larger unit."
            )
        units = parts.assign(text=texts, n_words=np.asarray(counts.words.sum(axis=1)).ravel().astype(int))
        return cls(units, vocabulary, counts, unit)

    def __len__(self) -> int:
        """Return the number of units."""
        return len(self.units)

    def subset(self, rows: np.ndarray) -> Corpus:
        """Return some units alone, with the same vocabulary."""
        return replace(self, units=self.units.iloc[rows], counts=self.counts.subset(rows))

    def merged(self, by: str) -> Corpus:
        """Make one unit of all that share a value.

        Parameters
        ----------
        by : str
            Column of `units`: "document", or metadata such as "decade".

        Returns
        -------
        Corpus
            In order of first appearance; metadata are kept where all members of every group share them.
        """
        codes, names = pd.factorize(self.metadata(by))
        groups = self.units.groupby(codes, sort=True)
        kept = {
            column: groups[column].first().to_numpy()
            for column in self.units.columns.difference(["text", "n_words"], sort=False)
            if (groups[column].nunique(dropna=False) <= 1).all()
        }
        index = pd.Index([str(name) for name in names])
        units = pd.DataFrame(kept, index=index).assign(
            text=groups["text"].agg("\n\n".join).to_numpy(), n_words=groups["n_words"].sum().to_numpy()
        )
        return replace(self, units=units, counts=self.counts.merged(codes, len(names)), unit=by)

    def metadata(self, column: str) -> np.ndarray:
        """Return what is known of every unit; missing values are called "missing".

        Raises
        ------
        InvalidParameterError
            If nothing of this name is known.
        """
        if column not in self.units:
            named = ", ".join(str(name) for name in self.units.columns if name not in ("text", "n_words"))
            raise InvalidParameterError(f"{column!r} is not known of the units. Expected one of {named}.")
        values = self.units[column].to_numpy(dtype=object)
        return np.where(pd.isna(values), "missing", values)

    def uses(self, words: Iterable[str]) -> pd.DataFrame:
        """Tell how the uses of some words of the vocabulary are spread over documents.

        Parameters
        ----------
        words : iterable of str
            Of the vocabulary.

        Returns
        -------
        DataFrame
            One row for each word: n (uses), n_documents (that use it), largest_share (the share of its uses that the document
            holds that uses it most).
        """
        chosen = list(words)
        codes, names = pd.factorize(self.metadata("document") if "document" in self.units else np.arange(len(self)))
        columns = self.counts.words[:, [self.vocabulary.index[word] for word in chosen]].toarray()
        sums = (
            np.stack([np.bincount(codes, weights=column, minlength=len(names)) for column in columns.T])
            if chosen
            else None
        )
        if sums is None:
            return pd.DataFrame({"n": [], "n_documents": [], "largest_share": []})
        n = sums.sum(axis=1)
        shares = np.divide(sums.max(axis=1), n, out=np.zeros(len(n)), where=n > 0)
        return pd.DataFrame(
            {"n": n.astype(int), "n_documents": (sums > 0).sum(axis=1), "largest_share": shares}, index=chosen
        )


def _cut(documents: pd.DataFrame, unit: str) -> tuple[pd.DataFrame, list[str]]:
    """Return what is known of every unit, and the units' texts."""
    parts = [UNITS[unit](text) for text in documents["text"]]
    place = np.repeat(np.arange(len(documents)), [len(units) for units in parts])
    names = documents.index.to_numpy()[place]
    ids = names
    if unit != "document":
        ids = np.array(
            [f"{name} #{n + 1}" for name, units in zip(documents.index, parts, strict=True) for n in range(len(units))]
        )
    known = documents.drop(columns="text").iloc[place]
    known.index = pd.Index(ids)
    known["document"] = names
    return known, [text for units in parts for text in units]
