"""function(): inputs and outputs, updates, modes, threads and processes, and what people look at."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import config
from agnesi.compiled import Interpreted
from agnesi.errors import CompileError
from agnesi.ir.node import topological
from agnesi.loops.stmt import values as stated, walk

x, y = at.vector("x"), at.vector("y")
V = np.array([1.0, 2.0, 3.0])


class TestInputs:
    def test_positions_and_names(self):
        f = ag.function([x, y], x - y)
        for result in (f(V, V), f(V, y=V), f(y=V, x=V)):
            np.testing.assert_array_equal(result, 0 * V)

    def test_defaults(self):
        f = ag.function([x, ag.In(y, value=[1.0, 1.0, 1.0])], x + y)
        np.testing.assert_array_equal(f(V), V + 1)
        np.testing.assert_array_equal(f(V, V), 2 * V)

    def test_another_name(self):
        f = ag.function([ag.In(x, name="left"), y], x - y)
        np.testing.assert_array_equal(f(left=V, y=V), 0 * V)
        with pytest.raises(TypeError, match="no input named 'x'"):
            f(x=V, y=V)

    def test_scalars_lists_and_integers(self):
        s = at.scalar("s")
        f = ag.function([x, s], x * s)
        np.testing.assert_array_equal(f([1, 2], 3), [3, 6])
        np.testing.assert_array_equal(f(np.array([1, 2], "i4"), np.float32(0.5)), [0.5, 1])
        assert f(V, True).dtype == "float64"

    def test_downcast(self):
        v = at.fvector("v")
        third = np.array([1 / 3])
        with pytest.raises(TypeError, match="would lose precision"):
            ag.function([v], v + 0)(third)
        assert ag.function([v], v + 0, allow_input_downcast=True)(third).dtype == "float32"
        assert ag.function([ag.In(v, allow_downcast=True)], v + 0)(third)[0] == np.float32(1 / 3)
        assert ag.function([at.fscalar("u")], at.constant(1.0), on_unused_input="ignore")(0.1) == 1

    def test_unused(self):
        with pytest.raises(ag_error("UnusedInputError"), match="do not depend on y"):
            ag.function([x, y], x)
        with pytest.warns(UserWarning, match="do not depend on y"):
            ag.function([x, y], x + 1, on_unused_input="warn")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ag.function([x, y], x, on_unused_input="ignore")(V, V).tolist() == V.tolist()

    def test_an_input_that_gives_only_a_size(self):
        f = ag.function([x], x.shape[0] * 2)
        assert f(V) == 6
        assert f(V).dtype == "int64"

    def test_inputs_are_never_changed(self):
        f = ag.function([x], [x[::-1] * 2, x + 1])
        value = V.copy()
        f(value)
        np.testing.assert_array_equal(value, V)


def ag_error(name):
    return getattr(sys.modules["agnesi.errors"], name)


class TestOutputs:
    def test_forms(self):
        np.testing.assert_array_equal(ag.function([x], x + 1)(V), V + 1)
        assert [o.tolist() for o in ag.function([x], [x + 1, x * 2])(V)] == [[2, 3, 4], [2, 4, 6]]
        assert ag.function([x], [x + 1])(V)[0].tolist() == [2, 3, 4]
        found = ag.function([x], {"a": x + 1, "b": x.sum()})(V)
        assert list(found) == ["a", "b"]
        assert found["b"] == 6
        assert ag.function([], [])() == []
        w = ag.shared(V)
        assert ag.function([], updates={w: w + 1})() is None
        assert w.get_value().tolist() == [2, 3, 4]

    def test_constants_and_inputs_as_outputs(self):
        a, b, c = ag.function([x], [x, at.constant(2.0), at.constant([1, 2])])(V)
        assert (a.tolist(), float(b), c.tolist()) == ([1, 2, 3], 2.0, [1, 2])

    def test_outputs_share_no_memory(self):
        value, w = V.copy(), ag.shared(V)
        outputs = ag.function([x], [x, x, w, w[:2], x.T, x + 0])(value)
        arrays = [value, w.get_value(borrow=True), *outputs]
        for k, a in enumerate(arrays):
            for b in arrays[:k]:
                assert not np.shares_memory(a, b)
        outputs[0][:] = 7
        assert outputs[1].tolist() == [1, 2, 3]
        again = ag.function([x], x * 2)
        first = again(V)
        second = again(V + 1)
        assert first.tolist() == [2, 4, 6]
        assert second.tolist() == [4, 6, 8]

    def test_out_is_taken(self):
        assert ag.function([x], ag.Out(x + 1, borrow=True))(V).tolist() == [2, 3, 4]


class TestUpdates:
    def test_all_see_the_old_values(self):
        a, b = ag.shared(V, "a"), ag.shared(V * 10, "b")
        swap = ag.function([], a + b, updates={a: b, b: a})
        assert swap().tolist() == [11, 22, 33]
        assert a.get_value().tolist() == [10, 20, 30]
        assert b.get_value().tolist() == [1, 2, 3]
        ag.function([], updates=[(a, a + b), (b, a - b)])()
        assert a.get_value().tolist() == [11, 22, 33]
        assert b.get_value().tolist() == [9, 18, 27]

    def test_values_are_read_before_they_are_replaced(self):
        a = ag.shared(V)
        outputs = ag.function([], [a, a * 2, a[::-1]], updates={a: a + 1})()
        assert [o.tolist() for o in outputs] == [[1, 2, 3], [2, 4, 6], [3, 2, 1]]
        assert a.get_value().tolist() == [2, 3, 4]

    def test_rotations(self):
        a = ag.shared(np.arange(4.0).reshape(2, 2), shape=(None, None))
        ag.function([], updates={a: a.T})()
        assert a.get_value().tolist() == [[0, 2], [1, 3]]
        b = ag.shared(np.arange(5.0))
        ag.function([], updates={b: b[::-1]})()
        assert b.get_value().tolist() == [4, 3, 2, 1, 0]
        ag.function([], updates={b: at.concatenate([b[1:], b[:1]])})()
        assert b.get_value().tolist() == [3, 2, 1, 0, 4]

    def test_a_product_of_itself(self):
        a = ag.shared(np.array([[1.0, 1.0], [1.0, 0.0]]))
        f = ag.function([], updates={a: a @ a + a})
        f()
        assert a.get_value().tolist() == [[3, 2], [2, 1]]

    def test_aliases_do_not_see_it(self):
        a = ag.shared(V)
        seen = ag.function([], a)()
        kept = a.get_value()
        ag.function([], updates={a: a * 2})()
        assert seen.tolist() == kept.tolist() == [1, 2, 3]

    def test_borrowed_values(self):
        mine = V.copy()
        a = ag.shared(mine, borrow=True)
        assert a.get_value(borrow=True) is mine
        ag.function([], updates={a: a + 1})()
        assert a.get_value().tolist() == [2, 3, 4]
        b = ag.shared(V, borrow=False)
        ag.function([], updates={b: b + 1})()
        assert V.tolist() == [1, 2, 3]

    def test_an_argument_that_is_the_shared_array(self):
        a = ag.shared(V)
        f = ag.function([x], x * 10, updates={a: a + x[::-1]})
        assert f(a.get_value(borrow=True)).tolist() == [10, 20, 30]
        assert a.get_value().tolist() == [4, 4, 4]

    def test_sizes_stay(self):
        a = ag.shared(V, "a", shape=(None,))
        f = ag.function([x], updates={a: x})
        f(V + 1)
        with pytest.raises(ValueError, match="the update of a: .* has size 2 where 3 is needed"):
            f(np.ones(2))
        assert a.get_value().tolist() == [2, 3, 4]
        a.set_value([5.0, 6.0])
        f(np.ones(2))
        assert a.get_value().tolist() == [1, 1]

    def test_one_array_in_two_shared_variables(self):
        mine = V.copy()
        a, b = ag.shared(mine, borrow=True), ag.shared(mine, borrow=True)
        ag.function([], updates={a: b + 1, b: a * 10})()
        assert a.get_value().tolist() == [2, 3, 4]
        assert b.get_value().tolist() == [10, 20, 30]

    def test_parts_are_written_in_place(self):
        rows, place, values = at.matrix("rows"), at.lvector("place"), at.vector("values")
        for update in (lambda w: w[place].inc(rows), lambda w: w[place].set(rows), lambda w: w[place, 0].inc(values)):
            w = ag.shared(np.zeros((5, 3)), "w")
            given = rows if update(w).node.args[1] is rows.node else values
            f = ag.function([place, given], updates={w: update(w)})
            assert f.compiled(0).donated == (True,)
            w.set_value(np.ones((5, 3)))
            memory = w.get_value(borrow=True)
            old = memory.copy()
            with pytest.raises(IndexError, match="index 5 is out of range"):
                f([0, 5], np.ones((2, 3)[: given.ndim]))
            np.testing.assert_array_equal(w.get_value(), old)
            f([0, -1], np.full((2, 3)[: given.ndim], 2.0))
            assert w.get_value(borrow=True) is memory
            assert (memory != old).any()
            assert (memory[1:4] == 1).all()

    def test_products_are_added_in_place(self):
        x = at.matrix("x")
        w = ag.shared(np.ones((3, 3)), "w")
        f = ag.function([x], updates={w: w - 0.5 * at.dot(x.T, x)})
        assert f.compiled(0).donated == (True,)
        memory, v = w.get_value(borrow=True), np.arange(6.0).reshape(2, 3)
        f(v)
        assert w.get_value(borrow=True) is memory
        np.testing.assert_allclose(memory, 1 - 0.5 * v.T @ v)
        twice = ag.function([x], updates={w: w.T - at.dot(x.T, x)})
        twice(v)
        np.testing.assert_allclose(w.get_value(), 1 - 1.5 * v.T @ v)

    @pytest.mark.parametrize("mode", ["fast_run", "debug"])
    def test_chains_of_parts_are_written_in_place(self, mode):
        i, j = at.lvector("i"), at.lvector("j")
        w, v = ag.shared(np.zeros(5), "w"), ag.shared(np.zeros(5), "v")
        chain = w[i].inc(1.0)[j].set(w.sum())[i].inc(2.0)
        f = ag.function([i, j], updates={w: w[i].inc(1.0)[j].inc(2.0)[i].inc(4.0), v: v[j].inc(1.0)}, mode=mode)
        g = ag.function([i, j], updates={w: chain, v: w[i].inc(1.0) * 2}, mode=mode)
        assert f.compiled(0).donated == (True, True)
        assert not any(b.space == "arena" and b.name not in f.compiled(0).program.aliases
                       for b in f.compiled(0).program.buffers.values())  # fmt: skip
        for wrong in ([0], [7]), ([7], [0]):
            with pytest.raises(IndexError, match="index 7 is out of range"):
                f(*wrong)
        assert not w.get_value().any()
        f([0, 0], [1, 0])
        assert w.get_value().tolist() == [12, 2, 0, 0, 0]
        g([1, 2], [3, 0])
        assert w.get_value().tolist() == [14, 5, 3, 14, 0]
        assert v.get_value().tolist() == [24, 6, 2, 0, 0]

    def test_training_goes_down(self):
        rng = np.random.default_rng(0)
        data, target = at.matrix("data"), at.vector("target")
        w = ag.shared(np.zeros(4), "w")
        cost = ((data @ w - target) ** 2).mean()
        step = ag.function([data, target], cost, updates={w: w - 0.1 * ag.grad(cost, w)})
        points = rng.normal(size=(50, 4))
        wanted = np.array([1.0, -2, 3, 0])
        for _ in range(200):
            last = step(points, points @ wanted)
        assert last < 1e-8
        np.testing.assert_allclose(w.get_value(), wanted, atol=1e-3)


class TestShared:
    def test_values(self):
        a = ag.shared(2.5, "a")
        assert a.dtype == config.settings().floatX
        assert a.get_value() == 2.5
        a.set_value(3)
        assert ag.function([], a * 2)() == 6
        b = ag.shared(np.arange(3, dtype="int32"))
        assert b.dtype == "int32"
        with pytest.raises(TypeError, match="cannot take a value of dtype"):
            b.set_value(np.zeros(3))
        with pytest.raises(TypeError, match="cannot take a value of shape"):
            b.set_value(np.zeros(4, "int32"))

    def test_a_change_is_seen(self):
        a = ag.shared(V, shape=(None,))
        f = ag.function([], a.sum())
        assert f() == 6
        a.set_value([1.0])
        assert f() == 1

    def test_it_is_copied(self):
        mine = V.copy()
        a = ag.shared(mine)
        mine[0] = 9
        a.get_value()[0] = 9
        assert a.get_value().tolist() == [1, 2, 3]


class TestReplacements:
    def test_givens(self):
        f = ag.function([y], x.sum(), givens={x: y * 2})
        assert f(V) == 12
        w = ag.shared(V)
        assert ag.function([], x.sum(), givens={x: w})() == 6
        assert ag.function([], (x * 2).sum(), givens=[(x, np.ones(4))])() == 8

    def test_shared_is_replaced(self):
        w = ag.shared(V)
        assert ag.function([x], (w * 2).sum(), givens={w: x})(np.ones(3)) == 6

    def test_inner_expressions_are_replaced(self):
        inner = x * 2
        assert ag.function([x], inner + 1, givens={inner: x * 3})(V).tolist() == [4, 7, 10]

    def test_clone(self):
        twice = ag.clone(x + y, {y: x})
        assert ag.function([x], twice)(V).tolist() == [2, 4, 6]
        first, second = ag.clone([x + 1, y + 1], {x: y})
        assert ag.pprint(first) == ag.pprint(second)

    def test_eval(self):
        assert (x + y).eval({x: V, y: V}).tolist() == [2, 4, 6]
        assert at.constant([1, 2]).sum().eval() == 3
        assert (x * 2).eval({x: [1, 2], y: V}).tolist() == [2, 4]


class TestModes:
    @pytest.mark.parametrize("mode", config.MODES)
    def test_all_agree(self, mode):
        w = ag.shared(np.eye(3))
        m = at.matrix("m")
        p = at.nnet.softmax(m @ w)
        cost = -at.log(p)[at.arange(m.shape[0]), at.arange(m.shape[0])].mean()
        f = ag.function([m], [cost, ag.grad(cost, m)], updates={w: w - ag.grad(cost, w)}, mode=mode, name=mode)
        value = np.arange(9.0).reshape(3, 3) / 7
        first = f(value)
        reference = np.log(np.exp(value) / np.exp(value).sum(1, keepdims=True))
        np.testing.assert_allclose(first[0], -np.trace(reference) / 3)
        assert abs(w.get_value() - np.eye(3)).max() > 0.01
        assert f.mode == mode
        assert isinstance(f, Interpreted) == (mode == "reference")

    def test_the_setting_decides(self):
        with config.change(mode="reference"):
            assert isinstance(ag.function([x], x + 1), Interpreted)
        assert not isinstance(ag.function([x], x + 1), Interpreted)
        with pytest.raises(ValueError, match="mode is one of"):
            ag.function([x], x + 1, mode="fastest")

    def test_no_compiler(self):
        program = """
import sys, warnings
sys.modules["ziglang"] = None  # as where that package is not installed
import numpy as np, agnesi as ag, agnesi.tensor as at
x, w = at.vector("x"), ag.shared(np.ones(3), "w")
with warnings.catch_warnings(record=True) as found:
    warnings.simplefilter("always")
    f = ag.function([x], (x * w).sum(), updates={w: w * 2}, name="f")
    g = ag.function([x], x + 1)
assert len(found) == 1 and "found no C compiler" in str(found[0].message), found
assert (f([1.0, 2.0, 3.0]), f(x=[1.0, 2.0, 3.0])) == (6, 12)
assert w.get_value().tolist() == [4, 4, 4]
assert g([1.0]).tolist() == [2.0]
"""
        environment = {k: v for k, v in os.environ.items() if k != "CC"} | {"PATH": "/nowhere"}
        done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def test_none_asked_for(self):
        with config.change(compiler="none"), warnings.catch_warnings():
            warnings.simplefilter("error")
            assert ag.function([x], x + 1)(V).tolist() == [2, 3, 4]


class TestSizes:
    def test_one_function_serves_all(self):
        m, v = at.matrix("m"), at.vector("v")
        f = ag.function([m, v], m * v + 1)
        rng = np.random.default_rng(0)
        for shape, n in (((3, 4), 4), ((3, 1), 4), ((3, 4), 1), ((0, 4), 4), ((1, 1), 1), ((5, 0), 1), ((2, 100), 100)):
            a, b = rng.normal(size=shape), rng.normal(size=n)
            np.testing.assert_array_equal(f(a, b), a * b + 1)
            np.testing.assert_array_equal(f(a[::-1], b[::-1]), a[::-1] * b[::-1] + 1)

    def test_sizes_that_meet_in_a_shape_only(self):
        f = ag.function([x, y], [y * 0.5 + 1, at.dot(x, at.arange((x + y).shape[0]) * 1.0)])
        found = f(np.arange(3.0), np.ones(1))
        assert found[0].tolist() == [1.5]
        assert found[1] == 5

    def test_named_sizes(self):
        a, b = at.tensor("a", shape=("n",)), at.tensor("b", shape=("n", 2))
        f = ag.function([a, b], a + b.sum(1))
        assert f([1.0, 2.0], np.ones((2, 2))).tolist() == [3, 4]
        with pytest.raises(ValueError, match="'n'"):
            f([1.0], np.ones((2, 2)))


class TestConcurrency:
    def test_threads(self):
        m = at.matrix("m")
        f = ag.function([m], [at.tanh(m @ m).sum(0), m * 2])
        rng = np.random.default_rng(0)
        values = [rng.normal(size=(n, n)) / n for n in (3, 60, 120, 31)]
        wanted = [f(v) for v in values]
        failures = []

        def work(k):
            for _ in range(60):
                found = f(values[k % 4])
                if not all(np.array_equal(a, b) for a, b in zip(found, wanted[k % 4], strict=True)):
                    failures.append(k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not failures

    def test_threads_build_one_function(self):
        results = []
        threads = [threading.Thread(target=lambda: results.append((x * 3 + 1).eval({x: V}).tolist())) for _ in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert results == [[4, 7, 10]] * 6

    def test_updates_from_threads_are_not_lost(self):
        w = ag.shared(np.zeros(2000))
        f = ag.function([], updates={w: w + 1})
        threads = [threading.Thread(target=lambda: [f() for _ in range(200)]) for _ in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert (w.get_value() == 800).all()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
    def test_fork(self):
        f = ag.function([x], at.exp(x).sum())
        wanted = float(f(V))
        child = os.fork()
        if child == 0:
            os._exit(0 if float(f(V)) == wanted and float((x + 1).sum().eval({x: V})) == 9 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_cache_is_used():
    v = at.vector("v")
    first = ag.function([v], at.tanh(v) * 1.2345)
    second = ag.function([x], at.tanh(x) * 1.2345)
    first(V), second(V)
    assert first.verdicts[0].startswith("miss")
    assert second.verdicts[0] == "hit"


def test_array_constants_keep_their_order():
    """Also where a rule changes the order in which they appear."""
    x = at.vector("x")
    a, b = np.array([1.0, 2.0, 3.0]), np.array([10.0, 20.0, 30.0])
    e = at.exp(x * a)
    f = ag.function([x], e * (-e.sum()) * b)
    np.testing.assert_allclose(f(np.ones(3)), np.exp(a) * -np.exp(a).sum() * b)


# -- compilation in the background ----------------------------------------------------------------------------


def test_background_compilation(tmp_path):
    """The first calls are NumPy's, later ones native; values, updates and errors are the same."""
    x, total = at.vector("x"), ag.shared(0.0, "total")
    with ag.config.change(compile="background", cache_dir=str(tmp_path)):
        f = ag.function([x], at.exp(x).sum(), updates={total: total + x.sum()}, name="later")
    first = f(np.ones(3))
    with pytest.raises(TypeError):
        f(np.ones((2, 2)))
    assert f.pointer(0)
    while type(f) is not ag.Function:  # the thread is about to say so
        time.sleep(0.001)
    np.testing.assert_allclose([f(np.ones(3)), first], 3 * np.e)
    assert total.get_value() == 6
    assert type(pickle.loads(pickle.dumps(f))) is ag.Function


def test_background_compilation_that_fails(tmp_path):
    """The error is that of the next call."""
    wrong = tmp_path / "cc"
    wrong.write_text('#!/bin/sh\ncase "$*" in *--version*) echo gcc 12; exit 0;; esac\nexit 1\n')
    wrong.chmod(0o755)
    x = at.vector("x")
    with ag.config.change(compile="background", compiler=str(wrong), cache_dir=str(tmp_path)):
        f = ag.function([x], x * 3.25)
        while f.failure is None:
            time.sleep(0.001)
    with pytest.raises(CompileError):
        f(np.ones(2))


@pytest.mark.parametrize(("recompute", "times"), [(None, 1), (True, 2), (False, 1)])
def test_hints_decide_what_is_kept(recompute, times):
    x = at.vector("x")
    y = at.exp(x) if recompute is None else ag.hint(at.exp(x), recompute=recompute)
    body = [s for nest in ag.function([x], [y * 2, y[::-1] + 1]).compiled(0).program.nests for s in nest.body]
    found = [n for s in walk(body) for v in stated(s) for n in topological([v]) if n.op.name == "exp"]
    assert len(found) == times
