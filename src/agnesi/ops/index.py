"""Operations that only move elements: views, slices, joins, lookups by integer arrays and their gradients."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import index
from typing import Any, SupportsIndex

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node, make
from agnesi.ir.op import OPS, Op, register
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import as_node
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, Index, Piece, here, indexing, storing

Axis = int | Sequence[int] | None

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


def flat_index(idx: Index, shape: Sequence[Dim]) -> Dim:
    """The place in row-major order of an element."""
    flat: Dim = 0
    for i, n in zip(idx, shape, strict=True):
        flat = dims.mul(flat, n) if not same(flat, 0) else 0
        flat = dims.add(flat, i if not same(n, 1) else 0)
    return flat


def _cuts(source: tuple[Dim, ...], target: tuple[Dim, ...]) -> list[tuple[int, int]]:
    """Where both shapes can be cut so that parts between cuts have equal numbers of elements."""
    outer = [dims.factors(source[:k]) for k in range(len(source) + 1)]
    cuts = [(0, 0)]
    for j in range(1, len(target) + 1):
        wanted = dims.factors(target[:j])
        i = next((k for k in range(cuts[-1][0] + 1, len(outer)) if outer[k] == wanted), None)
        cuts += [(i, j)] if i is not None else []
    end = len(source), len(target)
    return cuts if cuts[-1] == end else [*cuts, end]


def _reshape_index(node: Node, idx: Index) -> Index:
    """Row-major position of idx in the result, taken apart along the input's axes; each part between cuts by itself."""
    source, target = node.args[0].shape, node.shape
    result: list[Node] = []
    for (i, j), (i_end, j_end) in pairwise(_cuts(source, target)):
        flat = flat_index(idx[j:j_end], target[j:j_end])
        part: list[Node] = []
        for k in reversed(range(i, i_end)):
            outermost = k == i
            part.append(dim_node(flat if outermost else dims.mod(flat, source[k])))
            flat = flat if outermost else dims.floordiv(flat, source[k])
        result += reversed(part)
    return tuple(result)


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


def first_linear(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else node.op(tangents[0], *node.args[1:], **dict(node.attrs))


def _merge_infer(x: Node, groups: tuple[int, ...]) -> Type:
    ends = [0, *accumulate(groups)]
    return Type(x.dtype, tuple(dims.product(x.shape[a:b]) for a, b in pairwise(ends)))


def _merge_pieces(node: Node) -> list[Piece]:
    shape, ends = node.args[0].shape, [0, *accumulate(node["groups"])]

    def target(idx: Index, element: Any) -> Index:
        return tuple(dim_node(flat_index(idx[a:b], shape[a:b])) for a, b in pairwise(ends))

    return [Piece(shape, node.args[0], target)]


merge = storing(
    "merge",
    _merge_infer,
    _merge_pieces,
    lambda x, shape, groups: np.reshape(x, shape),
    lambda node, g: (reshape_dims(g, node.args[0].shape),),
    first_linear,
    doc="Groups of so many neighbouring axes as one axis each: a reshape written in the order of the input.",
)

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


def expand_dims(x: Node, axes: tuple[int, ...]) -> Node:
    """New axes of size 1 at these sorted positions of the result."""
    return insert(x, axes=axes) if axes else x


def permuted(x: Node, perm: tuple[int, ...]) -> Node:
    """x with its axes in this order; x itself when that is the order they have."""
    return x if perm == tuple(range(x.ndim)) else transpose_(x, perm=perm)


def section(x: Node, axis: int, start: Dim, length: Dim) -> Node:
    """So many elements from a start along an axis, which must lie within it."""
    if same(start, 0) and same(length, x.shape[axis]):
        return x
    return slice_(x, dim_node(start), dim_node(length), axes=(axis,), steps=(1,))


# -- what users give for axes and sizes ---------------------------------------------------------------------


def normalize_axes(axis: Axis, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """The axes as a sorted tuple of non-negative numbers; None means all. Raises TypeMismatch."""
    return tuple(range(ndim)) if axis is None else tuple(sorted(axes_of(axis, ndim, name)))


def axes_of(axis: int | Sequence[int], ndim: int, name: str = "axis") -> tuple[int, ...]:
    """The axes as non-negative numbers, in the order in which they are given. Raises TypeMismatch."""
    axes = (index(axis),) if isinstance(axis, SupportsIndex) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise TypeMismatch(f"{name} {a} does not exist: the array has {ndim} axes")
    result = tuple(a % ndim for a in axes)
    if len(set(result)) != len(result):
        raise TypeMismatch(f"{name} {axis} names an axis twice")
    return result


def axis_of(axis: Any, ndim: int, name: str = "axis") -> int:
    """One axis as a non-negative number. Raises TypeMismatch."""
    return axes_of(index(axis), ndim, name)[0]


def size_of(value: Any, name: str = "a size") -> Dim:
    """A number or an integer scalar as a dimension. Raises TypeMismatch."""
    node = as_node(value)
    if node.ndim or dt.is_float(node.dtype) or node.dtype == "bool":
        raise TypeMismatch(f"{name} must be an integer or an integer scalar, not {node.type}")
    return as_dim(cast(node, "int64"))


def sizes_of(shape: Any, name: str = "a size") -> tuple[Dim, ...]:
    """A size, a sequence of sizes, or a vector of known length as a shape. Raises TypeMismatch."""
    if isinstance(shape, (tuple, list)):
        return tuple(size_of(s, name) for s in shape)
    node = as_node(shape)
    if node.ndim != 1:
        return (size_of(node, name),)
    if not isinstance(node.shape[0], int):
        raise TypeMismatch(
            f"{name}: the vector {node.type} has no known length, so the rank is not known; give a tuple"
        )
    return tuple(size_of(drop(section(node, 0, k, 1), axes=(0,)), name) for k in range(node.shape[0]))
