"""Photos for the pinned studies: a small drawn folder with what a folder may hold, and a sample of real ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("cross", "none", "ring")  # "none" is a word of the program, too
N_OF_CLASS = 30
N_OF_PLANT = 3
N_SAMPLED = 40


def draw(folder: Path) -> None:
    """Three classes of 30 photos, three of each plant, among them odd ones; and a CSV of the same photos."""
    dice = np.random.default_rng(20_260_101)
    rows = ["path,label,group"]
    for number, label in enumerate(CLASSES):
        (folder / label).mkdir(parents=True)
        for index in range(N_OF_CLASS):
            plant = f"plant{number}{index // N_OF_PLANT:02d}"
            name = f"{label}/{plant}_{index % N_OF_PLANT}.png"
            _picture(number, dice).save(folder / name)
            rows.append(f"{name},{label},{plant}")
    (folder.parent / "photos.csv").write_text(
        "\n".join(["path,label,group", *("photos/" + row for row in rows[1:])]) + "\n"
    )
    odd(folder.parent / "odd", folder)


def odd(folder: Path, source: Path) -> None:
    """A copy of the photos, among them copies, other codings, other colour modes, other depths, and broken files."""
    shutil.copytree(source, folder)
    whole = Image.open(folder / "ring" / "plant200_0.png")
    whole.save(folder / "ring" / "again.jpg", quality=80)
    shutil.copy(folder / "ring" / "plant201_0.png", folder / "ring" / "same.png")
    shutil.copy(folder / "ring" / "plant202_0.png", folder / "cross" / "elsewhere.png")
    whole.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(folder / "ring" / "mirrored.png")
    whole.convert("L").save(folder / "none" / "grey.png")
    whole.convert("RGBA").save(folder / "none" / "alpha.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    _picture(1, np.random.default_rng(7)).save(folder / "none" / "turned.jpg", exif=turned)
    (folder / "cross" / "torn.jpg").write_bytes((folder / "ring" / "again.jpg").read_bytes()[:300])
    (folder / "cross" / "text.jpg").write_text("not a photo\n")
    (folder / "cross" / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("a file of another kind\n")


def sample(source: Path, target: Path) -> bool:
    """The first 40 photos of each class. False where there is no such folder."""
    classes = sorted(path for path in source.iterdir() if path.is_dir()) if source.is_dir() else []
    for each in classes:
        (target / each.name).mkdir(parents=True)
        for photo in sorted(each.iterdir())[:N_SAMPLED]:
            shutil.copy(photo, target / each.name / photo.name)
    return bool(classes)


def _picture(number: int, dice: np.random.Generator) -> Image.Image:
    """A ring, a cross or neither, of any colour, under noise."""
    height, width = 40, 48
    y, x = np.mgrid[:height, :width]
    y, x = y - height / 2 - dice.uniform(-6, 6), x - width / 2 - dice.uniform(-6, 6)
    size = dice.uniform(8, 14)
    ring = np.abs(np.hypot(x, y) - size) < 3
    cross = (np.abs(x) < 3) & (np.abs(y) < size) | (np.abs(y) < 3) & (np.abs(x) < size)
    shape = (cross, np.zeros_like(ring), ring)[number]
    background, colour = dice.uniform(0, 150, 3), dice.uniform(80, 255, 3)
    pixels = np.where(shape[..., None], colour, background) + dice.normal(0, 25, (height, width, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
