"""Lookups by integer arrays; setting and adding at looked-up places."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.ir import dims
from agnesi.ir.node import Node, const, dim_node
from agnesi.ir.op import Op, register
from agnesi.ir.type import Dim, Type
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, Index, Piece, here, storing
from agnesi.ops.index import broadcast_dims, first_linear, insert, iota, reshape_dims


def _take_infer(x: Node, *indices: Node) -> Type:
    return Type(x.dtype, indices[0].shape + x.shape[len(indices) :])


def _take_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    x, indices = node.args[0], node.args[1:]
    zeros = broadcast_dims(const(0, x.dtype), x.shape)
    return (scatter_add(zeros, g, *indices), *(None for _ in indices))


take = register(
    Op(
        name="take", kind="gather", infer=_take_infer, cost=0, vjp=_take_vjp,
        evaluate=lambda x, *indices, shape: x[tuple(np.asarray(i) for i in indices)],
        jvp=first_linear,
        doc="Elements by integer arrays, one for each leading axis, all of one shape and already checked.",
    )
)  # fmt: skip


def _scatter_pieces(combine: str) -> Callable[[Node], list[Piece]]:
    def pieces(node: Node) -> list[Piece]:
        base, values, indices = node.args[0], node.args[1], node.args[2:]
        lead = indices[0].ndim

        def target(idx: Index, element: Any) -> Index:
            return tuple(element(i, idx[:lead]) for i in indices) + idx[lead:]

        return [Piece(base.shape, base, here), Piece(values.shape, values, target, combine, indices)]

    return pieces


def _scatter_equal(node: Node) -> list[tuple[Dim, Dim]]:
    base, values, *indices = node.args
    return list(zip(values.shape, indices[0].shape + base.shape[len(indices) :], strict=True))


def _set_reference(base: Array, values: Array, *indices: Array, shape: tuple[int, ...]) -> Array:
    result = np.array(np.broadcast_to(base, shape))
    result[tuple(np.asarray(i) for i in indices)] = values
    return result


def _add_reference(base: Array, values: Array, *indices: Array, shape: tuple[int, ...]) -> Array:
    result = np.array(np.broadcast_to(base, shape))
    np.add.at(result, tuple(np.asarray(i) for i in indices), values)
    return result


def base_and_values(node: Node, tangents: list[Node | None]) -> Node | None:
    """The tangent of an op that is linear in its first two arguments."""
    if tangents[0] is None and tangents[1] is None:
        return None
    base, values = (
        broadcast_dims(const(0, a.dtype), a.shape) if t is None else t
        for a, t in zip(node.args[:2], tangents[:2], strict=True)
    )
    return node.op(base, values, *node.args[2:], **dict(node.attrs))


def _set_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    """Of values written to the same place only the last one counts."""
    values, indices = node.args[1], node.args[2:]
    zero = const(0, g.dtype)
    base = scatter_set(g, broadcast_dims(zero, values.shape), *indices)
    places = indices[0].shape
    number = reshape_dims(iota(dim_node(dims.product(places))), places)
    winner = take(scatter_set(broadcast_dims(dim_node(0), g.shape[: len(indices)]), number, *indices), *indices)
    last = insert(ew.eq(winner, number), axes=tuple(range(len(places), values.ndim)))
    return (base, ew.where(last, take(g, *indices), zero), *(None for _ in indices))


scatter_set = storing(
    "scatter_set",
    lambda base, values, *indices: base.type,
    _scatter_pieces(""),
    _set_reference,
    _set_vjp,
    base_and_values,
    equal=_scatter_equal,
    doc="base with values set at places given by integer arrays; of those set at the same place the last one stays.",
)
scatter_add = storing(
    "scatter_add",
    lambda base, values, *indices: base.type,
    _scatter_pieces("add"),
    _add_reference,
    lambda node, g: (g, take(g, *node.args[2:]), *(None for _ in node.args[2:])),
    base_and_values,
    equal=_scatter_equal,
    doc="base with values added at places given by integer arrays, repeated places adding up: the gradient of take.",
)
