"""Graphs without operations in place: what torch's own derivatives write into fresh tensors is written into new ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import fx

from clusterexplain.training.torch_compat import has_mutable_schema

aten = torch.ops.aten


def write_out_of_place(graph: fx.Graph) -> None:
    """Replace operations in place by their functional twins, where nobody else looks at the tensor that is written to.

    ``y = x.add_(z)`` becomes ``y = x.add(z)``, and later readers of x read y. What cannot be replaced stays: a write into a
    view, into an argument, or into a tensor that has views.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    """
    places = {node: place for place, node in enumerate(graph.nodes)}
    for node in list(graph.nodes):
        twin = _functional_twin(node)
        written = node.args[0] if twin is not None else None
        if twin is None or not isinstance(written, fx.Node) or not _is_fresh(written):
            continue
        later = [user for user in written.users if user is not node and places[user] > places[node]]
        node.target = twin
        for user in later:
            user.replace_input_with(written, node)
    graph.lint()


def drop_copies(graph: fx.Graph) -> None:
    """Read the source of a copy into a tensor of its own shape and type, which has no batched kernel, instead of the copy.

    Parameters
    ----------
    graph : Graph
        Changed in place.
    """
    for node in list(graph.nodes):
        if node.target is not aten.copy.default or not isinstance(node.args[1], fx.Node):
            continue
        found, source = (one.meta.get("val") for one in (node, node.args[1]))
        if isinstance(found, torch.Tensor) and isinstance(source, torch.Tensor):
            same = found.shape == source.shape and found.dtype == source.dtype and found.device == source.device
            if same:
                node.replace_all_uses_with(node.args[1])


def _functional_twin(node: fx.Node) -> Callable[..., object] | None:
    """Return ``aten.add.Tensor`` of a node that calls ``aten.add_.Tensor``; None where there is no such operation."""
    schema = getattr(node.target, "_schema", None)
    if not has_mutable_schema(node.target) or schema is None or not schema.name.endswith("_"):
        return None
    arguments = schema.arguments
    if not arguments or any(one.alias_info is not None and one.alias_info.is_write for one in arguments[1:]):
        return None
    packet = getattr(aten, schema.name.removeprefix("aten::").rstrip("_"), None)
    twin: Callable[..., object] | None = getattr(packet, schema.overload_name or "default", None)
    return twin


def _is_fresh(node: fx.Node) -> bool:
    """Whether a tensor was made by an operation of the graph, and neither is a view nor has one."""
    made = node.args[0] if _is_item(node) else node
    if not isinstance(made, fx.Node) or made.op != "call_function":
        return False
    if _returns_view(made) or has_mutable_schema(made.target):
        return False
    return not any(_returns_view(user) and not has_mutable_schema(user.target) for user in node.users)


def _is_item(node: fx.Node) -> bool:
    return node.op == "call_function" and getattr(node.target, "__name__", "") == "getitem"


def _returns_view(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    if schema is None or has_mutable_schema(node.target):
        return False
    return any(one.alias_info is not None for one in schema.returns)
