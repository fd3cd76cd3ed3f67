"""The list of passes: the compiler's table of contents."""

from __future__ import annotations

import gc
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from agnesi import config
from agnesi.control.closed import is_late
from agnesi.errors import ShapeError, VerificationError
from agnesi.ir import dtype as dt
from agnesi.ir.check import verify as verify_graph
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, as_dim, substitute
from agnesi.ir.show import text as graph_text
from agnesi.ir.type import Dim
from agnesi.loops.check import verify as verify_program
from agnesi.loops.interpret import CheckFailed, NeedsGeneral, run as run_program
from agnesi.loops.stmt import EntryCheck, Program
from agnesi.lower_loops import LoopLowering
from agnesi.ops.elementwise import copy
from agnesi.reference import evaluate
from agnesi.rewrite.canonical import CANONICAL, LATE, QUOTIENTS
from agnesi.rewrite.constants import CONSTANTS
from agnesi.rewrite.halves import widen
from agnesi.rewrite.index import INDEX
from agnesi.rewrite.logic import LOGIC
from agnesi.rewrite.parts import PARTS
from agnesi.rewrite.pattern import Report, Rewriter, Rule
from agnesi.rewrite.products import ACCUMULATE, LOOPS, PRODUCTS
from agnesi.rewrite.real import REAL
from agnesi.rewrite.reductions import REDUCTIONS
from agnesi.rewrite.scalars import SCALARS, one_of_several
from agnesi.rewrite.stable import RECOGNIZE, STABLE
from agnesi.schedule import kinds, lanes, memory, merge, panels, repeats, short, strips, together, windows
from agnesi.schedule.hoist import hoist
from agnesi.schedule.order import Schedule, order
from agnesi.schedule.place import Placement, place
from agnesi.schedule.sizes import Equation, Site, assume, collect, equations
from agnesi.target import c, cuda


@dataclass
class Compilation:
    """A function on its way from values to text.

    updates: pairs (output, input): the output becomes the next value of that input.
    common: which of the two variants this is. device: "cpu" or "cuda-emulated".
    real: whether rules may be used that hold of real numbers only.
    guess: whether it takes sizes that meet to be equal while it works.
    fixed: sizes of inputs that this variant is for.
    expanded: whether there were composites, which have been replaced.
    late: sizes that are checked and known only when nests have run; in the graph they are further outputs.
    """

    graph: Graph
    updates: Sequence[tuple[int, int]]
    common: bool
    optimize: bool = True
    real: bool = False
    guess: bool = True
    device: str = "cpu"
    fixed: dict[Node, int] = field(default_factory=dict)
    expanded: bool = False
    sites: list[Site] = field(default_factory=list)
    equal: list[Equation] = field(default_factory=list)
    checks: list[EntryCheck] = field(default_factory=list)
    late: list[Node] = field(default_factory=list)
    report: Report = field(default_factory=lambda: Report(fuel=config.settings().fuel))
    placement: Placement | None = None
    schedule: Schedule | None = None
    program: Program | None = None
    units: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The C text, all units one after another."""
        return "\n".join(self.units)

    @property
    def results(self) -> Graph:
        """The graph without the sizes that are checked."""
        return self.graph.replace(self.graph.outputs[: len(self.graph.outputs) - len(self.late)])

    @property
    def short(self) -> list[tuple[int, int]]:
        """The inputs and axes of the sizes for which there may be other code."""
        assert self.program is not None
        places = [self.program.symbols[size] for size in self.program.short]
        return [(self.program.inputs.index(name), axis) for name, axis in places]

    @property
    def donated(self) -> tuple[bool, ...]:
        """For each update, whether it is written into the memory of what it replaces."""
        assert self.program is not None
        return tuple(f"out{new}" in self.program.aliases for new, _ in self.updates)


# -- passes on values -----------------------------------------------------------------------------------


def find_sizes(job: Compilation) -> None:
    """Numbers what can fail, and collects what must hold of sizes."""
    job.graph, job.sites, job.equal, job.checks = collect(job.graph, job.updates, job.common, job.fixed)
    sides = [side for check in job.checks for side in (check.left, check.right)]
    job.late = list(dict.fromkeys(side for side in sides if isinstance(side, Node) and is_late(side)))
    job.graph = job.graph.replace([*job.graph.outputs, *job.late])


def assume_sizes(job: Compilation) -> None:
    """Replaces dimensions by what they are equal to in this variant."""
    before = job.graph.inputs
    job.graph = assume(job.graph, job.equal, job.common and job.guess)
    moved = {old: new for old, new in zip(before, job.graph.inputs, strict=True) if old is not new}

    def renewed(side: Dim) -> Dim:
        """A size that is an element of an input, whose type is another one now."""
        return side if isinstance(side, int) or side in job.late else as_dim(substitute([side], moved)[0])

    if moved:
        job.checks = [replace(c, left=renewed(c.left), right=renewed(c.right)) for c in job.checks]


def rewrite(*rules: list[Rule]) -> Callable[[Compilation], None]:
    """A pass that applies rules until none applies."""
    table = [r for group in rules for r in group]
    strict = [r for r in table if r.kind != "real"]

    def run(job: Compilation) -> None:
        job.graph = Rewriter(table if job.real else strict, job.report).graph(job.graph)

    return run


def hoist_from_loops(job: Compilation) -> None:
    """Takes out of loops what does not have to be in them."""
    job.graph = hoist(job.graph)


def expand(job: Compilation) -> None:
    """Replaces composites by what they stand for, and those in it too; what joins halves gets single precision."""
    before = job.graph
    job.graph = widen(widen(before).expanded(lambda node: node.op.kind == "composite"))
    job.expanded = job.graph is not before


def simplify(job: Compilation) -> None:
    """Applies rules to what took the place of composites; to everything else they have been applied."""
    if job.expanded:
        rewrite(*EARLY)(job)


def join_sums(job: Compilation) -> None:
    """Makes one sum of several that differ by powers of two."""
    job.graph = one_of_several(job.graph)


def part_outputs(job: Compilation) -> None:
    """Makes every output a value of its own: copies of inputs, constants and outputs that are there already."""
    seen: set[Node] = set()
    outputs = []
    for k, node in enumerate(job.results.outputs):
        if not node.args or node in seen:
            node = copy(node, number=k)
        seen.add(node)
        outputs.append(node)
    job.graph = job.graph.replace([*outputs, *job.graph.outputs[len(outputs) :]])


# -- passes on decisions and statements -----------------------------------------------------------------


def place_values(job: Compilation) -> None:
    """Decides what gets memory."""
    job.placement = place(job.results, late_sizes(job))


def order_nests(job: Compilation) -> None:
    """Decides what shares a nest."""
    assert job.placement is not None
    outputs = job.graph.outputs
    readers = {a for n in job.graph.order for a in n.args}
    last = frozenset(outputs[new] for new, _ in job.updates if outputs[new] not in readers)
    job.schedule = order(job.placement, last)


def lower(job: Compilation) -> None:
    """Makes statements."""
    assert job.placement is not None
    assert job.schedule is not None
    now: dict[Dim, Node] = dict(zip(job.late, late_sizes(job), strict=True))
    checks = [replace(c, left=now.get(c.left, c.left), right=now.get(c.right, c.right)) for c in job.checks]
    lowering = LoopLowering(job.results, job.placement, job.schedule, not job.common, lambda g: prepared(job, g))
    job.program = lowering.run(checks)


def prepared(job: Compilation, graph: Graph) -> Graph:
    """The graph of a loop's step after the passes on values."""
    step = Compilation(graph, (), job.common, job.optimize, job.real, report=job.report)
    for row in PASSES:
        if row.level == "values" and row.after and row.name != "assume" and (row.required or job.optimize):
            row.run(step)
    return step.graph


def late_sizes(job: Compilation) -> list[Node]:
    """The present form of the sizes that are checked when nests have run."""
    return list(job.graph.outputs[len(job.graph.outputs) - len(job.late) :])


def turn_windows(job: Compilation) -> None:
    """Has nests go through windows side by side."""
    assert job.program is not None
    windows.turn(job.program)


def arrange_nests(job: Compilation) -> None:
    """Puts independent loops of steps next to each other."""
    assert job.program is not None
    together.arrange(job.program)


def plan_memory(job: Compilation) -> None:
    """Decides which buffers share memory."""
    assert job.program is not None
    memory.plan(job.program, [(f"out{new}", f"in{old}") for new, old in job.updates])


def merge_loops(job: Compilation) -> None:
    """Makes one loop of two that go through arrays from end to end."""
    assert job.program is not None
    merge.merge(job.program)


def repeat_vectors(job: Compilation) -> None:
    """Has loops go through short rows as one, with vectors that are read in each of them."""
    assert job.program is not None
    repeats.turn(job.program)


def turn_columns(job: Compilation) -> None:
    """Has loops that read across rows of arrays copy columns into panels."""
    assert job.program is not None
    panels.turn(job.program)


def take_rows_together(job: Compilation) -> None:
    """Has loops over short rows take many of them at a time."""
    assert job.program is not None
    lanes.turn(job.program)


def split_rows(job: Compilation) -> None:
    """Puts loops over rows into strips, so that elementary functions of many rows are computed at once."""
    assert job.program is not None
    strips.split(job.program)


def find_short_rows(job: Compilation) -> None:
    """Notes sizes for which there may be code of its own."""
    assert job.program is not None
    if job.common and not job.fixed:
        short.find(job.program)


def mark_loops(job: Compilation) -> None:
    """Decides the kinds of loops, which of them threads share, which do several iterations at a time, and which write
    past the caches, and which nests run at the same time."""
    assert job.program is not None
    kinds.mark(job.program)
    kinds.join_rows(job.program)
    kinds.stream(job.program)
    together.decide(job.program)


def mark_grids(job: Compilation) -> None:
    """Decides the kinds of loops, and which of them a grid carries out."""
    assert job.program is not None
    kinds.mark(job.program, kinds.grid)


def print_c(job: Compilation) -> None:
    """Makes the C text."""
    assert job.program is not None
    job.units = c.units(job.program, config.processors())


def print_kernels(job: Compilation) -> None:
    """Makes the text of kernels, and what starts them."""
    assert job.program is not None
    if job.device == "cuda":
        driven = cuda.Driven(job.program)
        job.units = [driven.device_text(), driven.host_text()]
    else:
        job.units = cuda.emulated(job.program)


# -- the list ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pass:
    """A row: what runs, at which level, behind which passes, whether results are right without it, and for what."""

    name: str
    run: Callable[[Compilation], None]
    level: str
    after: tuple[str, ...] = ()
    required: bool = True
    devices: tuple[str, ...] = config.DEVICES


CPU, GRIDS = ("cpu",), ("cuda", "cuda-emulated")
EARLY = (REAL, CANONICAL, LOGIC, QUOTIENTS, STABLE, CONSTANTS, INDEX, PARTS, REDUCTIONS, PRODUCTS)

PASSES = [
    Pass("sizes", find_sizes, "values"),
    Pass("assume", assume_sizes, "values", ("sizes",)),
    Pass("hoist", hoist_from_loops, "values", ("assume",), required=False),
    Pass("canonical", rewrite(*EARLY, RECOGNIZE), "values", ("assume",), required=False),
    Pass("expand", expand, "values", ("canonical",)),
    Pass("simplify", simplify, "values", ("expand",), required=False),
    Pass("accumulate", rewrite(ACCUMULATE), "values", ("simplify",), required=False),
    Pass("products", rewrite(LOOPS), "values", ("accumulate",)),
    Pass("finish", rewrite(CANONICAL, CONSTANTS, LATE, SCALARS, INDEX), "values", ("products",), required=False),
    Pass("sums", join_sums, "values", ("finish",), required=False),
    Pass("outputs", part_outputs, "values", ("finish",)),
    Pass("place", place_values, "schedule", ("outputs",)),
    Pass("order", order_nests, "schedule", ("place",)),
    Pass("lower", lower, "loops", ("order",)),
    Pass("windows", turn_windows, "loops", ("lower",), required=False),
    Pass("together", arrange_nests, "loops", ("lower",), required=False, devices=CPU),
    Pass("memory", plan_memory, "loops", ("lower",)),
    Pass("merge", merge_loops, "loops", ("memory",), required=False, devices=CPU),
    Pass("repeats", repeat_vectors, "loops", ("merge",), required=False, devices=CPU),
    Pass("panels", turn_columns, "loops", ("memory",), required=False, devices=CPU),
    Pass("lanes", take_rows_together, "loops", ("memory",), required=False, devices=CPU),
    Pass("strips", split_rows, "loops", ("memory",), required=False, devices=CPU),
    Pass("short", find_short_rows, "loops", ("memory",), required=False, devices=CPU),
    Pass("kinds", mark_loops, "loops", ("memory",), devices=CPU),
    Pass("print", print_c, "text", ("kinds",), devices=CPU),
    Pass("grids", mark_grids, "loops", ("memory",), devices=GRIDS),
    Pass("kernels", print_kernels, "text", ("grids",), devices=GRIDS),
]


def check_passes(passes: Sequence[Pass]) -> None:
    """Raises VerificationError unless every pass stands behind those it names."""
    seen: set[str] = set()
    for row in passes:
        missing = [a for a in row.after if a not in seen]
        if missing:
            raise VerificationError(f"pass {row.name} must come after {', '.join(missing)}")
        seen.add(row.name)


check_passes(PASSES)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Python's garbage collector off: it would go through all nodes again and again, which makes large graphs slower
    than linear, and passes leave next to nothing for it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@collector_paused()
def compile_graph(
    graph: Graph, updates: Sequence[tuple[int, int]] = (), common: bool = True, optimize: bool = True,
    device: str = "cpu", real: bool = False, fixed: Mapping[Node, int] | None = None,
) -> Compilation:  # fmt: skip
    """Runs all passes (only the required ones without `optimize`); config.check and config.dump watch them.

    fixed: sizes of inputs that the code is for; for others it says that it is not.
    """
    sizes = dict(fixed or {})
    try:
        return run_passes(Compilation(graph, updates, common, optimize, real, device=device, fixed=sizes))
    except ShapeError:
        if not common:
            raise
        # What was assumed contradicts itself, so the checks at entry will always turn to the general variant.
        return run_passes(Compilation(graph, updates, common, optimize, real, guess=False, device=device, fixed=sizes))


def run_passes(job: Compilation) -> Compilation:
    """The job after all its passes."""
    settings = config.settings()
    dump = set(settings.dump.split(",")) if settings.dump else set()
    watch = Watch(job.graph) if settings.check else None
    for row in PASSES:
        if job.device not in row.devices or not (row.required or job.optimize):
            continue
        start = time.perf_counter()
        row.run(job)
        job.seconds[row.name] = time.perf_counter() - start
        if row.name in dump:
            print(f"-- {row.name}\n{show(job, row)}", file=sys.stderr)
        if watch is not None:
            watch.after(row, job)
    return job


def show(job: Compilation, row: Pass) -> str:
    """The result of a pass as text."""
    if row.level == "values":
        return graph_text(job.graph)
    if row.name == "place" and job.placement is not None:
        return "\n".join(f"{n!r}: {job.placement.reasons[n]}" for n in job.placement.roots)
    if row.name == "order" and job.schedule is not None:
        return "\n".join(f"depth {g.depth}: {[i.root.op.name for i in g.items]}" for g in job.schedule.groups)
    if row.level == "loops" and job.program is not None:
        return "\n".join(f"{n.name}: {n.reason}\n{n.body}" for n in job.program.nests)
    return job.text


TOLERANCE = {"bfloat16": 0.1, "float16": 0.02, "float32": 1e-3, "complex64": 1e-3}


class Watch:
    """Verifies after every pass, and compares values with those of the graph at the start, on random inputs."""

    def __init__(self, graph: Graph) -> None:
        self.arrays = sample_inputs(graph)
        self.constants = [n["value"].array for n in graph.arrays]
        self.types = tuple(o.type for o in graph.outputs)
        self.tolerance = max(TOLERANCE.get(n.dtype, 1e-8) for n in graph.order)  # of the coarsest dtype on the way
        self.expected = self.values(graph)

    def values(self, graph: Graph) -> list[np.ndarray] | None:
        try:
            return evaluate(graph, self.arrays)
        except (ArithmeticError, ValueError, IndexError):
            return None  # random sizes or indices do not fit this graph: nothing to compare with

    def executed(self, program: Program) -> list[np.ndarray] | None:
        try:
            return run_program(program, [*self.arrays, *self.constants])
        except (NeedsGeneral, CheckFailed, ValueError):
            return None

    def after(self, row: Pass, job: Compilation) -> None:
        if row.level == "values":
            verify_graph(job.results, self.types)
            found = self.values(job.results)
        elif row.level == "loops" and job.program is not None:
            verify_program(job.program, planned=row.name not in ("lower", "windows", "together"))
            found = self.executed(job.program)
        else:
            return
        if self.expected is None or found is None:
            return
        for k, (a, b) in enumerate(zip(self.expected, found, strict=True)):
            a, b = dt.widened(a), dt.widened(b)
            if not np.allclose(a, b, rtol=self.tolerance, atol=self.tolerance, equal_nan=True):
                raise VerificationError(f"pass {row.name} changed output {k}: {a} became {b}")


def sample_inputs(graph: Graph) -> list[np.ndarray]:
    """Small random arrays for the inputs; dimensions of one symbol are equal."""
    rng = np.random.default_rng(0)
    try:
        equal = assume(graph, equations(graph), True)
    except ShapeError:
        equal = graph
    sizes = {s: 2 + k % 3 for k, s in enumerate(equal.symbols)}
    arrays = []
    for node in equal.inputs:
        shape = tuple(d if isinstance(d, int) else sizes[d] for d in node.shape)
        values = rng.uniform(0, 2, size=shape)
        arrays.append(np.asarray(values).astype(node.dtype))
    return arrays
