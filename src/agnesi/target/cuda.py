"""Programs as kernels and the C text that starts them.

The entry is that of a C program; a nest becomes kernels, one for each outermost loop that a grid carries out and for
what stands between two of them. Scalars of a nest live in memory from one kernel to the next. What the blocks of a grid
add up is left in parts, and joined by the kernel after it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from agnesi.errors import CompileError
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import CONST, Node, topological
from agnesi.ir.type import Dim
from agnesi.loops.parallel import Sharing, sharing
from agnesi.loops.stmt import (
    Buffer,
    Call,
    For,
    Let,
    Nest,
    Program,
    Set,
    Stmt,
    is_shared,
    values,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.target.c import headers
from agnesi.target.cfamily import CTYPE, STORED, loaded, stored
from agnesi.target.entry import Entry, step
from agnesi.target.kernel import SLOT, KernelPrinter
from agnesi.target.nest import Functions, NestPrinter

ELEMENT = {"f32": "float", "f64": "double", "c64": "ag_c64", "c128": "ag_c128"}
ON_HOST = ("gemm", "python")  # what a library or Python does on whole arrays


JOIN = """struct NAME_args {{ {held} *to; const {held} *copies; int64_t size, step, count; }};
AG_KERNEL(NAME) {{
  for (int64_t j = AG_BLOCK * AG_THREADS + AG_THREAD; j < a.size; j += AG_BLOCKS * AG_THREADS) {{
    {ctype} x = {to};
    for (int64_t k = 0; k < a.count; k++) {{
      const {ctype} y = {copy};
      x = {joined};
    }}
    a.to[j] = {store};
  }}
}}"""


# -- nests in stages ----------------------------------------------------------------------------------------


@dataclass
class Stage:
    """What one kernel, or a call of a library, does of a nest. totals: what the grid before it has left in parts."""

    body: list[Stmt]
    grid: For | None = None
    on_host: bool = False
    totals: dict[Node, str] = field(default_factory=dict)


def stages(nest: Nest, program: Program) -> list[Stage]:
    """A nest in stages: grids, calls of libraries, and what stands between them."""
    made = {s.var for s in nest.body if isinstance(s, Let)}
    found: list[Stage] = []
    fresh = True  # whether a new stage begins
    for stmt in nest.body:
        if isinstance(stmt, For) and is_shared(stmt):
            totals = dict(shared_by(stmt, program).totals)
            found.append(Stage([stmt], stmt))
            if totals:
                found.append(Stage([], totals=totals))
            fresh = not totals
        elif isinstance(stmt, Call) and stmt.name in ON_HOST and made.isdisjoint(stmt.nodes):
            found.append(Stage([stmt], on_host=True))
            fresh = True
        else:
            if fresh:
                found.append(Stage([]))
            found[-1].body.append(stmt)
            fresh = False
    return found


def shared_by(loop: For, program: Program) -> Sharing:
    """What the blocks of a grid need to share its loop."""
    found = sharing(loop, program)
    assert isinstance(found, Sharing)
    return found


def kept_scalars(parts: list[Stage]) -> list[Node]:
    """The scalars that live from one kernel of a nest to another."""
    places: dict[Node, set[int]] = {}
    for k, stage in enumerate(parts):
        used = [*topological(v for s in walk(stage.body) for v in values(s)), *stage.totals]
        for var in [*used, *(s.var for s in walk(stage.body) if isinstance(s, (Let, Set)))]:
            places.setdefault(var, set()).add(k)
    outside = {s.var for stage in parts for s in stage.body if isinstance(s, Let)}
    return [var for var, where in places.items() if len(where) > 1 and var in outside]


def starts(parts: list[Stage], program: Program) -> dict[Node, Node]:
    """Constants that accumulators begin with, where the first stage sets nothing else, so that it can be left out: the
    stages that join what grids have added up know them."""
    first = parts[0]
    constant = all(isinstance(s, Let) and s.value.op is CONST for s in first.body)
    if first.grid is not None or first.on_host or not constant:
        return {}
    found = {s.var: s.value for s in first.body if isinstance(s, Let)}
    joined: set[Node] = set()
    for stage in parts[1:]:
        joined |= set(stage.totals)
        apart = set(shared_by(stage.grid, program).totals) if stage.grid else set()
        used = {*topological(v for s in walk(stage.body) for v in values(s))}
        used |= {s.var for s in walk(stage.body) if isinstance(s, Set)}
        if (used & set(found)) - joined - apart:
            return {}
    return found if joined.issuperset(found) else {}


# -- kernels and their start --------------------------------------------------------------------------------


@dataclass
class Kernels:
    """The kernels of a program; alike ones are one. kept: the most scalars that a nest keeps in memory."""

    program: Program
    texts: dict[str, str] = field(default_factory=dict)
    support: dict[str, None] = field(default_factory=dict)
    kept: int = 0
    fails: bool = False

    def add(self, printer: KernelPrinter) -> str:
        """The name of a kernel."""
        text = printer.kernel()
        self.support |= printer.support
        self.fails |= printer.fails
        return self.texts.setdefault(text, f"kernel{len(self.texts)}")

    def definitions(self) -> list[str]:
        """The texts of the kernels under their names."""
        return [re.sub(r"\bNAME(_args)?\b", rf"{name}\1", text) for text, name in self.texts.items()]

    def emit(self, nest: Nest, entry: DeviceEntry, functions: Functions) -> list[str]:
        """The lines that carry out a nest."""
        parts = stages(nest, self.program)
        kept = {var: k for k, var in enumerate(kept_scalars(parts))}
        self.kept = max(self.kept, len(kept))
        known = starts(parts, self.program)
        parts = parts[1:] if known else parts
        made = {s.var for s in nest.body if isinstance(s, Let)}
        lines: list[str] = []
        for stage in parts:
            if stage.on_host:
                lines += HostPrinter(entry, stage.body, functions).emit()
                continue
            found = shared_by(stage.grid, self.program) if stage.grid else Sharing()
            partial = found.totals
            begin = {var: known.pop(var) for var in stage.totals if var in known}
            printer = KernelPrinter(entry, stage.body, kept, stage.totals, stage.grid, partial, found.added, begin)
            name = self.add(printer)
            count = "1"
            if stage.grid is not None:
                loops = printer.flat(stage.grid) if printer.serial else [stage.grid]
                n: Dim = 1
                for loop in loops:
                    n = dims.mul(n, loop.extent)
                late = isinstance(n, Node) and made.intersection(topological([n]))
                each = "AG_MOST_THREADS" if printer.serial else "1"
                count = "AG_MOST_BLOCKS" if late else f"ag_blocks({entry.dim(n)}, {each})"
                count = entry.copying(stage.grid) if stage.grid.copies else count
            if partial:
                lines.append(f"  count = {count};")
                count = "count"
            threads = "AG_MOST_THREADS" if printer.wide else "1"
            given = f"(const struct {name}_args){{{', '.join(printer.given())}}}"
            lines.append(f"  AG_LAUNCH({name}, {count}, {threads}, {int(printer.barriers)}, {given});")
            if printer.fails:
                lines.append("  AG_ASK;")
            for buffer, copies in stage.grid.copies if stage.grid else ():
                lines += self.join(buffer, copies, printer, count, entry)
        return lines

    def join(self, buffer: str, copies: str, printer: KernelPrinter, count: str, entry: Entry) -> list[str]:
        """The line that joins the copies of blocks with the original, the first ones first."""
        whole = self.program.buffers[buffer]
        held, ctype = STORED[whole.dtype], CTYPE[whole.dtype]
        joined = printer.strip(printer.join(printer.added[buffer], whole.dtype, "x", "y"))
        self.support |= printer.support
        text = JOIN.format(
            held=held, ctype=ctype, joined=joined, to=loaded("a.to[j]", whole.dtype), store=stored("x", whole.dtype),
            copy=loaded("a.copies[k * a.step + j]", whole.dtype),
        )  # fmt: skip
        name = self.texts.setdefault(text, f"kernel{len(self.texts)}")
        size, place = entry.dim(dims.product(whole.shape)), entry.pointer(buffer)
        given = f"{{{place}, {entry.pointer(copies)}, {size}, {step(whole, entry)}, {count} - 1}}"
        grid = f"ag_blocks({size}, AG_MOST_THREADS), AG_MOST_THREADS, 0"
        return [f"  AG_LAUNCH({name}, {grid}, (const struct {name}_args){given});"]


class HostPrinter(NestPrinter):
    """Calls of a library on whole arrays, made by the host: scalars that they are given come from the device."""

    def element(self, name: str, indices: tuple[Node, ...]) -> str:
        return f"AG_FETCH({super().element(name, indices)})"


class DeviceEntry(Entry):
    """The entry of a function on a device: its scratch has a row for each block, and what kernels leave each other."""

    def element(self, name: str, indices: tuple[Node, ...]) -> str:
        """An element that a size depends on, from the device's memory."""
        return f"AG_FETCH({super().element(name, indices)})"

    def bytes_of(self, buffer: Buffer) -> str:
        if buffer.space == "row":
            return f"ag_times({step(buffer, self)}, AG_MOST_BLOCKS * {dt.SIZES[buffer.dtype]})"
        return super().bytes_of(buffer)

    def copying(self, loop: For) -> str:
        """The number of blocks of a grid each of which has copies of what all add to."""
        sizes = " + ".join(self.bytes_of_copy(name) for name, _ in loop.copies)
        return f"ag_copying({self.dim(loop.extent)}, {sizes})"

    def others(self, loop: For) -> str:
        return f"{self.copying(loop)} - 1"

    def arena(self, moment: int) -> list[str]:
        lines = super().arena(moment)
        if moment:
            return lines
        lines[1:1] = [f"  bytes = AG_ALIGN(KEPT * {SLOT} * (1 + AG_MOST_BLOCKS));"]
        return [*lines, f"  char *const scalars = call->arena, *const parts = scalars + KEPT * {SLOT};"]


class Device:
    """The texts of a program for a device: its kernels, and what starts them. names: of the kernels; fails: whether any
    has checks; support: what the host's part needs."""

    def __init__(self, program: Program) -> None:
        entry, functions, kernels = DeviceEntry(program), Functions(program), Kernels(program)
        lines = [*entry.inputs(), *entry.stage(0)]
        given = {name for name, buffer in program.buffers.items() if buffer.space == "input"}
        settled = False  # whether it was asked what has failed before something is written in place
        for number, nest in enumerate(program.nests):
            in_place = given & {program.storage(name) for name in written_buffers(nest.body)}
            lines += ["  AG_END;"] if in_place and kernels.fails and not settled else []
            settled |= bool(in_place)
            lines += kernels.emit(nest, entry, functions)
            lines += entry.stage(number + 1)
        start = ["  AG_RECORD;"] if kernels.fails else []
        lines = [*start, "  int64_t count = 0;", *(line.replace("KEPT", str(kernels.kept)) for line in lines)]
        called = [f.definition("AG_NEST") for f in [*functions.pure.values(), *functions.wholes.values()]]
        main = ["int ag_main(struct ag_call *call) {", *lines, "  AG_END;", "  AG_LEAVE();", "  return AG_OK;", "}"]
        self.support = list(entry.support | functions.support)
        self.host = "\n\n".join([*called, "\n".join(main)]) + "\n"
        self.texts = [*kernels.support, *kernels.definitions()]
        self.names = list(kernels.texts.values())
        self.fails = kernels.fails


def emulated(program: Program) -> list[str]:
    """The C text of a program whose kernels are emulated and called directly."""
    made = Device(program)
    text = "\n\n".join([*made.support, *made.texts, made.host])
    return [f'{headers(text)}\n#include "ag_kernel.h"\n\n{text}']


class Driven:
    """The texts of a program whose kernels are started through a driver: what the device runs, and the host's part.

    names: of the kernels, by number; waits: whether the host's part waits for what kernels find.
    """

    def __init__(self, program: Program) -> None:
        made = Device(program)
        self.waits = made.fails or "AG_FETCH(" in made.host
        if "call->python(" in made.host:
            raise CompileError("a Python function is not there for this device")
        products = {k: ELEMENT[k] for k in sorted(set(re.findall(r"library->gemm_(\w+)\(", made.host)))}
        given = [f"AG_GEMM_ARGS(gemm_{suffix}, {element})" for suffix, element in products.items()]
        self.names = [*made.names, *(f"gemm_{suffix}" for suffix in products)]
        self.kernels = [*made.texts, *given, *(f"AG_GEMM_KERNEL(gemm_{k}, {e})" for k, e in products.items())]
        structs = [line for text in made.texts for line in text.splitlines() if line.startswith("struct ")]
        self.structs = [*given, *structs]
        self.host = [
            f"#define AG_RECORDED {'record' if made.fails else 'NULL'}",
            *([f"enum {{ {', '.join(f'{name}_number' for name in self.names)} }};"] if self.names else []),
            *(f"AG_DEVICE_GEMM({suffix}, {element})" for suffix, element in products.items()),
            *made.support,
            made.host.replace("call->library->gemm_", "ag_gemm_"),
        ]

    def device_text(self) -> str:
        """The CUDA text of the kernels."""
        text = "\n\n".join(self.kernels)
        included = headers(text).replace('#include "ag_support.h"', '#include "ag_cuda.h"')
        return f'{included}\n#include "ag_kernel.h"\n\n{text}\n'

    def host_text(self) -> str:
        """The C text of the host's part, for a real device."""
        text = "\n\n".join([*self.structs, *self.host])
        return f'{headers(text)}\n#define AG_REAL\n#include "ag_device.h"\n\n{text}'

    def emulated_text(self) -> str:
        """The C text of the host's part, of kernels that are emulated, and of a driver for them."""
        table = f"void *const ag_kernels[] = {{{''.join(f'{name}_run, ' for name in self.names)}0}};"
        text = "\n\n".join([*self.kernels, table, '#include "ag_device.h"', *self.host])
        return f'{headers(text)}\n#define AG_DRIVEN\n#include "ag_kernel.h"\n\n{text}'
