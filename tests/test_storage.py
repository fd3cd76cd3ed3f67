"""Shared values: storages, updates in place and in new buffers, locks, forks."""

from __future__ import annotations

import os
import threading
import time
import weakref

import numpy as np
import pytest

from agnesi import _runtime
from dispatchers import F64, I64, REQUIRED, Function, build_kernels, one_output, updating, vector


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return build_kernels(tmp_path_factory)


class TestStorage:
    def test_holds_the_array_itself(self):
        array = np.arange(3.0)
        storage = _runtime.Storage(array)
        assert storage.array is array
        other = np.zeros((5,))
        storage.array = other
        assert storage.array is other
        assert storage.copy() is not other
        assert weakref.ref(storage)() is storage

    @pytest.mark.parametrize("value", [np.zeros(3, "f4"), np.zeros((3, 1)), [1.0, 2.0], 1.0])
    def test_keeps_its_type(self, value):
        storage = _runtime.Storage(np.zeros(3))
        with pytest.raises(TypeError, match="shared variable"):
            storage.array = value
        with pytest.raises(AttributeError):
            del storage.array

    def test_odd_arrays_become_plain(self):
        swapped = _runtime.Storage(np.arange(3.0).astype(">f8"))
        assert swapped.array.dtype.isnative
        assert list(swapped.array) == [0, 1, 2]
        assert type(_runtime.Storage(np.ma.zeros(3)).array) is np.ndarray
        for value in (np.array(["a"]), np.array([None])):
            with pytest.raises(TypeError):
                _runtime.Storage(value)


class TestUpdates:
    def test_in_place(self, kernels):
        storage = _runtime.Storage(np.zeros(3))
        array = storage.array
        f = updating(kernels, storage, "in_place", True)
        f(np.arange(3.0))
        f(np.arange(3.0))
        assert storage.array is array
        assert list(array) == [4, 2, 0]

    def test_fresh(self, kernels):
        storage = _runtime.Storage(np.zeros(3))
        array = storage.array
        updating(kernels, storage, "fresh", False)(np.arange(3.0))
        assert list(storage.array) == [2, 1, 0]
        assert list(array) == [0, 0, 0]

    @pytest.mark.parametrize(("kernel", "donated"), [("in_place", True), ("fresh", False)])
    def test_failure_leaves_values_alone(self, kernels, kernel, donated):
        storage = _runtime.Storage(np.arange(3.0))
        array = storage.array
        f = updating(kernels, storage, kernel, donated)
        for x in (np.ones(2), np.array([-1.0, 0, 0])):
            with pytest.raises(ValueError, match="check"):
                f(x)
            assert storage.array is array
            assert list(array) == [0, 1, 2]
        f(np.ones(3))  # and the lock is free again
        assert list(storage.array) == [1, 2, 3]

    def test_an_input_in_the_same_memory_is_copied(self, kernels):
        memory = np.arange(5.0)
        storage = _runtime.Storage(memory[:3])
        f = updating(kernels, storage, "in_place", True)
        for x in (storage.array, memory[1:4], memory[2::-1], memory[0:5:2]):
            old, before = storage.array.copy(), x.copy()
            f(x)
            np.testing.assert_array_equal(storage.array, old + before[::-1])
        assert storage.array.base is memory

    def test_neighbours_are_not_copied(self, kernels):
        memory = np.arange(6.0)
        storage = _runtime.Storage(memory[:3])
        updating(kernels, storage, "in_place", True)(memory[3:])
        assert list(memory) == [5, 5, 5, 3, 4, 5]

    @pytest.mark.parametrize("make", [lambda: np.zeros(6)[::2], lambda: np.broadcast_to(0.0, 3), "read-only"])
    def test_an_array_unfit_to_be_written_is_replaced(self, kernels, make):
        array = np.zeros(3) if make == "read-only" else make()
        if make == "read-only":
            array.flags.writeable = False
        storage = _runtime.Storage(array)
        updating(kernels, storage, "in_place", True)(np.arange(3.0))
        assert list(storage.array) == [2, 1, 0]
        assert list(array) == [0, 0, 0]

    def test_storages_in_one_memory_are_parted(self, kernels):
        memory = np.zeros(4)
        a, b = _runtime.Storage(memory[:3]), _runtime.Storage(memory[1:])
        updates = ((0, F64, 1), (1, F64, 1))
        f = Function(kernels, ("both", "both"), (), (a, b), (), (), updates, "none", donated=(True, True))
        for _ in range(3):
            f()
        assert list(a.array) == [3, 3, 3]
        assert list(b.array) == [3, 3, 3]
        assert not np.shares_memory(a.array, b.array)

    def test_a_constant_or_read_storage_in_the_same_memory(self, kernels):
        memory = np.zeros(3)
        storage, reader = _runtime.Storage(memory), _runtime.Storage(memory[1:])
        spec = ((vector("x"),), (storage, reader), (memory,), (), ((0, F64, 1),), "none")

        f = Function(kernels, ("three_views", "three_views"), *spec, donated=(True,))
        f(np.ones(3))
        assert list(storage.array) == [1, 1, 1]
        assert reader.array.base is memory  # the copy was for the call only

    def test_many_calls(self, kernels):
        storage = _runtime.Storage(np.zeros(3))
        for kernel, donated in (("in_place", True), ("fresh", False)):
            f = updating(kernels, storage, kernel, donated)
            x = np.ones(3)
            for _ in range(50_000):
                f(x)
        assert list(storage.array) == [1e5] * 3


def reader_of(kernels, storage):
    spec = ((("times", I64, 0, REQUIRED),), (storage,), (), ((F64, 0),), (), "one")
    return Function(kernels, ("total", "total"), *spec)


def writer_of(kernels, storage):
    spec = ((("times", I64, 0, REQUIRED),), (storage,), (), (), ((0, F64, 1),), "none")
    return Function(kernels, ("grow", "grow"), *spec, donated=(True,))


class TestLocks:
    def test_readers_never_see_half_an_update(self, kernels):
        storage = _runtime.Storage(np.zeros(20_000))
        read, write = reader_of(kernels, storage), writer_of(kernels, storage)
        seen, stop = [], threading.Event()

        def watch():
            while not stop.is_set():
                seen.append(float(read(1)))

        threads = [threading.Thread(target=watch) for _ in range(4)]
        for thread in threads:
            thread.start()
        for _ in range(100):
            write(3)  # must get its turn among readers that overlap all the time
        stop.set()
        for thread in threads:
            thread.join()
        assert storage.array[0] == 300
        assert all(total % (3 * 20_000) == 0 for total in seen)
        assert read(1) == 300 * 20_000

    def test_setting_waits_for_a_running_update(self, kernels):
        storage = _runtime.Storage(np.zeros(1_000_000))
        write = writer_of(kernels, storage)
        write(1)
        thread = threading.Thread(target=write, args=(100,))
        thread.start()
        while storage.array[0] <= 1:
            time.sleep(0.001)
        copy = storage.copy()
        assert copy[0] == copy[-1] == 101
        storage.array = np.zeros(5)
        thread.join()
        assert list(storage.array) == [0] * 5

    def test_many_writers_of_many_storages(self, kernels):
        a, b = _runtime.Storage(np.zeros(3000)), _runtime.Storage(np.zeros(3000))
        updates = ((0, F64, 1), (1, F64, 1))
        one, two = (
            Function(kernels, ("both", "both"), (), storages, (), (), updates, "none", donated=(True, True))
            for storages in ((a, b), (b, a))
        )
        threads = [threading.Thread(target=lambda f=f: [f() for _ in range(500)]) for f in (one, two) * 4]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(a.array)) == len(set(b.array)) == 1
        assert a.array[0] > 0

    def test_a_call_inside_a_call(self, kernels):
        """What _fail does happens within the call: reading again is fine, writing is refused."""
        storage = _runtime.Storage(np.zeros(3))
        read = reader_of(kernels, storage)
        f = updating(kernels, storage, "fresh", False)
        f._fail = lambda check, values: read(1)
        with pytest.raises(RuntimeError, match="used again"):
            f(np.ones(2))
        f._fail = lambda check, values: setattr(storage, "array", np.zeros(3))
        with pytest.raises(RuntimeError, match="used again"):
            f(np.ones(2))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
class TestFork:
    @staticmethod
    def in_child(work):
        """Whether `work()` is true in a forked child, which gets 20 seconds."""
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if work() else 1)
            finally:
                os._exit(2)
        for _ in range(2000):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) == 0
            time.sleep(0.01)
        os.kill(child, 9)
        os.waitpid(child, 0)
        return False

    def test_a_child_calls_and_updates(self, kernels):
        storage = _runtime.Storage(np.zeros(20_000))
        read, write = reader_of(kernels, storage), writer_of(kernels, storage)
        write(1)

        def work():
            write(2)
            return read(1) == 3 * 20_000

        assert self.in_child(work)
        assert read(1) == 20_000

    @pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
    def test_locks_of_other_threads_do_not_bind_a_child(self, kernels):
        storage, torn = _runtime.Storage(np.zeros(1_000_000)), _runtime.Storage(np.zeros(1_000_000))
        read, write = reader_of(kernels, storage), writer_of(kernels, torn)
        read(1)
        write(1)
        threads = [threading.Thread(target=read, args=(300,)), threading.Thread(target=write, args=(300,))]
        for thread in threads:
            thread.start()
        while torn.array[0] <= 1:
            time.sleep(0.001)

        def work():
            storage.array = np.ones(10)
            try:
                torn.copy()
            except RuntimeError as error:
                torn.array = np.ones(5)
                return "forked" in str(error) and list(torn.copy()) == [1] * 5 and read(1) == 10
            return False

        fine = self.in_child(work)
        busy = all(thread.is_alive() for thread in threads)
        for thread in threads:
            thread.join()
        assert fine
        assert busy


def test_outputs_of_a_fork_are_its_own(kernels):
    f = one_output(kernels, "squares", (("n", I64, 0, REQUIRED),), I64, 1)
    kept = f(1_000_000)
    del kept
    assert TestFork.in_child(lambda: bool(f(1_000_000)[-1] == 999_999**2))
