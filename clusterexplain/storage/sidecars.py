"""Files that are written into a run after it was saved: map, newest check, stability, names and colours of clusters.

Each is one file, written whole or not at all; none holds code.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np

from clusterexplain.exceptions import ClusterExplainWarning, RunDamagedError, warn
from clusterexplain.storage.atomic import write_in_run
from clusterexplain.storage.check_schema import check_content
from clusterexplain.storage.jsonable import to_jsonable
from clusterexplain.storage.run_files import CHECK, CHECK_HISTORY, DISPLAY, MAP, NAMES, STABILITY
from clusterexplain.storage.schema import expect, text, values_of

MOST_CHECKS = 50
LONGEST_SOURCE = 200
"""Letters in the words for a map."""
_DAMAGE = (
    ValueError,
    TypeError,
    AttributeError,
    KeyError,
    OSError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    zipfile.BadZipFile,
)
"""What readers raise for bytes that nobody meant for them."""


class Sidecar(Protocol):
    """The content of one file beside a run's own."""

    file: ClassVar[str]
    """Its name in the run directory."""
    remedy: ClassVar[str]
    """What makes the file again, for messages."""

    def to_bytes(self) -> bytes:
        """Return the content of the file."""
        ...

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Return the content of a file, which anybody may have written; raise one of ``_DAMAGE`` for anything else."""
        ...


@dataclass(frozen=True, eq=False)
class MapFile:
    """Where each sample is drawn, shape (n_samples, 2)."""

    coordinates: np.ndarray
    file: ClassVar[str] = MAP
    remedy: ClassVar[str] = "draw the map again"

    def to_bytes(self) -> bytes:
        """Return a NumPy file."""
        stream = io.BytesIO()
        np.save(stream, self.coordinates, allow_pickle=False)
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read a NumPy file of finite numbers without pickle."""
        array = np.load(io.BytesIO(blob), allow_pickle=False)
        expect(isinstance(array, np.ndarray) and array.dtype.kind in "fiu", "it does not hold an array of numbers")
        expect(array.ndim == 2 and array.shape[1] == 2, "it does not hold two coordinates for each sample")
        coordinates = np.asarray(array, dtype=np.float64)
        expect(bool(np.isfinite(coordinates).all()), "a coordinate is not finite")
        return cls(coordinates)


@dataclass(frozen=True, eq=False)
class CheckFile:
    """A check of answers, as plain data; ``check_content`` says which entries it has."""

    content: dict[str, Any]
    file: ClassVar[str] = CHECK
    remedy: ClassVar[str] = "run verify again"

    def to_bytes(self) -> bytes:
        """Return JSON; numbers that are not finite are null."""
        return json.dumps(to_jsonable(self.content), indent=1, allow_nan=False).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read JSON that says what a check can say."""
        content = json.loads(blob, parse_constant=_refuse_constant)
        check_content(content)
        return cls(content)


@dataclass(frozen=True, eq=False)
class StabilityFile:
    """The arrays of a stability."""

    arrays: dict[str, np.ndarray]
    file: ClassVar[str] = STABILITY
    remedy: ClassVar[str] = "run stability again"

    def to_bytes(self) -> bytes:
        """Return a compressed NumPy archive."""
        stream = io.BytesIO()
        np.savez_compressed(stream, **self.arrays)  # type: ignore[arg-type]
        return stream.getvalue()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read a NumPy archive without pickle."""
        with np.load(io.BytesIO(blob), allow_pickle=False) as archive:
            return cls(dict(archive))


@dataclass(frozen=True)
class NamesFile:
    """Names of clusters, by cluster number."""

    names: dict[int, str]
    file: ClassVar[str] = NAMES
    remedy: ClassVar[str] = "name the clusters again"

    def to_bytes(self) -> bytes:
        """Return JSON."""
        return json.dumps({str(cluster): name for cluster, name in self.names.items()}).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read JSON: an object of texts by whole numbers."""
        content = json.loads(blob)
        values_of(text("a name is not text"), "it is not an object")(content)
        return cls({int(cluster): name for cluster, name in content.items()})


@dataclass(frozen=True)
class DisplayFile:
    """What the map is, if it was given, and colours of clusters, by cluster number."""

    map_source: str
    colours: dict[int, str]
    file: ClassVar[str] = DISPLAY
    remedy: ClassVar[str] = "give map and colours to fit again"

    def to_bytes(self) -> bytes:
        """Return JSON."""
        colours = {str(cluster): colour for cluster, colour in self.colours.items()}
        return json.dumps({"map": self.map_source, "colours": colours}).encode()

    @classmethod
    def from_bytes(cls, blob: bytes) -> Self:
        """Read JSON: a text and an object of texts by whole numbers."""
        content = json.loads(blob)
        expect(isinstance(content, dict) and set(content) == {"map", "colours"}, "it does not hold a map and colours")
        text("the map is not text")(content["map"])
        expect(content["map"].isprintable() and len(content["map"]) <= LONGEST_SOURCE, "the map is no short text")
        values_of(text("a colour is not text"), "the colours are not an object")(content["colours"])
        return cls(content["map"], {int(cluster): colour for cluster, colour in content["colours"].items()})


SIDECARS: dict[str, type[Sidecar]] = {
    kind.file: kind for kind in (MapFile, CheckFile, StabilityFile, NamesFile, DisplayFile)
}
"""Every file that may be written beside a run's own, by name."""
_Content = TypeVar("_Content", bound=Sidecar)


def write_map(path: str | os.PathLike[str], coordinates: np.ndarray) -> None:
    """Store the two-dimensional view in a run; where that is not possible, warn: it can be drawn again."""
    try:
        _write(path, MapFile(coordinates))
    except OSError as error:
        warn(
            f"The map could not be kept in {path} ({error.__cause__ or error}), so it is drawn anew next time. Nothing else is "
            f"missing; let the folder be writable to keep it.",
            ClusterExplainWarning,
        )


def read_map(path: str | os.PathLike[str], n_samples: int) -> np.ndarray | None:
    """Return the stored view, shape (n_samples, 2), or None if there is none that fits: it can be drawn again."""
    try:
        stored = _read(Path(path) / MAP, MapFile)
    except RunDamagedError:
        return None
    return stored.coordinates if stored is not None and len(stored.coordinates) == n_samples else None


def write_check(path: str | os.PathLike[str], check: dict[str, Any]) -> None:
    """Store the newest check in a run; numbers that are not finite become null.

    The one before it is kept too, up to ``MOST_CHECKS`` of them, see :func:`read_checks`.
    """
    history, newest = Path(path) / CHECK_HISTORY, Path(path) / CHECK
    if newest.is_file():
        kept = sorted(history.glob("*.json"))
        number = int(kept[-1].stem) + 1 if kept and kept[-1].stem.isdigit() else len(kept)
        write_in_run(path, f"{CHECK_HISTORY}/{number:06d}.json", newest.read_bytes())
        for old in kept[: max(0, len(kept) + 1 - MOST_CHECKS)]:
            old.unlink(missing_ok=True)
    _write(path, CheckFile(check))


def read_checks(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return all checks that a run has kept, newest first.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    list of dict
        See :func:`read_check`; older ones that cannot be read are left out.

    Raises
    ------
    RunDamagedError
        If the newest one cannot be read.
    """
    checks = [_read(Path(path) / CHECK, CheckFile)]
    for file in sorted((Path(path) / CHECK_HISTORY).glob("*.json"), reverse=True):
        with contextlib.suppress(RunDamagedError):
            checks.append(_read(file, CheckFile))
    return [check.content for check in checks if check is not None]


def read_check(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the newest check of a run, or None.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict or None
        What :func:`write_check` stored.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read, or holds what no check can say.
    """
    stored = _read(Path(path) / CHECK, CheckFile)
    return None if stored is None else stored.content


def write_stability(path: str | os.PathLike[str], arrays: dict[str, np.ndarray]) -> None:
    """Store the newest stability in a run."""
    _write(path, StabilityFile(arrays))


def read_stability(path: str | os.PathLike[str]) -> dict[str, np.ndarray] | None:
    """Return the arrays of the newest stability of a run, or None.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict of str to ndarray or None
        What :func:`write_stability` stored.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    stored = _read(Path(path) / STABILITY, StabilityFile)
    return None if stored is None else stored.arrays


def write_names(path: str | os.PathLike[str], names: dict[int, str]) -> None:
    """Store the names of clusters in a run."""
    _write(path, NamesFile(names))


def read_names(path: str | os.PathLike[str]) -> dict[int, str]:
    """Return the names of a run's clusters; empty if there are none.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    dict of int to str
        By cluster number.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    stored = _read(Path(path) / NAMES, NamesFile)
    return {} if stored is None else stored.names


def write_display(path: str | os.PathLike[str], map_source: str, colours: dict[int, str]) -> None:
    """Store what the map is, if it was given, and the colours of clusters in a run."""
    _write(path, DisplayFile(map_source, colours))


def read_display(path: str | os.PathLike[str]) -> tuple[str, dict[int, str]]:
    """Return what the map is ("" if it was drawn here) and the colours of a run's clusters.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    map_source : str
        In words.
    colours : dict of int to str
        By cluster number; any text.

    Raises
    ------
    RunDamagedError
        If the file is there and cannot be read.
    """
    stored = _read(Path(path) / DISPLAY, DisplayFile)
    return ("", {}) if stored is None else (stored.map_source, stored.colours)


def _write(run_directory: str | os.PathLike[str], content: Sidecar) -> None:
    write_in_run(run_directory, content.file, content.to_bytes())


def _read(file: Path, kind: type[_Content]) -> _Content | None:
    """Return the content of a file, None if there is none."""
    if not file.exists():
        return None
    try:
        expect(file.is_file(), "it is not a regular file")  # a pipe would be waited for
        return kind.from_bytes(file.read_bytes())
    except _DAMAGE as error:
        raise RunDamagedError(f"{file} cannot be read ({error}). Delete it and {kind.remedy}.") from error


def _refuse_constant(word: str) -> None:
    raise ValueError(f"{word} is not a number")
