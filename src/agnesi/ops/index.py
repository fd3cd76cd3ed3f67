"""Operations that only move elements: views, slices, joins, lookups by integer arrays and their gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node, make
from agnesi.ir.op import OPS, Op, register
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, Index, Piece, here, indexing, storing

# -- axes -----------------------------------------------------------------------------------------------

transpose_: Op = indexing(
    "transpose",
    lambda x, perm: Type(x.dtype, tuple(x.shape[p] for p in perm)),
    lambda node, idx: tuple(idx[node["perm"].index(k)] for k in range(len(idx))),
    lambda x, shape, perm: np.transpose(x, perm),
    lambda node, g: (transpose_(g, perm=tuple(int(k) for k in np.argsort(node["perm"]))),),
    doc="The axes in another order.",
)


def _insert_infer(x: Node, axes: tuple[int, ...]) -> Type:
    shape = list(x.shape)
    for axis in axes:
        shape.insert(axis, 1)
    return Type(x.dtype, tuple(shape))


def _drop_infer(x: Node, axes: tuple[int, ...]) -> Type:
    return Type(x.dtype, tuple(d for k, d in enumerate(x.shape) if k not in axes))


def _drop_index(node: Node, idx: Index) -> Index:
    rest = iter(idx)
    return tuple(dim_node(0) if k in node["axes"] else next(rest) for k in range(node.args[0].ndim))


insert = indexing(
    "insert",
    _insert_infer,
    lambda node, idx: tuple(i for k, i in enumerate(idx) if k not in node["axes"]),
    lambda x, shape, axes: np.reshape(x, shape),
    lambda node, g: (drop(g, axes=node["axes"]),),
    doc="New axes of size 1 at these positions of the result.",
)
drop: Op = indexing(
    "drop",
    _drop_infer,
    _drop_index,
    lambda x, shape, axes: np.squeeze(x, axes),
    lambda node, g: (insert(g, axes=node["axes"]),),
    equal=lambda node: [(node.args[0].shape[a], 1) for a in node["axes"]],
    doc="Without these axes, whose size is 1.",
)


def _to_infer(x: Node, *shape: Node) -> Type:
    wanted = tuple(as_dim(d) for d in shape)
    pad = len(wanted) - x.ndim
    for have, want in zip(x.shape, wanted[pad:], strict=True):
        if isinstance(have, int) and isinstance(want, int) and have not in (1, want):
            raise ShapeError(f"broadcast_to: {x.type} does not fit the shape {wanted}")
    return Type(x.dtype, wanted)


def broadcast_index(x: Node, shape: tuple[Dim, ...], idx: Index) -> Index:
    """The index in x of element idx of a shape that x is broadcast to; sizes only known later give a choice."""
    result = []
    for have, want, i in zip(x.shape, shape[len(shape) - x.ndim :], idx[len(idx) - x.ndim :], strict=True):
        if same(have, 1):
            result.append(dim_node(0))
        elif same(have, want) or isinstance(have, int):
            result.append(i)
        else:
            result.append(ew.where(ew.eq(have, 1), dim_node(0), i))
    return tuple(result)


def _to_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    return (sum_to_shape(g, node.args[0].shape), *(None for _ in node.args[1:]))


broadcast_to_ = indexing(
    "broadcast_to",
    _to_infer,
    lambda node, idx: broadcast_index(node.args[0], node.shape, idx),
    lambda x, *dims, shape: np.broadcast_to(x, shape),
    _to_vjp,
    doc="The array repeated along axes of size 1 and along new leading axes.",
)


def broadcast_dims(x: Node, shape: tuple[Dim, ...]) -> Node:
    """x broadcast to this shape; x itself when it has it."""
    if len(shape) == x.ndim and all(same(a, b) for a, b in zip(x.shape, shape, strict=True)):
        return x
    return broadcast_to_(x, *map(dim_node, shape))


def sum_to_shape(g: Node, shape: tuple[Dim, ...]) -> Node:
    """The gradient of broadcasting: g summed along the axes that a shape was broadcast over."""
    extra = g.ndim - len(shape)
    axes = list(range(extra))
    axes += [k + extra for k, d in enumerate(shape) if same(d, 1) and not same(g.shape[k + extra], 1)]
    if axes:
        g = make(OPS["sum"], (g,), (("axes", tuple(axes)),))
        kept = tuple(k - extra for k in axes if k >= extra)
        g = insert(g, axes=kept) if kept else g
    if all(same(a, b) or isinstance(b, int) for a, b in zip(g.shape, shape, strict=True)):
        return g
    return sum_to(g, *map(dim_node, shape))


def _reshape_index(node: Node, idx: Index) -> Index:
    """Row-major position of idx in the result, taken apart along the input's axes; equal outer axes pass through."""
    source, target = node.args[0].shape, node.shape
    shorter = min(len(source), len(target))
    head = next((k for k in range(shorter) if not same(source[k], target[k])), shorter)
    tail = next((k for k in range(shorter - head) if not same(source[-1 - k], target[-1 - k])), shorter - head)
    flat: Dim = 0
    for k in range(head, len(target) - tail):
        flat = dims.mul(flat, target[k]) if not same(flat, 0) else 0
        flat = dims.add(flat, idx[k] if not same(target[k], 1) else 0)
    middle: list[Node] = []
    for k in reversed(range(head, len(source) - tail)):
        outermost = k == head
        middle.append(dim_node(flat if outermost else dims.mod(flat, source[k])))
        flat = flat if outermost else dims.floordiv(flat, source[k])
    return (*idx[:head], *reversed(middle), *idx[len(target) - tail :])


reshape_ = indexing(
    "reshape",
    lambda x, *shape: Type(x.dtype, tuple(as_dim(d) for d in shape)),
    _reshape_index,
    lambda x, *dims, shape: np.reshape(x, shape),
    lambda node, g: (reshape_dims(g, node.args[0].shape), *(None for _ in node.args[1:])),
    equal=lambda node: [(dims.product(node.args[0].shape), dims.product(node.shape))],
    doc="The elements in row-major order in another shape.",
)


def reshape_dims(x: Node, shape: tuple[Dim, ...]) -> Node:
    """x in this shape; x itself when it has it."""
    if len(shape) == x.ndim and all(same(a, b) for a, b in zip(x.shape, shape, strict=True)):
        return x
    have, want = dims.product(x.shape), dims.product(shape)
    if isinstance(have, int) and isinstance(want, int) and have != want:
        raise ShapeError(f"reshape: {x.type} has {have} elements, the shape {shape} {want}")
    return reshape_(x, *map(dim_node, shape))


# -- slices and lookups -----------------------------------------------------------------------------------


def _slice_infer(x: Node, *bounds: Node, axes: tuple[int, ...], steps: tuple[int, ...]) -> Type:
    shape = list(x.shape)
    for k, axis in enumerate(axes):
        shape[axis] = as_dim(bounds[2 * k + 1])
    return Type(x.dtype, tuple(shape))


def _slice_index(node: Node, idx: Index) -> Index:
    result = list(idx)
    for k, (axis, step) in enumerate(zip(node["axes"], node["steps"], strict=True)):
        result[axis] = dim_node(dims.add(dims.mul(idx[axis], step), as_dim(node.args[1 + 2 * k])))
    return tuple(result)


def selection(ndim: int, bounds: Any, axes: tuple[int, ...], steps: tuple[int, ...]) -> tuple[Any, ...]:
    """NumPy index arrays, one a sliced axis: right also for negative steps and empty slices."""
    parts: list[Any] = [slice(None)] * ndim
    for k, (axis, step) in enumerate(zip(axes, steps, strict=True)):
        start, length = int(bounds[2 * k]), int(bounds[2 * k + 1])
        stop = start + step * length
        parts[axis] = slice(start, stop if stop >= 0 else None, step) if length > 0 else slice(0, 0)
    return tuple(parts)


def _slice_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    zeros = broadcast_dims(const(0, g.dtype), node.args[0].shape)
    rest = node.args[1:]
    return (OPS["slice_set"](zeros, g, *rest, axes=node["axes"], steps=node["steps"]), *(None for _ in rest))


slice_ = indexing(
    "slice",
    _slice_infer,
    _slice_index,
    lambda x, *bounds, shape, axes, steps: x[selection(x.ndim, bounds, axes, steps)],
    _slice_vjp,
    doc="Every step-th element from a start, so many, along some axes; arguments: start and length for each.",
)


def first_linear(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else node.op(tangents[0], *node.args[1:], **dict(node.attrs))


def _sum_to_infer(g: Node, *shape: Node) -> Type:
    return Type(g.dtype, tuple(as_dim(d) for d in shape))


def _sum_to_reference(g: Array, *dims: Array, shape: tuple[int, ...]) -> Array:
    axes = tuple(k for k, d in enumerate(shape) if d == 1 and g.shape[k] != 1)
    return np.sum(g, axis=axes, keepdims=True, dtype=g.dtype) if axes else g


def _sum_to_pieces(node: Node) -> list[Piece]:
    g = node.args[0]

    def target(idx: Index, element: Any) -> Index:
        return broadcast_index(node, g.shape, idx)

    return [Piece(node.shape, const(0, node.dtype), here), Piece(g.shape, g, target, "add")]


sum_to = storing(
    "sum_to",
    _sum_to_infer,
    _sum_to_pieces,
    _sum_to_reference,
    lambda node, g: (broadcast_dims(g, node.args[0].shape), *(None for _ in node.args[1:])),
    first_linear,
    doc="The sum along those axes where the wanted size turns out to be 1: the gradient of run-time broadcasting.",
)

# -- joins and ranges -------------------------------------------------------------------------------------


def _concat_infer(*args: Node, axis: int) -> Type:
    total: Dim = 0
    shape = list(args[0].shape)
    for a in args:
        total = dims.add(total, a.shape[axis])
        for k, d in enumerate(a.shape):
            if k != axis and isinstance(d, int):
                if isinstance(shape[k], int) and shape[k] != d:
                    raise ShapeError(f"concatenate: {args[0].type} and {a.type} differ off axis {axis}")
                shape[k] = d
    shape[axis] = total
    return Type(args[0].dtype, tuple(shape))


def _offsets(node: Node) -> list[Dim]:
    starts: list[Dim] = [0]
    for a in node.args:
        starts.append(dims.add(starts[-1], a.shape[node["axis"]]))
    return starts


def _concat_pieces(node: Node) -> list[Piece]:
    def shifted(start: Dim) -> Any:
        axis = node["axis"]
        return lambda idx, element: (*idx[:axis], dim_node(dims.add(idx[axis], start)), *idx[axis + 1 :])

    return [Piece(a.shape, a, shifted(s)) for a, s in zip(node.args, _offsets(node), strict=False)]


def _concat_vjp(node: Node, g: Node) -> tuple[Node, ...]:
    axis = node["axis"]
    parts = zip(node.args, _offsets(node), strict=False)
    return tuple(slice_(g, dim_node(s), dim_node(a.shape[axis]), axes=(axis,), steps=(1,)) for a, s in parts)


def _concat_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    if all(t is None for t in tangents):
        return None
    filled = [broadcast_dims(const(0, node.dtype), a.shape) if t is None else t
              for a, t in zip(node.args, tangents, strict=True)]  # fmt: skip
    return concatenate_(*filled, axis=node["axis"])


concatenate_ = storing(
    "concatenate",
    _concat_infer,
    _concat_pieces,
    lambda *arrays, shape, axis: np.concatenate(arrays, axis),
    _concat_vjp,
    _concat_jvp,
    equal=lambda node: [
        (a.shape[k], node.args[0].shape[k]) for a in node.args[1:] for k in range(a.ndim) if k != node["axis"]
    ],
    doc="Arrays one after another along an axis.",
)

iota = register(
    Op(
        name="iota", kind="index", infer=lambda n: Type("int64", (as_dim(n),)), cost=0,
        evaluate=lambda n, shape: np.arange(int(n)), vjp=lambda node, g: (None,), jvp=lambda node, tangents: None,
        doc="The int64 numbers 0, 1, ... below n.",
    )
)  # fmt: skip


# -- the public functions -------------------------------------------------------------------------------


def expand_dims(x: Node, axes: tuple[int, ...]) -> Node:
    """New axes of size 1 at these sorted positions of the result."""
    return insert(x, axes=axes) if axes else x


@method("transpose", numpy=(np.transpose,))
@lift
def transpose(x: Node, axes: tuple[int, ...] | None = None) -> Node:
    """The axes in another order, reversed by default."""
    x = as_node(x)
    perm = tuple(range(x.ndim))[::-1] if axes is None else tuple(int(a) % x.ndim for a in axes)
    if sorted(perm) != list(range(x.ndim)):
        raise TypeMismatch(f"transpose: {axes} is not an order of the {x.ndim} axes of {x.type}")
    return x if perm == tuple(range(x.ndim)) else transpose_(x, perm=perm)


@method("reshape", numpy=(np.reshape,))
@lift
def reshape(x: Node, *shape: Any) -> Node:
    """The elements in another shape; one size may be -1.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.reshape(np.arange(6), (2, -1)).eval().shape
    (2, 3)
    """
    x = as_node(x)
    wanted = list(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else list(shape)
    sizes: list[Dim] = [as_dim(as_node(s)) for s in wanted]
    if sizes.count(-1) > 1:
        raise ShapeError("reshape: only one size can be -1")
    if -1 in [s for s in sizes if isinstance(s, int)]:
        hole = next(k for k, s in enumerate(sizes) if isinstance(s, int) and s == -1)
        rest = dims.product(s for k, s in enumerate(sizes) if k != hole)
        sizes[hole] = _divide(dims.product(x.shape), rest, x)
    return reshape_dims(x, tuple(sizes))


def _divide(total: Dim, rest: Dim, x: Node) -> Dim:
    if isinstance(total, int) and isinstance(rest, int):
        if rest == 0 or total % rest:
            raise ShapeError(f"reshape: the {total} elements of {x.type} do not divide by {rest}")
    return dims.floordiv(total, dims.maximum(rest, 1))


@method("flatten", "ravel", numpy=(np.ravel,))
@lift
def flatten(x: Node) -> Node:
    """All elements in one axis."""
    return reshape_dims(as_node(x), (dims.product(as_node(x).shape),))


@method("squeeze", numpy=(np.squeeze,))
@lift
def squeeze(x: Node, axis: int | tuple[int, ...] | None = None) -> Node:
    """Without axes of size 1: those given, or those known to be 1."""
    x = as_node(x)
    given = (axis,) if isinstance(axis, int) else axis
    axes = tuple(k for k, d in enumerate(x.shape) if same(d, 1)) if given is None else tuple(a % x.ndim for a in given)
    for a in axes:
        if isinstance(x.shape[a], int) and x.shape[a] != 1:
            raise ShapeError(f"squeeze: axis {a} of {x.type} is not 1")
    return drop(x, axes=tuple(sorted(axes))) if axes else x


@method("broadcast_to", numpy=(np.broadcast_to,))
@lift
def broadcast_to(x: Node, shape: Any) -> Node:
    """The array repeated to a shape."""
    return broadcast_dims(as_node(x), tuple(as_dim(as_node(s)) for s in shape))


@lift
def concatenate(arrays: Any, axis: int = 0) -> Node:
    """Arrays one after another along an axis.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.concatenate([np.zeros(2), np.ones(1)]).eval().tolist()
    [0.0, 0.0, 1.0]
    """
    nodes = [as_node(a) for a in arrays]
    if not nodes:
        raise TypeMismatch("concatenate needs at least one array")
    ranks = {n.ndim for n in nodes}
    if len(ranks) > 1 or 0 in ranks:
        raise TypeMismatch(f"concatenate: arrays of the same rank, at least 1, are needed, not {sorted(ranks)}")
    common = dt.promote(*[n.dtype for n in nodes])
    return concatenate_(*[cast(n, common) for n in nodes], axis=axis % nodes[0].ndim)


@lift
def stack(arrays: Any, axis: int = 0) -> Node:
    """Arrays of one shape along a new axis."""
    nodes = [as_node(a) for a in arrays]
    at = axis % (nodes[0].ndim + 1)
    return concatenate([insert(n, axes=(at,)) for n in nodes], axis=at)


@lift
def arange(n: Any) -> Node:
    """The int64 numbers 0, 1, ... below n."""
    return iota(cast(as_node(n), "int64"))


@lift
def full(shape: Any, value: Any, dtype: str) -> Node:
    """An array of one value."""
    sizes = shape if isinstance(shape, (tuple, list)) else (shape,)
    return broadcast_dims(cast(as_node(value), dtype), tuple(as_dim(cast(as_node(s), "int64")) for s in sizes))
