"""Reductions: softmax of rows, the mean squared difference of two vectors, the standard deviation of columns."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module


def make(shapes: dict[str, tuple[int, ...]], dtype: str, generator: np.random.Generator) -> Inputs:
    """Normal numbers around 1, so that sums are well behaved."""
    return {
        name: generator.standard_normal(shape, dtype=dtype) + np.dtype(dtype).type(1) for name, shape in shapes.items()
    }


def numpy_softmax(x: np.ndarray) -> np.ndarray:
    """In place after the first step."""
    y = x - x.max(axis=1, keepdims=True)
    np.exp(y, out=y)
    y /= y.sum(axis=1, keepdims=True)
    return y


def numba_softmax() -> Callable[..., Any]:
    """Explicit loops over rows."""
    import numba

    def softmax(x: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        y = np.empty_like(x)
        for i in numba.prange(rows):
            top = x[i, 0]
            for j in range(columns):
                top = max(top, x[i, j])
            total = np.float32(0)
            for j in range(columns):
                y[i, j] = np.exp(x[i, j] - top)
                total += y[i, j]
            scale = np.float32(1) / total
            for j in range(columns):
                y[i, j] *= scale
        return y

    return softmax


def difference(a: Any, b: Any) -> Any:
    """The mean squared difference, for systems that fuse by themselves."""
    return ((a - b) ** 2).mean()


def numpy_difference(a: np.ndarray, b: np.ndarray) -> Any:
    """One temporary, and a product of it with itself."""
    c = a - b
    return np.dot(c, c) / c.size


def numba_difference() -> Callable[..., Any]:
    """An explicit loop."""
    import numba

    def difference(a: np.ndarray, b: np.ndarray) -> float:
        total = 0.0
        for i in numba.prange(a.size):
            total += (a[i] - b[i]) ** 2
        return total / a.size

    return difference


def numpy_deviation(x: np.ndarray) -> np.ndarray:
    """The mean first, then the squares of what is left."""
    centred = x - x.mean(axis=0)
    return np.sqrt(np.einsum("ij,ij->j", centred, centred) / len(x))


def numba_deviation() -> Callable[..., Any]:
    """Explicit loops in the order of memory."""

    def deviation(x: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        mean, square = np.zeros(columns), np.zeros(columns)
        for i in range(rows):
            for j in range(columns):
                mean[j] += x[i, j]
        mean /= rows
        for i in range(rows):
            for j in range(columns):
                square[j] += (x[i, j] - mean[j]) ** 2
        return np.sqrt(square / rows)

    return deviation


def numpy(function: Callable[..., Any], inputs: Inputs) -> Call:
    """The function applied to the arrays."""
    return partial(function, *inputs.values())


def agnesi(function: Callable[..., Any], dtype: str, inputs: Inputs) -> Call:
    """The function, compiled; it gets the module and the variables."""
    import agnesi as ag
    import agnesi.tensor as at

    variables = [at.tensor(name, dtype=dtype, shape=(None,) * value.ndim) for name, value in inputs.items()]
    return partial(ag.function(variables, function(at, *variables)), *inputs.values())


def numba(function: Callable[..., Any], inputs: Inputs) -> Call:
    """The loops, compiled."""
    return partial(numba_compiled(function()), *inputs.values())


def jax(function: Callable[..., Any], dtype: str, inputs: Inputs) -> Call:
    """The function jitted, of device arrays, waited for."""
    jax = jax_module(dtype)
    jitted, values = jax.jit(partial(function, jax)), [jax.numpy.array(value) for value in inputs.values()]
    return lambda: jitted(*values).block_until_ready()


def torch(function: Callable[..., Any], inputs: Inputs) -> Call:
    """Eager operations."""
    torch = torch_module()
    return partial(function, torch, *map(torch.from_numpy, inputs.values()))


def torch_compile(function: Callable[..., Any], inputs: Inputs) -> Call:
    """The function under torch.compile."""
    torch = torch_module()

    def call(*values: Any) -> Any:
        return function(torch, *values)

    return partial(torch_compiled(call), *map(torch.from_numpy, inputs.values()))


def workload(
    name: str,
    sizes: dict[str, int],
    shapes: dict[str, tuple[int, ...]],
    dtype: str,
    functions: dict[str, Callable[..., Any]],
) -> Workload:
    """The workload of one reduction; `functions` has one for numpy, agnesi, numba, jax and torch."""
    return Workload(
        "reductions",
        name,
        sizes,
        dtype,
        partial(make, shapes, dtype),
        numpy=partial(numpy, functions["numpy"]),
        agnesi=partial(agnesi, functions["agnesi"], dtype),
        numba=partial(numba, functions["numba"]),
        jax=partial(jax, functions["jax"], dtype),
        torch=partial(torch, functions["torch"]),
        torch_compile=partial(torch_compile, functions["torch"]),
    )


SOFTMAX = {
    "numpy": numpy_softmax,
    "agnesi": lambda at, x: at.nnet.softmax(x),
    "numba": numba_softmax,
    "jax": lambda jax, x: jax.nn.softmax(x, axis=1),
    "torch": lambda torch, x: torch.softmax(x, 1),
}
DIFFERENCE = {
    "numpy": numpy_difference,
    "agnesi": lambda at, a, b: difference(a, b),
    "numba": numba_difference,
    "jax": lambda jax, a, b: difference(a, b),
    "torch": lambda torch, a, b: torch.nn.functional.mse_loss(a, b),
}
DEVIATION = {
    "numpy": numpy_deviation,
    "agnesi": lambda at, x: at.std(x, axis=0),
    "numba": numba_deviation,
    "jax": lambda jax, x: jax.numpy.std(x, axis=0),
    "torch": lambda torch, x: torch.std(x, 0, correction=0),
}

WORKLOADS = [
    workload("softmax", {"rows": 128, "columns": 10000}, {"x": (128, 10000)}, "float32", SOFTMAX),
    workload("mean squared difference", {"n": 10**7}, {"a": (10**7,), "b": (10**7,)}, "float64", DIFFERENCE),
    workload(
        "standard deviation over axis 0", {"rows": 1000, "columns": 1000}, {"x": (1000, 1000)}, "float64", DEVIATION
    ),
]
