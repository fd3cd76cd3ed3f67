"""Rules that hold of real numbers only, for the mode "fast_math": factors and terms that vary less than the rest of a
product or sum are taken out of it. Sums then may overflow or cancel where those of the terms would not."""

from __future__ import annotations

from collections.abc import Callable

from agnesi.ir import dims
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.op import Op
from agnesi.ir.type import Dim, same
from agnesi.ops import elementwise as ew
from agnesi.ops.index import drop, iota, reshape_dims
from agnesi.ops.reduce import sum_
from agnesi.rewrite.canonical import is_wide
from agnesi.rewrite.pattern import Bindings, Rule, var

x, y = var("x"), var("y")
A = var("axes")


def rank(node: Node) -> int:
    """Along how many axes an array varies."""
    return sum(not same(d, 1) for d in node.shape)


def scaled(node: Node) -> tuple[Node, Op, Node] | None:
    """x * s and x / s as (x, the op, s), where s varies along fewer axes than x."""
    if node.op is ew.mul:
        first, second = node.args
        if rank(second) < rank(first):
            return first, ew.mul, second
        return (second, ew.mul, first) if rank(first) < rank(second) else None
    if node.op is ew.div and rank(node.args[1]) < rank(node.args[0]):
        return node.args[0], ew.div, node.args[1]
    return None


def outward(b: Bindings) -> Node | None:
    """(x * s) * y -> (x * y) * s, and likewise with quotients, where s varies less than y; (x * s) * t -> x * (s * t)
    where both vary along as many axes, fewer than x."""
    node: Node = b["node"]
    places = (0, 1) if node.op is ew.mul else (0,)
    for k in places:
        found, other = scaled(node.args[k]), node.args[1 - k]
        if found is None:
            continue
        inner, op, s = found
        if rank(other) > rank(s):
            return op(node.op(inner, other), s)
        if rank(other) == rank(s):
            return op(inner, s * other) if op is node.op else inner * (other / s if op is ew.div else s / other)
    return None


def fixed(node: Node, b: Bindings) -> Node | None:
    """What stays the same along all axes of a sum over an array of full shape, without these axes; else None."""
    if node.ndim == 0:
        return node
    axes = b["axes"]
    if node.ndim == b["node"].args[0].ndim and all(same(node.shape[a], 1) for a in axes):
        return drop(node, axes=axes)
    return None


def sums(join: Callable[[Bindings, Node, Node, bool], Node | None]) -> Callable[[Bindings], Node | None]:
    """A right side for sums of two arrays, one of which is fixed: `join` gets the sum of the other one, the fixed one,
    and whether that is the first."""

    def right(b: Bindings) -> Node | None:
        inner = b["node"].args[0]
        for k, (moving, still) in enumerate((inner.args, inner.args[::-1])):
            s = fixed(still, b)
            full = moving.ndim == inner.ndim and all(map(same, moving.shape, inner.shape))
            if s is not None and full:
                return join(b, sum_(moving, axes=b["axes"]), s, k == 1)
        return None

    return right


def product(b: Bindings, total: Node, s: Node, first: bool) -> Node:
    """sum(x * s) = sum(x) * s"""
    return total * s


def quotient(b: Bindings, total: Node, s: Node, first: bool) -> Node | None:
    """sum(x / s) = sum(x) / s"""
    return None if first else total / s


def term(b: Bindings, total: Node, s: Node, first: bool) -> Node:
    """sum(x + s) = sum(x) + n * s for n elements, and so for differences"""
    inner = b["node"].args[0]
    n: Dim = 1
    for axis in b["axes"]:
        n = dims.mul(n, inner.shape[axis])
    whole = s * cast(dim_node(n), inner.dtype)
    return inner.op(whole, total) if first else inner.op(total, whole)


def _scaled() -> tuple[Node, Node]:
    """Two matrices, one of them scaled along its rows."""
    matrix, row = (cast(iota(dim_node(n)), "float64") for n in (6, 3))
    matrix = reshape_dims(matrix, (2, 3))
    return (matrix + 1) * row, matrix + 2


REAL = [
    Rule("factors_outward", x * y, outward, "real", is_wide, lambda: ew.mul(*_scaled())),
    Rule("add_same", x + x, x * 2, "real", is_wide),
    Rule("quotients_outward", x / y, outward, "real", is_wide, lambda: ew.div(*_scaled())),
    Rule("sum_factor", sum_(x * y, axes=A), sums(product), "real", is_wide),
    Rule("sum_quotient", sum_(x / y, axes=A), sums(quotient), "real", is_wide),
    Rule("sum_term", sum_(x + y, axes=A), sums(term), "real", is_wide),
    Rule("sum_difference", sum_(x - y, axes=A), sums(term), "real", is_wide),
]
