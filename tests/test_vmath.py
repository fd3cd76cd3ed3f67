"""The elementary functions of `target/include/vmath.h`, compiled once: accuracy, special values, integers."""

import ctypes
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import special as scipy_special

mpmath = pytest.importorskip("mpmath")

INCLUDE = Path(__file__).parents[1] / "src" / "agnesi" / "target" / "include"
FLAGS = ["-std=c99", "-O1", "-ftree-vectorize", "-march=native", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-ffp-contract=off", "-fopenmp-simd", "-shared", "-fPIC", "-Wall", "-Wextra"]

# The largest error in units in the last place, float32 and float64; the comments of the header say the same.
BOUNDS = {
    "exp": (1.1, 1.1),
    "expm1": (1.7, 1.9),
    "log": (1.0, 1.0),
    "log1p": (1.6, 1.3),
    "softplus": (1.6, 1.5),
    "tanh": (1.1, 1.1),
    "sigmoid": (1.6, 1.6),
    "sin": (1.6, 1.0),
    "cos": (1.6, 1.0),
    "erf": (2.1, 1.5),
    "erfc": (2.0, 2.0),
    "sqrt": (0.5, 0.5),
    "exp2": (0.9, 1.0),
    "log2": (1.2, 1.1),
    "log10": (1.1, 1.0),
    "cbrt": (0.6, 0.6),
    "tan": (1.4, 1.2),
    "asin": (0.7, 0.7),
    "acos": (0.7, 0.7),
    "atan": (1.5, 1.5),
    "sinh": (1.2, 1.1),
    "cosh": (1.2, 1.1),
    "asinh": (1.7, 1.6),
    "acosh": (1.5, 1.4),
    "atanh": (1.5, 1.4),
    "log1mexp": (1.6, 1.6),
    "lgamma": (2.0, 2.0),
    "digamma": (2.2, 2.0),
    "erfcx": (1.8, 1.8),
    "erfinv": (2.5, 2.5),
    "erfcinv": (2.8, 2.8),
}
SLACK = 0.001  # long double is rounded too
BINARY_BOUNDS = {
    "pow": (2.0, 1.2),
    "atan2": (1.8, 1.8),
    "hypot": (1.1, 1.1),
    "logaddexp": (3.2, 3.0),
}
# Near their zeros these are held to an absolute error of as many eps of max(1, log |x|).
CANCELLING = ("lgamma", "digamma")
TRIGONOMETRIC = ("sin", "cos", "tan")

# Where to sample: intervals drawn uniformly, then the decades drawn with both signs and uniform logarithms.
RANGES = {
    "exp": ([(-110, 90), (-1, 1), (-750, 711)], (-30, 2)),
    "expm1": ([(-20, 90), (-1, 1), (-40, 711), (-0.6, -0.2), (0.2, 0.6)], (-30, 2)),
    "log": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "log1p": ([(-1, 3), (-0.5, 1), (-0.01, 0.01), (0, 1e20)], (-37, 37)),
    "softplus": ([(-110, 110), (-2, 2), (-20, 20), (-750, 750)], (-30, 2)),
    "tanh": ([(-10, 10), (-1, 1), (-0.01, 0.01), (-20, 20)], (-30, 2)),
    "sigmoid": ([(-110, 110), (-5, 5), (-20, 20), (-750, 750)], (-30, 2)),
    "sin": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15)], (-30, 38)),
    "cos": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15)], (-30, 38)),
    "erf": ([(-4, 4), (-1.1, 1.1), (-6, 6), (0.9, 1.1)], (-30, 1)),
    "erfc": ([(-4, 4), (-1, 11), (-6, 28), (0, 1), (9, 10.2), (26, 27.3)], (-30, 1)),
    "sqrt": ([(0, 1), (0, 1e30), (0, 1e-38)], (-37, 37)),
    "exp2": ([(-150, 129), (-1, 1), (-1080, 1025)], (-30, 2)),
    "log2": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "log10": ([(0.5, 2), (0, 1e-38), (0.99, 1.01), (0, 1e-307), (0, 1e30)], (-37, 37)),
    "cbrt": ([(-8, 8), (0, 1e-38), (0, 1e-307)], (-37, 37)),
    "tan": ([(-7, 7), (-100, 100), (-1e5, 1e5), (-1e15, 1e15)], (-30, 38)),
    "asin": ([(-1, 1), (0.45, 0.55), (0.99, 1)], (-30, 0)),
    "acos": ([(-1, 1), (0.45, 0.55), (-0.55, -0.45), (0.99, 1)], (-30, 0)),
    "atan": ([(-1, 1), (-5, 5), (0.3, 0.5), (2.3, 2.5)], (-30, 30)),
    "sinh": ([(-1.2, 1.2), (-90, 90), (-711, 711)], (-30, 2)),
    "cosh": ([(-1.2, 1.2), (-90, 90), (-711, 711)], (-30, 2)),
    "asinh": ([(-1, 1), (-5, 5), (-100, 100)], (-30, 37)),
    "acosh": ([(1, 2), (1, 1.01), (1, 100)], (0, 37)),
    "atanh": ([(-1, 1), (-0.2, 0.2), (0.99, 1)], (-30, 0)),
    "log1mexp": ([(-2, 0), (-0.01, 0), (-100, 0), (-750, 0)], (-30, 2)),
    "lgamma": ([(0, 5), (0.9, 2.1), (-5, 0), (-30, 0), (3, 200)], (-30, 35)),
    "digamma": ([(0, 5), (1.4, 1.5), (-5, 0), (-30, 0), (3, 200)], (-30, 15)),
    "erfcx": ([(-9, 9), (-1, 1), (-26, 60)], (-30, 37)),
    "erfinv": ([(-1, 1), (-0.1, 0.1), (0.97, 1), (0.9999, 1)], (-30, 0)),
    "erfcinv": ([(0, 2), (0.9, 1.1), (0, 0.02), (0, 1e-30), (0, 1e-300)], (-37, 0)),
}
# Open intervals outside of which the tests of accuracy take no arguments.
DOMAINS = {"log": (0, 1e999), "log2": (0, 1e999), "log10": (0, 1e999), "sqrt": (0, 1e999), "log1p": (-1, 1e999)}
DOMAINS |= {"asin": (-1, 1), "acos": (-1, 1), "atanh": (-1, 1), "erfinv": (-1, 1), "erfcinv": (0, 2)}
DOMAINS |= {"acosh": (1, 1e999), "log1mexp": (-1e999, 0), "erfcx": (-26.6, 1e999)}
BINARY = (*BINARY_BOUNDS, "maximum", "minimum", "fmax", "fmin", "copysign", "fmod", "mod", "floordiv")
UNARY = (*BOUNDS, "abs", "floor", "ceil", "trunc", "rint", "sign")
INTEGER = {"ifloordiv": np.int64, "imod": np.int64, "ipow": np.int64, "ufloordiv": np.uint64, "umod": np.uint64}
C_NAMES = {np.float32: "float", np.float64: "double", np.int64: "int64_t", np.uint64: "uint64_t"}
SUFFIX = {np.float32: "f", np.float64: ""}
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["f32", "f64"])


def loop(name, dtype, arguments):
    """The C text of a loop that calls v_`name`."""
    c = C_NAMES[dtype]
    arrays = ", ".join(f"const {c} *restrict {a}" for a in arguments)
    values = ", ".join(f"{a}[i]" for a in arguments)
    return (
        f"void loop_{name}({arrays}, {c} *restrict out, int64_t n) {{\n#pragma omp simd\n"
        f"  for (int64_t i = 0; i < n; i++) out[i] = v_{name}({values});\n}}\n"
    )


def source():
    parts = ['#include "vmath.h"\n']
    for dtype, suffix in SUFFIX.items():
        parts += [loop(name + suffix, dtype, "x") for name in UNARY]
        parts += [loop(name + suffix, dtype, "xy") for name in BINARY]
    parts += [loop(name, dtype, "xy") for name, dtype in INTEGER.items()]
    parts += [loop(name, np.int64, "x") for name in ("isign", "iabs")]
    return "".join(parts)


@pytest.fixture(scope="module")
def call(tmp_path_factory):
    """`call(name, *arrays)`: v_name, or v_namef for float32, over arrays of one shape and type."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    folder = tmp_path_factory.mktemp("vmath")
    text = folder / "loops.c"
    text.write_text(source())
    library = folder / "loops.so"
    command = [compiler, *FLAGS, f"-I{INCLUDE}", str(text), "-o", str(library), "-lm"]
    subprocess.run(command, check=True)
    loops = ctypes.CDLL(str(library))

    def run(name, *arrays):
        dtype = arrays[0].dtype.type
        arrays = [np.ascontiguousarray(a, dtype) for a in arrays]
        out = np.empty_like(arrays[0])
        pointers = [ctypes.c_void_p(a.ctypes.data) for a in (*arrays, out)]
        getattr(loops, "loop_" + name + SUFFIX.get(dtype, ""))(*pointers, ctypes.c_int64(out.size))
        return out

    return run


def samples(name, dtype, count):
    """About `count` arguments of a function, `count` for each interval that the type can hold."""
    rng = np.random.default_rng(sum(map(ord, name)))
    intervals, (low, high) = RANGES[name]
    parts = [rng.uniform(*ends, count) for ends in intervals]
    size = 10.0 ** rng.uniform(low, high, count)
    low, high = DOMAINS.get(name, (-math.inf, math.inf))
    parts.append(size if low >= 0 else -size if high == 0 else size * rng.choice([-1, 1], count))
    if name in TRIGONOMETRIC:  # nearest to multiples of pi / 2
        quarter = np.concatenate([np.arange(1, count // 2), rng.integers(1, 1 << 49, count // 2)])
        parts.append(quarter * (math.pi / 2))
    x = np.concatenate(parts)
    x = x[np.abs(x) < np.finfo(dtype).max].astype(dtype)
    x = x[(x > low) & (x < high)]
    x = x[np.abs(x) <= 2.0**50] if name in TRIGONOMETRIC and dtype == np.float64 else x
    return x[(x > 0) | (x != np.floor(x))] if name in CANCELLING else x


def exact(name, x):
    """The value in mpmath's working precision."""
    if name == "sigmoid":
        return 1 / (1 + mpmath.exp(-x))
    if name == "softplus":
        return mpmath.log1p(mpmath.exp(x))
    return EXACT.get(name, getattr(mpmath, name, None))(x)


def exact_lgamma(x):
    if x > 0:
        return mpmath.loggamma(x)
    return mpmath.log(mpmath.pi / abs(x * mpmath.sinpi(x))) - mpmath.loggamma(-x)


def exact_erfcx(x):
    if x < 50:
        return mpmath.exp(x * x) * mpmath.erfc(x)
    total = term = mpmath.mpf(1)
    for k in range(1, 25):
        term *= -(2 * k - 1) / (2 * x * x)
        total += term
    return total / (x * mpmath.sqrt(mpmath.pi))


def exact_erfcinv(y):
    """Newton's method for log(erfc(t)) = log(y)."""
    if y > 1:
        return -exact_erfcinv(2 - y)
    t = mpmath.mpf(float(scipy_special.erfcinv(max(float(y), 1e-300))))
    for _ in range(20 if y < 1e-300 else 4):
        value = mpmath.erfc(t)
        t += value * mpmath.log(value / y) * mpmath.exp(t * t) * mpmath.sqrt(mpmath.pi) / 2
    return t


def exact_erfinv(x):
    return exact_erfcinv(1 - x) if abs(x) > 0.5 else mpmath.erfinv(x)


EXACT = {
    "exp2": lambda x: mpmath.power(2, x),
    "log2": lambda x: mpmath.log(x) / mpmath.log(2),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "log1mexp": lambda x: mpmath.log(-mpmath.expm1(x)) if x > -1 else mpmath.log1p(-mpmath.exp(x)),
    "lgamma": exact_lgamma,
    "erfcx": exact_erfcx,
    "erfinv": exact_erfinv,
    "erfcinv": exact_erfcinv,
}


def log1mexp(x):
    return np.where(x > -0.7, np.log(-np.expm1(x)), np.log1p(-np.exp(x)))


LONG = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.logaddexp(x, np.longdouble(0)),
    "log1mexp": log1mexp,
    **{name: getattr(np, name) for name in ("exp", "expm1", "log", "log1p", "tanh", "sin", "cos", "tan", "sqrt")},
    **{name: getattr(np, name) for name in ("exp2", "log2", "log10", "cbrt", "asin", "acos", "atan")},
    **{name: getattr(np, name) for name in ("sinh", "cosh", "asinh", "acosh", "atanh")},
}


def worst_of_long(result, reference):
    """Largest error in ULP against long double values, and its place."""
    with np.errstate(over="ignore"):
        rounded = reference.astype(result.dtype)
    finite = np.isfinite(rounded)
    np.testing.assert_array_equal(result[~finite], rounded[~finite])
    with np.errstate(invalid="ignore"):
        error = np.abs(result.astype(np.longdouble) - reference) / np.spacing(np.abs(rounded)).astype(np.longdouble)
    error = np.where(finite, error, 0)
    return float(error.max()), int(error.argmax())


def worst_of_mpmath(result, reference, unit=None):
    """Largest error in ULP, or in `unit` where that is more, and its place."""
    worst, place = 0.0, 0
    unit = np.zeros_like(result) if unit is None else unit
    for i, (got, want) in enumerate(zip(result, reference, strict=True)):
        with np.errstate(over="ignore"):
            rounded = result.dtype.type(float(want))
        if not np.isfinite(rounded) or not np.isfinite(got):
            assert got == rounded, i
            continue
        error = abs(mpmath.mpf(float(got)) - want) / max(float(np.spacing(abs(rounded))), float(unit[i]))
        if error > worst:
            worst, place = float(error), i
    return worst, place


@FLOATS
@pytest.mark.parametrize("name", BOUNDS)
def test_error_is_within_the_bound(call, name, dtype):
    x = samples(name, dtype, 300)
    unit = np.finfo(dtype).eps * np.maximum(1, np.log(np.abs(x))) if name in CANCELLING else None
    with mpmath.workprec(160):
        worst, place = worst_of_mpmath(call(name, x), [exact(name, mpmath.mpf(float(v))) for v in x], unit)
    assert worst <= BOUNDS[name][dtype == np.float64], (worst, x[place])


@FLOATS
@pytest.mark.parametrize("name", LONG)
def test_error_is_within_the_bound_on_many_arguments(call, name, dtype):
    if np.finfo(np.longdouble).nmant < 63 and dtype == np.float64:
        pytest.skip("long double has no extra bits here")
    x = samples(name, dtype, 40000)
    with np.errstate(all="ignore"):
        reference = LONG[name](x.astype(np.longdouble))
    worst, place = worst_of_long(call(name, x), reference)
    assert worst <= BOUNDS[name][dtype == np.float64] + SLACK, (worst, x[place])


def power_samples(dtype, count):
    rng = np.random.default_rng(7)
    bits = 127 if dtype == np.float32 else 1023
    x = np.concatenate([np.exp(rng.uniform(-10, 10, count)), rng.uniform(0.9, 1.1, count)])
    x = np.concatenate([x, 2.0 ** rng.uniform(-bits, bits, count), rng.uniform(0.5, 2, count)])
    y = np.concatenate([rng.uniform(-8, 8, count), rng.uniform(-1, 1, count) * bits * 4])
    y = np.concatenate([y, rng.uniform(-1.1, 1.1, count), rng.uniform(-1, 1, count) * bits])
    x[: count // 4] *= -1
    y[: count // 4] = np.rint(y[: count // 4])
    return x.astype(dtype), y.astype(dtype)


def planar_samples(dtype, count):
    """Points near 1, of all sizes, of like and unlike sizes of the coordinates."""
    rng = np.random.default_rng(8)
    bits = 126 if dtype == np.float32 else 1022
    size = 2.0 ** rng.uniform(-bits - 20, bits, (3, count))
    x, y = rng.normal(size=(2, 4, count))
    x[1:3] *= size[:2]
    y[1] *= size[0]
    y[2] *= size[2]
    x[3], y[3] = rng.uniform(-30, 1, (2, count))
    x, y = x.ravel().astype(dtype), y.ravel().astype(dtype)
    finite = np.isfinite(x) & np.isfinite(y)
    return x[finite], y[finite]


PLANAR = {
    "atan2": lambda y, x: mpmath.atan2(y, x),
    "hypot": lambda x, y: mpmath.hypot(x, y),
    "logaddexp": lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y))),
    "pow": lambda x, y: mpmath.power(x, y).real,
}


@FLOATS
@pytest.mark.parametrize("name", PLANAR)
def test_error_of_a_function_of_two_is_within_the_bound(call, name, dtype):
    x, y = power_samples(dtype, 700) if name == "pow" else planar_samples(dtype, 500)
    if name == "atan2":  # mpmath has no signed zeros
        x, y = x[(x != 0) & (y != 0)], y[(x != 0) & (y != 0)]
    unit = np.spacing(np.maximum(np.abs(x), np.abs(y))) if name == "logaddexp" else None
    with mpmath.workprec(160):
        reference = [PLANAR[name](mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        worst, place = worst_of_mpmath(call(name, x, y), reference, unit)
    assert worst <= BINARY_BOUNDS[name][dtype == np.float64], (worst, x[place], y[place])


def special(dtype):
    info = np.finfo(dtype)
    positive = [0.0, info.smallest_subnormal, info.tiny, 1e-30, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 17.0, 100.5, 1e10]
    positive += [2.0**24 + 1, 2.0**53 - 1, info.max / 2, info.max, np.inf]
    return np.array([*positive, *(-v for v in positive), np.nan], dtype)


def assert_same(result, expected, ulp=0, zero_signs=True):
    """Equal values, NaN where NaN is expected, signs of zeros too; finite values may differ by `ulp`."""
    assert np.array_equal(np.isnan(result), np.isnan(expected))
    number = ~np.isnan(expected)
    result, expected = result[number], expected[number]
    with np.errstate(invalid="ignore", over="ignore"):
        near = np.abs(result - expected) <= ulp * np.spacing(np.abs(expected))
    assert ((result == expected) | near).all(), (result, expected)
    if zero_signs:
        zero = expected == 0
        assert np.array_equal(np.signbit(result[zero]), np.signbit(expected[zero]))


def double_lgamma(x):
    if math.isfinite(x) and x % 1:
        return float(exact_lgamma(mpmath.mpf(x)))
    try:
        return math.lgamma(x)
    except (ValueError, OverflowError):  # at the poles and for large arguments
        return math.inf


REFERENCE = {
    "sigmoid": lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "erf": np.vectorize(lambda v: math.erf(v)),
    "erfc": np.vectorize(lambda v: math.erfc(v)),
    "abs": np.abs,
    "log1mexp": log1mexp,
    "lgamma": np.vectorize(double_lgamma),
    "digamma": np.vectorize(
        lambda v: float(mpmath.digamma(v)) if v % 1 and abs(v) > 1e-300 else scipy_special.digamma(v)
    ),
    "erfcx": scipy_special.erfcx,
    "erfinv": lambda x: np.where(x == 0, x, scipy_special.erfinv(x)),  # SciPy loses the sign of zero
    "erfcinv": np.vectorize(lambda v: float(exact_erfcinv(mpmath.mpf(v))) if 0 < v < 2 else scipy_special.erfcinv(v)),
}


@FLOATS
@pytest.mark.parametrize("name", UNARY)
def test_special_values(call, name, dtype):
    x = special(dtype)
    x = x[~(np.abs(x) > 2.0**50) | np.isinf(x)] if name in TRIGONOMETRIC and dtype == np.float64 else x
    with np.errstate(all="ignore"):
        expected = REFERENCE.get(name, getattr(np, name, None))(x.astype(np.float64)).astype(dtype)
    assert_same(call(name, x), expected, ulp=4 if name in BOUNDS else 0)


@FLOATS
def test_no_overflow_just_below_the_largest_result(call, dtype):
    limit = dtype(np.log(np.finfo(dtype).max))
    limit = limit if float(limit) <= math.log(np.finfo(dtype).max) else np.nextafter(limit, dtype(0))
    x = np.array([limit, np.nextafter(limit, dtype(1e4)), np.nextafter(limit, dtype(0))], dtype)
    for name in ("exp", "expm1"):
        with np.errstate(over="ignore"):
            assert_same(call(name, x), getattr(np, name)(x), ulp=4)


def test_sine_of_doubles_beyond_its_range_is_nan(call):
    x = np.array([2.0**51, -1e20, 1e30])
    for name in TRIGONOMETRIC:
        assert np.isnan(call(name, x)).all()


@FLOATS
def test_special_cases_of_power(call, dtype):
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    with np.errstate(all="ignore"):
        expected = np.power(x.astype(np.float64), y.astype(np.float64)).astype(dtype)
    assert_same(call("pow", x, y), expected, ulp=4)


@FLOATS
@pytest.mark.parametrize("name", ["atan2", "hypot", "logaddexp", "fmax", "fmin", "copysign"])
def test_special_cases_of_a_function_of_two(call, name, dtype):
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    with np.errstate(all="ignore"):
        if name == "atan2":  # doubles reach the angles that float32 rounds to zero
            expected = np.atan2(x.astype(np.float64), y.astype(np.float64)).astype(dtype)
        else:
            expected = getattr(np, name)(x, y)
    assert_same(call(name, x, y), expected, ulp=4, zero_signs=name in ("atan2", "copysign"))


def test_powers_of_two_are_exact(call):
    k = np.arange(-1074, 1024)
    x = np.ldexp(1.0, k)
    np.testing.assert_array_equal(call("exp2", k.astype(np.float64)), x)
    np.testing.assert_array_equal(call("log2", x), k)
    np.testing.assert_array_equal(call("cbrt", np.arange(-60.0, 60.0) ** 3), np.arange(-60.0, 60.0))


@FLOATS
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_extrema_propagate_nan(call, name, dtype):
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    assert_same(call(name, x, y), getattr(np, name)(x, y), zero_signs=False)


@FLOATS
@pytest.mark.parametrize("name", ["fmod", "mod", "floordiv"])
def test_division_with_remainder(call, name, dtype):
    rng = np.random.default_rng(3)
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    size = 10.0 ** rng.uniform(-30, 30, (2, 20000)) * rng.choice([-1, 1], (2, 20000))
    near = rng.integers(-50, 50, (2, 20000)) * 0.1
    x, y = (np.concatenate([a, b, c]).astype(dtype) for a, b, c in ((x, size[0], near[0]), (y, size[1], near[1])))
    with np.errstate(all="ignore"):
        expected = {"fmod": np.fmod, "mod": np.mod, "floordiv": np.floor_divide}[name](x, y)
    assert_same(call(name, x, y), expected)


@pytest.mark.parametrize("name", ["ifloordiv", "imod", "ufloordiv", "umod"])
def test_integer_division(call, name):
    dtype = INTEGER[name]
    info = np.iinfo(dtype)
    rng = np.random.default_rng(5)
    corner = np.array([0, 1, 2, 3, 7, info.max, info.max - 1, info.min, info.min + 1], dtype)
    corner = np.concatenate([corner, -corner])
    x, y = (a.ravel() for a in np.meshgrid(corner, corner))
    x = np.concatenate([x, rng.integers(info.min, info.max, 5000, dtype, endpoint=True)])
    y = np.concatenate([y, rng.integers(0, 1000, 5000).astype(dtype) - dtype(500 if info.min else 0)])
    with np.errstate(all="ignore"):
        expected = (np.mod if name.endswith("mod") else np.floor_divide)(x, y)
    np.testing.assert_array_equal(call(name, x, y), expected)


def test_integer_power_sign_and_size(call):
    rng = np.random.default_rng(6)
    x, y = rng.integers(-1000, 1000, 2000), rng.integers(0, 70, 2000)
    np.testing.assert_array_equal(call("ipow", x, y), x**y)
    x = np.array([0, 5, -5, np.iinfo(np.int64).max, np.iinfo(np.int64).min])
    np.testing.assert_array_equal(call("isign", x), np.sign(x))
    np.testing.assert_array_equal(call("iabs", x), np.abs(x))


@pytest.mark.skipif(not os.environ.get("AGNESI_SLOW"), reason="minutes: set AGNESI_SLOW=1")
@pytest.mark.parametrize("name", os.environ.get("AGNESI_SLOW_NAMES", "exp,log").split(","))
def test_every_float32(call, name):
    worst = 0.0
    for start in range(0, 1 << 32, 1 << 24):
        x = np.arange(start, start + (1 << 24), dtype=np.uint32).view(np.float32)
        with np.errstate(all="ignore"):
            reference = LONG[name](x.astype(np.float64))
            result = call(name, x)
            rounded = reference.astype(np.float32)
            error = np.abs(result.astype(np.float64) - reference) / np.spacing(np.abs(rounded)).astype(np.float64)
        finite = np.isfinite(rounded)
        assert np.array_equal(result[~finite], rounded[~finite], equal_nan=True)
        worst = max(worst, float(error[finite].max(initial=0)))
    sys.stdout.write(f"{name}: {worst}\n")
    assert worst <= BOUNDS[name][0] + 1e-6
