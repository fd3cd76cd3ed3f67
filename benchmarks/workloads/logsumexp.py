"""The logarithm of a sum of exponentials along either axis, and the gradient of its sum, in float32."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module


def make(n: int, generator: np.random.Generator) -> Inputs:
    """A square array."""
    return {"x": generator.standard_normal((n, n), dtype="float32")}


def numpy(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """The stable formula, exponentials computed once."""
    x = inputs["x"]

    def call() -> object:
        top = x.max(axis=axis, keepdims=True)
        e = x - top
        np.exp(e, out=e)
        total = e.sum(axis=axis, keepdims=True)
        result = np.squeeze(np.log(total) + top, axis)
        if not gradient:
            return result
        e /= total
        return result, e

    return call


def agnesi(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """One function with one output or two."""
    import agnesi as ag
    import agnesi.tensor as at

    x = at.fmatrix("x")
    y = at.logsumexp(x, axis=axis)
    return partial(ag.function([x], [y, ag.grad(y.sum(), x)] if gradient else y), inputs["x"])


def numba(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """Explicit loops along the rows or, for axis 0, over vectors of partial results; forward only."""
    import numba

    def rows(x: np.ndarray) -> np.ndarray:
        result = np.empty(x.shape[0], x.dtype)
        for i in numba.prange(x.shape[0]):
            top = x[i, 0]
            for j in range(x.shape[1]):
                top = max(top, x[i, j])
            total = np.float32(0)
            for j in range(x.shape[1]):
                total += np.exp(x[i, j] - top)
            result[i] = np.log(total) + top
        return result

    def columns(x: np.ndarray) -> np.ndarray:
        top = x[0].copy()
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                top[j] = max(top[j], x[i, j])
        total = np.zeros_like(top)
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                total[j] += np.exp(x[i, j] - top[j])
        return np.log(total) + top

    return partial(numba_compiled(rows if axis else columns), inputs["x"])


def jax(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """A jitted function, with the gradient as a vector-Jacobian product if wanted."""
    jax = jax_module("float32")
    x = jax.numpy.array(inputs["x"])

    def forward(x: Any) -> Any:
        return jax.nn.logsumexp(x, axis=axis)

    def both(x: Any) -> Any:
        y, back = jax.vjp(forward, x)
        return y, *back(jax.numpy.ones_like(y))

    function = jax.jit(both if gradient else forward)
    return lambda: jax.block_until_ready(function(x))


def torch(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """The library's own function, with automatic gradients if wanted."""
    torch = torch_module()
    x = torch.from_numpy(inputs["x"])
    if not gradient:
        return partial(torch.logsumexp, x, axis)
    x = x.clone().requires_grad_()

    def call() -> object:
        y = torch.logsumexp(x, axis)
        return y, *torch.autograd.grad(y.sum(), x)

    return call


def torch_compile(axis: int, gradient: bool, inputs: Inputs) -> Call:
    """The library's own function, compiled together with its gradient."""
    torch = torch_module()

    def forward(x: Any) -> Any:
        return torch.logsumexp(x, axis)

    def both(x: Any) -> Any:
        y, back = torch.func.vjp(forward, x)
        return y, *back(torch.ones_like(y))

    return partial(torch_compiled(both if gradient else forward), torch.from_numpy(inputs["x"]))


def workload(axis: int, gradient: bool) -> Workload:
    """The workload for one axis, with the gradient or without."""
    builders = {"numpy": numpy, "agnesi": agnesi, "jax": jax, "torch": torch, "torch_compile": torch_compile}
    if not gradient:
        builders["numba"] = numba
    return Workload(
        "logsumexp",
        f"logsumexp over axis {axis}{' and gradient' if gradient else ''}",
        {"rows": 2000, "columns": 2000},
        "float32",
        partial(make, 2000),
        **{name: partial(builder, axis, gradient) for name, builder in builders.items()},
    )


WORKLOADS = [workload(axis, gradient) for gradient in (False, True) for axis in (0, 1)]
