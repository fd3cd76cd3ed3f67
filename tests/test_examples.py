"""The examples: small, against plain NumPy loops or what is known to be true."""

from __future__ import annotations

import importlib.util
import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at

FOLDER = Path(__file__).parents[1] / "examples"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))


def example(name):
    """The example as a module."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_all_are_in_the_list():
    text = (FOLDER / "README.md").read_text()
    assert len(NAMES) > 5
    assert all(f"[{name}.py]({name}.py)" in text for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_help(name):
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py", "--help"], capture_output=True, text=True, check=True)
    assert "--help" in done.stdout


def test_ode():
    ode = example("ode")
    start, n = at.scalar("start"), at.lscalar("n")
    found = ag.function([start, n], ode.swing(start, 0.25, 9.81, 0.01, n))(1.0, 200)

    def slope(state):
        return np.array([state[1], -0.25 * state[1] - 9.81 * np.sin(state[0])])

    state, wanted = np.array([1.0, 0.0]), []
    for _ in range(200):
        k1 = slope(state)
        k2 = slope(state + 0.005 * k1)
        k3 = slope(state + 0.005 * k2)
        state = state + 0.01 / 6 * (k1 + 2 * k2 + 2 * k3 + slope(state + 0.01 * k3))
        wanted.append(state[0])
    np.testing.assert_allclose(found, wanted, rtol=1e-12)
    parameters, errors = ode.fit((0.25, 9.81), 300, 10)
    np.testing.assert_allclose(parameters, [0.25, 9.81], rtol=1e-8)
    assert errors[-1] < 1e-20


def test_markov():
    markov = example("markov")
    rng = np.random.default_rng(0)
    start, change, shown = rng.random(2), rng.random((2, 2)), rng.random((2, 3))
    start, change, shown = (p / p.sum(-1, keepdims=True) for p in (start, change, shown))
    seen = np.array([0, 2, 1, 1, 0])
    total = 0.0
    for path in itertools.product(range(2), repeat=len(seen)):
        p = start[path[0]] * shown[path[0], seen[0]]
        for before, here, kind in zip(path, path[1:], seen[1:], strict=False):
            p *= change[before, here] * shown[here, kind]
        total += p
    data, logs = at.lvector("data"), [at.dvector("s"), at.dmatrix("c"), at.dmatrix("e")]
    value = markov.log_likelihood(data, *logs)
    f = ag.function([data, *logs], [value, *ag.grad(value, logs)])
    found, *slopes = f(seen, *map(np.log, (start, change, shown)))
    np.testing.assert_allclose(found, np.log(total))
    for slope, count in zip(slopes, (1, len(seen) - 1, len(seen)), strict=True):
        np.testing.assert_allclose(slope.sum(), count)  # expected numbers of starts, changes, and things shown
    values, _, emitted = markov.train(markov.casino(1500), 120)
    assert values[-1] > values[0] + 50
    assert emitted[:, 5].max() == pytest.approx(0.5, abs=0.08)


def test_kalman():
    kalman = example("kalman")
    places = kalman.track(6, 0.3, 0.8)
    shock = np.diag([0, 0, 0.09, 0.09])
    covariance, moves = np.zeros((12, 12)), [np.linalg.matrix_power(kalman.MOVE, k) for k in range(7)]
    for i, j in itertools.product(range(6), repeat=2):
        block = moves[i + 1] @ moves[j + 1].T
        for k in range(min(i, j) + 1):
            block = block + moves[i - k] @ shock @ moves[j - k].T
        block = kalman.LOOK @ block @ kalman.LOOK.T + 0.64 * np.eye(2) * (i == j)
        covariance[2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = block
    flat = places.ravel()
    _, logdet = np.linalg.slogdet(2 * np.pi * covariance)
    wanted = -0.5 * (flat @ np.linalg.solve(covariance, flat) + logdet)
    seen = at.tensor("seen", dtype="float64", shape=(None, 2))
    given = kalman.MOVE, kalman.LOOK, shock, 0.64 * np.eye(2), np.zeros(4), np.eye(4)
    value = kalman.log_likelihood(seen, *map(at.constant, given))
    np.testing.assert_allclose(ag.function([seen], value)(places), wanted, rtol=1e-10)
    values, found = kalman.fit(kalman.track(400, 0.3, 0.8), 8)
    assert values[-1] >= max(values) - 1e-6
    np.testing.assert_allclose(found, [0.3, 0.8], rtol=0.3)


def test_hamilton():
    hamilton = example("hamilton")
    mean, deviation = np.array([1.0, -2.0]), np.array([0.5, 2.0])
    move = hamilton.transition(lambda q: -0.5 * (((q - mean) / deviation) ** 2).sum(), np.zeros(2), 0.3, 10)
    points, accepted = hamilton.sample(move, 4000, 100)
    np.testing.assert_allclose(points.mean(0), mean, atol=0.2)
    np.testing.assert_allclose(points.std(0), deviation, rtol=0.1)
    assert accepted > 0.8


def test_mandelbrot():
    counts = example("mandelbrot").picture(30, 50)
    height, width = counts.shape
    for j, i in itertools.product(range(0, height, 3), range(0, width, 3)):
        c = complex(-0.6 + 3 * (i / 29 - 0.5), 2 * (j / 19 - 0.5))
        z, n = 0j, 0
        while n < 50 and abs(z) ** 2 <= 4:
            z, n = z * z + c, n + 1
        assert counts[j, i] == n


def test_boltzmann():
    pytest.importorskip("sklearn")
    boltzmann = example("boltzmann")
    data = boltzmann.digits()
    noise = np.random.default_rng(1).permuted(data[1500:], axis=0)
    for persistent in (False, True):
        machine = boltzmann.train(data[:1500], 4, persistent, hidden=48)
        assert machine.quality()(data[1500:], noise) > 2
    small = boltzmann.Machine(4, 3)
    v, everything = at.fmatrix("v"), np.array(list(itertools.product([0, 1], repeat=4)), "float32")
    energies = ag.function([v], small.free_energy(v))(everything)
    w, a, b = (s.get_value().astype("f8") for s in (small.w, small.a, small.b))
    hidden = np.array(list(itertools.product([0, 1], repeat=3)))
    joint = np.exp(everything @ w @ hidden.T + (everything @ a)[:, None] + hidden @ b)
    np.testing.assert_allclose(np.exp(-energies), joint.sum(1), rtol=1e-5)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_language(kind):
    language = example("language")
    text = language.licence()
    assert len(text) > 5000
    model, alphabet, losses = language.train(kind, text[:6000], 150, width=32)
    assert np.mean(losses[-20:]) < losses[0] - 0.7
    rows = np.array([[1, 2], [3, 4], [5, 6]])
    t, h = at.lmatrix("t"), at.zeros((2, 32), dtype="float32")
    found = ag.function([t], model.scores(t, h, h)[0])(rows)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    letters, inner, bias, out, out_bias = (w.get_value() for w in model.weights)
    s = c = np.zeros((2, 32), "f4")
    for k, row in enumerate(rows):
        x, y = letters[row] + bias, s @ inner
        if kind == "lstm":
            i, f, o, g = np.split(x + y, 4, axis=1)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
            s = sigmoid(o) * np.tanh(c)
        else:
            (r, z, g), (r2, z2, g2) = np.split(x, 3, axis=1), np.split(y, 3, axis=1)
            z = sigmoid(z + z2)
            s = z * s + (1 - z) * np.tanh(g + sigmoid(r + r2) * g2)
        scores = s @ out + out_bias
        np.testing.assert_allclose(np.exp(found[k]).sum(1), 1, rtol=1e-5)
        np.testing.assert_allclose(found[k] - found[k][:, :1], scores - scores[:, :1], rtol=1e-3, atol=1e-4)
    written = model.writer()(0, 40)
    assert set(written) <= set(range(len(alphabet)))


def test_convolution():
    """The logits against windows in NumPy; after two times through the digits few are taken for others."""
    convolution = example("convolution")
    pytest.importorskip("sklearn")
    network = convolution.Network(8)
    x = np.random.default_rng(0).random((3, 8, 8), dtype="float32")
    images = at.ftensor3("images")
    found = ag.function([images], network.logits(images))(x)
    *filters, w, b = (p.get_value() for p in network.parameters)
    h = x[:, None]
    for kernels, bias in zip(filters[::2], filters[1::2], strict=True):
        padded = np.pad(h, [(0, 0), (0, 0), (1, 1), (1, 1)])
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
        h = np.maximum(np.einsum("ncxyuv,ocuv->noxy", windows, kernels) + bias[:, None, None], 0)
        h = h.reshape(*h.shape[:2], h.shape[2] // 2, 2, h.shape[3] // 2, 2).max((3, 5))
    np.testing.assert_allclose(found, h.reshape(3, -1) @ w + b, rtol=1e-4, atol=1e-5)
    seen = []
    digits = convolution.load()
    assert convolution.train(digits, 2, show=lambda *row: seen.append(row)) < 0.15
    assert [epoch for epoch, _, _ in seen] == [0, 1]
    assert seen[1][1] < 0.4
