"""Presets: a recipe, and the models that are trained by it where nobody names others."""

from __future__ import annotations

from dataclasses import dataclass

from commongarden.arch.families import FLOWER_ARMS
from commongarden.i18n.language import N_
from commongarden.study.recipe import Recipe


@dataclass(frozen=True)
class Preset:
    """models: as the command line names them. pretrained: whether they start from their published weights. about: what
    it does, in a few words."""

    recipe: Recipe
    models: tuple[str, ...]
    about: str
    pretrained: bool = False


# Published networks of four designs, together below the 100 MB that are downloaded without a question: the network that
# everybody knows, one found by search for accuracy at little computation, a modern one of plain convolutions, and one
# made for phones.
BACKBONES = (
    "timm:resnet18.a1_in1k",
    "timm:efficientnet_b0.ra_in1k",
    "timm:convnext_atto.d2_in1k",
    "timm:mobilenetv4_conv_small.e2400_r224_in1k",
)
FINE_TUNED = Recipe(
    resolution=224,
    epochs=10,
    head_epochs=1,
    body_lr=0.1,
    schedule="cosine",
    weight_decay=0.05,
    decay_bias_and_norm=False,
    label_smoothing=0.1,
    augment=("flip", "crop"),
)
FROM_SCRATCH = Recipe(
    epochs=30,
    schedule="one-cycle",
    weight_decay=0.05,
    decay_bias_and_norm=False,
    label_smoothing=0.1,
    augment=("flip", "crop"),
)
PRESETS = {
    "finetune": Preset(FINE_TUNED, BACKBONES, N_("all layers of published networks"), pretrained=True),
    "linear-probe": Preset(
        Recipe(resolution=224, epochs=20, schedule="cosine", freeze_backbone=True),
        BACKBONES,
        N_("the last layer of published networks"),
        pretrained=True,
    ),
    "scratch": Preset(FROM_SCRATCH, FLOWER_ARMS, N_("small networks from random weights")),
    "classroom": Preset(
        Recipe(schedule="one-cycle", augment=("flip",)), FLOWER_ARMS, N_("small networks in a few minutes")
    ),
}
