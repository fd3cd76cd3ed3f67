"""Constructors of variables by rank, with a prefix for the dtype: integers b w i l, floats f d, complex numbers c z.

`x, y = dmatrices("x", "y")` makes several at once; a row has one row, a col one column.
"""

from agnesi.ops.variables import (
    TensorType as TensorType,
    constructors as _constructors,
    plurals as _plurals,
    tensor as tensor,
)

scalar, bscalar, wscalar, iscalar, lscalar, fscalar, dscalar, cscalar, zscalar = _all = _constructors("scalar")
scalars, bscalars, wscalars, iscalars, lscalars, fscalars, dscalars, cscalars, zscalars = _plurals("scalars", _all)

vector, bvector, wvector, ivector, lvector, fvector, dvector, cvector, zvector = _all = _constructors("vector", None)
vectors, bvectors, wvectors, ivectors, lvectors, fvectors, dvectors, cvectors, zvectors = _plurals("vectors", _all)

row, brow, wrow, irow, lrow, frow, drow, crow, zrow = _all = _constructors("row", 1, None)
rows, brows, wrows, irows, lrows, frows, drows, crows, zrows = _plurals("rows", _all)

col, bcol, wcol, icol, lcol, fcol, dcol, ccol, zcol = _all = _constructors("col", None, 1)
cols, bcols, wcols, icols, lcols, fcols, dcols, ccols, zcols = _plurals("cols", _all)

matrix, bmatrix, wmatrix, imatrix, lmatrix, fmatrix, dmatrix, cmatrix, zmatrix = _all = _constructors(
    "matrix", None, None
)
matrices, bmatrices, wmatrices, imatrices, lmatrices, fmatrices, dmatrices, cmatrices, zmatrices = _plurals(
    "matrices", _all
)

tensor3, btensor3, wtensor3, itensor3, ltensor3, ftensor3, dtensor3, ctensor3, ztensor3 = _all = _constructors(
    "tensor3", None, None, None
)
tensor3s, btensor3s, wtensor3s, itensor3s, ltensor3s, ftensor3s, dtensor3s, ctensor3s, ztensor3s = _plurals(
    "tensor3s", _all
)

tensor4, btensor4, wtensor4, itensor4, ltensor4, ftensor4, dtensor4, ctensor4, ztensor4 = _all = _constructors(
    "tensor4", None, None, None, None
)
tensor4s, btensor4s, wtensor4s, itensor4s, ltensor4s, ftensor4s, dtensor4s, ctensor4s, ztensor4s = _plurals(
    "tensor4s", _all
)

tensor5, btensor5, wtensor5, itensor5, ltensor5, ftensor5, dtensor5, ctensor5, ztensor5 = _all = _constructors(
    "tensor5", None, None, None, None, None
)
tensor5s, btensor5s, wtensor5s, itensor5s, ltensor5s, ftensor5s, dtensor5s, ctensor5s, ztensor5s = _plurals(
    "tensor5s", _all
)

tensor6, btensor6, wtensor6, itensor6, ltensor6, ftensor6, dtensor6, ctensor6, ztensor6 = _all = _constructors(
    "tensor6", None, None, None, None, None, None
)
tensor6s, btensor6s, wtensor6s, itensor6s, ltensor6s, ftensor6s, dtensor6s, ctensor6s, ztensor6s = _plurals(
    "tensor6s", _all
)

tensor7, btensor7, wtensor7, itensor7, ltensor7, ftensor7, dtensor7, ctensor7, ztensor7 = _all = _constructors(
    "tensor7", None, None, None, None, None, None, None
)
tensor7s, btensor7s, wtensor7s, itensor7s, ltensor7s, ftensor7s, dtensor7s, ctensor7s, ztensor7s = _plurals(
    "tensor7s", _all
)
