"""The cost of a call: arithmetic on three numbers, with one output and with three, in float32."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module


def make(generator: np.random.Generator) -> Inputs:
    """Three numbers."""
    return {"x": generator.random(3, dtype="float32")}


def one(x: Any) -> Any:
    """One output."""
    return x + 1


def three(x: Any) -> Any:
    """Three outputs."""
    return x + 1, x * 2, x - 3


FUNCTIONS = {1: one, 3: three}


def numpy(outputs: int, inputs: Inputs) -> Call:
    """NumPy as it is."""
    return partial(FUNCTIONS[outputs], inputs["x"])


def agnesi(outputs: int, inputs: Inputs) -> Call:
    """A compiled function."""
    import agnesi as ag
    import agnesi.tensor as at

    x = at.fvector("x")
    results = FUNCTIONS[outputs](x)
    return partial(ag.function([x], results if outputs == 1 else list(results)), inputs["x"])


def numexpr(outputs: int, inputs: Inputs) -> Call:
    """A compiled expression evaluated again; numexpr has no second output."""
    import numexpr

    numexpr.evaluate("x + 1", local_dict=inputs)
    return partial(numexpr.re_evaluate, local_dict=inputs)


def numba(outputs: int, inputs: Inputs) -> Call:
    """Array expressions; the constants are typed, because numba would promote integers to float64."""
    c1, c2, c3 = np.float32([1, 2, 3])

    def one(x: np.ndarray) -> np.ndarray:
        return x + c1

    def three(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return x + c1, x * c2, x - c3

    return partial(numba_compiled(one if outputs == 1 else three), inputs["x"])


def jax(outputs: int, inputs: Inputs) -> Call:
    """A jitted function of a device array, waited for."""
    jax = jax_module("float32")
    function, x = jax.jit(FUNCTIONS[outputs]), jax.numpy.array(inputs["x"])
    if outputs == 1:
        return lambda: function(x).block_until_ready()
    return lambda: jax.block_until_ready(function(x))


def torch(outputs: int, inputs: Inputs) -> Call:
    """Eager operations."""
    return partial(FUNCTIONS[outputs], torch_module().from_numpy(inputs["x"]))


def torch_compile(outputs: int, inputs: Inputs) -> Call:
    """The function under torch.compile."""
    return partial(torch_compiled(FUNCTIONS[outputs]), torch_module().from_numpy(inputs["x"]))


def workload(outputs: int) -> Workload:
    """The workload with one output or three."""
    builders = {"numpy": numpy, "agnesi": agnesi, "numba": numba, "jax": jax}
    builders |= {"torch": torch, "torch_compile": torch_compile}
    if outputs == 1:
        builders["numexpr"] = numexpr
    name = "call of `x + 1`" if outputs == 1 else "call of `x + 1, x * 2, x - 3`"
    return Workload(
        "overhead",
        name,
        {"n": 3},
        "float32",
        make,
        **{system: partial(builder, outputs) for system, builder in builders.items()},
    )


WORKLOADS = [workload(1), workload(3)]
