"""ifelse and cond: of two expressions, only the one that a condition chooses is computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from agnesi.control.branch import make_branch
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import CONST, Node, cast, value_of
from agnesi.ir.variable import Variable, as_node


def ifelse(condition: Any, then: Any, otherwise: Any, name: str = "") -> Any:
    """`then` where the condition holds, else `otherwise`; the other one is not computed.

    condition: a scalar; what is not 0 is true. then, otherwise: variables, or lists of as many. Values of two dtypes
    are promoted; shapes must be the same. What both sides need is computed in any case. Unlike `where`, which chooses
    element by element and computes both, this pays where a side is long; derivatives are branches too.

    Raises TypeMismatch where the condition is no scalar, or the sides differ in number or rank; ShapeError at the call
    where sizes differ.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> f = ag.function([x], ag.ifelse(x.sum() > 0, at.log(x), x - 1))
    >>> f([1.0, 1.0]).tolist(), f([-1.0, 0.0]).tolist()
    ([0.0, 0.0], [-2.0, -1.0])
    """
    name = name or "ifelse"
    holds = as_node(condition)
    if holds.ndim:
        raise TypeMismatch(f"the condition of {name} is a scalar, not {holds.type}; where chooses element by element")
    sides = [[as_node(v) for v in (s if isinstance(s, (list, tuple)) else [s])] for s in (then, otherwise)]
    if len(sides[0]) != len(sides[1]):
        raise TypeMismatch(f"{name} has {len(sides[0])} values on one side and {len(sides[1])} on the other")
    for pair in zip(*sides, strict=True):
        if pair[0].ndim != pair[1].ndim:
            raise TypeMismatch(f"{name} is {pair[0].type} on one side and {pair[1].type} on the other")
    dtypes = [dt.promote(a.dtype, b.dtype) for a, b in zip(*sides, strict=True)]
    sides = [[cast(v, d) for v, d in zip(side, dtypes, strict=True)] for side in sides]
    made = [Variable(n) for n in _chosen(cast(holds, "bool"), sides[0], sides[1], name)]
    return made if isinstance(then, (list, tuple)) else made[0]


def _chosen(condition: Node, then: list[Node], otherwise: list[Node], name: str) -> list[Node]:
    if condition.op is CONST:
        return then if value_of(condition) else otherwise
    return make_branch(condition, then, otherwise, name)


def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """`ifelse` between the results of two functions of the operands, as in JAX.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> y = ag.cond(x > 0, lambda v: v * 2, lambda v: -v, x)
    >>> float(y.eval({x: 3.0})), float(y.eval({x: -3.0}))
    (6.0, 3.0)
    """
    return ifelse(pred, true_fun(*operands), false_fun(*operands), "cond")
