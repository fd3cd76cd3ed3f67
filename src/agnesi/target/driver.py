"""What carries out kernels: a CUDA device, by CuPy and CUDA's driver, or their emulation in ordinary memory."""

from __future__ import annotations

import base64
import ctypes
import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agnesi.errors import CompileError
from agnesi.loops.stmt import Program
from agnesi.target import nvrtc
from agnesi.target.cuda import Driven

SUFFIXES = ("f32", "f64", "c64", "c128")
RECORD_BYTES = 32
BLAS_BYTES = 32 << 20  # of memory for cuBLAS; NVIDIA advises as much for its latest devices
CAPTURE_RELAXED = 2  # CU_STREAM_CAPTURE_MODE_RELAXED: memory may be asked for meanwhile
MOST_NODES = 10_000  # of a graph of launches
INSTALL = "pip install agnesi[cuda]"


class Table(ctypes.Structure):
    """`struct ag_device` of include/ag_device.h."""

    _fields_ = [(name, ctypes.c_void_p) for name in (
        "kernels", "stream", "blas", "record", "launch", "to_host", "clear", "wait", *(f"gemm_{s}" for s in SUFFIXES)
    )]  # fmt: skip


Copies = Sequence[tuple[Any, Any]]  # arrays of a device that are filled, and those that they are filled from
ALLOC = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int32)
ENTER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int64)
POLL = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)


class Call(ctypes.Structure):
    """`struct ag_call` of include/ag_call.h."""

    _fields_ = [
        ("data", ctypes.c_void_p), ("dims", ctypes.c_void_p), ("strides", ctypes.c_void_p), ("arena", ctypes.c_void_p),
        ("library", ctypes.c_void_p), ("pool", ctypes.c_void_p), ("alloc", ALLOC), ("enter", ENTER), ("more", ENTER),
        ("python", ctypes.c_void_p), ("poll", POLL), ("cancel", ctypes.c_void_p), ("check", ctypes.c_int32),
        ("by_size", ctypes.c_int32), ("values", ctypes.c_int64 * 4), ("device", ctypes.c_void_p),
    ]  # fmt: skip


@dataclass
class Loaded:
    """A function that a driver has loaded. main: its entry; alive: what must live as long as it; waits: whether it
    waits for what kernels find."""

    main: Any
    table: Table
    alive: tuple[Any, ...]
    waits: bool = True


class Emulated:
    """Kernels on the processor: arrays are NumPy's."""

    name = architecture = "cuda-emulated"
    module: Any = np

    def __init__(self) -> None:
        self.lock = threading.RLock()  # of calls

    def prepare(self, program: Program) -> tuple[str, dict[str, Any]]:
        """The C text of a function, and what JSON can hold of its kernels."""
        return Driven(program).emulated_text(), {}

    def load(self, path: Path, kernels: dict[str, Any]) -> Loaded:
        """A compiled function."""
        library = ctypes.CDLL(str(path))
        record = np.zeros(RECORD_BYTES, np.uint8)
        found = {name: address(getattr(library, f"ag_cu_{name}")) for name in ("launch", "to_host", "clear", "wait")}
        found |= {f"gemm_{s}": address(getattr(library, f"ag_cu_gemm_{s}")) for s in SUFFIXES}
        table = Table(kernels=address(library.ag_kernels), record=record.ctypes.data, **found)
        return Loaded(library.ag_main, table, (library, record))

    def array(self, value: Any, dtype: Any) -> Any:
        """An array of the device with the values of another one."""
        return np.array(value, dtype, order="C")

    def own(self, value: Any) -> Any | None:
        """The value as an array of the device, None if it does not lie there."""
        return value if isinstance(value, np.ndarray) else None

    def host(self, array: Any) -> np.ndarray:
        """A copy of an array in the processor's memory."""
        return np.array(array)

    def place(self, array: Any) -> int:
        """Where an array lies."""
        return int(array.ctypes.data)

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        """An array with any values."""
        return np.empty(tuple(shape), dtype)

    def fill(self, array: Any, value: Any) -> None:
        """Gives an array of the device the values of another one, of the same shape."""
        array[...] = value

    def begin(self, table: Table) -> None:
        """Before a call: what may have changed since the last one."""

    def stream(self) -> int:
        """Where work goes now, in order."""
        return 0

    def record(self, table: Table, start: Callable[[], Copies | None]) -> Recording | None:
        """What `start` launches, without carrying it out, and the copies behind it that it returns; None if it returns
        None, or cannot be recorded, as here, where work is done at once."""
        return None


class Recording:
    """Launches as one graph of CUDA's, started together."""

    def __init__(self, driver: Any, graph: ctypes.c_void_p) -> None:
        self.driver, self.graph = driver, graph

    def start(self, stream: int) -> int:
        """Puts the work on a stream; the driver's status."""
        return int(self.driver.cuGraphLaunch(self.graph, ctypes.c_void_p(stream)))

    def __del__(self) -> None:
        self.driver.cuGraphExecDestroy(self.graph)


class Cuda(Emulated):
    """The current CUDA device: arrays are CuPy's, kernels are started on CuPy's current stream."""

    name = "cuda"

    def __init__(self) -> None:
        try:
            import cupy  # optional
        except ImportError:
            raise CompileError(f"device='cuda' needs CuPy, which is not installed: {INSTALL}") from None
        try:
            self.device = cupy.cuda.Device()
            self.architecture = f"sm_{self.device.compute_capability}"
            self.module = cupy
            self.array([0], "float32")  # makes the context
            self.driver = ctypes.CDLL("libcuda.so.1")
        except Exception as error:
            raise CompileError(f"no CUDA device can be used: {error}") from None
        super().__init__()
        self.recorder = cupy.cuda.Stream(non_blocking=True)  # recorded on, never waited for
        self.blas, self.handle = self._blas(), ctypes.c_void_p()
        if self.blas is not None:
            self._try(self.blas.cublasCreate_v2(ctypes.byref(self.handle)))
        self.workspaces: dict[int, Any] = {}  # memory for cuBLAS, by the stream on which recordings run that use it

    @staticmethod
    def _blas() -> Any:
        try:
            from cuda.pathfinder import load_nvidia_dynamic_lib  # optional

            return ctypes.CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
        except Exception:
            return None  # kernels of our own take its place

    def prepare(self, program: Program) -> tuple[str, dict[str, Any]]:
        driven = Driven(program)
        binary = nvrtc.compile_cuda(driven.device_text(), self.architecture)
        code = base64.b64encode(binary.code).decode()
        return driven.host_text(), {
            "names": driven.names, "code": code, "log": binary.log, "waits": driven.waits,
        }  # fmt: skip

    def load(self, path: Path, kernels: dict[str, Any]) -> Loaded:
        library, names = ctypes.CDLL(str(path)), kernels["names"]
        module, record = ctypes.c_void_p(), self.empty((RECORD_BYTES,), "uint8")
        self._try(self.driver.cuModuleLoadData(ctypes.byref(module), base64.b64decode(kernels["code"])))
        functions = (ctypes.c_void_p * max(len(names), 1))()
        for k, name in enumerate(names):
            found = ctypes.c_void_p()
            self._try(self.driver.cuModuleGetFunction(ctypes.byref(found), module, name.encode()))
            functions[k] = found
        routines = {
            "launch": self.driver.cuLaunchKernel, "to_host": self.driver.cuMemcpyDtoHAsync_v2,
            "clear": self.driver.cuMemsetD8Async, "wait": self.driver.cuStreamSynchronize,
        }  # fmt: skip
        if self.blas is not None:
            letters = dict(zip(SUFFIXES, "SDCZ", strict=True))
            routines |= {f"gemm_{s}": getattr(self.blas, f"cublas{k}gemm_v2") for s, k in letters.items()}
        table = Table(kernels=ctypes.addressof(functions), record=self.place(record))
        for name, routine in routines.items():
            setattr(table, name, address(routine))
        return Loaded(library.ag_main, table, (library, record, functions), kernels["waits"])

    def _try(self, status: int) -> None:
        if status:
            raise CompileError(f"CUDA's driver or cuBLAS failed with error {status}")

    def array(self, value: Any, dtype: Any) -> Any:
        return self.module.array(value, dtype, order="C")

    def own(self, value: Any) -> Any | None:
        return self.module.asarray(value) if hasattr(value, "__cuda_array_interface__") else None

    def host(self, array: Any) -> np.ndarray:
        return self.module.asnumpy(array)

    def place(self, array: Any) -> int:
        return int(array.data.ptr)

    def empty(self, shape: Sequence[int], dtype: Any) -> Any:
        return self.module.empty(tuple(shape), dtype)

    def fill(self, array: Any, value: Any) -> None:
        if self.own(value) is None:
            array.set(np.asarray(value, order="C"), stream=self.module.cuda.get_current_stream())
        else:
            super().fill(array, value)

    def begin(self, table: Table) -> None:
        self.device.use()  # this thread may be new to the device
        self._onto(table, self.stream())

    def stream(self) -> int:
        return int(self.module.cuda.get_current_stream().ptr)

    def _onto(self, table: Table, stream: int) -> None:
        """Has a function work on a stream."""
        table.stream, table.blas = stream, self.handle.value
        if self.blas is not None:
            self.blas.cublasSetStream_v2(self.handle, ctypes.c_void_p(stream))

    def record(self, table: Table, start: Callable[[], Copies | None]) -> Recording | None:
        stream, graph, made = ctypes.c_void_p(self.recorder.ptr), ctypes.c_void_p(), ctypes.c_void_p()
        self.device.use()
        self._onto(table, self.recorder.ptr)
        if self.blas is not None:  # its own memory is not there for what is recorded
            if self.stream() not in self.workspaces:
                self.workspaces[self.stream()] = self.empty((BLAS_BYTES,), "uint8")
            place = ctypes.c_void_p(self.place(self.workspaces[self.stream()]))
            self.blas.cublasSetWorkspace_v2(self.handle, place, ctypes.c_size_t(BLAS_BYTES))
        if self.driver.cuStreamBeginCapture_v2(stream, CAPTURE_RELAXED):
            return None
        good = False
        try:
            copies = start()
            good = copies is not None and not any(self._copy_on(stream, to, value) for to, value in copies)
        finally:
            good = not self.driver.cuStreamEndCapture(stream, ctypes.byref(graph)) and bool(graph) and good
        if not graph:
            return None
        count = ctypes.c_size_t()
        good = good and not self.driver.cuGraphGetNodes(graph, None, ctypes.byref(count)) and count.value <= MOST_NODES
        good = good and not self.driver.cuGraphInstantiateWithFlags(ctypes.byref(made), graph, ctypes.c_uint64(0))
        self.driver.cuGraphDestroy(graph)
        return Recording(self.driver, made) if good else None

    def _copy_on(self, stream: ctypes.c_void_p, to: Any, value: Any) -> int:
        places = (ctypes.c_uint64(self.place(a)) for a in (to, value))
        return int(self.driver.cuMemcpyDtoDAsync_v2(*places, ctypes.c_size_t(to.nbytes), stream))


def address(what: Any) -> int:
    """Where a function or a table of a library begins."""
    return ctypes.cast(what, ctypes.c_void_p).value or 0


@functools.cache
def driver_of(device: str) -> Emulated:
    """What carries out the kernels of a device. Raises CompileError where there is none."""
    return Cuda() if device == "cuda" else Emulated()
