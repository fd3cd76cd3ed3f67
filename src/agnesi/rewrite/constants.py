"""Rules of constants: those in a chain of sums or products become one, and powers become products and roots."""

from __future__ import annotations

import numpy as np

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, cast, const, dim_node, value_of
from agnesi.ir.op import Op
from agnesi.ops import elementwise as ew
from agnesi.ops.functions import exp2, significand
from agnesi.ops.index import iota
from agnesi.ops.reduce import sum_
from agnesi.rewrite.canonical import is_wide
from agnesi.rewrite.pattern import Bindings, Rule, var

x, y = var("x"), var("y")
c, d = var("c", "const"), var("d", "const")

LARGEST = 2.0**16  # beyond, a constant may be there to round what it is added to


def folded(combine: np.ufunc, *constants: Node) -> Node:
    """Constants as one, in their dtype."""
    with np.errstate(all="ignore"):
        return const(combine(*(np.array(value_of(k), k.dtype) for k in constants)), constants[0].dtype)


# -- sums ---------------------------------------------------------------------------------------------------

SUMS = (ew.add, ew.sub, np.subtract, 0)
PRODUCTS = (ew.mul, ew.div, np.divide, 1)
"""An operation, its inverse, and what inverts a constant: a function and its first operand."""


def parted(node: Node, operations: tuple[Op, Op, np.ufunc, int]) -> tuple[int, Node, Node] | None:
    """An operation or its inverse with a constant as (sign, rest, constant).

    They stand for sign * rest + constant, and for rest ** sign * constant. The reciprocal of a significand, which may
    leave sums (see scalars.py), stays one.
    """
    direct, inverse, invert, neutral = operations
    if node.op not in (direct, inverse) or not is_wide({"x": node}):
        return None
    first, second = node.args
    if second.op is significand:
        return None
    if second.op is CONST:
        return 1, first, second if node.op is direct else folded(invert, const(neutral, node.dtype), second)
    if first.op is CONST:
        return (1 if node.op is direct else -1), second, first
    return None


def gather_terms(b: Bindings) -> Node | None:
    """(x + c) + d -> x + (c + d), and all forms of it with differences."""
    node: Node = b["node"]
    outer = parted(node, SUMS)
    inner = parted(outer[1], SUMS) if outer else None
    if outer is None or inner is None:
        return None
    (sign, _, d), (inner_sign, rest, c) = outer, inner
    if rest.op is CONST or not all(abs(value_of(k)) <= LARGEST for k in (c, d)):
        return None
    total = folded(np.add if sign == 1 else np.subtract, d, c)
    return rest + total if sign * inner_sign == 1 else total - rest


def is_below_zero(b: Bindings) -> bool:
    """Whether a floating constant is negative."""
    return is_wide({"x": b["c"]}) and value_of(b["c"]) < 0


# -- products -----------------------------------------------------------------------------------------------


def is_moderate(*constants: Node) -> bool:
    """Whether constants multiply without overflow or underflow."""
    return all(1e-30 < abs(value_of(k)) < 1e30 for k in constants)


def gather_factors(b: Bindings) -> Node | None:
    """(x * c) * d -> x * (c * d), and all forms of it with quotients."""
    outer = parted(b["node"], PRODUCTS)
    inner = parted(outer[1], PRODUCTS) if outer else None
    if outer is None or inner is None:
        return None
    (power, _, d), (inner_power, rest, c) = outer, inner
    if rest.op is CONST or not is_moderate(c, d):
        return None
    total = folded(np.multiply if power == 1 else np.divide, d, c)
    if not is_moderate(total):
        return None
    return rest * total if power * inner_power == 1 else total / rest


def gather_both(b: Bindings) -> Node | None:
    """(x * c) * (y * d) -> (x * y) * (c * d), and so for quotients; squares stay as they are."""
    node: Node = b["node"]
    left, right = parted(node.args[0], PRODUCTS), parted(node.args[1], PRODUCTS)
    if left is None or right is None or node.args[0] is node.args[1]:
        return None
    (power, x, c), (other, y, d) = left, right
    if x.op is CONST or y.op is CONST or not is_moderate(c, d):
        return None
    total = folded(np.multiply if node.op is ew.mul else np.divide, c, d)
    if not is_moderate(total):
        return None
    if (power, other) == (1, 1):
        return node.op(x, y) * total
    if node.op is ew.mul and power != other:
        return (x / y if power == 1 else y / x) * total
    return None


def multiple(node: Node) -> tuple[Node, Node]:
    """A product with a constant as (rest, constant); anything else is one time itself."""
    found = parted(node, PRODUCTS)
    if found is None or found[0] != 1 or found[1].op is CONST:
        return node, const(1, node.dtype)
    return found[1:]


def gather_multiples(b: Bindings) -> Node | None:
    """x * c + x * d -> x * (c + d), and so for differences, where none of them cancels the other."""
    node: Node = b["node"]
    (x, c), (y, d) = map(multiple, node.args)
    if x is not y or x is node.args[0] is node.args[1] or not is_wide({"x": node}):
        return None
    if (value_of(c) * value_of(d) > 0) != (node.op is ew.add) or not is_moderate(c, d):
        return None
    return x * folded(np.add if node.op is ew.add else np.subtract, c, d)


def sum_of_multiple(b: Bindings) -> Node | None:
    """sum((x * c) * y) -> sum(x * y) * c for constants near 1: others may be there to keep products in range"""
    node: Node = b["node"]
    for k, (part, other) in enumerate((node.args[0].args, node.args[0].args[::-1])):
        x, c = multiple(part)
        if x is not part and other.op is not CONST and 1e-3 < abs(value_of(c)) < 1e3:
            return sum_(x * other if k == 0 else other * x, axes=b["axes"]) * c
    return None


# -- powers -------------------------------------------------------------------------------------------------


def power(b: Bindings) -> Node | None:
    """x ** n for a small whole number n, by repeated squaring, and with a square root for one and a half."""
    base, n = b["x"], value_of(b["c"])
    if isinstance(n, complex) and n.imag == 0:
        n = n.real
    if isinstance(n, complex) or not abs(n) <= 16 or (n < 0 and not dt.is_float(base.dtype)):
        return None
    if n != n // 1 and not is_wide(b):
        return None
    if n == 0.5:
        return ew.sqrt(base)  # as NumPy does, which makes -inf ** 0.5 NaN and no other power of -inf
    if n == int(n):
        result = whole_power(base, abs(int(n)))
    elif 2 * n == int(2 * n) and abs(n) < 4:
        root = ew.sqrt(base) if abs(n) < 1 else ew.sqrt(base) * whole_power(base, int(abs(n)))
        result = ew.where(ew.eq(base, -np.inf), np.inf, ew.abs_(root))
    else:
        return None
    return result if n >= 0 else 1 / result


def whole_power(base: Node, n: int) -> Node:
    """The power of a whole number from 0."""
    if n == 0:
        return ew.eq(base, base) | True if base.dtype == "bool" else const(1, base.dtype)
    result: Node | None = None
    while n:
        if n & 1:
            result = base if result is None else result * base
        n >>= 1
        base = base * base if n else base
    assert result is not None
    return result


def _numbers() -> Node:
    return cast(iota(dim_node(6)), "float64")


def is_two(b: Bindings) -> bool:
    """Whether the base of a power is the number 2.0."""
    return is_wide({"x": b["c"]}) and value_of(b["c"]) == 2


CONSTANTS = [
    Rule("pow_const", x**c, power, "rounding"),
    Rule("pow_of_two", c**x, lambda b: exp2(b["x"]), "rounding", is_two),
    Rule("add_negative", x + c, lambda b: b["x"] - folded(np.negative, b["c"]), "bitwise", is_below_zero),
    Rule("neg_product", -(x * c), lambda b: b["x"] * folded(np.negative, b["c"]), "bitwise", is_below_zero),
    Rule("neg_quotient", -(c / x), lambda b: folded(np.negative, b["c"]) / b["x"], "bitwise", is_below_zero),
    Rule("add_terms", x + y, gather_terms, "rounding",
         example=lambda: ew.sub(1, _numbers()) + 2),
    Rule("sub_terms", x - y, gather_terms, "rounding",
         example=lambda: ew.sub(1, _numbers() + 2)),
    Rule("mul_factors", x * y, gather_factors, "rounding",
         example=lambda: (3 / _numbers()) * 2),
    Rule("div_factors", x / y, gather_factors, "rounding",
         example=lambda: 3 / (_numbers() * 2)),
    Rule("add_multiples", x + y, gather_multiples, "rounding",
         example=lambda: ew.mul(_numbers(), 3) + ew.mul(_numbers(), 4)),
    Rule("sub_multiples", x - y, gather_multiples, "rounding",
         example=lambda: ew.mul(_numbers(), 3) - ew.mul(_numbers(), -4)),
    Rule("sum_multiple", sum_(x * y, axes=var("axes")), sum_of_multiple, "rounding", is_wide,
         lambda: sum_((_numbers() * 3) * ew.exp(_numbers()), axes=(0,))),
    Rule("mul_both", x * y, gather_both, "rounding",
         example=lambda: (_numbers() * 3) * (ew.exp(_numbers()) * 2)),
    Rule("div_both", x / y, gather_both, "rounding",
         example=lambda: (_numbers() * 3) / (ew.exp(_numbers()) * 2)),
]  # fmt: skip
