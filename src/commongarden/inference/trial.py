"""One photo before every model of a study: what each says it is, and where it finds evidence for that.

For processes of their own (runner/isolated.py): it decodes what anybody may have sent, and loads torch.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from commongarden.data import image
from commongarden.data.framing import framed
from commongarden.data.image import BUILTIN
from commongarden.data.stored import file_of
from commongarden.errors import CommonGardenError, DataError
from commongarden.i18n.language import N_, _
from commongarden.inference import chosen
from commongarden.inference.predictor import Predictor, load_run
from commongarden.inference.tried import Source, Tried
from commongarden.io import reader
from commongarden.train import attribution, heat

KEPT = 6  # networks that stay loaded
THUMBNAIL = 256  # pixels of the photo as it is shown, per side


def tried(
    study: Path, arms: tuple[str, ...], source: Source, top: int, say: Callable[..., None]
) -> tuple[bytes, int, tuple[Tried, ...]]:
    """(the photo as a small JPEG, frames of its file, what each model says), by the run of each model with the highest
    validation accuracy. Raises DataError for a photo that cannot be read."""
    say(_("reading the photo"))
    small = thumbnail(source, THUMBNAIL, say)
    n_frames = 1 if source.root.startswith(BUILTIN) else image.header(_bytes(source))[-1]
    found = []
    for arm in arms:
        say(arm)
        try:
            found.append(_one(study, arm, source, top))
        except CommonGardenError as error:
            found.append(Tried(arm, error=error.reason))
    return small, n_frames, tuple(found)


def thumbnail(source: Source, pixels: int, say: Callable[..., None]) -> bytes:
    """The photo as a JPEG of at most so many pixels a side. Raises DataError."""
    if source.root.startswith(BUILTIN):
        return image.jpeg(source.root, source.path, pixels)
    picture = image.decode(_bytes(source), at_least=2 * pixels)
    picture.thumbnail((pixels, pixels))
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=85)
    return file.getvalue()


def _one(study: Path, arm: str, source: Source, top: int) -> Tried:
    run = chosen.chosen_run(study, arm)
    predictor = loaded(run.folder)
    shown = pixels(predictor, source)
    batch = torch.from_numpy(shown.copy()).permute(2, 0, 1).unsqueeze(0)
    with torch.inference_mode():
        probabilities = predictor(batch).float().softmax(1)[0]
    values, places = probabilities.topk(min(top, len(predictor.classes)))
    drawn = b""
    parts = attribution.anatomy(predictor.classifier, batch)
    if parts.mapped is not None:
        with suppress(Exception):  # others' code may not let a gradient come to this layer
            lit = attribution.evidence(predictor.classifier, parts.mapped[1], batch, places[:1])
            drawn = heat.jpeg(shown, lit[0])
    classes = tuple(
        (predictor.classes[place], value) for place, value in zip(places.tolist(), values.tolist(), strict=True)
    )
    return Tried(arm, run.run.seed, classes, drawn)


def pixels(predictor: Predictor, source: Source) -> np.ndarray:
    """The photo as the run read its own. Raises DataError."""
    (height, width, _channels), run = predictor.input, predictor.run
    if source.root.startswith(BUILTIN):
        return image.pixels(source.root, source.path, height, width, run.range, run.recipe.framing)
    return framed(image.decode(_bytes(source), range=run.range), height, width, run.recipe.framing)


def _bytes(source: Source) -> bytes:
    if source.data is not None:
        return source.data
    data = image.read_bytes(file_of(source.root, source.path, source.stored))
    if reader.digest(data) != source.sha256:
        raise DataError(N_("the file has changed since the study was begun"))
    return data


@lru_cache(maxsize=KEPT)
def loaded(folder: Path) -> Predictor:
    """The network of a finished run; the last ones stay loaded. Raises StoreError, ArchError."""
    return load_run(folder)
