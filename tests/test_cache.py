"""The cache of compiled functions on disk."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from agnesi import _runtime
from agnesi.target import cache as cache_module, toolchain
from agnesi.target.cache import Cache, Hit, Miss

META = {"symbol": "f", "sizes": [1, 2], "text": "Grüße"}


@pytest.fixture
def library(tmp_path):
    path = tmp_path / "library"
    path.write_bytes(os.urandom(10_000))
    return path


@pytest.fixture
def cache(tmp_path):
    return Cache(tmp_path / "cache" / "deep")


def test_store_and_load(cache, library):
    assert cache.load("key") == Miss("no entry")
    path = cache.store("key", library, META)
    assert path == cache.directory / "key.so"
    assert cache.load("key") == Hit(path, META)
    assert path.read_bytes().startswith(library.read_bytes())
    cache.store("key", library, {})
    assert cache.load("key") == Hit(path, {})
    assert [entry.key for entry in cache.entries()] == ["key"]


def test_an_entry_is_a_library(cache, tmp_path):
    compiler = toolchain.find_compiler()
    if compiler is None:
        pytest.skip("no C compiler")
    toolchain.compile_shared(compiler, ["int f(void) { return 123; }"], tmp_path / "x.so")
    path = cache.store("key", tmp_path / "x.so", META)
    assert path.stat().st_size > (tmp_path / "x.so").stat().st_size
    address = _runtime.load(str(path), "f")
    assert ctypes.CFUNCTYPE(ctypes.c_int)(address)() == 123
    with pytest.raises(OSError, match="nothing"):
        _runtime.load(str(path), "nothing")


@pytest.mark.parametrize(
    "harm",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:100] + bytes([content[100] ^ 1]) + content[101:],
        lambda content: content[:-20] + bytes([content[-20] ^ 1]) + content[-19:],
        lambda content: content + b"x",
        lambda content: bytes(len(content)),
    ],
)
def test_damaged_entries_are_removed(cache, library, harm):
    path = cache.store("key", library, META)
    path.write_bytes(harm(path.read_bytes()))
    assert list(cache.entries()) == []
    assert cache.load("key") == Miss("damaged")
    assert not path.exists()
    assert cache.load("key") == Miss("no entry")
    cache.store("key", library, META)
    assert isinstance(cache.load("key"), Hit)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o777])
def test_what_others_may_write_is_not_loaded(cache, library, mode):
    path = cache.store("key", library, META)
    path.chmod(mode)
    found = cache.load("key")
    assert isinstance(found, Miss)
    assert "others may write it" in found.reason
    assert path.exists()
    cache.store("key", library, META)  # replaces it by one of ours
    assert isinstance(cache.load("key"), Hit)


def test_what_others_own_is_not_loaded(cache, library, monkeypatch):
    path = cache.store("key", library, META)
    if os.getuid() == 0:
        os.chown(path, 12345, -1)
    else:
        monkeypatch.setattr(os, "getuid", lambda: 12345)
    found = cache.load("key")
    assert isinstance(found, Miss)
    assert "belongs to user" in found.reason


def test_links_and_folders_are_not_loaded(cache, library, tmp_path):
    path = cache.store("key", library, META)
    shutil.move(path, tmp_path / "elsewhere.so")
    path.symlink_to(tmp_path / "elsewhere.so")
    assert "cannot be read" in cache.load("key").reason
    path.unlink()
    path.mkdir()
    assert isinstance(cache.load("key"), Miss)


@pytest.mark.parametrize("key", ["", "a/b", "..", "a.b", "a\n"])
def test_keys_are_plain(cache, library, key):
    with pytest.raises(ValueError, match="key"):
        cache.load(key)
    with pytest.raises(ValueError, match="key"):
        cache.store(key, library, META)


@pytest.mark.parametrize("reason", ["file in the way", "disk full"])
def test_an_unwritable_directory(tmp_path, library, monkeypatch, reason):
    place = tmp_path / "place"
    if reason == "file in the way":
        place.write_text("")
        place = place / "cache"
    else:
        real = cache_module._write

        def full(path, content):
            if path.parent == place:
                raise OSError(28, "No space left on device")
            real(path, content)

        monkeypatch.setattr(cache_module, "_write", full)
    cache = Cache(place)
    with pytest.warns(RuntimeWarning, match="not kept"):
        path = cache.store("key", library, META)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.store("other", library, META)
    assert path.parent.stat().st_mode & 0o077 == 0
    assert cache.load("key") == Hit(path, META)
    assert isinstance(Cache(place).load("key"), Miss)
    assert cache.size == 0


def test_layers_are_read_only(tmp_path, cache, library):
    shared = Cache(tmp_path / "shared")
    path = shared.store("key", library, META)
    layered = Cache(cache.directory, layers=[tmp_path / "nowhere", shared.directory])
    assert layered.load("key") == Hit(path, META)
    own = layered.store("other", library, META)
    assert own.parent == cache.directory
    path.write_bytes(b"damaged")
    assert layered.load("key") == Miss("damaged")
    assert path.exists()
    assert layered.clear() == 1
    assert path.exists()


def test_listing_and_clearing(cache, library):
    assert list(cache.entries()) == []
    assert (cache.size, cache.clear()) == (0, 0)
    for i, key in enumerate(("b", "a", "c")):
        os.utime(cache.store(key, library, {"number": i}), (1000 + i, 1000 + i))
    (cache.directory / ".writing-left-behind").write_text("x")
    (cache.directory / "notes.txt").write_text("x")
    entries = list(cache.entries())
    assert [(entry.key, entry.meta["number"], entry.modified) for entry in entries] == [
        ("b", 0, 1000.0),
        ("a", 1, 1001.0),
        ("c", 2, 1002.0),
    ]
    assert cache.size == sum(entry.size for entry in entries) > 30_000
    assert cache.clear() == 3
    assert [path.name for path in cache.directory.iterdir()] == ["notes.txt"]


def test_the_directory_is_private(cache, library):
    cache.store("key", library, META)
    assert cache.directory.stat().st_mode & 0o077 == 0


def _write_and_read(directory, library, number):
    """What one of several processes does with the same keys; returns the misses it met."""
    cache, odd = Cache(directory), []
    for i in range(60):
        key = f"key{i % 5}"
        cache.store(key, library, {"writer": number})
        found = cache.load(key)
        if not isinstance(found, Hit):
            odd.append(found.reason)
    return odd


def test_parallel_writers(cache, library):
    context = multiprocessing.get_context("spawn")
    with context.Pool(4) as pool:
        results = pool.starmap(_write_and_read, [(cache.directory, library, number) for number in range(4)])
    assert results == [[]] * 4
    assert len(list(cache.entries())) == 5
    assert len(list(cache.directory.iterdir())) == 5


def test_the_temporary_directory_goes_with_the_process(tmp_path, library):
    """But not with a forked child of it."""
    (tmp_path / "file").write_text("")
    program = f"""
import os, pathlib, sys, warnings
from agnesi.target.cache import Cache
warnings.simplefilter("ignore")
path = Cache(pathlib.Path({str(tmp_path)!r}, "file", "cache")).store("key", pathlib.Path({str(library)!r}), {{}})
child = os.fork()
if child == 0:
    sys.exit(0)
os.waitpid(child, 0)
print(path, path.exists())
"""
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    path, existed = done.stdout.split()
    assert existed == "True"
    assert not Path(path).parent.exists()
