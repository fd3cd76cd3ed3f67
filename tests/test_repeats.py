"""Vectors that are read again for each short row: the same values, whatever the sizes, and one loop over many rows."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at

RNG = np.random.default_rng(0)
m, n, v, w = at.matrix("m"), at.matrix("n"), at.vector("v"), at.vector("w")
image = at.tensor4("image")
SHAPES = [(1, 1), (7, 1), (1, 7), (5, 3), (700, 3), (513, 2), (33, 31), (20, 64), (20, 65), (3, 200), (0, 3), (3, 0)]

# Expressions of matrices m and n and of v and w as long as their rows.
CASES = {
    "difference": (lambda m, n, v, w: m - v),
    "normal": (lambda m, n, v, w: (m - v) / w),
    "larger": (lambda m, n, v, w: (m * v + n) * v),
    "mask": (lambda m, n, v, w: (m > v) & (n > w)),
    "two results": (lambda m, n, v, w: [m - v, (n - v).astype("float32")]),
    "sum": (lambda m, n, v, w: ((m - v) * w).sum()),
    "every second": (lambda m, n, v, w: m[::2] * v),
    "turned": (lambda m, n, v, w: m + v[::-1]),
    "columns": (lambda m, n, v, w: m[:, 1:] - v[1:]),
    "row of another": (lambda m, n, v, w: n - m[:1]),
    "scalar": (lambda m, n, v, w: m * v[:1].sum() + w),
}


def many(found):
    return found if isinstance(found, list) else [found]


def arrays(rows, columns):
    """Two matrices and two vectors."""
    return [RNG.normal(size=s) for s in ((rows, columns), (rows, columns), columns, columns)]


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
@pytest.mark.parametrize("name", CASES)
def test_values(name, mode):
    build = CASES[name]
    f = ag.function([m, n, v, w], build(m, n, v, w), mode=mode, on_unused_input="ignore")
    for rows, columns in SHAPES if mode == "fast_run" else [(5, 3), (700, 3)]:
        if name == "row of another" and not rows:
            continue
        given = arrays(rows, columns)
        spread = [np.repeat(a, 3, axis=-1)[..., ::3] for a in given]
        wanted = many(build(*given))
        for found in (f(*given), f(*spread)):
            for one, other in zip(many(found), wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("columns", [1, 2, 3, 10, 64, 65])
def test_declared_sizes(columns):
    """There is one way then: rows are short or not. Elementary functions run so too."""
    a, b = at.tensor("a", shape=(None, columns)), at.tensor("b", shape=(columns,))
    f = ag.function([a, b], [a - b, at.tanh(a + b)])
    loops = next(line for line in f.explain().splitlines() if line.startswith("  loops"))
    assert ("strips" in loops) == (1 < columns <= 64)
    assert "otherwise" not in loops
    for rows in (0, 1, 5, 511, 1000):
        given = RNG.normal(size=(rows, columns)), RNG.normal(size=columns)
        difference, function = f(*given)
        np.testing.assert_array_equal(difference, given[0] - given[1])
        np.testing.assert_allclose(function, np.tanh(given[0] + given[1]), rtol=1e-14)


def test_images():
    """Channels come last; what is repeated is laid out once for all images and lines."""
    f = ag.function([image, v, w], (image - v) / w)
    text = f.explain()
    assert "vectors are repeated" in text
    assert "strips" in next(line for line in text.splitlines() if line.startswith("  loops"))
    for shape in ((2, 5, 7, 3), (1, 1, 1, 3), (2, 3, 400, 4), (2, 0, 4, 3), (2, 3, 4, 0), (1, 2, 3, 70)):
        given = [RNG.normal(size=s) for s in (shape, shape[-1], shape[-1])]
        np.testing.assert_array_equal(f(*given), (given[0] - given[1]) / given[2])


@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "bool", "complex64"])
def test_dtypes(dtype):
    a, b = at.tensor("a", dtype, (None, None)), at.tensor("b", dtype, (None,))
    f, reference = (ag.function([a, b], a * b, mode=mode) for mode in ("fast_run", "reference"))
    given = (RNG.normal(size=(300, 3)) * 3).astype(dtype), (RNG.normal(size=3) * 3).astype(dtype)
    found, wanted = f(*given), reference(*given)
    assert found.dtype == wanted.dtype
    np.testing.assert_allclose(found.astype(complex), wanted.astype(complex), rtol=1e-6)


def test_threads(tmp_path):
    with ag.config.change(worth=500, cache_dir=str(tmp_path)):
        f = ag.function([m, n, v, w], [(m - v) / w, ((m - v) * n).sum()])
        given = arrays(5_001, 3)
        results = [f(*given, threads=t) for t in (1, 2, 3, 4)]
    assert all([a.tobytes() for a in r] == [a.tobytes() for a in results[0]] for r in results)
    np.testing.assert_array_equal(results[0][0], (given[0] - given[2]) / given[3])
    assert "shared" in f.explain()


def test_what_is_written_is_not_repeated():
    """A row of the array that is updated in place."""
    start = RNG.normal(size=(9, 3))
    s = ag.shared(start.copy(), "s")
    f = ag.function([], updates={s: s - s[0]})
    f()
    np.testing.assert_array_equal(s.get_value(), start - start[0])


def test_updates_in_place():
    start, row = RNG.normal(size=(900, 3)), RNG.normal(size=3)
    s = ag.shared(start.copy(), "s")
    f = ag.function([v], updates={s: s * 0.5 - v})
    f(row)
    np.testing.assert_array_equal(s.get_value(), start * 0.5 - row)
    assert "in place" in f.explain()
