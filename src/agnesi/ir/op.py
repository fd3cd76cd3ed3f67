"""An operation: a frozen record with everything the compiler knows about it, and no subclass per op."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agnesi.errors import TypeMismatch
from agnesi.ir.type import Dim, Type

if TYPE_CHECKING:
    from agnesi.ir.node import Node


class Operand:
    """What an op can be called on: it has NumPy's operators, and says what calling an op on it makes."""

    __slots__ = ()
    precedence = 0

    @classmethod
    def apply(cls, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Any:
        """The result of `op(*args, **attrs)` when this class has the highest precedence among the arguments."""
        raise NotImplementedError

    def __add__(self, other: Any) -> Any:
        return OPS["add"](self, other)

    def __radd__(self, other: Any) -> Any:
        return OPS["add"](other, self)

    def __sub__(self, other: Any) -> Any:
        return OPS["sub"](self, other)

    def __rsub__(self, other: Any) -> Any:
        return OPS["sub"](other, self)

    def __mul__(self, other: Any) -> Any:
        return OPS["mul"](self, other)

    def __rmul__(self, other: Any) -> Any:
        return OPS["mul"](other, self)

    def __truediv__(self, other: Any) -> Any:
        return OPS["div"](self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return OPS["div"](other, self)

    def __floordiv__(self, other: Any) -> Any:
        return OPS["floordiv"](self, other)

    def __rfloordiv__(self, other: Any) -> Any:
        return OPS["floordiv"](other, self)

    def __mod__(self, other: Any) -> Any:
        return OPS["mod"](self, other)

    def __rmod__(self, other: Any) -> Any:
        return OPS["mod"](other, self)

    def __pow__(self, other: Any) -> Any:
        return OPS["pow"](self, other)

    def __rpow__(self, other: Any) -> Any:
        return OPS["pow"](other, self)

    def __neg__(self) -> Any:
        return OPS["neg"](self)

    def __pos__(self) -> Any:
        return self

    def __abs__(self) -> Any:
        return OPS["abs"](self)

    def __invert__(self) -> Any:
        return OPS["invert"](self)

    def __and__(self, other: Any) -> Any:
        return OPS["and"](self, other)

    def __rand__(self, other: Any) -> Any:
        return OPS["and"](other, self)

    def __or__(self, other: Any) -> Any:
        return OPS["or"](self, other)

    def __ror__(self, other: Any) -> Any:
        return OPS["or"](other, self)

    def __xor__(self, other: Any) -> Any:
        return OPS["xor"](self, other)

    def __rxor__(self, other: Any) -> Any:
        return OPS["xor"](other, self)

    def __lshift__(self, other: Any) -> Any:
        return OPS["left_shift"](self, other)

    def __rlshift__(self, other: Any) -> Any:
        return OPS["left_shift"](other, self)

    def __rshift__(self, other: Any) -> Any:
        return OPS["right_shift"](self, other)

    def __rrshift__(self, other: Any) -> Any:
        return OPS["right_shift"](other, self)

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> Any:
        return other // self, other % self

    def __lt__(self, other: Any) -> Any:
        return OPS["lt"](self, other)

    def __le__(self, other: Any) -> Any:
        return OPS["le"](self, other)

    def __gt__(self, other: Any) -> Any:
        return OPS["gt"](self, other)

    def __ge__(self, other: Any) -> Any:
        return OPS["ge"](self, other)


Kind = Literal["leaf", "elementwise", "index", "gather", "reduce", "store", "call", "composite"]


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Op:
    """One row of the table.

    name, kind: what it is; `kind` decides how it is lowered.
    infer(*args, **attrs): the Type of the result from the argument nodes; raises on arguments that do not fit.
    evaluate(*arrays, shape, **attrs): the meaning, in NumPy; `shape` is the result's shape as a tuple of ints.
    signature(*dtypes): elementwise: the dtypes the operands are cast to and the dtype of the result.
    d(*args, y): elementwise: partial derivatives by each argument, None where there is none.
    vjp(node, g): others: one cotangent per argument, None where there is none.
    jvp(node, tangents): others: the tangent of the result; a tangent may be None.
    c: elementwise: C text with {0}, {1} for operands, {f} for the suffix of float functions, {t} for the C type.
    support: elementwise: C functions that the text calls, printed before all loops.
    cost: in additions; 20 for an elementary function.
    index(node, idx): index ops: the input's index from the output's index.
    pieces(node): store ops: the parts that fill the result, see agnesi.ops.declare.
    combine, init: reductions: the op that joins two values, and its neutral element by dtype.
    expand(node): composites: the expression it stands for.
    equal(node): pairs of dimensions that must be equal.
    may_raise: whether an element can raise at run time.
    commutes: whether two arguments may change places.
    absolute: the error allowed near zeros of a float result, where terms cancel, in eps of numbers near 1.
    sample: draws test inputs inside the domain.
    """

    name: str
    kind: Kind
    infer: Callable[..., Type]
    evaluate: Callable[..., Any]
    signature: Callable[..., tuple[tuple[str, ...], str]] | None = None
    d: Callable[..., tuple[Any, ...]] | None = None
    vjp: Callable[..., tuple[Node | None, ...]] | None = None
    jvp: Callable[..., Node | None] | None = None
    c: str | dict[str, str] = ""
    support: str = ""
    cost: int = 1
    index: Callable[..., tuple[Node, ...]] | None = None
    pieces: Callable[..., Any] | None = None
    combine: str = ""
    init: Callable[[str], Any] | None = None
    expand: Callable[..., Node] | None = None
    equal: Callable[[Node], list[tuple[Dim, Dim]]] | None = None
    may_raise: bool = False
    commutes: bool = False
    absolute: float = 0.0
    sample: Callable[..., Any] | None = None
    arity: int = 1
    doc: str = ""

    def __call__(self, *args: Any, **attrs: Any) -> Any:
        owner: type[Operand] | None = None
        for arg in args:
            if isinstance(arg, Operand) and (owner is None or arg.precedence > owner.precedence):
                owner = type(arg)
        if owner is None:
            raise TypeMismatch(f"{self.name} needs at least one symbolic argument")
        return owner.apply(self, args, attrs)

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> tuple[Any, ...]:
        return lookup, (self.name,)


OPS: dict[str, Op] = {}
OF_USERS: set[Op] = set()  # rows that were declared outside this package


def register(op: Op) -> Op:
    """Adds a row to the table; names are unique."""
    if op.name in OPS:
        raise ValueError(f"operation {op.name!r} is declared twice")
    OPS[op.name] = op
    frame = sys._getframe(1)
    while frame.f_globals.get("__name__") == "agnesi.ops.declare" and frame.f_back is not None:
        frame = frame.f_back
    if not frame.f_globals.get("__name__", "").startswith("agnesi."):
        OF_USERS.add(op)
    return op


def lookup(name: str) -> Op:
    """The row of that name; raises TypeMismatch when it has not been declared here."""
    if name not in OPS:
        raise TypeMismatch(f"the operation {name!r} is not declared; import the module that declares it first")
    return OPS[name]
