"""Batches of functions and graphs: rows agree with calls one by one."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import GradientError

x, y = at.dvector("x"), at.dvector("y")
m, a = at.dmatrix("m"), at.dmatrix("a")
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(4, 3))
OTHER = RNG.normal(size=(4, 3))
SQUARE = RNG.normal(size=(3, 3)) + 3 * np.eye(3)


def count_up(limit):
    """A loop whose rows end at steps of their own."""
    return ag.while_loop(lambda v: v.sum() < limit.sum(), lambda v: v * 1.5 + 0.5, at.ones_like(limit))


def newton(v):
    return ag.while_loop(lambda r: abs(r * r - v) > 1e-9, lambda r: (r + v / r) / 2, v)


FUNCTIONS = {
    "elementwise": lambda u, v: at.tanh(u * v) + v,
    "reductions": lambda u, v: u.sum() * v.max() + at.logsumexp(u),
    "products": lambda u, v: at.dot(u, at.outer(u, v)),
    "softmax": lambda u, v: at.nnet.softmax(u) * v,
    "parts": lambda u, v: at.set_subtensor(u[1:], v[:2])[::-1],
    "lookup": lambda u, v: u[at.argsort(v)],
    "sorted": lambda u, v: at.sort(u) + at.cumsum(v),
    "solved": lambda u, v: at.linalg.solve(at.outer(u, u) + at.eye(3), v),
    "searched": lambda u, v: at.searchsorted(at.sort(u), v),
    "branch": lambda u, v: ag.ifelse(u.sum() > v.sum(), at.exp(u), v * 2),
    "scanned": lambda u, v: ag.scan(lambda p, h: at.tanh(h * p + v), u, outputs_info=v)[0],
    "ended": lambda u, v: count_up(abs(u) * 9) + v,
    "roots": lambda u, v: ag.vmap(newton)(abs(u) + 1) * v,
    "own gradient": lambda u, v: ag.grad_clip(u, -1.0, 1.0) * v,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_rows(name):
    fn = FUNCTIONS[name]
    one = ag.function([x, y], fn(x, y))
    wanted = np.array([one(u, v) for u, v in zip(ROWS, OTHER, strict=True)])
    for mode in ("fast_run", "reference", "debug"):
        f = ag.function([m, a], ag.vmap(fn)(m, a), mode=mode)
        np.testing.assert_allclose(f(ROWS, OTHER), wanted, rtol=1e-12)
    f = ag.function([m, y], ag.vmap(fn, in_axes=(0, None))(m, y))
    wanted = np.array([one(u, OTHER[0]) for u in ROWS])
    np.testing.assert_allclose(f(ROWS, OTHER[0]), wanted, rtol=1e-12)


@pytest.mark.parametrize("name", [n for n in FUNCTIONS if n not in ("searched", "ended", "roots")])
def test_gradients(name):
    fn = FUNCTIONS[name]
    one = ag.function([x, y], ag.grad((fn(x, y) ** 2).sum(), x))
    f = ag.function([m, a], ag.grad((ag.vmap(fn)(m, a) ** 2).sum(), m))
    wanted = np.array([one(u, v) for u, v in zip(ROWS, OTHER, strict=True)])
    np.testing.assert_allclose(f(ROWS, OTHER), wanted, rtol=1e-10, atol=1e-12)


def test_loops_that_end():
    """Last values of rows that end apart; their histories would have different lengths."""

    def step(v, h):
        return h + v, ag.until(h > 0.5)

    ends = ag.vmap(lambda u: ag.scan(step, u, outputs_info=at.constant(0.0))[0][-1])(m)
    found = ag.function([m], ends)(abs(ROWS))
    for u, value in zip(abs(ROWS), found, strict=True):
        h = 0.0
        for v in u:
            h, over = h + v, h > 0.5
            if over:
                break
        assert value == pytest.approx(h)


@pytest.mark.parametrize("shape", [(None,), (0,), (1,), (37,)])
def test_strips_of_loops_that_end(shape):
    """Rows are computed a strip at a time, of which the last one is filled up."""
    v = at.tensor("v", dtype="float64", shape=shape)

    def collatz(n):
        more = [n, at.zeros_like(n)]
        return ag.while_loop(lambda n, k: n > 1, lambda n, k: (at.where(n % 2 < 1, n / 2, 3 * n + 1), k + 1), more)

    f = ag.function([v], ag.vmap(collatz)(v))
    for rows in [s for s in shape if s is not None] or (0, 1, 16, 17, 100):
        counts = []
        for n in range(1, rows + 1):
            k = 0
            while n > 1:
                n, k = (n // 2 if n % 2 == 0 else 3 * n + 1), k + 1
            counts.append(k)
        ends, found = f(np.arange(1.0, rows + 1))
        assert found.tolist() == counts
        assert (ends == 1).all()


def test_axes():
    f = ag.function([m, a], ag.vmap(lambda u, v: [u * v, u.sum()], in_axes=(1, 0), out_axes=(1, 0))(m, a))
    product, total = f(ROWS[:3], ROWS[:3].copy())
    np.testing.assert_allclose(product, ROWS[:3] * ROWS[:3].T)
    np.testing.assert_allclose(total, ROWS[:3].sum(0))
    nested = ag.vmap(lambda u: ag.vmap(lambda v: at.dot(u, v))(a))(m)
    np.testing.assert_allclose(ag.function([m, a], nested)(ROWS, OTHER), ROWS @ OTHER.T)


def test_python_functions():
    @ag.as_op([at.dvector], [at.dscalar])
    def total(v):
        return v.sum() * 2

    with pytest.raises(GradientError, match=r"total\(\) is a Python function, which is not batched; ag.map"):
        ag.vmap(total)(m)
    np.testing.assert_allclose(ag.function([m], ag.map(total, m)[0])(ROWS), ROWS.sum(1) * 2)


def test_graphs():
    t = at.dtensor3("t")
    z = at.dot(a, x) + y
    f = ag.function([a, m, y], ag.vectorize_graph(z, {x: m}))
    np.testing.assert_allclose(f(SQUARE, ROWS, OTHER[0]), ROWS @ SQUARE.T + OTHER[0])
    f = ag.function([a, t, y], ag.vectorize_graph([z, z.sum()], {x: t}))
    block = np.stack([ROWS, OTHER])
    for found, wanted in zip(
        f(SQUARE, block, OTHER[0]), (block @ SQUARE.T + OTHER[0], (block @ SQUARE.T + OTHER[0]).sum(-1)), strict=True
    ):
        np.testing.assert_allclose(found, wanted)
    f = ag.function([a, m], ag.vectorize_graph(z, {x: m, y: at.ones(3)}))
    np.testing.assert_allclose(f(SQUARE, ROWS), ROWS @ SQUARE.T + 1)


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ag.vmap(lambda u, v: u, in_axes=(0,))(m, a), "1 axes for 2 arguments"),
    (lambda: ag.vmap(lambda u: u, in_axes=None)(m), "in_axes names none"),
    (lambda: ag.vmap(lambda u: u)(x.sum()), "vmap cannot go along an axis of"),
    (lambda: ag.vectorize_graph(x + y, {x: at.dtensor3("t"), y: m}), "others have 2 axes more"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(TypeError, match=message):
        make()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_associative_scan(axis, reverse):
    for fn, ufunc in ((at.add, np.add), (at.maximum, np.maximum)):
        found = ag.function([m], ag.associative_scan(fn, m, reverse=reverse, axis=axis))(ROWS)
        values = np.flip(ROWS, axis) if reverse else ROWS
        wanted = ufunc.accumulate(values, axis)
        np.testing.assert_allclose(found, np.flip(wanted, axis) if reverse else wanted)


def test_linear_recurrence():
    """h = p h + v, as an associative function of pairs."""

    def join(left, right):
        (p, v), (q, w) = left, right
        return [p * q, v * q + w]

    h = ag.associative_scan(join, [m, a])[1]
    found, slope = ag.function([m, a], [h, ag.grad((h**2).sum(), m)])(ROWS, OTHER)
    state, wanted = np.zeros(3), []
    for p, v in zip(ROWS, OTHER, strict=True):
        state = p * state + v
        wanted.append(state)
    np.testing.assert_allclose(found, wanted)
    assert slope.shape == ROWS.shape


def test_fori():
    n = at.lscalar("n")
    u, v = ag.fori(n, lambda k, u, v: [v, u + v + k * 0], [at.constant(0), at.constant(1)])
    f = ag.function([n], [u, v])
    assert [int(r) for r in f(10)] == [55, 89]
    assert [int(r) for r in f(0)] == [0, 1]
