"""Memory, decided last: which buffers take the place of others, and which slots of the arena temporaries share."""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

from agnesi.ir import dims
from agnesi.ir.node import Node, index
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import (
    Buffer,
    Call,
    Check,
    For,
    Program,
    Stmt,
    Store,
    loads,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip

Path = tuple[int, ...]
Access = tuple[Path, tuple[Node, ...], int]  # enclosing loops, index, place in the text


def plan(program: Program, updates: Sequence[tuple[str, str]]) -> Program:
    """Donates inputs to the updates that replace them, where no read is disturbed and nothing fails later;
    shares memory among temporaries; drops the copies that became copies onto themselves."""
    reads = [read_buffers(n.body) for n in program.nests]
    writes = [written_buffers(n.body) for n in program.nests]
    for new, old in updates:
        if old not in program.aliases.values() and may_donate(program, new, old, reads, writes):
            program.aliases[new] = old
    settle(program, reads, writes)
    share(program, reads, writes)
    for nest in program.nests:
        nest.body = list(without_self_copies(tuple(nest.body), program))
    program.nests = [n for n in program.nests if n.body]
    return program


def may_donate(program: Program, new: str, old: str, reads: list[set[str]], writes: list[set[str]]) -> bool:
    """Whether writing `new` into the memory of `old` changes nothing else."""
    if not alike(program.buffers[new], program.buffers[old]):
        return False
    written = [k for k, names in enumerate(writes) if new in names]
    if not written or any(old in names for names in reads[written[0] + 1 :]):
        return False
    later = program.nests[written[0] :]
    if any(can_fail(s) for nest in later for s in walk(nest.body)):
        return False
    return undisturbed(program.nests[written[0]].body, new, old)


def settle(program: Program, reads: list[set[str]], writes: list[set[str]]) -> None:
    """Puts temporaries into the memory of what is written, element by element, where they are read last."""
    used: dict[str, list[int]] = {}
    for k, (read, written) in enumerate(zip(reads, writes, strict=True)):
        for name in read | written:
            used.setdefault(name, []).append(k)
    taken: set[str] = set()
    for name, places in used.items():
        buffer = program.buffers[name]
        if buffer.space != "arena" or len(places) < 2:
            continue
        for other in sorted(writes[places[-1]] - {name} - taken):
            target = program.buffers[other]
            fresh = target.space in ("arena", "output") and used[other][0] == places[-1]
            if not fresh or other in program.aliases or not alike(buffer, target):
                continue
            if undisturbed(program.nests[places[-1]].body, other, name):
                program.aliases[name] = other
                taken.add(other)
                break


def alike(a: Buffer, b: Buffer) -> bool:
    """Whether two buffers have the same dtype and known equal sizes."""
    return (
        a.dtype == b.dtype
        and len(a.shape) == len(b.shape)
        and all(same(p, q) for p, q in zip(a.shape, b.shape, strict=True))
    )


def can_fail(stmt: Stmt) -> bool:
    """Whether a statement may leave the function with an error."""
    return isinstance(stmt, Check) or (isinstance(stmt, Call) and stmt.site > 0)


def undisturbed(body: list[Stmt], new: str, old: str) -> bool:
    """Whether every read of `old` comes before the write to the same element of `new`.

    A read must stand before every store in the text, and for each loop around both, some axis must be indexed by that
    very loop in both, so that other iterations touch other elements.
    """
    read, written, calls = accesses(body, new, old)
    if calls:
        return False
    for path, idx, place in read:
        for other_path, other_idx, other_place in written:
            if place > other_place:
                return False
            shared = 0
            while shared < min(len(path), len(other_path)) and path[shared] == other_path[shared]:
                shared += 1
            for level in range(shared):
                if not any(i is j is index(level) for i, j in zip(idx, other_idx, strict=True)):
                    return False
    return True


def accesses(body: list[Stmt], new: str, old: str) -> tuple[list[Access], list[Access], bool]:
    """Loads of `old`, stores to `new`, and whether a library call reads `old`."""
    read: list[Access] = []
    written: list[Access] = []
    calls = False
    place = 0
    stack: list[tuple[Stmt, Path]] = [(s, ()) for s in reversed(body)]
    while stack:
        stmt, path = stack.pop()
        place += 1
        read += [(path, n.args, place) for n in loads(stmt) if n["buffer"] == old]
        if isinstance(stmt, Store) and stmt.buffer == new:
            written.append((path, stmt.index, place))
        if isinstance(stmt, Store) and stmt.buffer == old:
            calls = True
        if isinstance(stmt, Call):
            calls = calls or any(v.buffer == old for v in stmt.reads)
        if isinstance(stmt, For):
            stack.extend((s, (*path, place)) for s in reversed(stmt.body))
    return read, written, calls


def share(program: Program, reads: list[set[str]], writes: list[set[str]]) -> None:
    """Gives every temporary a slot: that of one that is dead by then and as large, or a new one."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for k, (read, written) in enumerate(zip(reads, writes, strict=True)):
        for name in map(program.storage, read | written):
            if program.buffers[name].space in ("arena", "row"):
                first.setdefault(name, k)
                last[name] = k
    slots = 0
    free: dict[tuple[Dim, str], list[tuple[int, int]]] = {}
    for name in sorted(first, key=first.__getitem__):
        buffer = program.buffers[name]
        count = dims.product(buffer.shape)
        waiting = free.setdefault((count, buffer.dtype), [])  # the slot that is free first is the first to look at
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
            stmt = For(stmt.index, stmt.extent, inner, stmt.kind)
        result.append(stmt)
    return tuple(result)
