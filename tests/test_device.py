"""Functions whose kernels are started through a driver: that of the emulation, and one that pretends to be CUDA's."""

from __future__ import annotations

import ctypes
import pickle
import re
import subprocess
import sys
import threading
import types
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.config import settings
from agnesi.device import MOST_RECORDINGS
from agnesi.errors import CompileError, IndexOutOfRange, SingularMatrixError, TypeMismatch
from agnesi.shared import Resident
from agnesi.target import driver, nvrtc
from agnesi.target.cuda import Driven
from agnesi.target.toolchain import compile_shared, find_compiler

DEVICE = "cuda-emulated"
RNG = np.random.default_rng(3)
x, y, v = at.matrix("x"), at.matrix("y"), at.lvector("v")


def both(inputs, outputs, *arrays, **options):
    """The results on the device, after they were compared with the processor's."""
    found = ag.function(inputs, outputs, device=DEVICE, **options)(*arrays)
    wanted = ag.function(inputs, outputs, **options)(*arrays)
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        near = 100 * np.finfo(a.dtype).eps if a.dtype.kind in "fc" else 0
        np.testing.assert_allclose(a, b, rtol=near, atol=near * abs(b).max(initial=0))
    return found


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
def test_products(dtype):
    """By rows, turned, and with both strides, which no library takes; scaled by what lies on the device, and added."""
    a, b, s = at.matrix("a", dtype=dtype), at.matrix("b", dtype=dtype), at.scalar("s", dtype=dtype)
    parts = RNG.normal(size=(4, 6, 6))
    arrays = (parts[:2] + 1j * parts[2:] if "c" in dtype else parts[:2]).astype(dtype)
    outputs = [a @ b, a.T @ b, a @ b.T, a[::2, ::2] @ b[1::2, ::-2].T, a + s * (a @ b), a[:, :1] @ b[:1]]
    outputs += [a[:, :0] @ b[:0]]
    both([a, b, s], outputs, *arrays, np.asarray(2.5, dtype))


def test_programs():
    """Sizes that values decide, loops, branches, reductions."""
    h, _ = ag.scan(lambda row, h: at.tanh(h @ x + row), y, outputs_info=at.zeros(y.shape[1:]))
    outputs = [
        at.nonzero(x > 0)[0], at.nnet.softmax(x), h, ag.grad((h**2).sum(), x), at.sort(x), at.logsumexp(x, axis=0),
        ag.ifelse(x.sum() > 0, x * 2, x - 1), x[v], x.var(0),
    ]  # fmt: skip
    both([x, y, v], outputs, RNG.normal(size=(4, 4)), RNG.normal(size=(3, 4)), [1, 1, 3])


def test_random_numbers_are_new_in_every_call():
    draws = {}
    for device in ("cpu", DEVICE):
        f = ag.function([], ag.random.RandomStream(5).normal((5, 3)), device=device)
        draws[device] = np.array([f(), f()])
    np.testing.assert_array_equal(*draws.values())
    assert (draws[DEVICE][0] != draws[DEVICE][1]).all()


def test_strided_and_empty_arguments():
    whole = RNG.normal(size=(8, 8))
    for a in (whole[::2, ::-1], whole.T, np.asfortranarray(whole), whole[:0], whole[:, :0], whole.astype(">f8")):
        both([x], [x * 2 + x.sum(), x.sum(0)], a)
    both([x, y], [x + y], whole[:1], whole)


def test_training_on_shared_values():
    """Values that live on the device, and values that do not."""
    found = []
    for device, home in (("cpu", "cpu"), (DEVICE, DEVICE), (DEVICE, "cpu")):
        w = ag.shared(np.linspace(0, 1, 12).reshape(4, 3), "w", device=home)
        cost = (at.tanh(x @ w) ** 2).sum()
        step = ag.function([x], cost, updates={w: w - 0.1 * ag.grad(cost, w)}, device=device)
        data = np.random.default_rng(0).normal(size=(5, 4))
        costs = [float(step(data)) for _ in range(3)]
        found.append((costs, w.get_value()))
    for costs, value in found[1:]:
        np.testing.assert_allclose(costs, found[0][0], rtol=1e-12)
        np.testing.assert_allclose(value, found[0][1], rtol=1e-12)


def test_errors_leave_shared_values():
    w = ag.shared(np.zeros(3), "w", device=DEVICE)
    f = ag.function([v], w[v], updates={w: w + 1}, device=DEVICE)
    with pytest.raises(IndexOutOfRange, match="index 5 is out of range for an axis of size 3"):
        f([0, 5])
    assert w.get_value().tolist() == [0, 0, 0]
    assert f([0, 2]).tolist() == [0, 0]
    assert w.get_value().tolist() == [1, 1, 1]
    with pytest.raises(TypeMismatch, match=r"w lives on cuda-emulated; compile for it with device='cuda-emulated'"):
        ag.function([], w)
    with pytest.raises(TypeMismatch, match="needs dtype int64"):
        f([0.5])
    w.set_value(np.full(3, 7.0))
    assert pickle.loads(pickle.dumps(w)).get_value().tolist() == [7, 7, 7]
    assert isinstance(w.get_value(borrow=True), np.ndarray)


def test_values_that_are_written_in_place():
    """Where the argument is the value itself; where a lookup may fail before."""
    w = ag.shared(np.arange(4.0), "w", device=DEVICE)
    u = at.vector("u")
    f = ag.function([u], u[::-1] * 1, updates={w: w + u[::-1]}, device=DEVICE)
    assert f.compiled().donated == (True,)
    own = w.get_value(borrow=True)
    assert f(own).tolist() == [3, 2, 1, 0]
    assert w.get_value(borrow=True) is own
    assert own.tolist() == [3, 3, 3, 3]
    table = ag.shared(np.zeros((5, 2)), "table", device=DEVICE)
    step = ag.function([v], table[v].sum(), updates={table: table[v].inc(1.0)}, device=DEVICE)
    assert step.compiled().donated == (True,)
    with pytest.raises(IndexOutOfRange):
        step([0, 7])
    assert table.get_value().tolist() == np.zeros((5, 2)).tolist()
    assert step([0, 0, 4]) == 0
    assert table.get_value()[:, 0].tolist() == [2, 0, 0, 0, 1]


def test_linear_systems():
    """In one block, also in a loop; where there is no solution all threads leave."""
    h, _ = ag.scan(lambda row: at.solve(x, row), y)
    both([x, y], [at.solve(x, y.T), h], RNG.normal(size=(4, 4)) + 3 * np.eye(4), RNG.normal(size=(3, 4)))
    z = at.zmatrix("z")
    both([z], [at.solve(z, z * 2)], RNG.normal(size=(4, 4)) + 1j * np.eye(4))
    f = ag.function([x], at.solve(x, x), device=DEVICE)
    with pytest.raises(SingularMatrixError):
        f(np.ones((3, 3)))


def test_memory_that_is_not_there():
    n = at.lscalar("n")
    f = ag.function([n], at.arange(n) * 2, device=DEVICE)
    assert f(3).tolist() == [0, 2, 4]
    with pytest.raises(MemoryError, match="cuda-emulated"):
        f(2**50)
    assert f(2).tolist() == [0, 2]


def test_pickles_settings_and_threads():
    with ag.config.change(device=DEVICE):
        f = pickle.loads(pickle.dumps(ag.function([x], at.exp(x).sum(1))))
        assert isinstance(ag.shared(1.0).storage, Resident)
    data = [RNG.normal(size=(6, 7)) for _ in range(8)]
    results = {}
    threads = [threading.Thread(target=lambda k=k: results.update({k: f(data[k])})) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k, array in enumerate(data):
        np.testing.assert_allclose(results[k], np.exp(array).sum(1))
    assert "function (unnamed)" in f.explain()
    assert f.pointer(0)


# -- as if there were a device --------------------------------------------------------------------------------------

FAKE = """
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
static void *library, *libraries[64];
static int opened;
void fake_open(const char *path) { libraries[opened++] = library = dlopen(path, RTLD_NOW | RTLD_LOCAL); }
int cuModuleLoadData(void **module, const void *image) {
  *module = library;
  return memcmp(image, "\\x7f" "ELF", 4) != 0;
}
int cuModuleGetFunction(void **function, void *module, const char *name) {
  void *const *names = dlsym(module, "fake_names"), *const *kernels = dlsym(module, "ag_kernels");
  for (int i = 0; names[i]; i++)
    if (strcmp(names[i], name) == 0) { *function = kernels[i]; return 0; }
  return 500;
}
/* What is recorded: launches with a copy of their arguments, copies, and what clears memory. */
struct work { void *f, *from, *to; unsigned blocks, threads; int value; size_t bytes; };
struct graph { size_t count; struct work works[64]; } *recorded;
int fake_recordings, fake_starts;
static int put(struct work work, void *stream) {
  if (stream != (void *)78 || recorded->count == 64) return 1;
  recorded->works[recorded->count++] = work;
  return 0;
}
typedef unsigned u;
typedef int (*launch)(void *, u, u, u, u, u, u, u, void *, void **, void **);
static int run(void *f, unsigned blocks, unsigned threads, void *args) {
  return ((launch)dlsym(library, "ag_cu_launch"))(f, blocks, 1, 1, threads, 1, 1, 0, 0, &args, 0);
}
static size_t size_of_arguments(void *f) {
  for (int k = 0; k < opened; k++) {
    void *const *kernels = dlsym(libraries[k], "ag_kernels");
    for (int i = 0; kernels[i]; i++)
      if (kernels[i] == f) return ((const size_t *)dlsym(libraries[k], "fake_sizes"))[i];
  }
  abort();
}
int cuLaunchKernel(void *f, u a, u b, u c, u d, u e, u g, u shared, void *stream, void **params, void **extra) {
  if (b * c * e * g != 1 || d > 1024) return 1;
  if (recorded) {
    const size_t bytes = size_of_arguments(f);
    return put((struct work){f, memcpy(malloc(bytes), params[0], bytes), 0, a, d, 0, 0}, stream);
  }
  return stream != (void *)77 || run(f, a, d, params[0]);
}
int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, void *stream) {
  return put((struct work){0, (void *)from, (void *)to, 0, 0, 0, bytes}, stream);
}
int cuStreamBeginCapture_v2(void *stream, int mode) {
  if (stream != (void *)78 || mode != 2) return 1;
  fake_recordings++;
  recorded = calloc(1, sizeof *recorded);
  return 0;
}
int cuStreamEndCapture(void *stream, void **graph) {
  *graph = recorded;
  recorded = 0;
  return stream != (void *)78;
}
int cuGraphGetNodes(void *graph, void *nodes, size_t *count) { *count = ((struct graph *)graph)->count; return 0; }
int cuGraphInstantiateWithFlags(void **made, void *graph, uint64_t flags) {
  *made = memcpy(malloc(sizeof *recorded), graph, sizeof *recorded);
  return 0;
}
int cuGraphDestroy(void *graph) { free(graph); return 0; }
int cuGraphExecDestroy(void *graph) { free(graph); return 0; }
int cuGraphLaunch(void *graph, void *stream) {
  const struct graph *const g = graph;
  fake_starts++;
  for (size_t i = 0; i < g->count; i++) {
    const struct work w = g->works[i];
    if (w.f == 0) memcpy(w.to, w.from, w.bytes);
    else if (run(w.f, w.blocks, w.threads, w.from)) return 1;
  }
  return stream != (void *)77;
}
int cuMemcpyDtoHAsync_v2(void *to, uint64_t from, size_t bytes, void *stream) {
  memcpy(to, (void *)from, bytes);
  return 0;
}
int cuMemsetD8Async(uint64_t to, unsigned char value, size_t bytes, void *stream) {
  if (recorded) return 1;
  memset((void *)to, value, bytes);
  return 0;
}
int cuStreamSynchronize(void *stream) { return 0; }
"""


class FakeArray(np.ndarray):
    """NumPy's array with CuPy's attributes."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)

    @property
    def __cuda_array_interface__(self):
        return self.__array_interface__

    def set(self, value, stream=None):
        assert type(value) is np.ndarray
        assert value.shape == self.shape
        assert value.flags.c_contiguous
        self[...] = value


def fake_cupy():
    """What of CuPy is used, in ordinary memory."""
    made = types.ModuleType("cupy")
    made.array = lambda value, dtype=None, order="C": np.array(value, dtype, order=order).view(FakeArray)
    made.asarray = lambda value: value
    made.empty = lambda shape, dtype: np.empty(shape, dtype).view(FakeArray)
    made.asnumpy = lambda array: np.array(array)
    device = types.SimpleNamespace(compute_capability="90", use=lambda: None)
    stream, recorder = types.SimpleNamespace(ptr=77), types.SimpleNamespace(ptr=78)
    made.cuda = types.SimpleNamespace(
        Device=lambda: device, get_current_stream=lambda: stream, Stream=lambda non_blocking: recorder
    )
    return made


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """A device that is not there: kernels are compiled for it and then emulated, in blocks of a device's size."""
    try:
        nvrtc.library()
    except CompileError as error:
        pytest.skip(str(error))
    compiler = find_compiler(settings().compiler)
    compile_shared(compiler, [FAKE], tmp_path / "libcuda.so", ["-ldl"])
    fake, load = ctypes.CDLL(str(tmp_path / "libcuda.so")), ctypes.CDLL
    monkeypatch.setitem(sys.modules, "cupy", fake_cupy())
    monkeypatch.setattr(ctypes, "CDLL", lambda name: fake if name == "libcuda.so.1" else load(name))
    monkeypatch.setattr(driver.Cuda, "_blas", staticmethod(lambda: None))
    driver.driver_of.cache_clear()
    prepare = driver.Cuda.prepare

    def emulate(self, program):
        driven = Driven(program)
        names = "".join(f'"{n}", ' for n in driven.names)
        sizes = "".join(f"sizeof(struct {n}_args), " for n in driven.names)
        table = f"const char *const fake_names[] = {{{names}0}};\nconst size_t fake_sizes[] = {{{sizes}0}};"
        text = driven.emulated_text().replace("#define AG_DRIVEN", "#define AG_DRIVEN\n#define AG_REAL")
        path = tmp_path / f"kernels{len(list(tmp_path.iterdir()))}.so"
        compile_shared(compiler, [f"{text}\n{table}\n"], path)
        fake.fake_open(str(path).encode())
        return prepare(self, program)

    monkeypatch.setattr(driver.Cuda, "prepare", emulate)
    with ag.config.change(cache_dir=str(tmp_path / "cache")):
        yield fake
    driver.driver_of.cache_clear()


def test_a_pretended_device(pretended):
    start = RNG.normal(size=(4, 3)).astype("float32")
    w = ag.shared(start, "w", device="cuda")
    a = at.fmatrix("a")
    cost = (at.nnet.softmax(a @ w) ** 2).sum()
    step = ag.function([a, v], [cost, w[v]], updates={w: w - ag.grad(cost, w)}, device="cuda")
    assert "AG_KERNEL" in step.text
    assert re.search(r"\nkernel0: \d+ registers, \d+ bytes shared, 0 spilled", step.explain())
    data = RNG.normal(size=(5, 4)).astype("float32")
    value, rows = step(data, [0, 3])
    assert isinstance(value, FakeArray)
    u = ag.shared(start)
    cost = (at.nnet.softmax(a @ u) ** 2).sum()
    wanted = ag.function([a], cost, updates={u: u - ag.grad(cost, u)})(data)
    np.testing.assert_allclose(value, wanted, rtol=1e-6)
    np.testing.assert_allclose(w.get_value(), u.get_value(), rtol=1e-5)
    assert rows.shape == (2, 3)
    with pytest.raises(IndexOutOfRange, match="index 9"):
        step(data, [9])
    again, _ = step(sys.modules["cupy"].array(data), [1])
    assert again < value


def counted(fake):
    """How often was recorded, and how often recordings were started."""
    return tuple(ctypes.c_int.in_dll(fake, f"fake_{name}").value for name in ("recordings", "starts"))


def test_calls_with_the_same_sizes_are_recorded(pretended):
    """From the second call on; values on the device are renewed where they are, and results are new arrays."""
    start = RNG.normal(size=(4, 3)).astype("float32")
    a, w, old = at.fmatrix("a"), ag.shared(start, "w", device="cuda"), ag.shared(start * 0, "old", device="cuda")
    n = ag.shared(0, "n")  # lives elsewhere

    def made(w, old, n, device):
        cost = (at.nnet.softmax(a @ w) ** 2).sum()
        change = ag.grad(cost, w)
        updates = {w: w - change, old: w + change * old, n: n + 2}
        return ag.function([a], [cost, a @ w * n], updates=updates, device=device)

    step = made(w, old, n, "cuda")
    others = ag.shared(start), ag.shared(start * 0), ag.shared(0)
    same = made(*others, "cpu")
    results = []
    for k, rows in enumerate((5, 5, 5, 6, 5, 6, 6)):
        data = RNG.normal(size=(rows, 4)).astype("float32")
        found = step(sys.modules["cupy"].array(data) if k % 2 else data)
        results.append((found, same(data)))
        assert counted(pretended) == [(0, 0), (1, 1), (1, 2), (1, 2), (1, 3), (2, 4), (2, 5)][k]
        for one, other in zip((w, old, n), others, strict=True):
            np.testing.assert_allclose(one.get_value(), other.get_value(), rtol=1e-5, atol=1e-5)
    for found, wanted in results:  # all of them are still there
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_what_is_not_recorded(pretended):
    """Lookups that may fail, sizes that values decide; values that were exchanged are recorded anew."""
    u = at.vector("u")
    lookup = ag.function([u, v], u[v], device="cuda")
    for _ in range(3):
        assert lookup([1.0, 2.0], [1]).tolist() == [2]
    assert counted(pretended) == (0, 0)
    assert Driven(ag.function([u], at.nonzero(u > 0)[0], device=DEVICE).compiled().program).waits
    assert not Driven(ag.function([u], u.sum(), device=DEVICE).compiled().program).waits
    w = ag.shared(np.zeros(3), "w", device="cuda")
    f = ag.function([u], w * 2, updates={w: w + u}, device="cuda")
    assert [f([k, 0.0, 1.0])[0] for k in range(4)] == [0, 0, 2, 6]
    assert counted(pretended)[0] == 1
    w.set_value(np.full(3, 5.0))
    assert [f([k, 0.0, 1.0])[0] for k in range(3)] == [10, 10, 12]
    assert counted(pretended)[0] == 2
    draw = ag.function([], ag.random.RandomStream(5).normal((5, 3)), device="cuda")
    wanted = ag.function([], ag.random.RandomStream(5).normal((5, 3)))
    for _ in range(4):
        np.testing.assert_allclose(draw(), wanted(), rtol=1e-12)
    assert counted(pretended)[0] == 3


def test_recordings_are_forgotten(pretended):
    u = at.vector("u")
    f = ag.function([u], u + 1, device="cuda")
    for size in (*range(1, 40), 1):
        for _ in range(2):
            assert f(np.zeros(size)).tolist() == [1] * size
    assert len(f.recordings) == MOST_RECORDINGS
    assert counted(pretended) == (40, 40)


def test_no_device(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    driver.driver_of.cache_clear()
    with pytest.raises(CompileError, match=r"needs CuPy, which is not installed: pip install agnesi\[cuda\]"):
        ag.function([x], x + 1, device="cuda")
    driver.driver_of.cache_clear()


@pytest.mark.slow
def test_the_program_that_checks_devices(tmp_path):
    program = Path(__file__).parents[1] / "tools" / "gpu_check.py"
    options = ["--device", DEVICE, "--small", "--processes", "2", "--output", tmp_path / "r.md"]
    subprocess.run([sys.executable, program, *options], check=True, capture_output=True, timeout=300)
    report = (tmp_path / "r.md").read_text()
    assert "- table: 3 of 3 cases" in report
    assert "- failed: 0" in report
    assert "logsumexp over rows" in report
    assert "Error" not in report
