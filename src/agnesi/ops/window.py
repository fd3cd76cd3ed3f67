"""Windows that move along axes, their gradient, and the product that is added up as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, as_dim, dim_node
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops.create import filled
from agnesi.ops.declare import Array, Index, Piece, calling, here, indexing, storing
from agnesi.ops.index import axes_of, first_linear, insert, sizes_of, slice_
from agnesi.ops.products import contract

Move = tuple[int, int, int]  # an axis, from one window to the next, and from one element of a window to the next
Moves = tuple[Move, ...]


def fitting(n: Dim, size: Dim, step: int, dilation: int) -> Dim:
    """How many windows of a size lie within an axis."""
    return dims.floordiv(dims.maximum(dims.add(dims.sub(n, reach(size, dilation)), step), 0), step)


def reach(size: Dim, dilation: int) -> Dim:
    """From the first element of a window to the one after its last."""
    return dims.add(dims.mul(dims.sub(size, 1), dilation), 1)


def placed(idx: Index, moves: Moves) -> Index:
    """Where in an array an element of its windows is; the axes of a window come last, in the order of the moves."""
    result, inner = list(idx[: -len(moves)]), idx[-len(moves) :]
    for (axis, step, dilation), i in zip(moves, inner, strict=True):
        result[axis] = dim_node(dims.add(dims.mul(idx[axis], step), dims.mul(i, dilation)))
    return tuple(result)


def _infer(x: Node, *sizes: Node, moves: Moves) -> Type:
    shape = list(x.shape)
    for (axis, _, _), count in zip(moves, sizes, strict=False):
        shape[axis] = as_dim(count)
    return Type(x.dtype, (*shape, *map(as_dim, sizes[len(moves) :])))


def _reference(x: Array, *sizes: Array, shape: tuple[int, ...], moves: Moves) -> Array:
    for (axis, step, dilation), count, size in zip(moves, sizes, sizes[len(moves) :], strict=False):
        places = np.arange(count)[:, None] * step + np.arange(size) * dilation
        x = np.moveaxis(np.take(x, places, axis=axis), axis + 1, -1)
    return x


def _vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    lengths = [dim_node(node.args[0].shape[axis]) for axis, _, _ in node["moves"]]
    return window_add(g, *lengths, moves=node["moves"]), *(None for _ in node.args[1:])


window = indexing(
    "window", _infer, lambda node, idx: placed(idx, node["moves"]), _reference, _vjp,
    doc="Windows that move along axes: for each (axis, step, dilation) so many, a step apart, and so many elements of "
    "a window, a dilation apart; the axes of windows are the last ones.",
)  # fmt: skip


def _add_infer(g: Node, *lengths: Node, moves: Moves) -> Type:
    shape = list(g.shape[: -len(moves)])
    for (axis, _, _), n in zip(moves, lengths, strict=True):
        shape[axis] = as_dim(n)
    return Type(g.dtype, tuple(shape))


def _add_pieces(node: Node) -> list[Piece]:
    zeros = filled(node.shape, 0, node.dtype)
    return [
        Piece(node.shape, zeros, here),
        Piece(node.args[0].shape, node.args[0], lambda idx, element: placed(idx, node["moves"]), "add"),
    ]


def _add_reference(g: Array, *lengths: Array, shape: tuple[int, ...], moves: Moves) -> Array:
    result = np.zeros(shape, g.dtype)
    for inner in np.ndindex(g.shape[-len(moves) :]):
        places: list[Any] = [slice(None)] * len(shape)
        for (axis, step, dilation), k in zip(moves, inner, strict=True):
            places[axis] = slice(k * dilation, k * dilation + step * g.shape[axis], step)
        result[tuple(places)] += g[(..., *inner)]
    return result


def _add_equal(parts: tuple[Dim, ...], shape: tuple[Dim, ...], moves: Moves) -> list[tuple[Dim, Dim]]:
    """There are as many windows as fit."""
    sizes = parts[-len(moves) :]
    return [(parts[a], fitting(shape[a], size, step, d)) for (a, step, d), size in zip(moves, sizes, strict=True)]


def _add_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    shape, moves = node.args[0].shape, node["moves"]
    sizes = [*(shape[axis] for axis, _, _ in moves), *shape[-len(moves) :]]
    return window(g, *map(dim_node, sizes), moves=moves), *(None for _ in node.args[1:])


window_add = storing(
    "window_add", _add_infer, _add_pieces, _add_reference, _add_vjp, first_linear,
    equal=lambda node: _add_equal(node.args[0].shape, node.shape, node["moves"]),
    doc="The elements of windows added up where they lie, in axes of so many elements: the gradient of window.",
)  # fmt: skip


def _sum_infer(a: Node, b: Node, *lengths: Node, labels: str, moves: Moves) -> Type:
    return _add_infer(contract(a, b, labels=labels), *lengths, moves=moves)


def _sum_reference(a: Array, b: Array, *lengths: Array, shape: tuple[int, ...], labels: str, moves: Moves) -> Array:
    parts = contract.evaluate(a, b, shape=(), labels=labels)
    return _add_reference(parts, *lengths, shape=shape, moves=moves)


def _sum_equal(node: Node) -> list[tuple[Dim, Dim]]:
    product = contract(*node.args[:2], labels=node["labels"])
    assert contract.equal is not None
    return [*contract.equal(product), *_add_equal(product.shape, node.shape, node["moves"])]


contract_windows = calling(
    "contract_windows", _sum_infer, _sum_reference, None, None, equal=_sum_equal,
    doc="window_add of a product, made by a rule: so not all windows are in memory.",
)  # fmt: skip


def windows(x: Node, sizes: Sequence[Dim], moves: Moves) -> Node:
    """The windows of these sizes that lie within the array; their axes are the last ones.

    Raises ShapeError where it is known that none does, or that a window would be empty.
    """
    counts = []
    for size, (axis, step, dilation) in zip(sizes, moves, strict=True):
        n, wanted = x.shape[axis], reach(size, dilation)
        if isinstance(size, int) and size < 1:
            raise ShapeError(f"a window has at least one element along each axis, not {size}")
        if isinstance(n, int) and isinstance(wanted, int) and wanted > n:
            raise ShapeError(f"a window of {wanted} elements does not fit axis {axis} of {x.type}")
        counts.append(fitting(n, size, step, dilation))
    if not all(same(size, 1) for size in sizes):
        return window(x, *map(dim_node, (*counts, *sizes)), moves=moves)
    axes, steps = tuple(axis for axis, _, _ in moves), tuple(step for _, step, _ in moves)
    bounds = [dim_node(d) for count in counts for d in (0, count)]
    part = x if set(steps) <= {1} else slice_(x, *bounds, axes=axes, steps=steps)
    return insert(part, axes=tuple(range(x.ndim, x.ndim + len(moves))))


@method(numpy=(np.lib.stride_tricks.sliding_window_view,))
@lift
def sliding_window_view(x: Node, window_shape: Any, axis: Any = None) -> Node:
    """All windows of a shape that lie within the array: its axes count windows, and further axes are those of a window.

    axis: the axes along which windows move, all in their order unless given. Where sizes are known only at the call and
    no window fits, there are none.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.sliding_window_view(np.arange(4), 3).eval().tolist()
    [[0, 1, 2], [1, 2, 3]]
    """
    x, shape = as_node(x), sizes_of(window_shape, "sliding_window_view: a size")
    if axis is None and len(shape) != x.ndim:
        raise TypeMismatch(f"sliding_window_view: {len(shape)} sizes, and {x.type} has {x.ndim} axes; give `axis`")
    axes = tuple(range(x.ndim)) if axis is None else axes_of(axis, x.ndim)
    if len(axes) != len(shape):
        raise TypeMismatch(f"sliding_window_view: {len(shape)} sizes for {len(axes)} axes")
    return windows(x, shape, tuple((axis, 1, 1) for axis in axes))
