"""A language model, letter by letter, of LSTM or GRU cells: it learns to write like Python's licence.

S. Hochreiter, J. Schmidhuber: Long short-term memory (1997); K. Cho et al.: Learning phrase representations using RNN
encoder-decoder (2014).
"""

from __future__ import annotations

import argparse
import builtins
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at


def licence() -> str:
    """The text that `license()` shows, or the documentation of built-in names where it has not been installed."""
    lines = getattr(builtins.license, "_Printer__lines", None)
    if lines is None:
        builtins.license._Printer__setup()
        lines = builtins.license._Printer__lines
    text = "\n".join(lines)
    return text if len(text) > 5000 else "\n".join(getattr(builtins, n).__doc__ or "" for n in sorted(dir(builtins)))


class Model:
    """Weights of one layer of cells between letters and letters."""

    def __init__(self, kind: str, letters: int, width: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        gates = {"lstm": 4, "gru": 3}[kind]
        self.kind, self.width = kind, width

        def weights(*shape: int) -> Any:
            return ag.shared((rng.normal(size=shape) / shape[0] ** 0.5).astype("float32"))

        self.letters = weights(letters, gates * width)
        self.inner = weights(width, gates * width)
        self.bias = ag.shared(np.zeros(gates * width, "float32"))
        self.out, self.out_bias = weights(width, letters), ag.shared(np.zeros(letters, "float32"))
        self.weights = [self.letters, self.inner, self.bias, self.out, self.out_bias]

    def parts(self, x: Any) -> list[Any]:
        """What belongs to each gate."""
        return [x[:, k * self.width : (k + 1) * self.width] for k in range(4 if self.kind == "lstm" else 3)]

    def lstm(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        i, f, o, g = self.parts(x + h @ self.inner)
        c = at.nnet.sigmoid(f + 1) * c + at.nnet.sigmoid(i) * at.tanh(g)
        return at.nnet.sigmoid(o) * at.tanh(c), c

    def gru(self, x: Any, h: Any, c: Any) -> tuple[Any, Any]:
        """c is not used: both kinds have the same states."""
        (r, z, g), (r_inner, z_inner, g_inner) = self.parts(x), self.parts(h @ self.inner)
        z = at.nnet.sigmoid(z + z_inner)
        return z * h + (1 - z) * at.tanh(g + at.nnet.sigmoid(r + r_inner) * g_inner), c

    def scores(self, text: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
        """The logarithms of how likely each letter comes next, (time, rows, letters), and the last states."""
        cell = self.lstm if self.kind == "lstm" else self.gru
        (hs, cs), _ = ag.scan(cell, self.letters[text] + self.bias, outputs_info=[h, c])
        return at.nnet.log_softmax(hs @ self.out + self.out_bias), hs[-1], cs[-1]

    def trainer(self, rows: int) -> Any:
        """A function of letters, (time, rows), and a rate: the mean loss in nats a letter, before the weights move on.

        States go on from call to call; gradients are limited in norm.
        """
        text, rate = at.lmatrix("text"), at.fscalar("rate")
        h, c = (ag.shared(np.zeros((rows, self.width), "float32")) for _ in "hc")
        scores, last_h, last_c = self.scores(text[:-1], h, c)
        times, places = at.arange(text.shape[0] - 1), at.arange(text.shape[1])
        loss = -scores[times[:, None], places[None, :], text[1:]].mean()
        gradients = ag.grad(loss, self.weights)
        norm = at.sqrt(sum((g * g).sum() for g in gradients))
        factor = rate * at.minimum(1.0, 5.0 / norm)
        updates = {w: w - factor * g for w, g in zip(self.weights, gradients, strict=True)}
        return ag.function([text, rate], loss, updates={**updates, h: last_h, c: last_c})

    def writer(self, seed: int = 0) -> Any:
        """A function of a first letter and a number: so many letters, each drawn from what is likely next."""
        stream = at.random.RandomStream(seed)
        first, count = at.lscalar("first"), at.lscalar("count")

        def write(letter: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
            scores, h, c = self.scores(at.reshape(letter, (1, 1)), h, c)
            return stream.categorical(at.exp(scores[0, 0])), h, c

        start = at.zeros((1, self.width), dtype="float32")
        (letters, _, _), moved = ag.scan(write, outputs_info=[first, start, start], n_steps=count)
        return ag.function([first, count], letters, updates=moved)


def train(
    kind: str, text: str, steps: int, width: int = 64, rows: int = 16, time: int = 32
) -> tuple[Model, str, list[float]]:
    """The model after so many steps, its alphabet, and the losses on the way."""
    alphabet = "".join(sorted(set(text)))
    letters = np.array([alphabet.index(ch) for ch in text])
    columns = letters[: len(letters) // rows * rows].reshape(rows, -1).T
    model = Model(kind, len(alphabet), width)
    improve = model.trainer(rows)
    losses = []
    for k in range(steps):
        start = k * time % (len(columns) - time - 1)
        losses.append(float(improve(columns[start : start + time + 1], np.float32(2.0))))
    return model, alphabet, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kind", choices=("lstm", "gru"), default="lstm", help="(default: %(default)s)")
    parser.add_argument("--steps", type=int, default=2000, help="(default: %(default)s)")
    options = parser.parse_args()
    model, alphabet, losses = train(options.kind, licence(), options.steps)
    for k in range(0, len(losses), max(1, len(losses) // 8)):
        print(f"step {k}: {np.mean(losses[k : k + 20]):.3f} nats a letter")
    written = model.writer()(alphabet.index("T"), 300)
    print("T" + "".join(alphabet[k] for k in written))


if __name__ == "__main__":
    main()
