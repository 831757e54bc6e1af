"""What things are called, and how names, numbers and texts from data are shown."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from clusterexplain.statistics.matching import NOISE

LONGEST_NAME = 80
RESERVED = ("noise", "runner-up")

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters but for tabs and line ends, halves of characters, and what is no character: no picture can hold them."""
_STEERING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that set the direction of writing: a page isolates them, a terminal does not."""
_LINE_ENDS = re.compile(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
LONGEST_SNIPPET = 200
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


@dataclass(frozen=True)
class Vocabulary:
    """Nouns of a trade for the things that sentences are about: cells and genes, documents and topics.

    Attributes
    ----------
    sample, samples : str
        A row that is explained.
    example, examples : str
        A row that was trained on.
    cluster, clusters : str
        A group that the clusterer found.
    """

    sample: str = "sample"
    samples: str = "samples"
    example: str = "training example"
    examples: str = "training examples"
    cluster: str = "cluster"
    clusters: str = "clusters"

    def count_examples(self, n: int) -> str:
        """Return a number of training examples in words.

        Examples
        --------
        >>> Vocabulary().count_examples(1), Vocabulary(examples="cells").count_examples(1_200)
        ('1 training example', '1,200 cells')
        """
        return f"{n:,} {self.example if n == 1 else self.examples}"


COMMON = Vocabulary()
"""The nouns of cluster analysis: used unless others are given."""


def capitalize_first(text: str) -> str:
    """Return a text that can begin a sentence: its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def cluster_name(cluster: int, names: Mapping[int, str] | None = None, *, vocabulary: Vocabulary = COMMON) -> str:
    """Return what a cluster is called.

    Parameters
    ----------
    cluster : int
        Its number; -1 is noise.
    names : mapping of int to str, optional
        Names that clusters were given.
    vocabulary : Vocabulary, optional
        Nouns.

    Returns
    -------
    str
        "noise", "cluster 4", or 'cluster 4 "nines"'.

    Examples
    --------
    >>> cluster_name(4, {4: "nines"})
    'cluster 4 "nines"'
    """
    if cluster == NOISE:
        return "noise"
    called = f"{vocabulary.cluster} {cluster}"
    return f'{called} "{names[cluster]}"' if names and cluster in names else called


def is_name(text: object) -> bool:
    """Return whether a text can name a cluster: printable, short, and not to be taken for a number or a word of its own.

    Examples
    --------
    >>> [is_name(text) for text in ("nines", "7", "noise", "")]
    [True, False, False, True]
    """
    if not isinstance(text, str) or len(text) > LONGEST_NAME:
        return False
    return text == "" or (text.isprintable() and text not in RESERVED and not text.lstrip("-").isdecimal())


def format_change(amount: float, percent: float) -> str:
    """Return a change of the margin with its sign and its size relative to the margin, if that is known.

    Examples
    --------
    >>> format_change(-0.021, -6.8), format_change(-0.021, float("nan"))
    ('-0.0210 (-6.8 %)', '-0.0210')
    """
    return f"{amount:+.4f}" if math.isnan(percent) else f"{amount:+.4f} ({percent:+.1f} %)"


def replace_unprintable(text: str) -> str:
    r"""Return a text that any picture or page can hold: what has no look becomes U+FFFD.

    Examples
    --------
    >>> ascii(replace_unprintable("a\x1b[31mb\ud800"))
    "'a\\ufffd[31mb\\ufffd'"
    """
    return UNPRINTABLE.sub(_INSTEAD, text)


def snippet(text: str, longest: int = LONGEST_SNIPPET) -> str:
    r"""Return the beginning of a text on one line, cut at a word.

    Control characters and lone surrogates are dropped; marks that set the direction of writing, joiners and emoji are kept.

    Parameters
    ----------
    text : str
        Of any length.
    longest : int, default=200
        Characters that are kept at most.

    Returns
    -------
    str
        At most `longest` characters, and an ellipsis if the text goes on.

    Examples
    --------
    >>> snippet("two\n lines")
    'two lines'
    """
    line = " ".join(UNPRINTABLE.sub("", " ".join(text.split())).split())
    if len(line) <= longest:
        return line
    word_end = line.rfind(" ", 0, longest + 1)
    return line[: word_end if word_end > longest // 2 else longest] + "\N{HORIZONTAL ELLIPSIS}"


def terminal_safe(text: str, *, lines: bool = False) -> str:
    r"""Return a text that leaves a terminal as it is: no control characters, no marks of direction, one line.

    Parameters
    ----------
    text : str
        May come from data.
    lines : bool, default=False
        Keep line ends.

    Returns
    -------
    str
        With U+FFFD instead of what would steer the terminal, and blanks instead of tabs and line ends.

    Examples
    --------
    >>> ascii(terminal_safe("a\x1b[31mb\nc"))
    "'a\\ufffd[31mb c'"
    """
    if lines:
        return "\n".join(terminal_safe(line) for line in text.split("\n"))
    return _STEERING.sub(_INSTEAD, replace_unprintable(_LINE_ENDS.sub(" ", text)))
