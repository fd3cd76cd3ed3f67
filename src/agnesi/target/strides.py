"""Steps between elements that a vector loop reads alone, such as every sixteenth one.

A compiler that knows such a step loads all sixteen elements and keeps one, sixteen times as much work as there is. It
is not told the number, so that it loads the elements one by one. Where a loop reads several of them, as windows, it is
told. Such loops are often short, and take long for what is left over when vectors are full: theirs are half as wide.
"""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.node import Node
from agnesi.ir.type import Dim
from agnesi.loops.stmt import Buffer, For, Store, loads, offset

Place = tuple[str, tuple[Node, ...]]  # a buffer and an index in it
Step = tuple[Node, Dim, int]  # the counter of a loop, where it begins, and how far it goes each time


def strided(loop: For, buffers: dict[str, Buffer]) -> list[list[tuple[Place, Step]]]:
    """The places at which a loop goes by steps of more than one element, those of a buffer and a step together."""
    places: dict[Place, None] = {}
    for stmt in loop.body:
        places |= dict.fromkeys((n["buffer"], n.args) for n in loads(stmt))
        if isinstance(stmt, Store):
            places[stmt.buffer, stmt.index] = None
    found: dict[tuple[str, int], list[tuple[Place, Step]]] = {}
    for name, idx in places:
        whole = offset(buffers[name], idx)
        step = dims.linear(whole)[0].get(loop.index, 0)
        if abs(step) > 1:
            start = dims.sub(whole, dims.mul(loop.index, step))
            found.setdefault((name, step), []).append(((name, idx), (loop.index, start, step)))
    return list(found.values())


def lone(loop: For, buffers: dict[str, Buffer]) -> dict[Place, Step]:
    """The places at which a loop goes by steps of more than one element, and touches no others by the same steps."""
    return dict(together[0] for together in strided(loop, buffers) if len(together) == 1)


def reads_windows(loop: For, buffers: dict[str, Buffer]) -> bool:
    """Whether a vector loop touches several elements of each step."""
    return loop.kind == "simd" and any(len(together) > 1 for together in strided(loop, buffers))
