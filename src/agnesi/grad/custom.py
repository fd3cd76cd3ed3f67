"""Functions of variables whose derivatives are given by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from agnesi.control.closed import general, inline
from agnesi.errors import GradientError, TypeMismatch
from agnesi.grad.forward import forward
from agnesi.grad.reverse import expanded_vjp, zeros_like
from agnesi.ir.graph import Graph, find_inputs
from agnesi.ir.node import ARRAY, Node, cast, input_node, make, substitute, topological
from agnesi.ir.op import Op, register
from agnesi.ir.type import Type
from agnesi.ir.variable import Variable, as_node
from agnesi.reference import evaluate

Rule = Callable[[list[Variable], list[Variable], list[Variable]], Sequence[Any]]


class Custom:
    """What a function computes, as a closed graph, and its derivatives; compared by identity.

    arrays: array constants of the function, which are its last arguments.
    """

    __slots__ = ("name", "body", "arrays", "vjp", "jvp")

    def __init__(self, name: str, inputs: list[Node], outputs: list[Node], vjp: Rule | None, jvp: Rule | None) -> None:
        strange = [n for n in find_inputs(outputs) if n not in inputs]
        if strange:
            raise TypeMismatch(f"{name} uses {strange[0]['tag']}: {strange[0].type}, which is not one of its arguments")
        self.name, self.vjp, self.jvp = name, vjp, jvp
        self.arrays = tuple(n for n in topological(outputs) if n.op is ARRAY)
        stand_ins = {n: input_node("", n.type) for n in self.arrays}
        self.body = Graph([*inputs, *stand_ins.values()], substitute(outputs, stand_ins))

    def __repr__(self) -> str:
        return f"<{self.name} {self.body.digest()}>"

    def __call__(self, args: Sequence[Node]) -> list[Variable]:
        """The outputs for these arguments."""
        full = (*args, *self.arrays)
        inline(self.body, full)  # raises what does not fit, in the terms of the operation that it does not fit
        return [Variable(make(CALL, full, (("custom", self), ("which", k)))) for k in range(len(self.body.outputs))]

    def apply(self, rule: Rule, node: Node, given: Sequence[Node], likes: Sequence[Node]) -> list[Node | None]:
        """What a rule returns for a node, as nodes of the types that it should have; raises GradientError."""
        own = [Variable(n) for n in node.args[: len(node.args) - len(self.arrays)]]
        outputs = [Variable(n) for n in outputs_of(node)]
        found = rule(own, outputs, [Variable(n) for n in given])
        found = list(found) if isinstance(found, (list, tuple)) else [found]
        if len(found) != len(likes):
            raise GradientError(f"{self.name}: {len(found)} derivatives are given where {len(likes)} are needed")
        result: list[Node | None] = []
        for value, like in zip(found, likes, strict=True):
            derivative = None if value is None else as_node(value, like.dtype)
            if derivative is not None and not fits(derivative, like):
                raise GradientError(f"{self.name}: a derivative is {derivative.type} where {like.type} is needed")
            result.append(None if derivative is None else cast(derivative, like.dtype))
        return result


def _infer(*args: Node, custom: Custom, which: int) -> Type:
    return inline(custom.body, args)[which].type


def outputs_of(node: Node) -> list[Node]:
    """All outputs of the function of which a node is one."""
    custom: Custom = node["custom"]
    return [make(CALL, node.args, (("custom", custom), ("which", k))) for k in range(len(custom.body.outputs))]


def fits(derivative: Node, like: Node) -> bool:
    """Whether a derivative can have the shape of what it is a derivative of."""
    if derivative.ndim != like.ndim:
        return False
    pairs = zip(derivative.shape, like.shape, strict=True)
    return all(a == b or not (isinstance(a, int) and isinstance(b, int)) for a, b in pairs)


def _vjp(node: Node, g: Node) -> tuple[Node | None, ...]:
    custom: Custom = node["custom"]
    if custom.vjp is None:
        return expanded_vjp(node, g)
    cotangents = [g if k == node["which"] else zeros_like(o) for k, o in enumerate(outputs_of(node))]
    constants = len(custom.arrays)
    own = node.args[: len(node.args) - constants]
    return (*custom.apply(custom.vjp, node, cotangents, own), *(None,) * constants)


def _jvp(node: Node, tangents: list[Node | None]) -> Node | None:
    custom: Custom = node["custom"]
    own = node.args[: len(node.args) - len(custom.arrays)]
    full = [zeros_like(a) if t is None else t for a, t in zip(own, tangents, strict=False)]
    if custom.jvp is None:
        return forward([_expand(node)], own, full)[0]
    return custom.apply(custom.jvp, node, full, outputs_of(node))[node["which"]]


def _expand(node: Node) -> Node:
    return inline(node["custom"].body, node.args)[node["which"]]


CALL: Op = register(
    Op(
        name="custom", kind="composite", infer=_infer, expand=_expand, cost=1000, vjp=_vjp,
        jvp=_jvp, evaluate=lambda *arrays, shape, custom, which: evaluate(custom.body, arrays)[which],
        doc="An output of a function whose derivatives are given by hand.",
    )
)  # fmt: skip


def custom_gradient(function: Callable[..., Any], vjp: Rule | None = None, jvp: Rule | None = None) -> Any:
    """The function of variables with derivatives given by hand, for reverse mode, forward mode or both.

    function: takes variables, returns one or a list. vjp(inputs, outputs, cotangents): the cotangents of the inputs;
    jvp(inputs, outputs, tangents): the tangents of the outputs; all lists of variables, None for what has none. A mode
    that is not given differentiates the function itself.

    Raises TypeMismatch when the function uses variables that are not its arguments.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> rounded = ag.custom_gradient(at.rint, vjp=lambda inputs, outputs, cotangents: cotangents)
    >>> x = at.scalar("x")
    >>> float(ag.grad(rounded(x) ** 2, x).eval({x: 2.9}))
    6.0
    """

    @wraps(function)
    def call(*args: Any) -> Any:
        nodes = [as_node(a) for a in args]
        inputs = general([n.type for n in nodes])
        found = function(*[Variable(n) for n in inputs])
        many = isinstance(found, (list, tuple))
        outputs = [as_node(f) for f in (found if many else [found])]
        results = Custom(getattr(function, "__name__", "the function"), inputs, outputs, vjp, jvp)(nodes)
        return results if many else results[0]

    return call


def OpFromGraph(
    inputs: Sequence[Any], outputs: Sequence[Any], lop_overrides: Rule | None = None, rop_overrides: Rule | None = None
) -> Any:
    """Theano's form of custom_gradient: the expressions `outputs` of the variables `inputs` as a function.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x, y = at.scalar("x"), at.scalar("y")
    >>> product = ag.OpFromGraph([x, y], [x * y])
    >>> float(product(x + 1, 2.0).eval({x: 2.0}))
    6.0
    """
    wanted = [as_node(i) for i in inputs]
    custom = Custom("the graph", wanted, [as_node(o) for o in outputs], lop_overrides, rop_overrides)

    def call(*args: Any) -> Any:
        if len(args) != len(wanted):
            raise TypeMismatch(f"the graph takes {len(wanted)} arguments, not {len(args)}")
        results = custom([cast(as_node(a, n.dtype), n.dtype) for a, n in zip(args, wanted, strict=True)])
        return results if len(results) > 1 else results[0]

    return call
