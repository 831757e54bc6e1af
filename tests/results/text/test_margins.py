"""Margins in words: titles of combinations, labels of the sides, subjects of pictures."""

from __future__ import annotations

import dataclasses

import pytest

from clusterexplain.results.margins import Subject, Topic
from clusterexplain.results.text.margins import (
    combination_id,
    combination_title,
    margin_labels,
    page_question,
    sample_subject,
    samples_subject,
    sides_of,
)
from clusterexplain.results.text.names import Vocabulary

CELLS = Vocabulary("cell", "cells", "cell", "cells", "type", "types")


def test_titles_of_combinations_hold_value_sizes_and_names() -> None:
    names = {4: "nines"}
    assert combination_title(Subject(Topic.COHESION, (4,), (20,)), 0.5, names) == (
        'Cluster 4 "nines" has 20 members. Its cohesion is 0.500, the mean margin of its members to their runner-ups (0 is '
        "the boundary)."
    )
    assert combination_title(Subject(Topic.AGAINST, (7, 4), (20,)), -0.25, names) == (
        'The members of cluster 7 have a mean margin of -0.250 against cluster 4 "nines".'
    )
    assert combination_title(Subject(Topic.SEPARATION, (4, 7), (20, 8)), 0.5, names) == (
        'Cluster 4 "nines" and cluster 7 (20 and 8 members) are separated by 0.500, the mean margin of each one\'s members '
        "against the other (0 is no separation)."
    )


def test_a_name_may_hold_anything_but_is_never_read_as_a_placeholder() -> None:
    title = combination_title(Subject(Topic.COHESION, (4,), (20,)), 0.5, {4: "{value} \0 %s"})
    assert '"{value} \0 %s" has 20 members. Its cohesion is 0.500' in title


@pytest.mark.parametrize("topic", Topic)
def test_combinations_are_called_by_numbers(topic: Topic) -> None:
    subject = Subject(topic, (4, 7), (20, 8))
    assert "cluster" in combination_id(subject)
    assert "type" in combination_id(subject, vocabulary=CELLS)


@pytest.mark.parametrize("topic", [None, *Topic])
@pytest.mark.parametrize("own", [-1, 4])
def test_labels_name_each_side_and_follow_the_vocabulary(own: int, topic: Topic | None) -> None:
    labels = dataclasses.astuple(margin_labels(own, "type 7", topic, vocabulary=CELLS))
    assert all(labels)
    assert len(set(labels)) == len(labels)
    assert not any("sample" in label for label in labels)
    if topic is None:
        assert not any("cluster" in label for label in labels)


def test_noise_and_combinations_have_sides_of_their_own() -> None:
    assert sides_of(4) == ("pulled in", "pushed away")
    assert sides_of(-1) == ("kept out", "drew in")
    assert sides_of(4, Topic.AGAINST) == sides_of(-1, Topic.COHESION) == ("holds it together", "loosens it")
    assert sides_of(4, Topic.SEPARATION) == ("keeps them apart", "merges them")


def test_a_page_about_different_questions_asks_a_common_one() -> None:
    assert page_question(["Why is it noise?", "Why is it noise?"]) == "Why is it noise?"
    assert page_question(["Why is it noise?", "Why is it in its cluster?"]) == "Why is it where it is?"


def test_subjects_count_what_they_do_not_list() -> None:
    assert samples_subject(["1"]) == "Sample 1"
    assert samples_subject(["1", "2", "3", "4", "5"]) == "Samples 1, 2, 3 and 2 more"
    assert samples_subject(["cluster 1", "cluster 2"], combinations=True) == "cluster 1, cluster 2"
    assert sample_subject("AAC-1", "type 1", "type 2", vocabulary=CELLS) == "Cell AAC-1: type 1, compared with type 2"
