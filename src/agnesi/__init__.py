"""agnesi: a compiler for mathematical expressions on arrays."""

from agnesi import config as config, op as op, tensor as tensor
from agnesi.device import DeviceFunction as DeviceFunction
from agnesi.function import (
    Function as Function,
    In as In,
    Out as Out,
    clone as clone,
    dprint as dprint,
    function as function,
    pprint as pprint,
)
from agnesi.grad.check import verify_grad as verify_grad
from agnesi.grad.custom import OpFromGraph as OpFromGraph, custom_gradient as custom_gradient
from agnesi.grad.functions import (
    Lop as Lop,
    Rop as Rop,
    grad as grad,
    hessian as hessian,
    hessian_vector_product as hessian_vector_product,
    jacobian as jacobian,
    jvp as jvp,
    subgraph_grad as subgraph_grad,
    vjp as vjp,
)
from agnesi.ifelse import cond as cond, ifelse as ifelse
from agnesi.ir.graph import Graph as Graph
from agnesi.ops.passing import (
    disconnected_grad as disconnected_grad,
    grad_clip as grad_clip,
    grad_scale as grad_scale,
    hint as hint,
    zero_grad as zero_grad,
)
from agnesi.ops.python import as_op as as_op
from agnesi.scan import (
    associative_scan as associative_scan,
    foldl as foldl,
    foldr as foldr,
    fori as fori,
    map as map,
    reduce as reduce,
    scan as scan,
    until as until,
    while_loop as while_loop,
)
from agnesi.shared import SharedVariable as SharedVariable, shared as shared
from agnesi.vectorize import vectorize_graph as vectorize_graph, vmap as vmap
