"""Loops in loops: threads share batches of products that fill memory of their own, and long loops in steps."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir import dims
from agnesi.ir.node import dim_node, index, symbol
from agnesi.loops.regions import has_own_region, is_multiple, moved_by
from agnesi.loops.stmt import For, View

RNG = np.random.default_rng(0)
SIZES = {"a": 3, "b": 4, "i": 5, "j": 6, "k": 7, "q": 2}

SHARED = ["bij,bjk->bik", "abij,abjk->abik", "bqij,bqkj->bqik", "aij,bjk->abik", "abij,bjk->abik", "bqai,bkai->baqk"]
OTHERS = ["baqk,bkai->bqai", "ij,jk->ik", "abi,aik->bak", "bij,bij->b", "aij,ajk->ik", "biaj,bajk->bik"]


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
@pytest.mark.parametrize("labels", [*SHARED, *OTHERS])
def test_values_are_the_same_for_all_threads(labels, mode):
    terms = labels.partition("->")[0].split(",")
    x, y = (at.tensor(name, dtype="float64", shape=(None,) * len(t)) for name, t in zip("xy", terms, strict=True))
    given = [RNG.normal(size=[SIZES[k] for k in t]) for t in terms]
    with ag.config.change(worth=1):
        results = [ag.function([x, y], at.einsum(labels, x, y), mode=mode, threads=t)(*given) for t in (1, 2, 4)]
    np.testing.assert_allclose(results[0], np.einsum(labels, *given), rtol=1e-12, atol=1e-12)
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])


@pytest.mark.parametrize("labels", SHARED)
def test_batches_are_shared(labels):
    terms = labels.partition("->")[0].split(",")
    x, y = (at.tensor(name, dtype="float64", shape=(None,) * len(t)) for name, t in zip("xy", terms, strict=True))
    f = ag.function([x, y], at.einsum(labels, x, y))
    assert any(reason == "shared" for nest in f.compiled().program.nests for reason in nest.threads)


def test_products_into_one_place_are_added_up_in_parts():
    """A sum over pairs of axes that are not neighbours adds up products."""
    x, y = at.tensor4("x"), at.tensor4("y")
    f = ag.function([x, y], at.einsum("iajb,jabk->ik", x, y))
    reasons = {reason for nest in f.compiled().program.nests for reason in nest.threads}
    assert "shared, with out0 of each part joined afterwards" in reasons
    given = RNG.normal(size=(30, 4, 60, 50)), RNG.normal(size=(60, 4, 50, 40))
    found = [f(*given, threads=threads) for threads in (1, 2, 4)]
    np.testing.assert_allclose(found[0], np.einsum("iajb,jabk->ik", *given, optimize=True), rtol=1e-9, atol=1e-9)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


def test_steps_without_states_are_shared():
    """A step that leaves nothing to the next one is an iteration like others, products included."""
    x, w = at.tensor3("x"), at.matrix("w")
    f = ag.function([x, w], ag.map(lambda m, w: m @ (w @ m), [x], [w])[0], threads=2)
    given = RNG.normal(size=(9, 4, 4)), RNG.normal(size=(4, 4))
    np.testing.assert_allclose(f(*given), given[0] @ (given[1] @ given[0]), rtol=1e-12)


def test_few_large_products():
    """One product at a time, by all threads; many, one on each."""
    x, y = at.ftensor3("x"), at.ftensor3("y")
    f = ag.function([x, y], x @ y, threads=4)
    for count in (0, 1, 2, 3, 4, 9):
        given = [RNG.normal(size=(count, 90, 90)).astype("float32") for _ in range(2)]
        np.testing.assert_array_equal(f(*given), f(*given, threads=1))
        np.testing.assert_allclose(f(*given), given[0] @ given[1], rtol=1e-3, atol=1e-4)


def heat(u):
    """A step of diffusion, with the sum of what there is."""
    around = u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]
    return at.set_subtensor(u[1:-1, 1:-1], u[1:-1, 1:-1] + 0.1 * around)


def total(u, t):
    """A state and a sum of it, which scales the next one."""
    return at.tanh(u) / (1 + t), (u * u).sum()


def pairs(u):
    """Products for each pair of matrices in the state."""
    return at.tanh(u.transpose(0, 2, 1) @ u / 9)


STEPS = {
    "heat": ((40, 50), lambda u: ag.scan(heat, outputs_info=u, n_steps=9)[0][-1]),
    "all states": ((40, 50), lambda u: ag.scan(heat, outputs_info=u, n_steps=9)[0]),
    "sums": ((300,), lambda u: ag.scan(total, outputs_info=[u, at.constant(0.5)], n_steps=9)[0]),
    "gradient": ((300,), lambda u: ag.grad(
        ag.scan(total, outputs_info=[u, at.constant(0.5)], n_steps=9)[0][0][-1].sum(), u)),
    "products": ((12, 6, 6), lambda u: ag.scan(pairs, outputs_info=u, n_steps=4)[0][-1]),
    "until": ((300,), lambda u: ag.scan(
        lambda u: (u * 0.5 + 0.1, ag.until((u * u).sum() < 80)), outputs_info=u, n_steps=50)[0][-1]),
    "sorts": ((30, 20), lambda u: ag.scan(lambda u: at.sort(at.sin(3 * u), axis=1), outputs_info=u, n_steps=3)[0][-1]),
    "systems": ((9, 6, 6), lambda u: ag.scan(
        lambda u: at.solve(u[0] + 9 * at.eye(6), u.sum(0)) * u, outputs_info=u, n_steps=3)[0][-1]),
    "a branch": ((300,), lambda u: ag.ifelse(u.sum() < 1e3, ag.scan(
        lambda h: h * 0.5 + u[: (u > 0).sum()].sum(), outputs_info=u * 2, n_steps=6)[0][-1], u)),
    "loops in loops": ((20, 30), lambda u: ag.scan(
        lambda u: ag.scan(heat, outputs_info=u, n_steps=3)[0][-1] * 1.5, outputs_info=u, n_steps=4)[0][-1]),
}  # fmt: skip


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
@pytest.mark.parametrize("name", STEPS)
def test_long_loops_in_steps(name, mode):
    shape, build = STEPS[name]
    u = at.tensor("u", dtype="float64", shape=(None,) * len(shape))
    given = np.random.default_rng(1).normal(size=shape)
    with ag.config.change(worth=500):
        f = ag.function([u], build(u), mode=mode)
        results = [f(given, threads=t) for t in (1, 2, 4)] if mode == "fast_run" else [f(given)]
    results.append(ag.function([u], build(u), mode="reference")(given))
    lists = [r if isinstance(r, list) else [r] for r in results]
    for result in lists[:-1]:
        for found, same, expected in zip(result, lists[0], lists[-1], strict=True):
            np.testing.assert_array_equal(found, same)
            np.testing.assert_allclose(found, expected, rtol=1e-11, atol=1e-12)


def test_steps_say_what_is_shared():
    u = at.matrix("u")
    f = ag.function([u], ag.scan(heat, outputs_info=u, n_steps=9)[0][-1])
    assert "the loops in it are, where they are long" in " ".join(f.explain().split())
    few = ag.function([u], ag.scan(heat, outputs_info=at.specify_shape(u, (9, 9)), n_steps=9)[0][-1])
    assert "the loops in it are" not in few.explain()


def test_an_error_in_a_shared_loop_of_a_step():
    """The step that fails first says so, whatever others do; nothing is written."""
    u, k = at.vector("u"), at.lvector("k")
    places = np.arange(400)[::-1].copy()
    values = np.random.default_rng(0).normal(size=400)
    with ag.config.change(worth=500):
        f = ag.function([u, k], ag.scan(lambda u, k: u[k] * 1.5, outputs_info=u, non_sequences=k, n_steps=5)[0][-1])
        np.testing.assert_allclose(f(values, places, threads=4), values[::-1] * 1.5**5, rtol=1e-13)
        places[77] = 400
        with pytest.raises(ag.errors.IndexOutOfRange, match="400"):
            f(values, places, threads=4)


N, M, K = (symbol(name) for name in "nmk")


def loops(*extents):
    """Loops of these extents, the innermost first."""
    return [For(index(level), e, ()) for level, e in reversed(list(enumerate(extents)))]


def test_regions():
    """Whether a matrix is apart from itself, against all places that it covers."""
    outer, inner = index(0), index(1)
    nk = dims.mul(N, K)
    rows = View("c", dim_node(dims.mul(outer, nk)), (N, K), (K, 1))
    assert has_own_region(rows, loops(M), set())
    turned = View("c", dim_node(dims.mul(outer, K)), (N, K), (dims.mul(M, K), 1))
    assert has_own_region(turned, loops(M), set())
    assert not has_own_region(turned, loops(dims.mul(M, 2)), set())
    first = View("c", dim_node(dims.add(dims.mul(outer, nk), dims.mul(inner, dims.mul(M, nk)))), (N, K), (K, 1))
    assert has_own_region(first, loops(M, N), set())
    assert not has_own_region(first, loops(N, N), set())
    both = View("c", dim_node(dims.add(dims.mul(outer, dims.mul(M, nk)), dims.mul(inner, nk))), (N, K), (K, 1))
    assert has_own_region(both, loops(N, M), set())
    assert not has_own_region(both, loops(N, dims.mul(M, 2)), set())
    still = View("c", dim_node(dims.mul(inner, nk)), (N, K), (K, 1))
    assert not has_own_region(still, loops(N, M), set())


def test_what_is_said_to_be_apart_is_apart():
    """Random strides and sizes, small enough to look at every place."""
    said = 0
    for strides in itertools.product((0, 1, 2, 4, 6, 12, 24), repeat=2):
        for m, n, step in itertools.product((1, 2, 3), (1, 2, 4), (2, 4)):
            outer, inner = index(0), index(1)
            offset = dims.add(dims.mul(outer, strides[0]), dims.mul(inner, strides[1]))
            view = View("c", dim_node(offset), (m, n), (max(step, n), 1))
            if not has_own_region(view, loops(3, 2), set()):
                continue
            said += 1
            covered = [
                {o * strides[0] + i * strides[1] + r * max(step, n) + c
                 for i in range(2) for r in range(m) for c in range(n)}
                for o in range(3)
            ]  # fmt: skip
            assert not any(a & b for a, b in itertools.combinations(covered, 2)), (strides, m, n, step)
    assert said > 20


def test_steps_of_an_offset():
    i = index(0)
    assert moved_by(dim_node(dims.add(dims.mul(i, 3), 5)), i, set()) == 3
    step = moved_by(dim_node(dims.mul(i, dims.mul(N, M))), i, set())
    assert is_multiple(step, dims.mul(N, M))
    assert is_multiple(dims.mul(N, M), step)
    assert moved_by(dim_node(dims.mul(i, i)), i, set()) is None
    assert moved_by(dim_node(N), i, set()) == 0
    assert is_multiple(dims.mul(N, 6), dims.mul(N, 3))
    assert not is_multiple(dims.mul(N, 6), dims.mul(M, 3))
    assert not is_multiple(dims.mul(N, 6), 0)
