"""Rules of parts: slices, joins, and arrays with a part set or added to; gradients of lookups are added in place."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agnesi.ir import dims
from agnesi.ir.node import CONST, Node, as_dim, cast, const, dim_node, value_of
from agnesi.ir.op import Op
from agnesi.ir.type import Dim, same
from agnesi.ops import elementwise as ew
from agnesi.ops.assign import slice_add, slice_set
from agnesi.ops.gather import scatter_add, take
from agnesi.ops.index import broadcast_dims, broadcast_to_, concatenate_, iota, reshape_dims, section, slice_
from agnesi.ops.reduce import max_, min_, prod_, sum_
from agnesi.rewrite.pattern import Bindings, Pattern, Rule, var

x, y = var("x"), var("y")

PIECES = 64  # of a join, and terms of a sum of parts that are looked at together


def is_zero(node: Node) -> bool:
    """Whether an array is made of zeros."""
    if node.op is broadcast_to_:
        node = node.args[0]
    return node.op is CONST and value_of(node) == 0


def place_of(node: Node) -> tuple[object, ...]:
    """Which part a slice reads, or a part set or added to is."""
    bounds = node.args[1:] if node.op is slice_ else node.args[2:]
    return bounds, node["axes"], node["steps"]


def ranges(node: Node) -> dict[int, tuple[Dim, Dim, int]]:
    """Start, length and step by axis of a slice, or of a part set or added to."""
    bounds = node.args[1:] if node.op is slice_ else node.args[2:]
    return {
        axis: (as_dim(bounds[2 * k]), as_dim(bounds[2 * k + 1]), step)
        for k, (axis, step) in enumerate(zip(node["axes"], node["steps"], strict=True))
    }


def reaches(low: Dim, high: Dim) -> bool:
    """Whether low <= high is known."""
    gap = dims.sub(high, low)
    return isinstance(gap, int) and gap >= 0


# -- slices -------------------------------------------------------------------------------------------------


def slice_whole(b: Bindings) -> Node | None:
    """A slice of all elements."""
    node, x = b["node"], b["x"]
    whole = all(same(start, 0) and same(length, x.shape[a]) and step == 1
                for a, (start, length, step) in ranges(node).items())  # fmt: skip
    return x if whole else None


def slice_slice(b: Bindings) -> Node:
    """One slice for two."""
    outer, inner = ranges(b["node"]), ranges(b["node"].args[0])
    merged = dict(inner)
    for axis, (start, length, step) in outer.items():
        first, _, stride = inner.get(axis, (0, 0, 1))
        merged[axis] = dims.add(first, dims.mul(start, stride)), length, step * stride
    axes = tuple(sorted(merged))
    bounds = [dim_node(d) for a in axes for d in merged[a][:2]]
    return slice_(b["node"].args[0].args[0], *bounds, axes=axes, steps=tuple(merged[a][2] for a in axes))


def slice_join(b: Bindings) -> Node | None:
    """A slice of a join that lies in one of its pieces."""
    node, join = b["node"], b["node"].args[0]
    where = ranges(node)
    if tuple(where) != (join["axis"],) or len(join.args) > PIECES:
        return None
    start, length, step = where[join["axis"]]
    end = dims.add(start, length)
    offset: Dim = 0
    for piece in join.args if step == 1 else ():
        following = dims.add(offset, piece.shape[join["axis"]])
        if reaches(offset, start) and reaches(end, following):
            return section(piece, join["axis"], dims.sub(start, offset), length)
        offset = following
    return None


def slice_changed(b: Bindings) -> Node | None:
    """A slice of an array with a part set or added to, which is that part or lies apart from it."""
    node, changed = b["node"], b["node"].args[0]
    base, values = changed.args[:2]
    if place_of(node) == place_of(changed):
        return values if changed.op is slice_set else node.op(base, *node.args[1:], **dict(node.attrs)) + values
    mine, other = ranges(node), ranges(changed)
    for axis in mine.keys() & other.keys():
        (start, length, step), (first, count, stride) = mine[axis], other[axis]
        if step != 1 or stride != 1:
            continue
        if reaches(dims.add(start, length), first) or reaches(dims.add(first, count), start):
            return node.op(base, *node.args[1:], **dict(node.attrs))
    return None


def slice_reduced(b: Bindings) -> Node | None:
    """A slice of a reduction that nothing else needs: only what stays is reduced."""
    node, reduced = b["node"], b["node"].args[0]
    if b["uses"].get(reduced, 0) > 1:
        return None
    kept = [k for k in range(reduced.args[0].ndim) if k not in reduced["axes"]]
    axes = tuple(kept[a] for a in node["axes"])
    return reduced.op(slice_(reduced.args[0], *node.args[1:], axes=axes, steps=node["steps"]), axes=reduced["axes"])


# -- joins --------------------------------------------------------------------------------------------------


def join_joins(b: Bindings) -> Node | None:
    """Joins of joins, and pieces that are neighbours in an array, as one."""
    node: Node = b["node"]
    axis = node["axis"]
    if len(node.args) == 1:
        return node.args[0]
    flat = [p for a in node.args for p in (a.args if a.op is concatenate_ and a["axis"] == axis else (a,))]
    pieces = flat[:1]
    for piece in flat[1:]:
        both = neighbours(pieces[-1], piece, axis)
        if both is None:
            pieces.append(piece)
        else:
            pieces[-1] = both
    return concatenate_(*pieces, axis=axis) if len(pieces) < len(node.args) or len(flat) > len(node.args) else None


def neighbours(first: Node, second: Node, axis: int) -> Node | None:
    """Two slices next to each other as one."""
    if first.op is not slice_ or second.op is not slice_ or first.args[0] is not second.args[0]:
        return None
    (one, two), x = (ranges(first), ranges(second)), first.args[0]
    if tuple(one) != (axis,) or tuple(two) != (axis,) or one[axis][2] != 1 or two[axis][2] != 1:
        return None
    (start, length, _), (follows, count, _) = one[axis], two[axis]
    return section(x, axis, start, dims.add(length, count)) if same(dims.add(start, length), follows) else None


# -- parts set and added to ---------------------------------------------------------------------------------


def set_whole(b: Bindings) -> Node | None:
    """Values set into all of an array."""
    base, values = b["x"], b["y"]
    whole = all(same(start, 0) and same(length, base.shape[a]) and step == 1
                for a, (start, length, step) in ranges(b["node"]).items())  # fmt: skip
    return values if whole else None


def set_again(b: Bindings) -> Node | None:
    """Values set into a part that something was set into or added to: the first is lost."""
    first: Node = b["x"]
    if first.op not in (slice_set, slice_add) or place_of(first) != place_of(b["node"]):
        return None
    return slice_set(first.args[0], *b["node"].args[1:], **dict(b["node"].attrs))


def set_own(b: Bindings) -> Node | None:
    """A part of an array set into its own place; or that and more, which is then added."""
    base, values, node = b["x"], b["y"], b["node"]
    if values.op is slice_ and values.args[0] is base and place_of(values) == place_of(node):
        return base
    if values.op is ew.add:
        for own, more in (values.args, values.args[::-1]):
            if own.op is slice_ and own.args[0] is base and place_of(own) == place_of(node) and more.type == own.type:
                return slice_add(base, more, *node.args[2:], **dict(node.attrs))
    return None


def add_nothing(b: Bindings) -> Node | None:
    """Zeros added to a part."""
    return b["x"] if is_zero(b["y"]) else None


def set_zeros(b: Bindings) -> Node | None:
    """Values added to zeros."""
    base: Node = b["x"]
    return slice_set(*b["node"].args, **dict(b["node"].attrs)) if is_zero(base) else None


def parts_of(node: Node, uses: Mapping[Node, int]) -> list[Node]:
    """The parts added to zeros that make an array nobody else needs, the innermost last; empty if it has others."""
    found: list[Node] = []
    while node.op in (slice_add, slice_set, scatter_add) and uses.get(node, 0) <= 1 and len(found) < PIECES:
        found.append(node)
        node = node.args[0]
        if is_zero(node):
            return found
        if found[-1].op is slice_set:
            break
    return []


def added(base: Node, parts: list[Node], change: Callable[[Node], Node] = lambda values: values) -> Node:
    """The base with parts added to it, their values changed; parts of zeros stay the only ones set."""
    for part in reversed(parts):
        op = slice_add if part.op is slice_set and not is_zero(base) else part.op
        base = op(base, change(part.args[1]), *part.args[2:], **dict(part.attrs))
    return base


def add_parts(b: Bindings) -> Node | None:
    """x + (zeros with parts added) -> x with those parts added."""
    node: Node = b["node"]
    for x, other in (node.args, node.args[::-1]):
        parts = parts_of(other, b["uses"])
        if parts and x.type == node.type == other.type and not is_zero(x):
            return added(x, parts)
    return None


def sub_parts(b: Bindings) -> Node | None:
    """x - (zeros with parts added) -> x with the negatives of those parts added."""
    node: Node = b["node"]
    x, other = node.args
    parts = parts_of(other, b["uses"])
    return added(x, parts, ew.neg) if parts and x.type == node.type == other.type else None


def scale_parts(b: Bindings) -> Node | None:
    """c * (zeros with parts added) -> zeros with c times those parts, for a finite constant c."""
    parts, c = parts_of(b["x"], b["uses"]), b["c"]
    if not parts or not abs(value_of(c)) < float("inf"):
        return None
    return added(parts[-1].args[0], parts, lambda values: values * c)


def negative_parts(b: Bindings) -> Node | None:
    """-(zeros with parts added) -> zeros with the negatives of those parts."""
    parts = parts_of(b["x"], b["uses"])
    return added(parts[-1].args[0], parts, ew.neg) if parts else None


def tiled(b: Bindings) -> Node | None:
    """Parts added to zeros that lie next to each other and fill an axis, as a join: gradients of a split."""
    node: Node = b["node"]
    if len(node["axes"]) != 1 or node["steps"] != (1,):
        return None
    (axis,), size = node["axes"], node.shape[node["axes"][0]]
    pieces: list[tuple[Dim, Node]] = []
    part = node
    while part.op in (slice_add, slice_set) and part["axes"] == (axis,) and part["steps"] == (1,):
        pieces.append((as_dim(part.args[2]), part.args[1]))
        part = part.args[0]
    if not is_zero(part) or not 1 < len(pieces) <= PIECES:
        return None
    joined: list[Node] = []
    end: Dim = 0
    while pieces:
        found = next((k for k, (start, _) in enumerate(pieces) if same(start, end)), None)
        if found is None:
            return None
        values = pieces.pop(found)[1]
        joined.append(values)
        end = dims.add(end, values.shape[axis])
    return concatenate_(*joined, axis=axis) if same(end, size) else None


def take_iota(b: Bindings) -> Node | None:
    """Numbers looked up by themselves."""
    x, *indices = b["node"].args
    return indices[0] if x.op is iota else None


def _grid(n: int, m: int) -> Node:
    return reshape_dims(cast(iota(dim_node(n * m)), "float64"), (n, m))


def _numbers(n: int) -> Node:
    return cast(iota(dim_node(n)), "float64")


def _zeros(*shape: int) -> Node:
    return broadcast_dims(const(0.0, "float64"), shape)


def _added(base: Node, values: Node, start: int) -> Node:
    return slice_add(base, values, dim_node(start), dim_node(values.shape[0]), axes=(0,), steps=(1,))


def _set(base: Node, values: Node, start: int) -> Node:
    return slice_set(base, values, dim_node(start), dim_node(values.shape[0]), axes=(0,), steps=(1,))


def _scattered() -> Node:
    places = ew.check_index(iota(dim_node(5)) // 2, dim_node(4), site=0)
    return scatter_add(_set(_zeros(4), _numbers(2), 1), _numbers(5) * 0.5, places)


def slice_of(op: Op) -> Rule:
    """A slice of this reduction."""
    return Rule(f"slice_{op.name}", Pattern(slice_, (Pattern(op, ()),)), slice_reduced, "rounding",
                example=lambda: section(op(_grid(4, 6), axes=(0,)), 0, 2, 3))  # fmt: skip


PARTS = [
    Rule("slice_whole", Pattern(slice_, (x,)), slice_whole, "bitwise",
         example=lambda: slice_(_numbers(4), dim_node(0), dim_node(4), axes=(0,), steps=(1,))),
    Rule("slice_slice", Pattern(slice_, (Pattern(slice_, ()),)), slice_slice, "bitwise",
         example=lambda: slice_(slice_(_grid(4, 6), dim_node(5), dim_node(3), axes=(1,), steps=(-2,)),
                                dim_node(1), dim_node(3), dim_node(2), dim_node(2), axes=(0, 1), steps=(1, -1))),
    Rule("slice_join", Pattern(slice_, (Pattern(concatenate_, ()),)), slice_join, "bitwise",
         example=lambda: section(concatenate_(_grid(2, 3), _grid(4, 3) * 0.5, axis=0), 0, 3, 2)),
    Rule("slice_set_part", Pattern(slice_, (Pattern(slice_set, ()),)), slice_changed, "bitwise",
         example=lambda: section(_set(_numbers(5), -_numbers(2), 1), 0, 1, 2)),
    Rule("slice_add_part", Pattern(slice_, (Pattern(slice_add, ()),)), slice_changed, "bitwise",
         example=lambda: section(_added(_numbers(5), -_numbers(2), 1), 0, 3, 2)),
    *map(slice_of, (sum_, prod_, max_, min_)),
    Rule("join_joins", Pattern(concatenate_, ()), join_joins, "bitwise",
         example=lambda: concatenate_(section(_numbers(5), 0, 0, 2), section(_numbers(5), 0, 2, 3),
                                      concatenate_(_numbers(2), _numbers(3), axis=0), axis=0)),
    Rule("set_whole", Pattern(slice_set, (x, y)), set_whole, "bitwise",
         example=lambda: _set(_numbers(3), -_numbers(3), 0)),
    Rule("set_again", Pattern(slice_set, (x, y)), set_again, "bitwise",
         example=lambda: _set(_added(_numbers(5), _numbers(2), 1), -_numbers(2), 1)),
    Rule("set_own", Pattern(slice_set, (x, y)), set_own, "bitwise",
         example=lambda: _set(_numbers(5), section(_numbers(5), 0, 1, 2) + -_numbers(2), 1)),
    Rule("add_nothing", Pattern(slice_add, (x, y)), add_nothing, "rounding",
         example=lambda: _added(_numbers(5), _zeros(2), 1)),
    Rule("set_zeros", Pattern(slice_add, (x, y)), set_zeros, "rounding",
         example=lambda: _added(_zeros(5), _numbers(2), 1)),
    Rule("tiled", Pattern(slice_add, (x, y)), tiled, "rounding",
         example=lambda: _added(_set(_zeros(5), _numbers(3), 2), -_numbers(2), 0)),
    Rule("add_parts", x + y, add_parts, "rounding", example=lambda: _numbers(4) + _scattered()),
    Rule("sub_parts", x - y, sub_parts, "rounding", example=lambda: _numbers(5) - _set(_zeros(5), _numbers(2), 1)),
    Rule("neg_parts", -x, negative_parts, "rounding", example=lambda: -_scattered()),
    Rule("scale_parts", x * var("c", "const"), scale_parts, "rounding", example=lambda: _scattered() * 0.5),
    Rule("take_iota", Pattern(take, ()), take_iota, "bitwise",
         example=lambda: take(iota(dim_node(4)), ew.check_index(iota(dim_node(3)), dim_node(4), site=0))),
]  # fmt: skip
