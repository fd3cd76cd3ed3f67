"""Short rows taken together: the values of rows alone, for all sizes, dtypes and numbers of threads."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.graph import Graph
from agnesi.pipeline import compile_graph
from agnesi.schedule.lanes import FEWEST, ROWS, SHORT
from agnesi.tensor import nnet

x, v, w, k = at.matrix("x"), at.vector("v"), at.vector("w"), at.lvector("k")
SIZES = [
    (FEWEST - 1, 3), (FEWEST, 3), (FEWEST, 1), (ROWS - 1, 10), (ROWS, SHORT), (ROWS + 1, 10), (600, 5), (40, SHORT + 1),
    (0, 3), (40, 0), (1, 1),
]  # fmt: skip


def cost(z):
    """A loss with a label for each row."""
    return -nnet.log_softmax(z, axis=1)[at.arange(k.shape[0]), k].mean()


CASES = {
    "softmax": lambda: nnet.softmax(x, axis=1),
    "sum of powers": lambda: at.log(at.exp(x).sum(1)),
    "scaled": lambda: at.exp(x * v),
    "added to rows": lambda: at.tanh(x * v + w[:, None]).sum(0),
    "total": lambda: (at.exp(x) * v).sum(),
    "two sums": lambda: [at.exp(x).sum(1), at.sin(x * v).prod(1), (at.exp(x) * v).sum(0)],
    "gradients": lambda: ag.grad((at.exp(x * v) / (1 + at.exp(x).sum(1, keepdims=True))).sum(), [x, v]),
    "cost": lambda: [cost(x * v), *ag.grad(cost(x * v), [x, v])],
    "of its own row": lambda: at.zeros((x.shape[0], x.shape[1]))[k % 3].inc(at.exp(x * v)),
    "integers": lambda: (at.exp(x) > 1).sum(1),
    "batch": lambda: at.exp(at.stack([x, x + 1]) * v).sum(2),
}


def values(rows, columns, dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = (rows, columns), columns, rows
    return [*(rng.normal(size=s).astype(dtype) for s in shapes), rng.integers(0, max(columns, 1), size=rows)]


def listed(found):
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("name", CASES)
def test_values(name):
    f, wanted = (
        ag.function([x, v, w, k], CASES[name](), mode=mode, on_unused_input="ignore")
        for mode in ("fast_run", "reference")
    )
    assert "taken together" in str(f.explain())
    for rows, columns in SIZES:
        if "cost" in name and 0 in (rows, columns):
            continue
        given = values(rows, columns)
        for one, other in zip(listed(f(*given)), listed(wanted(*given)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_debug(name):
    f, plain = (
        ag.function([x, v, w, k], CASES[name](), mode=mode, on_unused_input="ignore") for mode in ("debug", "fast_run")
    )
    for rows, columns in [(3, 4), (20, 4)]:
        given = values(rows, columns)
        for one, other in zip(listed(f(*given)), listed(plain(*given)), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
def test_threads(name, tmp_path):
    with ag.config.change(worth=2000, cache_dir=str(tmp_path)):
        f = ag.function([x, v, w, k], CASES[name](), on_unused_input="ignore")
    given = values(1300, 7)
    wanted = listed(f(*given, threads=1))
    for threads in (2, 3):
        for one, other in zip(listed(f(*given, threads=threads)), wanted, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_dtypes(dtype):
    a, b = at.tensor("a", dtype=dtype, shape=(None, None)), at.tensor("b", dtype=dtype, shape=(None,))
    outs = [nnet.softmax(a * b, axis=1), at.exp(a).sum(0), at.exp(a * b).sum(1)]
    f, wanted = (ag.function([a, b], outs, mode=mode) for mode in ("fast_run", "reference"))
    given = values(300, 9, dtype)[:2]
    for one, other in zip(f(*given), wanted(*given), strict=True):
        np.testing.assert_allclose(one.astype("f8"), other.astype("f8"), rtol={"float32": 3e-6, "float16": 3e-3}[dtype])


def test_special_values():
    """Rows of infinities and NaN are as if they were alone."""
    f = ag.function([x], nnet.softmax(x, axis=1))
    given = values(64, 5)[0]
    given[3], given[4, 2], given[5, 0], given[6] = -np.inf, np.inf, np.nan, 800.0
    found = f(given)
    for number in (2, 3, 4, 5, 6, 7):
        np.testing.assert_allclose(found[number], f(given[number : number + 1])[0], rtol=1e-14)


def test_which_rows():
    """Known sizes leave one of the ways; loops without functions stay as they are."""

    def loops(expression):
        text = str(ag.function([x, v], expression, on_unused_input="ignore").explain())
        return text.count("strips par"), text.count("otherwise par")

    assert loops(at.exp(x * v)) == (1, 1)
    assert loops(x * v) == loops((x * v).sum(1)) == (0, 0)
    long = at.tensor("long", dtype="float64", shape=(None, SHORT + 1))
    text = str(ag.function([long, v], at.exp(long * v)).explain())
    assert "taken together" not in text
    given = np.random.default_rng(0).normal(size=(40, 2 * SHORT))
    f = ag.function([x, v], at.exp(x * v))
    np.testing.assert_allclose(f(given[:, ::2], given[0, ::2]), np.exp(given[:, ::2] * given[0, ::2]), rtol=1e-14)


def test_checks():
    """The first row that is wrong is named."""
    f = ag.function([x, k], cost(x))
    given, labels = values(400, 5)[0], np.zeros(400, "int64")
    labels[[390, 300, 333]] = 5, 6, 7
    with pytest.raises(IndexError, match="index 6 is out of range for an axis of size 5"):
        f(given, labels)


def test_scratch_is_used_again():
    """Nests that run one after another have the same scratch."""

    def memory(layers):
        z = x
        for _ in range(layers):
            z = nnet.softmax(at.cumsum(z, axis=0), axis=1)
        program = compile_graph(Graph([x.node], [z.node])).program
        return sum(b.space == "row" and b.name.startswith("lanes") for b in program.buffers.values())

    assert memory(2) == memory(5) > 0
