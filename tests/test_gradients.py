"""Derivatives as people ask for them: what is constant, known or disconnected, parts of graphs, edge cases."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import DisconnectedInputError, GradientError, ShapeError, TypeMismatch

x, y = at.vector("x"), at.vector("y")
s = at.scalar("s")
V = np.array([1.0, 2.0, 3.0])


def value(result, **given):
    by_name = {"x": x, "y": y, "s": s}
    return result.eval({by_name[k]: v for k, v in given.items()})


class TestWhatIsAsked:
    def test_constants(self):
        middle = x * x
        g = ag.grad((middle * x).sum(), x, consider_constant=[middle])
        np.testing.assert_allclose(value(g, x=V), V**2)

    def test_known_gradients(self):
        middle = x * x
        g = ag.grad(None, x, known_grads={middle: y})
        np.testing.assert_allclose(value(g, x=V, y=V + 1), 2 * V * (V + 1))
        both = ag.grad(x.sum(), x, known_grads={middle: 1.0})
        np.testing.assert_allclose(value(both, x=V), 2 * V + 1)
        with pytest.raises(ShapeError):
            value(g, x=V, y=V[:1])  # the gradient has the shape of what it is by

    def test_disconnected(self):
        cost = (x * x).sum()
        with pytest.raises(DisconnectedInputError, match="does not depend on y"):
            ag.grad(cost, y)
        assert value(ag.grad(cost, y, disconnected_inputs="ignore"), y=V).tolist() == [0, 0, 0]
        with pytest.warns(UserWarning, match="does not depend on y"):
            g = ag.grad(cost, [x, y], disconnected_inputs="warn")[1]
        assert value(g, y=V).tolist() == [0, 0, 0]
        with pytest.raises(ValueError, match="disconnected_inputs is"):
            ag.grad(cost, x, disconnected_inputs="maybe")
        with pytest.raises(DisconnectedInputError):
            ag.grad(ag.disconnected_grad(cost), x)
        with pytest.raises(DisconnectedInputError):
            ag.grad((x > 0).sum() * 1.0, x)

    def test_by_an_expression(self):
        middle = at.exp(x)
        np.testing.assert_allclose(value(ag.grad((middle**2).sum(), middle), x=V), 2 * np.exp(V))

    def test_twice_by_one(self):
        first, second = ag.grad((x**3).sum(), [x, x])
        assert first.node is second.node

    def test_no_slope_is_not_disconnected(self):
        for f in (at.sign, at.floor, lambda v: at.where(v > 0, 1.0, 0.0) + 0 * v):
            assert value(ag.grad(f(x).sum(), x), x=V).tolist() == [0, 0, 0]


class TestChangedOnTheWayBack:
    def test_values_are_the_same(self):
        for f in (ag.disconnected_grad, ag.zero_grad, lambda v: ag.grad_clip(v, -1, 1), lambda v: ag.grad_scale(v, 3)):
            compiled = ag.function([x], f(x) * 2)
            assert compiled(V).tolist() == [2, 4, 6]
            assert len(compiled.compiled(0).program.nests) == 1

    def test_both_modes(self):
        t = np.array([1.0, 0, -2])
        for f, back, along in (
            (lambda v: ag.zero_grad(v) + v, np.ones(3), t),
            (lambda v: ag.grad_clip(v**2, -1, 0.5), V, 2 * V * t),
            (lambda v: ag.grad_scale(v, -1.0) ** 2, -2 * V, -2 * V * t),
            (lambda v: ag.disconnected_grad(v) * v, V, V * t),
        ):
            np.testing.assert_allclose(value(ag.grad(f(x).sum(), x), x=V), back)
            np.testing.assert_allclose(value(ag.jvp(f(x), x, t), x=V), along)

    def test_they_are_about_floats(self):
        with pytest.raises(TypeMismatch, match="grad_clip is about derivatives"):
            ag.grad_clip(at.lvector(), 0, 1)


class TestCustom:
    rounded = staticmethod(ag.custom_gradient(at.rint, vjp=lambda xs, ys, gs: gs, jvp=lambda xs, ys, ts: ts))

    def test_derivatives_are_those_given(self):
        cost = (self.rounded(x) ** 2).sum()
        np.testing.assert_allclose(value(ag.grad(cost, x), x=V + 0.3), 2 * V)
        np.testing.assert_allclose(value(ag.jvp(self.rounded(x), x, V), x=V + 0.3), V)
        np.testing.assert_allclose(value(ag.hessian_vector_product(cost, x, V), x=V + 0.3), 2 * V)

    def test_several_outputs(self):
        seen = []

        def vjp(inputs, outputs, cotangents):
            seen.append((len(inputs), len(outputs), len(cotangents)))
            return [cotangents[0] + cotangents[1] * 10, None]

        f = ag.custom_gradient(lambda a, b: [a + b, a * b], vjp)
        first, second = f(x, y)
        assert value(first, x=V, y=V).tolist() == [2, 4, 6]
        assert value(second, x=V, y=V).tolist() == [1, 4, 9]
        gx, gy = ag.grad((first + 2 * second).sum(), [x, y], disconnected_inputs="ignore")
        assert value(gx, x=V, y=V).tolist() == [21, 21, 21]
        assert value(gy, y=V).tolist() == [0, 0, 0]
        assert set(seen) == {(2, 2, 2)}

    def test_any_sizes_and_constants(self):
        table = np.arange(12.0).reshape(3, 4)
        f = ag.custom_gradient(lambda a: a @ table, lambda xs, ys, gs: gs[0] @ table.T)
        m = at.matrix("m")
        compiled = ag.function([m], [f(m), ag.grad(f(m).sum(), m), f(m.T[:3].T)])
        given = np.ones((2, 3))
        found = compiled(given)
        np.testing.assert_allclose(found[0], given @ table)
        np.testing.assert_allclose(found[1], np.ones((2, 4)) @ table.T)

    def test_pickles(self):
        f = ag.function([x], [ag.custom_gradient(at.sin)(x) * V])
        np.testing.assert_allclose(pickle.loads(pickle.dumps(f))(V)[0], np.sin(V) * V)

    def test_errors(self):
        with pytest.raises(TypeMismatch, match="<lambda> uses y: .*not one of its arguments"):
            ag.custom_gradient(lambda a: a * y)(x)
        for wrong, message in (
            (lambda xs, ys, gs: [gs[0], gs[0]], "2 derivatives are given where 1 are needed"),
            (lambda xs, ys, gs: gs[0].sum(), "a derivative is float64.* where float64"),
        ):
            with pytest.raises(GradientError, match=message):
                ag.grad(ag.custom_gradient(at.sin, wrong)(x).sum(), x)
        with pytest.raises(TypeMismatch, match="takes 1 arguments, not 2"):
            ag.OpFromGraph([x], [x * 2])(x, x)


class TestParts:
    def test_parts_together_are_the_whole(self):
        w, v = at.vector("w"), at.vector("v")
        hidden = at.tanh(x * w)
        cost = ((hidden * v) ** 2).sum()
        (gv,), (ghidden,) = ag.subgraph_grad([v], [hidden], cost=cost)
        (gw,), (gx,) = ag.subgraph_grad([w], [x], start={hidden: ghidden})
        whole = ag.grad(cost, [v, w, x])
        found = ag.function([x, w, v], [gv, gw, gx, *whole])(V, V / 3, V - 1)
        for a, b in zip(found[:3], found[3:], strict=True):
            np.testing.assert_allclose(a, b)

    def test_something_to_start_from(self):
        with pytest.raises(GradientError, match="needs start, cost or both"):
            ag.subgraph_grad([x], [])


# What mathematics leaves open or is finite only in the limit: the expression, the point, the gradient.
EDGES = {
    "where": (lambda a: at.where(a > 0, at.sqrt(a), 0.0), 0.0, 0.0),
    "where of a where": (lambda a: at.where(a > 0, at.where(a > 1, at.log(a - 1), a), 0.0), 1.0, 1.0),
    "maximum at a tie": (lambda a: at.maximum(a, 1.0), 1.0, 0.5),
    "minimum at a tie": (lambda a: at.minimum(a, 1.0), 1.0, 0.5),
    "clip inside": (lambda a: at.clip(a, 0.0, 2.0), 1.0, 1.0),
    "clip outside": (lambda a: at.clip(a, 0.0, 2.0), 3.0, 0.0),
    "abs": (lambda a: abs(a), 0.0, 0.0),
    "hypot": (lambda a: at.hypot(a, 0.0), 0.0, 0.0),
    "square": (lambda a: a**2, 0.0, 0.0),
    "first power": (lambda a: a**1, 0.0, 1.0),
    "power 0": (lambda a: a**0, 0.0, 0.0),
    "cube of a negative": (lambda a: a**3, -2.0, 12.0),
    "x log x": (lambda a: at.where(a > 0, a * at.log(at.where(a > 0, a, 1.0)), 0.0), 0.0, 0.0),
    "sign": (lambda a: at.sign(a), 0.0, 0.0),
    "sigmoid far left": (lambda a: at.log(at.sigmoid(a)), -1000.0, 1.0),
    "softplus far right": (lambda a: at.log(1 + at.exp(a)), 1000.0, 1.0),
}
EDGES_OF_VECTORS = {
    "prod with a zero": (lambda a: a.prod(), [2.0, 0.0, 3.0], [0.0, 6.0, 0.0]),
    "prod with two zeros": (lambda a: a.prod(), [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]),
    "cumprod with a zero": (lambda a: a.cumprod().sum(), [2.0, 0.0, 3.0], [1.0, 8.0, 0.0]),
    "max at ties": (lambda a: a.max(), [2.0, 2.0, 1.0], [0.5, 0.5, 0.0]),
    "min at ties": (lambda a: a.min(), [2.0, 1.0, 1.0], [0.0, 0.5, 0.5]),
    "logsumexp with -inf": (lambda a: at.logsumexp(a), [-np.inf, 0.0, 0.0], [0.0, 0.5, 0.5]),
    "softmax with -inf": (lambda a: at.nnet.softmax(a)[1], [-np.inf, 0.0, 0.0], [0.0, 0.25, -0.25]),
    "masked": (lambda a: at.sqrt(a[a > 0]).sum(), [-1.0, 4.0, 0.0], [0.0, 0.25, 0.0]),
    "set": (lambda a: at.log(a[a <= 0].set(1.0)).sum(), [-1.0, 4.0, 0.0], [0.0, 0.25, 0.0]),
}


@pytest.mark.parametrize("name", EDGES)
def test_edges(name):
    f, point, wanted = EDGES[name]
    assert float(value(ag.grad(f(s), s), s=point)) == wanted
    assert float(value(ag.jvp(f(s), s, 1.0), s=point)) == wanted


@pytest.mark.parametrize("name", EDGES_OF_VECTORS)
def test_edges_of_vectors(name):
    f, point, wanted = EDGES_OF_VECTORS[name]
    np.testing.assert_allclose(value(ag.grad(f(x), x), x=point), wanted, rtol=1e-12)
    slopes = [float(value(ag.jvp(f(x), x, np.eye(3)[k]), x=point)) for k in range(3)]
    np.testing.assert_allclose(slopes, wanted, rtol=1e-12)
