"""The command line, run as people run it."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from agnesi.target.toolchain import find_compiler
from agnesi.tools import digits

HAS_DEMO = all(importlib.util.find_spec(name) for name in ("sklearn", "matplotlib"))
needs_demo = pytest.mark.skipif(not HAS_DEMO, reason="needs scikit-learn and matplotlib")
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="needs a C compiler")


@pytest.fixture
def agnesi(tmp_path):
    """Runs `python -m agnesi` in a directory and with a cache of its own."""

    def run(*arguments, **settings):
        outside = {k: v for k, v in os.environ.items() if not k.startswith("AGNESI_")}
        environment = {**outside, "AGNESI_CACHE_DIR": str(tmp_path / "cache"), **settings}
        command = [sys.executable, "-m", "agnesi", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    return run


def idx(array):
    """An array of unsigned bytes in the IDX format."""
    return struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype("uint8").tobytes()


def images(n, seed=0, side=6):
    """Images of noise with a bright row for each digit, and their digits."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, side, n)
    x = rng.integers(0, 60, (n, side, side))
    x[np.arange(n), labels] += 150
    return x, labels


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n" and path.stat().st_size > 10_000


class TestUsage:
    def test_without_a_command(self, agnesi):
        done = agnesi()
        assert done.returncode == 2
        assert "COMMAND" in done.stderr

    def test_help_names_the_commands(self, agnesi):
        done = agnesi("--help")
        assert done.returncode == 0
        assert all(command in done.stdout for command in ("demo", "doctor", "cache"))

    def test_wrong_number_of_epochs(self, agnesi):
        done = agnesi("demo", "--epochs", "0")
        assert done.returncode == 2
        assert "--epochs" in done.stderr

    def test_installed_command(self):
        path = Path(sys.executable).with_name("agnesi")
        if not path.exists():
            pytest.skip("the package is not installed in this environment")
        done = subprocess.run([path, "cache", "path"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0


class TestDoctor:
    @needs_compiler
    def test_all_is_well(self, agnesi, tmp_path):
        done = agnesi("doctor")
        assert done.returncode == 0, done.stdout
        lines = done.stdout.splitlines()
        assert re.match(r"agnesi \d+\.\d+\.\d+.*, Python 3\.\d+", lines[0])
        good = {line.split()[1] for line in lines if line.startswith("OK ")}
        assert good == {"compiler", "compiling", "products", "threads", "cache"}
        assert str(tmp_path / "cache") in done.stdout
        assert "CUDA" in lines[-1]

    def test_no_compiler_wanted(self, agnesi):
        done = agnesi("doctor", AGNESI_COMPILER="none")
        assert done.returncode == 0
        assert "switched off" in done.stdout

    def test_compiler_that_is_not_there(self, agnesi):
        done = agnesi("doctor", AGNESI_COMPILER="no-such-compiler")
        assert done.returncode == 1
        after = done.stdout.partition("missing  compiler")[2]
        assert "no-such-compiler" in after
        assert re.search(r"^ +what to do: .*AGNESI_COMPILER", after, re.M)

    def test_compiler_that_fails(self, agnesi, tmp_path):
        broken = tmp_path / "gcc"
        broken.write_text("#!/bin/sh\necho stdint.h: no such file >&2\nexit 1\n")
        broken.chmod(0o755)
        done = agnesi("doctor", AGNESI_COMPILER=str(broken))
        assert done.returncode == 1
        after = done.stdout.partition("missing  compiling")[2]
        assert "stdint.h: no such file" in after
        assert re.search(r"^ +what to do: .*headers", after, re.M)

    def test_cache_that_cannot_be_written(self, agnesi, tmp_path):
        (tmp_path / "file").write_text("")
        done = agnesi("doctor", AGNESI_CACHE_DIR=str(tmp_path / "file" / "cache"))
        assert done.returncode == 1
        assert re.search(r"^missing +cache .*\n +what to do: .*AGNESI_CACHE_DIR", done.stdout, re.M)


class TestCache:
    def test_path(self, agnesi, tmp_path):
        assert agnesi("cache", "path").stdout.strip() == str(tmp_path / "cache")

    def test_empty(self, agnesi):
        assert agnesi("cache").stdout.startswith("0 compiled functions")

    @needs_compiler
    def test_list_and_clear(self, agnesi, tmp_path):
        program = "import agnesi as ag; x = ag.tensor.vector('x'); ag.function([x], x * 3)([1.0])"
        environment = {**os.environ, "AGNESI_CACHE_DIR": str(tmp_path / "cache")}
        subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
        (key,) = (path.stem for path in (tmp_path / "cache").glob("*.so"))
        listed = agnesi("cache", "list").stdout
        assert key in listed
        assert "1 compiled function," in listed
        assert agnesi("cache", "clear").stdout.startswith("1 compiled function removed")
        assert not list((tmp_path / "cache").iterdir())


@needs_demo
class TestDemo:
    def test_digits(self, agnesi, tmp_path):
        done = agnesi("demo", "--epochs", "12")
        assert done.returncode == 0, done.stderr
        accuracy = {m[1]: float(m[2]) for m in re.finditer(r"^(\w[\w ]*?)  .*accuracy ([\d.]+)", done.stdout, re.M)}
        assert accuracy["logistic regression"] > 0.93
        assert accuracy["perceptron"] > 0.95
        assert "epoch 12/12" in done.stderr
        assert is_png(tmp_path / "agnesi-demo.png")

    def test_same_seed_same_result(self, agnesi):
        first, second, other = (agnesi("demo", "--epochs", "1", "--seed", seed).stderr for seed in "112")
        assert first == second != other

    def test_data_and_output(self, agnesi, tmp_path):
        folder = tmp_path / "data"
        folder.mkdir()
        for name, n in (("train", 300), ("t10k", 50)):
            x, labels = images(n, seed=n)
            (folder / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(x)))
            (folder / f"{name}-labels-idx1-ubyte").write_bytes(idx(labels))
        done = agnesi("demo", "--data", str(folder), "--epochs", "3", "--output", "pictures/here.png")
        assert done.returncode == 0, done.stderr
        assert "300 to learn from, 50 held out, 6 x 6 pixels" in done.stdout
        assert is_png(tmp_path / "pictures" / "here.png")

    @pytest.mark.skipif("AGNESI_DATA" not in os.environ, reason="AGNESI_DATA names no folder with MNIST's files")
    def test_mnist(self, agnesi):
        done = agnesi("demo", "--data", os.path.abspath(os.environ["AGNESI_DATA"]), "--epochs", "10")
        assert done.returncode == 0, done.stderr
        assert float(re.search(r"^perceptron .*accuracy ([\d.]+)", done.stdout, re.M)[1]) > 0.94

    def test_no_data(self, agnesi, tmp_path):
        done = agnesi("demo", "--data", str(tmp_path))
        assert done.returncode == 1
        assert "expected train-images-idx3-ubyte" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("missing", "hint"), [("sklearn", "--data"), ("matplotlib", "picture")])
def test_optional_package_missing(agnesi, tmp_path, missing, hint):
    """A package that cannot be found is a message that says what to install."""
    blocker = tmp_path / "sitecustomize.py"
    blocker.write_text(
        "import sys\n"
        "class Blocker:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.partition('.')[0] == {missing!r}: raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Blocker())\n"
    )
    done = agnesi("demo", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert "pip install agnesi[demo]" in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


class TestIdx:
    def test_one_pair_is_divided(self, tmp_path):
        x, labels = images(100)
        (tmp_path / "t10k-images.idx3-ubyte").write_bytes(idx(x))
        (tmp_path / "t10k-labels.idx1-ubyte").write_bytes(idx(labels))
        found = digits.load(str(tmp_path), seed=1)
        assert (found.side, len(found.y), len(found.y_held)) == (6, 80, 20)
        assert found.x.dtype == np.float32
        both = np.concatenate([found.x, found.x_held])
        order = np.lexsort(both.T)
        expected = (x.reshape(100, -1) / 255).astype("float32")
        np.testing.assert_array_equal(both[order], expected[np.lexsort(expected.T)])

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"\x89PNG", "is not an IDX file"),
            (b"", "is not an IDX file"),
            (bytes((0, 0, 8, 3, 0, 0)), "ends within its header"),
            (idx(np.zeros((2, 3, 3)))[:-1], "17 bytes of data"),
        ],
    )
    def test_damaged(self, tmp_path, content, message):
        path = tmp_path / "train-images-idx3-ubyte"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=message):
            digits.read_idx(path)

    @pytest.mark.parametrize(
        ("x", "labels", "message"),
        [
            (np.zeros((3, 4, 5)), np.zeros(3), "not n square images"),
            (np.zeros((3, 4, 4)), np.zeros(2), "not n square images"),
            (np.zeros((3, 4, 4)), np.array([0, 1, 10]), "digits are 0 to 9"),
        ],
    )
    def test_wrong_contents(self, tmp_path, x, labels, message):
        (tmp_path / "x").write_bytes(idx(x))
        (tmp_path / "y").write_bytes(idx(labels))
        with pytest.raises(ValueError, match=message):
            digits.read_pair(tmp_path / "x", tmp_path / "y")
