"""Reductions: operations that join the elements along axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, const, dim_node
from agnesi.ir.op import OPS, Op
from agnesi.ir.type import Dim
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, indexing, reduction
from agnesi.ops.index import Axis, broadcast_dims, expand_dims, normalize_axes


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
    return (spread(g, node.args[0], node["axes"]) * ew.conjugate(_others(node)),)


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


def _some_equal(node: Node) -> list[tuple[Dim, Dim]]:
    """The number of elements must be at least 1 where there is a result."""
    (x,), axes = node.args, node["axes"]
    rest = dims.product(d for k, d in enumerate(x.shape) if k not in axes)
    count = dims.product(x.shape[a] for a in axes)
    return [(count, dims.maximum(count, dims.minimum(rest, 1)))]


def _some_reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...], name: str) -> Array:
    return x


nonempty_ = indexing(
    "nonempty", lambda x, axes, name: x.type, lambda node, idx: idx, _some_reference, lambda node, g: (g,),
    equal=_some_equal, doc="The array, which must have elements along the axes where there is a result.")  # fmt: skip

# -- the public functions -----------------------------------------------------------------------------


def accumulator(dtype: str) -> str:
    """The dtype in which NumPy adds up: integers in 64 bits."""
    if dtype in dt.UNSIGNED:
        return "uint64"
    return dtype if dt.is_inexact(dtype) else "int64"


def _reduce(op: Op, x: Node, axis: Axis, keepdims: bool, initial: Any = None, where: Any = True) -> Node:
    """The reduction of the elements that `where` marks, joined with an initial value."""
    axes = normalize_axes(axis, x.ndim)
    assert op.init is not None
    if where is not True:
        x = ew.where(cast_bool(as_node(where)), x, const(op.init(x.dtype), x.dtype))
    y: Node = op(x, axes=axes) if axes else x
    if initial is not None:
        y = cast(OPS[op.combine](y, initial), x.dtype)
    return expand_dims(y, axes) if keepdims else y


@method("sum", numpy=(np.sum,))
@lift
def sum(
    x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
    initial: Any = None, where: Any = True,
) -> Node:  # fmt: skip
    """The sum along axes; integers add up in 64 bits, as in NumPy.

    dtype: of the result. acc_dtype: in which to add up, by default dtype. initial: what to start from. where: an array
    of booleans that marks the elements to take.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.sum(np.ones((2, 3)), axis=0).eval().tolist()
    [2.0, 2.0, 2.0]
    """
    return _accumulate(sum_, x, axis, dtype, keepdims, acc_dtype, initial, where)


@method("prod", numpy=(np.prod,))
@lift
def prod(
    x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None,
    initial: Any = None, where: Any = True,
) -> Node:  # fmt: skip
    """The product along axes; integers multiply in 64 bits, as in NumPy. Arguments as in `sum`."""
    return _accumulate(prod_, x, axis, dtype, keepdims, acc_dtype, initial, where)


def _accumulate(
    op: Op, x: Any, axis: Axis, dtype: Any, keepdims: bool, acc_dtype: Any, initial: Any, where: Any
) -> Node:  # fmt: skip
    x = as_node(x)
    wanted = dt.normalize(dtype) if dtype else accumulator(x.dtype)
    inner = dt.normalize(acc_dtype) if acc_dtype else wanted
    return cast(_reduce(op, cast(x, inner), axis, keepdims, initial, where), wanted)


@method("max", numpy=(np.max, np.amax))
@lift
def max(x: Node, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Node:
    """The greatest element along axes; NaN where there is one.

    initial: a lower bound, and the result over no elements. where: marks the elements to take, and needs an initial
    value. Without one, no elements are a ShapeError.
    """
    return _reduce(max_, _some("max", as_node(x), axis, initial, where), axis, keepdims, initial, where)


@method("min", numpy=(np.min, np.amin))
@lift
def min(x: Node, axis: Axis = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Node:
    """The smallest element along axes; NaN where there is one.

    initial: an upper bound, and the result over no elements. where: marks the elements to take, and needs an initial
    value. Without one, no elements are a ShapeError.
    """
    return _reduce(min_, _some("min", as_node(x), axis, initial, where), axis, keepdims, initial, where)


def _some(name: str, x: Node, axis: Axis, initial: Any, where: Any) -> Node:
    """x; raises where it is known that an extreme would be one of no elements."""
    if initial is not None:
        return x
    if where is not True:
        raise TypeMismatch(f"{name}: with `where` there may be no elements; give `initial` too")
    return nonempty(name, x, normalize_axes(axis, x.ndim))


def nonempty(name: str, x: Node, axes: tuple[int, ...]) -> Node:
    """x; raises ShapeError where it has no elements along the axes, but a result: now where that is known, or later."""
    rest = dims.product(d for k, d in enumerate(x.shape) if k not in axes)
    count = dims.product(x.shape[a] for a in axes)
    if not dims.same(rest, 0) and dims.same(count, 0):
        raise ShapeError(f"{name} of no elements: {x.type} along {axes}; max and min take `initial` for that case")
    return x if isinstance(count, int) or dims.same(rest, 0) else nonempty_(x, axes=axes, name=name)


@method("any", numpy=(np.any,))
@lift
def any(x: Node, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Node:
    """Whether any element along the axes is true."""
    return _reduce(any_, cast_bool(as_node(x)), axis, keepdims, where=where)


@method("all", numpy=(np.all,))
@lift
def all(x: Node, axis: Axis = None, keepdims: bool = False, where: Any = True) -> Node:
    """Whether all elements along the axes are true."""
    return _reduce(all_, cast_bool(as_node(x)), axis, keepdims, where=where)


@method("count_nonzero", numpy=(np.count_nonzero,))
@lift
def count_nonzero(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The number of elements along the axes that differ from zero."""
    x = as_node(x)
    return _reduce(sum_, cast(cast_bool(x), "int64"), axis, keepdims)


@method("ptp", numpy=(np.ptp,))
@lift
def ptp(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The greatest element minus the smallest along the axes."""
    x = as_node(x)
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def cast_bool(x: Node) -> Node:
    """Whether each element differs from zero."""
    return x if x.dtype == "bool" else ew.ne(x, 0)


def count(x: Node, axes: tuple[int, ...], dtype: str) -> Node:
    """The number of elements along the axes, as a scalar."""
    n = dims.product(x.shape[a] for a in axes)
    return const(float(n), dtype) if isinstance(n, int) else cast(dim_node(n), dtype)


def _count_along(x: Node, axes: tuple[int, ...], keepdims: bool, where: Any) -> Node:
    """How many elements are averaged: a scalar, or the number of those that `where` marks, in the dtype of x."""
    if where is True:
        return count(x, axes, x.dtype)
    mask = broadcast_dims(cast_bool(as_node(where)), x.shape)
    return _reduce(sum_, cast(mask, x.dtype), axes, keepdims)


@method("mean", numpy=(np.mean,))
@lift
def mean(
    x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False, acc_dtype: Any = None, where: Any = True
) -> Node:  # fmt: skip
    """The mean along axes, in floating point; arguments as in `sum`. That of halves is rounded once."""
    x = as_node(x)
    wanted = dt.normalize(dtype) if dtype else dt.to_float(x.dtype)
    x = cast(x, dt.normalize(acc_dtype) if acc_dtype else dt.wide(wanted))
    axes = normalize_axes(axis, x.ndim)
    return cast(_reduce(sum_, x, axes, keepdims, where=where) / _count_along(x, axes, keepdims, where), wanted)


@method("var", numpy=(np.var,))
@lift
def var(
    x: Node, axis: Axis = None, ddof: Any = 0, keepdims: bool = False, dtype: Any = None, where: Any = True
) -> Node:  # fmt: skip
    """The variance along axes: the mean squared distance from the mean, with `ddof` degrees of freedom taken off.

    Real also for complex numbers.
    """
    x = as_node(x)
    wanted = dt.normalize(dtype) if dtype else dt.to_float(x.dtype)
    x = cast(x, dt.wide(wanted))
    axes = normalize_axes(axis, x.ndim)
    centred = x - mean(x, axes, keepdims=True, where=where)
    squares = ew.real(centred * ew.conj(centred)) if dt.is_complex(x.dtype) else centred * centred
    total = _reduce(sum_, squares, axes, keepdims, where=where)
    return cast(total / (_count_along(squares, axes, keepdims, where) - ddof), dt.to_real(wanted))


def root(x: Node) -> Node:
    """The square root, whose derivative at 0 is 0."""
    return ew.where(ew.eq(x, 0), 0, ew.sqrt(x))


@method("std", numpy=(np.std,))
@lift
def std(
    x: Node, axis: Axis = None, ddof: Any = 0, keepdims: bool = False, dtype: Any = None, where: Any = True
) -> Node:  # fmt: skip
    """The standard deviation along axes; arguments as in `var`. Its derivative where it is 0 is 0."""
    return root(var(as_node(x), axis, ddof, keepdims, dtype, where))
