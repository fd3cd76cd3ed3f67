"""Further elementary and special functions, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agnesi.ir.node import Node
from agnesi.ir.op import Op
from agnesi.ops.declare import Array, elementwise, floating, positive
from agnesi.ops.elementwise import TWO_OVER_SQRT_PI, exp, expm1, sigmoid, sqrt, where

LN2, LN10 = math.log(2), math.log(10)


def scipy_special(name: str) -> Any:
    """A function of scipy.special, in the dtype of its argument."""

    def call(x: Array) -> Array:
        import scipy.special  # slow to import, and only the NumPy interpreter needs it

        return getattr(scipy.special, name)(np.asarray(x, np.float64)).astype(np.asarray(x).dtype)

    return call


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


def _hypot_d(a: Node, b: Node, y: Node) -> tuple[Node, Node]:
    safe = where(y > 0, y, 1)
    return where(y > 0, a / safe, 0), where(y > 0, b / safe, 0)


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
    "tan", np.tan, floating, c="v_tan{f}({0})", cost=25, sample=inside, limit=2.0**50,
    d=lambda x, y: (1 + y * y,), doc="The tangent; NaN beyond 2**50 in float64.")  # fmt: skip
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
    "sinh", np.sinh, floating, c="v_sinh{f}({0})", cost=25,
    d=lambda x, y: (cosh(x),), doc="The hyperbolic sine.")  # fmt: skip
cosh: Op = elementwise(
    "cosh", np.cosh, floating, c="v_cosh{f}({0})", cost=25,
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
erfinv = elementwise(
    "erfinv", scipy_special("erfinv"), floating, c="v_erfinv{f}({0})", cost=40, sample=inside,
    d=lambda x, y: (exp(y * y) * (1 / TWO_OVER_SQRT_PI),), doc="The inverse of the error function.")  # fmt: skip
