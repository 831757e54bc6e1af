"""Weights of a network from a checkpoint file: read as tensors, never as code, and held against the network key by key."""

from __future__ import annotations

import copy
import pickle
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from clusterexplain.exceptions import InvalidTaskError

NESTED = ("state_dict", "model_state_dict", "model")
"""Where training loops keep the weights in a checkpoint that holds more, the first that is there."""
COMPILED, PARALLEL = "_orig_mod.", "module."
"""What ``torch.compile`` puts before the names of a module, and ``DataParallel`` before those of a network."""
UNUSED = "num_batches_tracked"
"""A counter of BatchNorm that its eval mode does not read and old checkpoints do not have."""
UNREADABLE = (
    *(RuntimeError, EOFError, OSError, ValueError, LookupError, ArithmeticError, MemoryError),
    *(AssertionError, AttributeError, TypeError, ImportError, struct.error),
)
"""What torch raises on a file that was cut or changed, wherever the change is."""
SHOWN = 5


def with_checkpoint(net: nn.Module, path: Path) -> nn.Module:
    """Return a copy of a network with the weights of a file.

    Parameters
    ----------
    net : Module
        Its architecture; it is not changed.
    path : Path
        What ``torch.save(net.state_dict(), path)`` wrote, or a dict that holds such a state under "state_dict",
        "model_state_dict" or "model". Prefixes of compiled and parallel modules are taken off.

    Returns
    -------
    Module
        In the mode (train or eval) of `net`.

    Raises
    ------
    InvalidTaskError
        If the file cannot be read as tensors alone, its names, shapes and kinds of numbers are not those of the network, or a
        weight is not finite.
    """
    wanted = {name: value for name, value in net.state_dict().items() if isinstance(value, Tensor)}
    found = _named_as(wanted, _weights_in(_read(path), path), path)
    _check_form(found, path)
    _compare(wanted, found, path)
    _check_values(wanted, found, path)
    loaded = copy.deepcopy(net)
    loaded.load_state_dict(wanted | {name: value for name, value in found.items() if name in wanted})
    return loaded


def _read(path: Path) -> object:
    if not path.is_file():
        raise InvalidTaskError(
            f"There is no checkpoint {path}. Expected a file, from torch.save(net.state_dict(), path)."
        )
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InvalidTaskError(
            f"The checkpoint {path} holds more than tensors, and objects are never made from a file here, because that can run "
            f"any code{_refused(error)}. Expected the weights alone: open it where you trust it, and write them with "
            f"torch.save(net.state_dict(), path)."
        ) from error
    except UNREADABLE as error:
        reason = str(error).partition("\n")[0]
        raise InvalidTaskError(
            f"The checkpoint {path} cannot be read: {type(error).__name__} {reason:.200}. Expected a file "
            f"from torch.save(net.state_dict(), path)."
        ) from error


def _refused(error: pickle.UnpicklingError) -> str:
    """Return what of torch's long message names what was refused."""
    lines = [line.strip() for line in str(error).splitlines() if "GLOBAL" in line or "WeightsUnpickler error" in line]
    return f" ({lines[0].rstrip('. '):.200})" if lines else ""


def _weights_in(content: object, path: Path) -> dict[str, Tensor]:
    """Return names and tensors, looked for where training loops keep them."""
    for key in NESTED:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
            break
    if not isinstance(content, Mapping) or not any(isinstance(value, Tensor) for value in content.values()):
        inside = f"a dict with {_listed(map(str, content))}" if isinstance(content, Mapping) else type(content).__name__
        raise InvalidTaskError(
            f"The checkpoint {path} has no weights: it is {inside}. Expected names and tensors, as of net.state_dict(), or a "
            f"dict that has them under {', '.join(map(repr, NESTED))}."
        )
    return {str(name): value for name, value in content.items() if isinstance(value, Tensor)}


def _named_as(wanted: Mapping[str, Tensor], found: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    """Take off the prefixes of wrappers where the network itself has no such names."""
    for prefix in (COMPILED, PARALLEL, COMPILED):
        if any(prefix in f".{name}" for name in wanted) or not any(f".{prefix}" in f".{name}" for name in found):
            continue
        renamed = {_without(name, prefix): value for name, value in found.items()}
        if len(renamed) < len(found):
            raise InvalidTaskError(
                f"The checkpoint {path} has the same names with and without {prefix!r}. Expected the weights of one network."
            )
        found = renamed
    return found


def _without(name: str, prefix: str) -> str:
    """Take a prefix off a name: that of compiled modules wherever it stands, that of parallel ones at the start."""
    if prefix == COMPILED:
        return f".{name}".replace(f".{COMPILED}", ".")[1:]
    return name.removeprefix(prefix)


def _compare(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    missing = [name for name in wanted if name not in found and not name.endswith(UNUSED)]
    unexpected = [name for name in found if name not in wanted and not name.endswith(UNUSED)]
    other = [
        f"{name} ({tuple(found[name].shape)} in the file, {tuple(value.shape)} in the network)"
        for name, value in wanted.items()
        if name in found and found[name].shape != value.shape
    ]
    parts = [
        f"{what} {_listed(names)}"
        for what, names in (("missing:", missing), ("unexpected:", unexpected), ("of another shape:", other))
        if names
    ]
    if parts:
        raise InvalidTaskError(
            f"The checkpoint {path} does not fit the network; {'; '.join(parts)}. Expected the names and shapes of "
            f"net.state_dict(): build the network as it was when the checkpoint was written."
        )


def _check_form(found: Mapping[str, Tensor], path: Path) -> None:
    """Refuse tensors that do not hold one number for each weight."""
    for name, value in found.items():
        form = (
            "nested"
            if value.is_nested
            else "without values (on the meta device)"
            if value.is_meta
            else f"quantized ({value.dtype})"
            if value.is_quantized
            else f"sparse ({value.layout})"
            if value.layout != torch.strided
            else ""
        )
        if form:
            raise InvalidTaskError(
                f"The checkpoint {path} has a tensor that is {form}: {name}. Expected dense numbers; convert it before saving "
                f"(to_dense(), dequantize()), or save the network as it was trained."
            )


def _check_values(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor], path: Path) -> None:
    """Refuse numbers of another kind than those of the network, and values that are not finite there.

    Floating-point numbers of another precision are converted. A buffer may have infinite values where that of the network has
    the same, as masks do.
    """
    for name in [name for name in wanted if name in found]:
        own, given = wanted[name].detach(), found[name].detach()
        if _kind(own) != _kind(given):
            raise InvalidTaskError(
                f"The checkpoint {path} holds {name} as {given.dtype}, and the network as {own.dtype}. Expected {_kind(own)} "
                f"numbers; build the network as it was when the checkpoint was written, or convert the tensor before saving."
            )
        converted = given.to(own.dtype)
        wrong = ~torch.isfinite(converted) & (converted != own)
        if bool(wrong.any()):
            raise InvalidTaskError(
                f"The checkpoint {path} has {int(wrong.sum())} of {wrong.numel()} values in {name} that are not finite as "
                f"{own.dtype} (it holds {given.dtype}). Expected finite weights: take a checkpoint from before the training "
                f"diverged."
            )


def _kind(value: Tensor) -> str:
    if value.is_complex() or value.is_floating_point():
        return "complex" if value.is_complex() else "floating-point"
    return "boolean" if value.dtype == torch.bool else "whole"


def _listed(names: Iterable[str]) -> str:
    listed = list(names)
    more = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(listed[:SHOWN]) + more
