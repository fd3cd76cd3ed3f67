"""Calls of library routines and of Python functions."""

from __future__ import annotations

from agnesi.errors import VerificationError
from agnesi.ir import dims, dtype as dt
from agnesi.loops.stmt import Call, View
from agnesi.target.cfamily import Printer, number_of


class CallPrinter(Printer):
    """Calls as lines."""

    lines: list[str]

    def python(self, stmt: Call, tab: str) -> None:
        """A Python function, or one of its results: arrays with their sizes."""
        views = [*stmt.reads, stmt.writes]
        self.lines.append(f"{tab}{{")
        for k, view in enumerate(views):
            sizes = ", ".join(self.dim(d) for d in view.sizes) or "0"
            self.lines.append(f"{tab}  const int64_t s{k}[] = {{{sizes}}};")
        arrays = [
            f"{{(void *)({self.base(v)}), {number_of(self.buffers[v.buffer].dtype)}, {len(v.sizes)}, s{k}}}"
            for k, v in enumerate(views)
        ]
        self.lines.append(f"{tab}  struct ag_array arrays[] = {{{', '.join(arrays)}}};")
        args = f"{self.number(stmt.site)}, {stmt.result}, {len(views)}, arrays"
        self.lines.append(f"{tab}  AG_TRY(call->python(call, {args}));")
        self.lines.append(f"{tab}}}")

    def call(self, stmt: Call, tab: str) -> None:
        if stmt.name == "python":
            self.python(stmt, tab)
            return
        if stmt.name == "argsort":
            sizes = [self.dim(dims.product(stmt.writes.sizes[:-1])), self.dim(stmt.writes.sizes[-1])]
            arrays = [*(self.base(v) for v in (*stmt.reads, stmt.writes)), self.pointer(stmt.workspace)]
            self.lines.append(f"{tab}ag_argsort_{stmt.dtype}({', '.join([*sizes, *arrays])});")
            return
        if stmt.name.startswith("search"):
            a, v = stmt.reads
            vector = [self.dim(a.sizes[0]), self.base(a), self.dim(a.strides[0])]
            args = [*vector, self.dim(dims.product(v.sizes)), self.base(v), self.base(stmt.writes)]
            self.lines.append(f"{tab}ag_{stmt.name}_{stmt.dtype}({', '.join(args)});")
            return
        suffix = dt.LIBRARY[stmt.dtype]
        if stmt.name == "gemm":
            a, b = stmt.reads
            m, k = (self.dim(d) for d in a.sizes)
            n = self.dim(b.sizes[1])
            alpha, beta = (self.expression(s) for s in stmt.scalars)
            c = stmt.writes
            operands = [alpha, *self.matrix(a), *self.matrix(b), beta, self.base(c), self.dim(c.strides[0])]
            args = ["call", m, n, k, *operands]
            self.lines.append(f"{tab}call->library->gemm_{suffix}({', '.join(args)});")
        elif stmt.name == "solve":
            n, m = (self.dim(d) for d in stmt.writes.sizes)
            places = [self.base(v) for v in (*stmt.reads, stmt.writes)]
            args = [n, m, *places, self.pointer(stmt.workspace)]
            self.lines.append(f"{tab}{{")
            self.lines.append(f"{tab}  const int pivot = call->library->solve_{suffix}({', '.join(args)});")
            self.lines.append(f"{tab}  if (pivot) return ag_fail(call, {self.number(stmt.site)}, pivot - 1, {n});")
            self.lines.append(f"{tab}}}")
        else:
            raise VerificationError(f"no library routine {stmt.name}")

    def base(self, view: View) -> str:
        offset = self.expression(view.offset)
        return self.pointer(view.buffer) + ("" if offset == "0" else f" + {offset}")

    def matrix(self, view: View) -> tuple[str, str, str]:
        return self.base(view), self.dim(view.strides[0]), self.dim(view.strides[1])
