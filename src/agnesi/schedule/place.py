"""What gets memory: every node is inlined into its readers, or is a root, computed once by loops of its own.

One pass from the outputs to the inputs. Each node collects its demands: which root reads it, at which index. From
these alone it is decided, with a reason, what happens to it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, INDEX, SYMBOL, TEMP, Node, dim_node, index, make, topological
from agnesi.ir.op import Op, register
from agnesi.ir.type import Dim, Type, same
from agnesi.ops.declare import Index, Piece, here
from agnesi.ops.index import broadcast_index, iota
from agnesi.ops.passing import hint_

CHEAP = 8  # additions that cost about as much as keeping a value in memory
NEST_COST = 400  # more scalar work than this in one nest chokes registers and the C compiler
CUT_COST = 300  # from here on a nest ends at the next elementary function, so that repeated parts make equal nests
ELEMENTARY = 20  # the cost of an elementary function
SCALAR_COST = (
    80  # up to here a scalar is computed once more in every nest that reads it: a nest for it would split them
)
MANY_READERS = 8

Element = Callable[[Node, Index], Node]

ELEMENT = register(
    Op(name="element", kind="leaf", infer=lambda *i, array: Type(array.dtype), evaluate=lambda *a, **k: None, cost=0,
       doc="While planning: the element of an array at an index, whatever computes it.")
)  # fmt: skip


def element(array: Node, idx: Index) -> Node:
    """A stand-in for the element of an array."""
    return make(ELEMENT, idx, (("array", array),), Type(array.dtype))


def axes_index(shape: tuple[Dim, ...]) -> Index:
    """The index of a loop nest over a shape: one level for each axis that is not of size 1."""
    result = []
    level = 0
    for dim in shape:
        if same(dim, 1):
            result.append(dim_node(0))
        else:
            result.append(index(level))
            level += 1
    return tuple(result)


def unit_index(array: Node, idx: Index) -> Index:
    """The index with 0 along axes of size 1, whatever was looked up there."""
    if not any(same(d, 1) for d in array.shape):
        return idx
    return tuple(dim_node(0) if same(d, 1) else i for d, i in zip(array.shape, idx, strict=True))


def squeezed(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """A shape without its axes of size 1: the domain of a nest."""
    return tuple(d for d in shape if not same(d, 1))


def is_pure(node: Node) -> bool:
    """Whether an index expression needs nothing but loop indices and sizes."""
    return all(
        n.op in (INDEX, SYMBOL, CONST) or (n.args and n.ndim == 0 and n.op.kind == "elementwise" and not n.op.may_raise)
        for n in topological([node])
    )


def frontier(i: Node) -> list[Node]:
    """The outermost parts of an index expression that are not mere arithmetic on loop indices and sizes."""
    found = []
    stack = [i]
    while stack:
        n = stack.pop()
        if n.op in (INDEX, CONST, SYMBOL, ELEMENT, TEMP) or is_pure(n):
            continue
        if n.op.kind == "elementwise" and not n.op.may_raise and n.ndim == 0:
            stack.extend(n.args)
        else:
            found.append(n)
    return found


def operands(node: Node, idx: Index, element: Element) -> list[tuple[Node, Index]]:
    """Which element of each argument element idx of an elementwise, index or gather node needs."""
    if node.op.kind == "elementwise":
        return [(a, broadcast_index(a, node.shape, idx)) for a in node.args]
    if node.op.kind == "gather":
        x, *indices = node.args
        lead = indices[0].ndim
        return [(x, tuple(element(i, idx[:lead]) for i in indices) + idx[lead:])]
    if node.op is iota:
        return []
    assert node.op.index is not None, node
    return [(node.args[0], node.op.index(node, idx))]


def pieces_of(root: Node) -> list[Piece]:
    """The parts that fill a root; a root that is not a reduction or store op is one part, its own expression."""
    if root.op.kind == "store":
        assert root.op.pieces is not None
        return list(root.op.pieces(root))
    if root.op.kind == "reduce":
        (x,), axes = root.args, root["axes"]
        kept = [k for k in range(x.ndim) if k not in axes]
        combine = root.op.combine if any(not same(x.shape[k], 1) for k in axes) else ""
        return [Piece(x.shape, x, lambda idx, element: tuple(idx[k] for k in kept), combine)]
    return [] if root.op.kind == "call" else [Piece(root.shape, root, here)]


Reads = list[tuple[Node, Index]]


@dataclass
class Placement:
    """The roots in the order of computation, what each of their pieces reads and costs, and why each is a root."""

    roots: list[Node] = field(default_factory=list)
    late: set[Node] = field(default_factory=set)  # scalars that sizes depend on
    reads: dict[tuple[Node, int], Reads] = field(default_factory=dict)
    costs: dict[tuple[Node, int], int] = field(default_factory=dict)
    reasons: dict[Node, str] = field(default_factory=dict)


def weights(graph: Graph) -> dict[Node, int]:
    """What one element costs in additions when all elementwise work below it is done anew; values of fewer axes are
    computed outside the innermost loop and count as one."""
    result: dict[Node, int] = {}
    for node in graph.order:
        local = node.op.kind in ("elementwise", "index", "gather")
        rank = len(squeezed(node.shape))
        inner = sum(result[a] if len(squeezed(a.shape)) >= rank else 1 for a in node.args) if local else 0
        own = node.op.cost if node.op.kind == "elementwise" else 1
        result[node] = min(own + inner, 10**6) if node.args else 0
        if result[node] > NEST_COST:
            result[node] = CHEAP + 1
    return result


def burden(node: Node) -> int:
    """What an inlined node adds to its nest: work, and for ops that move elements, depth of the index expressions."""
    if node.op.kind == "elementwise":
        return max(2, node.op.cost)
    return 2 if node.op.name in ("transpose", "insert", "drop", "broadcast_to") else 8


class Placer:
    """The state of the pass: demands on each node, and how much work each root has taken in."""

    def __init__(self, graph: Graph, checked: Sequence[Node]) -> None:
        self.graph = graph.replace([*graph.outputs, *checked])
        self.weight = weights(self.graph)
        self.checked = {part for size in checked for part in frontier(size)}
        self.outputs = set(graph.outputs)
        self.forced: dict[Node, str] = {}
        self.hinted = {n.args[0] for n in graph.order if n.op is hint_ and n["recompute"]}
        self.demands: dict[Node, dict[tuple[Node, int, Index], None]] = {}
        self.result = Placement()
        self.levels: dict[Node, frozenset[int]] = {}
        self.result.late.update(self.checked)
        dimensions = (d for n in self.graph.order for d in n.shape if isinstance(d, Node))
        calls = (a for n in self.graph.order if n.op.kind == "call" for a in n.args)
        given = {a for a in calls if a.ndim == 0 and a.dtype == "int64"}  # what a step may have for sizes of its own
        self.sizes = set(topological([*dimensions, *filter(is_pure, given)]))

    def run(self) -> Placement:
        for node in reversed(self.graph.order):
            wanted = node in self.demands or node in self.outputs or node in self.checked
            if node.op.kind == "leaf" or not wanted:
                continue
            reason = self.fate(node)
            if reason:
                self.keep(node, reason)
            else:
                self.inline(node)
        self.result.roots.reverse()
        return self.result

    def fate(self, node: Node) -> str:
        """Why the node is a root, or an empty text when it is inlined."""
        if node in self.outputs:
            return "an output"
        if node in self.checked:
            return "a size that is checked"
        if node.op.kind in ("reduce", "store", "call"):
            return f"{node.op.name} has loops of its own"
        if node in self.forced:
            if node in self.sizes:
                self.result.late.add(node)
            return self.forced[node]
        if node in self.sizes and node.ndim == 0:
            return ""  # sizes are computed outside nests
        if node.op is hint_ and not node["recompute"]:
            return "a hint"
        if node.op is hint_ or node in self.hinted:
            return ""
        demands = self.demands[node]
        limit = CUT_COST if node.op.cost >= ELEMENTARY and node.op.kind == "elementwise" else NEST_COST - burden(node)
        if any(self.result.costs[root, piece] > limit for root, piece, _ in demands):
            return "its nest is full"
        if node.op.kind in ("index", "gather"):
            return ""
        if len(demands) > MANY_READERS:
            return f"{len(demands)} readers"
        if self.weight[node] <= CHEAP:
            return ""
        if node.ndim == 0 and self.weight[node] <= SCALAR_COST:
            return ""
        if len(demands) > 1:
            return f"costs {self.weight[node]} and is read {len(demands)} times"
        ((root, piece, idx),) = demands
        used = frozenset().union(*[dims.levels(i, self.levels) for i in idx])
        depth = len(squeezed(pieces_of(root)[piece].domain)) if root.op.kind != "call" else 0
        if used != frozenset(range(len(used))) and len(used) < depth:
            return f"costs {self.weight[node]} and is repeated along an outer loop"
        return ""

    def keep(self, node: Node, reason: str) -> None:
        self.result.roots.append(node)
        self.result.reasons[node] = reason
        for root, piece, idx in self.demands.get(node, ()):
            self.result.reads[root, piece].append((node, idx))
        if node.op.kind == "call":
            self.result.reads[node, 0] = []
            self.result.costs[node, 0] = 0
            for arg in node.args:
                self.require(arg, node)
                self.depend(arg.shape, (node, 0))
            return
        for k, part in enumerate(pieces_of(node)):
            idx = axes_index(part.domain)
            self.result.reads[node, k] = []
            self.depend((*part.domain, *node.shape), (node, k))
            self.result.costs[node, k] = node.op.cost if part.source is node else 1

            def reader(array: Node, at: Index, k: int = k) -> Node:
                if array is not node:
                    self.demand(array, (node, k, at))
                return element(array, at)

            self.scan(part.target(idx, reader), (node, k))
            if part.source is node:
                self.spread(node, node, k, idx)
            elif isinstance(part.source, Node):
                self.demand(part.source, (node, k, idx))
            else:
                part.source(idx, reader)

    def inline(self, node: Node) -> None:
        for root, piece, idx in self.demands[node]:
            self.result.costs[root, piece] += burden(node)
            self.spread(node, root, piece, idx)

    def spread(self, node: Node, root: Node, piece: int, idx: Index) -> None:
        """Passes the demand for one element of a node on to its arguments."""

        def reader(array: Node, at: Index) -> Node:
            self.demand(array, (root, piece, at))
            return element(array, at)

        for arg, at in operands(node, idx, reader):
            self.scan(at, (root, piece))
            self.demand(arg, (root, piece, at))

    def scan(self, idx: Index, key: tuple[Node, int]) -> None:
        """Demands the scalars of the graph that stand in an index expression."""
        for i in idx:
            for n in frontier(i):
                self.demand(n, (*key, ()))

    def depend(self, sizes: tuple[Dim, ...], key: tuple[Node, int]) -> None:
        """Demands the scalars of the graph on which sizes depend; they must be known before the loops start."""
        for size in sizes:
            if isinstance(size, Node) and not is_pure(size):
                self.result.late.update(frontier(size))
                self.scan((size,), key)

    def demand(self, node: Node, demand: tuple[Node, int, Index]) -> None:
        if node.op.kind == "leaf":
            return
        demand = (*demand[:2], unit_index(node, demand[2]))
        self.demands.setdefault(node, {})[demand] = None

    def require(self, arg: Node, caller: Node) -> None:
        """A library call reads whole arrays: a view of a root or input will do, anything else is stored."""
        if arg.ndim == 0:
            self.demand(arg, (caller, 0, ()))
            return
        base = arg
        while base.op.name in ("transpose", "insert", "drop", "slice", "window"):
            base = base.args[0]
        target = base if base.op.kind != "index" else arg
        if target.op.kind != "leaf" or target.op is CONST:
            self.forced.setdefault(target, f"{caller.op.name} reads it whole")
            self.demand(target, (caller, 0, axes_index(target.shape)))


def place(graph: Graph, checked: Sequence[Node] = ()) -> Placement:
    """The roots of a graph, and of the sizes that are checked when they have been computed."""
    return Placer(graph, checked).run()
