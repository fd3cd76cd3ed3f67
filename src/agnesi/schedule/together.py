"""Which nests are carried out at the same time: loops of steps that need nothing of each other, such as the two
directions of a recurrent network. Threads cannot share the steps, and what is in a step is often too short for them."""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.type import Dim
from agnesi.loops.parallel import independent_nests, work
from agnesi.loops.stmt import (
    Call,
    Check,
    For,
    Let,
    Nest,
    Program,
    Together,
    is_known,
    is_shared,
    loads,
    moments,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.schedule.kinds import LITTLE

REACH = 16  # nests back in which another loop of steps is looked for


def is_long(nest: Nest) -> bool:
    """Whether a nest has a loop of steps, and calls nothing that needs the thread of the caller."""
    steps = any(isinstance(s, For) and s.kind == "steps" for s in nest.body)
    return steps and not any(isinstance(s, Call) and (s.function or s.site > 0) for s in walk(nest.body))


def arrange(program: Program) -> None:
    """Puts loops of steps that are independent next to each other, and marks all but the first of them as such. Where
    nests compute sizes, all stay where they are."""
    if any(program.buffers[n["buffer"]].space != "input" for s in program.sizes for n in loads(s)):
        return
    blocks: list[list[Nest]] = []
    for nest in program.nests:
        places = range(len(blocks) - 1, max(len(blocks) - 1 - REACH, -1), -1) if is_long(nest) else ()
        if not any(join(blocks, place, nest, program) for place in places):
            blocks.append([nest])
    program.nests = [nest for block in blocks for nest in block]
    for block in blocks:
        for nest in block[1:]:
            nest.beside = True


def join(blocks: list[list[Nest]], place: int, nest: Nest, program: Program) -> bool:
    """Puts a nest beside those of a block, if it can be: blocks between them that need the block come after both, the
    others before."""
    found = blocks[place]
    if not is_long(found[0]):
        return False
    before: list[list[Nest]] = []
    after: list[list[Nest]] = []
    for block in blocks[place + 1 :]:
        needed = [*found, *(n for later in after for n in later)]
        free = all(independent_nests(a, b, program) for a in needed for b in block)
        (before if free else after).append(block)
    others = [*found, *(n for later in after for n in later)]
    if not all(independent_nests(a, nest, program) for a in others):
        return False
    blocks[place:] = [*before, [*found, nest], *after]
    return True


def decide(program: Program) -> None:
    """Finds out which of the nests that were put next to each other are carried out at the same time, now that it is
    known where everything is and what threads share."""
    when = moments(program)
    due = {*when.sizes, *when.checks, *when.buffers.values()}
    groups: list[list[int]] = []
    for number, nest in enumerate(program.nests):
        members = groups[-1] if groups else []
        beside = nest.beside and number not in due and members[-1:] == [number - 1]
        if beside and all(independent_nests(program.nests[k], nest, program) for k in members):
            members.append(number)
        elif is_long(nest):
            groups.append([number])
    for members in groups:
        nests = [program.nests[k] for k in members]
        if len(nests) == 1:
            continue
        total, parts = sum_of(nests, program), list(dict.fromkeys(d for nest in nests for d in inside(nest, program)))
        given = {s.var for nest in nests for s in walk(nest.body) if isinstance(s, Let)}
        if not all(is_known(d, given) for d in (total, *parts)):
            continue
        if (isinstance(total, int) and total < LITTLE) or may_leave_halves(nests, program):
            continue
        program.together.append(Together(members[0], len(members), total, tuple(parts)))


def sum_of(nests: list[Nest], program: Program) -> Dim:
    """The work of nests, in additions."""
    total: Dim = 0
    for nest in nests:
        total = dims.add(total, work(tuple(nest.body), program))
    return total


def inside(nest: Nest, program: Program) -> list[Dim]:
    """The work, in additions, of each loop and product in the steps of a nest that threads could share."""
    found: list[Dim] = []
    for stmt in walk([s for loop in nest.body if isinstance(loop, For) and loop.kind == "steps" for s in loop.body]):
        if isinstance(stmt, For) and is_shared(stmt):
            found.append(dims.mul(stmt.extent, stmt.work))
        elif isinstance(stmt, Call):
            found.append(work((stmt,), program))
    return found


def may_leave_halves(nests: list[Nest], program: Program) -> bool:
    """Whether one of these nests may fail while another one writes to an input."""
    fails = any(isinstance(s, Check) for nest in nests for s in walk(nest.body))
    written = {program.storage(b) for nest in nests for b in written_buffers(nest.body)}
    return fails and not written.isdisjoint(program.inputs)
