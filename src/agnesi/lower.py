"""From values and decisions to statements: `at(node, index)` is the scalar that an element is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field

from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import (
    CONST,
    INDEX,
    SYMBOL,
    TEMP,
    Node,
    const,
    dim_node,
    index,
    load,
    make,
    substitute,
    temp,
    topological,
)  # fmt: skip
from agnesi.ir.type import Dim, same
from agnesi.loops.stmt import (
    Buffer,
    Check,
    EntryCheck,
    For,
    Let,
    Nest,
    Program,
    Set,
    Stmt,
    Store,
)  # fmt: skip
from agnesi.loops.tidy import tidy
from agnesi.ops import elementwise as ew
from agnesi.ops.declare import Index
from agnesi.ops.index import iota
from agnesi.ops.passing import hint_
from agnesi.schedule.order import Group, Item, Schedule
from agnesi.schedule.place import Element, Placement, axes_index, frontier, operands, squeezed, unit_index

Memo = dict[tuple[Node, Index], Node]
Home = tuple[str, Index]  # a buffer, and where in it something begins


@dataclass
class Scope:
    """A block under construction and the values already named in it."""

    body: list[Stmt] = field(default_factory=list)
    memo: Memo = field(default_factory=dict)


class Lowering(ABC):
    """Builds a Program from a graph, its placement and its schedule.

    home: the buffer of each node that has one; rows: the level at which a root's row of scratch begins; level_of: the
    number of loops around a name; sized: index expressions with their sizes named; named: leaves that are names;
    places: where in its buffer a root begins, if not at 0. strided: whether inputs may have any strides.
    """

    def __init__(self, graph: Graph, placement: Placement, schedule: Schedule, strided: bool) -> None:
        self.graph, self.placement, self.schedule, self.strided = graph, placement, schedule, strided
        self.buffers: dict[str, Buffer] = {}
        self.home: dict[Node, str] = {}
        self.rows: dict[Node, int] = {}
        self.entry = Scope()
        self.counter = 0
        self.level_of: dict[Node, int] = {}
        self.sized: dict[Node, Node] = {}
        self.named: dict[Node, Node] = {}
        self.places: dict[Node, Index] = {}

    # -- the whole ----------------------------------------------------------------------------------

    def run(self, checks: Sequence[EntryCheck]) -> Program:
        inputs = [self._input(k, n) for k, n in enumerate([*self.graph.inputs, *self.graph.arrays])]
        symbols = {s: (inputs[k], axis) for s, (k, axis) in self.graph.symbols.items()}
        outputs = {n: f"out{k}" for k, n in enumerate(self.graph.outputs)}
        for root, items in self.schedule.items.items():
            if root in outputs:
                self._output(outputs[root], root)
            else:
                self._storage(root, items)
        nests = []
        for number, group in enumerate(self.schedule.groups):
            body = self._group(group, Scope())
            reason = "\n".join(f"{i.root.op.name} ({self.placement.reasons[i.root]})" for i in group.items)
            nests.append(Nest(f"nest{number}", tidy(body), reason))
        placed = [EntryCheck(self.size(c.left), self.size(c.right), c.site, c.general) for c in checks]
        sizes = [s for s in self.entry.body if isinstance(s, (Let, Check))]
        return Program(self.buffers, inputs, list(outputs.values()), placed, sizes, symbols, nests)

    def _input(self, number: int, node: Node) -> str:
        name = f"in{number}"
        strides = tuple(temp(f"{name}_s{k}", "int64") for k in range(node.ndim)) if self.strided else None
        self.buffers[name] = Buffer(name, node.dtype, node.shape, "input", strides)
        self.home[node] = name
        return name

    def _output(self, name: str, node: Node) -> None:
        self.buffers[name] = Buffer(name, node.dtype, tuple(self.size(d) for d in node.shape), "output")
        self.home[node] = name

    def _storage(self, root: Node, items: list[Item]) -> None:
        """A buffer for a root unless it lives in registers; one row of it where that is enough."""
        shape = tuple(self.size(d) for d in root.shape)
        item = items[0]
        if self.schedule.local(root):
            first = self._first_difference(root, item)
            if first is None:
                return
            self.rows[root] = first
            space = tuple(self.size(d) for d in squeezed(root.shape)[first:])
            self.home[root] = f"row{len(self.buffers)}"
            self.buffers[self.home[root]] = Buffer(self.home[root], root.dtype, space, "row")
            return
        self.home[root] = f"tmp{len(self.buffers)}"
        self.buffers[self.home[root]] = Buffer(self.home[root], root.dtype, shape, "arena")

    def _first_difference(self, root: Node, item: Item) -> int | None:
        """The outermost level at which a reader stands in another loop than the value it reads; None for none."""
        found = None
        for reader, _ in self.schedule.readers[root]:
            own, other = item.phase, reader.phase
            level = next((k for k in range(item.level) if own[k] != other[k]), None)
            if level is not None:
                found = level if found is None else min(found, level)
        return found

    # -- sizes --------------------------------------------------------------------------------------

    def size(self, dim: Dim) -> Dim:
        """A dimension that is known before any loop: a number, a symbol, or a name given to it at entry."""
        if isinstance(dim, int) or dim.op in (SYMBOL, TEMP):
            return dim
        if (dim, ()) not in self.entry.memo:
            for part in self._arithmetic(dim):  # in this order nothing below recurses deeply
                self.at(part, (), [self.entry])
        return self.at(dim, (), [self.entry])

    def _arithmetic(self, dim: Node) -> list[Node]:
        """The scalars from which a size is computed, those that are stored or looked up aside; parts first."""

        def computed(node: Node) -> bool:
            return node.op.kind == "elementwise" and node.ndim == 0 and node not in self.home

        found: dict[Node, None] = {}
        stack = [dim] if computed(dim) else []
        while stack:
            waiting = [a for a in stack[-1].args if computed(a) and a not in found]
            if waiting:
                stack.extend(waiting)
            else:
                found[stack.pop()] = None
        return list(found)

    # -- nests --------------------------------------------------------------------------------------

    def _group(self, group: Group, scope: Scope) -> list[Stmt]:
        if group.items[0].piece is None:
            for item in group.items:
                self._call(item.root, scope)
            return scope.body
        for item in group.items:
            if item.kept is not None and item.level < 0:
                init = item.root.op.init
                assert init is not None
                self._fill(item.root, const(init(item.root.dtype), item.root.dtype), scope)
        self._block(group, group.items, 0, [scope])
        return scope.body

    @abstractmethod
    def _call(self, root: Node, scope: Scope) -> None:
        """The statements of a root that is a library call."""

    def _fill(self, root: Node, value: Node, scope: Scope) -> None:
        """A constant in every place of a result that loops add to."""
        idx = axes_index(root.shape)
        body: Stmt = Store(self.home[root], self._place(root, idx), value)
        for level, dim in reversed(list(enumerate(squeezed(root.shape)))):
            body = For(index(level), self.size(dim), (body,))
        scope.body.append(body)

    def _block(self, group: Group, items: list[Item], level: int, scopes: list[Scope]) -> None:
        """The items that stand inside `level` loops: phase after phase, values of this level, then the next loop."""
        for phase in sorted({i.phase[level] for i in items}):
            mine = [i for i in items if i.phase[level] == phase]
            for item in mine:
                if item.rank == level:
                    self._element(item, scopes)
            deeper = [i for i in mine if i.rank > level]
            if deeper:
                self._loop(group, deeper, level, scopes)

    def _loop(self, group: Group, items: list[Item], level: int, scopes: list[Scope]) -> None:
        """One loop; reductions that are complete after it get an accumulator before it."""
        here, inner = scopes[-1], Scope()
        sums = [i for i in items if i.kept is not None and self._complete(i) <= level < i.rank]
        for item in sums:
            if self._complete(item) == level or level == item.rank - 1:
                assert item.root.op.init is not None
                acc = self._name(item.root.dtype)
                self.level_of[acc] = level
                here.memo[item.root, (index(-1 - level),)] = acc
                here.body.append(Let(acc, const(item.root.op.init(item.root.dtype), item.root.dtype), True))
        self._block(group, items, level + 1, [*scopes, inner])
        here.body.append(For(index(level), self.size(group.space[level]), tuple(inner.body)))
        for item in sums:
            self._finish(item, level, scopes)

    @staticmethod
    def _complete(item: Item) -> int:
        """The level at which a reduction's accumulator is declared: inside all loops that remain."""
        assert item.kept is not None
        return max(item.kept, default=-1) + 1

    def _accumulator(self, item: Item, level: int, scopes: list[Scope]) -> Node:
        """The accumulator of the loop at this level, or of the next one outside."""
        for depth in range(level, -1, -1):
            acc = scopes[depth].memo.get((item.root, (index(-1 - depth),)))
            if acc is not None:
                return acc
        raise AssertionError("a reduction without accumulator")

    def _finish(self, item: Item, level: int, scopes: list[Scope]) -> None:
        """After a loop: a partial result joins the outer accumulator, a complete one its buffer."""
        if level == item.rank - 1 and self._complete(item) < level:
            inner = self._accumulator(item, level, scopes)
            scopes[-1].body.append(Set(self._accumulator(item, level - 1, scopes), inner, item.root.op.combine))
        if self._complete(item) != level:
            return
        acc = scopes[-1].memo[item.root, (index(-1 - level),)]
        assert item.piece is not None
        target = item.piece.target(axes_index(item.piece.domain), self._reader(scopes))
        if item.level >= 0:
            scopes[-1].memo[item.root, target] = acc
        if item.root in self.home:
            combine = "" if item.level >= 0 else item.root.op.combine
            scopes[-1].body.append(Store(self.home[item.root], self._place(item.root, target), acc, combine))

    def _element(self, item: Item, scopes: list[Scope]) -> None:
        """The innermost statement of an item."""
        piece, root = item.piece, item.root
        assert piece is not None
        idx = axes_index(piece.domain)
        if piece.source is root:
            value = self._compute(root, idx, scopes)
        elif isinstance(piece.source, Node):
            value = self.at(piece.source, idx, scopes)
        else:
            value = piece.source(idx, self._reader(scopes))
        if item.kept is not None and self._complete(item) < item.rank:
            scopes[-1].body.append(Set(self._accumulator(item, item.rank - 1, scopes), value, piece.combine))
            return
        target = piece.target(idx, self._reader(scopes))
        if not piece.combine and len(self.schedule.items[root]) == 1:
            value = value if value.op is TEMP else self._let(value, scopes)
            scopes[-1].memo[root, target] = value
        if root in self.rows:
            scopes[-1].body.append(Store(self.home[root], self._place(root, target), value))
        elif root in self.home:
            target = tuple(self._scalar_index(i, scopes) for i in target)
            scopes[-1].body.append(Store(self.home[root], self._place(root, target), value, piece.combine))

    def _place(self, root: Node, idx: Index) -> Index:
        """The index in the buffer of a root: its row of scratch, or a part of something larger."""
        if root in self.rows:
            loops = [i for i, d in zip(idx, root.shape, strict=True) if not same(d, 1)]
            return tuple(loops[self.rows[root] :])
        return (*self.places.get(root, ()), *idx)

    # -- elements -----------------------------------------------------------------------------------

    def _home(self, node: Node) -> Home:
        """Where a value has its memory."""
        return self.home[node], self.places.get(node, ())

    def _name(self, dtype: str) -> Node:
        self.counter += 1
        return temp(f"t{self.counter}", dtype)

    def _let(self, value: Node, scopes: list[Scope]) -> Node:
        """A name for a value in the innermost of these blocks."""
        name = self._name(value.dtype)
        self.level_of[name] = len(scopes) - 1
        scopes[-1].body.append(Let(name, value))
        return name

    def _reader(self, scopes: list[Scope]) -> Element:
        return lambda array, idx: self.at(array, idx, scopes)

    def at(self, node: Node, idx: Index, scopes: list[Scope]) -> Node:
        """The scalar at an index of a node, named in the outermost block where all it depends on is known."""
        if node.op in (CONST, SYMBOL, INDEX, TEMP):
            return node
        if node in self.named:
            return self.named[node]
        idx = unit_index(node, tuple(self._scalar_index(i, scopes) for i in idx))
        for scope in reversed(scopes):
            found = scope.memo.get((node, idx))
            if found is not None:
                return found
        depth = self._depth(idx)
        here = scopes[: depth + 1]
        if node in self.home:
            value = self._load(node, idx)
        else:
            value = self._compute(node, idx, here)
        if value.op not in (TEMP, CONST, INDEX, SYMBOL):
            value = self._let(value, here)
        here[-1].memo[node, idx] = value
        return value

    def _depth(self, idx: Index) -> int:
        """How many loops enclose the outermost block in which the index is known."""
        depth = 0
        for i in idx:
            for n in topological([i]):
                if n.op is INDEX:
                    depth = max(depth, n["level"] + 1)
                elif n.op is TEMP:
                    depth = max(depth, self.level_of.get(n, 0))
        return depth

    def _load(self, node: Node, idx: Index) -> Node:
        return load(self.home[node], node.dtype, self._place(node, idx))

    def _compute(self, node: Node, idx: Index, scopes: list[Scope]) -> Node:
        """An element from those of the arguments."""
        if node.op is iota:
            return idx[0]
        if node.op.kind in ("index", "gather"):
            ((arg, at),) = operands(node, idx, self._reader(scopes))
            return self.at(arg, tuple(self._index_name(i, scopes) for i in at), scopes)
        if node.op.kind != "elementwise":
            raise AssertionError(f"{node!r} is not computed element by element")
        args = tuple(self.at(a, i, scopes) for a, i in operands(node, idx, self._reader(scopes)))
        if node.op is ew.check_index:
            return self._checked(node, args, scopes)
        if node.op in (ew.copy, hint_) and node.ndim:  # a scalar may be a name that changes
            return args[0]
        return make(node.op, args, node.attrs)

    def _index_name(self, i: Node, scopes: list[Scope]) -> Node:
        """An index; one that takes divisions or choices gets a name, since further indices may use it several times."""
        terms, _ = dims.linear(i)
        if all(t.op.kind == "leaf" or t.op.name == "mul" for t in terms):
            return i
        here = scopes[: self._depth((i,)) + 1]
        if (i, ()) not in here[-1].memo:
            here[-1].memo[i, ()] = self._let(self._scalar_index(i, here), here)
        return here[-1].memo[i, ()]

    def _checked(self, node: Node, args: tuple[Node, ...], scopes: list[Scope]) -> Node:
        """A wrapped index, and the check that it lies inside."""
        i, n = args
        value = self._let(ew.where(ew.lt(i, 0), ew.add(i, n), i), scopes)
        scopes[-1].body.append(Check(value, n, node["site"], (i, n)))
        return value

    def _scalar_index(self, i: Node, scopes: list[Scope]) -> Node:
        """An index expression with the scalars of the graph in it replaced by their names."""
        if not i.args:
            return self.named.get(i, i)
        named = {n: self.at(n, (), scopes) for n in frontier(i)}
        return self._sized(substitute([i], named)[0] if named else i)

    def _sized(self, i: Node) -> Node:
        """An index expression in which sizes of more than one operation are named at entry: they may share parts."""
        found = self.sized.get(i)
        if found is None:
            fixed: dict[Node, bool] = {}
            done: dict[Node, Node] = {}
            for n in topological([i]):
                fixed[n] = n.op in (CONST, SYMBOL) or (bool(n.args) and all(fixed[a] for a in n.args))
                done[n] = n
                if n.args and not fixed[n]:
                    args = (dim_node(self.size(a)) if fixed[a] and is_long(a) else done[a] for a in n.args)
                    done[n] = make(n.op, tuple(args), n.attrs)
            found = self.sized[i] = dim_node(self.size(i)) if fixed[i] and is_long(i) else done[i]
        return found


def is_long(size: Node) -> bool:
    """Whether a size takes more than one operation, or a division, which compilers do not move out of loops."""
    return size.op in (ew.mod, ew.floordiv) or any(a.args for a in size.args)
