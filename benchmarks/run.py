"""The benchmark suite: times agnesi and its peers on the same work, in turn, and writes a report.

Example: python benchmarks/run.py --only mlp --peers numpy,jax --output mlp.md
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import latency
import machine
import numpy as np
from latency import Latency
from measure import Call, difference, interleave, observe
from report import Report, Result, duration
from workloads import WORKLOADS
from workloads.record import SYSTEMS, Workload

MARK = "AGNESI_BENCHMARK_THREADS"
PEERS = SYSTEMS[1:]
DEFAULT = [name for name in PEERS if name != "pytensor"]  # compiles for long
MODULES = {"torch.compile": "torch", "by hand": "numba", "fast_math": "agnesi"}  # that have other names


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", metavar="NAME", help="workloads of family NAME or with NAME in the title")
    parser.add_argument("--peers", default=",".join(DEFAULT), help="peers, with commas (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="threads per system (default: 1)")
    parser.add_argument("--seconds", type=float, default=4.0, help="time for each workload (default: 4)")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="report; the data go to FILE.json next to it")
    parser.add_argument("--latency-rounds", type=int, default=5, help="fresh processes per latency (default: 5)")
    parser.add_argument("--latency-torch", action="store_true", help="measure torch.compile's latency too (slow)")
    parser.add_argument("--list", action="store_true", help="list the workloads and stop")
    options = parser.parse_args(arguments)
    options.peers = [name for name in options.peers.split(",") if name]
    if unknown := set(options.peers) - set(PEERS):
        parser.error(f"unknown peers: {', '.join(sorted(unknown))}; known are {', '.join(PEERS)}")
    if not 1 <= options.threads <= (os.cpu_count() or 1):
        parser.error(f"--threads must be between 1 and the number of cores, {os.cpu_count()}")
    return options


def restart_limited(threads: int) -> list[int]:
    """Run this program anew with limits on threads in its environment; in the new run, return the cores it has."""
    if os.environ.get(MARK) == str(threads):
        return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    machine.pin(threads)
    environment = {**os.environ, **machine.thread_environment(threads), MARK: str(threads)}
    os.execve(sys.executable, [sys.executable, *sys.argv], environment)


def progress(text: str) -> None:
    """Show what is being done, on the error stream."""
    print(text, file=sys.stderr, flush=True)


def reason(error: BaseException) -> str:
    """An error as one line."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}"


def find_missing(systems: list[str]) -> dict[str, str]:
    """Systems that cannot be imported, with the reason."""
    missing = {}
    for system in systems:
        try:
            importlib.import_module(MODULES.get(system, system))
        except Exception as error:
            missing[system] = f"not available ({reason(error)})"
    return missing


def wanted(only: list[str] | None, family: str, title: str) -> bool:
    """Whether the command line asks for a workload."""
    return not only or any(name == family or name in title.replace("`", "") for name in only)


def prepare(workload: Workload, systems: list[str], result: Result) -> dict[str, Call]:
    """Build a workload in every system and compare the outputs with NumPy's in double precision.

    Systems that fail or disagree are noted in the result and left out.
    """
    inputs = workload.make(np.random.default_rng(0))
    exact = {name: value.astype("float64") if value.dtype.kind == "f" else value for name, value in inputs.items()}
    expected = observe(workload.numpy(exact))
    calls = {}
    for system in systems:
        build = workload.builder(system)
        if build is None:
            continue
        progress(f"    {system}")
        try:
            call = build(inputs)
            wrong = difference(observe(call), expected, workload.allowed, workload.dtype)
        except Exception as error:
            wrong = f"not available ({reason(error)})"
        else:
            wrong = wrong and f"disagrees: {wrong}"
        if wrong:
            progress(f"        {wrong}")
            result.failures[system] = wrong
        else:
            calls[system] = call
    return calls


def measure(workload: Workload, systems: list[str], options: argparse.Namespace) -> Result:
    """Check a workload and time it."""
    result = Result(workload.family, workload.title, workload.dtype)
    calls = prepare(workload, systems, result)
    result.timings = interleave(calls, options.seconds, options.threads)
    progress("    " + ", ".join(f"{name} {duration(timing.median)}" for name, timing in result.timings.items()))
    return result


def measure_latencies(
    programs: list[str], available: list[str], options: argparse.Namespace
) -> Iterator[list[Latency]]:
    """Measure the imports, and then program after program."""
    systems = [s for s in latency.SYSTEMS if s in available and (s != "torch.compile" or options.latency_torch)]
    if programs:
        progress("latency: imports")
        yield [latency.measure_import(s, options.latency_rounds) for s in ("numpy", *systems)]
    for program in programs:
        yield latency.measure_program(program, systems, options.latency_rounds, progress)


def main() -> int:
    """Run the suite; the status is 1 if systems disagree."""
    options = parse()
    chosen = [w for w in WORKLOADS if wanted(options.only, w.family, w.title)]
    programs = [program for program in latency.PROGRAMS if wanted(options.only, "latency", program)]
    if not chosen and not programs:
        progress("no workload has such a name; --list shows them all")
        return 2
    if options.list:
        print("\n".join([*(f"{w.family}: {w.title}" for w in chosen), *(f"latency: {p}" for p in programs)]))
        return 0
    cores = restart_limited(options.threads)
    faulthandler.enable()
    report = Report(machine.describe(options.threads, cores), ["agnesi", *options.peers])
    report.missing = find_missing(report.systems)
    for system, why in report.missing.items():
        progress(f"{system}: {why}")
    available = [system for system in report.systems if system not in report.missing]
    for number, workload in enumerate(chosen, 1):
        progress(f"[{number}/{len(chosen)}] {workload.family}: {workload.title}, {workload.dtype}")
        report.results.append(measure(workload, available, options))
        if options.output:
            report.write(options.output)  # after every workload, so that a crash loses only one
    for found in measure_latencies(programs, available, options):
        report.latencies += found
        if options.output:
            report.write(options.output)
    if not options.output:
        print(report.markdown())
    failures = [why for result in report.results for why in result.failures.values()]
    failures += [one.failure for one in report.latencies if one.failure]
    return int(any(why.startswith("disagrees") for why in failures))


if __name__ == "__main__":
    sys.exit(main())
