"""Distributions: each against SciPy's, in moments and as a whole; what is new in each call, what is the same."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special
from scipy import stats

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import GradientError, TypeMismatch

COUNT = 100_000
CONTINUOUS = [
    ("uniform", (-1.0, 3.0), stats.uniform(-1, 4)),
    ("normal", (2.0, 0.5), stats.norm(2, 0.5)),
    ("lognormal", (0.3, 0.4), stats.lognorm(0.4, scale=np.exp(0.3))),
    ("truncated_normal", (-0.5, 2.0, 0.3, 1.5), stats.truncnorm(-0.8 / 1.5, 1.7 / 1.5, 0.3, 1.5)),
    ("truncated_normal", (5.0, 7.0), stats.truncnorm(5, 7)),
    ("truncated_normal", (-np.inf, -6.0), stats.truncnorm(-np.inf, -6)),
    ("exponential", (3.0,), stats.expon(scale=3)),
    ("laplace", (1.0, 2.0), stats.laplace(1, 2)),
    ("logistic", (1.0, 2.0), stats.logistic(1, 2)),
    ("gumbel", (1.0, 2.0), stats.gumbel_r(1, 2)),
    ("cauchy", (1.0, 2.0), stats.cauchy(1, 2)),
    ("weibull", (1.7,), stats.weibull_min(1.7)),
    ("pareto", (5.0,), stats.lomax(5)),
    ("power", (2.5,), stats.powerlaw(2.5)),
    ("rayleigh", (2.0,), stats.rayleigh(scale=2)),
    ("halfnormal", (2.0,), stats.halfnorm(scale=2)),
    ("halfcauchy", (2.0,), stats.halfcauchy(scale=2)),
    ("gamma", (3.7, 2.0), stats.gamma(3.7, scale=2)),
    ("gamma", (1.0,), stats.gamma(1)),
    ("gamma", (0.2,), stats.gamma(0.2)),
    ("inverse_gamma", (6.0, 2.0), stats.invgamma(6, scale=2)),
    ("chisquare", (3.0,), stats.chi2(3)),
    ("beta", (2.0, 3.5), stats.beta(2, 3.5)),
    ("beta", (0.3, 0.5), stats.beta(0.3, 0.5)),
    ("student_t", (7.0, 1.0, 0.5), stats.t(7, 1, 0.5)),
]
DISCRETE = [
    ("bernoulli", (0.3,), stats.bernoulli(0.3)),
    ("integers", (-3, 4), stats.randint(-3, 4)),
    ("poisson", (0.4,), stats.poisson(0.4)),
    ("poisson", (9.9,), stats.poisson(9.9)),
    ("poisson", (10.0,), stats.poisson(10)),
    ("poisson", (345.6,), stats.poisson(345.6)),
    ("binomial", (7, 0.3), stats.binom(7, 0.3)),
    ("binomial", (60, 0.8), stats.binom(60, 0.8)),
    ("binomial", (1000, 0.35), stats.binom(1000, 0.35)),
    ("negative_binomial", (3.5, 0.4), stats.nbinom(3.5, 0.4)),
    ("geometric", (0.3,), stats.geom(0.3)),
    ("categorical", ([0.2, 0.0, 1.0, 0.8],), stats.rv_discrete(values=([0, 2, 3], [0.1, 0.5, 0.4]))),
]


def named(row):
    return f"{row[0]}{row[1]}"


def drawn(name, parameters, count=COUNT, seed=11, **options):
    """Numbers as compiled code draws them."""
    stream = at.random.RandomStream(seed)
    return ag.function([], getattr(stream, name)(*parameters, size=(count,), **options))()


def is_uncorrelated(values, others):
    ranks = [stats.rankdata(v) for v in (values, others)]
    return abs(np.corrcoef(*ranks)[0, 1]) < 4.5 / len(values) ** 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("row", CONTINUOUS, ids=named)
def test_continuous(row, dtype):
    name, parameters, distribution = row
    values = drawn(name, parameters, dtype=dtype)
    assert values.dtype == dtype
    wide = values.astype("f8")
    assert stats.kstest(wide, distribution.cdf).pvalue > 1e-4
    assert is_uncorrelated(wide[1:], wide[:-1])
    if np.isfinite(distribution.stats("mvk")).all():
        error = distribution.std() / COUNT**0.5
        assert abs(wide.mean() - distribution.mean()) < 4.5 * error
        kurtosis = float(distribution.stats("k"))
        assert abs(wide.var() / distribution.var() - 1) < 4.5 * ((kurtosis + 2) / COUNT) ** 0.5


@pytest.mark.parametrize("row", DISCRETE, ids=named)
def test_discrete(row):
    name, parameters, distribution = row
    values = drawn(name, parameters)
    assert values.dtype == np.int64
    low, high = (int(distribution.ppf(q)) for q in (0.001, 0.999))
    edges = np.unique(np.linspace(low, high + 1, 20).astype(int))
    expected = np.diff(distribution.cdf(edges - 1)) * COUNT
    found = np.histogram(values, edges - 0.5)[0]
    keep = expected > 5
    outside = COUNT - expected.sum(), COUNT - found.sum()
    assert ((found - expected)[keep] ** 2 / expected[keep]).sum() < stats.chi2(keep.sum()).ppf(1 - 1e-4)
    assert abs(outside[1] - outside[0]) < 5 * max(outside[0], 1) ** 0.5 + 1
    assert (found[expected == 0] == 0).all()
    assert is_uncorrelated(values[1:], values[:-1])


@pytest.mark.parametrize(("name", "parameters", "mean", "variance"), [
    ("poisson", (1e11,), 1e11, 1e11), ("binomial", (10**11, 0.1), 1e10, 9e9), ("binomial", (10**11, 0.9), 9e10, 9e9),
    ("gamma", (1e11,), 1e11, 1e11),
])  # fmt: skip
def test_large_numbers_are_normal(name, parameters, mean, variance):
    values = (drawn(name, parameters) - mean) / variance**0.5
    assert stats.kstest(values, stats.norm.cdf).pvalue > 1e-4


@pytest.mark.parametrize("row", CONTINUOUS + DISCRETE, ids=named)
def test_the_same_and_new(row):
    """Compiled code and the reference, any number of threads; other draws, calls and seeds give other numbers."""
    name, parameters, _ = row
    count = 3000
    stream = at.random.RandomStream(5)
    first, second = (getattr(stream, name)(*parameters, size=(count,)) for _ in range(2))
    f = ag.function([], [first, second])
    a, b = f()
    later = f()[0]
    again = at.random.RandomStream(5)
    wanted = ag.function([], getattr(again, name)(*parameters, size=(count,)), mode="reference")()
    np.testing.assert_allclose(a, wanted, rtol=1e-9, atol=1e-12)
    for other in (b, later, drawn(name, parameters, count, seed=6)):
        assert is_uncorrelated(a, other)
    stream.restart()
    np.testing.assert_array_equal(f()[0], a)


@pytest.mark.parametrize("name", ["normal", "gamma", "poisson"])
def test_threads(name):
    parameters = () if name == "normal" else (3.0,)
    found = []
    for threads in (1, 2, 4):
        draw = getattr(at.random.RandomStream(5), name)(*parameters, size=(200_000,))
        found.append(ag.function([], draw, threads=threads)())
    for values in found[1:]:
        np.testing.assert_array_equal(values, found[0])


def test_parameters_and_sizes():
    stream = at.random.RandomStream(3)
    a, n = at.matrix("a"), at.lscalar("n")
    outputs = [stream.gamma(a), stream.poisson(a, size=(n, 2, 2)), stream.beta(2.0, 3.0), stream.binomial(n, 0.5)]
    g, p, b, k = ag.function([a, n], outputs)([[1e-3, 1e6], [5.0, 0.5]], 3)
    assert abs(g[0, 1] / 1e6 - 1) < 0.01
    assert p.shape == (3, 2, 2)
    assert (p[:, 0, 0] < 5).all()
    assert b.shape == k.shape == ()
    bad = ag.function([], [stream.gamma(-1.0), stream.gamma(0.0), stream.beta(-1.0, 2.0), stream.student_t(-3.0)])()
    assert np.isnan(bad).all()


def test_vectors_that_sum_to_one():
    alpha = np.array([0.5, 2.0, 3.5])
    values = drawn("dirichlet", (alpha,))
    assert values.shape == (COUNT, 3)
    np.testing.assert_allclose(values.sum(-1), 1)
    for k in range(3):
        assert stats.kstest(values[:, k], stats.beta(alpha[k], 6 - alpha[k]).cdf).pvalue > 1e-4
    assert np.isfinite(drawn("dirichlet", (np.full(4, 1e-3),), 1000)).all()


def test_multinomial():
    p = np.array([0.1, 0.0, 0.6, 0.3])
    values = drawn("multinomial", (20, p))
    assert values.shape == (COUNT, 4)
    assert (values.sum(-1) == 20).all()
    assert (values >= 0).all()
    np.testing.assert_allclose(values.mean(0), 20 * p, atol=0.05)
    wanted = 20 * (np.diag(p) - np.outer(p, p))
    np.testing.assert_allclose(np.cov(values.T), wanted, atol=0.1)
    rows = ag.function([], at.random.RandomStream(1).multinomial(np.array([3, 50]), np.array([[1.0, 0], [0.5, 0.5]])))()
    assert rows[0].tolist() == [3, 0]
    assert rows[1].sum() == 50


def test_multivariate_normal():
    mean, cov = np.array([1.0, -2.0, 0.5]), np.array([[2.0, 0.6, 0.0], [0.6, 1.0, 0.3], [0.0, 0.3, 0.5]])
    values = drawn("multivariate_normal", (mean, cov))
    np.testing.assert_allclose(values.mean(0), mean, atol=0.03)
    np.testing.assert_allclose(np.cov(values.T), cov, atol=0.04)
    singular = drawn("multivariate_normal", (mean, np.ones((3, 3))), 100)
    np.testing.assert_allclose(np.ptp(singular - mean, axis=1), 0, atol=1e-12)


def test_order():
    stream = at.random.RandomStream(2)
    x, n = at.matrix("x"), at.lscalar("n")
    outputs = [stream.permutation(n), stream.permutation(x), stream.permutation(x, axis=1), stream.shuffle(x)]
    f = ag.function([x, n], outputs)
    values = np.arange(12.0).reshape(3, 4)
    p, rows, columns, each = f(values, 50)
    assert sorted(p) == list(range(50))
    assert sorted(rows[:, 0]) == [0, 4, 8]
    np.testing.assert_array_equal(rows - rows[:, :1], values - values[:, :1])
    assert sorted(columns[0]) == [0, 1, 2, 3]
    np.testing.assert_array_equal(np.sort(each), values)
    counts = np.zeros((3, 3))
    g = ag.function([], stream.permutation(3))
    for _ in range(3000):
        counts[np.arange(3), g()] += 1
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4


def test_choice():
    stream, a = at.random.RandomStream(2), at.vector("a")
    p = np.array([0.5, 0.2, 0.3, 0.0])
    outputs = [
        stream.choice(a, (COUNT,)), stream.choice(4, (COUNT,), p=p), stream.choice(a, (3,), replace=False),
        stream.choice(4, (3,), replace=False, p=p), stream.choice(a),
    ]  # fmt: skip
    f = ag.function([a], outputs)
    values = np.array([1.0, 2.0, 4.0, 8.0])
    some, weighted, few, ordered, one = f(values)
    assert stats.chisquare([(some == v).sum() for v in values]).pvalue > 1e-4
    np.testing.assert_allclose(np.bincount(weighted, minlength=4) / COUNT, p, atol=0.01)
    assert len(set(few)) == 3
    assert sorted(ordered) == [0, 1, 2]
    assert one in values
    first = [f(values)[3][0] for _ in range(500)]
    assert abs(np.mean(np.equal(first, 0)) - 0.5) < 0.1


def test_categorical_rows():
    p = np.array([[0.0, 1.0, 0.0], [0.5, 0.0, 0.5]])
    found = ag.function([], at.random.RandomStream(1).categorical(at.constant(p)))()
    assert found[0] == 1
    assert found[1] in (0, 2)


def test_keys():
    seed, step = at.lscalar("seed"), at.lscalar("step")
    key = at.random.Key(seed)
    left, right = key.split()
    outputs = [k.normal(size=(1000,)) for k in (key, key, right, key.fold_in(step))] + [left.gamma(2.0, size=(1000,))]
    f = ag.function([seed, step], outputs)
    values = f(7, 3)
    for a, b in zip(values, f(7, 3), strict=True):
        np.testing.assert_array_equal(a, b)
    others = [*f(8, 3), f(7, 4)[3]]
    for k, a in enumerate(values):
        for b in [*values[:k], *others]:
            assert is_uncorrelated(a, b)
    with pytest.raises(TypeMismatch, match="a key is made of a whole number"):
        at.random.Key(0.5)


def test_inside_loops():
    stream = at.random.RandomStream(6)

    def step(h):
        return h + stream.gamma(2.0) - stream.poisson(2.0)

    walk, updates = ag.scan(step, outputs_info=at.zeros(()), n_steps=3000)
    f = ag.function([], walk, updates=updates)
    steps = np.concatenate([np.diff(f()), np.diff(f())])
    assert abs(steps.mean()) < 5 * (4 / len(steps)) ** 0.5
    assert abs(steps.var() - 4) < 0.5
    assert is_uncorrelated(steps[1:], steps[:-1])


@pytest.mark.parametrize(("name", "parameters"), [
    ("normal", (0.3, 1.5)), ("lognormal", (0.3, 0.5)), ("truncated_normal", (-0.5, 2.0, 0.1, 1.2)),
    ("laplace", (0.1, 2.0)),
    ("logistic", (0.1, 2.0)), ("gumbel", (0.1, 2.0)), ("cauchy", (0.1, 2.0)), ("weibull", (1.5,)), ("pareto", (3.0,)),
    ("exponential", (2.0,)), ("rayleigh", (2.0,)), ("power", (2.0,)),
])  # fmt: skip
def test_reparameterised_gradients(name, parameters):
    """The derivative of each number by its parameters, against differences with the same bits."""
    given = [at.dscalar(f"p{k}") for k in range(len(parameters))]
    total = (getattr(at.random.Key(3), name)(*given, size=(50,)) * np.linspace(1, 2, 50)).sum()
    f, g = ag.function(given, total), ag.function(given, ag.grad(total, given), on_unused_input="ignore")
    for k, slope in enumerate(g(*parameters)):
        ends = [f(*(p + s * 1e-6 * (j == k) for j, p in enumerate(parameters))) for s in (1, -1)]
        np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-6)


def test_gradients_of_gamma_numbers():
    """By the scale, and by the shape: along the inverse of the distribution function."""
    a, scale = at.scalars("a", "scale")
    x = at.random.RandomStream(1).gamma(a, scale, size=(40,))
    f = ag.function([a, scale], [x, *[ag.jvp(x, v, at.ones_like(v)) for v in (a, scale)]])
    for shape in (1.2, 2.5, 300.0):
        numbers, by_shape, by_scale = f(shape, 3.0)
        np.testing.assert_allclose(by_scale, numbers / 3)
        share = scipy.special.gammainc(shape, numbers / 3)
        h = 1e-4 * shape
        ends = [3 * scipy.special.gammaincinv(shape + s * h, share) for s in (1, -1)]
        np.testing.assert_allclose(by_shape, (ends[0] - ends[1]) / (2 * h), rtol=1e-5)


def test_gradients_of_what_is_made_of_gamma_numbers():
    """Means of derivatives against derivatives of means."""
    a, b = at.scalars("a", "b")
    stream = at.random.RandomStream(5)
    n = 40000
    small, share, t = stream.gamma(a, size=(n,)), stream.beta(a, b, size=(n,)), stream.student_t(8 * b, size=(n,))
    slopes = [ag.grad(small.mean(), a), ag.grad((small**2).mean(), a), *ag.grad(share.mean(), [a, b]),
              ag.grad((t**2).mean(), b)]  # fmt: skip
    found = ag.function([a, b], slopes)(0.6, 1.7)
    df = 8 * 1.7
    wanted = [1, 2 * 0.6 + 1, 1.7 / 2.3**2, -0.6 / 2.3**2, 8 * (1 / (df - 2) - df / (df - 2) ** 2)]
    np.testing.assert_allclose(found, wanted, rtol=0.06)


def test_counts_have_no_gradient():
    rate = at.scalar("rate")
    with pytest.raises(GradientError, match="does not depend on rate"):
        ag.grad(at.random.RandomStream(1).poisson(rate, size=(3,)).sum() * 1.0, rate)


@pytest.mark.parametrize(("make", "message"), [
    (lambda s: s.gamma(2.0, dtype="int64"), "float32 or float64"),
    (lambda s: s.normal(1j), "real numbers"),
    (lambda s: s.dirichlet(2.0), "dirichlet: a vector is wanted"),
    (lambda s: s.multivariate_normal(np.zeros(2), np.zeros(2)), "the covariance is a matrix"),
])  # fmt: skip
def test_errors(make, message):
    with pytest.raises(TypeError, match=message):
        make(at.random.RandomStream(1))
