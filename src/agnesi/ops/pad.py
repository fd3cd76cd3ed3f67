"""Padding: an array with elements added around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.assign import slice_set
from agnesi.ops.create import filled
from agnesi.ops.getitem import part_of
from agnesi.ops.index import expand_dims, iota, size_of

Pairs = list[tuple[Any, Any]]


def _pairs(value: Any, ndim: int, name: str) -> Pairs:
    """NumPy's ways to give a number before and after each axis: one number, one pair, or a pair for each axis."""
    rows = list(value) if isinstance(value, (list, tuple)) else [value]
    if len(rows) == 2 and not isinstance(rows[0], (list, tuple)):
        rows = [rows]
    if len(rows) == 1:
        rows = rows * ndim
    if len(rows) != ndim:
        raise TypeMismatch(f"pad: {name} has {len(rows)} pairs, and the array {ndim} axes")
    pairs = [tuple(r) if isinstance(r, (list, tuple)) else (r,) for r in rows]
    if any(len(p) not in (1, 2) for p in pairs):
        raise TypeMismatch(f"pad: {name} must be a number, a pair (before, after), or a pair for each axis")
    return [(p[0], p[-1]) for p in pairs]


# The place in the array of each place of the padded axis, counted from the array's first element.
PLACES: dict[str, Callable[[Node, Node], Node]] = {
    "edge": lambda i, n: ew.maximum(ew.minimum(i, n - 1), 0),
    "wrap": lambda i, n: i % n,
    "symmetric": lambda i, n: ew.minimum(i % (2 * n), 2 * n - 1 - i % (2 * n)),
    "reflect": lambda i, n: _reflected(i, ew.maximum(2 * n - 2, 1)),
}


def _reflected(i: Node, period: Node) -> Node:
    return ew.minimum(i % period, period - i % period)


@method(numpy=(np.pad,))
@lift
def pad(x: Node, pad_width: Any, mode: str = "constant", constant_values: Any = 0) -> Node:
    """The array with elements added before and after it along each axis.

    pad_width: how many, as a number, a pair, or a pair for each axis; symbolic ones below 0 count as 0.
    mode: "constant", or "edge", "reflect", "symmetric" and "wrap", which continue the array as in NumPy.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.pad(np.arange(3), (1, 2)).eval().tolist()
    [0, 0, 1, 2, 0, 0]
    >>> at.pad(np.arange(3), 2, mode="reflect").eval().tolist()
    [2, 1, 0, 1, 2, 1, 0]
    """
    x = as_node(x)
    given = _pairs(pad_width, x.ndim, "pad_width")
    widths = [(size_of(low, "pad: a width"), size_of(high, "pad: a width")) for low, high in given]
    if any(isinstance(w, int) and w < 0 for pair in widths for w in pair):
        raise TypeMismatch(f"pad: widths cannot be negative: {pad_width}")
    widths = [(dims.maximum(low, 0), dims.maximum(high, 0)) for low, high in widths]
    if mode == "constant":
        return _constant(x, widths, _pairs(constant_values, x.ndim, "constant_values"))
    if mode not in PLACES:
        raise TypeMismatch(f"pad: mode {mode!r} is not one of constant, {', '.join(PLACES)}")
    for axis, (low, high) in enumerate(widths):
        if not (same(low, 0) and same(high, 0)):
            n = x.shape[axis]
            place = iota(dim_node(dims.add(n, dims.add(low, high)))) - dim_node(low)
            x = part_of(x, (*[slice(None)] * axis, PLACES[mode](place, dim_node(n))))
    return x


def _constant(x: Node, widths: list[tuple[Dim, Dim]], values: Pairs) -> Node:
    """The array set into one value; where others are wanted they replace it axis by axis."""
    axes = tuple(k for k, (low, high) in enumerate(widths) if not (same(low, 0) and same(high, 0)))
    if not axes:
        return x
    inner = x.shape
    shape = tuple(dims.add(n, dims.add(low, high)) for n, (low, high) in zip(inner, widths, strict=True))
    bounds = [dim_node(d) for k in axes for d in (widths[k][0], inner[k])]
    around = values[0][0]
    x = slice_set(filled(shape, around, x.dtype), x, *bounds, axes=axes, steps=(1,) * len(axes))
    if all(value is around for pair in values for value in pair):
        return x
    for axis in axes:
        place = expand_dims(iota(dim_node(shape[axis])), tuple(k for k in range(x.ndim) if k != axis))
        low = dim_node(widths[axis][0])
        sides = ew.lt(place, low), ew.ge(place, low + dim_node(inner[axis]))
        for outside, value in zip(sides, values[axis], strict=True):
            x = ew.where(outside, cast(as_node(value), x.dtype), x)
    return x
