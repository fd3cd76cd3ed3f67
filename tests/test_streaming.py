"""Stores past the caches: the same elements as without, for all lengths, places and dtypes, and no others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import VerificationError
from agnesi.ir.graph import Graph
from agnesi.ir.node import load
from agnesi.loops.check import verify
from agnesi.loops.stmt import For
from agnesi.pipeline import compile_graph
from agnesi.target import body

OFF = 2**62
DTYPES = ["bool", "int8", "int16", "float16", "int32", "float32", "int64", "float64", "complex64", "complex128"]
x, y = at.matrix("x"), at.vector("y")


def several() -> list[at.Variable]:
    """Results that one loop writes, of several dtypes, and others that begin anywhere."""
    together = [(x * 3 + k * y).astype(kind) for k, kind in enumerate(("int8", "float32", "float64", "bool"))]
    return [*together, at.concatenate([y, y + 1, x[0]]), x[:, 1:] - x[:, :-1], at.outer(y, y), x[:, ::-1] + 1, x.T + 1]


@pytest.fixture
def short(monkeypatch, tmp_path):
    """Short rows too, and threads from little work on."""
    monkeypatch.setattr(body, "LONG_ROW", 64)
    with ag.config.change(worth=500, cache_dir=str(tmp_path)):
        yield


def both(inputs, outputs, **options):
    """A function that writes past the caches, and one that does not."""
    found = []
    for limit in (0, OFF):
        with ag.config.change(streaming=limit):
            found.append(ag.function(inputs, outputs, **options))
    return found


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_and_lengths(dtype, short):
    a, b = (at.tensor(name, dtype=dtype, shape=(None,) * rank) for name, rank in (("a", 2), ("b", 1)))
    f, plain = both([a, b], [at.where(at.neq(b, 0), a, b), b[::-1]])
    assert "streaming" in str(f.explain())
    rng = np.random.default_rng(0)
    for n in (*range(63, 100), 127, 128, 129, 200, 1000):
        given = [rng.integers(0, 2, size=shape).astype(dtype) for shape in ((3, n), n)]
        for one, other, wanted in zip(
            f(*given), plain(*given), (np.where(given[1], *given), given[1][::-1]), strict=True
        ):
            np.testing.assert_array_equal(one, wanted)
            np.testing.assert_array_equal(other, wanted)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("shape", [(1, 64), (3, 65), (5, 100), (2, 1000), (40, 129), (0, 70), (3, 0)])
def test_several_results(shape, threads, short):
    f, plain = both([x, y], several(), threads=threads)
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape) if shape[0] else np.ones((1, shape[1])), rng.normal(size=shape[1])]
    for one, other in zip(f(*given), plain(*given), strict=True):
        np.testing.assert_array_equal(one, other)
    strided = [np.repeat(given[0], 2, axis=0)[::2], np.repeat(given[1], 3)[::3]]
    for one, other in zip(f(*strided), plain(*given), strict=True):
        np.testing.assert_array_equal(one, other)


def test_large():
    """What one loop writes is read by another thread, in another loop, and by the caller."""
    f, plain = both([y], [y + 1, at.cumsum((y * 2).reshape((-1, 1000)), axis=1)[:, -1]])
    with ag.config.change(streaming=1 << 20):
        ordinary = ag.function([y], y + 1)
    given = np.random.default_rng(0).normal(size=300_000)
    for _ in range(20):
        for one, other in zip(f(given), plain(given), strict=True):
            np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(ordinary(given), given + 1)
        given = given + 1


def marked(*outputs, updates=()) -> bool:
    """Whether a loop is marked."""
    f = ag.function([x, y], list(outputs), updates=updates, on_unused_input="ignore")
    return "streaming" in str(f.explain())


def test_which_loops():
    s = ag.shared(np.ones(5), name="s")
    assert all(map(marked, [x + 1, x[:, ::2] + y[::2], x - x.sum(1, keepdims=True), at.nnet.softmax(x, axis=1)]))
    assert not marked(at.exp(x)), "it computes"
    assert not marked(at.sqrt(x)), "a root takes as long as the memory"
    assert not marked(x.sum(0)), "what it adds to, it reads"
    assert not marked(updates=[(s, s + y)]), "what it overwrites, it reads"


def test_checks():
    """The verifier holds marks to what they need; so does the size to integers."""
    program = compile_graph(Graph([x.node, y.node], [(x[:, ::2] + y[::2]).node])).program
    verify(program, planned=True)
    nest = program.nests[0]
    outer = nest.body[0]
    (inner,) = outer.body
    assert isinstance(inner, For)
    store = inner.body[-1]
    read = replace(store, value=load(store.buffer, "float64", store.index))
    turned = replace(store, index=store.index[::-1])
    for wrong in (replace(store, combine="add"), read, turned):
        nest.body[0] = replace(outer, body=(replace(inner, body=(wrong,)),))
        with pytest.raises(VerificationError, match="past the caches"):
            verify(program, planned=True)
    with pytest.raises(ValueError, match="streaming is a number of bytes, not -1"):
        ag.config.set(streaming=-1)
