"""Products of arrays as calls of gemm, in loops over the axes that matrices do not have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agnesi.ir import dims
from agnesi.ir.node import Node, const, dim_node, index
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import Call, For, Stmt, View
from agnesi.ops import elementwise as ew
from agnesi.ops.functions import divisor

WHOLE_BYTES = 2 << 20  # of the windows of an image: more are copied in blocks
BLOCK_BYTES = 512 << 10  # of a block of windows
BLOCK_PLACES = 48  # of windows in a block, at least: fewer columns do not keep the matrix kernels busy


@dataclass(frozen=True)
class Axis:
    """Its size, and its strides in the left and right operand and in the result; 0 where it is not."""

    size: Dim
    strides: tuple[Dim, ...]


@dataclass(frozen=True)
class Arrangement:
    """A product as matrices: the operand that has the rows of the result, the one that has its columns, the result,
    the axes of the matrices, and of loops around them: so many are batches, so many sums, the last ones."""

    views: tuple[View, View, View]
    rows: Axis
    columns: Axis
    inner: Axis
    loops: tuple[Axis, ...]
    batches: int
    sums: int

    @property
    def is_one(self) -> bool:
        """Whether what one batch needs is a product of two matrices."""
        return len(self.loops) == self.batches

    def statement(self, dtype: str, scalars: tuple[Node, Node], level: int = 0) -> Stmt:
        """out = alpha * (product) + beta * out, for scalars (alpha, beta), in loops from a level on. What loops over
        sums find, they add to the result: then beta is 1."""
        left, right, out = self.views
        call = Call(
            "gemm",
            dtype,
            (
                matrix(left, 0, self.rows, self.inner, self.loops, level),
                matrix(right, 1, self.inner, self.columns, self.loops, level),
            ),
            matrix(out, 2, self.rows, self.columns, self.loops, level),
            (scalars[0], const(1, dtype)) if self.sums else scalars,
        )
        return looped(call, [axis.size for axis in self.loops], level)


def arranged(left: View, right: View, out: View, labels: str) -> Arrangement:
    """The matrices of a product with these einsum labels.

    The last axis of the result belongs to one operand only, and each operand has such an axis. Neighbouring axes
    become one where memory allows it.
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
    *outer_sums, inner = axes([k for k in a if k not in result])
    batches = axes([k for k in result if k in a and k in b])
    loops = (*batches, *outer_rows, *outer_columns, *outer_sums)
    return Arrangement((left, right, out), rows, columns, inner, loops, len(batches), len(outer_sums))


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


def matrix(view: View, operand: int, rows: Axis, columns: Axis, loops: Sequence[Axis], level: int) -> View:
    """The matrix of an operand that the indices of the loops pick."""
    offset: Dim = view.offset
    for k, axis in enumerate(loops):
        offset = dims.add(offset, dims.mul(index(level + k), axis.strides[operand]))
    strides = rows.strides[operand], columns.strides[operand]
    return View(view.buffer, dim_node(offset), (rows.size, columns.size), strides)


def part(view: View, labels: str, starts: dict[str, Node], blocks: dict[str, Dim]) -> View:
    """A view from these places on along some axes: so many elements along those of blocks, one of others, whose
    axis goes."""
    offset: Dim = view.offset
    sizes, strides = [], []
    for label, size, stride in zip(labels, view.sizes, view.strides, strict=True):
        if label in starts and not same(size, 1):
            offset = dims.add(offset, dims.mul(starts[label], stride))
        if label in blocks or label not in starts:
            sizes.append(blocks.get(label, size))
            strides.append(stride)
    return View(view.buffer, dim_node(offset), tuple(sizes), tuple(strides))


def looped(stmt: Stmt, sizes: Sequence[Dim], level: int = 0) -> Stmt:
    """A statement in loops of these sizes, from a level on."""
    for k, size in reversed(list(enumerate(sizes))):
        stmt = For(index(level + k), size, (stmt,))
    return stmt


# -- products with windows ----------------------------------------------------------------------------------


def loops_of(terms: Sequence[str], which: int, places: Sequence[str]) -> tuple[list[str], list[str]]:
    """The labels of loops around a product with windows, and those of the windows in it, in the order of scratch.

    Loops are over what all of the terms have, and over what is where the places of windows are, as images of a batch.
    """

    def where(label: str) -> tuple[bool, ...]:
        return tuple(label in term for term in terms)

    beside = {where(label) for label in places}
    around = [k for k in terms[which] if all(where(k)) or (k not in places and where(k) in beside)]
    rest = [k for k in terms[which] if k not in around]
    return around, [k for k in rest if k not in places] + [k for k in rest if k in places]


def blocks_of(order: Sequence[str], places: Sequence[str], sizes: dict[str, Dim], itemsize: int) -> dict[str, Dim]:
    """How much of the first axes of places is done at a time, so that the windows of a block stay in a cache: a divisor
    of their sizes, of the first one only where they are not known."""
    found: dict[str, Dim] = {}
    for k in (k for k in order if k in places and not same(sizes[k], 1)):
        others = sizes | found
        each = dims.product([itemsize, *(others[j] for j in order if j != k)])
        block = block_of(sizes[k], each, dims.product(others[j] for j in order if j in places and j != k))
        if same(block, sizes[k]):
            break
        found[k] = block
        if not isinstance(block, int):
            break
    return found


def block_of(size: Dim, each: Dim, places: Dim) -> Dim:
    """How many rows of places are a block, where each of them has so many bytes of windows, and so many places."""
    rows, row = dim_node(size), ew.maximum(dim_node(each), 1)
    some = BLOCK_BYTES // row
    whole = (rows * row <= WHOLE_BYTES) | (divisor(rows, some) * dim_node(places) < BLOCK_PLACES)
    block = divisor(rows, ew.where(whole, rows, some))
    return dims.evaluate(block, {}) if all(isinstance(n, int) for n in (size, each, places)) else block
