"""Vectors that are read again for every short row are laid out for many rows, so that these are gone through as one.

In `for i: for j: out[i, j] = x[i, j] - v[j]` the inner loop fills no vector where rows have three elements. With v
written some hundred times, one behind the other, so many rows of x are a loop from end to end: pixels and their
channels, scores and their biases.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, index, load, substitute, temp, topological
from agnesi.loops.stmt import (
    For,
    Let,
    Program,
    Set,
    Stmt,
    Store,
    computed,
    loads,
    offset,
    written_buffers,
)  # fmt: skip
from agnesi.loops.tidy import moved
from agnesi.ops import elementwise as ew
from agnesi.schedule.merge import only_loop
from agnesi.schedule.strips import Change, has_functions

SHORT = 64  # elements of a row at most
UNIT, ELEMENTS = 16, 512  # so many rows, or a multiple of them with about so many elements, are gone through as one
ROOM = 2 * ELEMENTS  # elements that UNIT rows have at most


def turn(program: Program) -> Program:
    """Has nests go through short rows as one."""
    for nest in program.nests:
        change = Repeats(program, nest)
        body = change.block(nest.body)
        nest.body = [*change.fills, *body]
    return program


@dataclass
class Repeats(Change):
    """Lays out vectors for a nest; fills: the loops that do so, which come first."""

    fills: list[Stmt] = field(default_factory=list)
    mark = "r"

    def instead(self, loop: For) -> list[Stmt]:
        """A loop over rows as one over blocks of them, if it can be and pays."""
        inner, totals = only_loop(loop)
        if inner is None or not self.is_plain(loop, inner):
            return []
        found = self.repeated(loop, inner)
        return self.loops(loop, inner, found, totals) if found else []

    def is_plain(self, loop: For, inner: For) -> bool:
        """Whether the loops are over rows that are short, or may be and have little to compute: there are two then, and
        elementary functions take long to compile."""
        if loop.kind != "seq" or inner.kind != "seq" or loop.whole is not None:
            return False
        if not all(isinstance(s, (Let, Set, Store)) for s in inner.body):
            return False
        if not self.known(loop.extent) or not self.known(inner.extent):
            return False
        return inner.extent <= SHORT if isinstance(inner.extent, int) else not any(map(has_functions, inner.body))

    def repeated(self, loop: For, inner: For) -> list[Node]:
        """The loads of vectors; none where something else depends on the row or on the place in it."""
        counters = {loop.index, inner.index}
        written = {self.program.storage(name) for name in written_buffers(self.nest.body)}
        found: dict[Node, None] = {}
        for stmt in inner.body:
            assert isinstance(stmt, (Let, Set, Store))
            if isinstance(stmt, Store) and (stmt.combine or not self.is_flat(stmt.buffer, stmt.index, loop, inner)):
                return []
            if counters.intersection(computed(stmt.value)):
                return []
            for node in loads(stmt):
                moving = counters.intersection(topological(node.args))
                if not moving or self.is_flat(node["buffer"], node.args, loop, inner):
                    continue
                others = substitute(node.args, {inner.index: dim_node(0)})
                if moving != {inner.index} or self.program.storage(node["buffer"]) in written:
                    return []
                if not all(map(self.known, others)):
                    return []
                found[node] = None
        return list(found)

    def is_flat(self, buffer: str, idx: tuple[Node, ...], loop: For, inner: For) -> bool:
        """Whether the first element of a row follows the last one of the row before, also where both are counted from
        the start of some rows."""
        where = dims.expanded(offset(self.program.buffers[buffer], idx))
        row, element = dims.coefficient(where, loop.index), dims.coefficient(where, inner.index)
        if not row or not element or dims.times(element, dims.expanded(inner.extent)) != row:
            return False
        idx = tuple(substitute(idx, numbered(loop, inner, temp("start", "int64"))))
        return dims.coefficient(dims.expanded(offset(self.program.buffers[buffer], idx)), inner.index) is not None

    def loops(self, loop: For, inner: For, found: list[Node], totals: dict[Node, Node]) -> list[Stmt]:
        """The loop over blocks of rows, and the one that there was for rows that turn out to be long."""
        n, k, j = dim_node(loop.extent), dim_node(inner.extent), inner.index
        many = ew.maximum(ew.floordiv(dim_node(ELEMENTS // UNIT), ew.maximum(k, dim_node(1))), dim_node(1)) * UNIT
        rows = self.size("rows", ew.where(ew.le(k, dim_node(SHORT)), ew.minimum(many, n), dim_node(0)))
        blocks = ew.floordiv(n + rows - 1, ew.maximum(rows, dim_node(1)))
        count = self.size("blocks", ew.where(ew.gt(rows, 0), blocks, dim_node(0)))
        self.nest.reason += "\nload (vectors are repeated, so that short rows are one)"
        block, start, here = self.counter(), self.name("start"), self.name("here")
        names = {s.var: self.name(s.var["name"], s.var.dtype) for s in inner.body if isinstance(s, Let)}
        names |= numbered(loop, inner, start) | totals
        names |= dict(zip(found, self.filled(found, rows, inner), strict=True))
        length, whole = dims.mul(here, inner.extent), dims.mul(loop.extent, inner.extent)
        made = For(j, length, moved(inner.body, names), whole=whole)
        lets = Let(start, block * rows), Let(here, ew.minimum(rows, n - start))
        result = For(block, count, (*lets, made), whole=1)
        if isinstance(inner.extent, int):
            return [result]
        plain = self.size("plain", ew.where(ew.gt(rows, 0), dim_node(0), n))
        return [replace(loop, extent=plain, whole=0), result]

    def filled(self, found: list[Node], rows: Node, inner: For) -> list[Node]:
        """What is loaded instead of vectors; the loops that fill it come first in the nest."""
        row, j = index(0), index(1)
        stores, results = [], []
        for node in found:
            name = self.memory("repeat", node.dtype, (ROOM,), "arena")
            args = substitute(node.args, {inner.index: j})
            stores.append(
                Store(name, (row * dim_node(inner.extent) + j,), load(node["buffer"], node.dtype, tuple(args)))
            )
            results.append(load(name, node.dtype, (inner.index,)))
        self.fills.append(For(row, rows, (For(j, inner.extent, tuple(stores)),)))
        return results


def numbered(loop: For, inner: For, start: Node) -> dict[Node, Node]:
    """The counters of two loops in a loop over all elements of some rows, the first of which is `start`."""
    j, k = inner.index, dim_node(inner.extent)
    return {loop.index: start + ew.floordiv(j, k), j: ew.mod(j, k)}
