"""Functions with a faster form for ordinary arguments, and the loops that may ask for it beforehand."""

from __future__ import annotations

from agnesi.ir import dtype as dt
from agnesi.ir.node import LOAD, Node, topological
from agnesi.loops.stmt import Call, Check, For, Let, Stmt, values, written_buffers

# Functions with a form for ordinary arguments, and whose question it is whether they are: v_sin_near, v_sin_far.
FAR = {"sin": "sin", "cos": "sin", "tan": "sin", "fmod": "fmod", "mod": "fmod", "floordiv": "fmod", "pow": "pow"}
C_BITS = {"float32": "uint32_t", "float64": "uint64_t"}


def wide(n: Node) -> str:
    """The type that a function is computed in."""
    return dt.wide(n.args[0].dtype)


def guarded(stmt: For) -> list[Node]:
    """The calls in a loop of functions with a form for ordinary arguments, if it can be asked beforehand for all."""
    if stmt.kind != "simd" or any(isinstance(s, (For, Check, Call)) for s in stmt.body):
        return []
    called = topological(v for s in stmt.body for v in values(s))
    found = [n for n in called if n.op.name in FAR and wide(n) in C_BITS]
    wanted = [a for n in found for a in n.args]
    written = written_buffers(stmt.body)  # what is read from them may be what the same iteration has written
    read = {
        n["buffer"] for n in topological([*wanted, *(s.value for s in slice_of(stmt.body, wanted))]) if n.op is LOAD
    }
    return [] if read & written else found


def slice_of(body: tuple[Stmt, ...], wanted: list[Node]) -> list[Let]:
    """The names that some values of a body depend on."""
    needed = set(topological(wanted))
    kept: list[Let] = []
    for stmt in reversed(body):
        if isinstance(stmt, Let) and stmt.var in needed:
            needed.update(topological([stmt.value]))
            kept.insert(0, stmt)
    return kept
