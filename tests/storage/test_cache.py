"""The cache: the same bits or nothing; named by all that a result depends on; never in the way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clusterexplain.storage.cache import ArrayCache


@pytest.mark.parametrize(
    "array", [np.arange(6.0).reshape(2, 3), np.float32(np.nan), np.array(["a", "bc"]), np.empty((0, 4))], ids=range(4)
)
def test_arrays_come_back_to_the_bit(tmp_path: Path, array: np.ndarray) -> None:
    cache = ArrayCache(tmp_path / "made" / "later", "kept")
    name = cache.name("part", seed="0")
    assert cache.read(name) is None
    cache.write(name, np.asarray(array))
    stored = cache.read(name)
    assert stored is not None
    assert (stored.dtype, stored.shape, stored.tobytes()) == (
        np.asarray(array).dtype,
        np.asarray(array).shape,
        np.asarray(array).tobytes(),
    )


def test_a_name_depends_on_every_part_and_not_on_their_order() -> None:
    named = ArrayCache.name
    assert named("A part!", a="1", b=b"2") == named("A part!", b="2", a=b"1")
    assert named("A part!", a="1").startswith("a-part-")
    names = [named("x", a="1", b="2"), named("x", a="12", b=""), named("x", a="1"), named("y", a="1", b="2")]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("damage", ["empty", "torn", "changed", "other", "folder"])
def test_what_is_damaged_counts_as_missing(tmp_path: Path, damage: str) -> None:
    cache = ArrayCache(tmp_path, "kept")
    cache.write("x.npy", np.arange(100))
    file = tmp_path / "kept" / "x.npy"
    content = bytearray(file.read_bytes())
    if damage == "changed":
        content[300] ^= 1
    new = {"empty": b"", "torn": bytes(content[:100]), "changed": bytes(content), "other": b"x" * 500}
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        file.write_bytes(new[damage])
    assert cache.read("x.npy") is None


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    import hashlib
    import io

    stream = io.BytesIO()
    np.save(stream, np.array([{}], dtype=object), allow_pickle=True)
    content = stream.getvalue()
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "x.npy").write_bytes(hashlib.sha256(content).hexdigest().encode() + content)
    assert ArrayCache(tmp_path, "kept").read("x.npy") is None


def test_no_more_is_kept_than_fits(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, "kept", max_bytes=1000)
    for number in range(4):
        cache.write(f"{number}.npy", np.zeros(100))
    assert sorted(file.name for file in (tmp_path / "kept").iterdir()) == ["0.npy", "1.npy"]


def test_a_broken_link_beside_the_entries_is_in_nobodys_way(tmp_path: Path) -> None:
    cache = ArrayCache(tmp_path, "kept")
    cache.write("a.npy", np.zeros(3))
    (tmp_path / "kept" / "broken.npy").symlink_to(tmp_path / "nothing")
    cache.write("b.npy", np.zeros(3))
    assert cache.read("b.npy") is not None


@pytest.mark.parametrize("obstacle", ["file", "link"])
def test_a_folder_that_cannot_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, obstacle: str
) -> None:
    (tmp_path / "outside").mkdir()
    if obstacle == "file":
        (tmp_path / "kept").write_bytes(b"")
    else:
        (tmp_path / "kept").symlink_to(tmp_path / "outside")
    ArrayCache(tmp_path, "kept").write("x.npy", np.zeros(3))
    assert "x.npy could not be kept" in caplog.text
    assert list((tmp_path / "outside").iterdir()) == []


def test_without_a_folder_nothing_is_kept() -> None:
    cache = ArrayCache(None, "kept")
    cache.write("x.npy", np.zeros(3))
    assert cache.read("x.npy") is None
