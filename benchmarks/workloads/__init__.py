"""The workloads, one module per family."""

from . import cross_entropy, elementwise, layer_norm, logsumexp, overhead, train

WORKLOADS = [
    *elementwise.WORKLOADS,
    *train.WORKLOADS,
    *cross_entropy.WORKLOADS,
    *layer_norm.WORKLOADS,
    *logsumexp.WORKLOADS,
    *overhead.WORKLOADS,
]
