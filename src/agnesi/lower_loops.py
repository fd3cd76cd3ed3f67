"""Loops of the graph as loops of statements: a step is lowered like a graph of its own, into the buffers around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from agnesi.control.branch import Branch, branch_, chosen
from agnesi.control.closed import inline, is_late
from agnesi.control.loop import Loop, element, loop_, output
from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, as_dim, cast, const, dim_node, index, input_node, substitute, topological
from agnesi.ir.type import Dim, Type
from agnesi.loops.stmt import Break, For, Kind, Let, Set, Stmt, Store, walk
from agnesi.loops.tidy import moved, tidy
from agnesi.lower import Home, Scope
from agnesi.lower_calls import CallLowering
from agnesi.ops.elementwise import copy
from agnesi.schedule.memory import undisturbed
from agnesi.schedule.order import Schedule, order
from agnesi.schedule.place import Placement, frontier, is_pure, place

Prepare = Callable[[Graph], Graph]


@dataclass
class State:
    """Where the values of a state are: in names, or in a buffer; that of all steps, or a ring.

    names: of the values, the earliest first; in a ring, of the slots of these and of the next value.
    leaves: what stands for the names in the step. array: what stands for the buffer.
    """

    depth: int
    names: list[Node]
    leaves: list[Node]
    array: Node | None
    home: Home | None
    ring: int

    def slot(self, number: Dim) -> Dim:
        """The place in the buffer of the value after so many."""
        return dims.mod(number, self.ring) if self.ring else number

    def value(self, number: Node, back: int) -> Node:
        """The value so many steps ago, in the terms of the step's graph."""
        if self.array is None:
            return self.leaves[self.depth - back]
        at = self.leaves[self.depth - back] if self.ring else dim_node(dims.add(number, self.depth - back))
        return element(self.array, at)


@dataclass
class Leaves:
    """What stands in the graph of a step for what is around it.

    number, counter: the number of the step, and its name. around: values that have memory. named: scalars that have a
    name; sizes: those of them that are known before all loops.
    """

    number: Node
    counter: Node
    states: list[State]
    around: dict[Node, Node]
    named: dict[Node, Node] = field(default_factory=dict)
    sizes: set[Node] = field(default_factory=set)

    def arrays(self) -> dict[Node, Home]:
        """Those of states that lie in buffers."""
        return {s.array: s.home for s in self.states if s.array is not None and s.home is not None}

    def names(self) -> dict[Node, Node]:
        """All that have names."""
        pairs = (pair for s in self.states for pair in zip(s.leaves, s.names, strict=True))
        return {self.number: self.counter, **self.named, **dict(pairs)}

    def all(self) -> list[Node]:
        return [*self.names(), *self.arrays(), *self.around]


class LoopLowering(CallLowering):
    """Lowering with loops. prepare: what rewrites and completes the graph of a step."""

    def __init__(
        self, graph: Graph, placement: Placement, schedule: Schedule, strided: bool, prepare: Prepare,
        outer: LoopLowering | None = None,
    ) -> None:  # fmt: skip
        super().__init__(graph, placement, schedule, strided)
        self.prepare, self.outer = prepare, outer
        self.done: set[tuple[Loop | Branch, tuple[Node, ...]]] = set()
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
        if root.op not in (loop_, branch_):
            super()._call(root, scope)
            return
        made = root["loop" if root.op is loop_ else "branch"]
        if (made, root.args) not in self.done:
            self.done.add((made, root.args))
            (self._loop_call if root.op is loop_ else self._branch_call)(made, root.args, scope)

    def _branch_call(self, branch: Branch, args: tuple[Node, ...], scope: Scope) -> None:
        """Both sides of a branch, as loops that have one step or none."""
        holds = self._let(cast(self.at(args[0], (), [scope]), "int64"), [scope])
        for side, steps in zip(branch.sides, (holds, dims.sub(1, holds)), strict=True):
            leaves = Leaves(input_node("step", Type("int64")), self._name("int64"), [], self._around())
            roots = [copy(r, number=k) for k, r in enumerate(inline(side, self._given(args[1:], leaves, scope)))]
            nodes = dict(zip(roots, (chosen(branch, args, k) for k in range(branch.count)), strict=True))
            homes = {root: self._home(n) for root, n in nodes.items() if n in self.home}
            step = self._step(list(homes), leaves, homes)
            self._append(tidy(step.statements([], leaves.counter, None)), leaves.counter, steps, scope, {}, "once")

    def _around(self) -> dict[Node, Node]:
        """Stand-ins for what has memory."""
        return {input_node("", r.type): r for r in self.home if r.op.kind != "leaf"}

    def _append(
        self, body: list[Stmt], counter: Node, steps: Dim, scope: Scope, slots: dict[Node, Node], kind: Kind = "steps"
    ) -> None:
        """A loop around statements whose own loops begin at level 0. slots: the places that names stand for."""
        shift = {n: index(n["level"] + 1) for n in indices(body)} | {counter: index(0)} | slots
        scope.body.append(For(index(0), steps, moved(body, shift), kind))

    def _loop_call(self, loop: Loop, args: tuple[Node, ...], scope: Scope) -> None:
        """The loop, for all its outputs that are wanted."""
        steps = self._known(args[0], scope)
        states = [self._state(loop, args, k, scope) for k in range(loop.states)]
        leaves = Leaves(input_node("step", Type("int64")), self._name("int64"), states, self._around())
        results = loop.inlined(self._inputs(loop, args, leaves, scope))
        roots = [copy(result, number=k) for k, result in enumerate(results)]
        homes = {
            root: home for k, root in enumerate(roots) if (home := self._target(loop, args, k, leaves)) is not None
        }
        wanted = [r for k, r in enumerate(roots) if k < loop.states or k == loop.count or r in homes]
        step = self._step(wanted, leaves, homes)
        taken = steps
        if loop.until:
            taken = self._name("int64")
            scope.body.append(Let(taken, const(0, "int64"), True))
        body = tidy(step.statements(states, leaves.counter, taken if loop.until else None))
        slots = [self._slots(state, body) for state in states if state.ring]
        self._append(body, leaves.counter, steps, scope, dict(pair for found in slots for pair in found.items()))
        for k, state in enumerate(states):
            self._last(output(loop, args, k, last=True), state, taken, scope)
        if loop.until and output(loop, args, loop.count) in self.home:
            count = output(loop, args, loop.count)
            scope.body.append(Store(self.home[count], self._place(count, ()), dim_node(taken)))

    def _known(self, number: Node, scope: Scope) -> Dim:
        """A number of steps: a size, or what is computed where the loop stands."""
        if is_pure(number) or self._stored(number):
            return self.size(as_dim(number))
        return as_dim(self.at(number, (), [scope]))

    def _stored(self, scalar: Node) -> bool:
        """Whether a scalar is known before the nest: it is made of what earlier nests have stored."""
        return self.outer is None and all(n in self.home for n in frontier(scalar))

    def _inputs(self, loop: Loop, args: Sequence[Node], leaves: Leaves, scope: Scope) -> list[Node]:
        """What the body of a loop is given, in terms of leaves."""
        given = self._given(args[1:], leaves, scope)
        inputs = [leaves.number, *(element(x, leaves.number) for x in given[: loop.sequences])]
        for taps, state in zip(loop.taps, leaves.states, strict=True):
            inputs += [state.value(leaves.number, back) for back in taps]
        return [*inputs, *given[loop.others - 1 :]]

    def _given(self, args: Sequence[Node], leaves: Leaves, scope: Scope) -> list[Node]:
        """Arguments of a loop or branch in terms of leaves."""
        stand_ins = {root: leaf for leaf, root in leaves.around.items()}
        given = []
        for arg in args:
            if arg.ndim or (is_pure(arg) and arg.dtype == "int64"):
                given.append(substitute([arg], stand_ins)[0])
                continue
            given.append(input_node("", arg.type))
            early = not is_late(arg) or self._stored(arg)
            if arg.dtype == "int64" and early and not self.moving.intersection(topological([arg])):
                leaves.named[given[-1]] = dim_node(self.size(as_dim(arg)))
                leaves.sizes.add(given[-1])
            else:
                leaves.named[given[-1]] = self.at(arg, (), [scope])
        return given

    def _target(self, loop: Loop, args: Sequence[Node], k: int, leaves: Leaves) -> Home | None:
        """Where an output of a step goes, None for nowhere."""
        if k < loop.states:
            state = leaves.states[k]
            slot = state.names[-1] if state.ring else dim_node(dims.add(leaves.counter, state.depth))
            return (state.home[0], (*state.home[1], slot)) if state.home else None
        node = output(loop, args, k)
        if k == loop.count or node not in self.home:
            return None
        last = self.size(dims.sub(as_dim(args[0]), 1))
        at = dim_node(dims.sub(last, leaves.counter)) if k in loop.turned else leaves.counter
        buffer, lead = self._home(node)
        return buffer, (*lead, at)

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
            home, ring = self._home(history), 0
        elif names:
            return State(depth, names, leaves, None, None, 0)
        else:
            ring = depth + 1
            home = self._scratch(first.dtype, (ring, *(self.size(d) for d in first.shape[1:]))), ()
            names = [self._name("int64") for _ in range(ring)]
            leaves = [input_node("", Type("int64")) for _ in range(ring)]
        self._copy(first, home, scope)
        shape = (ring or history.shape[0], *first.shape[1:])
        array = input_node("", Type(first.dtype, shape)) if first.ndim > 1 else None
        return State(depth, names, leaves, array, home, ring)

    def _slots(self, state: State, body: list[Stmt]) -> dict[Node, Node]:
        """The slots that names stand for in a step; the next value takes the place of the earliest one if it can."""
        assert state.home is not None
        name, _ = state.home
        if undisturbed(body, name, name, state.names[0]):
            state.ring -= 1
            self.buffers[name] = replace(self.buffers[name], shape=(state.ring, *self.buffers[name].shape[1:]))
        return {name: dim_node(state.slot(dims.add(index(0), k))) for k, name in enumerate(state.names)}

    def _step(self, wanted: list[Node], leaves: Leaves, homes: dict[Node, Home]) -> LoopLowering:
        """What lowers a step, to loops from level 0 on."""
        graph = self.prepare(Graph([*leaves.all(), *self.graph.inputs], wanted, self.graph.arrays))
        graph = graph.replace(direct(graph.outputs))
        placement = place(graph)
        step = LoopLowering(graph, placement, order(placement, frozenset()), self.strided, self.prepare, self)
        step.named = self.named | leaves.names()
        known = {leaf for leaf in leaves.around if leaf.ndim == 0 and self.outer is None}  # when earlier nests have run
        step.around, step.moving = leaves.around, self.moving | (set(leaves.all()) - leaves.sizes - known)
        placed = {leaf: self._home(leaf) for leaf in self.home if leaf.op.kind == "leaf"}
        placed |= leaves.arrays() | {leaf: self._home(root) for leaf, root in leaves.around.items()}
        placed |= {new: homes[root] for root, new in zip(wanted, graph.outputs, strict=True) if root in homes}
        for node, home in placed.items():
            step.home[node], step.places[node] = home
        return step

    def statements(self, states: Sequence[State], counter: Node, taken: Dim | None) -> list[Stmt]:
        """All nests of a step one after another; then the number of steps taken, where the last output says whether it
        is the last one; then the names of states with their next values, which are the first outputs."""
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
        found = [values[o] if o in values else o if o.ndim else self._load(o, ()) for o in self.graph.outputs]
        end: list[Stmt] = []
        if isinstance(taken, Node):
            name = self._name("bool")  # what it says is asked before states change
            body += [Let(name, found[-1]), Set(taken, dim_node(dims.add(counter, 1)), "")]
            end.append(Break(name))
        for value, state in zip(found, states, strict=False):
            if state.array is not None:
                continue
            sources = [*state.names[1:], value]
            body += [Set(name, source, "") for name, source in zip(state.names, sources, strict=False)]
        return [*body, *end]

    def _last(self, node: Node, state: State, steps: Dim, scope: Scope) -> None:
        """The last value of a state, where it is wanted."""
        if node not in self.home:
            return
        if state.array is None:
            scope.body.append(Store(self.home[node], self._place(node, ()), state.names[-1]))
            return
        assert state.home is not None
        self.home[state.array], self.places[state.array] = state.home
        last = state.slot(dims.add(steps, state.depth - 1))
        self._copy(element(state.array, dim_node(last)), self._home(node), scope)


def direct(results: Sequence[Node]) -> list[Node]:
    """The results of a step, which are copies, but the first of each that has loops of its own as itself."""
    found: list[Node] = []
    for result in results:
        value = result.args[0] if result.op is copy else result
        own = value.op.kind in ("reduce", "store", "call") and value.ndim > 0 and value not in found
        found.append(value if own else result)
    return found


def indices(body: Sequence[Stmt]) -> list[Node]:
    """The loop indices in statements."""
    return [s.index for s in walk(list(body)) if isinstance(s, For)]
