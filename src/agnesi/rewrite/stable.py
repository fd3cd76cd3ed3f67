"""Rules towards forms that are nearer to the value in real numbers: no overflow, no cancellation."""

from __future__ import annotations

from agnesi.ir.node import Node
from agnesi.ops import elementwise as ew
from agnesi.ops.composites import log_softmax_, logsumexp_, softmax_, softmax_grad
from agnesi.ops.index import insert
from agnesi.ops.reduce import spread, sum_
from agnesi.rewrite.canonical import is_float, is_real
from agnesi.rewrite.pattern import Bindings, Rule, var

x, y, g = var("x"), var("y"), var("g")
A = var("axes")


def softmax_cross(b: Bindings) -> object:
    """softmax_grad(g / y, y) -> g - y * sum(g): the gradient of a loss that takes the logarithm of y."""
    g, y, axes = b["g"], b["y"], b["axes"]
    if g.type != y.type:
        return None
    return g - y * spread(sum_(g, axes=axes), y, axes)


POSITIVE = (ew.exp, ew.sigmoid)  # functions that are never 0 but in rounding


def rest(b: Bindings) -> Node | None:
    """What remains when a factor cancels, unless the factor has axes that it lacks."""
    remains: Node = b["y"]
    return remains if remains.type == b["node"].type else None


STABLE = [
    Rule("log_exp", ew.log(ew.exp(x)), x, "stable", is_real),
    Rule("log1p", ew.log(1 + x), ew.log1p(x), "stable"),
    Rule("log1p_sub", ew.log(1 - x), ew.log1p(-x), "stable", is_real),
    Rule("expm1", ew.exp(x) - 1, ew.expm1(x), "stable"),
    Rule("softplus", ew.log1p(ew.exp(x)), ew.softplus(x), "stable", is_real),
    Rule("log_sigmoid", ew.log(ew.sigmoid(x)), -ew.softplus(-x), "stable"),
    Rule("log1p_sigmoid", ew.log1p(-ew.sigmoid(x)), -ew.softplus(x), "stable", is_real),
    Rule("one_minus_sigmoid", ew.sub(1, ew.sigmoid(x)), ew.sigmoid(-x), "stable"),
    Rule("sigmoid", 1 / (1 + ew.exp(-x)), ew.sigmoid(x), "stable", is_real),
    Rule("sigmoid_exp", ew.exp(x) / (1 + ew.exp(x)), ew.sigmoid(x), "stable", is_real),
    *(Rule(f"cancel_{op.name}_above", (op(x) * y) / op(x), rest, "stable") for op in POSITIVE),
    *(Rule(f"cancel_{op.name}_below", (y / op(x)) * op(x), rest, "stable") for op in POSITIVE),
    Rule("sqrt_square", ew.sqrt(x * x), ew.abs_(x), "stable", is_float),
]

# Rules that recognize composites; they run before composites are expanded.
RECOGNIZE = [
    Rule("logsumexp", ew.log(sum_(ew.exp(x), axes=A)), logsumexp_(x, axes=A), "stable", is_real),
    Rule("log_softmax", ew.log(softmax_(x, axes=A)), log_softmax_(x, axes=A), "stable"),
    Rule("softmax", ew.exp(x) / insert(sum_(ew.exp(x), axes=A), axes=A), softmax_(x, axes=A), "stable", is_real),
    Rule("softmax_cross", softmax_grad(g / y, y, axes=A), softmax_cross, "stable"),
    Rule("exp_log_softmax", ew.exp(log_softmax_(x, axes=A)), softmax_(x, axes=A), "stable"),
]
