"""Parts of compiled functions that others use again: a changed graph compiles what changed."""

from __future__ import annotations

import linecache
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.target import cache as cache_module
from agnesi.target.c import LEAST, divide
from agnesi.target.cache import Cache
from agnesi.target.nest import Function

RNG = np.random.default_rng(0)
X, W, V = RNG.normal(size=(5, 7)), RNG.normal(size=(7, 4)), RNG.normal(size=(4, 3))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(ag.config, "processors", lambda: 2)
    with ag.config.change(cache_dir=str(tmp_path)):
        yield tmp_path


def network(last):
    """Two layers with a softmax, which takes long to compile, and something after them."""
    x, w, v = at.matrices("x", "w", "v")
    hidden = at.nnet.softmax(at.tanh(x @ w))
    return ag.function([x, w, v], [last(hidden @ v), hidden]), last


def check(made):
    f, last = made
    hidden = np.tanh(X @ W)
    hidden = np.exp(hidden) / np.exp(hidden).sum(1, keepdims=True)
    for found, wanted in zip(f(X, W, V), (last(hidden @ V), hidden), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-13)
    return f.verdicts[0]


def test_a_changed_graph_compiles_what_changed(folder):
    assert check(network(lambda y: y * 2)) == "miss: no entry"
    kept = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.o")}
    assert kept
    verdict = re.fullmatch(r"miss: no entry, but (\d+) of (\d+) parts", check(network(lambda y: np.abs(y) + 3)))
    assert verdict
    used, parts = map(int, verdict.groups())
    assert used >= max(parts - 1, 1), "the change is in one part at most"
    now = {p.name: p.stat().st_mtime_ns for p in folder.glob("*.o")}
    assert now.items() >= kept.items()
    assert len(now) == len(kept) + parts - used
    assert check(network(lambda y: y * 2)) == "hit"


@pytest.mark.parametrize("harm", ["cut", "changed", "others may write it", "a link"])
def test_harmed_parts_are_compiled_again(folder, harm):
    check(network(lambda y: y * 2))
    for path in folder.glob("*.o"):
        content = path.read_bytes()
        if harm == "cut":
            path.write_bytes(content[:-9])
        elif harm == "changed":
            path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
        elif harm == "others may write it":
            path.chmod(0o666)
        else:
            path.rename(folder / "elsewhere")
            path.symlink_to(folder / "elsewhere")
    assert check(network(lambda y: y + 2)) == "miss: no entry"
    assert re.search(r"but [1-9]\d* of", check(network(lambda y: y + 5 * y)))


def test_a_directory_that_cannot_be_written(folder, monkeypatch):
    """A full disk keeps nothing, and the function runs."""
    real = cache_module._write

    def full(path, content):
        if path.parent == folder:
            raise OSError(28, "No space left on device")
        real(path, content)

    monkeypatch.setattr(cache_module, "_write", full)
    with pytest.warns(RuntimeWarning, match="not kept"):
        assert check(network(lambda y: y * 2)) == "miss: no entry"
    assert not list(folder.iterdir())


def test_parts_count_and_are_cleared(folder):
    check(network(lambda y: y * 2))
    cache = Cache(Path(folder))
    assert cache.size == sum(p.stat().st_size for p in folder.iterdir())
    assert cache.clear() == len(list(cache.entries())) + 1
    assert not list(folder.iterdir())


def test_checks_keep_their_lines():
    """Alike functions with checks of their own fail with the lines of these."""
    a, k = at.matrix("a"), at.lscalar("k")
    found = []
    for first in (True, False):
        one = a[k] * 2
        two = a[k + 1] * 2
        f = ag.function([a, k], [one, two] if first else [two])
        with pytest.raises(ag.errors.IndexOutOfRange) as error:
            f(X, 4)
        found.append(str(error.value).partition("test_units.py:")[2])
    assert all(linecache.getline(__file__, int(line)).strip() == "two = a[k + 1] * 2" for line in found)


def test_constant_places_are_one_function():
    """Rows picked by constants, for products: one function picks them all."""
    x, w = at.tensor3("x"), at.matrix("w")
    f = ag.function([x, w], [x[t] @ w for t in range(2, 12)])
    assert len(set(re.findall(r"\bnest_\w{12}\b", f.text))) == 1
    given = RNG.normal(size=(12, 3, 7))
    for t, found in enumerate(f(given, W), 2):
        np.testing.assert_allclose(found, given[t] @ W, rtol=1e-13)
    with pytest.raises(ag.errors.IndexOutOfRange, match="9"):
        f(given[:9], W)


def test_units_stay_where_nothing_changes():
    """A function more, or less, changes the units near it."""

    def made(number):
        name = f"nest_{(number * 7919) % 16**12:012x}"
        return Function(name, "void", "for (" * (3 + number % 5), False, "", {})

    functions = [made(n) for n in range(400)]
    parts, rest = divide(functions)
    assert [f for part in [*parts, rest] for f in part] == functions
    assert all(sum(f.weight for f in part) >= LEAST for part in parts)
    for place in (0, 150, 399):
        changed, _ = divide([*functions[:place], made(1234567), *functions[place:]])
        new = [part for part in changed if part not in parts]
        assert len(new) <= 4


def test_texts_are_the_same_in_every_process():
    """Else parts that were compiled for one process would not be found by another."""
    program = (
        "import sys, hashlib\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "kept = [object() for _ in range(int(sys.argv[1]))]\n"
        "from agnesi.pipeline import compile_graph\n"
        "from generate import generate\n"
        "print([hashlib.sha1(compile_graph(generate(s).graph).text.encode()).hexdigest() for s in range(20)])\n"
    )
    found = set()
    for seed in range(3):
        environment = os.environ | {"PYTHONHASHSEED": str(seed)}
        command = [sys.executable, "-c", program, str(37 * seed)]
        found.add(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(found) == 1
