"""How an image of any shape becomes one of the study's size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Resize = Literal["squash", "crop", "pad"]
Interpolation = Literal["bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Framing:
    """resize: "squash" changes the aspect ratio; "crop" resizes the shorter side and cuts out the centre; "pad" resizes
    the longer side and pads with grey. They are timm's crop modes squash, center and border.
    interpolation: of the resizing. crop_share: the side of the centre that is cut out, as a share of the resized image,
    as timm's crop_pct.
    """

    resize: Resize = "squash"
    interpolation: Interpolation = "bilinear"
    crop_share: float = 1.0


SQUASHED = Framing()
