"""The other built-in data sets: the same pixels everywhere, classes in turn, names that are checked."""

import hashlib

import numpy as np
import pytest

from commongarden.data import canvas, folder
from commongarden.data.drawn_tasks import TASKS
from commongarden.errors import DataError

# The first 12 digits of SHA-256 of ten pictures together, 32 and 64 pixels high. Where a pixel is changed on purpose,
# the task's version changes with these.
PINNED = {
    "textures": "d33a4c6e355c 7bde243c5467",
    "counts": "44f7c132cc25 c8ac0ddbd8e4",
    "shapes": "97f9f931baf4 b53210cb9d13",
}


def drawn(name, height):
    return [TASKS[name].draw(0, index, height, height + 8) for index in range(10)]


@pytest.mark.parametrize("name", PINNED)
def test_every_pixel_is_the_same_on_every_machine(name):
    found = [
        hashlib.sha256(b"".join(photo.tobytes() for photo in drawn(name, height))).hexdigest() for height in (32, 64)
    ]
    assert [digest[:12] for digest in found] == PINNED[name].split()


@pytest.mark.parametrize("name", PINNED)
def test_no_product_leaves_32_bits(name, monkeypatch):
    """Drawn again with 64-bit numbers, where nothing can overflow, no pixel differs."""
    draw = TASKS[name].draw
    narrow = [draw(5, index, size, size) for index in range(10) for size in (32, 300)]
    for table in [table for table, value in vars(canvas).items() if isinstance(value, np.ndarray)]:
        monkeypatch.setattr(canvas, table, getattr(canvas, table).astype(np.int64))
    monkeypatch.setattr(np, "int32", np.int64)
    wide = [draw(5, index, size, size) for index in range(10) for size in (32, 300)]
    assert all(np.array_equal(a, b) for a, b in zip(narrow, wide, strict=True))


def test_a_name_gives_photos_of_its_classes_and_no_others():
    hashes = set()
    for name, task in TASKS.items():
        manifest = folder.scan(f"builtin:{name}/20")
        assert manifest.classes == tuple(sorted(task.classes))
        hashes |= {photo.sha256 for photo in manifest.photos}
    assert len(hashes) == 20 * len(TASKS)
    with pytest.raises(DataError, match="did you mean 'builtin:textures'"):
        folder.scan("builtin:texture")
    with pytest.raises(DataError, match="found a size of 31x64"):
        TASKS["counts"].draw(0, 0, 31, 64)
