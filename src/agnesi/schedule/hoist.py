"""What leaves a loop: outputs nobody wants, products over whole sequences before it, sums of products after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agnesi.control.loop import Loop, loop_, make_loop, output
from agnesi.errors import GradientError
from agnesi.grad.batch import batch
from agnesi.grad.loop import backwards
from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, Node, as_dim, input_node, make, substitute, topological, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import Type
from agnesi.ops import elementwise as ew
from agnesi.ops.index import section, slice_, transpose_
from agnesi.ops.products import LABELS, contract

Key = tuple[Loop, tuple[Node, ...]]
Want = tuple[int, str]  # an output: "all" of it, of a state the "last" value, or the "new" ones that steps make


def hoist(graph: Graph) -> Graph:
    """The graph with its loops made as small as they can be."""
    return turned(smaller(merged(graph)))


def smaller(graph: Graph) -> Graph:
    """The graph with loops that do what has to be done in steps."""
    wanted: dict[Key, dict[Node, Want]] = {}
    readers: dict[Node, list[Node]] = {}
    for node in graph.order:
        if node.op is loop_:
            wanted.setdefault((node["loop"], node.args), {})[node] = node["which"], "last" if node["last"] else "all"
        for arg in node.args:
            readers.setdefault(arg, []).append(node)
    if not wanted:
        return graph
    for parts in wanted.values():
        for node in list(parts):
            if node not in graph.outputs and all(is_news(r, node) for r in readers.get(node, ())):
                del parts[node]
                parts |= dict.fromkeys(readers.get(node, ()), (node["which"], "new"))
    done: dict[Node, Node] = {}
    for node in graph.order:
        if node in done:
            continue
        args = tuple(done.get(a, a) for a in node.args)
        if node.op is loop_:
            parts = wanted[node["loop"], node.args]
            done |= zip(parts, Opened(node["loop"], args).closed(list(parts.values())), strict=True)
        elif args != node.args:
            done[node] = make(node.op, args, node.attrs)
    return graph.replace([done.get(o, o) for o in graph.outputs])


def merged(graph: Graph) -> Graph:
    """The graph with loops of the same steps as one, which gives what each of them gives."""
    found: dict[Any, list[Loop]] = {}
    for node in graph.order:
        if node.op is loop_:
            loop: Loop = node["loop"]
            states = loop.body.outputs[: loop.states]
            ends = loop.body.outputs[loop.count :] if loop.until else ()
            alike = found.setdefault((node.args, loop.body.inputs, loop.taps, states, ends, loop.free), [])
            alike += [loop] if loop not in alike else []
    whole: dict[Loop, Loop] = {}
    for loops in found.values():
        if len(loops) > 1:
            first = loops[0]
            given = first.body.outputs[first.states : len(first.body.outputs) - first.until]
            more = dict.fromkeys(o for p in loops for o in p.body.outputs[p.states : len(p.body.outputs) - p.until])
            whole |= dict.fromkeys(loops, first.giving([o for o in more if o not in given]))
    if not whole:
        return graph
    done: dict[Node, Node] = {}
    for node in graph.order:
        args = tuple(done.get(a, a) for a in node.args)
        if node.op is loop_ and node["loop"] in whole:
            own, loop = node["loop"].body.outputs[node["which"]], whole[node["loop"]]
            which = node["which"] if node["which"] < loop.states else loop.body.outputs.index(own)
            done[node] = output(loop, args, which, node["last"])
        elif args != node.args:
            done[node] = make(node.op, args, node.attrs)
    return graph.replace([done.get(o, o) for o in graph.outputs])


def turned(graph: Graph) -> Graph:
    """The graph with what is read from the last step to the first only in memory that way."""
    wholly = {n for n in graph.order if is_turned(n) and n is backwards(n.args[0], 0, n.args[0].shape[0])}
    straight = {a for n in graph.order if n not in wholly for a in n.args}.union(graph.outputs)
    found: dict[Key, list[Node]] = {}
    for n in graph.order:
        loop = n["loop"] if n.op is loop_ and not n["last"] and n not in straight else None
        if loop and n["which"] >= loop.states and not loop.until:
            found.setdefault((loop, n.args), []).append(n)
    done: dict[Node, Node] = {}
    for n in graph.order:
        args = tuple(done.get(a, a) for a in n.args)
        if n.op is loop_ and (nodes := found.get((n["loop"], n.args))):
            done[n] = output(n["loop"].turning([o["which"] for o in nodes]), args, n["which"], n["last"])
        elif n in wholly and any(n.args[0] in nodes for nodes in found.values()):
            done[n] = args[0]
        elif args != n.args:
            done[n] = make(n.op, args, n.attrs)
    return graph.replace([done.get(o, o) for o in graph.outputs])


def is_turned(node: Node) -> bool:
    """Whether a value is part of another one from the end to the begin of the first axis."""
    return node.op is slice_ and node["axes"] == (0,) and node["steps"] == (-1,)


def other_way(node: Node) -> Node:
    """The same with its first axis from the end to the begin."""
    if not is_turned(node):
        return backwards(node, 0, node.shape[0])
    x, last, count = node.args
    return section(x, 0, dims.sub(as_dim(last), dims.sub(as_dim(count), 1)), as_dim(count))


def is_news(node: Node, history: Node) -> bool:
    """Whether a node is what the steps made of a state, without its first values."""
    loop: Loop = history["loop"]
    if history["last"] or history["which"] >= loop.states or node.op is not slice_ or node.args[0] is not history:
        return False
    depth = loop.depths[history["which"]]
    return (
        node["axes"] == (0,) and node["steps"] == (1,) and node is section(history, 0, depth, as_dim(history.args[0]))
    )


@dataclass
class Step:
    """An element of a sequence in a step, and the sequence."""

    leaf: Node
    whole: Node


class Opened:
    """A loop with its step in terms of stand-ins and of the graph around it, so that it can be changed."""

    def __init__(self, loop: Loop, args: Sequence[Node]) -> None:
        first = 1 + loop.sequences
        self.loop, self.steps = loop, as_dim(args[0])
        self.number = input_node("step", Type("int64"))
        self.elements = [Step(input_node("", Type(x.dtype, x.shape[1:])), x) for x in args[1:first]]
        self.firsts = list(args[first : loop.others])
        self.earlier = [
            [input_node("", Type(f.dtype, f.shape[1:])) for _ in taps]
            for f, taps in zip(self.firsts, loop.taps, strict=True)
        ]
        leaves = [self.number, *(e.leaf for e in self.elements), *(n for group in self.earlier for n in group)]
        self.results = loop.inlined([*leaves, *args[loop.others :]])

    def closed(self, wanted: Sequence[Want]) -> list[Node]:
        """The wanted outputs of the smaller loop."""
        sums = {w: self.summed(w[0]) for w in wanted if w[1] == "last"}
        moved = {w: s for w, s in sums.items() if s is not None and not self.read_elsewhere(w[0], wanted)}
        own = [w for w in wanted if w not in moved and w[1] != "new"]
        given = [self.results[k] for k, what in wanted if what == "new"]
        terms = dict.fromkeys(p for terms in moved.values() for t in terms for p in t.args)
        each = list(dict.fromkeys([*given, *(p for p in terms if not any(p is e.leaf for e in self.elements))]))
        ends = [self.results[-1]] if self.loop.until else []
        states = self.needed([*(self.results[k] for k, _ in own), *each, *ends], [k for k, _ in own])
        kept = list(dict.fromkeys(k for k, _ in own if k >= self.loop.states and k != self.loop.count))
        results = self.laid_out(self.before([*(self.results[k] for k in (*states, *kept)), *each, *ends]))
        made = self.remade(states, results[: len(results) - len(ends)], results[-1] if ends else None)
        place = {k: made[j] for j, k in enumerate([*states, *kept])} | ({self.loop.count: made[-1]} if ends else {})
        wholes = dict(zip(each, made[len(states) + len(kept) :], strict=False))
        wholes |= {e.leaf: e.whole for e in self.elements}
        found = []
        for which, what in wanted:
            if (which, what) in moved:
                found.append(self.after(which, moved[which, what], wholes))
            elif what == "new":
                found.append(wholes[self.results[which]])
            else:
                node = place[which]
                found.append(output(node["loop"], node.args, node["which"], what == "last"))
        return found

    def remade(self, states: Sequence[int], results: list[Node], until: Node | None) -> list[Node]:
        """The outputs of a loop with these states, which come first among the results of its step."""
        if not results and until is None:
            return []
        inputs = set(topological(results if until is None else [*results, until]))
        elements = [e for e in self.elements if e.leaf in inputs]
        local = [self.number, *(e.leaf for e in elements), *(n for k in states for n in self.earlier[k])]
        taps, firsts = [self.loop.taps[k] for k in states], [self.firsts[k] for k in states]
        return make_loop(
            self.steps, [e.whole for e in elements], firsts, taps, local, results, until, self.loop.name, self.loop.free
        )

    def needed(self, roots: list[Node], wanted: Sequence[int]) -> list[int]:
        """The states that these values and the wanted outputs depend on."""
        found = {k for k in wanted if k < self.loop.states}
        size = -1
        while len(found) > size:
            size = len(found)
            reached = set(topological([*roots, *(self.results[k] for k in found)]))
            found |= {k for k, group in enumerate(self.earlier) if any(n in reached for n in group)}
        return sorted(found)

    def read_elsewhere(self, which: int, wanted: Sequence[Want]) -> bool:
        """Whether a state is wanted as a whole, or read by another one."""
        if any(w == (which, what) for w in wanted for what in ("all", "new")):
            return True
        others = [r for k, r in enumerate(self.results) if k != which]
        return self.earlier[which][0] in set(topological(others))

    def summed(self, which: int) -> list[Node] | None:
        """The products whose sum over all steps a state is, if it is one."""
        if which >= self.loop.states or self.loop.taps[which] != (1,) or self.loop.until:
            return None
        (own,) = self.earlier[which]
        terms: list[Node] = []
        stack = [self.results[which]]
        seen = 0
        while stack:
            n = stack.pop()
            if n.op is ew.add and n.type == own.type and all(a.shape == own.shape for a in n.args):
                stack.extend(n.args)
            elif n is own:
                seen += 1
            else:
                terms.append(n)
        products = all(t.op is contract and self.local(t) for t in terms)
        return terms if seen == 1 and terms and products and own not in set(topological(terms)) else None

    def local(self, product: Node) -> bool:
        """Whether both operands of a product change from step to step."""
        inside = self.inside(product.args)
        return all(a in inside for a in product.args)

    def inside(self, roots: Sequence[Node]) -> set[Node]:
        """What of these values changes from step to step."""
        found = {self.number, *(e.leaf for e in self.elements), *(n for group in self.earlier for n in group)}
        for n in topological(roots):
            if any(a in found for a in n.args):
                found.add(n)
        return found

    def after(self, which: int, terms: list[Node], wholes: dict[Node, Node]) -> Node:
        """The sum over all steps of products, as products of whole sequences."""
        total = section(self.firsts[which], 0, 0, 1)
        result = OPS["drop"](total, axes=(0,))
        zero = result.op.name == "drop" and is_zero(self.firsts[which])
        for t in terms:
            inputs, out = t["labels"].split("->")
            left, right = inputs.split(",")
            fresh = next(k for k in reversed(LABELS) if k not in t["labels"])
            a, b = (wholes[p] for p in t.args)
            if is_turned(a) or is_turned(b):
                a, b = other_way(a), other_way(b)
            product = contract(a, b, labels=f"{fresh}{left},{fresh}{right}->{out}")
            result = product if zero else result + product
            zero = False
        return result

    def before(self, results: list[Node]) -> list[Node]:
        """The values with products of sequences with what is always the same taken out of the loop."""
        changing = {self.number, *(n for group in self.earlier for n in group)}
        along = {e.leaf: e.whole for e in self.elements}
        mapping: dict[Node, Node] = {}
        inside = set(along)
        for n in topological(results):
            if any(a in changing for a in n.args):
                changing.add(n)
            elif any(a in inside for a in n.args):
                inside.add(n)
                whole = batched(n, along) if n.op is contract and not all(a in inside for a in n.args) else None
                if whole is not None:
                    self.elements.append(Step(input_node("", n.type), whole))
                    mapping[n] = self.elements[-1].leaf
        return substitute(results, mapping) if mapping else results

    def laid_out(self, results: list[Node]) -> list[Node]:
        """The values with matrices that are the same in every step turned before the loop, so that no step has to."""
        inside = self.inside(results)
        done: dict[Node, Node] = {}
        for n in topological(results):
            args = tuple(done.get(a, a) for a in n.args)
            if n.op is contract and n in inside:
                done[n] = by_rows(contract(*args, labels=n["labels"]), [a not in inside for a in n.args])
            elif args != n.args:
                done[n] = make(n.op, args, n.attrs)
        return [done.get(r, r) for r in results]


def by_rows(product: Node, same: Sequence[bool]) -> Node:
    """A product whose operand with the columns of the result lies in memory row by row, if it is always the same."""
    inputs, out = product["labels"].split("->")
    terms = inputs.split(",")
    which = 0 if out[-1:] in terms[0] else 1
    b, term = product.args[which], terms[which]
    turned = b.op is transpose_
    is_matrix = b.ndim == 2 and len(terms[1 - which]) > 1 and out[-1:] not in terms[1 - which]
    if not same[which] or not is_matrix or (term[0] == out[-1]) == turned:
        return product
    args = list(product.args)
    args[which] = ew.copy(b if turned else transpose_(b, perm=(1, 0)), number=0)
    terms[which] = term if turned else term[::-1]
    return contract(*args, labels=f"{','.join(terms)}->{out}")


def batched(node: Node, along: dict[Node, Node]) -> Node | None:
    """A value for all steps at once, None where an operation has no such form."""
    try:
        return batch([node], along)[0]
    except GradientError:
        return None


def is_zero(node: Node) -> bool:
    """Whether an array is full of zeros."""
    while node.op.name in ("broadcast_to", "insert", "drop", "slice"):
        node = node.args[0]
    return node.op is CONST and value_of(node) == 0
