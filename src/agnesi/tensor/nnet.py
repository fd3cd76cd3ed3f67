"""Functions of neural networks, under the field's names."""

from agnesi.ops.activations import (
    elu as elu,
    gelu as gelu,
    hard_sigmoid as hard_sigmoid,
    logsigmoid as logsigmoid,
    relu as relu,
    selu as selu,
    silu as silu,
    softsign as softsign,
    swish as swish,
    ultra_fast_sigmoid as ultra_fast_sigmoid,
)
from agnesi.ops.composites import (
    binary_crossentropy as binary_crossentropy,
    categorical_crossentropy as categorical_crossentropy,
    log_softmax as log_softmax,
    sigmoid_binary_crossentropy as sigmoid_binary_crossentropy,
    softmax as softmax,
)
from agnesi.ops.convolution import (
    causal_conv1d as causal_conv1d,
    conv1d as conv1d,
    conv2d as conv2d,
    conv2d_grad_wrt_inputs as conv2d_grad_wrt_inputs,
    conv2d_grad_wrt_weights as conv2d_grad_wrt_weights,
    conv2d_transpose as conv2d_transpose,
    conv3d as conv3d,
    separable_conv2d as separable_conv2d,
)
from agnesi.ops.normalization import (
    batch_normalization_test as batch_normalization_test,
    batch_normalization_train as batch_normalization_train,
)
from agnesi.ops.pooling import (
    max_pool_2d_same_size as max_pool_2d_same_size,
    pool_2d as pool_2d,
    pool_3d as pool_3d,
)
from agnesi.ops.public import sigmoid as sigmoid, softplus as softplus
