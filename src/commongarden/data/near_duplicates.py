"""Which photos show the same picture: re-encoded, resized, cropped a little, mirrored, brighter or in grey.

Three steps, each on less than the one before. Every photo is described by 63 low frequencies of a small grey picture,
weighed so that coarse and fine count alike (a perceptual hash that keeps its numbers where pHash keeps their signs);
the cosines of all pairs are a matrix product (like_pairs.py). Pairs with like descriptions are described anew for
windows of 95 and 90 % of one photo. What is still alike is confirmed: one picture is laid over the other by least
squares (shift, scale, contrast, brightness; Lucas & Kanade 1981), and what is left once the soft shades are taken away
must agree, over all and from place to place. No pair is told that was not confirmed so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from commongarden.data import like_pairs

SIDE = 64  # pixels of the small grey pictures
FREQUENCIES = 8
LIKE_IN_WINDOW = 0.80
DETAIL = 3.0  # standard deviation, in pixels, of the blur that is taken away
HOPEFUL = 0.70  # correlation of the details at half the size
SAME_OVER_ALL = 0.88  # correlation of the details
SAME_IN_PLACES = 0.80  # the same in 16 squares, their median
SAME_SHADES = 0.85  # correlation before the shades are taken away
LEAST_OVERLAP = 0.72
ROWS = 512  # pictures that are described and compared at a time
FEATURELESS = 1.0  # grey levels, standard deviation of the details below which there is nothing to compare

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Match:
    """Two pictures, by their places, that were confirmed to be one. likeness: correlation of the details, up to 1."""

    one: int
    two: int
    likeness: float
    mirrored: bool


def matches(
    small: Pictures,
    places: Ints | None = None,
    plain: npt.NDArray[np.bool_] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[Match]:
    """All confirmed pairs among small grey pictures, (n, SIDE, SIDE) uint8, sorted.

    places: which of them are compared, all by default; a match names the pictures by their numbers among these. plain:
    which of these are in no pair since they have no details [those that are nearly one colour]. on_progress(done,
    total) counts photos.
    """
    places = np.arange(len(small)) if places is None else places
    comparable = np.flatnonzero(~(featureless(small, places) if plain is None else plain))
    chosen = places[comparable]
    n = len(chosen)
    if n < 2:
        return []
    described = np.concatenate(
        [_described(small[chosen[start : start + ROWS]], _WINDOWS[:1])[:, 0] for start in range(0, n, ROWS)]
    )
    like = like_pairs.finder(described)
    found: dict[tuple[int, int], Match] = {}
    for start in range(0, n, ROWS):
        rows = np.arange(start, min(start + ROWS, n))
        windows = _described(small[chosen[rows]], _WINDOWS)
        candidates: set[tuple[int, int]] = set()
        for sign in (_UPRIGHT, _MIRROR):
            for one, two in like(rows, sign):
                best = np.einsum("pwf,pf->pw", windows[one], described[two] * sign).max(axis=1)
                kept = best >= LIKE_IN_WINDOW
                candidates |= set(zip((one[kept] + start).tolist(), two[kept].tolist(), strict=True))
        found |= _confirmed(small, chosen, {_ordered(pair) for pair in candidates} - found.keys())
        if on_progress is not None:
            on_progress(int(rows[-1]) + 1, n)
    found |= _confirmed(small, chosen, _untried(found))
    number = comparable.tolist()
    renamed = (replace(match, one=number[match.one], two=number[match.two]) for match in found.values())
    return sorted(renamed, key=lambda match: (match.one, match.two))


def groups(pairs: Iterable[Match]) -> list[tuple[int, ...]]:
    """Groups by complete linkage, the most alike first: every member is confirmed against every other one, so a
    group cannot grow along a chain of photos that differ a little each. Each photo is in one group at most."""
    pairs = list(pairs)
    known = {(match.one, match.two) for match in pairs}
    group: dict[int, set[int]] = {}
    for match in sorted(pairs, key=lambda match: (-match.likeness, match.one, match.two)):
        one, two = (group.get(place, {place}) for place in (match.one, match.two))
        if one is not two and all(_ordered((a, b)) in known for a in one for b in two):
            together = one | two
            group |= dict.fromkeys(together, together)
    return sorted({tuple(sorted(members)) for members in group.values()})


def featureless(small: Pictures, places: Ints | None = None) -> npt.NDArray[np.bool_]:
    """Which pictures are nearly one colour, or one soft shade: (n,). places: of which, all by default."""
    places = np.arange(len(small)) if places is None else places
    found = np.empty(len(places), dtype=np.bool_)
    for start in range(0, len(places), ROWS):
        details = _details(small[places[start : start + ROWS]].astype(np.float32))
        found[start : start + ROWS] = details.std(axis=(1, 2)) < FEATURELESS
    return found


# where a window of each share of an axis may begin: at either edge or in the middle
_STARTS = {share: sorted({0.0, (1 - share) / 2, 1 - share}) for share in (1.0, 0.95, 0.9)}
_WINDOWS = [(share, x, y) for share, starts in _STARTS.items() for y in starts for x in starts]
_ACROSS, _DOWN = np.meshgrid(np.arange(FREQUENCIES), np.arange(FREQUENCIES))
_WEIGHTS = np.hypot(_ACROSS, _DOWN).astype(np.float32).ravel()[1:]  # natural pictures fall off as 1/f
_UPRIGHT = np.ones(FREQUENCIES**2 - 1, dtype=np.float32)
_MIRROR = np.where(_ACROSS % 2, -1, 1).astype(np.float32).ravel()[1:]


def _basis(start: float, share: float) -> Floats:
    """Cosines over a window of an axis, and 0 outside it: (FREQUENCIES, SIDE). A pixel at the edge counts in part."""
    edges = np.clip((np.arange(SIDE + 1) / SIDE - start) / share, 0, 1)
    order = np.arange(FREQUENCIES)[:, None]
    whole = np.where(order == 0, edges, np.sin(np.pi * order * edges) / (np.pi * np.maximum(order, 1)))
    return np.diff(whole, axis=1).astype(np.float32)


def _described(pictures: Pictures, windows: Sequence[tuple[float, float, float]]) -> Floats:
    """(n, windows, 63), each of length 1."""
    grey = pictures.astype(np.float32)
    described = np.empty((len(grey), len(windows), FREQUENCIES**2 - 1), dtype=np.float32)
    across = {(share, x): grey @ _basis(x, share).T for share, x in {(share, x) for share, x, _y in windows}}
    for number, (share, x, y) in enumerate(windows):
        found = (_basis(y, share) @ across[share, x]).reshape(len(grey), -1)[:, 1:] * _WEIGHTS
        described[:, number] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-9)
    return described


def _ordered(pair: tuple[int, int]) -> tuple[int, int]:
    return min(pair), max(pair)


def _untried(found: dict[tuple[int, int], Match]) -> set[tuple[int, int]]:
    """Pairs of photos that are confirmed against one and the same third one, but not yet against each other."""
    beside: defaultdict[int, set[int]] = defaultdict(set)
    for one, two in found:
        beside[one].add(two)
        beside[two].add(one)
    return {pair for others in beside.values() for pair in combinations(sorted(others), 2)} - found.keys()


def _confirmed(small: Pictures, places: Ints, pairs: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Match]:
    """The pairs that are one picture, by their numbers among the places."""
    tried = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    found = {}
    for start in range(0, len(tried), 256):
        one, two = tried[start : start + 256].T
        likeness, mirrored = _compared(small[places[one]], small[places[two]])
        for a, b, value, turned in zip(one.tolist(), two.tolist(), likeness.tolist(), mirrored.tolist(), strict=True):
            if value > 0:
                found[a, b] = Match(a, b, round(value, 4), turned)
    return found


def _compared(one: Pictures, two: Pictures) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """For each pair the correlation of the details once laid over each other, 0 where it is not the same picture; and
    whether one of the two is mirrored."""
    windows = [_described(pictures, _WINDOWS) for pictures in (one, two)]
    scores = np.stack(
        [
            np.einsum("pwf,pf->pw", wide, narrow[:, 0] * sign)
            for wide, narrow in (windows, windows[::-1])
            for sign in (np.float32(1), _MIRROR)
        ],
        axis=1,
    ).reshape(len(one), -1)
    best = scores.argmax(axis=1)
    case, window = np.divmod(best, len(_WINDOWS))
    swapped, mirrored = case >= 2, case % 2 == 1
    wide = np.where(swapped[:, None, None], two, one).astype(np.float32)
    narrow = np.where(swapped[:, None, None], one, two).astype(np.float32)
    narrow = np.where(mirrored[:, None, None], narrow[:, :, ::-1], narrow)
    share, x, y = np.array(_WINDOWS, dtype=np.float32)[window].T
    place = np.stack([share, 2 * x + share - 1, share, 2 * y + share - 1], axis=1)
    coarse = _halved(narrow), _halved(wide)
    place = _laid_over(*coarse, place, 4)
    laid, inside = _sampled(coarse[1], place)
    hopeful = _correlation(_details(coarse[0], DETAIL / 2), _details(laid, DETAIL / 2), inside) >= HOPEFUL
    likeness = np.zeros(len(one), dtype=np.float32)
    if hopeful.any():
        narrow, wide = narrow[hopeful], wide[hopeful]
        laid, inside = _sampled(wide, _laid_over(narrow, wide, place[hopeful], 2))
        likeness[hopeful] = _likeness(narrow, laid, inside)
    return likeness, mirrored


def _likeness(one: Floats, two: Floats, inside: Floats) -> Floats:
    details, others = _details(one), _details(two)
    over_all = _correlation(details, others, inside)
    local = _correlation(_squares(details), _squares(others), _squares(inside)).reshape(-1, 16)
    # a square of plain background holds noise alone
    rich = _squares(details).std(axis=(1, 2)).reshape(-1, 16)
    rich = rich >= 0.35 * np.median(rich, axis=1, keepdims=True)
    in_places = np.nanmedian(np.where(rich, local, np.nan), axis=1)
    same = (over_all >= SAME_OVER_ALL) & (in_places >= SAME_IN_PLACES)
    same &= (_correlation(one, two, inside) >= SAME_SHADES) & (inside.mean(axis=(1, 2)) >= LEAST_OVERLAP)
    return np.where(same, np.minimum(over_all, 1), 0).astype(np.float32)


def _squares(pictures: Floats) -> Floats:
    """Each picture cut into sixteen."""
    quarter = SIDE // 4
    return pictures.reshape(-1, 4, quarter, 4, quarter).transpose(0, 1, 3, 2, 4).reshape(-1, quarter, quarter)


def _details(pictures: Floats, blur: float = DETAIL) -> Floats:
    from scipy import ndimage  # a good second of imports, which no worker needs, nor a study begun before

    found: Floats = pictures - ndimage.gaussian_filter(pictures, (0, blur, blur), mode="nearest")
    return found


def _correlation(one: Floats, two: Floats, weights: Floats) -> Floats:
    """Pearson's, of each pair of pictures, where the weights are 1: (n,)."""
    total = np.maximum(weights.sum(axis=(1, 2), keepdims=True), 1)
    a = one - (one * weights).sum(axis=(1, 2), keepdims=True) / total
    b = two - (two * weights).sum(axis=(1, 2), keepdims=True) / total
    spread = (weights * a * a).sum(axis=(1, 2)) * (weights * b * b).sum(axis=(1, 2))
    found: Floats = (weights * a * b).sum(axis=(1, 2)) / np.sqrt(np.maximum(spread, 1e-6))
    return found


def _halved(pictures: Floats) -> Floats:
    n, height, width = pictures.shape
    quarters = pictures.reshape(n, height // 2, 2, width // 2, 2)
    halved: Floats = np.asarray(quarters.mean(axis=(2, 4)), dtype=np.float32)
    return halved


def _laid_over(fixed: Floats, moving: Floats, place: Floats, n_steps: int) -> Floats:
    """Gauss-Newton steps from `place` towards where `moving` shows what `fixed` shows.

    place: (n, 4) scale and shift across, scale and shift down, in coordinates from -1 to 1.
    """
    n, side, _ = fixed.shape
    slopes = np.gradient(moving, 2 / side, axis=(1, 2))
    down, across = (np.asarray(slope, dtype=np.float32) for slope in slopes)
    x, y = _coordinates(side)
    target = fixed.reshape(n, -1, 1)
    for _step in range(n_steps):
        value, inside = _sampled(moving, place)
        by_x, _ = _sampled(across, place)
        by_y, _ = _sampled(down, place)
        ones = np.ones_like(value)
        columns = np.stack([by_x * x, by_x, by_y * y, by_y, value, ones], axis=1).reshape(n, 6, -1)
        weighted = columns * inside.reshape(n, 1, -1)
        normal = weighted @ columns.transpose(0, 2, 1)
        ridge = np.trace(normal, axis1=1, axis2=2)[:, None] * np.array([1e-5] * 4 + [1e-8] * 2, dtype=np.float32)
        normal[:, range(6), range(6)] += ridge + 1e-6
        step = np.linalg.solve(normal, weighted @ target)[..., 0]
        contrast = np.maximum(step[:, 4:5], 0.2)
        moved = place + np.clip(step[:, :4] / contrast, -0.08, 0.08)
        place = np.clip(moved, [0.8, -0.25, 0.8, -0.25], [1.2, 0.25, 1.2, 0.25]).astype(np.float32)
    return place


def _coordinates(side: int) -> tuple[Floats, Floats]:
    centres = ((np.arange(side) + 0.5) * 2 / side - 1).astype(np.float32)
    return centres[None, :], centres[:, None]


def _sampled(pictures: Floats, place: Floats) -> tuple[Floats, Floats]:
    """The pictures seen at `place`, bilinear, and 1 where that is inside them: (n, side, side) both."""
    n, side, _ = pictures.shape
    centres, _ = _coordinates(side)
    found = []
    for axis in (0, 2):
        scale, shift = place[:, axis], place[:, axis + 1]
        at = (scale[:, None] * centres + shift[:, None] + 1) * (side / 2) - 0.5
        inside = (at >= -0.5) & (at <= side - 0.5)
        at = np.clip(at, 0, side - 1.001)
        low = at.astype(np.int64)
        found.append((low, (at - low).astype(np.float32), inside))
    (column, right, in_x), (row, below, in_y) = found
    number = np.arange(n)[:, None, None]
    row, column = row[:, :, None], column[:, None, :]
    right, below = right[:, None, :], below[:, :, None]
    top = pictures[number, row, column] * (1 - right) + pictures[number, row, column + 1] * right
    bottom = pictures[number, row + 1, column] * (1 - right) + pictures[number, row + 1, column + 1] * right
    value: Floats = top * (1 - below) + bottom * below
    return value, (in_x[:, None, :] & in_y[:, :, None]).astype(np.float32)
