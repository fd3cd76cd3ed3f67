"""What kind of loop each one is: sequential, or simd."""

from __future__ import annotations

from dataclasses import replace

from agnesi.loops.stmt import Break, Call, Check, For, Program, Set, Store, loads


def mark(program: Program) -> Program:
    """Marks the innermost loops that leave neither by an error nor by a call as simd."""
    for nest in program.nests:
        nest.body = [mark_loop(s) if isinstance(s, For) else s for s in nest.body]
    return program


def mark_loop(loop: For) -> For:
    """The loop with its kind and those of the loops inside."""
    if any(isinstance(s, For) for s in loop.body):
        return replace(loop, body=tuple(mark_loop(s) if isinstance(s, For) else s for s in loop.body))
    plain = not any(isinstance(s, (Break, Check, Call)) for s in loop.body)
    return replace(loop, kind="simd" if plain and independent(loop) else "seq")


def independent(loop: For) -> bool:
    """Whether what one iteration stores or sets is neither read nor added to by another one."""
    if any(isinstance(s, Set) and not s.combine for s in loop.body):
        return False
    stores = [s for s in loop.body if isinstance(s, Store)]
    read = [(n["buffer"], n.args) for s in loop.body for n in loads(s)]
    for store in stores:
        if store.combine and loop.index not in store.index:
            return False
        if any(name == store.buffer and place != store.index for name, place in read):
            return False
    return True
