"""What kind of loop each one is: sequential or simd, and whether threads share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeGuard

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES
from agnesi.ir.node import CONST, Node, dim_node, substitute, topological
from agnesi.ir.type import Dim
from agnesi.loops.parallel import Sharing, adds_rows, apart, apart_from_others, fills_memory, sharing, work_of
from agnesi.loops.stmt import (
    Break,
    Buffer,
    Call,
    Check,
    For,
    Let,
    Moments,
    Program,
    Set,
    Stmt,
    Store,
    computed,
    cost,
    is_known,
    loads,
    moments,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip

Decision = Callable[[For, list[Stmt], Program, Moments], tuple[For, str]]
LITTLE = 20_000  # work, in additions, of loops of known sizes that are too short for threads
ROWS = 8  # that are added to one vector at a time
DEAR = 8  # the cost, in additions, of operations that take longer than what is read and written
LIGHT_COST = 10  # scalar work, in additions, of an element of a row; more takes longer than what is read and written


def mark(program: Program, decide: Decision | None = None) -> Program:
    """Marks the innermost loops that leave neither by an error nor by a call as simd, and outermost ones as shared.

    decide: whether and how an outermost loop is; `share` for threads of the processor, `grid` for a device.
    """
    when = moments(program)
    for nest in program.nests:
        nest.body = [mark_loop(s, program) if isinstance(s, For) else s for s in nest.body]
        for place, stmt in enumerate(nest.body):
            if isinstance(stmt, For):
                others: list[Stmt] = [s for s in nest.body if s is not stmt]
                nest.body[place], reason = (decide or share)(stmt, others, program, when)
                nest.threads.append(reason)
    return program


def join_rows(program: Program) -> None:
    """Marks the loops whose iterations are done several at a time, since they add to the same elements."""
    for nest in program.nests:
        nest.body = [joined_rows(s, program) if isinstance(s, For) else s for s in nest.body]


def joined_rows(loop: For, program: Program) -> For:
    """The loop with its mark and those of the loops inside. Short rows are not joined: they are together already."""
    light = all(sum(map(cost, s.body)) <= LIGHT_COST for s in loop.body if isinstance(s, For))
    short = any(isinstance(s, For) and s.whole is not None for s in loop.body)
    if light and not short and adds_rows(loop, program):
        return replace(loop, rows=ROWS)
    return loop.around(joined_rows(s, program) if isinstance(s, For) else s for s in loop.body)


def stream(program: Program) -> None:
    """Marks the loops whose stores go past the caches where they are large: the cache line that a store fills is not
    read from memory before. They are loops that wait for memory, and nothing in their nest reads what they write."""
    for nest in program.nests:
        read = {program.storage(name) for name in read_buffers(nest.body)}
        moving = {s.var for s in walk(nest.body) if isinstance(s, Let)}
        nest.body = [streamed(s, 1, read, moving, program) if isinstance(s, For) else s for s in nest.body]


def streamed(loop: For, times: Dim, read: set[str], moving: set[Node], program: Program) -> For:
    """The loop with its mark and those of the loops inside. times: how often it runs; read: buffers that the nest
    reads; moving: names that are given in it."""
    size = loop.extent if loop.whole == 0 else loop.iterations
    if not is_known(size, moving):
        return loop
    times = 1 if loop.kind == "steps" else dims.mul(times, size)
    if any(isinstance(s, For) for s in loop.body):
        return loop.around(streamed(s, times, read, moving, program) if isinstance(s, For) else s for s in loop.body)
    if not fills_memory(loop, program) or read & {program.storage(name) for name in written_buffers(loop.body)}:
        return loop
    sizes = [SIZES[program.buffers[s.buffer].dtype] for s in loop.body if isinstance(s, Store)]
    traffic = sum(sizes) + sum(SIZES[n.dtype] for s in loop.body for n in loads(s))
    ops = [n.op.cost for s in loop.body if isinstance(s, (Let, Store)) for n in computed(s.value)]
    waits = sum(ops) <= traffic and max(ops) < DEAR
    written = dims.mul(times, sum(sizes))
    return (
        replace(loop, streaming=min(written, dims.LARGEST) if isinstance(written, int) else written) if waits else loop
    )


def mark_loop(loop: For, program: Program, given: dict[Node, Node] | None = None) -> For:
    """The loop with its kind and those of the loops inside. given: the values of scalars from outside of it."""
    given = given or {}
    if loop.kind == "once" or any(isinstance(s, For) for s in loop.body):
        given = given | {s.var: substitute([s.value], given)[0] for s in loop.body if fixed(s)}
        return loop.around(mark_loop(s, program, given) if isinstance(s, For) else s for s in loop.body)
    plain = not any(isinstance(s, (Break, Check, Call)) for s in loop.body)
    return replace(loop, kind="simd") if plain and independent(loop, given, program) else loop


def fixed(stmt: Stmt) -> TypeGuard[Let]:
    """Whether a statement names an integer for good, as those of which places are made."""
    return isinstance(stmt, Let) and not stmt.mutable and stmt.var.dtype == "int64"


def independent(loop: For, given: dict[Node, Node], program: Program) -> bool:
    """Whether what one iteration stores or sets is neither read nor added to by another one."""
    if any(isinstance(s, Set) and not s.combine for s in loop.body):
        return False
    stores = [s for s in loop.body if isinstance(s, Store)]
    read = [(n["buffer"], n.args) for s in loop.body for n in loads(s)]
    names = {s.var for s in loop.body if isinstance(s, Let)}
    for store in stores:
        places = list(dict.fromkeys(s.index for s in stores if s.buffer == store.buffer))
        if store.combine or len(places) > 1:
            if not apart_from_others(places, program.buffers[store.buffer], loop.index, names, innermost=True):
                return False
        others = [place for name, place in read if name == store.buffer and place != store.index]
        if not all(apart(place, store.index, loop, given) for place in others):
            return False
    return True


# -- threads ----------------------------------------------------------------------------------------------


def share(loop: For, others: list[Stmt], program: Program, when: Moments) -> tuple[For, str]:
    """An outermost loop, or the loops in one side of a branch, shared among threads if they can be; and how, or why
    not. others: what else is in the nest."""
    if loop.kind == "once":
        body, reasons = list(loop.body), []
        for place, stmt in enumerate(loop.body):
            if isinstance(stmt, For):
                around = [*others, *(s for s in body if s is not stmt)]
                body[place], reason = share(stmt, around, program, when)
                reasons.append(reason)
        return loop.around(body), f"a side of a branch: {'; '.join(reasons) or 'no loops'}"
    if all(isinstance(s, For) or isinstance(s, Store) and s.value.op is CONST for s in walk([loop])):
        return loop, "not shared: it only fills memory"
    found = sharing(loop, program)
    if isinstance(found, str):
        inside = share_inside(loop, others, program)
        how = "; the loops in it are, where they are long" if inside is not loop else ""
        return inside, f"not shared: {found}{how}"
    amount = work_of(loop, program)
    whole = dims.mul(loop.extent, amount)
    if isinstance(whole, int) and whole < LITTLE:
        return loop, "not shared: too short"
    if reason := obstacle(loop, others, found, program, when):
        return loop, f"not shared: {reason}"
    joined = [*(["accumulators"] if found.totals else []), *found.added]
    how = f"shared, with {' and '.join(joined)} of each part joined afterwards" if joined else "shared"
    return in_parts(loop, found, program), how


def share_inside(loop: For, others: list[Stmt], program: Program) -> For:
    """A loop of steps with the loops in it shared that can be, where their sizes are known before the nest.

    others: what else is in the nest.
    """
    if loop.kind != "steps":
        return loop
    changing = {s.var for s in walk([loop, *others]) if isinstance(s, Let)}
    changing |= {s.index for s in walk([loop]) if isinstance(s, For)}
    body: list[Stmt] = []
    for stmt in loop.body:
        if isinstance(stmt, For) and stmt.kind in ("seq", "simd"):
            around = [*others, *(s for s in loop.body if s is not stmt)]
            stmt = shared_in_steps(stmt, around, changing, program)
        body.append(stmt)
    return loop.around(body)


def shared_in_steps(loop: For, around: list[Stmt], changing: set[Node], program: Program) -> For:
    """A loop in a loop of steps, shared if it can be and is not short. changing: names that are given in the nest."""
    found = sharing(loop, program)
    if isinstance(found, str) or found.added:
        return loop
    amount = work_of(loop, program)
    whole = dims.mul(loop.extent, amount)
    short = isinstance(whole, int) and whole < LITTLE
    used = {program.storage(n) for n in read_buffers(around) | written_buffers(around)}
    fixed = changing.isdisjoint(topological([dim_node(loop.extent), dim_node(amount)]))
    return in_parts(loop, found, program) if fixed and not short and used.isdisjoint(found.rows) else loop


def obstacle(loop: For, others: list[Stmt], found: Sharing, program: Program, when: Moments) -> str:
    """Why a loop cannot be shared because of what is around it, if so."""
    if set(found.rows) & {program.storage(n) for n in read_buffers(others) | written_buffers(others)}:
        return "another loop uses its scratch"
    if found.added and not all(known_at_entry(d, when, program) for d in sizes_for(found, loop, program)):
        return "sizes are known only later"
    return ""


def in_parts(loop: For, found: Sharing, program: Program) -> For:
    """A loop that is shared, with a copy for each part of what iterations add to."""
    copies = tuple((name, copies_of(name, program)) for name in found.added)
    return replace(quiet(loop), work=work_of(loop, program), copies=copies)


def grid(loop: For, others: list[Stmt], program: Program, when: Moments) -> tuple[For, str]:
    """An outermost loop, marked where a grid of a device can carry it out; and how, or why not."""
    found = "it is a side of a branch" if loop.kind == "once" else sharing(loop, program)
    if isinstance(found, str):
        return loop, f"one block: {found}"
    chosen, how = loop, "a grid"
    if found.added:
        how = f"a grid, with {' and '.join(found.added)} of each block joined afterwards"
        turned = turn(loop)
        other = sharing(turned, program) if turned is not None else ""
        if turned is not None and isinstance(other, Sharing) and not other.added:
            chosen, found, how = turned, other, "a grid, its loops turned"
    if reason := obstacle(chosen, others, found, program, when):
        return loop, f"one block: {reason}"
    return in_parts(chosen, found, program), how


def turn(loop: For) -> For | None:
    """Two loops of which one is all that the other has in it, the inner one outside: what rows add to columns, each
    column adds up."""
    (inner, *others) = loop.body
    if others or not isinstance(inner, For) or loop.kind == "once" or inner.kind == "once":
        return None
    if isinstance(inner.extent, Node) and loop.index in topological([inner.extent]):
        return None
    return replace(inner, body=(replace(loop, body=inner.body, kind="seq"),), kind="seq")


def quiet(loop: For) -> For:
    """The loop without steps that ask whether they are to end: that is for the thread of the call."""
    body = tuple(quiet(s) if isinstance(s, For) else s for s in loop.body)
    return replace(loop, body=body, kind="seq" if loop.kind == "steps" else loop.kind)


def copies_of(name: str, program: Program) -> str:
    """A new buffer for copies of another one."""
    buffer = program.buffers[name]
    made = f"copies{len(program.buffers)}"
    program.buffers[made] = Buffer(made, buffer.dtype, buffer.shape, "copies")
    return made


def sizes_for(found: Sharing, loop: For, program: Program) -> list[Dim]:
    """The sizes on which it depends how many copies there are, and how large they are."""
    return [loop.extent, work_of(loop, program), *(d for name in found.added for d in program.buffers[name].shape)]


def known_at_entry(size: Dim, when: Moments, program: Program) -> bool:
    """Whether a size does not wait for values that loops compute."""
    late = {s.var for s, at in zip(program.sizes, when.sizes, strict=True) if at and not isinstance(s, Check)}
    return not isinstance(size, Node) or not late.intersection(topological([size]))
