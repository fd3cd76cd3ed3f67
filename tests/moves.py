"""What random graphs grow by: each move makes a new expression from old ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.op import OPS, Op
from agnesi.ir.type import same
from agnesi.ir.variable import Variable
from agnesi.ops.declare import positive
from expressions import NAMED


def of_floats(op: Op) -> bool:
    """Whether an elementwise op takes one or two floats."""
    if op.kind != "elementwise" or op.signature is None or op.arity > 2 or op.name in NAMED:
        return False
    try:
        return bool(op.signature(*("float64",) * op.arity))
    except TypeMismatch:
        return False


TABLE = [op for op in OPS.values() if of_floats(op)]
EDGE = 1e-7  # nearer to a discontinuity than this counts as beside it
World = Any  # generate.World, which imports this file


def close(distance: np.ndarray, name: str, exact: bool = True, edge: float = EDGE) -> None:
    """Raises Rejected for small distances; a distance of 0 is exact, and allowed unless told otherwise."""
    small = distance < edge
    if exact:
        small &= distance != 0
    if np.any(small):
        raise Rejected(f"{name}: beside an edge")


class Rejected(Exception):
    """A draw that is not used: too large, undefined, or beside an edge."""


MOVES: list[tuple[int, Callable[[World], Variable]]] = []


def move(weight: int) -> Callable[[Callable[[World], Variable]], Callable[[World], Variable]]:
    """Registers a way to make a new expression from old ones."""

    def register(function: Callable[[World], Variable]) -> Callable[[World], Variable]:
        MOVES.append((weight, function))
        return function

    return register


UNARY: list[Callable[[Any], Any]] = [
    at.tanh, at.sin, at.cos, at.sigmoid, at.softplus, at.negative, at.square, at.abs, at.sign, at.relu,
    lambda x: at.exp(at.minimum(x, 5.0)), lambda x: at.log(1 + x * x), lambda x: at.log1p(at.abs(x)),
    lambda x: at.expm1(at.tanh(x)), lambda x: at.sqrt(1 + at.abs(x)), lambda x: at.log(at.sigmoid(x)),
    lambda x: 1 / (1 + at.exp(-x)), lambda x: at.log(1 + at.exp(x)), lambda x: x**3, lambda x: (1 + x * x) ** -0.5,
    lambda x: 1 - at.sigmoid(x),
    lambda x: x * 0.5 + 1, lambda x: 2 - x, lambda x: x / 4, lambda x: at.negative(-x) * -1,
    lambda x: at.clip(x, -1.0, 1.5), lambda x: at.exp(at.minimum(x, 3.0)) - 1,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    at.add, at.subtract, at.multiply, at.maximum, at.minimum, lambda a, b: a / (1 + b * b), lambda a, b: a * -b,
    lambda a, b: (1.5 + at.tanh(a)) ** b, lambda a, b: at.mod(a, 1 + at.abs(b)), lambda a, b: a // (1 + at.abs(b)),
    lambda a, b: a - 0.5 * b, lambda a, b: a * b + a, lambda a, b: at.where(a > b, a, b * 2),
    lambda a, b: at.where(at.isnan(a), b, a + b), lambda a, b: at.where(at.signbit(a), b, a),
]  # fmt: skip
COMPARE: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a < b, lambda a, b: a <= b, lambda a, b: a > b, lambda a, b: a >= b, at.eq, at.neq,
]  # fmt: skip
INTEGER: list[Callable[[Any, Any], Any]] = [
    at.add, at.subtract, at.multiply, at.maximum, at.minimum, lambda a, b: a // b, at.mod, at.bitwise_and,
    at.bitwise_or, at.bitwise_xor, lambda a, b: a << (b & 7), lambda a, b: a >> (b & 7),
    lambda a, b: at.where(a > b, at.abs(a), -b), lambda a, b: a**2 + b,
]  # fmt: skip


def one_of(w: World, choices: list[Any]) -> Any:
    return choices[w.rng.integers(len(choices))]


@move(26)
def any_op(w: World) -> Variable:
    """A row of the table, whatever it is, within its domain."""
    op = one_of(w, TABLE)
    args = [w.number()]
    if op.arity == 2:
        args.append(w.partner(args[0]))
    return op(*[0.3 + at.abs(a) if op.sample is positive else a for a in args])


@move(18)
def unary(w: World) -> Variable:
    return one_of(w, UNARY)(w.number())


@move(18)
def binary(w: World) -> Variable:
    a = w.number()
    b = w.partner(a)
    return one_of(w, BINARY)(*((a, b) if w.rng.random() < 0.5 else (b, a)))


@move(4)
def choose(w: World) -> Variable:
    condition = w.pick(lambda v: v.dtype == "bool")
    a = w.partner(condition)
    if w.rng.random() < 0.3:
        return at.where(condition, a, 0.25)
    b = w.partner(a)
    try:
        np.broadcast_shapes(*map(w.lengths, (condition, a, b)))
    except ValueError:
        raise Rejected("do not broadcast") from None
    return at.where(condition, a, b)


@move(4)
def compare(w: World) -> Variable:
    a = w.number()
    b = w.partner(a) if w.rng.random() < 0.7 else at.constant(0.3)
    with np.errstate(invalid="ignore"):  # infinities that are equal
        distance = np.abs(w.value(a) - w.value(b))
    close(distance, "comparison", exact=False)  # equal ones may come from different roundings
    return one_of(w, COMPARE)(a, b)


@move(2)
def logic(w: World) -> Variable:
    a = w.pick(lambda v: v.dtype == "bool")
    b = w.partner(a, "bool")
    return one_of(w, [lambda a, b: a & b, lambda a, b: a | b, lambda a, b: a ^ b, lambda a, b: ~a & ~b])(a, b)


@move(8)
def integers(w: World) -> Variable:
    a = w.pick(lambda v: v.dtype in dt.SIGNED)
    return one_of(w, INTEGER)(a, w.partner(a, a.dtype) if w.rng.random() < 0.7 else 3)


@move(4)
def cast(w: World) -> Variable:
    v = w.pick(lambda v: not dt.is_complex(v.dtype))
    return v.astype(one_of(w, ["float64", "float64", "float32", "int64", "int32", "bool"]))


def extreme(name: str, v: Variable) -> str:
    """The name; raises Rejected where it takes an extreme of what is known to have no elements."""
    if name in ("max", "min", "argmax", "argmin") and any(same(d, 0) for d in v.type.shape):
        raise Rejected("an extreme of no elements")
    return name


COMPLEX: list[Callable[[Any, Any], Any]] = [
    at.add, at.multiply, lambda a, b: a / (2 + b * at.conj(b)), lambda a, b: a * b.conj() - 0.5j,
    lambda a, b: a.real * at.angle(b), lambda a, b: abs(a) - b.imag, lambda a, b: at.exp(1j * a.real) * b,
    lambda a, b: at.log(3 + a.real), lambda a, b: at.sin(a / (1 + abs(a))), lambda a, b: at.sqrt(a) + b,
    lambda a, b: at.where(at.eq(a, b), a, -b), lambda a, b: a**2, lambda a, b: at.isnan(a), lambda a, b: a.sum(),
    lambda a, b: (a * b).mean(axis=-1) if a.ndim and b.ndim else a, lambda a, b: (a / (1 + abs(a))).prod(),
]  # fmt: skip


@move(2)
def complexes(w: World) -> Variable:
    a = w.number()
    z = at.complex(a, w.partner(a)) if w.rng.random() < 0.5 else at.complex_from_polar(abs(a), a)
    return z if w.rng.random() < 0.5 else z.real * at.angle(z) - z.imag


@move(8)
def complex_functions(w: World) -> Variable:
    a = w.pick(lambda v: dt.is_complex(v.dtype))
    return one_of(w, COMPLEX)(a, w.partner(a, a.dtype))


@move(12)
def reduce(w: World) -> Variable:
    v = w.number(1)
    name = extreme(one_of(w, ["sum", "sum", "mean", "max", "min", "prod", "var", "std", "logsumexp"]), v)
    axis: Any = w.axes(v) if w.rng.random() < 0.7 else None
    x = at.tanh(v) if name in ("prod", "std") else v
    result = getattr(at, name)(x + 1.5 if name == "std" else x, axis=axis, keepdims=bool(w.rng.random() < 0.4))
    return at.sqrt(result * result + 0.1) if name == "std" else result


@move(4)
def reduce_others(w: World) -> Variable:
    v = w.pick(lambda v: not dt.is_inexact(v.dtype) and v.ndim > 0)
    name = extreme(one_of(w, ["any", "all", "sum", "max", "min"]), v)
    return getattr(at, name)(v, axis=w.axes(v), keepdims=bool(w.rng.random() < 0.4))


@move(2)
def extreme_place(w: World) -> Variable:
    v = w.number(1)
    return getattr(at, extreme(one_of(w, ["argmax", "argmin"]), v))(v, axis=int(w.rng.integers(v.ndim)))


@move(7)
def softmax(w: World) -> Variable:
    v = w.number(1)
    return one_of(w, [at.nnet.softmax, at.nnet.log_softmax])(v, axis=w.axes(v))


@move(6)
def move_axes(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim >= 1)
    choices = [lambda: v.T, lambda: v.transpose(tuple(int(k) for k in w.rng.permutation(v.ndim))), lambda: v.flatten()]
    if v.ndim < 3:
        choices += [lambda: v[None], lambda: v[..., None]]
    if v.ndim >= 2:
        lengths = w.lengths(v)
        choices += [lambda: v.reshape((-1, v.shape[-1])) if lengths[-1] else v.T,
                    lambda: v.reshape((v.shape[1], v.shape[0], *v.shape[2:]))]  # fmt: skip
    return one_of(w, choices)()


@move(2)
def known_sizes(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim >= 1)
    return at.specify_shape(v, [one_of(w, [None, n]) for n in w.lengths(v)])


@move(3)
def squeeze(w: World) -> Variable:
    v = w.pick(lambda v: 1 in w.lengths(v))
    return at.squeeze(v, w.lengths(v).index(1))


@move(8)
def part(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim >= 1)
    key: list[Any] = []
    for n in w.lengths(v):
        bounds = [None if w.rng.random() < 0.4 else int(w.rng.integers(-n - 2, n + 3)) for _ in range(2)]
        choices: list[Any] = [slice(None), slice(*bounds), slice(*bounds, one_of(w, [1, 2, -1, -2, 3]))]
        if n:
            choices.append(int(w.rng.integers(-n, n)))
        key.append(one_of(w, choices))
    return v[tuple(key)]


@move(4)
def assign(w: World) -> Variable:
    """An array with a part of it set or added to."""
    v = w.number(1)
    lengths = w.lengths(v)
    if w.rng.random() < 0.4 and lengths[0]:
        taken = v[w.index(lengths[0], int(w.rng.integers(1, 4)))]
    else:
        start, step = int(w.rng.integers(-3, 3)), one_of(w, [1, 1, 2, -1])
        taken = v[(slice(None),) * int(w.rng.integers(v.ndim)) + (slice(start, None, step),)]
    values = one_of(w, [lambda: taken * 0.5 + 1, lambda: at.constant(0.25), lambda: at.zeros_like(taken)])()
    return taken.set(values.astype(v.dtype)) if w.rng.random() < 0.5 else taken.inc(values.astype(v.dtype))


@move(4)
def run(w: World) -> Variable:
    v = at.tanh(w.number(1))
    axis = one_of(w, [None, *range(v.ndim)])
    return at.cumsum(v, axis) if w.rng.random() < 0.7 else at.cumprod(v + 0.3, axis)


@move(2)
def ordered(w: World) -> Variable:
    v = w.number(1)
    axis = one_of(w, [None, *range(v.ndim)])
    values = w.value(v)
    if np.unique(values).size < values.size:
        raise Rejected("equal elements")
    close(np.diff(np.sort(values, axis=axis), axis=-1 if axis is None else axis), "sort")
    places = at.searchsorted(at.sort(v, None), v) if axis is None else at.argsort(v, axis)
    return one_of(w, [at.sort(v, axis), places * 0.1])


@move(4)
def masked(w: World) -> Variable:
    """Elements or rows where something holds: their number is known only when it is computed."""
    v = w.number(1)
    if w.rng.random() < 0.3:
        return at.flatnonzero(v > 0.3) * 0.1 + 1.0
    mask = v > one_of(w, [-0.7, 0.3, 50.0])
    if v.ndim == 2 and w.rng.random() < 0.5:
        mask = mask.any(axis=1)
    taken = v[mask]
    return one_of(
        w, [lambda: taken * 1.5, lambda: taken.sum(0), lambda: taken.set(taken * 2), lambda: taken.inc(0.5)]
    )()


@ag.as_op(itypes=[at.dmatrix], otypes=[at.dmatrix, at.dvector])
def halves(values):
    """Every other row, and the sums of the rest."""
    return values[::2], values[1::2].sum(axis=1)


@move(1)
def python(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim == 2 and v.dtype == "float64")
    return one_of(w, halves(v)) * 0.5


@move(2)
def passing(w: World) -> Variable:
    """What changes derivatives only."""
    v = w.number()
    return one_of(w, [
        lambda: ag.disconnected_grad(v) + v, lambda: ag.zero_grad(v) * v, lambda: ag.grad_clip(v, -0.5, 0.5),
        lambda: ag.grad_scale(v, -2.0), lambda: ag.custom_gradient(lambda a: a * at.tanh(a))(v),
        lambda: ag.hint(v * 2, recompute=False) + v, lambda: ag.hint(at.tanh(v), recompute=True)[..., None] / 2,
    ])()  # fmt: skip


@move(4)
def join(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim >= 1 and dt.is_float(v.dtype))
    lengths = w.lengths(v)
    axis = int(w.rng.integers(v.ndim))

    def fits(u: Variable) -> bool:
        other = w.lengths(u)
        return len(other) == len(lengths) and all(
            a == b for k, (a, b) in enumerate(zip(other, lengths, strict=True)) if k != axis
        )

    u = w.pick(fits)
    return at.concatenate([v, u, v] if w.rng.random() < 0.3 else [u, v], axis=axis)


@move(3)
def stack(w: World) -> Variable:
    v = w.pick(lambda v: v.ndim < 3)
    u = w.pick(lambda u: w.lengths(u) == w.lengths(v) and u.dtype == v.dtype)
    return at.stack([v, u], axis=int(w.rng.integers(v.ndim + 1)))


@move(6)
def lookup(w: World) -> Variable:
    v = w.number(1)
    lengths = w.lengths(v)
    count = int(w.rng.integers(1, 5))
    if v.ndim >= 2 and w.rng.random() < 0.4:
        if w.rng.random() < 0.5 and len(w.inputs) < 8:
            return v[at.arange(v.shape[0]), w.index(lengths[1], lengths[0])]
        return v[w.index(lengths[0], count), w.index(lengths[1], count)]
    axis = int(w.rng.integers(v.ndim))
    return v[(slice(None),) * axis + (w.index(lengths[axis], count),)]


@move(12)
def product(w: World) -> Variable:
    v = w.number(1)
    n = w.lengths(v)[-1]

    def fits(u: Variable) -> bool:
        return dt.is_float(u.dtype) and 1 <= u.ndim <= 2 and w.lengths(u)[0] == n and (v.ndim < 3 or u.ndim == 2)

    u = w.pick(fits) if w.rng.random() < 0.8 else w.new_input("float64", [w.named(n), w.size()])
    y = v @ u if v.ndim < 3 else at.dot(v, u)
    if w.rng.random() < 0.4:
        y = one_of(w, [0.5, -2.0]) * y
    if y.ndim == 2 and w.rng.random() < 0.5:
        c = w.partner(y)
        y = one_of(w, [lambda: c + y, lambda: y - c, lambda: c - y])()
    return y


@move(2)
def batches(w: World) -> Variable:
    v = w.number(3)
    return at.matmul(v, v.transpose((0, 2, 1))) * 0.1


@move(5)
def windows(w: World) -> Variable:
    """What reductions and products make of windows along an axis or two."""
    v = w.number(1)
    axes = tuple(w.rng.permutation(v.ndim)[: w.rng.integers(1, min(v.ndim, 2) + 1)].tolist())
    sizes = tuple(int(w.rng.integers(1, 4)) for _ in axes)
    if any(w.lengths(v)[axis] < size for axis, size in zip(axes, sizes, strict=True)):
        raise Rejected("no window fits")
    x = at.sliding_window_view(v, sizes, axes)
    last = tuple(range(-len(axes), 0))
    weights = at.constant(w.fill("float64", sizes))
    return one_of(w, [
        lambda: x.max(last), lambda: x.mean(last), lambda: (x * weights).sum(last), lambda: x * 0.5,
        lambda: at.tensordot(x, at.constant(w.fill("float64", (*sizes, 3))), len(axes)),
    ])()  # fmt: skip


@move(5)
def convolution(w: World) -> Variable:
    """Images of any size with filters, which may be new, or their gradients; or the largest of windows."""
    v = w.number(2)
    x = v[None, None] if v.ndim == 2 else v[:, None] if v.ndim == 3 else v
    if x.ndim != 4 or any(n < 3 for n in w.lengths(v)[-2:]) or np.prod(w.lengths(v)) > 3000:
        raise Rejected("no images")
    steps = tuple(int(k) for k in w.rng.integers(1, 3, size=2))
    if w.rng.random() < 0.3:
        return at.nnet.pool_2d(x, tuple(int(k) for k in w.rng.integers(1, 4, size=2)), stride=steps)
    filters = at.constant(w.fill("float64", (2, w.lengths(v)[1] if v.ndim == 4 else 1, 2, 3)) * 0.3)
    y = at.nnet.conv2d(x, filters, border_mode=one_of(w, ["valid", "same", 1]), subsample=steps)
    return one_of(w, [lambda: y, lambda: ag.grad((y * y).sum(), v) * 0.1])()


@move(2)
def outer(w: World) -> Variable:
    a, b = (w.pick(lambda v: v.ndim == 1 and dt.is_float(v.dtype)) for _ in range(2))
    return at.outer(a, b)


@move(2)
def solve(w: World) -> Variable:
    v = w.number(2)
    if v.ndim != 2:
        raise Rejected("not a matrix")
    square = v @ v.T * 0.2
    n = v.shape[0]
    eye = at.eq(at.arange(n)[:, None], at.arange(n)[None, :]).astype("float64")
    return at.solve(square + 2 * eye, v)


@move(3)
def ranges(w: World) -> Variable:
    v = w.number(1)
    k = int(w.rng.integers(v.ndim))
    return one_of(w, [lambda: at.arange(v.shape[k]) * 0.1 - 0.3, lambda: v * v.shape[k] * 0.1,
                      lambda: at.ones((v.shape[k],)) * 0.7, lambda: at.zeros_like(v) + 0.3])()  # fmt: skip


@move(2)
def constants(w: World) -> Variable:
    """An array that is known when the graph is built."""
    v = w.number(1)
    lengths = w.lengths(v)[-int(w.rng.integers(1, v.ndim + 1)) :]
    return v * at.constant(w.fill("float64", lengths))


@move(2)
def spread(w: World) -> Variable:
    v = w.number()
    u = w.partner(v)
    if np.broadcast_shapes(w.lengths(v), w.lengths(u)) != w.lengths(u):
        raise Rejected("does not spread")
    return at.broadcast_to(v, u.shape)
