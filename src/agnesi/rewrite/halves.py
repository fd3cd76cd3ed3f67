"""Half precision: what joins many elements does so in single precision, and its result is rounded once."""

from __future__ import annotations

from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, cast, make, rebuild
from agnesi.ops.assign import slice_add
from agnesi.ops.composites import log_softmax_, logsumexp_, softmax_, softmax_grad
from agnesi.ops.cumulative import cumprod_, cumsum_
from agnesi.ops.gather import scatter_add
from agnesi.ops.index import sum_to
from agnesi.ops.products import contract, gemm, solve_
from agnesi.ops.reduce import prod_, sum_
from agnesi.ops.window import window_add

JOINING = {
    sum_, prod_, sum_to, cumsum_, cumprod_, scatter_add, slice_add, window_add, contract, gemm, solve_,
    softmax_, softmax_grad, log_softmax_, logsumexp_,
}  # fmt: skip


def widen(graph: Graph) -> Graph:
    """The graph with op(x) -> cast(op(cast(x, "float32"))) for these operations on halves."""
    if not any(n.dtype in dt.HALVES for n in graph.order):
        return graph
    done: dict[Node, Node] = {}
    for node in graph.order:
        args = tuple(done[a] for a in node.args)
        if node.op in JOINING and node.dtype in dt.HALVES:
            wide = (cast(a, "float32") if a.dtype in dt.HALVES else a for a in args)
            done[node] = cast(make(node.op, tuple(wide), node.attrs), node.dtype)
        else:
            done[node] = rebuild(node, args) if args else node
    return graph.replace([done[o] for o in graph.outputs])
