"""Loops in segments: a loop over segments around a loop over their steps, which may be in segments again.

Reverse mode keeps the states that an outer step begins with, and runs the inner loop once more: memory for the segments
and for the steps of one of them, instead of for all steps (A. Griewank: Achieving logarithmic growth of temporal and
spatial complexity in reverse automatic differentiation, 1992). Every level of segments is one more run forwards.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from agnesi.control.loop import element, make_loop, output
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, dim_node, input_node
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type
from agnesi.ops import elementwise as ew
from agnesi.ops.index import expand_dims, reshape_dims, section

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
LEVELS = 5  # of segments at most


def segment_lengths(checkpoint: int | str | None, steps: Dim, firsts: Sequence[Node]) -> tuple[Dim, ...]:
    """How many steps a segment has, at each level; none where all states are kept.

    checkpoint: as scan takes it. firsts: the first values of the states. Raises ValueError where a budget is too small.
    """
    if checkpoint is None or isinstance(checkpoint, int):
        if checkpoint is not None and checkpoint < 1:
            raise ValueError(f"checkpoint is a number of steps, 'auto', or a budget like '10 MB', not {checkpoint}")
        return () if checkpoint is None else (checkpoint,)
    budget = math.inf if checkpoint == "auto" else _bytes(checkpoint)
    sizes = [math.prod(f.shape[1:]) * dt.SIZES[f.dtype] for f in firsts if all(isinstance(s, int) for s in f.shape[1:])]
    if checkpoint == "auto" or not isinstance(steps, int) or len(sizes) < len(firsts):
        return (_root_of(steps),)
    if steps * sum(sizes) <= budget:
        return ()
    needs = []
    for levels in range(2, LEVELS + 2):
        root = math.ceil(steps ** (1 / levels))
        needs.append(levels * root * sum(sizes))
        if needs[-1] <= budget:
            return tuple(root**k for k in range(levels - 1, 0, -1))
    raise ValueError(f"{steps} steps whose states are of {sum(sizes)} bytes need {min(needs)} bytes for checkpoints")


def _bytes(text: str) -> float:
    found = re.fullmatch(r"([0-9.]+) ?(\w+)", text)
    if not found or found[2] not in UNITS:
        units = ", ".join(UNITS)
        raise ValueError(f"checkpoint is 'auto', or a number and one of {units}, like '10 MB', not {text!r}")
    return float(found[1]) * UNITS[found[2]]


def _root_of(steps: Dim) -> Dim:
    """The length of segments of which there are about as many as they have steps."""
    return as_dim(cast(ew.ceil(ew.sqrt(cast(ew.maximum(dim_node(steps), 1), "float64"))), "int64"))


def make_segments(
    steps: Dim, lengths: Sequence[Dim], sequences: Sequence[Node], firsts: Sequence[Node],
    taps: Sequence[tuple[int, ...]], local: Sequence[Node], outputs: Sequence[Node], name: str,
) -> tuple[list[Node], list[Node]]:  # fmt: skip
    """All outputs of a loop as make_loop gives them, and for each state its values after the last step.

    Steps that do not fill a segment come first, so that last values are always those of the loop over segments.
    """
    depths = [max(back) for back in taps]
    if not lengths:
        found = make_loop(steps, sequences, firsts, taps, local, outputs, None, name)
        return found, [values_at_end(h, steps, depth) for h, depth in zip(found, depths, strict=False)]
    length, *finer = lengths
    count = as_dim(ew.floordiv(dim_node(steps), dim_node(length)))
    within = dims.mul(count, length)
    begin = dims.sub(steps, within)
    head, starts = make_segments(
        begin, finer, [section(x, 0, 0, begin) for x in sequences], firsts, taps, local, outputs, name
    )
    cut = [reshape_dims(section(x, 0, begin, within), (count, length, *x.shape[1:])) for x in sequences]
    given = [input_node("step", Type("int64"))]
    given += [input_node("", Type(x.dtype, x.shape[1:])) for x in cut]
    given += [input_node("", s.type) for s in starts]
    parts, before = given[1 : 1 + len(cut)], given[1 + len(cut) :]
    inner, made = make_segments(length, finer, parts, before, taps, local, outputs, name)
    made += [section(h, 0, depth, length) for h, depth in zip(inner, depths, strict=False)]
    made += inner[len(depths) :]
    outer = make_loop(
        count, cut, [expand_dims(s, (0,)) for s in starts], [(1,)] * len(starts), given, made, None,
        f"the segments of {name}",
    )  # fmt: skip
    rows = [reshape_dims(x, (within, *x.shape[2:])) for x in outer[len(starts) :]]
    found = [OPS["concatenate"](a, b, axis=0) for a, b in zip(head, rows, strict=True)]
    return found, [output(o["loop"], o.args, k, last=True) for k, o in enumerate(outer[: len(starts)])]


def values_at_end(history: Node, steps: Dim, depth: int) -> Node:
    """The last values of a state. One alone is an output of its own, whose cotangent needs no array for all steps."""
    if depth > 1:
        return section(history, 0, steps, depth)
    return expand_dims(output(history["loop"], history.args, history["which"], last=True), (0,))


def last_values(ends: Sequence[Node]) -> list[Node]:
    """Of the values of states after a loop the last one each."""
    return [element(end, dim_node(dims.sub(end.shape[0], 1))) for end in ends]
