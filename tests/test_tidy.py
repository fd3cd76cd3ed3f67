"""Statements made tidy: where names end up."""

from __future__ import annotations

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir.node import const, dim_node, index, load, symbol, temp
from agnesi.loops.stmt import For, Let, Store
from agnesi.loops.tidy import tidy

ROW, N = index(0), symbol("n")
LAST = load("x", "float64", (N - 1,))
V, W = temp("v", "float64"), temp("w", "float64")


def loop(value, buffer="y"):
    return For(ROW, N, (Store(buffer, (ROW,), value),))


def test_loads_that_only_loops_need_are_in_them():
    """With n = 0 there is no last element."""
    assert tidy([Let(V, LAST), loop(V * 2)]) == [loop(LAST * 2)]
    first, second = tidy([Let(V, LAST), Let(W, V + 1), loop(W * W), loop(V * W, "z")])
    for found in (first, second):
        assert isinstance(found, For)
        assert isinstance(found.body[0], Let)
        assert found.body[0].value.op.name in ("load", "add")


def test_other_loads_stay():
    kept = Let(V, LAST)
    outside = [kept, Store("z", (dim_node(0),), V + 0.0), loop(V * V)]
    assert tidy(outside)[0] == kept  # the store needs it in any case
    changed = [kept, loop(const(1.0, "float64"), "x"), loop(V * V)]
    assert kept in tidy(changed)  # the first loop changes what is loaded
    assert tidy([Let(V, load("x", "float64", ())), loop(V * V)])[0] == Let(V, load("x", "float64", ()))


def test_sizes_assumed_by_way_of_a_late_one_are_checked_at_entry():
    a, b, v = at.vectors("a", "b", "v")
    kept = v[v > 0]
    f = ag.function([a, b, v], (a + kept) * b)
    assert "in0_d0 != in1_d0" in f.text or "in1_d0 != in0_d0" in f.text
    assert f(np.ones(2), np.full(1, 2.0), [3.0, -1.0, 4.0]).tolist() == [8, 10]
