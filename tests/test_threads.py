"""Threads: the same bits for any number of them, errors, interrupts, forks, and what they cost when idle."""

from __future__ import annotations

import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import _runtime, config
from agnesi.errors import IndexOutOfRange, VerificationError
from agnesi.ir.node import dim_node, load
from agnesi.loops.check import verify
from agnesi.loops.interpret import CheckFailed, run as interpret
from agnesi.loops.stmt import Break, Buffer, Check, Let, Set, Store
from agnesi.ops import elementwise as ew
from agnesi.runtime.threads import available, count, granted
from generate import generate
from helpers import COMMON, GENERAL, Case, compile_cases
from test_loops import ROW, ZERO, N, T, element, made, number, over

NUMBERS = (1, 2, 3, 4)
WORTH = 2000  # so that arrays of moderate sizes are shared

x, y, z = at.vector("x"), at.vector("y"), at.vector("z")
m, w = at.matrix("m"), at.matrix("w")
k = at.lvector("k")
rng = np.random.default_rng(0)
V = rng.normal(size=20_011)
M = rng.normal(size=(301, 53))
FLAT = rng.normal(size=(11, 4_003))
LONG = rng.normal(size=(4_003, 7))


@pytest.fixture(autouse=True)
def small_loops():
    """Loops are shared from little work on."""
    with config.change(worth=WORTH):
        yield


def bits(found):
    """The bytes of results."""
    return [np.asarray(a).tobytes() for a in (found if isinstance(found, list) else [found])]


def assert_same_bits(f, *arrays):
    """The results of a function for one thread, after they have been found to be the same for more."""
    results = []
    for threads in NUMBERS:
        f.threads = threads
        results.append(f(*arrays))
    assert all(bits(r) == bits(results[0]) for r in results[1:])
    return results[0]


def layer_norm():
    centred = m - m.mean(axis=1, keepdims=True)
    normal = centred / at.sqrt((centred * centred).mean(axis=1, keepdims=True) + 1e-5) * x
    return [normal, *ag.grad((normal**3).sum(), [m, x])]


class TestSameBits:
    """Sums are joined in parts whose sizes do not depend on the number of threads."""

    @pytest.mark.parametrize("batch", range(4))
    def test_random_graphs(self, batch, tmp_path):
        samples = [generate(seed) for seed in range(25 * batch, 25 * (batch + 1))]
        cases = [Case(s.graph, s.updates, s.finite, worth=1) for s in samples]
        compile_cases(cases, tmp_path, () if batch == 0 else ("-O0",))
        for sample, case in zip(samples, cases, strict=True):
            for variant in (COMMON, GENERAL):
                results = []
                for case.threads in NUMBERS:
                    results.append(bits(case.run(sample.arrays, variant)))
                assert all(r == results[0] for r in results[1:]), f"seed {sample.seed}, variant {variant}"

    @pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "complex128", "int8", "bool"])
    def test_sums(self, dtype):
        a = at.tensor("a", dtype, (None,))
        array = (V * 3).astype(dtype)
        results = [a.sum(), a.max() if dtype[0] != "c" else a.prod(), a.any(), at.cumsum(a)[-1]]
        found = assert_same_bits(ag.function([a], results), array)
        with config.change(worth=2**40):
            whole = ag.function([a], results)(array)
        for one, other in zip(found, whole, strict=True):
            np.testing.assert_allclose(one.astype(complex), other.astype(complex), rtol=2e-3, atol=2e-1)

    @pytest.mark.parametrize("array", [M, FLAT, LONG, M[:0], M[:, :0], M[:1]], ids=lambda a: str(a.shape))
    def test_axes(self, array):
        results = [m.sum(), m.sum(axis=0), m.sum(axis=1), m.max(axis=0, initial=-9.0), at.nnet.softmax(m) * 2]
        found = assert_same_bits(ag.function([m], results), array)
        wanted = [array.sum(), array.sum(0), array.sum(1), array.max(0, initial=-9.0)]
        for one, other in zip(found[:4], wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)

    def test_elements(self):
        f = ag.function([x, y], [at.sin(x) * at.tanh(y), at.where(x > y, at.gamma(x), y), at.cos(x * 1e9)])
        assert_same_bits(f, V, V[::-1].copy())
        assert_same_bits(f, np.concatenate([V, V * 1e12]), np.concatenate([V, V]))

    def test_gradients(self):
        assert_same_bits(ag.function([m, x], layer_norm()), M, V[: M.shape[1]])
        assert_same_bits(ag.function([m, x], layer_norm()), FLAT, V[: FLAT.shape[1]])
        scores = at.log(at.nnet.softmax(m @ w))
        cost = -scores[at.arange(k.shape[0]), k].mean()
        chosen = rng.integers(0, 5, len(M))
        assert_same_bits(ag.function([m, w, k], [cost, *ag.grad(cost, [m, w])]), M, rng.normal(size=(53, 5)), chosen)

    def test_additions_to_chosen_places(self):
        """Few places: each part has a copy of them. Many: they would cost more than they gain."""
        for places in (3, 20_000):
            chosen = rng.integers(0, places, len(V))
            f = ag.function([y, x, k], ag.grad((y[k] * x).sum(), y))
            found = assert_same_bits(f, np.zeros(places), V, chosen)
            np.testing.assert_allclose(found, np.bincount(chosen, V, places), atol=1e-9)

    @pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
    @pytest.mark.parametrize("code", [*_runtime.product_codes(), "BLAS"])
    def test_products(self, dtype, code):
        a, b = at.tensor("a", dtype, (None, None)), at.tensor("b", dtype, (None, None))
        f = ag.function([a, b], [a @ b, b.T @ a.T, (a @ b).T @ a])
        if code == "BLAS":
            _runtime.set_product_code("portable")  # which leaves all to BLAS
        else:
            _runtime.set_product_code(code)
        try:
            for sizes in ((300, 70, 257), (60, 784, 65), (1000, 33, 5), (1, 500, 900), (900, 500, 1), (5, 7, 2000)):
                rows, depth, columns = sizes
                left, right = rng.normal(size=(rows, depth)), rng.normal(size=(depth, columns))
                found = assert_same_bits(f, left.astype(dtype), right.astype(dtype))
                np.testing.assert_allclose(found[0], left @ right, atol=1e-2 if dtype == "float32" else 1e-9)
        finally:
            _runtime.set_product_code(_runtime.product_codes()[0])

    def test_loops(self):
        xs, h = at.tensor3("xs"), at.matrix("h")
        states, _ = ag.scan(lambda x, h: at.tanh(x + h @ w), sequences=[xs], outputs_info=[h])
        cost = (states[-1] ** 2).sum()
        total, _ = ag.scan(lambda x, s: at.tanh(x + s), sequences=[x], outputs_info=[at.constant(0.0)])
        assert_same_bits(ag.function([x], total), V)
        f = ag.function([xs, h, w], [states, cost, *ag.grad(cost, [xs, h, w])])
        sizes = (9, 64, 40), (64, 40), (40, 40)
        assert_same_bits(f, *(rng.normal(size=size) for size in sizes))

    def test_updates_in_place(self):
        finals = []
        for threads in NUMBERS:
            s = ag.shared(V.copy(), "s")
            f = ag.function([x], (s * x).sum(), updates={s: s * 0.5 + x}, threads=threads)
            results = [f(V) for _ in range(3)]
            finals.append([*bits(results), s.get_value().tobytes()])
        assert all(r == finals[0] for r in finals)


class TestErrors:
    @pytest.mark.parametrize("threads", NUMBERS)
    def test_the_first_error_is_reported(self, threads):
        f = ag.function([x, k], x[k] * 2, threads=threads)
        for places in ([15_000], [19_999, 7_000, 12_000], [3, 19_999], [19_999]):
            chosen = np.arange(len(V))
            chosen[places] = 30_000 + np.array(places)
            for _ in range(10):
                with pytest.raises(IndexOutOfRange, match=str(30_000 + min(places))):
                    f(V, chosen)

    @pytest.mark.parametrize("threads", NUMBERS)
    def test_shared_variables_stay(self, threads):
        s = ag.shared(V.copy(), "s")
        f = ag.function([x, k], x[k].sum(), updates={s: s + x[k]}, threads=threads)
        chosen = np.arange(len(V))
        chosen[17_000] = -50_000
        with pytest.raises(IndexOutOfRange, match="-50000"):
            f(V, chosen)
        assert s.get_value().tobytes() == V.tobytes()


class TestCallers:
    def test_many_at_once(self):
        f = ag.function([m], [m.sum(axis=0), at.nnet.softmax(m), m @ m.T], threads=4)
        arrays = [rng.normal(size=(200 + i, 60)) for i in range(8)]
        wanted = [bits(f(a)) for a in arrays]
        with ThreadPoolExecutor(8) as pool:
            for _ in range(10):
                assert [bits(r) for r in pool.map(f, arrays)] == wanted

    def test_functions_within_functions(self):
        inner = ag.function([x], at.exp(x) + 1, threads=2)

        @ag.as_op(itypes=[at.vector().type], otypes=[at.vector().type])
        def called(a):
            return inner(a)

        f = ag.function([x], (called(x * 2) - 1).sum(), threads=2)
        assert float(f(V)) == pytest.approx(np.exp(V * 2).sum())

    def test_fork(self):
        """A child has no threads, and starts its own; whether its parent had some or not."""
        program = (
            "import os, sys, signal, numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "from agnesi import _runtime\n"
            "x = at.vector('x'); f = ag.function([x], [x.sum(), at.exp(x)], threads=3)\n"
            "V = np.linspace(0, 1, 100_000)\n"
            "def child(first):\n"
            "    signal.alarm(20)\n"
            "    assert _runtime.started_threads() == 0\n"
            "    assert [a.tobytes() for a in f(V)] == first\n"
            "    assert _runtime.started_threads() == 2\n"
            "    os._exit(0)\n"
            "f.threads = 1; first = [a.tobytes() for a in f(V)]; f.threads = 3\n"
            "for use in (False, True, True):\n"
            "    if use: assert [a.tobytes() for a in f(V)] == first\n"
            "    assert _runtime.started_threads() == 2 * use\n"
            "    pid = os.fork()\n"
            "    if pid == 0: child(first)\n"
            "    assert os.waitpid(pid, 0)[1] == 0\n"
        )
        run(program)


class TestInterrupts:
    @pytest.fixture
    def long_call(self):
        """A call of a second or more, and what it gives."""
        f = ag.function([x, y], at.tanh(at.tanh(x[:, None] * y[None, :])).sum(), threads=2)
        return lambda n: f(np.full(n, 0.5), np.ones(10_000))

    def interrupt_soon(self):
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()

    def test_ends_a_call(self, long_call):
        old = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            self.interrupt_soon()
            start = time.process_time()
            with pytest.raises(KeyboardInterrupt):
                long_call(200_000)
            assert time.process_time() - start < 3  # of 20
            assert long_call(10) > 0
        finally:
            signal.signal(signal.SIGINT, old)

    def test_a_handler_that_raises_nothing_keeps_the_result(self, long_call):
        seen = []
        old = signal.signal(signal.SIGINT, lambda *_: seen.append(1))
        try:
            self.interrupt_soon()
            assert float(long_call(6_000)) == pytest.approx(6e7 * np.tanh(np.tanh(0.5)))
            deadline = time.monotonic() + 5
            while not seen and time.monotonic() < deadline:
                time.sleep(0.01)
            assert seen
        finally:
            signal.signal(signal.SIGINT, old)


class TestThreads:
    def test_none_before_they_are_needed(self):
        program = (
            "import os, numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "from agnesi import _runtime\n"
            "tasks = lambda: len(os.listdir('/proc/self/task')) if os.path.isdir('/proc/self/task') else 0\n"
            "x = at.vector('x'); f = ag.function([x], at.exp(x), threads=3); V = np.ones(10**6)\n"
            "before = tasks(); f(V[:100]); assert _runtime.started_threads() == 0 and tasks() == before\n"
            "f.threads = 1; f(V); assert _runtime.started_threads() == 0 and tasks() == before\n"
            "f.threads = 3; f(V); assert _runtime.started_threads() == 2 and tasks() in (0, before + 2)\n"
        )
        run(program)

    def test_small_loops_need_them_only_if_they_follow_each_other(self):
        program = (
            "import time, numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "from agnesi import _runtime\n"
            "ag.config.set(worth=250_000); x = at.vector('x')\n"
            "f = ag.function([x], at.exp(x), threads=2); V = np.ones(20_000)\n"
            "for _ in range(20): first = f(V); time.sleep(0.001)\n"
            "assert _runtime.started_threads() == 0\n"
            "for _ in range(2_000): last = f(V)\n"
            "assert _runtime.started_threads() == 1 and last.tobytes() == first.tobytes()\n"
        )
        run(program)

    def test_sleep_when_idle(self):
        ag.function([x], at.exp(x), threads=4)(V)
        assert _runtime.started_threads() >= 3
        time.sleep(0.05)
        before = time.process_time()
        time.sleep(0.3)
        assert time.process_time() - before < 0.05

    @pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="Linux keeps threads and processors together")
    def test_they_keep_away_from_the_callers_processor(self):
        """Of two processors the caller has one, and the other thread the other; of one, both have that."""
        program = (
            "import os, sys, numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "bound = set(sorted(os.sched_getaffinity(0))[: int(sys.argv[1])])\n"
            "x = at.vector('x')\n"
            "f = ag.function([x], at.exp(x), threads=2)\n"
            "before = set(map(int, os.listdir('/proc/self/task')))\n"
            "os.sched_setaffinity(0, bound)\n"
            "f(np.ones(10**6))\n"
            "(new,) = set(map(int, os.listdir('/proc/self/task'))) - before\n"
            "print(len(bound - os.sched_getaffinity(new)), os.sched_getaffinity(0) == bound)\n"
        )
        for processors in range(1, min(2, available()) + 1):
            command = [sys.executable, "-c", program, str(processors)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            assert done.stdout.split() == [str(processors - 1), "True"]

    def test_numbers(self):
        assert count(0) == available() >= 1
        assert count(3) == 3
        with pytest.raises(ValueError, match="not -1"):
            ag.function([x], x + 1, threads=-1)
        with pytest.raises(ValueError, match="positive"):
            config.set(worth=0)
        with config.change(threads=3):
            f = ag.function([x], x + 1)
        assert f.threads == 3
        for wrong in (0, -1, 2**40):
            with pytest.raises(ValueError, match="one thread at least"):
                f.threads = wrong
        assert ag.function([x], x + 1).threads == available()
        assert pickle.loads(pickle.dumps(f)).threads == 3

    def test_of_one_call(self):
        program = (
            "import numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "from agnesi import _runtime\n"
            "x = at.vector('x'); f = ag.function([x], at.exp(x), threads=1); V = np.ones(10**6)\n"
            "one = f(V); assert _runtime.started_threads() == 0\n"
            "assert (f(V, threads=3) == one).all() and _runtime.started_threads() == 2 and f.threads == 1\n"
            "f(threads=4, x=V); assert _runtime.started_threads() == 3\n"
        )
        run(program)

    @pytest.mark.parametrize("mode", ["fast_run", "reference"])
    def test_of_one_call_that_make_no_sense(self, mode):
        f = ag.function([x], x + 1, mode=mode)
        assert f(V, threads=0).tobytes() == f(V, threads=2**70).tobytes() == f(V).tobytes()
        with pytest.raises(ValueError, match="not -1"):
            f(V, threads=-1)
        for wrong in (1.5, "two", None):
            with pytest.raises(TypeError, match="integer"):
                f(V, threads=wrong)
        threads = at.scalar("threads")
        assert ag.function([threads], threads + 1, mode=mode)(threads=-1.5) == -0.5

    def test_threadpoolctl_limits_them(self):
        program = (
            "import numpy as np, agnesi as ag, agnesi.tensor as at\n"
            "from threadpoolctl import threadpool_info, threadpool_limits\n"
            "from agnesi import _runtime\n"
            "ours = lambda: [i['num_threads'] for i in threadpool_info() if i['user_api'] == 'agnesi']\n"
            "before = ours(); assert len(before) == 1 and before[0] > 100\n"
            "x = at.vector('x'); f = ag.function([x], at.exp(x), threads=3); V = np.ones(10**6)\n"
            "with threadpool_limits(1):\n"
            "    f(V); f(V, threads=4); assert ours() == [1] and _runtime.started_threads() == 0\n"
            "with threadpool_limits(2, user_api='agnesi'):\n"
            "    f(V, threads=5); assert ours() == [2] and _runtime.started_threads() == 1\n"
            "f(V); assert ours() == before and _runtime.started_threads() == 2\n"
        )
        run(program)

    def test_control_groups(self, tmp_path):
        member = tmp_path / "cgroup"

        def case(line, **files):
            member.write_text(line)
            for name, text in files.items():
                path = tmp_path / name.replace("__", "/").replace("_max", ".max").replace("cpu_cfs", "cpu.cfs")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return granted(tmp_path, member)

        assert case("0::/a/b\n") == 2**31
        assert case("0::/a/b\n", a__cpu_max="max 100000\n") == 2**31
        assert case("0::/a/b\n", a__cpu_max="150000 100000\n") == 2
        assert case("0::/a/b\n", a__b__cpu_max="50000 100000\n") == 1
        files = {"cpu,cpuacct__c__cpu_cfs_quota_us": "300000", "cpu,cpuacct__c__cpu_cfs_period_us": "100000"}
        assert case("3:cpu,cpuacct:/c\n2:memory:/c\n", **files) == 3
        assert granted(tmp_path, tmp_path / "none") == 2**31

    def test_explained(self):
        text = " ".join(ag.function([m], [m.sum(), m.sum(axis=0)]).explain().split())
        assert re.search(r"n\d+ par \{ n\d+ simd \}", text)
        assert "shared, with accumulators and out1 of each part joined afterwards" in text
        text = ag.function([x], at.cumsum(x)).explain()
        assert "not shared: iterations depend on what others store to out0" in text


FILL = over(N, Store("out0", (ROW,), number(0.0)))


class TestVerifier:
    """Iterations that threads share must not touch what others touch."""

    def program(self, *body, **changes):
        return made([replace(over(N, *body), work=10)], **changes)

    def test_what_may_be_shared(self):
        verify(self.program(Store("out0", (ROW,), element("in0", ROW))))
        verify(self.program(Store("out0", (N - 1 - ROW,), element("in0", ROW))))
        total = Let(T, number(0.0), True)
        loop = replace(over(N, Set(T, element("in0", ROW), "add")), work=10)
        verify(made([total, loop, Store("out0", (ZERO,), T)]))

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            (Store("out0", (ZERO,), element("in0", ROW)), "depend on what others store to out0"),
            (Store("out0", (ROW,), element("out0", ROW - 1)), "depend on what others store to out0"),
            (Store("out0", (ROW * N,), element("in0", ROW)), "depend on what others store to out0"),
            (Store("out0", (ZERO,), element("in0", ROW), "add"), "different threads add to out0"),
            (Store("out0", (ZERO,), element("out0", ZERO + 1), "add"), "depend on what others store to out0"),
            (Set(T, element("in0", ROW), ""), "each iteration needs the one before"),
            (Break(ew.lt(element("in0", ROW), 0.0)), "it may end early"),
        ],
    )
    def test_what_may_not(self, body, message):
        with pytest.raises(VerificationError, match=message):
            verify(made([FILL, Let(T, number(0.0), True), replace(over(N, body), work=10)]))

    def test_copies(self):
        body = Store("out0", (ZERO,), element("in0", ROW), "add")
        copies = Buffer("more", "float64", (N,), "copies")
        loop = replace(over(N, body), work=10, copies=(("out0", "more"),))
        verify(made([FILL, loop], more=[copies]))
        with pytest.raises(VerificationError, match="more cannot hold copies of out0"):
            verify(made([FILL, loop], more=[replace(copies, space="arena")]))

    def test_not_inside_each_other(self):
        inner = replace(over(N, Store("out0", (ROW,), number(1.0)), level=1), work=10)
        with pytest.raises(VerificationError, match="a loop inside another one that threads share"):
            verify(made([replace(over(N, inner), work=10)]))

    def test_errors_of_iterations_in_any_order(self):
        place = load("in0", "int64", (ROW,))
        check = Check(place, dim_node(N), 7, (place, dim_node(N)))
        program = self.program(check, Store("out0", (ROW,), place), dtype="int64")
        with pytest.raises(CheckFailed) as caught:
            interpret(program, [np.array([0, 9, 1, 8])])
        assert caught.value.shown == (9, 4)


def run(program):
    """Runs a program in a process of its own, with little work shared."""
    environment = os.environ | {"AGNESI_WORTH": str(WORTH)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
