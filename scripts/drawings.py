"""Draws what the docs show, into docs/drawings: .venv/bin/python scripts/drawings.py [FOLDER]"""

from __future__ import annotations

import sys
from pathlib import Path

from commongarden import arch, drawing
from commongarden.arch import Node, Shape, add, conv, max_pool, parallel, serial


def basic_inception() -> Node:
    """The naive module of Szegedy et al. 2014 (fig. 2a) at the widths of GoogLeNet's 3a."""
    return parallel(
        conv(64, 1, order="LA"), conv(128, 3, order="LA"), conv(32, 5, order="LA"), max_pool(3, stride=1)
    )  # fmt: skip


def improved_inception() -> Node:
    """The same with 1x1 reductions before the wide kernels and after the pool (fig. 2b)."""
    return parallel(
        conv(64, 1, order="LA"),
        serial(conv(96, 1, order="LA"), conv(128, 3, order="LA")),
        serial(conv(16, 1, order="LA"), conv(32, 5, order="LA")),
        serial(max_pool(3, stride=1), conv(32, 1, order="LA")),
    )


def residual_block() -> Node:
    """He et al. 2015, fig. 5 left."""
    return add(serial(conv(64, 3), conv(64, 3, order="LB")), input=True, then="A")


def bottleneck_block() -> Node:
    """He et al. 2015, fig. 5 right."""
    return add(serial(conv(64, 1), conv(64, 3), conv(256, 1, order="LB")), input=True, then="A")


# file: title, network, input
DRAWINGS: dict[str, tuple[str, Node, Shape]] = {
    "inception_basic": ("Inception module", basic_inception(), (28, 28, 192)),
    "inception_improved": ("Inception module with 1x1 reductions", improved_inception(), (28, 28, 192)),
    "residual_block": ("Residual block", residual_block(), (56, 56, 64)),
    "bottleneck_block": ("Bottleneck block", bottleneck_block(), (56, 56, 256)),
    "residual_flower": ("residual_flower", arch.network("residual_flower", 5), (64, 64, 3)),
    "inception_flower": ("inception_flower", arch.network("inception_flower", 5), (96, 96, 3)),
}


def draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, network, shape) in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(drawing.svg(network, shape, title=title), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "docs" / "drawings")
