"""Which pieces share a nest, and in what order nests and the loops inside them run.

Pieces join at equal depth and equal space. Depth counts the edges that prevent fusion, on the longest path; the space
of a nest is the list of its loops. Every edge between two nests leads to a greater depth (or to a nest opened later),
so the order is acyclic, and it is found in one pass.

The first piece of several, where it reads nothing, comes before everything else: the zeros to which other pieces add,
which can then share a nest with what they come from.

Inside a nest, a value that is complete only when an inner loop has ended (a row's sum) must be read in a later loop:
each item gets its phase at every loop level.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from agnesi.ir.node import Node, index
from agnesi.ir.type import Dim, same
from agnesi.ops.declare import Index, Piece
from agnesi.schedule.place import NEST_COST, Placement, pieces_of, squeezed

GROUP_ITEMS = 12  # more results in one nest are more streams than the processor follows


@dataclass(eq=False)
class Item:
    """A piece of a root in a nest.

    domain: its loops. cost: its scalar work. kept: reductions: the levels that remain. late: whether sizes of others
    depend on it. phase: see above.
    """

    root: Node
    number: int
    piece: Piece | None
    domain: tuple[Dim, ...]
    cost: int
    kept: tuple[int, ...] | None = None
    late: bool = False
    phase: tuple[int, ...] = ()
    group: Group | None = None

    @property
    def rank(self) -> int:
        return len(self.domain)

    @property
    def level(self) -> int:
        """The number of loops around the finished value."""
        if self.kept is None:
            return self.rank
        return len(self.kept) if self.kept == tuple(range(len(self.kept))) else -1


@dataclass(eq=False)
class Group:
    """Items that become one nest."""

    depth: int
    space: tuple[Dim, ...]
    items: list[Item] = field(default_factory=list)
    cost: int = 0


@dataclass
class Schedule:
    """The nests in order, and which item makes each root."""

    groups: list[Group]
    items: dict[Node, list[Item]]
    readers: dict[Node, list[tuple[Item, Index]]]

    def local(self, root: Node) -> bool:
        """Whether a root is read only inside its own nest, each element in the iteration that made it."""
        (item, *more) = self.items[root]
        return (
            not more
            and not item.late
            and item.piece is not None
            and item.level >= 0
            and all(reader.group is item.group and fusable(item, idx, reader) for reader, idx in self.readers[root])
        )


def same_space(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    """Whether two lists of loops are equal."""
    return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))


def fusable(item: Item, idx: Index, reader: Item) -> bool:
    """Whether a reader at this index can stand in the nest that makes the item's value."""
    if item.piece is None or reader.piece is None or item.level < 0 or item.group is None:
        return False
    if item.late or (item.kept is not None and item.level == 0):
        return False
    loops = tuple(i for i, d in zip(idx, item.root.shape, strict=True) if not same(d, 1))
    if loops != tuple(index(k) for k in range(item.level)):
        return False
    return reader.rank >= item.level and same_space(reader.domain, item.group.space[: reader.rank])


def items_of(root: Node, placement: Placement) -> list[Item]:
    """The pieces of a root with their domains."""
    if root.op.kind == "call":
        return [Item(root, 0, None, (), 0)]
    result = []
    for number, piece in enumerate(pieces_of(root)):
        kept = None
        if root.op.kind == "reduce" and piece.combine:
            loops = [k for k, d in enumerate(piece.domain) if not same(d, 1)]
            kept = tuple(level for level, k in enumerate(loops) if k not in root["axes"])
        cost = placement.costs[root, number]
        result.append(Item(root, number, piece, squeezed(piece.domain), cost, kept, root in placement.late))
    return result


def order(placement: Placement, last: frozenset[Node]) -> Schedule:
    """The schedule; roots in `last` (updates nothing else reads) come as late as those that read what they replace."""
    items: dict[Node, list[Item]] = {}
    readers: dict[Node, list[tuple[Item, Index]]] = {}
    open_groups: dict[tuple[int, int], list[Group]] = {}
    groups: list[Group] = []
    roots = [r for r in placement.roots if r not in last] + [r for r in placement.roots if r in last]
    floor = 0
    for root in roots:
        if root in last and not floor:
            floor = max((g.depth for g in groups), default=0)
        items[root] = items_of(root, placement)
        readers[root] = []
        previous: Item | None = None
        for item in items[root]:
            reads = placement.reads[root, item.number]
            early = previous is None and not reads and len(items[root]) > 1 and root not in last
            join(item, reads, items, previous, floor - early, open_groups, groups)
            for dep, idx in reads:
                readers[dep].append((item, idx))
            previous = item
    for group in groups:
        find_phases(group, placement, items)
    ordered = sorted(groups, key=lambda g: g.depth)
    return Schedule(ordered, items, readers)


def join(
    item: Item,
    reads: list[tuple[Node, Index]],
    items: dict[Node, list[Item]],
    previous: Item | None,
    floor: int,
    open_groups: dict[tuple[int, int], list[Group]],
    groups: list[Group],
) -> None:
    """Puts an item into a nest: one of those that make what it reads, one of equal space, or a new one."""
    depth = floor if previous is None or previous.group is None else previous.group.depth + 1
    wanted: list[Group] = []
    for dep, idx in reads:
        maker = items[dep][-1]
        assert maker.group is not None
        if len(items[dep]) == 1 and fusable(maker, idx, item):
            if maker.group.depth > depth:
                depth, wanted = maker.group.depth, []
            if maker.group.depth == depth and maker.group not in wanted:
                wanted.append(maker.group)
        elif maker.group.depth + 1 > depth:
            depth, wanted = maker.group.depth + 1, []
    if len(wanted) > 1 and not all(same_space(g.space, wanted[0].space) for g in wanted):
        depth, wanted = depth + 1, []
    group = find_group(item, depth, wanted, open_groups)
    if group is None:
        space = wanted[-1].space if wanted else item.domain
        group = Group(depth, space)
        groups.append(group)
        open_groups.setdefault((depth, len(space)), []).append(group)
    group.items.append(item)
    group.cost += item.cost
    item.group = group


def find_group(
    item: Item, depth: int, wanted: list[Group], open_groups: dict[tuple[int, int], list[Group]]
) -> Group | None:
    """The last nest opened at this depth over the wanted space, while it has room."""
    if item.piece is None:
        return None
    space = wanted[-1].space if wanted else item.domain
    for group in reversed(open_groups.get((depth, len(space)), ())):
        if group.items[0].piece is not None and same_space(group.space, space):
            room = len(group.items) < GROUP_ITEMS and group.cost + item.cost <= NEST_COST
            return group if room else None
    return None


def find_phases(group: Group, placement: Placement, items: dict[Node, list[Item]]) -> None:
    """The phases of the items of a nest, each the lexicographically first that its reads allow."""
    for item in group.items:
        phase = (0,) * (item.rank + 1)
        if item.piece is None:
            continue
        for dep, _ in placement.reads[item.root, item.number]:
            maker = items[dep][-1]
            if maker.group is not group or maker is item:
                continue
            if maker.kept is None:
                least = maker.phase[: maker.rank + 1]
            else:
                least = (*maker.phase[: maker.level], maker.phase[maker.level] + 1)
            padded = (*least, *(0,) * (item.rank + 1))[: item.rank + 1]
            phase = max(phase, padded)
        item.phase = phase
