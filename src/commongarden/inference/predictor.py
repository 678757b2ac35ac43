"""A finished run put to use: its network with its preprocessing, on new photos."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from commongarden.arch import read
from commongarden.data import image
from commongarden.errors import StoreError
from commongarden.i18n.language import _, translate
from commongarden.records import Run
from commongarden.store import check_run, check_study_or_run, read_run, read_weights
from commongarden.train import state
from commongarden.train.blame import describe_user_error
from commongarden.train.classifier import Classifier


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
        framing = self.run.recipe.framing
        array = image.pixels(str(path.parent), path.name, self.input[0], self.input[1], self.run.range, framing)
        return torch.from_numpy(array.copy()).permute(2, 0, 1).unsqueeze(0)


def load_run(run: str | Path) -> Predictor:
    """The network of the finished run in this folder, in evaluation mode on the CPU. Raises StoreError, ArchError."""
    directory = Path(run)
    check_study_or_run(directory)
    check_run(directory)
    record = read_run(directory)
    if record.failure is not None:
        message = _("{directory}: this run failed ({reason}) and has no weights")
        raise StoreError(message.format(directory=directory, reason=translate(record.failure.text)))
    classifier = Classifier(read(record.arch), record.input, record.recipe, record.pixel_mean, record.pixel_std)
    stored = read_weights(directory, record)
    try:
        state.from_bytes(classifier, stored)
    except Exception as error:  # the reader, and the network's own code, may raise anything
        message = _("{directory}: the weights do not fit the network: {reason}")
        raise StoreError(message.format(directory=directory, reason=translate(describe_user_error(error)))) from None
    return Predictor(record, classifier).eval()
