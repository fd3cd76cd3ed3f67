"""Random numbers: expressions like others, from streams that are fresh at every call, or from explicit keys."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agnesi import config
from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node
from agnesi.ir.type import Dim
from agnesi.ir.variable import Variable, as_node
from agnesi.ops import elementwise as ew
from agnesi.ops.bits import philox_high, philox_low
from agnesi.ops.composites import softmax
from agnesi.ops.cumulative import cumsum
from agnesi.ops.draws import binomial_draw, gamma_draw, poisson_draw
from agnesi.ops.getitem import part_of
from agnesi.ops.index import broadcast_dims, insert, iota, reshape_dims, section, sizes_of
from agnesi.ops.join import flip
from agnesi.ops.lookup import searchsorted, take_along_axis
from agnesi.ops.reduce import sum as sum_along
from agnesi.ops.shape import moveaxis
from agnesi.ops.sort import argsort
from agnesi.ops.special import erfcinv
from agnesi.scan import fori, scan
from agnesi.shared import counter

CALL = 2**32  # how far a call moves the counters on: as many steps of a loop have numbers of their own
GOLDEN = 0x9E3779B97F4A7C15  # the fraction of 2**64 by which keys of draws lie apart
Size = int | Sequence[Any] | None


@dataclass(frozen=True)
class Bits:
    """Random bits for each place of an array: those of a key and of counters."""

    key: Node
    place: Node
    call: Node

    def low(self) -> Node:
        return philox_low(self.key, self.place, self.call)

    def high(self) -> Node:
        return philox_high(self.key, self.place, self.call)

    def words(self) -> tuple[Node, Node, Node]:
        """What numbers by rejection take."""
        return self.key, self.place, self.call


class Draws(ABC):
    """The distributions, in NumPy's names and parameters, on top of random bits.

    Parameters broadcast; size is a number, a tuple whose sizes may be symbolic, or None for the shape of the
    parameters. dtype: float32 or float64, config.floatX by default; counts are int64. Numbers are differentiable by
    parameters, once by the shape of gamma numbers and of those made of them; counts are not.
    """

    @abstractmethod
    def _bits(self, shape: tuple[Dim, ...]) -> Bits:
        """Bits for each place that no other draw has."""

    def _uniform(self, shape: tuple[Dim, ...], dtype: str) -> Node:
        return unit(self._bits(shape).low(), dtype)

    def _normal(self, shape: tuple[Dim, ...], dtype: str) -> Node:
        """By Box and Muller's transform."""
        bits = self._bits(shape)
        away = ew.sqrt(ew.log(1 - unit(bits.low(), dtype)) * -2)
        return away * ew.cos(unit(bits.high(), dtype) * (2 * math.pi))

    def _exponential(self, shape: tuple[Dim, ...], dtype: str) -> Node:
        """Not 0."""
        return -ew.log(inside(self._bits(shape).low(), dtype))

    def _gamma(self, shape: tuple[Dim, ...], a: Node) -> Node:
        """Gamma numbers of any shape parameter: below 1 from those of the next one."""
        return ew.exp(self._log_gamma(shape, a))

    def _log_gamma(self, shape: tuple[Dim, ...], a: Node) -> Node:
        """Their logarithms, which do not underflow where the shape parameter is small."""
        a = broadcast_dims(cast(a, "float64"), shape)
        drawn = ew.log(gamma_draw(*self._bits(shape).words(), ew.where(a < 1, a + 1, a)))
        found = drawn + ew.where(a < 1, ew.log(inside(self._bits(shape).low(), "float64")) / a, 0)
        return ew.where(a > 0, found, math.nan)

    # -- continuous ---------------------------------------------------------------------------------

    def uniform(self, low: Any = 0.0, high: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers that are equally likely between low, which may occur, and high."""
        (a, b), shape, dtype = _given(size, dtype, low, high)
        return Variable(a + (b - a) * self._uniform(shape, dtype))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Normal numbers of mean `loc` and standard deviation `scale`, by Box and Muller's transform."""
        (mean, deviation), shape, dtype = _given(size, dtype, loc, scale)
        return Variable(mean + deviation * self._normal(shape, dtype))

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers whose logarithms are normal, of this mean and standard deviation."""
        (mean, sigma), shape, dtype = _given(size, dtype, mean, sigma)
        return Variable(ew.exp(mean + sigma * self._normal(shape, dtype)))

    def truncated_normal(
        self, low: Any, high: Any, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None
    ) -> Variable:
        """Normal numbers between low and high, by the inverse distribution function; precise in the tails too."""
        (low, high, loc, scale), shape, dtype = _given(size, dtype, low, high, loc, scale)
        a, b = (low - loc) / scale, (high - loc) / scale
        upper = a > 0  # there the mirror image has small probabilities, which are precise
        p, q = (ew.erfc(ew.where(upper, x, -y) * 2**-0.5) for x, y in ((b, a), (a, b)))
        x = erfcinv(p + (q - p) * inside(self._bits(shape).low(), dtype)) * 2**0.5
        z = ew.minimum(ew.maximum(ew.where(upper, x, -x), a), b)
        return Variable(loc + scale * z)

    def exponential(self, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Exponential numbers of mean `scale`, by the inverse of the distribution function."""
        (mean,), shape, dtype = _given(size, dtype, scale)
        return Variable(mean * -ew.log(1 - self._uniform(shape, dtype)))

    def laplace(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Exponential numbers of either sign around `loc`."""
        (loc, scale), shape, dtype = _given(size, dtype, loc, scale)
        bits = self._bits(shape)
        distance = -ew.log(inside(bits.low(), dtype))
        return Variable(loc + scale * ew.where(ew.lt(unit(bits.high(), dtype), 0.5), -distance, distance))

    def logistic(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers whose distribution function is the sigmoid of (x - loc) / scale."""
        (loc, scale), shape, dtype = _given(size, dtype, loc, scale)
        u = inside(self._bits(shape).low(), dtype)
        return Variable(loc + scale * (ew.log(u) - ew.log1p(-u)))

    def gumbel(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Extreme values: the limit of the greatest of many exponential numbers."""
        (loc, scale), shape, dtype = _given(size, dtype, loc, scale)
        return Variable(loc - scale * ew.log(self._exponential(shape, dtype)))

    def cauchy(self, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers of the density 1 / (1 + x**2) / pi, moved and stretched: the witch of Agnesi."""
        (loc, scale), shape, dtype = _given(size, dtype, loc, scale)
        angle = (inside(self._bits(shape).low(), dtype) - 0.5) * math.pi
        return Variable(loc + scale * (ew.sin(angle) / ew.cos(angle)))

    def weibull(self, a: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Exponential numbers to the power 1 / a."""
        (a,), shape, dtype = _given(size, dtype, a)
        return Variable(self._exponential(shape, dtype) ** (1 / a))

    def pareto(self, a: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers of the density a / (1 + x)**(a + 1) for x > 0, as in NumPy: Pareto's less 1."""
        (a,), shape, dtype = _given(size, dtype, a)
        return Variable(ew.expm1(self._exponential(shape, dtype) / a))

    def power(self, a: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers of the density a x**(a - 1) between 0 and 1."""
        (a,), shape, dtype = _given(size, dtype, a)
        return Variable(ew.exp(-self._exponential(shape, dtype) / a))

    def rayleigh(self, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """The length of two normal numbers of standard deviation `scale`."""
        (scale,), shape, dtype = _given(size, dtype, scale)
        return Variable(scale * ew.sqrt(self._exponential(shape, dtype) * 2))

    def halfnormal(self, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """The absolute values of normal numbers."""
        (scale,), shape, dtype = _given(size, dtype, scale)
        return Variable(scale * ew.abs_(self._normal(shape, dtype)))

    def halfcauchy(self, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """The absolute values of Cauchy's numbers."""
        return abs(self.cauchy(0.0, scale, size, dtype))

    def gamma(self, shape: Any, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """Gamma numbers (Marsaglia and Tsang 2000); differentiable by both."""
        (a, scale), place, dtype = _given(size, dtype, shape, scale)
        return Variable(scale * cast(self._gamma(place, a), dtype))

    def inverse_gamma(self, shape: Any, scale: Any = 1.0, size: Size = None, dtype: str | None = None) -> Variable:
        """`scale` divided by gamma numbers."""
        (a, scale), place, dtype = _given(size, dtype, shape, scale)
        return Variable(scale * cast(ew.exp(-self._log_gamma(place, a)), dtype))

    def chisquare(self, df: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Sums of the squares of df normal numbers."""
        (df,), shape, dtype = _given(size, dtype, df)
        return Variable(cast(self._gamma(shape, df / 2) * 2, dtype))

    def beta(self, a: Any, b: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """The part that the first of two gamma numbers, of shapes a and b, has in their sum."""
        (a, b), shape, dtype = _given(size, dtype, a, b)
        return Variable(cast(ew.sigmoid(self._log_gamma(shape, a) - self._log_gamma(shape, b)), dtype))

    def student_t(
        self, df: Any, loc: Any = 0.0, scale: Any = 1.0, size: Size = None, dtype: str | None = None
    ) -> Variable:
        """Normal numbers divided by the root of a mean of df squares of normal numbers."""
        (df, loc, scale), shape, dtype = _given(size, dtype, df, loc, scale)
        spread = ew.exp((self._log_gamma(shape, df / 2) - ew.log(cast(df, "float64") / 2)) * -0.5)
        return Variable(loc + scale * (self._normal(shape, dtype) * cast(spread, dtype)))

    def dirichlet(self, alpha: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Numbers that sum to 1 along a last axis, that of alpha: parts of gamma numbers of shapes alpha in their sum.

        size: the shape in front of it.
        """
        (alpha,), _, dtype = _given(None, dtype, alpha)
        return Variable(cast(softmax(self._log_gamma(_in_front(size, alpha, "dirichlet"), alpha)), dtype))

    def multivariate_normal(self, mean: Any, cov: Any, size: Size = None, dtype: str | None = None) -> Variable:
        """Normal vectors of a mean and a symmetric covariance matrix, of which the lower triangle is read.

        size: the shape in front of the vectors' axis. The covariance may be singular.
        """
        (mean,), _, dtype = _given(None, dtype, mean)
        matrix = cast(as_node(cov), dtype)
        if matrix.ndim != 2:
            raise TypeMismatch(f"multivariate_normal: the covariance is a matrix, not {matrix.type}")
        z = Variable(self._normal(_in_front(size, mean, "multivariate_normal"), dtype))
        return z @ cholesky(Variable(matrix)).T + Variable(mean)

    # -- counts and places --------------------------------------------------------------------------

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
        part = self._bits(_shape(size, a, b)).low() % cast(b - a, "uint64")
        return Variable(cast(a + cast(part, "int64"), dt.normalize(dtype)))

    def poisson(self, lam: Any = 1.0, size: Size = None) -> Variable:
        """Numbers of events, of which lam are expected (Hörmann 1993)."""
        (lam,), shape, _ = _given(size, "float64", lam)
        return Variable(cast(poisson_draw(*self._bits(shape).words(), broadcast_dims(lam, shape)), "int64"))

    def binomial(self, n: Any, p: Any, size: Size = None) -> Variable:
        """Numbers of successes in n trials of probability p (Hörmann 1993)."""
        (n, p), shape, _ = _given(size, "float64", n, p)
        n, p = (broadcast_dims(parameter, shape) for parameter in (n, p))
        return Variable(cast(_successes(self._bits(shape), n, p), "int64"))

    def negative_binomial(self, n: Any, p: Any, size: Size = None) -> Variable:
        """Numbers of failures before n successes of probability p: Poisson numbers of gamma numbers."""
        (n, p), shape, _ = _given(size, "float64", n, p)
        rate = self._gamma(shape, n) * ((1 - p) / p)
        return Variable(cast(poisson_draw(*self._bits(shape).words(), rate), "int64"))

    def geometric(self, p: Any, size: Size = None) -> Variable:
        """Numbers of trials of probability p until the first success, from 1 on."""
        (p,), shape, _ = _given(size, "float64", p)
        return Variable(cast(ew.floor(self._exponential(shape, "float64") / -ew.log1p(-p)) + 1, "int64"))

    def multinomial(self, n: Any, pvals: Any, size: Size = None) -> Variable:
        """How often each of several outcomes occurs in n trials, along a last axis, that of pvals, which sums to 1.

        size: the shape in front of it.
        """
        p = cast(as_node(pvals), "float64")
        shape = _in_front(size, p, "multinomial")
        rest = flip(cumsum(flip(p, -1), axis=-1), -1)
        share = broadcast_dims(ew.minimum(ew.where(rest > 0, p / rest, 1), 1), shape)
        bits = self._bits(shape)
        trials = broadcast_dims(cast(as_node(n), "float64"), shape[:-1])

        def step(share: Variable, place: Variable, left: Variable) -> list[Node]:
            count = _successes(Bits(bits.key, place.node, bits.call), left.node, share.node)
            return [left.node - count, count]

        sequences = [Variable(moveaxis(x, -1, 0)) for x in (share, bits.place)]
        (_, counts), _ = scan(step, sequences, [Variable(trials), None], name="multinomial")
        return Variable(cast(moveaxis(as_node(counts), 0, -1), "int64"))

    def categorical(self, p: Any, size: Size = None) -> Variable:
        """Places along the last axis of p, each as likely as p says, which need not sum to 1.

        size: the shape of the result, by default that of p without its last axis.
        """
        p = cast(as_node(p), "float64")
        shape = _shape(size) if size is not None else p.shape[:-1]
        sums, total = cumsum(p, axis=-1), sum_along(p, axis=-1)
        u = self._uniform(shape, "float64") * total
        if p.ndim == 1:
            found = searchsorted(sums, u, side="right")
        else:
            found = sum_along(ew.le(sums, insert(u, axes=(u.ndim,))), axis=-1)
        return Variable(ew.minimum(cast(found, "int64"), dim_node(dims.sub(p.shape[-1], 1))))

    def permutation(self, x: Any, axis: int = 0) -> Variable:
        """The numbers below x in random order, or the parts of an array along an axis."""
        node = as_node(x)
        size = node.shape[axis] if node.ndim else as_dim(cast(node, "int64"))
        order = argsort(self._bits((size,)).low())
        return Variable(moveaxis(part_of(moveaxis(node, axis, 0), order), 0, axis) if node.ndim else order)

    def shuffle(self, x: Any, axis: int = -1) -> Variable:
        """The elements of an array in random order along an axis, in each row another one (NumPy's `permuted`)."""
        node = as_node(x)
        return Variable(take_along_axis(node, argsort(self._bits(node.shape).low(), axis=axis), axis=axis))

    def choice(self, a: Any, size: Size = None, replace: bool = True, p: Any = None) -> Variable:
        """Elements of a vector, or numbers below a; p: how likely each one is; replace: whether one may come again."""
        node = as_node(a)
        count = node.shape[0] if node.ndim else as_dim(cast(node, "int64"))
        if not replace:
            keys = self._bits((count,)).low() if p is None else ew.log(self._exponential((count,), "float64"))
            order = argsort(keys if p is None else keys - ew.log(cast(as_node(p), "float64")))
            found = reshape_dims(section(order, 0, 0, dims.product(_shape(size or ()))), _shape(size or ()))
        elif p is None:
            found = as_node(self.integers(Variable(dim_node(count)), size=() if size is None else size))
        else:
            found = as_node(self.categorical(p, () if size is None else size))
        return Variable(part_of(node, found) if node.ndim else found)


class RandomStream(Draws):
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
        self._seed = np.random.SeedSequence(seed)
        self.drawn = 0
        self.calls = counter("calls", CALL)

    def _bits(self, shape: tuple[Dim, ...]) -> Bits:
        words = np.random.SeedSequence(self._seed.entropy, spawn_key=(self.drawn,)).generate_state(1, np.uint64)
        self.drawn += 1
        return Bits(const(int(words[0]), "uint64"), places(shape), self.calls.node)

    def restart(self) -> None:
        """Lets functions draw again what they drew in their first call."""
        self.calls.set_value(np.zeros((), np.uint64))


class Key(Draws):
    """Random numbers as a function of a key alone: the same key gives the same numbers, at every call.

    seed: an int or a scalar variable. Each draw from one object has numbers of its own, in the order in which they are
    drawn. `split` and `fold_in` give keys whose numbers have nothing to do with each other.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> seed = at.lscalar("seed")
    >>> first, second = Key(seed).split(2)
    >>> f = ag.function([seed], [first.normal(size=(2,)), second.normal(size=(2,))])
    >>> a, b = f(1)
    >>> bool((a == b).any()), bool((a == f(1)[0]).all()), bool((a == f(2)[0]).any())
    (False, True, False)
    """

    def __init__(self, seed: Any) -> None:
        node = as_node(seed)
        if node.ndim or dt.is_inexact(node.dtype):
            raise TypeMismatch(f"a key is made of a whole number, not {node.type}")
        self.word = cast(node, "uint64")
        self.drawn = 0

    def _bits(self, shape: tuple[Dim, ...]) -> Bits:
        self.drawn += 1
        return Bits(self.word + const(self.drawn * GOLDEN % 2**64, "uint64"), places(shape), const(0, "uint64"))

    def fold_in(self, number: Any) -> Key:
        """The key for a number, such as that of a step."""
        return Key(Variable(philox_low(self.word, cast(as_node(number), "uint64"), const(1, "uint64"))))

    def split(self, count: int = 2) -> list[Key]:
        """So many keys."""
        return [self.fold_in(k) for k in range(count)]


def unit(word: Node, dtype: str) -> Node:
    """A word of random bits as a number of [0, 1): its first 53 bits, or 24 in single precision."""
    kept = 53 if dtype == "float64" else 24
    whole = cast(cast(word >> const(64 - kept, "uint64"), "int64"), dtype)
    return whole * const(2.0**-kept, dtype)


def inside(word: Node, dtype: str) -> Node:
    """A word of random bits as a number of (0, 1): neither end occurs."""
    kept = 52 if dtype == "float64" else 23
    whole = cast(cast(word >> const(64 - kept, "uint64"), "int64"), dtype)
    return (whole + const(0.5, dtype)) * const(2.0**-kept, dtype)


def places(shape: tuple[Dim, ...]) -> Node:
    """The number of each place of an array."""
    size = dims.product(shape)
    return cast(reshape_dims(iota(dim_node(size)), shape), "uint64") if shape else const(0, "uint64")


def cholesky(a: Variable) -> Variable:
    """The lower triangle L with L L' = a, column after column; columns of zeros where a pivot is not positive."""
    n = a.shape[0]
    rows = Variable(iota(dim_node(as_dim(as_node(n)))))

    def column(k: Variable, lower: Variable) -> Variable:
        rest = a[:, k] - lower @ lower[k]
        safe = Variable(ew.where(as_node(rest[k]) > 0, as_node(rest[k]), 1))
        values = ew.where(as_node(rows >= k) & (as_node(rest[k]) > 0), as_node(rest / safe**0.5), 0)
        result: Variable = lower[:, k].set(Variable(values))
        return result

    result: Variable = fori(n, column, a * 0)
    return result


def _successes(bits: Bits, n: Node, p: Node) -> Node:
    """Binomial numbers: those of the rarer of success and failure."""
    rare = ew.minimum(p, 1 - p)
    found = binomial_draw(*bits.words(), n, ew.where(ew.gt(p, 1), -1, rare))
    return ew.where(ew.gt(p, 0.5), n - found, found)


def _given(size: Size, dtype: str | None, *parameters: Any) -> tuple[list[Node], tuple[Dim, ...], str]:
    """The parameters in the dtype of the result, and its shape and dtype."""
    found = dt.normalize(dtype or config.settings().floatX)
    if found not in ("float32", "float64"):
        raise TypeMismatch(f"random numbers are drawn in float32 or float64, not {found}")
    nodes = [as_node(p) for p in parameters]
    if any(dt.is_complex(n.dtype) for n in nodes):
        raise TypeMismatch("the parameters of distributions are real numbers")
    return [cast(n, found) for n in nodes], _shape(size, *nodes), found


def _shape(size: Size, *parameters: Node) -> tuple[Dim, ...]:
    """The shape of a draw: what is asked for, or that of the parameters."""
    if size is not None:
        return sizes_of(size, "size")
    return dims.broadcast([p.shape for p in parameters])


def _in_front(size: Size, of: Node, name: str) -> tuple[Dim, ...]:
    """The shape of a draw whose last axis is that of a parameter."""
    if not of.ndim:
        raise TypeMismatch(f"{name}: a vector is wanted, not {of.type}")
    return of.shape if size is None else (*sizes_of(size, "size"), of.shape[-1])
