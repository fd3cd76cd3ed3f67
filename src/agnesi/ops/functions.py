"""Further arithmetic and elementary functions, element by element."""

from __future__ import annotations

import math
from functools import partial

import numpy as np

from agnesi.ir.node import Node
from agnesi.ir.op import Op
from agnesi.ops.declare import (
    Array,
    Signature,
    bitwise,
    elementwise,
    floating,
    numeric,
    positive,
    promoting,
)  # fmt: skip
from agnesi.ops.elementwise import analytic, expm1, gt, isnan, lt, shares, sigmoid, sign, sqrt, trunc, where

FEW = 65536  # divisors that are looked for
LN2, LN10 = math.log(2), math.log(10)


def inside(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values between -0.9 and 0.9."""
    return rng.uniform(-0.9, 0.9, size=shape)


def above_one(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values between 1.1 and 4."""
    return rng.uniform(1.1, 4, size=shape)


def negative(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values between -3 and -0.1."""
    return rng.uniform(-3, -0.1, size=shape)


def log1mexp_reference(x: Array) -> Array:
    """log(1 - exp(x)) without cancellation."""
    return np.where(x > -LN2, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


def significand_reference(x: Array) -> Array:
    """x times a power of two, 2**998 (2**100 for single precision) at most; 1 with its sign for 0, infinities, NaN."""
    exponent = np.minimum(-1 - np.frexp(x)[1], 998 if x.dtype == np.float64 else 100)
    plain = np.isfinite(x) & (x != 0)
    return np.where(plain, np.ldexp(x, np.where(plain, exponent, 0)), np.copysign(1, x)).astype(x.dtype)


@partial(np.vectorize, otypes=["int64"])
def divisor_reference(n: int, most: int) -> int:
    """The greatest divisor of n up to `most`, where it or n by it is FEW at most; at least 1."""
    n, most = int(n), int(most)
    pairs = [(k, n // k) for k in range(1, min(math.isqrt(max(n, 0)), FEW) + 1) if n % k == 0]
    return max([k for pair in pairs for k in pair if k <= most], default=1)


def _hypot_d(a: Node, b: Node, y: Node) -> tuple[Node, Node]:
    safe = where(y > 0, y, 1)
    return where(y > 0, a / safe, 0), where(y > 0, b / safe, 0)


def testing(dtype: str) -> Signature:
    """The operand as it is, a boolean result."""
    return (dtype,), "bool"


def shifting(a: str, b: str) -> Signature:
    """Integers only; booleans count as int8."""
    operands, common = bitwise(a, b)
    return (("int8", "int8"), "int8") if common == "bool" else (operands, common)


def counting(a: str, b: str) -> Signature:
    """Integers only, as int64."""
    bitwise(a, b)
    return ("int64", "int64"), "int64"


# -- arithmetic -------------------------------------------------------------------------------------

fmod = elementwise(
    "fmod", np.fmod, numeric, cost=8, sample=positive,
    c={"float": "v_fmod{f}({0}, {1})", "int": "v_ifmod({0}, {1})", "uint": "v_umod({0}, {1})"},
    d=lambda a, b, y: (1, -trunc(a / b)),
    doc="The remainder with the dividend's sign; integers modulo 0 give 0.")  # fmt: skip
fmax = elementwise(
    "fmax", np.fmax, promoting, commutes=True,
    c={"float": "v_fmax{f}({0}, {1})", "": "({0} > {1} ? {0} : {1})"},
    d=lambda a, b, y: shares(a, b, gt(a, b) | isnan(b)),
    doc="The greater of two, or the one that is not NaN. Where both are equal the derivative is halved.")  # fmt: skip
fmin = elementwise(
    "fmin", np.fmin, promoting, commutes=True,
    c={"float": "v_fmin{f}({0}, {1})", "": "({0} < {1} ? {0} : {1})"},
    d=lambda a, b, y: shares(a, b, lt(a, b) | isnan(b)),
    doc="The smaller of two, or the one that is not NaN. Where both are equal the derivative is halved.")  # fmt: skip
signbit: Op = elementwise(
    "signbit", np.signbit, testing, c={"float": "v_signbit{f}({0})", "int": "({0} < 0)", "": "(0 * {0})"},
    doc="Whether the sign bit is set: of negative numbers and -0.0; that of NaN says nothing.")  # fmt: skip
copysign = elementwise(
    "copysign", np.copysign, floating, c="v_copysign{f}({0}, {1})",
    d=lambda a, b, y: (sign(a) * sign(y), 0), doc="The absolute value of a with the sign of b.")  # fmt: skip
significand = elementwise(
    "significand", significand_reference, floating, c="v_significand{f}({0})", cost=4, sample=positive,
    d=lambda x, y: (y / x,),
    doc="x times the power of two that brings its size to 1/4 or more, below 1/2; 1 with their sign for 0, "
    "infinities and NaN. x / y is x times the power of two significand(y) / y, times 1 / significand(y).")  # fmt: skip
left_shift = elementwise(
    "left_shift", np.left_shift, shifting, c={"int": "v_ileft({0}, {1})", "uint": "v_uleft({0}, {1})"},
    doc="The bits of a moved up by b places; 0 where b is negative or as many as a has.")  # fmt: skip
right_shift = elementwise(
    "right_shift", np.right_shift, shifting, c={"int": "v_iright({0}, {1})", "uint": "v_uright({0}, {1})"},
    doc="The bits of a moved down by b places; the sign alone where b is negative or as many as a has.")  # fmt: skip

divisor = elementwise(
    "divisor", divisor_reference, counting, c="v_idivisor({0}, {1})", cost=100,
    doc="The greatest divisor of n up to m; 1 where there is none. Of n beyond 2**32 not all are found.")  # fmt: skip

# -- elementary functions ---------------------------------------------------------------------------

exp2 = elementwise(
    "exp2", np.exp2, floating, c="v_exp2{f}({0})", cost=20,
    d=lambda x, y: (y * LN2,), doc="2 to the power x.")  # fmt: skip
log2 = elementwise(
    "log2", np.log2, floating, c="v_log2{f}({0})", cost=20, sample=positive,
    d=lambda x, y: (1 / (x * LN2),), doc="The logarithm to base 2.")  # fmt: skip
log10 = elementwise(
    "log10", np.log10, floating, c="v_log10{f}({0})", cost=20, sample=positive,
    d=lambda x, y: (1 / (x * LN10),), doc="The logarithm to base 10.")  # fmt: skip
cbrt = elementwise(
    "cbrt", np.cbrt, floating, c="v_cbrt{f}({0})", cost=20, sample=positive,
    d=lambda x, y: (1 / (3 * y * y),), doc="The cube root.")  # fmt: skip
tan = elementwise(
    "tan", np.tan, floating, c=analytic("tan"), cost=25, sample=inside,
    d=lambda x, y: (1 + y * y,), doc="The tangent.")  # fmt: skip
arcsin = elementwise(
    "arcsin", np.arcsin, floating, c="v_asin{f}({0})", cost=20, sample=inside,
    d=lambda x, y: (1 / sqrt(1 - x * x),), doc="The inverse sine.")  # fmt: skip
arccos = elementwise(
    "arccos", np.arccos, floating, c="v_acos{f}({0})", cost=20, sample=inside,
    d=lambda x, y: (-1 / sqrt(1 - x * x),), doc="The inverse cosine.")  # fmt: skip
arctan = elementwise(
    "arctan", np.arctan, floating, c="v_atan{f}({0})", cost=20,
    d=lambda x, y: (1 / (1 + x * x),), doc="The inverse tangent.")  # fmt: skip
arctan2 = elementwise(
    "arctan2", np.arctan2, floating, c="v_atan2{f}({0}, {1})", cost=30,
    d=lambda a, b, y: (b / (a * a + b * b), -a / (a * a + b * b)),
    doc="The angle of the point (b, a), between -pi and pi.")  # fmt: skip
sinh: Op = elementwise(
    "sinh", np.sinh, floating, c=analytic("sinh"), cost=25,
    d=lambda x, y: (cosh(x),), doc="The hyperbolic sine.")  # fmt: skip
cosh: Op = elementwise(
    "cosh", np.cosh, floating, c=analytic("cosh"), cost=25,
    d=lambda x, y: (sinh(x),), doc="The hyperbolic cosine.")  # fmt: skip
arcsinh = elementwise(
    "arcsinh", np.arcsinh, floating, c="v_asinh{f}({0})", cost=30,
    d=lambda x, y: (1 / sqrt(x * x + 1),), doc="The inverse hyperbolic sine.")  # fmt: skip
arccosh = elementwise(
    "arccosh", np.arccosh, floating, c="v_acosh{f}({0})", cost=30, sample=above_one,
    d=lambda x, y: (1 / sqrt(x * x - 1),), doc="The inverse hyperbolic cosine.")  # fmt: skip
arctanh = elementwise(
    "arctanh", np.arctanh, floating, c="v_atanh{f}({0})", cost=30, sample=inside,
    d=lambda x, y: (1 / (1 - x * x),), doc="The inverse hyperbolic tangent.")  # fmt: skip
hypot = elementwise(
    "hypot", np.hypot, floating, c="v_hypot{f}({0}, {1})", cost=20, commutes=True, d=_hypot_d,
    doc="sqrt(a * a + b * b) without overflow; its derivative at 0 is 0.")  # fmt: skip
logaddexp = elementwise(
    "logaddexp", np.logaddexp, floating, c="v_logaddexp{f}({0}, {1})", cost=45, sample=positive, commutes=True,
    d=lambda a, b, y: (sigmoid(a - b), sigmoid(b - a)), doc="log(exp(a) + exp(b)) without overflow.")  # fmt: skip
log1mexp = elementwise(
    "log1mexp", log1mexp_reference, floating, c="v_log1mexp{f}({0})", cost=45, sample=negative,
    d=lambda x, y: (-1 / expm1(-x),), doc="log(1 - exp(x)) for negative x, accurate near 0.")  # fmt: skip
