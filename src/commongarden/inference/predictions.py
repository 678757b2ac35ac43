"""What trained networks say of images: their most probable classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from commongarden.data import greys, image, listing
from commongarden.errors import DataError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import _
from commongarden.inference.ensemble import Ensemble
from commongarden.inference.predictor import Predictor


@dataclass(frozen=True)
class Prediction:
    """A photo's most probable classes, best first; or why it could not be read. warning: why its brightness may not be
    that of the photos the network was trained on."""

    photo: str
    top: tuple[tuple[str, float], ...]
    error: str = ""
    warning: Coded = NOTHING


def predict(predictor: Predictor | Ensemble, photos: Sequence[str | Path], *, top: int = 3) -> list[Prediction]:
    """Classifies photos.

    Args:
        predictor: a loaded run or study (`load`).
        photos: image files, and folders for all image files in them.
        top: how many classes of each photo, the most probable first.

    Returns:
        One prediction for each photo, in order. A file that cannot be read has no classes but an `error`.

    Raises:
        DataError: a path does not exist, or a folder holds no image file.
    """
    return list(predictions(predictor, photos, top=top))


def predictions(predictor: Predictor | Ensemble, photos: Sequence[str | Path], *, top: int = 3) -> Iterator[Prediction]:
    """As `predict`, each prediction as soon as it is made."""
    for path in _files(photos):
        try:
            pixels = predictor.preprocess(path)
            warning = greys.other_range(image.span(image.read_bytes(path)), predictor.run.range)
        except DataError as error:
            yield Prediction(str(path), (), str(error))
            continue
        with torch.inference_mode():
            probabilities = predictor(pixels).softmax(1)[0]
        values, places = probabilities.topk(min(top, len(predictor.classes)))
        pairs = zip(places.tolist(), values.tolist(), strict=True)
        yield Prediction(str(path), tuple((predictor.classes[place], value) for place, value in pairs), warning=warning)


def _files(photos: Sequence[str | Path]) -> Iterator[Path]:
    for photo in map(Path, photos):
        if photo.is_dir():
            found = [path for path in listing.files(photo) if listing.is_photo(path)]
            if not found:
                raise DataError(_("{photo}: no image files found").format(photo=photo))
            yield from found
        elif photo.exists():
            yield photo
        else:
            raise DataError(_("{photo}: no such photo or folder").format(photo=photo))
