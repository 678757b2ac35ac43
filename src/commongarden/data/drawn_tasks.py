"""Built-in data sets that differ in kind: flowers (drawn.py), textures, counts and shapes, for studies over several
data sets without a download.

Like the flowers, a picture is a function of (seed, index) alone, in whole numbers. All share palettes, backgrounds and
light, so a class shows only in what its task is about: a pattern, a number, an outline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from commongarden.data import drawn
from commongarden.data.canvas import (
    FULL,
    TURN,
    UNIT,
    Canvas,
    Pose,
    View,
    cos,
    cover,
    mixed,
    paint,
    sin,
    to_polar,
    waves,
)
from commongarden.data.drawn import LARGEST, SMALLEST
from commongarden.data.scenery import GROUNDS, PETALS, background, developed, noise
from commongarden.data.splitmix64 import Colour, Dice, Ints
from commongarden.errors import DataError
from commongarden.i18n.language import _

TEXTURES = ("checks", "dots", "rings", "stripes", "zigzag")
COUNTS = ("1", "2", "3", "4", "5")
SHAPES = ("circle", "pentagon", "square", "star", "triangle")
Draw = Callable[[int, int, int, int], npt.NDArray[np.uint8]]


@dataclass(frozen=True)
class DrawnTask:
    """A built-in data set. version: part of every cache key, changes when a pixel changes. draw: (seed, index, height,
    width) to uint8 (height, width, 3)."""

    classes: tuple[str, ...]
    version: int
    draw: Draw

    def label(self, index: int) -> str:
        """The class of a photo; consecutive photos show all classes in turn."""
        return self.classes[index % len(self.classes)]


def _start(seed: int, index: int, height: int, width: int, focus: int) -> tuple[Dice, Canvas]:
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        message = _(
            "synthetic photos: found a size of {height}x{width}, accepted: {smallest} to {largest} pixels per side"
        )
        raise DataError(message.format(height=height, width=width, smallest=SMALLEST, largest=LARGEST))
    dice = Dice(seed, index)
    return dice, Canvas(height, width, focus=dice.between(0, focus))


def _two_colours(dice: Dice, least: int) -> tuple[Colour, Colour]:
    """Of the same palette, the second one darker or lighter than the first, by at least so many 256ths."""
    one = dice.colour(PETALS, 30)
    return one, mixed(one, (20, 20, 28) if dice.chance(60) else (252, 252, 248), dice.between(least, least + 120))


# Textures: a pattern that fills the picture, bent and half covered by noise


def draw_texture(seed: int, index: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """A surface with one of five patterns. Raises DataError for a side of fewer than 32 or more than 512 pixels."""
    dice, canvas = _start(seed, index, height, width, 60)
    one, two = _two_colours(dice, 120)
    bend, grain = noise(dice, canvas, 3), noise(dice, canvas, 24)
    for plane, channel in zip(canvas.planes, one, strict=True):
        plane += channel << 4
    turn, pitch = dice.below(TURN), dice.between(20, 44)  # 8 for one wave across the picture
    x = canvas.xs[None, :] + 0 * canvas.ys[:, None] + bend * dice.between(0, 3)
    y = canvas.ys[:, None] + 0 * canvas.xs[None, :] - bend * dice.between(0, 3)
    along = ((x * cos(turn) + y * sin(turn)) >> 14) * pitch + dice.below(TURN)
    over = ((y * cos(turn) - x * sin(turn)) >> 14) * pitch + dice.below(TURN)
    pattern = _pattern(dice, index % len(TEXTURES), (x, y), (along, over), pitch)
    strength = dice.between(170, 256)
    shown = np.clip(FULL // 2 + ((pattern * strength) >> 8) + ((grain * dice.between(20, 90)) >> 8), 0, FULL)
    paint(View(canvas.planes, bend, bend, 1), two, shown)
    return developed(dice, canvas)


def _pattern(dice: Dice, kind: int, places: tuple[Ints, Ints], phases: tuple[Ints, Ints], pitch: int) -> Ints:
    """From -256 to 256."""
    along, over = phases
    match TEXTURES[kind]:
        case "checks":
            found = np.clip((waves(along) * waves(over)) >> 6, -FULL, FULL)
        case "dots":
            found = np.clip(2 * (waves(along) + waves(over)) - 280, -FULL, FULL)
        case "rings":
            r, _angle = to_polar(places[0] - dice.between(-3000, 3000), places[1] - dice.between(-3000, 3000))
            found = waves(r * pitch)
        case "stripes":
            found = waves(along)
        case _:
            fold = np.abs((over >> 1 & (TURN - 1)) - TURN // 2)
            found = waves(along + 2 * fold)
    return np.asarray(found, dtype=np.int32)


# Counts: one to five balls before the same backgrounds as the flowers


def draw_count(seed: int, index: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """As many balls as the class says, apart from each other. Raises DataError like `draw_texture`."""
    dice, canvas = _start(seed, index, height, width, 130)
    background(dice, canvas)
    n, places = index % len(COUNTS) + 1, list(range(9))
    size, spread = dice.between(520, 1050), dice.between(0, 2)
    for _ball in range(n):
        place = places.pop(dice.below(len(places)))
        x, y = (2450 * (place % 3 - 1) + dice.around(420), 2450 * (place // 3 - 1) + dice.around(420))
        radius = size * dice.between(100 - 14 * spread, 100 + 8 * spread) // 100
        view = canvas.disc(Pose(x, y, radius, dice.below(TURN), dice.between(200, 256)))
        r, _angle = to_polar(view.u, view.v)
        shade: Ints = 262 - (r * 90) // UNIT - ((view.u + view.v) * 20) // UNIT
        paint(view, dice.colour(PETALS, 30), cover(UNIT - r, view.soft), shade)
    return developed(dice, canvas)


# Shapes: one outline, of any size, place and direction


def draw_shape(seed: int, index: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """A flat shape, some with a smaller disc before it. Raises DataError like `draw_texture`."""
    dice, canvas = _start(seed, index, height, width, 100)
    ground, one = dice.colour(GROUNDS, 30), dice.colour(PETALS, 30)
    cloud = noise(dice, canvas, 4)
    for plane, channel in zip(canvas.planes, ground, strict=True):
        plane += channel * (FULL + (cloud >> 1)) >> 4
    radius = dice.between(2300, 3600)
    reach = 4400 - radius
    pose = Pose(
        dice.between(-reach, reach), dice.between(-reach, reach), radius, dice.below(TURN), dice.between(210, 256)
    )
    view = canvas.disc(pose, reach=UNIT + 512)
    two = mixed(one, ground, 150)
    inside = _inside(SHAPES[index % len(SHAPES)], view)
    clear = dice.between(225, 256)
    paint(view, one, (cover(inside, view.soft) * clear) >> 8, 250 - ((view.u * dice.around(40)) // UNIT))
    if dice.chance(30):
        spot = Pose(pose.x + dice.around(radius), pose.y + dice.around(radius), radius * dice.between(20, 45) // 100, 0)
        over = canvas.disc(spot)
        r, _angle = to_polar(over.u, over.v)
        paint(over, two, cover(UNIT - r, over.soft))
    return developed(dice, canvas)


def _inside(shape: str, view: View) -> Ints:
    """How far each place is within the outline, local units."""
    r, angle = to_polar(view.u, view.v)
    if shape == "circle":
        return np.asarray(3300 - r)
    if shape == "star":
        aside = np.abs(((angle * 5) & (TURN - 1)) - TURN // 2)
        return np.asarray(4096 - ((2500 * aside) >> 15) - r)
    corners = {"triangle": 3, "square": 4, "pentagon": 5}[shape]
    far = {3: 2050, 4: 2700, 5: 3000}[corners]  # of each side from the centre
    sides = [(view.u * cos(TURN * k // corners) + view.v * sin(TURN * k // corners)) >> 14 for k in range(corners)]
    return np.asarray(far - np.maximum.reduce(sides))


TASKS = {
    "flowers": DrawnTask(drawn.CLASSES, drawn.VERSION, drawn.draw),
    "textures": DrawnTask(TEXTURES, 2, draw_texture),
    "counts": DrawnTask(COUNTS, 1, draw_count),
    "shapes": DrawnTask(SHAPES, 2, draw_shape),
}


def task(root: str) -> DrawnTask:
    """That of a built-in data set which `image.builtin_photos` knows."""
    return TASKS[root.partition(":")[2].partition("/")[0]]
