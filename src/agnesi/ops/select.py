"""Places where something holds: results whose size depends on values."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.ir import dims
from agnesi.ir.node import Node, as_dim, cast, const, dim_node
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.cumulative import cumsum_
from agnesi.ops.gather import scatter_add, take
from agnesi.ops.index import broadcast_dims, concatenate_, insert, iota, slice_, transpose_
from agnesi.ops.reduce import cast_bool, sum_
from agnesi.ops.shape import flatten


def places(mask: Node) -> Node:
    """The positions at which a flat boolean array is true, in order.

    Position i goes to the place that counts the true elements before it; the others add 0 to some place, so there has
    to be one: where nothing is true, nothing is done.
    """
    count = as_dim(sum_(cast(mask, "int64"), axes=(0,)))
    length = dim_node(as_dim(ew.where(ew.gt(dim_node(count), 0), dim_node(mask.shape[0]), 0)))
    part = slice_(mask, dim_node(0), length, axes=(0,), steps=(1,))
    ones = cast(part, "int64")
    before = ew.minimum(cumsum_(ones, axis=0) - ones, dim_node(dims.sub(count, 1)))
    zeros = broadcast_dims(const(0, "int64"), (count,))
    return scatter_add(zeros, ew.where(part, iota(length), 0), before)


@lift
def flatnonzero(x: Node) -> Node:
    """The positions, in row-major order, of the elements that are not zero.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.flatnonzero(np.array([[0, 3], [2, 0]])).eval().tolist()
    [1, 2]
    """
    return places(flatten(cast_bool(as_node(x))))


@method("nonzero", numpy=(np.nonzero,))
@lift
def nonzero(x: Node) -> tuple[Node, ...]:
    """The indices of the elements that are not zero, one int64 vector an axis; their length depends on the values.

    >>> import numpy as np, agnesi.tensor as at
    >>> rows, columns = at.nonzero(np.array([[0, 3], [2, 0]]))
    >>> rows.eval().tolist(), columns.eval().tolist()
    ([0, 1], [1, 0])
    """
    x = as_node(x)
    position = flatnonzero(x)
    found: list[Node] = []
    for size in reversed(x.shape):
        found.insert(0, ew.mod(position, dim_node(size)))
        position = ew.floordiv(position, dim_node(size))
    return tuple(found)


@lift
def argwhere(x: Node) -> Node:
    """The indices of the elements that are not zero, a row for each."""
    return concatenate_(*[insert(places, axes=(1,)) for places in nonzero(as_node(x))], axis=1)


@method("nonzero_values")
@lift
def nonzero_values(x: Node) -> Node:
    """The elements that are not zero, in row-major order."""
    x = as_node(x)
    return take(flatten(x), flatnonzero(x))


@method(numpy=(np.compress,))
@lift
def compress(condition: Node, x: Node, axis: int | None = None) -> Node:
    """The parts of x along an axis (or its elements) at which a vector of conditions holds.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.compress(np.array([True, False, True]), np.arange(6).reshape(2, 3), axis=1).eval().tolist()
    [[0, 2], [3, 5]]
    """
    x = as_node(x)
    if axis is None:
        x, axis = flatten(x), 0
    axis %= x.ndim
    order = (axis, *(k for k in range(x.ndim) if k != axis))
    taken = take(transpose_(x, perm=order), flatnonzero(condition))
    return transpose_(taken, perm=tuple(order.index(k) for k in range(x.ndim)))


@method("compress")
def _compressed(x: Any, condition: Any, axis: int | None = None) -> Any:
    """The method takes the array first."""
    return compress(condition, x, axis)
