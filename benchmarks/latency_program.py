"""One program in one system, timed by itself: run as `latency_program.py SYSTEM PROGRAM` in a fresh process.

Prints a line of JSON: seconds of the import, seconds from there to the first result, and the sum of that result.
"""

import json
import sys
import time

BATCH, PIXELS, HIDDEN, CLASSES = 60, 784, 500, 10
STEPS, INPUTS, CELLS = 50, 20, 100
LARGE = 4000  # rounds of a chain of five operations


def load(system):
    """Import the system as its users do."""
    if system == "agnesi":
        import agnesi
        import agnesi.tensor  # noqa: F401
    elif system == "jax":
        import jax
        import jax.numpy  # noqa: F401
    elif system == "torch.compile":
        import torch  # noqa: F401
    elif system == "numpy":
        import numpy  # noqa: F401


def network_values():
    """A batch with labels, and the parameters of the perceptron."""
    import numpy as np

    generator = np.random.default_rng(0)
    x = generator.random((BATCH, PIXELS), dtype="float32")
    y = generator.integers(0, CLASSES, BATCH)
    w0 = generator.standard_normal((PIXELS, HIDDEN), dtype="float32") / 28
    w1 = generator.standard_normal((HIDDEN, CLASSES), dtype="float32") / 22
    return x, y, [w0, np.zeros(HIDDEN, "float32"), w1, np.zeros(CLASSES, "float32")]


def vector():
    """The input of the elementwise programs."""
    import numpy as np

    return np.linspace(0, 1, 1000, dtype="float32")


def chain(x, tanh, rounds=100):
    """Five hundred elementwise operations, with a hundred different constants; or as many as five times the rounds."""
    for i in range(rounds):
        x = abs(tanh(x * (1 + i / rounds) + 0.5) - 0.25)
    return x


def recurrent_values():
    """A sequence, the first state, and the weights of a recurrent network."""
    import numpy as np

    generator = np.random.default_rng(0)
    shapes = ((STEPS, 10, INPUTS), (10, CELLS), (CELLS, CELLS), (INPUTS, CELLS))
    return [generator.standard_normal(shape, dtype="float32") / 10 for shape in shapes]


def unrolled(x, h, w, u, tanh):
    """A recurrent network, step after step."""
    for t in range(STEPS):
        h = tanh(h @ w + x[t] @ u)
    return (h * h).mean()


def perceptron(parameters, x, tanh):
    """The logits."""
    w0, b0, w1, b1 = parameters
    return tanh(x @ w0 + b0) @ w1 + b1


def agnesi(program):
    """The program in agnesi."""
    import agnesi as ag
    import agnesi.tensor as at

    if program == "prepare":  # the support library is built once per machine, at the first product
        x = at.fmatrix("x")
        return ag.function([x], at.tanh(x @ x).sum())(network_values()[0][:, :BATCH])
    if program == "perceptron gradient":
        x, y = at.fmatrix("x"), at.lvector("y")
        parameters = [at.fmatrix("w0"), at.fvector("b0"), at.fmatrix("w1"), at.fvector("b1")]
        p = at.nnet.softmax(perceptron(parameters, x, at.tanh))
        cost = -at.log(p)[at.arange(y.shape[0]), y].mean()
        x_value, y_value, values = network_values()
        return ag.function([x, y, *parameters], [cost, *ag.grad(cost, parameters)])(x_value, y_value, *values)[0]
    if program.startswith("recurrent"):
        x, parameters = at.ftensor3("x"), [at.fmatrix("h"), at.fmatrix("w"), at.fmatrix("u")]
        if program.endswith("unrolled"):
            cost = unrolled(x, *parameters, at.tanh)
        else:
            h, w, u = parameters
            states, _ = ag.scan(lambda v, h, w, u: at.tanh(h @ w + v @ u), x, h, [w, u])
            cost = (states[-1] ** 2).mean()
        return ag.function([x, *parameters], [cost, *ag.grad(cost, parameters)])(*recurrent_values())[0]
    x = at.fvector("x")
    if program == "chain of 20,000 operations":
        return ag.function([x], chain(x, at.tanh, LARGE))(vector())
    return ag.function([x], x + 1 if program == "x + 1" else chain(x, at.tanh))(vector())


def jax(program):
    """The program in JAX."""
    import jax
    import jax.numpy as jnp

    def cost_of(parameters, x, y):
        z = perceptron(parameters, x, jnp.tanh)
        return (jax.nn.logsumexp(z, axis=1) - jnp.take_along_axis(z, y[:, None], axis=1)[:, 0]).mean()

    if program == "prepare":
        return jnp.zeros(1)
    if program == "perceptron gradient":
        x, y, values = network_values()
        return jax.block_until_ready(jax.jit(jax.value_and_grad(cost_of))(values, x, y))[0]
    if program.startswith("recurrent"):

        def looped(h, w, u, x):
            h, _ = jax.lax.scan(lambda h, v: (jnp.tanh(h @ w + v @ u), None), h, x)
            return (h * h).mean()

        def repeated(h, w, u, x):
            return unrolled(x, h, w, u, jnp.tanh)

        x, *values = recurrent_values()
        cost = repeated if program.endswith("unrolled") else looped
        return jax.block_until_ready(jax.jit(jax.value_and_grad(cost, argnums=(0, 1, 2)))(*values, x))[0]
    rounds = LARGE if program == "chain of 20,000 operations" else 100
    function = jax.jit((lambda x: x + 1) if program == "x + 1" else (lambda x: chain(x, jnp.tanh, rounds)))
    return jax.block_until_ready(function(vector()))


def torch_compile(program):
    """The program under torch.compile."""
    import torch

    def cost_of(parameters, x, y):
        return torch.nn.functional.cross_entropy(perceptron(parameters, x, torch.tanh), y)

    if program == "prepare":
        return torch.zeros(1)
    if program == "perceptron gradient":
        x, y, values = network_values()
        both = torch.compile(torch.func.grad_and_value(cost_of))
        return both([torch.from_numpy(value) for value in values], torch.from_numpy(x), torch.from_numpy(y))[1]
    if program.startswith("recurrent") or program == "chain of 20,000 operations":
        raise SystemExit("not compared")
    function = torch.compile((lambda x: x + 1) if program == "x + 1" else (lambda x: chain(x, torch.tanh)))
    return function(torch.from_numpy(vector()))


RUNNERS = {"agnesi": agnesi, "jax": jax, "torch.compile": torch_compile}


def main():
    """Time the import and the program, and print what was found."""
    system, program = sys.argv[1:]
    start = time.perf_counter()
    load(system)
    loaded = time.perf_counter()
    value = 0.0 if program == "import" else float(RUNNERS[system](program).sum())
    print(json.dumps({"import": loaded - start, "first": time.perf_counter() - loaded, "value": value}))


if __name__ == "__main__":
    main()
