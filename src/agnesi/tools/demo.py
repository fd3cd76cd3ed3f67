"""The demonstration: two classifiers of handwritten digits, trained by compiled functions."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.tools.digits import Array, Digits

BATCH = 32
RATE = 0.05
MOMENTUM = 0.9
HIDDEN = 128
CLASSES = 10


@dataclass
class Model:
    """A network with tanh between its layers; with two widths, that is none between, logistic regression."""

    name: str
    widths: tuple[int, ...]
    parameters: list[Any]
    train: Any
    predict: Any
    compiling: float


@dataclass
class History:
    """What training went through: at the end of each epoch, seconds of training so far, mean loss and accuracy."""

    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    accuracies: list[float] = field(default_factory=list)
    steps: int = 0

    @property
    def step_time(self) -> float:
        """Seconds for a step, with the choice of its minibatch."""
        return self.seconds[-1] / self.steps


def build(name: str, widths: tuple[int, ...], rng: np.random.Generator) -> Model:
    """Compiles a training step, gradient descent with momentum on the cross-entropy, and the prediction."""
    start = time.perf_counter()
    x, y = at.tensor("x", "float32", ("batch", widths[0])), at.tensor("y", "int64", ("batch",))
    parameters = []
    for layer, (m, n) in enumerate(pairwise(widths)):
        scale = 1 / np.sqrt(m)
        parameters.append(ag.shared(rng.uniform(-scale, scale, (m, n)).astype("float32"), f"w{layer}"))
        parameters.append(ag.shared(np.zeros(n, "float32"), f"b{layer}"))
    p = at.nnet.softmax(logits(x, parameters))
    loss = -at.log(p)[at.arange(x.shape[0]), y].mean()
    updates: dict[Any, Any] = {}
    for parameter, gradient in zip(parameters, ag.grad(loss, parameters), strict=True):
        velocity = ag.shared(np.zeros_like(parameter.get_value()), f"velocity of {parameter.name}")
        step = MOMENTUM * velocity - RATE * gradient
        updates |= {velocity: step, parameter: parameter + step}
    train = ag.function([x, y], loss, updates=updates, name=f"train {name}")
    predict = ag.function([x], p, name=f"predict {name}")
    return Model(name, widths, parameters, train, predict, time.perf_counter() - start)


def logits(x: Any, parameters: list[Any]) -> Any:
    """The layers, one after another; parameters are weights and biases by turns."""
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = at.tanh(x @ w + b)
    return x @ parameters[-2] + parameters[-1]


def learn(model: Model, digits: Digits, epochs: int, rng: np.random.Generator) -> History:
    """Trains a model; evaluation on what is held out does not count as training time."""
    history = History()
    n = len(digits.y)
    progress = Progress(model.name, epochs)
    elapsed = 0.0
    for epoch in range(epochs):
        start = time.perf_counter()
        order = rng.permutation(n)
        total = 0.0
        for first in range(0, n, BATCH):
            batch = order[first : first + BATCH]
            total += len(batch) * float(model.train(digits.x[batch], digits.y[batch]))
            history.steps += 1
        elapsed += time.perf_counter() - start
        history.seconds.append(elapsed)
        history.losses.append(total / n)
        history.accuracies.append(float(np.mean(classes(model, digits.x_held) == digits.y_held)))
        progress.show(epoch + 1, f"loss {history.losses[-1]:.4f}  held out {history.accuracies[-1]:.3f}")
    progress.end()
    return history


def classes(model: Model, x: Array) -> Array:
    """The most probable digit for each row."""
    result: Array = model.predict(x).argmax(axis=1)
    return result


class Progress:
    """A bar on the standard error that is drawn over and over on a terminal, else a line now and then."""

    WIDTH = 16
    LINES = 5

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total = title, total
        self.terminal = sys.stderr.isatty()

    def show(self, done: int, text: str) -> None:
        """Says that `done` of `total` are done."""
        if self.terminal:
            filled = self.WIDTH * done // self.total
            bar = "█" * filled + "·" * (self.WIDTH - filled)
            print(f"\r\033[K{self.title:<20} {bar} {done}/{self.total}  {text}", end="", file=sys.stderr, flush=True)
        elif done == self.total or done % max(1, self.total // self.LINES) == 0:
            print(f"{self.title:<20} epoch {done}/{self.total}  {text}", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leaves the bar behind."""
        if self.terminal:
            print(file=sys.stderr)


def run(digits: Digits, epochs: int, seed: int) -> list[tuple[Model, History]]:
    """Trains both models and says how it went."""
    side, pixels = digits.side, digits.side**2
    print(f"{digits.name}: {len(digits.y)} to learn from, {len(digits.y_held)} held out, {side} x {side} pixels")
    results = []
    for name, widths in (("logistic regression", (pixels, CLASSES)), ("perceptron", (pixels, HIDDEN, CLASSES))):
        rng = np.random.default_rng(seed)
        model = build(name, widths, rng)
        results.append((model, learn(model, digits, epochs, rng)))
    for model, history in results:
        sizes = "-".join(map(str, model.widths))
        print(
            f"{model.name:<20} {sizes:<11} held-out accuracy {history.accuracies[-1]:.3f}   "
            f"ready in {model.compiling:.2f} s, {epochs} epochs in {history.seconds[-1]:.2f} s, "
            f"{1e6 * history.step_time:.0f} us a step of {BATCH}"
        )
    return results
