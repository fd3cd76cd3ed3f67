"""The table of operations: values, types, derivatives and documentation of every row, naming none."""

from __future__ import annotations

import inspect
import itertools

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
from helpers import COMMON, GENERAL, Case, assert_same, compile_cases, layouts

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
        limits = np.finfo(dtype)
        sizes = [0, limits.smallest_subnormal, limits.tiny, limits.eps, 0.5, 1, 1.5, 2, 3, 20, 1e6, limits.max, np.inf]
        return np.array([*sizes, *(-np.array(sizes)), np.nan], dtype)
    limits = np.iinfo(dtype)
    inner = [0, 1, 2, 3, 7, 100] + ([-1, -2, -7] if limits.min < 0 else [])
    return np.array([*inner, limits.min, limits.max, limits.min + 1, limits.max - 1], dtype)


def defined(op, arrays):
    """The combinations of these values that NumPy and the op have a result for, as flat arrays."""
    grid = [np.ascontiguousarray(a).ravel() for a in np.meshgrid(*arrays, indexing="ij")]
    operands = signature(op, tuple(a.dtype.name for a in arrays))[0]
    if not has_value(op, operands, grid):
        keep = [has_value(op, operands, values) for values in zip(*grid, strict=True)]
        grid = [g[keep] for g in grid]
    return grid


def has_value(op, operands, values):
    try:
        with np.errstate(all="ignore"):
            op.evaluate(*[np.asarray(v).astype(d) for v, d in zip(values, operands, strict=True)], shape=())
    except ValueError:
        return False
    return True


def draw(op, rng, shape, dtype):
    """Samples in a dtype; not negative where that has no negative numbers."""
    values = op.sample(rng, shape)
    return (np.abs(values) if dtype in dt.UNSIGNED else values).astype(dtype)


def compare(case, op, arrays, variant=COMMON, wanted=None):
    """Values within some units, or within the absolute error that the op may have where terms cancel."""
    wanted = evaluate(case.graph, arrays)[0] if wanted is None else wanted
    found = case.run(arrays, variant)[0]
    if op.absolute and found.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            near = np.abs(found - wanted) <= op.absolute * np.finfo(found.dtype).eps
        found = np.where(near, wanted, found)
    assert_same(found, wanted, UNITS, (op.name, variant))


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
    for dtypes in itertools.product(dt.DTYPES, repeat=op.arity):
        if not accepts(op, dtypes) or (op.arity == 3 and dtypes[0] != "bool"):
            continue
        node = graph_of(op, dtypes, 1).outputs[0]
        operands = signature(op, dtypes)[0]
        converted = any(map(dt.is_float, operands)) and not any(map(dt.is_float, dtypes))
        with np.errstate(all="ignore"):
            wanted = op.evaluate(*[np.ones(1, d) for d in (operands if converted else dtypes)], shape=(1,)).dtype.name
        assert node.dtype == wanted, (op.name, dtypes)
        found += 1
    assert found


DIFFERENTIABLE = [
    op
    for op in ELEMENTWISE
    if accepts(op, ("float64",) * op.arity) and signature(op, ("float64",) * op.arity)[1] == "float64"
]


def smooth(op, points):
    """The op as a function of the arguments it has derivatives by, and their values; the others are held."""
    args = [input_node("", Type("float64", np.shape(p))) for p in points]
    free = [partial is not None for partial in (op.d(*args, op(*args)) if op.d else args)]

    def function(*inputs):
        given = iter(inputs)
        return op(*[next(given) if f else Variable(as_node(p)) for f, p in zip(free, points, strict=True)])

    return function, [p for f, p in zip(free, points, strict=True) if f]


@pytest.mark.parametrize("op", DIFFERENTIABLE, ids=repr)
class TestDerivatives:
    def points(self, op, rng):
        return [op.sample(rng, (3, 4)) for _ in range(op.arity)]

    def test_first(self, op, rng):
        ag.verify_grad(*smooth(op, self.points(op, rng)))

    def test_broadcast(self, op, rng):
        ag.verify_grad(*smooth(op, [op.sample(rng, s) for s in ((3, 4), (4,), ())[: op.arity]]))

    def test_second(self, op, rng):
        function, points = smooth(op, self.points(op, rng))

        def gradient(*inputs):
            weighted = (function(*inputs) * np.linspace(0.5, 2, 12).reshape(3, 4)).sum()
            found = ag.grad(weighted, list(inputs), disconnected_inputs="ignore")
            return at.concatenate([g.flatten() for g in found])

        ag.verify_grad(gradient, points, rtol=1e-4, atol=1e-6)


# -- reductions ---------------------------------------------------------------------------------------------


def stays(op, dtype):
    """Whether a reduction is made for a dtype: NumPy's result has it too."""
    return np.asarray(op.evaluate(np.ones(2, dtype), shape=(), axes=(0,))).dtype == dtype


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
    if not dt.is_float(dtype):
        return rng.integers(0, 100, size=shape).astype(dtype)
    return np.exp(rng.normal(size=shape) / 10).astype(dtype)


def assert_reduced(found, x, op, axes, what):
    """Floats are held to the value in double precision."""
    exact = x.dtype.kind != "f"
    wanted = np.asarray(op.evaluate(x if exact else x.astype("f8"), shape=(), axes=axes))
    assert (found.dtype, found.shape) == (x.dtype, wanted.shape), what
    tolerance = 0.0 if exact else (40 + np.sqrt(x.size)) * np.finfo(x.dtype).eps
    np.testing.assert_allclose(found, wanted, rtol=tolerance, atol=0, err_msg=str(what))


@pytest.mark.parametrize("row", REDUCED, ids=lambda r: f"{r[0].name}-{r[1]}-{''.join(map(str, r[3]))}of{r[2]}")
def test_reductions(row, reductions, rng):
    op, dtype, ndim, axes = row
    case = reductions[op.name, dtype, ndim, axes]
    for shape in SHAPES[ndim]:
        x = near_one(rng, dtype, shape)
        for variant, layout in ((COMMON, x), (GENERAL, x), *((GENERAL, y) for y in layouts(x))):
            assert_reduced(case.run([layout], variant)[0], x, op, axes, (op.name, dtype, shape, axes, variant))
    if dt.is_float(dtype):
        for value in (np.nan, np.inf, -np.inf, -0.0):
            x = near_one(rng, dtype, SHAPES[ndim][0])
            x.flat[2] = value
            assert_reduced(case.run([x])[0], x, op, axes, (op.name, dtype, value))


@pytest.mark.parametrize("op", REDUCTIONS, ids=repr)
def test_public_reductions(op):
    """Axes in every way they can be written, keepdims, and NumPy's dtype."""
    public, reference = getattr(at, op.name), getattr(np, op.name)
    for dtype in dt.DTYPES:
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
        tolerance = 1e-4 if any(w.dtype == "float32" for w in wanted) else 1e-12
        for variant, given in (
            (COMMON, arrays),
            (GENERAL, arrays),
            *((COMMON, g) for g in zip(*map(layouts, arrays), strict=True)),
        ):
            for a, b in zip(case.run(given, variant), wanted, strict=True):
                assert (a.dtype, a.shape) == (b.dtype, b.shape)
                np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(variant))


@pytest.mark.parametrize(
    "index", [k for k, e in enumerate(EXPRESSIONS) if e.smooth and all(a.size for a in e.arrays)], ids=named
)
def test_derivatives_of_expressions(index):
    """Of all that has a floating result, by all inputs of floating dtype."""
    expression = EXPRESSIONS[index]
    places = [k for k, a in enumerate(expression.arrays) if a.dtype.kind == "f"]

    def function(*inputs):
        given = [Variable(as_node(a)) for a in expression.arrays]
        for k, x in zip(places, inputs, strict=True):
            given[k] = x
        made = expression.make(*given)
        made = list(made) if isinstance(made, (list, tuple)) else [made]
        return at.concatenate([m.flatten() for m in made if dt.is_float(m.dtype)])

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
