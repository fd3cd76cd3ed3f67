"""One compiled function for all sizes: broadcasting, slices and lookups with drawn sizes and bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import ShapeError
from agnesi.ir import dims
from agnesi.reference import evaluate
from helpers import Case, compile_cases

SIZES = st.sampled_from([0, 1, 2, 3, 5, 33])
BOUNDS = st.integers(-8, 8)
FEW = settings(max_examples=150, deadline=None)


def fits(*shapes: tuple[int, ...]) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


@pytest.fixture(scope="module")
def broadcasting():
    x, y, v = at.matrix("x"), at.matrix("y"), at.vector("v")
    z = x * y + v
    cost = (z * z).sum()
    return ag.function([x, y, v], [z, z.sum(0), *ag.grad(cost, [x, y, v])])


@given(st.tuples(SIZES, SIZES), st.tuples(SIZES, SIZES), SIZES, st.integers(0, 7))
@FEW
def test_broadcasting(broadcasting, first, second, third, ones):
    """Half of the draws have ones where sizes would not fit."""
    size = (first[0], first[1])
    shapes = [size, size, (size[1],)]
    if ones & 1:
        shapes[0] = (1, size[1]) if ones & 2 else (size[0], 1)
    if ones & 4:
        shapes = [size, second, (third,)]
    arrays = [np.linspace(-1, 2, int(np.prod(s))).reshape(s) for s in shapes]
    if not fits(*shapes):
        with pytest.raises(ValueError, match="built at"):
            broadcasting(*arrays)
        return
    x, y, v = arrays
    z = x * y + v
    found = broadcasting(*arrays)
    wanted = [z, z.sum(0), *(summed(2 * z * d, s) for d, s in zip((y, x, 1), shapes, strict=True))]
    for a, b in zip(found, wanted, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def summed(g: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """What broadcasting to the shape of g does to a cotangent."""
    g = g.sum(axis=tuple(range(g.ndim - len(shape))))
    return g.sum(axis=tuple(k for k, n in enumerate(shape) if n == 1), keepdims=True)


@pytest.fixture(scope="module")
def slicing():
    x, a, b = at.vector("x"), at.lscalar("a"), at.lscalar("b")
    parts = [x[a:b], x[a:], x[:b], x[a:b:2], x[a:b:-1], x[::-1][a:b], x[b::-3]]
    return ag.function([x, a, b], [*parts, ag.grad((x[a:b] * 2).sum() + x[a:b:-1].sum(), x)])


@given(st.integers(0, 7), BOUNDS, BOUNDS)
@FEW
def test_slices(slicing, n, a, b):
    x = np.arange(1.0, n + 1)
    gradient = np.zeros(n)
    gradient[a:b] += 2
    gradient[a:b:-1] += 1
    wanted = [x[a:b], x[a:], x[:b], x[a:b:2], x[a:b:-1], x[::-1][a:b], x[b::-3], gradient]
    for found, right in zip(slicing(x, a, b), wanted, strict=True):
        np.testing.assert_array_equal(found, right)


@given(st.integers(0, 6), BOUNDS, BOUNDS, st.sampled_from([1, 2, 3, -1, -2, -3, None]))
@FEW
def test_slices_of_known_sizes(n, start, stop, step):
    x = np.arange(float(n))
    for key in (slice(start, stop, step), slice(None, stop, step), slice(start, None, step)):
        made = at.constant(x)[key]
        assert made.node.shape == x[key].shape
        np.testing.assert_array_equal(ag.function([], made, mode="reference")(), x[key])


@pytest.fixture(scope="module")
def looking_up():
    x, i = at.matrix("x"), at.lvector("i")
    return ag.function([x, i], [x[i], x[:, i], ag.grad((x[i] * x[i]).sum(), x)])


@given(st.integers(1, 4), st.lists(st.integers(-5, 5), max_size=6))
@FEW
def test_lookups(looking_up, n, indices):
    x, i = np.arange(1.0, n * n + 1).reshape(n, n), np.array(indices, int)
    try:
        wanted = [x[i], x[:, i]]
    except IndexError:
        with pytest.raises(IndexError, match=f"size {n}"):
            looking_up(x, i)
        return
    gradient = np.zeros_like(x)
    np.add.at(gradient, i, 2 * x[i])
    for found, right in zip(looking_up(x, i), [*wanted, gradient], strict=True):
        np.testing.assert_array_equal(found, right)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(-2, 14))
@FEW
def test_reshapes(reshaping, n, m, k):
    x = np.arange(float(n * m)).reshape(n, m)
    try:
        wanted = x.T.reshape(k, 2) if k >= 0 else None
    except ValueError:
        wanted = None
    if wanted is None:
        with pytest.raises(ValueError, match="built at"):
            reshaping(x, k)
    else:
        np.testing.assert_array_equal(reshaping(x, k), wanted + 1)


@pytest.fixture(scope="module")
def reshaping():
    x, k = at.matrix("x"), at.lscalar("k")
    return ag.function([x, k], x.T.reshape((k, 2)) + 1)


def test_sizes_that_are_elements():
    x, i = at.vector("x"), at.lvector("i")
    found = ag.function([x, i], [x[: i[0]] * 2, i * 2])(np.arange(5.0), np.array([1, 3]))
    np.testing.assert_array_equal(found[0], [0.0])


@pytest.mark.parametrize("size", [lambda x, i: i.max(), lambda x, i: i.sum() - 2, lambda x, i: (x > 0).sum() + 1])
@pytest.mark.parametrize("mode", ["fast_run", "debug", "reference"])
def test_sizes_that_are_computed(size, mode):
    x, i = at.vector("x"), at.lvector("i")
    y = x[: size(x, i)]
    f = ag.function([x, i], [y * 2, (y @ y) * y, ag.grad((y * y).sum(), x)], on_unused_input="ignore", mode=mode)
    for values in (np.array([0.5, -1, 3, 2, 0]), np.zeros(3), np.ones(0)):
        k = np.array([1, 2])
        n = int(size(values, k))
        part = values[:n]
        first, second, gradient = f(values, k)
        np.testing.assert_array_equal(first, part * 2)
        np.testing.assert_array_equal(second, (part @ part) * part)
        np.testing.assert_array_equal(gradient, np.where(np.arange(len(values)) < n, 2 * values, 0))


def test_sizes_that_are_looked_up_are_checked():
    s, i = at.lvector("s"), at.lscalar("i")
    for f in (ag.function([s], at.zeros(s[2]) + 1), ag.function([s, i], at.zeros(s[i]) + 1)):
        rest = (2,) if len(f.inputs) > 1 else ()
        assert f(np.array([5, 6, 3]), *rest).tolist() == [1, 1, 1]
        with pytest.raises(IndexError, match="index 2 is out of range for an axis of size 2"):
            f(np.array([1, 2]), *rest)


def test_extremes_of_no_elements():
    x = at.matrix("x")
    f, g = ag.function([x], x.max(0), name="f"), ag.function([x], [x.argmin(), x.max(initial=3.0)], mode="reference")
    assert f(np.zeros((0, 0))).tolist() == []
    with pytest.raises(ShapeError, match=r"f: max of no elements: .* along \(0,\); .* take `initial` .*\n  built at"):
        f(np.zeros((0, 3)))
    with pytest.raises(ShapeError, match="nonempty"):
        g(np.zeros((0, 3)))
    assert ag.function([x], x.max(initial=3.0))(np.zeros((0, 3))) == 3


class TestSizesKnownLater:
    """Masks: how many elements there are is known when loops have run."""

    @pytest.fixture(scope="class", params=["fast_run", "debug", "reference"])
    @staticmethod
    def f(request):
        x, y = at.vector("x"), at.vector("y")
        return ag.function([x, y], [x[x > 0] + y, (x > 0).sum()], mode=request.param)

    def test_they_meet(self, f):
        found, count = f([1.0, -1, 2], [10.0, 20])
        assert found.tolist() == [11, 22]
        assert count == 2

    def test_they_broadcast(self, f):
        assert f([1.0, -1, 2], [10.0])[0].tolist() == [11, 12]
        assert f([1.0, -1, -2], [10.0, 20])[0].tolist() == [11, 21]
        assert f([-1.0], np.zeros(0))[0].tolist() == []

    def test_they_differ(self, f):
        with pytest.raises(ShapeError, match="3 and 2|2 and 3"):
            f([1.0, 1, 2], [10.0, 20])

    def test_updates(self):
        w = ag.shared(np.arange(4.0), "w", shape=(None,))
        x = at.vector("x")
        f = ag.function([x], updates={w: x[x > 0]})
        assert f.compiled(0).donated == (False,)
        f([-1.0, 2, 3, 4, 5])
        assert w.get_value().tolist() == [2, 3, 4, 5]
        with pytest.raises(ShapeError, match="update of w"):
            f([-1.0, 2])
        assert w.get_value().tolist() == [2, 3, 4, 5]

    def test_large_ones_share_scratch_between_calls(self):
        x = at.vector("x")
        f = ag.function([x], [x[x > 0], x[x < 0].sum()])
        rng = np.random.default_rng(0)
        for n in (1, 100_000, 3, 1_000_000, 0, 10):
            given = rng.normal(size=n)
            positive, rest = f(given)
            np.testing.assert_array_equal(positive, given[given > 0])
            np.testing.assert_allclose(rest, given[given < 0].sum())


def test_sizes_that_loops_read_often():
    x = at.tensor("x", shape=(2, None))
    i, j = at.tensor("i", "int64", (2,)), at.tensor("j", "int64", (2,))
    t = at.sigmoid(x[1::-2, 3::2])[i, j]
    products = at.outer(t, t)
    y = products + products * 0.1
    f = ag.function([x, i, j], at.tensordot(y, t, 1) + at.tensordot(y.T, t, 1))
    value, k = np.arange(10.0).reshape(2, 5) / 10, np.zeros(2, int)
    picked = (1 / (1 + np.exp(-value[1::-2, 3::2])))[k, k]
    np.testing.assert_allclose(f(value, k, k), 2.2 * np.outer(picked, picked) @ picked)
    with pytest.raises(IndexError, match="size 1"):
        f(value, k, k + 1)


def test_reshapes_of_nothing():
    shapes = [(0, 4), (4, 0), (2, 0, 3), (0,), (0, 0), (3, 0, 2), (0, 0, 0), (1, 0)]
    for old in shapes:
        x = at.tensor("x", shape=old)
        made = [x.transpose(tuple(range(len(old)))[::-1]).reshape(new) + 1 for new in shapes]
        for new, found in zip(shapes, ag.function([x], made)(np.zeros(old)), strict=True):
            assert found.shape == new


def test_products_of_nothing():
    x = at.vector("x")
    f = ag.function([x], [at.dot(at.nnet.softmax(x), x), at.outer(x, x) @ at.nnet.softmax(x), x.sum(), x.prod()])
    assert [a.tolist() for a in f(np.zeros(0))] == [0, [], 0, 1]


def test_lookups_in_axes_of_one(tmp_path):
    """Of products made of loops, by one or more places."""
    cases = []
    for first, second in [((2, 3, 4), (4, 1)), ((1, 1, 4), (4, 1)), ((1, 3, 4), (4, 5)), ((2, 3, 1), (1, 1))]:
        x, y = (np.linspace(-1, 1, int(np.prod(s))).reshape(s) for s in (first, second))
        for places in (np.array([-1]), np.array([0, -1])):
            a, b, i = at.tensor("a", shape=first), at.tensor("b", shape=second), at.tensor("i", "int64", places.shape)
            for key in ((..., i), (i,), (slice(None), i)):
                graph = ag.Graph([a.node, b.node, i.node], [at.dot(a, b)[key].node])
                cases.append((Case(graph), [x, y, places]))
    compile_cases([case for case, _ in cases], tmp_path, ("-O0",))
    for case, arrays in cases:
        wanted = evaluate(case.graph, arrays)[0]
        np.testing.assert_allclose(case.run(arrays)[0], wanted, rtol=1e-13, atol=1e-13)


def test_sizes_that_compare():
    """The smaller of two sizes where their forms tell, and quotients and rests of multiples."""
    n, m = at.matrix("x").type.shape
    less = dims.maximum(dims.sub(n, 1), 0)
    assert dims.minimum(n, n) is n
    assert dims.minimum(less, less) is less
    assert dims.minimum(less, n) is less
    assert dims.minimum(dims.add(n, 2), n) is n
    assert not isinstance(dims.minimum(n, m), int)
    assert dims.minimum(n, m) not in (n, m)
    assert dims.floordiv(dims.mul(n, 6), 3) is dims.mul(n, 2)
    assert dims.floordiv(dims.add(dims.mul(n, 6), 4), 3) is dims.add(dims.mul(n, 2), 1)
    assert dims.mod(dims.add(dims.mul(n, 6), 4), 3) == 1
    assert dims.floordiv(dims.sub(dims.mul(n, 6), 1), 3) is dims.sub(dims.mul(n, 2), 1)


def test_sizes_that_cannot_be_negative_stay_plain():
    """arange(n) has n elements, so that it meets other axes of that size without a choice at run time."""
    x, k = at.tensor("x", shape=("n", "m")), at.lscalar("k")
    n, m = x.type.shape
    for made, size in (
        (at.arange(x.shape[0]), n),
        (at.zeros((x.shape[1],)), m),
        (at.arange(at.concatenate([x, x]).shape[0]), dims.mul(n, 2)),
        (at.arange(x.ravel().shape[0]), dims.mul(n, m)),
    ):
        assert made.type.shape == (size,)
    for size in (n, dims.add(n, 3), dims.mul(n, m), dims.maximum(dims.sub(n, 3), 0), dims.floordiv(n, 2)):
        assert dims.nonnegative(size)
    for size in (dims.sub(n, 1), dims.sub(n, m), dims.mul(n, -1), k.node, -2):
        assert not dims.nonnegative(size)
