"""The meaning of statements: a program carried out loop by loop on NumPy scalars, with every access checked.

Slow and plain; what every printer of statements is held to. Stricter than printed text: both branches of a choice are
computed, so a load must lie inside its buffer even where its value is not used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np

from agnesi.errors import AgnesiError, ShapeError, VerificationError
from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, INDEX, LOAD, SYMBOL, TEMP, Node, dim_node, temp, topological, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim
from agnesi.loops.stmt import (
    Break,
    Buffer,
    Call,
    Check,
    For,
    Let,
    Program,
    Set,
    Stmt,
    Store,
    View,
    is_shared,
    moments,
)  # fmt: skip

Array = np.ndarray[Any, Any]
Action = Callable[[], None]
Step = tuple[int, Callable[..., Any], tuple[int, ...]]  # register of the result, what computes it, its operands


class Left(Exception):
    """A loop has come to its end before its last iteration."""


class CheckFailed(AgnesiError):
    """A check of the program failed: its site, and the two values it shows."""

    def __init__(self, site: int, shown: tuple[int, int]) -> None:
        super().__init__(f"check {site} failed: {shown[0]}, {shown[1]}")
        self.site, self.shown = site, shown


class NeedsGeneral(AgnesiError):
    """Two sizes differ that this variant of the function takes to be equal; another variant serves."""


def run(program: Program, arrays: Sequence[Array]) -> list[Array]:
    """The outputs for these inputs and array constants, which are left as they are.

    An output that takes the memory of an input is returned as a new array. Raises CheckFailed, NeedsGeneral, ShapeError
    where an array does not have its buffer's shape, and IndexError where a statement leaves its buffer.
    """
    with np.errstate(all="ignore"):
        machine = Machine(program)
        machine.bind(arrays)
        for number in range(len(program.nests) + 1):
            machine.enter(number)
            machine.allocate(number)
            if number < len(program.nests):
                machine.block(program.nests[number].body)()
    return [machine.memory[program.storage(name)] for name in program.outputs]


class Machine:
    """A program at work: the memory of its buffers, and a register for each node that has a value."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.memory: dict[str, Array] = {}
        self.number: dict[Node, int] = {}
        self.registers: list[Any] = []
        self.slots: dict[int, Array] = {}
        self.results: dict[int, list[Array]] = {}
        self.moments = moments(program)

    # -- entry --------------------------------------------------------------------------------------

    def bind(self, arrays: Sequence[Array]) -> None:
        """The inputs, their sizes and their strides."""
        program = self.program
        for name, array in zip(program.inputs, arrays, strict=True):
            buffer = program.buffers[name]
            if array.dtype != buffer.dtype or array.ndim != len(buffer.shape):
                raise ShapeError(f"{name} is {array.dtype} with {array.ndim} axes, not as the program declares it")
            held = self.memory[name] = placed(array, buffer, name in program.aliases.values())
            for axis, size in enumerate(held.shape):
                self.set(temp(f"{name}_d{axis}", "int64"), np.int64(size))
                if buffer.strides is not None:
                    self.set(temp(f"{name}_s{axis}", "int64"), np.int64(held.strides[axis] // held.itemsize))
        for symbol, (name, axis) in program.symbols.items():
            self.set(symbol, np.int64(self.memory[name].shape[axis]))

    def enter(self, moment: int) -> None:
        """The sizes that are known after so many nests, then checks, which may mention them."""
        for stmt, at in zip(self.program.sizes, self.moments.sizes, strict=True):
            if at == moment:
                self.statement(stmt)()
        for check, at in zip(self.program.checks, self.moments.checks, strict=True):
            if at != moment:
                continue
            left, right = self.dim(check.left), self.dim(check.right)
            if left != right and check.general:
                raise NeedsGeneral(f"sizes {left} and {right} differ")
            if left != right:
                raise CheckFailed(check.site, (left, right))
        for name in self.program.inputs:
            shape = self.shape(self.program.buffers[name])
            if shape != self.memory[name].shape:
                raise ShapeError(f"{name} has shape {self.memory[name].shape}, not {shape}")

    def allocate(self, moment: int) -> None:
        """Fresh memory for what is no input: a slot is as large as the first of its buffers."""
        program = self.program
        for name, buffer in program.buffers.items():
            if name in program.inputs or name in program.aliases or self.moments.buffers[name] != moment:
                continue
            shape = self.shape(buffer)
            slot = program.slots.get(name)
            if slot is None:
                self.memory[name] = garbage(shape, buffer.dtype)
                continue
            held = self.slots.setdefault(slot, garbage(shape, buffer.dtype))
            if held.nbytes < np.dtype(buffer.dtype).itemsize * int(np.prod(shape, dtype=np.int64)):
                raise IndexError(f"{name} of shape {shape} does not fit slot {slot} of {held.nbytes} bytes")
            self.memory[name] = np.ndarray(shape, buffer.dtype, buffer=held)
        for name in program.aliases:
            if self.moments.buffers[name] == moment and self.shape(program.buffers[name]) != self.held(name).shape:
                raise IndexError(f"{name} does not have the shape of {program.storage(name)}, whose memory it takes")

    def shape(self, buffer: Buffer) -> tuple[int, ...]:
        """The sizes of a buffer in this call."""
        return tuple(self.dim(d) for d in buffer.shape)

    # -- scalars ------------------------------------------------------------------------------------

    def register(self, node: Node) -> int:
        """The place of a node's value; constants are there from the start."""
        place = self.number.get(node)
        if place is None:
            place = self.number[node] = len(self.registers)
            self.registers.append(scalar_type(node.dtype)(value_of(node)) if node.op is CONST else None)
        return place

    def set(self, node: Node, value: Any) -> None:
        """Gives a leaf its value."""
        self.registers[self.register(node)] = value

    def code(self, nodes: Iterable[Node]) -> list[Step]:
        """What computes these expressions, each node in them once."""
        steps: list[Step] = []
        for node in topological(nodes):
            place = self.register(node)
            operands = tuple(self.register(a) for a in node.args)
            if node.op is LOAD:
                steps.append((place, self.loader(node["buffer"]), operands))
            elif node.op in (TEMP, INDEX, SYMBOL):
                steps.append((place, known(node), (place,)))
            elif node.op is not CONST:
                steps.append((place, operation(node), operands))
        return steps

    def evaluate(self, steps: list[Step]) -> None:
        """Fills the registers of some expressions."""
        held = self.registers
        for place, function, operands in steps:
            held[place] = function(*[held[k] for k in operands])

    def value(self, node: Node) -> Any:
        """The value of an expression now."""
        self.evaluate(self.code([node]))
        return self.registers[self.register(node)]

    def dim(self, dim: Dim) -> int:
        """The value of a size now."""
        return dim if isinstance(dim, int) else int(self.value(dim))

    # -- memory -------------------------------------------------------------------------------------

    def held(self, name: str) -> Array:
        """The memory of a buffer."""
        return self.memory[self.program.storage(name)]

    def loader(self, name: str) -> Callable[..., Any]:
        """What reads an element of a buffer."""
        array = self.held(name)

        def read(*idx: Any) -> Any:
            inside(idx, array.shape, name, "load")
            return array[idx]

        return read

    # -- statements ---------------------------------------------------------------------------------

    def block(self, body: Sequence[Stmt]) -> Action:
        """What carries out statements one after another."""
        actions = [self.statement(s) for s in body]

        def act() -> None:
            for action in actions:
                action()

        return actions[0] if len(actions) == 1 else act

    def statement(self, stmt: Stmt) -> Action:
        """What carries out one statement."""
        match stmt:
            case For():
                return self.loop(stmt)
            case Let():
                return self.let(stmt)
            case Set():
                return self.accumulate(stmt)
            case Store():
                return self.store(stmt)
            case Check():
                return self.check(stmt)
            case Break():
                return self.leave(stmt)
            case Call(name="gemm"):
                return lambda: self.gemm(stmt)
            case Call(name="solve"):
                return lambda: self.solve(stmt)
            case Call(name="argsort"):
                return lambda: self.argsort(stmt)
            case Call(name="search_left" | "search_right"):
                return lambda: self.search(stmt)
            case Call(name="python"):
                return lambda: self.python(stmt)
        raise VerificationError(f"no library routine {stmt.name}")

    def loop(self, stmt: For) -> Action:
        counter, body, held = self.register(stmt.index), self.block(stmt.body), self.registers
        extent = dim_node(stmt.extent)
        steps, count = self.code([extent]), self.register(extent)

        def act() -> None:
            self.evaluate(steps)
            for k in range(held[count]):
                held[counter] = np.int64(k)
                try:
                    body()
                except Left:
                    return

        def act_backwards() -> None:
            """What threads share may run in any order, but the error reported is that of the first iteration."""
            self.evaluate(steps)
            error: CheckFailed | None = None
            for k in reversed(range(held[count])):
                held[counter] = np.int64(k)
                try:
                    body()
                except CheckFailed as failed:
                    error = failed
            if error is not None:
                raise error

        return act_backwards if is_shared(stmt) else act

    def leave(self, stmt: Break) -> Action:
        steps, source, held = self.code([stmt.value]), self.register(stmt.value), self.registers

        def act() -> None:
            self.evaluate(steps)
            if held[source]:
                raise Left

        return act

    def let(self, stmt: Let) -> Action:
        steps, source, held = self.code([stmt.value]), self.register(stmt.value), self.registers
        place = self.register(stmt.var)

        def act() -> None:
            self.evaluate(steps)
            held[place] = held[source]

        return act

    def accumulate(self, stmt: Set) -> Action:
        steps, source, held = self.code([stmt.value]), self.register(stmt.value), self.registers
        place = self.register(stmt.var)
        join = combining(stmt.combine, stmt.var.dtype) if stmt.combine else None

        def act() -> None:
            self.evaluate(steps)
            held[place] = held[source] if join is None else join(held[place], held[source])

        return act

    def store(self, stmt: Store) -> Action:
        steps, source, held = self.code([*stmt.index, stmt.value]), self.register(stmt.value), self.registers
        places = tuple(self.register(i) for i in stmt.index)
        array, name = self.held(stmt.buffer), stmt.buffer
        join = combining(stmt.combine, array.dtype.name) if stmt.combine else None

        def act() -> None:
            self.evaluate(steps)
            idx = tuple(held[k] for k in places)
            inside(idx, array.shape, name, "store")
            array[idx] = held[source] if join is None else join(array[idx], held[source])

        return act

    def check(self, stmt: Check) -> Action:
        nodes = (stmt.value, stmt.bound, *stmt.shown)
        steps, held = self.code(nodes), self.registers
        value, bound, first, second = (self.register(n) for n in nodes)

        def act() -> None:
            self.evaluate(steps)
            if not 0 <= held[value] < held[bound]:
                raise CheckFailed(stmt.site, (int(held[first]), int(held[second])))

        return act

    # -- library calls ------------------------------------------------------------------------------

    def gemm(self, stmt: Call) -> None:
        """c = alpha * a b + beta * c; c is not read when beta is 0."""
        a, b = (self.read(v) for v in stmt.reads)
        alpha, beta = (self.value(s) for s in stmt.scalars)
        flat, places = self.places(stmt.writes)
        result = alpha * (a @ b)
        if result.shape != places.shape:
            raise IndexError(f"gemm: a product of shape {result.shape} goes into {stmt.writes.buffer}{places.shape}")
        flat[places] = result if beta == 0 else result + beta * flat[places]

    def solve(self, stmt: Call) -> None:
        """x with a x = b; a zero pivot is an error. The routine knows no strides."""
        for view in (*stmt.reads, stmt.writes):
            self.expect_rows(view)
        a, b = (self.read(v) for v in stmt.reads)
        flat, places = self.places(stmt.writes)
        if not places.size:
            return
        found = solution(a, b)
        if isinstance(found, int):
            raise CheckFailed(stmt.site, (found, len(a)))
        flat[places] = found

    def argsort(self, stmt: Call) -> None:
        """The places of elements in ascending order along the last axis. The routine knows no strides."""
        for view in (*stmt.reads, stmt.writes):
            self.expect_rows(view)
        flat, places = self.places(stmt.writes)
        flat[places] = np.argsort(self.read(stmt.reads[0]), axis=-1, kind="stable")

    def search(self, stmt: Call) -> None:
        """The places of values in a sorted vector. The routine knows strides of the vector only."""
        for view in (stmt.reads[1], stmt.writes):
            self.expect_rows(view)
        a, v = (self.read(v) for v in stmt.reads)
        flat, places = self.places(stmt.writes)
        flat[places] = np.searchsorted(a, v, "left" if stmt.name == "search_left" else "right")

    def python(self, stmt: Call) -> None:
        """The sizes of what a function returns, or one of its results."""
        if stmt.result < 0:
            self.results[stmt.site] = stmt.function([self.read(v) for v in stmt.reads])
            found = stmt.function.sizes(self.results[stmt.site])
        else:
            found = self.results[stmt.site][stmt.result]
        flat, places = self.places(stmt.writes)
        flat[places] = found

    def read(self, view: View) -> Array:
        """A copy of the elements that a view shows."""
        flat, places = self.places(view)
        return flat[places]

    def places(self, view: View) -> tuple[Array, Array]:
        """A buffer's elements in a row, and which of them a view shows; an IndexError where it leaves the buffer."""
        array, strided = self.held(view.buffer), self.program.buffers[view.buffer].strides is not None
        offsets = np.array(self.dim(view.offset), np.int64)
        for size, stride in zip(view.sizes, view.strides, strict=True):
            offsets = np.add.outer(offsets, np.arange(self.dim(size)) * self.dim(stride))
        table = addresses(array) if strided else {k: k for k in range(array.size)}
        missing = [int(k) for k in offsets.flat if int(k) not in table]
        if missing:
            raise IndexError(f"call: offset {missing[0]} lies outside {view.buffer} of shape {array.shape}")
        places = np.array([table[int(k)] for k in offsets.flat], np.int64).reshape(offsets.shape)
        return array.reshape(-1), places

    def expect_rows(self, view: View) -> None:
        """Raises IndexError unless the view is row-major without gaps."""
        step = 1
        for size, stride in reversed(list(zip(view.sizes, view.strides, strict=True))):
            if self.dim(size) > 1 and self.dim(stride) != step:
                raise IndexError(f"solve: the matrix in {view.buffer} is not row-major")
            step *= self.dim(size)


def placed(array: Array, buffer: Buffer, written: bool) -> Array:
    """An input as the program sees it: without gaps unless it may have strides, a copy when it is written to."""
    whole = all(s % array.itemsize == 0 for s in array.strides)
    if written or not (array.flags.c_contiguous or (buffer.strides is not None and whole)):
        return array.copy(order="C")
    return array


def addresses(array: Array) -> dict[int, int]:
    """From the distance of an element from the first, in elements, to its place in row-major order."""
    distances = np.zeros((), np.int64)
    for size, stride in zip(array.shape, array.strides, strict=True):
        distances = np.add.outer(distances, np.arange(size) * (stride // array.itemsize))
    return {int(d): k for k, d in enumerate(distances.flat)}


def garbage(shape: tuple[int, ...], dtype: str) -> Array:
    """Memory that nobody has written: values that show when they are used."""
    value = np.nan if dt.is_inexact(dtype) else True if dtype == "bool" else np.iinfo(dtype).max - 88
    return np.full(shape, value, dtype)


def solution(a: Array, b: Array) -> Array | int:
    """x with a x = b by elimination with partial pivoting, or the first column that has no pivot."""
    n, work = len(a), np.concatenate([a, b], axis=1)
    for p in range(n):
        best = p + int(np.argmax(np.abs(work[p:, p])))
        if work[best, p] == 0:
            return p
        work[[p, best]] = work[[best, p]]
        others = np.arange(n) != p
        work[others] -= np.outer(work[others, p] / work[p, p], work[p])
    result: Array = work[:, n:] / np.diagonal(work)[:, None]
    return result


def inside(idx: tuple[Any, ...], shape: tuple[int, ...], name: str, action: str) -> None:
    """Raises IndexError unless the index names an element."""
    if len(idx) != len(shape):
        raise IndexError(f"{action}: {name} of shape {shape} has another rank than the index {plain(idx)}")
    for i, n in zip(idx, shape, strict=True):
        if not 0 <= i < n:
            raise IndexError(f"{action}: index {plain(idx)} lies outside {name} of shape {shape}")


def plain(idx: tuple[Any, ...]) -> tuple[int, ...]:
    """An index as people read it."""
    return tuple(int(i) for i in idx)


# -- scalar operations ------------------------------------------------------------------------------------


@cache
def scalar_type(dtype: str) -> Any:
    """NumPy's class of scalars."""
    return np.dtype(dtype).type


def known(node: Node) -> Callable[[Any], Any]:
    """What gives the value of a name or loop index, and raises NameError before it has one."""

    def check(value: Any) -> Any:
        if value is None:
            raise NameError(f"{node.op.name} {dict(node.attrs)} is used before it has a value")
        return value

    return check


def operation(node: Node) -> Callable[..., Any]:
    """What computes a node from its operands, in the node's dtype."""
    if node.op.name == "meet":  # unequal sizes are what entry checks report, after sizes are known
        return lambda a, b: b if a == 1 else a
    return typed(node.op.evaluate, node.dtype, node.attrs)


@cache
def combining(name: str, dtype: str) -> Callable[[Any, Any], Any]:
    """What joins two values by an associative op."""
    return typed(OPS[name].evaluate, dtype, ())


@cache
def typed(evaluate: Callable[..., Any], dtype: str, attrs: tuple[tuple[str, Any], ...]) -> Callable[..., Any]:
    """An op's NumPy function on scalars, with a result that is a scalar of this dtype."""
    kind, named = scalar_type(dtype), dict(attrs)

    def function(*operands: Any) -> Any:
        value = evaluate(*map(dt.widened, operands), shape=(), **named)
        return value if type(value) is kind else np.asarray(value).astype(dtype)[()]

    return function
