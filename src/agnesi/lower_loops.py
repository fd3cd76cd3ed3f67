"""Loops of the graph as loops of statements: a step is lowered like a graph of its own, into the buffers around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from agnesi.control.loop import Loop, element, loop_, output
from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, as_dim, const, dim_node, index, input_node, substitute, topological
from agnesi.ir.type import Dim, Type
from agnesi.loops.stmt import Break, For, Let, Set, Stmt, Store, walk
from agnesi.loops.tidy import moved, tidy
from agnesi.lower import Lowering, Scope
from agnesi.ops.elementwise import copy
from agnesi.schedule.order import Schedule, order
from agnesi.schedule.place import Placement, is_pure, place
from agnesi.schedule.sizes import is_late

Prepare = Callable[[Graph], Graph]


@dataclass
class State:
    """Where the values of a state are: in names, the earliest first, or in a buffer; that of all steps, or a ring.

    leaves: what stands for the names in the step. array: what stands for the buffer.
    """

    depth: int
    names: list[Node]
    leaves: list[Node]
    array: Node | None
    buffer: str
    ring: int

    def slot(self, number: Dim) -> Dim:
        """The place in the buffer of the value after so many."""
        return dims.mod(number, self.ring) if self.ring else number

    def value(self, number: Node, back: int) -> Node:
        """The value so many steps ago, in the terms of the step's graph."""
        if self.leaves:
            return self.leaves[self.depth - back]
        assert self.array is not None
        return element(self.array, dim_node(self.slot(dims.add(number, self.depth - back))))


class LoopLowering(Lowering):
    """Lowering with loops. prepare: what rewrites and completes the graph of a step."""

    def __init__(
        self, graph: Graph, placement: Placement, schedule: Schedule, strided: bool, prepare: Prepare,
        outer: LoopLowering | None = None,
    ) -> None:  # fmt: skip
        super().__init__(graph, placement, schedule, strided)
        self.prepare, self.outer = prepare, outer
        self.done: set[tuple[Loop, tuple[Node, ...]]] = set()
        self.moving: set[Node] = set()  # leaves that are not known before all loops
        self.around: dict[Node, Node] = {}  # what stands for a value of the graph around, and that value
        if outer is not None:
            self.buffers = outer.buffers

    def _name(self, dtype: str) -> Node:
        return super()._name(dtype) if self.outer is None else self.outer._name(dtype)

    def size(self, dim: Dim) -> Dim:
        if self.outer is None:
            return super().size(dim)
        return self.outer.size(as_dim(substitute([dim_node(dim)], self.named | self.around)[0]))

    def _call(self, root: Node, scope: Scope) -> None:
        if root.op is not loop_:
            super()._call(root, scope)
        elif (root["loop"], root.args) not in self.done:
            self.done.add((root["loop"], root.args))
            self._loop_call(root["loop"], root.args, scope)

    def _loop_call(self, loop: Loop, args: tuple[Node, ...], scope: Scope) -> None:
        """The loop, for all its outputs that are wanted."""
        steps = self.size(as_dim(args[0]))
        states = [self._state(loop, args, k, scope) for k in range(loop.states)]
        number = input_node("step", Type("int64"))
        counter = self._name("int64")
        stand_ins = {r: input_node("", r.type) for r in self.home if r.op.kind != "leaf"}
        named = {number: counter}
        sizes: set[Node] = set()
        given: list[Node] = []
        for arg in args[1:]:
            if arg.ndim == 0 and not (is_pure(arg) and arg.dtype == "int64"):
                leaf = input_node("", arg.type)
                # one that is known before all loops may be a size
                counts = arg.dtype == "int64" and not is_late(arg) and not self.moving.intersection(topological([arg]))
                named[leaf] = dim_node(self.size(as_dim(arg))) if counts else self.at(arg, (), [scope])
                sizes |= {leaf} if counts else set()
                given.append(leaf)
            else:
                given.append(substitute([arg], stand_ins)[0])
        inputs = [number]
        inputs += [element(x, number) for x in given[: loop.sequences]]
        for taps, state in zip(loop.taps, states, strict=True):
            inputs += [state.value(number, back) for back in taps]
        results = loop.inlined([*inputs, *given[loop.others - 1 :]])
        homes: dict[Node, tuple[str, tuple[Node, ...]]] = {}
        roots = []
        for k, result in enumerate(results):
            root = copy(result, number=k)
            roots.append(root)
            if k == loop.count:
                pass
            elif k < loop.states:
                if states[k].buffer:
                    target = states[k].slot(dims.add(as_dim(number), states[k].depth))
                    homes[root] = (states[k].buffer, (dim_node(target),))
            else:
                node = output(loop, args, k)
                if node in self.home:
                    homes[root] = (self.home[node], (number,))
        wanted = [r for k, r in enumerate(roots) if k < loop.states or k == loop.count or r in homes]
        leaves = [*named, *(n for s in states for n in s.leaves), *(s.array for s in states if s.array is not None)]
        taken = self._name("int64")
        if loop.until:
            scope.body.append(Let(taken, const(0, "int64"), True))
        step = self._step(wanted, leaves, stand_ins, named, states, homes)
        step.moving = {*leaves, *stand_ins.values()} - sizes
        results = step.graph.outputs
        body = step.statements(results[: len(states)], states, results[-1] if loop.until else None)
        if loop.until:
            body.insert(len(body) - 1, Set(taken, dim_node(dims.add(counter, 1)), ""))
        shift = {n: index(n["level"] + 1) for n in indices(body)} | {counter: index(0)}
        scope.body.append(For(index(0), steps, moved(tidy(body), shift)))
        for k, state in enumerate(states):
            self._last(output(loop, args, k, last=True), state, taken if loop.until else as_dim(args[0]), scope)
        number_taken = output(loop, args, loop.count) if loop.until else None
        if number_taken in self.home:
            scope.body.append(Store(self.home[number_taken], self._place(number_taken, ()), taken))

    def _state(self, loop: Loop, args: Sequence[Node], k: int, scope: Scope) -> State:
        """Memory of a state, with its first values in it."""
        first, depth = args[1 + loop.sequences + k], loop.depths[k]
        history = output(loop, args, k)
        names: list[Node] = []
        leaves: list[Node] = []
        if first.ndim == 1:
            for j in range(depth):
                names.append(self._name(first.dtype))
                self.level_of[names[-1]] = 0
                scope.body.append(Let(names[-1], self.at(first, (dim_node(j),), [scope]), True))
                leaves.append(input_node("", Type(first.dtype)))
        if history in self.home:
            buffer, ring = self.home[history], 0
        elif not names:
            ring = depth + 1
            buffer = self._scratch(first.dtype, (ring, *(self.size(d) for d in first.shape[1:])))
        else:
            return State(depth, names, leaves, None, "", 0)
        self._copy(first, buffer, scope)
        shape = (ring or history.shape[0], *first.shape[1:])
        array = None if names else input_node("", Type(first.dtype, shape))
        return State(depth, names, leaves, array, buffer, ring)

    def _step(
        self, wanted: list[Node], leaves: list[Node], stand_ins: dict[Node, Node], named: dict[Node, Node],
        states: list[State], homes: dict[Node, tuple[str, tuple[Node, ...]]],
    ) -> LoopLowering:  # fmt: skip
        """What lowers a step, to loops from level 0 on."""
        inner = self.graph
        graph = Graph([*leaves, *stand_ins.values(), *inner.inputs], wanted, inner.arrays)
        graph = self.prepare(graph)
        placement = place(graph)
        step = LoopLowering(graph, placement, order(placement, frozenset()), self.strided, self.prepare, self)
        step.named = dict(named)
        step.around = {leaf: root for root, leaf in stand_ins.items()}
        for state in states:
            step.named |= dict(zip(state.leaves, state.names, strict=True))
            if state.array is not None:
                step.home[state.array] = state.buffer
        step.home |= {leaf: self.home[root] for root, leaf in stand_ins.items()}
        step.home |= {leaf: name for leaf, name in self.home.items() if leaf.op.kind == "leaf"}
        step.named |= self.named
        for root, new in zip(wanted, graph.outputs, strict=True):
            if root in homes:
                step.home[new], step.places[new] = homes[root][0], tuple(
                    substitute([i], named)[0] for i in homes[root][1])  # fmt: skip
        return step

    def statements(self, nexts: Sequence[Node], states: Sequence[State], until: Node | None) -> list[Stmt]:
        """All nests one after another, then the names of states with their next values, then whether it is the end."""
        for root, items in self.schedule.items.items():
            if root not in self.home:
                self._storage(root, items)
        body: list[Stmt] = []
        values: dict[Node, Node] = {}
        for group in self.schedule.groups:
            scope = Scope()
            body += self._group(group, scope)
            values |= {node: value for (node, idx), value in scope.memo.items() if not idx}
        body[:0] = self.entry.body

        def value_of(root: Node) -> Node:
            return values[root] if root in values else self._load(root, ())

        end: list[Stmt] = []
        if until is not None:  # named before states change
            name = self._name("bool")
            body.append(Let(name, value_of(until)))
            end.append(Break(name))
        for new, state in zip(nexts, states, strict=True):
            if state.names:
                value = value_of(new)
                sources = [*state.names[1:], value]
                body += [Set(name, source, "") for name, source in zip(state.names, sources, strict=True)]
        return [*body, *end]

    def _last(self, node: Node, state: State, steps: Dim, scope: Scope) -> None:
        """The last value of a state, where it is wanted."""
        if node not in self.home:
            return
        if state.names:
            scope.body.append(Store(self.home[node], self._place(node, ()), state.names[-1]))
            return
        assert state.array is not None
        self.home[state.array] = state.buffer
        last = state.slot(dims.add(steps, state.depth - 1))
        self._copy(element(state.array, dim_node(last)), self.home[node], scope)


def indices(body: Sequence[Stmt]) -> list[Node]:
    """The loop indices in statements."""
    return [s.index for s in walk(list(body)) if isinstance(s, For)]
