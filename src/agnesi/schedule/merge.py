"""Two loops over arrays from end to end become one, as `for i: for j: out[i, j] = x[i, j] + 1`: one over all elements.

Rows may be short then, and vectors, threads and stores past the caches serve them all the same.
"""

from __future__ import annotations

from dataclasses import replace

from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node, topological
from agnesi.loops.stmt import For, Let, Program, Set, Stmt, Store, computed, loads, neutral, offset
from agnesi.loops.tidy import moved


def merge(program: Program) -> Program:
    """Merges the loops of all nests where that can be."""
    for nest in program.nests:
        nest.body = [merged(s, program) if isinstance(s, For) else s for s in nest.body]
    return program


def merged(loop: For, program: Program) -> For:
    """The loop with those inside it merged, and with the one that is all it has in it."""
    loop = loop.around(merged(s, program) if isinstance(s, For) else s for s in loop.body)
    inner, totals = only_loop(loop)
    if inner is None or not are_one(loop, inner, program):
        return loop
    n, whole = inner.extent, loop.index
    size = dims.mul(loop.extent, n)
    if isinstance(size, int) and size > dims.LARGEST:
        return loop
    names = {loop.index: dim_node(dims.floordiv(whole, n)), inner.index: dim_node(dims.mod(whole, n)), **totals}
    body = moved(inner.body, names)
    return replace(loop, extent=size, body=body) if all(is_linear(s, whole, program) for s in body) else loop


def only_loop(loop: For) -> tuple[For | None, dict[Node, Node]]:
    """The loop that is all there is in another one, but for accumulators of a row that are added to others; and these
    others."""
    inner = next((s for s in loop.body if isinstance(s, For)), None)
    starts = {s.var: s for s in loop.body if isinstance(s, Let)}
    ends = {s.value: s for s in loop.body if isinstance(s, Set)}
    if inner is None or starts.keys() != ends.keys() or len(starts) + len(ends) + 1 != len(loop.body):
        return None, {}
    for var, end in ends.items():
        joined = all(s.combine == end.combine for s in inner.body if isinstance(s, Set) and s.var is var)
        start, read = starts[var], any(var in s.nodes for s in inner.body)
        if read or not joined or not start.mutable or start.value is not neutral(end.combine, var.dtype):
            return None, {}
    return inner, {var: end.var for var, end in ends.items()}


def touched(stmt: Stmt, program: Program) -> list[dims.Polynomial]:
    """The offsets of what a statement reads and writes."""
    places = [(n["buffer"], n.args) for n in loads(stmt)]
    places += [(stmt.buffer, stmt.index)] if isinstance(stmt, Store) else []
    return [dims.expanded(offset(program.buffers[name], idx)) for name, idx in places]


def is_linear(stmt: Stmt, counter: Node, program: Program) -> bool:
    """Whether no division is left in the offsets of a statement."""
    return all(dims.coefficient(where, counter) is not None for where in touched(stmt, program))


def are_one(loop: For, inner: For, program: Program) -> bool:
    """Whether a step of the outer loop leads to the element after the last one of the inner loop, in all arrays, and
    nothing else depends on where they are."""
    counters = {loop.index, inner.index}
    if loop.kind != "seq" or inner.kind != "seq" or loop.index in topological([dim_node(inner.extent)]):
        return False
    if not all(isinstance(s, (Let, Set, Store)) for s in inner.body):
        return False
    length = dims.expanded(inner.extent)
    for stmt in inner.body:
        assert isinstance(stmt, (Let, Set, Store))
        for where in touched(stmt, program):
            row, element = dims.coefficient(where, loop.index), dims.coefficient(where, inner.index)
            if row is None or element is None or dims.times(element, length) != row:
                return False
        if counters.intersection(computed(stmt.value)):
            return False
    return True
