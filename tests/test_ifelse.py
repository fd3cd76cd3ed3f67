"""Branches: only the chosen side is computed, in loops, derivatives and batches too."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.loops.stmt import For

x, y = at.dvector("x"), at.dvector("y")
c = at.dscalar("c")
V = np.array([0.5, 1.5, -2.0])


def both(outputs, inputs, *values):
    """The results of compiled code, which the interpreter of statements and the reference confirm."""
    found = ag.function(inputs, outputs)(*values)
    for mode in ("reference", "debug", "fast_compile"):
        other = ag.function(inputs, outputs, mode=mode)(*values)
        for a, b in zip(found, other, strict=True) if isinstance(outputs, list) else [(found, other)]:
            np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)
    return found


@pytest.mark.parametrize("condition", [1.0, -1.0])
def test_values_and_derivatives(condition):
    z = ag.ifelse(c > 0, (at.exp(x) * y).sum() * x, at.sin(x) + y)
    found = both([z, ag.grad(z.sum(), x), ag.grad(z.sum(), y)], [x, y, c], V, V + 3, condition)
    u, v = V, V + 3
    if condition > 0:
        total = (np.exp(u) * v).sum()
        wanted = [total * u, np.exp(u) * v * u.sum() + total, np.exp(u) * u.sum()]
    else:
        wanted = [np.sin(u) + v, np.cos(u), np.ones(3)]
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("condition", [1.0, -1.0])
def test_modes_agree(condition):
    z = ag.ifelse(c > 0, at.tanh(x * y) * x.sum(), at.sqr(x) / (1 + at.sqr(y)))
    ag.verify_grad(lambda a, b: ag.ifelse(at.constant(condition) > 0, at.tanh(a * b) * a.sum(), at.sqr(a)), [V, V + 1])
    t = at.dvector("t")
    tangent = ag.jvp(z, x, t)
    rows = ag.jacobian(z, x)
    hessian = ag.hessian((z**2).sum(), x)
    tangent, rows, hessian = both([tangent, rows, hessian], [x, y, c, t], V, V + 1, condition, V * 2)
    np.testing.assert_allclose(rows @ (V * 2), tangent, rtol=1e-12)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12)


def test_only_the_chosen_side_is_computed():
    calls = []

    @ag.as_op([at.dvector], [at.dscalar])
    def noted(v):
        calls.append(len(v))
        return v.sum()

    f = ag.function([x, c], ag.ifelse(c > 0, noted(x) * x, x - 1))
    np.testing.assert_allclose(f(V, -1.0), V - 1)
    assert calls == []
    np.testing.assert_allclose(f(V, 1.0), V.sum() * V)
    assert calls == [3]


def test_sizes_that_values_decide():
    """They are computed in any case."""
    z = ag.ifelse(c > 0, x[x > 0].sum() * x, x)
    np.testing.assert_allclose(both(z, [x, c], V, 1.0), 2 * V)
    np.testing.assert_allclose(both(z, [x, c], V, -1.0), V)
    z = ag.ifelse(c > 0, x[x > 0], at.sqrt(x[x > 0]))
    np.testing.assert_allclose(both(z, [x, c], V, -1.0), np.sqrt(V[V > 0]))


def test_what_is_not_chosen_may_fail():
    i = at.lscalar("i")
    f = ag.function([x, i], ag.ifelse(i >= 0, x[i], -1.0))
    assert (f(V, 2), f(V, -9)) == (-2.0, -1.0)
    with pytest.raises(IndexError):
        f(V, 3)


def test_no_nan_from_the_other_side():
    z = ag.ifelse(c > 0, at.log(c), c * 3)
    assert ag.function([c], ag.grad(z, c))(-1.0) == 3.0
    assert ag.function([c], ag.grad(z, c))(4.0) == 0.25


def test_several_outputs_shared_values_and_dtypes():
    h = at.exp(x)
    a, b = ag.ifelse(c > 0, [h, at.lscalar("n") * 0 + 1], [h + y, at.constant(0.5)], name="pair")
    assert (a.dtype, b.dtype) == ("float64", "float64")
    n = at.lscalar("n")
    a, b = ag.ifelse(c > 0, [h, n], [h + y, 0.5])
    found = both([a, b, h], [x, y, n, c], V, V, 7, 1.0)
    np.testing.assert_allclose(found[0], np.exp(V))
    assert found[1] == 7.0
    found = both([a, b, h], [x, y, n, c], V, V, 7, -1.0)
    np.testing.assert_allclose(found[0], np.exp(V) + V)
    assert found[1] == 0.5


def test_nested():
    z = ag.ifelse(c > 0, ag.ifelse(c > 1, x * 2, at.dot(x, y) * x), ag.ifelse(c < -1, x[::-1], -y))
    wanted = {2.0: V * 2, 0.5: V @ (V + 1) * V, -2.0: V[::-1], -0.5: -(V + 1)}
    for value, expected in wanted.items():
        found, gradient = both([z, ag.grad((z * z).sum(), x)], [x, y, c], V, V + 1, value)
        np.testing.assert_allclose(found, expected)
        assert gradient.shape == V.shape


def test_products_and_loops_inside():
    m = at.dmatrix("m")
    sums, _ = ag.scan(lambda v, total: total + at.dot(m, total) * v, x, outputs_info=at.ones(2))
    z = ag.ifelse(c > 0, sums[-1], at.dot(m, m)[0])
    g = ag.grad(z.sum(), m)
    matrix = np.array([[0.1, 0.2], [0.3, -0.4]])
    state = np.ones(2)
    for v in V:
        state = state + matrix @ state * v
    found, slope = both([z, g], [x, m, c], V, matrix, 1.0)
    np.testing.assert_allclose(found, state)
    found, other = both([z, g], [x, m, c], V, matrix, -1.0)
    np.testing.assert_allclose(found, (matrix @ matrix)[0])
    assert not np.allclose(slope, other)


def test_inside_loops():
    def step(v, h):
        return ag.ifelse(v > 0, at.tanh(h * v + y), h - y)

    states, _ = ag.scan(step, x, outputs_info=at.zeros_like(y))
    loss = (states**2).sum()
    found, gx, gy = both([states, *ag.grad(loss, [x, y])], [x, y], V, V + 1)
    h, rows = np.zeros(3), []
    for v in V:
        h = np.tanh(h * v + V + 1) if v > 0 else h - (V + 1)
        rows.append(h)
    np.testing.assert_allclose(found, rows)
    for k, (g, at_) in enumerate(((gx, V), (gy, V + 1))):
        for j in range(3):
            shift = np.zeros(3)
            shift[j] = 1e-6
            ends = []
            for sign in (1, -1):
                point = [V, V + 1]
                point[k] = at_ + sign * shift
                ends.append(ag.function([x, y], loss)(*point))
            np.testing.assert_allclose(g[j], (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-7)


def test_scalar_states():
    s, _ = ag.scan(lambda v, h: ag.ifelse(h > 1, h / 2, h + v), x, outputs_info=at.constant(0.0))
    h, rows = 0.0, []
    for v in V:
        h = h / 2 if h > 1 else h + v
        rows.append(h)
    np.testing.assert_allclose(both(s, [x], V), rows)


def test_batches():
    m = at.dmatrix("m")
    rows, _ = ag.map(lambda r: ag.ifelse(r.sum() > 0, at.exp(r), r * 2), m)
    values = np.array([V, -V * 3])
    wanted = [np.exp(r) if r.sum() > 0 else r * 2 for r in values]
    np.testing.assert_allclose(both(rows, [m], values), wanted)
    z = ag.ifelse(c > 0, x**3, x)
    for value, slope in ((1.0, 3 * V**2), (-1.0, np.ones(3))):
        np.testing.assert_allclose(ag.function([x, c], ag.jacobian(z, x))(V, value), np.diag(slope))
    z = ag.ifelse(x[0] > 0, x**3, x)  # the condition may be batched too, by which both sides are computed
    np.testing.assert_allclose(ag.function([x], ag.jacobian(z * z, x))(V), np.diag(6 * V**5))


def test_updates():
    w = ag.shared(V.copy(), "w")
    f = ag.function([c], [], updates={w: ag.ifelse(c > 0, w + 1, w * 2)})
    f(1.0)
    f(-1.0)
    np.testing.assert_allclose(w.get_value(), (V + 1) * 2)


def test_pickle_and_cache():
    f = ag.function([x, c], ag.ifelse(c > 0, x * 2, at.sqrt(x)))
    g = pickle.loads(pickle.dumps(f))
    np.testing.assert_allclose(g(V, 1.0), V * 2)


def test_large_sides_on_threads():
    big = np.random.default_rng(0).normal(size=400_000)
    z = ag.ifelse(c > 0, at.exp(x) * at.tanh(x), x.cumsum())
    one = ag.function([x, c], z, threads=1)
    two = ag.function([x, c], z, threads=2)
    for value in (1.0, -1.0):
        np.testing.assert_array_equal(one(big, value), two(big, value))


def test_empty():
    f = ag.function([x, c], ag.ifelse(c > 0, at.exp(x), x + 1))
    assert f(V[:0], 1.0).shape == (0,)


def test_constant_condition():
    assert "exp" not in ag.pprint(ag.ifelse(False, at.exp(x), x))


def test_cond():
    z = ag.cond(c > 0, lambda a, b: (a + b, a), lambda a, b: (a * b, b), x, y)
    f = ag.function([x, y, c], list(z))
    for a, b in zip(f(V, V + 1, 1.0), (2 * V + 1, V), strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
def test_updates_in_place(mode):
    """Sides read what they replace: only one is carried out. What a side keeps is not copied."""
    w = ag.shared(np.zeros(3))
    f = ag.function([c], updates={w: ag.ifelse(c > 0, w + c, w)}, mode=mode)
    g = ag.function([c], updates={w: ag.ifelse(c > 0, w[::-1] - 1, w * 2)}, mode=mode)
    assert f.compiled(0).donated == (True,)
    assert g.compiled(0).donated == (False,)
    assert sum(isinstance(s, For) for s in f.compiled(0).program.nests[0].body) == 1  # the side that adds
    f(-1.0)
    f(2.0)
    w.set_value(w.get_value() + V)
    g(1.0)
    np.testing.assert_array_equal(w.get_value(), V[::-1] + 1)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ag.ifelse(x > 0, x, y), "the condition of ifelse is a scalar"),
    (lambda: ag.ifelse(c > 0, [x, y], [x]), "2 values on one side and 1 on the other"),
    (lambda: ag.ifelse(c > 0, x, x.sum(), name="mine"), "mine is .* on one side and .* on the other"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(TypeError, match=message):
        make()


def test_sizes_must_agree():
    f = ag.function([x, y, c], ag.ifelse(c > 0, x, y))
    assert f(V, V, 1.0).shape == (3,)
    with pytest.raises(ValueError, match="3.*2|2.*3"):
        f(V, V[:2], 1.0)
    _, second = ag.ifelse(c > 0, [x, at.dot(x, y) * x], [x, x + 1])  # asked of an output that is used alone too
    with pytest.raises(ValueError, match="3.*2|2.*3"):
        ag.function([x, y, c], second)(V, V[:2], 1.0)
