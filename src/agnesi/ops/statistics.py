"""Averages, norms, differences, covariances, and reductions that leave out NaN."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.composites import argmax, argmin
from agnesi.ops.index import Axis, axis_of, broadcast_dims, insert, normalize_axes, section
from agnesi.ops.join import joined
from agnesi.ops.products import dot
from agnesi.ops.reduce import (
    any as any_of,
    count,
    max as max_of,
    mean,
    min as min_of,
    nonempty,
    prod,
    root,
    sum as sum_of,
    var,
)
from agnesi.ops.shape import atleast_2d, matrix_transpose, ravel, squeeze


def _float(x: Any) -> Node:
    node = as_node(x)
    return cast(node, dt.to_float(node.dtype))


# -- norms --------------------------------------------------------------------------------------------------


@method(numpy=(np.linalg.vector_norm,))
@method("norm")
@lift
def vector_norm(x: Node, ord: Any = 2, axis: Axis = None, keepdims: bool = False) -> Node:
    """The length of vectors along axes, in the norm of this order: 0, 1, 2, another number, inf or -inf.

    Its derivative at 0 is 0.

    >>> import agnesi.tensor as at
    >>> float(at.vector_norm([3.0, 4.0]).eval())
    5.0
    """
    x = _float(x)
    size = ew.abs_(x)
    if ord in (np.inf, -np.inf):
        return (max_of if ord > 0 else min_of)(size, axis, keepdims)
    if ord == 0:
        return sum_of(cast(ew.ne(x, 0), size.dtype), axis, keepdims=keepdims)
    if ord == 1:
        return sum_of(size, axis, keepdims=keepdims)
    if ord == 2:
        squares = ew.real(x * ew.conj(x)) if dt.is_complex(x.dtype) else x * x
        return root(sum_of(squares, axis, keepdims=keepdims))
    total = sum_of(ew.pow_(size, ord), axis, keepdims=keepdims)
    return ew.where(ew.eq(total, 0), 0, ew.pow_(total, 1 / ord))


@method(numpy=(np.linalg.matrix_norm,))
@lift
def matrix_norm(x: Node, ord: Any = "fro", axis: Any = (-2, -1), keepdims: bool = False) -> Node:
    """The norm of the matrices in two axes: "fro", 1 or -1 (sums of columns), inf or -inf (sums of rows)."""
    x = _float(x)
    row, column = (axis_of(a, x.ndim) for a in axis)
    if row == column:
        raise TypeMismatch("matrix_norm: the two axes must differ")
    if ord == "fro":
        return vector_norm(x, 2, (row, column), keepdims)
    if ord not in (1, -1, np.inf, -np.inf):
        raise TypeMismatch(f'matrix_norm: ord is "fro", 1, -1, inf or -inf, not {ord!r}; others need singular values')
    inner, outer = (row, column) if abs(ord) == 1 else (column, row)
    sums = sum_of(ew.abs_(x), inner, keepdims=True)
    extreme = (max_of if ord > 0 else min_of)(sums, outer, keepdims=True)
    return extreme if keepdims else sum_of(extreme, (row, column))


@method(numpy=(np.linalg.norm,))
@lift
def norm(x: Node, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Node:
    """The norm as in `numpy.linalg.norm`: of all elements, of vectors along one axis, of matrices in two."""
    x = as_node(x)
    if ord is None:
        return vector_norm(x, 2, axis, keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    if len(axes) == 2:
        return matrix_norm(x, ord, axes, keepdims)
    if len(axes) != 1:
        raise TypeMismatch(f"norm: ord {ord!r} is for vectors and matrices; name one axis or two of {x.type}")
    if isinstance(ord, str):
        raise TypeMismatch(f"norm: ord {ord!r} is for matrices, and {axes} is one axis")
    return vector_norm(x, ord, axes, keepdims)


# -- averages -----------------------------------------------------------------------------------------------


@method(numpy=(np.average,))
@lift
def average(x: Node, axis: Axis = None, weights: Any = None, returned: bool = False, keepdims: bool = False) -> Any:
    """The mean along axes, each element weighted; the weights have the shape of x, or are a vector along one axis.

    returned: also give the sum of the weights.
    """
    x = _float(x)
    axes = normalize_axes(axis, x.ndim)
    if weights is None:
        result = mean(x, axes, keepdims=keepdims)
        return (result, broadcast_dims(count(x, axes, x.dtype), result.shape)) if returned else result
    w = as_node(weights)
    if w.ndim != x.ndim:
        if w.ndim != 1 or len(axes) != 1:
            raise TypeMismatch(f"average: weights {w.type} for {x.type}: give the same shape, or a vector and one axis")
        w = insert(w, axes=tuple(k for k in range(x.ndim) if k not in axes))
    w = broadcast_dims(cast(w, dt.promote(x.dtype, w.dtype)), x.shape)
    total = sum_of(w, axes, keepdims=keepdims)
    result = sum_of(x * w, axes, keepdims=keepdims) / total
    return (result, total) if returned else result


def _variables(x: Any, rowvar: bool) -> Node:
    """Observations of variables as rows."""
    node = as_node(x)
    if node.ndim > 2:
        raise TypeMismatch(f"cov takes vectors and matrices, not {node.type}")
    return atleast_2d(node) if rowvar or node.ndim < 2 else matrix_transpose(node)


@method(numpy=(np.cov,))
@lift
def cov(
    x: Node, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None, fweights: Any = None,
    aweights: Any = None,
) -> Node:  # fmt: skip
    """The covariance matrix of variables given as rows (rowvar) or columns, with the arguments of `numpy.cov`."""
    parts = [_variables(n, rowvar) for n in (x, y) if n is not None]
    data = _float(joined(parts, 0) if len(parts) > 1 else parts[0])
    given = [cast(as_node(w), data.dtype) for w in (fweights, aweights) if w is not None]
    w = given[0] * given[1] if len(given) == 2 else given[0] if given else None
    total = count(data, (1,), data.dtype) if w is None else sum_of(w)
    freedom = (0 if bias else 1) if ddof is None else ddof
    if w is not None and aweights is not None:
        freedom = freedom * sum_of(w * given[-1]) / total
    centred = data - average(data, 1, w, keepdims=True)
    product = dot(centred, matrix_transpose(ew.conjugate(centred if w is None else centred * w))) / (total - freedom)
    return squeeze(product) if len(parts) == 1 and as_node(x).ndim < 2 else product


# -- without NaN --------------------------------------------------------------------------------------------


def _present(x: Any) -> tuple[Node, Any]:
    """The array, and which elements are not NaN: True where none can be."""
    node = as_node(x)
    return node, ~ew.isnan(node) if dt.is_inexact(node.dtype) else True


@method(numpy=(np.nansum,))
@lift
def nansum(x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Node:
    """The sum of the elements that are not NaN.

    >>> import agnesi.tensor as at
    >>> float(at.nansum([1.0, float("nan"), 2.0]).eval())
    3.0
    """
    node, present = _present(x)
    return sum_of(node, axis, dtype, keepdims, where=present)


@method(numpy=(np.nanprod,))
@lift
def nanprod(x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Node:
    """The product of the elements that are not NaN."""
    node, present = _present(x)
    return prod(node, axis, dtype, keepdims, where=present)


@method(numpy=(np.nanmean,))
@lift
def nanmean(x: Node, axis: Axis = None, dtype: Any = None, keepdims: bool = False) -> Node:
    """The mean of the elements that are not NaN; NaN where there are none."""
    node, present = _present(x)
    return mean(node, axis, dtype, keepdims, where=present)


@method(numpy=(np.nanvar,))
@lift
def nanvar(x: Node, axis: Axis = None, ddof: Any = 0, keepdims: bool = False) -> Node:
    """The variance of the elements that are not NaN; NaN where there are not more than ddof."""
    node, present = _present(x)
    if present is True:
        return var(node, axis, ddof, keepdims)
    enough = sum_of(cast(present, "int64"), axis, keepdims=keepdims) > ddof
    return ew.where(enough, var(node, axis, ddof, keepdims, where=present), np.nan)


@method(numpy=(np.nanstd,))
@lift
def nanstd(x: Node, axis: Axis = None, ddof: Any = 0, keepdims: bool = False) -> Node:
    """The standard deviation of the elements that are not NaN."""
    return root(nanvar(as_node(x), axis, ddof, keepdims))


def _nan_extreme(extreme: Any, x: Node, axis: Axis, keepdims: bool, initial: float) -> Node:
    node, present = _present(x)
    node = nonempty(f"nan{extreme.__name__}", node, normalize_axes(axis, node.ndim))
    if present is True:
        return extreme(node, axis, keepdims)
    found = extreme(node, axis, keepdims, initial=initial, where=present)
    return ew.where(any_of(present, axis, keepdims), found, np.nan)


@method(numpy=(np.nanmax,))
@lift
def nanmax(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The greatest of the elements that are not NaN; NaN where there are none."""
    return _nan_extreme(max_of, as_node(x), axis, keepdims, -np.inf)


@method(numpy=(np.nanmin,))
@lift
def nanmin(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """The smallest of the elements that are not NaN; NaN where there are none."""
    return _nan_extreme(min_of, as_node(x), axis, keepdims, np.inf)


def _nan_place(place: Any, x: Node, axis: int | None, keepdims: bool, last: float) -> Node:
    node, present = _present(x)
    if present is True:
        return place(node, axis, keepdims)
    found = place(ew.where(present, node, last), axis, keepdims)
    return ew.where(any_of(present, axis, keepdims), found, -1)


@method(numpy=(np.nanargmax,))
@lift
def nanargmax(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The first place of the greatest element that is not NaN; -1 where there are none, for which NumPy raises."""
    return _nan_place(argmax, x, axis, keepdims, -np.inf)


@method(numpy=(np.nanargmin,))
@lift
def nanargmin(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The first place of the smallest element that is not NaN; -1 where there are none, for which NumPy raises."""
    return _nan_place(argmin, x, axis, keepdims, np.inf)


# -- differences --------------------------------------------------------------------------------------------


@method("diff", numpy=(np.diff,))
@lift
def diff(x: Node, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Node:
    """The difference of each element and the one before along an axis, n times over.

    prepend, append: what stands before and after x for this, a number or an array.

    >>> import agnesi.tensor as at
    >>> at.diff([1, 4, 9, 16], n=2).eval().tolist()
    [2, 2]
    """
    x = as_node(x)
    axis = axis_of(axis, x.ndim)
    if n < 0:
        raise TypeMismatch(f"diff: n cannot be negative: {n}")
    if n == 0:
        return x
    ends = [None if e is None else _end(as_node(e), x, axis) for e in (prepend, append)]
    parts = [part for part in (ends[0], x, ends[1]) if part is not None]
    x = joined(parts, axis) if len(parts) > 1 else x
    for _ in range(n):
        rest = dims.maximum(dims.sub(x.shape[axis], 1), 0)
        start = dims.minimum(x.shape[axis], 1)
        later, earlier = section(x, axis, start, rest), section(x, axis, 0, rest)
        x = ew.ne(later, earlier) if x.dtype == "bool" else later - earlier
    return x


def _end(value: Node, x: Node, axis: int) -> Node:
    return value if value.ndim else broadcast_dims(value, (*x.shape[:axis], 1, *x.shape[axis + 1 :]))


@method(numpy=(np.ediff1d,))
@lift
def ediff1d(x: Node, to_end: Any = None, to_begin: Any = None) -> Node:
    """The differences of the flattened array, between the elements of two others."""
    differences = diff(ravel(as_node(x)))
    parts = [to_begin, differences, to_end]
    return joined([cast(ravel(as_node(p)), differences.dtype) for p in parts if p is not None], 0)
