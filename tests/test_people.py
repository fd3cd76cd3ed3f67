"""What people handle: NumPy's functions on variables, settings, pickles, texts."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import config
from agnesi.compiled import Function, Interpreted
from agnesi.ir.show import parse, text

x, y = at.vector("x"), at.vector("y")
V = np.array([1.0, 2.0, 3.0])


class TestCopies:
    def test_functions_are_pickled(self):
        w = ag.shared(V, "w")
        f = ag.function([x, ag.In(y, value=V)], {"s": x + y * w}, updates={w: w + 1}, name="named")
        for g in (pickle.loads(pickle.dumps(f)), copy.deepcopy(f)):
            assert g(V)["s"].tolist() == [2, 6, 12]
            assert g(V)["s"].tolist() == [3, 8, 15]
            assert g.name == "named"
        assert w.get_value().tolist() == [1, 2, 3]
        h = pickle.loads(pickle.dumps(ag.function([x], x.sum(), mode="reference")))
        assert isinstance(h, Interpreted)
        assert h(V) == 6

    def test_variables_and_graphs_are_pickled(self):
        expression = at.tanh(x) + at.constant([1.0, 2.0, 3.0]) * x.shape[0]
        again = pickle.loads(pickle.dumps(expression))
        assert ag.pprint(again) == ag.pprint(expression)
        a, b = pickle.loads(pickle.dumps((x, x + y)))
        leaf = next(n for n in ag.Graph([a.node], [a.node]).inputs)
        assert leaf is a.node
        graph = ag.Graph([x.node, y.node], [(x + y).node, x.node])
        assert text(pickle.loads(pickle.dumps(graph))) == text(graph) == text(parse(text(graph)))

    def test_shared_values_are_pickled(self):
        a = pickle.loads(pickle.dumps(ag.shared(V, "a")))
        assert a.name == "a"
        assert (a * 2).eval().tolist() == [2, 4, 6]
        assert a.get_value().tolist() == [1, 2, 3]


class TestNumPy:
    def test_functions(self):
        m = at.matrix("m")
        value = np.arange(6.0).reshape(2, 3) / 5
        for made, wanted in [
            (np.exp(m), np.exp(value)), (np.sum(m, axis=0), value.sum(0)), (2 - m, 2 - value),
            (np.maximum(m, 0.5), np.maximum(value, 0.5)), (np.mean(m), value.mean()), (np.transpose(m), value.T),
            (np.where(m > 0.5, m, 0), np.where(value > 0.5, value, 0)), (np.ones((2, 3)) * m, value), (abs(-m), value),
            (np.dot(m, value.T), value @ value.T), (value.T @ m, value.T @ value), (np.argmax(m, axis=1), [2, 2]),
            (np.reshape(m, (3, 2)), value.reshape(3, 2)), (np.clip(m, 0.1, 0.5), value.clip(0.1, 0.5)),
            (np.float64(2) * m, 2 * value), (np.var(m), value.var()), (np.square(m), value**2),
        ]:  # fmt: skip
            assert isinstance(made, at.Variable)
            np.testing.assert_allclose(made.eval({m: value}), wanted, rtol=1e-14)

    def test_what_is_not_known_raises(self):
        with pytest.raises(TypeError):
            np.linalg.svd(x)
        with pytest.raises(TypeError):
            np.add.reduce(x)

    def test_namespace(self):
        assert x.__array_namespace__() is at
        assert {"exp", "sum", "matmul", "where", "reshape"} <= set(dir(at))

    def test_handles(self):
        assert len({x, y, x}) == 2
        assert isinstance(x == y, at.Variable)
        assert "sum" in dir(x)
        assert repr(x + 1).startswith("add: float64[")
        with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
            x.frobnicate()
        a, b = at.constant([1.0, 2.0])
        assert (float(a.eval()), float(b.eval())) == (1, 2)


class TestSettings:
    def test_change(self):
        with config.change(floatX="float32"):
            assert at.vector("v").dtype == "float32"
            with config.change(floatX="float64"):
                assert at.vector("v").dtype == "float64"
            assert at.zeros((2,)).dtype == "float32"
        assert at.vector("v").dtype == "float64"
        assert config.floatX == "float64"
        with pytest.raises(ValueError, match="floatX"):
            config.set(floatX="float16")
        with pytest.raises(AttributeError, match="no setting 'colour'"):
            config.colour  # noqa: B018

    def test_environment(self):
        program = "from agnesi import config as c; print(c.floatX, c.fuel, c.check, c.mode)"
        environment = os.environ | {"AGNESI_FLOATX": "float32", "AGNESI_FUEL": "7", "AGNESI_CHECK": "1"}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["float32", "7", "True", "fast_run"]

    def test_dump(self, capsys):
        with config.change(dump="canonical,place,order,lower,print"):
            ag.function([x], at.log(1 + x), name="dumped").compiled()
        shown = capsys.readouterr().err
        assert "-- canonical" in shown
        assert "log1p" in shown
        assert "ag_main" in shown


class TestText:
    def test_pprint(self):
        e = (x + 1) * y
        assert ag.pprint(e) == "(x + 1.0) * y"
        assert ag.pprint(at.exp(e) / e) == "t1 = (x + 1.0) * y\nexp(t1) / t1"
        assert ag.pprint(ag.function([x], at.log(1 + at.exp(x)))) == "softplus(x)"
        assert ag.pprint(x.sum()) == "sum(x, axes=(0,))"

    def test_dprint(self):
        n = at.tensor("n", shape=("k",))
        e = at.exp(n) * at.exp(n)
        assert ag.dprint(e) == "mul float64[k]\n  [1] exp float64[k]\n    n float64[k]\n  [1]"

    def test_text(self):
        n = at.tensor("n", shape=("k", 2))
        graph = ag.Graph([n.node], [(n.sum(0) * 2).node])
        assert text(graph) == (
            "%0 = input n float64['k', 2]\n%1 = sum %0 axes=(0,)\n%2 = const 2.0 float64\n%3 = mul %1 %2\nreturn %3"
        )

    def test_functions(self):
        w = ag.shared(V, "w")
        f = ag.function([x], (x * w).sum(), updates={w: w + 1}, name="f")
        assert repr(f).startswith("<agnesi function f(x: float64[")
        assert "1 updates" in repr(f) or "1 update" in repr(f)
        assert "ag_main" in f.text
        assert isinstance(f, Function)


class TestExplain:
    """What f.explain() says, row by row."""

    @staticmethod
    def rows(text):
        """The rows of the function by their labels, with the lines of each joined; and the blocks of the nests."""
        head, *nests = text.split("\n\n")
        first, *lines = head.splitlines()
        label, found = "", {"": first}
        for line in lines:
            label = line[:11].strip() or label
            found[label] = f"{found.get(label, '')} {line[11:]}".strip()
        return found, nests

    def test_all_rows(self, tmp_path):
        data, w = at.tensor("data", shape=("n", 10)), ag.shared(np.ones(10), "w")
        cost = at.exp(data @ w).sum()
        with config.change(cache_dir=str(tmp_path)):
            f, again = (
                ag.function([data], [cost, data * 2], updates={w: w - ag.grad(cost, w)}, name="f") for _ in range(2)
            )
        rows, nests = self.rows(f.explain())
        assert rows[""].startswith("function f: ")
        assert rows[""].endswith(f"{len(nests)} nests; common variant, mode fast_run")
        assert rows["outputs"] == "out0: float64[]; out1: float64[n, 10]; new w: float64[10]"
        assert rows["updates"] == "w in place"
        assert "contract_loops x" in rows["rules"]
        assert re.fullmatch(r"[\d,]+ n( \+ [\d,]+)? flops, n elementary functions", rows["work"])
        assert re.fullmatch(r"[\d,]+ n( \+ [\d,]+)? bytes read, [\d,]+ n( \+ [\d,]+)? written", rows["traffic"])
        assert re.match(r"[\d,]+ n( \+ [\d,]+)? bytes at most: results 80 n \+ 8, scratch ", rows["memory"])
        assert rows["cache"] == "miss: no entry"
        assert re.fullmatch(r"passes 0\.\d{4} \(.*\); C compiler \d\.\d{4}", rows["seconds"])
        assert any("exp" in nest and "data" in nest and "why" in nest for nest in nests)
        rows, _ = self.rows(again.explain())
        assert rows["cache"] == "hit"
        assert "C compiler" not in rows["seconds"]

    def test_variants(self):
        f = ag.function([x, y], x * y)
        rows, _ = self.rows(f.explain(general=True))
        assert "general variant" in rows[""]
        assert rows["cache"].startswith("not asked yet")
        f(V, V[:1])
        rows, nests = self.rows(f.explain(source=True, general=True))
        assert rows["cache"] in ("hit", "miss: no entry")
        assert "ag_main" in nests[-1]
        assert "ag_main" not in f.explain()

    def test_updates_that_need_memory(self):
        a, b = ag.shared(V, "a"), ag.shared(V, "b")
        rows, _ = self.rows(ag.function([], updates={a: b[::-1] * 2, b: a + 1}).explain())
        assert "a into new memory" in rows["updates"] or "b into new memory" in rows["updates"]

    def test_small_things(self):
        rows, nests = self.rows(ag.function([], at.constant(1.0)).explain())
        assert rows["work"] == "none"
        assert rows["rules"] == "none fired"
        assert len(nests) == 1
        assert "1 nest;" in rows[""]
        rows, _ = self.rows(ag.function([x], x + 1, mode="reference").explain())
        assert rows["cache"].startswith("not asked: NumPy evaluates")
        m = at.matrix("m")
        rows, _ = self.rows(ag.function([m], at.solve(m, m @ m)).explain())
        assert "calls of gemm, solve" in rows["work"]

    def test_lines_are_short(self):
        w, e = ag.shared(np.zeros((20, 5)), "w"), x
        for k in range(40):
            e = at.tanh(e * k) + at.log(1 + at.exp(e))
        f = ag.function([x, at.lvector("i")], e.sum(), on_unused_input="ignore", updates={w: w + 1})
        assert max(map(len, f.explain().splitlines())) <= 120
