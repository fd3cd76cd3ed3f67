"""What kind of loop each one is: sequential, or simd."""

from __future__ import annotations

from dataclasses import replace

from agnesi.loops.stmt import Call, Check, For, Program


def mark(program: Program) -> Program:
    """Marks the innermost loops that leave neither by an error nor by a call as simd."""
    for nest in program.nests:
        nest.body = [mark_loop(s) if isinstance(s, For) else s for s in nest.body]
    return program


def mark_loop(loop: For) -> For:
    """The loop with its kind and those of the loops inside."""
    if any(isinstance(s, For) for s in loop.body):
        return replace(loop, body=tuple(mark_loop(s) if isinstance(s, For) else s for s in loop.body))
    plain = not any(isinstance(s, (Check, Call)) for s in loop.body)
    return replace(loop, kind="simd" if plain else "seq")
