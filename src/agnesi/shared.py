"""Shared variables: values that live between calls and that functions read and update in place."""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from agnesi import _runtime, config
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph, find_inputs
from agnesi.ir.node import INPUT, Node, Tag, make, symbol
from agnesi.ir.type import Dim, Type
from agnesi.ir.variable import Variable
from agnesi.target.driver import driver_of


class Resident:
    """The value of a shared variable in the memory of a device; `array` is the device's, `copy` the processor's."""

    def __init__(self, array: Any, device: str) -> None:
        self.device = device
        self.array = array

    @property
    def array(self) -> Any:
        return self._array

    @array.setter
    def array(self, value: Any) -> None:
        driver = driver_of(self.device)
        self._array = value if driver.own(value) is not None else driver.array(value, value.dtype)

    def copy(self) -> np.ndarray:
        """A copy for the processor."""
        return driver_of(self.device).host(self._array)


class SharedTag(Tag):
    """The identity of a shared variable, with the storage of its value.

    step: what a call of a function adds to the value when no update is given for it.
    """

    __slots__ = ("storage", "step")

    def __init__(self, name: str, storage: _runtime.Storage | Resident, step: int = 0) -> None:
        super().__init__(name)
        self.storage, self.step = storage, step

    def __getstate__(self) -> Any:
        device = self.storage.device if isinstance(self.storage, Resident) else "cpu"
        return None, {"name": self.name, "storage": self.storage.copy(), "step": self.step, "device": device}

    def __setstate__(self, state: Any) -> None:
        self.name, self.step = state[1]["name"], state[1]["step"]
        self.storage = new_storage(state[1]["storage"], state[1]["device"])


class SharedVariable(Variable):
    """A variable with a value of its own."""

    __slots__ = ()

    @property
    def storage(self) -> _runtime.Storage | Resident:
        return storage_of(self.node)

    def get_value(self, borrow: bool = False) -> np.ndarray:
        """The value: a copy, or with `borrow` the very array, which updates then change under your hands; that of a
        device, where the value lives on one."""
        return self.storage.array if borrow else self.storage.copy()

    def set_value(self, value: Any, borrow: bool = False) -> None:
        """Gives a new value of the same dtype and rank, and of the same sizes where they are fixed."""
        array = np.asarray(value)
        if not np.can_cast(array.dtype, self.dtype, "same_kind"):
            raise TypeMismatch(f"{self!r} cannot take a value of dtype {array.dtype}")
        wrong = array.ndim != self.ndim or any(
            isinstance(d, int) and d != n for d, n in zip(self.type.shape, array.shape, strict=True)
        )
        if wrong:
            raise TypeMismatch(
                f"{self!r} cannot take a value of shape {array.shape}; "
                "sizes are free with shared(..., shape=(None, ...))"
            )
        keep = borrow and array.dtype == self.dtype and array.flags.c_contiguous and array.flags.writeable
        self.storage.array = array if keep else np.array(array, self.dtype, order="C")


def _load_shared(graph: Graph, name: str) -> SharedVariable:
    return SharedVariable(graph.outputs[0], name)


def _save_shared(variable: SharedVariable) -> tuple[Any, ...]:
    return _load_shared, (Graph([variable.node], [variable.node]), variable.name)


copyreg.pickle(SharedVariable, _save_shared)


def storage_of(node: Node) -> Any:
    """The storage of a shared input, a _runtime.Storage or Resident."""
    return node["tag"].storage


def new_storage(array: np.ndarray, device: str) -> _runtime.Storage | Resident:
    """A storage on a device with the array in it, or a copy of it."""
    return _runtime.Storage(array) if device == "cpu" else Resident(array, device)


def is_shared(node: Node) -> bool:
    """Whether an input is a shared variable."""
    return isinstance(node["tag"], SharedTag)


def counter(name: str, step: int) -> SharedVariable:
    """A count that begins at 0 and that every call of a function moves on by a step, unless it is updated otherwise."""
    tag = SharedTag(name, _runtime.Storage(np.zeros((), np.uint64)), step)
    return SharedVariable(make(INPUT, (), (("tag", tag),), Type("uint64")), name)


def counters(roots: Sequence[Node], updated: Iterable[Node]) -> list[Node]:
    """The counts that some values depend on and that are not updated yet."""
    known = set(updated)
    return [n for n in find_inputs(roots) if is_shared(n) and n["tag"].step and n not in known]


def shared(
    value: Any,
    name: str = "",
    dtype: str | None = None,
    shape: tuple[int | None, ...] | None = None,
    borrow: bool = False,
    device: str | None = None,
) -> SharedVariable:
    """A variable with a value; its sizes are fixed unless `shape` frees them with None.

    A Python float takes config.floatX. borrow: use the array itself, without a copy. device: where the value lives, the
    setting of that name unless given; functions for that device use it without copying it.

    >>> import numpy as np, agnesi as ag
    >>> w = shared(np.zeros(3), "w")
    >>> ag.function([], [], updates={w: w + 1})()
    []
    >>> w.get_value().tolist()
    [1.0, 1.0, 1.0]
    """
    if dtype is None and isinstance(value, float) and not isinstance(value, np.generic):
        dtype = config.settings().floatX
    array = np.asarray(value, dtype and dt.normalize(dtype))
    kind = dt.normalize(array.dtype)
    keep = borrow and array.flags.c_contiguous and array.flags.writeable
    storage = new_storage(array if keep else np.array(array, kind, order="C"), device or config.settings().device)
    sizes: list[Dim] = list(array.shape)
    if shape is not None:
        if len(shape) != array.ndim:
            raise TypeMismatch(f"shape={shape} does not fit a value of {array.ndim} axes")
        sizes = [symbol() if wanted is None else have for wanted, have in zip(shape, array.shape, strict=True)]
    node = make(INPUT, (), (("tag", SharedTag(name, storage)),), Type(kind, tuple(sizes)))
    return SharedVariable(node, name)
