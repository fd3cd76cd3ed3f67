"""A Kalman filter: the likelihood of noisy places on a track, and the noises themselves by its gradient."""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def log_likelihood(seen: Any, move: Any, look: Any, shock: Any, noise: Any, mean: Any, spread: Any) -> Any:
    """The logarithm of the density of what was seen, step after step given what was seen before.

    seen: (time, d). The hidden state x, (n,), goes on to move x plus noise of covariance `shock`; look x is seen, plus
    noise of covariance `noise`. mean, spread: of the state before the first step.
    """

    def step(y: Any, m: Any, p: Any) -> tuple[Any, Any, Any]:
        m, p = move @ m, move @ p @ move.T + shock
        error, s = y - look @ m, look @ p @ look.T + noise
        gain = at.linalg.solve(s, look @ p).T
        density = -0.5 * (error @ at.linalg.solve(s, error) + log_determinant(s) + y.shape[0] * math.log(2 * math.pi))
        return m + gain @ error, p - gain @ look @ p, density

    (_, _, densities), _ = ag.scan(step, seen, outputs_info=[mean, spread, None])
    return densities.sum()


def log_determinant(s: Any) -> Any:
    """The logarithm of the determinant of a matrix of one or two rows."""
    return at.log(s[0, 0]) if s.type.shape[0] == 1 else at.log(s[0, 0] * s[1, 1] - s[0, 1] * s[1, 0])


MOVE = np.array([[1.0, 0, 0.1, 0], [0, 1, 0, 0.1], [0, 0, 1, 0], [0, 0, 0, 1]])  # two places and their speeds
LOOK = np.eye(2, 4)


def track(steps: int, shock: float, noise: float, seed: int = 0) -> np.ndarray:
    """Places of something that is pushed about, as they are seen: (steps, 2)."""
    rng = np.random.default_rng(seed)
    state, places = np.zeros(4), []
    for _ in range(steps):
        state = MOVE @ state + np.r_[0, 0, shock * rng.normal(size=2)]
        places.append(LOOK @ state + noise * rng.normal(size=2))
    return np.array(places)


def fit(places: np.ndarray, rounds: int) -> tuple[list[float], np.ndarray]:
    """The log-likelihoods on the way, and the standard deviations found, by Newton's method on their logarithms."""
    seen, logs = at.tensor("seen", dtype="float64", shape=(None, 2)), at.dvector("logs")
    shock, noise = at.exp(2 * logs[0]), at.exp(2 * logs[1])
    shocks = at.diag(at.constant([0.0, 0.0, 1.0, 1.0])) * shock
    move, look = at.constant(MOVE), at.constant(LOOK)
    value = log_likelihood(seen, move, look, shocks, at.eye(2) * noise, at.zeros(4), at.eye(4))
    gradient = ag.grad(value, logs)
    curvature = ag.jacobian(gradient, logs)
    step = at.linalg.solve(curvature, gradient)
    improve = ag.function([seen, logs], [value, logs - at.clip(step, -0.5, 0.5)])
    found, values = np.array([-0.5, -0.5]), []
    for _ in range(rounds):
        result, found = improve(places, found)
        values.append(float(result))
    return values, np.exp(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=2000, help="(default: %(default)s)")
    options = parser.parse_args()
    values, found = fit(track(options.steps, shock=0.3, noise=0.8), rounds=10)
    for k, value in enumerate(values):
        print(f"round {k}: log-likelihood {value:.3f}")
    print(f"standard deviation of the shocks {found[0]:.3f} (was 0.3), of the noise {found[1]:.3f} (was 0.8)")


if __name__ == "__main__":
    main()
