"""A restricted Boltzmann machine on handwritten digits, by contrastive divergence (CD-1), persistent or not (PCD).

G. Hinton: Training products of experts by minimizing contrastive divergence (2002); T. Tieleman: Training restricted
Boltzmann machines using approximations to the likelihood gradient (2008).
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def digits() -> np.ndarray:
    """scikit-learn's 1,797 digits of 8 x 8 points, each black or white."""
    from sklearn.datasets import load_digits  # optional, and slow to import

    return (load_digits().data > 7).astype("float32")


class Machine:
    """Weights, and the energies and draws that belong to them."""

    def __init__(self, visible: int, hidden: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.stream = at.random.RandomStream(seed)
        self.w = ag.shared(0.05 * rng.normal(size=(visible, hidden)).astype("float32"), "w")
        self.a = ag.shared(np.zeros(visible, "float32"), "a")
        self.b = ag.shared(np.zeros(hidden, "float32"), "b")

    def free_energy(self, v: Any) -> Any:
        """Less the logarithm of the probability of rows of visible units, up to a constant."""
        return -(v @ self.a) - at.nnet.softplus(v @ self.w + self.b).sum(axis=1)

    def sweep(self, v: Any) -> Any:
        """Visible units drawn anew, by way of hidden ones: one step of Gibbs sampling."""
        h = self.stream.bernoulli(at.nnet.sigmoid(v @ self.w + self.b), dtype="float32")
        return self.stream.bernoulli(at.nnet.sigmoid(h @ self.w.T + self.a), dtype="float32")

    def trainer(self, rows: int, rate: float, persistent: bool, sweeps: int = 1) -> Any:
        """A function of rows that improves the weights and returns the mean difference of free energies.

        The gradient of the likelihood is that of the free energies' difference between data and draws from the model;
        the draws begin at the data, or, if persistent, where those of the call before ended.
        """
        v = at.fmatrix("v")
        chains = ag.shared(np.zeros((rows, self.a.get_value().size), "float32"), "chains")
        drawn, moved = ag.scan(self.sweep, outputs_info=chains if persistent else v, n_steps=sweeps)
        fantasy = ag.disconnected_grad(drawn[-1])
        cost = self.free_energy(v).mean() - self.free_energy(fantasy).mean()
        weights = [self.w, self.a, self.b]
        updates = {p: p - rate * g for p, g in zip(weights, ag.grad(cost, weights), strict=True)}
        if persistent:
            updates[chains] = fantasy
        return ag.function([v], cost, updates={**moved, **updates})

    def quality(self) -> Any:
        """A function of two sets of rows: by how much the first is more probable than the second, in nats a row."""
        u, v = at.fmatrices("u", "v")
        return ag.function([u, v], self.free_energy(v).mean() - self.free_energy(u).mean())


def train(data: np.ndarray, epochs: int, persistent: bool, hidden: int = 96, rows: int = 20, rate: float = 0.05) -> Any:
    """The machine after so many epochs."""
    machine = Machine(data.shape[1], hidden)
    improve = machine.trainer(rows, rate, persistent)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        order = rng.permutation(len(data))
        for first in range(0, len(data) - rows + 1, rows):
            improve(data[order[first : first + rows]])
    return machine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30, help="(default: %(default)s)")
    options = parser.parse_args()
    data = digits()
    learned, new = data[:1500], data[1500:]
    noise = np.random.default_rng(1).permuted(new, axis=0)  # as many black points at each place, in no order
    for persistent in (False, True):
        machine = train(learned, options.epochs, persistent)
        quality = machine.quality()
        print(f"{'PCD' if persistent else 'CD-1'}: digits not seen before are more probable than shuffled ones by "
              f"{quality(new, noise):.1f} nats each")  # fmt: skip
    v = at.fmatrix("v")
    fantasies, moved = ag.scan(machine.sweep, outputs_info=v, n_steps=1000)
    for image in ag.function([v], fantasies[-1], updates=moved)(new[:3]).reshape(3, 8, 8):
        print("\n".join("".join("#" if point else "." for point in row) for row in image), end="\n\n")


if __name__ == "__main__":
    main()
