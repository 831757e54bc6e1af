"""Rows to be explained, with ids that stay the same from the first fit to the last report."""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clusterexplain.data.validation import as_matrix
from clusterexplain.exceptions import InvalidDataError, UnknownSampleError

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import ArrayLike

    Rows: TypeAlias = "Dataset | pd.DataFrame | ArrayLike"
    """What a user may give as data."""

LOOKED_AT = 5000
"""Ids among which one that was probably meant is looked for."""
_LONE = re.compile(r"[\ud800-\udfff]")


@dataclass(frozen=True, eq=False)
class Dataset:
    r"""A finite float matrix whose rows have unique ids.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The features, float64.
    ids : sequence of length n_samples, optional
        Unique ids; positions by default. A DataFrame brings its index. Integers are kept, all else becomes text, in which lone
        surrogates, which no file can hold, are written out (``\udc80``, six characters); both forms find the row.
    feature_names : list of str, optional
        Column names, if there are any.
    image_shape : tuple of (height, width), optional
        Given when a row is a grey-scale image, so that reports can draw it.
    metadata : DataFrame of n_samples rows, optional
        What is known about the rows but not trained on (batch, author, true label). Lone surrogates in its texts, which no
        file can hold, become U+FFFD.
    text : str, optional
        The column of `metadata` that holds what each row is as text (a document, a sentence), so that reports can show it.
    name : str, optional
        Name of a data set that :func:`clusterexplain.data.load_dataset` knows.

    Examples
    --------
    >>> import numpy as np
    >>> data = Dataset(np.eye(3), ids=np.array(["a", "b", "c"]))
    >>> data.positions(["c", "a"])
    array([2, 0])
    """

    X: np.ndarray
    ids: np.ndarray = None  # type: ignore[assignment]  # positions, filled in below
    feature_names: list[str] | None = None
    image_shape: tuple[int, int] | None = None
    metadata: pd.DataFrame | None = None
    name: str | None = None
    text: str | None = None

    def __post_init__(self) -> None:
        """Check the parts against each other."""
        matrix = as_matrix(self.X)
        matrix.flags.writeable = False
        n, width = matrix.shape
        object.__setattr__(self, "X", matrix)
        object.__setattr__(self, "ids", _unique_ids(self.ids, n))
        if self.feature_names is not None:
            names = [str(name) for name in self.feature_names]
            if len(names) != width:
                raise InvalidDataError(
                    f"feature_names has {len(names)} entries, expected {width}: one for each column of X."
                )
            object.__setattr__(self, "feature_names", names)
        if self.metadata is not None:
            if len(self.metadata) != n:
                raise InvalidDataError(f"metadata has {len(self.metadata)} rows, expected {n}: one for each row of X.")
            metadata = _writable(self.metadata.rename(columns=str).reset_index(drop=True))
            object.__setattr__(self, "metadata", metadata)
        _check_text(self.text, self.metadata)
        if self.image_shape is not None:
            shape = tuple(int(side) for side in self.image_shape)
            if len(shape) != 2 or shape[0] * shape[1] != width:
                raise InvalidDataError(
                    f"image_shape {shape} does not fit: it must be (height, width) with height times width = {width} columns."
                )
            object.__setattr__(self, "image_shape", shape)

    @classmethod
    def of(cls, X: Rows) -> Dataset:
        """Wrap an ndarray, a DataFrame (its index becomes the ids) or return a Dataset unchanged.

        Parameters
        ----------
        X : Dataset, DataFrame or array-like of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        Dataset
            With checked content.
        """
        if isinstance(X, Dataset):
            return X
        if isinstance(X, pd.DataFrame):
            return cls(
                as_matrix(X), ids=X.index.to_numpy(dtype=object), feature_names=[str(name) for name in X.columns]
            )
        return cls(as_matrix(X))

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.X)

    def positions(self, ids: Iterable[object]) -> np.ndarray:
        """Return the row numbers of `ids`.

        Parameters
        ----------
        ids : sequence of int or str
            Sample ids.

        Returns
        -------
        ndarray of shape (n_ids,)
            Row numbers in X.

        Raises
        ------
        UnknownSampleError
            If an id does not exist.
        """
        texts = self.ids.dtype.kind not in "iu"
        wanted = [_id_text(one) if texts or isinstance(one, str) else one for one in ids]
        found = pd.Index(self.ids).get_indexer(pd.Index(wanted)) if wanted else np.empty(0, dtype=np.intp)
        missing = [one for one, position in zip(wanted, found, strict=True) if position < 0]
        if missing:
            raise UnknownSampleError(
                f"There is no sample with id {missing[0]!r}{self._meant(missing[0])}. Expected one of the {len(self)} ids, "
                f"from {self.ids.tolist()[0]!r} in the first row to {self.ids.tolist()[-1]!r} in the last; ids count from 0 "
                f"unless the data brought their own."
            )
        return np.asarray(found)

    def _meant(self, wanted: object) -> str:
        """Name the id that was probably meant."""
        text = str(wanted).strip()
        if self.ids.dtype.kind in "iu":
            is_number = text.lstrip("-").isdigit() and int(text) in self.ids
            return f"; did you mean the number {int(text)}?" if is_number else ""
        close = difflib.get_close_matches(text.casefold(), [str(one).casefold() for one in self.ids[:LOOKED_AT]], 1)
        found = [str(one) for one in self.ids[:LOOKED_AT] if close and str(one).casefold() == close[0]]
        return f"; did you mean {found[0]!r}?" if found else ""

    def fingerprint(self) -> str:
        """Return a short hash of the ids and the values, which names the data a run belongs to.

        Returns
        -------
        str
            16 hexadecimal digits.
        """
        digest = hashlib.sha256(repr(self.X.shape).encode())
        digest.update(self.X.tobytes())
        digest.update("\x1f".join(str(one) for one in self.ids).encode())
        return digest.hexdigest()[:16]


def _check_text(text: str | None, metadata: pd.DataFrame | None) -> None:
    if text is None:
        return
    known = [] if metadata is None else metadata.columns.tolist()
    if text not in known:
        names = ", ".join(known) or "none, as there is no metadata"
        raise InvalidDataError(
            f"text={text!r} is no column of metadata. Expected one of: {names}; it names the column that holds what each row "
            f"is as text. Pass that column in Dataset(metadata=...)."
        )


def _writable(metadata: pd.DataFrame) -> pd.DataFrame:
    """Replace halves of characters, which neither a run nor a page can hold."""

    def mend(value: str) -> str:
        return _LONE.sub("\N{REPLACEMENT CHARACTER}", value)

    for name in [name for name, dtype in metadata.dtypes.items() if pd.api.types.is_object_dtype(dtype)]:
        if any(isinstance(one, str) and _LONE.search(one) for one in metadata[name]):
            metadata[name] = [mend(one) if isinstance(one, str) else one for one in metadata[name]]
    return metadata


def _id_text(one: object) -> str:
    """Return an id as text, with halves of characters written out: unlike a mark for all of them, that keeps ids apart."""
    return _LONE.sub(lambda found: f"\\u{ord(found[0]):x}", str(one))


def _unique_ids(ids: Iterable[object] | None, n: int) -> np.ndarray:
    wanted = range(n) if ids is None else list(ids)
    if len(wanted) != n:
        raise InvalidDataError(f"ids has {len(wanted)} entries, expected {n}: one for each row of X.")
    whole = all(isinstance(one, (int, np.integer)) and not isinstance(one, (bool, np.bool_)) for one in wanted)
    result = np.array(wanted, dtype=np.int64) if whole else np.array([_id_text(one) for one in wanted])
    duplicates = pd.Index(result)[pd.Index(result).duplicated()]
    if len(duplicates):
        raise InvalidDataError(
            f"{len(duplicates)} sample id(s) occur more than once, for example {duplicates.tolist()[0]!r}. Expected unique "
            f"ids; call reset_index(drop=True) on the DataFrame or pass ids=."
        )
    return result
