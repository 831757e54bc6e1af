"""Rows that are in memory already, in the containers of other libraries."""

from __future__ import annotations

from typing import Any

from clusterexplain.data.containers.arrays import as_array
from clusterexplain.data.containers.foreign import is_anndata
from clusterexplain.data.containers.frames import as_frame
from clusterexplain.data.dataset import Dataset
from clusterexplain.data.display import no_obsm
from clusterexplain.data.readers.anndata import dataset_of_anndata
from clusterexplain.data.readers.roles import Roles, dataset_of_table
from clusterexplain.exceptions import InvalidDataError


def dataset_of(X: object, *, max_bytes: float, **roles: Any) -> Dataset:
    """Return rows that are in memory as a data set.

    Parameters
    ----------
    X : frame, AnnData, sparse matrix, tensor or array-like of shape (n_samples, n_features)
        The rows.
    max_bytes : float
        What a sparse matrix may take once it is dense.
    **roles : object
        ids, text, metadata, labels, embedding_column, use_rep, map; None is not given.

    Returns
    -------
    Dataset
        Checked.

    Raises
    ------
    InvalidDataError
        If X is of another kind, or does not take a role that was given.
    """
    given = {name: role for name, role in roles.items() if role is not None and role != () and role != []}
    if is_anndata(X):
        _refuse(given, ("ids", "text", "metadata", "labels", "use_rep", "map"), "an AnnData")
        return dataset_of_anndata(X, max_bytes=max_bytes, **given)
    if "map" in given:
        raise no_obsm(given["map"])
    frame = as_frame(X)
    if frame is None:
        array = as_array(X, max_bytes=max_bytes)  # what is no matrix at all is refused with its own cure
        _refuse(given, (), "an array, whose columns have no names")
        return Dataset(array)
    _refuse(given, ("ids", "text", "metadata", "labels", "embedding_column"), "a frame")
    metadata = given.get("metadata", ())
    columns = (metadata,) if isinstance(metadata, str) else tuple(metadata)
    return dataset_of_table(
        X, Roles(given.get("ids"), given.get("text"), columns, given.get("labels"), given.get("embedding_column"))
    )


def _refuse(given: dict[str, Any], known: tuple[str, ...], what: str) -> None:
    foreign = [name for name in given if name not in known]
    if foreign:
        raise InvalidDataError(
            f"X is {what}, which does not take {', '.join(foreign)}. Expected {', '.join(known) or 'none of them'}; "
            f"Dataset(X, ids=..., metadata=..., text=...) holds what is known about the rows of an array."
        )
