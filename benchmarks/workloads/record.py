"""The record of a workload, and helpers that the builders of several families share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

Inputs = dict[str, np.ndarray]
Call = Callable[[], object]
Builder = Callable[[Inputs], Call]

SYSTEMS = ("agnesi", "numpy", "numexpr", "numba", "jax", "torch", "torch.compile", "pytensor", "by hand", "fast_math")
TOLERANCE = {"float32": 2e-5, "float64": 1e-12}


@dataclass(frozen=True)
class Workload:
    """One computation at one size, with a builder per system.

    `make` draws the inputs. A builder takes them and returns a function of no arguments that performs one call and
    returns finished outputs, which the caller may keep: no later call may change them. A builder imports its system
    itself, and copies what its calls change. All systems return the same outputs in the same order. `by_hand` is no
    system: loops in numba with a gradient derived by hand, to show what is possible. `fast_math` is agnesi's mode.
    """

    family: str
    name: str
    sizes: Mapping[str, int]
    dtype: str
    make: Callable[[np.random.Generator], Inputs]
    numpy: Builder
    agnesi: Builder | None = None
    numexpr: Builder | None = None
    numba: Builder | None = None
    jax: Builder | None = None
    torch: Builder | None = None
    torch_compile: Builder | None = None
    pytensor: Builder | None = None
    by_hand: Builder | None = None
    fast_math: Builder | None = None
    tolerance: float | None = None

    @property
    def title(self) -> str:
        """The name with the sizes."""
        return f"{self.name}, {', '.join(f'{key} = {short(size)}' for key, size in self.sizes.items())}"

    @property
    def allowed(self) -> float:
        """The relative error that counts as agreement."""
        return self.tolerance or TOLERANCE[self.dtype]

    def builder(self, system: str) -> Builder | None:
        """The builder for a system, or None if the system is not compared on this workload."""
        return getattr(self, system.replace(".", "_").replace(" ", "_"))


def short(size: int) -> str:
    """A size as text, powers of ten from a thousand as 1e3."""
    digits = str(size)
    power = len(digits) - 1
    return f"1e{power}" if power >= 3 and size == 10**power else digits


def stateful(call: Call, state: Callable[[], list[Any]]) -> Call:
    """The call, marked with a function that reads the state (parameters) its calls have changed."""
    call.state = state  # type: ignore[attr-defined]
    return call


def threads() -> int:
    """The number of threads every system may use in this run."""
    return int(os.environ.get("OMP_NUM_THREADS", "1"))


def jax_module(dtype: str) -> Any:
    """The module jax, with 64-bit types just if the workload needs them."""
    import jax

    jax.config.update("jax_enable_x64", dtype == "float64")
    return jax


def torch_module() -> Any:
    """The module torch, held to the threads of this run."""
    import torch

    torch.set_num_threads(threads())
    return torch


def pytensor_compiled(variables: list[Any], outputs: Any, inputs: Inputs) -> Call:
    """A call of a compiled function of PyTensor that takes NumPy arrays and trusts them."""
    import pytensor

    function = pytensor.function(variables, outputs)
    function.trust_input = True
    return partial(function, *inputs.values())


def pytensor_variables(inputs: Inputs) -> list[Any]:
    """Symbolic inputs of any sizes."""
    import pytensor.tensor as pt

    return [pt.tensor(name, dtype=value.dtype.name, shape=(None,) * value.ndim) for name, value in inputs.items()]


def torch_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under torch.compile in its default mode, specialised to its sizes and alone in the cache."""
    torch = torch_module()
    torch._dynamo.reset()
    return torch.compile(function, dynamic=False)


def numba_compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function under numba.njit; sums may be reordered, and prange is parallel if threads are allowed."""
    import numba

    return numba.njit(function, fastmath={"reassoc", "contract", "nsz"}, error_model="numpy", parallel=threads() > 1)
