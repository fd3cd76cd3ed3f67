"""Rules by which scalars leave sums: divisors and terms, so that loops have less to do.

A divisor y is split in a power of two and a rest from 2 to 4: with s = significand(y), x / y = (x * (s / y)) * (1 / s).
The power of two stays, so nothing overflows or is lost that would not be without the rule; the rest may be moved.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, Node, cast, const, constant, dim_node, substitute, value_of
from agnesi.ir.type import Dim
from agnesi.ops import elementwise as ew
from agnesi.ops.functions import significand
from agnesi.ops.reduce import sum_
from agnesi.rewrite.canonical import among, is_wide
from agnesi.rewrite.pattern import Bindings, Rule, var

FACTORS = 16  # that products which are compared are taken apart into, at most
REACH = 5  # operations below a sum in which quotients are looked for

x, y = var("x"), var("y")
A = var("axes")


def summed_quotients(b: Bindings) -> Node | None:
    """sum(x / y) for a scalar y, and sums of terms made of such quotients, without divisions: terms of a sum are
    rounded anyway."""
    new = quotient_free(b["x"], REACH)
    return None if new is b["x"] else sum_(new, axes=b["axes"])


def quotient_free(node: Node, reach: int) -> Node:
    """An array with arrays divided by a scalar in it, up to `reach` operations deep, as products, within 2 units in the
    last place; NaN, infinities and 0 are those of the quotient."""
    if node.ndim == 0 or node.dtype not in ("float32", "float64"):
        return node
    if node.op is ew.div and node.args[1].ndim == 0:
        x, y = node.args
        s = significand(y)
        return (x * (s / y)) * (1 / s)
    if not reach or node.op not in (ew.mul, ew.add, ew.sub, ew.neg):
        return node
    args = tuple(quotient_free(a, reach - 1) for a in node.args)
    return node if args == node.args else node.op(*args)


def is_rest(node: Node) -> bool:
    """Whether a scalar is the reciprocal of a significand, or a product of such."""
    if node.op is ew.mul:
        return node.ndim == 0 and all(map(is_rest, node.args))
    return node.op is ew.div and node.args[1].op is significand and node.args[0].op is CONST


def without_rest(node: Node) -> tuple[Node, Node | None]:
    """An array as another one and the rest of a divisor by which that is multiplied, if there is one."""
    if node.op is ew.mul and node.ndim:
        first, second = node.args
        if is_rest(second):
            return first, second
        if is_rest(first):
            return second, first
    return node, None


def rests_outward(b: Bindings) -> Node | None:
    """(x * r) * y -> (x * y) * r for the rest r of a divisor"""
    (left, r), (right, t) = map(without_rest, b["node"].args)
    if r is None:
        left, r, right, t = right, t, left, r
    if r is None:
        return None
    if is_rest(right):
        return left * (r * right)
    return (left * right) * (r if t is None else r * t)


def sum_rest(b: Bindings) -> Node | None:
    """sum(x * r) -> sum(x) * r for the rest r of a divisor"""
    x, r = without_rest(b["node"].args[0])
    return None if r is None else sum_(x, axes=b["axes"]) * r


def one_of_several(graph: Graph) -> Graph:
    """The graph with one sum where several differ by powers of two from divisors, as those of x * x / y and x * x do:
    the others are made of it. They overflow, and lose digits, where it does."""
    found: dict[Any, list[tuple[Counter[Node], Node]]] = {}
    divided = any(map(is_power, graph.order))
    for node in graph.order if divided else ():
        if node.op is sum_ and node.args[0].op is ew.mul and is_wide({"x": node}):
            factors, powers = factors_of(node.args[0])
            found.setdefault((node["axes"], frozenset(factors.items())), []).append((powers, node))
    instead: dict[Node, Node] = {}
    for alike in found.values():
        least, base = min(alike, key=lambda one: one[0].total())
        for powers, node in alike:
            if node is not base and least <= powers:
                whole = base
                for power in (powers - least).elements():
                    whole = whole * power
                instead[node] = ew.where(ew.eq(base, 0), base, whole)  # 0 for no elements, whatever the divisor
    return graph.replace(substitute(graph.outputs, instead)) if instead else graph


def factors_of(product: Node) -> tuple[Counter[Node], Counter[Node]]:
    """What an array is the product of: arrays, quotients among them, and further powers of two from divisors. What has
    many factors, such as high powers, is taken apart as far as that stays short."""
    factors, powers, work = Counter[Node](), Counter[Node](), list(product.args)
    parts = 0
    while work:
        part = work.pop()
        if is_power(part):
            powers[part] += 1
        elif part.op is ew.mul and not is_quotient(part) and parts < FACTORS:
            parts += 1
            work += part.args
        else:
            factors[part] += 1
    return factors, powers


def is_quotient(product: Node) -> bool:
    """Whether a product is what a quotient of something else became."""
    return any(is_power(b) and a.op is not ew.mul for a, b in (product.args, product.args[::-1]))


def is_power(node: Node) -> bool:
    """Whether a scalar is the power of two in a divisor."""
    return node.op is ew.div and node.args[0].op is significand and node.args[0].args[0] is node.args[1]


def is_rounded(node: Node) -> bool:
    """Whether the elements of an array are rounded results, of which a constant may have been taken: then what its sum
    loses by further rounding is no more than they have lost."""
    while node.op in (ew.add, ew.sub, ew.neg):
        arrays = [a for a in node.args if a.ndim]
        if len(arrays) != 1:
            return False
        (node,) = arrays
    return node.ndim > 0 and (node.op in (ew.mul, ew.div) or node.op.cost >= ew.exp.cost)


def sum_scalar(b: Bindings) -> Node | None:
    """sum(x + y) -> sum(x) + n * y for a scalar y and n elements, and so for differences"""
    inner: Node = b["node"].args[0]
    first = inner.args[0].ndim == 0
    scalar, array = inner.args if first else inner.args[::-1]
    if scalar.ndim or not is_rounded(array):
        return None
    n: Dim = 1
    for axis in b["axes"]:
        n = dims.mul(n, inner.shape[axis])
    total, count = sum_(array, axes=b["axes"]), cast(dim_node(n), inner.dtype)
    whole = scalar * count
    if not (scalar.op is CONST and np.isfinite(value_of(scalar))):
        whole = ew.where(ew.eq(count, 0), 0, whole)
    return inner.op(whole, total) if first else inner.op(total, whole)


def _numbers() -> Node:
    return constant(np.array([1.5, -2.0, 7.0]))


def _rest() -> Node:
    return 1 / significand(const(3.0, "float64"))


SCALARS = [
    Rule("sum_quotients", sum_(x, axes=A), summed_quotients, "rounding", is_wide,
         lambda: sum_((_numbers() / const(3.0, "float64")) * _numbers(), axes=(0,))),
    Rule("rests_outward", x * y, rests_outward, "rounding", is_wide,
         lambda: ew.mul(ew.mul(_numbers(), _rest()), ew.mul(_numbers(), _rest())), among("mul")),
    Rule("sum_rest", sum_(x * y, axes=A), sum_rest, "rounding", is_wide,
         lambda: sum_(ew.mul(_numbers(), _rest()), axes=(0,))),
    Rule("sum_scalar", sum_(x + y, axes=A), sum_scalar, "rounding", is_wide,
         lambda: sum_(ew.exp(_numbers()) + const(3.0, "float64"), axes=(0,))),
    Rule("sum_less_scalar", sum_(x - y, axes=A), sum_scalar, "rounding", is_wide,
         lambda: sum_(const(3.0, "float64") - ew.exp(_numbers()), axes=(0,))),
]  # fmt: skip
