"""Products of several arrays by labels: einsum."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from string import ascii_letters
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims, dtype as dt
from agnesi.ir.node import Node, cast
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops.diagonal import diagonal
from agnesi.ops.index import broadcast_dims, permuted
from agnesi.ops.products import dot, product
from agnesi.ops.reduce import sum_
from agnesi.ops.shape import specify, without

Operand = tuple[Node, str]


@method(numpy=(np.einsum,))
@lift
def einsum(subscripts: str, *operands: Any, optimize: bool = True) -> Node:
    """The sum of products over the labels that the result lacks: `einsum("ij,jk->ik", a, b)` is a @ b.

    Without "->" the result has the labels that stand once, in alphabetical order. A label that stands twice in an
    operand takes its diagonal; "..." are axes that broadcast. More than two operands are multiplied in pairs, in a
    cheap order where all sizes are known, else, or without `optimize`, from left to right.

    >>> import numpy as np, agnesi.tensor as at
    >>> a = np.arange(6.0).reshape(2, 3)
    >>> at.einsum("ij,kj->ik", a, a).eval().tolist()
    [[5.0, 14.0], [14.0, 50.0]]
    """
    if not isinstance(subscripts, str):
        raise TypeMismatch('einsum: the first argument is the text of the labels, such as "ij,jk->ik"')
    nodes = [as_node(x) for x in operands]
    terms, dots, out = parse(subscripts, [n.ndim for n in nodes])
    common = dt.promote(*[n.dtype for n in nodes])
    terms_of = zip(nodes, terms, strict=True)
    pairs = fitted([distinct(cast(n, common), labels) for n, labels in terms_of], dots)
    for places in path(pairs, out, optimize):
        chosen = [pairs[k] for k in places]
        pairs = [pair for k, pair in enumerate(pairs) if k not in places]
        while len(chosen) > 1:
            first, second, *chosen = chosen
            elsewhere = out + "".join(labels for _, labels in (*pairs, *chosen))
            chosen.insert(0, multiplied(first, second, elsewhere))
        pairs.append(chosen[0])
    return summed(*pairs[0], out)


def parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[str], str, str]:
    """One label for every axis of each operand, those that "..." stands for, and the labels of the result."""
    given, arrow, out = subscripts.replace(" ", "").partition("->")
    terms = given.split(",")
    if len(terms) != len(ranks):
        raise TypeMismatch(f"einsum {subscripts!r} has labels for {len(terms)} operands, and there are {len(ranks)}")
    plain = given.replace("...", "").replace(",", "")
    for label in plain + out.replace("...", ""):
        if label not in ascii_letters:
            raise TypeMismatch(f"einsum {subscripts!r}: {label!r} is not a label; letters are")
    fresh = "".join(k for k in reversed(ascii_letters) if k not in plain)
    found, dots = [], ""
    for term, rank in zip(terms, ranks, strict=True):
        extra = rank - len(term.replace("...", ""))
        if extra < 0 or (extra and "..." not in term):
            raise TypeMismatch(f"einsum {subscripts!r}: {term!r} does not fit an array of {rank} axes")
        more = fresh[:extra][::-1]
        dots = more if len(more) > len(dots) else dots
        found.append(term.replace("...", more))
    if not arrow:
        return found, dots, dots + "".join(sorted(k for k in set(plain) if plain.count(k) == 1))
    result = out.replace("...", dots)
    if len(set(result)) != len(result) or not set(result) <= set(plain + dots):
        raise TypeMismatch(f"einsum {subscripts!r}: the result may have each label of the operands once")
    return found, dots, result


def distinct(x: Node, labels: str) -> Operand:
    """The operand with diagonals in place of labels that stand twice."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = specify(x, [x.shape[first] if k == second else d for k, d in enumerate(x.shape)])
            x = diagonal(x, 0, first, second)
            labels = labels[:first] + labels[first + 1 : second] + labels[second + 1 :] + label
    return x, labels


def fitted(pairs: Sequence[Operand], dots: str) -> list[Operand]:
    """Axes of size 1 left out where another operand has the label; those of "..." repeated to their common size."""
    sizes: dict[str, Dim] = {}
    for x, labels in pairs:
        for label, dim in zip(labels, x.shape, strict=True):
            have = sizes.get(label, 1)
            if label in dots:
                sizes[label] = dims.broadcast([(have,), (dim,)])[0]
            elif label not in sizes or same(have, 1):
                sizes[label] = dim
    result = []
    for x, labels in pairs:
        ones = tuple(k for k, d in enumerate(x.shape) if same(d, 1) and not same(sizes[labels[k]], 1))
        x = without(x, ones, "einsum")
        labels = "".join(label for k, label in enumerate(labels) if k not in ones)
        wanted = tuple(sizes[k] if k in dots else d for k, d in zip(labels, x.shape, strict=True))
        result.append((broadcast_dims(x, wanted), labels))
    return result


def path(pairs: Sequence[Operand], out: str, optimize: bool) -> list[tuple[int, ...]]:
    """Which operands to multiply at each step; the result goes to the end of the list of those that remain."""
    shapes = [x.shape for x, _ in pairs]
    if optimize and len(pairs) > 2 and all(isinstance(d, int) for shape in shapes for d in shape):
        text = f"{','.join(labels for _, labels in pairs)}->{out}"
        arrays = [np.broadcast_to(0.0, tuple(map(int, shape))) for shape in shapes]  # type: ignore[arg-type]
        steps = np.einsum_path(text, *arrays, optimize="optimal" if len(pairs) < 7 else "greedy")[0]
        return [tuple(sorted(step)) for step in steps[1:]]
    return [tuple(range(len(pairs)))] if len(pairs) > 1 else []


def multiplied(first: Operand, second: Operand, elsewhere: str) -> Operand:
    """The product of two operands, summed over the labels that nothing else has."""
    (a, left), (b, right) = first, second
    kept = "".join(k for k in dict.fromkeys(left + right) if k in elsewhere)
    return product(a, b, f"{left},{right}->{kept}"), kept


def summed(x: Node, labels: str, out: str) -> Node:
    """One operand summed over the labels that the result lacks, its axes in the order of the result."""
    axes = tuple(k for k, label in enumerate(labels) if label not in out)
    x = sum_(x, axes=axes) if axes else x
    kept = [label for label in labels if label in out]
    return permuted(x, tuple(kept.index(label) for label in out))


# -- chains of matrices -------------------------------------------------------------------------------------


@method(numpy=(np.linalg.multi_dot,))
@lift
def multi_dot(arrays: Any) -> Node:
    """The product of several matrices, in the cheapest order where all sizes are known; the ends may be vectors."""
    nodes = [as_node(a) for a in arrays]
    ends = {0, len(nodes) - 1}
    if len(nodes) < 2 or any(n.ndim != 2 and not (k in ends and n.ndim == 1) for k, n in enumerate(nodes)):
        shown = ", ".join(str(n.type) for n in nodes)
        raise TypeMismatch(f"multi_dot takes two or more matrices, the first and last may be vectors, not {shown}")
    terms = [ascii_letters[k : k + 2] for k in range(len(nodes))]
    terms[0] = terms[0][2 - nodes[0].ndim :]
    terms[-1] = terms[-1][: nodes[-1].ndim]
    out = (terms[0][0] if nodes[0].ndim == 2 else "") + (terms[-1][1] if nodes[-1].ndim == 2 else "")
    return einsum(f"{','.join(terms)}->{out}", *nodes)


@lift
def matrix_dot(*arrays: Any) -> Node:
    """The product of several matrices, from left to right."""
    nodes = [as_node(a) for a in arrays]
    if not nodes:
        raise TypeMismatch("matrix_dot needs at least one matrix")
    return reduce(dot, nodes)
