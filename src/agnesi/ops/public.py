"""Elementwise functions under NumPy's names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, cast as cast_node
from agnesi.ir.op import Op
from agnesi.ir.variable import NUMPY, as_node, lift, method
from agnesi.ops import elementwise as ew, functions, integrals, special
from agnesi.ops.pointwise import deg2rad, rad2deg, reciprocal, round, square
from agnesi.ops.reduce import cast_bool


def public(op: Op, *numpy: Any, name: str = "") -> Callable[..., Any]:
    """The op as a function on anything array-like, registered for NumPy's functions."""

    @lift
    def function(*args: Any) -> Any:
        if len(args) != op.arity:
            raise TypeMismatch(f"{op.name} takes {op.arity} arguments, not {len(args)}")
        if any(isinstance(a, Node) for a in args):
            return op(*args)
        return op(*[as_node(a) for a in args])

    function.__name__ = function.__qualname__ = name or op.name
    function.__doc__ = op.doc
    for key in numpy:
        NUMPY[key] = function
    return function


add = public(ew.add, np.add)
subtract = public(ew.sub, np.subtract, name="subtract")
multiply = public(ew.mul, np.multiply, name="multiply")
true_divide = public(ew.div, np.true_divide, name="true_divide")
floor_divide = public(ew.floordiv, np.floor_divide, name="floor_divide")
mod = public(ew.mod, np.mod)
power = public(ew.pow_, np.power, name="power")
negative = public(ew.neg, np.negative, name="negative")
abs = public(ew.abs_, np.absolute)
sign = public(ew.sign, np.sign)
maximum = public(ew.maximum, np.maximum)
minimum = public(ew.minimum, np.minimum)
eq = public(ew.eq, np.equal)
neq = public(ew.ne, np.not_equal, name="neq")
lt = public(ew.lt, np.less)
le = public(ew.le, np.less_equal)
gt = public(ew.gt, np.greater)
ge = public(ew.ge, np.greater_equal)
bitwise_and = public(ew.and_, np.bitwise_and, name="bitwise_and")
bitwise_or = public(ew.or_, np.bitwise_or, name="bitwise_or")
bitwise_xor = public(ew.xor, np.bitwise_xor, name="bitwise_xor")
invert = public(ew.invert, np.invert)
where = public(ew.where, np.where)
isnan = public(ew.isnan, np.isnan)
sqrt = public(ew.sqrt, np.sqrt)
exp = public(ew.exp, np.exp)
expm1 = public(ew.expm1, np.expm1)
log = public(ew.log, np.log)
log1p = public(ew.log1p, np.log1p)
tanh = public(ew.tanh, np.tanh)
sigmoid = public(ew.sigmoid)
softplus = public(ew.softplus)
sin = public(ew.sin, np.sin)
cos = public(ew.cos, np.cos)
erf = public(ew.erf)
erfc = public(ew.erfc)
floor = public(ew.floor, np.floor)
ceil = public(ew.ceil, np.ceil)
trunc = public(ew.trunc, np.trunc)
rint = public(ew.rint, np.rint)
exp2 = public(functions.exp2, np.exp2)
log2 = public(functions.log2, np.log2)
log10 = public(functions.log10, np.log10)
cbrt = public(functions.cbrt, np.cbrt)
tan = public(functions.tan, np.tan)
arcsin = public(functions.arcsin, np.arcsin)
arccos = public(functions.arccos, np.arccos)
arctan = public(functions.arctan, np.arctan)
arctan2 = public(functions.arctan2, np.arctan2)
sinh = public(functions.sinh, np.sinh)
cosh = public(functions.cosh, np.cosh)
arcsinh = public(functions.arcsinh, np.arcsinh)
arccosh = public(functions.arccosh, np.arccosh)
arctanh = public(functions.arctanh, np.arctanh)
hypot = public(functions.hypot, np.hypot)
logaddexp = public(functions.logaddexp, np.logaddexp)
log1mexp = public(functions.log1mexp)
fmod = public(functions.fmod, np.fmod)
fmax = public(functions.fmax, np.fmax)
fmin = public(functions.fmin, np.fmin)
signbit = public(functions.signbit, np.signbit)
copysign = public(functions.copysign, np.copysign)
left_shift = public(functions.left_shift, np.left_shift)
right_shift = public(functions.right_shift, np.right_shift)
gammaln = public(special.lgamma, name="gammaln")
gamma = public(special.gamma)
digamma = public(special.digamma)
trigamma = public(special.trigamma)
zeta = public(special.zeta)
gammainc = public(integrals.gammainc)
gammaincc = public(integrals.gammaincc)
gammainc_shape = public(integrals.gammainc_shape)
j0 = public(integrals.j0)
j1 = public(integrals.j1)
i0 = public(integrals.i0, np.i0)
i1 = public(integrals.i1)
jv = public(integrals.jv)
iv = public(integrals.iv)
erfcx = public(special.erfcx)
erfinv = public(special.erfinv)
erfcinv = public(special.erfcinv)
logit = public(special.logit)
xlogy = public(special.xlogy)
xlog1py = public(special.xlog1py)

# -- further names of the same ------------------------------------------------------------------------------

switch = where
around = round
fix = trunc
if hasattr(np, "fix"):  # deprecated from NumPy 2.5 on
    NUMPY[np.fix] = fix
radians, degrees = deg2rad, rad2deg
sqr, inv = square, reciprocal
sgn, neg, pow = sign, negative, power
and_, or_, xor = bitwise_and, bitwise_or, bitwise_xor
xlogy0 = xlogy
log1pexp = softplus
loggamma, psi, tri_gamma = gammaln, digamma, trigamma

# -- logic --------------------------------------------------------------------------------------------------


@lift
def logical_and(a: Node, b: Node) -> Node:
    """Whether both are not zero."""
    return cast_bool(as_node(a)) & cast_bool(as_node(b))


@lift
def logical_or(a: Node, b: Node) -> Node:
    """Whether one is not zero."""
    return cast_bool(as_node(a)) | cast_bool(as_node(b))


@lift
def logical_xor(a: Node, b: Node) -> Node:
    """Whether exactly one is not zero."""
    return cast_bool(as_node(a)) ^ cast_bool(as_node(b))


@lift
def logical_not(x: Node) -> Node:
    """Whether x is zero."""
    return ~cast_bool(as_node(x))


NUMPY |= {
    np.logical_and: logical_and, np.logical_or: logical_or, np.logical_xor: logical_xor, np.logical_not: logical_not,
}  # fmt: skip


@method("astype")
@lift
def cast(x: Node, dtype: str) -> Node:
    """x in another dtype."""
    return cast_node(as_node(x), dt.normalize(dtype))
