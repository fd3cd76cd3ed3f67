"""Statements: what the interpreter makes of them, what the verifier rejects, and whole expressions lowered to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import AgnesiError, ShapeError, VerificationError
from agnesi.ir.node import cast, const, dim_node, index, load, symbol, temp
from agnesi.loops.check import verify
from agnesi.loops.interpret import CheckFailed, NeedsGeneral, run
from agnesi.loops.stmt import Buffer, Call, Check, EntryCheck, For, Let, Nest, Program, Set, Store, View
from agnesi.ops import elementwise as ew
from agnesi.ops.index import iota
from agnesi.pipeline import compile_graph
from agnesi.reference import evaluate

N, M = symbol("n"), symbol("m")
LATER = temp("later", "int64")
ROW, COLUMN = index(0), index(1)
ZERO, ONE = dim_node(0), dim_node(1)
T = temp("t", "float64")


def number(value, dtype="float64"):
    return const(value, dtype)


def made(*nests, shape=(N,), inputs=1, dtype="float64", **changes):
    """A program with inputs in0, in1 ... and the output out0 of one shape, and a nest for each list of statements."""
    names = [f"in{k}" for k in range(inputs)]
    buffers = {name: Buffer(name, dtype, shape, "input") for name in names}
    buffers["out0"] = Buffer("out0", dtype, shape, "output")
    buffers |= {b.name: b for b in changes.pop("more", ())}
    symbols = {d: ("in0", axis) for axis, d in enumerate(shape) if not isinstance(d, int)}
    named = [Nest(f"nest{k}", list(body)) for k, body in enumerate(nests)]
    start = Program(buffers, names, ["out0"], [], [], symbols, named)
    return replace(start, **changes)


def element(name, *idx, dtype="float64"):
    return load(name, dtype, idx)


def over(extent, *body, level=0, kind="seq"):
    return For(index(level), extent, body, kind)


def copying(source="in0", target="out0"):
    return over(N, Store(target, (ROW,), element(source, ROW)))


def arena(name, shape=(N,), dtype="float64", space="arena"):
    return Buffer(name, dtype, shape, space)


class TestInterpreter:
    def test_values(self):
        program = made([over(N, Let(T, element("in0", ROW) * 2), Store("out0", (ROW,), T + 1, ""))])
        verify(program)
        assert run(program, [np.arange(3.0)])[0].tolist() == [1, 3, 5]
        assert run(program, [np.zeros(0)])[0].shape == (0,)

    def test_integers_wrap_and_floats_round(self):
        value = load("in0", "int8", (ROW,))
        program = made([over(N, Store("out0", (ROW,), value + value))], dtype="int8")
        found = run(program, [np.array([100, -100, 3], "int8")])[0]
        assert found.dtype == "int8"
        assert found.tolist() == [-56, 56, 6]
        value = load("in0", "float32", (ROW,))
        program = made([over(N, Store("out0", (ROW,), value * value))], dtype="float32")
        assert run(program, [np.array([0.1], "float32")])[0] == np.float32(0.1) * np.float32(0.1)

    def test_accumulator(self):
        total = Let(T, number(0.0), True)
        body = [over(N, total, over(M, Set(T, element("in0", ROW, COLUMN), "add"), level=1), Store("out0", (ROW,), T))]
        program = made(body, shape=(N, M), more=[Buffer("out0", "float64", (N,), "output")])
        verify(program)
        assert run(program, [np.arange(6.0).reshape(2, 3)])[0].tolist() == [3, 12]

    def test_combining_store(self):
        place = load("in1", "int64", (ROW,))
        more = [Buffer("in1", "int64", (N,), "input")]
        fill, add = over(N, Store("out0", (ROW,), number(0.0))), Store("out0", (place,), element("in0", ROW), "add")
        program = made([fill, over(N, add)], inputs=2, more=more)
        verify(program)
        assert run(program, [np.array([1.0, 2, 4]), np.array([2, 0, 2])])[0].tolist() == [2, 0, 5]

    @pytest.mark.parametrize(("offset", "message"), [(1, r"load: index \(2,\) .* in0 of shape \(2,"), (-1, r"\(-1,\)")])
    def test_loads_stay_inside(self, offset, message):
        program = made([over(N, Store("out0", (ROW,), element("in0", ROW + offset)))])
        with pytest.raises(IndexError, match=message):
            run(program, [np.zeros(2)])

    def test_stores_stay_inside(self):
        with pytest.raises(IndexError, match=r"store: index \(-1,\) lies outside out0 of shape \(2,\)"):
            run(made([over(N, Store("out0", (ROW - 1,), number(1.0)))]), [np.zeros(2)])

    def test_check(self):
        place = load("in0", "int64", (ROW,))
        body = over(N, Check(place, N, 7, (place, dim_node(N))), Store("out0", (ROW,), place))
        program = made([body], dtype="int64")
        assert run(program, [np.array([1, 0])])[0].tolist() == [1, 0]
        for wrong in (2, -1):
            with pytest.raises(CheckFailed) as caught:
                run(program, [np.array([0, wrong])])
            assert (caught.value.site, caught.value.shown) == (7, (wrong, 2))

    def test_entry(self):
        size = temp("in1_d0", "int64")
        for general, error in ((True, NeedsGeneral), (False, CheckFailed)):
            program = made([copying()], inputs=2, checks=[EntryCheck(N, size, 3, general)])
            verify(program)
            run(program, [np.zeros(2), np.zeros(2)])
            with pytest.raises(error):
                run(program, [np.zeros(2), np.zeros(3)])
        with pytest.raises(ShapeError, match="in1 has shape"):
            run(made([copying()], inputs=2), [np.zeros(2), np.zeros(3)])
        with pytest.raises(ShapeError, match="float32"):
            run(made([copying()]), [np.zeros(2, "float32")])

    def test_sizes_come_before_checks(self):
        double = temp("double", "int64")
        out = Buffer("out0", "float64", (double,), "output")
        fill = over(double, Store("out0", (ROW,), number(1.0)))
        checks = [EntryCheck(double, 4, 1, False)]
        program = made([fill], more=[out], sizes=[Let(double, N * 2)], checks=checks)
        verify(program)
        assert run(program, [np.zeros(2)])[0].tolist() == [1] * 4
        with pytest.raises(CheckFailed, match="check 1 failed: 2, 4"):
            run(program, [np.zeros(1)])

    def test_fresh_memory_shows(self):
        for dtype in ("float64", "float32", "int32", "bool"):
            program = made([over(1, Store("out0", (ROW,), const(0, dtype)))], dtype=dtype)
            found = run(program, [np.zeros(2, dtype)])[0]
            assert found[0] == 0
            assert found[1] != 0

    def test_names_need_values(self):
        with pytest.raises(NameError, match="'t'"):
            run(made([over(N, Store("out0", (ROW,), T))]), [np.zeros(2)])

    def test_long_expressions(self):
        value = element("in0", ROW)
        for _ in range(5000):
            value = value + 1
        program = made([over(N, Store("out0", (ROW,), value))])
        verify(program)
        assert run(program, [np.zeros(1)])[0].tolist() == [5000]

    def test_donated_input(self):
        program = made([over(N, Store("out0", (ROW,), element("in0", ROW) + 1))], aliases={"out0": "in0"})
        verify(program)
        given = np.arange(3.0)
        assert run(program, [given])[0].tolist() == [1, 2, 3]
        assert given.tolist() == [0, 1, 2]
        late = made([over(N, Store("out0", (ROW,), number(0.0))), over(N, Store("out0", (ROW,), element("in0", ROW)))],
                    aliases={"out0": "in0"})  # fmt: skip
        assert run(late, [given])[0].tolist() == [0, 0, 0]

    def test_slots_are_shared(self):
        more = [arena("a"), arena("b")]
        nests = [copying("in0", "a")], [over(N, Store("b", (ROW,), number(9.0)))], [copying("a")]
        apart = made(*nests, more=more, slots={"a": 0, "b": 1})
        shared = made(*nests, more=more, slots={"a": 0, "b": 0})
        assert run(apart, [np.arange(2.0)])[0].tolist() == [0, 1]
        assert run(shared, [np.arange(2.0)])[0].tolist() == [9, 9]
        with pytest.raises(IndexError, match="does not fit slot 0"):
            run(made(*nests, more=[arena("a"), arena("b", (N, 2))], slots={"a": 0, "b": 0}), [np.zeros(2)])

    def test_strides_of_inputs(self):
        first, second = (temp(f"in0_s{k}", "int64") for k in range(2))
        out = Buffer("out0", "int64", (2,), "output")
        given = Buffer("in0", "float64", (N, M), "input", (first, second))
        body = [Store("out0", (ZERO,), first), Store("out0", (ONE,), second)]
        program = made(body, shape=(N, M), more=[given, out])
        verify(program)
        assert run(program, [np.zeros((3, 4))])[0].tolist() == [4, 1]
        assert run(program, [np.zeros((3, 4))[:, ::-2].T])[0].tolist() == [-2, 4]
        dense = replace(program, buffers=program.buffers | {"in0": replace(given, strides=None)})
        with pytest.raises(VerificationError, match="in0_s0"):
            verify(dense)


def product(a, b, alpha=1.0, beta=0.0, c=None):
    """A program that multiplies two matrices, each given with its View."""
    (m, _), (_, n) = a.sizes, b.sizes
    out = Buffer("out0", "float64", (m, n), "output")
    more = [replace(Buffer(k, "float64", (symbol(k + "_0"), symbol(k + "_1")), "input"),
                    strides=(temp(k + "_s0", "int64"), temp(k + "_s1", "int64"))) for k in ("in0", "in1")]  # fmt: skip
    symbols = {d: (b.name, axis) for b in more for axis, d in enumerate(b.shape)}
    fill = [] if c is None else [over(m, over(n, Store("out0", (ROW, COLUMN), number(c)), level=1))]
    call = Call("gemm", "float64", (a, b), View("out0", ZERO, (m, n), (n, 1)), (number(alpha), number(beta)))
    return made([*fill, call], inputs=2, more=[*more, out], symbols=symbols)


class TestLibraryCalls:
    A, B = np.arange(12.0).reshape(3, 4) + 1, np.arange(20.0).reshape(4, 5) ** 2

    def views(self, rows_of_a="s"):
        def strides(k):
            return temp(f"in{k}_s0", "int64"), temp(f"in{k}_s1", "int64")

        return View("in0", ZERO, (3, 4), strides(0)), View("in1", ZERO, (4, 5), strides(1))

    def test_product(self):
        program = product(*self.views())
        verify(program)
        for a in (self.A, np.asfortranarray(self.A), np.repeat(self.A, 2, axis=1)[:, ::2], self.A[::-1, ::-1]):
            assert np.allclose(run(program, [a, self.B])[0], a @ self.B)

    def test_transposed_part(self):
        a, b = self.views()
        inner = View("in0", temp("in0_s1", "int64"), (3, 2), (a.strides[1], a.strides[0]))  # in0.T[1:4, :2]
        program = product(inner, replace(b, sizes=(2, 5)))
        assert np.allclose(run(program, [self.A, self.B])[0], self.A.T[1:4, :2] @ self.B[:2])

    def test_factors(self):
        a, b = self.views()
        program = product(a, b, 2.0, -3.0, c=5.0)
        verify(program)
        assert np.allclose(run(program, [self.A, self.B])[0], 2 * self.A @ self.B - 15)
        assert np.isnan(run(product(a, b, 2.0, -3.0), [self.A, self.B])[0]).all()
        with pytest.raises(VerificationError, match="reads out0, which no earlier"):
            verify(product(a, b, 2.0, -3.0))

    def test_views_stay_inside(self):
        a, b = self.views()
        for wrong in (replace(a, sizes=(4, 4)), replace(a, offset=dim_node(-1)), replace(a, strides=(5, 1))):
            with pytest.raises(IndexError, match="in0"):
                run(product(wrong, b), [self.A, self.B])

    def test_gaps_are_outside(self):
        with pytest.raises(IndexError, match="offset 1 lies outside in0"):
            run(product(View("in0", ZERO, (3, 4), (8, 1)), self.views()[1]), [self.A.repeat(2, axis=1)[:, ::2], self.B])

    def solving(self, strides=(2, 1)):
        shape = (2, 2)
        views = [View(k, ZERO, shape, s) for k, s in (("in0", strides), ("in1", (2, 1)), ("out0", (2, 1)))]
        call = Call("solve", "float64", (views[0], views[1]), views[2], (), "work", 4)
        return made([call], shape=shape, inputs=2, more=[arena("work", (32,))])

    def test_solve(self):
        verify(self.solving())
        a, b = np.array([[0.0, 2], [1, 5]]), np.array([[2.0, 4], [1, 0]])
        assert np.allclose(run(self.solving(), [a, b])[0], np.linalg.solve(a, b))
        with pytest.raises(CheckFailed) as caught:
            run(self.solving(), [np.array([[1.0, 2], [2, 4]]), b])
        assert (caught.value.site, caught.value.shown) == (4, (1, 2))

    def test_solve_knows_no_strides(self):
        with pytest.raises(IndexError, match="solve: the matrix in in0 is not row-major"):
            run(self.solving((1, 2)), [np.eye(2), np.eye(2)])
        with pytest.raises(VerificationError, match="solve takes no strides"):
            verify(self.solving((1, 2)))


def gemm(**changes):
    """A program of one product, the call changed in some way."""
    square = View("in0", ZERO, (2, 2), (2, 1))
    call = Call("gemm", "float64", (square, square), replace(square, buffer="out0"), (number(1.0), number(0.0)))
    return made([replace(call, **changes)], shape=(2, 2), more=[Buffer("in9", "float32", (2, 2), "input")])


SQUARE = View("in0", ZERO, (2, 2), (2, 1))
A_TO_OUT = [copying("in0", "a")], [copying("a")]
LET = Let(T, element("in0", ROW))
CHECK = Check(ROW, N, 1, (ROW, dim_node(N)))

BROKEN = {
    "the name t is used where it is not defined": made([over(N, Store("out0", (ROW,), T), LET)]),
    "nest0: the name t is used": made([over(N, LET), over(N, Store("out0", (ROW,), T))]),
    "the name t is given twice": made([over(N, LET, LET)]),
    "the index of level 0 is used outside its loop": made([copying(), Store("out0", (ROW,), number(0.0))]),
    "the loop of level 0 stands inside": made([over(N, copying())]),
    "which is no loop index": made([For(temp("i", "int64"), N, ())]),
    "buffer 'gone' is unknown": made([copying("gone")]),
    "buffer 'lost' is unknown": made([copying("in0", "lost")]),
    "a load of in0 has 2 indices, the buffer 1 axes": made([over(N, Store("out0", (ROW,), element("in0", ROW, ROW)))]),
    "a store to out0 has 0 indices": made([over(N, Store("out0", (), number(0.0)))]),
    "a size or index is float64": made([over(N, Store("out0", (number(0.0),), number(0.0)))]),
    "writes in0, an input that is not donated": made([copying("in0", "in0")]),
    "the name t is float64, its value int64": made([over(N, Let(T, ROW))]),
    "the accumulator t is float64, its value int64": made([Let(T, number(0.0), True), over(N, Set(T, ROW, "add"))]),
    "the buffer out0 is float64, its value int64": made([over(N, Store("out0", (ROW,), ROW))]),
    "the buffer in0 is float64, its value int64": made(
        [over(N, Store("out0", (ROW,), load("in0", "int64", (ROW,)) * 1.0))]
    ),
    "Set changes t, which is not mutable": made([over(N, LET, Set(T, number(0.0), "add"))]),
    "<index int64\\[\\]> is no name": made([over(N, Let(ROW, ROW))]),
    "'sub' is not the combining op": made([copying(), over(N, Store("out0", (ROW,), number(1.0), "sub"))]),
    "a simd loop sets t": made([Let(T, number(0.0), True), over(N, Set(T, number(1.0), ""), kind="simd")]),
    "a simd loop contains a For": made([over(N, over(N, level=1), kind="simd")]),
    "a simd loop contains a Check": made([over(N, CHECK, kind="simd")]),
    "a simd loop reads t, which it also accumulates": made(
        [Let(T, number(0.0), True), over(N, Set(T, T * 2, "add"), kind="simd")]
    ),
    "a simd loop combines t in two ways": made(
        [Let(T, number(0.0), True), over(N, Set(T, number(1.0), "add"), Set(T, number(1.0), "mul"), kind="simd")]
    ),
    "rows of a loop are joined that": made([replace(over(N, over(N, level=1, kind="simd")), rows=8)]),
    "only elementwise scalars may": made([over(N, Store("out0", (ROW,), ag.tensor.vector("x").node))]),
    "<iota int64\\[\\?\\]> stands in a statement": made([over(N, Store("out0", (ROW,), iota(N * 2)))]),
    "<check_index int64\\[\\]> stands": made(
        [over(N, Store("out0", (ew.check_index(ROW, dim_node(N), site=1),), number(0.0)))]
    ),
    "the dimension m is not bound": made([over(M, Store("out0", (ROW,), number(0.0)))]),
    "there is no library routine fft": gemm(name="fft"),
    "gemm has 1 operands and 2 scalars": gemm(reads=(SQUARE,)),
    "gemm does not know int64": gemm(dtype="int64"),
    "gemm in float64 is float64, its value float32": gemm(scalars=(number(1.0, "float32"), number(0.0))),
    "has 1 sizes and 2 strides": gemm(reads=(replace(SQUARE, sizes=(2,)), SQUARE)),
    "gemm in float64 is given in9": gemm(reads=(SQUARE, replace(SQUARE, buffer="in9"))),
    "nest0: writes in0, an input": gemm(writes=SQUARE),
    "gemm writes out0, which it also reads": gemm(reads=(SQUARE, replace(SQUARE, buffer="out0"))),
    "writes out0 with gaps between columns": gemm(writes=View("out0", ZERO, (2, 2), (1, 2))),
    "reads a, which no earlier statement writes": made(A_TO_OUT[1], A_TO_OUT[0], more=[arena("a")]),
    "reads out0, which no earlier": made([over(N, Store("out0", (ROW,), number(1.0), "add"))]),
    "output out0 is never written": made(),
    "buffer out0 is unknown": replace(made(), buffers={"in0": Buffer("in0", "float64", (N,), "input")}),
    "bound to axis 1 of in0": made([copying()], symbols={N: ("in0", 0), M: ("in0", 1)}),
    "a size reads a, which is never filled": made(
        [copying()], more=[arena("a")], sizes=[Let(temp("t", "float64"), element("a", ZERO))]
    ),
    "nest0: uses a, whose size is known only later": made(
        A_TO_OUT[0], [copying()], more=[arena("a", (LATER,))], sizes=[Let(LATER, cast(element("out0", ZERO), "int64"))]
    ),
    "nest0: the name later is used where it is not defined": made(
        [over(LATER, Store("out0", (ROW,), number(1.0)))], sizes=[Let(LATER, cast(element("out0", ZERO), "int64"))]
    ),
    "in0 has 1 axes and 2 strides": made([copying()], more=[Buffer("in0", "float64", (N,), "input", (1, 1))]),
    "one of them is unknown": made([copying()], aliases={"out0": "gone"}),
    "a takes the memory of in0, but has another type": made(
        [copying()], more=[arena("a", (N, 1))], aliases={"a": "in0"}
    ),
    "nest1: may fail when in0": made([copying()], [over(N, CHECK)], aliases={"out0": "in0"}),
    "in0 and out0 share memory and live at the same time": made(
        [over(N, Store("out0", (ROW,), number(0.0)))], [copying("in0", "a")], more=[arena("a")], aliases={"out0": "in0"}
    ),
    "a and b share memory and live": made(
        [copying("in0", "a")],
        [copying("a", "b")],
        [copying("b")],
        more=[arena("a"), arena("b")],
        slots={"a": 0, "b": 0},
    ),
    "a and b share memory, but differ in size": made(
        *A_TO_OUT, [copying("in0", "b")], more=[arena("a"), arena("b", (3,))], slots={"a": 0, "b": 0}
    ),
    "a is used and has no slot": made(*A_TO_OUT, more=[arena("a")], slots={"out0": 0}),
}


class TestVerifier:
    @pytest.mark.parametrize("message", BROKEN)
    def test_rejects(self, message):
        with pytest.raises(VerificationError, match=message):
            verify(BROKEN[message])

    def test_accepts(self):
        verify(gemm())
        verify(made(*A_TO_OUT, more=[arena("a")]))
        verify(made(*A_TO_OUT, more=[arena("a")], slots={"a": 0}), planned=True)
        verify(made(*A_TO_OUT, more=[arena("a")], aliases={"a": "out0"}), planned=True)
        with pytest.raises(VerificationError, match="has no slot"):
            verify(made(*A_TO_OUT, more=[arena("a")]), planned=True)

    def test_workspace(self):
        square = [View(k, ZERO, (2, 2), (2, 1)) for k in ("in0", "in1", "out0")]
        call = Call("solve", "float64", (square[0], square[1]), square[2], (), "work")
        with pytest.raises(VerificationError, match="buffer 'work' is unknown"):
            verify(made([call], shape=(2, 2), inputs=2))


# -- whole expressions ------------------------------------------------------------------------------------

x, y, a = at.matrix("x"), at.matrix("y"), at.matrix("a")
v, k, t = at.vector("v"), at.lvector("k"), at.tensor3("t")
RNG = np.random.default_rng(0)
X, Y, A = RNG.normal(size=(3, 4)), RNG.normal(size=(3, 4)), RNG.normal(size=(4, 4))
V, T3, K = RNG.normal(size=4), RNG.normal(size=(2, 3, 4)), np.array([2, 0, -1])


def with_gradient(cost, *wrt):
    return [cost, *ag.grad(cost, list(wrt))]


def normalized(x):
    return (x - x.mean(axis=1, keepdims=True)) / x.std(axis=1, keepdims=True)


EXPRESSIONS = {
    "sum of arrays": ([x, y], [x + y], [X, Y]),
    "vector to matrix": ([x, v], [x * v + 1], [X, V]),
    "broadcast at run time": ([x, y], [x * y], [X[:, :1], Y[:1]]),
    "reductions": ([x], [x.sum(), x.sum(axis=0), x.max(axis=1), x.min(), x.prod(axis=0)], [X]),
    "reductions of a cube": ([t], [t.sum(axis=1), t.sum(axis=(0, 2)), t.max(axis=2)], [T3]),
    "empty": ([x], [x.sum(), x.sum(axis=0), x.max(axis=0), x + 1], [X[:0]]),
    "moments": ([x], [x.mean(axis=0), x.var(axis=1), x.std()], [X]),
    "normalized rows": ([x], [normalized(x)], [X]),
    "softmax": ([x], [at.nnet.softmax(x), at.nnet.softmax(x, axis=0), at.logsumexp(x, axis=0)], [X]),
    "softmax of maxima": ([t], [at.nnet.softmax(t.max(axis=2)), t.sum(axis=0).var(axis=0)], [T3]),
    "matrix products": ([x, y, a], [x @ a, x @ y.T, x.T @ y], [X, Y, A]),
    "scaled products": ([x, y, a], [2 * (x @ a) - 3 * y], [X, Y, A]),
    "vector products": ([x, v], [at.dot(x, v), at.outer(v, v), at.dot(v, v)], [X, V]),
    "batched product": ([t, a], [t @ a], [T3, A]),
    "solve": ([a, v, x], [at.solve(a, v), at.solve(a.T, x.T)], [A, V, X]),
    "layout": ([x, y], [x.sum(axis=0), x @ y.T, x.T + 1], [np.asfortranarray(X), Y[::-1, ::-1]]),
    "reshape": ([x], [x.reshape(-1), x.T.reshape(2, 6) * 2], [X]),
    "slices": ([x], [x[1:], x[::2, ::-1], x[-1], x[:, 1] + 1, x[5:]], [X]),
    "transposes": ([t], [t.transpose((2, 0, 1)), t.T + 1], [T3]),
    "lookups": ([x, k], [x[k], x[k, k], x.T[:, k]], [X, K]),
    "scalar lookup": ([x, k], [x[k[0]]], [X, K]),
    "wrong lookup": ([x, k], [x[k]], [X, K + 3]),
    "wrong product": ([x, y], [x @ y], [X, Y]),
    "singular": ([a, v], [at.solve(a * 0, v)], [A, V]),
    "joins": ([x, y], [at.concatenate([x, y * 2, x[:1]]), at.stack([x, y], axis=2)], [X, Y]),
    "choices": ([x, y], [at.where(x > y, x, y), x.argmax(axis=0), x.argmin(), (x > 0).any(axis=1)], [X, Y]),
    "ranges": ([x], [at.arange(x.shape[0]), at.arange(x.shape[0]) + x.T], [X]),
    "inputs and constants": ([x], [x, x, at.constant(np.arange(4.0)), at.constant(np.ones(4)) + x], [X]),
    "integers": ([k], [k // 2, k % 3, -k, abs(k), k**2, k.sum(), k.astype("int8") * 100], [K]),
    "float32": ([x], [x.astype("float32").sum(axis=1) * 2], [X]),
    "gradient of a layer": ([x, a], with_gradient(at.tanh(x @ a).sum(), x, a), [X, A]),
    "gradient of a broadcast": ([x, v], with_gradient(((x * v) ** 2).sum(), x, v), [X, V[:1]]),
    "gradient of a loss": (
        [x, k], with_gradient(-at.log(at.nnet.softmax(x))[at.arange(k.shape[0]), k].mean(), x), [X, K]
    ),
    "gradient of a lookup": ([x, k], with_gradient((x[k] ** 2).sum() + (x[1:, ::2] ** 3).sum(), x), [X, K]),
    "gradient of a solution": ([a, x], with_gradient((at.solve(a, x.T) ** 2).sum(), a, x), [A, X]),
}  # fmt: skip

UPDATES = {
    "step": ([x, y], [x.sum(), x - 0.1 * y], [X, Y], [(1, 0)]),
    "swap": ([x, y], [y * 1, x * 1], [X, Y], [(0, 0), (1, 1)]),
    "transpose": ([a], [a.T + 1], [A], [(0, 0)]),
    "product": ([a], [a @ a, a.sum()], [A], [(0, 0)]),
    "centred rows": ([x], [x - x.sum(axis=1, keepdims=True), x.max()], [X], [(0, 0)]),
    "centred columns": ([x], [x - x.sum(axis=0, keepdims=True), x.max()], [X], [(0, 0)]),
    "both": ([x, v], [v - (x * v).sum(axis=0), x + v], [X, V], [(0, 1), (1, 0)]),
}  # fmt: skip


def compare(graph, arrays, updates, common, optimize):
    """The lowered program gives what the graph means, or fails where that fails."""
    try:
        expected = evaluate(graph, arrays)
    except (AgnesiError, IndexError):
        expected = None
    job = compile_graph(graph, updates, common, optimize)
    verify(job.program, planned=True)
    given = [*arrays, *(n["value"].array for n in job.graph.arrays)]
    if expected is None:
        with pytest.raises((CheckFailed, NeedsGeneral)):
            run(job.program, given)
        return
    try:
        found = run(job.program, given)
    except NeedsGeneral:
        assert common
        return
    for one, other in zip(expected, found, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(other, one, rtol=1e-5 if one.dtype == "float32" else 1e-9, atol=1e-9)


@pytest.mark.parametrize("optimize", [True, False], ids=["optimized", "plain"])
@pytest.mark.parametrize("common", [True, False], ids=["common", "general"])
class TestLowering:
    @pytest.mark.parametrize("name", EXPRESSIONS)
    def test_expressions(self, name, common, optimize):
        inputs, outputs, arrays = EXPRESSIONS[name]
        compare(ag.Graph([i.node for i in inputs], [o.node for o in outputs]), arrays, (), common, optimize)

    @pytest.mark.parametrize("name", UPDATES)
    def test_updates(self, name, common, optimize):
        inputs, outputs, arrays, updates = UPDATES[name]
        compare(ag.Graph([i.node for i in inputs], [o.node for o in outputs]), arrays, updates, common, optimize)
