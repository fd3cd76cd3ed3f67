"""The verifier of statements: what must hold of every program, whatever pass made it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise

from agnesi.errors import VerificationError
from agnesi.ir import dims
from agnesi.ir.dtype import LIBRARY, SIZES
from agnesi.ir.node import CONST, INDEX, LOAD, SYMBOL, TEMP, Node, dim_node, temp, topological
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, same
from agnesi.loops.parallel import adds_rows, fills_memory, independent_nests, sharing
from agnesi.loops.regions import is_number
from agnesi.loops.stmt import (
    Break,
    Buffer,
    Call,
    Check,
    For,
    Let,
    Nest,
    Program,
    Set,
    Stmt,
    Store,
    View,
    is_shared,
    loads,
    moments,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip

ROUTINES = {"gemm": (2, 2), "solve": (2, 0)}  # operands and scalars of each library routine


def verify(program: Program, planned: bool = False) -> None:
    """Raises VerificationError at the first rule that the program breaks.

    planned: whether memory has been decided, so that every temporary in use must have a slot.
    """
    known = entry_names(program)
    when = moments(program)
    late = {s.var: at for s, at in zip(program.sizes, when.sizes, strict=True) if isinstance(s, Let)}
    for number, nest in enumerate(program.nests):
        for name in touched(nest):
            if when.buffers.get(name, 0) > number:
                raise fail(nest.name, f"uses {name}, whose size is known only later")
        NestVerifier(program, nest, {n for n in known if late.get(n, 0) <= number}).run()
    verify_writes(program)
    verify_aliases(program)
    verify_memory(program, planned)
    verify_together(program)


def fail(where: str, text: str) -> VerificationError:
    """The error of a broken rule."""
    return VerificationError(f"{where}: {text}")


# -- entry ----------------------------------------------------------------------------------------------


def entry_names(program: Program) -> set[Node]:
    """Names that all nests know: sizes and strides of inputs, and what is computed at entry. Verifies the entry."""
    verifier = NestVerifier(program, Nest("entry", []), set())
    for name in (*program.inputs, *program.outputs):
        if name not in program.buffers:
            raise fail("entry", f"buffer {name} is unknown")
    for name in program.inputs:
        buffer = program.buffers[name]
        for axis in range(len(buffer.shape)):
            verifier.known.add(temp(f"{name}_d{axis}", "int64"))
            if buffer.strides is not None:
                verifier.known.add(temp(f"{name}_s{axis}", "int64"))
    for symbol, (name, axis) in program.symbols.items():
        if name not in program.inputs or axis >= len(program.buffers[name].shape):
            raise fail("entry", f"the dimension {symbol['name']} is bound to axis {axis} of {name}, no input's")
    for stmt in program.sizes:
        verifier.statement(stmt)
        for node in loads(stmt):
            filled = {program.storage(b) for nest in program.nests for b in written_buffers(nest.body)}
            if program.storage(node["buffer"]) not in filled | set(program.inputs):
                raise fail("entry", f"a size reads {node['buffer']}, which is never filled")
    for check in program.checks:
        verifier.sizes((check.left, check.right))
    for buffer in program.buffers.values():
        verifier.sizes((*buffer.shape, *(buffer.strides or ())))
        if buffer.strides is not None and len(buffer.strides) != len(buffer.shape):
            raise fail("entry", f"{buffer.name} has {len(buffer.shape)} axes and {len(buffer.strides)} strides")
    return verifier.known


# -- nests ----------------------------------------------------------------------------------------------


@dataclass
class NestVerifier:
    """One nest: names in scope, loops around the statement at hand, and all names given so far."""

    program: Program
    nest: Nest
    known: set[Node]
    mutable: set[Node] = field(default_factory=set)
    given: set[Node] = field(default_factory=set)
    levels: tuple[Node, ...] = ()
    parts: int = 0  # how many of these loops threads share

    def run(self) -> None:
        """Verifies all statements."""
        self.known = set(self.known)
        self.block(self.nest.body)

    def fail(self, text: str) -> VerificationError:
        """The error of a rule broken in this nest."""
        return fail(self.nest.name, text)

    def block(self, body: Sequence[Stmt]) -> None:
        """Statements in order; names given in them end with the block."""
        before, mutable = set(self.known), set(self.mutable)
        for stmt in body:
            self.statement(stmt)
        self.known, self.mutable = before, mutable

    def statement(self, stmt: Stmt) -> None:
        """One statement."""
        match stmt:
            case For():
                self.loop(stmt)
            case Let():
                self.let(stmt)
            case Set():
                self.set(stmt)
            case Store():
                self.store(stmt)
            case Break(value):
                self.expressions((value,))
                self.same_dtype("what ends a loop", "bool", value)
            case Check(value, bound, _, shown):
                self.sizes((value, bound, *shown))
            case Call():
                self.call(stmt)

    def loop(self, stmt: For) -> None:
        """The counter is new, and a simd loop is plain enough for lanes."""
        if stmt.index.op is not INDEX:
            raise self.fail(f"a loop counts {stmt.index!r}, which is no loop index")
        if stmt.index in self.levels:
            raise self.fail(f"the loop of level {stmt.index['level']} stands inside a loop of the same level")
        self.sizes((stmt.extent,))
        if stmt.kind == "simd":
            self.lanes(stmt)
        if is_shared(stmt):
            self.shared(stmt)
        if stmt.rows > 1 and not adds_rows(stmt, self.program):
            raise self.fail("rows of a loop are joined that do not add to the same elements")
        if not same(stmt.streaming, 0) and not fills_memory(stmt, self.program):
            raise self.fail("a loop whose stores may go past the caches does not only fill memory")
        self.levels, self.parts = (*self.levels, stmt.index), self.parts + is_shared(stmt)
        self.block(stmt.body)
        self.levels, self.parts = self.levels[:-1], self.parts - is_shared(stmt)

    def lanes(self, stmt: For) -> None:
        """Lanes of a simd loop are independent but for accumulators, which they may only add to."""
        for inner in stmt.body:
            if isinstance(inner, (For, Check, Call, Break)):
                raise self.fail(f"a simd loop contains a {type(inner).__name__}")
        combines: dict[Node, str] = {}
        for inner in stmt.body:
            if isinstance(inner, Set) and not inner.combine:
                raise self.fail(f"a simd loop sets {inner.var['name']}")
            if isinstance(inner, Set) and combines.setdefault(inner.var, inner.combine) != inner.combine:
                raise self.fail(f"a simd loop combines {inner.var['name']} in two ways")
        for inner in stmt.body:
            for node in topological(stated(inner)):
                if node in combines:
                    raise self.fail(f"a simd loop reads {node['name']}, which it also accumulates")

    def shared(self, stmt: For) -> None:
        """Iterations that threads share touch different elements, or add to copies of the same ones."""
        if self.parts:
            raise self.fail("a loop inside another one that threads share is shared too")
        self.sizes((stmt.work,))
        found = sharing(stmt, self.program)
        if isinstance(found, str):
            raise self.fail(f"threads share a loop, but {found}")
        if set(found.added) != {name for name, _ in stmt.copies}:
            raise self.fail(f"iterations of different threads add to {', '.join(found.added)}")
        for name, copies in stmt.copies:
            if self.buffer(copies).space != "copies" or self.buffer(copies).dtype != self.buffer(name).dtype:
                raise self.fail(f"{copies} cannot hold copies of {name}")

    def let(self, stmt: Let) -> None:
        """A new name for a value of its dtype."""
        name = self.name(stmt.var)
        self.expressions((stmt.value,))
        if stmt.var in self.given or stmt.var in self.known:
            raise self.fail(f"the name {name} is given twice")
        self.same_dtype(f"the name {name}", stmt.var.dtype, stmt.value)
        self.known.add(stmt.var)
        self.given.add(stmt.var)
        if stmt.mutable:
            self.mutable.add(stmt.var)

    def set(self, stmt: Set) -> None:
        """Only accumulators change."""
        name = self.name(stmt.var)
        self.expressions((stmt.var, stmt.value))
        if stmt.var not in self.mutable:
            raise self.fail(f"Set changes {name}, which is not mutable")
        self.same_dtype(f"the accumulator {name}", stmt.var.dtype, stmt.value)
        if stmt.combine:
            self.combine(stmt.combine)

    def store(self, stmt: Store) -> None:
        """An element of a buffer that may be written."""
        self.expressions((*stmt.index, stmt.value))
        buffer = self.element(stmt.buffer, stmt.index, "a store to")
        self.writable(buffer)
        self.same_dtype(f"the buffer {stmt.buffer}", buffer.dtype, stmt.value)
        if stmt.combine:
            self.combine(stmt.combine)

    def call(self, stmt: Call) -> None:
        """A library routine that exists, with matrices as it takes them; some take any arrays."""
        if stmt.name in ("python", "argsort", "search_left", "search_right"):
            for view in (*stmt.reads, stmt.writes):
                self.sizes((view.offset, *view.sizes, *view.strides))
            self.writable(self.buffer(stmt.writes.buffer))
            if stmt.name == "argsort":
                self.buffer(stmt.workspace)
            return
        if stmt.name not in ROUTINES:
            raise self.fail(f"there is no library routine {stmt.name}")
        if (len(stmt.reads), len(stmt.scalars)) != ROUTINES[stmt.name]:
            raise self.fail(f"{stmt.name} has {len(stmt.reads)} operands and {len(stmt.scalars)} scalars")
        if stmt.dtype not in LIBRARY:
            raise self.fail(f"{stmt.name} does not know {stmt.dtype}")
        self.expressions(stmt.scalars)
        for scalar in stmt.scalars:
            self.same_dtype(f"{stmt.name} in {stmt.dtype}", stmt.dtype, scalar)
        for view in (*stmt.reads, stmt.writes):
            self.view(view, stmt)
        self.writable(self.buffer(stmt.writes.buffer))
        if any(self.program.storage(v.buffer) == self.program.storage(stmt.writes.buffer) for v in stmt.reads):
            raise self.fail(f"{stmt.name} writes {stmt.writes.buffer}, which it also reads as an operand")
        if not same(stmt.writes.strides[1], 1):
            raise self.fail(f"{stmt.name} writes {stmt.writes.buffer} with gaps between columns")
        if stmt.name == "solve":
            self.buffer(stmt.workspace)

    def view(self, view: View, stmt: Call) -> None:
        """A matrix in a known buffer; one without gaps where the routine takes no strides."""
        self.sizes((view.offset, *view.sizes, *view.strides))
        if len(view.sizes) != 2 or len(view.strides) != 2:
            raise self.fail(f"{stmt.name} takes matrices; the view of {view.buffer} has {len(view.sizes)} sizes "
                            f"and {len(view.strides)} strides")  # fmt: skip
        if self.buffer(view.buffer).dtype != stmt.dtype:
            raise self.fail(f"{stmt.name} in {stmt.dtype} is given {view.buffer}")
        if stmt.name == "solve":
            rows, columns = view.sizes
            unit = same(view.strides[1], 1) or same(columns, 1)
            if not unit or not (same(view.strides[0], columns) or same(rows, 1)):
                raise self.fail(f"solve takes no strides, and the matrix in {view.buffer} is not row-major")

    # -- parts ----------------------------------------------------------------------------------------

    def name(self, var: Node) -> str:
        """The text of a name that Let or Set stands for."""
        if var.op is not TEMP:
            raise self.fail(f"{var!r} is no name")
        return str(var["name"])

    def combine(self, name: str) -> None:
        """An associative op."""
        if name not in {op.combine for op in OPS.values() if op.kind == "reduce"}:
            raise self.fail(f"{name!r} is not the combining op of any reduction")

    def same_dtype(self, what: str, dtype: str, value: Node) -> None:
        """A value has the dtype of the place it goes to."""
        if value.dtype != dtype:
            raise self.fail(f"{what} is {dtype}, its value {value.dtype}")

    def sizes(self, values: Iterable[Dim]) -> None:
        """int64 scalars."""
        nodes = [dim_node(d) for d in values]
        self.expressions(nodes)
        for node in nodes:
            if node.dtype != "int64":
                raise self.fail(f"a size or index is {node.dtype}")

    def expressions(self, nodes: Iterable[Node]) -> None:
        """Scalars made of elementwise ops and of leaves that are known here."""
        for node in topological(nodes):
            if node.op is TEMP:
                if node not in self.known:
                    raise self.fail(f"the name {node['name']} is used where it is not defined")
            elif node.op is INDEX:
                if node not in self.levels:
                    raise self.fail(f"the index of level {node['level']} is used outside its loop")
            elif node.op is SYMBOL:
                if node not in self.program.symbols:
                    raise self.fail(f"the dimension {node['name']} is not bound to any input")
            elif node.op is LOAD:
                buffer = self.element(node["buffer"], node.args, "a load of")
                self.same_dtype(f"the buffer {buffer.name}", buffer.dtype, node)
            elif node.op is not CONST and (node.op.kind != "elementwise" or node.op.may_raise or node.ndim):
                raise self.fail(f"{node!r} stands in a statement; only elementwise scalars may")

    def element(self, name: str, idx: tuple[Node, ...], action: str) -> Buffer:
        """The buffer, if the index fits its rank."""
        buffer = self.buffer(name)
        if len(idx) != len(buffer.shape):
            raise self.fail(f"{action} {name} has {len(idx)} indices, the buffer {len(buffer.shape)} axes")
        for i in idx:
            if i.dtype != "int64":
                raise self.fail(f"a size or index is {i.dtype}")
        return buffer

    def buffer(self, name: str) -> Buffer:
        """The buffer of this name."""
        if name not in self.program.buffers:
            raise self.fail(f"buffer {name!r} is unknown")
        return self.program.buffers[name]

    def writable(self, buffer: Buffer) -> None:
        """Inputs belong to the caller, unless donated."""
        if buffer.space == "input" and buffer.name not in self.program.aliases.values():
            raise self.fail(f"writes {buffer.name}, an input that is not donated")


def stated(stmt: Stmt) -> tuple[Node, ...]:
    """The expressions of the statements that a simd loop may contain."""
    match stmt:
        case Let(value=value) | Set(value=value):
            return (value,)
        case Store(index=index, value=value):
            return (*index, value)
    return ()


# -- memory ---------------------------------------------------------------------------------------------


def verify_writes(program: Program) -> None:
    """What is read has been written by an earlier statement, and every output is written."""
    written = set(program.inputs)
    for nest in program.nests:
        for stmt in walk(nest.body):
            for name in reads_of(stmt):
                if program.storage(name) not in written:
                    raise fail(nest.name, f"reads {name}, which no earlier statement writes")
            written |= {program.storage(name) for name in ([stmt.buffer] if isinstance(stmt, Store) else [])}
            written |= {program.storage(name) for name in ([stmt.writes.buffer] if isinstance(stmt, Call) else [])}
    for name in program.outputs:
        if program.storage(name) not in written:
            raise fail("the program", f"output {name} is never written")


def reads_of(stmt: Stmt) -> set[str]:
    """Buffers whose elements a statement itself needs."""
    found = {n["buffer"] for n in loads(stmt)}
    if isinstance(stmt, Store) and stmt.combine:
        found.add(stmt.buffer)
    if isinstance(stmt, Call):
        found |= {v.buffer for v in stmt.reads}
        beta = stmt.scalars[1] if stmt.name == "gemm" else None
        if beta is not None and not is_number(beta, 0):
            found.add(stmt.writes.buffer)
    return found


def verify_aliases(program: Program) -> None:
    """What takes the memory of another buffer has its type; once an input is written to, nothing fails any more."""
    for new, old in program.aliases.items():
        if new not in program.buffers or old not in program.buffers:
            raise fail("the program", f"{new} takes the memory of {old}; one of them is unknown")
        a, b = program.buffers[new], program.buffers[old]
        if a.dtype != b.dtype or len(a.shape) != len(b.shape) or not all(map(same, a.shape, b.shape)):
            raise fail("the program", f"{new} takes the memory of {old}, but has another type")
    written: set[str] = set()
    for nest in program.nests:
        written |= {program.storage(n) for n in written_buffers(nest.body)}.intersection(program.inputs)
        if written and any(isinstance(s, Check) or isinstance(s, Call) and s.site > 0 for s in walk(nest.body)):
            raise fail(nest.name, f"may fail when {min(written)}, an input, has been written to")


def verify_memory(program: Program, planned: bool) -> None:
    """Buffers in the same memory live one after another, and fit.

    Lives are counted in nests. Within one nest all buffers are passed as distinct memory, except that a buffer may be
    read for the last time where the one that takes its memory is first written.
    """
    lives = lifetimes(program)
    sharing: dict[int | str, list[str]] = {}
    for name in sorted(lives, key=lambda n: (*lives[n], n in program.outputs)):
        storage = program.storage(name)
        if program.buffers[storage].space in ("arena", "row") and storage not in program.slots:
            if planned or program.slots:
                raise fail("the program", f"{name} is used and has no slot")
        sharing.setdefault(program.slots.get(storage, storage), []).append(name)
    for names in sharing.values():
        for older, newer in pairwise(names):
            verify_pair(program, older, newer, lives)


def verify_together(program: Program) -> None:
    """Nests that run at the same time touch nothing that another one of them writes."""
    for group in program.together:
        for a, b in combinations(program.nests[group.first : group.first + group.count], 2):
            if not independent_nests(a, b, program):
                raise fail(b.name, f"runs at the same time as {a.name}, but they need the same memory")


def verify_pair(program: Program, older: str, newer: str, lives: dict[str, tuple[int, int]]) -> None:
    """One buffer is dead before the next one in the same memory is alive."""
    end, start = lives[older][1], lives[newer][0]
    if not same(size_of(program.buffers[older]), size_of(program.buffers[newer])):
        raise fail("the program", f"{older} and {newer} share memory, but differ in size")
    handed = program.storage(older) == program.storage(newer)
    if end > start or (end == start and (not handed or older in written_buffers(program.nests[end].body))):
        raise fail(program.nests[start].name, f"{older} and {newer} share memory and live at the same time")


def lifetimes(program: Program) -> dict[str, tuple[int, int]]:
    """For each buffer in use the first and the last nest that touches it; inputs live from before the first."""
    lives = dict.fromkeys(program.inputs, (-1, -1))
    for number, nest in enumerate(program.nests):
        for name in touched(nest):
            lives[name] = (lives.get(name, (number, number))[0], number)
    return lives


def touched(nest: Nest) -> set[str]:
    """All buffers that a nest uses."""
    work = {s.workspace for s in walk(nest.body) if isinstance(s, Call) and s.workspace}
    return read_buffers(nest.body) | written_buffers(nest.body) | work


def size_of(buffer: Buffer) -> Dim:
    """The bytes of a buffer."""
    return dims.mul(dims.product(buffer.shape), SIZES[buffer.dtype])
