"""WEAT, its permutation test and its lists, against plain Python."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from clusterexplain.exceptions import InvalidDataError, InvalidParameterError
from clusterexplain.word_embeddings.lists import read_list
from clusterexplain.word_embeddings.scores.weat import Weat, weat_names
from clusterexplain.word_embeddings.scores.word_scores import Cosine, WordMembership

WORDS = [f"w{number}" for number in range(18)]
TEST = Weat("made", tuple(WORDS[:5]), tuple(WORDS[5:9]), tuple(WORDS[9:13]), tuple(WORDS[13:16]))
INDEX = {word: row for row, word in enumerate(WORDS)}


@pytest.fixture
def vectors() -> torch.Tensor:
    return torch.randn(18, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def cosine(u: np.ndarray, v: np.ndarray) -> float:
    return float(u @ v / np.sqrt((u @ u) * (v @ v)))


def by_hand(vectors: np.ndarray) -> list[float]:
    def s(word: str) -> float:
        a, b = ([cosine(vectors[INDEX[word]], vectors[INDEX[other]]) for other in words] for words in (TEST.a, TEST.b))
        return sum(a) / len(a) - sum(b) / len(b)

    return [s(word) for word in TEST.x + TEST.y]


def test_effect_size_and_p_value_are_those_by_hand(vectors: torch.Tensor) -> None:
    s = by_hand(vectors.numpy())
    mean = sum(s) / 9
    deviation = (sum((value - mean) ** 2 for value in s) / 9) ** 0.5
    d = (sum(s[:5]) / 5 - sum(s[5:]) / 4) / deviation
    assert float(TEST(vectors, INDEX)) == pytest.approx(d)
    observed = sum(s[:5]) - sum(s[5:])
    partitions = [set(one) for one in itertools.combinations(range(9), 5)]
    statistics = [sum(s[i] if i in one else -s[i] for i in range(9)) for one in partitions]
    p = sum(value >= observed - 1e-12 for value in statistics) / len(partitions)
    assert TEST.p_value(vectors, INDEX) == pytest.approx(p)


def test_sampled_permutations_come_near_all_of_them(vectors: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = TEST.p_value(vectors, INDEX)
    monkeypatch.setattr("clusterexplain.word_embeddings.scores.weat.MOST_PARTITIONS", 100)
    assert TEST.p_value(vectors, INDEX) == pytest.approx(exact, abs=0.12)


@pytest.mark.parametrize(
    "score", [TEST, Cosine("w1", "w2"), WordMembership("w0", ("w0", "w1", "w2"), (("w3",), ("w4", "w5")))]
)
def test_scores_do_not_depend_on_rotation_and_scale(score: Weat, vectors: torch.Tensor) -> None:
    rotation = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64))[0]
    torch.testing.assert_close(score(3 * vectors @ rotation, INDEX), score(vectors, INDEX))
    assert torch.autograd.gradcheck(lambda v: score(v, INDEX), vectors.clone().requires_grad_())


def test_missing_words_are_told_and_left_out(vectors: torch.Tensor) -> None:
    more = Weat("made", (*TEST.x, "unicorn"), TEST.y, TEST.a, (*TEST.b, "griffin"))
    assert more.missing(INDEX) == ("unicorn", "griffin")
    assert float(more(vectors, INDEX)) == float(TEST(vectors, INDEX))
    with pytest.raises(InvalidDataError, match=r"Too few words of list y.*missing: w6, w7, w8.*lower min_count"):
        TEST.restricted({word: row for word, row in INDEX.items() if word not in ("w6", "w7", "w8")})


def test_halves_share_no_word_and_cover_all() -> None:
    first, second = TEST.split(3)
    assert set(first.words) & set(second.words) == set()
    assert set(first.words) | set(second.words) == set(TEST.words)
    assert (len(first.x), len(second.x)) == (3, 2)
    assert TEST.split(3) == (first, second)


def test_shipped_lists_are_in_lower_case_and_cite_known_sources() -> None:
    content = read_list("weat")
    for name in weat_names():
        test = Weat.named(name)
        assert all(word == word.lower() for word in test.words)
        assert set(content["tests"][name]["sources"]) <= set(content["sources"])
        assert not set(test.x) & set(test.y)
    with pytest.raises(InvalidParameterError, match=r"no test 'weat7'. Expected one of gender_career"):
        Weat.named("weat7")


def test_membership_is_the_log_odds_of_a_softmax(vectors: torch.Tensor) -> None:
    unit = vectors.numpy() / np.linalg.norm(vectors.numpy(), axis=1, keepdims=True)
    centroids = [unit[[1, 2]].mean(axis=0), unit[[3]].mean(axis=0), unit[[4, 5]].mean(axis=0)]
    powers = np.exp([cosine(unit[0], centroid) / 0.1 for centroid in centroids])
    score = WordMembership("w0", ("w0", "w1", "w2"), (("w3",), ("w4", "w5")))
    assert float(score(vectors, INDEX)) == pytest.approx(np.log(powers[0] / powers[1:].sum()))
    with pytest.raises(InvalidDataError, match="A cluster holds no word but 'w0'"):
        WordMembership("w0", ("w0",), (("w3",),))(vectors, INDEX)
    with pytest.raises(InvalidDataError, match="'zebra' is not in the vocabulary"):
        Cosine("zebra", "w0")(vectors, INDEX)
    with pytest.raises(InvalidParameterError, match="at least one other cluster"):
        WordMembership("w0", ("w1",), ())(vectors, INDEX)


def test_lists_that_make_no_test_are_refused() -> None:
    with pytest.raises(InvalidParameterError, match="List b of the test 'made' is empty"):
        Weat("made", ("a",), ("b",), ("c",), ())
    with pytest.raises(InvalidParameterError, match="has a on both sides"):
        Weat("made", ("a", "c"), ("b", "a"), ("d",), ("e",))
