"""Incomplete gamma functions and Bessel functions, element by element."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.ir.node import Node
from agnesi.ir.op import Op
from agnesi.ops import gamma as reference
from agnesi.ops.declare import Array, elementwise, floating, positive
from agnesi.ops.elementwise import eq, exp, log, where
from agnesi.ops.special import digamma, lgamma, scipy_special, xlogy

TERMS = 400
VANISHED = 2500  # beyond it all terms are zero


@reference.in_double
def gammainc_shape_reference(a: Array, x: Array) -> Array:
    """The derivative by a of the sum of x**(a + k) * exp(-x) / gamma(a + k + 1) over k = 0, 1 ..."""
    total = np.zeros_like(x)
    wrong = ~((a >= 0) & (x >= 0)) | ((a == 0) & (x == 0)) | (np.isinf(a) & np.isinf(x))
    a = np.where(a == 0, 1e-290, a)
    for k in range(TERMS):
        order = a + k + 1
        size = np.exp((a + k) * np.log(x) - x - reference.lgamma(order))
        term = np.where(size > 0, size * (np.log(x) - reference.digamma(order)), 0)
        total = total + term
        small = (k > x) & (abs(term) <= 1e-18 * abs(total))
        if (small | (x > VANISHED) | np.isnan(x) | np.isnan(total)).all():
            break
    special = (x == 0) | np.isinf(x) | np.isinf(a)
    return np.where(wrong, np.nan, np.where(special, 0, total))


def bessel_reference(name: str) -> Any:
    """A function of scipy.special of order and argument, with its limits at infinity."""
    inner = scipy_special(name)

    def call(v: Array, x: Array) -> Array:
        whole = v == np.floor(v)
        limit = 0.0 if name == "jv" else np.where((x < 0) & (v % 2 == 1), -np.inf, np.inf)
        found = np.where(np.isinf(x), limit, inner(v, x))
        wrong = np.isinf(v) | np.isnan(v) | np.isnan(x) | (((v < 0) | (x < 0)) & ~whole)
        return np.where(wrong, np.nan, found)

    return reference.in_double(call)


def gamma_density(a: Node, x: Node) -> Node:
    """The density of the gamma distribution, the derivative of gammainc by x."""
    return exp(xlogy(a - 1, x) - x - lgamma(a))


def _recurrence(v: Node, x: Node, y: Node, next_order: Node) -> Node:
    """v / x times the function and the one of the next order; at 0, where only orders up to 1 have one, the limit."""
    limit = where(eq(v, 1), 0.5, where((v > 0) & (v < 1), np.inf, 0))
    return where(eq(x, 0), limit, v / where(eq(x, 0), 1, x) * y + next_order)


# -- incomplete gamma functions -------------------------------------------------------------------------

gammainc: Op = elementwise(
    "gammainc", scipy_special("gammainc"), floating, c="v_gammainc{f}({0}, {1})", cost=500, sample=positive,
    d=lambda a, x, y: (gammainc_shape(a, x), gamma_density(a, x)),
    doc="The lower incomplete gamma function over gamma(a): the distribution function of gamma numbers.")  # fmt: skip
gammaincc: Op = elementwise(
    "gammaincc", scipy_special("gammaincc"), floating, c="v_gammaincc{f}({0}, {1})", cost=500, sample=positive,
    d=lambda a, x, y: (-gammainc_shape(a, x), -gamma_density(a, x)),
    doc="1 - gammainc(a, x) without cancellation.")  # fmt: skip
gammainc_shape: Op = elementwise(
    "gammainc_shape", gammainc_shape_reference, floating, c="v_gammainc_shape{f}({0}, {1})", cost=1500, sample=positive,
    d=lambda a, x, y: (None, gamma_density(a, x) * (log(x) - digamma(a))),
    doc="The derivative of gammainc by its first argument.")  # fmt: skip

# -- Bessel functions ---------------------------------------------------------------------------------------

j0: Op = elementwise(
    "j0", scipy_special("j0"), floating, c="v_j0{f}({0})", cost=120,
    d=lambda x, y: (-j1(x),), doc="The Bessel function of the first kind of order 0.")  # fmt: skip
j1: Op = elementwise(
    "j1", scipy_special("j1"), floating, c="v_j1{f}({0})", cost=120,
    d=lambda x, y: (where(eq(x, 0), 0.5, j0(x) - y / where(eq(x, 0), 1, x)),),
    doc="The Bessel function of the first kind of order 1.")  # fmt: skip
i0: Op = elementwise(
    "i0", scipy_special("i0"), floating, c="v_i0{f}({0})", cost=80,
    d=lambda x, y: (i1(x),), doc="The modified Bessel function of the first kind of order 0.")  # fmt: skip
i1: Op = elementwise(
    "i1", scipy_special("i1"), floating, c="v_i1{f}({0})", cost=80,
    d=lambda x, y: (where(eq(x, 0), 0.5, i0(x) - y / where(eq(x, 0), 1, x)),),
    doc="The modified Bessel function of the first kind of order 1.")  # fmt: skip
jv: Op = elementwise(
    "jv", bessel_reference("jv"), floating, c="v_jv{f}({0}, {1})", cost=500, sample=positive,
    d=lambda v, x, y: (None, _recurrence(v, x, y, -jv(v + 1, x))),
    doc="The Bessel function of the first kind of order v: v >= 0 or whole, x >= 0 or v whole; else NaN.")  # fmt: skip
iv: Op = elementwise(
    "iv", bessel_reference("iv"), floating, c="v_iv{f}({0}, {1})", cost=500, sample=positive,
    d=lambda v, x, y: (None, _recurrence(v, x, y, iv(v + 1, x))),
    doc="The modified Bessel function of the first kind of order v, of the same arguments as jv.")  # fmt: skip
