"""Products of arrays as one operation with einsum labels, and the solution of linear systems."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.errors import ShapeError, SingularMatrixError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_nodes, cast
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import NUMPY, as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.create import identity_mask
from agnesi.ops.declare import Array, calling
from agnesi.ops.index import axes_of, broadcast_dims, insert, merge, reshape_dims, transpose_
from agnesi.ops.reduce import sum_
from agnesi.ops.shape import moveaxis, ravel, shape_padleft, shape_padright

LABELS = "ijklmnopqrstuvwxyzabcdefghABCDEFGHIJKLMNOPQRSTUVWXYZ"


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
    inputs, out = node["labels"].split("->")
    left, right = inputs.split(",")
    a, b = map(ew.conjugate, node.args)
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
    a = ew.conjugate(node.args[0])
    gb = solve_(transpose_(a, perm=(1, 0)), g, site=0)
    return -contract(gb, ew.conjugate(node), labels="ij,kj->ik"), gb


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


def batched(a: Node, b: Node, cores: str) -> Node:
    """The product over the last axes, which have these labels; the axes before them are batches and broadcast."""
    inputs, out = cores.split("->")
    terms = inputs.split(",")
    heads = [n.shape[: n.ndim - len(term)] for n, term in zip((a, b), terms, strict=True)]
    batch = dims.broadcast(heads)
    names = "".join(k for k in LABELS if k not in cores)[: len(batch)]
    a, b = (broadcast_dims(n, (*batch, *n.shape[len(h) :])) if h else n for n, h in zip((a, b), heads, strict=True))
    left, right = (names + term if head else term for term, head in zip(terms, heads, strict=True))
    return product(a, b, f"{left},{right}->{names}{out}")


@method("matmul", numpy=(np.matmul, np.linalg.matmul))
@lift
def matmul(a: Node, b: Node) -> Node:
    """The matrix product; leading axes are batches and broadcast."""
    a, b = as_node(a), as_node(b)
    if a.ndim == 0 or b.ndim == 0:
        raise TypeMismatch("matmul takes arrays of at least one axis; use * for scalars")
    left, right = "ij"[-a.ndim :], "jk"[: b.ndim]
    return batched(a, b, f"{left},{right}->{(left + right).replace('j', '')}")


@method(numpy=(np.outer, np.linalg.outer))
@lift
def outer(a: Node, b: Node) -> Node:
    """All products of an element of a with an element of b, both flattened."""
    return product(ravel(as_node(a)), ravel(as_node(b)), "i,j->ij")


@method(numpy=(np.tensordot, np.linalg.tensordot))
@lift
def tensordot(a: Node, b: Node, axes: Any = 2) -> Node:
    """The product summed over pairs of axes: a number of last and first axes, or two lists.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.tensordot(np.ones((2, 3)), np.ones((3, 2)), ([0, 1], [1, 0])).eval().tolist()
    6.0
    """
    return _tensordot(as_node(a), as_node(b), axes, 0)


@lift
def batched_tensordot(a: Node, b: Node, axes: Any = 2) -> Node:
    """tensordot of each a[k] with b[k], for k along their first axes; axes count from the first axis as 0."""
    return _tensordot(as_node(a), as_node(b), axes, 1)


def _tensordot(a: Node, b: Node, axes: Any, batch: int) -> Node:
    """The product over pairs of axes, with so many leading axes in common."""
    if isinstance(axes, int):
        if not 0 <= axes <= min(a.ndim, b.ndim) - batch:
            raise TypeMismatch(f"tensordot: {a.type} and {b.type} do not have {axes} axes to sum over")
        axes = range(a.ndim - axes, a.ndim), range(batch, batch + axes)
    first, second = (axes_of(k if isinstance(k, int) else tuple(k), n.ndim) for k, n in zip(axes, (a, b), strict=True))
    if len(first) != len(second) or any(k < batch for k in first + second):
        raise TypeMismatch(f"tensordot: {axes} does not pair axes of {a.type} and {b.type}")
    left, right = LABELS[: a.ndim], list(LABELS[a.ndim : a.ndim + b.ndim])
    for x, y in zip((*range(batch), *first), (*range(batch), *second), strict=True):
        right[y] = left[x]
    summed = {left[k] for k in first}
    out = "".join(k for k in dict.fromkeys([*left, *right]) if k not in summed)
    return product(a, b, f"{left},{''.join(right)}->{out}")


@lift
def batched_dot(a: Node, b: Node) -> Node:
    """dot of each a[k] with b[k], for k along their first axes: (n, i, j) and (n, j, k) give (n, i, k).

    >>> import numpy as np, agnesi.tensor as at
    >>> at.batched_dot(np.ones((5, 2, 3)), np.ones((5, 3))).eval().shape
    (5, 2)
    """
    a, b = _at_least(a, 1, "batched_dot"), _at_least(b, 1, "batched_dot")
    if a.ndim == 1 or b.ndim == 1:
        rank = max(a.ndim, b.ndim)
        return shape_padright(a, rank - a.ndim) * shape_padright(b, rank - b.ndim)
    return _tensordot(a, b, ([a.ndim - 1], [max(b.ndim - 2, 1)]), 1)


@method("inner", numpy=(np.inner,))
@lift
def inner(a: Node, b: Node) -> Node:
    """The product summed over the last axis of both; a product for scalars."""
    a, b = as_node(a), as_node(b)
    return a * b if not a.ndim or not b.ndim else _tensordot(a, b, ([-1], [-1]), 0)


@method(numpy=(np.vdot,))
@lift
def vdot(a: Node, b: Node) -> Node:
    """The sum of the products of corresponding elements of the flattened arrays, the first as its conjugate."""
    return dot(ravel(ew.conjugate(as_node(a))), ravel(as_node(b)))


@method(numpy=(np.vecdot, np.linalg.vecdot))
@lift
def vecdot(a: Node, b: Node, axis: int = -1) -> Node:
    """The sum of products along an axis of both, of the conjugate of the first; the other axes broadcast."""
    a, b = (moveaxis(_at_least(n, 1, "vecdot"), axis, -1) for n in (a, b))
    return batched(ew.conjugate(a), b, "k,k->")


@lift
def matvec(a: Node, b: Node) -> Node:
    """The product of matrices with vectors in the last axis; leading axes are batches and broadcast."""
    return batched(_at_least(a, 2, "matvec"), _at_least(b, 1, "matvec"), "ik,k->i")


@lift
def vecmat(a: Node, b: Node) -> Node:
    """The product of conjugates of vectors in the last axis with matrices; leading axes are batches and broadcast."""
    return batched(ew.conjugate(_at_least(a, 1, "vecmat")), _at_least(b, 2, "vecmat"), "k,kj->j")


def _at_least(x: Any, ndim: int, name: str) -> Node:
    node = as_node(x)
    if node.ndim < ndim:
        raise TypeMismatch(f"{name} takes an array of at least {ndim} axes here, not {node.type}")
    return node


for _name, _function in (("matvec", matvec), ("vecmat", vecmat)):
    if hasattr(np, _name):  # since NumPy 2.2
        NUMPY[getattr(np, _name)] = _function


@method(numpy=(np.kron,))
@lift
def kron(a: Node, b: Node) -> Node:
    """The Kronecker product: every element of a times the whole of b.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.kron([1, 10], [1, 2]).eval().tolist()
    [1, 2, 10, 20]
    """
    a, b = as_node(a), as_node(b)
    rank = max(a.ndim, b.ndim)
    a, b = shape_padleft(a, rank - a.ndim), shape_padleft(b, rank - b.ndim)
    if not rank:
        return a * b
    pairs = insert(a, axes=tuple(range(1, 2 * rank, 2))) * insert(b, axes=tuple(range(0, 2 * rank, 2)))
    return merge(pairs, groups=(2,) * rank)


@method(numpy=(np.linalg.matrix_power,))
@lift
def matrix_power(x: Node, n: int) -> Node:
    """A square matrix multiplied with itself n times; negative powers are those of the inverse, of one matrix."""
    x = as_node(x)
    if x.ndim < 2 or not isinstance(n, int):
        raise TypeMismatch(f"matrix_power takes matrices and an integer known now, not {x.type} and {n!r}")
    if n <= 0:
        one = broadcast_dims(cast(identity_mask(x.shape[-1], x.shape[-1]), x.dtype), x.shape)
        if n == 0:
            return one
        x, n = solve(x, one), -n
    result: Node | None = None
    while n:
        if n % 2:
            result = x if result is None else matmul(result, x)
        n //= 2
        x = matmul(x, x) if n else x
    assert result is not None
    return result
