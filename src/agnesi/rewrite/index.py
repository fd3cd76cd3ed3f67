"""Rules of movement: views of views, sums over broadcasts, and lookups whose places are known."""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.node import CONST, Node, as_dim, cast, const, dim_node, value_of
from agnesi.ir.type import same
from agnesi.ops import elementwise as ew
from agnesi.ops.gather import scatter_add
from agnesi.ops.index import (
    broadcast_dims,
    broadcast_to_,
    drop,
    insert,
    iota,
    reshape_,
    reshape_dims,
    section,
    slice_,
    sum_to,
    transpose_,
)  # fmt: skip
from agnesi.ops.reduce import nonempty_, sum_
from agnesi.rewrite.pattern import Bindings, Pattern, Rule, var

x, y, v = var("x"), var("y"), var("v")
A = var("axes")


def transposed_twice(b: Bindings) -> Node:
    """One transpose for two, or none."""
    perm = tuple(b["inner"][p] for p in b["outer"])
    x: Node = b["x"]
    return x if perm == tuple(range(x.ndim)) else transpose_(x, perm=perm)


def lead_broadcast(b: Bindings) -> Node | None:
    """broadcast_to adds leading axes by itself."""
    return broadcast_dims(b["x"], b["node"].shape) if b["axes"] == tuple(range(len(b["axes"]))) else None


def same_everywhere(b: Bindings) -> Node | None:
    """A scalar repeated is the same in every order and every part."""
    x: Node = b["x"]
    return broadcast_dims(x, b["node"].shape) if x.ndim == 0 else None


def sum_broadcast(b: Bindings) -> Node | None:
    """sum(broadcast_to(x)) over axes along which x only repeats -> x times their sizes."""
    node, source = b["node"], b["node"].args[0]
    x: Node = source.args[0]
    pad = source.ndim - x.ndim
    repeated = [a for a in node["axes"] if a < pad or (same(x.shape[a - pad], 1) and not same(source.shape[a], 1))]
    if not repeated or x.dtype not in ("float32", "float64") or len(repeated) != len(node["axes"]):
        return None
    factor = cast(dim_node(dims.product(source.shape[a] for a in repeated)), x.dtype)
    dropped = tuple(a - pad for a in repeated if a >= pad)
    rest = drop(x, axes=dropped) if dropped else x
    return broadcast_dims(rest * factor, node.shape)


def onehot(b: Bindings) -> Node | None:
    """scatter_add(zeros, v, 0..n, i) -> where(0..m == i, v, 0): every row gets at most one value."""
    node: Node = b["node"]
    base, values, *indices = node.args
    if base.op is not broadcast_to_ or base.args[0].op is not CONST or value_of(base.args[0]) != 0:
        return None
    if len(indices) != node.ndim or node.ndim != 2 or values.ndim != 1:
        return None
    rows, columns = indices
    if rows.op is not iota or not same(rows.shape[0], node.shape[0]):
        return None
    hit = ew.eq(insert(columns, axes=(1,)), insert(iota(dim_node(node.shape[1])), axes=(0,)))
    return ew.where(hit, insert(values, axes=(1,)), 0)


def sum_onehot(b: Bindings) -> Node | None:
    """sum(where(0..m == i, v, 0)) along the axis of 0..m -> v, where each i is checked to be one of them."""
    if b["axes"] != (1,) or b["node"].args[0].ndim != 2:
        return None
    index, numbers = b["i"], b["n"]
    if index.op is iota:
        index, numbers = numbers, index
    values: Node = b["v"]
    m = b["node"].args[0].shape[1]
    if numbers.op is insert and numbers.args[0].op is iota:
        numbers = numbers.args[0]
    if numbers.op is not iota or not same(numbers.shape[0], m) or index.op is not insert:
        return None
    if index.args[0].op is not ew.check_index or not same(as_dim(index.args[0].args[1]), m):
        return None
    if values.ndim == 0:
        return broadcast_dims(values, b["node"].shape)
    if values.ndim != 2 or not same(values.shape[1], 1):
        return None
    return broadcast_dims(drop(values, axes=(1,)), b["node"].shape)


def no_sum_to(b: Bindings) -> Node | None:
    """sum_to a shape that the array has."""
    node: Node = b["node"]
    g = node.args[0]
    return g if all(same(p, q) for p, q in zip(g.shape, node.shape, strict=True)) else None


def sum_to_known(b: Bindings) -> Node | None:
    """sum_to along axes known to be 1 is an ordinary sum."""
    node: Node = b["node"]
    g = node.args[0]
    axes = tuple(k for k, d in enumerate(node.shape) if same(d, 1) and not same(g.shape[k], 1))
    if not axes:
        return None
    return sum_to(insert(sum_(g, axes=axes), axes=axes), *node.args[1:])


def checked_range(b: Bindings) -> Node | None:
    """The numbers below n are right indices of an axis of size n."""
    return b["x"] if b["x"].op is iota and same(b["x"].shape[0], as_dim(b["y"])) else None


def checked_const(b: Bindings) -> Node | None:
    """A constant index of an axis of known size."""
    i, n = b["x"], b["y"]
    if i.op is not CONST or n.op is not CONST:
        return None
    k, size = int(value_of(i)), int(value_of(n))
    return const(k % size, "int64") if -size <= k < size else None


def nothing(b: Bindings) -> Node | None:
    """An index op that leaves all as it is."""
    return b["x"] if b["x"].type == b["node"].type else None


def _zeros(*shape: int) -> Node:
    return broadcast_dims(const(0.0, "float64"), shape)


def _vector(n: int) -> Node:
    return cast(iota(dim_node(n)), "float64")


def _places(n: int, m: int) -> Node:
    return ew.check_index(ew.mod(iota(dim_node(n)) * 2, dim_node(m)), dim_node(m), site=0)


INDEX = [
    Rule("transpose_transpose", Pattern(transpose_, (transpose_(x, perm=var("inner")),), (("perm", var("outer")),)),
         transposed_twice, "bitwise",
         example=lambda: transpose_(transpose_(reshape_dims(_vector(6), (1, 2, 3)), perm=(1, 2, 0)), perm=(0, 2, 1))),
    Rule("drop_insert", drop(insert(x, axes=A), axes=A), x, "bitwise",
         example=lambda: drop(insert(_vector(3), axes=(1,)), axes=(1,))),
    Rule("insert_drop", insert(drop(x, axes=A), axes=A), x, "bitwise",
         example=lambda: insert(drop(reshape_dims(_vector(3), (3, 1)), axes=(1,)), axes=(1,))),
    Rule("reshape_reshape", Pattern(reshape_, (Pattern(reshape_, ()),)),
         lambda b: reshape_dims(b["node"].args[0].args[0], b["node"].shape), "bitwise",
         example=lambda: reshape_(reshape_(_vector(6), dim_node(2), dim_node(3)), dim_node(3), dim_node(2))),
    Rule("reshape_same", Pattern(reshape_, (x,)), nothing, "bitwise",
         example=lambda: reshape_(_vector(3), dim_node(3))),
    Rule("broadcast_same", Pattern(broadcast_to_, (x,)), nothing, "bitwise",
         example=lambda: broadcast_to_(_vector(3), dim_node(3))),
    Rule("broadcast_broadcast", Pattern(broadcast_to_, (Pattern(broadcast_to_, (x,)),)),
         lambda b: broadcast_dims(b["x"], b["node"].shape), "bitwise",
         example=lambda: broadcast_to_(broadcast_to_(_vector(3), dim_node(2), dim_node(3)), dim_node(2), dim_node(3))),
    Rule("broadcast_insert", Pattern(broadcast_to_, (insert(x, axes=A),)), lead_broadcast, "bitwise",
         example=lambda: broadcast_to_(insert(_vector(3), axes=(0,)), dim_node(2), dim_node(3))),
    Rule("insert_broadcast", insert(Pattern(broadcast_to_, (x,)), axes=A), same_everywhere, "bitwise",
         example=lambda: insert(broadcast_dims(const(2.0, "float64"), (3,)), axes=(0,))),
    Rule("transpose_of_scalar", Pattern(transpose_, (Pattern(broadcast_to_, (x,)),)), same_everywhere, "bitwise",
         example=lambda: transpose_(broadcast_dims(const(2.0, "float64"), (1, 3)), perm=(1, 0))),
    Rule("drop_of_scalar", Pattern(drop, (Pattern(broadcast_to_, (x,)),)), same_everywhere, "bitwise",
         example=lambda: drop(broadcast_dims(const(2.0, "float64"), (1, 3)), axes=(0,))),
    Rule("reshape_of_scalar", Pattern(reshape_, (Pattern(broadcast_to_, (x,)),)), same_everywhere, "bitwise",
         example=lambda: reshape_(broadcast_dims(const(2.0, "float64"), (3,)), dim_node(1), dim_node(3))),
    Rule("slice_of_scalar", Pattern(slice_, (Pattern(broadcast_to_, (x,)),)), same_everywhere, "bitwise",
         example=lambda: section(broadcast_dims(const(2.0, "float64"), (3,)), 0, 1, 2)),
    Rule("sum_broadcast", sum_(Pattern(broadcast_to_, ()), axes=A), sum_broadcast, "rounding",
         example=lambda: sum_(broadcast_dims(_vector(3), (4, 3)), axes=(0,))),
    Rule("onehot", Pattern(scatter_add, ()), onehot, "rounding",
         example=lambda: scatter_add(_zeros(4, 3), _vector(4), iota(dim_node(4)), _places(4, 3))),
    Rule("sum_onehot", sum_(ew.where(ew.eq(var("i"), var("n")), v, 0), axes=A), sum_onehot, "rounding",
         example=lambda: sum_(ew.where(ew.eq(insert(_places(4, 3), axes=(1,)), insert(iota(dim_node(3)), axes=(0,))),
                                       insert(_vector(4), axes=(1,)), 0), axes=(1,))),
    Rule("sum_to_same", Pattern(sum_to, ()), no_sum_to, "bitwise",
         example=lambda: sum_to(_vector(3), dim_node(3))),
    Rule("sum_to_known", Pattern(sum_to, ()), sum_to_known, "rounding",
         example=lambda: sum_to(_vector(3), dim_node(1))),
    Rule("check_range", Pattern(ew.check_index, (x, y)), checked_range, "bitwise",
         example=lambda: ew.check_index(iota(dim_node(3)), dim_node(3), site=0)),
    Rule("check_const", Pattern(ew.check_index, (x, y)), checked_const, "bitwise",
         example=lambda: ew.check_index(dim_node(-1), dim_node(3), site=0)),
    Rule("nonempty", nonempty_(x, axes=A, name=var("name")), x, "bitwise",
         example=lambda: nonempty_(_vector(3), axes=(0,), name="max")),
    Rule("meet_same", Pattern(ew.meet, (x, x)), x, "bitwise"),
]  # fmt: skip
