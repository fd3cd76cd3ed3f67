"""CUDA kernels: emulated, against the reference, in several orders of threads; compiled by NVRTC for real devices."""

from __future__ import annotations

import pickle
import re
import sys

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import CompileError, IndexOutOfRange, ShapeError
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.ir.variable import as_node
from agnesi.pipeline import compile_graph
from agnesi.reference import evaluate
from agnesi.target import cuda, nvrtc
from expressions import EXPRESSIONS
from generate import generate, in_memory
from helpers import COMMON, GENERAL, Case, compile_cases, layouts
from test_random import BATCH, agree
from test_random_loops import sample as loop_sample
from test_table import ROWS, TOLERANCE, compare, defined, draw, graph_of, identify, named, special

DEVICE = "cuda-emulated"
ORDERS = (0, 1, 7)  # of threads: forwards, backwards, scattered
QUICK, ALL = 2, 20  # batches of random graphs
ARCHITECTURES = ("sm_75", "sm_80", "sm_90", "sm_100")
STEP = 32  # one text in so many goes through NVRTC in every run
unoptimized = ("-O0",)


# -- the table ------------------------------------------------------------------------------------------------


def compiled(rows, folder):
    cases = {(op.name, dtypes): Case(graph_of(op, dtypes), device=DEVICE) for op, dtypes in rows}
    compile_cases(list(cases.values()), folder, unoptimized)
    return cases


@pytest.fixture(scope="module")
def some_rows(tmp_path_factory):
    return compiled(ROWS[::3], tmp_path_factory.mktemp("some"))


@pytest.fixture(scope="module")
def all_rows(tmp_path_factory):
    return compiled(ROWS, tmp_path_factory.mktemp("all"))


@pytest.mark.parametrize("row", ROWS[::3], ids=identify)
def test_some_rows(row, some_rows, rng):
    check_row(row, some_rows, rng)


@pytest.mark.slow
@pytest.mark.parametrize("row", ROWS, ids=identify)
def test_all_rows(row, all_rows, rng):
    check_row(row, all_rows, rng)


def check_row(row, rows, rng):
    op, dtypes = row
    case = rows[op.name, dtypes]
    for shape in ((3, 50), (0, 4), (1, 131)):
        arrays = [draw(op, rng, shape, d) for d in dtypes]
        compare(case, op, arrays)
        compare(case, op, [layouts(a)[1] for a in arrays], GENERAL, evaluate(case.graph, arrays)[0])
    compare(case, op, [a[None] for a in defined(op, [special(d) for d in dtypes])])


def case_of(expression):
    inputs = expression.variables()
    made = expression.make(*inputs)
    outputs = made if isinstance(made, (list, tuple)) else [made]
    return Case(Graph([v.node for v in inputs], [as_node(o) for o in outputs]), device=DEVICE)


@pytest.fixture(scope="module")
def expressions(tmp_path_factory):
    cases = [case_of(e) for e in EXPRESSIONS]
    compile_cases(cases, tmp_path_factory.mktemp("expressions"), unoptimized)
    return cases


@pytest.mark.parametrize("index", range(len(EXPRESSIONS)), ids=named)
def test_expressions(index, expressions, monkeypatch):
    """In both variants and all orders of threads, with the same bits."""
    case, arrays = expressions[index], EXPRESSIONS[index].arrays
    wanted = evaluate(case.graph, arrays)
    tolerance = max(TOLERANCE.get(w.dtype.name, 1e-12) for w in wanted)
    for variant in (COMMON, GENERAL):
        found = []
        for order in ORDERS:
            monkeypatch.setenv("AGNESI_ORDER", str(order))
            found.append(case.run(arrays, variant))
        for first, others, b in zip(found[0], zip(*found[1:], strict=True), wanted, strict=True):
            for other in others:
                np.testing.assert_array_equal(dt.widened(other), dt.widened(first))
            assert (first.dtype, first.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(dt.widened(first), dt.widened(b), rtol=tolerance, atol=tolerance)


# -- random programs --------------------------------------------------------------------------------------------


def check_batch(batch, folder, monkeypatch):
    samples = [generate(seed) for seed in range(BATCH * batch, BATCH * (batch + 1))]
    cases = [Case(s.graph, s.updates, s.finite, device=DEVICE) for s in samples]
    compile_cases(cases, folder, unoptimized)
    for sample, case in zip(samples, cases, strict=True):
        scattered = [in_memory(a, np.random.default_rng(sample.seed)) for a in sample.arrays]
        for order in ORDERS:
            monkeypatch.setenv("AGNESI_ORDER", str(order))
            agree(sample, case.run(sample.arrays, COMMON), f"common, order {order}")
            agree(sample, case.run(scattered, GENERAL), f"general, order {order}")


@pytest.mark.parametrize("batch", range(QUICK))
def test_random_graphs(batch, tmp_path, monkeypatch):
    check_batch(batch, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(QUICK, ALL))
def test_more_random_graphs(batch, tmp_path, monkeypatch):
    check_batch(batch, tmp_path, monkeypatch)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_random_loops(seed):
    inputs, outputs, arrays = loop_sample(seed)
    wanted = ag.function(inputs, outputs, mode="reference", on_unused_input="ignore")(*arrays)
    found = ag.function(inputs, outputs, device=DEVICE, on_unused_input="ignore")(*arrays)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


# -- functions --------------------------------------------------------------------------------------------------


def test_a_training_step():
    """Costs fall as they do on the processor, and shared variables are the same afterwards."""
    rng = np.random.default_rng(0)
    costs = {}
    for device in ("cpu", DEVICE):
        w, b = ag.shared(np.zeros((8, 3)), "w"), ag.shared(np.zeros(3), "b")
        x, y = at.matrix("x"), at.lvector("y")
        cost = at.nnet.categorical_crossentropy(at.nnet.softmax(x @ w + b), y).mean()
        updates = {v: v - 0.5 * g for v, g in zip((w, b), ag.grad(cost, [w, b]), strict=True)}
        step = ag.function([x, y], cost, updates=updates, device=device)
        data, labels = rng.normal(size=(20, 8)), np.arange(20) % 3
        rng = np.random.default_rng(0)
        costs[device] = [float(step(data, labels)) for _ in range(5)] + w.get_value().ravel().tolist()
    np.testing.assert_allclose(costs[DEVICE], costs["cpu"], rtol=1e-12)
    assert costs[DEVICE][4] < costs[DEVICE][0]


def test_random_numbers_are_the_processors():
    x = at.random.RandomStream(3)
    made = [x.normal(size=(50,)), x.uniform(size=(7, 3)), x.poisson(4.0, size=(20,)), x.permutation(9)]
    a, b = (ag.function([], made, device=d) for d in ("cpu", DEVICE))
    x.restart()
    first = a()
    x.restart()
    for p, q in zip(first, b(), strict=True):
        np.testing.assert_array_equal(p, q)


def test_elementwise_results_are_the_processors():
    x = at.vector("x")
    y = at.tanh(x) * at.exp(-x * x) + at.sin(x) / (2 + at.cos(x))
    values = np.random.default_rng(1).normal(size=1000)
    np.testing.assert_array_equal(ag.function([x], y, device=DEVICE)(values), ag.function([x], y)(values))


def test_errors_are_the_processors():
    x, k = at.vector("x"), at.lvector("k")
    f = ag.function([x, k], [x[k] * 2, x.sum()], device=DEVICE)
    with pytest.raises(IndexOutOfRange, match="7"):
        f(np.ones(3), np.array([0, 1, 7]))
    np.testing.assert_array_equal(f(np.ones(3), np.array([0, -1]))[0], [2, 2])
    with pytest.raises(ShapeError):
        ag.function([x, k], x + k, device=DEVICE)(np.ones(3), np.ones(2, int))
    with pytest.raises(ValueError, match="device is one of cpu, cuda, cuda-emulated"):
        ag.function([x], x, device="tpu")


def test_what_is_not_there_says_so():
    m = at.matrix("m")
    double = ag.as_op([at.dmatrix], [at.dmatrix])(lambda a: 2 * a)
    with pytest.raises(CompileError, match="a Python function is not there for this device"):
        ag.function([m], double(m), device=DEVICE)


def test_the_setting_and_pickles():
    x = at.vector("x")
    with ag.config.change(device=DEVICE):
        f = ag.function([x], x * 2)
    again = pickle.loads(pickle.dumps(f))
    assert f.device == again.device == DEVICE
    assert "cuda-emulated" in f.explain()
    np.testing.assert_array_equal(again(np.ones(3)), 2 * np.ones(3))


def test_last_one_wins():
    """Where places come twice, the last value stays, as in NumPy, in any order of threads."""
    x, k, v = at.vector("x"), at.lvector("k"), at.vector("v")
    f = ag.function([x, k, v], x[k].set(v), device=DEVICE)
    places, values = np.random.default_rng(2).integers(0, 5, 40), np.arange(40.0)
    wanted = np.zeros(6)
    wanted[places] = values
    np.testing.assert_array_equal(f(np.zeros(6), places, values), wanted)


def test_which_loops_are_grids():
    x, m, n = at.tensor3("x"), at.matrix("m"), at.matrix("n")
    inputs, outputs = [x, m, n], [at.tanh(x), m.sum(0), at.nnet.softmax(n)]
    job = compile_graph(Graph([v.node for v in inputs], [v.node for v in outputs]), device=DEVICE)
    assert "a grid, its loops turned" in [reason for nest in job.program.nests for reason in nest.threads]
    assert "place < n0 * n1 * n2" in job.text  # one counter for three loops
    assert "i0 = AG_BLOCK; i0 < n0; i0 += AG_BLOCKS" in job.text  # rows of softmax
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=shape) for shape in ((2, 3, 5), (4, 70), (9, 40))]
    for a, b in zip(ag.function(inputs, outputs, device=DEVICE)(*arrays), evaluate(job.graph, arrays), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-13)


# -- the tests themselves -----------------------------------------------------------------------------------------


def rotating():
    """A loop each of whose steps reads what other threads have stored in the step before."""
    x = at.vector("x")
    steps, _ = ag.scan(lambda h: at.tanh(h[::-1] * 2 + h), None, x, n_steps=4)
    return Graph([x.node], [steps[-1].node])


def test_a_missing_barrier_is_seen(tmp_path, monkeypatch):
    data = np.random.default_rng(0).normal(size=40)
    (wanted,) = evaluate(rotating(), [data])
    right = {}
    for name, text in (("whole", str), ("without", lambda t: re.sub(r" *AG_SYNC\(\);\n", "", t))):
        case = Case(rotating(), device=DEVICE)
        case.compiled(COMMON).units[:] = [text(case.compiled(COMMON).text)]
        (tmp_path / name).mkdir()
        compile_cases([case], tmp_path / name, variants=[COMMON])
        for order in ORDERS:
            monkeypatch.setenv("AGNESI_ORDER", str(order))
            right[name, order] = np.allclose(case.run([data])[0], wanted)
    assert all(right["whole", order] for order in ORDERS)
    assert not all(right["without", order] for order in ORDERS)


# -- real devices -------------------------------------------------------------------------------------------------


def have_nvrtc():
    try:
        nvrtc.library()
    except CompileError as error:
        pytest.skip(str(error))


def spills(log):
    """Bytes of registers that go through memory."""
    return [int(n) for n in re.findall(r"(\d+) bytes spill", log)]


def check_text(index, architecture):
    job = case_of(EXPRESSIONS[index]).compiled(index % 2)
    text = "" if "call->python(" in job.text else cuda.Driven(job.program).device_text()
    if "AG_KERNEL" in text:
        assert nvrtc.compile_cuda(text, architecture).code.startswith(b"\x7fELF")


PROGRAMS = {
    "softmax": lambda x, y: at.nnet.softmax(x),
    "layer norm": lambda x, y: (x - x.mean(1, keepdims=True)) / at.sqrt(x.var(1, keepdims=True) + 1e-5),
    "logsumexp": lambda x, y: at.logsumexp(x, axis=0),
    "cross-entropy": lambda x, y: at.nnet.categorical_crossentropy(at.nnet.softmax(x), y).sum(),
    "mixture": lambda x, y: (at.sigmoid(x) * at.tanh(x) + at.exp(-x * x)).sum(),
    "perceptron": lambda x, y: at.tanh(at.tanh(x @ x.T) @ x).sum(),
}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_gradients_of_programs_do_not_spill(name, architecture):
    have_nvrtc()
    x, y = at.fmatrix("x"), at.lvector("y")
    value = PROGRAMS[name](x, y)
    graph = Graph([x.node, y.node], [value.node, ag.grad(value.sum(), x).node])
    program = Case(graph, device=DEVICE).compiled(COMMON).program
    made = nvrtc.compile_cuda(cuda.Driven(program).device_text(), architecture)
    assert not any(spills(made.log)), made.log


@pytest.mark.parametrize("index", range(0, len(EXPRESSIONS), STEP))
def test_kernels_compile(index):
    have_nvrtc()
    check_text(index, ARCHITECTURES[index // STEP % 4])


@pytest.mark.slow
@pytest.mark.parametrize("index", range(len(EXPRESSIONS)))
def test_all_kernels_compile(index):
    have_nvrtc()
    for architecture in ARCHITECTURES:
        check_text(index, architecture)


def test_what_nvrtc_says():
    have_nvrtc()
    with pytest.raises(CompileError, match='identifier "wrong" is undefined'):
        nvrtc.compile_cuda("__global__ void f() { wrong; }", "sm_80")


def test_no_nvrtc(monkeypatch):
    monkeypatch.setitem(sys.modules, "cuda.pathfinder", None)
    nvrtc.library.cache_clear()
    with pytest.raises(CompileError, match=r"pip install agnesi\[cuda\]"):
        nvrtc.library()
    nvrtc.library.cache_clear()
