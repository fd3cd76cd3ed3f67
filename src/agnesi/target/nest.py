"""Nests as C functions; loops that threads share as functions of parts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from agnesi.ir import dims
from agnesi.ir.node import Node, topological
from agnesi.loops.parallel import Sharing, sharing
from agnesi.loops.stmt import For, Let, Nest, Program, Stmt, Together, is_shared, walk
from agnesi.schedule.strips import has_functions
from agnesi.target.body import BodyPrinter, is_quick, neutral_text
from agnesi.target.cfamily import CTYPE, STORED, Printer, loaded, stored, weight
from agnesi.target.entry import grain, step
from agnesi.target.strides import reads_windows

DIGITS = 12  # of a name that tells what a function does
LONG_LOOP = 65536  # steps of a few operations from which a loop can be interrupted
SLOW = 256  # how many of these a step with loops and calls counts for

PART = """struct NAME_args {
FIELDS
};

static int NAME_part(struct ag_call *call, const void *args, int64_t lo, int64_t hi, int32_t thread) {
  const struct NAME_args *a = args;
LINES
}"""


TOGETHER = """struct NAME_args {
FIELDS
};

static int NAME_part(struct ag_call *call, const void *args, int64_t lo, int64_t hi, int32_t thread) {
  const struct NAME_args *a = args;
  (void)thread;
  for (int64_t k = lo; k < hi; k++)
    switch (k) {
CASES
    }
  return AG_OK;
}"""


@dataclass
class Function:
    """A C function, named after its content: alike ones are one. vectors: what it says of their width, if anything: the
    widest are for loops with elementary functions, which compute rather than wait, half of that for windows. part: how
    threads call it, if they do. support: the definitions that it uses."""

    name: str
    returns: str
    text: str
    vectors: str
    part: str
    support: dict[str, None]

    @property
    def weight(self) -> int:
        """What takes a compiler some 2 ms each."""
        return weight(self.text)

    def head(self) -> str:
        return f"{self.returns} {self.name}{self.text[: self.text.index(') {') + 1]}"

    def definition(self, qualifier: str) -> str:
        """The function."""
        return f"{qualifier} {self.vectors}{self.returns} {self.name}{self.text}"


@dataclass
class Functions:
    """The functions of a program. pure: those that call no others, so that they may stand in any unit. wholes: nests
    whose loops are functions of their own. groups: the texts by which threads call several nests."""

    program: Program
    pure: dict[str, Function] = field(default_factory=dict)
    wholes: dict[str, Function] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    support: dict[str, None] = field(default_factory=dict)

    def add(self, printer: BodyPrinter, text: str, part: str = "", whole: bool = False) -> str:
        """Takes in a function that a printer has made, unless it is there already; its name."""
        self.support |= printer.support
        table = self.wholes if whole else self.pure
        digest = hashlib.sha256(f"{text}{part}".encode()).hexdigest()[:DIGITS]
        name = f"{'whole' if whole else 'nest'}_{digest}"
        returns = "int" if printer.fails else "void"
        made = Function(name, returns, text, vectors_of(printer), part.replace("NAME", name), dict(printer.support))
        return table.setdefault(text + part, made).name

    def emit(self, nest: Nest, entry: Printer) -> list[str]:
        """The lines that carry out a nest."""
        first = nest.body[0]
        if len(nest.body) == 1 and isinstance(first, For) and is_shared(first) and not totals_of(first, self.program):
            return LoopPrinter(entry, first, self).emit()
        return NestPrinter(entry, nest.body, self).emit()

    def emit_together(self, group: Together, nests: Sequence[Nest], entry: Printer) -> list[str]:
        """The lines that carry out nests at the same time, or one after another where threads share their steps."""
        fields, values, cases, alone = [], [], [], []
        for k, nest in enumerate(nests):
            printer = NestPrinter(entry, nest.body, self)
            name, passed = printer.make(), printer.parameters()
            fields += [f"  {p.ctype}{p.name}_{k};" for p in passed]
            values += [p.argument for p in passed]
            cases.append(f"    case {k}:{printer.invocation(name, [f'a->{p.name}_{k}' for p in passed])}")
            cases.append("      break;")
            alone.append(f"  {printer.invocation(name, [p.argument for p in passed])}")
        text = TOGETHER.replace("FIELDS", "\n".join(fields)).replace("CASES", "\n".join(cases))
        name = f"together_{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
        self.groups[name] = text.replace("NAME", name)
        n, work = len(nests), f"{entry.dim(group.work)} / {len(nests)}"
        size = f"call->pool->grain(call->pool, {n}, {work}, 1, 0)"
        short = [f"{entry.dim(d)} < call->pool->worth" for d in group.inside]
        return [
            f"  if ({' && '.join(['call->pool->threads > 1', *short])}) {{",
            "    AG_TRY(call->poll(call));",
            f"    AG_SHARE({name}, {n}, {size}, {work}, {', '.join(values)});",
            "  } else {",
            *alone,
            "  }",
        ]


def vectors_of(printer: BodyPrinter) -> str:
    """What the text of a function says of the width of vectors."""
    inside = walk(printer.body)
    if any(map(has_functions, inside)):
        return "AG_WIDE "
    return "AG_HALF " if any(isinstance(s, For) and reads_windows(s, printer.buffers) for s in inside) else ""


def totals_of(loop: For, program: Program) -> bool:
    """Whether parts of a loop give back what is to be joined."""
    found = sharing(loop, program)
    return isinstance(found, Sharing) and bool(found.totals or found.added)


class NestPrinter(BodyPrinter):
    """A nest as a function."""

    def __init__(self, entry: Printer, body: list[Stmt], functions: Functions) -> None:
        super().__init__(entry, body)
        self.functions = functions
        self.stepping = ""  # in a loop of steps: "together" where threads share its loops, or "alone"
        self.grains: dict[str, str] = {}  # of loops inside loops of steps, by their text
        self.shares = any(isinstance(s, For) and is_shared(s) for s in walk(body))
        self.fails, self.calls = self.fails or self.shares, self.calls or self.shares

    def emit(self) -> list[str]:
        """Makes the function; the line that calls it."""
        name = self.make()
        return [self.invocation(name, [p.argument for p in self.parameters()])]

    def make(self) -> str:
        """Makes the function; its name."""
        self.block(self.body, "  ")
        self.lines[:0] = [*self.listening(), *(f"  const int64_t {g} = {text};" for text, g in self.grains.items())]
        return self.functions.add(self, self.function(self.head()), whole=self.shares)

    def invocation(self, name: str, given: Sequence[str]) -> str:
        """The line that calls the function."""
        call = f"{name}({', '.join([*(['call'] if self.calls else []), *given])})"
        return f"  AG_TRY({call});" if self.fails else f"  {call};"

    def listening(self) -> list[str]:
        """Listens for what ends long loops of steps, at the start: names that live through a call would not stay in
        registers of the processor's arithmetic."""
        loops = [s for s in self.body if isinstance(s, For) and s.kind == "steps"]
        inside = {s.var for s in walk(self.body) if isinstance(s, Let)}
        conditions = []
        for loop in loops:
            known = isinstance(loop.extent, int) or not inside.intersection(topological([loop.extent]))
            most = LONG_LOOP if is_quick(loop) else LONG_LOOP // SLOW
            conditions.append(f"{self.dim(loop.extent)} > {most}" if known else "1")
        return [f"  if ({' || '.join(conditions)}) AG_TRY(call->poll(call));"] if conditions else []

    def loop(self, stmt: For, tab: str) -> None:
        if not is_shared(stmt) or self.stepping == "alone":
            super().loop(stmt, tab)
            return
        size = self.grain(stmt) if self.stepping else ""
        self.lines += [tab[2:] + line for line in LoopPrinter(self, stmt, self.functions).emit(size)]

    def steps(self, stmt: For, tab: str) -> None:
        """Steps whose long loops threads share, and others: calls in them would take values out of registers."""
        shared = [s for s in stmt.body if isinstance(s, For) and is_shared(s)]
        if not shared:
            super().steps(stmt, tab)
            return
        long = " || ".join(f"{self.grain(s)} < {self.dim(s.extent)}" for s in shared)
        for self.stepping, head in (("together", f"if ({long}) {{"), ("alone", "} else {")):
            self.lines.append(tab + head)
            super().steps(stmt, tab + "  ")
        self.stepping = ""
        self.lines.append(f"{tab}}}")

    def grain(self, stmt: For) -> str:
        """The name of how many iterations of a loop make a part; the same in all steps."""
        return self.grains.setdefault(grain(stmt, self.functions.program, self), f"grain{len(self.grains)}")


@dataclass
class Total:
    """An accumulator from outside: its name in a part, and where a part leaves what it has added up."""

    var: Node
    combine: str
    name: str
    result: str

    @property
    def ctype(self) -> str:
        return CTYPE[self.var.dtype]


@dataclass
class Passed:
    """What threads are given: a field of a structure, its value, and the argument that a thread makes of it, if any."""

    field: str
    value: str
    argument: str = ""


class LoopPrinter(BodyPrinter):
    """A part of a loop as a function, from iteration lo to hi - 1, and its call by threads."""

    def __init__(self, outer: Printer, loop: For, functions: Functions) -> None:
        super().__init__(outer, [loop], loop)
        found = sharing(loop, functions.program)
        assert isinstance(found, Sharing)
        self.whole, self.sharing, self.functions, self.copies = loop, found, functions, dict(loop.copies)
        self.totals = [Total(var, op, f"v{k}", f"r{k}") for k, (var, op) in enumerate(found.totals.items())]

    def emit(self, size: str = "") -> list[str]:
        """Makes the function; the lines that have threads call it, and join what they give back. size: of its parts, if
        that is known."""
        self.local = {t.var: t.name for t in self.totals}
        self.lines = [f"  {t.ctype} {t.name} = {neutral_text(t.combine, t.var.dtype)};" for t in self.totals]
        self.block(self.body, "  ")
        self.lines += [f"  *{t.result} = {t.name};" for t in self.totals]
        results = [f"{t.ctype} *restrict {t.result}" for t in self.totals]
        text = self.function([*self.head(), *results, "const int64_t lo", "const int64_t hi"])
        passed = self.passed()
        name = self.functions.add(self, text, self.part(passed))
        n, work = self.outer.dim(self.whole.extent), self.outer.dim(self.whole.work)
        size = size or grain(self.whole, self.functions.program, self.outer)
        values = ", ".join(p.value for p in passed)
        if not self.totals and not self.copies:
            return [f"  AG_SHARE({name}, {n}, {size}, {work}, {values});"]
        lines = [f"const int64_t grain = {size};", *(f"{t.ctype} {t.result}[AG_MOST_PARTS];" for t in self.totals)]
        lines += [f"AG_SHARE({name}, {n}, grain, {work}, {values});", *self.joined(n)]
        return ["  {", *(f"    {line}" for line in lines), "  }"]

    def passed(self) -> list[Passed]:
        """What threads are given."""
        names = {param: name for name, param in self.pointers.items()}
        result = [Passed("int64_t grain", "grain")] if self.totals or self.copies else []
        for p in self.parameters():
            name = names.get(p.name, "")
            own = name in self.sharing.rows
            argument = p.name if name in self.copies else f"a->{p.name}{f' + thread * a->step_{p.name}' if own else ''}"
            result.append(Passed(f"{p.ctype}{p.name}", p.argument, argument))
            if own or name in self.copies:
                result.append(Passed(f"int64_t step_{p.name}", step(self.buffers[name], self.outer)))
            if name in self.copies:
                result.append(Passed(f"{p.ctype}copies_{p.name}", self.outer.pointer(self.copies[name])))
        result += [Passed(f"{t.ctype} *{t.result}", t.result, f"a->{t.result} + lo / a->grain") for t in self.totals]
        return result

    def part(self, passed: Sequence[Passed]) -> str:
        """The C text by which a thread calls the function."""
        lines = []
        for name in self.copies:
            param, ctype, dtype = self.pointers[name], self.stored(name), self.buffers[name].dtype
            combine = self.sharing.added[name]
            copy = f"a->copies_{param} + (lo / a->grain - 1) * a->step_{param}"
            lines.append(f"{ctype} *{param} = lo ? {copy} : a->{param};")
            if combine in ("add", "or"):
                lines.append(f"if (lo) __builtin_memset({param}, 0, a->step_{param} * sizeof *{param});")
            else:
                empty = stored(neutral_text(combine, dtype), dtype)
                lines.append(f"for (int64_t j = 0; lo && j < a->step_{param}; j++) {param}[j] = {empty};")
        given = [*(["call"] if self.calls else []), *(p.argument for p in passed if p.argument), "lo", "hi"]
        call = f"NAME({', '.join(given)});"
        lines += [f"return {call}"] if self.fails else [call, "return AG_OK;"]
        fields = "\n".join(f"  {p.field};" for p in passed)
        return PART.replace("FIELDS", fields).replace("LINES", "\n".join(f"  {line}" for line in lines))

    def joined(self, n: str) -> list[str]:
        """Joins what parts have added up, the first ones first."""
        lines = []
        for t in self.totals:
            total = self.outer.local[t.var]
            text = self.strip(self.join(t.combine, t.var.dtype, total, f"{t.result}[k]"))
            lines.append(f"for (int64_t k = 0; k * grain < {n}; k++) {total} = {text};")
        for name, copies in self.copies.items():
            buffer = self.buffers[name]
            sizes = f"{self.outer.dim(dims.product(buffer.shape))}, {step(buffer, self.outer)}, ({n} - 1) / grain"
            joiner = self.joiner(self.sharing.added[name], buffer.dtype)
            lines.append(f"{joiner}({self.outer.pointer(name)}, {self.outer.pointer(copies)}, {sizes});")
        return lines

    def joiner(self, combine: str, dtype: str) -> str:
        """The name of a function that joins arrays."""
        name = f"join_{combine}_{dtype}"
        text = self.strip(self.join(combine, dtype, loaded("to[j]", dtype), loaded("copies[j]", dtype)))
        self.functions.support[f"AG_JOIN({name}, {STORED[dtype]}, {stored(text, dtype)})"] = None
        return name
