"""VGG: stages of 3x3 convolutions, the width doubled after each pool, then three dense layers."""

from __future__ import annotations

from functools import partial

from commongarden.arch.layers import adaptive_avg_pool, conv, dense, dropout, max_pool, named, serial
from commongarden.arch.nodes import Node, Serial

WIDTHS = (64, 128, 256, 512, 512)
DEPTHS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}


def vgg(depth: int, n_classes: int, *, order: str = "LA") -> Serial:
    """VGG with `depth` layers that have weights (Simonyan & Zisserman 2014, table 1: A, B, D, E).

    order: of the convolutions ("LBA" is the form with batch norm, which keeps the biases); the dense layers are
    always LA. An input needs 32 pixels per side.
    """
    stages = zip(WIDTHS, DEPTHS[depth], strict=True)
    return serial(
        *(named(f"stage {i}", vgg_stage(width, n, order=order)) for i, (width, n) in enumerate(stages, 1)),
        adaptive_avg_pool(7),  # changes nothing at 224 pixels; at other sizes the dense layers still fit
        named(
            "head",
            dense(4096, order="LA"),
            dropout(0.5),
            dense(4096, order="LA"),
            dropout(0.5),
            dense(n_classes),
        ),
        name=f"vgg{depth}" + ("_bn" if "B" in order else ""),
    )


def vgg_stage(width: int, depth: int, *, order: str = "LA") -> Node:
    """`depth` 3x3 convolutions, then a max pool that halves the image (Simonyan & Zisserman 2014, section 2.1)."""
    c = partial(conv, width, 3, padding="half", order=order, bias=True)
    return serial(*(c() for _ in range(depth)), max_pool(2, padding="valid"))
