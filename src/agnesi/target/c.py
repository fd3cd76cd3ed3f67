"""Programs as C text: one function for each nest, and the entry that checks, allocates and calls them."""

from __future__ import annotations

import re

from agnesi.loops.stmt import Program
from agnesi.target.entry import Entry
from agnesi.target.nest import Function, Functions

UNIT_COST = 1000  # scalar work, in additions, from which it pays to start one more compiler
DRAWS = {"gamma_draw", "poisson_draw", "binomial_draw"}
BESSEL = {"j0", "j1", "jv", "i0", "i1", "iv"}
INCOMPLETE = {"gammainc", "gammaincc", "gammainc_shape"}
FAMILIES = {
    "AG_NO_MOD": {"fmod", "mod", "floordiv"},
    "AG_NO_TRIG": {"sin", "cos", "tan", "asin", "acos", "atan", "atan2", *DRAWS, *BESSEL},
    "AG_NO_HYP": {"exp2", "log2", "log10", "cbrt", "hypot", "sinh", "cosh", "asinh", "acosh", "atanh", "logaddexp",
                  "log1mexp", "logit", "xlogy", "xlog1py", *BESSEL},
    "AG_NO_GAMMA": {"lgamma", "gamma", "digamma", "trigamma", "zeta", "erfcx", "erfinv", "erfcinv",
                    *DRAWS, *BESSEL, *INCOMPLETE},
    "AG_NO_GAMMAINC": INCOMPLETE,
    "AG_NO_BESSEL": BESSEL,
    "AG_NO_DRAW": DRAWS,
}  # fmt: skip


def headers(text: str) -> str:
    """The includes, without the elementary functions that a text does not call: to parse them takes time."""
    called = set(re.findall(r"\bv_(\w+)\(", text))
    called |= {name[:-1] for name in called if name.endswith("f")}
    called |= {name.removesuffix("_near") for name in called}
    of_complex = set(re.findall(r"\bc_(\w+)\(", text))
    if {name.removesuffix("f") for name in of_complex} - {"mul", "div"}:
        called |= {"sin", "hypot"}
    left_out = [f"#define {name}" for name, functions in FAMILIES.items() if not called & functions]
    sort = ["ag_sort.h"] if re.search(r"\bag_(argsort|search)_", text) else []
    included = ["ag_support.h", *sort, "vmath.h", *(["complex_math.h"] if of_complex else [])]
    included += ["half_math.h"] if re.search(r"\b[hb]_(load|store|round)\(", text) else []
    return "\n".join([*left_out, *(f'#include "{name}"' for name in included)])


def units(program: Program, most: int = 1) -> list[str]:
    """The C texts of a program, at most so many, to be compiled side by side; the first holds the entry `ag_main`."""
    start = Entry(program)
    functions = Functions(program)
    lines = ["int ag_main(struct ag_call *call) {", *start.inputs(), *start.stage(0)]
    for number, nest in enumerate(program.nests):
        lines += functions.emit(nest, start)
        lines += start.stage(number + 1)
    lines += ["  AG_LEAVE();", "  return AG_OK;", "}"]
    support = start.support | functions.support
    parts = divide(list(functions.pure.values()), most)
    qualifier = "AG_NEST" if len(parts) == 1 else "AG_PART"
    bodies = [[f.definition(qualifier) for f in part] for part in parts]
    elsewhere = [f"AG_PART {f.head()};" for part in parts[1:] for f in part]
    bodies[0] += ["\n".join(elsewhere)] if elsewhere else []
    bodies[0] += [f.part for f in functions.pure.values() if f.part]
    bodies[0] += [f.definition("AG_NEST") for f in functions.wholes.values()]
    texts = ["\n\n".join(body) for body in bodies]
    texts = ["\n\n".join([headers(text), *support, text]) for text in texts]
    texts[0] = "\n\n".join([texts[0], "\n".join(lines)]) + "\n"
    return texts


def divide(functions: list[Function], most: int) -> list[list[Function]]:
    """The functions in as many parts as their work justifies, about equal ones."""
    total = sum(f.cost for f in functions)
    count = max(1, min(most, total // UNIT_COST + 1 if total > UNIT_COST else 1, len(functions)))
    parts: list[list[Function]] = [[] for _ in range(count)]
    loads = [0] * count
    for f in sorted(functions, key=lambda f: -f.cost):
        k = loads.index(min(loads))
        parts[k].append(f)
        loads[k] += f.cost
    return parts
