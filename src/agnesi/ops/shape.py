"""Axes and sizes under NumPy's and Theano's names: reshape, transpose, dimshuffle, broadcasting, known sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, as_dim, dim_node
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import Variable, as_node, lift, method
from agnesi.ops.declare import Array, Index, indexing
from agnesi.ops.index import (
    axes_of,
    axis_of,
    broadcast_dims,
    drop,
    insert,
    normalize_axes,
    permuted,
    reshape_dims,
    size_of,
    sizes_of,
)  # fmt: skip

# -- reshape ------------------------------------------------------------------------------------------------


@method("reshape", numpy=(np.reshape,))
@lift
def reshape(x: Node, *shape: Any) -> Node:
    """The elements in another shape; one size may be -1.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.reshape(np.arange(6), (2, -1)).eval().shape
    (2, 3)
    """
    x = as_node(x)
    sizes = list(sizes_of(shape[0] if len(shape) == 1 else shape, "reshape: a size"))
    holes = [k for k, size in enumerate(sizes) if same(size, -1)]
    if len(holes) > 1:
        raise ShapeError("reshape: only one size can be -1")
    for k in holes:
        rest = dims.product(s for i, s in enumerate(sizes) if i != k)
        sizes[k] = _divide(dims.product(x.shape), rest, x)
    return reshape_dims(x, tuple(sizes))


def _divide(total: Dim, rest: Dim, x: Node) -> Dim:
    if isinstance(total, int) and isinstance(rest, int):
        if rest == 0 or total % rest:
            raise ShapeError(f"reshape: the {total} elements of {x.type} do not divide by {rest}")
    return dims.floordiv(total, dims.maximum(rest, 1))


@method("flatten")
@lift
def flatten(x: Node, ndim: int = 1) -> Node:
    """All elements in one axis; or in `ndim` axes, of which the last takes those that are left.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.flatten(np.ones((2, 3, 4)), ndim=2).eval().shape
    (2, 12)
    """
    x = as_node(x)
    if not 1 <= ndim <= max(x.ndim, 1):
        raise TypeMismatch(f"flatten: ndim must be between 1 and the rank of {x.type}, not {ndim}")
    return reshape_dims(x, (*x.shape[: ndim - 1], dims.product(x.shape[ndim - 1 :])))


@method("ravel", numpy=(np.ravel,))
@lift
def ravel(x: Node) -> Node:
    """All elements in one axis."""
    return flatten(as_node(x))


@method("copy", numpy=(np.copy,))
@lift
def copy(x: Node) -> Node:
    """x itself: values of expressions never change, and results share no memory."""
    return as_node(x)


# -- the order of axes --------------------------------------------------------------------------------------


@method("transpose", numpy=(np.transpose,))
@lift
def transpose(x: Node, *order: Any, axes: Sequence[int] | None = None) -> Node:
    """The axes in another order, reversed by default.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.transpose(np.ones((2, 3, 4)), (1, 2, 0)).eval().shape
    (3, 4, 2)
    """
    x = as_node(x)
    if order:
        axes = order if len(order) > 1 or isinstance(order[0], int) else order[0]
    perm = tuple(range(x.ndim))[::-1] if axes is None else axes_of(axes, x.ndim, "transpose: axis")
    if len(perm) != x.ndim:
        raise TypeMismatch(f"transpose: {axes} is not an order of the {x.ndim} axes of {x.type}")
    return permuted(x, perm)


@method("matrix_transpose", numpy=(np.matrix_transpose, np.linalg.matrix_transpose))
@lift
def matrix_transpose(x: Node) -> Node:
    """The last two axes exchanged, also as `x.mT`."""
    x = as_node(x)
    if x.ndim < 2:
        raise TypeMismatch(f"matrix_transpose takes an array of at least two axes, not {x.type}")
    return permuted(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


@method("swapaxes", numpy=(np.swapaxes,))
@lift
def swapaxes(x: Node, axis1: int, axis2: int) -> Node:
    """Two axes exchanged."""
    x = as_node(x)
    first, second = axis_of(axis1, x.ndim, "axis1"), axis_of(axis2, x.ndim, "axis2")
    perm = list(range(x.ndim))
    perm[first], perm[second] = second, first
    return permuted(x, tuple(perm))


@method("moveaxis", numpy=(np.moveaxis,))
@lift
def moveaxis(x: Node, source: int | Sequence[int], destination: int | Sequence[int]) -> Node:
    """Some axes at other positions, the others in their order."""
    x = as_node(x)
    old, new = axes_of(source, x.ndim, "source"), axes_of(destination, x.ndim, "destination")
    if len(old) != len(new):
        raise TypeMismatch(f"moveaxis: as many sources as destinations are needed, not {source} and {destination}")
    perm = [k for k in range(x.ndim) if k not in old]
    for position, axis in sorted(zip(new, old, strict=True)):
        perm.insert(position, axis)
    return permuted(x, tuple(perm))


@method("rollaxis", numpy=(np.rollaxis,))
@lift
def rollaxis(x: Node, axis: int, start: int = 0) -> Node:
    """One axis moved before another."""
    x = as_node(x)
    axis, before = axis_of(axis, x.ndim), x.ndim if start == x.ndim else axis_of(start, x.ndim, "start")
    return moveaxis(x, axis, before - (axis < before))


@method("dimshuffle")
@lift
def dimshuffle(x: Node, *pattern: Any) -> Node:
    """The axes in the order of a pattern, with new ones where it says "x"; those it lacks must have size 1.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.dimshuffle(np.ones((2, 3)), 1, "x", 0).eval().shape
    (3, 1, 2)
    """
    x = as_node(x)
    if len(pattern) == 1 and isinstance(pattern[0], (tuple, list)):
        pattern = tuple(pattern[0])
    order = axes_of([p for p in pattern if p != "x"], x.ndim, "dimshuffle: axis")
    gone = tuple(k for k in range(x.ndim) if k not in order)
    moved = without(permuted(x, (*order, *gone)), tuple(range(len(order), x.ndim)), "dimshuffle")
    new = tuple(k for k, p in enumerate(pattern) if p == "x")
    return insert(moved, axes=new) if new else moved


# -- axes of size 1 -----------------------------------------------------------------------------------------


def without(x: Node, axes: tuple[int, ...], name: str) -> Node:
    """x without these axes, which have size 1; raises ShapeError where another size is known."""
    for a in axes:
        if isinstance(x.shape[a], int) and x.shape[a] != 1:
            raise ShapeError(f"{name}: axis {a} of {x.type} is not 1")
    return drop(x, axes=axes) if axes else x


@method("squeeze", numpy=(np.squeeze,))
@lift
def squeeze(x: Node, axis: int | Sequence[int] | None = None) -> Node:
    """Without axes of size 1: those given, or those known to be 1."""
    x = as_node(x)
    known = [k for k, d in enumerate(x.shape) if same(d, 1)]
    return without(x, normalize_axes(known if axis is None else axis, x.ndim), "squeeze")


@method("expand_dims", numpy=(np.expand_dims,))
@lift
def expand_dims(x: Node, axis: int | Sequence[int]) -> Node:
    """New axes of size 1 at these positions of the result."""
    x = as_node(x)
    new = len(axis) if isinstance(axis, (tuple, list)) else 1
    axes = normalize_axes(axis, x.ndim + new)
    return insert(x, axes=axes) if axes else x


@lift
def shape_padleft(x: Node, n_ones: int = 1) -> Node:
    """New axes of size 1 before the first."""
    return expand_dims(as_node(x), tuple(range(n_ones)))


@lift
def shape_padright(x: Node, n_ones: int = 1) -> Node:
    """New axes of size 1 after the last."""
    x = as_node(x)
    return expand_dims(x, tuple(range(x.ndim, x.ndim + n_ones)))


@lift
def shape_padaxis(x: Node, axis: int) -> Node:
    """A new axis of size 1."""
    return expand_dims(as_node(x), axis)


def _at_least(x: Any, ndim: int) -> Node:
    x = as_node(x)
    return shape_padleft(x, max(ndim - x.ndim, 0))


def _each(one: Any, arrays: tuple[Any, ...]) -> Any:
    return one(arrays[0]) if len(arrays) == 1 else tuple(map(one, arrays))


@method(numpy=(np.atleast_1d,))
def atleast_1d(*arrays: Any) -> Any:
    """Scalars as vectors of one element; several arrays give a tuple."""
    return _each(lift(lambda x: _at_least(x, 1)), arrays)


@method(numpy=(np.atleast_2d,))
def atleast_2d(*arrays: Any) -> Any:
    """Vectors as matrices of one row; several arrays give a tuple."""
    return _each(lift(lambda x: _at_least(x, 2)), arrays)


def _at_least_3(x: Node) -> Node:
    x = as_node(x)
    return shape_padright(_at_least(x, 2), 1) if x.ndim < 3 else x


@method(numpy=(np.atleast_3d,))
def atleast_3d(*arrays: Any) -> Any:
    """Axes of size 1 added up to three, as in NumPy: (1, n, 1) for a vector, (n, m, 1) for a matrix."""
    return _each(lift(_at_least_3), arrays)


# -- broadcasting and known sizes ---------------------------------------------------------------------------


@method("broadcast_to", numpy=(np.broadcast_to,))
@lift
def broadcast_to(x: Node, shape: Any) -> Node:
    """The array repeated to a shape."""
    x, wanted = as_node(x), sizes_of(shape, "broadcast_to: a size")
    if len(wanted) < x.ndim:
        raise ShapeError(f"broadcast_to: {x.type} has more axes than the shape {wanted}")
    return broadcast_dims(x, wanted)


@method(numpy=(np.broadcast_arrays,))
@lift
def broadcast_arrays(*arrays: Any) -> tuple[Node, ...]:
    """The arrays repeated to their common shape."""
    nodes = tuple(as_node(a) for a in arrays)
    shape = dims.broadcast([n.shape for n in nodes])
    return tuple(broadcast_dims(n, shape) for n in nodes)


def _specify_infer(x: Node, *shape: Node) -> Type:
    wanted = tuple(as_dim(d) for d in shape)
    for axis, (have, want) in enumerate(zip(x.shape, wanted, strict=True)):
        if isinstance(have, int) and isinstance(want, int) and have != want:
            raise ShapeError(f"specify_shape: axis {axis} of {x.type} is {have}, not {want}")
    return Type(x.dtype, wanted)


def _specify_reference(x: Array, *sizes: Array, shape: tuple[int, ...]) -> Array:
    if x.shape != shape:
        raise ShapeError(f"specify_shape: the shape is {x.shape}, and should be {shape}")
    return x


def _specify_index(node: Node, idx: Index) -> Index:
    return idx


specify_shape_ = indexing(
    "specify_shape",
    _specify_infer,
    _specify_index,
    _specify_reference,
    lambda node, g: (specify(g, node.args[0].shape), *(None for _ in node.args[1:])),
    equal=lambda node: list(zip(node.args[0].shape, node.shape, strict=True)),
    doc="The array as it is, with sizes that are checked at the call.",
)


def specify(x: Node, shape: Sequence[Dim]) -> Node:
    """x with these sizes, checked at the call; x itself when it is known to have them."""
    if all(same(a, b) for a, b in zip(x.shape, shape, strict=True)):
        return x
    return specify_shape_(x, *map(dim_node, shape))


@method("specify_shape")
@lift
def specify_shape(x: Node, shape: Any) -> Node:
    """x with sizes that are known from here on, and checked at the call; None leaves a size as it is.

    >>> import agnesi.tensor as at
    >>> at.specify_shape(at.matrix("x"), (None, 3)).type.shape[1]
    3
    """
    x = as_node(x)
    wanted = shape if isinstance(shape, (tuple, list)) else sizes_of(shape)
    if len(wanted) != x.ndim:
        raise TypeMismatch(f"specify_shape: {len(wanted)} sizes for {x.type}, which has {x.ndim} axes; None leaves one")
    pairs = zip(x.shape, wanted, strict=True)
    return specify(x, [have if want is None else size_of(want, "specify_shape: a size") for have, want in pairs])


@lift
def addbroadcast(x: Node, *axes: int) -> Node:
    """x with axes that are known to have size 1, and checked at the call."""
    x = as_node(x)
    ones = axes_of(axes, x.ndim)
    return specify(x, [1 if k in ones else d for k, d in enumerate(x.shape)])


@lift
def unbroadcast(x: Node, *axes: int) -> Node:
    """x itself: whether an axis broadcasts is decided by its size."""
    axes_of(axes, as_node(x).ndim)
    return as_node(x)


@lift
def patternbroadcast(x: Node, broadcastable: Sequence[bool]) -> Node:
    """x whose axes marked True are known to have size 1, and checked at the call."""
    x = as_node(x)
    if len(broadcastable) != x.ndim:
        raise TypeMismatch(f"patternbroadcast: {len(broadcastable)} marks for {x.type}, which has {x.ndim} axes")
    return addbroadcast(x, *[k for k, one in enumerate(broadcastable) if one])


@method(numpy=(np.shape,))
def shape(x: Any) -> tuple[Variable, ...]:
    """The sizes of x as int64 scalar variables."""
    return tuple(Variable(dim_node(d)) for d in as_node(x).shape)


@method("size", numpy=(np.size,))
@lift
def size(x: Node, axis: int | None = None) -> Node:
    """The number of elements, or of those along an axis."""
    x = as_node(x)
    return dim_node(dims.product(x.shape) if axis is None else x.shape[axis_of(axis, x.ndim)])


@method(numpy=(np.ndim,))
@lift
def ndim(x: Node) -> int:
    """The number of axes."""
    return as_node(x).ndim
