"""Random normal numbers: an array of them, and the mean of a function of them, which needs no array.

Systems make different numbers, so arrays are compared by shape and dtype, and means within what chance allows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module

N = 1_000_000
CHANCE = 0.005  # some standard errors of the mean


def none(generator: np.random.Generator) -> Inputs:
    """There are no inputs."""
    return {}


def numbers(x: Any, exp: Any) -> Any:
    """The numbers themselves."""
    return x


def mean(x: Any, exp: Any) -> Any:
    """The mean of a function of the numbers."""
    return exp(x / 4).mean()


def numpy_call(function: Callable[..., Any], dtype: str, inputs: Inputs) -> Call:
    """NumPy's own generator, whatever precision the check asks for."""
    generator = np.random.default_rng(1)
    return lambda: [function(generator.standard_normal(N, dtype), np.exp)]


def agnesi_call(function: Callable[..., Any], dtype: str, inputs: Inputs) -> Call:
    """A stream of fresh numbers."""
    import agnesi as ag
    import agnesi.tensor as at

    return ag.function([], [function(at.random.RandomStream(1).normal(size=(N,), dtype=dtype), at.exp)])


def jax_call(function: Callable[..., Any], dtype: str, inputs: Inputs) -> Call:
    """A key that is split in every call."""
    jax = jax_module(dtype)

    @jax.jit
    def step(key: Any) -> Any:
        key, own = jax.random.split(key)
        return key, function(jax.random.normal(own, (N,), dtype), jax.numpy.exp)

    key = jax.random.key(1)

    def call() -> object:
        nonlocal key
        key, value = jax.block_until_ready(step(key))
        return [value]

    return call


def torch_call(function: Callable[..., Any], dtype: str, compiled: bool, inputs: Inputs) -> Call:
    """PyTorch's default generator."""
    torch = torch_module()
    kind = getattr(torch, dtype)

    def plain() -> Any:
        return function(torch.randn(N, dtype=kind), torch.exp)

    chosen = torch_compiled(plain) if compiled else plain
    return lambda: [chosen()]


def numba_call(dtype: str, inputs: Inputs) -> Call:
    """A loop that draws one number at a time."""
    import math

    def loop(n: int) -> float:
        total = 0.0
        for _ in range(n):
            total += math.exp(np.random.normal() / 4)
        return total / n

    made = numba_compiled(loop)
    return lambda: [np.asarray(made(N), dtype)]


def workload(name: str, function: Callable[..., Any], dtype: str, tolerance: float) -> Workload:
    """One row."""
    return Workload(
        "random",
        name,
        {"n": N},
        dtype,
        none,
        numpy=partial(numpy_call, function, dtype),
        agnesi=partial(agnesi_call, function, dtype),
        jax=partial(jax_call, function, dtype),
        torch=partial(torch_call, function, dtype, False),
        torch_compile=partial(torch_call, function, dtype, True),
        numba=partial(numba_call, dtype) if function is mean and dtype == "float64" else None,
        tolerance=tolerance,
    )


WORKLOADS = [
    *(workload("normal numbers", numbers, dtype, 10.0) for dtype in ("float64", "float32")),
    *(workload("mean of `exp(z / 4)` of normal numbers", mean, dtype, CHANCE) for dtype in ("float64", "float32")),
]
