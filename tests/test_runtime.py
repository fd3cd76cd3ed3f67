"""The dispatcher: arguments, variants, results, memory, failures, threads; with kernels written by hand."""

from __future__ import annotations

import gc
import os
import signal
import sys
import threading
import time
import weakref

import numpy as np
import pytest

from agnesi import _runtime
from dispatchers import BOOL, F32, F64, I64, REQUIRED, Function, build_kernels, one_output, vector


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return build_kernels(tmp_path_factory)


@pytest.fixture
def add(kernels):
    names = ("add_common", "add_general")
    return Function(kernels, names, (vector("x"), vector("y", np.arange(3.0))), (), (), ((F64, 1),), (), "one")


class TestArguments:
    def test_positions_names_defaults(self, add):
        x = np.ones(3)
        for result in (add(x, x), add(x, y=x), add(y=x, x=x), add(x=x, y=x)):
            np.testing.assert_array_equal(result, [2, 2, 2])
        np.testing.assert_array_equal(add(x), [1, 2, 3])
        assert add.built == [0]
        assert add.converted == []

    @pytest.mark.parametrize(
        ("args", "keywords", "message"),
        [
            ((), {}, r"f\(\) is missing input 'x'; its inputs are \(x, y\)"),
            ((1, 2, 3), {}, r"f\(\) got 3 inputs, which is too many; its inputs are \(x, y\)"),
            ((np.ones(3),), {"z": 1}, r"f\(\) has no input named 'z'"),
            ((np.ones(3),), {"x": 1}, r"f\(\) got input 'x' twice"),
            (("text",), {}, "input 0 cannot be text"),
        ],
    )
    def test_wrong_ones_raise(self, add, args, keywords, message):
        with pytest.raises(TypeError, match=message):
            add(*args, **keywords)

    def test_nameless_inputs_and_functions(self, kernels):
        f = one_output(kernels, "scalar", ((None, F64, 0, REQUIRED),), F64, 0, name=None)
        assert f(1) == 1.5
        with pytest.raises(TypeError, match=r"function\(\) is missing input 0; its inputs are \(input 0\)"):
            f()

    def test_other_objects_are_converted(self, add):
        x = np.ones(3)
        for value in ([1, 1, 1], x.astype("f4"), x.astype(">f8"), np.ma.array(x), x.astype(int)):
            np.testing.assert_array_equal(add(value, x), [2, 2, 2])
        unaligned = np.frombuffer(b"." + x.tobytes(), np.uint8)[1:].view(F64)
        assert not unaligned.flags.aligned
        add.converted.clear()
        add._convert = lambda index, value: value.copy()
        np.testing.assert_array_equal(add(unaligned, x), [2, 2, 2])
        add._convert = lambda index, value: np.zeros(3, "f4")
        with pytest.raises(TypeError, match="_convert"):
            add([1], x)

    @pytest.mark.parametrize(
        ("kernel", "dtype", "good", "others"),
        [
            ("scalar32", F32, [1.5, 2, True, np.float32(3), float("inf"), 2**24], [np.float64(1), 1e300, 2**60, 1j]),
            ("integer", I64, [5, -(2**63), 2**63 - 1, True, np.int64(4)], [1.0, 2**63, np.int32(4)]),
            ("boolean", BOOL, [True, False, np.True_], [1, 0.0, 2]),
        ],
    )
    def test_python_numbers(self, kernels, kernel, dtype, good, others):
        f = one_output(kernels, kernel, (("x", dtype, 0, REQUIRED),), dtype, 0)
        for value in good:
            result = f(value)
            assert isinstance(result, np.ndarray)
            assert result.dtype == dtype
            assert result == value
        assert f.converted == []
        f._convert = lambda index, value: f.converted.append(value) or np.zeros((), dtype)
        for value in others:
            f(value)
        assert f.converted == others

    def test_nan_and_big_integers_into_floats(self, kernels):
        f = one_output(kernels, "scalar", (("x", F64, 0, REQUIRED),), F64, 0)
        assert np.isnan(f(float("nan")))
        assert f(2**60) == 2.0**60
        assert f(10**300) == 1e300
        assert f.converted == [0, 0]


class TestVariants:
    def test_strided_arrays_go_to_the_general_one(self, add):
        x = np.arange(10.0)
        np.testing.assert_array_equal(add(x[::2], x[4::-1]), x[::2] + x[4::-1])
        assert add.built == [1]
        np.testing.assert_array_equal(add(x, x), 2 * x)
        assert add.built == [1, 0]

    def test_unequal_sizes_fall_back(self, add):
        x = np.arange(4.0)
        np.testing.assert_array_equal(add(x, np.ones(1)), x + 1)
        np.testing.assert_array_equal(add(np.broadcast_to(1.0, 4), x), x + 1)
        assert add.built == [0, 1]
        with pytest.raises(ValueError, match=r"check 7 failed with \(4, 2, 0, 0\)"):
            add(x, np.ones(2))

    def test_empty_and_odd_strides(self, add, kernels):
        assert add(np.ones(0), np.ones(0)).shape == (0,)
        f = one_output(kernels, "strides", (("x", F64, 2, REQUIRED),), I64, 1)
        assert list(f(np.zeros((3, 4)))) == [4, 1]
        assert list(f(np.zeros((3, 4)).T)) == [1, 4]
        assert list(f(np.zeros((6, 4))[::2])) == [8, 1]
        assert list(f(np.lib.stride_tricks.as_strided(np.zeros(3), (1, 3), (8000, 8)))) == [3, 1]
        assert list(f(np.zeros((0, 4)))) == [4, 1]
        assert list(f(np.zeros((3, 0)))) == [1, 1]
        assert list(f(np.broadcast_to(np.zeros(4), (3, 4)))) == [0, 1]

    def test_strides_between_items_are_copied(self, kernels):
        odd = np.ndarray((3, 2), F64, bytearray(200), strides=(20, 8))
        odd[...] = 1.0
        f = one_output(kernels, "strides", (("x", F64, 2, REQUIRED),), I64, 1)
        f._convert = lambda index, value: value.copy()
        assert list(f(odd)) == [2, 1]
        wide = np.dtype("complex128")  # aligned to 8, so 24 is a possible step
        g = one_output(kernels, "strides", (("x", wide, 2, REQUIRED),), I64, 1)
        steps = np.ndarray((3, 1), wide, bytearray(200), strides=(24, 16))
        if steps.flags.aligned:
            assert list(g(steps)) == [1, 1]
            assert g.converted == []

    def test_pointer_and_broken_builds(self, add, kernels):
        assert add.pointer(0) == _runtime.load(str(kernels), "add_common")
        assert add.pointer(1) == _runtime.load(str(kernels), "add_general")
        with pytest.raises(ValueError, match="variant"):
            add.pointer(2)
        broken = Function(kernels, ("missing", "missing"), (), (), (), (), (), "none")
        for _ in range(2):
            with pytest.raises(OSError, match="missing"):
                broken()
        broken._build = lambda variant: (1, (True, True))
        with pytest.raises(ValueError, match="0 flags"):
            broken()
        with pytest.raises(RuntimeError, match="_bind"):
            _runtime.Dispatcher()()
        with pytest.raises(RuntimeError, match="twice"):
            add._bind((), (), (), (), (), "none")

    def test_threads_build_once(self, kernels):
        f = one_output(kernels, "scalar", (("x", F64, 0, REQUIRED),), F64, 0)
        build = f._build
        f._build = lambda variant: (time.sleep(0.05), build(variant))[1]
        threads = [threading.Thread(target=f, args=(1.0,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert f.built == [0]


class TestResults:
    def test_kinds(self, kernels):
        inputs = (("x", F64, 0, REQUIRED),)
        spec = (inputs, (), (), ((F64, 0),), ())
        assert Function(kernels, ("scalar",) * 2, *spec, "list")(1) == [1.5]
        assert Function(kernels, ("scalar",) * 2, *spec, ("key",))(1) == {"key": 1.5}
        assert Function(kernels, ("scalar",) * 2, *spec, "none")(1) is None
        assert Function(kernels, ("forgetful",) * 2, (), (), (), (), (), "list")() == []
        with pytest.raises(ValueError, match="does not go with"):
            Function(kernels, ("scalar",) * 2, *spec, ("a", "b"))

    def test_failures(self, kernels):
        def f(kernel):
            return Function(kernels, (kernel, kernel), (), (), (), ((F64, 0),), (), "one")

        with pytest.raises(MemoryError, match=f"{2**62 - 1} bytes"):
            f("hungry")()
        with pytest.raises(SystemError, match="did not allocate"):
            f("forgetful")()
        with pytest.raises(SystemError, match="99"):
            f("strange")()

    def test_errors_from_fail(self, add):
        add._fail = lambda check, values: "no exception"
        with pytest.raises(TypeError, match="not an exception"):
            add(np.ones(2), np.ones(3))

    def test_late_allocation_and_scratch(self, kernels):
        f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1, long_loops=True)
        for n in (0, 1, 10, 100_000, 1_000_000, 5):
            np.testing.assert_array_equal(f(n), np.arange(n) ** 2)
        f.free()
        np.testing.assert_array_equal(f(3), [0, 1, 4])

    def test_large_outputs_reuse_memory(self, kernels):
        _runtime.trim()
        f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1)
        first = f(1_000_000)
        assert first.flags.c_contiguous
        assert first.flags.writeable
        assert first.flags.aligned
        place, view = first.ctypes.data, first[10:20]
        del first
        assert f(1_000_000).ctypes.data != place  # a view keeps it alive
        del view
        assert _runtime.kept_bytes() >= 8_000_000
        places = {f(1_000_000).ctypes.data for _ in range(4)}
        assert len(places) == 1
        _runtime.trim()
        assert _runtime.kept_bytes() == 0

    def test_many_outputs_are_not_all_kept(self, kernels):
        _runtime.trim()
        f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1)
        held = [f(20_000) for _ in range(300)]
        assert len({a.ctypes.data for a in held}) == 300
        del held
        assert 200 * 160_000 <= _runtime.kept_bytes() <= 256 * 170_000
        assert len({f(20_000).ctypes.data for _ in range(4)}) == 1
        before = _runtime.kept_bytes()
        f(17_000)  # from a block that is not much larger, or from a new one
        assert _runtime.kept_bytes() <= before + 150_000
        _runtime.trim()

    def test_pool(self, kernels):
        f = Function(kernels, ("pooled",) * 2, (), (), (), ((I64, 1),), (), "one")
        np.testing.assert_array_equal(f(), np.arange(100))


class TestObject:
    def test_belongs_to_python(self, add, kernels):
        add.note = "kept"
        assert vars(add)["note"] == "kept"
        assert callable(add)
        reference = weakref.ref(add)
        assert reference() is add

        def cycle():
            f = one_output(kernels, "scalar", (("x", F64, 0, REQUIRED),), F64, 0)
            g = one_output(kernels, "scalar", (("x", F64, 0, f),), F64, 0)
            f.other = g
            return weakref.ref(f)

        gone = cycle()
        gc.collect()
        assert gone() is None

    @pytest.mark.parametrize(
        "change",
        [
            {"inputs": (("x", np.dtype(">f8"), 1, REQUIRED),)},
            {"inputs": (("x", np.dtype("O"), 1, REQUIRED),)},
            {"inputs": (("x", F64, 65, REQUIRED),)},
            {"inputs": ((1, F64, 1, REQUIRED),)},
            {"inputs": (1,)},
            {"storages": (1,)},
            {"storages": (_runtime.Storage(np.zeros(1)),) * 2},
            {"constants": (np.zeros((3, 2)).T,)},
            {"outputs": ((F64,),)},
            {"updates": ((0, F64, 1),)},
            {"storages": (_runtime.Storage(np.zeros(1)),), "updates": ((0, F32, 1),)},
            {"result": "two"},
            {"result": "one"},
        ],
    )
    def test_bad_bindings_raise(self, change):
        spec = dict.fromkeys(("inputs", "storages", "constants", "outputs", "updates"), ())
        with pytest.raises((TypeError, ValueError)):
            _runtime.Dispatcher()._bind(**{**spec, "result": "none", **change})

    def test_calls_leave_nothing_behind(self, add, kernels):
        x, y, short = np.ones(3), np.ones(6)[::2], np.ones(2)
        squares = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1)

        def round_trip(count):
            for _ in range(count):
                add(x, y=y)
                add([1.0, 2.0, 3.0])
                squares(10)
                for bad in (("text",), (x, short)):
                    try:
                        add(*bad)
                    except (TypeError, ValueError):
                        pass

        def growth():
            blocks = sys.getallocatedblocks()
            round_trip(10_000)
            return sys.getallocatedblocks() - blocks

        round_trip(100)
        before = [sys.getrefcount(o) for o in (x, y, add, squares, F64)]
        assert min(growth() for _ in range(3)) < 100  # other threads of the process may allocate something meanwhile
        assert [sys.getrefcount(o) for o in (x, y, add, squares, F64)] == before

    def test_calls_are_quick(self, add):
        x = np.ones(3)
        add(x, x)
        best = min(_seconds(lambda: add(x, x)) for _ in range(20))
        assert best < 3e-6  # 0.1 us on a quiet machine


def _seconds(call, count=1000):
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


class TestThreads:
    def test_eight_at_once(self, kernels):
        f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1)
        wrong = []

        def work(seed):
            for n in np.random.default_rng(seed).integers(0, 20_000, 200):
                if not np.array_equal(f(int(n)), np.arange(n) ** 2):
                    wrong.append(n)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []


class TestInterrupts:
    """Ctrl-C ends the loop of the main thread; loops of other threads go on."""

    @pytest.fixture(autouse=True)
    def _heard(self):
        """Python's own handler, also where the tests were started with the signal ignored."""
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, old)

    @staticmethod
    def interrupt_soon():
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    def test_a_long_loop_ends(self, kernels):
        f = Function(kernels, ("endless",) * 2, (), (), (), (), (), "none", long_loops=True)
        for _ in range(2):
            self.interrupt_soon()
            with pytest.raises(KeyboardInterrupt):
                f()

    def test_handlers_of_others_run(self, kernels):
        f = Function(kernels, ("endless",) * 2, (), (), (), (), (), "none", long_loops=True)
        seen = []

        def handler(number, frame):
            seen.append(number)
            raise InterruptedError

        old = signal.signal(signal.SIGINT, handler)
        try:
            self.interrupt_soon()
            with pytest.raises(InterruptedError):
                f()
        finally:
            signal.signal(signal.SIGINT, old)
        assert seen == [signal.SIGINT]

    def test_handlers_exchanged_just_before_a_call_run(self, kernels):
        small = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1, long_loops=True)
        f = Function(kernels, ("endless",) * 2, (), (), (), (), (), "none", long_loops=True)
        small(3)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            f()

    def test_calls_after_an_interrupt_run(self, kernels):
        self.interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            time.sleep(10)
        f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1, long_loops=True)
        assert list(f(3)) == [0, 1, 4]

    def test_other_threads_go_on(self, kernels):
        f = one_output(kernels, "until_cancelled", (("n", I64, 0, REQUIRED),), I64, 0, long_loops=True)
        endless = Function(kernels, ("endless",) * 2, (), (), (), (), (), "none", long_loops=True)
        results = []
        thread = threading.Thread(target=lambda: results.append(int(f(300_000_000))))
        thread.start()
        self.interrupt_soon()
        with pytest.raises(KeyboardInterrupt):
            endless()
        thread.join()
        assert results == [300_000_000]
