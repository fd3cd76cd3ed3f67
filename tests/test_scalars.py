"""Divisors and terms that are scalars leave sums in every mode; infinities, NaN and large sums stay as they are."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.variable import Variable
from agnesi.ops.functions import significand

x, m, s = at.vector("x"), at.scalar("m"), at.scalar("s")
DIVISORS = (0.0, -0.0, np.inf, -np.inf, np.nan, 2.5, -3.0, 1.0, 5e-324, -3e-320, 1e-310, 1e-300, 1e-160, 1e160, -1e308)
ARRAYS = {
    "moderate": [1.5, -2.0, 0.75, 3.0],
    "zeros": [0.0, -0.0],
    "one zero": [1.0, 0.0, 2.0],
    "infinite": [1.0, np.inf, 2.0],
    "both infinities": [-np.inf, np.inf],
    "NaN": [1.0, np.nan],
    "large": [1e300, -2e300, 3e300],
    "small": [1e-300, 2e-305, 3e-300],
    "subnormal": [5e-324, 3e-320],
    "around 1e160": [1e160, -2e160],
    "around 1e-160": [1e-160, -2e-160],
    "empty": [],
}


def density():
    value = (-0.5 * ((x - m) / s) ** 2 - at.log(s) - 0.5 * math.log(2 * math.pi)).sum()
    return [value, *ag.grad(value, [m, s])]


def test_a_density_is_few_operations_an_element():
    given = np.random.default_rng(0).normal(1, 2, size=1000)
    f = ag.function([x, m, s], density())
    assert re.search(r"work +6 n\d+ \+", f.explain())
    z = (given - 0.5) / 1.5
    wanted = (-0.5 * z**2 - math.log(1.5) - 0.5 * math.log(2 * math.pi)).sum(), z.sum() / 1.5, (z * z - 1).sum() / 1.5
    for one, other in zip(f(given, 0.5, 1.5), wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-13)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_divisors_at_the_ends_of_the_range(dtype):
    """Sums are those of quotients: nothing overflows earlier, and a zero divided by zero is still NaN."""
    a, b = at.vector("a", dtype=dtype), at.scalar("b", dtype=dtype)
    z = a / b
    made = [z.sum(), (z * z).sum(), (a * z).sum(), (2 - z).sum(), (z * z / b).sum()]
    most, last = ag.function([a, b], made[:-1]), ag.function([a, b], made[-1:])
    reference = ag.function([a, b], made, mode="reference")
    smallest = np.finfo(dtype).tiny
    with np.errstate(all="ignore"):
        for array in ARRAYS.values():
            for divisor in DIVISORS:
                given = np.array(array).astype(dtype), np.array(divisor).astype(dtype)
                quotients = given[0] / given[1]
                finite = np.isfinite(given[0]).all() and np.isfinite(given[1]) and given[1] != 0
                if finite and np.isinf(quotients).any():
                    continue  # quotients that overflow may still have a sum
                if (quotients * quotients < 64 * smallest)[quotients * quotients > 0].any():
                    continue  # squares with few digits
                for one, other in zip([*most(*given), *last(*given)], reference(*given), strict=True):
                    np.testing.assert_allclose(
                        one, other, rtol=20 * np.finfo(dtype).eps, atol=8 * smallest, err_msg=f"{given}"
                    )


@pytest.mark.parametrize("spelled", [lambda z: -0.5 * z**2, lambda z: -0.5 * z * z, lambda z: z * (z * -0.5)])
def test_sums_that_differ_by_a_power_of_two_are_one(spelled):
    """The gradient by a scale is made of the sum of squares, however that is written."""
    value = spelled((x - m) / s).sum()
    f = ag.function([x, m, s], [value, *ag.grad(value, [m, s])])
    given = np.random.default_rng(0).normal(size=1000)
    for scale in (1e-150, 0.3, 1.0, 7e4, 1e150):
        z = (given * scale - 0.1 * scale) / scale
        wanted = -0.5 * (z * z).sum(), z.sum() / scale, (z * z).sum() / scale
        np.testing.assert_allclose(f(given * scale, 0.1 * scale, scale), wanted, rtol=1e-12)
    assert f.explain().count("reads    8 n") == 1
    assert re.search(r"work +6 n\d+ \+", f.explain())
    assert all(v == 0 for v in f([], 0.0, 0.0))  # not 0 * inf
    assert np.isinf(f([1e200], 0.0, 1.0)[2])


def test_products_of_very_many_factors():
    power = (x - m) / s
    for _ in range(40):
        power = power * power
    f = ag.function([x, m, s], [power.sum(), (power / s).sum()])
    assert f([3.0, 3.0], 1.0, 2.0) == [2, 1]


def test_constants_that_keep_sums_in_range_stay():
    u = at.vector("u", dtype="float32")
    f = ag.function([u], (u * np.float32(1e-25) * u).sum())
    assert f(np.full(2, 1e20, "float32")) == pytest.approx(2e15, rel=1e-5)


def test_terms_of_no_elements():
    f = ag.function([x, s], (at.exp(x) - at.log(s)).sum())
    assert f([], 0.0) == 0
    assert f([0.0], 0.0) == np.inf
    assert np.isnan(f([np.inf], np.inf))
    assert f([0.0, 1.0], 2.0) == pytest.approx(1 + np.e - 2 * np.log(2))


def test_exact_differences_stay():
    """Terms leave sums of rounded results only: here each element is exact, and would not be any more."""
    given = 1e8 + np.arange(50.0)
    f = ag.function([x, m], [(x - m).sum(), (x * x - m).sum()])
    assert f(given, 1e8)[0] == 1225
    assert "sum_less_scalar" in f.explain()


def test_significands():
    f = ag.function([x], Variable(significand(x.node)))
    given = np.array([1.0, -1.0, 0.3, 1e300, 2e-308, 5e-324, 0.0, -0.0, np.inf, -np.inf])
    found = f(given)
    np.testing.assert_array_equal(found[:4], [0.25, -0.25, 0.3, np.frexp(1e300)[0] / 2])
    np.testing.assert_array_equal(found[4:6], given[4:6] * 2.0**998)
    np.testing.assert_array_equal(found[6:], np.copysign(1, given[6:]))
    assert f([np.nan]) == 1


def test_constants_beside_divisors():
    """Rules that gather constants leave the parts of a divisor alone."""
    f = ag.function([x, s], [((x / s) * 2 * x).sum(), ((x / s) * (3 / x) * 2).sum(), (x / (2 * s) / 4).sum()])
    given = np.array([1.5, -2.0, 7.0])
    wanted = (given / 3 * 2 * given).sum(), (given / 3 * (3 / given) * 2).sum(), (given / 6 / 4).sum()
    np.testing.assert_allclose(f(given, 3.0), wanted, rtol=1e-14)
