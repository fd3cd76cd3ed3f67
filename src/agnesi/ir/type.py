"""The type of a value: dtype and shape, where a dimension is an int or an int64 expression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

if TYPE_CHECKING:
    from agnesi.ir.node import Node

Dim = Union[int, "Node"]


@dataclass(frozen=True, slots=True)
class Type:
    """dtype and shape of an array; two types are equal when their dimensions are the same objects or ints."""

    dtype: str
    shape: tuple[Dim, ...] = ()

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __str__(self) -> str:
        return f"{self.dtype}[{', '.join(dim_text(d) for d in self.shape)}]"


def dim_text(dim: Dim) -> str:
    """A dimension as people read it: the number, the symbol's name, or ? for a computed one."""
    if isinstance(dim, int):
        return str(dim)
    return str(dim["name"]) if dim.op.name == "symbol" else "?"


def same(a: Dim, b: Dim) -> bool:
    """Whether two dimensions are known to be equal."""
    return a is b or (isinstance(a, int) and isinstance(b, int) and a == b)


def same_type(a: Type, b: Type) -> bool:
    """Whether two types can be equal: same dtype and rank, and no known sizes that differ."""
    return (
        a.dtype == b.dtype
        and a.ndim == b.ndim
        and all(
            not (isinstance(x, int) and isinstance(y, int)) or x == y for x, y in zip(a.shape, b.shape, strict=True)
        )
    )
