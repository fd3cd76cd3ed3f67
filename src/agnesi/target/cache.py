"""Compiled functions on disk: one file per function, which is a shared library with a record appended.

An entry is `<key>.so`: the library, a JSON record about it, and a trailer with the length of the record and a
checksum of everything before. The system's loader ignores what follows a library. Entries appear whole by renaming, so
that readers and writers need no lock; one that is damaged, or that somebody else could have written, is never
loaded. Objects from which libraries are linked are entries `<key>.o` of the same form.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import os
import re
import shutil
import stat
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MAGIC = b"agnesi-1"
_TRAILER = struct.Struct("<32sQ8s")  # checksum, length of the record, magic
_KEY = re.compile(r"[A-Za-z0-9_-]+")
_TEMPORARY = ".writing-"


@dataclass(frozen=True)
class Hit:
    """An entry that may be loaded: the path of its library, and what was stored about it."""

    path: Path
    meta: dict[str, Any]


@dataclass(frozen=True)
class Miss:
    """No entry that may be loaded, and why."""

    reason: str


@dataclass(frozen=True)
class Entry:
    """What lies under a key: for listing."""

    key: str
    path: Path
    size: int
    modified: float
    meta: dict[str, Any]


class Cache:
    """Compiled functions in a directory.

    layers: further directories that are read, in this order, and never written.
    """

    def __init__(self, directory: Path, layers: Sequence[Path] = ()) -> None:
        self.directory = Path(directory)
        self.layers = tuple(Path(layer) for layer in layers)
        self._overflow: dict[str, Path] = {}
        self._warned = False

    def load(self, key: str) -> Hit | Miss:
        """The entry of a key, checked."""
        path = self._path(self.directory, key)
        found = _read(path)
        if isinstance(found, Hit):
            return found
        if found.reason == "damaged":
            with contextlib.suppress(OSError):
                path.unlink()
        others = [self._path(layer, key) for layer in self.layers]
        others += [self._overflow[key]] if key in self._overflow else []
        for other in others:
            hit = _read(other)
            if isinstance(hit, Hit):
                return hit
            if hit.reason != "no entry" and found.reason == "no entry":
                found = hit
        return found

    def store(self, key: str, library: Path, meta: dict[str, Any]) -> Path:
        """Adds a library under a key and returns the path to load it from.

        meta: anything JSON can hold. Where the directory cannot be written the entry goes to a private temporary
        directory and lasts as long as the process; a warning says so once.
        """
        content = _pack(library.read_bytes(), meta)
        path = self._path(self.directory, key)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(path, content)
            return path
        except OSError as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"compiled functions are not kept: {self.directory} cannot be written ({error.strerror or error})",
                    RuntimeWarning,
                    stacklevel=2,
                )
        path = self._path(_private_directory(os.getpid()), key)
        _write(path, content)
        self._overflow[key] = path
        return path

    def find_object(self, key: str) -> bytes | None:
        """The object of a key, checked."""
        for directory in (self.directory, *self.layers):
            with contextlib.suppress(OSError):
                found = _content(self._path(directory, key, ".o"))
                parts = None if isinstance(found, Miss) else _split(found)
                if parts is not None:
                    return bytes(parts[0])
        return None

    def keep_object(self, key: str, path: Path) -> None:
        """Adds an object under a key, where the directory can be written."""
        with contextlib.suppress(OSError):
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(self._path(self.directory, key, ".o"), _pack(path.read_bytes(), {}))

    def entries(self) -> Iterator[Entry]:
        """The entries of the directory, damaged ones left out, the oldest first."""
        found = []
        for path in self._files("so"):
            with contextlib.suppress(OSError):
                status, unpacked = path.stat(), _unpack(path.read_bytes())
                if unpacked is not None:
                    found.append(Entry(path.stem, path, status.st_size, status.st_mtime, unpacked))
        return iter(sorted(found, key=lambda entry: (entry.modified, entry.key)))

    def clear(self) -> int:
        """Removes all entries and returns how many functions there were; what is loaded stays usable."""
        count = 0
        for path in [*self._files(), *self.directory.glob(_TEMPORARY + "*")]:
            with contextlib.suppress(OSError):
                path.unlink()
                count += path.suffix == ".so"
        return count

    @property
    def size(self) -> int:
        """Bytes that the entries of the directory take."""
        total = 0
        for path in self._files():
            with contextlib.suppress(OSError):
                total += path.stat().st_size
        return total

    def _files(self, endings: str = "so o") -> list[Path]:
        found = (path for ending in endings.split() for path in self.directory.glob(f"*.{ending}"))
        return [path for path in found if _KEY.fullmatch(path.stem)]

    def _path(self, directory: Path, key: str, suffix: str = ".so") -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"a cache key consists of letters, digits, _ and -, unlike {key!r}")
        return directory / f"{key}{suffix}"


class Objects:
    """The objects in a cache, for `compile_shared`; key: of a text. found: how many were there, asked: of how many."""

    def __init__(self, cache: Cache, key: Callable[[str], str]) -> None:
        self.cache, self.key = cache, key
        self.found = self.asked = 0

    def find(self, text: str) -> bytes | None:
        """The object of a text, if it is there."""
        content = self.cache.find_object(self.key(text))
        self.asked += 1
        self.found += content is not None
        return content

    def keep(self, text: str, path: Path) -> None:
        """Takes in an object."""
        self.cache.keep_object(self.key(text), path)


def _pack(library: bytes, meta: dict[str, Any]) -> bytes:
    record = json.dumps(meta, separators=(",", ":")).encode()
    body = library + record
    return body + _TRAILER.pack(hashlib.sha256(body).digest(), len(record), _MAGIC)


def _split(content: bytes) -> tuple[memoryview, bytes] | None:
    """What an entry holds and its record, None if anything about it is wrong."""
    if len(content) < _TRAILER.size:
        return None
    body = memoryview(content)[: -_TRAILER.size]
    checksum, length, magic = _TRAILER.unpack(content[-_TRAILER.size :])
    if magic != _MAGIC or length > len(body) or hashlib.sha256(body).digest() != checksum:
        return None
    return body[: len(body) - length], bytes(body[len(body) - length :])


def _unpack(content: bytes) -> dict[str, Any] | None:
    """The record of an entry, None if anything about it is wrong."""
    found = _split(content)
    meta = json.loads(found[1]) if found is not None else None
    return meta if isinstance(meta, dict) else None


def _content(path: Path) -> bytes | Miss:
    """The content of a file that may be trusted; OSError if it cannot be read."""
    with open(path, "rb", opener=_open_itself) as file:
        doubt = _doubt(os.fstat(file.fileno()))
        return Miss(f"{path} is not trusted: {doubt}") if doubt else file.read()


def _read(path: Path) -> Hit | Miss:
    try:
        content = _content(path)
    except FileNotFoundError:
        return Miss("no entry")
    except OSError as error:
        return Miss(f"{path} cannot be read: {error.strerror or error}")
    if isinstance(content, Miss):
        return content
    meta = _unpack(content)
    return Hit(path, meta) if meta is not None else Miss("damaged")


def _open_itself(path: str, flags: int) -> int:
    """Opens a file but not what a link points to: a link's target may change after it was checked."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _doubt(status: os.stat_result) -> str:
    """Why a file must not be loaded, empty if it may."""
    if not stat.S_ISREG(status.st_mode):
        return "it is not a plain file"
    if status.st_uid not in (os.getuid(), 0):
        return f"it belongs to user {status.st_uid}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return "others may write it"
    return ""


def _write(path: Path, content: bytes) -> None:
    """Puts a file in place whole: whoever looks sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=_TEMPORARY, dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


@functools.cache
def _private_directory(process: int) -> Path:
    """A directory that only this process uses, removed at its end; forked children get their own."""
    path = Path(tempfile.mkdtemp(prefix="agnesi-"))

    def remove() -> None:
        if os.getpid() == process:
            shutil.rmtree(path, ignore_errors=True)

    atexit.register(remove)
    return path
