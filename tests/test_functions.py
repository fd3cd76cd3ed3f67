"""The functions of arrays against NumPy's: values, layouts, both variants, derivatives, NumPy's own on variables."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir import dtype as dt
from agnesi.ir.graph import Graph
from agnesi.ir.variable import Variable, as_node
from functions import FUNCTIONS
from helpers import COMMON, GENERAL, Case, compile_cases, layouts


def variables(function):
    shapes = function.shapes or [(None,) * a.ndim for a in function.arrays]
    return [at.tensor(f"x{k}", a.dtype.name, s) for k, (a, s) in enumerate(zip(function.arrays, shapes, strict=True))]


def results(function, module, inputs):
    made = function.make(module, *inputs)
    return list(made) if isinstance(made, (list, tuple)) else [made]


def expected(function):
    with warnings.catch_warnings():  # of slices that are all NaN
        warnings.simplefilter("ignore", RuntimeWarning)
        return [np.asarray(r) for r in results(function, np, function.arrays)]


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    found = [case_of(function) for function in FUNCTIONS]
    compile_cases([c for c in found if isinstance(c, Case)], tmp_path_factory.mktemp("functions"))
    return found


def case_of(function):
    """The expression ready to be compiled, or the error that it raises: only its own test is to fail then."""
    try:
        inputs = variables(function)
        outputs = [as_node(r) for r in results(function, at, inputs)]
        case = Case(Graph([v.node for v in inputs], outputs))
        case.compiled(COMMON), case.compiled(GENERAL)
        return case
    except Exception as error:
        return error


def label(index):
    return FUNCTIONS[index].name.replace(" ", "_")


@pytest.mark.parametrize("index", range(len(FUNCTIONS)), ids=label)
def test_values(index, cases):
    case, arrays = cases[index], FUNCTIONS[index].arrays
    if isinstance(case, Exception):
        raise case
    wanted = expected(FUNCTIONS[index])
    tolerance = 1e-5 if any(w.dtype == "float32" for w in wanted) else 1e-12
    for variant, given in (
        (COMMON, arrays),
        (GENERAL, arrays),
        *((COMMON, g) for g in zip(*map(layouts, arrays), strict=True)),
    ):
        for a, b in zip(case.run(given, variant), wanted, strict=True):
            assert (a.dtype, a.shape) == (b.dtype, b.shape)
            np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance, err_msg=str(variant))


@pytest.mark.parametrize("index", [k for k, f in enumerate(FUNCTIONS) if f.numpys], ids=label)
def test_numpys_own_function(index):
    """NumPy's function, called on variables, builds the same expression."""
    function = FUNCTIONS[index]
    inputs = variables(function)
    nodes = [v.node for v in inputs]
    theirs, ours = (Graph(nodes, [as_node(r) for r in results(function, m, inputs)]) for m in (np, at))
    assert theirs.rows() == ours.rows()
    for a, b in zip(theirs.arrays, ours.arrays, strict=True):
        np.testing.assert_array_equal(a["value"].array, b["value"].array)


@pytest.mark.parametrize(
    "index", [k for k, f in enumerate(FUNCTIONS) if f.smooth and all(a.size for a in f.arrays)], ids=label
)
def test_derivatives(index):
    """Of all that has a floating result, by all inputs of floating dtype."""
    function = FUNCTIONS[index]
    places = [k for k, a in enumerate(function.arrays) if a.dtype.kind == "f"]

    def floats(*inputs):
        given = [Variable(as_node(a)) for a in function.arrays]
        for k, x in zip(places, inputs, strict=True):
            given[k] = x
        made = [Variable(as_node(r)) for r in results(function, at, given)]
        return at.concatenate([m.flatten() for m in made if dt.is_float(m.dtype)])

    if places:
        ag.verify_grad(floats, [function.arrays[k] for k in places], rtol=1e-4, atol=1e-5)


# -- what NumPy does not have -------------------------------------------------------------------------------


def value(variable, given=None):
    return variable.eval(given or {})


def test_dimshuffle():
    x = at.tensor3("x")
    data = np.arange(6.0).reshape(2, 1, 3)
    np.testing.assert_array_equal(x.dimshuffle(2, "x", 0).eval({x: data}), data[:, 0].T[:, None])
    np.testing.assert_array_equal(x.dimshuffle([0, 1, 2, "x"]).eval({x: data}), data[..., None])
    ag.verify_grad(lambda x: x.dimshuffle(2, "x", 0) * 2, [data])
    with pytest.raises(ag.errors.ShapeError, match="sizes 2 and 1 should be equal"):
        x.dimshuffle(2, 1).eval({x: data})


def test_padded_axes():
    x = at.matrix("x")
    data = np.ones((2, 3))
    for made, shape in (
        (at.shape_padleft(x, 2), (1, 1, 2, 3)),
        (at.shape_padright(x), (2, 3, 1)),
        (at.shape_padaxis(x, 1), (2, 1, 3)),
        (at.flatten(x, 2), (2, 3)),
    ):
        assert made.eval({x: data}).shape == shape


def test_sizes_that_are_specified():
    x = at.matrix("x")
    y = at.specify_shape(x, (None, 3))
    assert y.type.shape[1] == 3
    np.testing.assert_array_equal(y.eval({x: np.ones((2, 3))}), np.ones((2, 3)))
    with pytest.raises(ag.errors.ShapeError, match="specify_shape.*4.*3"):
        (y * 2).eval({x: np.ones((2, 4))})
    assert at.patternbroadcast(x, (True, False)).type.shape[0] == 1
    assert at.unbroadcast(x, 0).type == x.type
    rows = at.specify_shape(x, (2, None))
    assert [r.type.shape for r in rows] == [x.type.shape[1:]] * 2


def test_symbolic_splits():
    x, sizes = at.vector("x"), at.lvector("sizes")
    parts = at.split(x, sizes, n_splits=3)
    f = ag.function([x, sizes], [2 * p for p in parts])
    found = f(np.arange(6.0), [1, 0, 5])
    assert [p.tolist() for p in found] == [[0], [], [2, 4, 6, 8, 10]]
    with pytest.raises(ag.errors.ShapeError, match="specify_shape"):
        f(np.arange(6.0), [1, 0, 4])
    with pytest.raises(ag.errors.ShapeError, match="specify_shape"):
        f(np.arange(3.0), [5, -2, 0])
    a, b = at.split(x, [x.shape[0] - 2, 2], n_splits=2)
    assert value(a.sum() - b.sum(), {x: np.arange(6.0)}) == -3


def test_widths_below_zero():
    x, n = at.vector("x"), at.lscalar("n")
    for mode in ("constant", "edge"):
        assert at.pad(x, n, mode=mode).eval({x: np.ones(3), n: -1}).tolist() == [1, 1, 1]


def test_sums_in_another_dtype():
    x = at.fvector("x")
    total = at.sum(x, acc_dtype="float64")
    assert total.dtype == "float32"
    assert value(total, {x: np.array([2**24, 1, 1], "float32")}) == 2**24 + 2
    assert at.mean(at.fvector("x"), acc_dtype="float64").dtype == "float32"


def test_max_and_argmax():
    x = at.matrix("x")
    data = np.array([[1.0, 5.0], [7.0, 2.0]])
    top, place = at.max_and_argmax(x, axis=1)
    np.testing.assert_array_equal(top.eval({x: data}), [5, 7])
    np.testing.assert_array_equal(place.eval({x: data}), [1, 0])


def test_norms_at_zero():
    for norm in (at.norm, lambda x: at.norm(x, 3), at.std, lambda x: x.norm(2)):
        x = at.vector("x")
        np.testing.assert_array_equal(ag.grad(norm(x), x).eval({x: np.zeros(3)}), np.zeros(3))


def test_fills():
    x = np.ones((2, 3))
    np.testing.assert_array_equal(value(at.fill(x, 2)), np.full((2, 3), 2))
    np.testing.assert_array_equal(value(at.fill_diagonal(x, 5.0)), [[5, 1, 1], [1, 5, 1]])
    np.testing.assert_array_equal(value(at.fill_diagonal(x, 5, offset=1)), [[1, 5, 1], [1, 1, 5]])
    np.testing.assert_array_equal(value(at.identity_like(x)), np.eye(2, 3))
    np.testing.assert_array_equal(value(at.to_one_hot([1, -1], 3)), [[0, 1, 0], [0, 0, 1]])
    np.testing.assert_array_equal(value(at.stacklists([[1, at.constant(2)], [3, 4]])), [[1, 2], [3, 4]])
    assert value(at.empty((2, 3))).shape == value(at.empty_like(x)).shape == (2, 3)


def test_batched_products():
    rng = np.random.default_rng(3)
    a, b, v = rng.normal(size=(4, 2, 3)), rng.normal(size=(4, 3, 5)), rng.normal(size=(4, 3))
    np.testing.assert_allclose(value(at.batched_dot(a, b)), a @ b)
    np.testing.assert_allclose(value(at.batched_dot(a, v)), np.einsum("bij,bj->bi", a, v))
    np.testing.assert_allclose(value(at.batched_dot(v, b)), np.einsum("bj,bjk->bk", v, b))
    np.testing.assert_allclose(value(at.batched_dot(v, v)), np.einsum("bj,bj->b", v, v))
    np.testing.assert_allclose(value(at.batched_dot(v[:, 0], b)), v[:, :1, None] * b)
    np.testing.assert_allclose(value(at.batched_tensordot(a, b, ([2], [1]))), a @ b)
    np.testing.assert_allclose(value(at.batched_tensordot(a, a, 2)), np.einsum("bij,bij->b", a, a))
    np.testing.assert_allclose(value(at.matvec(a, v)), np.einsum("bij,bj->bi", a, v))
    np.testing.assert_allclose(value(at.vecmat(v[0], b)), np.einsum("j,bjk->bk", v[0], b))
    np.testing.assert_allclose(value(at.matrix_dot(a[0], b[0], b[1].T)), a[0] @ b[0] @ b[1].T)
    for function, points in ((at.batched_dot, [a, b]), (at.matvec, [a, v]), (at.vecmat, [v, b])):
        ag.verify_grad(function, points)


@pytest.mark.parametrize(
    "labels", ["bij,bjk->bik", "bij,jk->bik", "ijk,jil->kl", "bij,bik->jk", "bij,bjk->ikb", "ij,jab->aib"]
)
def test_products_in_every_meaning(labels):
    """Statements of products in loops mean the same to the verifier, the interpreter and C."""
    rng = np.random.default_rng(2)
    sizes = dict(zip("bijkla", (2, 3, 4, 5, 6, 7), strict=True))
    arrays = [rng.normal(size=[sizes[k] for k in term]) for term in labels.split("->")[0].split(",")]
    inputs = [at.tensor(f"x{k}", "float64", (None,) * a.ndim) for k, a in enumerate(arrays)]
    f = ag.function(inputs, at.einsum(labels, *inputs), mode="debug")
    for given in (arrays, [a[::-1].repeat(2, -1)[..., ::2][::-1] for a in arrays]):
        np.testing.assert_allclose(f(*given), np.einsum(labels, *given))


def test_methods():
    x = at.matrix("x")
    data = np.arange(6.0).reshape(2, 3)
    for made, wanted in (
        (x.mT, data.T), (x.size, 6), (x.ravel(), data.ravel()), (x.swapaxes(0, 1), data.T), (x.trace(), 4.0),
        (x.diagonal(), [0.0, 4.0]), (x.repeat(2), np.repeat(data, 2)), (x.take([1], 1), data[:, [1]]),
        (x.ptp(), 5.0), (x.norm(1), 15.0), (x.zeros_like(), 0 * data), (x.fill(2), np.full((2, 3), 2)),
        (x.transpose(1, 0), data.T), (x.flatten(), data.ravel()), (x.std(), data.std()),
        (x.compress([False, True], 0), data[1:]), (x.copy(), data), (np.copy(x), data),
    ):  # fmt: skip
        np.testing.assert_allclose(made.eval({x: data}), wanted)


M, V, N = at.matrix("m"), at.vector("v"), at.lscalar("n")
KNOWN = at.tensor("k", "float64", (4, 0))
ERRORS = [
    ("axis 2 does not exist: the array has 2 axes", TypeError, lambda: at.sum(M, axis=2)),
    ("axis1 5 does not exist", TypeError, lambda: M.swapaxes(5, 0)),
    ("source .0, 0. names an axis twice", TypeError, lambda: at.moveaxis(M, (0, 0), (0, 1))),
    ("as many sources as destinations", TypeError, lambda: at.moveaxis(M, (0, 1), 0)),
    ("a size must be an integer or an integer scalar, not float64", TypeError, lambda: at.zeros((2, 2.5))),
    ("has no known length, so the rank is not known", TypeError, lambda: at.zeros(at.lvector("s"))),
    ("has more axes than the shape", ValueError, lambda: at.broadcast_to(M, (3,))),
    ("axis 0 of float64.4, 0. is 4, not 3", ValueError, lambda: at.specify_shape(KNOWN, (3, None))),
    ("3 sizes for float64", TypeError, lambda: at.specify_shape(M, (None, 2, 3))),
    ("1 marks for float64", TypeError, lambda: at.patternbroadcast(M, (True,))),
    ("axis 1 of float64.0, 4. is not 1", ValueError, lambda: KNOWN.dimshuffle(1)),
    ("ndim must be between 1 and the rank", TypeError, lambda: M.flatten(3)),
    ("matrix_transpose takes an array of at least two axes", TypeError, lambda: V.mT),
    ("stack needs at least one array", TypeError, lambda: at.stack([])),
    ("hstack needs at least one array", TypeError, lambda: at.hstack([])),
    ("does not divide into 3 equal parts; see array_split", ValueError, lambda: at.split(KNOWN, 3)),
    ("for symbolic sizes give n_splits", TypeError, lambda: at.split(V, N)),
    ("the sizes add up to 5, axis 0 of .* has 4", ValueError, lambda: at.split(KNOWN, [2, 3], n_splits=2)),
    ("2 sizes for 3 parts", ValueError, lambda: at.split(V, [2, 3], n_splits=3)),
    ("repeats must be an integer or a vector of integers", TypeError, lambda: at.repeat(V, V)),
    ("specify_shape: axis 0 of float64.4, 0. is 4, not 2", ValueError, lambda: at.repeat(KNOWN, [1, 2], axis=0)),
    ("2 shifts for 1 axes", TypeError, lambda: at.roll(V, (1, 2), axis=0)),
    ("mode 'mean' is not one of constant, edge", TypeError, lambda: at.pad(V, 1, mode="mean")),
    ("pad_width has 3 pairs, and the array 2 axes", TypeError, lambda: at.pad(M, ((1, 1), (1, 1), (1, 1)))),
    (r"must be a number, a pair \(before, after\)", TypeError, lambda: at.pad(M, ((1, 2, 3), 1))),
    ("widths cannot be negative", TypeError, lambda: at.pad(V, -1)),
    ("diag takes a vector or a matrix", TypeError, lambda: at.diag(at.tensor3())),
    ("diagonal takes an array of at least two axes", TypeError, lambda: at.diagonal(V)),
    ("fill_diagonal takes an array of at least two axes", TypeError, lambda: at.fill_diagonal(V, 1)),
    ("tril takes a matrix", TypeError, lambda: at.tril(at.scalar())),
    ("identity_like takes a matrix", TypeError, lambda: at.identity_like(V)),
    ("arange takes scalars", TypeError, lambda: at.arange(V)),
    ("arange: the step cannot be 0", TypeError, lambda: at.arange(0, N, 0)),
    ('indexing is "xy" or "ij"', TypeError, lambda: at.meshgrid(V, indexing="yx")),
    ("meshgrid takes vectors", TypeError, lambda: at.meshgrid(M)),
    ("vander takes a vector", TypeError, lambda: at.vander(M)),
    ("take: indices must be integers", TypeError, lambda: at.take(V, V)),
    ('mode is "raise", "wrap" or "clip"', TypeError, lambda: at.take(V, N, mode="up")),
    ("must have the same rank", TypeError, lambda: at.take_along_axis(M, at.lvector(), 0)),
    ("how many choices .* give a list", TypeError, lambda: at.choose(N, M)),
    ("searchsorted: a must be a vector", TypeError, lambda: at.searchsorted(M, V)),
    ('side is "left" or "right"', TypeError, lambda: at.searchsorted(V, V, side="up")),
    ("xp and fp must be vectors", TypeError, lambda: at.interp(V, M, V)),
    ("bincount takes a vector", TypeError, lambda: at.bincount(at.lmatrix(), minlength=3)),
    ('the order of axes is "C" or "F"', TypeError, lambda: at.unravel_index(N, (2, 3), order="K")),
    ("max of no elements.*take `initial`", ValueError, lambda: at.max(KNOWN)),
    ("argmin of no elements", ValueError, lambda: at.argmin(KNOWN, axis=1)),
    ("nanmax of no elements", ValueError, lambda: at.nanmax(KNOWN)),
    ("with `where` there may be no elements; give `initial`", TypeError, lambda: at.max(V, where=V > 0)),
    ("others need singular values", TypeError, lambda: at.norm(M, 2)),
    ("name one axis or two", TypeError, lambda: at.norm(at.tensor3(), 1)),
    ("is for matrices", TypeError, lambda: at.norm(V, "fro")),
    ("the two axes must differ", TypeError, lambda: at.matrix_norm(M, axis=(0, 0))),
    ("give the same shape, or a vector and one axis", TypeError, lambda: at.average(M, weights=V)),
    ("cov takes vectors and matrices", TypeError, lambda: at.cov(at.tensor3())),
    ("diff: n cannot be negative", TypeError, lambda: at.diff(V, -1)),
    ("labels for 1 operands, and there are 2", TypeError, lambda: at.einsum("ij", M, M)),
    ("'!' is not a label; letters are", TypeError, lambda: at.einsum("i!", M)),
    ("'ijk' does not fit an array of 2 axes", TypeError, lambda: at.einsum("ijk", M)),
    ("may have each label of the operands once", TypeError, lambda: at.einsum("ij->ii", M)),
    ("may have each label of the operands once", TypeError, lambda: at.einsum("ij->k", M)),
    ("the first argument is the text of the labels", TypeError, lambda: at.einsum(M, M)),
    ("differ in i: 4 and 3", ValueError, lambda: at.einsum("ij,ik", KNOWN, np.ones((3, 3)))),
    ("do not have 3 axes to sum over", TypeError, lambda: at.tensordot(M, M, 3)),
    ("does not pair axes", TypeError, lambda: at.tensordot(M, M, ([0], [0, 1]))),
    ("matvec takes an array of at least 2 axes", TypeError, lambda: at.matvec(V, M)),
    ("batched_dot takes an array of at least 1 axes", TypeError, lambda: at.batched_dot(M, at.scalar())),
    ("matmul takes arrays of at least one axis", TypeError, lambda: at.matmul(M, 2.0)),
    ("an integer known now", TypeError, lambda: at.matrix_power(M, N)),
    ("multi_dot takes two or more matrices", TypeError, lambda: at.linalg.multi_dot([M, V, M])),
    ("matrix_dot needs at least one matrix", TypeError, lambda: at.matrix_dot()),
    ("takes names or one number, not 2.5", TypeError, lambda: at.vectors(2.5)),
]


@pytest.mark.parametrize(("message", "kind", "action"), ERRORS, ids=[e[0] for e in ERRORS])
def test_errors(message, kind, action):
    with pytest.raises(kind, match=message) as found:
        action()
    assert isinstance(found.value, ag.errors.AgnesiError)


def test_lookups_out_of_range():
    x, i = at.vector("x"), at.lvector("i")
    for made, data, place in (
        (at.take(x, i), [1.0], [1]),
        (at.take(x, i, mode="clip"), [], [0]),
        (at.take(x, i, mode="wrap"), [], [0]),
        (at.pad(x, i.shape[0], mode="reflect"), [], [0]),
        (at.bincount(i, minlength=2) + x, [1.0], [-1]),
        (at.to_one_hot(i, 2) + x, [1.0], [2]),
        (at.choose(i, [x, x * 2]), [1.0], [2]),
        (at.repeat(x, i), [1.0, 2.0], [2, -1]),
    ):
        with pytest.raises(ag.errors.IndexOutOfRange, match="is out of range for an axis of size"):
            made.eval({x: np.array(data), i: np.array(place)})


def test_results_of_no_elements():
    """Where the result has none either, nothing is wrong."""
    assert value(at.max(np.zeros((0, 0)), axis=0)).shape == (0,)


def test_constructors():
    for name, shape in (("scalar", ()), ("row", (1, None)), ("col", (None, 1)), ("tensor5", (None,) * 5)):
        for prefix, dtype in {
            "": "float64",
            "b": "int8",
            "w": "int16",
            "i": "int32",
            "l": "int64",
            "f": "float32",
        }.items():
            x = getattr(at, prefix + name)("x")
            assert (x.dtype, x.ndim, x.name) == (dtype, len(shape), "x")
            assert [d if isinstance(d, int) else None for d in x.type.shape] == list(shape)
    x, y = at.dmatrices("x", "y")
    assert (x.name, y.name, y.dtype, y.ndim) == ("x", "y", "float64", 2)
    assert [v.ndim for v in at.vectors(3)] == [1, 1, 1]
    assert at.matrix("x", dtype="int8").dtype == "int8"
    assert at.tensor7s("a")[0].ndim == 7
    assert repr(at.fmatrix) == "fmatrix"
    assert repr(at.fmatrices) == "fmatrices"


def test_tensor_types():
    kind = at.TensorType("float32", (False, True, 5, "batch"))
    x = kind("x")
    assert (x.name, x.dtype, kind.ndim) == ("x", "float32", 4)
    assert x.type.shape[1:3] == (1, 5)
    assert kind("y").type.shape[3] is x.type.shape[3]
    assert kind("y").type.shape[0] is not x.type.shape[0]


def test_places_among_nothing_but_nan():
    """NumPy raises; here a row of NaN does not take the others' results with it."""
    x = np.array([[np.nan, np.nan], [np.nan, 1.0]])
    for found in ag.function([M], [at.nanargmax(M, axis=1), at.nanargmin(M, axis=1)])(x):
        assert found.tolist() == [-1, 1]
