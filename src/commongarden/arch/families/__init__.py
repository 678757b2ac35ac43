"""Architectures by name. A family is a function from the number of classes and its own options to a tree of nodes;
a named network is one line of data. What stands here is listed, described, documented and tested by that.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from commongarden.arch.families import alexnet, flowers, inception, resnet, twin, vgg
from commongarden.arch.nodes import Node, Serial
from commongarden.arch.trace import Cost, cost
from commongarden.errors import ArchError, check_known, unknown
from commongarden.i18n.language import _


@dataclass(frozen=True)
class Family:
    """A named architecture: the function that makes it, where it was published, and for what input and classes."""

    make: Callable[..., Serial]
    source: str
    input: tuple[int, int, int] = (224, 224, 3)
    n_classes: int = 1000

    @property
    def options(self) -> dict[str, Any]:
        """What `make` takes besides the number of classes, with the published values."""
        parameters = inspect.signature(self.make).parameters.values()
        return {parameter.name: parameter.default for parameter in parameters if parameter.name != "n_classes"}

    def cost(self, **options: Any) -> Cost:
        """Parameters, MACs and activation bytes at the published input and number of classes."""
        return cost(self.make(self.n_classes, **options), self.input)


_FLOWERS = "the flower experiment"
_KRIZHEVSKY = "Krizhevsky 2014, One weird trick for parallelizing convolutional neural networks"
_SIMONYAN = "Simonyan & Zisserman 2014, Very deep convolutional networks"
_SZEGEDY_2014 = "Szegedy et al. 2014, Going deeper with convolutions"
_SZEGEDY_2015 = "Szegedy et al. 2015, Rethinking the Inception architecture"
_HE = "He et al. 2015, Deep residual learning"
_TWINS = "one network in four forms, `commongarden twins`"

FAMILIES: dict[str, Family] = {
    "inception_flower": Family(flowers.inception_flower, _FLOWERS, (96, 96, 3), 5),
    "plain_flower": Family(flowers.plain_flower, _FLOWERS, (64, 64, 3), 5),
    "residual_flower": Family(flowers.residual_flower, _FLOWERS, (64, 64, 3), 5),
    "bottleneck_flower": Family(flowers.bottleneck_flower, _FLOWERS, (64, 64, 3), 5),
    "alexnet": Family(alexnet.alexnet, _KRIZHEVSKY),
    "vgg11": Family(partial(vgg.vgg, 11), f"{_SIMONYAN}, table 1 A"),
    "vgg13": Family(partial(vgg.vgg, 13), f"{_SIMONYAN}, table 1 B"),
    "vgg16": Family(partial(vgg.vgg, 16), f"{_SIMONYAN}, table 1 D"),
    "vgg19": Family(partial(vgg.vgg, 19), f"{_SIMONYAN}, table 1 E"),
    "vgg11_bn": Family(partial(vgg.vgg, 11, order="LBA"), f"{_SIMONYAN}, table 1 A, with batch norm"),
    "vgg13_bn": Family(partial(vgg.vgg, 13, order="LBA"), f"{_SIMONYAN}, table 1 B, with batch norm"),
    "vgg16_bn": Family(partial(vgg.vgg, 16, order="LBA"), f"{_SIMONYAN}, table 1 D, with batch norm"),
    "vgg19_bn": Family(partial(vgg.vgg, 19, order="LBA"), f"{_SIMONYAN}, table 1 E, with batch norm"),
    "googlenet": Family(inception.googlenet, f"{_SZEGEDY_2014}, in torchvision's form"),
    "googlenet_paper": Family(inception.googlenet_paper, f"{_SZEGEDY_2014}, table 1"),
    "inception_v3": Family(inception.inception_v3, f"{_SZEGEDY_2015}, table 1", (299, 299, 3)),
    "plain18": Family(partial(resnet.plain, 18), f"{_HE}, table 1, without shortcuts"),
    "plain34": Family(partial(resnet.plain, 34), f"{_HE}, table 1 and fig. 3, without shortcuts"),
    "resnet18": Family(partial(resnet.basic_resnet, 18), f"{_HE}, table 1"),
    "resnet34": Family(partial(resnet.basic_resnet, 34), f"{_HE}, table 1"),
    "resnet50": Family(partial(resnet.bottleneck_resnet, 50), f"{_HE}, table 1"),
    "resnet101": Family(partial(resnet.bottleneck_resnet, 101), f"{_HE}, table 1"),
    "resnet152": Family(partial(resnet.bottleneck_resnet, 152), f"{_HE}, table 1"),
    "plain_twin": Family(partial(twin.twin, "plain"), _TWINS, (64, 64, 3), 5),
    "residual_twin": Family(partial(twin.twin, "residual"), f"{_TWINS}; {_HE}, fig. 5", (64, 64, 3), 5),
    "bottleneck_twin": Family(partial(twin.twin, "bottleneck"), f"{_TWINS}; {_HE}, fig. 5", (64, 64, 3), 5),
    "inception_twin": Family(partial(twin.twin, "inception"), f"{_TWINS}; {_SZEGEDY_2014}, fig. 2b", (64, 64, 3), 5),
}
FLOWER_ARMS = tuple(name for name, family in FAMILIES.items() if family.source == _FLOWERS)


def _block(make: resnet.MakeBlock, shortcut: resnet.Shortcut, order: str) -> Node:
    return make(16, resnet.Form(order, shortcut), stride=2, reshapes=True)


# one block of each kind by itself, for an image of 16 channels or more; each takes its order
BLOCKS: dict[str, Callable[[str], Node]] = {
    "VGG stage": lambda order: vgg.vgg_stage(16, 2, order=order),
    "naive Inception module": lambda order: inception.naive_module(16, 24, 8, order=order),
    "Inception module with reductions": lambda order: inception.reduced_module(16, 12, 24, 4, 8, 8, order=order),
    "Inception module with two 3x3": lambda order: inception.factorized_module(16, 12, 24, 4, 8, 8, order=order),
    "Inception module with 5x5 and two 3x3": lambda order: inception.first_module(8, order=order),
    "Inception module with 1x7 and 7x1": lambda order: inception.asymmetric_module(8, 12, order=order),
    "widened Inception module": lambda order: inception.widened_module(20, 12, 14, 12, 8, order=order),
    "grid reduction": lambda order: inception.grid_reduction(24, 8, 12, order=order),
    "grid reduction with 1x7 and 7x1": lambda order: inception.asymmetric_reduction(20, 12, order=order),
    "plain block": lambda order: resnet.basic_block(16, resnet.Form(order, "none"), stride=2),
    "residual block": lambda order: resnet.basic_block(16, resnet.Form(order)),
    "bottleneck block": lambda order: resnet.bottleneck_block(4, resnet.Form(order)),
    **{
        f"{name} with {shortcut} shortcut": partial(_block, make, shortcut)
        for name, make in (("residual block", resnet.basic_block), ("bottleneck block", resnet.bottleneck_block))
        for shortcut in ("zeros", "repeat", "pooled", "projection")
    },
}  # fmt: skip


def family(name: str) -> Callable[..., Serial]:
    """The function behind an architecture's name. Raises ArchError with the nearest name."""
    check_known("architecture", [name], FAMILIES, ArchError)
    return FAMILIES[name].make


def matching(pattern: str) -> tuple[str, ...]:
    """Names that hold `pattern`, or match it where it has * or ? in it. Raises ArchError where there is none."""
    whole = pattern if any(sign in pattern for sign in "*?[") else f"*{pattern}*"
    names = tuple(name for name in FAMILIES if fnmatch.fnmatchcase(name, whole.lower()))
    if not names:
        raise ArchError(unknown("architecture", pattern, FAMILIES))
    return names


def defaults(name: str) -> dict[str, Any]:
    """The architecture's options with the values they have where nobody gives them. Raises ArchError."""
    family(name)
    return FAMILIES[name].options


def checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, if the architecture has them and takes such values. Raises ArchError with the nearest name."""
    known = defaults(name)
    for key, value in options.items():
        check_known("option", [key], known, ArchError, where=name)
        kind = type(known[key])
        if type(value) is not kind:
            accepted = {bool: _("true or false"), int: _("an integer"), str: _("text")}[kind]
            text = _("{name}: found {value!r} for the option {key}, accepted: {accepted}")
            raise ArchError(text.format(name=name, value=value, key=key, accepted=accepted))
    return dict(options)


def network(name: str, n_classes: int, **options: Any) -> Serial:
    """The named architecture with a head of `n_classes`. Raises ArchError for unknown names and options."""
    return family(name)(n_classes, **checked(name, options))
