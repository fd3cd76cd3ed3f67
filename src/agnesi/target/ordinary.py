"""Functions with a faster form for ordinary arguments, and the loops that may ask for it beforehand."""

from __future__ import annotations

import math
import re

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, LOAD, Node, topological, value_of
from agnesi.loops.stmt import Call, Check, For, Let, Stmt, written_buffers

# Functions with a form for ordinary arguments, and whose question it is whether they are: v_sin_near, v_sin_far.
FAR = {
    "sin": "sin", "cos": "sin", "tan": "sin", "fmod": "fmod", "mod": "fmod", "floordiv": "fmod", "pow": "pow",
    "exp": "exp", "exp2": "exp", "log1p": "log1p", "log": "log", "log2": "log", "log10": "log",
}  # fmt: skip
# Those whose form for ordinary arguments is a chain so long that a processor, which sees some hundred instructions
# ahead, finds too few next ones to work on: it comes in two parts, for two loops: v_pow_early, v_pow_late.
STAGED = {"pow"}
LARGEST_ANGLE = 2.0**16  # well within what is ordinary to both precisions
ROUNDED = 1.001  # what rounding makes of numbers at most
LIGHT = {"exp", "log", "log1p"}  # questions that save a quarter of the time only
LIGHT_COST = 12  # additions up to which it pays to compute an argument twice for that
C_BITS = {"float32": "uint32_t", "float64": "uint64_t"}


def wide(n: Node) -> str:
    """The type that a function is computed in."""
    return dt.wide(n.args[0].dtype)


def certain(n: Node) -> bool:
    """Whether the argument of a trigonometric function is ordinary for all inputs, as a random angle is."""
    if FAR.get(n.op.name) != "sin" or wide(n) not in C_BITS:
        return False
    size = largest(n.args[0])
    return size is not None and size < LARGEST_ANGLE


def largest(n: Node) -> float | None:
    """A bound of the absolute value, if one is known."""
    if n.op is CONST:
        return abs(float(value_of(n)))
    if n.op.name == "right_shift" and n.dtype.startswith("uint") and n.args[1].op is CONST:
        return 2.0 ** (8 * dt.SIZES[n.dtype] - int(value_of(n.args[1]))) - 1
    if n.op.name == "cast":
        size, fits = largest(n.args[0]), {"int64": 2.0**63, "float32": 2.0**127, "float64": 2.0**127}.get(n.dtype, 0)
        return None if size is None or size >= fits else size * ROUNDED
    if n.op.name == "mul":
        sizes = [largest(a) for a in n.args]
        return None if None in sizes else math.prod(s for s in sizes if s is not None)
    return None


def guarded(stmt: For, tried: bool = False) -> list[Node]:
    """The calls in a loop of functions with a form for ordinary arguments, for which it can be asked beforehand; with
    `tried`, on the way, which is for loops that may run twice."""
    if stmt.kind != "simd" or any(isinstance(s, (For, Check, Call)) for s in stmt.body):
        return []
    called = dict.fromkeys(n for s in stmt.body for n in s.nodes if n.op.name in FAR)
    found = [n for n in called if wide(n) in C_BITS and not certain(n)]
    if tried:
        return found
    heavy = {FAR[n.op.name] for n in found if light(n) and cost_of(stmt.body, n) > LIGHT_COST}
    found = [n for n in found if FAR[n.op.name] not in heavy]
    wanted = arguments(stmt.body, found)
    written = written_buffers(stmt.body)  # what is read from them may be what the same iteration has written
    read = {n["buffer"] for n in wanted if n.op is LOAD}
    return [] if read & written else found


def staged(body: tuple[Stmt, ...], found: list[Node]) -> list[Node]:
    """The calls that are to be computed in two loops: those whose arguments cost little, as both loops need them."""
    return [n for n in found if n.op.name in STAGED and cost_of(body, n) <= LIGHT_COST]


def light(n: Node) -> bool:
    """Whether a function takes little more time for any argument than for ordinary ones."""
    return FAR[n.op.name] in LIGHT


def cost_of(body: tuple[Stmt, ...], n: Node) -> int:
    """What the arguments of a call cost, in additions."""
    return sum(a.op.cost for a in arguments(body, [n]))


def arguments(body: tuple[Stmt, ...], calls: list[Node]) -> list[Node]:
    """All that arguments of calls are computed from."""
    wanted = [a for n in calls for a in n.args]
    return topological([*wanted, *(s.value for s in slice_of(body, wanted))])


def slice_of(body: tuple[Stmt, ...], wanted: list[Node]) -> list[Let]:
    """The names that some values of a body depend on."""
    needed = set(topological(wanted))
    kept: list[Let] = []
    for stmt in reversed(body):
        if isinstance(stmt, Let) and stmt.var in needed:
            needed.update(topological([stmt.value]))
            kept.insert(0, stmt)
    return kept


def near(line: str) -> str:
    """A line with the forms for ordinary arguments."""
    return re.sub(r"v_ASKED_(\w+?)(f?)\(", r"v_\1_near\2(", line)


def any_form(line: str) -> str:
    """A line with the forms for any arguments."""
    return line.replace("v_ASKED_", "v_")


def is_far(kinds: list[str]) -> str:
    """Whether some argument was not ordinary."""
    return " | ".join(f"(far_{kind} >> {63 if kind == 'float64' else 31})" for kind in kinds)
