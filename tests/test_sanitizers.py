"""Generated code under the address and undefined-behaviour sanitizers, on random whole graphs; threads under their own.

A process of its own loads the sanitizers' libraries first, so that the memory of NumPy arrays and of calls is theirs:
a read or write beyond a buffer is found even where the result happens to be right.
"""

from __future__ import annotations

import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import _runtime
from agnesi.ir.graph import Graph
from agnesi.pipeline import compile_graph
from agnesi.runtime import blas
from agnesi.target import toolchain
from generate import generate, in_memory
from helpers import COMMON, GENERAL, Case, build_library

# Unoptimized: compiling is forty times faster, and nothing that is wrong is optimized away.
FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O0", "-fno-tree-vectorize")
# Wrapping of integers is what NumPy does and what -fwrapv defines; it is no error here.
WRAPPING = ("-fno-sanitize=signed-integer-overflow,shift,float-cast-overflow",)
OPTIONS = {
    "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=0:exitcode=77:halt_on_error=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1:exitcode=78",
    "PYTHONMALLOC": "malloc",
}
TESTS = Path(__file__).parent
RUNTIME = TESTS.parent / "src" / "agnesi" / "runtime"
BATCH = 50
QUICK, ALL = 2, 40  # batches


def libraries() -> str:
    """The paths of the sanitizers' libraries; skips where gcc or they are missing."""
    compiler = toolchain.find_compiler()
    if compiler is None or compiler.kind != "gcc" or not sys.platform.startswith("linux"):
        pytest.skip("gcc on Linux is needed")
    found = []
    for name in ("libasan.so", "libubsan.so"):
        command = [*compiler.command, f"-print-file-name={name}"]
        path = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        if not Path(path).is_absolute():
            pytest.skip(f"{name} is missing")
        found.append(path)
    return " ".join(found)


def cases(seeds: range, device: str) -> list[tuple[Case, list[np.ndarray]]]:
    """The graphs of seeds, each with its inputs; "streaming": long rows that are written past the caches."""
    if device == "streaming":
        return [long_rows(seed) for seed in seeds]
    samples = [generate(seed) for seed in seeds]
    return [(Case(s.graph, s.updates, s.finite, device=device), s.arrays) for s in samples]


def long_rows(seed: int) -> tuple[Case, list[np.ndarray]]:
    """Results of several dtypes, with rows of at least 1024 elements that begin anywhere."""
    rng = np.random.default_rng(seed)
    x, y = at.matrix("x"), at.vector("y")
    together = [
        (x * 3 + k * y).astype(str(kind)) for k, kind in enumerate(rng.permutation(["int8", "float32", "float64"]))
    ]
    outs = [*together, at.concatenate([y, y + 1, x[0]]), x[:, 1:] - x[:, :-1], x[:, ::-1] + 1]
    n = int(rng.integers(1024, 1200))
    arrays = [rng.normal(size=(int(rng.integers(1, 4)), n)), rng.normal(size=n)]
    return Case(Graph([x.node, y.node], [o.node for o in outs]), streaming=0), arrays


def tight(array: np.ndarray) -> np.ndarray:
    """A copy in memory that is not a byte longer, so that the next byte is poisoned."""
    return np.frombuffer(bytearray(array.tobytes()), array.dtype).reshape(array.shape) if array.size else array.copy()


def run_all(library: str, seeds: range, device: str) -> None:
    """Runs every case in both variants; the sanitizers end the process at the first report."""
    blas.ensure()
    for number, (case, arrays) in enumerate(cases(seeds, device)):
        rng = np.random.default_rng(number)
        for variant in (COMMON, GENERAL):
            case.addresses[variant] = _runtime.load(library, f"ag_main_{number}_{variant}")
        print(f"seed {seeds[number]}", file=sys.stderr, flush=True)
        case.run([tight(a) for a in arrays], COMMON)
        case.run([tight(a) for a in arrays], GENERAL)
        case.run([in_memory(a, rng) for a in arrays], GENERAL)
    print("all cases ran")


def start(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """This file as a program, with the sanitizers loaded first."""
    environment = os.environ | OPTIONS | {"LD_PRELOAD": libraries()}
    command = [sys.executable, __file__, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)


def check(first: int, folder: Path, device: str = "cpu") -> None:
    seeds = range(first, first + BATCH)
    libraries()
    path = build_library([case for case, _ in cases(seeds, device)], folder, (*FLAGS, *WRAPPING))
    done = start([str(path), pickle.dumps((seeds, device)).hex()])
    last = [line for line in done.stderr.splitlines() if line.startswith("seed ")][-1:]
    assert done.returncode == 0, f"after {last}: {done.stderr[-4000:]}"
    assert "all cases ran" in done.stdout


@pytest.mark.parametrize("batch", range(QUICK))
def test_nothing_is_found(batch, tmp_path):
    check(BATCH * batch, tmp_path)


def test_nothing_is_found_past_the_caches(tmp_path):
    check(0, tmp_path, "streaming")


@pytest.mark.parametrize("batch", range(1))
def test_nothing_is_found_in_kernels(batch, tmp_path):
    check(BATCH * batch, tmp_path, "cuda-emulated")


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(1, 10))
def test_nothing_is_found_in_more_kernels(batch, tmp_path):
    check(BATCH * batch, tmp_path, "cuda-emulated")


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(QUICK, ALL))
def test_nothing_is_found_in_more(batch, tmp_path):
    check(BATCH * batch, tmp_path)


def planted(name: str) -> str:
    """The text of a function, or of one whose kernel, reads one element too many."""
    if name == "function":
        return (
            '#include "ag_support.h"\n#include "vmath.h"\nint ag_main_0_0(struct ag_call *call) {\n'
            "  double *x = call->data[0];\n  volatile int64_t n = call->dims[0];\n  return x[n] > 1e300;\n}\n"
        )
    x = at.vector("x")
    text = compile_graph(Graph([x.node], [at.exp(x).sum().node]), device="cuda-emulated").text
    wrong = re.sub(r"(int64_t (i\d+) = AG_BLOCK \* AG_THREADS \+ AG_THREAD; \2 <)", r"\1=", text)
    assert wrong != text
    return wrong.replace("ag_main", "ag_main_0_0")


@pytest.mark.parametrize("name", ["function", "kernel"])
def test_errors_would_be_found(name, tmp_path):
    """The method itself."""
    text = planted(name)
    compiler = toolchain.find_compiler()
    libraries()
    path = tmp_path / "wrong.so"
    toolchain.compile_shared(compiler, [text], path, FLAGS)
    done = start([str(path), "wrong"])
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


def race(folder: Path, pool: str) -> subprocess.CompletedProcess[str]:
    """Runs race.c, with this text of the pool, under the thread sanitizer."""
    compiler = toolchain.find_compiler()
    if compiler is None or compiler.kind != "gcc" or not sys.platform.startswith("linux"):
        pytest.skip("gcc on Linux is needed")
    m, k = at.matrix("m"), at.lvector("k")
    picked = m[k]
    first = at.zeros((m.shape[1],))
    down, up = (
        ag.scan(lambda row, s: row + s / 2, sequences=[rows], outputs_info=[first])[0][-1] for rows in (m, m[::-1])
    )
    made = [m.sum(), m.sum(axis=0), at.nnet.softmax(m), picked.sum(axis=1), down + up]
    graph = Graph([m.node, k.node], [variable.node for variable in made])
    assert compile_graph(graph).program.together
    (folder / "function.c").write_text(compile_graph(graph).text)
    (folder / "pool.c").write_text(pool)
    sources = [str(folder / "function.c"), str(folder / "pool.c"), str(TESTS / "race.c")]
    command = [
        *compiler.command,
        *compiler.flags,
        f"-I{RUNTIME}",
        "-g",
        "-fsanitize=thread",
        *sources,
        "-lm",
        "-lpthread",
    ]
    made = subprocess.run([*command, "-o", str(folder / "race")], capture_output=True, text=True)
    if made.returncode and "tsan" in made.stderr:
        pytest.skip("the thread sanitizer is missing")
    assert made.returncode == 0, made.stderr
    fixed = ["setarch", "-R"] if shutil.which("setarch") else []  # the sanitizer wants a plain layout of memory
    environment = os.environ | {"TSAN_OPTIONS": "exitcode=66"}
    done = subprocess.run([*fixed, str(folder / "race")], env=environment, capture_output=True, text=True, timeout=300)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("the thread sanitizer does not run here")
    return done


def test_threads_do_not_race(tmp_path):
    done = race(tmp_path, (RUNTIME / "pool.c").read_text())
    assert done.returncode == 0, done.stdout + done.stderr[-4000:]
    assert "0 wrong, 2 threads" in done.stdout


def test_races_would_be_found(tmp_path):
    """The method itself: a pool that does not wait for its last parts is reported."""
    text = (RUNTIME / "pool.c").read_text()
    assert "  await_others();\n" in text
    assert race(tmp_path, text.replace("  await_others();\n", "")).returncode != 0


def run_wrong(library: str) -> None:
    """Calls a function that reads beyond its input."""

    class Wrong(_runtime.Dispatcher):
        def __init__(self):
            self._bind((("x", np.dtype("f8"), 1, _runtime.NO_DEFAULT),), (), (), ((np.dtype("f8"), 0),), (), "list")

        def _build(self, variant):
            return _runtime.load(library, "ag_main_0_0"), ()

    Wrong()(tight(np.ones(5)))


if __name__ == "__main__":
    if sys.argv[2] == "wrong":
        run_wrong(sys.argv[1])
    else:
        run_all(sys.argv[1], *pickle.loads(bytes.fromhex(sys.argv[2])))
