"""Lookups, counts and places: take, take_along_axis, choose, searchsorted, bincount, interp and their like."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.create import filled
from agnesi.ops.declare import calling
from agnesi.ops.gather import scatter_add, take as take_
from agnesi.ops.getitem import part_of
from agnesi.ops.index import (
    axis_of,
    broadcast_dims,
    expand_dims as added_axes,
    insert,
    iota,
    reshape_dims,
    size_of,
    sizes_of,
)
from agnesi.ops.reduce import max as max_of
from agnesi.ops.shape import flatten


def _integers(i: Any, name: str) -> Node:
    node = as_node(i)
    if node.dtype not in dt.SIGNED + dt.UNSIGNED:
        raise TypeMismatch(f"{name} must be integers, not {node.type}")
    return cast(node, "int64")


def _within(i: Node, n: Dim, mode: str, name: str) -> Node:
    """Indices brought into an axis of size n, or checked against it."""
    if mode not in ("raise", "wrap", "clip"):
        raise TypeMismatch(f'{name}: mode is "raise", "wrap" or "clip", not {mode!r}')
    size = dim_node(n)
    if mode == "wrap":
        i = i % size
    elif mode == "clip":
        i = ew.maximum(ew.minimum(i, size - 1), 0)
    return i if mode != "raise" and isinstance(n, int) and n > 0 else ew.checked(i, size)


# -- lookups ------------------------------------------------------------------------------------------------


@method("take", numpy=(np.take,))
@lift
def take(x: Node, indices: Any, axis: int | None = None, mode: str = "raise") -> Node:
    """Elements by integers along an axis, or from the flattened array.

    mode: what an index out of range does: "raise" (negative ones count from the end), "wrap" or "clip".

    >>> import numpy as np, agnesi.tensor as at
    >>> at.take(np.arange(6).reshape(2, 3), [2, 0], axis=1).eval().tolist()
    [[2, 0], [5, 3]]
    """
    x, i = as_node(x), _integers(indices, "take: indices")
    if axis is None:
        x, axis = flatten(x), 0
    axis = axis_of(axis, x.ndim)
    key = i if mode == "raise" else _within(i, x.shape[axis], mode, "take")
    return part_of(x, (*[slice(None)] * axis, key))


@method("take_along_axis", numpy=(np.take_along_axis,))
@lift
def take_along_axis(x: Node, indices: Any, axis: int | None = -1) -> Node:
    """Elements by integers along an axis, for every place of the other axes its own: what argmax and its like give.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.take_along_axis(np.array([[1, 5], [7, 2]]), np.array([[1], [0]]), axis=1).eval().tolist()
    [[5], [7]]
    """
    x, i = as_node(x), _integers(indices, "take_along_axis: indices")
    if axis is None:
        x, axis = flatten(x), 0
    if x.ndim != i.ndim:
        raise TypeMismatch(f"take_along_axis: {x.type} and the indices {i.type} must have the same rank")
    axis = axis_of(axis, x.ndim)
    others = [tuple(a for a in range(x.ndim) if a != k) for k in range(x.ndim)]
    key = [added_axes(iota(dim_node(n)), axes) for n, axes in zip(x.shape, others, strict=True)]
    key[axis] = ew.checked(i, dim_node(x.shape[axis]))
    shape = dims.broadcast([k.shape for k in key])
    return take_(x, *[broadcast_dims(k, shape) for k in key])


@method("choose", numpy=(np.choose,))
@lift
def choose(a: Node, choices: Any, mode: str = "raise") -> Node:
    """Element by element, the value of that array among the choices whose number a gives.

    >>> import agnesi.tensor as at
    >>> at.choose([0, 1, 0], [[1, 2, 3], [10, 20, 30]]).eval().tolist()
    [1, 20, 3]
    """
    number = _integers(a, "choose: a")
    if not isinstance(choices, (list, tuple)):
        rows = as_node(choices)
        if not rows.ndim or not isinstance(rows.shape[0], int):
            raise TypeMismatch(f"choose: how many choices {rows.type} has is not known; give a list")
        choices = [part_of(rows, k) for k in range(rows.shape[0])]
    options = [as_node(c) for c in choices]
    number = _within(number, len(options), mode, "choose")
    result = broadcast_dims(options[-1], dims.broadcast([n.shape for n in (number, *options)]))
    for k in reversed(range(len(options) - 1)):
        result = ew.where(ew.eq(number, k), options[k], result)
    return result


# -- places in sorted arrays --------------------------------------------------------------------------------


def _search_infer(a: Node, v: Node, side: str) -> Type:
    if dt.is_complex(a.dtype):
        raise TypeMismatch("searchsorted is not defined for complex numbers")
    return Type("int64", v.shape)


searchsorted_ = calling(
    "searchsorted", _search_infer, lambda a, v, shape, side: np.searchsorted(a, v, side),
    lambda node, g: (None, None), lambda node, tangents: None,
    doc="Where values belong in a sorted vector of their dtype: before equal elements or behind them.",
)  # fmt: skip


@method("searchsorted", numpy=(np.searchsorted,))
@lift
def searchsorted(a: Node, v: Any, side: str = "left", sorter: Any = None) -> Node:
    """Where values belong in a sorted vector: before equal ones ("left") or behind them ("right").

    A binary search; NaN stands behind all numbers.

    >>> import agnesi.tensor as at
    >>> at.searchsorted([1.0, 2.0, 4.0], [2.0, 3.0]).eval().tolist()
    [1, 2]
    """
    a, v = as_node(a), as_node(v)
    if a.ndim != 1:
        raise TypeMismatch(f"searchsorted: a must be a vector, not {a.type}")
    if side not in ("left", "right"):
        raise TypeMismatch(f'searchsorted: side is "left" or "right", not {side!r}')
    a = a if sorter is None else take(a, sorter)
    common = dt.wide(dt.promote(a.dtype, v.dtype))
    values = cast(v if v.ndim else broadcast_dims(v, (1,)), common)
    return reshape_dims(searchsorted_(cast(a, common), values, side=side), v.shape)


@method(numpy=(np.digitize,))
@lift
def digitize(x: Node, bins: Any, right: bool = False) -> Node:
    """The number of the bin of each value, for increasing edges; 0 below the first, len(bins) above the last."""
    return searchsorted(as_node(bins), as_node(x), "left" if right else "right")


@method(numpy=(np.interp,))
@lift
def interp(x: Node, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Node:
    """The piecewise linear function through the points (xp, fp), xp increasing, at each x.

    left, right: the values below the first and above the last point, by default those at them.

    >>> import agnesi.tensor as at
    >>> at.interp([0.5, 9.0], [0.0, 1.0, 2.0], [0.0, 10.0, 30.0]).eval().tolist()
    [5.0, 30.0]
    """
    common = dt.to_float(dt.promote(*[as_node(n).dtype for n in (x, xp, fp)]))
    x, xp, fp = (cast(as_node(n), common) for n in (x, xp, fp))
    if xp.ndim != 1 or fp.ndim != 1:
        raise TypeMismatch(f"interp: xp and fp must be vectors, not {xp.type} and {fp.type}")
    last = dim_node(dims.sub(xp.shape[0], 1))
    place = ew.maximum(ew.minimum(searchsorted(xp, x, "right"), last), 1) - 1
    after = ew.minimum(place + 1, last)
    x0, x1, y0, y1 = (part_of(n, i) for n, i in ((xp, place), (xp, after), (fp, place), (fp, after)))
    width = ew.where(ew.eq(x1, x0), 1, x1 - x0)
    inside = (y1 - y0) / width * (x - x0) + y0
    low, high = part_of(fp, 0) if left is None else left, part_of(fp, -1) if right is None else right
    result = ew.where(ew.gt(x, part_of(xp, -1)), high, ew.where(ew.eq(x, x1), y1, inside))
    return ew.where(ew.lt(x, part_of(xp, 0)), low, result)


# -- counts and places --------------------------------------------------------------------------------------


@method(numpy=(np.bincount,))
@lift
def bincount(x: Node, weights: Any = None, minlength: Any = 0) -> Node:
    """How often each number stands in a vector of integers that are not negative, or the sum of its weights.

    The result has one element more than the greatest number, but at least `minlength`.

    >>> import agnesi.tensor as at
    >>> at.bincount([0, 2, 2], minlength=4).eval().tolist()
    [1, 0, 2, 0]
    """
    i = _integers(x, "bincount: x")
    if i.ndim != 1:
        raise TypeMismatch(f"bincount takes a vector, not {i.type}")
    top = max_of(i, initial=-1) + 1
    n = as_dim(ew.maximum(top, dim_node(size_of(minlength, "bincount: minlength"))))
    place = ew.checked(ew.where(ew.lt(i, 0), i - dim_node(n), i), dim_node(n))
    values = const(1, "int64") if weights is None else cast(as_node(weights), "float64")
    return scatter_add(filled((n,), 0, values.dtype), broadcast_dims(values, i.shape), place)


@lift
def to_one_hot(y: Node, nb_class: Any, dtype: Any = None) -> Node:
    """Rows with a one where y says, zeros elsewhere: shape (*y.shape, nb_class).

    >>> import agnesi.tensor as at
    >>> at.to_one_hot([2, 0], 3, "int8").eval().tolist()
    [[0, 0, 1], [1, 0, 0]]
    """
    i, n = _integers(y, "to_one_hot: y"), size_of(nb_class, "to_one_hot: nb_class")
    hit = ew.eq(insert(ew.checked(i, dim_node(n)), axes=(i.ndim,)), iota(dim_node(n)))
    return cast(hit, dt.normalize(dtype) if dtype else "float64")


@method(numpy=(np.ravel_multi_index,))
@lift
def ravel_multi_index(multi_index: Any, shape: Any, mode: Any = "raise", order: str = "C") -> Node:
    """The places in a flattened array of this shape of places given by one integer array for each axis."""
    sizes = sizes_of(shape, "ravel_multi_index: a size")
    modes = mode if isinstance(mode, (tuple, list)) else (mode,) * len(sizes)
    places = [_within(_integers(i, "ravel_multi_index: indices"), n, m, "ravel_multi_index")
              for i, n, m in zip(multi_index, sizes, modes, strict=True)]  # fmt: skip
    flat = const(0, "int64")
    for i, n in _in_order(list(zip(places, sizes, strict=True)), order):
        flat = flat * dim_node(n) + i
    return flat


@method(numpy=(np.unravel_index,))
@lift
def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Node, ...]:
    """For places in a flattened array of this shape, one integer array for each axis."""
    sizes = sizes_of(shape, "unravel_index: a size")
    rest = _integers(indices, "unravel_index: indices")
    total = dim_node(dims.product(sizes))
    rest = ew.checked(ew.where(ew.lt(rest, 0), rest - total, rest), total)
    found = []
    for n in reversed(_in_order(list(sizes), order)):
        found.append(rest % dim_node(n))
        rest = rest // dim_node(n)
    return tuple(_in_order(found[::-1], order))


def _in_order(axes: Sequence[Any], order: str) -> Sequence[Any]:
    if order not in ("C", "F"):
        raise TypeMismatch(f'the order of axes is "C" or "F", not {order!r}')
    return axes if order == "C" else axes[::-1]
