"""Operations that users declare: rows with C text, reductions, composites, Python functions."""

from __future__ import annotations

import gc
import pickle
import threading

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import GradientError, ShapeError, TypeMismatch
from agnesi.ir.op import OPS

x, m = at.dvector("x"), at.dmatrix("m")
V = np.array([3.0, 1.0, 3.0])
M = np.arange(6.0).reshape(2, 3)
MODES = pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "debug", "reference"])


@ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
def unique(values):
    """The values, each once."""
    return np.unique(values)


@ag.as_op(itypes=[at.dmatrix, ("float64", 0)], otypes=[at.dmatrix, at.lscalar])
def both(values, factor):
    return values[1:] * factor, len(values)


@ag.as_op(itypes=at.dmatrix, otypes=at.dmatrix, infer_shape=lambda shapes: [shapes[0][::-1]])
def turned(values):
    return values.T


class TestRows:
    def test_support_and_gradient(self):
        twice = ag.op.elementwise(
            "own_twice", lambda a: 2 * a, ag.op.floating, c="own_twice{f}({0})",
            support="static inline double own_twice(double a) { return a + a; }\n"
            "static inline float own_twicef(float a) { return a + a; }",
            d=lambda a, y: (2,), doc="Twice as much.")  # fmt: skip
        f = ag.function([x, m], [twice(x) + 1, twice(m).sum(0), ag.grad((twice(x) * x).sum(), x)])
        assert [r.tolist() for r in f(V, M)] == [[7, 3, 7], [6, 10, 14], [12, 4, 12]]
        assert f.compiled(0).text.count("double own_twice(double a)") == 1
        v = at.fvector("v")
        assert ag.function([v], twice(v))(np.ones(2, "f4")).dtype == np.float32
        ag.verify_grad(twice, [V])

    def test_another_text_is_another_function(self):
        def value(factor):
            op = ag.op.elementwise(
                "own_factor", lambda a: factor * a, ag.op.floating, c=f"({factor} * {{0}})", doc="A multiple."
            )
            found = ag.function([x], op(x))(V)
            del OPS["own_factor"]
            gc.collect()
            return found.tolist()

        assert value(2.0) == [6, 2, 6]
        assert value(5.0) == [15, 5, 15]

    def test_reductions(self):
        joined = ag.op.elementwise(
            "own_join", lambda a, b: a + b - a * b, ag.op.floating, c="({0} + {1} - {0} * {1})", commutes=True,
            d=lambda a, b, y: (1 - b, 1 - a), doc="The probability of one or the other.")  # fmt: skip
        either = ag.op.reduction(
            "own_either", lambda a, axis: 1 - np.prod(1 - a, axis=axis), combine="own_join", init=lambda dtype: 0.0,
            doc="The probability of at least one.")  # fmt: skip
        p = at.dmatrix("p")
        given = np.random.default_rng(0).uniform(size=(40, 50))
        for axes in ((0,), (1,), (0, 1)):
            f = ag.function([p], either(p, axes=axes))
            np.testing.assert_allclose(f(given), 1 - np.prod(1 - given, axis=axes), rtol=1e-12)
            np.testing.assert_allclose(f(given.T), 1 - np.prod(1 - given.T, axis=axes), rtol=1e-12)
        np.testing.assert_allclose(ag.function([x], joined(x, 0.5))([0.5]), [0.75])

    def test_what_is_declared_elsewhere(self):
        op = ag.op.elementwise("own_gone", np.negative, ag.op.floating, c="(-{0})", doc="Less.")
        kept = pickle.dumps(ag.function([x], op(x) * 2))
        del OPS["own_gone"]
        with pytest.raises(TypeMismatch, match="'own_gone' is not declared; import the module"):
            pickle.loads(kept)

    def test_names_are_unique(self):
        with pytest.raises(ValueError, match="declared twice"):
            ag.op.elementwise("exp", np.exp, ag.op.floating, c="{0}", doc="Not so.")


class TestPythonFunctions:
    @MODES
    def test_values(self, mode):
        f = ag.function([x, m], [unique(x) * 2, unique(x).sum(), *both(m.T + 1, x.sum()), turned(m) @ m], mode=mode)
        for given, matrix in ((V, M), (np.zeros(0), M[:, :1]), (V[::-1], np.asfortranarray(M)[::-1])):
            found = f(given, matrix)
            np.testing.assert_array_equal(found[0], np.unique(given) * 2)
            np.testing.assert_array_equal(found[1], np.unique(given).sum())
            np.testing.assert_array_equal(found[2], (matrix.T + 1)[1:] * given.sum())
            assert found[3] == matrix.shape[1]
            np.testing.assert_allclose(found[4], matrix.T @ matrix)

    @pytest.mark.parametrize("mode", ["fast_run", "debug", "reference"])
    @pytest.mark.parametrize("dtype", ["float16", "bfloat16", "complex64", "uint8"])
    def test_dtypes(self, mode, dtype):
        @ag.as_op(itypes=[(dtype, 1), (dtype, 0)], otypes=[(dtype, 1), (dtype, 0)])
        def both(v, s):
            assert v.dtype == s.dtype == dtype
            return v + s, v.max() if dtype != "complex64" else v[0]

        x, s = at.tensor("x", dtype, (None,)), at.tensor("s", dtype, ())
        first, second = ag.function([x, s], both(x, s), mode=mode)(
            np.array([3, 1]).astype(dtype), np.dtype(dtype).type(2)
        )
        assert first.dtype == second.dtype == dtype
        assert (first.astype("c16").tolist(), complex(second)) == ([5, 3], 3)

    def test_equal_calls_are_made_once(self):
        calls = []

        @ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
        def counted(values):
            calls.append(len(values))
            return values

        f = ag.function([x], [counted(x) + 1, counted(x) * 2, counted(x[1:])])
        f(V)
        assert sorted(calls) == [2, 3]

    def test_arguments_belong_to_the_function(self):
        kept = []

        @ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
        def keeps(values):
            kept.append(values)
            values += 1
            return values

        f = ag.function([x], [keeps(x * 2), x * 2])
        first, second = f(V)
        assert first.tolist() == [7, 3, 7]
        assert second.tolist() == [6, 2, 6]
        f(V * 10)
        gc.collect()
        assert kept[0].tolist() == [7, 3, 7]
        assert not np.shares_memory(first, kept[0])

    def test_gradients(self):
        with pytest.raises(GradientError, match=r"unique\(\) is a Python function without a derivative"):
            ag.grad(unique(x).sum(), x)
        with pytest.raises(GradientError, match="without a derivative"):
            ag.jvp(unique(x), x, x)
        doubled = ag.custom_gradient(
            ag.as_op(itypes=[at.dvector], otypes=[at.dvector])(lambda v: 2 * v), vjp=lambda xs, ys, gs: [2 * gs[0]]
        )
        assert ag.function([x], ag.grad((doubled(x) ** 2).sum(), x))(V).tolist() == [24, 8, 24]

    def test_updates_wait_for_it(self):
        @ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
        def picky(values):
            if values.sum() > 10:
                raise RuntimeError("too much")
            return values

        w = ag.shared(np.zeros(3), "w", shape=(None,))
        f = ag.function([x], updates={w: picky(x)})
        f(V)
        assert w.get_value().tolist() == [3, 1, 3]
        with pytest.raises(RuntimeError, match="too much"):
            f(V * 10)
        assert w.get_value().tolist() == [3, 1, 3]

    def test_errors(self):
        def made(function):
            return ag.function([x], ag.as_op(itypes=[at.dvector], otypes=[at.dvector])(function)(x), name="caller")

        with pytest.raises(ZeroDivisionError) as found:
            made(lambda v: 1 // 0)(V)
        assert "called by caller; built at" in found.value.__notes__[0]
        with pytest.raises(TypeMismatch, match="dtype float64 with 0 axes; declared are float64 and 1 axes"):
            made(lambda v: v.sum())(V)
        with pytest.raises(TypeMismatch, match="dtype complex128"):
            made(lambda v: v * 1j)(V)
        with pytest.raises(TypeMismatch, match="returned 2 results; 1 are declared"):
            made(lambda v: (v, v))(V)
        with pytest.raises(TypeMismatch, match="takes 1 arguments, not 2"):
            unique(x, x)
        with pytest.raises(TypeMismatch, match="argument 0 is .* declared are float64 and 1 axes"):
            unique(m)
        wrong = ag.as_op(itypes=at.dmatrix, otypes=at.dmatrix, infer_shape=lambda shapes: [shapes[0]])(lambda v: v.T)
        with pytest.raises(ShapeError):
            ag.function([m], wrong(m))(M)

    def test_pickles(self):
        f = pickle.loads(pickle.dumps(ag.function([x], unique(x) * 2)))
        assert f(V).tolist() == [2, 6]

    def test_threads_and_calls_from_within(self):
        inner = ag.function([x], x * 2)
        nested = ag.as_op(itypes=[at.dvector], otypes=[at.dvector])(lambda v: inner(v) + 1)
        f = ag.function([x], nested(x).sum())
        wrong = []

        def work(k):
            for _ in range(50):
                if f(np.full(1000, float(k))) != 1000 * (2 * k + 1):
                    wrong.append(k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert not wrong
