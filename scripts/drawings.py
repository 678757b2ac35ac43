"""Draws what the docs show, into docs/drawings: .venv/bin/python scripts/drawings.py [FOLDER]"""

from __future__ import annotations

import sys
from pathlib import Path

from commongarden import arch, drawing
from commongarden.arch import Node, Shape
from commongarden.arch.families.inception import naive_module, reduced_module
from commongarden.arch.families.resnet import Form, basic_block, bottleneck_block
from commongarden.i18n import language

# file: title, network, input; the modules at the widths of GoogLeNet's 3a, the blocks at those of the first stages
DRAWINGS: dict[str, tuple[str, Node, Shape]] = {
    "inception_basic": ("Inception module", naive_module(64, 128, 32), (28, 28, 192)),
    "inception_improved": (
        "Inception module with 1x1 reductions",
        reduced_module(64, 96, 128, 16, 32, 32),
        (28, 28, 192),
    ),
    "residual_block": ("Residual block", basic_block(64, Form()), (56, 56, 64)),
    "bottleneck_block": ("Bottleneck block", bottleneck_block(64, Form()), (56, 56, 256)),
    "residual_flower": ("residual_flower", arch.network("residual_flower", 5), (64, 64, 3)),
    "inception_flower": ("inception_flower", arch.network("inception_flower", 5), (96, 96, 3)),
}


def draw(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, (title, network, shape) in DRAWINGS.items():
        (folder / f"{name}.svg").write_text(drawing.svg(network, shape, title=title), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    language.use("en")
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[1] / "docs" / "drawings")
