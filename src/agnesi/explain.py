"""What became of a function, as text: rules, nests and their reasons, work, memory, time, the cache, the C text."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES, is_complex, is_inexact
from agnesi.ir.node import Node, topological
from agnesi.ir.show import pprint
from agnesi.ir.type import Dim, same
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
    is_shared,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.ops.elementwise import copy
from agnesi.pipeline import Compilation

ELEMENTARY = 20  # the cost from which an op counts as an elementary function rather than a flop
WIDTH = 120
LABEL = 11  # the width of the first column


class Amount:
    """A polynomial in sizes, such as a number of bytes or of operations: factors of products of sizes."""

    def __init__(self) -> None:
        self.terms: dict[frozenset[tuple[Node, int]], int] = {}

    def add(self, size: Dim, times: int = 1) -> None:
        """Adds a multiple of a size."""
        terms, constant = dims.linear(size)
        parts: list[tuple[Dim, int]] = [*terms.items(), (1, constant)]
        for part, factor in parts:
            number, powers = dims.factors([part])
            if number * factor * times:
                self.terms[powers] = self.terms.get(powers, 0) + number * factor * times

    def __str__(self) -> str:
        texts = []
        for powers, number in sorted(self.terms.items(), key=lambda item: -sum(power for _, power in item[0])):
            names = sorted(size_text(size) + (f"^{power}" if power > 1 else "") for size, power in powers)
            texts.append(" ".join([*([f"{number:,}"] if number > 1 or not names else []), *names]))
        return " + ".join(texts) or "0"


class Work:
    """What nests do: operations, elementary functions, library calls, bytes read and written."""

    def __init__(self) -> None:
        self.flops, self.functions, self.read, self.written = Amount(), Amount(), Amount(), Amount()
        self.calls: Counter[str] = Counter()

    def add(self, nest: Nest, program: Program) -> None:
        """Counts a nest: every statement as often as its loops say, every array that it touches once, but no scratch of
        threads."""
        for stmt, extents in enclosed(nest.body):
            self.count(stmt, dims.product(extents))
        for amount, names in ((self.read, read_buffers(nest.body)), (self.written, written_buffers(nest.body))):
            for name in names:
                if program.buffers[name].space != "row":
                    amount.add(*bytes_of(program.buffers[name]))

    def count(self, stmt: Stmt, times: Dim) -> None:
        """Adds the operations of a statement, `times` over."""
        if isinstance(stmt, Call):
            self.calls[stmt.name] += 1
            if stmt.name == "gemm":
                a, b = stmt.reads
                self.flops.add(dims.product([times, *a.sizes, b.sizes[1]]), 8 if is_complex(stmt.dtype) else 2)
        if not isinstance(stmt, (Let, Set, Store)):
            return
        found = (n for n in topological([stmt.value]) if n.op.kind == "elementwise" and is_inexact(n.dtype))
        ops = [n.op for n in found if n.op is not copy]
        combine = isinstance(stmt, (Set, Store)) and bool(stmt.combine)
        self.flops.add(times, sum(op.cost < ELEMENTARY for op in ops) + combine)
        self.functions.add(times, sum(op.cost >= ELEMENTARY for op in ops))

    def __str__(self) -> str:
        calls = [f"calls of {counted(self.calls)}"] if self.calls else []
        amounts = ((self.flops, "flops"), (self.functions, "elementary functions"))
        return ", ".join([*(f"{amount} {what}" for amount, what in amounts if amount.terms), *calls]) or "none"


def report(job: Compilation, name: str, mode: str, verdict: str, source: bool) -> str:
    """The text of f.explain(): a row for each thing there is to know, then a block for each nest."""
    program = job.program
    assert program is not None
    names = buffer_names(job, program)
    total = Work()
    for nest in program.nests:
        total.add(nest, program)
    variant = "common variant" if job.common else "general variant"
    if job.fixed:
        variant = f"variant for {', '.join(f'{size_text(size)} = {n}' for size, n in job.fixed.items())}"
    nests = f"{len(program.nests)} nest{'s' * (len(program.nests) != 1)}"
    lines = [
        *row("rules", [counted(job.report.fired) or "none fired"]),
        *row("work", [str(total)]),
        *row("traffic", [f"{total.read} bytes read, {total.written} written"]),
        *row("memory", memory_texts(program, names)),
        *row("cache", [verdict]),
        *row("seconds", second_texts(job.seconds)),
    ]
    for nest in program.nests:
        lines += ["", nest.name, *describe(nest, program, names)]
    head = [
        f"function {name or '(unnamed)'}: {len(job.graph.order)} nodes, {nests}; {variant}, mode {mode}"
        f"{'' if job.device == 'cpu' else f', {job.device}'}",
        *row("outputs", [f"{names[f'out{k}']}: {node.type}" for k, node in enumerate(job.results.outputs)]),
        *row("updates", update_texts(job, names)),
        *row("sizes", size_texts(program, "\n".join(lines))),
        *row("short", [f"code of its own for {size_text(size)} where it makes rows short" for size in program.short]),
    ]
    return "\n".join([*head, *lines, *(["", job.text] if source else [])])


def row(label: str, texts: Iterable[str]) -> list[str]:
    """Lines with a label before them and a margin below it; nothing where there is nothing to say."""
    text = "; ".join(texts)
    margin = " " * LABEL
    return textwrap.wrap(f"  {label:{LABEL - 2}}{text}", WIDTH, subsequent_indent=margin) if text else []


def describe(nest: Nest, program: Program, names: dict[str, str]) -> list[str]:
    """A nest: its loops, its work, the bytes of the arrays it touches, and why its values are kept."""
    work = Work()
    work.add(nest, program)
    read, written = (
        ", ".join(sorted(names[b] for b in found if program.buffers[b].space != "row"))
        for found in (read_buffers(nest.body), written_buffers(nest.body))
    )
    reasons = []
    for text, times in Counter(nest.reason.splitlines()).items():
        op, _, reason = text.rstrip(")").partition(" (")
        reasons.append(f"{op}{f' x{times}' if times > 1 else ''}: {reason.removeprefix(op + ' ')}")
    return [
        *row("loops", [loops_text(nest.body)]),
        *row("threads", [*thread_texts(nest, names), *together_texts(nest, program)]),
        *row("work", [str(work)]),
        *row("reads", [f"{work.read} bytes: {read}"] if read else []),
        *row("writes", [f"{work.written} bytes: {written}"]),
        *(line for k, reason in enumerate(reasons) for line in row("" if k else "why", [reason])),
    ]


def thread_texts(nest: Nest, names: dict[str, str]) -> list[str]:
    """How threads share each of the outermost loops, or why not."""
    texts = [re.sub(r"\b(in|out|tmp|row)\d+\b", lambda word: names.get(word[0], word[0]), t) for t in nest.threads]
    products = any(isinstance(s, Call) and s.name == "gemm" for s in walk(nest.body))
    if len(set(texts)) > 1:
        loops = [s for s in nest.body if isinstance(s, For)]
        texts = [f"{loop_size(loop)}: {text}" for loop, text in zip(loops, texts, strict=True)]
    return [*dict.fromkeys(texts), *(["products: shared where they are large"] if products else [])]


def together_texts(nest: Nest, program: Program) -> list[str]:
    """Which nests are carried out at the same time."""
    groups = (program.nests[g.first : g.first + g.count] for g in program.together)
    found = [[n.name for n in group if n is not nest] for group in groups if nest in group]
    return [f"at the same time as {' and '.join(others)}, where steps are short" for others in found]


def loop_size(loop: For) -> str:
    """How many iterations a loop has."""
    names = {0: "otherwise", 1: "strips"}
    if loop.whole in names:
        return names[loop.whole]
    return "side" if loop.kind == "once" else size_text(loop.iterations)


def loops_text(body: Sequence[Stmt]) -> str:
    """The loops of a nest: `n { 10; 10 simd }` is a loop over n around two others, `n by 8 { 10 simd }` one that does 8
    iterations at a time, since they add to the same elements, and `side { n }` part of a branch. Where results are
    large, loops marked "streaming" write them past the caches."""
    texts = []
    for loop in (s for s in body if isinstance(s, For)):
        inner = loops_text(loop.body)
        kind = (" par" if is_shared(loop) else "") + (" simd" if loop.kind == "simd" else "")
        kind += f" by {loop.rows}" if loop.rows > 1 else ""
        kind += "" if same(loop.streaming, 0) else " streaming"
        texts.append(loop_size(loop) + kind + (f" {{ {inner} }}" if inner else ""))
    return "; ".join(texts)


def enclosed(body: Iterable[Stmt]) -> list[tuple[Stmt, tuple[Dim, ...]]]:
    """Every statement with the extents of the loops around it."""
    found: list[tuple[Stmt, tuple[Dim, ...]]] = []
    stack: list[tuple[Stmt, tuple[Dim, ...]]] = [(s, ()) for s in reversed(list(body))]
    while stack:
        stmt, extents = stack.pop()
        found.append((stmt, extents))
        if isinstance(stmt, For):
            stack += [(s, (*extents, stmt.iterations)) for s in reversed(stmt.body)]
    return found


def buffer_names(job: Compilation, program: Program) -> dict[str, str]:
    """What buffers are called: inputs and updates by their variables' names, the rest by what they are."""
    names = {name: name for name in program.buffers}
    for k, node in enumerate(job.graph.inputs):
        names[f"in{k}"] = str(node["tag"]) or f"in{k}"
    for new, old in job.updates:
        names[f"out{new}"] = f"new {names[f'in{old}']}"
    return names


def size_texts(program: Program, mentioned: str) -> list[str]:
    """What the names of computed sizes in a text stand for."""
    symbols = {f"{name}_d{axis}": str(symbol["name"]) for symbol, (name, axis) in program.symbols.items()}
    found: list[str] = []
    for let in reversed([s for s in program.sizes if isinstance(s, Let)]):
        name = str(let.var["name"])
        if re.search(rf"\b{name}\b", mentioned):
            formula = re.sub(r"\bin\d+_d\d+\b", lambda word: symbols.get(word[0], word[0]), size_text(let.value))
            found.append(f"{name} = {formula}")
            mentioned += f"\n{formula}"
    return found[::-1]


def update_texts(job: Compilation, names: dict[str, str]) -> list[str]:
    """Where each update is written."""
    places = zip(job.updates, job.donated, strict=True)
    return [f"{names[f'in{old}']} {'in place' if given else 'into new memory'}" for (_, old), given in places]


def memory_texts(program: Program, names: dict[str, str]) -> list[str]:
    """Bytes of results and scratch, which together are the peak, and which arrays take the place of which."""
    results, scratch, peak = Amount(), Amount(), Amount()
    slots: dict[int, Buffer] = {}
    for name, slot in program.slots.items():
        slots.setdefault(slot, program.buffers[name])
    for buffer in slots.values():
        scratch.add(*bytes_of(buffer))
        peak.add(*bytes_of(buffer))
    for name in program.outputs:
        if name not in program.aliases:
            results.add(*bytes_of(program.buffers[name]))
            peak.add(*bytes_of(program.buffers[name]))
    over = [f"{names[a]} over {names[b]}" for a, b in program.aliases.items() if a not in program.outputs]
    return [f"{peak} bytes at most: results {results}, scratch {scratch}", *([", ".join(over)] if over else [])]


def second_texts(seconds: dict[str, float]) -> list[str]:
    """The time of all passes with the longest of them, and of the C compiler if it ran."""
    passes = {name: t for name, t in seconds.items() if name != "compile"}
    longest = sorted((name for name, t in passes.items() if t >= 5e-5), key=lambda name: -passes[name])
    parts = ", ".join(f"{name} {passes[name]:.4f}" for name in longest)
    compiler = [f"C compiler {seconds['compile']:.4f}"] if "compile" in seconds else []
    return [f"passes {sum(passes.values()):.4f}" + (f" ({parts})" if parts else ""), *compiler]


def counted(counts: Counter[str]) -> str:
    """Names with the number of times where it is more than one."""
    return ", ".join(f"{name} x{n}" if n > 1 else name for name, n in counts.most_common())


def size_text(dim: Dim) -> str:
    """A size as a formula."""
    return str(dim) if isinstance(dim, int) else pprint([dim])


def bytes_of(buffer: Buffer) -> tuple[Dim, int]:
    """The number of elements of a buffer, and the bytes of each."""
    return dims.product(buffer.shape), SIZES[buffer.dtype]
