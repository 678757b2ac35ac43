"""AlexNet: five convolutions with large strides and kernels first, then three dense layers."""

from __future__ import annotations

from functools import partial

from commongarden.arch.layers import adaptive_avg_pool, conv, dense, dropout, max_pool, named, serial
from commongarden.arch.nodes import Serial


def alexnet(n_classes: int, *, order: str = "LA") -> Serial:
    """AlexNet as one column on one processor (Krizhevsky 2014, "One weird trick", after Krizhevsky et al. 2012).

    order: of the convolutions; the dense layers are always LA. The first network's groups and local response
    normalization are not in it, as in that later form. An input needs 63 pixels per side.
    """
    c = partial(conv, order=order)
    return serial(
        c(64, 11, stride=4, padding=2),
        max_pool(3, stride=2, padding="valid"),
        c(192, 5, padding=2),
        max_pool(3, stride=2, padding="valid"),
        c(384, 3, padding=1),
        c(256, 3, padding=1),
        c(256, 3, padding=1),
        max_pool(3, stride=2, padding="valid"),
        adaptive_avg_pool(6),  # changes nothing at 224 pixels; at other sizes the dense layers still fit
        named(
            "head",
            dropout(0.5),
            dense(4096, order="LA"),
            dropout(0.5),
            dense(4096, order="LA"),
            dense(n_classes),
        ),
        name="alexnet",
    )
