"""The workloads, one module per family."""

from . import (
    cross_entropy,
    density,
    elementwise,
    formulas,
    images,
    layer_norm,
    logsumexp,
    loops,
    overhead,
    randoms,
    recurrent,
    reductions,
    rows,
    train,
)

WORKLOADS = [
    *elementwise.WORKLOADS,
    *train.WORKLOADS,
    *cross_entropy.WORKLOADS,
    *layer_norm.WORKLOADS,
    *logsumexp.WORKLOADS,
    *formulas.WORKLOADS,
    *reductions.WORKLOADS,
    *rows.WORKLOADS,
    *density.WORKLOADS,
    *loops.WORKLOADS,
    *recurrent.WORKLOADS,
    *images.WORKLOADS,
    *randoms.WORKLOADS,
    *overhead.WORKLOADS,
]
