"""Derivatives of branches: each is another branch, so that what is not computed has no derivative that is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agnesi.control.branch import Branch, make_branch
from agnesi.grad.loop import Batch, Forward, Reverse, zeros
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, input_node, substitute
from agnesi.ops import elementwise as ew
from agnesi.ops.index import insert


def stand_ins(args: Sequence[Node]) -> list[Node]:
    """Inputs in place of a branch's arguments, one of which may be computed from another."""
    return [input_node("", a.type) for a in args[1:]]


def joined(branch: Branch, args: Sequence[Node], leaves: Sequence[Node], sides: Sequence[list[Node]]) -> list[Node]:
    """The branch between two lists of values in terms of stand-ins for its arguments."""
    back = dict(zip(leaves, args[1:], strict=True))
    inner = make_branch(args[0], sides[0], sides[1], f"the derivative of {branch.name or 'a branch'}")
    return substitute(inner, back)


def branch_vjp(branch: Branch, args: Sequence[Node], given: dict[int, Node], reverse: Reverse) -> list[Node | None]:
    """The cotangents of a branch's arguments, from those of its outputs; each side computes anew what it needs."""
    leaves = stand_ins(args)
    wrt = [leaf for leaf in leaves if dt.is_inexact(leaf.dtype)]
    found = []
    for results in branch.results([args[0], *leaves]):
        found.append(reverse([results[k] for k in given], list(given.values()), wrt))
    wanted = [leaf for leaf, *parts in zip(wrt, *found, strict=True) if any(p is not None for p in parts)]
    sides = [filled(dict(zip(wrt, parts, strict=True)), wanted) for parts in found]
    values = dict(zip(wanted, joined(branch, args, leaves, sides), strict=True)) if wanted else {}
    return [None, *(values.get(leaf) for leaf in leaves)]


def branch_jvp(
    branch: Branch, args: Sequence[Node], tangents: Sequence[Node | None], forward: Forward
) -> list[Node | None]:
    """The tangents of a branch's outputs."""
    leaves = stand_ins(args)
    moved = [(leaf, t) for leaf, t in zip(leaves, tangents[1:], strict=True) if t is not None]
    both = branch.results([args[0], *leaves])
    found = [forward(results, [leaf for leaf, _ in moved], [t for _, t in moved]) for results in both]
    wanted = [k for k in range(branch.count) if any(side[k] is not None for side in found)]
    sides = []
    for side, results in zip(found, both, strict=True):
        sides.append([t if (t := side[k]) is not None else zeros(results[k].dtype, results[k].shape) for k in wanted])
    values = dict(zip(wanted, joined(branch, args, leaves, sides), strict=True)) if wanted else {}
    return [values.get(k) for k in range(branch.count)]


def filled(found: dict[Node, Node | None], wanted: Sequence[Node]) -> list[Node]:
    """The cotangents of these leaves, zeros where there are none."""
    return [part if (part := found[w]) is not None else zeros(w.dtype, w.shape) for w in wanted]


def branch_batch(
    node: Node, args: Sequence[Node], flags: Sequence[bool], spread: Callable[[Node], Node], batch: Batch
) -> Node:
    """An output of a branch for many values of some arguments: a branch still if the condition is one for all."""
    branch: Branch = node["branch"]
    leaves = stand_ins(node.args)
    fresh = [input_node("", a.type) if f else leaf for a, f, leaf in zip(args[1:], flags[1:], leaves, strict=True)]
    inside = {leaf: new for leaf, new, f in zip(leaves, fresh, flags[1:], strict=True) if f}
    results = [side[node["which"]] for side in branch.results([node.args[0], *leaves])]
    rows = batch(results, inside) if inside else [spread(r) for r in results]
    back = dict(zip(fresh, args[1:], strict=True))
    if flags[0]:
        then, otherwise = substitute(rows, back)
        return ew.where(insert(args[0], axes=tuple(range(1, then.ndim))), then, otherwise)
    return substitute(make_branch(args[0], rows[:1], rows[1:], branch.name), back)[0]
