"""Streams of random numbers: expressions like others, fresh at every call, the same again from the same seed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi import config
from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, const, dim_node
from agnesi.ir.type import Dim
from agnesi.ir.variable import Variable, as_node
from agnesi.ops import elementwise as ew
from agnesi.ops.bits import philox_high, philox_low
from agnesi.ops.index import iota, reshape_dims, sizes_of
from agnesi.shared import counter

CALL = 2**32  # how far a call moves the counters on: as many steps of a loop have numbers of their own
Size = int | Sequence[Any] | None


class RandomStream:
    """Random numbers from a seed: every expression drawn from a stream has its own, and new ones at each call.

    The numbers are those of Philox 4x32-10 by key and counter, so they are the same for any number of threads, fuse
    into the loops that use them, and need no memory. The key comes from the seed and from how many expressions were
    drawn before; the counter has the number of the call, which functions move on by themselves, and the place in the
    array. In steps of `scan` there are new numbers in each step.

    >>> import agnesi as ag
    >>> stream = RandomStream(seed=7)
    >>> f = ag.function([], stream.normal(size=(2, 3)))
    >>> f().shape, bool((f() == f()).any())
    ((2, 3), False)
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = np.random.SeedSequence(seed)
        self.drawn = 0
        self.calls = counter("calls", CALL).node

    def _words(self, shape: tuple[Dim, ...]) -> tuple[Node, Node]:
        """Two words of random bits for each place of an array."""
        words = np.random.SeedSequence(self.seed.entropy, spawn_key=(self.drawn,)).generate_state(1, np.uint64)
        self.drawn += 1
        size = dims.product(shape)
        place = cast(reshape_dims(iota(dim_node(size)), shape), "uint64") if shape else const(0, "uint64")
        key = const(int(words[0]), "uint64")
        return philox_low(key, place, self.calls), philox_high(key, place, self.calls)

    def _uniform(self, shape: tuple[Dim, ...], dtype: str) -> Node:
        return unit(self._words(shape)[0], dtype)

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers that are equally likely between low, which may occur, and high."""
        a, b = as_node(low), as_node(high)
        shape, dtype = _shape(size, a, b), _dtype(dtype)
        return Variable(cast(a + (b - a) * self._uniform(shape, dtype), dtype))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Normal numbers of mean `loc` and standard deviation `scale`, by Box and Muller's transform."""
        mean, deviation = as_node(loc), as_node(scale)
        shape, dtype = _shape(size, mean, deviation), _dtype(dtype)
        first, second = self._words(shape)
        away = ew.sqrt(ew.log(1 - unit(first, dtype)) * -2)
        return Variable(cast(mean + deviation * (away * ew.cos(unit(second, dtype) * (2 * math.pi))), dtype))

    def exponential(self, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Exponential numbers of mean `scale`, by the inverse of the distribution function."""
        mean = as_node(scale)
        shape, dtype = _shape(size, mean), _dtype(dtype)
        return Variable(cast(mean * -ew.log(1 - self._uniform(shape, dtype)), dtype))

    def bernoulli(self, p: Any = 0.5, size: Size = None, dtype: str = "int64") -> Variable:
        """1 with probability p, else 0."""
        probability = as_node(p)
        drawn = self._uniform(_shape(size, probability), "float64")
        return Variable(cast(ew.lt(drawn, probability), dt.normalize(dtype)))

    def integers(self, low: Any, high: Any = None, size: Size = None, dtype: str = "int64") -> Variable:
        """Whole numbers from low to high - 1, or from 0 to low - 1; each equally likely but for range / 2**64."""
        a, b = (as_node(0), as_node(low)) if high is None else (as_node(low), as_node(high))
        if dt.is_inexact(a.dtype) or dt.is_inexact(b.dtype):
            raise TypeMismatch(f"the bounds of integers are whole numbers, not {a.dtype} and {b.dtype}")
        a, b = cast(a, "int64"), cast(b, "int64")
        part = self._words(_shape(size, a, b))[0] % cast(b - a, "uint64")
        return Variable(cast(a + cast(part, "int64"), dt.normalize(dtype)))


def unit(word: Node, dtype: str) -> Node:
    """A word of random bits as a number of [0, 1): its first 53 bits, or 24 in single precision."""
    kept = 53 if dtype == "float64" else 24
    whole = cast(cast(word >> const(64 - kept, "uint64"), "int64"), dtype)
    return whole * const(2.0**-kept, dtype)


def _shape(size: Size, *parameters: Node) -> tuple[Dim, ...]:
    """The shape of a draw: what is asked for, or that of the parameters."""
    if size is not None:
        return sizes_of(size, "size")
    return dims.broadcast([p.shape for p in parameters])


def _dtype(dtype: str | None) -> str:
    found = dt.normalize(dtype or config.settings().floatX)
    if found not in ("float32", "float64"):
        raise TypeMismatch(f"random numbers are drawn in float32 or float64, not {found}")
    return found
