"""What function() is given: inputs and outputs with options, updates, givens; and what is wrong with them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from agnesi.errors import AgnesiError, ShapeError, TypeMismatch, UnknownInputError, UnusedInputError
from agnesi.ir.graph import reachable
from agnesi.ir.node import INPUT, Node, substitute, type_nodes
from agnesi.ir.type import same_type
from agnesi.ir.variable import Variable, as_node, line_of
from agnesi.shared import is_shared


class In:
    """An input with options: a default value, a name for calls by keyword, and whether dtypes may lose precision."""

    def __init__(
        self, variable: Variable, name: str = "", value: Any = None, allow_downcast: bool | None = None
    ) -> None:
        self.variable, self.name = variable, name or getattr(variable, "name", "")
        self.value, self.allow_downcast = value, allow_downcast


class Out:
    """An output with options."""

    def __init__(self, variable: Any, borrow: bool = False) -> None:
        self.variable, self.borrow = variable, borrow


def output_list(outputs: Any) -> tuple[Any, list[Node]]:
    """How results are returned, and the nodes."""
    if outputs is None:
        return "none", []
    if isinstance(outputs, Mapping):
        if not all(isinstance(k, str) for k in outputs):
            raise TypeMismatch("the keys of a dict of outputs are texts")
        return tuple(outputs), [output_node(o) for o in outputs.values()]
    if isinstance(outputs, (list, tuple)):
        return "list", [output_node(o) for o in outputs]
    return "one", [output_node(outputs)]


def output_node(output: Any) -> Node:
    """The node of an output."""
    return as_node(output.variable if isinstance(output, Out) else output)


def update_pairs(updates: Any) -> list[tuple[Node, Node]]:
    """Shared variables with their new values; raises TypeMismatch for a variable with two of them."""
    given = updates.items() if isinstance(updates, Mapping) else updates
    pairs = [(as_shared(variable), as_node(value, variable.dtype)) for variable, value in given]
    for tag in (old["tag"] for k, (old, _) in enumerate(pairs) if old in dict(pairs[:k])):
        raise TypeMismatch(f"{tag} is updated twice")
    return pairs


def as_shared(variable: Any) -> Node:
    """The node of a shared variable; raises TypeMismatch for anything else."""
    if not isinstance(variable, Variable) or variable.node.op is not INPUT or not is_shared(variable.node):
        raise TypeMismatch(f"only shared variables can be updated, not {variable!r}")
    return variable.node


def check_update(old: Node, new: Node) -> None:
    """Raises TypeMismatch or ShapeError when an update does not have the type of its variable."""
    if old.dtype != new.dtype:
        raise TypeMismatch(
            f"the update of {old['tag']}: {old.type} has dtype {new.dtype}; convert it with .astype({old.dtype!r})"
        )
    if not same_type(old.type, new.type):
        raise ShapeError(f"the update of {old['tag']}: {old.type} has type {new.type}")


def check_size(old: Node, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    """Raises ShapeError when an update would change the sizes of its variable."""
    if before != after:
        raise ShapeError(f"the update of {old['tag']}: {old.type} has shape {after} where {before} is needed")


def replaced(roots: list[Node], givens: Any) -> list[Node]:
    """The roots with givens put in."""
    mapping: dict[Node, Node] = {}
    for old, new in dict(givens).items():
        if not isinstance(old, Variable):
            raise TypeMismatch(f"givens: {old!r} is no variable; give pairs of a variable and what shall stand for it")
        node, value = old.node, as_node(new, old.dtype)
        if node.dtype != value.dtype or node.ndim != value.ndim:
            raise TypeMismatch(f"givens: {value.type} cannot stand for {node.type}")
        mapping[node] = value
        for a, b in zip(node.shape, value.shape, strict=True):
            if isinstance(a, Node) and a.op.name == "symbol" and a is not b:
                mapping.setdefault(a, b if isinstance(b, Node) else as_node(b))
    return substitute(roots, mapping) if mapping else roots


def unused(given: list[In], roots: list[Node], action: str) -> None:
    """Complains about inputs of which neither values nor sizes are needed."""
    if action not in ("raise", "warn", "ignore"):
        raise ValueError(f"on_unused_input is 'raise', 'warn' or 'ignore', not {action!r}")
    used = set(reachable(roots))
    idle = [i for i in given if i.variable.node not in used and not used.intersection(type_nodes(i.variable.node))]
    if not idle or action == "ignore":
        return
    message = (
        f"the outputs do not depend on {', '.join(i.name or repr(i.variable) for i in idle)}; "
        "leave it out, or pass on_unused_input='ignore'"
    )
    if action == "raise":
        raise UnusedInputError(message)
    warnings.warn(message, stacklevel=3)


def missing_input(node: Node) -> AgnesiError:
    """The error for a variable that has no value."""
    line = line_of(node)
    return UnknownInputError(
        f"the outputs need {node['tag']}: {node.type}{f', built at {line},' if line else ''} which is not among the "
        "inputs; add it to the inputs, give it a value by givens=, or make it a shared variable"
    )
