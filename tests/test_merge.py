"""Loops over arrays from end to end: one loop, the same values, and no other loops."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import index, symbol
from agnesi.ops import elementwise as ew
from agnesi.pipeline import compile_graph

m, n, t, v = at.matrix("m"), at.matrix("n"), at.tensor3("t"), at.vector("v")
SHAPES = [(1, 1), (7, 1), (1, 7), (5, 3), (3, 40), (70, 2), (0, 3), (3, 0)]

# Expressions of m and n of one shape and v of a row, and the loops of their nests.
ONE = {
    "line": (lambda: 2 * m + n, lambda m, n, v: 2 * m + n),
    "function": (lambda: at.exp(m), lambda m, n, v: np.exp(m)),
    "rows from the second": (lambda: m[1:] - m[:-1], lambda m, n, v: m[1:] - m[:-1]),
    "one below the other": (lambda: at.concatenate([m, n]), lambda m, n, v: np.concatenate([m, n])),
    "sum": (lambda: (m * n).sum(), lambda m, n, v: (m * n).sum()),
    "two sums": (lambda: [(m * n).sum(), m.sum()], lambda m, n, v: [(m * n).sum(), m.sum()]),
    "mask": (lambda: at.where(m > n, m, 0), lambda m, n, v: np.where(m > n, m, 0)),
    "batch": (lambda: at.stack([m, n])[1] * m, lambda m, n, v: n * m),
}
SEVERAL = {
    "row": (lambda: m + v, lambda m, n, v: m + v),
    "columns": (lambda: m[:, ::-1] + n, lambda m, n, v: m[:, ::-1] + n),
    "inner columns": (lambda: m[:, 1:] * 2, lambda m, n, v: m[:, 1:] * 2),
    "transpose": (lambda: m.T + n.T * 2 + m.sum(), lambda m, n, v: m.T + n.T * 2 + m.sum()),
    "place": (lambda: m + at.arange(m.shape[1]), lambda m, n, v: m + np.arange(m.shape[1])),
    "sums of rows": (lambda: m.sum(1), lambda m, n, v: m.sum(1)),
    "lookup": (lambda: m[at.arange(m.shape[0])[::-1]], lambda m, n, v: m[::-1]),
    "running sums": (lambda: [at.cumsum(m, 1), m.sum()], lambda m, n, v: [m.cumsum(1), m.sum()]),
    "greatest of sums": (lambda: (m * n).sum(1).max(), lambda m, n, v: (m * n).sum(1).max(initial=-np.inf)),
}


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_values(name, mode):
    build, expected = (ONE | SEVERAL)[name]
    f = ag.function([m, n, v], build(), mode=mode, on_unused_input="ignore")
    rng = np.random.default_rng(0)
    for rows, columns in SHAPES if mode == "fast_run" else [(5, 3)]:
        if name == "rows from the second" and not rows or name == "greatest of sums" and 0 in (rows, columns):
            continue
        given = rng.normal(size=(rows, columns)), rng.normal(size=(rows, columns)), rng.normal(size=columns)
        wide = np.repeat(given[0], 3, axis=1)[:, ::3], np.asfortranarray(given[1]), given[2]
        wanted = expected(*given)
        for found in (f(*given), f(*wide)):
            for one, other in zip(*((a if isinstance(a, list) else [a]) for a in (found, wanted)), strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", [*ONE, *SEVERAL])
def test_which_are_one(name):
    build, _ = (ONE | SEVERAL)[name]
    loops = [line for line in str(ag.function([m, n, v], build(), on_unused_input="ignore").explain()).splitlines()
             if line.startswith("  loops")]  # fmt: skip
    assert any("{" in line for line in loops) == (name in SEVERAL), loops


def test_three_axes():
    f = ag.function([t], t * t + 1)
    assert "{" not in next(line for line in str(f.explain()).splitlines() if line.startswith("  loops"))
    for shape in itertools.product((0, 1, 3), (1, 4), (1, 2, 5)):
        given = np.random.default_rng(0).normal(size=shape)
        np.testing.assert_array_equal(f(given), given * given + 1)
        np.testing.assert_array_equal(f(given.transpose(1, 0, 2)), given.transpose(1, 0, 2) ** 2 + 1)


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_threads(threads, tmp_path):
    """A row alone is shared too."""
    with ag.config.change(worth=1000, cache_dir=str(tmp_path)):
        f = ag.function([m], [at.exp(m), m.sum()], threads=threads)
    assert re.search(r"n\d+ \* n\d+ par simd", str(f.explain()))
    given = np.random.default_rng(0).normal(size=(1, 5000))
    found, total = f(given)
    one, alone = f(given, threads=1)
    np.testing.assert_array_equal(found, one)
    assert total == alone


def test_updates_in_place():
    s = ag.shared(np.ones((4, 3)), name="s")
    f = ag.function([m], updates=[(s, s * 2 + m)])
    assert "in place" in str(f.explain())
    assert "{" not in next(line for line in str(f.explain()).splitlines() if line.startswith("  loops"))
    f(np.full((4, 3), 0.5))
    np.testing.assert_array_equal(s.get_value(), np.full((4, 3), 2.5))


def test_polynomials():
    """Expressions of sizes and counters keep their values when they are expanded and joined."""
    i, j, a, b = index(0), index(1), symbol("a"), symbol("b")
    k = i * a + j
    q, r = ew.floordiv(k, b), ew.mod(k, b)
    cases = [
        (i + 1) * a + j - 2,
        q * b + r,
        q * 3 * b + 3 * r + 1,
        (q + 2) * b * a + r * a,
        q * b + 2 * r,
        (a - b) * (a + b),
        r * r,
    ]
    for values in itertools.product((0, 2), (1, 3), (2, 5), (3, 4)):
        sizes = dict(zip((i, j, a, b), values, strict=True))
        for case in cases:
            assert dims.evaluate(dims.joined(dims.expanded(case), (a, b)), sizes) == dims.evaluate(case, sizes)
    assert dims.joined(dims.expanded(q * b + r), (a, b)) is dims.joined(dims.expanded(k), (a,))
    assert dims.joined(dims.expanded(q * b + r), (a,)) is not dims.joined(dims.expanded(k), (a,)), "b may be 0"
    row = dims.coefficient(dims.expanded((i + 1) * a + j), i)
    assert row == dims.expanded(a)
    assert dims.coefficient(dims.expanded(i * i), i) is None
    assert dims.coefficient(dims.expanded(q), i) is None
    assert dims.coefficient(dims.expanded(a), i) == {}


def test_texts_do_not_depend_on_where_nodes_lie():
    """The same function built again, of other nodes elsewhere in memory, has the same text."""
    kept = []

    def text():
        kept.append([object() for _ in range(1 + len(kept) % 7)])
        three, row = at.tensor3("three"), at.vector("row")
        outs = [three * three + 1, (three[1:] - row) * 2, (three * three).sum(), at.concatenate([three, three])]
        kept.append(three)
        return compile_graph(Graph([three.node, row.node], [o.node for o in outs])).text

    first = text()
    assert all(text() == first for _ in range(12))
