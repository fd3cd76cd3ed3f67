"""Checks agnesi on a CUDA device against its reference, and times it beside what else is installed there.

Needs CuPy and NVRTC, and agnesi installed; nothing from the network. On a machine with a device:

    python tools/gpu_check.py --output GPU.md

It ends by itself before the time is over, and says what it did not get to. `--device cuda-emulated --small` tries the
program itself where no device is.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.device import Attempt, DeviceFunction
from agnesi.ir.graph import Graph
from agnesi.ir.variable import Variable, as_node
from agnesi.reference import evaluate
from agnesi.signature import In
from agnesi.target.driver import driver_of

TESTS = Path(__file__).resolve().parents[1] / "tests"
SHOWN = 20  # failures whose text is in the report
SHARE = 0.6  # of the time, for checks


def progress(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- checks ------------------------------------------------------------------------------------------------------


class OnDevice:
    """A graph as a function of the device, with the interface that the tests' comparisons use."""

    def __init__(self, graph: Graph, device: str) -> None:
        self.graph = graph
        given = [In(Variable(n, f"x{k}"), f"x{k}") for k, n in enumerate(graph.inputs)]
        self.function = DeviceFunction(graph, given, [], [], "list", "fast_run", "", 0, device)

    def run(self, arrays: Sequence[np.ndarray], variant: int = 0) -> list[np.ndarray]:
        """The outputs; the common variant hands over to the general one."""
        driver = self.function.driver
        own = [driver.array(a, a.dtype) for a in arrays] + self.function.constants
        attempt = Attempt(self.function, own)
        status = attempt.run(self.function._ready(variant))
        if status == 3 and variant == 0:
            return self.run(arrays, 1)
        if status:
            raise RuntimeError(f"status {status}, check {attempt.call.check}, {list(attempt.call.values)}")
        return [driver.host(a) for a in attempt.made]

    def call(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs as a person gets them: from the second time on, of one graph of launches."""
        return [self.function.driver.host(a) for a in self.function(*arrays)]


def check(kind: str, number: int, device: str) -> str:
    """What is wrong with one case: nothing, as a rule."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    try:
        with np.errstate(all="ignore"):
            {"table": check_row, "expressions": check_expression, "random graphs": check_graph}[kind](number, device)
    except Exception as error:
        return f"{kind} {number}: {type(error).__name__}: {str(error).strip()[:600]}"
    return ""


def check_row(number: int, device: str) -> None:
    """An elementwise operation in one dtype, on ordinary and special values."""
    import test_table as table

    op, dtypes = table.ROWS[number]
    case, rng = OnDevice(table.graph_of(op, dtypes), device), np.random.default_rng(number)
    for shape in ((3, 50), (0, 4), (1, 131), (300, 401)):
        table.compare(case, op, [table.draw(op, rng, shape, d) for d in dtypes])
    table.compare(case, op, [a[None] for a in table.defined(op, [table.special(d) for d in dtypes])])


def check_expression(number: int, device: str) -> None:
    """One of the tests' expressions, in both variants."""
    from expressions import EXPRESSIONS
    from test_table import TOLERANCE

    expression = EXPRESSIONS[number]
    inputs = expression.variables()
    made = expression.make(*inputs)
    outputs = made if isinstance(made, (list, tuple)) else [made]
    case = OnDevice(Graph([v.node for v in inputs], [as_node(o) for o in outputs]), device)
    wanted = evaluate(case.graph, expression.arrays)
    near = max(TOLERANCE.get(w.dtype.name, 1e-12) for w in wanted)
    for variant in (0, 1):
        for a, b in zip(case.run(expression.arrays, variant), wanted, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=near, atol=near)


def check_graph(number: int, device: str) -> None:
    """A random graph, kernel by kernel and as a graph of launches."""
    from generate import generate
    from test_random import agree

    sample = generate(number)
    case = OnDevice(sample.graph, device)
    agree(sample, case.run(sample.arrays), device)
    for _ in range(3):
        agree(sample, case.call(sample.arrays), device)


def sizes(small: bool) -> dict[str, int]:
    """How many cases there are of each kind."""
    sys.path.insert(0, str(TESTS))
    from expressions import EXPRESSIONS
    from test_table import ROWS

    found = {"table": len(ROWS), "expressions": len(EXPRESSIONS), "random graphs": 1000}
    return dict.fromkeys(found, 3) if small else found


def run_checks(options: argparse.Namespace, end: float) -> list[str]:
    """All cases, side by side, until the time is over; the report's lines."""
    counts, failures = Counter[str](), []
    total = sizes(options.small)
    jobs = [(kind, k * 37 % n) for kind, n in total.items() for k in range(n)]  # spread over the table
    jobs = list(dict.fromkeys(jobs))
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        waiting = {pool.submit(check, kind, k, options.device): kind for kind, k in jobs}
        for done in as_completed(waiting):
            if done.cancelled():
                continue
            counts[waiting[done]] += 1
            failures += [done.result()] if done.result() else []
            if sum(counts.values()) % 200 == 0:
                progress(f"  {sum(counts.values())} of {len(jobs)} cases, {len(failures)} failed")
            if time.monotonic() > end:
                for future in waiting:
                    future.cancel()
    lines = [f"- {kind}: {counts[kind]} of {n} cases" for kind, n in total.items()]
    lines += [f"- failed: {len(failures)}", *(f"  - {f}" for f in failures[:SHOWN])]
    return lines


# -- times -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Work:
    """A computation: `make` draws arrays, `formula` makes outputs from a system's functions and arrays; of the first
    output `gradient` arguments are differentiated. moved: bytes that have to be read and written."""

    name: str
    make: Callable[[np.random.Generator, int], list[np.ndarray]]
    formula: Callable[..., Any]
    size: int
    gradient: tuple[int, ...] = ()
    moved: float = 0.0


def normal(*shape: int) -> Callable[[np.random.Generator, int], list[np.ndarray]]:
    """Makes two arrays of a shape whose first axis takes the size."""
    return lambda rng, n: [rng.standard_normal((n, *shape), dtype="float32") for _ in range(2)]


def layer_norm(f: Any, x: Any, y: Any) -> Any:
    centered = x - f.sum(x, 1) / x.shape[1]
    return centered / f.sqrt(f.sum(centered * centered, 1) / x.shape[1] + 1e-5)


def softmax(f: Any, x: Any) -> Any:
    e = f.exp(x - f.max(x, 1))
    return e / f.sum(e, 1)


def logsumexp(axis: int) -> Callable[..., Any]:
    def formula(f: Any, x: Any, y: Any) -> Any:
        top = f.max(x, axis)
        return f.log(f.sum(f.exp(x - top), axis)) + top

    return formula


def perceptron(f: Any, x: Any, t: Any, w: Any, u: Any) -> Any:
    p = softmax(f, f.tanh(x @ w) @ u)
    return f.total((p - t) * (p - t))


def make_perceptron(rng: np.random.Generator, n: int) -> list[np.ndarray]:
    shapes = ((n, 784), (n, 10), (784, 500), (500, 10))
    return [rng.standard_normal(s, dtype="float32") * np.float32(0.05) for s in shapes]


WORKS = [
    Work("`2*x + 3*y`", normal(), lambda f, x, y: 2 * x + 3 * y, 10**8, moved=12),
    Work("`sigmoid(x)*tanh(y)`", normal(), lambda f, x, y: f.tanh(y) / (1 + f.exp(-x)), 10**8, moved=12),
    Work("sum of `x*y`", normal(), lambda f, x, y: f.total(x * y), 10**8, moved=8),
    Work("softmax, 4096 columns", normal(4096), lambda f, x, y: softmax(f, x), 8192, moved=8 * 4096),
    Work("layer norm, 4096 columns", normal(4096), layer_norm, 8192, moved=8 * 4096),
    Work("logsumexp over columns, 4096", normal(4096), logsumexp(1), 8192, moved=4 * 4096),
    Work("logsumexp over rows, 4096 columns", normal(4096), logsumexp(0), 8192, moved=4 * 4096),
    Work("softmax and gradient", normal(4096), lambda f, x, y: f.total(softmax(f, x) * y), 8192, (0,), 12 * 4096),
    Work("product", normal(4096), lambda f, x, y: x @ y, 4096),
    Work("perceptron, batch 60, and gradient", make_perceptron, perceptron, 60, (2, 3)),
    Work("perceptron, batch 6000, and gradient", make_perceptron, perceptron, 6000, (2, 3)),
]


class Functions:
    """Elementary functions and reductions of a system that has NumPy's names; axes are kept."""

    def __init__(self, module: Any, axis: str = "axis", keep: str = "keepdims") -> None:
        self.module, self.axis, self.keep = module, axis, keep
        self.exp, self.log, self.tanh, self.sqrt = module.exp, module.log, module.tanh, module.sqrt

    def sum(self, x: Any, axis: int) -> Any:
        return self.module.sum(x, **{self.axis: axis, self.keep: True})

    def max(self, x: Any, axis: int) -> Any:
        found = self.module.amax if hasattr(self.module, "amax") else self.module.max
        return found(x, **{self.axis: axis, self.keep: True})

    def total(self, x: Any) -> Any:
        return self.module.sum(x)


Timed = tuple[Callable[[], Any], Callable[[], None]]  # what is called, and what waits for it


def agnesi_call(work: Work, arrays: list[np.ndarray], device: str) -> Timed:
    driver = driver_of(device)
    inputs = [at.tensor(f"x{k}", "float32", (None,) * a.ndim) for k, a in enumerate(arrays)]
    value = work.formula(Functions(at), *inputs)
    outputs = [value, *ag.grad(value, [inputs[k] for k in work.gradient])] if work.gradient else value
    function = ag.function(inputs, outputs, device=device, on_unused_input="ignore")
    own = [driver.array(a, a.dtype) for a in arrays]
    wait = driver.module.cuda.Device().synchronize if device == "cuda" else lambda: None
    return lambda: function(*own), wait


def cupy_call(work: Work, arrays: list[np.ndarray], device: str) -> Timed:
    import cupy

    if work.gradient:
        raise NotImplementedError("no gradients")
    own = [cupy.asarray(a) for a in arrays]
    return lambda: work.formula(Functions(cupy), *own), cupy.cuda.Device().synchronize


def torch_call(work: Work, arrays: list[np.ndarray], device: str, compiled: bool = False) -> Timed:
    import torch

    own = [torch.from_numpy(a).cuda() for a in arrays]
    leaves = [own[k].requires_grad_() for k in work.gradient]
    formula = torch.compile(work.formula) if compiled else work.formula
    functions = Functions(torch, "dim", "keepdim")

    def call() -> Any:
        value = formula(functions, *own)
        return (value, *torch.autograd.grad(value, leaves)) if leaves else value

    return call, torch.cuda.synchronize


def jax_call(work: Work, arrays: list[np.ndarray], device: str) -> Timed:
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    import jax

    def formula(*args: Any) -> Any:
        return work.formula(Functions(jax.numpy), *args)

    function = jax.jit(jax.value_and_grad(formula, work.gradient) if work.gradient else formula)
    own = [jax.device_put(a) for a in arrays]
    last: list[Any] = []

    def call() -> Any:
        last[:] = [function(*own)]
        return last[0]

    return call, lambda: jax.block_until_ready(last[0])


SYSTEMS: dict[str, Callable[..., Timed]] = {
    "agnesi": agnesi_call,
    "cupy": cupy_call,
    "torch": torch_call,
    "torch.compile": lambda *args: torch_call(*args, compiled=True),
    "jax": jax_call,
}


def first_array(found: Any) -> np.ndarray:
    """The first output in the processor's memory."""
    value = found[0] if isinstance(found, (list, tuple)) else found
    value = value.detach().cpu() if hasattr(value, "detach") else value.get() if hasattr(value, "get") else value
    return np.asarray(value)


def seconds_per_call(timed: Timed, rounds: int) -> float:
    """The median over rounds of calls in a row that are waited for at their end."""
    call, wait = timed
    times, repeat = [], 1
    while len(times) < rounds:
        wait()
        start = time.perf_counter()
        for _ in range(repeat):
            kept = call()
        wait()
        taken = time.perf_counter() - start
        del kept
        if taken < 0.02 and repeat < 1000 and not times:
            repeat *= 2
            continue
        times.append(taken / repeat)
    return median(times)


def run_works(options: argparse.Namespace, end: float) -> Iterator[str]:
    """The table of times; a system that fails says why beneath it."""
    systems = [s for s in SYSTEMS if s == "agnesi" or (options.device == "cuda" and s in options.peers.split(","))]
    yield "| work | " + " | ".join(systems) + " | best peer / agnesi | agnesi, GB/s |"
    yield "| --- | " + " | ".join("---:" for _ in systems) + " | ---: | ---: |"
    notes = []
    for work in WORKS:
        if time.monotonic() > end:
            notes.append(f"- {work.name}: no time left")
            continue
        size = min(work.size, 64) if options.small else work.size
        arrays = work.make(np.random.default_rng(0), size)
        if options.small:
            arrays = [a[:, :64].copy() if a.ndim > 1 and work.gradient != (2, 3) else a for a in arrays]
        found: dict[str, float] = {}
        expected = None
        for system in systems:
            progress(f"  {work.name}: {system}")
            try:
                timed = SYSTEMS[system](work, arrays, options.device)
                value = first_array(timed[0]())
                expected = value if expected is None else expected
                np.testing.assert_allclose(value, expected, rtol=2e-3, atol=2e-3 * float(abs(expected).max()))
                found[system] = seconds_per_call(timed, 3 if options.small else 15)
            except Exception as error:
                notes.append(f"- {work.name}, {system}: {type(error).__name__}: {str(error).strip()[:200]}")
        peers = [t for s, t in found.items() if s != "agnesi"]
        own = found.get("agnesi", 0.0)
        cells = [f"{1e6 * found[s]:,.1f} us" if s in found else "" for s in systems]
        ratio = f"{min(peers) / own:.2f}" if peers and own else ""
        speed = f"{work.moved * size / own / 1e9:,.0f}" if work.moved and own else ""
        yield f"| {work.name} | " + " | ".join(cells) + f" | {ratio} | {speed} |"
    yield ""
    yield from notes


def ceilings(device: str) -> Iterator[str]:
    """What the device can do at most: a copy, products by cuBLAS."""
    if device != "cuda":
        return
    import cupy

    wait = cupy.cuda.Device().synchronize
    x = cupy.zeros(2**28, "float32")
    y = cupy.empty_like(x)
    taken = seconds_per_call((lambda: cupy.copyto(y, x), wait), 15)
    yield f"- copy: {2 * x.nbytes / taken / 1e9:,.0f} GB/s"
    for dtype in ("float32", "float64", "float16"):
        a = cupy.random.standard_normal((8192, 8192)).astype(dtype)
        taken = seconds_per_call((lambda a=a: a @ a, wait), 5)
        yield f"- product of 8192 x 8192, {dtype}: {2 * 8192**3 / taken / 1e12:,.1f} TFLOP/s"


# -- the report ----------------------------------------------------------------------------------------------------


def machine(device: str) -> Iterator[str]:
    if device == "cuda":
        import cupy

        properties = cupy.cuda.runtime.getDeviceProperties(0)
        yield f"- device: {properties['name'].decode()}, {driver_of(device).architecture}"
    else:
        yield f"- device: {device}"
    yield f"- processor: {platform.machine()}, {os.cpu_count()} cores; Python {platform.python_version()}"
    versions = []
    for name in ("agnesi", "numpy", "cupy", "torch", "jax"):
        try:
            versions.append(f"{name} {importlib.metadata.version('cupy-cuda13x' if name == 'cupy' else name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    yield f"- packages: {', '.join(versions)}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda or cuda-emulated (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=480.0, help="for everything (default: %(default)s)")
    parser.add_argument("--processes", type=int, default=min(12, os.cpu_count() or 1), help="for the checks")
    parser.add_argument("--peers", default="cupy,torch,torch.compile,jax", help="systems that are timed too")
    parser.add_argument("--small", action="store_true", help="a few cases, small arrays")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="the report")
    options = parser.parse_args()
    start = time.monotonic()
    lines = [f"# On a device, {time.strftime('%Y-%m-%d %H:%M')}", "", *machine(options.device), "", "## Checks", ""]

    def write() -> None:
        if options.output:
            options.output.write_text("\n".join(lines) + "\n")

    progress("checks")
    lines += run_checks(options, start + SHARE * options.seconds)
    write()
    progress("ceilings")
    lines += ["", "## Ceilings", "", *ceilings(options.device)]
    write()
    progress("times")
    lines += ["", "## Times", "", "Medians; calls in a row, waited for at their end.", ""]
    for line in run_works(options, start + options.seconds):
        lines.append(line)
        write()
    print("\n".join(lines))
    return int(any(line.startswith("- failed") and not line.endswith(": 0") for line in lines))


if __name__ == "__main__":
    sys.exit(main())
