"""Random numbers by rejection: each a function of a key, a counter of two words and its parameters."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ops.bits import HALF, LOW, philox
from agnesi.ops.declare import Array, Signature, elementwise
from agnesi.ops.integrals import gamma_density, gammainc_shape
from agnesi.ops.special import scipy_special

ATTEMPTS = 100  # more than are ever needed
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
gammaln = scipy_special("gammaln")
LARGE = 2.0**33  # mean or trials from which logarithms of factorials would cancel
INVERSE = 10.0  # mean up to which the distribution function is inverted, term by term


def of_words(parameters: int) -> Callable[..., Signature]:
    """Three words, and parameters that are taken in double precision."""

    @cache
    def signature(*dtypes: str) -> Signature:
        wanted = ("uint64",) * 3 + ("float64",) * parameters
        if dtypes[:3] != wanted[:3]:
            raise TypeMismatch(f"random bits are made of uint64, not {', '.join(dtypes[:3])}")
        if any(map(dt.is_complex, dtypes)):
            raise TypeMismatch("the parameters of distributions are real numbers")
        return wanted, "float64"

    return signature


def inside(word: Array) -> Array:
    """Numbers inside (0, 1)."""
    return ((word >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def first(key: Array, low: Array, high: Array) -> Array:
    """The numbers that need no attempts."""
    return inside(philox(key, low, high)[0])


Try = Callable[..., tuple[Array, Array]]  # candidates and which of them are taken, from two words and the parameters


def attempted(words: tuple[Array, ...], parameters: tuple[Array, ...], otherwise: Array, take: Try) -> Array:
    """Numbers by rejection: attempt after attempt for those that have none yet."""
    key, low, high = words
    found = otherwise.copy()
    waiting = np.arange(found.size)
    for k in range(1, ATTEMPTS + 1):
        if not waiting.size:
            break
        bits = philox(key[waiting] + np.uint64(k) * GOLDEN, low[waiting], high[waiting])
        candidates, taken = take(*bits, *(p[waiting] for p in parameters))
        found[waiting[taken]] = candidates[taken]
        waiting = waiting[~taken]
    return found


def flat(evaluate: Callable[..., Array]) -> Callable[..., Array]:
    """The function for arrays of any shapes, and parameters of any dtypes."""

    def broadcast(*arrays: Array) -> Array:
        full = np.broadcast_arrays(*arrays[:3], *(np.asarray(a, np.float64) for a in arrays[3:]))
        with np.errstate(all="ignore"):
            return evaluate(*(np.ravel(a) for a in full)).reshape(full[0].shape)

    return broadcast


def gamma_numbers(key: Array, low: Array, high: Array, a: Array) -> Array:
    def take(one: Array, two: Array, a: Array) -> tuple[Array, Array]:
        d = a - 1 / 3
        angle = (two >> HALF).astype(np.float64) * (2 * np.pi * 2.0**-32)
        x = np.sqrt(-2 * np.log(inside(one))) * np.cos(angle)
        t = 1 + 1 / np.sqrt(9 * d) * x
        v = t * t * t
        u = ((two & LOW).astype(np.float64) + 0.5) * 2.0**-32
        return d * v, (t > 0) & (np.log(u) < 0.5 * x * x + d - d * v + d * np.log(v))

    valid = (a >= 1) & (a < np.inf)
    found = np.where(a < 1, np.nan, a)
    found[valid] = attempted((key[valid], low[valid], high[valid]), (a[valid],), a[valid], take)
    return found


def poisson_numbers(key: Array, low: Array, high: Array, rate: Array) -> Array:
    def take(one: Array, two: Array, rate: Array) -> tuple[Array, Array]:
        b = 0.931 + 2.53 * np.sqrt(rate)
        a = -0.059 + 0.02483 * b
        u, v = inside(one) - 0.5, inside(two)
        s = 0.5 - np.abs(u)
        k = np.floor((2 * a / s + b) * u + rate + 0.43)
        left = np.log(v) + np.log(1.1239 + 1.1328 / (b - 3.4)) - np.log(a / (s * s) + b)
        d = k - rate
        limit = -0.5 * np.log(2 * np.pi * rate) - (d * d + d - d * d * d / (3 * rate)) / (2 * rate)
        near = left <= np.where(rate < LARGE, k * np.log(rate) - rate - gammaln(k + 1), limit)
        sure = (s >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        return k, sure | ((k >= 0) & ~((s < 0.013) & (v > s)) & near)

    k, u = np.zeros(rate.size), first(key, low, high)
    term = np.exp(-rate)
    small = (rate >= 0) & (rate < INVERSE)
    while (more := small & (u > term) & (k < ATTEMPTS)).any():
        u = np.where(more, u - term, u)
        k += more
        term = np.where(more, term * (rate / k), term)
    found = np.where(rate >= 0, k, np.nan)
    large = rate >= INVERSE
    found[large] = attempted((key[large], low[large], high[large]), (rate[large],), rate[large], take)
    return found


def binomial_numbers(key: Array, low: Array, high: Array, n: Array, p: Array) -> Array:
    def take(one: Array, two: Array, n: Array, p: Array) -> tuple[Array, Array]:
        q = 1 - p
        deviation = np.sqrt(n * p * q)
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        u, v = inside(one) - 0.5, inside(two)
        s = 0.5 - np.abs(u)
        k = np.floor((2 * a / s + b) * u + n * p + 0.5)
        m = np.floor((n + 1) * p)
        bound = gammaln(m + 1) + gammaln(n - m + 1) - gammaln(k + 1) - gammaln(n - k + 1) + (k - m) * np.log(p / q)
        d, variance = k - n * p, n * p * q
        limit = -(d * d + (q - p) * (d - d * d * d / (3 * variance))) / (2 * variance)
        bound = np.where(n < LARGE, bound, limit)
        near = np.log(v * (2.83 + 5.1 / b) * deviation / (a / (s * s) + b)) <= bound
        return k, ((s >= 0.07) & (v <= 0.92 - 4.2 / b)) | ((k >= 0) & (k <= n) & near)

    k, u = np.zeros(n.size), first(key, low, high)
    term = np.exp(n * np.log1p(-p))
    valid = (n >= 0) & (p >= 0)
    small = valid & (n * p < INVERSE)
    while (more := small & (u > term) & (k < n)).any():
        u = np.where(more, u - term, u)
        k += more
        term = np.where(more, term * (p / (1 - p) * (n - k + 1) / k), term)
    found = np.where(valid, k, np.nan)
    large = valid & ~(n * p < INVERSE)
    mode = np.floor((n + 1) * p)[large]
    found[large] = attempted((key[large], low[large], high[large]), (n[large], p[large]), mode, take)
    return found


gamma_draw = elementwise(
    "gamma_draw", flat(gamma_numbers), of_words(1), cost=250,
    c={"uint": "v_gamma_draw({0}, {1}, {2}, {3})"},
    d=lambda key, low, high, a, y: (None, None, None, -gammainc_shape(a, y) / gamma_density(a, y)),
    doc="A gamma number of shape at least 1, by key and counter of two words (Marsaglia and Tsang 2000); its "
    "derivative keeps the probability of less (Figurnov, Mohamed and Mnih 2018).")  # fmt: skip
poisson_draw = elementwise(
    "poisson_draw", flat(poisson_numbers), of_words(1), cost=250,
    c={"uint": "v_poisson_draw({0}, {1}, {2}, {3})"},
    doc="A Poisson number, by key and counter of two words (Hörmann 1993).")  # fmt: skip
binomial_draw = elementwise(
    "binomial_draw", flat(binomial_numbers), of_words(2), cost=250,
    c={"uint": "v_binomial_draw({0}, {1}, {2}, {3}, {4})"},
    doc="A binomial number of a probability of at most 1/2, by key and counter (Hörmann 1993).")  # fmt: skip
