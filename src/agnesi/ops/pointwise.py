"""Functions on corresponding elements that are short expressions of the elementwise ops."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, as_nodes, cast
from agnesi.ir.variable import NUMPY, as_node, lift, method
from agnesi.ops import elementwise as ew, integrals, special
from agnesi.ops.reduce import all_


def floats(*args: Any) -> tuple[Node, ...]:
    """The arguments in one floating dtype."""
    nodes = as_nodes(args) if any(isinstance(a, Node) for a in args) else tuple(as_node(a) for a in args)
    common = dt.to_float(dt.promote(*[n.dtype for n in nodes]))
    return tuple(cast(n, common) for n in nodes)


# -- tests ------------------------------------------------------------------------------------------------


@lift
def isinf(x: Node) -> Node:
    """Whether x is infinite; for complex numbers, whether a part is."""
    x = as_node(x)
    if dt.is_complex(x.dtype):
        return isinf(ew.real(x)) | isinf(ew.imag(x))
    return ew.eq(ew.abs_(x), np.inf) if dt.is_float(x.dtype) else ew.isnan(x)


@lift
def isposinf(x: Node) -> Node:
    """Whether x is plus infinity."""
    return ew.eq(as_node(x), np.inf)


@lift
def isneginf(x: Node) -> Node:
    """Whether x is minus infinity."""
    return ew.eq(as_node(x), -np.inf)


@lift
def isfinite(x: Node) -> Node:
    """Whether x is neither infinite nor NaN."""
    return ~(isinf(x) | ew.isnan(as_node(x)))


@lift
def isclose(a: Node, b: Node, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Node:
    """Whether |a - b| <= atol + rtol * |b|, or both are the same infinity; NaN only if equal_nan says so.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.isclose(np.array([1.0, np.inf]), np.array([1.0 + 1e-9, np.inf])).eval().tolist()
    [True, True]
    """
    a, b = floats(a, b)
    near = (ew.abs_(a - b) <= atol + rtol * ew.abs_(b)) & isfinite(b) | ew.eq(a, b)
    return near | (ew.isnan(a) & ew.isnan(b)) if equal_nan else near


@lift
def allclose(a: Node, b: Node, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Node:
    """Whether all elements are close, as isclose says."""
    near = isclose(a, b, rtol, atol, equal_nan)
    return all_(near, axes=tuple(range(near.ndim)))


# -- choices ----------------------------------------------------------------------------------------------


@method("clip", numpy=(np.clip,))
@lift
def clip(x: Node, min: Any = None, max: Any = None) -> Node:
    """x held within [min, max]; None is no bound.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.clip(np.array([-2.0, 0.5, 7.0]), None, 1).eval().tolist()
    [-2.0, 0.5, 1.0]
    """
    x = as_node(x)
    x = x if min is None else ew.maximum(x, min)
    return x if max is None else ew.minimum(x, max)


@lift
def largest(*args: Any) -> Node:
    """The greatest of any number of arguments, element by element."""
    return reduce(ew.maximum, [as_node(args[0]), *args[1:]])


@lift
def smallest(*args: Any) -> Node:
    """The smallest of any number of arguments, element by element."""
    return reduce(ew.minimum, [as_node(args[0]), *args[1:]])


@lift
def nan_to_num(x: Node, *, nan: Any = 0.0, posinf: Any = None, neginf: Any = None) -> Node:
    """x with numbers for NaN and the infinities; for the infinities the largest finite ones if none are given."""
    x = as_node(x)
    if dt.is_complex(x.dtype):
        parts = (nan_to_num(part, nan=nan, posinf=posinf, neginf=neginf) for part in (ew.real(x), ew.imag(x)))
        return ew.complex_(*parts)
    if not dt.is_float(x.dtype):
        return x
    largest = dt.largest(x.dtype)
    x = ew.where(ew.isnan(x), nan, x)
    x = ew.where(isposinf(x), largest if posinf is None else posinf, x)
    return ew.where(isneginf(x), -largest if neginf is None else neginf, x)


@lift
def heaviside(x: Node, value: Any) -> Node:
    """0 for negative x, 1 for positive x, `value` at 0; NaN for NaN."""
    x, value = floats(x, value)
    return ew.where(x > 0, 1.0, ew.where(x < 0, 0.0, ew.where(ew.eq(x, 0), value, math.nan)))


# -- rounding ---------------------------------------------------------------------------------------------


@method("round", numpy=(np.round, np.around))
@lift
def round(x: Node, decimals: int = 0) -> Node:
    """x rounded to so many decimals, negative ones before the point; halves go to the even neighbour.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.round(np.array([0.125, 0.375]), 2).eval().tolist()
    [0.12, 0.38]
    """
    x = as_node(x)
    if dt.is_complex(x.dtype):
        return ew.complex_(round(ew.real(x), decimals), round(ew.imag(x), decimals))
    if x.dtype == "bool":
        x = cast(x, "float64")
    if decimals == 0 or (decimals > 0 and not dt.is_float(x.dtype)):
        return ew.rint(x) if dt.is_float(x.dtype) else x
    power = 10.0 ** max(decimals, -decimals)
    return ew.rint(x * power) / power if decimals > 0 else cast(ew.rint(x / power) * power, x.dtype)


@lift
def iround(x: Node) -> Node:
    """The nearest whole number as int64; halves go to the even one."""
    return cast(round(as_node(x)), "int64")


# -- arithmetic -------------------------------------------------------------------------------------------


@lift
def positive(x: Node) -> Node:
    """x itself."""
    return as_node(x)


@lift
def reciprocal(x: Node) -> Node:
    """1 / x, in floating point."""
    return 1 / as_node(x)


@lift
def square(x: Node) -> Node:
    """The square of each element."""
    x = as_node(x)
    return x * x


@lift
def float_power(a: Node, b: Any) -> Node:
    """a to the power b, in double precision."""
    a, b = floats(a, b)
    return ew.pow_(cast(a, "float64"), cast(b, "float64"))


@lift
def divmod(a: Node, b: Any) -> tuple[Node, Node]:
    """The quotient rounded down and the remainder."""
    a, b = as_nodes((as_node(a), b))
    return a // b, a % b


@lift
def deg2rad(x: Node) -> Node:
    """Radians from degrees."""
    return floats(x)[0] * (math.pi / 180)


@lift
def rad2deg(x: Node) -> Node:
    """Degrees from radians."""
    return floats(x)[0] * (180 / math.pi)


# -- functions --------------------------------------------------------------------------------------------

SINC_TERMS = [(-1) ** k / math.factorial(2 * k + 1) for k in range(8)]


@lift
def sinc(x: Node) -> Node:
    """sin(pi x) / (pi x), by its series near 0, so that all derivatives are right there."""
    t = floats(x)[0] * math.pi
    small = ew.abs_(t) < 0.5
    z = t * t
    series = reduce(lambda sum, term: sum * z + term, reversed(SINC_TERMS[:-1]), SINC_TERMS[-1])
    safe = ew.where(small, 1, t)
    return ew.where(small, series, ew.sin(safe) / safe)


@lift
def xlogx(x: Node) -> Node:
    """x * log(x), 0 at 0."""
    x = as_node(x)
    return special.xlogy(x, x)


@lift
def polygamma(n: int, x: Node) -> Node:
    """The derivative of order n + 1 of log gamma; from order 2 on for positive x only, NaN elsewhere.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.polygamma(2, np.ones(1)).eval().round(6).tolist()
    [-2.404114]
    """
    x = as_node(x)
    if n < 0:
        raise TypeMismatch(f"the order of polygamma is 0, 1, 2 ..., not {n}")
    if n < 2:
        return special.trigamma(x) if n else special.digamma(x)
    return special.zeta(n + 1, x) * float((-1) ** (n + 1) * math.factorial(n))


@lift
def chi2sf(x: Node, k: Node) -> Node:
    """The probability that a chi-squared number of k degrees of freedom is greater than x."""
    x, k = floats(x, k)
    return integrals.gammaincc(0.5 * k, 0.5 * x)


NUMPY |= {
    np.isinf: isinf, np.isposinf: isposinf, np.isneginf: isneginf, np.isfinite: isfinite, np.isclose: isclose,
    np.allclose: allclose, np.nan_to_num: nan_to_num, np.heaviside: heaviside, np.positive: positive,
    np.reciprocal: reciprocal, np.square: square, np.float_power: float_power, np.divmod: divmod,
    np.deg2rad: deg2rad, np.radians: deg2rad, np.rad2deg: rad2deg, np.degrees: rad2deg, np.sinc: sinc,
}  # fmt: skip
