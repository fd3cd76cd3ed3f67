"""Random whole graphs: the reference, the statement interpreter and compiled code agree on them."""

from __future__ import annotations

import numpy as np
import pytest

from agnesi.errors import GraphTextError
from agnesi.ir import dtype as dt
from agnesi.ir.graph import from_rows
from agnesi.ir.op import OPS
from agnesi.ir.show import parse, text
from agnesi.loops import interpret
from agnesi.reference import evaluate
from agnesi.schedule import lanes
from generate import Sample, generate, in_memory
from helpers import COMMON, GENERAL, Case, compile_cases

BATCH = 50
QUICK, MORE = 8, 192  # batches: 400 graphs in every run, 10,000 in the long one


ROUNDING = {"bfloat16": 0.15, "float16": 0.02, "float32": 2e-4, "complex64": 2e-4}


def tolerance(sample: Sample) -> float:
    """What rounding may do: relative to the largest value on the way."""
    return max(ROUNDING.get(n.dtype, 1e-8) for n in sample.graph.order) * sample.scale


def agree(sample: Sample, found: list[np.ndarray], what: str) -> None:
    """Raises AssertionError, naming the seed, unless outputs are as expected."""
    assert len(found) == len(sample.expected)
    for k, (a, b) in enumerate(zip(found, sample.expected, strict=True)):
        message = f"seed {sample.seed}, output {k}, {what}"
        assert (a.dtype, a.shape) == (b.dtype, b.shape), message
        if dt.is_inexact(b.dtype.name):
            bound = tolerance(sample)
            a, b = dt.widened(a), dt.widened(b)
            np.testing.assert_allclose(a, b, rtol=bound, atol=bound, err_msg=message)
        else:
            np.testing.assert_array_equal(a, b, message)


def interpreted(case: Case, sample: Sample, variant: int) -> list[np.ndarray]:
    """The outputs by the interpreter of statements; the common variant hands over to the general one."""
    arrays = [*sample.arrays, *(a["value"].array for a in case.compiled(variant).graph.arrays)]
    try:
        return interpret.run(case.compiled(variant).program, arrays)
    except interpret.NeedsGeneral:
        assert variant == COMMON
        return interpreted(case, sample, GENERAL)


def check_batch(seeds: range, folder, flags: tuple[str, ...], interpreter: bool) -> None:
    samples = [generate(seed) for seed in seeds]
    # Rules may give a finite value where the expression as written gives none: such graphs run unchanged.
    cases = [Case(s.graph, s.updates, s.finite) for s in samples]
    compile_cases(cases, folder, flags)
    for sample, case in zip(samples, cases, strict=True):
        rng = np.random.default_rng(sample.seed)
        scattered = [in_memory(a, rng) for a in sample.arrays]
        kept = [a.copy() for a in scattered]
        agree(sample, case.run(sample.arrays, COMMON), "common")
        agree(sample, case.run(scattered, COMMON), "common, any strides")
        agree(sample, case.run(scattered, GENERAL), "general, any strides")
        for a, b in zip(scattered, kept, strict=True):
            np.testing.assert_array_equal(a, b, f"seed {sample.seed}: an input has changed")
        if interpreter and max((a.size for a in sample.arrays), default=0) <= 60:
            for variant in (COMMON, GENERAL):
                agree(sample, interpreted(case, sample, variant), f"statements, variant {variant}")


def flags_of(batch):
    """One batch in five is optimized as users' functions are; the others compile four times faster without."""
    return () if batch % 5 == 0 else ("-O0",)


@pytest.mark.parametrize("batch", range(QUICK))
def test_compiled_code_agrees(batch, tmp_path):
    check_batch(range(BATCH * batch, BATCH * (batch + 1)), tmp_path, flags_of(batch), interpreter=True)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(QUICK, QUICK + MORE))
def test_compiled_code_agrees_on_more(batch, tmp_path):
    check_batch(range(BATCH * batch, BATCH * (batch + 1)), tmp_path, flags_of(batch), interpreter=True)


@pytest.mark.parametrize("batch", range(3))
def test_short_rows_agree(batch, monkeypatch, tmp_path):
    """Three rows are taken together."""
    monkeypatch.setattr(lanes, "ROWS", 3)
    check_batch(range(BATCH * batch, BATCH * (batch + 1)), tmp_path, ("-O0",), interpreter=True)


def test_graphs_are_what_they_should_be():
    """Large enough, a third with gradients, all operations among them, again the same from the same seed."""
    samples = [generate(seed) for seed in range(300)]
    found = {n.op.name for s in samples for n in s.graph.order}
    # Made by passes, or with tests of random ones of their own.
    elsewhere = {"gemm", "copy", "array", "merge", "loop", "branch", "philox_low", "philox_high"}
    elsewhere |= {"contract_windows", "divisor"}
    elsewhere |= {"gamma_draw", "poisson_draw", "binomial_draw", "gammainc", "gammaincc", "gammainc_shape"}
    elsewhere |= {"j0", "j1", "jv", "i0", "i1", "iv"}
    assert {op.name for op in OPS.values() if op.kind != "leaf"} <= found | elsewhere
    assert all(sum(bool(n.args) for n in s.graph.order) >= 10 for s in samples)
    assert 3 * sum(s.gradient for s in samples) >= len(samples)
    assert sum(bool(s.updates) for s in samples) >= len(samples) // 5
    sizes = {n for s in samples for a in s.arrays for n in a.shape}
    assert {0, 1, 2, 37} <= sizes
    assert text(generate(7).graph) == text(generate(7).graph)


@pytest.mark.parametrize("seed", range(0, 60))
def test_graphs_survive_text_and_rows(seed):
    """Printed and read back, or taken apart into rows and put together, a graph means the same."""
    sample = generate(seed)
    graph = sample.graph
    if any(n.op.name == "python_call" for n in graph.order):
        with pytest.raises(GraphTextError, match="python_call"):  # there is no text of a Python function
            parse(text(graph))
    else:
        again = parse(text(graph))
        assert text(again) == text(graph)
        agree(sample, evaluate(again, sample.arrays), "text")
    keys = {where: symbol["key"] for symbol, where in graph.symbols.items()}
    same = from_rows(graph.rows(), tuple(n["tag"] for n in graph.inputs), keys, tuple(n["value"] for n in graph.arrays))
    assert same.outputs == graph.outputs
