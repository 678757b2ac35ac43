"""Which models torchvision and timm have, by name, and which published weights of each, by tag."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from difflib import SequenceMatcher
from fnmatch import fnmatchcase
from functools import partial
from itertools import takewhile
from types import ModuleType
from typing import Any

from commongarden.errors import ArchError, nearest
from commongarden.i18n.language import _
from commongarden.study import origin

SHOWN = 12  # tags of a model that an error names


@dataclass(frozen=True)
class LibraryModel:
    """name: as an arm names it. n_params: with its published number of classes, None where the library does not say.
    pretrained: whether it has published weights."""

    name: str
    n_params: int | None
    pretrained: bool


def library(name: str) -> ModuleType:
    """torchvision's models or timm, which also makes the models of the hub. Raises ArchError where it is not
    installed."""
    package = "torchvision" if name == "torchvision" else "timm"
    try:
        return importlib.import_module({"torchvision": "torchvision.models", "timm": "timm"}[package])
    except ImportError as error:
        message = _("{name} cannot be loaded ({reason}); accepted: pip install {name}")
        raise ArchError(message.format(name=package, reason=error)) from None


def library_models(pattern: str) -> list[LibraryModel]:
    """The classification models whose name holds the pattern, or fits it where it has * or ? in it; with "timm:" or
    "torchvision:" before it, of that library alone. A model's whole name, or a pattern with a dot, gives the tags of
    its published weights, too: "timm:resnet50", "timm:resnet50.*"."""
    place, colon, rest = pattern.partition(":")
    wanted = rest if colon else pattern
    is_part = not set("*?") & set(wanted)
    fits = f"*{wanted}*" if is_part else wanted
    found: list[LibraryModel] = []
    for name, models, tagged in (("torchvision", _torchvision, _torchvision_tags), ("timm", _timm, _timm_tags)):
        if colon and place != name:
            continue
        if "." in wanted:
            found += tagged(fits)
            continue
        for model in models(fits):
            found.append(model)
            found += tagged(f"{wanted}.*") if is_part and model.name == f"{name}:{wanted}" else []
    return found


def _torchvision(wanted: str) -> list[LibraryModel]:
    models = library("torchvision")
    names = [name for name in models.list_models(module=models) if fnmatchcase(name, wanted)]
    weights = {name: list(models.get_model_weights(name)) for name in names}
    return [
        LibraryModel(f"torchvision:{name}", found[0].meta["num_params"] if found else None, bool(found))
        for name, found in weights.items()
    ]


def _torchvision_tags(wanted: str) -> list[LibraryModel]:
    models = library("torchvision")
    return [
        LibraryModel(f"torchvision:{name}.{weights.name}", weights.meta["num_params"], True)
        for name in models.list_models(module=models)
        for weights in models.get_model_weights(name)
        if fnmatchcase(f"{name}.{weights.name}", wanted)
    ]


def _timm(wanted: str) -> list[LibraryModel]:
    timm = library("timm")
    pretrained = {name.partition(".")[0] for name in timm.list_pretrained(wanted + "*")}
    return [LibraryModel(f"timm:{name}", None, name in pretrained) for name in timm.list_models(wanted)]


def _timm_tags(wanted: str) -> list[LibraryModel]:
    return [LibraryModel(f"timm:{name}", None, True) for name in library("timm").list_pretrained(wanted)]


def tags(source: str) -> tuple[str, ...]:
    """The tags of the published weights of a model that its library has, "timm:resnet50", the default first."""
    place, name = origin.parts(source)
    base, models = name.partition(".")[0], library(place)
    if place == "torchvision":
        found = models.get_model_weights(base)
        default = [found.DEFAULT.name] if len(found) else []
        return tuple(dict.fromkeys([*default, *(each.name for each in found)]))
    published = {each.partition(".")[2] for each in models.list_pretrained(f"{base}.*")}
    default = models.get_pretrained_cfg(base)
    first = [default.tag] if default is not None and default.tag in published else []
    return tuple(dict.fromkeys([*first, *sorted(published)]))


def check(source: str) -> None:
    """Raises ArchError for a model that torchvision or timm does not have, or a tag that this model does not have."""
    place, name = origin.parts(source)
    base, dot, tag = name.partition(".")
    models = library(place)
    names = models.list_models(module=models) if place == "torchvision" else models.list_models()
    if base not in names:
        near = nearest(base, names, 3)
        hint = _("; did you mean {near}?").format(near=", ".join(f"{place}:{each}" for each in near)) if near else "."
        message = _("{source}: unknown model {name!r}{hint} Accepted: the {n:,} models of {place}")
        raise ArchError(message.format(source=source, name=base, hint=hint, n=len(names), place=place))
    if not dot or _is_tag(place, base, tag):
        return
    ordered = [f"{base}.{each}" for each in sorted(tags(source), key=partial(_likeness, tag), reverse=True)]
    if not ordered:
        message = _("{source}: unknown tag {tag!r}; accepted: {place}:{base}, which has no published weights")
        raise ArchError(message.format(source=source, tag=tag, place=place, base=base))
    more = _(" and {n} more (commongarden list {place}:{base})").format(n=len(ordered) - SHOWN, place=place, base=base)
    accepted = ", ".join(ordered[:SHOWN]) + (more if len(ordered) > SHOWN else "")
    message = _("{source}: unknown tag {tag!r} of published weights; accepted: {accepted}")
    raise ArchError(message.format(source=source, tag=tag, accepted=accepted))


def _likeness(found: str, accepted: str) -> tuple[int, float]:
    """How many first letters are the same, then how much of the rest."""
    found, accepted = found.lower(), accepted.lower()
    first = takewhile(lambda pair: pair[0] == pair[1], zip(found, accepted, strict=False))
    return len(list(first)), SequenceMatcher(None, found, accepted).ratio()


def _is_tag(place: str, base: str, tag: str) -> bool:
    if place == "torchvision":
        return tag in library(place).get_model_weights(base).__members__
    timm = library(place)
    return f"{base}.{tag}" in timm.models.get_arch_pretrained_cfgs(base)


def torchvision_weights(name: str) -> Any | None:
    """The entry of torchvision's weights that a name with or without a tag stands for; None where it has none."""
    base, _dot, tag = name.partition(".")
    found = library("torchvision").get_model_weights(base)
    if not len(found):
        return None
    return found[tag] if tag else found.DEFAULT


def timm_config(name: str) -> dict[str, Any]:
    """timm's settings of the pretrained weights that a name with or without a tag stands for; {} where it has none."""
    found = library("timm").get_pretrained_cfg(name)
    return {} if found is None else dict(found.to_dict())
