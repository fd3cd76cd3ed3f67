"""The gamma function and its relatives in NumPy, in double precision: what the rows of `special` mean.

SciPy's are off by up to hundreds of units in the last place near zeros and for erfcx. Here everything goes back to
Hurwitz' zeta function, which is a sum of positive terms, and to series around the zeros.
"""

from __future__ import annotations

import math
from functools import cache, wraps
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyval

from agnesi.ops.declare import Array

EULER = 0.5772156649015329
LOG_ROOT_TAU = 0.5 * math.log(2 * math.pi)
DIGAMMA_ZERO = (1.4616321449683623, 9.549995429965697e-17)  # the zero above 0, in two parts
TERMS = 64  # of series that halve from term to term
# B(2j) / (2j)!, the coefficients of the formula of Euler and Maclaurin
BERNOULLI = [1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600]
# B(2j) / (2j (2j - 1)), the coefficients of Stirling's series
STIRLING = [1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156, -3617 / 122400]


def in_double(function: Any) -> Any:
    """A function of arrays in double precision, made to serve any dtype; the result has that of the arguments."""

    @wraps(function)
    def call(*args: Array) -> Array:
        dtype = np.result_type(*args)
        with np.errstate(all="ignore"):
            found = function(*np.broadcast_arrays(*[np.asarray(a, np.float64) for a in args]))
            return np.asarray(found).astype(dtype)

    return call


@in_double
def zeta(s: Array, q: Array) -> Array:
    """The sum of (q + k)**-s over k = 0, 1, 2 ..., for s > 1 and q > 0."""
    count = 20
    total = np.sum([(q + k) ** -s for k in range(count)], axis=0)
    y = q + count
    rest = np.zeros_like(y)
    for j in range(len(BERNOULLI), 0, -1):
        rest = BERNOULLI[j - 1] + rest * (s + 2 * j - 1) * (s + 2 * j) / (y * y)
    rest = y / (s - 1) + 0.5 + rest * s / y
    last = y**-s
    total = np.where(last > 0, total + last * rest, total)
    total = np.where(q > 1e100, q ** (1 - s) / (s - 1), total)
    total = np.where(np.isinf(q), 0.0, total)
    total = np.where((s == 1) | (q == 0), np.inf, total)
    return np.where((s < 1) | (q < 0) | np.isnan(s) | np.isnan(q), np.nan, total)


@cache
def _around_two() -> list[float]:
    """The coefficients of log gamma(2 + w) in powers of w."""
    k = np.arange(2.0, TERMS)
    return [0.0, 1 - EULER, *((-1) ** k * zeta(k, 2.0) / k)]


@cache
def _around_zero() -> list[float]:
    """The coefficients of digamma in powers of the distance from its zero."""
    k = np.arange(1.0, TERMS)
    return [0.0, *(-((-1) ** k) * zeta(k + 1, DIGAMMA_ZERO[0]))]


def _steps(x: Array) -> tuple[Array, Array, Array]:
    """y in [1, 2.5] and factors with gamma(x) = gamma(y) * product / divisor, for 0 < x <= 10."""
    y = np.where(x < 1.5, x + 1, np.clip(x, 1.5, 10))
    product = np.ones_like(y)
    high = y > 2.5
    while high.any():
        y = y - high
        product = np.where(high, product * y, product)
        high = y > 2.5
    return y, product, np.where(x < 1.5, x, 1.0)


def _sine(x: Array) -> Array:
    """sin(pi x)."""
    nearest = np.rint(x)
    return np.sin(np.pi * (x - nearest)) * np.where(nearest % 2 == 0, 1, -1)


def _stirling(x: Array) -> Array:
    """log gamma(x) - ((x - 1/2) log(x) - x), for x >= 10."""
    return LOG_ROOT_TAU + polyval(1 / (x * x), STIRLING) / x


@in_double
def lgamma(x: Array) -> Array:
    """log |gamma(x)|, inf at the poles."""
    a = np.abs(x)
    y, product, divisor = _steps(a)
    far = np.maximum(a, 10)
    found = polyval(y - 2, _around_two()) + np.log(product) - np.log(divisor)
    found = np.where(a > 10, (far - 0.5) * (np.log(far) - 1) - 0.5 + _stirling(far), found)
    found = np.where(x < 0, np.log(np.pi / np.abs(a * _sine(a))) - found, found)
    found = np.where(a < 1e-150, -np.log(a), found)
    return np.where(np.isinf(a) | ((x <= 0) & (x == np.floor(x))), np.inf, found)


@in_double
def gamma(x: Array) -> Array:
    """The gamma function; NaN at negative integers."""
    a = np.abs(x)
    y, product, divisor = _steps(a)
    far = np.clip(a, 10, 200)
    root = far ** (0.5 * far - 0.25)
    found = np.exp(polyval(y - 2, _around_two())) * product / divisor
    found = np.where(a > 10, root * np.exp(-far) * np.exp(_stirling(far)) * root, found)
    found = np.where(x < 0, -np.pi / (a * _sine(a) * found), found)
    found = np.where((x < 0) & ((x == np.floor(x)) | np.isinf(x)), np.nan, found)
    return np.where(a < 1e-300, 1 / x, found)


@in_double
def digamma(x: Array) -> Array:
    """The derivative of log gamma; NaN at negative integers."""
    a = np.abs(x)
    y = np.where(a < 1, a + 1, np.minimum(a, 10))
    steps = np.where(a < 1, -1 / a, 0.0)
    while (y >= 2).any():
        high = y >= 2
        y = y - high
        steps = np.where(high, steps + 1 / y, steps)
    far = np.maximum(a, 10)
    found = polyval((y - DIGAMMA_ZERO[0]) - DIGAMMA_ZERO[1], _around_zero()) + steps
    terms = [(2 * j + 1) * c for j, c in enumerate(STIRLING)]
    found = np.where(a > 10, np.log(far) - 0.5 / far - polyval(1 / (far * far), terms) / (far * far), found)
    r = a - np.rint(a)
    found = np.where(x < 0, found + 1 / a + np.pi / np.tan(np.pi * r), found)
    found = np.where((x < 0) & ((x == np.floor(x)) | np.isinf(x)), np.nan, found)
    return np.where(a < 1e-300, -1 / x, np.where(x == np.inf, x, found))


@in_double
def trigamma(x: Array) -> Array:
    """The derivative of digamma; inf at the poles."""
    reflected = (np.pi / _sine(x)) ** 2 - zeta(np.full_like(x, 2.0), 1 - x)
    found = np.where(x > 0, zeta(np.full_like(x, 2.0), np.abs(x)), reflected)
    return np.where((x <= 0) & (x == np.floor(x)) & (x > -np.inf), np.inf, found)


@in_double
def erfcx(x: Array) -> Array:
    """exp(x * x) * erfc(x): the product for x < 2, with the square in two parts; from there on a continued fraction."""
    near = np.clip(x, -27, 2)
    head = near.astype(np.float32).astype(np.float64)
    tail = (near - head) * (near + head)
    product = np.exp(head * head) * np.exp(tail) * np.vectorize(math.erfc, otypes=["float64"])(near)
    far = np.maximum(x, 2)
    fraction = far
    for k in range(100, 0, -1):
        fraction = far + 0.5 * k / fraction
    return np.where(x < -27, np.inf, np.where(x < 2, product, 1 / math.sqrt(math.pi) / fraction))


@in_double
def erfcinv(y: Array) -> Array:
    """The inverse of erfc: Newton's method on the logarithm below 1/2, the inverse of erf from there on."""
    import scipy.special  # slow to import, and only the NumPy interpreter needs it

    log = np.log(np.clip(y, 5e-324, 0.5))
    t = np.sqrt(-log)
    for _ in range(8):
        scaled = erfcx(t)
        t = t + (np.log(scaled) - t * t - log) * scaled * (math.sqrt(math.pi) / 2)
    found = np.where(y < 0.5, t, scipy.special.erfinv(1 - y))
    return np.where(y == 0, np.inf, np.where(y < 0, np.nan, found))
