"""Layer normalization of rows, and the gradient of sum(layer_norm(x) * w), in float32."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .record import Builder, Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module

EPSILON = 1e-5
NAMES = ("x", "gamma", "beta", "w")


def make(rows: int, columns: int, generator: np.random.Generator) -> Inputs:
    """The array, scale and shift per column, and the weights of the sum; positive, so that the sum is well behaved."""
    return {
        "x": generator.standard_normal((rows, columns), dtype="float32"),
        "gamma": generator.random(columns, dtype="float32") + np.float32(0.5),
        "beta": generator.random(columns, dtype="float32") + np.float32(0.5),
        "w": generator.random((rows, columns), dtype="float32"),
    }


def normalized(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows with mean 0 and variance 1, and one over their standard deviations."""
    centred = x - x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", centred, centred)[:, None] / x.shape[1]
    inverse = 1 / np.sqrt(variance + EPSILON)
    centred *= inverse
    return centred, inverse


def numpy_forward(inputs: Inputs) -> Call:
    """Few passes, in place where a temporary may be overwritten."""
    x, gamma, beta, _ = (inputs[name] for name in NAMES)

    def call() -> object:
        y, _ = normalized(x)
        y *= gamma
        y += beta
        return y

    return call


def numpy_gradient(inputs: Inputs) -> Call:
    """The gradient by hand."""
    x, gamma, beta, w = (inputs[name] for name in NAMES)

    def call() -> object:
        y, inverse = normalized(x)
        g_gamma, g_beta = np.einsum("ij,ij->j", y, w), w.sum(axis=0)
        cost = g_gamma @ gamma + g_beta @ beta
        d = w * gamma
        mean, slope = d.mean(axis=1, keepdims=True), np.einsum("ij,ij->i", d, y)[:, None] / x.shape[1]
        y *= slope
        d -= mean
        d -= y
        d *= inverse
        return cost, d, g_gamma, g_beta

    return call


def layer_norm(x: Any, gamma: Any, beta: Any, sqrt: Any) -> Any:
    """The definition, for systems that fuse by themselves."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred * centred).mean(-1, keepdims=True)
    return centred / sqrt(variance + EPSILON) * gamma + beta


def agnesi_variables() -> tuple[list[Any], Any]:
    """Symbolic inputs, and the normalized array."""
    import agnesi.tensor as at

    x, gamma, beta, w = at.fmatrix("x"), at.fvector("gamma"), at.fvector("beta"), at.fmatrix("w")
    return [x, gamma, beta, w], layer_norm(x, gamma, beta, at.sqrt)


def agnesi_forward(inputs: Inputs) -> Call:
    """The definition, compiled."""
    import agnesi as ag

    variables, y = agnesi_variables()
    return partial(ag.function(variables[:3], y), *(inputs[name] for name in NAMES[:3]))


def agnesi_gradient(inputs: Inputs) -> Call:
    """The cost and its gradient in one function."""
    import agnesi as ag

    variables, y = agnesi_variables()
    cost = (y * variables[3]).sum()
    return partial(ag.function(variables, [cost, *ag.grad(cost, variables[:3])]), *(inputs[name] for name in NAMES))


def numba_forward(inputs: Inputs) -> Call:
    """Explicit loops over rows."""
    import numba

    def call(x: np.ndarray, gamma: np.ndarray, beta: np.ndarray) -> np.ndarray:
        rows, columns = x.shape
        y = np.empty_like(x)
        for i in numba.prange(rows):
            total = np.float32(0)
            for j in range(columns):
                total += x[i, j]
            mean = total / np.float32(columns)
            square = np.float32(0)
            for j in range(columns):
                square += (x[i, j] - mean) * (x[i, j] - mean)
            inverse = np.float32(1) / np.sqrt(square / np.float32(columns) + np.float32(EPSILON))
            for j in range(columns):
                y[i, j] = (x[i, j] - mean) * inverse * gamma[j] + beta[j]
        return y

    return partial(numba_compiled(call), *(inputs[name] for name in NAMES[:3]))


def jax_forward(inputs: Inputs) -> Call:
    """The definition, jitted."""
    jax = jax_module("float32")
    function = jax.jit(lambda x, gamma, beta: layer_norm(x, gamma, beta, jax.numpy.sqrt))
    values = [jax.numpy.array(inputs[name]) for name in NAMES[:3]]
    return lambda: function(*values).block_until_ready()


def jax_gradient(inputs: Inputs) -> Call:
    """A jitted value_and_grad."""
    jax = jax_module("float32")

    def cost_of(x: Any, gamma: Any, beta: Any, w: Any) -> Any:
        return (layer_norm(x, gamma, beta, jax.numpy.sqrt) * w).sum()

    function = jax.jit(jax.value_and_grad(cost_of, argnums=(0, 1, 2)))
    values = [jax.numpy.array(inputs[name]) for name in NAMES]

    def call() -> object:
        return jax.block_until_ready(function(*values))

    return call


def torch_cost(x: Any, gamma: Any, beta: Any, w: Any) -> Any:
    """The cost with the library's own layer norm."""
    import torch

    return (torch.nn.functional.layer_norm(x, x.shape[1:], gamma, beta, EPSILON) * w).sum()


def torch_forward(inputs: Inputs) -> Call:
    """The library's own layer norm."""
    torch = torch_module()
    x, gamma, beta = (torch.from_numpy(inputs[name]) for name in NAMES[:3])
    return partial(torch.nn.functional.layer_norm, x, x.shape[1:], gamma, beta, EPSILON)


def torch_gradient(inputs: Inputs) -> Call:
    """The library's own layer norm with automatic gradients."""
    torch = torch_module()
    *variables, w = (torch.from_numpy(inputs[name]).clone() for name in NAMES)
    for variable in variables:
        variable.requires_grad_()

    def call() -> object:
        cost = torch_cost(*variables, w)
        return cost, *torch.autograd.grad(cost, variables)

    return call


def torch_compile_forward(inputs: Inputs) -> Call:
    """The library's own layer norm under torch.compile."""
    torch = torch_module()

    def forward(x: Any, gamma: Any, beta: Any) -> Any:
        return torch.nn.functional.layer_norm(x, x.shape[1:], gamma, beta, EPSILON)

    return partial(torch_compiled(forward), *(torch.from_numpy(inputs[name]) for name in NAMES[:3]))


def torch_compile_gradient(inputs: Inputs) -> Call:
    """Value and gradient in one compiled graph."""
    torch = torch_module()
    both = torch_compiled(torch.func.grad_and_value(torch_cost, argnums=(0, 1, 2)))
    values = [torch.from_numpy(inputs[name]) for name in NAMES]

    def call() -> object:
        gradients, cost = both(*values)
        return cost, *gradients

    return call


def workload(name: str, **builders: Builder) -> Workload:
    """A workload of this family with the given builders."""
    rows, columns = 512, 1024
    sizes = {"rows": rows, "columns": columns}
    return Workload("layer_norm", name, sizes, "float32", partial(make, rows, columns), **builders)


WORKLOADS = [
    workload(
        "layer norm",
        numpy=numpy_forward,
        agnesi=agnesi_forward,
        numba=numba_forward,
        jax=jax_forward,
        torch=torch_forward,
        torch_compile=torch_compile_forward,
    ),
    workload(
        "layer norm and gradient",
        numpy=numpy_gradient,
        agnesi=agnesi_gradient,
        jax=jax_gradient,
        torch=torch_gradient,
        torch_compile=torch_compile_gradient,
    ),
]
