"""agnesi: a compiler for mathematical expressions on arrays."""

from agnesi import config as config, tensor as tensor
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
