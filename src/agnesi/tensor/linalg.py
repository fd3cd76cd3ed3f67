"""Linear algebra, under the names of `numpy.linalg`."""

from agnesi.ops.diagonal import diagonal as diagonal, trace as trace
from agnesi.ops.einsum import matrix_dot as matrix_dot, multi_dot as multi_dot
from agnesi.ops.products import (
    kron as kron,
    matmul as matmul,
    matrix_power as matrix_power,
    outer as outer,
    solve as solve,
    tensordot as tensordot,
    vecdot as vecdot,
)
from agnesi.ops.shape import matrix_transpose as matrix_transpose
from agnesi.ops.statistics import matrix_norm as matrix_norm, norm as norm, vector_norm as vector_norm
