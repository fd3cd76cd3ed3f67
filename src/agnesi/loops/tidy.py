"""Tidier statements: names used once become part of the expression that uses them; unused ones go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from agnesi.ir.node import INDEX, LOAD, TEMP, Node, substitute, temp, topological
from agnesi.loops.stmt import Break, Call, Check, For, Let, Set, Stmt, Store, values, walk, written_buffers

TALL = 8  # operations nested in one line of text; more is hard to read


def tidy(body: list[Stmt]) -> list[Stmt]:
    """Names used once, in the block that gives them, become part of the expression; unused ones go."""
    body = list(sunk(tuple(body), {s.var for s in walk(body) if isinstance(s, Let) and s.mutable}))
    uses: Counter[Node] = Counter()
    for stmt in walk(body):
        for value in values(stmt):
            uses.update(names_in(value))
        if isinstance(stmt, Set):
            uses[stmt.var] += 2
    return list(_tidy_block(tuple(body), uses))


def sunk(body: tuple[Stmt, ...], mutable: set[Node]) -> tuple[Stmt, ...]:
    """The block with loads at places other than loop counters in the loops that alone need them, and what depends on
    these: where a loop is empty there may be no such element. Compilers take them out again, behind a check."""
    risky: set[Node] = set()
    for stmt in body:
        if isinstance(stmt, Let) and not stmt.mutable:
            parts = stmt.nodes
            if not mutable.intersection(parts) and (any(map(is_risky, parts)) or risky.intersection(parts)):
                risky.add(stmt.var)
    result = list(body)
    mentions = list(map(mentioned, body)) if risky else []
    for place in reversed([k for k, s in enumerate(body) if isinstance(s, Let) and s.var in risky]):
        let = result[place]
        assert isinstance(let, Let)
        users = [k for k in range(place + 1, len(result)) if let.var in mentions[k]]
        read = {n["buffer"] for n in topological([let.value]) if n.op is LOAD}
        if not users or not all(isinstance(s := result[k], For) and let.var not in names_of(s) for k in users):
            continue
        if read & written_buffers(result[place : users[-1] + 1]):
            continue
        for number, k in enumerate(users):
            loop = result[k]
            assert isinstance(loop, For)
            name = temp(f"{let.var['name']}_{number}", let.var.dtype) if number else let.var
            inner = moved(loop.body, {let.var: name}) if number else loop.body
            result[k] = replace(loop, body=(Let(name, let.value), *inner))
            mentions[k] |= mentions[place]
        del result[place], mentions[place]
    return tuple(s.around(sunk(s.body, mutable)) if isinstance(s, For) else s for s in result)


def is_risky(node: Node) -> bool:
    """Whether a load is at a place that no loop vouches for."""
    return node.op is LOAD and any(a.op is not INDEX for a in node.args)


def mentioned(stmt: Stmt) -> set[Node]:
    """The names in a statement and in those inside it."""
    return {n for s in walk([stmt]) for n in names_of(s)}


def names_of(stmt: Stmt) -> set[Node]:
    """The names in a statement itself."""
    return {n for n in stmt.nodes if n.op is TEMP}


def names_in(value: Node) -> list[Node]:
    """The names in an expression, each as often as it will be printed."""
    found = []
    stack = [value]
    while stack:
        node = stack.pop()
        if node.op is TEMP:
            found.append(node)
        stack.extend(node.args)
    return found


def _tidy_block(body: tuple[Stmt, ...], uses: Counter[Node]) -> tuple[Stmt, ...]:
    """A value waits in `pending` for its one use; a store or loop that comes first forces it out, since it may load."""
    used_here = {n for s in body for n in names_of(s)}
    pending: dict[Node, Node] = {}
    height: dict[Node, int] = {}
    result: list[Stmt] = []
    for stmt in body:
        ready = {n: pending.pop(n) for n in stmt.nodes if n in pending} if pending else {}
        stmt = _replace(stmt, ready) if ready else stmt
        if isinstance(stmt, Let) and not stmt.mutable:
            if uses[stmt.var] == 0:
                continue
            height[stmt.var] = 1 + max((height[n] for n in ready), default=0)
            if uses[stmt.var] == 1 and stmt.var in used_here and height[stmt.var] < TALL:
                pending[stmt.var] = stmt.value
                continue
        elif not isinstance(stmt, (Let, Set)) or (isinstance(stmt, Set) and not stmt.combine):
            result += [Let(name, value) for name, value in pending.items()]
            pending.clear()
        if isinstance(stmt, For):
            stmt = For(stmt.index, stmt.extent, _tidy_block(stmt.body, uses), stmt.kind)
        result.append(stmt)
    return tuple(result)


def _replace(stmt: Stmt, named: dict[Node, Node]) -> Stmt:
    """The statement with names replaced by their expressions."""

    def sub(node: Node) -> Node:
        return substitute([node], named)[0]

    match stmt:
        case For(index, extent, body, kind):
            return For(index, sub(extent) if isinstance(extent, Node) else extent, body, kind)
        case Let(var, value, mutable):
            return Let(named.get(var, var), sub(value), mutable)
        case Set(var, value, combine):
            return Set(named.get(var, var), sub(value), combine)
        case Break(value):
            return Break(sub(value))
        case Store(buffer, idx, value, combine):
            return Store(buffer, tuple(map(sub, idx)), sub(value), combine)
        case Check(value, bound, site, shown):
            return Check(sub(value), sub(bound), site, (sub(shown[0]), sub(shown[1])))
        case Call():
            reads = tuple(replace(v, offset=sub(v.offset)) for v in stmt.reads)
            writes = replace(stmt.writes, offset=sub(stmt.writes.offset))
            return replace(stmt, reads=reads, writes=writes, scalars=tuple(map(sub, stmt.scalars)))


def moved(body: Sequence[Stmt], mapping: dict[Node, Node]) -> tuple[Stmt, ...]:
    """Statements with loop indices and names replaced, also where loops count and names are given."""
    result = []
    for stmt in body:
        stmt = _replace(stmt, mapping)
        if isinstance(stmt, For):
            stmt = replace(stmt, index=mapping.get(stmt.index, stmt.index), body=moved(stmt.body, mapping))
        result.append(stmt)
    return tuple(result)
