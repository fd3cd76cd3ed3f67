"""Pooling: the largest element, the sum or the mean of windows."""

from __future__ import annotations

from typing import Any

from agnesi.errors import TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.type import Dim
from agnesi.ir.variable import as_node, lift
from agnesi.ops import elementwise as ew
from agnesi.ops.convolution import numbers
from agnesi.ops.getitem import part_of
from agnesi.ops.index import expand_dims, iota
from agnesi.ops.pad import pad as padded
from agnesi.ops.reduce import lowest, max_, mean, sum as sum_of
from agnesi.ops.window import windows

MODES = ("max", "sum", "average_inc_pad", "average_exc_pad")


def _after(n: Dim, size: int, step: int, p: int) -> Dim:
    """How many elements an axis of so many, with p before it, lacks for its last window, if that begins in it."""
    ends = dims.add(dims.floordiv(dims.maximum(dims.add(n, 2 * p + step - 1 - size), 0), step), 1)
    begins = dims.floordiv(dims.add(n, p + step - 1), step)
    reached = dims.add(dims.mul(dims.sub(dims.minimum(ends, begins), 1), step), size)
    return dims.maximum(dims.sub(reached, dims.add(n, p)), 0)


def _covered(n: Dim, count: Dim, size: int, step: int, before: int, counted: int) -> Node:
    """How many elements each window along an axis has, of those in the axis and so many around it."""
    start = iota(dim_node(count)) * step - before
    return ew.minimum(start + size, dim_node(dims.add(n, counted))) - ew.maximum(start, -counted)


def pooled(name: str, x: Any, rank: int, ws: Any, ignore_border: bool, stride: Any, pad: Any, mode: str) -> Node:
    """Pooling over the last axes, so many of them."""
    x = as_node(x)
    if x.ndim < rank:
        raise TypeMismatch(f"{name} takes an array of at least {rank} axes, not {x.type}")
    if mode not in MODES:
        raise TypeMismatch(f"{name}: mode is one of {', '.join(MODES)}, not {mode!r}")
    sizes = numbers(name, rank, ws, "a size")
    steps = sizes if stride is None else numbers(name, rank, stride, "a stride")
    around = numbers(name, rank, pad, "what is added", least=0)
    if any(p >= size for p, size in zip(around, sizes, strict=True)):
        raise TypeMismatch(f"{name}: windows of {sizes} would have nothing but what is added, {around}")
    first, lengths = x.ndim - rank, x.shape[x.ndim - rank :]
    widths: list[Any] = [(0, 0)] * first
    for n, size, step, p in zip(lengths, sizes, steps, around, strict=True):
        widths.append((p, p if ignore_border else dim_node(_after(n, size, step, p))))
    fill = lowest(x.dtype) if mode == "max" else 0
    whole = ignore_border and not any(around)
    moves = tuple((first + k, step, 1) for k, step in enumerate(steps))
    parts = windows(x if whole else padded(x, widths, constant_values=fill), sizes, moves)
    axes = tuple(range(x.ndim, parts.ndim))
    if mode == "max":
        return max_(parts, axes=axes)
    if mode == "sum":
        return sum_of(parts, axis=axes)
    if whole or (ignore_border and mode == "average_inc_pad"):
        return mean(parts, axis=axes)
    total = sum_of(parts, axis=axes)
    for k, (n, size, step, p) in enumerate(zip(lengths, sizes, steps, around, strict=True)):
        covered = _covered(n, total.shape[first + k], size, step, p, p if mode == "average_inc_pad" else 0)
        total = total / cast(expand_dims(covered, tuple(range(1, rank - k))), total.dtype)
    return total


@lift
def pool_2d(
    input: Any, ws: Any = (2, 2), ignore_border: bool = True, stride: Any = None, pad: Any = (0, 0), mode: str = "max"
) -> Node:
    """The largest element of each window of the last two axes, or the sum or the mean.

    ws: the sizes of windows. stride: from one to the next, the sizes unless given. pad: how many places are added on
    both sides of each axis, for no maximum and no sum to count. ignore_border: whether windows are left out that begin
    in the array and end beyond what is added. mode: "max", "sum", "average_inc_pad" or "average_exc_pad", where places
    that were added count or not. The derivative of a maximum goes to all elements that are the largest, in equal parts.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.nnet.pool_2d(np.arange(16.0).reshape(4, 4), (2, 2)).eval().tolist()
    [[5.0, 7.0], [13.0, 15.0]]
    """
    return pooled("pool_2d", input, 2, ws, ignore_border, stride, pad, mode)


@lift
def pool_3d(
    input: Any, ws: Any = (2, 2, 2), ignore_border: bool = True, stride: Any = None, pad: Any = (0, 0, 0),
    mode: str = "max",
) -> Node:  # fmt: skip
    """pool_2d for the last three axes."""
    return pooled("pool_3d", input, 3, ws, ignore_border, stride, pad, mode)


@lift
def max_pool_2d_same_size(input: Any, patch_size: Any) -> Node:
    """The largest elements of patches that lie next to each other in the last two axes, zeros elsewhere.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.nnet.max_pool_2d_same_size(np.arange(4.0).reshape(2, 2), (2, 2)).eval().tolist()
    [[0.0, 0.0], [0.0, 3.0]]
    """
    x = as_node(input)
    sizes = numbers("max_pool_2d_same_size", 2, patch_size, "a size")
    largest = pooled("max_pool_2d_same_size", x, 2, sizes, False, None, (0, 0), "max")
    rows, columns = (iota(dim_node(n)) // size for n, size in zip(x.shape[-2:], sizes, strict=True))
    spread = part_of(largest, (..., expand_dims(rows, (1,)), columns))
    return ew.where(ew.eq(x, spread), x, cast(as_node(0), x.dtype))
