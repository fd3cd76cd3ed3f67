"""Batching: an expression evaluated for many values of some nodes at once, along a new first axis."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agnesi.control.loop import make_loop
from agnesi.errors import GradientError
from agnesi.grad.branch import branch_batch
from agnesi.grad.loop import loop_batch, spread_rows, stand_in
from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, input_node, make, topological
from agnesi.ir.op import OF_USERS, OPS
from agnesi.ir.type import Dim, Type
from agnesi.ops.gather import take
from agnesi.ops.index import broadcast_dims, insert, iota, merge, reshape_dims, transpose_
from agnesi.ops.products import LABELS
from agnesi.ops.shape import specify

Args = list[Node]
Flags = list[bool]


def batch(outputs: Sequence[Node], batched: dict[Node, Node]) -> list[Node]:
    """The outputs with a first axis added, where each key of `batched` takes the rows of its value."""
    size = next(iter(batched.values())).shape[0]
    found = dict(batched)
    for node in topological(outputs):
        flags = [a in found for a in node.args]
        if node not in found and any(flags):
            args = [found.get(a, a) for a in node.args]
            found[node] = _rule(node)(node, args, flags, size)
    return [found[o] if o in found else spread_rows(o, size) for o in outputs]


Rule = Callable[[Node, Args, Flags, Dim], Node]


def _rule(node: Node) -> Rule:
    return RULES.get(node.op.name) or RULES.get(node.op.kind) or _by_rows


def _by_rows(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    """A loop over the rows, for what has no form of more axes; sizes must not differ from row to row."""
    given = [stand_in(a) if f else a for a, f in zip(args, flags, strict=True)]
    moving = [a for a, f in zip(args, flags, strict=True) if f]
    local = [input_node("step", Type("int64")), *(g for g, f in zip(given, flags, strict=True) if f)]
    return make_loop(size, moving, [], [], local, [make(node.op, tuple(given), node.attrs)], None, node.op.name)[0]


def _composite(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    """Ours name axes and keep them; of others it is known only what they stand for."""
    if node.op.name != "custom" and node.op not in OF_USERS:
        return _shifted_axes(node, args, flags, size)
    assert node.op.expand is not None
    given = [stand_in(a) if f else a for a, f in zip(args, flags, strict=True)]
    inside = {g: a for g, a, f in zip(given, args, flags, strict=True) if f}
    return batch([node.op.expand(make(node.op, tuple(given), node.attrs))], inside)[0]


def _elementwise(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    """Ranks made equal behind the batch axis."""
    fitted = []
    for old, arg, flag in zip(node.args, args, flags, strict=True):
        pad = tuple(range(1, 1 + node.ndim - old.ndim))
        fitted.append(insert(arg, axes=pad) if flag and pad else arg)
    result = make(node.op, tuple(fitted), node.attrs)
    return result if result.ndim == node.ndim + 1 else spread_rows(result, size)


def _shifted_axes(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    """Ops that name axes: each moves up by one."""
    first = {"slice": 1, "slice_set": 2, "slice_add": 2}.get(node.op.name)
    bounds = slice(first, None) if first else slice(0, 0)
    if any(flags[bounds]):
        return _by_rows(node, args, flags, size)
    full = [a if f or a in args[bounds] else spread_rows(a, size) for a, f in zip(args, flags, strict=True)]
    attrs = {k: tuple(a + 1 for a in v) if k == "axes" else v + 1 if k == "axis" else v for k, v in node.attrs}
    return node.op(*full, **attrs)


def _window(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    if any(flags[1:]):
        return _by_rows(node, args, flags, size)
    result: Node = node.op(*args, moves=tuple((axis + 1, *move) for axis, *move in node["moves"]))
    return result


def _transpose(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return transpose_(args[0], perm=(0, *(p + 1 for p in node["perm"])))


def _broadcast(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    pad = tuple(range(1, 1 + node.ndim - node.args[0].ndim))
    return broadcast_dims(insert(args[0], axes=pad) if pad else args[0], (size, *node.shape))


def _reshape(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return reshape_dims(args[0], (size, *node.shape))


def _merge(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return merge(args[0], groups=(1, *node["groups"]))


def _specify(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return specify(args[0], (size, *node.shape))


def _sum_to(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return node.op(args[0], dim_node(size), *args[1:])


def _rows_index(like: Node, size: Dim) -> Node:
    """An index array for the batch axis, of the shape of batched ones."""
    return broadcast_dims(insert(iota(dim_node(size)), axes=tuple(range(1, like.ndim))), like.shape)


def _take(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    if any(flags[1:]):
        indices = [a if f else spread_rows(a, size) for a, f in zip(args[1:], flags[1:], strict=True)]
        x = args[0] if flags[0] else spread_rows(args[0], size)
        return take(x, _rows_index(indices[0], size), *indices)
    k, lead = len(args) - 1, args[1].ndim
    x = transpose_(args[0], perm=(*range(1, k + 1), 0, *range(k + 1, args[0].ndim)))
    y = take(x, *args[1:])
    return transpose_(y, perm=(lead, *range(lead), *range(lead + 1, y.ndim)))


def _scatter(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    full = [a if f else spread_rows(a, size) for a, f in zip(args, flags, strict=True)]
    return node.op(full[0], full[1], _rows_index(full[2], size), *full[2:])


def _contract(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    inputs, out = node["labels"].split("->")
    left, right = inputs.split(",")
    fresh = next(k for k in reversed(LABELS) if k not in node["labels"])
    left, right = (fresh + left if flags[0] else left), (fresh + right if flags[1] else right)
    return OPS["contract"](args[0], args[1], labels=f"{left},{right}->{fresh}{out}")


def _solve(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    """Rows of right-hand sides become columns of one."""
    if flags[0]:
        return _by_rows(node, args, flags, size)
    n, m = node.shape
    columns = reshape_dims(transpose_(args[1], perm=(1, 0, 2)), (n, dims.mul(size, m)))
    x = reshape_dims(OPS["solve"](args[0], columns, site=0), (n, size, m))
    return transpose_(x, perm=(1, 0, 2))


def _last_axis(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    result: Node = node.op(*args, **dict(node.attrs))
    return result


def _loop(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return loop_batch(node, args, flags, size, batch)


def _branch(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    return branch_batch(node, args, flags, lambda x: spread_rows(x, size), batch)


def _searchsorted(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    if flags[0]:
        return _by_rows(node, args, flags, size)
    result: Node = node.op(*args, **dict(node.attrs))
    return result


def _python(node: Node, args: Args, flags: Flags, size: Dim) -> Node:
    name = node["function"].name
    raise GradientError(f"{name}() is a Python function, which is not batched; ag.map calls it row by row")


RULES: dict[str, Rule] = {
    "loop": _loop,
    "branch": _branch,
    "argsort": _last_axis,
    "elementwise": _elementwise,
    "reduce": _shifted_axes,
    "composite": _composite,
    "insert": _shifted_axes,
    "drop": _shifted_axes,
    "slice": _shifted_axes,
    "slice_set": _shifted_axes,
    "slice_add": _shifted_axes,
    "window": _window,
    "window_add": _window,
    "concatenate": _shifted_axes,
    "nonempty": _shifted_axes,
    "cumsum": _shifted_axes,
    "cumprod": _shifted_axes,
    "transpose": _transpose,
    "broadcast_to": _broadcast,
    "reshape": _reshape,
    "merge": _merge,
    "specify_shape": _specify,
    "sum_to": _sum_to,
    "take": _take,
    "scatter_set": _scatter,
    "scatter_add": _scatter,
    "contract": _contract,
    "searchsorted": _searchsorted,
    "solve": _solve,
    "python_call": _python,
}
