"""Calls while other programs keep every processor busy: the median time of a training step, and the slowest ones.

A loop of plain Python that takes as long as agnesi's step and touches no memory shows what the system's scheduler does
to any program.

Example: python benchmarks/load.py --output load.md
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import machine
import numpy as np
from report import duration, written
from run import progress

TITLE = "perceptron 784-500-10 step, batch = {}"
BATCHES = (10, 60, 600)
SYSTEMS = ("agnesi", "plain loop", "numpy", "jax", "torch")
COUNTS = (1, 2)


def plain_loop(seconds: float) -> Callable[[], object]:
    """A loop of so many seconds."""
    start, rounds = time.perf_counter(), 0
    while time.perf_counter() - start < 1:
        sum(range(1000))
        rounds += 1
    count = int(1000 * rounds * seconds)
    return lambda: sum(range(count))


def times(system: str, batch: int, seconds: float, like: float) -> list[float]:
    """Seconds of each of many calls in this process; like: how long a plain loop takes."""
    from workloads import WORKLOADS

    if system == "plain loop":
        call = plain_loop(like)
    else:
        (workload,) = [w for w in WORKLOADS if w.title == TITLE.format(batch)]
        build = workload.builder(system)
        assert build is not None
        call = build(workload.make(np.random.default_rng(0)))
    for _ in range(20):
        call()
    found = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        call()
        found.append(time.perf_counter() - start)
    return found


def measure(system: str, batch: int, threads: int, seconds: float, like: float) -> list[float]:
    """The same in a fresh process with limits on threads."""
    command = [sys.executable, __file__, "--times", system, "--batch", str(batch), "--seconds", str(seconds)]
    command += ["--like", str(like)]
    environment = {**os.environ, **machine.thread_environment(threads)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def busy() -> Iterator[None]:
    """As many programs as there are processors, which do nothing but run."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def row(system: str, batch: int, threads: int, seconds: float, like: float = 0.0) -> tuple[str, float]:
    """A line of the table, and the median alone."""
    alone = median(measure(system, batch, threads, seconds, like))
    with busy():
        beside = measure(system, batch, threads, seconds, like)
    slow = float(np.quantile(beside, 0.99))
    cells = [duration(alone), duration(median(beside)), duration(slow), f"{slow / median(beside):.1f}"]
    return f"| {batch} | {system} | {threads} | {' | '.join(cells)} |", alone


def main() -> int:
    """Measure one system after the other, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="time for each measurement (default: 6)")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="where the table goes; else standard output")
    parser.add_argument("--times", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--batch", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--like", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.times:
        print(json.dumps(times(options.times, options.batch, options.seconds, options.like)))
        return 0
    versions = ", ".join(f"{name} {v}" for name, v in machine.package_versions().items() if name in SYSTEMS)
    lines = [
        "# A training step beside busy programs: perceptron 784-500-10, float32", "",
        f"{machine.cpu_name()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {versions}", "",
        "| batch | system | threads | median alone | median beside | slowest of a hundred | over the median |",
        "| ---: | --- | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    like = 0.0
    for batch in BATCHES:
        for system in SYSTEMS:
            for threads in COUNTS[: 1 if system == "plain loop" else None]:
                progress(f"batch {batch}, {system}, {threads} threads")
                line, found = row(system, batch, threads, options.seconds, like if system == "plain loop" else 0.0)
                lines.append(line)
                like = found if (system, threads) == ("agnesi", 1) else like
    return written(lines, options.output)


if __name__ == "__main__":
    sys.exit(main())
