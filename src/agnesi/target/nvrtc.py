"""CUDA text as machine code of a device, by NVRTC: no CUDA toolkit and no device are needed for that."""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from agnesi.errors import CompileError
from agnesi.target.toolchain import INCLUDE

OPTIONS = ("--std=c++17", "-default-device", "--device-int128", "--fmad=false", "--ptxas-options=-v")
STDINT = """
typedef signed char int8_t; typedef short int16_t; typedef int int32_t; typedef long long int64_t;
typedef unsigned char uint8_t; typedef unsigned short uint16_t; typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
#define UINT32_C(x) x##U
#define UINT64_C(x) x##ULL
#define UINT32_MAX 0xffffffffU
#define UINT64_MAX 0xffffffffffffffffULL
"""
INSTALL = "pip install agnesi[cuda]"


@dataclass(frozen=True)
class Binary:
    """Machine code, and what the assembler said of it: registers, shared memory, spills."""

    code: bytes
    log: str


@cache
def library() -> Any:
    """NVRTC. Raises CompileError where it is not installed."""
    try:
        from cuda.pathfinder import load_nvidia_dynamic_lib  # optional
    except ImportError:
        raise CompileError(f"NVRTC is found by cuda-pathfinder, which is not installed: {INSTALL}") from None
    try:
        loaded = load_nvidia_dynamic_lib("nvrtc")
    except Exception as error:
        raise CompileError(f"no NVRTC is found: {INSTALL} ({error})") from None
    return ctypes.CDLL(loaded.abs_path)


@cache
def headers() -> dict[str, str]:
    """Our own headers, and what stands for C's."""
    return {"stdint.h": STDINT, "string.h": ""} | {path.name: path.read_text() for path in sorted(INCLUDE.glob("*.h"))}


def compile_cuda(text: str, architecture: str) -> Binary:
    """The machine code of CUDA text for an architecture such as "sm_90". Raises CompileError with NVRTC's messages."""
    nvrtc, program = library(), ctypes.c_void_p()
    names = (ctypes.c_char_p * len(headers()))(*[n.encode() for n in headers()])
    texts = (ctypes.c_char_p * len(headers()))(*[t.encode() for t in headers().values()])
    status = nvrtc.nvrtcCreateProgram(
        ctypes.byref(program), text.encode(), b"kernels.cu", ctypes.c_int(len(headers())), texts, names
    )
    if status:
        raise CompileError(f"NVRTC cannot begin: error {status}")
    try:
        given = [f"--gpu-architecture={architecture}", *OPTIONS]
        array = (ctypes.c_char_p * len(given))(*[o.encode() for o in given])
        status = nvrtc.nvrtcCompileProgram(program, ctypes.c_int(len(given)), array)
        log = _bytes(nvrtc, "ProgramLog", program).rstrip(b"\0").decode(errors="replace")
        if status:
            raise CompileError(f"NVRTC failed with error {status}: {log[-3000:]}")
        return Binary(_bytes(nvrtc, "CUBIN", program), log)
    finally:
        nvrtc.nvrtcDestroyProgram(ctypes.byref(program))


def usage(log: str) -> list[str]:
    """For each kernel what of a multiprocessor it takes, from what the assembler said."""
    found = []
    for part in log.split("Compiling entry function '")[1:]:
        numbers = dict.fromkeys(("registers", "bytes smem", "bytes spill stores"), "0")
        for what in numbers:
            match = re.search(rf"(\d+) {what}", part)
            numbers[what] = match[1] if match else "0"
        name, (registers, shared, spilled) = part.partition("'")[0], numbers.values()
        found.append(f"{name}: {registers} registers, {shared} bytes shared, {spilled} spilled")
    return sorted(found)


def _bytes(nvrtc: Any, what: str, program: ctypes.c_void_p) -> bytes:
    size = ctypes.c_size_t()
    getattr(nvrtc, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    buffer = ctypes.create_string_buffer(size.value)
    getattr(nvrtc, f"nvrtcGet{what}")(program, buffer)
    return buffer.raw
