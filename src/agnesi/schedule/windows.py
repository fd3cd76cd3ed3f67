"""Loops over the elements of windows leave the loop over the windows, so that this one fills vectors.

In `for i: for j: s[i] += x[2 * i + j]` the inner loop fills no vector, and what it reads lies next to what the next
iteration of the outer one reads. Where windows are small their loops are written out:
`for i: s[i] += x[2 * i]; s[i] += x[2 * i + 1]`. Loops that add to places which windows have in common change places
with the one around them: `for j: for i: y[i + j] += g[i]`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, load, make, substitute, temp, topological
from agnesi.ir.op import OPS
from agnesi.loops.parallel import apart_from_others
from agnesi.loops.stmt import (
    Buffer,
    For,
    Let,
    Program,
    Set,
    Stmt,
    Store,
    loads,
    neutral,
    read_buffers,
    walk,
    written_buffers,
)
from agnesi.loops.tidy import moved
from agnesi.schedule.strips import has_functions

MOST = 16  # elements of a window that are written out
STATEMENTS = 200  # that a loop may have then


def turn(program: Program) -> Program:
    """Has nests go through windows side by side."""
    for nest in program.nests:
        nest.body = block(nest.body, program)
    return program


def block(body: Sequence[Stmt], program: Program) -> list[Stmt]:
    """A block with the loops over windows in it changed."""
    return [new for s in body for new in (changed(s, program) if isinstance(s, For) else [s])]


def changed(loop: For, program: Program) -> list[Stmt]:
    """What takes the place of a loop: if it is over windows, loops without those over their elements."""
    inner = [s for s in loop.body if isinstance(s, For)]
    if loop.kind == "seq" and any(is_of_windows(s, loop.index) for s in inner):
        adding = [s for s in inner if only_adds(s, loop, program)]
        first = [s for s in loop.body if not any(s is f for f in adding)]
        if all(is_small(s) for s in first if isinstance(s, For)):
            plain, now = straight(written_out(first))
            if len(plain) <= STATEMENTS:
                return apart(loop, plain, [s for f in adding for s in moved([f], now)], program)
    return [loop.around(block(loop.body, program))]


def written_out(body: Sequence[Stmt]) -> list[Stmt]:
    """A block with its loops written out."""
    return [s for stmt in body for s in (unrolled(stmt) if isinstance(stmt, For) else [stmt])]


def apart(loop: For, plain: list[Stmt], adding: list[Stmt], program: Program) -> list[Stmt]:
    """The loop, and after it the loops in it that add to places in common, with the loop inside of them. What these
    need of it stays in scratch."""
    given = {s.var for s in plain if isinstance(s, Let)}
    needed = [n for n in dict.fromkeys(n for s in walk(adding) for n in s.nodes) if n in given]
    homes: dict[Node, str] = {}
    for name in needed:
        homes[name] = f"windows{len(program.buffers)}"
        program.buffers[homes[name]] = Buffer(homes[name], name.dtype, (loop.extent,), "row")
    kept: list[Stmt] = [Store(home, (loop.index,), name) for name, home in homes.items()]
    result: list[Stmt] = [loop.around([*plain, *kept])] if plain else []
    number = 0
    for inner in adding:
        assert isinstance(inner, For)
        *nest, last = perfect(inner)
        counters = [s.index for s in nest]
        turned = dict(zip([*counters, loop.index], [loop.index, *counters], strict=True))
        row = turned[loop.index] = counters[-1] if counters else loop.index
        body: list[Stmt] = []
        for part in parts(last, step_of(last, loop.index)):
            number += 1
            names = {n: temp(f"{n['name']}r{number}", n.dtype) for n in needed}
            lets = [Let(new, load(homes[n], n.dtype, (row,))) for n, new in names.items()]
            body.append(For(row, loop.extent, (*lets, *moved(part, names | turned))))
        for outer in reversed(nest):
            body = [For(turned[outer.index], outer.extent, tuple(body))]
        result += body
    return result


def perfect(loop: For) -> list[For]:
    """A loop and those in it of which each is all that the one around has."""
    nest = [loop]
    while len(nest[-1].body) == 1 and isinstance(inner := nest[-1].body[0], For):
        nest.append(inner)
    return nest


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
    if not all(isinstance(s.extent, int) for s in nest):
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
