"""Derivatives of loops: each is another loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agnesi.control.closed import inline
from agnesi.control.loop import Loop, make_loop, output
from agnesi.errors import GradientError
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, cast, const, dim_node, input_node, substitute, topological
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type
from agnesi.ops import elementwise as ew
from agnesi.ops.gather import take
from agnesi.ops.index import broadcast_dims, expand_dims, insert, iota, reshape_dims, section, slice_, transpose_
from agnesi.ops.reduce import all_, max_

Reverse = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]
Forward = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]
Batch = Callable[[Sequence[Node], dict[Node, Node]], list[Node]]

STRIP = 16  # rows of a batch that are computed together and end together


def zeros(dtype: str, shape: Sequence[Dim]) -> Node:
    """Zeros of a shape."""
    return broadcast_dims(const(0, dtype), tuple(shape))


def backwards(x: Node, start: Dim, steps: Dim) -> Node:
    """The elements start .. start + steps - 1 of the first axis, the last first."""
    last = dims.sub(dims.add(start, steps), 1)
    return slice_(x, dim_node(last), dim_node(steps), axes=(0,), steps=(-1,))


def spread_rows(node: Node, size: Dim) -> Node:
    """The same value in every row."""
    return broadcast_dims(insert(node, axes=(0,)), (size, *node.shape))


def stand_in(x: Node) -> Node:
    """An input of the type of an element."""
    return input_node("", Type(x.dtype, x.shape[1:]))


def loop_vjp(loop: Loop, args: Sequence[Node], given: dict[Node, Node], reverse: Reverse) -> list[Node | None]:
    """The cotangents of a loop's arguments, by a loop that goes through the steps from the last to the first.

    given: the cotangents of outputs.
    """
    if loop.free:  # once more, with memory for the steps that were taken
        counted, known = loop.counted(), (output(loop, args, loop.count), *args[1:])
        given = {output(counted, known, o["which"], last=True): g for o, g in given.items()}
        return Backwards(counted, known, given).build(reverse)
    return Backwards(loop, args, given).build(reverse)


class Backwards:
    """A loop that goes through the steps of another one backwards, while it is built.

    read, local: its sequences and their elements. A state's value has as many pending cotangents as it is read back:
    that of the value d steps ago is pending[d - 1]; they are states of the new loop. So are the sums for arguments that
    are the same in every step.
    """

    def __init__(self, loop: Loop, args: Sequence[Node], given: dict[Node, Node]) -> None:
        first = 1 + loop.sequences
        self.loop, self.args = loop, args
        self.sequences, self.firsts, self.others = args[1:first], args[first : loop.others], args[loop.others :]
        self.outputs = loop(args)
        taken = as_dim(self.outputs.pop() if loop.until else args[0])
        self.steps = dims.minimum(taken, loop.truncate) if loop.truncate else taken
        self.skipped = dims.sub(taken, self.steps)  # the first ones, if the gradient is truncated
        self.seeds = [given.get(o) for o in self.outputs]
        self.finals = {k: given.get(output(loop, args, k, last=True)) for k in range(loop.states)}
        self.number = input_node("step", Type("int64"))
        self.read: list[Node] = []
        self.local: list[Node] = []
        self.elements = [self.along(x, 0) for x in self.sequences]
        self.earlier = [
            [self.along(history, depth - back) for back in taps]
            for taps, depth, history in zip(loop.taps, loop.depths, self.outputs, strict=False)
        ]
        self.same = [input_node("", o.type) for o in self.others]  # one of these may be computed from another
        flat = [e for group in self.earlier for e in group]
        number = dim_node(dims.sub(dims.sub(taken, 1), as_dim(self.number)))
        step = loop.body.replace(loop.body.order)
        self.images = dict(zip(inline(step, [number, *self.elements, *flat, *self.same]), step.outputs, strict=True))
        place = {own: image for image, own in self.images.items()}
        self.results = [place[o] for o in loop.body.outputs[: len(self.outputs)]]
        carried = [k for k, f in enumerate(self.firsts) if dt.is_inexact(f.dtype)]
        self.pending = {k: [stand_in(self.firsts[k]) for _ in range(loop.depths[k])] for k in carried}

    def along(self, x: Node, start: Dim) -> Node:
        """The element, at the place of the step from a start on, of an array that the new loop reads backwards."""
        self.read.append(backwards(x, dims.add(start, self.skipped), self.steps))
        self.local.append(stand_in(x))
        return self.local[-1]

    def build(self, reverse: Reverse) -> list[Node | None]:
        """The cotangents of the arguments."""
        wanted, cotangents = self.cotangents()
        leaves = [*self.elements, *(e for group in self.earlier for e in group), *self.same]
        found = dict(zip(leaves, reverse(wanted, cotangents, leaves), strict=True))
        sums = {o: input_node("", o.type) for o in self.same if dt.is_inexact(o.dtype) and found[o] is not None}
        starts = [zeros(s.dtype, (1, *s.shape)) for s in sums.values()]
        states = [*self.starts(), *starts]
        each = [e for e in self.elements if found[e] is not None]
        made = [
            *self.next_pending(found),
            *(s + part(found, o) for o, s in sums.items()),
            *(part(found, e) for e in each),
        ]
        made = self.in_terms_of_outputs(made)
        local = [self.number, *self.local, *(p for group in self.pending.values() for p in group), *sums.values()]
        name = f"the derivative of {self.loop.name or 'a loop'}"
        results = make_loop(self.steps, self.read, states, [(1,)] * len(states), local, made, None, name)
        ends = [last(r) for r in results[: len(states)]]
        cot: list[Node | None] = [None] * len(self.args)
        for e, r in zip(each, results[len(states) :], strict=True):
            place = self.elements.index(e)
            cot[1 + place] = self.forwards(r, self.sequences[place])
        for k, group in self.pending.items():
            rows = [expand_dims(end, (0,)) for end in ends[: len(group)][::-1]]
            del ends[: len(group)]
            joined = rows[0] if len(rows) == 1 else OPS["concatenate"](*rows, axis=0)
            if self.loop.truncate:
                joined = ew.where(ew.eq(dim_node(self.skipped), 0), joined, 0)
            seed = self.seeds[k]
            cot[1 + len(self.sequences) + k] = joined if seed is None else joined + section(seed, 0, 0, len(group))
        for o, end in zip(sums, ends, strict=True):
            cot[self.loop.others + self.same.index(o)] = end
        return cot

    def cotangents(self) -> tuple[list[Node], list[Node]]:
        """What the step computes, and the cotangents that flow into it."""
        wanted: list[Node] = []
        cotangents: list[Node] = []
        for k, (result, seed) in enumerate(zip(self.results, self.seeds, strict=True)):
            if not dt.is_inexact(result.dtype):
                continue
            parts = [self.pending[k][0]] if k in self.pending else []
            if seed is not None:
                parts.append(self.along(seed, self.loop.depths[k] if k < self.loop.states else 0))
            if parts:
                wanted.append(result)
                cotangents.append(parts[0] if len(parts) == 1 else parts[0] + parts[1])
        return wanted, cotangents

    def starts(self) -> list[Node]:
        """The pending cotangents before the first step: those of the last values."""
        result = []
        for k, group in self.pending.items():
            final = self.finals[k]
            result += [zeros(p.dtype, (1, *p.shape)) for p in group]
            if final is not None:
                result[-len(group)] = expand_dims(final, (0,))
        return result

    def next_pending(self, found: dict[Node, Node | None]) -> list[Node]:
        """The pending cotangents after a step."""
        result = []
        for k, group in self.pending.items():
            own = {back: found[e] for back, e in zip(self.loop.taps[k], self.earlier[k], strict=True)}
            for d in range(1, len(group) + 1):
                result.append(total(group[d] if d < len(group) else None, own.get(d), group[0]))
        return result

    def in_terms_of_outputs(self, made: list[Node]) -> list[Node]:
        """Values in which what a step computed for a state is read from the state's history, and products that a step
        computed are kept instead of being computed again."""
        inputs = {*self.elements, *(e for group in self.earlier for e in group)}
        used = set(topological(made))
        mapping = dict(zip(self.same, self.others, strict=True))
        for result, history, depth in zip(self.results, self.outputs, self.loop.depths, strict=False):
            if result in used and result not in inputs and result.args:
                mapping[result] = self.along(history, depth)
        used = set(topological(substitute(made, mapping)))
        products = [n for n in self.images if n in used and n.op.name == "contract"]
        if products:
            keeping = self.loop.giving([self.images[n] for n in products])
            kept = keeping(self.args)[len(self.outputs) :]
            mapping |= {n: self.along(k, 0) for n, k in zip(products, kept, strict=False)}
        return substitute(made, mapping)

    def forwards(self, r: Node, x: Node) -> Node:
        """What the steps gave for the elements of a sequence, in their order; zeros where steps were not taken."""
        found = backwards(r, 0, self.steps)
        if not self.loop.until and not self.loop.truncate:
            return found
        bounds = dim_node(self.skipped), dim_node(self.steps)
        return OPS["slice_set"](zeros(x.dtype, x.shape), found, *bounds, axes=(0,), steps=(1,))


def part(found: dict[Node, Node | None], of: Node) -> Node:
    """A cotangent that there is."""
    result = found[of]
    assert result is not None
    return result


def last(state: Node) -> Node:
    """The last value of a state."""
    return output(state["loop"], state.args, state["which"], last=True)


def total(a: Node | None, b: Node | None, like: Node) -> Node:
    """The sum of what there is."""
    if a is None or b is None:
        return a if a is not None else b if b is not None else zeros(like.dtype, like.shape)
    return a + b


def loop_jvp(loop: Loop, args: Sequence[Node], tangents: Sequence[Node | None], forward: Forward) -> list[Node | None]:
    """The tangents of a loop's outputs: the loop, with tangents as further sequences, states and arguments."""
    steps, first = as_dim(args[0]), 1 + loop.sequences
    sequences, firsts, others = args[1:first], args[first : loop.others], args[loop.others :]
    number = input_node("step", Type("int64"))
    elements = [stand_in(x) for x in sequences]
    earlier = [[stand_in(f) for _ in taps] for f, taps in zip(firsts, loop.taps, strict=True)]
    flat = [e for group in earlier for e in group]
    same = [input_node("", o.type) for o in others]
    outputs = inline(loop.body, [number, *elements, *flat, *same])
    until = outputs.pop() if loop.until else None
    moved = {k: t for k, t in enumerate(tangents[1:first]) if t is not None}
    carried = [k for k, f in enumerate(firsts) if dt.is_inexact(f.dtype)]
    dx = {k: stand_in(t) for k, t in moved.items()}
    dh = {k: [stand_in(firsts[k]) for _ in loop.taps[k]] for k in carried}
    pairs = [(elements[k], d) for k, d in dx.items()]
    pairs += [(h, d) for k in carried for h, d in zip(earlier[k], dh[k], strict=True)]
    pairs += [(o, t) for o, t in zip(same, tangents[loop.others :], strict=True) if t is not None]
    found = forward(outputs, [a for a, _ in pairs], [t for _, t in pairs])
    starts = [tangents[first + k] or zeros(firsts[k].dtype, firsts[k].shape) for k in carried]
    states = [found[k] or zeros(outputs[k].dtype, outputs[k].shape) for k in carried]
    extra = {k: f for k, f in enumerate(found) if k >= loop.states and f is not None}
    local = [number, *elements, *dx.values(), *flat, *(d for k in carried for d in dh[k])]
    back = dict(zip(same, others, strict=True))
    made = substitute([*outputs[: loop.states], *states, *extra.values()], back)
    until = until if until is None else substitute([until], back)[0]
    taps = [*loop.taps, *(loop.taps[k] for k in carried)]
    name = f"the derivative of {loop.name or 'a loop'}"
    results = make_loop(
        steps, [*sequences, *moved.values()], [*firsts, *starts], taps, local, made, until, name, loop.free
    )
    return [
        dict(zip([*carried, *extra], results[loop.states :], strict=False)).get(k)
        for k in range(len(loop.body.outputs))
    ]


def loop_batch(
    node: Node, args: Sequence[Node], flags: Sequence[bool], size: Dim, batch: Batch, strip: bool = False
) -> Node:
    """An output of a loop for many values of some arguments: a loop whose states and sequences have the batch axis
    behind that of the steps. size: that of the batch. strip: whether it is part of a larger one."""
    loop: Loop = node["loop"]

    first = 1 + loop.sequences
    number = input_node("step", Type("int64"))
    leaves = {k: [stand_in(node.args[k])] for k in range(1, first)}
    leaves |= {first + k: [stand_in(node.args[first + k]) for _ in taps] for k, taps in enumerate(loop.taps)}
    same = {k: input_node("", node.args[k].type) for k in range(loop.others, len(args))}
    results = inline(loop.body, [number, *(leaf for k in sorted(leaves) for leaf in leaves[k]), *same.values()])
    moving = {k for k in range(1, len(args)) if flags[k]}
    reached: set[Node] = set()
    while True:  # a state that depends on something batched is batched too
        batched = [leaf for k in moving for leaf in ([same[k]] if k in same else leaves[k])]
        reached = depending(batched, results)
        apart = flags[0] or (loop.until and results[-1] in reached)  # rows end at steps of their own
        more = {first + k for k in range(loop.states) if results[k] in reached or apart} - moving
        if not more:
            break
        moving |= more
    if apart and not strip and (node["last"] or (loop.free and node["which"] == loop.count)):
        return in_strips(node, args, flags, size, batch)
    given = {k: args[k] if flags[k] or k not in moving else spread_rows(args[k], size) for k in range(1, len(args))}
    given |= {k: swapped(given[k]) for k in moving if k < loop.others}
    inside = {leaf: stand_in(given[k]) for k in moving - set(same) for leaf in leaves[k]}
    inside |= {same[k]: given[k] for k in moving.intersection(same)}
    made = [m if r in reached else r for m, r in zip(batch(results, inside), results, strict=True)]
    made = substitute(made, {leaf: given[k] for k, leaf in same.items() if k not in moving})
    local = [number, *(inside.get(leaf, leaf) for k in range(1, loop.others) for leaf in leaves[k])]
    sequences, firsts = ([given[k] for k in part] for part in (range(1, first), range(first, loop.others)))
    until = made.pop() if loop.until else None
    if apart:
        steps = args[0] if flags[0] else spread_rows(args[0], size)
        ends = ew.ge(number + 1, steps) if until is None else until | ew.ge(number + 1, steps)
        earlier = [[inside[leaf] for leaf in leaves[first + k]] for k in range(loop.states)]
        return freezing(node, steps, sequences, firsts, local, earlier, made, ends)
    result = make_loop(as_dim(args[0]), sequences, firsts, loop.taps, local, made, until, loop.name, loop.free)
    which = result[node["which"]]
    if node["last"]:
        which = last(which)
    if node["which"] == loop.count or results[node["which"]] not in reached:
        return spread_rows(which, size)
    return which if node["last"] else swapped(which)


def in_strips(node: Node, args: Sequence[Node], flags: Sequence[bool], size: Dim, batch: Batch) -> Node:
    """What is left in the end of a loop whose rows end at steps of their own: a loop over strips of rows around one
    over the steps of a strip, so that nothing is done for strips that have ended. The last strip is filled up with
    copies of the last row."""
    loop: Loop = node["loop"]
    count = dims.floordiv(dims.add(size, STRIP - 1), STRIP)
    strips = dims.maximum(count, 1)
    rows = dims.floordiv(dims.add(size, dims.sub(strips, 1)), strips)
    number = input_node("step", Type("int64"))
    places = ew.minimum(number * dim_node(rows) + iota(dim_node(rows)), dim_node(dims.sub(size, 1)))
    part = [take(a, places) if f else a for a, f in zip(args, flags, strict=True)]
    ends = [output(loop, node.args, k, last=True) for k in range(loop.states)]
    ends += [output(loop, node.args, loop.count)] if loop.until else []
    made = [loop_batch(end, part, flags, rows, batch, strip=True) for end in ends]
    found = make_loop(count, [], [], [], [number], made, None, f"strips of {loop.name}")
    result = found[node["which"] if node["last"] else -1]
    return section(reshape_dims(result, (dims.mul(count, rows), *result.shape[2:])), 0, 0, size)


def freezing(
    node: Node, steps: Node, sequences: Sequence[Node], firsts: Sequence[Node], local: Sequence[Node],
    earlier: Sequence[Sequence[Node]], made: Sequence[Node], until: Node
) -> Node:  # fmt: skip
    """An output of a loop whose rows end at steps of their own: states of rows that have ended stay, and the loop goes
    on until all rows have. Two more states say whether a row has ended, and after how many steps.

    steps: how many there are at most, for each row. until: whether a step is the last one, for each row.
    """
    loop: Loop = node["loop"]
    if any(taps[-1] != 1 for taps in loop.taps):
        raise GradientError(f"{loop.name or 'a loop'} cannot be batched: it may end, and looks at no last values")
    (rows,) = until.shape
    ended, taken = input_node("", Type("bool", (rows,))), input_node("", Type("int64", (rows,)))
    states = []
    for new, before in zip(made, earlier, strict=False):
        keep = insert(ended, axes=tuple(range(1, new.ndim)))
        states.append(ew.where(keep, before[-1], new))
    states += [ended | until, taken + cast(~ended, "int64")]
    firsts = [*firsts, expand_dims(ew.le(steps, 0), (0,)), zeros("int64", (1, rows))]
    given = [*states, *made[loop.states :]]
    most = as_dim(ew.maximum(max_(steps, axes=(0,)), 0))
    result = make_loop(
        most, sequences, firsts, [*loop.taps, (1,), (1,)], [*local, ended, taken], given, all_(states[-2], axes=(0,)),
        loop.name, loop.free,
    )  # fmt: skip
    if node["which"] == loop.count:
        return last(result[loop.states + 1])
    if node["last"]:
        return last(result[node["which"]])
    return swapped(result[node["which"] + (2 if node["which"] >= loop.states else 0)])


def depending(leaves: Sequence[Node], roots: Sequence[Node]) -> set[Node]:
    """What of these values depends on the leaves."""
    found = set(leaves)
    for n in topological(roots):
        if any(a in found for a in n.args):
            found.add(n)
    return found


def swapped(x: Node) -> Node:
    """The first two axes exchanged."""
    return transpose_(x, perm=(1, 0, *range(2, x.ndim)))
