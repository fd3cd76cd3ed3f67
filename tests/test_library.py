"""Products and solvers that generated code calls, by SciPy's BLAS and by own loops."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from agnesi import _runtime
from agnesi.runtime import blas
from dispatchers import REQUIRED, Function, build_kernels


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    return build_kernels(tmp_path_factory)


@pytest.fixture(params=["blas", "own loops"])
def library(request):
    """Runs a test with each kind of routines; BLAS is what stays."""
    blas.ensure()
    if request.param == "blas":
        yield
        return
    addresses = blas.routines()
    _runtime.set_library(0, 0, 0, 0, 0, 0)
    yield
    _runtime.set_library(*addresses)


TYPES = [(np.dtype("float32"), "f32"), (np.dtype("float64"), "f64")]


def product(kernels, dtype, suffix):
    shapes = (("a", 2), ("b", 2), ("c", 2), ("alpha", 0), ("beta", 0))
    inputs = tuple((name, dtype, ndim, REQUIRED) for name, ndim in shapes)
    return Function(kernels, (f"gemm_{suffix}",) * 2, inputs, (), (), ((dtype, 2),), (), "one")


def solver(kernels, dtype, suffix):
    inputs = (("a", dtype, 2, REQUIRED), ("b", dtype, 2, REQUIRED))
    return Function(kernels, (f"solve_{suffix}",) * 2, inputs, (), (), ((dtype, 2),), (), "one")


def strided(rng, rows, columns, dtype):
    """A random matrix that lies in memory in one of many ways."""
    way = rng.integers(0, 8)
    wide = rng.standard_normal((2 * rows + 3, 2 * columns + 3)).astype(dtype)
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
        alpha, beta = float(rng.choice([1, -0.5, 2])), float(rng.choice([0, 1, 0.5]))
        if beta == 0:
            c = np.full((m, n), np.nan, dtype)
        result = f(a, b, c, alpha, beta)
        expected = alpha * (a.astype("f8") @ b.astype("f8")) + (beta * c.astype("f8") if beta else 0)
        np.testing.assert_allclose(result[:, :n], expected, rtol=0, atol=300 * np.finfo(dtype).eps)
        np.testing.assert_array_equal(result[:, n:], -7)  # nothing beyond the columns is written


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_large_products(kernels, library, dtype, suffix):
    rng, f = np.random.default_rng(1), product(kernels, dtype, suffix)
    for m, n, k in ((300, 70, 520), (1, 700, 300), (700, 1, 300), (65, 257, 129)):
        a, b = rng.standard_normal((k, m)).astype(dtype).T, rng.standard_normal((k, n)).astype(dtype)
        result = f(a, b, np.zeros((m, n), dtype), 1.0, 0.0)[:, :n]
        np.testing.assert_allclose(result, a.astype("f8") @ b.astype("f8"), rtol=0, atol=2e3 * np.finfo(dtype).eps)


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_nan_in_a_factor_spreads(kernels, library, dtype, suffix):
    f = product(kernels, dtype, suffix)
    for n in (1, 5):
        a, b = np.zeros((3, 4), dtype), np.zeros((4, n), dtype)
        a[1, 2] = np.nan
        left = f(a, b, np.zeros((3, n), dtype), 1.0, 0.0)[:, :n]
        right = f(b.T, a.T, np.zeros((n, 3), dtype), 1.0, 0.0)[:, :3]
        for result in (left, right.T):
            np.testing.assert_array_equal(np.isnan(result), np.array([[False], [True], [False]]) * np.ones(n, bool))


@pytest.mark.parametrize(("dtype", "suffix"), TYPES)
def test_solutions(kernels, library, dtype, suffix):
    rng, f = np.random.default_rng(2), solver(kernels, dtype, suffix)
    for n in (0, 1, 2, 5, 30):
        for m in (0, 1, 3, 8):
            a, x = rng.standard_normal((n, n)) + n * np.eye(n), rng.standard_normal((n, m))
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
