"""Data types by name, and NumPy 2's promotion of them."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch

BOOL = ("bool",)
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
HALVES = ("float16", "bfloat16")
FLOATS = (*HALVES, "float32", "float64")
COMPLEXES = ("complex64", "complex128")
DTYPES = BOOL + SIGNED + UNSIGNED + FLOATS + COMPLEXES
LIBRARY = {"float32": "f32", "float64": "f64", "complex64": "c64", "complex128": "c128"}
"""The dtypes in which a library multiplies and solves, and the suffixes of its routines."""
SIZES = {d: 2 if d == "bfloat16" else np.dtype(d).itemsize for d in DTYPES}  # in bytes


@cache
def normalize(name: object) -> str:
    """The canonical name of a dtype given as text, NumPy dtype or Python type.

    >>> normalize("f4"), normalize(int)
    ('float32', 'int64')
    """
    if name == "bfloat16":
        load_bfloat16()
    try:
        found = np.dtype(name).name  # type: ignore[call-overload]
    except TypeError:
        raise TypeMismatch(f"{name!r} is not a data type; agnesi knows {', '.join(DTYPES)}") from None
    if found not in DTYPES:
        raise TypeMismatch(f"data type {found} is not supported; agnesi knows {', '.join(DTYPES)}")
    return str(found)


def load_bfloat16() -> None:
    """Makes NumPy know bfloat16, which the package ml_dtypes brings; raises TypeMismatch where that is missing."""
    try:
        import ml_dtypes  # noqa: F401  (an optional package)
    except ImportError:
        raise TypeMismatch("bfloat16 needs the package ml_dtypes: pip install agnesi[bfloat16]") from None


@cache
def promote(*dtypes: str) -> str:
    """The dtype that NumPy computes in when these meet; bfloat16 goes with others as float16 does.

    >>> promote("int32", "float32"), promote("float64", "complex64"), promote("float16", "int16")
    ('float64', 'complex128', 'float32')
    >>> promote("bfloat16", "int8"), promote("bfloat16", "float16")
    ('bfloat16', 'float32')
    """
    if "bfloat16" not in dtypes:
        return normalize(np.result_type(*dtypes))
    others = {d for d in dtypes if d != "bfloat16"}
    if "float16" in others:
        return promote("float32", *others)
    found = promote("float16", *others)
    return "bfloat16" if found == "float16" else found


@cache
def weak(kind: str, dtype: str) -> str:
    """The dtype a Python scalar of this kind takes next to an array: scalars are weak, as in NumPy 2.

    >>> weak("float", "float32"), weak("float", "int32"), weak("int", "float32"), weak("complex", "float32")
    ('float32', 'float64', 'float32', 'complex64')
    """
    sample = {"bool": False, "int": 0, "float": 0.0, "complex": 0j}[kind]
    if dtype == "bfloat16":
        return "complex64" if kind == "complex" else dtype
    return normalize(np.result_type(np.dtype(dtype), sample))


def is_weak(value: object) -> bool:
    """Whether a value is a Python number, whose dtype its neighbours decide."""
    return isinstance(value, (bool, int, float, complex)) and not isinstance(value, np.generic)


@cache
def to_float(dtype: str) -> str:
    """The dtype a function such as exp computes in: integers go to float64.

    >>> to_float("int32"), to_float("float32"), to_float("complex64")
    ('float64', 'float32', 'complex64')
    """
    return dtype if is_inexact(dtype) else "float64"


@cache
def to_real(dtype: str) -> str:
    """The dtype of the parts of a complex number; others stay.

    >>> to_real("complex64"), to_real("int8")
    ('float32', 'int8')
    """
    return {"complex64": "float32", "complex128": "float64"}.get(dtype, dtype)


@cache
def to_complex(dtype: str) -> str:
    """The complex dtype whose parts hold such numbers.

    >>> to_complex("float32"), to_complex("int32")
    ('complex64', 'complex128')
    """
    return promote(to_float(dtype), "complex64")


def wide(dtype: str) -> str:
    """The dtype in which operations on halves are done; others are done in their own.

    >>> wide("float16"), wide("float64")
    ('float32', 'float64')
    """
    return "float32" if dtype in HALVES else dtype


def largest(dtype: str) -> float:
    """The largest finite number of a floating dtype.

    >>> largest("float16")
    65504.0
    """
    return (2 - 2.0**-7) * 2.0**127 if dtype == "bfloat16" else float(np.finfo(dtype).max)


def widened(array: Any) -> Any:
    """An array of halves in single precision; others as they are."""
    return array.astype("float32") if array.dtype.itemsize == 2 and array.dtype.name in HALVES else array


def is_float(dtype: str) -> bool:
    """Whether the dtype is a real floating one."""
    return dtype in FLOATS


def is_complex(dtype: str) -> bool:
    """Whether the dtype is a complex one."""
    return dtype in COMPLEXES


def is_inexact(dtype: str) -> bool:
    """Whether the dtype is floating or complex, that is, can carry a derivative."""
    return dtype in FLOATS or dtype in COMPLEXES


def convert(array: Any, dtype: str) -> Any:
    """The array in another dtype; of complex numbers the real part, without NumPy's warning."""
    array = np.asarray(array)
    if array.dtype.kind == "c" and not is_complex(dtype) and dtype != "bool":
        array = array.real
    with np.errstate(all="ignore"):
        return array.astype(dtype)
