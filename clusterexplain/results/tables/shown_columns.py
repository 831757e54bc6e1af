"""What is shown beside every training example: the beginning of its text, and columns of the metadata."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.exceptions import InvalidParameterError
from clusterexplain.results.text.names import snippet

if TYPE_CHECKING:
    from pandas.api.extensions import ExtensionArray

TEXT = "text"
"""Asks for the beginning of what each row is as text."""
LONGEST_TEXT = 80
"""Characters of a text that are shown."""
LISTED = 20
"""Columns that a message names."""


def parse_show(show: str | Sequence[str] | None, metadata: pd.DataFrame | None, text: str | None) -> tuple[str, ...]:
    """Return the columns to show, each once.

    Parameters
    ----------
    show : str, sequence of str or None
        Columns of the metadata, as a list or separated by commas; "text" is the text of each row.
    metadata : DataFrame or None
        What is known about the training examples.
    text : str or None
        The column of it that holds the text.

    Returns
    -------
    tuple of str
        In the order in which they were named.

    Raises
    ------
    InvalidParameterError
        If there is no such column (the message names those that exist), or `show` names none.
    """
    known = [] if metadata is None else [str(name) for name in metadata.columns]
    if show is None:
        return ()
    if isinstance(show, str):
        show = [show] if show in known else [name.strip() for name in show.split(",") if name.strip()]
    elif not isinstance(show, Iterable):
        raise InvalidParameterError(
            f"show={show!r:.80} names no columns. Expected names of columns of the metadata: a list such as ['batch', 'text'], "
            f"or a text with commas."
        )
    show = list(show)
    for name in show:
        if name not in known and not (name == TEXT and text is not None):
            listed = [*([TEXT] if text is not None and TEXT not in known else []), *known]
            more = f", ... ({len(listed)} in all)" if len(listed) > LISTED else ""
            names = ", ".join(listed[:LISTED]) or "none, as there is no metadata"
            raise InvalidParameterError(
                f"There is no column {name!r} to show. Expected columns of the metadata: {names}{more}. Pass "
                f"Dataset(metadata=...) to fit, or --metadata and --text on the command line."
            )
    return tuple(dict.fromkeys(show))


def shown_columns(
    show: Sequence[str],
    metadata: pd.DataFrame | None,
    text: str | None,
    rows: np.ndarray,
    *,
    taken: Collection[str] = (),
) -> dict[str, ExtensionArray]:
    """Return columns of training examples by the name under which they are shown.

    Parameters
    ----------
    show : sequence of str
        From :func:`parse_show`.
    metadata : DataFrame or None
        What is known about the training examples.
    text : str or None
        The column that holds the text, of which the beginning is shown.
    rows : ndarray of shape (n_rows,), int
        Row numbers of the examples.
    taken : collection of str, default=()
        Names that mean something else in the table; a column of such a name gets " (metadata)" behind it, again and again until
        no other column has that name.

    Returns
    -------
    dict of str to array of shape (n_rows,)
        Ready for a frame.
    """
    if metadata is None or not show:
        return {}
    table = metadata.rename(columns=str)
    found: dict[str, ExtensionArray] = {}
    for name in show:
        source = name if name in table else text
        column = table[source].iloc[rows]
        if source == text:
            cut = [None if missing else snippet(str(one), LONGEST_TEXT) for one, missing in _marked(column)]
            column = pd.Series(cut, dtype=object)
        shown = name
        while shown in taken or (shown != name and shown in {*show, *found}):
            shown += " (metadata)"
        found[shown] = column.array
    return found


def _marked(column: pd.Series) -> list[tuple[object, bool]]:
    return list(zip(column, column.isna(), strict=True))
