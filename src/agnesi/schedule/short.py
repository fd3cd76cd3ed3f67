"""Short rows whose size is not declared: a function says what it would gain from, and is compiled again for such sizes.

In `for i: for j: s += x[i, j]` a row of three elements is three iterations of a loop that was made for thousands. Where
the compiler knows that there are three, vectors and registers serve rows like single elements; so it is with products
of many small matrices. So code for any sizes asks at its entry whether rows are short and many; if they are, code for
that size takes over (`runtime/call.c`).
"""

from __future__ import annotations

from functools import reduce

from agnesi.ir import dims
from agnesi.ir.node import CONST, LOAD, SYMBOL, Node, dim_node, topological
from agnesi.ir.type import Dim
from agnesi.loops.stmt import Call, For, Program, Short, walk
from agnesi.rewrite.products import TINY

LONGEST = 16  # elements of a row, or of the rows in a matrix of which there are many
LEAST = 131_072  # elements in all: less is done before there is other code
SYMBOLS = 4  # sizes at most that a function is compiled for: `ag_call.values` holds so many
NESTS = 50  # at most: what is larger takes long to compile

Found = dict[Node, dict[Short, None]]


def find(program: Program) -> None:
    """Notes of which sizes short rows may be, with the number of elements in a row and in all."""
    if len(program.nests) > NESTS:
        return
    found: Found = {}
    for nest in program.nests:
        copies = any(isinstance(s, Call) for s in walk(nest.body))  # its loops move elements to and from products
        for stmt in nest.body:
            if isinstance(stmt, For):
                look(stmt, 1, program, {} if copies else found, found)
    program.short = {size: list(found[size]) for size in list(found)[:SYMBOLS]}


def look(loop: For, outside: Dim, program: Program, rows: Found, products: Found) -> list[Dim]:
    """Notes the sizes of rows and products inside of a loop, which is carried out `outside` times; how many iterations
    each of the innermost loops has for each iteration around."""
    count = loop.iterations
    times = product(outside, count)
    inner = [s for s in loop.body if isinstance(s, For)]
    spans = [span for s in inner for span in look(s, times, program, rows, products)] or [1]
    for span in spans:
        row = product(count, span)
        note(count, Short(row, LONGEST, product(outside, row)), outside, program, rows)
    for call in (s for s in loop.body if isinstance(s, Call) and s.name == "gemm"):
        sizes = (*call.reads[0].sizes, call.writes.sizes[1])
        row = reduce(product, sizes)
        for size in sizes:
            note(size, Short(row, TINY, product(times, row)), times, program, products)
    return [product(count, span) for span in spans]


def product(a: Dim, b: Dim) -> Dim:
    """a * b; a number that is enough says no more than that."""
    result = dims.mul(a, b)
    return min(result, LEAST) if isinstance(result, int) else result


def note(size: Dim, case: Short, times: Dim, program: Program, found: Found) -> None:
    """Takes in a size that is one of an input, of a row of which there may be many."""
    many = not isinstance(times, int) or times * case.most >= LEAST
    parts = topological([dim_node(case.elements)])
    plain = all(n.op in (CONST, SYMBOL) or (n.args and n.op is not LOAD) for n in parts)
    if isinstance(size, Node) and size in program.symbols and many and plain:
        found.setdefault(size, {})[case] = None
