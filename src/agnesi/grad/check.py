"""Derivatives compared with finite differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from agnesi.errors import GradientError
from agnesi.grad.forward import forward
from agnesi.grad.reverse import reverse, zeros_like
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, input_node
from agnesi.ir.type import Type
from agnesi.ir.variable import Variable, as_node
from agnesi.reference import evaluate


def verify_grad(
    function: Callable[..., Any],
    points: Sequence[Any],
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
) -> None:
    """Raises GradientError unless both modes of differentiation agree with central differences at a point.

    function: from variables to one variable; points: one float64 or complex128 array an argument. The result is
    projected on a random cotangent, and the points are moved along a random tangent: real and imaginary parts each by
    their own. Products are Re(conj(a) * b), as in the definition of vjp.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> ag.verify_grad(lambda x: at.tanh(x) * x, [np.array([0.1, 2.0])])
    """
    arrays = [np.asarray(p, np.complex128 if np.iscomplexobj(p) else np.float64) for p in points]
    inputs = [input_node(f"x{k}", Type(a.dtype.name, a.shape)) for k, a in enumerate(arrays)]
    output = as_node(function(*[Variable(n) for n in inputs]))
    rng = np.random.default_rng(seed)
    directions = [_random(rng, a) for a in arrays]
    value = evaluate(Graph(inputs, [output]), arrays)[0]
    weight = _random(rng, value)
    expected, scale = _difference(Graph(inputs, [output]), arrays, directions, weight)
    for mode, found in (
        ("reverse", _reverse(output, inputs, arrays, directions, weight)),
        ("forward", _forward(output, inputs, arrays, directions, weight)),
    ):
        if not abs(found - expected) <= atol * max(1.0, scale) + rtol * abs(expected):
            raise GradientError(f"{mode} mode gives {found:.10g}, central differences {expected:.10g}")


def _random(rng: np.random.Generator, like: Any) -> Any:
    """Normal numbers of the shape of an array, complex where that is complex."""
    values = rng.normal(size=like.shape)
    return values + 1j * rng.normal(size=like.shape) if np.iscomplexobj(like) else values


def _inner(a: Any, b: Any) -> float:
    """The real inner product, in which complex numbers are pairs of real ones."""
    return float(np.sum((np.conj(a) * b).real))


def _difference(graph: Graph, arrays: Any, directions: Any, weight: Any) -> tuple[float, float]:
    """The directional derivative of the weighted sum, by Richardson's extrapolation of central differences."""

    def central(step: float) -> float:
        up, down = (evaluate(graph, [a + s * d for a, d in zip(arrays, directions, strict=True)])[0]
                    for s in (step, -step))  # fmt: skip
        return _inner(weight, up - down) / (2 * step)

    value = evaluate(graph, arrays)[0]
    return (4 * central(5e-5) - central(1e-4)) / 3, float(np.sum(np.abs(weight * value)))


def _reverse(output: Node, inputs: list[Node], arrays: Any, directions: Any, weight: Any) -> float:
    cotangent = input_node("cotangent", Type(weight.dtype.name, weight.shape))
    found = reverse([output], [cotangent], inputs)
    gradients = [zeros_like(n) if g is None else g for g, n in zip(found, inputs, strict=True)]
    values = evaluate(Graph([*inputs, cotangent], gradients), [*arrays, weight])
    return sum(_inner(g, d) for g, d in zip(values, directions, strict=True))


def _forward(output: Node, inputs: list[Node], arrays: Any, directions: Any, weight: Any) -> float:
    tangents = [input_node(f"t{k}", n.type) for k, n in enumerate(inputs)]
    found = forward([output], inputs, tangents)[0]
    if found is None:
        return 0.0
    return _inner(weight, evaluate(Graph([*inputs, *tangents], [found]), [*arrays, *directions])[0])
