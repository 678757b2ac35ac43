"""One network in four forms, for comparisons in which nothing but the form differs: the stem, the stages, the number of
blocks and the head are the same; `commongarden twins` finds the widths at which they also cost the same.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from commongarden.arch.families import inception, resnet
from commongarden.arch.layers import conv, dense, global_avg_pool, max_pool, named, serial
from commongarden.arch.nodes import Node, Serial
from commongarden.errors import ArchError
from commongarden.i18n.language import _

FORMS = ("plain", "residual", "bottleneck", "inception")
WIDTHS, BLOCKS = "16,32,64", "2,2,2"
OUTSIDE = {"bottleneck": 4}  # channels that leave a block for each of its width

MakeStage = Callable[[int, int, int], list[Node]]  # width, blocks, stride


def twin(
    form: str, n_classes: int, *, widths: str = WIDTHS, blocks: str = BLOCKS, stem: int = 16, order: str = "LBA"
) -> Serial:
    """A stem that quarters the image, stages of equal blocks, each stage but the first at half the size, a head.

    form: "plain" has two 3x3 a block; "residual" the same added to its input (He et al. 2015, fig. 5, left);
        "bottleneck" 1x1, 3x3, 1x1 up to four times the width (the same, right); "inception" the module with reductions
        (Szegedy et al. 2014, fig. 2b), its branches in the proportions of their module 3a, behind a max pool where the
        stage halves the image. Shortcuts have no parameters: what is missing in them is channels of zeros.
    widths, blocks: numbers for each stage, with commas between: "16,32,64". The width is what leaves a block, but for
        the bottleneck, whose width is inside. stem: channels that leave the stem.
    """
    sizes, counts = numbers("widths", widths), numbers("blocks", blocks)
    if len(sizes) != len(counts):
        text = _("twins: found widths {widths!r} and blocks {blocks!r}, accepted: lists of equal length")
        raise ArchError(text.format(widths=widths, blocks=blocks))
    for before, width in pairwise([stem, *(size * OUTSIDE.get(form, 1) for size in sizes)]):
        if width < before:
            text = _(
                "{form}_twin: found {width} channels after {before}, accepted: at least as many, because a "
                "shortcut without parameters cannot remove channels"
            )
            raise ArchError(text.format(form=form, width=width, before=before))
    make = _inception_stage(order) if form == "inception" else _residual_stage(form, order)
    stages = [
        named(f"stage {i}", *make(width, count, 1 if i == 1 else 2))
        for i, (width, count) in enumerate(zip(sizes, counts, strict=True), 1)
    ]
    return serial(
        conv(stem, 3, stride=2, padding="half", order=order),
        max_pool(3, stride=2, padding="half"),
        *stages,
        global_avg_pool(),
        dense(n_classes),
        name=f"{form}_twin",
    )


def numbers(what: str, text: str) -> list[int]:
    """Whole numbers from 1 with commas between. Raises ArchError."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        message = _("{what}: found {text!r}, accepted: integers of 1 or more, separated by commas, such as {example}")
        raise ArchError(message.format(what=what, text=text, example=WIDTHS))
    return [int(part) for part in parts]


def _residual_stage(form: str, order: str) -> MakeStage:
    block = resnet.bottleneck_block if form == "bottleneck" else resnet.basic_block
    look = resnet.Form(order, "none" if form == "plain" else "zeros")

    def stage(width: int, count: int, stride: int) -> list[Node]:
        first = block(width, look, stride=stride, reshapes=True)
        return [named(f"block {i}", first if i == 1 else block(width, look)) for i in range(1, count + 1)]

    return stage


def _inception_stage(order: str) -> MakeStage:
    def stage(width: int, count: int, stride: int) -> list[Node]:
        if width < 16:
            text = _("inception_twin: found width {width}, accepted: 16 or more")
            raise ArchError(text.format(width=width))
        five = pool = width // 8
        three = width // 2
        module = inception.reduced_module(
            width - three - five - pool, 3 * width // 8, three, width // 16, five, pool, order=order
        )
        down = [max_pool(3, stride=2, padding="half")] if stride > 1 else []
        return [*down, *(named(f"block {i}", module) for i in range(1, count + 1))]

    return stage
