"""Which regions of memory the products in a loop fill: whether each iteration has its own."""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.node import TEMP, Node, as_dim, topological
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import Call, For, Let, Program, Store, View, loads, walk


def obstacle(loop: For, program: Program) -> str:
    """Why iterations of a loop with library calls depend on each other, empty if they do not: each product fills a part
    of memory that is its iteration's own, and nothing else in the loop touches that memory."""
    calls = calls_in(loop)
    if any(call.name != "gemm" for call, _ in calls):
        return "it calls a library routine"
    own = {s.var for s in walk(loop.body) if isinstance(s, Let)}
    loaded = {program.storage(n["buffer"]) for s in walk(loop.body) for n in loads(s)}
    stored = {program.storage(s.buffer) for s in walk(loop.body) if isinstance(s, Store)}
    read = {program.storage(view.buffer) for call, _ in calls for view in call.reads}
    filled = [program.storage(call.writes.buffer) for call, _ in calls]
    if len(set(filled)) < len(filled) or (read | loaded | stored).intersection(filled) or read & stored:
        return "its products depend on each other"
    if not all(has_own_region(call.writes, around, own) for call, around in calls):
        return "its products may fill the same memory"
    return ""


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
    """Whether a matrix is apart from itself in all iterations of the last of these loops: they have an order in which
    each moves it by a multiple of what it and those before cover. own: names that change meanwhile."""
    rows, columns = view.sizes
    covered = columns if same(rows, 1) else dims.mul(rows, view.strides[0])
    left: list[tuple[Dim, Dim]] = []
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
