"""Short rows side by side in the lanes of vectors: loops inside of rows that compute elementary functions, or extrema,
change places with the loop over rows.

In `for i: {s = 0; for j: s += exp(x[i, j]); ...}` the inner loop fills no vector where rows have ten elements. Then
some hundred rows are taken together: `for j: for i: s[i] += exp(x[i, j])`. What belongs to a row, accumulators and
scratch, is there for every one of them. It takes sizes that are known when the function is compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agnesi.ir.dtype import is_float
from agnesi.ir.node import LOAD, TEMP, Node, dim_node, load, same_shape, substitute, topological
from agnesi.ir.type import Dim, same
from agnesi.loops.parallel import Sharing, sharing
from agnesi.loops.stmt import Check, For, Let, Program, Set, Stmt, Store, loads, neutral, walk, written_buffers
from agnesi.loops.tidy import moved
from agnesi.ops import elementwise as ew
from agnesi.schedule.strips import Change, has_functions

ROWS = 256  # that are taken together at most
SHORT = 24  # elements of a row at most
FEW = 12  # the same for rows without elementary functions


def turn(program: Program) -> Program:
    """Has nests take short rows together."""
    pool: list[str] = []
    for nest in program.nests:
        nest.body = Lanes(program, nest, pool=pool).block(nest.body)
    return program


@dataclass
class Lanes(Change):
    """Takes rows of a nest together. pool: scratch that was made for nests before; they have no use for it any more."""

    pool: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    mark = "l"

    def instead(self, loop: For) -> list[Stmt]:
        """A loop over rows that are taken together, if it can be and pays."""
        found = self.suitable(loop)
        return [self.loop(loop, found)] if found is not None else []

    def suitable(self, loop: For) -> Sharing | None:
        """What rows have in common, if they may be taken together, and gain by it."""
        inner = [s for s in loop.body if isinstance(s, For)]
        if loop.kind != "seq" or loop.whole is not None or not gains(inner):
            return None
        if not all(isinstance(s, (Let, Set, Store, Check)) or is_straight(s) for s in loop.body):
            return None
        if not self.known(loop.extent):
            return None
        found = sharing(loop, self.program)
        if isinstance(found, str):
            return None
        touched = [(n["buffer"], n.args) for s in walk(loop.body) for n in loads(s)]
        if {self.program.storage(name) for name, _ in touched}.intersection(found.added):
            return None
        touched += [(s.buffer, s.index) for s in walk(loop.body) if isinstance(s, Store)]
        given = {s.var for s in walk(loop.body) if isinstance(s, Let)}
        scratch = [(name, idx) for name, idx in touched if self.program.storage(name) in found.rows]
        fits = all(self.fits(name, inner) and given.isdisjoint(topological(idx)) for name, idx in scratch)
        return found if fits else None

    def scratch(self, name: str, dtype: str, shape: tuple[Dim, ...]) -> str:
        """Memory of which every thread has its own, for this nest."""
        for old in self.pool:
            buffer = self.program.buffers[old]
            if old not in self.used and buffer.dtype == dtype and same_shape(buffer.shape, shape):
                break
        else:
            old = super().scratch(name, dtype, shape)
            self.pool.append(old)
        self.used.add(old)
        return old

    def fits(self, name: str, inner: Sequence[For]) -> bool:
        """Whether scratch is as long as one of the loops inside of a row."""
        shape = self.program.buffers[name].shape
        return len(shape) == 1 and any(same(shape[0], one.extent) for one in inner)

    def loop(self, loop: For, found: Sharing) -> For:
        """The loop over rows that are taken together."""
        n = dim_node(loop.extent)
        count = self.size("count", ew.floordiv(n + (ROWS - 1), dim_node(ROWS)))
        strip, start, rows = self.counter(), self.name("start"), self.name("rows")
        self.nest.reason += "\nloop (rows are taken together, as they are short)"
        side_by_side = Rows(self, loop, found, start + loop.index, rows)
        body = [Let(start, strip * ROWS), Let(rows, ew.minimum(dim_node(ROWS), n - start)), *side_by_side.parts()]
        return For(strip, count, tuple(body), whole=1)


def gains(inner: Sequence[For]) -> bool:
    """Whether the loops inside of a row compute enough for what it takes to read columns: elementary functions, or
    extrema of floats, in which NaN counts, where only those are written."""
    if any(has_functions(s) for one in inner for s in one.body):
        return True
    sets = [s for one in inner for s in one.body if isinstance(s, Set)]
    extrema = any(s.combine in ("maximum", "minimum") and is_float(s.var.dtype) for s in sets)
    few = all(isinstance(one.extent, int) and one.extent <= FEW for one in inner)
    return extrema and few and not any(isinstance(s, Store) for one in inner for s in one.body)


def is_straight(stmt: Stmt) -> bool:
    """Whether a statement is a short loop without others in it, and without accumulators of its own."""
    if not isinstance(stmt, For) or stmt.kind != "seq" or not isinstance(stmt.extent, int) or stmt.extent > SHORT:
        return False
    return all(isinstance(s, (Set, Store)) or isinstance(s, Let) and not s.mutable for s in stmt.body)


def is_kept(var: Node, body: Sequence[Stmt]) -> bool:
    """Whether a name is read in the first loop or check of a block, or after it."""
    first = next((k for k, s in enumerate(body) if isinstance(s, (For, Check))), len(body))
    return any(var in s.nodes for s in walk(list(body[first:])))


class Rows:
    """Rows that are taken together: the parts of a row's statements, each for all of them.

    here: the row, counted in the whole array. rows: how many there are.
    """

    def __init__(self, change: Change, loop: For, found: Sharing, here: Node, rows: Node) -> None:
        self.change, self.whole, self.rows = change, loop, rows
        self.names: dict[Node, Node] = {loop.index: here}
        for stmt in walk(loop.body):
            if isinstance(stmt, Let) and not stmt.mutable:
                self.names[stmt.var] = change.name(stmt.var["name"], stmt.var.dtype)
        own = [
            s.var
            for k, s in enumerate(loop.body)
            if isinstance(s, Let) and (s.mutable or is_kept(s.var, loop.body[k:]))
        ]
        self.homes = {var: change.scratch("lanes", var.dtype, (ROWS,)) for var in own}
        self.scratch: dict[str, str] = {}
        for name in found.rows:
            buffer = change.program.buffers[name]
            self.scratch[name] = change.scratch("lanes", buffer.dtype, (*buffer.shape, ROWS))
        for node in (n for s in walk(loop.body) for n in loads(s)):
            if (name := change.program.storage(node["buffer"])) in self.scratch:
                self.names[node] = load(self.scratch[name], node.dtype, (*node.args, loop.index))
        self.columns = self.read_again()

    def read_again(self) -> dict[Node, str]:
        """What several of the loops in a row read across the rows: scratch in which the first one leaves it for the
        others, column by column."""
        program, loop = self.change.program, self.whole
        written = {program.storage(name) for name in written_buffers(loop.body)}
        found: dict[Node, list[For]] = {}
        for inner in (s for s in loop.body if isinstance(s, For)):
            for node in dict.fromkeys(n for s in inner.body for n in loads(s)):
                parts = topological(node.args)
                across = {loop.index, inner.index} <= set(parts) and node.args[-1] is not loop.index
                plain = not any(n.op in (LOAD, TEMP) for n in parts)
                if across and plain and program.storage(node["buffer"]) not in written:
                    found.setdefault(node, []).append(inner)
        return {
            node: self.change.scratch("lanes", node.dtype, (inner[0].extent, ROWS))
            for node, inner in found.items()
            if len(inner) > 1 and all(same(one.extent, inner[0].extent) for one in inner)
        }

    def parts(self) -> list[Stmt]:
        """Loops over the rows: one for what stands between loops of a row, and one inside of each of these."""
        result: list[Stmt] = []
        run: list[Stmt] = []
        for stmt in (*self.whole.body, None):
            if isinstance(stmt, (Let, Set, Store)):
                run.append(stmt)
                continue
            if run:
                result.append(self.each(run))
                self.names |= {s.var: self.home(s.var) for s in run if isinstance(s, Let) and s.var in self.homes}
                run = []
            if isinstance(stmt, For):
                result.append(self.turned(stmt))
            elif stmt is not None:  # a check keeps a loop from filling vectors
                result.append(self.each([stmt]))
        return result

    def home(self, var: Node) -> Node:
        """The value that a row has for a name, in later parts."""
        return load(self.homes[var], var.dtype, (self.whole.index,))

    def each(self, body: Sequence[Stmt]) -> For:
        """A loop over the rows."""
        return For(
            self.whole.index, self.rows, tuple(s for stmt in body for s in self.of_a_row(stmt)), whole=self.whole.extent
        )

    def turned(self, inner: For) -> For:
        """A loop of a row with the loop over the rows inside of it. What rows add to one element is kept for each of
        them, and then added up: sums beside other stores take long to compile."""
        program, row = self.change.program, self.whole.index
        given = {s.var for s in walk(self.whole.body) if isinstance(s, Let)} | {row}
        first = [n for n in self.columns if n not in self.names and any(n in s.nodes for s in inner.body)]
        kept_columns: list[Stmt] = []
        for node in first:
            (value,), name = substitute([node], self.names), self.change.name("column", node.dtype)
            kept_columns += [Let(name, value), Store(self.columns[node], (inner.index, row), name)]
            self.names[node] = name
        body: list[Stmt] = []
        added: list[Stmt] = []
        for stmt in inner.body:
            if isinstance(stmt, Store) and stmt.combine and given.isdisjoint(topological(stmt.index)):
                dtype = program.buffers[stmt.buffer].dtype
                total, kept = self.change.name("total", dtype), self.change.scratch("lanes", dtype, (ROWS,))
                add = For(
                    row, self.rows, (Set(total, load(kept, dtype, (row,)), stmt.combine),), whole=self.whole.extent
                )
                added += [Let(total, neutral(stmt.combine, dtype), True), add, replace(stmt, value=total)]
                self.scratch[kept] = kept  # so that its index becomes the row in the strip
                stmt = Store(kept, (), stmt.value)
            body.append(stmt)
        turned = self.each(body)
        for node in first:
            self.names[node] = load(self.columns[node], node.dtype, (inner.index, row))
        return replace(inner, body=(replace(turned, body=(*kept_columns, *turned.body)), *added))

    def of_a_row(self, stmt: Stmt) -> list[Stmt]:
        """A statement for one of the rows."""
        row = (self.whole.index,)
        (changed,) = moved([stmt], self.names)
        if isinstance(stmt, Let) and stmt.mutable:
            self.names[stmt.var] = self.home(stmt.var)
            return [Store(self.homes[stmt.var], row, substitute([stmt.value], self.names)[0])]
        if isinstance(stmt, Let) and stmt.var in self.homes:
            return [changed, Store(self.homes[stmt.var], row, self.names[stmt.var])]
        if isinstance(stmt, Set) and stmt.var in self.homes:
            return [Store(self.homes[stmt.var], row, substitute([stmt.value], self.names)[0], stmt.combine)]
        if isinstance(stmt, Store) and isinstance(changed, Store):
            name = self.change.program.storage(stmt.buffer)
            if name in self.scratch:
                return [replace(changed, buffer=self.scratch[name], index=(*changed.index, *row))]
        return [changed]
