"""Batch normalization, after Ioffe and Szegedy (2015)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from agnesi.errors import TypeMismatch
from agnesi.ir.node import Node, cast
from agnesi.ir.variable import as_node, lift
from agnesi.ops import elementwise as ew
from agnesi.ops.index import expand_dims, normalize_axes
from agnesi.ops.reduce import count, mean as mean_of, var as var_of

Axes = str | int | Sequence[int]


def _axes(name: str, x: Node, axes: Axes) -> tuple[int, ...]:
    """The axes over which is averaged."""
    if axes == "per-activation":
        return (0,)
    if axes == "spatial":
        return (0, *range(2, x.ndim))
    if isinstance(axes, str):
        raise TypeMismatch(f'{name}: axes are "per-activation", "spatial" or numbers, not {axes!r}')
    return normalize_axes(axes, x.ndim)


def _parameter(name: str, value: Any, x: Node, axes: tuple[int, ...]) -> Node:
    """A parameter with the axes of x, of size 1 where is averaged; it may come without those."""
    node = as_node(value)
    if node.ndim == x.ndim:
        return node
    if node.ndim != x.ndim - len(axes):
        raise TypeMismatch(f"{name}: a parameter {node.type} does not fit {x.type} with averages over the axes {axes}")
    return expand_dims(node, axes)


@lift
def batch_normalization_test(
    inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Axes = "per-activation", epsilon: Any = 1e-4
) -> Node:
    """gamma * (inputs - mean) / sqrt(var + epsilon) + beta, for averages that are given.

    axes: those over which was averaged: "per-activation" the first one, "spatial" all but the second, or numbers. The
    other arguments have the remaining axes, or all with size 1 in these.
    """
    x, name = as_node(inputs), "batch_normalization_test"
    over = _axes(name, x, axes)
    g, b, m, v = (_parameter(name, p, x, over) for p in (gamma, beta, mean, var))
    return g * ((x - m) / ew.sqrt(v + cast(as_node(epsilon), v.dtype))) + b


@lift
def batch_normalization_train(
    inputs: Any, gamma: Any, beta: Any, axes: Axes = "per-activation", epsilon: Any = 1e-4,
    running_average_factor: Any = 0.1, running_mean: Any = None, running_var: Any = None,
) -> list[Node]:  # fmt: skip
    """Inputs normalized by the averages of a batch, these averages, and 1 / sqrt(variance + epsilon).

    Arguments as for batch_normalization_test. Given running_mean and running_var, two more results are their next
    values, to which the batch contributes running_average_factor, with its unbiased variance.

    >>> import numpy as np, agnesi.tensor as at
    >>> out, mean, _ = at.nnet.batch_normalization_train(np.array([[1.0], [3.0]]), 2.0 * np.ones(1), np.zeros(1))
    >>> out.eval().round(3).tolist(), mean.eval().tolist()
    ([[-2.0], [2.0]], [[2.0]])
    """
    x, name = as_node(inputs), "batch_normalization_train"
    over = _axes(name, x, axes)
    g, b = (_parameter(name, p, x, over) for p in (gamma, beta))
    mean, var = mean_of(x, over, keepdims=True), var_of(x, over, keepdims=True)
    scale = 1 / ew.sqrt(var + cast(as_node(epsilon), var.dtype))
    results = [g * ((x - mean) * scale) + b, mean, scale]
    if (running_mean is None) != (running_var is None):
        raise TypeMismatch(f"{name}: running_mean and running_var are given together")
    if running_mean is not None:
        n, part = count(x, over, var.dtype), cast(as_node(running_average_factor), var.dtype)
        for before, now in ((running_mean, mean), (running_var, var * (n / (n - 1)))):
            results.append(_parameter(name, before, x, over) * (1 - part) + now * part)
    return results
