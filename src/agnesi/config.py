"""Settings of the process: one frozen record, read from the environment once, changed within a `with`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields, replace
from pathlib import Path


def default_cache_dir() -> str:
    """The user's cache directory for compiled functions."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return str(Path(base) / "agnesi")


def processors() -> int:
    """The processors that this process is bound to."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Settings:
    """The settings; each one is also read from the environment as AGNESI_<NAME>.

    floatX: dtype of new variables that name none ("float32" or "float64").
    mode: how `function` compiles when not told: "fast_run", "fast_math", "fast_compile", "debug", "reference".
    device: what `function` compiles for, and where `shared` keeps values, when not told: "cpu", "cuda", or
        "cuda-emulated", which runs CUDA's kernels on the processor, slowly, to test them.
    compile: "now", or "background": the first calls are evaluated by NumPy while native code is made.
    compiler: "auto", the path of a C compiler, or "none" for the NumPy interpreter.
    threads: how many threads a function may use; 0 for one on each processor that the process may use.
    worth: the work from which a loop is split among threads, in additions, of which a thread does about 20,000 in a
        microsecond. Sums of arrays beyond it are rounded otherwise than those of smaller ones.
    streaming: the bytes of a result from which loops write it past the caches: it would not be there any more when
        it is read.
    cache_dir: where compiled functions are kept.
    check: verify every level and compare values after every pass (what mode "debug" does).
    dump: names of passes whose result is printed, separated by commas.
    fuel: the number of rewrites after which the rewriter stops; -1 means no bound.
    """

    floatX: str = "float64"
    mode: str = "fast_run"
    device: str = "cpu"
    compile: str = "now"
    compiler: str = "auto"
    threads: int = 0
    worth: int = 250_000
    streaming: int = 1 << 24
    cache_dir: str = ""
    check: bool = False
    dump: str = ""
    fuel: int = -1

    def __post_init__(self) -> None:
        if self.floatX not in ("float32", "float64"):
            raise ValueError(f"floatX is 'float32' or 'float64', not {self.floatX!r}")
        if self.mode not in MODES:
            raise ValueError(f"mode is one of {', '.join(MODES)}, not {self.mode!r}")
        if self.device not in DEVICES:
            raise ValueError(f"device is one of {', '.join(DEVICES)}, not {self.device!r}")
        if self.compile not in ("now", "background"):
            raise ValueError(f"compile is 'now' or 'background', not {self.compile!r}")
        if self.threads < 0 or self.worth < 1:
            raise ValueError(f"threads and worth are positive numbers, not {self.threads} and {self.worth}")
        if self.streaming < 0:
            raise ValueError(f"streaming is a number of bytes, not {self.streaming}")


MODES = ("fast_run", "fast_math", "fast_compile", "debug", "reference")
DEVICES = ("cpu", "cuda", "cuda-emulated")


def from_environment() -> Settings:
    """Reads AGNESI_FLOATX, AGNESI_CACHE_DIR and so on."""
    found: dict[str, object] = {"cache_dir": default_cache_dir()}
    for field in fields(Settings):
        text = os.environ.get("AGNESI_" + field.name.upper())
        if text is None:
            continue
        default = field.default
        is_bool, is_int = isinstance(default, bool), isinstance(default, int)
        found[field.name] = text not in ("", "0", "false") if is_bool else int(text) if is_int else text
    return Settings(**found)  # type: ignore[arg-type]


_current: ContextVar[Settings | None] = ContextVar("agnesi_settings", default=None)
_base = from_environment()


def settings() -> Settings:
    """The settings in force here."""
    return _current.get() or _base


@contextmanager
def change(**values: object) -> Iterator[Settings]:
    """Other settings inside a `with` block.

    >>> import agnesi as ag
    >>> with ag.config.change(floatX="float32"):
    ...     ag.tensor.vector("x").dtype
    'float32'
    """
    token = _current.set(replace(settings(), **values))  # type: ignore[arg-type]
    try:
        yield settings()
    finally:
        _current.reset(token)


def set(**values: object) -> None:
    """Changes settings for the whole process.

    >>> import agnesi as ag
    >>> ag.config.set(threads=1)
    """
    global _base
    _base = replace(_base, **values)  # type: ignore[arg-type]


def __getattr__(name: str) -> object:
    if name in Settings.__dataclass_fields__:
        return getattr(settings(), name)
    raise AttributeError(f"agnesi.config has no setting {name!r}")
