"""Loops over the elements of windows leave the loop over the windows, so that this one fills vectors.

In `for i: for j: s[i] += x[2 * i + j]` the inner loop fills no vector, and what it reads lies next to what the next
iteration of the outer one reads. Where windows are small their loops are written out:
`for i: s[i] += x[2 * i]; s[i] += x[2 * i + 1]`. Loops that add to places which windows have in common change places
with the one around them: `for j: for i: y[i + j] += g[i]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, load, make, substitute, temp, topological
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim
from agnesi.loops.parallel import apart_from_others
from agnesi.loops.stmt import (
    Buffer,
    For,
    Let,
    Program,
    Set,
    Space,
    Stmt,
    Store,
    loads,
    neutral,
    perfect,
    read_buffers,
    walk,
    written_buffers,
)
from agnesi.loops.tidy import moved
from agnesi.schedule.strips import Change, has_functions

MOST = 16  # elements of a window that are written out
WIDE = 64  # elements of a window whose loops are turned, at most: those of larger ones fill vectors as they are
STATEMENTS = 200  # that a loop may have then


def turn(program: Program) -> Program:
    """Has nests go through windows side by side."""
    for nest in program.nests:
        nest.body = Windows(program, nest).block(nest.body)
    return program


@dataclass
class Windows(Change):
    """Changes loops over windows of a nest."""

    mark = "w"

    def memory(self, name: str, dtype: str, shape: tuple[Dim, ...], space: Space) -> str:
        """A new buffer; slots are given later."""
        name = f"{name}{len(self.program.buffers)}"
        self.program.buffers[name] = Buffer(name, dtype, shape, space)
        return name

    def instead(self, loop: For) -> list[Stmt]:
        """Loops without those over the elements of windows."""
        inner = [s for s in loop.body if isinstance(s, For)]
        if loop.kind != "seq" or not any(is_of_windows(s, loop.index) for s in inner):
            return []
        adding = [s for s in inner if only_adds(s, loop, self.program)]
        first = [s for s in loop.body if not any(s is f for f in adding)]
        if not all(is_small(s) for s in first if isinstance(s, For)):
            return []
        plain, now = straight([s for stmt in first for s in (unrolled(stmt) if isinstance(stmt, For) else [stmt])])
        if len(plain) > STATEMENTS:
            return []
        before, plain, after = self.summed(plain, loop)
        given = {s.var for s in plain if isinstance(s, Let)}
        nests = [nest for f in adding for nest in moved([f], now)]
        needed = [n for n in dict.fromkeys(n for s in walk(nests) for n in s.nodes) if n in given]
        space: Space = "arena" if any(s is loop for s in outermost(self.nest.body)) else "row"
        homes = {name: self.memory("windows", name.dtype, (loop.extent,), space) for name in needed}
        kept: list[Stmt] = [Store(home, (loop.index,), name) for name, home in homes.items()]
        result: list[Stmt] = [*before, loop.around([*plain, *kept]), *after] if plain else []
        for nest in nests:
            assert isinstance(nest, For)
            result += self.turned(perfect(nest), loop, homes)
        return result

    def summed(self, body: list[Stmt], loop: For) -> tuple[list[Stmt], list[Stmt], list[Stmt]]:
        """What is to come before a loop, its body, and what is to come after it, with accumulators in place of elements
        to which all of its iterations add."""
        moving = {loop.index, *(s.var for s in body if isinstance(s, Let))}
        read = {self.program.storage(n["buffer"]) for s in body for n in loads(s)}
        places = [(self.program.storage(s.buffer), s.combine) for s in body if isinstance(s, Store)]
        before: list[Stmt] = []
        inside: list[Stmt] = []
        after: list[Stmt] = []
        for stmt in body:
            if not isinstance(stmt, Store) or not stmt.combine or not moving.isdisjoint(topological(stmt.index)):
                inside.append(stmt)
                continue
            name = self.program.storage(stmt.buffer)
            if name in read or any(other == name and combine != stmt.combine for other, combine in places):
                inside.append(stmt)
                continue
            total = self.name("total", stmt.value.dtype)
            before.append(Let(total, neutral(stmt.combine, total.dtype), True))
            inside.append(Set(total, stmt.value, stmt.combine))
            after.append(Store(stmt.buffer, stmt.index, total, stmt.combine))
        return before, inside, after

    def turned(self, nest: list[For], loop: For, homes: dict[Node, str]) -> list[Stmt]:
        """Loops that add to places in common, with the loop over windows inside of them. What they need of it lies in
        scratch."""
        *outside, last = nest
        counters = [s.index for s in outside]
        places = dict(zip([*counters, loop.index], [loop.index, *counters], strict=True))
        row = places[loop.index] = counters[-1] if counters else loop.index
        body: list[Stmt] = []
        for part in parts(last, step_of(last, loop.index)):
            names = {n: self.name(n["name"], n.dtype) for n in homes}
            lets = [Let(new, load(homes[n], n.dtype, (row,))) for n, new in names.items()]
            body.append(For(row, loop.extent, (*lets, *moved(part, names | places))))
        for outer in reversed(outside):
            body = [For(places[outer.index], outer.extent, tuple(body))]
        return body


def outermost(body: Sequence[Stmt]) -> list[Stmt]:
    """The loops that have no others around them, but for the sides of branches."""
    loops = [s for s in body if isinstance(s, For)]
    return [one for s in loops for one in (outermost(s.body) if s.kind == "once" else [s])]


def step_of(loop: For, counter: Node) -> int:
    """From one window to the next, along the axis in which the last loop over their elements goes."""
    store = loop.body[-1]
    assert isinstance(store, Store)
    terms = [dims.linear(i)[0] for i in store.index]
    return next((abs(t[counter]) for t in terms if t.get(counter) and t.get(loop.index)), 1)


def parts(loop: For, step: int) -> list[list[Stmt]]:
    """The iterations of a loop, written out, so many as are no further apart than windows together."""
    assert isinstance(loop.extent, int)
    whole, count = unrolled(loop), len(loop.body)
    return [whole[k : k + step * count] for k in range(0, len(whole), step * count)]


def only_adds(inner: For, loop: For, program: Program) -> bool:
    """Whether all that the loops over the elements of a window do is to add to places that other windows have too;
    nothing else in the loop over windows touches these."""
    nest = perfect(inner)
    *lets, store = nest[-1].body
    if not isinstance(store, Store) or not store.combine or not all(isinstance(s, Let) and not s.mutable for s in lets):
        return False
    size = dims.product(s.extent for s in nest)
    if not isinstance(size, int) or size > WIDE or loop.index not in topological(store.index):
        return False
    others = [s for s in loop.body if s is not inner]
    touched = {program.storage(n) for n in read_buffers(others) | written_buffers(others)}
    written = {program.storage(n) for n in written_buffers(others)}
    read = {program.storage(n["buffer"]) for s in walk([inner]) for n in loads(s)}
    if program.storage(store.buffer) in touched | read or written & read:
        return False
    places = [s.index for s in unrolled(inner) if isinstance(s, Store)]
    names = {s.var for s in walk(loop.body) if isinstance(s, Let)}
    return not apart_from_others(places, program.buffers[store.buffer], loop.index, names, innermost=True)


def is_small(loop: For) -> bool:
    """Whether a loop, with those in it, has few iterations of plain statements, without elementary functions."""
    inside = walk([loop])
    extents = [s.extent for s in inside if isinstance(s, For)]
    if not all(isinstance(s, (For, Let, Set, Store)) for s in inside) or not all(isinstance(n, int) for n in extents):
        return False
    few = prod(extents) <= MOST
    return few and not any(map(has_functions, inside))


def is_of_windows(loop: For, counter: Node) -> bool:
    """Whether somewhere an index is made of the counter of a loop and of this one around it."""
    counters = [s.index for s in walk([loop]) if isinstance(s, For)]
    for stmt in walk([loop]):
        places = [n.args for n in loads(stmt)] + ([stmt.index] if isinstance(stmt, Store) else [])
        for parts in (topological([i]) for place in places for i in place):
            if counter in parts and any(c in parts for c in counters):
                return True
    return False


def unrolled(loop: For) -> list[Stmt]:
    """The statements of all iterations, one after another, with names of their own."""
    assert isinstance(loop.extent, int)
    body = [s for stmt in loop.body for s in (unrolled(stmt) if isinstance(stmt, For) else [stmt])]
    given = [s.var for s in body if isinstance(s, Let)]
    result: list[Stmt] = []
    for k in range(loop.extent):
        names = {n: temp(f"{n['name']}w{k}", n.dtype) for n in given}
        result += moved(body, names | {loop.index: dim_node(k)})
    return result


def straight(body: Sequence[Stmt]) -> tuple[list[Stmt], dict[Node, Node]]:
    """A block without loops with a name for each value of its accumulators, and the last of these; what goes to one
    from outside is joined first."""
    own = {s.var for s in body if isinstance(s, Let) and s.mutable}
    now: dict[Node, Node] = {}  # the values of accumulators
    combines: dict[Node, str] = {}  # of those from outside
    result: list[Stmt] = []
    for place, stmt in enumerate(body):
        read = {var: value for var, value in now.items() if var in own}
        if isinstance(stmt, Let) and stmt.mutable:
            now[stmt.var] = stmt.value
        elif isinstance(stmt, Set):
            before, (value,) = now.get(stmt.var), substitute([stmt.value], read)
            if before is not None and stmt.combine and not is_neutral(before, stmt.combine):
                value = make(OPS[stmt.combine], (before, value))
            now[stmt.var] = temp(f"{stmt.var['name']}s{place}", value.dtype)
            result.append(Let(now[stmt.var], value))
            combines |= {} if stmt.var in own else {stmt.var: stmt.combine}
        else:
            result += moved([stmt], read)
    joined = [Set(var, now[var], combine) for var, combine in combines.items()]
    return [*result, *joined], {var: value for var, value in now.items() if var in own}


def is_neutral(value: Node, combine: str) -> bool:
    """Whether combining with a value changes nothing; 0 + -0.0 is 0.0."""
    return combine != "add" and value is neutral(combine, value.dtype)
