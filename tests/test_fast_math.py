"""The mode "fast_math": factors and terms leave sums as one would write it by hand; other modes keep them inside."""

from __future__ import annotations

import math

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at

RNG = np.random.default_rng(0)
x, m, s, v = at.vector("x"), at.scalar("m"), at.scalar("s"), at.vector("v")
a, b = at.matrix("a"), at.matrix("b")
VECTOR, MATRIX = RNG.normal(1, 2, size=50), RNG.normal(1, 2, size=(7, 5))


def density():
    value = (-0.5 * ((x - m) / s) ** 2 - at.log(s) - 0.5 * math.log(2 * math.pi)).sum()
    return [value, *ag.grad(value, [m, s])]


def rows():
    """Log-densities of rows, each with a mean and a scale of its own."""
    terms = -0.5 * ((a - v[:, None]) / at.exp(v)[:, None]) ** 2 - v[:, None]
    value = terms.sum(1)
    return [value, ag.grad((value * v).sum(), v)]


def test_a_density_is_sums_of_the_data():
    f = ag.function([x, m, s], density(), mode="fast_math")
    assert ag.pprint(f).count("sum(") == 2
    assert "sum_term" in str(f.explain()) or "sum_difference" in str(f.explain())
    z = (VECTOR - 0.5) / 1.5
    expected = (-0.5 * z**2 - math.log(1.5) - 0.5 * math.log(2 * math.pi)).sum(), z.sum() / 1.5, (z * z - 1).sum() / 1.5
    for found, wanted in zip(f(VECTOR, 0.5, 1.5), expected, strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-13)


def test_other_modes_keep_terms_together():
    """A sum of small differences of large numbers is what it is in every mode but one."""
    given = 1e8 + np.arange(50.0)
    for mode in ("fast_run", "fast_compile", "debug"):
        f = ag.function([x, m], (x - m).sum(), mode=mode)
        assert f(given, 1e8 - 0.1) == pytest.approx((given - (1e8 - 0.1)).sum(), rel=1e-13)


EXPRESSIONS = {
    "rows": ([a, v], rows, (MATRIX, VECTOR[:7] / 4)),
    "columns": ([a, v], lambda: ((a - v[:5]) * v[:5]).sum(0), (MATRIX, VECTOR[:7])),
    "not along the axes": ([a, v], lambda: (a * v[:5]).sum(1), (MATRIX, VECTOR[:7])),
    "both axes": ([a, s], lambda: (3 - a / s).sum(), (MATRIX, 2.5)),
    "quotients": ([a, b, s], lambda: ((a / s) / (b * b + 1) * (a * s)).sum(1), (MATRIX, MATRIX + 1, 2.5)),
    "divided by": ([x, s], lambda: (s / (x * x + 1)).sum(), (VECTOR, 2.5)),
    "products": ([a, b, s], lambda: (a * s) @ (b.T / s), (MATRIX, MATRIX + 1, 2.5)),
    "float32": ([a, s], lambda: at.cast((a - s) / s, "float32").sum(), (MATRIX, 2.5)),
    "loop": ([x, s], lambda: ag.scan(lambda h: (h * x / s - h).sum(), outputs_info=s, n_steps=4)[0], (VECTOR / 9, 2.5)),
    "integers": ([x], lambda: (at.cast(x, "int64") * 3 + 1).sum(), (VECTOR,)),
    "complex": ([x, s], lambda: at.real(((x * 1j) * at.cast(s, "complex128")).sum()), (VECTOR, 2.5)),
}


@pytest.mark.parametrize("empty", [False, True], ids=["", "empty"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_values(name, empty):
    inputs, build, given = EXPRESSIONS[name]
    if empty:
        given = [g[:0] if np.ndim(g) == 1 else g[:, :0] if np.ndim(g) == 2 else g for g in given]
        if name in ("rows", "columns", "not along the axes"):
            given = [np.zeros((0, 5)), np.zeros(9)[: 0 if name == "rows" else 9]]
    made = build()
    f, wanted = ag.function(inputs, made, mode="fast_math"), ag.function(inputs, made, mode="reference")
    results = [r if isinstance(r, list) else [r] for r in (f(*given), wanted(*given))]
    for found, expected in zip(*results, strict=True):
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(found, expected, rtol=1e-5 if found.dtype == "float32" else 1e-12, atol=1e-12)
