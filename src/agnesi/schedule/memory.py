"""Memory, decided last: which buffers take the place of others, and which slots of the arena temporaries share."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from agnesi.ir import dims
from agnesi.ir.node import LOAD, TEMP, Node, index, topological
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import (
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
    loads,
    moments,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip

Path = tuple[tuple[int, For], ...]  # enclosing loops and their places in the text
Access = tuple[Path, tuple[Node, ...], int]  # enclosing loops, index, place in the text


def plan(program: Program, updates: Sequence[tuple[str, str]]) -> Program:
    """Donates inputs to the updates that replace them, where no read is disturbed and nothing fails later;
    shares memory among temporaries; drops the copies that became copies onto themselves."""
    reads, writes = accessed(program)
    for new, old in updates:
        chain = [] if old in program.aliases.values() else donations(program, new, old, reads, writes)
        program.aliases.update(zip(chain, [old, *chain], strict=False))
        if chain and move_checks(program, chain[-1], writes):
            reads, writes = accessed(program)
    settle(program, reads, writes)
    share(program, reads, writes)
    for nest in program.nests:
        nest.body = list(without_self_copies(tuple(nest.body), program))
    program.nests = [n for n in program.nests if n.body]
    return program


def accessed(program: Program) -> tuple[list[set[str]], list[set[str]]]:
    """The buffers that each nest reads, and those that it writes."""
    return [read_buffers(n.body) for n in program.nests], [written_buffers(n.body) for n in program.nests]


def donations(program: Program, new: str, old: str, reads: list[set[str]], writes: list[set[str]]) -> list[str]:
    """What may be written into the memory of `old`: `new`, what `new` is made of there, and so on."""
    chain: list[str] = []
    name: str | None = new
    while name and may_donate(program, name, old, reads, writes):
        chain.append(name)
        name = consumed(program, name, reads, writes)
    return chain


def consumed(program: Program, new: str, reads: list[set[str]], writes: list[set[str]]) -> str | None:
    """A temporary that is read for the last time where `new` is first written, element by element."""
    first = next(k for k, names in enumerate(writes) if new in names)
    later = set().union(*reads[first + 1 :], *writes[first:])
    for name in sorted(reads[first] - later):
        buffer = program.buffers[name]
        if buffer.space == "arena" and alike(buffer, program.buffers[new]):
            if undisturbed(program.nests[first].body, new, name):
                return name
    return None


def may_donate(program: Program, new: str, old: str, reads: list[set[str]], writes: list[set[str]]) -> bool:
    """Whether writing `new` into the memory of `old` changes nothing else, once `move_checks` has moved checks."""
    if not alike(program.buffers[new], program.buffers[old]):
        return False
    written = [k for k, names in enumerate(writes) if new in names]
    if not written or any(old in names for names in reads[written[0] + 1 :]):
        return False
    when = moments(program)
    if max([*when.sizes, *when.checks, 0]) > written[0]:
        return False  # memory that is asked for later may not be there
    changed = set().union(*writes[written[0] :])
    for nest in program.nests[written[0] :]:
        if any(isinstance(s, Call) and s.site > 0 for s in walk(nest.body)):
            return False
        if not movable(checks_of(nest.body), changed):
            return False
    return undisturbed(program.nests[written[0]].body, new, old)


def move_checks(program: Program, new: str, writes: list[set[str]]) -> bool:
    """Puts the checks of the nest that first writes `new`, and of all later ones, into nests of their own before it."""
    first = next(k for k, names in enumerate(writes) if new in names)
    guards = []
    for nest in program.nests[first:]:
        checks = checks_of(nest.body)
        if checks:
            guards.append(Nest(f"{nest.name}_checks", list(checks), f"checks before {new} is written in place"))
            nest.body = list(without_checks(tuple(nest.body)))
    program.nests[first:first] = guards
    return bool(guards)


def checks_of(body: Sequence[Stmt]) -> tuple[Stmt, ...]:
    """The checks in a block, with the loops around them and the names that they need."""
    kept: list[Stmt] = []
    needed: set[Node] = set()
    for stmt in reversed(body):
        if isinstance(stmt, For):
            stmt = stmt.around(checks_of(stmt.body))
            wanted = bool(stmt.body)
        else:
            wanted = isinstance(stmt, Check) or (isinstance(stmt, (Let, Set)) and stmt.var in needed)
        if wanted:
            kept.append(stmt)
            inner = walk([stmt])
            needed |= {n for s in inner for n in s.nodes if n.op is TEMP}
    return tuple(reversed(kept))


def movable(checks: Sequence[Stmt], changed: set[str]) -> bool:
    """Whether checks can stand before the nests that write `changed`; accumulators would be computed twice."""
    mutable = any(isinstance(s, Set) for s in walk(list(checks)))
    return not mutable and not read_buffers(list(checks)) & changed


def without_checks(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """A block without its checks."""
    inner = (s.around(without_checks(s.body)) if isinstance(s, For) else s for s in body)
    return tuple(s for s in inner if not isinstance(s, Check))


def settle(program: Program, reads: list[set[str]], writes: list[set[str]]) -> None:
    """Puts temporaries into the memory of what is written, element by element, where they are read last."""
    used: dict[str, list[int]] = {}
    for k, (read, written) in enumerate(zip(reads, writes, strict=True)):
        for name in sorted(read | written):
            used.setdefault(name, []).append(k)
    taken: set[str] = set()
    late = moments(program).buffers
    begin = beginnings(program)
    for name, places in used.items():
        buffer = program.buffers[name]
        if buffer.space != "arena" or len(places) < 2 or name in program.aliases:
            continue
        if begin[places[-1]] == begin[places[-2]]:
            continue  # these nests may run at the same time
        for other in sorted(writes[places[-1]] - {name} - taken):
            target = program.buffers[other]
            fresh = target.space in ("arena", "output") and used[other][0] == places[-1]
            if not fresh or other in program.aliases or not alike(buffer, target) or late[other] > late[name]:
                continue
            if undisturbed(program.nests[places[-1]].body, other, name):
                program.aliases[name] = other
                taken.add(other)
                break


def beginnings(program: Program) -> list[int]:
    """For each nest the first of those that may run at the same time."""
    result: list[int] = []
    for k, nest in enumerate(program.nests):
        result.append(result[-1] if nest.beside else k)
    return result


def alike(a: Buffer, b: Buffer) -> bool:
    """Whether two buffers have the same dtype and known equal sizes."""
    return (
        a.dtype == b.dtype
        and len(a.shape) == len(b.shape)
        and all(same(p, q) for p, q in zip(a.shape, b.shape, strict=True))
    )


def undisturbed(body: list[Stmt], new: str, old: str, slot: Node | None = None) -> bool:
    """Whether every read of `old` comes before the write to the same element of `new`; if a slot is given, both are in
    one ring, and `old` is what lies in that slot; copies of it in the same place are no writes.

    A read must stand before every store in the text, and for each loop around both, some axis must be indexed by that
    very loop in both, so that other iterations touch other elements. An iteration carries out one side of a branch.
    """
    read, written, calls = accesses(body, new, old, slot)
    if calls:
        return False
    for path, idx, place in read:
        for other_path, other_idx, other_place in written:
            shared = 0
            while shared < min(len(path), len(other_path)) and path[shared][0] == other_path[shared][0]:
                shared += 1
            if place > other_place and not exclusive(path[shared:], other_path[shared:]):
                return False
            for level, (_, loop) in enumerate(path[:shared]):
                same_index = (i is j is index(level) for i, j in zip(idx, other_idx, strict=bool(other_idx)))
                if loop.kind != "once" and not any(same_index):
                    return False
    return True


def exclusive(one: Path, other: Path) -> bool:
    """Whether these loops begin with the two sides of a branch."""
    if not one or not other or not one[0][1].kind == other[0][1].kind == "once":
        return False
    return same(dims.add(one[0][1].extent, other[0][1].extent), 1)


def accesses(body: list[Stmt], new: str, old: str, slot: Node | None = None) -> tuple[list[Access], list[Access], bool]:
    """Loads of `old`, stores to `new`, and whether a library call reads `old`.

    A call that writes `new` is a store without an index: no loop may go around it and a load.
    """
    read: list[Access] = []
    written: list[Access] = []
    calls = False
    place = 0
    stack: list[tuple[Stmt, Path]] = [(s, ()) for s in reversed(body)]
    while stack:
        stmt, path = stack.pop()
        place += 1
        read += [(path, n.args, place) for n in loads(stmt) if n["buffer"] == old and slot in (None, *n.args[:1])]
        if isinstance(stmt, Store) and stmt.buffer == new and not (slot and copies_back(stmt, slot)):
            written.append((path, stmt.index, place))
        if isinstance(stmt, Store) and stmt.buffer == old != new:
            calls = True
        if isinstance(stmt, Call):
            taken = [v for v in stmt.reads if v.buffer == old]
            calls = calls or any(slot is None or slot in topological([v.offset]) for v in taken)
            written += [(path, (), place)] if stmt.writes.buffer == new else []
        if isinstance(stmt, For):
            stack.extend((s, (*path, (place, stmt))) for s in reversed(stmt.body))
    return read, written, calls


def copies_back(stmt: Store, slot: Node) -> bool:
    """Whether a store in a ring puts there what lies in the same place of a slot."""
    value = stmt.value
    found = value.op is LOAD and value["buffer"] == stmt.buffer and not stmt.combine
    return found and value.args == (slot, *stmt.index[1:])


def share(program: Program, reads: list[set[str]], writes: list[set[str]]) -> None:
    """Gives every temporary a slot: that of one that is dead by then and as large, or a new one."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    begin = beginnings(program)
    end = {first: k for k, first in enumerate(begin)}
    for k, (read, written) in enumerate(zip(reads, writes, strict=True)):
        for name in map(program.storage, sorted(read | written)):
            if program.buffers[name].space in ("arena", "row"):
                first.setdefault(name, begin[k])
                last[name] = end[begin[k]]
    slots = 0
    free: dict[tuple[Dim, str, int, bool], list[tuple[int, int]]] = {}
    late = moments(program).buffers
    for name in sorted(first, key=first.__getitem__):
        buffer = program.buffers[name]
        count = dims.product(buffer.shape)
        kind = (count, buffer.dtype, late[name], buffer.space == "row")
        waiting = free.setdefault(kind, [])  # the slot that is free first is the first to look at
        if waiting and waiting[0][0] <= first[name]:
            slot = heappop(waiting)[1]
        else:
            slot = slots
            slots += 1
        program.slots[name] = slot
        heappush(waiting, (last[name] + 1, slot))


def without_self_copies(body: tuple[Stmt, ...], program: Program) -> tuple[Stmt, ...]:
    """The block without stores of what is there already, and without loops that became empty."""
    result: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Store) and not stmt.combine and stmt.value.op.name == "load":
            source = stmt.value["buffer"]
            if program.storage(source) == program.storage(stmt.buffer) and stmt.value.args == stmt.index:
                continue
        if isinstance(stmt, For):
            inner = without_self_copies(stmt.body, program)
            if not inner:
                continue
            stmt = stmt.around(inner)
        result.append(stmt)
    return tuple(result)
