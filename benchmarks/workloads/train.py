"""Training steps: softmax regression and a perceptron with one hidden layer, by gradient descent in float32.

A step computes the mean cross-entropy of a batch, its gradient, and updates the parameters in place; its output is
the cost before the update.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from .cross_entropy import agnesi_loss, jax_loss, numpy_loss
from .record import Call, Inputs, Workload, jax_module, stateful, torch_compiled, torch_module

RATE = 0.01
PIXELS, HIDDEN, CLASSES = 784, 500, 10


def make(widths: tuple[int, ...], batch: int, generator: np.random.Generator) -> Inputs:
    """A batch of images and labels, and a weight and a bias for each layer, weights first to last as w0, b0, w1 ..."""
    inputs = {
        "x": generator.random((batch, widths[0]), dtype="float32"),
        "y": generator.integers(0, widths[-1], batch),
    }
    for layer, (m, n) in enumerate(pairwise(widths)):
        inputs[f"w{layer}"] = generator.standard_normal((m, n), dtype="float32") / np.float32(m**0.5)
        inputs[f"b{layer}"] = np.zeros(n, "float32")
    return inputs


def parameters(inputs: Inputs) -> list[np.ndarray]:
    """Copies of the parameters, in order."""
    return [value.copy() for name, value in inputs.items() if name not in ("x", "y")]


def forward(tanh: Callable[[Any], Any], parameters: Any, x: Any) -> Any:
    """The logits: the same text for every system that differentiates by itself."""
    for w, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        x = tanh(x @ w + b)
    return x @ parameters[-2] + parameters[-1]


def numpy_regression(inputs: Inputs) -> Call:
    """Softmax regression with the gradient by hand."""
    x, y = inputs["x"], inputs["y"]
    w, b = state = parameters(inputs)

    def step() -> object:
        cost, g = numpy_loss(x @ w + b, y)
        g *= RATE
        np.subtract(w, x.T @ g, out=w)
        np.subtract(b, g.sum(axis=0), out=b)
        return cost

    return stateful(step, lambda: state)


def numpy_network(inputs: Inputs) -> Call:
    """A perceptron of any depth with the gradient by hand, updates in place."""
    x, y = inputs["x"], inputs["y"]
    state = parameters(inputs)
    layers = list(zip(state[::2], state[1::2], strict=True))

    def step() -> object:
        hidden = [x]
        for w, b in layers[:-1]:
            h = hidden[-1] @ w
            h += b
            hidden.append(np.tanh(h, out=h))
        w, b = layers[-1]
        cost, g = numpy_loss(hidden[-1] @ w + b, y)
        g *= RATE
        for (w, b), h in zip(reversed(layers), reversed(hidden), strict=True):
            d = g @ w.T if h is not x else None
            np.subtract(w, h.T @ g, out=w)
            np.subtract(b, g.sum(axis=0), out=b)
            if d is not None:
                h *= h
                np.subtract(1, h, out=h)
                d *= h
                g = d
        return cost

    return stateful(step, lambda: state)


def agnesi(inputs: Inputs) -> Call:
    """One function whose updates change shared variables."""
    import agnesi as ag
    import agnesi.tensor as at

    x, y = at.fmatrix("x"), at.lvector("y")
    state = [ag.shared(value) for value in parameters(inputs)]
    cost = agnesi_loss(forward(at.tanh, state, x), y)
    gradients = ag.grad(cost, state)
    updates = {p: p - RATE * g for p, g in zip(state, gradients, strict=True)}
    call = partial(ag.function([x, y], cost, updates=updates), inputs["x"], inputs["y"])
    return stateful(call, lambda: [p.get_value() for p in state])


def jax(inputs: Inputs) -> Call:
    """A jitted step to which the parameters are donated."""
    jax = jax_module("float32")

    def cost_of(state: Any, x: Any, y: Any) -> Any:
        return jax_loss(forward(jax.numpy.tanh, state, x), y)

    def update(state: Any, x: Any, y: Any) -> Any:
        cost, gradients = jax.value_and_grad(cost_of)(state, x, y)
        return cost, [p - RATE * g for p, g in zip(state, gradients, strict=True)]

    update = jax.jit(update, donate_argnums=0)
    x, y, state = jax.numpy.array(inputs["x"]), jax.numpy.array(inputs["y"]), jax.device_put(parameters(inputs))

    def step() -> object:
        nonlocal state
        cost, state = jax.block_until_ready(update(state, x, y))
        return cost

    return stateful(step, lambda: state)


def torch(inputs: Inputs) -> Call:
    """Eager operations, automatic gradients, updates in place."""
    torch = torch_module()
    loss = torch.nn.functional.cross_entropy
    x, y = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"])
    state = [torch.from_numpy(value).requires_grad_() for value in parameters(inputs)]

    def step() -> object:
        h = x
        for w, b in zip(state[:-2:2], state[1:-2:2], strict=True):
            h = torch.tanh(torch.addmm(b, h, w))
        cost = loss(torch.addmm(state[-1], h, state[-2]), y)
        gradients = torch.autograd.grad(cost, state)
        with torch.no_grad():
            torch._foreach_add_(state, gradients, alpha=-RATE)
        return cost

    return stateful(step, lambda: state)


def torch_compile(inputs: Inputs) -> Call:
    """Forward pass, gradient and update in one compiled graph."""
    torch = torch_module()
    loss = torch.nn.functional.cross_entropy
    x, y = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"])
    state = [torch.from_numpy(value) for value in parameters(inputs)]

    def cost_of(state: Any, x: Any, y: Any) -> Any:
        return loss(forward(torch.tanh, state, x), y)

    def update(state: Any, x: Any, y: Any) -> Any:
        gradients, cost = torch.func.grad_and_value(cost_of)(state, x, y)
        torch._foreach_add_(state, gradients, alpha=-RATE)  # p.add_(g, alpha=-RATE) is miscompiled by torch 2.13
        return cost

    return stateful(partial(torch_compiled(update), state, x, y), lambda: state)


def workload(family: str, name: str, widths: tuple[int, ...], batch: int, numpy: Callable[[Inputs], Call]) -> Workload:
    """The workload of one network at one batch size."""
    return Workload(
        family,
        name,
        {"batch": batch},
        "float32",
        partial(make, widths, batch),
        numpy=numpy,
        agnesi=agnesi,
        jax=jax,
        torch=torch,
        torch_compile=torch_compile,
    )


PERCEPTRON = f"perceptron {PIXELS}-{HIDDEN}-{CLASSES} step"
WORKLOADS = [
    workload("logistic", f"softmax regression {PIXELS}x{CLASSES} step", (PIXELS, CLASSES), 60, numpy_regression),
    *(workload("mlp", PERCEPTRON, (PIXELS, HIDDEN, CLASSES), batch, numpy_network) for batch in (10, 60, 600)),
    workload("deep", "perceptron 784-1000-1000-1000-10 step", (PIXELS, 1000, 1000, 1000, CLASSES), 60, numpy_network),
]
