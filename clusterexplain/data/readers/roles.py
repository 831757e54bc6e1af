"""What the columns of a table are for: ids, text, metadata, labels, vectors; every other column is a feature."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from clusterexplain.data import bookkeeping
from clusterexplain.data.containers.columns import is_vectors
from clusterexplain.data.containers.frames import as_frame
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InputWarning, InvalidDataError, warn

LISTED_COLUMNS = 20
"""Columns of a table that a message names."""


@dataclass(frozen=True)
class Roles:
    """Columns that are no features, by what they are.

    Parameters
    ----------
    ids : str, optional
        Holds the ids. By default the index of the table, or its first column if that has no name and never repeats.
    text : str, optional
        Holds what each row is as text.
    metadata : tuple of str, default=()
        Kept beside the features.
    labels : str, optional
        Holds the cluster of each row; kept among the metadata.
    embedding : str, optional
        Holds a vector in each row; the vectors are then the features, and all other columns metadata. A table with one such
        column needs no name.
    """

    ids: str | None = None
    text: str | None = None
    metadata: tuple[str, ...] = ()
    labels: str | None = None
    embedding: str | None = None

    @property
    def kept(self) -> list[str]:
        """Columns that become metadata, each once."""
        text, labels = ([one] if one is not None else [] for one in (self.text, self.labels))
        return list(dict.fromkeys([*text, *self.metadata, *labels]))

    @property
    def beside(self) -> list[str]:
        """Columns that are no features, each once."""
        return list(dict.fromkeys([*([] if self.ids is None else [self.ids]), *self.kept]))

    @property
    def named(self) -> list[str]:
        """All columns that were named, each once."""
        return list(dict.fromkeys([*self.beside, *([] if self.embedding is None else [self.embedding])]))


def dataset_of_table(
    table: object, roles: Roles, where: str = "X", *, ids_of: Callable[[pd.Series], np.ndarray] | None = None
) -> Dataset:
    """Return a table as a data set.

    Parameters
    ----------
    table : frame of pandas, polars or pyarrow
        The table.
    roles : Roles
        What its columns are for.
    where : str, default="X"
        How the messages call it.
    ids_of : callable, optional
        Makes ids of the column that holds them.

    Returns
    -------
    Dataset
        With the columns that are no features as metadata.

    Raises
    ------
    InvalidDataError
        If a column does not exist, or none is left to train on, or one that is left is not numeric.
    """
    frame = as_frame(table, where)
    assert frame is not None, "a table is a frame"
    frame = with_levels(frame, roles)
    refuse_unknown(frame, roles, where)
    index = index_of(frame, roles, ids_of, where)
    vectors = roles.embedding if roles.embedding is not None else _obvious_vectors(frame, roles, where)
    if vectors is not None:
        return _dataset_of_vectors(frame, vectors, roles, index, where)
    parts = bookkeeping.split(frame.drop(columns=roles.beside))
    features = as_matrix(parts.features, what=where)
    if roles.ids is None:
        index = parts.index.to_numpy(dtype=object)
    kept = pd.concat([frame[roles.kept].set_axis(parts.aside.index), parts.aside], axis=1)
    dataset = Dataset(
        features,
        ids=index,
        feature_names=parts.features.columns.tolist(),
        metadata=kept.reset_index(drop=True) if kept.shape[1] else None,
        text=roles.text,
        left_aside=parts.reasons,
    )
    bookkeeping.say(where, parts)
    return dataset


def dataset_of_rows(
    X: np.ndarray,
    table: pd.DataFrame,
    roles: Roles,
    where: str,
    *,
    feature_names: list[str] | None = None,
    ids_of: Callable[[pd.Series], np.ndarray] | None = None,
) -> Dataset:
    """Return rows with a table of what is known about them, row for row, as a data set.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The rows.
    table : DataFrame of n_samples rows
        Its columns that are named become metadata; all of them if none is named.
    roles : Roles
        What its columns are for.
    where : str
        How the messages call the table.
    feature_names : list of str, optional
        Of the columns of X.
    ids_of : callable, optional
        Makes ids of the column that holds them.

    Returns
    -------
    Dataset
        With the table's index as ids unless a column was named, or a first column has no name and never repeats.

    Raises
    ------
    InvalidDataError
        If the table has other rows, or not these columns.
    """
    frame = as_frame(table, where)
    assert frame is not None, "a table is a frame"
    frame = with_levels(frame, roles)
    rows = len(X)
    if len(frame) != rows:
        raise InvalidDataError(
            f"{where} has {len(frame)} rows, but there are {rows} rows to train on. Expected one row for each, in the same "
            f"order."
        )
    refuse_unknown(frame, roles, where, features=False)
    index = index_of(frame, roles, ids_of, where)
    nameless = bookkeeping.index_column(frame) if roles.ids is None else None
    if nameless is not None:
        index, frame = frame[nameless].to_numpy(dtype=object), frame.drop(columns=nameless)
    named = (
        roles.kept
        if roles.metadata or roles.text
        else [*roles.kept, *(one for one in frame if one not in roles.beside)]
    )
    return Dataset(
        X,
        ids=index,
        feature_names=feature_names,
        metadata=frame[named].reset_index(drop=True) if named else None,
        text=roles.text,
    )


def with_levels(frame: pd.DataFrame, roles: Roles) -> pd.DataFrame:
    """Return a table with those levels of its index as columns that are asked for by their names."""
    for name in roles.named:
        if name in frame.index.names and name not in frame.columns:
            frame = frame.assign(**{name: frame.index.get_level_values(name)})
    return frame


def index_of(
    frame: pd.DataFrame, roles: Roles, ids_of: Callable[[pd.Series], np.ndarray] | None, where: str
) -> np.ndarray:
    """Return the ids that a table says: of the column that holds them, else its index."""
    if roles.ids is None:
        return frame.index.to_numpy(dtype=object)
    column = frame[roles.ids]
    missing = np.flatnonzero(column.isna() | (column.astype(str).str.strip() == ""))
    if len(missing):
        raise InvalidDataError(
            f"{len(missing)} row(s) of {where} have no id in the column {roles.ids}, the first of them row {missing[0]} "
            f"(counted from 0). Expected one id for each row; fill them in, or leave --ids away to count the rows."
        )
    return column.to_numpy(dtype=object) if ids_of is None else ids_of(column)


def _obvious_vectors(frame: pd.DataFrame, roles: Roles, where: str) -> str | None:
    """Return the one column of vectors that is no feature under another name, and say that it was taken."""
    found = [name for name in frame.columns if name not in roles.beside and is_vectors(frame[name])]
    if len(found) > 1:
        raise InvalidDataError(
            f"{where} has {len(found)} columns of vectors: {', '.join(found[:LISTED_COLUMNS])}. Expected one to train on; name "
            f"it with --embedding-column (embedding_column=), or take the others out."
        )
    if not found:
        return None
    others = [name for name in frame.columns if name != found[0]]
    warn(
        f"{where} is trained on the vectors of the column {found[0]!r}, {len(frame[found[0]].iloc[0])} numbers each; the other "
        f"{len(others)} columns are kept beside them and not trained on. Name it with --embedding-column {found[0]} "
        f"(embedding_column=) to say so.",
        InputWarning,
    )
    return found[0]


def _dataset_of_vectors(frame: pd.DataFrame, name: str, roles: Roles, index: np.ndarray, where: str) -> Dataset:
    column = _parsed(frame[name])
    if not is_vectors(column):
        raise InvalidDataError(
            f"The column {name!r} of {where} does not hold a vector in each row: {_odd_vector(column)}. Expected lists of "
            f"numbers, all of one length of at least 2; check --embedding-column (embedding_column=)."
        )
    nameless = bookkeeping.index_column(frame) if roles.ids is None else None
    if nameless is not None and nameless != name:
        index = frame[nameless].to_numpy(dtype=object)
    others = [one for one in frame.columns if one not in (name, nameless) and (one != roles.ids or one in roles.kept)]
    reasons = {one: f"the vectors of {name!r} are trained on" for one in others if one not in roles.kept}
    order = [*roles.kept, *(one for one in others if one not in roles.kept)]
    return Dataset(
        np.stack([np.asarray(one, dtype=np.float64) for one in column]),
        ids=index,
        metadata=frame[order].reset_index(drop=True) if order else None,
        text=roles.text,
        left_aside=reasons,
    )


def _parsed(column: pd.Series) -> pd.Series:
    """Return a column of vectors that a text file holds as JSON lists; any other column as it is."""
    if not all(isinstance(one, str) for one in column):
        return column
    try:
        return pd.Series([json.loads(one) for one in column], index=column.index, dtype=object)
    except ValueError:
        return column


def _odd_vector(column: pd.Series) -> str:
    lengths = [len(one) if isinstance(one, (list, tuple, np.ndarray)) else None for one in column]
    for row, length in enumerate(lengths):
        if length is None:
            return f"row {row} (counted from 0) is {str(column.iloc[row])[:40]!r}"
        if length != lengths[0] or length < 2:
            return f"row {row} (counted from 0) has {length} numbers, row 0 has {lengths[0]}"
    return "its entries are no numbers"


def refuse_unknown(frame: pd.DataFrame, roles: Roles, where: str, *, features: bool = True) -> None:
    """Refuse names of columns that a table does not have, and roles that leave no feature in it.

    Parameters
    ----------
    frame : DataFrame
        The table.
    roles : Roles
        What was named.
    where : str
        How the messages call it.
    features : bool, default=True
        Whether the table holds the features, too.
    """
    known = frame.columns.tolist()
    unknown = [name for name in roles.named if name not in known]
    if unknown:
        more = f", ... ({len(known)} in all)" if len(known) > LISTED_COLUMNS else ""
        raise InvalidDataError(
            f"{where} has no column {', '.join(repr(name) for name in unknown)}. Expected, for ids, text, metadata, labels and "
            f"vectors, names of its columns: {', '.join(known[:LISTED_COLUMNS])}{more}; check the spelling."
        )
    if features and roles.beside and len(roles.beside) == len(known):
        raise InvalidDataError(
            f"All {len(known)} columns of {where} are ids, text or metadata, so none is left to train on. Expected at least "
            f"one column of numbers, for example an embedding of the texts."
        )
