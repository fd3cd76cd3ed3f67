"""Running sums and products along an axis."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.op import OPS, Op
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Index, Piece, storing
from agnesi.ops.index import normalize_axes, slice_
from agnesi.ops.reduce import accumulator
from agnesi.ops.shape import flatten


def running(name: str, function: Any, combine: str, vjp: Any, jvp: Any, doc: str) -> Op:
    """An op whose element k along `axis` joins the elements up to k: each is made from the one before it."""

    def pieces(node: Node) -> list[Piece]:
        x, axis = node.args[0], node["axis"]
        n = x.shape[axis]

        def along(length: Any) -> tuple[Any, ...]:
            return (*x.shape[:axis], length, *x.shape[axis + 1 :])

        def shifted(idx: Index) -> Index:
            return (*idx[:axis], dim_node(dims.add(idx[axis], 1)), *idx[axis + 1 :])

        def joined(idx: Index, element: Any) -> Node:
            result: Node = OPS[combine](element(node, idx), element(x, shifted(idx)))
            return result

        return [
            Piece(along(dims.minimum(n, 1)), lambda idx, element: element(x, idx), lambda idx, element: idx),
            Piece(along(dims.maximum(dims.sub(n, 1), 0)), joined, lambda idx, element: shifted(idx)),
        ]

    return storing(
        name,
        lambda x, axis: x.type,
        pieces,
        lambda x, shape, axis: function(x, axis=axis, dtype=x.dtype),
        vjp,
        jvp,
        doc=doc,
    )


def _reversed(x: Node, axis: int) -> Node:
    n = x.shape[axis]
    return slice_(x, dim_node(dims.sub(n, 1)), dim_node(n), axes=(axis,), steps=(-1,))


def _sum_from_end(x: Node, axis: int) -> Node:
    return _reversed(cumsum_(_reversed(x, axis), axis=axis), axis)


def _sum_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else cumsum_(tangents[0], axis=node["axis"])


cumsum_ = running(
    "cumsum", np.cumsum, "add", lambda node, g: (_sum_from_end(g, node["axis"]),), _sum_jvp,
    doc="The sums of the elements up to each one along an axis.")  # fmt: skip


def _split_zeros(x: Node, axis: int) -> tuple[Node, Node, Node]:
    """Which elements are zero, which is the first of them, and the running products with 1 in its place."""
    zero = ew.eq(x, 0)
    first = zero & ew.eq(cumsum_(cast(zero, "int64"), axis=axis), 1)
    return zero, first, cumprod_(ew.where(first, 1, x), axis=axis)


def _prod_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    """Elements before the first zero divide their share out; those after it have none; the first zero has the rest."""
    (x,), axis = node.args, node["axis"]
    zero, first, others = _split_zeros(x, axis)
    product, others, divisor = map(ew.conjugate, (node, others, ew.where(zero, 1, x)))
    share = ew.where(zero, 0, _sum_from_end(g * product, axis) / divisor)
    return (ew.where(first, _sum_from_end(g * others, axis), share),)


def _prod_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    (x,), axis, t = node.args, node["axis"], tangents[0]
    if t is None:
        return None
    zero, first, others = _split_zeros(x, axis)
    before: Node = node * cumsum_(t / ew.where(zero, 1, x), axis=axis)
    return before + others * cumsum_(ew.where(first, t, 0), axis=axis)


cumprod_ = running(
    "cumprod", np.cumprod, "mul", _prod_vjp, _prod_jvp,
    doc="The products of the elements up to each one along an axis.")  # fmt: skip

# -- the public functions ------------------------------------------------------------------------------------


def _run(op: Op, x: Any, axis: int | None, dtype: str | None) -> Node:
    node = as_node(x)
    node = cast(node, dt.normalize(dtype) if dtype else accumulator(node.dtype))
    if axis is None:
        node, axis = flatten(node), 0
    (axis,) = normalize_axes(axis, node.ndim)
    result: Node = op(node, axis=axis)
    return result


@method("cumsum", numpy=(np.cumsum,))
@lift
def cumsum(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """The sums of the elements up to each one along an axis; of all in one row where no axis is given.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.cumsum(np.array([1.0, 2.0, 3.0])).eval().tolist()
    [1.0, 3.0, 6.0]
    """
    return _run(cumsum_, x, axis, dtype)


@method("cumprod", numpy=(np.cumprod,))
@lift
def cumprod(x: Node, axis: int | None = None, dtype: str | None = None) -> Node:
    """The products of the elements up to each one along an axis; of all in one row where no axis is given."""
    return _run(cumprod_, x, axis, dtype)
