"""Throughput of elementary and special functions, in nanoseconds an element, beside NumPy's, JAX's and torch's.

Example: python benchmarks/functions.py --only exp,sin --output functions.md
"""

from __future__ import annotations

import argparse
import datetime
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine
import numpy as np
from measure import Call, interleave
from run import restart_limited

SIZE = 10_000
PEERS = ("numpy", "jax", "torch")


@dataclass(frozen=True)
class Row:
    """A function of one or two arguments drawn from [low, high); other names that systems have for it."""

    name: str
    low: float = -4
    high: float = 4
    arity: int = 1
    names: dict[str, str] = field(default_factory=dict)


def named(name: str, low: float = -4, high: float = 4, arity: int = 1, **names: str) -> Row:
    """A row; an empty name is a function that the system has not."""
    return Row(name, low, high, arity, names)


ROWS = [
    named("exp"), named("expm1"), named("exp2"), named("log", 0.01, 10), named("log1p", 0.01, 10),
    named("log2", 0.01, 10), named("log10", 0.01, 10), named("sqrt", 0.01, 10), named("cbrt", torch=""),
    named("power", 0.1, 4, 2, torch="pow"), named("sin", -50, 50), named("cos", -50, 50), named("tan", -50, 50),
    named("arcsin", -1, 1), named("arccos", -1, 1), named("arctan"), named("arctan2", arity=2),
    named("sinh"), named("cosh"), named("tanh"), named("arcsinh"), named("arccosh", 1, 5), named("arctanh", -1, 1),
    named("hypot", arity=2), named("logaddexp", arity=2),
    named("nnet.sigmoid", numpy="special.expit", jax="nn.sigmoid", torch="sigmoid"),
    named("nnet.softplus", numpy="special.softplus", jax="nn.softplus", torch="nn.functional.softplus"),
    named("nnet.gelu", numpy="", jax="", torch="nn.functional.gelu"),
    named("erf", numpy="special.erf", jax="special.erf"), named("erfc", numpy="special.erfc", jax="special.erfc"),
    named("erfinv", -1, 1, numpy="special.erfinv", jax="special.erfinv"),
    named("erfcx", numpy="special.erfcx", jax="", torch="special.erfcx"),
    named("gammaln", 0.1, 20, numpy="special.gammaln", jax="special.gammaln", torch="lgamma"),
    named("gamma", 0.1, 20, numpy="special.gamma", jax="special.gamma", torch=""),
    named("digamma", 0.1, 20, numpy="special.digamma", jax="special.digamma"),
    named("trigamma", 0.1, 20, numpy="", jax="", torch="special.polygamma 1"),
    named("zeta", 1.1, 20, 2, numpy="special.zeta", jax="special.zeta", torch="special.zeta"),
    named("logit", 0, 1, numpy="special.logit", jax="special.logit"),
    named("xlogy", 0.1, 4, 2, numpy="special.xlogy", jax="special.xlogy"),
    named("mod", 0.1, 50, 2, torch="remainder"), named("fmod", 0.1, 50, 2),
    named("floor_divide", 0.1, 50, 2), named("rint", torch="round"), named("floor"),
    named("maximum", arity=2), named("copysign", arity=2),
]  # fmt: skip


def attribute(module: Any, path: str) -> Callable[..., Any] | None:
    """module.a.b for "a.b", None if there is no such thing; a number behind the path is a first argument."""
    path, _, order = path.partition(" ")
    for name in path.split("."):
        module = getattr(module, name, None)
    if not path or module is None:
        return None
    return (lambda x: module(int(order), x)) if order else module


def prepare(system: str, row: Row, arrays: list[np.ndarray]) -> Call | None:
    """A call of one function in one system, None where it has none."""
    path = row.names.get(system, row.name)
    if system == "agnesi":
        ag, at = importlib.import_module("agnesi"), importlib.import_module("agnesi.tensor")
        inputs = [at.vector(f"x{k}", dtype=a.dtype.name) for k, a in enumerate(arrays)]
        compiled = ag.function(inputs, attribute(at, row.name)(*inputs))
        return lambda: compiled(*arrays)
    if system == "numpy":
        module = importlib.import_module("scipy") if path.startswith("special.") else np
        function = attribute(module, path)
        return None if function is None else lambda: function(*arrays)
    if system == "jax":
        jax = importlib.import_module("jax")
        jax.config.update("jax_enable_x64", True)
        home = {"special": jax.scipy, "nn": jax}.get(path.split(".")[0], jax.numpy)
        function = attribute(home, path)
        if function is None:
            return None
        compiled, given = jax.jit(function), [jax.numpy.asarray(a) for a in arrays]
        return lambda: compiled(*given).block_until_ready()
    torch = importlib.import_module("torch")
    function, tensors = attribute(torch, path), [torch.from_numpy(a) for a in arrays]
    return None if function is None else lambda: function(*tensors)


def measure(row: Row, dtype: str, peers: list[str], seconds: float) -> dict[str, float]:
    """Nanoseconds an element by system; every system's values are compared with agnesi's first."""
    rng = np.random.default_rng(0)
    arrays = [rng.uniform(row.low, row.high, SIZE).astype(dtype) for _ in range(row.arity)]
    calls = {system: prepare(system, row, arrays) for system in ("agnesi", *peers)}
    calls = {system: call for system, call in calls.items() if call is not None}
    wanted = np.asarray(calls["agnesi"]())
    for system, call in calls.items():
        found = np.asarray(call())
        if found.dtype != dtype or not np.allclose(found, wanted, 1e-3, 1e-4):
            raise ValueError(f"{system} computes another {row.name} in {dtype}")
    return {s: t.median * 1e9 / SIZE for s, t in interleave(calls, seconds, 1).items()}


def table(results: dict[tuple[str, str], dict[str, float]], peers: list[str]) -> list[str]:
    """The figures as Markdown, with the ratio of the fastest peer's to agnesi's."""
    lines = [
        f"| function | dtype | agnesi | {' | '.join(peers)} | best peer / agnesi |",
        "| --- " * (len(peers) + 4) + "|",
    ]
    for (name, dtype), times in results.items():
        cells = [f"{times[s]:.2f}" if s in times else "-" for s in ("agnesi", *peers)]
        best = min((times[s] for s in peers if s in times), default=float("nan"))
        lines.append(f"| {name} | {dtype} | {' | '.join(cells)} | {best / times['agnesi']:.2f} |")
    return lines


def report(results: dict[tuple[str, str], dict[str, float]], peers: list[str], about: dict[str, object]) -> str:
    """The whole page."""
    how = f"Nanoseconds an element, {SIZE} elements, one thread, medians of interleaved rounds; calls are in it."
    how += f" Measured on {datetime.date.today()}."
    shown = "\n".join(f"- {key}: {value}" for key, value in about.items())
    parts = ["# Functions", how, "\n".join(table(results, peers)), f"## Machine\n\n{shown}"]
    return "\n\n".join(parts) + "\n"


def main() -> None:
    """Measures and writes the table, again after every function."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="functions, with commas (default: all)")
    parser.add_argument("--peers", default=",".join(PEERS), help="peers, with commas (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.5, help="time for each row (default: 0.5)")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="the table (default: standard output)")
    options = parser.parse_args()
    about = machine.describe(1, restart_limited(1))
    peers, only = options.peers.split(","), [name for name in options.only.split(",") if name]
    results: dict[tuple[str, str], dict[str, float]] = {}
    for row in ROWS:
        if only and row.name not in only:
            continue
        for dtype in ("float32", "float64"):
            try:
                results[row.name, dtype] = measure(row, dtype, peers, options.seconds)
            except ValueError as error:
                print(error, file=sys.stderr)
        if options.output:
            options.output.write_text(report(results, peers, about))
    if not options.output:
        print(report(results, peers, about))


if __name__ == "__main__":
    main()
