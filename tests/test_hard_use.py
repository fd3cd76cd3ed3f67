"""Hard use: odd and huge arguments, failures in the middle of calls, hostile names, threads, many calls."""

from __future__ import annotations

import gc
import os
import pickle
import threading
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import IndexOutOfRange, ShapeError, SingularMatrixError, TypeMismatch
from agnesi.ir.show import parse, text

x, y, m, k = at.vector("x"), at.vector("y"), at.matrix("m"), at.lscalar("k")
V = np.array([1.0, 2.0, 3.0])
HUGE = np.broadcast_to(1.0, 2**40)  # eight bytes that look like eight TiB


def odd_matrices():
    """Rows: a name and a 3 x 4 matrix of the numbers 0 to 11 in some layout."""
    plain = np.arange(12.0).reshape(3, 4)
    fixed = plain.copy()
    fixed.flags.writeable = False
    wide = np.zeros((6, 12))
    wide[::2, ::3] = plain
    shifted = np.zeros(8 * 12 + 1, np.uint8)[1:].view("f8").reshape(3, 4)
    shifted[...] = plain
    return [
        ("plain", plain), ("read-only", fixed), ("columns first", np.asfortranarray(plain)),
        ("backwards", plain[::-1, ::-1].copy()[::-1, ::-1]), ("gaps", wide[::2, ::3]), ("shifted", shifted),
        ("bytes swapped", plain.astype(">f8")), ("list", plain.tolist()), ("integers", plain.astype("i2")),
        ("float32", plain.astype("f4")), ("subclass", np.ma.array(plain)), ("buffer", memoryview(plain)),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def f():
    return ag.function([m, x], [m * x + 1, m.sum(0), m @ x, m.T[1:], at.exp(m - m.max(1, keepdims=True))])


class TestArguments:
    @pytest.mark.parametrize("row", odd_matrices(), ids=lambda row: row[0])
    def test_layouts(self, f, row):
        wanted = f(np.arange(12.0).reshape(3, 4), np.arange(4.0))
        for vector in (np.arange(4.0), np.arange(8.0)[::2] / 2, np.arange(4)[::-1][::-1]):
            for found, value in zip(f(row[1], vector), wanted, strict=True):
                np.testing.assert_array_equal(found, value)

    def test_strides_of_zero(self, f):
        for value in (np.broadcast_to(2.0, (3, 4)), np.broadcast_to(V[:, None], (3, 4)), np.broadcast_to(V, (4, 3)).T):
            for found, wanted in zip(f(value, np.ones(4)), f(value.copy(), np.ones(4)), strict=True):
                np.testing.assert_array_equal(found, wanted)

    def test_windows_that_overlap(self, f):
        windows = np.lib.stride_tricks.sliding_window_view(np.arange(6.0), 4)
        for found, wanted in zip(f(windows, windows[0]), f(windows.copy(), windows[0].copy()), strict=True):
            np.testing.assert_array_equal(found, wanted)

    def test_one_array_as_several_inputs(self):
        w = ag.shared(V.copy(), "w")
        f = ag.function([x, y], [x + y, w * y], updates={w: w + x[::-1] * y})
        value = w.get_value(borrow=True)
        first, second = f(value, value[::-1])
        assert first.tolist() == [4, 4, 4]
        assert second.tolist() == [3, 4, 3]
        assert w.get_value().tolist() == [10, 6, 4]

    def test_no_axes(self):
        s = at.scalar("s")
        f = ag.function([s, x], [s + 1, s * x])
        for value in (2, 2.0, np.array(2.0), np.array(2.0, ">f8"), np.float32(2), V[1], V[1:2].reshape(())):
            first, second = f(value, V)
            assert (first, first.shape) == (3, ())
            assert second.tolist() == [2, 4, 6]
        with pytest.raises(TypeMismatch, match=r"needs 0 axes; the argument has 1, of shape \(1,\)"):
            f(np.ones(1), V)

    @pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
    def test_nothing(self, f, shape):
        value = np.ones(shape)
        found = ag.function([m, x], [m * x, m.sum(0), m @ x, m.prod(), m.T[1:], m.sum(1).mean()])(
            value, np.ones(shape[1])
        )
        with np.errstate(all="ignore"), pytest.MonkeyPatch.context() as patch:
            patch.setattr("warnings.warn", lambda *_, **__: None)
            mean = value.sum(1).mean() if shape[0] else np.nan
        wanted = [value, value.sum(0), value @ np.ones(shape[1]), 1.0, value.T[1:], mean]
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


class TestSizes:
    """Sizes that no machine has memory for end in a MemoryError or ShapeError that names the function."""

    @pytest.mark.parametrize(
        ("inputs", "output", "args", "shape"),
        [
            ([x], x * 2, (HUGE,), r"\(1099511627776,\)"),
            ([x, y], x[:, None] * y, (HUGE, HUGE), r"\(1099511627776, 1099511627776\)"),
            ([x, y], x[:, None] * y, (HUGE[: 2**32], HUGE[: 2**32]), r"\(4294967296, 4294967296\)"),
            ([m], (m - m.sum(0)).sum(0), (np.broadcast_to(1.0, (0, 2**50)),), r"\(1125899906842624,\)"),
            ([k], at.zeros((k, k)), (2**33,), r"\(8589934592, 8589934592\)"),
            ([k], at.arange(k), (2**60,), r"\(1152921504606846976,\)"),
            ([x, k], at.tile(x, k), (np.ones(4), 2**62), r"\(9223372036854775807,\)"),
            ([x, k], at.repeat(x, k), (np.ones(4), 2**62), r"\(9223372036854775807,\)"),
            ([x], at.concatenate([x, x]).repeat(2**22), (HUGE,), r"\(9223372036854775807,\)"),
        ],
    )  # fmt: skip
    def test_results(self, inputs, output, args, shape):
        f = ag.function(inputs, output, name="f")
        for _ in range(2):
            with pytest.raises(MemoryError, match=rf"f\(\) could not get memory for a result of shape {shape}"):
                f(*args)

    @pytest.mark.parametrize("size", [2**33, 2**61, 2**62])
    def test_scratch(self, size):
        products = at.exp(at.arange(k) * 1.0)[:, None] @ at.exp(-at.arange(k) * 1.0)[None]
        for output in (products.sum(), at.sort(at.arange(k) % 7)[0]):
            with pytest.raises(MemoryError, match=r"f\(\) could not get [0-9]+ bytes of scratch memory"):
                ag.function([k], output, name="f")(size)

    def test_large_sizes_that_are_declared(self):
        big = at.tensor("big", shape=(2**40, 2**40))
        with pytest.raises(ShapeError, match="axis 0 is 2, and should be 1099511627776"):
            ag.function([big], big * 2)(np.ones((2, 2)))

    def test_products_that_overflow_are_not_small(self):
        for output in (x.reshape((k, k)), x.reshape((k, k)).sum()):
            with pytest.raises(ShapeError, match="sizes 0 and [0-9]+ should be equal"):
                ag.function([x, k], output)(np.ones(0), 2**32)

    @pytest.mark.parametrize("output", [at.zeros(k), at.zeros((k, 2)).sum(), x.reshape((k, k)).sum() + k])
    def test_negative_ones(self, output):
        f = ag.function([x, k], output, on_unused_input="ignore", name="f")
        with pytest.raises(ShapeError, match=r"f: .*the size -2 is negative\n  built at .*test_hard_use"):
            f(np.ones(4), -2)
        f(np.ones(4), 2)

    @pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "debug"])
    def test_negative_ones_that_loops_compute(self, mode):
        i, w = at.lvector("i"), ag.shared(np.zeros(2), "w", shape=(None,))
        for size in (i.sum(), i.max() - 7):
            f = ag.function([i], at.zeros((size, 2)) + 1, updates={w: at.ones(size)}, name="f", mode=mode)
            with pytest.raises(ShapeError, match=r"f: .*the size -2 is negative\n  built at .*test_hard_use"):
                f([5, -7])
            assert w.get_value().tolist() == [0, 0]
        masked = ag.function([i], i[i > 0])
        assert not any(c.site for c in masked.compiled(0).program.checks)

    def test_values_wrap_all_the_same(self):
        """As NumPy's do, also where a slice depends on them."""
        number = np.array(12345678901) * 6364136223846793005
        value = k * 6364136223846793005
        found = ag.function([x, k], [value, x[: value % 10], at.arange(value % 10), x[:value]])(
            np.arange(12.0), 12345678901
        )
        wanted = [number, np.arange(12.0)[: number % 10], np.arange(number % 10), np.arange(12.0)[:number]]
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)

    def test_elements_of_inputs_as_sizes(self):
        """Also where the type of the input is a narrower one in the variant."""
        f = ag.function([x], [x.reshape((x[0].astype("int64"), 1)), x + at.constant(V)])
        assert f([3.0, 2.0, 1.0])[0].tolist() == [[3], [2], [1]]
        with pytest.raises(ShapeError, match="sizes 3 and 2 should be equal"):
            f(V + 1)

    def test_nothing_of_much(self):
        """No element, but sizes whose product overflows."""
        assert ag.function([k], at.zeros((k, 2**31, 2**31)).sum())(0) == 0


class TestFailures:
    """Whatever ends a call, shared variables stay as they were, and the next call works."""

    @pytest.fixture
    def w(self):
        return ag.shared(np.arange(3.0), "w")

    @staticmethod
    def broken(values):
        if values[0] < 0:
            raise LookupError("no such value")
        return values

    def cases(self):
        """Rows: an expression of x that is a vector, an argument that works, one that fails, and how."""
        stop = ag.as_op(itypes=[at.dvector], otypes=[at.dvector])(self.broken)
        i = x.astype("int64")
        square = at.zeros((3, 3)) + x[:, None] * at.eye(3)
        return [
            (at.constant(V)[i] * 1.0, [0, 1, 2], [0, 1, 3], IndexOutOfRange),
            (at.solve(square, at.ones(3)), [1, 1, 1], [1, 1, 0], SingularMatrixError),
            (stop(x), [1, 1, 1], [-1, 1, 1], LookupError),
            (x + at.constant(V), [1, 1, 1], [1, 1], ShapeError),
            (x + at.zeros((i[0], i[0])).sum(), [1, 1, 1], [-1, 1, 1], ShapeError),
            (at.arange(i[0])[:3] + x[:3], [3, 0, 0], [2**50, 0, 0], None),
        ]  # fmt: skip

    @pytest.mark.parametrize("number", range(6))
    def test_each(self, w, number):
        expression, good, bad, error = self.cases()[number]
        other = ag.shared(1.0, "other")
        f = ag.function([x], w.sum(), updates={w: (w * 2 + expression)[:3], other: other * 3})
        if error is None:
            f(bad)  # the range is never made
        else:
            with pytest.raises(error):
                f(bad)
            assert w.get_value().tolist() == [0, 1, 2]
            assert other.get_value() == 1
        f(good)
        assert other.get_value() == (3 if error else 9)

    def test_memory(self, w):
        f = ag.function([x], x[:, None] * x, updates={w: w + 1})
        with pytest.raises(MemoryError):
            f(HUGE)
        assert w.get_value().tolist() == [0, 1, 2]
        f(V)
        assert w.get_value().tolist() == [1, 2, 3]


NAMES = [
    "int", "double", "main", "ag_main", "call", "return", "None", "ünïcode", "名", "", " ", "a b", "a\nb", "a\0b", "\\",
    "'", '"', "%s%n", "{0}", "], [", "*/ int z; /*", '"; system("touch injected"); //', "\u202e", "x" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:20])
def test_names(name, tmp_path, monkeypatch):
    """Names of variables, sizes and functions are anybody's text, and never part of the C text."""
    monkeypatch.chdir(tmp_path)
    v, other, w = at.tensor(name, shape=(name or None,)), at.tensor("q", shape=(name or None,)), ag.shared(V, name)
    f = ag.function([v, other], {name: v + other}, updates={w: w + 1}, name=name)
    assert f(V, V)[name].tolist() == [2, 4, 6]
    if name:
        assert f(**{name: V, "q": V})[name].tolist() == [2, 4, 6]
        with pytest.raises(ShapeError):
            f(V, V[:2])
    with pytest.raises(TypeError):
        f()
    with pytest.raises(TypeMismatch):
        f(np.ones((2, 2)), V)
    for shown in (repr(f), repr(v), ag.pprint(f), ag.dprint(f), f.explain(True, True)):
        assert shown
    assert pickle.loads(pickle.dumps(f))(V, V)[name].tolist() == [2, 4, 6]
    graph = ag.Graph([v.node, other.node], [(v * other).node])
    assert text(parse(text(graph))) == text(graph)
    assert name not in f.text or len(name) < 5 or name in ("double", "ag_main", "return")
    assert list(tmp_path.iterdir()) == []


class TestThreads:
    def test_each_call_sees_one_update(self):
        """A counter that eight threads count with gives every number once."""
        n, big = ag.shared(0, "n"), ag.shared(np.zeros(5000), "big")
        f = ag.function([], [n, big.sum()], updates={n: n + 1, big: big + 1})
        seen = []
        run_threads(lambda: seen.extend(f() for _ in range(100)))
        assert sorted(int(number) for number, _ in seen) == list(range(800))
        assert all(total == 5000 * number for number, total in seen)

    def test_failures_do_not_mix(self):
        i = at.lvector("i")
        f = ag.function([x, i], at.exp(x[i]).sum())
        odd = []

        def work():
            own = threading.get_ident() % 1000 + 10
            for j in range(200):
                try:
                    f(V, [0, own] if j % 2 else [0, 1])
                except IndexError as error:
                    odd.append(f"index {own} " not in str(error))

        run_threads(work)
        assert odd == [False] * 800


def run_threads(work, count=8):
    """Runs `work` in so many threads at once."""
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def resident():
    """Bytes of memory that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("calls", [100_000, pytest.param(1_000_000, marks=pytest.mark.slow)])
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_memory_does_not_grow(calls):
    w = ag.shared(np.zeros(30), "w")
    f = ag.function([x, k], [x * 2, x[k]], updates={w: w + x.sum()})
    value, gaps = np.ones(30), np.ones(60)[::2]

    def work(count):
        for number in range(count // 10):
            for _ in range(8):
                f(value, 1)
            f(gaps, k=3)
            try:
                f(value, 30 + number)
            except IndexError:
                pass

    work(calls // 5)
    gc.collect()
    before = resident()
    work(calls)
    assert resident() - before < 1 << 20
