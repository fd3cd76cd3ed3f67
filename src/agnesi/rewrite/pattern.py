"""The rewriting engine: rules are data, written with the ops themselves; this file finds and applies them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from agnesi import config
from agnesi.errors import VerificationError
from agnesi.ir.graph import Graph
from agnesi.ir.node import CONST, INPUT, Node, const, rebuild, same_shape, value_of
from agnesi.ir.op import OPS, Op, Operand

Class = Literal["bitwise", "rounding", "stable", "real"]
Bindings = dict[str, Any]


class Pattern(Operand):
    """A variable of a rule (op is None), or an op applied to patterns and numbers.

    A variable whose kind is "const" binds a scalar constant only. Attributes may be patterns: they bind the value.
    """

    __slots__ = ("op", "args", "attrs", "name", "kind")
    precedence = 2

    def __init__(
        self, op: Op | None = None, args: tuple[Any, ...] = (), attrs: Any = (), name: str = "", kind: str = ""
    ) -> None:
        self.op, self.args, self.attrs, self.name, self.kind = op, args, tuple(attrs), name, kind

    @classmethod
    def apply(cls, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Pattern:
        return Pattern(op, args, sorted(attrs.items()))

    def __repr__(self) -> str:
        if self.op is None:
            return self.name
        return f"{self.op.name}({', '.join([*map(repr, self.args), *(f'{k}={v!r}' for k, v in self.attrs)])})"


def var(name: str, kind: str = "") -> Pattern:
    """A variable of a rule."""
    return Pattern(name=name, kind=kind)


@dataclass(frozen=True)
class Rule:
    """left -> right, for nodes of left's op.

    right is a pattern, or a function of the bindings that gives a node or None. kind tells what is kept: "bitwise"
    the bits; "rounding" the value up to rounding, NaN and infinities included; "stable" is nearer to the value in
    real numbers; "real" holds of real numbers only and is not used unless asked for. when: a further condition.
    example: an expression to test the rule on, for rules whose left side alone does not give one. fits: whether
    arguments of these ops leave any hope, for rules whose left side does not tell.
    """

    name: str
    left: Pattern
    right: Any
    kind: Class
    when: Callable[[Bindings], bool] | None = None
    example: Callable[[], Node] | None = None
    fits: Callable[[tuple[Op, ...]], bool] | None = None


@dataclass
class Report:
    """How often each rule fired, and how many applications are left."""

    fired: Counter[str] = field(default_factory=Counter)
    fuel: int = -1


def match(pattern: Any, node: Any, found: Bindings) -> bool:
    """Whether the node has the form of the pattern; fills in the bindings."""
    if not isinstance(pattern, Pattern):
        return isinstance(node, Node) and node.op is CONST and value_of(node) == pattern
    if pattern.op is None:
        if pattern.kind == "const" and not (isinstance(node, Node) and node.op is CONST):
            return False
        bound = found.setdefault(pattern.name, node)
        return bound is node if isinstance(node, Node) else bool(bound == node)
    if not isinstance(node, Node) or node.op is not pattern.op:
        return False
    if not all(match_attr(p, node[k], found) for k, p in pattern.attrs):
        return False
    orders = (node.args, node.args[::-1]) if pattern.op.commutes else (node.args,)
    for args in orders:
        if not plausible(pattern.args, args):
            continue
        trial = dict(found)
        if all(match(p, a, trial) for p, a in zip(pattern.args, args, strict=False)):
            found.update(trial)
            return True
    return False


def plausible(patterns: tuple[Any, ...], args: tuple[Node, ...]) -> bool:
    """A quick look at the ops of the arguments; most rules fail here."""
    for pattern, arg in zip(patterns, args, strict=False):
        if not isinstance(pattern, Pattern):
            if arg.op is not CONST:
                return False
        elif pattern.op is not None:
            if arg.op is not pattern.op:
                return False
        elif pattern.kind and arg.op is not CONST:
            return False
    return True


def match_attr(pattern: Any, value: Any, found: Bindings) -> bool:
    """Whether an attribute has this value, or binds."""
    if isinstance(pattern, Pattern):
        return bool(found.setdefault(pattern.name, value) == value)
    return bool(pattern == value)


def build(pattern: Any, found: Bindings, dtype: str) -> Any:
    """The node of a right side."""
    if not isinstance(pattern, Pattern):
        return pattern
    if pattern.op is None:
        return found[pattern.name]
    args = [build(p, found, dtype) for p in pattern.args]
    attrs = {k: build(v, found, dtype) if isinstance(v, Pattern) else v for k, v in pattern.attrs}
    if not any(isinstance(a, Node) for a in args):
        args = [const(a, dtype) for a in args]
    return pattern.op(*args, **attrs)


def result_of(rule: Rule, node: Node, uses: Mapping[Node, int]) -> Node | None:
    """What the rule makes of the node; None when it does not apply or would change the type.

    Functions of bindings also find the node itself under "node" and the number of its users' arguments under "uses".
    """
    found: Bindings = {}
    if not match(rule.left, node, found) or (rule.when is not None and not rule.when(found)):
        return None
    found |= {"node": node, "uses": uses}
    new = rule.right(found) if callable(rule.right) else build(rule.right, found, node.dtype)
    if new is None:
        return None
    if not isinstance(new, Node):
        new = const(new, node.dtype)
    if new is node or new.dtype != node.dtype:
        return None
    if not same_shape(new.shape, node.shape):
        if new.ndim > node.ndim:
            return None
        new = OPS["broadcast_to"](new, *[d if isinstance(d, Node) else const(d, "int64") for d in node.shape])
        if new is node:
            return None
    return new


class Rewriter:
    """Applies rules to a graph until none applies; every node is visited a bounded number of times."""

    LIMIT = 64

    def __init__(self, rules: Iterable[Rule], report: Report | None = None) -> None:
        self.by_op: dict[Op, list[Rule]] = {}
        for rule in rules:
            assert rule.left.op is not None
            self.by_op.setdefault(rule.left.op, []).append(rule)
        self.fitting: dict[tuple[Op, ...], list[Rule]] = {}
        self.report = report or Report(fuel=config.settings().fuel)
        self.done: dict[Node, Node] = {}
        self.uses: Counter[Node] = Counter()

    def graph(self, graph: Graph) -> Graph:
        """The graph with its outputs rewritten."""
        self.uses = Counter(a for n in graph.order for a in n.args)
        return graph.replace(self.nodes(graph.outputs))

    def nodes(self, roots: Sequence[Node]) -> list[Node]:
        """The rewritten roots."""
        for root in roots:
            self._run(root)
        return [self.done[r] for r in roots]

    def _run(self, root: Node) -> None:
        """A stack of (node, rewritten so far, number of rules applied to it): arguments first, then the node."""
        done = self.done
        stack: list[tuple[Node, Node, int]] = [(root, root, 0)]
        while stack:
            origin, node, count = stack.pop()
            if origin in done:
                continue
            if node in done:
                self._replace(origin, done[node])
                continue
            waiting = [a for a in node.args if a not in done]
            if waiting:
                stack.append((origin, node, count))
                stack.extend((a, a, 0) for a in waiting)
                continue
            fresh = node if node.op is INPUT else rebuild(node, tuple(done[a] for a in node.args))
            new = self._step(fresh) if fresh not in done else done[fresh]
            if new is fresh or fresh in done:
                done[node] = done[fresh] = new
                self._replace(origin, new)
                continue
            if count >= self.LIMIT:
                raise VerificationError(f"rules keep rewriting {origin!r}; the last made {new!r}")
            stack.append((origin, new, count + 1))
            if node is not origin:
                stack.append((node, new, count + 1))

    def _replace(self, origin: Node, new: Node) -> None:
        """Notes what became of a node; those who use it will use that."""
        self.done[origin] = new
        if new is not origin:
            self.uses[new] += self.uses[origin]

    def _rules(self, node: Node) -> list[Rule]:
        """The rules of which the ops of a node and of its arguments leave any hope."""
        ops = (node.op, *(a.op for a in node.args))
        found = self.fitting.get(ops)
        if found is None:
            orders = (node.args, node.args[::-1]) if node.op.commutes else (node.args,)
            possible = [r for r in self.by_op.get(node.op, ()) if r.fits is None or r.fits(ops[1:])]
            found = self.fitting[ops] = [r for r in possible if any(plausible(r.left.args, o) for o in orders)]
        return found

    def _step(self, node: Node) -> Node:
        """The node after the first rule that applies."""
        for rule in self._rules(node):
            if self.report.fuel == 0:
                return node
            new = result_of(rule, node, self.uses)
            if new is not None:
                self.report.fuel -= 1
                self.report.fired[rule.name] += 1
                return new
        return node
