"""Closed graphs: made of expressions in stand-ins, and put back into others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, Node, dim_node, input_node, substitute, symbol, topological
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import keep_line

LOCAL = ("leaf", "elementwise", "index", "gather")  # kinds of ops that are computed element by element


class ByRows:
    """What graphs make up, compared by what they compute."""

    __slots__ = ("_rows", "_hash")

    def __init__(self, *rows: Any) -> None:
        self._rows, self._hash = rows, hash(repr(rows))

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is type(self) and self._rows == other._rows)

    def __hash__(self) -> int:
        return self._hash


def is_late(dim: Dim) -> bool:
    """Whether a size takes loops to compute, so that it is known only when some nests have run."""
    return isinstance(dim, Node) and any(n.op.kind not in LOCAL for n in topological([dim]))


def inline(graph: Graph, args: Sequence[Node]) -> list[Node]:
    """The outputs of a closed graph with these nodes as its inputs."""
    mapping: dict[Node, Node] = dict(zip(graph.inputs, args, strict=True))
    for size, (position, axis) in graph.symbols.items():
        mapping[size] = dim_node(args[position].shape[axis])
    return substitute(graph.outputs, mapping)


def general(types: Sequence[Type]) -> list[Node]:
    """Inputs of these types, with unknown sizes free: equal ones stay equal."""
    fresh: dict[Node, Node] = {}
    inputs = []
    for k, type in enumerate(types):
        shape = tuple(d if isinstance(d, int) else fresh.setdefault(d, symbol("")) for d in type.shape)
        inputs.append(input_node(f"x{k}", Type(type.dtype, shape)))
    return inputs


def closed(local: Sequence[Node], outputs: Sequence[Node]) -> tuple[Graph, list[Node]]:
    """A closed graph of outputs that depend on local inputs, and what else it needs: its further inputs."""
    order = topological(outputs)
    inside = set(local)
    for n in order:
        if any(a in inside for a in n.args):
            inside.add(n)
    needed = [a for n in order if n in inside for a in n.args] + list(outputs)
    captured = list(dict.fromkeys(a for a in needed if a not in inside and a.op is not CONST))
    inputs = general([n.type for n in (*local, *captured)])
    mapping = dict(zip([*local, *captured], inputs, strict=True))
    own = [n for n in order if n in inside]
    for old, new in zip(own, substitute(own, mapping), strict=True):
        keep_line(old, new)
    return Graph(inputs, substitute(outputs, mapping)), captured
