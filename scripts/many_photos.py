"""Times `commongarden data check` on many small photos, and how far its search for duplicates finds planted copies.

    python scripts/many_photos.py FOLDER --photos 20000

Writes the photos into FOLDER (64 pixels, JPEG, five classes, noise whose amplitude falls off as 1/f as in natural
pictures; one in a hundred is a copy of another one, cropped by 5 %, mirrored or saved again), then checks them in a
process of its own. Prints a line of JSON: CPU seconds (user and system), the largest memory of the process, the share
of the planted copies that was found by kind, and other pairs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

SIDE, CLASSES, PLANTED = 64, 5, 0.01
KINDS = ("cropped", "mirrored", "saved again")


def picture(generator: np.random.Generator) -> Image.Image:
    """Noise that falls off as 1/f, the same in the three channels but for their shares."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE), np.fft.fftfreq(SIDE)))
    frequency[0, 0] = np.inf
    waves = np.fft.fft2(generator.normal(size=(SIDE, SIDE))) / frequency
    grey = np.fft.ifft2(waves).real
    grey = 128 + 50 * (grey - grey.mean()) / grey.std()
    colours = grey[..., None] * generator.uniform(0.7, 1.1, 3)
    return Image.fromarray(colours.clip(0, 255).astype(np.uint8))


def copied(original: Image.Image, kind: str) -> Image.Image:
    if kind == "mirrored":
        return original.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if kind == "cropped":
        cut = round(SIDE * 0.05)
        return original.crop((cut, 0, SIDE, SIDE - cut)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    return original


def written(folder: Path, n: int) -> dict[tuple[str, str], str]:
    """Writes n photos. Returns the planted pairs, each with its kind."""
    generator = np.random.default_rng(0)
    pairs = {}
    for label in range(CLASSES):
        (folder / f"class_{label}").mkdir(parents=True, exist_ok=True)
    places = [f"class_{number % CLASSES}/{number:07}.jpg" for number in range(n)]
    for number, place in enumerate(places):
        if number % round(1 / PLANTED) == 1:
            kind = KINDS[number // round(1 / PLANTED) % len(KINDS)]
            with Image.open(folder / places[number - 1]) as original:
                copied(original.convert("RGB"), kind).save(folder / place, quality=80)
            pairs[places[number - 1], place] = kind
        else:
            picture(generator).save(folder / place, quality=90)
    return pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--photos", type=int, default=20_000)
    asked = parser.parse_args()
    planted = written(asked.folder, asked.photos)
    command = [sys.executable, "-m", "commongarden.cli", "data", "check", str(asked.folder), "--json"]
    command += ["--cache-dir", str(asked.folder.parent / f"{asked.folder.name}-cache")]
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds, used = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout:
        sys.exit(done.stderr)
    pairs = {tuple(sorted(pair["paths"])) for pair in json.loads(done.stdout)["pairs"]}
    total = Counter(planted.values())
    found = Counter(kind for pair, kind in planted.items() if tuple(sorted(pair)) in pairs)
    print(
        json.dumps(
            {
                "photos": asked.photos,
                "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
                "seconds": round(seconds, 1),
                "peak_mb": round(used.ru_maxrss / 1024),
                "recall": {kind: round(found[kind] / total[kind], 4) for kind in KINDS},
                "others": len(pairs - {tuple(sorted(pair)) for pair in planted}),
            }
        )
    )


if __name__ == "__main__":
    main()
