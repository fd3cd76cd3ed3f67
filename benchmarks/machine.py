"""The machine: limits on threads, and a description of hardware and software for the report."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata

THREAD_VARIABLES = (
    "AGNESI_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMBA_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
)
PACKAGES = ("agnesi", "numpy", "scipy", "numexpr", "numba", "llvmlite", "jax", "jaxlib", "torch")


def thread_environment(threads: int) -> dict[str, str]:
    """Environment variables that hold every system to `threads` threads; they act only if set before the imports."""
    multi = "true" if threads > 1 else "false"
    flags = f"--xla_cpu_multi_thread_eigen={multi} intra_op_parallelism_threads={threads}"
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}


def pin(threads: int) -> list[int]:
    """Pin the process, and all it starts, to its last `threads` cores; returns them, or nothing if that cannot be done.

    XLA sizes its thread pool by the cores it may run on, so this is what really limits it.
    """
    if not hasattr(os, "sched_setaffinity"):
        return []
    cores = sorted(os.sched_getaffinity(0))[-threads:]
    os.sched_setaffinity(0, cores)
    return cores


def cpu_field(name: str) -> str | None:
    """The value of one field of the first processor in /proc/cpuinfo."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                key, _, value = line.partition(":")
                if key.strip() == name:
                    return value.strip()
    except OSError:
        pass
    return None


def cpu_name() -> str:
    """The processor's model name with family and model number, since virtual machines often hide the name."""
    name = cpu_field("model name") or platform.processor() or platform.machine()
    family, model = cpu_field("cpu family"), cpu_field("model")
    return f"{name} (family {family}, model {model})" if family and model else name


def vector_unit() -> str:
    """The widest vector instructions the processor announces."""
    flags = (cpu_field("flags") or "").split()
    return next((name for name in ("avx512f", "avx2", "avx", "sse2") if name in flags), "unknown")


def compiler() -> str:
    """The first line that the C compiler says about itself."""
    command = os.environ.get("CC", "cc").split()
    try:
        answer = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return "none"
    return answer.stdout.partition("\n")[0]


def package_versions() -> dict[str, str]:
    """The versions of the packages concerned that are installed here."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def describe(threads: int, cores: list[int]) -> dict[str, object]:
    """Everything about the machine that a figure depends on, as plain data."""
    return {
        "cpu": cpu_name(),
        "vector unit": vector_unit(),
        "cores": os.cpu_count(),
        "threads per system": threads,
        "pinned to cores": cores,
        "system": f"{platform.system()} {platform.release()}",
        "compiler": compiler(),
        "python": platform.python_version(),
        "packages": package_versions(),
        "load average at start": round(os.getloadavg()[0], 2),
    }
