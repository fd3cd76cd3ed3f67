"""Joins, splits and rearrangements along axes: concatenate, split, tile, repeat, roll, flip, pad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, dim_node
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.create import filled
from agnesi.ops.cumulative import cumsum_
from agnesi.ops.gather import scatter_add
from agnesi.ops.getitem import part_of
from agnesi.ops.index import (
    axes_of,
    axis_of,
    broadcast_dims,
    concatenate_,
    insert,
    merge,
    permuted,
    reshape_dims,
    section,
    size_of,
    sizes_of,
    slice_,
)  # fmt: skip
from agnesi.ops.reduce import sum_
from agnesi.ops.shape import atleast_1d, atleast_2d, atleast_3d, flatten, shape_padleft, specify

# -- joins --------------------------------------------------------------------------------------------------


def joined(nodes: Sequence[Node], axis: int, name: str = "concatenate") -> Node:
    """Arrays of one rank one after another, in their common dtype."""
    if not nodes:
        raise TypeMismatch(f"{name} needs at least one array")
    ranks = {n.ndim for n in nodes}
    if len(ranks) > 1 or 0 in ranks:
        raise TypeMismatch(f"{name}: arrays of the same rank, at least 1, are needed, not {sorted(ranks)}")
    common = dt.promote(*[n.dtype for n in nodes])
    return concatenate_(*[cast(n, common) for n in nodes], axis=axis_of(axis, nodes[0].ndim))


@method(numpy=(np.concatenate,))
@lift
def concatenate(arrays: Any, axis: int | None = 0) -> Node:
    """Arrays one after another along an axis, or flattened where it is None.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.concatenate([np.zeros(2), np.ones(1)]).eval().tolist()
    [0.0, 0.0, 1.0]
    """
    nodes = [as_node(a) for a in arrays]
    return joined([flatten(n) for n in nodes], 0) if axis is None else joined(nodes, axis)


@lift
def join(axis: int, *arrays: Any) -> Node:
    """Arrays one after another along an axis."""
    return joined([as_node(a) for a in arrays], axis, "join")


@method(numpy=(np.stack,))
@lift
def stack(arrays: Any, axis: int = 0) -> Node:
    """Arrays of one shape along a new axis."""
    nodes = [as_node(a) for a in arrays]
    if not nodes:
        raise TypeMismatch("stack needs at least one array")
    at = axis_of(axis, nodes[0].ndim + 1)
    return joined([insert(n, axes=(at,)) for n in nodes], at, "stack")


@method(numpy=(np.hstack,))
@lift
def hstack(arrays: Any) -> Node:
    """Arrays side by side: along the second axis, vectors along their only one."""
    nodes = [atleast_1d(as_node(a)) for a in arrays]
    return joined(nodes, 0 if nodes and nodes[0].ndim == 1 else 1, "hstack")


@method(numpy=(np.vstack,))
@lift
def vstack(arrays: Any) -> Node:
    """Arrays below each other: along the first axis, vectors as rows."""
    return joined([atleast_2d(as_node(a)) for a in arrays], 0, "vstack")


@method(numpy=(np.dstack,))
@lift
def dstack(arrays: Any) -> Node:
    """Arrays behind each other, along the third axis."""
    return joined([atleast_3d(as_node(a)) for a in arrays], 2, "dstack")


@method(numpy=(np.column_stack,))
@lift
def column_stack(arrays: Any) -> Node:
    """Vectors and matrices side by side, vectors as columns."""
    nodes = [as_node(a) for a in arrays]
    return joined([insert(atleast_1d(n), axes=(1,)) if n.ndim < 2 else n for n in nodes], 1, "column_stack")


def stacklists(arrays: Any) -> Any:
    """Nested lists of arrays of one shape, stacked along new first axes.

    >>> import agnesi.tensor as at
    >>> at.stacklists([[1, 2], [3, 4]]).eval().tolist()
    [[1, 2], [3, 4]]
    """
    return stack([stacklists(a) for a in arrays]) if isinstance(arrays, (list, tuple)) else lift(as_node)(arrays)


# -- splits -------------------------------------------------------------------------------------------------


@method("split", numpy=(np.split,))
@lift
def split(x: Node, sections: Any, axis: int = 0, n_splits: int | None = None) -> list[Node]:
    """The parts of x along an axis: so many equal ones, or those between places.

    With `n_splits`, `sections` are the sizes of the parts, which may be symbolic; they must add up to the axis.

    >>> import numpy as np, agnesi.tensor as at
    >>> [part.eval().tolist() for part in at.split(np.arange(5), [2, 3])]
    [[0, 1], [2], [3, 4]]
    """
    x = as_node(x)
    axis = axis_of(axis, x.ndim)
    if n_splits is not None:
        return _split_sizes(x, _split_lengths(sections, n_splits), axis)
    if isinstance(sections, (list, tuple)) or as_node(sections).ndim:
        places = sizes_of(sections, "split: a place")
        bounds = [None, *map(dim_node, places), None]
        pairs = zip(bounds[:-1], bounds[1:], strict=True)
        return [part_of(x, (*[slice(None)] * axis, slice(low, high))) for low, high in pairs]
    n, total = size_of(sections, "split: the number of parts"), x.shape[axis]
    if not isinstance(n, int) or n < 1:
        raise TypeMismatch("split: the number of parts must be a positive number; for symbolic sizes give n_splits")
    if isinstance(total, int) and total % n:
        raise ShapeError(f"split: axis {axis} of {x.type} does not divide into {n} equal parts; see array_split")
    return _split_sizes(x, (dims.floordiv(total, n),) * n, axis)


def _split_lengths(sizes: Any, n_splits: int) -> list[Dim]:
    if not isinstance(sizes, (list, tuple)):
        vector = as_node(sizes)
        if vector.ndim != 1:
            raise TypeMismatch(f"split: the sizes must be a list or a vector, not {vector.type}")
        sizes = [part_of(vector, k) for k in range(n_splits)]
    if len(sizes) != n_splits:
        raise ShapeError(f"split: {len(sizes)} sizes for {n_splits} parts")
    return [dims.maximum(size_of(s, "split: a size"), 0) for s in sizes]


def _split_sizes(x: Node, lengths: Sequence[Dim], axis: int) -> list[Node]:
    """Parts of these lengths, which must add up to the axis."""
    starts: list[Dim] = [0]
    for length in lengths:
        starts.append(dims.add(starts[-1], length))
    if isinstance(x.shape[axis], int) and isinstance(starts[-1], int) and x.shape[axis] != starts[-1]:
        raise ShapeError(f"split: the sizes add up to {starts[-1]}, axis {axis} of {x.type} has {x.shape[axis]}")
    x = specify(x, (*x.shape[:axis], starts[-1], *x.shape[axis + 1 :]))
    return [section(x, axis, start, length) for start, length in zip(starts, lengths, strict=False)]


@method(numpy=(np.array_split,))
@lift
def array_split(x: Node, sections: Any, axis: int = 0) -> list[Node]:
    """As split, but the first parts are longer by one where the axis does not divide into equal ones."""
    x = as_node(x)
    if not isinstance(sections, int):
        return split(x, sections, axis)
    axis = axis_of(axis, x.ndim)
    total = x.shape[axis]
    lengths = [dims.floordiv(dims.add(total, sections - 1 - k), sections) for k in range(sections)]
    starts: list[Dim] = [0]
    for length in lengths:
        starts.append(dims.add(starts[-1], length))
    return [section(x, axis, start, length) for start, length in zip(starts, lengths, strict=False)]


# -- repetition ---------------------------------------------------------------------------------------------


@method("repeat", numpy=(np.repeat,))
@lift
def repeat(x: Node, repeats: Any, axis: int | None = None) -> Node:
    """Each element along an axis, or of the flattened array, repeated; so often, or as often as an array says.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.repeat(np.arange(3), [2, 0, 1]).eval().tolist()
    [0, 0, 2]
    """
    x, times = as_node(x), as_node(repeats)
    if axis is None:
        x, axis = flatten(x), 0
    axis = axis_of(axis, x.ndim)
    if times.ndim == 0:
        n = size_of(times, "repeat: the number of repeats")
        shape = [*x.shape[: axis + 1], n, *x.shape[axis + 1 :]]
        spread = broadcast_dims(insert(x, axes=(axis + 1,)), tuple(shape))
        return merge(spread, groups=(1,) * axis + (2,) + (1,) * (x.ndim - axis - 1))
    if times.ndim != 1 or times.dtype not in (*dt.SIGNED, *dt.UNSIGNED):
        raise TypeMismatch(f"repeat: repeats must be an integer or a vector of integers, not {times.type}")
    if same(times.shape[0], 1):
        return repeat(x, part_of(times, 0), axis)
    x = specify(x, (*x.shape[:axis], times.shape[0], *x.shape[axis + 1 :]))
    return part_of(x, (*[slice(None)] * axis, repeated(cast(times, "int64"))))


def repeated(times: Node) -> Node:
    """The numbers 0, 1, ... each as often as it says: at every place, how many of them have begun before it."""
    counts = ew.maximum(times, 0)
    total = dim_node(as_dim(sum_(counts, axes=(0,))))
    begins = cumsum_(counts, axis=0) - counts
    places = ew.checked(ew.where(ew.lt(times, 0), times - total - 1, begins), total + 1)  # negative counts raise
    marks = scatter_add(filled((as_dim(total + 1),), 0, "int64"), filled(times.shape, 1, "int64"), places)
    return cumsum_(section(marks, 0, 0, as_dim(total)), axis=0) - 1


@method("tile", numpy=(np.tile,))
@lift
def tile(x: Node, reps: Any, ndim: int | None = None) -> Node:
    """The array repeated along its last axes, so often as `reps` says for each; `ndim` pads reps with leading ones.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.tile(np.arange(2), 3).eval().tolist()
    [0, 1, 0, 1, 0, 1]
    """
    x, times = as_node(x), sizes_of(reps, "tile: a number of repeats")
    times = (1,) * (max(x.ndim, ndim or 0) - len(times)) + times
    x = shape_padleft(x, len(times) - x.ndim)
    paired = [(n, d) for n, d in zip(times, x.shape, strict=True)]
    new = tuple(2 * k for k in range(x.ndim))
    spread = broadcast_dims(insert(x, axes=new), tuple(size for pair in paired for size in pair)) if new else x
    return merge(spread, groups=(2,) * x.ndim) if new else x


# -- turns --------------------------------------------------------------------------------------------------


@method("roll", numpy=(np.roll,))
@lift
def roll(x: Node, shift: Any, axis: int | Sequence[int] | None = None) -> Node:
    """The elements shifted along axes, or in the flattened array; those that leave at the end return at the start.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.roll(np.arange(4), 1).eval().tolist()
    [3, 0, 1, 2]
    """
    x = as_node(x)
    if axis is None:
        return reshape_dims(_rolled(flatten(x), size_of(shift, "roll: shift"), 0), x.shape)
    axes = tuple(axis_of(a, x.ndim) for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    shifts = sizes_of(shift, "roll: shift")
    shifts = shifts * len(axes) if len(shifts) == 1 else shifts
    if len(shifts) != len(axes):
        raise TypeMismatch(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    for s, a in zip(shifts, axes, strict=True):
        x = _rolled(x, s, a)
    return x


def _rolled(x: Node, shift: Dim, axis: int) -> Node:
    n = x.shape[axis]
    tail = dims.mod(shift, n)
    if same(tail, 0):
        return x
    rest = dims.sub(n, tail)
    return concatenate_(section(x, axis, rest, tail), section(x, axis, 0, rest), axis=axis)


@method(numpy=(np.flip,))
@lift
def flip(x: Node, axis: int | Sequence[int] | None = None) -> Node:
    """The elements in reverse order along axes, all by default."""
    x = as_node(x)
    axes = tuple(range(x.ndim)) if axis is None else axes_of(axis, x.ndim)
    bounds = [n for a in axes for n in (dim_node(dims.sub(x.shape[a], 1)), dim_node(x.shape[a]))]
    return slice_(x, *bounds, axes=axes, steps=(-1,) * len(axes)) if axes else x


@method(numpy=(np.flipud,))
@lift
def flipud(x: Node) -> Node:
    """The rows in reverse order."""
    return flip(as_node(x), 0)


@method(numpy=(np.fliplr,))
@lift
def fliplr(x: Node) -> Node:
    """The columns in reverse order."""
    return flip(as_node(x), 1)


@method(numpy=(np.rot90,))
@lift
def rot90(x: Node, k: int = 1, axes: Sequence[int] = (0, 1)) -> Node:
    """The plane of two axes turned by k quarters, from the first towards the second."""
    x = as_node(x)
    first, second = axes_of(axes, x.ndim, "rot90: axis")
    perm = list(range(x.ndim))
    perm[first], perm[second] = second, first
    turned = (
        lambda: x,
        lambda: permuted(flip(x, second), tuple(perm)),
        lambda: flip(x, (first, second)),
        lambda: flip(permuted(x, tuple(perm)), second),
    )
    return turned[k % 4]()
