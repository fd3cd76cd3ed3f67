"""Softmax cross-entropy: the mean over rows, and its gradient with respect to the logits, in float32."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module


def make(rows: int, columns: int, generator: np.random.Generator) -> Inputs:
    """Logits, and a label for each row."""
    x = generator.standard_normal((rows, columns), dtype="float32")
    return {"x": x, "y": generator.integers(0, columns, rows)}


def numpy_loss(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean cross-entropy of logits `x` with labels `y`, and its gradient; overwrites nothing."""
    rows = np.arange(len(y))
    shifted = x - x.max(axis=1, keepdims=True)
    g = np.exp(shifted)
    total = g.sum(axis=1, keepdims=True)
    cost = (np.log(total[:, 0]) - shifted[rows, y]).mean()
    g /= total
    g[rows, y] -= 1
    g /= len(y)
    return cost, g


def numpy(inputs: Inputs) -> Call:
    """The gradient by hand, exponentials computed once."""
    return partial(numpy_loss, inputs["x"], inputs["y"])


def agnesi_loss(x: Any, y: Any) -> Any:
    """The mean cross-entropy as one would write it down."""
    import agnesi.tensor as at

    return -at.log(at.nnet.softmax(x))[at.arange(y.shape[0]), y].mean()


def agnesi(inputs: Inputs) -> Call:
    """One function with two outputs."""
    import agnesi as ag
    import agnesi.tensor as at

    x, y = at.fmatrix("x"), at.lvector("y")
    cost = agnesi_loss(x, y)
    return partial(ag.function([x, y], [cost, ag.grad(cost, x)]), inputs["x"], inputs["y"])


def numba(inputs: Inputs) -> Call:
    """Explicit loops over rows, the gradient by hand."""
    import numba

    def loss(x: np.ndarray, y: np.ndarray) -> tuple[np.float32, np.ndarray]:
        rows, columns = x.shape
        costs, g = np.empty(rows, x.dtype), np.empty_like(x)
        for i in numba.prange(rows):
            top = x[i, 0]
            for j in range(columns):
                top = max(top, x[i, j])
            total = np.float32(0)
            for j in range(columns):
                g[i, j] = np.exp(x[i, j] - top)
                total += g[i, j]
            scale = np.float32(1) / (total * np.float32(rows))
            for j in range(columns):
                g[i, j] *= scale
            g[i, y[i]] -= np.float32(1) / np.float32(rows)
            costs[i] = np.log(total) + top - x[i, y[i]]
        return costs.mean(), g

    return partial(numba_compiled(loss), inputs["x"], inputs["y"])


def jax_loss(x: Any, y: Any) -> Any:
    """The mean cross-entropy in JAX; of six ways to write it the one XLA compiles best."""
    import jax

    return (jax.nn.logsumexp(x, axis=1) - jax.numpy.take_along_axis(x, y[:, None], axis=1)[:, 0]).mean()


def jax(inputs: Inputs) -> Call:
    """A jitted value_and_grad."""
    jax = jax_module("float32")
    function = jax.jit(jax.value_and_grad(jax_loss))
    x, y = jax.numpy.array(inputs["x"]), jax.numpy.array(inputs["y"])
    return lambda: jax.block_until_ready(function(x, y))


def torch(inputs: Inputs) -> Call:
    """The library's own loss with automatic gradients."""
    torch = torch_module()
    x, y = torch.from_numpy(inputs["x"]).clone().requires_grad_(), torch.from_numpy(inputs["y"])

    def call() -> object:
        cost = torch.nn.functional.cross_entropy(x, y)
        return cost, *torch.autograd.grad(cost, x)

    return call


def torch_compile(inputs: Inputs) -> Call:
    """Value and gradient in one compiled graph."""
    torch = torch_module()
    both = torch_compiled(torch.func.grad_and_value(torch.nn.functional.cross_entropy))
    x, y = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"])

    def call() -> object:
        g, cost = both(x, y)
        return cost, g

    return call


WORKLOADS = [
    Workload(
        "cross_entropy",
        "softmax cross-entropy and gradient",
        {"rows": 128, "columns": 10000},
        "float32",
        partial(make, 128, 10000),
        numpy=numpy,
        agnesi=agnesi,
        numba=numba,
        jax=jax,
        torch=torch,
        torch_compile=torch_compile,
    )
]
