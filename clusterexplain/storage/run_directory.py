"""A fitted run on disk: one directory that appears whole or not at all, and never executes code when opened.

A manifest, arrays, tensors and, if there are any, metadata: :mod:`clusterexplain.storage.run_files` has their names. What is
written later, if ever, is in :mod:`clusterexplain.storage.sidecars` and, for the parameters of retrained networks, in
:mod:`clusterexplain.verification.retraining_cache`. docs/runs.md lists everything.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import uuid
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from clusterexplain.exceptions import RunDamagedError, RunMismatchError, RunNotFoundError, RunWriteError
from clusterexplain.storage.atomic import write_in_run
from clusterexplain.storage.run_files import ABOUT_THE_FIT, ARRAYS, MANIFEST, TENSORS

FORMAT = 4


@dataclass(frozen=True, eq=False)
class RunContent:
    """Everything that a run directory holds.

    Attributes
    ----------
    manifest : dict
        JSON-compatible description.
    arrays : dict of str to ndarray
        Numeric or string arrays.
    tensors : dict of str to Tensor
        Parameters and states.
    tables : dict of str to DataFrame
        One parquet file each, by the name of the file.
    """

    manifest: dict[str, Any]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    tensors: dict[str, Tensor] = field(default_factory=dict)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def write_run(path: str | os.PathLike[str], content: RunContent, *, overwrite: bool = False) -> Path:
    """Write a run to a temporary directory beside `path` and rename it.

    Parameters
    ----------
    path : path-like
        The run directory to make.
    content : RunContent
        What to write.
    overwrite : bool, default=False
        Replace an existing run. A directory that is not a run is never replaced. Files in it that are not the run's are kept,
        and so are retrainings; checks and everything else about the fit that was there go with it.

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    RunWriteError
        If `path` exists or the disk refuses; nothing half-written is left behind.
    """
    target = Path(path).resolve()
    check_target(target, overwrite=overwrite)
    work: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        work = target.parent / f".{target.name}.{uuid.uuid4().hex}.partial"
        work.mkdir()
        _write_files(work, content)
        _swap(work, target)
    except Exception as error:
        # pyarrow and safetensors raise errors of their own when the disk is full, so every failure is treated alike.
        raise RunWriteError(
            f"The run could not be written to {target}: {error.__cause__ or error}. Nothing half-written was left behind. Free "
            f"some space or choose another folder, and check that the metadata are plain numbers and text; then save again."
        ) from error
    finally:
        if work is not None:
            shutil.rmtree(work, ignore_errors=True)
    return target


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that exists, before anything is computed for it.

    Parameters
    ----------
    target : Path
        The run directory to make.
    overwrite : bool
        Whether an existing run may be replaced.

    Raises
    ------
    RunWriteError
        If it is something else than a run, a run that this program cannot read, or one that may not be replaced.
    """
    if not target.exists():
        return
    try:
        _read_manifest(target)
    except RunNotFoundError as error:
        raise RunWriteError(f"{target} exists and is not a run, so it is left alone. Choose another folder.") from error
    except RunDamagedError as error:
        raise RunWriteError(
            f"{target} exists and is left alone, because its files cannot be told from those of others. {error} Choose another "
            f"folder, or delete this one first if nothing in it is needed."
        ) from error
    if not overwrite:
        raise RunWriteError(
            f"{target} already holds a run. Choose another folder, or replace it with overwrite=True (--overwrite)."
        )


def read_run(path: str | os.PathLike[str]) -> RunContent:
    """Read a run directory, verifying the checksum of every file first.

    Parameters
    ----------
    path : path-like
        A run directory.

    Returns
    -------
    RunContent
        Its content.

    Raises
    ------
    RunNotFoundError
        If there is no run.
    RunDamagedError
        If a file is missing or changed, or the format is another one than this program reads.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    folder = Path(path)
    manifest = _read_manifest(folder)
    blobs = {name: _read_file(folder, name, digest) for name, digest in manifest["files"].items()}

    try:
        with np.load(io.BytesIO(blobs[ARRAYS]), allow_pickle=False) as archive:
            arrays = dict(archive)
        tables = {
            name: pd.read_parquet(io.BytesIO(blob)) for name, blob in blobs.items() if name not in (ARRAYS, TENSORS)
        }
        return RunContent(manifest, arrays, load(blobs[TENSORS]), tables)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile, SafetensorError) as error:
        raise RunDamagedError(
            f"The run {folder} is damaged: {type(error).__name__} {error} while reading its files. Restore it or fit anew."
        ) from error


def newest_run(root: str | os.PathLike[str] = "runs") -> Path:
    """Return the newest run below `root`.

    Parameters
    ----------
    root : path-like, default="runs"
        Where runs are kept.

    Returns
    -------
    Path
        The run directory that was written last.

    Raises
    ------
    RunNotFoundError
        If there is none.
    """
    # A hidden folder is what an interrupted save left behind.
    found = (file for file in Path(root).glob(f"*/{MANIFEST}") if not file.parent.name.startswith("."))
    manifests = sorted(found, key=lambda file: file.stat().st_mtime)
    if not manifests:
        raise RunNotFoundError(
            f"There is no run under {Path(root)}/. Make one with `clusterexplain fit --data digits --out {root}/digits`, or "
            f"name one with --run."
        )
    return manifests[-1].parent


def check_fingerprint(manifest: dict[str, Any], fingerprint: str, *, where: str) -> None:
    """Refuse data that are not those of the run.

    Parameters
    ----------
    manifest : dict
        The run's manifest.
    fingerprint : str
        Fingerprint of the data at hand.
    where : str
        How the message calls the run.

    Raises
    ------
    RunMismatchError
        With both fingerprints.
    """
    if manifest["fingerprint"] != fingerprint:
        raise RunMismatchError(
            f"The run {where} belongs to other data: it was made from data with fingerprint {manifest['fingerprint']}, the "
            f"data given have {fingerprint}. Pass the original rows in the original order with the original ids, or fit anew."
        )


def _write_files(work: Path, content: RunContent) -> None:
    from safetensors.torch import save

    archive = io.BytesIO()
    np.savez_compressed(archive, **content.arrays)  # type: ignore[arg-type]
    blobs = {
        ARRAYS: archive.getvalue(),
        TENSORS: save({name: tensor.contiguous() for name, tensor in content.tensors.items()}),
        **{name: _parquet(table) for name, table in content.tables.items()},
    }
    for name, blob in blobs.items():
        write_in_run(work, name, blob)
    files = {name: _digest(blobs[name]) for name in sorted(blobs)}
    manifest = {"format": FORMAT, **content.manifest, "files": files}
    manifest["digest"] = _manifest_digest(manifest)
    write_in_run(work, MANIFEST, json.dumps(manifest, indent=1).encode())


def _parquet(table: pd.DataFrame) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream)
    return stream.getvalue()


def _swap(work: Path, target: Path) -> None:
    if not target.exists():
        os.rename(work, target)
        return
    known = {MANIFEST, *ABOUT_THE_FIT, *_read_manifest(target)["files"]}
    for kept in target.iterdir():
        if kept.name in known:
            continue
        if kept.is_dir() and not kept.is_symlink():
            shutil.copytree(kept, work / kept.name, symlinks=True)
        else:
            shutil.copy2(kept, work / kept.name, follow_symlinks=False)
    old = target.parent / f".{target.name}.{uuid.uuid4().hex}.old"
    os.rename(target, old)
    try:
        os.rename(work, target)
    except OSError:
        os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _read_manifest(folder: Path) -> dict[str, Any]:
    if not (folder / MANIFEST).exists():
        raise RunNotFoundError(
            f"There is no run at {folder}: {MANIFEST} is missing. Make one with `clusterexplain fit --data digits --out "
            f"{folder}`."
        )
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        version, files = manifest["format"], manifest["files"]
        if not isinstance(files, dict) or not isinstance(version, int):
            raise TypeError("format or files have the wrong type")
        if version == FORMAT and manifest["digest"] != _manifest_digest(manifest):
            raise ValueError("it was changed after it was saved")
    except (ValueError, KeyError, TypeError) as error:
        raise RunDamagedError(
            f"The run {folder} is damaged: {MANIFEST} cannot be read ({error}). Expected the file that `save` wrote; restore "
            f"it or fit anew."
        ) from error
    if version != FORMAT:
        remedy = "Install a newer clusterexplain" if version > FORMAT else "Fit again and save the new run elsewhere"
        raise RunDamagedError(
            f"The run {folder} has format {version}, but this program reads format {FORMAT}. {remedy}."
        )
    return dict(manifest)


def _read_file(folder: Path, name: str, digest: str) -> bytes:
    if Path(name).name != name:
        raise RunDamagedError(f"The run {folder} is damaged: {MANIFEST} names a file outside of it ({name!r}).")
    try:
        blob = (folder / name).read_bytes()
    except OSError as error:
        raise RunDamagedError(
            f"The run {folder} is damaged: {name} cannot be read ({error}). Restore it or fit anew."
        ) from error
    if _digest(blob) != digest:
        raise RunDamagedError(
            f"The run {folder} is damaged: {name} is not the file that was saved (its checksum differs). Restore it or fit "
            f"anew."
        )
    return blob


def _manifest_digest(manifest: dict[str, Any]) -> str:
    content = {name: value for name, value in manifest.items() if name != "digest"}
    return _digest(json.dumps(content, sort_keys=True).encode())


def _digest(blob: bytes) -> str:
    return hashlib.sha256(blob).hexdigest()
