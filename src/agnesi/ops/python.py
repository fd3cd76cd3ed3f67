"""Python functions as operations: called by compiled code, on whole arrays.

The call is two operations. The first runs the function and gives the sizes of its results; so the sizes of an array
may depend on what the function returns. The second is one of the results.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from agnesi.errors import GradientError, TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.node import Node, as_dim, cast, dim_node
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import Variable, as_node
from agnesi.ops.declare import Array, calling
from agnesi.ops.gather import take
from agnesi.ops.index import broadcast_dims
from agnesi.ops.shape import specify_shape

Kind = tuple[str, int]  # dtype and rank


class PythonFunction:
    """A function of arrays, with the types of what it takes and returns; compared by identity."""

    __slots__ = ("function", "takes", "returns", "results", "public")

    def __init__(self, function: Callable[..., Any], takes: tuple[Kind, ...], returns: tuple[Kind, ...]) -> None:
        self.function, self.takes, self.returns = function, takes, returns
        self.results: dict[int, list[Array]] = {}  # of the interpreter, by the array of sizes that announced them
        self.public: Any = None  # what as_op made, under the function's name

    def __repr__(self) -> str:
        return f"<{self.name} {self.takes} {self.returns}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _held_by, (self.public,)

    @property
    def name(self) -> str:
        return getattr(self.function, "__name__", "function")

    def __call__(self, arrays: Sequence[Array]) -> list[Array]:
        """The results for these arrays, in the types they are declared with; raises TypeMismatch."""
        # Copies: what is passed is memory of the call, and the function may keep, change or return it.
        given = [
            a.reshape(() if rank == 0 else a.shape).copy() for a, (_, rank) in zip(arrays, self.takes, strict=True)
        ]
        found = self.function(*given)
        values = [found] if len(self.returns) == 1 and not isinstance(found, (list, tuple)) else list(found)
        if len(values) != len(self.returns):
            raise TypeMismatch(f"{self.name} returned {len(values)} results; {len(self.returns)} are declared")
        results = []
        for value, (dtype, rank) in zip(values, self.returns, strict=True):
            array = np.asarray(value)
            if array.ndim != rank or not np.can_cast(array.dtype, dtype, "same_kind"):
                raise TypeMismatch(
                    f"{self.name} returned an array of dtype {array.dtype} with {array.ndim} axes; declared are "
                    f"{dtype} and {rank} axes"
                )
            results.append(np.ascontiguousarray(array, dtype).reshape(array.shape))
        return results

    def sizes(self, results: Sequence[Array]) -> Array:
        """The sizes of all results one after another."""
        return np.array([n for r in results for n in r.shape], np.int64)

    def serve(self, result: int, arrays: list[Array], held: dict[int, list[Array]], site: int) -> None:
        """What compiled code asks for: to call the function (result < 0), or one of its results; the last array takes
        the sizes of all, or the result. held: the results of this call of compiled code, by check number. Compiled code
        passes bfloat16 as uint16, for its number in NumPy differs from process to process."""
        *given, out = arrays
        if result < 0:
            given = [a.view(dtype) for a, (dtype, _) in zip(given, self.takes, strict=True)]
            held[site] = self(given)
        out[...] = self.sizes(held[site]) if result < 0 else held[site][result].view(out.dtype)

    def place(self, which: int) -> int:
        """Where the sizes of a result begin among those of all."""
        return sum(rank for _, rank in self.returns[:which])


def _held_by(public: Any) -> PythonFunction:
    """The function behind a name, for pickles."""
    held: PythonFunction = public.held
    return held


def _sizes_reference(*arrays: Array, shape: Any, function: PythonFunction, site: int) -> Array:
    results = function(arrays)
    sizes = function.sizes(results)
    function.results[id(sizes)] = results
    weakref.finalize(sizes, function.results.pop, id(sizes), None)
    return sizes


def _sizes_infer(*args: Node, function: PythonFunction, site: int) -> Type:
    return Type("int64", (sum(rank for _, rank in function.returns),))


def _no_derivative(node: Node, other: Any) -> Any:
    name = node["function"].name
    raise GradientError(f"{name}() is a Python function without a derivative; ag.custom_gradient can give it one")


python_call = calling(
    "python_call", _sizes_infer, _sizes_reference, _no_derivative, _no_derivative, may_raise=True,
    doc="The sizes of what a Python function returns.")  # fmt: skip


def _result_infer(sizes: Node, *shape: Node, function: PythonFunction, which: int) -> Type:
    return Type(function.returns[which][0], tuple(as_dim(d) for d in shape))


def _result_reference(sizes: Array, *dims: Array, shape: Any, function: PythonFunction, which: int) -> Array:
    return function.results[id(sizes)][which]


python_result = calling(
    "python_result", _result_infer, _result_reference, _no_derivative, _no_derivative,
    doc="A result of a Python function that has been called.")  # fmt: skip


# -- the public function ------------------------------------------------------------------------------------------


def as_op(itypes: Any, otypes: Any, infer_shape: Callable[[list[Any]], list[Any]] | None = None) -> Any:
    """A decorator that makes an operation of a Python function on NumPy arrays; called as often as values are needed.

    itypes, otypes: the types it takes and returns, each a constructor such as at.dmatrix or a pair (dtype, rank); one
    or a list. infer_shape: from the shapes of the arguments to the shapes of the results, where they can be known
    before the call; what returns something else then raises ShapeError.

    The function must always return the same for the same arguments. It has no derivative: ag.custom_gradient gives it
    one. Raises TypeMismatch when it returns what is not declared.

    >>> import numpy as np, agnesi as ag, agnesi.tensor as at
    >>> @ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
    ... def unique(x):
    ...     return np.unique(x)
    >>> x = at.dvector("x")
    >>> (unique(x) * 2).eval({x: [3.0, 1.0, 3.0]}).tolist()
    [2.0, 6.0]
    """
    takes, returns = (tuple(kind_of(t) for t in (g if isinstance(g, list) else [g])) for g in (itypes, otypes))

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        held = PythonFunction(function, takes, returns)

        @wraps(function)
        def call(*args: Any) -> Any:
            nodes = arguments(held, args)
            shapes = [n.shape for n in nodes]
            wanted = infer_shape([tuple(Variable(dim_node(d)) for d in s) for s in shapes]) if infer_shape else None
            memory = [broadcast_dims(n, (1,)) if n.ndim == 0 else n for n in nodes]
            sizes = python_call(*memory, function=held, site=0)
            results = []
            for which, (_, rank) in enumerate(returns):
                shape: list[Dim] = [_element(sizes, held.place(which) + k) for k in range(rank)]
                result = Variable(python_result(sizes, *map(dim_node, shape), function=held, which=which))
                if wanted is not None:
                    result = specify_shape(result, wanted[which])
                results.append(result)
            return results if isinstance(otypes, list) and len(results) > 1 else results[0]

        held.public = call
        call.__dict__["held"] = held
        return call

    return declare


def _element(sizes: Node, k: int) -> Dim:
    return as_dim(take(sizes, dim_node(k)))


def kind_of(given: Any) -> Kind:
    """The dtype and rank that a constructor or a pair stands for; raises TypeMismatch."""
    if isinstance(given, tuple):
        dtype, rank = dt.normalize(given[0]), int(given[1])
    else:
        made = given() if callable(given) else given
        dtype, rank = made.dtype, made.ndim
    return dtype, rank


def arguments(held: PythonFunction, args: Sequence[Any]) -> list[Node]:
    """Arguments as nodes of the declared types; raises TypeMismatch."""
    if len(args) != len(held.takes):
        raise TypeMismatch(f"{held.name} takes {len(held.takes)} arguments, not {len(args)}")
    nodes = []
    for position, (arg, (dtype, rank)) in enumerate(zip(args, held.takes, strict=True)):
        node = as_node(arg, dtype)
        if node.ndim != rank or dt.promote(node.dtype, dtype) != dtype:
            raise TypeMismatch(f"{held.name}: argument {position} is {node.type}; declared are {dtype} and {rank} axes")
        nodes.append(cast(node, dtype))
    return nodes
