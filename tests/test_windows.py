"""Windows, convolutions and pooling against plain loops over places; how products with windows are carried out."""

import itertools
import re

import numpy as np
import pytest

import agnesi as ag
import agnesi.tensor as at
from agnesi.errors import ShapeError, TypeMismatch
from agnesi.loops.product import BLOCK_BYTES


def convolved(x, w, steps, dilations, padding, flip, groups=1):
    """A convolution of any rank, by a loop over the elements of a kernel."""
    rank = len(steps)
    x = np.pad(x, [(0, 0), (0, 0), *padding])
    w = np.flip(w, tuple(range(2, 2 + rank))) if flip else w
    counts = [(n - (k - 1) * d - 1) // s + 1
              for n, k, d, s in zip(x.shape[2:], w.shape[2:], dilations, steps, strict=True)]  # fmt: skip
    out = np.zeros((x.shape[0], w.shape[0], *counts))
    own, each = x.shape[1] // groups, w.shape[0] // groups
    for g in range(groups):
        images, filters = x[:, g * own : (g + 1) * own], w[g * each : (g + 1) * each]
        for place in np.ndindex(w.shape[2:]):
            moves = zip(place, dilations, counts, steps, strict=True)
            part = images[(..., *(slice(p * d, p * d + n * s, s) for p, d, n, s in moves))]
            out[:, g * each : (g + 1) * each] += np.einsum("nc...,oc->no...", part, filters[(..., *place)])
    return out


CASES = [
    ("plain", (2, 3, 6, 7), (4, 3, 3, 2), {}),
    ("steps", (2, 3, 9, 8), (4, 3, 3, 2), {"subsample": (2, 3)}),
    ("dilations", (1, 2, 9, 8), (3, 2, 3, 2), {"filter_dilation": (2, 3), "filter_flip": False}),
    ("padding", (2, 1, 5, 4), (2, 1, 3, 3), {"border_mode": ((1, 2), (0, 3)), "subsample": (2, 1)}),
    ("groups", (2, 4, 5, 5), (6, 2, 2, 3), {"num_groups": 2, "border_mode": 1}),
    ("each channel", (2, 3, 5, 6), (3, 1, 3, 3), {"num_groups": 3}),
    ("one place", (2, 3, 4, 5), (4, 3, 1, 1), {"subsample": (2, 1)}),
    ("one image", (1, 1, 4, 4), (1, 1, 4, 4), {}),
    ("sequences", (3, 2, 9), (4, 2, 3), {"subsample": 2}),
    ("solids", (2, 2, 4, 5, 4), (3, 2, 2, 3, 2), {"border_mode": (1, 0, 1)}),
]


LARGE = [
    ("rows", (1, 8, 131, 66), (2, 8, 3, 3), {}),
    ("parts of rows", (1, 64, 4, 1026), (2, 64, 3, 3), {"subsample": (2, 1)}),
    ("sequences", (2, 4, 16392), (3, 4, 9), {}),
    ("solids", (1, 2, 9, 34, 34), (2, 2, 2, 3, 3), {}),
    ("narrow", (1, 192, 9, 43), (2, 192, 3, 2), {}),
]


def parts(images, filters, given):
    """The function for a rank, and the arguments of `convolved`."""
    rank = len(images) - 2
    one = {1: at.nnet.conv1d, 2: at.nnet.conv2d, 3: at.nnet.conv3d}[rank]
    steps, dilations, border = (given.get(k, d) for k, d in
                                (("subsample", 1), ("filter_dilation", 1), ("border_mode", 0)))  # fmt: skip
    steps, dilations, border = ((v,) * rank if isinstance(v, int) else v for v in (steps, dilations, border))
    padding = [(p, p) if isinstance(p, int) else p for p in border]
    return one, (steps, dilations, padding, given.get("filter_flip", True), given.get("num_groups", 1))


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c[0].replace(" ", "_"))
def test_convolutions_and_gradients(case, known, rng):
    _, images, filters, given = case
    check_convolution(images, filters, given, known, rng)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("case", LARGE, ids=lambda c: c[0].replace(" ", "_"))
def test_large_images_are_done_in_blocks(case, known, rng):
    """A block of places at a time, as far as that leaves enough of them; threads share blocks of one image."""
    name, images, filters, given = case
    for threads in (1, 2):
        f = check_convolution(images, filters, given, known, rng, threads=threads)
    if not known:
        return
    scratch = int(re.search(r"scratch ([\d,]+)", f.explain()).group(1).replace(",", ""))
    assert (scratch < 2 * BLOCK_BYTES) == (name != "narrow"), f.explain()


def check_convolution(images, filters, given, known, rng, threads=None):
    """The result by loops, and gradients by what a change of images or filters changes, as it is linear in both."""
    one, how = parts(images, filters, given)
    x, w, dx, dw = (rng.normal(size=s) for s in (images, filters, images, filters))
    wanted = convolved(x, w, *how)
    g = rng.normal(size=wanted.shape)
    X, W, G = (
        at.tensor(n, "float64", a.shape if known else (None,) * a.ndim) for n, a in (("x", x), ("w", w), ("g", g))
    )
    y = one(X, W, **given)
    f = ag.function([X, W, G], [y, *ag.grad(None, [X, W], known_grads={y: G})], threads=threads)
    found, by_images, by_filters = f(x, w, g)
    np.testing.assert_allclose(found, wanted, atol=1e-12 * w[0].size)
    np.testing.assert_allclose((by_images * dx).sum(), (convolved(dx, w, *how) * g).sum(), atol=1e-12 * g.size)
    np.testing.assert_allclose((by_filters * dw).sum(), (convolved(x, dw, *how) * g).sum(), atol=1e-12 * g.size)
    return f


@pytest.mark.parametrize("border", ["valid", "full", "half", "same"])
def test_names_of_borders(border, rng):
    x, w = rng.normal(size=(1, 1, 7)), rng.normal(size=(1, 1, 4))
    y = at.nnet.conv1d(x, w, border_mode=border).eval()[0, 0]
    whole = np.convolve(x[0, 0], w[0, 0])
    first, size = {"valid": (3, 4), "full": (0, 10), "half": (1, 8), "same": (2, 7)}[border]
    np.testing.assert_allclose(y, whole[first : first + size])


def test_each_place_can_have_filters_of_its_own(rng):
    x, w = rng.normal(size=(2, 3, 5, 4)), rng.normal(size=(4, 3, 3, 3, 3, 2))
    y = at.nnet.conv2d(x, w, unshared=True, filter_flip=False).eval()
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 2), axis=(2, 3))
    np.testing.assert_allclose(y, np.einsum("ncxyuv,oxycuv->noxy", windows, w), atol=1e-12)
    line, weights = rng.normal(size=(2, 3, 6)), rng.normal(size=(4, 4, 3, 3))
    y = at.nnet.conv1d(line, weights, unshared=True, filter_flip=False).eval()
    windows = np.lib.stride_tricks.sliding_window_view(line, 3, axis=2)
    np.testing.assert_allclose(y, np.einsum("ncxu,oxcu->nox", windows, weights), atol=1e-12)


def test_sequences_that_see_no_later_places(rng):
    x, w = rng.normal(size=(2, 3, 9)), rng.normal(size=(4, 3, 3))
    y = at.nnet.causal_conv1d(x, w, filter_dilation=2).eval()
    np.testing.assert_allclose(y, convolved(x, w, (1,), (2,), [(4, 0)], True), atol=1e-12)


def test_channels_by_themselves_and_then_mixed(rng):
    x, each, mixed = rng.normal(size=(2, 3, 5, 5)), rng.normal(size=(6, 1, 3, 3)), rng.normal(size=(4, 6, 1, 1))
    y = at.nnet.separable_conv2d(x, each, mixed, 3, subsample=2).eval()
    inner = convolved(x, each, (2, 2), (1, 1), [(0, 0)] * 2, True, groups=3)
    np.testing.assert_allclose(y, np.einsum("ncxy,oc->noxy", inner, mixed[:, :, 0, 0]), atol=1e-12)


def test_gradients_have_names(rng):
    x, w = at.tensor4("x"), at.tensor4("w")
    given = {"border_mode": (1, 0), "subsample": (2, 1), "num_groups": 2}
    y = at.nnet.conv2d(x, w, **given)
    g = at.tensor4("g")
    wanted = ag.grad(None, [x, w], known_grads={y: g})
    by_hand = [at.nnet.conv2d_grad_wrt_inputs(g, w, x.shape, **given),
               at.nnet.conv2d_grad_wrt_weights(x, g, w.shape, **given)]  # fmt: skip
    arrays = [rng.normal(size=s) for s in ((2, 4, 6, 5), (6, 2, 3, 2))]
    shape = y.eval({x: arrays[0], w: arrays[1]}).shape
    found = ag.function([x, w, g], [*wanted, *by_hand])(*arrays, rng.normal(size=shape))
    np.testing.assert_allclose(found[2], found[0], atol=1e-12)
    np.testing.assert_allclose(found[3], found[1], atol=1e-12)


def test_images_that_do_not_fit_the_results_are_refused():
    g, w = at.tensor4("g"), at.tensor4("w")
    f = ag.function([g, w], at.nnet.conv2d_transpose(g, w, output_shape=(1, 1, 9, 9)))
    with pytest.raises(ShapeError):
        f(np.ones((1, 1, 3, 3)), np.ones((1, 1, 2, 2)))
    assert f(np.ones((1, 1, 8, 8)), np.ones((1, 1, 2, 2))).shape == (1, 1, 9, 9)


# -- how they are carried out -------------------------------------------------------------------------------


def network(threads=None):
    x, w, v = at.ftensor4("x"), at.ftensor4("w"), at.ftensor4("v")
    cost = (at.nnet.conv2d(at.tanh(at.nnet.conv2d(x, w)), v) ** 2).sum()
    return ag.function([x, w, v], [cost, *ag.grad(cost, [x, w, v])], threads=threads)


def test_threads_share_images_and_find_the_same_bits(rng):
    arrays = [rng.normal(size=s).astype("f4") for s in ((40, 3, 16, 15), (8, 3, 3, 3), (6, 8, 2, 3))]
    results = [network(threads)(*arrays) for threads in (1, 2, 4)]
    for others in results[1:]:
        for a, b in zip(results[0], others, strict=True):
            np.testing.assert_array_equal(a, b)
    text = re.sub(r"\s+", " ", network().explain())
    assert text.count("joined afterwards") >= 2, text  # the gradients by filters
    assert "may fill the same memory" not in text


def test_windows_are_copied_for_one_image_at_a_time():
    x, w = at.ftensor4("x"), at.ftensor4("w")
    f = ag.function([x, w], at.nnet.conv2d(x, w))
    f(np.ones((2, 2, 5, 5), "f4"), np.ones((3, 2, 2, 2), "f4"))
    text = re.sub(r"\s+", " ", f.explain())
    images = re.search(r"out0: float32\[(n\d+)", text).group(1)
    assert re.search(rf" {images} par {{ t\d+ {{ n\d+ {{ n\d+ {{ n\d+ {{ t\d+ {{ t\d+ simd", text), text


def test_long_windows_stay_loops(rng):
    """What is written out, or turned, has few elements."""
    x, g = at.vectors("x", "g")
    means = at.sliding_window_view(x, 500).mean(axis=-1)
    f = ag.function([x, g], ag.grad(None, x, known_grads={means: g}))
    data, given = rng.normal(size=1200), rng.normal(size=701)
    np.testing.assert_allclose(f(data, given), np.convolve(given / 500, np.ones(500)), rtol=1e-9, atol=1e-12)
    assert len(f.text) < 20_000


def test_there_may_be_no_windows():
    x = at.vector("x")
    f = ag.function([x], at.sliding_window_view(x, 3))
    assert f(np.ones(3)).shape == (1, 3)
    assert f(np.ones(2)).shape == f(np.ones(0)).shape == (0, 3)
    x, w = at.tensor4("x"), at.tensor4("w")
    y = at.nnet.conv2d(x, w)
    f = ag.function([x, w], [y, *ag.grad(y.sum(), [x, w])])
    for shape in ((2, 1, 2, 9), (0, 1, 5, 5), (2, 0, 5, 5)):
        given = np.ones(shape), np.ones((4, shape[1], 3, 3))
        found = f(*given)
        assert found[0].shape == (shape[0], 4, max(shape[2] - 2, 0), shape[3] - 2)
        for value in found:
            np.testing.assert_array_equal(value, np.zeros(value.shape))


def test_windows_that_are_matrices_are_not_copied(rng):
    x, w = at.vector("x"), at.matrix("w")
    f = ag.function([x, w], at.sliding_window_view(x, 50) @ w)
    data, weights = rng.normal(size=300), rng.normal(size=(50, 20))
    np.testing.assert_allclose(f(data, weights), np.lib.stride_tricks.sliding_window_view(data, 50) @ weights)
    assert "scratch 0" in f.explain()


# -- pooling --------------------------------------------------------------------------------------------------


def places(n, size, step, pad, whole):
    """Where windows begin: those that fit, or also those that begin in the array and end beyond it."""
    last = n + 2 * pad - size
    count = max(last + step, 0) // step if whole else min(-(-max(last, 0) // step) + 1, -(-(n + pad) // step))
    return [k * step - pad for k in range(count)]


def pooled(x, sizes, whole, steps, pads, mode):
    """Pooling of the last two axes, window by window."""
    n, m = x.shape[-2:]
    rows, columns = (
        places(k, *how, whole) for k, how in zip((n, m), zip(sizes, steps, pads, strict=True), strict=True)
    )
    out = np.zeros((*x.shape[:-2], len(rows), len(columns)))
    for (a, r), (b, c) in itertools.product(enumerate(rows), enumerate(columns)):
        part = x[..., max(r, 0) : min(r + sizes[0], n), max(c, 0) : min(c + sizes[1], m)]
        size = part.shape[-2] * part.shape[-1]
        if mode == "average_inc_pad":
            size = (min(r + sizes[0], n + pads[0]) - r) * (min(c + sizes[1], m + pads[1]) - c)
        total = part.sum((-1, -2))
        out[..., a, b] = part.max((-1, -2)) if mode == "max" else total if mode == "sum" else total / size
    return out


@pytest.mark.parametrize("mode", ["max", "sum", "average_inc_pad", "average_exc_pad"])
def test_pooling(mode, rng):
    x = at.tensor3("x")
    data = rng.normal(size=(2, 7, 8))
    cases = list(itertools.product([(2, 2), (3, 2)], [True, False], [None, (1, 2), (3, 4)], [(0, 0), (1, 1)]))
    f = ag.function([x], [at.nnet.pool_2d(x, ws, whole, steps, pads, mode) for ws, whole, steps, pads in cases])
    for found, (ws, whole, steps, pads) in zip(f(data), cases, strict=True):
        wanted = pooled(data, ws, whole, steps or ws, pads, mode)
        np.testing.assert_allclose(found, wanted, err_msg=str((ws, whole, steps, pads)))


@pytest.mark.parametrize(("ws", "steps"), [((2, 2), None), ((3, 2), (2, 1)), ((2, 3), (3, 4)), ((5, 5), (2, 2))])
@pytest.mark.parametrize("mode", ["max", "average_exc_pad"])
def test_gradients_of_pooling(ws, steps, mode, rng):
    """Against what is different when one element is moved a little."""
    data = rng.permutation(np.arange(2.0 * 9 * 8)).reshape(2, 9, 8)
    x = at.tensor3("x")
    y = at.nnet.pool_2d(x, ws, stride=steps, mode=mode)
    weights = rng.normal(size=y.eval({x: data}).shape)
    f = ag.function([x], [(y * weights).sum(), ag.grad((y * weights).sum(), x)])
    _, gradient = f(data)
    for place in [(0, 0, 0), (1, 8, 7), (0, 4, 3), (1, 2, 5), (0, 7, 6)]:
        moved = data.copy()
        moved[place] += 0.25
        np.testing.assert_allclose((f(moved)[0] - f(data)[0]) / 0.25, gradient[place], atol=1e-9)


def test_equal_elements_share_the_gradient_of_their_maximum():
    x = at.matrix("x")
    g = ag.grad(at.nnet.pool_2d(x, (2, 2)).sum(), x)
    np.testing.assert_array_equal(g.eval({x: np.ones((2, 4))}), np.full((2, 4), 0.25))


def test_nan_is_the_largest():
    data = np.arange(16.0).reshape(4, 4)
    data[0, 1] = np.nan
    np.testing.assert_array_equal(at.nnet.pool_2d(data, (2, 2)).eval(), [[np.nan, 7], [13, 15]])


def test_pooling_to_the_same_size_and_of_solids(rng):
    data = rng.normal(size=(1, 4, 6))
    found = at.nnet.max_pool_2d_same_size(data, (2, 3)).eval()
    largest = data.reshape(1, 2, 2, 2, 3).max((2, 4)).repeat(2, 1).repeat(3, 2)
    np.testing.assert_array_equal(found, np.where(data == largest, data, 0))
    solid = rng.normal(size=(2, 4, 4, 6))
    wanted = solid.reshape(2, 2, 2, 2, 2, 2, 3).max((2, 4, 6))
    np.testing.assert_array_equal(at.nnet.pool_3d(solid, (2, 2, 3)).eval(), wanted)


# -- what is refused ------------------------------------------------------------------------------------------

X4, W4 = at.tensor4("x"), at.tensor4("w")


@pytest.mark.parametrize(("message", "error", "make"), [
    ("a window has at least one element", ShapeError, lambda: at.sliding_window_view(at.zeros(3), 0)),
    ("a window of 4 elements does not fit axis 0", ShapeError, lambda: at.sliding_window_view(at.zeros(3), 4)),
    ("2 sizes, and .* has 1 axes", TypeMismatch, lambda: at.sliding_window_view(at.zeros(3), (1, 1))),
    ("1 sizes for 2 axes", TypeMismatch, lambda: at.sliding_window_view(at.zeros((3, 3)), 1, (0, 1))),
    ("conv2d takes images of 4 axes", TypeMismatch, lambda: at.nnet.conv2d(at.matrix("x"), W4)),
    ("conv2d takes filters of 4 axes", TypeMismatch, lambda: at.nnet.conv2d(X4, at.matrix("w"))),
    ("a step is an integer from 1 on", TypeMismatch, lambda: at.nnet.conv2d(X4, W4, subsample=0)),
    ("a dilation is an integer from 1 on", TypeMismatch, lambda: at.nnet.conv2d(X4, W4, filter_dilation=(1, 2, 3))),
    ("num_groups must be at least 1", TypeMismatch, lambda: at.nnet.conv2d(X4, W4, num_groups=0)),
    ("do not make 2 groups", TypeMismatch, lambda: at.nnet.conv2d(at.zeros((1, 3, 4, 4)), W4, num_groups=2)),
    ('border_mode is "valid"', TypeMismatch, lambda: at.nnet.conv2d(X4, W4, border_mode="wide")),
    ("no number, or pair", TypeMismatch, lambda: at.nnet.conv2d(X4, W4, border_mode=(1, 2, 3))),
    ("specify_shape: 2 sizes", TypeMismatch, lambda: at.nnet.conv2d(X4, W4, input_shape=(1, 2))),
    ("convolve takes two vectors", TypeMismatch, lambda: at.convolve(X4, W4)),
    ("correlate takes two vectors", TypeMismatch, lambda: at.correlate(at.vector("a"), W4)),
    ('convolve: mode is "full"', TypeMismatch, lambda: at.convolve(at.zeros(3), at.zeros(2), "wide")),
    ("what is added is an integer from 0 on", TypeMismatch, lambda: at.nnet.pool_2d(X4, pad=-1)),
    ("mode is one of max", TypeMismatch, lambda: at.nnet.pool_2d(X4, mode="median")),
    ("nothing but what is added", TypeMismatch, lambda: at.nnet.pool_2d(X4, (2, 2), pad=(2, 0))),
    ("at least 2 axes", TypeMismatch, lambda: at.nnet.pool_2d(at.vector("x"))),
])  # fmt: skip
def test_what_is_refused(message, error, make):
    with pytest.raises(error, match=message):
        make()
