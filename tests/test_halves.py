"""float16 and bfloat16 from end to end: conversions, rounding of each operation, sums in single precision."""

from __future__ import annotations

import pickle
import sys

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.show import parse, text
from helpers import assert_same

HALVES = pytest.mark.parametrize("half", dt.HALVES)


def every(half: str) -> np.ndarray:
    """All numbers of a dtype of 16 bits."""
    dt.normalize(half)
    return np.arange(2**16, dtype=np.uint16).view(half)


def vector(dtype: str) -> at.Variable:
    return at.tensor("x", dtype, (None,))


def assert_bits(found: np.ndarray, wanted: np.ndarray) -> None:
    """The same bits, and NaN for NaN."""
    assert found.dtype == wanted.dtype
    with np.errstate(invalid="ignore"):
        nan = np.isnan(wanted)
        np.testing.assert_array_equal(np.isnan(found), nan)
    np.testing.assert_array_equal(found.view(np.uint16)[~nan], wanted.view(np.uint16)[~nan])


@HALVES
class TestConversions:
    def test_every_number_to_single_precision_and_back(self, half):
        x, s = vector(half), vector("float32")
        wide = ag.function([x], x.astype("float32"))(every(half))
        np.testing.assert_array_equal(wide, every(half).astype("float32"))
        assert_bits(ag.function([s], s.astype(half))(wide), every(half))

    @pytest.mark.parametrize("source", ["float32", "float64"])
    def test_between_two_numbers(self, half, source):
        """Midpoints, their neighbours and numbers of all sizes, as NumPy rounds them."""
        with np.errstate(invalid="ignore"):
            numbers = every(half).astype("f8")
        numbers = np.unique(numbers[np.isfinite(numbers)])
        middle = ((numbers[1:] + numbers[:-1]) / 2).astype(source)
        random = np.random.default_rng(0).normal(size=10_000) * 10.0 ** np.arange(-12, 8).repeat(500)
        values = np.concatenate([middle, np.nextafter(middle, np.inf), np.nextafter(middle, -np.inf), random, [np.nan]])
        values = values.astype(source)
        x = vector(source)
        with np.errstate(over="ignore", invalid="ignore"):
            assert_bits(ag.function([x], x.astype(half))(values), values.astype(half))

    def test_integers(self, half):
        i = vector("int64")
        values = np.array([0, -1, 2049, 2051, 65519, 65520, -(2**40), 2**62])
        with np.errstate(over="ignore"):
            assert_bits(ag.function([i], i.astype(half))(values), values.astype(half))


class TestArithmetic:
    def test_each_operation_is_rounded_as_numpy_does(self, rng):
        x, y = vector("float16"), vector("float16")
        a, b = (rng.normal(size=5000).astype("f2") * 8 for _ in range(2))
        made = [x + y, x * y - x, (x * x - y) / y, at.sqrt(abs(x)), -x, at.maximum(x, y), x * 0.1, x**3]
        with np.errstate(all="ignore"):
            f2 = np.float16
            wanted = [a + b, a * b - a, (a * a - b) / b, np.sqrt(abs(a)), -a, np.maximum(a, b), a * f2(0.1), a * a * a]
        for mode in ("fast_run", "fast_compile", "reference"):
            for found, value in zip(ag.function([x, y], made, mode=mode)(a, b), wanted, strict=True):
                assert_same(found, value, 0 if value is not wanted[-1] else 1, mode)

    @HALVES
    def test_sums_do_not_stop_growing(self, half):
        x = vector(half)
        ones = np.ones(10_000, half)
        total, mean, last, product = ag.function([x], [x.sum(), x.mean(), x.cumsum()[-1], x @ x])(ones)
        assert total == last == product == np.array(10_000.0).astype(half)
        assert mean == 1

    def test_means_do_not_overflow(self):
        x = vector("float16")
        large = np.full(1000, 60000, "f2")
        assert x.mean().eval({x: large}) == 60000
        assert x.std().eval({x: large}) < 1

    @HALVES
    def test_gradients(self, half, rng):
        def gradient(x):
            y = at.tanh(x * 2) @ at.exp(-x) + at.nnet.softmax(x)[0] + x[1:].prod()
            return ag.grad(y, x)

        values = (rng.uniform(0.2, 1, size=7)).astype(half)
        x, wide = vector(half), vector("float64")
        found = gradient(x)
        assert found.dtype == half
        wanted = gradient(wide).eval({wide: values.astype("f8")})
        tolerance = 0.01 if half == "float16" else 0.08
        np.testing.assert_allclose(found.eval({x: values}).astype("f8"), wanted, rtol=tolerance, atol=tolerance)


class TestTypes:
    def test_promotion(self):
        rows = [
            ("float16", "float32", "float32"), ("float16", "int8", "float16"), ("float16", "int16", "float32"),
            ("float16", "int64", "float64"), ("float16", "bool", "float16"), ("bfloat16", "uint8", "bfloat16"),
            ("bfloat16", "int16", "float32"), ("bfloat16", "float16", "float32"), ("bfloat16", "float64", "float64"),
            ("bfloat16", "complex64", "complex64"), ("float16", "complex128", "complex128"),
        ]  # fmt: skip
        for a, b, wanted in rows:
            assert (vector(a) + vector(b)).dtype == (vector(b) * vector(a)).dtype == wanted, (a, b)

    @HALVES
    def test_python_numbers_are_weak(self, half):
        x = vector(half)
        assert (x + 1).dtype == (x * 0.5).dtype == at.exp(x).dtype == half
        assert (x * 1j).dtype == "complex64"

    @HALVES
    def test_functions_and_shared_variables(self, half):
        x = at.tensor("x", half, ())
        f = ag.function([x], x * 2)
        for value in (3, 1.5, np.float64(2).astype(half), np.array(2, np.int8)):
            assert f(value) == float(value) * 2
        with pytest.raises(TypeMismatch, match=f"needs dtype {half}; the argument's float64"):
            f(np.float64(0.1))
        with pytest.raises(TypeMismatch, match="do not fit it"):
            f(np.array(2049 * 3))
        total = ag.shared(np.zeros((2, 3), half))
        add = ag.function([x], total.T[::2], updates={total: total + x})
        add(1.5)
        np.testing.assert_array_equal(add(1).astype("f4"), np.full((2, 2), 1.5))
        assert total.get_value().dtype == half
        np.testing.assert_array_equal(total.get_value().astype("f4"), np.full((2, 3), 2.5))

    @HALVES
    def test_strided_arguments(self, half, rng):
        m = at.tensor("m", half, (None, None))
        values = rng.normal(size=(6, 8)).astype(half)[::2, ::-3]
        assert_bits((m.T * 2).eval({m: values}), values.T * np.array(2, half))

    @HALVES
    def test_text_and_pickles(self, half):
        x = vector(half)
        graph = ag.Graph([x.node], [(x * np.nan + at.constant(np.ones(2, half)) - 0.1).node])
        assert text(parse(text(graph))) == text(graph)
        assert pickle.loads(pickle.dumps(graph)).digest() == graph.digest()

    @pytest.mark.parametrize("dtype", [*dt.HALVES, "float32"])
    def test_debug_mode_knows_what_was_rounded_on_the_way(self, dtype):
        """A float64 result of rounded values is no more accurate than they are."""
        x = at.tensor("x", dtype, (None,))
        p = at.nnet.softmax(x)
        f = ag.function([x], [p.astype("float64"), at.log(p).astype("float64")], mode="debug")
        assert f(np.ones(2, dtype))[0].tolist() == [0.5, 0.5]

    @HALVES
    def test_debug_mode(self, half):
        x = vector(half)
        f = ag.function([x], [at.log(1 + at.exp(x)).sum(), at.nnet.log_softmax(x)], mode="debug")
        assert f(np.zeros(4, half))[0].dtype == half

    def test_without_the_package(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
        with pytest.raises(TypeMismatch, match=r"pip install agnesi\[bfloat16\]"):
            dt.load_bfloat16()
        assert dt.promote("bfloat16", "int8") == "bfloat16"
