"""The architecture language: frozen nodes, functions that write them, folds that read them. Standard library only."""

from commongarden.arch.families import BLOCKS, FAMILIES, Family, family, matching, network
from commongarden.arch.layers import (
    activation,
    adaptive_avg_pool,
    add,
    auxiliary,
    avg_pool,
    batch_norm,
    conv,
    dense,
    dropout,
    global_avg_pool,
    max_pool,
    named,
    noise,
    parallel,
    repeat,
    rescale,
    serial,
)
from commongarden.arch.nodes import (
    Activation,
    AdaptiveAvgPool,
    Add,
    Auxiliary,
    AvgPool,
    BatchNorm,
    Conv,
    Dense,
    Dropout,
    MaxPool,
    Node,
    Noise,
    Parallel,
    Repeat,
    Rescale,
    Serial,
    children,
    label,
)
from commongarden.arch.text import hash, read, write
from commongarden.arch.trace import Cost, Layer, Shape, cost, output_shape, show_shape, trace, trunk, window

__all__ = [
    "BLOCKS", "FAMILIES", "Activation", "AdaptiveAvgPool", "Add", "Auxiliary", "AvgPool", "BatchNorm", "Conv", "Cost",
    "Dense", "Dropout", "Family", "Layer", "MaxPool", "Node", "Noise", "Parallel", "Repeat", "Rescale", "Serial",
    "Shape", "activation", "adaptive_avg_pool", "add", "auxiliary", "avg_pool", "batch_norm", "children", "conv",
    "cost", "dense", "dropout", "family", "global_avg_pool", "hash", "label", "matching", "max_pool", "named",
    "network", "noise", "output_shape", "parallel", "read", "repeat", "rescale", "serial", "show_shape", "trace",
    "trunk", "window", "write",
]  # fmt: skip
