"""Arrays from sizes and numbers: constants, ranges, grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi import config
from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_nodes, cast, constant, dim_node
from agnesi.ir.type import Dim
from agnesi.ir.variable import as_node, lift, method, unwrap
from agnesi.ops import elementwise as ew
from agnesi.ops.index import axis_of, broadcast_dims, insert, iota, permuted, size_of, sizes_of

# -- one value ----------------------------------------------------------------------------------------------


def or_default(dtype: Any) -> str:
    return dt.normalize(dtype) if dtype else config.settings().floatX


def filled(shape: tuple[Dim, ...], value: Any, dtype: str) -> Node:
    """An array of one value."""
    return broadcast_dims(cast(as_node(value, dtype), dtype), shape)


@lift
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Node:
    """An array of one value, or of values that broadcast; in the value's dtype unless one is given."""
    value = as_node(fill_value)
    return filled(sizes_of(shape, "full: a size"), value, dt.normalize(dtype) if dtype else value.dtype)


@lift
def zeros(shape: Any, dtype: Any = None) -> Node:
    """An array of zeros, in config.floatX unless a dtype is given.

    >>> import agnesi.tensor as at
    >>> at.zeros((2, 3), "int32").eval().tolist()
    [[0, 0, 0], [0, 0, 0]]
    """
    return filled(sizes_of(shape, "zeros: a size"), 0, or_default(dtype))


@lift
def ones(shape: Any, dtype: Any = None) -> Node:
    """An array of ones, in config.floatX unless a dtype is given."""
    return filled(sizes_of(shape, "ones: a size"), 1, or_default(dtype))


@lift
def empty(shape: Any, dtype: Any = None) -> Node:
    """An array whose values do not matter: zeros, in config.floatX unless a dtype is given."""
    return filled(sizes_of(shape, "empty: a size"), 0, or_default(dtype))


def _like(x: Any, value: Any, dtype: Any, shape: Any) -> Node:
    x = as_node(x)
    return filled(x.shape if shape is None else sizes_of(shape), value, dt.normalize(dtype) if dtype else x.dtype)


@method("zeros_like", numpy=(np.zeros_like,))
@lift
def zeros_like(x: Node, dtype: Any = None, shape: Any = None) -> Node:
    """Zeros of the shape and dtype of x, unless others are given."""
    return _like(x, 0, dtype, shape)


@method("ones_like", numpy=(np.ones_like,))
@lift
def ones_like(x: Node, dtype: Any = None, shape: Any = None) -> Node:
    """Ones of the shape and dtype of x, unless others are given."""
    return _like(x, 1, dtype, shape)


@method(numpy=(np.empty_like,))
@lift
def empty_like(x: Node, dtype: Any = None, shape: Any = None) -> Node:
    """An array of the shape and dtype of x, unless others are given, whose values do not matter: zeros."""
    return _like(x, 0, dtype, shape)


@method(numpy=(np.full_like,))
@lift
def full_like(x: Node, fill_value: Any, dtype: Any = None, shape: Any = None) -> Node:
    """One value in the shape and dtype of x, unless others are given."""
    return _like(x, fill_value, dtype, shape)


@lift
def alloc(value: Any, *shape: Any) -> Node:
    """The value repeated to this shape.

    >>> import agnesi.tensor as at
    >>> at.alloc(1.5, 2, 2).eval().tolist()
    [[1.5, 1.5], [1.5, 1.5]]
    """
    return broadcast_dims(as_node(value), sizes_of(shape, "alloc: a size"))


@method("fill")
@lift
def fill(x: Node, value: Any) -> Node:
    """The value repeated to the shape of x."""
    return broadcast_dims(as_node(value), as_node(x).shape)


# -- ranges -------------------------------------------------------------------------------------------------


@lift
def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = None) -> Node:
    """Numbers from start, 0 by default, to before stop, in steps; any of them may be symbolic.

    >>> import agnesi.tensor as at
    >>> at.arange(2, 8, 3).eval().tolist()
    [2, 5]
    """
    if stop is None:
        start, stop = 0, start
    given = [unwrap(v) for v in (start, stop, step)]
    dtypes = [as_node(v).dtype for v in given]
    if any(as_node(v).ndim for v in given):
        raise TypeMismatch(f"arange takes scalars, not {', '.join(str(as_node(v).type) for v in given)}")
    natural = dt.promote("int64", *dtypes)
    if any(map(dt.is_float, dtypes)):
        values = _float_range(*[cast(as_node(v), natural) for v in given])
    else:
        values = _int_range(*[size_of(v, "arange: a bound") for v in given])
    return cast(values, dt.normalize(dtype) if dtype else natural)


def _int_range(start: Dim, stop: Dim, step: Dim) -> Node:
    if dims.same(step, 0):
        raise TypeMismatch("arange: the step cannot be 0")
    length = dims.sub(stop, start)
    if isinstance(step, int) and step > 0:
        length = dims.floordiv(dims.add(length, step - 1), step)
    else:
        length = dims.mul(dims.floordiv(dims.sub(start, stop), step), -1)  # rounded up, for both signs of the step
    numbers = iota(dim_node(dims.maximum(length, 0)))
    scaled = numbers if dims.same(step, 1) else numbers * dim_node(step)
    return scaled if dims.same(start, 0) else scaled + dim_node(start)


def _float_range(start: Node, stop: Node, step: Node) -> Node:
    length = cast(ew.maximum(ew.ceil((stop - start) / step), 0), "int64")
    return start + cast(iota(length), start.dtype) * ((start + step) - start)  # the rounded step, as in NumPy


def _floats(*values: Any) -> tuple[Node, ...]:
    """The values in their common floating dtype."""
    nodes = as_nodes(tuple(v if isinstance(v, Node) else constant(v) for v in map(unwrap, values)))
    common = dt.to_float(dt.promote(*[n.dtype for n in nodes]))
    return tuple(cast(n, common) for n in nodes)


@method(numpy=(np.linspace,))
@lift
def linspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Node:  # fmt: skip
    """`num` evenly spaced numbers from start to stop, with or without stop; a symbolic number is allowed.

    >>> import agnesi.tensor as at
    >>> at.linspace(0, 1, 5).eval().tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    first, last = _floats(start, stop)
    n = size_of(num, "linspace: num")
    spaces = dims.maximum(dims.sub(n, 1) if endpoint else n, 1)
    place = iota(dim_node(n))
    ndim = max(first.ndim, last.ndim)
    place = insert(place, axes=tuple(range(1, ndim + 1))) if ndim else place
    step = (last - first) / cast(dim_node(spaces), first.dtype)
    values = cast(place, first.dtype) * step + first
    if endpoint:
        values = ew.where(ew.eq(place, dim_node(spaces)), last, values)
    at = axis_of(axis, ndim + 1)
    values = permuted(values, (*range(1, at + 1), 0, *range(at + 1, ndim + 1)))
    if dtype and not dt.is_float(dt.normalize(dtype)):
        values = ew.floor(values)
    return cast(values, dt.normalize(dtype) if dtype else first.dtype)


@method(numpy=(np.logspace,))
@lift
def logspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None, axis: int = 0
) -> Node:  # fmt: skip
    """base to the power of evenly spaced numbers from start to stop."""
    values = ew.pow_(as_node(base), linspace(*_floats(start, stop), num, endpoint, axis=axis))
    return cast(values, dt.normalize(dtype) if dtype else values.dtype)


@method(numpy=(np.geomspace,))
@lift
def geomspace(
    start: Any, stop: Any, num: Any = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Node:  # fmt: skip
    """Numbers from start to stop, of one sign, each the same multiple of the one before."""
    first, last = _floats(start, stop)
    sign = ew.where((first < 0) & (last < 0), -1, 1)
    exponents = linspace(first * 0, ew.log(last / first), num, endpoint, axis=axis)
    at = axis_of(axis, exponents.ndim)
    spread = [insert(n, axes=(at,)) if exponents.ndim > 1 and n.ndim else n for n in (first, last, sign)]
    values = spread[0] * ew.exp(exponents)
    if endpoint:
        n = size_of(num, "geomspace: num")
        place = insert(iota(dim_node(n)), axes=tuple(k for k in range(values.ndim) if k != at))
        values = ew.where(ew.eq(place, dim_node(dims.maximum(dims.sub(n, 1), 1))), spread[1], values)
    return cast(values, dt.normalize(dtype) if dtype else values.dtype)


# -- grids --------------------------------------------------------------------------------------------------


@method(numpy=(np.meshgrid,))
@lift
def meshgrid(*arrays: Any, indexing: str = "xy", sparse: bool = False) -> list[Node]:
    """The coordinates of a grid, one array for each vector; "xy" exchanges the first two axes.

    >>> import agnesi.tensor as at
    >>> x, y = at.meshgrid(at.arange(3), at.arange(2))
    >>> y.eval().tolist()
    [[0, 0, 0], [1, 1, 1]]
    """
    if indexing not in ("xy", "ij"):
        raise TypeMismatch(f'meshgrid: indexing is "xy" or "ij", not {indexing!r}')
    nodes = [as_node(a) for a in arrays]
    if any(n.ndim > 1 for n in nodes):
        raise TypeMismatch(f"meshgrid takes vectors, not {', '.join(str(n.type) for n in nodes)}")
    nodes = [insert(n, axes=(0,)) if n.ndim == 0 else n for n in nodes]
    places = list(range(len(nodes)))
    if indexing == "xy" and len(nodes) > 1:
        places[:2] = 1, 0
    spread = [insert(n, axes=tuple(k for k in range(len(nodes)) if k != p)) if len(nodes) > 1 else n
              for n, p in zip(nodes, places, strict=True)]  # fmt: skip
    shape = dims.broadcast([n.shape for n in spread]) if spread else ()
    return spread if sparse else [broadcast_dims(n, shape) for n in spread]


class Grid:
    """Coordinates of grids by slices: `mgrid[0:3, 0:2]` full, `ogrid[0:3, 0:2]` with axes of size 1.

    A slice has any bounds and step that `arange` takes; an imaginary step gives the number of points instead, the
    last one included. One slice gives a vector, several a list.

    >>> import agnesi.tensor as at
    >>> at.mgrid[0:1:3j].eval().tolist()
    [0.0, 0.5, 1.0]
    """

    def __init__(self, sparse: bool) -> None:
        self.sparse = sparse

    def __getitem__(self, key: Any) -> Any:
        parts = [self._range(s) for s in (key if isinstance(key, tuple) else (key,))]
        if not isinstance(key, tuple):
            return parts[0]
        return meshgrid(*parts, indexing="ij", sparse=self.sparse)

    @staticmethod
    def _range(part: slice) -> Any:
        start = 0 if part.start is None else part.start
        if isinstance(part.step, complex):
            return linspace(start, part.stop, int(abs(part.step)))
        return arange(start, part.stop, 1 if part.step is None else part.step)


mgrid, ogrid = Grid(sparse=False), Grid(sparse=True)


@method(numpy=(np.vander,))
@lift
def vander(x: Node, N: Any = None, increasing: bool = False) -> Node:
    """The powers of each element of a vector as a row: from the highest to 0, or increasing."""
    x = as_node(x)
    if x.ndim != 1:
        raise TypeMismatch(f"vander takes a vector, not {x.type}")
    x = cast(x, dt.promote(x.dtype, "int64"))
    n = x.shape[0] if N is None else size_of(N, "vander: N")
    exponent = iota(dim_node(n)) if increasing else dim_node(dims.sub(n, 1)) - iota(dim_node(n))
    return ew.pow_(insert(x, axes=(1,)), cast(exponent, x.dtype))


def identity_mask(rows: Dim, columns: Dim, k: Dim = 0) -> Node:
    """Where column - row is k, as booleans."""
    row, column = insert(iota(dim_node(rows)), axes=(1,)), iota(dim_node(columns))
    return ew.eq(row + dim_node(k), column) if not dims.same(k, 0) else ew.eq(row, column)


@lift
def eye(n: Any, m: Any = None, k: Any = 0, dtype: Any = None) -> Node:
    """Ones on a diagonal of an n x m matrix, zeros elsewhere; k counts diagonals upwards.

    >>> import agnesi.tensor as at
    >>> at.eye(2, 3, k=1).eval().tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows = size_of(n, "eye: n")
    columns = rows if m is None else size_of(m, "eye: m")
    return cast(identity_mask(rows, columns, size_of(k, "eye: k")), or_default(dtype))


@lift
def identity(n: Any, dtype: Any = None) -> Node:
    """The n x n matrix with ones on the diagonal."""
    return eye(as_node(n), dtype=dtype)


@lift
def identity_like(x: Node, dtype: Any = None) -> Node:
    """Ones on the diagonal of a matrix of the shape and dtype of x."""
    x = as_node(x)
    if x.ndim != 2:
        raise TypeMismatch(f"identity_like takes a matrix, not {x.type}")
    return cast(identity_mask(*x.shape), dt.normalize(dtype) if dtype else x.dtype)
