"""Graphs as text that reads back, as a tree (dprint) and as a formula (pprint)."""

from __future__ import annotations

import ast
import re

import numpy as np

from agnesi.errors import GraphTextError
from agnesi.ir.dtype import is_complex, is_float, normalize
from agnesi.ir.graph import Graph, reachable
from agnesi.ir.node import (
    ARRAY,
    CONST,
    INPUT,
    SYMBOL,
    TEMP,
    ArrayValue,
    Node,
    Tag,
    const,
    make,
    symbol,
    topological,
    value_of,
)
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type


def text(graph: Graph) -> str:
    """One line per node; `parse` reads it back. Functions with derivatives given by hand show what they compute.

    >>> import agnesi as ag
    >>> x = ag.tensor.vector("x")
    >>> print(text(ag.Graph([x.node], [(x + 1).node])))
    %0 = input x float64[n]
    %1 = const 1.0 float64
    %2 = add %0 %1
    return %2
    """
    graph = graph.expanded(lambda node: node.op.name == "custom")
    dims = _symbol_names(graph)
    place: dict[Node, str] = {}
    lines = []
    known = set(graph.inputs)
    for node in [*graph.inputs, *(n for n in topological(graph.outputs) if n not in known)]:
        place[node] = f"%{len(place)}"
        lines.append(f"{place[node]} = {_right_side(node, place, dims)}")
    lines.append("return " + " ".join(place[n] for n in graph.outputs))
    return "\n".join(lines)


def _symbol_names(graph: Graph) -> dict[Node, str]:
    names: dict[Node, str] = {}
    for number, size in enumerate(graph.symbols):
        key = size["key"]
        names[size] = repr(key) if isinstance(key, str) else "nmkpqr"[number] if number < 6 else f"n{number}"
    return names


def _right_side(node: Node, place: dict[Node, str], dims: dict[Node, str]) -> str:
    if node.op is INPUT:
        return f"input {_name(str(node['tag']))} {node.dtype}[{', '.join(_dim(d, dims) for d in node.shape)}]"
    if node.op is SYMBOL:
        return f"symbol {dims[node]}"
    if node.op is CONST:
        return f"const {value_of(node)!r} {node.dtype}"
    if node.op is ARRAY:
        return f"array {node.dtype} {node['value'].array.tobytes().hex() or '-'} {node.shape!r}"
    parts = [node.op.name, *(place[a] for a in node.args), *(f"{k}={v!r}" for k, v in node.attrs)]
    return " ".join(parts)


def _name(name: str) -> str:
    """A name, in quotes unless it is plain."""
    return name if re.fullmatch(r"[\w.\-]+", name) else repr(name)


def _dim(dim: Dim, names: dict[Node, str]) -> str:
    return str(dim) if isinstance(dim, int) else names[dim]


_LINE = re.compile(r"(%\d+) = (\w+) ?(.*)")
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_INPUT = re.compile(rf"({_QUOTED}|[^\s'\"]+) (\w+)\[(.*)\]")
_SIZE = re.compile(rf"{_QUOTED}|\w+")
_ATTR = re.compile(r" ?(\w+)=")


def parse(source: str) -> Graph:
    """The graph of a text; raises GraphTextError with the line that does not read."""
    nodes: dict[str, Node] = {}
    symbols: dict[str, Node] = {}
    inputs: list[Node] = []
    for number, line in enumerate(source.strip().splitlines(), 1):
        try:
            if line.startswith("return"):
                return Graph(inputs, [nodes[name] for name in line.split()[1:]])
            match = _LINE.fullmatch(line)
            if match is None:
                raise ValueError("expected %number = operation ...")
            name, kind, rest = match.groups()
            nodes[name] = _parse_node(kind, rest, nodes, symbols)
            if kind == "input":
                inputs.append(nodes[name])
        except (KeyError, ValueError, SyntaxError) as error:
            raise GraphTextError(f"line {number}, {line!r}: {error}") from None
    raise GraphTextError("the text has no line `return`")


def _parse_node(kind: str, rest: str, nodes: dict[str, Node], symbols: dict[str, Node]) -> Node:
    if kind == "input":
        match = _INPUT.fullmatch(rest)
        if match is None:
            raise ValueError("expected input name dtype[dimensions]")
        name, dtype, dims = match.groups()
        shape = tuple(_parse_dim(d, symbols) for d in _SIZE.findall(dims))
        name = ast.literal_eval(name) if name.startswith(("'", '"')) else name
        return make(INPUT, (), (("tag", Tag(name)),), Type(normalize(dtype), shape))
    if kind == "symbol":
        return symbols[rest]
    if kind == "const":
        value, dtype = rest.rsplit(" ", 1)
        read = float if is_float(normalize(dtype)) else complex if is_complex(dtype) else ast.literal_eval
        return const(read(value), dtype)
    if kind == "array":
        dtype, data, sizes = rest.split(" ", 2)
        array = np.frombuffer(bytes.fromhex(data.strip("-")), dtype).reshape(ast.literal_eval(sizes))
        return make(ARRAY, (), (("value", ArrayValue(array)),), Type(dtype, array.shape))
    pieces = _ATTR.split(" " + rest) if rest else [""]
    args = tuple(nodes[a] for a in pieces[0].split())
    attrs = tuple((k, ast.literal_eval(v)) for k, v in zip(pieces[1::2], pieces[2::2], strict=True))
    return make(OPS[kind], args, attrs)


def _parse_dim(text: str, symbols: dict[str, Node]) -> Dim:
    if text.isdigit():
        return int(text)
    if text not in symbols:
        symbols[text] = symbol(ast.literal_eval(text) if text.startswith(("'", '"')) else "")
    return symbols[text]


# -- for people ------------------------------------------------------------------------------------


DEEP = 40  # levels of indentation; below, a number says how deep a line is


def dprint(outputs: list[Node]) -> str:
    """The expressions as an indented tree; a node that stands twice is shown once and then by its number."""
    order = reachable(outputs)
    uses: dict[Node, int] = {}
    for node in order:
        for arg in node.args:
            uses[arg] = uses.get(arg, 0) + 1
    numbers: dict[Node, int] = {}
    lines: list[str] = []
    stack = [(n, 0) for n in reversed(outputs)]
    while stack:
        node, depth = stack.pop()
        pad = "  " * depth if depth <= DEEP else f"{'  ' * DEEP}({depth}) "
        if node in numbers:
            lines.append(f"{pad}[{numbers[node]}]")
            continue
        label = ""
        if node.args and uses.get(node, 0) > 1:
            numbers[node] = len(numbers) + 1
            label = f"[{numbers[node]}] "
        lines.append(f"{pad}{label}{_headline(node)}")
        stack.extend((a, depth + 1) for a in reversed(node.args))
    return "\n".join(lines)


def _headline(node: Node) -> str:
    if node.op is CONST:
        return f"{value_of(node)!r} {node.dtype}"
    name = str(node["tag"]) if node.op is INPUT else node.op.name
    if node.op in (SYMBOL, TEMP):
        name = str(node["name"])
    attrs = ", ".join(f"{k}={v!r}" for k, v in node.attrs if node.args)
    return f"{name}{f'({attrs})' if attrs else ''} {node.type}"


_INFIX = {
    "add": ("+", 1), "sub": ("-", 1), "mul": ("*", 2), "div": ("/", 2), "pow": ("**", 4),
    "eq": ("==", 0), "lt": ("<", 0), "le": ("<=", 0), "gt": (">", 0), "ge": (">=", 0),
}  # fmt: skip


def pprint(outputs: list[Node]) -> str:
    """The expressions as formulas, with names t1, t2 ... for parts that stand more than once."""
    order = reachable(outputs)
    uses: dict[Node, int] = {}
    for node in order:
        for arg in node.args:
            uses[arg] = uses.get(arg, 0) + 1
    done: dict[Node, tuple[str, int]] = {}
    lines: list[str] = []
    for node in order:
        formula, strength = _formula(node, done)
        if node.args and (uses.get(node, 0) > 1 or len(formula) > 100) and node not in outputs:
            name = f"t{len(lines) + 1}"
            lines.append(f"{name} = {formula}")
            formula, strength = name, 9
        done[node] = formula, strength
    return "\n".join([*lines, *(done[n][0] for n in outputs)])


def _formula(node: Node, done: dict[Node, tuple[str, int]]) -> tuple[str, int]:
    if not node.args:
        return (repr(value_of(node)) if node.op is CONST else _headline(node).split(" ")[0]), 9
    if node.op.name in _INFIX:
        sign, strength = _INFIX[node.op.name]
        left, right = (done[a] for a in node.args)
        a = f"({left[0]})" if left[1] < strength else left[0]
        b = f"({right[0]})" if right[1] <= strength else right[0]
        return f"{a} {sign} {b}", strength
    attrs = [f"{k}={v!r}" for k, v in node.attrs]
    return f"{node.op.name}({', '.join([done[a][0] for a in node.args] + attrs)})", 9
