"""Five kinds of flowers, drawn: photos for a study that needs no download.

A picture is a function of (seed, index) alone, the same on every machine: whole numbers throughout, no floating
point, no generator whose stream may change with the version of NumPy. A scene is described in scene units, the
square from -4096 to 4096 with y downwards; a size only chooses the points at which the scene is sampled. Edges are
ramps one pixel wide (wider where the picture is out of focus), computed from distances, so nothing is supersampled.

The kinds differ in shape; petal colours, greens, backgrounds, light and what stands in front come from distributions
that overlap, so colours alone do not tell the kinds apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from commongarden.data.canvas import (
    EGG,
    FULL,
    LEAF,
    LOBE,
    POINTED,
    RAY,
    STALK,
    TUFT,
    TURN,
    UNIT,
    Canvas,
    Pose,
    View,
    ahead,
    blade,
    cover,
    dome,
    mixed,
    paint,
    ring,
    to_polar,
    waves,
)
from commongarden.data.scenery import (
    CREAM,
    GREENS,
    LILAC,
    ORANGE,
    PETALS,
    PINK,
    PURPLE,
    RED,
    WHITE,
    YELLOW,
    background,
    developed,
    grass,
)
from commongarden.data.splitmix64 import Colour, Dice, Ints
from commongarden.errors import DataError
from commongarden.i18n.language import _

CLASSES = ("daisy", "dandelion", "rose", "sunflower", "tulip")
VERSION = 2  # part of every cache key: changes when a pixel changes
SMALLEST, LARGEST = 32, 512


def label(index: int) -> int:
    """The class of photo `index`, as a place in CLASSES; any five consecutive photos show all five."""
    return index % len(CLASSES)


def draw(seed: int, index: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Photo `index` of the data set `seed`: uint8 (height, width, 3), each side 32 to 512 pixels. Raises DataError."""
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        message = _(
            "synthetic flowers: found a size of {height}x{width}, accepted: {smallest} to {largest} pixels per side"
        )
        raise DataError(message.format(height=height, width=width, smallest=SMALLEST, largest=LARGEST))
    dice = Dice(seed, index)
    canvas = Canvas(height, width, focus=dice.between(0, 130))
    background(dice, canvas)
    kind = label(index)
    pose = Pose(
        x=dice.between(-1700, 1700),
        y=dice.between(-1700, 1300),
        radius=dice.between(1350, 3100),
        angle=dice.below(TURN),
        squash=dice.between(160, 256),
    )
    if dice.chance(25):
        _flower(dice, canvas, kind, _neighbour(dice, pose))
    _flower(dice, canvas, kind, pose)
    _foreground(dice, canvas)
    return developed(dice, canvas)


# Palettes: (weight, colour); the petals' are shared, a kind only adds its favourites.

_FAVOURITES: tuple[list[tuple[int, Colour]], ...] = (
    [(13, WHITE), (4, PINK), (3, LILAC)],
    [(18, YELLOW), (3, CREAM)],
    [(8, RED), (8, PINK), (4, WHITE)],
    [(18, YELLOW), (3, ORANGE)],
    [(6, RED), (5, PURPLE), (4, PINK), (4, ORANGE)],
)


def _foreground(dice: Dice, canvas: Canvas) -> None:
    if dice.chance(45):
        for _ in range(dice.between(1, 3)):
            grass(dice, canvas, dice.between(0, 160))


# The flowers


def _neighbour(dice: Dice, pose: Pose) -> Pose:
    """A smaller flower of the same kind, behind."""
    radius = pose.radius * dice.between(40, 65) // 100
    return Pose(-pose.x + dice.around(2500), -pose.y + dice.around(2500), radius, dice.below(TURN), pose.squash)


def _flower(dice: Dice, canvas: Canvas, kind: int, pose: Pose) -> None:
    colour = dice.colour(PETALS + _FAVOURITES[kind], 26)
    green = dice.colour(GREENS, 24)
    if kind == CLASSES.index("tulip"):
        _tulip(dice, canvas, pose, colour, green)
        return
    if kind == CLASSES.index("dandelion"):
        pose = replace(pose, squash=max(pose.squash, 220))  # a ball is round from every side
    if dice.chance(60):
        _stem(dice, canvas, Pose(pose.x, pose.y, dice.between(6500, 8500), TURN // 4 + dice.around(5000)), green)
    for _round in range(dice.between(0, 3)):
        leaf = Pose(pose.x, pose.y, pose.radius * dice.between(110, 150) // 100, dice.below(TURN))
        blade(canvas, leaf, dice.between(450, 800), dice.around(600), green, LEAF)
    shadow = Pose(pose.x + dice.around(300), pose.y + pose.radius // 8, pose.radius, pose.angle, pose.squash)
    view = canvas.disc(shadow, 4300, blur=pose.radius // 3)
    paint(view, (14, 22, 14), cover(3700 - to_polar(view.u, view.v)[0], view.soft) >> 1)
    view = canvas.disc(pose, 4400)
    _ROUND[kind](dice, view, to_polar(view.u, view.v), colour)


def _stem(dice: Dice, canvas: Canvas, pose: Pose, green: Colour) -> None:
    blade(canvas, pose, dice.between(90, 170) * UNIT // pose.radius, dice.around(400), green, STALK, folded=80)


def _daisy(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    count = dice.between(13, 22)
    width = dice.between(300, 380) * 17 // count
    ring(view, dice, polar, count, 4096, width, mixed(colour, (90, 100, 120), 50))
    ring(view, dice, polar, count, 4000, width, colour)
    eye = dice.colour([(6, (236, 186, 36)), (2, (214, 140, 30)), (2, (170, 160, 60)), (2, (110, 66, 34))], 22)
    r, angle = polar
    radius = dice.between(900, 1350)
    dome(view, r, radius, eye, (waves(angle * 11 + r * 60) * waves(angle * 13 - r * 70)) >> 11)


def _dandelion(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    r, _ = polar
    if dice.chance(25):  # gone to seed
        pale = mixed(colour, (244, 244, 240), 215)
        paint(view, pale, cover(3900 - r, view.soft * 3) // 5)
        tufts = ((58, 4096, 232), (46, 3500, 244), (36, 2850, 256), (26, 2200, 268), (16, 1500, 280))
        for count, length, light in tufts:
            ring(view, dice, polar, count, length, 12 * length // (5 * count), pale, TUFT, 550, light, clear=205)
        dome(view, r, dice.between(350, 550), (128, 98, 64))
        return
    deep = mixed(colour, (120, 50, 10), 90)
    paint(view, deep, cover(3300 - r, view.soft * 2))
    for length, light in ((4096, 205), (3500, 222), (2900, 236), (2200, 250), (1500, 262), (900, 272)):
        count = dice.between(38, 50) * (length + 2600) // 6000
        width = length * 42 // (25 * count) + 60
        ring(view, dice, polar, count, length, width, colour, RAY, 500, light)


def _rose(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    r, angle = polar
    turn = dice.below(TURN)
    hand = -1 if dice.chance(50) else 1
    light = 262
    for count, radius in ((6, 4050), (5, 3450), (5, 2820), (4, 2220), (3, 1660), (3, 1140), (2, 680)):
        turn += TURN * dice.between(35, 65) // (100 * count)
        phase = ((angle * hand + turn) & (TURN - 1)) * count
        petal = phase >> 16
        aside = (phase & (TURN - 1)) - TURN // 2
        edge = ((radius - dice.ints(count, 0, radius // 9))[petal] * LOBE[np.abs(aside) >> 7]) >> 8
        edge += (aside * radius) >> 19
        inside = edge - r
        depth = np.clip((inside * FULL) // (radius // 3 + 250), 0, FULL)
        shade = light - ((depth * 120) >> 8) - (np.maximum(aside, 0) >> 10)
        shade += np.where(depth < 40, 22, 0)
        paint(view, colour, cover(inside, view.soft), shade)
        light -= 6
    paint(view, mixed(colour, (30, 0, 10), 150), cover(260 - r, view.soft * 2))


def _sunflower(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    count = dice.between(15, 22)
    width = dice.between(480, 580) * 18 // count
    ring(view, dice, polar, count, 4096, width, mixed(colour, (120, 60, 10), 80), POINTED, 350)
    ring(view, dice, polar, count, 3950, width, colour, POINTED, 350)
    r, angle = polar
    radius = dice.between(1750, 2300)
    seeds = dice.colour([(6, (84, 52, 28)), (3, (52, 36, 28)), (2, (120, 96, 40)), (2, (150, 104, 36))], 16)
    bumps = (waves(angle * 21 + r * 34) + waves(angle * 13 - r * 34)) * 45 >> 8
    dome(view, r, radius, seeds, bumps + np.where(r > radius * 2 // 3, 60, 0))
    paint(view, mixed(seeds, (20, 24, 10), 120), cover(radius * 2 // 5 - r, view.soft * 3) >> 1)


def _tulip(dice: Dice, canvas: Canvas, pose: Pose, colour: Colour, green: Colour) -> None:
    up = 3 * TURN // 4 + dice.around(9000)
    height = pose.radius * 3 // 2
    foot = Pose(pose.x, pose.y, height // 2, up + TURN // 2)
    x, y = ahead(foot, UNIT)
    stem = Pose(x, y, dice.between(6500, 8000), up + TURN // 2 + dice.around(2500))
    _stem(dice, canvas, stem, green)
    root = ahead(stem, dice.between(1700, 2900))
    for side in (-1, 1):
        if dice.chance(75):
            leaf = Pose(*root, dice.between(4000, 6000), up + side * dice.between(2500, 6500))
            blade(canvas, leaf, dice.between(280, 480), side * dice.between(0, 700), green, LEAF)
    open_ = dice.between(1500, 4200)
    dark, mid = mixed(colour, (40, 10, 30), 85), mixed(colour, (60, 20, 30), 30)
    width = dice.between(1050, 1350)
    for lean, size, tint, wide in (
        (-open_ // 2, 97, dark, 80), (open_ // 2, 97, dark, 80),
        (-open_, 100, mid, 85), (open_, 100, mid, 85), (dice.around(900), 94, colour, 100),
    ):  # fmt: skip
        petal = Pose(x, y, height * (size - dice.below(6)) // 100, up + lean)
        blade(canvas, petal, width * wide // 100, -lean // 5, tint, EGG, folded=34)


_ROUND: tuple[Callable[[Dice, View, tuple[Ints, Ints], Colour], None], ...] = (_daisy, _dandelion, _rose, _sunflower)
