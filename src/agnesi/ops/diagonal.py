"""Diagonals and triangles of matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.assign import slice_set
from agnesi.ops.create import filled, identity_mask, or_default
from agnesi.ops.gather import take
from agnesi.ops.index import axes_of, insert, iota, permuted, size_of
from agnesi.ops.reduce import sum as sum_of


@method("diagonal", numpy=(np.diagonal, np.linalg.diagonal))
@lift
def diagonal(x: Node, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The diagonal of two axes, which becomes the last axis; offset counts diagonals upwards.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.diagonal(np.arange(6).reshape(2, 3), 1).eval().tolist()
    [1, 5]
    """
    x, k = as_node(x), size_of(offset, "diagonal: offset")
    if x.ndim < 2:
        raise TypeMismatch(f"diagonal takes an array of at least two axes, not {x.type}")
    first, second = axes_of((axis1, axis2), x.ndim)
    rest = [a for a in range(x.ndim) if a not in (first, second)]
    down, right = dims.maximum(dims.mul(k, -1), 0), dims.maximum(k, 0)
    left = dims.sub(x.shape[first], down), dims.sub(x.shape[second], right)
    place = iota(dim_node(dims.maximum(dims.minimum(*left), 0)))
    found = take(
        permuted(x, (first, second, *rest)), *(place if same(d, 0) else place + dim_node(d) for d in (down, right))
    )
    return permuted(found, (*range(1, found.ndim), 0))


@method(numpy=(np.diag,))
@lift
def diag(x: Node, k: Any = 0) -> Node:
    """The k-th diagonal of a matrix, or the matrix that has a vector on its k-th diagonal and zeros elsewhere.

    >>> import agnesi.tensor as at
    >>> at.diag([1, 2]).eval().tolist()
    [[1, 0], [0, 2]]
    """
    x, offset = as_node(x), size_of(k, "diag: k")
    if x.ndim == 2:
        return diagonal(x, dim_node(offset))
    if x.ndim != 1:
        raise TypeMismatch(f"diag takes a vector or a matrix, not {x.type}; see diagonal")
    down, right = dims.maximum(dims.mul(offset, -1), 0), dims.maximum(offset, 0)
    n = dims.add(x.shape[0], dims.add(down, right))
    by_rows = x
    if not same(n, x.shape[0]):
        bounds = dim_node(down), dim_node(x.shape[0])
        by_rows = slice_set(filled((n,), 0, x.dtype), x, *bounds, axes=(0,), steps=(1,))
    return ew.where(identity_mask(n, n, offset), insert(by_rows, axes=(1,)), 0)


@method("trace", numpy=(np.trace, np.linalg.trace))
@lift
def trace(x: Node, offset: Any = 0, axis1: int = 0, axis2: int = 1) -> Node:
    """The sum of a diagonal."""
    return sum_of(diagonal(as_node(x), offset, axis1, axis2), axis=-1)


@lift
def fill_diagonal(x: Node, value: Any, offset: Any = 0) -> Node:
    """x with a number on a diagonal of its last two axes."""
    x = as_node(x)
    if x.ndim < 2:
        raise TypeMismatch(f"fill_diagonal takes an array of at least two axes, not {x.type}")
    mask = identity_mask(x.shape[-2], x.shape[-1], size_of(offset, "fill_diagonal: offset"))
    return ew.where(mask, cast(as_node(value), x.dtype), x)


def _lower_mask(rows: Dim, columns: Dim, k: Any) -> Node:
    """Where column - row is at most k, as booleans."""
    offset = size_of(k, "k")
    row = insert(iota(dim_node(rows)), axes=(1,))
    return ew.le(iota(dim_node(columns)), row if same(offset, 0) else row + dim_node(offset))


@lift
def tri(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Node:
    """Ones on and below the k-th diagonal of an n x m matrix, zeros above."""
    rows = size_of(n, "tri: n")
    return cast(_lower_mask(rows, rows if m is None else size_of(m, "tri: m"), k), or_default(dtype))


def _triangle(x: Any, name: str) -> Node:
    x = as_node(x)
    if x.ndim < 1:
        raise TypeMismatch(f"{name} takes a matrix, not {x.type}")
    return x


@method("tril", numpy=(np.tril,))
@lift
def tril(x: Node, k: Any = 0) -> Node:
    """The lower triangle of the last two axes up to the k-th diagonal, zeros above.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.tril(np.ones((2, 2), int)).eval().tolist()
    [[1, 0], [1, 1]]
    """
    x = _triangle(x, "tril")
    return ew.where(_lower_mask(x.shape[max(-2, -x.ndim)], x.shape[-1], k), x, cast(as_node(0), x.dtype))


@method("triu", numpy=(np.triu,))
@lift
def triu(x: Node, k: Any = 0) -> Node:
    """The upper triangle of the last two axes from the k-th diagonal on, zeros below."""
    x = _triangle(x, "triu")
    below = dims.sub(size_of(k, "triu: k"), 1)
    return ew.where(_lower_mask(x.shape[max(-2, -x.ndim)], x.shape[-1], dim_node(below)), cast(as_node(0), x.dtype), x)
