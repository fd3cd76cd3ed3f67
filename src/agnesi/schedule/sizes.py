"""What must hold of sizes: equations between dimensions, which of them may be assumed, and the checks at entry.

A function has two variants. The common one assumes that dimensions that meet by broadcasting are equal, and checks it
at entry; the general one lets either be 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agnesi.control.branch import Branch, branch_
from agnesi.control.closed import is_late
from agnesi.control.loop import Loop, loop_, stepped
from agnesi.errors import ShapeError
from agnesi.ir import dims
from agnesi.ir.graph import Graph, reachable
from agnesi.ir.node import INPUT, SYMBOL, Node, as_dim, dim_node, make, substitute, temp
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import EntryCheck
from agnesi.ops import elementwise as ew
from agnesi.ops.index import iota


@dataclass(frozen=True)
class Equation:
    """Two dimensions that are equal, or, when `broadcast`, one of which may be 1 (guess: which need not be equal).

    negative: it says that a size is not negative.
    """

    left: Dim
    right: Dim
    position: int
    broadcast: bool = False
    guess: bool = False
    negative: bool = False


@dataclass(frozen=True)
class Site:
    """What a check number stands for: a kind and the node, input or update it belongs to; graph: that of a step."""

    kind: str
    position: int
    axis: int = 0
    graph: Graph | None = None


def collect(
    graph: Graph, updates: Sequence[tuple[int, int]], common: bool, fixed: Mapping[Node, int]
) -> tuple[Graph, list[Site], list[Equation], list[EntryCheck]]:
    """The graph with numbered checks, what the numbers mean, what must hold of sizes, and the checks at entry.

    fixed: sizes that are taken to be these numbers.
    """
    numbered, sites = number(plain(graph))
    equal = equations(numbered)
    for new, old in updates:
        pairs = zip(numbered.outputs[new].shape, numbered.inputs[old].shape, strict=True)
        equal += [Equation(a, b, -1 - old) for a, b in pairs if not same(a, b)]
    equal += [Equation(size, n, 0, guess=True) for size, n in fixed.items()]
    checks = entry_checks(numbered, equal, sites, common)
    return numbered, sites, equal, checks


def plain(graph: Graph) -> Graph:
    """The graph with functions whose derivatives are given by hand replaced by what they compute."""
    return graph.expanded(lambda node: node.op.name == "custom")


SITES = {"check_index": "index", "solve": "singular", "python_call": "python"}


def number(graph: Graph) -> tuple[Graph, list[Site]]:
    """The graph with a number on every op that may fail, also in the steps of loops, and what the numbers mean (1 is
    the first)."""
    sites: list[Site] = []
    return _number(graph, sites, False), sites


def _number(graph: Graph, sites: list[Site], step: bool) -> Graph:
    """The graph with numbers, after those in `sites`; step: whether it is that of a loop's step."""
    done: dict[Node, Node] = {}
    loops: dict[Loop, Loop] = {}
    branches: dict[Branch, Branch] = {}
    for position, node in enumerate(graph.order):
        args = tuple(done.get(a, a) for a in node.args)
        changed: dict[str, Any] = {}
        if node.op.may_raise:
            sites.append(Site(SITES[node.op.name], position, graph=graph if step else None))
            changed["site"] = len(sites)
        if node.op is loop_:
            loop: Loop = node["loop"]
            if loop not in loops:
                loops[loop] = loop.with_body(_number(loop.body, sites, True))
            changed["loop"] = loops[loop]
        if node.op is branch_:
            branch: Branch = node["branch"]
            if branch not in branches:
                then, otherwise = (_number(side, sites, True) for side in branch.sides)
                branches[branch] = Branch((then, otherwise), branch.name)
            changed["branch"] = branches[branch]
        if changed or args != node.args:
            done[node] = make(node.op, args, tuple((k, changed.get(k, v)) for k, v in node.attrs))
    return graph.replace([done.get(o, o) for o in graph.outputs]) if done else graph


def equations(graph: Graph) -> list[Equation]:
    """Everything that the ops of a graph ask of sizes, beyond what their types show."""
    return equations_of(graph.order)


def equations_of(order: Sequence[Node]) -> list[Equation]:
    """The same of nodes in their order; what a loop's step asks is asked of the loop."""
    found: list[Equation] = []
    seen: set[Dim] = set()
    asked: set[tuple[Loop | Branch, tuple[Node, ...]]] = set()
    outer = set(order)
    for position, node in enumerate(order):
        if node.op is branch_ and (node["branch"], node.args) not in asked:
            asked.add((node["branch"], node.args))
            inner = [n for n in reachable(sum(node["branch"].results(node.args), [])) if n not in outer]
            found += [replace(e, position=position) for e in equations_of(inner)]
        if node.op is loop_ and (node["loop"], node.args) not in asked:
            asked.add((node["loop"], node.args))
            found += [replace(e, position=position) for e in equations_of(steady(node))]
        if node.op.equal is not None:
            found += [Equation(a, b, position) for a, b in node.op.equal(node) if not same(a, b)]
        if node.op.kind == "elementwise" or node.op.name == "broadcast_to":
            for arg in node.args if node.op.kind == "elementwise" else node.args[:1]:
                pairs = zip(arg.shape, node.shape[node.ndim - arg.ndim :], strict=True)
                found += [Equation(a, b, position, True) for a, b in pairs if not same(a, b) and not same(a, 1)]
        if node.op is ew.meet:
            found += [Equation(as_dim(a), node, position, True) for a in node.args]
        if node.op is ew.check_index and node.args[0].op is iota:
            found.append(Equation(node.shape[0], as_dim(node.args[1]), position, guess=True))
        for dim in node.shape:
            if isinstance(dim, Node) and dim not in seen and not dims.nonnegative(dim):
                found.append(Equation(dims.minimum(dim, 0), 0, position, negative=True))
            seen.add(dim)
    return list(dict.fromkeys(found))


def steady(node: Node) -> list[Node]:
    """The nodes of a step of a loop, whose sizes must be the same in every step."""
    local, results = stepped(node["loop"], node.args)
    order = reachable(results)
    outer = set(reachable(node.args))
    changing = {n for n in order if n.op is INPUT and n not in outer}
    for n in order:
        if n not in outer and any(a in changing for a in n.args):
            changing.add(n)
    for n in order:
        if any(d in changing for d in n.shape):
            raise ShapeError(f"a size in {node['loop'].name or 'a loop'} changes from step to step; sizes in a step "
                             "may depend on what is the same in all steps only")  # fmt: skip
    return [n for n in order if n not in outer]


def assume(graph: Graph, equal: Sequence[Equation], common: bool) -> Graph:
    """The graph with symbols replaced by what they are equal to, as far as this variant assumes it.

    Raises ShapeError when what is assumed contradicts itself.
    """
    known = replacements(equal, common)
    if not known:
        return graph
    n = len(graph.inputs)
    new = substitute([*graph.inputs, *graph.outputs], known)
    return Graph(new[:n], new[n:], graph.arrays)


def replacements(equal: Sequence[Equation], common: bool) -> dict[Node, Node]:
    """What symbols are taken to be equal to."""
    known: dict[Node, Node] = {}
    sides: dict[Node, Dim] = {}
    for e in sorted(equal, key=lambda e: e.broadcast or e.guess):
        if common:
            solve(one_side(e.left, known, sides), one_side(e.right, known, sides), known)
        elif not (e.broadcast or e.guess):
            solve(e.left, e.right, known)
    return known


def solve(left: Dim, right: Dim, known: dict[Node, Node]) -> None:
    """Takes one equation into the known replacements, if it equates a symbol with a number or another symbol."""
    left, right = (as_dim(substitute([dim_node(d)], known)[0]) for d in (left, right))
    if same(left, right):
        return
    for a, b in ((left, right), (right, left)):
        if isinstance(a, Node) and a.op is SYMBOL and (isinstance(b, int) or b.op is SYMBOL):
            target = dim_node(b)
            for symbol, value in list(known.items()):
                known[symbol] = target if value is a else value
            known[a] = target
            return


def one_side(dim: Dim, known: dict[Node, Node], sides: dict[Node, Dim]) -> Dim:
    """A dimension that meets no other: of those that meet in it, which are made equal, the first.

    sides: what was found before, so that of sizes that meet again and again each is looked at once.
    """
    stack = [dim] if isinstance(dim, Node) and dim.op is ew.meet else []
    while stack:
        node = stack[-1]
        waiting = [a for a in node.args if a.op is ew.meet and a not in sides]
        if waiting:
            stack += waiting
            continue
        stack.pop()
        if node not in sides:
            a, b = (sides.get(n, as_dim(n)) for n in node.args)
            solve(a, b, known)
            sides[node] = a
    return sides.get(dim, dim) if isinstance(dim, Node) else dim


def entry_checks(graph: Graph, equal: Sequence[Equation], sites: list[Site], common: bool) -> list[EntryCheck]:
    """What the compiled function compares at entry; new sites are appended."""
    actual = {s: temp(f"in{k}_d{axis}", "int64") for s, (k, axis) in graph.symbols.items()}
    actual |= {n: n for n in graph.inputs}  # a size may be an element of one
    checks: list[EntryCheck] = []
    for k, node in enumerate(graph.inputs):
        for axis, dim in enumerate(node.shape):
            if isinstance(dim, Node) and graph.symbols[dim] == (k, axis):
                continue
            sites.append(Site("input", k, axis))
            wanted = actual[dim] if isinstance(dim, Node) else dim
            checks.append(EntryCheck(temp(f"in{k}_d{axis}", "int64"), wanted, len(sites), False))
    for e in equal:
        left, right = (
            d if isinstance(d, int) or is_late(d) else as_dim(substitute([d], actual)[0]) for d in (e.left, e.right)
        )
        if same(left, right) or (e.guess and not common):
            continue
        if e.broadcast and not common:
            left = ew.where(ew.eq(dim_node(left), 1), dim_node(right), dim_node(left))
        sites.append(Site("negative" if e.negative else "equal", e.position))
        checks.append(EntryCheck(left, right, len(sites), common and (e.broadcast or e.guess)))
    return [*checks, *(assumed(equal, actual, checks, sites) if common else ())]


def assumed(
    equal: Sequence[Equation], actual: dict[Node, Node], checks: Sequence[EntryCheck], sites: list[Site]
) -> list[EntryCheck]:
    """Checks of what is assumed of two symbols by way of a third size, which may be known only when nests have run."""
    try:
        known = replacements(equal, True)
    except ShapeError:
        return []  # nothing is assumed then
    asked = [{c.left, c.right} for c in checks]
    result = []
    for symbol, target in known.items():
        left, right = actual[symbol], as_dim(actual.get(target, target))
        if symbol in actual and not same(left, right) and {left, right} not in asked:
            sites.append(Site("equal", 0))
            result.append(EntryCheck(left, right, len(sites), True))
    return result
