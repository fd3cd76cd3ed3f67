"""Constructors of variables: `tensor`, `TensorType`, and the named ones by rank and dtype."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agnesi import config
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import input_node, symbol
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import Variable

Size = int | str | None

PREFIXES = {"": None, "b": "int8", "w": "int16", "i": "int32", "l": "int64", "f": "float32", "d": "float64",
            "c": "complex64", "z": "complex128"}  # fmt: skip


def tensor(name: str = "", dtype: str | None = None, shape: Sequence[Size] = ()) -> Variable:
    """A variable of this dtype and shape; a size is a number, a dimension's name, or None for any.

    Dimensions of the same name are equal and never broadcast. Among the sizes True stands for 1 and False for any:
    the pattern of axes that broadcast.

    >>> tensor("x", dtype="float32", shape=("batch", 784))
    x: float32[batch, 784]
    """
    sizes: list[Dim] = []
    for size in shape:
        if isinstance(size, int) and size is not False:
            if size < 0:
                raise TypeMismatch(f"a size cannot be negative: {shape}")
            sizes.append(int(size))
        elif not size or isinstance(size, str):
            sizes.append(symbol(size or ""))
        else:
            raise TypeMismatch(f"a size is a number, a name or None, not {size!r}")
    return Variable(input_node(name, Type(dt.normalize(dtype or config.settings().floatX), tuple(sizes))), name)


@dataclass(frozen=True)
class TensorType:
    """A dtype and a shape as in `tensor`, that makes variables when it is called.

    >>> image = TensorType("float32", (None, 28, 28))
    >>> image("x").ndim
    3
    >>> TensorType("float64", (False, True))("column").type.shape[1]
    1
    """

    dtype: str | None = None
    shape: tuple[Size, ...] = ()

    def __call__(self, name: str = "") -> Variable:
        """A new variable of this type."""
        return tensor(name, self.dtype, self.shape)

    @property
    def ndim(self) -> int:
        return len(self.shape)


class Constructor:
    """Makes variables of one rank, and of one dtype unless another is given."""

    def __init__(self, name: str, shape: tuple[Size, ...], dtype: str | None) -> None:
        self.__name__, self.shape, self.dtype = name, shape, dtype
        self.__doc__ = f"A variable with {len(shape)} axes, {dtype or 'config.floatX'} unless another dtype is given."

    def __call__(self, name: str = "", dtype: str | None = None) -> Variable:
        """A new variable."""
        return tensor(name, dtype or self.dtype, self.shape)

    def __repr__(self) -> str:
        return self.__name__


class Plural:
    """Makes several variables at once, from their names or their number."""

    def __init__(self, singular: Constructor, name: str) -> None:
        self.__name__, self.singular = name, singular
        self.__doc__ = (
            f"Several variables as {singular.__name__} makes them: a tuple, from their names or their number."
        )

    def __call__(self, *names: str | int, dtype: str | None = None) -> tuple[Variable, ...]:
        """New variables: `dmatrices("x", "y")`, or `dmatrices(2)` without names."""
        if len(names) == 1 and isinstance(names[0], int):
            names = ("",) * names[0]
        for name in names:
            if not isinstance(name, str):
                raise TypeMismatch(f"{self.__name__} takes names or one number, not {name!r}")
        return tuple(self.singular(str(name), dtype) for name in names)

    def __repr__(self) -> str:
        return self.__name__


def constructors(name: str, *shape: Size) -> tuple[Constructor, ...]:
    """The constructor of that name without a prefix, then with each of PREFIXES."""
    return tuple(Constructor(prefix + name, shape, dtype) for prefix, dtype in PREFIXES.items())


def plurals(name: str, singulars: Sequence[Constructor]) -> tuple[Plural, ...]:
    """The plural of each constructor."""
    return tuple(Plural(c, prefix + name) for prefix, c in zip(PREFIXES, singulars, strict=True))
