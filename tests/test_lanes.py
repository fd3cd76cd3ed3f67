"""Short rows taken together: the values of rows alone, for all sizes, dtypes and numbers of threads."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.graph import Graph
from agnesi.pipeline import compile_graph
from agnesi.schedule.lanes import FEW, ROWS, SHORT
from agnesi.tensor import nnet

w, k = at.vector("w"), at.lvector("k")
COLUMNS = [1, 3, 10, SHORT, SHORT + 1]
ROW_COUNTS = [0, 1, 5, ROWS - 1, ROWS, ROWS + 1, 600]


def given_names(columns):
    """A matrix with so many columns, and a row."""
    return at.tensor("x", "float64", (None, columns)), at.tensor("v", "float64", (columns,))


def cost(z):
    """A loss with a label for each row."""
    return -nnet.log_softmax(z, axis=1)[at.arange(k.shape[0]), k].mean()


CASES = {  # of x and v
    "softmax": lambda x, v: nnet.softmax(x, axis=1),
    "sum of powers": lambda x, v: at.log(at.exp(x).sum(1)),
    "scaled": lambda x, v: at.exp(x * v),
    "added to rows": lambda x, v: at.tanh(x * v + w[:, None]).sum(0),
    "total": lambda x, v: (at.exp(x) * v).sum(),
    "two sums": lambda x, v: [at.exp(x).sum(1), at.sin(x * v).prod(1), (at.exp(x) * v).sum(0)],
    "gradients": lambda x, v: ag.grad((at.exp(x * v) / (1 + at.exp(x).sum(1, keepdims=True))).sum(), [x, v]),
    "cost": lambda x, v: [cost(x * v), *ag.grad(cost(x * v), [x, v])],
    "of its own row": lambda x, v: at.zeros((x.shape[0], x.shape[1]))[k % 1].inc(at.exp(x * v)),
    "extrema": lambda x, v: [x.max(1), x.argmin(1), (x * v).argmax(1)],
    "integers": lambda x, v: (at.exp(x) > 1).sum(1),
    "batch": lambda x, v: at.exp(at.stack([x, x + 1]) * v).sum(2),
}


REPEATED = {"scaled", "total"}  # rows from end to end, with a vector that is the same for all


def values(rows, columns, dtype="float64"):
    rng = np.random.default_rng(0)
    shapes = (rows, columns), columns, rows
    return [*(rng.normal(size=s).astype(dtype) for s in shapes), rng.integers(0, max(columns, 1), size=rows)]


def listed(found):
    return found if isinstance(found, list) else [found]


def compiled(name, columns, **options):
    """The function of a case."""
    x, v = given_names(columns)
    return ag.function([x, v, w, k], CASES[name](x, v), on_unused_input="ignore", **options)


@pytest.mark.parametrize("columns", COLUMNS)
@pytest.mark.parametrize("name", CASES)
def test_values(name, columns):
    f, wanted = compiled(name, columns), compiled(name, columns, mode="reference")
    if 1 < columns <= (FEW if name == "extrema" else SHORT):
        how = "vectors are repeated" if name in REPEATED else "taken together"
        assert how in str(f.explain())
    for rows in ROW_COUNTS:
        if name == "cost" and rows == 0:
            continue
        given = values(rows, columns)
        for one, other in zip(listed(f(*given)), listed(wanted(*given)), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_debug(name):
    f, plain = compiled(name, 4, mode="debug"), compiled(name, 4)
    for rows in (3, 20):
        given = values(rows, 4)
        for one, other in zip(listed(f(*given)), listed(plain(*given)), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", CASES)
def test_threads(name, tmp_path):
    with ag.config.change(worth=2000, cache_dir=str(tmp_path)):
        f = compiled(name, 7)
    given = values(1300, 7)
    wanted = listed(f(*given, threads=1))
    for threads in (2, 3):
        for one, other in zip(listed(f(*given, threads=threads)), wanted, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_dtypes(dtype):
    a, b = at.tensor("a", dtype=dtype, shape=(None, 9)), at.tensor("b", dtype=dtype, shape=(9,))
    outs = [nnet.softmax(a * b, axis=1), at.exp(a).sum(0), at.exp(a * b).sum(1)]
    f, wanted = (ag.function([a, b], outs, mode=mode) for mode in ("fast_run", "reference"))
    given = values(300, 9, dtype)[:2]
    for one, other in zip(f(*given), wanted(*given), strict=True):
        np.testing.assert_allclose(one.astype("f8"), other.astype("f8"), rtol={"float32": 3e-6, "float16": 3e-3}[dtype])


def test_special_values():
    """Rows of infinities and NaN are as if they were alone."""
    f = compiled("softmax", 5)
    given = values(64, 5)
    given[0][3], given[0][4, 2], given[0][5, 0], given[0][6] = -np.inf, np.inf, np.nan, 800.0
    found = f(*given)
    for number in range(2, 8):
        alone = f(given[0][number : number + 1], *given[1:])
        np.testing.assert_allclose(found[number], alone[0], rtol=1e-14)


def test_which_rows():
    """Sizes have to be known, and functions to be there."""
    x, v = given_names(4)
    free, row = at.matrix("free"), at.vector("row")
    for expression, together in [
        (at.exp(x * v).sum(1), True), (at.exp(x * v), False), (x * v, False), ((x * v).sum(1), False),
        (at.exp(free * row), False), (at.exp(x), False),
    ]:  # fmt: skip
        text = str(ag.function([x, v, free, row], expression, on_unused_input="ignore").explain())
        assert ("taken together" in text) == together
    given = np.random.default_rng(0).normal(size=(40, 8))
    f = ag.function([x, v], at.exp(x * v))
    np.testing.assert_allclose(f(given[:, ::2], given[0, ::2]), np.exp(given[:, ::2] * given[0, ::2]), rtol=1e-14)


def test_checks():
    """The first row that is wrong is named."""
    f = compiled("cost", 5)
    given = values(400, 5)
    given[3][[390, 300, 333]] = 5, 6, 7
    with pytest.raises(IndexError, match="index 6 is out of range for an axis of size 5"):
        f(*given)


def test_scratch_is_used_again():
    """Nests that run one after another have the same scratch."""

    def memory(layers):
        x, _ = given_names(6)
        z = x
        for _ in range(layers):
            z = nnet.softmax(at.cumsum(z, axis=0), axis=1)
        program = compile_graph(Graph([x.node], [z.node])).program
        return sum(b.space == "row" and b.name.startswith("lanes") for b in program.buffers.values())

    assert memory(2) == memory(5) > 0
