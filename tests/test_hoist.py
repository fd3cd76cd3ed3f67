"""What leaves loops: the products that are left in a step, and how their operands lie in memory."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.graph import Graph
from agnesi.ir.op import OPS
from agnesi.ir.variable import as_node
from agnesi.schedule.hoist import hoist, is_turned

contract = OPS["contract"]
N, WIDTH = 4, 6
x, w, u = at.tensor3("x"), at.matrix("w"), at.matrix("u")


def steps_products(output):
    """The products in steps of the loops of an expression, after hoisting, and the arguments of these loops."""
    graph = hoist(Graph([as_node(v) for v in (x, w, u)], [as_node(output)]))
    assert not any(is_turned(a) for n in graph.order if n.op is contract for a in n.args)
    loops = {n["loop"]: n.args for n in graph.order if n.op.name == "loop"}
    products = [n for loop in loops for n in loop.body.order if n.op is contract]
    return products, [a for args in loops.values() for a in args]


@pytest.mark.parametrize(("turned", "copies"), [(False, 0), (True, 1)])
def test_matrices_are_turned_before_the_loop(turned, copies):
    """Products read the matrix that is the same in every step row by row."""
    h, _ = ag.scan(lambda row, h: at.tanh(row + h @ (u.T if turned else u)), x, outputs_info=at.zeros(x.shape[1:]))
    products, given = steps_products(h[-1])
    assert [p["labels"][-1] == p["labels"].split("->")[0][-1] for p in products] == [True]
    assert sum(a.op.name == "copy" for a in given) == copies


def test_gradients_of_recurrent_networks():
    """The forward product as it is, the backward one by the turned matrix, all others outside of the loops."""
    h, _ = ag.scan(lambda row, h: at.tanh(row @ w + h @ u), x, outputs_info=at.zeros((x.shape[1], u.shape[0])))
    cost = (h[-1] ** 2).sum()
    gradient = ag.grad(cost, u)
    products, given = steps_products(gradient)
    assert all(p["labels"][-1] == p["labels"].split("->")[0][-1] for p in products)
    assert len(products) == 2
    assert sum(a.op.name == "copy" for a in given) == 1
    rng = np.random.default_rng(0)
    arrays = rng.normal(size=(5, 2, 3)), rng.normal(size=(3, WIDTH)), rng.normal(size=(WIDTH, WIDTH))
    found = ag.function([x, w, u], gradient)(*arrays)
    f, step = ag.function([x, w, u], cost), 1e-6
    direction = rng.normal(size=(WIDTH, WIDTH))
    slope = (f(*arrays[:2], arrays[2] + step * direction) - f(*arrays[:2], arrays[2] - step * direction)) / (2 * step)
    np.testing.assert_allclose((found * direction).sum(), slope, rtol=1e-6)
