"""Functions with a form for ordinary arguments: blocks with others among them, in every kind of loop."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at

FAR = [1e16, -1e22, 2.0**50 * 1.5, -1e300, np.finfo("f8").max, np.inf, -np.inf, np.nan]
PLACES = [0, 3, 511, 512, 700, 1500, 8191, 9000]


def angles(n=10000, far=True):
    x = np.random.default_rng(1).normal(size=n) * 10
    if far:
        x[PLACES] = FAR
    return x


def assert_near(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-14, atol=1e-14)


@pytest.fixture(autouse=True)
def _quiet():
    with np.errstate(invalid="ignore", over="ignore"):
        yield


x = at.vector("x")
MAKERS = [
    lambda m, x: m.sin(x),
    lambda m, x: m.cos(x),
    lambda m, x: m.tan(x),
    lambda m, x: m.sin(x * 2 + 1) * m.cos(m.exp(m.minimum(x, 1))) + m.tan(x / 3),
    lambda m, x: m.sin(m.cos(x)),
    lambda m, x: m.where(x > 0, m.sin(x), x),
    lambda m, x: m.cos(x[::-1]),
]


@pytest.mark.parametrize("number", range(len(MAKERS)))
def test_elements(number):
    make = MAKERS[number]
    f = ag.function([x], make(at, x))
    for n in (0, 1, 10000):
        assert_near(f(angles(n, n > 1)), make(np, angles(n, n > 1)))
    near = angles()
    near[PLACES] = 1
    np.testing.assert_array_equal(np.delete(f(angles()), [*PLACES, *(9999 - p for p in PLACES)]),
                                  np.delete(f(near), [*PLACES, *(9999 - p for p in PLACES)]))  # fmt: skip
    assert "_near(" in f.text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["exp", "exp2", "log", "log2", "log10"])
def test_same_bits(name, dtype):
    y = at.vector("y", dtype=dtype)
    f = ag.function([y], getattr(at, name)(y))
    assert f"v_{name}_near" in f.text
    v = np.random.default_rng(3).uniform(-80, 80, 4000)
    v = (np.abs(v) if "log" in name else v).astype(dtype)
    special = np.array([0.0, -0.0, 5e-324, 1e-40, -1, 1e4, -1e4, -745, 709.9, 88.9, -100, np.inf, -np.inf, np.nan])
    mixed = v.copy()
    mixed[::300] = special.astype(dtype)
    found = f(mixed)
    np.testing.assert_array_equal(np.delete(found, np.s_[::300]), np.delete(f(v), np.s_[::300]))
    np.testing.assert_array_equal(found[::300], f(special.astype(dtype)))  # few are not asked
    with np.errstate(all="ignore"):
        wanted = getattr(np, name)(mixed)
    np.testing.assert_allclose(found, wanted, rtol=3e-7 if dtype == "float32" else 1e-15, atol=1e-44)


def test_costly_arguments():
    """What costs as much as is saved is not computed beforehand; texts of users keep their functions."""
    assert "_near" not in ag.function([x], at.exp(at.tanh(x)).sum()).text
    assert "_near" in ag.function([x], at.exp(-at.sqr(x)).sum()).text
    text = ag.function([x], (at.exp(at.tanh(x)) + at.sin(x)).sum()).text
    assert "v_exp_near" not in text
    assert "v_sin_near" in text


def test_again():
    """A loop that reads nothing it writes runs once more where an argument was not ordinary."""
    f = ag.function([x], at.log(at.sin(x) + 1 + at.log(at.exp(x) + 2)))
    assert f.text.count("v_log_near") >= 2
    v = np.clip(angles(far=False), -3, 30)
    far = v.copy()
    far[PLACES] = [-750, -800, -1e20, 700, -np.inf, np.nan, -(2.0**40), 1]
    with np.errstate(all="ignore"):
        for given in (v, far):
            assert_near(f(given), np.log(np.sin(given) + 1 + np.logaddexp(given, np.log(2))))
    w = ag.shared(angles(far=False), "w")
    in_place = ag.function([], [], updates={w: at.exp(at.tanh(w))})
    assert "_near" not in in_place.text


def test_sums():
    v = angles()
    v[~np.isfinite(v)] = 1e200
    found = ag.function([x], [at.sin(x).sum(), at.cos(x).max(), at.sin(x)])(v)
    for a, b in zip(found, [np.sin(v).sum(), np.cos(v).max(), np.sin(v)], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-14)
    m = v.reshape(50, 200)
    y = at.matrix("y")
    for axis in (0, 1):
        assert_near(ag.function([y], (at.sin(y) * 0.01).sum(axis))(m), (np.sin(m) * 0.01).sum(axis))
    assert_near(ag.function([y], at.tan(y.T))(m), np.tan(m.T))


def test_updates():
    w = ag.shared(angles(), "w")
    f = ag.function([], [], updates={w: at.sin(w) * 3})
    f()
    assert_near(w.get_value(), np.sin(angles()) * 3)
    f()
    assert_near(w.get_value(), np.sin(np.sin(angles()) * 3) * 3)


def test_lookups():
    i = at.lvector("i")
    assert_near(ag.function([x, i], at.cos(x[i]))(angles(), np.array([3, 0, -1])), np.cos(angles()[[3, 0, -1]]))
    with pytest.raises(IndexError):
        ag.function([x, i], at.cos(x[i]))(angles(), np.array([3, 10000]))


def test_single_precision():
    v = angles().astype("f4")
    y = at.vector("y", dtype="float32")
    f = ag.function([y], [at.sin(y), at.cos(y) * at.tan(y / 2)])
    wide = v.astype("f8")
    for found, wanted in zip(f(v), [np.sin(wide), np.cos(wide) * np.tan(wide / 2)], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=2e-6, atol=1e-6)
    assert "v_sin_nearf(" in f.text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_two(dtype):
    a, b = at.vector("a", dtype=dtype), at.vector("b", dtype=dtype)
    rng = np.random.default_rng(2)
    u, v = rng.uniform(0.1, 20, (2, 3000)).astype(dtype)
    far, by = u.copy(), v.copy()
    far[[0, 700, 2999]] = [1e30, -np.inf, -5]
    by[[5, 701, 1400]] = [0, 1e-30, np.nan]
    f = ag.function([a, b], [at.mod(a, b), at.fmod(a, b), a // b, a**b, at.sin(a % b).sum()])
    with np.errstate(all="ignore"):
        for p, q in ((u, v), (far, by), (u[:0], v[:0])):
            wanted = [np.mod(p, q), np.fmod(p, q), p // q, p**q, np.sin(np.mod(p, q)).sum()]
            for found, expected in zip(f(p, q), wanted, strict=True):
                np.testing.assert_allclose(found, expected, rtol=2e-5 if dtype == "float32" else 1e-12)
    assert "v_pow_near" in f.text
    assert "v_fmod_far" in f.text


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_in_two_loops(dtype):
    """The logarithm in one, the exponential in another; the arguments may be expressions, the rest of the body too."""
    a, b = at.vector("a", dtype=dtype), at.vector("b", dtype=dtype)
    rng = np.random.default_rng(3)
    u, v = rng.uniform(0.1, 20, 3000).astype(dtype), rng.uniform(-5, 5, 3000).astype(dtype)
    far = u.copy()
    far[[0, 511, 512, 1300, 2999]] = [0, -2, np.inf, np.nan, 1e30]
    f = ag.function([a, b], [(a + 1) ** (b / 2) * b + a ** (b - 1), a**b])
    assert "v_pow_early" in f.text
    rtol = 2e-6 if dtype == "float32" else 1e-14
    with np.errstate(all="ignore"):
        for p in (u, far, u[:0], u[:1]):
            q = v[: len(p)]
            wide = [w.astype("f8") for w in (p, q)]
            wanted = (wide[0] + 1) ** (wide[1] / 2) * wide[1] + wide[0] ** (wide[1] - 1)
            found, powers = f(p, q)
            usual = np.isfinite(wanted) & (p < 100)
            np.testing.assert_allclose(found[usual], wanted[usual], rtol=50 * rtol)
            np.testing.assert_allclose(powers, (wide[0] ** wide[1]).astype(dtype), rtol=rtol)


def test_powers_of_halves_are_rounded():
    a = at.vector("a", dtype="float16")
    f = ag.function([a], a ** (a / 2))
    x = np.linspace(0.1, 15, 700).astype("f2")
    assert "v_pow_latef" in f.text
    half = (x / np.float16(2)).astype("f4")
    np.testing.assert_array_equal(f(x), (x.astype("f4") ** half).astype("f2"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_angles_that_are_ordinary_whatever_is_drawn(dtype):
    """Nobody asks, and the bits are those of any argument."""
    draw = ag.random.Key(7).normal(size=(5000,), dtype=dtype)
    f, total = ag.function([], draw), ag.function([], (draw * 2).sum())
    for text in (f.text, total.text):
        assert "v_cos_near" in text
        assert "v_sin_far" not in text
        assert "v_cos(" not in text
        assert "v_cosf(" not in text
    np.testing.assert_array_equal(f(), ag.function([], draw, mode="fast_compile")())
    np.testing.assert_allclose(total(), 2 * f().astype("float64").sum(), rtol=1e-5)
    u = at.tensor("u", dtype="uint64", shape=(None,))
    free = ag.function([u], at.cos(at.cast(u >> np.uint64(2), dtype)))
    assert "v_sin_far" in free.text
    numbers = np.array([0, 9, 2**63], "uint64")
    np.testing.assert_allclose(free(numbers), np.cos((numbers >> np.uint64(2)).astype(dtype)), rtol=1e-5)
