"""Rules of products: views and factors leave the operands; scaled and added products become one call."""

from __future__ import annotations

from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import CONST, Node, cast, const, dim_node
from agnesi.ir.type import same
from agnesi.ops import elementwise as ew
from agnesi.ops.index import drop, insert, iota, reshape_dims, slice_, transpose_
from agnesi.ops.products import contract, gemm, label_sizes
from agnesi.ops.reduce import sum_
from agnesi.ops.window import contract_windows, window, window_add
from agnesi.rewrite.canonical import fold
from agnesi.rewrite.pattern import Bindings, Pattern, Rule, var

x, y = var("x"), var("y")
L = var("labels")

SCALING = ("float32", "float64")  # products whose factors move: that of a complex infinity and 1 has a NaN
TINY = 64  # multiplications: products of matrices known to take no more are loops


def parts(labels: str) -> tuple[str, str, str]:
    """The labels of the operands and of the result."""
    inputs, out = labels.split("->")
    left, right = inputs.split(",")
    return left, right, out


def left_transposed(b: Bindings) -> Node:
    """The labels take over the order of axes."""
    left, right, out = parts(b["labels"])
    left = "".join(left[b["perm"].index(k)] for k in range(len(left)))
    return contract(b["x"], b["y"], labels=f"{left},{right}->{out}")


def right_transposed(b: Bindings) -> Node:
    """The labels take over the order of axes."""
    left, right, out = parts(b["labels"])
    right = "".join(right[b["perm"].index(k)] for k in range(len(right)))
    return contract(b["x"], b["y"], labels=f"{left},{right}->{out}")


def transposed_product(b: Bindings) -> Node | None:
    """The order of axes goes into the labels of a product that nothing else needs."""
    node, product = b["node"], b["node"].args[0]
    if b["uses"].get(product, 0) > 1:
        return None
    left, right, out = parts(product["labels"])
    return contract(*product.args, labels=f"{left},{right}->{''.join(out[p] for p in node['perm'])}")


def sliced_product(b: Bindings) -> Node | None:
    """A slice of a product that nothing else needs: only what stays is computed."""
    node, product = b["node"], b["node"].args[0]
    left, right, out = parts(product["labels"])
    if b["uses"].get(product, 0) > 1 or len(set(left)) < len(left) or len(set(right)) < len(right):
        return None
    operands = []
    for operand, labels in zip(product.args, (left, right), strict=True):
        own = [k for k, a in enumerate(node["axes"]) if out[a] in labels]
        places = sorted((labels.index(out[node["axes"][k]]), k) for k in own)
        bounds = [bound for _, k in places for bound in node.args[1 + 2 * k : 3 + 2 * k]]
        axes, steps = tuple(a for a, _ in places), tuple(node["steps"][k] for _, k in places)
        operands.append(slice_(operand, *bounds, axes=axes, steps=steps) if axes else operand)
    return contract(*operands, labels=product["labels"])


def scale_of(node: Node) -> tuple[Node | None, Node]:
    """A scalar factor and the rest of a product, quotient or negative; None when there is no factor."""
    factor: Node | None = None
    while True:
        if node.op is ew.neg:
            step, rest = const(-1, node.dtype), node.args[0]
        elif node.op is ew.mul and node.ndim and 0 in (node.args[0].ndim, node.args[1].ndim):
            step, rest = node.args if node.args[0].ndim == 0 else node.args[::-1]
        elif node.op is ew.div and node.ndim and node.args[1].ndim == 0:
            step, rest = 1 / node.args[1], node.args[0]
        else:
            return factor, node
        factor = step if factor is None else folded(factor * step)
        node = rest


def folded(product: Node) -> Node:
    """A product of two constants as one."""
    return fold({"node": product}) or product


def factor_out(b: Bindings) -> Node | None:
    """contract(s * x, y) -> s * contract(x, y) for a constant s; others might be infinite, and the product empty."""
    scales = [scale_of(b["x"]), scale_of(b["y"])]
    factors = [s for s, _ in scales if s is not None]
    if not factors or b["node"].dtype not in SCALING or not all(f.op is CONST for f in factors):
        return None
    total = factors[0] if len(factors) == 1 else folded(factors[0] * factors[1])
    return total * contract(scales[0][1], scales[1][1], labels=b["labels"])


def is_matrix_product(node: Node) -> bool:
    """Whether a product is one of two matrices that a library scales and adds, and worth a call."""
    matrices = node.op is contract and node.dtype in SCALING and all(n.ndim == 2 for n in (node, *node.args))
    return matrices and is_worth_calls(node)


def accumulate(b: Bindings) -> Node | None:
    """y + s * contract(a, b), or with - on either side, where nothing else needs the product."""
    node: Node = b["node"]
    sign = -1 if node.op is ew.sub else 1
    first, second = node.args
    for term, other, s, t in ((second, first, sign, 1), (first, second, 1, sign)):
        factor, product = scale_of(term)
        if not is_matrix_product(product) or b["uses"].get(product, 0) > 1 or b["uses"].get(term, 0) > 1:
            continue
        if other.type != node.type or product.type != node.type or contains_product(other):
            continue
        alpha = const(s, node.dtype) if factor is None else factor if s == 1 else -factor
        beta = const(t, node.dtype)
        return gemm(other, *product.args, alpha, beta, labels=product["labels"])
    return None


def contains_product(node: Node) -> bool:
    """Whether the other term is itself a scaled product; then the first one found is enough."""
    return scale_of(node)[1].op in (contract, gemm)


def as_matrices(b: Bindings) -> Node | None:
    """A product worth calls of a library, with a last axis that one operand only has."""
    node: Node = b["node"]
    left, right, out = parts(b["labels"])
    if not is_worth_calls(node) or not (out[-1] in left and out[-1] in right):
        return None
    batch = "".join(k for k in out if k in left and k in right)
    order = batch + "".join(k for k in out if k not in batch)
    made = contract(*node.args, labels=f"{left},{right}->{order}")
    return transpose_(made, perm=tuple(order.index(k) for k in out))


def is_worth_calls(node: Node) -> bool:
    """Whether a product is better done as products of matrices by a library, than by loops of its own.

    Both operands have an axis that only they share with the result, and one is summed over; and the matrices are not
    known to be tiny, nor is one a vector by which windows are multiplied, nor is there but one product in each sum.
    """
    if node.dtype not in dt.LIBRARY or not all(groups_of(node["labels"])):
        return False
    return not is_tiny(node) and not is_filter(node) and not is_outer(node)


def groups_of(labels: str) -> tuple[list[str], list[str], list[str]]:
    """The axes that only the left operand shares with the result, only the right one, and what is summed over."""
    left, right, out = parts(labels)
    return [k for k in out if k not in right], [k for k in out if k not in left], [k for k in left if k not in out]


def is_tiny(node: Node) -> bool:
    """Whether a product, or each of a batch of them, is known to take next to no time."""
    sizes = label_sizes(node.args[0], node.args[1], node["labels"])
    work = dims.product(sizes[k] for group in groups_of(node["labels"]) for k in group)
    return isinstance(work, int) and work <= TINY


def is_outer(node: Node) -> bool:
    """Whether each sum is known to be over one product."""
    sizes = label_sizes(node.args[0], node.args[1], node["labels"])
    return all(same(sizes[k], 1) for k in groups_of(node["labels"])[2])


def is_filter(node: Node) -> bool:
    """Whether a product is known to take one sum of each window: what windows are copied for pays with several."""
    left, right, _ = groups_of(node["labels"])
    sizes = label_sizes(node.args[0], node.args[1], node["labels"])
    pairs = zip(node.args, (right, left), strict=True)
    return any(n.op is window and all(same(sizes[k], 1) for k in own) for n, own in pairs)


def as_loops(b: Bindings) -> Node | None:
    """Products that a library does not do, as a sum of products; loops fuse them with what stands around."""
    node: Node = b["node"]
    if is_worth_calls(node):
        return None
    left, right, out = parts(b["labels"])
    sizes = label_sizes(b["x"], b["y"], b["labels"])
    single = "".join(k for k in left if k not in out and same(sizes[k], 1))
    (x, left), (y, right) = without(b["x"], left, single), without(b["y"], right, single)
    inner = "".join(k for k in left if k not in out)
    order = out + inner
    a, c = aligned(x, left, order), aligned(y, right, order)
    total = a * c
    if not inner:
        return total
    axes = tuple(range(len(out), len(order)))
    if node.dtype == "bool":
        return ew.gt(sum_(cast(total, "int64"), axes=axes), 0)
    return sum_(total, axes=axes) if is_tiny(node) else natural(a, c, left, right, out, inner)


def without(x: Node, labels: str, single: str) -> tuple[Node, str]:
    """An operand and its labels without axes of one element."""
    axes = tuple(k for k, label in enumerate(labels) if label in single)
    return (drop(x, axes=axes) if axes else x), "".join(k for k in labels if k not in single)


def natural(a: Node, c: Node, left: str, right: str, out: str, inner: str) -> Node:
    """The sum in the order of the axes of the larger operand, so that it is read along memory."""
    bigger = left if len(left) >= len(right) else right
    order = out + inner
    wanted = "".join([k for k in order if k not in bigger]) + bigger
    perm = tuple(order.index(k) for k in wanted)
    total = a * c
    moved = total if perm == tuple(range(len(perm))) else transpose_(total, perm=perm)
    result = sum_(moved, axes=tuple(k for k, label in enumerate(wanted) if label in inner))
    kept = "".join(k for k in wanted if k in out)
    return result if kept == out else transpose_(result, perm=tuple(kept.index(k) for k in out))


def aligned(x: Node, labels: str, order: str) -> Node:
    """The operand with its axes in this order and new ones where it has none."""
    kept = [k for k in order if k in labels]
    perm = tuple(labels.index(k) for k in kept)
    moved = x if perm == tuple(range(len(perm))) else transpose_(x, perm=perm)
    missing = tuple(k for k, label in enumerate(order) if label not in labels)
    return insert(moved, axes=missing) if missing else moved


def added_windows(b: Bindings) -> Node | None:
    """Windows that nothing else needs are added up where they are computed, so that not all of them are in memory."""
    node, product = b["node"], b["node"].args[0]
    if b["uses"].get(product, 0) > 1 or not is_worth_calls(product):
        return None
    return contract_windows(*product.args, *node.args[1:], labels=product["labels"], moves=node["moves"])


def _matrix(n: int, m: int) -> Node:
    return reshape_dims(cast(iota(dim_node(n * m)), "float64"), (n, m))


def _cube(n: int, m: int) -> Node:
    return reshape_dims(_matrix(2 * n, m), (2, n, m))


def _transposed(n: int, m: int) -> Node:
    return transpose_(_matrix(n, m), perm=(1, 0))


def _added() -> Node:
    product = contract(_cube(4, 3), _matrix(3, 6), labels="nxo,ou->nxu")
    return window_add(product, dim_node(9), moves=((1, 1, 1),))


PRODUCTS = [
    Rule("contract_left_transpose", contract(transpose_(x, perm=var("perm")), y, labels=L), left_transposed, "bitwise",
         example=lambda: contract(_transposed(2, 3), _matrix(2, 4), labels="ij,jk->ik")),
    Rule("contract_right_transpose", contract(x, transpose_(y, perm=var("perm")), labels=L), right_transposed,
         "bitwise", example=lambda: contract(_matrix(2, 3), _transposed(4, 3), labels="ij,jk->ik")),
    Rule("transpose_contract", Pattern(transpose_, (Pattern(contract, ()),)), transposed_product, "rounding",
         example=lambda: transpose_(contract(_matrix(2, 3), _matrix(3, 4), labels="ij,jk->ik"), perm=(1, 0))),
    Rule("slice_contract", Pattern(slice_, (Pattern(contract, ()),)), sliced_product, "rounding",
         example=lambda: slice_(contract(_cube(4, 3), _cube(3, 5), labels="bij,bjk->bik"), dim_node(1), dim_node(1),
                                dim_node(3), dim_node(2), axes=(0, 2), steps=(1, -1))),
    Rule("contract_factor", contract(x, y, labels=L), factor_out, "rounding",
         example=lambda: contract(_matrix(2, 3) * 2, -_matrix(3, 4), labels="ij,jk->ik")),
]  # fmt: skip

ACCUMULATE = [
    Rule("gemm_add", x + y, accumulate, "rounding",
         example=lambda: _matrix(5, 4) + contract(_matrix(5, 4), _matrix(4, 4), labels="ij,jk->ik") * 3),
    Rule("gemm_sub", x - y, accumulate, "rounding",
         example=lambda: _matrix(5, 4) - contract(_matrix(5, 4), _matrix(4, 4), labels="ij,jk->ik") * 3),
]  # fmt: skip

LOOPS = [
    Rule("window_add_contract", Pattern(window_add, (Pattern(contract, ()),)), added_windows, "rounding",
         example=_added),
    Rule("contract_matrices", contract(x, y, labels=L), as_matrices, "bitwise",
         example=lambda: contract(_cube(5, 4), _cube(4, 5), labels="bij,bjk->ikb")),
    Rule("contract_loops", contract(x, y, labels=L), as_loops, "rounding",
         example=lambda: contract(_cube(2, 3), _cube(3, 2), labels="bij,bjk->bik")),
]  # fmt: skip
