"""Other people's networks: made by their library's or their user's own code, and measured."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from commongarden.arch import External
from commongarden.errors import ArchError
from commongarden.i18n.language import _, translate
from commongarden.study import origin
from commongarden.train.blame import describe_user_error
from commongarden.train.loading import of_library, of_user, unheard, user_file

is_exporting: Callable[[], bool] = getattr(torch.compiler, "is_exporting", torch.compiler.is_compiling)  # since 2.7
OWN_PREFIX = "body.network.inner."  # where a network of other people's code lies in a classifier
AUXILIARY_WEIGHT = 0.3  # of the losses of torchvision's auxiliary heads, as in their papers


class ExternalNetwork(nn.Module):
    """Somebody else's network, held to what every network here does: images (n, 3, height, width) in, logits (n,
    classes) out. Logits of auxiliary heads, which torchvision puts out beside the others in training, are kept until
    they are collected.
    """

    def __init__(self, node: External, inner: nn.Module, dtype: torch.dtype = torch.float32) -> None:
        """dtype: torch's default type as the network's code left it."""
        super().__init__()
        self._dtype = dtype
        self.node = node
        self.inner = inner
        self._auxiliary: list[Tensor] = []
        self._auxiliary_known: bool | None = None

    def forward(self, x: Tensor) -> Tensor:
        if is_exporting():  # a graph must not depend on how many photos it is made with
            output = self.inner(x)
            first: Tensor = output[0] if isinstance(output, tuple) and output else _logits_of(output)
            return first
        try:
            with unheard():
                output = self._work(x)
        except (RuntimeError, ValueError, MemoryError):
            raise
        except (Exception, SystemExit) as error:  # their code may raise anything: a failed run, no fault of the worker
            place = user_file(self.node.source)
            raise RuntimeError(f"{self.node.source}: {describe_user_error(error, place)}") from error
        logits, *others = output if isinstance(output, tuple) and output else (_logits_of(output),)
        others = others if self.training and others and self._has_auxiliary(x, output) else []
        self._auxiliary = [other for other in others if isinstance(other, Tensor)]
        wanted = (x.shape[0], self.node.classes)  # a size that an exporter may leave open
        for found in (logits, *self._auxiliary):
            if not isinstance(found, Tensor) or tuple(found.shape) != wanted:
                message = _(
                    "{source}: found outputs of shape {shape} for {n_photos} images and {n_classes} classes, "
                    "accepted: {wanted}, one logit per class"
                )
                shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
                n = {"n_photos": wanted[0], "n_classes": wanted[1]}
                raise ArchError(message.format(source=self.node.source, shape=shape, wanted=wanted, **n))
            if not found.is_floating_point():
                message = _("{source}: found logits of type {found}, accepted: floating-point numbers")
                raise ArchError(message.format(source=self.node.source, found=str(found.dtype).removeprefix("torch.")))
        result: Tensor = logits.to(x.dtype) if logits.dtype == torch.float64 else logits
        return result

    def _has_auxiliary(self, x: Tensor, output: tuple[Any, ...]) -> bool:
        """Whether what is put out beside the logits in training are auxiliary heads: torchvision names them, and a
        tuple without names has them if evaluation gives the logits alone. Others (features, probabilities) learn
        nothing."""
        if self._auxiliary_known is None:
            names = getattr(output, "_fields", ())
            named = any("aux" in name for name in names)
            self._auxiliary_known = named if names else isinstance(self._in_evaluation(x), Tensor)
        return self._auxiliary_known

    def _in_evaluation(self, x: Tensor) -> Any:
        with modes_kept(self.inner), unheard(), torch.no_grad(), torch.random.fork_rng(devices=[]):
            for part in self.inner.modules():
                part.training = False
            return self.inner(x[:2].detach())

    def _work(self, x: Tensor) -> Any:
        """Never in inference mode, whose tensors cannot be used in training later, as a network that keeps some would,
        and allow no gradient to be taken inside."""
        with _default_type(self._dtype):
            if not torch.is_inference_mode_enabled():
                return self.inner(x)
            with torch.inference_mode(False), torch.no_grad():
                return self.inner(x.clone())

    def collect(self) -> list[tuple[float, Tensor]]:
        """For each auxiliary head the weight of its loss and the logits of the last batch, which are let go."""
        logits, self._auxiliary = self._auxiliary, []
        return [(AUXILIARY_WEIGHT, each) for each in logits]


def _logits_of(output: Any) -> Any:
    """The logits in an output as the transformers library gives it, by attribute or by key; else the output."""
    if isinstance(output, Mapping):
        return output.get("logits", output)
    return getattr(output, "logits", output)


def make(node: External) -> ExternalNetwork:
    """The network that the node names, with the first weights that its own code draws. Runs that code.

    Raises ArchError where the code is not there, has changed, or makes no network or another one than was measured.
    """
    place, name = origin.parts(node.source)
    options = json.loads(node.options)
    with _process_kept():
        inner = (of_library if place in origin.LIBRARIES else of_user)(node, place, name, options)
        materialize(inner, node)
        dtype = torch.get_default_dtype()
    n_params = sum(parameter.numel() for parameter in inner.parameters())
    if node.n_params and n_params != node.n_params:
        message = _(
            "{source}: found {n_params:,} parameters, but {before:,} when it was first measured; "
            "accepted: the same version of its library and of the code it imports"
        )
        raise ArchError(message.format(source=node.source, n_params=n_params, before=node.n_params))
    return ExternalNetwork(node, _in_single_precision(inner, node), dtype)


@contextmanager
def _process_kept() -> Iterator[None]:
    """What others' code may set for the whole process while a network is made, and this program relies on, is put back:
    the current folder, whether gradients are computed, torch's default type."""
    folder, gradients = Path.cwd(), torch.is_grad_enabled()
    with _default_type(torch.get_default_dtype()):
        try:
            yield
        finally:
            os.chdir(folder)
            torch.set_grad_enabled(gradients)


@contextmanager
def _default_type(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def _in_single_precision(inner: nn.Module, node: External) -> nn.Module:
    """A network that was stored in half precision, in float32, unless its own code takes float32 images as it is. What
    is float64 is meant to be."""
    kinds = {each.dtype for each in (*inner.parameters(), *inner.buffers())}
    if not kinds & {torch.float16, torch.bfloat16}:
        return inner
    try:
        _first_pass(inner, node)
    except Exception:
        return inner.float()
    return inner


def _first_pass(inner: nn.Module, node: External) -> None:
    """Two black images in evaluation, before the network is used."""
    height, width, channels = node.input
    with modes_kept(inner), unheard(), torch.no_grad():
        inner.eval()(torch.zeros(2, channels, height, width, dtype=torch.float32))


@contextmanager
def modes_kept(network: nn.Module) -> Iterator[None]:
    """Each module is afterwards as it was before: in training, or in evaluation."""
    modes = [(part, part.training) for part in network.modules()]
    try:
        yield
    finally:
        for part, training in modes:
            if part.training != training:
                part.training = training


def materialize(inner: nn.Module, node: External) -> None:
    """Lets lazy layers (nn.LazyLinear) take their shapes from a first batch. Raises ArchError where that fails."""
    held = [*inner.parameters(), *inner.buffers()]
    if not any(is_lazy(each) for each in held):
        return
    try:
        _first_pass(inner, node)
        lacking = [name for name, each in [*inner.named_parameters(), *inner.named_buffers()] if is_lazy(each)]
        if lacking:
            message = _(
                "{source}: the first forward pass did not use these lazy layers: {names}; accepted: layers "
                "that are used"
            )
            raise ArchError(message.format(source=node.source, names=", ".join(lacking)))
    except ArchError:
        raise
    except Exception as error:
        message = _("{source}: the first forward pass, which initializes its lazy layers, failed: {reason}")
        reason = translate(describe_user_error(error, user_file(node.source)))
        raise ArchError(message.format(source=node.source, reason=reason)) from None
