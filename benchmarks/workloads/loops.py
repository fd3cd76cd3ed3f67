"""Loops of scalars, small matrices and vectors, float64: three recurrences, whose steps wait for each other, the
likelihood of a Kalman filter with its gradient, and the gradient of a long loop, whose states take 80 MB in all."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from .record import Call, Inputs, Workload, jax_module, torch_module

# -- recurrences ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recurrence:
    """step(functions, *state, *parameters): the next state; the output is the last one."""

    name: str
    step: Callable[..., tuple[Any, ...]]
    start: tuple[float, ...]
    parameters: tuple[float, ...]
    steps: int

    def make(self, generator: np.random.Generator) -> Inputs:
        return {f"p{k}": np.array(p) for k, p in enumerate(self.parameters)}

    def numpy(self, inputs: Inputs) -> Call:
        """A Python loop: there is nothing to vectorize."""
        parameters = [float(p) for p in inputs.values()]

        def call() -> object:
            state = self.start
            for _ in range(self.steps):
                state = self.step(math, *state, *parameters)
            return [np.array(s) for s in state]

        return call

    def agnesi(self, inputs: Inputs) -> Call:
        """scan, of which only the last values are used."""
        import agnesi as ag
        import agnesi.tensor as at

        parameters = [at.dscalar(name) for name in inputs]

        def step(*state: Any) -> list[Any]:
            return list(self.step(at, *state, *parameters))

        firsts = [at.constant(s) for s in self.start]
        states, _ = ag.scan(step, outputs_info=firsts, n_steps=self.steps, return_list=True)
        return partial(ag.function(parameters, [s[-1] for s in states]), *inputs.values())

    def numba(self, inputs: Inputs) -> Call:
        """The loop itself."""
        import numba

        step, start, steps = numba.njit(self.step), self.start, self.steps
        parameters = tuple(float(p) for p in inputs.values())

        @numba.njit
        def loop(state: tuple[float, ...], parameters: tuple[float, ...]) -> tuple[float, ...]:
            for _ in range(steps):
                state = step(None, *state, *parameters)
            return state

        return lambda: [np.array(s) for s in loop(start, parameters)]

    def jax(self, inputs: Inputs) -> Call:
        """fori_loop under jit."""
        jax = jax_module("float64")

        @jax.jit
        def loop(parameters: Any) -> Any:
            def step(_: Any, state: Any) -> Any:
                return self.step(jax.numpy, *state, *parameters)

            firsts = tuple(jax.numpy.array(s) for s in self.start)
            return jax.lax.fori_loop(0, self.steps, step, firsts)

        parameters = [jax.numpy.array(p) for p in inputs.values()]
        return lambda: jax.block_until_ready(loop(parameters))

    def workload(self) -> Workload:
        return Workload(
            "loops", self.name, {"steps": self.steps}, "float64", self.make, self.numpy, agnesi=self.agnesi,
            numba=self.numba, jax=self.jax, tolerance=1e-9,
        )  # fmt: skip


def tanh_step(m: Any, h: Any, a: Any, b: Any) -> tuple[Any, ...]:
    """numba gets no module, and its own math.tanh."""
    return (math.tanh(a * h + b) if m is None else m.tanh(a * h + b),)


def pendulum_step(m: Any, angle: Any, speed: Any, dt: Any, friction: Any) -> tuple[Any, ...]:
    """Euler's method, the speed first."""
    sine = math.sin(angle) if m is None else m.sin(angle)
    speed = speed - dt * (9.81 * sine + friction * speed)
    return angle + dt * speed, speed


def logistic_step(m: Any, x: Any, r: Any) -> tuple[Any, ...]:
    """A stable one: a chaotic map would turn the rounding of any system into everything."""
    return (r * x * (1 - x),)


RECURRENCES = [
    Recurrence("`h = tanh(a*h + b)`", tanh_step, (0.1,), (0.9, 0.3), 10**5),
    Recurrence("pendulum", pendulum_step, (1.0, 0.0), (0.001, 0.1), 10**5),
    Recurrence("logistic map", logistic_step, (0.3,), (2.9,), 10**6),
]

# -- Kalman filter ----------------------------------------------------------------------------------------

MOVE = np.array([[1.0, 0, 0.1, 0], [0, 1, 0, 0.1], [0, 0, 1, 0], [0, 0, 0, 1]])
LOOK = np.eye(2, 4)
SHOCKS = np.diag([0.0, 0.0, 1.0, 1.0])


def make_track(steps: int, generator: np.random.Generator) -> Inputs:
    """Places seen, and the logarithms of the two noises."""
    return {"seen": generator.standard_normal((steps, 2)).cumsum(axis=0), "logs": np.array([-0.7, -0.3])}


def filtered(solve: Any, eye: Any, m: Any, p: Any, y: Any, shock: Any, noise: Any) -> tuple[Any, Any, Any, Any]:
    """The next mean and covariance, and what the step has to do with the likelihood."""
    m, p = MOVE @ m, MOVE @ p @ MOVE.T + SHOCKS * shock
    error, s = y - LOOK @ m, LOOK @ p @ LOOK.T + eye * noise
    gain = solve(s, LOOK @ p).T
    determinant = s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0]
    return m + gain @ error, p - gain @ (LOOK @ p), error @ solve(s, error), determinant


def numpy_kalman(inputs: Inputs) -> Call:
    """The gradient by the imaginary part of a step in an imaginary direction, exact to rounding."""
    seen, logs = inputs["seen"], inputs["logs"]

    def value(logs: np.ndarray) -> Any:
        shock, noise = np.exp(2 * logs)
        m, p, total = np.zeros(4), np.eye(4), 0.0
        for y in seen:
            m, p, square, determinant = filtered(np.linalg.solve, np.eye(2), m, p, y, shock, noise)
            total = total - 0.5 * (square + np.log(determinant))
        return total

    def call() -> object:
        slopes = [value(logs + 1e-30j * np.eye(2)[k]).imag / 1e-30 for k in range(2)]
        return np.array(value(logs)), np.array(slopes)

    return call


def agnesi_kalman(inputs: Inputs) -> Call:
    """scan, and the gradient of its sum."""
    import agnesi as ag
    import agnesi.tensor as at

    seen, logs = at.dmatrix("seen"), at.dvector("logs")
    shock, noise = at.exp(2 * logs[0]), at.exp(2 * logs[1])

    def step(y: Any, m: Any, p: Any) -> Any:
        m, p, square, determinant = filtered(at.linalg.solve, np.eye(2), m, p, y, shock, noise)
        return m, p, -0.5 * (square + at.log(determinant))

    (_, _, parts), _ = ag.scan(step, seen, outputs_info=[at.zeros(4), at.eye(4), None])
    value = parts.sum()
    return partial(ag.function([seen, logs], [value, ag.grad(value, logs)]), *inputs.values())


def jax_kalman(inputs: Inputs) -> Call:
    """lax.scan under jit."""
    jax = jax_module("float64")

    def value(logs: Any, seen: Any) -> Any:
        shock, noise = jax.numpy.exp(2 * logs)

        def step(state: Any, y: Any) -> Any:
            m, p, square, determinant = filtered(jax.numpy.linalg.solve, np.eye(2), *state, y, shock, noise)
            return (m, p), -0.5 * (square + jax.numpy.log(determinant))

        return jax.lax.scan(step, (jax.numpy.zeros(4), jax.numpy.eye(4)), seen)[1].sum()

    function = jax.jit(jax.value_and_grad(value))
    logs, seen = jax.numpy.array(inputs["logs"]), jax.numpy.array(inputs["seen"])
    return lambda: jax.block_until_ready(function(logs, seen))


def torch_kalman(inputs: Inputs) -> Call:
    """An eager loop, automatic gradients."""
    torch = torch_module()
    move, look, shocks = (torch.from_numpy(a) for a in (MOVE, LOOK, SHOCKS))
    seen, logs = torch.from_numpy(inputs["seen"]), torch.from_numpy(inputs["logs"]).requires_grad_()

    def call() -> object:
        shock, noise = torch.exp(2 * logs)
        m, p, total = torch.zeros(4).double(), torch.eye(4).double(), 0.0
        for y in seen:
            m, p = move @ m, move @ p @ move.T + shocks * shock
            error, s = y - look @ m, look @ p @ look.T + torch.eye(2).double() * noise
            gain = torch.linalg.solve(s, look @ p).T
            total = total - 0.5 * (error @ torch.linalg.solve(s, error) + torch.log(torch.linalg.det(s)))
            m, p = m + gain @ error, p - gain @ (look @ p)
        return total.detach(), torch.autograd.grad(total, logs)[0]

    return call


# -- a long loop ------------------------------------------------------------------------------------------

STEPS, WIDTH, SEGMENT = 10**4, 10**3, 100


def make_factors(generator: np.random.Generator) -> Inputs:
    """What states are multiplied with."""
    return {"w": generator.uniform(0.5, 1.5, WIDTH)}


def numpy_long(inputs: Inputs) -> Call:
    """The gradient by hand, from all states."""
    (w,) = inputs.values()

    def call() -> object:
        states = np.empty((STEPS + 1, WIDTH))
        states[0] = 1
        for t in range(STEPS):
            np.tanh(states[t] * w, out=states[t + 1])
        slope, total = np.ones(WIDTH), np.zeros(WIDTH)
        for t in range(STEPS - 1, -1, -1):
            slope *= 1 - states[t + 1] ** 2
            total += slope * states[t]
            slope *= w
        return (total,)

    return call


def agnesi_long(checkpoint: str | None, inputs: Inputs) -> Call:
    """scan."""
    import agnesi as ag
    import agnesi.tensor as at

    w = at.tensor("w", dtype="float64", shape=(WIDTH,))
    states, _ = ag.scan(lambda h: at.tanh(h * w), outputs_info=at.ones((WIDTH,)), n_steps=STEPS, checkpoint=checkpoint)
    return partial(ag.function([w], [ag.grad(states[-1].sum(), w)]), *inputs.values())


def jax_long(segments: bool, inputs: Inputs) -> Call:
    """lax.scan; in segments the loop of one is a checkpoint."""
    jax = jax_module("float64")

    def cost(w: Any) -> Any:
        def run(h: Any, steps: int) -> Any:
            return jax.lax.scan(lambda h, _: (jax.numpy.tanh(h * w), None), h, None, steps)[0]

        h = jax.numpy.ones(WIDTH)
        if not segments:
            return run(h, STEPS).sum()
        part = jax.checkpoint(lambda h: run(h, SEGMENT))
        return jax.lax.scan(lambda h, _: (part(h), None), h, None, STEPS // SEGMENT)[0].sum()

    function = jax.jit(jax.grad(cost))
    w = jax.numpy.array(inputs["w"])
    return lambda: (jax.block_until_ready(function(w)),)


def long(name: str, budget: str | None) -> Workload:
    """The workload that keeps all states, or what fits a budget."""
    return Workload(
        "loops", f"gradient of a long loop, {name}", {"steps": STEPS, "width": WIDTH}, "float64", make_factors,
        numpy_long, agnesi=partial(agnesi_long, budget), jax=partial(jax_long, budget is not None), tolerance=1e-9,
    )  # fmt: skip


WORKLOADS = [
    *(r.workload() for r in RECURRENCES),
    Workload(
        "loops", "Kalman filter, log-likelihood and gradient", {"steps": 200}, "float64", partial(make_track, 200),
        numpy_kalman, agnesi=agnesi_kalman, jax=jax_kalman, torch=torch_kalman, tolerance=1e-8,
    ),
    long("all states kept", None),
    long("states in 10 MB", "10 MB"),
]  # fmt: skip
