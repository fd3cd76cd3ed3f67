"""Arithmetic of sizes and loop indices in one linear normal form, so that n - 1 + 1 is n."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from agnesi.errors import ShapeError
from agnesi.ir.node import CONST, INDEX, Node, as_dim, dim_node, make, topological, value_of
from agnesi.ir.op import OPS
from agnesi.ir.type import Dim, same

Linear = tuple[dict[Node, int], int]
LARGEST = 2**63 - 1  # what an int64 holds


class Powers(frozenset[tuple[Node, int]]):
    """Nodes and their powers in a product, equal in whatever order they were met. They keep that order: the one of
    a set depends on where nodes lie in memory, and so would the text of what is compiled."""

    order: tuple[tuple[Node, int], ...]

    def __new__(cls, met: Iterable[tuple[Node, int]] = ()) -> Powers:
        order = tuple(met)
        made = super().__new__(cls, order)
        made.order = order
        return made


Polynomial = dict[Powers, int]  # the factor of each product


def linear(dim: Dim) -> Linear:
    """The terms with their integer factors, and the constant, of an int64 expression."""
    terms: dict[Node, int] = {}
    total = 0
    work: list[tuple[Dim, int]] = [(dim, 1)]
    while work:
        item, factor = work.pop()
        if isinstance(item, int):
            total += factor * item
        elif item.op is CONST:
            total += factor * int(value_of(item))
        elif item.op.name == "add":
            work += [(item.args[1], factor), (item.args[0], factor)]
        elif item.op.name == "sub":
            work += [(item.args[1], -factor), (item.args[0], factor)]
        elif item.op.name == "neg":
            work.append((item.args[0], -factor))
        elif item.op.name == "mul" and item.args[1].op is CONST:
            work.append((item.args[0], factor * int(value_of(item.args[1]))))
        else:
            terms[item] = terms.get(item, 0) + factor
    return {t: f for t, f in terms.items() if f}, total


def from_linear(terms: dict[Node, int], total: int) -> Dim:
    """The expression of a normal form: positive terms first, then the constant."""
    result: Node | None = None
    for term, factor in sorted(terms.items(), key=lambda item: item[1] < 0):
        size = abs(factor)
        scaled = term if size == 1 else _op("mul", term, dim_node(size))
        if result is None:
            result = scaled if factor > 0 else _op("neg", scaled)
        else:
            result = _op("add" if factor > 0 else "sub", result, scaled)
    if result is None:
        return total
    if total == 0:
        return result
    return _op("add", result, dim_node(total)) if total > 0 else _op("sub", result, dim_node(-total))


def _op(name: str, *args: Node) -> Node:
    return make(OPS[name], args)


def add(a: Dim, b: Dim) -> Dim:
    """a + b"""
    if isinstance(a, int) and isinstance(b, int):
        return a + b
    if same(a, 0):
        return b
    if same(b, 0):
        return a
    return _combine(a, b, 1)


def sub(a: Dim, b: Dim) -> Dim:
    """a - b"""
    if isinstance(a, int) and isinstance(b, int):
        return a - b
    return a if same(b, 0) else _combine(a, b, -1)


def _combine(a: Dim, b: Dim, sign: int) -> Dim:
    terms, total = linear(a)
    more, rest = linear(b)
    for term, factor in more.items():
        terms[term] = terms.get(term, 0) + sign * factor
    return from_linear({t: f for t, f in terms.items() if f}, total + sign * rest)


def mul(a: Dim, b: Dim) -> Dim:
    """a * b"""
    if isinstance(a, int):
        a, b = b, a
    if isinstance(a, int):
        assert isinstance(b, int)
        return a * b
    if isinstance(b, int):
        if b == 1:
            return a
        terms, total = linear(a)
        return from_linear({t: f * b for t, f in terms.items()} if b else {}, total * b)
    return _op("mul", a, b)


def product(dims: Iterable[Dim]) -> Dim:
    """The number of elements of a shape."""
    result: Dim = 1
    for dim in dims:
        result = mul(result, dim)
    return result


def factors(dims: Iterable[Dim]) -> tuple[int, frozenset[tuple[Node, int]]]:
    """The number of elements of a shape in factors: equal for equal products, in whatever order they are taken."""
    number, powers = 1, Counter[Node]()
    work = list(dims)
    while work:
        dim = work.pop()
        terms, total = linear(dim)
        if not terms:
            number *= total
        elif total or len(terms) > 1:
            powers[dim_node(dim)] += 1
        else:
            ((term, factor),) = terms.items()
            number *= factor
            if term.op.name == "mul":
                work += map(as_dim, term.args)
            else:
                powers[term] += 1
    return number, frozenset(powers.items())


@lru_cache(maxsize=4096)
def expanded(dim: Dim) -> Polynomial:
    """An expression as a sum of products of nodes that are neither, with integer factors."""
    terms, total = linear(dim)
    result: Polynomial = {Powers(): total} if total else {}
    for term, factor in terms.items():
        part: Polynomial = {Powers([(term, 1)]): 1}
        if term.op.name == "mul":
            part = times(*(expanded(as_dim(a)) for a in term.args))
        _accumulate(result, part, factor)
    return result


def times(a: Polynomial, b: Polynomial) -> Polynomial:
    """The product of two polynomials."""
    result: Polynomial = {}
    for left, factor in a.items():
        for right, other in b.items():
            powers = Counter(dict(left.order))
            powers.update(dict(right.order))
            _accumulate(result, {Powers(powers.items()): other}, factor)
    return result


def _accumulate(result: Polynomial, part: Polynomial, factor: int) -> None:
    for powers, number in part.items():
        result[powers] = result.get(powers, 0) + number * factor
        if not result[powers]:
            del result[powers]


def coefficient(polynomial: Polynomial, of: Node) -> Polynomial | None:
    """What a node is multiplied with, if the polynomial is linear in it."""
    result: Polynomial = {}
    for powers, number in polynomial.items():
        others = {node: power for node, power in powers.order if node is not of}
        if of in topological(n for n in others if n.args) or (of, 1) not in powers and len(others) < len(powers):
            return None
        if len(others) < len(powers):
            result[Powers(others.items())] = number
    return result


def joined(polynomial: Polynomial, shape: tuple[Dim, ...]) -> Dim:
    """The expression of a polynomial, an offset into an array of this shape, with a // b * b + a % b as a where b = 0
    would mean that the array is empty."""
    _, sizes = factors(shape)
    result = dict(polynomial)
    for powers in polynomial:
        rest = next((node for node, power in powers.order if node.op.name == "mod" and power == 1), None)
        number = result.get(powers)
        if rest is None or number is None:
            continue
        a, b = map(as_dim, rest.args)
        others: Polynomial = {Powers(p for p in powers.order if p != (rest, 1)): number}
        whole = times(times(others, expanded(b)), expanded(floordiv(a, b)))
        safe = factors([b])[1] <= sizes
        if safe and all(result.get(key) == value for key, value in whole.items()):
            _accumulate(result, {**whole, powers: number}, -1)
            _accumulate(result, times(others, expanded(a)), 1)
            return joined(result, shape)
    total: Dim = 0
    for powers, number in result.items():
        total = add(total, product([number, *(node for node, power in powers.order for _ in range(power))]))
    return total


def maximum(a: Dim, b: Dim) -> Dim:
    """max(a, b), where max(max(c, 0) - 1, 0) is max(c - 1, 0)"""
    if isinstance(a, int) and isinstance(b, int):
        return max(a, b)
    if isinstance(a, Node) and isinstance(b, int):
        if b == 0 and nonnegative(a):
            return a
        terms, total = linear(a)
        inner, factor = next(iter(terms.items()))
        if len(terms) == 1 and factor == 1 and inner.op.name == "maximum" and inner.args[1].op is CONST:
            return maximum(add(as_dim(inner.args[0]), total), max(int(value_of(inner.args[1])) + total, b))
    return a if same(a, b) else _op("maximum", dim_node(a), dim_node(b))


def minimum(a: Dim, b: Dim) -> Dim:
    """min(a, b)"""
    if isinstance(a, int) and isinstance(b, int):
        return min(a, b)
    if at_most(a, b):
        return a
    return b if at_most(b, a) else _op("minimum", dim_node(a), dim_node(b))


def at_most(a: Dim, b: Dim) -> bool:
    """Whether the forms of two expressions show that a <= b."""
    if same(a, b) or nonnegative(sub(b, a)):
        return True
    return isinstance(a, Node) and a.op.name == "maximum" and all(at_most(as_dim(x), b) for x in a.args)


def floordiv(a: Dim, b: Dim) -> Dim:
    """a // b, rounding down; 0 when b is 0"""
    if isinstance(a, int) and isinstance(b, int):
        return a // b if b else 0
    if isinstance(b, int) and b > 1 and divides(b, a):
        terms, total = linear(a)
        return from_linear({t: f // b for t, f in terms.items()}, total // b)
    return a if same(b, 1) else _op("floordiv", dim_node(a), dim_node(b))


def divides(b: int, a: Dim) -> bool:
    """Whether a is a number more than a multiple of b."""
    return all(factor % b == 0 for factor in linear(a)[0].values())


def mod(a: Dim, b: Dim) -> Dim:
    """a mod b, with the sign of b; 0 when b is 0"""
    if isinstance(a, int) and isinstance(b, int):
        return a % b if b else 0
    if isinstance(b, int) and b > 1 and divides(b, a):
        return linear(a)[1] % b
    return 0 if same(b, 1) else _op("mod", dim_node(a), dim_node(b))


def meet(a: Dim, b: Dim) -> Dim:
    """The common size of two broadcast dimensions, one of which may be 1 at run time."""
    if same(a, b) or same(b, 1):
        return a
    if same(a, 1):
        return b
    if isinstance(a, int) and isinstance(b, int):
        raise ShapeError(f"sizes {a} and {b} differ and neither is 1")
    if isinstance(a, int):
        return a
    if isinstance(b, int):
        return b
    left, right = met(a), met(b)
    if left.keys() <= right.keys():
        return b if len(left) < len(right) else a
    for size in right:
        a = a if size in left else _op("meet", dim_node(a), size)
    return a


def met(size: Node) -> dict[Node, None]:
    """The sizes of which one is the common size."""
    found: dict[Node, None] = {}
    work = [size]
    while work:
        node = work.pop()
        if node.op.name == "meet":
            work += reversed(node.args)
        else:
            found[node] = None
    return found


def broadcast(shapes: list[tuple[Dim, ...]]) -> tuple[Dim, ...]:
    """NumPy's broadcast shape; raises ShapeError when known sizes do not fit."""
    first = shapes[0]
    if all(s is first or s == first for s in shapes[1:]):
        return first
    ndim = max(map(len, shapes))
    result: list[Dim] = [1] * ndim
    for shape in shapes:
        for axis, dim in enumerate(shape, ndim - len(shape)):
            result[axis] = meet(result[axis], dim)
    return tuple(result)


def nonnegative(dim: Dim) -> bool:
    """Whether the form of an expression shows that it is never negative, sizes of inputs being none."""
    work: list[Dim] = [dim]
    seen: set[Node] = set()  # sizes meet again and again, so that a form has far more paths than parts
    while work:
        terms, total = linear(work.pop())
        if total < 0 or any(factor < 0 for factor in terms.values()):
            return False
        for term in terms.keys() - seen:
            seen.add(term)
            name = term.op.name
            if name in ("mul", "floordiv", "minimum", "meet"):
                work += map(as_dim, term.args)
            elif name == "where":
                work += map(as_dim, term.args[1:])
            elif not (name == "symbol" or is_count(term) or (name == "maximum" and nonnegative_constant(term.args[1]))):
                return False
    return True


def is_count(node: Node) -> bool:
    """Whether a scalar is a number of true elements, or a size of what a Python function has returned."""
    if node.op.name == "sum":
        return node.args[0].op.name == "cast" and node.args[0].args[0].dtype == "bool"
    return node.op.name == "take" and node.args[0].op.name == "python_call"


def nonnegative_constant(node: Node) -> bool:
    return node.op is CONST and value_of(node) >= 0


def evaluate(dim: Dim, sizes: Mapping[Node, Any]) -> int:
    """The value of a dimension, given its symbols or other parts of it."""
    if isinstance(dim, int):
        return dim
    values: dict[Node, int] = {}
    stack = [dim]
    while stack:
        node = stack[-1]
        missing = [] if node in sizes else [a for a in node.args if a not in values]
        if missing:
            stack += missing
            continue
        stack.pop()
        if node in sizes:
            values[node] = int(sizes[node])
        elif node.op is CONST:
            values[node] = int(value_of(node))
        else:
            values[node] = int(node.op.evaluate(*[values[a] for a in node.args], shape=(), **dict(node.attrs)))
    return values[dim]


def levels(node: Node, memo: dict[Node, frozenset[int]]) -> frozenset[int]:
    """The loop levels that an index expression depends on."""
    for item in topological([node]) if node not in memo else ():
        if item not in memo:
            own = frozenset([item["level"]]) if item.op is INDEX else frozenset[int]()
            memo[item] = own.union(*[memo[a] for a in item.args])
    return memo[node]


__all__ = [
    "add", "as_dim", "broadcast", "dim_node", "evaluate", "factors", "floordiv", "from_linear", "levels", "linear",
    "maximum", "meet", "minimum", "mod", "mul", "nonnegative", "product", "same", "sub",
]  # fmt: skip
