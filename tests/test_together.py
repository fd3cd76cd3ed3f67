"""Loops of steps that need nothing of each other are carried out at the same time, with the same results and errors."""

from __future__ import annotations

import os
import re
import signal
import threading
import time

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import IndexOutOfRange, VerificationError
from agnesi.loops.check import verify
from agnesi.loops.stmt import Together
from agnesi.pipeline import compile_graph
from test_loops import copying, made

RNG = np.random.default_rng(0)
xs, w, u = at.tensor3("xs"), at.matrix("w"), at.matrix("u")
x, k = at.vector("x"), at.lvector("k")
GIVEN = [RNG.normal(size=(40, 3, 20)), RNG.normal(size=(20, 20)) / 5, RNG.normal(size=(20, 20)) / 5]


@pytest.fixture(autouse=True)
def small_loops(tmp_path):
    """Loops are shared from little work on, but not the steps of these."""
    with ag.config.change(worth=5_000, cache_dir=str(tmp_path)):
        yield


def states(inputs, weights):
    """A recurrent network."""
    first = at.zeros((inputs.shape[1], inputs.shape[2]))
    return ag.scan(lambda row, h: at.tanh(row + h @ weights), sequences=[inputs], outputs_info=[first])[0]


def both_ways():
    """Both directions of a network, and gradients."""
    cost = ((states(xs, w) + states(xs[::-1], u)[::-1]) ** 2).sum()
    return [cost, *ag.grad(cost, [xs, w, u])]


def sums(rows):
    """Running sums of rows, a loop for each."""
    return [ag.scan(lambda a, s: s + a * s, sequences=[row], outputs_info=[at.constant(1.0)])[0] for row in rows]


def groups(graph):
    """How many nests each group has."""
    return [g.count for g in compile_graph(graph).program.together]


@pytest.mark.parametrize("mode", ["fast_run", "debug"])
def test_two_directions(mode):
    f = ag.function([xs, w, u], both_ways(), mode=mode)
    assert len(re.findall(r"at the same time as nest\d+, where steps are short", " ".join(f.explain().split()))) == 4
    results = [f(*GIVEN, threads=t) for t in (1, 2, 3, 4)] if mode == "fast_run" else [f(*GIVEN)]
    for found in results[1:]:
        assert [a.tobytes() for a in found] == [a.tobytes() for a in results[0]]
    wanted = ag.function([xs, w, u], both_ways(), mode="reference")(*GIVEN)
    for found, expected in zip(results[0], wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_several_of_them():
    rows = [x, x * 2, x * x, -x, x / 2]
    f = ag.function([x], sums(rows))
    assert groups(f.graph) == [5]
    given = RNG.normal(size=4_000) / 100
    wanted = [np.cumprod(1 + row) for row in (given, given * 2, given * given, -given, given / 2)]
    for threads in (1, 2, 4):
        for found, expected in zip(f(given, threads=threads), wanted, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_what_needs_the_other_waits():
    """The second loop reads the states of the first one."""
    (first,) = sums([x])
    (second,) = sums([first / 1000])
    assert groups(ag.function([x], second).graph) == []
    (third,) = sums([x + 1])
    f = ag.function([x], [second, third])
    assert groups(f.graph) == [2]
    given = RNG.normal(size=300) / 100
    wanted = np.cumprod(1 + np.cumprod(1 + given) / 1000), np.cumprod(2 + given)
    for found, expected in zip(f(given), wanted, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_long_steps_are_shared_themselves():
    f = ag.function([xs, w, u], both_ways())
    given = [RNG.normal(size=(3, 60, 60)), RNG.normal(size=(60, 60)), RNG.normal(size=(60, 60))]
    one, two = (f(*given, threads=t) for t in (1, 2))
    assert [a.tobytes() for a in one] == [a.tobytes() for a in two]
    assert re.search(r"if \(call->pool->threads > 1 && .* < call->pool->worth\)", f.text)


def test_no_elements():
    f = ag.function([x], sums([x, x + 1]))
    assert [a.shape for a in f(np.zeros(0), threads=2)] == [(0,), (0,)]


def picked():
    """Two loops that look up elements."""
    first = ag.scan(lambda i, s: s + x[i], sequences=[k], outputs_info=[at.constant(0.0)])[0]
    second = ag.scan(lambda i, s: s * x[i], sequences=[k[::-1]], outputs_info=[at.constant(1.0)])[0]
    return first, second


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_errors_are_those_of_the_first(threads):
    f = ag.function([x, k], list(picked()), threads=threads)
    assert groups(f.graph) == [2]
    places = np.zeros(5_000, np.int64)
    places[[100, 4_000]] = 77, 88
    for _ in range(10):
        with pytest.raises(IndexOutOfRange, match="77"):
            f(np.ones(5), places)


@pytest.mark.parametrize("threads", [1, 2])
def test_shared_variables_stay(threads):
    s = ag.shared(np.ones(6_000), "s")
    first, second = picked()
    f = ag.function([x, k], second[-1], updates={s: first + s}, threads=threads)
    places = np.zeros(6_000, np.int64)
    places[50] = 9
    with pytest.raises(IndexOutOfRange, match="9"):
        f(np.ones(5), places)
    assert (s.get_value() == 1).all()
    f(np.ones(5), places * 0)
    assert (s.get_value() == np.arange(2, 6_002)).all()


def test_interrupts():
    """Ctrl-C ends both loops, and other threads of Python go on meanwhile."""
    f = ag.function([x], [s[-1] for s in sums([x, x * 2])], threads=2)
    given = np.zeros(200_000_000)
    old = signal.signal(signal.SIGINT, signal.default_int_handler)
    seen = []

    def other():
        time.sleep(0.1)
        seen.append(1)
        os.kill(os.getpid(), signal.SIGINT)

    try:
        beside = threading.Thread(target=other)
        beside.start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            f(given)  # takes a second or more
        assert time.monotonic() - start < 10
        beside.join()
        assert seen
    finally:
        signal.signal(signal.SIGINT, old)


def test_the_verifier_looks_at_memory():
    program = made([copying()], [copying()])
    verify(program)
    program.together.append(Together(0, 2, 100, ()))
    with pytest.raises(VerificationError, match="same memory"):
        verify(program)
