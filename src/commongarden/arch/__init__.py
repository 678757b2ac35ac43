"""The architecture language: frozen nodes, functions that write them, folds that read them. Standard library only."""

from commongarden.arch.difference import Difference, Edit, Joint, difference
from commongarden.arch.families import FAMILIES, family, network
from commongarden.arch.layers import (
    activation,
    adaptive_avg_pool,
    add,
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
    serial,
)
from commongarden.arch.nodes import (
    Activation,
    AdaptiveAvgPool,
    Add,
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
    Serial,
    children,
    label,
)
from commongarden.arch.reach import depth, receptive_fields
from commongarden.arch.text import hash, read, write
from commongarden.arch.trace import Cost, Layer, Shape, cost, output_shape, show_shape, trace, trunk, window

__all__ = [
    "FAMILIES", "Activation", "AdaptiveAvgPool", "Add", "AvgPool", "BatchNorm", "Conv", "Cost", "Dense", "Difference",
    "Dropout", "Edit", "Joint", "Layer", "MaxPool", "Node", "Noise", "Parallel", "Repeat", "Serial", "Shape",
    "activation", "adaptive_avg_pool", "add", "avg_pool", "batch_norm", "children", "conv", "cost", "dense",
    "depth", "difference", "dropout", "family", "global_avg_pool", "hash", "label", "max_pool", "named", "network",
    "noise", "output_shape", "parallel", "read", "receptive_fields", "repeat", "serial", "show_shape", "trace",
    "trunk", "window", "write",
]  # fmt: skip
