"""Scalars and statements as text of the C family: what the C and CUDA printers share."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, INDEX, LOAD, SYMBOL, TEMP, Node, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim
from agnesi.loops.stmt import Buffer, Check, offset

CTYPE = {
    "bool": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t",
    "uint8": "uint8_t", "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t",
    "float16": "float", "bfloat16": "float",
    "float32": "float", "float64": "double", "complex64": "ag_c64", "complex128": "ag_c128",
}  # fmt: skip
STORED = CTYPE | {"float16": "uint16_t", "bfloat16": "uint16_t"}
"""The C types of elements in memory; halves are floats elsewhere."""

HALF = {"float16": "h", "bfloat16": "b"}
"""The first letter of the functions in half_math.h."""

EXACT = {"neg", "abs", "maximum", "minimum", "where", "copy", "hint", "sign", "floor", "ceil", "trunc", "rint"}
"""Operations on halves whose result needs no rounding."""


def family(dtype: str) -> str:
    """Which of an op's texts serves a dtype."""
    if dt.is_inexact(dtype):
        return "float" if dt.is_float(dtype) else "complex"
    return "bool" if dtype == "bool" else "uint" if dtype in dt.UNSIGNED else "int"


def number_of(dtype: str) -> int:
    """The number by which NumPy knows a dtype; bfloat16, which has a new one in each process, goes as uint16."""
    return np.dtype("uint16" if dtype == "bfloat16" else dtype).num


def literal(value: Any, dtype: str) -> str:
    """A constant as C text."""
    if isinstance(value, complex):
        parts = (literal(part, dt.to_real(dtype)) for part in (value.real, value.imag))
        return f"AG_COMPLEX({', '.join(parts)})"
    if dtype in dt.FLOATS:
        suffix = "" if dtype == "float64" else "f"
        number = float(value)
        if math.isnan(number):
            return f'__builtin_nan{suffix}("")'
        if math.isinf(number):
            return f"({'-' if number < 0 else ''}__builtin_inf{suffix}())"
        text = f"{number!r}{suffix}"
        return f"({text})" if number < 0 or text.startswith("-") else text
    if dtype == "bool":
        return str(int(value))
    if dtype == "int64" and value == -(2**63):
        return "(-9223372036854775807LL - 1)"
    suffix = {"int64": "" if abs(int(value)) < 2**31 else "LL", "uint64": "ULL", "uint32": "U"}.get(dtype, "")
    return f"{int(value)}{suffix}" if value >= 0 else f"({int(value)}{suffix})"


def operation(name: str, dtype: str, result: str, operands: list[str], attrs: dict[str, object]) -> str:
    """The text of an op on operand texts of this dtype."""
    op = OPS[name]
    text = op.c if isinstance(op.c, str) else op.c.get(family(dtype), op.c.get(""))
    if text is None:
        raise AssertionError(f"{name} has no C text for {dtype}")
    suffix = "f" if dt.wide(dt.to_real(dtype)) == "float32" else ""
    done = text.format(*operands, f=suffix, t=CTYPE[result], **attrs)
    if result in dt.HALVES:
        return rounded(operands[0] if name == "cast" else done, name, dtype, result)
    narrow = not dt.is_inexact(result) and result not in ("bool", "int64", "uint64")
    return f"({CTYPE[result]}){done}" if narrow and name != "cast" else done


def rounded(text: str, name: str, dtype: str, result: str) -> str:
    """The text of a result in half precision."""
    if name in EXACT:
        return text
    if name == "cast" and dt.is_complex(dtype):
        text = f"AG_REAL({text})"
    if name == "cast" and result == "float16" and dtype in ("float64", "complex128"):
        text = f"h_narrow({text})"
    return f"{HALF[result]}_round({text})"


def loaded(text: str, dtype: str) -> str:
    """The value of an element in memory."""
    return f"{HALF[dtype]}_load({text})" if dtype in HALF else text


def stored(text: str, dtype: str) -> str:
    """A value as it goes to memory."""
    return f"{HALF[dtype]}_store({text})" if dtype in HALF else text


def weight(text: str) -> int:
    """What takes a compiler some 2 ms each: loops, and calls of elementary functions."""
    return len(re.findall(r"\bfor \(|\bv_\w+\(", text))


class Printer:
    """Expressions of one function; collects the names they mention, in order."""

    def __init__(self, buffers: dict[str, Buffer], storage: dict[str, str], symbols: dict[Node, str]) -> None:
        self.buffers, self.storage, self.symbols = buffers, storage, symbols
        self.free: dict[str, str] = {}  # names from outside and their C types
        self.local: dict[Node, str] = {}
        self.counted: set[Node] = set()  # the counters of its loops
        self.support: dict[str, None] = {}  # functions that the text calls

    def expression(self, node: Node) -> str:
        """The C text of a scalar expression."""
        if node.op is CONST:
            return literal(value_of(node), node.dtype)
        if node.op is INDEX:
            return f"i{node['level']}"
        if node.op is TEMP:
            return self.local.get(node) or self.outside(node["name"], node.dtype)
        if node.op is SYMBOL:
            return self.outside(self.symbols[node], "int64")
        if node.op is LOAD:
            return loaded(self.element(node["buffer"], node.args), node.dtype)
        operands = [self.expression(a) for a in node.args]
        if node.op.support:
            self.support[node.op.support] = None
        if node.op.name == "cast" and node.dtype == "bool":
            return f"({operands[0]} != 0)"
        source = node.args[1].dtype if node.op.name == "where" else node.args[0].dtype
        return operation(node.op.name, source, node.dtype, operands, dict(node.attrs))

    def check(self, stmt: Check) -> str:
        """The text that leaves the function where a check fails."""
        a, b = (self.expression(s) for s in stmt.shown)
        outside = f"(uint64_t){self.expression(stmt.value)} >= (uint64_t){self.expression(stmt.bound)}"
        return f"if ({outside}) return ag_fail(call, {self.number(stmt.site)}, {a}, {b});"

    def number(self, site: int) -> str:
        """The number of a check."""
        return str(site)

    def outside(self, name: str, dtype: str) -> str:
        """A scalar that the function is given."""
        self.free.setdefault(name, f"const {CTYPE[dtype]}")
        return name

    def dim(self, dim: Dim) -> str:
        """A size as text."""
        return str(dim) if isinstance(dim, int) else self.expression(dim)

    def pointer(self, name: str) -> str:
        """The base of a buffer's memory."""
        return self.storage[name]

    def element(self, name: str, indices: tuple[Node, ...]) -> str:
        """An element of a buffer."""
        return f"{self.pointer(name)}[{self.strip(self.dim(offset(self.buffers[name], indices)))}]"

    @staticmethod
    def strip(text: str) -> str:
        """Without the parentheses around all of it."""
        if text.startswith("(") and text.endswith(")"):
            depth = 0
            for k, ch in enumerate(text):
                depth += (ch == "(") - (ch == ")")
                if depth == 0 and k < len(text) - 1:
                    return text
            return text[1:-1]
        return text
