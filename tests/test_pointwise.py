"""Public functions that are expressions of elementwise ops: values and dtypes against references, derivatives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from scipy import special

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import GradientError, TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.ir.variable import Variable
from helpers import COMMON, GENERAL, Case, compile_cases, layouts

FLOATS = ("float32", "float64")
REAL = (*dt.SIGNED, *dt.UNSIGNED, "float32", "float64")
EDGES = [0.0, 0.25, 0.5, 1.0, 1.5, 2.5, 20.0, 1e6, np.inf]


@dataclass
class Row:
    """function: on variables. reference: on arrays. dtypes: of the arguments. edges: with infinity and NaN."""

    name: str
    function: Callable[..., Any]
    reference: Callable[..., Any]
    dtypes: tuple[str, ...] = FLOATS
    arity: int = 1
    edges: bool = True
    low: float = -3.0
    high: float = 3.0
    smooth: bool = True

    def arrays(self, dtype: str, rng: np.random.Generator) -> list[np.ndarray]:
        """Samples, and in their first row the edges."""
        found = []
        for k in range(self.arity):
            x = rng.uniform(self.low, self.high, (3, 20))
            if self.edges:
                edges = np.array([*EDGES, *(-v for v in EDGES), np.nan] if self.low < 0 else [*EDGES, np.nan])
                x[0, : len(edges)] = np.roll(edges, k)
            if dtype not in FLOATS:
                x = np.clip(np.nan_to_num(x), -100, 100)
                x = abs(x) if dtype in dt.UNSIGNED else x
            found.append(x.astype(dtype))
        return found


def same(name: str, **changes: Any) -> Row:
    """A row of NumPy's function of the same name."""
    return Row(name, getattr(at, name), getattr(np, name), **changes)


def special_row(name: str, other: str, **changes: Any) -> Row:
    """A row of SciPy's function."""
    return Row(name, getattr(at, name, None) or getattr(at.nnet, name), getattr(special, other), **changes)


def selu(x: np.ndarray) -> np.ndarray:
    return 1.0507009873554805 * np.where(x > 0, x, 1.6732632423543772 * np.expm1(x))


ROWS = [
    *(same(name, dtypes=REAL, smooth=False) for name in ("isinf", "isfinite", "isposinf", "isneginf")),
    *(same(name, smooth=False) for name in ("round", "around", "positive", "square", "reciprocal")),
    *(Row(f"round {d}", lambda x, d=d: x.round(d), lambda x, d=d: np.round(x, d), dtypes=REAL, smooth=False)
      for d in (-1, 0, 1, 3)),
    Row("fix", at.fix, np.trunc, smooth=False),
    Row("iround", at.iround, lambda x: np.rint(x).astype("int64"), edges=False, smooth=False),
    *(same(name, dtypes=(*FLOATS, "int64")) for name in ("deg2rad", "rad2deg", "radians", "degrees")),
    same("sinc", edges=False),
    Row("sinc near 0", lambda x: at.sinc(x * 1e-3), lambda x: np.sinc(x * x.dtype.type(1e-3)), edges=False),
    same("heaviside", arity=2, smooth=False),
    same("float_power", arity=2, dtypes=(*FLOATS, "int64"), low=0.2, edges=False),
    same("isclose", arity=2, dtypes=REAL, smooth=False),
    Row("isclose NaN", lambda a, b: at.isclose(a, b, 0.1, 0.2, True), lambda a, b: np.isclose(a, b, 0.1, 0.2, True),
        arity=2, smooth=False),
    same("allclose", arity=2, smooth=False),
    Row("allclose to itself", lambda a: at.allclose(a, a * (1 + 1e-7)), lambda a: np.array(True), edges=False,
        smooth=False),
    same("nan_to_num", dtypes=REAL),
    Row("nan_to_num values", lambda x: at.nan_to_num(x, nan=1, posinf=2, neginf=-3),
        lambda x: np.nan_to_num(x, nan=1, posinf=2, neginf=-3)),
    *(Row(f"clip {low} {high}", lambda x, low=low, high=high: x.clip(low, high),
          lambda x, low=low, high=high: np.clip(x, low, high), dtypes=("int64", *FLOATS))
      for low, high in ((None, 1), (-1, None), (0, 2), (None, None))),
    Row("clip by arrays", lambda x, a, b: np.clip(x, a, b), np.clip, arity=3),
    Row("largest", at.largest, lambda *a: np.max(a, axis=0), arity=3, dtypes=REAL),
    Row("smallest", at.smallest, lambda *a: np.min(a, axis=0), arity=3, dtypes=REAL),
    Row("switch", lambda a, b: at.switch(a > 0, a, b), lambda a, b: np.where(a > 0, a, b), arity=2),
    Row("quotient", lambda a, b: divmod(a, b)[0], lambda a, b: divmod(a, b)[0], arity=2, dtypes=REAL, smooth=False),
    Row("remainder", lambda a, b: np.divmod(a, b)[1], lambda a, b: np.divmod(a, b)[1], arity=2, dtypes=REAL, low=0.3,
        edges=False),
    Row("shifts", lambda a, b: (a << b) + (a >> b) + (3 << b) + (100 >> b),
        lambda a, b: (a << b) + (a >> b) + (3 << b) + (100 >> b), arity=2, dtypes=("int8", "int32", "int64", "uint16")),
    Row("xlogx", at.xlogx, lambda x: special.xlogy(x, x), low=0.1),
    Row("polygamma 0", lambda x: at.polygamma(0, x), special.psi, low=1.6, edges=False),
    Row("polygamma 1", lambda x: at.polygamma(1, x), lambda x: special.polygamma(1, x).astype(x.dtype), low=0.1),
    Row("polygamma 3", lambda x: at.polygamma(3, x), lambda x: special.polygamma(3, x).astype(x.dtype), low=0.1,
        edges=False),
    *(special_row(a, b, low=0.3, edges=False)
      for a, b in (("gammaln", "gammaln"), ("loggamma", "gammaln"), ("gamma", "gamma"), ("psi", "psi"))),
    special_row("log1pexp", "softplus"),
    Row("xlogy0", at.xlogy0, special.xlogy, arity=2, low=0.1),
    Row("relu", at.nnet.relu, lambda x: np.maximum(x, 0)),
    Row("leaky relu", lambda x: at.relu(x, 0.25), lambda x: np.where(x > 0, x, x.dtype.type(0.25) * x)),
    Row("elu", lambda x: at.nnet.elu(x, 0.5), lambda x: np.where(x > 0, x, x.dtype.type(0.5) * np.expm1(x))),
    Row("selu", at.nnet.selu, lambda x: selu(x).astype(x.dtype)),
    Row("softsign", at.nnet.softsign, lambda x: x / (1 + abs(x))),
    Row("hard_sigmoid", at.nnet.hard_sigmoid, lambda x: np.clip(x * x.dtype.type(0.2) + x.dtype.type(0.5), 0, 1)),
    Row("ultra_fast_sigmoid", at.nnet.ultra_fast_sigmoid, special.expit),
    special_row("logsigmoid", "log_expit"),
    Row("gelu", at.nnet.gelu, lambda x: x * special.ndtr(x), edges=False),
    Row("silu", at.nnet.silu, lambda x: x * special.expit(x), edges=False),
    Row("swish", at.nnet.swish, lambda x: x * special.expit(x), edges=False),
]  # fmt: skip
CASES = [(row, dtype) for row in ROWS for dtype in row.dtypes]


def identify(case):
    return f"{case[0].name.replace(' ', '_')}-{case[1]}"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    found = {}
    for row, dtype in CASES:
        inputs = [at.tensor(f"x{k}", dtype, (None, None)) for k in range(row.arity)]
        found[row.name, dtype] = Case(Graph([x.node for x in inputs], [row.function(*inputs).node]))
    compile_cases(list(found.values()), tmp_path_factory.mktemp("pointwise"))
    return found


@pytest.mark.parametrize("case", CASES, ids=identify)
def test_values(case, compiled, rng):
    row, dtype = case
    arrays = row.arrays(dtype, rng)
    tolerance = 0 if dtype not in FLOATS else 40 * np.finfo(dtype).eps
    for given, variant in ((arrays, COMMON), (arrays, GENERAL), ([layouts(a)[1] for a in arrays], GENERAL),
                           ([a[:0] for a in arrays], COMMON)):  # fmt: skip
        with np.errstate(all="ignore"):
            wanted = np.asarray(row.reference(*given))
        found = compiled[row.name, dtype].run(given, variant)[0]
        assert (found.dtype, found.shape) == (wanted.dtype, wanted.shape)
        np.testing.assert_allclose(found, wanted, rtol=max(tolerance, 1e-15), atol=tolerance, err_msg=str(given))


@pytest.mark.parametrize("row", [r for r in ROWS if r.smooth and "float64" in r.dtypes], ids=lambda r: r.name)
def test_derivatives(row, rng):
    points = [rng.uniform(max(row.low, -3) + 0.01, row.high, (3, 4)) for _ in range(row.arity)]
    ag.verify_grad(row.function, points)


def test_derivatives_at_zero():
    """Of all orders for sinc, the mean of both slopes for relu; those of x log y where x is 0."""
    x, y = at.scalar("x"), at.scalar("y")
    first = ag.grad(at.sinc(x), x)
    second = ag.grad(first, x)
    assert float(first.eval({x: 0.0})) == 0
    assert float(second.eval({x: 0.0})) == pytest.approx(-(np.pi**2) / 3, rel=1e-12)
    assert float(ag.grad(at.relu(x, 0.5), x).eval({x: 0.0})) == 0.75
    by_x, by_y = ag.grad(at.xlogy(x, y), [x, y])
    assert [float(g.eval({x: 0.0, y: 2.0})) for g in (by_x, by_y)] == [np.log(2.0), 0]


def test_derivatives_of_trigamma_for_negative_numbers():
    ag.verify_grad(at.trigamma, [np.array([-0.3, -1.6, -2.4])], rtol=1e-4)


def test_numpy_functions_and_methods():
    x = at.vector("x")
    for made in (np.round(x, 1), x.round(1), getattr(np, "fix", np.trunc)(x), np.fmod(x, 2),
                 np.copysign(x, -1.0), np.signbit(x),
                 np.degrees(x), np.nan_to_num(x), np.isclose(x, 1.0), np.heaviside(x, 0.5), +x, np.positive(x),
                 np.left_shift(x.astype("int64"), 2), 1 << x.astype("int64"), divmod(2, x)[1]):  # fmt: skip
        assert isinstance(made, Variable)


def test_errors():
    x = at.vector("x")
    with pytest.raises(TypeMismatch, match="order of polygamma"):
        at.polygamma(-1, x)
    with pytest.raises(TypeMismatch, match="bitwise operations take"):
        x << 1
    s = at.scalar("s")
    with pytest.raises(GradientError, match="no derivative by one of its arguments"):
        ag.grad(at.zeta(s, 2.0), s)
    with pytest.raises(GradientError, match="no derivative by one of its arguments"):
        ag.jvp(at.zeta(s, 2.0), s, at.ones_like(s))


def test_cross_entropy_of_a_sigmoid():
    """Equal to that of the probability where that does not round to 0 or 1, and right beyond."""
    x, t = at.vector("x"), at.vector("t")
    f = ag.function([x, t], [at.nnet.sigmoid_binary_crossentropy(x, t), at.nnet.binary_crossentropy(at.sigmoid(x), t)])
    given, targets = np.array([-3.0, 0.0, 0.5, 2.0]), np.array([0.0, 1.0, 0.3, 1.0])
    ours, theirs = f(given, targets)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(f([1000.0, -1000.0], [0.0, 1.0])[0], [1000, 1000])


def test_quantiles_are_numpys():
    x = at.matrix("x")
    given = np.random.default_rng(0).normal(size=(6, 7))
    given[2, 3] = np.nan
    for axis in (None, 0, 1):
        f = ag.function([x], [at.quantile(x, [0.0, 0.2, 0.77, 1.0], axis), at.median(x, axis, keepdims=True)])
        found = f(given)
        np.testing.assert_allclose(found[0], np.quantile(given, [0.0, 0.2, 0.77, 1.0], axis), rtol=1e-12)
        np.testing.assert_allclose(found[1], np.median(given, axis, keepdims=True), rtol=1e-12)


def test_lists_with_variables_are_arrays():
    a = at.scalar("a")
    assert at.dot([a, 2 * a], [1.0, 2.0]).eval({a: 2.0}) == 10
    assert at.as_tensor_variable([[1, a], [3, 4]]).eval({a: 9.0}).tolist() == [[1, 9], [3, 4]]
    assert (at.vector("v") + [a, a]).ndim == 1
