"""Rows of a matrix that are added to one vector, several at a time: the vector is read and written that much less."""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.node import dim_node, temp
from agnesi.loops.stmt import For, Let, Stmt, walk
from agnesi.loops.tidy import moved


def jammed(loop: For) -> tuple[Stmt, ...]:
    """The work of `loop.rows` iterations in one inner loop; every element is added to in the same order as before.
    `adds_rows` holds of the loop."""
    *lets, inner = loop.body
    assert isinstance(inner, For)
    given = [s.var for s in walk(loop.body) if isinstance(s, Let)]
    first: list[Stmt] = []
    body: list[Stmt] = []
    for row in range(loop.rows):
        names = {n: temp(f"{n['name']}_row{row}", n.dtype) for n in given}
        names[loop.index] = dim_node(dims.add(loop.index, row))
        first += moved(lets, names)
        body += moved(inner.body, names)
    return (*first, For(inner.index, inner.extent, tuple(body), "simd"))
