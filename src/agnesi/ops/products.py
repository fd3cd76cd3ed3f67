"""Products of arrays as one operation with einsum labels, and the solution of linear systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import ShapeError, SingularMatrixError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_nodes, cast
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops.declare import Array, calling
from agnesi.ops.index import broadcast_dims, reshape_dims, transpose_
from agnesi.ops.reduce import sum_

LABELS = "ijklmnopqrstuvwxyz"


def label_sizes(a: Node, b: Node, labels: str) -> dict[str, Dim]:
    """The size of every label; where both operands have it, the known one."""
    left, right = labels.split("->")[0].split(",")
    sizes: dict[str, Dim] = {}
    for label, dim in zip(left + right, a.shape + b.shape, strict=True):
        have = sizes.get(label)
        if isinstance(have, int) and isinstance(dim, int) and have != dim:
            raise ShapeError(f"product {labels}: {a.type} and {b.type} differ in {label}: {have} and {dim}")
        if have is None or isinstance(dim, int):
            sizes[label] = dim
    return sizes


def _infer(a: Node, b: Node, labels: str) -> Type:
    sizes = label_sizes(a, b, labels)
    return Type(dt.promote(a.dtype, b.dtype), tuple(sizes[k] for k in labels.split("->")[1]))


def _equal(a: Node, b: Node, labels: str) -> list[tuple[Dim, Dim]]:
    left, right = labels.split("->")[0].split(",")
    first = dict(zip(left, a.shape, strict=True))
    return [(first[k], d) for k, d in zip(right, b.shape, strict=True) if k in first and not same(first[k], d)]


def _reference(a: Array, b: Array, shape: tuple[int, ...], labels: str) -> Array:
    dtype = np.result_type(a, b)
    if dtype == np.bool_:
        return np.einsum(labels, a.astype(np.int64), b.astype(np.int64)) > 0
    return np.einsum(labels, a, b, optimize=True, dtype=dtype).astype(dtype)


def _vjp(node: Node, g: Node) -> tuple[Node, Node]:
    a, b = node.args
    inputs, out = node["labels"].split("->")
    left, right = inputs.split(",")
    return contract(g, b, labels=f"{out},{right}->{left}"), contract(g, a, labels=f"{out},{left}->{right}")


def _jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    (a, b), (ta, tb) = node.args, tangents
    parts = [contract(x, y, labels=node["labels"]) for x, y in ((ta, b), (a, tb)) if x is not None and y is not None]
    return None if not parts else parts[0] if len(parts) == 1 else parts[0] + parts[1]


contract = calling(
    "contract", _infer, _reference, _vjp, _jvp,
    equal=lambda node: _equal(node.args[0], node.args[1], node["labels"]),
    doc="The sum of products over the labels that the result lacks; none stands twice in an operand or in one only.",
)  # fmt: skip


def _gemm_expand(node: Node) -> Node:
    c, a, b, alpha, beta = node.args
    return beta * c + alpha * contract(a, b, labels=node["labels"])


def _gemm_reference(c: Array, a: Array, b: Array, alpha: Array, beta: Array, shape: Any, labels: str) -> Array:
    return beta * c + alpha * _reference(a, b, shape, labels)


gemm = calling(
    "gemm", lambda c, a, b, alpha, beta, labels: c.type, _gemm_reference, None, None,
    equal=lambda node: _equal(node.args[1], node.args[2], node["labels"])
    + list(zip(node.args[0].shape, _infer(node.args[1], node.args[2], node["labels"]).shape, strict=True)),
    expand=_gemm_expand,
    doc="beta * c + alpha * (product of a and b), made by rules where a product is scaled and added.",
)  # fmt: skip


# -- linear systems ---------------------------------------------------------------------------------------


def _solve_infer(a: Node, b: Node, site: int) -> Type:
    if a.ndim != 2 or b.ndim != 2:
        raise TypeMismatch(f"solve takes two matrices, not {a.type} and {b.type}")
    return b.type


def _solve_reference(a: Array, b: Array, shape: tuple[int, ...], site: int) -> Array:
    try:
        return np.linalg.solve(a, b).astype(b.dtype)
    except np.linalg.LinAlgError:
        raise SingularMatrixError("solve: the matrix is singular") from None


def _solve_vjp(node: Node, g: Node) -> tuple[Node, Node]:
    a, _ = node.args
    gb = solve_(transpose_(a, perm=(1, 0)), g, site=0)
    return -contract(gb, node, labels="ij,kj->ik"), gb


def _solve_jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    a, _ = node.args
    ta, tb = tangents
    change = None if ta is None else -contract(ta, node, labels="ij,jk->ik")
    total = change if tb is None else tb if change is None else tb + change
    return None if total is None else solve_(a, total, site=0)


solve_ = calling(
    "solve", _solve_infer, _solve_reference, _solve_vjp, _solve_jvp, may_raise=True,
    equal=lambda node: [(node.args[0].shape[0], node.args[0].shape[1]), (node.args[0].shape[0], node.args[1].shape[0])],
    doc="x with a @ x = b, by LU factorization with partial pivoting.",
)  # fmt: skip


@lift
def solve(a: Node, b: Node) -> Node:
    """x with a @ x = b, for a square matrix a and a vector or matrix b.

    Raises SingularMatrixError at the call when a pivot is zero.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.solve(np.array([[2.0, 0.0], [0.0, 4.0]]), np.array([2.0, 2.0])).eval().tolist()
    [1.0, 0.5]
    """
    a, b = (cast(n, dt.to_float(dt.promote(as_node(a).dtype, as_node(b).dtype))) for n in (as_node(a), as_node(b)))
    if b.ndim == 1:
        return reshape_dims(solve_(a, reshape_dims(b, (*b.shape, 1)), site=0), b.shape)
    return solve_(a, b, site=0)


# -- the public functions ---------------------------------------------------------------------------------


def product(a: Node, b: Node, labels: str) -> Node:
    """contract with labels summed early that stand in one operand only, and dtypes made equal."""
    inputs, out = labels.split("->")
    left, right = inputs.split(",")
    common = dt.promote(a.dtype, b.dtype)
    a, left = _sum_alone(cast(a, common), left, right + out)
    b, right = _sum_alone(cast(b, common), right, left + out)
    return contract(a, b, labels=f"{left},{right}->{out}")


def _sum_alone(x: Node, labels: str, elsewhere: str) -> tuple[Node, str]:
    axes = tuple(k for k, label in enumerate(labels) if label not in elsewhere)
    return (sum_(x, axes=axes) if axes else x), "".join(k for k in labels if k in elsewhere)


@method("dot", numpy=(np.dot,))
@lift
def dot(a: Node, b: Node) -> Node:
    """NumPy's dot: the last axis of a with the last but one of b (or its only one); a product for scalars.

    >>> import numpy as np, agnesi.tensor as at
    >>> float(at.dot(np.arange(3.0), np.ones(3)).eval())
    3.0
    """
    a, b = as_nodes((as_node(a), as_node(b)))
    if a.ndim == 0 or b.ndim == 0:
        return a * b
    left = LABELS[: a.ndim]
    rest = LABELS[a.ndim : a.ndim + b.ndim - 1]
    right = rest[:-1] + left[-1] + rest[-1:] if b.ndim > 1 else left[-1]
    return product(a, b, f"{left},{right}->{left[:-1]}{rest}")


@method("matmul", numpy=(np.matmul,))
@lift
def matmul(a: Node, b: Node) -> Node:
    """The matrix product; leading axes are batches and broadcast."""
    a, b = as_nodes((as_node(a), as_node(b)))
    if a.ndim == 0 or b.ndim == 0:
        raise TypeMismatch("matmul takes arrays of at least one axis; use * for scalars")
    if a.ndim <= 2 and b.ndim <= 2:
        return dot(a, b)
    batch = dims.broadcast([a.shape[:-2], b.shape[:-2]])
    n = len(batch)
    names = LABELS[:n]
    i, k, j = list(LABELS[n : n + 3])
    left = names + i + k if a.ndim > 1 else k
    right = names + k + j if b.ndim > 1 else k
    a = broadcast_dims(a, (*batch, *a.shape[-2:])) if a.ndim > 1 else a
    b = broadcast_dims(b, (*batch, *b.shape[-2:])) if b.ndim > 1 else b
    out = names + (i if i in left else "") + (j if j in right else "")
    return product(a, b, f"{left},{right}->{out}")


@lift
def outer(a: Node, b: Node) -> Node:
    """All products of an element of a with an element of b."""
    return product(as_node(a), as_node(b), "i,j->ij")


@lift
def tensordot(a: Node, b: Node, axes: Any = 2) -> Node:
    """The product summed over pairs of axes: a number of last and first axes, or two lists."""
    a, b = as_node(a), as_node(b)
    if isinstance(axes, int):
        pairs = list(zip(range(a.ndim - axes, a.ndim), range(axes), strict=True))
    else:
        first, second = ([k] if isinstance(k, int) else list(k) for k in axes)
        pairs = [(x % a.ndim, y % b.ndim) for x, y in zip(first, second, strict=True)]
    left, right = LABELS[: a.ndim], list(LABELS[a.ndim : a.ndim + b.ndim])
    for x, y in pairs:
        right[y] = left[x]
    shared = {left[x] for x, _ in pairs}
    out = "".join(k for k in [*left, *right] if k not in shared)
    return product(a, b, f"{left},{''.join(right)}->{out}")
