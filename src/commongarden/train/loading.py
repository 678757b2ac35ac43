"""The code of other people's networks, called: a library's, by name, or a user's file."""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from commongarden.arch import External
from commongarden.errors import ArchError, nearest, unknown
from commongarden.i18n.language import _, translate
from commongarden.study import origin
from commongarden.study.arm import HUB_CONFIG
from commongarden.study.recipe import FIELDS
from commongarden.train import usercode
from commongarden.train.blame import describe_user_error
from commongarden.train.libraries import check, library


def user_file(source: str) -> Path:
    """The file of the user's factory; the current folder, which is no file, where there is none."""
    try:
        return Path() if origin.is_of_library(source) else origin.code_file(source)
    except ArchError:
        return Path()


def of_library(node: External, place: str, name: str, options: dict[str, Any]) -> nn.Module:
    models = library(place)
    if place == origin.HUB:
        return _of_hub(node, models, options)
    check(node.source)
    if place == "torchvision":
        name = name.partition(".")[0]
        make = partial(models.get_model, name, weights=None)
        if name in ("googlenet", "inception_v3"):
            options.setdefault("init_weights", True)
            options.setdefault("transform_input", bool(node.weights))  # as with torchvision's own weights
    else:
        make = partial(models.create_model, name, pretrained=False)
    made = _made(node, partial(make, num_classes=node.classes, **options), None, options, make)
    _check_read(node, made, options)
    return made


def _of_hub(node: External, timm: ModuleType, options: dict[str, Any]) -> nn.Module:
    """A network from the settings of its repository, which timm reads from a folder."""
    config = options.pop(HUB_CONFIG)
    with tempfile.TemporaryDirectory(prefix="commongarden-hub-") as folder:
        Path(folder, HUB_CONFIG).write_text(json.dumps(config), encoding="utf-8")
        make = partial(timm.create_model, f"local-dir:{folder}", pretrained=False, num_classes=node.classes, **options)
        inner = _made(node, make, None, options)
    settings: Any = getattr(inner, "pretrained_cfg", None)
    if isinstance(settings, dict):  # or each network would have another path among its attributes
        settings.pop("file", None)
        settings["source"], settings["hf_hub_id"] = origin.HUB, origin.repository(node.source)[0]
    return inner


def of_user(node: External, place: str, name: str, options: dict[str, Any]) -> nn.Module:
    file = origin.code_file(node.source)
    found = origin.file_hash(file)
    if node.code and found != node.code and not origin.is_moved(node.source):
        message = _(
            "{source}: {file} has changed since the study was created: SHA-256 {before}... then, "
            "{now}... now; accepted: the original file, or a new study for the changed file"
        )
        raise ArchError(message.format(source=node.source, file=file, before=node.code[:12], now=found[:12]))
    module = _load(node, place, file, found)
    factory: Any = module
    for part in name.split("."):
        factory = getattr(factory, part, None)
    if not callable(factory):
        names = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__ and not key.startswith("_")
        ]
        raise ArchError(unknown("factory", name, names, where=node.source))
    return _made(node, lambda: factory(node.classes, **options), factory, options)


def _load(node: External, place: str, file: Path, digest: str) -> ModuleType:
    origin.check_allowed(node.source)
    try:
        with unheard():
            return usercode.load(str(file) if origin.is_moved(node.source) else place, file, digest)
    except (Exception, SystemExit) as error:
        message, reason = _("{source}: {file} cannot be loaded: {reason}"), translate(describe_user_error(error, file))
        raise ArchError(message.format(source=node.source, file=file, reason=reason)) from None


def _made(
    node: External,
    build: Callable[[], Any],
    factory: Callable[..., Any] | None,
    options: Mapping[str, Any],
    make_plain: Callable[[], Any] | None = None,
) -> nn.Module:
    """make_plain: makes a library's network without options, whose class tells which there are."""
    if factory is not None:
        _check_options(node, factory, options)
    try:
        with unheard():
            inner = build()
    except (Exception, SystemExit) as error:
        hint = next((_hint(key, make_plain) for key in options if f"argument {key!r}" in str(error)), "")
        reason = translate(describe_user_error(error, user_file(node.source)))
        message = _("{source}: the network could not be built: {reason}{hint}")
        raise ArchError(message.format(source=node.source, reason=reason, hint=hint)) from None
    if not isinstance(inner, nn.Module):
        message = _(
            "{source}: the factory returned {kind}, accepted: a torch.nn.Module (factory(n_classes, "
            "**options) -> nn.Module)"
        )
        raise ArchError(message.format(source=node.source, kind=type(inner).__name__))
    return inner


def _parameters(network: nn.Module) -> Mapping[str, inspect.Parameter]:
    """What the class of a network takes."""
    return inspect.signature(type(network).__init__).parameters


def _hint(key: str, make_plain: Callable[[], Any] | None) -> str:
    """What an option that the network does not take may have meant: one that it takes, or a key of the recipe."""
    with unheard():
        names = [] if make_plain is None else list(_parameters(make_plain()))
    if near := nearest(key, names):
        return _("; did you mean {near!r}?").format(near=near[0])
    near = nearest(key, FIELDS)
    return _("; did you mean the recipe's {near!r}?").format(near=near[0]) if near else ""


def _check_read(node: External, network: nn.Module, options: Mapping[str, Any]) -> None:
    """Refuses an option near one of the network's, where its class takes any name and reads only its own."""
    parameters = _parameters(network)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    names = [name for name, parameter in parameters.items() if parameter.kind is not parameter.VAR_KEYWORD]
    for key in options:
        if key not in names and nearest(key, names):
            raise ArchError(unknown("option", key, names[1:], where=node.source))


def _check_options(node: External, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # of a callable that does not tell
        return
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters):
        return
    names = [parameter.name for parameter in list(parameters)[1:]]
    for key in options:
        if key not in names:
            raise ArchError(unknown("option", key, [*names, "weights", *FIELDS], where=node.source))


@contextmanager
def unheard() -> Iterator[None]:
    """What others' code prints is not mixed with what we print (`--json`): it goes to the error stream. Its warnings
    are for its authors."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
