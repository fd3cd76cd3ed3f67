"""Lookups by integer arrays, and their gradient: adding at looked-up places."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.ir.node import Node, const
from agnesi.ir.op import Op, register
from agnesi.ir.type import Type
from agnesi.ops.declare import Array, Index, Piece, here, storing
from agnesi.ops.index import broadcast_dims, first_linear


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


def _scatter_pieces(node: Node) -> list[Piece]:
    base, values, indices = node.args[0], node.args[1], node.args[2:]
    lead = indices[0].ndim

    def target(idx: Index, element: Any) -> Index:
        return tuple(element(i, idx[:lead]) for i in indices) + idx[lead:]

    return [Piece(base.shape, base, here), Piece(values.shape, values, target, "add", indices)]


def _scatter_reference(base: Array, values: Array, *indices: Array, shape: tuple[int, ...]) -> Array:
    result = np.array(np.broadcast_to(base, shape))
    np.add.at(result, tuple(np.asarray(i) for i in indices), values)
    return result


def _scatter_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    base, values = tangents[0], tangents[1]
    if base is None and values is None:
        return None
    base = base if base is not None else broadcast_dims(const(0, node.dtype), node.shape)
    values = values if values is not None else broadcast_dims(const(0, node.dtype), node.args[1].shape)
    return scatter_add(base, values, *node.args[2:])


scatter_add = storing(
    "scatter_add",
    lambda base, values, *indices: base.type,
    _scatter_pieces,
    _scatter_reference,
    lambda node, g: (g, take(g, *node.args[2:]), *(None for _ in node.args[2:])),
    _scatter_jvp,
    doc="base with values added at places given by integer arrays, repeated places adding up: the gradient of take.",
)
