"""The table of operations: values, types, derivatives and documentation of every row, naming none."""

from __future__ import annotations

import inspect
import itertools

import ml_dtypes
import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import TypeMismatch
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.ir.node import input_node, signature
from agnesi.ir.op import OPS
from agnesi.ir.type import Type
from agnesi.ir.variable import Variable, as_node
from agnesi.reference import evaluate
from expressions import EXPRESSIONS, NAMED
from helpers import COMMON, GENERAL, Case, assert_same, compile_cases, in_units_of_size, layouts

UNITS = 8  # of NumPy's elementary functions and ours together
ELEMENTWISE = [op for op in OPS.values() if op.kind == "elementwise" and op.name not in NAMED]
REDUCTIONS = [op for op in OPS.values() if op.kind == "reduce"]


def test_every_op_is_tested():
    covered = {op.name for op in ELEMENTWISE + REDUCTIONS} | NAMED
    assert {OPS[name].kind for name in set(OPS) - covered} == {"leaf"}  # what stands in loops only


# -- elementwise --------------------------------------------------------------------------------------------


def accepts(op, dtypes):
    """Whether an elementwise op takes these dtypes."""
    try:
        signature(op, dtypes)
    except TypeMismatch:
        return False
    return True


def dtypes_of(op, dtype):
    """Operands in one dtype, but conditions stay conditions."""
    wanted = signature(op, (dtype,) * op.arity)[0]
    return tuple("bool" if w == "bool" != dtype and op.arity == 3 else dtype for w in wanted)


ROWS = [(op, dtypes_of(op, dtype)) for op in ELEMENTWISE for dtype in dt.DTYPES if accepts(op, (dtype,) * op.arity)]


def identify(row):
    return f"{row[0].name}-{row[1][-1]}"


def graph_of(op, dtypes, ndim=2):
    inputs = [at.tensor(f"x{k}", d, (None,) * ndim).node for k, d in enumerate(dtypes)]
    return Graph(inputs, [op(*inputs)])


@pytest.fixture(scope="module")
def elementwise(tmp_path_factory):
    cases = {(op.name, dtypes): Case(graph_of(op, dtypes)) for op, dtypes in ROWS}
    compile_cases(list(cases.values()), tmp_path_factory.mktemp("elementwise"))
    return cases


def special(dtype):
    """Values at the edges of a dtype."""
    if dtype == "bool":
        return np.array([False, True])
    if dt.is_float(dtype):
        limits = (ml_dtypes.finfo if dtype == "bfloat16" else np.finfo)(dtype)
        sizes = [0, limits.smallest_subnormal, limits.tiny, limits.eps, 0.5, 1, 1.5, 2, 3, 20, 1e6, limits.max, np.inf]
        with np.errstate(over="ignore"):
            return np.array([*sizes, *(-np.array(sizes, "f8")), np.nan], "f8").astype(dtype)
    if dt.is_complex(dtype):
        parts = special(dt.to_real(dtype))
        return np.array([complex(a, b) for a in parts for b in parts], dtype)
    limits = np.iinfo(dtype)
    inner = [0, 1, 2, 3, 7, 100] + ([-1, -2, -7] if limits.min < 0 else [])
    return np.array([*inner, limits.min, limits.max, limits.min + 1, limits.max - 1], dtype)


def defined(op, arrays):
    """The combinations of these values that NumPy and the op have a result for, as flat arrays."""
    if dt.is_complex(arrays[-1].dtype.name) and op.arity == 2 and op.cost >= 20:
        arrays = [a[moderate(a)] for a in arrays]
    grid = [np.ascontiguousarray(a).ravel() for a in np.meshgrid(*arrays, indexing="ij")]
    operands = signature(op, tuple(a.dtype.name for a in arrays))[0]
    if not has_value(op, operands, grid):
        keep = [has_value(op, operands, values) for values in zip(*grid, strict=True)]
        grid = [g[keep] for g in grid]
    return grid


def moderate(a):
    """Complex numbers whose powers are compared: the error of exp(b * log(a)) grows with the exponent.

    C99's Annex G fixes nothing of powers at infinities.
    """
    sizes = np.abs(np.array([a.real, a.imag], "f8"))
    return np.all((sizes == 0) | ((sizes > 1e-3) & (sizes <= 3)), axis=0)


def has_value(op, operands, values):
    try:
        with np.errstate(all="ignore"):
            op.evaluate(*[dt.widened(np.asarray(v).astype(d)) for v, d in zip(values, operands, strict=True)], shape=())
    except ValueError:
        return False
    return True


def draw(op, rng, shape, dtype):
    """Samples in a dtype; not negative where that has no negative numbers."""
    if dt.is_complex(dtype):
        return (rng.normal(size=shape) * 2 + 2j * rng.normal(size=shape)).astype(dtype)
    values = op.sample(rng, shape)
    return (np.abs(values) if dtype in dt.UNSIGNED else values).astype(dtype)


def compare(case, op, arrays, variant=COMMON, wanted=None):
    """Values within some units, or within the absolute error that the op may have where terms cancel.

    Of complex numbers the error of a part counts against the larger part.
    """
    wanted = evaluate(case.graph, arrays)[0] if wanted is None else wanted
    found = case.run(arrays, variant)[0]
    if op.absolute and found.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            near = np.abs(found - wanted) <= op.absolute * np.finfo(found.dtype).eps
        found = np.where(near, wanted, found)
    assert_same(found, wanted, 4 * UNITS if found.dtype.kind == "c" else UNITS, (op.name, variant))


@pytest.mark.parametrize("row", ROWS, ids=identify)
class TestElementwise:
    def test_samples(self, row, elementwise, rng):
        op, dtypes = row
        for shape in ((3, 50), (1, 1), (0, 4), (3, 0), (1, 131)):
            arrays = [draw(op, rng, shape, d) for d in dtypes]
            for variant in (COMMON, GENERAL):
                compare(elementwise[op.name, dtypes], op, arrays, variant)

    def test_special_values(self, row, elementwise):
        op, dtypes = row
        arrays = defined(op, [special(d) for d in dtypes])
        for shape in ((1, -1), (-1, 1)):
            compare(elementwise[op.name, dtypes], op, [a.reshape(shape) for a in arrays])

    def test_strided_and_broadcast_inputs(self, row, elementwise, rng):
        op, dtypes = row
        case = elementwise[op.name, dtypes]
        plain = [draw(op, rng, (3, 5), d) for d in dtypes]
        wanted = evaluate(case.graph, plain)[0]
        for arrays in zip(*(layouts(a) for a in plain), strict=True):
            compare(case, op, arrays, wanted=wanted)
        for shapes in itertools.product([(3, 5), (1, 5), (3, 1), (1, 1)], repeat=op.arity):
            compare(case, op, [draw(op, rng, s, d) for s, d in zip(shapes, dtypes, strict=True)])


@pytest.mark.parametrize("op", ELEMENTWISE, ids=repr)
def test_dtypes_are_numpys(op):
    """As NumPy, but integers become float64 where NumPy would take float16 or float32."""
    found = 0
    for dtypes in itertools.product([d for d in dt.DTYPES if d != "bfloat16"], repeat=op.arity):
        if (op.arity >= 3 and dtypes[0] not in ("bool", "uint64")) or not accepts(op, dtypes):
            continue
        node = graph_of(op, dtypes, 1).outputs[0]
        operands = signature(op, dtypes)[0]
        converted = any(map(dt.is_inexact, operands)) and not any(map(dt.is_inexact, dtypes))
        with np.errstate(all="ignore"):
            wanted = op.evaluate(*[np.ones(1, d) for d in (operands if converted else dtypes)], shape=(1,)).dtype.name
        assert node.dtype == wanted, (op.name, dtypes)
        found += 1
    assert found


DIFFERENTIABLE = [
    (op, (dtype,) * op.arity)
    for op in ELEMENTWISE
    for dtype in ("float64", "complex128")
    if accepts(op, (dtype,) * op.arity) and dt.is_inexact(signature(op, (dtype,) * op.arity)[1])
]


def smooth(op, points):
    """The op as a function of the arguments it has derivatives by, and their values; the others are held."""
    args = [input_node("", Type(p.dtype.name, np.shape(p))) for p in points]
    free = [partial is not None for partial in (op.d(*args, op(*args)) if op.d else args)]

    def function(*inputs):
        given = iter(inputs)
        return op(*[next(given) if f else Variable(as_node(p)) for f, p in zip(free, points, strict=True)])

    return function, [p for f, p in zip(free, points, strict=True) if f]


@pytest.mark.parametrize("row", DIFFERENTIABLE, ids=identify)
class TestDerivatives:
    def points(self, row, rng, *shapes):
        op, dtypes = row
        return [np.asarray(draw(op, rng, s, d)) for s, d in zip(shapes or [(3, 4)] * op.arity, dtypes, strict=False)]

    def test_first(self, row, rng):
        ag.verify_grad(*smooth(row[0], self.points(row, rng)))

    def test_broadcast(self, row, rng):
        ag.verify_grad(*smooth(row[0], self.points(row, rng, (3, 4), (4,), ())))

    def test_second(self, row, rng):
        function, points = smooth(row[0], self.points(row, rng))

        def gradient(*inputs):
            weighted = (function(*inputs) * np.linspace(0.5, 2, 12).reshape(3, 4)).sum().real
            found = ag.grad(weighted, list(inputs), disconnected_inputs="ignore")
            return at.concatenate([g.flatten() for g in found])

        ag.verify_grad(gradient, points, rtol=1e-4, atol=1e-6)


# -- reductions ---------------------------------------------------------------------------------------------


def stays(op, dtype):
    """Whether a reduction is made for a dtype: NumPy's result has it too."""
    if dt.is_complex(dtype) and op.combine not in ("add", "mul"):
        return False
    return np.asarray(op.evaluate(np.ones(2, dt.wide(dtype)), shape=(), axes=(0,))).dtype == dt.wide(dtype)


def subsets(ndim):
    return [s for k in range(1, ndim + 1) for s in itertools.combinations(range(ndim), k)]


REDUCED = [
    (op, dtype, ndim, axes)
    for op in REDUCTIONS
    for dtype in dt.DTYPES
    if stays(op, dtype)
    for ndim in (1, 2, 3)
    if ndim < 3 or dtype in ("float64", "bool")
    for axes in subsets(ndim)
]
SHAPES = {1: [(5,), (1,), (0,), (20000,)], 2: [(4, 70), (1, 5), (3, 0), (0, 3), (1, 1), (9000, 2), (2, 9000)],
          3: [(2, 3, 40), (1, 1, 3), (2, 0, 3), (0, 1, 2)]}  # fmt: skip


@pytest.fixture(scope="module")
def reductions(tmp_path_factory):
    cases = {}
    for op, dtype, ndim, axes in REDUCED:
        x = input_node("x", at.tensor("x", dtype, (None,) * ndim).type)
        cases[op.name, dtype, ndim, axes] = Case(Graph([x], [op(x, axes=axes)]))
    compile_cases(list(cases.values()), tmp_path_factory.mktemp("reductions"))
    return cases


def near_one(rng, dtype, shape):
    """Values whose products and sums stay small."""
    if not dt.is_inexact(dtype):
        return rng.integers(0, 100, size=shape).astype(dtype)
    if dt.is_complex(dtype):
        return np.exp((rng.normal(size=shape) + 1j * rng.normal(size=shape)) / 10).astype(dtype)
    return np.exp(rng.normal(size=shape) / 10).astype(dtype)


def assert_reduced(found, x, op, axes, what):
    """Floats are held to the value in double precision."""
    exact = not dt.is_inexact(x.dtype.name)
    wide = x if exact else x.astype("c16" if x.dtype.kind == "c" else "f8")
    with np.errstate(invalid="ignore"):
        wanted = np.asarray(op.evaluate(wide, shape=(), axes=axes))
    assert (found.dtype, found.shape) == (x.dtype, wanted.shape), what
    if x.dtype.kind == "c":  # products of infinite numbers depend on their order
        near = in_units_of_size(found, wanted.astype(x.dtype)) <= 40 + 2 * np.sqrt(x.size)
        assert np.all(near | ~(np.isfinite(found) | np.isfinite(wanted))), what
        return
    tolerance = 0.0 if exact else (40 + np.sqrt(x.size)) * np.finfo(dt.wide(x.dtype.name)).eps
    smallest = 0.0
    if x.dtype.name in dt.HALVES:  # added up in single precision, and rounded once
        with np.errstate(over="ignore"):
            found, wanted = found.astype("f8"), wanted.astype(x.dtype).astype("f8")
        tolerance, smallest = (2.0**-10 if x.dtype == np.float16 else 2.0**-7), 2.0**-24
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=smallest, err_msg=str(what))


@pytest.mark.parametrize("row", REDUCED, ids=lambda r: f"{r[0].name}-{r[1]}-{''.join(map(str, r[3]))}of{r[2]}")
def test_reductions(row, reductions, rng):
    op, dtype, ndim, axes = row
    case = reductions[op.name, dtype, ndim, axes]
    for shape in SHAPES[ndim]:
        x = near_one(rng, dtype, shape)
        for variant, layout in ((COMMON, x), (GENERAL, x), *((GENERAL, y) for y in layouts(x))):
            assert_reduced(case.run([layout], variant)[0], x, op, axes, (op.name, dtype, shape, axes, variant))
    if dt.is_inexact(dtype):
        for value in (np.nan, np.inf, -np.inf, -0.0):
            x = near_one(rng, dtype, SHAPES[ndim][0])
            x.flat[2] = value
            assert_reduced(case.run([x])[0], x, op, axes, (op.name, dtype, value))


@pytest.mark.parametrize("op", REDUCTIONS, ids=repr)
def test_public_reductions(op):
    """Axes in every way they can be written, keepdims, and NumPy's dtype."""
    public, reference = getattr(at, op.name), getattr(np, op.name)
    for dtype in dt.DTYPES:
        if dt.is_complex(dtype) and op.combine in ("maximum", "minimum"):
            continue
        x = (np.arange(6).reshape(2, 3) % 4).astype(dtype)
        for axis in (None, 0, -1, (0, 1), (1,)):
            for keepdims in (False, True):
                node = as_node(public(x, axis=axis, keepdims=keepdims))
                wanted = np.asarray(reference(x, axis=axis, keepdims=keepdims))
                assert_same(evaluate(Graph([], [node]), [])[0], wanted, 1, (op.name, dtype, axis, keepdims))


@pytest.mark.parametrize("op", [op for op in REDUCTIONS if op.vjp], ids=repr)
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 1, 3)], ids=str)
def test_derivatives_of_reductions(op, shape, rng):
    for axes in subsets(len(shape)):
        one_zero = op.sample(rng, shape) + 7
        one_zero.flat[1] = 0
        for x in (op.sample(rng, shape), one_zero):
            ag.verify_grad(lambda x: Variable(op(x.node, axes=axes)), [x])  # noqa: B023

        def gradient(x):
            y = Variable(op(x.node, axes=axes))  # noqa: B023
            return ag.grad((y * y).sum(), x)

        ag.verify_grad(gradient, [op.sample(rng, shape)], rtol=1e-4, atol=1e-6)


def test_derivatives_of_products_with_zeros():
    for zeros in ([0], [0, 2], [0, 1, 2, 3]):
        x = np.array([2.0, -3.0, 0.5, 1.5])
        x[zeros] = 0
        ag.verify_grad(lambda x: at.prod(x), [x])
        ag.verify_grad(lambda x: at.prod(x.reshape((2, 2)), axis=0), [x])


def test_equal_elements_share_the_derivative():
    x = at.vector("x")
    for extreme in (at.max, at.min):
        np.testing.assert_array_equal(ag.grad(extreme(x), x).eval({x: np.full(4, 2.0)}), np.full(4, 0.25))


# -- expressions --------------------------------------------------------------------------------------------


def results(expression):
    inputs = expression.variables()
    made = expression.make(*inputs)
    return inputs, list(made) if isinstance(made, (list, tuple)) else [made]


@pytest.fixture(scope="module")
def expressions(tmp_path_factory):
    cases = [case_of(expression) for expression in EXPRESSIONS]
    compile_cases([c for c in cases if isinstance(c, Case)], tmp_path_factory.mktemp("expressions"))
    return cases


TOLERANCE = {"bfloat16": 0.03, "float16": 0.004, "float32": 1e-4, "complex64": 1e-4}


def case_of(expression):
    """The expression ready to be compiled, or the error that it raises: only its own test is to fail then."""
    try:
        inputs, outputs = results(expression)
        case = Case(Graph([v.node for v in inputs], [o.node for o in outputs]))
        case.compiled(COMMON), case.compiled(GENERAL)
        return case
    except Exception as error:
        return error


def named(index):
    return f"{EXPRESSIONS[index].op}-{EXPRESSIONS[index].label}".replace(" ", "_")


@pytest.mark.parametrize("index", range(len(EXPRESSIONS)), ids=named)
class TestExpressions:
    def test_the_op_is_in_it(self, index, expressions):
        case, name = expressions[index], EXPRESSIONS[index].op
        if isinstance(case, Exception):
            raise case
        assert name in {
            n.op.name for g in (case.graph, case.compiled(COMMON).graph, case.compiled(GENERAL).graph) for n in g.order
        }

    def test_values(self, index, expressions):
        case, arrays = expressions[index], EXPRESSIONS[index].arrays
        if isinstance(case, Exception):
            raise case
        wanted = evaluate(case.graph, arrays)
        tolerance = max(TOLERANCE.get(w.dtype.name, 1e-12) for w in wanted)
        for variant, given in (
            (COMMON, arrays),
            (GENERAL, arrays),
            *((COMMON, g) for g in zip(*map(layouts, arrays), strict=True)),
        ):
            for a, b in zip(case.run(given, variant), wanted, strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                a, b = dt.widened(a), dt.widened(b)
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(variant))


@pytest.mark.parametrize(
    "index", [k for k, e in enumerate(EXPRESSIONS) if e.smooth and all(a.size for a in e.arrays)], ids=named
)
def test_derivatives_of_expressions(index):
    """Of all that has a floating result, by all inputs of floating dtype."""
    expression = EXPRESSIONS[index]
    places = [k for k, a in enumerate(expression.arrays) if a.dtype.kind in "fc"]

    def function(*inputs):
        given = [Variable(as_node(a)) for a in expression.arrays]
        for k, x in zip(places, inputs, strict=True):
            given[k] = x
        made = expression.make(*given)
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        return at.concatenate([m.flatten() for m in made if dt.is_inexact(m.dtype)])

    ag.verify_grad(function, [expression.arrays[k] for k in places], rtol=1e-4, atol=1e-5)


# -- documentation ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", OPS.values(), ids=repr)
def test_ops_are_documented(op):
    assert op.doc.endswith(".")
    assert op.doc[0].isupper() or not op.doc[0].isalpha() or " " in op.doc


def public_names():
    for module in (ag, at, at.nnet, ag.config):
        for name, value in vars(module).items():
            if not name.startswith("_") and callable(value) and getattr(value, "__module__", "").startswith("agnesi"):
                yield f"{module.__name__}.{name}", value


@pytest.mark.parametrize(("name", "value"), list(public_names()))
def test_public_names_are_documented(name, value):
    text = inspect.getdoc(value)
    assert text, f"{name} has no docstring"
    assert text.splitlines()[0].rstrip().endswith((".", ")", ":")), f"{name}: {text.splitlines()[0]}"


def test_types_of_results(elementwise):
    """What is inferred is what comes out."""
    for (_, dtypes), case in elementwise.items():
        out = case.graph.outputs[0]
        assert isinstance(out.type, Type)
        assert case.run([np.ones((2, 2), d) for d in dtypes])[0].dtype == out.dtype
