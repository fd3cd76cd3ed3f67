"""BLAS and LAPACK for compiled functions: the routines that SciPy exports as C pointers."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
import threading
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader
from pathlib import Path
from types import ModuleType

from agnesi import _runtime

# Names under which BLAS libraries export "use n threads", taking an int by value.
THREAD_SETTERS = (
    "scipy_openblas_set_num_threads",
    "openblas_set_num_threads",
    "bli_thread_set_num_threads",
    "MKL_Set_Num_Threads",
)

_lock = threading.Lock()
_loaded = False
_source = "own loops (SciPy's BLAS was not asked for yet)"
_routines: tuple[int, ...] = (0,) * 12
_setter = 0
_threads = 0


def _module(name: str) -> ModuleType:
    """The extension module scipy.linalg.<name>, without the rest of scipy.linalg if possible.

    Importing scipy.linalg costs ten times as much as loading this one file.
    """
    full = f"scipy.linalg.{name}"
    if full in sys.modules:
        return sys.modules[full]
    spec = importlib.util.find_spec("scipy")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for suffix in EXTENSION_SUFFIXES:
            path = Path(folder) / "linalg" / (name + suffix)
            if path.is_file():
                try:
                    return _load_file(full, path)
                except ImportError:
                    break
    return importlib.import_module(full)


def _load_file(full: str, path: Path) -> ModuleType:
    loader = ExtensionFileLoader(full, str(path))
    spec = importlib.util.spec_from_file_location(full, path, loader=loader)
    if spec is None:
        raise ImportError(full)
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    # Cython registers the module by itself; a later import of scipy.linalg must go its own way.
    sys.modules.pop(full, None)
    return module


def _routine(module: ModuleType, name: str) -> int:
    """The address of an exported routine, 0 if it counts in other integers than int."""
    signature, address = _runtime.capsule(module.__pyx_capi__[name])
    return address if signature and " int *" in signature and "long" not in signature else 0


def ensure() -> None:
    """Loads BLAS and LAPACK and holds BLAS to one thread; does nothing the second time.

    Without SciPy's routines compiled functions use their own, slower loops.
    """
    global _loaded, _source, _routines, _setter
    if _loaded:
        return
    with _lock:
        if _loaded:
            return
        try:
            blas, lapack = _module("cython_blas"), _module("cython_lapack")
            kinds = ((blas, "gemm"), (blas, "gemv"), (lapack, "gesv"))
            _routines = tuple(_routine(module, letter + name) for letter in "sdcz" for module, name in kinds)
        except (ImportError, AttributeError, KeyError) as error:
            _source = f"own loops ({error})"
        else:
            _runtime.set_library(*_routines)
            _setter = _find_setter(str(blas.__file__))
            library = _runtime.library_of(_setter) if _setter else None
            _source = f"SciPy's BLAS in {Path(library or str(blas.__file__)).name}"
            set_threads(1)
        _loaded = True


def _find_setter(path: str) -> int:
    """The address of the thread setter in the library that a loaded extension depends on, or 0."""
    for name in THREAD_SETTERS:
        try:
            return _runtime.load(path, name)
        except OSError:
            continue
    return 0


def routines() -> tuple[int, ...]:
    """What `_runtime.set_library` was given: addresses, 0 where there is none."""
    return _routines


def set_threads(count: int) -> bool:
    """Sets how many threads BLAS may use; False where its library has no such switch.

    The switch is SciPy's as well: scipy.linalg then uses as many. Libraries without a switch read an environment
    variable when they are loaded (OMP_NUM_THREADS, VECLIB_MAXIMUM_THREADS).
    """
    global _threads
    if count < 1:
        raise ValueError(f"BLAS needs at least one thread, not {count}")
    if not _setter:
        return False
    _runtime.set_blas_threads(_setter, count)
    _threads = count
    return True


def describe() -> str:
    """What computes products and solves systems, for people."""
    if not _loaded or _source.startswith("own"):
        return _source
    threads = f"{_threads} thread{'s' * (_threads != 1)}" if _threads else "its own number of threads"
    return f"{_source} (SciPy {importlib.metadata.version('scipy')}), {threads}"
