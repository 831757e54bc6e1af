"""Retrainings that are kept: only whole ones are used, and only for what they belong to."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from clusterexplain import ClusterExplainer, EmbeddingTask
from clusterexplain.models import Stage
from clusterexplain.models.task import Params
from clusterexplain.storage.run_files import RETRAININGS
from clusterexplain.verification import verify
from clusterexplain.verification.retraining_cache import RetrainingCache
from tests.conftest import SMALL

FEW = {"n_single": 6, "n_within": 0, "n_groups": 0, "n_top": 0}


def npz() -> bytes:
    stream = io.BytesIO()
    np.savez(stream, a=np.zeros(3))
    return stream.getvalue()


@pytest.mark.parametrize("junk", [b"", b"PK\x03\x04junk", b"x" * 200, npz()], ids=["empty", "zip", "text", "npz"])
def test_junk_is_trained_again(small: ClusterExplainer, tmp_path: Path, junk: bytes) -> None:
    e = small.explain([0])
    first = verify(e, cache=tmp_path, **FEW).table
    files = list((tmp_path / RETRAININGS).iterdir())
    for file in files:
        file.write_bytes(junk)
    assert verify(e, cache=tmp_path, **FEW).table.equals(first)
    assert all(file.read_bytes() != junk for file in files)


def test_a_changed_byte_is_noticed(small: ClusterExplainer, tmp_path: Path) -> None:
    e = small.explain([0])
    first = verify(e, cache=tmp_path, **FEW).table
    for file in (tmp_path / RETRAININGS).iterdir():
        content = bytearray(file.read_bytes())
        content[300] ^= 1
        file.write_bytes(bytes(content))
    assert verify(e, cache=tmp_path, **FEW).table.equals(first)


def test_another_loss_of_the_same_network_is_another_training(blobs: np.ndarray, tmp_path: Path) -> None:
    def fitted(power: int) -> ClusterExplainer:
        import torch

        torch.manual_seed(0)
        net = nn.ModuleDict({"encoder": nn.Linear(5, 2), "decoder": nn.Linear(2, 5)})

        def loss(pair: nn.Module, inputs: Tensor) -> Tensor:
            return (pair.decoder(pair.encoder(inputs)) - inputs).pow(power).mean(dim=1)

        task = EmbeddingTask.from_module(net["encoder"], decoder=net["decoder"], example_loss=loss)
        return ClusterExplainer(model=task, n_clusters=3, n_steps=20, batch_size=8, random_state=0).fit(blobs)

    for power in (2, 4):
        ce = fitted(power)
        check = verify(ce.explain([0]), cache=tmp_path, **FEW)
        assert check.null < 1e-4
    assert len(list((tmp_path / RETRAININGS).iterdir())) == 2


def test_a_full_disk_does_not_end_a_check(
    small: ClusterExplainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(run_directory: Path, name: str, blob: bytes) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("clusterexplain.storage.cache.write_in_run", full)
    e = small.explain([0])
    assert len(verify(e, cache=tmp_path, **FEW).table) == 6
    assert "could not be kept" in caplog.text


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_another_choice_before_a_stage_is_another_training(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(
        size=(30, 5)
    )  # no clusters: other weights, other labels before the refinement
    parameters = SMALL | {"model": "dec", "clusterer": "dec"}
    first = ClusterExplainer(**parameters).fit(rows)
    second = ClusterExplainer(**parameters).fit(rows, sample_weight=np.linspace(0.2, 3.0, len(rows)))
    assert first.fit_.key == second.fit_.key
    ones = np.ones((1, len(rows)))
    trained = [RetrainingCache(tmp_path).trained(ce.fit_, ce.fit_.recipe, ce.fit_.key, ones) for ce in (first, second)]
    alone = RetrainingCache(None).trained(second.fit_, second.fit_.recipe, second.fit_.key, ones)
    assert not torch.equal(*trained)
    assert torch.equal(trained[1], alone)


class TwoStages(EmbeddingTask):
    """A linear map that is trained to keep the squares of rows, and later a power of them."""

    def __init__(self, power: int) -> None:
        self.power = power

    def initial_params(self, generator: torch.Generator, dtype: torch.dtype) -> Params:
        return {"map": 0.3 * torch.eye(5, dtype=dtype)[:, :2]}

    def embed(self, params: Params, inputs: Tensor) -> Tensor:
        return inputs @ params["map"]

    def loss(self, params: Params, inputs: Tensor, weights: Tensor) -> Tensor:
        return self._error(params, inputs, weights, 2)

    def stages(self) -> tuple[Stage, ...]:
        return Stage(self.loss), Stage(lambda *batch: self._error(*batch, self.power))

    def _error(self, params: Params, inputs: Tensor, weights: Tensor, power: int) -> Tensor:
        errors = (self.embed(params, inputs) @ params["map"].T - inputs).abs().pow(power).mean(dim=1)
        return (weights * errors).sum() / len(inputs)


def test_another_loss_of_a_later_stage_is_another_training(blobs: np.ndarray, tmp_path: Path) -> None:
    few = {"n_clusters": 3, "n_steps": 20, "batch_size": 8, "random_state": 0, "learning_rate": 0.01}
    first, second = (ClusterExplainer(model=TwoStages(power), **few).fit(blobs) for power in (2, 4))
    assert first.fit_.key == second.fit_.key
    ones = np.ones((1, len(blobs)))
    trained = [RetrainingCache(tmp_path).trained(ce.fit_, ce.fit_.recipe, ce.fit_.key, ones) for ce in (first, second)]
    torch.testing.assert_close(trained[0][0], first.fit_.trajectory.final)
    torch.testing.assert_close(trained[1][0], second.fit_.trajectory.final)
    assert not torch.equal(*trained)
