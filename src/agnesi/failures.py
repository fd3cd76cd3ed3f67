"""Failures at a call, told in the user's terms."""

from __future__ import annotations

from agnesi.errors import IndexOutOfRange, ShapeError, SingularMatrixError
from agnesi.ir.graph import Graph, line_near
from agnesi.ir.node import Node
from agnesi.ir.type import dim_text
from agnesi.schedule.sizes import Site


def explain_failure(graph: Graph, site: Site, values: tuple[int, ...], name: str) -> Exception:
    """The exception for a failed check."""
    prefix = f"{name}: " if name else ""
    graph = site.graph or graph
    if site.kind == "input":
        node = graph.inputs[site.position]
        dim = node.shape[site.axis]
        what = f"dimension {dim_text(dim)!r}" if isinstance(dim, Node) else f"axis {site.axis}"
        return ShapeError(
            f"{prefix}input {site.position} ({node['tag']}: {node.type}): "
            f"{what} is {values[0]}, and should be {values[1]}"
        )
    if site.position < 0:
        node = graph.inputs[-1 - site.position]
        have, want = values[:2]
        return ShapeError(f"{prefix}the update of {node['tag']}: {node.type} has size {have} where {want} is needed")
    node = graph.order[site.position]
    line = line_near(graph, site.position)
    where = f"\n  built at {line}" if line else ""
    if site.kind == "index":
        reader = next((n for n in graph.order if node in n.args), node)
        index, size = values[:2]
        return IndexOutOfRange(
            f"{prefix}{call(reader)}: index {index} is out of range for an axis of size {size}{where}"
        )
    if site.kind == "singular":
        column, size = values[:2]
        return SingularMatrixError(f"{prefix}solve: the {size}x{size} matrix is singular at column {column}{where}")
    if site.kind == "negative":
        return ShapeError(f"{prefix}{node.op.name}: the size {values[0]} is negative{where}")
    if node.op.name == "nonempty":
        what = f"{node['name']} of no elements: {node.type} along {node['axes']}"
        return ShapeError(f"{prefix}{what}; max and min take `initial` for that case{where}")
    return ShapeError(f"{prefix}{call(node)}: sizes {values[0]} and {values[1]} should be equal{where}")


def call(node: Node) -> str:
    """An operation with the types of its arguments."""
    return f"{node.op.name}({', '.join(str(a.type) for a in node.args)})"
