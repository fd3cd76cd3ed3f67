"""Calls while other programs keep every processor busy: a training step's median time, and the slowest of a hundred.

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import machine
import numpy as np
from report import duration
from run import progress

TITLE = "perceptron 784-500-10 step, batch = 60"
SYSTEMS = ("agnesi", "numpy", "jax", "torch")
COUNTS = (1, 2)


def times(system: str, seconds: float) -> list[float]:
    """Seconds of each of many calls in this process."""
    from workloads import WORKLOADS

    (workload,) = [w for w in WORKLOADS if w.title == TITLE]
    build = workload.builder(system)
    assert build is not None
    call = build(workload.make(np.random.default_rng(0)))
    for _ in range(50):
        call()
    found = []
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        call()
        found.append(time.perf_counter() - start)
    return found


def measure(system: str, threads: int, seconds: float) -> list[float]:
    """The same in a fresh process with limits on threads."""
    command = [sys.executable, __file__, "--times", system, "--seconds", str(seconds)]
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


def row(system: str, threads: int, seconds: float) -> str:
    """A line of the table."""
    alone = measure(system, threads, seconds)
    with busy():
        beside = measure(system, threads, seconds)
    slow = float(np.quantile(beside, 0.99))
    cells = [duration(median(alone)), duration(median(beside)), duration(slow), f"{slow / median(beside):.1f}"]
    return f"| {system} | {threads} | {' | '.join(cells)} |"


def main() -> int:
    """Measure one system after the other, and write a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="time for each measurement (default: 8)")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="where the table goes; else standard output")
    parser.add_argument("--times", choices=SYSTEMS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.times:
        print(json.dumps(times(options.times, options.seconds)))
        return 0
    versions = ", ".join(f"{name} {v}" for name, v in machine.package_versions().items() if name in SYSTEMS)
    lines = [
        f"# A training step beside busy programs: {TITLE}, float32", "",
        f"{machine.cpu_name()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, {versions}", "",
        "| system | threads | median alone | median beside | slowest of a hundred | over the median |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for system in SYSTEMS:
        for threads in COUNTS:
            progress(f"{system}, {threads} threads")
            lines.append(row(system, threads, options.seconds))
    text = "\n".join(lines) + "\n"
    if options.output:
        options.output.write_text(text, encoding="utf-8")
    else:
        print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
