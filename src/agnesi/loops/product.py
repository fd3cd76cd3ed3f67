"""Products of arrays as calls of gemm, in loops over the axes that two matrices do not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agnesi.ir import dims
from agnesi.ir.node import Node, const, dim_node, index
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import Call, For, Stmt, Store, View


@dataclass(frozen=True)
class Axis:
    """Its size, and its strides in the left and right operand and in the result; 0 where it is not."""

    size: Dim
    strides: tuple[Dim, ...]


def products(
    left: View, right: View, out: View, labels: str, dtype: str, scalars: tuple[Node, Node]
) -> tuple[Stmt, ...]:  # fmt: skip
    """out = alpha * (product of left and right) + beta * out, for scalars (alpha, beta); labels are those of einsum.

    The last axis of the result belongs to one operand only, and each operand has such an axis. Neighbouring axes
    become one where memory allows it; sums over several are added up in the result, from zero: then beta must be 0.
    """
    inputs, result = labels.split("->")
    a, b = inputs.split(",")
    if result[-1] in a:
        left, right, a, b = right, left, b, a
    views = ((left, a), (right, b), (out, result))

    def axes(group: Sequence[str]) -> list[Axis]:
        found = []
        for label in group:
            size = next(v.sizes[term.index(label)] for v, term in views if label in term)
            found.append(Axis(size, tuple(v.strides[term.index(label)] if label in term else 0 for v, term in views)))
        return merged(found)

    *outer_rows, rows = axes([k for k in result if k not in b])
    *outer_columns, columns = axes([k for k in result if k not in a])
    if not same(columns.strides[2], 1):  # the last axis of the result is one element
        outer_columns, columns = [*outer_columns, columns], Axis(1, (0, 0, 1))
    *outer_sums, sums = axes([k for k in a if k not in result])
    loops = [*axes([k for k in result if k in a and k in b]), *outer_rows, *outer_columns, *outer_sums]
    call = Call(
        "gemm",
        dtype,
        (matrix(left, 0, rows, sums, loops), matrix(right, 1, sums, columns, loops)),
        matrix(out, 2, rows, columns, loops),
        (scalars[0], const(1, dtype)) if outer_sums else scalars,
    )
    filled = (zeros(out, dtype),) if outer_sums else ()
    return (*filled, looped(call, [axis.size for axis in loops]))


def merged(axes: Sequence[Axis]) -> list[Axis]:
    """The axes with neighbours joined that are one axis in memory, and without those of size 1."""
    result: list[Axis] = []
    for axis in axes:
        if result and same(axis.size, 1):
            continue
        if result and same(result[-1].size, 1):
            result.pop()
        outer = result[-1] if result else None
        if outer and all(same(o, dims.mul(i, axis.size)) for o, i in zip(outer.strides, axis.strides, strict=True)):
            result[-1] = Axis(dims.mul(outer.size, axis.size), axis.strides)
        else:
            result.append(axis)
    return result


def matrix(view: View, operand: int, rows: Axis, columns: Axis, loops: Sequence[Axis]) -> View:
    """The matrix of an operand that the indices of the loops pick."""
    offset: Dim = view.offset
    for level, axis in enumerate(loops):
        offset = dims.add(offset, dims.mul(index(level), axis.strides[operand]))
    strides = rows.strides[operand], columns.strides[operand]
    return View(view.buffer, dim_node(offset), (rows.size, columns.size), strides)


def looped(stmt: Stmt, sizes: Sequence[Dim]) -> Stmt:
    """A statement in loops of these sizes."""
    for level, size in reversed(list(enumerate(sizes))):
        stmt = For(index(level), size, (stmt,))
    return stmt


def zeros(view: View, dtype: str) -> Stmt:
    """A result filled with zeros."""
    places = tuple(index(level) for level in range(len(view.sizes)))
    return looped(Store(view.buffer, places, const(0, dtype)), view.sizes)
