"""Callables: compiled, evaluated by NumPy, or by NumPy until they are compiled."""

from __future__ import annotations

import contextvars
import operator
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from agnesi import _runtime, config
from agnesi.errors import CompileError, TypeMismatch
from agnesi.explain import report
from agnesi.failures import explain_failure
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph, line_near
from agnesi.ir.node import Node, dim_node
from agnesi.ir.variable import Variable
from agnesi.keys import cache_key, text_key
from agnesi.pipeline import Compilation, compile_graph
from agnesi.reference import evaluate
from agnesi.runtime import blas, limits
from agnesi.runtime.threads import count
from agnesi.schedule.sizes import Site, collect
from agnesi.shared import Resident, is_shared, storage_of
from agnesi.signature import In, check_size
from agnesi.target import toolchain
from agnesi.target.cache import Cache, Hit, Miss, Objects

limits.register()

Variant = int | tuple[tuple[int, int, int], ...]
"""0: sizes that meet are equal; 1: one of them may be 1; or inputs, axes and sizes, which the code is made for."""


class Function(_runtime.Dispatcher):
    """A compiled function: call it with arrays.

    Attributes: name, graph (as it was given), updates (pairs of output and input positions), mode; threads: how many a
    call may use, which may be set, and does not change results. A call takes `threads=` too, for itself alone, unless
    an input has that name.
    """

    _unasked = "not asked yet: this variant is compiled when a call first needs it"

    def __init__(
        self, graph: Graph, inputs: Sequence[In], shared: Sequence[Node], updates: Sequence[tuple[int, int]],
        result: Any, mode: str, name: str, wanted: int = 0, device: str = "cpu",
    ) -> None:  # fmt: skip
        self.graph, self.inputs, self.updates, self.mode, self.name = graph, tuple(inputs), tuple(updates), mode, name
        self.result, self.shared = result, tuple(shared)
        self.compilations: dict[Variant, Compilation] = {}
        self.built: dict[int, tuple[int, tuple[bool, ...]]] = {}
        self.short: list[tuple[int, int]] = []  # inputs and axes whose sizes `_build_for` is given
        self.sites: dict[bool, list[Site]] = {}
        self.verdicts: dict[Variant, str] = {}
        self.wanted, self.device = wanted, device
        self._attach()

    def _attach(self) -> None:
        """Tells the dispatcher what there is."""
        graph, n = self.graph, len(self.graph.outputs) - len(self.updates)
        self._bind(
            tuple(
                (i.name, np.dtype(i.variable.dtype), i.variable.ndim, self._default(k, i))
                for k, i in enumerate(self.inputs)
            ),
            tuple(storage_of(s) for s in self.shared),
            tuple(a["value"].array for a in graph.arrays),
            tuple((np.dtype(o.dtype), o.ndim) for o in graph.outputs[:n]),
            tuple(
                (old - len(self.inputs), np.dtype(graph.outputs[new].dtype), graph.outputs[new].ndim)
                for new, old in self.updates
            ),
            self.result,
            threads=count(self.wanted),
            worth=config.settings().worth,
            streaming=config.settings().streaming,
        )

    def _default(self, index: int, given: In) -> Any:
        return _runtime.NO_DEFAULT if given.value is None else self._convert(index, given.value)

    # -- called by the dispatcher -----------------------------------------------------------------------

    def _convert(self, index: int, value: Any) -> np.ndarray:
        """An argument as an array of the input's dtype; raises TypeMismatch when that would lose something."""
        given = self.inputs[index]
        wanted = np.dtype(given.variable.dtype)
        weak = dt.is_weak(value) and dt.weak(type(value).__name__, wanted.name) == wanted.name
        try:
            array = np.asarray(value)
        except ValueError as error:
            raise TypeMismatch(f"{self._what(index)}: {error}") from None
        if isinstance(value, Variable) or array.dtype.hasobject:
            raise TypeMismatch(f"{self._what(index)} needs numbers, not {value!r}")
        if array.ndim != given.variable.ndim:
            raise TypeMismatch(
                f"{self._what(index)} needs {given.variable.ndim} axes; "
                f"the argument has {array.ndim}, of shape {array.shape}"
            )
        castable = np.can_cast(array.dtype, wanted, "same_kind" if given.allow_downcast else "safe")
        fits = castable or (weak and given.allow_downcast is not False)
        exact = array.dtype.kind in "iu" and not castable and wanted.kind in ("iu" if weak else "iufcV")
        if not fits and not exact:
            raise TypeMismatch(
                f"{self._what(index)} needs dtype {wanted}; the argument's {array.dtype} would lose precision; "
                f"convert it with .astype({wanted.name!r}), or pass allow_input_downcast=True"
            )
        result = np.array(array, wanted, order="C")
        if exact and not given.allow_downcast and not np.array_equal(result, array):
            raise TypeMismatch(f"{self._what(index)} needs dtype {wanted}; values of the argument do not fit it")
        return result

    def _count(self, threads: Any) -> int:
        """The number of threads that `threads=` of a call stands for."""
        return count(operator.index(threads))

    def _what(self, index: int) -> str:
        given = self.inputs[index]
        return f"{self.name or 'the function'}: input {index} ({given.name or 'unnamed'}: {given.variable.type})"

    def _build(self, variant: int) -> tuple[int, tuple[bool, ...]]:
        """The address of a variant for any sizes."""
        self.built[variant] = self._entry(variant)
        return self.built[variant]

    def _build_for(self, sizes: tuple[int, ...]) -> tuple[int, tuple[bool, ...]]:
        """The address of the variant for sizes of short rows, 0 for those that may be any. What cannot be compiled is
        done by the code for all sizes, which is there."""
        try:
            return self._entry(tuple((*place, n) for place, n in zip(self.short, sizes, strict=False) if n))
        except (CompileError, OSError) as error:
            warnings.warn(f"{self.name or 'a function'} has no code of its own for short rows: {error}", stacklevel=2)
            return self.built[0]

    def _entry(self, variant: Variant) -> tuple[int, tuple[bool, ...]]:
        """The address of a variant, compiled or from the cache."""
        compiler = toolchain.find_compiler(config.settings().compiler)
        assert compiler is not None
        key = self._key(variant, compiler)
        store = Cache(Path(config.settings().cache_dir))
        found = store.load(key)
        if isinstance(found, Hit):
            try:
                loaded = load_entry(found)
            except OSError as error:  # removed just now
                found = Miss(str(error))
            else:
                self.verdicts[variant] = "hit"
                self._note(variant, found.meta)
                return loaded
        self.verdicts[variant] = f"miss: {found.reason}"
        job = self.compiled(variant)
        meta = {"name": self.name, "donated": list(job.donated), "library": "call->library" in job.text}
        meta["short"] = job.short
        self._note(variant, meta)
        with tempfile.TemporaryDirectory(prefix="agnesi-") as folder:
            made = Path(folder) / "f.so"
            start = time.perf_counter()
            parts = Objects(store, lambda text: text_key(text, (compiler.identity, compiler.command_for(text))))
            toolchain.compile_shared(compiler, job.units, made, parts=parts)
            job.seconds["compile"] = time.perf_counter() - start
            if parts.found:
                self.verdicts[variant] += f", but {parts.found} of {parts.asked} parts"
            return load_entry(Hit(store.store(key, made, meta), meta))

    def _note(self, variant: Variant, meta: dict[str, Any]) -> None:
        """Takes in for which sizes the common variant may ask."""
        if variant == 0:
            self.short = [(number, axis) for number, axis in meta["short"]]

    def compiled(self, variant: Variant = 0) -> Compilation:
        """The result of the passes for a variant: 0 assumes that sizes that meet are equal, 1 does not."""
        if variant not in self.compilations:
            optimize, real = self.mode != "fast_compile", self.mode == "fast_math"
            sizes = () if isinstance(variant, int) else variant
            fixed = {dim_node(self.graph.inputs[number].shape[axis]): n for number, axis, n in sizes}
            job = compile_graph(self.graph, self.updates, variant != 1, optimize, self.device, real, fixed)
            self.compilations[variant] = job
        return self.compilations[variant]

    def _key(self, variant: Variant, compiler: toolchain.Compiler) -> str:
        how = (self.mode, self.device, config.settings().fuel, compiler.identity, compiler.flags)
        return cache_key(self.graph, (variant, self.updates, *how))

    def _python(self, site: int, result: int, arrays: list[np.ndarray], held: dict[int, list[np.ndarray]]) -> None:
        """Serves a call of a Python function, known by its check number."""
        place = self._sites(True)[site - 1]
        graph = place.graph or self.graph
        function = graph.order[place.position]["function"]
        try:
            function.serve(result, arrays, held, site)
        except Exception as error:
            line = line_near(graph, place.position)
            error.add_note(f"in {function.name}(), called by {self.name or 'a compiled function'}; built at {line}")
            raise

    def _fail(self, check: int, values: tuple[int, ...]) -> Exception:
        """The exception for a failed check, in the user's terms."""
        common = self._sites(True)
        sites = common if check <= len(common) else self._sites(False)
        return explain_failure(self.graph, sites[check - 1], values, self.name)

    def _sites(self, common: bool) -> list[Site]:
        """What the check numbers of a variant stand for."""
        if common not in self.sites:
            self.sites[common] = collect(self.graph, self.updates, common, {})[1]
        return self.sites[common]

    # -- for people ---------------------------------------------------------------------------------------

    def explain(self, source: bool = False, general: bool = False) -> str:
        """Which rules fired, which nests were formed and why, work, bytes, memory, time, and the verdict of the cache.

        What has been compiled for sizes of short rows follows. source: the C text too. general: the variant for sizes
        that meet as 1 and n, and for strided arrays. The rows are explained in docs/guide.md.

        >>> import agnesi as ag, agnesi.tensor as at
        >>> x = at.vector("x")
        >>> print(ag.function([x], (x * x).sum(), name="norm").explain().splitlines()[0])
        function norm: 4 nodes, 1 nest; common variant, mode fast_run
        """
        first: Variant = int(general)
        variants = [first, *(v for v in self.verdicts if not general and not isinstance(v, int))]
        verdicts = [self.verdicts.get(v, self._unasked) for v in variants]
        made = map(self.compiled, variants)
        texts = [report(job, self.name, self.mode, v, source) for job, v in zip(made, verdicts, strict=True)]
        return "\n\n".join(texts)

    @property
    def text(self) -> str:
        """The C text of the common variant."""
        return self.compiled().text

    def __repr__(self) -> str:
        ins = ", ".join(f"{i.name or '_'}: {i.variable.type}" for i in self.inputs)
        outs = ", ".join(str(o.type) for o in self.graph.outputs[: len(self.graph.outputs) - len(self.updates)])
        updates = f", {len(self.updates)} updates" if self.updates else ""
        return f"<agnesi function {self.name}({ins}) -> ({outs}){updates}>"

    def __reduce__(self) -> tuple[Any, ...]:
        options = [(i.name, i.value, i.allow_downcast) for i in self.inputs]
        made = (self.graph, options, self.updates, self.result, self.mode, self.name, self.wanted, self.device)
        return load, made


class Interpreted(Function):
    """A function evaluated by NumPy, node by node: the mode "reference", and what runs where no compiler is."""

    _unasked = "not asked: NumPy evaluates this function; this is what compiling it would give"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        arrays = [self._convert(k, a) for k, a in enumerate(self._arguments(args, kwargs))]
        values = [*arrays, *(storage_of(s).array for s in self.shared)]
        found = evaluate(self.graph, values)
        n = len(self.graph.outputs) - len(self.updates)
        for (_, old), value in zip(self.updates, found[n:], strict=True):
            check_size(self.graph.inputs[old], values[old].shape, value.shape)
        for (_, old), value in zip(self.updates, found[n:], strict=True):
            storage_of(self.graph.inputs[old]).array = np.array(value, order="C")
        return self._packed([np.array(v) for v in found[:n]])

    def _packed(self, outputs: list[Any]) -> Any:
        """What a call returns."""
        if self.result == "none":
            return None
        if self.result == "one":
            return outputs[0]
        return outputs if self.result == "list" else dict(zip(self.result, outputs, strict=True))

    def _arguments(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        names = [i.name for i in self.inputs]
        if len(args) > len(names):
            raise TypeError(f"{self.name or 'the function'} takes {len(names)} arguments, not {len(args)}")
        given = dict(zip(range(len(args)), args, strict=True))
        for key, value in kwargs.items():
            if key == "threads" and key not in names:
                self._count(value)
                continue
            if key not in names or names.index(key) in given:
                raise TypeError(f"{self.name or 'the function'} has no free argument {key!r}")
            given[names.index(key)] = value
        missing = [names[k] or str(k) for k, i in enumerate(self.inputs) if k not in given and i.value is None]
        if missing:
            raise TypeError(f"{self.name or 'the function'}: missing arguments {', '.join(missing)}")
        return [given.get(k, i.value) for k, i in enumerate(self.inputs)]


class Background(Interpreted):
    """A function that NumPy evaluates while a thread compiles it; then it becomes a `Function`."""

    failure: Exception | None = None

    def begin(self) -> None:
        """Starts the thread, under the settings in force here. It is waited for when Python ends, so that its work is
        in the cache then."""
        settings = contextvars.copy_context()
        threading.Thread(target=settings.run, args=(self._switch,), name=f"agnesi: {self.name or 'function'}").start()

    def _switch(self) -> None:
        try:
            self.pointer(0)
        except Exception as error:  # the next call raises it
            self.failure = error
        else:
            self.__class__ = Function  # type: ignore[assignment]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.failure is not None:
            raise self.failure
        return super().__call__(*args, **kwargs)


def load_entry(entry: Hit) -> tuple[int, tuple[bool, ...]]:
    """The address of a compiled function, and which of its updates are written in place."""
    if entry.meta["library"]:
        blas.ensure()
    return _runtime.load(str(entry.path), "ag_main"), tuple(entry.meta["donated"])


def load(
    graph: Graph, options: Any, updates: Any, result: Any, mode: str, name: str, wanted: int, device: str
) -> Function:
    """A pickled function, compiled anew or found in the cache."""
    inputs = [In(Variable(n, o[0]), *o) for n, o in zip(graph.inputs, options, strict=False)]
    return make(graph, inputs, [n for n in graph.inputs if is_shared(n)], updates, result, mode, name, wanted, device)


# -- which of them ---------------------------------------------------------------------------------------------

KINDS: dict[str, Callable[..., Function]] = {}  # what makes functions for devices other than the processor


def make(
    graph: Graph, inputs: Any, shared: Any, updates: Any, result: Any, mode: str, name: str, wanted: int, device: str
) -> Function:  # fmt: skip
    """The callable that mode, device and settings ask for; ValueError for a mode or a device that there is not."""
    if mode not in config.MODES:
        raise ValueError(f"mode is one of {', '.join(config.MODES)}, not {mode!r}")
    if device not in config.DEVICES:
        raise ValueError(f"device is one of {', '.join(config.DEVICES)}, not {device!r}")
    strange = [s for s in shared if isinstance(storage_of(s), Resident) and storage_of(s).device != device]
    if strange:
        where = storage_of(strange[0]).device
        raise TypeMismatch(f"{strange[0]['tag']} lives on {where}; compile for it with device={where!r}")
    if device in KINDS and mode != "reference":
        return finished(KINDS[device](graph, inputs, shared, updates, result, mode, name, wanted, device))
    if mode == "reference" or no_compiler():
        return Interpreted(graph, inputs, shared, updates, result, mode, name, wanted, device)
    if config.settings().compile == "background" and mode != "debug":
        later = Background(graph, inputs, shared, updates, result, mode, name, wanted, device)
        later.begin()
        return later
    return finished(Function(graph, inputs, shared, updates, result, mode, name, wanted, device))


def finished(made: Function) -> Function:
    """The function with its common variant compiled."""
    if made.mode == "debug":
        with config.change(check=True):
            made.compiled(0)
            made.compiled(1)
    made.pointer(0)
    return made


@cache
def _warn_no_compiler(choice: str) -> None:
    if choice != "none":
        warnings.warn(
            "agnesi found no C compiler, so functions run in the NumPy interpreter, many times slower; "
            "install gcc or clang, or `pip install ziglang`",
            stacklevel=4,
        )


def no_compiler() -> bool:
    """Whether functions have to be interpreted; says so once."""
    choice = config.settings().compiler
    if toolchain.find_compiler(choice) is not None:
        return False
    _warn_no_compiler(choice)
    return True
