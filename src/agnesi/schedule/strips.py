"""Rows in strips: elementary functions that stand between the inner loops of a row are computed for many rows at once.

A loop such as `for i: {s = sum over j; t = exp(s); for j: ... t ...}` calls exp for one number at a time. In strips,
the first part of the body is done for some rows, then the second, then the third; what a part leaves to a later one is
kept in arrays as long as a strip. The middle part has no inner loop any more, so it runs in the lanes of vectors. A
strip is short enough that what its rows read stays in the cache for the last part.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from agnesi.ir.node import CONST, TEMP, Node, dim_node, index, load, temp
from agnesi.ir.type import Dim
from agnesi.loops.stmt import (
    Break,
    Buffer,
    Call,
    Check,
    For,
    Let,
    Nest,
    Program,
    Set,
    Space,
    Stmt,
    Store,
    is_known,
    loads,
    walk,
)  # fmt: skip
from agnesi.loops.tidy import moved
from agnesi.ops import elementwise as ew
from agnesi.schedule.place import ELEMENTARY

ROWS = 256  # rows of a strip at most
ELEMENTS = 16384  # elements of an inner loop, in all rows of a strip: what the second cache holds


@dataclass
class Part:
    """Statements of a loop's body that stay together; functions: whether they are elementary functions and no loops."""

    body: list[Stmt]
    functions: bool

    def names(self) -> list[Node]:
        """The names that its own statements give."""
        return [s.var for s in self.body if isinstance(s, Let)]

    def mentioned(self) -> set[Node]:
        """The names in its statements, and in those of its loops."""
        return {n for s in walk(self.body) for n in s.nodes if n.op is TEMP}


def split(program: Program) -> Program:
    """Puts loops over rows into strips where elementary functions gain from it."""
    for nest in program.nests:
        if any(has_functions(s) for s in walk(nest.body)):
            nest.body = Strips(program, nest).block(nest.body)
    return program


def has_functions(stmt: Stmt) -> bool:
    """Whether a statement computes an elementary function."""
    return any(n.op.cost >= ELEMENTARY for n in stmt.nodes)


def parts_of(body: Sequence[Stmt]) -> list[Part]:
    """A body cut where statements with elementary functions begin and end; accumulators move to their loops."""
    starts = {s.var: s for s in body if isinstance(s, Let) and s.mutable and s.value.op is CONST}
    runs: list[Part] = []
    for stmt in body:
        if isinstance(stmt, Let) and stmt.var in starts:
            continue
        plain = not isinstance(stmt, (For, Check, Call)) and not (isinstance(stmt, Let) and stmt.mutable)
        if not runs or runs[-1].functions != plain:
            runs.append(Part([], plain))
        if isinstance(stmt, For):
            changed = dict.fromkeys(s.var for s in walk([stmt]) if isinstance(s, Set))
            runs[-1].body += [starts.pop(var) for var in changed if var in starts]
        runs[-1].body.append(stmt)
    parts: list[Part] = []
    for run in runs:
        run.functions = run.functions and any(map(has_functions, run.body))
        if parts and not parts[-1].functions and not run.functions:
            parts[-1].body += run.body
        else:
            parts.append(run)
    return [] if starts else parts


@dataclass
class Change(ABC):
    """One nest on its way: how many names were made for it, and those that its statements give."""

    program: Program
    nest: Nest
    count: int = 0
    given: set[Node] = field(init=False)
    mark = ""  # in names: of which change they are

    def __post_init__(self) -> None:
        self.given = {s.var for s in walk(self.nest.body) if isinstance(s, Let)}

    def block(self, body: Sequence[Stmt]) -> list[Stmt]:
        """A block with the outermost loops in it changed that can be."""
        result: list[Stmt] = []
        for stmt in body:
            if not isinstance(stmt, For):
                result.append(stmt)
            elif made := self.instead(stmt):
                result += made
            else:
                result.append(stmt.around(self.block(stmt.body)))
        return result

    @abstractmethod
    def instead(self, loop: For) -> list[Stmt]:
        """The loops that take the place of a loop; none where it stays, and those inside are looked at."""

    def name(self, text: str, dtype: str = "int64") -> Node:
        """A new name for an index or a value."""
        self.count += 1
        return temp(f"{text}_{self.nest.name}_{self.mark}{self.count}", dtype)

    def counter(self) -> Node:
        """The index of another loop in the nest."""
        return index(1 + max(s.index["level"] for s in walk(self.nest.body) if isinstance(s, For)))

    def known(self, size: Dim) -> bool:
        """Whether a size is known at entry."""
        return is_known(size, self.given)

    def size(self, text: str, value: Node) -> Node:
        """A name for a size, given at entry, so that threads can share the strips."""
        name = self.name(text)
        self.program.sizes.append(Let(name, value))
        return name

    def scratch(self, name: str, dtype: str, shape: tuple[Dim, ...]) -> str:
        """Memory of which every thread has its own."""
        return self.memory(name, dtype, shape, "row")

    def memory(self, name: str, dtype: str, shape: tuple[Dim, ...], space: Space) -> str:
        """A new buffer, with a slot of its own."""
        name = f"{name}{len(self.program.buffers)}"
        self.program.buffers[name] = Buffer(name, dtype, shape, space)
        self.program.slots[name] = max(self.program.slots.values(), default=-1) + 1
        return name


@dataclass
class Strips(Change):
    """Puts loops of a nest into strips."""

    def instead(self, loop: For) -> list[Stmt]:
        """A loop in strips, where that pays."""
        inner = [s for s in loop.body if isinstance(s, For)]
        if not inner or any(isinstance(s, For) for one in inner for s in one.body):
            return []
        parts = parts_of(loop.body)
        return [self.strips(loop, parts, longest(inner))] if len(parts) > 1 and self.separable(loop, parts) else []

    def separable(self, loop: For, parts: list[Part]) -> bool:
        """Whether the parts may run one after another for many rows: they share elements of their own row only."""
        body = loop.body
        extents = [s.extent for s in walk([loop]) if isinstance(s, For)]
        if any(isinstance(s, (Break, Call)) for s in walk(body)) or not all(map(self.known, extents)):
            return False
        own = {s.var for s in walk(body) if isinstance(s, Let)}
        changed = [{s.var for s in walk(part.body) if isinstance(s, Set)} for part in parts]
        for part, names in zip(parts, changed, strict=True):
            given = {s.var for s in walk(part.body) if isinstance(s, Let)}
            if (names & own) - given:
                return False
            if any((other - own) & part.mentioned() for other in changed):
                return False
        found: dict[str, list[tuple[int, tuple[Node, ...], bool]]] = {}
        for number, part in enumerate(parts):
            for stmt in walk(part.body):
                for n in loads(stmt):
                    found.setdefault(self.program.storage(n["buffer"]), []).append((number, n.args, False))
                if isinstance(stmt, Store):
                    found.setdefault(self.program.storage(stmt.buffer), []).append((number, stmt.index, True))
        return all(is_private(accesses, loop.index) for accesses in found.values())

    def strips(self, loop: For, parts: list[Part], extent: Node) -> For:
        """The loop over strips, and in it one loop over the rows of a strip for each part."""
        fitting, strip, count, start, rows = map(self.name, ("fitting", "strip", "count", "start", "rows"))
        outer, row, n = self.counter(), loop.index, dim_node(loop.extent)
        self.program.sizes += [  # known at entry, so that threads can share the strips
            Let(fitting, ew.floordiv(dim_node(ELEMENTS), ew.maximum(extent, dim_node(1)))),
            Let(strip, ew.minimum(dim_node(ROWS), ew.maximum(fitting, dim_node(1)))),
            Let(count, ew.floordiv(n + strip - 1, strip)),
        ]
        body: list[Stmt] = [Let(start, outer * strip), Let(rows, ew.minimum(strip, n - start))]
        kept: dict[Node, str] = {}
        for number, part in enumerate(parts):
            mentioned = part.mentioned()
            names: dict[Node, Node] = {row: start + row}
            before: list[Stmt] = []
            for name in [name for name in kept if name in mentioned]:
                names[name] = self.name(name["name"], name.dtype)
                before.append(Let(names[name], load(kept[name], name.dtype, (row,))))
            inside = moved(part.body, names)
            later = set().union(*(p.mentioned() for p in parts[number + 1 :]))
            fresh = {name: self.scratch("strip", name.dtype, (ROWS,)) for name in part.names() if name in later}
            after: list[Stmt] = [Store(buffer, (row,), name) for name, buffer in fresh.items()]
            kept |= fresh
            body.append(For(row, rows, (*before, *inside, *after), loop.kind, whole=loop.extent))
        return For(outer, count, tuple(body), whole=1)


def longest(inner: Sequence[For]) -> Node:
    """The extent of the longest of some loops."""
    first, *others = dict.fromkeys(dim_node(s.extent) for s in inner)
    for extent in others:
        first = ew.maximum(first, extent)
    return first


def is_private(accesses: list[tuple[int, tuple[Node, ...], bool]], row: Node) -> bool:
    """Whether parts that share a buffer, one of them writing, share elements of their own row only."""
    parts = {number for number, _, _ in accesses}
    if len(parts) == 1 or not any(written for _, _, written in accesses):
        return True
    ranks = {len(idx) for _, idx, _ in accesses}
    return len(ranks) == 1 and any(all(idx[k] is row for _, idx, _ in accesses) for k in range(ranks.pop()))
