"""Sentences about answers, checks, flips and maps, as functions of plain data."""

from __future__ import annotations

import pytest

from clusterexplain.results.text import check, explanation, flip, map, methods
from clusterexplain.results.text.margins import margin_labels
from clusterexplain.results.text.names import Vocabulary

CELLS = Vocabulary("cell", "cells", "cell", "cells", "type", "types")
FOUND = flip.FlipNumbers("7", "cluster 1", "cluster 4", 1, 50, 0.5, -0.1, -0.2, 12)


def test_headlines_follow_the_vocabulary() -> None:
    told = explanation.headline(
        "AAC-1",
        1,
        4,
        margin=0.31,
        membership=(0.6, 0.3),
        share_with_larger_margin=0.95,
        n_members=170,
        vocabulary=CELLS,
    )
    assert told.startswith("Cell AAC-1 is in type 1 (170 members), compared with type 4.")
    noise = explanation.noise_headline(
        "AAC-1",
        4,
        margin=0.2,
        reason="density",
        share_with_larger_margin=0.25,
        n_noise=12,
        n_samples=100,
        vocabulary=CELLS,
    )
    assert "as are 12 of 100 cells. To join type 4 it lacks density." in noise
    assert noise.endswith("25% of the noise lie farther outside.")
    assert not {"sample", "cluster"} & set(f"{told} {noise}".lower().split())


def test_a_flip_counts_its_examples_and_says_how_it_was_checked() -> None:
    assert flip.flip_found(FOUND).startswith("Without 1 training example sample 7 moves from cluster 1 to cluster 4")
    assert "retrained with the given labels kept" in flip.flip_found(
        flip.FlipNumbers("7", "cluster 1", "cluster 4", 2, 50, 0.5, -0.1, -0.2, 12, continued=False)
    )
    assert flip.flip_not_found(FOUND).startswith("No set of at most 50 training examples was found")


@pytest.mark.parametrize(
    ("n", "alone", "itself", "told"),
    [
        (None, None, False, "No number of removals among its pullers is predicted to"),
        (1, 1, False, "About 1 removal of its strongest pullers is predicted to"),
        (2, 3, False, "About 2 removals of its strongest pullers are predicted to"),
        (1, None, True, "Removing the sample itself is predicted to"),
    ],
)
def test_predicted_flips(n: int | None, alone: int | None, itself: bool, told: str) -> None:
    labels = margin_labels(1, "cluster 4")
    assert flip.predicted_flip(labels, n, alone, itself=itself).startswith(f"{told} {labels.crossing}")


def test_checks_say_whose_verdict_they_are() -> None:
    assert check.checked(None) == "not checked; verify does it"
    assert check.checked("too few", conclusive=False) == "checked without a result: too few"
    assert check.meaning(None, can_check=True) != check.meaning(None, can_check=False)
    assert {check.meaning(grade, can_check=True) for grade in "ABCDU"} == set(check.GRADES.values())


def test_a_map_tells_on_itself_only_when_most_neighbours_are_foreign() -> None:
    assert map.misplaced(5, 0, 10) == ""
    assert map.misplaced(6, 1, 10) == "6 of its 10 nearest on this map are of other clusters, 1 of 10 in the embedding"
    assert map.map_note(100, 100, "PCA", 8).startswith("100 training examples, drawn by PCA")
    assert map.map_note(10, 100, "PCA", 8).startswith("a random sample of 10 of 100 training examples")


def test_commands_are_quoted_for_a_shell() -> None:
    assert methods.command("why", ["a b", "$(x)"], None) == "clusterexplain why --sample 'a b' --sample '$(x)'"
