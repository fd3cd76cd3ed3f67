"""Programs as C text: one function for each nest, and the entry that checks, allocates and calls them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agnesi.loops.stmt import Program, walk
from agnesi.target.entry import Entry
from agnesi.target.nest import NestPrinter, cost

UNIT_COST = 1000  # scalar work, in additions, from which it pays to start one more compiler
FAMILIES = {
    "AG_NO_TRIG": {"sin", "cos", "tan", "asin", "acos", "atan", "atan2"},
    "AG_NO_HYP": {"exp2", "log2", "log10", "cbrt", "hypot", "sinh", "cosh", "asinh", "acosh", "atanh", "logaddexp",
                  "log1mexp", "logit", "xlogy", "xlog1py"},
    "AG_NO_GAMMA": {"lgamma", "gamma", "digamma", "trigamma", "zeta", "erfcx", "erfinv", "erfcinv"},
}  # fmt: skip


def headers(text: str) -> str:
    """The includes, without the elementary functions that a text does not call: to parse them takes time."""
    called = set(re.findall(r"\bv_(\w+)\(", text))
    called |= {name[:-1] for name in called if name.endswith("f")}
    of_complex = set(re.findall(r"\bc_(\w+)\(", text))
    if {name.removesuffix("f") for name in of_complex} - {"mul", "div"}:
        called |= {"sin", "hypot"}
    left_out = [f"#define {name}" for name, functions in FAMILIES.items() if not called & functions]
    sort = ["ag_sort.h"] if re.search(r"\bag_(argsort|search)_", text) else []
    included = ["ag_support.h", *sort, "vmath.h", *(["complex_math.h"] if of_complex else [])]
    included += ["half_math.h"] if re.search(r"\b[hb]_(load|store|round)\(", text) else []
    return "\n".join([*left_out, *(f'#include "{name}"' for name in included)])


@dataclass
class NestFunction:
    """A nest as C text without its name; alike nests share one."""

    name: str
    returns: str
    body: str
    cost: int

    def head(self) -> str:
        return f"{self.returns} {self.name}{self.body[: self.body.index(') {') + 1]}"


def units(program: Program, most: int = 1) -> list[str]:
    """The C texts of a program, at most so many, to be compiled side by side; the first holds the entry `ag_main`."""
    start = Entry(program)
    functions: dict[str, NestFunction] = {}
    support = start.support
    lines = ["int ag_main(struct ag_call *call) {", *start.inputs(), *start.stage(0)]
    for number, nest in enumerate(program.nests):
        printer = NestPrinter(start, nest)
        body, args = printer.function()
        support |= printer.support
        work = sum(cost(s) for s in walk(nest.body))
        returns = "int" if printer.fails else "void"
        function = functions.setdefault(body, NestFunction(f"nest{len(functions)}", returns, body, work))
        call = f"{function.name}({args})"
        lines.append(f"  AG_TRY({call});" if printer.fails else f"  {call};")
        lines += start.stage(number + 1)
    entry = "\n".join([*lines, "  return AG_OK;\n}"])
    parts = divide(list(functions.values()), most)
    qualifier = "AG_NEST" if len(parts) == 1 else "AG_PART"
    bodies = ["\n\n".join(f"{qualifier} {f.returns} {f.name}{f.body}" for f in part) for part in parts]
    texts = ["\n\n".join([headers(body), *support, body]) for body in bodies]
    elsewhere = [f"AG_PART {f.head()};" for part in parts[1:] for f in part]
    texts[0] = "\n\n".join([texts[0], *(["\n".join(elsewhere)] if elsewhere else []), entry]) + "\n"
    return texts


def divide(functions: list[NestFunction], most: int) -> list[list[NestFunction]]:
    """The functions in as many parts as their work justifies, about equal ones."""
    total = sum(f.cost for f in functions)
    count = max(1, min(most, total // UNIT_COST + 1 if total > UNIT_COST else 1, len(functions)))
    parts: list[list[NestFunction]] = [[] for _ in range(count)]
    loads = [0] * count
    for f in sorted(functions, key=lambda f: -f.cost):
        k = loads.index(min(loads))
        parts[k].append(f)
        loads[k] += f.cost
    return parts
