"""Five kinds of flowers, drawn: photos for a study that needs no download.

A picture is a function of (seed, index) alone, the same on every machine: whole numbers throughout, no floating
point, no generator whose stream may change with the version of NumPy. A scene is described in scene units, the
square from -4096 to 4096 with y downwards; a size only chooses the points at which the scene is sampled. Edges are
ramps one pixel wide (wider where the picture is out of focus), computed from distances, so nothing is supersampled.

The kinds differ in shape; petal colours, greens, backgrounds, light and what stands in front come from distributions
that overlap, so colours alone do not tell the kinds apart.

Fixed point: 4096 is one local unit (a flower's radius, a blade's length), 65536 a full turn, 256 full coverage or
plain light, colours on the canvas are 16 times their 8-bit value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from commongarden.errors import DataError

CLASSES = ("daisy", "dandelion", "rose", "sunflower", "tulip")
VERSION = 1  # part of every cache key: changes when a pixel changes
SMALLEST, LARGEST = 32, 512

Ints = npt.NDArray[np.int32]
Colour = tuple[int, int, int]

UNIT = 4096
TURN = 65536
FULL = 256
FAR = 60_000  # local coordinates are cut here, so that no product of two of them leaves 32 bits


def label(index: int) -> int:
    """The class of photo `index`, as a place in CLASSES; any five consecutive photos show all five."""
    return index % len(CLASSES)


def draw(seed: int, index: int, height: int, width: int) -> npt.NDArray[np.uint8]:
    """Photo `index` of the data set `seed`: uint8 (height, width, 3), each side 32 to 512 pixels. Raises DataError."""
    if not (SMALLEST <= height <= LARGEST and SMALLEST <= width <= LARGEST):
        raise DataError(
            f"drawn flowers: found a size of {height}x{width}, accepted: {SMALLEST} to {LARGEST} pixels a side"
        )
    dice = Dice(seed, index)
    canvas = Canvas(height, width, focus=dice.between(0, 130))
    _background(dice, canvas)
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
    return _developed(dice, canvas)


# Chance and tables


class Dice:
    """SplitMix64, written out: its numbers are ours to keep."""

    def __init__(self, seed: int, index: int) -> None:
        self._state = 0
        self._state = self._next() ^ (seed & _MASK)
        self._state = self._next() ^ (index & _MASK)

    def _next(self) -> int:
        self._state = (self._state + 0x9E3779B97F4A7C15) & _MASK
        z = self._state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
        return z ^ (z >> 31)

    def below(self, end: int) -> int:
        return (self._next() * end) >> 64

    def between(self, low: int, high: int) -> int:
        """From low to high, both included."""
        return low + self.below(high - low + 1)

    def around(self, spread: int) -> int:
        """From -spread to spread, likelier near 0."""
        return (self.between(-spread, spread) + self.between(-spread, spread)) // 2

    def chance(self, percent: int) -> bool:
        return self.below(100) < percent

    def ints(self, n: int, low: int, high: int) -> Ints:
        return np.array([self.between(low, high) for _ in range(n)], dtype=np.int32)

    def colour(self, choices: Sequence[tuple[int, Colour]], spread: int) -> Colour:
        """One of the (weight, colour) choices; brightness and each channel then vary by `spread`."""
        pick = self.below(sum(weight for weight, _ in choices))
        light = self.around(spread)
        chosen = [colour for weight, colour in choices for _ in range(weight)][pick]
        red, green, blue = (min(max(c + light + self.around(spread), 0), 255) for c in chosen)
        return red, green, blue


_MASK = (1 << 64) - 1


def _sine_table() -> Ints:
    """sin of k/1024 turn, times 2^14: half-angle formulas give the step, whole-number rotations the rest."""
    one = 1 << 60
    cos = 0  # of a quarter turn
    for _ in range(8):
        cos = math.isqrt((one + cos) * one // 2)
    sin = math.isqrt(one * one - cos * cos)
    table, x, y = [], one, 0
    for _ in range(1024):
        table.append((y + (1 << 45)) >> 46)
        x, y = (x * cos - y * sin) >> 60, (x * sin + y * cos) >> 60
    return np.array(table, dtype=np.int32)


def _arc_tables() -> tuple[Ints, Ints]:
    """For slopes k/4096 up to 1: the angle in parts of a turn, and the hypotenuse over the longer leg times 2^14."""
    sums = [0]
    for k in range(4096):  # the integral of 1 / (1 + t^2); its end is an eighth turn, so no pi is needed
        sums.append(sums[-1] + (1 << 60) // (8192 * 8192 + (2 * k + 1) ** 2))
    angles = [(s * (TURN // 8) + sums[-1] // 2) // sums[-1] for s in sums]
    hypotenuses = [math.isqrt((4096 * 4096 + k * k) << 4) for k in range(4097)]
    return np.array(angles, dtype=np.int32), np.array(hypotenuses, dtype=np.int32)


def _profile(*points: int) -> Ints:
    """A curve through evenly spaced points, smoothed: 257 values from the start of a petal or blade to its tip."""
    spans = len(points) - 1
    line = []
    for k in range(257):
        at, rest = divmod(k * spans, 256)
        line.append((points[at] * (256 - rest) + points[min(at + 1, spans)] * rest) // 256)
    reach = 256 // spans // 3
    rounded = []
    for k in range(257):  # the window shrinks towards both ends and so keeps them
        half = min(reach, k, 256 - k)
        rounded.append(sum(line[k - half : k + half + 1]) // (2 * half + 1))
    return np.array(rounded, dtype=np.int32)


_SINE = _sine_table()
_ANGLE, _HYPOTENUSE = _arc_tables()
_SLIM = _profile(90, 150, 200, 235, 252, 256, 245, 200, 0)
_POINTED = _profile(120, 190, 240, 256, 235, 190, 135, 75, 0)
_RAY = _profile(120, 150, 180, 210, 235, 250, 256, 230, 120)
_TUFT = _profile(26, 26, 26, 26, 26, 26, 26, 26, 30, 70, 150, 230, 256)
_EGG = _profile(110, 190, 238, 256, 250, 225, 180, 115, 0)
_LEAF = _profile(30, 130, 215, 254, 250, 215, 160, 90, 0)
_GRASS = _profile(200, 235, 252, 256, 240, 205, 155, 90, 0)
_STALK = _profile(256, 250, 240, 230, 225, 225, 230, 240, 256)
_LOBE = _profile(256, 256, 255, 252, 247, 239, 228, 214, 196)
_RISING = _profile(150, 185, 210, 230, 245, 255, 262, 268, 275)


# Where things are


@dataclass(frozen=True)
class Pose:
    """Place, size and direction in the scene. x, y, radius: scene units; squash: 256ths seen of the height."""

    x: int
    y: int
    radius: int
    angle: int
    squash: int = FULL


@dataclass(frozen=True)
class View:
    """The part of the canvas that a thing can touch, in the thing's own coordinates.

    planes: (3, h, w), a window into the canvas; u, v: (h, w), local units along and across the direction;
    soft: the width of an edge, local units.
    """

    planes: Ints
    u: Ints
    v: Ints
    soft: int


class Canvas:
    """planes: (3, height, width), 16 times the 8-bit colours; xs, ys: the pixels' centres, scene units."""

    def __init__(self, height: int, width: int, focus: int) -> None:
        self.planes: Ints = np.zeros((3, height, width), dtype=np.int32)
        self.xs: Ints = ((2 * np.arange(width, dtype=np.int32) + 1) * UNIT // width - UNIT).astype(np.int32)
        self.ys: Ints = ((2 * np.arange(height, dtype=np.int32) + 1) * UNIT // height - UNIT).astype(np.int32)
        self.edge = UNIT // height + UNIT // width + focus

    def disc(self, pose: Pose, reach: int = UNIT, blur: int = 0) -> View:
        """What lies within `reach` local units of the pose."""
        far = pose.radius * reach // UNIT + self.edge + blur
        return self._view(pose, (pose.x - far, pose.x + far), (pose.y - far, pose.y + far), blur)

    def strip(self, pose: Pose, margin: int, blur: int = 0) -> View:
        """What lies along the pose's direction: one radius long, `margin` local units to each side."""
        far = pose.radius * margin // UNIT + self.edge + blur
        x, y = _ahead(pose, UNIT)
        return self._view(
            pose, (min(pose.x, x) - far, max(pose.x, x) + far), (min(pose.y, y) - far, max(pose.y, y) + far), blur
        )

    def _view(self, pose: Pose, across: tuple[int, int], down: tuple[int, int], blur: int) -> View:
        left, right = (int(i) for i in np.searchsorted(self.xs, across))
        top, bottom = (int(i) for i in np.searchsorted(self.ys, down))
        cos, sin = _cos(pose.angle), _sin(pose.angle)
        dx = (self.xs[left:right] - pose.x)[None, :]
        dy = (self.ys[top:bottom] - pose.y)[:, None]
        along, over = pose.radius << 4, (pose.radius * pose.squash) >> 4
        u = (dx * (cos * UNIT // along) + dy * (sin * UNIT // along)) >> 10
        v = (dy * (cos * UNIT // over) - dx * (sin * UNIT // over)) >> 10
        soft = max((self.edge + blur) * UNIT // pose.radius, 2)
        return View(self.planes[:, top:bottom, left:right], u, v, soft)


def _sin(angle: int) -> int:
    return int(_SINE[(angle >> 6) & 1023])


def _cos(angle: int) -> int:
    return _sin(angle + TURN // 4)


def _ahead(pose: Pose, distance: int) -> tuple[int, int]:
    """The scene point `distance` local units ahead of a pose without squash."""
    reach = pose.radius * distance // UNIT
    return pose.x + (reach * _cos(pose.angle) >> 14), pose.y + (reach * _sin(pose.angle) >> 14)


def _polar(u: Ints, v: Ints) -> tuple[Ints, Ints]:
    """Radius in local units and angle in parts of a turn, both (h, w)."""
    across, down = np.abs(u), np.abs(v)
    long = np.minimum(np.maximum(np.maximum(across, down), 1), FAR)
    slope = (np.minimum(np.minimum(across, down), long) << 12) // long
    angle = _ANGLE[slope]
    angle = np.where(down > across, TURN // 4 - angle, angle)
    angle = np.where(u < 0, TURN // 2 - angle, angle)
    return (long * _HYPOTENUSE[slope]) >> 14, np.where(v < 0, TURN - angle, angle) & (TURN - 1)


# Paint


def _cover(inside: Ints, soft: int) -> Ints:
    """Coverage, 0..256, from the distance inside an edge that is `soft` wide."""
    return np.clip((np.clip(inside, -soft, soft) * FULL) // soft + FULL // 2, 0, FULL)


def _paint(view: View, colour: Colour, cover: Ints, light: Ints | int = FULL) -> None:
    """Lay a colour over the view. cover, light: (h, w), 256ths."""
    for plane, channel in zip(view.planes, colour, strict=True):
        plane += (((channel * light) >> 4) - plane) * cover >> 8


def _mixed(a: Colour, b: Colour, part: int) -> Colour:
    """a, moved `part` 256ths of the way to b."""
    red, green, blue = (p + (((q - p) * part) >> 8) for p, q in zip(a, b, strict=True))
    return red, green, blue


def _ring(
    view: View, dice: Dice, polar: tuple[Ints, Ints], count: int, length: int, width: int, colour: Colour,
    shape: Ints = _SLIM, vary: int = 200, light: int = FULL, clear: int = FULL,
) -> None:  # fmt: skip
    """`count` petals around the centre. length, width (half of it): local units; vary: how far lengths differ.

    The angle is folded into one petal, so many petals cost as much as one.
    """
    r, angle = polar
    phase = ((angle + dice.below(TURN)) & (TURN - 1)) * count
    petal = phase >> 16
    aside = np.abs((phase & (TURN - 1)) - TURN // 2 + dice.ints(count, -7000, 7000)[petal])
    lengths = length - dice.ints(count, 0, vary)
    t = np.minimum((r * ((FULL << 12) // lengths)[petal]) >> 12, FULL)
    arc = (((r * (aside >> 1)) >> 12) * (12868 // count)) >> 14  # 12868 = 2 pi * 2^11
    half = (width * shape[t]) >> 8
    inside = np.minimum(half - arc, lengths[petal] - r)
    shade = (_RISING[t] * dice.ints(count, light - 34, light + 8)[petal]) >> 8
    shade -= np.minimum((arc * 60) // max(width, 1), 60)
    _paint(view, colour, (_cover(inside, view.soft) * clear) >> 8, shade)


def _dome(view: View, r: Ints, radius: int, colour: Colour, bumps: Ints | int = 0) -> None:
    """A disc that bulges towards the light at the upper left. bumps: (h, w), added to its light."""
    shade: Ints = 262 - (r * 70) // radius - ((view.u + view.v) * 20) // radius
    _paint(view, colour, _cover(radius - r, view.soft), shade + bumps)


def _waves(angle: Ints) -> Ints:
    """sin times 256 of an angle array, parts of a turn."""
    waves: Ints = _SINE[(angle >> 6) & 1023] >> 6
    return waves


def _blade(
    canvas: Canvas, pose: Pose, width: int, bend: int, colour: Colour, shape: Ints = _GRASS, blur: int = 0,
    folded: int = 40,
) -> None:  # fmt: skip
    """A leaf, stalk or petal seen from the side, from the pose's place ahead. width (half), bend: local units.

    folded: by how much one half is darker than the other.
    """
    view = canvas.strip(pose, width + abs(bend), blur)
    t = np.clip(view.u >> 4, 0, FULL)
    v = view.v - ((t * (2 * FULL - t) * bend) >> 16)
    inside = np.minimum(((width * shape[t]) >> 8) - np.abs(v), np.minimum(view.u, UNIT - view.u))
    half = _cover(v, view.soft)
    shade = 225 + (t >> 3) - ((half * folded) >> 8)
    _paint(view, colour, _cover(inside, view.soft), shade)


# Palettes: (weight, colour); the petals' are shared, a kind only adds its favourites.

_WHITE, _CREAM, _YELLOW, _ORANGE = (246, 244, 238), (246, 232, 180), (250, 208, 36), (244, 148, 38)
_PINK, _RED, _PURPLE, _LILAC = (240, 150, 182), (206, 36, 48), (168, 62, 150), (192, 160, 224)
_PETALS: list[tuple[int, Colour]] = [
    (2, _WHITE), (2, _CREAM), (3, _YELLOW), (2, _ORANGE), (2, _PINK), (2, _RED), (1, _PURPLE), (1, _LILAC),
]  # fmt: skip
_FAVOURITES: tuple[list[tuple[int, Colour]], ...] = (
    [(13, _WHITE), (4, _PINK), (3, _LILAC)],
    [(18, _YELLOW), (3, _CREAM)],
    [(8, _RED), (8, _PINK), (4, _WHITE)],
    [(18, _YELLOW), (3, _ORANGE)],
    [(6, _RED), (5, _PURPLE), (4, _PINK), (4, _ORANGE)],
)
_GREENS: list[tuple[int, Colour]] = [(3, (86, 132, 52)), (2, (58, 104, 50)), (2, (118, 150, 70)), (1, (84, 120, 88))]
_GROUNDS: list[tuple[int, Colour]] = [
    (4, (74, 112, 48)), (3, (44, 70, 40)), (3, (128, 160, 84)), (2, (124, 98, 66)), (3, (150, 186, 214)),
    (2, (188, 186, 176)), (2, (60, 56, 60)), (1, (206, 178, 120)),
]  # fmt: skip


# The scene around the flower


def _background(dice: Dice, canvas: Canvas) -> None:
    top, bottom = dice.colour(_GROUNDS, 30), dice.colour(_GROUNDS, 30)
    cloud = _noise(dice, canvas, 4) + (_noise(dice, canvas, 10) >> 1)
    down = (canvas.ys[:, None] >> 5) + 128 + cloud
    whole = View(canvas.planes, cloud, cloud, 1)
    for plane, channel in zip(canvas.planes, top, strict=True):
        plane += channel << 4
    _paint(whole, bottom, np.clip(down, 0, FULL), FULL - (cloud >> 2))
    for _ in range(dice.between(1, 5)):
        spot = Pose(dice.between(-4200, 4200), dice.between(-4200, 4200), dice.between(300, 1100), 0)
        colour = dice.colour(_PETALS if dice.chance(60) else _GREENS, 24)
        view = canvas.disc(spot, blur=dice.between(60, 500))
        r, _ = _polar(view.u, view.v)
        _paint(view, colour, (_cover(UNIT - r, view.soft) * dice.between(90, 230)) >> 8)
    for _ in range(dice.between(0, 6)):
        _grass(dice, canvas, dice.between(0, 300))


def _noise(dice: Dice, canvas: Canvas, cells: int) -> Ints:
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


def _grass(dice: Dice, canvas: Canvas, blur: int) -> None:
    length = dice.between(3000, 8000)
    pose = Pose(dice.between(-4400, 4400), dice.between(4300, 6000), length, 3 * TURN // 4 + dice.around(9000))
    width = dice.between(70, 260) * UNIT // length
    _blade(canvas, pose, width, dice.around(900), dice.colour(_GREENS, 26), blur=blur)


def _foreground(dice: Dice, canvas: Canvas) -> None:
    if dice.chance(45):
        for _ in range(dice.between(1, 3)):
            _grass(dice, canvas, dice.between(0, 160))


def _developed(dice: Dice, canvas: Canvas) -> npt.NDArray[np.uint8]:
    """Light from one side, exposure and white balance; then 8 bits."""
    angle, fall = dice.below(TURN), dice.between(0, 90)
    exposure = dice.between(200, 285)
    slope = (canvas.xs[None, :] * _cos(angle) + canvas.ys[:, None] * _sin(angle)) >> 14
    light = exposure + ((slope * fall) >> 12)
    gains = [FULL + dice.around(34) for _ in range(3)]
    out = np.empty((*light.shape, 3), dtype=np.uint8)
    for channel, gain in enumerate(gains):
        out[:, :, channel] = np.clip((canvas.planes[channel] * ((light * gain) >> 8)) >> 12, 0, 255)
    return out


# The flowers


def _neighbour(dice: Dice, pose: Pose) -> Pose:
    """A smaller flower of the same kind, behind."""
    radius = pose.radius * dice.between(40, 65) // 100
    return Pose(-pose.x + dice.around(2500), -pose.y + dice.around(2500), radius, dice.below(TURN), pose.squash)


def _flower(dice: Dice, canvas: Canvas, kind: int, pose: Pose) -> None:
    colour = dice.colour(_PETALS + _FAVOURITES[kind], 26)
    green = dice.colour(_GREENS, 24)
    if kind == CLASSES.index("tulip"):
        _tulip(dice, canvas, pose, colour, green)
        return
    if kind == CLASSES.index("dandelion"):
        pose = replace(pose, squash=max(pose.squash, 220))  # a ball is round from every side
    if dice.chance(60):
        _stem(dice, canvas, Pose(pose.x, pose.y, dice.between(6500, 8500), TURN // 4 + dice.around(5000)), green)
    for _ in range(dice.between(0, 3)):
        leaf = Pose(pose.x, pose.y, pose.radius * dice.between(110, 150) // 100, dice.below(TURN))
        _blade(canvas, leaf, dice.between(450, 800), dice.around(600), green, _LEAF)
    shadow = Pose(pose.x + dice.around(300), pose.y + pose.radius // 8, pose.radius, pose.angle, pose.squash)
    view = canvas.disc(shadow, 4300, blur=pose.radius // 3)
    _paint(view, (14, 22, 14), _cover(3700 - _polar(view.u, view.v)[0], view.soft) >> 1)
    view = canvas.disc(pose, 4400)
    _ROUND[kind](dice, view, _polar(view.u, view.v), colour)


def _stem(dice: Dice, canvas: Canvas, pose: Pose, green: Colour) -> None:
    _blade(canvas, pose, dice.between(90, 170) * UNIT // pose.radius, dice.around(400), green, _STALK, folded=80)


def _daisy(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    count = dice.between(13, 22)
    width = dice.between(300, 380) * 17 // count
    _ring(view, dice, polar, count, 4096, width, _mixed(colour, (90, 100, 120), 50))
    _ring(view, dice, polar, count, 4000, width, colour)
    eye = dice.colour([(6, (236, 186, 36)), (2, (214, 140, 30)), (2, (170, 160, 60)), (2, (110, 66, 34))], 22)
    r, angle = polar
    radius = dice.between(900, 1350)
    _dome(view, r, radius, eye, (_waves(angle * 11 + r * 60) * _waves(angle * 13 - r * 70)) >> 11)


def _dandelion(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    r, _ = polar
    if dice.chance(25):  # gone to seed
        pale = _mixed(colour, (244, 244, 240), 215)
        _paint(view, pale, _cover(3900 - r, view.soft * 3) // 5)
        tufts = ((58, 4096, 232), (46, 3500, 244), (36, 2850, 256), (26, 2200, 268), (16, 1500, 280))
        for count, length, light in tufts:
            _ring(view, dice, polar, count, length, 12 * length // (5 * count), pale, _TUFT, 550, light, clear=205)
        _dome(view, r, dice.between(350, 550), (128, 98, 64))
        return
    deep = _mixed(colour, (120, 50, 10), 90)
    _paint(view, deep, _cover(3300 - r, view.soft * 2))
    for length, light in ((4096, 205), (3500, 222), (2900, 236), (2200, 250), (1500, 262), (900, 272)):
        count = dice.between(38, 50) * (length + 2600) // 6000
        _ring(
            view,
            dice,
            polar,
            count,
            length,
            length * 70 // count * 6 // 5 // 20 * 10 // 25 + 60,
            colour,
            _RAY,
            500,
            light,
        )


def _rose(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    r, angle = polar
    turn = dice.below(TURN)
    hand = -1 if dice.chance(50) else 1
    light = 262
    for ring, radius in enumerate((4050, 3450, 2820, 2220, 1660, 1140, 680)):
        count = (6, 5, 5, 4, 3, 3, 2)[ring]
        turn += TURN * dice.between(35, 65) // (100 * count)
        phase = ((angle * hand + turn) & (TURN - 1)) * count
        petal = phase >> 16
        aside = (phase & (TURN - 1)) - TURN // 2
        edge = ((radius - dice.ints(count, 0, radius // 9))[petal] * _LOBE[np.abs(aside) >> 7]) >> 8
        edge += (aside * radius) >> 19
        inside = edge - r
        depth = np.clip((inside * FULL) // (radius // 3 + 250), 0, FULL)
        shade = light - ((depth * 120) >> 8) - (np.maximum(aside, 0) >> 10)
        shade += np.where(depth < 40, 22, 0)
        _paint(view, colour, _cover(inside, view.soft), shade)
        light -= 6
    _paint(view, _mixed(colour, (30, 0, 10), 150), _cover(260 - r, view.soft * 2))


def _sunflower(dice: Dice, view: View, polar: tuple[Ints, Ints], colour: Colour) -> None:
    count = dice.between(15, 22)
    width = dice.between(480, 580) * 18 // count
    _ring(view, dice, polar, count, 4096, width, _mixed(colour, (120, 60, 10), 80), _POINTED, 350)
    _ring(view, dice, polar, count, 3950, width, colour, _POINTED, 350)
    r, angle = polar
    radius = dice.between(1750, 2300)
    seeds = dice.colour([(6, (84, 52, 28)), (3, (52, 36, 28)), (2, (120, 96, 40)), (2, (150, 104, 36))], 16)
    bumps = (_waves(angle * 21 + r * 34) + _waves(angle * 13 - r * 34)) * 45 >> 8
    _dome(view, r, radius, seeds, bumps + np.where(r > radius * 2 // 3, 60, 0))
    _paint(view, _mixed(seeds, (20, 24, 10), 120), _cover(radius * 2 // 5 - r, view.soft * 3) >> 1)


def _tulip(dice: Dice, canvas: Canvas, pose: Pose, colour: Colour, green: Colour) -> None:
    up = 3 * TURN // 4 + dice.around(9000)
    height = pose.radius * 3 // 2
    foot = Pose(pose.x, pose.y, height // 2, up + TURN // 2)
    x, y = _ahead(foot, UNIT)
    stem = Pose(x, y, dice.between(6500, 8000), up + TURN // 2 + dice.around(2500))
    _stem(dice, canvas, stem, green)
    root = _ahead(stem, dice.between(1700, 2900))
    for side in (-1, 1):
        if dice.chance(75):
            leaf = Pose(*root, dice.between(4000, 6000), up + side * dice.between(2500, 6500))
            _blade(canvas, leaf, dice.between(280, 480), side * dice.between(0, 700), green, _LEAF)
    open_ = dice.between(1500, 4200)
    dark, mid = _mixed(colour, (40, 10, 30), 85), _mixed(colour, (60, 20, 30), 30)
    width = dice.between(1050, 1350)
    for lean, size, tint, wide in (
        (-open_ // 2, 97, dark, 80), (open_ // 2, 97, dark, 80),
        (-open_, 100, mid, 85), (open_, 100, mid, 85), (dice.around(900), 94, colour, 100),
    ):  # fmt: skip
        petal = Pose(x, y, height * (size - dice.below(6)) // 100, up + lean)
        _blade(canvas, petal, width * wide // 100, -lean // 5, tint, _EGG, folded=34)


_ROUND: tuple[Callable[[Dice, View, tuple[Ints, Ints], Colour], None], ...] = (_daisy, _dandelion, _rose, _sunflower)
