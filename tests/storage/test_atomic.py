"""Writing: where the user said, through links; inside a run, never through a link; whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from clusterexplain.exceptions import RunWriteError
from clusterexplain.storage import run_files, sidecars
from clusterexplain.storage.atomic import write_in_run, write_output


def in_run(path: Path, blob: bytes) -> None:
    write_in_run(path.parent, path.name, blob)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("write", [write_output, in_run])
def test_a_file_is_made_and_replaced(tmp_path: Path, write: Callable[[Path, bytes], None]) -> None:
    for content in (b"first", b"second"):
        write(tmp_path / "file", content)
        assert (tmp_path / "file").read_bytes() == content
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("write", [write_output, in_run])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None], error: BaseException
) -> None:
    (tmp_path / "file").write_bytes(b"older")

    def interrupted(*arguments: object) -> None:
        raise error

    monkeypatch.setattr("clusterexplain.storage.atomic.os.replace", interrupted)
    with pytest.raises(type(error)):
        write(tmp_path / "file", b"newer")
    assert names(tmp_path) == ["file"]
    assert (tmp_path / "file").read_bytes() == b"older"


def test_a_link_that_the_user_chose_keeps_pointing_where_it_does(tmp_path: Path) -> None:
    target, link = tmp_path / "real", tmp_path / "link"
    link.symlink_to(target)
    for content in (b"first", b"second"):  # a link to nothing, then to a file
        write_output(link, content)
        assert link.is_symlink()
        assert target.read_bytes() == content
    assert names(tmp_path) == ["link", "real"]


def test_links_in_a_circle_are_an_error_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OSError, match=r"Links lead back|symbolic links"):
        write_output(tmp_path / "a", b"x")
    assert names(tmp_path) == ["a", "b"]


def test_pipes_and_devices_that_the_user_chose_are_written_to(tmp_path: Path) -> None:
    pipe, received = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: received.append(pipe.read_bytes()))
    reader.start()
    write_output(pipe, b"x" * 100_000)
    reader.join(timeout=30)
    assert received == [b"x" * 100_000]
    assert pipe.is_fifo()
    write_output(Path("/dev/null"), b"x")
    assert Path("/dev/null").is_char_device()


def test_folders_inside_of_a_run_are_made(tmp_path: Path) -> None:
    write_in_run(tmp_path, "a/b/file", b"x")
    write_in_run(tmp_path, "a/b/other", b"y")
    assert names(tmp_path / "a" / "b") == ["file", "other"]


def test_a_run_directory_may_be_a_link_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "real")
    write_in_run(tmp_path / "run", "file", b"x")
    assert (tmp_path / "real" / "file").read_bytes() == b"x"


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_in_a_run_is_refused_and_its_target_untouched(tmp_path: Path, exists: bool) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    if exists:
        outside.write_bytes(b"mine")
    (run / "file").symlink_to(outside)
    with pytest.raises(
        RunWriteError, match=r"file is a link, .*Expected a regular file, .*; delete the link and try again"
    ):
        write_in_run(run, "file", b"theirs")
    assert outside.exists() == exists
    assert not exists or outside.read_bytes() == b"mine"
    assert names(run) == ["file"]


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_in_a_run_that_is_a_link_is_refused(tmp_path: Path, exists: bool) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    if exists:
        outside.mkdir()
    (run / "folder").symlink_to(outside)
    with pytest.raises(
        RunWriteError, match=r"folder is a link, .*Expected a folder, .*; delete the link and try again"
    ):
        write_in_run(run, "folder/file", b"theirs")
    assert outside.exists() == exists
    assert not exists or names(outside) == []


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for name in ("pipe", "folder"):
        with pytest.raises(RunWriteError, match=rf"{name} is not a regular file\. .*move it away and try again"):
            write_in_run(tmp_path, name, b"x")
    with pytest.raises(RunWriteError, match=r"file is not a folder\. Expected a folder"):
        write_in_run(tmp_path, "file/other", b"x")
    assert names(tmp_path) == ["file", "folder", "pipe"]


@pytest.mark.parametrize("name", ["../file", "/file", "a/../../file", ""])
def test_names_outside_of_a_run_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    with pytest.raises(RunWriteError, match=r"is no name of a file inside of a run\. Expected a relative path"):
        write_in_run(tmp_path / "run", name, b"x")
    assert names(tmp_path) == ["run"]


def test_a_disk_that_refuses_is_an_error_about_the_run(tmp_path: Path) -> None:
    with pytest.raises(RunWriteError, match=r"could not be written \(.*Expected a folder where you may write"):
        write_in_run(tmp_path / "missing", "file", b"x")


@pytest.mark.parametrize("name", list(sidecars.SIDECARS))
def test_no_sidecar_is_written_through_a_link(tmp_path: Path, name: str) -> None:
    import numpy as np

    content = {
        run_files.MAP: sidecars.MapFile(np.zeros((2, 2))),
        run_files.CHECK: sidecars.CheckFile({}),
        run_files.STABILITY: sidecars.StabilityFile({}),
        run_files.NAMES: sidecars.NamesFile({}),
        run_files.DISPLAY: sidecars.DisplayFile("", {}),
    }[name]
    (tmp_path / name).symlink_to(tmp_path / "outside")
    with pytest.raises(RunWriteError, match="is a link"):
        sidecars._write(tmp_path, content)
    assert names(tmp_path) == [name]


def test_old_checks_are_neither_moved_nor_deleted_through_a_link(tmp_path: Path) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir(), outside.mkdir()
    for number in range(sidecars.MOST_CHECKS + 5):
        (outside / f"{number:06d}.json").write_text("{}")
    (run / run_files.CHECK_HISTORY).symlink_to(outside)
    sidecars.write_check(run, {"a": 1})
    with pytest.raises(RunWriteError, match="check_history is a link"):
        sidecars.write_check(run, {"a": 2})
    assert len(names(outside)) == sidecars.MOST_CHECKS + 5
