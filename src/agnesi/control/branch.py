"""Branches as an operation: two closed graphs, of which a condition chooses the one that is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnesi.control.closed import ByRows, general, inline, is_late
from agnesi.errors import TypeMismatch
from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, Node, make, substitute, topological
from agnesi.ir.op import Op, register
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import keep_line
from agnesi.ops.declare import Array
from agnesi.reference import evaluate


class Branch(ByRows):
    """What is computed where a condition holds, and where it does not.

    sides: two graphs with the same inputs, and outputs of the same types.
    """

    __slots__ = ("sides", "name")

    def __init__(self, sides: tuple[Graph, Graph], name: str = "") -> None:
        super().__init__(*(side.rows() for side in sides))
        self.sides, self.name = sides, name

    def __repr__(self) -> str:
        return f"<branch {' '.join(side.digest() for side in self.sides)}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Branch, (self.sides, self.name)

    @property
    def count(self) -> int:
        """The number of outputs."""
        return len(self.sides[0].outputs)

    def __call__(self, args: Sequence[Node]) -> list[Node]:
        """All outputs, for the condition and the inputs of the graphs."""
        return [chosen(self, args, k) for k in range(self.count)]

    def results(self, args: Sequence[Node]) -> tuple[list[Node], list[Node]]:
        """What the two sides compute from the arguments."""
        then, otherwise = self.sides
        return inline(then, args[1:]), inline(otherwise, args[1:])


def chosen(branch: Branch, args: Sequence[Node], which: int) -> Node:
    """One output of a branch."""
    return make(branch_, tuple(args), (("branch", branch), ("which", which)))


def _infer(*args: Node, branch: Branch, which: int) -> Type:
    return inline(branch.sides[0], args[1:])[which].type


def _equal(node: Node) -> list[tuple[Dim, Dim]]:
    then, otherwise = (side[node["which"]] for side in node["branch"].results(node.args))
    return list(zip(then.shape, otherwise.shape, strict=True))


def _evaluate(condition: Array, *args: Array, shape: Any, branch: Branch, which: int) -> Array:
    side = branch.sides[0 if condition else 1]
    return evaluate(side, list(args))[which]


branch_: Op = register(
    Op(name="branch", kind="call", infer=_infer, evaluate=_evaluate, equal=_equal, cost=1000,
       doc="An output of one of two graphs, which a condition chooses; the other one is not computed.")
)  # fmt: skip


def make_branch(condition: Node, then: Sequence[Node], otherwise: Sequence[Node], name: str = "") -> list[Node]:
    """The outputs of a branch between two lists of values of the same types.

    What both sides need is computed before; what only one needs belongs to it, except for values whose sizes loops
    decide: memory is not allocated within a branch.
    """
    for k, (a, b) in enumerate(zip(then, otherwise, strict=True)):
        if a.dtype != b.dtype or a.ndim != b.ndim:
            raise TypeMismatch(f"output {k} of {name or 'a branch'} is {a.type} on one side and {b.type} on the other")
    orders = topological(then), topological(otherwise)
    sized = [n for order in orders for n in order if any(map(is_late, n.shape))]
    both = set(orders[0]).intersection(orders[1]).union(topological(sized))
    own = [[n for n in order if n.args and n not in both] for order in orders]
    inside = set(own[0]).union(own[1])
    needed = [a for side in own for n in side for a in n.args] + [*then, *otherwise]
    captured = list(dict.fromkeys(a for a in needed if a not in inside and a.op is not CONST))
    inputs = general([n.type for n in captured])
    mapping = dict(zip(captured, inputs, strict=True))
    nodes = [n for side in own for n in side]
    for old, new in zip(nodes, substitute(nodes, mapping), strict=True):
        keep_line(old, new)
    sides = (Graph(inputs, substitute(then, mapping)), Graph(inputs, substitute(otherwise, mapping)))
    return Branch(sides, name)([condition, *captured])
