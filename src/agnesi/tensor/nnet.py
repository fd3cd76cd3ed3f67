"""Functions of neural networks, under the field's names."""

from agnesi.ops.composites import (
    binary_crossentropy as binary_crossentropy,
    categorical_crossentropy as categorical_crossentropy,
    log_softmax as log_softmax,
    softmax as softmax,
)
from agnesi.ops.elementwise import sigmoid as sigmoid, softplus as softplus
from agnesi.ops.public import relu as relu
