"""Arrays with a part set or added to: x[key].set(y), x[key].inc(y)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import Variable, as_node, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, Index, Piece, here, storing
from agnesi.ops.gather import base_and_values, scatter_add, scatter_set
from agnesi.ops.index import broadcast_dims, drop, insert, reshape_dims, selection, slice_, transpose_

# -- slices: arguments are the array, the values, and start and length for each of `axes` ----------------------


def _pieces(combine: str) -> Callable[[Node], list[Piece]]:
    def pieces(node: Node) -> list[Piece]:
        base, values, *bounds = node.args

        def target(idx: Index, element: Any) -> Index:
            result = list(idx)
            for k, (axis, step) in enumerate(zip(node["axes"], node["steps"], strict=True)):
                result[axis] = dim_node(dims.add(dims.mul(idx[axis], step), as_dim(bounds[2 * k])))
            return tuple(result)

        return [Piece(base.shape, base, here), Piece(values.shape, values, target, combine)]

    return pieces


def _equal(node: Node) -> list[tuple[Dim, Dim]]:
    base, values, *bounds = node.args
    wanted = list(base.shape)
    for k, axis in enumerate(node["axes"]):
        wanted[axis] = as_dim(bounds[2 * k + 1])
    return list(zip(values.shape, wanted, strict=True))


def _reference(add: bool) -> Callable[..., Array]:
    def evaluate(base: Array, values: Array, *bounds: Array, shape: Any, axes: Any, steps: Any) -> Array:
        result = np.array(base)
        part = selection(base.ndim, bounds, axes, steps)
        result[part] = result[part] + values if add else values
        return result

    return evaluate


def _part(node: Node, g: Node) -> Node:
    return slice_(g, *node.args[2:], axes=node["axes"], steps=node["steps"])


def _set_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    values, bounds = node.args[1], node.args[2:]
    zeros = broadcast_dims(const(0, g.dtype), values.shape)
    return (node.op(g, zeros, *bounds, **dict(node.attrs)), _part(node, g), *(None for _ in bounds))


slice_set = storing(
    "slice_set",
    lambda base, values, *bounds, axes, steps: base.type,
    _pieces(""),
    _reference(False),
    _set_vjp,
    base_and_values,
    equal=_equal,
    doc="An array with values set into a slice of it.",
)
slice_add = storing(
    "slice_add",
    lambda base, values, *bounds, axes, steps: base.type,
    _pieces("add"),
    _reference(True),
    lambda node, g: (g, _part(node, g), *(None for _ in node.args[2:])),
    base_and_values,
    equal=_equal,
    doc="An array with values added to a slice of it.",
)

# -- the public functions ----------------------------------------------------------------------------------------


@method("set")
def set_subtensor(part: Any, values: Any) -> Variable:
    """The array of which `part` is x[key], with values in place of that part; also written x[key].set(values).

    x itself stays as it is; where nothing else needs it, its memory is used again. Values broadcast to the part; of
    values set at the same place by integer arrays the last one stays.

    Raises TypeMismatch when part is not a part of an array, or when values have a dtype that x cannot hold.

    >>> import numpy as np, agnesi.tensor as at
    >>> x = at.zeros(3)
    >>> at.set_subtensor(x[1:], 5).eval().tolist(), x[0].set(1).eval().tolist()
    ([0.0, 5.0, 5.0], [1.0, 0.0, 0.0])
    """
    return _assigned(part, values, False)


@method("inc")
def inc_subtensor(part: Any, values: Any) -> Variable:
    """The array of which `part` is x[key], with values added to that part; also written x[key].inc(values).

    Places that integer arrays name several times are added to several times. Else like set_subtensor.

    >>> import numpy as np, agnesi.tensor as at
    >>> x = at.zeros(3)
    >>> x[np.array([0, 2, 2])].inc(1).eval().tolist()
    [1.0, 0.0, 2.0]
    """
    return _assigned(part, values, True)


def _assigned(part: Any, values: Any, add: bool) -> Variable:
    if not isinstance(part, Variable) or part.origin is None:
        raise TypeMismatch("set_subtensor, inc_subtensor, .set and .inc take a part of an array, such as x[1:3]")
    base, key = part.origin
    given = as_node(values, base.dtype) if dt.is_weak(values) else as_node(values)
    if dt.promote(given.dtype, base.dtype) != base.dtype:
        raise TypeMismatch(
            f"values of dtype {given.dtype} do not fit into {base.type}; convert them with .astype({base.dtype!r})"
        )
    mask = as_node(key[0]) if len(key) == 1 and not isinstance(key[0], (slice, int, type(None), type(...))) else None
    if mask is not None and mask.dtype == "bool" and given.ndim == 0:
        full = insert(mask, axes=tuple(range(mask.ndim, base.ndim))) if mask.ndim < base.ndim else mask
        value = cast(given, base.dtype)
        return Variable(ew.where(full, base + value if add else value, base))
    return Variable(put(base, part.node, fitted(cast(given, base.dtype), part.node), add))


def fitted(values: Node, part: Node) -> Node:
    """Values with the axes of a part of an array; unknown sizes are equal to its sizes, never 1."""
    if values.ndim > part.ndim:
        raise ShapeError(f"values of type {values.type} do not fit into {part.type}")
    missing = part.ndim - values.ndim
    own = (1,) * missing + values.shape
    shape = tuple(b if same(a, 1) else a for a, b in zip(own, part.shape, strict=True))
    for a, b in zip(shape, part.shape, strict=True):
        if isinstance(a, int) and isinstance(b, int) and a != b:
            raise ShapeError(f"values of type {values.type} do not fit into {part.type}")
    return broadcast_dims(values, shape)


def put(base: Node, part: Node, values: Node, add: bool) -> Node:
    """base with values in place of (or added to) the part, an expression that only moves elements of base."""
    while part is not base:
        x, *rest = part.args
        match part.op.name:
            case "transpose":
                perm = part["perm"]
                values = transpose_(values, perm=tuple(perm.index(k) for k in range(len(perm))))
            case "insert":
                values = drop(values, axes=part["axes"])
            case "drop":
                values = insert(values, axes=part["axes"])
            case "slice":
                op = slice_add if add else slice_set
                values, add = op(x, values, *rest, axes=part["axes"], steps=part["steps"]), False
            case "reshape":
                values = reshape_dims(values, x.shape)
            case "take":
                values, add = (scatter_add if add else scatter_set)(x, values, *rest), False
            case _:
                raise TypeMismatch(f"{part.op.name} is not a part of an array")
        part = x
    return base + values if add else values
