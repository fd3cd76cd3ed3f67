"""Values in real numbers: a graph evaluated by NumPy on objects that calculate with very many digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mpmath
import numpy as np

from agnesi.ir import dims
from agnesi.ir.graph import Graph, reachable
from agnesi.ir.node import CONST, Node, value_of
from agnesi.reference import bind

DIGITS = 800  # 1 - sigmoid(800) still has most of its digits


class Exact:
    """A number that NumPy's functions on object arrays can take: they call methods of their own name."""

    __array_priority__ = 1

    def __init__(self, value: Any) -> None:
        self.value = value

    def __getattr__(self, name: str) -> Any:
        function = getattr(mpmath, {"absolute": "fabs"}.get(name, name))
        return lambda: Exact(function(self.value))

    def __bool__(self) -> bool:
        return bool(self.value)

    def __neg__(self) -> Exact:
        return Exact(-self.value)

    def __abs__(self) -> Exact:
        return Exact(abs(self.value))


def _binary(name: str) -> Any:
    def method(self: Exact, other: Any) -> Any:
        result = getattr(mpmath.mpmathify(self.value), name)(plain(other))
        return result if isinstance(result, bool) else Exact(result)

    return method


for _name in ("add", "sub", "mul", "truediv", "pow", "radd", "rsub", "rmul", "rtruediv", "rpow"):
    setattr(Exact, f"__{_name}__", _binary(f"__{_name}__"))
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(Exact, f"__{_name}__", _binary(f"__{_name}__"))


def plain(value: Any) -> Any:
    """The number in an Exact; NumPy's numbers as mpmath's."""
    if isinstance(value, Exact):
        return value.value
    return mpmath.mpf(float(value)) if isinstance(value, (np.floating, float, int, np.integer)) else value


def lifted(array: np.ndarray) -> np.ndarray:
    """Floats as exact numbers; integers and booleans stay."""
    if array.dtype.kind != "f":
        return array
    result = np.empty(array.shape, object)
    for place in np.ndindex(array.shape):
        result[place] = Exact(mpmath.mpf(float(array[place])))
    return result


def erfc(x: Any) -> Any:
    """1 - erf(x); for large x by its asymptotic series, of which these terms are right to 100 digits."""
    if abs(x) < 1000:
        return mpmath.erfc(x)
    if x < 0:
        return 2 - erfc(-x)
    series = sum((-1) ** k * mpmath.fac2(2 * k - 1) / (2 * x * x) ** k for k in range(20))
    return mpmath.exp(-x * x) / (x * mpmath.sqrt(mpmath.pi)) * series


# What NumPy does not do to objects.
BY_HAND: dict[str, Any] = {
    "expm1": np.expm1,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "softplus": lambda x: np.log(1 + np.exp(x)),
    "erf": np.vectorize(lambda x: Exact(1 - erfc(plain(x))), otypes=[object]),
    "erfc": np.vectorize(lambda x: Exact(erfc(plain(x))), otypes=[object]),
    "max": lambda x, axes: np.max(x, axis=axes),
    "min": lambda x, axes: np.min(x, axis=axes),
}


def evaluate(graph: Graph, arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The first output, as an array of mpmath's numbers."""
    sizes = bind(graph, arrays)
    values: dict[Node, Any] = {n: lifted(a) for n, a in zip(graph.inputs, arrays, strict=True)}
    with mpmath.workdps(DIGITS), np.errstate(all="ignore"):
        for node in graph.order:
            if node not in values:
                values[node] = _value(node, values, sizes)
        found = np.asarray(values[graph.outputs[0]], dtype=object)
        return np.vectorize(plain, otypes=[object])(found) if found.size else found


def _value(node: Node, values: dict[Node, Any], sizes: dict[Node, int]) -> Any:
    if node.op is CONST:
        return lifted(np.array(value_of(node), node.dtype))
    if node.op.expand is not None and node.op.kind == "composite":
        inner = node.op.expand(node)
        for part in reachable([inner]):
            if part not in values:
                values[part] = _value(part, values, sizes)
        return values[inner]
    operands = [values[a] for a in node.args]
    if node.op.name in BY_HAND and operands[0].dtype == object:
        return BY_HAND[node.op.name](*operands, **dict(node.attrs))
    shape = tuple(dims.evaluate(d, sizes) for d in node.shape)
    return np.asarray(node.op.evaluate(*operands, shape=shape, **dict(node.attrs)))


def distance(found: float, exact: Any) -> float:
    """How far a float lies from an exact value; infinite for NaN unless the exact one is no real number either."""
    if isinstance(exact, mpmath.mpc) or mpmath.isnan(exact):
        return 0.0 if np.isnan(found) else np.inf
    if np.isnan(found):
        return np.inf
    if mpmath.isinf(exact):
        return 0.0 if float(exact) == found else np.inf
    if np.isinf(found):
        return (
            0.0 if abs(exact) > mpmath.mpf(float(np.finfo(np.float64).max)) and (exact > 0) == (found > 0) else np.inf
        )
    return float(abs(mpmath.mpf(float(found)) - exact))
