"""Which regions of memory the products in a loop fill: whether each iteration has its own."""

from __future__ import annotations

from dataclasses import dataclass, field

from agnesi.ir import dims
from agnesi.ir.node import CONST, TEMP, Node, as_dim, dim_node, substitute, topological, value_of
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import Call, For, Let, Program, Store, View, loads, walk
from agnesi.ops import elementwise as ew
from agnesi.ops.functions import divisor


@dataclass
class Regions:
    """What products in a loop write: scratch that each iteration fills before it reads it, and results to which all
    iterations add."""

    scratch: set[str] = field(default_factory=set)
    added: set[str] = field(default_factory=set)


def regions(loop: For, program: Program) -> Regions | str:
    """What the library calls in a loop write, or why its iterations depend on each other. They do not if each product
    fills a part of memory that is its iteration's own, scratch, or adds to a result, and nothing else touches that."""
    calls = calls_in(loop)
    if any(call.name != "gemm" for call, _ in calls):
        return "it calls a library routine"
    own = {s.var for s in walk(loop.body) if isinstance(s, Let)}
    found = Regions(scratch_of(loop, program))
    loaded = {program.storage(n["buffer"]) for s in walk(loop.body) for n in loads(s)}
    stored = {program.storage(s.buffer) for s in walk(loop.body) if isinstance(s, Store)}
    read = {program.storage(view.buffer) for call, _ in calls for view in call.reads}
    filled = [name for call, _ in calls if (name := program.storage(call.writes.buffer)) not in found.scratch]
    met = (read | loaded | stored).intersection(filled) | (read & stored) - found.scratch
    if met or len(set(filled)) < len(filled):
        return "its products depend on each other"
    for call, around in calls:
        name = program.storage(call.writes.buffer)
        if name in found.scratch or has_own_region(in_blocks(call.writes, program), around, own):
            continue
        if not is_number(call.scalars[1], 1) or not stays(call.writes.offset, loop, own):
            return "its products may fill the same memory"
        found.added.add(name)
    return found


def is_number(node: Node, number: int) -> bool:
    """Whether a scalar is this constant."""
    return node.op is CONST and value_of(node) == number


def stays(offset: Node, loop: For, own: set[Node]) -> bool:
    """Whether a place is the same in all iterations of a loop. own: names that change meanwhile."""
    return own.union((loop.index,)).isdisjoint(topological([offset]))


def scratch_of(loop: For, program: Program) -> set[str]:
    """The rows of scratch that calls use, and that each iteration of a loop fills first, wherever it is."""
    own = {s.var for s in walk(loop.body) if isinstance(s, Let)}
    used: dict[str, bool] = {}  # whether it has been so up to here
    for stmt in walk(loop.body):
        places = [(n["buffer"], n.args, False) for n in loads(stmt)]
        if isinstance(stmt, Store):
            places.append((stmt.buffer, stmt.index, not stmt.combine))
        if isinstance(stmt, Call):
            places += [(v.buffer, (v.offset,), False) for v in stmt.reads]
            places.append((stmt.writes.buffer, (stmt.writes.offset,), is_number(stmt.scalars[1], 0)))
        for buffer, where, fills in places:
            fixed = all(stays(i, loop, own) for i in where)
            used[program.storage(buffer)] = used.get(program.storage(buffer), fills) and fixed
    called = {program.storage(v.buffer) for call, _ in calls_in(loop) for v in (*call.reads, call.writes)}
    return {name for name, good in used.items() if good and name in called and program.buffers[name].space == "row"}


def calls_in(loop: For) -> list[tuple[Call, list[For]]]:
    """The calls in a loop, each with the loops around it, the innermost first and this one last."""
    found: list[tuple[Call, list[For]]] = []
    stack: list[tuple[For, list[For]]] = [(loop, [loop])]
    while stack:
        outer, around = stack.pop()
        for stmt in outer.body:
            if isinstance(stmt, Call):
                found.append((stmt, around))
            elif isinstance(stmt, For):
                stack.append((stmt, [stmt, *around]))
    return found


def has_own_region(view: View, around: list[For], own: set[Node]) -> bool:
    """Whether a matrix is apart from itself in all iterations of the last of these loops: they and its rows have an
    order in which each moves by a multiple of what those before cover. own: names that change meanwhile."""
    rows, covered = view.sizes
    left: list[tuple[Dim, Dim]] = [] if same(rows, 1) else [(view.strides[0], rows)]
    for loop in around:
        step = moved_by(view.offset, loop.index, own)
        if step is None or (loop is around[-1] and same(step, 0)):
            return False
        if not same(step, 0):
            left.append((step, loop.extent))
    while left:
        least = next((one for one in left if all(is_multiple(step, one[0]) for step, _ in left)), None)
        if least is None or not is_multiple(least[0], covered):
            return False
        left.remove(least)
        covered = dims.mul(least[1], least[0])
    return True


def in_blocks(view: View, program: Program) -> View:
    """The view in terms of blocks, where a size is so many of them: n is n // d * d for a divisor d."""
    given = {s.var: s.value for s in program.sizes if isinstance(s, Let)}
    parts = set(topological([view.offset]))
    whole: dict[Node, Node] = {}
    for count, value in given.items():
        if value.op is ew.floordiv and (block := value.args[1]) in parts and block in given:
            if given[block].op is divisor and given[block].args[0] is value.args[0]:
                whole[value.args[0]] = block * count
    offset, *sizes = substitute([view.offset, *map(dim_node, (*view.sizes, *view.strides))], whole)
    shape = tuple(map(as_dim, sizes))
    return View(view.buffer, offset, shape[: len(view.sizes)], shape[len(view.sizes) :]) if whole else view


def moved_by(offset: Node, counter: Node, own: set[Node]) -> Dim | None:
    """By how much an offset grows from one iteration of a loop to the next; None if that changes or cannot be told."""
    terms, _ = dims.linear(offset)
    total: Dim = 0
    for term, factor in terms.items():
        parts = topological([term])
        if own.intersection(n for n in parts if n.op is TEMP):
            return None
        if counter not in parts:
            continue
        number, powers = dims.factors([term])
        others = dict(powers)
        if others.pop(counter, 0) != 1 or any(counter in topological([n]) for n in others):
            return None
        step = dims.product([number * factor, *(as_dim(n) for n, power in others.items() for _ in range(power))])
        total = dims.add(total, step)
    return total


def is_multiple(a: Dim, b: Dim) -> bool:
    """Whether each factor of b is one of a."""
    (first, powers), (second, others) = dims.factors([a]), dims.factors([b])
    found = dict(powers)
    return second != 0 and first % second == 0 and all(found.get(n, 0) >= power for n, power in others)
