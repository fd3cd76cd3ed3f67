"""Random whole graphs: a seed gives expressions over all operations, their gradients, and inputs to run them on.

Every value is computed while the graph grows, so that what is drawn next can be kept in range: no overflow, no value
beside the edge of a discontinuous operation, where rounding would decide.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi import reference
from agnesi.errors import AgnesiError, GradientError
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph, reachable
from agnesi.ir.node import ARRAY, CONST, INPUT, SYMBOL, Node
from agnesi.ir.variable import Variable
from moves import EDGE, MOVES, Rejected, close, one_of

LARGE = 1e4  # values beyond are thrown away
DIRECTION = {"f": 1, "c": 1 + 1j}  # in which arguments are moved
EDGES = {"float16": 0.02, "bfloat16": 0.1}


OTHERS = ["float32", "int64", "int32", "bool", "int8", "complex128", "complex64", "float16", "bfloat16"]


@dataclass
class Sample:
    """A graph with inputs; the updated inputs are the last. finite: whether no value in it is infinite or NaN."""

    seed: int
    graph: Graph
    updates: tuple[tuple[int, int], ...]
    arrays: list[np.ndarray]
    expected: list[np.ndarray]
    finite: bool
    scale: float
    gradient: bool = False


@dataclass
class World:
    """What a graph grows in: random numbers, sizes, inputs, and the values of all nodes so far."""

    rng: np.random.Generator
    sizes: list[tuple[str, int]]
    inputs: list[Node] = field(default_factory=list)
    arrays: list[np.ndarray] = field(default_factory=list)
    values: dict[Node, np.ndarray] = field(default_factory=dict)
    symbols: dict[Node, int] = field(default_factory=dict)
    pool: list[Variable] = field(default_factory=list)

    # -- leaves ---------------------------------------------------------------------------------------

    def new_input(self, dtype: str, shape: list[tuple[str, int]]) -> Variable:
        """An input whose sizes are fixed, named or free; a size of 1 may meet a larger one."""
        declared: list[Any] = []
        for name, size in shape:
            declared.append([size, name, None, None][self.rng.integers(4)] if size != 1 or name == "" else size)
            if name == "" and size == 1:
                declared[-1] = [1, None][self.rng.integers(2)]
        actual = tuple(size for _, size in shape)
        variable = at.tensor(f"x{len(self.inputs)}", dtype, tuple(declared))
        array = self.fill(dtype, actual)
        self.inputs.append(variable.node)
        self.arrays.append(array)
        self.values[variable.node] = array
        for dim, size in zip(variable.node.shape, actual, strict=True):
            if isinstance(dim, Node):
                self.symbols[dim] = size
        return variable

    def fill(self, dtype: str, shape: tuple[int, ...]) -> np.ndarray:
        if dt.is_complex(dtype):
            return np.asarray(self.fill("float64", shape) + 1j * self.fill("float64", shape)).astype(dtype)
        if dt.is_float(dtype):
            return np.asarray(np.round(self.rng.uniform(-2, 2, size=shape), 3) + 1e-4).astype(dtype)
        if dtype == "bool":
            return np.asarray(self.rng.integers(0, 2, size=shape)).astype(dtype)
        return np.asarray(self.rng.integers(0 if dtype in dt.UNSIGNED else -5, 6, size=shape)).astype(dtype)

    def shape(self, ndim: int) -> list[tuple[str, int]]:
        """Sizes that fit each other, with ones for run-time broadcasting here and there."""
        return [("", 1) if self.rng.random() < 0.15 else self.size() for _ in range(ndim)]

    def size(self) -> tuple[str, int]:
        return self.sizes[self.rng.integers(len(self.sizes))]

    # -- values ---------------------------------------------------------------------------------------

    def value(self, variable: Variable) -> np.ndarray:
        """The value of an expression, computed as far as it is new; raises Rejected."""
        fresh: dict[Node, np.ndarray] = {}
        with np.errstate(all="ignore"):
            for node in reachable([variable.node]):
                if node in self.values or node in fresh:
                    continue
                found = self.compute(node, fresh)
                beside_an_edge(node, lambda n: fresh[n] if n in fresh else self.values[n])
                if dt.is_inexact(found.dtype.name) and np.isfinite(found).any():
                    if np.abs(found[np.isfinite(found)]).max() > LARGE:
                        raise Rejected(f"{node.op.name} is too large")
                fresh[node] = found
        self.values.update(fresh)
        return self.values[variable.node]

    def compute(self, node: Node, fresh: dict[Node, np.ndarray]) -> np.ndarray:
        try:
            return np.asarray(reference._value(node, Both(fresh, self.values), self.symbols))
        except (AgnesiError, ArithmeticError, ValueError, IndexError) as error:
            raise Rejected(f"{node.op.name}: {error}") from None

    def add(self, variable: Variable) -> bool:
        """Takes an expression into the pool if its value is of use."""
        if variable.ndim > 3:
            return False
        value = self.value(variable)
        if value.size > 4000:
            return False
        self.pool.append(variable)
        return True

    # -- draws ----------------------------------------------------------------------------------------

    def pick(self, where: Callable[[Variable], bool] = lambda v: True) -> Variable:
        """A variable of the pool, later ones more often; raises Rejected when none fits."""
        fitting = [v for v in self.pool if where(v)]
        if not fitting:
            raise Rejected("nothing fits")
        k = max(self.rng.integers(len(fitting)), self.rng.integers(len(fitting)))
        return fitting[k]

    def number(self, ndim: int = 0) -> Variable:
        """A floating variable of at least this rank."""
        return self.pick(lambda v: dt.is_float(v.dtype) and v.ndim >= ndim)

    def lengths(self, v: Variable) -> tuple[int, ...]:
        return self.value(v).shape

    def partner(self, v: Variable, dtype: str = "") -> Variable:
        """A variable that broadcasts with v, or a new input that does."""
        mine = self.lengths(v)

        def fits(w: Variable) -> bool:
            if dtype and w.dtype != dtype or not dtype and not dt.is_float(w.dtype):
                return False
            try:
                return np.broadcast_shapes(mine, self.lengths(w)) is not None
            except ValueError:
                return False

        if self.rng.random() < 0.85:
            try:
                return self.pick(fits)
            except Rejected:
                pass
        if len(self.inputs) > 8:
            raise Rejected("enough inputs")
        keep = mine[self.rng.integers(0, len(mine) + 1) :]
        shape = [("", 1) if self.rng.random() < 0.3 else ("", n) for n in keep]
        made = self.new_input(dtype or "float64", [self.named(n) for _, n in shape])
        self.pool.append(made)
        return made

    def named(self, n: int) -> tuple[str, int]:
        names = [s for s in self.sizes if s[1] == n]
        return names[self.rng.integers(len(names))] if names and self.rng.random() < 0.7 else ("", n)

    def axes(self, v: Variable) -> tuple[int, ...]:
        """Some axes of a variable, at least one."""
        if not v.ndim:
            raise Rejected("no axes")
        count = int(self.rng.integers(1, v.ndim + 1))
        return tuple(sorted(int(k) for k in self.rng.permutation(v.ndim)[:count]))

    def index(self, n: int, length: int) -> Variable:
        """An integer array of indices into an axis of this size."""
        if n == 0:
            raise Rejected("nothing to look up")
        array = np.asarray(self.rng.integers(-n, n, size=(length,))).astype(
            ["int64", "int32", "int8"][self.rng.integers(3)]
        )
        declared = [length, None][self.rng.integers(2)]
        variable = at.tensor(f"x{len(self.inputs)}", array.dtype.name, (declared,))
        self.inputs.append(variable.node)
        self.arrays.append(array)
        self.values[variable.node] = array
        if isinstance(variable.node.shape[0], Node):
            self.symbols[variable.node.shape[0]] = length
        return variable


class Both(dict[Any, Any]):
    """Two dicts read as one, without copies."""

    def __init__(self, first: dict[Any, Any], second: dict[Any, Any]) -> None:
        self.first, self.second = first, second

    def __contains__(self, key: Any) -> bool:
        return key in self.first or key in self.second

    def __getitem__(self, key: Any) -> Any:
        return self.first[key] if key in self.first else self.second[key]

    def items(self) -> Any:
        return [*self.second.items(), *self.first.items()]


# -- edges --------------------------------------------------------------------------------------------------


def beside_an_edge(node: Node, value: Callable[[Node], np.ndarray]) -> None:
    """Raises Rejected where rounding could change a result by more than rounding."""
    args = [dt.widened(value(a)) for a in node.args] if node.args else []
    name = node.op.name
    if not args or not any(a.dtype.kind in "fc" for a in args):
        return
    if name in ("signbit", "copysign") and np.isnan(args[-1]).any():
        raise Rejected(f"{name}: the sign of NaN says nothing")
    apart = partial(close, edge=max(EDGES.get(a.dtype, EDGE) for a in node.args))
    if name in ("eq", "ne", "lt", "le", "gt", "ge", "maximum", "minimum"):
        apart(np.abs(args[0] - args[1]), name)
    elif name in ("sign", "abs", "sqrt", "log") and args[0].dtype.kind == "f":
        apart(np.abs(args[0]), name)
    elif node.op.kind == "elementwise" and node.op.signature is not None and name not in ("where", "isnan"):
        jumps(node, args)
    elif name == "cast" and node.dtype not in dt.FLOATS:
        apart(np.abs(args[0] - np.round(args[0])), name)
    elif name in ("max", "min", "argmax", "argmin") and args[0].size:
        axes = node["axes"]
        moved = np.moveaxis(args[0], axes, range(len(axes)))
        flat = np.sort(moved.reshape(-1, *moved.shape[len(axes) :]), axis=0)
        if len(flat) > 1:
            gap = flat[-1] - flat[-2] if "max" in name else flat[1] - flat[0]
            apart(np.abs(gap), name, exact=name in ("max", "min"))


def jumps(node: Node, args: list[np.ndarray]) -> None:
    """Raises Rejected where a small change of an argument changes the result much."""
    half = any(a.dtype in dt.HALVES for a in node.args)
    edge, slope = (0.01, 20.0) if half else (EDGE, 1e4)
    here = np.asarray(node.op.evaluate(*args, shape=node.shape))
    for place, arg in enumerate(args):
        step = edge * (1 + np.abs(arg)) * DIRECTION.get(arg.dtype.kind, 0)
        for change in (-step, step) if arg.dtype.kind in DIRECTION else ():
            moved = np.asarray(node.op.evaluate(*args[:place], arg + change, *args[place + 1 :], shape=node.shape))
            if half and not (np.isfinite(moved).all() and np.isfinite(here).all()):
                raise Rejected(f"{node.op.name}: halves beside the edge of the domain")
            wrong = moved != here
            if here.dtype.kind in "fc":
                wrong = np.abs(moved - here) > slope * edge * (1 + np.abs(here))
            if np.any(wrong & np.isfinite(here)):
                raise Rejected(f"{node.op.name}: beside an edge")


# -- whole graphs ---------------------------------------------------------------------------------------------


def draw_sizes(rng: np.random.Generator) -> list[tuple[str, int]]:
    """Two or three sizes; one may be 0 or large enough for vector code."""
    count = int(rng.integers(2, 4))
    return [(f"d{k}", int(rng.choice([0, 1, 2, 3, 4, 5, 7, 37], p=[0.04, 0.1, 0.2, 0.25, 0.15, 0.13, 0.07, 0.06])))
            for k in range(count)]  # fmt: skip


def grow(w: World, steps: int) -> None:
    """Adds expressions to the pool."""
    weights = np.array([weight for weight, _ in MOVES], float)
    made = tries = 0
    while made < steps and tries < 20 * steps:
        tries += 1
        number = int(w.rng.choice(len(MOVES), p=weights / weights.sum()))
        try:
            made += w.add(MOVES[number][1](w))
        except Rejected:
            continue


def with_gradients(w: World) -> list[Variable]:
    """Derivatives of a late floating expression, by the floating inputs it depends on: in one mode or another."""
    y = w.number()
    cost = (y * (0.5 + 0.1 * y)).sum() if y.ndim else y * y
    w.value(cost)
    wrt = [Variable(n) for n in reachable([cost.node]) if n.op is INPUT and dt.is_inexact(n.dtype)]
    found = ag.grad(cost, wrt, disconnected_inputs="ignore")
    kind = w.rng.random()
    if kind < 0.15 and wrt:
        inner = sum((g * g.conj()).real.sum() for g in found)
        found = ag.grad(inner, wrt, disconnected_inputs="ignore")
    elif kind < 0.3 and wrt:
        found = [ag.jvp(y, wrt, [0.5 - x for x in wrt])]
    elif kind < 0.5 and wrt:
        found = [matrix_of_derivatives(w, y, cost, one_of(w, wrt))]
    for g in found:
        w.value(g)
    return found


def matrix_of_derivatives(w: World, y: Variable, cost: Variable, x: Variable) -> Variable:
    """A Jacobian or Hessian that is not large."""
    if w.rng.random() < 0.5 and w.value(x).size <= 20 and not dt.is_complex(x.dtype):
        return ag.hessian(cost, x)
    if w.value(x).size * w.value(y).size > 400:
        raise Rejected("too large")
    return ag.jacobian(y, x)


def generate(seed: int) -> Sample:
    """The random graph of a seed: draws until one is fit for use."""
    for attempt in range(1000):
        rng = np.random.default_rng([seed, attempt])
        try:
            return _generate(seed, rng)
        except (Rejected, GradientError):
            continue
    raise AssertionError(f"seed {seed} gives no graph")


def _generate(seed: int, rng: np.random.Generator) -> Sample:
    w = World(rng, draw_sizes(rng))
    for k in range(int(rng.integers(2, 5))):
        dtype = "float64" if k == 0 or rng.random() < 0.7 else str(rng.choice(OTHERS))
        w.pool.append(w.new_input(dtype, w.shape(int(rng.choice([0, 1, 2, 2, 3])))))
    grow(w, int(rng.integers(8, 26)))
    gradient = seed % 3 == 0
    outputs = with_gradients(w) if gradient else []
    late = w.pool[-max(4, len(w.pool) // 2) :]
    outputs += [late[k] for k in rng.permutation(len(late))[: rng.integers(1, 5)]]
    if rng.random() < 0.15:
        outputs.append(outputs[0])
    pairs = draw_updates(w, outputs)
    roots = [o.node for o in outputs] + [new for _, new in pairs]
    order = reachable(roots)
    if sum(bool(n.args) for n in order) < 10:
        raise Rejected("too small")
    return finish(w, seed, roots, [old for old, _ in pairs], order, gradient)


def draw_updates(w: World, outputs: list[Variable]) -> list[tuple[Node, Node]]:
    """Inputs that get new values: expressions of their dtype and shape."""
    pairs: list[tuple[Node, Node]] = []
    if w.rng.random() < 0.6:
        return pairs
    for old, array in zip(w.inputs, w.arrays, strict=True):
        if len(pairs) == 2 or not dt.is_inexact(old.dtype):
            continue
        fitting = [v for v in [*w.pool, *outputs] if v.dtype == old.dtype and w.lengths(v) == array.shape]
        new = one_of(w, fitting or [Variable(old)])
        if w.rng.random() < 0.6:
            new = Variable(old) - 0.1 * new
            w.value(new)
        if all(
            not (isinstance(a, int) and isinstance(b, int)) or a == b
            for a, b in zip(new.node.shape, old.shape, strict=True)
        ):
            pairs.append((old, new.node))
    return pairs


def finish(w: World, seed: int, roots: list[Node], olds: list[Node], order: list[Node], gradient: bool) -> Sample:
    """The inputs that are needed, the updated ones last."""
    used = {n for n in order if n.op is INPUT} | set(olds)
    needed = {n for n in order if n.op is SYMBOL}
    used |= {n for n in w.inputs if any(d in needed for d in n.shape)}
    inputs = [n for n in w.inputs if n in used and n not in olds] + olds
    place = dict(zip(w.inputs, w.arrays, strict=True))
    first = len(roots) - len(olds)
    updates = tuple((first + k, len(inputs) - len(olds) + k) for k in range(len(olds)))
    graph = Graph(inputs, roots)
    floats = [
        dt.widened(w.values[n])
        for n in order
        if n in w.values and dt.is_inexact(n.dtype) and n.op not in (CONST, ARRAY)
    ]
    finite = all(np.isfinite(v).all() for v in floats)
    scale = max([1.0, *(float(np.abs(v[np.isfinite(v)]).max(initial=0)) for v in floats)])
    return Sample(
        seed, graph, updates, [place[n] for n in inputs], [w.values[r] for r in roots], finite, scale, gradient
    )


def in_memory(array: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The same values, lying in memory in one of several ways."""
    way = rng.integers(5)
    if array.ndim == 0 or way == 0:
        return np.array(array, order="C")
    if way == 1:
        return np.asfortranarray(array)
    if way == 2:
        return np.flip(np.array(np.flip(array), order="C"))
    wide = np.zeros([2 * n + 1 for n in array.shape], array.dtype)
    view = wide[tuple(slice(0, 2 * n, 2) for n in array.shape)]
    view[...] = array
    return view if way == 3 else np.flip(np.array(np.flip(view, -1), order="F"), -1)
