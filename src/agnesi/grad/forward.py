"""Forward mode: tangents flow from the leaves to the outputs along the same local rules."""

from __future__ import annotations

from collections.abc import Sequence

from agnesi.control.branch import branch_
from agnesi.control.loop import loop_, output
from agnesi.errors import GradientError
from agnesi.grad.branch import branch_jvp
from agnesi.grad.loop import loop_jvp
from agnesi.grad.reverse import built_at, influenced, times, zeros_like
from agnesi.ir.node import Node, cast, topological
from agnesi.ops import elementwise as ew
from agnesi.ops.index import broadcast_dims


def forward(outputs: Sequence[Node], wrt: Sequence[Node], tangents: Sequence[Node]) -> list[Node | None]:
    """The tangent of every output, None where it does not depend on `wrt`."""
    order = topological(outputs)
    active = influenced(order, wrt)
    found: dict[Node, Node] = {}
    for node, tangent in zip(wrt, tangents, strict=True):
        found[node] = found[node] + tangent if node in found else tangent
    for node in order:
        if node in active and node not in found:
            result = _tangent(node, found)
            if result is not None:
                found[node] = result
    return [found.get(o) for o in outputs]


def _tangent(node: Node, found: dict[Node, Node]) -> Node | None:
    parts = [found.get(a) for a in node.args]
    if all(p is None for p in parts):
        return None
    if node.op is loop_:
        return _loop(node, parts)
    if node.op is branch_:
        return branch_jvp(node["branch"], node.args, parts, forward)[node["which"]]
    if node.op is ew.where:
        return _where(node, parts)
    if node.op is ew.conj:
        return ew.conj(parts[0])
    if node.op.kind == "elementwise":
        return _elementwise(node, parts)
    if node.op.jvp is not None:
        return node.op.jvp(node, parts)
    if node.op.expand is not None:
        pairs = [(a, p) for a, p in zip(node.args, parts, strict=True) if p is not None]
        return forward([node.op.expand(node)], [a for a, _ in pairs], [p for _, p in pairs])[0]
    raise GradientError(f"the operation {node.op.name} has no derivative{built_at(node)}")


def _loop(node: Node, parts: list[Node | None]) -> Node | None:
    tangent = loop_jvp(node["loop"], node.args, parts, forward)[node["which"]]
    if tangent is None or not node["last"]:
        return tangent
    return output(tangent["loop"], tangent.args, tangent["which"], last=True)


def _where(node: Node, parts: list[Node | None]) -> Node:
    condition, a, b = node.args
    ta, tb = (p if p is not None else zeros_like(x) for x, p in ((a, parts[1]), (b, parts[2])))
    return broadcast_dims(ew.where(condition, ta, tb), node.shape)


def _elementwise(node: Node, parts: list[Node | None]) -> Node | None:
    if node.op.d is None:
        raise GradientError(f"the operation {node.op.name} has no derivative{built_at(node)}")
    total: Node | None = None
    for partial, tangent in zip(node.op.d(*node.args, node), parts, strict=True):
        if partial is None and tangent is not None:
            raise GradientError(f"{node.op.name} has no derivative by one of its arguments{built_at(node)}")
        term = times(partial, tangent) if tangent is not None else None
        if term is not None:
            total = term if total is None else total + term
    return None if total is None else broadcast_dims(cast(total, node.dtype), node.shape)
