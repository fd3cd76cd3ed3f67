"""What decides whether compiled code can be used again: the key of a function in the cache."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from pathlib import Path
from typing import Any

from agnesi.ir.graph import Graph
from agnesi.ir.op import OF_USERS, OPS


def cache_key(graph: Graph, options: tuple[Any, ...]) -> str:
    """A hash of the graph, the options of its compilation, this package and this processor."""
    graph, rows = own_rows(graph)
    parts = (graph.digest(), repr(rows), repr(options), package_digest(), processor())
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def text_key(text: str, options: tuple[Any, ...]) -> str:
    """A hash of a C text, the options of its compilation, this package and this processor."""
    return hashlib.sha256("\n".join((text, repr(options), package_digest(), processor())).encode()).hexdigest()


@cache
def package_digest() -> str:
    """A hash of the package's own sources: a part of every cache key."""
    total = hashlib.sha256()
    root = Path(__file__).parent
    for path in sorted([*root.rglob("*.py"), *root.rglob("*.h")]):
        total.update(path.read_bytes())
    return total.hexdigest()


@cache
def processor() -> str:
    """What the compiler's -march=native depends on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next((line for line in lines if line.startswith(("flags", "Features"))), platform.processor())
    except OSError:
        return platform.processor() or platform.machine()


def own_rows(graph: Graph) -> tuple[Graph, list[Any]]:
    """The graph without composites declared by users, and the C texts of the other operations that they declared."""
    graph = graph.expanded(lambda node: node.op.kind == "composite" and node.op in OF_USERS)
    found = {n.op for n in graph.order} | {OPS[n.op.combine] for n in graph.order if n.op.combine}
    own = sorted(found & OF_USERS, key=lambda op: op.name)
    return graph, [(op.name, op.c, op.support, op.combine, op.cost, op.commutes) for op in own]
