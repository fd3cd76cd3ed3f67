"""agnesi: a compiler for mathematical expressions on arrays."""

from agnesi import config as config, tensor as tensor
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
from agnesi.grad.functions import (
    Lop as Lop,
    Rop as Rop,
    grad as grad,
    hessian as hessian,
    jacobian as jacobian,
    jvp as jvp,
    vjp as vjp,
)
from agnesi.ir.graph import Graph as Graph
from agnesi.shared import SharedVariable as SharedVariable, shared as shared
