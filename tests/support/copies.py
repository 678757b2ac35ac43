"""Photos with a copy of each planted beside them: how many are found, and how many of the pairs found are true."""

from __future__ import annotations

import io
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from commongarden.data import drawn, folder, image, inspecting
from commongarden.records import Manifest

Picture = Image.Image


def reencoded(picture: Picture, dice: np.random.Generator) -> Picture:
    """As JPEG of quality 30 to 89."""
    return jpeg(picture, int(dice.integers(30, 90)))


def resized(picture: Picture, dice: np.random.Generator) -> Picture:
    """Half to twice the size, bicubic."""
    scale = dice.uniform(0.5, 2)
    size = (max(8, round(picture.width * scale)), max(8, round(picture.height * scale)))
    return jpeg(picture.resize(size, Image.Resampling.BICUBIC))


def cropped(picture: Picture, dice: np.random.Generator, share: float = 0.05) -> Picture:
    """5 % of each side cut away, at random on both ends."""
    width, height = round(picture.width * (1 - share)), round(picture.height * (1 - share))
    x, y = int(dice.integers(0, picture.width - width + 1)), int(dice.integers(0, picture.height - height + 1))
    return jpeg(picture.crop((x, y, x + width, y + height)))


def cropped_twice(picture: Picture, dice: np.random.Generator) -> Picture:
    """10 % of each side cut away."""
    return cropped(picture, dice, 0.10)


def mirrored(picture: Picture, dice: np.random.Generator) -> Picture:
    """Left to right."""
    return jpeg(picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def brightened(picture: Picture, dice: np.random.Generator) -> Picture:
    """By 15 to 40 %, clipped at white."""
    return jpeg(ImageEnhance.Brightness(picture).enhance(dice.uniform(1.15, 1.4)))


def jpeg(picture: Picture, quality: int = 85) -> Picture:
    """Written as JPEG and read again."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("RGB")


KINDS: dict[str, Callable[[Picture, np.random.Generator], Picture]] = {
    "re-encoded (JPEG quality 30 to 89)": reencoded,
    "resized (0.5 to 2 times)": resized,
    "brightened (by 15 to 40 %, clipped)": brightened,
    "mirrored": mirrored,
    "cropped (5 % of each side)": cropped,
    "cropped (10 % of each side)": cropped_twice,
}


def originals(n: int, source: Path | None) -> Iterator[tuple[str, Picture]]:
    """(name, picture) of n different photos, in a seeded order; drawn ones without a source."""
    if source is None:
        for i in range(n):
            yield f"{drawn.CLASSES[drawn.label(i)]}/{i:05}", Image.fromarray(drawn.draw(0, i, 96, 96))
        return
    manifest = folder.scan(str(source))
    different = list({photo.sha256: photo for photo in manifest.photos}.values())
    order = np.random.default_rng(0).permutation(len(different))[:n]
    for i in order:
        yield different[i].path.rsplit(".", 1)[0], image.read(source / different[i].path)


def plant(target: Path, n: int, source: Path | None) -> dict[str, tuple[str, str]]:
    """Writes n photos and a copy of each, of the kinds in turn; the copy's kind and original, by path."""
    dice, names = np.random.default_rng(1), list(KINDS)
    planted = {}
    for i, (name, picture) in enumerate(originals(n, source)):
        kind = names[i % len(names)]
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(target / f"{name}.png")
        KINDS[kind](picture, dice).save(target / f"{name}-copy.jpg", quality=90)
        planted[f"{name}-copy.jpg"] = (kind, f"{name}.png")
    return planted


def measured(
    manifest: Manifest, planted: dict[str, tuple[str, str]]
) -> tuple[dict[str, tuple[int, int]], Counter[str]]:
    """By kind (found, planted); and the reported pairs: "planted", "between originals", of which copies "follow", and
    "false" ones that join copies of photos which are not a pair themselves."""
    found = inspecting.inspect(manifest, None)
    assert found is not None
    pairs = {frozenset((pair.one, pair.two)) for pair in found.pairs}
    source = {photo.path: planted.get(photo.path, ("", photo.path))[1] for photo in manifest.photos}
    counts: Counter[str] = Counter()
    for pair in pairs:
        one, two = (source[path] for path in pair)
        if one == two:
            counts["planted"] += 1
        elif frozenset((one, two)) in pairs:
            counts["between originals" if pair == {one, two} else "follow"] += 1
        else:
            counts["false"] += 1
    hits: dict[str, tuple[int, int]] = {}
    for path, (kind, original) in planted.items():
        n_found, n = hits.get(kind, (0, 0))
        hits[kind] = (n_found + (frozenset((path, original)) in pairs), n + 1)
    return hits, counts


def table(n: int, source: Path | None) -> str:
    """Plants, looks, counts: a table in Markdown and a sentence on the pairs."""
    with tempfile.TemporaryDirectory() as name:
        planted = plant(Path(name), n, source)
        manifest = folder.scan(name)
        start = time.perf_counter()
        hits, counts = measured(manifest, planted)
        seconds = time.perf_counter() - start
    photos = (
        "synthetic flower images of 96x96 pixels" if source is None else f"photos of `{source.name}`, 128x128 pixels"
    )
    rows = [
        f"| {kind} | {hits[kind][1]:,} | {hits[kind][0]:,} | {hits[kind][0] / hits[kind][1]:.1%} |"
        for kind in KINDS
        if kind in hits
    ]
    total = counts.total()
    return "\n".join(
        [
            f"{n:,} different {photos}, each with one planted copy ({seconds:.0f} s to read and compare "
            f"{len(manifest.photos):,} files here):",
            "",
            "| copy | planted | found | share |",
            "|---|---|---|---|",
            *rows,
            "",
            f"Reported: {total:,} pairs. {counts['planted']:,} are planted; {counts['between originals']:,} are "
            f"between originals, and {counts['follow']:,} between copies of those; {counts['false']:,} link photos "
            "whose originals are not a pair.",
        ]
    )
