"""Expressions for the operations that are not plain elementwise functions, by the operation they are about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import agnesi as ag
import agnesi.tensor as at
from agnesi.ir import dtype as dt
from agnesi.ir.node import cast, dim_node
from agnesi.ir.op import OPS
from agnesi.ir.variable import Variable, as_node
from agnesi.ops.index import broadcast_dims, sum_to_shape


@dataclass
class Expression:
    """op: what it is about. make: from variables to results. arrays: the inputs; inner: axes of any size if None."""

    op: str
    label: str
    make: Callable[..., Any]
    arrays: list[np.ndarray]
    shapes: list[tuple[Any, ...]] = field(default_factory=list)
    smooth: bool = True

    def variables(self) -> list[Variable]:
        """Inputs of the dtypes of the arrays; their sizes are free unless `shapes` fixes them."""
        shapes = self.shapes or [(None,) * a.ndim for a in self.arrays]
        return [at.tensor(f"x{k}", a.dtype.name, s) for k, (a, s) in enumerate(zip(self.arrays, shapes, strict=True))]


def array(*shape: int) -> np.ndarray:
    """Numbers of both signs, all different, none near zero."""
    rng = np.random.default_rng(sum(shape) + len(shape))
    n = int(np.prod(shape))
    return (rng.permutation(n) - n / 2 + 0.3 + 0.2 * rng.uniform(size=n)).reshape(shape) / 3


def waves(*shape: int) -> np.ndarray:
    """Complex numbers of all angles."""
    return array(*shape) * np.exp(1j * np.random.default_rng(3).uniform(-3, 3, size=shape))


def whole(*shape: int, low: int = -2, high: int = 2) -> np.ndarray:
    """Small integers."""
    return np.random.default_rng(1).integers(low, high, size=shape)


def node_of(op: str, *args: Any, **attrs: Any) -> Variable:
    """An op on nodes, with attributes."""
    return Variable(OPS[op](*[as_node(a) for a in args], **attrs))


def grads(function: Callable[..., Any], *inputs: Variable) -> list[Variable]:
    """Gradients of a weighted sum."""
    y = function(*inputs)
    weights = at.cos(at.arange(1).sum() + at.zeros_like(y)) + 0.5 * y
    floats = [x for x in inputs if dt.is_inexact(x.dtype)]
    return ag.grad((y * weights).sum().real, floats, disconnected_inputs="ignore")


def meeting(x: Variable, y: Variable) -> Any:
    """The size that two first axes meet in."""
    return (x + y).shape[0]


def solvable(n: int) -> np.ndarray:
    """A well-conditioned matrix that needs pivots."""
    return np.roll(array(n, n) / n + 2 * np.eye(n), 1, 0)


SPECIAL = np.array([1.0, np.nan, np.inf, -0.0, -np.inf, 0.0, np.nan, 5e-324])


@ag.as_op(itypes=[at.dvector], otypes=[at.dvector])
def sorted_unique(values):
    return np.unique(values)


def row(
    op: str, label: str, make: Callable[..., Any], *arrays: Any, shapes: Any = (), smooth: bool = True
) -> Expression:
    """A row of the table."""
    return Expression(op, label, make, [np.asarray(a) for a in arrays], list(shapes), smooth)


dt.load_bfloat16()  # NumPy knows it from here on
HALF: list[tuple[str, Callable[..., Any]]] = [
    ("contract", lambda x, y: [x @ y, (x.T * y).sum(), x[0] @ y.astype("float32")]),
    ("contract", lambda x, y: x.T - 2 * (y @ x @ y)),
    ("solve", lambda x, y: at.solve(x @ y + 20 * at.eq(at.arange(3)[:, None], at.arange(3)).astype(x.dtype), x)),
    ("softmax", lambda x, y: [at.nnet.softmax(x), at.logsumexp(x, axis=0), at.log(at.nnet.softmax(y)), x.argmax(1)]),
    ("sum_to", lambda x, y: grads(lambda x, y: x[:, None] * y[:, 0], x, y)),
    ("scatter_add", lambda x, y: grads(lambda x, y: x[np.array([0, -1, 0])] * y.T, x, y)),
    ("concatenate", lambda x, y: [at.concatenate([x, y.T]).mean(axis=0), x.std(), x.cumsum(1), y.cumprod(), -x.max(0)]),
    ("argsort", lambda x, y: [at.sort(x), y.argsort(0)]),
    ("slice", lambda x, y: [x[1:, ::-2] * 3, x[1:].set(y[0, 0]), x[1:].inc(1.5), at.where(x > y.T, x, 0.1)]),
    ("cast", lambda x, y: [x * 1j, x + np.float32(1), x.astype("int8") + x, (x / 3).astype("float64"), x > 0.3]),
]

I64 = np.int64
EXPRESSIONS = [
    *(row("cast", f"{a}_{b}", lambda x, b=b: x.astype(b), np.array([0, 1, 2, 100]).astype(a), smooth=False)
      for a in dt.DTYPES for b in dt.DTYPES if a != b),
    row("cast", "fractions", lambda x: [x.astype("int64"), x.astype("int8"), x.astype("bool")],
        np.array([-2.7, -0.5, 0.0, 0.5, 2.7]), smooth=False),
    row("cast", "narrow", lambda x: x.astype("float32").astype("float64"), np.array([0.5, -1.25, 3]), smooth=False),
    row("cast", "complex", lambda x: [x.astype("float32"), x.astype("complex64"), x.astype("bool"),
        x.real.astype("c8")], waves(5)),
    row("array", "complex", lambda x: x * at.constant(np.array([1 + 2j, -1j])) + (2 - 1j), waves(2)),
    row("concatenate", "complex", lambda x, y: at.concatenate([x, y * 2]).prod(), waves(3), array(2)),
    row("copy", "twice", lambda x: [node_of("copy", x, number=0), node_of("copy", x * 2, number=1)], array(3)),
    row("meet", "rows", meeting, array(3, 2), array(1, 2), smooth=False),
    row("meet", "one", meeting, array(1, 2), array(4, 1), smooth=False),
    row("check_index", "both signs", lambda i: node_of("check_index", i, 5, site=0), np.array([-5, -1, 0, 4]),
        smooth=False),
    row("input", "alone", lambda x: x, array(3)),
    row("const", "number", lambda x: x + 2.5, array(3)),
    row("array", "of any shape", lambda x: x * at.constant(np.arange(6.0).reshape(2, 3)), array(3)),
    row("symbol", "size", lambda x: x * x.shape[0] + x.shape[1], array(2, 3)),
    row("transpose", "reversed", lambda x: x.T + x.T, array(3, 4)),
    row("transpose", "cycle", lambda x: x.transpose((1, 2, 0)) * 2, array(2, 3, 4)),
    row("transpose", "view", lambda x: x.T, array(3, 4)),
    row("insert", "ends", lambda x: x[None, :, None] * 2, array(3)),
    row("drop", "known", lambda x: at.squeeze(x) + 1, array(3, 1), shapes=[(None, 1)]),
    row("drop", "unknown", lambda x: at.squeeze(x, 1) + 1, array(3, 1)),
    row("broadcast_to", "rows", lambda x, y: at.broadcast_to(x, y.shape) * 2, array(4), array(3, 4)),
    row("broadcast_to", "run time", lambda x, y: at.broadcast_to(x, y.shape) * 2, array(1, 4), array(3, 4)),
    row("broadcast_to", "as it is", lambda x, y: at.broadcast_to(x, y.shape), array(3, 1), array(3, 4)),
    row("reshape", "flat", lambda x: x.flatten() + 1, array(3, 4)),
    row("reshape", "split", lambda x: x.reshape(2, -1, x.shape[1]) * 2, array(4, 3)),
    row("reshape", "across", lambda x: x.T.reshape((6, 2)) + 1, array(3, 4)),
    row("reshape", "empty", lambda x: x.reshape((x.shape[1], x.shape[0])) + 1, np.zeros((3, 0))),
    row("merge", "pairs", lambda x, y: [node_of("merge", x, groups=(2, 1)) * 2, node_of("merge", y, groups=(1, 2))],
        array(3, 4, 2), array(2, 1, 3)),
    row("merge", "twice", lambda x: [at.repeat(x, 2, axis=0), *grads(lambda x: at.tile(x, (2, 2)), x)], array(3, 2)),
    row("reshape", "in parts", lambda x: x.reshape((2, x.shape[0] // 2, 3, x.shape[1] // 3)) * 2, array(4, 6)),
    row("reshape", "ones", lambda x: [x.reshape((1, 4, 1, 3)) + 1, x.reshape((2, 2, 1, 3, 1)) + 1], array(4, 3)),
    row("specify_shape", "sizes", lambda x: at.specify_shape(x, (None, 4)) * 2, array(3, 4)),
    row("specify_shape", "alone", lambda x, n: [at.specify_shape(x, (n, 4)), at.addbroadcast(x[:1], 0) + x],
        array(3, 4), I64(3)),
    row("slice", "plain", lambda x: [x[1:], x[:-1], x[1:-1] * 2, x[::2], x[:2]], array(5)),
    row("slice", "complex", lambda x: grads(lambda x: x[1:-1:2], x), waves(7)),
    row("slice", "negative", lambda x: [x[::-1] * 1.5, x[3:0:-1] + 1, x[-2::-2] * 2], array(5)),
    row("slice", "beyond", lambda x: [x[10:] + 1, x[:10] + 1, x[-10:2] + 1, x[4:1] + 1, x[-1:-10:-1] + 1], array(5)),
    row("slice", "integers", lambda x: [x[0] + 1, x[-1, 2] * 2, x[..., 1] + 0.5, x[1, ::2]], array(3, 4)),
    row("slice", "symbolic", lambda x, n: [x[:n] + 1, x[n:] * 2, x[n] + 1, x[-n:] + 1], array(5), I64(2)),
    row("slice", "empty", lambda x: [x[:0] + 1, x[2:2] * 2, x[::-1] + 1], np.zeros(0)),
    row("slice_set", "gradient", lambda x: grads(lambda x: x[1:-1:2], x), array(7)),
    row("slice_set", "backwards", lambda x: grads(lambda x: x[::-2, 1:], x), array(5, 3)),
    row("slice_set", "values", lambda x, y: x[1:-1:2].set(y), array(7), array(3)),
    row("slice_set", "broadcast", lambda x, y: [x[::-2, 1:].set(y[None]), x[1].set(2), x[:, None, 0].set(y[0])],
        array(5, 3), array(2)),
    row("slice_set", "part of a part", lambda x, y: x[1:, 0].set(y) * x, array(4, 3), array(3)),
    row("slice_set", "symbolic", lambda x, n: [x[:n].set(0), x[n:].inc(1), x[-n].set(3)], array(5), I64(2)),
    row("slice_set", "empty", lambda x: [x[:0].set(1), x[2:2].inc(1)], np.zeros(0)),
    row("slice_set", "own part", lambda x: [x[1:].set(x[:-1]), x[::-1].set(x), x[:2].inc(x[-2:])], array(5)),
    row("slice_add", "values", lambda x, y: x[1:-1:2].inc(y), array(7), array(3)),
    row("slice_add", "axes", lambda x, y: [x[-1].inc(y), x[:, 1].inc(1), x[None].inc(y)], array(5, 3), array(3)),
    row("window", "rows", lambda x: [at.sliding_window_view(x, 3, 0) * 2, at.sliding_window_view(x, (2, 3)).sum(0)],
        array(6, 5)),
    row("window_add", "pooling", lambda x: grads(lambda x: at.nnet.pool_2d(x, (2, 3), stride=(1, 2), pad=1), x),
        array(2, 5, 7)),
    row("window_add", "product", lambda x, y: grads(lambda x, y: at.sliding_window_view(x, 3) * y, x, y), array(8),
        array(3)),
    row("contract", "windows", lambda x, y: [at.nnet.conv2d(x, y), at.sliding_window_view(x[0, 0, 0], 2) @ y[0, 0].T],
        array(2, 3, 5, 6), array(4, 3, 3, 2)),
    row("contract_windows", "steps", lambda x, y: grads(lambda x, y: at.nnet.conv2d(
        x, y, border_mode=(1, (0, 2)), subsample=(2, 1), filter_flip=False, filter_dilation=(1, 2)), x, y),
        array(2, 2, 6, 5), array(3, 2, 2, 3)),
    row("contract_windows", "groups", lambda x, y: grads(lambda x, y: at.nnet.conv1d(x, y, num_groups=2), x, y),
        array(3, 4, 7), array(6, 2, 3)),
    row("contract_windows", "one image", lambda x: grads(lambda x: at.nnet.conv2d(
        x, array(2, 1, 2, 3), subsample=(2, 1)), x), array(1, 1, 6, 5), shapes=[(1, 1, None, 5)]),
    row("window_add", "one axis", lambda x: grads(lambda x: at.sliding_window_view(x, 3).max(-1), x), array(9)),
    row("contract_windows", "transposed", lambda x, y: at.nnet.conv2d_transpose(x, y, input_dilation=(2, 3)),
        array(2, 3, 2, 3), array(3, 2, 3, 3)),
    row("scatter_add", "of a slice", lambda x, y, i: x[1:, i].inc(y), array(5, 3), array(4, 2), np.array([1, 1])),
    row("sum_to", "unknown", lambda x, y: grads(lambda x, y: x * y, x, y), array(1, 4), array(3, 4)),
    row("sum_to", "both", lambda x, y: grads(lambda x, y: x * y, x, y), array(1, 4), array(3, 1)),
    row("sum_to", "neither", lambda x, y: grads(lambda x, y: x / (2 + y * y), x, y), array(3, 4), array(3, 4)),
    row("sum_to", "complex", lambda x, y: grads(lambda x, y: x * y, x, y), waves(1, 4), waves(3, 1)),
    row("sum_to", "complex and real", lambda x, y: grads(lambda x, y: x * y, x, y), array(1, 4), waves(3, 4)),
    row("sum_to", "alone", lambda g, x: Variable(sum_to_shape(as_node(g), as_node(x).shape)), array(3, 4), array(3, 1)),
    row("sum_to", "gradient", lambda g, x: grads(
        lambda g, x: Variable(sum_to_shape(as_node(g), as_node(x).shape)), g, x)[:1], array(3, 4), array(3, 1)),
    row("take", "rows", lambda x, i: x[i] * 2, array(4, 3), np.array([0, -1, 2, 2])),
    row("take", "alone", lambda x, i: x[i], array(4), np.array([[0, -1], [2, 2]])),
    row("take", "pairs", lambda x, i, j: x[i, j] + 1, array(4, 3), np.array([0, 1, -1]), np.array([2, 0, -3])),
    row("take", "apart", lambda x, i, j: x[i, :, j] + 1, array(4, 2, 3), np.array([0, 1]), np.array([2, 0])),
    row("take", "middle", lambda x, i: x[:, i] * 2, array(2, 4, 3), np.array([[0, 3], [1, -1]])),
    row("take", "empty", lambda x, i: x[i] + 1, array(4, 3), np.zeros(0, I64)),
    row("take", "arange", lambda x, i: x[at.arange(i.shape[0]), i] + 1, array(3, 4), np.array([0, 3, 1])),
    row("take", "narrow", lambda x, i: x[i] + 1, array(4), np.array([0, 3, 1], np.int8)),
    row("scatter_add", "repeated", lambda x, i: grads(lambda x, i: x[i], x, i), array(4, 3), np.array([0, -1, 2, 2])),
    row("scatter_add", "complex", lambda x, i: grads(lambda x, i: x[i], x, i), waves(4, 3), np.array([0, -1, 2, 2])),
    row("scatter_add", "pairs", lambda x, i, j: grads(lambda x, i, j: x[i, j], x, i, j), array(4, 3),
        np.array([0, 0, -1]), np.array([2, 2, -3])),
    row("scatter_add", "one a row", lambda x, i: grads(lambda x, i: x[at.arange(i.shape[0]), i], x, i), array(3, 4),
        np.array([0, 3, 1])),
    row("scatter_set", "rows", lambda x, y, i: x[i].set(y), array(4, 3), array(3, 3), np.array([0, -1, 2])),
    row("scatter_set", "repeated", lambda x, y, i: x[i].set(y), array(4, 3), array(4, 3), np.array([2, -1, 2, -2])),
    row("scatter_set", "pairs", lambda x, y, i, j: [x[i, j].set(y), x[:, j].set(1)], array(4, 3), array(3),
        np.array([0, 0, -1]), np.array([2, 2, -3])),
    row("scatter_set", "middle", lambda x, y, i: x[:, i].set(y), array(2, 4, 3), array(2, 2, 3), np.array([3, 1])),
    row("scatter_add", "values", lambda x, y, i: x[i].inc(y), array(4, 3), array(4, 3), np.array([0, -1, 2, 2])),
    row("scatter_add", "broadcast", lambda x, y, i: x[:, i].inc(y[:, None]), array(4, 3), array(4),
        np.array([0, -1, 2, 2])),
    row("cumsum", "axes", lambda x: [x.cumsum(0), x.cumsum(-1) * 2, x.cumsum()], array(3, 4)),
    row("cumsum", "of a computation", lambda x: at.exp(x).cumsum(1).sum(0), array(3, 4)),
    row("cumsum", "empty", lambda x: [x.cumsum(0), x.cumsum(1), x.cumsum()], np.zeros((0, 3))),
    row("cumsum", "integers", lambda x: [x.cumsum(), (x > 2).cumsum(0), x.cumsum(dtype="float32")], whole(3, 4),
        smooth=False),
    row("cumprod", "complex", lambda x: [x.cumprod(0), (x * np.array([1, 0, 1, 2])).cumsum(1).cumprod()], waves(3, 4)),
    row("cumprod", "axes", lambda x: [x.cumprod(0), x.cumprod(1), x.cumprod()], array(3, 4)),
    row("cumprod", "zeros", lambda x: (x * np.array([1, 1, 0, 1, 0, 2])).cumprod(), array(6)),
    row("scatter_add", "mask", lambda x: x[x > 0] * 2, array(3, 4)),
    row("scatter_add", "mask of rows", lambda x, y: [x[y > 0], x[:, 1:3][y > 0].sum(0)], array(3, 4), array(3)),
    row("scatter_add", "nothing true", lambda x: [x[x > 9], x[at.isnan(x)].sum()], array(3, 4)),
    row("scatter_add", "all true", lambda x: at.exp(x[x < 9]), array(5)),
    row("scatter_add", "masks in a row", lambda x: (lambda y: y[y < 1].cumsum())(x[x > 0]), array(12)),
    row("scatter_add", "empty mask", lambda x: x[x > 0], np.zeros((0, 3))),
    row("scatter_add", "nonzero", lambda x: [*(x > 0).nonzero(), at.argwhere(x < 0)], array(3, 4), smooth=False),
    row("scatter_add", "compress", lambda x: at.compress([True, False, True], x, axis=1), array(2, 3)),
    row("scatter_set", "mask", lambda x, y: x[x > 0].set(y[(x > 0).flatten()]), array(3, 4), array(12)),
    row("scatter_add", "to a mask", lambda x: [x[x > 0].inc(1), x[x[:, 0] > 0].set(5), x[x > 0].inc(x[x > 0])],
        array(3, 4)),
    row("disconnected_grad", "product", lambda x: [x * ag.disconnected_grad(x), grads(
        lambda x: x * ag.disconnected_grad(x), x)[0]], array(3), smooth=False),
    row("zero_grad", "power", lambda x: [ag.zero_grad(x) * 2, grads(lambda x: ag.zero_grad(x) * x, x)[0]], array(3),
        smooth=False),
    row("grad_clip", "cube", lambda x: [ag.grad_clip(x, -1, 1) * 2, grads(lambda x: ag.grad_clip(x, -1, 1) ** 3, x)[0]],
        array(3), smooth=False),
    row("hint", "kept", lambda x: ag.hint(at.tanh(x), recompute=False) * x, array(3, 4)),
    row("hint", "computed anew", lambda x: ag.hint(at.exp(x), recompute=True)[::-1] + at.exp(x), array(3, 4)),
    row("grad_scale", "square", lambda x: [ag.grad_scale(x, 2) + 1, grads(lambda x: ag.grad_scale(x, -1) ** 2, x)[0]],
        array(3), smooth=False),
    row("custom", "its own", lambda x, y: ag.custom_gradient(lambda x, y: x * at.exp(y.sum()))(x, y) * 2, array(3, 2),
        array(4)),
    row("custom", "given", lambda x: ag.custom_gradient(
        at.sin, lambda xs, ys, gs: [gs[0] * at.cos(xs[0])], lambda xs, ys, ts: [ts[0] * at.cos(xs[0])])(x), array(3)),
    row("custom", "two outputs", lambda x: ag.custom_gradient(
        lambda x: [x * 2, x.sum(0) * np.arange(2.0)],
        lambda xs, ys, gs: gs[0] * 2 + (gs[1] * np.arange(2.0)))(x), array(3, 2)),
    row("custom", "graph", lambda x, y: (lambda a, b: ag.OpFromGraph([a, b], [a @ b, a.sum()])(x, y))(
        at.matrix(), at.vector()), array(3, 2), array(2)),
    row("python_call", "sizes", lambda x: sorted_unique(x).shape[0] + x.sum(), array(5), smooth=False),
    row("python_result", "values", lambda x, y: [sorted_unique(x) * 2, sorted_unique(y.flatten()).sum()], array(5),
        array(3, 2), smooth=False),
    row("searchsorted", "vector", lambda a, v: [at.searchsorted(a, v), at.searchsorted(a, -v[:, ::-1], "right")],
        np.sort(array(9)), array(3, 4), smooth=False),
    row("searchsorted", "computed", lambda a, v: [at.searchsorted(at.exp(a), v * 2), at.searchsorted(a, v[0, 0])],
        np.sort(array(9)), array(3, 4), smooth=False),
    row("searchsorted", "empty", lambda a, v: [at.searchsorted(a[:0], v), at.searchsorted(a, v[:0])],
        np.sort(array(9)), array(3, 4), smooth=False),
    row("argsort", "axes", lambda x: [at.argsort(x), at.argsort(x, 0), at.argsort(x, None)], array(4, 5), smooth=False),
    row("argsort", "values", lambda x: [at.sort(x), at.sort(x, 0), x.sort(None) * 2], array(4, 5)),
    row("argsort", "many", lambda x: [at.sort(x), at.argsort(-x)], array(300), smooth=False),
    row("argsort", "equal", lambda x: [at.argsort(at.floor(x)), at.argsort(x > 0)], array(100), smooth=False),
    row("argsort", "empty", lambda x: [at.sort(x), at.sort(x, 0), at.unique(x)], np.zeros((0, 3))),
    row("argsort", "dtypes", lambda x: [at.argsort(x.astype(d)) for d in (*dt.SIGNED, *dt.UNSIGNED, "float32")],
        whole(70), smooth=False),
    row("argsort", "greatest", lambda x: [at.topk(x, 2), at.topk(x, -2, 0), at.argtopk(x, 3).sum() * 1.0], array(4, 5)),
    row("argsort", "special", lambda x: [at.sort(x * y) for y in (SPECIAL, -SPECIAL, np.tile(SPECIAL, 9)[:, None])],
        array(8), smooth=False),
    row("argsort", "median", lambda x: [at.median(x), at.median(x, 1), at.median(x, 0, keepdims=True)], array(4, 5)),
    row("argsort", "quantiles",
        lambda x, q: [at.quantile(x, [0.1, 0.5, 1]), at.quantile(x, q, 1), at.percentile(x, 30.0, 0)],
        array(4, 5), np.array(0.3)),
    row("argsort", "unique", lambda x: at.unique(at.floor(x) * 1.0), array(20), smooth=False),
    row("nonempty", "sizes", lambda x: [x.max(0), x.argmin(1), x.min()], array(3, 4), smooth=False),
    row("nonempty", "no results", lambda x: x.max(1), np.zeros((0, 3))),
    row("nonempty", "gradient", lambda x: x.max(0) * x.min(1).sum(), array(3, 4)),
    row("concatenate", "rows", lambda x, y: at.concatenate([x, y * 2, x]), array(2, 3), array(1, 3)),
    row("concatenate", "columns", lambda x, y: at.concatenate([x, y], axis=1), array(2, 3), array(2, 1)),
    row("concatenate", "empty", lambda x, y: at.concatenate([x, y]), np.zeros(0), array(3)),
    row("concatenate", "stacked", lambda x, y: at.stack([x, y + 1], axis=-1), array(2, 3), array(2, 3)),
    row("iota", "of a size", lambda x: x * at.arange(x.shape[0]), array(4)),
    row("iota", "alone", lambda n: at.arange(n), I64(5), smooth=False),
    row("iota", "empty", lambda n: at.arange(n) * 2, I64(0), smooth=False),
    row("contract", "matrices", lambda x, y: x @ y, array(3, 4), array(4, 2)),
    row("contract", "vectors", lambda x, y: [x @ y, at.outer(x, y)], array(4), array(4)),
    row("contract", "matrix and vector", lambda x, y: [x @ y, y @ x.T], array(3, 4), array(4)),
    row("contract", "batches", lambda x, y: x @ y, array(2, 3, 4), array(2, 4, 2)),
    row("contract", "batches broadcast", lambda x, y: x @ y, array(2, 3, 4), array(1, 4, 2)),
    row("contract", "transposed", lambda x, y: [x.T @ y, (y.T @ x).T, y.T @ y], array(4, 3), array(4, 2)),
    row("contract", "sliced", lambda x, y: x[::2, ::-1] @ y[:, 1:], array(4, 3), array(3, 3)),
    row("contract", "tensordot", lambda x, y: at.tensordot(x, y, ([1, 2], [1, 0])), array(2, 3, 4), array(4, 3, 2)),
    row("contract", "integers", lambda x, y: x @ y, whole(3, 4), whole(4, 2), smooth=False),
    row("contract", "booleans", lambda x, y: x @ y, whole(3, 4) > 0, whole(4, 2) > 0, smooth=False),
    row("contract", "single", lambda x, y: x @ y, array(3, 4).astype("f4"), array(4, 2).astype("f4"), smooth=False),
    row("contract", "complex", lambda x, y: [x @ y, y.T @ x.T, at.tensordot(x, y, ([0, 1], [1, 0]))], waves(3, 2),
        waves(2, 3)),
    row("contract", "complex batches", lambda x, y: [x @ y.mT, (x[::2, ::-1] @ y.mT)[:, ::2]], waves(4, 3, 2),
        waves(1, 3, 2)[:, ::-1]),
    row("contract", "complex, scaled and added", lambda x, y, c: c - 2j * (x.T @ y), waves(5, 3), waves(5, 4),
        waves(3, 4)),
    row("contract", "complex, empty", lambda x, y: [x @ y, y @ x], waves(3, 0), waves(0, 3)),
    row("contract", "complex, single", lambda x, y: x @ y, waves(9, 8).astype("c8"), waves(8, 7).astype("c8"),
        smooth=False),
    row("contract", "complex and real", lambda x, y: x @ y, waves(3, 4), array(4, 2)),
    row("contract", "complex vectors", lambda x, y: [x.conj() @ y, at.outer(x, y)], waves(40), waves(40)),
    *(row(op, f"halves {d} {k}", make, array(3, 4).astype(d), array(4, 3).astype(d), smooth=False)
      for d in dt.HALVES for k, (op, make) in enumerate(HALF)),
    row("contract", "one column of many", lambda x, y: node_of("contract", x, y, labels="Zijl,ijk->Zkl"),
        array(6, 2, 3, 1), array(2, 3, 4), shapes=[(None, None, 3, 1), (None, 3, None)]),
    row("contract", "empty", lambda x, y: [x @ y, y @ x], np.zeros((3, 0)), np.zeros((0, 3))),
    row("contract", "one", lambda x, y: x @ y, array(1, 1), array(1, 1)),
    row("gemm", "sum", lambda c, x, y: c + 2 * (x @ y), array(3, 2), array(3, 4), array(4, 2)),
    row("gemm", "difference", lambda c, x, y: [c - x @ y, (y.T @ x.T).T * -3 - c],
        array(3, 2), array(3, 4), array(4, 2)),
    row("contract", "bias", lambda c, x, y: c + x @ y, array(2), array(3, 4), array(4, 2)),
    row("gemm", "empty", lambda c, x, y: c + x @ y, array(3, 2), np.zeros((3, 0)), np.zeros((0, 2))),
    row("solve", "matrix", lambda a, b: at.solve(a, b), solvable(3), array(3, 2)),
    row("solve", "vector", lambda a, b: at.solve(a, b) * 2, solvable(3), array(3)),
    row("solve", "transposed", lambda a, b: at.solve(a.T, b[::-1]), solvable(3), array(3, 2)),
    row("solve", "empty", lambda a, b: at.solve(a, b), np.zeros((0, 0)), np.zeros((0, 2))),
    row("solve", "complex", lambda a, b: [at.solve(a, b), at.solve(a.T, b[::-1])], solvable(3) + 1j * array(3, 3),
        waves(3, 2)),
    row("solve", "complex and real", lambda a, b: at.solve(a, b), solvable(3), waves(3)),
    row("solve", "complex, empty", lambda a, b: at.solve(a, b), waves(0, 0), waves(0, 2)),
    row("solve", "complex, single", lambda a, b: at.solve(a, b), (solvable(3) + 1j * array(3, 3)).astype("c8"),
        waves(3, 2).astype("c8"), smooth=False),
    row("solve", "single", lambda a, b: at.solve(a, b), solvable(3).astype("f4"), array(3, 2).astype("f4"),
        smooth=False),
    *(row(name, f"axis {axis}", lambda x, name=name, axis=axis: node_of(name, x, axes=axis), array(2, 3, 4))
      for name in ("softmax", "log_softmax", "logsumexp") for axis in ((0,), (1,), (2,), (0, 2), (0, 1, 2))),
    *(row(name, "infinite", lambda x, name=name: node_of(name, x, axes=(1,)),
          np.array([[-np.inf, -np.inf], [np.inf, 0], [np.nan, 1], [-np.inf, 5], [1e300, -1e300]]), smooth=False)
      for name in ("softmax", "log_softmax", "logsumexp")),
    *(row(name, "empty", lambda x, name=name: node_of(name, x, axes=(1,)), np.zeros((3, 0)), smooth=False)
      for name in ("softmax", "log_softmax", "logsumexp")),
    row("softmax_grad", "gradient", lambda x: grads(at.nnet.softmax, x), array(3, 4)),
    row("softmax_grad", "alone", lambda g, x: node_of("softmax_grad", g, x, axes=(0,)), array(3, 4), array(3, 4)),
    *(row(name, f"axis {axis}", lambda x, name=name, axis=axis: getattr(at, name)(x, axis=axis), values, smooth=False)
      for name in ("argmax", "argmin") for axis in (None, 0, -1)
      for values in (array(3, 4), whole(3, 4), array(3, 4).astype("f4"), whole(3, 4) > 0)),
    *(row(name, "NaN", lambda x, name=name: getattr(at, name)(x, axis=1),
          np.array([[1, np.nan, 3, np.nan], [np.inf, 1, np.inf, -np.inf], [-np.inf] * 4]), smooth=False)
      for name in ("argmax", "argmin")),
    *(row(name, "empty", lambda x, name=name: getattr(at, name)(x, axis=0), np.zeros((2, 0)), smooth=False)
      for name in ("argmax", "argmin")),
    row("branch", "then", lambda x, y: ag.ifelse(x.sum() < 1e9, at.tanh(x) * y.sum(), y), array(3, 4), array(3, 4)),
    row("branch", "otherwise", lambda x, y: ag.ifelse(x.sum() > 1e9, x, x @ y.T @ y / 9), array(3, 4), array(3, 4)),
    row("branch", "several", lambda x: ag.ifelse(x[0] < 1e9, [x * 2, x.sum()], [x, x.max()]), array(5)),
    row("branch", "nested", lambda x, y: ag.ifelse(x[0] < 1e9, ag.ifelse(x[1] < -1e9, x, at.sin(x) * y), y), array(5),
        array(5)),
    row("loop", "numbers", lambda x: ag.scan(lambda v, h: at.tanh(v + h / 2), x, at.zeros(()))[0], array(6)),
    row("loop", "last", lambda x: ag.scan(lambda v, h: at.tanh(v + h / 2), x, at.zeros(()))[0][-1], array(6)),
    row("loop", "rows", lambda x, w, h: ag.scan(lambda v, h: at.tanh(v + h @ w), x, h)[0], array(4, 3), array(3, 3) / 5,
        array(3)),
    row("loop", "matrices", lambda x, w, h: [p[-1] for p in ag.scan(lambda v, h, k: (at.tanh(v @ w + h), k + h.sum()),
        x, [h, at.zeros(())])[0]], array(3, 2, 4), array(4, 4) / 5, array(2, 4)),
    row("loop", "taps", lambda x, h: ag.scan(lambda a, b, h2, h1: at.sin(a * h2) + b / (2 + h1**2),
        {"input": x, "taps": [-1, 1]}, {"initial": h, "taps": [-2, -1]})[0], array(6), array(2)),
    row("loop", "each", lambda x: ag.scan(lambda v: [(v * v).sum(), at.exp(-v * v)], x[::-1])[0], array(3, 4)),
    row("loop", "nested", lambda x: ag.scan(lambda r: ag.scan(lambda v, t: t / 2 + v * v, r, at.ones(()))[0][-1], x)[0],
        array(3, 4)),
    row("loop", "steps", lambda x: ag.scan(lambda h: at.cos(h) + x[0], None, x, n_steps=x.shape[0])[0], array(4)),
    row("loop", "no steps", lambda x, h: ag.scan(lambda v, h: h * v, x, h)[0], np.zeros((0, 3)), array(3)),
    row("loop", "single", lambda x: ag.scan(lambda v, h: at.tanh(v + h / 2), x, at.zeros((), dtype="float32"))[0],
        array(6).astype("f4"), smooth=False),
    *(row(name, "of arrays", getattr(at, name), array(3, 5) * 3) for name in ("j0", "j1", "i0", "i1")),
    *(row(name, "of arrays", getattr(at, name), np.abs(array(4, 1)), np.abs(array(4, 5)))
      for name in ("gammainc", "gammaincc")),
    *(row(name, "by the second", lambda x, name=name: getattr(at, name)(np.array([[0.7], [3.0]]), x),
            np.abs(array(4))) for name in ("gammainc_shape", "jv", "iv")),
]  # fmt: skip

NAMED = {e.op for e in EXPRESSIONS}
__all__ = ["EXPRESSIONS", "NAMED", "Expression", "array", "broadcast_dims", "cast", "dim_node", "whole"]
