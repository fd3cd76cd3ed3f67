"""Activation functions of neural networks, as expressions of the elementwise ops."""

from __future__ import annotations

import math
from typing import Any

from agnesi.ir.node import Node
from agnesi.ir.variable import as_node, lift
from agnesi.ops import elementwise as ew
from agnesi.ops.pointwise import clip, floats

# The fixed point of Klambauer et al., Self-Normalizing Neural Networks (2017)
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


@lift
def relu(x: Node, alpha: Any = 0) -> Node:
    """max(x, 0) + alpha * min(x, 0); its derivative at 0 is the mean of both slopes.

    >>> import numpy as np, agnesi.tensor as at
    >>> at.nnet.relu(np.array([-2.0, 3.0]), alpha=0.5).eval().tolist()
    [-1.0, 3.0]
    """
    x = as_node(x)
    if isinstance(alpha, (int, float)) and alpha == 0:
        return ew.maximum(x, 0)
    return ew.maximum(x, 0) + alpha * ew.minimum(x, 0)


@lift
def elu(x: Node, alpha: Any = 1.0) -> Node:
    """x for positive x, alpha * (exp(x) - 1) elsewhere."""
    (x,) = floats(x)
    return ew.where(x > 0, x, alpha * ew.expm1(x))


@lift
def selu(x: Node) -> Node:
    """The elu that keeps mean 0 and variance 1 from layer to layer (Klambauer et al. 2017)."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


@lift
def softsign(x: Node) -> Node:
    """x / (1 + |x|)"""
    (x,) = floats(x)
    return x / (1 + ew.abs_(x))


@lift
def hard_sigmoid(x: Node) -> Node:
    """0.2 * x + 0.5 held within [0, 1]."""
    return clip(0.2 * floats(x)[0] + 0.5, 0, 1)


@lift
def ultra_fast_sigmoid(x: Node) -> Node:
    """The sigmoid itself: it is fast enough, so nothing is approximated."""
    return ew.sigmoid(as_node(x))


@lift
def logsigmoid(x: Node) -> Node:
    """log(sigmoid(x)), without underflow."""
    return -ew.softplus(-floats(x)[0])


@lift
def gelu(x: Node) -> Node:
    """x times the probability that a standard normal number is less than x."""
    (x,) = floats(x)
    return 0.5 * x * ew.erfc(x * -math.sqrt(0.5))


@lift
def silu(x: Node) -> Node:
    """x * sigmoid(x), also called swish."""
    (x,) = floats(x)
    return x * ew.sigmoid(x)


swish = silu
