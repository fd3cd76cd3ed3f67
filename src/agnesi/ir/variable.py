"""What users hold: a handle on a node, with operators, NumPy's methods, a name and the line it was built on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import wraps
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, constant as constant_node, dim_node, scalar, value_of
from agnesi.ir.op import OPS, Op, Operand
from agnesi.ir.type import Type

_PACKAGE = str(Path(__file__).resolve().parent.parent)
_lines: WeakKeyDictionary[Node, str] = WeakKeyDictionary()

METHODS: dict[str, Callable[..., Any]] = {}
NUMPY: dict[Any, Callable[..., Any]] = {}


def caller_line() -> str:
    """File and line of the innermost frame outside this package."""
    frame = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back  # type: ignore[assignment]
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else ""


def line_of(node: Node) -> str:
    """Where the user built this node, or an empty text."""
    return _lines.get(node, "")


def keep_line(old: Node, new: Node) -> None:
    """Notes that a node was built where another one was."""
    if old in _lines:
        _lines.setdefault(new, _lines[old])


class Variable(Operand):
    """A symbolic array.

    >>> import agnesi.tensor as at
    >>> x = at.matrix("x")
    >>> (x + 1).sum(axis=0).ndim
    1
    """

    __slots__ = ("node", "name", "origin", "__weakref__")
    precedence = 1
    __array_priority__ = 1000.0

    def __init__(self, node: Node, name: str = "") -> None:
        self.node = node
        self.name = name
        self.origin: tuple[Node, tuple[Any, ...]] | None = None  # x and key where this is x[key], for set and inc
        if node.op is not CONST and node not in _lines:  # equal constants are one node, whoever wrote them
            _lines[node] = caller_line()

    @classmethod
    def apply(cls, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Variable:
        nodes = tuple(unwrap(a) for a in args)
        return Variable(op(*nodes, **attrs))

    @property
    def type(self) -> Type:
        return self.node.type

    @property
    def dtype(self) -> str:
        return self.node.type.dtype

    @property
    def ndim(self) -> int:
        return self.node.type.ndim

    @property
    def shape(self) -> tuple[Variable, ...]:
        """The dimensions, as int64 scalar variables."""
        return tuple(Variable(dim_node(d)) for d in self.node.type.shape)

    @property
    def T(self) -> Variable:
        """The transpose: axes in reverse order."""
        return METHODS["transpose"](self)

    @property
    def mT(self) -> Variable:
        """The last two axes exchanged."""
        return METHODS["matrix_transpose"](self)

    @property
    def size(self) -> Variable:
        """The number of elements, as an int64 scalar variable."""
        return METHODS["size"](self)

    @property
    def real(self) -> Variable:
        """The real part."""
        return METHODS["real"](self)

    @property
    def imag(self) -> Variable:
        """The imaginary part."""
        return METHODS["imag"](self)

    @property
    def line(self) -> str:
        return line_of(self.node)

    def __repr__(self) -> str:
        return f"{self.name or self.node.op.name}: {self.type}"

    def __eq__(self, other: object) -> Any:
        return OPS["eq"](self, other)

    def __ne__(self, other: object) -> Any:
        return OPS["ne"](self, other)

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        raise TypeMismatch(
            "a symbolic variable has no truth value while the expression is built; use at.where for a choice by "
            "elements"
        )

    def __index__(self) -> int:
        if self.node.op is CONST and self.dtype in dt.SIGNED + dt.UNSIGNED:
            return int(value_of(self.node))
        raise TypeMismatch(f"{self!r} is symbolic: its value is known only when a function is called")

    def __len__(self) -> int:
        if self.ndim and isinstance(self.node.shape[0], int):
            return self.node.shape[0]
        raise TypeMismatch(f"the length of {self!r} is known only at the call; use x.shape[0]")

    def __iter__(self) -> Iterator[Variable]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        return METHODS["getitem"](self, key)

    def __matmul__(self, other: Any) -> Any:
        return METHODS["matmul"](self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return METHODS["matmul"](other, self)

    def __getattr__(self, name: str) -> Any:
        method = METHODS.get(name)
        if method is None:
            raise AttributeError(f"a symbolic variable has no attribute {name!r}")
        return lambda *args, **kwargs: method(self, *args, **kwargs)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *METHODS})

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method != "__call__" or kwargs or ufunc not in NUMPY:
            return NotImplemented
        return NUMPY[ufunc](*inputs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in NUMPY:
            return NotImplemented
        return NUMPY[function](*args, **kwargs)

    def __array_namespace__(self, api_version: str | None = None) -> Any:
        return sys.modules["agnesi.tensor"]


def unwrap(value: Any) -> Any:
    """The node of a variable or array; Python scalars stay, since their dtype depends on their neighbours."""
    if isinstance(value, Variable):
        return value.node
    if isinstance(value, Node) or dt.is_weak(value):
        return value
    if isinstance(value, (list, tuple)) and _symbolic(value):
        return NUMPY[np.stack]([Variable(as_node(v)) for v in value]).node
    return constant_node(value)


def _symbolic(value: Any) -> bool:
    """Whether a value, or one in its lists, is a variable or node."""
    return isinstance(value, (Variable, Node)) or (isinstance(value, (list, tuple)) and any(map(_symbolic, value)))


def as_node(value: Any, dtype: str = "") -> Node:
    """Anything a user may pass for an array, as a node; Python floats take `dtype` when it is given."""
    found = unwrap(value)
    if isinstance(found, Node):
        return found
    return scalar(found, dtype) if dtype else constant_node(found)


def as_tensor_variable(value: Any, name: str = "") -> Variable:
    """A variable from a variable, an array, a number, or nested lists of these.

    >>> import agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> as_tensor_variable([x, 2 * x, 1.0]).eval({x: 3.0}).tolist()
    [3.0, 6.0, 1.0]
    """
    return value if isinstance(value, Variable) else Variable(as_node(value), name)


def constant(value: Any, name: str = "") -> Variable:
    """A constant as a variable."""
    return as_tensor_variable(value, name)


def lift(function: Callable[..., Any]) -> Callable[..., Any]:
    """Makes a function on nodes serve variables: arguments are unwrapped, nodes in the result wrapped."""

    @wraps(function)
    def lifted(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Operand) and not isinstance(a, Variable) for a in args):
            return function(*args, **kwargs)  # compiler-internal call on nodes or patterns
        result = function(*[_lower(a) for a in args], **{k: _lower(v) for k, v in kwargs.items()})
        return _raise_up(result)

    return lifted


def _lower(value: Any) -> Any:
    if isinstance(value, Variable):
        return value.node
    if isinstance(value, np.ndarray) or isinstance(value, np.generic):
        return constant_node(value)
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Variable, np.ndarray)) for v in value):
        return type(value)(_lower(v) for v in value)
    return value


def _raise_up(value: Any) -> Any:
    if isinstance(value, Node):
        return Variable(value)
    if isinstance(value, (list, tuple)):
        return type(value)(_raise_up(v) for v in value)
    return value


def method(*names: str, numpy: tuple[Any, ...] = ()) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers a lifted function as a method of variables, and as what NumPy's functions do to them."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            METHODS[name] = function
        for key in numpy:
            NUMPY[key] = function
        return function

    return register
