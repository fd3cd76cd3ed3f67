"""Measuring: agreement of the systems' outputs, and interleaved timing."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import repeat
from statistics import median

import numpy as np

BLOCK = 1e-3  # seconds that one timed block lasts at least
MINIMUM_ROUNDS = 7
MAXIMUM_ROUNDS = 501
PAUSE = 0.15  # seconds between systems with several threads: idle pools of OpenMP and BLAS spin for up to 0.1

Call = Callable[[], object]


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one system, one figure per round, each the mean of `repeat` calls."""

    rounds: tuple[float, ...]
    repeat: int

    @property
    def median(self) -> float:
        return median(self.rounds)

    @property
    def low(self) -> float:
        return min(self.rounds)

    @property
    def high(self) -> float:
        return max(self.rounds)


def as_arrays(outputs: object) -> list[np.ndarray]:
    """The outputs of a call, or of several, as a flat list of NumPy arrays."""
    if isinstance(outputs, list | tuple):
        return [array for output in outputs for array in as_arrays(output)]
    detach = getattr(outputs, "detach", None)
    return [np.asarray(detach() if detach else outputs)]


def difference(actual: object, expected: object, tolerance: float, dtype: str | None = None) -> str | None:
    """What differs between two sets of outputs, or None if they agree.

    The error of an element may be `tolerance` times the sum of its size and that of the largest element. With
    `dtype`, arrays (not scalars) must have it too, so that nobody computes in another precision.
    """
    left, right = as_arrays(actual), as_arrays(expected)
    if len(left) != len(right):
        return f"{len(left)} outputs instead of {len(right)}"
    for number, (a, b) in enumerate(zip(left, right, strict=True)):
        if a.shape != b.shape:
            return f"output {number} has shape {a.shape} instead of {b.shape}"
        if dtype and a.ndim and a.dtype.name != dtype:
            return f"output {number} is {a.dtype} instead of {dtype}"
        error, size = np.abs(a - b), np.abs(b)
        if a.size and not np.all(error <= tolerance * (size + size.max())):
            return f"output {number} is off by up to {error.max():.3g} where values reach {size.max():.3g}"
    return None


def observe(call: Call, calls: int = 3) -> list[object]:
    """The outputs of the first calls, and then the state if the call has one (see `workloads.record.stateful`).

    The outputs are read after the last call, so a system that overwrites earlier ones is found out.
    """
    outputs = [call() for _ in range(calls)]
    state = getattr(call, "state", None)
    return [*outputs, *(state() if state else ())]


def block(call: Call, times: int) -> float:
    """Seconds per call over `times` calls in a row, each result being kept until the next one is there."""
    kept = None
    start = time.perf_counter()
    for _ in repeat(None, times):
        kept = call()
    elapsed = time.perf_counter() - start
    del kept
    return elapsed / times


def calibrate(call: Call) -> int:
    """How many calls make a block last long enough; also warms the call up."""
    times = 1
    block(call, 1)
    while (elapsed := times * block(call, times)) < BLOCK:
        times = max(times + 1, min(times * 10, int(1.2 * times * BLOCK / max(elapsed, 1e-9))))
    return times


def interleave(calls: Mapping[str, Call], seconds: float, threads: int) -> dict[str, Timing]:
    """Time all systems in turn, in a new random order every round, for `seconds` and at least a few rounds."""
    order, shuffler = list(calls), random.Random(0)
    times = {name: calibrate(call) for name, call in calls.items()}
    rounds: dict[str, list[float]] = {name: [] for name in order}
    gc.collect()
    gc.disable()
    try:
        end = time.perf_counter() + seconds
        for number in range(MAXIMUM_ROUNDS):
            if number >= MINIMUM_ROUNDS and time.perf_counter() > end:
                break
            shuffler.shuffle(order)
            for name in order:
                if threads > 1:
                    time.sleep(PAUSE)
                block(calls[name], 1)  # untimed: brings code and data back into the caches
                rounds[name].append(block(calls[name], times[name]))
    finally:
        gc.enable()
    return {name: Timing(tuple(rounds[name]), times[name]) for name in calls}
