"""Every error a user can meet: its class, and a message that names the line, the shapes and the way out."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi import config, errors
from agnesi.errors import (
    AgnesiError,
    CompileError,
    DisconnectedInputError,
    GradientError,
    GraphTextError,
    IndexOutOfRange,
    ShapeError,
    SingularMatrixError,
    TypeMismatch,
    UnknownInputError,
    UnusedInputError,
    VerificationError,
)  # fmt: skip
from agnesi.ir.check import verify
from agnesi.ir.node import CONST, INDEX, Node, make
from agnesi.ir.op import OPS
from agnesi.ir.show import parse
from agnesi.ir.type import Type
from agnesi.pipeline import PASSES, check_passes

MODES = ("fast_run", "reference")


def line_above() -> str:
    """File and number of the line before the caller's, as messages give them."""
    frame = inspect.currentframe().f_back
    return re.escape(f"{__file__}:{frame.f_lineno - 1}")


def build_errors():
    """Rows: a name, what raises, its class, what the message says."""
    x, y, m, i = at.vector("x"), at.vector("y"), at.matrix("m"), at.lvector("i")
    z = at.zvector("z")
    b, s = at.tensor("b", "bool", (None,)), at.scalar("s")
    fixed, other = at.tensor("fixed", shape=(3, 4)), at.tensor("other", shape=(3, 5))
    w = ag.shared(np.zeros(3), "w")
    return [
        # -- expressions
        ("known sizes", lambda: fixed + other, ShapeError, r"add: float64\[3, 4\] and .*: sizes 4 and 5 differ"),
        ("product", lambda: fixed @ other, ShapeError, r"float64\[3, 4\] and float64\[3, 5\] differ in [jk]: 4 and 3"),
        ("broadcast_to", lambda: at.broadcast_to(fixed, (3, 5)), ShapeError, r"float64\[3, 4\] does not fit"),
        ("reshape", lambda: fixed.reshape((5, 2)), ShapeError, r"float64\[3, 4\] has 12 elements, the shape .* 10"),
        ("reshape hole", lambda: fixed.reshape((5, -1)), ShapeError, "12 elements .* do not divide by 5"),
        ("reshape holes", lambda: fixed.reshape((-1, -1)), ShapeError, "only one size can be -1"),
        ("concatenate", lambda: at.concatenate([fixed, other]), ShapeError, "differ off axis 0"),
        ("concatenate ranks", lambda: at.concatenate([x, m]), TypeMismatch, r"same rank.*\[1, 2\]"),
        ("concatenate nothing", lambda: at.concatenate([]), TypeMismatch, "at least one array"),
        ("squeeze", lambda: at.squeeze(fixed, 0), ShapeError, r"axis 0 of float64\[3, 4\] is not 1"),
        ("transpose", lambda: m.transpose((0,)), TypeMismatch, r"\(0,\) is not an order of the 2 axes"),
        ("axis", lambda: m.sum(axis=2), TypeMismatch, "axis 2 does not exist: the array has 2 axes"),
        ("axis twice", lambda: m.sum(axis=(0, -2)), TypeMismatch, "names an axis twice"),
        ("matmul scalar", lambda: x @ s, TypeMismatch, r"use \* for scalars"),
        ("solve", lambda: at.solve(x, x), TypeMismatch, "solve takes two matrices"),
        ("bitwise", lambda: x & y, TypeMismatch, "take booleans and integers, not float64"),
        ("booleans", lambda: b - b, TypeMismatch, r"not defined for booleans; use & \| \^ ~ or at.where"),
        ("too few arguments", lambda: at.maximum(x), TypeMismatch, "maximum takes 2 arguments, not 1"),
        ("integer that does not fit", lambda: at.tensor("u", "int8", ()) + 300, TypeMismatch, "300 does not fit int8"),
        ("crossentropy", lambda: at.nnet.categorical_crossentropy(m, fixed[None]), TypeMismatch, "takes a matrix and"),
        # -- complex numbers
        ("order", lambda: z < z, TypeMismatch, "lt is not defined for complex numbers; take x.real, x.imag or abs"),
        ("complex maximum", lambda: at.maximum(z, 1), TypeMismatch, "maximum is not defined for complex numbers"),
        ("greatest complex number", lambda: z.max(), TypeMismatch, "maximum is not defined for complex numbers"),
        ("its place", lambda: z.argmax(), TypeMismatch, "argmax is not defined for complex numbers"),
        ("complex remainder", lambda: z % 2, TypeMismatch, "mod is not defined for complex numbers"),
        ("complex bits", lambda: z & 1, TypeMismatch, "take booleans and integers, not complex128"),
        ("complex softmax", lambda: at.nnet.softmax(z), TypeMismatch, "not defined for complex numbers"),
        ("complex parts", lambda: at.complex(z, x), TypeMismatch, "the parts of a complex number are real"),
        ("complex clipping", lambda: ag.grad_clip(z, 0, 1), TypeMismatch, "limits real numbers"),
        ("complex index", lambda: x[z], TypeMismatch, "integers, not complex128"),
        # -- indices
        ("too many indices", lambda: x[0, 0], TypeMismatch, r"2 indices for float64\[\w+\], which has 1 axes"),
        ("ellipses", lambda: m[..., ...], TypeMismatch, "one Ellipsis only"),
        ("float index", lambda: x[y], TypeMismatch, "integers, not float64"),
        ("float index scalar", lambda: x[s], TypeMismatch, "integer, not float64"),
        ("truth value as index", lambda: x[x[0] > 0], TypeMismatch, "single truth value .* use at.where"),
        ("mask of another size", lambda: fixed[:2][np.ones(4, bool)], IndexOutOfRange, "mask of type .* does not fit"),
        ("mask of too many axes", lambda: x[m > 0], IndexOutOfRange, "mask of type .* does not fit"),
        ("no part", lambda: at.set_subtensor(x, 1), TypeMismatch, "part of an array, such as"),
        ("no part to set", lambda: (x + 1).set(2), TypeMismatch, "part of an array, such as"),
        ("values of a dtype", lambda: at.lvector()[1:].set(0.5), TypeMismatch, "do not fit into int64"),
        ("values of a rank", lambda: x[1:].set(m), ShapeError, "do not fit into"),
        ("values of a size", lambda: fixed[1:].set(np.ones((3, 4))), ShapeError, "do not fit into"),
        ("step", lambda: x[::0], TypeMismatch, "cannot be 0"),
        ("known index", lambda: fixed[3], IndexOutOfRange, "index 3 is out of range for an axis of size 3"),
        ("known index from the end", lambda: fixed[0, -5], IndexOutOfRange, "index -5 .* size 4"),
        # -- variables as Python objects
        ("bool", lambda: bool(x.sum() > 0), TypeMismatch, "no truth value .* use at.where"),
        ("if", lambda: 1 if x.sum() > 0 else 0, TypeMismatch, "no truth value"),
        ("len", lambda: len(x), TypeMismatch, r"use x.shape\[0\]"),
        ("iterate", lambda: list(x), TypeMismatch, "known only at the call"),
        ("range", lambda: range(x.shape[0]), TypeMismatch, "symbolic"),
        ("float", lambda: float(s), TypeError, "float"),
        # -- variables
        ("dtype", lambda: at.tensor("x", "float128"), TypeMismatch, "agnesi knows bool, int8"),
        ("no dtype", lambda: at.tensor("x", "number"), TypeMismatch, "'number' is not a data type"),
        ("text", lambda: at.constant("text"), TypeMismatch, "not supported"),
        ("negative size", lambda: at.tensor("x", shape=(-1,)), TypeMismatch, "cannot be negative"),
        ("size", lambda: at.tensor("x", shape=(1.5,)), TypeMismatch, "a number, a name or None, not 1.5"),
        ("shared shape", lambda: ag.shared(np.zeros(3), shape=(None, None)), TypeMismatch, "a value of 1 axes"),
        ("shared dtype", lambda: w.set_value(np.array(["a"] * 3)), TypeMismatch, "cannot take a value of dtype"),
        ("shared sizes", lambda: w.set_value(np.zeros(4)), TypeMismatch, r"\(4,\); sizes are free with .*shape=\(None"),
        # -- derivatives
        ("cost is an array", lambda: ag.grad(x * 2, x), GradientError, r"scalar cost, not float64.*take a sum"),
        ("cost is an integer", lambda: ag.grad(i.sum(), x), GradientError, "floating cost, not int64"),
        ("by integers", lambda: ag.grad(x.sum(), i), GradientError, "only floating dtypes have derivatives"),
        ("complex cost", lambda: ag.grad(z.sum(), z), GradientError, "needs a real cost, .*real part or abs"),
        ("complex Jacobian", lambda: ag.jacobian(z * z, z), GradientError, "jacobian takes real arrays"),
        ("complex Hessian", lambda: ag.hessian(abs(z).sum(), z), GradientError, "hessian takes real arrays"),
        ("complex cotangent", lambda: ag.vjp(x, x, z), GradientError, "cotangent complex128.* does not fit float64"),
        ("disconnected", lambda: ag.grad(x.sum(), y), DisconnectedInputError, "on y: .*disconnected_inputs='ignore'"),
        ("disconnected by its dtype", lambda: ag.grad((x > 0).sum().astype("float64"), x), DisconnectedInputError, "x"),
        ("cotangent", lambda: ag.vjp(x, x, fixed), GradientError, r"float64\[3, 4\] does not fit"),
        ("tangent", lambda: ag.jvp(x, x, fixed), GradientError, r"float64\[3, 4\] does not fit"),
        ("verify_grad", lambda: ag.verify_grad(at.sign, [np.zeros(1)]), GradientError, "mode gives .* differences"),
        # -- functions
        ("unknown input", lambda: ag.function([x], x + y), UnknownInputError, "need y: .*add it .* givens=, .* shared"),
        ("unknown in an update", lambda: ag.function([], updates={w: w * s}), UnknownInputError, "need s: float64"),
        ("unknown in a graph", lambda: ag.Graph([x.node], [y.node]), UnknownInputError, "need y"),
        ("unused input", lambda: ag.function([x, y], x), UnusedInputError, "on y; leave .* on_unused_input='ignore'"),
        ("repeated input", lambda: ag.function([x, x], x), TypeMismatch, "x stands twice among the inputs"),
        ("input without a list", lambda: ag.function(x, x), TypeMismatch, "the inputs of a function are a list"),
        ("input expression", lambda: ag.function([x + 1], x), TypeMismatch, "an input of a function is a variable"),
        ("input number", lambda: ag.function([1.0], x), TypeMismatch, "an input of a function is a variable"),
        ("shared input", lambda: ag.function([w], w), TypeMismatch, "is shared.*use givens"),
        ("update of no shared", lambda: ag.function([x], updates={x: x}), TypeMismatch, "only shared variables"),
        ("update twice", lambda: ag.function([], updates=[(w, w), (w, w + 1)]), TypeMismatch, "w is updated twice"),
        ("update dtype", lambda: ag.function([], updates={w: w.astype("float32")}), TypeMismatch,
         r"update of w: float64\[3\] has dtype float32; convert it with .astype\('float64'\)"),
        ("update rank", lambda: ag.function([], updates={w: w.sum()}), ShapeError, r"of w: .* has type float64\[\]"),
        ("update shape", lambda: ag.function([], updates={w: w[:2]}), ShapeError, r"of w: .* has type float64\[2\]"),
        ("givens dtype", lambda: ag.function([i], x.sum(), givens={x: i}), TypeMismatch, "int64.* stand for float64"),
        ("givens of no variable", lambda: ag.function([], x.sum(), givens={1: 2}), TypeMismatch, "1 is no variable"),
        ("givens rank", lambda: ag.function([], x.sum(), givens={x: fixed}), TypeMismatch, "cannot stand for"),
        ("keys of a dict", lambda: ag.function([x], {1: x}), TypeMismatch, "keys of a dict of outputs are texts"),
        ("mode", lambda: ag.function([x], x, mode="fast"), ValueError, "one of fast_run, fast_math, fast_compile"),
        ("unused", lambda: ag.function([x, y], x, on_unused_input="rais"), ValueError, "'raise', 'warn' or 'ignore'"),
        ("eval by name", lambda: x.eval({"x": [1.0]}), TypeMismatch, "is a variable made .* not 'x'"),
        ("eval without a value", lambda: (x + 1).eval(), UnknownInputError, "need x"),
        # -- tools
        ("text of a graph", lambda: parse("%0 = input x float64[n]\n%1 = frobnicate %0"), GraphTextError, "line 2"),
        ("text without end", lambda: parse("%0 = input x float64[n]"), GraphTextError, "no line `return`"),
        ("text that is none", lambda: parse("hello"), GraphTextError, "line 1"),
        ("op without arguments", lambda: OPS["add"](1, 2), TypeMismatch, "at least one symbolic argument"),
        ("order of passes", lambda: check_passes(PASSES[::-1]), VerificationError, "must come after"),
    ]  # fmt: skip


ROWS = build_errors()


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r[0].replace(" ", "_"))
def test_errors_when_building(row):
    _, action, kind, message = row
    with pytest.raises(kind, match=re.compile(message, re.S)) as found:
        action()
    if issubclass(kind, AgnesiError):
        assert type(found.value) is kind


def test_every_class_is_tested():
    tested = {row[2] for row in ROWS} | {SingularMatrixError, CompileError}
    declared = {c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, AgnesiError)}
    assert declared - tested == {AgnesiError}
    for c in declared:
        assert c.__doc__


def test_every_class_has_its_page():
    """A page in docs/errors with an example that raises it, and a line in the index."""
    folder = Path(__file__).parents[1] / "docs" / "errors"
    index = (folder / "README.md").read_text()
    names = {c.__name__ for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, AgnesiError)}
    assert {path.stem for path in folder.glob("*.md")} == names | {"README"}
    for name in names:
        page = (folder / f"{name}.md").read_text()
        assert page.startswith(f"# {name}\n\n")
        assert f"\nagnesi.errors.{name}: " in page or name == "AgnesiError"
        bases = [c.__name__ for c in getattr(errors, name).__bases__ if c is not AgnesiError]
        assert f"| [{name}]({name}.md) | `{bases[0]}` |" in index


def test_classes_are_pythons_too():
    """Code that catches Python's own classes goes on working."""
    pairs = {
        TypeMismatch: TypeError, ShapeError: ValueError, IndexOutOfRange: IndexError, GradientError: ValueError,
        SingularMatrixError: ArithmeticError, CompileError: RuntimeError, UnknownInputError: ValueError,
    }  # fmt: skip
    for ours, pythons in pairs.items():
        assert issubclass(ours, pythons)
        assert issubclass(ours, AgnesiError)


class TestLines:
    """Messages name the line where the user built the expression."""

    def test_unknown_input(self):
        z = at.vector("z")
        line = line_above()
        with pytest.raises(UnknownInputError, match=f"built at {line}"):
            ag.function([], z + 1)

    def test_cost(self):
        z = at.vector("z") * 2
        line = line_above()
        with pytest.raises(GradientError, match=f"built at {line}"):
            ag.grad(z, z)

    @pytest.mark.parametrize("mode", MODES)
    def test_sizes(self, mode):
        x, y = at.vector("x"), at.vector("y")
        z = x + y
        line = line_above()
        f = ag.function([x, y], z, mode=mode)
        with pytest.raises(ShapeError, match=re.compile(f"(3 and 4|4 and 3).*built at {line}", re.S)):
            f(np.ones(3), np.ones(4))

    @pytest.mark.parametrize("mode", MODES)
    def test_products(self, mode):
        x, y = at.matrix("x"), at.matrix("y")
        z = x @ y
        line = line_above()
        f = ag.function([x, y], z, mode=mode)
        with pytest.raises(ShapeError, match=re.compile(f"3.*2.*built at {line}", re.S)):
            f(np.ones((2, 3)), np.ones((2, 3)))

    @pytest.mark.parametrize("mode", MODES)
    def test_indices(self, mode):
        x, i = at.vector("x"), at.lvector("i")
        z = x[i] * 2
        line = line_above()
        f = ag.function([x, i], z, mode=mode)
        op = "" if mode == "reference" else r"take\(float64\[\w+\], int64\[\w+\]\): "
        for wrong in (3, -4, 2**40):
            with pytest.raises(
                IndexOutOfRange,
                match=re.compile(rf"{op}index {wrong} is out of range for an axis of size 3.*built at {line}", re.S),
            ):
                f(np.ones(3), [0, wrong, 1])

    @pytest.mark.parametrize("mode", MODES)
    def test_single_indices(self, mode):
        x, k = at.vector("x"), at.lscalar("k")
        z = x[k]
        line = line_above()
        f = ag.function([x, k], z, mode=mode)
        assert f(np.arange(3.0), -1) == 2
        with pytest.raises(IndexOutOfRange, match=re.compile(f"index 3 .* size 3.*built at {line}", re.S)):
            f(np.arange(3.0), 3)
        with pytest.raises(IndexOutOfRange, match="index 5 is out of range for an axis of size 3"):
            ag.function([x], x[5], mode=mode)(np.arange(3.0))

    @pytest.mark.parametrize("dtype", ["float64", "complex64", "complex128"])
    @pytest.mark.parametrize("mode", MODES)
    def test_singular_matrices(self, mode, dtype):
        a, b = at.matrix("a", dtype), at.vector("b", dtype)
        z = at.solve(a, b)
        line = line_above()
        f = ag.function([a, b], z, mode=mode)
        with pytest.raises(SingularMatrixError, match=re.compile(f"singular.*built at {line}", re.S)):
            f(np.ones((2, 2), dtype), np.ones(2, dtype))
        with pytest.raises(ShapeError, match=re.compile(f"built at {line}", re.S)):
            f(np.ones((2, 3), dtype), np.ones(2, dtype))

    @pytest.mark.parametrize("mode", MODES)
    def test_reshape(self, mode):
        x, n = at.vector("x"), at.lscalar("n")
        z = x.reshape((n, 2))
        line = line_above()
        f = ag.function([x, n], z + 1, mode=mode)
        assert f(np.ones(6), 3).shape == (3, 2)
        with pytest.raises(ShapeError, match=re.compile(f"6 and 8.*built at {line}|built at {line}", re.S)):
            f(np.ones(6), 4)

    @pytest.mark.parametrize("mode", MODES)
    def test_concatenate_and_squeeze(self, mode):
        x, y = at.matrix("x"), at.matrix("y")
        z = at.concatenate([x, y])
        line = line_above()
        with pytest.raises(ShapeError, match=re.compile(f"built at {line}", re.S)):
            ag.function([x, y], z, mode=mode)(np.ones((2, 3)), np.ones((2, 4)))
        u = at.squeeze(x, 0)
        line = line_above()
        with pytest.raises(ShapeError, match=re.compile(f"2 and 1.*built at {line}", re.S)):
            ag.function([x], u + 1, mode=mode)(np.ones((2, 3)))

    def test_lines_of_methods_and_operators(self):
        x = at.vector("x")
        line = line_above()
        assert re.fullmatch(line, x.line)
        y = x.sum()
        line = line_above()
        assert re.fullmatch(line, y.line)


class TestArguments:
    """Wrong arguments of calls."""

    @pytest.mark.parametrize("mode", MODES)
    def test_each(self, mode):
        x, i = at.vector("x"), at.lvector("i")
        f = ag.function([x, i], x.sum() + i.sum(), mode=mode, name="f")
        rows = [
            ((np.ones((2, 2)), [1]), r"f: input 0 \(x: .*needs 1 axes; the argument has 2, of shape \(2, 2\)"),
            ((np.ones(2), np.ones(2)), r"f: input 1 .*dtype int64; the argument's float64 would .*\.astype\('int64'\)"),
            ((["a"], [1]), "f: input 0"),
            ((x, [1]), "f: input 0 .* needs numbers"),
            (([[1], [1, 2]], [1]), "f: input 0"),
            ((np.ones(2, complex), [1]), "f: input 0 .* complex128"),
            ((None, [1]), "f: input 0"),
        ]  # fmt: skip
        for args, message in rows:
            with pytest.raises(TypeMismatch, match=re.compile(message, re.S)):
                f(*args)

    @pytest.mark.parametrize("mode", MODES)
    def test_counts_and_names(self, mode):
        x = at.vector("x")
        f = ag.function([x], x.sum(), mode=mode, name="f")
        for args, keywords in (((), {}), (([1.0], [1.0]), {}), (([1.0],), {"y": 1}), (([1.0],), {"x": 1})):
            with pytest.raises(TypeError, match="f"):
                f(*args, **keywords)

    @pytest.mark.parametrize("mode", MODES)
    def test_integers_that_do_not_fit(self, mode):
        i = at.tensor("i", "int8", (None,))
        f = ag.function([i], i + 1, mode=mode, name="f")
        assert f(np.array([5])).tolist() == [6]
        with pytest.raises(TypeMismatch, match="do not fit"):
            f(np.array([300]))
        for dtype, number in (("int8", 300), ("uint8", -1), ("int64", 2**63), ("uint64", -1)):
            n = at.tensor("n", dtype, ())
            with pytest.raises(TypeMismatch, match="do not fit"):
                ag.function([n], n + 0, mode=mode)(number)
            assert ag.function([n], n + 0, mode=mode)(7) == 7
        h = at.tensor("h", "float32", ())
        assert ag.function([h], h + 0, mode=mode)(2**24 + 1) == 2**24

    @pytest.mark.parametrize("mode", MODES)
    def test_declared_sizes(self, mode):
        x, y = at.tensor("x", shape=(3, "n")), at.tensor("y", shape=("n",))
        f = ag.function([x, y], (x + y).sum(), mode=mode)
        with pytest.raises(ShapeError, match=r"input 0 \(x.*axis 0 is 2, and should be 3"):
            f(np.ones((2, 4)), np.ones(4))
        with pytest.raises(ShapeError, match=r"input 1 \(y.*dimension 'n' is 5, and should be 4"):
            f(np.ones((3, 4)), np.ones(5))

    def test_named_sizes_do_not_broadcast(self):
        x, y = at.tensor("x", shape=("n",)), at.tensor("y", shape=("n",))
        with pytest.raises(ShapeError, match="'n'"):
            ag.function([x, y], x + y)(np.ones(3), np.ones(1))


class TestFailuresChangeNothing:
    """An error in the middle of an updating call leaves every shared variable as it was."""

    @pytest.mark.parametrize("mode", MODES)
    def test_indices(self, mode):
        a, b = ag.shared(np.arange(3.0), "a"), ag.shared(np.ones(3), "b")
        i = at.lvector("i")
        f = ag.function([i], a.sum(), updates={a: a * 2, b: b + a[i]}, mode=mode)
        with pytest.raises(IndexError):
            f([0, 1, 7])
        assert a.get_value().tolist() == [0, 1, 2]
        assert b.get_value().tolist() == [1, 1, 1]
        f([0, 1, 2])
        assert b.get_value().tolist() == [1, 2, 3]

    @pytest.mark.parametrize("mode", MODES)
    def test_singular_matrices(self, mode):
        a, b = ag.shared(np.ones((2, 2)), "a"), ag.shared(np.ones(2), "b")
        f = ag.function([], updates={b: at.solve(a, b), a: a + 1}, mode=mode)
        with pytest.raises(ArithmeticError):
            f()
        assert a.get_value().tolist() == [[1, 1], [1, 1]]
        assert b.get_value().tolist() == [1, 1]

    @pytest.mark.parametrize("mode", MODES)
    def test_shapes(self, mode):
        a, b = ag.shared(np.ones(3), "a", shape=(None,)), ag.shared(np.ones(3), "b")
        x, y = at.vector("x"), at.vector("y")
        f = ag.function([x, y], updates={a: x, b: b * 2 + (x * y).sum()}, mode=mode)
        for args in ((np.ones(3), np.ones(2)), (np.ones(4), np.ones(4))):
            with pytest.raises(ShapeError):
                f(*args)
            assert a.get_value().tolist() == b.get_value().tolist() == [1, 1, 1]

    def test_large_ones(self):
        """Where calls let go of the interpreter and updates write in place."""
        a, i = ag.shared(np.ones(200_000), "a"), at.lvector("i")
        f = ag.function([i], (a * 3).sum(), updates={a: (a + 1) * 2 + a[i]})
        wrong = np.zeros(200_000, int)
        wrong[-1] = 200_000
        with pytest.raises(IndexOutOfRange):
            f(wrong)
        assert (a.get_value() == 1).all()


def test_no_usable_compiler():
    x = at.vector("x")
    with (
        config.change(compiler="/nowhere/gcc"),
        pytest.raises(CompileError, match="'/nowhere/gcc' cannot be run; name another"),
    ):
        ag.function([x], x + 1)


def test_a_compiler_that_fails(tmp_path):
    script = tmp_path / "gcc"
    script.write_text('#!/bin/sh\necho "something is wrong" >&2\nexit 3\n')
    script.chmod(0o755)
    x = at.vector("x")
    with (
        config.change(compiler=str(script)),
        pytest.raises(CompileError, match="(?s)status 3.*something is wrong.*the source is"),
    ):
        ag.function([x], x * 1.23456)


class TestVerifier:
    """What the compiler says of itself when it is wrong."""

    def test_leaves_of_loops(self):
        node = make(INDEX, (), (("level", 0),), Type("int64"))
        with pytest.raises(VerificationError, match="belongs into loops"):
            verify(ag.Graph([], [node]))

    def test_types(self):
        x = at.vector("x").node
        with pytest.raises(VerificationError, match="output 0 is float64.*should be float32"):
            verify(ag.Graph([x], [x]), (Type("float32", (3,)),))

    def test_nodes_are_interned(self):
        stranger = Node()
        one = make(CONST, (), (("bits", np.float64(1).tobytes()),), Type("float64"))
        stranger.op, stranger.args, stranger.attrs, stranger.type = OPS["neg"], (one,), (), Type("float64")
        with pytest.raises(VerificationError, match="not the interned node"):
            verify(ag.Graph([], [stranger]))


def test_traces_are_short():
    """An error at a call shows the user's line and little of ours."""
    program = "import agnesi as ag, agnesi.tensor as at\nx = at.vector('x')\nf = ag.function([x], x[3])\nf([1.0])\n"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert re.search(r"agnesi.errors.IndexOutOfRange: .*: index 3 is out of range for an axis of size 1", done.stderr)
    assert done.stderr.count("\n  File") <= 3
