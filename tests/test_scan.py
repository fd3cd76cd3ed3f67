"""Loops: values against plain NumPy loops, derivatives against finite differences, in every way a function can run."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.control.segments import segment_lengths
from agnesi.errors import TypeMismatch
from agnesi.ir.node import topological
from agnesi.ir.variable import as_node

RNG = np.random.default_rng(5)
close = np.testing.assert_allclose


def differences(f, x, step=1e-6):
    """The gradient of a function of an array by central differences."""
    result = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        above, below = x.copy(), x.copy()
        above[i] += step
        below[i] -= step
        result[i] = (f(above) - f(below)) / (2 * step)
    return result


def runs(inputs, outputs, values):
    """The outputs of a function compiled with every pass checked, which the reference evaluator agrees with."""
    found = ag.function(inputs, outputs, mode="debug")(*values)
    for a, b in zip(found, ag.function(inputs, outputs, mode="reference")(*values), strict=True):
        close(a, b, rtol=1e-10, atol=1e-12)
    return found


def check_gradients(inputs, cost, values, numeric):
    """Gradients by each input, in both modes, against finite differences."""
    found = runs(inputs, ag.grad(cost, inputs), values)
    for k, value in enumerate(values):
        wanted = differences(lambda a, k=k: numeric(*values[:k], a, *values[k + 1 :]), value)
        close(found[k], wanted, rtol=1e-5, atol=1e-7)
        direction = RNG.normal(size=value.shape)
        (tangent,) = runs(inputs, [ag.Rop(cost, inputs[k], direction)], values)
        close(tangent, (wanted * direction).sum(), rtol=1e-5, atol=1e-7)


def test_recurrence_of_a_number():
    x, a = at.vector("x"), at.scalar("a")
    h, updates = ag.scan(lambda v, h: at.tanh(a * h + v), sequences=x, outputs_info=at.zeros(()))
    assert updates == {}

    def numeric(x, a):
        h, kept = 0.0, []
        for v in x:
            h = np.tanh(a * h + v)
            kept.append(h)
        return np.array(kept)

    values = [RNG.normal(size=6), np.array(0.7)]
    close(runs([x, a], [h], values)[0], numeric(*values))
    close(ag.function([x, a], h)(np.zeros(0), 0.5), np.zeros(0))
    check_gradients([x, a], (h**2).sum(), values, lambda *v: (numeric(*v) ** 2).sum())


def recurrent(x, w, u, b, h):
    kept = []
    for row in x:
        h = np.tanh(row @ w + h @ u + b)
        kept.append(h)
    return np.array(kept)


def test_recurrent_network():
    x, (w, u), b, h0 = at.tensor3("x"), at.matrices("w", "u"), at.vector("b"), at.matrix("h0")
    h, _ = ag.scan(lambda row, h: at.tanh(row @ w + h @ u + b), sequences=x, outputs_info=h0)
    values = [RNG.normal(size=s) * 0.5 for s in ((4, 3, 2), (2, 5), (5, 5), (5,), (3, 5))]
    close(runs([x, w, u, b, h0], [h], values)[0], recurrent(*values))

    def numeric(*v):
        h = recurrent(*v)
        return (h[-1] ** 2).sum() + h.sum()

    check_gradients([x, w, u, b, h0], (h[-1] ** 2).sum() + h.sum(), values, numeric)


def test_several_steps_back():
    n, first = at.iscalar("n"), at.dvector("first")
    h, _ = ag.scan(lambda a, b: a + b, outputs_info={"initial": first, "taps": [-2, -1]}, n_steps=n)
    f = ag.function([n, first], [h, h[-1], ag.grad(h[-1], first)])
    found, last, g = f(8, [1.0, 1.0])
    assert found.tolist() == [2, 3, 5, 8, 13, 21, 34, 55]
    assert last == 55
    assert g.tolist() == [21, 34]
    y, _ = ag.scan(lambda a: at.sin(a) * 2, outputs_info={"initial": first, "taps": [-3]}, n_steps=5)

    def numeric(first):
        kept = list(first)
        for _ in range(5):
            kept.append(np.sin(kept[-3]) * 2)
        return np.array(kept[3:])

    values = [RNG.normal(size=3)]
    close(runs([first], [y], values)[0], numeric(*values))
    check_gradients([first], (y**2).sum(), values, lambda v: (numeric(v) ** 2).sum())


def test_parts_of_sequences():
    x = at.vector("x")
    y, _ = ag.scan(lambda a, b, c: a + 10 * b + 100 * c, sequences={"input": x, "taps": [-1, 0, 2]})
    f = ag.function([x], [y, ag.grad(y.sum(), x)])
    found, g = f(np.arange(7.0))
    assert found.tolist() == [310, 421, 532, 643]
    assert g.tolist() == [1, 11, 11, 111, 110, 100, 100]
    back, _ = ag.scan(lambda v, t: v + t / 2, sequences=x, outputs_info=at.zeros(()), go_backwards=True)
    assert ag.function([x], back)([1.0, 2.0, 4.0]).tolist() == [4, 4, 3]


def test_updates_of_shared_variables():
    w = ag.shared(np.float64(1.0), "w")
    outputs, updates = ag.scan(lambda: (w * 2, {w: w * 2}), n_steps=5)
    f = ag.function([], outputs, updates=updates)
    assert f().tolist() == [2, 4, 8, 16, 32]
    assert w.get_value() == 32
    assert f().tolist() == [64, 128, 256, 512, 1024]
    alone, updates = ag.scan(lambda: {w: w / 2}, n_steps=3, return_list=True)
    ag.function([], alone, updates=updates)()
    assert w.get_value() == 128


def test_nested():
    x = at.matrix("x")
    rows, _ = ag.scan(
        lambda row: ag.scan(lambda v, t: t * 0.5 + v**2, sequences=row, outputs_info=at.zeros(()))[0][-1], sequences=x
    )

    def numeric(x):
        totals = np.zeros(len(x))
        for column in x.T:
            totals = totals * 0.5 + column**2
        return totals

    values = [RNG.normal(size=(3, 4))]
    close(runs([x], [rows], values)[0], numeric(*values))
    check_gradients([x], (rows**2).sum(), values, lambda v: (numeric(v) ** 2).sum())


def test_states_of_several_types():
    x = at.vector("x")
    (h, k), _ = ag.scan(lambda v, h, k: (at.tanh(v * h), k + 1), sequences=x, outputs_info=[at.ones(()), 0])
    found, count = ag.function([x], [h, k])(np.ones(3))
    close(found, [np.tanh(1), np.tanh(np.tanh(1)), np.tanh(np.tanh(np.tanh(1)))])
    assert count.tolist() == [1, 2, 3]
    single, _ = ag.scan(lambda h: h * np.float64(0.5), outputs_info=at.ones((2,), dtype="float32"), n_steps=2)
    assert single.dtype == "float64"  # the first value takes the dtype that comes back


def test_closure_over_a_shared_variable():
    w, h0 = ag.shared(RNG.normal(size=(4, 4)), "w"), at.vector("h0")
    h, _ = ag.scan(lambda h: at.tanh(w @ h), outputs_info=h0, n_steps=7)

    def numeric(w, h):
        for _ in range(7):
            h = np.tanh(w @ h)
        return h

    start = RNG.normal(size=4)
    last, g = ag.function([h0], [h[-1], ag.grad(h[-1].sum(), w)])(start)
    close(last, numeric(w.get_value(), start))
    close(g, differences(lambda w: numeric(w, start).sum(), w.get_value()), rtol=1e-5, atol=1e-8)


def test_lookups_in_a_step():
    i, e = at.lvector("i"), at.matrix("e")
    y, _ = ag.scan(lambda i, h: h * 0.5 + e[i], sequences=i, outputs_info=at.zeros((3,)))
    values = RNG.normal(size=(5, 3))
    found, g = ag.function([i, e], [y, ag.grad(y.sum(), e)])(np.array([1, 0, 4, 1]), values)
    h = np.zeros(3)
    for row, k in zip(found, [1, 0, 4, 1], strict=True):
        h = h * 0.5 + values[k]
        close(row, h)
    close(g[:, 0], [1.75, 2.875, 0, 0, 1.5])
    with pytest.raises(IndexError, match="index 9"):
        ag.function([i, e], y)(np.array([1, 9]), values)


def test_second_order():
    x, a = at.vector("x"), at.scalar("a")
    h, _ = ag.scan(lambda v, h: at.tanh(a * h + v), sequences=x, outputs_info=at.zeros(()))
    g = ag.grad((h**2).sum(), x)
    f = ag.function([x, a], g)
    values = RNG.normal(size=5)
    second = ag.function([x, a], ag.grad(g.sum(), x))(values, 0.7)
    close(second, differences(lambda v: f(v, 0.7).sum(), values), rtol=1e-5, atol=1e-7)


def test_until():
    x, a = at.vector("x"), at.scalar("a")
    h, _ = ag.scan(lambda v, h: (h * a + v, ag.until(h * a + v > 3)), sequences=x, outputs_info=at.zeros(()))

    def numeric(x, a):
        h, kept = 0.0, []
        for v in x:
            h = h * a + v
            kept.append(h)
            if h > 3:
                break
        return np.array(kept)

    for values in ([np.array([1.0, 1.5, 1.0, 1.2, 4.0]), np.array(0.9)], [np.ones(4), np.array(0.1)]):
        close(runs([x, a], [h, h[-1]], values)[0], numeric(*values))
        close(runs([x, a], [h, h[-1]], values)[1], numeric(*values)[-1])
        check_gradients([x, a], (h**2).sum(), values, lambda *v: (numeric(*v) ** 2).sum())
        check_gradients([x, a], h[-1], values, lambda *v: numeric(*v)[-1])
    rows, _ = ag.scan(lambda r: (r / 2, ag.until(r.sum() <= 1)), outputs_info=x, n_steps=50)
    assert ag.function([x], rows)([3.0, 1.0]).tolist() == [[1.5, 0.5], [0.75, 0.25], [0.375, 0.125]]
    with pytest.raises(TypeMismatch, match="until takes a scalar"):
        ag.scan(lambda v: (v, ag.until(x > 0)), sequences=x)


def test_while_loop():
    x, a = at.vector("x"), at.scalar("a")
    root = ag.while_loop(lambda r: abs(r * r - a) > 1e-12, lambda r: (r + a / r) / 2, a)
    f = ag.function([a], [root, ag.grad(root, a)])
    close(f(2.0), [np.sqrt(2), 0.5 / np.sqrt(2)])
    close(f(1.0)[0], 1)  # not a single step
    v, k = ag.while_loop(lambda v, k: (v.sum() < 10) & (k < 50), lambda v, k: (v * 1.5, k + 1), [x, at.constant(0)])

    def numeric(v):
        while v.sum() < 10:
            v = v * 1.5
        return v

    values = [np.array([1.0, 2.0, 0.5])]
    close(runs([x], [v, k], values)[0], numeric(*values))
    check_gradients([x], (v**2).sum(), values, lambda v: (numeric(v) ** 2).sum())
    gcd, _ = ag.while_loop(lambda p, q: q > 0, lambda p, q: (q, p % q), [k + 48, at.constant(36)])
    assert ag.function([x], gcd)([20.0]) == 12
    with pytest.raises(TypeMismatch, match="begins with 1 values and a step returns 2"):
        ag.while_loop(lambda v: v > 0, lambda v: (v, v), a)
    with pytest.raises(TypeMismatch, match="state 0 of while_loop enters"):
        ag.while_loop(lambda v: v.sum() > 0, lambda v: v[0], x)


def test_jacobians_and_hessians():
    """A batch of loops is a loop."""
    x, w = at.vector("x"), at.matrix("w")
    h, _ = ag.scan(lambda h: at.tanh(w @ h), outputs_info=x, n_steps=4)
    p, _ = ag.scan(lambda v, t, k: (at.sin(v * t) + t, k + 1), sequences=x, outputs_info=[at.ones(()), 0])[0]

    def numeric(x, w):
        for _ in range(4):
            x = np.tanh(w @ x)
        return x

    xv, wv = RNG.normal(size=3), RNG.normal(size=(3, 3))
    (jx,) = runs([x, w], [ag.jacobian(h[-1], x)], [xv, wv])
    close(jx, np.array([differences(lambda x, k=k: numeric(x, wv)[k], xv) for k in range(3)]), rtol=1e-5, atol=1e-8)
    (jw,) = runs([x, w], [ag.jacobian(h[-1], w)], [xv, wv])
    close(jw[1], differences(lambda w: numeric(xv, w)[1], wv), rtol=1e-5, atol=1e-8)
    doubled, _ = ag.scan(lambda h: (h * x, ag.until(h.sum() > 20)), outputs_info=x, n_steps=9)
    (j,) = runs([x], [ag.jacobian(doubled[-1], x)], [np.array([2.0, 1.0])])
    close(j, np.diag([6 * 2.0**5, 6]))
    g = ag.function([x], ag.grad(p[-1], x))
    (second,) = runs([x], [ag.hessian(p[-1], x)], [xv])
    close(second, np.array([differences(lambda x, k=k: g(x)[k], xv) for k in range(3)]), rtol=1e-5, atol=1e-7)


def test_last_values():
    """No others are kept, and without steps the last value is the initial one."""
    x = at.matrix("x")
    h, _ = ag.scan(lambda v, h: h / 2 + v, sequences=x, outputs_info=at.ones((3,)))
    f = ag.function([x], h[-1])
    close(f(np.ones((2, 3))), [1.75, 1.75, 1.75])
    close(f(np.ones((0, 3))), [1, 1, 1])
    assert ag.function([x], h[-1, 1])(np.ones((2, 3))) == 1.75
    count = ag.shared(0, "count")
    p, updates = ag.scan(lambda p: (p * 2, {count: count + 1}, ag.until(p > 3)), outputs_info=at.ones(()), n_steps=99)
    assert ag.function([], p[-1], updates=updates)() == 8
    assert count.get_value() == 3


def test_relatives():
    x = at.vector("x")
    assert ag.function([x], ag.map(lambda v: v * 2, x)[0])([1.0, 2.0]).tolist() == [2, 4]
    assert ag.function([x], ag.foldl(lambda v, t: t / 2 + v, x, at.zeros(()))[0])([1.0, 2.0, 4.0]) == 5.25
    assert ag.function([x], ag.foldr(lambda v, t: t / 2 + v, x, at.zeros(()))[0])([1.0, 2.0, 4.0]) == 3
    lowest, highest = ag.reduce(lambda v, a, b: (at.minimum(v, a), at.maximum(v, b)), x, [at.zeros(()), at.zeros(())])[
        0
    ]
    assert ag.function([x], [lowest, highest])([1.0, -2.0, 4.0]) == [-2, 4]


def test_wrong_use():
    x = at.vector("x")
    with pytest.raises(TypeMismatch, match=r"state 0 of grow enters a step as float64\[\] and comes back as"):
        ag.scan(lambda v, h: h + x, sequences=x, outputs_info=at.zeros(()), name="grow")
    with pytest.raises(TypeMismatch, match="needs sequences or n_steps"):
        ag.scan(lambda h: h, outputs_info=at.zeros(()))
    w = ag.shared(np.ones(3), "w")
    with pytest.raises(TypeMismatch, match="which is not among its arguments"):
        ag.scan(lambda v: v * w, sequences=x, strict=True)
    with pytest.raises(TypeMismatch, match="negative"):
        ag.scan(lambda h: h, outputs_info={"initial": x, "taps": [1]}, n_steps=3)


def test_functions_with_loops_are_pickled():
    x = at.vector("x")
    h, _ = ag.scan(lambda v, h: h + v, sequences=x, outputs_info=at.zeros(()))
    f = pickle.loads(pickle.dumps(ag.function([x], h)))
    assert f([1.0, 2.0]).tolist() == [1, 3]


class TestTruncatedGradients:
    """Cotangents flow back through the last steps only: as if those before were constants."""

    @pytest.mark.parametrize("n", [0, 2, 3, 7])
    def test_as_constants_before(self, n):
        v, a, h0 = at.vector("v"), at.scalar("a"), at.scalar("h0")

        def step(x, h):
            return at.tanh(a * h + x)

        h, _ = ag.scan(step, v, outputs_info=h0, truncate_gradient=3)
        first, _ = ag.scan(step, v[: at.maximum(v.shape[0] - 3, 0)], outputs_info=h0)
        before = at.concatenate([at.stack([h0]), first])[-1]
        begin = at.where(v.shape[0] > 3, ag.zero_grad(before), before)
        after, _ = ag.scan(step, v[at.maximum(v.shape[0] - 3, 0) :], outputs_info=begin)
        values = np.linspace(-1, 1, n), 0.7, 0.2
        outputs = ag.grad((h[-3:] ** 2).sum(), [a, h0, v])
        wanted = ag.grad((after**2).sum(), [a, h0, v])
        found = ag.function([v, a, h0], [*outputs, *wanted])(*values)
        for k in range(3):
            np.testing.assert_allclose(found[k], found[k + 3], rtol=1e-12)

    def test_outputs_of_earlier_steps_have_no_part(self):
        v = at.vector("v")
        h, _ = ag.scan(lambda x: x * x, v, truncate_gradient=2)
        assert ag.function([v], ag.grad(h.sum(), v))(np.arange(4.0)).tolist() == [0, 0, 4, 6]

    def test_with_until_and_taps(self):
        v, n = at.vector("v"), at.lscalar("n")

        def step(x, k, before, last):
            return before + last * x, ag.until(k >= n)

        info = {"initial": at.ones(2), "taps": [-2, -1]}
        outputs = []
        for truncate in (-1, 100, 2):
            h, _ = ag.scan(step, [v, at.arange(v.shape[0])], info, truncate_gradient=truncate)
            outputs.append(ag.grad(h[-1], v))
        full, long, short = ag.function([v, n], outputs)(np.arange(1.0, 7.0), 3)
        np.testing.assert_allclose(full, long)
        np.testing.assert_allclose(short, [0, 0, *full[2:]])

    def test_wrong_number(self):
        with pytest.raises(ValueError, match="truncate_gradient is a number of steps, or -1 for all, not 0"):
            ag.scan(lambda x: x, at.vector("v"), truncate_gradient=0)


class TestCheckpoints:
    """The same values and derivatives with less memory."""

    @pytest.mark.parametrize(("checkpoint", "n"), [("auto", 0), ("auto", 12), (1, 1), (3, 7), (3, 12), (100, 7)])
    def test_same(self, checkpoint, n):
        x, w, h0 = at.matrix("x"), at.matrix("w"), at.matrix("h0")

        def step(row, before, last):
            h = at.tanh(last @ w + row * before)
            return h, (h * h).sum()

        results = []
        for option in (None, checkpoint):
            info = [{"initial": h0, "taps": [-2, -1]}, None]
            (h, norms), _ = ag.scan(step, x, info, checkpoint=option)
            cost = (h[-1] ** 3).sum() + (norms * at.arange(x.shape[0])).sum() + at.sin(h).sum()
            results += [h, norms, h[-1] if n else cost, *ag.grad(cost, [x, w, h0])]
            results += [ag.jvp(cost, w, at.sin(w)), ag.grad((ag.grad(cost, w) ** 2).sum(), h0)]
        rng = np.random.default_rng(0)
        arrays = (rng.normal(size=shape) for shape in ((n, 3), (3, 3), (2, 3)))
        found = ag.function([x, w, h0], results)(*arrays)
        for k in range(len(results) // 2):
            np.testing.assert_allclose(found[k], found[k + len(results) // 2], rtol=1e-10, atol=1e-12)

    @pytest.mark.skipif(sys.platform != "linux", reason="the resident size is read from /proc")
    def test_memory(self):
        """Ten thousand steps of a thousand numbers: 80 MB of states, of which some hundred are kept at a time.

        Scratch memory stays with the function after a call, so the resident size shows it.
        """
        program = """
import sys
import agnesi as ag, agnesi.tensor as at, numpy as np
def resident():
    return int(open("/proc/self/statm").read().split()[1]) / 256
w, n, option = at.dvector("w"), at.lscalar("n"), sys.argv[1]
h, _ = ag.scan(lambda h: at.tanh(h * w), outputs_info=at.ones_like(w), n_steps=n, checkpoint=option or None)
f = ag.function([w, n], ag.grad(h[-1].sum(), w))
f(np.ones(1000), 100)
before = resident()
total = f(np.linspace(0.5, 1.5, 1000), 10_000).sum()
print(resident() - before, total)
"""
        peaks, totals = [], []
        for option in ("", "auto"):
            run = subprocess.run([sys.executable, "-c", program, option], capture_output=True, text=True, check=True)
            peak, total = map(float, run.stdout.split())
            peaks.append(peak)
            totals.append(total)
        np.testing.assert_allclose(*totals, rtol=1e-10)
        assert peaks[0] > 60
        assert peaks[1] < 10

    @pytest.mark.parametrize(("budget", "levels"), [("7.2 kB", 0), ("2KiB", 1), ("1.2 kB", 2)])
    def test_budget(self, budget, levels):
        """As many levels of segments as the states of 90 steps take, of 10 numbers each."""
        w = at.dvector("w")
        costs = []
        for option in (None, budget):
            h, _ = ag.scan(
                lambda k, h: at.tanh(h * w) + k, at.arange(90), at.ones((10,)), checkpoint=option, name="loop"
            )
            costs.append((h[-1] * at.arange(10)).sum() + at.sin(h).sum())
        loops = {n["loop"].name for n in topological([as_node(costs[1])]) if n.op.name == "loop"}
        assert ("the segments of loop" in loops) == (levels > 0)
        lengths = segment_lengths(budget, 90, [as_node(at.zeros((1, 10)))])
        assert len(lengths) == levels
        f = ag.function([w], [*costs, *[ag.grad(c, w) for c in costs]])
        plain, cut, gradient, same = f(np.linspace(0.1, 1.1, 10))
        np.testing.assert_allclose([plain], [cut], rtol=1e-12)
        np.testing.assert_allclose(gradient, same, rtol=1e-10)

    def test_updates(self):
        total, x = ag.shared(0.0, "total"), at.vector("x")
        h, updates = ag.scan(lambda v, h: (h + v, {total: total + v}), x, at.zeros(()), checkpoint=2)
        f = ag.function([x], h[-1], updates=updates)
        assert f(np.arange(5.0)) == 10
        assert total.get_value() == 10

    @pytest.mark.parametrize("checkpoint", ["auto", 3, "1 kB"])
    def test_until(self, checkpoint):
        """A loop that may end early runs once more, to count its steps."""
        v, rows = at.vector("v"), at.matrix("rows")
        results = []
        for how in (None, checkpoint):
            h, _ = ag.scan(lambda r, h: (new := at.tanh(h + r), ag.until(new.sum() > 3)), rows, v, checkpoint=how)
            cost = (h[-1] ** 2).sum() + h.sum()
            results.append(ag.function([v, rows], [cost, h.shape[0], *ag.grad(cost, [v, rows])], mode="debug"))
        for shift in (-1, 0.2, 3):
            given = np.ones(4) * shift, np.random.default_rng(0).normal(size=(40, 4)) / 2 + shift / 9
            for found, wanted in zip(results[1](*given), results[0](*given), strict=True):
                np.testing.assert_allclose(found, wanted, rtol=1e-10)

    def test_errors(self):
        v = at.vector("v")
        with pytest.raises(ValueError, match="'auto', or a budget like '10 MB', not 0"):
            ag.scan(lambda x: x, v, checkpoint=0)
        with pytest.raises(ValueError, match=r"'auto', or a number and one of B, kB, .*, not '10 MBit'"):
            ag.scan(lambda x: x, v, checkpoint="10 MBit")
        with pytest.raises(ValueError, match="100 steps whose states are of 80 bytes need 1200 bytes for checkpoints"):
            ag.scan(lambda h: h, outputs_info=at.zeros((10,)), n_steps=100, checkpoint="1 kB")
        with pytest.raises(ValueError, match="a truncated gradient needs no checkpoints"):
            ag.scan(lambda x: x, v, checkpoint=3, truncate_gradient=2)


INTERRUPTED = """
import os, signal, threading, time
import numpy as np
import agnesi as ag, agnesi.tensor as at
signal.signal(signal.SIGINT, signal.default_int_handler)
n, x = at.lscalar("n"), at.dvector("x")
STEP
f = ag.function([n, x], h[-1])
expected = f(1000, np.ones(5))
threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()  # it needs the GIL
start = time.monotonic()
try:
    f(10**12, np.ones(5))
except KeyboardInterrupt:
    assert time.monotonic() - start < 5
    assert (f(1000, np.ones(5)) == expected).all()
    print("ended")
"""


@pytest.mark.parametrize("step", [
    "h, _ = ag.scan(lambda h: h * 0.999 + x[0], outputs_info=at.zeros(()), n_steps=n)",
    "h, _ = ag.scan(lambda h: at.tanh(h * x), outputs_info=x, n_steps=n)",
    "h, _ = ag.scan(lambda h: ag.fori(n, lambda k, g: g * 0.5 + 1, h), outputs_info=x, n_steps=n)",
])  # fmt: skip
def test_interrupts(step):
    """Ctrl-C ends a loop of many steps, other threads go on beside it, and the function works afterwards."""
    program = INTERRUPTED.replace("STEP", step).replace("f(1000", "f(30" if "fori" in step else "f(1000")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ended\n", done.stderr
