"""Run directories: whole or not at all, never executed, refused when damaged or foreign."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, Dataset, EmbeddingTask, load_dataset
from clusterexplain.exceptions import RunDamagedError, RunMismatchError, RunNotFoundError, RunWriteError
from clusterexplain.report.samples.previewer import SamplePreviewer
from clusterexplain.storage import run_directory, run_files, sidecars
from clusterexplain.storage.run_directory import newest_run
from tests.conftest import SMALL


@pytest.fixture
def saved(small: ClusterExplainer, tmp_path: Path) -> Path:
    return small.save(tmp_path / "run")


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 2,000 bytes: the closest to a full disk that needs no disk.

    Not a fixture: pytest reports a test before it tears fixtures down, and its own output must not meet the limit.
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_round_trip_gives_the_same_bytes(small: ClusterExplainer, saved: Path, blobs: np.ndarray) -> None:
    loaded = ClusterExplainer.load(saved)
    assert loaded.get_params() == small.get_params()
    np.testing.assert_array_equal(loaded.labels_, small.labels_)
    np.testing.assert_array_equal(loaded.transform(blobs), small.transform(blobs))
    assert loaded.explain([3]).influence.tobytes() == small.explain([3]).influence.tobytes()
    weights = np.ones(30)
    weights[2] = 0
    np.testing.assert_array_equal(loaded.refit(weights).embedding_, small.refit(weights).embedding_)


def test_ids_names_and_metadata_survive(blobs: np.ndarray, tmp_path: Path) -> None:
    data = Dataset(
        blobs,
        ids=np.array([f"s{i}" for i in range(30)]),
        feature_names=list("abcde"),
        metadata=pd.DataFrame({"batch": np.arange(30) % 2}),
    )
    ClusterExplainer(**SMALL).fit(data).save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run")
    assert loaded.data_.feature_names == list("abcde")
    assert loaded.explain(["s4"]).by("batch")["n"].tolist() == [15, 15]


TEXTS = [
    "plain", "</script><script>alert('x')</script>\"&", "\u202eRTL\u200f", "\U0001f469\u200d\U0001f680", "x" * 10_000,
    "\ud800torn", "NUL\0inside", "", None, "two\nlines",
]  # fmt: skip


def test_texts_survive(blobs: np.ndarray, tmp_path: Path) -> None:
    table = pd.DataFrame({"body": pd.Series(TEXTS * 3, dtype=object), "batch": np.arange(30) % 2})
    data = Dataset(blobs, metadata=table, text="body")
    assert table["body"][5] == "\ud800torn"
    ClusterExplainer(**SMALL).fit(data).save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run").data_
    assert loaded.text == "body"
    assert loaded.metadata is not None
    found = loaded.metadata["body"].tolist()[:10]
    assert found[:5] + found[6:8] + found[9:] == TEXTS[:5] + TEXTS[6:8] + TEXTS[9:]
    assert found[5] == "\ufffdtorn"
    assert pd.isna(found[8])
    rows, before = SamplePreviewer.of(loaded), SamplePreviewer.of(data)
    assert [rows.preview(blobs[i], i) for i in range(30)] == [before.preview(blobs[i], i) for i in range(30)]


def test_named_data_keep_what_was_added(tmp_path: Path) -> None:
    wine = load_dataset("wine")
    assert wine.metadata is not None
    table = wine.metadata.assign(note=[f"bottle {i}" for i in range(len(wine))])
    data = dataclasses.replace(wine, metadata=table, text="note")
    ClusterExplainer(**SMALL).fit(data).save(tmp_path / "run")
    loaded = ClusterExplainer.load(tmp_path / "run").data_
    assert (loaded.name, loaded.text) == ("wine", "note")
    pd.testing.assert_frame_equal(loaded.metadata, data.metadata)


def test_existing_targets_are_left_alone(small: ClusterExplainer, saved: Path, tmp_path: Path) -> None:
    with pytest.raises(
        RunWriteError, match=r"already holds a run\. Choose another folder, or replace it with overwrite=True"
    ):
        small.save(saved)
    small.save(saved, overwrite=True)
    (tmp_path / "mine").mkdir()
    with pytest.raises(RunWriteError, match=r"exists and is not a run, so it is left alone"):
        small.save(tmp_path / "mine", overwrite=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "run"]


def test_other_data_are_refused_with_both_fingerprints(saved: Path, blobs: np.ndarray) -> None:
    assert ClusterExplainer.load(saved, data=blobs).labels_.shape == (30,)
    with pytest.raises(
        RunMismatchError, match=r"belongs to other data: .*fingerprint [0-9a-f]{16}, the data given have [0-9a-f]{16}"
    ):
        ClusterExplainer.load(saved, data=blobs + 1)


@pytest.mark.parametrize("name", ["arrays.npz", "tensors.safetensors"])
def test_damage_is_named(saved: Path, name: str) -> None:
    blob = bytearray((saved / name).read_bytes())
    blob[len(blob) // 2] ^= 1
    (saved / name).write_bytes(blob)
    with pytest.raises(RunDamagedError, match=rf"is damaged: {name} is not the file that was saved.*fit anew"):
        ClusterExplainer.load(saved)
    (saved / name).unlink()
    with pytest.raises(RunDamagedError, match=rf"is damaged: {name} cannot be read"):
        ClusterExplainer.load(saved)


def test_a_manifest_that_is_torn_foreign_or_newer(saved: Path) -> None:
    manifest = json.loads((saved / "run.json").read_text())

    def write(**changes: object) -> None:
        kept = {name: value for name, value in manifest.items() if name not in changes}
        changed = kept | {name: value for name, value in changes.items() if value is not None}
        changed["digest"] = run_directory._manifest_digest(changed)
        (saved / "run.json").write_text(json.dumps(changed))

    (saved / "run.json").write_text("{")
    with pytest.raises(RunDamagedError, match=r"run\.json cannot be read"):
        ClusterExplainer.load(saved)
    (saved / "run.json").write_text(json.dumps({**manifest, "seed": 5}))
    with pytest.raises(RunDamagedError, match=r"cannot be read \(it was changed after it was saved\)"):
        ClusterExplainer.load(saved)
    write(format=99)
    with pytest.raises(RunDamagedError, match=r"has format 99, but this program reads format 4\. Install a newer"):
        ClusterExplainer.load(saved)
    write(format=3)
    with pytest.raises(RunDamagedError, match=r"has format 3, but this program reads format 4\. Fit again and save"):
        ClusterExplainer.load(saved)
    write(files={"../../etc/passwd": "0"})
    with pytest.raises(RunDamagedError, match=r"names a file outside of it"):
        ClusterExplainer.load(saved)
    write(seed=None)
    with pytest.raises(RunDamagedError, match=r"is damaged: KeyError"):
        ClusterExplainer.load(saved)
    write(config={**manifest["config"], "learning_rate": 0.1})
    with pytest.raises(RunDamagedError, match=r"replaying its last steps ends elsewhere"):
        ClusterExplainer.load(saved)


@pytest.mark.parametrize(("content", "reason"), [
    ({"format": 3, "files": {}}, r"has format 3, but this program reads format 4\. Fit again"),
    ({"format": 4}, r"is damaged: run\.json cannot be read"),
])  # fmt: skip
def test_an_overwrite_of_what_cannot_be_read_says_why(
    small: ClusterExplainer, saved: Path, content: dict[str, Any], reason: str
) -> None:
    (saved / run_files.MANIFEST).write_text(json.dumps(content))
    before = sorted(saved.iterdir())
    words = rf"exists and is left alone, because .*{reason}.*Choose another folder, or delete this one first"
    with pytest.raises(RunWriteError, match=words):
        small.save(saved, overwrite=True)
    assert sorted(saved.iterdir()) == before


def test_files_of_others_in_a_run_survive_an_overwrite(small: ClusterExplainer, saved: Path) -> None:
    (saved / "notes.txt").write_text("mine")
    (saved / "paper").mkdir()
    for link in (saved / "link.txt", saved / "paper" / "link.txt"):
        link.symlink_to(saved / "notes.txt")
    small.save(saved, overwrite=True)
    assert (saved / "notes.txt").read_text() == "mine"
    assert all(link.is_symlink() for link in (saved / "link.txt", saved / "paper" / "link.txt"))


def test_an_overwrite_keeps_retrainings_and_nothing_else_about_the_fit_before(
    small: ClusterExplainer, saved: Path, blobs: np.ndarray
) -> None:
    def shifted(offset: float) -> EmbeddingTask:
        torch.manual_seed(0)
        net = nn.ModuleDict({"encoder": nn.Linear(5, 2), "decoder": nn.Linear(2, 5)})

        def loss(pair: nn.Module, inputs: Tensor) -> Tensor:
            return (pair.decoder(pair.encoder(inputs)) - inputs - offset).square().mean(dim=1)

        return EmbeddingTask.from_module(net["encoder"], decoder=net["decoder"], example_loss=loss)

    few = SMALL | {"learning_rate": 1e-3, "hidden": None, "latent_dim": None}
    first, second = (ClusterExplainer(**few, model=shifted(offset)).fit(blobs) for offset in (0.0, 1e-4))
    answers = [ce.explain([3]) for ce in (first, second)]
    check = first.verify(answers[0], n_single=2, n_within=0, n_groups=0, n_top=0).explanation.stored_check()
    # a loss has no fingerprint: the check of one fit looks like that of the other, so it must not stay in the folder
    assert answers[1].with_check(check).check is not None
    first.save(saved, overwrite=True)
    for _ in range(2):
        sidecars.write_check(saved, check)
    sidecars.write_map(saved, np.zeros((30, 2)))
    sidecars.write_names(saved, {0: "old"})
    (saved / run_files.RETRAININGS).mkdir()
    (saved / run_files.RETRAININGS / "one.npy").write_bytes(b"kept")
    second.save(saved, overwrite=True)
    assert sidecars.read_checks(saved) == []
    assert {file.name for file in saved.iterdir()} == {
        run_files.MANIFEST, run_files.ARRAYS, run_files.TENSORS, run_files.RETRAININGS
    }  # fmt: skip
    assert (saved / run_files.RETRAININGS / "one.npy").read_bytes() == b"kept"


def test_a_torn_check_is_named(saved: Path) -> None:
    assert sidecars.read_check(saved) is None
    (saved / "check.json").write_text("{}")
    with pytest.raises(RunDamagedError, match=r"check\.json cannot be read .*Delete it and run verify again"):
        sidecars.read_check(saved)


def test_nothing_is_unpickled(saved: Path) -> None:
    for file in saved.iterdir():
        assert b"cnumpy" not in file.read_bytes()
    assert {file.suffix for file in saved.iterdir()} <= {".json", ".npz", ".safetensors", ".parquet"}


def test_a_full_disk_leaves_nothing_behind(small: ClusterExplainer, tmp_path: Path) -> None:
    with (
        full_disk(),
        pytest.raises(
            RunWriteError, match=r"could not be written .*Nothing half-written was left behind\. Free some space"
        ),
    ):
        small.save(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_missing_and_newest_runs(small: ClusterExplainer, tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError, match=r"There is no run at .*run\.json is missing\. Make one with"):
        ClusterExplainer.load(tmp_path / "nothing")
    with pytest.raises(
        RunNotFoundError, match=r"There is no run under .*Make one with `clusterexplain fit --data digits"
    ):
        newest_run(tmp_path)
    for age, name in ((100, "old"), (0, "new"), (-100, ".hidden.partial")):
        small.save(tmp_path / name)
        stamp = 1_700_000_000 - age
        os.utime(tmp_path / name / "run.json", (stamp, stamp))
    assert newest_run(tmp_path).name == "new"


def test_smoothness_and_execution_survive(blobs: np.ndarray, tmp_path: Path) -> None:
    parameters = SMALL | {"n_jobs": 1, "max_memory": 5e8, "verbose": True}
    ce = ClusterExplainer(**parameters, measure_smoothness=True).fit(blobs)
    loaded = ClusterExplainer.load(ce.save(tmp_path / "run"))
    assert loaded.smoothness_ == ce.smoothness_
    assert loaded.get_params() == ce.get_params()
    loaded.set_params(verbose=False, n_jobs=2)
    assert (loaded.fit_.execution.progress, loaded.fit_.execution.n_jobs) == (False, 2)


@pytest.mark.parametrize(
    ("place", "value"),
    [("data", None), ("clustering", None), ("layout", None), ("config.said", None), ("config.said.model", None),
     ("spacing", "x"), ("loss", "x"), ("config.model", "nope"), ("config.learning_rate", None)],
)  # fmt: skip
def test_content_that_cannot_be_used_is_damage(saved: Path, place: str, value: object) -> None:
    """A value of None takes the entry out; the digest is right, as of a run that another program wrote."""
    manifest = json.loads((saved / "run.json").read_text())
    *path, name = place.split(".")
    table = manifest
    for part in path:
        table = table[part]
    if value is None:
        del table[name]
    else:
        table[name] = value
    manifest["digest"] = run_directory._manifest_digest(manifest)
    (saved / "run.json").write_text(json.dumps(manifest))
    with pytest.raises(RunDamagedError, match=r"is damaged.*Restore it or fit anew"):
        ClusterExplainer.load(saved)
