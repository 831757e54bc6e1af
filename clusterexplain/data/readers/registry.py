"""Readers by the kind of a file: what each takes, and one call for all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clusterexplain.data.dataset import Dataset
from clusterexplain.data.readers.anndata import read_h5ad
from clusterexplain.data.readers.dialect import COMPRESSED
from clusterexplain.data.readers.images import PICTURES, read_images
from clusterexplain.data.readers.table import COLUMNAR, TEXT, kind_of, read_table
from clusterexplain.data.readers.vectors import ARRAYS, read_vectors
from clusterexplain.exceptions import InvalidDataError

FOLDER = "a folder"
"""The kind of a folder of pictures."""


@dataclass(frozen=True)
class Reader:
    """What reads one kind of file.

    Attributes
    ----------
    read : callable
        ``(path, **options) -> Dataset``.
    takes : tuple of str
        Its options.
    """

    read: Callable[..., Dataset]
    takes: tuple[str, ...]


_COLUMNS = ("ids", "text", "metadata", "labels")
_TABLE = Reader(read_table, (*_COLUMNS, "embedding_column"))
_VECTORS = Reader(read_vectors, (*_COLUMNS, "table", "use_rep"))
READERS: dict[str, Reader] = {
    **dict.fromkeys((*TEXT, *COLUMNAR), _TABLE),
    **dict.fromkeys(ARRAYS, _VECTORS),
    ".h5ad": Reader(read_h5ad, (*_COLUMNS, "use_rep", "map")),
    FOLDER: Reader(read_images, ("size", "mode", "skip_bad")),
}
"""By ending in small letters; text may be compressed (.gz, .bz2, .xz, .zip)."""
ADVICE = {
    ".xls": "save it as .csv from the spreadsheet program",
    ".xlsx": "save it as .csv from the spreadsheet program, or pandas.read_excel(...).to_parquet(...)",
    ".ods": "save it as .csv from the spreadsheet program",
    ".json": "pandas.read_json(...).to_parquet(...) makes a table of it",
    ".jsonl": "pandas.read_json(..., lines=True).to_parquet(...) makes a table of it",
    ".pkl": "pickles are never opened, as they can run code; save a table or an array instead",
    ".pickle": "pickles are never opened, as they can run code; save a table or an array instead",
    ".joblib": "pickles are never opened, as they can run code; save a table or an array instead",
    ".pt": "pickles are never opened, as they can run code; numpy.save('rows.npy', tensor.numpy()) saves an array",
    ".pth": "pickles are never opened, as they can run code; numpy.save('rows.npy', tensor.numpy()) saves an array",
    ".h5": "only .h5ad (AnnData) is read; numpy.save saves one array of it",
    ".loom": "anndata.read_loom(...).write_h5ad(...) makes an .h5ad of it",
    ".mtx": "scanpy.read_10x_mtx(folder).write_h5ad(...) makes an .h5ad of it",
    ".zarr": "anndata.read_zarr(...).write_h5ad(...) makes an .h5ad of it",
    ".safetensors": "numpy.save('rows.npy', tensors['name']) saves one array of it",
}
"""What to do with files of other kinds."""


def read(path: Path, **options: object) -> Dataset:
    """Read a file or a folder of any kind that is known.

    Parameters
    ----------
    path : Path
        Its ending, in capitals or not, says what it is.
    **options : object
        Those of its reader; None, False and empty ones count as not given.

    Returns
    -------
    Dataset
        Its rows.

    Raises
    ------
    InvalidDataError
        If it does not exist, is of another kind, cannot be read, or does not take an option.
    """
    reader = READERS[_known_kind(path)]
    given = {name: value for name, value in options.items() if value is not None and value is not False and value != ()}
    given = {name: value for name, value in given.items() if not (isinstance(value, list) and not value)}
    foreign = [name for name in given if name not in reader.takes]
    if foreign:
        where = {name: [kind for kind, one in READERS.items() if name in one.takes] for name in foreign}
        listed = "; ".join(f"--{name.replace('_', '-')} is for {', '.join(kinds)}" for name, kinds in where.items())
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in reader.takes)
        raise InvalidDataError(
            f"{path} does not take {', '.join(foreign)} ({listed}). Expected, for this kind of file, no other options than "
            f"{flags}."
        )
    return reader.read(path, **given)


def _known_kind(path: Path) -> str:
    """Return the kind of a file that exists, or say what was expected."""
    kinds = ", ".join(kind for kind in READERS if kind != FOLDER)
    if path.is_dir() and kind_of(path) != ".zarr":
        return FOLDER
    kind = kind_of(path)
    if kind in PICTURES:
        raise InvalidDataError(f"{path} is one picture. Expected the folder that holds the pictures, or a table.")
    if kind not in READERS:
        advice = f"; {ADVICE[kind]}" if kind in ADVICE else f" ({', '.join(COMPRESSED)} behind the name of a text file)"
        raise InvalidDataError(
            f"{path} is of an unknown kind. Expected a name ending in {kinds}, or a folder of pictures{advice}."
        )
    if not path.is_file():
        raise InvalidDataError(f"There is no file {path}. Expected a file ending in {kinds}; check the spelling.")
    return kind
