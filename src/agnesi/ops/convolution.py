"""Convolutions as products of windows; what their derivatives are made of has names too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from agnesi.errors import TypeMismatch
from agnesi.ir import dims
from agnesi.ir.node import Node, dim_node
from agnesi.ir.type import Dim, same
from agnesi.ir.variable import as_node, lift, method
from agnesi.ops import elementwise as ew
from agnesi.ops.index import reshape_dims, section, sizes_of, slice_
from agnesi.ops.pad import pad
from agnesi.ops.products import product
from agnesi.ops.shape import specify_shape
from agnesi.ops.window import Moves, reach, window_add, windows

PLACES, KERNEL = "xyz", "uvw"  # labels of the axes along which a kernel moves, and of its own

Sizes = Sequence[Dim]


@dataclass(frozen=True)
class Movement:
    """How kernels move over images: for each of the axes along which they do, their steps, the distance of their
    elements, and what is added before and after the image; how many groups of channels have kernels of their own, and
    whether each place has."""

    name: str
    steps: tuple[int, ...]
    dilations: tuple[int, ...]
    padding: tuple[tuple[Dim, Dim], ...]
    groups: int
    unshared: bool

    @property
    def rank(self) -> int:
        return len(self.steps)

    @property
    def labels(self) -> tuple[str, str, str]:
        """The labels of windows of images, of kernels, and of results."""
        places, kernel = PLACES[: self.rank], KERNEL[: self.rank]
        g = "g" if self.groups > 1 else ""
        own = places if self.unshared else ""
        return f"n{g}c{places}{kernel}", f"{g}o{own}c{kernel}", f"n{g}o{places}"

    @property
    def moves(self) -> Moves:
        """How windows move over images in groups of channels."""
        first = 3 if self.groups > 1 else 2
        return tuple((first + k, *move) for k, move in enumerate(zip(self.steps, self.dilations, strict=True)))

    def windows(self, images: Node, kernel: Sizes) -> Node:
        """The windows of images, in groups of channels."""
        around = [tuple(map(dim_node, pair)) for pair in self.padding]
        x = pad(images, [(0, 0), (0, 0), *around]) if self.pads else images
        return windows(self.split(x, 1), kernel, self.moves)

    def added(self, parts: Node, sizes: Sizes) -> Node:
        """Windows added up to images of these sizes, without what is around them: the gradient of `windows`."""
        lengths = [dims.add(n, dims.add(*pair)) for n, pair in zip(sizes, self.padding, strict=True)]
        x = window_add(parts, *map(dim_node, lengths), moves=self.moves)
        if self.pads:
            bounds = [dim_node(d) for n, (low, _) in zip(sizes, self.padding, strict=True) for d in (low, n)]
            axes = tuple(axis for axis, _, _ in self.moves)
            x = slice_(x, *bounds, axes=axes, steps=(1,) * len(axes))
        return self.join(x, 1)

    @property
    def pads(self) -> bool:
        return not all(same(d, 0) for pair in self.padding for d in pair)

    def split(self, x: Node, axis: int) -> Node:
        """An axis as one over groups and one over what is in each; as it is where there is one group."""
        if self.groups == 1:
            return x
        if isinstance(x.shape[axis], int) and x.shape[axis] % self.groups:
            raise TypeMismatch(f"{self.name}: the {x.shape[axis]} of axis {axis} do not make {self.groups} groups")
        size = dims.floordiv(x.shape[axis], self.groups)
        return reshape_dims(x, (*x.shape[:axis], self.groups, size, *x.shape[axis + 1 :]))

    def join(self, x: Node, axis: int) -> Node:
        """Groups one after another, as before `split`."""
        if self.groups == 1:
            return x
        return reshape_dims(x, (*x.shape[:axis], dims.mul(self.groups, x.shape[axis + 1]), *x.shape[axis + 2 :]))


def movement(
    name: str, rank: int, kernel: Sizes, border: Any, steps: Any, dilations: Any, groups: Any, unshared: bool = False
) -> Movement:
    """What a user says of a convolution, checked. Raises TypeMismatch."""
    steps = numbers(name, rank, steps, "a step")
    dilations = numbers(name, rank, dilations, "a dilation")
    if index(groups) < 1:
        raise TypeMismatch(f"{name}: num_groups must be at least 1, not {groups}")
    reaches = [reach(size, dilation) for size, dilation in zip(kernel, dilations, strict=True)]
    return Movement(name, steps, dilations, _padding(name, border, reaches), index(groups), unshared)


def numbers(name: str, rank: int, value: Any, what: str, least: int = 1) -> tuple[int, ...]:
    """An integer for each axis, from one for all of them or a sequence. Raises TypeMismatch."""
    try:
        found = tuple(map(index, value)) if isinstance(value, (tuple, list)) else (index(value),) * rank
    except TypeError:
        found = ()
    if len(found) != rank or min(found) < least:
        raise TypeMismatch(f"{name}: {what} is an integer from {least} on for each of {rank} axes, not {value!r}")
    return found


def _padding(name: str, border: Any, reaches: Sizes) -> tuple[tuple[Dim, Dim], ...]:
    """What is added to each axis, from a name, a number, or a number or pair for each."""
    if border == "valid":
        return ((0, 0),) * len(reaches)
    if border == "full":
        return tuple((dims.sub(r, 1), dims.sub(r, 1)) for r in reaches)
    if border == "half":
        return tuple((dims.floordiv(r, 2), dims.floordiv(r, 2)) for r in reaches)
    if border == "same":
        return tuple((dims.floordiv(dims.sub(r, 1), 2), dims.floordiv(r, 2)) for r in reaches)
    if isinstance(border, str):
        raise TypeMismatch(f'{name}: border_mode is "valid", "full", "half", "same" or numbers, not {border!r}')
    rows = list(border) if isinstance(border, (tuple, list)) else [border] * len(reaches)
    pairs = [tuple(map(index, r)) if isinstance(r, (tuple, list)) else (index(r),) * 2 for r in rows]
    if len(pairs) != len(reaches) or any(len(p) != 2 or min(p) < 0 for p in pairs):
        raise TypeMismatch(f"{name}: border_mode {border!r} is no number, or pair of them, for each of the axes")
    return tuple((low, high) for low, high in pairs)


def _given(name: str, x: Any, axes: int, what: str, shape: Any = None) -> Node:
    """An argument of so many axes, with the sizes that are known of it."""
    node = as_node(x)
    if node.ndim != axes:
        raise TypeMismatch(f"{name} takes {what} of {axes} axes, not {node.type}")
    return node if shape is None else as_node(specify_shape(node, shape))


def _turned(filters: Node, rank: int, flip: bool) -> Node:
    """The filters, from the last element of a kernel to the first if it is to be flipped."""
    if not flip:
        return filters
    axes = tuple(range(filters.ndim - rank, filters.ndim))
    bounds = [dim_node(d) for a in axes for d in (dims.sub(filters.shape[a], 1), filters.shape[a])]
    return slice_(filters, *bounds, axes=axes, steps=(-1,) * rank)


def of_images(images: Node, filters: Node, how: Movement, flip: bool) -> Node:
    """The images convolved with the filters."""
    kernel = filters.shape[filters.ndim - how.rank :]
    left, right, out = how.labels
    w = how.split(_turned(filters, how.rank, flip), 0)
    return how.join(product(how.windows(images, kernel), w, f"{left},{right}->{out}"), 1)


def to_images(results: Node, filters: Node, sizes: Sizes, how: Movement, flip: bool) -> Node:
    """The gradient of a convolution by its images of these sizes, from that by its results."""
    left, right, out = how.labels
    w = how.split(_turned(filters, how.rank, flip), 0)
    return how.added(product(how.split(results, 1), w, f"{out},{right}->{left}"), sizes)


def to_filters(images: Node, results: Node, kernel: Sizes, how: Movement, flip: bool) -> Node:
    """The gradient of a convolution by its filters with kernels of these sizes, from that by its results."""
    left, right, out = how.labels
    found = product(how.windows(images, kernel), how.split(results, 1), f"{left},{out}->{right}")
    return _turned(how.join(found, 0), how.rank, flip)


# -- the public functions ---------------------------------------------------------------------------------


def _of_rank(rank: int, doc: str) -> Callable[..., Any]:
    """The convolution for so many axes along which kernels move."""
    name = f"conv{rank}d"

    def conv(
        input: Any, filters: Any, input_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
        subsample: Any = 1, filter_flip: bool = True, filter_dilation: Any = 1, num_groups: int = 1,
        unshared: bool = False,
    ) -> Node:  # fmt: skip
        x = _given(name, input, 2 + rank, "images", input_shape)
        w = _given(name, filters, 2 + rank * (2 if unshared else 1), "filters", filter_shape)
        kernel = w.shape[w.ndim - rank :]
        how = movement(name, rank, kernel, border_mode, subsample, filter_dilation, num_groups, unshared)
        return of_images(x, w, how, filter_flip)

    conv.__name__ = conv.__qualname__ = name
    conv.__doc__ = doc
    return lift(conv)


conv2d = _of_rank(
    2,
    """The convolution of images (batch, channels, rows, columns) with filters (outputs, channels, rows, columns).

    border_mode: what is added around images: "valid" nothing, "full" so much that every overlap counts, "half" half of
    the kernel, "same" so much that images keep their size, or numbers for each axis, or pairs of them. subsample: the
    steps of the kernel. filter_flip: whether it is turned around, as mathematics has it; networks elsewhere do not.
    filter_dilation: the distance of its elements. num_groups: of channels, each with filters of its own. unshared:
    whether each place has filters of its own; they are (outputs, rows, columns, channels, rows, columns) then.
    input_shape, filter_shape: sizes that are known, None where they are not.

    >>> import numpy as np, agnesi.tensor as at
    >>> x = np.arange(9.0).reshape(1, 1, 3, 3)
    >>> at.nnet.conv2d(x, np.ones((1, 1, 2, 2))).eval()[0, 0].tolist()
    [[8.0, 12.0], [20.0, 24.0]]
    """,
)
conv1d = _of_rank(
    1, "conv2d for one axis: sequences (batch, channels, places) and filters (outputs, channels, places)."
)
conv3d = _of_rank(3, "conv2d for three axes: images (batch, channels, depth, rows, columns) and filters likewise.")


@lift
def conv2d_transpose(
    input: Any, filters: Any, output_shape: Any = None, filter_shape: Any = None, border_mode: Any = "valid",
    input_dilation: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Node:  # fmt: skip
    """What turns results of conv2d into images of the size that they are made from: its gradient by these.

    input: (batch, outputs, rows, columns) of a conv2d with these filters, whose `subsample` is input_dilation here.
    output_shape: of the images, (batch, channels, rows, columns), of which rows and columns count; if it is None they
    are as large as the windows reach.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.nnet.conv2d_transpose(np.ones((1, 1, 2, 2)), np.ones((1, 1, 2, 2))).eval()[0, 0].tolist()
    [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    name = "conv2d_transpose"
    g, w = _given(name, input, 4, "results"), _given(name, filters, 4, "filters", filter_shape)
    how = movement(name, 2, w.shape[2:], border_mode, input_dilation, filter_dilation, num_groups)
    return to_images(g, w, _image_sizes(name, g, w, output_shape, how), how, filter_flip)


def _image_sizes(name: str, results: Node, filters: Node, shape: Any, how: Movement) -> Sizes:
    """The sizes of images along the axes on which kernels move."""
    if shape is not None:
        return sizes_of(tuple(shape)[-how.rank :], f"{name}: a size")
    found = []
    for axis, (n, k) in enumerate(zip(results.shape[-how.rank :], filters.shape[-how.rank :], strict=True)):
        covered = dims.add(dims.mul(dims.sub(n, 1), how.steps[axis]), reach(k, how.dilations[axis]))
        found.append(dims.sub(covered, dims.add(*how.padding[axis])))
    return found


@lift
def conv2d_grad_wrt_inputs(
    output_grad: Any, filters: Any, input_shape: Any, filter_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Node:  # fmt: skip
    """The gradient of conv2d by its images, of shape input_shape, from that by its result."""
    name = "conv2d_grad_wrt_inputs"
    g, w = _given(name, output_grad, 4, "results"), _given(name, filters, 4, "filters", filter_shape)
    how = movement(name, 2, w.shape[2:], border_mode, subsample, filter_dilation, num_groups)
    return to_images(g, w, sizes_of(tuple(input_shape)[-2:], f"{name}: a size"), how, filter_flip)


@lift
def conv2d_grad_wrt_weights(
    input: Any, output_grad: Any, filter_shape: Any, input_shape: Any = None, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1), num_groups: int = 1,
) -> Node:  # fmt: skip
    """The gradient of conv2d by its filters, of shape filter_shape, from that by its result."""
    name = "conv2d_grad_wrt_weights"
    x, g = _given(name, input, 4, "images", input_shape), _given(name, output_grad, 4, "results")
    kernel = sizes_of(tuple(filter_shape)[-2:], f"{name}: a size")
    how = movement(name, 2, kernel, border_mode, subsample, filter_dilation, num_groups)
    return to_filters(x, g, kernel, how, filter_flip)


# -- made of these ----------------------------------------------------------------------------------------


@lift
def causal_conv1d(
    input: Any, filters: Any, filter_shape: Any = None, input_shape: Any = None, subsample: int = 1,
    filter_flip: bool = True, filter_dilation: int = 1, num_groups: int = 1,
) -> Node:  # fmt: skip
    """conv1d whose results depend on no later places: zeros are added before sequences only."""
    w = _given("causal_conv1d", filters, 3, "filters", filter_shape)
    before = dims.mul(dims.sub(w.shape[2], 1), numbers("causal_conv1d", 1, filter_dilation, "a dilation")[0])
    x = pad(_given("causal_conv1d", input, 3, "sequences", input_shape), [(0, 0), (0, 0), (dim_node(before), 0)])
    return as_node(conv1d(x, w, None, None, "valid", subsample, filter_flip, filter_dilation, num_groups))


@lift
def separable_conv2d(
    input: Any, depthwise_filters: Any, pointwise_filters: Any, num_channels: int, border_mode: Any = "valid",
    subsample: Any = (1, 1), filter_flip: bool = True, filter_dilation: Any = (1, 1),
) -> Node:  # fmt: skip
    """conv2d of each channel by itself, then a mixture of the channels in each place.

    depthwise_filters: (channels times multiplier, 1, rows, columns); pointwise_filters: (outputs, channels times
    multiplier, 1, 1); num_channels: of the images.
    """
    w, steps, dilations = depthwise_filters, subsample, filter_dilation
    each = conv2d(input, w, None, None, border_mode, steps, filter_flip, dilations, num_channels)
    return as_node(conv2d(each, pointwise_filters))


@method(numpy=(np.convolve,))
@lift
def convolve(a: Node, v: Node, mode: str = "full") -> Node:
    """The convolution of two sequences.

    mode: "full" wherever they overlap, "same" as long as the longer one, "valid" where one lies within the other.

    >>> import agnesi.tensor as at
    >>> at.convolve([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).eval().tolist()
    [0.0, 1.0, 2.5, 4.0, 1.5]
    """
    return _overlapping("convolve", as_node(a), as_node(v), mode)


def _overlapping(name: str, a: Node, v: Node, mode: str, later: Dim = 0) -> Node:
    """The convolution of two vectors; later: 1 where "same" begins at the later one of two places in the middle."""
    if a.ndim != 1 or v.ndim != 1:
        raise TypeMismatch(f"{name} takes two vectors, not {a.type} and {v.type}")
    if mode not in ("full", "same", "valid"):
        raise TypeMismatch(f'{name}: mode is "full", "same" or "valid", not {mode!r}')
    short, long = dims.minimum(a.shape[0], v.shape[0]), dims.maximum(a.shape[0], v.shape[0])
    if same(short, a.shape[0]):
        a, v = v, a
    k = v.shape[0]
    turned = _turned(v, 1, True)
    around = dim_node(dims.sub(k, 1))
    plain = mode == "valid" and same(short, k)
    whole = product(windows(a if plain else pad(a, (around, around)), (k,), ((0, 1, 1),)), turned, "nk,k->n")
    if plain or mode == "full":
        return whole
    if mode == "valid":
        return section(whole, 0, dims.sub(short, 1), dims.add(dims.sub(long, short), 1))
    return section(whole, 0, dims.floordiv(dims.add(dims.sub(short, 1), later), 2), long)


@method(numpy=(np.correlate,))
@lift
def correlate(a: Node, v: Node, mode: str = "valid") -> Node:
    """The correlation of two sequences: the convolution with the second one turned around, conjugate if complex.

    >>> import agnesi.tensor as at
    >>> at.correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).eval().tolist()
    [3.5]
    """
    a, v = as_node(a), as_node(v)
    if a.ndim != 1 or v.ndim != 1:
        raise TypeMismatch(f"correlate takes two vectors, not {a.type} and {v.type}")
    n, k = a.shape[0], v.shape[0]
    turned = _turned(ew.conjugate(v), 1, True)
    return _overlapping("correlate", a, turned, mode, dims.minimum(dims.maximum(dims.sub(k, n), 0), 1))
