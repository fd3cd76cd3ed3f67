"""vmap and vectorize_graph: a function of arrays, or a graph, for many arrays at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from agnesi.errors import TypeMismatch
from agnesi.grad.batch import batch
from agnesi.ir.node import Node, input_node, substitute
from agnesi.ir.type import Type
from agnesi.ir.variable import Variable, as_node
from agnesi.ops.index import normalize_axes
from agnesi.ops.shape import moveaxis

Axes = int | None | Sequence[int | None]


def vmap(fn: Callable[..., Any], in_axes: Axes = 0, out_axes: int | Sequence[int] = 0) -> Callable[..., Any]:
    """`fn` for many values of its arguments at once, one for each place along an axis, as in JAX.

    fn: takes variables and returns one, or a list or tuple of them. in_axes: for all arguments, or for each, the axis
    that is gone along, None for an argument that is the same for all. out_axes: where the results have it. Loops inside
    become loops over all rows; where rows end at steps of their own, over strips of rows, in which those that have
    ended wait for the others.

    Raises TypeMismatch where no argument has such an axis.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x, m = at.vector("x"), at.matrix("m")
    >>> ag.vmap(at.dot, in_axes=(0, None))(m, x).eval({m: np.eye(2), x: np.array([3.0, 4.0])}).tolist()
    [3.0, 4.0]
    """

    def mapped(*args: Any) -> Any:
        nodes = [as_node(a) for a in args]
        axes = list(in_axes) if isinstance(in_axes, Sequence) else [in_axes] * len(nodes)
        if len(axes) != len(nodes):
            raise TypeMismatch(f"in_axes has {len(axes)} axes for {len(nodes)} arguments")
        moving = {k: moveaxis(nodes[k], _axis(nodes[k], a), 0) for k, a in enumerate(axes) if a is not None}
        if not moving:
            raise TypeMismatch("vmap needs an argument with an axis to go along; in_axes names none")
        leaves = {k: input_node("", Type(n.dtype, n.shape[1:])) for k, n in moving.items()}
        found = fn(*(Variable(leaves.get(k, n)) for k, n in enumerate(nodes)))
        many = isinstance(found, (list, tuple))
        outputs = [as_node(f) for f in (found if many else [found])]
        rows = batch(outputs, {leaves[k]: moving[k] for k in moving})
        places = list(out_axes) if isinstance(out_axes, Sequence) else [out_axes] * len(rows)
        results = [Variable(moveaxis(r, 0, p)) for r, p in zip(rows, places, strict=True)]
        return type(found)(results) if many else results[0]

    return mapped


def _axis(node: Node, axis: int) -> int:
    if not node.ndim:
        raise TypeMismatch(f"vmap cannot go along an axis of {node.type}; in_axes takes None for it")
    return normalize_axes(axis, node.ndim)[0]


def vectorize_graph(outputs: Any, replace: dict[Any, Any]) -> Any:
    """Expressions in which variables are replaced by others that may have further axes in front.

    outputs: a variable or a list. replace: pairs of a variable and what takes its place, of the same rank, or of a
    greater one: by as many axes as the others of greater rank. The results have these axes in front.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x, m = at.vector("x"), at.matrix("m")
    >>> norms = ag.vectorize_graph(at.sqrt((x * x).sum()), {x: m})
    >>> norms.eval({m: np.array([[3.0, 4.0], [6.0, 8.0]])}).tolist()
    [5.0, 10.0]
    """
    many = isinstance(outputs, (list, tuple))
    nodes = [as_node(o) for o in (outputs if many else [outputs])]
    pairs = {as_node(old): as_node(new) for old, new in replace.items()}
    more = {old: new.ndim - old.ndim for old, new in pairs.items()}
    extra = max(more.values(), default=0)
    for old, new in pairs.items():
        if more[old] not in (0, extra) or new.dtype != old.dtype:
            raise TypeMismatch(f"{new.type} cannot take the place of {old.type}; others have {extra} axes more")
    nodes = substitute(nodes, {old: new for old, new in pairs.items() if not more[old]})
    current = {old: new for old, new in pairs.items() if more[old]}
    steps = []  # one axis at a time: the innermost is added first
    for _ in range(extra):
        outer = {old: input_node("", Type(new.dtype, new.shape[1:])) for old, new in current.items()}
        steps.append({outer[old]: new for old, new in current.items()})
        current = outer
    nodes = substitute(nodes, current)
    for step in reversed(steps):
        nodes = batch(nodes, step)
    results = [Variable(n) for n in nodes]
    return results if many else results[0]
