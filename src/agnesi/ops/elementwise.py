"""Operations on corresponding elements: arithmetic, comparisons, choices and elementary functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.errors import IndexOutOfRange, ShapeError
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, as_nodes, cast as cast_node
from agnesi.ir.op import Op, register
from agnesi.ir.type import Type
from agnesi.ops.declare import (
    Array,
    bitwise,
    comparing,
    elementwise,
    floating,
    joining,
    measuring,
    numeric,
    positive,
    promoting,
    selecting,
    splitting,
)  # fmt: skip


def any_number(text: str) -> dict[str, str]:
    """One C text for real and complex operands."""
    return {"": text, "complex": text}


def analytic(name: str) -> dict[str, str]:
    """The C texts of a function of one real or complex number."""
    return {"": f"v_{name}{{f}}({{0}})", "complex": f"c_{name}{{f}}({{0}})"}


def complex_reference(a: Array, b: Array) -> Array:
    """a + bi, also where a part is infinite."""
    a, b = np.broadcast_arrays(a, b)
    result = np.empty(a.shape, dt.to_complex(np.result_type(a, b).name))
    result.real, result.imag = a, b
    return result


# -- arithmetic -------------------------------------------------------------------------------------

add = elementwise(
    "add", np.add, promoting, c={"": "({0} + {1})", "bool": "({0} | {1})", "complex": "({0} + {1})"}, commutes=True,
    d=lambda a, b, y: (1, 1), doc="The sum; for booleans, or.")  # fmt: skip
sub = elementwise(
    "sub", np.subtract, numeric, c=any_number("({0} - {1})"),
    d=lambda a, b, y: (1, -1), doc="The difference.")  # fmt: skip
mul = elementwise(
    "mul", np.multiply, promoting, commutes=True,
    c={"": "({0} * {1})", "bool": "({0} & {1})", "complex": "c_mul{f}({0}, {1})"},
    d=lambda a, b, y: (b, a), doc="The product; for booleans, and.")  # fmt: skip
div = elementwise(
    "div", np.true_divide, floating, c={"": "({0} / {1})", "complex": "c_div{f}({0}, {1})"}, cost=4, sample=positive,
    d=lambda a, b, y: (1 / b, -y / b), doc="The quotient, in floating point.")  # fmt: skip
floordiv = elementwise(
    "floordiv", np.floor_divide, numeric, cost=8, sample=positive,
    c={"float": "v_floordiv{f}({0}, {1})", "int": "v_ifloordiv({0}, {1})", "uint": "v_ufloordiv({0}, {1})"},
    d=lambda a, b, y: (0, 0), doc="The quotient rounded down; integers divided by zero give 0.")  # fmt: skip
mod = elementwise(
    "mod", np.mod, numeric, cost=8, sample=positive,
    c={"float": "v_mod{f}({0}, {1})", "int": "v_imod({0}, {1})", "uint": "v_umod({0}, {1})"},
    d=lambda a, b, y: (1, -(a // b)),
    doc="The remainder with the divisor's sign; integers modulo 0 give 0.")  # fmt: skip
neg = elementwise(
    "neg", np.negative, numeric, c=any_number("(-{0})"), d=lambda x, y: (-1,), doc="The negative.")  # fmt: skip


def _abs_d(x: Node, y: Node) -> tuple[Node]:
    return (conj(x) / where(eq(y, 0), 1, y) if dt.is_complex(x.dtype) else sign(x),)


abs_: Op = elementwise(
    "abs", np.abs, measuring,
    c={"float": "v_abs{f}({0})", "": "({0} < 0 ? -{0} : {0})", "bool": "{0}", "uint": "{0}",
       "complex": "v_hypot{f}(AG_REAL({0}), AG_IMAG({0}))"},
    d=_abs_d, doc="The absolute value; its derivative at 0 is 0.")  # fmt: skip
sign: Op = elementwise(
    "sign", np.sign, numeric, c={"float": "v_sign{f}({0})", "int": "(({0} > 0) - ({0} < 0))", "uint": "({0} > 0)"},
    d=lambda x, y: (0,), doc="-1, 0 or 1; NaN for NaN.")  # fmt: skip


def _pow_d(a: Node, b: Node, y: Node) -> tuple[Any, Any]:
    inside = ne(a, 0) if dt.is_complex(y.dtype) else a > 0
    return where(eq(b, 0), 0, b * a ** (b - 1)), where(inside, y * log(where(inside, a, 1)), 0)


pow_ = elementwise(
    "pow", np.power, numeric, cost=40, sample=positive,
    c={"float": "v_pow{f}({0}, {1})", "int": "v_ipow({0}, {1})", "uint": "v_upow({0}, {1})",
       "complex": "c_pow{f}({0}, {1})"},
    d=_pow_d, doc="a to the power b.")  # fmt: skip


def shares(a: Node, b: Node, first: Node) -> tuple[Any, Any]:
    """The derivatives of a choice between a and b, which takes the first one where `first` holds."""
    share = where(eq(a, b), 0.5, cast_node(first, a.dtype))
    return share, 1 - share


maximum = elementwise(
    "maximum", np.maximum, promoting, commutes=True,
    c={"float": "v_maximum{f}({0}, {1})", "": "({0} > {1} ? {0} : {1})"},
    d=lambda a, b, y: shares(a, b, a > b),
    doc="The greater of two; NaN if either is. Where both are equal the derivative is halved.")  # fmt: skip
minimum = elementwise(
    "minimum", np.minimum, promoting, commutes=True,
    c={"float": "v_minimum{f}({0}, {1})", "": "({0} < {1} ? {0} : {1})"},
    d=lambda a, b, y: shares(a, b, a < b),
    doc="The smaller of two; NaN if either is. Where both are equal the derivative is halved.")  # fmt: skip

# -- comparisons, logic and choice --------------------------------------------------------------------

eq = elementwise("eq", np.equal, comparing, c=any_number("({0} == {1})"), commutes=True, doc="Whether a == b.")
ne = elementwise("ne", np.not_equal, comparing, c=any_number("({0} != {1})"), commutes=True, doc="Whether a != b.")
lt = elementwise("lt", np.less, comparing, c="({0} < {1})", doc="Whether a < b.")
le = elementwise("le", np.less_equal, comparing, c="({0} <= {1})", doc="Whether a <= b.")
gt = elementwise("gt", np.greater, comparing, c="({0} > {1})", doc="Whether a > b.")
ge = elementwise("ge", np.greater_equal, comparing, c="({0} >= {1})", doc="Whether a >= b.")
and_ = elementwise("and", np.bitwise_and, bitwise, c="({0} & {1})", commutes=True, doc="Bitwise and.")
or_ = elementwise("or", np.bitwise_or, bitwise, c="({0} | {1})", commutes=True, doc="Bitwise or.")
xor = elementwise("xor", np.bitwise_xor, bitwise, c="({0} ^ {1})", commutes=True, doc="Bitwise exclusive or.")
invert = elementwise("invert", np.invert, bitwise, c={"bool": "(!{0})", "": "(~{0})"}, doc="Bitwise not.")
where = elementwise(
    "where", np.where, selecting, c=any_number("({0} ? {1} : {2})"),
    doc="a where the condition holds, else b. No derivative of the branch not taken reaches the result.")  # fmt: skip
isnan = elementwise(
    "isnan", np.isnan, comparing, c={"float": "({0} != {0})", "complex": "({0} != {0})", "": "(0 * {0})"},
    doc="Whether x is NaN.")  # fmt: skip

# -- parts of complex numbers --------------------------------------------------------------------------

real = elementwise(
    "real", np.real, splitting, c={"complex": "AG_REAL({0})"}, d=lambda x, y: (1,), doc="The real part.")  # fmt: skip
imag = elementwise(
    "imag", np.imag, splitting, c={"complex": "AG_IMAG({0})"}, d=lambda x, y: (-1j,),
    doc="The imaginary part.")  # fmt: skip
conj = elementwise(
    "conj", np.conj, numeric, c={"": "({0})", "complex": "(~{0})"}, doc="The complex conjugate.")  # fmt: skip
angle = elementwise(
    "angle", np.angle, splitting, c={"complex": "v_atan2{f}(AG_IMAG({0}), AG_REAL({0}))"}, cost=30,
    d=lambda x, y: (-1j / x,), doc="The angle to the positive real axis, between -pi and pi.")  # fmt: skip


def conjugate(x: Node) -> Node:
    """The complex conjugate; real numbers as they are."""
    return conj(x) if dt.is_complex(x.dtype) else x


complex_ = elementwise(
    "complex", complex_reference, joining, c="AG_COMPLEX({0}, {1})", d=lambda a, b, y: (1, 1j),
    doc="The complex number with this real and this imaginary part.")  # fmt: skip

# -- elementary functions -----------------------------------------------------------------------------


def sigmoid_reference(x: Array) -> Array:
    """1 / (1 + exp(-x)) without overflow."""
    e = np.exp(-np.abs(x))
    return np.where(np.isnan(x), x, np.where(x >= 0, 1, e) / (1 + e))


def softplus_reference(x: Array) -> Array:
    """log(1 + exp(x)) without overflow."""
    return np.logaddexp(x, np.zeros_like(x))


def log1p_reference(x: Array) -> Array:
    """log(1 + x), accurate near 0 also for complex x."""
    if np.asarray(x).dtype.kind != "c":
        return np.log1p(x)
    small = np.log1p(x.real * (2 + x.real) + x.imag * x.imag) / 2
    y = np.log(complex_reference(1 + x.real, x.imag))
    return complex_reference(np.where(np.abs(x) < 0.5, small, y.real), y.imag)


def expm1_reference(x: Array) -> Array:
    """exp(x) - 1, accurate near 0; at complex infinities as exp has it, where NumPy gives NaN."""
    y = np.expm1(x)
    return np.where(np.isfinite(x), y, np.exp(x) - 1) if y.dtype.kind == "c" else y


TWO_OVER_SQRT_PI = 2 / math.sqrt(math.pi)


def special(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """A function of Python's math module, element by element."""
    vectorized = np.vectorize(function, otypes=["float64"])
    return lambda x: vectorized(x).astype(np.asarray(x).dtype)


sqrt = elementwise(
    "sqrt", np.sqrt, floating, c=analytic("sqrt"), cost=8, sample=positive,
    d=lambda x, y: (1 / (2 * y),), doc="The non-negative square root.")  # fmt: skip
exp = elementwise(
    "exp", np.exp, floating, c=analytic("exp"), cost=20, d=lambda x, y: (y,), doc="e to the power x.")  # fmt: skip
expm1 = elementwise(
    "expm1", expm1_reference, floating, c=analytic("expm1"), cost=20,
    d=lambda x, y: (y + 1,), doc="exp(x) - 1, accurate near 0.")  # fmt: skip
log = elementwise(
    "log", np.log, floating, c=analytic("log"), cost=20, sample=positive,
    d=lambda x, y: (1 / x,), doc="The natural logarithm.")  # fmt: skip
log1p = elementwise(
    "log1p", log1p_reference, floating, c=analytic("log1p"), cost=20, sample=positive,
    d=lambda x, y: (1 / (1 + x),), doc="log(1 + x), accurate near 0.")  # fmt: skip
tanh = elementwise(
    "tanh", np.tanh, floating, c=analytic("tanh"), cost=20,
    d=lambda x, y: (1 - y * y,), doc="The hyperbolic tangent.")  # fmt: skip
sigmoid = elementwise(
    "sigmoid", sigmoid_reference, floating, c="v_sigmoid{f}({0})", cost=20,
    d=lambda x, y: (y * (1 - y),), doc="1 / (1 + exp(-x)), without overflow.")  # fmt: skip
softplus = elementwise(
    "softplus", softplus_reference, floating, c="v_softplus{f}({0})", cost=40,
    d=lambda x, y: (sigmoid(x),), doc="log(1 + exp(x)), without overflow.")  # fmt: skip
sin: Op = elementwise(
    "sin", np.sin, floating, c=analytic("sin"), cost=20, d=lambda x, y: (cos(x),), doc="The sine.")  # fmt: skip
cos: Op = elementwise(
    "cos", np.cos, floating, c=analytic("cos"), cost=20, d=lambda x, y: (-sin(x),), doc="The cosine.")  # fmt: skip

erf = elementwise(
    "erf", special(math.erf), floating, c="v_erf{f}({0})", cost=20,
    d=lambda x, y: (TWO_OVER_SQRT_PI * exp(-(x * x)),), doc="The error function.")  # fmt: skip
erfc = elementwise(
    "erfc", special(math.erfc), floating, c="v_erfc{f}({0})", cost=20,
    d=lambda x, y: (-TWO_OVER_SQRT_PI * exp(-(x * x)),), doc="1 - erf(x), accurate for large x.")  # fmt: skip

# -- rounding -----------------------------------------------------------------------------------------

floor = elementwise(
    "floor", np.floor, promoting, c={"float": "v_floor{f}({0})", "": "({0})"},
    d=lambda x, y: (0,), doc="The greatest whole number not above x.")  # fmt: skip
ceil = elementwise(
    "ceil", np.ceil, promoting, c={"float": "v_ceil{f}({0})", "": "({0})"},
    d=lambda x, y: (0,), doc="The smallest whole number not below x.")  # fmt: skip
trunc = elementwise(
    "trunc", np.trunc, promoting, c={"float": "v_trunc{f}({0})", "": "({0})"},
    d=lambda x, y: (0,), doc="The whole number next to x towards 0.")  # fmt: skip
rint = elementwise(
    "rint", np.rint, floating, c="v_rint{f}({0})",
    d=lambda x, y: (0,), doc="The nearest whole number; halves go to the even one.")  # fmt: skip

# -- casts and sizes ------------------------------------------------------------------------------------


def _cast_infer(x: Node, dtype: str) -> Type:
    return Type(dt.normalize(dtype), x.shape)


def _cast_reference(x: Array, shape: tuple[int, ...], dtype: str) -> Array:
    return dt.convert(x, dtype)


cast = register(
    Op(
        name="cast", kind="elementwise", infer=_cast_infer, evaluate=_cast_reference, sample=None,
        c="({t})({0})", d=lambda x, y: (1 if dt.is_inexact(y.dtype) and dt.is_inexact(x.dtype) else 0,),
        doc="The value in another dtype, as astype; of complex numbers the real part.",
    )
)  # fmt: skip


@np.errstate(all="ignore")
def meet_reference(a: Array, b: Array) -> Array:
    """The common size of two dimensions; raises ShapeError when neither is 1 and they differ."""
    a, b = int(a), int(b)
    if a != b and a != 1 and b != 1:
        raise ShapeError(f"sizes {a} and {b} differ and neither is 1")
    return np.int64(b if a == 1 else a)


meet = elementwise(
    "meet", meet_reference, promoting, c="({0} == 1 ? {1} : {0})",
    doc="The size that two dimensions broadcast to.")  # fmt: skip


def check_reference(i: Array, n: Array) -> Array:
    """Indices wrapped into [0, n); raises IndexOutOfRange with the first wrong one."""
    i = np.asarray(i)
    wrong = (i < -n) | (i >= n)
    if wrong.any():
        raise IndexOutOfRange(f"index {i[wrong].flat[0]} is out of range for an axis of size {int(n)}")
    return np.where(i < 0, i + n, i)


def _check_infer(i: Node, n: Node, site: int) -> Type:
    return i.type


check_index = register(
    Op(
        name="check_index", kind="elementwise", infer=_check_infer, may_raise=True, arity=2, cost=2,
        evaluate=lambda i, n, shape, site: check_reference(i, n), c="ag_index(call, {site}, {0}, {1})",
        d=lambda i, n, y: (0, 0), doc="An index counted from the start; raises where it is out of range.",
    )
)  # fmt: skip


copy = register(
    Op(
        name="copy", kind="elementwise", infer=lambda x, number: x.type, evaluate=lambda x, shape, number: np.array(x),
        c="({0})", d=lambda x, y: (1,), cost=0, doc="The value again, in memory of its own; number tells copies apart.",
    )
)  # fmt: skip


def checked(i: Node, n: Node) -> Node:
    """An int64 index array, checked against the size of its axis."""
    i, n = as_nodes((i, n))
    return check_index(cast_node(i, "int64"), n, site=0)
