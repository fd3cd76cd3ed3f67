"""Rows that are added to one vector several at a time: the same values, in the same order."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.schedule.kinds import ROWS

x, v, w = at.matrix("x"), at.vector("v"), at.vector("w")
RNG = np.random.default_rng(0)

TOGETHER = {
    "sum": (lambda: x.sum(0), lambda x, v, w: np.add.accumulate(x, 0)[-1]),
    "greatest": (lambda: x.max(0), lambda x, v, w: x.max(0)),
    "product": (lambda: x.prod(0), lambda x, v, w: np.multiply.accumulate(x, 0)[-1]),
    "squares": (lambda: ((x - w) ** 2).sum(0), lambda x, v, w: np.add.accumulate((x - w) * (x - w), 0)[-1]),
    "weighted": (lambda: (x * v[:, None]).sum(0), lambda x, v, w: np.add.accumulate(x * v[:, None], 0)[-1]),
    "of halves": (lambda: at.cast(x, "float16").sum(0), lambda x, v, w: x.astype("f2").sum(0, dtype="f4").astype("f2")),
    "two": (lambda: x.sum(0) + (x * x).max(0), lambda x, v, w: np.add.accumulate(x, 0)[-1] + (x * x).max(0)),
}
ALONE = {
    "rows too": (lambda: at.concatenate([x.sum(0), x.sum(1)]), lambda x, v, w: np.r_[x.sum(0), x.sum(1)]),
    "elementary functions": (lambda: at.exp(x).sum(0), lambda x, v, w: np.exp(x).sum(0)),
    "lookups": (lambda: at.zeros((9,))[at.cast(x, "int64")].inc(x), lambda x, v, w: np.bincount(
        x.astype("i8").ravel() % 9, x.ravel(), 9)),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
@pytest.mark.parametrize("rows", [1, ROWS - 1, ROWS, 2 * ROWS + 3])
@pytest.mark.parametrize("name", [*TOGETHER, *ALONE])
def test_values(name, rows, mode):
    build, expected = (TOGETHER | ALONE)[name]
    f = ag.function([x, v, w], build(), mode=mode, on_unused_input="ignore")
    assert (f" by {ROWS} {{" in str(f.explain())) == (name in TOGETHER)
    given = RNG.normal(size=(rows, 7)), RNG.normal(size=rows), RNG.normal(size=7)
    found, wanted = f(*given), expected(*given)
    if name in TOGETHER:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


def test_strided():
    """The variant for arrays with any strides does the same."""
    f = ag.function([x], x.sum(0))
    given = RNG.normal(size=(40, 9))[::2, ::-3]
    np.testing.assert_array_equal(f(given), f(given.copy()))


@pytest.mark.parametrize("offset", [0, 64, 1008, 4032])
def test_results_begin_where_inputs_do(offset):
    """Loads run ahead of stores: at another place in a page they would meet these."""
    n = 20_000
    memory = np.zeros(n + 1024)
    first = (offset - memory.ctypes.data) % 4096 // 8
    given = memory[first : first + n]
    result = ag.function([v], v + 1)(given)
    assert given.ctypes.data % 4096 == offset
    assert result.ctypes.data % 4096 == offset // 64 * 64
