"""What drawn photos have around their subject: palettes, a background, light; on a canvas, in whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from commongarden.data.canvas import FULL, TURN, UNIT, Canvas, Pose, View, blade, cos, cover, paint, sin, to_polar
from commongarden.data.splitmix64 import Colour, Dice, Ints

# Palettes: (weight, colour)

WHITE, CREAM, YELLOW, ORANGE = (246, 244, 238), (246, 232, 180), (250, 208, 36), (244, 148, 38)
PINK, RED, PURPLE, LILAC = (240, 150, 182), (206, 36, 48), (168, 62, 150), (192, 160, 224)
PETALS: list[tuple[int, Colour]] = [
    (2, WHITE), (2, CREAM), (3, YELLOW), (2, ORANGE), (2, PINK), (2, RED), (1, PURPLE), (1, LILAC),
]  # fmt: skip
GREENS: list[tuple[int, Colour]] = [(3, (86, 132, 52)), (2, (58, 104, 50)), (2, (118, 150, 70)), (1, (84, 120, 88))]
GROUNDS: list[tuple[int, Colour]] = [
    (4, (74, 112, 48)), (3, (44, 70, 40)), (3, (128, 160, 84)), (2, (124, 98, 66)), (3, (150, 186, 214)),
    (2, (188, 186, 176)), (2, (60, 56, 60)), (1, (206, 178, 120)),
]  # fmt: skip


def background(dice: Dice, canvas: Canvas) -> None:
    """Two colours that run into each other, blurred spots, and some grass."""
    top, bottom = dice.colour(GROUNDS, 30), dice.colour(GROUNDS, 30)
    cloud = noise(dice, canvas, 4) + (noise(dice, canvas, 10) >> 1)
    down = (canvas.ys[:, None] >> 5) + 128 + cloud
    whole = View(canvas.planes, cloud, cloud, 1)
    for plane, channel in zip(canvas.planes, top, strict=True):
        plane += channel << 4
    paint(whole, bottom, np.clip(down, 0, FULL), FULL - (cloud >> 2))
    for _round in range(dice.between(1, 5)):
        spot = Pose(dice.between(-4200, 4200), dice.between(-4200, 4200), dice.between(300, 1100), 0)
        colour = dice.colour(PETALS if dice.chance(60) else GREENS, 24)
        view = canvas.disc(spot, blur=dice.between(60, 500))
        r, _ = to_polar(view.u, view.v)
        paint(view, colour, (cover(UNIT - r, view.soft) * dice.between(90, 230)) >> 8)
    for _ in range(dice.between(0, 6)):
        grass(dice, canvas, dice.between(0, 300))


def noise(dice: Dice, canvas: Canvas, cells: int) -> Ints:
    """Soft noise, (height, width), about -128..128: a lattice of `cells` squared numbers, blended between them."""
    lattice = dice.ints((cells + 2) ** 2, -200, 200).reshape(cells + 2, cells + 2)
    blended: Ints = ((_blend(canvas.ys, cells) @ lattice) >> 8) @ _blend(canvas.xs, cells).T >> 8
    return blended


def _blend(places: Ints, cells: int) -> Ints:
    """Weights of the lattice lines at each coordinate, 256ths, (n, cells + 2): a quadratic spline, free of creases."""
    at, part = np.divmod(((places + UNIT) * cells) >> 5, FULL)
    weights = np.zeros((len(places), cells + 2), dtype=np.int32)
    rows = np.arange(len(places))
    weights[rows, at] = (FULL - part) ** 2 >> 9
    weights[rows, at + 2] = part**2 >> 9
    weights[rows, at + 1] = FULL - weights[rows, at] - weights[rows, at + 2]
    return weights


def grass(dice: Dice, canvas: Canvas, blur: int) -> None:
    """A blade from below."""
    length = dice.between(3000, 8000)
    pose = Pose(dice.between(-4400, 4400), dice.between(4300, 6000), length, 3 * TURN // 4 + dice.around(9000))
    width = dice.between(70, 260) * UNIT // length
    blade(canvas, pose, width, dice.around(900), dice.colour(GREENS, 26), blur=blur)


def developed(dice: Dice, canvas: Canvas) -> npt.NDArray[np.uint8]:
    """Light from one side, exposure and white balance; then 8 bits."""
    angle, fall = dice.below(TURN), dice.between(0, 90)
    exposure = dice.between(200, 285)
    slope = (canvas.xs[None, :] * cos(angle) + canvas.ys[:, None] * sin(angle)) >> 14
    light = exposure + ((slope * fall) >> 12)
    gains = [FULL + dice.around(34) for _ in range(3)]
    out = np.empty((*light.shape, 3), dtype=np.uint8)
    for channel, gain in enumerate(gains):
        out[:, :, channel] = np.clip((canvas.planes[channel] * ((light * gain) >> 8)) >> 12, 0, 255)
    return out
