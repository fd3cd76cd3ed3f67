"""Rules towards forms that are nearer to the value in real numbers: no overflow, no cancellation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, cast, const, dim_node, value_of
from agnesi.ir.type import same
from agnesi.ops import elementwise as ew
from agnesi.ops.composites import log_softmax_, logsumexp_, softmax_, softmax_grad
from agnesi.ops.functions import cosh, log1mexp, logaddexp, sinh
from agnesi.ops.index import broadcast_dims, broadcast_to_, insert, iota, reshape_dims
from agnesi.ops.reduce import max_, prod_, spread, sum_
from agnesi.ops.special import erfcx
from agnesi.rewrite.canonical import is_float
from agnesi.rewrite.pattern import Bindings, Pattern, Rule, var

x, y, g = var("x"), var("y"), var("g")
z, m, c = var("z"), var("m"), var("c", "const")
A = var("axes")


def softmax_cross(b: Bindings) -> object:
    """softmax_grad(g / y, y) -> g - y * sum(g): the gradient of a loss that takes the logarithm of y."""
    g, y, axes = b["g"], b["y"], b["axes"]
    if g.type != y.type:
        return None
    return g - y * spread(sum_(g, axes=axes), y, axes)


NOT_NEGATIVE = (ew.exp, ew.sigmoid, ew.softplus, ew.abs_, ew.erfc, erfcx, cosh, softmax_)


def is_not_negative(node: Node) -> bool:
    """Whether no element is known to be below 0, nor -0.0."""
    if node.op in (broadcast_to_, insert):
        node = node.args[0]
    if node.op is CONST:
        return value_of(node) > 0
    return node.op in NOT_NEGATIVE or (node.op is ew.mul and node.args[0] is node.args[1])


def scales(b: Bindings) -> bool:
    """Whether a factor y is known not to change signs."""
    return is_not_negative(b["y"])


def is_made_of_those(b: Bindings) -> bool:
    """Whether x is known not to be negative."""
    return is_not_negative(b["x"])


def is_square_of(b: Bindings) -> bool:
    """Whether z is x or its negative."""
    x, z = b["x"], b["z"]
    return z is x or (z.op is ew.neg and z.args[0] is x) or (x.op is ew.neg and x.args[0] is z)


def one_exp(b: Bindings) -> Node | None:
    """exp(x) * exp(y) -> exp(x + y), and so for quotients, where nothing else needs one of the two."""
    node, x, y = b["node"], b["x"], b["y"]
    if x is y and node.op is ew.div:
        return broadcast_dims(const(1, node.dtype), node.shape)
    if x is not y and any(b["uses"].get(a, 0) > 1 for a in node.args):
        return None
    return ew.exp(x + y if node.op is ew.mul else x - y)


POSITIVE = (ew.exp, ew.sigmoid)  # functions that are never 0 but in rounding


def rest(b: Bindings) -> Node | None:
    """What remains when a factor cancels, unless the factor has axes that it lacks."""
    remains: Node = b["y"]
    return remains if remains.type == b["node"].type else None


def log_of_scaled_erfc(b: Bindings) -> Node:
    """log(erfc(x) * c) -> log(erfc(x)) + log(c) for a positive constant c, such as the 1/2 of a normal distribution."""
    return log_erfc(b) + ew.log(b["c"])


def log_erfc(b: Bindings) -> Node:
    """log(erfc(x)) without underflow for large x, and without cancellation near 0."""
    x: Node = b["x"]
    large = x > 0.5
    right = ew.where(large, x, 1)
    return ew.where(large, ew.log(erfcx(right)) - right * right, ew.log1p(-ew.erf(x)))


def is_positive_const(b: Bindings) -> bool:
    """Whether c is a finite constant above 0."""
    return 0 < value_of(b["c"]) < float("inf")


def where_at_least(x: object, low: float, value: object) -> object:
    """The value where x is in the domain of a function that begins at a number, else NaN."""
    return ew.where(ew.ge(x, low), value, float("nan"))


def is_even_over(shift: Node, x: Node, axes: tuple[int, ...]) -> bool:
    """Whether a term added to x is the same along axes."""
    if shift.op is broadcast_to_:
        shift = shift.args[0]
    pad = x.ndim - shift.ndim
    return all(a < pad or (same(shift.shape[a - pad], 1) and not same(x.shape[a], 1)) for a in axes)


def unshifted(b: Bindings) -> Node | None:
    """softmax(x - m) -> softmax(x), where m is the same along the axes."""
    x, m = b["x"], b["y"]
    if x.type != b["node"].type or not is_even_over(m, x, b["axes"]):
        return None
    return b["node"].op(x, axes=b["axes"])


def shifted_back(b: Bindings) -> Node | None:
    """m + logsumexp(x - m) -> logsumexp(x), where m are the greatest elements."""
    x, m, shift, axes = b["x"], b["m"], b["y"], b["axes"]
    if shift.op is broadcast_to_:
        shift = shift.args[0]
    if shift.op is insert:
        if shift["axes"] != axes:
            return None
        shift = shift.args[0]
    elif axes != tuple(range(len(axes))):
        return None
    return logsumexp_(x, axes=axes) if shift is m and m["axes"] == axes and m.args[0] is x else None


def normalized(b: Bindings) -> Node | None:
    """exp(x) / sum(exp(x)) over leading axes, whose size needs no axis to be inserted."""
    x, axes = b["x"], b["axes"]
    return softmax_(x, axes=axes) if axes == tuple(range(len(axes))) and x.type == b["node"].type else None


def shares_of_leading(b: Bindings) -> Node | None:
    """(y / sum(exp(x))) * exp(x) over leading axes: the gradient of log(sum(exp(x)))."""
    x, axes = b["x"], b["axes"]
    fits = axes == tuple(range(len(axes))) and x.type == b["node"].type
    return softmax_(x, axes=axes) * b["y"] if fits else None


def log_normalized(b: Bindings) -> Node | None:
    """x - logsumexp(x) over leading axes."""
    x, axes = b["x"], b["axes"]
    return log_softmax_(x, axes=axes) if axes == tuple(range(len(axes))) and x.type == b["node"].type else None


def _grid(n: int, m: int) -> Node:
    return reshape_dims(cast(iota(dim_node(n * m)), "float64"), (n, m))


def _shifted() -> Node:
    x = _grid(3, 4)
    top = max_(x, axes=(1,))
    return top + logsumexp_(x - spread(top, x, (1,)), axes=(1,))


def stable(
    name: str,
    left: Pattern,
    right: Any,
    when: Callable[[Bindings], bool] | None = None,
    example: Callable[[], Node] | None = None,
) -> Rule:
    """A rule that holds of real numbers, and not of complex ones."""
    return Rule(name, left, right, "stable", lambda b: is_real(b) and (when is None or when(b)), example)


def is_real(b: Bindings) -> bool:
    """Whether no operand is complex."""
    return not any(dt.is_complex(v.dtype) for v in b.values() if isinstance(v, Node))


STABLE = [
    stable("log_exp", ew.log(ew.exp(x)), x),
    stable("exp_log", ew.exp(ew.log(x)), where_at_least(x, 0, x)),
    Rule("log1p", ew.log(1 + x), ew.log1p(x), "stable"),
    stable("log1p_sub", ew.log(1 - x), ew.log1p(-x)),
    Rule("expm1", ew.exp(x) - 1, ew.expm1(x), "stable"),
    stable("expm1_neg", ew.sub(1, ew.exp(x)), -ew.expm1(x)),
    stable("expm1_plus_one", 1 + ew.expm1(x), ew.exp(x)),
    stable("log1p_expm1", ew.log1p(ew.expm1(x)), x),
    stable("expm1_log1p", ew.expm1(ew.log1p(x)), where_at_least(x, -1, x)),
    stable("exp_log1p", ew.exp(ew.log1p(x)), where_at_least(x, -1, 1 + x)),
    stable("logaddexp", ew.log(ew.exp(x) + ew.exp(y)), logaddexp(x, y)),
    stable("log_scaled_exp", ew.log(ew.exp(x) * y), x + ew.log(y), scales),
    stable("log_exp_divided", ew.log(ew.exp(x) / y), x - ew.log(y), scales),
    stable(
        "log_prod",
        ew.log(prod_(x, axes=A)),
        sum_(ew.log(x), axes=A),
        is_made_of_those,
        lambda: ew.log(prod_(ew.abs_(_grid(3, 8)), axes=(1,))),
    ),
    stable("log_square", ew.log(x * x), 2 * ew.log(ew.abs_(x)), is_float),
    stable("log1mexp", ew.log(-ew.expm1(x)), log1mexp(x)),
    stable("log1p_minus_exp", ew.log1p(-ew.exp(x)), log1mexp(x)),
    stable("softplus", ew.log1p(ew.exp(x)), ew.softplus(x)),
    stable("log_sigmoid", ew.log(ew.sigmoid(x)), -ew.softplus(-x)),
    stable("log1p_sigmoid", ew.log1p(-ew.sigmoid(x)), -ew.softplus(x)),
    stable("one_minus_sigmoid", ew.sub(1, ew.sigmoid(x)), ew.sigmoid(-x)),
    stable("sigmoid", y / (1 + ew.exp(-x)), y * ew.sigmoid(x)),
    stable("sigmoid_exp", ew.exp(x) / (1 + ew.exp(x)), ew.sigmoid(x)),
    stable("sigmoid_minus", y / (1 + ew.exp(x)), y * ew.sigmoid(-x)),
    stable("sigmoid_exps", ew.exp(x) / (ew.exp(x) + ew.exp(y)), ew.sigmoid(x - y)),
    stable("sigmoid_times_exp", ew.sigmoid(x) * ew.exp(-x), ew.sigmoid(-x)),
    stable("sigmoids_times_exp", (ew.sigmoid(x) * y) * ew.exp(-x), ew.sigmoid(-x) * y),
    stable(
        "sigmoid_squared_times_exp",
        (y * (ew.sigmoid(x) * ew.sigmoid(x))) * ew.exp(-x),
        y * (ew.sigmoid(x) * ew.sigmoid(-x)),
    ),
    stable("sigmoid_minus_times_exp", ew.sigmoid(-x) * ew.exp(x), ew.sigmoid(x)),
    stable("sigmoids_minus_times_exp", (ew.sigmoid(-x) * y) * ew.exp(x), ew.sigmoid(x) * y),
    stable("one_plus_tanh", 1 + ew.tanh(x), 2 * ew.sigmoid(2 * x)),
    stable("one_minus_tanh", ew.sub(1, ew.tanh(x)), 2 * ew.sigmoid(-2 * x)),
    stable("twice_sigmoid", ew.sigmoid(x) * 2 - 1, ew.tanh(x * 0.5)),
    stable("sinh", ew.exp(x) - ew.exp(-x), 2 * sinh(x)),
    Rule("cosh", ew.exp(x) + ew.exp(-x), 2 * cosh(x), "rounding", is_real),
    stable("tanh", sinh(x) / cosh(x), ew.tanh(x)),
    stable("tanh_half", ew.expm1(x) / (1 + ew.exp(x)), ew.tanh(x * 0.5)),
    stable("one_minus_erf", ew.sub(1, ew.erf(x)), ew.erfc(x)),
    stable("one_plus_erf", 1 + ew.erf(x), ew.erfc(-x)),
    stable("erf_minus_one", ew.erf(x) - 1, -ew.erfc(x)),
    stable("one_minus_erfc", ew.sub(1, ew.erfc(x)), ew.erf(x)),
    stable("log_erfc", ew.log(ew.erfc(x)), log_erfc),
    stable("log_erfc_scaled", ew.log(ew.erfc(x) * c), log_of_scaled_erfc, is_positive_const),
    stable("erfcx", ew.exp(x * x) * ew.erfc(x), erfcx(x)),
    stable(
        "erfcx_apart",
        (y / ew.erfc(z)) * ew.exp(-(x * x)),
        lambda b: b["y"] / erfcx(b["z"]),
        is_square_of,
        lambda: (_grid(2, 3) / ew.erfc(-_grid(2, 3))) * ew.exp(-(_grid(2, 3) * _grid(2, 3))),
    ),
    stable(
        "erfcx_below",
        ew.exp(-(x * x)) / ew.erfc(z),
        lambda b: 1 / erfcx(b["z"]),
        is_square_of,
        lambda: ew.exp(-(_grid(2, 3) * _grid(2, 3))) / ew.erfc(_grid(2, 3)),
    ),
    stable(
        "erfcx_scaled_below",
        (ew.exp(-(x * x)) * y) / ew.erfc(z),
        lambda b: b["y"] / erfcx(b["z"]),
        is_square_of,
        lambda: (ew.exp(-(_grid(2, 3) * _grid(2, 3))) * _grid(2, 3)) / ew.erfc(-_grid(2, 3)),
    ),
    stable("exp_exp", ew.exp(x) * ew.exp(y), one_exp),
    stable("exp_over_exp", ew.exp(x) / ew.exp(y), one_exp),
    *(stable(f"cancel_{op.name}_above", (op(x) * y) / op(x), rest) for op in POSITIVE),
    *(stable(f"cancel_{op.name}_below", (y / op(x)) * op(x), rest) for op in POSITIVE),
    stable("sqrt_square", ew.sqrt(x * x), ew.abs_(x), is_float),
    stable("square_sqrt", ew.sqrt(x) * ew.sqrt(x), where_at_least(x, 0, x)),
]

# Rules that recognize composites; they run before composites are expanded.
RECOGNIZE = [
    stable("logsumexp", ew.log(sum_(ew.exp(x), axes=A)), logsumexp_(x, axes=A)),
    stable("logsumexp_shifted", m + logsumexp_(x - y, axes=A), shifted_back, example=_shifted),
    stable("log_softmax", ew.log(softmax_(x, axes=A)), log_softmax_(x, axes=A)),
    stable("log_softmax_leading", x - logsumexp_(x, axes=A), log_normalized),
    stable("log_softmax_along", x - insert(logsumexp_(x, axes=A), axes=A), log_softmax_(x, axes=A)),
    stable("softmax", ew.exp(x) / insert(sum_(ew.exp(x), axes=A), axes=A), softmax_(x, axes=A)),
    stable("softmax_leading", ew.exp(x) / sum_(ew.exp(x), axes=A), normalized),
    stable(
        "softmax_scaled",
        insert(y / sum_(ew.exp(x), axes=A), axes=A) * ew.exp(x),
        insert(y, axes=A) * softmax_(x, axes=A),
    ),
    stable("softmax_scaled_leading", (y / sum_(ew.exp(x), axes=A)) * ew.exp(x), shares_of_leading),
    *(stable(f"{op.name}_shifted", op(x - y, axes=A), unshifted) for op in (softmax_, log_softmax_)),
    stable("softmax_cross", softmax_grad(g / y, y, axes=A), softmax_cross),
    stable("exp_log_softmax", ew.exp(log_softmax_(x, axes=A)), softmax_(x, axes=A)),
]
