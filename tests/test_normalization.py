"""Batch normalization against NumPy."""

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch

SHAPE = (6, 3, 4, 5)


@pytest.mark.parametrize(("axes", "over"), [("per-activation", (0,)), ("spatial", (0, 2, 3)), ((0, 1), (0, 1))])
@pytest.mark.parametrize("whole", [True, False])
def test_training_and_use(axes, over, whole, rng):
    """Parameters may have all axes or the remaining ones."""
    x = rng.normal(size=SHAPE) * 3 + 1
    kept = tuple(1 if k in over else n for k, n in enumerate(SHAPE))
    given = [rng.uniform(0.5, 2, size=kept) for _ in range(4)]
    short = given if whole else [p.reshape([n for k, n in enumerate(SHAPE) if k not in over]) for p in given]
    gamma, beta, running_mean, running_var = short
    found = at.nnet.batch_normalization_train(x, gamma, beta, axes, 1e-3, 0.25, running_mean, running_var)
    mean, var = x.mean(over, keepdims=True), x.var(over, keepdims=True)
    n = x.size // mean.size
    wanted = [given[0] * (x - mean) / np.sqrt(var + 1e-3) + given[1], mean, 1 / np.sqrt(var + 1e-3),
              0.75 * given[2] + 0.25 * mean, 0.75 * given[3] + 0.25 * var * n / (n - 1)]  # fmt: skip
    for value, expected in zip(ag.function([], found)(), wanted, strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-12)
    used = at.nnet.batch_normalization_test(x, gamma, beta, running_mean, running_var, axes, 1e-3)
    expected = given[0] * (x - given[2]) / np.sqrt(given[3] + 1e-3) + given[1]
    np.testing.assert_allclose(used.eval(), expected, rtol=1e-12)


def test_types_and_gradients(rng):
    x, gamma, beta = at.fmatrix("x"), at.fvector("gamma"), at.fvector("beta")
    out, *_ = at.nnet.batch_normalization_train(x, gamma, beta)
    assert out.dtype == "float32"
    cost = (out**3).sum()
    f = ag.function([x, gamma, beta], ag.grad(cost, x))
    data = rng.normal(size=(5, 2)).astype("f4")
    g = f(data, np.ones(2, "f4"), np.zeros(2, "f4"))
    np.testing.assert_allclose(g.sum(0), 0, atol=1e-4)  # moving all rows changes nothing


def test_what_is_refused():
    x, v = at.tensor4("x"), at.vector("v")
    with pytest.raises(TypeMismatch, match='axes are "per-activation"'):
        at.nnet.batch_normalization_train(x, v, v, "channels")
    with pytest.raises(TypeMismatch, match="a parameter .* does not fit"):
        at.nnet.batch_normalization_train(x, v, v, "per-activation")
    with pytest.raises(TypeMismatch, match="are given together"):
        at.nnet.batch_normalization_train(x, v, v, "spatial", running_mean=v)
