"""Derivatives of loops: each is another loop."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from agnesi.control.closed import inline
from agnesi.control.loop import Loop, make_loop, output
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, as_dim, const, dim_node, input_node, substitute, topological
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, Type
from agnesi.ops.index import broadcast_dims, expand_dims, section, slice_

Reverse = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]
Forward = Callable[[Sequence[Node], Sequence[Node], Sequence[Node]], list[Node | None]]


def zeros(dtype: str, shape: Sequence[Dim]) -> Node:
    """Zeros of a shape."""
    return broadcast_dims(const(0, dtype), tuple(shape))


def backwards(x: Node, start: Dim, steps: Dim) -> Node:
    """The elements start .. start + steps - 1 of the first axis, the last first."""
    last = dims.sub(dims.add(start, steps), 1)
    return slice_(x, dim_node(last), dim_node(steps), axes=(0,), steps=(-1,))


def stand_in(x: Node) -> Node:
    """An input of the type of an element."""
    return input_node("", Type(x.dtype, x.shape[1:]))


def loop_vjp(loop: Loop, args: Sequence[Node], given: dict[Node, Node], reverse: Reverse) -> list[Node | None]:
    """The cotangents of a loop's arguments, by a loop that goes through the steps from the last to the first.

    given: the cotangents of outputs. A state's value has as many pending cotangents as it
    is read back: that of the value d steps ago is pending[d - 1]; they are states of the new loop. So are the sums
    for arguments that are the same in every step.
    """
    steps, first = as_dim(args[0]), 1 + loop.sequences
    sequences, firsts, others = args[1:first], args[first : loop.others], args[loop.others :]
    outputs = loop(args)
    if loop.until:
        steps = as_dim(outputs.pop())
    seeds = [given.get(o) for o in outputs]
    number = input_node("step", Type("int64"))
    read: list[Node] = []  # sequences of the new loop
    local: list[Node] = []  # their elements

    def along(x: Node, start: Dim) -> Node:
        read.append(backwards(x, start, steps))
        local.append(stand_in(x))
        return local[-1]

    inputs = [along(x, 0) for x in sequences]
    for taps, depth, history in zip(loop.taps, loop.depths, outputs, strict=False):
        inputs += [along(history, depth - back) for back in taps]
    same = [input_node("", o.type) for o in others]  # one of these may be computed from another
    back = dict(zip(same, others, strict=True))
    primal = [dim_node(dims.sub(dims.sub(steps, 1), as_dim(number))), *inputs, *same]
    mapped = inline(loop.body, primal)[: len(outputs)]

    carried = [k for k in range(loop.states) if dt.is_inexact(firsts[k].dtype)]
    pending = {k: [stand_in(firsts[k]) for _ in range(loop.depths[k])] for k in carried}
    local_states = [p for k in carried for p in pending[k]]
    starts = [zeros(p.dtype, (1, *p.shape)) for p in local_states]
    for k in carried:
        final = given.get(output(loop, args, k, last=True))
        if final is not None:
            starts[local_states.index(pending[k][0])] = expand_dims(final, (0,))
    cotangents: list[Node] = []
    wanted: list[Node] = []
    for k, (result, seed) in enumerate(zip(mapped, seeds, strict=True)):
        if not dt.is_inexact(result.dtype):
            continue
        parts = [pending[k][0]] if k in pending else []
        if seed is not None:
            parts.append(along(seed, loop.depths[k] if k < loop.states else 0))
        if parts:
            wanted.append(result)
            cotangents.append(parts[0] if len(parts) == 1 else parts[0] + parts[1])
    summed = [k for k, o in enumerate(others) if dt.is_inexact(o.dtype)]
    sums = [input_node("", others[k].type) for k in summed]
    found = reverse(wanted, cotangents, [*inputs, *(same[k] for k in summed)])
    by_input = dict(zip([*inputs, *sums], found, strict=True))

    next_states: list[Node] = []
    place = loop.sequences
    for k, (taps, depth) in enumerate(zip(loop.taps, loop.depths, strict=True)):
        parts_of = {back: by_input[inputs[place + j]] for j, back in enumerate(taps)}
        place += len(taps)
        if k in pending:
            for d in range(1, depth + 1):
                moved, own = pending[k][d] if d < depth else None, parts_of.get(d)
                next_states.append(total(moved, own, pending[k][0]))
    kept = [j for j, s in enumerate(sums) if by_input[s] is not None]
    for j in kept:
        next_states.append(sums[j] + part(by_input, sums[j]))
        starts.append(zeros(sums[j].dtype, (1, *sums[j].shape)))
    each = [i for i in inputs[: loop.sequences] if by_input[i] is not None]
    made = [*next_states, *(part(by_input, i) for i in each)]
    reused = set(topological(made)).intersection(mapped[: loop.states]).difference(inputs)
    known = {m: along(o, d) for m, o, d in zip(mapped, outputs, loop.depths, strict=False) if m in reused and m.args}
    made = substitute(made, known | back)
    locals_ = [number, *local, *local_states, *(sums[j] for j in kept)]
    name = f"the derivative of {loop.name or 'a loop'}"
    results = make_loop(steps, read, starts, [(1,)] * len(starts), locals_, made, None, name)
    finals = [output_last(r) for r in results[: len(starts)]]

    cot: list[Node | None] = [None] * len(args)
    for i, r in zip(each, results[len(starts) :], strict=True):
        moved_back = backwards(r, 0, steps)
        if loop.until:  # the elements of further steps were not read
            x = sequences[inputs.index(i)]
            bounds = dim_node(0), dim_node(steps)
            moved_back = OPS["slice_set"](zeros(x.dtype, x.shape), moved_back, *bounds, axes=(0,), steps=(1,))
        cot[1 + inputs.index(i)] = moved_back
    place = 0
    for k in carried:
        depth = loop.depths[k]
        rows = [expand_dims(f, (0,)) for f in finals[place : place + depth][::-1]]
        place += depth
        joined = rows[0] if depth == 1 else OPS["concatenate"](*rows, axis=0)
        seed = seeds[k]
        cot[first + k] = joined if seed is None else joined + section(seed, 0, 0, depth)
    for j, final in zip(kept, finals[place:], strict=True):
        cot[loop.others + summed[j]] = final
    return cot


def part(found: dict[Node, Node | None], of: Node) -> Node:
    """A cotangent that there is."""
    result = found[of]
    assert result is not None
    return result


def output_last(state: Node) -> Node:
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
    results = make_loop(steps, [*sequences, *moved.values()], [*firsts, *starts], taps, local, made, until, name)
    return [
        dict(zip([*carried, *extra], results[loop.states :], strict=False)).get(k)
        for k in range(len(loop.body.outputs))
    ]
