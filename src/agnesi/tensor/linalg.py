"""Linear algebra, under the names of `numpy.linalg`."""

from agnesi.ops.products import solve as solve
from agnesi.ops.statistics import matrix_norm as matrix_norm, norm as norm, vector_norm as vector_norm
