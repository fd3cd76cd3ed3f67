"""Random bits: a function of a key and a counter, so that they need no state and are the same on every target."""

from __future__ import annotations

from functools import cache

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ops.declare import Array, Signature, elementwise

LOW = np.uint64(0xFFFFFFFF)
HALF = np.uint64(32)


@cache
def of_words(*dtypes: str) -> Signature:
    """Words of 64 bits."""
    if any(d != "uint64" for d in dtypes):
        raise TypeMismatch(f"random bits are made of uint64, not {', '.join(dtypes)}")
    return ("uint64",) * len(dtypes), "uint64"


def philox(key: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """The 128 random bits of the counters high * 2**64 + low under a key, as two words each: Philox 4x32-10.

    J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw: Parallel random numbers: as easy as 1, 2, 3 (2011).

    >>> zero = np.zeros((), np.uint64)
    >>> [hex(int(word)) for word in philox(zero, zero, zero)]
    ['0xe169c58d6627e8d5', '0x9b00dbd8bc57ac4c']
    """
    a, b, c, d = low & LOW, low >> HALF, high & LOW, high >> HALF
    k, m = key & LOW, key >> HALF
    for _ in range(10):
        p, q = a * np.uint64(0xD2511F53), c * np.uint64(0xCD9E8D57)
        a, b, c, d = (q >> HALF) ^ b ^ k, q & LOW, (p >> HALF) ^ d ^ m, p & LOW
        k, m = (k + np.uint64(0x9E3779B9)) & LOW, (m + np.uint64(0xBB67AE85)) & LOW
    return a | b << HALF, c | d << HALF


philox_low = elementwise(
    "philox_low", lambda key, low, high: philox(key, low, high)[0], of_words, cost=60,
    c={"uint": "v_philox_low({0}, {1}, {2})"},
    doc="The first 64 of the random bits that a key gives a counter of two words (Philox 4x32-10).")  # fmt: skip
philox_high = elementwise(
    "philox_high", lambda key, low, high: philox(key, low, high)[1], of_words, cost=60,
    c={"uint": "v_philox_high({0}, {1}, {2})"},
    doc="The last 64 of the random bits that a key gives a counter of two words (Philox 4x32-10).")  # fmt: skip
