"""Sequential loops as an operation: a closed graph that is evaluated step after step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from agnesi.control.closed import ByRows, closed, inline
from agnesi.errors import TypeMismatch
from agnesi.ir import dims
from agnesi.ir.graph import Graph
from agnesi.ir.node import Node, as_dim, dim_node, input_node, make, substitute
from agnesi.ir.op import Op, register
from agnesi.ir.type import Dim, Type
from agnesi.ops.declare import Array
from agnesi.ops.index import drop, iota, section
from agnesi.reference import evaluate


class Loop(ByRows):
    """What a loop does in a step.

    body: its inputs are the number of the step, an element of each sequence, the earlier values of each state, and what
    is the same in every step; its outputs are the next value of each state, then what each step gives besides.
    sequences: their number. taps: for each state how many steps back the earlier values lie that the body takes, the
    earliest first. until: whether the last output of the body says that this step is the last one; in its place the
    loop gives the number of steps that were taken, and what it has for later steps is anything. free: whether nothing
    else bounds the number of steps, so that there is no memory for all of them. truncate: through how many steps, the
    last ones, cotangents flow back; 0 for all. turned: of what each step gives, the outputs whose first element is that
    of the last step; they are made when all derivatives are there.
    """

    __slots__ = ("body", "sequences", "taps", "until", "free", "truncate", "turned", "name")

    def __init__(
        self, body: Graph, sequences: int, taps: tuple[tuple[int, ...], ...], until: bool = False, name: str = "",
        free: bool = False, truncate: int = 0, turned: tuple[int, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(body.rows(), sequences, taps, until, free, truncate, turned)
        self.body, self.sequences, self.taps, self.until, self.name = body, sequences, taps, until, name
        self.free, self.truncate, self.turned = free, truncate, turned

    def __repr__(self) -> str:
        return f"<loop {self.body.digest()} {self.sequences} {self.taps} {self.until}>"

    def __reduce__(self) -> tuple[Any, ...]:
        how = self.sequences, self.taps, self.until, self.name, self.free, self.truncate, self.turned
        return Loop, (self.body, *how)

    def with_body(self, body: Graph) -> Loop:
        """The same with another body of the same inputs and outputs."""
        return self if body is self.body else self._remade(body, self.turned)

    def turning(self, outputs: Sequence[int]) -> Loop:
        """The same with these of its outputs from the last step to the first."""
        return self._remade(self.body, tuple(sorted(outputs)))

    def _remade(self, body: Graph, turned: tuple[int, ...]) -> Loop:
        return Loop(body, self.sequences, self.taps, self.until, self.name, self.free, self.truncate, turned)

    def giving(self, values: Sequence[Node]) -> Loop:
        """The same with further values of the body that each step gives."""
        own = len(self.body.outputs) - self.until
        outputs = [*self.body.outputs[:own], *values, *self.body.outputs[own:]]
        return self.with_body(self.body.replace(outputs))

    def counted(self) -> Loop:
        """The same for a number of steps that is known."""
        body = self.body.replace(self.body.outputs[: len(self.body.outputs) - self.until])
        return Loop(body, self.sequences, self.taps, False, self.name)

    @property
    def states(self) -> int:
        return len(self.taps)

    @property
    def count(self) -> int:
        """The output that is the number of steps, where there is one."""
        return len(self.body.outputs) - 1 if self.until else -1

    @property
    def depths(self) -> tuple[int, ...]:
        """How many values of each state there are before the first step."""
        return tuple(max(taps) for taps in self.taps)

    @property
    def others(self) -> int:
        """The place of the first argument that is the same in every step."""
        return 1 + self.sequences + self.states

    def __call__(self, args: Sequence[Node]) -> list[Node]:
        """All outputs for the number of steps, sequences, first values of the states, and the others: the states with
        their first values in front, and what each step gives, along a new first axis."""
        return [output(self, args, k) for k in range(len(self.body.outputs))]

    def step(self, args: Sequence[Node], number: Node, histories: Sequence[Node]) -> list[Node]:
        """The body's outputs for a step, from the arguments of the loop and the values of its states so far."""
        first = 1 + self.sequences
        given = [number]
        given += [element(x, number) for x in args[1:first]]
        for taps, depth, history in zip(self.taps, self.depths, histories, strict=True):
            given += [element(history, dim_node(dims.add(number, depth - back))) for back in taps]
        return self.inlined([*given, *args[self.others :]])

    def inlined(self, inputs: Sequence[Node]) -> list[Node]:
        """The body's outputs for these inputs."""
        return inline(self.body, inputs)


def element(x: Node, number: Node) -> Node:
    """The part of an array at an index of the first axis, which must lie within it."""
    return drop(section(x, 0, as_dim(number), 1), axes=(0,))


def output(loop: Loop, args: Sequence[Node], which: int, last: bool = False) -> Node:
    """One output of a loop; of a state also its last value alone."""
    return make(loop_, tuple(args), (("last", last), ("loop", loop), ("which", which)))


def _histories(loop: Loop, args: Sequence[Node]) -> list[Node]:
    """Stand-ins for the values of the states at all steps."""
    found = []
    for depth, first in zip(loop.depths, args[1 + loop.sequences : loop.others], strict=True):
        shape = (dims.add(as_dim(args[0]), depth), *first.shape[1:])
        found.append(input_node("", Type(first.dtype, shape)))
    return found


def stepped(loop: Loop, args: Sequence[Node]) -> tuple[Node, list[Node]]:
    """A stand-in for the number of the step, and what a step gives in terms of it and of the arguments."""
    number = input_node("step", Type("int64"))
    return number, loop.step(args, number, _histories(loop, args))


def _infer(*args: Node, loop: Loop, which: int, last: bool) -> Type:
    if which < loop.states:
        first = args[1 + loop.sequences + which]
        rest = first.shape[1:]
        return Type(first.dtype, rest if last else (dims.add(as_dim(args[0]), loop.depths[which]), *rest))
    if which == loop.count:
        return Type("int64")
    result = stepped(loop, args)[1][which]
    return Type(result.dtype, (as_dim(args[0]), *result.shape))


def _equal(node: Node) -> list[tuple[Dim, Dim]]:
    loop: Loop = node["loop"]
    args = node.args
    pairs: list[tuple[Dim, Dim]] = [(x.shape[0], as_dim(args[0])) for x in args[1 : 1 + loop.sequences]]
    firsts = args[1 + loop.sequences : loop.others]
    pairs += [(f.shape[0], depth) for f, depth in zip(firsts, loop.depths, strict=True)]
    results = stepped(loop, args)[1]
    for first, result in zip(firsts, results, strict=False):
        pairs += list(zip(result.shape, first.shape[1:], strict=True))
    return pairs


def _evaluate(*args: Array, shape: Any, loop: Loop, which: int, last: bool) -> Array:
    steps = int(args[0])
    first = 1 + loop.sequences
    histories = [list(a) for a in args[first : loop.others]]
    given: list[list[Array]] = [[] for _ in range(len(loop.body.outputs) - loop.states)]
    taken = 0
    while taken < steps:
        t, taken = taken, taken + 1
        inputs = [np.int64(t), *(x[t] for x in args[1:first])]
        for taps, history in zip(loop.taps, histories, strict=True):
            inputs += [history[len(history) - back] for back in taps]
        results = evaluate(loop.body, [np.asarray(i) for i in (*inputs, *args[loop.others :])])
        for kept, result in zip([*histories, *given], results, strict=True):
            kept.append(result)
        if loop.until and results[-1]:
            break
    if which == loop.count:
        return np.int64(taken)
    found = [*histories, *given][which]
    if last:
        return found[-1]
    result = np.zeros(shape)
    found = found[::-1] if which in loop.turned else found
    return result if not found else np.concatenate([found, result[len(found) :]])


loop_: Op = register(
    Op(name="loop", kind="call", infer=_infer, evaluate=_evaluate, equal=_equal, cost=1000,
       doc="A state, or what each step gives, of a loop whose step is a graph of its own.")
)  # fmt: skip


def make_loop(
    steps: Dim, sequences: Sequence[Node], firsts: Sequence[Node], taps: Sequence[tuple[int, ...]],
    local: Sequence[Node], outputs: Sequence[Node], until: Node | None = None, name: str = "", free: bool = False,
    truncate: int = 0,
) -> list[Node]:  # fmt: skip
    """All outputs of a loop, from stand-ins for what the body takes and what it makes of them.

    local: the number of the step, elements, earlier values. until: whether a step is the last one. Raises TypeMismatch
    where a state changes its type.
    """
    for k, (first, result) in enumerate(zip(firsts, outputs, strict=False)):
        if result.dtype != first.dtype or result.ndim != first.ndim - 1:
            raise TypeMismatch(
                f"state {k} of {name or 'the loop'} enters a step as {Type(first.dtype, first.shape[1:])} and comes "
                f"back as {result.type}"
            )
    wanted = [*outputs] if until is None else [*outputs, until]
    counted = [k for k, x in enumerate(sequences) if x.op is iota]
    if counted:  # the numbers from 0 on are those of the steps, and need no memory
        wanted = substitute(wanted, {local[1 + k]: local[0] for k in counted})
        local = [n for k, n in enumerate(local) if k - 1 not in counted]
        sequences = [x for k, x in enumerate(sequences) if k not in counted]
    body, captured = closed(local, wanted)
    loop = Loop(body, len(sequences), tuple(taps), until is not None, name, free, truncate)
    return loop([dim_node(steps), *sequences, *firsts, *captured])
