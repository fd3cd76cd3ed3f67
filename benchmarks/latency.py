"""Latency: imports and first results, each measured in a fresh process with an empty and with a filled disk cache."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

PROGRAMS = (
    "x + 1",
    "perceptron gradient",
    "chain of 500 operations",
    "recurrent gradient of 50 steps, unrolled",
    "recurrent gradient of 50 steps, scan",
    "chain of 20,000 operations",
)
SYSTEMS = ("agnesi", "jax", "torch.compile")
SCRIPT = Path(__file__).with_name("latency_program.py")
TOLERANCE = 1e-4
LIMIT = 600  # seconds after which a process is stopped


@dataclass(frozen=True)
class Latency:
    """Median seconds of one program in one system; `failure` says why there are none."""

    system: str
    program: str
    rounds: int = 0
    load: float | None = None
    cold: float | None = None
    warm: float | None = None
    failure: str | None = None


def cache_environment(directory: str) -> dict[str, str]:
    """Environment variables that send every system's disk cache to a directory, and have JAX keep small entries too."""
    return {
        "AGNESI_CACHE_DIR": os.path.join(directory, "agnesi"),
        "JAX_COMPILATION_CACHE_DIR": os.path.join(directory, "jax"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        "TORCHINDUCTOR_CACHE_DIR": os.path.join(directory, "torch"),
        "TRITON_CACHE_DIR": os.path.join(directory, "triton"),
    }


def run(system: str, program: str, directory: str) -> dict[str, float]:
    """Run one program in a fresh process: seconds of the import and from there to the first result, and its sum.

    Raises RuntimeError with the last line that a failing process wrote, or if it takes longer than the limit.
    """
    command = [sys.executable, str(SCRIPT), system, program]
    environment = {**os.environ, **cache_environment(directory)}
    try:
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LIMIT)
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"stopped after {LIMIT} s") from None
    if answer.returncode:
        lines = answer.stderr.strip().splitlines()
        raise RuntimeError(lines[-1] if lines else f"exit status {answer.returncode}")
    return json.loads(answer.stdout.splitlines()[-1])


def measure_pair(system: str, program: str) -> tuple[dict[str, float], dict[str, float]]:
    """Results of a process with an empty cache and of a second one that finds what the first left.

    `prepare` is a program that has each system do, outside the measurement, what it does once per machine.
    """
    with tempfile.TemporaryDirectory() as directory:
        run(system, "prepare", directory)
        return run(system, program, directory), run(system, program, directory)


def measure_program(
    program: str, systems: tuple[str, ...], rounds: int, progress: Callable[[str], None]
) -> list[Latency]:
    """Measure one program in all systems, in turn, round by round."""
    pairs: dict[str, list[tuple[dict[str, float], dict[str, float]]]] = {system: [] for system in systems}
    failures: dict[str, str] = {}
    for number in range(rounds):
        for system in systems:
            if system in failures:
                continue
            progress(f"latency: {program}, round {number + 1} of {rounds}, {system}")
            try:
                pairs[system].append(measure_pair(system, program))
            except RuntimeError as error:
                failures[system] = str(error)
    values = [first["value"] for done in pairs.values() for first, _ in done]
    for system, done in pairs.items():
        if any(abs(run["value"] - median(values)) > TOLERANCE * abs(median(values)) for pair in done for run in pair):
            failures.setdefault(system, "disagrees")
    return [summary(system, program, pairs[system], failures.get(system)) for system in systems]


def summary(
    system: str, program: str, pairs: list[tuple[dict[str, float], dict[str, float]]], failure: str | None
) -> Latency:
    """The medians of one system on one program."""
    if failure or not pairs:
        return Latency(system, program, failure=failure)
    return Latency(
        system,
        program,
        rounds=len(pairs),
        load=median(run["import"] for pair in pairs for run in pair),
        cold=median(first["first"] for first, _ in pairs),
        warm=median(second["first"] for _, second in pairs),
    )


def measure_import(system: str, rounds: int) -> Latency:
    """The time of the import alone."""
    try:
        with tempfile.TemporaryDirectory() as directory:
            times = [run(system, "import", directory)["import"] for _ in range(rounds + 1)]
    except RuntimeError as error:
        return Latency(system, "import", failure=str(error))
    return Latency(system, "import", rounds=rounds, load=median(times[1:]))
