"""Long elementwise formulas on a million elements: the Black-Scholes prices, and three elementary functions in one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from .record import (
    Call,
    Inputs,
    Workload,
    jax_module,
    numba_compiled,
    pytensor_compiled,
    pytensor_variables,
    torch_compiled,
    torch_module,
)

N = 10**6
RATE = 0.03


def make_options(dtype: str, generator: np.random.Generator) -> Inputs:
    """Prices of the stock, strikes, years to maturity and volatilities."""
    ranges = {"spot": (80, 120), "strike": (80, 120), "years": (0.1, 2), "volatility": (0.1, 0.5)}
    return {name: generator.uniform(low, high, N).astype(dtype) for name, (low, high) in ranges.items()}


def make_normal(dtype: str, generator: np.random.Generator) -> Inputs:
    """Three vectors of normal numbers."""
    return {name: generator.standard_normal(N).astype(dtype) for name in "xyz"}


def normal(f: Any, x: Any) -> Any:
    """The normal distribution function, in the form that a system computes fastest."""
    own = getattr(f, "normal_cdf", None)
    return own(x) if own else 0.5 + 0.5 * f.erf(x * 0.5**0.5)


def black_scholes(f: Any, spot: Any, strike: Any, years: Any, volatility: Any) -> Any:
    """Prices of a call and of a put with the functions of a system; the put by parity."""
    spread = volatility * f.sqrt(years)
    d = (f.log(spot / strike) + (RATE + 0.5 * volatility * volatility) * years) / spread
    present = strike * f.exp(-RATE * years)
    call = spot * normal(f, d) - present * normal(f, d - spread)
    return call, call - spot + present


def mixture(f: Any, x: Any, y: Any, z: Any) -> Any:
    """Three elementary functions."""
    return f.sigmoid(x) * f.tanh(y) + f.exp(-(z**2))


def numpy_functions() -> Any:
    """NumPy's and SciPy's functions."""
    from scipy import special

    return SimpleNamespace(
        sqrt=np.sqrt, log=np.log, exp=np.exp, tanh=np.tanh, erf=special.erf, sigmoid=lambda x: 1 / (1 + np.exp(-x))
    )


def jax_functions(dtype: str) -> Any:
    """JAX's functions; its erfc of doubles takes an eighth of the time of its erf."""
    jax = jax_module(dtype)
    jnp = jax.numpy
    wide = {"normal_cdf": lambda x: 0.5 * jax.lax.erfc(x * -(0.5**0.5))} if dtype == "float64" else {}
    return SimpleNamespace(
        sqrt=jnp.sqrt, log=jnp.log, exp=jnp.exp, tanh=jnp.tanh, erf=jax.lax.erf, sigmoid=jax.nn.sigmoid, **wide
    )


@dataclass(frozen=True)
class Formula:
    """A formula in one precision; the same function of a system's functions and of arrays serves every system."""

    name: str
    function: Callable[..., Any]
    make: Callable[[str, np.random.Generator], Inputs]
    dtype: str

    def numpy(self, inputs: Inputs) -> Call:
        """The formula applied to arrays."""
        return partial(self.function, numpy_functions(), *inputs.values())

    def agnesi(self, inputs: Inputs) -> Call:
        """One compiled function of vectors."""
        import agnesi as ag
        import agnesi.tensor as at

        functions = SimpleNamespace(sqrt=at.sqrt, log=at.log, exp=at.exp, tanh=at.tanh, erf=at.erf, sigmoid=at.sigmoid)
        variables = [at.vector(name, dtype=self.dtype) for name in inputs]
        results = self.function(functions, *variables)
        outputs = list(results) if isinstance(results, tuple) else results
        return partial(ag.function(variables, outputs), *inputs.values())

    def jax(self, inputs: Inputs) -> Call:
        """A jitted function of device arrays, waited for."""
        jax = jax_module(self.dtype)
        function = jax.jit(partial(self.function, jax_functions(self.dtype)))
        values = [jax.numpy.array(value) for value in inputs.values()]
        return lambda: jax.block_until_ready(function(*values))

    def pytensor(self, inputs: Inputs) -> Call:
        """One compiled function of vectors; numbers in it have its precision."""
        import pytensor
        import pytensor.tensor as pt

        pytensor.config.floatX = self.dtype
        variables = pytensor_variables(inputs)
        results = self.function(pt, *variables)
        return pytensor_compiled(variables, list(results) if isinstance(results, tuple) else results, inputs)

    def torch(self, inputs: Inputs) -> Call:
        """Eager operations on tensors without gradients."""
        return partial(self.function, torch_module(), *map(torch_module().from_numpy, inputs.values()))

    def torch_compile(self, inputs: Inputs) -> Call:
        """The function under torch.compile."""
        torch = torch_module()
        function, formula = self.function, torch

        def call(*values: Any) -> Any:
            return function(formula, *values)

        return partial(torch_compiled(call), *map(torch.from_numpy, inputs.values()))


def numba_black_scholes(dtype: str, inputs: Inputs) -> Call:
    """An explicit loop; numbers are typed, because numba would promote float32 to float64."""
    import numba

    rate, half, root = (np.dtype(dtype).type(value) for value in (RATE, 0.5, 0.5**0.5))

    def prices(spot: np.ndarray, strike: np.ndarray, years: np.ndarray, volatility: np.ndarray) -> Any:
        calls, puts = np.empty_like(spot), np.empty_like(spot)
        for i in numba.prange(spot.size):
            s, t, v = spot[i], years[i], volatility[i]
            spread = v * math.sqrt(t)
            d = (math.log(s / strike[i]) + (rate + half * v * v) * t) / spread
            present = strike[i] * math.exp(-rate * t)
            call = s * (half + half * math.erf(d * root)) - present * (half + half * math.erf((d - spread) * root))
            calls[i] = call
            puts[i] = call - s + present
        return calls, puts

    return partial(numba_compiled(prices), *inputs.values())


def numba_mixture(dtype: str, inputs: Inputs) -> Call:
    """An explicit loop."""
    import numba

    one = np.dtype(dtype).type(1)

    def mixture(x: np.ndarray, y: np.ndarray, z: np.ndarray) -> np.ndarray:
        result = np.empty_like(x)
        for i in numba.prange(x.size):
            result[i] = math.tanh(y[i]) / (one + math.exp(-x[i])) + math.exp(-z[i] * z[i])
        return result

    return partial(numba_compiled(mixture), *inputs.values())


def numexpr_mixture(inputs: Inputs) -> Call:
    """The expression evaluated again; numexpr has neither sigmoid nor, for the other formula, erf."""
    import numexpr

    numexpr.evaluate("tanh(y) / (1 + exp(-x)) + exp(-z*z)", local_dict=inputs)
    return partial(numexpr.re_evaluate, local_dict=inputs)


def workload(family: str, formula: Formula, **builders: Any) -> Workload:
    """The workload of one formula in one precision."""
    return Workload(
        family,
        formula.name,
        {"n": N},
        formula.dtype,
        partial(formula.make, formula.dtype),
        numpy=formula.numpy,
        agnesi=formula.agnesi,
        jax=formula.jax,
        torch=formula.torch,
        torch_compile=formula.torch_compile,
        pytensor=formula.pytensor,
        **builders,
    )


def workloads(dtype: str) -> list[Workload]:
    """Both formulas in one precision."""
    options = Formula("Black-Scholes call and put", black_scholes, make_options, dtype)
    mixed = Formula("`sigmoid(x)*tanh(y) + exp(-z**2)`", mixture, make_normal, dtype)
    return [
        workload("black_scholes", options, numba=partial(numba_black_scholes, dtype)),
        workload("mixture", mixed, numba=partial(numba_mixture, dtype), numexpr=numexpr_mixture),
    ]


WORKLOADS = [*workloads("float64"), *workloads("float32")]
