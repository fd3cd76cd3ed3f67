"""Recurrent networks, float32: a layer of tanh cells with its gradient, and a training step of a language model of two
layers of LSTM cells. torch.compile is compared on the latter only: loops in Python it writes out, for half a minute."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .cross_entropy import agnesi_loss, jax_loss, numpy_loss
from .record import Call, Inputs, Workload, jax_module, stateful, torch_module

# -- tanh cells -------------------------------------------------------------------------------------------

STEPS, WIDTH, BATCH = 100, 100, 10


def make_cells(generator: np.random.Generator) -> Inputs:
    """A sequence, and the weights."""

    def drawn(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype="float32")

    scale = np.float32(0.7 / WIDTH**0.5)
    return {"x": drawn(STEPS, BATCH, WIDTH), "w": drawn(WIDTH, WIDTH) * scale, "u": drawn(WIDTH, WIDTH) * scale,
            "b": drawn(WIDTH) * scale}  # fmt: skip


def numpy_cells(inputs: Inputs) -> Call:
    """The gradient by hand: one product for all steps wherever that can be."""
    x, w, u, b = inputs.values()

    def call() -> object:
        hidden = np.empty((STEPS + 1, BATCH, WIDTH), "float32")
        hidden[0] = 0
        inner = x.reshape(-1, WIDTH) @ w
        inner = (inner + b).reshape(x.shape)
        for t in range(STEPS):
            np.tanh(inner[t] + hidden[t] @ u, out=hidden[t + 1])
        d = np.empty_like(x)
        g = 2 * hidden[-1]
        for t in range(STEPS - 1, -1, -1):
            np.multiply(g, 1 - hidden[t + 1] ** 2, out=d[t])
            g = d[t] @ u.T
        flat = d.reshape(-1, WIDTH)
        return ((hidden[-1] ** 2).sum(), x.reshape(-1, WIDTH).T @ flat, hidden[:-1].reshape(-1, WIDTH).T @ flat,
                flat.sum(axis=0))  # fmt: skip

    return call


def agnesi_cells(inputs: Inputs) -> Call:
    """scan."""
    import agnesi as ag
    import agnesi.tensor as at

    x, w, u, b = at.ftensor3("x"), at.fmatrix("w"), at.fmatrix("u"), at.fvector("b")
    start = at.zeros(x.shape[1:], dtype="float32")
    h, _ = ag.scan(lambda row, h: at.tanh(row @ w + h @ u + b), x, outputs_info=start)
    cost = (h[-1] ** 2).sum()
    return partial(ag.function([x, w, u, b], [cost, *ag.grad(cost, [w, u, b])]), *inputs.values())


def jax_cells(inputs: Inputs) -> Call:
    """lax.scan, the products with the inputs before it."""
    jax = jax_module("float32")

    def cost(weights: Any, x: Any) -> Any:
        w, u, b = weights

        def step(h: Any, row: Any) -> Any:
            return jax.numpy.tanh(row + h @ u), None

        return (jax.lax.scan(step, jax.numpy.zeros(x.shape[1:], "float32"), x @ w + b)[0] ** 2).sum()

    function = jax.jit(jax.value_and_grad(cost))
    x, *weights = (jax.numpy.array(a) for a in inputs.values())

    def call() -> object:
        value, gradients = jax.block_until_ready(function(weights, x))
        return value, *gradients

    return call


def torch_cells(inputs: Inputs) -> Call:
    """An eager loop, the products with the inputs before it."""
    torch = torch_module()
    x, *weights = (torch.from_numpy(a.copy()) for a in inputs.values())
    w, u, b = (weight.requires_grad_() for weight in weights)

    def call() -> object:
        h = torch.zeros(BATCH, WIDTH)
        for row in x @ w + b:
            h = torch.tanh(torch.addmm(row, h, u))
        cost = (h**2).sum()
        return cost.detach(), *torch.autograd.grad(cost, (w, u, b))

    return call


# -- a language model -------------------------------------------------------------------------------------

WORDS, CELLS, TIME, ROWS, RATE = 10_000, 200, 20, 20, 0.5


def make_language(generator: np.random.Generator) -> Inputs:
    """Words and the next words, and the weights: those of words, of two layers, and of the words that come out."""

    def drawn(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype="float32") * np.float32(0.07)

    text = generator.integers(0, WORDS, (TIME + 1, ROWS))
    weights = {"words": drawn(WORDS, CELLS)}
    for layer in "01":
        weights |= {f"w{layer}": drawn(CELLS, 4 * CELLS), f"u{layer}": drawn(CELLS, 4 * CELLS),
                    f"b{layer}": drawn(4 * CELLS)}  # fmt: skip
    return {"text": text, **weights, "out": drawn(CELLS, WORDS), "bias": drawn(WORDS)}


def weights_of(inputs: Inputs) -> list[np.ndarray]:
    """Copies of the weights, in order."""
    return [value.copy() for name, value in inputs.items() if name != "text"]


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def numpy_layer(x: np.ndarray, w: np.ndarray, u: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Any]:
    """The outputs of a layer of LSTM cells, and a function from their cotangents to those of x, w, u and b."""
    inner = (x.reshape(-1, CELLS) @ w + b).reshape(TIME, ROWS, -1)
    h, c = (np.zeros((TIME + 1, ROWS, CELLS), "float32") for _ in "hc")
    gates = np.empty_like(inner)
    for t in range(TIME):
        z = inner[t] + h[t] @ u
        gates[t, :, : 3 * CELLS] = sigmoid(z[:, : 3 * CELLS])
        gates[t, :, 3 * CELLS :] = np.tanh(z[:, 3 * CELLS :])
        i, f, o, g = np.split(gates[t], 4, axis=1)
        c[t + 1] = f * c[t] + i * g
        h[t + 1] = o * np.tanh(c[t + 1])

    def back(dh: np.ndarray) -> tuple[np.ndarray, ...]:
        d, later, dc = np.empty_like(inner), np.zeros((ROWS, CELLS), "float32"), np.zeros((ROWS, CELLS), "float32")
        for t in range(TIME - 1, -1, -1):
            i, f, o, g = np.split(gates[t], 4, axis=1)
            total, tanh = dh[t] + later, np.tanh(c[t + 1])
            dc = dc + total * o * (1 - tanh**2)
            parts = dc * g * i * (1 - i), dc * c[t] * f * (1 - f), total * tanh * o * (1 - o), dc * i * (1 - g**2)
            d[t] = np.concatenate(parts, axis=1)
            later, dc = d[t] @ u.T, dc * f
        flat = d.reshape(-1, 4 * CELLS)
        dw, du = x.reshape(-1, CELLS).T @ flat, h[:-1].reshape(-1, CELLS).T @ flat
        return (flat @ w.T).reshape(x.shape), dw, du, flat.sum(axis=0)

    return h[1:], back


def numpy_language(inputs: Inputs) -> Call:
    """Forward and backward by hand, updates in place."""
    text, state = inputs["text"], weights_of(inputs)
    words, w0, u0, b0, w1, u1, b1, out, bias = state

    def step() -> object:
        x = words[text[:-1]]
        first, back0 = numpy_layer(x, w0, u0, b0)
        second, back1 = numpy_layer(first, w1, u1, b1)
        flat = second.reshape(-1, CELLS)
        cost, g = numpy_loss(flat @ out + bias, text[1:].ravel())
        d1, *g1 = back1((g @ out.T).reshape(second.shape))
        dx, *g0 = back0(d1)
        for p, d in zip((w0, u0, b0, w1, u1, b1, out, bias), (*g0, *g1, flat.T @ g, g.sum(axis=0)), strict=True):
            p -= np.float32(RATE) * d
        np.subtract.at(words, text[:-1], np.float32(RATE) * dx)
        return cost

    return stateful(step, lambda: state)


def agnesi_language(inputs: Inputs) -> Call:
    """Two scans in one function whose updates change shared variables."""
    import agnesi as ag
    import agnesi.tensor as at

    text, state = at.lmatrix("text"), [ag.shared(w) for w in weights_of(inputs)]
    words, w0, u0, b0, w1, u1, b1, out, bias = state

    def layer(x: Any, w: Any, u: Any, b: Any) -> Any:
        def cell(row: Any, h: Any, c: Any) -> tuple[Any, Any]:
            z = row @ w + h @ u + b
            i, f, o, g = (z[:, k * CELLS : (k + 1) * CELLS] for k in range(4))
            c = at.nnet.sigmoid(f) * c + at.nnet.sigmoid(i) * at.tanh(g)
            return at.nnet.sigmoid(o) * at.tanh(c), c

        start = at.zeros(x.shape[1:], dtype="float32")
        return ag.scan(cell, x, outputs_info=[start, start])[0][0]

    h = layer(layer(words[text[:-1]], w0, u0, b0), w1, u1, b1)
    cost = agnesi_loss(h.reshape((-1, CELLS)) @ out + bias, text[1:].flatten())
    updates = {p: p - np.float32(RATE) * g for p, g in zip(state, ag.grad(cost, state), strict=True)}
    call = partial(ag.function([text], cost, updates=updates), inputs["text"])
    return stateful(call, lambda: [p.get_value() for p in state])


def jax_language(inputs: Inputs) -> Call:
    """Two lax.scans, the products with the inputs before them, weights donated."""
    jax = jax_module("float32")
    jnp = jax.numpy

    def layer(x: Any, w: Any, u: Any, b: Any) -> Any:
        def cell(state: Any, row: Any) -> Any:
            h, c = state
            i, f, o, g = jnp.split(row + h @ u, 4, axis=1)
            c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
            h = jax.nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h

        start = jnp.zeros(x.shape[1:], "float32")
        return jax.lax.scan(cell, (start, start), x @ w + b)[1]

    def cost_of(state: Any, text: Any) -> Any:
        words, w0, u0, b0, w1, u1, b1, out, bias = state
        h = layer(layer(words[text[:-1]], w0, u0, b0), w1, u1, b1)
        return jax_loss(h.reshape(-1, CELLS) @ out + bias, text[1:].ravel())

    def update(state: Any, text: Any) -> Any:
        cost, gradients = jax.value_and_grad(cost_of)(state, text)
        return cost, [p - RATE * g for p, g in zip(state, gradients, strict=True)]

    update = jax.jit(update, donate_argnums=0)
    text, state = jnp.array(inputs["text"]), jax.device_put(weights_of(inputs))

    def step() -> object:
        nonlocal state
        cost, state = jax.block_until_ready(update(state, text))
        return cost

    return stateful(step, lambda: state)


def torch_language(inputs: Inputs, compiled: bool = False) -> Call:
    """torch's own LSTM, whose gates stand in the order i, f, g, o; its cost can be compiled."""
    torch = torch_module()
    words, w0, u0, b0, w1, u1, b1, out, bias = (torch.from_numpy(w) for w in weights_of(inputs))
    order = torch.cat([torch.arange(k * CELLS, (k + 1) * CELLS) for k in (0, 1, 3, 2)])
    text = torch.from_numpy(inputs["text"])
    layers = []
    for w, u, b in ((w0, u0, b0), (w1, u1, b1)):
        layers += [w[:, order].T.contiguous(), u[:, order].T.contiguous(), b[order].clone()]
    state = [p.requires_grad_() for p in (words, *layers, out, bias)]
    zeros, start = torch.zeros(4 * CELLS), torch.zeros(2, ROWS, CELLS)

    def cost_of(words: Any, w0: Any, u0: Any, b0: Any, w1: Any, u1: Any, b1: Any, out: Any, bias: Any) -> Any:
        x = torch.nn.functional.embedding(text[:-1], words)
        given = [w0, u0, b0, zeros, w1, u1, b1, zeros]
        h = torch.lstm(x, (start, start), given, True, 2, 0.0, False, False, False)[0]
        scores = torch.addmm(bias, h.reshape(-1, CELLS), out)
        return torch.nn.functional.cross_entropy(scores, text[1:].flatten())

    if compiled:
        cost_of = torch.compile(cost_of)

    def step() -> object:
        cost = cost_of(*state)
        gradients = torch.autograd.grad(cost, state)
        with torch.no_grad():
            torch._foreach_add_(state, gradients, alpha=-RATE)
        return cost

    def read() -> list[Any]:
        back = torch.argsort(order)
        found = [state[0]]
        for w, u, b in (state[1:4], state[4:7]):
            found += [w.T[:, back], u.T[:, back], b[back]]
        return [*found, state[7], state[8]]

    return stateful(step, read)


WORKLOADS = [
    Workload(
        "recurrent", "recurrent network and gradient", {"steps": STEPS, "width": WIDTH, "batch": BATCH}, "float32",
        make_cells, numpy_cells, agnesi=agnesi_cells, jax=jax_cells, torch=torch_cells, tolerance=1e-4,
    ),
    Workload(
        "recurrent", "LSTM language model step", {"steps": TIME, "width": CELLS, "batch": ROWS, "words": WORDS},
        "float32", make_language, numpy_language, agnesi=agnesi_language, jax=jax_language, torch=torch_language,
        torch_compile=partial(torch_language, compiled=True), tolerance=1e-4,
    ),
]  # fmt: skip
