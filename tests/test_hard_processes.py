"""Hard use around calls: compilers that fail or hang, damaged and contested caches, forks, pools, other processes."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import config
from agnesi.errors import CompileError
from agnesi.target.cache import Cache
from agnesi.target.toolchain import Compiler, compile_shared

x, y = at.vector("x"), at.vector("y")
V = np.array([1.0, 2.0, 3.0])


class TestCompilers:
    @pytest.fixture
    def script(self, tmp_path, monkeypatch):
        """Makes a compiler out of a shell script, and a folder for temporary files that must be empty at the end."""
        (tmp_path / "tmp").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))

        def make(body):
            path = tmp_path / "gcc"
            path.write_text(f"#!/bin/sh\n{body}\n")
            path.chmod(0o755)
            return str(path)

        return make

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("echo 'no licence' >&2; exit 1", "(?s)failed with status 1: .*no licence.*the source is"),
            ("kill -9 $$", "(?s)was killed by SIGKILL.*the source is"),
            ("head -c 10000000 /dev/zero; exit 4", "failed with status 4"),
        ],
    )
    def test_failures(self, script, body, message, tmp_path):
        with (
            config.change(compiler=script(body), cache_dir=str(tmp_path / "cache")),
            pytest.raises(CompileError, match=message),
        ):
            ag.function([x], x * 1.5 + 1)
        assert not (tmp_path / "cache").exists()
        assert ag.function([x], x * 1.5 + 1)(V).tolist() == [2.5, 4, 5.5]

    def test_one_that_makes_nothing(self, script, tmp_path):
        with (
            config.change(compiler=script("exit 0"), cache_dir=str(tmp_path / "cache")),
            pytest.raises(CompileError, match="made no library"),
        ):
            ag.function([x], x * 1.5 + 1)

    def test_what_it_started_ends_too(self, script, tmp_path):
        """gcc is a driver: it starts the compiler proper, which must not go on when time is up."""
        compiler = Compiler((script(f"sleep 60 & echo $! > {tmp_path}/pid; wait"),), "gcc", "")
        with pytest.raises(CompileError, match="took too long"):
            compile_shared(compiler, ["int x;"], tmp_path / "x.so", timeout=0.3)
        assert gone(int((tmp_path / "pid").read_text()))

    def test_interrupts(self, script, tmp_path):
        """Ctrl-C while the compiler runs leaves neither files nor processes behind."""
        compiler = script(f"sleep 60 & echo $! > {tmp_path}/pid; wait")
        program = "import agnesi as ag, agnesi.tensor as at; x = at.vector(); ag.function([x], x * 1.5 + 1)"
        environment = {
            "AGNESI_COMPILER": compiler, "AGNESI_CACHE_DIR": f"{tmp_path}/cache", "TMPDIR": f"{tmp_path}/tmp"
        }  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=os.environ | environment, stderr=subprocess.PIPE, text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        pid = tmp_path / "pid"
        while not (pid.exists() and pid.read_text()):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert "KeyboardInterrupt" in errors
        assert gone(int(pid.read_text()))
        assert list((tmp_path / "tmp").iterdir()) == []
        assert not (tmp_path / "cache").exists()


def gone(process):
    """Whether a process ends within a second; one that nobody waits for may stay as a zombie."""
    for _ in range(100):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


class TestCaches:
    @pytest.fixture
    def folder(self, tmp_path):
        with config.change(cache_dir=str(tmp_path / "cache")):
            yield tmp_path / "cache"

    @staticmethod
    def make():
        f = ag.function([x], at.tanh(x) * 3)
        np.testing.assert_allclose(f(V), np.tanh(V) * 3)
        return f

    @pytest.mark.parametrize(
        ("harm", "reason"),
        [
            (lambda content: content[: len(content) // 2], "damaged"),
            (lambda content: b"", "damaged"),
            (lambda content: bytes(range(256)) * 64, "damaged"),
            (lambda content: content[:2000] + b"!" + content[2001:], "damaged"),
            (None, "not trusted: others may write it"),
        ],
        ids=["half", "empty", "garbage", "checksum", "writable"],
    )
    def test_damage(self, folder, harm, reason):
        assert self.make().verdicts[0] == "miss: no entry"
        assert self.make().verdicts[0] == "hit"
        (path,) = folder.glob("*.so")
        content = path.read_bytes()
        path.unlink()  # what is loaded stays
        path.write_bytes(harm(content) if harm else content)
        path.chmod(0o644 if harm else 0o666)
        verdict = self.make().verdicts[0]
        assert verdict.startswith("miss: ")
        assert reason in verdict
        assert self.make().verdicts[0] == "hit"

    @pytest.mark.skipif(os.getuid() != 0, reason="takes root to give files away")
    def test_entries_of_others(self, folder):
        self.make()
        (path,) = folder.glob("*.so")
        os.chown(path, 12345, -1)
        assert "belongs to user 12345" in self.make().verdicts[0]
        assert self.make().verdicts[0] == "hit"

    def test_a_place_where_nobody_may_write(self):
        with config.change(cache_dir="/proc/agnesi"), pytest.warns(RuntimeWarning, match="not kept: /proc/agnesi"):
            self.make()

    def test_a_full_disk(self, tmp_path):
        place = tmp_path / "full"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "none", str(place)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
            pytest.skip("takes the right to mount a file system")
        try:
            with config.change(cache_dir=str(place)), pytest.warns(RuntimeWarning, match="No space left"):
                self.make()
            assert list(place.iterdir()) == []
        finally:
            subprocess.run(["umount", "-l", str(place)], check=True)

    def test_removed_while_in_use(self, folder, monkeypatch):
        f = self.make()
        shutil.rmtree(folder)
        np.testing.assert_allclose(f(V), np.tanh(V) * 3)
        np.testing.assert_allclose(f(V[::-1]), np.tanh(V[::-1]) * 3)  # the general variant is made now
        assert len(list(folder.glob("*.so"))) == 1
        assert in_children(lambda: (x * 1.25 + 1).eval({x: V})[0] == 2.25, 1) == [True]
        load = Cache.load

        def load_and_lose(cache, key):
            hit = load(cache, key)
            shutil.rmtree(folder)
            return hit

        monkeypatch.setattr(Cache, "load", load_and_lose)
        g = ag.function([x], x * 1.25 + 1)
        assert g.verdicts[0].startswith("miss: ")
        assert "No such file" in g.verdicts[0]
        assert g(V)[0] == 2.25

    def test_sixteen_writers(self, folder):
        def work():
            return self.make() is not None and isinstance((x * len(os.listdir(folder))).eval({x: V}), np.ndarray)

        assert all(in_children(work, 16))
        assert self.make().verdicts[0] == "hit"
        assert not list(folder.glob(".writing*"))


def in_children(work, count):
    """Whether `work()` is true in forked children, which run at once."""
    children = []
    for _ in range(count):
        child = os.fork()
        if child == 0:
            try:
                os._exit(0 if work() else 1)
            finally:
                os._exit(2)
        children.append(child)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 for child in children]


class TestProcesses:
    def test_forks(self):
        """Before the first call and after it; parents and children do not see each other's updates."""
        w = ag.shared(np.zeros(100_000), "w")
        f = ag.function([x], [w.sum(), at.exp(x)], updates={w: w + x.sum()})

        def work():
            first, second = f(V)
            again, _ = f(V[::-1])
            return again - first == 6e5 and np.allclose(second, np.exp(V)) and (x + 3).eval({x: V})[0] == 4

        assert in_children(work, 2) == [True, True]
        assert w.get_value()[0] == 0
        f(V)
        assert in_children(work, 2) == [True, True]
        assert w.get_value()[0] == 6

    def test_pools(self):
        f = ag.function([x], (at.exp(x) * 2).sum(), name="pooled")
        wanted = [float(f(V * k)) for k in range(6)]
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert [float(r) for r in pool.map(f, [V * k for k in range(6)])] == wanted

    def test_pickles_in_another_process(self, tmp_path):
        w = ag.shared(V, "w")
        f = ag.function([x, ag.In(y, value=V)], {"out": x * w + y}, updates={w: w * 2}, name="traveller")
        f(V)
        (tmp_path / "f").write_bytes(pickle.dumps(f))
        program = f"""
import pickle
f = pickle.load(open({str(tmp_path / "f")!r}, "rb"))
print(f([1.0, 1.0, 1.0])["out"].tolist(), f(x=[0.0, 0.0, 0.0])["out"].tolist(), f.verdicts[0], f.name)
"""
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[3.0, 6.0, 9.0] [1.0, 2.0, 3.0] hit traveller"
        assert w.get_value().tolist() == [2, 4, 6]
