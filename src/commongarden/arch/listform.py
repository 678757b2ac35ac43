"""The list form of a Korean textbook's teaching framework: nested lists [type, {options}, children...].

What docs/list-form.md says is what is read here. A strided layer keeps the positions that the framework keeps. Three
things differ: batch normalization has this language's epsilon and momentum, it sees a strided layer's kept positions
only, and it has the true gradient, as all else has.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import PurePath
from typing import Any, Literal

from commongarden.arch.layers import avg_pool, conv, dense, dropout, max_pool, named, noise, parallel, repeat, serial
from commongarden.arch.listfile import parse, shown
from commongarden.arch.macros import Macros
from commongarden.arch.nodes import Activation, Add, BatchNorm, Node, Serial, Size
from commongarden.errors import ArchError, unknown
from commongarden.i18n.language import N_, _

MAX_LAYERS = 10_000
MAX_LEVELS = 30  # of configs within configs; the text form of what is deeper could not be read back
MAX_SIZE = 1_000_000
ACTFUNCS = ("relu", "sigmoid", "tanh", "none")
CONFIG = N_('[type, {options}, children...], or an integer for a dense layer, such as ["conv", {"ksize": 3, "chn": 6}]')


def network(text: str, n_classes: int, *, where: str) -> Serial:
    """The network of a list form (JSON text) with a final dense layer of `n_classes`. where: the file it is from.

    Raises ArchError with the path to the place.
    """
    whole = parse(text, where=where)
    reader = _Reader(Macros(whole.get("macros", {})), where)
    model, place = whole["model"], _Place(("model",))
    several = isinstance(model, list) and not (model and isinstance(model[0], str))
    layers = (
        [reader.node(config, place.at(str(number))) for number, config in enumerate(model, 1)]
        if several
        else [reader.node(model, place)]
    )
    name = re.sub(r"[^\w.+-]+", " ", PurePath(where).stem).strip() or "model"
    return serial(*layers, dense(n_classes), name=name)


@dataclass(frozen=True)
class _Place:
    """Where a config stands. times: how many copies the loops around it make. uses: the macros it has come through,
    each with its arguments.
    """

    path: tuple[str, ...]
    times: int = 1
    uses: tuple[tuple[str, str], ...] = ()

    def at(self, part: str) -> _Place:
        return replace(self, path=(*self.path, part))


class _Reader:
    """Turns configs into nodes and counts them."""

    def __init__(self, macros: Macros, where: str) -> None:
        self.macros = macros
        self.where = where
        self._n_layers = 0

    def error(self, place: _Place, message: str) -> ArchError:
        return ArchError(f"{self.where}: {' / '.join(place.path)}: {message}")

    def node(self, config: Any, place: _Place) -> Node:
        self._n_layers += place.times
        if self._n_layers > MAX_LAYERS:
            text = _("more than {most:,} layers after loops are expanded; accepted: up to {most:,}")
            raise self.error(place, text.format(most=MAX_LAYERS))
        if len(place.path) > MAX_LEVELS:
            through = _(", through the macros {uses} ...").format(uses=_chain(place.uses[:4])) if place.uses else ""
            message = _("nested too deeply{through}; accepted: up to {most} levels of configs").format(
                through=through, most=MAX_LEVELS
            )
            raise self.error(_Place((*place.path[:6], "...")), message)
        if isinstance(config, int) and not isinstance(config, bool):
            config = ["full", {"width": config}]
        if not isinstance(config, list) or not config or not isinstance(config[0], str):
            text = _("found {config}, accepted: {accepted}{hint}")
            raise self.error(place, text.format(config=shown(config), accepted=_(CONFIG), hint=_gap(config)))
        kind, *rest = config
        options = rest.pop(0) if rest and isinstance(rest[0], dict) else {}
        if kind not in _TYPES:
            raise self.error(place, unknown("type", kind, _TYPES) + _gap(kind))
        layer = _Config(self, kind, options, rest, place.at(kind))
        type_ = _TYPES[kind]
        for key in options:
            if key not in type_.options:
                raise layer.error(unknown("key", key, type_.options))
        if rest and not type_.holds:
            text = _("found {rest} after the options, accepted: nothing, because this layer has no children")
            raise layer.error(text.format(rest=shown(rest[0])))
        if not rest and type_.holds == "one or more":
            raise layer.error(_("found no child, accepted: one or more"))
        return type_.make(layer)


@dataclass(frozen=True)
class _Config:
    """One config, laid out; its methods read an option and refuse what it cannot be."""

    reader: _Reader
    kind: str
    options: dict[str, Any]
    rest: list[Any]
    place: _Place

    def error(self, message: str) -> ArchError:
        return self.reader.error(self.place, message)

    def children(self, part: str = "", times: int = 1) -> list[Node]:
        place = replace(self.place, path=self.place.path[:-1], times=self.place.times * times)
        return [self.reader.node(config, place.at(f"{part}{number}")) for number, config in enumerate(self.rest, 1)]

    def refused(self, key: str, accepted: str) -> ArchError:
        found = self.options[key]
        text = _("{key}: found {found}, accepted: {accepted}{hint}")
        return self.error(text.format(key=key, found=shown(found), accepted=accepted, hint=_gap(found)))

    def needs(self, key: str, accepted: str) -> Any:
        if key not in self.options:
            raise self.error(_("{key!r} is missing; accepted: {accepted}").format(key=key, accepted=accepted))
        return self.options[key]

    def whole(self, key: str) -> int:
        accepted = _("an integer from 1 to {most:,}").format(most=MAX_SIZE)
        value = self.needs(key, accepted)
        if not _is_size(value):
            raise self.refused(key, accepted)
        return int(value)

    def size(self, key: str, default: Size | None = None) -> Size:
        accepted = _("an integer from 1 to {most:,}, or [height, width]").format(most=MAX_SIZE)
        if key not in self.options and default is not None:
            return default
        match self.needs(key, accepted):
            case [height, width] if _is_size(height) and _is_size(width):
                return (height, width)
            case value if _is_size(value):
                return (value, value)
        raise self.refused(key, accepted)

    def number(self, key: str, fits: Callable[[float], bool], accepted: str) -> float:
        value = self.needs(key, accepted)
        if not isinstance(value, int | float) or isinstance(value, bool) or not fits(value):
            raise self.refused(key, accepted)
        return float(value)

    def flag(self, key: str) -> bool:
        value = self.options.get(key, True)
        if not isinstance(value, bool):
            raise self.refused(key, _("true or false"))
        return value

    def word(self, key: str, words: tuple[str, ...]) -> str:
        """One of the words, the first unless given."""
        value = self.options.get(key, words[0])
        if not isinstance(value, str) or value not in words:
            found = value if isinstance(value, str) else shown(value)
            raise self.error(unknown(key, found, words) + _gap(value))
        return value

    def actions(self, default: str, linear: Literal["", "L"]) -> str:
        """The letters L, A, B in the order of work, without an A that does nothing."""
        value = self.options.get("actions", default)
        if not isinstance(value, str) or "".join(sorted(value.replace("A", "", 1).replace("B", "", 1))) != linear:
            accepted = (
                _(
                    "one L (linear), at most one A (activation) and one B (batch norm), in the order of "
                    "execution: LA, LAB, LBA, BAL..."
                )
                if linear
                else _('at most one A (activation) and one B (batch norm), in the order of execution: "", A, B, BA, AB')
            )
            raise self.refused("actions", accepted)
        return value.replace("A", "") if self.actfunc() == "none" else value

    def actfunc(self) -> str:
        return self.word("actfunc", ACTFUNCS)

    def activation(self) -> str:
        return "relu" if self.actfunc() == "none" else self.actfunc()

    def window(self, stride: Size) -> dict[str, Any]:
        """Stride and padding of a layer that computes every position and keeps one in `stride`."""
        if self.word("padding", ("SAME", "VALID")) == "SAME":
            return {"stride": stride, "padding": "same"}
        return {"stride": stride, "padding": "valid" if stride == (1, 1) else "inside"}


def _conv(layer: _Config) -> Node:
    return conv(
        layer.whole("chn"),
        layer.size("ksize"),
        **layer.window(layer.size("stride", (1, 1))),
        order=layer.actions("LA", "L"),
        bias=True,
        norm=BatchNorm(affine=False),
        activation=layer.activation(),
    )


def _pool(make: Callable[..., Node]) -> Callable[[_Config], Node]:
    def pool(layer: _Config) -> Node:
        if not layer.options.keys() & {"stride", "ksize"}:
            raise layer.error(_("'stride' or 'ksize' is missing; accepted: one of them, or both"))
        stride = layer.size("stride", (1, 1))
        kernel = layer.size("ksize", stride)
        return make(kernel, **layer.window(stride))

    return pool


def _full(layer: _Config) -> Node:
    order = "L" if layer.actfunc() == "none" else "LA"
    return dense(layer.whole("width"), order=order, activation=layer.activation())


def _dropout(layer: _Config) -> Node:
    keep = layer.number("keep_prob", lambda value: 0 < value <= 1, _("a number above 0 and up to 1"))
    return dropout(float(1 - Decimal(repr(keep))))  # as written: 1 - 0.7 is 0.3


def _noise(layer: _Config) -> Node:
    return noise(layer.number("std", lambda value: 0 <= value <= MAX_SIZE, _("a number of 0 or more")))


def _add(layer: _Config) -> Node:
    then: dict[str, Node] = {"A": Activation(layer.activation()), "B": BatchNorm()}
    after = [then[action] for action in layer.actions("", "")]
    total = Add(tuple(layer.children("branch ")), layer.flag("x"), "repeat")
    return serial(total, *after) if after else total


def _loop(layer: _Config) -> Node:
    times = layer.whole("repeat")
    body = layer.children(times=times)
    return repeat(body[0] if len(body) == 1 else serial(*body), times)


def _custom(layer: _Config) -> Node:
    name = layer.needs("name", _("a macro's name"))
    if not isinstance(name, str):
        raise layer.refused("name", _("a macro's name"))
    args = layer.options.get("args", {})
    if not isinstance(args, dict):
        raise layer.refused("args", _('values by name, such as {"#chn": 6}'))
    use, uses = (name, json.dumps(args, sort_keys=True)), layer.place.uses
    if use in uses:  # the same arguments give the same config, and so on for ever
        text = _("infinite recursion of macros: {uses}")
        raise layer.error(text.format(uses=_chain((*uses[uses.index(use) :], use))))
    try:
        config = layer.reader.macros.use(name, args)
    except ArchError as error:
        raise layer.error(str(error)) from None
    place = replace(layer.place, path=(*layer.place.path[:-1], f"macro {name}"), uses=(*uses, use))
    return named(_label(name), layer.reader.node(config, place))


@dataclass(frozen=True)
class _Type:
    """A type of config: how its node is made, the options it may have, and whether it holds other configs."""

    make: Callable[[_Config], Node]
    options: tuple[str, ...] = ()
    holds: Literal["", "any", "one or more"] = ""


_TYPES = {
    "conv": _Type(_conv, ("ksize", "stride", "chn", "padding", "actions", "actfunc")),
    "max": _Type(_pool(max_pool), ("stride", "ksize", "padding")),
    "avg": _Type(_pool(avg_pool), ("stride", "ksize", "padding")),
    "full": _Type(_full, ("width", "actfunc")),
    "dropout": _Type(_dropout, ("keep_prob",)),
    "noise": _Type(_noise, ("std",)),
    "batch_normal": _Type(lambda layer: BatchNorm(affine=layer.flag("rescale")), ("rescale",)),
    "serial": _Type(lambda layer: serial(*layer.children()), holds="any"),
    "parallel": _Type(lambda layer: parallel(*layer.children("branch ")), holds="one or more"),
    "add": _Type(_add, ("x", "actions", "actfunc"), holds="one or more"),
    "loop": _Type(_loop, ("repeat",), holds="one or more"),
    "custom": _Type(_custom, ("name", "args")),
}


def _is_size(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_SIZE


def _label(macro: str) -> str:
    """A macro's name as the name of a part. Digits join what is before them, and what other parts are called is
    avoided: "block_2" beside two uses of "block" would be one module with "block (2)".
    """
    words = re.sub(r"[\W_]+(?=\d)", "", macro)
    words = " ".join(re.findall(r"[^\W_]+", words)) or "macro"
    return f"{words} macro" if words in ("block", "branch") else words


def _gap(found: object) -> str:
    """A hint where a macro's gap stands where it is not filled."""
    if isinstance(found, str) and found.startswith("#"):
        return _("; a text with # is replaced inside a macro only")
    return ""


def _chain(uses: tuple[tuple[str, str], ...]) -> str:
    return " > ".join(name for name, _ in uses)
