"""Checkpoints as people have them: state dicts, nested, with the prefixes of wrappers; never executed."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from clusterexplain import EmbeddingTask
from clusterexplain.exceptions import InvalidTaskError


def network(seed: int) -> nn.Module:
    """Return a small network with a layer, BatchNorm, and a submodule that is itself called "module"."""
    torch.manual_seed(seed)
    net = nn.Sequential()
    net.add_module("first", nn.Linear(4, 3))
    net.add_module("norm", nn.BatchNorm1d(3))
    net.add_module("last", nn.Linear(3, 2))
    return net.eval()


def loaded(path: Path, net: nn.Module | None = None) -> EmbeddingTask:
    return EmbeddingTask.from_checkpoint(
        network(1) if net is None else net, path, example_loss=lambda module, x: module(x).square().sum(dim=1)
    )


@pytest.mark.parametrize("prefix", ["", "_orig_mod.", "module.", "module._orig_mod.", "_orig_mod.module."])
@pytest.mark.parametrize("key", [None, "state_dict", "model_state_dict", "model"])
def test_weights_are_those_of_the_file(tmp_path: Path, prefix: str, key: str | None) -> None:
    trained, fresh = network(0), network(1)
    with torch.no_grad():
        trained.norm.running_mean += 0.5  # type: ignore[operator]
    state: Any = {f"{prefix}{name}": value for name, value in trained.state_dict().items()}
    torch.save(state if key is None else {key: state, "epoch": 3, "lr": 0.1}, tmp_path / "net.pt")
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    task = loaded(tmp_path / "net.pt", fresh)
    rows = torch.randn(5, 4)
    params = task.initial_params(torch.Generator(), torch.float32)
    torch.testing.assert_close(task.embed(params, rows), trained(rows), rtol=0, atol=0)
    assert task.pretrained
    assert all(torch.equal(value, before[name]) for name, value in fresh.state_dict().items())  # not changed


def test_a_compiled_part_of_a_network(tmp_path: Path) -> None:
    trained = network(0)
    state = {name.replace("last.", "last._orig_mod."): value for name, value in trained.state_dict().items()}
    torch.save(state, tmp_path / "net.pt")
    params = loaded(tmp_path / "net.pt").initial_params(torch.Generator(), torch.float32)
    assert torch.equal(params["last.weight"], trained.last.weight)  # type: ignore[arg-type]


def test_a_network_that_calls_a_part_module_keeps_its_names(tmp_path: Path) -> None:
    def wrapped(seed: int) -> nn.Module:
        net = nn.Sequential()
        net.add_module("module", network(seed))
        return net.eval()

    torch.save(wrapped(0).state_dict(), tmp_path / "net.pt")
    params = loaded(tmp_path / "net.pt", wrapped(1)).initial_params(torch.Generator(), torch.float32)
    assert torch.equal(params["module.first.weight"], network(0).first.weight)  # type: ignore[arg-type]


def test_an_old_checkpoint_without_the_counter_of_batchnorm(tmp_path: Path) -> None:
    state = {name: value for name, value in network(0).state_dict().items() if not name.endswith("num_batches_tracked")}
    torch.save(state, tmp_path / "net.pt")
    assert loaded(tmp_path / "net.pt").pretrained


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


def test_objects_in_a_file_are_refused_and_never_made(tmp_path: Path) -> None:
    torch.save({"state_dict": network(0).state_dict(), "extra": Malicious(tmp_path / "made")}, tmp_path / "net.pt")
    with pytest.raises(
        InvalidTaskError, match=r"holds more than tensors.*mkdir.*torch\.save\(net\.state_dict\(\), path\)"
    ):
        loaded(tmp_path / "net.pt")
    assert not (tmp_path / "made").exists()


def test_a_whole_network_in_a_file_is_refused(tmp_path: Path) -> None:
    torch.save(network(0), tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match="holds more than tensors"):
        loaded(tmp_path / "net.pt")


def test_names_and_shapes_that_differ_are_named(tmp_path: Path) -> None:
    state = network(0).state_dict()
    state["first.weight"] = torch.zeros(3, 5)
    state["head.weight"] = state.pop("last.weight")
    torch.save(state, tmp_path / "net.pt")
    message = (
        r"missing: last\.weight; unexpected: head\.weight; of another shape: first\.weight \(\(3, 5\) in the file, "
        r"\(3, 4\) in the network\)\. Expected the names and shapes of net\.state_dict\(\)"
    )
    with pytest.raises(InvalidTaskError, match=message):
        loaded(tmp_path / "net.pt")


def test_many_names_are_not_all_listed(tmp_path: Path) -> None:
    torch.save({f"layer{number}.weight": torch.zeros(1) for number in range(9)}, tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match=r"unexpected: layer0\.weight, .*layer4\.weight and 4 more"):
        loaded(tmp_path / "net.pt")


def test_names_with_and_without_a_prefix_are_two_networks(tmp_path: Path) -> None:
    state = network(0).state_dict()
    torch.save(dict(state) | {f"module.{name}": value for name, value in state.items()}, tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match=r"same names with and without 'module\.'"):
        loaded(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"epoch": 3, "loss": 0.5}, "has no weights: it is a dict with epoch, loss"),
        ([1, 2], "has no weights: it is list"),
        (torch.zeros(3), "has no weights: it is Tensor"),
    ],
)
def test_what_is_no_state_is_said(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match=message):
        loaded(tmp_path / "net.pt")


@pytest.mark.parametrize("content", [b"", b"no checkpoint at all", b"PK\x03\x04 cut off"])
def test_a_file_that_torch_cannot_read_is_said(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.pt").write_bytes(content)
    with pytest.raises(InvalidTaskError, match=r"net\.pt (cannot be read|holds more than tensors)"):
        loaded(tmp_path / "net.pt")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidTaskError, match="There is no checkpoint"):
        loaded(tmp_path / "net.pt")


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            lambda w: w.to(torch.complex64),
            r"holds first\.weight as torch\.complex64, and the network as torch\.float32",
        ),
        (lambda w: w.to(torch.int64), r"holds first\.weight as torch\.int64.*Expected floating-point numbers; build"),
        (lambda w: w > 0, r"holds first\.weight as torch\.bool"),
        (lambda w: w.index_fill(0, torch.tensor([1]), torch.nan), r"has 4 of 12 values in first\.weight .* not finite"),
        (
            lambda w: w.double() + 1e300,
            r"has 12 of 12 values in first\.weight that are not finite as torch\.float32 \(it",
        ),
        (lambda w: w.to_sparse(), r"tensor that is sparse \(torch\.sparse_coo\): first\.weight\. Expected dense"),
        (lambda w: w.to_sparse_csr(), r"tensor that is sparse \(torch\.sparse_csr\): first\.weight"),
        (lambda w: w.to("meta"), r"tensor that is without values \(on the meta device\): first\.weight"),
        (lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8), r"quantized \(torch\.qint8\): first\.weight"),
        (lambda w: torch.nested.nested_tensor([w, w]), r"first\.weight|cannot be read|holds more than tensors"),
    ],
    ids=["complex", "int", "bool", "nan", "overflow", "coo", "csr", "meta", "quantized", "nested"],
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # of torch, about sparse, quantized and nested tensors
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_weights_of_another_kind_or_without_finite_values_are_named(
    tmp_path: Path, changed: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    state = network(0).state_dict()
    torch.save(dict(state) | {"first.weight": changed(state["first.weight"])}, tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match=message):
        loaded(tmp_path / "net.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_another_precision_is_converted(tmp_path: Path, dtype: torch.dtype) -> None:
    state = {
        name: value.to(dtype) if value.is_floating_point() else value for name, value in network(0).state_dict().items()
    }
    torch.save(state, tmp_path / "net.pt")
    params = loaded(tmp_path / "net.pt").initial_params(torch.Generator(), torch.float32)
    assert torch.equal(params["first.weight"], state["first.weight"].float())


def test_a_mask_of_the_network_may_be_infinite(tmp_path: Path) -> None:
    def masked(seed: int) -> nn.Module:
        net = network(seed)
        net.register_buffer("mask", torch.tensor([0.0, -torch.inf]))
        return net

    torch.save(masked(0).state_dict(), tmp_path / "net.pt")
    assert loaded(tmp_path / "net.pt", masked(1)).pretrained
    torch.save(masked(0).state_dict() | {"mask": torch.tensor([-torch.inf, 0.0])}, tmp_path / "net.pt")
    with pytest.raises(InvalidTaskError, match=r"has 1 of 2 values in mask that are not finite"):
        loaded(tmp_path / "net.pt", masked(1))


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_with_a_changed_byte_or_a_cut_is_read_or_said(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "net.pt"
    torch.save(network(0).state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole, rng = path.read_bytes(), random.Random(0)
    refused = 0
    for trial in range(300):
        place = rng.randrange(len(whole))
        changed = bytes([rng.randrange(256)])
        path.write_bytes(whole[:place] + (changed + whole[place + 1 :] if trial % 3 else b""))
        try:
            loaded(path)
        except InvalidTaskError as error:
            refused += "Expected" in str(error)
    assert refused >= 100  # every cut


def test_a_counter_that_the_network_does_not_have_is_left_out(tmp_path: Path) -> None:
    torch.save(network(0).state_dict() | {"other.num_batches_tracked": torch.tensor(3)}, tmp_path / "net.pt")
    params = loaded(tmp_path / "net.pt").initial_params(torch.Generator(), torch.float32)
    assert torch.equal(params["first.weight"], network(0).first.weight)  # type: ignore[arg-type]
