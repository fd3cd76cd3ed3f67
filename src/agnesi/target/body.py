"""Statements as bodies of C functions: loops, accumulators in lanes, library calls."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, INDEX, TEMP, Node, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import same
from agnesi.loops.stmt import (
    Break,
    Call,
    Check,
    For,
    Let,
    Set,
    Stmt,
    Store,
    cost,
    neutral,
    read_buffers,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.target.calls import CallPrinter
from agnesi.target.cfamily import CTYPE, STORED, Printer, literal, loaded, operation, rounded, stored
from agnesi.target.entry import BLOCK, NEAR
from agnesi.target.jam import jammed
from agnesi.target.ordinary import C_BITS, FAR, any_form, certain, guarded, is_far, light, near, slice_of, staged, wide
from agnesi.target.strides import Place, Step, lone

LANES = 32  # partial results of a reduction: as many on every machine, so that results do not depend on it
FEW_LANES = 16  # where the body is long
SHORT_LANES = 8  # for what is left of an inner loop, which may be all of it
QUICK_STEPS, SLOW_STEPS = 4096, 16  # after how many steps a loop looks whether it is to end
LIGHT_COST = 20  # scalar work, in additions, of a body without elementary functions
STREAMED = 16  # elements at least that are written past the caches together
LINE = 64  # bytes of a cache line
LONG_ROW = 1024  # elements that a loop has at least to write past the caches
SHORT = 32  # elements for which it is not asked whether they are ordinary if that saves little
LONG_COST = 100  # scalar work, in additions, from which the compiler's time for a nest counts


@dataclass
class Parameter:
    """A parameter, and what the caller gives for it."""

    ctype: str
    name: str
    argument: str

    @property
    def declared(self) -> str:
        pointer = self.ctype.endswith("*")
        return f"{self.ctype}restrict {self.name}" if pointer else f"const {self.ctype}{self.name}"


class BodyPrinter(CallPrinter):
    """Statements as the body of a function; buffers and sizes become parameters p0, p1 ... n0, n1 ... as they appear.

    outer: who calls it, and knows the names of the arguments. split: the loop of which the function does a part.
    """

    def __init__(self, outer: Printer, body: list[Stmt], split: For | None = None) -> None:
        super().__init__(outer.buffers, outer.storage, outer.symbols)
        self.outer, self.body, self.split = outer, body, split
        self.written = {self.storage[n] for n in written_buffers(body)}
        self.pointers: dict[str, str] = {}
        self.scalars: dict[str, str] = {}
        self.dtypes: dict[str, str] = {}
        self.cost = sum(cost(s) for s in walk(body))
        self.fails = any(may_end(s) for s in walk(body))
        self.calls = self.fails or any(isinstance(s, Call) for s in walk(body))
        self.counted = {s.index for s in walk(body) if isinstance(s, For)}
        self.loopless = not any(isinstance(s, For) for s in body)
        self.lines: list[str] = []
        self.asked: list[Node] = []  # calls that are printed for ordinary arguments and for any
        self.tiles: dict[str, str] = {}  # for buffers whose elements are collected before they are written: where
        self.lone: dict[Place, Step] = {}  # in the loop that is printed
        self.hidden: dict[int, str] = {}  # the names of steps
        self.late: dict[Node, str] = {}  # calls of which a loop before has computed a part, and the text of the rest

    def pointer(self, name: str) -> str:
        return self.pointers.setdefault(self.storage[name], f"p{len(self.pointers)}")

    def outside(self, name: str, dtype: str) -> str:
        self.dtypes.setdefault(name, dtype)
        return self.scalars.setdefault(name, f"n{len(self.scalars)}")

    def expression(self, node: Node) -> str:
        """An expression; numbers in it may be parameters."""
        if node in self.late:
            return self.late[node]
        if node.op is INDEX and node not in self.counted:
            return self.outside(f"i{node['level']}", "int64")
        if node.op is TEMP and node not in self.local and node in self.outer.local:
            return self.outside(self.outer.local[node], node.dtype)
        if node.op is CONST and self.is_given(node):
            return self.outside(literal(value_of(node), node.dtype), node.dtype)
        text = super().expression(node)
        known = certain(node)
        if not known and node not in self.asked:
            return text
        text = re.sub(r"v_(\w+)\(", r"v_ASKED_\1(", text, count=1)
        return near(text) if known else text

    def is_given(self, node: Node) -> bool:
        """Whether a number is a parameter, so that functions that differ in numbers only are compiled once: those that
        are long, and those without loops, where integers pick parts of arrays."""
        if node.dtype == "int64":
            return self.loopless and abs(value_of(node)) > 1
        return self.cost > LONG_COST and dt.is_inexact(node.dtype) and abs(value_of(node)) not in (0, 1, math.inf)

    def number(self, site: int) -> str:
        """The number of a check: alike functions may have checks of their own."""
        return self.outside(str(site), "int64")

    def parameters(self) -> list[Parameter]:
        """The parameters, and what the caller gives for them."""
        result = []
        for name, param in self.pointers.items():
            const = "" if name in self.written else "const "
            result.append(Parameter(f"{const}{self.stored(name)} *", param, self.outer.pointer(name)))
        held = {*self.outer.local.values(), *(self.outer.expression(i) for i in self.outer.counted)}
        for name, param in self.scalars.items():
            known = name in held or not name.isidentifier()
            argument = name if known else self.outer.outside(name, self.dtypes[name])
            result.append(Parameter(f"{CTYPE[self.dtypes[name]]} ", param, argument))
        return result

    def stored(self, name: str) -> str:
        """The C type of a buffer's elements."""
        return STORED[self.buffers[name].dtype]

    def head(self) -> list[str]:
        """The parameters as they are declared."""
        return [p.declared for p in self.parameters()]

    def function(self, head: Sequence[str]) -> str:
        """The text of the function without its name."""
        first = ["struct ag_call *call"] if self.calls else []
        hidden = [f"  AG_HIDDEN({name}, {step});" for step, name in self.hidden.items()]
        streams = any(isinstance(s, For) and not same(s.streaming, 0) for s in walk(self.body))
        end = [*(["  ag_fence();"] if streams else []), *(["  return AG_OK;"] if self.fails else [])]
        lines = [*hidden, *self.lines, *end]
        return f"({', '.join([*first, *head]) or 'void'}) {{\n{chr(10).join(lines)}\n}}"

    def element(self, name: str, indices: tuple[Node, ...]) -> str:
        if (name, indices) not in self.lone:
            return super().element(name, indices)
        i, start, step = self.lone[name, indices]
        hidden = self.hidden.setdefault(step, f"step{len(self.hidden)}")
        return f"{self.pointer(name)}[{self.dim(start)} + {self.expression(i)} * {hidden}]"

    # -- statements -----------------------------------------------------------------------------------

    def block(self, body: Sequence[Stmt], tab: str) -> None:
        for stmt in body:
            self.statement(stmt, tab)

    def statement(self, stmt: Stmt, tab: str) -> None:
        match stmt:
            case For():
                self.loop(stmt, tab)
            case Let(var, value, mutable):
                text = self.strip(self.expression(value))
                name = self.local.setdefault(var, f"v{len(self.local)}")
                self.lines.append(f"{tab}{'' if mutable else 'const '}{CTYPE[var.dtype]} {name} = {text};")
            case Set(var, value, combine):
                name = self.local[var]
                text = self.expression(value)
                text = self.join(combine, var.dtype, name, text) if combine else self.strip(text)
                self.lines.append(f"{tab}{name} = {text};")
            case Store(buffer, idx, value, combine):
                dtype = self.buffers[buffer].dtype
                place = self.tiles.get(buffer) or self.element(buffer, idx)
                text = self.expression(value)
                if combine:
                    text = self.join(combine, dtype, loaded(place, dtype), text)
                self.lines.append(f"{tab}{place} = {stored(self.strip(text), dtype)};")
            case Check():
                self.lines.append(tab + self.check(stmt))
            case Break(value):
                self.lines.append(f"{tab}if ({self.strip(self.expression(value))}) break;")
            case Call():
                self.call(stmt, tab)

    def join(self, combine: str, dtype: str, old: str, new: str) -> str:
        """The text of old joined with new; max and min are fastest with the new value first."""
        if OPS[combine].support:
            self.support[OPS[combine].support] = None
        operands = [new, old] if combine in ("maximum", "minimum") else [old, new]
        return operation(combine, dtype, dtype, operands, {})

    def loop(self, stmt: For, tab: str) -> None:
        if clears(stmt):
            (store,) = stmt.body
            assert isinstance(store, Store)
            place = self.pointer(store.buffer)
            self.lines.append(f"{tab}__builtin_memset({place}, 0, {self.dim(stmt.extent)} * sizeof *{place});")
            return
        sums = [s for s in stmt.body if isinstance(s, Set)]
        small = isinstance(stmt.extent, int) and stmt.extent < SHORT_LANES
        self.lone = lone(stmt, self.buffers) if stmt.kind == "simd" and not small else {}
        if stmt.kind == "simd" and sums and not small:
            self.lanes(stmt, sums, tab)
            return
        if stmt.kind == "once":
            self.lines.append(f"{tab}if ({self.strip(self.dim(stmt.extent))}) {{")
            self.block(stmt.body, tab + "  ")
            self.lines.append(f"{tab}}}")
            return
        i, (lo, n) = self.expression(stmt.index), self.bounds(stmt)
        again = self.repeatable(stmt)
        if not guarded(stmt, again):
            if stmt.kind == "steps":
                self.steps(stmt, tab)
                return
            if stmt.rows > 1:
                self.several(stmt, tab)
                return
            if not same(stmt.streaming, 0):
                self.streams(stmt, tab)
                return
            self.lines += [f"{tab}AG_APART"] if stores_apart(stmt) else []
            self.lines.append(f"{tab}for (int64_t {i} = {lo}; {i} < {n}; {i}++) {{")
            self.block(stmt.body, tab + "  ")
            self.lines.append(f"{tab}}}")
            return
        if again:
            self.tried(stmt, tab)
            return
        self.lines += blocks(lo, n, tab)
        first = self.ask(stmt)
        self.lines.append(f"{tab}  for (int64_t {i} = b; {i} < e; {i}++) {{")
        self.block(stmt.body, tab + "    ")
        self.lines.append(f"{tab}  }}")
        self.guard(stmt, first, tab + "  ")
        self.lines.append(f"{tab}}}")

    def several(self, stmt: For, tab: str) -> None:
        """A loop whose iterations are done several at a time, and the last ones alone."""
        i, (lo, n) = self.expression(stmt.index), self.bounds(stmt)
        most = f"{tab}  for (; {i} + {stmt.rows} <= {n}; {i} += {stmt.rows}) {{"
        self.lines += [f"{tab}{{", f"{tab}  int64_t {i} = {lo};", most, *self.printed(jammed(stmt), tab + "    ")]
        last = f"{tab}  for (; {i} < {n}; {i}++) {{"
        self.lines += [f"{tab}  }}", last, *self.printed(stmt.body, tab + "    "), f"{tab}  }}", f"{tab}}}"]

    def streams(self, stmt: For, tab: str) -> None:
        """A loop whose stores go past the caches where they are many, whole cache lines at a time."""
        i, (lo, n) = self.expression(stmt.index), self.bounds(stmt)
        stores = {s.buffer: s.index for s in stmt.body if isinstance(s, Store)}
        sizes = [dt.SIZES[self.buffers[name].dtype] for name in stores]
        block = max(STREAMED, LINE // min(sizes))
        limit = self.outside("call->pool->streaming", "int64")
        places = [self.element(name, idx) for name, idx in stores.items()]
        plain = self.printed(stmt.body, tab + "  ")
        self.tiles = {name: f"t{k}[{i} - b]" for k, name in enumerate(stores)}
        collected = self.printed(stmt.body, tab + "      ")
        self.tiles = {}
        self.lines += [
            f"{tab}if (AG_STREAMS && {self.dim(stmt.streaming)} >= {limit} && {n} - {lo} >= {LONG_ROW}) {{",
            f"{tab}  int64_t {i} = {lo}, e = {lo} + ag_to_line(&{places[0]}, {sizes[0]}, {block});",
            f"{tab}  for (int64_t s = {lo}; s < {n}; s = e, e = ag_min(e + {block}, {n})) {{",
            f"{tab}    const int64_t b = ag_min(s, {n} - {block});",
            *(f"{tab}    AG_LINES {self.stored(name)} t{k}[{block}];" for k, name in enumerate(stores)),
            f"{tab}    for ({i} = b; {i} < b + {block}; {i}++) {{",
            *collected,
            f"{tab}    }}",
            f"{tab}    {i} = s;",
            *(f"{tab}    AG_STREAM(&{place}, t{k}, s - b, e - s);" for k, place in enumerate(places)),
            f"{tab}  }}",
            f"{tab}}} else",
            f"{tab}for (int64_t {i} = {lo}; {i} < {n}; {i}++) {{",
            *plain,
            f"{tab}}}",
        ]

    def repeatable(self, stmt: For) -> bool:
        """Whether a loop may run twice: it reads nothing that it writes."""
        return not any(isinstance(s, Set) for s in stmt.body) and not (
            {self.storage[name] for name in read_buffers(stmt.body)}
            & {self.storage[name] for name in written_buffers(stmt.body)}
        )

    def tried(self, stmt: For, tab: str) -> None:
        """Blocks as if all their arguments were ordinary, and once more where some were not.

        Where that saves little, arguments that are not ordinary end the trials: more may follow.
        """
        self.asked = found = guarded(stmt, tried=True)
        i, kinds = self.expression(stmt.index), sorted({wide(n) for n in found})
        each = f"for (int64_t {i} = b; {i} < e; {i}++) {{"
        early = self.early(stmt, found, tab)
        body = self.printed(stmt.body, tab + "    ")
        asking = list(dict.fromkeys(f"{tab}    {self.far(n)}" for n in found if n not in self.late))
        self.late = {}
        general = self.printed(stmt.body, tab + "    ") if early else body
        self.asked = []
        start = [f"{C_BITS[kind]} far_{kind} = 0;" for kind in kinds]
        lasting = all(light(n) for n in found)
        self.lines += [tab + line for line in start] if lasting else []
        self.lines += blocks(*self.bounds(stmt), tab)
        self.lines += [f"{tab}  if (!({is_far(kinds)}))"] if lasting else [f"{tab}  {line}" for line in start]
        self.lines += map(near, early)
        self.lines += [f"{tab}  {each}", *(near(line) for line in [*body, *asking]), f"{tab}  }}"]
        self.lines += [f"{tab}  if ({is_far(kinds)})", f"{tab}  {each}", *map(any_form, general)]
        self.lines += [f"{tab}  }}", f"{tab}}}"]

    def early(self, stmt: For, found: list[Node], tab: str) -> list[str]:
        """The loop with the first parts of functions that come in two; `self.late` says what the rest of them is."""
        calls = staged(stmt.body, found)
        if not calls:
            return []
        i = self.expression(stmt.index)
        inner = self.printed(slice_of(stmt.body, [a for n in calls for a in n.args]), tab + "    ")
        places = []
        for k, n in enumerate(calls):
            suffix, c = ("", "double") if wide(n) == "float64" else ("f", "float")
            first, *others = (self.strip(self.expression(a)) for a in n.args)
            operands = ", ".join([first, *others, f"&low{k}[{i} - b]"])
            places.append(f"{tab}  {c} early{k}[{NEAR}], low{k}[{NEAR}];")
            inner.append(f"{tab}    early{k}[{i} - b] = v_{n.op.name}_early{suffix}({operands});")
            inner.append(f"{tab}    far_{wide(n)} |= v_{n.op.name}_early_far{suffix}({first}, early{k}[{i} - b]);")
            rest = f"v_{n.op.name}_late{suffix}(early{k}[{i} - b], low{k}[{i} - b])"
            self.late[n] = rounded(rest, n.op.name, wide(n), n.dtype) if n.dtype in dt.HALVES else rest
        return [*places, f"{tab}  for (int64_t {i} = b; {i} < e; {i}++) {{", *inner, f"{tab}  }}"]

    def printed(self, body: Sequence[Stmt], tab: str) -> list[str]:
        """The lines of a body, for the caller to place."""
        first = len(self.lines)
        self.block(body, tab)
        lines = self.lines[first:]
        del self.lines[first:]
        return lines

    def steps(self, stmt: For, tab: str) -> None:
        """A loop that looks now and then at the flag that ends it."""
        i, n = self.expression(stmt.index), self.dim(stmt.extent)
        rate = QUICK_STEPS if is_quick(stmt) else SLOW_STEPS
        self.lines.append(f"{tab}for (int64_t b = 0; b < {n}; b += {rate}) {{")
        self.lines.append(f"{tab}  const int64_t e = b + {rate} < {n} ? b + {rate} : {n};")
        self.lines.append(f"{tab}  if (*call->cancel) return AG_CANCEL;")
        self.lines.append(f"{tab}  int64_t {i} = b;")
        self.lines.append(f"{tab}  for (; {i} < e; {i}++) {{")
        self.block(stmt.body, tab + "    ")
        self.lines.append(f"{tab}  }}")
        if any(isinstance(s, Break) for s in stmt.body):
            self.lines.append(f"{tab}  if ({i} < e) break;")
        self.lines.append(f"{tab}}}")

    def bounds(self, stmt: For) -> tuple[str, str]:
        """The first iteration of a loop, and the one after the last."""
        return ("lo", "hi") if stmt is self.split else ("0", self.dim(stmt.extent))

    def ask(self, stmt: For) -> int:
        """Begins the lines of a block of a loop that may call functions with a form for ordinary arguments."""
        self.asked = guarded(stmt)
        return len(self.lines)

    def guard(self, stmt: For, first: int, tab: str) -> None:
        """Gives blocks of ordinary arguments lines of their own, where a loop calls functions with a form for them.

        The lines from `first` on serve the block from b to e. Those of any argument have branches or more to do.
        """
        found, self.asked = self.asked, []
        if not found:
            return
        lines = [f"  {line}" for line in self.lines[first:]]
        del self.lines[first:]
        i = self.expression(stmt.index)
        kinds = sorted({wide(n) for n in found})
        all_light = all(light(n) for n in found)
        start, begin = (f"e - b < {SHORT} ? -1 : 0", f"far_{kinds[0]} ? e : b") if all_light else ("0", "b")
        self.lines += [f"{tab}{C_BITS[kind]} far_{kind} = {start};" for kind in kinds]
        self.lines.append(f"{tab}for (int64_t {i} = {begin}; {i} < e; {i}++) {{")
        self.block(slice_of(stmt.body, [a for n in found for a in n.args]), tab + "  ")
        self.lines += list(dict.fromkeys(f"{tab}  {self.far(n)}" for n in found))
        self.lines.append(f"{tab}}}")
        self.lines.append(f"{tab}if ({is_far(kinds)}) {{")
        self.lines += [any_form(line) for line in lines if all_light or "AG_LANES" not in line]
        self.lines.append(f"{tab}}} else {{")
        self.lines += [near(line) for line in lines]
        self.lines.append(f"{tab}}}")

    def far(self, n: Node) -> str:
        """The line that notes whether the arguments of a function are not ordinary."""
        operands = ", ".join(self.strip(self.expression(a)) for a in n.args)
        suffix = "" if wide(n) == "float64" else "f"
        return f"far_{wide(n)} |= v_{FAR[n.op.name]}_far{suffix}({operands});"

    def lanes(self, stmt: For, sums: list[Set], tab: str) -> None:
        """A reducing loop: partial results side by side, joined by a tree after each block."""
        work = sum(cost(s) for s in stmt.body)
        width = FEW_LANES if work > 60 else LANES
        i, (lo, n) = self.expression(stmt.index), self.bounds(stmt)
        self.lines.append(f"{tab}for (int64_t b = {lo}; b < {n}; b += {BLOCK}) {{")
        self.lines.append(f"{tab}  const int64_t e = b + {BLOCK} < {n} ? b + {BLOCK} : {n};")
        first = self.ask(stmt)
        self.lines.append(f"{tab}  int64_t j = b;")
        if stmt.index["level"] and work < LIGHT_COST:
            for lanes in (width, SHORT_LANES):
                self.lines.append(f"{tab}  if (j + {lanes} <= e) {{")
                self.side_by_side(stmt, sums, lanes, tab + "    ")
                self.lines.append(f"{tab}  }}")
            self.lines.append(f"{tab}  for (int64_t {i} = j; {i} < e; {i}++) {{")
            self.block(stmt.body, tab + "    ")
            self.lines.append(f"{tab}  }}")
        else:
            self.side_by_side(stmt, sums, width, tab + "  ", rest=True)
        self.guard(stmt, first, tab + "  ")
        self.lines.append(f"{tab}}}")

    def side_by_side(self, stmt: For, sums: list[Set], width: int, tab: str, rest: bool = False) -> None:
        """From element j on, as many partial results as fit, then their tree; rest: the last elements among them."""
        i = self.expression(stmt.index)
        partial: dict[Node, str] = {}
        for s in sums:
            name, ctype = self.local[s.var], CTYPE[s.var.dtype]
            partial[s.var] = f"{name}_p[q]"
            text = neutral_text(s.combine, s.var.dtype)
            self.lines.append(f"{tab}{ctype} {name}_p[{width}];")
            self.lines.append(f"{tab}AG_LANES({width})")
            self.lines.append(f"{tab}for (int q = 0; q < {width}; q++) {name}_p[q] = {text};")
        outer = dict(self.local)
        self.local |= partial
        named = dict(self.local)
        self.lines.append(f"{tab}for (; j + {width} <= e; j += {width}) {{")
        self.lines.append(f"{tab}  AG_LANES({width})")
        self.lines.append(f"{tab}  for (int q = 0; q < {width}; q++) {{")
        self.lines.append(f"{tab}    const int64_t {i} = j + q;")
        self.block(stmt.body, tab + "    ")
        self.lines.append(f"{tab}  }}")
        self.lines.append(f"{tab}}}")
        if rest:
            self.local = named
            self.lines.append(f"{tab}for (int q = 0; q < e - j; q++) {{")
            self.lines.append(f"{tab}  const int64_t {i} = j + q;")
            self.block(stmt.body, tab + "  ")
            self.lines.append(f"{tab}}}")
        self.local = outer
        for s in sums:
            self.tree(s, width, tab)

    def tree(self, s: Set, width: int, tab: str) -> None:
        """The partial results joined pairwise, then with the accumulator."""
        name = self.local[s.var]
        half = width // 2
        while half:
            text = self.join(s.combine, s.var.dtype, f"{name}_p[q]", f"{name}_p[q + {half}]")
            if half > 1:
                self.lines.append(f"{tab}AG_LANES({half})")
                self.lines.append(f"{tab}for (int q = 0; q < {half}; q++) {name}_p[q] = {self.strip(text)};")
            half //= 2
        last = self.join(s.combine, s.var.dtype, f"{name}_p[0]", f"{name}_p[1]")
        self.lines.append(f"{tab}{name} = {self.join(s.combine, s.var.dtype, name, last)};")


def may_end(stmt: Stmt) -> bool:
    """Whether a statement may leave the function."""
    return isinstance(stmt, Check) or (
        stmt.site > 0 if isinstance(stmt, Call) else isinstance(stmt, For) and stmt.kind == "steps"
    )


def blocks(lo: str, n: str, tab: str) -> list[str]:
    """The head of a loop over blocks from b to e, for each of which it is asked whether arguments are ordinary."""
    head = f"{tab}for (int64_t b = {lo}; b < {n}; b += {NEAR}) {{"
    return [head, f"{tab}  const int64_t e = b + {NEAR} < {n} ? b + {NEAR} : {n};"]


def stores_apart(loop: For) -> bool:
    """Whether a vector loop stores in several places of a buffer."""
    places = {(s.buffer, s.index) for s in loop.body if isinstance(s, Store)}
    return loop.kind == "simd" and len({buffer for buffer, _ in places}) < len(places)


def is_quick(loop: For) -> bool:
    """Whether a step has neither loops nor calls."""
    return not any(isinstance(s, (For, Call)) for s in loop.body)


def clears(stmt: For) -> bool:
    """Whether a loop fills the start of a vector with zeros: one call is compiled sooner than a loop."""
    (first, *others) = stmt.body
    if others or not isinstance(first, Store) or first.combine or first.value.op is not CONST:
        return False
    return first.index == (stmt.index,) and not any(first.value["bits"])


def neutral_text(combine: str, dtype: str) -> str:
    """The text of what changes nothing when it is combined."""
    return literal(value_of(neutral(combine, dtype)), dtype)
