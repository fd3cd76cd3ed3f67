"""Streams of random numbers: known answers, moments, distributions, and what makes them new."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from scipy import stats

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch
from agnesi.ir.variable import Variable
from agnesi.ops.bits import philox, philox_high, philox_low

COUNT = 200_000
FULL = 2**64 - 1
# From the tests of Random123, the library of the generator's authors: key, counter (low, high), words (low, high).
KNOWN = [
    (0, 0, 0, 0xE169C58D6627E8D5, 0x9B00DBD8BC57AC4C),
    (FULL, FULL, FULL, 0x41C83B0E408F276D, 0x6D5451FDA20BC7C6),
    (0x299F31D0A4093822, 0x85A308D3243F6A88, 0x0370734413198A2E, 0x94FDCCEBD16CFE09, 0x24126EA15001E420),
]


def test_known_answers():
    key, low, high, first, second = np.array(KNOWN, np.uint64).T
    for found, wanted in zip(philox(key, low, high), (first, second), strict=True):
        np.testing.assert_array_equal(found, wanted)
    k, a, b = (at.tensor(n, "uint64", (None,)) for n in "kab")
    f = ag.function([k, a, b], [Variable(op(k.node, a.node, b.node)) for op in (philox_low, philox_high)])
    for found, wanted in zip(f(key, low, high), (first, second), strict=True):
        np.testing.assert_array_equal(found, wanted)


def drawn(make, **options):
    return ag.function([], make(at.random.RandomStream(11), size=(COUNT,), **options))()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "parameters", "distribution"),
    [
        ("uniform", {"low": -1.0, "high": 3.0}, stats.uniform(-1, 4)),
        ("normal", {"loc": 2.0, "scale": 0.5}, stats.norm(2, 0.5)),
        ("exponential", {"scale": 3.0}, stats.expon(scale=3)),
    ],
)
def test_distributions(name, parameters, distribution, dtype):
    values = drawn(lambda s, **o: getattr(s, name)(**o), **parameters, dtype=dtype)
    assert values.dtype == dtype
    assert stats.kstest(values.astype("f8"), distribution.cdf).pvalue > 0.001
    error = distribution.std() / COUNT**0.5
    assert abs(values.mean(dtype="f8") - distribution.mean()) < 4 * error
    assert abs(values.var(dtype="f8") / distribution.var() - 1) < 0.03
    assert abs(np.corrcoef(values[1:], values[:-1])[0, 1]) < 4 / COUNT**0.5


def test_whole_numbers():
    values = drawn(lambda s, **o: s.integers(-3, 4, **o))
    assert values.dtype == np.int64
    assert stats.chisquare(np.bincount(values + 3, minlength=7)).pvalue > 0.001
    coins = drawn(lambda s, **o: s.bernoulli(0.3, **o))
    assert set(np.unique(coins)) == {0, 1}
    assert abs(coins.mean() - 0.3) < 4 * (0.21 / COUNT) ** 0.5
    assert set(np.unique(drawn(lambda s, **o: s.integers(3, **o)))) == {0, 1, 2}


def test_new_numbers():
    """In every call, for every draw, from every seed; the same for the same, however many threads there are."""
    stream = at.random.RandomStream(1)
    first, second = stream.normal(size=(1000,)), stream.normal(size=(1000,))
    f = ag.function([], [first, second, first])
    a, b, again = f()
    np.testing.assert_array_equal(a, again)
    later = f()[0]
    for x, y in ((a, b), (a, later), (b, later)):
        assert abs(np.corrcoef(x, y)[0, 1]) < 0.15
        assert not (x == y).any()
    other = at.random.RandomStream(1)
    np.testing.assert_array_equal(ag.function([], other.normal(size=(1000,)))(), a)
    assert not (ag.function([], at.random.RandomStream(2).normal(size=(1000,)))() == a).any()
    large = [
        ag.function([], at.random.RandomStream(5).normal(size=(300_000,)), threads=threads)() for threads in (1, 2, 4)
    ]
    for values in large[1:]:
        np.testing.assert_array_equal(values, large[0])


def test_shapes_and_parameters():
    stream = at.random.RandomStream(3)
    mean, n = at.matrix("mean"), at.lscalar("n")
    f = ag.function([mean, n], [stream.normal(mean, 1e-9), stream.uniform(size=(n, 2)), stream.uniform()])
    a, b, c = f([[1.0, 5.0], [2.0, -1.0]], 3)
    np.testing.assert_allclose(a, [[1, 5], [2, -1]], atol=1e-7)
    assert b.shape == (3, 2)
    assert c.shape == ()
    assert f(np.zeros((0, 2)), 0)[1].shape == (0, 2)
    with pytest.raises(TypeMismatch, match="float32 or float64"):
        stream.uniform(dtype="int64")
    with pytest.raises(TypeMismatch, match="whole numbers"):
        stream.integers(0.5)


def test_reparameterised_gradients():
    mean, deviation = at.scalars("mean", "deviation")
    x = at.random.RandomStream(4).normal(mean, deviation, size=(100,))
    f = ag.function([mean, deviation], [x, *ag.grad(x.sum(), [mean, deviation])])
    values, by_mean, by_deviation = f(3.0, 2.0)
    assert by_mean == 100
    np.testing.assert_allclose(by_deviation, ((values - 3) / 2).sum())


def test_loops():
    stream = at.random.RandomStream(6)
    walk, updates = ag.scan(lambda h: h + stream.normal(), outputs_info=at.zeros(()), n_steps=2000)
    f = ag.function([], walk, updates=updates)
    steps = np.concatenate([np.diff(f(), prepend=0.0), np.diff(f(), prepend=0.0)])
    assert stats.kstest(steps, stats.norm.cdf).pvalue > 0.001
    assert len(np.unique(steps)) == 4000
    without = ag.function([], walk)
    assert len(np.unique(np.concatenate([np.diff(without()), np.diff(without())]))) == 3998


def test_pickles():
    stream = at.random.RandomStream(7)
    f = ag.function([], stream.uniform(size=(4,)))
    f()
    g = pickle.loads(pickle.dumps(f))
    np.testing.assert_array_equal(f(), g())
    assert not (f() == f()).any()
