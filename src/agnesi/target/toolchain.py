"""C compilers: which one there is, and how generated code becomes a shared library."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from agnesi import config
from agnesi.errors import CompileError
from agnesi.target.cfamily import weight

Kind = Literal["gcc", "clang", "zig"]

INCLUDE = Path(__file__).parent / "include"

# Strict IEEE arithmetic, but no errno, no traps: both forbid vector code and nobody reads them.
_BASE = (
    "-std=gnu11",
    "-O1",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-ffp-contract=off",
    "-fwrapv",
    "-fopenmp-simd",
    "-fPIC",
    "-w",
)
# -O1 with the vectoriser compiles twice as fast as -O3 and runs as fast.
_BY_KIND: dict[Kind, tuple[str, ...]] = {
    "gcc": (
        "-ftree-vectorize",
        "-fvect-cost-model=dynamic",
        "-fschedule-insns",
        "-fschedule-insns2",
        "-fno-thread-jumps",  # they make of two choices in a row branches, which take more instructions in vectors
        "-DAG_UNROLL_LANES",
    ),
    "clang": ("-fvectorize",),
    "zig": ("-fvectorize", "-fno-sanitize=all"),
}
# gcc would compile the remainder of each vector loop once more for narrower vectors: half its time where a text is
# long because of elementary functions, whose loops are worth little outside full vectors.
_LONG = ("--param=vect-epilogues-nomask=0",)
_MANY_CALLS = 40
# Generated functions call each other, not what happens to have their name in the C library.
_LINK = () if sys.platform == "darwin" else ("-Wl,-Bsymbolic",)


@dataclass(frozen=True)
class Compiler:
    """A C compiler.

    command: what to run. identity: path, time and size of the program, and the command, a part of cache keys: it
    changes when the compiler does, and costs no start of it.
    """

    command: tuple[str, ...]
    kind: Kind
    identity: str

    @property
    def version(self) -> str:
        """The first line of what the compiler says about itself."""
        return _version(self.command)

    @property
    def flags(self) -> tuple[str, ...]:
        """What every compilation is given."""
        arm_mac = sys.platform == "darwin" and os.uname().machine == "arm64"
        return (*_BASE, *_BY_KIND[self.kind], "-mcpu=native" if arm_mac else "-march=native", f"-I{INCLUDE}")

    def command_for(self, text: str) -> tuple[str, ...]:
        """The start of the command that compiles a text."""
        long = self.kind == "gcc" and len(re.findall(r"\bv_\w+\(", text)) > _MANY_CALLS
        return (*self.command, *self.flags, *(_LONG if long else ()))


def find_compiler(choice: str = "auto") -> Compiler | None:
    """The compiler to use, None when there is none.

    choice: "auto" tries $CC, gcc, clang, cc and the ziglang package, in this order; "none" wants no compiler;
    anything else is the command itself, and raises CompileError if it cannot be run.
    """
    return _find(choice, os.environ.get("CC", ""), os.environ.get("PATH", ""))


@functools.cache
def _find(choice: str, preferred: str, path: str) -> Compiler | None:
    """`find_compiler`; `path` only keeps answers for different search paths apart."""
    if choice == "none":
        return None
    if choice != "auto":
        compiler = _zig() if choice == "zig" else _examine(tuple(shlex.split(choice)))
        if compiler is None:
            raise CompileError(f"the C compiler {choice!r} cannot be run; name another one, or 'auto', or 'none'")
        return compiler
    for command in (preferred, "gcc", "clang", "cc"):
        compiler = _examine(tuple(shlex.split(command)))
        if compiler is not None:
            return compiler
    return _zig()


def _examine(command: tuple[str, ...]) -> Compiler | None:
    """The compiler behind a command line such as ("ccache", "gcc"), or None."""
    if not command or shutil.which(command[0]) is None:
        return None
    programs = [found for word in command if not word.startswith("-") and (found := shutil.which(word))]
    identity = "; ".join([*(_identity(program) for program in programs), *command])
    return Compiler(command, _kind(command, programs[-1]), identity)


def _identity(program: str) -> str:
    real = os.path.realpath(program)
    status = os.stat(real)
    return f"{real} {status.st_mtime_ns} {status.st_size}"


def _kind(command: tuple[str, ...], program: str) -> Kind:
    """Which family of flags a compiler takes, from its name if that tells, else from what it says."""
    real = Path(os.path.realpath(program)).name
    for name in (real, Path(program).name):
        if "zig" in name:
            return "zig"
        if "clang" in name:
            return "clang"
        # The gcc of macOS is clang under another name.
        if "gcc" in name and (sys.platform != "darwin" or "gcc-" in name):
            return "gcc"
    return "clang" if "clang" in _version(command).lower() else "gcc"


@functools.cache
def _version(command: tuple[str, ...]) -> str:
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    return done.stdout.partition("\n")[0].strip() or "unknown"


def _zig() -> Compiler | None:
    """The clang inside the ziglang package, run directly: through Python it starts slower."""
    spec = importlib.util.find_spec("ziglang")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        program = os.path.join(folder, "zig")
        if os.access(program, os.X_OK):
            return Compiler((program, "cc"), "zig", _identity(program))
    return None


class Parts(Protocol):
    """Where objects are that have been compiled from the same text before."""

    def find(self, text: str) -> bytes | None:
        """The object of a text, if it is there."""

    def keep(self, text: str, path: Path) -> None:
        """Takes in an object."""


def compile_shared(
    compiler: Compiler, sources: Sequence[str], output: Path, flags: Sequence[str] = (), timeout: float = 600.0,
    parts: Parts | None = None,
) -> None:  # fmt: skip
    """Compiles C texts into the shared library `output`.

    Several texts are compiled side by side, then linked; a single one goes in one step. flags: further ones, after
    ours. timeout: seconds for everything. parts: asked for the objects of all texts but the first. Raises CompileError
    with the end of the compiler's messages; the sources are then kept, and the error says where.
    """
    folder = Path(tempfile.mkdtemp(prefix="agnesi-"))
    try:
        _compile(compiler, sources, output, flags, time.monotonic() + timeout, folder, parts)
    except CompileError:
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)


def _compile(
    compiler: Compiler, sources: Sequence[str], output: Path, flags: Sequence[str], deadline: float, folder: Path,
    parts: Parts | None,
) -> None:  # fmt: skip
    """`compile_shared` with a folder for sources, objects and messages, until a moment of the monotonic clock."""
    paths = [folder / f"unit{i}.c" for i in range(len(sources))]
    for path, text in zip(paths, sources, strict=True):
        path.write_text(text, encoding="utf-8")
    starts = [[*compiler.command_for(text), *flags] for text in sources]
    link = ["-shared", *_LINK, "-o", str(output), "-lm"]
    if len(paths) == 1:
        _run_all([[*starts[0], str(paths[0]), *link]], paths, deadline)
    else:
        objects = [path.with_suffix(".o") for path in paths]
        missing = [i for i in range(len(paths)) if i == 0 or not _found(sources[i], objects[i], parts)]
        missing.sort(key=lambda i: -weight(sources[i]))  # what takes longest does not begin last
        _run_all([[*starts[i], "-c", str(paths[i]), "-o", str(objects[i])] for i in missing], paths, deadline)
        for i in missing:
            if parts is not None and i > 0:
                parts.keep(sources[i], objects[i])
        _run_all([[*starts[0], *map(str, objects), *link]], paths, deadline)
    if not output.exists():
        raise _failure([*starts[0], *link], "made no library", paths, None)


def _found(text: str, path: Path, parts: Parts | None) -> bool:
    """Puts the object of a text in its place, if there is one."""
    content = parts.find(text) if parts is not None else None
    if content is not None:
        path.write_bytes(content)
    return content is not None


def _run_all(commands: list[list[str]], paths: list[Path], deadline: float) -> None:
    """Runs commands side by side, as many at once as there are processors."""
    width = config.processors()
    running: list[subprocess.Popen[bytes]] = []
    # Waiting with a timeout would look at the process every 50 ms only: a quarter of a short compilation.
    timer = threading.Timer(deadline - time.monotonic(), _kill, (running,))
    timer.daemon = True  # an interrupt that comes before it can be cancelled must not wait for it
    try:
        timer.start()
        for i, command in enumerate(commands):
            if i >= width:
                _await(running[i - width], commands[i - width], paths, deadline, i - width)
            _start(command, paths[0].parent / f"log{i}", running)
            if time.monotonic() >= deadline:  # the timer may not have seen this one
                _kill(running)
        for i, process in enumerate(running):
            _await(process, commands[i], paths, deadline, i)
    finally:
        timer.cancel()
        _kill(running)


def _await(
    process: subprocess.Popen[bytes], command: list[str], paths: list[Path], deadline: float, number: int
) -> None:
    """Waits for the end of a command; CompileError if it fails."""
    code = process.wait()
    if code != 0 and time.monotonic() >= deadline:
        raise _failure(command, "took too long", paths, None)
    if code != 0:
        what = f"failed with status {code}" if code > 0 else f"was killed by {_signal_name(-code)}"
        raise _failure(command, what, paths, paths[0].parent / f"log{number}")


def _kill(running: list[subprocess.Popen[bytes]]) -> None:
    """Ends compilers with all that they have started: gcc is a driver of other programs."""
    for process in running:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _start(command: list[str], log: Path, running: list[subprocess.Popen[bytes]]) -> None:
    """Starts a compiler whose messages go to a file: a pipe could fill up while another one is waited for."""
    try:
        with log.open("wb") as stream, interrupts_held():
            running.append(
                subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=stream,
                    stderr=stream,
                    env={**os.environ, "LC_ALL": "C"},
                    process_group=0,
                )
            )
    except OSError as error:
        raise CompileError(f"the C compiler cannot be started: {error}") from error


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Lets Ctrl-C wait for the end of a block. A mask would not do: the signal may reach any thread of the process."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    caught: list[tuple[Any, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: caught.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught and callable(before):
        before(*caught[0])


def _failure(command: list[str], what: str, paths: list[Path], log: Path | None) -> CompileError:
    lines = log.read_text(errors="replace").splitlines()[-20:] if log else []
    kept = str(paths[0]) if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} files)"
    return CompileError("\n".join([f"the C compiler {what}: {shlex.join(command)}", *lines, f"the source is {kept}"]))
