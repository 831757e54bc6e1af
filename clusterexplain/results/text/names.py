"""Clusters, changes, texts and tables as every surface shows them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

NOISE = -1
LONGEST_NAME = 80
RESERVED = ("noise", "runner-up")
EXACT = ("unrolled", "further")
"""Methods that are asked for by asking for none."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""Control characters but for tabs and line ends, halves of characters, and what is no character: no picture can hold them."""
_STEERING = re.compile(r"[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks that set the direction of writing: a page isolates them, a terminal does not."""
_LINE_ENDS = re.compile(r"[\t\n\x0b\x0c\r\x85\u2028\u2029]+")
_INSTEAD = "\N{REPLACEMENT CHARACTER}"


def cluster_name(cluster: int, names: dict[int, str] | None = None) -> str:
    """Return what a cluster is called.

    Parameters
    ----------
    cluster : int
        Its number; -1 is noise.
    names : dict of int to str, optional
        Names that clusters were given.

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
    return f'cluster {cluster} "{names[cluster]}"' if names and cluster in names else f"cluster {cluster}"


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
    """Return a change of the margin with its sign and its size relative to the margin.

    Examples
    --------
    >>> format_change(-0.021, -6.8)
    '-0.0210 (-6.8 %)'
    """
    return f"{amount:+.4f} ({percent:+.1f} %)"


def replace_unprintable(text: str) -> str:
    r"""Return a text that any picture or page can hold: what has no look becomes U+FFFD.

    Examples
    --------
    >>> ascii(replace_unprintable("a\x1b[31mb\ud800"))
    "'a\\ufffd[31mb\\ufffd'"
    """
    return UNPRINTABLE.sub(_INSTEAD, text)


def method_flags(method: str, options: Mapping[str, Any], n_seeds: int) -> str:
    """Return how an answer was asked for as options of a command, nothing for the usual way.

    Parameters
    ----------
    method : str
        Name of the influence method.
    options : mapping of str to value
        Its options.
    n_seeds : int
        Seeds that the answer is a mean of.

    Returns
    -------
    str
        For a shell, with a space before each option.

    Examples
    --------
    >>> method_flags("implicit", {"solver": "cg"}, 8)
    ' --method implicit --method-option solver=cg --seeds 8'
    >>> method_flags("unrolled", {}, 1)
    ''
    """
    name = "" if method in EXACT else f" --method {method}"
    chosen = "".join(f" --method-option {shlex.quote(f'{key}={value}')}" for key, value in options.items())
    return name + chosen + (f" --seeds {n_seeds}" if n_seeds > 1 else "")


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


def method_words(name: str, note: str) -> str:
    """Say what a method is and what its answer is about.

    Parameters
    ----------
    name : str
        The method.
    note : str
        Of the explanation.

    Returns
    -------
    str
        In words, without a full stop.
    """
    return {
        "unrolled": "unrolled, the exact derivative through the recorded training",
        "further": f"further, the exact derivative of training on {note}",
        "implicit": f"implicit, an approximation from the final parameters alone ({note})",
        "gradient_dot": "gradient_dot, a baseline: the product of two gradients at the final parameters",
        "gradient_cosine": "gradient_cosine, a baseline: the cosine of two gradients at the final parameters",
    }[name]
