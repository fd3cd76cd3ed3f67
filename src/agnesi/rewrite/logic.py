"""Rules of choices: comparisons, logic, where, extremes and rounding."""

from __future__ import annotations

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, const, value_of
from agnesi.ops import elementwise as ew
from agnesi.ops.index import broadcast_dims
from agnesi.rewrite.canonical import is_float
from agnesi.rewrite.pattern import Bindings, Rule, var

x, y, z, u = var("x"), var("y"), var("z"), var("u")
c, d, e = var("c", "const"), var("d", "const"), var("e", "const")

ROUNDINGS = (ew.floor, ew.ceil, ew.trunc, ew.rint)


def is_whole(b: Bindings) -> bool:
    """Whether x has no NaN, since it has no fractions."""
    return not dt.is_inexact(b["x"].dtype)


def everywhere(value: bool) -> object:
    """A right side that is this value for each element."""
    return lambda b: broadcast_dims(const(value, "bool"), b["node"].shape)


def chosen(b: Bindings) -> Node | None:
    """where(c, x, y) for a constant c"""
    one: Node = b["x"] if value_of(b["c"]) else b["y"]
    return broadcast_dims(one, b["node"].shape)


def decided(b: Bindings) -> Node | None:
    """x & c or x | c for a constant without bits, or with all: either that constant or x."""
    value = value_of(b["c"])
    if value not in (0, -1) and value is not True:
        return None
    absorbed = (value == 0) == (b["node"].op is ew.and_)
    return broadcast_dims(b["c"] if absorbed else b["x"], b["node"].shape)


def held_within(b: Bindings) -> Node | None:
    """A number held within bounds twice, the second time within wider ones."""
    low, high, bound = (value_of(b[k]) for k in "cde")
    lower = b["node"].op is ew.maximum
    fits = bound <= min(low, high) if lower else bound >= max(low, high)
    return b["node"].args[0] if fits and b["node"].args[0].op is not CONST else None


def join_bounds(b: Bindings) -> Node:
    """One constant bound for two."""
    low, high = sorted((b["c"], b["d"]), key=value_of)
    bound = high if b["node"].op is ew.maximum else low
    if value_of(b["c"]) != value_of(b["c"]):
        bound = b["c"]
    return b["node"].op(b["x"], bound)


LOGIC = [
    Rule("and_same", x & x, x, "bitwise"),
    Rule("or_same", x | x, x, "bitwise"),
    Rule("and_const", x & c, decided, "bitwise"),
    Rule("or_const", x | c, decided, "bitwise"),
    Rule("xor_same", x ^ x, lambda b: broadcast_dims(const(0, b["x"].dtype), b["x"].shape), "bitwise"),
    Rule("xor_zero", x ^ 0, x, "bitwise"),
    Rule("not_eq", ~ew.eq(x, y), ew.ne(x, y), "bitwise"),
    Rule("not_ne", ~ew.ne(x, y), ew.eq(x, y), "bitwise"),
    *(Rule(f"not_{op.name}", ~op(x, y), opposite(x, y), "bitwise", is_whole)
      for op, opposite in ((ew.lt, ew.ge), (ew.le, ew.gt), (ew.gt, ew.le), (ew.ge, ew.lt))),
    *(Rule(f"{op.name}_same", op(x, x), everywhere(True), "bitwise", is_whole) for op in (ew.eq, ew.le, ew.ge)),
    *(Rule(f"{op.name}_same", op(x, x), everywhere(False), "bitwise") for op in (ew.lt, ew.gt)),
    Rule("ne_same", ew.ne(x, x), ew.isnan(x), "bitwise"),
    Rule("isnan_whole", ew.isnan(x), everywhere(False), "bitwise", is_whole),
    Rule("where_const", ew.where(c, x, y), chosen, "bitwise"),
    Rule("where_then", ew.where(x, ew.where(x, y, z), u), ew.where(x, y, u), "bitwise"),
    Rule("where_else", ew.where(x, y, ew.where(x, z, u)), ew.where(x, y, u), "bitwise"),
    Rule("where_one_zero", ew.where(x, 1, 0), lambda b: ew.cast(b["x"], dtype=b["node"].dtype), "bitwise"),
    *(Rule(f"{op.name}_same", op(x, x), x, "bitwise") for op in (ew.maximum, ew.minimum)),
    *(Rule(f"{op.name}_again", op(op(x, y), y), op(x, y), "bitwise") for op in (ew.maximum, ew.minimum)),
    *(Rule(f"{op.name}_bounds", op(op(x, c), d), join_bounds, "bitwise") for op in (ew.maximum, ew.minimum)),
    Rule("clip_clip_low", ew.maximum(ew.minimum(ew.maximum(x, c), d), e), held_within, "bitwise"),
    Rule("clip_clip_high", ew.minimum(ew.maximum(ew.minimum(x, c), d), e), held_within, "bitwise"),
    Rule("abs_abs", ew.abs_(ew.abs_(x)), ew.abs_(x), "bitwise"),
    Rule("abs_neg", ew.abs_(-x), ew.abs_(x), "bitwise", is_float),
    Rule("sign_sign", ew.sign(ew.sign(x)), ew.sign(x), "bitwise"),
    *(Rule(f"{outer.name}_{inner.name}", outer(inner(x)), inner(x), "bitwise")
      for outer in ROUNDINGS for inner in ROUNDINGS),
]  # fmt: skip
