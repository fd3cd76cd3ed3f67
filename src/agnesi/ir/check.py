"""The verifier of values: what must hold of every graph, whatever pass made it."""

from __future__ import annotations

from agnesi.errors import VerificationError
from agnesi.ir.graph import Graph
from agnesi.ir.node import INDEX, LOAD, TEMP, Node, make
from agnesi.ir.type import Type


def verify(graph: Graph, like: tuple[Type, ...] | None = None) -> None:
    """Raises VerificationError where a node is not what its op infers, or an output's type is not as promised."""
    for node in graph.order:
        if node.op in (INDEX, TEMP, LOAD):
            raise VerificationError(f"{node.op.name} stands in a graph of values; it belongs into loops")
        if node.args and make(node.op, node.args, node.attrs) is not node:
            raise VerificationError(f"{node!r} is not the interned node of its op and arguments")
        if node.args:
            _check_type(node)
    for position, (node, wanted) in enumerate(zip(graph.outputs, like or (), strict=bool(like))):
        if node.dtype != wanted.dtype or node.ndim != wanted.ndim:
            raise VerificationError(f"output {position} is {node.type}; it should be {wanted}")


def _check_type(node: Node) -> None:
    inferred = node.op.infer(*node.args, **dict(node.attrs))
    if inferred != node.type:
        raise VerificationError(f"{node!r} should be {inferred} by its op's inference")
