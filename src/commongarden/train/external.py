"""Other people's networks: made by their library's or their user's own code, and measured."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
import json
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from commongarden import origin
from commongarden.arch import External
from commongarden.errors import ArchError, unknown
from commongarden.language import _, told
from commongarden.recipe import FIELDS
from commongarden.train.blame import describe_user_error

is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # since 2.7
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
        if is_exporting():  # a graph must not depend on how many photos it is made with
            output = self.inner(x)
            first: Tensor = output[0] if isinstance(output, tuple) and output else getattr(output, "logits", output)
            return first
        try:
            with unheard():
                output = self._work(x)
        except (RuntimeError, ValueError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # their code may raise anything: a failed run, no fault of the worker
            place = user_file(self.node.source)
            raise RuntimeError(f"{self.node.source}: {describe_user_error(error, place)}") from error
        logits, *others = output if isinstance(output, tuple) and output else (getattr(output, "logits", output),)
        self._auxiliary = [other for other in others if isinstance(other, Tensor)] if self.training else []
        wanted = (x.shape[0], self.node.classes)  # a size that an exporter may leave open
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
            if not found.is_floating_point():
                raise ArchError(
                    _("{source}: found logits of type {found}, accepted: floating-point numbers").format(
                        source=self.node.source, found=str(found.dtype).removeprefix("torch.")
                    )
                )
        result: Tensor = logits
        return result

    def _work(self, x: Tensor) -> Any:
        """Never in inference mode, whose tensors cannot be used in training later, as a network that keeps some would,
        and allow no gradient to be taken inside."""
        if not torch.is_inference_mode_enabled():
            return self.inner(x)
        with torch.inference_mode(False), torch.no_grad():
            return self.inner(x.clone())

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
    materialize(inner, node)
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


def materialize(inner: nn.Module, node: External) -> None:
    """Lets lazy layers (nn.LazyLinear) take their shapes from a first batch. Raises ArchError where that fails."""
    held = [*inner.parameters(), *inner.buffers()]
    if not any(is_lazy(each) for each in held):
        return
    modes = [(part, part.training) for part in inner.modules()]
    height, width, channels = node.input
    try:
        with unheard(), torch.no_grad():
            inner.eval()(torch.zeros(2, channels, height, width))
        lacking = [name for name, each in [*inner.named_parameters(), *inner.named_buffers()] if is_lazy(each)]
        if lacking:
            raise ArchError(
                _("{source}: the first pass did not reach these lazy layers: {names}; accepted: layers in use").format(
                    source=node.source, names=", ".join(lacking)
                )
            )
    except ArchError:
        raise
    except Exception as error:
        raise ArchError(
            _("{source}: its lazy layers take their shapes from a first pass, which failed: {reason}").format(
                source=node.source, reason=told(describe_user_error(error, user_file(node.source)))
            )
        ) from None
    finally:
        for part, training in modes:
            part.training = training


def library(name: str) -> ModuleType:
    """torchvision or timm. Raises ArchError where it is not installed."""
    try:
        return importlib.import_module({"torchvision": "torchvision.models", "timm": "timm"}[name])
    except ImportError as error:
        raise ArchError(
            _("{name} cannot be loaded ({reason}); accepted: pip install {name}").format(name=name, reason=error)
        ) from None


def user_file(source: str) -> Path:
    """The file of the user's factory; the current folder, which is no file, where there is none."""
    try:
        return Path() if origin.is_of_library(source) else origin.code_file(source)
    except ArchError:
        return Path()


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
            with unheard():
                return importlib.import_module(place)
        name = f"{file.stem}_{digest[:12]}"
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, file)
            assert spec is not None  # a file that ends in .py has one, and a loader
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            try:
                with unheard():
                    spec.loader.exec_module(sys.modules[name])
            except BaseException:
                del sys.modules[name]
                raise
        return sys.modules[name]
    except (Exception, SystemExit) as error:
        raise ArchError(
            _("{source}: {file} cannot be loaded: {reason}").format(
                source=node.source, file=file, reason=told(describe_user_error(error, file))
            )
        ) from None


def _made(
    node: External, build: Callable[[], Any], factory: Callable[..., Any] | None, options: Mapping[str, Any]
) -> nn.Module:
    if factory is not None:
        _check_options(node, factory, options)
    try:
        with unheard():
            inner = build()
    except (Exception, SystemExit) as error:
        hint = ""
        for key in options:
            if f"argument {key!r}" in str(error):
                near = difflib.get_close_matches(key, FIELDS, n=1)
                hint = _("; did you mean the recipe's {near!r}?").format(near=near[0]) if near else ""
        raise ArchError(
            _("{source}: it could not be made: {reason}{hint}").format(
                source=node.source, reason=told(describe_user_error(error, user_file(node.source))), hint=hint
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


@contextmanager
def unheard() -> Iterator[None]:
    """What others' code prints is not mixed with what we print (`--json`): it goes to the error stream. Its warnings
    are for its authors."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
