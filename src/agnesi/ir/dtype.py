"""Data types by name, and NumPy 2's promotion of them."""

from __future__ import annotations

from functools import cache

import numpy as np

from agnesi.errors import TypeMismatch

BOOL = ("bool",)
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
FLOATS = ("float32", "float64")
DTYPES = BOOL + SIGNED + UNSIGNED + FLOATS

Scalar = bool | int | float


@cache
def normalize(name: object) -> str:
    """The canonical name of a dtype given as text, NumPy dtype or Python type.

    >>> normalize("f4"), normalize(int)
    ('float32', 'int64')
    """
    try:
        found = np.dtype(name).name  # type: ignore[call-overload]
    except TypeError:
        raise TypeMismatch(f"{name!r} is not a data type; agnesi knows {', '.join(DTYPES)}") from None
    if found not in DTYPES:
        raise TypeMismatch(f"data type {found} is not supported; agnesi knows {', '.join(DTYPES)}")
    return str(found)


@cache
def promote(*dtypes: str) -> str:
    """The dtype that NumPy computes in when these meet.

    >>> promote("int32", "float32")
    'float64'
    """
    return normalize(np.result_type(*dtypes))


@cache
def weak(kind: str, dtype: str) -> str:
    """The dtype a Python scalar of this kind takes next to an array: scalars are weak, as in NumPy 2.

    >>> weak("float", "float32"), weak("float", "int32"), weak("int", "float32")
    ('float32', 'float64', 'float32')
    """
    sample = {"bool": False, "int": 0, "float": 0.0}[kind]
    return normalize(np.result_type(np.dtype(dtype), sample))


@cache
def to_float(dtype: str) -> str:
    """The floating dtype a function such as exp computes in; integers go to float64.

    >>> to_float("int32"), to_float("float32")
    ('float64', 'float32')
    """
    return dtype if dtype in FLOATS else "float64"


def is_float(dtype: str) -> bool:
    """Whether the dtype is a floating one, that is, can carry a derivative."""
    return dtype in FLOATS
