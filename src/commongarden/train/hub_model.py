"""A model of the Hugging Face hub: the settings from which timm builds its network, read once and kept in the study."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from commongarden.errors import ArchError
from commongarden.i18n.language import _
from commongarden.study import origin
from commongarden.study.arm import HUB_CONFIG, Arm
from commongarden.study.origin import Origin
from commongarden.train import hub, libraries
from commongarden.train.hub import HubError

LARGEST = 10_000_000  # bytes; those of timm have up to 1.5 MB, for the names of 21,000 classes
LABELS = ("label_names", "label_descriptions", "labels")


def pinned(arm: Arm) -> Arm:
    """The arm with the settings of its network in its origin, if it is one of the hub, and with their commit: read
    there once, so that the same network is built again whatever the hub has later. Any other arm as it is.

    Raises ArchError.
    """
    kept = arm.origin
    if kept is None or not origin.is_of_hub(arm.arch) or kept.config:
        return arm
    found = _config(arm.arch)
    return dataclasses.replace(arm, origin=dataclasses.replace(kept, revision=found.revision, config=found.config))


def settings(arch: str) -> dict[str, Any]:
    """timm's settings of the weights of a model of the hub, as its repository has them now. Raises ArchError."""
    return settings_of(_config(arch).config)


def settings_of(config: str) -> dict[str, Any]:
    """timm's settings of the weights in the settings of a network."""
    table = json.loads(config)
    found: dict[str, Any] = table["pretrained_cfg"]
    size = table["model_args"].get("img_size")
    if size is not None and found.get("fixed_input_size"):  # as timm reads them
        found["input_size"] = [3, *(size if isinstance(size, list) else (size, size))]
    return found


def _config(arch: str) -> Origin:
    """The settings of a network of the hub and their commit. Raises ArchError."""
    repository, revision = origin.repository(arch)
    try:
        fetched = hub.fetch(repository, (HUB_CONFIG,), revision)
    except HubError as error:
        message = _(
            "{source}: {wanted} cannot be downloaded ({reason}); accepted: a study that stores it, or timm's own name "
            "of the model, such as {example}"
        )
        wanted, name = f"{repository}/{HUB_CONFIG}", f"timm:{repository.rpartition('/')[2]}"
        raise ArchError(message.format(source=arch, wanted=wanted, reason=error, example=name)) from None
    return Origin(revision=fetched.commit, config=_understood(arch, fetched.file))


def _understood(arch: str, file: Path) -> str:
    """What of a config.json defines the network, as JSON in one spelling. Raises ArchError."""

    def refused(found: object) -> ArchError:
        message = _("{source}: config.json: found {found}, accepted: the config.json of a timm model")
        return ArchError(message.format(source=arch, found=found))

    if file.stat().st_size > LARGEST:
        raise refused(_("{n:,} bytes").format(n=file.stat().st_size))
    try:
        table = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise refused(_("invalid JSON ({reason})").format(reason=str(error).partition("\n")[0])) from None
    if not isinstance(table, Mapping) or not isinstance(table.get("architecture"), str):
        keys = ", ".join(list(table)[:5]) if isinstance(table, Mapping) else ""
        raise refused(_("no architecture (keys: {keys})").format(keys=keys) if keys else _("no architecture"))
    settings, options = table.get("pretrained_cfg", table), table.get("model_args") or {}
    if not isinstance(settings, Mapping) or not isinstance(options, Mapping):
        raise refused(_("pretrained_cfg or model_args that are not objects"))
    libraries.check(f"timm:{table['architecture'].partition('.')[0]}")
    settings = {key: value for key, value in settings.items() if key not in ("architecture", *LABELS)}
    kept = {"architecture": table["architecture"], "model_args": dict(options), "pretrained_cfg": settings}
    for key in ("num_classes", "num_features", "global_pool"):
        if key in table:
            kept[key] = table[key]
    return json.dumps(kept, sort_keys=True)
