"""One alternative of a study: an architecture, by name, from a file or by others, and what it has of its own."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from commongarden import arch
from commongarden.arch import External, Serial, listfile, listform
from commongarden.errors import ArchError, StudyError, check_known
from commongarden.i18n.language import _
from commongarden.io.fields import convert
from commongarden.study import origin, weight_files
from commongarden.study.origin import Origin
from commongarden.study.recipe import FIELDS, Recipe

LATER = ("unknown", "note_codes", "unknown_code", "resize", "interpolation", "crop_share", "input_size",
         "revision", "config")  # fields of an Origin that are written only where they say something  # fmt: skip
HUB_CONFIG = "config.json"  # among the options of a network of the hub, none of which can be called so


@dataclass(frozen=True)
class Arm:
    """One model to compare: an architecture, its options, and recipe values of its own.

    arch: the name of an architecture, the path of a file in list form (.json), or an external network:
        "torchvision:NAME", "timm:NAME", "hf-hub:ORG/NAME", "path/to/FILE.py:FACTORY", "package.module:FACTORY". A tag
        behind a library's name picks its published weights: "timm:resnet50.a1_in1k".
    options: options of the architecture; missing ones are filled in with their defaults. External networks take
        `weights` (a file to start from, or a folder that holds it), those of libraries also `pretrained` (their
        published weights), and any other argument of the function that makes them.
    overrides: recipe values of this arm, such as {"lr": 3e-3}.
    list_form: the contents of the file in list form, read once when the arm is declared; empty for an architecture.
    origin: hashes of the files of an external network, and its cost once it is measured; None for an architecture.
    ablated: parts of the network that are removed or replaced (docs/ablation.md).

    Raises ArchError for a name, option or part that is not known, and for a file that holds no network.
    """

    arch: str
    options: dict[str, Any] = field(default_factory=dict)
    overrides: dict[str, Any] = field(default_factory=dict)
    list_form: str = ""
    origin: Origin | None = None
    ablated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "ablated", _names(self.ablated, self.arch))
        if origin.is_external(self.arch):
            self._declare_external()
        elif listfile.is_list_file(self.arch):
            check_known("option", self.options, (), ArchError, where=self.arch)
            kept = self.list_form
            text = listfile.one_spelling(kept, where="list_form") if kept else listfile.read(self.arch)
            object.__setattr__(self, "list_form", text)
            self.network(2)  # so that a mistake in the file is told before anything is done
        elif self.list_form:
            message = _("arch: found {arch!r} with a list_form, accepted: the name of its file (.json)")
            raise StudyError(message.format(arch=self.arch))
        else:
            options = arch.defaults(self.arch) | arch.checked(self.arch, self.options)
            object.__setattr__(self, "options", _as_read(options))
        object.__setattr__(self, "overrides", _as_read(self.overrides))
        if self.ablated:
            self.network(2)  # so that a part that the network does not have is told at once

    def _declare_external(self) -> None:
        if self.ablated:
            text = _(
                "{arch}: found ablated = {parts}, accepted: no ablated, because the parts of an external "
                "network are unknown"
            )
            raise ArchError(text.format(arch=self.arch, parts=list(self.ablated)))
        of_library = origin.is_of_library(self.arch)
        if origin.is_of_hub(self.arch):
            origin.repository(self.arch)
        options = ({"pretrained": False} if of_library else {}) | {"weights": ""} | _as_read(self.options)
        if of_library and not isinstance(options["pretrained"], bool):
            text = _("{arch}: pretrained: found {pretrained!r}, accepted: true or false")
            raise ArchError(text.format(arch=self.arch, pretrained=options["pretrained"]))
        if not isinstance(options["weights"], str):
            text = _("{arch}: weights: found {weights!r}, accepted: the path of a file or folder in quotes")
            raise ArchError(text.format(arch=self.arch, weights=options["weights"]))
        try:
            json.dumps(options)
        except (TypeError, ValueError) as error:
            text = _("{arch}: {reason}; accepted options: numbers, text, true, false, lists")
            raise ArchError(text.format(arch=self.arch, reason=error)) from None
        object.__setattr__(self, "options", options)
        if self.wants_weights and of_library and "pixels" not in self.overrides:
            object.__setattr__(self, "overrides", {**self.overrides, "pixels": "own"})
        if self.origin is None:
            weights = weight_files.file_hash(self.arch, options["weights"])
            object.__setattr__(self, "origin", Origin(origin.code_hash(self.arch), weights))

    @property
    def wants_weights(self) -> bool:
        """Whether training starts from given weights and not from drawn ones."""
        return bool(self.wants_published or (self._is_external and self.options["weights"]))

    @property
    def wants_published(self) -> bool:
        """Whether training starts from weights that the network's library publishes."""
        return bool(
            self._is_external
            and origin.is_of_library(self.arch)
            and self.options["pretrained"]
            and not self.options["weights"]
        )

    @property
    def _is_external(self) -> bool:
        return self.origin is not None or origin.is_external(self.arch)

    @property
    def maker_options(self) -> dict[str, Any]:
        """What the maker of somebody else's network is given besides the number of classes."""
        own = ("pretrained", "weights") if origin.is_of_library(self.arch) else ("weights",)
        return {key: value for key, value in self.options.items() if key not in own}

    def external_options(self, config: str = "") -> str:
        """`maker_options` as JSON, as the node of the network keeps them, with the settings of a network of the hub."""
        settings = {HUB_CONFIG: json.loads(config)} if config else {}
        return json.dumps({**self.maker_options, **settings}, sort_keys=True)

    def network(self, n_classes: int) -> Serial:
        """The architecture with a head of `n_classes`. Raises ArchError where it cannot be made, and for somebody
        else's network that was not measured for so many classes."""
        if self.origin is not None:
            return self._external(self.origin, n_classes)
        if self.list_form:
            whole = listform.network(self.list_form, n_classes, where=self.arch)
        else:
            whole = arch.network(self.arch, n_classes, **self.options)
        return arch.ablated(whole, self.ablated)

    def _external(self, kept: Origin, n_classes: int) -> Serial:
        if kept.classes != n_classes:
            found = (
                _("measured for {classes} classes").format(classes=kept.classes)
                if kept.classes
                else _("not measured yet")
            )
            text = _(
                "{arch}: {found}, requested: {n_classes}; an external network is measured when its study "
                "runs, or by commongarden.measure(arm, n_classes, input)"
            )
            raise ArchError(text.format(arch=self.arch, found=found, n_classes=n_classes))
        options, weights = self.external_options(kept.config), kept.weights if self.wants_weights else ""
        same = ("classes", "input", "n_params", "macs", "activation_bytes", "code", "mean", "std")
        node = External(self.arch, options, weights=weights, **{name: getattr(kept, name) for name in same})
        return Serial((node,), name=origin.parts(self.arch)[1])


def _names(value: object, where: str) -> tuple[str, ...]:
    if (
        isinstance(value, list | tuple)
        and all(isinstance(name, str) for name in value)
        and len(set(value)) == len(value)
    ):
        return tuple(value)
    text = _("{arch}: ablated: found {value!r}, accepted: a list of parts of the network without duplicates")
    raise ArchError(text.format(arch=where, value=value))


def _as_read(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values as a study file gives them back: it has lists, not tuples."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def from_table(name: str, values: object) -> Arm:
    """An arm from its table: `arch`, options of that architecture, and recipe fields, told apart by name.

    The `arch` of a file in list form is read here, unless the table holds its `list_form` already. Raises StudyError.
    """
    if not isinstance(values, Mapping) or not isinstance(values.get("arch"), str):
        text = _('arms.{name}: found {values!r}; accepted: a table with arch = "..." (see: commongarden describe)')
        raise StudyError(text.format(name=name, values=values))
    try:
        return _external_from_table(name, values) if origin.is_external(values["arch"]) else _own(name, values)
    except ArchError as error:
        raise StudyError(f"arms.{name}: {error}") from None


def _own(name: str, values: Mapping[str, Any]) -> Arm:
    architecture = values["arch"]
    options = ["list_form"] if listfile.is_list_file(architecture) else list(arch.defaults(architecture))
    check_known("key", values, ["arch", *options, "ablated", *FIELDS], StudyError, where=f"arms.{name}")
    if not isinstance(values.get("list_form", ""), str):
        text = _("arms.{name}.list_form: found {list_form!r}, accepted: JSON text in quotes")
        raise StudyError(text.format(name=name, list_form=values["list_form"]))
    given = {key: value for key, value in values.items() if key in options}
    overrides = {key: value for key, value in values.items() if key in FIELDS}
    return Arm(architecture, given, overrides, given.pop("list_form", ""), ablated=values.get("ablated", ()))


def _external_from_table(name: str, values: Mapping[str, Any]) -> Arm:
    """Recipe fields are the arm's own; every other key is the network's maker's to judge."""
    kept = values.get("origin")
    if kept is not None and not isinstance(kept, Mapping):
        text = _("arms.{name}.origin: found {kept!r}, accepted: the table as written by commongarden")
        raise StudyError(text.format(name=name, kept=kept))
    stored = None if kept is None else convert(Origin, kept, where=f"arms.{name}.origin")
    overrides = {key: value for key, value in values.items() if key in FIELDS}
    given = {key: value for key, value in values.items() if key not in (*FIELDS, "arch", "origin", "ablated")}
    return Arm(values["arch"], given, overrides, origin=stored, ablated=values.get("ablated", ()))


def to_table(arm: Arm) -> dict[str, Any]:
    """The arm as a study file holds it."""
    if arm.origin is not None:
        kept = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in vars(arm.origin).items()
            if value or key not in LATER  # as studies always were
        }
        if codes := arm.origin.note_codes:
            kept["note_codes"] = msgspec.to_builtins(codes) if all(codes) else []
        if arm.origin.unknown_code is not None:
            kept["unknown_code"] = msgspec.to_builtins(arm.origin.unknown_code)
        return {"arch": arm.arch, **arm.options, **arm.overrides, "origin": kept}
    list_form = {"list_form": arm.list_form} if arm.list_form else {}
    parts = {"ablated": list(arm.ablated)} if arm.ablated else {}
    return {"arch": arm.arch, **list_form, **arm.options, **parts, **arm.overrides}


def from_text(text: str) -> tuple[str, Arm]:
    """An arm as the command line names it, and its name in a study: an architecture ("plain_flower"), with an order
    ("inception_flower:LA"), the path of a file in list form ("nets/mine.json"), or somebody else's network
    ("timm:convnext_atto")."""
    if listfile.is_list_file(text):
        stem = re.sub(r"[^\w.+-]+", "-", Path(text).stem).strip(".+-")[:64] or "network"
        return stem, from_table(stem, {"arch": text})
    if origin.is_external(text):
        place, factory = origin.parts(text)
        start = Path(place).stem if place.endswith(".py") else place
        name = re.sub(r"[^\w.+-]+", "-", f"{start}-{factory}").strip(".+-")[:64].rstrip(".") or "network"
        return name, from_table(name, {"arch": text})
    architecture, _, order = text.partition(":")
    name = text.replace(":", "-")
    return name, _own(name, {"arch": architecture} | ({"order": order} if order else {}))


def check_file(arm: Arm, *, where: str) -> None:
    """Refuses an arm that keeps another network than its file, where there is one, now holds. Raises StudyError."""
    if arm.origin is not None:
        _check_origin(arm, arm.origin, where=where)
    if not arm.list_form or not Path(arm.arch).is_file():
        return
    changes = listfile.differences(arm.list_form, listfile.read(arm.arch))
    if changes:
        place, kept, found = changes[0]
        text = _(
            "{where}: {arch} has changed: {place}: {kept} in list_form, {found} in the file; accepted: "
            "no list_form, to use the file as it is, or the name of another file"
        )
        raise StudyError(text.format(where=where, arch=arm.arch, place=place, kept=kept, found=found))


def _check_origin(arm: Arm, kept: Origin, *, where: str) -> None:
    files = {"code": "", "weights": ""}
    with suppress(ArchError):  # not there any more, which is told where it is needed
        files["weights"] = str(weight_files.find(arm.arch, arm.options["weights"])) if arm.options["weights"] else ""
    if kept.code and not origin.is_moved(arm.arch):
        with suppress(ArchError):  # not there any more, which is told where it is needed
            files["code"] = str(origin.code_file(arm.arch))
    for what, path in files.items():
        before = getattr(kept, what)
        if path and before and Path(path).is_file() and (now := origin.file_hash(Path(path))) != before:
            text = _(
                "{where}: {path} has changed: SHA-256 {before}... in origin, {now}... in the file; "
                "accepted: no origin table, to use the file as it is, or the name of another file"
            )
            raise StudyError(text.format(where=where, path=path, before=before[:12], now=now[:12]))


def check_recipe(name: str, arm: Arm, recipe: Recipe) -> None:
    """Refuses what only a library's network has where there is none. Raises StudyError."""
    if recipe.pixels == "own" and not (arm.origin is not None and origin.is_of_library(arm.arch)):
        text = _(
            "arms.{name}.pixels: found 'own', but {arch} has no normalization of its own; accepted: "
            "'standardized', 'raw', or a network of {libraries}"
        )
        raise StudyError(text.format(name=name, arch=arm.arch, libraries=", ".join(origin.LIBRARIES)))


def kept(stored: Arm | None, wanted: Arm) -> Arm:
    """`wanted` with what was measured of the same network before; the two must not conflict."""
    if stored is None or stored.origin is None:
        return wanted
    return dataclasses.replace(wanted, origin=stored.origin)
