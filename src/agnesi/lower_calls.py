"""Calls of library routines: where their arrays lie, and products as loops over calls for matrices."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agnesi.ir import dims
from agnesi.ir.dtype import SIZES
from agnesi.ir.node import INDEX, Node, const, dim_node, index, load
from agnesi.ir.type import Dim, same
from agnesi.loops.product import arranged, blocks_of, looped, loops_of, part
from agnesi.loops.stmt import Buffer, Call, For, Space, Store, View, row_major
from agnesi.lower import Home, Lowering, Scope
from agnesi.ops.declare import Index
from agnesi.ops.products import contract, label_sizes
from agnesi.ops.window import contract_windows, placed, window
from agnesi.schedule.place import axes_index, operands, squeezed


class CallLowering(Lowering):
    """Lowering with library calls."""

    def _call(self, root: Node, scope: Scope) -> None:
        dtype = root.dtype
        out = self._view(root, [scope])
        if root.op is contract:
            self._contract(root, out, scope)
        elif root.op is contract_windows:
            self._windows(root, out, scope)
        elif root.op.name == "gemm":
            c, a, b, alpha, beta = root.args
            self._copy(c, self._home(root), scope)
            left, right = (self._view(n, [scope]) for n in (a, b))
            scalars = (self.at(alpha, (), [scope]), self.at(beta, (), [scope]))
            scope.body.append(arranged(left, right, out, root["labels"]).statement(dtype, scalars))
        elif root.op.name == "solve":
            n, m = root.shape
            size = dims.add(dims.add(dims.mul(n, n), dims.mul(n, m)), dims.add(n, 16))  # see ag_solve_bytes
            work = self._scratch(dtype, (self.size(size),))
            dense = tuple(self._dense(a, scope) for a in root.args)
            scope.body.append(Call("solve", dtype, dense, out, (), work, root["site"]))
        elif root.op.name == "argsort":
            work = self._scratch("int64", (self.size(dims.mul(root.shape[-1], 3)),))
            dense = (self._dense(root.args[0], scope),)
            scope.body.append(Call("argsort", root.args[0].dtype, dense, out, workspace=work))
        elif root.op.name == "searchsorted":
            reads = (self._view(root.args[0], [scope]), self._dense(root.args[1], scope))
            scope.body.append(Call(f"search_{root['side']}", root.args[0].dtype, reads, out))
        elif root.op.name == "python_call":
            dense = tuple(self._dense(a, scope) for a in root.args)
            scope.body.append(Call("python", dtype, dense, out, site=root["site"], function=root["function"]))
        elif root.op.name == "python_result":
            sizes = (self._view(root.args[0], [scope]),)
            found = {"site": root.args[0]["site"], "function": root["function"], "result": root["which"]}
            scope.body.append(Call("python", dtype, sizes, out, **found))
        else:
            raise AssertionError(f"{root.op.name} is not a library call")

    # -- products ---------------------------------------------------------------------------------------

    def _contract(self, root: Node, out: View, scope: Scope) -> None:
        """A product of matrices where they lie, or, with windows that are none there, of copies of some at a time."""
        left, right = (self._view(n, [scope]) for n in root.args)
        plan = arranged(left, right, out, root["labels"])
        if not plan.is_one and any(n.op is window for n in root.args):
            self._windows(root, out, scope)
            return
        if plan.sums:
            self._fill(root, const(0, root.dtype), scope)
        scope.body.append(plan.statement(root.dtype, (const(1, root.dtype), const(0, root.dtype))))

    def _windows(self, root: Node, out: View, scope: Scope) -> None:
        """A product in which an operand is windows, or the result before these are added up. In loops over the axes
        that go along with their places, and over blocks of these, windows are copied to scratch as a matrix, or added
        from there."""
        zero, one = const(0, root.dtype), const(1, root.dtype)
        inputs, result = root["labels"].split("->")
        terms = [*inputs.split(","), result]
        sizes = {label: self.size(d) for label, d in label_sizes(root.args[0], root.args[1], root["labels"]).items()}
        which = 2 if root.op is contract_windows else next(k for k, n in enumerate(root.args) if n.op is window)
        moves = (root if which == 2 else root.args[which])["moves"]
        places = [terms[which][axis] for axis, _, _ in moves]
        around, order = loops_of(terms, which, places)
        blocks = {k: self.size(n) for k, n in blocks_of(order, places, sizes, SIZES[root.dtype]).items()}
        counts = sizes | {k: self.size(dims.floordiv(sizes[k], n)) for k, n in blocks.items()}
        counted, extents = counters([*around, *blocks], counts, 0)
        starts = {k: dim_node(dims.mul(i, blocks.get(k, 1))) for k, i in counted.items()}
        sizes |= blocks
        inside, inner = counters(order, sizes, len(extents))
        where = starts | inside | {k: dim_node(dims.add(starts[k], inside[k])) for k in blocks}
        here, there = tuple(inside[k] for k in order), tuple(where[k] for k in terms[which])

        shape = tuple(sizes[k] for k in order)
        scratch = self._scratch(root.dtype, shape, "row" if extents else "arena")
        views = [View(scratch, dim_node(0), shape, row_major(shape))] * 3
        kept = ["".join(k for k in term if k not in around) for term in terms]
        kept[which] = "".join(order)
        for k in {0, 1, 2} - {which}:
            whole = out if k == 2 else self._dense(root.args[k], scope)
            views[k] = part(whole, terms[k], starts, blocks)
        plan = arranged(views[0], views[1], views[2], f"{kept[0]},{kept[1]}->{kept[2]}")

        adds = plan.sums > 0 or not starts.keys() <= set(result)  # what iterations find, to the result
        if adds or which == 2:
            self._fill(root, zero, scope)
        scopes = [scope, *(Scope() for _ in extents)]
        body = scopes[-1].body
        if which < 2:
            deeper = [*scopes, *(Scope() for _ in inner)]
            deeper[-1].body.append(Store(scratch, here, self.at(root.args[which], there, deeper)))
            close(deeper, inner)
        elif plan.sums:
            body.append(looped(Store(scratch, here, zero), inner, len(extents)))
        body.append(plan.statement(root.dtype, (one, one if adds and which < 2 else zero), len(extents)))
        if which == 2:
            place = self._place(root, placed(there, moves))
            add = Store(self.home[root], place, load(scratch, root.dtype, here), "add")
            body.append(looped(add, inner, len(extents)))
        close(scopes, extents)

    # -- arrays in memory -------------------------------------------------------------------------------

    def _scratch(self, dtype: str, shape: tuple[Dim, ...], space: Space = "arena") -> str:
        """A buffer that no node owns."""
        name = f"work{len(self.buffers)}"
        self.buffers[name] = Buffer(name, dtype, shape, space)
        return name

    def _dense(self, node: Node, scope: Scope) -> View:
        """A matrix that lies row after row without gaps: where it is, or a copy."""
        view = self._view(node, [scope])
        sizes = tuple(self.size(d) for d in node.shape)
        if all(same(a, b) for a, b in zip(view.strides, row_major(sizes), strict=True)):
            return view
        name = self._scratch(node.dtype, sizes)
        self._copy(node, (name, ()), scope)
        return View(name, dim_node(0), sizes, row_major(sizes))

    def _copy(self, source: Node, target: Home, scope: Scope) -> None:
        """Loops that store an array into memory."""
        buffer, lead = target
        idx = axes_index(source.shape)
        extents = [self.size(d) for d in squeezed(source.shape)]
        scopes = [scope, *(Scope() for _ in extents)]
        scopes[-1].body.append(Store(buffer, (*lead, *idx), self.at(source, idx, scopes)))
        close(scopes, extents)

    def _view(self, node: Node, scopes: list[Scope]) -> View:
        """Where an array lies in memory: the coefficients of its element's flat index."""
        loops = tuple(index(k) for k in range(node.ndim))
        array: Node = node
        idx: Index = loops
        while array not in self.home:
            ((array, idx),) = operands(array, idx, self._reader(scopes))
        idx = self._place(array, tuple(self._scalar_index(i, scopes) for i in idx))
        buffer = self.buffers[self.home[array]]
        strides: list[Dim] = [0] * node.ndim
        offset: Dim = 0
        for i, step in zip(idx, buffer.steps, strict=True):
            terms, total = dims.linear(i)
            for term, factor in terms.items():
                if term.op is INDEX:
                    level = term["level"]
                    strides[level] = dims.add(strides[level], dims.mul(step, factor))
                else:
                    offset = dims.add(offset, dims.mul(dims.mul(term, factor), step))
            offset = dims.add(offset, dims.mul(step, total))
        sizes = tuple(self.size(d) for d in node.shape)
        return View(buffer.name, dim_node(offset), sizes, tuple(strides))


def close(scopes: Sequence[Scope], extents: Sequence[Dim]) -> None:
    """Makes the innermost of these blocks the bodies of loops in those around them."""
    first = len(scopes) - 1 - len(extents)
    for k, size in reversed(list(enumerate(extents, first))):
        scopes[k].body.append(For(index(k), size, tuple(scopes[k + 1].body)))


def counters(labels: Iterable[str], sizes: dict[str, Dim], level: int) -> tuple[dict[str, Node], list[Dim]]:
    """An index for each label, and the sizes of its loops, from a level on; axes of one element have none."""
    found: dict[str, Node] = {}
    extents: list[Dim] = []
    for label in labels:
        one = same(sizes[label], 1)
        found[label] = dim_node(0) if one else index(level + len(extents))
        extents += [] if one else [sizes[label]]
    return found, extents
