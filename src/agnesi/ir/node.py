"""Values: one immutable, interned node class for arrays and for the scalars inside loops."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Any
from weakref import WeakValueDictionary, ref

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.op import OPS, Op, Operand, register
from agnesi.ir.type import Dim, Type, same

Attrs = tuple[tuple[str, Any], ...]


class Node(Operand):
    """An operation applied to arguments; equal nodes are one object, so `is` compares expressions."""

    __slots__ = ("op", "args", "attrs", "type", "__weakref__")
    op: Op
    args: tuple[Node, ...]
    attrs: Attrs
    type: Type

    def __getitem__(self, name: str) -> Any:
        """The attribute of that name."""
        for key, value in self.attrs:
            if key == name:
                return value
        raise KeyError(name)

    @property
    def dtype(self) -> str:
        return self.type.dtype

    @property
    def shape(self) -> tuple[Dim, ...]:
        return self.type.shape

    @property
    def ndim(self) -> int:
        return len(self.type.shape)

    @classmethod
    def apply(cls, op: Op, args: tuple[Any, ...], attrs: dict[str, Any]) -> Node:
        nodes = as_nodes(args)
        if op.signature is not None:
            wanted, _ = signature(op, tuple(n.type.dtype for n in nodes))
            nodes = tuple(n if n.type.dtype == w else cast(n, w) for n, w in zip(nodes, wanted, strict=True))
        return make(op, nodes, tuple(sorted(attrs.items())) if attrs else ())

    def __repr__(self) -> str:
        return f"<{self.op.name} {self.type}>"

    def __reduce__(self) -> tuple[Any, ...]:
        raise TypeError("nodes are pickled as part of a Graph")


_table: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()
_references: dict[tuple[Any, ...], ref[Node]] = vars(_table)["data"]  # asked directly: most nodes are there already
_lock = threading.Lock()


def make(op: Op, args: tuple[Node, ...], attrs: Attrs = (), type: Type | None = None) -> Node:
    """The one node of this op, arguments and attributes (sorted by name); leaves give their type."""
    key = (op, args, attrs, type)
    reference = _references.get(key)
    node = reference() if reference is not None else None
    if node is None:
        inferred = type if type is not None else op.infer(*args, **dict(attrs))
        with _lock:
            node = _table.get(key)
            if node is None:
                node = Node()
                node.op, node.args, node.attrs, node.type = op, args, attrs, inferred
                _table[key] = node
    return node


@cache
def signature(op: Op, dtypes: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """Operand and result dtypes of an elementwise op; raises TypeMismatch."""
    assert op.signature is not None
    if len(dtypes) != op.arity:
        raise TypeMismatch(f"{op.name} takes {op.arity} arguments, not {len(dtypes)}")
    return op.signature(*dtypes)


def as_nodes(args: tuple[Any, ...]) -> tuple[Node, ...]:
    """The arguments as nodes; Python scalars take the dtype that their neighbours give them."""
    dtypes = [a.type.dtype for a in args if isinstance(a, Node)]
    if len(dtypes) == len(args):
        return args
    common = dt.promote(*dtypes) if len(dtypes) > 1 else dtypes[0]
    return tuple(a if isinstance(a, Node) else scalar(a, common) for a in args)


def scalar(value: Any, dtype: str) -> Node:
    """A Python or NumPy scalar as a constant next to arrays of this dtype."""
    if dt.is_weak(value):
        return const(value, dt.weak(type(value).__name__, dtype))
    return constant(value)


# -- leaves ----------------------------------------------------------------------------------------


class Tag:
    """Identity of an input or symbol: two inputs of one name stay two. Pickles keep it within one pickle."""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name

    def __getstate__(self) -> tuple[None, dict[str, str]]:
        return None, {"name": self.name}

    def __repr__(self) -> str:
        return self.name or "_"


class ArrayValue:
    """The data of an array constant, compared by identity; the array is a read-only copy."""

    __slots__ = ("array",)

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array, order="C")
        self.array.flags.writeable = False

    def __getstate__(self) -> tuple[None, dict[str, Any]]:
        return None, {"array": self.array}


def _typed(*args: Node, **attrs: Any) -> Type:
    raise AssertionError("leaves are made with their type")


def _bound(*args: Any, **attrs: Any) -> Any:
    raise AssertionError("leaves are bound, not evaluated")


def _leaf(name: str, doc: str) -> Op:
    return register(Op(name=name, kind="leaf", infer=_typed, evaluate=_bound, cost=0, arity=0, doc=doc))


INPUT = _leaf("input", "An argument of the function, or a shared variable.")
CONST = _leaf("const", "A scalar constant, compared by its bits.")
ARRAY = _leaf("array", "An array constant, compared by identity.")
SYMBOL = _leaf("symbol", "A dimension of an input, known at the call.")
INDEX = _leaf("index", "The index of an enclosing loop, by its level.")
TEMP = _leaf("temp", "A named scalar inside a loop.")
LOAD = _leaf("load", "An element of a buffer; the arguments are its index.")


@cache
def _item(bits: bytes, dtype: str) -> Any:
    return np.frombuffer(bits, dtype)[0].item()


def const(value: Any, dtype: str) -> Node:
    """A scalar constant; raises TypeMismatch when an integer does not fit its dtype."""
    try:
        array = dt.convert(value, dtype) if isinstance(value, (float, complex)) else np.array(value, dtype)
    except OverflowError:
        raise TypeMismatch(f"the Python integer {value} does not fit {dtype}") from None
    return make(CONST, (), (("bits", array.tobytes()),), Type(dtype))


def value_of(node: Node) -> Any:
    """The Python value of a scalar constant."""
    return _item(node["bits"], node.dtype)


def constant(value: Any) -> Node:
    """Any array-like as a constant node: scalars by value, arrays by identity of a copy."""
    array = np.asarray(value)
    dtype = dt.normalize(array.dtype)
    if array.ndim == 0:
        return make(CONST, (), (("bits", array.astype(dtype).tobytes()),), Type(dtype))
    return make(ARRAY, (), (("value", ArrayValue(array)),), Type(dtype, array.shape))


def input_node(name: str, type: Type) -> Node:
    """A new input."""
    return make(INPUT, (), (("tag", Tag(name)),), type)


_INT = Type("int64")
_counter = itertools.count()


def symbol(name: str = "") -> Node:
    """A dimension: of this name everywhere, or new when the name is empty."""
    key: Tag | str = name or Tag(f"n{next(_counter)}")
    return make(SYMBOL, (), (("key", key), ("name", str(key))), _INT)


def index(level: int) -> Node:
    """The index of the enclosing loop at this level, 0 the outermost."""
    return make(INDEX, (), (("level", level),), _INT)


def temp(name: str, dtype: str) -> Node:
    """A scalar inside a loop body."""
    return make(TEMP, (), (("name", name),), Type(dtype))


def load(buffer: str, dtype: str, indices: tuple[Node, ...]) -> Node:
    """An element of a buffer."""
    return make(LOAD, indices, (("buffer", buffer),), Type(dtype))


# -- dimensions ------------------------------------------------------------------------------------


def as_dim(node: Node) -> Dim:
    """An int64 scalar node as a dimension: constants become ints."""
    return int(value_of(node)) if node.op is CONST else node


@lru_cache(maxsize=4096)
def _int_const(value: int) -> Node:
    return const(value, "int64")


def dim_node(dim: Dim) -> Node:
    """A dimension as an int64 scalar node."""
    return _int_const(dim) if isinstance(dim, int) else dim


def cast(node: Node, dtype: str) -> Node:
    """The node in another dtype; scalar constants are converted at once."""
    if node.dtype == dtype:
        return node
    if node.op is CONST:
        return const(dt.convert(np.asarray(value_of(node), node.dtype), dtype), dtype)
    return make(OPS["cast"], (node,), (("dtype", dtype),))


def topological(roots: Iterable[Node]) -> list[Node]:
    """Every node once, arguments first, without recursion."""
    order: dict[Node, None] = {}
    stack = list(roots)
    stack.reverse()
    while stack:
        node = stack[-1]
        if node.args and node not in order:
            waiting = [a for a in node.args if a not in order]
            if waiting:
                waiting.reverse()
                stack += waiting
                continue
        order[node] = None
        stack.pop()
    return list(order)


def type_nodes(node: Node) -> tuple[Node, ...]:
    """The nodes that a node's type mentions: its computed dimensions."""
    return tuple(d for d in node.type.shape if isinstance(d, Node))


def rebuild(node: Node, args: tuple[Node, ...]) -> Node:
    """The node with other arguments; its type is inferred anew."""
    if args == node.args:
        return node
    return make(node.op, args, node.attrs, node.type if node.op is LOAD else None)


def substitute(roots: Iterable[Node], mapping: dict[Node, Node]) -> list[Node]:
    """The roots with nodes replaced; types follow, also through the dimensions of replaced inputs."""
    done = dict(mapping)
    roots = list(roots)
    for node in topological(roots):
        if node not in done:
            if node.args:
                done[node] = rebuild(node, tuple([done[a] for a in node.args]))
            else:
                done[node] = _resized(node, mapping) if node.op is INPUT else node
    return [done[r] for r in roots]


def _resized(node: Node, mapping: dict[Node, Node]) -> Node:
    shape = tuple(as_dim(mapping.get(d, d)) if isinstance(d, Node) else d for d in node.shape)
    return node if same_shape(shape, node.shape) else make(INPUT, (), node.attrs, Type(node.dtype, shape))


def same_shape(a: tuple[Dim, ...], b: tuple[Dim, ...]) -> bool:
    """Whether two shapes are known to be equal."""
    return a is b or (len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True)))
