"""How rows and clusters are drawn where the data say it: a map, and colours of labels. Nothing is explained from it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clusterexplain.exceptions import InputWarning, InvalidDataError, warn

_HEX = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAMES = """
    aliceblue antiquewhite aqua aquamarine azure beige bisque black blanchedalmond blue blueviolet brown burlywood cadetblue
    chartreuse chocolate coral cornflowerblue cornsilk crimson cyan darkblue darkcyan darkgoldenrod darkgray darkgreen darkgrey
    darkkhaki darkmagenta darkolivegreen darkorange darkorchid darkred darksalmon darkseagreen darkslateblue darkslategray
    darkslategrey darkturquoise darkviolet deeppink deepskyblue dimgray dimgrey dodgerblue firebrick floralwhite forestgreen
    fuchsia gainsboro ghostwhite gold goldenrod gray green greenyellow grey honeydew hotpink indianred indigo ivory khaki
    lavender lavenderblush lawngreen lemonchiffon lightblue lightcoral lightcyan lightgoldenrodyellow lightgray lightgreen
    lightgrey lightpink lightsalmon lightseagreen lightskyblue lightslategray lightslategrey lightsteelblue lightyellow lime
    limegreen linen magenta maroon mediumaquamarine mediumblue mediumorchid mediumpurple mediumseagreen mediumslateblue
    mediumspringgreen mediumturquoise mediumvioletred midnightblue mintcream mistyrose moccasin navajowhite navy oldlace olive
    olivedrab orange orangered orchid palegoldenrod palegreen paleturquoise palevioletred papayawhip peachpuff peru pink plum
    powderblue purple rebeccapurple red rosybrown royalblue saddlebrown salmon sandybrown seagreen seashell sienna silver
    skyblue slateblue slategray slategrey snow springgreen steelblue tan teal thistle tomato turquoise violet wheat white
    whitesmoke yellow yellowgreen
"""
NAMED_COLOURS = frozenset(_NAMES.split())
"""The names of colours in CSS."""


@dataclass(frozen=True, eq=False)
class Display:
    """A map of the rows, and colours of their labels.

    Parameters
    ----------
    coordinates : ndarray of shape (n_samples, 2) or None
        Where each row is drawn; None where nothing was given.
    source : str, default=""
        What the map is, for words: "obsm X_umap".
    colours : mapping of str to mapping of str to str
        For a column of labels, the colour of each label as :func:`is_colour` allows it.
    """

    coordinates: np.ndarray | None = None
    source: str = ""
    colours: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def cluster_colours(self, labels: object, names: Mapping[int, str], numbers: Sequence[int]) -> dict[int, str]:
        """Return the colours of clusters by number, where labels are a column that has colours.

        Parameters
        ----------
        labels : object
            What was given as labels.
        names : mapping of int to str
            The label of a cluster, where labels are texts.
        numbers : sequence of int
            Of the clusters.
        """
        known = self.colours.get(labels, {}) if isinstance(labels, str) else {}
        found = {int(number): known.get(names.get(number, str(number))) for number in numbers}
        return {number: colour for number, colour in found.items() if colour is not None}


def no_obsm(name: str) -> InvalidDataError:
    """Return the error for the name of a map where the data are no AnnData, which would hold it."""
    return InvalidDataError(
        f"map={name!r} names an obsm of an AnnData, but the data are none. Expected two coordinates for each row: an array, a "
        f"frame joined by its index, or pathlib.Path({name!r}) for a file."
    )


def is_colour(text: object) -> bool:
    """Return whether a text is a colour that a page may hold: hexadecimal, or a name of CSS.

    Examples
    --------
    >>> [is_colour(text) for text in ("#1f77b4", "#1f77b4ff", "Red", "tab:blue", "red;}", "url(x)")]
    [True, True, True, False, False, False]
    """
    return isinstance(text, str) and (bool(_HEX.fullmatch(text)) or text.lower() in NAMED_COLOURS)


def label_colours(given: object, labels: Sequence[str], where: str) -> dict[str, str]:
    """Return the colour of each label; what is no colour is said, and then none is taken.

    Parameters
    ----------
    given : object
        One colour for each label, in their order.
    labels : sequence of str
        As texts.
    where : str
        How the message calls `given`.

    Returns
    -------
    dict of str to str
        Colour by label; empty where one of them is no colour, or there are fewer colours than labels.
    """
    listed = given.ravel().tolist() if isinstance(given, np.ndarray) else given
    colours = [str(one) for one in listed] if isinstance(listed, (list, tuple)) else []
    wrong = [one for one in colours if not is_colour(one)]
    if len(colours) < len(labels) or wrong:
        reason = (
            f"{wrong[0]!r:.40} is no colour" if wrong else f"it has {len(colours)} colours for {len(labels)} labels"
        )
        warn(
            f"{where} is not used, as {reason}. Expected, for each label, a colour such as '#1f77b4' or a name of CSS such as "
            f"'teal'; clusters have the usual colours instead.",
            InputWarning,
        )
        return {}
    return dict(zip(labels, colours, strict=False))
