"""Other people's networks: made by their library's or their user's own code, and measured."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import json
import math
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import FlopCounterMode

from commongarden import origin
from commongarden.arch import External
from commongarden.errors import ArchError, unknown
from commongarden.language import _
from commongarden.recipe import FIELDS

AUXILIARY_WEIGHT = 0.3  # of the losses of torchvision's auxiliary heads, as in their papers


class ExternalNetwork(nn.Module):
    """Somebody else's network, held to what every network here does: images (n, 3, height, width) in, logits (n,
    classes) out. Logits of auxiliary heads, which torchvision puts out beside the others in training, are kept until
    they are collected.
    """

    def __init__(self, node: External, inner: nn.Module) -> None:
        super().__init__()
        self.node = node
        self.inner = inner
        self._auxiliary: list[Tensor] = []

    def forward(self, x: Tensor) -> Tensor:
        try:
            output = self.inner(x)
        except (RuntimeError, ValueError, MemoryError):
            raise
        except Exception as error:  # their code may raise anything, which is a failed run and no fault of the worker
            raise RuntimeError(f"{self.node.source}: {_told(error)}") from error
        logits, *others = output if isinstance(output, tuple) and output else (output,)
        self._auxiliary = [other for other in others if isinstance(other, Tensor)] if self.training else []
        wanted = (len(x), self.node.classes)
        for found in (logits, *self._auxiliary):
            if not isinstance(found, Tensor) or tuple(found.shape) != wanted:
                shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                raise ArchError(
                    _(
                        "{source}: found {shape} for {n_photos} photos and {n_classes} classes, accepted: "
                        "{wanted}, one logit for each class"
                    ).format(
                        source=self.node.source, shape=shape, n_photos=wanted[0], n_classes=wanted[1], wanted=wanted
                    )
                )
        result: Tensor = logits
        return result

    def collect(self) -> list[tuple[float, Tensor]]:
        """For each auxiliary head the weight of its loss and the logits of the last batch, which are let go."""
        logits, self._auxiliary = self._auxiliary, []
        return [(AUXILIARY_WEIGHT, each) for each in logits]


def make(node: External) -> ExternalNetwork:
    """The network that the node names, with the first weights that its own code draws. Runs that code.

    Raises ArchError where the code is not there, has changed, or makes no network or another one than was measured.
    """
    place, name = origin.parts(node.source)
    options = json.loads(node.options)
    if place in origin.LIBRARIES:
        inner = _of_library(node, place, name, options)
    else:
        inner = _of_user(node, place, name, options)
    n_params = sum(parameter.numel() for parameter in inner.parameters())
    if node.n_params and n_params != node.n_params:
        raise ArchError(
            _(
                "{source}: found {n_params:,} parameters, but it had {before:,} when it was "
                "measured; accepted: the version of its library, or of the code it imports, that it had "
                "then"
            ).format(source=node.source, n_params=n_params, before=node.n_params)
        )
    return ExternalNetwork(node, inner.float())


def library(name: str) -> ModuleType:
    """torchvision or timm. Raises ArchError where it is not installed."""
    try:
        return importlib.import_module({"torchvision": "torchvision.models", "timm": "timm"}[name])
    except ImportError as error:
        raise ArchError(
            _("{name} cannot be loaded ({reason}); accepted: pip install {name}").format(name=name, reason=error)
        ) from None


def normalization(inner: nn.Module, source: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation per channel, in 0..255, of the pixels that the published weights want; nothing where
    none are named."""
    place, name = origin.parts(source)
    found: Any = getattr(inner, "pretrained_cfg", None)
    if place == "torchvision":
        found = vars(library(place).get_model_weights(name).DEFAULT.transforms())
    if place not in origin.LIBRARIES or not found or not (found.get("mean") and found.get("std")):
        return (), ()
    mean, std = (tuple(255.0 * value for value in found[key]) for key in ("mean", "std"))
    return mean, std


def cost(network: ExternalNetwork, input: tuple[int, int, int]) -> tuple[int, int, int]:
    """Parameters, MACs and activation bytes of one image, as `arch.cost` reckons them for our own networks.

    Counted while the network works on one image; where it has auxiliary heads, on two in training, for these work
    then only. Raises ArchError where it cannot work so.
    """
    height, width, channels = input
    found = {}
    for training, n in ((False, 1), (True, 2)):
        network.train(training)
        images = torch.zeros(n, channels, height, width)
        with torch.no_grad(), FlopCounterMode(display=False) as flops, Outputs() as outputs:
            try:
                network(images)
            except (RuntimeError, ValueError) as error:
                told = (
                    _("{source}: at {size}, training: {reason}")
                    if training
                    else _("{source}: at {size}, evaluation: {reason}")
                )
                size = f"{height}x{width}x{channels}"
                raise ArchError(told.format(source=network.node.source, size=size, reason=error)) from None
        found[training] = (flops.get_total_flops() // (2 * n), outputs.bytes // n)
    macs, activation_bytes = found[bool(network.collect())]
    return sum(parameter.numel() for parameter in network.parameters()), macs, activation_bytes


class Outputs(TorchFunctionMode):
    """Counts the bytes that layers put out: each tensor that an operation makes or changes in place, in float32.

    Another view of the same numbers (flatten, reshape, permute) is none; neither is what happens inside an operation.
    """

    PASSING = frozenset({"to", "float", "contiguous", "detach", "requires_grad_", "type_as", "clone"})

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Iterable[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if isinstance(result, Tensor) and result.is_floating_point() and func.__name__ not in self.PASSING:
            given = [arg for arg in args if isinstance(arg, Tensor)]
            same = any(result is arg for arg in given)
            view = any(result.untyped_storage().data_ptr() == arg.untyped_storage().data_ptr() for arg in given)
            if same or not view:
                self.bytes += 4 * math.prod(result.shape)
        return result


def _of_library(node: External, place: str, name: str, options: dict[str, Any]) -> nn.Module:
    models = library(place)
    if place == "torchvision":
        names = models.list_models(module=models)
        if name in ("googlenet", "inception_v3"):
            options.setdefault("init_weights", True)
            options.setdefault("transform_input", bool(node.weights))  # as with torchvision's own weights
    else:
        names = models.list_models()
    if name.split(".")[0] not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = _("; did you mean {near}?").format(near=", ".join(f"{place}:{each}" for each in near)) if near else "."
        raise ArchError(
            _("{source}: unknown model {name!r}{hint} Accepted: {n:,} names of {place}").format(
                source=node.source, name=name, hint=hint, n=len(names), place=place
            )
        )

    def build() -> Any:
        if place == "torchvision":
            return models.get_model(name, weights=None, num_classes=node.classes, **options)
        return models.create_model(name, pretrained=False, num_classes=node.classes, **options)

    return _made(node, build, None, options)


def _of_user(node: External, place: str, name: str, options: dict[str, Any]) -> nn.Module:
    file = origin.code_file(node.source)
    found = origin.file_hash(file)
    if node.code and found != node.code:
        raise ArchError(
            _(
                "{source}: {file} has changed since the study was declared: SHA-256 {before}... then, "
                "{now}... now; accepted: the file as it was, or a study of its own for what it holds "
                "now"
            ).format(source=node.source, file=file, before=node.code[:12], now=found[:12])
        )
    module = _load(node, place, file, found)
    factory = getattr(module, name, None)
    if not callable(factory):
        names = [
            key
            for key, value in vars(module).items()
            if callable(value) and getattr(value, "__module__", "") == module.__name__
        ]
        raise ArchError(unknown("factory", name, names, where=node.source))
    return _made(node, lambda: factory(node.classes, **options), factory, options)


def _load(node: External, place: str, file: Path, digest: str) -> ModuleType:
    """The user's module, with its neighbours within reach of its imports, as when Python runs it."""
    origin.check_allowed(node.source)
    folder = str(file.parent.resolve()) if place.endswith(".py") else str(Path.cwd())
    if folder not in sys.path:
        sys.path.append(folder)
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        name = f"{file.stem}_{digest[:12]}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None  # a file that ends in .py has one, and a loader
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(sys.modules[name])
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]
    except (Exception, SystemExit) as error:
        raise ArchError(
            _("{source}: {file} cannot be loaded: {reason}").format(source=node.source, file=file, reason=_told(error))
        ) from None


def _made(
    node: External, build: Callable[[], Any], factory: Callable[..., Any] | None, options: Mapping[str, Any]
) -> nn.Module:
    if factory is not None:
        _check_options(node, factory, options)
    try:
        inner = build()
    except (Exception, SystemExit) as error:
        hint = ""
        for key in options:
            if f"argument {key!r}" in str(error):
                near = difflib.get_close_matches(key, FIELDS, n=1)
                hint = _("; did you mean the recipe's {near!r}?").format(near=near[0]) if near else ""
        raise ArchError(
            _("{source}: it could not be made: {reason}{hint}").format(
                source=node.source, reason=_told(error), hint=hint
            )
        ) from None
    if not isinstance(inner, nn.Module):
        raise ArchError(
            _(
                "{source}: the factory gave {kind}, accepted: a torch.nn.Module (factory(n_classes, "
                "**options) -> nn.Module)"
            ).format(source=node.source, kind=type(inner).__name__)
        )
    return inner


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


def _told(error: BaseException) -> str:
    """The error in one line, with the place in the code that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = (
        _(" ({file}, line {line})").format(file=Path(frames[-1].filename).name, line=frames[-1].lineno)
        if frames
        else ""
    )
    return f"{type(error).__name__}: {error}{place}"
