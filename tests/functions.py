"""The functions of arrays, called in agnesi as in NumPy: each row is one expression for both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from expressions import array, whole


@dataclass
class Function:
    """make(m, *arrays): an expression in the functions of the module m, agnesi.tensor or numpy.

    arrays: the inputs, whose axes have any size unless `shapes` fixes them. smooth: whether derivatives are tested.
    numpys: whether NumPy's own function, called on variables, gives the same.
    """

    name: str
    make: Callable[..., Any]
    arrays: list[np.ndarray]
    shapes: list[tuple[Any, ...]] = field(default_factory=list)
    smooth: bool = True
    numpys: bool = True


def row(
    name: str, make: Callable[..., Any], *arrays: Any, shapes: Any = (), smooth: bool = True, numpys: bool = True
) -> Function:
    """A row of the table."""
    return Function(name, make, [np.asarray(a) for a in arrays], list(shapes), smooth, numpys)


def holes(*shape: int) -> np.ndarray:
    """Numbers, some of them NaN; the first row all NaN where there are several."""
    x = array(*shape)
    x.flat[1::3] = np.nan
    if x.ndim > 1 and len(x) > 1:
        x[0] = np.nan
    return x


INT = np.int64
V, M, C = array(5), array(3, 4), array(2, 3, 4)
EMPTY = np.zeros((0, 3))
MODES = ("full", "same", "valid")

SHAPES = [
    row("reshape", lambda m, x: m.reshape(x, (4, 3)) * 2, M),
    row("ravel", lambda m, x: m.ravel(x) * 2, M),
    row(
        "transpose",
        lambda m, x: [m.transpose(x) * 2, m.transpose(x, (1, 2, 0)) + 1, m.transpose(x, axes=(-1, 0, 1))],
        C,
    ),
    row("matrix_transpose", lambda m, x: m.matrix_transpose(x) * 2, C),
    row("swapaxes", lambda m, x: [m.swapaxes(x, 0, -1) * 2, m.swapaxes(x, 1, 1) * 2], C),
    row("moveaxis", lambda m, x: [m.moveaxis(x, 0, -1) * 2, m.moveaxis(x, (0, 1), (-1, 0)) + 1], C),
    row("rollaxis", lambda m, x: [m.rollaxis(x, 2) * 2, m.rollaxis(x, 0, 3) + 1, m.rollaxis(x, 1, 0) + 3], C),
    row("squeeze", lambda m, x: m.squeeze(x, 1) * 2, array(3, 1)),
    row("expand_dims", lambda m, x: [m.expand_dims(x, -1) * 2, m.expand_dims(x, (0, 2)) * 2], M),
    row("atleast_1d", lambda m, x, y: [*m.atleast_1d(x, y), m.atleast_1d(x) + 1], 2.5, V),
    row("atleast_2d", lambda m, x, y: [*m.atleast_2d(x, y), m.atleast_2d(x) + 1], 2.5, V),
    row("atleast_3d", lambda m, x, y, z, w: [*m.atleast_3d(x, y, z), m.atleast_3d(w) + 1], 2.5, V, M, C),
    row("broadcast_to", lambda m, x: m.broadcast_to(x, (3, 5)) + 1, V),
    row("broadcast_arrays", lambda m, x, y: [a + 1 for a in m.broadcast_arrays(x, y)], array(3, 1), array(4)),
    row("broadcast_arrays empty", lambda m, x, y: [a + 1 for a in m.broadcast_arrays(x, y)], EMPTY, array(3)),
    row("size", lambda m, x: [x * m.size(x), x * m.size(x, 1), x * m.ndim(x), x * m.shape(x)[0]], M, numpys=False),
]

JOINS = [
    row("concatenate", lambda m, x, y: [m.concatenate([x, y]), m.concatenate((x, y), axis=-2), m.concatenate([x, y],
        None)],
        M, array(2, 4)),
    row("stack", lambda m, x, y: [m.stack([x, y]), m.stack((x, y), axis=-1), m.stack([x, x, y], 1)], M, M * 2),
    row("hstack", lambda m, x, y, v: [m.hstack([x, y]), m.hstack([v, v])], M, array(3, 1), V),
    row("vstack", lambda m, x, v: [m.vstack([x, v]), m.vstack([v, v])], M, array(4)),
    row("dstack", lambda m, x, v: [m.dstack([x, x]), m.dstack([v, v])], M, V),
    row("column_stack", lambda m, x, v: [m.column_stack([x, v, v]), m.column_stack([v, v])], M, array(3)),
    row("join empty", lambda m, x, y: [m.concatenate([x, y]), m.vstack([y, x])], EMPTY, array(2, 3)),
    row("split", lambda m, x: m.split(x, 2) + m.split(x, 3, axis=1) + m.split(x, 2, -1), array(4, 6)),
    row("split places", lambda m, x: m.split(x, [1, 4]) + m.split(x, [2, 9, 12]), V),
    row("split known", lambda m, x: m.split(x, 2), array(4, 3), shapes=[(4, None)]),
    row("array_split", lambda m, x: m.array_split(x, 3) + m.array_split(x, [1, 2]), V),
    row("array_split short", lambda m, x: m.array_split(x, 4), array(2, 3)),
    row("repeat", lambda m, x: [m.repeat(x, 2), m.repeat(x, 3, axis=0), m.repeat(x, 2, axis=-1), m.repeat(x, 0, 1)], M),
    row("repeat so often", lambda m, x: [m.repeat(x, [2, 0, 1], axis=0), m.repeat(x, np.array([1]), axis=1)], M),
    row("repeat variable", lambda m, x, n: [m.repeat(x, n, axis=0), m.repeat(x * 2, n, axis=0)], M,
        np.array([2, 0, 3])),
    row("repeat variable none", lambda m, x, n: m.repeat(x, n), array(2), np.array([0, 0])),
    row("repeat variable empty", lambda m, x, n: m.repeat(x, n, axis=0), EMPTY, np.zeros(0, INT)),
    row("repeat symbolic", lambda m, x, n: m.repeat(x, n, axis=1), M, INT(3)),
    row("repeat empty", lambda m, x: [m.repeat(x, 2, axis=1), m.repeat(x, 2, axis=0)], EMPTY),
    row("tile", lambda m, x: [m.tile(x, 2), m.tile(x, (2, 3)), m.tile(x, (2, 1, 1))], M),
    row("tile vector", lambda m, x: [m.tile(x, 3), m.tile(x, (2, 2)), m.tile(x, ())], V),
    row("tile symbolic", lambda m, x, n: m.tile(x, (n, 2)), M, INT(2)),
    row("tile empty", lambda m, x: m.tile(x, (2, 2)), EMPTY),
    row("roll", lambda m, x: [m.roll(x, 2), m.roll(x, -1, axis=0), m.roll(x, 7, axis=1), m.roll(x, 0, axis=1)], M),
    row("roll axes", lambda m, x: [m.roll(x, (1, 2), axis=(0, 1)), m.roll(x, 1, axis=(0, 1)), m.roll(x, (1, 1), (1,
        1))], M),
    row("roll symbolic", lambda m, x, n: m.roll(x, n), V, INT(-8)),
    row("roll empty", lambda m, x: [m.roll(x, 1, axis=0), m.roll(x, 4, axis=1)], EMPTY),
    row("flip", lambda m, x: [m.flip(x), m.flip(x, 1), m.flip(x, (1, 0)), m.fliplr(x), m.flipud(x)], M),
    row("flip empty", lambda m, x: [m.flip(x), m.flip(x, 1)], EMPTY),
    row("rot90", lambda m, x: [m.rot90(x), m.rot90(x, 2), m.rot90(x, -1), m.rot90(x, 4)], M),
    row("rot90 axes", lambda m, x: [m.rot90(x, 1, (1, 2)), m.rot90(x, 3, (2, 0)), m.rot90(x, 2, (0, -1))], C),
    *(row(f"pad {mode}", lambda m, x, mode=mode: [m.pad(x, 1, mode=mode), m.pad(x, ((1, 9), (4, 0)), mode), m.pad(x,
        (2, 1), mode)], M)
      for mode in ("constant", "edge", "reflect", "symmetric", "wrap")),
    *(row(f"pad {mode} one", lambda m, x, mode=mode: m.pad(x, (3, 2), mode=mode), array(1))
      for mode in ("constant", "edge", "reflect", "symmetric", "wrap")),
    row("pad values", lambda m, x: [m.pad(x, 1, constant_values=2.5), m.pad(x, (1, 2), constant_values=((1, 2), (3,
        4))),
                                    m.pad(x, ((0, 0), (1, 2)), constant_values=((1, 2), (0, 4)))], M),
    row("pad empty", lambda m, x: m.pad(x, 1), EMPTY),
    row("pad nothing", lambda m, x: [m.pad(x, 0) + 1, m.pad(x, 0, mode="edge") + 1], M),
]  # fmt: skip

DIAGONALS = [
    row("diag", lambda m, x: [m.diag(x), m.diag(x, 1), m.diag(x, -2), m.diag(x * 2)], V),
    row("diag of matrix", lambda m, x: [m.diag(x), m.diag(x, 1), m.diag(x, -2), m.diag(x, 9), m.diag(x, -9)], M),
    row("diag empty", lambda m, x: m.diag(x), np.zeros(0)),
    row("diag integers", lambda m, x: [m.diag(x), m.diag(m.diag(x))], whole(3)),
    row("diag symbolic", lambda m, x, k: m.diag(x, k), M, INT(-1), numpys=False),
    row("convolve", lambda m, x, y: [m.convolve(x, y, mode) for mode in MODES], V, V[1:3]),
    row("convolve", lambda m, x, y: [m.convolve(x, y, mode) for mode in MODES], V[:4], C.ravel()[:9]),
    row("correlate", lambda m, x, y: [m.correlate(x, y, mode) for mode in MODES], V, V[1:3] * (2 + 1j), smooth=False),
    row("correlate", lambda m, x, y: [m.correlate(x, y, mode) for mode in MODES], V[:2], V),
    row("diagonal", lambda m, x: [m.diagonal(x), m.diagonal(x, 1, 0, 2), m.diagonal(x, -1, axis1=-1, axis2=1)], C),
    row("trace", lambda m, x: [m.trace(x), m.trace(x, 1), m.trace(x, -1)], M),
    row("trace axes", lambda m, x: m.trace(x, 0, 1, 2), C),
    row("trace integers", lambda m, x: m.trace(x), whole(3, 3).astype("i1")),
    row("tril", lambda m, x: [m.tril(x), m.tril(x, 1), m.triu(x), m.triu(x, -1)], M),
    row("tril batch", lambda m, x: [m.tril(x), m.triu(x, 1)], C),
    row("tril integers", lambda m, x: [m.tril(x), m.triu(x)], whole(3, 4).astype("i2")),
    row("tri", lambda m, n: [m.tri(n), m.tri(n, 4, 1), m.tri(3, n, -1, dtype="int8")], INT(3), numpys=False),
    row("eye", lambda m, n: [m.eye(n), m.eye(n, 4, 1), m.eye(3, n, -1, dtype="int8"), m.identity(n)], INT(3),
        numpys=False),
]  # fmt: skip

RANGES = [
    row("arange", lambda m, n: [m.arange(n), m.arange(2, n), m.arange(n, 1, -2), m.arange(0, n, 3, dtype="float32"),
                                m.arange(n, 1), m.arange(1, n, -1), m.arange(8, -n, -3)], INT(7), numpys=False),
    row("arange step", lambda m, k: [m.arange(1, 9, k), m.arange(9, 1, -k)], INT(3), numpys=False),
    row("arange negative", lambda m, n: m.arange(n), INT(-2), numpys=False),
    row("arange floats", lambda m, x: [m.arange(x), m.arange(0.5, x, 0.1), m.arange(x, 0, -0.3)], 2.25, smooth=False,
        numpys=False),
    row("arange single", lambda m, x: m.arange(x, 3, 0.1, dtype="float32"), np.float32(1), smooth=False, numpys=False),
    row("linspace", lambda m, x, y: [m.linspace(x, y), m.linspace(x, y, 7, endpoint=False), m.linspace(y, x, 3),
                                     m.linspace(x, y, 1), m.linspace(x, y, 0)], 0.5, 2.25),
    row("linspace vectors", lambda m, x, y: [m.linspace(x, y, 4), m.linspace(x, y, 4, axis=-1)], array(3),
        array(3) + 1),
    row("linspace integers", lambda m, x: m.linspace(0, x, 5, dtype="int64"), INT(7), numpys=False),
    row("linspace number", lambda m, n: m.linspace(0, 1, n), INT(4), smooth=False, numpys=False),
    row("logspace", lambda m, x, y: [m.logspace(x, y, 5), m.logspace(x, y, 4, endpoint=False, base=2.0)], 0.5, 2.25),
    row("geomspace", lambda m, x, y: [m.geomspace(x, y, 5), m.geomspace(y, x, 4, endpoint=False), m.geomspace(-x, -y,
        3)],
        0.5, 64.0),
    row("meshgrid", lambda m, x, y: [*m.meshgrid(x, y), *m.meshgrid(y, x, indexing="ij"), *m.meshgrid(x, y,
        sparse=True),
                                     *m.meshgrid(x)], array(3), array(2)),
    row("meshgrid three", lambda m, x, y: [*m.meshgrid(x, y, x)], array(3), array(2)),
    row("mgrid", lambda m, n: [m.mgrid[0:n], *m.mgrid[1:n, 0:6:2], *m.ogrid[0:n, 0:2], m.mgrid[0:1:3j],
                               *m.mgrid[0:1:2j, 0:2:3j]], INT(3), numpys=False),
    row("vander", lambda m, x: [m.vander(x), m.vander(x, 3), m.vander(x, 2, increasing=True)], array(4)),
    row("vander integers", lambda m, x: m.vander(x), whole(3)),
    row("zeros", lambda m, n: [m.zeros((n, 2)), m.ones(n, dtype="int32"), m.full((2, n), 7.5), m.full(n, n),
                               m.full(3, 2, dtype="float32")], INT(3), numpys=False),
    row("zeros_like", lambda m, x: [m.zeros_like(x), m.ones_like(x), m.full_like(x, 3), m.zeros_like(x, dtype="int8"),
                                    m.ones_like(x, shape=(2,)), m.full_like(x, 2.5, dtype="float64")], whole(2, 3)),
]  # fmt: skip

PLACES, FLAT = np.array([[2, 0], [1, -1]]), np.array([3, -1, 0])
SORTED = np.array([-1.0, 0.5, 0.5, 2.0])
LOOKUPS = [
    row("take", lambda m, x, i: [m.take(x, i), m.take(x, i, axis=0), m.take(x, i, 1)], array(4, 3), PLACES),
    row("take modes", lambda m, x, i: [m.take(x, i, 1, mode="wrap"), m.take(x, i, mode="clip"), m.take(x, 1, axis=0)],
        M, np.array([-9, 0, 7])),
    row("take_along_axis", lambda m, x, i: [m.take_along_axis(x, i, axis=1), m.take_along_axis(x, i, 0)], array(3, 3),
        PLACES[[0, 1, 0]][:, [0, 1, 0]]),
    row("take_along_axis flat", lambda m, x, i: m.take_along_axis(x, i, axis=None), M, FLAT),
    row("take_along_axis vector", lambda m, x, i: m.take_along_axis(x, i, axis=0), V, FLAT),
    row("choose", lambda m, i, x, y: [m.choose(i, [x, y]), m.choose(i, [x, 1.0, y], mode="clip")], np.array([0, 1,
        1]), array(3), array(3)),
    row("choose wrap", lambda m, i, x: m.choose(i, [x, x[0], x * 2], mode="wrap"), np.array([[-1], [4]]), array(2, 3)),
    row("compress", lambda m, x: [m.compress([True, False, True], x, axis=0), m.compress([False, True], x)], M),
    row("searchsorted", lambda m, a, v: [m.searchsorted(a, v), m.searchsorted(a, v, side="right")], SORTED,
        np.array([[-2, -1, 0], [0.5, 2, 3], [np.nan, np.inf, -np.inf]]), smooth=False),
    row("searchsorted NaN", lambda m, a, v: [m.searchsorted(a, v), m.searchsorted(a, v, side="right")],
        np.array([1, 2, np.nan]), np.array([0, np.nan, np.inf]), smooth=False),
    row("searchsorted order", lambda m, a, i, v: m.searchsorted(a, v, sorter=i), SORTED[[2, 0, 3, 1]], np.array([1, 3,
        0, 2]),
        np.array([0.0, 0.5]), smooth=False),
    row("searchsorted one", lambda m, a, v: m.searchsorted(a, v), whole(4).cumsum() * 0 + np.arange(4), INT(2)),
    row("searchsorted many", lambda m, a, v: [m.searchsorted(a[::2], v.T), m.searchsorted(a, v[:, 0], "right")],
        np.sort(whole(101, low=-9, high=9) * 1.0), array(7, 5), smooth=False),
    row("searchsorted dtypes", lambda m, a, v: [m.searchsorted(a.astype(d), v.astype(e)) for d, e in (("int8", "u1"),
        ("f4", "i8"), ("uint64", "int8"), ("f2", "f4"), ("bool", "bool"))], np.arange(5), np.arange(6).reshape(3, 2)),
    row("searchsorted empty", lambda m, a, v: m.searchsorted(a, v), np.zeros(0), V, smooth=False),
    row("digitize", lambda m, x, b: [m.digitize(x, b), m.digitize(x, b, right=True)], V, SORTED[[0, 1, 3]],
        smooth=False),
    row("interp", lambda m, x, xp, fp: [m.interp(x, xp, fp), m.interp(x, xp, fp, left=-1.0, right=9.0)],
        np.array([-3.0, -0.9, 0.1, 1.6, 5.0]), np.array([-1.0, 0.0, 2.0]), array(3)),
    row("interp points", lambda m, x, xp, fp: m.interp(x, xp, fp), np.array([-1.0, 0.0, 2.0]), np.array([-1.0, 0.0,
        2.0]),
        array(3), smooth=False),
    row("interp one point", lambda m, x, xp, fp: m.interp(x, xp, fp), V, np.array([0.5]), array(1), smooth=False),
    row("bincount", lambda m, i, w: [m.bincount(i, minlength=5), m.bincount(i, w, minlength=5)], np.array([0, 3, 3,
        4]), array(4)),
    row("bincount free", lambda m, i, w: [m.bincount(i), m.bincount(i, w), m.bincount(i, minlength=2)],
        np.array([0, 3, 3, 4]), array(4)),
    row("bincount of nothing", lambda m, i: m.bincount(i), np.zeros(0, INT)),
    row("bincount empty", lambda m, i: m.bincount(i, minlength=3), np.zeros(0, INT)),
    row("ravel_multi_index", lambda m, i, j: [m.ravel_multi_index((i, j), (3, 4)), m.ravel_multi_index((i, j), (3, 4),
        order="F"),
        m.ravel_multi_index((i, j * 5), (3, 4), mode=("raise", "clip"))], np.array([0, 2]), np.array([3, 1])),
    row("unravel_index", lambda m, i: [*m.unravel_index(i, (3, 4)), *m.unravel_index(i, (3, 2, 2), order="F")],
        np.array([[0, 11], [5, 7]])),
]  # fmt: skip

LOW = np.array([[True, False, True, True], [False, False, True, False], [True, True, True, True]])
REDUCTIONS = [
    *(row(f"{name} where", lambda m, x, w, name=name: [
        getattr(m, name)(x, where=w), getattr(m, name)(x, axis=0, where=w), getattr(m, name)(x, 1, keepdims=True,
        where=w)],
        M, LOW, smooth=name not in ("any", "all")) for name in ("sum", "prod", "mean", "var", "std", "any", "all")),
    *(row(f"{name} initial", lambda m, x, w, name=name: [
        getattr(m, name)(x, initial=2.5), getattr(m, name)(x, axis=1, where=w, initial=0.5)],
        M, LOW) for name in ("sum", "prod", "max", "min")),
    *(row(f"{name} initial empty", lambda m, x, name=name: getattr(m, name)(x, axis=0, initial=2.5), EMPTY)
      for name in ("sum", "prod", "max", "min")),
    *(row(f"{name} dtype", lambda m, x, name=name: [getattr(m, name)(x, dtype="float64"), getattr(m, name)(x,
        dtype="float32")],
          whole(3, 4)) for name in ("sum", "prod", "mean")),
    row("where broadcast", lambda m, x, w: [m.sum(x, axis=0, where=w), m.mean(x, axis=1, where=w)], M, LOW[0]),
    row("count_nonzero", lambda m, x: [m.count_nonzero(x), m.count_nonzero(x, axis=0), m.count_nonzero(x, -1,
        keepdims=True)],
        whole(3, 4)),
    row("ptp", lambda m, x: [m.ptp(x), m.ptp(x, axis=0), m.ptp(x, 1, keepdims=True)], M),
    row("argmax keepdims", lambda m, x: [m.argmax(x, keepdims=True), m.argmin(x, axis=0, keepdims=True)], M,
        smooth=False),
    *(row(f"norm {order}", lambda m, x, order=order: [
        m.linalg.norm(x, order, axis=0), m.linalg.norm(x, order, axis=-1, keepdims=True)], M)
      for order in (None, 0, 1, 2, 3, 1.5, np.inf, -np.inf)),
    *(row(f"matrix norm {order}", lambda m, x, order=order: [
        m.linalg.norm(x, order), m.linalg.norm(x, order, keepdims=True), m.linalg.norm(x, order, (1, 0))], M)
      for order in ("fro", 1, -1, np.inf, -np.inf)),
    row("norm of all", lambda m, x: [m.linalg.norm(x), m.linalg.norm(x, axis=(0, 2)), m.linalg.norm(x,
        keepdims=True)], C),
    row("norm integers", lambda m, x: m.linalg.norm(x), whole(3, 4)),
    row("norm single", lambda m, x: m.linalg.norm(x, axis=0), M.astype("f4"), smooth=False),
    row("average", lambda m, x, w, v: [m.average(x), m.average(x, weights=w), m.average(x, 0, v), *m.average(x, 0, w,
        returned=True),
        *m.average(x, 1, returned=True), m.average(x, 1, w, keepdims=True)], M, np.abs(M) + 1, np.array([1.0, 2.0,
        0.5])),
    row("cov", lambda m, x, y: [m.cov(x), m.cov(x, rowvar=False), m.cov(x, y), m.cov(x, bias=True), m.cov(x, ddof=0)],
        M, array(2, 4) ** 2),
    row("cov vectors", lambda m, x, y: [m.cov(x), m.cov(x, y)], V, V**2),
    row("cov weights", lambda m, x, a, f: [m.cov(x, aweights=a), m.cov(x, fweights=f), m.cov(x, fweights=f,
        aweights=a)],
        M, np.array([0.5, 1.0, 2.0, 1.5]), np.array([1, 2, 1, 3])),
    *(row(name, lambda m, x, name=name: [getattr(m, name)(x), getattr(m, name)(x, axis=0), getattr(m, name)(x, -1,
        keepdims=True)],
          x, smooth=False)
      for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")
      for x in (holes(3, 4), whole(3, 4), holes(3, 4).astype("f4"))),
    *(row(f"{name} smooth", lambda m, x, name=name: getattr(m, name)(m.where(x > 1, np.nan, x), axis=0), M)
      for name in ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin")),
    *(row(name, lambda m, x, name=name: [getattr(m, name)(x), getattr(m, name)(x, axis=1), getattr(m, name)(x, -1,
        keepdims=True)],
          x, smooth=False)
      for name in ("nanargmax", "nanargmin")
      for x in (holes(3, 4)[1:], whole(3, 4), holes(3, 4)[1:].astype("f4"))),
    row("diff", lambda m, x: [m.diff(x), m.diff(x, 2, axis=0), m.diff(x, n=0), m.diff(x, 5)], M),
    row("diff ends", lambda m, x: [m.diff(x, prepend=0.5), m.diff(x, append=x[:1], axis=0), m.diff(x, 1, -1, x[:, :1],
        2.0)], M),
    row("diff booleans", lambda m, x: m.diff(x), LOW),
    row("diff empty", lambda m, x: [m.diff(x, axis=0), m.diff(x)], EMPTY),
    row("ediff1d", lambda m, x: [m.ediff1d(x), m.ediff1d(x, to_end=[1.0, 2.0]), m.ediff1d(x, 5.0, to_begin=x)], M),
]  # fmt: skip

SQUARE, BATCH = array(3, 3), array(2, 3, 3)
PRODUCTS = [
    *(row(f"einsum {text}", lambda m, *x, text=text: m.einsum(text, *x), *arrays) for text, *arrays in (
        ("ij,jk->ik", M, array(4, 2)), ("ij,jk", M, array(4, 2)), ("ji,jk", M, array(3, 2)), ("ij,ij->", M, M),
        ("ij,ij", M, M),
        ("ij->ji", M), ("ij->j", M), ("ij->", M), ("ba", M), ("ii->i", SQUARE), ("ii", SQUARE), ("iij->ji", BATCH[:,
        :2]),
        ("iii->i", array(2, 2, 2)), ("aab,bb->a", BATCH[:, :2], SQUARE), ("i,j->ij", V, V), ("i,i,i->i", V, V, V),
        ("ij,j,jk->ik", M, array(4), array(4, 2)), ("bij,bjk->bik", C, array(2, 4, 3)), ("bij,bjk->kib", C, array(2,
        4, 3)),
        ("b...ij,jk->b...ik", C[:, None], array(4, 2)), ("...ij,...jk->...ik", C, array(4, 2)), ("...,...", M,
        array(4)),
        ("...i->...", C), ("i...->i...", C), ("i...", C), ("...ii->...i", BATCH), ("ij,kl->", M, array(2, 3)),
        ("ijk,jil->kl", array(2, 3, 4), array(3, 2, 5)), ("a,ab,abc->abc", array(2), array(2, 3), C),
        (" i j , j k -> i k", M, array(4, 2)),
        ("ij,jk->ik", array(3, 0), np.zeros((0, 2))), ("ij,jk,kl,lm->im", M, array(4, 2), array(2, 5), array(5, 3)),
    )),
    *(row(f"einsum known {text}", lambda m, *x, text=text: m.einsum(text, *x), *arrays,
        shapes=[a.shape for a in arrays])
      for text, *arrays in (
        ("ij,jk,kl,lm->im", M, array(4, 2), array(2, 5), array(5, 3)), ("...i,...i->...", C, array(1, 1, 4)),
        ("ij,j", M, array(1)), ("ab,cb,ca,d->d", M, array(5, 4), array(5, 3), V))),
    row("einsum integers", lambda m, x, y: [m.einsum("ij,jk", x, y), m.einsum("ij->i", x)], whole(3, 4).astype("i1"),
        whole(4, 2)),
    row("einsum booleans", lambda m, x, y: [m.einsum("ij,jk", x, y), m.einsum("ij->i", x)], whole(3, 4) > 0, whole(4,
        2) > 0),
    row("einsum left to right", lambda m, x, y: m.einsum("ij,jk,kl->il", x, y, x, optimize=False), SQUARE, SQUARE + 1,
        shapes=[(3, 3)] * 2),
    row("tensordot", lambda m, x, y: [m.tensordot(x, y), m.tensordot(x, y, 1), m.tensordot(x, y, ([0], [1])),
        m.tensordot(x, y, (0, 0)), m.tensordot(x, y, 0), m.tensordot(x, y, ([-1, 0], [1, 0]))], SQUARE, BATCH[0]),
    row("inner", lambda m, x, y, z, s: [m.inner(x, y), m.inner(y, x), m.inner(x, z), m.inner(s, x), m.inner(z, z)],
        M, array(2, 4), array(4), 2.5),
    row("vdot", lambda m, x, y: [m.vdot(x, y), m.vdot(x, x)], M, array(4, 3)),
    row("outer", lambda m, x, y: [m.outer(x, y), m.outer(y, y)], M, V),
    row("kron", lambda m, x, y, v: [m.kron(x, y), m.kron(v, y), m.kron(v, v), m.kron(y, v)], M, array(2, 5), array(2)),
    row("vecdot", lambda m, x, y: [m.linalg.vecdot(x, y), m.linalg.vecdot(x, y, axis=0), m.vecdot(x, y)], M, M + 1),
    row("vecdot broadcast", lambda m, x, y: [m.linalg.vecdot(x, y), m.vecdot(y, y)], C, array(4)),
    row("matmul", lambda m, x, y, v: [m.matmul(x, y), m.matmul(x, v), m.matmul(v, x), m.matmul(x, y[0])], BATCH,
        BATCH + 1, array(3)),
    row("matmul batches", lambda m, x, y: m.matmul(x, y), array(2, 1, 3, 4), array(5, 4, 2)),
    row("matmul one batch", lambda m, x, y: [m.matmul(x, y) * 2, m.matmul(x, m.matrix_transpose(x))], array(1, 3, 4),
        array(2, 4, 2)),
    row("matmul transposed", lambda m, x, y: [m.matmul(m.transpose(x, (1, 2, 0)), y), m.matmul(x[::2, ::-1, ::2], y[:,
        1:3])],
        array(4, 2, 3), array(2, 4, 5)),
    row("matmul empty", lambda m, x, y: [m.matmul(x, y), m.matmul(y, x)], np.zeros((2, 3, 0)), np.zeros((2, 0, 3))),
    row("matmul no batch", lambda m, x, y: m.matmul(x, y), np.zeros((0, 3, 4)), array(4, 2)),
    row("matmul single", lambda m, x, y: m.matmul(x, y), BATCH.astype("f4"), BATCH.astype("f4") + 1, smooth=False),
    row("matmul integers", lambda m, x, y: m.matmul(x, y), whole(2, 3, 4), whole(2, 4, 2)),
    row("matmul large", lambda m, x, y: m.matmul(x, y), array(3, 40, 50), array(3, 50, 60), smooth=False),
    row("matrix_power", lambda m, x: [m.linalg.matrix_power(x, n) for n in (0, 1, 2, 3, 5)], SQUARE),
    row("matrix_power inverse", lambda m, x: [m.linalg.matrix_power(x, n) for n in (-1, -2)], SQUARE + 4 * np.eye(3)),
    row("matrix_power batch", lambda m, x: m.linalg.matrix_power(x, 3), BATCH),
    row("multi_dot", lambda m, x, y, v: [m.linalg.multi_dot([x, y, x]), m.linalg.multi_dot([v, x, y, v]),
        m.linalg.multi_dot([x, v])],
        SQUARE, SQUARE + 1, array(3)),
]  # fmt: skip

FUNCTIONS = [*SHAPES, *JOINS, *DIAGONALS, *RANGES, *LOOKUPS, *REDUCTIONS, *PRODUCTS]
