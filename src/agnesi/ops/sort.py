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
from agnesi.ops.join import concatenate, stack
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
    """The middle of the elements along an axis (of all where it is None), the mean of the two middle ones.

    NaN where there is one.

    >>> import numpy as np, agnesi.tensor as at
    >>> float(at.median(np.array([4.0, 1.0, 2.0, 8.0])).eval())
    3.0
    """
    return quantile(x, 0.5, axis, keepdims)


@lift
def quantile(x: Node, q: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """The value below which a part q of the elements lies, linear between elements; NaN where there is one.

    q: a number between 0 and 1, or a list of them, which gives one result for each along a new first axis.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.quantile(np.arange(5.0), [0.25, 0.6]).eval().tolist()
    [1.0, 2.4]
    """
    if isinstance(q, (list, tuple)):
        return stack([quantile(x, part, axis, keepdims) for part in q])
    x = cast(as_node(x), dt.to_float(as_node(x).dtype))
    part = cast(as_node(q), x.dtype)
    if part.ndim:
        raise TypeMismatch(f"quantile: q is a number or a list of numbers, not {part.type}")
    ones = x.ndim if axis is None else 0
    x, axis = _along(x, axis)
    ordered = sort(x, axis)
    place = part * cast(dim_node(dims.sub(x.shape[axis], 1)), x.dtype)
    below = cast(ew.floor(place), "int64")
    before = (slice(None),) * axis
    low, high, last = (getitem(ordered, (*before, k)) for k in (below, cast(ew.ceil(place), "int64"), -1))
    result = ew.where(ew.isnan(last), last, low + (high - low) * (place - cast(below, x.dtype)))
    if not keepdims:
        return result
    return expand_dims(result, tuple(range(ones)) if ones else (axis,))


@lift
def percentile(x: Node, q: Any, axis: int | None = None, keepdims: bool = False) -> Node:
    """The value below which q percent of the elements lie: quantile at q / 100."""
    parts = [part / 100 for part in q] if isinstance(q, (list, tuple)) else as_node(q) / 100
    return quantile(x, parts, axis, keepdims)
