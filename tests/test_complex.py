"""Complex numbers from end to end: dtypes, the convention of derivatives, special values, what people see."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch
from agnesi.ir.show import parse, text

z, w, x = at.zvector("z"), at.zvector("w"), at.vector("x")
Z = np.array([1 + 2j, -0.5 - 1j, 3.0, 0.25j])
INF, NAN = np.inf, np.nan


class TestTypes:
    def test_python_numbers_are_weak(self):
        single = at.cvector("c")
        for made in (single + 1j, single * 2.0, at.fvector("f") * 1j, 1j + at.tensor("f", "float32", ())):
            assert made.dtype == "complex64"
        assert (x * 1j).dtype == (at.lvector("i") + 1j).dtype == (single + x).dtype == "complex128"

    def test_constructors(self):
        assert (at.cmatrix("c").dtype, at.ztensor3("z").dtype) == ("complex64", "complex128")

    def test_parts_like_numpy(self):
        for name, made in (("real", z.real), ("imag", z.imag), ("conj", z.conj()), ("conj", np.conj(z))):
            np.testing.assert_array_equal(made.eval({z: Z}), getattr(np, name)(Z))
        np.testing.assert_array_equal(np.angle(z).eval({z: Z}), np.angle(Z))

    def test_parts_of_real_numbers(self):
        values = np.array([-1.0, 2.0, NAN])
        for function in (np.real, np.imag, np.conj, np.angle):
            np.testing.assert_array_equal(function(x).eval({x: values}), function(values))

    def test_from_parts(self):
        np.testing.assert_array_equal(at.complex(x, 2).eval({x: Z.real}), Z.real + 2j)
        polar = at.complex_from_polar(abs(z), at.angle(z))
        np.testing.assert_allclose(polar.eval({z: Z}), Z, rtol=1e-14)
        assert at.complex(at.fvector("f"), 1.0).dtype == "complex64"
        assert at.complex(1, 2).eval() == 1 + 2j

    def test_infinite_parts_stay_apart(self):
        found = at.complex(x, INF).eval({x: [1.0, NAN]})
        np.testing.assert_array_equal(found.real, [1.0, NAN])
        np.testing.assert_array_equal(found.imag, [INF, INF])


class TestFunctions:
    def test_arguments(self):
        s = at.cscalar("s")
        f = ag.function([s], s * s)
        for value in (2, 2.0, 1 + 2j, np.complex64(1j), np.array(3)):
            assert f(value) == np.complex64(value) ** 2
        with pytest.raises(TypeMismatch, match="complex128"):
            f(np.complex128(1j))
        with pytest.raises(TypeMismatch, match="needs dtype float64"):
            ag.function([x], x + 1)(Z)

    def test_shared_variables(self):
        total = ag.shared(np.zeros(4, complex), "total")
        add = ag.function([z], total.sum(), updates={total: total + z})
        add(Z)
        assert add(Z) == Z.sum()
        np.testing.assert_array_equal(total.get_value(), 2 * Z)
        with pytest.raises(TypeMismatch):
            ag.shared(np.zeros(4), "real").set_value(Z)

    def test_text_and_pickles(self):
        graph = ag.Graph([z.node], [(z * complex(NAN, -0.0) + (1 - 2j)).node])
        assert text(parse(text(graph))) == text(graph)
        assert pickle.loads(pickle.dumps(graph)).digest() == graph.digest()
        assert ag.pprint(z + (1 - 2j)) == "z + (1-2j)"

    @pytest.mark.parametrize("mode", ["fast_run", "fast_compile", "debug", "reference"])
    def test_modes(self, mode):
        y = at.exp(-z * w) @ w + (z**2).mean() / (1 + 1j) + z.prod()
        f = ag.function([z, w], [y, ag.grad(abs(y), z)], mode=mode)
        wanted = np.exp(-Z * Z) @ Z + (Z**2).mean() / (1 + 1j) + Z.prod()
        np.testing.assert_allclose(f(Z, Z)[0], wanted, rtol=1e-13)
        steps = [(abs(f(Z + d, Z)[0]) - abs(f(Z - d, Z)[0])) / 2e-6 for d in 1e-6 * np.eye(4)]
        np.testing.assert_allclose(f(Z, Z)[1].real, steps, rtol=1e-6)


class TestValues:
    @pytest.mark.parametrize("function", [np.log, np.sqrt, np.log1p, np.abs, np.angle])
    def test_large_numbers(self, function):
        values = np.array([1e308 + 1e308j, -1.5e308 + 3j, 1e200j, 1e308 - 1e-300j])
        np.testing.assert_allclose(function(z).eval({z: values}), function(values), rtol=1e-14)

    def test_logarithms_near_one_keep_their_digits(self):
        small = 1e-12 + 1e-12j
        np.testing.assert_allclose(at.log(1 + z).eval({z: [small]})[0], small, rtol=1e-11)
        np.testing.assert_allclose(at.log(z).eval({z: [1 + 1e-8j]})[0], 1e-8j + 5e-17, rtol=1e-15)

    def test_functions_of_both_parts(self):
        values = np.array([1.26 - 2.5j, complex(NAN, INF), complex(-INF, 3)])
        for made, wanted in (
            (z.round(1), np.round(values, 1)), (at.nan_to_num(z), np.nan_to_num(values)),
            (at.isinf(z), np.isinf(values)), (at.isfinite(z), np.isfinite(values)), (at.isnan(z), np.isnan(values)),
        ):  # fmt: skip
            np.testing.assert_array_equal(made.eval({z: values}), wanted)
        matrix = Z.reshape(2, 2)
        m = at.zmatrix("m")
        for function in (np.cov, np.linalg.norm, np.trace, np.cumprod, np.var):
            np.testing.assert_allclose(function(m).eval({m: matrix}), function(matrix), rtol=1e-14)

    def test_branch_cuts(self):
        below, above = complex(-1.0, -0.0), complex(-1.0, 0.0)
        for function in (np.log, np.sqrt):
            found = function(z).eval({z: np.array([below, above])})
            np.testing.assert_array_equal(found, function(np.array([below, above])))
            assert found[0] == found[1].conj()

    def test_what_annex_g_fixes(self):
        """Parts of results at infinities, which the C standard gives (C99, G.6)."""
        rows = [
            (at.exp, complex(-INF, INF), 0, 0), (at.exp, complex(INF, 0), INF, 0),
            (at.exp, complex(INF, INF), INF, NAN),
            (at.log, complex(INF, NAN), INF, NAN), (at.log, complex(-INF, 1), INF, np.pi), (at.log, 0j, -INF, 0),
            (at.sqrt, complex(NAN, INF), INF, INF), (at.sqrt, complex(-INF, 1), 0, INF),
            (at.sqrt, complex(INF, 1), INF, 0), (at.sinh, complex(INF, 0), INF, 0),
            (at.sinh, complex(0, NAN), 0, NAN), (at.cosh, complex(INF, 0), INF, 0), (at.tanh, complex(INF, 1), 1, 0),
        ]  # fmt: skip
        for function, value, re, im in rows:
            (found,) = ag.function([z], function(z))(np.array([value]))
            np.testing.assert_array_equal([abs(found.real), abs(found.imag)], np.abs([re, im]), f"{function} {value}")

    def test_a_sum_is_near_that_in_double_precision(self):
        values = np.random.default_rng(0).normal(size=(2, 10**6)).astype("f4")
        values = values[0] + 1j * values[1]
        c = at.cvector("c")
        assert abs(c.sum().eval({c: values}) - values.astype("c16").sum()) < 1e-2


class TestProducts:
    """Those that are large enough for a library."""

    @pytest.mark.parametrize("dtype", ["complex64", "complex128"])
    def test_matrices_in_any_order(self, rng, dtype):
        a, b = ((rng.normal(size=(40, 40)) + 1j * rng.normal(size=(40, 40))).astype(dtype) for _ in range(2))
        x, y = at.matrix("x", dtype), at.matrix("y", dtype)
        f = ag.function([x, y], [x @ y, x.T @ y.conj(), x + 2 * (x[::2].T @ y[1::2]), at.solve(x, y)])
        for p, q in ((a, b), (a.T, b[::-1]), (a[:30, 5:35:][:, ::-1], b[::-1, 3:33][10:])):
            wanted = p @ q, p.T @ q.conj(), p + 2 * (p[::2].T @ q[1::2]), np.linalg.solve(p, q)
            for made, value in zip(f(p, q), wanted, strict=True):
                np.testing.assert_allclose(made, value, rtol=0, atol=3e3 * np.finfo(dtype).eps * abs(value).max())
        assert "calls of gemm x3, solve" in f.explain()

    def test_which_products_conjugate(self, rng):
        """NumPy's vdot, vecdot and vecmat take the conjugate of their first operand, the others do not."""
        a, b = (rng.normal(size=(3, 3)) + 1j * rng.normal(size=(3, 3)) for _ in range(2))
        x, y = at.zmatrix("x"), at.zmatrix("y")
        for made, wanted in (
            (at.vdot(x, y), np.vdot(a, b)), (at.vecdot(x, y), (a.conj() * b).sum(1)),
            (at.vecmat(x[0], y), a[0].conj() @ b), (at.matvec(x, y[0]), a @ b[0]), (at.inner(x, y), np.inner(a, b)),
        ):  # fmt: skip
            np.testing.assert_allclose(made.eval({x: a, y: b}), wanted, rtol=1e-12)

    def test_batches(self, rng):
        a, b = (rng.normal(size=(3, 9, 9)) + 1j * rng.normal(size=(3, 9, 9)) for _ in range(2))
        x, y = at.ztensor3("x"), at.ztensor3("y")
        np.testing.assert_allclose((x.mT @ y).eval({x: a, y: b}), a.swapaxes(1, 2) @ b, rtol=1e-12)


class TestDerivatives:
    """The gradient by a complex variable is that by its real part plus i times that by its imaginary part."""

    def test_direction_of_steepest_ascent(self):
        np.testing.assert_allclose(ag.grad((abs(z) ** 2).sum(), z).eval({z: Z}), 2 * Z)
        np.testing.assert_allclose(ag.grad(z.real.sum(), z).eval({z: Z}), np.ones(4))
        np.testing.assert_allclose(ag.grad(z.imag.sum(), z).eval({z: Z}), 1j * np.ones(4))

    def test_holomorphic_functions(self):
        """vjp multiplies with the conjugate of the derivative, jvp with the derivative."""
        slope, ones = np.exp(Z), np.ones(4, complex)
        np.testing.assert_allclose(ag.jvp(at.exp(z), z, ones).eval({z: Z}), slope)
        np.testing.assert_allclose(ag.vjp(at.exp(z), z, ones).eval({z: Z}), slope.conj())

    def test_adjoint_under_the_real_inner_product(self, rng):
        a, b = (rng.normal(size=4) + 1j * rng.normal(size=4) for _ in range(2))
        y = at.sin(z) * z.conj() + abs(z) * z.imag
        forward, backward = ag.jvp(y, z, a).eval({z: Z}), ag.vjp(y, z, b).eval({z: Z})
        np.testing.assert_allclose(np.vdot(b, forward).real, np.vdot(backward, a).real, rtol=1e-13)

    def test_real_variables_have_real_gradients(self):
        g = ag.grad(abs(at.exp(1j * x) + x).sum(), x)
        assert g.dtype == "float64"
        ag.verify_grad(lambda x: abs(at.exp(1j * x) + x), [np.array([0.3, 2.0])])

    def test_absolute_value_at_zero(self):
        assert ag.grad(abs(z).sum(), z).eval({z: [0j]}) == 0

    def test_descent(self):
        """A fit of a complex exponential by gradient descent comes to its parameters."""
        t = np.linspace(0, 1, 50)
        rate = ag.shared(0.5 + 2.5j, "rate")
        cost = (abs(at.exp(rate * t) - np.exp((0.2 + 3j) * t)) ** 2).mean()
        step = ag.function([], cost, updates={rate: rate - 0.5 * ag.grad(cost, rate)})
        for _ in range(300):
            step()
        np.testing.assert_allclose(rate.get_value(), 0.2 + 3j, rtol=1e-6)
