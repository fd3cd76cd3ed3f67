"""Random loops: a seed gives a step, sequences, states with taps and a gradient; reference, statements and C agree."""

from __future__ import annotations

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at

BATCH = 25
QUICK, ALL = 2, 20  # batches: 50 loops in every run, 500 in the long one


STEPS = [
    lambda a, b: at.tanh(a + b), lambda a, b: a * b / 2, lambda a, b: at.where(a > b, a, b / 3),
    lambda a, b: at.sin(a) - b, lambda a, b: a / (1 + b * b), lambda a, b: at.maximum(a, b) / 2,
    lambda a, b: at.sigmoid(a) * b,
]  # fmt: skip

MOVES = [  # a part of a value set or added to, one read backwards, another order, running sums
    lambda new, old: old[0].set(new[-1]), lambda new, old: old[-1].inc(new[0]), lambda new, old: new - old[::-1],
    lambda new, old: at.tanh(old - new).cumsum(0) / 4, lambda new, old: at.sort(old, axis=0) / 2,
]  # fmt: skip


def grown(rng, leaves, operations):
    """A value over some leaves; all have the shape of rows, or are scalars."""
    values = list(leaves)
    for _ in range(operations):
        a, b = (values[k] for k in rng.integers(len(values), size=2))
        values.append(STEPS[rng.integers(len(STEPS))](a, b))
    return at.tanh(sum(values[len(leaves) :], values[0])) * 0.9


def sample(seed):
    """Inputs, outputs and arrays of one random function with a loop, maybe two, one inside the other."""
    rng = np.random.default_rng(seed)
    rank = int(rng.integers(3))
    shape = (3, 2)[:rank]
    steps = int(rng.choice([0, 1, 2, 5, 9]))
    x = at.tensor("x", "float64", (None,) * (rank + 1))
    taps = [int(t) for t in rng.choice([-2, -1, 0, 1], size=rng.integers(1, 3), replace=False)]
    spread = max(0, *taps) - min(0, *taps)
    depths = [int(d) for d in rng.integers(1, 4, size=rng.integers(0, 3))]
    inputs, arrays = [x], [rng.normal(size=(steps + spread, *shape))]
    infos = []
    for k, depth in enumerate(depths):
        first = at.tensor(f"h{k}", "float64", (None,) * (rank + 1))
        inputs.append(first)
        arrays.append(rng.normal(size=(depth, *shape)))
        back = sorted({-depth, *(-int(t) for t in rng.integers(1, depth + 1, size=2))})
        infos.append({"initial": first if back != [-1] else first[0], "taps": back})
    w = at.matrix("w") if rank and rng.integers(2) else None
    if w is not None:
        inputs.append(w)
        arrays.append(rng.normal(size=(shape[-1], shape[-1])) / 2)
    free = at.tensor("c", "float64", (None,) * rank)
    inputs.append(free)
    arrays.append(rng.normal(size=shape))
    outputs = len(depths) + int(rng.integers(2))
    nested = rng.integers(4) == 0

    def step(*args):
        leaves = [*args, free]
        if w is not None:
            leaves[0] = leaves[0] @ w
        if w is not None and depths:
            leaves[-2] = leaves[-2] @ w
        if nested:
            inner = grown(rng, leaves, 2)
            leaves.append(ag.scan(lambda v: at.tanh(v * 0.5 + inner), outputs_info=leaves[0], n_steps=2)[0][-1])
        made = [grown(rng, leaves, int(rng.integers(1, 5))) for _ in range(max(1, outputs))]
        if seed % 3 == 1:  # a branch in the step
            made[-1] = ag.ifelse(leaves[0].sum() > 0, made[-1], at.cos(leaves[-1] * made[0]))
        if rank and seed % 2 and depths:  # the next value of a state lies in the place of the one before, or cannot
            which, move = np.random.default_rng([seed, 1]).integers([len(depths), len(MOVES)])
            made[which] = MOVES[move](made[which], args[len(taps)])
        return made

    infos += [None] * (max(1, outputs) - len(infos))
    found, _ = ag.scan(step, {"input": x, "taps": taps}, infos, return_list=True, go_backwards=bool(rng.integers(2)))
    results = [*found]
    if seed % 3 == 0:  # a branch around the loop, or beside it
        found[0] = ag.ifelse(free.sum() > 0, at.sin(found[0]) * free, found[0] / 2)
        results.append(found[0])
    if rng.integers(2) and steps:
        cost = sum((o[-1] if rng.integers(2) else o * o).sum() for o in found)
        results += [g for g in ag.grad(cost, inputs, disconnected_inputs="ignore") if g is not None]
    return inputs, results, arrays


def check(seed, mode):
    inputs, outputs, arrays = sample(seed)
    wanted = ag.function(inputs, outputs, mode="reference", on_unused_input="ignore")(*arrays)
    found = ag.function(inputs, outputs, mode=mode, on_unused_input="ignore")(*arrays)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10, err_msg=f"seed {seed}")


@pytest.mark.parametrize("batch", range(QUICK))
def test_loops_agree(batch):
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        check(seed, "debug" if seed % 5 == 0 else "fast_run")


@pytest.mark.parametrize("seed", [2, 220, 224, 248])
def test_loops_that_once_failed(seed):
    """A call's result taken for free memory; sizes with many readers kept in a buffer, too late for a loop that needs
    them; sizes named in a step; scalars of the graph around as sizes."""
    check(seed, "debug")


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(QUICK, ALL))
def test_more_loops_agree(batch):
    for seed in range(BATCH * batch, BATCH * (batch + 1)):
        check(seed, "debug" if seed % 2 == 0 else "fast_run")
