"""Loops over rows in strips, and short inner loops: the same values as NumPy's for few and many rows and columns."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import config

x, w, v = at.matrix("x"), at.vector("w"), at.vector("v")
SIZES = [(0, 3), (1, 1), (5, 0), (255, 7), (256, 20), (700, 33), (3, 20000)]


def arrays(rows, columns):
    rng = np.random.default_rng(rows + columns)
    return rng.normal(size=(rows, columns)), rng.normal(size=columns), rng.normal(size=rows)


def in_strips(f):
    return "strips" in f.explain()


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_functions_between_inner_loops(rows, columns):
    a, b, c = arrays(rows, columns)
    s = (x * w).sum(1)
    f = ag.function([x, w, v], [(v * at.tanh(s)).sum(), (at.exp(-s * s)[:, None] * x).sum(0), at.exp(-s * s)])
    assert in_strips(f)
    t = (a * b).sum(1)
    e = np.exp(-t * t)
    for found, wanted in zip(f(a, b, c), [(c * np.tanh(t)).sum(), (e[:, None] * a).sum(0), e], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize(("rows", "columns"), SIZES)
def test_a_regression(rows, columns):
    a, b, c = arrays(rows, columns)
    logits = at.dot(x, w)
    value = (v * logits - at.softplus(logits)).sum()
    f = ag.function([x, w, v], [value, *ag.grad(value, [w, v])])
    assert in_strips(f)
    t = a @ b
    expected = [(c * t - np.logaddexp(0, t)).sum(), (c - 1 / (1 + np.exp(-t))) @ a, t]
    for found, wanted in zip(f(a, b, c), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-10, atol=1e-10)


def test_strips_keep_what_depends_on_other_rows():
    a, b, c = arrays(300, 9)
    k = at.lvector("k")
    t = np.exp((a * b).sum(1))
    places = np.arange(300) % 7
    f = ag.function([x, w, k], at.zeros(7)[k].inc(at.exp((x * w).sum(1))))
    np.testing.assert_allclose(f(a, b, places), np.bincount(places, t), rtol=1e-12)
    state = ag.shared(a.copy(), "state")
    step = ag.function([w], [], updates={state: state * at.exp(-(state * w).sum(1))[:, None]})
    step(b)
    np.testing.assert_allclose(state.get_value(), a * np.exp(-(a * b).sum(1))[:, None], rtol=1e-12)
    wrong = ag.function([x, k], at.exp(x[k].sum(1))[:, None] * x[k])
    with pytest.raises(IndexError):
        wrong(a, np.array([0, 300]))


def test_debug_mode_agrees():
    a, b, _ = arrays(5, 3)
    s = at.exp((x * w).sum(1))
    f = ag.function([x, w], [s[:, None] * x, at.log1p(s).sum()], mode="debug")
    t = np.exp((a * b).sum(1))
    for found, wanted in zip(f(a, b), [t[:, None] * a, np.log1p(t).sum()], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize("columns", [0, 1, 7, 8, 9, 15, 16, 31, 32, 33, 47, 63, 65, 8191, 8192, 8201])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
def test_short_inner_loops(columns, dtype):
    a = (np.random.default_rng(columns).normal(size=(4, columns)) * 10).astype(dtype)
    y = at.matrix("y", dtype=dtype)
    f = ag.function([y], [y.sum(1), (y * y).sum(1), at.max(at.concatenate([y, y[:, :1] * 0 + 1], 1), 1)] if columns else
                    [y.sum(1), (y * y).sum(1)])  # fmt: skip
    found = f(a)
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(found[0], a.sum(1), rtol=tolerance, atol=tolerance * 100)
    np.testing.assert_allclose(found[1], (a * a).sum(1), rtol=tolerance)
    if columns:
        np.testing.assert_array_equal(found[2], np.maximum(a.max(1), 1))


def test_sums_of_quotients_by_a_scalar():
    s = at.scalar("s")
    a = np.array([1e-310, 1.0, 2.0, -3.5, 0.0])
    f = ag.function([v, s], [(v / s).sum(), (v * (v / s)).sum(), -(-(v / s)).sum()])
    assert f(a, 3.0)[0] == pytest.approx((a / 3).sum(), rel=1e-15)
    for scalar in (5e-324, 1e-310, 1e-200, 1.0, -7.0, 1e300, 1.7e308, np.inf, 0.0, np.nan):
        for b in (a, a[1:4], a[:1], a[:0], np.array([np.inf, 1.0]), np.array([1e308, 1e300])):
            with np.errstate(all="ignore"):
                wanted = [(b / scalar).sum(), (b * (b / scalar)).sum(), (b / scalar).sum()]
                overflows = scalar != 0 and np.isfinite(b).all() and np.isinf(b / scalar).any()
            if overflows:
                continue  # quotients of both signs that overflow may still have a sum
            subnormal = 0 < abs(scalar) < 1e-307  # then intermediate products are, too, sooner
            np.testing.assert_allclose(f(b, scalar), wanted, rtol=1e-4 if subnormal else 1e-14, atol=2e-323)


def test_threads_share_strips():
    a, b, c = arrays(3000, 21)
    s = (x * w).sum(1)
    with config.change(worth=2000):
        f = ag.function([x, w, v], [at.exp(-s * s), (v * at.tanh(s)).sum(), (at.tanh(s)[:, None] * x).sum(0)])
        assert "strips par" in f.explain()
        results = []
        for f.threads in (1, 2, 3):
            results.append([r.tobytes() for r in f(a, b, c)])
        assert results[0] == results[1] == results[2]
    t = (a * b).sum(1)
    for found, wanted in zip(f(a, b, c), [np.exp(-t * t), (c * np.tanh(t)).sum(), np.tanh(t) @ a], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)
