"""Where the states of loops lie: a ring of as many values as are read, or of one more where a step needs both."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.loops.stmt import For

x, w, keys = at.vector("x"), at.matrix("w"), at.lvector("keys")
ROWS = np.linspace(-1, 1, 5)
MATRIX = np.random.default_rng(0).normal(size=(5, 5)) / 3
KEYS = np.array([3, 0, 3, 1, -1, 2])

STEPS = {
    "elementwise": (1, lambda h, k: at.tanh(h) + k, lambda h, k: np.tanh(h) + k),
    "one element": (1, lambda h, k: h[k].set(2 * h[k] + 1), lambda h, k: h + np.eye(5)[k] * (h + 1)),
    "one from another": (1, lambda h, k: h[k].inc(h[0] + h[-1]), lambda h, k: h + np.eye(5)[k] * (h[0] + h[-1])),
    "a part from another": (2, lambda h, k: h[1:].set(h[:-1] + k), lambda h, k: np.r_[h[0], h[:-1] + k]),
    "backwards": (2, lambda h, k: h[::-1] + k, lambda h, k: h[::-1] + k),
    "by a sum": (1, lambda h, k: h - h.sum() + k, lambda h, k: h - h.sum() + k),
    "what was": (1, lambda h, k: h[0].set(k) + h.sum(), lambda h, k: np.r_[k, h[1:]] + h.sum()),
    "a product": (1, lambda h, k: h @ w + k, lambda h, k: h @ MATRIX + k),
    "a matrix": (2, lambda h, k: h @ w, lambda h, k: h @ MATRIX),
    "running sums": (1, lambda h, k: at.cumsum(h) / 2, lambda h, k: np.cumsum(h) / 2),
    "sorted": (2, lambda h, k: at.sort(h)[::-1] + k, lambda h, k: np.sort(h)[::-1] + k),
    "a branch": (
        1, lambda h, k: ag.ifelse(k > 0, at.tanh(h), h / 2), lambda h, k: np.tanh(h) if k > 0 else h / 2,
    ),
    "a branch that keeps": (
        1, lambda h, k: ag.ifelse(k > 0, h[k].inc(h[0]), h), lambda h, k: h + (k > 0) * np.eye(5)[k] * h[0],
    ),
    "a branch that turns": (
        2, lambda h, k: ag.ifelse(k > 0, h[::-1] / 2, h + 1), lambda h, k: h[::-1] / 2 if k > 0 else h + 1,
    ),
    "a loop": (
        1, lambda h, k: ag.fori(3, lambda i, g: at.tanh(g + g[0]), h),
        lambda h, k: [h := np.tanh(h + h[0]) for _ in range(3)][-1],
    ),
}  # fmt: skip


def rings(f):
    """How many values the rings of a compiled function hold."""
    program = f.compiled(0).program
    return [b.shape[0] for b in program.buffers.values() if b.name.startswith("work") and len(b.shape) == 2]


def test_one_element_is_one_store():
    """What a step keeps of a state is not copied."""
    h, _ = ag.scan(lambda k, h: h[k].set(2 * h[k] + 1), keys, outputs_info=x)
    body = ag.function([x, keys], h[-1]).compiled(0).program.nests[0].body
    (steps,) = [s for s in body if isinstance(s, For) and s.kind == "steps"]
    assert not any(isinstance(s, For) for s in steps.body)


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("mode", ["fast_run", "debug"])
def test_rings(name, mode):
    """The last value is right, and no step has more memory than it needs."""
    ring, step, expected = STEPS[name]
    h, _ = ag.scan(lambda k, h: step(h, k), keys, outputs_info=x)
    f = ag.function([x, w, keys], h[-1], mode=mode, on_unused_input="ignore")
    last = ROWS
    for key in KEYS:
        last = expected(last, key)
    np.testing.assert_allclose(f(ROWS, MATRIX, KEYS), last, rtol=1e-13)
    np.testing.assert_array_equal(f(ROWS, MATRIX, KEYS[:0]), ROWS)
    assert set(rings(f)) == {ring}


def test_of_more_values():
    """A step that reads the last two needs two, or three where it reads the earlier one after its place is taken."""
    for step, ring in [(lambda a, b: a - b / 2, 2), (lambda a, b: a[::-1] - b, 2), (lambda a, b: a - b[::-1], 3)]:
        first = {"initial": at.stack([x, 2 * x]), "taps": [-1, -2]}
        h, _ = ag.scan(step, outputs_info=first, n_steps=5)
        f = ag.function([x], h[-1], mode="debug")
        values = [ROWS, 2 * ROWS]
        for _ in range(5):
            values.append(step(values[-1], values[-2]))
        np.testing.assert_allclose(f(ROWS), values[-1], rtol=1e-13)
        assert rings(f) == [ring]


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
def test_until_nothing_changes(mode):
    """What ends a loop may compare the next value with the one before."""

    def step(h):
        new = at.cos(h)
        return new, ag.until(at.abs(new - h).max() < 1e-9)

    h, _ = ag.scan(step, outputs_info=x, n_steps=1000)
    f, count = ag.function([x], h[-1], mode=mode), ag.function([x], h.shape[0], mode=mode)
    value, steps = np.cos(ROWS), 1
    while np.abs(value - np.arccos(value)).max() >= 1e-9:
        value, steps = np.cos(value), steps + 1
    np.testing.assert_allclose(f(ROWS), value, rtol=1e-13)
    assert count(ROWS) == steps
    assert rings(f) == [1]


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
def test_branches_in_an_inner_loop(mode):
    """One row may take its value from what was where another row, on the other side of the branch, has been written."""
    flags, rows = at.vector("flags"), at.matrix("rows")

    def step(h):
        def sides(flag, row, own, other):
            return ag.ifelse(flag > 0, [own + row, row], [own, other + 1])

        return tuple(ag.map(sides, [flags, rows, h, h[::-1]])[0])

    (h, y), _ = ag.scan(step, outputs_info=[w, None], n_steps=3)
    f = ag.function([flags, rows, w], [h[-1], y[-1]], mode=mode)
    signs, given, value = np.array([1.0, -1, 1, -1]), MATRIX[:4], MATRIX[1:]
    for _ in range(3):
        positive = signs[:, None] > 0
        kept, value = np.where(positive, given, value[::-1] + 1), np.where(positive, value + given, value)
    found, beside = f(signs, given, MATRIX[1:])
    np.testing.assert_allclose(found, value, rtol=1e-13)
    np.testing.assert_allclose(beside, kept, rtol=1e-13)


def test_states_that_read_each_other():
    (a, b), _ = ag.scan(lambda a, b: (b - a, at.tanh(a)), outputs_info=[x, 2 * x], n_steps=4)
    f = ag.function([x], [a[-1], b[-1]], mode="debug")
    first, second = ROWS, 2 * ROWS
    for _ in range(4):
        first, second = second - first, np.tanh(first)
    np.testing.assert_allclose(f(ROWS), [first, second], rtol=1e-13)
