"""Operations of one's own: what a module declares with these functions is used like any other.

>>> import numpy as np, agnesi as ag, agnesi.tensor as at
>>> cube = ag.op.elementwise(
...     "doc_cube", lambda x: x ** 3, ag.op.floating, c="({0} * {0} * {0})",
...     d=lambda x, y: (3 * x * x,), doc="The third power.")
>>> x = at.vector("x")
>>> ag.function([x], ag.grad(cube(x).sum(), x))([1.0, 2.0]).tolist()
[3.0, 12.0]
"""

from agnesi.ops.declare import (
    anything as anything,
    bitwise as bitwise,
    comparing as comparing,
    composite as composite,
    elementwise as elementwise,
    floating as floating,
    numeric as numeric,
    positive as positive,
    promoting as promoting,
    reduction as reduction,
    selecting as selecting,
)
