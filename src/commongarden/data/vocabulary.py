"""What the names of folders tell: a part of the data, images beside their masks, the occasion of a photo."""

from __future__ import annotations

import re

PART_NAMES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
    "testing": "test",
}
UNLABELLED = frozenset(("pred", "predict", "prediction", "unlabeled", "unlabelled", "unsup"))
_ENDINGS = re.compile(r"(set|sets|data|dataset|image|images|img|imgs|photo|photos|folder)$")
MASKS = frozenset(
    ("mask", "masks", "label", "labels", "annotation", "annotations", "annot", "gt", "groundtruth", "ground_truth",
     "segmentation", "segmentations", "segmentationclass", "segmentationobject", "trimap", "trimaps", "depth")
)  # fmt: skip
PICTURES = frozenset(
    ("image", "images", "img", "imgs", "photo", "photos", "picture", "pictures", "jpegimages", "jpg", "jpeg", "rgb",
     "input", "inputs", "original", "originals", "color", "colour")
)  # fmt: skip
WHOLE = frozenset(("data", "dataset", "datasets", "classes")) | PICTURES
# folders that lie beside data and hold pictures of something else
ASIDE = frozenset(
    ("example", "examples", "sample", "samples", "demo", "result", "results", "figure", "figures", "plot", "plots",
     "output", "outputs", "docs", "assets", "screenshot", "screenshots", "runs")
)  # fmt: skip
# folders in a class that say when or where its photos were taken, and nothing of what they show
OCCASION = re.compile(
    r"((19|20)\d\d([-_. ]?\d\d){0,2}|(session|day|batch|cam|camera|part|set|visit|week|month|burst|site|roll|trip)"
    r"[-_ ]?\d+|(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*)",
    re.IGNORECASE,
)


def part_of(name: str) -> str:
    """The part that a folder's name tells: "train", "val", "test", "unlabelled"; "" for none, or for several."""
    words = [_ENDINGS.sub("", word) or word for word in re.findall(r"[a-z]+", name.lower())]
    found = {PART_NAMES[word] for word in words if word in PART_NAMES}
    found |= {"unlabelled" for word in words if word in UNLABELLED}
    return found.pop() if len(found) == 1 else ""
