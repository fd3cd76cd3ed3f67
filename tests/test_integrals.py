"""Incomplete gamma functions and Bessel functions: accuracy against mpmath, edges, dtypes, derivatives."""

import time
from functools import cache

import mpmath
import numpy as np
import pytest
import scipy.special

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import GradientError

NAMES = ("gammainc", "gammaincc", "gammainc_shape", "j0", "j1", "i0", "i1", "jv", "iv")
UNARY = ("j0", "j1", "i0", "i1")
FLOATS = pytest.mark.parametrize("dtype", ["float32", "float64"])


@cache
def compiled(name, dtype):
    inputs = [at.vector(k, dtype=dtype) for k in ("x" if name in UNARY else "ax")]
    return ag.function(inputs, getattr(at, name)(*inputs))


def call(name, *arrays):
    return compiled(name, arrays[0].dtype.name)(*arrays)


def upper(a, x):
    return mpmath.gammainc(a, x, mpmath.inf, regularized=True)


def lower(a, x):
    """By its series, of which mpmath's continued one takes long for large a."""
    term = total = 1 / mpmath.mpf(a)
    k = 0
    while term > total * mpmath.eps / 16:
        k += 1
        term *= x / (a + k)
        total += term
    return total * mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a))


EXACT = {
    "gammainc": lower,
    "gammaincc": upper,
    "gammainc_shape": lambda a, x: mpmath.diff(lambda t: lower(t, x), a),
    "j0": lambda x: mpmath.besselj(0, x),
    "j1": lambda x: mpmath.besselj(1, x),
    "i0": lambda x: mpmath.besseli(0, x),
    "i1": lambda x: mpmath.besseli(1, x),
    "jv": lambda v, x: mpmath.besselj(v, x, maxterms=10**6),
    "iv": lambda v, x: mpmath.besseli(v, x, maxterms=10**6),
}


def worst(name, arrays, absolute=False):
    """The largest relative error, in eps, of normal values; `absolute`: of 1 where the value is below."""
    found = call(name, *arrays)
    limits = np.finfo(found.dtype)
    errors = [0.0]
    with mpmath.workprec(200):
        for y, *given in zip(found, *arrays, strict=True):
            exact = EXACT[name](*[mpmath.mpf(float(v)) for v in given])
            if float(limits.tiny) < abs(exact) < float(limits.max):
                size = abs(exact) if not absolute else max(abs(exact), 1)
                errors.append(float(abs(mpmath.mpf(float(y)) - exact) / size))
    return max(errors) / float(limits.eps)


@FLOATS
@pytest.mark.parametrize("name", UNARY)
def test_of_one_argument(name, dtype, rng):
    """Within 4 units; those that have zeros within 2 eps of 1."""
    top = 80 if dtype == "float32" else 710
    near, far = 5.4772, 8.0  # where formulas change
    parts = [rng.uniform(0, 5.6, 150), rng.uniform(5.4, 60, 150), rng.uniform(0, top, 150)]
    parts += [near + np.arange(-3, 4) * 1e-4, far + np.arange(-3, 4) * 1e-4, 10.0 ** rng.uniform(-12, 0, 30)]
    x = (np.concatenate(parts) * rng.choice([-1, 1], sum(map(len, parts)))).astype(dtype)
    assert worst(name, [x], absolute=name in ("j0", "j1")) < (2 if name in ("j0", "j1") else 4)


@FLOATS
@pytest.mark.parametrize("name", ["jv", "iv"])
def test_of_any_order(name, dtype, rng):
    order = np.concatenate([10 ** rng.uniform(-3, 2.3, 150), rng.integers(0, 60, 60), 10.0 ** rng.uniform(3.31, 4, 20)])
    x = 10 ** rng.uniform(-2, 2.6, len(order))
    x[-20:] = order[-20:] * rng.uniform(0.6, 0.7, 20)
    if name == "jv":  # mpmath takes very long for large orders
        order, x = order[:-20], x[:-20]
    assert worst(name, [order.astype(dtype), x.astype(dtype)], absolute=name == "jv") < (
        1 if dtype == "float32" else 2 if name == "jv" else 10000
    )


@FLOATS
@pytest.mark.parametrize("name", ["gammainc", "gammaincc", "gammainc_shape"])
def test_incomplete_gamma_functions(name, dtype, rng):
    """A few units where a is small; the error of an exponential where it is large."""
    count = 60 if name == "gammainc_shape" else 200
    small = 10 ** rng.uniform(-6, 1.2, count)
    x = np.where(rng.random(count) < 0.5, small * 10 ** rng.uniform(-1, 0.7, count), 10 ** rng.uniform(-3, 1, count))
    assert worst(name, [small.astype(dtype), x.astype(dtype)]) < (1 if dtype == "float32" else 60)
    large = 10 ** rng.uniform(1.3, 3, count // 3)
    x = large + 3 * rng.normal(size=len(large)) * np.sqrt(large)
    assert worst(name, [large.astype(dtype), x.astype(dtype)]) < (1 if dtype == "float32" else 600)


def test_large_gamma_distributions(rng):
    """On both sides of where Temme's expansion begins; the derivative is a difference of neighbours there."""
    a = np.array([0.9e5, 1.1e5, 1e6])
    for shift in (-4.0, -0.3, 0.0, 2.0, 6.0):
        x = a + shift * np.sqrt(a)
        assert worst("gammainc", [a, x]) < 60
    with mpmath.workprec(120):
        a, x = 2e5, 2e5 + 300.0
        exact = mpmath.diff(lambda t: lower(t, mpmath.mpf(x)), mpmath.mpf(a))
    np.testing.assert_allclose(call("gammainc_shape", np.array([a]), np.array([x]))[0], float(exact), rtol=1e-11)
    np.testing.assert_allclose(call("gammainc", np.array([1e12]), np.array([1e12]))[0], 0.5, rtol=1e-6)


def test_edges():
    inf, nan = np.inf, np.nan
    table = {
        "gammainc": [(0, 0, nan), (0, 2, 1), (2, 0, 0), (2, inf, 1), (inf, 2, 0), (inf, inf, nan), (-1, 1, nan),
                     (1, -1, nan), (nan, 1, nan), (1, nan, nan), (5e-324, 1.5, 1), (1e308, 17, 0), (1, 1e308, 1)],
        "gammaincc": [(0, 0, nan), (0, 2, 0), (2, 0, 1), (2, inf, 0), (inf, 2, 1), (1e308, 17, 1), (-1, 1, nan)],
        "gammainc_shape": [(0, 0, nan), (2, 0, 0), (2, inf, 0), (inf, 2, 0), (-1, 1, nan),
                           (0, 1.5, float(-mpmath.e1(1.5))), (5e-324, 1.5, float(-mpmath.e1(1.5)))],
        "jv": [(0, 0, 1), (2, 0, 0), (0.5, 0, 0), (0, inf, 0), (inf, 1, nan), (-0.5, 1, nan), (0.5, -1, nan),
               (1e308, 3, 0), (1e10, 1e7, 0), (1e10, 1e10, nan), (nan, 1, nan), (1, nan, nan)],
        "iv": [(0, 0, 1), (2, 0, 0), (0, inf, inf), (1, -inf, -inf), (-0.5, 1, nan), (0.5, -1, nan), (1e10, 1e10, inf),
               (1e10, 1e9, 0), (1e300, 1e-300, 0), (3, 1e308, inf)],
    }  # fmt: skip
    for name, rows in table.items():
        a, x, wanted = np.array(rows, "f8").T
        np.testing.assert_allclose(call(name, a, x), wanted, rtol=1e-12, atol=0, err_msg=name)
    x = np.array([0, -0.0, inf, -inf, nan, 1e308, 720.0])
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(call("j0", x)[:5], [1, 1, 0, 0, nan])
        np.testing.assert_allclose(call("j1", x)[:5], [0, 0, 0, 0, nan])
        np.testing.assert_allclose(call("i0", x), [1, 1, inf, inf, nan, inf, inf])
        np.testing.assert_allclose(call("i1", x), [0, 0, inf, -inf, nan, inf, inf])
    assert np.signbit(call("j1", x)[1])
    assert np.signbit(call("i1", x)[1])


def test_orders_and_arguments_below_zero():
    order, x = map(np.ravel, np.meshgrid(np.arange(-4.0, 5), np.array([-7.5, -0.3, 0.3, 7.5, 31.0])))
    np.testing.assert_allclose(call("jv", order, x), scipy.special.jv(order, x), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(call("iv", order, x), scipy.special.iv(order, x), rtol=1e-13)


def test_no_argument_takes_long():
    """Sizes from 5e-324 to 1e308, of both arguments and with both signs."""
    sizes = np.concatenate([10.0 ** np.arange(-320, 309, 9), [1.5, 2.5, 1e5, 1e5 + 1, 1e6, np.inf]])
    a, x = map(np.ravel, np.meshgrid(np.concatenate([sizes, -sizes]), sizes))
    for name in ("gammainc", "gammaincc", "gammainc_shape", "jv", "iv"):
        call(name, a[:1], x[:1])
        start = time.process_time()
        call(name, a, x)
        assert time.process_time() - start < 30, name  # about 0.2 s


@pytest.mark.parametrize("name", NAMES)
def test_other_dtypes(name):
    """Integers are taken as doubles; halves are rounded results in single precision."""
    arrays = [np.array([0, 1, 2, 3, 30])] if name in UNARY else [np.array([1, 1, 2, 3, 30]), np.array([0, 1, 2, 3, 30])]
    wanted = call(name, *[a.astype("f8") for a in arrays])
    for dtype in ("int8", "uint16", "int64"):
        found = call(name, *[a.astype(dtype) for a in arrays])
        assert found.dtype == "float64"
        np.testing.assert_array_equal(found, wanted)
    halves = call(name, *[a.astype("float16") for a in arrays])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(halves, wanted.astype("f2"), rtol=2e-3, atol=1e-7)
    with pytest.raises(ag.errors.TypeMismatch, match="complex"):
        getattr(at, name)(*[at.zvector("z")] * len(arrays))


def test_derivatives(rng):
    x = rng.uniform(0.3, 12, 9)
    a = rng.uniform(0.2, 9, 9)
    for name in UNARY:
        ag.verify_grad(getattr(at, name), [x * rng.choice([-1, 1], 9)], rtol=1e-5)
    for name in ("gammainc", "gammaincc"):
        ag.verify_grad(getattr(at, name), [a, x], rtol=1e-5)
    for name in ("jv", "iv", "gammainc_shape"):
        ag.verify_grad(lambda x, name=name: getattr(at, name)(a, x), [x], rtol=1e-5)
        order = at.dscalar("order")
        with pytest.raises(GradientError, match=name):
            ag.grad(getattr(at, name)(order, 1.0), order)


def test_derivatives_at_zero():
    x = at.dscalar("x")
    zero = {x: 0.0}
    assert ag.grad(at.j1(x), x).eval(zero) == 0.5
    assert ag.grad(at.i1(x), x).eval(zero) == 0.5
    assert ag.grad(at.j0(x), x).eval(zero) == 0
    for order, slope in ((0.0, 0), (0.5, np.inf), (1.0, 0.5), (1.5, 0), (2.0, 0)):
        assert ag.grad(at.jv(order, x), x).eval(zero) == slope
        assert ag.grad(at.iv(order, x), x).eval(zero) == slope


def test_chi_squared():
    x, k = at.dscalar("x"), at.dscalar("k")
    f = ag.function([x, k], at.chi2sf(x, k))
    np.testing.assert_allclose(f(3.84, 1), 0.05004352124870519, rtol=1e-13)
    np.testing.assert_allclose(f(30.0, 12), scipy.special.chdtrc(12, 30.0), rtol=1e-13)
