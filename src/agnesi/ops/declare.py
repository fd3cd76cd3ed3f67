"""How operations are declared: one function per kind, each making a row of the table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from agnesi.errors import ShapeError, TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, signature
from agnesi.ir.op import OPS, Op, register
from agnesi.ir.type import Dim, Type

Signature = tuple[tuple[str, ...], str]
Index = tuple[Node, ...]
Array = Any


# -- signatures: the dtypes that operands are cast to, and the result's ------------------------------


@cache
def promoting(*dtypes: str) -> Signature:
    """All operands and the result in the common dtype."""
    common = dt.promote(*dtypes)
    return (common,) * len(dtypes), common


@cache
def numeric(*dtypes: str) -> Signature:
    """As promoting, but not for booleans, where NumPy has no such operation."""
    operands, common = promoting(*dtypes)
    if common == "bool":
        raise TypeMismatch("this operation is not defined for booleans; use & | ^ ~ or at.where")
    return operands, common


@cache
def floating(*dtypes: str) -> Signature:
    """Operands and result in a floating dtype, or a complex one."""
    common = dt.to_float(dt.promote(*dtypes))
    return (common,) * len(dtypes), common


@cache
def comparing(*dtypes: str) -> Signature:
    """Operands in the common dtype, a boolean result."""
    return promoting(*dtypes)[0], "bool"


@cache
def bitwise(*dtypes: str) -> Signature:
    """Booleans and integers only."""
    operands, common = promoting(*dtypes)
    if dt.is_inexact(common):
        raise TypeMismatch(f"bitwise operations take booleans and integers, not {common}")
    return operands, common


@cache
def measuring(*dtypes: str) -> Signature:
    """All operands in the common dtype, the result in the dtype of its parts where that is complex."""
    operands, common = promoting(*dtypes)
    return operands, dt.to_real(common)


@cache
def splitting(*dtypes: str) -> Signature:
    """Complex numbers only, the result in the dtype of their parts."""
    operands, result = measuring(*dtypes)
    if not dt.is_complex(operands[0]):
        raise TypeMismatch(f"this operation takes complex numbers, not {operands[0]}")
    return operands, result


@cache
def joining(*dtypes: str) -> Signature:
    """Real operands in a floating dtype, a complex result."""
    operands, common = floating(*dtypes)
    if dt.is_complex(common):
        raise TypeMismatch("the parts of a complex number are real")
    return (dt.to_real(dt.to_complex(common)),) * len(operands), dt.to_complex(common)


@cache
def selecting(condition: str, a: str, b: str) -> Signature:
    """A boolean, and two alternatives of one dtype."""
    common = dt.promote(a, b)
    return ("bool", common, common), common


# -- samples: where an op is tested -----------------------------------------------------------------


def anything(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values of both signs."""
    return rng.normal(size=shape) * 2


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Values between 0.2 and 3."""
    return rng.uniform(0.2, 3, size=shape)


# -- kinds ------------------------------------------------------------------------------------------


def elementwise(
    name: str,
    evaluate: Callable[..., Any],
    signature: Callable[..., Signature],
    *,
    c: str | dict[str, str],
    d: Callable[..., tuple[Any, ...]] | None = None,
    support: str = "",
    cost: int = 1,
    sample: Callable[..., Any] = anything,
    commutes: bool = False,
    absolute: float = 0.0,
    doc: str,
) -> Op:
    """An op on corresponding elements, with broadcasting.

    evaluate: the NumPy function. c: C text with {0}, {1} for the operands and {f} for the float suffix; a dict gives
    one text each for "float", "int", "uint", "bool" and "complex" operands, "" for those not named; without one for
    "complex" the op does not take complex numbers. d: partial derivatives d(*args, y); see docs/adr on complex numbers.
    support: C functions that the text calls, best `static inline`.
    """
    texts = [c] if isinstance(c, str) else list(c.values())
    signature = signature if isinstance(c, dict) and "complex" in c else real_only(name, signature)
    arity = 1 + max(int(k) for t in texts for k in re.findall(r"\{(\d)\}", t))

    def infer(*args: Node, **attrs: Any) -> Type:
        try:
            shape = dims.broadcast([a.type.shape for a in args])
        except ShapeError as error:
            shown = " and ".join(str(a.type) for a in args)
            raise ShapeError(f"{name}: {shown} do not broadcast: {error}") from None
        return Type(signature(*[a.type.dtype for a in args])[1], shape)

    def reference(*arrays: Array, shape: tuple[int, ...]) -> Array:
        return evaluate(*arrays)

    return register(
        Op(
            name=name, kind="elementwise", infer=infer, evaluate=reference, signature=signature, d=d, c=c,
            support=support, cost=cost, commutes=commutes, absolute=absolute, sample=sample, arity=arity, doc=doc,
        )
    )  # fmt: skip


def real_only(name: str, signature: Callable[..., Signature]) -> Callable[..., Signature]:
    """The signature without complex operands."""

    @cache
    def checked(*dtypes: str) -> Signature:
        found = signature(*dtypes)
        if any(map(dt.is_complex, found[0])):
            raise TypeMismatch(f"{name} is not defined for complex numbers; take x.real, x.imag or abs(x) first")
        return found

    return checked


def reduction(
    name: str,
    evaluate: Callable[..., Any],
    *,
    combine: str,
    init: Callable[[str], Any],
    vjp: Callable[..., Any] | None = None,
    jvp: Callable[..., Any] | None = None,
    doc: str,
) -> Op:
    """An op that joins the elements along `axes` (a sorted tuple) by the associative op `combine`."""

    def infer(x: Node, axes: tuple[int, ...]) -> Type:
        if dt.is_complex(x.dtype):
            signature(OPS[combine], (x.dtype, x.dtype))  # raises where complex numbers are not joined so
        return Type(x.dtype, tuple(d for k, d in enumerate(x.shape) if k not in axes))

    def reference(x: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
        return evaluate(x, axis=axes)

    return register(
        Op(name=name, kind="reduce", infer=infer, evaluate=reference, combine=combine, init=init, vjp=vjp, jvp=jvp,
           cost=1000, sample=anything, doc=doc)
    )  # fmt: skip


def indexing(
    name: str,
    infer: Callable[..., Type],
    index: Callable[[Node, Index], Index],
    evaluate: Callable[..., Any],
    vjp: Callable[[Node, Node], tuple[Any, ...]],
    *,
    equal: Callable[[Node], list[tuple[Dim, Dim]]] | None = None,
    doc: str,
) -> Op:
    """An op that only says where each element of the result comes from: output index -> input index.

    The first argument is the array, further ones are int64 scalars. Linear, so its jvp is itself.
    """

    def jvp(node: Node, tangents: list[Node | None]) -> Node | None:
        return None if tangents[0] is None else node.op(tangents[0], *node.args[1:], **dict(node.attrs))

    return register(
        Op(name=name, kind="index", infer=infer, evaluate=evaluate, index=index, vjp=vjp, jvp=jvp, cost=0, equal=equal,
           doc=doc)
    )  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """A part of a result: over `domain`, result[target(idx)] takes (or is combined with) source[idx].

    target(idx, element) gives the index in the result; element(array, idx) is the value of another array there, or of
    the result itself as earlier iterations left it. A source may be a function value(idx, element) instead of an array.
    """

    domain: tuple[Dim, ...]
    source: Node | Callable[[Index, Callable[[Node, Index], Node]], Node]
    target: Callable[[Index, Callable[[Node, Index], Node]], Index]
    combine: str = ""
    indices: tuple[Node, ...] = ()


def here(idx: Index, element: Any) -> Index:
    """The target of a piece that covers the result as it is."""
    return idx


def storing(
    name: str,
    infer: Callable[..., Type],
    pieces: Callable[[Node], list[Piece]],
    evaluate: Callable[..., Any],
    vjp: Callable[[Node, Node], tuple[Any, ...]],
    jvp: Callable[[Node, list[Node | None]], Node | None],
    *,
    equal: Callable[[Node], list[tuple[Dim, Dim]]] | None = None,
    doc: str,
) -> Op:
    """An op whose result is filled by several pieces, each a loop nest of its own."""
    return register(
        Op(name=name, kind="store", infer=infer, evaluate=evaluate, pieces=pieces, vjp=vjp, jvp=jvp, cost=1000,
           equal=equal, doc=doc)
    )  # fmt: skip


def composite(
    name: str,
    infer: Callable[..., Type],
    expand: Callable[[Node], Node],
    evaluate: Callable[..., Any],
    vjp: Callable[[Node, Node], tuple[Any, ...]] | None = None,
    jvp: Callable[[Node, list[Node | None]], Node | None] | None = None,
    *,
    doc: str,
) -> Op:
    """An op that stands for an expression, kept whole so that rules see it, and expanded late.

    Without vjp or jvp, derivatives are those of the expression.
    """
    return register(
        Op(name=name, kind="composite", infer=infer, evaluate=evaluate, expand=expand, vjp=vjp, jvp=jvp, cost=1000,
           sample=anything, doc=doc)
    )  # fmt: skip


def calling(
    name: str,
    infer: Callable[..., Type],
    evaluate: Callable[..., Any],
    vjp: Callable[[Node, Node], tuple[Any, ...]] | None,
    jvp: Callable[[Node, list[Node | None]], Node | None] | None,
    *,
    equal: Callable[[Node], list[tuple[Dim, Dim]]] | None = None,
    expand: Callable[[Node], Node] | None = None,
    may_raise: bool = False,
    doc: str,
) -> Op:
    """An op done by a library call on whole arrays."""
    return register(
        Op(name=name, kind="call", infer=infer, evaluate=evaluate, vjp=vjp, jvp=jvp, cost=1000, equal=equal,
           expand=expand, may_raise=may_raise, doc=doc)
    )  # fmt: skip
