"""Architectures by name. A family is a function from the number of classes and its own options to a tree of nodes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from commongarden.arch.families import flowers
from commongarden.arch.nodes import Serial
from commongarden.errors import ArchError, unknown

FAMILIES: dict[str, Callable[..., Serial]] = {
    "inception_flower": flowers.inception_flower,
    "plain_flower": flowers.plain_flower,
    "residual_flower": flowers.residual_flower,
    "bottleneck_flower": flowers.bottleneck_flower,
}


def family(name: str) -> Callable[..., Serial]:
    """The function behind an architecture's name. Raises ArchError with the nearest name."""
    if name not in FAMILIES:
        raise ArchError(unknown("architecture", name, FAMILIES))
    return FAMILIES[name]


def defaults(name: str) -> dict[str, Any]:
    """The architecture's options with the values they have where nobody gives them. Raises ArchError."""
    parameters = inspect.signature(family(name)).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.name != "n_classes"}


def checked(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options, if the architecture has them. Raises ArchError with the nearest name."""
    accepted = defaults(name)
    for key in options:
        if key not in accepted:
            raise ArchError(unknown("option", key, accepted, where=name))
    return dict(options)


def network(name: str, n_classes: int, **options: Any) -> Serial:
    """The named architecture with a head of `n_classes`. Raises ArchError for unknown names and options."""
    return family(name)(n_classes, **checked(name, options))
