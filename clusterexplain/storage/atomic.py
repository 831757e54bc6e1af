"""The two ways in which a file is written: where the user said, and inside a run directory.

Both write under a fresh name in the same folder and rename: a file appears whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from pathlib import Path, PurePosixPath

from clusterexplain.exceptions import RunWriteError


def write_output(path: Path, blob: bytes) -> None:
    """Write a file where the user said.

    Parameters
    ----------
    path : Path
        A link keeps pointing where it does; a pipe or a device is written to as it is.
    blob : bytes
        The content.

    Raises
    ------
    OSError
        If the disk refuses; nothing half-written is left behind.
    """
    if path.exists() and not path.is_file():
        path.write_bytes(blob)
        return
    try:
        target = path.resolve()
    except RuntimeError as error:  # before Python 3.13
        raise OSError(errno.ELOOP, "Links lead back to where they begin", str(path)) from error
    _replace(target, blob)


def write_in_run(run_directory: str | os.PathLike[str], name: str, blob: bytes) -> None:
    """Write a file inside a run directory, which somebody else may have made: links in it are never followed.

    Parameters
    ----------
    run_directory : path-like
        An existing folder; that it is a link itself is the user's choice.
    name : str
        Relative to the folder, parts separated by slashes; folders on the way are made.
    blob : bytes
        The content.

    Raises
    ------
    RunWriteError
        If the name, or a folder on the way to it, is a link or something else than a regular file or folder; or if the disk
        refuses. Nothing half-written is left behind.
    """
    entry = Path(run_directory, *PurePosixPath(name).parts)
    try:
        _make_folders(Path(run_directory), name)
        _refuse_unless(entry, "a regular file", entry.is_file() or not entry.exists())
        _replace(entry, blob)
    except RunWriteError:
        raise
    except OSError as error:
        raise RunWriteError(
            f"{entry} could not be written ({error}). Expected a folder where you may write, with some space left; nothing "
            f"half-written was left behind."
        ) from error


def _make_folders(run_directory: Path, name: str) -> None:
    """Make the folders between a run directory and a file in it; none of them may be a link."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.parts:
        raise RunWriteError(f"{name!r} is no name of a file inside of a run. Expected a relative path without '..'.")
    folder = run_directory
    for part in relative.parts[:-1]:
        folder /= part
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
        _refuse_unless(folder, "a folder", folder.is_dir())


def _refuse_unless(entry: Path, expected: str, fits: bool) -> None:
    if entry.is_symlink():
        raise RunWriteError(
            f"{entry} is a link, and nothing inside of a run is written through a link. Expected {expected}, or nothing of "
            f"that name; delete the link and try again."
        )
    if not fits:
        raise RunWriteError(
            f"{entry} is not {expected}. Expected {expected}, or nothing of that name; move it away and try again."
        )


def _replace(target: Path, blob: bytes) -> None:
    """Write a fresh file beside `target` and rename it onto that name, which replaces a link and does not follow it."""
    partial = target.with_name(f".{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:  # O_CREAT | O_EXCL: fails on whatever is there, a link included
            file.write(blob)
        os.replace(partial, target)
    finally:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
