"""What `agnesi doctor` says: what was found on this machine, and what to do about the rest."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agnesi import config
from agnesi.errors import CompileError
from agnesi.runtime import blas
from agnesi.runtime.threads import available, count
from agnesi.target.cache import Cache
from agnesi.target.driver import driver_of
from agnesi.target.toolchain import Compiler, compile_shared, find_compiler

INSTALL_COMPILER = {
    "Linux": "apt install gcc, dnf install gcc, or pip install ziglang",
    "Darwin": "xcode-select --install, or pip install ziglang",
}
TINY = '#include "ag_call.h"\nint agnesi_test(int x) { return x + 1; }\n'


@dataclass(frozen=True)
class Finding:
    """One line: good (None: of no consequence), what was looked for, what was found, what to do."""

    good: bool | None
    subject: str
    found: str
    remedy: str = ""


def run() -> int:
    """Prints the findings; 1 if something that matters is missing, else 0."""
    print(
        f"agnesi {importlib.metadata.version('agnesi')}, Python {platform.python_version()}, "
        f"NumPy {importlib.metadata.version('numpy')}, {platform.system()} {platform.machine()}"
    )
    status = 0
    for finding in examine():
        mark = {True: "OK", False: "missing", None: "-"}[finding.good]
        print(f"{mark:<8} {finding.subject:<9} {finding.found}")
        if finding.remedy:
            print(f"{'':<18} what to do: {finding.remedy}")
        status |= finding.good is False
    return status


def examine() -> Iterator[Finding]:
    """All findings, in the order they matter."""
    yield from compiler_findings()
    yield products()
    yield threads()
    yield cache()
    yield cuda()


def compiler_findings() -> Iterator[Finding]:
    """Which compiler there is, and whether what it makes can be loaded and called."""
    choice = config.settings().compiler
    try:
        compiler = find_compiler(choice)
    except CompileError as error:
        yield Finding(False, "compiler", str(error), "set AGNESI_COMPILER to a C compiler, or unset it")
        return
    if compiler is None and choice == "none":
        yield Finding(None, "compiler", "switched off (AGNESI_COMPILER=none): functions are computed by NumPy, slowly")
    elif compiler is None:
        remedy = INSTALL_COMPILER.get(platform.system(), "pip install ziglang")
        yield Finding(False, "compiler", "none: functions are computed by NumPy, slowly", remedy)
    else:
        yield Finding(True, "compiler", f"{' '.join(compiler.command)}: {compiler.version}")
        yield compiled(compiler)


def compiled(compiler: Compiler) -> Finding:
    """Whether a tiny function can be compiled and loaded."""
    other = "name another C compiler in AGNESI_COMPILER"
    start = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="agnesi-") as folder:
        library = Path(folder) / "test.so"
        try:
            compile_shared(compiler, [TINY], library)
            right = ctypes.CDLL(str(library)).agnesi_test(41) == 42
        except (CompileError, OSError) as error:
            return Finding(False, "compiling", str(error), f"install the C library's headers (libc6-dev), or {other}")
    if not right:
        return Finding(False, "compiling", "a test function gave a wrong result", other)
    time_needed = 1e3 * (time.perf_counter() - start)
    return Finding(True, "compiling", f"a test function compiled, loaded and called in {time_needed:.0f} ms")


def products() -> Finding:
    """What computes matrix products."""
    blas.ensure()
    if any(blas.routines()):
        return Finding(True, "products", blas.describe())
    return Finding(False, "products", f"{blas.describe()}: correct, but slow", "pip install --upgrade scipy")


def threads() -> Finding:
    """How many threads are used, of how many processors."""
    cores = available()
    used = count(config.settings().threads)
    return Finding(True, "threads", f"{used} used (AGNESI_THREADS), {cores} processor{'s' * (cores != 1)} available")


def cache() -> Finding:
    """Where compiled functions are kept, and whether they can be."""
    kept = Cache(Path(config.settings().cache_dir))
    try:
        kept.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=kept.directory):
            pass
    except OSError as error:
        found = f"{kept.directory} cannot be written ({error.strerror or error}): every process compiles anew"
        return Finding(False, "cache", found, "set AGNESI_CACHE_DIR to a folder of yours")
    count = sum(1 for _ in kept.entries())
    found = f"{kept.directory}: writable, {count} compiled function{'s' * (count != 1)}, {kept.size / 2**20:.1f} MiB"
    return Finding(True, "cache", found)


def cuda() -> Finding:
    """Whether a CUDA device can be used; kernels can be emulated everywhere."""
    try:
        found = driver_of("cuda")
    except CompileError as error:
        there = [name for name in ("nvidia-smi", "nvcc") if shutil.which(name)]
        seen = f"; found {', '.join(there)}" if there else ""
        return Finding(None, "CUDA", f"cuda (emulated) only, by device='cuda-emulated': {error}{seen}")
    return Finding(True, "CUDA", f"device='cuda' compiles for {found.architecture}")
