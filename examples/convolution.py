"""A convolutional network on handwritten digits: two layers of filters with pooling, then a softmax.

After Y. LeCun, L. Bottou, Y. Bengio and P. Haffner: Gradient-based learning applied to document recognition (1998),
with rectifiers, and the momentum of Y. Nesterov (1983). Without --data it learns scikit-learn's digits of 8 x 8 points.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.tools.digits import Digits, load


class Network:
    """Filters, weights and biases, and the logits that they give images."""

    def __init__(self, side: int, filters: tuple[int, int] = (16, 32), seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        first, second = filters
        self.inner = second * (side // 4) ** 2
        shapes = [(first, 1, 3, 3), (first,), (second, first, 3, 3), (second,), (self.inner, 10), (10,)]
        self.parameters = [ag.shared(self.drawn(rng, shape)) for shape in shapes]

    @staticmethod
    def drawn(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Zeros for biases; for filters and weights normal numbers, the smaller the more of them are added up."""
        if len(shape) == 1:
            return np.zeros(shape, "float32")
        summed = np.prod(shape[1:]) if len(shape) == 4 else shape[0]
        return (rng.normal(size=shape) * np.sqrt(2 / summed)).astype("float32")

    def logits(self, x: Any) -> Any:
        """Of images (batch, rows, columns), the logits of ten digits."""
        *filters, w, b = self.parameters
        h = x[:, None]
        for kernels, bias in zip(filters[::2], filters[1::2], strict=True):
            h = at.nnet.conv2d(h, kernels, border_mode="same", filter_flip=False) + bias[:, None, None]
            h = at.nnet.pool_2d(at.nnet.relu(h), (2, 2))
        return h.reshape((x.shape[0], self.inner)) @ w + b

    def trainer(self, rate: float, momentum: float = 0.9) -> Any:
        """A function of images and labels that improves the parameters and returns the mean cross-entropy."""
        x, y = at.ftensor3("x"), at.lvector("y")
        cost = at.nnet.categorical_crossentropy(at.nnet.softmax(self.logits(x)), y).mean()
        updates = {}
        for p, g in zip(self.parameters, ag.grad(cost, self.parameters), strict=True):
            speed = ag.shared(np.zeros_like(p.get_value()))
            updates[speed] = momentum * speed - rate * g
            updates[p] = p + momentum * updates[speed] - rate * g
        return ag.function([x, y], cost, updates=updates)

    def errors(self) -> Any:
        """A function of images and labels: the share that is taken for other digits."""
        x, y = at.ftensor3("x"), at.lvector("y")
        return ag.function([x, y], at.neq(self.logits(x).argmax(axis=1), y).mean())


def train(digits: Digits, epochs: int, rows: int = 30, rate: float = 0.02, show: Any = None) -> float:
    """The share of errors on digits that were held out, after so many epochs; `show` gets it after each."""
    network = Network(digits.side)
    improve, errors = network.trainer(rate), network.errors()
    x, x_held = (a.reshape(-1, digits.side, digits.side) for a in (digits.x, digits.x_held))
    rng = np.random.default_rng(0)
    for epoch in range(epochs):
        order = rng.permutation(len(x))
        costs = [improve(x[order[k : k + rows]], digits.y[order[k : k + rows]]) for k in range(0, len(x), rows)]
        if show is not None:
            show(epoch, float(np.mean(costs)), float(errors(x_held, digits.y_held)))
    return float(errors(x_held, digits.y_held))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10, help="times through the digits (10)")
    parser.add_argument("--data", help="a folder with MNIST's IDX files")
    args = parser.parse_args()
    digits = load(args.data)
    print(f"{len(digits.x)} of {digits.name}, {len(digits.x_held)} held out")
    train(digits, args.epochs, show=lambda epoch, cost, errors: print(
        f"epoch {epoch + 1:2}: cross-entropy {cost:.4f}, errors {100 * errors:.2f} %", flush=True))  # fmt: skip


if __name__ == "__main__":
    main()
