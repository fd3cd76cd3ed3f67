"""The benchmarks' programs as kernels: machine code of four architectures, and the bytes that they move."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from agnesi.errors import CompileError
from agnesi.explain import Amount, Work
from agnesi.ir import dims
from agnesi.ir.node import topological
from agnesi.pipeline import compile_graph
from agnesi.target import cuda, nvrtc
from test_cuda import ARCHITECTURES, spills

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
if not (BENCHMARKS / "workloads").is_dir():
    pytest.skip("the benchmarks are not here", allow_module_level=True)
sys.path.insert(0, str(BENCHMARKS))
WORKLOADS = list({w.name: w for w in importlib.import_module("workloads").WORKLOADS if w.agnesi}.values())


class Taken(Exception):
    """Ends the building of a function when its graph is there."""


@pytest.fixture
def compiled(monkeypatch):
    """A program for a device."""
    found = []

    def take(graph, inputs, shared, updates, *rest):
        found.append((graph, updates))
        raise Taken

    monkeypatch.setattr(importlib.import_module("agnesi.function"), "make", take)

    def jobs(workload, *devices):
        with pytest.raises(Taken):
            workload.agnesi(workload.make(np.random.default_rng(0)))
        graph, updates = found[-1]
        return [compile_graph(graph, updates, device=device) for device in devices]

    return jobs


def bytes_moved(job) -> float:
    """Read and written by all nests, where every size that is not known is 100."""
    total = Work()
    for nest in job.program.nests:
        total.add(nest, job.program)
    return sum(value(amount) for amount in (total.read, total.written))


def value(amount: Amount) -> float:
    result = 0.0
    for powers, number in amount.terms.items():
        for size, power in powers:
            number *= 100.0**power if size.op.kind == "leaf" else float(size_of(size)) ** power
        result += number
    return result


def size_of(size) -> int:
    leaves = {n: 100 for n in topological([size]) if not n.args and n.op.name != "const"}
    return dims.evaluate(size, leaves)


@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
def test_no_more_bytes_than_in_c(workload, compiled):
    here, there = compiled(workload, "cpu", "cuda")
    assert bytes_moved(there) <= bytes_moved(here)


@pytest.mark.slow
@pytest.mark.parametrize("workload", WORKLOADS, ids=lambda w: w.name)
def test_machine_code(workload, compiled):
    try:
        nvrtc.library()
    except CompileError as error:
        pytest.skip(str(error))
    (job,) = compiled(workload, "cuda")
    for architecture in ARCHITECTURES:
        made = nvrtc.compile_cuda(cuda.Driven(job.program).device_text(), architecture)
        assert made.code.startswith(b"\x7fELF")
        assert not any(spills(made.log)), made.log
