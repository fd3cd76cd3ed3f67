"""Orders: sorted arrays, the places of their elements, the greatest ones, each value once."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, const, dim_node
from agnesi.ir.type import Type
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import calling
from agnesi.ops.getitem import getitem
from agnesi.ops.index import broadcast_dims, expand_dims, normalize_axes
from agnesi.ops.join import concatenate
from agnesi.ops.lookup import take_along_axis
from agnesi.ops.shape import flatten, moveaxis


def _infer(x: Node) -> Type:
    if x.dtype not in (*dt.BOOL, *dt.SIGNED, *dt.UNSIGNED, "float32", "float64"):
        raise TypeMismatch(f"{x.type} cannot be sorted: its elements have no order that compiled code knows")
    return Type("int64", x.shape)


argsort_ = calling(
    "argsort", _infer, lambda x, shape: np.argsort(x, axis=-1, kind="stable"),
    lambda node, g: (None,), lambda node, tangents: None,
    doc="The places of the elements along the last axis in ascending order; equal ones stay in order, NaN comes last.",
)  # fmt: skip


def _along(x: Any, axis: int | None) -> tuple[Node, int]:
    node = as_node(x)
    if axis is None:
        node, axis = flatten(node), 0
    (axis,) = normalize_axes(axis, node.ndim)
    return node, axis


@method("argsort", numpy=(np.argsort,))
@lift
def argsort(x: Node, axis: int | None = -1) -> Node:
    """The places of the elements along an axis in ascending order; equal elements stay in order, NaN comes last.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.argsort(np.array([3.0, 1.0, 2.0])).eval().tolist()
    [1, 2, 0]
    """
    x, axis = _along(x, axis)
    return moveaxis(argsort_(moveaxis(cast(x, dt.wide(x.dtype)), axis, -1)), -1, axis)


@method("sort", numpy=(np.sort,))
@lift
def sort(x: Node, axis: int | None = -1) -> Node:
    """The elements along an axis in ascending order, NaN last; all of them in one row where the axis is None.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.sort(np.array([[3, 1], [2, 4]])).eval().tolist()
    [[1, 3], [2, 4]]
    """
    x, axis = _along(x, axis)
    return take_along_axis(x, argsort(x, axis), axis)


@lift
def topk_and_argtopk(x: Node, k: Any, axis: int = -1) -> tuple[Node, Node]:
    """The k greatest elements along an axis (the -k smallest where k is negative), in ascending order; their places.

    k: a number, not 0; an axis that has fewer elements is an error at the call.
    """
    x, axis = _along(x, axis)
    if not isinstance(k, int) or k == 0:
        raise TypeMismatch(f"topk: k is a number other than 0, not {k!r}")
    size = x.shape[axis]
    if isinstance(size, int) and abs(k) > size:
        raise ShapeError(f"topk: axis {axis} of {x.type} has fewer than {abs(k)} elements")
    places = argsort(x, axis)
    numbers = np.arange(-k, 0) if k > 0 else np.arange(-k)
    best = getitem(places, (*(slice(None),) * axis, numbers))
    return take_along_axis(x, best, axis), best


@lift
def topk(x: Node, k: Any, axis: int = -1) -> Node:
    """The k greatest elements along an axis (the -k smallest where k is negative), in ascending order.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.topk(np.array([3.0, 1.0, 2.0]), 2).eval().tolist()
    [2.0, 3.0]
    """
    return topk_and_argtopk(x, k, axis)[0]


@lift
def argtopk(x: Node, k: Any, axis: int = -1) -> Node:
    """The places of the k greatest elements along an axis (the -k smallest where k is negative)."""
    return topk_and_argtopk(x, k, axis)[1]


@lift
def unique(x: Node) -> Node:
    """Each value of an array once, in ascending order.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.unique(np.array([3, 1, 3])).eval().tolist()
    [1, 3]
    """
    ordered = sort(flatten(as_node(x)))
    differs = ew.ne(getitem(ordered, slice(1, None)), getitem(ordered, slice(None, -1)))
    first = broadcast_dims(const(True, "bool"), (1,))
    return getitem(ordered, getitem(concatenate([first, differs]), slice(0, dim_node(ordered.shape[0]))))


@method("median", numpy=(np.median,))
@lift
def median(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The middle of the elements along an axis (of all where it is None), the mean of the two middle ones; NaN stays.

    >>> import numpy as np, agnesi.tensor as at
    >>> float(at.median(np.array([4.0, 1.0, 2.0, 8.0])).eval())
    3.0
    """
    x = cast(as_node(x), dt.to_float(as_node(x).dtype))
    ones = x.ndim if axis is None else 0
    x, axis = _along(x, axis)
    ordered = sort(x, axis)
    n = x.shape[axis]
    before = (slice(None),) * axis
    low = getitem(ordered, (*before, dim_node(dims.floordiv(dims.sub(n, 1), 2))))
    high = getitem(ordered, (*before, dim_node(dims.floordiv(n, 2))))
    last = getitem(ordered, (*before, -1))
    middle = ew.where(ew.isnan(last), last, (low + high) * 0.5)
    if not keepdims:
        return middle
    return expand_dims(middle, tuple(range(ones)) if ones else (axis,))
