"""Arrays read across their rows through panels: the same bits as without, for all shapes, threads and dtypes."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.node import index, load, symbol
from agnesi.loops.stmt import Buffer, For, Nest, Store
from agnesi.schedule import panels
from agnesi.schedule.panels import Panels

RNG = np.random.default_rng(0)
SHAPES = [(1, 1), (3, 200), (200, 3), (64, 64), (65, 63), (128, 17), (17, 128), (130, 260), (0, 5), (5, 0)]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Panels from small arrays on, and threads from little work on."""
    monkeypatch.setattr(panels, "LARGE", 256)
    monkeypatch.setattr(panels, "CROWDED", 128)
    with ag.config.change(worth=2000, cache_dir=str(tmp_path)):
        yield


def add(x, y, v):
    return x.T * 2 + y


def rows(x, y, v):
    return (x.T * y).sum(1)


def softmax(x, y, v):
    z = at.exp(x.T - (x.T + y).max(1, keepdims=True))
    return z / z.sum(1, keepdims=True)


def two(x, y, v):
    return x.T + (x * v).T * y


def total(x, y, v):
    return [(x.T * y).sum(), at.cumsum(x.T + y, axis=1)]


def parts(x, y, v):
    return at.concatenate([x.T[1:], y[1:] * x.T[:-1]], axis=0)


def batch(x, y, v):
    z = at.stack([x, x + 1, x * 2])
    return z.transpose(0, 2, 1) * y


CASES = [add, rows, softmax, two, total, parts, batch]


def compiled(case, dtype, **options):
    x, y = (at.tensor(name, dtype=dtype, shape=(None, None)) for name in "xy")
    v = at.tensor("v", dtype=dtype, shape=(None,))
    return ag.function([x, y, v], case(x, y, v), on_unused_input="ignore", **options)


def given(shape, dtype):
    n, m = shape
    arrays = RNG.normal(size=shape), RNG.normal(size=(m, n)), RNG.normal(size=m)
    return [a.astype(dtype) for a in arrays]


def as_list(result):
    return result if isinstance(result, list) else [result]


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(c, d) for c in CASES for d in ("float32", "float64", "int8", "complex128") if c is not softmax or "float" in d],
    ids=lambda c: c if isinstance(c, str) else c.__name__,
)
def test_the_same_bits(case, dtype, small, monkeypatch, tmp_path):
    """But for sums over all rows, which are joined in other parts."""
    f = compiled(case, dtype)
    assert "copied into rows" in f.explain()
    monkeypatch.setattr(panels, "turn", lambda program: program)
    with ag.config.change(cache_dir=str(tmp_path / "plain")):
        plain = compiled(case, dtype)
    assert "copied into rows" not in plain.explain()
    for shape in SHAPES:
        if 0 in shape and case in (softmax, parts):
            continue
        arrays = given(shape, dtype)
        wanted, first = as_list(plain(*arrays)), as_list(f(*arrays, threads=1))
        for threads in (1, 2, 4):
            for found, same, expected in zip(as_list(f(*arrays, threads=threads)), first, wanted, strict=True):
                np.testing.assert_array_equal(found, same)
                if found.ndim:
                    np.testing.assert_array_equal(found, expected)
                else:
                    np.testing.assert_allclose(found, expected, rtol=1e-4 if "32" in dtype else 1e-11)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.__name__)
def test_every_pass_keeps_values(case, small):
    f = compiled(case, "float64", mode="debug")
    arrays = given((37, 21), "float64")
    wanted = compiled(case, "float64", mode="reference")(*arrays)
    for found, expected in zip(as_list(f(*arrays)), as_list(wanted), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_where_there_are_none():
    """What is read along its rows, or written in the loop, has no panel; nor has what any strides may lie in."""
    x, y = at.matrices("x", "y")
    for outputs in (x + y, x.sum(0), x @ y.T):
        assert "copied into rows" not in ag.function([x, y], outputs, on_unused_input="ignore").explain()
    f = ag.function([x, y], x.T + y)
    assert "copied into rows" in f.explain()
    assert "copied into rows" not in f.explain(general=True)


def test_loops_of_several_extents_share_no_panel():
    """What two inner loops read at the same places, but not as far, is read where it is."""
    i, j = index(0), index(1)
    n, m = symbol("n"), symbol("m")
    program = SimpleNamespace(
        buffers={"x": Buffer("x", "float64", (n, m), "input"), "y": Buffer("y", "float64", (m, n), "output")},
        storage=lambda name: name,
    )

    def turned(*extents):
        store = Store("y", (i, j), load("x", "float64", (j, i)))
        loop = For(i, m, tuple(For(j, extent, (store,)) for extent in extents))
        return Panels(program, Nest("nest0", [loop])).turned(loop)

    assert [one.extent for one in turned(n, n)] == [n]
    assert turned(n, 3) == turned(3, n) == []


def test_large_arrays():
    """Beyond the sizes from which panels are used by default; rows too long for one are read as they are."""
    x, y = at.fmatrices("x", "y")
    f = ag.function([x, y], x.T + y)
    for shape in [(700, 600), (512, 512), (513, 1023), (40_000, 9), (9, 40_000)]:
        a, b = RNG.normal(size=shape).astype("float32"), RNG.normal(size=shape[::-1]).astype("float32")
        np.testing.assert_array_equal(f(a, b), a.T + b)
