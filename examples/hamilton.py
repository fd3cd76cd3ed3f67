"""Hamiltonian Monte Carlo: numbers from a density by its gradient, each transition one compiled call.

The density is that of a straight line with noise through points: two coefficients and the logarithm of the noise.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def transition(log_density: Callable[[Any], Any], start: np.ndarray, step: float, leaps: int, seed: int = 0) -> Any:
    """A function that moves a point on and returns it, with the probability by which the move was accepted.

    log_density: of a vector variable, up to a constant. The point, and the numbers drawn, live in the function: it
    takes no arguments. R. M. Neal: MCMC using Hamiltonian dynamics (2011).
    """
    stream = at.random.RandomStream(seed)
    point = ag.shared(np.asarray(start, float), "point")

    def force(q: Any) -> Any:
        return ag.grad(log_density(q), q)

    def leap(q: Any, p: Any) -> tuple[Any, Any]:
        p = p + step / 2 * force(q)
        q = q + step * p
        return q, p + step / 2 * force(q)

    def energy(q: Any, p: Any) -> Any:
        return 0.5 * (p * p).sum() - log_density(q)

    momentum = stream.normal(size=point.shape, dtype="float64")
    (places, momenta), _ = ag.scan(leap, outputs_info=[point, momentum], n_steps=leaps)
    chance = at.minimum(1.0, at.exp(energy(point, momentum) - energy(places[-1], momenta[-1])))
    moved = at.where(stream.uniform(dtype="float64") < chance, places[-1], point)
    return ag.function([], [moved, chance], updates={point: moved})


def line(x: np.ndarray, y: np.ndarray) -> Callable[[Any], Any]:
    """The log-density of (slope, height, log noise) given points, with wide normal densities before."""

    def log_density(theta: Any) -> Any:
        errors = (y - theta[0] * x - theta[1]) * at.exp(-theta[2])
        return -0.5 * (errors**2).sum() - len(x) * theta[2] - (theta**2).sum() / 200

    return log_density


def sample(move: Any, count: int, burn_in: int) -> tuple[np.ndarray, float]:
    """So many points, and how many of the moves were accepted."""
    found = [move() for _ in range(count + burn_in)][burn_in:]
    return np.array([point for point, _ in found]), float(np.mean([chance for _, chance in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="points to draw (default: %(default)s)")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    x = rng.normal(size=100)
    y = 2 * x - 1 + 0.5 * rng.normal(size=100)
    points, accepted = sample(transition(line(x, y), np.zeros(3), step=0.05, leaps=20), options.count, burn_in=500)
    names = ("slope", "height", "log noise")
    for name, mean, deviation in zip(names, points.mean(0), points.std(0), strict=True):
        print(f"{name}: {mean:.3f} +- {deviation:.3f}")
    print(f"{100 * accepted:.0f} % of the moves were accepted")


if __name__ == "__main__":
    main()
