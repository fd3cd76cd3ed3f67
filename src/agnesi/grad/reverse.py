"""Reverse mode: cotangents flow from the outputs to the leaves, one rule per op.

A cotangent is a pair (guard, value) that stands for where(guard, value, 0). Through elementwise and index ops the
guard travels beside the value, so that the derivative of a branch not taken never meets the infinity of a local
derivative (0 * inf), however deep the branch is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from agnesi.control.branch import branch_
from agnesi.control.loop import loop_
from agnesi.errors import GradientError
from agnesi.grad.branch import branch_vjp
from agnesi.grad.loop import loop_vjp
from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, cast, const, input_node, make, substitute, topological, value_of
from agnesi.ir.variable import line_of
from agnesi.ops import elementwise as ew
from agnesi.ops.index import broadcast_dims, sum_to_shape

Cotangent = tuple[Node | None, Node]


def zeros_like(node: Node) -> Node:
    """Zeros of the node's type."""
    return broadcast_dims(const(0, node.dtype), node.shape)


def plain(cotangent: Cotangent) -> Node:
    """The cotangent as one expression."""
    guard, value = cotangent
    return value if guard is None else ew.where(guard, value, 0)


def times(a: Any, b: Any) -> Any:
    """The product of a local derivative and a cotangent; factors 1, -1 and 0 cost nothing."""
    if isinstance(a, Node) and a.op is CONST:
        a = value_of(a)
    if isinstance(a, (int, float, complex)):
        return None if a == 0 else b if a == 1 else -b if a == -1 else b * a
    return b * a


def adjoint(partial: Any) -> Any:
    """The conjugate of a local derivative: by it cotangents are multiplied, tangents by the derivative itself."""
    if isinstance(partial, Node):
        return ew.conjugate(partial)
    return partial.conjugate() if isinstance(partial, complex) else partial


def influenced(order: Iterable[Node], wrt: Iterable[Node], constants: Iterable[Node] = ()) -> set[Node]:
    """The nodes of floating or complex dtype through which the outputs depend on `wrt`."""
    stop = set(constants)
    found = set(wrt) - stop
    for node in order:
        carries = dt.is_inexact(node.dtype) if node.op.name != "python_call" else True
        if node not in found and node not in stop and carries and node.op.name != "disconnected_grad":
            if any(a in found for a in node.args):
                found.add(node)
    return found


def reverse(
    outputs: Sequence[Node], seeds: Sequence[Node], wrt: Sequence[Node], constants: Iterable[Node] = ()
) -> list[Node | None]:
    """The cotangent of every node of `wrt`, None where the outputs do not depend on it."""
    order = topological(outputs)
    active = influenced(order, wrt, constants)
    contributions: dict[Node, list[Cotangent]] = {}
    for output, seed in zip(outputs, seeds, strict=True):
        if output in active:
            contributions.setdefault(output, []).append((None, seed))
    wanted = set(wrt)
    results: dict[Node, Cotangent] = {}
    control = ControlCotangents(order)
    for node in reversed(order):
        total = join(contributions.pop(node)) if node in contributions else None
        if total is not None and node in wanted:
            results[node] = total
        if node.op in (loop_, branch_):
            parts = control.parts(node, total, active)
        else:
            parts = backward(node, total, active) if total is not None else []
        for arg, part in parts:
            contributions.setdefault(arg, []).append(part)
    found = {w: plain(c) for w, c in results.items()}
    missing = [w for w in wrt if w not in found]
    linked = reached(order, outputs, active) if missing else set()
    found |= {w: zeros_like(w) for w in missing if w in linked}
    return [found.get(w) for w in wrt]


def whole(node: Node) -> Any:
    """What a node is an output of: a loop or a branch, and its arguments."""
    return node["loop" if node.op is loop_ else "branch"], node.args


class ControlCotangents:
    """The cotangents of the outputs of each loop and branch, until those of all are there: at the first output in the
    order."""

    def __init__(self, order: Sequence[Node]) -> None:
        self.first: dict[Any, Node] = {}
        self.seeds: dict[Any, dict[Node, Node]] = {}
        for node in order:
            if node.op in (loop_, branch_):
                self.first.setdefault(whole(node), node)

    def parts(self, node: Node, total: Cotangent | None, active: set[Node]) -> list[tuple[Node, Cotangent]]:
        """What the cotangents of a loop or branch contribute to its arguments, once they are all there."""
        key = whole(node)
        if total is not None:
            self.seeds.setdefault(key, {})[node] = plain(total)
        if self.first[key] is not node or key not in self.seeds:
            return []
        if node.op is loop_:
            found = loop_vjp(node["loop"], node.args, self.seeds[key], reverse)
        else:
            seeds = {n["which"]: g for n, g in self.seeds[key].items()}
            found = branch_vjp(node["branch"], node.args, seeds, reverse)
        return [(a, (None, p)) for a, p in zip(node.args, found, strict=True) if p is not None and a in active]


def reached(order: list[Node], outputs: Iterable[Node], active: set[Node]) -> set[Node]:
    """The active nodes on which the outputs depend, be it by operations whose derivative is zero."""
    found = {o for o in outputs if o in active}
    for node in reversed(order):
        if node in found:
            found.update(a for a in node.args if a in active)
    return found


def join(parts: list[Cotangent]) -> Cotangent:
    """The sum of cotangents; a guard they share stays one."""
    if len(parts) == 1:
        return parts[0]
    by_guard: dict[Node | None, Node] = {}
    for guard, value in parts:
        by_guard[guard] = by_guard[guard] + value if guard in by_guard else value
    if len(by_guard) == 1:
        return next(iter(by_guard.items()))
    total: Node | None = None
    for item in by_guard.items():
        total = plain(item) if total is None else total + plain(item)
    assert total is not None
    return None, total


def backward(node: Node, cotangent: Cotangent, active: set[Node]) -> list[tuple[Node, Cotangent]]:
    """What the cotangent of a node contributes to each of its arguments that is active."""
    if not any(a in active for a in node.args):
        return []
    guard, g = cotangent
    kind = node.op.kind
    if node.op is ew.where:
        return _where(node, cotangent, active)
    if node.op is ew.conj:
        return [(node.args[0], (guard, ew.conj(g)))]
    if kind == "elementwise":
        return _elementwise(node, cotangent, active)
    if kind == "index":
        moved = vjp_of(node, g)[0]
        mask = vjp_of(node, guard)[0] if guard is not None and moves_only(node) else None
        if guard is not None and mask is None:
            moved = vjp_of(node, plain(cotangent))[0]
        return [(node.args[0], (mask, moved))] if moved is not None else []
    parts = vjp_of(node, plain(cotangent))
    return [(a, (None, p)) for a, p in zip(node.args, parts, strict=True) if p is not None and a in active]


def moves_only(node: Node) -> bool:
    """Whether the op's vjp only moves elements, so that it can be applied to a guard."""
    return node.op.name in ("transpose", "insert", "drop", "reshape", "nonempty")


def vjp_of(node: Node, g: Node) -> tuple[Node | None, ...]:
    """The cotangents of the arguments; composites without a rule of their own are expanded."""
    if node.op.vjp is not None:
        return node.op.vjp(node, g)
    if node.op.expand is not None:
        return expanded_vjp(node, g)
    raise GradientError(f"the operation {node.op.name} has no derivative{built_at(node)}")


def expanded_vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    """The cotangents of a composite's arguments, by way of the expression that it stands for."""
    assert node.op.expand is not None
    stand_ins = tuple(input_node("", a.type) for a in node.args)  # an argument may depend on another one
    found = reverse([node.op.expand(make(node.op, stand_ins, node.attrs))], [g], stand_ins)
    back = dict(zip(stand_ins, node.args, strict=True))
    return tuple(None if f is None else substitute([f], back)[0] for f in found)


def built_at(node: Node) -> str:
    """The line a node was built on, for the end of a message."""
    line = line_of(node)
    return f" (built at {line})" if line else ""


def _where(node: Node, cotangent: Cotangent, active: set[Node]) -> list[tuple[Node, Cotangent]]:
    condition, a, b = node.args
    guard, g = cotangent
    result: list[tuple[Node, Cotangent]] = []
    for branch, own in ((a, condition), (b, ~condition)):
        if branch in active:
            both = own if guard is None else guard & own
            result.append((branch, _fit((both, g), branch)))
    return result


def _elementwise(node: Node, cotangent: Cotangent, active: set[Node]) -> list[tuple[Node, Cotangent]]:
    if node.op.d is None:
        raise GradientError(f"the operation {node.op.name} has no derivative{built_at(node)}")
    guard, g = cotangent
    result: list[tuple[Node, Cotangent]] = []
    for arg, partial in zip(node.args, node.op.d(*node.args, node), strict=True):
        if arg in active:
            if partial is None:
                raise GradientError(f"{node.op.name} has no derivative by one of its arguments{built_at(node)}")
            local = times(adjoint(partial), g)
            if local is not None:
                local = cast(local, arg.dtype)
                result.append((arg, _fit((guard, local), arg)))
    return result


def _fit(cotangent: Cotangent, like: Node) -> Cotangent:
    """The cotangent summed to the shape of an argument that was broadcast."""
    guard, value = cotangent
    shape = like.shape
    if value.shape == shape and (guard is None or guard.shape == shape):
        return cotangent
    return None, sum_to_shape(plain(cotangent), shape)
