"""What became of a function, as text: rules, nests and their reasons, work, memory, the cache, the C text."""

from __future__ import annotations

from collections.abc import Iterable

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES, is_inexact
from agnesi.ir.node import topological
from agnesi.ir.show import pprint
from agnesi.ir.type import Dim
from agnesi.loops.stmt import (
    Buffer,
    Call,
    For,
    Let,
    Nest,
    Program,
    Set,
    Stmt,
    Store,
    read_buffers,
    written_buffers,
)  # fmt: skip
from agnesi.pipeline import Compilation

ELEMENTARY = 20  # the cost from which an op counts as an elementary function rather than a flop


def report(job: Compilation, name: str, verdict: str, source: bool) -> str:
    """The text of f.explain()."""
    program = job.program
    assert program is not None
    fired = ", ".join(f"{rule} x{n}" if n > 1 else rule for rule, n in job.report.fired.most_common())
    lines = [
        f"function {name or '(unnamed)'}: {len(job.graph.order)} nodes, {len(program.nests)} nests",
        f"cache: {verdict or 'not asked yet'}",
        f"rules: {fired or 'none fired'}",
        f"seconds: {', '.join(f'{k} {v:.4f}' for k, v in job.seconds.items() if v >= 5e-5)}",
        f"memory: {peak(program)} bytes of scratch"
        + (f"; in place: {', '.join(f'{a} over {b}' for a, b in program.aliases.items())}" if program.aliases else ""),
        "outputs: " + ", ".join(f"out{k} = {o.type}" for k, o in enumerate(job.results.outputs)),
    ]
    for nest in program.nests:
        lines += describe(nest, program)
    return "\n".join([*lines, *([job.text] if source else [])])


def describe(nest: Nest, program: Program) -> list[str]:
    """A nest: its loops, its work, the bytes of the arrays it touches, and why it is one."""
    work: dict[str, dict[Dim, int]] = {"flops": {}, "elementary functions": {}}
    loops: list[str] = []
    for stmt, extents in enclosed(nest.body):
        if isinstance(stmt, For):
            loops.append(f"{'  ' * len(extents)}i{stmt.index['level']} < {size_text(stmt.extent)}")
        count_work(stmt, dims.product(extents), work)
    read, written = read_buffers(nest.body), written_buffers(nest.body)
    counts = [f"{total(sizes)} {what}" for what, sizes in work.items() if sizes]
    traffic = f"reads {bytes_text(read, program)}; writes {bytes_text(written, program)}"
    reasons = [f"  - {reason}" for reason in nest.reason.splitlines()]
    return [f"{nest.name}: {', '.join(counts) or 'no arithmetic'}; {traffic}", *reasons, *(f"  {x}" for x in loops)]


def enclosed(body: Iterable[Stmt]) -> list[tuple[Stmt, tuple[Dim, ...]]]:
    """Every statement with the extents of the loops around it."""
    found: list[tuple[Stmt, tuple[Dim, ...]]] = []
    stack: list[tuple[Stmt, tuple[Dim, ...]]] = [(s, ()) for s in reversed(list(body))]
    while stack:
        stmt, extents = stack.pop()
        found.append((stmt, extents))
        if isinstance(stmt, For):
            stack += [(s, (*extents, stmt.extent)) for s in reversed(stmt.body)]
    return found


def count_work(stmt: Stmt, times: Dim, work: dict[str, dict[Dim, int]]) -> None:
    """Adds the floating operations and elementary functions of a statement, `times` over."""
    if isinstance(stmt, Call) and stmt.name == "gemm":
        a, b = stmt.reads
        times = dims.product([times, *a.sizes, b.sizes[1]])
        work["flops"][times] = work["flops"].get(times, 0) + 2
    if not isinstance(stmt, (Let, Set, Store)):
        return
    ops = [n.op for n in topological([stmt.value]) if n.op.kind == "elementwise" and is_inexact(n.dtype)]
    combine = isinstance(stmt, (Set, Store)) and bool(stmt.combine)
    for what, n in (
        ("flops", sum(op.cost < ELEMENTARY for op in ops) + combine),
        ("elementary functions", sum(op.cost >= ELEMENTARY for op in ops)),
    ):
        if n:
            work[what][times] = work[what].get(times, 0) + n


def total(sizes: dict[Dim, int]) -> str:
    """A sum of multiples of sizes as text."""
    return " + ".join(str(n) if d == 1 else f"{n}*{size_text(d)}" if n > 1 else size_text(d) for d, n in sizes.items())


def size_text(dim: Dim) -> str:
    """A size as a formula."""
    return str(dim) if isinstance(dim, int) else pprint([dim])


def bytes_text(names: set[str], program: Program) -> str:
    """The bytes of some buffers."""
    sizes: dict[Dim, int] = {}
    for name in sorted(names):
        buffer = program.buffers[name]
        count = dims.product(buffer.shape)
        sizes[count] = sizes.get(count, 0) + SIZES[buffer.dtype]
    return f"{total(sizes) or 'no'} bytes ({', '.join(sorted(names)) or 'nothing'})"


def peak(program: Program) -> str:
    """The size of the arena."""
    slots: dict[int, Buffer] = {}
    for name, slot in program.slots.items():
        slots.setdefault(slot, program.buffers[name])
    sizes: dict[Dim, int] = {}
    for buffer in slots.values():
        count = dims.product(buffer.shape)
        sizes[count] = sizes.get(count, 0) + SIZES[buffer.dtype]
    return total(sizes) or "no"
