"""Short rows of undeclared size: code that is made for them gives the values of any other code, and is made once."""

from __future__ import annotations

import pickle
import threading

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import CompileError, ShapeError
from agnesi.schedule import short
from agnesi.schedule.short import LEAST, LONGEST
from agnesi.target import entry, toolchain
from agnesi.tensor import nnet
from dispatchers import F64, I64, Function, build_kernels, vector

x, y, v, r = at.matrix("x"), at.matrix("y"), at.vector("v"), at.vector("r")
t, i = at.tensor3("t"), at.lvector("i")

CASES = {  # inputs and outputs
    "rows": ([x, r], [x * r[:, None], x - x.mean(1, keepdims=True)]),
    "sums": ([x, v], [x @ v, (x * x).sum(1), x.sum(0), x.prod(1)]),
    "extrema": ([x], [x.max(1), x.argmin(1), x.argmax(1)]),
    "lengths": ([x], [x / at.sqrt((x * x).sum(1, keepdims=True))]),
    "softmax": ([x], [nnet.softmax(x), at.logsumexp(x, axis=1)]),
    "gradients": ([x, v], ag.grad((at.tanh(x * v).sum(1) ** 2).sum(), [x, v])),
    "running": ([x], [at.cumsum(x, axis=1)]),
    "matrices": ([t, v], [t / t.sum((1, 2), keepdims=True), (t * v).max(2)]),
    "products": ([t], [at.matmul(t, at.transpose(t, (0, 2, 1))), at.matmul(at.transpose(t, (0, 2, 1)), t)]),
    "chosen": ([x, i], [x[at.arange(x.shape[0]), i]]),
    "two sizes": ([x, y], [x.sum(1), at.exp(y).sum(1)]),
}


@pytest.fixture
def eager(monkeypatch, tmp_path):
    """Few elements are enough for code of their own."""
    for module in (short, entry):
        monkeypatch.setattr(module, "LEAST", 1)
    with ag.config.change(cache_dir=str(tmp_path)):
        yield


def given(name, rows, columns):
    rng = np.random.default_rng(columns)
    arrays = {"x": (rows, columns), "y": (rows + 1, columns + 1), "v": columns, "r": rows, "t": (rows, 3, columns)}
    found = {name: rng.normal(size=shape) for name, shape in arrays.items()}
    found["i"] = rng.integers(0, columns, rows)
    return [found[variable.name] for variable in CASES[name][0]]


def sizes_of(f):
    """The sizes that there is code for."""
    return [tuple(n for *_, n in variant) for variant in f.verdicts if not isinstance(variant, int)]


@pytest.mark.parametrize("name", CASES)
def test_values(eager, name):
    inputs, outputs = CASES[name]
    f, wanted = ag.function(inputs, outputs), ag.function(inputs, outputs, mode="reference")
    for columns in (1, 2, 3, 5, LONGEST, LONGEST + 1, 40, 3):
        for rows in (1, 7, 300):
            arrays = given(name, rows, columns)
            for one, other in zip(f(*arrays), wanted(*arrays), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
    found = sizes_of(f)
    assert len(found) == len(set(found))
    assert found or name in ("chosen", "running")
    assert all(n <= LONGEST for sizes in found for n in sizes)


def test_many_elements_are_needed():
    f = ag.function([x, r], x * r[:, None])
    for rows, found in ((LEAST // 3, []), (LEAST // 3 + 1, [(3,)])):
        a, b = np.random.rand(rows, 3), np.random.rand(rows)
        np.testing.assert_array_equal(f(a, b), a * b[:, None])
        assert sizes_of(f) == found
    text = f.explain()
    assert "code of its own for" in text
    assert "; variant for n" in text.replace("\n", " ")
    assert "variant for" not in f.explain(general=True)


def test_long_rows_and_vectors_have_one_code():
    assert "code of its own" not in ag.function([v], at.exp(v) + 1).explain()
    declared = at.tensor("x", "float64", (None, 3))
    assert "code of its own" not in ag.function([declared, r], declared * r[:, None]).explain()
    assert "code of its own" not in ag.function([x, r], x * r[:, None], mode="fast_compile").explain()


def test_sizes_that_do_not_fit_and_strides(eager):
    f = ag.function([x, y], (x * y).sum(1))
    a = np.random.rand(20, 3)
    np.testing.assert_allclose(f(a, a), (a * a).sum(1))
    assert sizes_of(f) == [(3,)]
    np.testing.assert_allclose(f(a, a[:, :1]), (a * a[:, :1]).sum(1))  # the general variant's business
    np.testing.assert_allclose(f(a[::2], a[::2]), (a * a).sum(1)[::2])
    with pytest.raises(ShapeError, match="3"):
        f(a, np.random.rand(20, 4))
    np.testing.assert_allclose(f(a, a), (a * a).sum(1))
    assert sizes_of(f) == [(3,)]


def test_errors_say_the_same(eager):
    f = ag.function([x, i], (x[i] * 2).max(1))
    g = ag.function([x, i], (x[i] * 2).max(1), mode="reference")
    a = np.random.rand(9, 2)
    assert len(f(a, [0, 8])) == 2
    assert sizes_of(f)
    for wrong in ([9], [0, -10]):
        with pytest.raises(IndexError) as one:
            f(a, wrong)
        with pytest.raises(IndexError) as other:
            g(a, wrong)
        assert str(wrong[-1]) in str(one.value)
        assert str(wrong[-1]) in str(other.value)
    np.testing.assert_array_equal(f(a, [3]), a[[3]].max(1) * 2)


def test_shared_variables_in_place(eager):
    state = ag.shared(np.zeros(50), name="state")
    f = ag.function([x], state.sum(), updates=[(state, state * 0.5 + x.max(1))])
    a, now = np.random.rand(50, 3), np.zeros(50)
    for _ in range(4):
        np.testing.assert_allclose(f(a), now.sum())
        now = now * 0.5 + a.max(1)
    np.testing.assert_allclose(state.get_value(), now)
    assert sizes_of(f) == [(3,)]


def test_cache_and_pickles(eager):
    f = ag.function([x], nnet.softmax(x))
    a = np.random.rand(30, 4)
    f(a)
    ((variant, verdict),) = [(v, text) for v, text in f.verdicts.items() if v != 0]
    assert verdict.startswith("miss")
    for again in (ag.function([x], nnet.softmax(x)), pickle.loads(pickle.dumps(f))):
        np.testing.assert_array_equal(again(a), f(a))
        assert again.verdicts == {0: "hit", variant: "hit"}
    assert "variant for" in again.explain()


def test_threads_and_debug(eager):
    expected = {n: ag.function([x], x.max(1))(np.arange(60.0).reshape(-1, n)) for n in (2, 3, 4)}
    f = ag.function([x], x.max(1), mode="debug")
    wrong = []

    def work(n):
        for _ in range(20):
            if not np.array_equal(f(np.arange(60.0).reshape(-1, n)), expected[n]):
                wrong.append(n)

    threads = [threading.Thread(target=work, args=(2 + k % 3,)) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert sorted(sizes_of(f)) == [(2,), (3,), (4,)]


def test_failures_leave_the_function_usable(eager, monkeypatch):
    f = ag.function([x, r], x * r[:, None])
    a, b = np.random.rand(5, 3), np.random.rand(5)
    with monkeypatch.context() as broken:
        broken.setattr(f, "_build_for", lambda sizes: (1, (True,)))
        with pytest.raises(ValueError, match="0 flags"):
            f(a, b)
        broken.setattr(f, "_build_for", lambda sizes: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            f(a, b)
    np.testing.assert_array_equal(f(a, b), a * b[:, None])


def test_without_a_compiler_other_code_goes_on(eager, monkeypatch):
    f = ag.function([x, r], x * r[:, None])
    a, b = np.random.rand(5, 3), np.random.rand(5)

    def broken(*args, **kwargs):
        raise CompileError("no space left on device")

    monkeypatch.setattr(toolchain, "compile_shared", broken)
    with pytest.warns(UserWarning, match="no space left"):
        np.testing.assert_array_equal(f(a, b), a * b[:, None])
    np.testing.assert_array_equal(f(a, b), a * b[:, None])


def test_steps_are_hidden_where_one_element_is_used():
    ten = at.tensor("x", "float64", (None, 10))
    alone, neighbours = at.exp(ten[:, 3]), ten[:, 3] + ten[:, 4]
    assert "AG_HIDDEN(step0, 10)" in ag.function([ten], alone).text
    assert "AG_HIDDEN" not in ag.function([ten], neighbours).text
    a = np.random.rand(100, 10)
    np.testing.assert_allclose(ag.function([ten], alone)(a), np.exp(a[:, 3]), rtol=1e-15)


def test_kernels_by_hand(tmp_path_factory):
    kernels = build_kernels(tmp_path_factory)
    f = Function(kernels, ("sized", "sized"), (vector("x"),), (), (), ((I64, 0),), (), "one")
    asked = []

    def build(sizes):
        asked.append(sizes)
        return f._build(0)

    f._build_for = build
    assert [int(f(np.zeros(n, F64))) for n in (3, 3, 2, 20, 3)] == [0, 0, 0, 20, 0]
    assert asked == [(3, 0, 0, 9), (2, 0, 0, 4)]
