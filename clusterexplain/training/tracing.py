"""Record a tensor function once as a flat list of kernels and replay it thousands of times.

``torch.func`` composes derivatives and batching beautifully and slowly: at this project's sizes nine tenths of a step is
Python. :func:`trace` runs the composed function once through ``make_fx``, removes what does nothing, and returns a
function that only calls kernels. A trace can be batched with ``vmap`` and traced again: what does not depend on the
batched argument is then computed once and not once for every element.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Hashable
from threading import RLock
from typing import Any, cast

import torch
from torch import Tensor, fx
from torch.func import functionalize

from clusterexplain.exceptions import InvalidTaskError
from clusterexplain.training.out_of_place import drop_copies, write_out_of_place
from clusterexplain.training.torch_compat import (
    code_of_nested,
    fx_graph_cse,
    has_mutable_schema,
    load_forward_mode,
    make_fx,
    one_fake_mode,
    tree_leaves,
    tree_map,
)

aten = torch.ops.aten

TensorFunction = Callable[..., Any]

_TRACING = RLock()  # building a trace may ask for another


class TraceStore:
    """Traces by the signature of what they compute, shared by whoever holds the store; safe to use from several threads.

    Parameters
    ----------
    trace : bool, default=True
        False traces nothing: every function is called as it was written, slowly, with the same result up to round-off.
    most : int, optional
        Traces that are kept; the one that was asked for longest ago goes first.
    shared : TraceStore, optional
        Where traces are kept instead if all that they depend on are plain values.
    """

    def __init__(self, *, trace: bool = True, most: int | None = None, shared: TraceStore | None = None) -> None:
        self.traces_functions = trace
        self.most = most
        self.shared = shared
        self._traces: dict[Hashable, TensorFunction] = {}

    def get(self, signature: Hashable, build: Callable[[], TensorFunction]) -> TensorFunction:
        """Return the trace of a signature, built when it is first asked for."""
        with _TRACING:
            found = self._traces.pop(signature, None)  # and put at the end again
            self._traces[signature] = build() if found is None else found
            if self.most is not None and len(self._traces) > self.most:
                del self._traces[next(iter(self._traces))]
            return self._traces[signature]

    def trace(
        self,
        function: TensorFunction,
        *examples: Any,
        spell_out_slopes: bool = False,
        trial: tuple[Any, ...] | None = None,
    ) -> TensorFunction:
        """Return :func:`trace` of a function, or the function itself if the store traces nothing."""
        if not self.traces_functions:
            return eager(function)
        return trace(function, *examples, spell_out_slopes=spell_out_slopes, trial=trial)

    def __len__(self) -> int:
        """Return the number of traces."""
        return len(self._traces)

    def __getstate__(self) -> dict[str, Any]:
        """Return the store without its traces: they are made again where they are needed."""
        return {"traces_functions": self.traces_functions, "most": self.most, "_traces": {}, "shared": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take the store of this process for what was shared where it was made."""
        self.__dict__.update(state, shared=SHARED)


SHARED = TraceStore(most=256)
"""The traces of this process that belong to models of this package: a second fit of the same sizes traces nothing."""


def eager(function: TensorFunction) -> TensorFunction:
    """Return a function that may be called where traces are: in inference mode, which derivatives do not work in."""
    load_forward_mode()

    def called(*arguments: object) -> object:
        with torch.inference_mode(mode=False), torch.no_grad():
            return function(*tree_map(torch.clone, arguments))

    return called


def trace(
    function: TensorFunction, *examples: Any, spell_out_slopes: bool = False, trial: tuple[Any, ...] | None = None
) -> TensorFunction:
    """Trace a function of tensors at the shapes of the examples.

    Parameters
    ----------
    function : callable
        Pure function of tensors, without operations in place and without control flow that depends on their values.
    *examples : Tensor or nested tuple of Tensor
        Arguments that fix shapes and dtypes. No tensor may be passed twice: the trace tells arguments apart by object.
    spell_out_slopes : bool, default=False
        Write activation slopes as elementary operations. Slower for one call; faster when the trace is batched over
        tangents that share the point at which the slope is taken, which is then computed once for all of them.
    trial : tuple, optional
        Other arguments of the same shapes, on which trace and function are compared; `examples` otherwise.

    Returns
    -------
    callable
        Computes the same as `function` for arguments of the same shapes; safe to call from several threads.

    Raises
    ------
    InvalidTaskError
        If the function writes in place or branches on values, or if the trace does not compute what the function does.
    """
    with torch.inference_mode(mode=False), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.func's own use of torch.jit
        table = _SLOPES if spell_out_slopes else {}
        try:
            graph_module = _recorded(lambda *args: function(*args), examples, table)
            if _writes(graph_module.graph):  # some of torch's own derivatives do
                pure = functionalize(lambda *args: function(*args), remove="mutations")
                graph_module = _recorded(pure, examples, table)
                write_out_of_place(graph_module.graph)
                graph_module.recompile()
        except (RuntimeError, NotImplementedError) as error:
            raise InvalidTaskError(
                f"The training step cannot be recorded: {str(error).splitlines()[0]} Expected functions of tensors without "
                f"operations in place (z[:, :4] = x), branches on values (if x.max() > 1), .item() or shapes that depend on "
                f"values (x[x > 0])."
            ) from error
        # What still writes in place is replayed as it was recorded: rewriting takes every node for a value that never changes.
        traced = graph_module.forward if _writes(graph_module.graph) else _tidy(graph_module).forward
        tried = examples if trial is None else trial
        _compare(traced(*tried), function(*tried))
    return traced


def _recorded(function: TensorFunction, examples: tuple[Any, ...], table: dict[Any, Any]) -> fx.GraphModule:
    with one_fake_mode():
        recorded: fx.GraphModule = make_fx(function, decomposition_table=table)(*examples)
    return recorded


def _writes(graph: fx.Graph) -> bool:
    """Whether there is an operation in place."""
    return any(has_mutable_schema(node.target) for node in graph.nodes)


def _compare(traced: object, expected: object) -> None:
    """Refuse a trace that computes something else than its function did: an operation that this file misunderstood."""
    pairs = zip(tree_leaves(traced), tree_leaves(expected), strict=True)
    for found, wanted in pairs:
        tolerance = 1e-3 if wanted.dtype == torch.float32 else 1e-7
        known = wanted[torch.isfinite(wanted)]  # a trial may leave the domain of a loss; then both must leave it alike
        size = known.abs().max() if known.numel() else wanted.new_zeros(())
        if not torch.allclose(found, wanted, rtol=tolerance, atol=tolerance * float(size), equal_nan=True):
            raise InvalidTaskError(
                "The recorded training step does not compute what the task's functions compute. Expected functions of tensors "
                "alone, without hidden state and without operations in place: torch.cat or torch.where instead of "
                "z[:, :4] = x. If there are none, please report the layers of this network."
            )


def _gelu_backward(grad: Tensor, x: Tensor, *, approximate: str = "none") -> object:
    if approximate != "none":
        return NotImplemented
    cumulative = 0.5 * (1 + torch.erf(x * math.sqrt(0.5)))
    # In the order of torch's own second derivative, so that the two share their nodes.
    density = torch.exp((x * x) * -0.5) * (1 / math.sqrt(2 * math.pi))
    return grad * (cumulative + x * density)


_SLOPES = {aten.gelu_backward.default: _gelu_backward}
_SAME_IF_SAME_SHAPE = {aten.expand.default, aten.reshape.default}
_LINEAR_IN_FIRST = {
    aten.expand.default,
    aten.reshape.default,
    aten.t.default,
    aten.transpose.int,
    aten.mm.default,
    aten.bmm.default,
    aten.mul.Tensor,
    aten.mul.Scalar,
    aten.slice.Tensor,
    aten.unsqueeze.default,
}


def _tidy(graph_module: fx.GraphModule) -> fx.GraphModule:
    """Drop what does nothing, store scalars as tensors, multiply small factors first, merge equal nodes."""
    _allow_other_strides(graph_module.graph)
    drop_copies(graph_module.graph)
    _drop_and_store(graph_module)
    _merge_equal_nodes(graph_module)  # first, so that a product that is needed twice is not taken apart
    for node in list(graph_module.graph.nodes):
        _broadcast_instead_of_expanding(node)
        _multiply_small_factors_first(graph_module.graph, node)
    _merge_equal_nodes(graph_module)
    graph_module.recompile()
    return graph_module


def _allow_other_strides(graph: fx.Graph) -> None:
    """Let views copy where strides are not as they were while tracing: rewriting changes them, and so do convolutions."""
    for node in graph.nodes:
        if node.target in (aten.view.default, aten._unsafe_view.default):
            node.target = aten.reshape.default


def _drop_and_store(graph_module: fx.GraphModule) -> None:
    zeros: set[fx.Node] = set()
    scalars: dict[Any, fx.Node] = {}
    for node in list(graph_module.graph.nodes):
        if node.op != "call_function" or not node.args or not isinstance(node.args[0], fx.Node):
            _note_zero(node, zeros)
        elif _does_nothing(node, node.args[0]):
            node.replace_all_uses_with(node.args[0])
        elif _undoes(node, node.args[0]):
            node.replace_all_uses_with(cast(fx.Node, node.args[0].args[0]))
        else:
            _note_zero(node, zeros)
            _skip_zero_summand(node, zeros)
            _store_scalar(graph_module, node, scalars)


def _merge_equal_nodes(graph_module: fx.GraphModule) -> None:
    graph_module.graph.eliminate_dead_code()
    merged = fx_graph_cse(graph_module.graph)
    code_of_nested(merged, graph_module.graph)
    graph_module.graph = merged


def _meta(node: fx.Node) -> Tensor | None:
    value = node.meta.get("val")
    return value if hasattr(value, "shape") else None


def _value(node: fx.Node) -> Tensor:
    value: Tensor = node.meta["val"]
    return value


def _same(node: fx.Node, source: fx.Node) -> bool:
    a, b = _meta(node), _meta(source)
    return bool(a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype and a.device == b.device)


def _does_nothing(node: fx.Node, source: fx.Node) -> bool:
    if node.target in (aten.alias.default, aten.detach.default):
        return True
    if node.target is aten._to_copy.default or node.target in _SAME_IF_SAME_SHAPE:
        return _same(node, source)
    if node.target is aten.mul.Tensor:
        ones = node.args[1]
        is_one = isinstance(ones, fx.Node) and ones.target is aten.pow.Tensor_Scalar and ones.args[1] == 0.0
        return bool(is_one and _same(node, source))
    return node.target is aten.pow.Tensor_Scalar and bool(node.args[1] == 1.0)


def _undoes(node: fx.Node, source: fx.Node) -> bool:
    """Whether a transposition is that of a transposition."""
    if node.target is not source.target:
        return False
    return node.target is aten.t.default or (node.target is aten.transpose.int and node.args[1:] == source.args[1:])


def _note_zero(node: fx.Node, zeros: set[fx.Node]) -> None:
    if node.op != "call_function":
        return
    if node.target in (aten.zeros.default, aten.zeros_like.default, aten.new_zeros.default):
        zeros.add(node)
    elif node.target in _LINEAR_IN_FIRST:
        factors = (
            node.args[:2] if node.target in (aten.mm.default, aten.bmm.default, aten.mul.Tensor) else node.args[:1]
        )
        if any(isinstance(factor, fx.Node) and factor in zeros for factor in factors):
            zeros.add(node)


def _skip_zero_summand(node: fx.Node, zeros: set[fx.Node]) -> None:
    if node.target is not aten.add.Tensor or len(node.args) != 2 or node.kwargs:
        return
    left, right = node.args
    for zero, other in ((left, right), (right, left)):
        if zero in zeros and isinstance(other, fx.Node) and (_same(node, other) or _only_added_to_its_shape(node)):
            node.replace_all_uses_with(other)
            return


def _only_added_to_its_shape(node: fx.Node) -> bool:
    """Whether every reader adds something of this shape, so that a summand that broadcasts to it will do."""
    return all(
        user.target is aten.add.Tensor
        and any(isinstance(arg, fx.Node) and arg is not node and _same(arg, node) for arg in user.args)
        for user in node.users
    )


def _broadcast_instead_of_expanding(node: fx.Node) -> None:
    """Let a product broadcast an expanded factor itself, which leaves the factor small."""
    if node.target is not aten.mul.Tensor or not all(isinstance(arg, fx.Node) for arg in node.args):
        return
    left, right = cast("tuple[fx.Node, fx.Node]", node.args)
    if right.target is aten.expand.default and _same(node, left):
        node.args = (left, right.args[0])
    elif left.target is aten.expand.default and _same(node, right):
        node.args = (left.args[0], right)


def _multiply_small_factors_first(graph: fx.Graph, node: fx.Node) -> None:
    """Rewrite (large * small) * small as large * (small * small): one pass over the large factor instead of two."""
    if node.target is not aten.mul.Tensor or not all(isinstance(arg, fx.Node) for arg in node.args):
        return
    left, right = cast("tuple[fx.Node, fx.Node]", node.args)
    for product, small in ((left, right), (right, left)):
        if product.target is not aten.mul.Tensor or len(product.users) != 1 or _numel(small) >= _numel(node):
            continue
        for large, other in (product.args, product.args[::-1]):
            if not isinstance(large, fx.Node) or not isinstance(other, fx.Node):
                return
            if _numel(large) == _numel(node) > _numel(other):
                with graph.inserting_before(node):
                    factor = graph.call_function(aten.mul.Tensor, (other, small))
                shape = torch.broadcast_shapes(_value(other).shape, _value(small).shape)  # type: ignore[no-untyped-call]
                factor.meta["val"] = _value(node).new_empty(shape)
                node.args = (large, factor)
                return


def _numel(node: fx.Node) -> int:
    meta = _meta(node)
    return int(meta.numel()) if meta is not None else -1


def _store_scalar(graph_module: fx.GraphModule, node: fx.Node, scalars: dict[Any, fx.Node]) -> None:
    """Replace a Python scalar by a stored tensor of the same dtype: the kernel would convert it anew at every call."""
    target = _WITH_TENSOR.get(cast(Any, node.target))
    meta = _meta(node.args[0]) if target is not None and isinstance(node.args[0], fx.Node) else None
    if (
        meta is None
        or len(node.args) != 2
        or not isinstance(node.args[1], (int, float))
        or not meta.is_floating_point()
    ):
        return
    key = (float(node.args[1]), meta.dtype, meta.device)
    if key not in scalars:
        name = f"scalar_{len(scalars)}"
        graph_module.register_buffer(name, torch.tensor(node.args[1], dtype=meta.dtype, device=meta.device))
        with graph_module.graph.inserting_before(next(iter(graph_module.graph.nodes))):
            scalars[key] = graph_module.graph.get_attr(name)
        scalars[key].meta["val"] = getattr(graph_module, name)
    scalar = scalars[key]
    node.target, node.args = cast(Any, target), (node.args[0], scalar)


_WITH_TENSOR = {
    aten.mul.Tensor: aten.mul.Tensor,
    aten.mul.Scalar: aten.mul.Tensor,
    aten.div.Tensor: aten.div.Tensor,
    aten.div.Scalar: aten.div.Tensor,
    aten.add.Tensor: aten.add.Tensor,
    aten.sub.Tensor: aten.sub.Tensor,
}
