"""Special functions, element by element."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from agnesi.ir.node import Node
from agnesi.ir.op import Op
from agnesi.ops import gamma as reference
from agnesi.ops.declare import Array, elementwise, floating, positive
from agnesi.ops.elementwise import TWO_OVER_SQRT_PI, cos, eq, exp, gt, log, log1p, sin, where
from agnesi.ops.functions import above_one, inside


def scipy_special(name: str) -> Any:
    """A function of scipy.special, computed in double precision."""

    def call(*args: Array) -> Array:
        import scipy.special  # slow to import, and only the NumPy interpreter needs it

        return getattr(scipy.special, name)(*args)

    return reference.in_double(call)


def between(low: float, high: float) -> Any:
    """Draws values between two numbers."""

    def sample(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return rng.uniform(low, high, size=shape)

    return sample


@reference.in_double
def logit_reference(p: Array) -> Array:
    """log(p / (1 - p)) by log1p of a number that is exact near p = 1/2."""
    near = np.where(p < 0.5, -np.log1p((1 - 2 * p) / p), np.log1p((2 * p - 1) / (1 - p)))
    return np.where(np.abs(p) < 1e-300, np.log(p), near)


def times_log(log: Any) -> Any:
    """x * log(y), and 0 where x is 0 and y is a number."""
    return reference.in_double(lambda x, y: np.where((x == 0) & ~np.isnan(y), 0, x * log(y)))


def _trigamma_d(x: Node, y: Node) -> tuple[Any]:
    """-2 zeta(3, x), and for negative x the same of 1 - x with a derivative of the cotangent."""
    right = gt(x, 0)
    angle = where(right, 0.5, x) * math.pi
    turned = where(right, 0, 2 * math.pi**3 * cos(angle) / sin(angle) ** 3)
    return (-2 * zeta(3, where(right, x, 1 - x)) - turned,)


# -- the gamma function and its relatives -------------------------------------------------------------

lgamma: Op = elementwise(
    "lgamma", reference.lgamma, floating, c="v_lgamma{f}({0})", cost=60, sample=positive, absolute=4,
    d=lambda x, y: (digamma(x),), doc="The logarithm of |gamma(x)|; inf at 0 and negative integers.")  # fmt: skip
gamma: Op = elementwise(
    "gamma", reference.gamma, floating, c="v_gamma{f}({0})", cost=100, sample=positive,
    d=lambda x, y: (y * digamma(x),), doc="The gamma function; NaN at negative integers.")  # fmt: skip
digamma: Op = elementwise(
    "digamma", reference.digamma, floating, c="v_digamma{f}({0})", cost=60, sample=positive, absolute=4,
    d=lambda x, y: (trigamma(x),), doc="The derivative of lgamma; NaN at negative integers.")  # fmt: skip
trigamma: Op = elementwise(
    "trigamma", reference.trigamma, floating, c="v_trigamma{f}({0})", cost=40, sample=positive,
    d=_trigamma_d, doc="The second derivative of lgamma; inf at 0 and negative integers.")  # fmt: skip
zeta: Op = elementwise(
    "zeta", reference.zeta, floating, c="v_zeta{f}({0}, {1})", cost=500, sample=above_one,
    d=lambda s, q, y: (None, -s * zeta(s + 1, q)),
    doc="Hurwitz' zeta function, the sum of (q + k)**-s over k = 0, 1 ..., for s > 1, q > 0; else NaN.")  # fmt: skip

# -- the error function's relatives -------------------------------------------------------------------

erfcx: Op = elementwise(
    "erfcx", reference.erfcx, floating, c="v_erfcx{f}({0})", cost=60,
    d=lambda x, y: (2 * x * y - TWO_OVER_SQRT_PI,), doc="exp(x * x) * erfc(x), without underflow.")  # fmt: skip
erfinv: Op = elementwise(
    "erfinv", scipy_special("erfinv"), floating, c="v_erfinv{f}({0})", cost=40, sample=inside,
    d=lambda x, y: (exp(y * y) * (1 / TWO_OVER_SQRT_PI),), doc="The inverse of the error function.")  # fmt: skip
erfcinv: Op = elementwise(
    "erfcinv", reference.erfcinv, floating, c="v_erfcinv{f}({0})", cost=40, sample=between(0.1, 1.9),
    d=lambda x, y: (exp(y * y) * (-1 / TWO_OVER_SQRT_PI),), doc="The inverse of erfc, accurate near 0.")  # fmt: skip

# -- logarithms -----------------------------------------------------------------------------------------

logit: Op = elementwise(
    "logit", logit_reference, floating, c="v_logit{f}({0})", cost=25, sample=between(0.05, 0.95),
    d=lambda x, y: (1 / (x * (1 - x)),), doc="log(x / (1 - x)), the inverse of the sigmoid.")  # fmt: skip
xlogy: Op = elementwise(
    "xlogy", times_log(np.log), floating, c="v_xlogy{f}({0}, {1})", cost=25, sample=positive,
    d=lambda x, y, z: (log(y), where(eq(x, 0), 0, x / y)),
    doc="x * log(y), and 0 where x is 0, whatever number y is.")  # fmt: skip
xlog1py: Op = elementwise(
    "xlog1py", times_log(np.log1p), floating, c="v_xlog1py{f}({0}, {1})", cost=25, sample=positive,
    d=lambda x, y, z: (log1p(y), where(eq(x, 0), 0, x / (1 + y))),
    doc="x * log(1 + y), and 0 where x is 0, whatever number y is.")  # fmt: skip
