"""Products and solvers that generated code calls, by SciPy's BLAS and by own code."""

from __future__ import annotations

import ctypes
import mmap
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from agnesi import _runtime
from agnesi.ir import dtype as dt
from agnesi.runtime import blas
from dispatchers import REQUIRED, Function, build_kernels


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return build_kernels(tmp_path_factory)


CODES = _runtime.product_codes()


@pytest.fixture(params=CODES)
def code(request):
    """Runs a test with each own code for products; the best one is what stays."""
    _runtime.set_product_code(request.param)
    yield request.param
    _runtime.set_product_code(CODES[0])


@pytest.fixture(params=["blas", *CODES])
def library(request):
    """Runs a test with BLAS, and with each own code; BLAS and the best code are what stays."""
    blas.ensure()
    addresses = blas.routines()
    if request.param == "blas":
        _runtime.set_product_code("portable")  # which leaves products to BLAS
    else:
        _runtime.set_product_code(request.param)
        _runtime.set_library(*[0] * len(addresses))
    yield
    _runtime.set_library(*addresses)
    _runtime.set_product_code(CODES[0])


TYPES = [(np.dtype(d), suffix) for d, suffix in dt.LIBRARY.items()]


def product(kernels, dtype, suffix):
    shapes = (("a", 2), ("b", 2), ("c", 2), ("alpha", 0), ("beta", 0))
    inputs = tuple((name, dtype, ndim, REQUIRED) for name, ndim in shapes)
    return Function(kernels, (f"gemm_{suffix}",) * 2, inputs, (), (), ((dtype, 2),), (), "one")


def solver(kernels, dtype, suffix):
    inputs = (("a", dtype, 2, REQUIRED), ("b", dtype, 2, REQUIRED))
    return Function(kernels, (f"solve_{suffix}",) * 2, inputs, (), (), ((dtype, 2),), (), "one")


def normal(rng, shape, dtype):
    """Random numbers; complex ones have both parts."""
    values = rng.standard_normal(shape)
    return (values + 1j * rng.standard_normal(shape) if dtype.kind == "c" else values).astype(dtype)


def precise(x):
    """The array in double precision."""
    return x.astype(np.result_type(x, "f8"))


def strided(rng, rows, columns, dtype):
    """A random matrix that lies in memory in one of many ways."""
    way = rng.integers(0, 8)
    wide = normal(rng, (2 * rows + 3, 2 * columns + 3), dtype)
    if way == 0:
        return np.ascontiguousarray(wide[:rows, :columns])
    if way == 1:
        return np.asfortranarray(wide[:rows, :columns])
    if way == 2:
        return wide[:rows, :columns]
    if way == 3:
        return wide.T[: 2 * columns + 3, : 2 * rows + 3][:columns, :rows].T
    if way == 4:
        return wide[: 2 * rows : 2, : 2 * columns : 2]
    if way == 5:
        return wide[:rows, :columns][::-1, ::-1]
    if way == 6:
        return np.broadcast_to(wide[:1, :columns], (rows, columns))
    return np.broadcast_to(wide[:rows, :1], (rows, columns))


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_products(kernels, library, dtype, suffix):
    rng, f = np.random.default_rng(0), product(kernels, dtype, suffix)
    sizes = [0, 1, 2, 3, 7, 17, 40]
    for _ in range(1500):
        m, n, k = (int(rng.choice(sizes)) for _ in range(3))
        a, b, c = strided(rng, m, k, dtype), strided(rng, k, n, dtype), strided(rng, m, n, dtype)
        alpha, beta = (dtype.type(rng.choice(numbers)) for numbers in ([1, -0.5, 2], [0, 1, 0.5]))
        if dtype.kind == "c" and rng.integers(2):
            alpha, beta = dtype.type(alpha * 1j), dtype.type(beta * (0.6 - 0.8j))
        if beta == 0:
            c = np.full((m, n), np.nan, dtype)
        result = f(a, b, c, alpha, beta)
        expected = alpha * (precise(a) @ precise(b)) + (beta * precise(c) if beta else 0)
        terms = 4 if dtype.kind == "c" else 1  # real products in one
        np.testing.assert_allclose(result[:, :n], expected, rtol=0, atol=300 * terms**0.5 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(result[:, n:], -7)  # nothing beyond the columns is written


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_large_products(kernels, library, dtype, suffix):
    rng, f = np.random.default_rng(1), product(kernels, dtype, suffix)
    for m, n, k in ((300, 70, 520), (1, 700, 300), (700, 1, 300), (65, 257, 129)):
        a, b = normal(rng, (k, m), dtype).T, normal(rng, (k, n), dtype)
        result = f(a, b, np.zeros((m, n), dtype), dtype.type(1), dtype.type(0))[:, :n]
        np.testing.assert_allclose(result, precise(a) @ precise(b), rtol=0, atol=2e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_nan_in_a_factor_spreads(kernels, library, dtype, suffix):
    f, scalars = product(kernels, dtype, suffix), (dtype.type(1), dtype.type(0))
    for n in (1, 5):
        a, b = np.zeros((3, 4), dtype), np.zeros((4, n), dtype)
        a[1, 2] = np.nan
        left = f(a, b, np.zeros((3, n), dtype), *scalars)[:, :n]
        right = f(b.T, a.T, np.zeros((n, 3), dtype), *scalars)[:, :3]
        for result in (left, right.T):
            np.testing.assert_array_equal(np.isnan(result), np.array([[False], [True], [False]]) * np.ones(n, bool))


class Memory:
    """Pages with forbidden ones before and after: an access to these ends the process."""

    def __init__(self, size):
        page = mmap.PAGESIZE
        self.size = -(-size // page) * page
        self.map = mmap.mmap(-1, self.size + 2 * page)
        start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        self.bytes = np.frombuffer(self.map, np.uint8)[page : page + self.size]
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        protect.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
        for address in (start, start + page + self.size):
            assert protect(address, page, 0) == 0

    def place(self, rng, rows, columns, dtype, strides):
        """A matrix of random numbers at the very end or the very start; the rest is NaN."""
        flat = self.bytes.view(dtype)
        flat[:] = np.nan
        extent = 1 + (rows - 1) * strides[0] + (columns - 1) * strides[1]
        start = rng.choice([0, len(flat) - extent])
        steps = [step * dtype.itemsize for step in strides]
        matrix = np.lib.stride_tricks.as_strided(flat[start:], (rows, columns), steps)
        matrix[:] = rng.standard_normal((rows, columns))
        return matrix


def some_strides(rng, rows, columns):
    """Strides of one of the ways in which a matrix lies in memory, counted in elements."""
    pad = int(rng.integers(1, 9))
    ways = [(columns, 1), (1, rows), (columns + pad, 1), (1, rows + pad), (2 * columns + pad, 2), (3, 3 * rows + pad)]
    return ways[rng.integers(0, len(ways))]


def multiply(alpha, a, b, beta, c):
    """c = alpha a b + beta c, by a direct call; c has contiguous rows."""
    real = ctypes.c_float if c.dtype == np.float32 else ctypes.c_double
    matrix = (ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    signature = ctypes.CFUNCTYPE(
        None, ctypes.c_void_p, *(ctypes.c_int64,) * 3, real, *matrix, *matrix, real, *matrix[:2]
    )
    table = ctypes.cast(_runtime.library_address(), ctypes.POINTER(ctypes.c_void_p))
    routine = signature(table[0 if c.dtype == np.float32 else 1])
    steps = [step // c.itemsize for x in (a, b, c) for step in x.strides]
    (m, k), n = a.shape, b.shape[1]
    routine(None, m, n, k, alpha, a.ctypes.data, *steps[:2], b.ctypes.data, *steps[2:4], beta, c.ctypes.data, steps[4])


def check_product(rng, dtype, shape, memories):
    """One product in guarded memory: its values, and that it reads and writes nothing else."""
    m, n, k = shape
    left, right, result = memories
    a = left.place(rng, m, k, dtype, some_strides(rng, m, k))
    b = right.place(rng, k, n, dtype, some_strides(rng, k, n))
    for x in (a, b):  # a minus in a stride does no harm either
        if rng.integers(0, 8) == 0:
            x[:] = x[::-1, ::-1].copy()
    if rng.integers(0, 8) == 0:
        a, b = a[::-1], b[:, ::-1]
    c = result.place(rng, m, n, dtype, (n + int(rng.choice([0, 0, 1, 5])), 1))
    alpha, beta = (float(rng.choice(values)) for values in ([1, -0.5, 0], [0, 1, 0.5]))
    wide = np.longdouble if dtype == np.float64 else np.float64
    start = c.astype(wide) if beta else np.zeros((m, n), wide)
    if beta == 0:
        c[:] = np.nan
    expected = alpha * (a.astype(wide) @ b.astype(wide)) + beta * start
    size = abs(alpha) * (abs(a).astype(wide) @ abs(b).astype(wide)) + abs(beta * start)
    multiply(alpha, a, b, beta, c)
    assert (abs(c - expected) <= (k + 4) * np.finfo(dtype).eps * size).all(), (shape, a.strides, b.strides, alpha, beta)
    c[:] = np.nan
    assert np.isnan(result.bytes.view(dtype)).all()  # nothing else was written


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")])
def test_products_touch_nothing_else(code, dtype):
    rng, memories = np.random.default_rng(3), [Memory(8 * 3 * 80 * 80) for _ in range(3)]
    for _ in range(1500):
        check_product(rng, dtype, [int(size) for size in rng.integers(1, 71, 3)], memories)
    edges = [1, 2, 3, 4, 5, 7, 8, 9, 13, 15, 16, 17, 29, 31, 32, 33, 63, 64, 65]
    for _ in range(1500):
        check_product(rng, dtype, [int(size) for size in rng.choice(edges, 3)], memories)


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")])
def test_products_of_many_panels(code, dtype):
    rng, memories = np.random.default_rng(4), [Memory(1 << 25) for _ in range(3)]
    for shape in ((100, 1000, 420), (33, 2100, 70), (6, 9000, 33), (430, 20, 900), (2, 3000, 401), (45, 700, 1201)):
        for _ in range(3):
            check_product(rng, dtype, shape, memories)


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")])
def test_rows_a_page_apart(code, dtype):
    """They are copied before they are used, and give the same bits; nothing beyond them is read."""
    rng, memory, page = np.random.default_rng(6), Memory(1 << 19), mmap.PAGESIZE // dtype.itemsize
    for m, n, k, column in ((30, 45, 300, 1), (14, 16, 2 * page, 1), (31, 330, 150, 3), (9, 70, 900, 1), (1, 40, 8, 1)):
        a = memory.place(rng, m, k, dtype, (2 * page, column))
        b, c = (rng.standard_normal(shape).astype(dtype) for shape in ((k, n), (m, n)))
        wanted = c.copy()
        multiply(0.3, np.ascontiguousarray(a), b, 0.7, wanted)
        multiply(0.3, a, b, 0.7, c)
        np.testing.assert_array_equal(c, wanted)


@pytest.mark.parametrize("dtype", [np.dtype("float32"), np.dtype("float64")])
def test_an_element_depends_on_its_row_and_column_only(dtype):
    """So a product may be cut in any way, over any number of threads."""
    if CODES[0] == "portable":
        pytest.skip("products are left to BLAS")
    rng = np.random.default_rng(5)
    for m, n, k in ((70, 90, 50), (61, 75, 900), (40, 70, 3), (50, 130, 1)):
        a, b, c = (rng.standard_normal(shape).astype(dtype) for shape in ((m, k), (k, n), (m, n)))
        whole = c.copy()
        multiply(0.3, a, b, 0.7, whole)
        for _ in range(60):
            (i, j), (p, q) = (np.sort(rng.choice(size + 1, 2, replace=False)) for size in (m, n))
            if j - i < 2 or q - p < 2:
                continue  # a vector is not a matrix
            left, right = a[i:j], b[:, p:q]
            part = np.full((j - i, q - p + 3), 9, dtype)[:, : q - p]
            part[:] = c[i:j, p:q]
            multiply(0.3, np.asfortranarray(left), right if p % 2 else np.asfortranarray(right), 0.7, part)
            np.testing.assert_array_equal(part, whole[i:j, p:q])


def test_products_in_threads_and_after_a_fork(code):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((150, 600)), rng.standard_normal((600, 170))

    def work(_):
        c = np.empty((150, 170))
        multiply(1.0, a, b, 0.0, c)
        return c

    expected = work(0)
    np.testing.assert_allclose(expected, a @ b, rtol=0, atol=1e-11)
    with ThreadPoolExecutor(4) as pool:
        assert all((result == expected).all() for result in pool.map(work, range(40)))
    child = os.fork()
    if child == 0:
        os._exit(0 if (work(0) == expected).all() else 1)
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
def test_products_without_memory():
    program = """
import resource, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from test_library import CODES, multiply, _runtime
a, b, c = np.random.rand(50, 700), np.random.rand(700, 90), np.empty((50, 90))
multiply(1.0, a[:2], b, 0.0, c[:2])  # makes what ctypes needs
_runtime.set_product_code(sys.argv[2])
with open("/proc/self/statm") as file:
    pages = int(file.read().split()[0])
limits = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), limits[1]))
multiply(1.0, a, b, 0.0, c)
resource.setrlimit(resource.RLIMIT_AS, limits)
np.testing.assert_allclose(c, a @ b, rtol=0, atol=1e-11)
"""
    for name in CODES:
        subprocess.run([sys.executable, "-c", program, os.path.dirname(__file__), name], check=True)


def test_codes_are_named():
    assert CODES[-1] == "portable"
    with pytest.raises(ValueError, match="no code for products called 'abacus'"):
        _runtime.set_product_code("abacus")


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_solutions(kernels, library, dtype, suffix):
    rng, f = np.random.default_rng(2), solver(kernels, dtype, suffix)
    for n in (0, 1, 2, 5, 30):
        for m in (0, 1, 3, 8):
            wide = np.result_type(dtype, "f8")
            a, x = normal(rng, (n, n), wide) + n * np.eye(n), normal(rng, (n, m), wide)
            a = a[rng.permutation(n)]  # pivots are needed
            kept = a.astype(dtype)
            result = f(kept, (a @ x).astype(dtype))
            assert result.shape == (n, m)
            np.testing.assert_allclose(result, x, rtol=0, atol=1e4 * np.finfo(dtype).eps)
            np.testing.assert_array_equal(kept, a.astype(dtype))


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_singular_systems_name_the_column(kernels, library, dtype, suffix):
    f = solver(kernels, dtype, suffix)
    a = np.array([[1, 2, 3], [2, 4, 5], [3, 6, 8]], dtype)
    with pytest.raises(ValueError, match=r"check 2 failed with \(2, 0, 0, 0\)"):
        f(a, np.ones((3, 1), dtype))
    assert np.isnan(f(np.full((2, 2), np.nan, dtype), np.ones((2, 1), dtype))).all()


def test_blas_comes_from_scipy():
    """In a fresh process: quickly, held to one thread, and without harm to a later import of scipy.linalg."""
    program = """
import sys
from agnesi.runtime import blas
assert blas.describe().startswith("own loops"), blas.describe()
assert "scipy" not in sys.modules
blas.ensure()
blas.ensure()
assert "scipy.linalg" not in sys.modules
assert blas.describe().startswith("SciPy's BLAS in "), blas.describe()
if blas.set_threads(1):
    assert "1 thread" in blas.describe()
    blas.set_threads(2)
    assert "2 threads" in blas.describe()
import numpy as np, scipy.linalg
from scipy.linalg import cython_blas, cython_lapack
assert scipy.linalg.cython_blas is cython_blas
assert abs(scipy.linalg.solve(np.eye(3) * 2, np.ones(3)) - 0.5).max() == 0
"""
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True)


def test_thread_counts_are_checked():
    with pytest.raises(ValueError, match="at least one"):
        blas.set_threads(0)
