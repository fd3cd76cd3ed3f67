"""Large graphs: nothing recursive, and as much time for each node however many there are."""

from __future__ import annotations

import gc
import itertools
import pickle
import time

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.graph import Graph, reachable
from agnesi.ir.show import parse, text
from agnesi.ir.variable import Variable, as_node
from agnesi.pipeline import compile_graph
from agnesi.reference import evaluate

CHAIN = 100_000
NETWORK = 20_000


def chain(n: int, x: Variable) -> Variable:
    """About n operations, one after another, no two alike."""
    y = x
    for k in range(n // 2):
        y = at.tanh(y) if k % 50 == 0 else y + (k + 1) * 1e-9
        y = y * 0.999999 if k % 3 else y - x
    return y


def network(n: int) -> tuple[list[Variable], Variable]:
    """Layers of mixed operations with about n nodes in the graph of the cost; returns parameters and cost."""
    x, t = at.matrix("x"), at.lvector("t")
    parameters: list[Variable] = []
    h = x
    layer = 0
    while layer * 30 < n:
        w, b, scale = (at.tensor(f"p{layer}_{k}", shape=s) for k, s in enumerate([(8, 8), (8,), (8,)]))
        parameters += [w, b, scale]
        z = h @ w + b
        centred = z - z.mean(axis=1, keepdims=True)
        z = centred / at.sqrt((centred * centred).mean(axis=1, keepdims=True) + 1e-5) * scale
        h = h + [at.tanh, at.sigmoid, at.relu, at.softplus][layer % 4](z)
        layer += 1
    cost = -at.log(at.nnet.softmax(h))[at.arange(t.shape[0]), t].mean()
    return [x, t, *parameters], cost


def seconds(action) -> float:
    """The time of an action, without the garbage collector's, which looks at everything that is alive."""
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        action()
        return time.perf_counter() - start
    finally:
        gc.enable()


def best(action, times: int = 3) -> float:
    return min(seconds(action) for _ in range(times))


class TestChain:
    """A chain of 100,000 operations."""

    @pytest.fixture(scope="class")
    @staticmethod
    def long():
        x = at.vector("x")
        return x, chain(CHAIN, x)

    def test_it_is_that_long(self, long):
        assert len(reachable([long[1].node])) > CHAIN

    def test_gradients(self, long):
        x, y = long
        assert ag.grad(y.sum(), x).ndim == 1
        assert ag.jvp(y, x, x).ndim == 1

    def test_meaning(self, long):
        x, y = long
        assert evaluate(Graph([x.node], [y.node]), [np.ones(3)])[0].shape == (3,)

    def test_text(self, long):
        x, y = long
        graph = Graph([x.node], [y.node])
        assert text(parse(text(graph))) == text(graph)
        assert ag.pprint(y)

    def test_tree(self, long):
        x, y = long
        short = ag.dprint(chain(4000, x))
        assert len(short) < 300 * short.count("\n"), "lines grow with depth"
        assert ag.dprint(y).count("\n") > CHAIN

    def test_pickles(self, long):
        x, y = long
        again = pickle.loads(pickle.dumps(Graph([x.node], [y.node])))
        assert len(again.order) == len(reachable([y.node]))
        assert pickle.loads(pickle.dumps(y)).ndim == 1

    def test_substitution(self, long):
        x, y = long
        z = at.vector("z")
        assert ag.clone(y, {x: z * 2}).ndim == 1

    @pytest.mark.slow
    def test_compilation(self, long):
        x, y = long
        job = compile_graph(Graph([x.node], [y.node, as_node(ag.grad(y.sum(), x))]))
        assert "ag_main" in job.text


def test_a_chain_of_thousands_runs():
    x = at.vector("x")
    y = chain(3000, x)
    f = ag.function([x], [y, ag.grad(y.sum(), x)])
    value = np.linspace(-1, 1, 7)
    wanted = evaluate(f.graph, [value])
    for a, b in zip(f(value), wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)


def test_a_wide_sum():
    """Thousands of uses of one value, and thousands of terms."""
    x = at.vector("x")
    terms = [x * (k + 0.5) for k in range(4000)]
    while len(terms) > 1:
        terms = [a + b for a, b in itertools.zip_longest(terms[::2], terms[1::2], fillvalue=x)]
    g = ag.grad(terms[0].sum(), x)
    assert compile_graph(Graph([x.node], [g.node, terms[0].node])).text


def passes_of_network(n: int) -> tuple[float, int]:
    """Seconds of this thread from the first node to C text, and the number of nodes."""
    start = time.thread_time()
    inputs, cost = network(n)
    gradients = ag.grad(cost, inputs[2:])
    graph = Graph([v.node for v in inputs], [cost.node, *(g.node for g in gradients)])
    text(graph)
    compile_graph(graph)
    return time.thread_time() - start, len(graph.order)


@pytest.mark.slow
def test_a_network_of_20_000_nodes():
    _, nodes = passes_of_network(NETWORK * 5 // 9)
    assert nodes >= NETWORK


def test_time_for_each_node_is_constant():
    """Four times the nodes take four times as long, and not twice that."""
    passes_of_network(100)
    small = min(passes_of_network(600) for _ in range(2))
    large = passes_of_network(2400)
    assert large[1] > 3.5 * small[1]
    assert large[0] / large[1] < 2 * small[0] / small[1], (small, large)


@pytest.mark.parametrize("what", ["build", "grad", "text", "pickle", "rewrite"])
def test_time_for_each_operation_of_a_chain_is_constant(what):
    def prepare(n: int):
        x = at.vector("x")
        y = chain(n, x)
        graph = Graph([x.node], [y.node])
        return {
            "build": lambda: chain(n, at.vector("x")),
            "grad": lambda: ag.grad(y.sum(), x),
            "text": lambda: (text(graph), ag.pprint(y)),
            "pickle": lambda: pickle.loads(pickle.dumps(graph)),
            "rewrite": lambda: compile_graph(graph),
        }[what]

    small, large = (best(prepare(n)) for n in (2000, 8000))
    assert large < 8 * small + 0.05, (small, large)


@pytest.mark.parametrize("common", [True, False])
def test_sizes_that_meet_in_every_step(common):
    """A state whose sizes meet others in every step has far more paths to its size than parts of it."""
    x, h, w, u = at.tensor3("x"), at.matrix("h"), at.matrix("w"), at.matrix("u")
    state = h
    for t in range(60):
        state = at.tanh(state @ w + x[t] @ u)
    cost = (state * state).mean()
    graph = Graph([x.node, h.node, w.node, u.node], [as_node(v) for v in (cost, *ag.grad(cost, [h, w, u]))])
    assert compile_graph(graph, common=common).text


def test_sizes_that_meet_again():
    """Two free sizes have one size in common, however often they meet."""
    x, y, z = at.vectors("x", "y", "z")
    both = (x + y).node.shape
    assert (x * y + x - y).node.shape == both
    assert (y + (x + y)).node.shape == ((x + y) * (y + x)).node.shape == both
    assert ((x + y) + (y + z) + x).node.shape == ((x + y) + z + y).node.shape != both
    long = x
    for _ in range(300):
        long = at.sin(long * y) + x
    job = compile_graph(Graph([x.node, y.node], [long.node]))
    assert len(job.graph.order) < 1000, "the same sizes are one node"
