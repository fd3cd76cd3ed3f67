"""What the processor can give, and how much of it agnesi gets: memory's bandwidth, and products of matrices.

Example: python benchmarks/limits.py --threads 1 --output limits.md

Bandwidth is that of loops in C on arrays that are there already, by OpenMP's threads, with plain stores and with ones
that go past the caches, whichever is faster. Products are compared with the fastest library.
"""

from __future__ import annotations

import argparse
import ctypes
import datetime
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import machine
import numpy as np
from measure import PAUSE
from report import table, written
from run import progress, restart_limited

SIZE = 10_000_000  # numbers of an array in double precision: 80 MB
ROUNDS = 15
EDGES = (512, 1024, 2048)

LOOPS = """
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#ifdef __AVX__
#include <immintrin.h>
#endif
double *make(int64_t n) {
  double *p = aligned_alloc(1 << 21, (n * 8 + (1 << 21) - 1) >> 21 << 21);
  madvise(p, n * 8, 14);
  for (int64_t i = 0; i < n; i++) p[i] = 1.0 + i % 7;
  return p;
}
void copy(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
#pragma omp parallel for simd
  for (int64_t i = 0; i < n; i++) c[i] = a[i] + 1;
}
void triad(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
#pragma omp parallel for simd
  for (int64_t i = 0; i < n; i++) c[i] = 2 * a[i] + 3 * b[i];
}
void sum(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
  double s = 0;
#pragma omp parallel for simd reduction(+ : s)
  for (int64_t i = 0; i < n; i++) s += a[i];
  c[0] = s;
}
void distance(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
  double s = 0;
#pragma omp parallel for simd reduction(+ : s)
  for (int64_t i = 0; i < n; i++) s += (a[i] - b[i]) * (a[i] - b[i]);
  c[0] = s;
}
#ifdef __AVX__
void copy_past(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
#pragma omp parallel for
  for (int64_t i = 0; i < n / 4; i++)
    _mm256_stream_pd(c + 4 * i, _mm256_add_pd(_mm256_load_pd(a + 4 * i), _mm256_set1_pd(1)));
}
void triad_past(int64_t n, const double *restrict a, const double *restrict b, double *restrict c) {
  const __m256d two = _mm256_set1_pd(2), three = _mm256_set1_pd(3);
#pragma omp parallel for
  for (int64_t i = 0; i < n / 4; i++)
    _mm256_stream_pd(c + 4 * i, _mm256_add_pd(_mm256_mul_pd(two, _mm256_load_pd(a + 4 * i)),
                                              _mm256_mul_pd(three, _mm256_load_pd(b + 4 * i))));
}
#endif
"""

# The expression, the loops in C, bytes a number, and the expression in agnesi's and NumPy's words.
STREAMS: list[tuple[str, tuple[str, ...], int, Callable[..., object]]] = [
    ("a + 1", ("copy", "copy_past"), 16, lambda a, b: a + 1),
    ("2*a + 3*b", ("triad", "triad_past"), 24, lambda a, b: 2 * a + 3 * b),
    ("sum(a)", ("sum",), 8, lambda a, b: a.sum()),
    ("sum((a - b)**2)", ("distance",), 16, lambda a, b: ((a - b) ** 2).sum()),
]


def medians(calls: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Seconds of each call, all of them in turn, in a new order each round."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for name in calls:
        calls[name]()
    for _ in range(ROUNDS):
        for name in random.sample(list(calls), len(calls)):
            time.sleep(PAUSE if int(os.environ["OMP_NUM_THREADS"]) > 1 else 0)
            calls[name]()
            start = time.perf_counter()
            calls[name]()
            times[name].append(time.perf_counter() - start)
    return {name: median(found) for name, found in times.items()}


def loops() -> dict[str, Callable[[], object]]:
    """The loops in C on arrays of their own."""
    folder = tempfile.mkdtemp(prefix="limits-")
    source, library = Path(folder) / "loops.c", Path(folder) / "loops.so"
    source.write_text(LOOPS, encoding="utf-8")
    flags = ["-O3", "-march=native", "-fopenmp", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([os.environ.get("CC", "cc"), *flags, str(source), "-o", str(library)], check=True)
    loaded = ctypes.CDLL(str(library))
    loaded.make.restype = ctypes.c_void_p
    n = ctypes.c_int64(SIZE)
    arrays = [ctypes.c_void_p(loaded.make(n)) for _ in range(3)]
    names = [name for _, found, _, _ in STREAMS for name in found if hasattr(loaded, name)]
    return {name: partial(getattr(loaded, name), n, *arrays) for name in names}


def streams() -> list[list[str]]:
    """Rows: gigabytes a second of the best loop in C, of agnesi and of NumPy."""
    import agnesi as ag
    import agnesi.tensor as at

    kernels, rows = loops(), []
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=SIZE), rng.normal(size=SIZE)
    x, y = at.dvectors("x", "y")
    for title, names, size, expression in STREAMS:
        progress(title)
        f = ag.function([x, y], expression(x, y), on_unused_input="ignore")
        calls: dict[str, Callable[[], object]] = {name: kernels[name] for name in names if name in kernels}
        calls |= {"agnesi": partial(f, a, b), "numpy": partial(expression, a, b)}
        rate = {name: SIZE * size / seconds / 1e9 for name, seconds in medians(calls).items()}
        best = max(rate[name] for name in names if name in rate)
        cells = [f"{value:.1f}" for value in (best, rate["agnesi"], rate["numpy"])]
        rows.append([f"`{title}`", *cells, f"{rate['agnesi'] / best:.2f}"])
    return rows


def waited(function: Callable[..., object], *values: object) -> object:
    """A result of JAX, when it is there."""
    import jax

    return jax.block_until_ready(function(*values))


def products() -> list[list[str]]:
    """Rows: gigaflops of products of square matrices."""
    import jax
    import torch

    import agnesi as ag
    import agnesi.tensor as at

    jax.config.update("jax_enable_x64", True)
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    rows = []
    for dtype in ("float32", "float64"):
        x, y = at.tensor("x", dtype=dtype, shape=(None, None)), at.tensor("y", dtype=dtype, shape=(None, None))
        f, g = ag.function([x, y], x @ y), jax.jit(lambda a, b: a @ b)
        for n in EDGES:
            progress(f"product of {n}, {dtype}")
            a, b = (np.random.default_rng(k).normal(size=(n, n)).astype(dtype) for k in range(2))
            (c, d), of_torch = map(jax.numpy.array, (a, b)), list(map(torch.from_numpy, (a, b)))
            calls: dict[str, Callable[[], object]] = {"agnesi": partial(f, a, b), "numpy": partial(np.matmul, a, b)}
            calls |= {"torch": partial(torch.matmul, *of_torch), "jax": partial(waited, g, c, d)}
            found = medians(calls)
            rate = {name: 2 * n**3 / seconds / 1e9 for name, seconds in found.items()}
            best = max(value for name, value in rate.items() if name != "agnesi")
            cells = [f"{rate[name]:.1f}" for name in ("agnesi", "numpy", "torch", "jax")]
            rows.append([f"{n}, {dtype}", *cells, f"{rate['agnesi'] / best:.2f}"])
    return rows


def main() -> int:
    """Measures, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1, help="for every system (default: 1)")
    parser.add_argument("--output", type=Path, metavar="FILE.md", help="where the tables go; else standard output")
    options = parser.parse_args()
    about = machine.describe(options.threads, restart_limited(options.threads))
    how = f"Medians of {ROUNDS} interleaved rounds, {datetime.date.today()}; threads of each system: {options.threads}."
    read = f"Gigabytes a second on arrays of {SIZE:,} numbers in double precision, every array counted once:"
    lines = [
        *("# Limits", "", how, "", read, ""),
        *table(["expression", "loops in C", "agnesi", "NumPy", "agnesi / loops"], streams()),
        *("Gigaflops of products of square matrices:", ""),
        *table(["edge", "agnesi", "NumPy", "torch", "JAX", "agnesi / best library"], products()),
        *(f"- {key}: {value}" for key, value in about.items() if key != "packages"),
        f"- packages: {', '.join(f'{name} {version}' for name, version in machine.package_versions().items())}",
    ]
    return written(lines, options.output)


if __name__ == "__main__":
    sys.exit(main())
