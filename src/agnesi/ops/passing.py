"""Operations that pass values on as they are, and change what flows back, or where the value is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, const
from agnesi.ir.op import Op, register
from agnesi.ir.variable import as_node, lift
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import composite
from agnesi.ops.index import broadcast_dims


def _passing(name: str, back: Callable[[Node, Node], Node | None], along: Callable[..., Any], doc: str) -> Op:
    """back: the cotangent of the argument from the node and its cotangent. along: the tangent of the result."""
    return composite(
        name,
        lambda x, **attrs: x.type,
        lambda node: node.args[0],
        lambda x, shape, **attrs: x,
        lambda node, g: (back(node, g),),
        along,
        doc=doc,
    )


def _limited(node: Node, g: Node) -> Node:
    low, high = (const(node[side], node.dtype) for side in ("low", "high"))
    return ew.minimum(ew.maximum(g, low), high)


def _zeros(node: Node, tangent: Node | None) -> Node | None:
    return None if tangent is None else broadcast_dims(const(0, tangent.dtype), tangent.shape)


disconnected_grad_ = _passing(
    "disconnected_grad", lambda node, g: None, lambda node, tangents: None,
    "The value, on which no derivative depends.")  # fmt: skip
zero_grad_ = _passing(
    "zero_grad", _zeros, lambda node, tangents: _zeros(node, tangents[0]),
    "The value, whose derivative is taken to be zero.")  # fmt: skip
grad_clip_ = _passing(
    "grad_clip", _limited, lambda node, tangents: tangents[0],
    "The value; what flows back through it is limited to an interval.")  # fmt: skip
grad_scale_ = _passing(
    "grad_scale",
    lambda node, g: g * node["factor"],
    lambda node, tangents: None if tangents[0] is None else tangents[0] * node["factor"],
    "The value; derivatives through it are multiplied by a factor.")  # fmt: skip

hint_ = register(
    Op(
        name="hint", kind="elementwise", infer=lambda x, recompute: x.type, d=lambda x, y: (1,), cost=0,
        evaluate=lambda x, shape, recompute: np.array(x), c="({0})",
        doc="The value, computed once, or anew by all that read it.",
    )
)  # fmt: skip


def _floating(x: Any, name: str) -> Node:
    node = as_node(x)
    if not dt.is_inexact(node.dtype):
        raise TypeMismatch(f"{name} is about derivatives, and {node.type} has none")
    return node


@lift
def disconnected_grad(x: Node) -> Node:
    """x, through which no derivative flows: to differentiate by what is only reached through it is an error.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float(ag.grad(x * ag.disconnected_grad(x), x).eval({x: 3.0}))
    3.0
    """
    return disconnected_grad_(_floating(x, "disconnected_grad"))


@lift
def zero_grad(x: Node) -> Node:
    """x, with a derivative of zero: like disconnected_grad, but to differentiate by what is behind it gives zeros.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float(ag.grad(ag.zero_grad(x) ** 2, x).eval({x: 3.0}))
    0.0
    """
    return zero_grad_(_floating(x, "zero_grad"))


@lift
def grad_clip(x: Node, low: float, high: float) -> Node:
    """x; each element of what flows back through it is limited to [low, high]. Tangents pass unlimited.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float(ag.grad(ag.grad_clip(x, -1.0, 1.0) ** 2, x).eval({x: 3.0}))
    1.0
    """
    if dt.is_complex(as_node(x).dtype):
        raise TypeMismatch("grad_clip limits real numbers; clip the derivatives by x.real and x.imag")
    return grad_clip_(_floating(x, "grad_clip"), low=float(low), high=float(high))


@lift
def grad_scale(x: Node, factor: float) -> Node:
    """x; derivatives through it are multiplied by a factor, such as -1 to reverse them.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float(ag.grad(ag.grad_scale(x, -1.0) ** 2, x).eval({x: 3.0}))
    -6.0
    """
    return grad_scale_(_floating(x, "grad_scale"), factor=float(factor))


@lift
def hint(x: Node, recompute: bool) -> Node:
    """x, computed once and kept (recompute=False), or anew wherever it is read (recompute=True).

    Without a hint it is a matter of how much an element costs and who reads it; `explain` says what was decided, and
    why. A hint changes no value. The rules do not look through it. Sums, products and loops are computed once anyway.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> f = ag.function([x], ag.hint(x + 1, recompute=False).sum())
    >>> "hint: a hint" in f.explain()
    True
    """
    return hint_(x, recompute=bool(recompute))
