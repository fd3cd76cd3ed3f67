"""Elementwise expressions: the four of the paper that introduced Theano (Bergstra et al. 2010), in float64."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, numba_compiled, torch_compiled, torch_module


@dataclass(frozen=True)
class Expression:
    """An expression as text and as a function; the same function serves every system but numexpr."""

    text: str
    names: tuple[str, ...]
    function: Callable[..., Any]

    def numpy(self, inputs: Inputs) -> Call:
        """The function applied to arrays, as one writes it."""
        return partial(self.function, *self.values(inputs))

    def agnesi(self, inputs: Inputs) -> Call:
        """One compiled function of vectors."""
        import agnesi as ag
        import agnesi.tensor as at

        variables = [at.dvector(name) for name in self.names]
        return partial(ag.function(variables, self.function(*variables)), *self.values(inputs))

    def numexpr(self, inputs: Inputs) -> Call:
        """The expression validated and compiled once, then evaluated again."""
        import numexpr

        values = dict(zip(self.names, self.values(inputs), strict=True))
        numexpr.evaluate(self.text, local_dict=values)
        return partial(numexpr.re_evaluate, local_dict=values)

    def numba(self, inputs: Inputs) -> Call:
        """An explicit loop; with `prange`, which is `range` where one thread is allowed."""
        import numba

        scalar = numba.njit(self.function)

        def unary(a: np.ndarray) -> np.ndarray:
            result = np.empty_like(a)
            for i in numba.prange(a.size):
                result[i] = scalar(a[i])
            return result

        def binary(a: np.ndarray, b: np.ndarray) -> np.ndarray:
            result = np.empty_like(a)
            for i in numba.prange(a.size):
                result[i] = scalar(a[i], b[i])
            return result

        return partial(numba_compiled(unary if len(self.names) == 1 else binary), *self.values(inputs))

    def jax(self, inputs: Inputs) -> Call:
        """A jitted function of device arrays, waited for."""
        jax = jax_module("float64")
        function, values = jax.jit(self.function), [jax.numpy.array(value) for value in self.values(inputs)]
        return lambda: function(*values).block_until_ready()

    def torch(self, inputs: Inputs) -> Call:
        """Eager operations on tensors without gradients."""
        torch = torch_module()
        return partial(self.function, *map(torch.from_numpy, self.values(inputs)))

    def torch_compile(self, inputs: Inputs) -> Call:
        """The function under torch.compile."""
        torch = torch_module()
        return partial(torch_compiled(self.function), *map(torch.from_numpy, self.values(inputs)))

    def values(self, inputs: Inputs) -> list[np.ndarray]:
        """The inputs that the expression reads."""
        return [inputs[name] for name in self.names]


EXPRESSIONS = (
    Expression("a + 1", ("a",), lambda a: a + 1),
    Expression("2*a + 3*b", ("a", "b"), lambda a, b: 2 * a + 3 * b),
    Expression("a**2 + b**2 + 2*a*b", ("a", "b"), lambda a, b: a**2 + b**2 + 2 * a * b),
    Expression("2*a + b**10", ("a", "b"), lambda a, b: 2 * a + b**10),
)


def make(n: int, generator: np.random.Generator) -> Inputs:
    """Two vectors of numbers between 0 and 1."""
    return {"a": generator.random(n), "b": generator.random(n)}


def workload(expression: Expression, n: int) -> Workload:
    """The workload of one expression at one size."""
    return Workload(
        "elementwise",
        f"`{expression.text}`",
        {"n": n},
        "float64",
        partial(make, n),
        numpy=expression.numpy,
        agnesi=expression.agnesi,
        numexpr=expression.numexpr,
        numba=expression.numba,
        jax=expression.jax,
        torch=expression.torch,
        torch_compile=expression.torch_compile,
    )


WORKLOADS = [workload(expression, n) for expression in EXPRESSIONS for n in (10**3, 10**4, 10**5, 10**6, 10**7)]
