"""Complex numbers and their parts, under NumPy's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, as_nodes
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.functions import arctan2


@method("real", numpy=(np.real,))
@lift
def real(x: Node) -> Node:
    """The real part of each element; real numbers as they are.

    >>> import agnesi.tensor as at
    >>> at.real([1 + 2j, 3.0]).eval().tolist()
    [1.0, 3.0]
    """
    x = as_node(x)
    return ew.real(x) if dt.is_complex(x.dtype) else x


@method("imag", numpy=(np.imag,))
@lift
def imag(x: Node) -> Node:
    """The imaginary part of each element; 0 for real numbers."""
    x = as_node(x)
    return ew.imag(x) if dt.is_complex(x.dtype) else ew.where(True, 0, x)


@method("conj", "conjugate", numpy=(np.conj,))
@lift
def conj(x: Node) -> Node:
    """The complex conjugate of each element; real numbers as they are."""
    return ew.conjugate(as_node(x))


@method(numpy=(np.angle,))
@lift
def angle(x: Node) -> Node:
    """The angle of each element to the positive real axis, between -pi and pi.

    >>> import agnesi.tensor as at
    >>> at.angle([1.0, 1j]).eval().round(4).tolist()
    [0.0, 1.5708]
    """
    x = as_node(x)
    return ew.angle(x) if dt.is_complex(x.dtype) else arctan2(0, x)


@lift
def complex(re: Any, im: Any) -> Node:
    """The complex numbers with these real and imaginary parts.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.complex(np.array([1.0, 2.0]), 3.0).eval().tolist()
    [(1+3j), (2+3j)]
    """
    return ew.complex_(*_operands(re, im))


@lift
def complex_from_polar(radius: Any, angle: Any) -> Node:
    """The complex numbers with these absolute values and angles to the positive real axis.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.complex_from_polar(np.array([2.0]), 0.0).eval().tolist()
    [(2+0j)]
    """
    r, phi = _operands(radius, angle)
    return ew.complex_(r * ew.cos(phi), r * ew.sin(phi))


def _operands(a: Any, b: Any) -> tuple[Node, Node]:
    """Two arguments as nodes, of which at most one is a Python number."""
    if not isinstance(a, Node) and not isinstance(b, Node):
        a = as_node(a)
    x, y = as_nodes((a, b) if dt.is_weak(b) or isinstance(b, Node) else (a, as_node(b)))
    return x, y
