"""Rules of reductions: over several axes at once, over views, over joins, and factors taken out."""

from __future__ import annotations

from agnesi.ir.node import Node, cast, dim_node, value_of
from agnesi.ir.op import OPS, Op
from agnesi.ir.type import same
from agnesi.ops import elementwise as ew
from agnesi.ops.index import concatenate_, drop, insert, iota, merge, reshape_, reshape_dims, transpose_
from agnesi.ops.reduce import all_, any_, max_, min_, prod_, sum_
from agnesi.rewrite.canonical import is_wide
from agnesi.rewrite.pattern import Bindings, Class as Kind, Pattern, Rule, var

x, c = var("x"), var("c", "const")
A = var("axes")


def is_all(node: Node) -> bool:
    """Whether a reduction leaves a scalar."""
    return node.ndim == 0


def again(b: Bindings) -> Node | None:
    """A reduction of a reduction, over the axes of both, where nothing else needs the inner one."""
    outer, inner = b["node"], b["node"].args[0]
    if b["uses"].get(inner, 0) > 1:
        return None
    kept = [k for k in range(inner.args[0].ndim) if k not in inner["axes"]]
    return outer.op(inner.args[0], axes=tuple(sorted((*inner["axes"], *(kept[a] for a in outer["axes"])))))


def of_one(b: Bindings) -> Node | None:
    """Axes of size 1 are dropped, not reduced."""
    node, x = b["node"], b["x"]
    ones = tuple(a for a in node["axes"] if same(x.shape[a], 1))
    if not ones:
        return None
    rest = tuple(a - sum(k < a for k in ones) for a in node["axes"] if a not in ones)
    return node.op(drop(x, axes=ones), axes=rest) if rest else drop(x, axes=ones)


def of_transpose(b: Bindings) -> Node:
    """The axes before they were moved."""
    node, moved = b["node"], b["node"].args[0]
    perm = moved["perm"]
    axes = tuple(sorted(perm[a] for a in node["axes"]))
    left = [p for k, p in enumerate(perm) if k not in node["axes"]]
    reduced = node.op(moved.args[0], axes=axes)
    order = tuple(sorted(left).index(p) for p in left)
    return reduced if order == tuple(range(len(order))) else transpose_(reduced, perm=order)


def of_reshape(b: Bindings) -> Node | None:
    """All elements, in whatever shape."""
    source: Node = b["node"].args[0].args[0]
    return b["node"].op(source, axes=tuple(range(source.ndim))) if is_all(b["node"]) and source.ndim else None


def of_join(b: Bindings) -> Node | None:
    """A reduction along the axis of a join that nothing else needs: of its pieces, combined."""
    node, join = b["node"], b["node"].args[0]
    if join["axis"] not in node["axes"] or b["uses"].get(join, 0) > 1 or len(join.args) > 8:
        return None
    combine = OPS[node.op.combine]
    total: Node | None = None
    for piece in join.args:
        part = node.op(piece, axes=node["axes"])
        total = part if total is None else combine(total, part)
    return total


def divided_sum(b: Bindings) -> Node | None:
    """sum(x / c) -> sum(x) / c for a finite c that is not 0"""
    value = abs(value_of(b["c"]))
    return sum_(b["x"], axes=b["axes"]) / b["c"] if 0 < value < float("inf") else None


def _cube() -> Node:
    return reshape_dims(cast(iota(dim_node(24)), "float64"), (2, 3, 4))


def _flat() -> Node:
    return cast(iota(dim_node(6)), "float64")


def rules_of(op: Op, exact: Kind) -> list[Rule]:
    """What holds of every reduction; exact: the class of a change of order."""
    bools = op in (any_, all_)

    def cube() -> Node:
        return ew.gt(_cube(), 3) if bools else _cube()

    def joined() -> Node:
        whole = concatenate_(_flat(), _flat() * 0.5, axis=0)
        return ew.gt(whole, 1) if bools else whole

    return [
        Rule(f"{op.name}_again", op(Pattern(op, ()), axes=A), again, exact,
             example=lambda: op(op(cube(), axes=(1,)), axes=(1,))),
        Rule(f"{op.name}_of_one", op(x, axes=A), of_one, "rounding",
             example=lambda: op(insert(cube(), axes=(1,)), axes=(1, 3))),
        Rule(f"{op.name}_of_transpose", op(Pattern(transpose_, ()), axes=A), of_transpose, exact,
             example=lambda: op(transpose_(cube(), perm=(2, 0, 1)), axes=(1,))),
        Rule(f"{op.name}_of_reshape", op(Pattern(reshape_, ()), axes=A), of_reshape, exact,
             example=lambda: op(reshape_dims(cube(), (6, 4)), axes=(0, 1))),
        Rule(f"{op.name}_of_merge", op(Pattern(merge, ()), axes=A), of_reshape, exact,
             example=lambda: op(merge(cube(), groups=(2, 1)), axes=(0, 1))),
        *([] if bools else [Rule(f"{op.name}_of_join", op(Pattern(concatenate_, ()), axes=A), of_join, exact,
                                 example=lambda: op(joined(), axes=(0,)))]),
    ]  # fmt: skip


REDUCTIONS = [
    *(rule for op in (sum_, prod_, max_, min_) for rule in rules_of(op, "rounding")),
    *(rule for op in (any_, all_) for rule in rules_of(op, "bitwise")),
    Rule("sum_divided", sum_(x / c, axes=A), divided_sum, "rounding", is_wide),
]
