"""What the tests of the runtime share: kernels, and functions made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from agnesi import _runtime
from agnesi.target import toolchain

F64, F32, I64, BOOL = (np.dtype(name) for name in ("float64", "float32", "int64", "bool"))
REQUIRED = _runtime.NO_DEFAULT


def build_kernels(factory):
    """The path of the compiled kernels."""
    compiler = toolchain.find_compiler()
    if compiler is None:
        pytest.skip("no C compiler")
    path = factory.mktemp("kernels") / "kernels.so"
    toolchain.compile_shared(compiler, [(Path(__file__).parent / "runtime_kernels.c").read_text()], path)
    return path


class Function(_runtime.Dispatcher):
    """A compiled function as the compiler makes them, from kernels by name: common and general."""

    dtype = F64

    def __init__(self, path, names, *spec, donated=(), name="f", **options):
        self.path, self.kernels, self.donated, self.name = path, names, donated, name
        self.built, self.converted = [], []
        self._bind(*spec, **options)

    def _build(self, variant):
        self.built.append(variant)
        return _runtime.load(str(self.path), self.kernels[variant]), self.donated

    def _convert(self, index, value):
        self.converted.append(index)
        if isinstance(value, str):
            raise TypeError(f"input {index} cannot be text")
        return np.asarray(value, self.dtype)

    def _fail(self, check, values):
        return ValueError(f"check {check} failed with {values}")


def vector(name, default=REQUIRED):
    """An input: a vector of float64."""
    return (name, F64, 1, default)


def one_output(path, kernel, inputs, dtype, ndim, **options):
    """A function of one kernel that returns an array."""
    return Function(path, (kernel, kernel), inputs, (), (), ((dtype, ndim),), (), "one", **options)


def updating(path, storage, kernel, donated, **options):
    """A function of a vector x that updates one shared vector."""
    spec = ((vector("x"),), (storage,), (), (), ((0, F64, 1),), "none")
    return Function(path, (kernel, kernel), *spec, donated=(donated,), **options)
