"""x[...]: integers, slices with symbolic bounds, newaxis, Ellipsis and integer arrays, as in NumPy."""

from __future__ import annotations

import weakref
from typing import Any

from agnesi.errors import IndexOutOfRange, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, dim_node, make
from agnesi.ir.type import Dim
from agnesi.ir.variable import Variable, as_node, method, unwrap
from agnesi.ops import elementwise as ew
from agnesi.ops.gather import take
from agnesi.ops.index import broadcast_dims, drop, insert, reshape_dims, section, slice_, transpose_
from agnesi.ops.select import flatnonzero


@method("getitem")
def getitem(x: Any, key: Any) -> Variable:
    """The part of x that NumPy's x[key] gives."""
    result = Variable(part_of(as_node(x), key))
    result.origin = (as_node(x), key if isinstance(key, tuple) else (key,))
    return result


def part_of(x: Node, key: Any) -> Node:
    """x[key] of nodes."""
    parts = key if isinstance(key, tuple) else (key,)
    return _getitem(x, tuple(_plain(p) for p in parts))


def _plain(part: Any) -> Any:
    """A key part with variables unwrapped."""
    if isinstance(part, slice):
        return slice(*(b if b is None else unwrap(b) for b in (part.start, part.stop, part.step)))
    if part is None or part is Ellipsis or isinstance(part, int):
        return part
    return as_node(part)


LAST: weakref.WeakKeyDictionary[Node, Node] = weakref.WeakKeyDictionary()  # what x[-1] is, where a loop knows it


def last_of_loop(x: Node) -> Node | None:
    """The last value of a state where x holds what all steps made of it: then the others need not be kept."""
    if x in LAST:
        return LAST[x]
    if x.op is not slice_ or x.args[0].op.name != "loop":
        return None
    history = x.args[0]
    loop, which = history["loop"], history["which"]
    if history["last"] or which >= loop.states:
        return None
    taken = rebuilt(history, which=loop.count) if loop.until else history.args[0]
    if x is not section(history, 0, loop.depths[which], as_dim(taken)):
        return None
    return rebuilt(history, last=True)


def rebuilt(node: Node, **changed: Any) -> Node:
    """The node with other attributes."""
    return make(node.op, node.args, tuple((k, changed.get(k, v)) for k, v in node.attrs))


def _getitem(x: Node, parts: tuple[Any, ...]) -> Node:
    if parts and type(parts[0]) is int and parts[0] == -1:
        last = last_of_loop(x)
        if last is not None:
            return _getitem(last, parts[1:]) if len(parts) > 1 else last
    x, parts = _unmasked(x, parts)
    used = sum(p is not None and p is not Ellipsis for p in parts)
    if used > x.ndim:
        raise TypeMismatch(f"{used} indices for {x.type}, which has {x.ndim} axes")
    if parts.count(Ellipsis) > 1:
        raise TypeMismatch("an index can have one Ellipsis only")
    if Ellipsis not in parts:
        parts = (*parts, Ellipsis)
    dots = parts.index(Ellipsis)
    full = (*parts[:dots], *(slice(None),) * (x.ndim - used), *parts[dots + 1 :])
    return _lookup(*_slices(x, full))


def _unmasked(x: Node, parts: tuple[Any, ...]) -> tuple[Node, tuple[Any, ...]]:
    """Boolean masks replaced by the places where they hold; a mask of several axes looks at them as one."""
    axis = 0
    result: list[Any] = []
    used = sum(_axes_used(p) for p in parts)
    for part in parts:
        if isinstance(part, Node) and part.dtype == "bool":
            if part.ndim == 0:
                raise TypeMismatch("a single truth value is no index; use at.where for a choice")
            n = part.ndim
            whole = x.shape[axis : axis + n]
            for a, b in zip(part.shape, whole, strict=False):
                if isinstance(a, int) and isinstance(b, int) and a != b or n > len(whole):
                    raise IndexOutOfRange(f"a mask of type {part.type} does not fit axes {axis}.. of {x.type}")
            x = reshape_dims(x, (*x.shape[:axis], dims.product(whole), *x.shape[axis + n :]))
            part, used = flatnonzero(part), used - n + 1
        axis += x.ndim - used if part is Ellipsis else _axes_used(part)
        result.append(part)
    return x, tuple(result)


def _axes_used(part: Any) -> int:
    """How many axes of the array a part of a key is about."""
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, Node) and part.dtype == "bool" else 1


def _slices(x: Node, parts: tuple[Any, ...]) -> tuple[Node, list[Node | None]]:
    """Slices, integers and newaxis done; what remains is an index array, or None, for each axis of the result."""
    axes: list[int] = []
    bounds: list[Node] = []
    steps: list[int] = []
    dropped: list[int] = []
    arrays: list[Node | None] = []
    new: list[int] = []
    axis = 0
    for part in parts:
        if part is None:
            new.append(len(arrays))
            arrays.append(None)
            continue
        size = x.shape[axis]
        if isinstance(part, Node) and part.ndim > 0:
            arrays.append(_index_array(part, size))
        elif isinstance(part, slice):
            start, length, step = _bounds(part, size)
            if not (dims.same(start, 0) and dims.same(length, size) and step == 1):
                axes, bounds, steps = [*axes, axis], [*bounds, dim_node(start), dim_node(length)], [*steps, step]
            arrays.append(None)
        else:
            axes, bounds, steps = [*axes, axis], [*bounds, _integer(part, size), dim_node(1)], [*steps, 1]
            dropped.append(axis)
        axis += 1
    if axes:
        x = slice_(x, *bounds, axes=tuple(axes), steps=tuple(steps))
    if dropped:
        x = drop(x, axes=tuple(dropped))
    return (insert(x, axes=tuple(new)) if new else x), arrays


def _integer(part: Any, size: Dim) -> Node:
    """A single index from the start; checked now where it can be, else at the call."""
    if isinstance(part, int) and isinstance(size, int):
        if not -size <= part < size:
            raise IndexOutOfRange(f"index {part} is out of range for an axis of size {size}")
        return dim_node(part % size)
    node = as_node(part)
    if node.dtype not in dt.SIGNED + dt.UNSIGNED:
        raise TypeMismatch(f"an index must be an integer, not {node.dtype}")
    return ew.checked(node, dim_node(size))


def _index_array(part: Node, size: Dim) -> Node:
    if part.dtype not in dt.SIGNED + dt.UNSIGNED:
        raise TypeMismatch(f"index arrays must be integers, not {part.dtype}")
    if part.op.name == "iota" and dims.same(part.shape[0], size):
        return part
    return ew.checked(part, dim_node(size))


def _bounds(part: slice, size: Dim) -> tuple[Dim, Dim, int]:
    """Start, length and step of a slice of an axis."""
    step = 1 if part.step is None else int(part.step)
    if step == 0:
        raise TypeMismatch("the step of a slice cannot be 0")
    start, stop = (None if b is None else _bound(b) for b in (part.start, part.stop))
    if start is None and stop is None and step == 1:
        return 0, size, step
    if step < 0:
        if start is None and stop is None:
            return dims.sub(size, 1), _steps(size, -step), step
        low = -1 if stop is None else _clamp(stop, size, -1, dims.sub(size, 1))
        high = dims.sub(size, 1) if start is None else _clamp(start, size, -1, dims.sub(size, 1))
        return high, _steps(dims.maximum(dims.sub(high, low), 0), -step), step
    first = 0 if start is None else _clamp(start, size, 0, size)
    last = size if stop is None else _clamp(stop, size, 0, size)
    if isinstance(start, int) and start >= 0 and (stop is None or _from_end(stop)):
        first = start  # beyond the end the length is 0, and the start does not matter
        if stop is not None:
            last = dims.add(size, stop)
    return first, _steps(dims.maximum(dims.sub(last, first), 0), step), step


def _from_end(stop: Dim) -> bool:
    return isinstance(stop, int) and stop < 0


def _bound(value: Any) -> Dim:
    return as_dim(cast(as_node(value), "int64"))


def _steps(length: Dim, step: int) -> Dim:
    """The number of elements when only every step-th of them is taken."""
    return length if step == 1 else dims.floordiv(dims.add(length, step - 1), step)


def _clamp(bound: Dim, size: Dim, low: Dim, high: Dim) -> Dim:
    """A bound from the start, within [low, high]; negative ones count from the end."""
    if dims.nonnegative(bound):
        return dims.minimum(bound, high)
    from_start = dims.add(bound, size)
    wrapped = from_start if isinstance(bound, int) else ew.where(bound < 0, dim_node(from_start), bound)
    return dims.minimum(dims.maximum(wrapped, low), high)


def _lookup(x: Node, arrays: list[Node | None]) -> Node:
    """Axes looked up by integer arrays; the new axes stand where NumPy puts them."""
    places = [k for k, a in enumerate(arrays) if a is not None]
    if not places:
        return x
    shape = dims.broadcast([a.shape for a in arrays if a is not None])
    indices = [broadcast_dims(a, shape) for a in arrays if a is not None]
    rest = [k for k in range(x.ndim) if k not in places]
    order = tuple(places + rest)
    moved = x if order == tuple(range(x.ndim)) else transpose_(x, perm=order)
    result: Node = take(moved, *indices)
    adjacent = places[-1] - places[0] + 1 == len(places)
    at = places[0] if adjacent else 0
    if at == 0:
        return result
    n = len(shape)
    perm = (*range(n, n + at), *range(n), *range(n + at, result.ndim))
    return transpose_(result, perm=perm)
