"""Reductions: operations that join the elements along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, const, dim_node
from agnesi.ir.op import Op
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import reduction
from agnesi.ops.index import broadcast_dims, expand_dims

Axis = int | tuple[int, ...] | None


def normalize_axes(axis: Axis, ndim: int, name: str = "axis") -> tuple[int, ...]:
    """The axes as a sorted tuple of non-negative numbers; None means all. Raises TypeMismatch."""
    axes = tuple(range(ndim)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise TypeMismatch(f"{name} {a} does not exist: the array has {ndim} axes")
    result = tuple(sorted({a % ndim for a in axes}))
    if len(result) != len(axes):
        raise TypeMismatch(f"{name} {axis} names an axis twice")
    return result


def spread(y: Node, x: Node, axes: tuple[int, ...]) -> Node:
    """A reduced array y back over the axes of x that were reduced."""
    return broadcast_dims(expand_dims(y, axes), x.shape)


def lowest(dtype: str) -> Any:
    """The neutral element of max."""
    return -np.inf if dt.is_float(dtype) else False if dtype == "bool" else int(np.iinfo(dtype).min)


def highest(dtype: str) -> Any:
    """The neutral element of min."""
    return np.inf if dt.is_float(dtype) else True if dtype == "bool" else int(np.iinfo(dtype).max)


def _sum_vjp(node: Node, g: Node) -> tuple[Node, ...]:
    return (spread(g, node.args[0], node["axes"]),)


def _sum_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else sum_(tangents[0], axes=node["axes"])


def _shares(node: Node) -> Node:
    """Which elements are extreme, each weighted by one over their number."""
    (x,), axes = node.args, node["axes"]
    hit = ew.eq(x, spread(node, x, axes))
    count = sum_(cast(hit, x.dtype), axes=axes)
    return ew.where(hit, spread(1 / count, x, axes), 0)


def _extreme_vjp(node: Node, g: Node) -> tuple[Node, ...]:
    return (spread(g, node.args[0], node["axes"]) * _shares(node),)


def _extreme_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else sum_(tangents[0] * _shares(node), axes=node["axes"])


def _others(node: Node) -> Node:
    """The product of all other elements, right also where elements are zero."""
    (x,), axes = node.args, node["axes"]
    zero = ew.eq(x, 0)
    zeros = spread(sum_(cast(zero, x.dtype), axes=axes), x, axes)
    safe = ew.where(zero, 1, x)
    rest = spread(prod_(safe, axes=axes), x, axes)
    return ew.where(zero, ew.where(ew.eq(zeros, 1), rest, 0), ew.where(ew.eq(zeros, 0), rest / safe, 0))


def _prod_vjp(node: Node, g: Node) -> tuple[Node, ...]:
    return (spread(g, node.args[0], node["axes"]) * _others(node),)


def _prod_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    return None if tangents[0] is None else sum_(tangents[0] * _others(node), axes=node["axes"])


def _typed(function: Any) -> Any:
    """The NumPy reduction that stays in the dtype of its input."""
    return lambda x, axis: function(x, axis=axis, dtype=x.dtype)


def _extreme(function: Any, neutral: Any) -> Any:
    return lambda x, axis: function(x, axis=axis, initial=neutral(x.dtype.name))


sum_ = reduction(
    "sum", _typed(np.sum), combine="add", init=lambda dtype: 0, vjp=_sum_vjp, jvp=_sum_jvp,
    doc="The sum of the elements along the axes.")  # fmt: skip
prod_ = reduction(
    "prod", _typed(np.prod), combine="mul", init=lambda dtype: 1, vjp=_prod_vjp, jvp=_prod_jvp,
    doc="The product of the elements along the axes.")  # fmt: skip
max_ = reduction(
    "max", _extreme(np.max, lowest), combine="maximum", init=lowest, vjp=_extreme_vjp, jvp=_extreme_jvp,
    doc="The greatest element along the axes; equal ones share the derivative.")  # fmt: skip
min_ = reduction(
    "min", _extreme(np.min, highest), combine="minimum", init=highest, vjp=_extreme_vjp, jvp=_extreme_jvp,
    doc="The smallest element along the axes; equal ones share the derivative.")  # fmt: skip
any_ = reduction(
    "any", np.any, combine="or", init=lambda dtype: False, doc="Whether any element is true.")  # fmt: skip
all_ = reduction(
    "all", np.all, combine="and", init=lambda dtype: True, doc="Whether all elements are true.")  # fmt: skip


# -- the public functions -----------------------------------------------------------------------------


def accumulator(dtype: str) -> str:
    """The dtype in which NumPy adds up: integers in 64 bits."""
    if dtype in dt.UNSIGNED:
        return "uint64"
    return dtype if dt.is_float(dtype) else "int64"


def _reduce(op: Op, x: Node, axis: Axis, keepdims: bool) -> Node:
    axes = normalize_axes(axis, x.ndim)
    y: Node = op(x, axes=axes) if axes else x
    return expand_dims(y, axes) if keepdims else y


@method("sum", numpy=(np.sum,))
@lift
def sum(x: Node, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Node:
    """The sum along axes; integers add up in 64 bits, as in NumPy.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.sum(np.ones((2, 3)), axis=0).eval().tolist()
    [2.0, 2.0, 2.0]
    """
    x = as_node(x)
    return _reduce(sum_, cast(x, dtype or accumulator(x.dtype)), axis, keepdims)


@method("prod", numpy=(np.prod,))
@lift
def prod(x: Node, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Node:
    """The product along axes; integers multiply in 64 bits, as in NumPy."""
    x = as_node(x)
    return _reduce(prod_, cast(x, dtype or accumulator(x.dtype)), axis, keepdims)


@method("max", numpy=(np.max, np.amax))
@lift
def max(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The greatest element along axes; NaN where there is one; the lowest value of the dtype over no elements."""
    return _reduce(max_, as_node(x), axis, keepdims)


@method("min", numpy=(np.min, np.amin))
@lift
def min(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest element along axes; NaN where there is one; the highest value of the dtype over no elements."""
    return _reduce(min_, as_node(x), axis, keepdims)


@method("any", numpy=(np.any,))
@lift
def any(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether any element along the axes is true."""
    return _reduce(any_, cast_bool(as_node(x)), axis, keepdims)


@method("all", numpy=(np.all,))
@lift
def all(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """Whether all elements along the axes are true."""
    return _reduce(all_, cast_bool(as_node(x)), axis, keepdims)


def cast_bool(x: Node) -> Node:
    """Whether each element differs from zero."""
    return x if x.dtype == "bool" else ew.ne(x, 0)


def count(x: Node, axes: tuple[int, ...], dtype: str) -> Node:
    """The number of elements along the axes, as a scalar."""
    n = dims.product(x.shape[a] for a in axes)
    return const(float(n), dtype) if isinstance(n, int) else cast(dim_node(n), dtype)


@method("mean", numpy=(np.mean,))
@lift
def mean(x: Node, axis: Axis = None, dtype: str | None = None, keepdims: bool = False) -> Node:
    """The mean along axes, in floating point."""
    x = as_node(x)
    x = cast(x, dtype or dt.to_float(x.dtype))
    axes = normalize_axes(axis, x.ndim)
    return _reduce(sum_, x, axes, keepdims) / count(x, axes, x.dtype)


@method("var", numpy=(np.var,))
@lift
def var(x: Node, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Node:
    """The variance along axes: the mean squared distance from the mean, with `ddof` degrees of freedom taken off."""
    x = as_node(x)
    x = cast(x, dt.to_float(x.dtype))
    axes = normalize_axes(axis, x.ndim)
    centred = x - mean(x, axes, keepdims=True)
    return _reduce(sum_, centred * centred, axes, keepdims) / (count(x, axes, x.dtype) - ddof)


@method("std", numpy=(np.std,))
@lift
def std(x: Node, axis: Axis = None, ddof: int = 0, keepdims: bool = False) -> Node:
    """The standard deviation along axes."""
    return ew.sqrt(var(x, axis, ddof, keepdims))
