"""Rows of a matrix that are added to one vector, several at a time: the vector is read and written that much less."""

from __future__ import annotations

from collections.abc import Mapping

from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, temp, topological
from agnesi.loops.stmt import For, Let, Stmt, Store, cost, values, walk
from agnesi.loops.tidy import moved

ROWS = 8  # at a time
LIGHT_COST = 10  # scalar work, in additions, of an iteration; more takes longer than what is read


def jammed(loop: For, storage: Mapping[str, str]) -> tuple[Stmt, ...]:
    """The work of ROWS iterations of a loop over one inner loop which adds to the same elements in each of them; empty
    where that is not what it does. Every element is added to in the same order as before.

    storage: the buffer whose memory each one uses.
    """
    *lets, inner = loop.body
    if not isinstance(inner, For) or inner.kind != "simd" or not all(map(is_fixed, lets)):
        return ()
    stores = [s for s in inner.body if isinstance(s, Store)]
    given = {loop.index, *(s.var for s in walk(loop.body) if isinstance(s, Let))}
    if not stores or not all(s.combine if isinstance(s, Store) else is_fixed(s) for s in inner.body):
        return ()
    if any(given.intersection(topological(s.index)) for s in stores) or sum(map(cost, inner.body)) > LIGHT_COST:
        return ()
    if isinstance(inner.extent, Node) and given.intersection(topological([inner.extent])):
        return ()
    plain = [v for s in walk(loop.body) for v in values(s)]
    read = {storage[n["buffer"]] for n in topological(plain) if n.op.name == "load"}
    written = [storage[s.buffer] for s in stores]
    if read.intersection(written) or len(set(written)) < len(written):
        return ()
    first: list[Stmt] = []
    body: list[Stmt] = []
    for row in range(ROWS):
        names = {n: temp(f"{n['name']}_row{row}", n.dtype) for n in given - {loop.index}}
        names[loop.index] = dim_node(dims.add(loop.index, row))
        first += moved(lets, names)
        body += moved(inner.body, names)
    return (*first, For(inner.index, inner.extent, tuple(body), "simd"))


def is_fixed(stmt: Stmt) -> bool:
    """Whether a statement names a value for good."""
    return isinstance(stmt, Let) and not stmt.mutable
