"""scan: a function of earlier values applied step after step, in Theano's vocabulary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from agnesi.control.loop import make_loop
from agnesi.control.segments import last_values, make_segments, segment_lengths
from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import INPUT, Node, as_dim, cast, dim_node, input_node, substitute, topological
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type, same
from agnesi.ir.variable import Variable, as_node
from agnesi.ops.elementwise import where
from agnesi.ops.getitem import LAST, part_of, rebuilt
from agnesi.ops.index import expand_dims, iota, section, size_of, slice_
from agnesi.ops.join import flip
from agnesi.ops.shape import moveaxis
from agnesi.shared import counters, is_shared

ENDLESS = 2**62  # steps
ROUNDS = 4  # of finding dtypes that states keep


class until:
    """Returned by a step of `scan` behind its outputs: the step after which the condition holds is the last one.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.scalar("x")
    >>> powers, _ = ag.scan(lambda p: (p * 2, ag.until(p * 2 > x)), outputs_info=at.ones(()), n_steps=100)
    >>> powers.eval({x: 10.0}).tolist()
    [2.0, 4.0, 8.0, 16.0]
    """

    def __init__(self, condition: Any) -> None:
        self.condition = as_node(condition)
        if self.condition.dtype != "bool" or self.condition.ndim:
            raise TypeMismatch(f"until takes a scalar that is true or false, not {self.condition.type}")


@dataclass
class Sequence_:
    """An array that steps go along, and which elements a step sees: those at its number plus each tap."""

    array: Node
    taps: list[int]

    @property
    def low(self) -> int:
        return min(0, *self.taps)

    def steps(self) -> Dim:
        """For how many steps there are elements."""
        return dims.sub(self.array.shape[0], max(0, *self.taps) - self.low)

    def along(self, tap: int, steps: Dim) -> Node:
        """The elements of one tap for all steps, or fewer where there are not as many."""
        start = tap - self.low
        if same(dims.add(steps, max(0, *self.taps) - self.low), self.array.shape[0]):
            return section(self.array, 0, start, steps)
        return part_of(self.array, slice(start, Variable(dim_node(dims.add(steps, start)))))


def scan(
    fn: Callable[..., Any], sequences: Any = None, outputs_info: Any = None, non_sequences: Any = None,
    n_steps: Any = None, go_backwards: bool = False, name: str = "", strict: bool = False, return_list: bool = False,
    truncate_gradient: int = -1, checkpoint: int | str | None = None,
) -> tuple[Any, dict[Variable, Variable]]:  # fmt: skip
    """Applies `fn` step after step: a loop of native code, whose derivatives are loops too.

    fn: takes the elements of the sequences, then earlier values of the outputs that have initial ones, then
    non_sequences, and returns the outputs of a step: one, or a list; updates of shared variables, a dict, and `until`
    may follow them or stand alone. sequences: arrays, whose first axis is gone along, or dicts with `input` and `taps`:
    tap k is the element k places after the step's own. outputs_info: for each output its initial value, None for one
    that is not fed back, or a dict with `initial` and `taps` (negative): then `initial` has as many values along its
    first axis as the earliest tap goes back. n_steps: int or int64 scalar; without it the shortest sequence decides.
    go_backwards: from the last elements to the first. strict: whether `fn` may use only what it is given.
    truncate_gradient: in reverse mode, how many steps, the last ones, cotangents flow back through; -1 for all.
    checkpoint: in reverse mode, after how many steps states are kept, "auto" for the root of the number of steps; the
    steps between are done once more. A budget like "10 MB" for the states that are kept takes as many levels of such
    segments as it needs, where the number of steps and the sizes of the states are known, and is "auto" where they are
    not. By default all states are kept. With `until` the loop is first run to count its steps. Not with truncation.

    Returns the outputs, each with a new first axis for the steps, and the updates for `function`. Of an
    output that is fed back `[-1]` is the last value alone, the initial one if there are no steps.

    Raises TypeMismatch where a state comes back in another type than it entered.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> sums, _ = ag.scan(lambda v, total: total + v, sequences=x, outputs_info=at.zeros(()))
    >>> sums.eval({x: [1.0, 2.0, 3.0]}).tolist()
    [1.0, 3.0, 6.0]
    """
    arrays = [_sequence(s, go_backwards) for s in _list(sequences)]
    infos = [_info(o) for o in _list(outputs_info)]
    others = [as_node(o) for o in _list(non_sequences)]
    if n_steps is None and not arrays:
        raise TypeMismatch("scan needs sequences or n_steps to know how many steps to take")
    steps = size_of(n_steps, "n_steps") if n_steps is not None else arrays[0].steps()
    for a in arrays if n_steps is None else ():
        steps = dims.minimum(steps, a.steps())
    if truncate_gradient < 1 and truncate_gradient != -1:
        raise ValueError(f"truncate_gradient is a number of steps, or -1 for all, not {truncate_gradient}")
    name = name or getattr(fn, "__name__", "scan")
    if checkpoint is not None and truncate_gradient != -1:
        raise ValueError("a truncated gradient needs no checkpoints")
    return _Scan(fn, arrays, infos, others, steps, name, strict, max(truncate_gradient, 0), checkpoint).run(return_list)


def map(
    fn: Callable[..., Any], sequences: Any, non_sequences: Any = None, go_backwards: bool = False, name: str = ""
) -> tuple[Any, dict[Variable, Variable]]:
    """`scan` of a step that looks at no earlier output.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.matrix("x")
    >>> norms, _ = ag.map(lambda row: (row**2).sum(), x)
    >>> norms.eval({x: [[3.0, 4.0], [1.0, 0.0]]}).tolist()
    [25.0, 1.0]
    """
    return scan(fn, sequences, None, non_sequences, go_backwards=go_backwards, name=name)


def reduce(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, go_backwards: bool = False,
    name: str = "",
) -> tuple[Any, dict[Variable, Variable]]:  # fmt: skip
    """`scan` that keeps the last outputs only, and takes memory for no others.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> horner, _ = ag.reduce(lambda c, value: value * 2 + c, x, at.zeros(()))
    >>> float(horner.eval({x: [1.0, 0.0, 1.0]}))
    5.0
    """
    found, updates = scan(fn, sequences, outputs_info, non_sequences, None, go_backwards, name, return_list=True)
    ends = [f[-1] for f in found]
    return ends[0] if len(ends) == 1 else ends, updates


def foldl(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, name: str = ""
) -> tuple[Any, dict[Variable, Variable]]:
    """`reduce` from the first elements to the last."""
    return reduce(fn, sequences, outputs_info, non_sequences, False, name)


def foldr(
    fn: Callable[..., Any], sequences: Any, outputs_info: Any, non_sequences: Any = None, name: str = ""
) -> tuple[Any, dict[Variable, Variable]]:
    """`reduce` from the last elements to the first."""
    return reduce(fn, sequences, outputs_info, non_sequences, True, name)


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], init: Any, name: str = "") -> Any:
    """Applies `body` while `cond` holds, and gives the last values.

    init: a variable or a list of them; cond takes the values and returns a scalar that is true or false, body takes
    them and returns the next ones, of the same types. No memory is taken for the steps; reverse mode first counts them
    and then runs the loop once more, keeping them.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> a, b = at.lscalars("a", "b")
    >>> divisor, _ = ag.while_loop(lambda a, b: b > 0, lambda a, b: (b, a % b), [a, b])
    >>> int(divisor.eval({a: 48, b: 36}))
    12
    """
    many = isinstance(init, (list, tuple))
    firsts = [as_node(i) for i in (init if many else [init])]
    name = name or "while_loop"
    local = [input_node("", f.type) for f in firsts]
    found = body(*[Variable(n) for n in local])
    made = [as_node(f) for f in (found if isinstance(found, (list, tuple)) else [found])]
    if len(made) != len(firsts):
        raise TypeMismatch(f"{name} begins with {len(firsts)} values and a step returns {len(made)}")
    made = [
        cast(m, f.dtype) if dt.promote(m.dtype, f.dtype) == f.dtype else m for m, f in zip(made, firsts, strict=True)
    ]
    begins, goes_on = (until(cond(*[Variable(n) for n in values])).condition for values in (firsts, made))
    starts = [expand_dims(f, (0,)) for f in firsts]
    steps = as_dim(where(begins, ENDLESS, 0))
    number = input_node("step", Type("int64"))
    states = make_loop(steps, [], starts, [(1,)] * len(starts), [number, *local], made, ~goes_on, name, free=True)
    ends = [Variable(rebuilt(s, last=True)) for s in states[: len(starts)]]
    return ends if many else ends[0]


def fori(n: Any, body: Callable[..., Any], init: Any, name: str = "") -> Any:
    """Applies `body` n times, and gives the last values.

    n: int or int64 scalar. init: a variable or a list of them; body takes the number of the step, from 0 on, and the
    values, and returns the next ones, of the same types.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> n = at.lscalar("n")
    >>> factorial = ag.fori(n, lambda k, product: product * (k + 1), at.constant(1))
    >>> int(factorial.eval({n: 5}))
    120
    """
    many = isinstance(init, (list, tuple))
    numbers = Variable(iota(dim_node(size_of(n, "n"))))
    firsts = list(init) if many else [init]
    states, _ = scan(body, numbers, firsts, name=name or getattr(body, "__name__", "fori"), return_list=True)
    ends = [s[-1] for s in states]
    return ends if many else ends[0]


def associative_scan(fn: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0) -> Any:
    """All running results of an associative function along an axis, as in JAX: element k joins the first k + 1.

    fn: takes two elements, each an array with an axis of size 1 in place of `axis`, or two lists of them, and returns
    one. elems: an array or a list of arrays of equal size along the axis, which is not empty. reverse: from the last
    element on. The loop is sequential, which on processors with few threads is faster than a tree.

    >>> import agnesi as ag, agnesi.tensor as at
    >>> x = at.vector("x")
    >>> ag.associative_scan(at.maximum, x).eval({x: [1.0, 3.0, 2.0]}).tolist()
    [1.0, 3.0, 3.0]
    """
    many = isinstance(elems, (list, tuple))
    arrays = [moveaxis(as_node(e), axis, 0) for e in (elems if many else [elems])]
    if reverse:
        arrays = [flip(a, 0) for a in arrays]

    def whole(parts: Sequence[Any]) -> Any:
        """Elements as `fn` takes them."""
        rows = [Variable(moveaxis(expand_dims(as_node(p), (0,)), 0, axis)) for p in parts]
        return rows if many else rows[0]

    def step(*parts: Any) -> list[Node]:
        new, before = parts[: len(arrays)], parts[len(arrays) :]
        found = fn(whole(new), whole(before)) if reverse else fn(whole(before), whole(new))
        return [as_node(Variable(moveaxis(as_node(f), axis, 0))[0]) for f in (found if many else [found])]

    rest = [Variable(a)[1:] for a in arrays]
    states, _ = scan(step, rest, [Variable(a)[0] for a in arrays], name="associative_scan", return_list=True)
    results = []
    for a, s in zip(arrays, states, strict=True):
        joined = OPS["concatenate"](as_node(Variable(a)[:1]), as_node(s), axis=0)
        results.append(Variable(moveaxis(flip(joined, 0) if reverse else joined, 0, axis)))
    return results if many else results[0]


def _list(value: Any) -> list[Any]:
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]


def _sequence(value: Any, backwards: bool) -> Sequence_:
    taps = [0]
    if isinstance(value, dict):
        taps = [int(t) for t in _list(value.get("taps", 0))]
        value = value["input"]
    node = as_node(value)
    if node.ndim == 0:
        raise TypeMismatch(f"a sequence of scan needs an axis to go along, {node.type} has none")
    if backwards:
        size = node.shape[0]
        node = slice_(node, dim_node(dims.sub(size, 1)), dim_node(size), axes=(0,), steps=(-1,))
    return Sequence_(node, taps)


def _info(value: Any) -> tuple[Node, tuple[int, ...]] | None:
    """The first values of an output along a first axis, and how many steps back a step looks, in the order of its
    arguments."""
    if value is None or (isinstance(value, dict) and value.get("initial") is None):
        return None
    if not isinstance(value, dict):
        return expand_dims(as_node(value), (0,)), (1,)
    taps = tuple(-int(t) for t in _list(value.get("taps", -1)))
    if min(taps) < 1:
        raise TypeMismatch(f"the taps of an output are negative: steps back; these are {value['taps']}")
    first = as_node(value["initial"])
    if taps == (1,):
        return expand_dims(first, (0,)), taps
    return part_of(first, slice(max(taps))), taps


@dataclass
class _Scan:
    """A scan that is being built."""

    fn: Callable[..., Any]
    arrays: list[Sequence_]
    infos: list[tuple[Node, tuple[int, ...]] | None]
    others: list[Node]
    steps: Dim
    name: str
    strict: bool
    truncate: int
    checkpoint: int | str | None

    def run(self, return_list: bool) -> tuple[Any, dict[Variable, Variable]]:
        for _ in range(ROUNDS):
            result = self.attempt()
            if result is not None:
                break
        else:
            raise TypeMismatch(f"{self.name}: the dtypes of the states change from step to step")
        outputs, updates = result
        variables = [Variable(o) for o in outputs]
        return variables[0] if len(variables) == 1 and not return_list else variables, updates

    def attempt(self) -> tuple[list[Node], dict[Variable, Variable]] | None:
        """The outputs and updates; None when the first values have got another dtype, so that it has to begin anew."""
        number = input_node("step", Type("int64"))
        sequences = [a.along(t, self.steps) for a in self.arrays for t in a.taps]
        elements = [input_node("", Type(s.dtype, s.shape[1:])) for s in sequences]
        earlier = [[input_node("", Type(i[0].dtype, i[0].shape[1:])) for _ in i[1]] for i in self.infos if i]
        flat = [e for group in earlier for e in group]
        results, updates, end = self.call([*elements, *flat, *self.others])
        self.check(results, [*elements, *flat, *self.others, number])
        states = [k for k, i in enumerate(self.infos) if i is not None]
        each = [k for k in range(len(results)) if k not in states]
        if not self.fits(results):
            return None
        shared = list(updates)
        firsts = [self.infos[k][0] for k in states] + [expand_dims(s, (0,)) for s in shared]  # type: ignore[index]
        taps = [self.infos[k][1] for k in states] + [(1,)] * len(shared)  # type: ignore[index]
        inside = {s: input_node("", s.type) for s in shared}
        made = [results[k] for k in states] + list(updates.values()) + [results[k] for k in each]
        if shared:
            made = substitute(made, inside)
            end = end if end is None else substitute([end], inside)[0]
        local = [number, *elements, *flat, *inside.values()]
        lasts: list[Node] = []
        steps, lengths = self.steps, segment_lengths(self.checkpoint, self.steps, firsts)
        if lengths and end is not None:  # a loop that only counts tells how many steps there are
            steps = as_dim(make_loop(steps, sequences, firsts, taps, local, made, end, self.name)[-1])
            sequences = [section(s, 0, 0, steps) for s in sequences]
            lengths = segment_lengths(self.checkpoint, steps, firsts) if self.checkpoint == "auto" else lengths
        if lengths:
            found, ends = make_segments(steps, lengths, sequences, firsts, taps, local, made, self.name)
            lasts = last_values(ends)
        else:
            found = make_loop(steps, sequences, firsts, taps, local, made, end, self.name, truncate=self.truncate)
            steps = steps if end is None else as_dim(found.pop())
        outputs: list[Node | None] = [None] * len(results)
        for place, (k, history, back) in enumerate(zip(states, found, taps, strict=False)):
            values = outputs[k] = section(history, 0, max(back), steps)
            if lasts:
                LAST[values] = lasts[place]
        for k, kept in zip(each, found[len(firsts) :], strict=True):
            outputs[k] = section(kept, 0, 0, steps)
        ends = lasts[len(states) :] or [rebuilt(f, last=True) for f in found[len(states) : len(firsts)]]
        moved = {Variable(s): Variable(e) for s, e in zip(shared, ends, strict=True)}
        return [o for o in outputs if o is not None], moved

    def call(self, args: Sequence[Node]) -> tuple[list[Node], dict[Node, Node], Node | None]:
        """The outputs of one step, the new values of shared variables, and whether it is the last step."""
        found = self.fn(*[Variable(a) for a in args])
        parts = [found] if isinstance(found, (dict, until)) else list(found) if isinstance(found, tuple) else [found]
        last = parts[-1].condition if parts and isinstance(parts[-1], until) else None
        parts = parts if last is None else parts[:-1]
        updates: Any = parts.pop() if parts and isinstance(parts[-1], dict) else {}
        if len(parts) == 1 and isinstance(parts[0], (list, tuple)):
            parts = list(parts[0])
        results = [as_node(f) for f in parts]
        if self.infos and len(results) != len(self.infos):
            raise TypeMismatch(f"{self.name} returns {len(results)} outputs, outputs_info has {len(self.infos)}")
        changed = {as_node(k): cast(as_node(v, k.dtype), k.dtype) for k, v in updates.items()}
        changed |= {n: n + 1 for n in counters([*results, *changed.values()], changed)}
        return results, changed, last

    def check(self, results: Sequence[Node], given: Sequence[Node]) -> None:
        """Raises TypeMismatch where a strict step uses what it is not given."""
        if not self.strict:
            return
        strange = [n for n in topological(results) if n.op is INPUT and is_shared(n) and n not in given]
        if strange:
            raise TypeMismatch(f"{self.name} uses {strange[0]['tag']}, which is not among its arguments (strict=True)")

    def fits(self, results: list[Node]) -> bool:
        """Casts results to the dtypes of their states, or gives a state the wider dtype that its result has."""
        same = True
        for k, info in enumerate(self.infos):
            if info is None:
                continue
            first, taps = info
            wide = dt.promote(first.dtype, results[k].dtype)
            if wide != first.dtype:
                self.infos[k] = cast(first, wide), taps
                same = False
            else:
                results[k] = cast(results[k], wide)
        return same
