"""Which loops threads can share: iterations touch different elements, or add to the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES
from agnesi.ir.node import CONST, INDEX, LOAD, Node, as_dim, dim_node, substitute, topological, value_of
from agnesi.ir.type import Dim, same
from agnesi.loops.regions import regions
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
    Stmt,
    Store,
    cost,
    loads,
    offset,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.ops import elementwise as ew

SCALAR = 4  # how much longer a loop takes that is not vectorised
BYTES = 8  # read or written in the time of an addition
PRODUCTS, CALL = 4, 400  # products of numbers in a matrix product in that time, and additions in the time of a call

Access = tuple[tuple[Node, ...], str]  # index and combining op, "" for a plain store, "load" for a load


@dataclass
class Sharing:
    """What threads need besides their iterations of a loop.

    totals: accumulators from outside with the ops that join what each part of the loop adds up; added: buffers to whose
    elements several iterations add, likewise; rows: scratch of which each thread needs its own.
    """

    totals: dict[Node, str] = field(default_factory=dict)
    added: dict[str, str] = field(default_factory=dict)
    rows: list[str] = field(default_factory=list)


def sharing(loop: For, program: Program) -> Sharing | str:
    """What it takes to share a loop among threads, or why that cannot be."""
    if any(isinstance(s, Break) for s in loop.body):
        return "it may end early"
    found = Sharing()
    if any(isinstance(s, Call) for s in walk(loop.body)):
        called = regions(loop, program)
        if isinstance(called, str):
            return called
        found.rows, found.added = sorted(called.scratch), dict.fromkeys(sorted(called.added), "add")
    given = {s.var for s in walk(loop.body) if isinstance(s, Let)}
    for stmt in walk(loop.body):
        if not isinstance(stmt, Set) or stmt.var in given:
            continue
        if not stmt.combine:
            return "each iteration needs the one before"
        if found.totals.setdefault(stmt.var, stmt.combine) != stmt.combine:
            return f"it joins {stmt.var['name']} in two ways"
    if any(found.totals.keys() & s.nodes for s in walk(loop.body)):
        return "it reads what it adds up"
    accesses = collect(loop, program)
    for name, touched in accesses.items():
        stored = [idx for idx, combine in touched if combine != "load"]
        if not stored or name in found.rows:
            continue
        loaded = [idx for idx, combine in touched if combine == "load"]
        met = stored + [idx for idx in loaded if not all(apart(idx, other, loop, {}) for other in stored)]
        if apart_from_others(met, program.buffers[name], loop.index, given):
            continue
        combines = {combine for _, combine in touched}
        everywhere = not any(loop.index in topological(idx) for idx, _ in touched)
        filled_first = touched[0][1] == ""
        if program.buffers[name].space == "row" and everywhere and filled_first:
            found.rows.append(name)
        elif len(combines) == 1 and combines.isdisjoint({"", "load"}):
            found.added[name] = combines.pop()
        else:
            return f"iterations depend on what others store to {name}"
    return found


def adds_rows(loop: For, program: Program) -> bool:
    """Whether all that iterations of a loop do is to add to elements that are the same in each of them, in one inner
    loop over these, and from memory that they do not write."""
    *lets, inner = loop.body
    if not isinstance(inner, For) or inner.kind != "simd" or not all(map(is_fixed, lets)):
        return False
    stores = [s for s in inner.body if isinstance(s, Store)]
    given = {loop.index, *(s.var for s in walk(loop.body) if isinstance(s, Let))}
    if not stores or not all(s.combine if isinstance(s, Store) else is_fixed(s) for s in inner.body):
        return False
    places = [i for s in stores for i in s.index] + [dim_node(inner.extent)]
    if given.intersection(topological(places)):
        return False
    read = {program.storage(n["buffer"]) for s in walk(loop.body) for n in loads(s)}
    written = [program.storage(s.buffer) for s in stores]
    return not read.intersection(written) and len(set(written)) == len(written)


def fills_memory(loop: For, program: Program) -> bool:
    """Whether all that iterations of a loop do is to write neighbouring elements of arrays that they do not read."""
    stores = [s for s in loop.body if isinstance(s, Store)]
    if loop.kind != "simd" or not stores or not all(isinstance(s, Store) or is_fixed(s) for s in loop.body):
        return False
    read = {program.storage(name) for name in read_buffers(loop.body)}
    written = [program.storage(s.buffer) for s in stores]
    if read.intersection(written) or len(set(written)) < len(written):
        return False
    given = {s.var for s in loop.body if isinstance(s, Let)}
    for store in stores:
        terms, _ = dims.linear(dim_node(offset(program.buffers[store.buffer], store.index)))
        others = topological(t for t in terms if t is not loop.index)
        if terms.get(loop.index) != 1 or any(n is loop.index or n in given for n in others):
            return False
    return True


def is_fixed(stmt: Stmt) -> bool:
    """Whether a statement names a value for good."""
    return isinstance(stmt, Let) and not stmt.mutable


def collect(loop: For, program: Program) -> dict[str, list[Access]]:
    """All accesses to memory in a loop. In a loop over strips what belongs to a row counts as the strip's: rows are
    numbered from the start of their strip, and no two strips have a row in common."""
    found: dict[str, list[Access]] = {}
    own = dict.fromkeys(rows_of(loop), loop.index) if loop.whole == 1 else {}
    for stmt in walk(loop.body):
        for node in loads(stmt):
            found.setdefault(program.storage(node["buffer"]), []).append((tuple(substitute(node.args, own)), "load"))
        if isinstance(stmt, Store):
            found.setdefault(program.storage(stmt.buffer), []).append(
                (tuple(substitute(stmt.index, own)), stmt.combine)
            )
    return found


def rows_of(loop: For) -> list[Node]:
    """How a loop over strips numbers rows: from the start of their strip, one by one, or as what a loop over all
    elements of them makes of its counter."""
    start, *more = (s.var for s in loop.body if isinstance(s, Let))
    found: dict[Node, None] = {}
    for inner in (s for s in walk(loop.body) if isinstance(s, For)):
        found[start + inner.index] = None
        for node in (n for s in inner.body for n in s.nodes if n.op is ew.floordiv and n.args[0] is inner.index):
            if more and same(dims.mul(more[0], as_dim(node.args[1])), inner.extent):
                found[start + node] = None
    return list(found)


def apart_from_others(
    met: list[tuple[Node, ...]], buffer: Buffer, counter: Node, given: set[Node], innermost: bool = False
) -> bool:
    """Whether each iteration of a loop touches elements of its own: at these places, the index along an axis is another
    one every time, or the place in memory is. innermost: whether the counters of other loops stay as they are."""
    if any(distinct(list(axis), counter, given, innermost) for axis in zip(*met, strict=True)):
        return True
    return len(met[0]) > 1 and distinct([dim_node(offset(buffer, idx)) for idx in met], counter, given, innermost)


def distinct(indices: list[Node], counter: Node, given: set[Node], innermost: bool) -> bool:
    """Whether indices along one axis, the same or next to each other, are others in every iteration of a loop."""
    found = [dims.linear(i) for i in dict.fromkeys(indices)]
    terms, _ = found[0]
    if any(others != terms for others, _ in found):
        return False
    numbers = [number for _, number in found]
    others = topological(t for t in terms if t is not counter)
    moving = (n.op is LOAD or n is counter or (n.op is INDEX and not innermost) or n in given for n in others)
    return max(numbers) - min(numbers) < abs(terms.get(counter, 0)) and not any(moving)


def apart(one: tuple[Node, ...], two: tuple[Node, ...], loop: For, given: dict[Node, Node]) -> bool:
    """Whether no two iterations of a loop touch the same element at these places: along an axis on which the loop has
    no influence they differ by a constant. given: the values of scalars from outside of the loop."""
    inside = {s.var for s in walk(loop.body) if isinstance(s, Let)} | {loop.index}
    for a, b in zip(substitute(one, given), substitute(two, given), strict=True):
        moves = any(n.op is LOAD or n in inside for n in topological([a, b]))
        if not moves and differ(a, b):
            return True
    return False


def differ(a: Node, b: Node) -> bool:
    """Whether two integers are different whatever they depend on, or their remainders are."""
    (terms, first), (others, second) = dims.linear(a), dims.linear(b)
    if terms == others:
        return first != second
    if a.op.name == b.op.name == "mod" and a.args[1] is b.args[1] and a.args[1].op is CONST:
        (terms, first), (others, second) = dims.linear(a.args[0]), dims.linear(b.args[0])
        return terms == others and (first - second) % int(value_of(a.args[1])) != 0
    return False


def independent_nests(a: Nest, b: Nest, program: Program) -> bool:
    """Whether two nests touch no memory in common that either of them writes."""
    (reads, writes), (others, written) = (memory_of(n, program) for n in (a, b))
    return writes.isdisjoint(others | written) and written.isdisjoint(reads)


def memory_of(nest: Nest, program: Program) -> tuple[set[str | int], set[str | int]]:
    """What a nest reads and what it writes: buffers, or the slots in which they are."""
    both = read_buffers(nest.body), written_buffers(nest.body)
    read, written = ({program.slots.get(b, b) for b in map(program.storage, names)} for names in both)
    return read, written


def work_of(loop: For, program: Program) -> Dim:
    """The work of one iteration of a loop, in additions."""
    total = work(loop.body, program)
    if loop.whole != 1:
        return total
    return as_dim(ew.floordiv(dim_node(total), ew.maximum(dim_node(loop.extent), dim_node(1))))  # of one strip


def work(body: tuple[Stmt, ...], program: Program) -> Dim:
    """The work of a block, in additions: scalar operations, and bytes that come from memory and go there."""
    total: Dim = 0
    for stmt in body:
        if isinstance(stmt, For):
            inner = work(stmt.body, program)
            plain = stmt.kind == "simd" or any(isinstance(s, For) for s in stmt.body)
            total = dims.add(total, dims.mul(stmt.iterations, dims.mul(inner, 1 if plain else SCALAR)))
            continue
        if isinstance(stmt, Call):
            (m, k), n = stmt.reads[0].sizes, stmt.writes.sizes[1]
            products = as_dim(ew.floordiv(dim_node(dims.product([m, n, k])), dim_node(PRODUCTS)))
            total = dims.add(total, dims.add(products, CALL))
            continue
        touched = [n.dtype for n in loads(stmt)]
        if isinstance(stmt, Store):
            touched += [program.buffers[stmt.buffer].dtype] * (2 if stmt.combine else 1)
        traffic = sum(SIZES[dtype] for dtype in touched)
        total = dims.add(total, cost(stmt) + isinstance(stmt, (Set, Check)) + -(-traffic // BYTES))
    return total
