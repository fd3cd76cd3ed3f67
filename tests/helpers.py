"""Many graphs compiled at once: one start of the compiler serves a whole test file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from agnesi import _runtime
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.pipeline import Compilation, compile_graph
from agnesi.runtime import blas
from agnesi.schedule.sizes import plain
from agnesi.target import toolchain

PER_FILE = 60
COMMON, GENERAL = 0, 1
HEADERS = ("ag_support", "ag_sort", "vmath", "complex_math", "half_math", "ag_kernel")
INCLUDES = "".join(f'#include "{name}.h"\n' for name in HEADERS)


class CheckFailed(Exception):
    """A check of the compiled function failed: what its number stands for, and the values it saw."""


@dataclass
class Case:
    """A graph to compile. updates: pairs (output, input); the updated inputs are the last ones.

    threads: how many a call uses, for loops of so much work. streaming: from how many bytes on stores go past the
    caches. device: what it is compiled for.
    """

    graph: Graph
    updates: tuple[tuple[int, int], ...] = ()
    optimize: bool = True
    threads: int = 1
    worth: int = 2**62
    streaming: int = 2**62
    device: str = "cpu"
    jobs: dict[int, Compilation] = field(default_factory=dict)
    addresses: dict[int, int] = field(default_factory=dict)

    def compiled(self, variant: int) -> Compilation:
        """The result of the passes."""
        if variant not in self.jobs:
            self.jobs[variant] = compile_graph(self.graph, self.updates, variant == COMMON, self.optimize, self.device)
        return self.jobs[variant]

    def run(self, arrays: Sequence[np.ndarray], variant: int = COMMON) -> list[np.ndarray]:
        """The outputs, new values of updates at the end; the common variant hands over to the general one."""
        return Runner(self, arrays, variant).outputs()


class Runner(_runtime.Dispatcher):
    """One call of a case."""

    def __init__(self, case: Case, arrays: Sequence[np.ndarray], variant: int) -> None:
        self.case, self.variant, self.name, self.built = case, variant, "case", []
        graph, updates = case.graph, case.updates
        self.olds = sorted({old for _, old in updates})
        self.first = len(graph.inputs) - len(self.olds)
        assert self.olds == list(range(self.first, len(graph.inputs))), "updated inputs are the last ones"
        self.arrays = arrays[: self.first]
        self.storages = tuple(_runtime.Storage(np.array(a, order="C")) for a in arrays[self.first :])
        plain = len(graph.outputs) - len(updates)
        self._bind(
            tuple((f"x{k}", n.dtype, n.ndim, _runtime.NO_DEFAULT) for k, n in enumerate(graph.inputs[: self.first])),
            self.storages,
            tuple(a["value"].array for a in graph.arrays),
            tuple((o.dtype, o.ndim) for o in graph.outputs[:plain]),
            tuple((old - self.first, graph.outputs[new].dtype, graph.outputs[new].ndim) for new, old in updates),
            "list",
            threads=case.threads,
            worth=case.worth,
            streaming=case.streaming,
        )

    def outputs(self):
        found = self(*self.arrays)
        return found + [self.storages[old - self.first].array for _, old in self.case.updates]

    def _build(self, variant):
        variant = max(variant, self.variant)
        self.built.append(variant)
        return self.case.addresses[variant], self.case.compiled(variant).donated

    def _python(self, site, result, arrays, held):
        position = self.case.compiled(self.built[-1]).sites[site - 1].position
        plain(self.case.graph).order[position]["function"].serve(result, arrays, held, site)

    def _convert(self, index, value):
        return np.asarray(value, self.case.graph.inputs[index].dtype)

    def _fail(self, check, values):
        variant = self.built[-1]
        return CheckFailed(self.case.compiled(variant).sites[check - 1], values)


def module_text(job: Compilation, name: str) -> str:
    """The C text of a function with its global names made unlike all others; without its includes, and what stands in
    several of its units once."""
    body = "\n".join(line for line in job.text.splitlines() if not line.startswith("#include"))
    body = "\n\n".join(dict.fromkeys(body.split("\n\n")))
    names = r"\b(ag_main|(?:nest|whole)_[0-9a-f]{12}|kernel\d+|join_[a-z0-9_]+?)(_args|_part)?\b"
    return re.sub(names, rf"\1_{name}\2", body)


def compile_cases(
    cases: Sequence[Case], folder: Path, flags: Sequence[str] = (), variants: Sequence[int] = (COMMON, GENERAL)
) -> Path:
    """Compiles and loads both variants of all cases; the path of the shared library."""
    path = build_library(cases, folder, flags, variants)
    blas.ensure()
    for number, case in enumerate(cases):
        for variant in variants:
            case.addresses[variant] = _runtime.load(str(path), f"ag_main_{number}_{variant}")
    return path


def build_library(
    cases: Sequence[Case], folder: Path, flags: Sequence[str] = (), variants: Sequence[int] = (COMMON, GENERAL)
) -> Path:
    """The shared library of all cases, with entries ag_main_<case>_<variant>."""
    compiler = toolchain.find_compiler()
    if compiler is None:
        pytest.skip("no C compiler")
    texts = [
        module_text(case.compiled(variant), f"{number}_{variant}")
        for number, case in enumerate(cases)
        for variant in variants
    ]
    files = [INCLUDES + "\n".join(texts[k : k + PER_FILE]) for k in range(0, len(texts), PER_FILE)]
    path = Path(folder) / "cases.so"
    toolchain.compile_shared(compiler, files, path, flags)
    return path


def layouts(array: np.ndarray) -> list[np.ndarray]:
    """The same values lying in memory in other ways: backwards, with gaps, columns first."""
    if array.ndim == 0:
        return [array.copy() for _ in range(3)]
    gaps = np.zeros([2 * n + 1 for n in array.shape], array.dtype)[tuple(slice(0, 2 * n, 2) for n in array.shape)]
    gaps[...] = array
    turned = np.flip(np.ascontiguousarray(np.flip(array)))
    return [turned, gaps, np.asfortranarray(array)]


def in_units(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The distance of two floating arrays in units in the last place; 0 where both are NaN, infinite if one is."""
    a, b = np.asarray(a), np.asarray(b)
    kind = {2: np.int16, 4: np.int32, 8: np.int64}[a.dtype.itemsize]
    first, second = (np.ascontiguousarray(x).view(kind).reshape(x.shape).astype(np.int64) for x in (a, b))
    first, second = (np.where(k < 0, -(k & np.iinfo(kind).max), k) for k in (first, second))
    far = np.abs(first.astype(float) - second)
    distance = np.where(far < 2.0**52, np.abs(first - second), far)
    both, one = np.isnan(a) & np.isnan(b), np.isnan(a) ^ np.isnan(b)
    return np.where(both, 0.0, np.where(one, np.inf, distance))


def in_units_of_size(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The distance of complex numbers in units in the last place of the larger part of b.

    What is not finite counts as C99's Annex G sees it: one infinity is as good as another, whatever the other part is,
    and one NaN; their parts and signs are left to each library.
    """
    eps, tiny = np.finfo(a.dtype).eps, np.finfo(a.dtype).smallest_subnormal
    with np.errstate(all="ignore"):
        size = np.maximum(np.abs(b.real), np.abs(b.imag))
        apart = np.maximum(np.abs(a.real - b.real), np.abs(a.imag - b.imag))
        units = apart / (size * eps + tiny)
    infinite = [np.isinf(x.real) | np.isinf(x.imag) for x in (a, b)]
    alike = (infinite[0] & infinite[1]) | (np.isnan(a) & np.isnan(b) & ~infinite[0] & ~infinite[1])
    finite = np.isfinite(a) & np.isfinite(b)
    return np.where(alike, 0.0, np.where(finite, units, np.inf))


def assert_same(found: np.ndarray, wanted: np.ndarray, units: float = 0.0, what: object = "") -> None:
    """Same dtype, shape and values; floats within so many units in the last place, NaN where NaN is wanted."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype, (what, found.dtype, wanted.dtype)
    assert found.shape == wanted.shape, (what, found.shape, wanted.shape)
    if found.dtype.kind == "c":
        worst = in_units_of_size(found, wanted)
        place = np.unravel_index(np.argmax(worst), worst.shape) if found.size else ()
        message = f"{what}: {found[place]!r} is {worst[place]} units from {wanted[place]!r} at {place}"
        assert not found.size or worst[place] <= units, message
    elif not dt.is_float(found.dtype.name):
        np.testing.assert_array_equal(found, wanted, str(what))
    elif found.size:
        worst = in_units(found, wanted)
        place = np.unravel_index(np.argmax(worst), worst.shape)
        message = f"{what}: {found[place]!r} is {worst[place]} units from {wanted[place]!r} at {place}"
        assert worst[place] <= units, message
