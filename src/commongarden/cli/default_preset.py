"""The preset of a study for which nobody named one: as it was begun, or chosen and said before anything is done."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commongarden.cli.declaring import Asked, declared
from commongarden.cli.reading import of_study
from commongarden.errors import StoreError
from commongarden.i18n.language import _

if TYPE_CHECKING:
    from commongarden.data.finding import Listed
    from commongarden.runner.default_preset import Choice
    from commongarden.runner.options import RunOptions
    from commongarden.study import DataOptions, Study

BEFORE_PRESETS = "classroom"  # what earlier versions trained by, and what drawn photos are for


def with_preset(asked: Asked, out: Path | None, how: RunOptions) -> tuple[Asked, tuple[DataOptions, Listed] | None]:
    """What is asked for with a preset in it, and the data's files where they were listed for the choice.

    A study that is there keeps its preset. Otherwise one is chosen where neither models nor a preset were named.
    """
    from commongarden.study import folder_name, studies_folder

    if asked.study is not None or asked.preset or asked.data is None:
        return asked, None
    wanted = declared(dataclasses.replace(asked, preset=None if asked.models else "finetune"))
    out = out or studies_folder() / folder_name(wanted)
    if (stored := _stored(out)) is not None:
        return dataclasses.replace(asked, preset=stored), None
    if asked.models:
        return asked, None
    if asked.data.startswith("builtin:"):
        return dataclasses.replace(asked, preset=BEFORE_PRESETS), None
    how.spending(len(wanted.seeds))  # what is wrong with it is said before anything is measured
    listed = of_study(wanted.data_plan, out, how.keep_going)
    choice = _chosen(wanted, listed[1], how)
    click.echo(_said(choice, wanted), err=True)
    return dataclasses.replace(asked, preset=choice.preset), listed


def with_own_sizes(wanted: Study, asked: Asked, out: Path | None) -> Study:
    """The study with each model that starts from published weights at the image size of these weights, where that is
    not the preset's: for models that the command names without an image size. Models of a study that is there keep
    theirs."""
    from commongarden.runner.image_sizes import own_sizes
    from commongarden.store import open_store
    from commongarden.study import PRESETS, Arm, folder_name, studies_folder

    is_given = asked.recipe.get("resolution") is not None or any(
        one.startswith("resolution=") for one in asked.settings
    )
    if asked.study is not None or not asked.models or is_given or not PRESETS[wanted.preset].pretrained:
        return wanted
    known: dict[str, Arm] = {}
    with suppress(StoreError):
        known = open_store(out or studies_folder() / folder_name(wanted)).study().arms
    sizes = own_sizes({name: arm for name, arm in wanted.arms.items() if name not in known})
    sizes |= {name: size for name, arm in known.items() if (size := arm.overrides.get("resolution")) is not None}
    own = {name: size for name, size in sizes.items() if name in wanted.arms and size != wanted.recipe.resolution}
    arms = {
        name: Arm(arm.arch, arm.options, {**arm.overrides, "resolution": own[name]}) if name in own else arm
        for name, arm in wanted.arms.items()
    }
    for name, size in own.items():
        if name not in known:
            click.echo(
                _("{model}: {size} pixels, the image size of its weights").format(model=name, size=size), err=True
            )
    return dataclasses.replace(wanted, arms=arms)


def _stored(out: Path) -> str | None:
    """The preset of the study in a folder; None where there is none."""
    from commongarden.store import open_store

    with suppress(StoreError):
        return open_store(out).study().preset or BEFORE_PRESETS
    return None


def _chosen(wanted: Study, files: Listed, how: RunOptions) -> Choice:
    from commongarden.runner.default_preset import choose

    n_classes = len({each.label for each in files.candidates if each.label})
    return choose(wanted, len(files.candidates), max(n_classes, 2), how.device, how.n_workers)


def _said(choice: Choice, wanted: Study) -> str:
    """The preset, why, and what else there is, in two sentences."""
    from commongarden.runner.forecast import clock

    models = ", ".join(wanted.arms)
    if choice.unreachable:
        text = _(
            "preset scratch: small networks from random weights, because published weights cannot be downloaded "
            "({where}: no answer). With a connection, --preset finetune usually reaches a higher accuracy."
        )
        return text.format(where=choice.unreachable)
    if choice.preset == "finetune" and choice.seconds is None:
        text = _("preset finetune: {models} from published weights, all layers trained on {device}.")
        return text.format(models=models, device=choice.device)
    took = clock(choice.seconds or 0.0)
    if choice.preset == "finetune":
        text = _("preset finetune: {models} from published weights, all layers trained; about {time} on this CPU.")
        return text.format(models=models, time=took)
    text = _(
        "preset linear-probe: {models} from published weights, only the last layer trained, because all layers would "
        "take about {time} on this CPU (--preset finetune)."
    )
    return text.format(models=models, time=took)
