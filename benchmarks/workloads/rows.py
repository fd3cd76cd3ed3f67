"""Many short rows: points in space, the channels of pixels, the scores of ten classes. No system is told their size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .reductions import SOFTMAX, workload


def numpy_unit(x: np.ndarray) -> np.ndarray:
    """Squares by einsum, which needs no temporary."""
    return x / np.sqrt(np.einsum("ij,ij->i", x, x))[:, None]


def numba_unit() -> Callable[..., Any]:
    """Explicit loops over rows."""
    import numba

    def unit(x: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        y = np.empty_like(x)
        for i in numba.prange(rows):
            total = 0.0
            for j in range(columns):
                total += x[i, j] * x[i, j]
            length = np.sqrt(total)
            for j in range(columns):
                y[i, j] = x[i, j] / length
        return y

    return unit


def numba_standard() -> Callable[..., Any]:
    """Explicit loops over pixels."""
    import numba

    def standard(x: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        y = np.empty_like(x)
        for i in numba.prange(rows):
            for j in range(columns):
                y[i, j] = (x[i, j] - mean[j]) / deviation[j]
        return y

    return standard


def numba_best() -> Callable[..., Any]:
    """Explicit loops over rows."""
    import numba

    def best(x: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        found = np.empty(rows, x.dtype)
        for i in numba.prange(rows):
            place = 0
            for j in range(1, columns):
                if x[i, j] > x[i, place]:
                    place = j
            found[i] = place
        return found

    return best


def numba_moved() -> Callable[..., Any]:
    """Explicit loops over points."""
    import numba

    def moved(m: np.ndarray, x: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        y = np.empty_like(x)
        for i in numba.prange(rows):
            for j in range(columns):
                total = 0.0
                for k in range(columns):
                    total += m[i, j, k] * x[i, k]
                y[i, j] = total
        return y

    return moved


UNIT = {
    "numpy": numpy_unit,
    "agnesi": lambda at, x: x / at.sqrt((x * x).sum(axis=1, keepdims=True)),
    "numba": numba_unit,
    "jax": lambda jax, x: x / jax.numpy.sqrt((x * x).sum(axis=1, keepdims=True)),
    "torch": lambda torch, x: x / (x * x).sum(1, keepdim=True).sqrt(),
}
STANDARD = {
    "numpy": lambda x, m, s: (x - m) / s,
    "agnesi": lambda at, x, m, s: (x - m) / s,
    "numba": numba_standard,
    "jax": lambda jax, x, m, s: (x - m) / s,
    "torch": lambda torch, x, m, s: (x - m) / s,
}
BEST = {
    "numpy": lambda x: x.argmax(axis=1).astype(x.dtype),
    "agnesi": lambda at, x: at.argmax(x, axis=1).astype(x.dtype),
    "numba": numba_best,
    "jax": lambda jax, x: jax.numpy.argmax(x, axis=1).astype(x.dtype),
    "torch": lambda torch, x: x.argmax(1).to(x.dtype),
}

MOVED = {
    "numpy": lambda m, x: np.matmul(m, x[:, :, None])[:, :, 0],
    "agnesi": lambda at, m, x: at.matmul(m, x[:, :, None])[:, :, 0],
    "numba": numba_moved,
    "jax": lambda jax, m, x: jax.numpy.matmul(m, x[:, :, None])[:, :, 0],
    "torch": lambda torch, m, x: torch.bmm(m, x[:, :, None])[:, :, 0],
}

POINTS, PIXELS, SCORES = (333_333, 3), (512 * 512, 3), (100_000, 10)
MATRICES = {"m": (100_000, 3, 3), "x": (100_000, 3)}


def sizes(shape: tuple[int, int]) -> dict[str, int]:
    """The names of the sizes of an array."""
    return dict(zip(("rows", "columns"), shape, strict=True))


WORKLOADS = [
    workload("unit vectors", sizes(POINTS), {"x": POINTS}, "float64", UNIT),
    workload("pixels less mean by deviation", sizes(PIXELS), {"x": PIXELS, "m": (3,), "s": (3,)}, "float32", STANDARD),
    workload("matrices by vectors", {"n": 10**5, "rows": 3, "columns": 3}, MATRICES, "float64", MOVED),
    workload("softmax", sizes(SCORES), {"x": SCORES}, "float32", SOFTMAX),
    workload("argmax over axis 1", sizes(SCORES), {"x": SCORES}, "float32", BEST),
]
