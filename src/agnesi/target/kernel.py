"""Statements as CUDA kernels in words that C has too; include/ag_kernel.h says which, and how threads work."""

from __future__ import annotations

from agnesi.errors import CompileError
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, substitute, topological
from agnesi.loops.parallel import apart, distinct
from agnesi.loops.stmt import (
    Break,
    Call,
    Check,
    For,
    Let,
    Set,
    Stmt,
    Store,
    loads,
    perfect,
    read_buffers,
    values,
    walk,
    written_buffers,
)  # fmt: skip
from agnesi.schedule.kinds import fixed
from agnesi.target.body import BodyPrinter, neutral_text
from agnesi.target.cfamily import CTYPE, STORED, Printer, stored
from agnesi.target.entry import step

SLOT = 16  # bytes for a scalar that one kernel leaves to another


class KernelPrinter(BodyPrinter):
    """Statements as the body of a kernel.

    kept: scalars of the nest that live in memory between its kernels, and where. totals: accumulators that a grid has
    left partial results of, to be joined first. grid: the loop whose iterations the blocks share, if any. partial: its
    accumulators. added: buffers of which blocks have copies to add to. begin: constants that totals begin with.
    """

    def __init__(
        self, outer: Printer, body: list[Stmt], kept: dict[Node, int], totals: dict[Node, str] | None = None,
        grid: For | None = None, partial: dict[Node, str] | None = None, added: dict[str, str] | None = None,
        begin: dict[Node, Node] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(outer, body, grid)
        self.kept, self.totals, self.grid, self.partial = kept, totals or {}, grid, partial or {}
        self.begin = begin or {}
        self.given_scalars: dict[Node, Node] = {}
        for s in walk(body):
            if fixed(s):
                self.given_scalars[s.var] = substitute([s.value], self.given_scalars)[0]
        self.alone = False  # whether each thread is by itself here
        self.added = added or {}
        self.copies = dict(grid.copies) if grid is not None else {}
        self.serial = grid is not None and not self.copies and self.by_itself(grid)
        self.wide = self.serial or any(self.dealt(s) or isinstance(s, Call) for s in walk(body)) or bool(self.totals)
        read, written = self.stored_in(read_buffers(body)), self.stored_in(written_buffers(body))
        self.hazards = read & written
        self.barriers = False
        self.extra: dict[str, str] = {}  # further fields of the arguments, and their values
        self.fails = any(isinstance(s, Check) or (isinstance(s, Call) and s.name == "solve") for s in walk(body))

    def stored_in(self, names: set[str]) -> set[str]:
        return {self.storage[n] for n in names}

    def dealt(self, stmt: Stmt) -> bool:
        """Whether a loop's iterations are dealt out to the threads of a block: each stores elements of its own, and
        reads none that others store."""
        if not isinstance(stmt, For) or stmt.kind != "simd" or stmt is self.grid:
            return False
        stored = [(self.storage[s.buffer], s.index) for s in stmt.body if isinstance(s, Store)]
        touched = stored + [(self.storage[n["buffer"]], n.args) for s in stmt.body for n in loads(s)]
        return all(moves(place, stmt, stmt.body) for _, place in stored) and all(
            other == place or name != storage or apart(other, place, stmt, self.given_scalars)
            for storage, place in stored
            for name, other in touched
        )

    def by_itself(self, grid: For) -> bool:
        """Whether each thread does iterations of a grid alone: nothing in them is dealt out, or all of it is, at the
        end of loops that have nothing else in them."""
        inside = [s for s in walk(grid.body) if isinstance(s, (For, Call))]
        scratch = read_buffers(grid.body) | written_buffers(grid.body)
        if any(self.buffers[name].space == "row" for name in scratch):
            return False
        return not any(isinstance(s, Call) or self.dealt(s) for s in inside) or len(self.flat(grid)) > 1

    def flat(self, grid: For) -> list[For]:
        """The loops of a grid that are counted by one counter: each has only the next one in it."""
        loops = perfect(grid)
        body = loops[-1].body
        plain = not any(isinstance(s, (For, Set, Break, Call)) for s in body)
        extents = topological([s.extent for s in loops if isinstance(s.extent, Node)])
        if not plain or any(s.index in extents for s in loops):
            return [grid]
        stored = {self.storage[s.buffer]: s.index for s in body if isinstance(s, Store)}
        touched = [(self.storage[s.buffer], s.index) for s in body if isinstance(s, Store)]
        touched += [(self.storage[n["buffer"]], n.args) for s in body for n in loads(s)]
        own = all(stored.get(name, place) == place for name, place in touched)
        return loops if own and all(moves(p, s, body) for p in stored.values() for s in loops) else [grid]

    # -- the whole ------------------------------------------------------------------------------------------

    def kernel(self) -> str:
        """The text of the kernel, for a name that is still to be put in."""
        used = set(topological(v for s in walk(self.body) for v in values(s))) | set(self.totals)
        used |= {s.var for s in walk(self.body) if isinstance(s, Set)}
        given_here = {s.var for s in self.body if isinstance(s, Let)}
        for var in self.kept:
            if var in used and var not in self.partial and var not in given_here:
                self.local[var] = f"v{len(self.local)}"
                const = "" if var in self.totals or self.changes(var) else "const "
                value = self.expression(self.begin[var]) if var in self.begin else self.slot(var)
                self.lines.append(f"  {const}{CTYPE[var.dtype]} {self.local[var]} = {value};")
        for var, combine in self.totals.items():
            self.join_parts(var, combine)
        for var, combine in self.partial.items():
            self.local[var] = f"v{len(self.local)}"
            self.lines.append(f"  {CTYPE[var.dtype]} {self.local[var]} = {neutral_text(combine, var.dtype)};")
        if self.grid is not None:
            self.shared(self.grid)
        else:
            self.block(self.body, "  ")
            for var in self.kept:
                if var in self.local and (var in self.totals or self.changes(var)):
                    self.first(f"{self.slot(var)} = {self.local[var]};", "  ")
        params, rows = self.parameters(), [*self.rows(), *self.own_copies()]
        fields = [f"{p.ctype}{p.name};" for p in params] + [f"{name};" for name in self.extra]
        fields += ["struct ag_record *record;"] if self.fails else []
        names = [f"  {p.declared.replace('restrict', 'AG_RESTRICT')} = a.{p.name};" for p in params]
        head = [f"struct NAME_args {{ {' '.join(fields)} }};", "AG_KERNEL(NAME) {", *names, *rows]
        return "\n".join([*head, *self.lines, "}"])

    def given(self) -> list[str]:
        """What the kernel is called with, in the order of its fields."""
        found = [p.argument for p in self.parameters()] + list(self.extra.values())
        return found + (["record"] if self.fails else [])

    def changes(self, var: Node) -> bool:
        """Whether the body gives a scalar its value."""
        return any(isinstance(s, (Let, Set)) and s.var is var for s in walk(self.body))

    def slot(self, var: Node) -> str:
        """The memory of a scalar between kernels."""
        self.extra["char *scalars"] = "scalars"
        return f"*({CTYPE[var.dtype]} *)(a.scalars + {self.kept[var] * SLOT})"

    def parts(self, var: Node) -> str:
        """The memory of partial results, one of each block."""
        self.extra["char *parts"] = "parts"
        return f"(({CTYPE[var.dtype]} *)(a.parts + {self.kept[var] * SLOT} * AG_MOST_BLOCKS))"

    def rows(self) -> list[str]:
        """Moves scratch of rows to the part that this block has."""
        lines = []
        for name, param in self.pointers.items():
            if self.buffers[name].space == "row":
                self.extra[f"int64_t step_{param}"] = step(self.buffers[name], self.outer)
                lines.append(f"  {param} += AG_BLOCK * a.step_{param};")
        return lines

    def own_copies(self) -> list[str]:
        """Takes the copy that this block has of what all add to, and empties it; the first block has the original."""
        lines = []
        for name, copies in self.copies.items():
            param, dtype = self.pointers[self.storage[name]], self.buffers[name].dtype
            self.extra[f"{STORED[dtype]} *copies_{param}"] = self.outer.pointer(copies)
            self.extra[f"int64_t step_{param}"] = step(self.buffers[name], self.outer)
            lines.append(f"  if (AG_BLOCK) {param} = a.copies_{param} + (AG_BLOCK - 1) * a.step_{param};")
            head = f"for (int64_t j = AG_THREAD; AG_BLOCK && j < a.step_{param}; j += AG_THREADS)"
            empty = stored(neutral_text(self.added[name], dtype), dtype)
            lines.append(f"  {head} {param}[j] = {empty};")
        if self.copies:
            self.barriers |= self.wide
            lines += ["  AG_SYNC();"]
        return lines

    # -- loops that blocks share ------------------------------------------------------------------------------

    def shared(self, stmt: For) -> None:
        """The iterations of this block, or of this thread where each works by itself."""
        loops = self.flat(stmt) if self.serial else [stmt]
        i, n = self.expression(stmt.index), self.dim(stmt.extent)
        if len(loops) > 1:
            i, n = "place", " * ".join(self.dim(s.extent) for s in loops)
        start, by = ("AG_BLOCK", "AG_BLOCKS")
        if self.serial:
            start, by = "AG_BLOCK * AG_THREADS + AG_THREAD", "AG_BLOCKS * AG_THREADS"
        self.alone = self.serial
        self.lines.append(f"  for (int64_t {i} = {start}; {i} < {n}; {i} += {by}) {{")
        self.lines += self.counters(loops)
        self.block(loops[-1].body, "    ")
        self.lines.append("  }")
        self.alone = False
        for var, combine in self.partial.items():
            if self.serial:
                self.lines.append(f"  {self.local[var]} = {self.joined(var, combine, self.local[var])};")
            self.first(f"{self.parts(var)}[AG_BLOCK] = {self.local[var]};", "  ")

    def counters(self, loops: list[For]) -> list[str]:
        """The counters of loops that are counted by one."""
        lines, rest = [], "place"
        for k, loop in reversed(list(enumerate(loops)) if len(loops) > 1 else []):
            n = self.strip(self.dim(loop.extent))
            lines.append(f"    const int64_t {self.expression(loop.index)} = {rest}{f' % ({n})' if k else ''};")
            if k > 1:
                lines.append(f"    const int64_t place{k} = {rest} / ({n});")
                rest = f"place{k}"
            else:
                rest = f"{rest} / ({n})"
        return lines

    def join_parts(self, var: Node, combine: str) -> None:
        """Joins what the blocks of the kernel before have left."""
        self.extra["int64_t count"] = "count"
        name, text = self.local[var], neutral_text(combine, var.dtype)
        self.lines.append(f"  {CTYPE[var.dtype]} {name}_p = {text};")
        joined = self.strip(self.join(combine, var.dtype, f"{name}_p", f"{self.parts(var)}[j]"))
        self.lines.append(f"  for (int64_t j = AG_THREAD; j < a.count; j += AG_THREADS) {name}_p = {joined};")
        self.lines.append(f"  {name}_p = {self.joined(var, combine, f'{name}_p')};")
        self.lines.append(f"  {name} = {self.strip(self.join(combine, var.dtype, name, f'{name}_p'))};")

    def joined(self, var: Node, combine: str, own: str) -> str:
        """A value of each thread joined over the block."""
        ctype, self.barriers = CTYPE[var.dtype], True
        name = f"join_block_{combine}_{var.dtype}"
        text = self.strip(self.join(combine, var.dtype, "x", "y"))
        self.support[f"AG_BLOCK_JOIN({name}, {ctype}, {text})"] = None
        return f"{name}({own})"

    # -- statements of a block ----------------------------------------------------------------------------------

    def first(self, line: str, tab: str) -> None:
        """A line for the first thread of the block."""
        self.lines.append(f"{tab}if (AG_THREAD == 0) {line}" if self.wide else f"{tab}{line}")

    def wait(self, names: set[str], tab: str) -> None:
        """Waits until all threads of the block have come here, where memory that is read too was written or read."""
        if self.wide and not self.alone and self.stored_in(names) & self.hazards:
            self.barriers = True
            self.lines.append(f"{tab}AG_SYNC();")

    def statement(self, stmt: Stmt, tab: str) -> None:
        if isinstance(stmt, Store) and not self.alone:
            self.wait({stmt.buffer}, tab)
            place = len(self.lines)
            super().statement(stmt, tab)
            (line,) = self.lines[place:]
            del self.lines[place:]
            self.first(line.strip(), tab)
            self.wait({stmt.buffer}, tab)
            return
        super().statement(stmt, tab)

    def loop(self, stmt: For, tab: str) -> None:
        i, n = self.expression(stmt.index), self.strip(self.dim(stmt.extent))
        if stmt.kind == "once":
            self.lines.append(f"{tab}if ({n}) {{")
        elif self.dealt(stmt) and not self.alone:
            self.deal(stmt, tab)
            return
        else:
            self.lines.append(f"{tab}for (int64_t {i} = 0; {i} < {n}; {i}++) {{")
        self.block(stmt.body, tab + "  ")
        self.lines.append(f"{tab}}}")

    def deal(self, stmt: For, tab: str) -> None:
        """A loop whose iterations the threads of the block share; what they add up is joined."""
        i, n = self.expression(stmt.index), self.strip(self.dim(stmt.extent))
        sums = {s.var: s.combine for s in stmt.body if isinstance(s, Set)}
        outer = dict(self.local)
        self.wait(written_buffers(stmt.body), tab)
        for var, combine in sums.items():
            name = self.local[var]
            self.lines.append(f"{tab}{CTYPE[var.dtype]} {name}_p = {neutral_text(combine, var.dtype)};")
            self.local[var] = f"{name}_p"
        self.lines.append(f"{tab}for (int64_t {i} = AG_THREAD; {i} < {n}; {i} += AG_THREADS) {{")
        self.alone = True
        self.block(stmt.body, tab + "  ")
        self.alone = False
        self.lines.append(f"{tab}}}")
        self.local |= {var: outer[var] for var in sums}
        for var, combine in sums.items():
            name = outer[var]
            text = self.join(combine, var.dtype, name, self.joined(var, combine, f"{name}_p"))
            self.lines.append(f"{tab}{name} = {self.strip(text)};")
        self.wait(read_buffers(stmt.body) | written_buffers(stmt.body), tab)

    def check(self, stmt: Check) -> str:
        """All threads of a block leave the kernel together; one that works by itself leaves its loop."""
        a, b = (self.expression(s) for s in stmt.shown)
        outside = f"(uint64_t){self.expression(stmt.value)} >= (uint64_t){self.expression(stmt.bound)}"
        return f"if ({outside}) {{ ag_stop(a.record, {stmt.site}, {a}, {b}); {'break' if self.alone else 'return'}; }}"

    def call(self, stmt: Call, tab: str) -> None:
        if stmt.name == "gemm":
            a, b = stmt.reads
            suffix = dt.LIBRARY[stmt.dtype]
            self.support[f"AG_BLOCK_GEMM(join_block_gemm_{suffix}, {CTYPE[stmt.dtype]})"] = None
            sizes = [self.dim(a.sizes[0]), self.dim(b.sizes[1]), self.dim(a.sizes[1])]
            alpha, beta = (self.expression(s) for s in stmt.scalars)
            c = [self.base(stmt.writes), self.dim(stmt.writes.strides[0])]
            args = [*sizes, alpha, *self.matrix(a), *self.matrix(b), beta, *c]
            self.lines.append(f"{tab}join_block_gemm_{suffix}({', '.join(args)});")
            self.barriers = True
            return
        if stmt.name == "solve":
            self.solve(stmt, tab)
            return
        if stmt.name == "python":
            raise CompileError("a Python function is not there for this device")
        self.barriers = True
        self.lines += [f"{tab}AG_SYNC();", f"{tab}if (AG_THREAD == 0) {{"]
        super().call(stmt, tab + "  ")
        self.lines += [f"{tab}}}", f"{tab}AG_SYNC();"]

    def solve(self, stmt: Call, tab: str) -> None:
        """A linear system; all threads leave the kernel together where it has no solution."""
        suffix = dt.LIBRARY[stmt.dtype]
        forms = f"AG_SIZE_C, AG_OVER_{suffix.upper()}" if dt.is_complex(stmt.dtype) else "AG_SIZE_R, AG_OVER_R"
        name = f"join_block_solve_{suffix}"
        self.support[f"AG_BLOCK_SOLVE({name}, {CTYPE[stmt.dtype]}, {forms})"] = None
        self.barriers = True
        n, m = (self.dim(d) for d in stmt.writes.sizes)
        places = [self.base(v) for v in (*stmt.reads, stmt.writes)]
        call = f"{name}({', '.join([n, m, *places, self.pointer(stmt.workspace)])})"
        self.lines.append(f"{tab}{{")
        self.lines.append(f"{tab}  const int pivot = {call};")
        self.lines.append(f"{tab}  if (pivot) {{ ag_stop(a.record, {stmt.site}, pivot - 1, {n}); return; }}")
        self.lines.append(f"{tab}}}")


def moves(place: tuple[Node, ...], loop: For, body: tuple[Stmt, ...]) -> bool:
    """Whether an element of a buffer is another one in every iteration of a loop, with these statements inside."""
    given = {s.var for s in body if isinstance(s, Let)}
    return any(distinct([index], loop.index, given, innermost=True) for index in place)
