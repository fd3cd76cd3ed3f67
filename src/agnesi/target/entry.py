"""The entry of a compiled function: sizes, checks, results and scratch memory, between the calls of nests."""

from __future__ import annotations

from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import TEMP, Node
from agnesi.ir.type import Dim
from agnesi.loops.stmt import Buffer, Call, Check, For, Let, Program, Set, moments, walk
from agnesi.schedule.short import LEAST, SYMBOLS
from agnesi.target.cfamily import CTYPE, STORED, Printer

BLOCK = 8192  # elements added up before partial results are joined: keeps float32 sums accurate
NEAR = 512  # elements whose arguments are looked at before a loop for ordinary ones is taken
SATURATING = {"add": "ag_plus", "sub": "ag_minus", "mul": "ag_times"}


class Entry(Printer):
    """The lines of the entry function but for the calls of nests.

    Integers wrap, as NumPy's do, but sums and products that are sizes of memory stay the largest integer when they
    overflow, so that no memory is found for them: wrapped ones would look small.
    """

    def __init__(self, program: Program) -> None:
        symbols = {s: f"{name}_d{axis}" for s, (name, axis) in program.symbols.items()}
        super().__init__(program.buffers, {n: program.storage(n) for n in program.buffers}, symbols)
        self.program = program
        self.moments = moments(program)
        self.due = {0, *self.moments.sizes, *self.moments.checks, *self.moments.buffers.values()}
        self.large: dict[Node, str] = {}  # sizes that are computed in two ways

    def dim(self, dim: Dim) -> str:
        if isinstance(dim, int):
            return str(min(dim, dims.LARGEST))
        if dim.op is TEMP:
            return self.large.get(dim) or self.expression(dim)
        if dim.op.name in SATURATING:
            return f"{SATURATING[dim.op.name]}({self.dim(dim.args[0])}, {self.dim(dim.args[1])})"
        return self.expression(dim)

    def inputs(self) -> list[str]:
        """Names for the inputs, their sizes and strides."""
        program = self.program
        lines: list[str] = []
        place = 0
        for number, name in enumerate(program.inputs):
            buffer = program.buffers[name]
            written = name in program.aliases.values()
            ctype = STORED[buffer.dtype]
            lines.append(f"  {'' if written else 'const '}{ctype} *{name} = call->data[{number}];")
            for axis in range(len(buffer.shape)):
                lines.append(f"  const int64_t {name}_d{axis} = call->dims[{place + axis}];")
                if buffer.strides is not None:
                    lines.append(f"  const int64_t {name}_s{axis} = call->strides[{place + axis}];")
            place += len(buffer.shape)
        return lines

    def stage(self, moment: int) -> list[str]:
        """What is known after so many nests: sizes, checks, outputs and scratch memory."""
        if moment not in self.due:
            return []
        program = self.program
        lines: list[str] = []
        for stmt, at in zip(program.sizes, self.moments.sizes, strict=True):
            if at == moment and isinstance(stmt, Check):
                lines.append(f"  {self.check(stmt)}")
            elif at == moment and isinstance(stmt, Let):
                name, ctype = stmt.var["name"], CTYPE[stmt.var.dtype]
                self.local[stmt.var] = name
                lines.append(f"  const {ctype} {name} = {self.expression(stmt.value)};")
                if ctype == "int64_t" and stmt.value.op.name in SATURATING:
                    lines.append(f"  const int64_t {name}_size = {self.dim(stmt.value)};")
                    self.large[stmt.var] = f"{name}_size"
        checks = []
        for check, at in zip(program.checks, self.moments.checks, strict=True):
            if at != moment:
                continue
            left, right = self.dim(check.left), self.dim(check.right)
            action = "return AG_GENERAL" if check.general else f"return ag_fail(call, {check.site}, {left}, {right})"
            if left != right:
                checks.append(f"  if ({left} != {right}) {action};")
        lines += dict.fromkeys(checks)
        return [*lines, *([] if moment else self.short()), *self.outputs(moment), *self.arena(moment)]

    def short(self) -> list[str]:
        """Asks for other code where rows are short and many."""
        sizes = []
        for size, cases in self.program.short.items():
            asked = [f"({self.dim(c.row)} <= {c.most} && {self.dim(c.elements)} >= {LEAST})" for c in cases]
            sizes.append(f"{' || '.join(asked)} ? {self.dim(size)} : 0")
        sizes += ["0"] * (SYMBOLS - len(sizes))
        return [f"  if (call->by_size) AG_BY_SIZE({', '.join(sizes)});"] if self.program.short else []

    def outputs(self, moment: int) -> list[str]:
        program = self.program
        place = sum(len(program.buffers[name].shape) for name in program.inputs)
        lines = []
        for k, name in enumerate(program.outputs):
            buffer = program.buffers[name]
            number = len(program.inputs) + k
            if name not in program.aliases and self.moments.buffers[name] == moment:
                for axis, dim in enumerate(buffer.shape):
                    lines.append(f"  call->dims[{place + axis}] = {self.dim(dim)};")
                lines.append(f"  AG_TRY(call->alloc(call, {number}));")
                lines.append(f"  {STORED[buffer.dtype]} *{name} = call->data[{number}];")
            place += len(buffer.shape)
        return lines

    def arena(self, moment: int) -> list[str]:
        """Offsets of the slots, one behind another with a gap, so that no two lie a page apart."""
        program = self.program
        due = {name: slot for name, slot in program.slots.items() if self.moments.buffers[name] == moment}
        copies = {} if moment else self.copies()
        if moment and not due:
            return []
        lines = ["  bytes = 0;" if moment else "  int64_t bytes = 0;"]
        slots: dict[int, str] = {}
        for name, slot in due.items():
            if slot not in slots:
                slots[slot] = name
                size = self.bytes_of(program.buffers[name])
                lines.append(f"  const int64_t slot{slot} = bytes;")
                lines.append(f"  bytes = ag_plus(bytes, ag_plus({size}, {64 * (1 + slot % 7) + 63})) & ~(int64_t)63;")
        for name, size in copies.items():
            lines.append(f"  const int64_t at_{name} = bytes;")
            lines.append(f"  bytes = ag_plus(bytes, {size});")
        lines.append(f"  AG_TRY(call->{'more' if moment else 'enter'}(call, bytes));")
        for name, slot in due.items():
            if name not in program.aliases:
                ctype = STORED[program.buffers[name].dtype]
                lines.append(f"  {ctype} *{name} = ({ctype} *)(call->arena + slot{slot});")
        for name in copies:
            ctype = STORED[program.buffers[name].dtype]
            lines.append(f"  {ctype} *{name} = ({ctype} *)(call->arena + at_{name});")
        return lines

    def bytes_of(self, buffer: Buffer) -> str:
        """The bytes of a buffer; rows are there for each thread."""
        if buffer.space == "row":
            return f"ag_times({step(buffer, self)}, call->pool->threads * {dt.SIZES[buffer.dtype]})"
        return self.dim(dims.mul(dims.product(buffer.shape), dt.SIZES[buffer.dtype]))

    def copies(self) -> dict[str, str]:
        """The bytes of copies that parts of loops have of buffers to which they add; the first part has the buffer."""
        found = {}
        for loop in (s for nest in self.program.nests for s in walk(nest.body) if isinstance(s, For)):
            for name, copies in loop.copies:
                found[copies] = f"ag_times({self.others(loop)}, {self.bytes_of_copy(name)})"
        return found

    def others(self, loop: For) -> str:
        """How many parts of a loop have copies."""
        return f"(ag_max({self.dim(loop.extent)}, 1) - 1) / {grain(loop, self.program, self)}"

    def bytes_of_copy(self, name: str) -> str:
        """The bytes from one copy of a buffer to the next."""
        buffer = self.program.buffers[name]
        return f"{step(buffer, self)} * {dt.SIZES[buffer.dtype]}"


def step(buffer: Buffer, printer: Printer) -> str:
    """The distance of copies of a buffer, in elements: they begin at cache lines."""
    return f"AG_STEP({printer.dim(dims.product(buffer.shape))}, {dt.SIZES[buffer.dtype]})"


def grain(loop: For, program: Program, printer: Printer) -> str:
    """How many iterations of a shared loop make a part. Few iterations with products stay together, if they add nothing
    up: then the products are shared among threads."""
    sums = any(isinstance(s, Set) for s in loop.body)
    unit = 1 if loop.kind != "simd" else BLOCK if sums else NEAR
    sizes = [dims.product(program.buffers[name].shape) for name, _ in loop.copies]
    copied: Dim = 0
    for size in sizes:
        copied = dims.add(copied, size)
    amounts = (printer.dim(d) for d in (loop.extent, loop.work))
    text = f"call->pool->grain(call->pool, {', '.join(amounts)}, {unit}, {printer.dim(copied)})"
    inside = list(walk(loop.body))
    if loop.copies or any(isinstance(s, Set) for s in inside) or not any(isinstance(s, Call) for s in inside):
        return text
    n = printer.dim(loop.extent)
    return f"({n} < call->pool->threads ? ag_max({n}, 1) : {text})"
