"""Functions whose kernels a device carries out."""

from __future__ import annotations

import ctypes
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from agnesi import config
from agnesi.compiled import KINDS, Interpreted
from agnesi.ir.node import CONST, value_of
from agnesi.ops import elementwise as ew
from agnesi.shared import Resident, storage_of
from agnesi.target import toolchain
from agnesi.target.cache import Cache, Hit
from agnesi.target.driver import ALLOC, ENTER, POLL, Call, Emulated, Loaded, Recording, Table, driver_of
from agnesi.target.nvrtc import usage
from agnesi.target.toolchain import find_compiler

OK, CHECK, MEMORY, GENERAL, DRIVER = 0, 1, 2, 3, 6  # enum ag_status of include/ag_call.h
MOST_BYTES = 64 << 20  # of arguments that are copied for a recording
MOST_RECORDINGS = 16  # of a function, those to be made counted
ALIGNED = 64  # bytes that scratch memory is aligned to


class DeviceFunction(Interpreted):
    """A function for a device: arguments are NumPy's arrays or the device's, results lie on the device."""

    _unasked = "not asked yet: this variant is compiled when a call first needs it"

    def __init__(self, graph: Any, inputs: Any, shared: Any, *rest: Any) -> None:
        self.driver: Emulated = driver_of(rest[-1])
        self.loaded: dict[int, Loaded] = {}
        self.usage: dict[int, list[str]] = {}
        self.donated: dict[int, list[bool]] = {}  # which updates are written in place
        self.recordings: dict[Any, Replay | int | None] = {}  # a number: the variant to be recorded; None: it cannot be
        super().__init__(graph, inputs, shared, *rest)
        self.resident = [False] * len(self.inputs) + [isinstance(storage_of(s), Resident) for s in self.shared]
        self.counts = {new: step for new, old in self.updates if (step := self._step(new, old)) is not None}
        self.constants = [self.driver.array(a["value"].array, a.dtype) for a in graph.arrays]

    def _attach(self) -> None:
        """Calls do not go through the dispatcher."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        given = self._arguments(args, kwargs)
        with self.driver.lock:
            values = [self._given(k, a) for k, a in enumerate(given)]
            values += [storage_of(s).array for s in self.shared]
            found = self._outputs(values)
            n = len(self.graph.outputs) - len(self.updates)
            for (new, old), value in zip(self.updates, found[n:], strict=True):
                storage = storage_of(self.graph.inputs[old])
                if new in self.counts:
                    storage.array = np.array(storage.array + self.counts[new], storage.array.dtype)
                else:
                    storage.array = value if isinstance(storage, Resident) else self.driver.host(value)
        return self._packed(found[:n])

    def _given(self, index: int, value: Any) -> Any:
        """An argument as an array of the device that kernels can read, or of NumPy's."""
        variable = self.inputs[index].variable
        own = self.driver.own(value)
        if own is not None and own.dtype == variable.dtype and own.ndim == variable.ndim and is_plain(own):
            return own
        return self._convert(index, value if own is None else self.driver.host(own))

    def _outputs(self, values: Sequence[Any]) -> list[Any]:
        """The outputs and the new values of updates: kernel by kernel when sizes come first, then by a recording, if
        there can be one."""
        places = [self.driver.place(v) if stays else 0 for v, stays in zip(values, self.resident, strict=True)]
        key = (self.driver.stream(), *places, *((v.shape, v.dtype.str) for v in values))
        replay = self.recordings.get(key)
        if isinstance(replay, int):
            replay = self.recordings[key] = Replay.of(self, values, replay)
        found = replay.run(values) if replay else None
        if found is not None:
            return found
        found, variant = self._run([*self._lying(values), *self.constants])
        if key not in self.recordings:
            self.recordings[key] = variant
            while len(self.recordings) > MOST_RECORDINGS:
                del self.recordings[next(iter(self.recordings))]
        return found

    def _lying(self, values: Sequence[Any]) -> list[Any]:
        """The values as arrays of the device, copies of those that do not lie there."""
        n = len(self.inputs)
        return [
            v if (self.driver.own(v) is not None and is_plain(v) if k < n else self.resident[k])
            else self.driver.array(v, v.dtype)
            for k, v in enumerate(values)
        ]  # fmt: skip

    def _run(self, arrays: Sequence[Any]) -> tuple[list[Any], int]:
        """The outputs and the new values of updates, and the variant that was right."""
        status = GENERAL
        for variant in (0, 1) if all(a.flags.c_contiguous for a in arrays) else (1,):
            loaded = self._ready(variant)
            attempt = Attempt(self, self._apart(arrays, variant), self.donated[variant])
            status = attempt.run(loaded)
            if status != GENERAL:
                break
        if status == CHECK:
            raise self._fail(attempt.call.check, tuple(attempt.call.values))
        if attempt.error is not None:
            raise attempt.error
        if status != OK:
            error = attempt.call.values[0]
            raise RuntimeError(f"{self.name or 'a function'}: the driver of {self.device} reports error {error}")
        return attempt.made, variant

    def _apart(self, arrays: Sequence[Any], variant: int) -> list[Any]:
        """The arrays, with copies of those that lie in memory which is written in place."""
        written = [old for (_, old), donated in zip(self.updates, self.donated[variant], strict=True) if donated]
        extents = [(self.driver.place(a), self.driver.place(a) + a.nbytes) for a in arrays]
        return [
            self.driver.array(a, a.dtype)
            if any(k != old and extents[k][0] < extents[old][1] and extents[old][0] < extents[k][1] for old in written)
            else a
            for k, a in enumerate(arrays)
        ]

    def _step(self, new: int, old: int) -> Any:
        """By how much an update moves a number on that does not live on the device, as counts of random numbers do."""
        value, before = self.graph.outputs[new], self.graph.inputs[old]
        counts = value.op is ew.add and value.ndim == 0 and value.args[0] is before and value.args[1].op is CONST
        return value_of(value.args[1]) if counts and not isinstance(storage_of(before), Resident) else None

    def _ready(self, variant: int) -> Loaded:
        if variant not in self.loaded:
            self._build(variant)
        return self.loaded[variant]

    def pointer(self, variant: int) -> int:
        """The address of a variant's entry."""
        return ctypes.cast(self._ready(variant).main, ctypes.c_void_p).value or 0

    def _build(self, variant: int) -> tuple[int, tuple[bool, ...]]:
        compiler = find_compiler(config.settings().compiler)
        assert compiler is not None
        key = f"{self._key(variant, compiler)}-{self.driver.architecture}"
        store = Cache(Path(config.settings().cache_dir))
        found = store.load(key)
        self.verdicts[variant] = "hit"
        if not isinstance(found, Hit):
            self.verdicts[variant] = f"miss: {found.reason}"
            job = self.compiled(variant)
            start = time.perf_counter()
            assert job.program is not None
            text, kernels = self.driver.prepare(job.program)
            with tempfile.TemporaryDirectory(prefix="agnesi-") as folder:
                made = Path(folder) / "f.so"
                toolchain.compile_shared(compiler, [text], made)
                job.seconds["compile"] = time.perf_counter() - start
                meta = {"name": self.name, "kernels": kernels, "donated": list(job.donated)}
                found = Hit(store.store(key, made, meta), meta)
        self.loaded[variant] = self.driver.load(found.path, found.meta["kernels"])
        self.donated[variant] = found.meta["donated"]
        self.usage[variant] = usage(found.meta["kernels"].get("log", ""))
        return 1, ()

    def explain(self, source: bool = False, general: bool = False) -> str:
        """What `Function.explain` says, and what each kernel takes of a device's registers and shared memory."""
        lines = [super().explain(source, general), *self.usage.get(int(general), [])]
        return "\n".join(lines)


def is_plain(array: Any) -> bool:
    """Whether kernels can read an array where it is."""
    flags = getattr(array.flags, "aligned", True)
    return bool(flags) and array.dtype.isnative and all(s % array.dtype.itemsize == 0 for s in array.strides)


class Attempt:
    """One run of a variant. donated: which updates are written in place. made: outputs and new values; error: what
    allocation raised."""

    def __init__(self, function: DeviceFunction, arrays: Sequence[Any], donated: Sequence[bool] = ()) -> None:
        self.driver = function.driver
        self.first = len(arrays)
        self.error: MemoryError | None = None
        self.made: list[Any] = [None] * len(function.graph.outputs)
        for (new, old), in_place in zip(function.updates, donated, strict=False):
            self.made[new] = arrays[old] if in_place else None
        self.kept: list[Any] = [*arrays]
        self.outputs = [(np.dtype(n.dtype), n.ndim) for n in function.graph.outputs]
        ranks = [a.ndim for a in arrays] + [ndim for _, ndim in self.outputs]
        self.places = [sum(ranks[:k]) for k in range(len(ranks))]
        self.data = (ctypes.c_void_p * len(ranks))(*[self.driver.place(a) for a in arrays])
        shapes = [d for a in arrays for d in a.shape]
        steps = [s // a.dtype.itemsize for a in arrays for s in a.strides]
        self.dims = (ctypes.c_int64 * sum(ranks))(*shapes)
        self.strides = (ctypes.c_int64 * sum(ranks))(*steps)
        self.cancel = ctypes.c_int32(0)
        self.call = Call(
            data=ctypes.addressof(self.data), dims=ctypes.addressof(self.dims), strides=ctypes.addressof(self.strides),
            alloc=ALLOC(self.alloc), enter=ENTER(self.enter), more=ENTER(self.enter), poll=POLL(lambda call: OK),
            cancel=ctypes.addressof(self.cancel),
        )  # fmt: skip

    def run(self, loaded: Loaded, begun: bool = False) -> int:
        """The status of the entry. begun: whether it is known on which stream it works."""
        table: Table = loaded.table
        if not begun:
            self.driver.begin(table)
        self.call.device = ctypes.addressof(table)
        return int(loaded.main(ctypes.byref(self.call)))

    def alloc(self, call: int, buffer: int) -> int:
        """Memory for an output."""
        k = buffer - self.first
        dtype, ndim = self.outputs[k]
        shape = self.dims[self.places[buffer] : self.places[buffer] + ndim]
        array = self.memory(shape, dtype)
        if array is None:
            return MEMORY
        self.made[k] = array
        self.data[buffer] = self.driver.place(array)
        return OK

    def enter(self, call: int, size: int) -> int:
        """Scratch memory."""
        array = self.memory([size + ALIGNED], np.dtype("uint8"))
        if array is None:
            return MEMORY
        self.kept.append(array)
        place = self.driver.place(array)
        self.call.arena = place + -place % ALIGNED
        return OK

    def memory(self, shape: Sequence[int], dtype: Any) -> Any:
        try:
            return self.driver.empty(shape, dtype)
        except Exception as error:  # CuPy has a type of its own
            self.error = MemoryError(f"no memory for {list(shape)} elements of {dtype} on {self.driver.name}: {error}")
            return None


class Replay:
    """A function as a recording, for arrays of the same sizes, with places for arguments and results of its own.

    Values that live on the device stay where they are, and new ones go there.
    """

    def __init__(self, function: DeviceFunction, attempt: Attempt, recording: Recording) -> None:
        self.function, self.attempt, self.recording = function, attempt, recording

    @staticmethod
    def of(function: DeviceFunction, values: Sequence[Any], variant: int) -> Replay | None:
        """A recording of a variant for such values; None where there can be none: the function waits for what kernels
        find, is given much, or values lie in each other's way."""
        driver, loaded, stays = function.driver, function._ready(variant), function.resident
        moved = sum(v.nbytes for k, v in enumerate(values) if not stays[k])
        if loaded.waits or moved > MOST_BYTES:
            return None
        own = [v if stays[k] else driver.empty(v.shape, v.dtype) for k, v in enumerate(values)]
        arrays = [*own, *function.constants]
        if any(a is not b for a, b in zip(function._apart(arrays, variant), arrays, strict=True)):
            return None
        attempt = Attempt(function, arrays, function.donated[variant])

        def start() -> list[tuple[Any, Any]] | None:
            if attempt.run(loaded, begun=True) != OK:
                return None
            renewed = [(own[old], attempt.made[new]) for new, old in function.updates if stays[old]]
            alike = all(to.shape == value.shape for to, value in renewed)
            return [(to, value) for to, value in renewed if to is not value] if alike else None

        recording = driver.record(loaded.table, start)
        return None if recording is None else Replay(function, attempt, recording)

    def run(self, values: Sequence[Any]) -> list[Any] | None:
        """The outputs, and the new values of updates; None where the driver reports an error."""
        driver, stays = self.function.driver, self.function.resident
        for k, value in enumerate(values):
            if not stays[k]:
                driver.fill(self.attempt.kept[k], value)
        if self.recording.start(driver.stream()):
            return None
        kept = {new: values[old] for new, old in self.function.updates if stays[old]}
        return [kept[k] if k in kept else driver.array(a, a.dtype) for k, a in enumerate(self.attempt.made)]


KINDS |= dict.fromkeys(("cuda", "cuda-emulated"), DeviceFunction)
