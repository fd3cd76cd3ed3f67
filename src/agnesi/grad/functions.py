"""The public derivatives: grad, vjp, jvp, jacobian, hessian."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal

from agnesi.errors import DisconnectedInputError, GradientError
from agnesi.grad.batch import batch
from agnesi.grad.forward import forward
from agnesi.grad.reverse import built_at, reverse, zeros_like
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast, const, dim_node, input_node, substitute
from agnesi.ir.type import same
from agnesi.ir.variable import Variable, as_node
from agnesi.ops import elementwise as ew
from agnesi.ops.index import broadcast_dims, insert, iota, reshape_dims, transpose_
from agnesi.ops.shape import specify

Disconnected = Literal["raise", "warn", "ignore"]


def _nodes(wrt: Any) -> list[Node]:
    nodes = [as_node(w) for w in (wrt if isinstance(wrt, (list, tuple)) else [wrt])]
    for node in nodes:
        if not dt.is_inexact(node.dtype):
            raise GradientError(f"cannot differentiate by {node.type}: only floating dtypes have derivatives")
    return nodes


def _like(wrt: Any, results: list[Node]) -> Any:
    """The results as a list where a list was asked for, else the one."""
    wrapped = [Variable(r) for r in results]
    return wrapped if isinstance(wrt, (list, tuple)) else wrapped[0]


def grad(
    cost: Any,
    wrt: Any,
    consider_constant: Sequence[Any] = (),
    disconnected_inputs: Disconnected = "raise",
    known_grads: dict[Any, Any] | None = None,
) -> Any:
    """The gradient of a scalar cost by one variable, or by each of a list.

    cost: a floating scalar, or None when known_grads gives the cotangents of some variables, of their shapes.
    The gradient by a complex variable is that by its real part plus i times that by its imaginary part.
    consider_constant: expressions through which nothing flows.
    disconnected_inputs: "raise" DisconnectedInputError when the cost does not depend on a variable of wrt, or
    "warn" or "ignore" and return zeros.
    Raises GradientError for a cost that is not a floating scalar.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float(ag.grad(x ** 3, x).eval({x: 2.0}))
    12.0
    """
    if disconnected_inputs not in ("raise", "warn", "ignore"):
        raise ValueError(f"disconnected_inputs is 'raise', 'warn' or 'ignore', not {disconnected_inputs!r}")
    nodes = _nodes(wrt)
    outputs, seeds = [], []
    for variable, given in (known_grads or {}).items():
        outputs.append(as_node(variable))
        seeds.append(_fitted(as_node(given, outputs[-1].dtype), outputs[-1]))
    if cost is not None:
        node = as_node(cost)
        if node.ndim != 0:
            raise GradientError(
                f"grad needs a scalar cost, not {node.type}{built_at(node)}; "
                "take a sum or mean, or use ag.jacobian or ag.vjp"
            )
        if dt.is_complex(node.dtype):
            raise GradientError(
                f"grad needs a real cost, not {node.type}{built_at(node)}; take its real part or abs, or use ag.vjp"
            )
        if not dt.is_float(node.dtype):
            raise GradientError(f"grad needs a floating cost, not {node.type}{built_at(node)}")
        outputs.append(node)
        seeds.append(const(1.0, node.dtype))
    found = reverse(outputs, seeds, nodes, [as_node(c) for c in consider_constant])
    pairs = enumerate(zip(found, nodes, strict=True))
    return _like(wrt, [_connected(g, n, wrt, k, disconnected_inputs) for k, (g, n) in pairs])


def _connected(g: Node | None, node: Node, wrt: Any, position: int, disconnected: Disconnected) -> Node:
    if g is not None:
        return g
    if disconnected != "ignore":
        variable = wrt[position] if isinstance(wrt, (list, tuple)) else wrt
        name = getattr(variable, "name", "") or f"variable {position}"
        message = f"the cost does not depend on {name}: {node.type}"
        if disconnected == "raise":
            raise DisconnectedInputError(f"{message}; pass disconnected_inputs='ignore' to get zeros")
        warnings.warn(f"{message}; its gradient is zero", stacklevel=4)
    return zeros_like(node)


def _pairs(outputs: Any, given: Any, what: str) -> tuple[list[Node], list[Node]]:
    """Outputs and as many arrays of their types."""
    many = isinstance(outputs, (list, tuple))
    nodes = [as_node(o) for o in (outputs if many else [outputs])]
    values = [as_node(v, n.dtype) for v, n in zip(given if many else [given], nodes, strict=True)]
    for node, value in zip(nodes, values, strict=True):
        if value.ndim not in (0, node.ndim) or (dt.is_complex(value.dtype) and not dt.is_complex(node.dtype)):
            raise GradientError(f"{what} {value.type} does not fit {node.type}")
    return nodes, [_fitted(v, n) for v, n in zip(values, nodes, strict=True)]


def _fitted(value: Node, node: Node) -> Node:
    """A value in the type of a node: axes known to have size 1 are repeated, others must have the node's sizes."""
    value = cast(value, node.dtype)
    if value.ndim == node.ndim:
        pairs = zip(value.shape, node.shape, strict=True)
        value = specify(value, [have if same(have, 1) else want for have, want in pairs])
    return broadcast_dims(value, node.shape)


def vjp(outputs: Any, wrt: Any, cotangents: Any) -> Any:
    """The product of cotangents with the Jacobian (Theano's Lop): one result for each variable of wrt.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.vjp(x * x, x, np.ones(2)).eval({x: np.array([1.0, 2.0])}).tolist()
    [2.0, 4.0]
    """
    nodes, seeds = _pairs(outputs, cotangents, "the cotangent")
    targets = _nodes(wrt)
    found = reverse(nodes, seeds, targets)
    return _like(wrt, [zeros_like(n) if g is None else g for g, n in zip(found, targets, strict=True)])


def jvp(outputs: Any, wrt: Any, tangents: Any) -> Any:
    """The product of the Jacobian with tangents (Theano's Rop): one result for each output.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.jvp(x * x, x, np.ones(2)).eval({x: np.array([1.0, 2.0])}).tolist()
    [2.0, 4.0]
    """
    _nodes(wrt)
    targets, given = _pairs(wrt, tangents, "the tangent")
    many = isinstance(outputs, (list, tuple))
    nodes = [as_node(o) for o in (outputs if many else [outputs])]
    found = forward(nodes, targets, given)
    return _like(outputs, [zeros_like(n) if t is None else t for t, n in zip(found, nodes, strict=True)])


def Lop(f: Any, wrt: Any, eval_points: Any) -> Any:
    """Theano's name of vjp."""
    return vjp(f, wrt, eval_points)


def Rop(f: Any, wrt: Any, eval_points: Any) -> Any:
    """Theano's name of jvp."""
    return jvp(f, wrt, eval_points)


def jacobian(expression: Any, wrt: Any) -> Any:
    """All partial derivatives of an expression by one variable, or by each of a list.

    The result has the axes of the expression, then those of the variable. Reverse mode, one row a basis cotangent.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.jacobian(x * x, x).eval({x: np.array([1.0, 2.0])}).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    node = _real(as_node(expression), "jacobian")
    seed = input_node("cotangent", node.type)
    targets = _nodes(wrt)
    found = reverse([node], [seed], targets)
    basis = _basis(node)
    rows = batch([zeros_like(t) if g is None else g for g, t in zip(found, targets, strict=True)], {seed: basis})
    return _like(wrt, [reshape_dims(r, (*node.shape, *t.shape)) for r, t in zip(rows, targets, strict=True)])


def _real(node: Node, what: str) -> Node:
    """The node; raises GradientError for a complex one, whose derivative takes two real numbers for each of its own."""
    if dt.is_complex(node.dtype):
        raise GradientError(f"{what} takes real arrays, not {node.type}{built_at(node)}; take both parts")
    return node


def _basis(node: Node) -> Node:
    """One array of the node's shape for each of its elements, 1 there and 0 elsewhere, along a new first axis."""
    size = dims.product(node.shape)
    numbers = iota(dim_node(size))
    equal = ew.eq(insert(numbers, axes=(1,)), insert(numbers, axes=(0,)))
    return reshape_dims(cast(equal, node.dtype), (size, *node.shape))


def hessian_vector_product(cost: Any, wrt: Any, vectors: Any) -> Any:
    """The product of a scalar cost's second derivatives with vectors, without building them: forward over reverse.

    vectors: one for each variable of wrt, of its shape; so are the results.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.hessian_vector_product((x ** 3).sum(), x, np.ones(2)).eval({x: np.array([1.0, 2.0])}).tolist()
    [6.0, 12.0]
    """
    return jvp(grad(cost, wrt, disconnected_inputs="ignore"), wrt, vectors)


def subgraph_grad(
    wrt: Sequence[Any], end: Sequence[Any], start: dict[Any, Any] | None = None, cost: Any = None
) -> tuple[list[Variable], list[Variable]]:
    """The gradients of a part of a graph, by the variables of wrt and by those of end, at which the part ends.

    start: cotangents of variables at which the part starts, as returned by the call for the part after it; or cost: a
    scalar; or both. Gradients of parts one after another are those of the whole.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x, w = at.scalar("x"), at.scalar("w")
    >>> hidden = x * x
    >>> (gw,), (ghidden,) = ag.subgraph_grad([w], [hidden], cost=w * hidden)
    >>> _, (gx,) = ag.subgraph_grad([], [x], start={hidden: ghidden})
    >>> float(gx.eval({x: 3.0, w: 2.0}))
    12.0
    """
    if cost is None and not start:
        raise GradientError("subgraph_grad needs start, cost or both")
    ends = _nodes(list(end))
    stand_ins = {e: input_node("end", e.type) for e in ends}
    starts = {k: v for k, v in (start or {}).items() if as_node(k) not in stand_ins}
    roots = [as_node(k) for k in starts] + ([as_node(cost)] if cost is not None else [])
    cut = [Variable(n) for n in substitute(roots, stand_ins)]
    known = dict(zip(cut, starts.values(), strict=False))
    by = [*wrt, *(Variable(s) for s in stand_ins.values())]
    found = grad(cut[-1] if cost is not None else None, by, disconnected_inputs="ignore", known_grads=known)
    back = {s: e for e, s in stand_ins.items()}
    results = [Variable(n) for n in substitute([g.node for g in found], back)]
    return results[: len(wrt)], results[len(wrt) :]


def hessian(cost: Any, wrt: Any) -> Any:
    """The second derivatives of a scalar cost: the Jacobian of its gradient, forward over reverse.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.hessian((x ** 3).sum(), x).eval({x: np.array([1.0, 2.0])}).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    targets = _nodes(wrt)
    results = []
    for target in targets:
        _real(target, "hessian")
        gradient = as_node(grad(cost, Variable(target)))
        tangent = input_node("tangent", target.type)
        found = forward([gradient], [target], [tangent])[0]
        column = zeros_like(gradient) if found is None else found
        (rows,) = batch([column], {tangent: _basis(target)})
        n = target.ndim
        moved = transpose_(rows, perm=(*range(1, n + 1), 0)) if n else rows
        results.append(reshape_dims(moved, (*target.shape, *target.shape)))
    return _like(wrt, results)
