"""The functions of arrays, under NumPy's names; constructors of variables under Theano's."""

from agnesi.ir.variable import Variable as Variable, as_tensor_variable as as_tensor_variable, constant as constant
from agnesi.ops.activations import relu as relu
from agnesi.ops.assign import inc_subtensor as inc_subtensor, set_subtensor as set_subtensor
from agnesi.ops.composites import argmax as argmax, argmin as argmin, logsumexp as logsumexp
from agnesi.ops.cumulative import cumprod as cumprod, cumsum as cumsum
from agnesi.ops.index import (
    arange as arange,
    broadcast_to as broadcast_to,
    concatenate as concatenate,
    flatten as flatten,
    full as full,
    reshape as reshape,
    squeeze as squeeze,
    stack as stack,
    transpose as transpose,
)
from agnesi.ops.pointwise import (
    allclose as allclose,
    clip as clip,
    deg2rad as deg2rad,
    divmod as divmod,
    float_power as float_power,
    heaviside as heaviside,
    iround as iround,
    isclose as isclose,
    isfinite as isfinite,
    isinf as isinf,
    isneginf as isneginf,
    isposinf as isposinf,
    largest as largest,
    nan_to_num as nan_to_num,
    polygamma as polygamma,
    positive as positive,
    rad2deg as rad2deg,
    reciprocal as reciprocal,
    round as round,
    sinc as sinc,
    smallest as smallest,
    square as square,
    xlogx as xlogx,
)
from agnesi.ops.products import (
    dot as dot,
    matmul as matmul,
    outer as outer,
    solve as solve,
    tensordot as tensordot,
)
from agnesi.ops.public import (
    CONSTRUCTORS,
    abs as abs,
    add as add,
    arccos as arccos,
    arccosh as arccosh,
    arcsin as arcsin,
    arcsinh as arcsinh,
    arctan as arctan,
    arctan2 as arctan2,
    arctanh as arctanh,
    around as around,
    bitwise_and as bitwise_and,
    bitwise_or as bitwise_or,
    bitwise_xor as bitwise_xor,
    cast as cast,
    cbrt as cbrt,
    ceil as ceil,
    copysign as copysign,
    cos as cos,
    cosh as cosh,
    degrees as degrees,
    digamma as digamma,
    eq as eq,
    erf as erf,
    erfc as erfc,
    erfcinv as erfcinv,
    erfcx as erfcx,
    erfinv as erfinv,
    exp as exp,
    exp2 as exp2,
    expm1 as expm1,
    fix as fix,
    floor as floor,
    floor_divide as floor_divide,
    fmax as fmax,
    fmin as fmin,
    fmod as fmod,
    gamma as gamma,
    gammaln as gammaln,
    ge as ge,
    gt as gt,
    hypot as hypot,
    inv as inv,
    invert as invert,
    isnan as isnan,
    le as le,
    left_shift as left_shift,
    log as log,
    log1mexp as log1mexp,
    log1p as log1p,
    log1pexp as log1pexp,
    log2 as log2,
    log10 as log10,
    logaddexp as logaddexp,
    loggamma as loggamma,
    logical_and as logical_and,
    logical_not as logical_not,
    logical_or as logical_or,
    logical_xor as logical_xor,
    logit as logit,
    lt as lt,
    maximum as maximum,
    minimum as minimum,
    mod as mod,
    multiply as multiply,
    negative as negative,
    neq as neq,
    ones as ones,
    ones_like as ones_like,
    power as power,
    psi as psi,
    radians as radians,
    right_shift as right_shift,
    rint as rint,
    sigmoid as sigmoid,
    sign as sign,
    signbit as signbit,
    sin as sin,
    sinh as sinh,
    softplus as softplus,
    sqr as sqr,
    sqrt as sqrt,
    subtract as subtract,
    switch as switch,
    tan as tan,
    tanh as tanh,
    tensor as tensor,
    tri_gamma as tri_gamma,
    trigamma as trigamma,
    true_divide as true_divide,
    trunc as trunc,
    where as where,
    xlog1py as xlog1py,
    xlogy as xlogy,
    xlogy0 as xlogy0,
    zeros as zeros,
    zeros_like as zeros_like,
    zeta as zeta,
)
from agnesi.ops.reduce import (
    all as all,
    any as any,
    max as max,
    mean as mean,
    min as min,
    prod as prod,
    std as std,
    sum as sum,
    var as var,
)
from agnesi.ops.select import (
    argwhere as argwhere,
    compress as compress,
    flatnonzero as flatnonzero,
    nonzero as nonzero,
    nonzero_values as nonzero_values,
)
from agnesi.tensor import nnet as nnet

scalar = CONSTRUCTORS["scalar"]
bscalar = CONSTRUCTORS["bscalar"]
wscalar = CONSTRUCTORS["wscalar"]
iscalar = CONSTRUCTORS["iscalar"]
lscalar = CONSTRUCTORS["lscalar"]
fscalar = CONSTRUCTORS["fscalar"]
dscalar = CONSTRUCTORS["dscalar"]
vector = CONSTRUCTORS["vector"]
bvector = CONSTRUCTORS["bvector"]
wvector = CONSTRUCTORS["wvector"]
ivector = CONSTRUCTORS["ivector"]
lvector = CONSTRUCTORS["lvector"]
fvector = CONSTRUCTORS["fvector"]
dvector = CONSTRUCTORS["dvector"]
matrix = CONSTRUCTORS["matrix"]
bmatrix = CONSTRUCTORS["bmatrix"]
wmatrix = CONSTRUCTORS["wmatrix"]
imatrix = CONSTRUCTORS["imatrix"]
lmatrix = CONSTRUCTORS["lmatrix"]
fmatrix = CONSTRUCTORS["fmatrix"]
dmatrix = CONSTRUCTORS["dmatrix"]
tensor3 = CONSTRUCTORS["tensor3"]
btensor3 = CONSTRUCTORS["btensor3"]
wtensor3 = CONSTRUCTORS["wtensor3"]
itensor3 = CONSTRUCTORS["itensor3"]
ltensor3 = CONSTRUCTORS["ltensor3"]
ftensor3 = CONSTRUCTORS["ftensor3"]
dtensor3 = CONSTRUCTORS["dtensor3"]
tensor4 = CONSTRUCTORS["tensor4"]
btensor4 = CONSTRUCTORS["btensor4"]
wtensor4 = CONSTRUCTORS["wtensor4"]
itensor4 = CONSTRUCTORS["itensor4"]
ltensor4 = CONSTRUCTORS["ltensor4"]
ftensor4 = CONSTRUCTORS["ftensor4"]
dtensor4 = CONSTRUCTORS["dtensor4"]
