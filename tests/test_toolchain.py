"""Finding C compilers and making shared libraries."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shlex
import signal
import stat
import sys
import time
from pathlib import Path

import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import _runtime
from agnesi.errors import CompileError
from agnesi.target import toolchain
from agnesi.target.toolchain import Compiler, compile_shared, find_compiler

SOURCE = '#include "ag_call.h"\nint f(struct ag_call *c) { return AG_GENERAL + (c != 0); }\n'


def call(path, symbol="f"):
    return ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p)(_runtime.load(str(path), symbol))(None)


@pytest.fixture(params=["auto", "clang", "zig"])
def compiler(request, tmp_path, monkeypatch):
    if request.param == "zig" and importlib.util.find_spec("ziglang") is None:
        pytest.skip("no ziglang")
    try:
        found = find_compiler(request.param)
    except CompileError:
        found = None
    if found is None:
        pytest.skip(f"no compiler {request.param}")
    return found


@pytest.fixture
def script(tmp_path):
    """Makes a program out of a shell script."""

    def make(name, text):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    return make


class TestFinding:
    def test_order(self, script, monkeypatch):
        monkeypatch.delenv("CC", raising=False)
        zig = script("cc", "echo some clang version 99").parent
        monkeypatch.setenv("PATH", str(zig) + ":/nowhere")
        script("other", "")
        names = []
        for name in ("cc", "clang", "gcc"):
            script(name, "echo some clang version 99")
            names.append(find_compiler())
            monkeypatch.setenv("PATH", os.environ["PATH"] + "x")  # nothing is remembered for another PATH
        assert [compiler.command for compiler in names] == [("cc",), ("clang",), ("gcc",)]
        assert names[0].kind == "clang"
        assert names[0].version == "some clang version 99"
        monkeypatch.setenv("CC", "other -x")
        assert find_compiler().command == ("other", "-x")
        assert find_compiler("other -x").identity != find_compiler("other -y").identity

    def test_no_compiler(self, monkeypatch):
        monkeypatch.setenv("PATH", "/nowhere")
        monkeypatch.delenv("CC", raising=False)
        monkeypatch.setattr(toolchain, "_zig", lambda: None)
        assert find_compiler() is None
        assert find_compiler("none") is None
        with pytest.raises(CompileError, match="'no-such-cc -O9' cannot be run"):
            find_compiler("no-such-cc -O9")

    def test_identity_follows_the_program(self, script):
        path = script("gcc-of-mine", "exit 1")
        first = find_compiler(str(path))
        assert first is find_compiler(str(path))
        assert first.kind == "gcc"
        assert str(path) in first.identity
        path.write_text("#!/bin/sh\nexit 2\n")
        toolchain._find.cache_clear()
        assert find_compiler(str(path)).identity != first.identity

    def test_wrapped_compilers(self, script):
        wrapper, real = script("ccache", ""), script("clang-99", "")
        compiler = find_compiler(f"{wrapper} {real} -g")
        assert compiler.kind == "clang"
        assert str(wrapper) in compiler.identity
        assert str(real) in compiler.identity

    def test_no_start_until_the_version_is_asked_for(self, script, tmp_path):
        path = script("gcc", f"echo >> {shlex.quote(str(tmp_path / 'started'))}; echo gcc 1; echo more")
        compiler = find_compiler(str(path))
        assert not (tmp_path / "started").exists() or sys.platform == "darwin"
        assert compiler.version == "gcc 1"


class TestCompiling:
    def test_one_source(self, compiler, tmp_path):
        assert compiler.version
        compile_shared(compiler, [SOURCE], tmp_path / "one.so")
        assert call(tmp_path / "one.so") == 3

    def test_several_sources(self, compiler, tmp_path):
        sources = [f"int g{i}(void) {{ return {i}; }}" for i in range(5)]
        total = " + ".join(f"g{i}()" for i in range(5))
        declarations = "".join(f"int g{i}(void);" for i in range(5))
        compile_shared(compiler, [f"{declarations} int f(void *c) {{ return {total}; }}", *sources], tmp_path / "x.so")
        assert call(tmp_path / "x.so") == 10

    def test_names_of_the_c_library_are_free(self, compiler, tmp_path):
        source = "#include <stdint.h>\nint64_t index(int64_t i) { return i + 41; } int f(void *c) { return index(1); }"
        compile_shared(compiler, [source], tmp_path / "x.so", ["-fno-builtin"])
        assert call(tmp_path / "x.so") == 42

    def test_arithmetic_is_strict(self, compiler, tmp_path):
        """No contraction to fma, no reordering, NaN and signed zero kept; vectors are used all the same."""
        source = """
double contract(double a, double b, double c) { return a * b + c; }
int f(void *unused) {
  volatile double one = 1 + 0x1p-30, minus = -1 - 0x1p-29, nan = 0, zero = -0.0;
  nan = nan / nan;
  int bad = 0;
  if (contract(one, one, minus) != 0) bad |= 1;
  if (nan == nan) bad |= 2;
  if (1 / (zero + zero) > 0) bad |= 4;
  if ((0x1p60 + one) - 0x1p60 == one) bad |= 8;
  return bad;
}
"""
        compile_shared(compiler, [source], tmp_path / "x.so")
        assert call(tmp_path / "x.so") == 0

    def test_signed_overflow_does_not_trap(self, compiler, tmp_path):
        source = "int f(void *c) { volatile int x = 2147483647; x = x + 1; return x < 0; }"
        compile_shared(compiler, [source], tmp_path / "x.so")
        assert call(tmp_path / "x.so") == 1

    def test_flags_come_last(self, compiler, tmp_path):
        compile_shared(compiler, ["int f(void *c) { return N; }"], tmp_path / "x.so", ["-DN=17"])
        assert call(tmp_path / "x.so") == 17

    def test_errors_say_what_and_where(self, compiler, tmp_path):
        for sources in (["int f(void { return 1; }"], ["int g;", "int f(void { return 1; }"]):
            with pytest.raises(CompileError) as error:
                compile_shared(compiler, sources, tmp_path / "x.so")
            text = str(error.value)
            assert "failed with status" in text
            assert "error:" in text
            place = text.splitlines()[-1].removeprefix("the source is ").partition(" (")[0]
            assert Path(place).exists()
        assert not (tmp_path / "x.so").exists()

    def test_time_is_limited(self, script, tmp_path):
        slow = Compiler((str(script("gcc", "sleep 20")),), "gcc", "")
        start = time.monotonic()
        with pytest.raises(CompileError, match="took too long"):
            compile_shared(slow, [SOURCE], tmp_path / "x.so", timeout=0.2)
        assert time.monotonic() - start < 5

    def test_a_vanished_compiler(self, tmp_path):
        with pytest.raises(CompileError, match="cannot be started"):
            compile_shared(Compiler(("/nowhere/gcc",), "gcc", ""), [SOURCE], tmp_path / "x.so")


def test_an_interrupt_waits_for_a_compiler_to_be_noted():
    noted = []

    def start():
        with toolchain.interrupts_held():
            os.kill(os.getpid(), signal.SIGINT)
            noted.append(1)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background may ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
        assert noted == [1]
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_vector_registers_are_left_clean():
    """Python's own code is slow on some processors while their upper halves are in use; -O1 does not care for that."""
    x = at.vector("x")
    text = ag.function([x], x + 1).text
    assert text.rstrip().endswith("AG_LEAVE();\n  return AG_OK;\n}")
