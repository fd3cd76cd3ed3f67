"""Log-densities with their gradients, as samplers call them: a normal sample and two hierarchical regressions, float64.

Each model is one function of its parameters and data, written once for agnesi, JAX and torch; the gradient "by hand" is
in loops that numba compiles, or in NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True)
class Model:
    """A log-density: `density(f, *parameters, *data)` with a system's functions `f`, and by hand in NumPy and numba.

    parameters: how many of the inputs, in order, the gradient is taken with respect to.
    """

    name: str
    sizes: dict[str, int]
    make: Callable[[np.random.Generator], Inputs]
    parameters: int
    density: Callable[..., Any]
    numpy_gradient: Callable[..., Any]
    numba_gradient: Callable[..., Any]

    def numpy(self, inputs: Inputs) -> Call:
        """The gradient by hand, on arrays."""
        return partial(self.numpy_gradient, *inputs.values())

    def by_hand(self, inputs: Inputs) -> Call:
        """The gradient by hand, in loops."""
        return partial(numba_compiled(self.numba_gradient), *inputs.values())

    def agnesi(self, inputs: Inputs, mode: str = "fast_run") -> Call:
        """One function of all inputs."""
        import agnesi as ag
        import agnesi.tensor as at

        variables = [
            at.tensor(name, dtype=value.dtype.name, shape=(None,) * value.ndim) for name, value in inputs.items()
        ]
        value = self.density(at, *variables)
        gradients = ag.grad(value, variables[: self.parameters])
        return partial(ag.function(variables, [value, *gradients], mode=mode), *inputs.values())

    def fast_math(self, inputs: Inputs) -> Call:
        """The same, with factors and terms taken out of sums."""
        return self.agnesi(inputs, "fast_math")

    def jax(self, inputs: Inputs) -> Call:
        """A jitted value_and_grad."""
        jax = jax_module("float64")

        class Functions:
            exp, log, softplus, dot = jax.numpy.exp, jax.numpy.log, jax.nn.softplus, jax.numpy.dot

        density = partial(self.density, Functions)
        function = jax.jit(jax.value_and_grad(density, argnums=tuple(range(self.parameters))))
        values = [jax.numpy.array(value) for value in inputs.values()]

        def call() -> object:
            value, gradients = jax.block_until_ready(function(*values))
            return value, *gradients

        return call

    def pytensor(self, inputs: Inputs) -> Call:
        """One function of all inputs."""
        import pytensor
        import pytensor.tensor as pt

        variables = pytensor_variables(inputs)
        value = self.density(pt, *variables)
        gradients = pytensor.grad(value, variables[: self.parameters])
        return pytensor_compiled(variables, [value, *gradients], inputs)

    def torch(self, inputs: Inputs) -> Call:
        """Eager operations, automatic gradients."""
        values, density = self.torch_density(inputs)
        parameters = [value.requires_grad_() for value in values[: self.parameters]]
        values[: self.parameters] = parameters

        def call() -> object:
            import torch

            value = density(*values)
            return value, *torch.autograd.grad(value, parameters)

        return call

    def torch_compile(self, inputs: Inputs) -> Call:
        """Value and gradient in one compiled graph."""
        import torch

        values, density = self.torch_density(inputs)
        both = torch_compiled(torch.func.grad_and_value(density, argnums=tuple(range(self.parameters))))

        def call() -> object:
            gradients, value = both(*values)
            return value, *gradients

        return call

    def torch_density(self, inputs: Inputs) -> tuple[list[Any], Callable[..., Any]]:
        """The inputs as tensors, and the density of them."""
        torch = torch_module()

        class Functions:
            exp, log, dot = torch.exp, torch.log, torch.matmul
            softplus = torch.nn.functional.softplus

        values = [torch.from_numpy(value.copy()) for value in inputs.values()]
        return values, lambda *values: self.density(Functions, *values)

    def workload(self) -> Workload:
        """The workload of this model."""
        return Workload(
            "density",
            self.name,
            self.sizes,
            "float64",
            self.make,
            numpy=self.numpy,
            agnesi=self.agnesi,
            by_hand=self.by_hand,
            fast_math=self.fast_math,
            jax=self.jax,
            torch=self.torch,
            torch_compile=self.torch_compile,
            pytensor=self.pytensor,
        )


def scalar(value: float) -> np.ndarray:
    """A parameter that is a number."""
    return np.array(value)


def normal(f: Any, x: Any, mean: Any, log_scale: Any) -> Any:
    """The terms of the log-density of a normal distribution."""
    return -0.5 * ((x - mean) * f.exp(-log_scale)) ** 2 - log_scale - HALF_LOG_TAU


# -- a normal sample ----------------------------------------------------------------------------------------


def make_sample(n: int, generator: np.random.Generator) -> Inputs:
    """Mean, standard deviation and points."""
    return {"mu": scalar(0.3), "sigma": scalar(1.5), "x": generator.standard_normal(n)}


def sample_density(f: Any, mu: Any, sigma: Any, x: Any) -> Any:
    """The textbook's sum."""
    return (-0.5 * ((x - mu) / sigma) ** 2 - f.log(sigma) - HALF_LOG_TAU).sum()


def sample_numpy(mu: Any, sigma: Any, x: np.ndarray) -> Any:
    """Two sums over the points decide everything."""
    z = x - mu
    first, second = z.sum(), np.dot(z, z)
    variance = sigma * sigma
    value = -0.5 * second / variance - x.size * (np.log(sigma) + HALF_LOG_TAU)
    return value, first / variance, (second / variance - x.size) / sigma


def sample_numba(mu: Any, sigma: Any, x: np.ndarray) -> Any:
    """The same in one loop."""
    m, s = mu.item(), sigma.item()
    first = second = 0.0
    for i in range(x.size):
        z = x[i] - m
        first += z
        second += z * z
    variance = s * s
    value = -0.5 * second / variance - x.size * (math.log(s) + HALF_LOG_TAU)
    return value, first / variance, (second / variance - x.size) / s


# -- hierarchical logistic regression -----------------------------------------------------------------------


def make_logit(rows: int, columns: int, generator: np.random.Generator) -> Inputs:
    """Intercept, coefficients, their common mean and log-scale; then covariates and outcomes."""
    x = generator.standard_normal((rows, columns))
    beta = 0.3 * generator.standard_normal(columns)
    y = (generator.random(rows) < 1 / (1 + np.exp(-x @ beta))).astype("float64")
    heads = {"alpha": scalar(0.1), "beta": beta, "mu": scalar(0.05), "tau": scalar(-0.7)}
    return {**heads, "x": x, "y": y}


def logit_density(f: Any, alpha: Any, beta: Any, mu: Any, tau: Any, x: Any, y: Any) -> Any:
    """Outcomes given coefficients, coefficients given mean and scale, and standard normal priors."""
    logits = f.dot(x, beta) + alpha
    likelihood = (y * logits - f.softplus(logits)).sum()
    priors = -0.5 * (alpha * alpha + mu * mu + tau * tau)
    return likelihood + normal(f, beta, mu, tau).sum() + priors


def logit_numpy(alpha: Any, beta: np.ndarray, mu: Any, tau: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """Two products with the covariates."""
    logits = x @ beta + alpha
    odds = np.exp(-np.abs(logits))
    g = y - np.where(logits > 0, 1, odds) / (1 + odds)
    value = np.dot(y, logits) - (np.maximum(logits, 0) + np.log1p(odds)).sum()
    inverse = np.exp(-tau)
    z = (beta - mu) * inverse
    square = np.dot(z, z)
    value += -0.5 * (square + alpha * alpha + mu * mu + tau * tau) - beta.size * (tau + HALF_LOG_TAU)
    z *= inverse
    return value, g.sum() - alpha, g @ x - z, z.sum() - mu, square - beta.size - tau


def logit_numba(alpha: Any, beta: np.ndarray, mu: Any, tau: Any, x: np.ndarray, y: np.ndarray) -> Any:
    """One pass over the rows."""
    a, m, t = alpha.item(), mu.item(), tau.item()
    rows, columns = x.shape
    value, g_alpha = 0.0, -a
    g_beta = np.zeros(columns)
    for i in range(rows):
        logit = a
        for j in range(columns):
            logit += x[i, j] * beta[j]
        odds = math.exp(-abs(logit))
        g = y[i] - (1.0 if logit > 0 else odds) / (1 + odds)
        value += y[i] * logit - max(logit, 0.0) - math.log1p(odds)
        g_alpha += g
        for j in range(columns):
            g_beta[j] += g * x[i, j]
    inverse = math.exp(-t)
    square, g_mu = 0.0, -m
    for j in range(columns):
        z = (beta[j] - m) * inverse
        square += z * z
        g_beta[j] -= z * inverse
        g_mu += z * inverse
    value += -0.5 * (square + a * a + m * m + t * t) - columns * (t + HALF_LOG_TAU)
    return value, g_alpha, g_beta, g_mu, square - columns - t


# -- regression with an intercept for each group ------------------------------------------------------------


def make_radon(rows: int, groups: int, generator: np.random.Generator) -> Inputs:
    """Intercepts, slope, mean and log-scale of intercepts, log-scale of noise; then groups, covariate and outcomes."""
    group = generator.integers(0, groups, rows)
    floor = generator.integers(0, 2, rows).astype("float64")
    intercepts = 1.5 + 0.3 * generator.standard_normal(groups)
    y = intercepts[group] - 0.7 * floor + 0.7 * generator.standard_normal(rows)
    heads = {"a": intercepts, "b": scalar(-0.6), "mu": scalar(1.4), "tau": scalar(-1.0), "noise": scalar(-0.3)}
    return {**heads, "group": group, "floor": floor, "y": y}


def radon_density(f: Any, a: Any, b: Any, mu: Any, tau: Any, noise: Any, group: Any, floor: Any, y: Any) -> Any:
    """Outcomes given intercepts and slope, intercepts given mean and scale, and standard normal priors."""
    priors = -0.5 * (b * b + mu * mu + tau * tau + noise * noise)
    return normal(f, y, a[group] + b * floor, noise).sum() + normal(f, a, mu, tau).sum() + priors


def radon_numpy(
    a: np.ndarray, b: Any, mu: Any, tau: Any, noise: Any, group: np.ndarray, floor: np.ndarray, y: np.ndarray
) -> Any:
    """The gradient of the intercepts is a weighted count."""
    inverse, outer = np.exp(-noise), np.exp(-tau)
    z = (y - a[group] - b * floor) * inverse
    square = np.dot(z, z)
    z *= inverse
    u = (a - mu) * outer
    spread = np.dot(u, u)
    value = -0.5 * (square + spread + b * b + mu * mu + tau * tau + noise * noise)
    value -= y.size * (noise + HALF_LOG_TAU) + a.size * (tau + HALF_LOG_TAU)
    u *= outer
    g_a = np.bincount(group, z, a.size) - u
    return value, g_a, np.dot(z, floor) - b, u.sum() - mu, spread - a.size - tau, square - y.size - noise


def radon_numba(
    a: np.ndarray, b: Any, mu: Any, tau: Any, noise: Any, group: np.ndarray, floor: np.ndarray, y: np.ndarray
) -> Any:
    """One loop over the rows, one over the groups."""
    slope, m, t, s = b.item(), mu.item(), tau.item(), noise.item()
    inverse, outer = math.exp(-s), math.exp(-t)
    g_a = np.zeros(a.size)
    square, g_b = 0.0, -slope
    for i in range(y.size):
        z = (y[i] - a[group[i]] - slope * floor[i]) * inverse
        square += z * z
        g = z * inverse
        g_a[group[i]] += g
        g_b += g * floor[i]
    spread, g_mu = 0.0, -m
    for j in range(a.size):
        u = (a[j] - m) * outer
        spread += u * u
        g_a[j] -= u * outer
        g_mu += u * outer
    value = -0.5 * (square + spread + slope * slope + m * m + t * t + s * s)
    value -= y.size * (s + HALF_LOG_TAU) + a.size * (t + HALF_LOG_TAU)
    return value, g_a, g_b, g_mu, spread - a.size - t, square - y.size - s


MODELS = [
    Model(
        "normal log-density and gradient",
        {"n": 10**6},
        partial(make_sample, 10**6),
        2,
        sample_density,
        sample_numpy,
        sample_numba,
    ),
    Model(
        "hierarchical logistic regression, log-density and gradient",
        {"rows": 1000, "columns": 20},
        partial(make_logit, 1000, 20),
        4,
        logit_density,
        logit_numpy,
        logit_numba,
    ),
    Model(
        "varying intercepts, log-density and gradient",
        {"rows": 919, "groups": 85},
        partial(make_radon, 919, 85),
        5,
        radon_density,
        radon_numpy,
        radon_numba,
    ),
]
WORKLOADS = [model.workload() for model in MODELS]
