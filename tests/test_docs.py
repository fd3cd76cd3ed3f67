"""The documentation holds: examples run, links lead somewhere, and the diffs in CONTRIBUTING.md do what they say."""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import agnesi

ROOT = Path(__file__).parents[1]
PAGES = [path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")) if path.is_file()]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Checker(doctest.OutputChecker):
    """Takes the numbers of nameless sizes for equal: they count what the process has made before."""

    def check_output(self, want, got, optionflags):
        return super().check_output(re.sub(r"\bn\d+\b", "n", want), re.sub(r"\bn\d+\b", "n", got), optionflags)


NEWCOMER = """
import numpy as np, agnesi as ag, agnesi.tensor as at
x, points = at.vector("x"), np.linspace(-2, 2, 9)
f = ag.function([x], at.witch(x))
np.testing.assert_allclose(f(points), 1 / (1 + points**2), rtol=1e-15)
ag.verify_grad(at.witch, [points])
assert "witch of Agnesi" in at.witch.__doc__
assert ag.pprint(ag.function([x], at.log(at.sqrt(x)))) == "0.5 * log(x)"
"""


def blocks(path, language):
    """The fenced blocks of a language, each with the number of its first line."""
    text = path.read_text(encoding="utf-8")
    for found in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.M | re.S):
        yield text[: found.start(1)].count("\n"), found[1]


@pytest.mark.parametrize("path", [p for p in PAGES if list(blocks(p, "python"))], ids=lambda p: p.name)
def test_programs_run(path):
    names = {"__name__": path.stem}
    for line, block in blocks(path, "python"):
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile("\n" * line + block, str(path), "exec"), names)


@pytest.mark.parametrize("path", [p for p in PAGES if list(blocks(p, "pycon"))], ids=lambda p: p.name)
def test_sessions_give_what_they_show(path):
    names, runner = {}, doctest.DocTestRunner(Checker(), optionflags=FLAGS)
    for line, block in blocks(path, "pycon"):
        test = doctest.DocTestParser().get_doctest(block, names, path.name, str(path), line)
        report = io.StringIO()
        runner.run(test, out=report.write, clear_globs=False)
        if report.getvalue():
            pytest.fail(report.getvalue(), pytrace=False)
        names = test.globs


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\((?!\w+:|#)([^)#]+)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def hunks(diff):
    """Triples (path, old text, new text) of a diff whose hunks begin with a bare @@."""
    path, parts = "", []
    for line in diff.splitlines(keepends=True):
        if line.startswith("+++ "):
            path = line[len("+++ b/") :].strip()
        elif line.startswith("@@"):
            parts.append((path, [], []))
        elif not line.startswith("--- "):
            parts[-1][1].append(line[1:] if line[0] in " -" else "")
            parts[-1][2].append(line[1:] if line[0] in " +" else "")
    return [(path, "".join(old), "".join(new)) for path, old, new in parts]


def test_diffs_for_newcomers_work(tmp_path):
    """The op and the rule of CONTRIBUTING.md, applied to a copy of the package, are all that is needed."""
    shutil.copytree(Path(agnesi.__file__).parent, tmp_path / "agnesi")
    changes = [hunk for _, block in blocks(ROOT / "CONTRIBUTING.md", "diff") for hunk in hunks(block)]
    assert len(changes) == 4
    for path, old, new in changes:
        file = tmp_path / path.removeprefix("src/")
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} has changed: the diff in CONTRIBUTING.md does not apply"
        file.write_text(text.replace(old, new), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "AGNESI_CACHE_DIR": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", NEWCOMER], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
