"""A parameter of a differential equation from its solution: Runge and Kutta's method as a loop, and its gradient.

A pendulum with friction swings; from its angles at some times the friction and the length are found again.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def slopes(angle: Any, speed: Any, friction: Any, stiffness: Any) -> tuple[Any, Any]:
    """The derivatives of angle and speed by time."""
    return speed, -friction * speed - stiffness * at.sin(angle)


def swing(start: Any, friction: Any, stiffness: Any, step: float, steps: Any) -> Any:
    """The angles after each step of Runge and Kutta's method of fourth order."""

    def forward(angle: Any, speed: Any) -> tuple[Any, Any]:
        a1, s1 = slopes(angle, speed, friction, stiffness)
        a2, s2 = slopes(angle + step / 2 * a1, speed + step / 2 * s1, friction, stiffness)
        a3, s3 = slopes(angle + step / 2 * a2, speed + step / 2 * s2, friction, stiffness)
        a4, s4 = slopes(angle + step * a3, speed + step * s3, friction, stiffness)
        return angle + step / 6 * (a1 + 2 * a2 + 2 * a3 + a4), speed + step / 6 * (s1 + 2 * s2 + 2 * s3 + s4)

    (angles, _), _ = ag.scan(forward, outputs_info=[start, at.zeros_like(start)], n_steps=steps)
    return angles


def fit(truth: tuple[float, float], steps: int, rounds: int, step: float = 0.01) -> tuple[np.ndarray, list[float]]:
    """The parameters found from angles, and the errors on the way, by Newton's method on the squared error."""
    start, measured, theta = at.scalar("start"), at.vector("measured"), at.vector("theta")
    error = ((swing(start, theta[0], theta[1], step, measured.shape[0]) - measured) ** 2).sum()
    gradient = ag.grad(error, theta)
    newton = theta - at.linalg.solve(ag.jacobian(gradient, theta) + 1e-9 * at.eye(2), gradient)
    improve = ag.function([start, measured, theta], [error, newton])
    friction, stiffness = at.scalars("friction", "stiffness")
    n = at.lscalar("n")
    solve = ag.function([start, friction, stiffness, n], swing(start, friction, stiffness, step, n))
    angles = solve(1.0, *truth, steps)
    found, errors = np.array([truth[0] * 1.3, truth[1] * 0.9]), []
    for _ in range(rounds):
        value, found = improve(1.0, angles, found)
        errors.append(float(value))
    return found, errors


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=1000, help="of 0.01 seconds (default: %(default)s)")
    options = parser.parse_args()
    truth = 0.25, 9.81
    found, errors = fit(truth, options.steps, rounds=12)
    for k, error in enumerate(errors):
        print(f"round {k}: squared error {error:.3e}")
    print(f"friction {found[0]:.6f} (was {truth[0]}), gravity / length {found[1]:.6f} (was {truth[1]})")


if __name__ == "__main__":
    main()
