"""The study that a command line declares: a study file with changes, or one made of models by their names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from commongarden import arch
from commongarden.cli.model_names import expanded
from commongarden.cli.settings import setting
from commongarden.errors import ArchError, StudyError, nearest
from commongarden.i18n.language import _
from commongarden.study import (
    PRESETS,
    Arm,
    Study,
    Tuning,
    both,
    choose_arms,
    of_architectures,
    read,
    run_seeds,
    with_options,
)
from commongarden.study import origin as origins
from commongarden.study.recipe import override


@dataclass(frozen=True)
class Asked:
    """What the options of `run` say of the study; None, empty and False say nothing."""

    study: str | None = None
    data: str | None = None
    name: str | None = None
    models: Sequence[str] = ()
    preset: str | None = None
    pretrained: bool = False
    where_published: bool = False  # start from published weights, the models that have any
    tell: Callable[[str], None] | None = None  # hears how many models a pattern fits
    reference: str | None = None
    seeds: int | None = None
    folds: int | None = None
    vary: str | None = None
    seed: int | None = None
    tune: int | None = None
    grey_range: tuple[float, float] | None = None
    settings: Sequence[str] = ()
    layout: str | None = None
    group_by: str | None = None
    merge_classes: bool = False
    recipe: Mapping[str, Any] = field(default_factory=dict)


def declared(asked: Asked, given: Study | None = None) -> Study:
    """The study, with networks that can be built. given: the study of the file, if it was read before. Raises
    StudyError for what does not hold together."""
    if asked.study is None and asked.data is None:
        message = _("run: found neither STUDY nor --data; accepted: run demo, run STUDY.toml, run --data PHOTOS")
        raise StudyError(message)
    if asked.preset and asked.study:
        message = _("{one} and {two}: found both, accepted: one of them")
        raise StudyError(message.format(one="--preset", two="STUDY"))
    wanted = _of_study(asked, given or read(asked.study)) if asked.study is not None else _of_names(asked)
    wanted = dataclasses.replace(wanted, **_changes(asked, wanted))
    if not wanted.data:
        text = _('study {name!r}: found no data, accepted: --data FOLDER, or data = "FOLDER" in [study]')
        raise StudyError(text.format(name=wanted.name))
    reading = with_options(wanted.reading, asked.layout, asked.group_by, asked.merge_classes)
    wanted = dataclasses.replace(wanted, reading=reading)
    for name, arm in wanted.arms.items():
        origins.check_allowed(arm.arch)
        if arm.origin is None:
            _check_network(name, arm)
    return wanted


def _of_study(asked: Asked, wanted: Study) -> Study:
    """The study of a file, or some of its models."""
    return choose_arms(wanted, expanded(asked.models, among=list(wanted.arms))) if asked.models else wanted


def _of_names(asked: Asked) -> Study:
    """A study of models by their names, or of the preset's own."""
    names = None
    if asked.models:
        starts_from_weights = asked.pretrained or asked.where_published
        if asked.preset and PRESETS[asked.preset].pretrained:
            starts_from_weights = True
        names = expanded(asked.models, published=starts_from_weights, tell=asked.tell)
        _check_names(names)
        if not starts_from_weights and asked.tell is not None:
            _tell_of_tags(names, asked.tell)
    return of_architectures(asked.data or "", names, _preset(asked))


def _tell_of_tags(names: Sequence[str], tell: Callable[[str], None]) -> None:
    """A name that says which weights is not a wish to start from them."""
    for name in names:
        place, _colon, model = name.partition(":")
        if place in origins.LIBRARIES and "." in model:
            tell(_("note: {name} starts from random weights; --pretrained starts from {tag}").format(
                name=name, tag=model.partition(".")[2]))  # fmt: skip


def _check_names(names: Sequence[str]) -> None:
    """Refuses a name that is only torchvision's or timm's with that of the model there. Raises StudyError."""
    for name in names:
        if name in arch.FAMILIES or not re.fullmatch(r"[a-z]\w*", name) or nearest(name, list(arch.FAMILIES)):
            continue
        from commongarden.train.libraries import library_models  # loads PyTorch

        found = [model.name for model in library_models(name) if model.name.partition(":")[2] == name]
        if found:
            text = _("--models: {name} is a model of a library; accepted: {names}")
            raise StudyError(text.format(name=name, names=_(" or ").join(found)))


def _changes(asked: Asked, wanted: Study) -> dict[str, Any]:
    """What the options change of the study."""
    given = {key: value for key, value in asked.recipe.items() if value is not None}
    values = given | dict(map(setting, asked.settings))
    changes: dict[str, Any] = {"recipe": override(wanted.recipe, values, where="recipe")} if values else {}
    plain = {"data": asked.data, "name": asked.name, "seed": asked.seed, "range": asked.grey_range}
    if asked.reference:  # in place of the study file's comparisons
        changes |= {"reference": _named(asked.reference, wanted), "contrasts": ()}
    changes |= {key: value for key, value in plain.items() if value is not None}
    if asked.seeds is not None and (asked.folds or wanted.folds):
        raise StudyError(both(asked.seeds, asked.folds or wanted.folds))
    if asked.seeds is not None:
        changes["seeds"] = run_seeds(asked.seeds)
    if asked.folds is not None:
        changes |= {"folds": asked.folds, "seeds": run_seeds(asked.folds)}
    if asked.vary is not None:
        changes["vary"] = tuple(name.strip() for name in asked.vary.split(",") if name.strip())
    if asked.tune is not None:
        changes["tuning"] = dataclasses.replace(wanted.tuning or Tuning(), runs=asked.tune)
    if asked.pretrained or (asked.preset and PRESETS[asked.preset].pretrained):
        option = f"--preset {asked.preset}" if asked.preset else "--pretrained"
        changes["arms"] = {name: _pretrained(name, arm, option) for name, arm in wanted.arms.items()}
    elif asked.where_published and asked.study is None:
        changes["arms"] = _where_published(wanted.arms)
    return changes


def _named(text: str, wanted: Study) -> str:
    """The arm's name, where it is told by its model as after --models."""
    found = [name for name, arm in wanted.arms.items() if arm.arch == text]
    return found[0] if text not in wanted.arms and len(found) == 1 else text


def _where_published(arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """The arms, those of libraries with their published weights, where there are any."""
    found = dict(arms)
    of_libraries = {
        name: arm for name, arm in arms.items() if arm.origin is not None and origins.is_of_library(arm.arch)
    }
    if of_libraries:
        from commongarden.train.libraries import library_models  # loads PyTorch

        published = {
            model.name for place in origins.LIBRARIES for model in library_models(f"{place}:*") if model.pretrained
        }
        for name, arm in of_libraries.items():
            if origins.is_of_hub(arm.arch) or arm.arch.partition(".")[0] in published:
                found[name] = _pretrained(name, arm, "--pretrained")
    return found


def _preset(asked: Asked) -> str:
    """The preset of a study without a study file."""
    return asked.preset or ("finetune" if asked.pretrained or asked.where_published else "classroom")


def _pretrained(name: str, arm: Arm, option: str) -> Arm:
    """The arm with the published weights of its library. Raises StudyError where it has none."""
    if arm.origin is None or not origins.is_of_library(arm.arch) or arm.options["weights"]:
        text = _(
            "{option}: {name} has no published weights; accepted: models of torchvision, timm or the Hugging Face hub, "
            "such as {example}"
        )
        raise StudyError(text.format(option=option, name=name, example="torchvision:resnet18"))
    return Arm(arm.arch, {**arm.options, "pretrained": True}, arm.overrides)


def _check_network(name: str, arm: Arm) -> None:
    """Refuses an option that no network can be built with, before anything is done."""
    try:
        arm.network(2)
    except ArchError as error:
        raise StudyError(f"arms.{name}: {error}") from None
