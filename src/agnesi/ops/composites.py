"""Operations that stand for an expression: rules see them whole, lowering sees what they expand to."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, cast, dim_node
from agnesi.ir.op import Op
from agnesi.ir.type import Type
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Array, composite
from agnesi.ops.getitem import part_of
from agnesi.ops.index import Axis, broadcast_dims, expand_dims, insert, iota, normalize_axes
from agnesi.ops.reduce import max as max_along, max_, min_, nonempty, spread, sum_
from agnesi.ops.shape import flatten

# -- softmax and its relatives ----------------------------------------------------------------------------


def _same_type(x: Node, *others: Node, axes: tuple[int, ...]) -> Type:
    return x.type


def _reduced(x: Node, axes: tuple[int, ...]) -> Type:
    return Type(x.dtype, tuple(d for k, d in enumerate(x.shape) if k not in axes))


def _shift(x: Node, axes: tuple[int, ...]) -> Node:
    """The greatest element, or 0 where that is infinite, so that x minus it is never inf - inf."""
    top = max_(x, axes=axes)
    return ew.where(ew.eq(ew.abs_(top), np.inf), 0, top)


def _softmax_expand(node: Node) -> Node:
    (x,), axes = node.args, node["axes"]
    e = ew.exp(x - spread(_shift(x, axes), x, axes))
    return e * spread(1 / sum_(e, axes=axes), x, axes)


def _shift_reference(x: Array, axes: tuple[int, ...]) -> Array:
    top = np.max(x, axis=axes, keepdims=True, initial=-np.inf)
    return np.where(np.isinf(top), 0, top).astype(x.dtype)


def _softmax_reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    e = np.exp(x - _shift_reference(x, axes))
    return (e / np.sum(e, axis=axes, keepdims=True)).astype(x.dtype)


softmax_ = composite(
    "softmax", _same_type, _softmax_expand, _softmax_reference,
    lambda node, g: (softmax_grad(g, node, axes=node["axes"]),),
    doc="exp(x) divided by its sum along the axes.")  # fmt: skip


def _softmax_grad_expand(node: Node) -> Node:
    (g, y), axes = node.args, node["axes"]
    return y * (g - spread(sum_(g * y, axes=axes), y, axes))


softmax_grad: Op = composite(
    "softmax_grad", _same_type, _softmax_grad_expand,
    lambda g, y, shape, axes: y * (g - np.sum(g * y, axis=axes, keepdims=True)),
    doc="The cotangent of softmax's input, from that of its output g and the output y.")  # fmt: skip


def _logsumexp_expand(node: Node) -> Node:
    (x,), axes = node.args, node["axes"]
    top = _shift(x, axes)
    return top + ew.log(sum_(ew.exp(x - spread(top, x, axes)), axes=axes))


def _logsumexp_reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    top = _shift_reference(x, axes)
    total = np.log(np.sum(np.exp(x - top), axis=axes, keepdims=True, dtype=x.dtype)) + top
    return np.squeeze(total, axes)


def _logsumexp_vjp(node: Node, g: Node) -> tuple[Node]:
    (x,), axes = node.args, node["axes"]
    return (spread(g, x, axes) * softmax_(x, axes=axes),)


logsumexp_ = composite(
    "logsumexp", _reduced, _logsumexp_expand, _logsumexp_reference, _logsumexp_vjp,
    doc="log(sum(exp(x))) along the axes, without overflow; -inf where all elements are -inf.")  # fmt: skip


def _log_softmax_expand(node: Node) -> Node:
    (x,), axes = node.args, node["axes"]
    centred = x - spread(_shift(x, axes), x, axes)
    return centred - spread(ew.log(sum_(ew.exp(centred), axes=axes)), x, axes)


def _log_softmax_reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    centred = x - _shift_reference(x, axes)
    return centred - np.log(np.sum(np.exp(centred), axis=axes, keepdims=True, dtype=x.dtype))


def _log_softmax_vjp(node: Node, g: Node) -> tuple[Node]:
    (x,), axes = node.args, node["axes"]
    return (g - softmax_(x, axes=axes) * spread(sum_(g, axes=axes), x, axes),)


log_softmax_ = composite(
    "log_softmax", _same_type, _log_softmax_expand, _log_softmax_reference, _log_softmax_vjp,
    doc="log(softmax(x)) without the loss of small probabilities.")  # fmt: skip


# -- argmax -------------------------------------------------------------------------------------------------


def _arg_expand(node: Node) -> Node:
    (x,), (axis,) = node.args, node["axes"]
    best = (max_ if node.op is argmax_ else min_)(x, axes=(axis,))
    n = dim_node(x.shape[axis])
    place = broadcast_dims(insert(iota(n), axes=tuple(k for k in range(x.ndim) if k != axis)), x.shape)
    hit = ew.eq(x, spread(best, x, (axis,)))
    if dt.is_float(x.dtype):
        hit = hit | ew.isnan(x)
    return min_(ew.where(hit, place, n), axes=(axis,))


def _arg_reference(function: Any) -> Any:
    def reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
        if x.shape[axes[0]] == 0:
            return np.full(shape, np.iinfo(np.int64).max)
        return function(x, axis=axes[0])

    return reference


def _arg_infer(x: Node, axes: tuple[int, ...]) -> Type:
    return Type("int64", _reduced(x, axes).shape)


argmax_ = composite(
    "argmax", _arg_infer, _arg_expand, _arg_reference(np.argmax),
    lambda node, g: (None,), doc="The first place of the greatest element along an axis, or of NaN.")  # fmt: skip
argmin_ = composite(
    "argmin", _arg_infer, _arg_expand, _arg_reference(np.argmin),
    lambda node, g: (None,), doc="The first place of the smallest element along an axis, or of NaN.")  # fmt: skip


# -- the public functions -----------------------------------------------------------------------------------


def _float(x: Any) -> Node:
    node = as_node(x)
    if dt.is_complex(node.dtype):
        raise TypeMismatch(f"this operation is not defined for complex numbers, and is given {node.type}")
    return cast(node, dt.to_float(node.dtype))


@lift
def softmax(x: Node, axis: Axis = -1) -> Node:
    """exp(x) divided by its sum along an axis, the last by default.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.nnet.softmax(np.zeros(4)).eval().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    x = _float(x)
    return softmax_(x, axes=normalize_axes(axis, x.ndim))


@lift
def log_softmax(x: Node, axis: Axis = -1) -> Node:
    """log(softmax(x)) along an axis, the last by default."""
    x = _float(x)
    return log_softmax_(x, axes=normalize_axes(axis, x.ndim))


@lift
def logsumexp(x: Node, axis: Axis = None, keepdims: bool = False) -> Node:
    """log(sum(exp(x))) along axes, all by default."""
    x = _float(x)
    axes = normalize_axes(axis, x.ndim)
    y = logsumexp_(x, axes=axes) if axes else x
    return expand_dims(y, axes) if keepdims else y


def _arg(op: Any, x: Node, axis: int | None, keepdims: bool) -> Node:
    x = as_node(x)
    if dt.is_complex(x.dtype):
        raise TypeMismatch(f"{op.name} is not defined for complex numbers; take x.real, x.imag or abs(x) first")
    if axis is None:
        flat = _arg(op, flatten(x), 0, False)
        return expand_dims(flat, tuple(range(x.ndim))) if keepdims else flat
    axes = normalize_axes(axis, x.ndim)
    y: Node = op(nonempty(op.name, x, axes), axes=axes)
    return expand_dims(y, axes) if keepdims else y


@method("argmax", numpy=(np.argmax,))
@lift
def argmax(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The first place of the greatest element along an axis, or in the flattened array."""
    return _arg(argmax_, x, axis, keepdims)


@method("argmin", numpy=(np.argmin,))
@lift
def argmin(x: Node, axis: int | None = None, keepdims: bool = False) -> Node:
    """The first place of the smallest element along an axis, or in the flattened array."""
    return _arg(argmin_, x, axis, keepdims)


@lift
def max_and_argmax(x: Node, axis: int | None = None, keepdims: bool = False) -> tuple[Node, Node]:
    """The greatest element along an axis, or of all, and its first place."""
    x = as_node(x)
    return max_along(x, axis, keepdims), argmax(x, axis, keepdims)


@lift
def categorical_crossentropy(p: Node, target: Node) -> Node:
    """-log of the probability of the right class: integer targets pick it, a matrix of probabilities averages it.

    p: (n, classes). target: n integers, or (n, classes). Returns n values.
    """
    p, target = as_node(p), as_node(target)
    if target.ndim == p.ndim:
        return -sum_(target * ew.log(p), axes=(p.ndim - 1,))
    if target.ndim != 1 or p.ndim != 2:
        raise TypeMismatch(f"categorical_crossentropy takes a matrix and class numbers, not {p.type}, {target.type}")
    return -part_of(ew.log(p), (iota(dim_node(target.shape[0])), target))


@lift
def sigmoid_binary_crossentropy(x: Node, target: Node) -> Node:
    """The cross-entropy of sigmoid(x) and targets between 0 and 1, element by element, right for any x."""
    x = as_node(x)
    return ew.softplus(x) - as_node(target) * x


@lift
def binary_crossentropy(p: Node, target: Node) -> Node:
    """-(t log p + (1 - t) log(1 - p)), element by element."""
    return -(target * ew.log(p) + (1 - target) * ew.log(1 - p))
