"""Short rows whose size is not declared: a function says what it would gain from, and is compiled again for such sizes.

In `for i: for j: s += x[i, j]` a row of three elements is three iterations of a loop that was made for thousands. Where
the compiler knows that there are three, vectors and registers serve rows like single elements. So code for any sizes
asks at its entry whether rows are short and many; if they are, code for that size takes over (`runtime/call.c`).
"""

from __future__ import annotations

from agnesi.ir import dims
from agnesi.ir.node import CONST, SYMBOL, Node, dim_node, topological
from agnesi.ir.type import Dim
from agnesi.loops.stmt import For, Program

LONGEST = 16  # elements of a row, or of the rows in a matrix of which there are many
LEAST = 131_072  # elements in all: less is done before there is other code
SYMBOLS = 4  # sizes at most that a function is compiled for: `ag_call.values` holds so many
NESTS = 50  # at most: what is larger takes long to compile


def find(program: Program) -> None:
    """Notes of which sizes short rows may be, with the number of elements in a row and in all."""
    if len(program.nests) > NESTS:
        return
    found: dict[Node, dict[tuple[Dim, Dim], None]] = {}
    for nest in program.nests:
        for stmt in nest.body:
            if isinstance(stmt, For):
                look(stmt, 1, program, found)
    program.short = {size: list(found[size]) for size in list(found)[:SYMBOLS]}


def look(loop: For, outside: Dim, program: Program, found: dict[Node, dict[tuple[Dim, Dim], None]]) -> list[Dim]:
    """Notes the sizes of loops inside of a loop, which is carried out `outside` times; how many iterations each of the
    innermost ones has for each iteration around."""
    count = loop.iterations
    times = dims.mul(outside, count)
    inner = [s for s in loop.body if isinstance(s, For)]
    spans = [span for s in inner for span in look(s, times, program, found)] or [1]
    for span in spans:
        row, total = dims.mul(count, span), dims.mul(times, span)
        many = not isinstance(outside, int) or outside * LONGEST >= LEAST
        if isinstance(count, Node) and count in program.symbols and many and is_plain(total):
            found.setdefault(count, {})[row, total] = None
    return [dims.mul(count, span) for span in spans]


def is_plain(size: Dim) -> bool:
    """Whether a size is made of sizes of inputs."""
    return all(n.args or n.op in (CONST, SYMBOL) for n in topological([dim_node(size)]))
