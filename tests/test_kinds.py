"""Which loops are plain enough for vector lanes."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.node import dim_node, index
from agnesi.loops.parallel import differ
from agnesi.loops.stmt import For, walk
from agnesi.ops import elementwise as ew
from agnesi.pipeline import compile_graph


def test_integers_that_differ():
    i, j, two = index(0), index(1), dim_node(2)
    assert differ(i, i + 1)
    assert differ(ew.mod(i, two), ew.mod(i + 1, two))
    assert not differ(ew.mod(i, two), ew.mod(i + 2, two))
    assert not differ(i, j)
    assert not differ(ew.mod(i, two), ew.mod(j + 1, two))


@pytest.mark.parametrize("step", [lambda h, a: at.tanh(h * a), lambda h, a: h[::-1] * a + h], ids=["same", "turned"])
def test_states_in_a_ring_are_no_hindrance(step):
    """A step reads one slot and writes another, so that its inner loop is plain enough for vector lanes."""
    x, a = at.vector("x"), at.vector("a")
    steps, _ = ag.scan(step, None, x, [a], n_steps=40)
    program = compile_graph(ag.Graph([x.node, a.node], [steps[-1].node])).program
    loops = [s for nest in program.nests for s in walk(nest.body) if isinstance(s, For) and s.index["level"] == 1]
    assert [s.kind for s in loops] == ["simd"]


def test_one_slot_is_one():
    """Where a row reads elements of the row before that it overwrites, order matters."""
    x = at.vector("x")
    steps, _ = ag.scan(lambda h: at.cumsum(h) / 2, None, x, n_steps=3)
    f = ag.function([x], steps[-1])
    np.testing.assert_allclose(f(np.ones(4)), [1 / 8, 4 / 8, 10 / 8, 20 / 8])
