"""Which models torchvision and timm have, by name."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from commongarden.study.origin import LIBRARIES
from commongarden.train.loading import library


@dataclass(frozen=True)
class LibraryModel:
    """name: as an arm names it. n_params: with its published number of classes, None where the library does not say.
    pretrained: whether it has published weights."""

    name: str
    n_params: int | None
    pretrained: bool


def library_models(pattern: str) -> list[LibraryModel]:
    """The classification models whose name holds the pattern, or fits it where it has * or ? in it; with "timm:" or
    "torchvision:" before it, of that library alone."""
    place, colon, rest = pattern.partition(":")
    wanted = rest if colon else pattern
    if not set("*?") & set(wanted):
        wanted = f"*{wanted}*"
    found: list[LibraryModel] = []
    if not colon or place == LIBRARIES[0]:
        found += _torchvision(wanted)
    if not colon or place == LIBRARIES[1]:
        found += _timm(wanted)
    return found


def _torchvision(wanted: str) -> list[LibraryModel]:
    models = library("torchvision")
    names = [name for name in models.list_models(module=models) if fnmatchcase(name, wanted)]
    weights = {name: list(models.get_model_weights(name)) for name in names}
    return [
        LibraryModel(f"torchvision:{name}", found[0].meta["num_params"] if found else None, bool(found))
        for name, found in weights.items()
    ]


def _timm(wanted: str) -> list[LibraryModel]:
    timm = library("timm")
    pretrained = {name.partition(".")[0] for name in timm.list_pretrained(wanted + "*")}
    return [LibraryModel(f"timm:{name}", None, name in pretrained) for name in timm.list_models(wanted)]
