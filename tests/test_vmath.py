"""The elementary functions of `target/include/vmath.h`, compiled once: accuracy, special values, integers."""

import ctypes
import math
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import special as scipy_special

from agnesi.ops import gamma as reference
from agnesi.ops.special import logit_reference
from agnesi.target.ordinary import FAR
from elementary import (
    BINARY_BOUNDS,
    BOUNDS,
    CANCELLING,
    DOMAINS,
    LONG,
    POLES,
    RANGES,
    SLACK,
    TRIGONOMETRIC,
    exact,
    log1mexp,
)

INCLUDE = Path(__file__).parents[1] / "src" / "agnesi" / "target" / "include"
FLAGS = ["-std=c99", "-O1", "-ftree-vectorize", "-march=native", "-fno-math-errno", "-fno-trapping-math"]
FLAGS += ["-ffp-contract=off", "-fopenmp-simd", "-shared", "-fPIC", "-Wall", "-Wextra"]

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


def near(name, dtype, arguments, suffix):
    """The same of the form for ordinary arguments, which others are given to v_`name`."""
    text = loop(f"near_{name}{suffix}", dtype, arguments)
    values = f"({', '.join(f'{a}[i]' for a in arguments)})"
    far = f"v_{FAR[name]}_far{suffix}{values} >> {63 if dtype is np.float64 else 31}"
    chosen = f"{far} ? v_{name}{suffix}{values} : v_{name}_near{suffix}{values}"
    return text.replace(f"v_near_{name}{suffix}{values}", chosen)


# The largest error of a function in single precision, in units, over all numbers whose bits lie in a range, against the
# function in double precision; where the latter rounds to NaN or infinity, the former has to be that.
WORST = """
double worst_{double}(uint32_t first, uint32_t count, uint32_t *place) {{
  double worst = 0.0;
  for (uint32_t start = 0; start < count; start += 4096) {{
    double errors[4096];
#pragma omp simd
    for (uint32_t i = 0; i < 4096; i++) {{
      const float x = ag_float_f(first + start + i);
      const float found = v_{name}f(x);
      const double wanted = {double}(x);
      const float rounded = (float)wanted;
      uint32_t exponent = ag_bits_f(rounded) & 0x7f800000u;
      exponent = exponent < 0x00800000u ? 0x00800000u : exponent;
      const double unit = {unit};
      const int same = (found == rounded) | ((found != found) & (rounded != rounded));
      const double error = AG_ABS(found - wanted) / unit;
      errors[i] = exponent == 0x7f800000u ? (same ? 0.0 : 1e9) : error == error ? error : 1e9;
    }}
    for (uint32_t i = 0; i < 4096; i++) {{
      if (errors[i] > worst) {{
        worst = errors[i];
        *place = first + start + i;
      }}
    }}
  }}
  return worst;
}}
"""
SPACING = "(double)ag_float_f(exponent) * 0x1p-23"
UNITS = {False: SPACING, True: f"v_maximum({SPACING}, 0x1p-23 * v_maximum(1.0, v_log(AG_ABS((double)x))))"}


def source():
    parts = ['#include "vmath.h"\n']
    for dtype, suffix in SUFFIX.items():
        parts += [loop(name + suffix, dtype, "x") for name in UNARY]
        parts += [loop(name + suffix, dtype, "xy") for name in BINARY]
        parts += [near(name, dtype, "xy" if name in BINARY else "x", suffix) for name in FAR]
    parts += [loop(name, dtype, "xy") for name, dtype in INTEGER.items()]
    parts += [loop(name, np.int64, "x") for name in ("isign", "iabs")]
    parts += [WORST.format(name=name, double=f"v_{name}", unit=UNITS[name in CANCELLING]) for name in BOUNDS]
    parts += [WORST.format(name=name, double=f"v_{name}_near", unit=SPACING) for name in TRIGONOMETRIC]
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

    run.library = loops
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
    return x[(x > 0) | (x != np.floor(x))] if name in POLES else x


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
        wanted = LONG[name](x.astype(np.longdouble))
    worst, place = worst_of_long(call(name, x), wanted)
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
    near = rng.uniform(0.5, 2, 2 * count)  # the largest exponents of the result: errors of the logarithm count most
    x = np.concatenate([x, near])
    y = np.concatenate([y, rng.uniform(-1, 1, 2 * count) * bits / np.log2(near)])
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


def zeta_samples(dtype, count):
    """Pairs s > 1, q > 0 whose function is neither 0 nor infinite."""
    rng = np.random.default_rng(9)
    s = 1 + 10.0 ** rng.uniform(-3, 1.4, count)
    q = 10.0 ** np.minimum(rng.uniform(-1, 4, count), 25 / s)
    return s.astype(dtype), q.astype(dtype)


def binary_samples(name, dtype):
    if name == "pow":
        return power_samples(dtype, 700)
    if name == "zeta":
        return zeta_samples(dtype, 700)
    x, y = planar_samples(dtype, 500)
    if name == "atan2":  # mpmath has no signed zeros
        return x[(x != 0) & (y != 0)], y[(x != 0) & (y != 0)]
    return (x, np.abs(y) + (y == 0)) if name in ("xlogy", "xlog1py") else (x, y)


PLANAR = {
    "xlogy": lambda x, y: x * mpmath.log(y),
    "xlog1py": lambda x, y: x * mpmath.log1p(y),
    "atan2": lambda y, x: mpmath.atan2(y, x),
    "hypot": lambda x, y: mpmath.hypot(x, y),
    "zeta": mpmath.zeta,
    "logaddexp": lambda x, y: max(x, y) + mpmath.log1p(mpmath.exp(-abs(x - y))),
    "pow": lambda x, y: mpmath.power(x, y).real,
}


@FLOATS
@pytest.mark.parametrize("name", PLANAR)
def test_error_of_a_function_of_two_is_within_the_bound(call, name, dtype):
    x, y = binary_samples(name, dtype)
    unit = np.spacing(np.maximum(np.abs(x), np.abs(y))) if name == "logaddexp" else None
    with mpmath.workprec(300):
        wanted = [PLANAR[name](mpmath.mpf(float(a)), mpmath.mpf(float(b))) for a, b in zip(x, y, strict=True)]
        worst, place = worst_of_mpmath(call(name, x, y), wanted, unit)
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


REFERENCE = {
    "sigmoid": lambda x: np.where(x < 0, np.exp(x), 1) / (1 + np.exp(-np.abs(x))),
    "softplus": lambda x: np.logaddexp(x, x.dtype.type(0)),
    "erf": np.vectorize(lambda v: math.erf(v)),
    "erfc": np.vectorize(lambda v: math.erfc(v)),
    "abs": np.abs,
    "log1mexp": log1mexp,
    "logit": logit_reference,
    "erfinv": lambda x: np.where(x == 0, x, scipy_special.erfinv(x)),  # SciPy loses the sign of zero
    **{name: getattr(reference, name) for name in ("lgamma", "gamma", "trigamma", "erfcx", "erfcinv")},
    "digamma": np.vectorize(lambda v: float(mpmath.digamma(v)) if v % 1 and abs(v) > 1e-300 else reference.digamma(v)),
}


@FLOATS
@pytest.mark.parametrize("name", UNARY)
def test_special_values(call, name, dtype):
    x = special(dtype)
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


@FLOATS
@pytest.mark.parametrize("name", FAR)
def test_forms_for_ordinary_arguments_give_the_same_bits(call, name, dtype):
    rng = np.random.default_rng(4)
    x, y = (a.ravel() for a in np.meshgrid(special(dtype), special(dtype)))
    wide, middle = 10.0 ** rng.uniform(-30, 30, (2, 20000)), 10.0 ** rng.uniform(-3, 7, (2, 20000))
    bits = rng.integers(0, 1 << 63, (2, 20000), dtype=np.uint64).view(np.float64)
    bits = bits.astype(dtype) if dtype == np.float64 else bits.view(np.float32)[:, :20000]
    around = 10.0 ** rng.uniform(0, 16, 20000)  # quotients about where they stop being exact
    with np.errstate(invalid="ignore"):  # of NaN that signal
        x = np.concatenate([x, wide[0], middle[0], bits[0], around, -middle[1]]).astype(dtype)
        y = np.concatenate([y, wide[1], middle[1], bits[1], np.ones(20000), middle[0]]).astype(dtype)
    arrays = (x, y) if name in BINARY else (x,)
    with np.errstate(all="ignore"):
        found, wanted = call(f"near_{name}", *arrays), call(name, *arrays)
    assert_same(found, wanted)


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


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [name for name in BOUNDS if name not in ("gamma", "sqrt")]
)  # those go by way of double
def test_every_float32(call, name):
    def worst(first):
        place, size = ctypes.c_uint32(), np.uint32(first & 0x7FFFFFFF).view(np.float32)
        near = name in TRIGONOMETRIC and size < 2.0**30
        function = call.library[f"worst_v_{name}_near" if near else f"worst_v_{name}"]
        function.restype = ctypes.c_double
        found = function(ctypes.c_uint32(first), ctypes.c_uint32(step), ctypes.byref(place))
        return found, np.uint32(place.value).view(np.float32)

    step = 1 << 23
    with ThreadPoolExecutor() as pool:
        error, x = max(pool.map(worst, range(0, 1 << 32, step)), key=lambda found: found[0])
    assert error <= BOUNDS[name][0] + SLACK, (error, x)
