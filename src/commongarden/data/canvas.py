"""Painting in whole numbers: where things are on a canvas, coverage from distances, and the parts that flowers have.

Fixed point: 4096 is one local unit (a flower's radius, a blade's length), 65536 a full turn, 256 full coverage or
plain light, colours on the canvas are 16 times their 8-bit value.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from commongarden.data.splitmix64 import Colour, Dice, Ints

UNIT = 4096
TURN = 65536
FULL = 256
FAR = 60_000  # local coordinates are cut here, so that no product of two of them leaves 32 bits


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
SLIM = _profile(90, 150, 200, 235, 252, 256, 245, 200, 0)
POINTED = _profile(120, 190, 240, 256, 235, 190, 135, 75, 0)
RAY = _profile(120, 150, 180, 210, 235, 250, 256, 230, 120)
TUFT = _profile(26, 26, 26, 26, 26, 26, 26, 26, 30, 70, 150, 230, 256)
EGG = _profile(110, 190, 238, 256, 250, 225, 180, 115, 0)
LEAF = _profile(30, 130, 215, 254, 250, 215, 160, 90, 0)
GRASS = _profile(200, 235, 252, 256, 240, 205, 155, 90, 0)
STALK = _profile(256, 250, 240, 230, 225, 225, 230, 240, 256)
LOBE = _profile(256, 256, 255, 252, 247, 239, 228, 214, 196)
RISING = _profile(150, 185, 210, 230, 245, 255, 262, 268, 275)


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
        x, y = ahead(pose, UNIT)
        across, down = ((min(ends) - far, max(ends) + far) for ends in ((pose.x, x), (pose.y, y)))
        return self._view(pose, across, down, blur)

    def _view(self, pose: Pose, across: tuple[int, int], down: tuple[int, int], blur: int) -> View:
        left, right = (int(i) for i in np.searchsorted(self.xs, across))
        top, bottom = (int(i) for i in np.searchsorted(self.ys, down))
        c, s = cos(pose.angle), sin(pose.angle)
        dx = (self.xs[left:right] - pose.x)[None, :]
        dy = (self.ys[top:bottom] - pose.y)[:, None]
        along, over = pose.radius << 4, (pose.radius * pose.squash) >> 4
        u = (dx * (c * UNIT // along) + dy * (s * UNIT // along)) >> 10
        v = (dy * (c * UNIT // over) - dx * (s * UNIT // over)) >> 10
        soft = max((self.edge + blur) * UNIT // pose.radius, 2)
        return View(self.planes[:, top:bottom, left:right], u, v, soft)


def sin(angle: int) -> int:
    return int(_SINE[(angle >> 6) & 1023])


def cos(angle: int) -> int:
    return sin(angle + TURN // 4)


def ahead(pose: Pose, distance: int) -> tuple[int, int]:
    """The scene point `distance` local units ahead of a pose without squash."""
    reach = pose.radius * distance // UNIT
    return pose.x + (reach * cos(pose.angle) >> 14), pose.y + (reach * sin(pose.angle) >> 14)


def to_polar(u: Ints, v: Ints) -> tuple[Ints, Ints]:
    """Radius in local units and angle in parts of a turn, both (h, w)."""
    across, down = np.abs(u), np.abs(v)
    long = np.minimum(np.maximum(np.maximum(across, down), 1), FAR)
    slope = (np.minimum(np.minimum(across, down), long) << 12) // long
    angle = _ANGLE[slope]
    angle = np.where(down > across, TURN // 4 - angle, angle)
    angle = np.where(u < 0, TURN // 2 - angle, angle)
    return (long * _HYPOTENUSE[slope]) >> 14, np.where(v < 0, TURN - angle, angle) & (TURN - 1)


# Paint


def cover(inside: Ints, soft: int) -> Ints:
    """Coverage, 0..256, from the distance inside an edge that is `soft` wide."""
    return np.clip((np.clip(inside, -soft, soft) * FULL) // soft + FULL // 2, 0, FULL)


def paint(view: View, colour: Colour, cover: Ints, light: Ints | int = FULL) -> None:
    """Lay a colour over the view. cover, light: (h, w), 256ths."""
    for plane, channel in zip(view.planes, colour, strict=True):
        plane += (((channel * light) >> 4) - plane) * cover >> 8


def mixed(a: Colour, b: Colour, part: int) -> Colour:
    """a, moved `part` 256ths of the way to b."""
    red, green, blue = (p + (((q - p) * part) >> 8) for p, q in zip(a, b, strict=True))
    return red, green, blue


def ring(
    view: View, dice: Dice, polar: tuple[Ints, Ints], count: int, length: int, width: int, colour: Colour,
    shape: Ints = SLIM, vary: int = 200, light: int = FULL, clear: int = FULL,
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
    shade = (RISING[t] * dice.ints(count, light - 34, light + 8)[petal]) >> 8
    shade -= np.minimum((arc * 60) // max(width, 1), 60)
    paint(view, colour, (cover(inside, view.soft) * clear) >> 8, shade)


def dome(view: View, r: Ints, radius: int, colour: Colour, bumps: Ints | int = 0) -> None:
    """A disc that bulges towards the light at the upper left. bumps: (h, w), added to its light."""
    shade: Ints = 262 - (r * 70) // radius - ((view.u + view.v) * 20) // radius
    paint(view, colour, cover(radius - r, view.soft), shade + bumps)


def waves(angle: Ints) -> Ints:
    """sin times 256 of an angle array, parts of a turn."""
    waves: Ints = _SINE[(angle >> 6) & 1023] >> 6
    return waves


def blade(
    canvas: Canvas, pose: Pose, width: int, bend: int, colour: Colour, shape: Ints = GRASS, blur: int = 0,
    folded: int = 40,
) -> None:  # fmt: skip
    """A leaf, stalk or petal seen from the side, from the pose's place ahead. width (half), bend: local units.

    folded: by how much one half is darker than the other.
    """
    view = canvas.strip(pose, width + abs(bend), blur)
    t = np.clip(view.u >> 4, 0, FULL)
    v = view.v - ((t * (2 * FULL - t) * bend) >> 16)
    inside = np.minimum(((width * shape[t]) >> 8) - np.abs(v), np.minimum(view.u, UNIT - view.u))
    half = cover(v, view.soft)
    shade = 225 + (t >> 3) - ((half * folded) >> 8)
    paint(view, colour, cover(inside, view.soft), shade)
