"""A hidden Markov model: the likelihood of what was seen, and the most likely parameters by its gradient.

A casino changes between a fair and a loaded die now and then; from the throws alone the loaded one is found.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def log_likelihood(seen: Any, log_start: Any, log_change: Any, log_shown: Any) -> Any:
    """The logarithm of the probability of what was seen, by the forward algorithm.

    seen: (time,) whole numbers. log_start: (states,). log_change: (states, states), from row to column.
    log_shown: (states, kinds). All logarithms, so that nothing underflows however long the sequence is.
    """

    def forward(kind: Any, before: Any) -> Any:
        return at.logsumexp(at.shape_padright(before) + log_change, axis=0) + log_shown[:, kind]

    first = log_start + log_shown[:, seen[0]]
    states, _ = ag.scan(forward, seen[1:], outputs_info=first)
    return at.logsumexp(at.concatenate([at.shape_padleft(first), states])[-1])


def casino(throws: int, seed: int = 0) -> np.ndarray:
    """Throws of a fair and of a loaded die, which shows 6 half of the time; they change with probability 1/20."""
    rng = np.random.default_rng(seed)
    loaded = np.cumsum(rng.random(throws) < 0.05) % 2
    return np.where(loaded, rng.choice(6, throws, p=[0.1] * 5 + [0.5]), rng.integers(6, size=throws))


def train(seen: np.ndarray, rounds: int, rate: float = 0.05) -> tuple[list[float], np.ndarray, np.ndarray]:
    """The log-likelihoods on the way, and the probabilities of changes and of numbers, by Adam's method."""
    rng = np.random.default_rng(1)
    change, shown = ag.shared(np.eye(2) * 2, "change"), ag.shared(rng.normal(size=(2, 6)) / 10, "shown")
    data = at.lvector("data")
    start = at.log(at.constant([0.5, 0.5]))
    value = log_likelihood(data, start, at.nnet.log_softmax(change), at.nnet.log_softmax(shown))
    updates: dict[Any, Any] = {}
    for w, g in zip((change, shown), ag.grad(value, [change, shown]), strict=True):
        mean, square = ag.shared(np.zeros_like(w.get_value())), ag.shared(np.zeros_like(w.get_value()))
        updates[mean], updates[square] = 0.9 * mean + 0.1 * g, 0.99 * square + 0.01 * g * g
        updates[w] = w + rate * updates[mean] / (at.sqrt(updates[square]) + 1e-6)
    improve = ag.function([data], value, updates=updates)
    values = [float(improve(seen)) for _ in range(rounds)]
    return values, at.nnet.softmax(change).eval(), at.nnet.softmax(shown).eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--throws", type=int, default=3000, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=400, help="(default: %(default)s)")
    options = parser.parse_args()
    values, change, shown = train(casino(options.throws), options.rounds)
    for k in range(0, len(values), max(1, len(values) // 8)):
        print(f"round {k}: log-likelihood {values[k]:.2f}")
    print("from die to die:", np.round(change, 3).tolist())
    for row in shown:
        print("a die shows 1 to 6 with probabilities", np.round(row, 2).tolist())


if __name__ == "__main__":
    main()
