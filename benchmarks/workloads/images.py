"""Images, float32: a convolution and its gradients, pooling and its gradient, and a training step of a small
convolutional network, after LeNet, by gradient descent."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from .cross_entropy import agnesi_loss, jax_loss, numpy_loss
from .record import Call, Inputs, Workload, jax_module, stateful, torch_compiled, torch_module

# -- a convolution ----------------------------------------------------------------------------------------


def make_convolution(batch: int, channels: int, filters: int, edge: int, generator: np.random.Generator) -> Inputs:
    """Images, filters of 3 x 3 places, and the gradient by the result."""

    def drawn(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype="float32")

    return {"x": drawn(batch, channels, edge, edge), "w": drawn(filters, channels, 3, 3),
            "g": drawn(batch, filters, edge - 2, edge - 2)}  # fmt: skip


def windows(x: np.ndarray, edge: int) -> np.ndarray:
    """All windows of an edge in the last two axes."""
    return np.lib.stride_tricks.sliding_window_view(x, (edge, edge), axis=(2, 3))


def numpy_forward(x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """The correlation of images with filters, batch first."""
    return np.ascontiguousarray(np.tensordot(windows(x, w.shape[-1]), w, ((1, 4, 5), (1, 2, 3))).transpose(0, 3, 1, 2))


def numpy_backward(x: np.ndarray, w: np.ndarray, g: np.ndarray, images: bool = True) -> tuple[Any, np.ndarray]:
    """The gradients by images and filters from that by the result."""
    edge = w.shape[-1]
    dw = np.tensordot(g, windows(x, edge), ((0, 2, 3), (0, 2, 3)))
    if not images:
        return None, dw
    dx = np.zeros_like(x)
    for i in range(edge):
        for j in range(edge):
            part = np.tensordot(g, w[:, :, i, j], (1, 0)).transpose(0, 3, 1, 2)
            dx[:, :, i : i + g.shape[2], j : j + g.shape[3]] += part
    return dx, dw


def numpy_convolution(inputs: Inputs) -> Call:
    """Products of windows, and of shifted images."""
    x, w, g = inputs.values()
    return lambda: (numpy_forward(x, w), *numpy_backward(x, w, g))


def agnesi_convolution(inputs: Inputs) -> Call:
    """One function of three results."""
    import agnesi as ag
    import agnesi.tensor as at

    x, w, g = (at.ftensor4(name) for name in "xwg")
    y = at.nnet.conv2d(x, w, filter_flip=False)
    gradients = ag.grad(None, [x, w], known_grads={y: g})
    return partial(ag.function([x, w, g], [y, *gradients]), *inputs.values())


def jax_convolution(inputs: Inputs) -> Call:
    """The result, and what its vjp makes of the gradient."""
    jax = jax_module("float32")

    def all_three(x: Any, w: Any, g: Any) -> Any:
        y, back = jax.vjp(lambda x, w: jax.lax.conv(x, w, (1, 1), "VALID"), x, w)
        return y, *back(g)

    function, arrays = jax.jit(all_three), [jax.numpy.array(a) for a in inputs.values()]
    return lambda: jax.block_until_ready(function(*arrays))


def torch_convolution(inputs: Inputs) -> Call:
    """Eager, with oneDNN's kernels."""
    torch = torch_module()
    x, w, g = map(torch.from_numpy, inputs.values())

    def call() -> object:
        y = torch.nn.functional.conv2d(x, w)
        dx, dw, _ = torch.ops.aten.convolution_backward(
            g, x, w, None, [1, 1], [0, 0], [1, 1], False, [0, 0], 1, [True, True, False]
        )
        return y, dx, dw

    return call


# -- pooling ----------------------------------------------------------------------------------------------


def make_pooling(generator: np.random.Generator) -> Inputs:
    """What a first layer of filters gives, and a gradient."""
    return {"x": generator.standard_normal((60, 20, 24, 24), dtype="float32"),
            "g": generator.standard_normal((60, 20, 12, 12), dtype="float32")}  # fmt: skip


def numpy_pool(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The largest of each four neighbours, and where they are."""
    n, c, rows, columns = x.shape
    parts = x.reshape(n, c, rows // 2, 2, columns // 2, 2)
    largest = parts.max((3, 5))
    return largest, parts == largest[:, :, :, None, :, None]


def numpy_pooling(inputs: Inputs) -> Call:
    """By views of four neighbours."""
    x, g = inputs.values()

    def call() -> object:
        largest, mask = numpy_pool(x)
        return largest, (mask * g[:, :, :, None, :, None]).reshape(x.shape)

    return call


def agnesi_pooling(inputs: Inputs) -> Call:
    """One function of two results."""
    import agnesi as ag
    import agnesi.tensor as at

    x, g = at.ftensor4("x"), at.ftensor4("g")
    y = at.nnet.pool_2d(x, (2, 2))
    return partial(ag.function([x, g], [y, ag.grad(None, x, known_grads={y: g})]), *inputs.values())


def jax_pool(jax: Any, x: Any) -> Any:
    return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")


def jax_pooling(inputs: Inputs) -> Call:
    """reduce_window and its vjp."""
    jax = jax_module("float32")

    def both(x: Any, g: Any) -> Any:
        y, back = jax.vjp(partial(jax_pool, jax), x)
        return y, *back(g)

    function, arrays = jax.jit(both), [jax.numpy.array(a) for a in inputs.values()]
    return lambda: jax.block_until_ready(function(*arrays))


def torch_pooling(inputs: Inputs) -> Call:
    """Eager, with the places of the largest kept."""
    torch = torch_module()
    x, g = map(torch.from_numpy, inputs.values())

    def call() -> object:
        y, places = torch.nn.functional.max_pool2d(x, 2, return_indices=True)
        back = torch.ops.aten.max_pool2d_with_indices_backward(g, x, [2, 2], [2, 2], [0, 0], [1, 1], False, places)
        return y, back

    return call


# -- a network --------------------------------------------------------------------------------------------

BATCH, RATE = 60, 0.01


def make_network(generator: np.random.Generator) -> Inputs:
    """A batch of images and labels; filters, weights and biases of four layers."""

    def drawn(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype="float32") / np.float32(np.prod(shape[1:]) ** 0.5)

    layers = {}
    for k, shape in enumerate([(20, 1, 5, 5), (50, 20, 5, 5)]):
        layers |= {f"w{k}": drawn(*shape), f"b{k}": np.zeros(shape[0], "float32")}
    for k, shape in enumerate([(800, 500), (500, 10)], 2):
        layers |= {f"w{k}": drawn(*shape[::-1]).T.copy(), f"b{k}": np.zeros(shape[1], "float32")}
    return {"x": generator.random((BATCH, 1, 28, 28), dtype="float32"), "y": generator.integers(0, 10, BATCH), **layers}


def parameters(inputs: Inputs) -> list[np.ndarray]:
    """Copies of the parameters, in order."""
    return [value.copy() for name, value in inputs.items() if name not in ("x", "y")]


def numpy_network(inputs: Inputs) -> Call:
    """Forward and backward by hand, updates in place."""
    x, y, state = inputs["x"], inputs["y"], parameters(inputs)
    w0, b0, w1, b1, w2, b2, w3, b3 = state

    def step() -> object:
        images, kept = x, []
        for w, b in ((w0, b0), (w1, b1)):
            h = np.tanh(numpy_forward(images, w) + b[:, None, None])
            pooled, mask = numpy_pool(h)
            kept.append((images, w, h, mask))
            images = pooled
        flat = images.reshape(BATCH, -1)
        hidden = np.tanh(flat @ w2 + b2)
        cost, g = numpy_loss(hidden @ w3 + b3, y)
        d = (g @ w3.T) * (1 - hidden**2)
        changes = [flat.T @ d, d.sum(0), hidden.T @ g, g.sum(0)]
        g = (d @ w2.T).reshape(images.shape)
        for layer in (1, 0):
            images, w, h, mask = kept[layer]
            d = (mask * g[:, :, :, None, :, None]).reshape(h.shape) * (1 - h**2)
            g, dw = numpy_backward(images, w, d, layer == 1)
            changes[:0] = [dw, d.sum((0, 2, 3))]
        for p, change in zip(state, changes, strict=True):
            p -= np.float32(RATE) * change
        return cost

    return stateful(step, lambda: state)


def agnesi_network(inputs: Inputs) -> Call:
    """One function whose updates change shared variables."""
    import agnesi as ag
    import agnesi.tensor as at

    x, y = at.ftensor4("x"), at.lvector("y")
    state = [ag.shared(p) for p in parameters(inputs)]
    h = x
    for w, b in zip(state[0:4:2], state[1:4:2], strict=True):
        h = at.nnet.pool_2d(at.tanh(at.nnet.conv2d(h, w, filter_flip=False) + b[:, None, None]), (2, 2))
    h = at.tanh(h.reshape((x.shape[0], 800)) @ state[4] + state[5])
    cost = agnesi_loss(h @ state[6] + state[7], y)
    updates = {p: p - np.float32(RATE) * g for p, g in zip(state, ag.grad(cost, state), strict=True)}
    call = partial(ag.function([x, y], cost, updates=updates), inputs["x"], inputs["y"])
    return stateful(call, lambda: [p.get_value() for p in state])


def jax_network(inputs: Inputs) -> Call:
    """A jitted step to which the parameters are donated."""
    jax = jax_module("float32")
    jnp = jax.numpy

    def cost_of(state: Any, x: Any, y: Any) -> Any:
        h = x
        for w, b in zip(state[0:4:2], state[1:4:2], strict=True):
            h = jax_pool(jax, jnp.tanh(jax.lax.conv(h, w, (1, 1), "VALID") + b[:, None, None]))
        h = jnp.tanh(h.reshape(BATCH, 800) @ state[4] + state[5])
        return jax_loss(h @ state[6] + state[7], y)

    def update(state: Any, x: Any, y: Any) -> Any:
        cost, gradients = jax.value_and_grad(cost_of)(state, x, y)
        return cost, [p - RATE * g for p, g in zip(state, gradients, strict=True)]

    update = jax.jit(update, donate_argnums=0)
    x, y, state = jnp.array(inputs["x"]), jnp.array(inputs["y"]), jax.device_put(parameters(inputs))

    def step() -> object:
        nonlocal state
        cost, state = jax.block_until_ready(update(state, x, y))
        return cost

    return stateful(step, lambda: state)


def torch_network(inputs: Inputs, compiled: bool = False) -> Call:
    """Automatic gradients, updates in place; forward pass, gradient and update in one graph if compiled."""
    torch = torch_module()
    functional = torch.nn.functional
    x, y = torch.from_numpy(inputs["x"]), torch.from_numpy(inputs["y"])
    state = [torch.from_numpy(value) for value in parameters(inputs)]

    def cost_of(state: Any, x: Any, y: Any) -> Any:
        h = x
        for w, b in zip(state[0:4:2], state[1:4:2], strict=True):
            h = functional.max_pool2d(torch.tanh(functional.conv2d(h, w, b)), 2)
        h = torch.tanh(torch.addmm(state[5], h.reshape(BATCH, 800), state[4]))
        return functional.cross_entropy(torch.addmm(state[7], h, state[6]), y)

    if compiled:

        def update(state: Any, x: Any, y: Any) -> Any:
            gradients, cost = torch.func.grad_and_value(cost_of)(state, x, y)
            torch._foreach_add_(state, gradients, alpha=-RATE)
            return cost

        return stateful(partial(torch_compiled(update), state, x, y), lambda: state)
    state = [p.requires_grad_() for p in state]

    def step() -> object:
        cost = cost_of(state, x, y)
        gradients = torch.autograd.grad(cost, state)
        with torch.no_grad():
            torch._foreach_add_(state, gradients, alpha=-RATE)
        return cost

    return stateful(step, lambda: state)


WORKLOADS = [
    *(
        Workload(
            "images", "convolution 3x3 and gradients", {"batch": n, "channels": c, "filters": o, "edge": edge},
            "float32", partial(make_convolution, n, c, o, edge), numpy_convolution, agnesi=agnesi_convolution,
            jax=jax_convolution, torch=torch_convolution, tolerance=1e-4,
        )
        for n, c, o, edge in ((8, 64, 64, 30), (32, 3, 32, 34))
    ),
    Workload(
        "images", "max pooling 2x2 and gradient", {"batch": 60, "channels": 20, "edge": 24}, "float32", make_pooling,
        numpy_pooling, agnesi=agnesi_pooling, jax=jax_pooling, torch=torch_pooling,
    ),
    Workload(
        "images", "LeNet step", {"batch": BATCH}, "float32", make_network, numpy_network, agnesi=agnesi_network,
        jax=jax_network, torch=torch_network, torch_compile=partial(torch_network, compiled=True), tolerance=1e-4,
    ),
]  # fmt: skip
