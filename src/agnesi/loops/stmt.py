"""Statements: a small tree of loops over buffers. The grammar of a compiled function, on one page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from operator import is_
from typing import Any, Literal

from agnesi.ir import dims
from agnesi.ir.node import CONST, INDEX, LOAD, Node, const, dim_node, topological, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, same

Kind = Literal["seq", "simd", "once", "steps"]
Space = Literal["input", "output", "arena", "row", "copies"]


@dataclass(frozen=True)
class Buffer:
    """Memory of a shape, row-major unless it has strides (in elements).

    A row is scratch of which every thread has its own. Copies are what parts of a loop have instead of another buffer.
    """

    name: str
    dtype: str
    shape: tuple[Dim, ...]
    space: Space
    strides: tuple[Dim, ...] | None = None

    @cached_property
    def steps(self) -> tuple[Dim, ...]:
        """From one element to the next along each axis, in elements."""
        return row_major(self.shape) if self.strides is None else self.strides


class Statement:
    """What statements have in common: facts that many passes ask for, found once."""

    @cached_property
    def nodes(self) -> list[Node]:
        """All that the scalar expressions in the statement itself are made of, arguments first."""
        assert isinstance(self, Stmt)
        return topological(values(self))

    @cached_property
    def inside(self) -> list[Stmt]:
        """The statement and those in it, loops before what is in them."""
        assert isinstance(self, Stmt)
        return [self, *walk(self.body)] if isinstance(self, For) else [self]

    @cached_property
    def read(self) -> set[str]:
        """Names of the buffers that are read, by accumulating stores too."""
        assert isinstance(self, Stmt)
        found = {n["buffer"] for n in loads(self)}
        if isinstance(self, For):
            found |= read_buffers(self.body)
        elif isinstance(self, Call):
            found |= {v.buffer for v in self.reads}
        elif isinstance(self, Store) and self.combine:
            found.add(self.buffer)
        return found

    @cached_property
    def written(self) -> set[str]:
        """Names of the buffers that are written."""
        if isinstance(self, For):
            return written_buffers(self.body)
        if isinstance(self, Call):
            return {self.writes.buffer, self.workspace} - {""}
        return {self.buffer} if isinstance(self, Store) else set()


@dataclass(frozen=True)
class For(Statement):
    """index runs from 0 to extent - 1.

    kind: "simd" if iterations are plain enough for vector lanes, "once" if there is one or none: a side of a branch,
    "steps" if each waits for the one before: such a loop looks now and then whether it is to end.
    work: of one iteration, in additions, where threads may share the iterations; else 0. copies: then, pairs of a
    buffer to whose elements several iterations add, and the one of which each part of the loop has a copy to add to.
    whole: where a loop runs in strips, how many iterations all of them have together; 1 for the loop over the strips
    and 0 for one that stands in for all of them where arrays are small.
    rows: how many iterations are done side by side in the loop inside, which adds to the same elements in all of them.
    streaming: where stores may go past the caches, how many bytes all of them write together; else 0.
    """

    index: Node
    extent: Dim
    body: tuple[Stmt, ...]
    kind: Kind = "seq"
    work: Dim = 0
    copies: tuple[tuple[str, str], ...] = ()
    whole: Dim | None = None
    rows: int = 1
    streaming: Dim = 0

    @property
    def iterations(self) -> Dim:
        """How many iterations there are of the loop that a person would write, at most."""
        if self.kind == "once":
            return 1
        return self.extent if self.whole is None else self.whole

    def around(self, body: Iterable[Stmt]) -> For:
        """The loop around other statements, or itself if they are the ones it has."""
        statements = tuple(body)
        alike = len(statements) == len(self.body) and all(map(is_, statements, self.body))
        return self if alike else replace(self, body=statements)


@dataclass(frozen=True)
class Let(Statement):
    """A named scalar; a mutable one is an accumulator that Set updates."""

    var: Node
    value: Node
    mutable: bool = False


@dataclass(frozen=True)
class Set(Statement):
    """var = combine(var, value), where combine names an associative op; without one, var = value."""

    var: Node
    value: Node
    combine: str


@dataclass(frozen=True)
class Store(Statement):
    """buffer[index] = value, or is combined with it."""

    buffer: str
    index: tuple[Node, ...]
    value: Node
    combine: str = ""


@dataclass(frozen=True)
class Check(Statement):
    """Leaves the function with an error unless 0 <= value < bound; site and the two shown values say which."""

    value: Node
    bound: Node
    site: int
    shown: tuple[Node, Node]


@dataclass(frozen=True)
class View:
    """A matrix, or an array, in a buffer: where it starts, its sizes and its strides, in elements."""

    buffer: str
    offset: Node
    sizes: tuple[Dim, ...]
    strides: tuple[Dim, ...]


@dataclass(frozen=True)
class Call(Statement):
    """A library routine: operands it reads, the one it writes, scalar arguments and scratch memory.

    function, result: for "python": what is called, and which result is taken; -1 calls and gives the sizes of all.
    """

    name: str
    dtype: str
    reads: tuple[View, ...]
    writes: View
    scalars: tuple[Node, ...] = ()
    workspace: str = ""
    site: int = 0
    function: Any = None
    result: int = -1


@dataclass(frozen=True)
class Break(Statement):
    """Leaves the loop whose body it ends if the value is true."""

    value: Node


Stmt = For | Let | Set | Store | Check | Call | Break


@dataclass
class Nest:
    """Statements that become one function, why they are together, and how threads share each of the outermost loops.

    beside: whether the nest before needs nothing of this one, nor this one of that, until they share memory.
    """

    name: str
    body: list[Stmt]
    reason: str = ""
    threads: list[str] = field(default_factory=list)
    beside: bool = False


@dataclass(frozen=True)
class Together:
    """Nests that threads carry out at the same time: the first, how many, the work of all of them, and that of each
    thing in their steps that threads could share instead, in additions."""

    first: int
    count: int
    work: Dim
    inside: tuple[Dim, ...]


@dataclass
class EntryCheck:
    """Two sizes that must be equal; when `general` the function is not wrong then, but this variant of it is."""

    left: Dim
    right: Dim
    site: int
    general: bool


@dataclass(frozen=True)
class Short:
    """Rows that are short if they have so many elements at most; and the elements of all rows."""

    row: Dim
    most: int
    elements: Dim


@dataclass
class Program:
    """A whole function: buffers, what is checked and computed at entry, the nests in order, memory, which nests run at
    the same time, and for which sizes there may be other code, in which cases."""

    buffers: dict[str, Buffer]
    inputs: list[str]
    outputs: list[str]
    checks: list[EntryCheck]
    sizes: list[Let | Check]
    symbols: dict[Node, tuple[str, int]]
    nests: list[Nest]
    aliases: dict[str, str] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    together: list[Together] = field(default_factory=list)
    short: dict[Node, list[Short]] = field(default_factory=dict)

    def storage(self, name: str) -> str:
        """The buffer whose memory a buffer uses; of those on the way there it is noted, so that ways stay short."""
        owner = name
        while owner in self.aliases:
            owner = self.aliases[owner]
        while name != owner:
            self.aliases[name], name = owner, self.aliases[name]
        return owner


@dataclass
class Moments:
    """For each size, check and buffer, the number of nests after which it is known: sizes may depend on values."""

    sizes: list[int]
    checks: list[int]
    buffers: dict[str, int]


def moments(program: Program) -> Moments:
    """When the sizes of a program are known, and what depends on them can be there."""
    filled: dict[str, int] = {}
    for number, nest in enumerate(program.nests):
        filled |= dict.fromkeys(written_buffers(nest.body), number + 1)
    known: dict[Node, int] = {}

    @cache
    def moment(dims: tuple[Dim, ...]) -> int:
        latest = 0
        for n in topological([d for d in dims if isinstance(d, Node)]):
            if n.op is LOAD and program.buffers[n["buffer"]].space != "input":
                latest = max(latest, filled.get(n["buffer"], 0))
            latest = max(latest, known.get(n, 0))
        return latest

    sizes = []
    for stmt in program.sizes:
        sizes.append(moment(values(stmt)))
        if isinstance(stmt, Let):
            known[stmt.var] = sizes[-1]
    checks = [moment((c.left, c.right)) for c in program.checks]
    return Moments(sizes, checks, {b.name: moment(b.shape) for b in program.buffers.values()})


def row_major(shape: tuple[Dim, ...]) -> tuple[Dim, ...]:
    """The strides of an array without gaps."""
    result: list[Dim] = []
    step: Dim = 1
    for dim in reversed(shape):
        result.append(step)
        step = dims.mul(step, dim)
    return tuple(reversed(result))


@lru_cache(maxsize=4096)
def offset(buffer: Buffer, indices: tuple[Node, ...]) -> Dim:
    """Where an element of a buffer is, counted from the first."""
    flat: Dim = 0
    for i, step in zip(indices, buffer.steps, strict=True):
        flat = dims.add(flat, dims.mul(i if i.op is not CONST else int(value_of(i)), step))
    whole = not any(n.op.name == "mod" for i in indices for n in (i, *i.args))
    return flat if whole else dims.joined(dims.expanded(flat), buffer.shape)


def is_known(size: Dim, given: set[Node]) -> bool:
    """Whether a number is known before a nest: it depends on no element, counter or name that is given in the nest."""
    return not any(n.op in (LOAD, INDEX) or n in given for n in topological([dim_node(size)]))


def is_shared(loop: For) -> bool:
    """Whether threads share the iterations of a loop."""
    return not same(loop.work, 0)


def perfect(loop: For) -> list[For]:
    """A loop and those in it of which each is all that the one around has; sides of branches are none."""
    nest = [loop]
    while len(nest[-1].body) == 1 and isinstance(inner := nest[-1].body[0], For) and inner.kind != "once":
        nest.append(inner)
    return nest


def walk(body: Iterable[Stmt]) -> list[Stmt]:
    """All statements of a block, loops before what is in them."""
    return [inner for stmt in body for inner in stmt.inside]


def values(stmt: Stmt) -> tuple[Node, ...]:
    """The scalar expressions that stand in a statement itself."""
    match stmt:
        case For(extent=extent):
            return (extent,) if isinstance(extent, Node) else ()
        case Let(value=value) | Set(value=value) | Break(value=value):
            return (value,)
        case Store(index=index, value=value):
            return (*index, value)
        case Check(value=value, bound=bound, shown=shown):
            return (value, bound, *shown)
        case Call(reads=reads, writes=writes, scalars=scalars):
            dims = [d for v in (*reads, writes) for d in (*v.sizes, *v.strides) if isinstance(d, Node)]
            return (*scalars, *(v.offset for v in (*reads, writes)), *dims)


def cost(stmt: Stmt) -> int:
    """The scalar work that stands in a statement itself, in additions."""
    return sum(n.op.cost for n in computed(stmt.value)) if isinstance(stmt, (Let, Set, Store)) else 0


def computed(value: Node) -> list[Node]:
    """What is computed for a value, but for the places of what it loads."""
    found: dict[Node, None] = {}
    work = [value]
    while work:
        node = work.pop()
        if node not in found:
            found[node] = None
            work += () if node.op is LOAD else node.args
    return list(found)


def neutral(combine: str, dtype: str) -> Node:
    """What changes nothing when it is combined."""
    init = next(op.init for op in OPS.values() if op.kind == "reduce" and op.combine == combine)
    assert init is not None
    return const(init(dtype), dtype)


def loads(stmt: Stmt) -> list[Node]:
    """The loads in a statement's own expressions."""
    return [n for n in stmt.nodes if n.op is LOAD]


def read_buffers(body: Iterable[Stmt]) -> set[str]:
    """Names of the buffers that a block reads."""
    return set().union(*(s.read for s in body))


def written_buffers(body: Iterable[Stmt]) -> set[str]:
    """Names of the buffers that a block writes."""
    return set().union(*(s.written for s in body))
