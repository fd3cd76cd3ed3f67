"""Arrays that are read across their rows, some columns at a time: they are copied into a panel whose rows these become.

In `for i: for j: ... x[j, i] ...` each element of x comes from another cache line, and lines are gone before their
neighbours are needed. With a panel, whole lines of x are read for some values of i, and what follows reads the panel
from end to end. A line of the panel is filled while it stays in the first cache. Its rows are an odd number of lines
long: no two of them lie in the same place of the cache. Small arrays stay in the cache as they are, so sizes decide at
entry.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES
from agnesi.ir.node import LOAD, Node, dim_node, index, load, substitute, topological
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import Break, For, Let, Program, Stmt, Store, loads, walk, written_buffers
from agnesi.loops.tidy import moved
from agnesi.ops import elementwise as ew
from agnesi.schedule.strips import Change

LINE = 64  # bytes
LINES = 4  # of each row of an array in a panel at most
BLOCK = 16  # columns of a panel that are filled at a time
ROOM = 1 << 20  # bytes of the panels of a loop: what the second cache holds
LARGE = 1 << 20  # bytes of an array that does not stay in the cache
CROWDED = 1 << 14  # bytes of an array whose rows lie a multiple of STEP bytes apart: they push each other out
STEP = 512
FEW = 1024  # elements that are read before the loop begins again: their lines are still in the cache


def turn(program: Program) -> Program:
    """Has loops read arrays by panels where they read across rows."""
    for nest in program.nests:
        nest.body = Panels(program, nest).block(nest.body)
    return program


@dataclass(frozen=True)
class Turned:
    """A load at [..., j, ..., i + c] in a loop over j, of this extent, inside of one over i; axis: where j stands."""

    node: Node
    axis: int
    counter: Node
    extent: Dim


@dataclass
class Panels(Change):
    """Gives panels to loops of a nest."""

    mark = "p"

    def instead(self, loop: For) -> list[Stmt]:
        """A loop with panels, if it has use for them."""
        found = self.turned(loop)
        return self.loop(loop, found) if found else []

    def turned(self, loop: For) -> list[Turned]:
        """What the loops directly inside a loop read across its rows."""
        if loop.kind != "seq" or not self.known(loop.extent) or any(isinstance(s, Break) for s in walk(loop.body)):
            return []
        written = {self.program.storage(n) for n in written_buffers([loop])}
        found: dict[Turned, None] = {}
        for inner in loop.body:
            if not isinstance(inner, For) or inner.kind != "seq" or not self.known(inner.extent):
                continue
            area = dims.mul(loop.extent, inner.extent)
            if isinstance(area, int) and area <= FEW:
                continue
            for node in (n for s in inner.body for n in loads(s)):
                axis = self.axis(node, loop, inner)
                if axis is not None and self.program.storage(node["buffer"]) not in written:
                    found[Turned(node, axis, inner.index, inner.extent)] = None
        extents = {one.node: one.extent for one in found}  # a panel serves loops of one extent
        mixed = {one.node for one in found if not same(one.extent, extents[one.node])}
        return [one for one in found if one.node not in mixed]

    def axis(self, node: Node, loop: For, inner: For) -> int | None:
        """The axis along which the inner loop runs, if the outer one runs along the last."""
        buffer = self.program.buffers[node["buffer"]]
        *leading, last = node.args or (dim_node(0),)
        axes = [k for k, i in enumerate(leading) if i is inner.index]
        if buffer.strides is not None or len(axes) != 1 or not all(map(self.known, buffer.shape)):
            return None
        terms, _ = dims.linear(last)
        rest = [*(t for t in terms if t is not loop.index), *(i for k, i in enumerate(leading) if k != axes[0])]
        moving = {s.var for s in walk(loop.body) if isinstance(s, Let)} | {loop.index, inner.index}
        fixed = not any(n.op is LOAD or n in moving for n in topological(rest))
        return axes[0] if terms.get(loop.index) == 1 and fixed else None

    def loop(self, loop: For, found: list[Turned]) -> list[Stmt]:
        """The loop as it was, for small arrays, and in strips with panels; sizes decide which of them runs."""
        strip, i, m = self.counter(), loop.index, dim_node(loop.extent)
        rows = self.size("rows", self.rows_of(found))
        many = ew.floordiv(m + rows - 1, ew.maximum(rows, dim_node(1)))
        count = self.size("strips", ew.where(ew.gt(rows, 0), many, 0))
        plain = self.size("plain", ew.where(ew.gt(rows, 0), 0, m))
        start, here = self.name("start"), self.name("here")
        body: list[Stmt] = [Let(start, strip * rows), Let(here, ew.minimum(rows, m - start))]
        names = {s.var: self.name(s.var["name"], s.var.dtype) for s in walk(loop.body) if isinstance(s, Let)}
        names[i] = start + i
        for array in found:
            panel = self.panel(array, rows)
            body += self.filled(array, panel, replace(loop, extent=here, whole=loop.extent), start, strip["level"] + 1)
            names[array.node] = load(panel, array.node.dtype, (i, array.counter))
        body.append(For(i, here, moved(loop.body, names), whole=loop.extent))
        arrays = ", ".join(dict.fromkeys(array.node["buffer"] for array in found))
        self.nest.reason += f"\nload (some columns of {arrays} at a time are copied into rows, where it is large)"
        return [replace(loop, extent=plain, whole=0), For(strip, count, tuple(body), whole=1)]

    def filled(self, one: Turned, panel: str, rows: For, start: Node, level: int) -> list[Stmt]:
        """Loops that fill a panel: blocks of columns, and the columns that are left."""
        block, column, n = index(level), index(level + 1), dim_node(one.extent)
        many = self.size("blocks", ew.floordiv(n, dim_node(BLOCK)))
        rest = self.size("others", ew.mod(n, dim_node(BLOCK)))

        def fill(j: Node) -> Stmt:
            place = substitute(one.node.args, {rows.index: start + rows.index, one.counter: j})
            return Store(panel, (rows.index, j), load(one.node["buffer"], one.node.dtype, tuple(place)))

        inner = For(column, BLOCK, (fill(block * BLOCK + column),))
        last = replace(rows, body=(fill(many * BLOCK + column),))
        return [For(block, many, (replace(rows, body=(inner,)),)), For(column, rest, (last,))]

    def rows_of(self, found: list[Turned]) -> Node:
        """How many rows the panels have: as many as fit, 0 where arrays are small or rows too long."""
        unit = LINE // min(SIZES[one.node.dtype] for one in found)
        worth: Dim = 0
        room: Dim = 0
        for one in found:
            shape, size = self.program.buffers[one.node["buffer"]].shape, SIZES[one.node.dtype]
            step = dim_node(dims.mul(dims.product(shape[one.axis + 1 :]), size))
            limit = ew.where(ew.eq(ew.mod(step, dim_node(STEP)), 0), dim_node(CROWDED), dim_node(LARGE))
            large = ew.ge(dim_node(dims.mul(dims.product(shape), size)), limit)
            worth = dims.add(worth, ew.where(large, dim_node(1), dim_node(0)))
            room = dims.add(room, dims.mul(one.extent, size * unit))
        fitting = ew.floordiv(dim_node(ROOM), ew.maximum(dim_node(room), dim_node(1)))
        return ew.where(ew.gt(dim_node(worth), 0), ew.minimum(fitting, dim_node(LINES)) * unit, dim_node(0))

    def panel(self, one: Turned, rows: Node) -> str:
        """Scratch for some columns of an array, as rows of an odd number of lines."""
        each = LINE // SIZES[one.node.dtype]
        lines = ew.floordiv(dim_node(one.extent) + (each - 1), dim_node(each))
        length = self.size("length", (ew.floordiv(lines, dim_node(2)) * 2 + 1) * each)
        return self.scratch("panel", one.node.dtype, (rows, length))
