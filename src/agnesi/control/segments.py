"""Loops in segments: a loop over segments around a loop over their steps.

Reverse mode keeps the states that an outer step begins with, and runs the inner loop once more: memory for the segments
and for the steps of one of them, instead of for all steps (A. Griewank: Achieving logarithmic growth of temporal and
spatial complexity in reverse automatic differentiation, 1992, whose schemes have more levels).
"""

from __future__ import annotations

from collections.abc import Sequence

from agnesi.control.loop import element, make_loop, output
from agnesi.ir import dims
from agnesi.ir.node import Node, as_dim, cast, dim_node, input_node
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type
from agnesi.ops import elementwise as ew
from agnesi.ops.index import expand_dims, reshape_dims, section


def root_of(steps: Dim) -> Dim:
    """The length of segments of which there are about as many as they have steps."""
    return as_dim(cast(ew.ceil(ew.sqrt(cast(ew.maximum(dim_node(steps), 1), "float64"))), "int64"))


def make_segments(
    steps: Dim, length: Dim, sequences: Sequence[Node], firsts: Sequence[Node], taps: Sequence[tuple[int, ...]],
    local: Sequence[Node], outputs: Sequence[Node], name: str
) -> tuple[list[Node], list[Node]]:  # fmt: skip
    """All outputs of a loop as make_loop gives them, and the last values of its states.

    Steps that do not fill a segment come first, so that last values are always those of the loop over segments.
    """
    count = as_dim(ew.floordiv(dim_node(steps), dim_node(length)))
    within = dims.mul(count, length)
    begin = dims.sub(steps, within)
    depths = [max(back) for back in taps]
    head = make_loop(begin, [section(x, 0, 0, begin) for x in sequences], firsts, taps, local, outputs, None, name)
    starts = [section(h, 0, begin, depth) for h, depth in zip(head, depths, strict=False)]
    cut = [reshape_dims(section(x, 0, begin, within), (count, length, *x.shape[1:])) for x in sequences]
    given = [input_node("step", Type("int64"))]
    given += [input_node("", Type(x.dtype, x.shape[1:])) for x in cut]
    given += [input_node("", s.type) for s in starts]
    parts, before = given[1 : 1 + len(cut)], given[1 + len(cut) :]
    inner = make_loop(length, parts, before, taps, local, outputs, None, name)
    made = [section(h, 0, length, depth) for h, depth in zip(inner, depths, strict=False)]
    made += [section(h, 0, depth, length) for h, depth in zip(inner, depths, strict=False)]
    made += inner[len(depths) :]
    outer = make_loop(
        count, cut, [expand_dims(s, (0,)) for s in starts], [(1,)] * len(starts), given, made, None,
        f"the segments of {name}",
    )  # fmt: skip
    rows = [reshape_dims(x, (within, *x.shape[2:])) for x in outer[len(starts) :]]
    found = [OPS["concatenate"](a, b, axis=0) for a, b in zip(head, rows, strict=True)]
    ends = [output(o["loop"], o.args, k, last=True) for k, o in enumerate(outer[: len(starts)])]
    return found, [element(end, dim_node(depth - 1)) for end, depth in zip(ends, depths, strict=True)]
