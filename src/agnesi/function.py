"""function(): from variables to a callable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from agnesi import config
from agnesi.compiled import Function as Function, make
from agnesi.errors import TypeMismatch
from agnesi.ir.graph import Graph, find_inputs
from agnesi.ir.node import INPUT, Node
from agnesi.ir.show import dprint as tree_text, pprint as formula_text
from agnesi.ir.variable import Variable, as_node, method
from agnesi.schedule.sizes import plain
from agnesi.shared import SharedVariable, counters, is_shared
from agnesi.signature import (
    In as In,
    Out as Out,
    check_update,
    missing_input,
    output_list,
    replaced,
    unused,
    update_pairs,
)  # fmt: skip


def function(
    inputs: Sequence[Variable | In],
    outputs: Any = None,
    updates: Mapping[SharedVariable, Any] | Sequence[tuple[SharedVariable, Any]] = (),
    givens: Mapping[Any, Any] | Sequence[tuple[Any, Any]] = (),
    mode: str | None = None,
    name: str = "",
    on_unused_input: str = "raise",
    allow_input_downcast: bool | None = None,
    threads: int | None = None,
    device: str | None = None,
) -> Function:
    """Compiles expressions to a callable.

    inputs: variables, or In for options. outputs: one expression (the call returns an array), a list or dict of them
    (a list or dict), or None. updates: new values of shared variables, all computed from the old ones. givens:
    expressions to put in place of others. mode: "fast_run", "fast_math" (also rules that hold of real numbers
    only: factors and terms leave sums, x * 0 is 0), "fast_compile" (fewer rewrites), "debug" (every pass is checked),
    "reference" (NumPy). on_unused_input: "raise" UnusedInputError, "warn" or "ignore".
    allow_input_downcast: whether arguments may lose precision. threads: how many a call may use, 0 for one on each
    processor; the setting of that name unless given. device: "cpu", "cuda", whose results are CuPy's arrays, or
    "cuda-emulated", which runs CUDA's kernels on the processor, slowly, to test them; the setting of that name unless
    given.

    Raises UnknownInputError, UnusedInputError, TypeMismatch; calls raise ShapeError, IndexOutOfRange and
    SingularMatrixError, and then leave every shared variable as it was.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> f = ag.function([x], x * 2)
    >>> f([1.0, 2.0]).tolist()
    [2.0, 4.0]
    """
    if not isinstance(inputs, (list, tuple)):
        raise TypeMismatch(f"the inputs of a function are a list of variables, not {inputs!r}")
    given = [i if isinstance(i, In) else In(i) for i in inputs]
    for option in given:
        if option.allow_downcast is None:
            option.allow_downcast = allow_input_downcast
        if not isinstance(option.variable, Variable) or option.variable.node.op is not INPUT:
            raise TypeMismatch(
                f"an input of a function is a variable made by at.tensor and its like, not {option.variable!r}"
            )
        if is_shared(option.variable.node):
            raise TypeMismatch(f"{option.variable!r} is shared: its value is not passed; use givens to replace it")
    nodes = [i.variable.node for i in given]
    if len(set(nodes)) < len(nodes):
        twice = next(n for k, n in enumerate(nodes) if n in nodes[:k])
        raise TypeMismatch(f"{twice['tag']} stands twice among the inputs")
    result, wanted = output_list(outputs)
    pairs = update_pairs(updates)
    roots = replaced([*wanted, *(v for _, v in pairs)], givens)
    for n in counters(roots, [old for old, _ in pairs]):
        pairs.append((n, n + n["tag"].step))
        roots.append(pairs[-1][1])
    for (old, _), new in zip(pairs, roots[len(wanted) :], strict=True):
        check_update(old, new)
    found = find_inputs(roots)
    unused(given, roots, on_unused_input)
    shared = list(dict.fromkeys([n for n in found if n not in nodes and is_shared(n)] + [s for s, _ in pairs]))
    unknown = [n for n in found if n not in nodes and not is_shared(n)]
    if unknown:
        raise missing_input(unknown[0])
    graph = plain(Graph([*nodes, *shared], roots))
    places = [(len(wanted) + k, len(nodes) + shared.index(old)) for k, (old, _) in enumerate(pairs)]
    settings = config.settings()
    number = settings.threads if threads is None else threads
    return make(graph, given, shared, places, result, mode or settings.mode, name, number, device or settings.device)


# -- conveniences -----------------------------------------------------------------------------------------


@method("eval")
def eval(variable: Variable, values: Mapping[Variable, Any] | None = None) -> np.ndarray:
    """The value of an expression for given values of its inputs.

    >>> import agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> float((x + 1).eval({x: 1.0}))
    2.0
    """
    values = values or {}
    inputs = [In(v, allow_downcast=True) for v in values]
    return function(inputs, variable, on_unused_input="ignore")(*values.values())


def clone(output: Any, replace: Mapping[Any, Any]) -> Any:
    """Expressions with parts replaced.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x, y = at.scalar("x"), at.scalar("y")
    >>> print(ag.pprint(ag.clone(x + 1, {x: y})))
    y + 1.0
    """
    many = isinstance(output, (list, tuple))
    roots = replaced([as_node(o) for o in (output if many else [output])], replace)
    return [Variable(r) for r in roots] if many else Variable(roots[0])


def _roots(what: Any) -> list[Node]:
    if isinstance(what, Function):
        return list(what.compiled().graph.outputs)
    return [as_node(w) for w in (what if isinstance(what, (list, tuple)) else [what])]


def dprint(what: Any) -> str:
    """Variables, or the optimized graph of a function, as an indented tree."""
    return tree_text(_roots(what))


def pprint(what: Any) -> str:
    """Variables, or the optimized graph of a function, as formulas."""
    return formula_text(_roots(what))
