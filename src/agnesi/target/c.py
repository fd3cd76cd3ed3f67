"""Programs as C text: one function for each nest, and the entry that checks, allocates and calls them."""

from __future__ import annotations

import re

from agnesi.loops.stmt import Program
from agnesi.target.entry import Entry
from agnesi.target.nest import Function, Functions

MANY_NESTS = 50  # called by an entry, which is then not optimized
LEAST, MOST = 20, 60  # the weight of a unit: to start one more compiler takes as long as it takes for 15
ALONE = 4  # times as much where they run one after another
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


def units(program: Program, width: int = 1) -> list[str]:
    """The C texts of a program, to be compiled `width` at a time. The first has the entry `ag_main`. The others depend
    on nothing but the functions in them, so that they may have been compiled before, for another program."""
    start = Entry(program)
    functions = Functions(program)
    long = "AG_LONG_ENTRY " if len(program.nests) > MANY_NESTS else ""
    lines = [f"{long}int ag_main(struct ag_call *call) {{", *start.inputs(), *start.stage(0)]
    groups = {g.first: g for g in program.together}
    number = 0
    while number < len(program.nests):
        group = groups.get(number)
        count = group.count if group else 1
        nests = program.nests[number : number + count]
        lines += functions.emit_together(group, nests, start) if group else functions.emit(nests[0], start)
        number += count
        lines += start.stage(number)
    lines += ["  AG_LEAVE();", "  return AG_OK;", "}"]
    parts, rest = divide(list(functions.pure.values()), ALONE if width == 1 else 1)
    own = [f.definition("AG_NEST") for f in rest]
    elsewhere = [f"AG_PART {f.head()};" for part in parts for f in part]
    own += ["\n".join(elsewhere)] if elsewhere else []
    own += [f.part for f in functions.pure.values() if f.part]
    own += [f.definition("AG_NEST") for f in functions.wholes.values()]
    own += functions.groups.values()
    main = unit([*own, "\n".join(lines)], start.support | functions.support)
    return [main, *(unit([f.definition("AG_PART") for f in p], joined([f.support for f in p])) for p in parts)]


def unit(definitions: list[str], support: dict[str, None]) -> str:
    """A text with what its definitions need."""
    text = "\n\n".join(definitions)
    return "\n\n".join([headers(text), *support, text]) + "\n"


def joined(tables: list[dict[str, None]]) -> dict[str, None]:
    """All definitions, once."""
    return {key: None for table in tables for key in table}


def divide(functions: list[Function], times: int = 1) -> tuple[list[list[Function]], list[Function]]:
    """Neighbours that are compiled together, and those at the end that are too few for a unit of their own. times: as
    large as units that are compiled side by side.

    Where a unit ends depends on the functions near there only, so that those before and after a change stay the same.
    """
    parts: list[list[Function]] = []
    rest: list[Function] = []
    for f in functions:
        rest.append(f)
        load = sum(g.weight for g in rest)
        if load >= MOST * times or (load >= LEAST * times and int(f.name[-1], 16) % 2):
            parts.append(rest)
            rest = []
    return parts, rest
