"""A closed graph: inputs and outputs, the unit of compilation; rows are its canonical form."""

from __future__ import annotations

import copyreg
import hashlib
from collections.abc import Callable, Iterable
from typing import Any

from agnesi.errors import UnknownInputError
from agnesi.ir.dtype import normalize
from agnesi.ir.node import (
    ARRAY,
    CONST,
    INPUT,
    SYMBOL,
    ArrayValue,
    Node,
    Tag,
    make,
    topological,
)
from agnesi.ir.op import lookup
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import Variable, line_of

Row = tuple[Any, ...]


class Graph:
    """Inputs and the outputs computed from them; every leaf is an input, a constant or a dimension of an input.

    arrays: the array constants, in order of appearance; what rules make of a graph keeps those it had before, in their
    order, since compiled code is given them like inputs.

    Raises UnknownInputError when an output needs something else.
    """

    __slots__ = ("inputs", "outputs", "order", "symbols", "arrays")

    def __init__(self, inputs: Iterable[Node], outputs: Iterable[Node], arrays: Iterable[Node] = ()) -> None:
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.symbols: dict[Node, tuple[int, int]] = {}
        for position, node in enumerate(self.inputs):
            for axis, dim in enumerate(node.shape):
                if isinstance(dim, Node):
                    self.symbols.setdefault(dim, (position, axis))
        self.order = reachable(self.outputs)
        self.arrays = tuple(dict.fromkeys([*arrays, *(n for n in self.order if n.op is ARRAY)]))
        known = set(self.inputs)
        for node in self.order:
            if (node.op is INPUT and node not in known) or (node.op is SYMBOL and node not in self.symbols):
                where = line_of(node)
                raise UnknownInputError(
                    f"the outputs need {node['tag' if node.op is INPUT else 'name']}: {node.type}"
                    f"{', built at ' + where if where else ''}, which is not among the inputs; "
                    "add it to the inputs, give it a value by givens=, or make it a shared variable"
                )

    def replace(self, outputs: Iterable[Node]) -> Graph:
        """The same inputs and array constants, in their order, with other outputs."""
        outputs = tuple(outputs)
        return self if outputs == self.outputs else Graph(self.inputs, outputs, self.arrays)

    def expanded(self, wanted: Callable[[Node], bool]) -> Graph:
        """The graph with these composites, and those in what they stand for, replaced by what they stand for."""
        graph = self
        while any(wanted(n) for n in graph.order):
            done: dict[Node, Node] = {}
            for node in graph.order:
                new = make(node.op, tuple(done[a] for a in node.args), node.attrs) if node.args else node
                done[node] = new.op.expand(new) if new.op.expand is not None and wanted(new) else new
            graph = graph.replace([done[o] for o in graph.outputs])
        return graph

    def rows(self) -> list[Row]:
        """The graph as a flat list: inputs by position, symbols by (input, axis), everything else by row number.

        Equal graphs have equal rows, whatever their variables are called.
        """
        place: dict[Node, int] = {n: i for i, n in enumerate(self.inputs)}
        rows: list[Row] = [("input", n.dtype, tuple(self._dim(d) for d in n.shape)) for n in self.inputs]
        for node in self.order:
            if node in place:
                continue
            place[node] = len(rows)
            if node.op is SYMBOL:
                rows.append(("symbol", *self.symbols[node]))
            elif node.op is CONST:
                rows.append(("const", node.dtype, node["bits"]))
            elif node.op is ARRAY:
                rows.append(("array", node.dtype, node.shape))
            else:
                rows.append((node.op.name, tuple(place[a] for a in node.args), node.attrs))
        rows.append(("outputs", tuple(place[n] for n in self.outputs)))
        return rows

    def _dim(self, dim: Dim) -> Any:
        return dim if isinstance(dim, int) else self.symbols[dim]

    def digest(self) -> str:
        """A hash of the rows."""
        return hashlib.sha256(repr(self.rows()).encode()).hexdigest()

    def __reduce__(self) -> tuple[Any, ...]:
        tags = tuple(n["tag"] for n in self.inputs)
        keys = {where: symbol["key"] for symbol, where in self.symbols.items()}
        arrays = tuple(n["value"] for n in self.order if n.op is ARRAY)
        return from_rows, (self.rows(), tags, keys, arrays)


def line_near(graph: Graph, position: int) -> str:
    """Where the user built the node at this position, or the first one behind it that he built himself."""
    return next((line for node in graph.order[position:] if (line := line_of(node))), "")


def reachable(outputs: Iterable[Node]) -> list[Node]:
    """Every node that the outputs or the dimensions of their types need, arguments first."""
    outputs = list(outputs)
    order = topological(outputs)
    seen = set(order)
    dims = [d for n in order for d in n.shape if isinstance(d, Node) and d not in seen]
    return order + [n for n in topological(dims) if n not in seen] if dims else order


def from_rows(
    rows: list[Row], tags: tuple[Tag, ...], keys: dict[tuple[int, int], Tag | str], arrays: tuple[ArrayValue, ...]
) -> Graph:
    """The graph of a list of rows; the inverse of Graph.rows with the identities given apart."""
    symbols = {
        where: make(SYMBOL, (), (("key", key), ("name", str(key))), Type("int64")) for where, key in keys.items()
    }
    values = iter(arrays)
    nodes: list[Node] = []
    for row in rows[:-1]:
        kind = row[0]
        if kind == "input":
            shape = tuple(d if isinstance(d, int) else symbols[d] for d in row[2])
            nodes.append(make(INPUT, (), (("tag", tags[len(nodes)]),), Type(normalize(row[1]), shape)))
        elif kind == "symbol":
            nodes.append(symbols[row[1], row[2]])
        elif kind == "const":
            nodes.append(make(CONST, (), (("bits", row[2]),), Type(normalize(row[1]))))
        elif kind == "array":
            value = next(values)
            nodes.append(make(ARRAY, (), (("value", value),), Type(row[1], row[2])))
        else:
            nodes.append(make(lookup(kind), tuple(nodes[i] for i in row[1]), row[2]))
    return Graph(nodes[: len(tags)], [nodes[i] for i in rows[-1][1]])


def _load_variable(graph: Graph, name: str) -> Variable:
    return Variable(graph.outputs[0], name)


def _save_variable(variable: Variable) -> tuple[Any, ...]:
    node = variable.node
    leaves = [n for n in reachable([node]) if n.op is INPUT]
    return _load_variable, (Graph(leaves, [node]), variable.name)


copyreg.pickle(Variable, _save_variable)


def find_inputs(outputs: Iterable[Node]) -> list[Node]:
    """The inputs that the outputs depend on, in order of appearance."""
    return [n for n in reachable(outputs) if n.op is INPUT]
