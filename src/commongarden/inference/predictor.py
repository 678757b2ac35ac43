"""A finished run put to use: its network with its preprocessing, on new photos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from commongarden.arch import read
from commongarden.data import greys, image, listing
from commongarden.errors import DataError, StoreError
from commongarden.i18n.coded import NOTHING, Coded
from commongarden.i18n.language import _, translate
from commongarden.records import Run
from commongarden.store import read_run, read_weights
from commongarden.train import state
from commongarden.train.blame import describe_user_error
from commongarden.train.classifier import Classifier


@dataclass(frozen=True)
class Prediction:
    """A photo's most probable classes, best first; or why it could not be read. warning: why its brightness may not be
    that of the photos the network was trained on."""

    photo: str
    top: tuple[tuple[str, float], ...]
    error: str = ""
    warning: Coded = NOTHING


class Predictor(nn.Module):
    """A run's network in evaluation mode. Call it with uint8 photos (n, 3, height, width) for logits (n, classes).

    Attributes:
        classes: the class of each logit.
        input: (height, width, 3) in pixels.
        run: the whole record of the run.
    """

    def __init__(self, run: Run, classifier: Classifier) -> None:
        super().__init__()
        self.run, self.classes, self.input = run, run.classes, run.input
        self.classifier = classifier

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.classifier(pixels)
        return logits

    def preprocess(self, photo: str | Path) -> Tensor:
        """Reads a photo as the run read its photos.

        Args:
            photo: an image file.

        Returns:
            uint8 tensor (1, 3, height, width), to call the predictor with.

        Raises:
            DataError: the file cannot be read.
        """
        path = Path(photo)
        array = image.pixels(str(path.parent), path.name, self.input[0], self.input[1], self.run.range)
        return torch.from_numpy(array.copy()).permute(2, 0, 1).unsqueeze(0)


class Classifies(Protocol):
    """What predicts: a `Predictor`, or an `Ensemble`."""

    run: Run
    classes: tuple[str, ...]

    def preprocess(self, photo: str | Path) -> Tensor: ...

    def __call__(self, pixels: Tensor) -> Tensor: ...


def load_run(run: str | Path) -> Predictor:
    """The network of the finished run in this folder, in evaluation mode on the CPU. Raises StoreError, ArchError."""
    directory = Path(run)
    if not (directory / "run.json").is_file():
        text = _("{directory}: no run.json in it; accepted: the folder of a study or of a finished run (runs/ARM/SEED)")
        raise StoreError(text.format(directory=directory))
    record = read_run(directory)
    if record.failure is not None:
        raise StoreError(
            _("{directory}: this run failed ({reason}) and has no weights").format(
                directory=directory, reason=translate(record.failure.text)
            )
        )
    classifier = Classifier(read(record.arch), record.input, record.recipe, record.pixel_mean, record.pixel_std)
    stored = read_weights(directory, record)
    try:
        state.from_bytes(classifier, stored)
    except Exception as error:  # the reader, and the network's own code, may raise anything
        raise StoreError(
            _("{directory}: its weights cannot be put into the network: {reason}").format(
                directory=directory, reason=translate(describe_user_error(error))
            )
        ) from None
    return Predictor(record, classifier).eval()


def predict(predictor: Classifies, photos: Sequence[str | Path], *, top: int = 3) -> list[Prediction]:
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


def predictions(predictor: Classifies, photos: Sequence[str | Path], *, top: int = 3) -> Iterator[Prediction]:
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
                raise DataError(_("{photo}: no image files in it").format(photo=photo))
            yield from found
        elif photo.exists():
            yield photo
        else:
            raise DataError(_("{photo}: no such photo or folder").format(photo=photo))
