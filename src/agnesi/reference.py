"""The meaning of a graph: its evaluation with NumPy, node by node. Slow, plain, and what all else is held to."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agnesi.errors import AgnesiError, ShapeError
from agnesi.ir import dims, dtype as dt
from agnesi.ir.graph import Graph, line_near
from agnesi.ir.node import ARRAY, CONST, SYMBOL, Node, value_of


def bind(graph: Graph, arrays: Sequence[np.ndarray]) -> dict[Node, int]:
    """The values of the symbols; raises ShapeError where an array does not have its input's shape."""
    sizes: dict[Node, int] = {}
    for position, (node, array) in enumerate(zip(graph.inputs, arrays, strict=True)):
        if array.ndim != node.ndim:
            raise ShapeError(f"input {position} ({node['tag']}) has {array.ndim} axes, {node.type} was declared")
        for axis, (dim, size) in enumerate(zip(node.shape, array.shape, strict=True)):
            wanted = dim if isinstance(dim, int) else sizes.setdefault(dim, size)
            if wanted != size:
                name = f"dimension {dim['name']!r}" if isinstance(dim, Node) else f"axis {axis}"
                raise ShapeError(f"input {position} ({node['tag']}): {name} is {size}, and should be {wanted}")
    return sizes


def evaluate(graph: Graph, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The outputs for these inputs.

    >>> import numpy as np, agnesi as ag
    >>> x = ag.tensor.vector("x")
    >>> evaluate(ag.Graph([x.node], [(2 * x).node]), [np.arange(3.0)])[0].tolist()
    [0.0, 2.0, 4.0]
    """
    sizes = bind(graph, arrays)
    values: dict[Node, np.ndarray] = dict(zip(graph.inputs, map(np.asarray, arrays), strict=True))
    with np.errstate(all="ignore"):
        for position, node in enumerate(graph.order):
            try:
                if node not in values:
                    values[node] = _value(node, values, sizes)
            except AgnesiError as error:
                line = line_near(graph, position)
                raise type(error)(f"{error}{f' (built at {line})' if line else ''}") from None
    return [values[n] for n in graph.outputs]


def _value(node: Node, values: dict[Node, np.ndarray], sizes: dict[Node, int]) -> np.ndarray:
    if node.op is CONST:
        return np.array(value_of(node), node.dtype)
    if node.op is ARRAY:
        return node["value"].array
    if node.op is SYMBOL:
        return np.int64(sizes[node])  # type: ignore[return-value]
    result = np.asarray(_apply(node, values, ChainMap(values, sizes)))
    return result if result.dtype == node.dtype else result.astype(node.dtype)


def _apply(node: Node, values: dict[Node, np.ndarray], known: Mapping[Node, Any]) -> Any:
    """The result of an op on whole arrays, after a look at the sizes that must be equal."""
    shape = tuple(dims.evaluate(d, known) for d in node.shape)
    for a, b in node.op.equal(node) if node.op.equal else ():
        left, right = dims.evaluate(a, known), dims.evaluate(b, known)
        if left != right:
            raise ShapeError(f"{node.op.name}: {shapes_text(node, values)}: {left} and {right} should be equal")
    arrays = [np.asarray(values[a]) for a in node.args]
    if node.op.name != "python_call":  # halves are calculated with in single precision, and Python functions see them
        arrays = [dt.widened(a) for a in arrays]
    return node.op.evaluate(*arrays, shape=shape, **dict(node.attrs))


def shapes_text(node: Node, values: dict[Node, np.ndarray]) -> str:
    """The shapes of the arguments at this call."""
    return ", ".join(str(np.shape(values[a])) for a in node.args)
