"""Rules towards one form: constants folded, neutral elements dropped, signs and factors moved outwards."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, const, same_shape, value_of
from agnesi.ir.op import OPS, Op
from agnesi.ir.type import same
from agnesi.ops import elementwise as ew
from agnesi.ops.passing import hint_
from agnesi.ops.reduce import sum_
from agnesi.rewrite.pattern import Bindings, Pattern, Rule, var

first, then = var("first"), var("then")
x, y, z = var("x"), var("y"), var("z")
c, d = var("c", "const"), var("d", "const")
A = var("axes")


def is_float(b: Bindings) -> bool:
    """Whether x is of a floating dtype."""
    return dt.is_float(b["x"].dtype)


def is_wide(b: Bindings) -> bool:
    """Whether x has more than half precision: what is rounded in another place then differs by little."""
    return is_float(b) and b["x"].dtype not in dt.HALVES


def is_real(b: Bindings) -> bool:
    """Whether x is not complex. Products and quotients of complex numbers have other signs of zero and other NaNs."""
    return not dt.is_complex(b["x"].dtype)


def fold(b: Bindings) -> Node | None:
    """An elementwise op on constants, computed now."""
    node: Node = b["node"]
    if node.ndim or not all(a.op is CONST for a in node.args) or node.op.may_raise:
        return None
    with np.errstate(all="ignore"):
        arrays = [np.array(value_of(a), dt.wide(a.dtype)) for a in node.args]
        return const(np.asarray(node.op.evaluate(*arrays, shape=(), **dict(node.attrs))), node.dtype)


def fill_cut(b: Bindings) -> Node | None:
    """f(broadcast_to(a), c) -> f(a, c) where the result keeps its shape."""
    node: Node = b["node"]
    for k, a in enumerate(node.args):
        if a.op.name == "broadcast_to":
            args = (*node.args[:k], a.args[0], *node.args[k + 1 :])
            new: Node = node.op(*args, **dict(node.attrs))
            if same_shape(new.shape, node.shape) and new.dtype == node.dtype:
                return new
    return None


def lead_cut(b: Bindings) -> Node | None:
    """f(x[None, :], c) -> f(x, c), since broadcasting adds leading axes by itself."""
    node: Node = b["node"]
    for k, a in enumerate(node.args):
        if a.op.name == "insert" and a["axes"] == tuple(range(len(a["axes"]))) and a.ndim <= node.ndim:
            args = (*node.args[:k], a.args[0], *node.args[k + 1 :])
            new: Node = node.op(*args, **dict(node.attrs))
            if same_shape(new.shape, node.shape) and new.dtype == node.dtype:
                return new
    return None


def any_of(op: Op) -> Pattern:
    """The op on anything."""
    return Pattern(op, ())


def all_constant(ops: tuple[Op, ...]) -> bool:
    """Whether all arguments are scalar constants."""
    return all(op is CONST for op in ops)


def among(name: str) -> Callable[[tuple[Op, ...]], bool]:
    """Whether this op is one of those of the arguments."""
    return lambda ops: any(op.name == name for op in ops)


UNFOLDED = (ew.check_index, ew.cast, ew.copy, hint_)
FOLDING = [op for op in OPS.values() if op.kind == "elementwise" and op not in UNFOLDED]
BROADCASTING = [op for op in FOLDING if op.arity > 1 and op is not ew.meet]


def scaled_sum(b: Bindings) -> Node:
    """sum(x * c) -> sum(x) * c"""
    return sum_(b["x"], axes=b["axes"]) * b["c"]


def power_of_two(b: Bindings) -> bool:
    """Whether the reciprocal of the constant is exact."""
    value = value_of(b["c"])
    if not is_float(b) or value == 0 or abs(np.frexp(value)[0]) != 0.5:
        return False
    low, high = (2.0**-14, 2.0**14) if b["x"].dtype == "float16" else (1e-30, 1e30)
    return low <= abs(value) <= high


def counted(b: Bindings) -> bool:
    """Whether an array is divided by one whole number, whose reciprocal is then computed once."""
    return is_wide(b) and b["x"].ndim > 0 and b["y"].ndim == 0 and b["y"].dtype == "int64"


def divides_rows(b: Bindings) -> bool:
    """Whether many elements are divided by one square root; its reciprocal neither overflows nor is subnormal."""
    divisor, array = (sum(not same(d, 1) for d in b[k].shape) for k in "yx")
    return divisor < array and is_wide(b)


def widening(b: Bindings) -> bool:
    """Whether the inner cast loses nothing."""
    inner, first = b["x"].dtype, b["first"]
    return bool(np.can_cast(inner, first, "safe"))


CANONICAL = [
    *(Rule(f"fold_{op.name}", any_of(op), fold, "rounding", fits=all_constant) for op in FOLDING),
    *(Rule(f"fill_cut_{op.name}", any_of(op), fill_cut, "bitwise", fits=among("broadcast_to")) for op in BROADCASTING),
    *(Rule(f"lead_cut_{op.name}", any_of(op), lead_cut, "bitwise", fits=among("insert")) for op in BROADCASTING),
    Rule("add_zero", x + 0, x, "rounding"),
    Rule("sub_zero", x - 0, x, "bitwise"),
    Rule("zero_sub", ew.sub(0, x), -x, "rounding"),
    Rule("mul_one", x * 1, x, "bitwise", is_real),
    Rule("div_one", x / 1, x, "bitwise", is_real),
    Rule("mul_minus_one", x * -1, -x, "bitwise", is_float),
    Rule("neg_neg", ew.neg(-x), x, "bitwise"),
    Rule("add_neg", x + (-y), x - y, "bitwise"),
    Rule("sub_neg", x - (-y), x + y, "bitwise"),
    Rule("neg_sub", -(x - y), y - x, "rounding", is_float),
    Rule("mul_neg", x * (-y), -(x * y), "bitwise", is_real),
    Rule("div_neg", x / (-y), -(x / y), "bitwise", is_real),
    Rule("neg_div", (-x) / y, -(x / y), "bitwise", is_real),
    Rule("neg_const", (-x) * c, lambda b: b["x"] * (-b["c"]), "bitwise", is_float),
    Rule("div_const", x / c, lambda b: b["x"] * (1 / b["c"]), "bitwise", power_of_two),
    Rule("div_div", (x / y) / z, x / (y * z), "real"),
    Rule("invert_invert", ~~x, x, "bitwise"),
    Rule("where_same", ew.where(x, y, y), y, "bitwise"),
    Rule("where_not", ew.where(~x, y, z), ew.where(x, z, y), "bitwise"),
    Rule("cast_cast", ew.cast(ew.cast(x, dtype=first), dtype=then),
         lambda b: ew.cast(b["x"], dtype=b["then"]), "bitwise", widening,
         lambda: ew.cast(ew.cast(const(1.5, "float32"), dtype="float64"), dtype="int64")),
    Rule("cast_same", ew.cast(x, dtype=then),
         lambda b: b["x"] if b["x"].dtype == b["then"] else None, "bitwise"),
    Rule("sum_scaled", sum_(x * c, axes=A), scaled_sum, "rounding", is_wide),
    Rule("sum_neg", sum_(-x, axes=A), -sum_(x, axes=A), "rounding"),
]  # fmt: skip


def zero_times(b: Bindings) -> bool:
    """Whether x cannot be NaN or infinite: it is an integer."""
    return not dt.is_inexact(b["x"].dtype)


CANONICAL += [
    Rule("mul_zero", x * 0, 0, "bitwise", zero_times),
    Rule("mul_zero_real", x * 0, 0, "real"),
]


# Quotients have one form while rules look for them, and another when loops are made.
QUOTIENTS = [
    Rule("mul_reciprocal", x * (1 / y), x / y, "rounding", is_wide),
]

LATE = [
    Rule("div_sqrt", x / ew.sqrt(y), lambda b: b["x"] * (1 / b["node"].args[1]), "rounding", divides_rows),
    Rule("div_count", x / ew.cast(y, dtype=var("to")), lambda b: b["x"] * (1 / b["node"].args[1]), "rounding", counted),
]
